//! What came of a call, in one word: what a campaign counts and `trunkline call` exits with.

use serde::{Deserialize, Serialize};

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It rang and nobody took it.
    NoAnswer,
    /// Somebody is on the telephone.
    Busy,
    /// Somebody does not want it.
    Rejected,
    /// There is no such number.
    Invalid,
    /// The way there is full or broken: worth trying again.
    Congestion,
    /// It failed for another reason.
    Failed,
    /// We gave it up before it was answered.
    Interrupted,
    /// Taken, and left before anything was said.
    Abandoned,
    /// An answering machine took it.
    Machine,
    /// A telephone that asks callers what they want took it.
    Screener,
    /// A fax machine took it.
    Fax,
    /// A recorded announcement of the network took it.
    Announcement,
    /// A person took it.
    Answered,
}
