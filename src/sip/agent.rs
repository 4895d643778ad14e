//! The user agent: datagrams and commands in, datagrams and events out. No socket, no clock, no task.
//!
//! ```text
//!   datagram ─▶ guard ─▶ transaction? ─▶ its last answer again
//!                            │ none
//!                        dialog (To tag) ─▶ leg ─▶ Act ─▶ Output::{Send, Event}
//!                            │ none, INVITE
//!                        new leg ─▶ Output::Incoming
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
//! Only INVITE and BYE are remembered (for 64·T1 at most, RFC 6026); everything else is answered statelessly. Past
//! [`MAX_TRANSACTIONS`] a new INVITE gets 503.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use super::guard::{Admitted, DropReason, Guard, Verdict};
use super::leg::{Act, Leg, Opening};
use super::message::{Method, Request, Response};
use super::peers::PeerTable;
use super::respond::{ALLOW, Draft, Origin, reason_phrase};
use super::stats::SipStats;
use super::timers::Timers;
use super::transaction::{InviteTransaction, Repeat, Tick, Timing};
use super::{LegCommand, LegEvent, Rejection};
use crate::id::LegId;
use crate::pii::Pii;

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
}

/// A call that has come in, before the driver gives it channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Ours.
    pub leg: LegId,
    /// Where it came from.
    pub source: SocketAddr,
    /// Our address as that source reaches us.
    pub local: SocketAddr,
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

/// What the agent wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A datagram.
    Send {
        /// All of it.
        bytes: Bytes,
        /// Where.
        to: SocketAddr,
    },
    /// A new call.
    Incoming(Box<Incoming>),
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
    ByeReply(Arc<str>),
    OurBye(Arc<str>),
    Leg(LegId),
}

#[derive(Debug)]
struct OurBye {
    leg: LegId,
    repeat: Repeat,
}

/// Everything SIP knows.
pub struct Agent {
    settings: Settings,
    server: Arc<str>,
    guard: Guard,
    rng: StdRng,
    secret: u64,
    next_leg: u64,
    draining: bool,
    invites: BTreeMap<Arc<str>, InviteTransaction>,
    /// Call-ID, From tag and CSeq of every remembered INVITE: one that comes by two ways is one call (§8.2.2.2).
    merged: BTreeMap<String, Arc<str>>,
    merge_keys: BTreeMap<Arc<str>, String>,
    bye_replies: BTreeMap<Arc<str>, (Bytes, SocketAddr)>,
    our_byes: BTreeMap<Arc<str>, OurBye>,
    legs: BTreeMap<LegId, Leg>,
    dialogs: BTreeMap<Arc<str>, LegId>,
    timers: Timers<TimerOf>,
    outputs: VecDeque<Output>,
    stats: SipStats,
}

impl Agent {
    /// `seed` must come from a good source: tags and branches are drawn from it (RFC 3261 §19.3).
    pub fn new(settings: Settings, peers: PeerTable, seed: [u8; 32]) -> Self {
        let mut rng = StdRng::from_seed(seed);
        let secret = rng.next_u64();
        Self {
            server: settings.server.as_str().into(),
            guard: Guard::new(peers, settings.server.clone(), secret),
            settings,
            rng,
            secret,
            next_leg: 1,
            draining: false,
            invites: BTreeMap::new(),
            merged: BTreeMap::new(),
            merge_keys: BTreeMap::new(),
            bye_replies: BTreeMap::new(),
            our_byes: BTreeMap::new(),
            legs: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            stats: SipStats::default(),
        }
    }

    /// A datagram came from `source`; `local` is our address as that source reaches us.
    pub fn handle_datagram(&mut self, datagram: &[u8], source: SocketAddr, local: SocketAddr, now: Instant) {
        match self.guard.inspect(datagram, source, now) {
            Verdict::Request(admitted) => self.handle_request(*admitted, source, local, now),
            Verdict::Response(response) => self.handle_response(&response, now),
            Verdict::Answer { bytes, to, status } => {
                self.stats.count_refused(status);
                self.outputs.push_back(Output::Send { bytes: bytes.into(), to });
            }
            Verdict::Drop(reason) => self.stats.count_dropped(reason),
        }
    }

    /// The call has decided something.
    pub fn handle_command(&mut self, leg: LegId, command: LegCommand, now: Instant) {
        let timing = self.settings.timing;
        self.with_leg(leg, now, |leg| leg.handle_command(command, &timing, now));
    }

    /// The call has vanished without a word: its leg ends as if it had hung up, an unanswered one with 500.
    pub fn handle_abandoned(&mut self, leg: LegId, now: Instant) {
        self.handle_command(leg, LegCommand::Reject(Rejection::status(500)), now);
        self.handle_command(leg, LegCommand::Hangup, now);
    }

    /// From now on no new calls; those that are go on.
    pub fn handle_drain(&mut self) {
        self.draining = true;
    }

    /// Ends every call: BYE where answered, 503 where not.
    pub fn handle_shutdown(&mut self, now: Instant) {
        self.draining = true;
        let legs: Vec<LegId> = self.legs.keys().copied().collect();
        for leg in legs {
            let unavailable = Rejection { retry_after: Some(RETRY_AFTER), ..Rejection::status(503) };
            self.handle_command(leg, LegCommand::Reject(unavailable), now);
            self.handle_command(leg, LegCommand::Hangup, now);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let timing = self.settings.timing;
        while let Some(due) = self.timers.pop_due(now) {
            match due {
                TimerOf::Invite(key) => {
                    let Some(transaction) = self.invites.get_mut(&key) else { continue };
                    match transaction.tick(&timing, now) {
                        Tick::GiveUp => self.forget_invite(&key),
                        Tick::Again(bytes, to) => {
                            self.outputs.push_back(Output::Send { bytes, to });
                            self.arm_invite(&key);
                        }
                        Tick::Wait => self.arm_invite(&key),
                    }
                }
                TimerOf::ByeReply(key) => drop(self.bye_replies.remove(&key)),
                TimerOf::OurBye(branch) => {
                    let Some(bye) = self.our_byes.get_mut(&branch) else { continue };
                    match bye.repeat.tick(&timing, now) {
                        Tick::GiveUp => self.bye_done(&branch, now),
                        tick => {
                            let deadline = bye.repeat.deadline();
                            if let Tick::Again(bytes, to) = tick {
                                self.outputs.push_back(Output::Send { bytes, to });
                            }
                            self.timers.set(TimerOf::OurBye(branch), Some(deadline));
                        }
                    }
                }
                TimerOf::Leg(leg) => self.with_leg(leg, now, |leg| leg.handle_timeout(&timing, now)),
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

    /// Nothing left to wait for: no leg, and every BYE of ours is done with.
    pub fn is_idle(&self) -> bool {
        self.legs.is_empty() && self.our_byes.is_empty()
    }

    /// Counters so far.
    pub fn stats(&self) -> &SipStats {
        &self.stats
    }

    fn handle_request(&mut self, admitted: Admitted, source: SocketAddr, local: SocketAddr, now: Instant) {
        match admitted.request.method {
            Method::Invite => self.handle_invite(admitted, source, local, now),
            Method::Ack => self.handle_ack(&admitted.request, now),
            Method::Cancel => self.handle_cancel(&admitted, now),
            Method::Bye => self.handle_bye(&admitted, now),
            // The guard lets no other method through.
            Method::Options | Method::Foreign(_) | Method::Unknown(_) => self.handle_options(&admitted, local),
        }
    }

    fn handle_invite(&mut self, admitted: Admitted, source: SocketAddr, local: SocketAddr, now: Instant) {
        let Admitted { request, origin, peer, caller } = admitted;
        let key: Arc<str> = request.transaction_key().into();
        if let Some(transaction) = self.invites.get(&key) {
            let to = transaction.to;
            if let Some(bytes) = transaction.again() {
                self.outputs.push_back(Output::Send { bytes, to });
            }
            return;
        }
        if request.to.tag().is_some() {
            return self.handle_reinvite(&request, origin, key, now);
        }
        let merge_key = request.from.tag().map(|tag| format!("{}|{tag}|{}", request.cseq.number, request.call_id));
        if merge_key.as_ref().is_some_and(|merge_key| self.merged.contains_key(merge_key)) {
            return self.answer_statelessly(&origin, 482, |draft| draft);
        }
        let full = self.stats.live_legs >= self.settings.max_legs as u64 || self.invites.len() >= MAX_TRANSACTIONS;
        if self.draining || full {
            let wait = RETRY_AFTER.as_secs().to_string();
            return self.answer_statelessly(&origin, 503, |draft| draft.header("Retry-After", &wait));
        }

        let id = LegId(self.next_leg);
        self.next_leg += 1;
        let tag: Arc<str> = format!("{:016x}", self.rng.next_u64()).into();
        let trying: Bytes = origin.respond(100, reason_phrase(100), "").finish().into();
        self.outputs.push_back(Output::Send { bytes: trying.clone(), to: origin.destination });
        self.invites.insert(key.clone(), InviteTransaction::new(trying, origin.destination, id));
        if let Some(merge_key) = merge_key {
            self.merged.insert(merge_key.clone(), key.clone());
            self.merge_keys.insert(key.clone(), merge_key);
        }
        let server = self.server.clone();
        let opening = Opening { id, tag: tag.clone(), invite_key: key, source, local, server };
        let incoming = Incoming {
            leg: id,
            source,
            local,
            peer,
            caller,
            called: Pii::new(request.uri.user.clone()),
            sip_call_id: request.call_id.clone(),
            offer: request.sdp(),
        };
        self.legs.insert(id, Leg::open(&request, origin, opening, now));
        self.dialogs.insert(tag, id);
        self.stats.accepted += 1;
        self.stats.live_legs += 1;
        self.outputs.push_back(Output::Incoming(Box::new(incoming)));
        self.with_leg(id, now, |_| {});
    }

    fn handle_reinvite(&mut self, request: &Request, origin: Origin, key: Arc<str>, now: Instant) {
        let Some(leg) = self.dialog_of(request) else {
            return self.answer_statelessly(&origin, 481, |draft| draft);
        };
        if !self.accept_cseq(leg, request) {
            return self.answer_statelessly(&origin, 500, |draft| draft);
        }
        let trying: Bytes = origin.respond(100, reason_phrase(100), "").finish().into();
        self.invites.insert(key.clone(), InviteTransaction::new(trying, origin.destination, leg));
        let timing = self.settings.timing;
        self.with_leg(leg, now, |leg| leg.handle_reinvite(request, &origin, &key, &timing, now));
    }

    fn handle_ack(&mut self, request: &Request, now: Instant) {
        let key: Arc<str> = request.transaction_key().into();
        let timing = self.settings.timing;
        if self.invites.get_mut(&key).is_some_and(|transaction| transaction.acknowledge(&timing, now)) {
            return self.arm_invite(&key);
        }
        match self.dialog_of(request) {
            Some(leg) => self.with_leg(leg, now, |leg| leg.handle_ack(request.cseq.number, request.sdp())),
            None => self.stats.count_dropped(DropReason::StrayAck),
        }
    }

    /// RFC 3261 §9.2: 200 for the CANCEL if the INVITE is known, whether or not it still has an effect.
    fn handle_cancel(&mut self, admitted: &Admitted, now: Instant) {
        let key: Arc<str> = admitted.request.transaction_key().into();
        let Some(transaction) = self.invites.get(&key) else {
            return self.answer_statelessly(&admitted.origin, 481, |draft| draft);
        };
        let (leg, open) = (transaction.leg, transaction.is_open());
        // §9.2: the same To tag as in the response to the INVITE.
        let tag = self.legs.get(&leg).map(|leg| leg.tag.clone());
        let tag = tag.unwrap_or_else(|| admitted.origin.stateless_tag(self.secret).into());
        let draft = admitted.origin.respond(200, reason_phrase(200), &tag).header("Server", &self.server);
        self.outputs.push_back(Output::Send { bytes: draft.finish().into(), to: admitted.origin.destination });
        if open {
            self.with_leg(leg, now, Leg::handle_cancel);
        }
    }

    fn handle_bye(&mut self, admitted: &Admitted, now: Instant) {
        let Admitted { request, origin, .. } = admitted;
        let key: Arc<str> = request.transaction_key().into();
        if let Some((bytes, to)) = self.bye_replies.get(&key) {
            return self.outputs.push_back(Output::Send { bytes: bytes.clone(), to: *to });
        }
        let Some(leg) = self.dialog_of(request) else {
            return self.answer_statelessly(origin, 481, |draft| draft);
        };
        if !self.accept_cseq(leg, request) {
            return self.answer_statelessly(origin, 500, |draft| draft);
        }
        let draft = origin.respond(200, reason_phrase(200), "").header("Server", &self.server);
        let bytes: Bytes = draft.finish().into();
        self.outputs.push_back(Output::Send { bytes: bytes.clone(), to: origin.destination });
        self.bye_replies.insert(key.clone(), (bytes, origin.destination));
        self.timers.set(TimerOf::ByeReply(key), Some(now + self.settings.timing.give_up()));
        self.with_leg(leg, now, Leg::handle_bye);
    }

    /// RFC 3261 §11.2: outside a dialog the answer is what an INVITE would get; that is how a trunk learns of a drain.
    fn handle_options(&mut self, admitted: &Admitted, local: SocketAddr) {
        let Admitted { request, origin, .. } = admitted;
        let in_dialog = request.to.tag().is_some();
        let leg = self.dialog_of(request);
        let status = match (in_dialog, leg) {
            (true, None) => 481,
            (true, Some(leg)) if !self.accept_cseq(leg, request) => 500,
            (false, _) if self.draining => 503,
            _ => 200,
        };
        let wait = RETRY_AFTER.as_secs().to_string();
        self.answer_statelessly(origin, status, |draft| match status {
            200 => draft
                .header("Contact", &format!("<sip:{local}>"))
                .header("Allow", ALLOW)
                .header("Accept", "application/sdp")
                .header("Accept-Encoding", "identity")
                .header("Accept-Language", "en")
                .header("Supported", ""),
            503 => draft.header("Retry-After", &wait),
            _ => draft,
        });
    }

    fn handle_response(&mut self, response: &Response, now: Instant) {
        let branch: Option<Arc<str>> = response.via.branch().map(Into::into);
        let timing = self.settings.timing;
        let known = branch.and_then(|branch| {
            let bye = self.our_byes.get_mut(&branch).filter(|_| response.cseq.method == Method::Bye)?;
            Some((branch, bye))
        });
        match known {
            None => self.stats.count_dropped(DropReason::StrayResponse),
            Some((branch, bye)) if response.status < 200 => {
                bye.repeat.slow_down(&timing, now);
                let deadline = bye.repeat.deadline();
                self.timers.set(TimerOf::OurBye(branch), Some(deadline));
            }
            // Whatever it says, the dialog is over (RFC 3261 §15.1.1).
            Some((branch, _)) => self.bye_done(&branch, now),
        }
    }

    fn bye_done(&mut self, branch: &Arc<str>, now: Instant) {
        self.timers.set(TimerOf::OurBye(branch.clone()), None);
        if let Some(bye) = self.our_byes.remove(branch) {
            self.with_leg(bye.leg, now, Leg::handle_bye_done);
        }
    }

    /// Lets a leg do something, then does what it wants and sets its timer.
    fn with_leg(&mut self, id: LegId, now: Instant, work: impl FnOnce(&mut Leg)) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        work(leg);
        while let Some(act) = self.legs.get_mut(&id).and_then(Leg::poll_act) {
            match act {
                Act::Respond { key, status, bytes } => self.respond(&key, status, bytes, now),
                Act::Resend(bytes, to) => self.outputs.push_back(Output::Send { bytes, to }),
                Act::Bye => self.send_bye(id, now),
                Act::Event(event) => {
                    if let LegEvent::Ended(end) = event {
                        self.stats.live_legs = self.stats.live_legs.saturating_sub(1);
                        self.stats.count_ended(end);
                    }
                    self.outputs.push_back(Output::Event { leg: id, event });
                }
                Act::Gone => {
                    if let Some(leg) = self.legs.remove(&id) {
                        self.dialogs.remove(&leg.tag);
                    }
                }
            }
        }
        let deadline = self.legs.get(&id).and_then(Leg::deadline);
        self.timers.set(TimerOf::Leg(id), deadline);
    }

    fn respond(&mut self, key: &Arc<str>, status: u16, bytes: Bytes, now: Instant) {
        let Some(transaction) = self.invites.get_mut(key) else { return };
        transaction.respond(status, bytes.clone(), &self.settings.timing, now);
        let to = transaction.to;
        match status {
            200..=299 => self.stats.answered += 1,
            300.. => {
                // A refused call may be tried again under the same name, as some proxies do after 503.
                self.forget_merge(key);
                self.stats.count_refused(status);
            }
            _ => {}
        }
        self.outputs.push_back(Output::Send { bytes, to });
        self.arm_invite(key);
    }

    fn send_bye(&mut self, id: LegId, now: Instant) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let branch: Arc<str> = format!("z9hG4bK{:016x}{:08x}", self.rng.next_u64(), self.rng.next_u32()).into();
        let (bytes, to) = leg.in_dialog_request("BYE", &branch);
        let repeat = Repeat::new(bytes.clone(), to, &self.settings.timing, now);
        self.timers.set(TimerOf::OurBye(branch.clone()), Some(repeat.deadline()));
        self.our_byes.insert(branch, OurBye { leg: id, repeat });
        self.outputs.push_back(Output::Send { bytes, to });
    }

    fn answer_statelessly(&mut self, origin: &Origin, status: u16, dress: impl FnOnce(Draft) -> Draft) {
        let tag = origin.stateless_tag(self.secret);
        let draft = dress(origin.respond(status, reason_phrase(status), &tag)).header("Server", &self.server);
        if status >= 300 {
            self.stats.count_refused(status);
        }
        self.outputs.push_back(Output::Send { bytes: draft.finish().into(), to: origin.destination });
    }

    /// The leg an in-dialog request belongs to: our tag, their tag and the Call-ID must all agree (RFC 3261 §12).
    fn dialog_of(&self, request: &Request) -> Option<LegId> {
        let id = *self.dialogs.get(request.to.tag()?)?;
        let leg = self.legs.get(&id)?;
        let same = leg.is_dialog(&request.call_id, request.from.tag().unwrap_or_default());
        same.then_some(id)
    }

    fn accept_cseq(&mut self, leg: LegId, request: &Request) -> bool {
        self.legs.get_mut(&leg).is_some_and(|leg| leg.accept_cseq(request.cseq.number))
    }

    fn arm_invite(&mut self, key: &Arc<str>) {
        let deadline = self.invites.get(key).and_then(InviteTransaction::deadline);
        self.timers.set(TimerOf::Invite(key.clone()), deadline);
    }

    fn forget_invite(&mut self, key: &Arc<str>) {
        self.invites.remove(key);
        self.forget_merge(key);
    }

    fn forget_merge(&mut self, key: &Arc<str>) {
        if let Some(merge_key) = self.merge_keys.remove(key) {
            self.merged.remove(&merge_key);
        }
    }
}

#[cfg(test)]
mod tests;
