//! Signalling, seen from the rest of the product: legs, what may be asked of them, what they report.
//!
//! ```text
//!   socket ─▶ driver ─▶ agent ─┬─ guard        is it sound, who sends it
//!                              ├─ transaction  who repeats what, for how long
//!                              └─ leg          the life of one branch
//! ```
//!
//! Everything but `driver` is pure: bytes, commands and `now` in, bytes and events out. The stack is our own (`agent`
//! says why) and speaks UDP; nothing outside this module names its types.

pub mod agent;
pub mod driver;
pub mod guard;
pub mod ladder;
pub mod leg;
pub mod message;
pub mod peers;
pub mod respond;
pub mod stats;
pub mod timers;
pub mod transaction;
pub mod uri;

use std::net::SocketAddr;
use std::time::Duration;

use crate::id::LegId;
use crate::pii::Pii;

pub use driver::{SipConfig, SipError, SipServer};
pub use peers::{AddressRange, NotARange, Peer, PeerTable};
pub use stats::SipStats;
pub use transaction::Timing;

/// What the call asks of its leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegCommand {
    /// Send 180.
    Ring,
    /// Send 200 with this session description.
    Answer {
        /// Our answer (or our offer, when the INVITE carried none), `application/sdp`.
        sdp: String,
    },
    /// Refuse an INVITE that has not been answered.
    Reject(Rejection),
    /// End the leg: BYE once it is answered, 487 or CANCEL before.
    Hangup,
}

/// A final refusal, with what the far end should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// 300..=699.
    pub status: u16,
    /// `Retry-After`, on 503.
    pub retry_after: Option<Duration>,
    /// Text of a `Warning: 399` header, for the admin of the far end. Never personal data.
    pub warning: Option<String>,
}

impl Rejection {
    /// A bare status.
    pub const fn status(status: u16) -> Self {
        Self { status, retry_after: None, warning: None }
    }
}

/// What a leg reports to its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegEvent {
    /// The far end has acknowledged our 200. Carries its session description when the ACK brought one
    /// (the answer to our late offer, RFC 3264 §4).
    Established {
        /// Body of the ACK.
        sdp: Option<String>,
    },
    /// Over, whoever ended it. Always the last event of a leg, always sent exactly once.
    Ended(LegEnd),
}

/// Why a leg is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEnd {
    /// The far end sent BYE.
    RemoteHangup,
    /// We sent BYE.
    LocalHangup,
    /// The far end gave up before we answered (CANCEL).
    Cancelled,
    /// We refused the INVITE with this status.
    Rejected(u16),
    /// Our 200 was never acknowledged within 64·T1 (RFC 3261 §13.3.1.4); BYE was sent.
    NoAck,
    /// The stack or the network failed under us.
    Failed,
}

/// A new INVITE from a known peer, already answered with 100. Whether the number exists is the call's to say (404).
#[derive(Debug)]
pub struct IncomingLeg {
    /// Ours, unique in this process.
    pub leg: LegId,
    /// Where it came from.
    pub source: SocketAddr,
    /// Our SIP address as that source reaches us: its IP is the one to put into our session description.
    pub local: SocketAddr,
    /// Name of the configured peer.
    pub peer: String,
    /// User part of From (or P-Asserted-Identity where the peer is trusted for it).
    pub caller: Pii<String>,
    /// User part of the Request-URI.
    pub called: Pii<String>,
    /// SIP Call-ID, for finding the call in somebody else's capture.
    pub sip_call_id: String,
    /// The offer, when the INVITE carried one.
    pub offer: Option<String>,
    /// What the call wants done. Bound 16: a call never has more than a handful of commands in flight.
    pub commands: tokio::sync::mpsc::Sender<LegCommand>,
    /// What happens to the leg. Bound 16, the same reason.
    pub events: tokio::sync::mpsc::Receiver<LegEvent>,
}
