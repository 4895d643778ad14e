//! What two ends agreed to send each other, in plain types: keys, codecs, stream parameters.

use std::net::SocketAddr;

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

    /// The key's face.
    pub const fn face(self) -> char {
        self.0
    }
}

/// A codec we can speak on a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// G.711 µ-law, static payload type 0.
    Pcmu,
    /// G.711 A-law, static payload type 8.
    Pcma,
}

/// What SDP negotiation settled for one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamParams {
    /// Where the far end said it receives; `None` until a late offer is answered.
    pub remote: Option<SocketAddr>,
    /// What we send; they may also send the other one, under its static payload type.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// Payload type of telephone-event the far end will send us, if it offered any.
    pub telephone_event: Option<u8>,
    /// What we send per packet: 10, 20, 30, 40 or 60 ms.
    pub ptime_ms: u32,
    /// May we send? (`sendrecv`/`recvonly` on their side.)
    pub send: bool,
    /// Do they send?
    pub receive: bool,
}
