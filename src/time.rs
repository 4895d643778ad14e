//! The only place that reads a clock. Cores take a [`Now`]; drivers own a [`Clock`].

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;

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
    fn a_simulated_clock_moves_both_hands_together() {
        let clock = SimulatedClock::starting_at(Timestamp::UNIX_EPOCH);
        let before = clock.now();
        clock.clone().advance(Duration::from_millis(1500));
        let after = clock.now();
        assert_eq!(after.mono - before.mono, Duration::from_millis(1500));
        assert_eq!(after.wall.as_millisecond(), 1500);
    }
}
