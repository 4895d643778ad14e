//! Handing a call on: REFER sent, and what the far end reports of it (RFC 3515, RFC 3891, RFC 4488, RFC 5589).
//!
//! ```text
//!   REFER ─202─▶ followed ─NOTIFY 100─▶ … ─NOTIFY 200─▶ done: the far end has reached its new partner
//!     │            ├─ NOTIFY 4xx–6xx ─▶ done: it has not, the call goes on
//!     │            └─ no NOTIFY, or none by the end of the subscription ─▶ done: 408
//!     └─3xx–6xx─▶ refused
//! ```

use std::time::{Duration, Instant};

use super::branch::Tx;
use super::message::Headers;
use super::uri::Uri;

/// How long the first NOTIFY may take, which is due at once (RFC 3515 §2.4.4): as long as a transaction lives.
const SILENCE: Duration = Duration::from_secs(32);
/// How long a transfer may ring altogether: as long as an INVITE that nobody answers (RFC 3261 §16.6, timer C).
const PATIENCE: Duration = Duration::from_secs(180);

/// A REFER of ours that has not come to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Referral {
    /// Its transaction.
    pub tx: Tx,
    silent_until: Instant,
    until: Instant,
}

impl Referral {
    /// The REFER is being sent.
    pub fn new(tx: Tx, now: Instant) -> Self {
        Self { tx, silent_until: now + SILENCE, until: now + PATIENCE }
    }

    /// The REFER is accepted.
    pub fn accepted(&mut self, now: Instant) {
        self.silent_until = self.silent_until.max(now + SILENCE);
    }

    /// A NOTIFY has come; the next one may be the last, and take as long as the subscription `lasts`.
    pub fn notified(&mut self, lasts: Option<Duration>, now: Instant) {
        let lasts = lasts.unwrap_or(PATIENCE).clamp(SILENCE, PATIENCE);
        self.silent_until = now + lasts;
    }

    /// When nothing more is to be expected.
    pub fn deadline(&self) -> Instant {
        self.silent_until.min(self.until)
    }
}

/// A NOTIFY as far as it concerns a referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// How the new call stands, from the sipfrag.
    pub status: u16,
    /// No more will come.
    pub last: bool,
}

/// Does a NOTIFY speak of a referral?
pub fn is_referral(headers: &Headers) -> bool {
    let event = headers.first("Event").unwrap_or_default();
    event.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("refer"))
}

/// Reads the NOTIFY of a referral. `None`: it says nothing (an empty one, sent to keep the subscription).
pub fn read_report(headers: &Headers, body: &[u8]) -> Option<Report> {
    let state = headers.first("Subscription-State").unwrap_or_default();
    let terminated = state.split(';').next().is_some_and(|state| state.trim().eq_ignore_ascii_case("terminated"));
    let status = sipfrag_status(body);
    match (status, terminated) {
        (Some(status), _) if status >= 200 => Some(Report { status, last: true }),
        // The subscription is over and nobody knows how the call went.
        (_, true) => Some(Report { status: 408, last: true }),
        (Some(status), false) => Some(Report { status, last: false }),
        (None, false) => None,
    }
}

/// What a NOTIFY says its subscription lasts (RFC 6665 §8.2.3).
pub fn lasts(headers: &Headers) -> Option<Duration> {
    let state = headers.first("Subscription-State")?;
    let params = state.split(';').skip(1).filter_map(|param| param.split_once('='));
    let mut expires = params.filter(|(name, _)| name.trim().eq_ignore_ascii_case("expires"));
    expires.next()?.1.trim().parse().ok().map(Duration::from_secs)
}

/// RFC 4488 §4: a 2xx with `Refer-Sub: false` means that no NOTIFY will come.
pub fn will_not_report(headers: &Headers) -> bool {
    let answer = headers.first("Refer-Sub").unwrap_or_default();
    answer.split(';').next().is_some_and(|answer| answer.trim().eq_ignore_ascii_case("false"))
}

/// Whom they shall call: a URI as it is, a number at their own host (`remote_target`). `None` for anything else.
pub fn target(to: &str, remote_target: &str) -> Option<String> {
    if let Ok(uri) = Uri::parse(to) {
        return matches!(uri.scheme.as_str(), "sip" | "sips" | "tel").then(|| to.to_owned());
    }
    let dialled = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#');
    let digits = to.strip_prefix('+').unwrap_or(to);
    let remote = Uri::parse(remote_target).ok().filter(|_| !digits.is_empty() && digits.chars().all(dialled))?;
    let host = if remote.host.contains(':') { format!("[{}]", remote.host) } else { remote.host };
    let port = remote.port.map_or_else(String::new, |port| format!(":{port}"));
    // RFC 3261 §25.1: the hash is no user character.
    Some(format!("sip:{}@{host}{port}", to.replace('#', "%23")))
}

/// `to`, called in the stead of the dialog that `replaces` names as a Replaces header does (RFC 3891 §3): whoever is
/// there takes the new call for the old one.
pub fn in_stead_of(to: &str, replaces: &str) -> String {
    let join = if to.contains('?') { '&' } else { '?' };
    format!("{to}{join}Replaces={}", escaped(replaces))
}

fn sipfrag_status(body: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(body);
    let mut words = text.lines().find(|line| !line.trim().is_empty())?.split_whitespace();
    words.next().filter(|version| version.eq_ignore_ascii_case("SIP/2.0"))?;
    words.next()?.parse().ok().filter(|status| (100..700).contains(status))
}

/// RFC 3261 §25.1 `hvalue`: everything but unreserved characters is escaped.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Raw;
    use crate::time::{Clock, SystemClock};

    fn headers(lines: &str) -> Headers {
        Raw::read(format!("X\n{lines}\n\n").as_bytes()).headers
    }

    #[test]
    fn reports_say_how_the_new_call_stands() {
        for (state, body, expected) in [
            ("active;expires=60", "SIP/2.0 100 Trying", Some((100, false))),
            ("active", "\r\n sip/2.0 180 Ringing\r\n", Some((180, false))),
            ("terminated;reason=noresource", "SIP/2.0 200 OK\r\nTo: <sip:b@h>\r\n", Some((200, true))),
            ("active", "SIP/2.0 486 Busy Here", Some((486, true))),
            ("Terminated ; reason=timeout", "SIP/2.0 100 Trying", Some((408, true))),
            ("terminated", "", Some((408, true))),
            ("active", "", None),
            ("active", "HTTP/1.1 200 OK", None),
            ("active", "SIP/2.0 999", None),
            ("active", "SIP/2.0", None),
        ] {
            let report = read_report(&headers(&format!("Subscription-State: {state}")), body.as_bytes());
            assert_eq!(report.map(|report| (report.status, report.last)), expected, "{state} {body:?}");
        }
        assert!(is_referral(&headers("o: Refer;id=3")) && !is_referral(&headers("Event: message-summary")));
        assert!(will_not_report(&headers("Refer-Sub: FALSE")) && !will_not_report(&headers("Refer-Sub: true")));
    }

    #[test]
    fn numbers_are_called_where_the_far_end_is() {
        for (to, target) in [
            ("sip:bob@h;transport=tcp", Some("sip:bob@h;transport=tcp")),
            ("tel:+12025550123", Some("tel:+12025550123")),
            ("+12025550123", Some("sip:+12025550123@[2001:db8::1]:5070")),
            ("*98#", Some("sip:*98%23@[2001:db8::1]:5070")),
            ("http://h", None),
            ("sip:bob@h>, <sip:eve@h", None),
            ("bob", None),
            ("+", None),
            ("", None),
        ] {
            assert_eq!(super::target(to, "sip:ann@[2001:db8::1]:5070").as_deref(), target, "{to}");
        }
    }

    #[test]
    fn a_replaced_dialog_is_named_inside_the_uri() {
        let replaces = "c1@h;to-tag=a;from-tag=b";
        let attended = in_stead_of("sip:bob@h;transport=tcp", replaces);
        assert_eq!(attended, "sip:bob@h;transport=tcp?Replaces=c1%40h%3Bto-tag%3Da%3Bfrom-tag%3Db");
        assert_eq!(super::target(&attended, "sip:x@h"), Some(attended.clone()), "and is still a target");
        assert!(in_stead_of("sip:bob@h?X=1", replaces).contains("?X=1&Replaces=c1"));
    }

    #[test]
    fn a_transfer_rings_as_long_as_its_subscription_lasts_and_three_minutes_at_most() {
        let start = SystemClock.now().mono;
        let at = |seconds| start + Duration::from_secs(seconds);
        let lasting = |state: &str| lasts(&headers(&format!("Subscription-State: {state}")));
        let mut referral = Referral::new(Tx(1), start);
        assert_eq!(referral.deadline(), at(32));
        referral.accepted(at(20));
        assert_eq!(referral.deadline(), at(52), "a NOTIFY is due");
        referral.notified(lasting("active;expires=60"), at(21));
        assert_eq!(referral.deadline(), at(81));
        referral.accepted(at(22));
        assert_eq!(referral.deadline(), at(81), "the 202 behind it changes nothing");
        referral.notified(lasting("active; Expires = 5"), at(30));
        assert_eq!(referral.deadline(), at(62));
        for endless in ["active", "active;expires=x", "active;expires=86400", "pending;expires=18446744073709551615"] {
            referral.notified(lasting(endless), at(40));
            assert_eq!(referral.deadline(), at(180), "{endless}");
        }
    }
}
