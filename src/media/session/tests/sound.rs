//! What is said and recorded: prompts, packets, missed ticks, hold.

use super::*;

#[test]
fn prompts_wait_while_we_may_not_send_and_time_goes_on() {
    let mut leg = Leg::new(StreamParams { remote: None, ..params() });
    leg.play(1, &hum(100), BargeIn::Off);
    leg.ticks(50);
    assert!(leg.sent.is_empty() && leg.events.is_empty());
    leg.session.command(MediaCommand::Renegotiate { params: params() }, leg.now);
    leg.ticks(6);
    assert_eq!(leg.events, ["started 1", "Completed 1 100/100"]);

    let mut held = Leg::new(StreamParams { send: false, ..params() });
    held.play(1, &hum(100), BargeIn::Speech);
    held.ticks(50);
    assert!(held.sent.is_empty());
    held.session.command(MediaCommand::Flush, held.now);
    held.tick(0);
    assert_eq!(held.events, ["Flushed 1 0/100"]);
}

#[test]
fn a_peer_that_does_not_send_is_not_listened_to_and_not_missed() {
    let mut leg = Leg::new(StreamParams { receive: false, ..params() });
    leg.hear(&voice(50, 16_000.0));
    leg.now += TIMEOUT;
    leg.tick(0);
    assert!(leg.events.is_empty(), "{:?}", leg.events);
    assert_eq!(leg.session.into_summary().refused, 50);
}

#[test]
fn prompts_are_accounted_for_in_every_packet_length() {
    for (ptime_ms, packets) in [(10, 30), (20, 15), (30, 10), (40, 7), (60, 5)] {
        let mut leg = Leg::new(StreamParams { ptime_ms, ..params() });
        leg.play(1, &hum(200), BargeIn::Off);
        leg.ticks(15);
        assert_eq!(leg.sent.len(), packets, "{ptime_ms} ms");
        assert_eq!(leg.events, ["started 1", "Completed 1 200/200"], "{ptime_ms} ms");
        let sound: Vec<i16> = (0..packets).flat_map(|packet| leg.payload(packet)).collect();
        let line: Vec<i16> = hum(200).as_flattened().iter().map(|&s| Law::Mu.decode(Law::Mu.encode(s))).collect();
        assert_eq!(sound[..1_600], line, "{ptime_ms} ms");
    }
}

#[test]
fn what_the_socket_refuses_was_not_played() {
    let mut leg = Leg::new(params());
    leg.play(1, &hum(100), BargeIn::Off);
    leg.ticks(2);
    leg.socket_takes = false;
    leg.ticks(2);
    leg.socket_takes = true;
    leg.ticks(1);
    assert_eq!(leg.events, ["started 1", "Completed 1 60/100"]);
    assert_eq!(leg.session.into_summary().packets_out, 3);
}

#[test]
fn a_missed_tick_skips_ahead_in_time_without_a_burst_and_without_losing_sound() {
    let mut leg = Leg::new(params());
    leg.play(1, &hum(100), BargeIn::Off);
    leg.tick(0);
    leg.tick(3);
    leg.ticks(3);
    let steps: Vec<u32> = leg.timestamps().windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    assert_eq!(steps, [4 * 160, 160, 160, 160]);
    assert_eq!(leg.events, ["started 1", "Completed 1 100/100"]);
    assert_eq!(leg.recorded.slots(), 8 * FRAME_8K, "the recording did not lose the time");
}

#[test]
fn the_recording_has_the_caller_left_and_us_right_as_both_were_heard() {
    let mut leg = Leg::new(params());
    leg.play(1, &hum(400), BargeIn::Off);
    leg.hear(&voice(20, 8_000.0));
    leg.ticks(5);
    let pairs: Vec<Pair> = leg.recorded.read_chunk(25 * FRAME_8K).expect("one pair a sample").into_iter().collect();
    let right: Vec<i16> = pairs.iter().map(|pair| pair[1]).collect();
    assert_eq!(right[..20 * FRAME_8K], *hum(400).as_flattened());
    let left: Vec<i16> = pairs.iter().map(|pair| pair[0]).collect();
    let spoken: Vec<i16> =
        voice(20, 8_000.0).as_flattened().iter().map(|&sample| Law::Mu.decode(Law::Mu.encode(sample))).collect();
    assert!(left.windows(spoken.len()).any(|stretch| stretch == spoken), "the caller, a jitter buffer later");
}

#[test]
fn a_message_has_what_the_caller_says_from_there_on_and_nothing_of_us() {
    let mut leg = Leg::new(params());
    leg.play(1, &hum(1_000), BargeIn::Off);
    leg.hear(&voice(10, 8_000.0));
    let (tap, mut kept) = ring();
    leg.session.keep_message(Some(tap));
    leg.hear(&voice(20, 8_000.0));
    leg.ticks(5);
    leg.session.keep_message(None);
    leg.ticks(5);
    let pairs: Vec<Pair> = kept.read_chunk(kept.slots()).expect("it is there").into_iter().collect();
    assert_eq!(pairs.len(), 25 * FRAME_8K);
    assert!(pairs.iter().all(|pair| pair[1] == 0) && pairs.iter().any(|pair| pair[0] != 0));
    assert_eq!(leg.recorded.slots(), 40 * FRAME_8K, "the call's own recording has all of it");
}

#[test]
fn a_recorder_that_stalls_costs_silence_and_no_time() {
    let mut leg = Leg::new(params());
    leg.play(1, &vec![[100; FRAME_8K]; 400], BargeIn::Off);
    leg.ticks(75);
    let first: Vec<Pair> = leg.recorded.read_chunk(leg.recorded.slots()).expect("it is there").into_iter().collect();
    assert_eq!(first.len(), 50 * FRAME_8K, "a second fits");
    leg.ticks(10);
    let rest: Vec<Pair> = leg.recorded.read_chunk(leg.recorded.slots()).expect("it is there").into_iter().collect();
    assert_eq!(rest.len(), 35 * FRAME_8K);
    assert!(rest[..25 * FRAME_8K].iter().all(|pair| *pair == [0, 0]), "what was dropped is silence");
    assert!(rest[25 * FRAME_8K..].iter().all(|pair| pair[1] != 0), "what came after is in its place");
}

#[test]
fn closing_reports_every_prompt_and_then_says_nothing_more() {
    let mut leg = Leg::new(params());
    leg.play(1, &hum(1_000), BargeIn::Off);
    leg.play(2, &hum(1_000), BargeIn::Off);
    leg.ticks(5);
    leg.session.command(MediaCommand::Close, leg.now);
    assert!(!leg.session.is_closed(), "there is something to report first");
    let sent = leg.sent.len();
    leg.hear(&[QUIET; 5]);
    assert_eq!(leg.events, ["started 1", "Flushed 1 100/1000", "Flushed 2 0/1000"]);
    assert_eq!(leg.sent.len(), sent);
    assert!(leg.session.is_closed());
}

#[test]
fn a_call_that_reads_nothing_loses_only_the_newest_events() {
    let mut leg = Leg::new(params());
    for play in 0..100 {
        leg.play(play, &[], BargeIn::Off);
        let mut nobody = |_: SocketAddr, _: &[u8]| true;
        leg.session.tick(leg.now, 0, &mut nobody);
    }
    leg.tick(0);
    assert_eq!(leg.events.len(), EVENTS);
    assert_eq!(leg.events[0], "Completed 0 0/0");
    assert_eq!(leg.session.events_lost, 100 - EVENTS as u64);
}

#[test]
fn on_hold_the_caller_hears_the_music_and_the_prompt_waits_to_be_heard_whole() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    leg.play(1, &hum(100), BargeIn::Speech);
    leg.ticks(2);
    let music = Arc::new(Pcm { rate_hz: 8_000, samples: vec![5_000; 100] });
    leg.session.command(MediaCommand::Hold { sound: Some(music) }, leg.now);
    let before = leg.sent.len();
    // Whatever is said now is said to nobody; a key still counts.
    leg.hear(&voice(50, 16_000.0));
    leg.datagram(101, u32::from(leg.sequence) * 160, &[5, 0x8A, 0, 160]);
    leg.ticks(50);
    assert_eq!(leg.events, ["started 1", "key 5", "Keyed 1 40/100"], "a key stops the prompt it was pressed under");
    assert!(leg.payload(before).is_sorted(), "it comes without a click");
    assert!((before + 1..leg.sent.len()).all(|sent| leg.payload(sent).iter().all(|s| s.abs_diff(5_000) < 200)));
    leg.play(2, &hum(40), BargeIn::Speech);
    leg.ticks(10);
    assert_eq!(leg.events.len(), 3, "prompts wait");
    leg.session.command(MediaCommand::Resume, leg.now);
    leg.ticks(4);
    assert_eq!(leg.events[3..], ["started 2", "Completed 2 40/40"]);
}

#[test]
fn silence_on_hold_is_sent_too_so_that_the_line_stays_open() {
    let mut leg = Leg::new(params());
    leg.session.command(MediaCommand::Hold { sound: None }, leg.now);
    leg.ticks(10);
    assert_eq!(leg.sent.len(), 10);
    assert!(leg.payload(9).iter().all(|&sample| sample == 0));
}

#[test]
fn after_a_hold_silence_is_counted_from_its_end() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    let held = StreamParams { receive: false, ..params() };
    leg.session.command(MediaCommand::Renegotiate { params: held }, leg.now);
    leg.ticks(3_000);
    assert!(leg.events.is_empty(), "nothing is expected on hold: {:?}", leg.events);
    leg.session.command(MediaCommand::Renegotiate { params: params() }, leg.now);
    leg.ticks(990);
    assert!(leg.events.is_empty(), "{:?}", leg.events);
    leg.ticks(20);
    assert_eq!(leg.events, ["timeout 20000"]);
}

#[test]
fn music_that_comes_while_they_hold_us_is_no_speech() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    leg.session.command(MediaCommand::Renegotiate { params: StreamParams { send: false, ..params() } }, leg.now);
    leg.hear(&voice(100, 16_000.0));
    assert!(leg.events.is_empty(), "{:?}", leg.events);
}
