//! The life of a branch that they opened, up to its answer (RFC 3261 §13.3, RFC 3262 §3); from there on it is a
//! [`Talk`].
//!
//! ```text
//!   Undecided ─Ring─▶ Ringing ─Answer─▶ Talk: 200, ACK, … BYE
//!       │                │        └ held back while a reliable provisional response waits for its PRACK
//!       └────────────────┴─Reject, CANCEL, BYE, Hangup, Expires, no PRACK─▶ over (3xx–6xx)
//! ```
//!
//! The leg decides; it does not send. What it wants comes out as [`Act`]s, which the agent turns into transactions
//! and datagrams. [`LegEvent::Ended`] comes out exactly once and last.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::branch::{Act, Branch, ClientNews, Context, Replaced, Standing, Tx};
use super::dialog::Dialog;
use super::info::{self, Key};
use super::message::{Method, Request};
use super::reliable::{Overdue, Provisional, Reliable, Wish};
use super::respond::{ALLOW, Draft, Origin, SUPPORTED, reason_phrase};
use super::session_timer::{self, Agreed};
use super::talk::{Allows, Answer, Exchanged, Talk, capabilities};
use super::transport::Path;
use super::{LegCommand, LegEnd, LegEvent, Reason, Rejection};
use crate::id::LegId;
use crate::time::Now;

/// RFC 3261 §13.3.1.1: proxies drop an INVITE that has not heard a provisional response for three minutes, so 180 is
/// repeated every minute.
const RING_AGAIN: Duration = Duration::from_secs(60);
/// What somebody is told to wait whose request came while their INVITE was still open (§14.2: up to ten seconds).
const OPEN_RETRY_AFTER: &str = "3";

#[derive(Debug)]
enum State {
    Undecided,
    Ringing,
    Answered(Box<Talk>),
    Over,
}

/// One SIP branch that they opened.
#[derive(Debug)]
pub struct Leg {
    /// Ours.
    pub id: LegId,
    tag: Arc<str>,
    context: Context,
    invite_key: Arc<str>,
    invite_cseq: u32,
    state: State,
    dialog: Dialog,
    invite: Origin,
    offered: Option<String>,
    allows: Allows,
    agreed: Option<Agreed>,
    wish: Wish,
    reliable: Reliable,
    /// Waits for the PRACK of a provisional response.
    held_answer: Option<String>,
    expires_at: Option<Instant>,
    ring_again_at: Option<Instant>,
    acts: VecDeque<Act>,
}

/// What is particular to a leg when it opens.
#[derive(Debug)]
pub struct Opening {
    /// Its id.
    pub id: LegId,
    /// Our tag.
    pub tag: Arc<str>,
    /// The INVITE's transaction.
    pub invite_key: Arc<str>,
    /// The way the INVITE came.
    pub path: Path,
}

impl Leg {
    /// A leg for a fresh INVITE.
    pub fn open(request: &Request, origin: Origin, opening: Opening, context: Context, now: Now) -> Self {
        let expires = request.headers.first("Expires").and_then(|seconds| seconds.trim().parse::<u32>().ok());
        Self {
            dialog: Dialog::uas(request, &origin, &opening.tag, &opening.path),
            id: opening.id,
            tag: opening.tag,
            invite_key: opening.invite_key,
            invite_cseq: request.cseq.number,
            state: State::Undecided,
            invite: origin,
            offered: request.sdp(),
            allows: Allows::of(&request.headers),
            // The guard has refused intervals that are too small.
            agreed: session_timer::accept(&request.headers, &context.session).ok().flatten(),
            wish: Wish::of(&request.headers),
            reliable: Reliable::new(context.seed),
            held_answer: None,
            // A day is beyond every call that rings, and keeps the sum in range.
            expires_at: expires.map(|seconds| now.mono + Duration::from_secs(u64::from(seconds.min(86_400)))),
            ring_again_at: None,
            context,
            acts: VecDeque::new(),
        }
    }

    fn decide(&mut self, command: LegCommand, now: Now) {
        match command {
            LegCommand::Ring => {
                self.state = State::Ringing;
                self.ring(now);
            }
            // Early media answers an offer; without one there is nothing to say yet.
            LegCommand::Progress { sdp } if self.offered.is_some() => {
                self.state = State::Ringing;
                self.provisional(183, Some(sdp), self.wish != Wish::None, now);
            }
            LegCommand::Answer { sdp } if self.reliable.is_open() => self.held_answer = Some(sdp),
            LegCommand::Answer { sdp } => self.answer(sdp, now),
            LegCommand::Reject(rejection) => {
                let status = if (300..700).contains(&rejection.status) { rejection.status } else { 500 };
                self.refuse(&Rejection { status, ..rejection }, LegEnd::Rejected(status));
            }
            LegCommand::Hangup => self.refuse(&Rejection::status(487), LegEnd::LocalHangup),
            LegCommand::Progress { .. }
            | LegCommand::Offer { .. }
            | LegCommand::AnswerOffer { .. }
            | LegCommand::RefuseOffer { .. }
            | LegCommand::Refer { .. }
            | LegCommand::SendKey { .. } => {}
        }
    }

    /// A request that comes before the answer.
    fn early(&mut self, request: &Request, origin: &Origin, key: &Arc<str>, now: Now) {
        if !self.dialog.accept_cseq(request.cseq.number) {
            return self.reply(key, origin, 500, |draft| draft);
        }
        match request.method {
            // RFC 3261 §15: the caller may BYE an early dialog.
            Method::Bye => {
                self.reply(key, origin, 200, |draft| draft);
                self.cancelled(Reason::of(&request.headers));
            }
            Method::Prack => self.acknowledged(request, origin, key, now),
            // §14.2, RFC 3311 §5.2: their first offer is still open.
            Method::Invite => self.not_yet(key, origin),
            Method::Update if request.sdp().is_some() => self.not_yet(key, origin),
            Method::Update => self.reply(key, origin, 200, |draft| draft),
            Method::Info => self.inform(request, origin, key),
            Method::Options => self.reply(key, origin, 200, capabilities),
            Method::Notify => self.reply(key, origin, 481, |draft| draft),
            Method::Refer => self.reply(key, origin, 603, |draft| draft),
            Method::Unknown(_) => self.reply(key, origin, 501, |draft| draft.header("Allow", ALLOW)),
            _ => self.reply(key, origin, 405, |draft| draft.header("Allow", ALLOW)),
        }
    }

    /// A key before the answer is one typed ahead.
    fn inform(&mut self, request: &Request, origin: &Origin, key: &Arc<str>) {
        let (status, header, pressed) = info::answer(&request.headers, &request.body);
        self.reply(key, origin, status, |draft| match header {
            Some((name, value)) => draft.header(name, value),
            None => draft,
        });
        if let Some(Key { digit, duration_ms }) = pressed {
            self.acts.push_back(Act::Event(LegEvent::Key { digit, duration_ms }));
        }
    }

    fn not_yet(&mut self, key: &Arc<str>, origin: &Origin) {
        self.reply(key, origin, 500, |draft| draft.header("Retry-After", OPEN_RETRY_AFTER));
    }

    /// RFC 3262 §3: a PRACK, which lets the next provisional response or the answer go.
    fn acknowledged(&mut self, request: &Request, origin: &Origin, key: &Arc<str>, now: Now) {
        if !self.reliable.acknowledge(request.headers.first("RAck"), self.invite_cseq) {
            return self.reply(key, origin, 481, |draft| draft);
        }
        // A further offer inside a PRACK is not ours to answer before the call stands.
        let status = if request.sdp().is_some() { 488 } else { 200 };
        self.reply(key, origin, status, |draft| draft);
        match (self.reliable.pop_waiting(), self.held_answer.take()) {
            (Some(next), held) => {
                self.held_answer = held;
                self.send_reliably(next, now);
            }
            (None, Some(sdp)) => self.answer(sdp, now),
            (None, None) => {}
        }
    }

    fn ring(&mut self, now: Now) {
        self.ring_again_at = Some(now.mono + RING_AGAIN);
        match (self.wish, &self.offered) {
            // RFC 3262 §5: the first reliable response would have to carry our offer, and ringing has none. The
            // answer brings it.
            (Wish::Required, None) => {}
            (wish, _) => self.provisional(180, None, wish == Wish::Required, now),
        }
    }

    fn provisional(&mut self, status: u16, sdp: Option<String>, reliably: bool, now: Now) {
        let draft = self.dialog_headers(self.invite.respond(status, reason_phrase(status), &self.tag));
        if reliably {
            return self.send_reliably(Provisional { status, draft, sdp }, now);
        }
        let bytes = match sdp {
            Some(sdp) => draft.finish_with_sdp(&sdp),
            None => draft.finish(),
        };
        self.respond(status, bytes.into());
    }

    fn send_reliably(&mut self, provisional: Provisional, now: Now) {
        let path = self.invite.destination;
        if let Some((status, bytes)) = self.reliable.send(provisional, path, &self.context.timing, now.mono) {
            self.respond(status, bytes);
        }
    }

    fn answer(&mut self, sdp: String, now: Now) {
        let draft = self.dialog_headers(self.invite.respond(200, reason_phrase(200), &self.tag));
        let timer = self.agreed.as_ref().map(session_timer::answer_headers).unwrap_or_default();
        let draft = timer.iter().fold(draft, |draft, (name, value)| draft.header(name, value));
        let bytes: Bytes = draft.finish_with_sdp(&sdp).into();
        (self.expires_at, self.ring_again_at) = (None, None);
        self.respond(200, bytes.clone());
        let answer = Answer { bytes, cseq: self.invite_cseq, late: self.offered.is_none() };
        let they_offered = self.offered.is_some();
        let exchanged = Exchanged { ours: sdp, theirs: self.offered.take().unwrap_or_default(), they_offered };
        let (dialog, context) = (self.dialog.clone(), self.context.clone());
        let talk = Talk::answered(dialog, context, self.agreed, exchanged, self.allows, (answer, &self.invite), now);
        self.state = State::Answered(Box::new(talk));
    }

    /// They gave up on an INVITE that is still open.
    fn cancelled(&mut self, why: Option<Reason>) {
        self.acts.extend(why.map(|reason| Act::Event(LegEvent::Reason(reason))));
        self.refuse(&Rejection::status(487), LegEnd::Cancelled);
    }

    /// A final refusal of the INVITE that opened the leg; ends it.
    fn refuse(&mut self, rejection: &Rejection, end: LegEnd) {
        let status = rejection.status;
        let mut draft = self.invite.respond(status, reason_phrase(status), &self.tag);
        if let Some(wait) = rejection.retry_after {
            draft = draft.header("Retry-After", &wait.as_secs().max(1).to_string());
        }
        if let Some(warning) = &rejection.warning {
            draft = draft.warning(warning);
        }
        for contact in &rejection.contacts {
            draft = draft.header("Contact", &format!("<{contact}>"));
        }
        let bytes = draft.header("Server", &self.context.server).finish().into();
        self.respond(status, bytes);
        self.state = State::Over;
        (self.expires_at, self.ring_again_at) = (None, None);
        self.acts.push_back(Act::Event(LegEvent::Ended(end)));
        self.acts.push_back(Act::Gone);
    }

    fn respond(&mut self, status: u16, bytes: Bytes) {
        self.acts.push_back(Act::Respond { key: self.invite_key.clone(), status, bytes });
    }

    fn reply(&mut self, key: &Arc<str>, origin: &Origin, status: u16, dress: impl FnOnce(Draft) -> Draft) {
        let draft = dress(origin.respond(status, reason_phrase(status), &self.tag));
        let bytes = draft.header("Server", &self.context.server).finish().into();
        self.acts.push_back(Act::Respond { key: key.clone(), status, bytes });
    }

    /// RFC 3261 §12.1.1 and §13.3.1.4: what a response that makes a dialog says about us.
    fn dialog_headers(&self, draft: Draft) -> Draft {
        let contact = self.dialog.path.contact("", self.dialog.secure);
        draft
            .header("Contact", &format!("<{contact}>"))
            .header("Allow", ALLOW)
            .header("Supported", SUPPORTED)
            .header("Server", &self.context.server)
    }

    fn early_timeout(&mut self, now: Now) {
        match self.reliable.tick(now.mono) {
            Overdue::Nothing => {}
            Overdue::Again(bytes, path) => self.acts.push_back(Act::Resend(bytes, path)),
            // RFC 3262 §3: nobody acknowledged within 64·T1.
            Overdue::GiveUp => return self.refuse(&Rejection::status(504), LegEnd::Rejected(504)),
        }
        if self.expires_at.is_some_and(|at| now.mono >= at) {
            // RFC 3261 §13.3.1: an INVITE that outlived its Expires is answered like a cancelled one.
            return self.cancelled(None);
        }
        if self.ring_again_at.is_some_and(|at| now.mono >= at) {
            self.ring(now);
        }
    }
}

impl Branch for Leg {
    fn handle_command(&mut self, command: LegCommand, now: Now) {
        match &mut self.state {
            State::Undecided | State::Ringing => self.decide(command, now),
            State::Answered(talk) => talk.handle_command(command, now),
            State::Over => {}
        }
    }

    fn handle_request(&mut self, request: &Request, origin: &Origin, key: &Arc<str>, now: Now) {
        match &mut self.state {
            State::Undecided | State::Ringing => self.early(request, origin, key, now),
            State::Answered(talk) => talk.handle_request(request, origin, key, now),
            State::Over => self.reply(key, origin, 481, |draft| draft),
        }
    }

    fn handle_ack(&mut self, request: &Request, now: Now) {
        if let State::Answered(talk) = &mut self.state {
            talk.handle_ack(request, now);
        }
    }

    fn handle_cancel(&mut self, key: &Arc<str>, reason: Option<Reason>, now: Now) {
        match &mut self.state {
            State::Undecided | State::Ringing => self.cancelled(reason),
            State::Answered(talk) => talk.handle_cancel(key, now),
            State::Over => {}
        }
    }

    fn handle_news(&mut self, tx: Tx, news: ClientNews, _path: Option<&Path>, now: Now) {
        if let State::Answered(talk) = &mut self.state {
            talk.handle_news(tx, news, now);
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        match &mut self.state {
            State::Undecided | State::Ringing => self.early_timeout(now),
            State::Answered(talk) => talk.handle_timeout(now),
            State::Over => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Undecided | State::Ringing => {
                [self.reliable.deadline(), self.expires_at, self.ring_again_at].into_iter().flatten().min()
            }
            State::Answered(talk) => talk.deadline(),
            State::Over => None,
        }
    }

    fn poll_act(&mut self) -> Option<Act> {
        // What was said before the answer goes first.
        self.acts.pop_front().or_else(|| match &mut self.state {
            State::Answered(talk) => talk.poll_act(),
            _ => None,
        })
    }

    fn local_tag(&self) -> &Arc<str> {
        &self.tag
    }

    fn owns(&self, call_id: &str, remote_tag: &str) -> bool {
        self.dialog.call_id == call_id && self.dialog.remote_tag == remote_tag
    }

    fn standing(&self) -> Standing {
        match &self.state {
            State::Undecided | State::Ringing => Standing::TheirEarly,
            State::Answered(talk) => talk.standing(),
            State::Over => Standing::Over,
        }
    }

    fn give_way(&mut self, now: Now) {
        match &mut self.state {
            State::Answered(talk) => talk.give_way(),
            _ => self.handle_command(LegCommand::Hangup, now),
        }
    }

    fn replaces(&self) -> Option<Replaced> {
        let State::Answered(talk) = &self.state else { return None };
        Some(talk.replaced())
    }
}
