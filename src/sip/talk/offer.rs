//! Offers inside a dialog: one at a time, theirs or ours (RFC 3261 §14, RFC 3264 §8, RFC 3311, RFC 6337).
//!
//! ```text
//!   Idle ─ their INVITE, UPDATE ─▶ Theirs ─ AnswerOffer, RefuseOffer, 5 s ─▶ Idle
//!     │                              a second one meanwhile: 500, Retry-After
//!     └─ Offer, refresh ─▶ Ours ─ 2xx, refusal ─▶ Idle
//!                            │ └ their offer meanwhile: 491
//!                            └─ 491 ─▶ Pause ─ a random while, or after theirs ─▶ Ours
//! ```

use super::*;
use crate::sip::branch::ClientFailure;
use crate::sip::session_timer;

/// How long the call may think about an offer: the far end waits no longer than a ring.
const DECIDE_WITHIN: Duration = Duration::from_secs(5);
/// Rounds of 491 or 422 after which an offer of ours is given up.
const MOST_ROUNDS: u8 = 6;

/// Whose turn it is.
#[derive(Debug)]
pub(super) enum Exchange {
    /// Nobody's.
    Idle,
    /// The call thinks about their offer.
    Theirs(Box<Theirs>),
    /// They think about ours.
    Ours(Tx, Ours),
    /// Both offered at once; ours goes out again then.
    Pause(Instant, Ours),
}

#[derive(Debug)]
pub(super) struct Theirs {
    key: Arc<str>,
    origin: Origin,
    cseq: u32,
    /// An INVITE, to be acknowledged.
    invite: bool,
    /// Their description; `None`: they want ours.
    sdp: Option<String>,
    /// What our 2xx says of the session timer.
    agreed: Option<Agreed>,
    until: Instant,
}

#[derive(Clone, Debug)]
pub(super) struct Ours {
    wanted: Wanted,
    method: Method,
    rounds: u8,
    /// Min-SE of a 422.
    raised: Option<Duration>,
}

/// What an offer of ours is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// To change the session, as the call wants.
    Offer(String),
    /// A sign of life.
    Refresh,
}

impl Exchange {
    pub(super) fn is_ours(&self, tx: Tx) -> bool {
        matches!(self, Self::Ours(known, _) if *known == tx)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Theirs(theirs) => Some(theirs.until),
            Self::Pause(at, _) => Some(*at),
            Self::Idle | Self::Ours(..) => None,
        }
    }

    /// Takes their open request, if it is the one of `key` (or any).
    pub(super) fn take_theirs(&mut self, key: Option<&Arc<str>>) -> Option<(Origin, Arc<str>)> {
        match std::mem::replace(self, Self::Idle) {
            Self::Theirs(theirs) if key.is_none_or(|key| *key == theirs.key) => Some((theirs.origin, theirs.key)),
            other => {
                *self = other;
                None
            }
        }
    }

    /// An INVITE or an UPDATE with a description is ours, and not decided.
    fn is_offering(&self) -> bool {
        match self {
            Self::Ours(_, ours) => ours.method == Method::Invite || ours.wanted != Wanted::Refresh,
            _ => false,
        }
    }
}

impl Talk {
    /// Their INVITE or UPDATE.
    pub(super) fn offered(&mut self, request: &Request, origin: &Origin, key: &Arc<str>, now: Now) {
        let invite = request.method == Method::Invite;
        let sdp = request.sdp();
        if invite || sdp.is_some() {
            if self.exchange.is_offering() {
                return self.reply(key, origin, 491, |draft| draft);
            }
            // RFC 3261 §14.2, RFC 3311 §5.2: theirs is still open, or its 2xx not acknowledged.
            if matches!(self.exchange, Exchange::Theirs(_)) || self.unacknowledged.is_some() {
                let wait = self.rng.random_range(0..=10_u32).to_string();
                return self.reply(key, origin, 500, |draft| draft.header("Retry-After", &wait));
            }
        }
        let agreed = match session_timer::accept(&request.headers, &self.context.session) {
            Ok(agreed) => agreed,
            Err(too_small) => {
                let least = too_small.min_se.as_secs().to_string();
                return self.reply(key, origin, 422, |draft| draft.header("Min-SE", &least));
            }
        };
        self.follow(request.contact.as_ref());
        let until = now.mono + DECIDE_WITHIN;
        let cseq = request.cseq.number;
        let theirs = Theirs { key: key.clone(), origin: origin.clone(), cseq, invite, sdp, agreed, until };
        match &theirs.sdp {
            None if !invite => self.accept(theirs, None, now),
            Some(sdp) if self.sdp.they_offered && is_same_session(sdp, &self.sdp.theirs) => {
                let ours = self.sdp.ours.clone();
                self.accept(theirs, Some(ours), now);
            }
            sdp => {
                let offered = LegEvent::Offered { sdp: sdp.clone() };
                self.set_aside(now);
                self.exchange = Exchange::Theirs(Box::new(theirs));
                self.tell(offered);
            }
        }
    }

    /// Theirs goes first; what we wanted to ask or to say ourselves has its turn after it.
    fn set_aside(&mut self, now: Now) {
        match std::mem::replace(&mut self.exchange, Exchange::Idle) {
            Exchange::Pause(_, Ours { wanted: wanted @ Wanted::Offer(_), .. }) => {
                // Unless the call wants something else by now.
                if !matches!(self.wanted, Some(Wanted::Offer(_))) {
                    self.wanted = Some(wanted);
                }
            }
            // Theirs refreshes the session by itself, if it is agreed to.
            Exchange::Pause(..) | Exchange::Ours(..) => self.refresh_later(now, REFRESH_AGAIN),
            Exchange::Idle | Exchange::Theirs(_) => {}
        }
    }

    /// The call agrees to their offer.
    pub(super) fn answer_offer(&mut self, sdp: String, now: Now) {
        match std::mem::replace(&mut self.exchange, Exchange::Idle) {
            Exchange::Theirs(theirs) => {
                self.accept(*theirs, Some(sdp), now);
                self.go_on();
            }
            other => self.exchange = other,
        }
    }

    /// The call does not.
    pub(super) fn refuse_offer(&mut self, status: u16, warning: Option<&str>) {
        let status = if (300..700).contains(&status) { status } else { 488 };
        if let Some((origin, key)) = self.exchange.take_theirs(None) {
            self.reply(&key, &origin, status, |draft| match warning {
                Some(text) => draft.warning(text),
                None => draft,
            });
            self.go_on();
        }
    }

    /// 2xx to their INVITE or UPDATE, with our description unless they only wanted a sign of life.
    fn accept(&mut self, theirs: Theirs, sdp: Option<String>, now: Now) {
        let headers = theirs.agreed.as_ref().map(session_timer::answer_headers).unwrap_or_default();
        let draft = self.agree(&theirs.origin, &headers);
        let late = theirs.sdp.is_none();
        let bytes: Bytes = match &sdp {
            Some(sdp) => draft.finish_with_sdp(sdp).into(),
            None => draft.finish().into(),
        };
        if let Some(ours) = sdp {
            let they_offered = !late;
            self.sdp = Exchanged { ours, theirs: theirs.sdp.unwrap_or_default(), they_offered };
        }
        self.timer = theirs.agreed.map(|agreed| SessionTimer::start(agreed, now.mono));
        if theirs.invite {
            let destination = theirs.origin.destination;
            let repeat = Repeat::stubborn(bytes.clone(), destination, &self.context.timing, now.mono);
            self.unacknowledged = Some(Unacknowledged { cseq: theirs.cseq, repeat, late, first: false });
        }
        self.acts.push_back(Act::Respond { key: theirs.key, status: 200, bytes });
    }

    /// An offer of ours, now or as soon as it may go. The newest wish of the call is the one that counts.
    pub(super) fn want(&mut self, wanted: Wanted) {
        if self.wanted.is_none() || wanted != Wanted::Refresh {
            self.wanted = Some(wanted);
        }
        self.go_on();
    }

    /// The next thing that waited for its turn.
    pub(super) fn go_on(&mut self) {
        let free = matches!(self.exchange, Exchange::Idle) && self.unacknowledged.is_none();
        if self.state != State::Talking || !free {
            return;
        }
        if let Some(wanted) = self.wanted.take() {
            let update = wanted == Wanted::Refresh && self.allows.update;
            let method = if update { Method::Update } else { Method::Invite };
            self.propose(Ours { wanted, method, rounds: 0, raised: None });
        }
    }

    fn propose(&mut self, ours: Ours) {
        let tx = self.fresh_tx();
        let mut request = self.dialog.request(ours.method.clone());
        request.contact = Some(String::new());
        self.describe(&mut request, &ours);
        self.exchange = Exchange::Ours(tx, ours);
        self.acts.push_back(Act::Request { tx, request });
    }

    fn describe(&self, request: &mut OutRequest, ours: &Ours) {
        request.headers.push(("Allow".into(), ALLOW.to_owned()));
        request.headers.push(("Supported".into(), SUPPORTED.to_owned()));
        if let Some(timer) = &self.timer {
            let policy = &self.context.session;
            let headers = session_timer::request_headers(policy, Some(&timer.agreed), ours.raised);
            request.headers.extend(headers.into_iter().map(|(name, value)| (name.into(), value)));
        }
        let sdp = match &ours.wanted {
            Wanted::Offer(sdp) => Some(sdp.clone()),
            // A refresh by INVITE says again what holds.
            Wanted::Refresh => (ours.method == Method::Invite).then(|| self.sdp.ours.clone()),
        };
        request.body = sdp.map(|sdp| ("application/sdp", sdp));
    }

    pub(super) fn refresh(&mut self, now: Now) {
        match self.exchange {
            Exchange::Idle if self.unacknowledged.is_none() => self.want(Wanted::Refresh),
            // What is under way refreshes the session by itself; if it does not, we ask again.
            _ => self.refresh_later(now, REFRESH_AGAIN),
        }
    }

    fn refresh_later(&mut self, now: Now, wait: Duration) {
        if let Some(timer) = &mut self.timer {
            timer.retry(now.mono + wait);
        }
    }

    /// What they say to our offer.
    pub(super) fn offer_news(&mut self, tx: Tx, news: ClientNews, now: Now) {
        if matches!(news, ClientNews::Provisional(_)) {
            return;
        }
        let Exchange::Ours(_, ours) = std::mem::replace(&mut self.exchange, Exchange::Idle) else { return };
        match news {
            ClientNews::Provisional(_) => {}
            ClientNews::Final(response) | ClientNews::Again(response) => match response.status {
                200..300 => self.agreed_to(tx, ours, &response, now),
                status => self.refused(ours, status, &response.headers, now),
            },
            // RFC 3261 §12.2.1.2: no answer is a 408.
            ClientNews::Failed(ClientFailure::Timeout | ClientFailure::Unreachable | ClientFailure::NoAddress(_)) => {
                self.lost(&ours.wanted);
            }
        }
        self.go_on();
    }

    fn agreed_to(&mut self, tx: Tx, ours: Ours, response: &Response, now: Now) {
        self.follow(response.contact().as_ref());
        if ours.method == Method::Invite {
            self.acts.push_back(Act::Ack { tx, request: self.dialog.request(Method::Ack) });
        }
        let allows = Allows::of(&response.headers);
        self.allows = Allows { update: self.allows.update || allows.update, timer: self.allows.timer || allows.timer };
        if self.timer.is_some() || ours.wanted == Wanted::Refresh {
            let agreed = session_timer::agreed_by(&response.headers);
            self.timer = agreed.map(|agreed| SessionTimer::start(agreed, now.mono));
        }
        match (ours.wanted, response.sdp()) {
            (Wanted::Offer(ours), Some(theirs)) => {
                self.sdp = Exchanged { ours, theirs: theirs.clone(), they_offered: false };
                self.tell(LegEvent::OfferAnswered { sdp: theirs });
            }
            // A 2xx without the answer agrees to nothing.
            (Wanted::Offer(_), None) => self.tell(LegEvent::OfferRefused { status: 500 }),
            (Wanted::Refresh, Some(theirs)) if !is_same_session(&theirs, &self.sdp.theirs) => {
                self.sdp.theirs.clone_from(&theirs);
                self.sdp.they_offered = false;
                self.tell(LegEvent::OfferAnswered { sdp: theirs });
            }
            (Wanted::Refresh, _) => {}
        }
    }

    fn refused(&mut self, mut ours: Ours, status: u16, headers: &Headers, now: Now) {
        ours.rounds += 1;
        match (status, &ours.wanted) {
            (491, _) if ours.rounds < MOST_ROUNDS => {
                // §14.1: who made the Call-ID waits longer, so that the two do not meet again.
                let wait_ms =
                    if self.ours { self.rng.random_range(2_100..4_000) } else { self.rng.random_range(0..2_000) };
                // In units of ten milliseconds.
                let at = now.mono + Duration::from_millis(wait_ms / 10 * 10);
                self.exchange = Exchange::Pause(at, ours);
            }
            (422, _) if ours.rounds < MOST_ROUNDS => {
                ours.raised = Some(session_timer::min_se(headers));
                self.propose(ours);
            }
            (481 | 408, _) => self.lost(&ours.wanted),
            (405 | 501, Wanted::Refresh) if ours.method == Method::Update => {
                self.allows.update = false;
                self.want(Wanted::Refresh);
            }
            // The session goes on; whether the far end is alive has been answered, only not as the timer wants it.
            (_, Wanted::Refresh) => self.refresh_later(now, REFRESH_AGAIN * 4),
            (_, Wanted::Offer(_)) => self.tell(LegEvent::OfferRefused { status }),
        }
    }

    /// RFC 3261 §12.2.1.2: nobody there knows of the dialog any more.
    fn lost(&mut self, wanted: &Wanted) {
        self.close(match wanted {
            Wanted::Refresh => LegEnd::Expired,
            Wanted::Offer(_) => LegEnd::Failed,
        });
    }

    pub(super) fn offer_timeout(&mut self, now: Now) {
        if self.exchange.deadline().is_none_or(|at| now.mono < at) {
            return;
        }
        match std::mem::replace(&mut self.exchange, Exchange::Idle) {
            Exchange::Pause(_, ours) => self.propose(ours),
            Exchange::Theirs(theirs) => {
                self.reply(&theirs.key, &theirs.origin, 488, |draft| draft);
                self.go_on();
            }
            other => self.exchange = other,
        }
    }
}

/// Do two descriptions of one far end ask for the same session? Everything counts but who wrote it and when.
fn is_same_session(one: &str, other: &str) -> bool {
    fn lines(sdp: &str) -> impl Iterator<Item = &str> {
        let matters =
            |line: &&str| !line.is_empty() && !["v=", "o=", "s=", "t="].iter().any(|kind| line.starts_with(kind));
        sdp.lines().map(str::trim_end).filter(matters)
    }
    lines(one).eq(lines(other))
}
