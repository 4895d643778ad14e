//! What arrivals say of the network: how late packets come, what delay absorbs that, and how their clock runs.
//!
//! **Transit** is arrival minus place on the sender's timeline; its minimum over the last seconds is the undisturbed
//! network, what exceeds it is **lateness**. The delay to aim at is the 99th percentile of lateness, within bounds.
//! How the minimum wanders over the whole call is how much faster one clock runs than the other.
//!
//! All times are microseconds since the first arrival.

use std::time::{Duration, Instant};

use super::jitter::JitterConfig;

/// Time over which the undisturbed transit is looked for, twice: long enough to contain a punctual packet, short
/// enough to follow a clock that drifts.
const TRANSIT_WINDOW_MICROS: i64 = 2_000_000;
/// Share of packets that may come later than the delay allows.
const LATE_SHARE: f64 = 0.01;
/// How far one packet moves the estimate of that share's lateness.
const LATENESS_STEP_MICROS: f64 = 5_000.0;
/// Added to the estimate: our own tick is not exact.
const MARGIN_MICROS: i64 = 5_000;
/// Windows before a drift is believed: 30 s.
const DRIFT_WINDOWS: f64 = 15.0;

/// Lateness of one stream.
#[derive(Clone, Copy, Debug)]
pub struct Lateness {
    least_micros: i64,
    most_micros: i64,
    floor: TransitFloor,
    /// Lateness that all but [`LATE_SHARE`] of packets keep.
    micros: f64,
}

impl Lateness {
    /// Nothing has arrived: aim at `config.start`.
    pub fn new(config: JitterConfig) -> Self {
        let micros = |bound: Duration| i64::try_from(bound.as_micros()).unwrap_or(i64::MAX);
        Self {
            least_micros: micros(config.least),
            most_micros: micros(config.most),
            floor: TransitFloor::default(),
            micros: config.start.as_micros() as f64 - MARGIN_MICROS as f64,
        }
    }

    /// A packet with this `transit` came `at`; it is needed `sooner` than where it begins. Per packet: no allocation.
    pub fn push(&mut self, at: i64, transit: i64, sooner: i64) {
        let lateness = (self.floor.push(at, transit) + sooner) as f64;
        // A quantile learnt by steps: up rarely and far, down often and a little; they balance at the share wanted.
        if lateness > self.micros {
            let step = LATENESS_STEP_MICROS * (1.0 - LATE_SHARE);
            self.micros += step.max((lateness - self.micros) / 4.0);
        } else {
            self.micros -= LATENESS_STEP_MICROS * LATE_SHARE;
        }
        self.micros = self.micros.clamp(0.0, self.most_micros as f64);
    }

    /// Another timeline begins: transits have nothing to do with those before, lateness has.
    pub fn begin_anew(&mut self) {
        self.floor = TransitFloor::default();
    }

    /// Delay to aim at.
    pub fn aim_micros(&self) -> i64 {
        (self.micros as i64 + MARGIN_MICROS).max(self.least_micros).min(self.most_micros)
    }

    /// Transit of the undisturbed network; `None` when nothing has arrived on this timeline.
    pub fn lowest(&self) -> Option<i64> {
        self.floor.lowest()
    }

    /// How much faster the sender's clock runs than ours, parts per million; `None` before the timeline is 30 s long.
    pub fn drift_ppm(&self) -> Option<f64> {
        self.floor.drift.ppm()
    }
}

/// Lowest transit over the last two to four seconds, from two windows that follow each other.
#[derive(Clone, Copy, Debug, Default)]
struct TransitFloor {
    began_at: i64,
    now: Option<i64>,
    before: Option<i64>,
    drift: Drift,
}

impl TransitFloor {
    /// Takes one packet's transit and returns its lateness.
    fn push(&mut self, at: i64, transit: i64) -> i64 {
        if self.now.is_none() {
            self.began_at = at;
        } else if at - self.began_at >= TRANSIT_WINDOW_MICROS {
            if let Some(lowest) = self.now {
                self.drift.push(self.began_at, lowest);
            }
            *self = Self { began_at: at, now: None, before: self.now, drift: self.drift };
        }
        self.now = Some(self.now.map_or(transit, |lowest| lowest.min(transit)));
        transit - self.lowest().unwrap_or(transit)
    }

    fn lowest(&self) -> Option<i64> {
        self.now.into_iter().chain(self.before).min()
    }
}

/// The line through the lowest transits of all windows, by least squares.
#[derive(Clone, Copy, Debug, Default)]
struct Drift {
    /// First window: seconds and microseconds are counted from it.
    first: Option<(i64, i64)>,
    count: f64,
    sum_t: f64,
    sum_y: f64,
    sum_tt: f64,
    sum_ty: f64,
}

impl Drift {
    fn push(&mut self, at: i64, transit: i64) {
        let (zero, level) = *self.first.get_or_insert((at, transit));
        let (t, y) = ((at - zero) as f64 / 1e6, (transit - level) as f64);
        self.count += 1.0;
        self.sum_t += t;
        self.sum_y += y;
        self.sum_tt += t * t;
        self.sum_ty += t * y;
    }

    /// Transit grows where their clock is the slower one.
    fn ppm(&self) -> Option<f64> {
        let spread = self.count * self.sum_tt - self.sum_t * self.sum_t;
        let slope = (self.count * self.sum_ty - self.sum_t * self.sum_y) / spread;
        (self.count >= DRIFT_WINDOWS && spread > 0.0).then_some(-slope)
    }
}

/// Interarrival jitter (RFC 3550 §A.8).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Interarrival {
    last: Option<(u32, Instant)>,
    jitter_secs: f64,
}

impl Interarrival {
    pub(super) fn push(&mut self, timestamp: u32, clock_hz: u32, arrived: Instant) {
        if let Some((last_timestamp, last_arrived)) = self.last.replace((timestamp, arrived)) {
            let ahead = arrived.saturating_duration_since(last_arrived).as_secs_f64();
            let behind = last_arrived.saturating_duration_since(arrived).as_secs_f64();
            let sent = f64::from(timestamp.wrapping_sub(last_timestamp) as i32) / f64::from(clock_hz);
            // A timestamp set anew is no jitter; one second is more than any network shows between two packets.
            let difference = (ahead - behind - sent).abs();
            if difference < 1.0 {
                self.jitter_secs += (difference - self.jitter_secs) / 16.0;
            }
        }
    }

    pub(super) const fn seconds(&self) -> f64 {
        self.jitter_secs
    }

    pub(super) fn forget(&mut self) {
        self.last = None;
    }
}

/// Signed, because packets may carry kernel times from before the first one was read.
pub(super) fn micros_since(origin: Instant, at: Instant) -> i64 {
    let ahead = at.saturating_duration_since(origin).as_micros();
    let behind = origin.saturating_duration_since(at).as_micros();
    i64::try_from(ahead).unwrap_or(i64::MAX / 2) - i64::try_from(behind).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    /// One packet each 20 ms for `seconds`, from a clock that runs `ppm` too fast, late by up to `jitter` ms.
    fn heard(seconds: i64, ppm: f64, jitter: i64) -> Lateness {
        let mut random = StdRng::seed_from_u64(20);
        let mut lateness = Lateness::new(JitterConfig::default());
        for packet in 0..seconds * 50 {
            let place = packet * 20_000;
            let sent = (place as f64 / (1.0 + ppm / 1e6)) as i64;
            let at = sent + 30_000 + random.random_range(0..=jitter * 1_000);
            lateness.push(at, at - place, 0);
        }
        lateness
    }

    #[test]
    fn a_clock_that_runs_fast_or_slow_is_noticed_within_a_minute() {
        for ppm in [-200.0, -20.0, 0.0, 50.0, 200.0] {
            let found = heard(60, ppm, 10).drift_ppm().expect("a minute is enough");
            assert!((found - ppm).abs() < 10.0, "{ppm} ppm was taken for {found}");
        }
        assert_eq!(heard(25, 200.0, 0).drift_ppm(), None);
    }

    #[test]
    fn the_aim_covers_what_jitters_and_stays_within_its_bounds() {
        let aim = |jitter| heard(60, 0.0, jitter).aim_micros() / 1_000;
        assert_eq!(aim(0), 20);
        assert!((38..=50).contains(&aim(40)), "{}", aim(40));
        assert_eq!(aim(500), 120);
    }
}
