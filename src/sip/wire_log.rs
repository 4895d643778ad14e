//! One line of the log for each message, at debug: what it was and where it went, with nothing of a person in it.
//!
//! ```text
//!   DEBUG call{call=01M7… leg=3 peer=carrier}: received sip="INVITE sip:…@10.0.0.2 SIP/2.0" cseq="1 INVITE"
//!         sip_call_id="a84b4c76e66710" hop=udp:192.0.2.1:5060 bytes=812
//! ```

use std::time::Duration;

use super::ladder::{Rung, head};
use super::transport::Path;
use super::uri::NameAddr;

/// Where a level for these lines alone may be set: `log.level = "trunkline=info,trunkline::sip::wire_log=debug"`.
const TARGET: &str = "trunkline::sip::wire_log";
/// Longest Call-ID shown.
const MOST_ID: usize = 128;
/// A user shorter than this may stand in a Call-ID by chance.
const SHORTEST_USER: usize = 3;

/// A message goes out.
pub fn sent(message: &[u8], path: &Path) {
    if tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
        let Line { sip, cseq, call_id, note } = Line::of(message, true, path);
        let (hop, bytes) = (path.hop, message.len());
        tracing::debug!(target: TARGET, sip, cseq, sip_call_id = call_id, %hop, bytes, note, "sent");
    }
}

/// A message has come.
pub fn received(message: &[u8], path: &Path) {
    if tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
        let Line { sip, cseq, call_id, note } = Line::of(message, false, path);
        let (hop, bytes) = (path.hop, message.len());
        tracing::debug!(target: TARGET, sip, cseq, sip_call_id = call_id, %hop, bytes, note, "received");
    }
}

struct Line {
    sip: String,
    cseq: String,
    call_id: String,
    note: Option<String>,
}

impl Line {
    fn of(message: &[u8], sent: bool, path: &Path) -> Self {
        let rung = Rung::of(message, sent, path, Duration::ZERO);
        Self { sip: rung.line, cseq: rung.cseq, call_id: call_id(&head(message)), note: rung.note }
    }
}

/// The Call-ID, unless it tells who calls whom: some telephones write their number into it.
fn call_id(head: &str) -> String {
    let headers = || head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let named = |names: &'static [&'static str]| {
        headers()
            .filter(move |(name, _)| names.iter().any(|known| name.trim().eq_ignore_ascii_case(known)))
            .map(|(_, value)| value.trim())
    };
    let Some(id) = named(&["Call-ID", "i"]).next() else { return String::new() };
    let target = head.lines().next().and_then(|line| line.split_whitespace().nth(1)).unwrap_or_default();
    let parties = named(&["From", "f", "To", "t", "Contact", "m", "P-Asserted-Identity", "P-Preferred-Identity"]);
    let mut users = parties.chain([target]).filter_map(|party| Some(NameAddr::parse(party).ok()?.uri.user));
    let tells = |user: String| {
        let bare = user.trim_start_matches('+');
        bare.len() >= SHORTEST_USER && id.contains(bare)
    };
    if users.any(tells) {
        return "…".to_owned();
    }
    id.chars().filter(|c| !c.is_control()).take(MOST_ID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_is_shown_unless_it_tells_a_number() {
        let message = |id: &str| {
            format!(
                "INVITE sip:1000@h SIP/2.0\r\nFrom: \"Ann\" <sip:+12025550143@h>;tag=1\r\nTo: <sip:1000@h>\r\n\
                 Contact: <sip:ann.lee@192.0.2.1>\r\nCall-ID: {id}\r\n"
            )
        };
        for (id, shown) in [
            ("a84b4c76e66710@pc33.example.com", "a84b4c76e66710@pc33.example.com"),
            ("12025550143-17@h", "…"),
            ("x+12025550143", "…"),
            ("ann.lee.7", "…"),
            ("call-to-1000", "…"),
            ("", ""),
        ] {
            assert_eq!(call_id(&message(id)), shown, "{id}");
        }
        assert_eq!(call_id("SIP/2.0 200 OK\r\ni: short\r\n"), "short");
        assert_eq!(call_id(""), "");
    }
}
