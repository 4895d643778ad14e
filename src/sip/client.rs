//! One request of ours, until it is answered or given up (RFC 3261 §17.1, §9.1, RFC 6026, RFC 3263 §4.3).
//!
//! ```text
//!   INVITE      Calling (A, B) ─1xx─▶ Proceeding ─2xx─▶ Accepted (more 2xx: other forks) ─▶ over
//!                   │                      └──────3xx–6xx─▶ ACK, Completed (D: ACK again) ─▶ over
//!                   └─ B, no transport, 503 ─▶ the next hop with a new branch, or Failed
//!   the others  Calling (E, F) ─1xx─▶ Proceeding (E at T2) ─final─▶ over
//!   CANCEL      waits for a provisional response, then as "the others" beside its INVITE
//! ```
//!
//! A hop that is left behind may still answer: its branches are remembered, a late refusal is acknowledged and a late
//! 2xx is news like any other. One that only begins to ring then is cancelled, and so is the last hop when another one
//! answers first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::auth::Tries;
use super::branch::{ClientFailure, ClientNews, OutRequest};
use super::message::{Method, Response};
use super::reason;
use super::respond::Draft;
use super::transaction::{Repeat, Tick, Timing};
use super::transport::{Hop, Path, Transport};

/// RFC 3261 §18.1.1: a longer request leaves by a transport that controls congestion, because the network may not
/// carry such a datagram in one piece.
pub const MAX_DATAGRAM: usize = 1300;
/// With another hop to try, a silent one is given this many T1 instead of 64: long enough for four INVITEs (0, 0.5,
/// 1.5 and 3.5 s), short enough that a caller does not hang up.
const PATIENCE_WITH_CHOICE: u32 = 8;

/// A request with all but its way: which hop, which branch.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// What the branch wants said.
    pub request: OutRequest,
    /// Its number.
    pub cseq: u32,
    /// User-Agent.
    pub server: Arc<str>,
    /// Authorization and Proxy-Authorization.
    pub credentials: Vec<(&'static str, String)>,
    /// What it was asked for those.
    pub tries: Tries,
}

impl Outgoing {
    /// The message for one way.
    pub fn write(&self, path: &Path, branch: &str) -> Bytes {
        let request = &self.request;
        let mut draft = self.begin(request.method.as_str(), path, branch);
        for (name, value) in &request.headers {
            draft = draft.header(name, value);
        }
        draft = draft.header("CSeq", &format!("{} {}", self.cseq, request.method));
        if let Some(user) = &request.contact {
            let secure = request.uri.starts_with("sips:");
            draft = draft.header("Contact", &format!("<{}>", path.contact(user, secure)));
        }
        for (name, value) in &self.credentials {
            draft = draft.header(name, value);
        }
        draft = draft.header("User-Agent", &self.server);
        match &request.body {
            Some((kind, text)) => draft.finish_with_body(kind, text).into(),
            None => draft.finish().into(),
        }
    }

    /// CANCEL, or the ACK of a refusal, for the INVITE that was sent along `path` with `branch` (§9.1, §17.1.1.3);
    /// `to` is the refusal's To.
    fn echo(&self, method: &str, path: &Path, branch: &str, (to, reason): (Option<&str>, Option<&str>)) -> Bytes {
        let mut draft = self.begin(method, path, branch);
        for (name, value) in &self.request.headers {
            match (name.as_ref(), to) {
                ("To", Some(to)) => draft = draft.header("To", to),
                ("From" | "To" | "Call-ID" | "Route", _) => draft = draft.header(name, value),
                _ => {}
            }
        }
        draft = draft.header("CSeq", &format!("{} {method}", self.cseq));
        // RFC 3261 §22.1: an ACK shows the credentials of its INVITE.
        for (name, value) in self.credentials.iter().filter(|_| method == "ACK") {
            draft = draft.header(name, value);
        }
        if let Some(reason) = reason {
            draft = draft.header("Reason", reason);
        }
        draft.header("User-Agent", &self.server).finish().into()
    }

    fn begin(&self, method: &str, path: &Path, branch: &str) -> Draft {
        Draft::request(method, &self.request.uri)
            .header("Via", &format!("{};branch={branch};rport", path.via()))
            .header("Max-Forwards", "70")
    }
}

/// What a transaction wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientDo {
    /// Send this.
    Send(Bytes, Path),
    /// Tell the branch; the path is the one the response answers, or the last one tried.
    News(ClientNews, Option<Path>),
    /// Forget the transaction.
    Over,
}

/// One try along one path.
#[derive(Debug)]
struct Attempt {
    path: Path,
    branch: String,
    /// Given up for another one.
    left_behind: bool,
    /// It has had its final response.
    answered: bool,
}

#[derive(Debug)]
enum State {
    /// Nothing heard.
    Calling(Repeat),
    /// 1xx heard. INVITE: waits as long as its branch has patience; inside a dialog, until [`ClientTransaction::impatient_at`].
    Proceeding(Option<Repeat>),
    /// A final response has come; copies and other forks are looked after until then.
    Done(Instant),
    Over,
}

#[derive(Debug)]
enum Cancel {
    NotWanted,
    /// As soon as a provisional response comes.
    Wanted(&'static str),
    /// Sent, repeated while `Some`; without a final response the INVITE is given up then (§9.1).
    Sent(Option<Box<Repeat>>, Instant),
}

/// One request of ours.
#[derive(Debug)]
pub struct ClientTransaction {
    outgoing: Outgoing,
    timing: Timing,
    base: Arc<str>,
    /// Ways not tried yet.
    paths: VecDeque<Path>,
    /// Long requests may leave by TCP.
    tcp: bool,
    attempts: Vec<Attempt>,
    /// Something above 100 was heard: no other hop is tried any more.
    rung: bool,
    state: State,
    /// When a re-INVITE that has only had provisional responses is cancelled: nobody rings there, and whoever hung up
    /// in between would leave it with us for ever.
    impatient_at: Option<Instant>,
    cancel: Cancel,
    dos: VecDeque<ClientDo>,
}

impl ClientTransaction {
    /// Sends `outgoing` along the first of `paths` that takes it. `base` is fresh; branches begin with it
    /// ([`base_of`]). With `tcp`, requests too long for a datagram go over TCP first.
    pub fn start(
        outgoing: Outgoing,
        paths: Vec<Path>,
        base: Arc<str>,
        tcp: bool,
        timing: Timing,
        now: Instant,
    ) -> Self {
        let tcp = tcp && outgoing.request.towards.transport != Some(Transport::Udp);
        let mut transaction = Self {
            outgoing,
            timing,
            base,
            paths: paths.into(),
            tcp,
            attempts: Vec::new(),
            rung: false,
            state: State::Over,
            impatient_at: None,
            cancel: Cancel::NotWanted,
            dos: VecDeque::new(),
        };
        if !transaction.try_next(now) {
            transaction.fail(ClientFailure::Unreachable);
        }
        transaction
    }

    /// A response with one of our branches came.
    pub fn handle_response(&mut self, response: Response, now: Instant) {
        let branch = response.via.branch();
        let Some(at) = self.attempts.iter().position(|attempt| Some(attempt.branch.as_str()) == branch) else { return };
        if response.cseq.number != self.outgoing.cseq {
            return;
        }
        if response.cseq.method == Method::Cancel {
            if let (Cancel::Sent(repeat, _), 200..) = (&mut self.cancel, response.status) {
                *repeat = None;
            }
            return;
        }
        if response.cseq.method != self.outgoing.request.method {
            return;
        }
        match response.status {
            ..200 => self.handle_provisional(at, response, now),
            200..=299 => self.handle_success(at, response, now),
            _ => self.handle_refusal(at, response, now),
        }
    }

    /// The hop did not take what was sent there.
    pub fn handle_unsent(&mut self, hop: &Hop, now: Instant) {
        if self.calls(hop) {
            self.give_up_hop(ClientFailure::Unreachable, now);
        }
    }

    /// Is this hop being called, and silent so far?
    pub fn calls(&self, hop: &Hop) -> bool {
        let here =
            |attempt: &Attempt| (attempt.path.hop.transport, attempt.path.hop.address) == (hop.transport, hop.address);
        matches!(self.state, State::Calling(_)) && self.attempts.last().is_some_and(here)
    }

    /// The branch does not want its INVITE answered any more, and says why (RFC 3326).
    pub fn cancel(&mut self, reason: &'static str, now: Instant) {
        if !matches!(self.cancel, Cancel::NotWanted) || self.outgoing.request.method != Method::Invite {
            return;
        }
        match self.state {
            State::Calling(_) => self.cancel = Cancel::Wanted(reason),
            State::Proceeding(_) => self.send_cancel(reason, now),
            State::Done(_) | State::Over => {}
        }
    }

    /// Has the branch asked for the end?
    pub fn is_cancelled(&self) -> bool {
        !matches!(self.cancel, Cancel::NotWanted)
    }

    /// Is a final response still due?
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Calling(_) | State::Proceeding(_))
    }

    /// Ways that nothing has been sent along.
    pub fn untried(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter()
    }

    /// What is being sent.
    pub fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// When [`ClientTransaction::handle_timeout`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let own = match &self.state {
            State::Calling(repeat) | State::Proceeding(Some(repeat)) => Some(repeat.deadline()),
            State::Proceeding(None) | State::Over => None,
            State::Done(until) => Some(*until),
        };
        let cancel = match (&self.cancel, &self.state) {
            (Cancel::NotWanted, State::Proceeding(None)) => self.impatient_at,
            (Cancel::Sent(repeat, until), State::Proceeding(_)) => {
                Some(repeat.as_ref().map_or(*until, |repeat| repeat.deadline().min(*until)))
            }
            _ => None,
        };
        [own, cancel].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let tick = match &mut self.state {
            State::Calling(repeat) | State::Proceeding(Some(repeat)) => repeat.tick(now),
            State::Done(until) if now >= *until => {
                self.state = State::Over;
                return self.dos.push_back(ClientDo::Over);
            }
            State::Proceeding(None) | State::Done(_) | State::Over => Tick::Wait,
        };
        match tick {
            Tick::Wait => {}
            Tick::Again(bytes, path) => self.dos.push_back(ClientDo::Send(bytes, path)),
            Tick::GiveUp => return self.give_up_hop(ClientFailure::Timeout, now),
        }
        if matches!(self.state, State::Proceeding(None)) && self.impatient_at.is_some_and(|at| now >= at) {
            self.cancel(reason::SILENT, now);
        }
        let Cancel::Sent(repeat, until) = &mut self.cancel else { return };
        if now >= *until && matches!(self.state, State::Proceeding(_)) {
            return self.fail(ClientFailure::Timeout);
        }
        match repeat.as_mut().map(|repeat| repeat.tick(now)) {
            Some(Tick::Again(bytes, path)) => self.dos.push_back(ClientDo::Send(bytes, path)),
            Some(Tick::GiveUp) => *repeat = None,
            Some(Tick::Wait) | None => {}
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<ClientDo> {
        self.dos.pop_front()
    }

    fn handle_provisional(&mut self, at: usize, response: Response, now: Instant) {
        if self.attempts[at].left_behind {
            // Whatever rings there rings for nothing. Each of its 1xx shows that no CANCEL has got there yet.
            return self.cancel_attempt(at);
        }
        match &self.state {
            State::Calling(_) if self.outgoing.request.method == Method::Invite => {
                self.state = State::Proceeding(None);
                // What belongs to a dialog knows a way already; its far end need not have a tag (RFC 2543).
                let in_dialog = self.outgoing.request.fallback.is_some();
                self.impatient_at = in_dialog.then(|| now + self.timing.give_up());
            }
            State::Calling(repeat) => {
                let mut repeat = repeat.clone();
                repeat.slow_down(&self.timing, now);
                self.state = State::Proceeding(Some(repeat));
            }
            State::Proceeding(_) => {}
            State::Done(_) | State::Over => return,
        }
        if response.status > 100 {
            self.rung = true;
            let path = self.attempts[at].path;
            self.dos.push_back(ClientDo::News(ClientNews::Provisional(response), Some(path)));
        }
        if let Cancel::Wanted(reason) = self.cancel {
            self.send_cancel(reason, now);
        }
    }

    fn handle_success(&mut self, at: usize, response: Response, now: Instant) {
        let path = Some(self.attempts[at].path);
        self.attempts[at].answered = true;
        match self.state {
            State::Calling(_) | State::Proceeding(_) => {
                let last = self.attempts.len() - 1;
                if last != at {
                    self.attempts[last].left_behind = true;
                    // One that has not been heard of may not be cancelled yet (RFC 3261 §9.1): its first 1xx does it.
                    if matches!(self.state, State::Proceeding(_)) {
                        self.cancel_attempt(last);
                    }
                }
                self.dos.push_back(ClientDo::News(ClientNews::Final(response), path));
                self.finish(self.timing.give_up(), now);
            }
            State::Done(_) => self.dos.push_back(ClientDo::News(ClientNews::Again(response), path)),
            State::Over => {}
        }
    }

    fn handle_refusal(&mut self, at: usize, response: Response, now: Instant) {
        self.attempts[at].answered = true;
        let Attempt { path, branch, left_behind, .. } = &self.attempts[at];
        let (path, left_behind) = (*path, *left_behind);
        let invite = self.outgoing.request.method == Method::Invite;
        if invite {
            let ack = self.outgoing.echo("ACK", &path, branch, (response.headers.first("To"), None));
            self.dos.push_back(ClientDo::Send(ack, path));
        }
        if left_behind || !self.is_waiting() {
            return;
        }
        // RFC 3263 §4.3: 503 means "not here"; what has rung already stays where it is.
        if response.status == 503 && !self.rung && !self.is_cancelled() && self.try_next(now) {
            return;
        }
        self.dos.push_back(ClientDo::News(ClientNews::Final(response), Some(path)));
        // Timer D: copies of the refusal come as long as our ACK may be lost; nothing is lost over a stream. A hop left
        // behind may still take the call.
        let done = path.hop.transport.is_reliable() && self.attempts.iter().all(|attempt| attempt.answered);
        let linger = if done { Duration::ZERO } else { self.timing.give_up() };
        self.finish(linger, now);
    }

    /// This hop has failed: on to the next, or the end.
    fn give_up_hop(&mut self, failure: ClientFailure, now: Instant) {
        let abandoned = self.rung || self.is_cancelled();
        if abandoned || !self.try_next(now) {
            self.fail(failure);
        }
    }

    /// Starts on the next path; `false` when there is none.
    fn try_next(&mut self, now: Instant) -> bool {
        let Some(mut path) = self.paths.pop_front() else { return false };
        let branch = format!("{}.{}", self.base, self.attempts.len());
        let mut bytes = self.outgoing.write(&path, &branch);
        let already_by_tcp = self
            .attempts
            .last()
            .is_some_and(|last| last.path.hop.address == path.hop.address && last.path.hop.transport == Transport::Tcp);
        if self.tcp && path.hop.transport == Transport::Udp && bytes.len() > MAX_DATAGRAM && !already_by_tcp {
            // §18.1.1: the same hop over TCP, and by datagram after all if it does not take connections.
            self.paths.push_front(path);
            path.hop.transport = Transport::Tcp;
            bytes = self.outgoing.write(&path, &branch);
        }
        if let Some(last) = self.attempts.last_mut() {
            last.left_behind = true;
        }
        self.dos.push_back(ClientDo::Send(bytes.clone(), path));
        let invite = self.outgoing.request.method == Method::Invite;
        let mut repeat = match invite {
            true => Repeat::doubling(bytes, path, &self.timing, now),
            false => Repeat::new(bytes, path, &self.timing, now),
        };
        if !self.paths.is_empty() {
            repeat.end_by(now + self.timing.t1 * PATIENCE_WITH_CHOICE);
        }
        self.state = State::Calling(repeat);
        self.attempts.push(Attempt { path, branch, left_behind: false, answered: false });
        true
    }

    fn send_cancel(&mut self, reason: &'static str, now: Instant) {
        let Some(Attempt { path, branch, .. }) = self.attempts.last() else { return };
        let bytes = self.outgoing.echo("CANCEL", path, branch, (None, Some(reason)));
        let repeat = Repeat::new(bytes.clone(), *path, &self.timing, now);
        self.dos.push_back(ClientDo::Send(bytes, *path));
        self.cancel = Cancel::Sent(Some(Box::new(repeat)), now + self.timing.give_up());
    }

    /// Nobody waits for what an INVITE that was given up for another one brings.
    fn cancel_attempt(&mut self, at: usize) {
        let Attempt { path, branch, answered, .. } = &self.attempts[at];
        if self.outgoing.request.method != Method::Invite || *answered {
            return;
        }
        let bytes = self.outgoing.echo("CANCEL", path, branch, (None, Some(reason::ELSEWHERE)));
        self.dos.push_back(ClientDo::Send(bytes, *path));
    }

    /// A final response has come. INVITEs stay for what may still follow.
    fn finish(&mut self, linger: Duration, now: Instant) {
        if self.outgoing.request.method == Method::Invite && !linger.is_zero() {
            self.state = State::Done(now + linger);
        } else {
            self.state = State::Over;
            self.dos.push_back(ClientDo::Over);
        }
    }

    fn fail(&mut self, failure: ClientFailure) {
        self.state = State::Over;
        let last = self.attempts.last().map(|attempt| attempt.path);
        self.dos.push_back(ClientDo::News(ClientNews::Failed(failure), last));
        self.dos.push_back(ClientDo::Over);
    }
}

/// The transaction that a branch of ours belongs to.
pub fn base_of(branch: &str) -> Option<&str> {
    branch.rsplit_once('.').map(|(base, _)| base)
}

#[cfg(test)]
mod tests;
