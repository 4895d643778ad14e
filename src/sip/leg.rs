//! The life of one branch: its dialog (RFC 3261 §12), its answer repeated until acknowledged (§13.3.1.4), its end.
//!
//! ```text
//!   Undecided ─Ring─▶ Ringing ─Answer─▶ Answered ─ACK─▶ Talking ─BYE─▶ over
//!       └────────────────┴─Reject, CANCEL, BYE, Hangup, Expires─▶ over (3xx–6xx)
//!   Answered  no ACK in 64·T1 ─▶ our BYE, NoAck          Hangup before the ACK waits for it (§15)
//!   Talking   Hangup ─▶ our BYE ─▶ Closing ─▶ over       their BYE meanwhile is still answered
//! ```
//!
//! The leg decides; it does not send. What it wants comes out as [`Act`]s, which the agent turns into transactions
//! and datagrams. [`LegEvent::Ended`] comes out exactly once and last.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::branch::{Act, Branch, ClientNews, Context, Tx};
use super::dialog::Dialog;
use super::message::{Method, Request};
use super::respond::{ALLOW, Draft, Origin, reason_phrase};
use super::transaction::{Repeat, Tick};
use super::transport::Path;
use super::{LegCommand, LegEnd, LegEvent, Rejection};
use crate::id::LegId;
use crate::time::Now;

/// RFC 3261 §13.3.1.1: proxies drop an INVITE that has not heard a provisional response for three minutes, so 180 is
/// repeated every minute.
const RING_AGAIN: Duration = Duration::from_secs(60);

/// The one request of ours here: BYE.
const BYE: Tx = Tx(0);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Undecided,
    Ringing,
    Answered,
    Talking,
    Closing,
    Over,
}

/// A 2xx of ours that has not been acknowledged.
#[derive(Debug)]
struct Unacknowledged {
    cseq: u32,
    repeat: Repeat,
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
    our_sdp: String,
    unacknowledged: Option<Unacknowledged>,
    hangup_when_acknowledged: bool,
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
            context,
            invite_key: opening.invite_key,
            invite_cseq: request.cseq.number,
            state: State::Undecided,
            invite: origin,
            offered: request.sdp(),
            our_sdp: String::new(),
            unacknowledged: None,
            hangup_when_acknowledged: false,
            // A day is beyond every call that rings, and keeps the sum in range.
            expires_at: expires.map(|seconds| now.mono + Duration::from_secs(u64::from(seconds.min(86_400)))),
            ring_again_at: None,
            acts: VecDeque::new(),
        }
    }

    fn answer_request(&mut self, request: &Request, origin: &Origin, key: &Arc<str>, status: u16) {
        let draft = origin.respond(status, reason_phrase(status), &self.tag);
        let draft = match (status, &request.method) {
            (200, Method::Options) => draft
                .header("Contact", &format!("<{}>", self.contact()))
                .header("Allow", ALLOW)
                .header("Accept", "application/sdp")
                .header("Accept-Encoding", "identity")
                .header("Accept-Language", "en")
                .header("Supported", ""),
            (405, _) => draft.header("Allow", ALLOW),
            _ => draft,
        };
        let bytes = self.sign(draft).finish().into();
        self.acts.push_back(Act::Respond { key: key.clone(), status, bytes });
    }

    /// They said BYE, and were answered.
    fn handle_bye(&mut self) {
        match self.state {
            // RFC 3261 §15: the caller may BYE an early dialog.
            State::Undecided | State::Ringing => self.refuse(&Rejection::status(487), LegEnd::Cancelled),
            State::Answered | State::Talking => self.end(LegEnd::RemoteHangup),
            // Both hung up at once: ours stays until it is answered.
            State::Closing | State::Over => {}
        }
    }

    /// Their next INVITE inside the dialog. What changes nothing (a session refresh, an empty INVITE) is confirmed
    /// with the description we last sent; what would change the media is refused with 488, which leaves the session
    /// as it was (RFC 3261 §14.2).
    fn handle_reinvite(&mut self, request: &Request, origin: &Origin, key: &Arc<str>, now: Now) {
        let refuse = |status: u16| origin.respond(status, reason_phrase(status), &self.tag);
        let offer = request.sdp();
        let refusal = match self.state {
            State::Closing | State::Over => Some((481, refuse(481))),
            // §14.2: their first INVITE is still open. The pause is theirs to draw; any value up to ten seconds will do.
            State::Undecided | State::Ringing => Some((500, refuse(500).header("Retry-After", "3"))),
            State::Answered => Some((491, refuse(491))),
            State::Talking if self.unacknowledged.is_some() => Some((491, refuse(491))),
            State::Talking => match (&offer, &self.offered) {
                (Some(offer), Some(before)) if media_lines(offer) != media_lines(before) => {
                    Some((488, refuse(488).header("Warning", "399 trunkline \"The session stays as it is\"")))
                }
                _ => None,
            },
        };
        if let Some((status, draft)) = refusal {
            let bytes = self.sign(draft).finish().into();
            return self.acts.push_back(Act::Respond { key: key.clone(), status, bytes });
        }
        if let Some(contact) = &request.contact {
            self.dialog.remote_target.clone_from(&contact.uri.text);
        }
        let draft = self.sign(self.dialog_headers(origin.respond(200, reason_phrase(200), &self.tag)));
        let bytes: Bytes = draft.finish_with_sdp(&self.our_sdp).into();
        let repeat = Repeat::stubborn(bytes.clone(), origin.destination, &self.context.timing, now.mono);
        self.unacknowledged = Some(Unacknowledged { cseq: request.cseq.number, repeat });
        self.acts.push_back(Act::Respond { key: key.clone(), status: 200, bytes });
    }

    fn cancelled(&mut self) {
        if matches!(self.state, State::Undecided | State::Ringing) {
            self.refuse(&Rejection::status(487), LegEnd::Cancelled);
        }
    }

    fn contact(&self) -> String {
        self.dialog.path.contact("", self.dialog.secure)
    }

    fn ring(&mut self, now: Instant) {
        self.ring_again_at = Some(now + RING_AGAIN);
        let draft = self.sign(self.dialog_headers(self.invite.respond(180, reason_phrase(180), &self.tag)));
        self.respond(180, draft.finish().into());
    }

    fn answer(&mut self, sdp: String, now: Instant) {
        let draft = self.sign(self.dialog_headers(self.invite.respond(200, reason_phrase(200), &self.tag)));
        let bytes: Bytes = draft.finish_with_sdp(&sdp).into();
        let repeat = Repeat::stubborn(bytes.clone(), self.invite.destination, &self.context.timing, now);
        self.unacknowledged = Some(Unacknowledged { cseq: self.invite_cseq, repeat });
        self.our_sdp = sdp;
        self.state = State::Answered;
        (self.expires_at, self.ring_again_at) = (None, None);
        self.respond(200, bytes);
    }

    /// A final refusal of the INVITE that opened the leg; ends it.
    fn refuse(&mut self, rejection: &Rejection, end: LegEnd) {
        let status = rejection.status;
        let mut draft = self.invite.respond(status, reason_phrase(status), &self.tag);
        if let Some(wait) = rejection.retry_after {
            draft = draft.header("Retry-After", &wait.as_secs().max(1).to_string());
        }
        if let Some(warning) = &rejection.warning {
            let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
            draft = draft.header("Warning", &format!("399 trunkline \"{text}\""));
        }
        for contact in &rejection.contacts {
            draft = draft.header("Contact", &format!("<{contact}>"));
        }
        let bytes = self.sign(draft).finish().into();
        self.respond(status, bytes);
        self.end(end);
    }

    fn respond(&mut self, status: u16, bytes: Bytes) {
        self.acts.push_back(Act::Respond { key: self.invite_key.clone(), status, bytes });
    }

    /// Sends BYE; the call is told at once, the dialog stays until the BYE is done with.
    fn close(&mut self, end: LegEnd) {
        self.state = State::Closing;
        self.unacknowledged = None;
        let request = self.dialog.request(Method::Bye);
        self.acts.push_back(Act::Request { tx: BYE, request });
        self.acts.push_back(Act::Event(LegEvent::Ended(end)));
    }

    fn end(&mut self, end: LegEnd) {
        self.state = State::Over;
        self.unacknowledged = None;
        (self.expires_at, self.ring_again_at) = (None, None);
        self.acts.push_back(Act::Event(LegEvent::Ended(end)));
        self.acts.push_back(Act::Gone);
    }

    /// RFC 3261 §12.1.1 and §13.3.1.4: what a response that makes or keeps a dialog says about us.
    fn dialog_headers(&self, draft: Draft) -> Draft {
        draft.header("Contact", &format!("<{}>", self.contact())).header("Allow", ALLOW).header("Supported", "")
    }

    fn sign(&self, draft: Draft) -> Draft {
        draft.header("Server", &self.context.server)
    }
}

impl Branch for Leg {
    fn handle_command(&mut self, command: LegCommand, now: Now) {
        use State::{Answered, Ringing, Talking, Undecided};
        match (self.state, command) {
            (Undecided | Ringing, LegCommand::Ring) => {
                self.state = Ringing;
                self.ring(now.mono);
            }
            (Undecided | Ringing, LegCommand::Answer { sdp }) => self.answer(sdp, now.mono),
            (Undecided | Ringing, LegCommand::Reject(rejection)) => {
                let status = if (300..700).contains(&rejection.status) { rejection.status } else { 500 };
                self.refuse(&Rejection { status, ..rejection }, LegEnd::Rejected(status));
            }
            (Undecided | Ringing, LegCommand::Hangup) => self.refuse(&Rejection::status(487), LegEnd::LocalHangup),
            (Answered, LegCommand::Hangup) => self.hangup_when_acknowledged = true,
            (Talking, LegCommand::Hangup) => self.close(LegEnd::LocalHangup),
            _ => {}
        }
    }

    fn handle_request(&mut self, request: &Request, origin: &Origin, key: &Arc<str>, now: Now) {
        if !self.dialog.accept_cseq(request.cseq.number) {
            return self.answer_request(request, origin, key, 500);
        }
        match request.method {
            Method::Invite => self.handle_reinvite(request, origin, key, now),
            Method::Bye => {
                self.answer_request(request, origin, key, 200);
                self.handle_bye();
            }
            Method::Options => self.answer_request(request, origin, key, 200),
            _ => self.answer_request(request, origin, key, 405),
        }
    }

    fn handle_ack(&mut self, request: &Request, _now: Now) {
        if self.unacknowledged.as_ref().is_none_or(|unacknowledged| unacknowledged.cseq != request.cseq.number) {
            return;
        }
        self.unacknowledged = None;
        if self.state != State::Answered {
            return;
        }
        self.state = State::Talking;
        // Only a late offer is answered in the ACK (RFC 3261 §13.2.1); any other body there means nothing.
        let answer = if self.offered.is_none() { request.sdp() } else { None };
        if self.offered.is_none() {
            self.offered.clone_from(&answer);
        }
        self.acts.push_back(Act::Event(LegEvent::Established { sdp: answer }));
        if self.hangup_when_acknowledged {
            self.close(LegEnd::LocalHangup);
        }
    }

    fn handle_cancel(&mut self, key: &Arc<str>, _now: Now) {
        if *key == self.invite_key {
            self.cancelled();
        }
    }

    fn handle_news(&mut self, _tx: Tx, news: ClientNews, _path: Option<&Path>, _now: Now) {
        // Our BYE is done with, whatever came of it (RFC 3261 §15.1.1).
        if matches!(news, ClientNews::Final(_) | ClientNews::Failed(_)) && self.state == State::Closing {
            self.state = State::Over;
            self.acts.push_back(Act::Gone);
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        if let Some(unacknowledged) = &mut self.unacknowledged {
            match unacknowledged.repeat.tick(now.mono) {
                Tick::Wait => {}
                Tick::Again(bytes, to) => self.acts.push_back(Act::Resend(bytes, to)),
                Tick::GiveUp => return self.close(LegEnd::NoAck),
            }
        }
        if self.expires_at.is_some_and(|at| now.mono >= at) {
            self.expires_at = None;
            // RFC 3261 §13.3.1: an INVITE that outlived its Expires is answered like a cancelled one.
            self.cancelled();
        }
        if self.ring_again_at.is_some_and(|at| now.mono >= at) && self.state == State::Ringing {
            self.ring(now.mono);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let repeat = self.unacknowledged.as_ref().map(|unacknowledged| unacknowledged.repeat.deadline());
        [repeat, self.expires_at, self.ring_again_at].into_iter().flatten().min()
    }

    fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    fn local_tag(&self) -> &Arc<str> {
        &self.tag
    }

    fn owns(&self, call_id: &str, remote_tag: &str) -> bool {
        self.dialog.call_id == call_id && self.dialog.remote_tag == remote_tag
    }

    fn replaces(&self) -> Option<String> {
        // RFC 3891 §3: to-tag is the tag of the end that is sent the Replaces.
        let dialog = &self.dialog;
        (self.state == State::Talking)
            .then(|| format!("{};to-tag={};from-tag={}", dialog.call_id, dialog.remote_tag, self.tag))
    }
}

/// The lines of a session description that say where media goes, in what, and which way: equal lines, same session.
fn media_lines(sdp: &str) -> Vec<&str> {
    let matters = |line: &&str| {
        line.starts_with("c=") || line.starts_with("m=") || matches!(*line, "a=sendonly" | "a=recvonly" | "a=inactive")
    };
    sdp.lines().map(str::trim_end).filter(matters).collect()
}
