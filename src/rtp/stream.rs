//! What two ends agreed to send each other, in plain types: keys, codecs, stream parameters.

use std::fmt;
use std::net::SocketAddr;

use super::srtp::Keys;
use crate::audio::g711::Law;

/// A telephone key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digit(char);

impl Digit {
    /// `0`–`9`, `*`, `#`, `A`–`D`; `None` for anything else.
    pub fn new(key: char) -> Option<Self> {
        let key = key.to_ascii_uppercase();
        matches!(key, '0'..='9' | '*' | '#' | 'A'..='D').then_some(Self(key))
    }

    /// RFC 4733 §3.2, table 3: events 0 to 15.
    pub fn from_event(code: u8) -> Option<Self> {
        "0123456789*#ABCD".chars().nth(usize::from(code)).map(Self)
    }

    /// RFC 4733 §3.2, table 3: 0 to 15.
    pub fn event(self) -> u8 {
        let place = "0123456789*#ABCD".chars().position(|face| face == self.0);
        place.expect("a digit is one of the sixteen keys") as u8
    }

    /// The key's face.
    pub const fn face(self) -> char {
        self.0
    }
}

/// A codec we can speak on a leg. All of them are heard and spoken as 8 kHz mono (see [`crate::audio::codec`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// G.711 µ-law, static payload type 0.
    Pcmu,
    /// G.711 A-law, static payload type 8.
    Pcma,
    /// G.722 at 64 kbit/s, static payload type 9.
    G722,
    /// Opus (RFC 6716), payload type by agreement.
    Opus,
    /// G.729 at 8 kbit/s, with or without Annex A, static payload type 18.
    G729,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Self; 5] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus, Self::G729];
    /// Those we speak, in the order in which we offer them, when nobody said otherwise. Not G.729: whoever lists it first
    /// would be taken at their word, and words are harder to recognise through it.
    pub const USUAL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// Ticks a second of its RTP timestamps.
    pub const fn clock_rate_hz(self) -> u32 {
        match self {
            // RFC 3551 §4.5.2: G.722 samples at 16 kHz, its RTP clock counts 8 kHz, by an old mistake.
            Self::Pcmu | Self::Pcma | Self::G722 | Self::G729 => 8_000,
            // RFC 7587 §4.1: always, whatever is encoded.
            Self::Opus => 48_000,
        }
    }

    /// Its name in a session description, of which upper and lower case do not matter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
            Self::G729 => "G729",
        }
    }

    /// Name, clock rate and channels as `a=rtpmap` writes them.
    pub const fn rtpmap(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU/8000",
            Self::Pcma => "PCMA/8000",
            Self::G722 => "G722/8000",
            // RFC 7587 §7: two channels are always announced, also for mono.
            Self::Opus => "opus/48000/2",
            Self::G729 => "G729/8000",
        }
    }

    /// The payload type that RFC 3551 §6 gives it, if any.
    pub const fn static_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            Self::G722 => Some(9),
            Self::Opus => None,
            Self::G729 => Some(18),
        }
    }

    /// One byte for each tick of an 8 kHz clock, so that a packet may be cut anywhere: G.711 and G.722.
    pub const fn is_bytewise(self) -> bool {
        !matches!(self, Self::Opus | Self::G729)
    }

    /// May a packet of ours last so long, in milliseconds?
    pub const fn has_packets_of(self, ptime_ms: u32) -> bool {
        match ptime_ms {
            10 | 20 | 40 | 60 => true,
            // RFC 6716 §2.1.4: Opus has no frames of 30 ms.
            30 => !matches!(self, Self::Opus),
            _ => false,
        }
    }

    /// The law, if it is G.711.
    pub const fn law(self) -> Option<Law> {
        match self {
            Self::Pcmu => Some(Law::Mu),
            Self::Pcma => Some(Law::A),
            Self::G722 | Self::Opus | Self::G729 => None,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rtpmap())
    }
}

/// What the far end wants of the Opus we send (RFC 7587 §6.1): by default, nothing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpusParams {
    /// It can make use of forward error correction (`useinbandfec`).
    pub fec: bool,
    /// It prefers silence not to be sent (`usedtx`).
    pub dtx: bool,
    /// It prefers a constant bit rate (`cbr`).
    pub cbr: bool,
    /// Most bits a second it takes (`maxaveragebitrate`).
    pub max_bitrate: Option<u32>,
}

/// Where RTCP goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rtcp {
    /// Along with RTP on the same port (RFC 5761).
    Mux,
    /// To a port of its own, once one is known: `a=rtcp` (RFC 3605), or the one after RTP.
    Port(Option<SocketAddr>),
}

/// What we answer connectivity checks with (RFC 8445, the lite side): ours, and the name they give themselves.
#[derive(Clone, PartialEq, Eq)]
pub struct Ice {
    /// Our user fragment.
    pub ufrag: String,
    /// Our password: their checks are signed with it.
    pub password: String,
    /// Their user fragment, once known.
    pub their_ufrag: Option<String>,
}

impl fmt::Debug for Ice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ice").field("ufrag", &self.ufrag).field("password", &"«secret»").finish_non_exhaustive()
    }
}

/// What SDP negotiation settled for one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamParams {
    /// Where the far end said it receives; `None` until a late offer is answered.
    pub remote: Option<SocketAddr>,
    /// What we send.
    pub codec: Codec,
    /// The payload type we send it under, by their numbers.
    pub payload_type: u8,
    /// What they may send us, by our numbers: what was agreed on, all that we offered, and G.711 under the numbers
    /// that RFC 3551 gives it, which some use whatever was agreed on.
    pub receive_types: Vec<(u8, Codec)>,
    /// Payload type of telephone-event the far end will send us, if it offered any.
    pub telephone_event: Option<u8>,
    /// Others of ours under which they may, and the ticks a second that each counts in: who may change to a codec with
    /// another clock changes to its events too.
    pub more_events: Vec<(u8, u32)>,
    /// Payload type under which we send telephone-events, if they take them.
    pub send_event: Option<u8>,
    /// Ticks a second in which the duration of these events is counted: the clock rate of the codec, where they
    /// have both.
    pub event_clock_hz: u32,
    /// They may send comfort noise (payload type 13, RFC 3389) where nobody speaks. Some do without asking.
    pub comfort_noise: bool,
    /// What we send per packet: 10, 20, 30, 40 or 60 ms.
    pub ptime_ms: u32,
    /// May we send? (`sendrecv`/`recvonly` on their side.)
    pub send: bool,
    /// Do they send?
    pub receive: bool,
    /// How they want Opus.
    pub opus: OpusParams,
    /// Where RTCP goes.
    pub rtcp: Rtcp,
    /// Keys, if the stream is encrypted (SRTP).
    pub security: Option<Box<Keys>>,
    /// They check connectivity before they send; answer them.
    pub ice: Option<Box<Ice>>,
}

impl Default for StreamParams {
    /// µ-law both ways, to nobody yet.
    fn default() -> Self {
        Self {
            remote: None,
            codec: Codec::Pcmu,
            payload_type: 0,
            receive_types: vec![(0, Codec::Pcmu), (8, Codec::Pcma)],
            telephone_event: None,
            more_events: Vec::new(),
            send_event: None,
            event_clock_hz: 8_000,
            comfort_noise: false,
            ptime_ms: 20,
            send: true,
            receive: true,
            opus: OpusParams::default(),
            rtcp: Rtcp::Port(None),
            security: None,
            ice: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_event_and_back() {
        for code in 0..16 {
            assert_eq!(Digit::from_event(code).map(Digit::event), Some(code));
        }
        assert_eq!(Digit::from_event(16), None);
    }
}
