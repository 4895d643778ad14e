//! What `queue` and `transfer` share: what the person is told, and what is kept of how it went.

use std::time::Duration;

use super::Visit;
use crate::dialplan::compile::Compiler;
use crate::dialplan::condition::Condition;
use crate::dialplan::handover::{Brief, Handed};
use crate::dialplan::interpreter::line_of;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::Prompt;
use crate::dialplan::read::{self, Fields};
use crate::dialplan::scope::{View, readable};
use crate::pii::Pii;
use crate::value::Value;

/// What a person is told.
pub(super) const BRIEF_KEYS: &[Key] = &[
    key("briefing", Shape::Words, "What the person hears before they take the call."),
    key("intent", Shape::Line, "What the caller wants, in a word, for the person's screen."),
    key("verified", Shape::Condition, "Whether the caller has proved who they are."),
    key("tell", Shape::Lines, "Names of the values that the person gets."),
];
/// Most names in `tell`, and values told without it: what fits on a screen.
const TOLD: usize = 20;

/// How a person is told.
#[derive(Debug)]
pub struct Telling {
    briefing: Option<Prompt>,
    intent: Option<String>,
    verified: Option<Condition>,
    /// Names; `None`: everything that is no secret.
    tell: Option<Vec<String>>,
}

impl Telling {
    pub(super) fn compile(fields: &mut Fields, cx: &mut Compiler<'_>) -> Self {
        let briefing = cx.prompt_of(fields, "briefing");
        let intent = fields.read("intent", cx.findings, read::line).map(|intent| intent.value);
        let verified = fields.take("verified").and_then(|node| cx.condition(&node));
        let tell = fields.read("tell", cx.findings, read::lines);
        if let Some(many) = tell.as_ref().filter(|names| names.value.len() > TOLD) {
            let message = format!("nobody reads {} values before they say hello", many.value.len());
            cx.findings.error(many.at, message).help(format!("name {TOLD} at most"));
        }
        for name in tell.iter().flat_map(|names| &names.value) {
            cx.read_name(name);
        }
        let tell = tell.map(|names| names.value.into_iter().map(|name| readable(&name.value)).collect());
        Self { briefing, intent, verified, tell }
    }

    /// What they are told now.
    pub(super) fn brief(&self, visit: &mut Visit<'_>) -> Brief {
        let mut words = Vec::new();
        for language in self.briefing.iter().flat_map(|prompt| prompt.texts.keys()) {
            let Some(prompt) = &self.briefing else { break };
            let (line, fault) = line_of(prompt, View { scope: visit.scope, language, now: visit.now });
            visit.faults.extend(fault);
            words.push((language.clone(), Pii::new(line.text)));
        }
        let verified = self.verified.as_ref().map(|condition| match condition.holds(visit.view()) {
            Ok(verified) => verified,
            Err(why) => {
                visit.faults.push(format!("`{}` could not be told: {why}", condition.text()));
                false
            }
        });
        let named = |name: &str| self.tell.as_ref().is_none_or(|tell| tell.iter().any(|told| told == name));
        let slots = visit.scope.values().filter(|(name, _)| named(name)).take(TOLD);
        let slots = slots.map(|(name, value)| (name.to_owned(), Pii::new(value.clone()))).collect();
        Brief { words, intent: self.intent.clone(), verified, slots }
    }
}

/// Keeps how it went: under the step's name, and who it was as a fact of the call.
pub(super) fn keep(handed: &Handed, visit: &mut Visit<'_>) {
    let name = visit.step.rsplit('/').next().unwrap_or(visit.step).to_owned();
    visit.keep(&name, Value::text(handed.end.name()), false);
    if let Some(agent) = &handed.agent {
        visit.scope.set_fact("agent", Value::text(agent.as_str()));
    }
}

/// Whole minutes, at least one: nobody believes seconds.
pub(super) fn minutes(wait: Duration) -> i64 {
    i64::try_from(wait.as_secs().div_ceil(60).max(1)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use crate::dialplan::load::load_str;

    #[test]
    fn names_that_are_told_are_names_of_values_and_no_secrets() {
        let said = |tell: &str| {
            let plan = format!(
                "dialplan: 1\nstart: pin\ninputs: {{ customer-number: digits }}\ndefaults: {{ question: {{ go: $end }} }}\n\
                 steps:\n  pin: {{ ask: {{ prompt: Pin?, digits: 4, sensitive: true, go: desk }} }}\n  desk: {{ queue: {{ group: \
                 desk, tell: [{tell}], go: $end, overflow: $end }} }}\n"
            );
            match load_str("p.yaml", &plan) {
                Ok(loaded) => loaded.warnings.to_string(),
                Err(found) => found.to_string(),
            }
        };
        assert_eq!(said("customer-number"), "");
        assert!(said("custmer_number").contains("nothing ever sets `custmer_number`"), "{}", said("custmer_number"));
        assert!(said("pin").contains("`pin` is a secret"), "{}", said("pin"));
    }
}
