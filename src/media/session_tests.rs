//! Tests of [`super::Session`]: one leg on a clock that only ticks.

use std::sync::Arc;

use rtrb::Consumer;

use super::*;
use crate::audio::g711::Law;
use crate::audio::level::rms_dbov;
use crate::audio::{Pcm, tone};
use crate::id::LegId;
use crate::media::fixtures::{Frame, noise, voice};
use crate::media::recorder::ring;
use crate::media::{BargeIn, Offer};
use crate::rtp::Codec;
use crate::rtp::packet::Packet;
use crate::rtp::srtp::{Keys, MasterKey, Suite};
use crate::rtp::{Digit, Ice, Rtcp, rtcp};
use crate::time::{Clock, SystemClock};

const TIMEOUT: Duration = Duration::from_secs(20);
const QUIET: Frame = [0; FRAME_8K];

/// A leg, its far end, and everything that came of it.
struct Leg {
    session: Session,
    recorded: Consumer<Pair>,
    now: Instant,
    sequence: u16,
    sent: Vec<Vec<u8>>,
    events: Vec<String>,
    offers: Vec<Offer>,
    socket_takes: bool,
}

fn params() -> StreamParams {
    StreamParams {
        remote: Some(far_end()),
        codec: Codec::Pcmu,
        payload_type: 0,
        telephone_event: Some(101),
        ptime_ms: 20,
        send: true,
        receive: true,
        ..StreamParams::default()
    }
}

fn far_end() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], 4_000))
}

impl Leg {
    fn new(params: StreamParams) -> Self {
        let opened = SystemClock.now();
        let now = opened.mono;
        let (tap, recorded) = ring();
        let (leg, call) = (LegId(1), String::new());
        let open = OpenLeg { leg, params, recording: None, random: 42, call };
        let session = Session::new(&open, Some(tap), TIMEOUT, opened);
        let (sent, events, offers) = (Vec::new(), Vec::new(), Vec::new());
        Self { session, recorded, now, sequence: 0, sent, events, offers, socket_takes: true }
    }

    fn play(&mut self, play: u64, frames: &[Frame], barge_in: BargeIn) {
        let audio = Arc::new(Pcm { rate_hz: 8_000, samples: frames.as_flattened().to_vec() });
        self.session.command(MediaCommand::Play { play: PlayId(play), audio, barge_in }, self.now);
    }

    fn commit(&mut self, utterance: u64) {
        self.session.command(MediaCommand::Commit { utterance: UtteranceId(utterance) }, self.now);
    }

    /// The far end sends `frame`.
    fn receive(&mut self, frame: &Frame) {
        let payload = frame.map(|sample| Law::Mu.encode(sample));
        let timestamp = u32::from(self.sequence) * 160;
        self.datagram(0, timestamp, &payload);
    }

    fn datagram(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) {
        let packet = Packet { marker: false, payload_type, sequence: self.sequence, timestamp, ssrc: 5, payload };
        let mut bytes = [0; 300];
        let length = packet.write(&mut bytes).expect("short packets");
        self.session.on_datagram(&mut bytes[..length], far_end(), self.now, &mut |_, _| true);
        self.sequence += 1;
    }

    fn tick(&mut self, missed: u32) {
        self.now += FRAME * (missed + 1);
        let (sent, takes) = (&mut self.sent, self.socket_takes);
        self.session.tick(self.now, missed, &mut |to, packet| {
            assert_eq!(to, far_end());
            sent.push(packet.to_vec());
            takes
        });
        while let Some(event) = self.session.poll_event() {
            if let MediaEvent::Offered(offer) = &event {
                self.offers.push(offer.clone());
            }
            self.events.push(self.name(&event));
        }
    }

    /// The far end sends `frames`, one a tick.
    fn hear(&mut self, frames: &[Frame]) {
        for frame in frames {
            self.receive(frame);
            self.tick(0);
        }
    }

    fn ticks(&mut self, count: usize) {
        (0..count).for_each(|_| self.tick(0));
    }

    /// Events as words; times in ms since the leg was opened where they matter.
    fn name(&self, event: &MediaEvent) -> String {
        match event {
            MediaEvent::Digit { digit, .. } => format!("key {}", digit.face()),
            MediaEvent::SpeechStarted { utterance, .. } => format!("speech {utterance}"),
            MediaEvent::Offered(offer) => format!("offer {}.{}", offer.utterance, offer.revision),
            MediaEvent::Resumed { utterance } => format!("resumed {utterance}"),
            MediaEvent::SpeechEnded { utterance } => format!("ended {utterance}"),
            MediaEvent::PromptStarted { play, .. } => format!("started {play}"),
            MediaEvent::PromptFinished { play, played_ms, total_ms, end, .. } => {
                format!("{end:?} {play} {played_ms}/{total_ms}")
            }
            MediaEvent::KeysSent => "keys sent".to_owned(),
            MediaEvent::RtpTimeout { silent_for } => format!("timeout {}", silent_for.as_millis()),
            MediaEvent::Closed(_) => "closed".to_owned(),
        }
    }

    fn payload(&self, packet: usize) -> Vec<i16> {
        let packet = Packet::parse(&self.sent[packet]).expect("we send RTP");
        packet.payload.iter().map(|&byte| Law::Mu.decode(byte)).collect()
    }

    fn timestamps(&self) -> Vec<u32> {
        let timestamp = |bytes: &Vec<u8>| Packet::parse(bytes).expect("we send RTP").timestamp;
        self.sent.iter().map(timestamp).collect()
    }
}

fn hum(ms: u32) -> Vec<Frame> {
    tone::sine(300.0, -20.0, ms, 8_000).samples.as_chunks().0.to_vec()
}

#[test]
fn a_voice_ducks_an_armed_prompt_within_frames_and_stops_it_when_believed() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    leg.play(1, &hum(10_000), BargeIn::Speech);
    leg.hear(&noise(10, -60.0));
    let before = leg.sent.len();
    leg.hear(&voice(30, 16_000.0));
    assert_eq!(leg.events[..3], ["started 1", "speech 0", leg.events[2].as_str()]);
    assert!(leg.events[2].starts_with("BargedIn 1 "), "{:?}", leg.events);
    // Jitter buffer, three frames until it is believed, and the frame in which it fades.
    let sounding = (before..leg.sent.len()).filter(|&at| rms_dbov(&leg.payload(at)) > -50.0).count();
    assert!((3..=9).contains(&sounding), "the prompt went on for {sounding} frames");
    leg.hear(&[QUIET; 20]);
    assert_eq!(leg.events[3..], ["offer 0.0"]);
    assert_eq!(leg.offers[0].during, Some(PlayId(1)));
}

#[test]
fn a_voice_over_a_protected_prompt_is_heard_and_the_prompt_goes_on() {
    for barge_in in [BargeIn::Off, BargeIn::Keys] {
        let mut leg = Leg::new(params());
        leg.hear(&noise(50, -60.0));
        leg.play(1, &hum(1_000), barge_in);
        leg.hear(&voice(40, 16_000.0));
        leg.hear(&[QUIET; 30]);
        assert_eq!(leg.events, ["started 1", "speech 0", "Completed 1 1000/1000", "offer 0.0"]);
    }
}

#[test]
fn a_voice_that_began_over_a_protected_prompt_does_not_stop_the_next_but_after_a_pause_it_does() {
    for (pause, end) in [(0, "Completed 2 2000/2000"), (25, "BargedIn 2 ")] {
        let mut leg = Leg::new(params());
        leg.hear(&noise(50, -60.0));
        leg.play(1, &hum(1_000), BargeIn::Off);
        leg.play(2, &hum(2_000), BargeIn::Speech);
        leg.hear(&voice(50, 16_000.0));
        leg.hear(&vec![QUIET; pause]);
        if pause > 0 {
            leg.commit(0);
        }
        leg.hear(&voice(120, 16_000.0));
        let finished = leg.events.iter().find(|event| event.contains(" 2 ") && event.contains('/'));
        assert!(finished.is_some_and(|event| event.starts_with(end)), "{:?}", leg.events);
    }
}

#[test]
fn a_voice_that_the_call_has_given_up_stops_no_prompt_until_it_is_a_new_utterance() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    leg.hear(&voice(25, 16_000.0));
    // Answered by a key, or said over words that other words follow: given up before there was an offer.
    leg.commit(0);
    leg.play(1, &hum(4_000), BargeIn::Speech);
    leg.hear(&voice(40, 16_000.0));
    leg.hear(&noise(25, -60.0));
    leg.hear(&voice(25, 16_000.0));
    assert_eq!(leg.events, ["speech 0", "started 1", "offer 0.0", "resumed 0"]);
    leg.commit(0);
    leg.hear(&voice(10, 16_000.0));
    assert_eq!(leg.events[4], "speech 1");
    assert!(leg.events[5].starts_with("BargedIn 1 "), "{:?}", leg.events);
}

#[test]
fn an_utterance_that_a_late_commit_begins_was_said_to_what_plays_then() {
    let mut leg = Leg::new(params());
    leg.play(1, &hum(1_000), BargeIn::Off);
    leg.hear(&noise(30, -60.0));
    leg.hear(&voice(25, 16_000.0));
    leg.hear(&noise(25, -60.0));
    leg.hear(&voice(12, 16_000.0));
    leg.commit(0);
    leg.hear(&voice(12, 16_000.0));
    leg.hear(&noise(25, -60.0));
    let during: Vec<Option<PlayId>> = leg.offers.iter().map(|offer| offer.during).collect();
    assert_eq!(during, [Some(PlayId(1)), None], "{:?}", leg.events);
}

#[test]
fn a_voice_that_was_cut_for_its_length_does_not_stop_what_is_said_about_that() {
    let mut leg = Leg::new(params());
    leg.session.command(MediaCommand::Listen(Listen { longest: Duration::from_secs(2), ..Listen::default() }), leg.now);
    leg.hear(&noise(50, -60.0));
    leg.hear(&voice(110, 16_000.0));
    assert!(leg.offers[0].cut, "{:?}", leg.events);
    leg.play(1, &hum(1_000), BargeIn::Speech);
    leg.hear(&voice(60, 16_000.0));
    assert!(leg.events.contains(&"Completed 1 1000/1000".to_owned()), "{:?}", leg.events);
}

#[test]
fn a_slammed_door_ducks_the_prompt_and_gives_it_back() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    leg.play(1, &hum(1_600), BargeIn::Speech);
    leg.hear(&noise(10, -60.0));
    leg.hear(&noise(8, -12.0));
    leg.hear(&noise(70, -60.0));
    assert_eq!(leg.events, ["started 1", "Completed 1 1600/1600"]);
    let levels: Vec<f32> = (50..130).map(|at| rms_dbov(&leg.payload(at))).collect();
    let faintest = levels.iter().copied().fold(0.0, f32::min);
    assert!((-36.0..-34.0).contains(&faintest), "ducked by 15 dB: {faintest}");
    assert!((levels[79] + 20.0).abs() < 0.5, "and back: {}", levels[79]);
}

#[test]
fn our_own_voice_coming_back_does_not_interrupt_us() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    let prompt = voice(200, 16_000.0);
    leg.play(1, &prompt, BargeIn::Speech);
    for place in 0..205_usize {
        // 100 ms later and 20 dB fainter.
        let echo = place.checked_sub(5).and_then(|earlier| prompt.get(earlier)).unwrap_or(&QUIET);
        leg.hear(&[echo.map(|sample| sample / 10)]);
    }
    assert_eq!(leg.events, ["started 1", "Completed 1 4000/4000"]);
}

#[test]
fn a_key_stops_what_keys_may_stop_and_is_reported_once() {
    for (barge_in, end) in
        [(BargeIn::Off, "Completed 1 1000/1000"), (BargeIn::Keys, "Keyed"), (BargeIn::Speech, "Keyed")]
    {
        let mut leg = Leg::new(params());
        leg.play(1, &hum(1_000), barge_in);
        leg.ticks(10);
        for duration in [160_u16, 320, 480, 480, 480] {
            let [high, low] = duration.to_be_bytes();
            let flags = if duration == 480 { 0x8A } else { 0x0A };
            leg.datagram(101, 77, &[5, flags, high, low]);
            leg.tick(0);
        }
        leg.ticks(50);
        assert_eq!(leg.events.iter().filter(|event| *event == "key 5").count(), 1);
        assert!(leg.events.last().is_some_and(|last| last.starts_with(end)), "{:?}", leg.events);
    }
}

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
fn a_recorder_that_stalls_costs_silence_and_no_time() {
    let mut leg = Leg::new(params());
    leg.play(1, &vec![[100; FRAME_8K]; 400], BargeIn::Off);
    leg.ticks(150);
    let first: Vec<Pair> = leg.recorded.read_chunk(leg.recorded.slots()).expect("it is there").into_iter().collect();
    assert_eq!(first.len(), 100 * FRAME_8K, "two seconds fit");
    leg.ticks(10);
    let rest: Vec<Pair> = leg.recorded.read_chunk(leg.recorded.slots()).expect("it is there").into_iter().collect();
    assert_eq!(rest.len(), 60 * FRAME_8K);
    assert!(rest[..50 * FRAME_8K].iter().all(|pair| *pair == [0, 0]), "what was dropped is silence");
    assert!(rest[50 * FRAME_8K..].iter().all(|pair| pair[1] != 0), "what came after is in its place");
}

#[test]
fn silence_on_the_wire_is_reported_each_time_the_timeout_passes_until_it_is_broken() {
    let mut leg = Leg::new(params());
    leg.ticks(999);
    assert!(leg.events.is_empty());
    leg.ticks(1_500);
    assert_eq!(leg.events, ["timeout 20000", "timeout 40000"]);
    leg.receive(&QUIET);
    leg.ticks(999);
    assert_eq!(leg.events.len(), 2);
    leg.ticks(1);
    assert_eq!(leg.events[2..], ["timeout 20000"]);
}

#[test]
fn rtcp_of_the_far_end_is_a_sign_of_life_and_that_of_a_stranger_is_not() {
    let mut leg = Leg::new(params());
    leg.receive(&QUIET);
    let mut report = [0x80, 201, 0, 1, 0, 0, 0, 5];
    for _ in 0..5 {
        leg.ticks(500);
        leg.session.on_datagram(&mut report, far_end(), leg.now, &mut |_, _| true);
    }
    assert!(leg.events.is_empty(), "{:?}", leg.events);
    leg.ticks(500);
    leg.session.on_datagram(&mut report, SocketAddr::from(([198, 51, 100, 66], 4_000)), leg.now, &mut |_, _| true);
    leg.ticks(500);
    assert_eq!(leg.events, ["timeout 20000"]);
}

#[test]
fn words_after_a_commit_are_a_new_utterance_even_when_they_came_before_it() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    leg.hear(&voice(25, 16_000.0));
    leg.hear(&noise(25, -60.0));
    assert_eq!(leg.events, ["speech 0", "offer 0.0"]);
    leg.hear(&voice(12, 16_000.0));
    assert_eq!(leg.events[2..], ["resumed 0"]);
    leg.commit(0);
    leg.hear(&voice(12, 16_000.0));
    leg.hear(&noise(25, -60.0));
    assert_eq!(leg.events[3..], ["speech 1", "offer 1.0"]);
    let ms = leg.offers[1].audio.duration_ms();
    assert!((700..1_100).contains(&ms), "both halves with their pre-roll and tail: {ms} ms");
}

#[test]
fn an_offer_tells_when_speech_arrived_not_when_it_left_the_jitter_buffer() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    let spoke_at = leg.now;
    leg.hear(&voice(25, 16_000.0));
    let silent_at = leg.now;
    leg.hear(&[QUIET; 30]);
    let offer = &leg.offers[0];
    let apart = |one: Instant, other: Instant| one.max(other) - one.min(other);
    assert!(apart(offer.began_at, spoke_at) <= FRAME * 2, "{:?}", apart(offer.began_at, spoke_at));
    // The judge hears the voice's last resonances for a frame or two.
    assert!(apart(offer.ended_at, silent_at) <= FRAME * 4, "{:?}", apart(offer.ended_at, silent_at));
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

/// What the leg reports by RTCP at its clock's time.
fn report(leg: &mut Leg) -> Option<(SocketAddr, Vec<u8>)> {
    let mut out = [0; MAX_RTCP_BYTES];
    let (to, length) = leg.session.poll_report(leg.now, &mut out)?;
    leg.session.report_left();
    Some((to, out[..length].to_vec()))
}

/// What the leg reports first, within the seconds a report may take.
fn next_report(leg: &mut Leg) -> (SocketAddr, Vec<u8>) {
    for _ in 0..400 {
        leg.tick(0);
        if let Some(report) = report(leg) {
            return report;
        }
    }
    panic!("no report within eight seconds");
}

#[test]
fn reports_go_to_the_port_above_until_the_far_end_names_another_and_go_on_while_held() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    let (to, bytes) = next_report(&mut leg);
    assert_eq!((to, bytes[1]), (SocketAddr::new(far_end().ip(), far_end().port() + 1), 200), "an SR");
    let ours = rtcp::parse(&bytes, 5).about_us.expect("about the stream we hear");
    assert_eq!((ours.total_lost, ours.extended_highest & 0xFFFF), (0, 49));

    let named = SocketAddr::from(([192, 0, 2, 9], 7));
    let held = StreamParams { send: false, receive: false, rtcp: Rtcp::Port(Some(named)), ..params() };
    leg.session.command(MediaCommand::Renegotiate { params: held }, leg.now);
    next_report(&mut leg);
    let (to, bytes) = next_report(&mut leg);
    assert_eq!((to, bytes[1]), (named, 201), "an RR: nothing was sent since the last");

    let muxed = StreamParams { rtcp: Rtcp::Mux, ..params() };
    leg.session.command(MediaCommand::Renegotiate { params: muxed }, leg.now);
    assert_eq!(next_report(&mut leg).0, far_end());
}

#[test]
fn what_the_far_end_reports_becomes_the_lines_quality_and_a_strangers_word_does_not() {
    let mut leg = Leg::new(StreamParams { rtcp: Rtcp::Mux, ..params() });
    leg.hear(&noise(150, -60.0));
    let (_, ours) = next_report(&mut leg);
    let sender = rtcp::parse(&ours, 0).sender_report.expect("an SR");
    let ssrc = Packet::parse(&leg.sent[0]).expect("we send RTP").ssrc;
    let about = rtcp::Reception {
        ssrc,
        fraction_lost: 26,
        total_lost: 15,
        jitter_ticks: 80,
        last_sender_report: sender,
        delay_since: 0,
        ..rtcp::Reception::default()
    };
    let mut theirs = [0; MAX_RTCP_BYTES];
    let length = rtcp::Printer::new(5, "peer").print(None, Some(about), None, false, &mut theirs).expect("room");
    leg.now += Duration::from_millis(80);
    let stranger = SocketAddr::from(([198, 51, 100, 1], 9));
    leg.session.on_datagram(&mut theirs[..length], stranger, leg.now, &mut |_, _| true);
    assert_eq!(leg.session.quality().round_trip_ms, None);
    leg.session.on_datagram(&mut theirs[..length], far_end(), leg.now, &mut |_, _| true);
    let quality = leg.session.quality();
    assert!((quality.round_trip_ms.expect("measured") - 80.0).abs() < 1.0, "{quality:?}");
    assert!((quality.jitter_there_ms.expect("told") - 10.0).abs() < 0.01, "{quality:?}");
    let sent = leg.sent.len() as f64;
    assert!((quality.loss_there_percent.expect("told") - 1_500.0 / sent).abs() < 0.01, "{quality:?}");
    assert!(quality.mos > quality.mos_there && quality.mos_there > Some(2.0), "{quality:?}");
    assert_eq!((quality.rtcp_in, quality.rtcp_out), (1, 1));
}

#[test]
fn a_muted_telephone_that_only_reports_is_not_gone() {
    let mut leg = Leg::new(StreamParams { rtcp: Rtcp::Mux, ..params() });
    for _ in 0..5 {
        leg.ticks(500);
        let mut report = [0; MAX_RTCP_BYTES];
        let length = rtcp::Printer::new(5, "peer").print(None, None, None, false, &mut report).expect("room");
        leg.session.on_datagram(&mut report[..length], far_end(), leg.now, &mut |_, _| true);
    }
    assert!(leg.events.is_empty(), "{:?}", leg.events);
}

#[test]
fn a_leg_that_is_over_says_good_bye_and_one_that_never_spoke_does_not() {
    let mut out = [0; MAX_RTCP_BYTES];
    let mut leg = Leg::new(params());
    assert_eq!(leg.session.farewell(leg.now, &mut out), None);
    leg.ticks(5);
    let (_, length) = leg.session.farewell(leg.now, &mut out).expect("it has spoken");
    let ssrc = Packet::parse(&leg.sent[0]).expect("we send RTP").ssrc;
    assert_eq!(rtcp::parse(&out[..length], 0).bye, Some(ssrc));
}

#[test]
fn when_the_far_end_says_its_stream_is_over_the_next_one_is_heard_at_once() {
    let mut leg = Leg::new(StreamParams { rtcp: Rtcp::Mux, ..params() });
    leg.hear(&hum(200));
    let mut report = [0; MAX_RTCP_BYTES];
    let length = rtcp::Printer::new(5, "peer").print(None, None, None, true, &mut report).expect("room");
    leg.session.on_datagram(&mut report[..length], far_end(), leg.now, &mut |_, _| true);
    let packet = Packet { marker: true, payload_type: 0, sequence: 9_000, timestamp: 7, ssrc: 6, payload: &[0; 160] };
    let mut bytes = [0; 300];
    let length = packet.write(&mut bytes).expect("short packets");
    leg.session.on_datagram(&mut bytes[..length], far_end(), leg.now, &mut |_, _| true);
    assert_eq!((leg.session.receiver.ssrc(), leg.session.quality().ssrc_changes), (Some(6), 1));
}

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
