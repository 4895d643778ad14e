//! What came of a call besides its end, as typed facts: kept with the record, read by campaigns and exports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::pii::Pii;
use crate::value::Value;

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The step it came of.
    pub step: String,
    /// What it is.
    #[serde(flatten)]
    pub kind: OutcomeKind,
}

/// What kind of fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum OutcomeKind {
    /// A mark that the plan set.
    Tag {
        /// Its name.
        name: String,
        /// Its value; may be personal.
        value: Pii<Value>,
    },
    /// The caller was asked who they are.
    Verified {
        /// Were they the right one?
        passed: bool,
        /// Factors that fitted.
        factors: Vec<String>,
        /// Askings.
        tries: u32,
    },
    /// They will pay.
    Promise {
        /// How much, and by when: `amount` and `date` each, in order.
        parts: Pii<Vec<(Value, Value)>>,
    },
    /// A score.
    Rating {
        /// Of what.
        name: String,
        /// How many.
        score: i64,
        /// Least of the scale.
        min: i64,
        /// Most of the scale.
        max: i64,
    },
    /// Free words.
    Comment {
        /// On what.
        name: String,
        /// What was understood.
        text: Pii<String>,
        /// Themes found in them.
        themes: Vec<String>,
    },
    /// They are not to be called again.
    OptOut {
        /// Of everything, or of this campaign only.
        scope: String,
        /// The number that is closed.
        number: Pii<String>,
        /// In their words, or the key.
        said: Pii<String>,
    },
    /// They want to be called back.
    CallBack {
        /// When, by the plan's clock.
        at: Pii<Value>,
        /// Where; absent: the number of this call.
        number: Option<Pii<String>>,
    },
    /// A question that nobody could answer.
    Unanswered {
        /// In their words.
        question: Pii<String>,
    },
    /// A look-up, transfer or queue came to this.
    Errand {
        /// What it was, such as `http`.
        name: String,
        /// How it ended: `ok`, or the way it failed.
        end: String,
    },
    /// The caller was handed to a person, or nobody took them.
    Handed {
        /// Of which group.
        group: Option<String>,
        /// Who took them.
        agent: Option<String>,
        /// `served`, or why not; `hung_up` when the caller left first.
        end: String,
        /// How long they waited for that, in seconds.
        waited_s: u64,
        /// How long they talked.
        talked_s: u64,
    },
    /// Values a form brought together, but no secret ones.
    Form {
        /// By slot.
        values: Pii<BTreeMap<String, Value>>,
    },
}
