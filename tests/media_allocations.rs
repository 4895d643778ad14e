//! Per frame: no allocation. A leg that listens, speaks and records is ticked under an allocator that counts.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trunkline::audio::g711::Law;
use trunkline::audio::tone;
use trunkline::id::{LegId, PlayId};
use trunkline::media::recorder::ring;
use trunkline::media::session::Session;
use trunkline::media::{BargeIn, MediaCommand, OpenLeg};
use trunkline::rtp::packet::Packet;
use trunkline::rtp::{Codec, StreamParams};
use trunkline::time::{Clock, SystemClock};

#[path = "../src/media/fixtures.rs"]
mod fixtures;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is the system allocator's; counting touches a constant-initialised thread local, which does
// not allocate itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn far_end() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4_000))
}

/// Ticks `session` once for each of `frames`; how many allocations that took.
fn ticks(session: &mut Session, now: &mut Instant, sequence: &mut u16, frames: &[fixtures::Frame]) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    for frame in frames {
        let payload = frame.map(|sample| Law::Mu.encode(sample));
        let timestamp = u32::from(*sequence) * 160;
        let packet =
            Packet { marker: false, payload_type: 0, sequence: *sequence, timestamp, ssrc: 5, payload: &payload };
        let mut bytes = [0; 300];
        let length = packet.write(&mut bytes).expect("short packets");
        session.on_datagram(&mut bytes[..length], far_end(), *now, &mut |_, _| true);
        *sequence += 1;
        *now += Duration::from_millis(20);
        session.tick(*now, 0, &mut |_, _| true);
    }
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn listening_speaking_and_recording_do_not_allocate() {
    let params = StreamParams {
        remote: Some(far_end()),
        codec: Codec::Pcmu,
        payload_type: 0,
        telephone_event: None,
        ptime_ms: 20,
        send: true,
        receive: true,
        ..StreamParams::default()
    };
    let open = OpenLeg { leg: LegId(1), params, recording: None, random: 1, call: String::new() };
    let opened = SystemClock.now();
    let mut now = opened.mono;
    let mut sequence = 0;
    // The ring is never drained: a recorder that stalls is part of the test.
    let (tap, _recorder) = ring();
    let mut session = Session::new(&open, Some(tap), Duration::from_secs(20), opened);
    let audio = Arc::new(tone::sine(300.0, -20.0, 60_000, 8_000));
    session.command(MediaCommand::Play { play: PlayId(1), audio, barge_in: BargeIn::Off }, now);
    let (silence, voice) = (fixtures::noise(500, -60.0), fixtures::voice(150, 16_000.0));

    assert_eq!(ticks(&mut session, &mut now, &mut sequence, &silence), 0, "a silent caller");
    assert_eq!(ticks(&mut session, &mut now, &mut sequence, &voice), 0, "a caller who speaks for three seconds");
    let offered = ticks(&mut session, &mut now, &mut sequence, &silence);
    assert!((1..=4).contains(&offered), "an offer copies its sound, once: {offered} allocations");
}
