//! Judges a plan that compiles: what will its callers, or whoever answers for it, regret?
//!
//! A loop in which nobody is asked anything is an error, and so is one a silent caller never leaves: such a call
//! would last until somebody pulled the plug. Everything else is a warning or a note.

mod alike;
mod lawful;
mod rounds;

use std::collections::BTreeSet;

use super::compile::Compiler;
use super::diagnostic::{Findings, Span, Spanned};
use super::plan::{Plan, Prompt, Question, Step, StepIx, Target};
use super::schema;
use super::step::menu::{Choice, Menu};
use super::template::without_braces;
use crate::language::Language;
use crate::spoken::markup;

/// More than callers can keep in mind while they listen.
const MAX_OPTIONS: usize = 5;
/// About 20 seconds at the pace of a telephone voice.
const MAX_WORDS: usize = 48;
/// The same for scripts written without spaces.
const MAX_CHARACTERS: usize = 88;
/// Steps of a ring that are named.
const MAX_ROUTE: usize = 12;
/// Payment cards have 13 digits or more (ISO/IEC 7812).
const CARD_DIGITS: usize = 13;

/// Adds what it thinks of `plan`, whose own steps were compiled from `written`, in the same order.
pub(super) fn judge(plan: &Plan, written: &schema::Plan, findings: &mut Findings) {
    if plan.steps.is_empty() {
        return;
    }
    let known = loops(plan, written, findings);
    rounds::judge(plan, &known, |place| name_span(plan, written, place), findings);
    unreachable(plan, written, findings);
    lawful::judge(plan, |place| name_span(plan, written, place), findings);
}

/// What a caller does that leads on in exactly one way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Says nothing, ever.
    Silent,
    /// Is never understood: a television, a bad line.
    Unintelligible,
}

/// Rings in which the next step never depends on anything; gives back their steps.
fn loops(plan: &Plan, written: &schema::Plan, findings: &mut Findings) -> BTreeSet<StepIx> {
    let silent = cycles(plan, Caller::Silent);
    for cycle in &silent {
        let first = name_span(plan, written, cycle[0]);
        let route = route(plan, cycle);
        if cycle.iter().any(|place| !plan.step(*place).kind.quests().is_empty()) {
            findings
                .error(first, format!("a caller who says nothing never leaves: {route}"))
                .help("let one of these lead on when it hears nothing: `tries: { max: 3, go: … }` or `no_input: …`");
        } else {
            findings
                .error(first, format!("this goes round for ever and never asks: {route}"))
                .help("let one of these `go:` to a question, to a `hangup` step or to `$end`");
        }
    }
    for cycle in cycles(plan, Caller::Unintelligible).iter().filter(|cycle| !silent.contains(cycle)) {
        findings
            .warn(
                name_span(plan, written, cycle[0]),
                format!("noise is never taken for an end: {}", route(plan, cycle)),
            )
            .help("lead on after a few tries: `no_match: $repeat` counts them");
    }
    silent.into_iter().flatten().collect()
}

/// The rings in the graph of where such a caller is led, each from its first step in file order.
fn cycles(plan: &Plan, caller: Caller) -> Vec<Vec<StepIx>> {
    let mut settled = BTreeSet::new();
    let mut cycles = Vec::new();
    for start in (0..plan.steps.len()).map(StepIx) {
        let mut path: Vec<StepIx> = Vec::new();
        let mut here = Some(start);
        while let Some(place) = here.filter(|place| !settled.contains(place)) {
            if let Some(entry) = path.iter().position(|seen| *seen == place) {
                let mut ring = path[entry..].to_vec();
                let first = ring.iter().enumerate().min_by_key(|(_, place)| **place).map_or(0, |(turn, _)| turn);
                ring.rotate_left(first);
                cycles.push(ring);
                break;
            }
            path.push(place);
            here = led_to(plan.step(place), place, caller);
        }
        settled.extend(path);
    }
    cycles
}

/// The step after this one; `None` when the call ends, goes back to an earlier question, or it depends on more than the
/// caller.
fn led_to(step: &Step, here: StepIx, caller: Caller) -> Option<StepIx> {
    let onward = step.kind.onward().filter(|_| caller == Caller::Silent || step.kind.quests().is_empty());
    let (target, staying) = match step.kind.quests().first() {
        None => (onward?, Some(here)),
        // It takes silence for an answer.
        Some(_) if onward.is_some() => (onward?, Some(here)),
        Some(quest) => {
            let question = &quest.question;
            let rejected = step.is::<Menu>().and_then(|menu| menu.reject_go);
            let target = match caller {
                Caller::Silent => question.no_input,
                Caller::Unintelligible => rejected.unwrap_or(question.no_match),
            };
            (target, used_up(question))
        }
    };
    match target {
        Target::Step(place) => Some(place),
        Target::Repeat => staying,
        Target::Back | Target::End => None,
    }
}

fn used_up(question: &Question) -> Option<StepIx> {
    match question.exhausted {
        Target::Step(place) => Some(place),
        Target::Repeat | Target::Back | Target::End => None,
    }
}

/// `a` → `b` → `a`; of a long way only the beginning.
fn route(plan: &Plan, cycle: &[StepIx]) -> String {
    let name = |place: &StepIx| format!("`{}`", plan.step(*place).name);
    let mut names: Vec<String> = cycle.iter().take(MAX_ROUTE).map(name).collect();
    if cycle.len() > MAX_ROUTE {
        names.push(format!("… ({} more)", cycle.len() - MAX_ROUTE));
    }
    names.extend(cycle.first().map(name));
    names.join(" → ")
}

fn unreachable(plan: &Plan, written: &schema::Plan, findings: &mut Findings) {
    let mut reached = BTreeSet::from([plan.start]);
    let mut waiting = vec![plan.start];
    while let Some(place) = waiting.pop() {
        for (_, target) in plan.step(place).exits() {
            if let Target::Step(next) = target
                && reached.insert(next)
            {
                waiting.push(next);
            }
        }
    }
    // Of a sub-plan only a part may be wanted here.
    let own = (0..written.steps.len()).map(StepIx);
    for place in own.filter(|place| !reached.contains(place)) {
        findings
            .warn(name_span(plan, written, place), format!("nothing leads to step `{}`", plan.step(place).name))
            .help("lead to it with a `go:`, or remove it");
    }
}

/// A menu, before its plan is whole.
pub(super) fn menu(choices: &[Choice], question: &Question, cx: &mut Compiler<'_>) {
    // What has no key is not read out: callers come to it by their own words.
    let count = choices.iter().filter(|choice| choice.key.is_some()).count();
    if count > MAX_OPTIONS {
        let message = format!("{} offers {count} options, callers keep about {MAX_OPTIONS} in mind", cx.owner());
        cx.findings.regret(cx.at(), message).help("put the rarer ones into a menu of their own");
    }
    let said: Vec<&Prompt> = std::iter::once(&question.prompt).chain(&question.reprompts).collect();
    for choice in choices {
        let Some(key) = &choice.key else { continue };
        let (face, name) = (key.value.face(), &choice.name.value);
        if face == '0' && question.universals.operator.is_some_and(|operator| operator != choice.go) {
            cx.findings
                .regret(key.at, format!("key 0 reaches a person everywhere else, here it is option `{name}`"))
                .help("give this option another key");
        }
        let unsaid: Vec<String> = cx
            .languages()
            .iter()
            .filter(|language| {
                !said
                    .iter()
                    .any(|prompt| prompt.texts.get(*language).is_none_or(|text| names_key(text, face, language)))
            })
            .map(ToString::to_string)
            .collect();
        if !unsaid.is_empty() {
            let message = format!("no prompt tells the caller about key {face} ({})", unsaid.join(", "));
            cx.findings.remark(key.at, message).help(format!("say it in a `reprompt`: “for …, press {face}”"));
        }
    }
}

/// The phrases of a menu's options, in one language.
pub(super) fn phrases(phrases: &[(usize, Spanned<String>)], language: &Language, findings: &mut Findings) {
    alike::judge(phrases, language, findings);
}

/// Does the text speak of this key, as a figure or as a word? Languages we have no words for are not judged.
fn names_key(text: &str, face: char, language: &Language) -> bool {
    const ENGLISH: [&str; 12] =
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "star", "hash"];
    const MANDARIN: [&str; 12] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "星", "井"];
    let Some(place) = "0123456789*#".find(face) else { return true };
    let lower = text.to_lowercase();
    let mut words = lower.split(|letter: char| !letter.is_alphanumeric() && letter != '*' && letter != '#');
    match language.primary() {
        "en" => {
            words.any(|word| word == ENGLISH[place] || word == face.to_string() || (face == '#' && word == "pound"))
        }
        "zh" | "cmn" => text.contains(MANDARIN[place]) || text.contains(face),
        _ => true,
    }
}

/// Digits asked for, at most so many.
pub(super) fn digits(most: usize, sensitive: bool, cx: &mut Compiler<'_>) {
    if !sensitive && most >= CARD_DIGITS {
        let message = format!("{} takes numbers as long as a payment card and keeps them", cx.owner());
        cx.findings.regret(cx.at(), message).help("add `sensitive: true`, so that they stay out of transcripts");
    }
}

/// Is a text too long to listen to?
pub(super) fn length(text: &str, language: &Language, at: Span, findings: &mut Findings) {
    let bare = without_braces(text);
    let text = &*markup::plain(&bare);
    let spaced = !matches!(language.primary(), "zh" | "cmn" | "ja" | "th");
    let (length, most, unit) = match spaced {
        true => (text.split_whitespace().count(), MAX_WORDS, "words"),
        false => (text.chars().count(), MAX_CHARACTERS, "characters"),
    };
    if length > most {
        findings
            .regret(at, format!("{length} {unit} are some {} seconds to listen to", length * 20 / most))
            .help(format!("stay within {most} {unit}, or make it a `say` with `protected: true` if the law wants it"));
    }
}

/// Where the name of a step stands; one of a plan that is run, in that plan's file.
fn name_span(plan: &Plan, written: &schema::Plan, place: StepIx) -> Span {
    let Step { file, at: (line, column), .. } = *plan.step(place);
    let elsewhere = || Span { file, line, column, ..Span::default() };
    written.steps.get(place.0).map_or_else(elsewhere, |step| step.name.at)
}
