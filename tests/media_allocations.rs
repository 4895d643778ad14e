//! Per frame, after the first: no allocation. A leg that listens, speaks and records is ticked under an allocator that counts.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trunkline::audio::tone;
use trunkline::id::{LegId, PlayId};
use trunkline::media::bridge::bridge;
use trunkline::media::recorder::ring;
use trunkline::media::session::{MAX_RTCP_BYTES, Session};
use trunkline::media::{BargeIn, MediaCommand, OpenLeg};
use trunkline::rtp::jitter::JitterConfig;
use trunkline::rtp::sender::MAX_PACKET_BYTES;
use trunkline::rtp::srtp::{Keys, MasterKey, Srtp, Suite};
use trunkline::rtp::{Codec, Sender, StreamParams};
use trunkline::time::{Clock, SystemClock};

#[path = "../src/media/fixtures.rs"]
mod fixtures;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Bytes held, less those freed.
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is the system allocator's; counting touches a constant-initialised thread local, which does
// not allocate itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        BYTES.with(|bytes| bytes.set(bytes.get() + layout.size() as i64));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        BYTES.with(|bytes| bytes.set(bytes.get() - layout.size() as i64));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        BYTES.with(|bytes| bytes.set(bytes.get() + size as i64 - layout.size() as i64));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn far_end() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4_000))
}

/// The far end: a sender like ours, of the same codec, sealed if ours is.
struct FarEnd {
    sender: Sender,
    srtp: Option<Srtp>,
}

/// Ticks `session` once for each of `frames`; how many allocations that took.
fn ticks(session: &mut Session, far: &mut FarEnd, now: &mut Instant, frames: &[fixtures::Frame]) -> u64 {
    let mut ours = 0;
    for frame in frames {
        let mut bytes = [0; MAX_PACKET_BYTES];
        far.sender.push_frame(frame);
        let before = ALLOCATIONS.with(Cell::get);
        while let Some(length) = far.sender.poll_packet(&mut bytes) {
            let length = match &mut far.srtp {
                Some(srtp) => srtp.sealer.rtp(&mut bytes, length).expect("room for a tag"),
                None => length,
            };
            session.on_datagram(&mut bytes[..length], far_end(), *now, &mut |_, _| true);
        }
        *now += Duration::from_millis(20);
        session.tick(*now, 0, &mut |_, _| true);
        let mut report = [0; MAX_RTCP_BYTES];
        if session.poll_report(*now, &mut report).is_some() {
            session.report_left();
        }
        ours += ALLOCATIONS.with(Cell::get) - before;
    }
    ours
}

fn keys(ours: u8, theirs: u8) -> Keys {
    let suite = Suite::AesCm128Sha1_80;
    let key = |byte| MasterKey::new(suite, &vec![byte; suite.key_bytes()]).expect("as long as the suite wants it");
    Keys { suite, ours: key(ours), theirs: key(theirs) }
}

fn nothing_allocates(codec: Codec, payload_type: u8, sealed: bool) {
    let params = StreamParams {
        remote: Some(far_end()),
        codec,
        payload_type,
        receive_types: vec![(payload_type, codec)],
        security: sealed.then(|| Box::new(keys(1, 2))),
        ..StreamParams::default()
    };
    let theirs = StreamParams { security: sealed.then(|| Box::new(keys(2, 1))), ..params.clone() };
    let mut far = FarEnd { sender: Sender::new(&theirs, 7), srtp: theirs.security.as_deref().map(Srtp::new) };
    let open = unrecorded(params);
    let opened = SystemClock.now();
    let mut now = opened.mono;
    // The ring is never drained: a recorder that stalls is part of the test.
    let (tap, _recorder) = ring();
    let mut session = Session::new(&open, Some(tap), Duration::from_secs(20), opened);
    let audio = Arc::new(tone::sine(300.0, -20.0, 60_000, 8_000));
    session.command(MediaCommand::Play { play: PlayId(1), audio, barge_in: BargeIn::Off }, now);
    let (silence, voice) = (fixtures::noise(500, -60.0), fixtures::voice(150, 16_000.0));

    let what = format!("{codec}, sealed: {sealed}");
    let first = ticks(&mut session, &mut far, &mut now, &silence[..10]);
    assert!(first <= 1, "what is heard gets its room, once: {first} allocations, {what}");
    assert_eq!(ticks(&mut session, &mut far, &mut now, &silence[10..]), 0, "a silent caller, {what}");
    assert_eq!(ticks(&mut session, &mut far, &mut now, &voice), 0, "a caller who speaks for three seconds, {what}");
    let offered = ticks(&mut session, &mut far, &mut now, &silence);
    assert!((1..=4).contains(&offered), "an offer copies its sound, once: {offered} allocations, {what}");
    let summary = session.into_summary();
    assert!(summary.packets_in > 1_100 && summary.quality.rtcp_out >= 3, "{what}: {summary:?}");
    assert_eq!(summary.secured.is_some(), sealed);
}

fn unrecorded(params: StreamParams) -> OpenLeg {
    OpenLeg { leg: LegId(1), params, jitter: JitterConfig::default(), recording: None, random: 1, call: String::new() }
}

#[test]
fn listening_speaking_recording_and_reporting_do_not_allocate() {
    nothing_allocates(Codec::Pcmu, 0, false);
}

#[test]
fn no_codec_and_no_seal_allocates_either() {
    nothing_allocates(Codec::Pcma, 8, true);
    nothing_allocates(Codec::G722, 9, false);
    nothing_allocates(Codec::Opus, 111, true);
    nothing_allocates(Codec::G729, 18, false);
}

#[test]
fn two_legs_that_are_joined_do_not_allocate() {
    let params = StreamParams { remote: Some(far_end()), ..StreamParams::default() };
    let opened = SystemClock.now();
    let mut legs = [(); 2].map(|()| {
        let session = Session::new(&unrecorded(params.clone()), None, Duration::from_secs(20), opened);
        (session, FarEnd { sender: Sender::new(&params, 7), srtp: None }, opened.mono)
    });
    let voice = fixtures::voice(150, 16_000.0);
    for (session, far, now) in &mut legs {
        ticks(session, far, now, &voice[..10]);
    }
    let (one, other) = bridge();
    for ((session, ..), end) in legs.iter_mut().zip([one, other]) {
        session.bridge(Box::new(end));
    }
    for frame in voice.chunks(1).cycle().take(3_000) {
        for (session, far, now) in &mut legs {
            assert_eq!(ticks(session, far, now, frame), 0);
        }
    }
    // A prompt over the talk costs what it costs elsewhere: nothing per frame.
    let audio = Arc::new(tone::sine(300.0, -20.0, 1_000, 8_000));
    let (session, far, now) = &mut legs[0];
    session.command(MediaCommand::Play { play: PlayId(1), audio, barge_in: BargeIn::Off }, *now);
    assert_eq!(ticks(session, far, now, &voice[..40]), 0);
}

#[test]
fn a_leg_that_is_not_recorded_weighs_what_a_thousand_of_them_may() {
    for (codec, payload_type, most) in
        [(Codec::Pcmu, 0, 110_000), (Codec::G722, 9, 110_000), (Codec::Opus, 111, 160_000), (Codec::G729, 18, 125_000)]
    {
        let params = StreamParams { remote: Some(far_end()), codec, payload_type, ..StreamParams::default() };
        let mut far = FarEnd { sender: Sender::new(&params, 7), srtp: None };
        let open = unrecorded(params);
        // The first one of all also makes what all share: the weights of the judge of speech.
        drop(Session::new(&open, None, Duration::from_secs(20), SystemClock.now()));
        let (before, opened) = (BYTES.with(Cell::get), SystemClock.now());
        let mut session = Box::new(Session::new(&open, None, Duration::from_secs(20), opened));
        let deaf = BYTES.with(Cell::get) - before;
        ticks(&mut session, &mut far, &mut { opened.mono }, &fixtures::noise(50, -60.0));
        let weight = BYTES.with(Cell::get) - before;
        assert!(
            deaf < weight - 50_000,
            "{codec}: room for what is heard is made when something is, not for {deaf} bytes"
        );
        println!(
            "measured: a leg of {codec} weighs {weight} bytes, {} of them the session itself",
            size_of_val(&*session)
        );
        assert!((10_000..most).contains(&weight), "{codec}: {weight} bytes");
    }
}
