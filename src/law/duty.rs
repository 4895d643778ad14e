//! What a pack asks of the plan that speaks once somebody has answered.

use std::time::Duration;

use jiff::civil::Date;

use super::rule::Scope;

/// A duty of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Duty {
    /// Its name inside the pack: `mini-miranda`.
    pub id: String,
    /// What it cites.
    pub source: String,
    /// Whose calls.
    pub scope: Scope,
    /// In force from that day on.
    pub from: Option<Date>,
    /// In force up to and including that day.
    pub until: Option<Date>,
    /// What must be done.
    pub kind: Asked,
}

/// What must be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The first thing said is who calls, and that it is a machine; nobody can interrupt it.
    Disclosure,
    /// The recording is announced.
    RecordingAnnounced,
    /// So many things only the right person knows are asked for before a debt is spoken of, at most so many times.
    RightParty {
        /// Things asked for.
        factors: u8,
        /// Times.
        tries: u8,
    },
    /// That a debt is to be collected, and by whom, before it is spoken of.
    MiniMiranda,
    /// Machines hear the limited-content message, or nothing.
    LimitedContent,
    /// Callers can say, or press, that they are not to be called again, and are told so.
    OptOut,
    /// The same demand at most so often.
    Repeats(u8),
    /// How long recordings are kept at least.
    Kept(Duration),
}
