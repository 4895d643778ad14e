//! The gate: judges every datagram before anything else sees it.
//!
//! ```text
//!   datagram ─▶ stranger? ──yes──▶ 403, or silence past the limit
//!                   │ no
//!               broken?  ──yes──▶ 400 405 406 415 416 420 501 505 513, said from here and forgotten
//!                   │ no
//!               Request / Response, checked ─▶ the agent
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
use std::sync::Arc;

use super::message::{CSeq, Method, Raw, Request, Response, Via, is_sdp_type};
use super::peers::{PeerTable, Reception, Strangers};
use super::respond::{ALLOW, Origin, reason_phrase};
use super::transport::Path;
use super::uri::{BadAddress, NameAddr, Uri, parse_params};
use crate::pii::Pii;
use crate::time::Now;

/// Longest message we read, in bytes. An INVITE of a carrier is 1–3 KiB; 16 KiB leaves room for certificates and
/// history, and bounds what one datagram can cost.
pub const MAX_MESSAGE: usize = 16 * 1024;
/// RFC 5626 §3.5.1 keep-alive and its answer. Over UDP it is no standard, but phones send it all the same.
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// What is to be done with a datagram.
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

/// A request that passed, with what is needed to answer it.
#[derive(Debug)]
pub struct Admitted {
    /// Checked.
    pub request: Request,
    /// For responses.
    pub origin: Origin,
    /// The peer's configured name.
    pub peer: Arc<str>,
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

/// Judges datagrams; owns the peers and the table of strangers.
#[derive(Debug)]
pub struct Guard {
    peers: PeerTable,
    strangers: Strangers,
    server: String,
    secret: u64,
}

/// A refusal in the making.
struct Fault {
    status: u16,
    reason: Cow<'static, str>,
    header: Option<(&'static str, String)>,
}

impl Fault {
    fn bad_request(reason: &'static str) -> Self {
        Self { status: 400, reason: Cow::Borrowed(reason), header: None }
    }

    fn status(status: u16) -> Self {
        Self { status, reason: Cow::Borrowed(reason_phrase(status)), header: None }
    }

    fn with(status: u16, name: &'static str, value: String) -> Self {
        Self { header: Some((name, value)), ..Self::status(status) }
    }
}

impl Guard {
    /// `server` is the value of our Server header; `secret` makes our To tags unguessable.
    pub fn new(peers: PeerTable, server: String, secret: u64) -> Self {
        Self { peers, strangers: Strangers::default(), server, secret }
    }

    /// Judges one message that came along `path`.
    pub fn inspect(&mut self, datagram: &[u8], path: &Path, now: Now) -> Verdict {
        let source = path.hop.address;
        let peer = self.peers.find(source.ip()).map(|peer| (peer.name.clone(), peer.trust_identity));
        if datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | b'\t' | 0)) {
            return match datagram == PING && peer.is_some() {
                true => Verdict::Answer { bytes: PONG.to_vec(), to: *path, status: 0 },
                false => Verdict::Drop(DropReason::NotSip),
            };
        }
        let raw = Raw::read(datagram);
        let Some((peer, trust_identity)) = peer else { return self.meet_stranger(&raw, path, now) };
        if raw.is_response() {
            return read_response(&raw)
                .map_or(Verdict::Drop(DropReason::StrayResponse), |response| Verdict::Response(Box::new(response)));
        }
        let Some(origin) = Origin::of(&raw.headers, path) else {
            let looks_like_sip = raw.start.to_ascii_uppercase().contains("SIP/");
            return Verdict::Drop(if looks_like_sip { DropReason::NoReturnPath } else { DropReason::NotSip });
        };
        let ack = is_ack(&raw);
        match judge(raw, datagram.len()) {
            Ok(request) => {
                let caller = Pii::new(caller(&request, trust_identity));
                Verdict::Request(Box::new(Admitted { request, origin, peer, caller }))
            }
            Err(_) if ack => Verdict::Drop(DropReason::StrayAck),
            Err(fault) => self.answer(&origin, &fault),
        }
    }

    fn meet_stranger(&mut self, raw: &Raw<'_>, path: &Path, now: Now) -> Verdict {
        const SILENCE: Verdict = Verdict::Drop(DropReason::Stranger);
        if raw.is_response() || is_ack(raw) {
            return SILENCE;
        }
        // Counted before anything is read: rubbish uses up the same allowance.
        if self.strangers.receive(path.hop.address.ip(), now.mono) == Reception::Ignore {
            return SILENCE;
        }
        match Origin::of(&raw.headers, path) {
            Some(origin) => self.answer(&origin, &Fault::status(403)),
            None => SILENCE,
        }
    }

    fn answer(&self, origin: &Origin, fault: &Fault) -> Verdict {
        let mut draft = origin.respond(fault.status, &fault.reason, &origin.stateless_tag(self.secret));
        if let Some((name, value)) = &fault.header {
            draft = draft.header(name, value);
        }
        let bytes = draft.header("Server", &self.server).finish();
        Verdict::Answer { bytes, to: origin.destination, status: fault.status }
    }
}

/// Every check of RFC 3261 §8.2 that needs no memory, in its order: syntax, method, URI, Require, body.
fn judge(raw: Raw<'_>, length: usize) -> Result<Request, Fault> {
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
    if !matches!(uri.scheme.as_str(), "sip" | "tel") {
        // RFC 3261 §8.2.2.1; `sips` needs TLS on every hop (RFC 5630 §5.1), which this transport is not.
        return Err(Fault::status(416));
    }
    if uri.has_headers {
        return Err(Fault::bad_request("Headers in the Request-URI"));
    }
    // RFC 3261 §8.2.2.3: Require in ACK and CANCEL is ignored, they could not be refused anyway.
    if !matches!(method, Method::Ack | Method::Cancel) {
        let unknown: Vec<_> = raw.headers.list("Require").collect();
        if !unknown.is_empty() {
            return Err(Fault::with(420, "Unsupported", unknown.join(", ")));
        }
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
    let reason = words.collect::<Vec<_>>().join(" ");
    let body = body(raw).ok()?.to_vec();
    Some(Response { status, reason, via, cseq, headers: raw.headers.clone(), body })
}

fn caller(request: &Request, trust_identity: bool) -> String {
    let asserted = trust_identity
        .then(|| request.headers.list("P-Asserted-Identity").filter_map(|value| NameAddr::parse(value).ok()))
        .and_then(|mut identities| identities.find(|identity| !identity.uri.user.is_empty()));
    asserted.map_or_else(|| request.from.uri.user.clone(), |identity| identity.uri.user)
}

#[cfg(test)]
mod tests;
