//! What `ask`, `menu` and `defaults.question` have in common, as it is written.

use std::time::Duration;

use super::super::diagnostic::{Findings, Spanned};
use super::super::key::{Key, Shape, key};
use super::super::read::{self, Fields};
use super::super::yaml::{Node, Value};
use super::{Target, Text, text};
use crate::media::BargeIn;

/// What every question and `defaults.question` share.
pub(in crate::dialplan) const QUESTION_KEYS: &[Key] = &[
    key("reprompt", Shape::Texts, "Asked instead of the prompt the second, third… time."),
    key("barge_in", Shape::Word(&["off", "keys", "speech"]), "What of the caller stops the prompt."),
    key("wait", Shape::Time, "Silence after the prompt that counts as no answer."),
    key(
        "tries",
        Shape::Either(&[Shape::Count(1, MAX_TRIES), Shape::Keys(TRIES_KEYS)]),
        "How often it is asked before it is given up.",
    ),
    key("complete", Shape::Time, "Silence that ends an answer whose meaning is complete."),
    key("incomplete", Shape::Time, "Silence that ends an answer which could still grow."),
    key("no_input", Shape::Target, "Where to go when the caller says nothing."),
    key("no_match", Shape::Target, "Where to go when the words fit nothing."),
    key("error", Shape::Target, "Where to go when speech cannot be recognised."),
    key("hangup", Shape::Target, "Where the call stands when the caller hangs up here."),
    key(
        "language",
        Shape::Word(LANGUAGES),
        "`any`: answers are understood in every language of the plan, and the call goes on in that one.",
    ),
    key("universals", Shape::Keys(UNIVERSALS_KEYS), "Wishes understood at every question."),
];
/// `defaults.question` has these besides.
pub(super) const DEFAULTS_QUESTION_KEYS: &[Key] =
    &[key("go", Shape::Target, "Where to go when the tries of a question are used up.")];
pub(super) const UNIVERSALS_KEYS: &[Key] = &[
    key("operator", Shape::Wish, "“A person, please.”"),
    key("repeat", Shape::Wish, "“Say that again.”"),
    key("back", Shape::Wish, "“Go back.”"),
    key("stop", Shape::Wish, "“Stop calling me.”"),
];
const TRIES_KEYS: &[Key] = &[
    key("max", Shape::Count(1, MAX_TRIES), "How often it is asked."),
    key("go", Shape::Target, "Where to go when they are used up."),
];

/// In which languages a question listens.
const LANGUAGES: &[&str] = &["own", "any"];
/// Most askings of one question: nobody stays longer, and the law calls it harassment.
const MAX_TRIES: usize = 10;
/// Bounds of `wait`: below nobody can answer, above the caller thinks the line is dead.
const WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// Bounds of `complete` and `incomplete`.
const SILENCE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

#[derive(Clone, Debug, Default)]
pub(in crate::dialplan) struct Question {
    pub prompt: Option<Text>,
    pub reprompt: Option<Vec<Text>>,
    pub barge_in: Option<Spanned<BargeIn>>,
    pub wait: Option<Spanned<Duration>>,
    pub tries: Option<u32>,
    /// Where to go when the tries are used up.
    pub exhausted: Option<Target>,
    pub complete: Option<Spanned<Duration>>,
    pub incomplete: Option<Spanned<Duration>>,
    pub no_input: Option<Target>,
    pub no_match: Option<Target>,
    pub error: Option<Target>,
    pub any_language: Option<bool>,
    pub universals: Universals,
    pub hangup: Option<Target>,
}

#[derive(Clone, Debug, Default)]
pub(in crate::dialplan) struct Universals {
    pub operator: Option<Wish>,
    pub repeat: Option<Wish>,
    pub back: Option<Wish>,
    pub stop: Option<Wish>,
}

impl Question {
    /// What it leaves out is as `base` has it, but for what is asked.
    pub fn over(self, base: &Self) -> Self {
        Self {
            prompt: self.prompt,
            reprompt: self.reprompt,
            barge_in: self.barge_in.or_else(|| base.barge_in.clone()),
            wait: self.wait.or_else(|| base.wait.clone()),
            tries: self.tries.or(base.tries),
            exhausted: self.exhausted.or_else(|| base.exhausted.clone()),
            complete: self.complete.or_else(|| base.complete.clone()),
            incomplete: self.incomplete.or_else(|| base.incomplete.clone()),
            no_input: self.no_input.or_else(|| base.no_input.clone()),
            no_match: self.no_match.or_else(|| base.no_match.clone()),
            error: self.error.or_else(|| base.error.clone()),
            any_language: self.any_language.or(base.any_language),
            universals: Universals {
                operator: self.universals.operator.or_else(|| base.universals.operator.clone()),
                repeat: self.universals.repeat.or_else(|| base.universals.repeat.clone()),
                back: self.universals.back.or_else(|| base.universals.back.clone()),
                stop: self.universals.stop.or_else(|| base.universals.stop.clone()),
            },
            hangup: self.hangup.or_else(|| base.hangup.clone()),
        }
    }
}

/// A universal wish, or `off`.
#[derive(Clone, Debug)]
pub(in crate::dialplan) enum Wish {
    Off,
    Go(Target),
}

/// The keys every question shares.
pub(in crate::dialplan) fn question(fields: &mut Fields, findings: &mut Findings) -> Question {
    let (tries, exhausted) = match fields.take("tries") {
        Some(node) => self::tries(node, findings),
        None => (None, None),
    };
    Question {
        prompt: None,
        reprompt: fields.read("reprompt", findings, reprompts),
        barge_in: fields.read("barge_in", findings, read::barge_in),
        wait: fields.read("wait", findings, |node, findings| read::time(node, WAIT.0..=WAIT.1, findings)),
        tries,
        exhausted,
        complete: fields.read("complete", findings, silence),
        incomplete: fields.read("incomplete", findings, silence),
        no_input: fields.read("no_input", findings, read::target),
        no_match: fields.read("no_match", findings, read::target),
        error: fields.read("error", findings, read::target),
        any_language: fields
            .read("language", findings, |node, findings| read::word(node, "`language`", LANGUAGES, findings))
            .map(|word| word.value == "any"),
        universals: universals(fields, findings),
        hangup: fields.read("hangup", findings, read::target),
    }
}

fn silence(node: &Node, findings: &mut Findings) -> Option<Spanned<Duration>> {
    read::time(node, SILENCE.0..=SILENCE.1, findings)
}

/// `tries: 3`, or `tries: { max: 3, go: agent }`.
fn tries(node: Node, findings: &mut Findings) -> (Option<u32>, Option<Target>) {
    let count = |node: &Node, findings: &mut Findings| {
        read::count(node, "`tries`", 1..=MAX_TRIES, findings).map(|tries| tries.value as u32)
    };
    if let Value::Scalar { .. } = node.value {
        return (count(&node, findings), None);
    }
    match Fields::open(node, "`tries`", &[TRIES_KEYS], findings) {
        Some(mut fields) => (fields.read("max", findings, count), fields.read("go", findings, read::target)),
        None => (None, None),
    }
}

/// `go:` of a menu or of `defaults.question` is where to go when the tries are used up.
pub(in crate::dialplan) fn exhausted_go(fields: &mut Fields, question: &mut Question, findings: &mut Findings) {
    let Some(go) = fields.read("go", findings, read::target) else { return };
    if question.exhausted.is_some() {
        findings
            .error(go.at, "the way out when tries are used up is written twice")
            .help("keep either `go:` or `tries: { go: … }`");
    }
    question.exhausted = Some(go);
}

pub(super) fn universals(fields: &mut Fields, findings: &mut Findings) -> Universals {
    let Some(node) = fields.take("universals") else { return Universals::default() };
    let Some(mut fields) = Fields::open(node, "`universals`", &[UNIVERSALS_KEYS], findings) else {
        return Universals::default();
    };
    let wish = |node: &Node, findings: &mut Findings| {
        read::target(node, findings).map(|go| if go.value == "off" { Wish::Off } else { Wish::Go(go) })
    };
    Universals {
        operator: fields.read("operator", findings, wish),
        repeat: fields.read("repeat", findings, wish),
        back: fields.read("back", findings, wish),
        stop: fields.read("stop", findings, wish),
    }
}

fn reprompts(node: &Node, findings: &mut Findings) -> Option<Vec<Text>> {
    match &node.value {
        Value::List(items) => Some(items.iter().filter_map(|item| text(item, findings)).collect()),
        _ => text(node, findings).map(|one| vec![one]),
    }
}
