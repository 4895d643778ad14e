//! One caller's place: since when they wait, who was asked for them, and when they are told where they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::POINT;
use crate::agents::{AgentIx, Group, Needs, Overflow, RingId};

/// Somebody who waits.
#[derive(Debug)]
pub(super) struct Stay {
    pub needs: Needs,
    pub since: Instant,
    /// Attempts under way for them.
    pub rings: BTreeSet<RingId>,
    /// Who is not to be asked again before then.
    pub tried: BTreeMap<AgentIx, Instant>,
    /// Who was asked at all.
    pub asked: BTreeSet<AgentIx>,
    ends_at: Instant,
    announce_at: Option<Instant>,
    announce: Option<Duration>,
}

/// Caller and agent.
#[derive(Debug)]
pub(super) struct Talk {
    pub ring: RingId,
    pub agent: AgentIx,
    pub group: Arc<str>,
    pub since: Instant,
}

impl Stay {
    pub fn new(needs: Needs, group: &Group, now: Instant) -> Self {
        Self {
            needs,
            since: now,
            rings: BTreeSet::new(),
            tried: BTreeMap::new(),
            asked: BTreeSet::new(),
            ends_at: now + group.max_wait,
            announce_at: group.announce.map(|every| now + every),
            announce: group.announce,
        }
    }

    /// What counts in line, in milliseconds: how long they wait, and what they are worth.
    pub fn standing(&self, now: Instant) -> i128 {
        let waited = now.saturating_duration_since(self.since).as_millis() as i128;
        waited + i128::from(self.needs.priority) * POINT.as_millis() as i128
    }

    /// Have they waited as long as anybody may?
    pub fn too_long(&self, now: Instant) -> Option<Overflow> {
        (self.ends_at <= now).then_some(Overflow::TooLong)
    }

    /// Is it time to tell them where they stand?
    pub fn is_due(&self, now: Instant) -> bool {
        self.announce_at.is_some_and(|at| at <= now)
    }

    pub fn announced(&mut self, now: Instant) {
        self.announce_at = self.announce.map(|every| now + every);
    }

    pub fn due(&self) -> Option<Instant> {
        // While an agent decides nobody is sent back; what comes of it is settled then.
        let end = self.rings.is_empty().then_some(self.ends_at);
        let tried = self.tried.values().min().copied();
        [end, tried, self.announce_at].into_iter().flatten().min()
    }

    pub fn expire(&mut self, now: Instant) {
        self.tried.retain(|_, until| *until > now);
    }
}
