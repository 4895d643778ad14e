//! The gate: judges every message before anything else sees it.
//!
//! ```text
//!   message ─▶ stranger? ──yes──▶ 403 (401 where a password would let it in), or silence past the limit
//!                   │ no
//!              broken?  ──yes──▶ 400 405 406 415 416 420 422 501 505 513, said from here and forgotten
//!                   │ no
//!              Request / Response, checked ─▶ the agent ─ a fresh INVITE ─▶ admit: 401, 403, 503, or in
//! ```
//!
//! Nothing is kept per refused request: the answer is a pure function of the datagram (RFC 3261 §8.2.7, stateless
//! UAS), so a retransmission gets the very same bytes and a flood costs no memory. An ACK is never answered, a
//! response never, and a request whose Via cannot be read has no address to answer to.
//!
//! A stranger's request goes one way whatever it holds: same answer, same work, so it learns nothing about numbers,
//! methods or versions. `Max-Forwards: 0` passes: only a proxy answers it with 483, an endpoint is where the request
//! was going (RFC 4475 §3.3.11).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::auth::server::{Asked, Server};
use super::auth::{Credentials, Secret};
use super::limits::Limits;
use super::message::{CSeq, Method, Raw, Request, Response, Via, is_sdp_type};
use super::mute::Mutes;
use super::peers::{CallerIdPolicy, Peer, PeerTable, Reception, Strangers};
use super::refusals::Cause;
use super::respond::{ALLOW, Origin, SUPPORTED, reason_phrase};
use super::session_timer::{self, SessionPolicy};
use super::transport::{Path, Transport};
use super::uri::{BadAddress, NameAddr, Uri, parse_params};
use crate::id::LegId;
use crate::pii::Pii;
use crate::time::Now;

/// Longest message we read, in bytes. An INVITE of a carrier is 1–3 KiB; 16 KiB leaves room for certificates and
/// history, and bounds what one datagram can cost.
pub const MAX_MESSAGE: usize = 16 * 1024;
/// Enough of a message to tell its method.
const MAX_METHOD: usize = 64;
/// RFC 5626 §3.5.1 keep-alive and its answer. Over UDP it is no standard, but phones send it all the same.
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";
/// Who calls when nobody says so, or is not believed (RFC 3323 §4.1.1.3).
const NOBODY: &str = "anonymous";

/// How long the address of a peer on the road is known after its last call: its BYE may come again (timer J).
const VISITOR_LINGERS: Duration = Duration::from_secs(32);

/// What is to be done with a message.
#[derive(Debug)]
pub enum Verdict {
    /// A sound request of a peer.
    Request(Box<Admitted>),
    /// A sound response of a peer.
    Response(Box<Response>),
    /// Send this and forget.
    Answer {
        /// The whole datagram.
        bytes: Vec<u8>,
        /// Where.
        to: Path,
        /// Its status; 0 for a keep-alive.
        status: u16,
    },
    /// Say nothing.
    Drop(DropReason),
}

/// A fresh INVITE that opens no call.
#[derive(Debug)]
pub struct Refusal {
    /// What to do instead.
    pub instead: Verdict,
    /// Which limit of the peer it was over, if that is why.
    pub cause: Option<Cause>,
}

impl From<Verdict> for Box<Refusal> {
    fn from(instead: Verdict) -> Self {
        Self::new(Refusal { instead, cause: None })
    }
}

/// A request that passed, with what is needed to answer it.
#[derive(Debug)]
pub struct Admitted {
    /// Checked.
    pub request: Request,
    /// For responses.
    pub origin: Origin,
    /// Whose address it came from, or whose name it gives; [`Guard::admit`] says whether to believe that.
    pub peer: Arc<Peer>,
    /// Who calls: From's user, or P-Asserted-Identity's where the peer is trusted for it.
    pub caller: Pii<String>,
}

/// Why a datagram was met with silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// No SIP at all, or a keep-alive that wants no answer.
    NotSip,
    /// A request whose Via names no place to answer to.
    NoReturnPath,
    /// A broken ACK, or one for nothing we know.
    StrayAck,
    /// A broken response, or one for nothing we asked.
    StrayResponse,
    /// From a stranger past the limit, or something of a stranger's that is never answered.
    Stranger,
}

/// How many reasons there are.
pub const DROP_REASONS: usize = 5;

/// Judges messages; owns the peers, their passwords and limits, and the table of strangers.
#[derive(Debug)]
pub struct Guard {
    peers: PeerTable,
    strangers: Strangers,
    digest: Server,
    limits: Limits,
    mutes: Mutes,
    /// Addresses from which a peer on the road has a call.
    visitors: BTreeMap<IpAddr, Visitor>,
    visits: BTreeMap<LegId, IpAddr>,
    session: SessionPolicy,
    server: String,
    secret: u64,
}

/// A peer on the road.
#[derive(Debug)]
struct Visitor {
    peer: Arc<Peer>,
    legs: usize,
    gone_at: Option<Instant>,
}

/// A refusal in the making.
struct Fault {
    status: u16,
    reason: Cow<'static, str>,
    headers: Vec<(&'static str, String)>,
}

impl Fault {
    fn bad_request(reason: &'static str) -> Self {
        Self { status: 400, reason: Cow::Borrowed(reason), headers: Vec::new() }
    }

    fn status(status: u16) -> Self {
        Self { status, reason: Cow::Borrowed(reason_phrase(status)), headers: Vec::new() }
    }

    fn with(status: u16, name: &'static str, value: String) -> Self {
        Self { headers: vec![(name, value)], ..Self::status(status) }
    }
}

impl Guard {
    /// `server` is the value of our Server header; `secret` makes our To tags unguessable. Passwords are asked for, and
    /// sessions timed, as [`Guard::keeping`] says; until then nobody knows a password.
    pub fn new(peers: PeerTable, server: String, secret: u64) -> Self {
        Self {
            peers,
            strangers: Strangers::default(),
            digest: Server::new("", [0; 32]),
            limits: Limits::default(),
            mutes: Mutes::default(),
            visitors: BTreeMap::new(),
            visits: BTreeMap::new(),
            session: SessionPolicy::default(),
            server,
            secret,
        }
    }

    /// Asks for passwords as `digest` says, and keeps session timers.
    pub fn keeping(self, digest: Server, session: SessionPolicy) -> Self {
        Self { digest, session, ..self }
    }

    /// Is somebody known by this address?
    pub fn knows(&self, address: IpAddr, now: Now) -> bool {
        let address = address.to_canonical();
        self.peers.find(address).or_else(|| self.visitor(address, now)).is_some()
    }

    /// Judges one message that came along `path`.
    pub fn inspect(&mut self, message: &[u8], path: &Path, now: Now) -> Verdict {
        let source = path.hop.address.ip().to_canonical();
        let peer = self.peers.find(source).or_else(|| self.visitor(source, now)).cloned();
        self.inspect_as(peer, message, path, now)
    }

    /// As [`Guard::inspect`], for a sender that is known by something else than its address: its answer to a request
    /// of ours, its place in a dialog.
    pub fn inspect_as(&mut self, peer: Option<Arc<Peer>>, message: &[u8], path: &Path, now: Now) -> Verdict {
        if message.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | b'\t' | 0)) {
            return match message == PING && peer.is_some() {
                true => Verdict::Answer { bytes: PONG.to_vec(), to: *path, status: 0 },
                false => Verdict::Drop(DropReason::NotSip),
            };
        }
        let Some(peer) = peer else { return self.meet_stranger(message, path, now) };
        let raw = Raw::read(within_bounds(message));
        if raw.is_response() {
            return read_response(&raw)
                .map_or(Verdict::Drop(DropReason::StrayResponse), |response| Verdict::Response(Box::new(response)));
        }
        let Some(origin) = Origin::of(&raw.headers, path) else {
            let looks_like_sip = raw.start.to_ascii_uppercase().contains("SIP/");
            return Verdict::Drop(if looks_like_sip { DropReason::NoReturnPath } else { DropReason::NotSip });
        };
        // Several people on the road may share an address.
        let named = if peer.is_roaming() { self.roaming(&raw) } else { None };
        let (ack, peer) = (is_ack(&raw), named.unwrap_or(peer));
        match judge(raw, message.len(), path.hop.transport, &self.session) {
            Ok(request) => {
                let caller = Pii::new(caller(&request, peer.caller_id));
                Verdict::Request(Box::new(Admitted { request, origin, peer, caller }))
            }
            Err(_) if ack => Verdict::Drop(DropReason::StrayAck),
            Err(fault) => self.answer(&origin, &fault),
        }
    }

    /// May this fresh INVITE open a call? Asked behind the transactions, where no copy of an earlier one comes: each
    /// answer to a challenge is good once. The error is what to do instead.
    pub fn admit(&mut self, admitted: &Admitted, now: Now) -> Result<(), Box<Refusal>> {
        let Admitted { request, origin, peer, .. } = admitted;
        let source = origin.destination.hop.address.ip();
        let asked = Asked {
            headers: &request.headers,
            method: request.method.as_str(),
            uri: &request.uri,
            body: &request.body,
            source,
        };
        if let Some(credentials) = &peer.credentials
            && let Err(challenge) = self.digest.check(asked, Some(credentials), &peer.digest, now)
        {
            if !challenge.failed && !challenge.stale && !peer.is_roaming() {
                self.mutes.asked(&peer.name, &challenge.first, now.mono);
            }
            if challenge.failed && peer.is_roaming() {
                if self.strangers.receive(source, now.mono) == Reception::Ignore {
                    return Err(Verdict::Drop(DropReason::Stranger).into());
                }
            } else if challenge.failed && !self.limits.may_guess_again(&peer.name, now.mono) {
                return Err(self.answer(origin, &Fault::status(403)).into());
            }
            return Err(self.answer(origin, &Fault { headers: challenge.headers, ..Fault::status(401) }).into());
        }
        if peer.credentials.is_some() {
            self.mutes.proved(&peer.name);
        }
        self.limits.admit(peer, now.mono).map_err(|(cause, wait)| {
            let fault = Fault::with(503, "Retry-After", wait.as_secs().max(1).to_string());
            Box::new(Refusal { instead: self.answer(origin, &fault), cause: Some(cause) })
        })
    }

    /// `leg` is a call of the peer that was admitted, until [`Guard::left`].
    pub fn entered(&mut self, leg: LegId, peer: &Arc<Peer>, source: IpAddr, now: Now) {
        self.limits.entered(leg, &peer.name);
        if peer.is_roaming() {
            let source = source.to_canonical();
            self.visitors.retain(|_, visitor| !visitor.is_gone(now));
            let fresh = Visitor { peer: peer.clone(), legs: 0, gone_at: None };
            let visitor = self.visitors.entry(source).or_insert(fresh);
            (visitor.legs, visitor.gone_at) = (visitor.legs + 1, None);
            self.visits.insert(leg, source);
        }
    }

    /// `leg` is over.
    pub fn left(&mut self, leg: LegId, now: Now) {
        self.limits.left(leg);
        if let Some(visitor) = self.visits.remove(&leg).and_then(|source| self.visitors.get_mut(&source)) {
            visitor.legs = visitor.legs.saturating_sub(1);
            visitor.gone_at = (visitor.legs == 0).then_some(now.mono);
        }
    }

    fn visitor(&self, source: IpAddr, now: Now) -> Option<&Arc<Peer>> {
        self.visitors.get(&source).filter(|visitor| !visitor.is_gone(now)).map(|visitor| &visitor.peer)
    }

    /// The peer on the road that a request names, or a nobody with a password that nobody knows.
    fn roaming(&self, raw: &Raw<'_>) -> Option<Arc<Peer>> {
        let name = self.digest.claimed(&raw.headers)?;
        Some(self.peers.find_roaming(&name).cloned().unwrap_or_else(|| Arc::new(nobody(self.secret))))
    }

    fn meet_stranger(&mut self, message: &[u8], path: &Path, now: Now) -> Verdict {
        const SILENCE: Verdict = Verdict::Drop(DropReason::Stranger);
        let beginning = Raw::read(&message[..message.len().min(MAX_METHOD)]);
        if beginning.is_response() || is_ack(&beginning) {
            return SILENCE;
        }
        let invited = self.peers.has_roaming() && beginning.start.starts_with("INVITE");
        if invited {
            // Whoever knows a password is let in, however often somebody else has asked from there. Only a fresh call is
            // asked for it further on: inside a dialog a made-up proof would be looked at by nobody.
            let raw = Raw::read(within_bounds(message));
            let named = self.roaming(&raw).zip(Origin::of(&raw.headers, path));
            if let Some((peer, origin)) = named
                && let Ok(request) = judge(raw, message.len(), path.hop.transport, &self.session)
                && request.to.tag().is_none()
            {
                let caller = Pii::new(caller(&request, peer.caller_id));
                return Verdict::Request(Box::new(Admitted { request, origin, peer, caller }));
            }
        }
        // Counted before anything is read: rubbish uses up the same allowance.
        if self.strangers.receive(path.hop.address.ip(), now.mono) == Reception::Ignore {
            return SILENCE;
        }
        let raw = Raw::read(within_bounds(message));
        let Some(origin) = Origin::of(&raw.headers, path) else { return SILENCE };
        if !invited {
            return self.answer(&origin, &Fault::status(403));
        }
        let challenge = self.digest.challenge_stranger(path.hop.address.ip(), now);
        self.answer(&origin, &Fault { headers: challenge.headers, ..Fault::status(401) })
    }

    fn answer(&self, origin: &Origin, fault: &Fault) -> Verdict {
        let mut draft = origin.respond(fault.status, &fault.reason, &origin.stateless_tag(self.secret));
        for (name, value) in &fault.headers {
            draft = draft.header(name, value);
        }
        let bytes = draft.header("Server", &self.server).finish();
        Verdict::Answer { bytes, to: origin.destination, status: fault.status }
    }
}

/// What is read of a message: past the limit it is refused anyway, and reading it must cost a stranger's victim
/// nothing.
fn within_bounds(message: &[u8]) -> &[u8] {
    &message[..message.len().min(MAX_MESSAGE)]
}

/// Stands for every name that no peer on the road has: checking it takes the same time.
fn nobody(secret: u64) -> Peer {
    let password = Secret::new(format!("{secret:016x}"));
    let credentials = Some(Credentials { username: "\0".to_owned(), password });
    Peer { name: "nobody".into(), addresses: Vec::new(), credentials, ..Peer::loopback() }
}

/// Every check of RFC 3261 §8.2 that needs no memory, in its order: syntax, method, URI, Require, body.
fn judge(raw: Raw<'_>, length: usize, transport: Transport, session: &SessionPolicy) -> Result<Request, Fault> {
    let (method, uri) = request_line(&raw.start)?;
    if length > MAX_MESSAGE {
        return Err(Fault::status(513));
    }
    let to = address(&raw, "To", "Missing To header", "Bad To header")?;
    let from = address(&raw, "From", "Missing From header", "Bad From header")?;
    let call_id = only(&raw, "Call-ID", "Missing Call-ID header", "More than one Call-ID header")?;
    if call_id.is_empty() || call_id.contains(char::is_whitespace) {
        return Err(Fault::bad_request("Bad Call-ID header"));
    }
    let cseq = only(&raw, "CSeq", "Missing CSeq header", "More than one CSeq header")?;
    let cseq = CSeq::parse(cseq).ok_or(Fault::bad_request("Bad CSeq header"))?;
    if raw.headers.all("Max-Forwards").any(|hops| hops.parse::<u8>().is_err() || hops.starts_with('+')) {
        return Err(Fault::bad_request("Bad Max-Forwards header"));
    }
    let via = raw.headers.list("Via").next().map(Via::parse);
    let Some(Ok(via)) = via else { return Err(Fault::bad_request("Bad Via header")) };
    let body = body(&raw)?;

    match &method {
        Method::Unknown(_) => return Err(Fault::with(501, "Allow", ALLOW.to_owned())),
        method if !ALLOW.split(", ").any(|served| served == method.as_str()) => {
            return Err(Fault::with(405, "Allow", ALLOW.to_owned()));
        }
        method if *method != cseq.method => return Err(Fault::bad_request("CSeq does not match the method")),
        _ => {}
    }
    let uri = Uri::parse(uri).map_err(|_| Fault::bad_request("Bad Request-URI"))?;
    match uri.scheme.as_str() {
        "sip" | "tel" => {}
        // RFC 5630 §5.1: TLS on every hop, the last one included.
        "sips" if transport == Transport::Tls => {}
        // RFC 3261 §8.2.2.1
        _ => return Err(Fault::status(416)),
    }
    if uri.has_headers {
        return Err(Fault::bad_request("Headers in the Request-URI"));
    }
    // RFC 3261 §8.2.2.3: Require in ACK and CANCEL is ignored, they could not be refused anyway.
    if !matches!(method, Method::Ack | Method::Cancel) {
        let known = |option: &&str| SUPPORTED.split(", ").any(|known| known.eq_ignore_ascii_case(option));
        let unknown: Vec<_> = raw.headers.list("Require").filter(|option| !known(option)).collect();
        if !unknown.is_empty() {
            return Err(Fault::with(420, "Unsupported", unknown.join(", ")));
        }
    }
    if matches!(method, Method::Invite | Method::Update)
        && let Err(too_small) = session_timer::accept(&raw.headers, session)
    {
        return Err(Fault::with(422, "Min-SE", too_small.min_se.as_secs().to_string()));
    }
    let contact = raw.headers.list("Contact").next().map(NameAddr::parse);
    let mut request = Request {
        contact: contact.and_then(Result::ok),
        call_id: call_id.to_owned(),
        headers: raw.headers,
        body: body.to_vec(),
        method,
        uri,
        via,
        from,
        to,
        cseq,
    };
    if request.method == Method::Invite {
        judge_invite(&mut request)?;
    }
    Ok(request)
}

fn judge_invite(request: &mut Request) -> Result<(), Fault> {
    // RFC 3261 §8.1.1.8: an INVITE holds exactly one Contact, and it is where our BYE goes.
    if request.headers.list("Contact").count() != 1 {
        return Err(Fault::bad_request("INVITE needs exactly one Contact header"));
    }
    let usable = |contact: &NameAddr| matches!(contact.uri.scheme.as_str(), "sip" | "sips");
    if !request.contact.as_ref().is_some_and(usable) {
        return Err(Fault::bad_request("Bad Contact header"));
    }
    let headers = &request.headers;
    let accepts = |range: &str| {
        let range = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(range.as_str(), "application/sdp" | "application/*" | "*/*")
    };
    if headers.list("Accept").next().is_some() && !headers.list("Accept").any(accepts) {
        return Err(Fault::status(406));
    }
    if request.body.is_empty() {
        return Ok(());
    }
    let encoded = headers.list("Content-Encoding").any(|encoding| !encoding.eq_ignore_ascii_case("identity"));
    let foreign = headers.first("Content-Type").is_some_and(|kind| !is_sdp_type(kind));
    if (encoded || foreign) && is_optional(headers.first("Content-Disposition")) {
        request.body.clear();
        return Ok(());
    }
    match (encoded, foreign) {
        (true, _) => Err(Fault::with(415, "Accept-Encoding", "identity".to_owned())),
        (_, true) => Err(Fault::with(415, "Accept", "application/sdp".to_owned())),
        _ => Ok(()),
    }
}

/// RFC 3261 §20.11: `handling=optional` lets us go on without a body we cannot read.
fn is_optional(disposition: Option<&str>) -> bool {
    let params = disposition.and_then(|value| parse_params(value.split_once(';')?.1).ok()).unwrap_or_default();
    params.iter().any(|param| {
        param.name == "handling" && param.value.as_deref().is_some_and(|value| value.eq_ignore_ascii_case("optional"))
    })
}

fn request_line(start: &str) -> Result<(Method, &str), Fault> {
    const BAD: &str = "Bad request line";
    let mut words = start.split_whitespace();
    let (Some(method), Some(uri), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Fault::bad_request(BAD));
    };
    let method = Method::parse(method).ok_or(Fault::bad_request(BAD))?;
    let (name, number) = version.split_once('/').ok_or(Fault::bad_request(BAD))?;
    if !name.eq_ignore_ascii_case("SIP") {
        return Err(Fault::bad_request(BAD));
    }
    match number {
        "2.0" => Ok((method, uri)),
        _ => Err(Fault::status(505)),
    }
}

fn only<'a>(
    raw: &'a Raw<'_>,
    name: &'static str,
    missing: &'static str,
    repeated: &'static str,
) -> Result<&'a str, Fault> {
    let mut values = raw.headers.all(name);
    let value = values.next().ok_or(Fault::bad_request(missing))?;
    match values.next() {
        Some(_) => Err(Fault::bad_request(repeated)),
        None => Ok(value),
    }
}

fn address(raw: &Raw<'_>, name: &'static str, missing: &'static str, bad: &'static str) -> Result<NameAddr, Fault> {
    let value = only(raw, name, missing, bad)?;
    NameAddr::parse(value).map_err(|BadAddress(_)| Fault::bad_request(bad))
}

/// RFC 3261 §18.3: over UDP, a body runs to Content-Length, or to the end of the datagram without one. What lies
/// behind is not ours; what is missing was lost.
fn body<'a>(raw: &Raw<'a>) -> Result<&'a [u8], Fault> {
    if !raw.complete {
        return Err(Fault::bad_request("No empty line behind the headers"));
    }
    let mut lengths = raw.headers.all("Content-Length");
    let Some(length) = lengths.next() else { return Ok(raw.rest) };
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    match length.parse::<usize>() {
        Ok(length) if digits && lengths.next().is_none() => {
            raw.rest.get(..length).ok_or(Fault::bad_request("Content-Length is longer than the body"))
        }
        _ => Err(Fault::bad_request("Bad Content-Length header")),
    }
}

fn is_ack(raw: &Raw<'_>) -> bool {
    raw.start.split_whitespace().next() == Some("ACK")
}

fn read_response(raw: &Raw<'_>) -> Option<Response> {
    let mut words = raw.start.split_whitespace();
    let version = words.next().filter(|version| version.eq_ignore_ascii_case("SIP/2.0"));
    let status = words.next().filter(|status| status.len() == 3)?.parse().ok();
    let status = version.and(status).filter(|status| (100..700).contains(status))?;
    // RFC 3261 §8.1.3.3: a response with more Vias than ours was never meant for us.
    let mut vias = raw.headers.list("Via");
    let via = Via::parse(vias.next()?).ok().filter(|_| vias.next().is_none())?;
    let cseq = CSeq::parse(raw.headers.first("CSeq")?)?;
    // §8.2.6.2: every response repeats these of its request. One that does not belongs to nobody's call, and must not
    // end one.
    let names_somebody = |name| raw.headers.first(name).is_some_and(|value| NameAddr::parse(value).is_ok());
    if !names_somebody("From") || !names_somebody("To") || raw.headers.first("Call-ID").is_none() {
        return None;
    }
    let reason = words.collect::<Vec<_>>().join(" ");
    let body = body(raw).ok()?.to_vec();
    Some(Response { status, reason, via, cseq, headers: raw.headers.clone(), body })
}

impl Visitor {
    fn is_gone(&self, now: Now) -> bool {
        self.gone_at.is_some_and(|at| now.mono.saturating_duration_since(at) >= VISITOR_LINGERS)
    }
}

/// Who calls, as far as the peer is believed. A number that its owner withholds (RFC 3323, RFC 3325 §7) is not shown,
/// even where the carrier tells us.
fn caller(request: &Request, policy: CallerIdPolicy) -> String {
    let withheld = |value: &str| {
        let mut words = value.split(';').map(str::trim);
        words.any(|word| ["id", "user", "header"].iter().any(|known| word.eq_ignore_ascii_case(known)))
    };
    if policy == CallerIdPolicy::None || request.headers.list("Privacy").any(withheld) {
        return NOBODY.to_owned();
    }
    let asserted = (policy == CallerIdPolicy::Asserted)
        .then(|| request.headers.list("P-Asserted-Identity").filter_map(|value| NameAddr::parse(value).ok()))
        .and_then(|mut identities| identities.find(|identity| !identity.uri.user.is_empty()));
    asserted.map_or_else(|| request.from.uri.user.clone(), |identity| identity.uri.user)
}

#[cfg(test)]
mod tests;
