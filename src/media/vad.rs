//! Is somebody speaking in this frame?
//!
//! Two judges. [`Gate`] is cheap and runs on every frame of every leg: level above an adaptive floor, and the
//! WebRTC detector agreeing. It misses little and believes too much. [`NeuralVad`] costs about twice as much and
//! is believed; a leg runs it only while the gate hears something. `examples/vad.rs` prints what both miss and
//! invent on real speech in real noise; the constants here are chosen from its table.

mod network;

use webrtc_vad::{SampleRate, Vad, VadMode};

use self::network::{HOP, Network};
use crate::audio::FRAME_8K;
use crate::audio::level::rms_dbov;

/// How far above the floor a frame must be to count as loud. At 9 dB three quarters of the frames of speech at
/// 10 dB SNR drown; at 6 dB one in four.
const ABOVE_FLOOR_DB: f32 = 6.0;
/// Nothing fainter than this is speech to us: telephone speech lies between −15 and −35 dBov, line hiss below −55.
const FAINTEST_DBOV: f32 = -48.0;
/// The floor never sinks below this, so that digital silence does not make a whisper of hiss loud.
const LOWEST_FLOOR_DBOV: f32 = -60.0;
/// The floor is the least smoothed level within this many blocks of [`FLOOR_BLOCK_FRAMES`]: two seconds, in which
/// speech always pauses and a steady noise never does (minimum statistics, R. Martin, IEEE TSAP 9(5), 2001).
const FLOOR_BLOCKS: usize = 8;
/// Frames in one block of the floor: 240 ms.
const FLOOR_BLOCK_FRAMES: u32 = 12;

/// What the gate heard in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateFrame {
    /// Root mean square level (see [`crate::audio::level`]).
    pub level_dbov: f32,
    /// Level of the background, likewise.
    pub floor_dbov: f32,
    /// Worth waking [`NeuralVad`] for.
    pub loud: bool,
}

/// The cheap judge of 8 kHz frames.
///
/// Holds a C object that may not move between threads, so a gate is made on the thread that uses it.
pub struct Gate {
    webrtc: Vad,
    floor: Floor,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A gate that has heard nothing yet.
    pub fn new() -> Self {
        // Mode 2 of 0..=3: mode 3 cuts the soft ends of words and refuses hardly more noise (see the table).
        let webrtc = Vad::new_with_rate_and_mode(SampleRate::Rate8kHz, VadMode::Aggressive);
        Self { webrtc, floor: Floor::new() }
    }

    /// Judges one frame. Per frame: no allocation, no lock, no log.
    pub fn frame(&mut self, samples: &[i16; FRAME_8K]) -> GateFrame {
        // The detector learns from every frame, so it is asked even where the level already says no.
        let voice = self.webrtc.is_voice_segment(samples).unwrap_or(false);
        let measured = self.level(samples);
        GateFrame { loud: voice && measured.loud, ..measured }
    }

    /// Judges one frame by its level alone, for a fifth of the price: while somebody is believed to speak, the better
    /// judge listens anyway, and nothing is learned about the line. Per frame: no allocation, no lock, no log.
    pub fn level(&mut self, samples: &[i16; FRAME_8K]) -> GateFrame {
        let level_dbov = rms_dbov(samples);
        let floor_dbov = self.floor.update(level_dbov);
        let loud = level_dbov > FAINTEST_DBOV && level_dbov > floor_dbov + ABOVE_FLOOR_DB;
        GateFrame { level_dbov, floor_dbov, loud }
    }
}

/// Background level: falls at once, rises within two seconds. The first frame is background until a fainter one
/// comes: a line that hums from the start is not taken for a speaker, and a speaker soon pauses.
struct Floor {
    smoothed: f32,
    blocks: [f32; FLOOR_BLOCKS],
    current: f32,
    frames: u32,
    block: usize,
}

impl Floor {
    fn new() -> Self {
        Self { smoothed: f32::NAN, blocks: [f32::MAX; FLOOR_BLOCKS], current: f32::MAX, frames: 0, block: 0 }
    }

    fn update(&mut self, level_dbov: f32) -> f32 {
        if self.smoothed.is_nan() {
            self.smoothed = level_dbov.max(LOWEST_FLOOR_DBOV);
        }
        let weight = if level_dbov < self.smoothed { 0.5 } else { 0.3 };
        self.smoothed += weight * (level_dbov.max(LOWEST_FLOOR_DBOV) - self.smoothed);
        self.current = self.current.min(self.smoothed);
        self.frames += 1;
        if self.frames == FLOOR_BLOCK_FRAMES {
            self.blocks[self.block] = self.current;
            self.block = (self.block + 1) % FLOOR_BLOCKS;
            (self.frames, self.current) = (0, f32::MAX);
        }
        self.blocks.iter().copied().fold(self.current, f32::min).max(LOWEST_FLOOR_DBOV)
    }
}

/// Lags of the pitch of human voices at 8 kHz: 400 Hz down to 60 Hz.
const PITCH_LAGS: std::ops::RangeInclusive<usize> = 20..=133;

/// How much the newest frame repeats itself at the pitch of a voice, −1..1: the highest normalised autocorrelation.
/// Vowels come near 1, the bang of a door near 0. `before` is the frame before. About 20,000 multiplications, so asked
/// only while a voice is doubted. Per frame: no allocation, no lock, no log.
pub fn periodicity(before: &[i16; FRAME_8K], frame: &[i16; FRAME_8K]) -> f32 {
    let mut line = [0.0; 2 * FRAME_8K];
    for (slot, &sample) in line.iter_mut().zip(before.iter().chain(frame)) {
        *slot = f32::from(sample);
    }
    let now = &line[FRAME_8K..];
    // Eight sums side by side, as processors like it; their order makes no difference here.
    let dot = |one: &[f32], other: &[f32]| {
        let mut sums = [0.0; 8];
        for (one, other) in one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0) {
            sums.iter_mut().zip(one).zip(other).for_each(|((sum, a), b)| *sum += a * b);
        }
        sums.iter().sum::<f32>()
    };
    let energy = dot(now, now);
    let at = |lag: usize| {
        let earlier = &line[FRAME_8K - lag..2 * FRAME_8K - lag];
        dot(now, earlier) / (energy * dot(earlier, earlier)).sqrt().max(1.0)
    };
    PITCH_LAGS.map(at).fold(-1.0, f32::max)
}

/// The judge that is believed: a small recurrent network.
pub struct NeuralVad {
    network: Box<Network>,
    window: [i16; HOP],
    filled: usize,
    last: f32,
}

impl Default for NeuralVad {
    fn default() -> Self {
        Self::new()
    }
}

impl NeuralVad {
    /// A detector that has heard nothing.
    pub fn new() -> Self {
        Self { network: Box::new(Network::new()), window: [0; HOP], filled: 0, last: 0.0 }
    }

    /// Forgets what it heard: what follows does not join on to it.
    pub fn reset(&mut self) {
        *self.network = Network::new();
        (self.filled, self.last) = (0, 0.0);
    }

    /// How sure it is that somebody speaks, 0..1: the highest score among the windows that end in this frame.
    /// Per frame: no allocation, no lock, no log.
    pub fn frame(&mut self, samples: &[i16; FRAME_8K]) -> f32 {
        let mut highest = None::<f32>;
        let mut rest = &samples[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(HOP - self.filled));
            if let Some(score) = self.push(now) {
                highest = Some(highest.map_or(score, |other| other.max(score)));
            }
            rest = later;
        }
        self.last = highest.unwrap_or(self.last);
        self.last
    }

    /// Takes no more than the window has room for.
    fn push(&mut self, samples: &[i16]) -> Option<f32> {
        self.window[self.filled..self.filled + samples.len()].copy_from_slice(samples);
        self.filled += samples.len();
        if self.filled < HOP {
            return None;
        }
        self.filled = 0;
        Some(self.network.hear(&self.window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::fixtures::{noise, voice};

    #[test]
    fn silence_and_line_hiss_are_never_loud() {
        let mut gate = Gate::new();
        let hiss = noise(500, -55.0);
        assert!(!hiss.iter().chain([&[0; FRAME_8K]; 100]).any(|frame| gate.frame(frame).loud));
    }

    #[test]
    fn a_steady_noise_becomes_the_floor_within_three_seconds() {
        let mut gate = Gate::new();
        let frames = noise(400, -30.0);
        let heard: Vec<GateFrame> = frames.iter().map(|frame| gate.frame(frame)).collect();
        assert!(heard[150..].iter().all(|frame| !frame.loud));
        assert!((heard[399].floor_dbov + 30.0).abs() < 3.0, "{:?}", heard[399]);
    }

    #[test]
    fn the_floor_falls_at_once_when_the_noise_stops() {
        let mut gate = Gate::new();
        noise(300, -30.0).iter().for_each(|frame| _ = gate.frame(frame));
        let quiet = noise(10, -58.0);
        let after = quiet.iter().map(|frame| gate.frame(frame).floor_dbov).last().expect("ten frames");
        assert!(after < -50.0, "{after}");
    }

    #[test]
    fn the_neural_judge_does_not_take_noise_or_silence_for_speech() {
        let mut judge = NeuralVad::new();
        for frame in noise(200, -30.0).iter().chain([&[0; FRAME_8K]; 50]) {
            let score = judge.frame(frame);
            assert!((0.0..0.7).contains(&score), "{score}");
        }
    }

    #[test]
    fn both_judges_hear_a_voice() {
        let (mut gate, mut judge) = (Gate::new(), NeuralVad::new());
        noise(50, -60.0).iter().for_each(|frame| _ = gate.frame(frame));
        let voice = voice(50, 16_000.0);
        assert!(voice.iter().filter(|frame| gate.frame(frame).loud).count() > 45);
        let scores: Vec<f32> = voice.iter().map(|frame| judge.frame(frame)).collect();
        assert!(scores[5..].iter().all(|score| *score > 0.6), "{scores:?}");
    }

    #[test]
    fn a_voice_has_a_pitch_and_noise_has_none() {
        let all = |frames: &[[i16; FRAME_8K]]| -> Vec<f32> {
            frames.windows(2).map(|pair| periodicity(&pair[0], &pair[1])).collect()
        };
        let voiced = all(&voice(100, 16_000.0));
        assert!(voiced.iter().filter(|one| **one > 0.5).count() > 80, "{voiced:?}");
        assert!(all(&noise(100, -12.0)).iter().all(|one| *one < 0.4));
        assert_eq!(periodicity(&[0; FRAME_8K], &[0; FRAME_8K]), 0.0);
    }

    #[test]
    fn a_reset_judge_scores_as_a_new_one() {
        let (mut used, mut fresh) = (NeuralVad::new(), NeuralVad::new());
        noise(33, -20.0).iter().for_each(|frame| _ = used.frame(frame));
        used.reset();
        for frame in &noise(20, -35.0) {
            assert_eq!(used.frame(frame), fresh.frame(frame));
        }
    }

    #[test]
    fn extreme_samples_do_not_upset_either_judge() {
        let (mut gate, mut judge) = (Gate::new(), NeuralVad::new());
        let wild: [i16; FRAME_8K] = std::array::from_fn(|place| if place % 2 == 0 { i16::MIN } else { i16::MAX });
        for _ in 0..50 {
            assert!(gate.frame(&wild).level_dbov <= 0.01);
            assert!((0.0..=1.0).contains(&judge.frame(&wild)));
        }
    }
}
