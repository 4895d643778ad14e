//! A call that stands: everything said inside a dialog from its answer to its end, whichever side opened it
//! (RFC 3261 §12–§15, RFC 3264, RFC 3311, RFC 3515, RFC 4028, RFC 6086).
//!
//! ```text
//!   Talking ── one offer at a time: theirs, ours, or none (`offer`) ── refreshed by the session timer
//!      │ BYE of theirs ───────────────────────────────▶ over
//!      └ Hangup, no ACK, timer, 481 ─▶ our BYE ─▶ Closing ─▶ over      the call is told at once
//! ```
//!
//! A branch embeds it once there is a dialog, and passes on what concerns it: every command, every request, every
//! ACK, the news of every request whose [`Tx`] it does not know.

mod offer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::branch::{Act, ClientNews, Context, OutRequest, Replaced, Standing, Tx};
use super::dialog::Dialog;
use super::info::{self, Key};
use super::message::{Headers, Method, Request, Response};
use super::reason;
use super::refer::{self, Referral, Report};
use super::respond::{ALLOW, Draft, Origin, SUPPORTED, reason_phrase};
use super::session_timer::{Agreed, Due, SessionTimer};
use super::transaction::{Repeat, Tick};
use super::uri::NameAddr;
use super::{LegCommand, LegEnd, LegEvent, Reason};
use crate::time::Now;
use offer::{Exchange, Wanted};

/// Our transactions are numbered from here, above those of the branch around us.
const FIRST_TX: u32 = 1 << 16;
/// Keys that may wait to be sent by INFO: nobody dials more.
const MOST_KEYS: usize = 32;
/// How soon a refresh that was not possible is tried again.
const REFRESH_AGAIN: Duration = Duration::from_secs(5);

/// The session descriptions in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchanged {
    /// The last one we sent.
    pub ours: String,
    /// The last one they sent.
    pub theirs: String,
    /// Theirs was the offer, ours the answer.
    pub they_offered: bool,
}

/// What they say they understand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allows {
    /// UPDATE (RFC 3311).
    pub update: bool,
    /// Session timers (RFC 4028).
    pub timer: bool,
}

impl Allows {
    /// As the Allow and Supported of a request or response of theirs say. What nobody mentions is not there.
    pub fn of(headers: &Headers) -> Self {
        let named = |name, wanted: &str| headers.list(name).any(|item| item.eq_ignore_ascii_case(wanted));
        Self { update: named("Allow", "UPDATE"), timer: named("Supported", "timer") || named("Require", "timer") }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Talking,
    /// Our BYE is under way.
    Closing(Tx),
    Over,
}

/// A 2xx of ours that has not been acknowledged.
#[derive(Debug)]
struct Unacknowledged {
    cseq: u32,
    repeat: Repeat,
    /// Our 2xx carried the offer: the ACK carries the answer.
    late: bool,
    /// The INVITE that opened the dialog.
    first: bool,
}

/// An established dialog.
#[derive(Debug)]
pub struct Talk {
    dialog: Dialog,
    context: Context,
    tag: Arc<str>,
    rng: StdRng,
    /// We opened the dialog.
    ours: bool,
    allows: Allows,
    state: State,
    sdp: Exchanged,
    exchange: Exchange,
    /// An offer that waits for its turn.
    wanted: Option<Wanted>,
    unacknowledged: Option<Unacknowledged>,
    hangup_when_acknowledged: bool,
    timer: Option<SessionTimer>,
    referral: Option<Referral>,
    /// Our REFER has succeeded: whoever hangs up now, the call has moved on.
    moved: bool,
    keys: VecDeque<Key>,
    key_under_way: Option<Tx>,
    next_tx: u32,
    acts: VecDeque<Act>,
}

/// The 2xx that answered their first INVITE, sent by the branch at the moment of [`Talk::answered`].
#[derive(Debug)]
pub struct Answer {
    /// All of it.
    pub bytes: Bytes,
    /// CSeq of the INVITE.
    pub cseq: u32,
    /// It carried our offer.
    pub late: bool,
}

impl Talk {
    /// They have answered our INVITE, and their answer has been acknowledged.
    pub fn begin(
        dialog: Dialog,
        context: Context,
        timer: Option<Agreed>,
        sdp: Exchanged,
        allows: Allows,
        now: Now,
    ) -> Self {
        let tag = NameAddr::parse(&dialog.local).ok().and_then(|local| local.tag().map(Into::into));
        Self {
            tag: tag.unwrap_or_default(),
            rng: StdRng::seed_from_u64(context.seed ^ 0x7a1c),
            dialog,
            context,
            ours: true,
            allows,
            state: State::Talking,
            sdp,
            exchange: Exchange::Idle,
            wanted: None,
            unacknowledged: None,
            hangup_when_acknowledged: false,
            timer: timer.map(|agreed| SessionTimer::start(agreed, now.mono)),
            referral: None,
            moved: false,
            keys: VecDeque::new(),
            key_under_way: None,
            next_tx: FIRST_TX,
            acts: VecDeque::new(),
        }
    }

    /// We are answering theirs with `answer`; [`LegEvent::Established`] comes with their ACK.
    pub fn answered(
        dialog: Dialog,
        context: Context,
        timer: Option<Agreed>,
        sdp: Exchanged,
        allows: Allows,
        (answer, origin): (Answer, &Origin),
        now: Now,
    ) -> Self {
        let mut talk = Self::begin(dialog, context, timer, sdp, allows, now);
        let repeat = Repeat::stubborn(answer.bytes, origin.destination, &talk.context.timing, now.mono);
        talk.ours = false;
        talk.unacknowledged = Some(Unacknowledged { cseq: answer.cseq, repeat, late: answer.late, first: true });
        talk
    }

    /// May somebody take its place now?
    pub fn standing(&self) -> Standing {
        let open = self.unacknowledged.is_some() || !matches!(self.exchange, Exchange::Idle);
        match self.state {
            State::Talking if open => Standing::Busy,
            State::Talking => Standing::Stands,
            State::Closing(_) | State::Over => Standing::Over,
        }
    }

    /// Somebody has taken its place.
    pub fn give_way(&mut self) {
        self.end(LegEnd::LocalHangup, reason::REPLACED);
    }

    /// The dialog, for somebody else to take over.
    pub fn replaced(&self) -> Replaced {
        let Dialog { call_id, remote_tag, remote_target, .. } = &self.dialog;
        let dialog = format!("{call_id};to-tag={remote_tag};from-tag={}", self.tag);
        Replaced { target: remote_target.clone(), dialog }
    }

    /// The call has decided something. What comes too late is dropped.
    pub fn handle_command(&mut self, command: LegCommand, now: Now) {
        if self.state != State::Talking {
            return;
        }
        match command {
            // RFC 3261 §15: whoever answered waits for the ACK before hanging up.
            LegCommand::Hangup if self.awaits_first_ack() => self.hangup_when_acknowledged = true,
            LegCommand::Hangup => self.close(LegEnd::LocalHangup),
            LegCommand::Offer { sdp } => self.want(Wanted::Offer(sdp)),
            LegCommand::AnswerOffer { sdp } => self.answer_offer(sdp, now),
            LegCommand::RefuseOffer { status, warning } => self.refuse_offer(status, warning.as_deref()),
            // The agent has written the other leg's dialog into `to`; it is gone if that is still to be done.
            LegCommand::Refer { replaces: Some(_), .. } => self.tell(LegEvent::Referred { status: 481, last: true }),
            LegCommand::Refer { to, replaces: None } => self.refer(&to, now),
            LegCommand::SendKey { digit, duration_ms } => {
                if self.keys.len() < MOST_KEYS {
                    self.keys.push_back(Key { digit, duration_ms: Some(duration_ms) });
                }
                self.send_key();
            }
            LegCommand::Ring | LegCommand::Progress { .. } | LegCommand::Answer { .. } | LegCommand::Reject(_) => {}
        }
    }

    /// A request of theirs inside the dialog, ACK and CANCEL excepted.
    pub fn handle_request(&mut self, request: &Request, origin: &Origin, key: &Arc<str>, now: Now) {
        if !self.dialog.accept_cseq(request.cseq.number) {
            return self.reply(key, origin, 500, |draft| draft);
        }
        // The way it came is the way that leads there: a telephone that has lost its connection has opened another one.
        self.dialog.path = origin.destination;
        if request.method == Method::Bye {
            self.reply(key, origin, 200, |draft| draft);
            return self.hung_up(Reason::of(&request.headers));
        }
        if self.state != State::Talking {
            return self.reply(key, origin, 481, |draft| draft);
        }
        match request.method {
            Method::Invite | Method::Update => self.offered(request, origin, key, now),
            Method::Info => self.inform(request, origin, key),
            Method::Notify => self.notified(request, origin, key, now),
            Method::Options => self.reply(key, origin, 200, capabilities),
            // RFC 3262 §3: nothing of ours waits for one here.
            Method::Prack => self.reply(key, origin, 481, |draft| draft),
            // We transfer calls, nobody transfers us.
            Method::Refer => self.reply(key, origin, 603, |draft| draft),
            Method::Unknown(_) => self.reply(key, origin, 501, |draft| draft.header("Allow", ALLOW)),
            _ => self.reply(key, origin, 405, |draft| draft.header("Allow", ALLOW)),
        }
    }

    /// Their ACK.
    pub fn handle_ack(&mut self, request: &Request, _now: Now) {
        let Some(unacknowledged) = self.unacknowledged.take_if(|known| known.cseq == request.cseq.number) else {
            return;
        };
        if self.state != State::Talking {
            return;
        }
        // Only a late offer is answered in the ACK (RFC 3261 §13.2.1); any other body there means nothing.
        let answer = if unacknowledged.late { request.sdp() } else { None };
        if let Some(answer) = &answer {
            self.sdp.theirs.clone_from(answer);
        }
        match (unacknowledged.first, unacknowledged.late, answer) {
            (true, _, sdp) => self.tell(LegEvent::Established { sdp }),
            (false, true, Some(sdp)) => self.tell(LegEvent::OfferAnswered { sdp }),
            // §14.1 has no word for it: they asked for an offer and did not answer it.
            (false, true, None) => self.tell(LegEvent::OfferRefused { status: 488 }),
            (false, false, _) => {}
        }
        if self.hangup_when_acknowledged {
            return self.close(LegEnd::LocalHangup);
        }
        self.go_on();
    }

    /// News of a request of ours.
    pub fn handle_news(&mut self, tx: Tx, news: ClientNews, now: Now) {
        if self.state == State::Closing(tx) {
            // Whatever it says, the dialog is over (RFC 3261 §15.1.1).
            if !matches!(news, ClientNews::Provisional(_)) {
                self.state = State::Over;
                self.acts.push_back(Act::Gone);
            }
            return;
        }
        if self.exchange.is_ours(tx) {
            return self.offer_news(tx, news, now);
        }
        if self.key_under_way == Some(tx) {
            if !matches!(news, ClientNews::Provisional(_)) {
                self.key_under_way = None;
                self.send_key();
            }
            return;
        }
        if self.referral.is_some_and(|referral| referral.tx == tx) {
            return self.refer_news(news, now);
        }
        // A re-INVITE that was answered behind our BYE: acknowledged, or it would be repeated for half a minute.
        if let ClientNews::Final(response) | ClientNews::Again(response) = news
            && response.cseq.method == Method::Invite
            && (200..300).contains(&response.status)
        {
            self.acts.push_back(Act::Ack { tx, request: self.dialog.request(Method::Ack) });
        }
    }

    /// They gave up on an INVITE of theirs inside the dialog.
    pub fn handle_cancel(&mut self, key: &Arc<str>, _now: Now) {
        if let Some((origin, key)) = self.exchange.take_theirs(Some(key)) {
            self.reply(&key, &origin, 487, |draft| draft);
            self.go_on();
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        if let Some(unacknowledged) = &mut self.unacknowledged {
            match unacknowledged.repeat.tick(now.mono) {
                Tick::Wait => {}
                Tick::Again(bytes, path) => self.acts.push_back(Act::Resend(bytes, path)),
                Tick::GiveUp => {
                    self.unacknowledged = None;
                    return self.close(LegEnd::NoAck);
                }
            }
        }
        if self.state != State::Talking {
            return;
        }
        if self.referral.is_some_and(|referral| now.mono >= referral.deadline()) {
            self.referral = None;
            self.tell(LegEvent::Referred { status: 408, last: true });
        }
        self.offer_timeout(now);
        match self.timer.as_mut().map(|timer| timer.poll(now.mono)) {
            Some(Due::Expired) => self.close(LegEnd::Expired),
            Some(Due::Refresh) => self.refresh(now),
            Some(Due::Nothing) | None => {}
        }
    }

    /// When [`Talk::handle_timeout`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let repeat = self.unacknowledged.as_ref().map(|unacknowledged| unacknowledged.repeat.deadline());
        if self.state != State::Talking {
            return repeat;
        }
        let referral = self.referral.map(|referral| referral.deadline());
        let timer = self.timer.map(|timer| timer.deadline());
        [repeat, referral, timer, self.exchange.deadline()].into_iter().flatten().min()
    }

    /// What is to be done next.
    pub fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// Ends the call from our side: BYE; the call is told at once, the dialog stays until the BYE is done with.
    pub fn close(&mut self, end: LegEnd) {
        self.end(
            end,
            match end {
                LegEnd::NoAck | LegEnd::Expired => reason::SILENT,
                _ => reason::CLEARED,
            },
        );
    }

    fn end(&mut self, end: LegEnd, why: &'static str) {
        if self.state != State::Talking {
            return;
        }
        self.drop_exchange();
        self.unacknowledged = None;
        let tx = self.fresh_tx();
        self.state = State::Closing(tx);
        let mut request = self.dialog.request(Method::Bye);
        request.headers.push(("Reason".into(), why.to_owned()));
        self.acts.push_back(Act::Request { tx, request });
        let end = if self.moved && end == LegEnd::LocalHangup { LegEnd::Moved } else { end };
        self.tell(LegEvent::Ended(end));
    }

    fn hung_up(&mut self, why: Option<Reason>) {
        // Both hung up at once: ours stays until it is answered.
        if self.state != State::Talking {
            return;
        }
        self.drop_exchange();
        self.unacknowledged = None;
        self.state = State::Over;
        self.acts.extend(why.map(|reason| Act::Event(LegEvent::Reason(reason))));
        self.tell(LegEvent::Ended(if self.moved { LegEnd::Moved } else { LegEnd::RemoteHangup }));
        self.acts.push_back(Act::Gone);
    }

    /// RFC 3261 §15.1.2: requests that still wait for our answer get 487.
    fn drop_exchange(&mut self) {
        if let Some((origin, key)) = self.exchange.take_theirs(None) {
            self.reply(&key, &origin, 487, |draft| draft);
        }
        self.exchange = Exchange::Idle;
        self.wanted = None;
    }

    fn inform(&mut self, request: &Request, origin: &Origin, key: &Arc<str>) {
        let (status, header, pressed) = info::answer(&request.headers, &request.body);
        self.reply(key, origin, status, |draft| match header {
            Some((name, value)) => draft.header(name, value),
            None => draft,
        });
        if let Some(Key { digit, duration_ms }) = pressed {
            self.tell(LegEvent::Key { digit, duration_ms });
        }
    }

    fn send_key(&mut self) {
        if self.key_under_way.is_some() || self.state != State::Talking {
            return;
        }
        let Some(key) = self.keys.pop_front() else { return };
        let tx = self.fresh_tx();
        let mut request = self.dialog.request(Method::Info);
        request.body = Some((info::DTMF_RELAY, info::write(key)));
        self.key_under_way = Some(tx);
        self.acts.push_back(Act::Request { tx, request });
    }

    fn refer(&mut self, to: &str, now: Now) {
        if self.referral.is_some() {
            return self.tell(LegEvent::Referred { status: 491, last: true });
        }
        let Some(to) = refer::target(to, &self.dialog.remote_target) else {
            return self.tell(LegEvent::Referred { status: 400, last: true });
        };
        let tx = self.fresh_tx();
        let mut request = self.dialog.request(Method::Refer);
        let local = NameAddr::parse(&self.dialog.local).map(|local| local.uri.text).unwrap_or_default();
        request.headers.push(("Refer-To".into(), format!("<{to}>")));
        request.headers.push(("Referred-By".into(), format!("<{local}>")));
        request.contact = Some(String::new());
        self.referral = Some(Referral::new(tx, now.mono));
        self.acts.push_back(Act::Request { tx, request });
    }

    fn refer_news(&mut self, news: ClientNews, now: Now) {
        if let Some(referral) = &mut self.referral {
            referral.accepted(now.mono);
        }
        let (status, last) = match news {
            ClientNews::Provisional(_) => return,
            ClientNews::Final(response) | ClientNews::Again(response) => {
                let last = response.status >= 300 || refer::will_not_report(&response.headers);
                (response.status, last)
            }
            ClientNews::Failed(_) => (408, true),
        };
        self.report(Report { status, last });
    }

    fn report(&mut self, Report { status, last }: Report) {
        match &self.referral {
            Some(_) if last => self.referral = None,
            Some(_) => {}
            None => return,
        }
        self.moved |= last && (200..300).contains(&status);
        self.tell(LegEvent::Referred { status, last });
    }

    fn notified(&mut self, request: &Request, origin: &Origin, key: &Arc<str>, now: Now) {
        if !refer::is_referral(&request.headers) {
            return self.reply(key, origin, 489, |draft| draft.header("Allow-Events", "refer"));
        }
        // A REFER makes a subscription, and there is none without one (RFC 6665 §4.1.3). Reports that come behind the
        // last one are of no use to anybody, but not wrong either.
        if self.referral.is_none() && !self.moved {
            return self.reply(key, origin, 481, |draft| draft);
        }
        self.reply(key, origin, 200, |draft| draft);
        if let Some(referral) = &mut self.referral {
            referral.notified(refer::lasts(&request.headers), now.mono);
        }
        if let Some(report) = refer::read_report(&request.headers, &request.body) {
            self.report(report);
        }
    }

    fn awaits_first_ack(&self) -> bool {
        self.unacknowledged.as_ref().is_some_and(|unacknowledged| unacknowledged.first)
    }

    fn fresh_tx(&mut self) -> Tx {
        self.next_tx += 1;
        Tx(self.next_tx)
    }

    fn tell(&mut self, event: LegEvent) {
        self.acts.push_back(Act::Event(event));
    }

    fn reply(&mut self, key: &Arc<str>, origin: &Origin, status: u16, dress: impl FnOnce(Draft) -> Draft) {
        let draft = dress(origin.respond(status, reason_phrase(status), &self.tag));
        let bytes = draft.header("Server", &self.context.server).finish().into();
        self.acts.push_back(Act::Respond { key: key.clone(), status, bytes });
    }

    /// A 2xx that keeps the dialog, on its way to a body (RFC 3261 §12.1.1, RFC 4028 §9).
    fn agree(&self, origin: &Origin, timer: &[(&'static str, String)]) -> Draft {
        let contact = self.dialog.path.contact("", self.dialog.secure);
        let draft = origin.respond(200, reason_phrase(200), &self.tag);
        let draft = draft.header("Contact", &format!("<{contact}>")).header("Allow", ALLOW);
        let draft = draft.header("Supported", SUPPORTED).header("Server", &self.context.server);
        timer.iter().fold(draft, |draft, (name, value)| draft.header(name, value))
    }

    /// §12.2: every INVITE and UPDATE, and every 2xx to one, may move the far end.
    fn follow(&mut self, contact: Option<&NameAddr>) {
        if let Some(contact) = contact.filter(|contact| matches!(contact.uri.scheme.as_str(), "sip" | "sips")) {
            self.dialog.remote_target.clone_from(&contact.uri.text);
        }
    }
}

/// What an OPTIONS is told (RFC 3261 §11.2).
pub(super) fn capabilities(draft: Draft) -> Draft {
    draft
        .header("Allow", ALLOW)
        .header("Accept", &format!("application/sdp, {}", info::ACCEPT))
        .header("Accept-Encoding", "identity")
        .header("Accept-Language", "en")
        .header("Supported", SUPPORTED)
}

#[cfg(test)]
mod tests;
