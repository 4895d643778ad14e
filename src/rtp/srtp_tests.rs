//! The vectors of RFC 3711 and RFC 6188, whole packets of libsrtp, and what strangers may try.

use super::*;
use crate::rtp::packet::Packet;
use rand::{Rng, SeedableRng, rngs::StdRng};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

/// Key and salt of RFC 3711 §B.3, of which the tests of libsrtp are made too.
fn master_128(suite: Suite) -> MasterKey {
    MasterKey::new(suite, &bytes("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6")).unwrap()
}

/// Key and salt of RFC 6188 §7.2.
fn master_256(suite: Suite) -> MasterKey {
    let key = "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b63b04803de51ee7c96423ab5b78d2";
    MasterKey::new(suite, &bytes(key)).unwrap()
}

/// One end that hears itself.
fn pair(suite: Suite) -> (Sealer, Opener) {
    let key = if suite.cipher_key_bytes() == 16 { master_128(suite) } else { master_256(suite) };
    let keys = Keys { suite, ours: key, theirs: key };
    (Sealer::new(&keys), Opener::new(&keys))
}

/// A packet of 20 bytes of sound, ready to be sealed.
fn packet(sequence: u16, ssrc: u32) -> ([u8; 64], usize) {
    let payload: [u8; 20] = std::array::from_fn(|at| at as u8 ^ sequence as u8);
    let packet = Packet { marker: false, payload_type: 0, sequence, timestamp: 160, ssrc, payload: &payload };
    let mut out = [0; 64];
    let length = packet.write(&mut out).unwrap();
    (out, length)
}

fn sealed(sealer: &mut Sealer, sequence: u16, ssrc: u32) -> Vec<u8> {
    let (mut bytes, length) = packet(sequence, ssrc);
    let length = sealer.rtp(&mut bytes, length).unwrap();
    bytes[..length].to_vec()
}

fn opened(opener: &mut Opener, datagram: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut datagram = datagram.to_vec();
    opener.rtp(&mut datagram).map(|length| datagram[..length].to_vec())
}

#[test]
fn the_keystream_is_that_of_rfc_3711_b_2_and_of_rfc_6188_7_1() {
    let rows = [
        (
            "2B7E151628AED2A6ABF7158809CF4F3C",
            "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0",
            "EC8CDF7398607CB0F2D21675EA9EA1E4362B7C3C6773516318A077D7FC5073AE6A2CC3787889374FBEB4C81B17BA6C44",
        ),
        (
            "57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98",
            "92bdd28a93c3f52511c677d08b5515a49da71b2378a854f67050756ded165bac63c4868b7096d88421b563b8c94c9a31",
            "cea518c90fd91ced9cbb18c078a547113dbc4814f4da5f00a08772b63c6a046d6eb246913062a16891433e97dd01a57f",
        ),
    ];
    let block: [u8; 16] = bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap();
    for (key, first, last) in rows {
        // Blocks 0 to 0xFF01.
        let mut stream = vec![0; 0xFF02 * 16];
        Cipher::new(&bytes(key)).apply(block, &mut stream);
        assert_eq!((&stream[..48], &stream[0xFEFF * 16..]), (&bytes(first)[..], &bytes(last)[..]));
    }
}

#[test]
fn session_keys_are_those_of_rfc_3711_b_3_and_of_rfc_6188_7_2() {
    let zeros = [0; 16];
    let rows = [
        (
            Session::derive(Suite::AesCm128Sha1_80, &master_128(Suite::AesCm128Sha1_80), 0),
            "C61E7A93744F39EE10734AFE3FF7A087",
            "30CBBC08863D8C85D49DB34A9AE1",
            "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4",
        ),
        (
            Session::derive(Suite::AesCm256Sha1_80, &master_256(Suite::AesCm256Sha1_80), 0),
            "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
            "fa31791685ca444a9e07c6c64e93",
            "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
        ),
    ];
    for (session, cipher, salt, auth) in rows {
        let (mut ours, mut theirs) = ([0; 32], [0; 32]);
        session.cipher.apply(zeros, &mut ours);
        Cipher::new(&bytes(cipher)).apply(zeros, &mut theirs);
        assert_eq!((ours, &session.salt[..]), (theirs, &bytes(salt)[..]));
        let auth = Hmac::<Sha1>::new_from_slice(&bytes(auth)).unwrap();
        let expected = auth.chain_update(b"words").chain_update(7u32.to_be_bytes()).finalize();
        assert_eq!(session.tag(b"words", 7)[..], expected.into_bytes()[..]);
    }
}

#[test]
fn packets_are_sealed_as_libsrtp_seals_them_and_opened_again() {
    let plain = bytes("800f1234decafbadcafebabeabababababababababababababababab");
    let rows = [
        (Suite::AesCm128Sha1_80, "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"),
        (Suite::AesCm128Sha1_32, "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc"),
        (Suite::AesCm256Sha1_80, "800f1234decafbadcafebabef1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b"),
    ];
    for (suite, expected) in rows {
        let (mut sealer, mut opener) = pair(suite);
        let mut packet = [plain.clone(), vec![0; MOST_TRAILER_BYTES]].concat();
        let length = sealer.rtp(&mut packet, plain.len()).unwrap();
        assert_eq!(packet[..length], bytes(expected), "{suite:?}");
        assert_eq!(opener.rtp(&mut packet[..length]), Ok(plain.len()));
        assert_eq!(packet[..plain.len()], plain);
    }
    let plain = bytes("81c8000bcafebabeabababababababababababababababab");
    for suite in [Suite::AesCm128Sha1_80, Suite::AesCm128Sha1_32] {
        let (mut sealer, mut opener) = pair(suite);
        // libsrtp begins with 1.
        sealer.rtcp_index = 1;
        let mut packet = [plain.clone(), vec![0; MOST_TRAILER_BYTES]].concat();
        let length = sealer.rtcp(&mut packet, plain.len()).unwrap();
        let expected = "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798";
        assert_eq!(packet[..length], bytes(expected));
        assert_eq!(opener.rtcp(&mut packet[..length]), Ok(plain.len()));
        assert_eq!(packet[..plain.len()], plain);
    }
}

#[test]
fn every_suite_carries_sound_and_reports_over_the_wrap_of_the_sequence_number() {
    for suite in Suite::ALL {
        let (mut sealer, mut opener) = pair(suite);
        for n in 0..200_000u32 {
            let sequence = (n + 65_000) as u16;
            let datagram = sealed(&mut sealer, sequence, 7);
            if n % 97 == 3 {
                continue;
            }
            let (plain, length) = packet(sequence, 7);
            assert_eq!(opened(&mut opener, &datagram).unwrap(), plain[..length], "{suite:?}, {n}");
        }
        assert_eq!(opener.streams[0].unwrap().rtp.newest.map(|newest| newest >> 16), Some(4));
        for n in 0..100u8 {
            let mut report = [0; 64];
            report[..12].copy_from_slice(&[0x80, 200, 0, 2, 0, 0, 0, 7, n, n, n, n]);
            let plain = report;
            let length = sealer.rtcp(&mut report, 12).unwrap();
            assert_ne!(report[8..12], plain[8..12]);
            assert_eq!(opener.rtcp(&mut report[..length]), Ok(12));
            assert_eq!(report[..12], plain[..12]);
        }
    }
}

#[test]
fn late_packets_are_opened_once_and_old_ones_never() {
    let (mut sealer, mut opener) = pair(Suite::AesCm128Sha1_80);
    let datagrams: Vec<_> = (0..200u16).map(|n| sealed(&mut sealer, 65_500u16.wrapping_add(n), 7)).collect();
    // Later over the wrap than before it, and in between the other way round.
    let open = |opener: &mut Opener, n: usize| opened(opener, &datagrams[n]).map(|_| ());
    assert_eq!(open(&mut opener, 10), Ok(()));
    assert_eq!(open(&mut opener, 60), Ok(()));
    for (n, expected) in [
        (35, Ok(())),
        (36, Ok(())),
        (35, Err(SrtpError::Replayed)),
        (10, Err(SrtpError::Replayed)),
        (60, Err(SrtpError::Replayed)),
        (0, Ok(())),
        (61, Ok(())),
        (199, Ok(())),
        // 64 before the newest, and 63.
        (135, Err(SrtpError::Replayed)),
        (136, Ok(())),
        (136, Err(SrtpError::Replayed)),
    ] {
        assert_eq!(open(&mut opener, n), expected, "packet {n}");
    }
}

#[test]
fn a_wrong_key_and_anything_changed_is_refused_and_leaves_no_trace() {
    let suite = Suite::AesCm128Sha1_32;
    let (mut sealer, mut opener) = pair(suite);
    let other = MasterKey::new(suite, &[9; 30]).unwrap();
    let mut stranger = Sealer::new(&Keys { suite, ours: other, theirs: other });
    assert_eq!(opened(&mut opener, &sealed(&mut stranger, 1, 7)), Err(SrtpError::Forged));
    assert_eq!(opened(&mut opener, &packet(1, 7).0[..32]), Err(SrtpError::Forged));

    let mut random = StdRng::seed_from_u64(3711);
    let datagram = sealed(&mut sealer, 1, 7);
    for _ in 0..100_000 {
        let mut changed = datagram.clone();
        match random.random_range(0..3) {
            0 => changed.truncate(random.random_range(0..datagram.len())),
            1 => changed.extend((0..random.random_range(1..30)).map(|_| random.random::<u8>())),
            _ => {
                let at = random.random_range(0..changed.len());
                changed[at] ^= 1 << random.random_range(0..8);
            }
        }
        let before = changed.clone();
        assert!(opener.rtp(&mut changed).is_err());
        assert_eq!(changed, before);
        assert!(opener.rtcp(&mut changed).is_err());
    }
    assert!(opener.streams.iter().all(Option::is_none), "forged packets leave nothing behind");
    assert!(opened(&mut opener, &datagram).is_ok());
}

#[test]
fn random_bytes_are_never_opened() {
    let (_, mut opener) = pair(Suite::AesCm256Sha1_80);
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..100_000 {
        let mut datagram = [0u8; 80];
        random.fill(&mut datagram[..]);
        datagram[0] = 0x80 | datagram[0] & 0x3F;
        let length = random.random_range(0..80);
        assert!(opener.rtp(&mut datagram[..length]).is_err());
        assert!(opener.rtcp(&mut datagram[..length]).is_err());
    }
}

#[test]
fn streams_are_told_apart_and_the_one_being_heard_is_never_forgotten() {
    let (mut sealer, mut opener) = pair(Suite::AesCm128Sha1_80);
    let replayed = sealed(&mut sealer, 100, 1);
    assert!(opened(&mut opener, &replayed).is_ok());
    let mut heard = pair(Suite::AesCm128Sha1_80).0;
    for n in 0..70_000u32 {
        // Every thousand packets another stream appears, with keys that are right.
        if n % 1_000 == 0 {
            let mut fleeting = pair(Suite::AesCm128Sha1_80).0;
            assert!(opened(&mut opener, &sealed(&mut fleeting, 1, 1_000 + n)).is_ok());
        }
        assert!(opened(&mut opener, &sealed(&mut heard, n as u16, 7)).is_ok(), "packet {n}");
    }
}

#[test]
fn a_key_that_stays_goes_on_counting_and_another_starts_anew() {
    let suite = Suite::AesCm128Sha1_80;
    let other = MasterKey::new(suite, &[9; 30]).unwrap();
    let keys = Keys { suite, ours: master_128(suite), theirs: master_128(suite) };
    let mut srtp = Srtp::new(&keys);
    let first = sealed(&mut srtp.sealer, 1, 7);
    assert!(opened(&mut srtp.opener, &first).is_ok());
    srtp.renegotiate(&Keys { ours: other, ..keys });
    assert_eq!(opened(&mut srtp.opener, &first), Err(SrtpError::Replayed));
    assert_eq!(srtp.sealer.stream, None);
    sealed(&mut srtp.sealer, 2, 7);
    srtp.renegotiate(&Keys { ours: other, theirs: other, suite });
    assert_eq!(srtp.sealer.stream, Some((7, 2)));
    assert!(srtp.opener.streams[0].is_none());
}

#[test]
fn a_stream_is_heard_under_their_next_key_whether_they_go_on_counting_wraps_or_not() {
    let suite = Suite::AesCm128Sha1_80;
    let keys = |theirs: u8| {
        let key = MasterKey::new(suite, &[theirs; 30]).unwrap();
        Keys { suite, ours: key, theirs: key }
    };
    // What they count under the last key; under the one between nothing comes.
    for wraps in [3, 0] {
        let mut srtp = Srtp::new(&keys(1));
        for n in 0..=3 * 4 {
            let datagram = sealed(&mut srtp.sealer, (n * 0x4000 + 100) as u16, 7);
            assert!(opened(&mut srtp.opener, &datagram).is_ok(), "{n}");
        }
        srtp.renegotiate(&keys(2));
        srtp.renegotiate(&keys(3));
        let mut theirs = Sealer::new(&keys(3));
        theirs.stream = Some((7, wraps << 16 | 100));
        for sequence in [101, 102, 30_000, 60_000, 1] {
            let datagram = sealed(&mut theirs, sequence, 7);
            assert!(opened(&mut srtp.opener, &datagram).is_ok(), "{wraps} wraps, {sequence}");
            assert_eq!(opened(&mut srtp.opener, &datagram), Err(SrtpError::Replayed));
        }
        assert_eq!(srtp.opener.streams[0].unwrap().rtp.newest, Some((wraps + 1) << 16 | 1));
        // A stream that began under this key.
        assert!(opened(&mut srtp.opener, &sealed(&mut Sealer::new(&keys(3)), 9, 8)).is_ok());
    }
}

#[test]
fn what_has_no_room_or_is_no_packet_is_not_sealed() {
    let (mut sealer, _) = pair(Suite::AesCm128Sha1_80);
    let (mut bytes, length) = packet(1, 7);
    assert_eq!(sealer.rtp(&mut bytes[..length + 9], length), None);
    assert_eq!(sealer.rtp(&mut bytes, 65), None);
    assert_eq!(sealer.rtp(&mut bytes, 11), None);
    assert_eq!(sealer.rtcp(&mut bytes, 7), None);
    assert_eq!(sealer.rtcp(&mut bytes[..length + 13], length), None);
    assert_eq!(sealer.rtp(&mut bytes, usize::MAX), None);
    assert!(sealer.rtp(&mut bytes, length).is_some());
}

#[test]
fn suites_have_the_names_of_their_rfcs_and_keys_their_lengths() {
    for suite in Suite::ALL {
        assert_eq!(Suite::parse(&suite.name().to_lowercase()), Some(suite));
    }
    assert_eq!(Suite::parse("AES_CM_256_HMAC_SHA1_80"), Some(Suite::AesCm256Sha1_80));
    assert_eq!(Suite::parse("F8_128_HMAC_SHA1_80"), None);
    assert_eq!(MasterKey::new(Suite::AesCm128Sha1_80, &[1; 29]), None);
    assert_eq!(MasterKey::new(Suite::AesCm256Sha1_80, &[1; 30]), None);
    assert_eq!(format!("{:?}", master_128(Suite::AesCm128Sha1_80)), "«secret»");
}
