//! How long sound waits in a jitter buffer, and when that is made longer or shorter by a frame.
//!
//! The **delay** of the frame being played, counted from its undisturbed arrival, absorbs what packets come late; it is
//! steered towards the aim that [`super::lateness`] learns. Each correction may be heard as a small flaw, so they keep
//! apart, and a delay a little too long waits for a pause in the sound, so that nothing is cut out of a word. The same
//! steering follows a sender whose clock is not ours.
//!
//! Both buffers, [`super::jitter`] and [`super::frames`], are steered by this. All times are microseconds; a place is
//! the time at which sound stands on the sender's timeline.

use std::time::Instant;

use super::jitter::JitterConfig;
use super::lateness::Lateness;
use crate::audio::FRAME_MS;

/// One frame.
pub(super) const FRAME_MICROS: i64 = FRAME_MS as i64 * 1_000;
/// Frames made up when packets stop coming, before it is called silence: as long as concealment sounds.
pub(super) const DRY_FRAMES: i64 = 3;
/// Sound that never exceeds this, about -38 dB, is skipped without being missed.
pub(super) const QUIET_PEAK: u16 = 400;
/// A timestamp this far from where the clock expects it is a new beginning, not a network: the sender's clock was
/// set anew. Below what a buffer holds.
const TIMESTAMP_JUMP_MICROS: i64 = 400_000;
/// Delay may exceed the aim by a frame (it moves in frames) and this much, before a frame is skipped.
const SLACK_MICROS: i64 = 10_000;
/// Between two corrections.
const CORRECTION_PAUSE_MICROS: i64 = 200_000;
/// The same while the delay is far too long: after a network freeze the conversation must catch up.
const HURRIED_PAUSE_MICROS: i64 = 60_000;
/// Delay above the aim at which the hurry begins.
const HURRY_MICROS: i64 = 60_000;
/// Quiet frames that make a pause. Fewer may be the closure of a "t" or "k", and 20 ms less of that is another word to
/// a recogniser.
const PAUSE_FRAMES: u32 = 8;
/// How long a delay a little too long waits for a pause at most.
const PATIENCE_MICROS: i64 = 5_000_000;
/// Delay above the aim at which everything older is given up.
const GIVE_UP_MICROS: i64 = 400_000;

/// Where the newest packet's timestamp lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchor {
    pub timestamp: u32,
    /// In bytes or samples of the sender's timeline.
    pub place: i64,
    /// Zero of all microseconds here.
    pub origin: Instant,
}

/// The delay of one buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steering {
    pub lateness: Lateness,
    /// Delay of the frames being played, smoothed over the unsteadiness of our own tick.
    delay: f64,
    corrected_at: i64,
    /// Since when the delay has been too long.
    too_long_since: Option<i64>,
    /// Quiet frames in a row, counted while it is too long.
    quiet_frames: u32,
}

impl Steering {
    pub fn new(config: JitterConfig) -> Self {
        Self { lateness: Lateness::new(config), delay: 0.0, corrected_at: 0, too_long_since: None, quiet_frames: 0 }
    }

    /// How far from where the clock expects it does sound of this place arrive `at`? 0 before anything has arrived.
    pub fn off(&self, at: i64, place: i64) -> i64 {
        self.lateness.lowest().map_or(0, |lowest| at - place - lowest)
    }

    /// Was the sender's clock set anew, if it is so far off?
    pub const fn is_jump(off: i64) -> bool {
        off.abs() > TIMESTAMP_JUMP_MICROS
    }

    /// Starts to play from `place` at `at`; `false` while it is too early.
    pub fn begin(&mut self, at: i64, place: i64) -> bool {
        let delay = self.delay_of(at, place);
        let due = delay >= self.lateness.aim_micros();
        if due {
            self.delay = delay as f64;
        }
        due
    }

    /// The next frame begins at `place`. `true`: it comes too late, and [`Self::correct`] should know if it is quiet.
    pub fn follow(&mut self, at: i64, place: i64) -> bool {
        let change = self.delay_of(at, place) as f64 - self.delay;
        // Our own tick is some milliseconds early or late; more than a frame is no tick but another timeline.
        self.delay += if change.abs() > FRAME_MICROS as f64 { change } else { change / 8.0 };
        let too_long = self.excess() > FRAME_MICROS + SLACK_MICROS;
        self.too_long_since = too_long.then_some(self.too_long_since.unwrap_or(at));
        too_long
    }

    /// Frames to skip now, at most `spare`; -1: one has to be inserted.
    pub fn correct(&mut self, at: i64, quiet: bool, spare: i64) -> i64 {
        let excess = self.excess();
        self.quiet_frames = if self.too_long_since.is_some() && quiet { self.quiet_frames + 1 } else { 0 };
        let pause = if excess > HURRY_MICROS { HURRIED_PAUSE_MICROS } else { CORRECTION_PAUSE_MICROS };
        let rested = at - self.corrected_at >= pause;
        let waited = self.too_long_since.map(|since| at - since);
        let worth_it = excess > HURRY_MICROS || waited >= Some(PATIENCE_MICROS) || self.quiet_frames >= PAUSE_FRAMES;
        let frames = match excess {
            GIVE_UP_MICROS.. => (excess / FRAME_MICROS).min(spare).max(0),
            _ if waited.is_some() && rested && worth_it => spare.clamp(0, 1),
            excess if excess < -FRAME_MICROS && rested => -1,
            _ => 0,
        };
        if frames != 0 {
            self.corrected_at = at;
            self.delay -= (frames * FRAME_MICROS) as f64;
        }
        frames
    }

    /// What [`Self::correct`] wanted skipped was not there: the delay is what it was.
    pub fn kept(&mut self, frames: i64) {
        self.delay += (frames * FRAME_MICROS) as f64;
    }

    /// Delay aimed at, in milliseconds.
    pub fn aim_ms(&self) -> u64 {
        self.lateness.aim_micros().unsigned_abs() / 1_000
    }

    /// Time from the undisturbed arrival of `place` until `at`.
    fn delay_of(&self, at: i64, place: i64) -> i64 {
        at - place - self.lateness.lowest().unwrap_or(0)
    }

    fn excess(&self) -> i64 {
        self.delay as i64 - self.lateness.aim_micros()
    }
}
