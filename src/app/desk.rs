//! The agents' desk: one queue for the whole house, and the calls to those it chooses.
//!
//! ```text
//!   caller's call ── Wish ──▶ desk ── Ring ──▶ consult: INVITE, briefing, 1 ── Ready ──▶ desk ── Taken, Ready ──▶ caller's call
//!                    ◀─ Place, Left ─┘ └── declined, busy, silence ── Over ──▶ the next one
//! ```
//!
//! It lives in a task of its own; calls reach it through a bounded channel, and it never waits for any of them.

mod absence;
mod board;
mod driver;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tracing::{Span, debug, error, info, warn};

use self::absence::Absence;
pub(super) use self::board::{Board, Presence};
use super::consult::OnBehalf;
use crate::agents::{Agent, Input, Output, Queue, RingEnd, RingId, Roster, Ticket};
use crate::call::driver::{Consultant as _, Consultation};
use crate::call::{Consult, Consulted, Verdict, Wish};
use crate::dialplan::handover::HandedEnd;
use crate::time::{Clock, Now};

/// Orders that may wait for the desk: every call of a full house enters and leaves at once, and rings report.
const ORDERS: usize = 4_096;
/// News for one caller that may wait: positions come every half minute.
const NEWS: usize = 16;
/// A call gives two verdicts.
const VERDICTS: usize = 2;

/// The way to the desk. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    orders: mpsc::Sender<Order>,
}

/// What the desk is told.
enum Order {
    Enter(Box<Guest>, mpsc::Receiver<Verdict>),
    Leave(Ticket),
    /// News of an agent's telephone; its silence is its end.
    Rings(RingId, Consulted),
    /// Somebody wants to know how it stands.
    Look(oneshot::Sender<Board>),
    /// An agent goes, or is back; there may be nobody of that name.
    Presence(String, Presence, oneshot::Sender<Result<Board, String>>),
}

/// Somebody who waits, or talks to an agent.
struct Guest {
    wish: Wish,
    behalf: OnBehalf,
    news: mpsc::Sender<Consulted>,
    /// What is logged of it is logged as of their call.
    span: Span,
}

/// A call to an agent.
struct Called {
    ticket: Ticket,
    /// Dropped, the call is hung up.
    verdict: mpsc::Sender<Verdict>,
    joined: bool,
}

impl Desk {
    /// Opens it; it closes when nobody can reach it any more. Who was away when an earlier one of this data directory
    /// closed is away still.
    pub fn open(roster: Arc<Roster>, data_dir: &Path, clock: Arc<dyn Clock>) -> Self {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (absence, read) = Absence::read(data_dir);
        if let Err(error) = read {
            warn!(%error, "which agents were away cannot be read; they count as back");
        }
        driver::open(Room::new(roster, absence, clock.now()), inbox, orders.downgrade(), clock);
        Self { orders }
    }

    /// A caller comes, for whom agents are called as `behalf` would.
    pub(super) fn enter(&self, wish: Wish, behalf: OnBehalf) -> Consultation {
        let (news, receiver) = mpsc::channel(NEWS);
        let (verdict, verdicts) = mpsc::channel(VERDICTS);
        let guest = Box::new(Guest { wish, behalf, news, span: Span::current() });
        if self.orders.try_send(Order::Enter(guest, verdicts)).is_err() {
            // Its news end at once, which the call takes for the end.
            error!("the agents' desk takes no more callers");
        }
        Consultation { news: receiver, verdict }
    }
}

/// The desk's own state: the queue, and who hears what comes of it.
struct Room {
    queue: Queue,
    guests: BTreeMap<Ticket, Guest>,
    called: BTreeMap<RingId, Called>,
    tickets: u64,
    absence: Absence,
}

/// What the driver has to wait for.
enum Wait {
    /// For the caller's call to let go.
    Guest(Ticket, mpsc::Receiver<Verdict>),
    /// For an agent's telephone.
    Telephone(RingId, mpsc::Receiver<Consulted>),
}

impl Room {
    fn new(roster: Arc<Roster>, absence: Absence, now: Now) -> Self {
        let mut queue = Queue::new(roster, now.mono);
        for name in absence.names() {
            match Presence::Away.of(name, &mut queue, now.mono) {
                Ok(()) => info!(agent = name, "still away, as before the start"),
                // Kept all the same: settings come and go.
                Err(_) => info!(agent = name, "was away, and is no agent any more"),
            }
        }
        Self { queue, guests: BTreeMap::new(), called: BTreeMap::new(), tickets: 0, absence }
    }

    fn handle(&mut self, order: Order, now: Now) -> Vec<Wait> {
        let mut waits = Vec::new();
        match order {
            Order::Enter(guest, verdicts) => {
                self.tickets += 1;
                let ticket = Ticket(self.tickets);
                let mut needs = guest.wish.needs.clone();
                let caller = guest.wish.introduction.number.reveal();
                needs.region = needs.region.or_else(|| self.queue.roster().region_of(caller).map(str::to_owned));
                debug!(ticket = ticket.0, group = &*needs.group, "a caller waits for an agent");
                self.guests.insert(ticket, *guest);
                waits.push(Wait::Guest(ticket, verdicts));
                self.queue.handle(Input::Enter { ticket, needs }, now.mono);
            }
            Order::Leave(ticket) => {
                self.guests.remove(&ticket);
                // Whoever talks to them is hung up on; who still rings, the queue cancels.
                self.called.retain(|_, called| called.ticket != ticket || !called.joined);
                self.queue.handle(Input::Leave { ticket }, now.mono);
            }
            Order::Rings(ring, news) => self.rings(ring, &news, now, &mut waits),
            Order::Look(answer) => _ = answer.send(Board::of(&self.queue)),
            Order::Presence(name, presence, answer) => {
                let told = presence.of(&name, &mut self.queue, now.mono);
                if told.is_ok()
                    && let Err(error) = self.absence.set(&name, presence == Presence::Away)
                {
                    warn!(agent = name, %error, "a restart will forget whether this agent is away");
                }
                let _ = answer.send(told.map(|()| Board::of(&self.queue)));
            }
        }
        self.settle(&mut waits);
        waits
    }

    fn handle_timeout(&mut self, now: Now) -> Vec<Wait> {
        let mut waits = Vec::new();
        self.queue.handle_timeout(now.mono);
        self.settle(&mut waits);
        waits
    }

    fn rings(&mut self, ring: RingId, news: &Consulted, now: Now, waits: &mut Vec<Wait>) {
        let Some(called) = self.called.get_mut(&ring) else { return };
        let ticket = called.ticket;
        match news {
            Consulted::Ready { leg } if !called.joined => {
                called.joined = true;
                let leg = *leg;
                self.queue.handle(Input::Rung { ring, end: RingEnd::Accepted }, now.mono);
                // The queue answers with `Joined`, which is told first.
                self.settle(waits);
                self.tell(ticket, Consulted::Ready { leg });
            }
            Consulted::Untried { .. } if !called.joined => {
                self.called.remove(&ring);
                self.queue.handle(Input::Rung { ring, end: RingEnd::Untried }, now.mono);
            }
            Consulted::Over { .. } if called.joined => {
                self.called.remove(&ring);
                self.tell(ticket, Consulted::Over { status: 487 });
                self.guests.remove(&ticket);
                self.queue.handle(Input::Done { ticket }, now.mono);
            }
            Consulted::Over { status } => {
                self.called.remove(&ring);
                let end = match HandedEnd::of_status(*status) {
                    HandedEnd::Busy => RingEnd::Busy,
                    HandedEnd::Declined => RingEnd::Declined,
                    HandedEnd::NoAnswer => RingEnd::NoAnswer,
                    _ => RingEnd::Failed,
                };
                self.queue.handle(Input::Rung { ring, end }, now.mono);
            }
            _ => {}
        }
    }

    /// Does what the queue wants.
    fn settle(&mut self, waits: &mut Vec<Wait>) {
        while let Some(output) = self.queue.poll_output() {
            match output {
                Output::Ring { ring, ticket, agent, patience } => {
                    let Some(guest) = self.guests.get(&ticket) else { continue };
                    let agent = self.queue.roster().agent(agent);
                    let consultation = guest.span.in_scope(|| {
                        info!(agent = &*agent.name, "calling an agent");
                        guest.behalf.speaking_to(agent).consult(consult(agent, guest, patience))
                    });
                    waits.push(Wait::Telephone(ring, consultation.news));
                    self.called.insert(ring, Called { ticket, verdict: consultation.verdict, joined: false });
                }
                Output::Cancel { ring } => _ = self.called.remove(&ring),
                Output::Joined { ticket, ring, agent, waited } => {
                    let agent = self.queue.roster().agent(agent).name.clone();
                    let waited_s = waited.as_secs();
                    self.as_of(ticket, || info!(agent = &*agent, waited_s, "an agent takes the caller"));
                    if let Some(called) = self.called.get(&ring) {
                        let _ = called.verdict.try_send(Verdict::Bridged);
                    }
                    self.tell(ticket, Consulted::Taken { agent, waited });
                }
                Output::Announce { ticket, position, wait } => self.tell(ticket, Consulted::Place { position, wait }),
                Output::Overflow { ticket, why } => {
                    self.as_of(ticket, || info!(why = why.name(), "no agent for a caller"));
                    self.tell(ticket, Consulted::Left { why });
                    if let Some(guest) = self.guests.get(&ticket) {
                        guest.behalf.tell_left(&guest.wish, why.name());
                    }
                    self.guests.remove(&ticket);
                }
            }
        }
    }

    /// Logs something as of the caller's call.
    fn as_of(&self, ticket: Ticket, log: impl FnOnce()) {
        match self.guests.get(&ticket) {
            Some(guest) => guest.span.in_scope(log),
            None => log(),
        }
    }

    fn tell(&self, ticket: Ticket, news: Consulted) {
        if let Some(guest) = self.guests.get(&ticket)
            && guest.news.try_send(news).is_err()
        {
            debug!(ticket = ticket.0, "a caller's call does not hear its news");
        }
    }
}

fn consult(agent: &Agent, guest: &Guest, patience: std::time::Duration) -> Consult {
    let introduction = Some(Box::new(guest.wish.introduction.clone()));
    Consult { to: agent.to.clone(), trunk: agent.trunk.clone(), briefing: None, ring: patience, introduction }
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Order")
    }
}
