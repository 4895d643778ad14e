//! Two ends: codecs, encryption, keys pressed, connectivity checks.

use super::*;

#[test]
fn keys_are_sent_as_events_while_the_prompt_waits() {
    let mut leg = Leg::new(StreamParams { send_event: Some(96), ..params() });
    leg.play(1, &hum(60), BargeIn::Off);
    let keys = ['1', '#'].map(|face| Digit::new(face).expect("a key")).to_vec();
    leg.session.command(MediaCommand::SendKeys { keys, tone_ms: 100, gap_ms: 60 }, leg.now);
    leg.ticks(40);
    assert_eq!(leg.events, ["keys sent", "started 1", "Completed 1 60/60"]);
    let events = leg.sent.iter().filter_map(|bytes| {
        let packet = Packet::parse(bytes).expect("we send RTP");
        (packet.payload_type == 96).then(|| packet.payload[0])
    });
    let mut events: Vec<u8> = events.collect();
    events.dedup();
    assert_eq!(events, [1, 11]);
}

#[test]
fn a_prompt_whose_end_is_silence_finishes_in_time_where_silence_is_not_sent() {
    let opus = OpusParams { dtx: true, ..OpusParams::default() };
    let mut leg = Leg::new(StreamParams { codec: Codec::Opus, payload_type: 111, opus, ..params() });
    // Opus sends a packet of silence now and then: whichever frame is the last, its end is told in that tick.
    for play in 1..=20 {
        leg.play(play, &vec![QUIET; 30 + play as usize], BargeIn::Off);
        leg.ticks(30 + play as usize);
        let total = 20 * (30 + play);
        assert_eq!(leg.events.last(), Some(&format!("Completed {play} {total}/{total}")));
    }
    assert!(leg.sent.len() < 200, "{} packets", leg.sent.len());
}

#[test]
fn keys_that_nobody_takes_are_over_at_once() {
    let mut leg = Leg::new(params());
    let keys = vec![Digit::new('1').expect("a key")];
    leg.session.command(MediaCommand::SendKeys { keys, tone_ms: 100, gap_ms: 60 }, leg.now);
    leg.tick(0);
    assert_eq!(leg.events, ["keys sent"]);
}

fn keys_of(ours: u8, theirs: u8) -> Keys {
    let suite = Suite::AesCm256Sha1_80;
    let key = |byte: u8| MasterKey::new(suite, &vec![byte; suite.key_bytes()]).expect("as long as it must be");
    Keys { suite, ours: key(ours), theirs: key(theirs) }
}

/// Everything one leg sends reaches the other, and comes as if from where it is expected.
fn talk(one: &mut Leg, other: &mut Leg, ticks: usize) {
    for _ in 0..ticks {
        one.tick(0);
        for mut packet in std::mem::take(&mut one.sent) {
            other.session.on_datagram(&mut packet, far_end(), other.now, &mut |_, _| true);
        }
        other.tick(0);
    }
}

#[test]
fn two_legs_hear_each_other_in_every_codec_sealed_and_not() {
    for codec in Codec::ALL {
        for sealed in [false, true] {
            let payload_type = codec.static_type().unwrap_or(111);
            let agreed = StreamParams { codec, payload_type, receive_types: vec![(payload_type, codec)], ..params() };
            let keyed = |ours, theirs| sealed.then(|| Box::new(keys_of(ours, theirs)));
            let mut one = Leg::new(StreamParams { security: keyed(1, 2), ..agreed.clone() });
            let mut other = Leg::new(StreamParams { security: keyed(2, 1), ..agreed });
            one.play(1, &hum(1_000), BargeIn::Off);
            talk(&mut one, &mut other, 60);
            let chunk = other.recorded.read_chunk(other.recorded.slots()).expect("it recorded");
            let heard: Vec<i16> = chunk.into_iter().map(|[left, _]| left).collect();
            let level = rms_dbov(&heard[4_000..7_000]);
            assert!((level + 20.0).abs() < 1.5, "{codec}, sealed: {sealed}: heard at {level} dBov");
            let summary = other.session.into_summary();
            assert_eq!((summary.packets_in, summary.refused, summary.codec), (60, 0, Some(codec)));
            assert_eq!(summary.secured.as_deref(), sealed.then_some("AES_256_CM_HMAC_SHA1_80"));
            // G.113: G.729 costs some of it even where nothing is lost.
            let least = if codec == Codec::G729 { 3.9 } else { 4.0 };
            assert!(summary.quality.mos > Some(least), "{codec}: {:?}", summary.quality);
        }
    }
}

#[test]
fn what_is_not_sealed_by_the_far_end_neither_is_heard_nor_latches() {
    let mut leg = Leg::new(StreamParams { security: Some(Box::new(keys_of(1, 2))), ..params() });
    let stranger = SocketAddr::from(([198, 51, 100, 66], 4_000));
    for n in 0..20 {
        let packet = Packet { marker: false, payload_type: 0, sequence: n, timestamp: 0, ssrc: 5, payload: &[0; 160] };
        let mut bytes = [0; 300];
        let length = packet.write(&mut bytes).expect("short packets");
        let from = if n % 2 == 0 { stranger } else { far_end() };
        leg.session.on_datagram(&mut bytes[..length], from, leg.now, &mut |_, _| true);
        let mut report = [0x80, 201, 0, 1, 0, 0, 0, 5];
        leg.session.on_datagram(&mut report, far_end(), leg.now, &mut |_, _| true);
    }
    assert_eq!((leg.session.receiver.latched(), leg.session.quality().rtcp_in), (None, 0));
    assert_eq!(leg.session.into_summary().refused, 40);
}

#[test]
fn what_comes_while_we_hold_them_is_counted_along_so_that_what_follows_can_be_opened() {
    let agreed = StreamParams { security: Some(Box::new(keys_of(1, 2))), ..params() };
    let mut leg = Leg::new(agreed.clone());
    let mut sealer = Sealer::new(&keys_of(2, 1));
    let mut say = |leg: &mut Leg, sequence: u16| {
        let timestamp = u32::from(sequence) * 160;
        let packet = Packet { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5, payload: &[0; 160] };
        let mut bytes = [0; 300];
        let length = packet.write(&mut bytes).expect("short packets");
        let length = sealer.rtp(&mut bytes, length).expect("room behind them");
        leg.session.on_datagram(&mut bytes[..length], far_end(), leg.now, &mut |_, _| true);
    };
    let agree = |leg: &mut Leg, receive| {
        let params = StreamParams { receive, ..agreed.clone() };
        leg.session.command(MediaCommand::Renegotiate { params }, leg.now);
    };
    (0..10).for_each(|n| say(&mut leg, n));
    agree(&mut leg, false);
    // Half an hour, of which these stand for all.
    [20_000, 40_000, 60_000, 14_464, 34_464].into_iter().for_each(|n| say(&mut leg, n));
    agree(&mut leg, true);
    (34_465..34_475).for_each(|n| say(&mut leg, n));
    let summary = leg.session.into_summary();
    assert_eq!((summary.packets_in, summary.lost, summary.refused), (20, 0, 5));
}

#[test]
fn a_changed_key_is_used_from_the_renegotiation_on_and_a_kept_one_goes_on() {
    let sealed = |ours, theirs| StreamParams { security: Some(Box::new(keys_of(ours, theirs))), ..params() };
    let (mut one, mut other) = (Leg::new(sealed(1, 2)), Leg::new(sealed(2, 1)));
    one.play(1, &hum(10_000), BargeIn::Off);
    talk(&mut one, &mut other, 20);
    for (ours, theirs) in [(1, 2), (3, 2), (3, 4)] {
        one.session.command(MediaCommand::Renegotiate { params: sealed(ours, theirs) }, one.now);
        other.session.command(MediaCommand::Renegotiate { params: sealed(theirs, ours) }, other.now);
        talk(&mut one, &mut other, 20);
    }
    let summary = other.session.into_summary();
    assert_eq!((summary.packets_in, summary.refused, summary.lost), (80, 0, 0));
}

#[test]
fn a_connectivity_check_is_answered_and_nobody_elses_is() {
    let ice = Ice { ufrag: "ours".into(), password: "a password of 22 chars".into(), their_ufrag: None };
    let check = |text: &[u8]| {
        // A binding request without any attribute: it proves nothing.
        let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
        bytes.extend(&text[..12]);
        bytes
    };
    let mut leg = Leg::new(StreamParams { ice: Some(Box::new(ice)), ..params() });
    let mut answers = 0;
    leg.session.on_datagram(&mut check(b"transaction!"), far_end(), leg.now, &mut |_, _| {
        answers += 1;
        true
    });
    assert_eq!((answers, leg.session.refused), (0, 1));
    assert_eq!(leg.session.receiver.destination(), Some(far_end()));
}
