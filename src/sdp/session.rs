//! Reading a session description as the far end wrote it.
//!
//! The lines are split by `sdp-types`, after everything that does not matter to us has been left out: phones get
//! `o=`, `t=` or `b=` wrong in many ways, end lines with LF or CR CR LF, and none of that should cost a call.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use sdp_types::{Attribute, Connection, Session};

use super::crypto::{self, Crypto};
use crate::rtp::Codec;

/// Longest description read. Browsers with many candidates write some 10 kB.
const MAX_BYTES: usize = 64 * 1024;
/// Most media descriptions in one.
const MAX_MEDIA: usize = 64;
/// Most ICE candidates of one media description looked at.
const MAX_CANDIDATES: usize = 64;
/// Most formats of one media description looked at; there are only 128 payload types.
const MAX_FORMATS: usize = 128;

/// Why a description cannot be used. Every text is meant for the admin of the far end, and holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Not worth reading.
    #[error("the session description is longer than {MAX_BYTES} bytes or has more than {MAX_MEDIA} media lines")]
    TooLong,
    /// Not a session description.
    #[error("the session description cannot be read: {0}")]
    Malformed(String),
    /// No sound was offered.
    #[error("the session description offers no audio")]
    NoAudio,
    /// Audio, but only in a way we cannot carry.
    #[error("the audio is offered only over {transport}, we speak {ours}")]
    Transport {
        /// The `proto` field of their line.
        transport: Listed,
        /// What they could have written there.
        ours: &'static str,
    },
    /// We take nothing that anybody on the way can listen to.
    #[error("the audio must be encrypted (RTP/SAVP with a=crypto), and is offered plain")]
    Unencrypted,
    /// Encrypted, but in no way we know.
    #[error("no way of encryption in common: they offer {theirs}, we have {ours}")]
    NoCommonSuite {
        /// In their order.
        theirs: Listed,
        /// In our order.
        ours: Listed,
    },
    /// Nothing both sides speak.
    #[error("no codec in common: they offer {theirs}, we have {ours}")]
    NoCommonCodec {
        /// In their order.
        theirs: Listed,
        /// In our order.
        ours: Listed,
    },
    /// Where their audio should go is missing, a name, a multicast group, or of another IP version.
    #[error("the audio cannot be sent to them: {0}")]
    Address(String),
    /// An answer to nothing.
    #[error("an answer came, and nothing was offered")]
    Unasked,
    /// They answered our offer with port 0.
    #[error("they declined the audio we offered")]
    Declined,
}

impl SdpError {
    /// SIP status that tells the far end: 400 for what cannot be read, 488 for what cannot be agreed on.
    pub const fn sip_status(&self) -> u16 {
        match self {
            Self::TooLong | Self::Malformed(_) => 400,
            _ => 488,
        }
    }
}

/// Names from a stranger's message, made fit for a header or a log: few, short, plain characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed(String);

impl Listed {
    /// Names shown before the rest becomes "…".
    const SHOWN: usize = 8;
    /// Longest name shown.
    const LONGEST: usize = 24;

    /// Keeps what can be shown.
    pub fn new<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Self {
        let plain = |c: &char| c.is_ascii_alphanumeric() || "/-._+ ".contains(*c);
        let mut shown = Vec::new();
        for name in names {
            if shown.len() == Self::SHOWN {
                shown.push("…".to_owned());
                break;
            }
            shown.push(name.as_ref().chars().filter(plain).take(Self::LONGEST).collect());
        }
        Self(if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") })
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who may send, seen from whoever wrote it (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    #[default]
    SendRecv,
    /// Only the writer.
    SendOnly,
    /// Only the reader.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    /// From whether the writer sends and receives.
    pub const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Does the writer send?
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Does the writer receive?
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same, seen from the other side (RFC 3264 §6.1).
    pub const fn mirrored(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// Name of the attribute.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn parse(attribute: &str) -> Option<Self> {
        let all = [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive];
        all.into_iter().find(|direction| direction.attribute() == attribute)
    }
}

/// A format of an audio line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// 0..=127.
    pub payload_type: u8,
    /// `PCMU/8000`, as written or from the static table; `payload type 77` when neither knows it.
    pub name: String,
    /// The codec, if it is one of ours.
    pub codec: Option<Codec>,
    /// It is telephone-event, with this many ticks a second.
    pub event_clock_hz: Option<u32>,
    /// What `a=fmtp` says of it.
    pub parameters: Option<String>,
}

impl Format {
    /// The value of one parameter, such as `useinbandfec`.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.parameters.as_deref()?.split(';').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// What becomes of a `proto` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// RTP in clear text. AVPF (RFC 4585) only adds RTCP feedback, which nobody has to send.
    Plain,
    /// SRTP with keys in the description.
    Secure,
    /// Another: keys by DTLS, T.38, …
    Foreign,
}

/// What they say for connectivity checks (RFC 8839).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceOffer {
    /// Their user fragment.
    pub ufrag: String,
    /// Where their sound could come from. Names are left out.
    pub candidates: Vec<SocketAddr>,
}

/// One media description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, …
    pub kind: String,
    /// 0 when it is declined.
    pub port: u16,
    /// `RTP/AVP`, …
    pub transport: String,
    /// The format field, as written.
    pub format_field: String,
    /// In order of preference. Only filled for audio.
    pub formats: Vec<Format>,
    /// Connection address in force for it, as written.
    pub connection: Option<String>,
    /// Who may send.
    pub direction: Direction,
    /// Milliseconds per packet the writer wants to receive.
    pub ptime_ms: Option<u32>,
    /// Longest packet the writer takes, milliseconds.
    pub maxptime_ms: Option<u32>,
    /// Ways to encrypt it that we know, in order of preference.
    pub cryptos: Vec<Crypto>,
    /// The names of those and of the others.
    pub suites: Vec<String>,
    /// RTCP may come on the same port (RFC 5761).
    pub rtcp_mux: bool,
    /// Where RTCP goes, if not to the next port: port and, maybe, address (RFC 3605).
    pub rtcp: Option<(u16, Option<IpAddr>)>,
    /// They check connectivity.
    pub ice: Option<IceOffer>,
}

impl Media {
    /// How its packets are carried.
    pub fn profile(&self) -> Profile {
        match self.transport.to_ascii_uppercase().as_str() {
            "RTP/AVP" | "RTP/AVPF" => Profile::Plain,
            "RTP/SAVP" | "RTP/SAVPF" => Profile::Secure,
            _ => Profile::Foreign,
        }
    }

    /// Is it sound that has not been declined?
    pub fn is_audio(&self) -> bool {
        self.is_audio_line() && self.port != 0
    }

    /// Is it sound, even if declined?
    pub fn is_audio_line(&self) -> bool {
        self.kind.eq_ignore_ascii_case("audio")
    }
}

/// Reads a description and returns its media in order.
pub fn parse(text: &str) -> Result<Vec<Media>, SdpError> {
    if text.len() > MAX_BYTES {
        return Err(SdpError::TooLong);
    }
    let session = Session::parse(essential(text).as_bytes()).map_err(|cause| SdpError::Malformed(cause.to_string()))?;
    if session.medias.len() > MAX_MEDIA {
        return Err(SdpError::TooLong);
    }
    Ok(session.medias.iter().map(|media| read_media(media, &session)).collect())
}

/// Only the lines that decide where sound goes and how; each without blanks at its ends.
fn essential(text: &str) -> String {
    let lines = text.split(['\n', '\r']).map(str::trim);
    let essential = lines.filter(|line| matches!(line.as_bytes(), [b'v' | b'c' | b'm' | b'a', b'=', ..]));
    let mut kept = String::with_capacity(text.len());
    for line in essential {
        kept.extend(line.chars().filter(|&c| c != '\0'));
        kept.push('\n');
    }
    kept
}

fn read_media(media: &sdp_types::Media, session: &Session) -> Media {
    let attribute = |name: &str| value_of(&media.attributes, name).or_else(|| value_of(&session.attributes, name));
    let number = |name: &str| attribute(name).and_then(|value| value.parse::<f32>().ok()).map(|value| value as u32);
    let direction = |attributes: &[Attribute]| attributes.iter().find_map(|a| Direction::parse(&a.attribute));
    let address = |connection: &Connection| connection.connection_address.clone();
    let is_audio = media.media.eq_ignore_ascii_case("audio");
    Media {
        kind: media.media.clone(),
        port: media.port,
        transport: media.proto.clone(),
        format_field: media.fmt.clone(),
        formats: if is_audio { read_formats(media) } else { Vec::new() },
        connection: media.connections.first().or(session.connection.as_ref()).map(address),
        direction: direction(&media.attributes).or_else(|| direction(&session.attributes)).unwrap_or_default(),
        ptime_ms: number("ptime"),
        maxptime_ms: number("maxptime"),
        cryptos: crypto_lines(media).filter_map(Crypto::parse).collect(),
        suites: crypto_lines(media).map(suite_of).collect(),
        rtcp_mux: media.attributes.iter().any(|a| a.attribute == "rtcp-mux"),
        rtcp: attribute("rtcp").and_then(read_rtcp),
        ice: attribute("ice-ufrag")
            .filter(|_| attribute("ice-pwd").is_some())
            .map(|ufrag| IceOffer { ufrag: ufrag.to_owned(), candidates: candidates(&media.attributes) }),
    }
}

fn crypto_lines(media: &sdp_types::Media) -> impl Iterator<Item = &str> {
    let lines = media.attributes.iter().filter(|a| a.attribute == "crypto");
    lines.take(crypto::MOST_LINES).filter_map(|a| a.value.as_deref()).map(str::trim)
}

/// The second word of a line `tag suite key`.
fn suite_of(line: &str) -> String {
    line.split_ascii_whitespace().nth(1).unwrap_or_default().to_owned()
}

/// `53020` or `53020 IN IP4 126.16.64.4`.
fn read_rtcp(value: &str) -> Option<(u16, Option<IpAddr>)> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok().filter(|&port| port != 0)?;
    Some((port, words.nth(2).and_then(|address| address.parse().ok())))
}

/// RFC 8839 §5.1: `foundation component transport priority address port typ …`, those of RTP over UDP.
fn candidates(attributes: &[Attribute]) -> Vec<SocketAddr> {
    let lines = attributes.iter().filter(|a| a.attribute == "candidate").take(MAX_CANDIDATES);
    let read = |line: &Attribute| {
        let mut words = line.value.as_deref()?.split_ascii_whitespace().skip(1);
        let (component, transport) = (words.next()?, words.next()?);
        let (address, port) = (words.nth(1)?.parse().ok()?, words.next()?.parse().ok()?);
        (component == "1" && transport.eq_ignore_ascii_case("udp")).then(|| SocketAddr::new(address, port))
    };
    lines.filter_map(read).collect()
}

fn value_of<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a str> {
    attributes.iter().find(|a| a.attribute == name).and_then(|a| a.value.as_deref()).map(str::trim)
}

fn read_formats(media: &sdp_types::Media) -> Vec<Format> {
    let listed = media.fmt.split_ascii_whitespace().take(MAX_FORMATS);
    let payload_types = listed.filter_map(|number| number.parse::<u8>().ok()).filter(|&number| number < 128);
    payload_types.map(|payload_type| read_format(payload_type, &media.attributes)).collect()
}

fn read_format(payload_type: u8, attributes: &[Attribute]) -> Format {
    let mapped = attributes.iter().filter(|a| a.attribute == "rtpmap").find_map(|a| {
        let (number, name) = a.value.as_deref()?.trim().split_once(char::is_whitespace)?;
        (number.parse() == Ok(payload_type)).then(|| name.trim().to_owned())
    });
    // What `rtpmap` says counts, also for numbers that have a static meaning.
    let name = mapped.or_else(|| static_name(payload_type).map(str::to_owned));
    let name = name.unwrap_or_else(|| format!("payload type {payload_type}"));
    let lower = name.to_ascii_lowercase();
    let encoding = lower.strip_suffix("/1").unwrap_or(&lower);
    // Registered is G729 alone (RFC 4856), but Annex A is what everybody means, and what some write.
    let registered = if encoding == "g729a/8000" { "g729/8000" } else { encoding };
    let codec = Codec::ALL.into_iter().find(|codec| codec.rtpmap().eq_ignore_ascii_case(registered));
    let event_clock_hz = encoding.strip_prefix("telephone-event/").and_then(|clock| clock.parse().ok());
    let parameters = attributes.iter().filter(|a| a.attribute == "fmtp").find_map(|a| {
        let (number, parameters) = a.value.as_deref()?.trim().split_once(char::is_whitespace)?;
        (number.parse() == Ok(payload_type)).then(|| parameters.trim().to_owned())
    });
    Format { payload_type, codec, event_clock_hz, parameters, name }
}

/// RFC 3551 §6, the audio half of table 4 as far as telephones still use it.
const fn static_name(payload_type: u8) -> Option<&'static str> {
    Some(match payload_type {
        0 => "PCMU/8000",
        3 => "GSM/8000",
        4 => "G723/8000",
        8 => "PCMA/8000",
        9 => "G722/8000",
        13 => "CN/8000",
        15 => "G728/8000",
        18 => "G729/8000",
        _ => return None,
    })
}

/// The address to send to: `None` for `0.0.0.0` and `::`, which mean "do not send" (RFC 3264 §8.4).
pub fn address_of(media: &Media) -> Result<Option<IpAddr>, SdpError> {
    let Some(written) = media.connection.as_deref() else {
        return Err(SdpError::Address("there is no c= line".to_owned()));
    };
    // A time to live may follow.
    let address = written.split('/').next().unwrap_or(written);
    match address.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() => Ok(None),
        Ok(address) if address.is_multicast() => Err(SdpError::Address(format!("{address} is a multicast group"))),
        Ok(address) => Ok(Some(address)),
        Err(_) => Err(SdpError::Address(format!("{} is not an IP address", Listed::new([address])))),
    }
}
