//! What the law of calling people asks of a plan, as far as the plan alone can tell: who is calling is said first, and
//! nothing about a debt before it is known who listens.
//!
//! Campaigns bring the rules of their own regions; these two hold for every plan that calls people about something
//! (DESIGN of the house rules; Reg F, 12 CFR 1006.6(d) and 1006.18(e); EU AI Act Art. 50).

use std::collections::{BTreeMap, BTreeSet};

use crate::dialplan::diagnostic::{Findings, Span};
use crate::dialplan::plan::{Plan, Prompt, StepIx, Target};
use crate::dialplan::template;
use crate::language::Language;
use crate::value::Sort;

/// Words of plans that call people.
const CALLING: [&str; 5] = ["verify", "promise", "optout", "rate", "voicemail"];
/// Words of plans that call people about what they owe; one of these may well have forgotten its `verify`.
const ABOUT_DEBTS: [&str; 3] = ["verify", "promise", "optout"];
/// Words that speak of a debt.
const DEBT: [(&str, &[&str]); 2] = [
    (
        "en",
        &[
            "debt",
            "owe",
            "owed",
            "owing",
            "overdue",
            "past due",
            "collect",
            "collection",
            "outstanding",
            "arrears",
            "delinquent",
        ],
    ),
    ("zh", &["欠", "债", "逾期", "催收", "还款", "拖欠", "未还"]),
];
/// Words that say that no person is talking, or that the call is recorded.
const DISCLOSURE: [(&str, &[&str]); 2] = [
    ("en", &["automated", "virtual", "robot", "recorded", "artificial", "digital assistant"]),
    ("zh", &["机器人", "智能", "自动", "录音", "虚拟", "人工智能"]),
];

/// Warns of both.
pub fn judge(plan: &Plan, at: impl Fn(StepIx) -> Span, findings: &mut Findings) {
    let calls = plan.steps.iter().any(|step| CALLING.contains(&step.word));
    if !calls {
        return;
    }
    disclosure(plan, &at, findings);
    if plan.steps.iter().any(|step| ABOUT_DEBTS.contains(&step.word)) {
        debt_before_verify(plan, &at, findings);
    }
}

/// The first thing that is said must say who is talking, and be heard whole.
fn disclosure(plan: &Plan, at: &impl Fn(StepIx) -> Span, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![plan.start];
    while let Some(place) = waiting.pop() {
        if !seen.insert(place) {
            continue;
        }
        let step = plan.step(place);
        let prompts = step.prompts();
        // A message for a machine has wording of its own.
        if prompts.is_empty() || step.word == "voicemail" {
            waiting.extend(step.kind.exits().into_iter().filter_map(|(_, target)| step_of(target)));
            continue;
        }
        let protected = step.is::<crate::dialplan::step::say::Say>().is_some_and(|say| say.protected);
        let missing: Vec<&str> = plan
            .languages
            .iter()
            .filter(|language| !prompts.iter().any(|prompt| speaks_of(prompt, language, &DISCLOSURE)))
            .map(Language::as_str)
            .collect();
        if !protected || !missing.is_empty() {
            let name = &step.name;
            let message = match missing.is_empty() {
                true => format!("`{name}` says first who is calling, and may be interrupted"),
                false => format!(
                    "`{name}` is said first and does not say that the caller is automated ({})",
                    missing.join(", ")
                ),
            };
            findings
                .regret(at(place), message)
                .help("begin with a `say` that is `protected: true` and says who is calling, and that it is no person");
        }
    }
}

/// From the start to wherever one comes without passing `verify`.
fn debt_before_verify(plan: &Plan, at: &impl Fn(StepIx) -> Span, findings: &mut Findings) {
    let money: BTreeSet<&str> = plan
        .inputs
        .iter()
        .filter(|input| matches!(input.sort, Sort::Amount(_)))
        .map(|input| input.name.as_str())
        .collect();
    let mut reached: BTreeMap<StepIx, ()> = BTreeMap::new();
    let mut waiting = vec![plan.start];
    while let Some(place) = waiting.pop() {
        if reached.insert(place, ()).is_some() {
            continue;
        }
        let step = plan.step(place);
        let ways = step.exits().into_iter().filter(|(name, _)| step.word != "verify" || name != "passed");
        waiting.extend(ways.filter_map(|(_, target)| step_of(target)));
        let told = step.prompts().into_iter().find_map(|prompt| debt_in(prompt, &plan.languages, &money));
        if let Some(what) = told {
            findings
                .regret(at(place), format!("`{}` speaks of {what} before it is known who listens", step.name))
                .help("lead there from the `passed` of a `verify` only; until then say nothing that shows a debt");
        }
    }
}

fn debt_in(prompt: &Prompt, languages: &[Language], money: &BTreeSet<&str>) -> Option<String> {
    for (language, text) in &prompt.texts {
        if let Some(name) = template::names(text).into_iter().find(|name| money.contains(name.as_str())) {
            return Some(format!("`{name}`"));
        }
        if let Some(word) = languages.contains(language).then(|| word_in(text, language, &DEBT)).flatten() {
            return Some(format!("“{word}”"));
        }
    }
    None
}

fn speaks_of(prompt: &Prompt, language: &Language, words: &[(&str, &'static [&'static str])]) -> bool {
    let known = words.iter().any(|(tag, _)| *tag == language.primary());
    let text = prompt.texts.get(language);
    !known || text.is_some_and(|text| word_in(text, language, words).is_some())
}

fn word_in(text: &str, language: &Language, words: &[(&str, &'static [&'static str])]) -> Option<&'static str> {
    let (_, words) = words.iter().find(|(tag, _)| *tag == language.primary())?;
    let text = template::without_braces(text).to_lowercase();
    let spaced = language.primary() == "en";
    let bare: String = text.chars().map(|letter| if letter.is_alphanumeric() { letter } else { ' ' }).collect();
    let padded = format!(" {} ", bare.split_whitespace().collect::<Vec<_>>().join(" "));
    words.iter().copied().find(|word| if spaced { padded.contains(&format!(" {word} ")) } else { text.contains(word) })
}

const fn step_of(target: Target) -> Option<StepIx> {
    match target {
        Target::Step(place) => Some(place),
        Target::Repeat | Target::Back | Target::End => None,
    }
}
