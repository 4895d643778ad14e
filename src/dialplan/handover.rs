//! What a plan wants when it hands the caller to a person, and what comes of it.
//!
//! The plan says whom and what they are to know; who is free, who rings and how the two are joined is the affair of
//! [`agents`](crate::agents) and the call.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::language::Language;
use crate::pii::Pii;
use crate::value::Value;

/// A wish for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Handover {
    /// Whom.
    pub to: Whom,
    /// What they are told before they take the caller.
    pub brief: Brief,
}

/// Who takes the caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Whom {
    /// Somebody of a group.
    Group(Wanted),
    /// This one.
    Person {
        /// A SIP URI, or a number.
        to: Pii<String>,
        /// The trunk through which a number is called; absent: that of this call.
        trunk: Option<String>,
        /// How they are brought together.
        how: How,
        /// How long it may ring.
        ring: Duration,
    },
}

/// What a caller needs of an agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// Of which group.
    pub group: String,
    /// Knowing all this.
    pub skills: BTreeSet<String>,
    /// Speaking this; `None`: any language.
    pub language: Option<Language>,
    /// For this region, if there is one; `None`: where the caller's number is.
    pub region: Option<String>,
    /// A point is worth a minute of waiting.
    pub priority: i32,
    /// Who has talked to them before.
    pub last_agent: Option<String>,
}

/// How caller and person are brought together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum How {
    /// We call the person and stay in between, so that the recording goes on and the caller can come back.
    #[default]
    Bridge,
    /// We call the person; when they want the caller, the far end is asked to call them in our place (REFER with
    /// Replaces).
    Attended,
    /// The far end is asked to call them itself (REFER).
    Refer,
}

/// What a person is told of the caller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Brief {
    /// The plan's own words for it, by language; none: a sentence of the engine's.
    pub words: Vec<(Language, Pii<String>)>,
    /// What the caller wants; `None`: their last choice.
    pub intent: Option<String>,
    /// They have proved who they are; `None`: as the call's `verify` found.
    pub verified: Option<bool>,
    /// What they have told us; nothing secret.
    pub slots: Vec<(String, Pii<Value>)>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Handed {
    /// How it ended.
    pub end: HandedEnd,
    /// Who took the caller.
    pub agent: Option<String>,
    /// How long the caller waited for them.
    pub waited: Duration,
    /// How long they talked.
    pub talked: Duration,
}

/// How a handover ended, for the plan that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandedEnd {
    /// They have talked, and the person has hung up.
    Served,
    /// The caller has waited as long as anybody may.
    TooLong,
    /// As many wait as may.
    Full,
    /// Nobody is there who could help.
    Nobody,
    /// The person is busy.
    Busy,
    /// They did not pick up.
    NoAnswer,
    /// They did not want the call.
    Declined,
    /// It could not be done.
    Failed,
}

impl HandedEnd {
    /// As records and values call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::TooLong => "too_long",
            Self::Full => "full",
            Self::Nobody => "nobody",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Declined => "declined",
            Self::Failed => "failed",
        }
    }

    /// What a SIP status says of the person who was called.
    pub const fn of_status(status: u16) -> Self {
        match status {
            486 | 600 => Self::Busy,
            408 | 480 | 487 => Self::NoAnswer,
            603 => Self::Declined,
            _ => Self::Failed,
        }
    }
}
