//! The vectors of RFC 5769, checks as they come, and what proves nothing.

use super::*;
use rand::{Rng, SeedableRng, rngs::StdRng};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

fn ice() -> Ice {
    Ice { ufrag: "evtj".to_owned(), password: PASSWORD.to_owned(), their_ufrag: Some("h6vY".to_owned()) }
}

fn from() -> SocketAddr {
    "192.0.2.1:32853".parse().unwrap()
}

/// A signed request with these attributes between header and signature.
fn request(attributes: &[(u16, &[u8])], password: &str) -> Vec<u8> {
    let mut out = [0; 512];
    let mut reply = Reply { out: &mut out, length: 0, transaction: *b"transaction!" };
    reply.begin(BINDING_REQUEST);
    for (kind, value) in attributes {
        reply.attribute(*kind, value);
    }
    let length = reply.sign(&Ice { password: password.to_owned(), ..ice() });
    out[..length].to_vec()
}

fn answered(datagram: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut out = [0; MOST_ANSWER_BYTES];
    answer(datagram, from(), &ice(), &mut out).map(|stun| (out[..stun.length].to_vec(), stun.nominated))
}

/// RFC 5769 §2.1, from a side that believes it is not in control.
const SAMPLE: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74\
                      002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020\
                      000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";

#[test]
fn the_request_of_rfc_5769_is_believed_and_answered_with_a_conflict_of_roles() {
    let (answer, nominated) = answered(&bytes(SAMPLE)).unwrap();
    assert_eq!((half(&answer, 0), &answer[8..20]), (Some(BINDING_ERROR), &bytes("b7e7a701bc34d686fa87dfae")[..]));
    assert_eq!((half(&answer, 20), &answer[24..28]), (Some(ERROR_CODE), &[0, 0, 4, 87][..]));
    assert!(!nominated);
}

#[test]
fn the_mapped_address_is_hidden_as_in_rfc_5769() {
    for (address, expected) in [
        ("192.0.2.1:32853", "002000080001a147e112a643"),
        ("[2001:db8:1234:5678:11:2233:4455:6677]:32853", "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"),
    ] {
        let mut out = [0; MOST_ANSWER_BYTES];
        let transaction = bytes("b7e7a701bc34d686fa87dfae").try_into().unwrap();
        let mut reply = Reply { out: &mut out, length: 0, transaction };
        reply.mapped_address(address.parse().unwrap());
        let length = reply.length;
        assert_eq!(out[..length], bytes(expected), "{address}");
    }
    // A dual-stack socket shows IPv4 as IPv6.
    let mut out = [0; MOST_ANSWER_BYTES];
    let check = request(&[(USERNAME, b"evtj:h6vY")], PASSWORD);
    answer(&check, "[::ffff:192.0.2.1]:9".parse().unwrap(), &ice(), &mut out).unwrap();
    assert_eq!(out[24..26], [0, 1]);
}

#[test]
fn checks_are_answered_and_signed_and_a_nomination_is_reported() {
    let plain: &[(u16, &[u8])] = &[(PRIORITY, &[1; 4]), (USERNAME, b"evtj:h6vY"), (0x802A, &[1; 8])];
    let nominating = [plain, &[(USE_CANDIDATE, &[])]].concat();
    for (attributes, expected) in [(plain, false), (&nominating, true)] {
        let (answer, nominated) = answered(&request(attributes, PASSWORD)).unwrap();
        assert_eq!(nominated, expected);
        assert_eq!((half(&answer, 0), &answer[8..20]), (Some(BINDING_SUCCESS), &b"transaction!"[..]));
        assert_eq!(usize::from(half(&answer, 2).unwrap()) + HEADER_BYTES, answer.len());
        // Signed as requests are.
        let at = answer.len() - 8 - 24;
        assert_eq!(half(&answer, at), Some(MESSAGE_INTEGRITY));
        assert!(is_signed(&answer, at, &answer[at + 4..at + 24], &ice()));
        assert_eq!(word(&answer, answer.len() - 4), Some(crc32(&answer[..answer.len() - 8]) ^ FINGERPRINT_XOR));
    }
}

#[test]
fn what_has_to_be_understood_and_is_not_is_named() {
    let check = request(&[(USERNAME, b"evtj:h6vY"), (0x0033, &[1; 3]), (0x8033, &[1]), (0x0034, &[])], PASSWORD);
    let (answer, nominated) = answered(&check).unwrap();
    assert_eq!((&answer[24..28], nominated), (&[0, 0, 4, 20][..], false));
    assert_eq!(answer[28..36], [0, 0x0A, 0, 4, 0, 0x33, 0, 0x34]);
    let many: Vec<(u16, &[u8])> =
        (0..40).map(|n| (0x0040 + n, &[][..])).chain([(USERNAME, &b"evtj:h6vY"[..])]).collect();
    assert!(answered(&request(&many, PASSWORD)).is_some());
}

#[test]
fn who_proves_nothing_gets_no_answer() {
    let check = request(&[(USERNAME, b"evtj:h6vY")], PASSWORD);
    assert!(answered(&check).is_some());
    let rows = [
        ("another password", request(&[(USERNAME, b"evtj:h6vY")], "another")),
        ("another name", request(&[(USERNAME, b"evtk:h6vY")], PASSWORD)),
        ("another name of theirs", request(&[(USERNAME, b"evtj:h6vZ")], PASSWORD)),
        ("no colon", request(&[(USERNAME, b"evtjh6vY")], PASSWORD)),
        ("no text", request(&[(USERNAME, &[0xFF, 0xFE])], PASSWORD)),
        ("no name", request(&[], PASSWORD)),
        ("no signature", {
            let mut unsigned = check[..HEADER_BYTES + 16].to_vec();
            unsigned[3] = 16;
            unsigned
        }),
        ("cut off", check[..check.len() - 1].to_vec()),
        ("too long", request(&[(USERNAME, b"evtj:h6vY")], PASSWORD).into_iter().chain([0; 600]).collect()),
        ("nothing", Vec::new()),
    ];
    for (name, datagram) in rows {
        assert_eq!(answered(&datagram), None, "{name}");
    }
    let unknown_yet = Ice { their_ufrag: None, ..ice() };
    assert!(answer(&request(&[(USERNAME, b"evtj:any")], PASSWORD), from(), &unknown_yet, &mut [0; 128]).is_some());
    assert!(answer(&check, from(), &ice(), &mut [0; 127]).is_none());
}

#[test]
fn no_change_of_a_check_is_believed_and_no_bytes_panic() {
    let check = request(&[(PRIORITY, &[1; 4]), (USERNAME, b"evtj:h6vY"), (USE_CANDIDATE, &[])], PASSWORD);
    let mut random = StdRng::seed_from_u64(5769);
    for _ in 0..50_000 {
        let mut changed = check.clone();
        // All but the fingerprint, which may be missing.
        let at = random.random_range(0..changed.len() - 8);
        changed[at] ^= 1 << random.random_range(0..8);
        assert_eq!(answered(&changed), None, "byte {at}");
        let mut noise: Vec<u8> = (0..random.random_range(0..200)).map(|_| random.random()).collect();
        if noise.len() >= HEADER_BYTES {
            noise[..2].copy_from_slice(&[0, 1]);
            let length = (noise.len() - HEADER_BYTES) as u16;
            noise[2..4].copy_from_slice(&length.to_be_bytes());
            noise[4..8].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
        }
        assert_eq!(answered(&noise), None);
    }
}

#[test]
fn stun_is_told_from_rtp_and_the_checksum_is_the_usual_one() {
    assert!(is_stun(&bytes(SAMPLE)));
    assert!(!is_stun(&[0x80; 30]) && !is_stun(&[0, 1]) && !is_stun(&[0; 30]));
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}
