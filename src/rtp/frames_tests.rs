//! Opus and G.729 through the receiver's buffer of packets: in order, lost, overtaken, silent, drifting.

use super::*;
use crate::audio::codec::Encoder;
use crate::audio::level::rms_dbov;
use crate::rtp::OpusParams;
use crate::rtp::sequence::Sequence;
use crate::time::{Clock, SystemClock};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::time::Duration;

/// Codecs whose packets cannot be cut.
const FRAMED: [Codec; 2] = [Codec::Opus, Codec::G729];

/// A stream under test on a clock of its own.
struct Line {
    zero: Instant,
    sequence: Sequence,
    buffer: FrameBuffer,
    decoder: Decoder,
    concealer: Concealer,
}

impl Line {
    fn new(codec: Codec) -> Self {
        Self {
            zero: SystemClock.now().mono,
            sequence: Sequence::default(),
            buffer: FrameBuffer::new(codec, JitterConfig::default()),
            decoder: Decoder::new(codec).expect("libopus is linked"),
            concealer: Concealer::new(),
        }
    }

    fn push(&mut self, n: u16, timestamp: u32, payload: &[u8], micros: i64) {
        let packet = Packet { marker: false, payload_type: 111, sequence: n, timestamp, ssrc: 1, payload };
        let at = self.zero + Duration::from_micros(micros.unsigned_abs());
        match self.sequence.push(n) {
            order if payload.is_empty() => self.buffer.push_silence(order),
            order => _ = self.buffer.push(&packet, order, at),
        }
    }

    fn pull(&mut self, micros: i64) -> (Frame, [i16; FRAME_8K]) {
        let mut sound = [7; FRAME_8K];
        let at = self.zero + Duration::from_micros(micros.unsigned_abs());
        (self.buffer.pull(at, &mut self.decoder, &mut self.concealer, &mut sound), sound)
    }
}

/// A voice that never breathes: what a speech codec is made for, and conceals well.
fn vowel(ms: u32) -> Vec<i16> {
    let sample = |n: u32| {
        let t = f64::from(n) / 8_000.0;
        let pitch = 130.0 * t + 0.4 * (2.0 * t).sin();
        (1..20).map(|harmonic| (f64::from(harmonic) * pitch * std::f64::consts::TAU).sin() / f64::from(harmonic)).sum()
    };
    let samples = (0..ms * 8).map(sample);
    samples.map(|sample: f64| (sample * 6_000.0) as i16).collect()
}

/// The vowel as packets of `ms`.
fn packets(codec: Codec, ms: u32, count: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, &OpusParams::default()).expect("libopus is linked");
    encoder.loss_expected(10);
    let sound = vowel(ms * count as u32);
    let encode = |part: &[i16]| {
        let mut out = [0; LONGEST_OPUS];
        let length = encoder.encode(part, &mut out);
        out[..length].to_vec()
    };
    sound.chunks_exact(ms as usize * 8).map(encode).collect()
}

/// Ten seconds of packets of `ms` over a network that says when each arrives; what each frame of 20 ms was.
fn run(codec: Codec, ms: u32, mut arrival: impl FnMut(u16) -> Option<i64>) -> (Vec<(Frame, f32)>, JitterStats) {
    let sound = packets(codec, ms, 10_000 / ms as usize);
    let mut line = Line::new(codec);
    let mut arrivals: Vec<(i64, u16)> = (0..sound.len() as u16)
        .filter_map(|n| Some((i64::from(n) * i64::from(ms) * 1_000 + 30_000 + arrival(n)?, n)))
        .collect();
    arrivals.sort_unstable();
    let mut next = arrivals.into_iter().peekable();
    let mut frames = Vec::new();
    for tick in 0..500 {
        let now = tick * 20_000 + 7_000;
        while let Some((at, n)) = next.next_if(|(at, _)| *at <= now) {
            line.push(n, u32::from(n) * ms * codec.clock_rate_hz() / 1_000, &sound[usize::from(n)], at);
        }
        let (frame, sound) = line.pull(now);
        frames.push((frame, rms_dbov(&sound)));
    }
    (frames, line.buffer.stats())
}

fn count(frames: &[(Frame, f32)], kind: Frame) -> usize {
    frames.iter().filter(|(frame, _)| *frame == kind).count()
}

#[test]
fn packets_of_every_length_become_frames_without_a_gap() {
    for (codec, ms) in FRAMED.into_iter().flat_map(|codec| [10, 20, 30, 40, 60].map(|ms| (codec, ms))) {
        if !codec.has_packets_of(ms) {
            continue;
        }
        let (frames, stats) = run(codec, ms, |_| Some(0));
        assert!(count(&frames, Frame::Sound) > 485, "{codec}, {ms} ms: {stats:?}");
        let sent = rms_dbov(&vowel(10_000));
        let loud = frames.iter().filter(|(frame, level)| *frame == Frame::Sound && (level - sent).abs() < 3.0).count();
        assert!(loud > 400, "{codec}, {ms} ms: {loud} frames at the level that was sent");
        assert_eq!((count(&frames, Frame::Concealed), stats.late), (0, 0), "{codec}, {ms} ms: {stats:?}");
    }
}

#[test]
fn what_is_lost_or_overtaken_is_made_up_or_put_in_order_and_sounds_on() {
    for codec in FRAMED {
        let mut random = StdRng::seed_from_u64(3);
        let (frames, stats) = run(codec, 20, |n| (n % 20 != 7).then(|| random.random_range(0..=40_000)));
        let made_up = count(&frames, Frame::Concealed);
        assert!((20..60).contains(&made_up), "{codec}: {made_up} frames made up of 25 lost: {stats:?}");
        let sent = rms_dbov(&vowel(10_000));
        // After a loss the encoder of G.729 builds upon what its decoder does not have, and both meet again slowly.
        let least = sent - if codec == Codec::G729 { 16.0 } else { 8.0 };
        let faint: Vec<_> = frames.iter().enumerate().skip(60).filter(|(_, (_, level))| *level < least).collect();
        assert!(faint.len() < 5, "{codec}: holes at {faint:?}");
    }
}

#[test]
fn a_steady_network_plays_each_packet_once_whatever_the_clock_drifts() {
    for ppm in [-300, 300] {
        let (frames, stats) = run(Codec::Opus, 20, |n| Some(i64::from(n) * ppm / 50));
        assert!(count(&frames, Frame::Sound) > 480, "{ppm} ppm: {stats:?}");
        assert!(stats.late <= 1, "{ppm} ppm: {stats:?}");
    }
}

#[test]
fn a_key_or_a_pause_between_packets_is_silence_and_no_loss() {
    let sound = packets(Codec::Opus, 20, 100);
    let mut line = Line::new(Codec::Opus);
    let mut frames = Vec::new();
    let mut n = 0_u16;
    for tick in 0..200_u32 {
        let micros = i64::from(tick) * 20_000;
        // Half a second of sound, half a second of a key's packets, half a second of nothing, and again.
        match tick % 75 {
            0..25 => {
                line.push(n, tick * 960, &sound[usize::from(n) % 100], micros);
                n += 1;
            }
            25..50 => {
                line.push(n, tick * 960, &[], micros);
                n += 1;
            }
            _ => {}
        }
        frames.push(line.pull(micros + 7_000).0);
    }
    let concealed = frames.iter().filter(|frame| **frame == Frame::Concealed).count();
    assert_eq!(concealed, 0, "{frames:?}");
    let sounding = frames.iter().filter(|frame| **frame == Frame::Sound).count();
    assert!((66..=90).contains(&sounding), "{sounding} frames");
}

#[test]
fn when_packets_stop_a_little_is_made_up_and_then_it_is_silent() {
    let (frames, _) = run(Codec::Opus, 20, |n| (n < 100).then_some(0));
    let last = frames.iter().rposition(|(frame, _)| *frame != Frame::Nothing).expect("sound");
    assert_eq!(count(&frames, Frame::Concealed), DRY_FRAMES);
    assert!((100..110).contains(&last));
    assert!(frames[last + 2..].iter().all(|(_, level)| *level < -100.0));
}

#[test]
fn a_silence_that_was_described_lasts_until_sound_comes_again_and_is_no_loss() {
    let sound = packets(Codec::G729, 20, 100);
    let mut line = Line::new(Codec::G729);
    let mut frames = Vec::new();
    let mut n = 0_u16;
    for tick in 0..200_u32 {
        let micros = i64::from(tick) * 20_000;
        // Half a second of sound, of which the last 10 ms describe what follows, and half a second of nothing.
        let payload = match tick % 50 {
            0..24 => &sound[usize::from(n) % 100][..],
            24 => &[&sound[usize::from(n) % 100][..10], &[0, 14 << 1]].concat(),
            _ => &[],
        };
        if !payload.is_empty() {
            line.push(n, tick * 160, payload, micros);
            n += 1;
        }
        let (frame, sound) = line.pull(micros + 7_000);
        frames.push((frame, rms_dbov(&sound)));
    }
    assert_eq!(count(&frames, Frame::Concealed), 0, "{frames:?}");
    let noise: Vec<f32> = frames.iter().filter(|(frame, _)| *frame == Frame::Noise).map(|(_, level)| *level).collect();
    assert!((85..=100).contains(&noise.len()) && count(&frames, Frame::Nothing) < 6, "{frames:?}");
    assert!(noise.iter().all(|level| (-65.0..-35.0).contains(level)), "{noise:?}");
}

#[test]
fn what_waits_survives_that_longer_packets_may_come() {
    let sound = packets(Codec::G729, 20, 10);
    let mut line = Line::new(Codec::G729);
    let narrow = line.buffer.longest();
    (0..5).for_each(|n| line.push(n, u32::from(n) * 160, &sound[usize::from(n)], i64::from(n) * 1_000));
    line.buffer.make_room(Codec::Opus);
    assert!(narrow < 150 && line.buffer.longest() == LONGEST_OPUS);
    let mut whole = Line::new(Codec::G729);
    (0..5).for_each(|n| whole.push(n, u32::from(n) * 160, &sound[usize::from(n)], i64::from(n) * 1_000));
    for tick in 0..10 {
        assert_eq!(line.pull(tick * 20_000 + 5_000), whole.pull(tick * 20_000 + 5_000));
    }
}

#[test]
fn random_packets_in_random_order_never_panic() {
    let mut random = StdRng::seed_from_u64(9);
    let mut line = Line::new(Codec::Opus);
    for round in 0..30_000_i64 {
        let mut payload = vec![0; random.random_range(0..200)];
        random.fill(&mut payload[..]);
        if random.random_bool(0.01) {
            line.buffer.begin_another_stream();
            line.sequence.forget();
        }
        let reach = if random.random_bool(0.05) { 40_000 } else { 6 };
        let n = (round as u16).wrapping_add(random.random_range(0..reach));
        line.push(
            n,
            if random.random_bool(0.9) { u32::from(n) * 960 } else { random.random() },
            &payload,
            round * 20_000,
        );
        line.pull(round * 20_000 + 5_000);
    }
}
