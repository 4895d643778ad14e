//! Who is not to be called again, and why.
//!
//! ```text
//!  the caller says stop ─▶ Output::OptOut ─▶ writer ─▶ Store::suppress     at once, in a transaction of its own
//!  the call ends        ─▶ CallRecord     ─▶ writer ─▶ Store::save         once more, with the record; changes nothing
//! ```

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::call::record::{CallRecord, OptOut, call_id};
use crate::dialplan::outcome::OutcomeKind;
use crate::id::CallId;
use crate::pii::Pii;

/// The scope that holds for every plan and campaign.
pub use crate::dialplan::outcome::EVERYWHERE;

/// A number that is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// The number, as [`NumberPolicy::key`](super::numbers::NumberPolicy::key) keeps it.
    pub number: Pii<String>,
    /// [`EVERYWHERE`], or the name of one plan or campaign.
    pub scope: String,
    /// Why, in a word: [`OPTED_OUT`].
    pub reason: String,
    /// Who says so, in a word: [`IN_A_CALL`].
    pub source: String,
    /// The call in which it was said, where there was one.
    #[serde(default, with = "call_id::optional")]
    pub call: Option<CallId>,
    /// In their words, or the keys: the proof.
    pub said: Option<Pii<String>>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when; absent: for good.
    pub expires_at: Option<Timestamp>,
}

/// [`Suppression::reason`]: the person asked for it.
pub const OPTED_OUT: &str = "opt_out";
/// [`Suppression::source`]: the person, in a call.
pub const IN_A_CALL: &str = "call";

impl Suppression {
    /// What somebody has asked for in a call. `None` for a number that was withheld: nothing can be closed.
    pub fn of_opt_out(opt_out: &OptOut) -> Option<Self> {
        let OptOut { call, at, number, scope, said } = opt_out;
        Self::asked_for(call, *at, (number, scope, said))
    }

    /// What was asked for in a call that is over.
    pub(super) fn of_record(record: &CallRecord) -> impl Iterator<Item = Self> {
        record.outcomes.iter().filter_map(|outcome| match &outcome.kind {
            OutcomeKind::OptOut { scope, number, said } => {
                Self::asked_for(&record.id, record.ended_at, (number, scope, said))
            }
            _ => None,
        })
    }

    fn asked_for(
        call: &CallId,
        at: Timestamp,
        (number, scope, said): (&Pii<String>, &str, &Pii<String>),
    ) -> Option<Self> {
        let is_known = !number.reveal().is_empty() && !scope.is_empty();
        is_known.then(|| Self {
            number: number.clone(),
            scope: scope.to_owned(),
            reason: OPTED_OUT.to_owned(),
            source: IN_A_CALL.to_owned(),
            call: Some(call.clone()),
            said: Some(said.clone()).filter(|said| !said.reveal().is_empty()),
            created_at: at,
            expires_at: None,
        })
    }
}

/// A number to look for among those that are closed: every form in which it may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought(pub(super) Pii<Vec<String>>);
