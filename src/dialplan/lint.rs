//! Judges a plan that compiles: what will its callers, or whoever answers for it, regret?
//!
//! A loop in which nobody is asked anything is an error, and so is one a silent caller never leaves: such a call
//! would last until somebody pulled the plug. Everything else is a warning or a note.

use std::collections::BTreeSet;

use super::diagnostic::{Findings, Span};
use super::fill::{Variables, fill};
use super::plan::{Menu, Plan, Question, Step, StepIx, StepKind, Target};
use super::read::Localized;
use super::schema;
use crate::language::Language;

/// More than callers can keep in mind while they listen.
const MAX_OPTIONS: usize = 5;
/// About 25 seconds at the pace of a telephone voice.
const MAX_WORDS: usize = 60;
/// The same for scripts written without spaces.
const MAX_CHARACTERS: usize = 110;
/// Payment cards have 13 digits or more (ISO/IEC 7812).
const CARD_DIGITS: usize = 13;

/// Adds what it thinks of `plan`, which was compiled from `written`: the steps of both are in the same order.
pub(super) fn judge(plan: &Plan, written: &schema::Plan, findings: &mut Findings) {
    if plan.steps.is_empty() {
        return;
    }
    loops(plan, written, findings);
    unreachable(plan, written, findings);
    for (step, compiled) in written.steps.iter().zip(&plan.steps) {
        match (&step.kind, &compiled.kind) {
            (Some(schema::Kind::Say(say)), _) if !say.protected => texts(say.text.iter(), plan, findings),
            (Some(schema::Kind::Menu(menu)), StepKind::Menu(compiled)) => {
                texts(question_texts(&menu.question), plan, findings);
                self::menu(step, menu, compiled, plan, findings);
            }
            (Some(schema::Kind::Ask(ask)), _) => {
                texts(question_texts(&ask.question), plan, findings);
                self::ask(step, ask, findings);
            }
            (Some(schema::Kind::Hangup(hangup)), _) => texts(hangup.text.iter(), plan, findings),
            _ => {}
        }
    }
    texts(written.defaults.question.reprompt.iter().flatten(), plan, findings);
    texts(written.phrases.iter().map(|(_, text)| text), plan, findings);
}

/// What a caller does that leads on in exactly one way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Says nothing, ever.
    Silent,
    /// Is never understood: a television, a bad line.
    Unintelligible,
}

fn loops(plan: &Plan, written: &schema::Plan, findings: &mut Findings) {
    let silent = cycles(plan, Caller::Silent);
    for cycle in &silent {
        let first = name_span(written, cycle[0]);
        let route = route(plan, cycle);
        if cycle.iter().any(|place| plan.step(*place).kind.question().is_some()) {
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
            .warn(name_span(written, cycle[0]), format!("noise is never taken for an end: {}", route(plan, cycle)))
            .help("lead on after a few tries: `no_match: $repeat` counts them");
    }
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

/// The step after this one; `None` when the call ends or goes back to an earlier question.
fn led_to(step: &Step, here: StepIx, caller: Caller) -> Option<StepIx> {
    let (target, staying) = match (&step.kind, caller) {
        (StepKind::Say(say), _) => (say.go, Some(here)),
        (StepKind::Goto(target), _) => (*target, Some(here)),
        (StepKind::Hangup(_), _) => return None,
        (StepKind::Menu(Menu { question, .. }), Caller::Silent) => (question.no_input, used_up(question)),
        (StepKind::Menu(Menu { question, reject_go, .. }), Caller::Unintelligible) => {
            (reject_go.unwrap_or(question.no_match), used_up(question))
        }
        (StepKind::Ask(ask), Caller::Silent) => (ask.question.no_input, used_up(&ask.question)),
        (StepKind::Ask(ask), Caller::Unintelligible) => (ask.question.no_match, used_up(&ask.question)),
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

/// `a` → `b` → `a`.
fn route(plan: &Plan, cycle: &[StepIx]) -> String {
    let names = cycle.iter().chain(&cycle[..1]).map(|place| format!("`{}`", plan.step(*place).name));
    names.collect::<Vec<_>>().join(" → ")
}

fn unreachable(plan: &Plan, written: &schema::Plan, findings: &mut Findings) {
    let mut reached = BTreeSet::from([plan.start]);
    let mut waiting = vec![plan.start];
    while let Some(place) = waiting.pop() {
        for target in exits(plan.step(place)) {
            if let Target::Step(next) = target
                && reached.insert(next)
            {
                waiting.push(next);
            }
        }
    }
    for place in (0..plan.steps.len()).map(StepIx).filter(|place| !reached.contains(place)) {
        findings
            .warn(name_span(written, place), format!("nothing leads to step `{}`", plan.step(place).name))
            .help("lead to it with a `go:`, or remove it");
    }
}

/// Everywhere a call may go from here.
fn exits(step: &Step) -> Vec<Target> {
    let mut exits = vec![step.hangup];
    if let Some(question) = step.kind.question() {
        let universals = question.universals;
        exits.extend([question.no_input, question.no_match, question.exhausted, question.error]);
        exits.extend([universals.operator, universals.repeat, universals.back].into_iter().flatten());
    }
    match &step.kind {
        StepKind::Say(say) => exits.push(say.go),
        StepKind::Menu(menu) => exits.extend(menu.options.iter().map(|option| option.go).chain(menu.reject_go)),
        StepKind::Ask(ask) => exits.push(ask.go),
        StepKind::Goto(target) => exits.push(*target),
        StepKind::Hangup(_) => {}
    }
    exits
}

fn menu(step: &schema::Step, menu: &schema::Menu, compiled: &Menu, plan: &Plan, findings: &mut Findings) {
    let count = menu.options.len();
    if count > MAX_OPTIONS {
        let message =
            format!("menu `{}` has {count} options, callers keep about {MAX_OPTIONS} in mind", step.name.value);
        findings.warn(step.name.at, message).help("put the rarer ones into a menu of their own");
    }
    let said: Vec<&super::plan::Prompt> =
        std::iter::once(&compiled.question.prompt).chain(&compiled.question.reprompts).collect();
    for (choice, option) in menu.options.iter().zip(&compiled.options) {
        let Some(key) = &choice.key else { continue };
        let face = key.value.face();
        if face == '0' && compiled.question.universals.operator.is_some_and(|operator| operator != option.go) {
            findings
                .warn(key.at, format!("key 0 reaches a person everywhere else, here it is option `{}`", option.name))
                .help("give this option another key");
        }
        let unsaid: Vec<&str> = plan
            .languages
            .iter()
            .filter(|language| {
                !said
                    .iter()
                    .any(|prompt| prompt.texts.get(*language).is_none_or(|text| names_key(text, face, language)))
            })
            .map(Language::as_str)
            .collect();
        if !unsaid.is_empty() {
            let message = format!("no prompt tells the caller about key {face} ({})", unsaid.join(", "));
            findings.note(key.at, message).help(format!("say it in a `reprompt`: “for …, press {face}”"));
        }
    }
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

fn ask(step: &schema::Step, ask: &schema::Ask, findings: &mut Findings) {
    if !ask.sensitive && ask.digits.is_some_and(|(_, max)| max >= CARD_DIGITS) {
        findings
            .warn(
                step.name.at,
                format!("ask `{}` takes numbers as long as a payment card and keeps them", step.name.value),
            )
            .help("add `sensitive: true`, so that they stay out of transcripts");
    }
}

fn question_texts(question: &schema::Question) -> impl Iterator<Item = &schema::Text> {
    question.prompt.iter().chain(question.reprompt.iter().flatten())
}

fn texts<'a>(texts: impl Iterator<Item = &'a schema::Text>, plan: &Plan, findings: &mut Findings) {
    for text in texts {
        match &text.text {
            Localized::One(line) => one_text(&line.value, &plan.languages[0], line.at, findings),
            Localized::Each(_, each) => {
                each.iter().for_each(|(language, line)| one_text(&line.value, language, line.at, findings));
            }
        }
    }
}

fn one_text(text: &str, language: &Language, at: Span, findings: &mut Findings) {
    let spaced = !matches!(language.primary(), "zh" | "cmn" | "ja" | "th");
    let (length, most, unit) = match spaced {
        true => (text.split_whitespace().count(), MAX_WORDS, "words"),
        false => (text.chars().count(), MAX_CHARACTERS, "characters"),
    };
    if length > most {
        findings
            .warn(at, format!("{length} {unit} are some {} seconds to listen to", length * 25 / most))
            .help(format!("stay within {most} {unit}, or make it a `say` with `protected: true` if the law wants it"));
    }
    let bare = fill(text, &Variables::new());
    if bare.contains("{{") || bare.contains("</") || bare.contains("/>") {
        findings.warn(at, "this markup is spoken as it stands").help(
            "`{{ name }}` is filled with what is known of the person; filters and SSML are not part of this version",
        );
    }
}

fn name_span(written: &schema::Plan, place: StepIx) -> Span {
    written.steps[place.0].name.at
}
