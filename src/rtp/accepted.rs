//! What a receiver says of a datagram.

use std::net::SocketAddr;

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Taken, and from now on this source is the far end: send there.
    Latched(SocketAddr),
    /// Taken.
    Ok,
    /// From the far end, in a type that was not negotiated: nothing of it is heard, but it shows that the far end is
    /// there (RFC 6263 §4.6: some keep a port open with such packets) and has a number among the others.
    PassedOver,
    /// RTCP from the far end on the RTP port (RFC 5761): for [`super::rtcp`].
    Rtcp,
    /// Not taken.
    Refused(Refusal),
}

/// Why a datagram was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another source is latched, or this one is a stranger and not believed yet.
    #[error("not from the far end")]
    WrongSource,
    /// A stream beside the one being heard.
    #[error("another stream than the one being heard")]
    WrongSsrc,
    /// A sequence number far from the others, not confirmed yet.
    #[error("a sequence number far from the others")]
    WildSequence,
    /// No RTP packet, or an impossible event.
    #[error("not a valid RTP packet")]
    Malformed,
    /// Not what was negotiated.
    #[error("a payload type that was not negotiated")]
    UnknownPayloadType,
    /// More than 2,048 bytes, or more than 200 ms of sound.
    #[error("larger than any RTP packet of a call")]
    Oversized,
}
