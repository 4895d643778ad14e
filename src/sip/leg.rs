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
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::message::Request;
use super::respond::{ALLOW, Draft, Origin, reason_phrase};
use super::transaction::{Repeat, Tick, Timing};
use super::uri::{NameAddr, Uri};
use super::{LegCommand, LegEnd, LegEvent, Rejection};
use crate::id::LegId;

/// RFC 3261 §13.3.1.1: proxies drop an INVITE that has not heard a provisional response for three minutes, so 180 is
/// repeated every minute.
const RING_AGAIN: Duration = Duration::from_secs(60);

/// What a leg wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Answer the INVITE of this transaction.
    Respond {
        /// Which transaction.
        key: Arc<str>,
        /// Status of `bytes`.
        status: u16,
        /// The response.
        bytes: Bytes,
    },
    /// Send this once more.
    Resend(Bytes, SocketAddr),
    /// Send BYE in a transaction of our own.
    Bye,
    /// Tell the call.
    Event(LegEvent),
    /// Forget the leg.
    Gone,
}

/// Both sides' view of who is talking to whom.
#[derive(Clone, Debug)]
struct Dialog {
    call_id: String,
    local: String,
    remote: String,
    local_cseq: u32,
    remote_cseq: u32,
    route_set: Vec<String>,
    remote_target: String,
    source: SocketAddr,
    local_address: SocketAddr,
}

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
    /// Our tag: how in-dialog requests find us.
    pub tag: Arc<str>,
    remote_tag: String,
    invite_key: Arc<str>,
    state: State,
    dialog: Dialog,
    invite: Origin,
    server: Arc<str>,
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
    /// Where the INVITE came from.
    pub source: SocketAddr,
    /// Our address as that source reaches us.
    pub local: SocketAddr,
    /// Value of our Server and User-Agent headers.
    pub server: Arc<str>,
}

impl Leg {
    /// A leg for a fresh INVITE.
    pub fn open(request: &Request, origin: Origin, opening: Opening, now: Instant) -> Self {
        let contact = request.contact.as_ref().map(|contact| contact.uri.text.clone());
        let expires = request.headers.first("Expires").and_then(|seconds| seconds.trim().parse::<u32>().ok());
        Self {
            dialog: Dialog {
                call_id: request.call_id.clone(),
                local: origin.local_party(&opening.tag),
                remote: origin.remote_party().to_owned(),
                local_cseq: 0,
                remote_cseq: request.cseq.number,
                route_set: request.headers.list("Record-Route").map(str::to_owned).collect(),
                remote_target: contact.unwrap_or_else(|| request.from.uri.text.clone()),
                source: opening.source,
                local_address: opening.local,
            },
            id: opening.id,
            tag: opening.tag,
            remote_tag: request.from.tag().unwrap_or_default().to_owned(),
            invite_key: opening.invite_key,
            state: State::Undecided,
            invite: origin,
            server: opening.server,
            offered: request.sdp(),
            our_sdp: String::new(),
            unacknowledged: None,
            hangup_when_acknowledged: false,
            // A day is beyond every call that rings, and keeps the sum in range.
            expires_at: expires.map(|seconds| now + Duration::from_secs(u64::from(seconds.min(86_400)))),
            ring_again_at: None,
            acts: VecDeque::new(),
        }
    }

    /// The call has decided something. Commands that come too late are dropped: the ending event tells why.
    pub fn handle_command(&mut self, command: LegCommand, timing: &Timing, now: Instant) {
        use State::{Answered, Closing, Over, Ringing, Talking, Undecided};
        match (self.state, command) {
            (Undecided | Ringing, LegCommand::Ring) => {
                self.state = Ringing;
                self.ring(now);
            }
            (Undecided | Ringing, LegCommand::Answer { sdp }) => self.answer(sdp, timing, now),
            (Undecided | Ringing, LegCommand::Reject(rejection)) => {
                let status = if (300..700).contains(&rejection.status) { rejection.status } else { 500 };
                self.refuse(&Rejection { status, ..rejection }, LegEnd::Rejected(status));
            }
            (Undecided | Ringing, LegCommand::Hangup) => self.refuse(&Rejection::status(487), LegEnd::LocalHangup),
            (Answered, LegCommand::Hangup) => self.hangup_when_acknowledged = true,
            (Talking, LegCommand::Hangup) => self.close(LegEnd::LocalHangup),
            (Answered | Talking, LegCommand::Ring | LegCommand::Answer { .. } | LegCommand::Reject(_))
            | (Closing | Over, _) => {}
        }
    }

    /// An ACK inside the dialog.
    pub fn handle_ack(&mut self, cseq: u32, sdp: Option<String>) {
        if self.unacknowledged.as_ref().is_none_or(|unacknowledged| unacknowledged.cseq != cseq) {
            return;
        }
        self.unacknowledged = None;
        if self.state != State::Answered {
            return;
        }
        self.state = State::Talking;
        // Only a late offer is answered in the ACK (RFC 3261 §13.2.1); any other body there means nothing.
        let answer = if self.offered.is_none() { sdp } else { None };
        if self.offered.is_none() {
            self.offered.clone_from(&answer);
        }
        self.acts.push_back(Act::Event(LegEvent::Established { sdp: answer }));
        if self.hangup_when_acknowledged {
            self.close(LegEnd::LocalHangup);
        }
    }

    /// They gave up on an INVITE that is still open.
    pub fn handle_cancel(&mut self) {
        if matches!(self.state, State::Undecided | State::Ringing) {
            self.refuse(&Rejection::status(487), LegEnd::Cancelled);
        }
    }

    /// They said BYE; the agent answers it.
    pub fn handle_bye(&mut self) {
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
    pub fn handle_reinvite(
        &mut self,
        request: &Request,
        origin: &Origin,
        key: &Arc<str>,
        timing: &Timing,
        now: Instant,
    ) {
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
        let repeat = Repeat::new(bytes.clone(), origin.destination, timing, now);
        self.unacknowledged = Some(Unacknowledged { cseq: request.cseq.number, repeat });
        self.acts.push_back(Act::Respond { key: key.clone(), status: 200, bytes });
    }

    /// RFC 3261 §12.2.2: takes the sequence number of an in-dialog request; `false` when it is older than one we have
    /// seen, to be answered 500.
    pub fn accept_cseq(&mut self, number: u32) -> bool {
        let in_order = number >= self.dialog.remote_cseq;
        self.dialog.remote_cseq = self.dialog.remote_cseq.max(number);
        in_order
    }

    /// Our BYE was answered, or given up.
    pub fn handle_bye_done(&mut self) {
        if self.state == State::Closing {
            self.state = State::Over;
            self.acts.push_back(Act::Gone);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, timing: &Timing, now: Instant) {
        if let Some(unacknowledged) = &mut self.unacknowledged {
            match unacknowledged.repeat.tick(timing, now) {
                Tick::Wait => {}
                Tick::Again(bytes, to) => self.acts.push_back(Act::Resend(bytes, to)),
                Tick::GiveUp => return self.close(LegEnd::NoAck),
            }
        }
        if self.expires_at.is_some_and(|at| now >= at) {
            self.expires_at = None;
            // RFC 3261 §13.3.1: an INVITE that outlived its Expires is answered like a cancelled one.
            self.handle_cancel();
        }
        if self.ring_again_at.is_some_and(|at| now >= at) && self.state == State::Ringing {
            self.ring(now);
        }
    }

    /// When [`Leg::handle_timeout`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let repeat = self.unacknowledged.as_ref().map(|unacknowledged| unacknowledged.repeat.deadline());
        [repeat, self.expires_at, self.ring_again_at].into_iter().flatten().min()
    }

    /// What is to be done next.
    pub fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// Does a request with this Call-ID and From tag belong here? (Our own tag led it to this leg.)
    pub fn is_dialog(&self, call_id: &str, remote_tag: &str) -> bool {
        self.dialog.call_id == call_id && self.remote_tag == remote_tag
    }

    /// The next request of ours inside the dialog and where it goes (RFC 3261 §12.2.1.1). `branch` is fresh.
    pub fn in_dialog_request(&mut self, method: &str, branch: &str) -> (Bytes, SocketAddr) {
        let dialog = &mut self.dialog;
        dialog.local_cseq += 1;
        let first = dialog.route_set.first().and_then(|route| NameAddr::parse(route).ok()).map(|route| route.uri);
        let strict = first.as_ref().is_some_and(|uri| uri.param("lr").is_none());
        let target = dialog.remote_target.clone();
        let (uri, routes) = match &first {
            // A strict router takes the Request-URI; the real target goes to the end of the list.
            Some(first) if strict => {
                let mut routes: Vec<String> = dialog.route_set[1..].to_vec();
                routes.push(format!("<{target}>"));
                (first.text.clone(), routes)
            }
            _ => (target.clone(), dialog.route_set.clone()),
        };
        let mut draft = Draft::request(method, &uri)
            .header("Via", &format!("SIP/2.0/UDP {};branch={branch};rport", dialog.local_address))
            .header("Max-Forwards", "70")
            .header("From", &dialog.local)
            .header("To", &dialog.remote)
            .header("Call-ID", &dialog.call_id)
            .header("CSeq", &format!("{} {method}", dialog.local_cseq));
        for route in &routes {
            draft = draft.header("Route", route);
        }
        let bytes = draft.header("User-Agent", &self.server).finish().into();
        let next_hop = first.or_else(|| Uri::parse(&target).ok()).and_then(|uri| uri.address());
        // Names are looked up once trunks are: until then, and for names that lead nowhere, back to where they sent from.
        (bytes, next_hop.unwrap_or(self.dialog.source))
    }

    fn ring(&mut self, now: Instant) {
        self.ring_again_at = Some(now + RING_AGAIN);
        let draft = self.sign(self.dialog_headers(self.invite.respond(180, reason_phrase(180), &self.tag)));
        self.respond(180, draft.finish().into());
    }

    fn answer(&mut self, sdp: String, timing: &Timing, now: Instant) {
        let draft = self.sign(self.dialog_headers(self.invite.respond(200, reason_phrase(200), &self.tag)));
        let bytes: Bytes = draft.finish_with_sdp(&sdp).into();
        let repeat = Repeat::new(bytes.clone(), self.invite.destination, timing, now);
        self.unacknowledged = Some(Unacknowledged { cseq: self.dialog.remote_cseq, repeat });
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
        self.acts.push_back(Act::Bye);
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
        draft
            .header("Contact", &format!("<sip:{}>", self.dialog.local_address))
            .header("Allow", ALLOW)
            .header("Supported", "")
    }

    fn sign(&self, draft: Draft) -> Draft {
        draft.header("Server", &self.server)
    }
}

/// The lines of a session description that say where media goes, in what, and which way: equal lines, same session.
fn media_lines(sdp: &str) -> Vec<&str> {
    let matters = |line: &&str| {
        line.starts_with("c=") || line.starts_with("m=") || matches!(*line, "a=sendonly" | "a=recvonly" | "a=inactive")
    };
    sdp.lines().map(str::trim_end).filter(matters).collect()
}
