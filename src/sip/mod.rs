//! Signalling, seen from the rest of the product: legs, what may be asked of them, what they report.
//!
//! ```text
//!   UDP, TCP, TLS ─▶ driver ─▶ agent ─┬─ guard        is it sound, who sends it, may it
//!   name servers ──▶                  ├─ transaction  who repeats what, for how long (theirs)
//!                                     ├─ client       the same for ours: hops, failover, CANCEL
//!                                     └─ branch       the life of one leg: `leg` theirs, `outbound` ours,
//!                                                     `talk` once it stands; and `registration`
//! ```
//!
//! Everything but `driver` is pure: bytes, commands and `now` in, bytes and events out. The stack is our own (`agent`
//! says why); nothing outside this module names its types.

pub mod agent;
pub mod auth;
pub mod branch;
pub mod callee;
pub mod client;
pub mod dialog;
pub mod driver;
pub mod fork;
pub mod framer;
pub mod guard;
pub mod info;
pub mod ladder;
pub mod leg;
pub mod limits;
pub mod locate;
pub mod message;
pub mod mute;
mod outbound;
pub mod peers;
mod reason;
pub mod redirect;
pub mod refer;
pub mod refusals;
pub mod registration;
pub mod reliable;
pub mod respond;
pub mod session_timer;
pub mod stats;
pub mod talk;
pub mod timers;
pub mod transaction;
pub mod transport;
pub mod trunk;
pub mod uri;
pub mod wire_log;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::id::{CallId, LegId};
use crate::pii::Pii;
use crate::rtp::Digit;

pub use auth::{Algorithm, Credentials, Secret};
pub use driver::{
    Dialer, LegCommands, Located, Patience, SignallingGone, SipConfig, SipError, SipServer, TlsConfig, TlsFault,
    TlsKeeper, locate,
};
pub use ladder::{Ladder, Rung};
pub use peers::{AddressRange, CallerIdPolicy, NotARange, Peer, PeerTable};
pub use reason::{Protocol, Reason};
pub use session_timer::SessionPolicy;
pub use stats::SipStats;
pub use transaction::Timing;
pub use transport::{Hop, Path, Target, Transport};
pub use trunk::{PublicAddress, TrunkSpec, TrunkState, TrunkStatus};

/// What the call asks of its leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegCommand {
    /// Send 180.
    Ring,
    /// Send 183 with early media.
    Progress {
        /// Our answer, ahead of time.
        sdp: String,
    },
    /// Send 200 with this session description.
    Answer {
        /// Our answer (or our offer, when the INVITE carried none), `application/sdp`.
        sdp: String,
    },
    /// Refuse an INVITE that has not been answered.
    Reject(Rejection),
    /// Change the session: re-INVITE, or UPDATE where they know it. Glare is waited out inside the leg; the outcome
    /// comes as [`LegEvent::OfferAnswered`] or [`LegEvent::OfferRefused`].
    Offer {
        /// Our new offer.
        sdp: String,
    },
    /// Agree to [`LegEvent::Offered`]: our answer, or our offer when they asked for one.
    AnswerOffer {
        /// Our description.
        sdp: String,
    },
    /// Refuse [`LegEvent::Offered`]; the session stays as it was.
    RefuseOffer {
        /// Usually 488.
        status: u16,
        /// Text of a `Warning: 399` header. Never personal data.
        warning: Option<String>,
    },
    /// Send the far end somewhere else (REFER); news come as [`LegEvent::Referred`].
    Refer {
        /// A URI, or a number to be completed with the far end's own host.
        to: String,
        /// Attended: take over that leg's dialog (RFC 3891). An empty `to` then means that leg's far end, by the
        /// address it gave itself.
        replaces: Option<LegId>,
    },
    /// Press a key by INFO, where no telephone-event was agreed upon.
    SendKey {
        /// Which.
        digit: Digit,
        /// How long.
        duration_ms: u32,
    },
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
    /// Where to try instead, on 3xx: URIs, best first.
    pub contacts: Vec<String>,
}

impl Rejection {
    /// A bare status.
    pub const fn status(status: u16) -> Self {
        Self { status, retry_after: None, warning: None, contacts: Vec::new() }
    }
}

/// What a leg reports to its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegEvent {
    /// Outbound: a provisional response above 100.
    Progress {
        /// 180, 183…
        status: u16,
        /// Early media: their answer, ahead of time.
        sdp: Option<String>,
    },
    /// The call stands. Inbound: the far end has acknowledged our 200, with its session description when the ACK
    /// brought one (the answer to our late offer, RFC 3264 §4). Outbound: it has answered.
    Established {
        /// Body of the ACK, or of the 2xx.
        sdp: Option<String>,
    },
    /// They want to change the session; to be answered by [`LegCommand::AnswerOffer`] or [`LegCommand::RefuseOffer`].
    Offered {
        /// Their offer; `None`: they want ours.
        sdp: Option<String>,
    },
    /// They agreed to our offer.
    OfferAnswered {
        /// Their answer.
        sdp: String,
    },
    /// They refused our offer; the session stays as it was.
    OfferRefused {
        /// Their status.
        status: u16,
    },
    /// A key, told by INFO.
    Key {
        /// Which.
        digit: Digit,
        /// How long, when they said.
        duration_ms: Option<u32>,
    },
    /// What becomes of our REFER: their answer to it, then what they tell of the call they place.
    Referred {
        /// Status.
        status: u16,
        /// Nothing more will come.
        last: bool,
    },
    /// Another telephone wants to take over the call (RFC 3891); the next offer is its own.
    TakingOver,
    /// Another dialog of the far end's side has taken the place of this one (RFC 3891); the call goes on there.
    Replaced,
    /// Why they end it, in their own words; before the end.
    Reason(Reason),
    /// Why nobody could be reached, in a sentence; before the end.
    Unreached(String),
    /// What was said on this leg; right before its end.
    Ladder(Box<Ladder>),
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
    /// Outbound: they refused.
    Refused {
        /// Their final response.
        status: u16,
        /// Q.850 cause of its Reason header (RFC 3326), where one was given.
        cause: Option<u8>,
    },
    /// Outbound: it rang until we gave up.
    NoAnswer,
    /// Outbound: no hop took it.
    Unreachable,
    /// No sign of life within the session timer (RFC 4028 §10).
    Expired,
    /// Our REFER succeeded and this dialog is over.
    Moved,
}

/// A new INVITE from a known peer, already answered with 100. Whether the number exists is the call's to say (404).
#[derive(Debug)]
pub struct IncomingLeg {
    /// Ours, unique in this process.
    pub leg: LegId,
    /// The call it opens, for life.
    pub call: CallId,
    /// What the log says of the call is said inside it.
    pub span: tracing::Span,
    /// Where it came from.
    pub source: SocketAddr,
    /// Our SIP address as that source reaches us: its IP is the one to put into our session description.
    pub local: SocketAddr,
    /// How it came.
    pub transport: Transport,
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
    /// What the call wants done.
    pub commands: LegCommands,
    /// What happens to the leg. Bound 16: a call never leaves more than a handful unread.
    pub events: tokio::sync::mpsc::Receiver<LegEvent>,
}

/// A call to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// A SIP or tel URI, or a number when there is a trunk.
    pub to: Pii<String>,
    /// Through which trunk; `None`: straight to the URI.
    pub trunk: Option<Arc<str>>,
    /// Who calls; `None`: what the trunk is configured with.
    pub caller: Option<CallerId>,
    /// Our offer; `None`: theirs is awaited (late offer).
    pub sdp: Option<String>,
    /// How long it may ring.
    pub ring_timeout: Duration,
    /// Further header fields of the INVITE.
    pub headers: Vec<(String, String)>,
}

/// Who calls, as the far end is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerId {
    /// A number of ours.
    pub number: Pii<String>,
    /// Shown beside it.
    pub name: Option<Pii<String>>,
    /// Tell the trunk, but not the called party (RFC 3325).
    pub withheld: bool,
}

/// A call on its way, driven like an [`IncomingLeg`].
#[derive(Debug)]
pub struct OutgoingLeg {
    /// Ours, unique in this process.
    pub leg: LegId,
    /// SIP Call-ID, for finding the call in somebody else's capture.
    pub sip_call_id: String,
    /// What the call wants done.
    pub commands: LegCommands,
    /// What happens to the leg.
    pub events: tokio::sync::mpsc::Receiver<LegEvent>,
}

/// Why a call was not even tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// No URI, and no trunk that could make one of it.
    #[error("that is neither a SIP URI nor a number with a trunk to send it to")]
    NotDialable,
    /// No such trunk.
    #[error("there is no trunk called `{0}`; add it to trunkline.toml as [[trunk]]")]
    NoSuchTrunk(Arc<str>),
    /// Too many calls already.
    #[error("no room for another call: {0}")]
    Full(&'static str),
    /// The name leads nowhere.
    #[error("cannot find {target}: {cause}")]
    NoAddress {
        /// What was looked up.
        target: String,
        /// What the resolver said.
        cause: String,
    },
    /// Signalling is being shut down.
    #[error("signalling is shut down")]
    Closed,
}
