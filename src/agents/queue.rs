//! Who waits and who is free, as a pure core: `(input, now)` in, rings and news out, and its next deadline.
//!
//! ```text
//!   caller   Enter ─▶ waiting ⇄ ringing ─ Accepted ─▶ talking ─ Done ─▶ (gone)
//!                        └ overflow, Leave ─▶ (gone)
//!   agent    free ─▶ ringing ─ Accepted ─▶ talking ─ Done ─▶ wrap-up ─▶ free
//!                       ├ Declined ─▶ free                 away: told so, or missed too often
//!                       └ Busy, NoAnswer, Failed, Untried ─▶ resting ─▶ free
//! ```
//!
//! Whoever stands first among the callers chooses first. Standing is priority and age together: a point of priority is
//! worth [`POINT`] of waiting, so nobody waits for ever behind those who are worth more. An agent never has more callers
//! than lines, whatever happens in whatever order.

mod seat;
mod stay;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::seat::Seat;
use self::stay::{Stay, Talk};
use super::choose::{Candidate, best};
use super::{AgentIx, AgentState, Needs, Overflow, RingEnd, RingId, Roster, Strategy, Ticket};

/// What a point of priority is worth.
pub const POINT: Duration = Duration::from_secs(60);
/// What a ring may take beyond ringing: the briefing and the answer to it. Whoever makes the call ends it before that;
/// this is only in case nobody ever reports.
const RING_PATIENCE: Duration = Duration::from_secs(120);
/// How long a talk is thought to be while none has been timed.
const USUAL_TALK: Duration = Duration::from_secs(180);
/// Share of the newest talk in that, in eighths.
const NEWEST: u32 = 1;

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A caller comes.
    Enter {
        /// Who.
        ticket: Ticket,
        /// What they need.
        needs: Needs,
    },
    /// A caller is gone, or taken back by the plan.
    Leave {
        /// Who.
        ticket: Ticket,
    },
    /// An attempt to reach an agent is over; [`RingEnd::Accepted`] asks for the bridge.
    Rung {
        /// Which.
        ring: RingId,
        /// How it ended.
        end: RingEnd,
    },
    /// The talk is over, whoever hung up.
    Done {
        /// Whose.
        ticket: Ticket,
    },
    /// An agent takes no more callers.
    Away(AgentIx),
    /// An agent takes callers again.
    Back(AgentIx),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Call this agent for this caller; ends with [`Input::Rung`] or [`Output::Cancel`].
    Ring {
        /// Its name from now on.
        ring: RingId,
        /// For whom.
        ticket: Ticket,
        /// Whom.
        agent: AgentIx,
        /// How long it may ring.
        patience: Duration,
    },
    /// That call is wanted no more.
    Cancel {
        /// Which.
        ring: RingId,
    },
    /// Agent and caller belong together now; ends with [`Input::Done`].
    Joined {
        /// The caller.
        ticket: Ticket,
        /// The call that the agent has accepted.
        ring: RingId,
        /// Who.
        agent: AgentIx,
        /// How long the caller has waited.
        waited: Duration,
    },
    /// Tell the caller where they stand.
    Announce {
        /// Who.
        ticket: Ticket,
        /// 1: next.
        position: usize,
        /// How long it may take yet.
        wait: Duration,
    },
    /// The caller goes back to the plan.
    Overflow {
        /// Who.
        ticket: Ticket,
        /// Why.
        why: Overflow,
    },
}

/// One attempt under way.
#[derive(Clone, Copy, Debug)]
struct Ring {
    ticket: Ticket,
    agent: AgentIx,
    until: Instant,
}

/// The agents of a house and those who wait for them. Every input and every timeout is followed by
/// [`Queue::poll_output`] until it is empty.
#[derive(Debug)]
pub struct Queue {
    roster: Arc<Roster>,
    seats: Vec<Seat>,
    stays: BTreeMap<Ticket, Stay>,
    talks: BTreeMap<Ticket, Talk>,
    rings: BTreeMap<RingId, Ring>,
    rung: u64,
    /// How long a talk and its wrap-up take, by group.
    usual: BTreeMap<Arc<str>, Duration>,
    outputs: VecDeque<Output>,
}

impl Queue {
    /// Everybody is there and free.
    pub fn new(roster: Arc<Roster>, now: Instant) -> Self {
        let seats = roster.agents().map(|_| Seat::new(now)).collect();
        Self {
            roster,
            seats,
            stays: BTreeMap::new(),
            talks: BTreeMap::new(),
            rings: BTreeMap::new(),
            rung: 0,
            usual: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.expire(now);
        match input {
            Input::Enter { ticket, needs } => self.enter(ticket, needs, now),
            Input::Leave { ticket } => self.leave(ticket, now),
            Input::Rung { ring, end } => self.rung(ring, end, now),
            Input::Done { ticket } => self.done(ticket, now),
            Input::Away(agent) => self.seat(agent, |seat| seat.leave(None)),
            Input::Back(agent) => self.seat(agent, |seat| seat.come_back()),
        }
        self.settle(now);
    }

    /// What is to be done, in order; `None` until something happens.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Queue::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let seats = self.seats.iter().filter_map(Seat::due);
        let stays = self.stays.values().filter_map(Stay::due);
        let rings = self.rings.values().map(|ring| ring.until);
        seats.chain(stays).chain(rings).min()
    }

    /// Does what is due at `now`; nothing when it is early.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.expire(now);
        let overdue: Vec<_> = self.rings.iter().filter(|(_, ring)| ring.until <= now).map(|(id, _)| *id).collect();
        for ring in overdue {
            self.outputs.push_back(Output::Cancel { ring });
            self.rung(ring, RingEnd::NoAnswer, now);
        }
        self.settle(now);
    }

    /// Who there is.
    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// What an agent is doing.
    pub fn state_of(&self, agent: AgentIx) -> AgentState {
        self.seats.get(agent.0).map_or(AgentState::Away, Seat::state)
    }

    /// How many wait for a group.
    pub fn waiting(&self, group: &str) -> usize {
        self.stays.values().filter(|stay| &*stay.needs.group == group).count()
    }

    // Callers

    fn enter(&mut self, ticket: Ticket, needs: Needs, now: Instant) {
        if self.stays.contains_key(&ticket) || self.talks.contains_key(&ticket) {
            return;
        }
        let Some(group) = self.roster.group(&needs.group) else {
            self.outputs.push_back(Output::Overflow { ticket, why: Overflow::NobodyFits });
            return;
        };
        let why = match self.staff(&needs) {
            None => Some(Overflow::NobodyFits),
            Some(0) => Some(Overflow::NobodyThere),
            Some(_) => (self.waiting(&needs.group) >= group.max_length).then_some(Overflow::Full),
        };
        match why {
            Some(why) => self.outputs.push_back(Output::Overflow { ticket, why }),
            None => _ = self.stays.insert(ticket, Stay::new(needs, group, now)),
        }
    }

    fn leave(&mut self, ticket: Ticket, now: Instant) {
        if self.stays.remove(&ticket).is_some() {
            self.cancel_rings(ticket, None);
        } else {
            self.done(ticket, now);
        }
    }

    fn done(&mut self, ticket: Ticket, now: Instant) {
        let Some(talk) = self.talks.remove(&ticket) else { return };
        let agent_lines = self.roster.agent(talk.agent).lines;
        // A switchboard writes nothing down: its next line may be used at once.
        let group = self.roster.group(&talk.group).filter(|_| agent_lines == 1);
        let wrap_up = group.map_or(Duration::ZERO, |group| group.wrap_up);
        let took = now.saturating_duration_since(talk.since) + wrap_up;
        let usual = self.usual.entry(talk.group).or_insert(USUAL_TALK);
        *usual = (*usual * (8 - NEWEST) + took * NEWEST) / 8;
        self.seat(talk.agent, |seat| seat.hang_up(talk.ring, now, wrap_up));
    }

    // Agents

    fn rung(&mut self, id: RingId, end: RingEnd, now: Instant) {
        // Cancelled or reported already.
        let Some(ring) = self.rings.remove(&id) else { return };
        let Some(stay) = self.stays.get_mut(&ring.ticket) else {
            self.seat(ring.agent, |seat| seat.release(id));
            return;
        };
        stay.rings.remove(&id);
        if end == RingEnd::Accepted {
            self.join(id, ring, now);
            return;
        }
        let group = self.roster.group(&stay.needs.group).cloned().unwrap_or_default();
        // Whom nobody has called has declined nothing.
        if end != RingEnd::Untried {
            stay.tried.insert(ring.agent, now + group.retry);
        }
        self.seat(ring.agent, |seat| seat.missed(id, end, &group, now));
    }

    fn join(&mut self, id: RingId, ring: Ring, now: Instant) {
        let Some(stay) = self.stays.remove(&ring.ticket) else { return };
        let waited = now.saturating_duration_since(stay.since);
        self.seat(ring.agent, |seat| seat.take(id));
        let talk = Talk { ring: id, agent: ring.agent, group: stay.needs.group, since: now };
        self.talks.insert(ring.ticket, talk);
        self.outputs.push_back(Output::Joined { ticket: ring.ticket, ring: id, agent: ring.agent, waited });
        self.cancel_rings(ring.ticket, Some(id));
    }

    fn cancel_rings(&mut self, ticket: Ticket, but: Option<RingId>) {
        let of_theirs = |(id, ring): (&RingId, &Ring)| (ring.ticket == ticket && Some(*id) != but).then_some(*id);
        let cancelled: Vec<_> = self.rings.iter().filter_map(of_theirs).collect();
        for id in cancelled {
            if let Some(ring) = self.rings.remove(&id) {
                self.outputs.push_back(Output::Cancel { ring: id });
                self.seat(ring.agent, |seat| seat.release(id));
            }
        }
    }

    fn seat(&mut self, agent: AgentIx, change: impl FnOnce(&mut Seat)) {
        if let Some(seat) = self.seats.get_mut(agent.0) {
            change(seat);
        }
    }

    /// How many lines of agents who could help are there: `None` when there is no such agent at all.
    fn staff(&self, needs: &Needs) -> Option<usize> {
        let fitting: Vec<_> = self.roster.agents().filter(|(ix, _)| self.roster.fits(*ix, needs)).collect();
        let lines = |(ix, agent): &(AgentIx, &super::Agent)| match self.seats.get(ix.0) {
            Some(seat) if !seat.is_away() => agent.lines,
            _ => 0,
        };
        (!fitting.is_empty()).then(|| fitting.iter().map(lines).sum())
    }

    // What follows from the state

    /// Rests that are over.
    fn expire(&mut self, now: Instant) {
        self.seats.iter_mut().for_each(|seat| seat.expire(now));
        self.stays.values_mut().for_each(|stay| stay.expire(now));
    }

    fn settle(&mut self, now: Instant) {
        self.overflow(now);
        self.assign(now);
        self.announce(now);
    }

    fn overflow(&mut self, now: Instant) {
        let leaves = |(ticket, stay): (&Ticket, &Stay)| {
            // An agent who is deciding right now is worth the wait.
            if !stay.rings.is_empty() {
                return None;
            }
            let nobody = self.staff(&stay.needs).unwrap_or(0) == 0;
            let why = if nobody { Some(Overflow::NobodyThere) } else { stay.too_long(now) };
            Some((*ticket, why?))
        };
        let leaving: Vec<_> = self.stays.iter().filter_map(leaves).collect();
        for (ticket, why) in leaving {
            self.stays.remove(&ticket);
            self.outputs.push_back(Output::Overflow { ticket, why });
        }
    }

    /// Whoever stands first chooses first.
    fn assign(&mut self, now: Instant) {
        for ticket in self.by_standing(now, |_| true) {
            let Some(stay) = self.stays.get(&ticket) else { continue };
            let Some(group) = self.roster.group(&stay.needs.group) else { continue };
            let (strategy, patience) = (group.strategy, group.ring);
            if strategy != Strategy::RingAll && !stay.rings.is_empty() {
                continue;
            }
            let free = self.free_for(stay);
            match strategy {
                Strategy::RingAll => free.into_iter().for_each(|one| self.ring(ticket, one.agent, patience, now)),
                _ => {
                    let chosen = best(&self.roster, &stay.needs, strategy, free.into_iter());
                    chosen.into_iter().for_each(|agent| self.ring(ticket, agent, patience, now));
                }
            }
        }
    }

    fn free_for(&self, stay: &Stay) -> Vec<Candidate> {
        let free = |(ix, agent): (AgentIx, &super::Agent)| {
            let seat = self.seats.get(ix.0)?;
            let may = !stay.tried.contains_key(&ix) && seat.has_room(agent.lines);
            (may && self.roster.fits(ix, &stay.needs)).then_some(Candidate {
                agent: ix,
                tried: stay.asked.contains(&ix),
                idle_since: seat.idle_since,
                taken: seat.taken,
                last_rung: seat.last_rung,
            })
        };
        self.roster.agents().filter_map(free).collect()
    }

    fn ring(&mut self, ticket: Ticket, agent: AgentIx, patience: Duration, now: Instant) {
        self.rung += 1;
        let (id, place) = (RingId(self.rung), self.rung);
        let Some(stay) = self.stays.get_mut(&ticket) else { return };
        stay.rings.insert(id);
        stay.asked.insert(agent);
        self.rings.insert(id, Ring { ticket, agent, until: now + patience + RING_PATIENCE });
        self.seat(agent, |seat| seat.ring(id, place));
        self.outputs.push_back(Output::Ring { ring: id, ticket, agent, patience });
    }

    fn announce(&mut self, now: Instant) {
        let due: Vec<_> = self.stays.iter().filter(|(_, stay)| stay.is_due(now)).map(|(ticket, _)| *ticket).collect();
        for ticket in due {
            let Some((position, wait)) = self.place_of(ticket, now) else { continue };
            let Some(stay) = self.stays.get_mut(&ticket) else { continue };
            stay.announced(now);
            self.outputs.push_back(Output::Announce { ticket, position, wait });
        }
    }

    /// Where a caller stands among those of the group, and how long it may take yet: as many usual talks as it takes for
    /// the lines that are there to get through all before them.
    fn place_of(&self, ticket: Ticket, now: Instant) -> Option<(usize, Duration)> {
        let stay = self.stays.get(&ticket)?;
        let line = self.by_standing(now, |other| other.needs.group == stay.needs.group);
        let position = line.iter().position(|other| *other == ticket)? + 1;
        let usual = self.usual.get(&stay.needs.group).copied().unwrap_or(USUAL_TALK);
        let lines = self.staff(&stay.needs).unwrap_or(0).max(1);
        let wait = usual * u32::try_from(position).unwrap_or(u32::MAX) / u32::try_from(lines).unwrap_or(u32::MAX);
        Some((position, wait))
    }

    fn by_standing(&self, now: Instant, counts: impl Fn(&Stay) -> bool) -> Vec<Ticket> {
        let mut line: Vec<_> = self.stays.iter().filter(|(_, stay)| counts(stay)).collect();
        line.sort_by_key(|(ticket, stay)| (std::cmp::Reverse(stay.standing(now)), **ticket));
        line.into_iter().map(|(ticket, _)| *ticket).collect()
    }
}

#[cfg(test)]
mod tests;
