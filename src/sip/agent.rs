//! The user agent: messages and commands in, messages and events out. No socket, no clock, no task.
//!
//! ```text
//!   message ─▶ guard ─▶ transaction? ─▶ its last answer again           (`server`)
//!                │           │ none
//!                │       dialog (To tag) ─▶ Branch ─▶ Act ─▶ Output::{Send, Event, Resolve}
//!                │           │ none, INVITE                    ▲
//!                │       new leg ─▶ Output::Incoming           │        (`client`)
//!                └─ response ─▶ client transaction ─▶ news ─▶ Branch
//! ```
//!
//! # Why our own
//!
//! `rsipstack` 0.7.14 was meant to stand behind the guard. Tried on the messages of our own torture table, it loses
//! valid traffic that a guard in front can only save by rewriting every datagram: blanks around `=` in a tag or
//! branch (RFC 3261 §25.1 EQUAL; the tortuous INVITE of RFC 4475 §3.1.1.1) make it drop the request unanswered or
//! lose the branch, so do requests without a From tag (§12.1.1 asks us to take them); a body without Content-Length,
//! legal over UDP (§18.3), is thrown away with the caller's offer in it; the first header line that is not UTF-8 ends
//! the header section; `%40` in a URI comes back as `%2540`. Its queues have no bound and its timers are its own,
//! so a lost ACK could be tested only by waiting 32 s. What a server needs beyond the guard's parser are the two state
//! machines in `transaction`, and here they run on whatever clock a test hands them.
//!
//! # Memory
//!
//! INVITEs and what comes inside dialogs are remembered (for 64·T1 at most, RFC 6026); everything else is answered
//! statelessly. Past [`MAX_TRANSACTIONS`] a new INVITE gets 503.

mod client;
mod faces;
mod ladders;
mod proof;
mod server;
mod takeover;
mod trunks;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use self::client::Clients;
use self::faces::Faces;
use self::ladders::Ladders;
use self::server::Reply;
use self::takeover::Takeovers;
use self::trunks::Trunks;
use super::auth::{self, Algorithm};
use super::branch::{Act, Branch, Context};
use super::guard::{Guard, MAX_MESSAGE, Verdict};
use super::message::{Raw, Via};
use super::outbound::OutLeg;
use super::peers::{Peer, PeerTable};
use super::refer;
use super::refusals::Refusals;
use super::session_timer::SessionPolicy;
use super::stats::SipStats;
use super::timers::Timers;
use super::transaction::{InviteTransaction, Tick, Timing};
use super::transport::{Path, Target};
use super::trunk::{TrunkSpec, TrunkStatus};
use super::uri::NameAddr;
use super::wire_log;
use super::{Dial, DialError, LegCommand, LegEvent, Rejection};
use crate::id::{CallId, LegId};
use crate::pii::Pii;
use crate::time::Now;

/// INVITE transactions remembered at once: 64·T1 = 32 s of 3,000 calls a second.
pub const MAX_TRANSACTIONS: usize = 100_000;
/// What we ask of callers we have no room for: long enough to thin out a rush, short enough to come back within it.
pub const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How the agent behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Value of Server and User-Agent.
    pub server: String,
    /// Live legs; one more INVITE gets 503.
    pub max_legs: usize,
    /// RFC 3261 timers.
    pub timing: Timing,
    /// Session timers.
    pub session: SessionPolicy,
    /// What peers are asked for their password in the name of.
    pub realm: String,
    /// How, the best first (RFC 8760).
    pub digest: Vec<Algorithm>,
    /// Where calls go out.
    pub trunks: Vec<TrunkSpec>,
    /// Do we speak TCP? Then long requests leave by it (RFC 3261 §18.1.1).
    pub tcp: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: "Trunkline".to_owned(),
            max_legs: 1000,
            timing: Timing::default(),
            session: SessionPolicy::default(),
            realm: "trunkline".to_owned(),
            digest: auth::server::ALGORITHMS.to_vec(),
            trunks: Vec::new(),
            tcp: true,
        }
    }
}

/// A call that has come in, before the driver gives it channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Ours.
    pub leg: LegId,
    /// The call it opens.
    pub call: CallId,
    /// Where it came from, and our address as that source reaches us.
    pub path: Path,
    /// The peer's configured name.
    pub peer: Arc<str>,
    /// Who calls.
    pub caller: Pii<String>,
    /// Whom.
    pub called: Pii<String>,
    /// Their Call-ID.
    pub sip_call_id: String,
    /// Their session description.
    pub offer: Option<String>,
}

/// A name to be looked up, told apart from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueryId(pub u64);

/// What the agent wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A message.
    Send {
        /// All of it.
        bytes: Bytes,
        /// Which way.
        path: Path,
        /// Whom a TLS connection there must have proved to be, as the request names it; `None` where any that stands will
        /// do: an answer, or a request inside a dialog that goes the way the dialog goes.
        towards: Option<Arc<str>>,
    },
    /// A name to look up; the answer is [`Agent::handle_resolved`].
    Resolve {
        /// Comes back with the answer.
        query: QueryId,
        /// What.
        target: Target,
    },
    /// A new call.
    Incoming(Box<Incoming>),
    /// A trunk is in another state than before.
    Trunk(TrunkStatus),
    /// News of a call.
    Event {
        /// Which.
        leg: LegId,
        /// What.
        event: LegEvent,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TimerOf {
    Invite(Arc<str>),
    Reply(Arc<str>),
    Client(Arc<str>),
    Query(QueryId),
    Trunk(Arc<str>),
    Leg(LegId),
}

/// Everything SIP knows.
pub struct Agent {
    settings: Settings,
    server: Arc<str>,
    guard: Guard,
    rng: StdRng,
    secret: u64,
    next_leg: u64,
    /// No new calls come in.
    draining: bool,
    /// None go out either.
    closing: bool,
    invites: BTreeMap<Arc<str>, InviteTransaction>,
    /// Call-ID, From tag and CSeq of every remembered INVITE: one that comes by two ways is one call (§8.2.2.2).
    merged: BTreeMap<String, Arc<str>>,
    merge_keys: BTreeMap<Arc<str>, String>,
    replies: BTreeMap<Arc<str>, Reply>,
    clients: Clients,
    trunks: Trunks,
    faces: Faces,
    ladders: Ladders,
    takeovers: Takeovers,
    /// Stands for whoever is in a dialog with us and no peer: it may do nothing else.
    far_end: Arc<Peer>,
    legs: BTreeMap<LegId, Box<dyn Branch>>,
    dialogs: BTreeMap<Arc<str>, LegId>,
    timers: Timers<TimerOf>,
    outputs: VecDeque<Output>,
    refusals: Refusals,
    stats: SipStats,
}

impl Agent {
    /// `seed` must come from a good source: tags and branches are drawn from it (RFC 3261 §19.3).
    pub fn new(settings: Settings, peers: PeerTable, seed: [u8; 32]) -> Self {
        let mut rng = StdRng::from_seed(seed);
        let secret = rng.next_u64();
        let mut nonces = [0; 32];
        rng.fill_bytes(&mut nonces);
        let digest = auth::server::Server::new(&settings.realm, nonces).offering(settings.digest.clone());
        let guard = Guard::new(peers, settings.server.clone(), secret);
        Self {
            server: settings.server.as_str().into(),
            guard: guard.keeping(digest, settings.session),
            rng,
            secret,
            next_leg: 1,
            draining: false,
            closing: false,
            invites: BTreeMap::new(),
            merged: BTreeMap::new(),
            merge_keys: BTreeMap::new(),
            replies: BTreeMap::new(),
            clients: Clients::default(),
            trunks: Trunks::new(&settings.trunks),
            faces: Faces::default(),
            ladders: Ladders::default(),
            takeovers: Takeovers::default(),
            far_end: Arc::new(Peer { name: "far end".into(), addresses: Vec::new(), ..Peer::loopback() }),
            legs: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            refusals: Refusals::default(),
            stats: SipStats::default(),
            settings,
        }
    }

    /// A message came along `path`.
    pub fn handle_message(&mut self, message: &[u8], path: &Path, now: Now) {
        let path = &self.faces.along(path);
        let verdict = match self.acquaintance(message, path, now) {
            Some(peer) => self.guard.inspect_as(Some(peer), message, path, now),
            None => self.guard.inspect(message, path, now),
        };
        match verdict {
            Verdict::Request(admitted) => {
                self.ladders.arrives(message, path);
                self.handle_request(*admitted, path, now);
            }
            Verdict::Response(response) => {
                self.ladders.arrives(message, path);
                self.handle_response(*response, now);
            }
            refusal => {
                let span = self.span_of_message(message);
                span.in_scope(|| wire_log::received(message, path));
                span.in_scope(|| self.turn_off(refusal));
            }
        }
        self.ladders.forget_arriving();
    }

    /// What the guard says goes no further than this.
    fn turn_off(&mut self, refusal: Verdict) {
        match refusal {
            Verdict::Request(_) | Verdict::Response(_) => {}
            Verdict::Answer { bytes, to, status } => {
                self.stats.count_refused(status);
                self.send(bytes.into(), to, None);
            }
            Verdict::Drop(reason) => self.stats.count_dropped(reason),
        }
    }

    /// Places a call. Its leg and Call-ID; all else comes as events.
    pub fn handle_dial(&mut self, dial: Dial, now: Now) -> Result<(LegId, String), DialError> {
        if self.closing {
            return Err(DialError::Closed);
        }
        if self.stats.live_legs >= self.settings.max_legs as u64 {
            return Err(DialError::Full("max_calls are under way"));
        }
        let id = self.fresh_leg();
        let trunk = dial.trunk.as_ref().map(|name| self.trunks.enter(name, id, now)).transpose()?;
        let context = self.context();
        let leg = OutLeg::dial(id, dial, trunk.as_ref(), context, now).inspect_err(|_| self.trunks.forget_leg(id))?;
        let call_id = leg.call_id().to_owned();
        self.dialogs.insert(leg.local_tag().clone(), id);
        if let Some(trunk) = &trunk {
            self.trust_with(client::Owner::Leg(id), trunk, None);
        }
        self.legs.insert(id, Box::new(leg));
        // Whoever places the call does so inside its span.
        self.ladders.open(id, tracing::Span::current(), now);
        self.stats.live_legs += 1;
        self.with_leg(id, now, |_| {});
        Ok((id, call_id))
    }

    /// The call has decided something.
    pub fn handle_command(&mut self, leg: LegId, command: LegCommand, now: Now) {
        let command = self.with_replaced(command);
        self.command_leg(leg, command, now);
    }

    /// An attended transfer names a leg of ours; the far end knows it as a dialog (RFC 3891). Untouched when that leg has
    /// none.
    fn with_replaced(&self, command: LegCommand) -> LegCommand {
        let LegCommand::Refer { to, replaces: Some(other) } = command else { return command };
        match self.legs.get(&self.takeovers.voice_of(other)).and_then(|leg| leg.replaces()) {
            Some(replaced) => {
                let to = if to.is_empty() { &replaced.target } else { &to };
                LegCommand::Refer { to: refer::in_stead_of(to, &replaced.dialog), replaces: None }
            }
            None => LegCommand::Refer { to, replaces: Some(other) },
        }
    }

    /// The call has vanished without a word: its leg ends as if it had hung up, an unanswered one with 500.
    pub fn handle_abandoned(&mut self, leg: LegId, now: Now) {
        self.handle_command(leg, LegCommand::Reject(Rejection::status(500)), now);
        self.handle_command(leg, LegCommand::Hangup, now);
    }

    /// From now on no new calls come in; those that are go on, and whoever is on the line may still be given somebody
    /// to talk to. Registrars are told, so that callers are sent elsewhere at once.
    pub fn handle_drain(&mut self, now: Now) {
        self.draining = true;
        self.stop_trunks(now);
    }

    /// Ends every call: BYE where answered, 503 where not.
    pub fn handle_shutdown(&mut self, now: Now) {
        (self.draining, self.closing) = (true, true);
        let legs: Vec<LegId> = self.legs.keys().copied().collect();
        for leg in legs {
            let unavailable = Rejection { retry_after: Some(RETRY_AFTER), ..Rejection::status(503) };
            self.handle_command(leg, LegCommand::Reject(unavailable), now);
            self.handle_command(leg, LegCommand::Hangup, now);
        }
        self.stop_trunks(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(due) = self.timers.pop_due(now.mono) {
            match due {
                TimerOf::Invite(key) => {
                    let Some(transaction) = self.invites.get_mut(&key) else { continue };
                    match transaction.tick(now.mono) {
                        Tick::GiveUp => self.forget_invite(&key),
                        Tick::Again(bytes, path) => {
                            let leg = transaction.leg;
                            self.say(leg, bytes, path, now);
                            self.arm_invite(&key);
                        }
                        Tick::Wait => self.arm_invite(&key),
                    }
                }
                TimerOf::Reply(key) => drop(self.replies.remove(&key)),
                TimerOf::Client(base) => self.handle_client_timeout(&base, now),
                TimerOf::Query(query) => {
                    self.handle_resolved(query, Err("the name servers do not answer".to_owned()), now);
                }
                TimerOf::Trunk(name) => self.handle_trunk_timeout(&name, now),
                TimerOf::Leg(leg) => self.with_leg(leg, now, |leg| leg.handle_timeout(now)),
            }
        }
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Agent::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Legs whose call has not been told that they are over.
    pub fn live_legs(&self) -> u64 {
        self.stats.live_legs
    }

    /// Nothing left to wait for: every call is over, and every request of ours done with. (A leg may outlive its call,
    /// to hang up on far ends that answer too late.)
    pub fn is_idle(&self) -> bool {
        self.stats.live_legs == 0 && !self.clients.are_waiting() && self.trunks.are_done()
    }

    /// Counters so far.
    pub fn stats(&self) -> &SipStats {
        &self.stats
    }

    /// Is somebody at `address` who may call: a peer, one on the road with a call from there, a trunk that we are
    /// registered with?
    pub fn knows(&self, address: IpAddr, now: Now) -> bool {
        let address = address.to_canonical();
        self.guard.knows(address, now) || self.trunks.at(address, now).is_some()
    }

    /// Who sends this, if the guard knows nobody there, but we have to do with somebody: a trunk that we are registered
    /// with, the far end of a request or a dialog of ours. Branches and tags are drawn at random: nobody guesses one.
    fn acquaintance(&self, message: &[u8], path: &Path, now: Now) -> Option<Arc<Peer>> {
        let source = path.hop.address.ip().to_canonical();
        if self.guard.knows(source, now) {
            return None;
        }
        if let Some(trunk) = self.trunks.at(source, now) {
            return Some(trunk);
        }
        if self.legs.is_empty() && self.clients.are_none() {
            return None;
        }
        let raw = Raw::read(&message[..message.len().min(MAX_MESSAGE)]);
        let ours = match raw.is_response() {
            true => {
                let via = raw.headers.list("Via").next().and_then(|via| Via::parse(via).ok())?;
                self.clients.knows(via.branch()?)
            }
            false => {
                let party = |name| raw.headers.first(name).and_then(|value| NameAddr::parse(value).ok());
                let (to, from) = (party("To")?, party("From")?);
                // Whom we called may be anywhere, and so may a caller whose proxy left the way after its INVITE.
                let leg = self.legs.get(self.dialogs.get(to.tag()?)?)?;
                leg.owns(raw.headers.first("Call-ID")?, from.tag().unwrap_or_default())
            }
        };
        ours.then(|| self.far_end.clone())
    }

    /// Lets a leg do something, then does what it wants and sets its timer.
    fn with_leg(&mut self, id: LegId, now: Now, work: impl FnOnce(&mut dyn Branch)) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        work(leg.as_mut());
        while let Some(act) = self.legs.get_mut(&id).and_then(|leg| leg.poll_act()) {
            match act {
                Act::Respond { key, status, bytes } => self.respond(&key, status, bytes, now),
                Act::Resend(bytes, path) => self.say(id, bytes, path, now),
                Act::Request { tx, request } => self.send_request(client::Owner::Leg(id), tx, request, now),
                Act::Cancel { tx, reason } => self.cancel_request(&client::Owner::Leg(id), tx, reason, now),
                Act::Ack { tx, request } => self.send_ack(&client::Owner::Leg(id), tx, request, now),
                Act::Event(event) => self.report(id, event, now),
                Act::Gone => {
                    if let Some(leg) = self.legs.remove(&id) {
                        self.trunks.forget_leg(id);
                        self.takeovers.forget(id);
                        self.ladders.forget(id);
                        self.dialogs.remove(leg.local_tag());
                        self.clients.forget_owner(&client::Owner::Leg(id));
                    }
                }
            }
        }
        let deadline = self.legs.get(&id).and_then(|leg| leg.deadline());
        self.timers.set(TimerOf::Leg(id), deadline);
    }

    /// A branch has news for its call, if anybody wants to hear of it.
    fn report(&mut self, branch: LegId, event: LegEvent, now: Now) {
        let ended = match event {
            LegEvent::Ended(end) => Some(end),
            _ => None,
        };
        if ended.is_some() {
            self.guard.left(branch, now);
            self.trunks.leave(branch);
            self.nothing_to_take_over(branch, now);
        }
        let Some(leg) = self.takeovers.leg_of(branch) else { return };
        if let Some(end) = ended {
            self.stats.live_legs = self.stats.live_legs.saturating_sub(1);
            self.stats.count_ended(end);
            if let Some(ladder) = self.ladders.close(leg) {
                let event = LegEvent::Ladder(Box::new(ladder));
                self.outputs.push_back(Output::Event { leg, event });
            }
        }
        self.outputs.push_back(Output::Event { leg, event });
    }

    fn fresh_leg(&mut self) -> LegId {
        let id = LegId(self.next_leg);
        self.next_leg += 1;
        id
    }

    fn context(&mut self) -> Context {
        Context {
            timing: self.settings.timing,
            server: self.server.clone(),
            session: self.settings.session,
            seed: self.rng.next_u64(),
        }
    }
}

#[cfg(test)]
mod tests;
