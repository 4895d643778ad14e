//! What the recording must not hold: the answers to secret questions.
//!
//! ```text
//!              pause                        resume
//!   caller ▓▓░░░░│░░░░░░░░░░░░░░░░░░░░░░░░░░░░│░░░░░░░░░▓▓▓▓   a key still sounds, a word still ends
//!   bot    ▓▓▓▓▓▓│░░░░░░░░░░░░░░░░░░░░░░░░░░░░│▓▓▓▓▓▓▓▓▓▓▓▓▓
//!            └ taken out of what is written: typed or said ahead
//! ```
//!
//! Silence stands in the place of what is kept out, so that both sides stay in time.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::audio::{FRAME_8K, FRAME_MS};

/// The caller stays out for this long after the pause, and after each key pressed meanwhile: its tone may come behind its
/// event by a whole jitter buffer, and last.
const TRAIL: Duration = Duration::from_secs(1);

/// Who is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Both sides.
    #[default]
    Open,
    /// Neither.
    Paused,
    /// Only we are, until then; and while the caller still says what was begun before.
    Trailing { until: Instant, talking: bool },
}

/// Decides, frame by frame, what of the two sides is recorded. Per frame: no allocation, no lock.
#[derive(Debug, Default)]
pub(super) struct Discretion {
    state: State,
    /// Pairs of samples recorded, silence included.
    recorded: u64,
    /// Pairs without the caller.
    kept_out: u64,
    /// Pairs recorded already that the caller has to be taken out of.
    taken_out: Option<Range<u64>>,
}

impl Discretion {
    /// The caller is out of the recording since that moment.
    pub(super) fn pause(&mut self, since: Instant, now: Instant) {
        let frames = now.saturating_duration_since(since).as_millis().div_ceil(u128::from(FRAME_MS));
        let pairs = u64::try_from(frames).unwrap_or(u64::MAX).saturating_mul(FRAME_8K as u64).min(self.recorded);
        if self.state == State::Open && pairs > 0 {
            let range = self.recorded - pairs..self.recorded;
            let start = self.taken_out.as_ref().map_or(range.start, |waiting| waiting.start.min(range.start));
            self.taken_out = Some(start..range.end);
            self.kept_out += pairs;
        }
        self.state = State::Paused;
    }

    /// We are recorded again, the caller soon; `talking`: while speech goes on.
    pub(super) fn resume(&mut self, talking: bool, now: Instant) {
        if self.state == State::Paused {
            self.state = State::Trailing { until: now + TRAIL, talking };
        }
    }

    /// A key was pressed.
    pub(super) fn key(&mut self, now: Instant) {
        if let State::Trailing { until, .. } = &mut self.state {
            *until = now + TRAIL;
        }
    }

    /// Are the caller and we in the frame that is recorded next? `talking`: the caller speaks.
    pub(super) fn frame(&mut self, talking: bool, now: Instant) -> (bool, bool) {
        if let State::Trailing { until, talking: goes_on } = &mut self.state {
            *goes_on &= talking;
            if !*goes_on && now >= *until {
                self.state = State::Open;
            }
        }
        self.recorded += FRAME_8K as u64;
        let (caller, bot) = match self.state {
            State::Open => (true, true),
            State::Paused => (false, false),
            State::Trailing { .. } => (false, true),
        };
        self.kept_out += if caller { 0 } else { FRAME_8K as u64 };
        (caller, bot)
    }

    /// What has to be taken out of the recording, as pairs of samples from its beginning.
    pub(super) fn take_out(&mut self) -> Option<Range<u64>> {
        self.taken_out.take()
    }

    /// For how long the caller was kept out, milliseconds.
    pub(super) const fn kept_out_ms(&self) -> u64 {
        self.kept_out / FRAME_8K as u64 * FRAME_MS as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, SystemClock};

    const FRAME: Duration = Duration::from_millis(FRAME_MS as u64);

    /// Frames one after the other, from `now` on.
    fn frames(discretion: &mut Discretion, now: &mut Instant, count: u32, talking: bool) -> Vec<(bool, bool)> {
        let mut frame = || {
            *now += FRAME;
            discretion.frame(talking, *now)
        };
        (0..count).map(|_| frame()).collect()
    }

    #[test]
    fn neither_side_is_recorded_in_a_pause_and_the_caller_a_second_later_than_we() {
        let mut now = SystemClock.now().mono;
        let mut discretion = Discretion::default();
        assert_eq!(frames(&mut discretion, &mut now, 5, false), [(true, true); 5]);
        discretion.pause(now, now);
        assert_eq!(discretion.take_out(), None);
        assert_eq!(frames(&mut discretion, &mut now, 100, true), [(false, false); 100]);
        discretion.resume(false, now);
        assert_eq!(frames(&mut discretion, &mut now, 49, false), [(false, true); 49]);
        assert_eq!(frames(&mut discretion, &mut now, 5, false), [(true, true); 5]);
        assert_eq!(discretion.kept_out_ms(), 149 * 20);
    }

    #[test]
    fn what_was_said_ahead_is_taken_out_of_what_is_recorded() {
        let mut now = SystemClock.now().mono;
        let mut discretion = Discretion::default();
        frames(&mut discretion, &mut now, 100, true);
        discretion.pause(now - FRAME * 30, now);
        assert_eq!(discretion.take_out(), Some(70 * 160..100 * 160));
        assert_eq!(discretion.take_out(), None);
        assert_eq!(discretion.kept_out_ms(), 600);
        let mut young = Discretion::default();
        frames(&mut young, &mut now, 3, false);
        young.pause(now - Duration::from_secs(60), now);
        assert_eq!(young.take_out(), Some(0..480), "never more than there is");
    }

    #[test]
    fn keys_and_words_that_go_on_keep_the_caller_out_until_they_end() {
        let mut now = SystemClock.now().mono;
        let mut discretion = Discretion::default();
        discretion.pause(now, now);
        discretion.resume(true, now);
        assert_eq!(frames(&mut discretion, &mut now, 200, true), [(false, true); 200]);
        assert_eq!(frames(&mut discretion, &mut now, 1, false), [(true, true); 1]);
        discretion.pause(now, now);
        discretion.resume(false, now);
        frames(&mut discretion, &mut now, 40, false);
        discretion.key(now);
        assert_eq!(frames(&mut discretion, &mut now, 49, true), [(false, true); 49]);
        assert_eq!(frames(&mut discretion, &mut now, 1, true), [(true, true)]);
    }
}
