//! What was said on a leg, message by message, with nothing in it that nobody else may read.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Every message of one leg, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// In order of time.
    pub rungs: Vec<Rung>,
    /// Messages left out of the middle, because there were too many.
    pub left_out: u32,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Milliseconds since the first.
    pub at_ms: u64,
    /// By us?
    pub sent: bool,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// The far end.
    pub peer: SocketAddr,
    /// First line, users replaced by `…`.
    pub line: String,
    /// CSeq.
    pub cseq: String,
    /// Reason, Warning or Retry-After, where one was given.
    pub note: Option<String>,
    /// Length of the whole message.
    pub bytes: u32,
    /// How often it was repeated.
    pub again: u16,
}
