//! Two legs joined, and music under prompts.

use super::*;
use crate::media::bridge::bridge;

/// What a far end hears of `frames`, by µ-law twice: what our decoder made of theirs, through our encoder.
fn through_us(frames: &[Frame]) -> Vec<i16> {
    frames.as_flattened().iter().map(|&sample| Law::Mu.decode(Law::Mu.encode(sample))).collect()
}

/// Caller and agent, joined, each of whom has heard 200 ms of nothing.
fn joined(agent: StreamParams) -> (Leg, Leg) {
    let (mut caller, mut agent) = (Leg::new(params()), Leg::new(agent));
    for leg in [&mut caller, &mut agent] {
        leg.hear(&[QUIET; 10]);
    }
    let (one, other) = bridge();
    caller.session.bridge(Box::new(one));
    agent.session.bridge(Box::new(other));
    (caller, agent)
}

/// A beat of both, in the order of a media thread: who is heard first does not matter, both hear before both speak.
fn beat(caller: &mut Leg, agent: &mut Leg, said: &Frame, replied: &Frame) {
    caller.receive(said);
    agent.receive(replied);
    let now = caller.now + FRAME;
    for leg in [&mut *caller, &mut *agent] {
        leg.now = now;
        leg.session.hear_beat(now, 0);
    }
    for leg in [caller, agent] {
        let sent = &mut leg.sent;
        leg.session.speak_beat(now, 0, &mut |_, packet| {
            sent.push(packet.to_vec());
            true
        });
        while let Some(event) = leg.session.poll_event() {
            let name = leg.name(&event);
            leg.events.push(name);
        }
    }
}

fn sound_of(leg: &Leg, from: usize) -> Vec<i16> {
    (from..leg.sent.len()).flat_map(|packet| leg.payload(packet)).collect()
}

fn holds(sound: &[i16], stretch: &[i16]) -> bool {
    sound.windows(stretch.len()).any(|window| window == stretch)
}

#[test]
fn each_says_what_the_other_hears_and_the_recording_goes_on() {
    let (mut caller, mut agent) = joined(params());
    let (said, replied) = (voice(50, 8_000.0), hum(1_000));
    let before = (caller.sent.len(), agent.sent.len());
    for (said, replied) in said.iter().zip(&replied) {
        beat(&mut caller, &mut agent, said, replied);
    }
    for _ in 0..10 {
        beat(&mut caller, &mut agent, &QUIET, &QUIET);
    }
    // The first 5 ms come in softly.
    assert!(holds(&sound_of(&agent, before.1), &through_us(&said)[160..]), "the agent hears the caller");
    assert!(holds(&sound_of(&caller, before.0), &through_us(&replied)[160..]), "the caller hears the agent");
    assert_eq!((caller.events.as_slice(), agent.events.as_slice()), (&[][..], &[][..]), "nobody is asked anything");
    let pairs: Vec<Pair> =
        caller.recorded.read_chunk(caller.recorded.slots()).expect("it is there").into_iter().collect();
    let left: Vec<i16> = pairs.iter().map(|pair| pair[0]).collect();
    let right: Vec<i16> = pairs.iter().map(|pair| pair[1]).collect();
    // A second fits into the ring: the first 800 ms of the talk.
    assert!(holds(&left, &through_us(&said[..35])), "the caller is on the left");
    assert!(holds(&right, &through_us(&replied[..35])[160..]), "the agent is on the right");
}

#[test]
fn a_sound_reaches_the_other_end_in_the_beat_in_which_it_is_heard() {
    let (mut caller, mut agent) = joined(params());
    let mut heard_at = None;
    for tick in 0..40 {
        let loud = [8_000; FRAME_8K];
        beat(&mut caller, &mut agent, if tick < 20 { &QUIET } else { &loud }, &QUIET);
        let left = caller.session.left;
        heard_at = heard_at.or((left[FRAME_8K - 1] > 4_000).then_some(agent.sent.len() - 1));
        if let Some(packet) = heard_at {
            assert!(agent.payload(packet)[FRAME_8K - 1] > 4_000, "heard by us, and not said in the same beat");
            return;
        }
    }
    panic!("the caller was never heard");
}

#[test]
fn legs_of_different_codecs_understand_each_other() {
    let alaw = StreamParams { codec: Codec::Pcma, payload_type: 8, ..params() };
    let (mut caller, mut agent) = joined(alaw);
    let from = agent.sent.len();
    for frame in hum(600) {
        beat(&mut caller, &mut agent, &frame, &QUIET);
    }
    let packets: Vec<_> = agent.sent[from..].iter().map(|bytes| Packet::parse(bytes).expect("we send RTP")).collect();
    assert!(packets.iter().all(|packet| packet.payload_type == 8));
    let last = packets.last().expect("we have sent").payload;
    let sound: Vec<i16> = last.iter().map(|&byte| Law::A.decode(byte)).collect();
    assert!((rms_dbov(&sound) + 20.0).abs() < 1.0, "{} dBov", rms_dbov(&sound));
}

#[test]
fn a_key_crosses_once_and_is_told_here_too() {
    let (mut caller, mut agent) = joined(StreamParams { send_event: Some(101), ..params() });
    let from = agent.sent.len();
    // The same press three times over, as RFC 4733 sends it.
    for _ in 0..3 {
        caller.datagram(101, 50_000, &[5, 0x80, 3, 32]);
    }
    for _ in 0..20 {
        beat(&mut caller, &mut agent, &QUIET, &QUIET);
    }
    assert_eq!(caller.events, ["key 5"]);
    let packets: Vec<_> = agent.sent[from..].iter().map(|bytes| Packet::parse(bytes).expect("we send RTP")).collect();
    let presses = packets.iter().filter(|packet| packet.payload_type == 101);
    let ends = presses.clone().filter(|packet| packet.payload[1] & 0x80 != 0).count();
    assert!(presses.clone().all(|packet| packet.payload[0] == 5) && ends >= 1, "{ends} ends");
    let started: std::collections::BTreeSet<_> = presses.map(|packet| packet.timestamp).collect();
    assert_eq!(started.len(), 1, "one press");
}

#[test]
fn a_prompt_is_heard_over_the_talk() {
    let (mut caller, mut agent) = joined(params());
    caller.play(1, &hum(100), BargeIn::Off);
    let from = caller.sent.len();
    let reply = [1_000; FRAME_8K];
    for _ in 0..15 {
        beat(&mut caller, &mut agent, &QUIET, &reply);
    }
    assert_eq!(caller.events, ["started 1", "Completed 1 100/100"]);
    let sound = sound_of(&caller, from);
    assert!(sound[..800].iter().any(|sample| *sample > 3_000), "the prompt");
    let line = Law::Mu.decode(Law::Mu.encode(Law::Mu.decode(Law::Mu.encode(1_000))));
    assert!(sound[sound.len() - FRAME_8K..].iter().all(|sample| *sample == line), "the agent");
}

#[test]
fn when_the_other_leg_is_gone_the_plan_goes_on_here() {
    for tells in [true, false] {
        let (mut caller, mut agent) = joined(params());
        let talk = voice(100, 8_000.0);
        for frame in &talk {
            beat(&mut caller, &mut agent, frame, &QUIET);
        }
        if tells {
            caller.session.command(MediaCommand::Unbridge, caller.now);
        }
        drop(agent);
        caller.hear(&[QUIET; 30]);
        assert!(caller.events.is_empty(), "{:?}", caller.events);
        caller.play(1, &hum(100), BargeIn::Speech);
        caller.hear(&[QUIET; 10]);
        assert_eq!(caller.events, ["started 1", "Completed 1 100/100"]);
        caller.hear(&voice(60, 8_000.0));
        caller.hear(&[QUIET; 30]);
        assert!(caller.events.iter().any(|event| event.starts_with("offer")), "{:?}", caller.events);
    }
}

#[test]
fn music_is_heard_between_prompts_and_the_caller_is_listened_to() {
    let mut leg = Leg::new(params());
    let music = Arc::new(Pcm { rate_hz: 8_000, samples: vec![2_000; 777] });
    leg.session.command(MediaCommand::Background { sound: Some(music) }, leg.now);
    leg.hear(&[QUIET; 20]);
    let line = Law::Mu.decode(Law::Mu.encode(2_000));
    assert_eq!(leg.payload(10), vec![line; FRAME_8K]);
    leg.play(1, &[[-3_000; FRAME_8K]; 5], BargeIn::Off);
    leg.hear(&[QUIET; 10]);
    assert_eq!(leg.payload(22), vec![Law::Mu.decode(Law::Mu.encode(-3_000)); FRAME_8K]);
    assert_eq!(leg.payload(29), vec![line; FRAME_8K]);
    leg.hear(&voice(60, 16_000.0));
    assert!(leg.events.iter().any(|event| event.starts_with("speech")), "{:?}", leg.events);
    leg.session.command(MediaCommand::Background { sound: None }, leg.now);
    leg.ticks(2);
    assert_eq!(leg.payload(leg.sent.len() - 1), vec![0; FRAME_8K]);
}
