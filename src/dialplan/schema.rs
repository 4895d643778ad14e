//! A dial plan as it is written: what stands around its steps.
//!
//! This is the outside format. Every value has been read and keeps its place; what is left out is still left out,
//! targets are still names, steps are still trees. [`compile`](super::compile) turns it into a plan, and each step
//! ([`step`](super::step)) reads its own keys.

mod calendars;
mod question;

use question::{DEFAULTS_QUESTION_KEYS, universals};
pub(super) use question::{QUESTION_KEYS, Question, Universals, Wish, exhausted_go, question};

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::diagnostic::{Findings, Span, Spanned, listed, nearest};
use super::key::{Key, Shape, key, names};
use super::plan::PlanInput;
use super::read::{self, Fields, Localized};
use super::scope::{RESERVED_NAMES, readable};
use super::step::WORDS;
use super::yaml::{Node, Value};
use crate::language::Language;
use crate::media::BargeIn;
use crate::routing::Calendar;
use crate::value::{SORTS, Sort};

/// The keys of a file.
pub(super) const PLAN_KEYS: &[Key] = &[
    key("dialplan", Shape::Count(1, 1), "The version of the language."),
    key("name", Shape::Line, "What records call the plan; the file's name if left out."),
    key("languages", Shape::Lines, "The languages it speaks; the first is the default."),
    key("zone", Shape::Line, "Whose clock and calendar it lives by, such as America/New_York."),
    key("include", Shape::Lines, "Files whose steps and phrases are this plan's too."),
    key(
        "inputs",
        Shape::Named(&Shape::Either(&[Shape::Line, Shape::Keys(INPUT_KEYS)])),
        "What is known before a call.",
    ),
    key("calendars", Shape::Named(&Shape::Keys(CALENDAR_KEYS)), "When somebody is there."),
    key("defaults", Shape::Keys(DEFAULTS_KEYS), "What steps inherit."),
    key("phrases", Shape::Keys(HOUSE_KEYS), "What the engine says by itself, in this plan's words."),
    key("start", Shape::Target, "Where a call begins."),
    key("steps", Shape::Named(&Shape::Any), "What the plan does, each step under a name."),
];
/// The keys of a file that is included.
const INCLUDED_KEYS: &[Key] = &[
    key("dialplan", Shape::Count(1, 1), "The version of the language."),
    key("name", Shape::Line, "For its reader."),
    key("include", Shape::Lines, "Files whose steps and phrases are included too."),
    key("phrases", Shape::Keys(HOUSE_KEYS), "What the engine says by itself."),
    key("steps", Shape::Named(&Shape::Any), "Steps of every plan that includes this file."),
];
const INPUT_KEYS: &[Key] = &[
    key("type", Shape::Line, "text, number, amount USD, date, time, digits, phone or boolean."),
    key("required", Shape::Flag, "No call without it."),
];
const CALENDAR_KEYS: &[Key] = &[
    key("zone", Shape::Line, "Whose clock it goes by; the plan's if left out."),
    key("hours", Shape::Named(&Shape::Line), "Days and their hours: `mon-fri: \"08:00-18:00\"`."),
    key(
        "holidays",
        Shape::Named(&Shape::Either(&[Shape::Line, Shape::Keys(HOLIDAY_KEYS)])),
        "Names of days and when they are: `2026-12-25`, `12-25`, `last monday of may`.",
    ),
    key("exceptions", Shape::Named(&Shape::Keys(EXCEPTION_KEYS)), "Days with hours of their own."),
];
const HOLIDAY_KEYS: &[Key] =
    &[key("day", Shape::Line, "When it is."), key("called", Shape::Words, "What callers are told it is.")];
const EXCEPTION_KEYS: &[Key] = &[
    key("day", Shape::Line, "When it is."),
    key("hours", Shape::Line, "When somebody is there all the same."),
    key("called", Shape::Words, "What callers are told it is."),
];
const DEFAULTS_KEYS: &[Key] = &[
    key("say", Shape::Keys(DEFAULTS_SAY_KEYS), "For every `say`."),
    key("question", Shape::Tables(&[QUESTION_KEYS, DEFAULTS_QUESTION_KEYS]), "For every question."),
    key("universals", Shape::Keys(question::UNIVERSALS_KEYS), "Wishes understood at every question."),
    key("hangup", Shape::Target, "Where the call stands when the caller hangs up."),
];
const DEFAULTS_SAY_KEYS: &[Key] =
    &[key("barge_in", Shape::Word(&["off", "keys", "speech"]), "What of the caller stops it.")];
/// A text with a recording.
pub(super) const TEXT_KEYS: &[Key] =
    &[key("text", Shape::Words, "What is said."), key("file", Shape::Words, "A recording that is played instead.")];
const HOUSE_KEYS: &[Key] = &[
    key("no_input", Shape::Text, "The caller said nothing."),
    key("no_match", Shape::Text, "The words fit nothing."),
    key("goodbye", Shape::Text, "The call ends and the plan has no words for it."),
    key("failure", Shape::Text, "A fault of ours."),
    key("keys_only", Shape::Text, "There is no recogniser, or it is busy."),
    key("helped", Shape::Text, "Asked after an `answer`."),
    key("meant", Shape::Text, "Was this meant? `{{ it }}` is the question as the file has it."),
    key("check", Shape::Text, "Is this right? `{{ it }}` is what was understood."),
    key("noted", Shape::Text, "What was understood, told by the way: `{{ it }}`."),
    key("again", Shape::Text, "What was understood is wrong, and is asked for again."),
    key("which", Shape::Text, "Which of several is wrong? `{{ it }}` lists them."),
    key("closed", Shape::Text, "A number is closed: nobody will be called there again."),
    key("mismatch", Shape::Text, "Not all of what the right person knows fitted; it is asked once more."),
    key("in_numbers", Shape::Text, "Asked of a caller who has said how, but not how many."),
    key("how_much", Shape::Text, "How much will be paid?"),
    key("which_day", Shape::Text, "On which day will it be paid?"),
    key("rest", Shape::Text, "What is promised leaves `{{ it }}`."),
    key("least", Shape::Text, "`{{ it }}` is the least that is taken."),
    key("most", Shape::Text, "`{{ it }}` is the most that is taken."),
    key("latest", Shape::Text, "`{{ it }}` is the last day that is taken."),
    key("after", Shape::Text, "`{{ it }}` is the day of the payment before this one."),
    key("past", Shape::Text, "The moment asked for has passed."),
    key("hours", Shape::Text, "`{{ it }}` are the hours in which you call."),
    key("at_what_time", Shape::Text, "The day is known: at what time?"),
    key("on_what_day", Shape::Text, "The part of the day, or the time, is known: on which day?"),
    key("your_message", Shape::Text, "Said before a message is played to who has left it."),
    key("keep_it", Shape::Text, "What may become of a message: kept, recorded again, deleted."),
];

/// The name of a target, as written.
pub(super) type Target = Spanned<String>;

/// A whole file, or several read as one.
#[derive(Debug)]
pub(super) struct Plan {
    pub name: Option<Spanned<String>>,
    pub languages: Vec<Spanned<Language>>,
    pub zone: Option<TimeZone>,
    pub include: Vec<Spanned<String>>,
    pub inputs: Vec<PlanInput>,
    pub calendars: Vec<(Spanned<String>, Arc<Calendar>)>,
    pub defaults: Defaults,
    /// Overrides of what the engine says by itself, by key.
    pub phrases: Vec<(&'static str, Text)>,
    pub start: Option<Target>,
    pub steps: Vec<Step>,
}

#[derive(Debug, Default)]
pub(super) struct Defaults {
    pub say_barge_in: Option<Spanned<BargeIn>>,
    pub question: Question,
    pub universals: Universals,
    pub hangup: Option<Target>,
}

/// A text in one or more languages, with or without a recording.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub at: Span,
    pub text: Localized<String>,
    pub file: Option<Localized<String>>,
}

/// A step whose keys its own file reads.
#[derive(Debug)]
pub(super) struct Step {
    pub name: Spanned<String>,
    /// Its word and what stands behind it; `None` when there was none. That has been reported.
    pub kind: Option<(Spanned<String>, Node)>,
}

/// Reads the tree of a file. What cannot be read is reported and left out.
pub(super) fn read(root: Node, findings: &mut Findings) -> Option<Plan> {
    if let Value::Map(entries) = &root.value
        && !entries.iter().any(|(key, _)| ["dialplan", "steps"].contains(&key.value.as_str()))
    {
        let help = "a dial plan begins with `dialplan: 1`";
        findings.error(start_of(root.at), "this is not a dial plan").help(help);
        return None;
    }
    let mut fields = Fields::open(root, "a dial plan", &[PLAN_KEYS], findings)?;
    version(&mut fields, findings);
    let name = fields.read("name", findings, read::line);
    let languages = fields.read("languages", findings, languages).unwrap_or_default();
    let zone = fields.read("zone", findings, zone);
    let include = fields.read("include", findings, read::lines).map(|lines| lines.value).unwrap_or_default();
    let inputs = fields.take("inputs").map(|node| inputs(node, findings)).unwrap_or_default();
    let calendars =
        fields.take("calendars").map(|node| calendars::read(node, zone.as_ref(), findings)).unwrap_or_default();
    let defaults = fields.take("defaults").map(|node| defaults(node, findings)).unwrap_or_default();
    let phrases = fields.take("phrases").map(|node| house(node, findings)).unwrap_or_default();
    let steps = match fields.take("steps") {
        Some(node) => steps(node, findings),
        None => {
            if include.is_empty() {
                let help = "write them under `steps:`, each with a name of its own";
                findings.error(fields.start(), "this plan has no steps").help(help);
            }
            Vec::new()
        }
    };
    let start = fields.take("start");
    if start.is_none() {
        let first = steps.first().map(|step| format!("add `start: {}`, or another step", step.name.value));
        findings
            .error(fields.start(), "this plan does not say where a call begins")
            .help(first.unwrap_or_else(|| "add `start:` and the name of a step".into()));
    }
    let start = start.and_then(|node| read::target(&node, findings));
    Some(Plan { name, languages, zone, include, inputs, calendars, defaults, phrases, start, steps })
}

/// What an included file adds.
#[derive(Debug)]
pub(super) struct Included {
    pub include: Vec<Spanned<String>>,
    pub phrases: Vec<(&'static str, Text)>,
    pub steps: Vec<Step>,
}

/// Reads the tree of a file that another one includes.
pub(super) fn read_included(root: Node, findings: &mut Findings) -> Option<Included> {
    let mut fields = Fields::open(root, "an included file", &[INCLUDED_KEYS], findings)?;
    version(&mut fields, findings);
    fields.read("name", findings, read::line);
    let include = fields.read("include", findings, read::lines).map(|lines| lines.value).unwrap_or_default();
    let phrases = fields.take("phrases").map(|node| house(node, findings)).unwrap_or_default();
    let steps = fields.take("steps").map(|node| steps(node, findings)).unwrap_or_default();
    Some(Included { include, phrases, steps })
}

fn version(fields: &mut Fields, findings: &mut Findings) {
    match fields.take("dialplan") {
        Some(version) => {
            read::count(&version, "the version of the language", 1..=1, findings);
        }
        None => {
            let help = "begin the file with `dialplan: 1`, the version of the language it is written in";
            findings.error(fields.start(), "this file does not say that it is a dial plan").help(help);
        }
    }
}

pub(super) fn start_of(at: Span) -> Span {
    Span { len: at.len.min(1), ..at }
}

fn languages(node: &Node, findings: &mut Findings) -> Option<Vec<Spanned<Language>>> {
    let written = read::lines(node, findings)?;
    let mut languages: Vec<Spanned<Language>> = Vec::new();
    for tag in &written.value {
        let Some(tag) = read::language(tag, findings) else { continue };
        match languages.iter().any(|other| other.value == tag.value) {
            true => {
                findings.error(tag.at, format!("`{}` is listed twice", tag.value));
            }
            false => languages.push(tag),
        }
    }
    if written.value.is_empty() {
        findings.error(written.at, "no language is listed").help("write `languages: [en-US]`");
    }
    Some(languages)
}

fn zone(node: &Node, findings: &mut Findings) -> Option<TimeZone> {
    let name = read::line(node, findings)?;
    TimeZone::get(&name.value)
        .map_err(|_| {
            findings
                .error(name.at, format!("there is no time zone `{}`", name.value))
                .help("write its name in the IANA database, such as `America/New_York` or `Asia/Shanghai`");
        })
        .ok()
}

fn inputs(node: Node, findings: &mut Findings) -> Vec<PlanInput> {
    let Value::Map(entries) = node.value else {
        let message = format!("`inputs` must be a map of names, not {}", node.sort());
        findings.error(node.at, message).help("write `inputs: { name: text, due: amount USD }`");
        return Vec::new();
    };
    entries.into_iter().filter_map(|(name, node)| input(name, node, findings)).collect()
}

fn input(name: Spanned<String>, node: Node, findings: &mut Findings) -> Option<PlanInput> {
    let named = read::name(&name, "an input", findings);
    if RESERVED_NAMES.contains(&name.value.as_str()) {
        findings.error(name.at, format!("an input cannot be called `{}`: the engine gives that name", name.value));
    }
    let (sort, required) = match node.value {
        Value::Scalar { .. } => (Some(node), false),
        _ => {
            let owner = format!("input `{}`", name.value);
            let mut fields = Fields::open(node, &owner, &[INPUT_KEYS], findings)?;
            let sort = fields.take("type");
            let required = fields.read("required", findings, read::flag).is_some_and(|flag| flag.value);
            (sort, required)
        }
    };
    let sort = match sort.and_then(|node| read::line(&node, findings)) {
        Some(written) => Sort::parse(&written.value).or_else(|| {
            let first = written.value.split_whitespace().next().unwrap_or_default();
            let help = match nearest(first, SORTS) {
                Some(right) if right != first => format!("did you mean `{right}`?"),
                _ => format!("write one of {}; money with its currency: `amount USD`", listed(SORTS)),
            };
            findings.error(written.at, format!("`{}` is no sort of value", written.value)).help(help);
            None
        })?,
        None => Sort::Text,
    };
    named.then(|| PlanInput { name: readable(&name.value), sort, required })
}

fn defaults(node: Node, findings: &mut Findings) -> Defaults {
    let mut defaults = Defaults::default();
    let Some(mut fields) = Fields::open(node, "`defaults`", &[DEFAULTS_KEYS], findings) else { return defaults };
    if let Some(node) = fields.take("say")
        && let Some(mut say) = Fields::open(node, "`defaults.say`", &[DEFAULTS_SAY_KEYS], findings)
    {
        defaults.say_barge_in = say.read("barge_in", findings, read::barge_in);
    }
    if let Some(node) = fields.take("question") {
        let keys = [QUESTION_KEYS, DEFAULTS_QUESTION_KEYS];
        if let Some(mut question) = Fields::open(node, "`defaults.question`", &keys, findings) {
            defaults.question = self::question(&mut question, findings);
            exhausted_go(&mut question, &mut defaults.question, findings);
        }
    }
    defaults.universals = universals(&mut fields, findings);
    defaults.hangup = fields.read("hangup", findings, read::target);
    defaults
}

fn house(node: Node, findings: &mut Findings) -> Vec<(&'static str, Text)> {
    let Some(mut fields) = Fields::open(node, "`phrases`", &[HOUSE_KEYS], findings) else { return Vec::new() };
    HOUSE_KEYS.iter().filter_map(|key| Some((key.name, fields.read(key.name, findings, text)?))).collect()
}

fn steps(node: Node, findings: &mut Findings) -> Vec<Step> {
    let Node { at, value: Value::Map(entries) } = node else {
        let help = "write each step as `name: { kind: { … } }`";
        findings.error(node.at, format!("`steps` must be a map of named steps, not {}", node.sort())).help(help);
        return Vec::new();
    };
    if entries.is_empty() {
        findings.error(at, "this plan has no steps").help("a plan needs at least one");
    }
    entries.into_iter().map(|(name, node)| step(name, node, findings)).collect()
}

fn step(name: Spanned<String>, node: Node, findings: &mut Findings) -> Step {
    let mut step = Step { name, kind: None };
    if step.name.value == "off" {
        findings.error(step.name.at, "a step cannot be called `off`: that word switches a universal wish off");
    }
    read::name(&step.name, "a step", findings);
    let owner = format!("step `{}`", step.name.value);
    let kinds = || listed(WORDS.iter().map(|word| word.name));
    let sort = node.sort();
    let Value::Map(entries) = node.value else {
        findings.error(node.at, format!("{owner} must say what it does, not be {sort}")).help(format!(
            "write `{}: {{ say: {{ … }} }}`; the kinds are {}",
            step.name.value,
            kinds()
        ));
        return step;
    };
    if entries.is_empty() {
        findings.error(step.name.at, format!("{owner} does nothing")).help(format!("the kinds are {}", kinds()));
    }
    let mut known = Vec::new();
    for (key, node) in entries {
        match WORDS.iter().any(|word| word.name == key.value) {
            true => known.push((key, node)),
            false => unknown_kind(&key, &owner, findings),
        }
    }
    let mut known = known.into_iter();
    if let Some((kind, node)) = known.next() {
        for (other, _) in known {
            findings
                .error(other.at, format!("{owner} is already a `{}`", kind.value))
                .help(format!("a step does one thing: make `{}` a step of its own and `go:` there", other.value));
        }
        step.kind = Some((kind, node));
    }
    step
}

/// Says what is wrong with a key that names no kind of step.
fn unknown_kind(key: &Spanned<String>, owner: &str, findings: &mut Findings) {
    let inner: Vec<&str> = WORDS.iter().flat_map(|word| names(word.keys)).collect();
    let help = match nearest(&key.value, WORDS.iter().map(|word| word.name)) {
        Some(kind) if !inner.contains(&key.value.as_str()) => format!("did you mean `{kind}`?"),
        _ if inner.contains(&key.value.as_str()) => {
            format!("`{}` belongs inside the kind: `say: {{ {}: … }}`", key.value, key.value)
        }
        _ => format!("the kinds are {}", listed(WORDS.iter().map(|word| word.name))),
    };
    findings.error(key.at, format!("there is no step kind `{}` for {owner}", key.value)).help(help);
}

/// A text alone, one for each language, or `{ text: …, file: … }`.
pub(super) fn text(node: &Node, findings: &mut Findings) -> Option<Text> {
    if let Value::Map(entries) = &node.value
        && entries.iter().any(|(key, _)| TEXT_KEYS.iter().any(|known| known.name == key.value))
    {
        let mut fields = Fields::open(node.clone(), "a text", &[TEXT_KEYS], findings)?;
        return spoken(&mut fields, "a recording", true, findings);
    }
    let text = read::localized(node, findings, read::line)?;
    Some(Text { at: node.at, text, file: None })
}

/// The `text` and `file` of whoever speaks.
pub(super) fn spoken(fields: &mut Fields, owner: &str, required: bool, findings: &mut Findings) -> Option<Text> {
    let file = fields.read("file", findings, |node, findings| read::localized(node, findings, read::line));
    let Some(node) = fields.take("text") else {
        if required || file.is_some() {
            let help = "add `text:`, also beside a `file`: the transcript shows it, and it is said if the file is lost";
            findings.error(fields.start(), format!("{owner} has no text")).help(help);
        }
        return None;
    };
    let text = read::localized(&node, findings, read::line)?;
    Some(Text { at: node.at, text, file })
}

/// Every key of the language, for whoever checks that each is explained.
#[cfg(test)]
pub(super) fn all_keys() -> Vec<&'static str> {
    fn inside(shape: &Shape, found: &mut Vec<&'static str>) {
        match shape {
            Shape::Keys(table) | Shape::OneOf(table, _) => table.iter().for_each(|key| {
                found.push(key.name);
                inside(&key.shape, found);
            }),
            Shape::Tables(tables) => tables.iter().for_each(|table| inside(&Shape::Keys(table), found)),
            Shape::Named(shape) | Shape::List(shape) => inside(shape, found),
            Shape::Either(shapes) => shapes.iter().for_each(|shape| inside(shape, found)),
            _ => {}
        }
    }
    let mut found = vec!["text", "file"];
    inside(&Shape::Keys(PLAN_KEYS), &mut found);
    for word in WORDS {
        found.push(word.name);
        word.keys.iter().for_each(|table| inside(&Shape::Keys(table), &mut found));
    }
    found.sort_unstable();
    found.dedup();
    found
}
