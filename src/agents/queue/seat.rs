//! One agent's place: what they are doing, and how often they were asked.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::agents::{AgentState, Group, RingEnd, RingId};

/// How long somebody is left alone who was busy, did not pick up or could not be reached.
const REST: Duration = Duration::from_secs(10);
/// The same where we could not call them: a line may be free, and a second of a trunk over, in a moment.
const SHORT_REST: Duration = Duration::from_secs(2);

/// Is somebody away, and until when?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    No,
    /// Missed too many calls.
    Until(Instant),
    /// Said so.
    TillTold,
}

/// One agent.
#[derive(Debug)]
pub(super) struct Seat {
    ringing: BTreeSet<RingId>,
    talking: BTreeSet<RingId>,
    away: Away,
    wrap_up: Option<Instant>,
    rest: Option<Instant>,
    misses: u32,
    /// Since when they have had no caller.
    pub idle_since: Instant,
    /// Calls taken.
    pub taken: u64,
    /// When they were asked last, in rings of the whole house.
    pub last_rung: u64,
}

impl Seat {
    pub fn new(now: Instant) -> Self {
        Self {
            ringing: BTreeSet::new(),
            talking: BTreeSet::new(),
            away: Away::No,
            wrap_up: None,
            rest: None,
            misses: 0,
            idle_since: now,
            taken: 0,
            last_rung: 0,
        }
    }

    pub fn state(&self) -> AgentState {
        match self {
            _ if !self.talking.is_empty() => AgentState::Talking,
            _ if !self.ringing.is_empty() => AgentState::Ringing,
            _ if self.is_away() => AgentState::Away,
            Self { wrap_up: Some(_), .. } => AgentState::WrapUp,
            Self { rest: Some(_), .. } => AgentState::Resting,
            _ => AgentState::Free,
        }
    }

    pub fn is_away(&self) -> bool {
        self.away != Away::No
    }

    /// May one more caller be offered?
    pub fn has_room(&self, lines: usize) -> bool {
        let rests = self.is_away() || self.wrap_up.is_some() || self.rest.is_some();
        !rests && self.ringing.len() + self.talking.len() < lines
    }

    pub fn ring(&mut self, ring: RingId, place: u64) {
        self.ringing.insert(ring);
        self.last_rung = place;
    }

    /// They take the caller.
    pub fn take(&mut self, ring: RingId) {
        self.ringing.remove(&ring);
        self.talking.insert(ring);
        self.taken += 1;
        self.misses = 0;
    }

    /// The caller is served by somebody else, or gone.
    pub fn release(&mut self, ring: RingId) {
        self.ringing.remove(&ring);
    }

    /// They did not take the caller.
    pub fn missed(&mut self, ring: RingId, end: RingEnd, group: &Group, now: Instant) {
        self.ringing.remove(&ring);
        match end {
            // Somebody is there, and knows what they do.
            RingEnd::Declined | RingEnd::Accepted => self.misses = 0,
            RingEnd::Busy => self.rest = Some(now + REST),
            RingEnd::Untried => self.rest = Some(now + SHORT_REST),
            RingEnd::NoAnswer | RingEnd::Failed => {
                self.rest = Some(now + REST);
                self.misses += 1;
                if group.away_after > 0 && self.misses >= group.away_after && !self.is_away() {
                    self.leave(Some(now + group.away_for));
                }
            }
        }
    }

    /// The talk is over.
    pub fn hang_up(&mut self, ring: RingId, now: Instant, wrap_up: Duration) {
        self.talking.remove(&ring);
        self.idle_since = now;
        self.wrap_up = (!wrap_up.is_zero()).then(|| now + wrap_up);
    }

    /// Takes no more callers; those they have, they keep.
    pub fn leave(&mut self, until: Option<Instant>) {
        self.away = until.map_or(Away::TillTold, Away::Until);
    }

    /// Takes callers again, at once.
    pub fn come_back(&mut self) {
        (self.away, self.misses, self.wrap_up, self.rest) = (Away::No, 0, None, None);
    }

    /// When a rest is over.
    pub fn due(&self) -> Option<Instant> {
        let away = if let Away::Until(until) = self.away { Some(until) } else { None };
        [away, self.wrap_up, self.rest].into_iter().flatten().min()
    }

    pub fn expire(&mut self, now: Instant) {
        for rest in [&mut self.wrap_up, &mut self.rest] {
            rest.take_if(|until| *until <= now);
        }
        if let Away::Until(until) = self.away
            && until <= now
        {
            (self.away, self.misses) = (Away::No, 0);
        }
    }
}
