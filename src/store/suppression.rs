//! Who is not to be called again, and why.
//!
//! ```text
//!  the caller says stop ─▶ Output::OptOut ─▶ writer ─▶ Store::suppress     at once, in a transaction of its own
//!  the call ends        ─▶ CallRecord     ─▶ writer ─▶ Store::save         once more, with the record; changes nothing
//!  a person says so     ─▶ `suppress add`          ─▶ Store::suppress
//!  a list kept elsewhere ─▶ `suppress import`      ─▶ Store::import        all of it or nothing (`lists`)
//! ```
//!
//! Several entries may close one number, each for a reason of its own and by whoever says so. One that holds no more is
//! marked as [`Lifted`] and stays: it is the proof of why nobody called.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::call::record::{CallRecord, OptOut, call_id};
use crate::dialplan::outcome::OutcomeKind;
use crate::id::CallId;
use crate::law::facts::Closed;
use crate::pii::Pii;

/// The scope that holds for every plan and campaign.
pub use crate::dialplan::outcome::EVERYWHERE;

/// One entry: a number that is closed, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// The number, as [`NumberPolicy::key`](super::numbers::NumberPolicy::key) keeps it.
    pub number: Pii<String>,
    /// [`EVERYWHERE`], or the name of one plan or campaign.
    pub scope: String,
    /// Why, in a word: [`OPTED_OUT`], or another of [`REASONS`].
    pub reason: String,
    /// Who says so: [`IN_A_CALL`], [`BY_HAND`], or whoever keeps the list.
    pub source: String,
    /// The list it stands on, by its name, where it stands on one.
    #[serde(default)]
    pub list: Option<String>,
    /// The call in which it was said, where there was one.
    #[serde(default, with = "call_id::optional")]
    pub call: Option<CallId>,
    /// In their words, or the keys: the proof.
    pub said: Option<Pii<String>>,
    /// What whoever closed it wrote to it.
    #[serde(default)]
    pub note: Option<Pii<String>>,
    /// Who closed it, as the machine knows them; absent: the person themselves, in a call.
    #[serde(default)]
    pub by: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when; absent: for good.
    pub expires_at: Option<Timestamp>,
    /// It holds no more, since somebody said so.
    #[serde(default)]
    pub lifted: Option<Lifted>,
}

/// That an entry holds no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifted {
    /// Since when.
    pub at: Timestamp,
    /// Who lifted it, as the machine knows them.
    pub by: String,
    /// Why, in their words.
    pub why: Pii<String>,
}

/// [`Suppression::reason`]: the person asked for it.
pub const OPTED_OUT: &str = "opt_out";
/// [`Suppression::reason`]: a list says so.
pub const DO_NOT_CALL: &str = "do_not_call";
/// The words for [`Suppression::reason`] that the packs of rules know.
pub const REASONS: [&str; 13] = [
    OPTED_OUT,
    DO_NOT_CALL,
    "attorney",
    "breathing_space",
    "cease",
    "debt_adviser",
    "deceased",
    "dispute",
    "erased",
    "objected",
    "vulnerable",
    "workplace",
    "wrong_number",
];
/// [`Suppression::source`]: the person, in a call.
pub const IN_A_CALL: &str = "call";
/// [`Suppression::source`]: somebody here, who was told otherwise than in a call.
pub const BY_HAND: &str = "hand";

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
            list: None,
            call: Some(call.clone()),
            said: Some(said.clone()).filter(|said| !said.reveal().is_empty()),
            note: None,
            by: None,
            created_at: at,
            expires_at: None,
            lifted: None,
        })
    }

    /// Does it close its number at `now`?
    pub fn holds(&self, now: Timestamp) -> bool {
        self.lifted.is_none() && self.expires_at.is_none_or(|end| end > now)
    }

    /// Does it concern one of these plans and campaigns? What holds everywhere always does.
    pub fn concerns(&self, scopes: &[&str]) -> bool {
        self.scope == EVERYWHERE || scopes.contains(&self.scope.as_str())
    }

    /// Did the person ask for it? Then nobody opens it in passing.
    pub fn is_opt_out(&self) -> bool {
        self.reason == OPTED_OUT
    }
}

/// As decisions see it; whether it holds, and for whom, is the asker's to know.
impl From<&Suppression> for Closed {
    fn from(Suppression { reason, source, created_at, expires_at, .. }: &Suppression) -> Self {
        Self { reason: reason.clone(), source: source.clone(), since: *created_at, until: *expires_at }
    }
}

/// Which entries of a number are to be lifted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifting {
    /// Only those of this scope; absent: of every scope.
    pub scope: Option<String>,
    /// Only those for this reason.
    pub reason: Option<String>,
    /// Those that stand on this list; absent: those that stand on none.
    pub list: Option<String>,
    /// What the person asked for, too.
    pub opt_outs: bool,
}

impl Lifting {
    /// Is this one of them?
    pub fn takes(&self, entry: &Suppression, now: Timestamp) -> bool {
        entry.holds(now)
            && self.scope.as_ref().is_none_or(|scope| *scope == entry.scope)
            && self.reason.as_ref().is_none_or(|reason| *reason == entry.reason)
            && self.list == entry.list
            && (self.opt_outs || !entry.is_opt_out())
    }
}

/// Which entries to count or to write out. What is absent is any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// Of this scope.
    pub scope: Option<String>,
    /// For this reason.
    pub reason: Option<String>,
    /// On this list.
    pub list: Option<String>,
    /// Closed then or later.
    pub since: Option<Timestamp>,
}

/// How many entries of a kind there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Where they hold.
    pub scope: String,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub source: String,
    /// On which list.
    pub list: Option<String>,
    /// That hold.
    pub open: u64,
    /// That are over.
    pub over: u64,
    /// That were lifted.
    pub lifted: u64,
}

/// A number to look for among those that are closed: every form in which it may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought(pub(super) Pii<Vec<String>>);

impl Sought {
    /// Is that, as it is kept, the number?
    pub fn fits(&self, kept: &Pii<String>) -> bool {
        self.0.reveal().contains(kept.reveal())
    }
}
