//! Keys inside INFO requests, as two vendors once wrote them and everybody now does (RFC 6086 keeps such old uses).
//!
//! ```text
//!   application/dtmf-relay     Signal=5 ⏎ Duration=160
//!   application/dtmf           5
//! ```
//!
//! The signal is a face (`5`, `*`, `#`, `A`) or an event number of RFC 4733 (`10` is the star, `11` the hash).

use super::message::Headers;
use crate::rtp::Digit;

/// What we understand, for the Accept header of a 415.
pub const ACCEPT: &str = "application/dtmf-relay, application/dtmf";
/// The richer of the two, which we send ourselves.
pub const DTMF_RELAY: &str = "application/dtmf-relay";
/// Longest press believed, in milliseconds: ten seconds.
const LONGEST_MS: u32 = 10_000;

/// A key they pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which.
    pub digit: Digit,
    /// For how long, when they say so.
    pub duration_ms: Option<u32>,
}

/// What an INFO means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Info {
    /// A key: 200, and tell the call.
    Key(Key),
    /// Nothing, and that is fine: 200. No body at all (keep-alives), or a signal that is no key (flash).
    Nothing,
    /// A body of a kind we do not read: 415.
    Foreign,
    /// A body of a kind we read, that says nothing readable: 400.
    Broken,
}

/// Reads the body of an INFO.
pub fn read(content_type: Option<&str>, body: &[u8]) -> Info {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Info::Nothing;
    }
    let kind = content_type.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    let text = String::from_utf8_lossy(body);
    match kind.as_str() {
        "application/dtmf-relay" => relay(&text),
        "application/dtmf" | "audio/telephone-event" | "text/plain" => signal(text.trim(), None),
        _ => Info::Foreign,
    }
}

/// How an INFO is answered: status, a header of the answer, and the key it told.
pub fn answer(headers: &Headers, body: &[u8]) -> (u16, Option<(&'static str, &'static str)>, Option<Key>) {
    if headers.first("Info-Package").is_some() {
        // RFC 6086 §4.2.2: we have announced no package.
        return (469, Some(("Recv-Info", "")), None);
    }
    match read(headers.first("Content-Type"), body) {
        Info::Key(key) => (200, None, Some(key)),
        Info::Nothing => (200, None, None),
        Info::Foreign => (415, Some(("Accept", ACCEPT)), None),
        Info::Broken => (400, None, None),
    }
}

/// The body that tells them of a key of ours.
pub fn write(key: Key) -> String {
    format!("Signal={}\r\nDuration={}\r\n", key.digit.face(), key.duration_ms.unwrap_or(160))
}

fn relay(text: &str) -> Info {
    let (mut face, mut duration_ms) = (None, None);
    for line in text.lines() {
        let Some((name, value)) = line.split_once(['=', ':']) else { continue };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "signal" => face = Some(value),
            "duration" => duration_ms = value.parse::<u32>().ok().map(|ms| ms.min(LONGEST_MS)),
            _ => {}
        }
    }
    face.map_or(Info::Broken, |face| signal(face, duration_ms))
}

fn signal(face: &str, duration_ms: Option<u32>) -> Info {
    let mut letters = face.chars();
    let digit = match (letters.next(), letters.next()) {
        (Some(letter), None) => Digit::new(letter),
        _ => match face.parse::<u8>() {
            // RFC 4733 §3.2: 16 is the flash, which is no key; nothing above is a key either.
            Ok(code @ 10..=15) => Digit::from_event(code),
            Ok(_) => return Info::Nothing,
            Err(_) if face.eq_ignore_ascii_case("hf") || face.eq_ignore_ascii_case("flash") => return Info::Nothing,
            Err(_) => None,
        },
    };
    digit.map_or(Info::Broken, |digit| Info::Key(Key { digit, duration_ms }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bodies_are_read_in_every_spelling() {
        for (kind, body, face, duration_ms) in [
            ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", '5', Some(160)),
            ("application/dtmf-relay", "Signal= 5\nDuration= 160\n", '5', Some(160)),
            ("Application/DTMF-Relay; charset=x", "  signal = *  ", '*', None),
            ("application/dtmf-relay", "SIGNAL=11\r\nDURATION=x", '#', None),
            ("application/dtmf-relay", "Signal=10\r\nDuration=4000000000", '*', Some(10_000)),
            ("application/dtmf-relay", "Duration=100\r\nSignal=a\r\n", 'A', Some(100)),
            ("application/dtmf-relay", "Signal: 7", '7', None),
            ("application/dtmf", "5", '5', None),
            ("application/dtmf", "#\r\n", '#', None),
            ("application/dtmf", "12", 'A', None),
            ("text/plain", " 9 ", '9', None),
        ] {
            let key = Key { digit: Digit::new(face).unwrap(), duration_ms };
            assert_eq!(read(Some(kind), body.as_bytes()), Info::Key(key), "{kind} {body:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_told_apart() {
        for (kind, body, meant) in [
            (None, "", Info::Nothing),
            (Some("application/dtmf-relay"), "\r\n", Info::Nothing),
            (Some("application/dtmf-relay"), "Signal=16\r\nDuration=250", Info::Nothing),
            (Some("application/dtmf"), "hf", Info::Nothing),
            (Some("application/dtmf-relay"), "Duration=250", Info::Broken),
            (Some("application/dtmf-relay"), "Signal=", Info::Broken),
            (Some("application/dtmf-relay"), "Signal=E", Info::Broken),
            (Some("application/dtmf"), "Signal=5", Info::Broken),
            (Some("application/dtmf"), "\u{ff15}", Info::Broken),
            (Some("application/media_control+xml"), "<x/>", Info::Foreign),
            (None, "5", Info::Foreign),
        ] {
            assert_eq!(read(kind, body.as_bytes()), meant, "{kind:?} {body:?}");
        }
        assert_eq!(read(Some("application/dtmf"), &[0xff, 0xfe]), Info::Broken);
    }

    #[test]
    fn what_we_write_we_read() {
        for face in "0123456789*#ABCD".chars() {
            let key = Key { digit: Digit::new(face).unwrap(), duration_ms: Some(100) };
            assert_eq!(read(Some(DTMF_RELAY), write(key).as_bytes()), Info::Key(key));
        }
    }
}
