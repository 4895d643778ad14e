//! Whom and what a receiver listens to, what it hears, what it counts.

use super::*;
use crate::audio::g711::Law;
use crate::audio::level::rms_dbov;
use crate::audio::tone;
use crate::rtp::Codec;
use crate::rtp::Sender;
use crate::rtp::sender::MAX_PACKET_BYTES;
use crate::time::{Clock, SystemClock};
use rand::{Rng, SeedableRng, rngs::StdRng};

const PEER: &str = "192.0.2.7:4000";
/// Another port of the same host.
const NEIGHBOUR: &str = "192.0.2.7:9998";
const STRANGER: &str = "198.51.100.66:4000";

fn params() -> StreamParams {
    StreamParams {
        remote: Some(PEER.parse().unwrap()),
        codec: Codec::Pcmu,
        payload_type: 0,
        telephone_event: Some(101),
        ptime_ms: 20,
        send: true,
        receive: true,
        ..StreamParams::default()
    }
}

/// A receiver with its own clock in milliseconds.
struct Ear {
    zero: Instant,
    receiver: Receiver,
}

impl Ear {
    fn new(params: &StreamParams) -> Self {
        Self { zero: SystemClock.now().mono, receiver: Receiver::new(params, ReceiverConfig::default()) }
    }

    fn bytes(&mut self, datagram: &[u8], source: &str, ms: u64) -> Accepted {
        let arrived = self.zero + Duration::from_millis(ms);
        self.receiver.accept(datagram, source.parse().unwrap(), arrived)
    }

    /// 20 ms of µ-law from `source`, number and time `n`.
    fn packet(&mut self, n: u16, ssrc: u32, source: &str) -> Accepted {
        self.typed(0, n, ssrc, source, &[0x80; 160])
    }

    fn typed(&mut self, payload_type: u8, n: u16, ssrc: u32, source: &str, payload: &[u8]) -> Accepted {
        let timestamp = u32::from(n) * 160;
        let packet = Packet { marker: false, payload_type, sequence: n, timestamp, ssrc, payload };
        let mut datagram = [0; 4_096];
        let length = packet.write(&mut datagram).unwrap();
        self.bytes(&datagram[..length], source, u64::from(n) * 20)
    }

    fn pull(&mut self, ms: u64) -> (Pulled, [i16; FRAME_8K]) {
        let mut frame = [1; FRAME_8K];
        let pulled = self.receiver.pull(self.zero + Duration::from_millis(ms), &mut frame);
        (pulled, frame)
    }
}

const fn latched(source: SocketAddr) -> Accepted {
    Accepted::Latched(source)
}

const fn refused(refusal: Refusal) -> Accepted {
    Accepted::Refused(refusal)
}

#[test]
fn the_signalled_address_latches_with_its_first_packet_and_strangers_are_refused() {
    let mut ear = Ear::new(&params());
    assert_eq!(ear.packet(0, 1, PEER), latched(PEER.parse().unwrap()));
    assert_eq!(ear.packet(1, 1, PEER), Accepted::Ok);
    for n in 2..10 {
        assert_eq!(ear.packet(n, 1, STRANGER), refused(Refusal::WrongSource));
        assert_eq!(ear.packet(n, 1, NEIGHBOUR), refused(Refusal::WrongSource));
    }
    assert_eq!(ear.receiver.stats().refused, 16);
    assert_eq!(ear.receiver.latched(), Some(PEER.parse().unwrap()));
}

#[test]
fn another_port_of_the_same_host_may_be_another_call_and_is_believed_like_any_stranger() {
    let mut ear = Ear::new(&params());
    // Noise, and the tail of a call that had this port before.
    for n in [7, 20, 3] {
        assert_eq!(ear.packet(n, 5, NEIGHBOUR), refused(Refusal::WrongSource));
    }
    assert_eq!(ear.packet(0, 1, PEER), latched(PEER.parse().unwrap()));
    assert_eq!(ear.packet(4, 5, NEIGHBOUR), refused(Refusal::WrongSource));
    // A NAT that moved the port.
    let mut ear = Ear::new(&params());
    assert_eq!(ear.packet(0, 1, NEIGHBOUR), refused(Refusal::WrongSource));
    assert_eq!(ear.packet(1, 1, NEIGHBOUR), refused(Refusal::WrongSource));
    assert_eq!(ear.packet(2, 1, NEIGHBOUR), latched(NEIGHBOUR.parse().unwrap()));
}

#[test]
fn behind_a_nat_the_third_packet_in_a_row_latches() {
    let mut ear = Ear::new(&params());
    assert_eq!(ear.packet(0, 1, STRANGER), refused(Refusal::WrongSource));
    assert_eq!(ear.packet(5, 1, STRANGER), refused(Refusal::WrongSource));
    assert_eq!(ear.packet(6, 1, STRANGER), refused(Refusal::WrongSource));
    assert_eq!(ear.packet(7, 1, STRANGER), latched(STRANGER.parse().unwrap()));
}

#[test]
fn a_path_that_delivers_everything_twice_latches_and_follows_another_stream_as_any_other_does() {
    let mut ear = Ear::new(&params());
    for n in [0, 0, 1, 1] {
        assert_eq!(ear.packet(n, 1, STRANGER), refused(Refusal::WrongSource));
    }
    assert_eq!(ear.packet(2, 1, STRANGER), latched(STRANGER.parse().unwrap()));
    assert_eq!(ear.packet(2, 1, STRANGER), Accepted::Ok);
    for n in [3, 3, 4, 4] {
        assert_eq!(ear.packet(n, 2, STRANGER), refused(Refusal::WrongSsrc));
    }
    assert_eq!(ear.packet(5, 2, STRANGER), Accepted::Ok);
    assert_eq!(ear.receiver.ssrc(), Some(2));
    // One packet repeated proves nothing.
    let mut ear = Ear::new(&params());
    (0..9).for_each(|_| assert_eq!(ear.packet(0, 1, STRANGER), refused(Refusal::WrongSource)));
}

#[test]
fn the_signalled_address_takes_the_latch_back_from_a_stranger() {
    let mut ear = Ear::new(&params());
    for n in 0..3 {
        ear.packet(n, 1, STRANGER);
    }
    assert_eq!(ear.packet(3, 9, PEER), latched(PEER.parse().unwrap()));
    assert_eq!(ear.packet(3, 1, STRANGER), refused(Refusal::WrongSource));
}

#[test]
fn before_a_late_offer_is_answered_the_first_packet_latches_and_the_answer_confirms_or_corrects() {
    let mut ear = Ear::new(&StreamParams { remote: None, ..params() });
    assert_eq!(ear.packet(0, 1, STRANGER), latched(STRANGER.parse().unwrap()));
    ear.receiver.renegotiate(&params());
    assert_eq!(ear.packet(1, 1, PEER), latched(PEER.parse().unwrap()));
    ear.receiver.renegotiate(&params());
    assert_eq!(ear.packet(2, 1, STRANGER), refused(Refusal::WrongSource));
}

#[test]
fn one_stray_packet_before_the_answer_neither_gets_our_sound_nor_keeps_the_far_end_out() {
    let unanswered = StreamParams { remote: None, ..params() };
    let mut ear = Ear::new(&unanswered);
    ear.packet(0, 66, STRANGER);
    ear.receiver.renegotiate(&params());
    assert_eq!(ear.receiver.destination(), Some(PEER.parse().unwrap()));
    // The far end's sound comes from a port that a NAT gave it.
    assert_eq!(ear.packet(0, 1, NEIGHBOUR), refused(Refusal::WrongSource));
    assert_eq!(ear.packet(1, 1, NEIGHBOUR), refused(Refusal::WrongSource));
    assert_eq!(ear.packet(2, 1, NEIGHBOUR), latched(NEIGHBOUR.parse().unwrap()));
    assert_eq!(ear.receiver.destination(), Some(NEIGHBOUR.parse().unwrap()));
    assert_eq!(ear.packet(1, 66, STRANGER), refused(Refusal::WrongSource));
    // One that spoke before its answer came proves itself by going on.
    let mut ear = Ear::new(&unanswered);
    ear.packet(0, 1, NEIGHBOUR);
    ear.receiver.renegotiate(&params());
    (1..=10).for_each(|n| assert_eq!(ear.packet(n, 1, NEIGHBOUR), Accepted::Ok));
    assert_eq!(ear.receiver.destination(), Some(NEIGHBOUR.parse().unwrap()));
}

#[test]
fn an_ipv4_peer_on_a_dual_stack_socket_is_itself() {
    let mut ear = Ear::new(&params());
    assert_eq!(ear.packet(0, 1, "[::ffff:192.0.2.7]:4000"), latched("[::ffff:192.0.2.7]:4000".parse().unwrap()));
}

#[test]
fn another_stream_takes_over_after_three_packets_in_a_row_or_a_silence() {
    let mut ear = Ear::new(&params());
    for n in 0..5 {
        ear.packet(n, 1, PEER);
    }
    assert_eq!(ear.packet(5, 2, PEER), refused(Refusal::WrongSsrc));
    assert_eq!(ear.packet(6, 2, PEER), refused(Refusal::WrongSsrc));
    assert_eq!(ear.packet(7, 2, PEER), Accepted::Ok);
    assert_eq!(ear.receiver.ssrc(), Some(2));
    // 220 ms later a third one is believed at once.
    assert_eq!(ear.packet(18, 3, PEER), Accepted::Ok);
    assert_eq!(ear.receiver.ssrc(), Some(3));
}

#[test]
fn two_streams_mixed_up_do_not_chop_each_other() {
    let mut ear = Ear::new(&params());
    let taken: Vec<bool> = (0..40).map(|n| ear.packet(n / 2, 1 + u32::from(n % 2), PEER) == Accepted::Ok).collect();
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 19, "the first of 20 latched, 19 followed");
    assert_eq!(ear.receiver.ssrc(), Some(1));
}

#[test]
fn what_is_not_for_us_is_refused_with_its_reason() {
    let mut ear = Ear::new(&params());
    ear.packet(0, 1, PEER);
    assert_eq!(ear.typed(18, 1, 2, PEER, &[0; 20]), refused(Refusal::UnknownPayloadType));
    assert_eq!(ear.typed(0, 1, 1, PEER, &[0; 1_601]), refused(Refusal::Oversized));
    assert_eq!(ear.typed(0, 1, 1, PEER, &[0; 2_048]), refused(Refusal::Oversized));
    assert_eq!(ear.typed(101, 1, 1, PEER, &[1, 2, 3]), refused(Refusal::Malformed));
    assert_eq!(ear.bytes(b"not rtp", PEER, 20), refused(Refusal::Malformed));
    assert_eq!(ear.bytes(&[0x00; 40], PEER, 20), refused(Refusal::Malformed));
    assert_eq!(ear.typed(0, 30_000, 1, PEER, &[0; 160]), refused(Refusal::WildSequence));
    assert_eq!(ear.bytes(&[0x80, 200, 0, 6, 0, 0, 0, 1], PEER, 20), Accepted::Rtcp);
    assert_eq!(ear.bytes(&[0x80, 200, 0, 6, 0, 0, 0, 1], STRANGER, 20), refused(Refusal::WrongSource));
    assert_eq!(ear.typed(13, 1, 1, PEER, &[60]), Accepted::Ok);
    assert_eq!((ear.receiver.stats().received, ear.receiver.stats().refused), (2, 8));
}

#[test]
fn what_was_not_negotiated_is_not_heard_and_its_number_is_not_missing() {
    let mut ear = Ear::new(&params());
    assert_eq!(ear.typed(19, 0, 1, PEER, &[60]), refused(Refusal::UnknownPayloadType), "it makes nobody the far end");
    let mut pulled = Vec::new();
    for n in 0..40 {
        // A pause with a keep-alive, comfort noise of old, and an event of another number in it.
        let accepted = match n {
            10..13 => ear.typed([127, 19, 96][usize::from(n) - 10], n, 1, PEER, &[]),
            _ => ear.packet(n, 1, PEER),
        };
        assert_eq!(accepted == Accepted::PassedOver, (10..13).contains(&n), "packet {n}: {accepted:?}");
        pulled.push(ear.pull(u64::from(n) * 20 + 5).0);
    }
    assert_eq!(ear.typed(19, 40, 2, PEER, &[60]), refused(Refusal::UnknownPayloadType), "nor a stream the one heard");
    assert_eq!(ear.typed(19, 40, 1, STRANGER, &[60]), refused(Refusal::UnknownPayloadType));
    assert_eq!(ear.receiver.ssrc(), Some(1));
    assert!(!pulled.contains(&Pulled::Concealed), "{pulled:?}");
    let stats = ear.receiver.stats();
    assert_eq!((stats.received, stats.expected, stats.lost, stats.refused), (37, 40, 0, 6));
}

#[test]
fn sound_sent_is_sound_heard_at_every_packet_length_in_both_laws() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        for ptime_ms in [10, 20, 30, 40, 60] {
            let payload_type = if codec == Codec::Pcmu { 0 } else { 8 };
            let params = StreamParams { codec, payload_type, ptime_ms, ..params() };
            let mut ear = Ear::new(&params);
            let mut sender = Sender::new(&params, 0xFEED_F00D_0000_FFF0);
            let sent = tone::sine(350.0, -12.0, 2_400, 8_000).samples;
            let mut heard = Vec::new();
            let mut datagram = [0; MAX_PACKET_BYTES];
            for (tick, frame) in sent.chunks_exact(FRAME_8K).enumerate() {
                let ms = tick as u64 * 20;
                sender.push_frame(frame.try_into().unwrap());
                while let Some(length) = sender.poll_packet(&mut datagram) {
                    let accepted = ear.bytes(&datagram[..length], PEER, ms);
                    assert!(matches!(accepted, Accepted::Ok | Accepted::Latched(_)));
                }
                let (pulled, frame) = ear.pull(ms + 7);
                match pulled {
                    Pulled::Audio => heard.extend(frame),
                    Pulled::Silence => assert!(heard.is_empty() && frame == [0; FRAME_8K]),
                    Pulled::Concealed | Pulled::Noise => panic!("{codec:?}, {ptime_ms} ms: nothing was lost"),
                }
            }
            assert!(heard.len() > 17_000, "{codec:?}, {ptime_ms} ms: {} samples", heard.len());
            let law = codec.law().unwrap();
            for (at, (&heard, &sent)) in heard.iter().zip(&sent).enumerate() {
                assert_eq!(heard, law.decode(law.encode(sent)), "{codec:?}, {ptime_ms} ms, sample {at}");
            }
            assert!(ear.receiver.stats().jitter_ms < 20.0);
        }
    }
}

#[test]
fn each_packet_is_decoded_by_its_own_type_whichever_we_send() {
    // 110 is their number for the codec we send.
    for (codec, payload_type) in [(Codec::Pcmu, 0), (Codec::Pcma, 8), (Codec::Pcmu, 110), (Codec::Pcma, 110)] {
        let mut ear = Ear::new(&StreamParams { codec, payload_type, ..params() });
        let types = [(0, Law::Mu), (8, Law::A), (payload_type, codec.law().unwrap())];
        let mut heard = Vec::new();
        for n in 0..30 {
            let (payload_type, law) = types[usize::from(n) % 3];
            let payload = [law.encode(i16::from(n as u8) * 300); 160];
            assert!(matches!(ear.typed(payload_type, n, 1, PEER, &payload), Accepted::Ok | Accepted::Latched(_)));
            let (pulled, frame) = ear.pull(u64::from(n) * 20 + 5);
            if pulled == Pulled::Audio {
                heard.push(frame);
            }
        }
        assert!(heard.len() > 20, "{codec:?} as {payload_type}: {} frames", heard.len());
        for (n, frame) in heard.iter().enumerate() {
            let law = types[n % 3].1;
            let sample = law.decode(law.encode(n as i16 * 300));
            assert_eq!(*frame, [sample; FRAME_8K], "{codec:?} as {payload_type}, packet {n}");
        }
    }
}

#[test]
fn a_lost_packet_is_made_up_and_counted() {
    let mut ear = Ear::new(&params());
    let mut sender = Sender::new(&params(), 7);
    let mut datagram = [0; MAX_PACKET_BYTES];
    let mut pulled = Vec::new();
    for (n, frame) in tone::sine(200.0, -20.0, 600, 8_000).samples.chunks_exact(FRAME_8K).enumerate() {
        sender.push_frame(frame.try_into().unwrap());
        let length = sender.poll_packet(&mut datagram).unwrap();
        if n != 12 {
            ear.bytes(&datagram[..length], PEER, n as u64 * 20);
        }
        pulled.push(ear.pull(n as u64 * 20 + 5));
    }
    let concealed: Vec<usize> = (0..pulled.len()).filter(|&n| pulled[n].0 == Pulled::Concealed).collect();
    assert_eq!(concealed.len(), 1);
    assert!((rms_dbov(&pulled[concealed[0]].1) + 20.0).abs() < 2.0);
    let stats = ear.receiver.stats();
    assert_eq!((stats.received, stats.lost, stats.concealed, stats.late), (29, 1, 1, 0));
}

#[test]
fn what_was_sent_while_we_held_them_is_not_lost() {
    let mut ear = Ear::new(&params());
    (0..20).for_each(|n| _ = ear.packet(n, 1, PEER));
    ear.receiver.renegotiate(&StreamParams { receive: false, ..params() });
    ear.receiver.renegotiate(&params());
    let mut pulled = Vec::new();
    for n in 1_000..1_020 {
        assert_eq!(ear.packet(n, 1, PEER), Accepted::Ok);
        pulled.push(ear.pull(u64::from(n) * 20 + 5).0);
    }
    let stats = ear.receiver.stats();
    assert_eq!((stats.received, stats.expected, stats.lost), (40, 40, 0));
    assert_eq!((stats.ssrc_changes, stats.jumps, ear.receiver.extended_highest()), (0, 0, 1_019));
    assert_eq!(ear.receiver.runs().0.lost, 0);
    // Another agreement that is no hold hides no loss.
    ear.receiver.renegotiate(&params());
    ear.packet(1_030, 1, PEER);
    assert_eq!(ear.receiver.stats().lost, 10);
}

#[test]
fn keys_are_reported_once_with_the_arrival_of_their_first_packet_and_leave_the_sound_in_order() {
    let mut ear = Ear::new(&params());
    for n in 0..10 {
        ear.packet(n, 1, PEER);
    }
    // The key's packets share a timestamp, so they are written by hand.
    for n in 10..18u16 {
        let payload = [4, if n >= 15 { 0x8A } else { 0x0A }, 0, 160];
        let packet =
            Packet { marker: n == 10, payload_type: 101, sequence: n, timestamp: 1_600, ssrc: 1, payload: &payload };
        let mut datagram = [0; 64];
        let length = packet.write(&mut datagram).unwrap();
        assert_eq!(ear.bytes(&datagram[..length], PEER, u64::from(n) * 20), Accepted::Ok);
    }
    let at = ear.zero + Duration::from_millis(200);
    assert_eq!(ear.receiver.poll_digit(), Some((Digit::new('4').unwrap(), at)));
    assert_eq!(ear.receiver.poll_digit(), None);
    assert_eq!(ear.receiver.stats().lost, 0);
    assert_eq!(ear.receiver.last_packet_at(), Some(ear.zero + Duration::from_millis(340)));
}

#[test]
fn keys_are_heard_under_every_number_that_was_agreed_on() {
    let mut ear = Ear::new(&params());
    let agreed = StreamParams { telephone_event: Some(110), more_events: vec![(101, 8_000)], ..params() };
    ear.receiver.renegotiate(&agreed);
    ear.packet(0, 1, PEER);
    assert_eq!(ear.typed(101, 1, 1, PEER, &[5, 10, 0, 160]), Accepted::Ok);
    assert_eq!(ear.typed(110, 40, 1, PEER, &[6, 10, 3, 192]), Accepted::Ok);
    let keys: String = std::iter::from_fn(|| ear.receiver.poll_digit()).map(|(key, _)| key.face()).collect();
    assert_eq!(keys, "56");
    ear.receiver.renegotiate(&params());
    assert_eq!(ear.typed(110, 41, 1, PEER, &[6, 10, 3, 192]), Accepted::PassedOver);
}

#[test]
fn a_key_in_a_stream_of_its_own_is_heard_and_the_sound_goes_on() {
    let mut ear = Ear::new(&params());
    for n in 0..5 {
        ear.packet(n, 1, PEER);
    }
    assert_eq!(ear.typed(101, 700, 99, PEER, &[11, 0x0A, 0, 160]), Accepted::Ok);
    assert_eq!(ear.receiver.poll_digit().map(|(digit, _)| digit.face()), Some('#'));
    assert_eq!(ear.receiver.ssrc(), Some(1));
    assert_eq!(ear.packet(5, 1, PEER), Accepted::Ok);
}

#[test]
fn duplicates_and_jitter_are_counted() {
    let mut ear = Ear::new(&params());
    let mut expected = 0.0f64;
    for n in 0..100u16 {
        // Every other packet is 8 ms late: each difference is 8 ms.
        let packet = Packet {
            marker: false,
            payload_type: 0,
            sequence: n,
            timestamp: u32::from(n) * 160,
            ssrc: 1,
            payload: &[0; 160],
        };
        let mut datagram = [0; 256];
        let length = packet.write(&mut datagram).unwrap();
        let ms = u64::from(n) * 20 + u64::from(n % 2) * 8;
        ear.bytes(&datagram[..length], PEER, ms);
        ear.bytes(&datagram[..length], PEER, ms);
        if n > 0 {
            expected += (8.0 - expected) / 16.0;
        }
    }
    let stats = ear.receiver.stats();
    assert_eq!((stats.duplicates, stats.lost), (100, 0));
    assert!((stats.jitter_ms - expected).abs() < 0.01, "{} instead of {expected}", stats.jitter_ms);
}

#[test]
fn thousands_of_hostile_datagrams_change_nothing_for_the_caller() {
    let mut random = StdRng::seed_from_u64(0xDEAD);
    let mut ear = Ear::new(&params());
    let mut heard = 0;
    for n in 0..500u16 {
        ear.packet(n, 1, PEER);
        for _ in 0..20 {
            let mut datagram = vec![0u8; random.random_range(0..300)];
            random.fill(&mut datagram[..]);
            if let [flags, kind, ..] = &mut datagram[..]
                && random.random()
            {
                (*flags, *kind) = (0x80 | (*flags & 0x3F), [0, 101, 13][random.random_range(0..3)]);
            }
            // From a stranger; and from the far end itself, but as another stream (its bytes are random).
            let source = if random.random() { STRANGER } else { PEER };
            ear.bytes(&datagram, source, u64::from(n) * 20);
        }
        heard += u32::from(ear.pull(u64::from(n) * 20 + 9).0 == Pulled::Audio);
        while ear.receiver.poll_digit().is_some() {}
    }
    assert!(heard >= 495, "{heard} of 500 frames");
    assert_eq!(ear.receiver.stats().lost, 0);
}

#[test]
fn a_silence_that_the_far_end_describes_sounds_like_it() {
    let mut ear = Ear::new(&params());
    let loud = [Law::Mu.encode(8_000); 160];
    for n in 0..10 {
        ear.typed(0, n, 1, PEER, &loud);
        ear.pull(u64::from(n) * 20 + 5);
    }
    ear.typed(13, 10, 1, PEER, &[55]);
    let mut noisy = 0;
    for tick in 10..60_u64 {
        let (pulled, frame) = ear.pull(tick * 20 + 5);
        assert_ne!(pulled, Pulled::Concealed, "it was announced");
        if pulled == Pulled::Noise && (rms_dbov(&frame) + 55.0).abs() < 1.5 {
            noisy += 1;
        }
    }
    assert!(noisy > 40, "{noisy} frames of noise");
    // Sound again, and then nothing: the noise is over.
    for n in 60..70 {
        ear.typed(0, n, 1, PEER, &loud);
        ear.pull(u64::from(n) * 20 + 5);
    }
    for tick in 70..90_u64 {
        ear.pull(tick * 20 + 5);
    }
    assert_eq!(ear.pull(1_805).0, Pulled::Silence);
}

#[test]
fn what_is_taken_goes_by_our_numbers_for_every_codec_we_offered() {
    let types = vec![(111, Codec::Opus), (18, Codec::G729), (9, Codec::G722), (0, Codec::Pcmu)];
    let params = StreamParams { codec: Codec::G722, payload_type: 96, receive_types: types, ..params() };
    let mut ear = Ear::new(&params);
    let offered = [
        (111, Codec::Opus),
        (18, Codec::G729),
        (111, Codec::Opus),
        (9, Codec::G722),
        (18, Codec::G729),
        (0, Codec::Pcmu),
        (8, Codec::Pcma),
        (96, Codec::G722),
    ];
    let mut n = 0;
    for (payload_type, codec) in offered {
        let params = StreamParams { codec, payload_type, ..StreamParams::default() };
        let mut sender = Sender::new(&params, 42);
        let (mut datagram, mut loudest) = ([0; MAX_PACKET_BYTES], f32::MIN);
        for frame in tone::sine(400.0, -20.0, 800, 8_000).samples.chunks_exact(FRAME_8K) {
            sender.push_frame(frame.try_into().unwrap());
            let length = sender.poll_packet(&mut datagram).unwrap();
            let packet = Packet::parse(&datagram[..length]).unwrap();
            let timestamp = u32::from(n) * 160 * (codec.clock_rate_hz() / 8_000);
            let packet = Packet { ssrc: 1, sequence: n, timestamp, ..packet };
            let mut again = [0; MAX_PACKET_BYTES];
            let length = packet.write(&mut again).unwrap();
            let accepted = ear.bytes(&again[..length], PEER, u64::from(n) * 20);
            assert!(matches!(accepted, Accepted::Ok | Accepted::Latched(_)), "{codec}: {accepted:?}");
            loudest = loudest.max(rms_dbov(&ear.pull(u64::from(n) * 20 + 5).1));
            n += 1;
        }
        assert_eq!(ear.receiver.codec(), codec);
        assert!((loudest + 20.0).abs() < 2.0, "{codec} as {payload_type}: {loudest} dBov");
    }
    assert_eq!((ear.receiver.stats().lost, ear.receiver.stats().refused), (0, 0));
}

#[test]
fn what_a_stream_does_wrong_is_counted() {
    let mut ear = Ear::new(&params());
    for n in [0, 1, 3, 2, 4, 4, 5] {
        ear.packet(n, 1, PEER);
    }
    let stats = ear.receiver.stats();
    assert_eq!((stats.reordered, stats.duplicates, stats.lost, stats.expected), (1, 1, 0, 6));
    // The sender starts its numbers anew, which its second packet confirms.
    ear.packet(40_000, 1, PEER);
    ear.packet(40_001, 1, PEER);
    assert_eq!((ear.receiver.stats().jumps, ear.receiver.stats().ssrc_changes), (1, 0));
    for n in 6..9 {
        ear.packet(n, 2, PEER);
    }
    assert_eq!((ear.receiver.stats().jumps, ear.receiver.stats().ssrc_changes), (1, 1));
}
