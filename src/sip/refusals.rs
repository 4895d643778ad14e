//! Calls that are turned away before anything of them exists: counted by cause, and told in the log.
//!
//! Such a call leaves no record and no ladder: a rush of them must cost next to nothing. What remains is a count and,
//! for each peer and cause, a line now and then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A peer that is turned away again and again is named once in so long for each cause.
const APART: Duration = Duration::from_secs(10);

/// Why a call was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The peer has `max_calls` live calls.
    PeerCalls,
    /// The peer places more than `max_cps` calls a second.
    PeerCps,
    /// `sip.max_calls` are live, or more INVITEs are remembered than may be.
    Full,
    /// We have been told to stop.
    Draining,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::PeerCalls, Self::PeerCps, Self::Full, Self::Draining];

    /// As a label: `peer_calls`, `peer_cps`, `full`, `draining`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PeerCalls => "peer_calls",
            Self::PeerCps => "peer_cps",
            Self::Full => "full",
            Self::Draining => "draining",
        }
    }

    /// As a sentence, for whoever reads the log.
    const fn sentence(self) -> &'static str {
        match self {
            Self::PeerCalls => "a call is refused: the peer has as many as its max_calls allows",
            Self::PeerCps => "a call is refused: the peer places more a second than its max_cps allows",
            Self::Full => "a call is refused: as many are live as sip.max_calls allows",
            Self::Draining => "a call is refused: told to stop, no new ones are taken",
        }
    }
}

/// Remembers who has been told of what.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// When the last line was written, and how many calls have been turned away since. As many entries as there are
    /// peers in the settings, for each cause.
    told: BTreeMap<(Arc<str>, Cause), (Instant, u64)>,
}

impl Refusals {
    /// A call of `peer` is turned away at `now`: the line that is due, if one is.
    pub fn turned_away(&mut self, peer: &Arc<str>, cause: Cause, now: Instant) {
        let Some(untold) = self.due(peer, cause, now) else { return };
        let (reason, sentence) = (cause.name(), cause.sentence());
        match cause {
            // Being stopped is no trouble.
            Cause::Draining => tracing::info!(%peer, reason, untold, "{sentence}"),
            _ => tracing::warn!(%peer, reason, untold, "{sentence}"),
        }
    }

    /// How many went untold since the last line, when another is due.
    fn due(&mut self, peer: &Arc<str>, cause: Cause, now: Instant) -> Option<u64> {
        let Some((since, untold)) = self.told.get_mut(&(peer.clone(), cause)) else {
            self.told.insert((peer.clone(), cause), (now, 0));
            return Some(0);
        };
        if now.saturating_duration_since(*since) < APART {
            *untold += 1;
            return None;
        }
        *since = now;
        Some(std::mem::take(untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock as _, SystemClock};

    #[test]
    fn a_rush_is_a_line_in_ten_seconds_for_each_peer_and_cause() {
        let (start, mut refusals) = (SystemClock.now().mono, Refusals::default());
        let (one, other): (Arc<str>, Arc<str>) = ("pbx".into(), "carrier".into());
        let lines = (0..10_000).filter_map(|ms| refusals.due(&one, Cause::Full, start + Duration::from_millis(ms)));
        assert_eq!(lines.collect::<Vec<_>>(), [0]);
        assert_eq!(refusals.due(&other, Cause::Full, start), Some(0));
        assert_eq!(refusals.due(&one, Cause::PeerCps, start), Some(0));
        assert_eq!(refusals.due(&one, Cause::Full, start + APART), Some(9_999), "what went untold is made up for");
        assert_eq!(refusals.due(&one, Cause::Full, start + APART * 2), Some(0));
    }
}
