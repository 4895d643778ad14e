//! What is needed to answer a request, kept as long as an answer may be due, and the answers themselves
//! (RFC 3261 §8.2.6, §18.2.1, §18.2.2, RFC 3581).

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use super::message::{Headers, Via};
use super::transport::{Hop, Path};
use super::uri::split_unquoted;

/// Methods we serve, as `Allow` says it. Nobody transfers us (REFER) and nobody registers here.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, NOTIFY";
/// Extensions we know, as `Supported` says it (RFC 3262, RFC 3891, RFC 4028).
pub const SUPPORTED: &str = "100rel, replaces, timer";

/// The parts of a request that every response to it repeats, and where responses go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Via values; the top one with `received` and `rport` filled in.
    vias: Vec<String>,
    record_routes: Vec<String>,
    from: Option<String>,
    to: Option<String>,
    to_has_tag: bool,
    call_id: Option<String>,
    cseq: Option<String>,
    timestamp: Option<String>,
    /// Where responses are sent.
    pub destination: Path,
}

impl Origin {
    /// For a request that came along `path`. `None` when the top Via cannot be read: nobody knows where a response
    /// would go.
    pub fn of(headers: &Headers, path: &Path) -> Option<Self> {
        let source = path.hop.address;
        let top = headers.list("Via").next()?;
        let via = Via::parse(top).ok()?;
        let mut vias = vec![stamped(top, &via, source)];
        vias.extend(headers.list("Via").skip(1).map(str::to_owned));
        let to = headers.first("To");
        let to_has_tag = to.is_some_and(|to| split_unquoted(to, ';').skip(1).any(starts_with_tag));
        // RFC 3581 §4: with rport back to the very port; else to the port of sent-by (§18.2.2). Always to the address
        // the request came from: a Via may not choose whom we send to.
        let rport = via.params.iter().any(|param| param.name == "rport");
        // Over a stream the answer takes the same connection, and sent-by says where to open another (§18.2.2).
        let transport = path.hop.transport;
        let sent_by = SocketAddr::new(source.ip(), via.port.unwrap_or(transport.default_port()));
        let hop = match transport.is_reliable() {
            true => Hop { transport, address: source, reopen: Some(sent_by) },
            false => Hop::new(transport, if rport { source } else { sent_by }),
        };
        Some(Self {
            vias,
            record_routes: headers.all("Record-Route").map(str::to_owned).collect(),
            from: headers.first("From").map(str::to_owned),
            to: to.map(str::to_owned),
            to_has_tag,
            call_id: headers.first("Call-ID").map(str::to_owned),
            cseq: headers.first("CSeq").map(str::to_owned),
            timestamp: headers.first("Timestamp").map(str::to_owned),
            destination: Path { hop, local: path.local },
        })
    }

    /// Begins a response. `tag` becomes our To tag unless the request already carries one (100 carries none).
    pub fn respond(&self, status: u16, reason: &str, tag: &str) -> Draft {
        let mut head = format!("SIP/2.0 {status} {reason}\r\n");
        let mut line = |name: &str, value: &str| {
            let _ = write!(head, "{name}: {value}\r\n");
        };
        for via in &self.vias {
            line("Via", via);
        }
        // RFC 3261 §12.1.1: responses that make a dialog repeat Record-Route.
        if (101..300).contains(&status) {
            for route in &self.record_routes {
                line("Record-Route", route);
            }
        }
        if let Some(from) = &self.from {
            line("From", from);
        }
        if let Some(to) = &self.to {
            match self.to_has_tag || status == 100 {
                true => line("To", to),
                false => line("To", &format!("{to};tag={tag}")),
            }
        }
        if let Some(call_id) = &self.call_id {
            line("Call-ID", call_id);
        }
        if let Some(cseq) = &self.cseq {
            line("CSeq", cseq);
        }
        if let (100, Some(timestamp)) = (status, &self.timestamp) {
            line("Timestamp", timestamp);
        }
        Draft { text: head }
    }

    /// A To tag for an answer nobody remembers giving: the same for every copy of a request, as RFC 3261 §8.2.7 asks
    /// of a stateless server, and not to be guessed without `secret`.
    pub fn stateless_tag(&self, secret: u64) -> String {
        let mut hasher = DefaultHasher::new();
        secret.hash(&mut hasher);
        (&self.vias.first(), &self.from, &self.call_id, &self.cseq).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// To, with our tag: our side of the dialog this request opens.
    pub fn local_party(&self, tag: &str) -> String {
        let to = self.to.as_deref().unwrap_or_default();
        if self.to_has_tag { to.to_owned() } else { format!("{to};tag={tag}") }
    }

    /// From, as it came: the far side.
    pub fn remote_party(&self) -> &str {
        self.from.as_deref().unwrap_or_default()
    }
}

/// A message being written.
#[derive(Clone, Debug)]
pub struct Draft {
    text: String,
}

impl Draft {
    /// Begins a request with its first line.
    pub fn request(method: &str, uri: &str) -> Self {
        Self { text: format!("{method} {uri} SIP/2.0\r\n") }
    }

    /// Adds a header field. Line ends in `value` become blanks: nothing can be smuggled in.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let clean = value.replace(['\r', '\n'], " ");
        let _ = write!(self.text, "{name}: {clean}\r\n");
        self
    }

    /// Adds a `Warning: 399` for the admin of the far end (RFC 3261 §20.43). Never personal data.
    pub fn warning(self, text: &str) -> Self {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        self.header("Warning", &format!("399 trunkline \"{text}\""))
    }

    /// Ends the message without a body.
    pub fn finish(self) -> Vec<u8> {
        self.body_bytes("")
    }

    /// Ends the message with a session description.
    pub fn finish_with_sdp(self, sdp: &str) -> Vec<u8> {
        self.finish_with_body("application/sdp", sdp)
    }

    /// Ends the message with a body of any kind.
    pub fn finish_with_body(self, kind: &str, text: &str) -> Vec<u8> {
        self.header("Content-Type", kind).body_bytes(text)
    }

    fn body_bytes(mut self, body: &str) -> Vec<u8> {
        let _ = write!(self.text, "Content-Length: {}\r\n\r\n{body}", body.len());
        self.text.into_bytes()
    }
}

/// Standard phrases (RFC 3261 §21) for the codes that are sent from here.
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        469 => "Bad Info Package",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        other => match other / 100 {
            3 => "Redirected",
            4 => "Request Failed",
            5 => "Server Failure",
            _ => "Global Failure",
        },
    }
}

/// The top Via with what §18.2.1 and RFC 3581 §4 add: where the request really came from.
fn stamped(element: &str, via: &Via, source: SocketAddr) -> String {
    let wants_rport = via.params.iter().any(|param| param.name == "rport");
    let same_host = via.host.parse::<IpAddr>().is_ok_and(|host| host.to_canonical() == source.ip().to_canonical());
    if same_host && !wants_rport {
        return element.to_owned();
    }
    let mut parts = split_unquoted(element, ';');
    let mut text = parts.next().unwrap_or_default().trim_end().to_owned();
    for part in parts {
        let name = part.split('=').next().unwrap_or_default().trim();
        if !name.is_empty() && !name.eq_ignore_ascii_case("rport") && !name.eq_ignore_ascii_case("received") {
            let _ = write!(text, ";{}", part.trim());
        }
    }
    let _ = write!(text, ";received={}", source.ip().to_canonical());
    if wants_rport {
        let _ = write!(text, ";rport={}", source.port());
    }
    text
}

fn starts_with_tag(param: &str) -> bool {
    param
        .split_once('=')
        .is_some_and(|(name, value)| name.trim().eq_ignore_ascii_case("tag") && !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Raw;
    use crate::sip::transport::Transport;

    fn origin(headers: &str, source: &str) -> Option<Origin> {
        let path = Path::udp(source.parse().unwrap(), "192.0.2.7:5060".parse().unwrap());
        Origin::of(&Raw::read(format!("X\n{headers}\n").as_bytes()).headers, &path)
    }

    #[test]
    fn answers_go_back_to_where_the_request_came_from() {
        for (via, destination) in [
            ("SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKx", "192.0.2.1:5070"),
            ("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx", "192.0.2.1:5060"),
            ("SIP/2.0/UDP 192.0.2.9:5070;rport;branch=z9hG4bKx", "192.0.2.1:40000"),
            ("SIP/2.0/UDP h;maddr=203.0.113.1;branch=z9hG4bKx", "192.0.2.1:5060"),
        ] {
            let origin = origin(&format!("Via: {via}\n"), "192.0.2.1:40000").unwrap();
            assert_eq!(origin.destination.hop.address.to_string(), destination, "{via}");
        }
        let tcp = Path {
            hop: Hop::new(Transport::Tcp, "192.0.2.1:40000".parse().unwrap()),
            local: "192.0.2.7:5060".parse().unwrap(),
        };
        let origin_tcp = Origin::of(&Raw::read(b"X\nVia: SIP/2.0/TCP 192.0.2.9:5070\n").headers, &tcp).unwrap();
        assert_eq!(origin_tcp.destination.hop.address.to_string(), "192.0.2.1:40000");
        assert_eq!(origin_tcp.destination.hop.reopen, Some("192.0.2.1:5070".parse().unwrap()));
        assert_eq!(origin("Via: rubbish\n", "192.0.2.1:40000"), None);
        assert_eq!(origin("To: <sip:a@h>\n", "192.0.2.1:40000"), None);
    }

    #[test]
    fn the_top_via_is_stamped_and_the_others_are_not() {
        let headers = "Via: SIP/2.0/UDP a.example ;rport ; branch=z9hG4bKx, SIP/2.0/UDP b;rport\nVia: SIP/2.0/UDP c\n";
        let origin = origin(headers, "192.0.2.1:40000").unwrap();
        assert_eq!(
            origin.vias,
            [
                "SIP/2.0/UDP a.example;branch=z9hG4bKx;received=192.0.2.1;rport=40000",
                "SIP/2.0/UDP b;rport",
                "SIP/2.0/UDP c"
            ]
        );
    }

    #[test]
    fn a_response_repeats_the_request_and_adds_one_tag() {
        let headers = "v: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKx\nf: <sip:a@h>;tag=1\nt: \"x;tag=y\" <sip:b@h>\n\
                       i: c\nCSeq: 1 INVITE\nTimestamp: 5\n";
        let origin = origin(headers, "192.0.2.1:5070").unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert_eq!(
            text(origin.respond(404, "Not Found", "ours").header("Warning", "a\r\nb").finish()),
            "SIP/2.0 404 Not Found\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\n\
             To: \"x;tag=y\" <sip:b@h>;tag=ours\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nWarning: a  b\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let trying = text(origin.respond(100, "Trying", "ours").finish());
        assert!(trying.contains("Timestamp: 5\r\n") && !trying.contains("tag=ours"), "{trying}");
        let ok = text(origin.respond(200, "OK", "ours").finish_with_sdp("v=0\r\n"));
        assert!(ok.ends_with("Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"), "{ok}");
    }
}
