//! Session descriptions as we write them (RFC 8866).

use std::fmt::{self, Write};

use super::crypto::Crypto;
use super::negotiate::Local;
use super::session::{Direction, Media};
use crate::rtp::{Codec, Ice};

/// Our audio line and what belongs to it.
pub(super) struct Audio<'a> {
    pub transport: &'a str,
    pub formats: &'a [(u8, Codec)],
    /// Payload type and clock of each telephone-event.
    pub events: &'a [(u8, u32)],
    pub cryptos: &'a [Crypto],
    pub ptime_ms: u32,
    pub direction: Direction,
    pub rtcp_mux: bool,
    pub ice: Option<&'a Ice>,
}

/// A line of theirs that we do not take (RFC 3264 §6).
#[derive(Clone, Debug)]
pub(super) struct Declined {
    kind: String,
    transport: String,
    formats: String,
}

impl Declined {
    pub fn of(media: &Media) -> Self {
        // A line must have every field, even where theirs had an empty one.
        Self {
            kind: plain_or(1, &media.kind, "audio"),
            transport: plain_or(1, &media.transport, "RTP/AVP"),
            formats: plain_or(usize::MAX, &media.format_field, "0"),
        }
    }

    fn write(&self, text: &mut String) {
        write_line(text, format_args!("m={} 0 {} {}", self.kind, self.transport, self.formats));
    }
}

/// A description with our line at `place` among the others.
pub(super) fn description(local: &Local<'_>, others: &[Declined], place: usize, audio: &Audio<'_>) -> String {
    let mut text = head(local, audio.ice.is_some());
    let (before, after) = others.split_at(place.min(others.len()));
    before.iter().for_each(|line| line.write(&mut text));
    write_audio(&mut text, local, audio);
    after.iter().for_each(|line| line.write(&mut text));
    text
}

/// A description in which nothing is left.
pub(super) fn all_declined(local: &Local<'_>, lines: &[Declined]) -> String {
    let mut text = head(local, false);
    lines.iter().for_each(|line| line.write(&mut text));
    text
}

fn head(local: &Local<'_>, ice: bool) -> String {
    let version = if local.address.is_ipv4() { 4 } else { 6 };
    let Local { address, session_id, session_version, .. } = local;
    let mut text = String::with_capacity(1_024);
    write_line(&mut text, format_args!("v=0"));
    write_line(&mut text, format_args!("o=- {session_id} {session_version} IN IP{version} {address}"));
    write_line(&mut text, format_args!("s=-"));
    write_line(&mut text, format_args!("c=IN IP{version} {address}"));
    write_line(&mut text, format_args!("t=0 0"));
    if ice {
        write_line(&mut text, format_args!("a=ice-lite"));
    }
    text
}

fn write_audio(text: &mut String, local: &Local<'_>, audio: &Audio<'_>) {
    let formats = audio.formats.iter().map(|(number, _)| *number);
    let numbers: Vec<String> =
        formats.chain(audio.events.iter().map(|(number, _)| *number)).map(|number| number.to_string()).collect();
    write_line(text, format_args!("m=audio {} {} {}", local.port, audio.transport, numbers.join(" ")));
    for &(number, codec) in audio.formats {
        write_line(text, format_args!("a=rtpmap:{number} {codec}"));
        if codec == Codec::Opus {
            // RFC 7587 §6.1: error correction is welcome, more than telephone bandwidth is wasted on us, mono both ways.
            let parameters = "useinbandfec=1;stereo=0;sprop-stereo=0;maxplaybackrate=8000;sprop-maxcapturerate=8000";
            write_line(text, format_args!("a=fmtp:{number} {parameters}"));
        }
        if codec == Codec::G729 {
            // RFC 4856 §2.1.9: what is not said means yes. We send all the time, and would have them do the same.
            write_line(text, format_args!("a=fmtp:{number} annexb=no"));
        }
    }
    for (number, clock_hz) in audio.events {
        write_line(text, format_args!("a=rtpmap:{number} telephone-event/{clock_hz}"));
        // RFC 4733 §2.4.1: the sixteen keys.
        write_line(text, format_args!("a=fmtp:{number} 0-15"));
    }
    write_line(text, format_args!("a=ptime:{}", audio.ptime_ms));
    for crypto in audio.cryptos {
        write_line(text, format_args!("a=crypto:{}", crypto.print()));
    }
    if audio.rtcp_mux {
        write_line(text, format_args!("a=rtcp-mux"));
    }
    if let Some(ice) = audio.ice {
        write_line(text, format_args!("a=ice-ufrag:{}", ice.ufrag));
        write_line(text, format_args!("a=ice-pwd:{}", ice.password));
        // RFC 8445 §5.1.2.1: a host candidate, the only one, for RTP and the RTCP beside it.
        let (address, port) = (local.address, local.port);
        write_line(text, format_args!("a=candidate:1 1 UDP 2130706431 {address} {port} typ host"));
        write_line(text, format_args!("a=end-of-candidates"));
    }
    write_line(text, format_args!("a={}", audio.direction.attribute()));
}

/// The words of a field of theirs as far as they are plain text, `most` of them, `otherwise` where nothing is left. A tab
/// in a field is no blank to everybody: for what is one word by its grammar, only one is taken.
fn plain_or(most: usize, field: &str, otherwise: &str) -> String {
    let plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_graphic());
    let words: Vec<&str> = field.split_ascii_whitespace().filter(plain).take(most).collect();
    if words.is_empty() { otherwise.to_owned() } else { words.join(" ") }
}

fn write_line(text: &mut String, line: fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{line}\r\n");
}
