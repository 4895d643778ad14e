//! One caller's ear: frames in, utterances out.
//!
//! The gate hears every frame; when it is loud, the neural judge wakes, catches up on the last frames and stays awake
//! until the endpointer is quiet again. So a silent caller costs a gate, and a talking one is judged by the better
//! ear from the first loud frame to the last silence.

use std::sync::Arc;
use std::time::Instant;

use super::Listen;
use super::capture::Capture;
use super::endpointer::{Endpointer, Signal, Signals, Verdict};
use super::vad::{Gate, GateFrame, NeuralVad, periodicity};
use crate::audio::{FRAME_8K, Pcm};
use crate::id::UtteranceId;

/// Frames the neural judge catches up on when it wakes: its memory needs about as many to settle.
const CATCH_UP_FRAMES: usize = 12;

/// Repetition that makes a frame part of a voice (see [`periodicity`]).
const PITCHED: f32 = 0.45;
/// Frames without a pitch that are still believed after one that had it: consonants.
const PITCH_HOLD_FRAMES: u32 = 6;
/// So sure, the neural judge is believed without a pitch: whispers.
const CERTAIN: f32 = 0.92;
/// A frame this far below the voice we are hearing is not that voice: somebody else's, further away, or a noise that
/// the neural judge, whose memory is long, still takes for its tail.
const BELOW_VOICE_DB: f32 = 22.0;
/// How fast a voice is forgotten while it does not sound as loud as before.
const VOICE_FALLS_DB: f32 = 0.1;

/// How sure the neural judge must be, on a quiet line and in noise; in between, in between. A quiet line is where a
/// caller may be believed quickly, because nothing else is there to be believed. Chosen from the table that
/// `examples/vad.rs` prints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// To believe that speech has begun, with a floor of [`QUIET_DBOV`] or less.
    pub believe_quiet: f32,
    /// The same with a floor of [`NOISY_DBOV`] or more.
    pub believe_noisy: f32,
    /// To believe that it still goes on, likewise.
    pub keep_quiet: f32,
    /// The same in noise.
    pub keep_noisy: f32,
}

/// A line with a floor as low as this is quiet.
pub const QUIET_DBOV: f32 = -55.0;
/// A line with a floor as high as this is noisy.
pub const NOISY_DBOV: f32 = -42.0;

impl Default for Thresholds {
    fn default() -> Self {
        Self { believe_quiet: 0.5, believe_noisy: 0.65, keep_quiet: 0.5, keep_noisy: 0.65 }
    }
}

impl Thresholds {
    /// To believe and to keep believing, over a background of `floor_dbov`.
    fn over(&self, floor_dbov: f32) -> (f32, f32) {
        let noise = ((floor_dbov - QUIET_DBOV) / (NOISY_DBOV - QUIET_DBOV)).clamp(0.0, 1.0);
        let between = |quiet: f32, noisy: f32| quiet + noise * (noisy - quiet);
        (between(self.believe_quiet, self.believe_noisy), between(self.keep_quiet, self.keep_noisy))
    }
}

/// What came of one frame.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// The gate's measurements.
    pub gate: GateFrame,
    /// Loud, and not our own echo.
    pub loud: bool,
    /// What the endpointer found out.
    pub signals: Signals,
}

impl Heard {
    /// Has speech been confirmed, or renewed after a pause, by this very frame?
    pub fn speech_began(&self) -> bool {
        let begins = |signal: &Signal| matches!(signal, Signal::Started { .. } | Signal::Resumed { .. });
        self.signals.iter().flatten().any(begins)
    }
}

/// Gate, neural judge, endpointer and capture of one leg. Belongs to the thread that made it (see [`Gate`]).
pub struct Ear {
    gate: Gate,
    neural: NeuralVad,
    endpointer: Endpointer,
    capture: Capture,
    thresholds: Thresholds,
    /// Level of the voice we are hearing.
    voice_dbov: f32,
    /// Frames since something had a pitch.
    pitched_ago: u32,
}

impl Ear {
    /// An ear that has heard nothing.
    pub fn new(listen: Listen, thresholds: Thresholds) -> Self {
        Self {
            gate: Gate::new(),
            neural: NeuralVad::new(),
            endpointer: Endpointer::new(listen),
            capture: Capture::new(),
            thresholds,
            voice_dbov: f32::NEG_INFINITY,
            pitched_ago: u32::MAX,
        }
    }

    /// Hears the next frame, which arrived at `at`. Frames fainter than `guard_dbov` are taken for the echo of our
    /// own prompt. Per frame: no allocation beyond [`Capture::push`]'s, no lock, no log.
    pub fn frame(&mut self, samples: &[i16; FRAME_8K], guard_dbov: f32, at: Instant) -> Heard {
        let gate = match self.endpointer.has_utterance() {
            true => self.gate.level(samples),
            false => self.gate.frame(samples),
        };
        let audible = gate.level_dbov > guard_dbov;
        let loud = gate.loud && audible;
        let voiced = self.voiced(samples, gate, loud) && audible;
        self.capture.push(samples, self.endpointer.keeps_from());
        Heard { gate, loud, signals: self.endpointer.frame(Verdict { loud, voiced }, at) }
    }

    /// The sound of an [`Signal::Offer`]; `None` for any other signal. Allocates, once per offer.
    pub fn sound(&self, signal: &Signal) -> Option<Arc<Pcm>> {
        match *signal {
            Signal::Offer { from, until, .. } => Some(self.capture.copy(from..until)),
            _ => None,
        }
    }

    /// Listens like this from now on.
    pub fn listen(&mut self, listen: Listen) {
        self.endpointer.listen(listen);
    }

    /// See [`Endpointer::commit`].
    pub fn commit(&mut self, utterance: UtteranceId) -> Option<Signal> {
        self.endpointer.commit(utterance)
    }

    /// Does somebody speak, as far as we believe?
    pub fn is_speaking(&self) -> bool {
        self.endpointer.is_speaking()
    }

    fn voiced(&mut self, samples: &[i16; FRAME_8K], gate: GateFrame, loud: bool) -> bool {
        if !self.endpointer.is_attentive() {
            if !loud {
                return false;
            }
            self.wake();
        }
        let score = self.neural.frame(samples);
        let (believe, keep) = self.thresholds.over(gate.floor_dbov);
        if score >= believe {
            self.voice_dbov = gate.level_dbov.max(self.voice_dbov - VOICE_FALLS_DB);
        }
        match self.endpointer.has_utterance() {
            true => score >= keep && gate.level_dbov > self.voice_dbov - BELOW_VOICE_DB,
            false => score >= believe && self.sounds_voiced(samples, score),
        }
    }

    /// Bangs and hisses that begin out of silence deceive the neural judge for a while; they have no pitch.
    fn sounds_voiced(&mut self, samples: &[i16; FRAME_8K], score: f32) -> bool {
        let before = self.capture.newest(1).next().unwrap_or(&[0; FRAME_8K]);
        let pitched = periodicity(before, samples) >= PITCHED;
        self.pitched_ago = if pitched { 0 } else { self.pitched_ago.saturating_add(1) };
        self.pitched_ago <= PITCH_HOLD_FRAMES || score >= CERTAIN
    }

    fn wake(&mut self) {
        self.voice_dbov = f32::NEG_INFINITY;
        self.pitched_ago = u32::MAX;
        self.neural.reset();
        for earlier in self.capture.newest(CATCH_UP_FRAMES) {
            self.neural.frame(earlier);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::fixtures::{noise, voice};
    use crate::time::{Clock, SystemClock};

    const NO_ECHO: f32 = f32::NEG_INFINITY;

    fn ear() -> Ear {
        Ear::new(Listen::default(), Thresholds::default())
    }

    /// What comes of `frames`, with the number of the frame it comes at.
    fn hear(ear: &mut Ear, frames: &[[i16; FRAME_8K]], guard_dbov: f32) -> Vec<(usize, Signal)> {
        let now = SystemClock.now().mono;
        let signals = |(place, frame)| {
            let signals = ear.frame(frame, guard_dbov, now).signals;
            signals.into_iter().flatten().map(move |signal| (place, signal)).collect::<Vec<_>>()
        };
        frames.iter().enumerate().flat_map(signals).collect()
    }

    fn spoken() -> Vec<[i16; FRAME_8K]> {
        [noise(50, -60.0), voice(40, 16_000.0), noise(50, -60.0)].concat()
    }

    #[test]
    fn a_voice_is_one_utterance_from_its_pre_roll_to_its_tail() {
        let (mut ear, frames) = (ear(), spoken());
        let signals = hear(&mut ear, &frames, NO_ECHO);
        let [(started, Signal::Started { began, .. }), (offered, offer @ Signal::Offer { from, until, .. })] =
            signals[..]
        else {
            panic!("{signals:?}")
        };
        assert!((50..53).contains(&began.frame) && started < 56, "began at {} , believed at {started}", began.frame);
        assert!((101..107).contains(&offered), "offered {offered} frames in, after 260 ms of silence");
        let sound = ear.sound(&offer).expect("an offer has sound");
        assert_eq!(sound.samples, frames[from as usize..until as usize].as_flattened());
        assert_eq!(ear.sound(&signals[0].1), None);
    }

    #[test]
    fn what_is_fainter_than_our_echo_may_be_is_not_heard() {
        assert!(hear(&mut ear(), &spoken(), -5.0).is_empty());
    }

    #[test]
    fn noise_of_any_steady_level_is_no_utterance() {
        for level in [-60.0, -45.0, -30.0, -15.0] {
            let signals = hear(&mut ear(), &noise(500, level), NO_ECHO);
            assert!(signals.is_empty(), "{level}: {signals:?}");
        }
    }

    #[test]
    fn slammed_doors_are_no_utterances() {
        let mut ear = ear();
        for _ in 0..10 {
            let signals = hear(&mut ear, &[noise(8, -15.0), noise(40, -60.0)].concat(), NO_ECHO);
            assert!(signals.is_empty(), "{signals:?}");
        }
    }

    #[test]
    fn a_quiet_line_is_believed_sooner_than_a_noisy_one() {
        let thresholds = Thresholds::default();
        assert_eq!(thresholds.over(-90.0), (thresholds.believe_quiet, thresholds.keep_quiet));
        assert_eq!(thresholds.over(-20.0), (thresholds.believe_noisy, thresholds.keep_noisy));
        let (between, _) = thresholds.over(-48.0);
        assert!(thresholds.believe_quiet < between && between < thresholds.believe_noisy);
    }
}
