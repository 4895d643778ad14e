//! What was said on a leg, message by message, with nothing in it that nobody else may read.
//!
//! ```text
//!   +0.000  ◀── INVITE sip:…@10.0.0.2 SIP/2.0     1 INVITE
//!   +0.001  ──▶ SIP/2.0 100 Trying                1 INVITE
//!   +4.210  ◀── BYE sip:10.0.0.2:5060 SIP/2.0     2 BYE      Reason: Q.850;cause=16
//! ```
//!
//! It is kept with the call's record, so it holds hosts, methods, statuses and reasons; never a user, a number, a
//! name, a body or a credential. The words of strangers are bounded and stripped before they are kept.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::CSeq;
use super::transport::Path;
use super::uri::{NameAddr, Uri, split_unquoted};

/// Messages kept from the beginning: a whole set-up with digest, early media and failover.
const FIRST: usize = 64;
/// Messages kept from the end.
const LAST: usize = 32;
/// How far back a copy is looked for.
const COPIES_WITHIN: usize = 8;
/// Characters kept of what they say: a reason phrase, a warning.
const MOST_WORDS: usize = 80;
/// Digits in a row that may be somebody's number.
const MOST_DIGITS: usize = 4;

/// Every message of one leg, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// In order of time.
    pub rungs: Vec<Rung>,
    /// Messages left out of the middle, because there were too many.
    pub left_out: u32,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Milliseconds since the first.
    pub at_ms: u64,
    /// By us?
    pub sent: bool,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// The far end.
    pub peer: SocketAddr,
    /// First line, users replaced by `…`.
    pub line: String,
    /// CSeq.
    pub cseq: String,
    /// Reason, Warning or Retry-After, where one was given; where a redirection leads.
    pub note: Option<String>,
    /// Length of the whole message.
    pub bytes: u32,
    /// How often it was repeated.
    pub again: u16,
}

impl Ladder {
    /// One more message, `since` the first. A copy of a recent one is counted there.
    pub fn note(&mut self, message: &[u8], sent: bool, path: &Path, since: Duration) {
        let rung = Rung::of(message, sent, path, since);
        let same = |known: &&mut Rung| {
            known.sent == sent && known.bytes == rung.bytes && known.line == rung.line && known.cseq == rung.cseq
        };
        if let Some(known) = self.rungs.iter_mut().rev().take(COPIES_WITHIN).find(same) {
            known.again = known.again.saturating_add(1);
            return;
        }
        if self.rungs.len() >= FIRST + LAST {
            self.rungs.remove(FIRST);
            self.left_out = self.left_out.saturating_add(1);
        }
        self.rungs.push(rung);
    }
}

impl Rung {
    /// What is kept of one message.
    pub(super) fn of(message: &[u8], sent: bool, path: &Path, since: Duration) -> Self {
        let head = head(message);
        let mut lines = head.lines().map(str::trim_end).skip_while(|line| line.is_empty());
        let line = first_line(lines.next().unwrap_or_default());
        let redirects = line.starts_with("SIP/2.0 3");
        let (mut cseq, mut notes) = (String::new(), Vec::new());
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let (name, value) = (name.trim(), value.trim());
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("CSeq") {
                cseq = CSeq::parse(value).map_or_else(String::new, |cseq| counted(&cseq));
            } else if let Some(known) = ["Reason", "Warning", "Retry-After"].iter().find(|known| is(known)) {
                notes.push(format!("{known}: {}", harmless(value)));
            } else if redirects && (is("Contact") || is("m")) {
                let hosts = split_unquoted(value, ',').filter_map(|contact| NameAddr::parse(contact).ok());
                notes.extend(hosts.take(4).map(|contact| format!("to {}", redacted(&contact.uri))));
            }
        }
        Self {
            at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            sent,
            transport: path.hop.transport.param().to_owned(),
            peer: path.hop.address,
            line,
            cseq,
            note: (!notes.is_empty()).then(|| notes.join(", ")),
            bytes: u32::try_from(message.len()).unwrap_or(u32::MAX),
            again: 0,
        }
    }
}

/// Everything in front of the body.
pub(super) fn head(message: &[u8]) -> Cow<'_, str> {
    let begins = message.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let mut end = begins;
    for line in message[begins..].split_inclusive(|byte| *byte == b'\n') {
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        end += line.len();
    }
    String::from_utf8_lossy(&message[begins..end])
}

/// `INVITE sip:…@host SIP/2.0`, or `SIP/2.0 486 Busy Here`.
fn first_line(line: &str) -> String {
    let mut words = line.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if first.eq_ignore_ascii_case("SIP/2.0") {
        let phrase = words.collect::<Vec<_>>().join(" ");
        return format!("SIP/2.0 {} {}", harmless(second), harmless(&phrase)).trim_end().to_owned();
    }
    let uri = Uri::parse(second).map_or_else(|_| "…".to_owned(), |uri| redacted(&uri));
    format!("{} {uri} SIP/2.0", harmless(first))
}

fn counted(cseq: &CSeq) -> String {
    format!("{} {}", cseq.number, harmless(cseq.method.as_str()))
}

/// Scheme, host and port; a user becomes `…`, and of the parameters only the transport stays.
fn redacted(uri: &Uri) -> String {
    let host = if uri.host.contains(':') { format!("[{}]", uri.host) } else { uri.host.clone() };
    let port = uri.port.map_or_else(String::new, |port| format!(":{port}"));
    let transport = uri.param("transport").map_or_else(String::new, |name| format!(";transport={}", harmless(name)));
    match (uri.scheme.as_str(), uri.user.is_empty()) {
        (scheme @ ("sip" | "sips"), true) => format!("{scheme}:{host}{port}{transport}"),
        (scheme @ ("sip" | "sips"), false) => format!("{scheme}:…@{host}{port}{transport}"),
        (scheme, _) => format!("{}:…", harmless(scheme)),
    }
}

/// Their words without control characters, without what looks like a number or an address of a person, and short.
pub(super) fn harmless(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let words = text.chars().take(MOST_WORDS).map(clean).collect::<String>();
    let mask = |word: &str| -> String {
        let joined = word.replace(['-', '.', '(', ')'], "");
        let longest = joined.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or_default();
        if word.contains('@') || longest > MOST_DIGITS { "…".to_owned() } else { word.to_owned() }
    };
    let mut kept = words.split(' ').filter(|word| !word.is_empty()).map(mask).collect::<Vec<_>>().join(" ");
    if text.chars().count() > MOST_WORDS {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> Path {
        Path::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.7:5060".parse().unwrap())
    }

    fn rung(message: &str) -> Rung {
        let mut ladder = Ladder::default();
        ladder.note(message.replace('\n', "\r\n").as_bytes(), true, &path(), Duration::from_millis(1204));
        ladder.rungs.remove(0)
    }

    #[test]
    fn a_rung_says_who_said_what_when() {
        let rung = rung("BYE sip:192.0.2.1:5070;transport=udp SIP/2.0\nCSeq: 2  BYE\nReason: Q.850;cause=16\n\n");
        assert_eq!((rung.at_ms, rung.sent, rung.transport.as_str()), (1204, true, "udp"));
        assert_eq!(rung.line, "BYE sip:192.0.2.1:5070;transport=udp SIP/2.0");
        assert_eq!((rung.cseq.as_str(), rung.note.as_deref()), ("2 BYE", Some("Reason: Q.850;cause=16")));
        assert_eq!((rung.peer, rung.again), ("192.0.2.1:5060".parse().unwrap(), 0));
    }

    #[test]
    fn nothing_of_a_person_is_kept() {
        let invite = "INVITE sip:+12025550123@example.com;user=phone;rn=+12025550199 SIP/2.0\n\
                      From: \"Ann Lee\" <sip:+12025550177@example.com>;tag=1\nTo: <sip:ann.lee@example.com>\n\
                      Authorization: Digest username=\"ann\", response=\"0123456789abcdef\"\nCSeq: 1 INVITE\n\
                      Contact: <sip:ann@192.0.2.1>\nCall-ID: x\n\nv=0\no=ann 1 1 IN IP4 192.0.2.1\nReason: secret\n";
        let kept = serde_json::to_string(&rung(invite)).unwrap();
        for private in ["2025550", "Ann", "ann", "Digest", "abcdef", "o=", "secret"] {
            assert!(!kept.contains(private), "{private} in {kept}");
        }
        assert!(kept.contains("INVITE sip:…@example.com SIP/2.0"), "{kept}");
        for (message, line, note) in [
            ("INVITE tel:+12025550123 SIP/2.0\n\n", "INVITE tel:… SIP/2.0", None),
            ("INVITE rubbish SIP/2.0\n\n", "INVITE … SIP/2.0", None),
            ("SIP/2.0 404 +12025550123 unknown here\n\n", "SIP/2.0 404 … unknown here", None),
            ("SIP/2.0 486\n\n", "SIP/2.0 486", None),
            (
                "SIP/2.0 503 Busy\nWarning: 399 gw \"ask bob@example.com\"\nRetry-After: 30\n\n",
                "SIP/2.0 503 Busy",
                Some("Warning: 399 gw \"ask …, Retry-After: 30"),
            ),
            (
                "SIP/2.0 302 Moved\nm: \"Bob\" <sip:bob@192.0.2.9:5070>, <sip:+12025550123@[::1]>\n\n",
                "SIP/2.0 302 Moved",
                Some("to sip:…@192.0.2.9:5070, to sip:…@[::1]"),
            ),
            ("SIP/2.0 200 OK\nContact: <sip:bob@192.0.2.9>\n\n", "SIP/2.0 200 OK", None),
        ] {
            let rung = rung(message);
            assert_eq!((rung.line.as_str(), rung.note.as_deref()), (line, note), "{message}");
        }
        let long = rung(&format!("SIP/2.0 500 {}\n\n", "word ".repeat(1000)));
        assert!(long.line.chars().count() < 120 && long.line.ends_with('…'), "{}", long.line);
        let mut ladder = Ladder::default();
        for noise in [b"".as_slice(), b"\xff\xfe\x00", b"SIP/2.0", b"\r\n\r\n", b"\x1b[31m x y"] {
            ladder.note(noise, false, &path(), Duration::ZERO);
        }
        assert!(ladder.rungs.iter().all(|rung| !rung.line.chars().any(char::is_control)));
    }

    #[test]
    fn copies_are_counted_where_they_belong() {
        let mut ladder = Ladder::default();
        let mut note = |text: &str, sent| ladder.note(text.as_bytes(), sent, &path(), Duration::ZERO);
        note("SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n", true);
        note("ACK sip:h SIP/2.0\r\nCSeq: 1 ACK\r\n\r\n", false);
        note("SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n", true);
        note("SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n", true);
        note("SIP/2.0 200 OK\r\nCSeq: 2 INVITE\r\n\r\n", true);
        note("SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n", false);
        let again: Vec<_> = ladder.rungs.iter().map(|rung| rung.again).collect();
        assert_eq!(again, [2, 0, 0, 0]);
    }

    #[test]
    fn a_long_call_keeps_its_beginning_and_its_end() {
        let mut ladder = Ladder::default();
        for count in 0..1000_u32 {
            let text = format!("OPTIONS sip:h SIP/2.0\r\nCSeq: {count} OPTIONS\r\n\r\n");
            ladder.note(text.as_bytes(), true, &path(), Duration::from_secs(u64::from(count)));
        }
        assert_eq!((ladder.rungs.len(), ladder.left_out), (FIRST + LAST, 904));
        let cseqs: Vec<_> = ladder.rungs.iter().map(|rung| rung.cseq.as_str()).collect();
        assert_eq!(
            (cseqs[0], cseqs[63], cseqs[64], cseqs[95]),
            ("0 OPTIONS", "63 OPTIONS", "968 OPTIONS", "999 OPTIONS")
        );
    }
}
