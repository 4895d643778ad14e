//! Whose turn it is: the legs of a media thread take turns within a frame, so that none waits for all the others.
//!
//! ```text
//!   0 ms        5           10          15          20
//!   │ shift 0   │ shift 1   │ shift 2   │ shift 3   │ shift 0 …
//! ```
//!
//! A thousand legs served one after the other at every beat would send the last packet many milliseconds after the
//! first, and later still whenever a leg before it has more to do. In shifts a leg waits for its few neighbours only.

use std::time::{Duration, Instant};

use crate::audio::FRAME_MS;

/// Shifts in a frame. More make shorter bursts and more wake-ups.
pub(super) const SHIFTS: usize = 4;
/// The beat of one leg.
const FRAME: Duration = Duration::from_millis(FRAME_MS as u64);
/// From one shift to the next.
pub(super) const STEP: Duration = Duration::from_micros(FRAME_MS as u64 * 1_000 / SHIFTS as u64);

/// When each shift is due. Deadlines are absolute, so the beat does not drift.
#[derive(Debug)]
pub(super) struct Rota {
    due: [Instant; SHIFTS],
}

/// How late a shift began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lateness {
    pub(super) by: Duration,
    /// Whole frames among that: they are skipped, not made up for.
    pub(super) missed: u32,
}

impl Rota {
    /// The first shift begins one frame after `start`.
    pub(super) fn new(start: Instant) -> Self {
        Self { due: std::array::from_fn(|shift| start + FRAME + STEP * shift as u32) }
    }

    /// The shift that is due next, and when.
    pub(super) fn next(&self) -> (usize, Instant) {
        let mut next = 0;
        for shift in 1..SHIFTS {
            if self.due[shift] < self.due[next] {
                next = shift;
            }
        }
        (next, self.due[next])
    }

    /// When `shift` is due.
    pub(super) fn due(&self, shift: usize) -> Instant {
        self.due[shift]
    }

    /// `shift` begins at `now`: how late that is. Its next turn is in its old place, in the first frame not yet over.
    pub(super) fn begin(&mut self, shift: usize, now: Instant) -> Lateness {
        let by = now.saturating_duration_since(self.due[shift]);
        let missed = u32::try_from(by.as_millis() / FRAME.as_millis()).unwrap_or(u32::MAX);
        self.due[shift] += FRAME * missed + FRAME;
        Lateness { by, missed }
    }

    /// Nobody is there to be served: the whole frame is slept through, up to the next turn of the first shift.
    pub(super) fn rest(&mut self) {
        let first = self.due[0];
        for (shift, due) in self.due.iter_mut().enumerate() {
            *due = first + STEP * shift as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, SystemClock};

    fn start() -> Instant {
        SystemClock.now().mono
    }

    #[test]
    fn every_shift_has_its_own_time_in_every_frame() {
        let began = start();
        let mut rota = Rota::new(began);
        for turn in 0..3 * SHIFTS {
            let (shift, due) = rota.next();
            assert_eq!((shift, due), (turn % SHIFTS, began + FRAME + STEP * turn as u32));
            assert_eq!(rota.begin(shift, due + STEP / 2), Lateness { by: STEP / 2, missed: 0 });
        }
    }

    #[test]
    fn after_a_stall_each_shift_is_served_once_and_keeps_its_place() {
        let began = start();
        let mut rota = Rota::new(began);
        let now = began + FRAME + FRAME * 5 / 2;
        let mut served = Vec::new();
        while rota.next().1 <= now {
            let (shift, _) = rota.next();
            served.push((shift, rota.begin(shift, now).missed));
        }
        assert_eq!(served, [(0, 2), (1, 2), (2, 2), (3, 1)]);
        for shift in 0..SHIFTS {
            let place = (rota.due(shift) - began - STEP * shift as u32).as_micros();
            assert!(place.is_multiple_of(FRAME.as_micros()), "shift {shift}");
            assert!(rota.due(shift) > now && rota.due(shift) <= now + FRAME);
        }
    }

    #[test]
    fn a_thread_without_legs_wakes_once_a_frame() {
        let began = start();
        let mut rota = Rota::new(began);
        for frame in 1..4 {
            let (shift, due) = rota.next();
            assert_eq!((shift, due), (0, began + FRAME * frame));
            rota.begin(shift, due);
            rota.rest();
        }
    }
}
