//! Why somebody ends a call, in their own words and in ours: the Reason header (RFC 3326).
//!
//! ```text
//!   Reason: Q.850;cause=17;text="User busy"            the telephone network's word
//!   Reason: SIP;cause=200;text="Call completed elsewhere"   another telephone took it
//! ```

use serde::{Deserialize, Serialize};

use super::ladder::harmless;
use super::message::Headers;
use super::uri::split_unquoted;

/// What a telephone is told that rang in vain because another one was taken (RFC 3326 §2).
pub const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";
/// … because it rang too long (RFC 3326 §2 names no better word for a caller who gives up waiting).
pub const NO_ANSWER: &str = "Q.850;cause=19;text=\"No answer from user\"";
/// … because whoever called does not want to any more.
pub const GIVEN_UP: &str = "SIP;cause=487;text=\"Request Terminated\"";
/// A call that has simply come to its end.
pub const CLEARED: &str = "Q.850;cause=16;text=\"Normal call clearing\"";
/// A far end that gives no sign of life.
pub const SILENT: &str = "SIP;cause=408;text=\"Request Timeout\"";
/// A call that another dialog of the same far end has taken over (RFC 3891).
pub const REPLACED: &str = "SIP;cause=200;text=\"Replaced\"";

/// Whose numbers a cause is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// ITU-T Q.850: the telephone network, 1..=127.
    #[serde(rename = "Q.850")]
    Q850,
    /// SIP status codes.
    #[serde(rename = "SIP")]
    Sip,
}

impl Protocol {
    /// As the header writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Q850 => "Q.850",
            Self::Sip => "SIP",
        }
    }
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Whose number `cause` is.
    pub protocol: Protocol,
    /// The number.
    pub cause: u16,
    /// In words, where they gave some: short, and without what looks like a number or an address.
    pub text: Option<String>,
}

impl Reason {
    /// The one of a message that says most: the telephone network's, else SIP's. Others mean nothing to us.
    pub fn of(headers: &Headers) -> Option<Self> {
        let all: Vec<Self> = headers.list("Reason").filter_map(Self::parse).collect();
        let network = all.iter().position(|reason| reason.protocol == Protocol::Q850);
        all.into_iter().nth(network.unwrap_or(0))
    }

    /// One value of the header. `None` when it has no cause we can place.
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = split_unquoted(value, ';').map(str::trim);
        let protocol = match parts.next()? {
            name if name.eq_ignore_ascii_case("Q.850") => Protocol::Q850,
            name if name.eq_ignore_ascii_case("SIP") => Protocol::Sip,
            _ => return None,
        };
        let (mut cause, mut text) = (None, None);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "cause" => cause = value.trim().parse::<u16>().ok(),
                "text" => text = Some(harmless(value.trim().trim_matches('"'))),
                _ => {}
            }
        }
        let possible = match protocol {
            Protocol::Q850 => 1..=127,
            Protocol::Sip => 100..=699,
        };
        let cause = cause.filter(|cause| possible.contains(cause))?;
        Some(Self { protocol, cause, text: text.filter(|text| !text.is_empty()) })
    }

    /// The cause, where it is the telephone network's.
    pub fn q850(&self) -> Option<u8> {
        u8::try_from(self.cause).ok().filter(|_| self.protocol == Protocol::Q850)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.protocol.as_str(), self.cause)?;
        match &self.text {
            Some(text) => write!(f, ", {text}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Raw;

    fn of(lines: &str) -> Option<String> {
        Reason::of(&Raw::read(format!("BYE x\n{lines}\n\n").as_bytes()).headers).map(|reason| reason.to_string())
    }

    #[test]
    fn reasons_are_read_in_every_spelling_and_the_networks_goes_first() {
        for (lines, read) in [
            ("Reason: Q.850;cause=17;text=\"User busy\"", Some("Q.850 17, User busy")),
            ("reason : q.850 ; CAUSE = 16", Some("Q.850 16")),
            ("Reason: SIP;cause=200;text=\"Call completed elsewhere\"", Some("SIP 200, Call completed elsewhere")),
            ("Reason: SIP;text=\"a;cause=1, b\";cause=600", Some("SIP 600, a;cause=1, b")),
            ("Reason: SIP;cause=480, Q.850;cause=20", Some("Q.850 20")),
            ("Reason: Q.850;cause=0\nReason: SIP;cause=503", Some("SIP 503")),
            ("Reason: Q.850;cause=128", None),
            ("Reason: SIP;cause=17", None),
            ("Reason: Preemption;cause=1", None),
            ("Reason: Q.850", None),
            ("Reason: Q.850;cause=", None),
            ("Reason: ;;;=", None),
            ("", None),
        ] {
            assert_eq!(of(lines).as_deref(), read, "{lines}");
        }
    }

    #[test]
    fn what_they_say_names_nobody_and_moves_no_cursor() {
        let told = of("Reason: SIP;cause=404;text=\"+12025550123 or bob@example.com \u{1b}[2J\"").unwrap();
        assert!(!told.contains("2025550123") && !told.contains("bob") && !told.contains('\u{1b}'), "{told}");
    }

    #[test]
    fn what_we_say_can_be_read() {
        for ours in [ELSEWHERE, NO_ANSWER, GIVEN_UP, CLEARED, SILENT, REPLACED] {
            assert!(Reason::parse(ours).is_some(), "{ours}");
        }
    }
}
