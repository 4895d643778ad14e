//! Whom a call goes to and who it says it comes from: the addresses of an INVITE (RFC 3261 §8.1.1, RFC 3325).
//!
//! ```text
//!   to                       trunk            Request-URI                          first hop
//!   sip:ann@pbx.example      –                sip:ann@pbx.example                  pbx.example
//!   +1 (202) 555-0123        sip:carrier      sip:+12025550123@carrier;user=phone  carrier
//!   tel:+12025550123         sip:carrier      the same                             carrier
//!   sip:ann@pbx.example      sip:carrier      sip:ann@pbx.example                  carrier
//! ```

use std::borrow::Cow;
use std::fmt::Write;
use std::net::IpAddr;

use super::transport::Target;
use super::trunk::TrunkSpec;
use super::uri::{NameAddr, Uri, percent_decode};
use super::{Dial, DialError};

/// A display name or header value of ours is never longer.
const MOST_TEXT: usize = 256;
/// Header fields that say who talks to whom, which way and how long: nobody adds those to an INVITE from outside.
const OURS: [&str; 25] = [
    "Via",
    "v",
    "From",
    "f",
    "To",
    "t",
    "Call-ID",
    "i",
    "CSeq",
    "Contact",
    "m",
    "Max-Forwards",
    "Content-Length",
    "l",
    "Content-Type",
    "c",
    "Route",
    "Record-Route",
    "Require",
    "Supported",
    "k",
    "Allow",
    "Session-Expires",
    "x",
    "Min-SE",
];
/// The rest of a name on which nothing can be sent by mistake (RFC 3323 §4.1.1.3).
const NOWHERE: &str = "anonymous.invalid";

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callee {
    /// Request-URI.
    pub uri: String,
    /// What to look up.
    pub towards: Target,
}

impl Callee {
    /// Reads what a person or a campaign wants called.
    ///
    /// # Errors
    ///
    /// [`DialError::NotDialable`] for anything that is neither a SIP URI nor, with a trunk, a number or a name.
    pub fn of(to: &str, trunk: Option<&TrunkSpec>) -> Result<Self, DialError> {
        let to = to.trim();
        let through = trunk.map(|trunk| {
            let uri = Uri::parse(&trunk.uri).ok()?;
            let first = trunk.route.first().and_then(|route| NameAddr::parse(route).ok());
            Some((first.and_then(|route| Target::of(&route.uri)).or_else(|| Target::of(&uri))?, uri))
        });
        let through = match through {
            Some(None) => return Err(DialError::NotDialable),
            Some(Some(through)) => Some(through),
            None => None,
        };
        let lower = to.to_ascii_lowercase();
        let written: Cow<'_, str> = match lower.split_once(':') {
            Some(("sip" | "sips", _)) => Cow::Borrowed(to),
            // `ann@pbx.example` is what people type.
            Some((before, _)) if before.contains('@') => Cow::Owned(format!("sip:{to}")),
            None if to.contains('@') => Cow::Owned(format!("sip:{to}")),
            _ => {
                let (towards, trunk) = through.ok_or(DialError::NotDialable)?;
                let uri = number_at(to, &trunk).ok_or(DialError::NotDialable)?;
                return Ok(Self { uri, towards });
            }
        };
        let uri = Uri::parse(&written).map_err(|_| DialError::NotDialable)?;
        if uri.has_headers {
            // A header in a URI would let a list of numbers choose our header fields.
            return Err(DialError::NotDialable);
        }
        let towards = match through {
            Some((towards, _)) => towards,
            None => Target::of(&uri).ok_or(DialError::NotDialable)?,
        };
        Ok(Self { uri: uri.text, towards })
    }
}

/// `sip:+12025550123@carrier.example;user=phone`, or without `user` for a name.
fn number_at(to: &str, trunk: &Uri) -> Option<String> {
    let to = to.strip_prefix("tel:").or_else(|| to.strip_prefix("TEL:")).unwrap_or(to);
    let to = percent_decode(to.split(';').next().unwrap_or_default());
    // RFC 3966 §5.1.1: visual separators mean nothing.
    let number: String = to.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')).collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '#'));
    let is_name = !to.is_empty() && to.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let (user, param) = match (is_number, is_name) {
        (true, _) => (number, ";user=phone"),
        (false, true) => (to, ""),
        (false, false) => return None,
    };
    let bare = user.len() <= MOST_TEXT;
    bare.then(|| format!("{}:{}@{}{param}", trunk.scheme, escape_user(&user), host_port(trunk)))
}

/// Host and port of a URI, brackets around IPv6.
pub fn host_port(uri: &Uri) -> String {
    let host = if uri.host.contains(':') { format!("[{}]", uri.host) } else { uri.host.clone() };
    match uri.port {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

/// RFC 3261 §25.1 `user`: what may not stand there is escaped.
pub fn escape_user(user: &str) -> String {
    user.bytes().fold(String::with_capacity(user.len()), |mut text, byte| {
        match byte {
            b if b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&b) => text.push(b as char),
            b => {
                let _ = write!(text, "%{b:02X}");
            }
        }
        text
    })
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// From, without a tag.
    pub from: String,
    /// User part of our Contact.
    pub contact: String,
    /// Routes, and privacy and identity for a trunk that asks who is behind a withheld number (RFC 3325 §9.1).
    pub headers: Vec<(&'static str, String)>,
}

impl Caller {
    /// The caller's number is what the call names, else what the trunk is configured with, else its user.
    pub fn of(dial: &Dial, trunk: Option<&TrunkSpec>) -> Self {
        let named = dial.caller.as_ref();
        let user = named
            .map(|caller| caller.number.reveal().as_str())
            .or_else(|| trunk.and_then(|trunk| trunk.caller_id.as_deref()))
            .or_else(|| trunk.and_then(account))
            .map(str::trim)
            .filter(|user| !user.is_empty())
            .unwrap_or("trunkline");
        let user = escape_user(&user[..user.floor_char_boundary(MOST_TEXT)]);
        let (scheme, domain) = match trunk.and_then(|trunk| Uri::parse(&trunk.uri).ok()) {
            // The domain is theirs: that is where our number lives. A port would make it another address.
            Some(uri) => (uri.scheme.clone(), host_port(&Uri { port: None, ..uri })),
            None => ("sip".to_owned(), our_host(dial.sdp.as_deref())),
        };
        let address = format!("{scheme}:{user}@{domain}");
        let routes = trunk.into_iter().flat_map(|trunk| &trunk.route);
        let mut headers: Vec<_> = routes.map(|route| ("Route", route.clone())).collect();
        let withheld = named.is_some_and(|caller| caller.withheld);
        if withheld {
            headers.push(("Privacy", "id".to_owned()));
            if trunk.is_some() {
                headers.push(("P-Asserted-Identity", format!("<{address}>")));
            }
            let from = format!("\"Anonymous\" <sip:anonymous@{NOWHERE}>");
            return Self { from, contact: String::new(), headers };
        }
        let name = named.and_then(|caller| caller.name.as_ref()).map(|name| quoted(name.reveal()));
        let from = match name {
            Some(name) => format!("{name} <{address}>"),
            None => format!("<{address}>"),
        };
        Self { from, contact: user, headers }
    }
}

/// The user we are at a trunk.
pub fn account(trunk: &TrunkSpec) -> Option<&str> {
    trunk.user.as_deref().or_else(|| trunk.credentials.as_ref().map(|credentials| credentials.username.as_str()))
}

/// Our own address as the far end knows it: the one that our session description asks it to send to.
fn our_host(sdp: Option<&str>) -> String {
    let line = sdp.into_iter().flat_map(str::lines).find_map(|line| line.strip_prefix("c=IN IP"));
    let address = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|text| text.parse::<IpAddr>().ok());
    match address {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => format!("[{address}]"),
        None => NOWHERE.to_owned(),
    }
}

/// A quoted string (RFC 3261 §25.1).
fn quoted(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(MOST_TEXT).collect();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// May a caller add this header field to an INVITE?
pub fn may_add(name: &str) -> bool {
    super::uri::is_token(name) && !OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pii::Pii;
    use crate::sip::CallerId;

    fn trunk(uri: &str) -> TrunkSpec {
        TrunkSpec { uri: uri.to_owned(), ..TrunkSpec::at("carrier", "192.0.2.1:5060".parse().unwrap()) }
    }

    fn dial(caller: Option<CallerId>) -> Dial {
        Dial {
            to: Pii::new("sip:a@h".to_owned()),
            trunk: None,
            caller,
            sdp: Some("v=0\r\nc=IN IP4 192.0.2.7\r\n".to_owned()),
            ring_timeout: Duration::from_secs(30),
            headers: Vec::new(),
        }
    }

    fn caller_id(number: &str, name: Option<&str>, withheld: bool) -> Option<CallerId> {
        let name = name.map(|name| Pii::new(name.to_owned()));
        Some(CallerId { number: Pii::new(number.to_owned()), name, withheld })
    }

    #[test]
    fn numbers_and_addresses_become_request_uris() {
        for (to, through, uri, towards) in [
            ("sip:ann@pbx.example", None, "sip:ann@pbx.example", "sip:pbx.example"),
            ("ann@pbx.example:5070", None, "sip:ann@pbx.example:5070", "sip:pbx.example:5070"),
            ("SIPS:ann@pbx.example", None, "SIPS:ann@pbx.example", "sips:pbx.example"),
            (
                "sip:[2001:db8::1];transport=tcp",
                None,
                "sip:[2001:db8::1];transport=tcp",
                "sip:[2001:db8::1];transport=tcp",
            ),
            (" +1 (202) 555-0123 ", Some("sip:c.example"), "sip:+12025550123@c.example;user=phone", "sip:c.example"),
            (
                "tel:+1-202-555-0123;ext=1",
                Some("sips:c.example:5062"),
                "sips:+12025550123@c.example:5062;user=phone",
                "sips:c.example:5062",
            ),
            ("*21#", Some("sip:[::1];transport=tcp"), "sip:*21%23@[::1];user=phone", "sip:[::1];transport=tcp"),
            ("ann.lee", Some("sip:c.example"), "sip:ann.lee@c.example", "sip:c.example"),
            ("sip:ann@pbx.example", Some("sip:c.example"), "sip:ann@pbx.example", "sip:c.example"),
        ] {
            let trunk = through.map(trunk);
            let callee = Callee::of(to, trunk.as_ref()).unwrap_or_else(|error| panic!("{to}: {error}"));
            assert_eq!((callee.uri.as_str(), callee.towards.to_string().as_str()), (uri, towards), "{to}");
        }
    }

    #[test]
    fn what_cannot_be_called_is_said_so() {
        for to in [
            "",
            "5551234",
            "tel:5551234",
            "sip:",
            "sip:a b@h",
            "sip:a@h?Subject=x",
            "http://h",
            "mailto:a@h",
            "sip:a@h\r\nX: y",
        ] {
            assert_eq!(Callee::of(to, None), Err(DialError::NotDialable), "{to:?}");
        }
        let through = trunk("sip:c.example");
        for to in ["", "+", "5551234\r\nX: y", "tel:", "a b", "sip:a@h?Subject=x", "☎", "tel:%00"] {
            assert_eq!(Callee::of(to, Some(&through)), Err(DialError::NotDialable), "{to:?}");
        }
        assert_eq!(Callee::of("555", Some(&trunk("nonsense"))), Err(DialError::NotDialable));
    }

    #[test]
    fn the_caller_is_whom_the_call_names_then_the_trunk() {
        let mut through = trunk("sip:c.example:5070;transport=tcp");
        assert_eq!(Caller::of(&dial(None), None).from, "<sip:trunkline@192.0.2.7>");
        assert_eq!(Caller::of(&dial(None), Some(&through)).from, "<sip:trunkline@c.example>");
        through.user = Some("acct7".to_owned());
        assert_eq!(Caller::of(&dial(None), Some(&through)).from, "<sip:acct7@c.example>");
        through.caller_id = Some("+12025550100".to_owned());
        assert_eq!(Caller::of(&dial(None), Some(&through)).from, "<sip:+12025550100@c.example>");
        let named = dial(caller_id("+12025550123", Some("Ann \"The\" Lee\r\n\\"), false));
        let caller = Caller::of(&named, Some(&through));
        assert_eq!(caller.from, "\"Ann \\\"The\\\" Lee\\\\\" <sip:+12025550123@c.example>");
        assert_eq!((caller.contact.as_str(), caller.headers.len()), ("+12025550123", 0));
    }

    #[test]
    fn a_withheld_number_is_shown_to_the_trunk_alone() {
        let withheld = dial(caller_id("+12025550123", Some("Ann"), true));
        let through = Caller::of(&withheld, Some(&trunk("sip:c.example")));
        assert_eq!(through.from, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
        assert_eq!(
            through.headers,
            [("Privacy", "id".to_owned()), ("P-Asserted-Identity", "<sip:+12025550123@c.example>".to_owned())]
        );
        let straight = Caller::of(&withheld, None);
        assert!(!format!("{straight:?}").contains("5550123"), "{straight:?}");
    }

    #[test]
    fn headers_that_are_ours_cannot_be_added() {
        assert!(may_add("X-Campaign") && may_add("Subject") && may_add("Call-Info"));
        for name in ["from", "V", "CONTACT", "Content-Length", "bad name", "", "a:b", "route"] {
            assert!(!may_add(name), "{name:?}");
        }
    }
}
