//! SIP messages as bytes: reading them without ever failing on what can be understood, and printing our own
//! (RFC 3261 §7, §25.1).
//!
//! Reading has two steps. [`Raw`] takes the datagram apart, whatever it says: start line, headers (folded lines
//! joined, compact and lower-case names made canonical), body. [`Request`] and [`Response`] are the checked forms
//! the rest of the module works with; the guard makes them, because only it knows what each fault is answered with.
//!
//! Lines may end in CRLF or LF alone; lines that are no header at all are skipped (§8.2.2: a UAS ignores malformed
//! header fields it does not need).

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::uri::{
    BadAddress, NameAddr, Param, Uri, find_param, is_token, parse_host_port, parse_params, split_unquoted,
};

/// A request method: those we serve by name, the rest of the registered ones, anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// RFC 3261 §13.
    Invite,
    /// RFC 3261 §13, §17.
    Ack,
    /// RFC 3261 §15.
    Bye,
    /// RFC 3261 §9.
    Cancel,
    /// RFC 3261 §11.
    Options,
    /// RFC 3262.
    Prack,
    /// RFC 3311.
    Update,
    /// RFC 6086.
    Info,
    /// RFC 3515.
    Refer,
    /// RFC 6665.
    Notify,
    /// RFC 3428.
    Message,
    /// RFC 3261 §10.
    Register,
    /// RFC 6665.
    Subscribe,
    /// RFC 3903.
    Publish,
    /// Not registered: answered 501.
    Unknown(String),
}

/// Every method with its name.
const METHODS: [(&str, Method); 14] = [
    ("INVITE", Method::Invite),
    ("ACK", Method::Ack),
    ("BYE", Method::Bye),
    ("CANCEL", Method::Cancel),
    ("OPTIONS", Method::Options),
    ("PRACK", Method::Prack),
    ("UPDATE", Method::Update),
    ("INFO", Method::Info),
    ("REFER", Method::Refer),
    ("NOTIFY", Method::Notify),
    ("MESSAGE", Method::Message),
    ("REGISTER", Method::Register),
    ("SUBSCRIBE", Method::Subscribe),
    ("PUBLISH", Method::Publish),
];

impl Method {
    /// Methods are case-sensitive (RFC 3261 §7.1). `None` unless the text is a token.
    pub fn parse(text: &str) -> Option<Self> {
        match METHODS.iter().find(|(name, _)| *name == text) {
            Some((_, method)) => Some(method.clone()),
            None => is_token(text).then(|| Self::Unknown(text.to_owned())),
        }
    }

    /// As it stands on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Prack => "PRACK",
            Self::Update => "UPDATE",
            Self::Info => "INFO",
            Self::Refer => "REFER",
            Self::Notify => "NOTIFY",
            Self::Message => "MESSAGE",
            Self::Register => "REGISTER",
            Self::Subscribe => "SUBSCRIBE",
            Self::Publish => "PUBLISH",
            Self::Unknown(name) => name,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names we look for, in canonical spelling, with their compact form (RFC 3261 §7.3.3 and §20).
const NAMES: [(&str, &str); 41] = [
    ("Via", "v"),
    ("From", "f"),
    ("To", "t"),
    ("Call-ID", "i"),
    ("CSeq", ""),
    ("Max-Forwards", ""),
    ("Contact", "m"),
    ("Content-Length", "l"),
    ("Content-Type", "c"),
    ("Content-Encoding", "e"),
    ("Content-Disposition", ""),
    ("Require", ""),
    ("Record-Route", ""),
    ("Route", ""),
    ("Expires", ""),
    ("Accept", ""),
    ("Timestamp", ""),
    ("P-Asserted-Identity", ""),
    ("Supported", "k"),
    ("Subject", "s"),
    ("Allow", ""),
    ("Refer-To", "r"),
    ("Referred-By", "b"),
    ("Session-Expires", "x"),
    ("Event", "o"),
    ("Min-SE", ""),
    ("RSeq", ""),
    ("RAck", ""),
    ("Reason", ""),
    ("WWW-Authenticate", ""),
    ("Proxy-Authenticate", ""),
    ("Authorization", ""),
    ("Proxy-Authorization", ""),
    ("Min-Expires", ""),
    ("Replaces", ""),
    ("Retry-After", ""),
    ("Warning", ""),
    ("Unsupported", ""),
    ("Subscription-State", ""),
    ("Diversion", ""),
    ("Service-Route", ""),
];

/// The header fields of one message, in order, known names canonical. Looked up by any spelling but a compact form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Cow<'static, str>, String)>);

impl Headers {
    /// Every value of `name`, in order; comma lists are not split.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first value of `name`.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every element of the comma list(s) called `name`, trimmed, empty ones skipped.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all(name).flat_map(|value| split_unquoted(value, ',')).map(str::trim).filter(|item| !item.is_empty())
    }

    /// Adds a field at the end; a known name becomes canonical.
    pub fn push(&mut self, name: &str, value: String) {
        let known = NAMES.iter().find(|(canonical, compact)| {
            canonical.eq_ignore_ascii_case(name) || (!compact.is_empty() && compact.eq_ignore_ascii_case(name))
        });
        self.0.push((known.map_or_else(|| Cow::Owned(name.to_owned()), |(name, _)| Cow::Borrowed(*name)), value));
    }
}

/// A datagram taken apart, not yet judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw<'a> {
    /// First line, trimmed.
    pub start: String,
    /// Header fields.
    pub headers: Headers,
    /// Everything behind the empty line, to the end of the datagram.
    pub rest: &'a [u8],
    /// Whether the empty line that ends the header section was there.
    pub complete: bool,
}

impl<'a> Raw<'a> {
    /// Never fails: text that is not UTF-8 becomes replacement characters, which only ever matter in display names.
    pub fn read(datagram: &'a [u8]) -> Self {
        let mut raw = Self { start: String::new(), headers: Headers::default(), rest: &[], complete: false };
        let mut rest = datagram;
        // RFC 3261 §7.5: empty lines before the start line are ignored.
        while let [b'\r' | b'\n', tail @ ..] = rest {
            rest = tail;
        }
        let mut header: Option<(String, String)> = None;
        let mut first = true;
        while !rest.is_empty() {
            let (line, tail) = match rest.iter().position(|byte| *byte == b'\n') {
                Some(at) => (&rest[..at], &rest[at + 1..]),
                None => (rest, &rest[rest.len()..]),
            };
            rest = tail;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                raw.complete = true;
                break;
            }
            let text = String::from_utf8_lossy(line);
            if first {
                raw.start = text.trim().to_owned();
                first = false;
            } else if text.starts_with([' ', '\t']) {
                // §7.3.1: a line that begins with a blank goes on with the one before.
                if let Some((_, value)) = &mut header {
                    value.push(' ');
                    value.push_str(&without_controls(text.trim()));
                }
            } else {
                if let Some((name, value)) = header.take() {
                    raw.headers.push(&name, value);
                }
                header = text
                    .split_once(':')
                    .map(|(name, value)| (name.trim_end(), value.trim()))
                    .filter(|(name, _)| is_token(name))
                    .map(|(name, value)| (name.to_owned(), without_controls(value)));
            }
        }
        if let Some((name, value)) = header {
            raw.headers.push(&name, value);
        }
        raw.rest = rest;
        raw
    }

    /// Is this a response? (Anything whose start line begins with the protocol name, RFC 3261 §7.2.)
    pub fn is_response(&self) -> bool {
        self.start.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/"))
    }
}

/// Header values are repeated in our answers: a bare CR inside one must not begin a line there.
fn without_controls(value: &str) -> String {
    value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The topmost Via: where a response goes, and half of a transaction's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// `UDP`, `TCP`…, upper case.
    pub transport: String,
    /// Host of sent-by, lower case, no brackets.
    pub host: String,
    /// Port of sent-by, when written.
    pub port: Option<u16>,
    /// `branch`, `rport`, `received`…
    pub params: Vec<Param>,
}

impl Via {
    /// Reads one element, `SIP/2.0/UDP host:port;branch=…`, with blanks wherever §25.1 allows them.
    pub fn parse(element: &str) -> Result<Self, BadAddress> {
        const BAD: BadAddress = BadAddress("Bad Via header");
        let (head, params) = element.split_once(';').unwrap_or((element, ""));
        let mut parts = head.splitn(3, '/').map(str::trim);
        let (protocol, version, rest) = (parts.next().ok_or(BAD)?, parts.next().ok_or(BAD)?, parts.next().ok_or(BAD)?);
        if !protocol.eq_ignore_ascii_case("SIP") || version != "2.0" {
            return Err(BAD);
        }
        let (transport, sent_by) = rest.split_once(char::is_whitespace).ok_or(BAD)?;
        if !is_token(transport) {
            return Err(BAD);
        }
        let (host, port) = parse_host_port(sent_by).map_err(|_| BAD)?;
        let params = parse_params(params).map_err(|_| BAD)?;
        Ok(Self { transport: transport.to_ascii_uppercase(), host, port, params })
    }

    /// The branch, when it is one of RFC 3261's (begins with the magic cookie, §8.1.1.7).
    pub fn branch(&self) -> Option<&str> {
        find_param(&self.params, "branch").filter(|branch| branch.starts_with("z9hG4bK") && branch.len() > 7)
    }

    /// Where the far end has seen our request come from, if it says so (RFC 3581 §4). Without `received` the address
    /// was the one of sent-by (RFC 3261 §18.2.1).
    pub fn seen_from(&self) -> Option<SocketAddr> {
        let port = find_param(&self.params, "rport")?.parse::<u16>().ok().filter(|port| *port != 0)?;
        let host = find_param(&self.params, "received").unwrap_or(&self.host);
        let ip = host.trim_matches(['[', ']']).parse::<IpAddr>().ok()?.to_canonical();
        (!ip.is_unspecified() && !ip.is_multicast()).then_some(SocketAddr::new(ip, port))
    }
}

/// `CSeq: 1 INVITE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2³¹ (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The method it counts.
    pub method: Method,
}

impl CSeq {
    /// `None` for anything but a number, a blank and a token.
    pub fn parse(value: &str) -> Option<Self> {
        let (number, method) = value.trim().split_once(char::is_whitespace)?;
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse::<u32>().ok().filter(|number| digits && *number < 1 << 31)?;
        Some(Self { number, method: Method::parse(method.trim())? })
    }
}

/// A request that has passed the guard: everything here is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// Of whom.
    pub uri: Uri,
    /// Topmost Via.
    pub via: Via,
    /// Who asks. The tag may be absent in requests of RFC 2543 phones (RFC 3261 §12.1.1).
    pub from: NameAddr,
    /// Whom they mean; carries our tag inside a dialog.
    pub to: NameAddr,
    /// The call, as they name it.
    pub call_id: String,
    /// Which request of theirs.
    pub cseq: CSeq,
    /// Where in-dialog requests to them go; always present on INVITE.
    pub contact: Option<NameAddr>,
    /// All header fields.
    pub headers: Headers,
    /// Body, cut to Content-Length.
    pub body: Vec<u8>,
}

impl Request {
    /// The session description, if the body is one.
    pub fn sdp(&self) -> Option<String> {
        sdp_in(&self.headers, &self.body)
    }

    /// Identity of the server transaction (RFC 3261 §17.2.3), the same for an INVITE, its retransmissions and its
    /// CANCEL and (failure) ACK. Old branches have no value: those requests are matched by the fields of §17.2.3's
    /// second list, as far as they survive from INVITE to ACK.
    pub fn transaction_key(&self) -> String {
        let method = match self.method {
            Method::Ack | Method::Cancel => "INVITE",
            ref method => method.as_str(),
        };
        let port = self.via.port.unwrap_or(5060);
        match self.via.branch() {
            Some(branch) => format!("{method}|{}:{port}|{branch}", self.via.host),
            None => format!(
                "{method}|{}:{port}|{}|{}|{}",
                self.via.host,
                self.call_id,
                self.from.tag().unwrap_or_default(),
                self.cseq.number
            ),
        }
    }
}

/// A response that has passed the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 100..=699.
    pub status: u16,
    /// What stands behind it on the first line; may be empty.
    pub reason: String,
    /// Topmost Via: ours, with our branch.
    pub via: Via,
    /// Of the request it answers.
    pub cseq: CSeq,
    /// All header fields.
    pub headers: Headers,
    /// Body, cut to Content-Length.
    pub body: Vec<u8>,
}

impl Response {
    /// The session description, if the body is one.
    pub fn sdp(&self) -> Option<String> {
        sdp_in(&self.headers, &self.body)
    }

    /// The far end's dialog tag.
    pub fn to_tag(&self) -> Option<String> {
        NameAddr::parse(self.headers.first("To")?).ok()?.tag().map(str::to_owned)
    }

    /// Where the far end wants to be reached: the first Contact.
    pub fn contact(&self) -> Option<NameAddr> {
        NameAddr::parse(self.headers.list("Contact").next()?).ok()
    }

    /// Call-ID.
    pub fn call_id(&self) -> Option<&str> {
        self.headers.first("Call-ID")
    }
}

fn sdp_in(headers: &Headers, body: &[u8]) -> Option<String> {
    let is_sdp = headers.first("Content-Type").is_none_or(is_sdp_type);
    (is_sdp && !body.is_empty()).then(|| String::from_utf8_lossy(body).into_owned())
}

/// Whether a Content-Type means SDP (RFC 8866), whatever its parameters.
pub fn is_sdp_type(value: &str) -> bool {
    value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/sdp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_compact_and_lower_case_headers_are_one() {
        let raw = Raw::read(
            b"\r\n\nOPTIONS sip:h SIP/2.0\r\nv: SIP/2.0/UDP a\nVIA : SIP/2.0/UDP b\r\n ;branch=x\r\ni:q\n\nrest",
        );
        assert_eq!(raw.start, "OPTIONS sip:h SIP/2.0");
        assert_eq!(raw.headers.all("Via").collect::<Vec<_>>(), ["SIP/2.0/UDP a", "SIP/2.0/UDP b ;branch=x"]);
        assert_eq!(raw.headers.first("Call-ID"), Some("q"));
        assert_eq!((raw.rest, raw.complete), (b"rest".as_slice(), true));
    }

    #[test]
    fn no_value_holds_what_would_begin_a_line_in_our_answer() {
        let raw = Raw::read(b"X\r\nCall-ID: a\rVia: b\x00c\td\r\n folded\rtoo\r\n\r\n");
        assert_eq!(raw.headers.first("Call-ID"), Some("a Via: b c d folded too"));
    }

    #[test]
    fn lines_that_are_no_header_are_skipped() {
        let raw = Raw::read(b"X\r\nno colon here\r\n folded to nothing\r\nbad name: 1\r\nSubject: \xff\r\n");
        assert_eq!(raw.headers.first("Subject"), Some("\u{fffd}"));
        assert_eq!(raw.headers.0.len(), 1);
        assert!(!raw.complete);
    }

    #[test]
    fn vias_are_read_with_blanks_and_brackets() {
        let via = Via::parse("SIP  /   2.0\t/udp    [2001:DB8::1] : 5070 ; branch =  z9hG4bKx;rport").unwrap();
        assert_eq!((via.transport.as_str(), via.host.as_str(), via.port), ("UDP", "2001:db8::1", Some(5070)));
        assert_eq!(via.branch(), Some("z9hG4bKx"));
        for bad in ["", "SIP/2.0/UDP", "SIP/3.0/UDP h", "HTTP/2.0/UDP h", "SIP/2.0/UDP h:0", "SIP/2.0/UDP h:1:2"] {
            assert!(Via::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sequence_numbers_stop_at_31_bits() {
        assert_eq!(CSeq::parse("0009 \t INVITE"), Some(CSeq { number: 9, method: Method::Invite }));
        assert!(CSeq::parse("2147483647 BYE").is_some());
        for bad in ["2147483648 BYE", "-1 BYE", "+1 BYE", "1", "BYE", "1 B(E", "36893488147419103232 BYE"] {
            assert_eq!(CSeq::parse(bad), None, "{bad}");
        }
    }
}
