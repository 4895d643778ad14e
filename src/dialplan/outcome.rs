//! What came of a call besides its end, as typed facts: kept with the record, read by campaigns and exports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::pii::Pii;
use crate::spoken::heard::{Dialled, dialled};
use crate::value::Value;

/// The scope of an opt-out that holds for every plan and campaign.
pub const EVERYWHERE: &str = "global";

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The step it came of.
    pub step: String,
    /// What it is.
    #[serde(flatten)]
    pub kind: OutcomeKind,
}

impl Outcome {
    /// Is it an opt-out of this scope?
    pub fn closes(&self, scope: &str) -> bool {
        matches!(&self.kind, OutcomeKind::OptOut { scope: closed, .. } if closed == scope)
    }
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
        /// [`EVERYWHERE`], or the name of one plan or campaign.
        scope: String,
        /// The number that is closed; empty when it was withheld.
        number: Pii<String>,
        /// In their words, or the key.
        said: Pii<String>,
    },
    /// A message was left with us.
    Message {
        /// Its sound, in the data folder.
        file: PathBuf,
        /// How long it is.
        ms: u64,
    },
    /// A message was left with their machine, or not.
    Voicemail {
        /// Was it said whole?
        left: bool,
        /// Milliseconds of it that left us.
        played_ms: u64,
    },
    /// They want to be called back.
    CallBack {
        /// When, by the plan's clock.
        at: Pii<Value>,
        /// Until when it may be, where they said no time but a part of the day.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Pii<Value>>,
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

/// Words that stand where a number would, from telephones that keep theirs to themselves.
const WITHHELD: [&str; 6] = ["anonymous", "unknown", "restricted", "unavailable", "private", "withheld"];

/// A number without what people write between its digits, in E.164 where it says so: `tel:+1 (202) 555-0123` and
/// `0012025550123` are `+12025550123`. What is no number (a name in a SIP URI) keeps its letters, in lower case; of one
/// that was withheld nothing is left.
pub fn tidy_number(number: &str) -> String {
    let number = number.trim();
    let number = number.strip_prefix("tel:").unwrap_or(number);
    let number = number.split([';', '@']).next().unwrap_or(number);
    let bare: String = number.chars().filter(|letter| !matches!(letter, ' ' | '-' | '.' | '(' | ')' | '/')).collect();
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let name = number.trim().to_lowercase();
        return if WITHHELD.contains(&name.as_str()) { String::new() } else { name };
    }
    match bare.strip_prefix("00") {
        // ITU-T E.123: the usual prefix of an international call.
        Some(international) if international.len() >= SHORTEST_INTERNATIONAL => format!("+{international}"),
        _ => bare,
    }
}

/// The same number, complete with its country where that is left out: `(202) 555-0123`, dialled in the `US`, is
/// `+12025550123`. One that is not complete in that region, such as an extension, stays as it is.
pub fn number_in(number: &str, region: Option<&str>) -> String {
    let tidy = tidy_number(number);
    let Some(region) = region.filter(|_| tidy.bytes().all(|byte| byte.is_ascii_digit()) && !tidy.is_empty()) else {
        return tidy;
    };
    if matches!(region, "US" | "CA")
        && let Some(international) = tidy.strip_prefix(NORTH_AMERICAN_EXIT)
        && international.len() >= SHORTEST_INTERNATIONAL
    {
        return format!("+{international}");
    }
    match dialled(&tidy, false, region) {
        Dialled::Number(complete, sure) if sure >= COMPLETE && complete.starts_with('+') => complete,
        _ => tidy,
    }
}

/// What North Americans dial before the number of another country.
const NORTH_AMERICAN_EXIT: &str = "011";
/// Digits less likely than this to be a number of their region are left alone. 0..1.
const COMPLETE: f32 = 0.9;
/// Digits of the shortest number that a country and a subscriber in it make.
const SHORTEST_INTERNATIONAL: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_its_country_is_the_one_with_it() {
        for (number, region, expect) in [
            ("(202) 555-0123", "US", "+12025550123"),
            ("12025550123", "US", "+12025550123"),
            ("+12025550123", "CN", "+12025550123"),
            ("011 44 20 7946 0000", "US", "+442079460000"),
            ("13800138000", "CN", "+8613800138000"),
            ("010-6552-9988", "CN", "+861065529988"),
            ("020 7946 0000", "GB", "+442079460000"),
            // No number of the region: an extension, a service, a name, nothing.
            ("1001", "US", "1001"),
            ("0125550123", "US", "0125550123"),
            ("95588", "CN", "95588"),
            ("alice", "US", "alice"),
            ("anonymous", "US", ""),
        ] {
            assert_eq!(number_in(number, Some(region)), expect, "{number} in {region}");
        }
        assert_eq!(number_in("(202) 555-0123", None), "2025550123");
    }
}
