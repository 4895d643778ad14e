//! What others ask of us: server transactions, and which leg a request belongs to.

use std::sync::Arc;

use bytes::Bytes;
use rand::RngCore;

use super::client::Owner;
use super::{Agent, Incoming, MAX_TRANSACTIONS, Output, RETRY_AFTER, TimerOf};
use crate::id::{CallId, LegId};
use crate::pii::Pii;
use crate::sip::Reason;
use crate::sip::guard::{Admitted, DropReason};
use crate::sip::leg::{Leg, Opening};
use crate::sip::message::{Method, Request};
use crate::sip::refusals::Cause;
use crate::sip::respond::{ALLOW, Draft, Origin, SUPPORTED, reason_phrase};
use crate::sip::transaction::InviteTransaction;
use crate::sip::transport::Path;
use crate::time::Now;

/// A request of theirs inside a dialog, other than INVITE, and what we said to it.
#[derive(Debug)]
pub(super) struct Reply {
    leg: LegId,
    to: Path,
    /// Nothing until the leg has made up its mind.
    bytes: Option<Bytes>,
}

impl Agent {
    pub(super) fn handle_request(&mut self, admitted: Admitted, path: &Path, now: Now) {
        match (&admitted.request.method, admitted.request.to.tag().is_some()) {
            (Method::Invite, _) => self.handle_invite(admitted, path, now),
            (Method::Ack, _) => self.handle_ack(&admitted.request, now),
            (Method::Cancel, _) => self.handle_cancel(&admitted, now),
            (_, true) => self.handle_inside(&admitted, now),
            (Method::Options, false) => self.handle_options(&admitted, path),
            // RFC 3261 §15.1.2, RFC 3262 §3, RFC 3311 §5.2, RFC 6086 §4.2.2, RFC 6665 §4.1.3: nothing without a dialog.
            (Method::Bye | Method::Prack | Method::Update | Method::Info | Method::Notify, false) => {
                self.answer_statelessly(&admitted.origin, 481, |draft| draft);
            }
            (_, false) => self.answer_statelessly(&admitted.origin, 405, |draft| draft.header("Allow", ALLOW)),
        }
    }

    fn handle_invite(&mut self, admitted: Admitted, path: &Path, now: Now) {
        let key: Arc<str> = admitted.request.transaction_key().into();
        if let Some(transaction) = self.invites.get(&key) {
            let (leg, path, again) = (transaction.leg, transaction.to, transaction.again());
            self.ladders.hear(leg, now);
            if let Some(bytes) = again {
                self.say(leg, bytes, path, now);
            }
            return;
        }
        if admitted.request.to.tag().is_some() {
            return self.handle_reinvite(&admitted.request, &admitted.origin, key, now);
        }
        if let Err(refusal) = self.guard.admit(&admitted, now) {
            if let Some(cause) = refusal.cause {
                self.count_turned_away(&admitted.peer.name, cause, now);
            }
            return self.turn_off(refusal.instead);
        }
        let Admitted { request, origin, peer, caller } = admitted;
        let merge_key = request.from.tag().map(|tag| format!("{}|{tag}|{}", request.cseq.number, request.call_id));
        if merge_key.as_ref().is_some_and(|merge_key| self.merged.contains_key(merge_key)) {
            return self.answer_statelessly(&origin, 482, |draft| draft);
        }
        let replaced = match self.judge_takeover(&request) {
            Ok(replaced) => replaced,
            Err(status @ 500) => {
                return self.answer_statelessly(&origin, status, |draft| draft.header("Retry-After", "1"));
            }
            Err(status) => return self.answer_statelessly(&origin, status, |draft| draft),
        };
        let full = self.stats.live_legs >= self.settings.max_legs as u64;
        // Who takes over a call adds none.
        let cause = match replaced.is_none() {
            true if self.draining => Some(Cause::Draining),
            true if full => Some(Cause::Full),
            _ => (self.invites.len() >= MAX_TRANSACTIONS).then_some(Cause::Full),
        };
        if let Some(cause) = cause {
            self.count_turned_away(&peer.name, cause, now);
            return self.turn_away(&origin);
        }

        let id = self.fresh_leg();
        let tag: Arc<str> = format!("{:016x}", self.rng.next_u64()).into();
        let call = CallId::new(now.wall, u128::from(self.rng.next_u64()) << 64 | u128::from(self.rng.next_u64()));
        match replaced.and_then(|old| self.takeovers.leg_of(old)) {
            Some(leg) => self.ladders.join(id, leg),
            None => {
                let span = tracing::info_span!("call", %call, leg = id.0, peer = %peer.name);
                self.ladders.open(id, span, now);
            }
        }
        self.ladders.hear(id, now);
        let trying = self.open_invite(&key, &origin, id);
        self.say(id, trying, origin.destination, now);
        if let Some(merge_key) = merge_key {
            self.merged.insert(merge_key.clone(), key.clone());
            self.merge_keys.insert(key.clone(), merge_key);
        }
        let opening = Opening { id, tag: tag.clone(), invite_key: key, path: *path };
        let incoming = Incoming {
            leg: id,
            call,
            path: *path,
            peer: peer.name.clone(),
            caller,
            called: Pii::new(request.uri.user.clone()),
            sip_call_id: request.call_id.clone(),
            offer: request.sdp(),
        };
        let context = self.context();
        self.legs.insert(id, Box::new(Leg::open(&request, origin, opening, context, now)));
        self.dialogs.insert(tag, id);
        self.guard.entered(id, &peer, path.hop.address.ip(), now);
        if let Some(spec) = self.trunks.spec(&peer.name) {
            // A password that let somebody in from anywhere does not make that place the trunk's.
            let source = (!peer.is_roaming()).then_some(path.hop.address.ip());
            self.trust_with(Owner::Leg(id), &spec, source);
        }
        self.stats.accepted += 1;
        match replaced {
            Some(old) => self.offer_takeover(old, id, &request),
            None => {
                self.stats.live_legs += 1;
                self.outputs.push_back(Output::Incoming(Box::new(incoming)));
            }
        }
        self.with_leg(id, now, |_| {});
    }

    fn handle_reinvite(&mut self, request: &Request, origin: &Origin, key: Arc<str>, now: Now) {
        let Some(leg) = self.dialog_of(request) else {
            return self.answer_statelessly(origin, 481, |draft| draft);
        };
        if self.invites.len() >= MAX_TRANSACTIONS {
            return self.turn_away(origin);
        }
        self.ladders.hear(leg, now);
        let trying = self.open_invite(&key, origin, leg);
        self.with_leg(leg, now, |leg| leg.handle_request(request, origin, &key, now));
        // Most are answered on the spot; who must wait for the call is told so (§17.2.1).
        if self.invites.get(&key).is_some_and(InviteTransaction::is_open) {
            self.say(leg, trying, origin.destination, now);
        }
    }

    /// Opens the transaction of an INVITE; returns its 100.
    fn open_invite(&mut self, key: &Arc<str>, origin: &Origin, leg: LegId) -> Bytes {
        let path = origin.destination;
        let trying: Bytes = origin.respond(100, reason_phrase(100), "").finish().into();
        self.invites.insert(key.clone(), InviteTransaction::new(trying.clone(), path, leg));
        trying
    }

    fn handle_ack(&mut self, request: &Request, now: Now) {
        let key: Arc<str> = request.transaction_key().into();
        let timing = self.settings.timing;
        if let Some(transaction) = self.invites.get_mut(&key)
            && transaction.acknowledge(&timing, now.mono)
        {
            self.ladders.hear(transaction.leg, now);
            return self.arm_invite(&key);
        }
        match self.dialog_of(request) {
            Some(leg) => {
                self.ladders.hear(leg, now);
                self.with_leg(leg, now, |leg| leg.handle_ack(request, now));
            }
            None => self.stats.count_dropped(DropReason::StrayAck),
        }
    }

    /// RFC 3261 §9.2: 200 for the CANCEL if the INVITE is known, whether or not it still has an effect.
    fn handle_cancel(&mut self, admitted: &Admitted, now: Now) {
        let key: Arc<str> = admitted.request.transaction_key().into();
        let Some(transaction) = self.invites.get(&key) else {
            return self.answer_statelessly(&admitted.origin, 481, |draft| draft);
        };
        let (leg, open) = (transaction.leg, transaction.is_open());
        self.ladders.hear(leg, now);
        // §9.2: the same To tag as in the response to the INVITE.
        let tag = self.legs.get(&leg).map(|leg| leg.local_tag().clone());
        let tag = tag.unwrap_or_else(|| admitted.origin.stateless_tag(self.secret).into());
        let draft = admitted.origin.respond(200, reason_phrase(200), &tag).header("Server", &self.server);
        self.say(leg, draft.finish().into(), admitted.origin.destination, now);
        if open {
            let reason = Reason::of(&admitted.request.headers);
            self.with_leg(leg, now, |leg| leg.handle_cancel(&key, reason, now));
        }
    }

    /// Everything but INVITE, ACK and CANCEL inside a dialog: the leg answers, copies get the same answer.
    fn handle_inside(&mut self, admitted: &Admitted, now: Now) {
        let Admitted { request, origin, .. } = admitted;
        let key: Arc<str> = request.transaction_key().into();
        if let Some(Reply { leg, to, bytes }) = self.replies.get(&key) {
            let (leg, to, again) = (*leg, *to, bytes.clone());
            self.ladders.hear(leg, now);
            if let Some(bytes) = again {
                self.say(leg, bytes, to, now);
            }
            return;
        }
        let Some(leg) = self.dialog_of(request) else {
            return self.answer_statelessly(origin, 481, |draft| draft);
        };
        if self.replies.len() >= MAX_TRANSACTIONS {
            return self.turn_away(origin);
        }
        self.ladders.hear(leg, now);
        self.replies.insert(key.clone(), Reply { leg, to: origin.destination, bytes: None });
        self.timers.set(TimerOf::Reply(key.clone()), Some(now.mono + self.settings.timing.give_up()));
        self.with_leg(leg, now, |leg| leg.handle_request(request, origin, &key, now));
    }

    /// RFC 3261 §11.2: outside a dialog the answer is what an INVITE would get; that is how a trunk learns of a drain.
    fn handle_options(&mut self, admitted: &Admitted, path: &Path) {
        if self.draining {
            return self.turn_away(&admitted.origin);
        }
        let secure = admitted.request.uri.scheme == "sips";
        self.answer_statelessly(&admitted.origin, 200, |draft| {
            draft
                .header("Contact", &format!("<{}>", path.contact("", secure)))
                .header("Allow", ALLOW)
                .header("Accept", "application/sdp")
                .header("Accept-Encoding", "identity")
                .header("Accept-Language", "en")
                .header("Supported", SUPPORTED)
        });
    }

    /// A leg has answered.
    pub(super) fn respond(&mut self, key: &Arc<str>, status: u16, bytes: Bytes, now: Now) {
        if let Some(reply) = self.replies.get_mut(key) {
            let (leg, path) = (reply.leg, reply.to);
            reply.bytes = Some(bytes.clone());
            // Timer J: over a stream nothing is asked twice.
            if path.hop.transport.is_reliable() {
                self.replies.remove(key);
                self.timers.set(TimerOf::Reply(key.clone()), None);
            }
            self.stats.count_refused(status);
            return self.say(leg, bytes, path, now);
        }
        let Some(transaction) = self.invites.get_mut(key) else { return };
        transaction.respond(status, bytes.clone(), &self.settings.timing, now.mono);
        let (leg, path) = (transaction.leg, transaction.to);
        match status {
            200..=299 => self.stats.answered += 1,
            300.. => {
                // A refused call may be tried again under the same name, as some proxies do after 503.
                self.forget_merge(key);
                self.stats.count_refused(status);
            }
            _ => {}
        }
        self.say(leg, bytes, path, now);
        self.arm_invite(key);
    }

    /// A new call is about to be refused of which nothing else will remain.
    fn count_turned_away(&mut self, peer: &Arc<str>, cause: Cause, now: Now) {
        *self.stats.turned_away.entry(cause).or_default() += 1;
        self.refusals.turned_away(peer, cause, now.mono);
    }

    fn turn_away(&mut self, origin: &Origin) {
        let wait = RETRY_AFTER.as_secs().to_string();
        self.answer_statelessly(origin, 503, |draft| draft.header("Retry-After", &wait));
    }

    fn answer_statelessly(&mut self, origin: &Origin, status: u16, dress: impl FnOnce(Draft) -> Draft) {
        let tag = origin.stateless_tag(self.secret);
        let draft = dress(origin.respond(status, reason_phrase(status), &tag)).header("Server", &self.server);
        self.stats.count_refused(status);
        self.send(draft.finish().into(), origin.destination, None);
    }

    /// The leg an in-dialog request belongs to: our tag, their tag and the Call-ID must all agree (RFC 3261 §12).
    fn dialog_of(&self, request: &Request) -> Option<LegId> {
        let id = *self.dialogs.get(request.to.tag()?)?;
        let leg = self.legs.get(&id)?;
        leg.owns(&request.call_id, request.from.tag().unwrap_or_default()).then_some(id)
    }

    pub(super) fn arm_invite(&mut self, key: &Arc<str>) {
        let deadline = self.invites.get(key).and_then(InviteTransaction::deadline);
        self.timers.set(TimerOf::Invite(key.clone()), deadline);
    }

    pub(super) fn forget_invite(&mut self, key: &Arc<str>) {
        self.invites.remove(key);
        self.forget_merge(key);
    }

    fn forget_merge(&mut self, key: &Arc<str>) {
        if let Some(merge_key) = self.merge_keys.remove(key) {
            self.merged.remove(&merge_key);
        }
    }
}
