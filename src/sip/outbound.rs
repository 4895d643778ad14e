//! A call of ours on its way to somebody, and its end (RFC 3261 §13.2, §9.1, RFC 3262).
//!
//! ```text
//!   Calling ─ 18x ─▶ Calling (early dialogs, PRACK) ─ 2xx ─▶ Talking ─▶ Over
//!      │  ├ 3xx ─▶ the next target             └ late offer: Answering ┘
//!      │  ├ 422 ─▶ again, with their interval
//!      │  └ 4xx–6xx, nobody there ─▶ the next target, or Over
//!      └ Hangup, ring timeout ─▶ Cancelled ─ 487 ─▶ gone
//!                                    └ 2xx that crossed ─▶ ACK, BYE
//! ```
//!
//! The first 2xx wins. Every other one, whenever it comes, is acknowledged and hung up on, so the leg stays for 64·T1
//! after the first (§13.2.2.4) even when its call is long over. The call hears of a cancelled leg's end at once: what
//! the far end still says to it is our business alone.

mod early;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::auth::Algorithm;
use super::branch::{Act, Branch, ClientNews, Context, OutRequest, Replaced, Standing, Tx};
use super::callee::{Callee, Caller, may_add};
use super::dialog::Dialog;
use super::fork::{Forks, Heard, dialog_of};
use super::message::{Method, Request, Response};
use super::redirect::Redirects;
use super::respond::{ALLOW, Origin, SUPPORTED, reason_phrase};
use super::session_timer::{agreed_by, min_se, request_headers};
use super::talk::{Allows, Exchanged, Talk};
use super::transport::Path;
use super::trunk::TrunkSpec;
use super::{Dial, DialError, LegCommand, LegEnd, LegEvent, Reason, reason};
use crate::id::LegId;
use crate::time::Now;
use early::{EarlyOffer, Update};

/// Requests of this file have numbers from here; those of [`Talk`] stay below.
const FIRST_TX: u32 = 1 << 30;
/// How long the call may think about an offer that came before the answer or with it.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
enum State {
    /// Until a final response.
    Calling { until: Instant },
    /// The call knows that it is over; the INVITE does not. `until` is only in case it never learns.
    Cancelled { until: Instant },
    /// Their 2xx carried an offer; our ACK waits for the answer.
    Answering { dialog: Box<Dialog>, response: Box<Response>, until: Instant },
    /// The dialog stands.
    Talking,
    /// Nothing left but to hang up on latecomers.
    Over,
}

/// One SIP branch that we opened.
#[derive(Debug)]
pub struct OutLeg {
    id: LegId,
    context: Context,
    tag: Arc<str>,
    state: State,
    invite: OutRequest,
    tx: Tx,
    next_tx: u32,
    forks: Forks,
    redirects: Redirects,
    /// Min-SE of a 422; asked for once.
    raised: Option<Duration>,
    /// The last progress told, so that copies stay untold.
    told: Option<(u16, Option<String>)>,
    /// An UPDATE inside an early dialog that the call has been told of.
    update: Option<Update>,
    /// Offers in reliable responses, of several telephones perhaps; the call thinks about the first.
    early_offers: VecDeque<EarlyOffer>,
    /// Why the last target refused, as it says itself.
    why: Option<Reason>,
    /// Why the last target could not be reached.
    fault: Option<String>,
    talk: Option<Box<Talk>>,
    /// Tag of the far end that won, and until when others may still answer.
    winner: Option<String>,
    latecomers_until: Option<Instant>,
    acts: VecDeque<Act>,
}

impl OutLeg {
    /// Sends the INVITE of `dial`, through `trunk` where one is named.
    ///
    /// # Errors
    ///
    /// [`DialError::NotDialable`] when `dial.to` names nobody.
    pub fn dial(
        id: LegId,
        dial: Dial,
        trunk: Option<&TrunkSpec>,
        context: Context,
        now: Now,
    ) -> Result<Self, DialError> {
        let callee = Callee::of(dial.to.reveal(), trunk)?;
        let tag: Arc<str> = draw(&context, "tag")[..16].into();
        let invite = invite(&dial, trunk, callee, &tag, &context);
        let mut leg = Self {
            id,
            tag,
            state: State::Calling { until: now.mono + dial.ring_timeout },
            redirects: Redirects::starting_at(&invite.uri),
            invite,
            tx: Tx(FIRST_TX),
            next_tx: FIRST_TX,
            forks: Forks::default(),
            raised: None,
            told: None,
            update: None,
            early_offers: VecDeque::new(),
            why: None,
            fault: None,
            talk: None,
            winner: None,
            latecomers_until: None,
            acts: VecDeque::new(),
            context,
        };
        leg.call();
        Ok(leg)
    }

    /// Our Call-ID.
    pub fn call_id(&self) -> &str {
        self.invite.header("Call-ID").unwrap_or_default()
    }

    /// Sends the INVITE as it now stands.
    fn call(&mut self) {
        self.forks.clear();
        self.early_offers.clear();
        self.tx = self.request(self.invite.clone());
    }

    fn request(&mut self, request: OutRequest) -> Tx {
        let tx = Tx(self.next_tx);
        self.next_tx += 1;
        self.acts.push_back(Act::Request { tx, request });
        tx
    }

    fn tell(&mut self, event: LegEvent) {
        self.acts.push_back(Act::Event(event));
    }

    /// The INVITE has an answer, or will never have one.
    fn handle_invite_news(&mut self, news: ClientNews, path: Option<&Path>, now: Now) {
        match news {
            ClientNews::Provisional(response) => self.handle_provisional(&response, path, now),
            ClientNews::Final(response) | ClientNews::Again(response) if response.status < 300 => {
                self.handle_accepted(response, path, now);
            }
            ClientNews::Final(response) => self.handle_refusal(&response),
            ClientNews::Again(_) => {}
            ClientNews::Failed(failure) => {
                self.fault = Some(failure.sentence(path.map(|path| &path.hop)));
                self.try_next_or_end(LegEnd::Unreachable);
            }
        }
    }

    fn handle_provisional(&mut self, response: &Response, path: Option<&Path>, now: Now) {
        let (State::Calling { .. }, Some(path)) = (&self.state, path) else { return };
        let Heard::Progress { sdp, prack } = self.forks.hear(&self.invite, response, path) else { return };
        // Without an offer of ours the first reliable response brings theirs, and its PRACK the answer (RFC 3262 §5).
        let offered = self.invite.body.is_none() && prack.is_some();
        let sdp = match (prack, sdp) {
            (Some(prack), Some(sdp)) if offered && self.is_new_to(response) => {
                self.offered_early(*prack, response, sdp, now);
                None
            }
            (prack, sdp) => {
                prack.map(|prack| self.request(*prack));
                sdp.filter(|_| self.invite.body.is_some())
            }
        };
        let news = (response.status, sdp);
        if self.told.as_ref() != Some(&news) {
            self.told = Some(news.clone());
            let (status, sdp) = news;
            self.tell(LegEvent::Progress { status, sdp });
        }
    }

    fn handle_accepted(&mut self, response: Response, path: Option<&Path>, now: Now) {
        let Some(dialog) = path.and_then(|path| dialog_of(&self.invite, &response, path)) else {
            // It names neither party: nothing can be sent to whoever that was.
            return self.try_next_or_end(LegEnd::Failed);
        };
        let late = self.latecomers_until.is_some();
        if !late {
            self.latecomers_until = Some(now.mono + self.context.timing.give_up());
        }
        match self.state {
            State::Calling { .. } if !late => self.handle_winner(dialog, response, now),
            _ if self.winner.as_deref() == Some(dialog.remote_tag.as_str()) => {}
            State::Cancelled { .. } | State::Over => {
                self.decline(&dialog, reason::GIVEN_UP);
                self.state = State::Over;
            }
            State::Calling { .. } | State::Answering { .. } | State::Talking => {
                self.decline(&dialog, reason::ELSEWHERE);
            }
        }
    }

    /// The first 2xx.
    fn handle_winner(&mut self, dialog: Dialog, response: Response, now: Now) {
        self.winner = Some(dialog.remote_tag.clone());
        if let Some(update) = self.update.take() {
            self.respond(&update.key, &update.origin, 500, None);
        }
        self.early_offers.clear();
        let fork = self.forks.get(&dialog.remote_tag);
        let early = fork.and_then(|fork| fork.sdp.clone());
        let answered = fork.and_then(|fork| Some((fork.ours.clone()?, fork.sdp.clone()?)));
        if let (None, Some((ours, theirs))) = (&self.invite.body, answered) {
            self.tell(LegEvent::Established { sdp: None });
            self.acknowledge(&dialog, None);
            return self.talk(dialog, &response, Exchanged { ours, theirs, they_offered: true }, now);
        }
        let sdp = response.sdp().or(early);
        if sdp.is_none() {
            // §13.2.1: our offer must be answered by the 2xx at the latest, and theirs must stand in it.
            self.decline(&dialog, reason::CLEARED);
            self.state = State::Over;
            return self.tell(LegEvent::Ended(LegEnd::Failed));
        }
        self.tell(LegEvent::Established { sdp: sdp.clone() });
        match self.invite.body.take() {
            Some((_, ours)) => {
                self.acknowledge(&dialog, None);
                let exchanged = Exchanged { ours, theirs: sdp.unwrap_or_default(), they_offered: false };
                self.talk(dialog, &response, exchanged, now);
            }
            None => {
                let until = now.mono + PATIENCE;
                self.state = State::Answering { dialog: Box::new(dialog), response: Box::new(response), until };
            }
        }
    }

    fn talk(&mut self, dialog: Dialog, response: &Response, exchanged: Exchanged, now: Now) {
        let timer = agreed_by(&response.headers);
        let allows = Allows::of(&response.headers);
        self.talk = Some(Box::new(Talk::begin(dialog, self.context.clone(), timer, exchanged, allows, now)));
        self.state = State::Talking;
    }

    /// ACK inside the dialog: its route set and Contact, not the way the INVITE went (§13.2.2.4).
    fn acknowledge(&mut self, dialog: &Dialog, sdp: Option<String>) {
        let mut request = dialog.request(Method::Ack);
        request.body = sdp.map(|sdp| ("application/sdp", sdp));
        self.acts.push_back(Act::Ack { tx: self.tx, request });
    }

    /// ACK and BYE: somebody answered whom we do not want.
    fn decline(&mut self, dialog: &Dialog, reason: &'static str) {
        self.acknowledge(dialog, None);
        let mut bye = dialog.request(Method::Bye);
        bye.headers.push(("Reason".into(), reason.to_owned()));
        self.request(bye);
    }

    /// 3xx–6xx.
    fn handle_refusal(&mut self, response: &Response) {
        if matches!(self.state, State::Cancelled { .. }) {
            return self.end(None);
        }
        if !matches!(self.state, State::Calling { .. }) {
            return;
        }
        let Response { status, headers, .. } = response;
        if *status == 422 && self.raised.is_none() {
            let least = min_se(headers);
            self.raised = Some(least);
            let timer = request_headers(&self.context.session, None, Some(least));
            self.invite.headers.retain(|(name, _)| !matches!(name.as_ref(), "Session-Expires" | "Min-SE"));
            self.invite.headers.extend(timer.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)));
            return self.call();
        }
        if (300..400).contains(status) {
            self.redirects.take(response, self.invite.uri.starts_with("sips:"));
        }
        self.why = Reason::of(headers);
        let cause = self.why.as_ref().and_then(Reason::q850);
        let end = LegEnd::Refused { status: *status, cause };
        match status {
            // §8.1.3.4 and §21.6: whoever speaks for everywhere is believed.
            600.. => self.end(Some(end)),
            _ => self.try_next_or_end(end),
        }
    }

    fn try_next_or_end(&mut self, end: LegEnd) {
        match self.state {
            State::Calling { .. } => match self.redirects.pop() {
                Some(next) => {
                    tracing::debug!(leg = %self.id, ?end, "trying the next target");
                    self.invite.go_to(next.uri, next.towards);
                    self.call();
                }
                None => self.end(Some(end)),
            },
            State::Cancelled { .. } => self.end(None),
            State::Answering { .. } | State::Talking | State::Over => {}
        }
    }

    /// Nothing more can come. The call is told unless it knows.
    fn end(&mut self, end: Option<LegEnd>) {
        if let Some(update) = self.update.take() {
            self.respond(&update.key, &update.origin, 481, None);
        }
        self.early_offers.clear();
        self.state = State::Over;
        if let Some(end) = end {
            if let Some(reason) = self.why.take() {
                self.tell(LegEvent::Reason(reason));
            }
            if let Some(fault) = self.fault.take().filter(|_| end == LegEnd::Unreachable) {
                self.tell(LegEvent::Unreached(fault));
            }
            self.tell(LegEvent::Ended(end));
        }
        self.acts.push_back(Act::Gone);
    }

    /// We give up before anybody answered.
    fn cancel(&mut self, end: LegEnd, reason: &'static str, now: Now) {
        if let Some(update) = self.update.take() {
            self.respond(&update.key, &update.origin, 481, None);
        }
        self.early_offers.clear();
        self.acts.push_back(Act::Cancel { tx: self.tx, reason });
        // Timer B may still have to run out, and then 64·T1 for an answer to the CANCEL (§9.1).
        self.state = State::Cancelled { until: now.mono + self.context.timing.give_up() * 2 };
        self.tell(LegEvent::Ended(end));
    }

    /// A late offer that nobody answered, or a call that ended over it.
    fn abandon_answer(&mut self, end: LegEnd) {
        if let State::Answering { dialog, .. } = &self.state {
            let dialog = dialog.clone();
            self.decline(&dialog, reason::CLEARED);
            self.state = State::Over;
            self.tell(LegEvent::Ended(end));
        }
    }

    fn respond(&mut self, key: &Arc<str>, origin: &Origin, status: u16, body: Option<(&Dialog, &str)>) {
        let mut draft = origin.respond(status, reason_phrase(status), &self.tag);
        if status == 500 {
            // RFC 3311 §5.2: theirs to draw from 0 to 10 s.
            draft = draft.header("Retry-After", "2");
        }
        if let Some((dialog, _)) = body {
            let contact = dialog.path.contact(self.invite.contact.as_deref().unwrap_or_default(), dialog.secure);
            draft = draft.header("Contact", &format!("<{contact}>")).header("Allow", ALLOW);
        }
        let draft = draft.header("Server", &self.context.server);
        let bytes = match body {
            Some((_, sdp)) if !sdp.is_empty() => draft.finish_with_sdp(sdp),
            _ => draft.finish(),
        };
        self.acts.push_back(Act::Respond { key: key.clone(), status, bytes: bytes.into() });
    }

    /// Passes on what the dialog wants; its end is not yet ours while others may still answer.
    fn gather(&mut self, now: Now) {
        let Some(talk) = &mut self.talk else { return };
        let mut gone = false;
        while let Some(act) = talk.poll_act() {
            match act {
                Act::Gone => gone = true,
                act => self.acts.push_back(act),
            }
        }
        if gone {
            self.talk = None;
            self.state = State::Over;
            self.sweep(now);
        }
    }

    /// Goes once nobody can answer any more.
    fn sweep(&mut self, now: Now) {
        let over = matches!(self.state, State::Over) && self.talk.is_none();
        if over && self.latecomers_until.is_some_and(|until| now.mono >= until) {
            self.latecomers_until = None;
            self.acts.push_back(Act::Gone);
        }
    }
}

impl Branch for OutLeg {
    fn handle_command(&mut self, command: LegCommand, now: Now) {
        match (&self.state, command) {
            (State::Talking, command) => {
                if let Some(talk) = &mut self.talk {
                    talk.handle_command(command, now);
                }
                self.gather(now);
            }
            (State::Calling { .. }, LegCommand::Hangup) => {
                self.cancel(LegEnd::LocalHangup, reason::GIVEN_UP, now);
            }
            (State::Calling { .. }, LegCommand::AnswerOffer { sdp }) => self.answer_early(Ok(sdp), now),
            (State::Calling { .. }, LegCommand::RefuseOffer { status, .. }) => self.answer_early(Err(status), now),
            (State::Answering { .. }, LegCommand::Hangup | LegCommand::RefuseOffer { .. }) => {
                self.abandon_answer(LegEnd::LocalHangup);
            }
            (State::Answering { dialog, response, .. }, LegCommand::AnswerOffer { sdp }) => {
                let (dialog, response) = (dialog.clone(), response.clone());
                self.acknowledge(&dialog, Some(sdp.clone()));
                let theirs = response.sdp().unwrap_or_default();
                self.talk(*dialog, &response, Exchanged { ours: sdp, theirs, they_offered: true }, now);
            }
            // Before the answer there is no session of ours to change or to send away.
            (State::Calling { .. } | State::Answering { .. }, LegCommand::Offer { .. }) => {
                self.tell(LegEvent::OfferRefused { status: 491 });
            }
            (State::Calling { .. } | State::Answering { .. }, LegCommand::Refer { .. }) => {
                self.tell(LegEvent::Referred { status: 481, last: true });
            }
            // What is said to callers, keys for nobody, and whatever comes too late.
            (
                State::Calling { .. } | State::Answering { .. },
                LegCommand::Ring
                | LegCommand::Progress { .. }
                | LegCommand::Answer { .. }
                | LegCommand::Reject(_)
                | LegCommand::SendKey { .. },
            )
            | (State::Cancelled { .. } | State::Over, _) => {}
        }
    }

    fn handle_request(&mut self, request: &Request, origin: &Origin, key: &Arc<str>, now: Now) {
        let won = self.winner.as_deref() == Some(request.from.tag().unwrap_or_default());
        match (&self.state, &mut self.talk) {
            (State::Talking, Some(talk)) if won => {
                talk.handle_request(request, origin, key, now);
                self.gather(now);
            }
            (State::Calling { .. }, _) => self.early(request, origin, key, now),
            // They hang up before our ACK, or on a call that is over.
            (State::Answering { .. }, _) if won && request.method == Method::Bye => {
                self.respond(key, origin, 200, None);
                self.abandon_answer(LegEnd::RemoteHangup);
            }
            (_, _) if request.method == Method::Options => self.respond(key, origin, 200, None),
            (_, _) => self.respond(key, origin, 481, None),
        }
    }

    fn handle_ack(&mut self, request: &Request, now: Now) {
        if let Some(talk) = &mut self.talk {
            talk.handle_ack(request, now);
        }
        self.gather(now);
    }

    /// CANCEL of a re-INVITE of theirs: it was answered at once, or its answer is under way.
    fn handle_cancel(&mut self, key: &Arc<str>, _reason: Option<Reason>, now: Now) {
        if let Some(talk) = &mut self.talk {
            talk.handle_cancel(key, now);
        }
        self.gather(now);
    }

    fn handle_news(&mut self, tx: Tx, news: ClientNews, path: Option<&Path>, now: Now) {
        if tx == self.tx {
            self.handle_invite_news(news, path, now);
        } else if tx.0 < FIRST_TX {
            if let Some(talk) = &mut self.talk {
                talk.handle_news(tx, news, now);
            }
            self.gather(now);
        }
        // What becomes of a PRACK or of the BYE to a latecomer changes nothing.
    }

    fn handle_timeout(&mut self, now: Now) {
        match self.state {
            // Where nobody ever rang, there was nobody to answer.
            State::Calling { until } if now.mono >= until => match self.told {
                Some(_) => self.cancel(LegEnd::NoAnswer, reason::NO_ANSWER, now),
                None => {
                    self.tell(LegEvent::Unreached("nothing rang in the time it was given".to_owned()));
                    self.cancel(LegEnd::Unreachable, reason::SILENT, now);
                }
            },
            State::Cancelled { until } if now.mono >= until => self.end(None),
            State::Answering { until, .. } if now.mono >= until => self.abandon_answer(LegEnd::Failed),
            _ => {}
        }
        if self.update.as_ref().is_some_and(|update| now.mono >= update.until) {
            self.answer_update(Err(488));
        }
        if self.early_offers.front().is_some_and(|offer| now.mono >= offer.until) {
            self.answer_early(Err(488), now);
        }
        if let Some(talk) = &mut self.talk {
            talk.handle_timeout(now);
        }
        self.gather(now);
        self.sweep(now);
    }

    fn deadline(&self) -> Option<Instant> {
        let state = match &self.state {
            State::Calling { until } | State::Cancelled { until } | State::Answering { until, .. } => Some(*until),
            State::Talking => self.talk.as_ref().and_then(|talk| talk.deadline()),
            State::Over => self.latecomers_until,
        };
        let update = self.update.as_ref().map(|update| update.until);
        [state, update, self.early_offers.front().map(|offer| offer.until)].into_iter().flatten().min()
    }

    fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    fn local_tag(&self) -> &Arc<str> {
        &self.tag
    }

    fn owns(&self, call_id: &str, remote_tag: &str) -> bool {
        let known = self.winner.as_deref() == Some(remote_tag) || self.forks.get(remote_tag).is_some();
        known && self.call_id() == call_id
    }

    fn standing(&self) -> Standing {
        match (&self.state, &self.talk) {
            (State::Calling { .. }, _) => Standing::OurEarly,
            (State::Answering { .. }, _) => Standing::Busy,
            (State::Talking, Some(talk)) => talk.standing(),
            (State::Talking | State::Cancelled { .. } | State::Over, _) => Standing::Over,
        }
    }

    fn give_way(&mut self, now: Now) {
        match self.state {
            State::Calling { .. } => self.cancel(LegEnd::LocalHangup, reason::ELSEWHERE, now),
            _ => {
                if let Some(talk) = &mut self.talk {
                    talk.give_way();
                }
                self.gather(now);
            }
        }
    }

    fn replaces(&self) -> Option<Replaced> {
        Some(self.talk.as_ref()?.replaced())
    }
}

/// The INVITE, but for what the agent adds.
fn invite(dial: &Dial, trunk: Option<&TrunkSpec>, callee: Callee, tag: &str, context: &Context) -> OutRequest {
    let caller = Caller::of(dial, trunk);
    let mut headers: Vec<(Cow<'static, str>, String)> = vec![
        ("From".into(), format!("{};tag={tag}", caller.from)),
        ("To".into(), format!("<{}>", callee.uri)),
        ("Call-ID".into(), draw(context, "call")[..32].to_owned()),
        ("Supported".into(), SUPPORTED.to_owned()),
        ("Allow".into(), ALLOW.to_owned()),
    ];
    let timer = request_headers(&context.session, None, None);
    headers.extend(timer.into_iter().chain(caller.headers).map(|(name, value)| (Cow::Borrowed(name), value)));
    let further = dial.headers.iter().filter(|(name, _)| may_add(name));
    headers.extend(further.map(|(name, value)| (Cow::Owned(name.clone()), value.clone())));
    OutRequest {
        method: Method::Invite,
        uri: callee.uri,
        towards: callee.towards,
        fallback: None,
        headers,
        contact: Some(caller.contact),
        body: dial.sdp.clone().map(|sdp| ("application/sdp", sdp)),
    }
}

/// 64 hexadecimal digits that nobody can guess: tags and Call-IDs (RFC 3261 §19.3, §8.1.1.4).
fn draw(context: &Context, what: &str) -> String {
    Algorithm::Sha256.hash(format!("{:016x} {what}", context.seed).as_bytes())
}

#[cfg(test)]
mod tests;
