//! Two callers joined over real sockets, each on a media thread of its own.

use std::collections::BTreeMap;

use super::*;

const OTHER: LegId = LegId(2);

struct Joined {
    one: Ours,
    other: Ours,
    first: Peer,
    second: Peer,
}

/// Two legs on two threads, joined, with packets on their way between their far ends.
fn joined(recording: Option<&Path>) -> Joined {
    let (mut first, mut second) = (Peer::new(), Peer::new());
    let config = MediaConfig { threads: NonZeroUsize::new(2).unwrap(), ..config() };
    let one = Ours::open(config, Some(first.address()), recording);
    let keys = StreamParams {
        remote: Some(second.address()),
        telephone_event: Some(EVENT_TYPE),
        send_event: Some(EVENT_TYPE),
        ..StreamParams::default()
    };
    let other = Ours::open_as(one.media.clone(), OTHER, keys, None);
    first.speak(one.rtp, &[0; 1_600]);
    second.speak(other.rtp, &[0; 1_600]);
    one.media.bridge(LEG, OTHER).unwrap();
    Joined { one, other, first, second }
}

/// What one far end says, the other one hears: each packet its own number, which silence is not.
fn talk(from: &mut Peer, to: SocketAddr, heard_by: &Peer) -> (Vec<Duration>, usize) {
    const FRAMES: u8 = 100;
    let listener = heard_by.socket.try_clone().unwrap();
    let listening = thread::spawn(move || {
        let (mut arrived, mut buffer) = (BTreeMap::new(), [0; 1_500]);
        let until = now() + Duration::from_secs(4);
        while now() < until && !arrived.contains_key(&(FRAMES + 9)) {
            let Ok((length, _)) = listener.recv_from(&mut buffer) else { break };
            let packet = Packet::parse(&buffer[..length]).expect("we send RTP");
            // The last sample: a frame that fades in is itself by then.
            arrived.entry(*packet.payload.last().unwrap()).or_insert_with(now);
        }
        arrived
    });
    let mut sent = BTreeMap::new();
    for number in 10..FRAMES + 20 {
        let level = Law::Mu.decode(number);
        sent.insert(number, now());
        from.speak(to, &[level; FRAME_8K]);
        thread::sleep(Duration::from_millis(20).saturating_sub(sent[&number].elapsed()));
    }
    let arrived = listening.join().unwrap();
    let mut delays: Vec<_> = (10..FRAMES)
        .filter_map(|number| Some(arrived.get(&number)?.saturating_duration_since(sent[&number])))
        .collect();
    delays.sort();
    let lost = usize::from(FRAMES - 10) - delays.len();
    (delays, lost)
}

#[test]
fn what_one_far_end_says_the_other_hears_within_a_few_beats() {
    let Joined { one, other, mut first, mut second } = joined(None);
    let talks = [talk(&mut first, one.rtp, &second), talk(&mut second, other.rtp, &first)];
    for (delays, lost) in talks {
        let at = |share: usize| delays[delays.len() * share / 100].as_millis();
        println!("measured: wire to wire through a bridge p50 {} ms, p95 {} ms, {lost} frames lost", at(50), at(95));
        assert!(lost <= 9, "{lost} frames of 90 never came");
        // 20 ms of jitter buffer, a beat to hear, a beat to cross; the rest is a busy machine.
        assert!(at(50) <= 150, "{delays:?}");
    }
    one.close();
    drop(other);
}

#[test]
fn keys_cross_and_the_recording_has_both_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call.wav");
    let Joined { one, mut other, mut first, mut second } = joined(Some(&path));
    let (caller, agent) = (tone::sine(300.0, -10.0, 600, 8_000), tone::sine(1_000.0, -10.0, 600, 8_000));
    first.speak(one.rtp, &caller.samples);
    second.speak(other.rtp, &agent.samples);
    first.press(one.rtp, 7);
    let deadline = now() + PATIENCE;
    let mut buffer = [0; 1_500];
    let pressed = loop {
        assert!(now() < deadline, "no key within {PATIENCE:?}");
        let (length, _) = second.socket.recv_from(&mut buffer).unwrap();
        let packet = Packet::parse(&buffer[..length]).unwrap();
        if packet.payload_type == EVENT_TYPE {
            break packet.payload[0];
        }
    };
    assert_eq!(pressed, 7);
    first.speak(one.rtp, &[0; 1_600]);
    // The agent hangs up: the caller's leg goes on by itself.
    other.media.command(OTHER, MediaCommand::Close).unwrap();
    other.wait("closing", |event| matches!(event, MediaEvent::Closed(_)).then_some(()));
    let mut one = one;
    one.play(1, tone::sine(300.0, -20.0, 100, 8_000), BargeIn::Off);
    assert_eq!(one.finished(1), (100, 100, PlayEnd::Completed));
    let summary = one.close();
    assert_eq!(summary.recording, Recording::Saved { path: path.clone() });
    let stereo = hound::WavReader::open(&path).unwrap().into_samples::<i16>().map(Result::unwrap).collect::<Vec<_>>();
    let strength = |channel: usize, hz: f32| {
        let samples = stereo.chunks(2).map(|pair| f32::from(pair[channel]));
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in samples.enumerate() {
            let angle = std::f32::consts::TAU * hz * n as f32 / 8_000.0;
            (re, im) = (re + sample * angle.cos(), im + sample * angle.sin());
        }
        re.hypot(im)
    };
    assert!(strength(0, 300.0) > 10.0 * strength(0, 1_000.0), "the caller is on the left, alone");
    assert!(strength(1, 1_000.0) > 10.0 * strength(1, 440.0), "the agent is on the right");
}
