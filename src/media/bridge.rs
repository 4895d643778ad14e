//! Two legs joined: what one hears, the other says, a beat later at most.
//!
//! ```text
//!   leg A  hear_beat ─ frame, keys ─▶ ring ─▶ speak_beat  leg B
//!   leg A  speak_beat ◀─ ring ◀─ frame, keys ─ hear_beat  leg B
//! ```
//!
//! The legs may live on different media threads; a preallocated ring each way is all they share. Both beat every 20 ms,
//! but not at the same moment, and neither exactly on time: a beat that comes a little early finds the ring empty, and
//! from then on one frame more lies in it, as a cushion. A cushion that nobody has needed for a while is given up again,
//! in a pause if there is one, so that the delay stays what the two beats lie apart.
//!
//! Sound crosses as samples, so each leg keeps its own codec, jitter buffer, encryption and recording.

use rtrb::{Consumer, Producer, RingBuffer};

use crate::audio::FRAME_8K;
use crate::rtp::Digit;

/// Room of a ring: 160 ms, for a beat that was missed now and then. What finds no room is lost; it would be late anyway.
const ROOM: usize = 8;
/// Frames that may lie in the ring when one is taken: this one, and the cushion. More is a thread that stood still, and
/// what it made late is passed over.
const MOST_WAITING: usize = 2;
/// Beats for which a cushion must not have been needed, to be given up: 3 s.
const UNNEEDED: u32 = 150;
/// Beats for which a pause is waited for, to do that in: 5 s.
const PAUSE_PATIENCE: u32 = 250;
/// Peak below which nobody hears that a frame is missing: −50 dBov.
const QUIET: i16 = 104;
/// Keys that one beat carries; nobody presses more in 20 ms.
const KEYS: usize = 4;
/// Samples over which sound comes back after it was missing: 5 ms.
const RAMP: usize = 40;

/// What crosses in one beat.
#[derive(Clone, Copy, Debug)]
struct Crossing {
    samples: [i16; FRAME_8K],
    keys: [Option<Digit>; KEYS],
}

/// One leg's end of a bridge. Dropping it ends the bridge for both.
#[derive(Debug)]
pub struct BridgeEnd {
    to_them: Producer<Crossing>,
    from_them: Consumer<Crossing>,
    /// Keys heard since the last frame.
    keys: [Option<Digit>; KEYS],
    /// What was heard last: it fades where the next frame is missing.
    last: [i16; FRAME_8K],
    /// Frames missing in a row; before the first one all are.
    missing: u32,
    /// Fewest frames found waiting since the cushion was judged last, and how many beats ago that was.
    fewest: usize,
    judged: u32,
    /// The cushion is to go, for so many beats already.
    shedding: Option<u32>,
}

/// A bridge's two ends.
pub fn bridge() -> (BridgeEnd, BridgeEnd) {
    let (to_b, from_a) = RingBuffer::new(ROOM);
    let (to_a, from_b) = RingBuffer::new(ROOM);
    (BridgeEnd::new(to_b, from_b), BridgeEnd::new(to_a, from_a))
}

impl BridgeEnd {
    const fn new(to_them: Producer<Crossing>, from_them: Consumer<Crossing>) -> Self {
        Self {
            to_them,
            from_them,
            keys: [None; KEYS],
            last: [0; FRAME_8K],
            missing: 1,
            fewest: usize::MAX,
            judged: 0,
            shedding: None,
        }
    }

    /// This leg has heard a key; it crosses with the next frame.
    pub fn key(&mut self, digit: Digit) {
        if let Some(place) = self.keys.iter_mut().find(|place| place.is_none()) {
            *place = Some(digit);
        }
    }

    /// This leg has heard `samples`. Per frame: no allocation, no lock, no log.
    pub fn heard(&mut self, samples: &[i16; FRAME_8K]) {
        let crossing = Crossing { samples: *samples, keys: self.keys };
        if self.to_them.push(crossing).is_ok() {
            self.keys = [None; KEYS];
        }
    }

    /// Fills `frame` with what this leg says next, and hands keys to `press`; `false` when that is silence. To be called
    /// at every beat. Per frame: no allocation, no lock, no log.
    pub fn frame(&mut self, frame: &mut [i16; FRAME_8K], mut press: impl FnMut(Digit)) -> bool {
        let mut waiting = self.from_them.slots();
        while waiting > MOST_WAITING {
            self.take(frame, &mut press);
            waiting -= 1;
        }
        self.judge(waiting);
        if !self.take(frame, &mut press) {
            return self.fade(frame);
        }
        if waiting == MOST_WAITING && self.sheds(frame) {
            self.take(frame, &mut press);
        }
        if std::mem::take(&mut self.missing) > 0 {
            for (place, sample) in frame[..RAMP].iter_mut().enumerate() {
                *sample = (i32::from(*sample) * place as i32 / RAMP as i32) as i16;
            }
        }
        self.last = *frame;
        true
    }

    /// Has the other end been dropped?
    pub fn is_over(&self) -> bool {
        self.to_them.is_abandoned()
    }

    fn take(&mut self, frame: &mut [i16; FRAME_8K], press: &mut impl FnMut(Digit)) -> bool {
        let Ok(crossing) = self.from_them.pop() else { return false };
        *frame = crossing.samples;
        crossing.keys.into_iter().flatten().for_each(press);
        true
    }

    /// Is the cushion needed?
    fn judge(&mut self, waiting: usize) {
        self.fewest = self.fewest.min(waiting);
        self.judged += 1;
        if self.judged >= UNNEEDED {
            let unneeded = self.fewest >= MOST_WAITING;
            self.shedding = if unneeded { self.shedding.or(Some(0)) } else { None };
            (self.fewest, self.judged) = (usize::MAX, 0);
        }
    }

    /// May this frame be passed over, to be rid of the cushion?
    fn sheds(&mut self, frame: &[i16; FRAME_8K]) -> bool {
        let Some(beats) = &mut self.shedding else { return false };
        *beats += 1;
        let quiet = frame.iter().all(|sample| sample.unsigned_abs() < QUIET.unsigned_abs());
        if !quiet && *beats < PAUSE_PATIENCE {
            return false;
        }
        self.shedding = None;
        (self.fewest, self.judged) = (usize::MAX, 0);
        true
    }

    /// Nothing has come: the last frame mirrored, falling to silence.
    fn fade(&mut self, frame: &mut [i16; FRAME_8K]) -> bool {
        self.missing = self.missing.saturating_add(1);
        if self.missing > 1 {
            frame.fill(0);
            return false;
        }
        // Backwards, so that it goes on from where it ended.
        for (place, (sample, last)) in frame.iter_mut().zip(self.last.into_iter().rev()).enumerate() {
            *sample = (i32::from(last) * (FRAME_8K - 1 - place) as i32 / FRAME_8K as i32) as i16;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn numbered(number: i16) -> [i16; FRAME_8K] {
        [number; FRAME_8K]
    }

    /// Two legs whose beats lie `apart` ms from each other, each up to `late` ms late: how late each frame left, in
    /// microseconds, and how many never did.
    fn delays(apart: f64, late: f64, beats: u32, seed: u64) -> (Vec<f64>, usize) {
        let mut random = StdRng::seed_from_u64(seed);
        let (mut a, mut b) = bridge();
        let mut moments: Vec<(f64, bool, i16)> = Vec::new();
        for beat in 0..beats {
            let number = i16::try_from(beat + 1).unwrap();
            let mut at = |from: f64| from + f64::from(beat) * 20.0 + random.random_range(0.0..=late);
            moments.push((at(0.0), true, number));
            moments.push((at(apart), false, number));
        }
        moments.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (mut heard_at, mut delays) = (vec![0.0; beats as usize + 1], Vec::new());
        for (at, hears, number) in moments {
            if hears {
                heard_at[number as usize] = at;
                a.heard(&numbered(number));
            } else {
                let mut frame = [0; FRAME_8K];
                b.frame(&mut frame, |_| {});
                // The end of a frame that fades is silence, the end of any other its number.
                if frame[FRAME_8K - 1] > 0 {
                    delays.push(at - heard_at[frame[FRAME_8K - 1] as usize]);
                }
            }
        }
        let lost = beats as usize - delays.len();
        (delays, lost)
    }

    #[test]
    fn a_frame_waits_no_longer_than_the_beats_lie_apart() {
        for apart in [0.0, 0.1, 5.0, 10.0, 19.9] {
            let (delays, lost) = delays(apart, 0.0, 500, 1);
            assert!(delays.iter().all(|delay| (delay - apart).abs() < 1e-6), "{apart}: {delays:?}");
            assert_eq!(lost, 0);
        }
    }

    #[test]
    fn beats_that_are_late_now_and_then_cost_a_cushion_and_no_holes() {
        for seed in 0..20 {
            // Beats 1 ms apart, each up to 4 ms late: they overtake each other all the time.
            let (delays, lost) = delays(1.0, 4.0, 3_000, seed);
            assert!(lost <= 3, "seed {seed}: {lost} frames of a minute");
            assert!(delays.iter().all(|delay| *delay < 20.0 + 5.0 + 1e-6), "seed {seed}");
        }
    }

    #[test]
    fn a_cushion_that_nobody_needs_any_more_is_given_up_in_a_pause() {
        let (mut a, mut b) = bridge();
        let mut frame = [0; FRAME_8K];
        a.heard(&numbered(1));
        let mut last = 1;
        // From here on two lie there whenever one is taken.
        for number in 2..=i16::try_from(UNNEEDED + 20).unwrap() {
            a.heard(&numbered(if number % 40 == 0 { 7 } else { 1_000 + number }));
            assert!(b.frame(&mut frame, |_| {}));
            last = frame[0];
        }
        assert_eq!(last, 1_000 + i16::try_from(UNNEEDED + 20).unwrap(), "nothing waits any more");
        // And where nobody ever pauses, without one.
        let (mut a, mut b) = bridge();
        a.heard(&numbered(1));
        for number in 2..=i16::try_from(UNNEEDED + PAUSE_PATIENCE + 5).unwrap() {
            a.heard(&numbered(1_000 + number));
            assert!(b.frame(&mut frame, |_| {}));
        }
        assert_eq!(frame[0], 1_000 + i16::try_from(UNNEEDED + PAUSE_PATIENCE + 5).unwrap());
    }

    #[test]
    fn after_a_thread_stood_still_what_is_late_is_passed_over_but_for_its_keys() {
        let (mut a, mut b) = bridge();
        let mut frame = [0; FRAME_8K];
        let mut pressed = Vec::new();
        for number in 1..=6 {
            a.key(Digit::from_event(number as u8).unwrap());
            a.heard(&numbered(number));
        }
        assert!(b.frame(&mut frame, |digit| pressed.push(digit.face())));
        assert_eq!(frame[FRAME_8K - 1], 5);
        assert_eq!(pressed, ['1', '2', '3', '4', '5']);
        // A ring that nobody empties keeps what was heard first, and keys wait for room.
        for number in 7..=20 {
            a.heard(&numbered(number));
        }
        a.key(Digit::from_event(9).unwrap());
        a.heard(&numbered(21));
        b.frame(&mut frame, |digit| pressed.push(digit.face()));
        a.heard(&numbered(22));
        b.frame(&mut frame, |_| {});
        b.frame(&mut frame, |digit| pressed.push(digit.face()));
        assert_eq!(pressed[5..], ['6', '9']);
    }

    #[test]
    fn a_missing_frame_fades_and_sound_comes_back_without_a_step() {
        let (mut a, mut b) = bridge();
        let mut frame = [9; FRAME_8K];
        assert!(!b.frame(&mut frame, |_| {}), "nothing was ever heard");
        assert_eq!(frame, [0; FRAME_8K]);
        a.heard(&numbered(8_000));
        assert!(b.frame(&mut frame, |_| {}));
        assert!(frame.windows(2).all(|pair| pair[0].abs_diff(pair[1]) <= 200) && frame[0] == 0);
        assert!(b.frame(&mut frame, |_| {}));
        assert!(frame.is_sorted_by(|one, other| one >= other) && frame[FRAME_8K - 1] == 0, "{frame:?}");
        assert!(frame[0] > 7_900);
        assert!(!b.frame(&mut frame, |_| {}));
    }

    #[test]
    fn either_end_knows_when_the_other_is_gone() {
        let (a, b) = bridge();
        assert!(!a.is_over() && !b.is_over());
        drop(a);
        assert!(b.is_over());
    }
}
