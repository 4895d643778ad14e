//! People who take calls over from a dial plan: who they are, who waits for them, who gets whom, and what they are told.
//!
//! ```text
//!   caller's call ── Enter(needs) ──▶ Queue ── Ring ──▶ a call to the agent ─ briefing ─ 1 ─▶ Accepted ──┐
//!        ▲                             │ ▲                     └ 2, busy, silence ─▶ the next agent      │
//!        ├── position, how long ◀──────┤ └──────────────────────────────────────────────────────────────┘
//!        ├── joined ◀── both legs' media bridged, the recording goes on ◀────────────────────────────────┤
//!        └── overflow: too long, too many, nobody there ─▶ the plan goes on with the caller
//! ```
//!
//! `roster` is who there is, as the settings say; `queue` who waits and who is free, a pure core for the whole house,
//! because agents serve several groups; `choose` which of the free; `handoff` what an agent and other machines are told
//! of the caller, `briefing` what the agent hears, `webhook` what a house's own system is told.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::language::Language;

pub mod briefing;
mod choose;
pub mod driver;
pub mod handoff;
pub mod queue;
pub mod roster;
pub mod untold;
pub mod webhook;

pub use queue::{Input, Output, Queue};
pub use roster::{Agent, AgentIx, Group, Roster, RosterError, Strategy};

/// One stay of one caller with the agents, from the queue to the end of the talk; unique within a running process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One attempt to reach one agent for one caller; unique within a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RingId(pub u64);

/// What a caller needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Whom: only agents of this group are asked.
    pub group: Arc<str>,
    /// The agent has them all.
    pub skills: BTreeSet<String>,
    /// The agent speaks it, whatever its country: `zh` serves `zh-CN`. `None`: any will do.
    pub language: Option<Language>,
    /// Where the caller is: an agent for that region is preferred.
    pub region: Option<String>,
    /// One point is worth a minute of waiting. 0 for most; may be negative.
    pub priority: i32,
    /// Who has talked to them before: preferred.
    pub last_agent: Option<Arc<str>>,
}

impl Needs {
    /// Anybody of this group.
    pub fn of(group: impl Into<Arc<str>>) -> Self {
        Self {
            group: group.into(),
            skills: BTreeSet::new(),
            language: None,
            region: None,
            priority: 0,
            last_agent: None,
        }
    }
}

/// How an attempt to reach an agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingEnd {
    /// They take the call.
    Accepted,
    /// They do not want this one.
    Declined,
    /// They talk to somebody else, by a way we do not know.
    Busy,
    /// Nobody picked up, a machine did, or nobody said yes.
    NoAnswer,
    /// Their telephone cannot be reached.
    Failed,
    /// They were not called at all: the house itself had no room for the call.
    Untried,
}

/// Why a caller leaves the queue without having met an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// Waited as long as the group lets anybody wait.
    TooLong,
    /// As many wait as the group takes.
    Full,
    /// All agents who could help are away.
    NobodyThere,
    /// There is no agent in the settings who could help.
    NobodyFits,
}

impl Overflow {
    /// As plans and records write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Full => "full",
            Self::NobodyThere => "nobody_there",
            Self::NobodyFits => "nobody_fits",
        }
    }
}

/// What an agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// A caller may be offered.
    Free,
    /// Their telephone rings, or they hear a briefing.
    Ringing,
    /// With a caller.
    Talking,
    /// Writing down what was said.
    WrapUp,
    /// Could not be reached a moment ago; asked again soon.
    Resting,
    /// Not asked at all.
    Away,
}
