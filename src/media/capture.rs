//! The sound of the utterance under way, and a little from before it began.
//!
//! Every frame the caller sends is pushed; what nobody can ask for any more is forgotten. Frames are addressed by
//! their number since the leg was opened, the way [`endpointer`](super::endpointer) speaks of them.

use std::ops::Range;
use std::sync::Arc;

use crate::audio::{FRAME_8K, Pcm, TELEPHONE_HZ};

/// Room made with the first frame, for a leg that never hears anything needs none: most utterances fit, so pushing
/// another frame allocates only while a caller speaks for longer than this, and then only each time the room doubles.
/// 4 s are 64 kB.
const ROOM_FRAMES: usize = 200;
/// Forgetting moves what is kept, so it is done in steps of so many frames.
const FORGET_STEP_FRAMES: usize = 50;

/// A window on the caller's sound that ends at the newest frame.
#[derive(Debug)]
pub struct Capture {
    samples: Vec<i16>,
    /// Number of the frame `samples` begins with.
    first: u64,
}

impl Default for Capture {
    fn default() -> Self {
        Self::new()
    }
}

impl Capture {
    /// Empty.
    pub const fn new() -> Self {
        Self { samples: Vec::new(), first: 0 }
    }

    /// Adds a frame and forgets those before number `keep_from`. Per frame after the first: no allocation within the
    /// first four seconds of an utterance, no lock, no log.
    pub fn push(&mut self, frame: &[i16; FRAME_8K], keep_from: u64) {
        let stale = usize::try_from(keep_from.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.frames());
        if stale >= FORGET_STEP_FRAMES {
            self.samples.drain(..stale * FRAME_8K);
            self.first += stale as u64;
            if self.samples.capacity() > ROOM_FRAMES * FRAME_8K && self.frames() < FORGET_STEP_FRAMES {
                // A long utterance is over: give its room back, so that a thousand legs do not keep a minute each.
                self.samples.shrink_to(ROOM_FRAMES * FRAME_8K);
            }
        }
        if self.samples.capacity() == 0 {
            self.samples.reserve_exact(ROOM_FRAMES * FRAME_8K);
        }
        self.samples.extend_from_slice(frame);
    }

    /// The sound of the frames numbered `frames`, as far as it is still here.
    pub fn copy(&self, frames: Range<u64>) -> Arc<Pcm> {
        let place = |number: u64| {
            let frame = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
            frame.min(self.frames()) * FRAME_8K
        };
        let (from, until) = (place(frames.start), place(frames.end));
        let samples = self.samples[from.min(until)..until].to_vec();
        Arc::new(Pcm { rate_hz: TELEPHONE_HZ, samples })
    }

    /// The newest `count` frames or fewer, oldest first.
    pub fn newest(&self, count: usize) -> impl Iterator<Item = &[i16; FRAME_8K]> {
        let from = self.frames().saturating_sub(count) * FRAME_8K;
        self.samples[from..].as_chunks().0.iter()
    }

    fn frames(&self) -> usize {
        self.samples.len() / FRAME_8K
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push_numbered(capture: &mut Capture, numbers: Range<u64>, keep: impl Fn(u64) -> u64) {
        for number in numbers {
            capture.push(&[number as i16; FRAME_8K], keep(number));
        }
    }

    fn numbers(pcm: &Pcm) -> Vec<i16> {
        assert_eq!((pcm.rate_hz, pcm.samples.len() % FRAME_8K), (TELEPHONE_HZ, 0));
        pcm.samples.chunks(FRAME_8K).map(|frame| frame[0]).collect()
    }

    #[test]
    fn frames_are_found_by_number_after_hours_of_forgetting() {
        let mut capture = Capture::new();
        push_numbered(&mut capture, 0..30_000, |number| number.saturating_sub(15));
        assert_eq!(numbers(&capture.copy(29_986..29_990)), [29_986, 29_987, 29_988, 29_989]);
        assert_eq!(capture.newest(3).map(|frame| frame[0]).collect::<Vec<_>>(), [29_997, 29_998, 29_999]);
    }

    #[test]
    fn what_is_no_longer_or_not_yet_here_is_left_out() {
        let mut capture = Capture::new();
        push_numbered(&mut capture, 0..100, |number| number.saturating_sub(15));
        let all = numbers(&capture.copy(0..1_000));
        assert_eq!(all.last(), Some(&99));
        assert!(all.len() <= FORGET_STEP_FRAMES + 16, "{}", all.len());
        assert!(numbers(&capture.copy(500..600)).is_empty());
        #[expect(clippy::reversed_empty_ranges, reason = "a range that makes no sense must not panic")]
        let backwards = capture.copy(98..90);
        assert!(numbers(&backwards).is_empty());
        assert_eq!(Capture::new().newest(5).count(), 0);
    }

    #[test]
    fn idle_and_short_utterances_never_outgrow_the_room() {
        let mut capture = Capture::new();
        assert_eq!(capture.samples.capacity(), 0, "a leg that hears nothing needs no room");
        push_numbered(&mut capture, 0..1, |_| 0);
        let room = capture.samples.capacity();
        push_numbered(&mut capture, 1..5_000, |number| number / 120 * 120);
        assert_eq!(capture.samples.capacity(), room);
    }

    #[test]
    fn a_long_utterance_is_kept_whole_and_its_room_given_back() {
        let mut capture = Capture::new();
        push_numbered(&mut capture, 0..1_000, |_| 0);
        assert_eq!(numbers(&capture.copy(0..1_000)), (0..1_000).collect::<Vec<i16>>());
        push_numbered(&mut capture, 1_000..1_010, |number| number - 5);
        assert!(capture.samples.capacity() <= 2 * ROOM_FRAMES * FRAME_8K);
    }
}
