//! Offer and answer (RFC 3264): which codec, which direction, how much per packet.
//!
//! One audio stream is agreed on; every other media line is declined with port 0, in its place. The codec is the
//! first one both sides have, in their order or ours; keys keep the payload type of the offer.

use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};

use super::session::{Direction, Format, Listed, Media, SdpError, address_of, parse};
use crate::rtp::{Codec, StreamParams};

/// Payload type under which we offer telephone-event; what everybody uses.
pub const TELEPHONE_EVENT: u8 = 101;
/// Milliseconds per packet when they ask for nothing, or for what we do not send.
const PTIME_MS: u32 = 20;
/// What we can send per packet.
const PTIMES_MS: [u32; 5] = [10, 20, 30, 40, 60];

/// Whose order of codecs decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// The offer's, as telephones expect.
    #[default]
    Theirs,
    /// Ours.
    Ours,
}

/// Our side of a negotiation.
#[derive(Clone, Copy, Debug)]
pub struct Local<'a> {
    /// Address the far end should send to.
    pub address: IpAddr,
    /// RTP port there.
    pub port: u16,
    /// What we speak, best first.
    pub codecs: &'a [Codec],
    /// Whose order decides when we answer.
    pub preference: Preference,
    /// `o=` session id, unique per call.
    pub session_id: u64,
    /// `o=` version: one more with every description of the call that differs from the one before.
    pub session_version: u64,
}

/// Answers an offer: our description, and what the two agree on.
///
/// ```
/// use trunkline::rtp::Codec;
/// use trunkline::sdp::{Local, Preference, answer};
///
/// let local = Local {
///     address: [192, 0, 2, 1].into(),
///     port: 20_000,
///     codecs: &[Codec::Pcmu, Codec::Pcma],
///     preference: Preference::Theirs,
///     session_id: 1,
///     session_version: 1,
/// };
/// let offer = "v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 18 8 0\n";
/// let (text, params) = answer(offer, &local).unwrap();
/// assert!(text.contains("m=audio 20000 RTP/AVP 8\r\n"));
/// assert_eq!(params.codec, Codec::Pcma);
/// ```
pub fn answer(offer: &str, local: &Local<'_>) -> Result<(String, StreamParams), SdpError> {
    let theirs = parse(offer)?;
    let (chosen, format, codec) = choose(&theirs, local)?;
    let media = &theirs[chosen];
    let telephone_event = media.formats.iter().find(|format| format.telephone_event).map(|format| format.payload_type);
    let params = agreed(media, format, codec, telephone_event, local)?;
    let mut text = head(local);
    for (place, media) in theirs.iter().enumerate() {
        if place == chosen {
            let direction = Direction::new(params.send, params.receive);
            let codecs = [(params.payload_type, codec)];
            write_audio(&mut text, local, &media.transport, &codecs, telephone_event, params.ptime_ms, direction);
        } else {
            // §6: a declined line stays in its place, with port 0.
            write_line(&mut text, format_args!("m={} 0 {} {}", media.kind, media.transport, media.format_field));
        }
    }
    Ok((text, params))
}

/// Our offer, when the INVITE carried none (RFC 3261 §13.2.1) or when we call.
pub fn offer(local: &Local<'_>) -> String {
    let mut text = head(local);
    let codecs: Vec<(u8, Codec)> = local.codecs.iter().map(|&codec| (static_payload_type(codec), codec)).collect();
    write_audio(&mut text, local, "RTP/AVP", &codecs, Some(TELEPHONE_EVENT), PTIME_MS, Direction::SendRecv);
    text
}

/// Takes the answer to [`offer`]: what was agreed on.
pub fn accept_answer(answer: &str, local: &Local<'_>) -> Result<StreamParams, SdpError> {
    let theirs = parse(answer)?;
    // §6: lines correspond by place, and we offered one.
    let media = theirs.first().ok_or(SdpError::NoAudio)?;
    if !media.is_plain_audio() {
        let declined = media.port == 0;
        return Err(if declined { SdpError::Declined } else { not_plain(media) });
    }
    let (format, codec) = common_format(media, local).ok_or_else(|| no_common_codec(&[media], local))?;
    // §6.1: towards us they use the number we gave it.
    let telephone_event = media.formats.iter().any(|format| format.telephone_event).then_some(TELEPHONE_EVENT);
    agreed(media, format, codec, telephone_event, local)
}

fn agreed(
    media: &Media,
    format: &Format,
    codec: Codec,
    telephone_event: Option<u8>,
    local: &Local<'_>,
) -> Result<StreamParams, SdpError> {
    let address = address_of(media)?;
    if let Some(address) = address
        && address.is_ipv4() != local.address.is_ipv4()
    {
        let (theirs, ours) = if address.is_ipv4() { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
        return Err(SdpError::Address(format!("their address is {theirs}, ours {ours}")));
    }
    let remote = address.map(|address| SocketAddr::new(address, media.port));
    Ok(StreamParams {
        remote,
        codec,
        payload_type: format.payload_type,
        telephone_event,
        ptime_ms: ptime_for(media),
        // §8.4: an address of zeros is an older way to put us on hold.
        send: media.direction.receives() && remote.is_some(),
        receive: media.direction.sends(),
    })
}

/// The line to accept, and the format and codec on it.
fn choose<'a>(theirs: &'a [Media], local: &Local<'_>) -> Result<(usize, &'a Format, Codec), SdpError> {
    let plain: Vec<&Media> = theirs.iter().filter(|media| media.is_plain_audio()).collect();
    let mut places = theirs.iter().enumerate().filter(|(_, media)| media.is_plain_audio());
    let chosen = places.find_map(|(place, media)| {
        let (format, codec) = common_format(media, local)?;
        Some((place, format, codec))
    });
    match (chosen, theirs.iter().find(|media| media.is_audio())) {
        (Some(chosen), _) => Ok(chosen),
        (None, None) => Err(SdpError::NoAudio),
        (None, Some(audio)) if plain.is_empty() => Err(not_plain(audio)),
        (None, Some(_)) => Err(no_common_codec(&plain, local)),
    }
}

fn common_format<'a>(media: &'a Media, local: &Local<'_>) -> Option<(&'a Format, Codec)> {
    let formats = || media.formats.iter().filter_map(|format| Some((format, format.codec?)));
    match local.preference {
        Preference::Theirs => formats().find(|(_, codec)| local.codecs.contains(codec)),
        Preference::Ours => local.codecs.iter().find_map(|ours| formats().find(|(_, codec)| codec == ours)),
    }
}

fn no_common_codec(theirs: &[&Media], local: &Local<'_>) -> SdpError {
    let formats = theirs.iter().flat_map(|media| &media.formats).filter(|format| !format.telephone_event);
    SdpError::NoCommonCodec {
        theirs: Listed::new(formats.map(|format| &format.name)),
        ours: Listed::new(local.codecs.iter().map(|&codec| encoding(codec))),
    }
}

fn not_plain(media: &Media) -> SdpError {
    SdpError::Transport { transport: Listed::new([&media.transport]) }
}

/// What we send per packet: what they ask for where we can, never more than they take.
fn ptime_for(media: &Media) -> u32 {
    let longest = media.maxptime_ms.unwrap_or(u32::MAX);
    let asked = media.ptime_ms.filter(|asked| PTIMES_MS.contains(asked)).unwrap_or(PTIME_MS);
    if asked <= longest {
        return asked;
    }
    PTIMES_MS.into_iter().rfind(|&ptime| ptime <= longest).unwrap_or(PTIMES_MS[0])
}

fn head(local: &Local<'_>) -> String {
    let version = if local.address.is_ipv4() { 4 } else { 6 };
    let Local { address, session_id, session_version, .. } = local;
    let mut text = String::with_capacity(512);
    write_line(&mut text, format_args!("v=0"));
    write_line(&mut text, format_args!("o=- {session_id} {session_version} IN IP{version} {address}"));
    write_line(&mut text, format_args!("s=-"));
    write_line(&mut text, format_args!("c=IN IP{version} {address}"));
    write_line(&mut text, format_args!("t=0 0"));
    text
}

fn write_audio(
    text: &mut String,
    local: &Local<'_>,
    transport: &str,
    codecs: &[(u8, Codec)],
    telephone_event: Option<u8>,
    ptime_ms: u32,
    direction: Direction,
) {
    let numbers = codecs.iter().map(|(number, _)| *number).chain(telephone_event);
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    write_line(text, format_args!("m=audio {} {transport} {}", local.port, numbers.join(" ")));
    for &(number, codec) in codecs {
        write_line(text, format_args!("a=rtpmap:{number} {}", encoding(codec)));
    }
    if let Some(number) = telephone_event {
        write_line(text, format_args!("a=rtpmap:{number} telephone-event/8000"));
        // RFC 4733 §2.4.1: the sixteen keys.
        write_line(text, format_args!("a=fmtp:{number} 0-15"));
    }
    write_line(text, format_args!("a=ptime:{ptime_ms}"));
    write_line(text, format_args!("a={}", direction.attribute()));
}

fn write_line(text: &mut String, line: fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{line}\r\n");
}

const fn encoding(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcmu => "PCMU/8000",
        Codec::Pcma => "PCMA/8000",
    }
}

const fn static_payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
    }
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;
