//! Rows of packets, random streams, and a table of network traces.

use super::*;
use crate::audio::g711::Law;
use crate::rtp::sequence::Sequence;
use crate::time::{Clock, SystemClock};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Bytes that say where in the stream they are: a frame that is not in order is seen at once.
fn byte_at(place: u32) -> u8 {
    (place / 160 % 251) as u8
}

/// A stream under test: a sender's packets in, frames out, on one clock.
struct Line {
    zero: Instant,
    sequence: Sequence,
    buffer: JitterBuffer,
    frame: EncodedFrame,
}

impl Line {
    fn new() -> Self {
        let buffer = JitterBuffer::new(JitterConfig::default());
        Self { zero: SystemClock.now().mono, sequence: Sequence::default(), buffer, frame: EncodedFrame::default() }
    }

    fn at(&self, ms: f64) -> Instant {
        self.zero + Duration::from_secs_f64(ms / 1_000.0)
    }

    fn push(&mut self, sequence: u16, timestamp: u32, ms: f64, payload: &[u8]) -> Option<Pushed> {
        let packet = Packet { marker: false, payload_type: 0, sequence, timestamp, ssrc: 1, payload };
        let order = self.sequence.push(sequence);
        let at = self.at(ms);
        (!matches!(order, Order::Duplicate | Order::Suspect)).then(|| self.buffer.push(&packet, Codec::Pcmu, order, at))
    }

    /// 20 ms of counted bytes.
    fn push_20ms(&mut self, sequence: u16, timestamp: u32, ms: f64) -> Option<Pushed> {
        self.push(sequence, timestamp, ms, &[byte_at(timestamp); 160])
    }

    fn pop(&mut self, ms: f64) -> Popped {
        let at = self.at(ms);
        self.buffer.pop(at, &mut self.frame)
    }
}

/// `.` sound, `x` lost, `_` nothing.
fn mark(popped: Popped) -> char {
    match popped {
        Popped::Sound => '.',
        Popped::Lost => 'x',
        Popped::Nothing => '_',
    }
}

/// Plays `packets` — rows of (sequence, timestamp, arrival ms) — by a tick every 20 ms from 10 ms on and draws what
/// came out; sound is checked to be in order.
fn play(packets: &[(u16, u32, f64)], ticks: u32) -> String {
    let mut line = Line::new();
    let mut pending: Vec<_> = packets.to_vec();
    pending.sort_by(|a, b| a.2.total_cmp(&b.2));
    let mut pending = pending.into_iter().peekable();
    let mut drawn = String::new();
    let mut last = None;
    for tick in 0..ticks {
        let now = f64::from(tick) * 20.0 + 10.0;
        while let Some((sequence, timestamp, arrival)) = pending.next_if(|&(_, _, arrival)| arrival <= now) {
            line.push_20ms(sequence, timestamp, arrival);
        }
        let popped = line.pop(now);
        if popped == Popped::Sound {
            let byte = *line.frame.bytes.last().unwrap();
            assert!(last.is_none_or(|last| last < byte), "frame {byte} after {last:?}");
            last = Some(byte);
        }
        drawn.push(mark(popped));
    }
    drawn
}

/// `count` packets from number 0 and time 0 on, punctual.
fn punctual(count: u16) -> Vec<(u16, u32, f64)> {
    (0..count).map(|n| (n, u32::from(n) * 160, f64::from(n) * 20.0)).collect()
}

#[test]
fn rows_of_arrivals_come_out_as_sound_loss_and_silence() {
    type Change = fn(&mut Vec<(u16, u32, f64)>);
    let rows: &[(&str, Change, &str)] = &[
        // Playing starts at the first tick that is 40 ms after the first arrival; at the end three frames are made up.
        ("punctual", |_| (), "__..........xxx___"),
        ("one lost", |p| p.retain(|p| p.0 != 4), "__....x.....xxx___"),
        ("two lost", |p| p.retain(|p| !(4..6).contains(&p.0)), "__....xx....xxx___"),
        ("reordered within the delay", |p| p[4].2 = 105.0, "__..........xxx___"),
        ("too late counts as lost", |p| p[4].2 = 135.0, "__....x.....xxx___"),
        ("twice", |p| p.push((4, 640, 90.0)), "__..........xxx___"),
        ("first two swapped", |p| (p[0].2, p[1].2) = (21.0, 20.0), "__..........xxx___"),
        // Numbers go on, timestamps jump by 100 ms with the clock: silence, not loss.
        ("pause", |p| p[5..].iter_mut().for_each(|p| (p.1, p.2) = (p.1 + 800, p.2 + 100.0)), "__.....xxx__.....xxx"),
        ("short pause", |p| p[5..].iter_mut().for_each(|p| (p.1, p.2) = (p.1 + 160, p.2 + 20.0)), "__....._.....xxx__"),
        // The clock of the sender is set anew: the sound goes on without a gap.
        ("timestamps leap", |p| p[5..].iter_mut().for_each(|p| p.1 += 1_000_000), "__..........xxx___"),
        (
            "timestamps fall",
            |p| p[5..].iter_mut().for_each(|p| p.1 = p.1.wrapping_sub(50_000 * 160)),
            "__..........xxx___",
        ),
        // Numbers start over: the first packet of the new numbering is not believed yet, hence one is lost.
        ("numbers leap", |p| p[5..].iter_mut().for_each(|p| p.0 += 20_000), "__............"),
    ];
    for (name, change, expected) in rows {
        let mut packets = punctual(10);
        change(&mut packets);
        let drawn = play(&packets, expected.len() as u32);
        if *name == "numbers leap" {
            assert_eq!(drawn.matches('.').count(), 9, "{name}: {drawn}");
        } else {
            assert_eq!(&drawn, expected, "{name}");
        }
    }
}

#[test]
fn timestamps_and_numbers_wrap_without_a_seam() {
    let mut line = Line::new();
    let mut drawn = String::new();
    for n in 0..20u16 {
        let (sequence, timestamp) = (n.wrapping_sub(5), (u32::from(n) * 160).wrapping_sub(800));
        line.push(sequence, timestamp, f64::from(n) * 20.0, &[n as u8; 160]);
        drawn.push(mark(line.pop(f64::from(n) * 20.0 + 5.0)));
    }
    assert_eq!(drawn, "__..................");
    assert_eq!(line.frame.bytes, [17; 160]);
}

#[test]
fn packets_of_any_length_come_out_as_whole_frames_in_order() {
    for ptime in [10usize, 20, 30, 40, 50, 60] {
        let mut line = Line::new();
        let bytes: Vec<u8> = (0..8_000 * 6).map(|at: u32| byte_at(at)).collect();
        let mut heard = Vec::new();
        let mut packets = bytes.chunks(ptime * 8).enumerate().peekable();
        for tick in 0..320 {
            let now = f64::from(tick) * 20.0 + 3.0;
            while let Some((n, chunk)) = packets.next_if(|&(n, _)| (n * ptime) as f64 <= now) {
                line.push(n as u16, (n * ptime * 8) as u32, (n * ptime) as f64, chunk);
            }
            if line.pop(now) == Popped::Sound {
                heard.extend(line.frame.bytes);
            }
        }
        assert_eq!(heard, bytes, "{ptime} ms packets");
        // What was made up is only the end, when nothing came any more.
        assert_eq!(line.buffer.stats(), JitterStats { concealed: 3, ..JitterStats::default() }, "{ptime} ms packets");
    }
}

#[test]
fn half_a_frame_lost_leaves_the_other_half() {
    let mut line = Line::new();
    for n in (0..20u16).filter(|&n| n != 7) {
        line.push(n, u32::from(n) * 80, f64::from(n) * 10.0, &[n as u8; 80]);
    }
    let frames: Vec<_> = (0..6).map(|tick| (line.pop(60.0 + 20.0 * f64::from(tick)), line.frame.clone())).collect();
    assert_eq!(frames[2].0, Popped::Sound);
    assert_eq!(frames[3].0, Popped::Lost);
    assert_eq!(frames[3].1.presence[..80], [Presence::Sound(Codec::Pcmu); 80]);
    assert_eq!(frames[3].1.presence[80..], [Presence::Missing; 80]);
    assert_eq!(frames[3].1.bytes[..80], [6; 80]);
    assert_eq!(frames[4].0, Popped::Sound);
}

#[test]
fn a_key_being_pressed_is_silence_not_loss() {
    let mut line = Line::new();
    let mut drawn = String::new();
    for n in 0..24u16 {
        let ms = f64::from(n) * 20.0;
        if (5..15).contains(&n) {
            let order = line.sequence.push(n);
            line.buffer.push_silence(order);
        } else {
            line.push_20ms(n, u32::from(n) * 160, ms);
        }
        drawn.push(mark(line.pop(ms + 10.0)));
    }
    assert_eq!(drawn, "__.....__________.......");
}

#[test]
fn a_sender_whose_timestamps_stand_still_in_silence_loses_nothing() {
    let mut line = Line::new();
    let mut heard = 0;
    let mut sequence = 0u16;
    for tick in 0..200u32 {
        let ms = f64::from(tick) * 20.0;
        // Speaks for ten packets, pauses for ten, and counts no time meanwhile.
        if tick / 10 % 2 == 0 {
            line.push_20ms(sequence, u32::from(sequence) * 160, ms);
            sequence += 1;
        }
        heard += u32::from(line.pop(ms + 10.0) == Popped::Sound);
    }
    assert_eq!(heard, u32::from(sequence), "{:?}", line.buffer.stats());
}

#[test]
fn after_a_network_freeze_the_conversation_catches_up() {
    for freeze_ms in [150.0, 300.0, 600.0, 2_000.0] {
        let mut line = Line::new();
        let mut sent = 0u16;
        let mut peak = 0;
        for tick in 0..400u32 {
            let now = f64::from(tick) * 20.0 + 10.0;
            let frozen = (2_000.0..2_000.0 + freeze_ms).contains(&now);
            while !frozen && f64::from(sent) * 20.0 <= now {
                line.push_20ms(sent, u32::from(sent) * 160, now);
                sent += 1;
            }
            line.pop(now);
            peak = peak.max(line.buffer.buffered_ms());
        }
        assert!(peak <= 512, "{freeze_ms} ms: {peak} ms buffered");
        assert!(line.buffer.buffered_ms() <= 160, "{freeze_ms} ms: {} ms remain", line.buffer.buffered_ms());
    }
}

#[test]
fn a_delay_a_little_too_long_shrinks_in_a_pause_and_not_within_a_word() {
    // The first packet comes 18 ms before the tick, so that the delay is nearly a frame longer than it need be.
    let mut line = Line::new();
    let (loud, quiet) = ([Law::Mu.encode(8_000); 160], [Law::Mu.encode(20); 160]);
    let mut skipped_at = None;
    for n in 0..500u16 {
        let at = f64::from(n) * 20.0;
        // A sentence of four seconds with a "t" every half second, a pause of one, another sentence.
        let closure = n % 25 < 4;
        let payload = if closure || (200..250).contains(&n) { &quiet } else { &loud };
        line.push(n, u32::from(n) * 160, at, payload);
        line.pop(at + 18.0);
        if line.buffer.stats().skipped > 0 {
            skipped_at.get_or_insert(n);
        }
    }
    assert_eq!(line.buffer.stats().skipped, 1, "{:?}", line.buffer.stats());
    assert!(skipped_at.is_some_and(|n| (208..250).contains(&n)), "skipped at {skipped_at:?}");
}

#[test]
fn a_clock_that_drifts_is_followed_without_growing_or_starving() {
    // ±200 ppm over ten minutes is 120 ms, which neither a fixed delay nor a fixed read rate would survive.
    for ppm in [-200.0, 200.0] {
        let mut line = Line::new();
        let period = 20.0 * (1.0 + ppm / 1e6);
        let (mut n, mut peak) = (0u32, 0);
        for tick in 0..30_000u32 {
            let now = f64::from(tick) * 20.0 + 10.0;
            while f64::from(n) * period <= now {
                line.push_20ms(n as u16, n * 160, f64::from(n) * period);
                n += 1;
            }
            line.pop(now);
            peak = peak.max(line.buffer.buffered_ms());
        }
        let stats = line.buffer.stats();
        assert!(peak <= 100, "{ppm} ppm: {peak} ms buffered");
        // 120 ms are six frames, to be skipped or made up; a few more while the delay finds its place.
        assert!(stats.skipped <= 10 && stats.concealed <= 10 && stats.late <= 3, "{ppm} ppm: {stats:?}");
    }
}

#[test]
fn without_loss_and_within_the_delay_every_byte_comes_out_in_order() {
    for seed in 0..60 {
        let mut random = StdRng::seed_from_u64(seed);
        let ptime = [10usize, 20, 30, 40, 60][random.random_range(0..5)];
        let mut line = Line::new();
        let bytes: Vec<u8> = (0..8_000 * 4).map(|_| random.random()).collect();
        // Up to 15 ms of jitter reorders 10 ms packets and stays within the delay, which is kept from shrinking.
        let config = JitterConfig { least: Duration::from_millis(40), ..JitterConfig::default() };
        line.buffer = JitterBuffer::new(config);
        let mut packets: Vec<_> = bytes
            .chunks(ptime * 8)
            .enumerate()
            .map(|(n, chunk)| ((n * ptime) as f64 + random.random_range(0.0..15.0), n, chunk))
            .collect();
        packets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (first_sequence, first_timestamp): (u16, u32) = random.random();
        let mut packets = packets.into_iter().peekable();
        let mut heard = Vec::new();
        for tick in 0..230 {
            let now = f64::from(tick) * 20.0;
            while let Some((ms, n, chunk)) = packets.next_if(|&(ms, ..)| ms <= now) {
                let sequence = first_sequence.wrapping_add(n as u16);
                let timestamp = first_timestamp.wrapping_add((n * ptime * 8) as u32);
                line.push(sequence, timestamp, ms, chunk);
                if random.random_bool(0.2) {
                    line.push(sequence, timestamp, ms, chunk);
                }
            }
            line.pop(now);
            let sound = line.frame.presence.iter().zip(line.frame.bytes);
            heard
                .extend(sound.filter(|(presence, _)| **presence == Presence::Sound(Codec::Pcmu)).map(|(_, byte)| byte));
        }
        let stats = line.buffer.stats();
        assert_eq!((stats.late, stats.skipped), (0, 0), "seed {seed}, {ptime} ms packets: {stats:?}");
        assert!(heard == bytes, "seed {seed}, {ptime} ms packets: {} of {} bytes", heard.len(), bytes.len());
    }
}

#[test]
fn whatever_arrives_nothing_panics_and_nothing_grows() {
    for seed in 0..40 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut line = Line::new();
        let (mut sequence, mut timestamp) = (random.random::<u16>(), random.random::<u32>());
        let mut ms = 0.0;
        let payload = [0x55; 1_600];
        for _ in 0..3_000 {
            match random.random_range(0..100) {
                0 => sequence = random.random(),
                1 => timestamp = random.random(),
                2 => ms += random.random_range(0.0..3_000.0),
                3 => line.buffer.begin_another_stream(),
                4 => line.buffer.push_silence(Order::Next { index: 0, missing: 0 }),
                5..10 => sequence = sequence.wrapping_add(random.random_range(0..40)).wrapping_sub(20),
                10..15 => timestamp = timestamp.wrapping_add(random.random_range(0..8_000)).wrapping_sub(4_000),
                15..45 => _ = line.pop(ms),
                45..60 => ms += random.random_range(0.0..60.0),
                _ => {
                    let longest = if random.random_bool(0.9) { 160 } else { 1_600 };
                    let length = random.random_range(1..=longest);
                    line.push(sequence, timestamp, ms, &payload[..length]);
                    sequence = sequence.wrapping_add(1);
                    timestamp = timestamp.wrapping_add(length as u32);
                }
            }
            assert!(line.buffer.buffered_ms() <= 512);
            assert!((20..=120).contains(&line.buffer.aim_ms()));
        }
        // It still works afterwards: a sender that starts over is heard at once.
        sequence = line.sequence.extended_highest().wrapping_add(20_000) as u16;
        let drawn: String = (0..100u32)
            .map(|n| {
                ms += 20.0;
                sequence = sequence.wrapping_add(1);
                line.push(sequence, n * 160, ms, &payload[..160]);
                mark(line.pop(ms + 1.0))
            })
            .collect();
        assert!(drawn.matches('.').count() > 85, "seed {seed}: {drawn}");
    }
}

/// One minute of a network; what it does to packet `n` sent at `n · 20 ms`: `None` loses it, else it takes so long.
type Network = fn(&mut StdRng, &mut bool) -> Option<f64>;

#[test]
fn a_table_of_networks_shows_what_is_made_up_and_how_long_it_takes() {
    // Name, network, most frames made up of 3,000, longest aim in ms.
    let rows: &[(&str, Network, u64, u64)] = &[
        ("steady", |_, _| Some(5.0), 0, 20),
        ("10 ms jitter", |random, _| Some(random.random_range(0.0..10.0)), 3, 30),
        ("30 ms jitter", |random, _| Some(random.random_range(0.0..30.0)), 15, 50),
        ("1 % spikes of 80 ms", |random, _| Some(if random.random_bool(0.01) { 80.0 } else { 5.0 }), 60, 100),
        ("3 % loss", |random, _| (!random.random_bool(0.03)).then_some(5.0), 130, 20),
        // Gilbert: a burst begins with 1 % and goes on with 2 in 3, three packets on average.
        (
            "3 % burst loss",
            |random, bad| {
                *bad = random.random_bool(if *bad { 0.667 } else { 0.01 });
                (!*bad).then_some(5.0)
            },
            150,
            20,
        ),
        (
            "3 % burst loss, 30 ms jitter",
            |random, bad| {
                *bad = random.random_bool(if *bad { 0.667 } else { 0.01 });
                (!*bad).then(|| random.random_range(0.0..30.0))
            },
            160,
            50,
        ),
    ];
    println!(
        "{:<30} {:>5} {:>5} {:>9} {:>8} {:>8} {:>6} {:>9}",
        "", "lost", "late", "made up", "inserted", "skipped", "aim", "delay"
    );
    for (name, network, most_made_up, longest_aim) in rows {
        let mut random = StdRng::seed_from_u64(20);
        let mut bad = false;
        let mut packets: Vec<_> =
            (0..3_000u16).filter_map(|n| Some((f64::from(n) * 20.0 + network(&mut random, &mut bad)?, n))).collect();
        packets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let lost = 3_000 - packets.len() as u64;
        let mut packets = packets.into_iter().peekable();
        let mut line = Line::new();
        let (mut delay, mut frames) = (0.0, 0.0);
        for tick in 0..3_000u32 {
            let now = f64::from(tick) * 20.0 + 13.0;
            while let Some((ms, n)) = packets.next_if(|&(ms, _)| ms <= now) {
                line.push(n, u32::from(n) * 160, ms, &[byte_at(u32::from(n) * 160); 160]);
            }
            if line.pop(now) == Popped::Sound {
                // From the moment the frame was sent until it is played.
                delay += now - (line.buffer.play - FRAME - OVERTAKEN) as f64 / 8.0;
                frames += 1.0;
            }
        }
        let (stats, aim) = (line.buffer.stats(), line.buffer.aim_ms());
        println!(
            "{name:<30} {lost:>5} {:>5} {:>9} {:>8} {:>8} {aim:>3} ms {:>6.1} ms",
            stats.late,
            stats.concealed,
            stats.inserted,
            stats.skipped,
            delay / frames
        );
        assert!(stats.concealed <= *most_made_up, "{name}: {stats:?}");
        assert!(aim <= *longest_aim, "{name}: aim {aim} ms");
    }
}
