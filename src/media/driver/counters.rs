//! How the beat of the media threads is kept, counted by each and read by anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::media::session::Traffic;

/// How the beat has been kept, over all media threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Beats so far; each serves a share of the legs.
    pub ticks: u64,
    /// Of those, more than half a frame late.
    pub late: u64,
    /// The latest one.
    pub worst: Duration,
    /// Time spent working, all threads together.
    pub busy: Duration,
    /// Legs open now.
    pub legs: u64,
    /// RTP packets taken by all legs since the start; like the next three brought up to date once a second.
    pub received: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Frames made up, at least in part.
    pub concealed: u64,
    /// Datagrams refused.
    pub refused: u64,
}

/// One media thread's part of it.
#[derive(Debug, Default)]
pub(super) struct Counters {
    ticks: AtomicU64,
    late: AtomicU64,
    worst_us: AtomicU64,
    busy_us: AtomicU64,
    legs: AtomicU64,
    received: AtomicU64,
    lost: AtomicU64,
    concealed: AtomicU64,
    refused: AtomicU64,
}

impl Counters {
    /// Counts a beat that came `by` too late, was worked at for `busy` and left `legs` open.
    pub(super) fn beat(&self, by: Duration, is_late: bool, busy: Duration, legs: usize) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.ticks.fetch_add(1, Ordering::Relaxed);
        self.late.fetch_add(u64::from(is_late), Ordering::Relaxed);
        self.worst_us.fetch_max(micros(by), Ordering::Relaxed);
        self.busy_us.fetch_add(micros(busy), Ordering::Relaxed);
        self.legs.store(legs as u64, Ordering::Relaxed);
    }

    /// Adds what a leg counted since it was last asked.
    pub(super) fn add(&self, before: Traffic, after: Traffic) {
        // Loss is taken back when a packet turns up after all.
        let grown = |after: u64, before: u64| after.wrapping_sub(before);
        self.received.fetch_add(grown(after.received, before.received), Ordering::Relaxed);
        self.lost.fetch_add(grown(after.lost, before.lost), Ordering::Relaxed);
        self.concealed.fetch_add(grown(after.concealed, before.concealed), Ordering::Relaxed);
        self.refused.fetch_add(grown(after.refused, before.refused), Ordering::Relaxed);
    }

    /// `sum` and what this thread counted.
    pub(super) fn onto(&self, sum: Beat) -> Beat {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Beat {
            ticks: sum.ticks + read(&self.ticks),
            late: sum.late + read(&self.late),
            worst: sum.worst.max(Duration::from_micros(read(&self.worst_us))),
            busy: sum.busy + Duration::from_micros(read(&self.busy_us)),
            legs: sum.legs + read(&self.legs),
            received: sum.received + read(&self.received),
            // A leg whose lost packets turned up may, for a moment, have taken back more than others have added.
            lost: sum.lost.wrapping_add(read(&self.lost)),
            concealed: sum.concealed + read(&self.concealed),
            refused: sum.refused + read(&self.refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_summed_and_the_worst_of_them_is_the_worst() {
        let (one, other) = (Counters::default(), Counters::default());
        one.beat(Duration::from_millis(3), false, Duration::from_millis(1), 5);
        other.beat(Duration::from_millis(12), true, Duration::from_millis(2), 6);
        one.add(Traffic::default(), Traffic { received: 40, lost: 2, concealed: 3, refused: 1 });
        other.add(
            Traffic { received: 10, lost: 2, ..Traffic::default() },
            Traffic { received: 30, ..Traffic::default() },
        );
        let beat = other.onto(one.onto(Beat::default()));
        let expected = Beat {
            ticks: 2,
            late: 1,
            worst: Duration::from_millis(12),
            busy: Duration::from_millis(3),
            legs: 11,
            received: 60,
            lost: 0,
            concealed: 3,
            refused: 1,
        };
        assert_eq!(beat, expected);
    }
}
