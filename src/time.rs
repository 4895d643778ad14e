//! The only place that reads a clock. Cores take a [`Now`]; drivers own a [`Clock`].

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// One reading of both clocks: `mono` for timers, `wall` for calendars and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic; what every timer compares with.
    pub mono: Instant,
    /// Civil time in UTC; what records and calling windows are about.
    pub wall: Timestamp,
}

/// Where drivers get the time.
pub trait Clock: Send + Sync {
    /// Both clocks, read together.
    fn now(&self) -> Now;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
    fn now(&self) -> Now {
        Now { mono: Instant::now(), wall: Timestamp::now() }
    }
}

/// The machine's clocks, with the calendar set to another day: for calls that are to happen then.
#[derive(Clone, Copy, Debug)]
pub struct ShiftedClock(SignedDuration);

impl ShiftedClock {
    /// It is `wall` now.
    pub fn set_to(wall: Timestamp) -> Self {
        Self(wall.duration_since(SystemClock.now().wall))
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Now {
        let now = SystemClock.now();
        Now { wall: now.wall.checked_add(self.0).unwrap_or(now.wall), ..now }
    }
}

/// A clock that moves only when told, for rehearsals and tests. Clones share the time.
#[derive(Clone, Debug)]
pub struct SimulatedClock(Arc<Mutex<Now>>);

impl SimulatedClock {
    /// Starts at `wall`; the monotonic side starts wherever the machine's is and then moves with it.
    pub fn starting_at(wall: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Now { wall, ..SystemClock.now() })))
    }

    /// Moves both clocks forward together.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().expect("nobody panics while moving the clock");
        now.mono += by;
        now.wall += by;
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Now {
        *self.0.lock().expect("nobody panics while moving the clock")
    }
}

/// Sleeps until a core is due; for ever where it is not.
pub async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_to_another_day_goes_on_from_there() {
        let clock = ShiftedClock::set_to(Timestamp::from_second(1_767_625_200).unwrap());
        let (first, second) = (clock.now(), clock.now());
        assert_eq!(first.wall.as_second(), 1_767_625_200);
        assert!(second.wall >= first.wall && second.mono >= first.mono);
        assert!(SystemClock.now().mono >= first.mono, "timers know nothing of it");
    }

    #[test]
    fn a_simulated_clock_moves_both_hands_together() {
        let clock = SimulatedClock::starting_at(Timestamp::UNIX_EPOCH);
        let before = clock.now();
        clock.clone().advance(Duration::from_millis(1500));
        let after = clock.now();
        assert_eq!(after.mono - before.mono, Duration::from_millis(1500));
        assert_eq!(after.wall.as_millisecond(), 1500);
    }
}
