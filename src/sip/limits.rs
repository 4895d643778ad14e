//! How much each peer may ask for at once: live calls, new calls a second, wrong passwords a minute.
//!
//! A peer over its limit is told so (503 with Retry-After); it is never ignored and never banned, and one that knows
//! its password is let in whatever somebody else sends from its address.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::peers::Peer;
use super::refusals::Cause;
use crate::id::LegId;

/// What a peer with too many calls is asked to wait: calls end by themselves, in seconds rather than minutes.
const CALLS_RETRY_AFTER: Duration = Duration::from_secs(5);
/// What a peer that calls too fast is asked to wait: its allowance is counted by the second.
const RATE_RETRY_AFTER: Duration = Duration::from_secs(1);
/// One call, in the units of a peer's allowance.
const ONE_CALL: u64 = 1_000_000_000;
/// Wrong passwords that are answered with another challenge in one [`GUESSING_WINDOW`]; the next ones get 403.
const GUESSES: u32 = 10;
/// How long wrong passwords are counted together.
const GUESSING_WINDOW: Duration = Duration::from_secs(60);

/// Keeps count, per peer.
#[derive(Debug, Default)]
pub struct Limits {
    legs: BTreeMap<LegId, Arc<str>>,
    loads: BTreeMap<Arc<str>, Load>,
}

/// What one peer is up to.
#[derive(Debug, Default)]
struct Load {
    calls: usize,
    /// New calls it may still place, in billionths, and when that was reckoned. Never above one second's worth.
    allowance: Option<(u64, Instant)>,
    /// Wrong passwords since then.
    guesses: Option<(u32, Instant)>,
}

impl Limits {
    /// May `peer` place another call? Otherwise: why not, and how long it should wait.
    pub fn admit(&mut self, peer: &Peer, now: Instant) -> Result<(), (Cause, Duration)> {
        let load = self.loads.entry(peer.name.clone()).or_default();
        if peer.max_calls.is_some_and(|most| load.calls >= most) {
            return Err((Cause::PeerCalls, CALLS_RETRY_AFTER));
        }
        let Some(rate) = peer.max_cps.map(u64::from) else { return Ok(()) };
        let most = rate * ONE_CALL;
        let (left, since) = load.allowance.unwrap_or((most, now));
        // `rate` calls a second are `rate` billionths a nanosecond.
        let elapsed = u64::try_from(now.saturating_duration_since(since).as_nanos()).unwrap_or(u64::MAX);
        let left = left.saturating_add(elapsed.saturating_mul(rate)).min(most);
        let after = left.checked_sub(ONE_CALL);
        load.allowance = Some((after.unwrap_or(left), now));
        after.map(drop).ok_or((Cause::PeerCps, RATE_RETRY_AFTER))
    }

    /// `leg` is a call of `peer`, until [`Limits::left`].
    pub fn entered(&mut self, leg: LegId, peer: &Arc<str>) {
        self.legs.insert(leg, peer.clone());
        self.loads.entry(peer.clone()).or_default().calls += 1;
    }

    /// `leg` is over.
    pub fn left(&mut self, leg: LegId) {
        if let Some(load) = self.legs.remove(&leg).and_then(|peer| self.loads.get_mut(&peer)) {
            load.calls = load.calls.saturating_sub(1);
        }
    }

    /// Live calls of `peer`.
    pub fn calls(&self, peer: &str) -> usize {
        self.loads.get(peer).map_or(0, |load| load.calls)
    }

    /// A wrong password of `peer`. `false`: there were too many lately, another challenge is not due.
    pub fn may_guess_again(&mut self, peer: &Arc<str>, now: Instant) -> bool {
        let load = self.loads.entry(peer.clone()).or_default();
        let (count, since) = match load.guesses {
            Some((count, since)) if now.saturating_duration_since(since) < GUESSING_WINDOW => (count + 1, since),
            _ => (1, now),
        };
        load.guesses = Some((count, since));
        count <= GUESSES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, SystemClock};

    fn peer(max_calls: Option<usize>, max_cps: Option<u32>) -> Peer {
        Peer { max_calls, max_cps, ..Peer::loopback() }
    }

    #[test]
    fn a_peer_places_as_many_calls_as_it_may_and_again_when_one_ends() {
        let (now, peer) = (SystemClock.now().mono, peer(Some(2), None));
        let mut limits = Limits::default();
        for leg in [LegId(1), LegId(2)] {
            assert_eq!(limits.admit(&peer, now), Ok(()));
            limits.entered(leg, &peer.name);
        }
        assert_eq!(limits.admit(&peer, now), Err((Cause::PeerCalls, CALLS_RETRY_AFTER)));
        let other = Peer { name: "other".into(), ..peer.clone() };
        assert_eq!(limits.admit(&other, now), Ok(()), "one peer's calls are not another's");
        limits.left(LegId(1));
        limits.left(LegId(1));
        limits.left(LegId(9));
        assert_eq!((limits.calls("loopback"), limits.admit(&peer, now)), (1, Ok(())));
    }

    #[test]
    fn a_rate_is_kept_over_time_and_saves_up_no_more_than_a_second() {
        let (start, peer) = (SystemClock.now().mono, peer(None, Some(5)));
        let mut limits = Limits::default();
        let mut admitted = |ms: u64| limits.admit(&peer, start + Duration::from_millis(ms)).is_ok();
        assert_eq!((0..20).filter(|_| admitted(0)).count(), 5);
        assert!(!admitted(199) && admitted(200) && !admitted(201));
        let next = (0..1000).filter(|ms| admitted(1000 + ms)).count();
        assert_eq!(next, 8, "five a second less a millisecond's worth, and the four that were saved");
        assert_eq!((0..20).filter(|_| admitted(600_000)).count(), 5, "ten minutes of silence is worth one second");
    }

    #[test]
    fn guessing_ends_after_ten_and_begins_anew_a_minute_later() {
        let (start, peer) = (SystemClock.now().mono, peer(None, None));
        let mut limits = Limits::default();
        assert_eq!((0..20).filter(|_| limits.may_guess_again(&peer.name, start)).count(), 10);
        assert!(!limits.may_guess_again(&peer.name, start + Duration::from_secs(59)));
        assert!(limits.may_guess_again(&peer.name, start + GUESSING_WINDOW));
    }
}
