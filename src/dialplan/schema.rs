//! A dial plan as it is written: the keys of the language, and what each may hold.
//!
//! This is the outside format. Every value has been read and keeps its place; what is left out is still left out,
//! targets are still names. [`compile`](super::compile) turns it into a plan.
//!
//! A new key is added to its table here, read below it, and described in `dialplans/README.md`.

mod question;

use question::{DEFAULTS_QUESTION_KEYS, QUESTION_KEYS, exhausted_go, question, universals};
pub(super) use question::{Question, Universals, Wish};

use super::diagnostic::{Findings, Span, Spanned, listed, nearest};
use super::read::{self, Fields, Localized};
use super::yaml::{Node, Value};
use crate::language::Language;
use crate::media::BargeIn;
use crate::rtp::Digit;

const PLAN_KEYS: &[&str] = &["dialplan", "name", "languages", "defaults", "phrases", "start", "steps"];
const DEFAULTS_KEYS: &[&str] = &["say", "question", "universals", "hangup"];
const DEFAULTS_SAY_KEYS: &[&str] = &["barge_in"];
const STEP_KINDS: &[&str] = &["say", "menu", "ask", "goto", "hangup"];
const SAY_KEYS: &[&str] = &["text", "file", "protected", "barge_in", "go", "hangup"];
const HANGUP_KEYS: &[&str] = &["text", "file", "result"];
const TEXT_KEYS: &[&str] = &["text", "file"];
const MENU_KEYS: &[&str] = &["prompt", "options", "reject", "go"];
const ASK_KEYS: &[&str] = &["prompt", "digits", "slot", "sensitive", "go"];
const OPTION_KEYS: &[&str] = &["key", "phrases", "go"];
const REJECT_KEYS: &[&str] = &["below", "go"];
const DIGITS_KEYS: &[&str] = &["min", "max"];
const HOUSE_KEYS: &[&str] = &["no_input", "no_match", "goodbye", "failure", "keys_only"];

/// Longest string of digits. Card numbers have 19, IBANs 34.
const MAX_DIGITS: usize = 40;

/// The name of a target, as written.
pub(super) type Target = Spanned<String>;

/// A whole file.
#[derive(Debug)]
pub(super) struct Plan {
    pub name: Option<Spanned<String>>,
    pub languages: Vec<Spanned<Language>>,
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

#[derive(Debug)]
pub(super) struct Step {
    pub name: Spanned<String>,
    /// `None` when it could not be read; that has been reported.
    pub kind: Option<Kind>,
    pub hangup: Option<Target>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Say(Say),
    Menu(Menu),
    Ask(Ask),
    Goto(Target),
    Hangup(Hangup),
}

#[derive(Debug)]
pub(super) struct Say {
    pub text: Option<Text>,
    pub protected: bool,
    pub barge_in: Option<Spanned<BargeIn>>,
    pub go: Option<Target>,
}

#[derive(Debug)]
pub(super) struct Menu {
    pub question: Question,
    pub options: Vec<Choice>,
    pub reject_below: Option<f32>,
    pub reject_go: Option<Target>,
}

/// One option of a menu.
#[derive(Debug)]
pub(super) struct Choice {
    pub name: Spanned<String>,
    pub key: Option<Spanned<Digit>>,
    pub phrases: Option<Localized<Vec<Spanned<String>>>>,
    pub go: Option<Target>,
}

#[derive(Debug)]
pub(super) struct Ask {
    pub question: Question,
    pub slot: Option<Spanned<String>>,
    /// Fewest and most digits.
    pub digits: Option<(usize, usize)>,
    pub sensitive: bool,
    pub go: Option<Target>,
}

#[derive(Debug)]
pub(super) struct Hangup {
    pub text: Option<Text>,
    pub result: Option<Spanned<String>>,
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
    let mut fields = Fields::open(root, "a dial plan", PLAN_KEYS, findings)?;
    match fields.take("dialplan") {
        Some(version) => {
            read::count(&version, "the version of the language", 1..=1, findings);
        }
        None => {
            let help = "begin the file with `dialplan: 1`, the version of the language it is written in";
            findings.error(start_of(fields.at), "this file does not say that it is a dial plan").help(help);
        }
    }
    let name = fields.read("name", findings, read::line);
    let languages = fields.read("languages", findings, languages).unwrap_or_default();
    let defaults = fields.take("defaults").map(|node| defaults(node, findings)).unwrap_or_default();
    let phrases = fields.take("phrases").map(|node| house(node, findings)).unwrap_or_default();
    let steps = match fields.take("steps") {
        Some(node) => steps(node, findings),
        None => {
            let help = "write them under `steps:`, each with a name of its own";
            findings.error(start_of(fields.at), "this plan has no steps").help(help);
            Vec::new()
        }
    };
    let start = fields.take("start");
    if start.is_none() {
        let first = steps.first().map(|step| format!("add `start: {}`, or another step", step.name.value));
        findings
            .error(start_of(fields.at), "this plan does not say where a call begins")
            .help(first.unwrap_or_else(|| "add `start:` and the name of a step".into()));
    }
    let start = start.and_then(|node| read::target(&node, findings));
    Some(Plan { name, languages, defaults, phrases, start, steps })
}

fn start_of(at: Span) -> Span {
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

fn defaults(node: Node, findings: &mut Findings) -> Defaults {
    let mut defaults = Defaults::default();
    let Some(mut fields) = Fields::open(node, "`defaults`", DEFAULTS_KEYS, findings) else { return defaults };
    if let Some(node) = fields.take("say")
        && let Some(mut say) = Fields::open(node, "`defaults.say`", DEFAULTS_SAY_KEYS, findings)
    {
        defaults.say_barge_in = say.read("barge_in", findings, read::barge_in);
    }
    if let Some(node) = fields.take("question") {
        let keys = [QUESTION_KEYS, DEFAULTS_QUESTION_KEYS].concat();
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
    let Some(mut fields) = Fields::open(node, "`phrases`", HOUSE_KEYS, findings) else { return Vec::new() };
    HOUSE_KEYS.iter().filter_map(|key| Some((*key, fields.read(key, findings, text)?))).collect()
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
    let mut step = Step { name, kind: None, hangup: None };
    if step.name.value == "off" {
        findings.error(step.name.at, "a step cannot be called `off`: that word switches a universal wish off");
    }
    read::name(&step.name, "a step", findings);
    let owner = format!("step `{}`", step.name.value);
    let kinds = || listed(STEP_KINDS.iter().copied());
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
        match STEP_KINDS.contains(&key.value.as_str()) {
            true => known.push((key, node)),
            false => unknown_kind(&key, &owner, findings),
        }
    }
    let mut known = known.into_iter();
    if let Some((kind, node)) = known.next() {
        step.kind = self::kind(&kind, node, &mut step.hangup, &step.name.value, findings);
        for (other, _) in known {
            findings
                .error(other.at, format!("{owner} is already a `{}`", kind.value))
                .help(format!("a step does one thing: make `{}` a step of its own and `go:` there", other.value));
        }
    }
    step
}

/// Says what is wrong with a key that names no kind of step.
fn unknown_kind(key: &Spanned<String>, owner: &str, findings: &mut Findings) {
    let inner = [SAY_KEYS, MENU_KEYS, ASK_KEYS, QUESTION_KEYS].concat();
    let help = match nearest(&key.value, STEP_KINDS.iter().copied()) {
        Some(kind) if !inner.contains(&key.value.as_str()) => format!("did you mean `{kind}`?"),
        _ if inner.contains(&key.value.as_str()) => {
            format!("`{}` belongs inside the kind: `say: {{ {}: … }}`", key.value, key.value)
        }
        _ => format!("the kinds are {}", listed(STEP_KINDS.iter().copied())),
    };
    findings.error(key.at, format!("there is no step kind `{}` for {owner}", key.value)).help(help);
}

fn kind(
    kind: &Spanned<String>,
    node: Node,
    hangup: &mut Option<Target>,
    step: &str,
    findings: &mut Findings,
) -> Option<Kind> {
    let owner = format!("{} `{step}`", kind.value);
    match kind.value.as_str() {
        "say" => say(node, &owner, hangup, findings).map(Kind::Say),
        "menu" => menu(node, &owner, hangup, findings).map(Kind::Menu),
        "ask" => ask(node, &owner, hangup, findings).map(Kind::Ask),
        "goto" => read::target(&node, findings).map(Kind::Goto),
        _ => self::hangup(node, &owner, findings).map(Kind::Hangup),
    }
}

fn say(node: Node, owner: &str, hangup: &mut Option<Target>, findings: &mut Findings) -> Option<Say> {
    if let Value::Scalar { text, .. } = &node.value {
        findings
            .error(node.at, format!("{owner} does not say where to go next"))
            .help(format!("write `say: {{ text: \"{}\", go: … }}`", text.trim()));
        return None;
    }
    let mut fields = Fields::open(node, owner, SAY_KEYS, findings)?;
    let said = spoken(&mut fields, owner, true, findings);
    let protected = fields.read("protected", findings, read::flag).is_some_and(|flag| flag.value);
    let barge_in = fields.read("barge_in", findings, read::barge_in);
    if let Some(barge_in) = barge_in.as_ref().filter(|barge_in| protected && barge_in.value != BargeIn::Off) {
        let help = "remove `barge_in`: what is protected is heard whole, keys pressed meanwhile are kept";
        findings.error(barge_in.at, format!("{owner} is protected, so nothing may interrupt it")).help(help);
    }
    *hangup = fields.read("hangup", findings, read::target);
    let go = required_go(&mut fields, owner, findings);
    Some(Say { text: said, protected, barge_in, go })
}

fn menu(node: Node, owner: &str, hangup: &mut Option<Target>, findings: &mut Findings) -> Option<Menu> {
    let mut fields = Fields::open(node, owner, &[MENU_KEYS, QUESTION_KEYS].concat(), findings)?;
    let mut question = self::question(&mut fields, findings);
    exhausted_go(&mut fields, &mut question, findings);
    question.prompt = prompt(&mut fields, owner, findings);
    let options = match fields.take("options") {
        Some(node) => choices(node, owner, findings),
        None => {
            let help = "add `options:`, each with a `key`, `phrases` and `go`";
            findings.error(start_of(fields.at), format!("{owner} has no options")).help(help);
            Vec::new()
        }
    };
    let (mut reject_below, mut reject_go) = (None, None);
    if let Some(node) = fields.take("reject")
        && let Some(mut reject) = Fields::open(node, "`reject`", REJECT_KEYS, findings)
    {
        reject_below = reject.read("below", findings, read::fraction).map(|below| below.value);
        reject_go = reject.read("go", findings, read::target);
    }
    *hangup = question.hangup.take();
    Some(Menu { question, options, reject_below, reject_go })
}

fn choices(node: Node, owner: &str, findings: &mut Findings) -> Vec<Choice> {
    let Node { at, value: Value::Map(entries) } = node else {
        let help = "write each as `name: { key: 1, phrases: [ … ], go: … }`";
        findings.error(node.at, format!("the options of {owner} must be a map, not {}", node.sort())).help(help);
        return Vec::new();
    };
    if entries.is_empty() {
        findings.error(at, format!("{owner} has no options")).help("a menu needs at least one");
    }
    entries.into_iter().filter_map(|(name, node)| choice(name, node, findings)).collect()
}

fn choice(name: Spanned<String>, node: Node, findings: &mut Findings) -> Option<Choice> {
    let named = read::name(&name, "an option", findings);
    let owner = format!("option `{}`", name.value);
    let mut fields = Fields::open(node, &owner, OPTION_KEYS, findings)?;
    let key = fields.take("key");
    let written = fields.take("phrases");
    if key.is_none() && written.as_ref().is_none_or(holds_nothing) {
        let help = "give it a `key`, some `phrases`, or both";
        findings.error(name.at, format!("nobody can choose {owner}")).help(help);
    }
    let key = key.and_then(|node| read::digit(&node, findings));
    let phrases = written.and_then(|node| read::localized(&node, findings, read::lines));
    let go = required_go(&mut fields, &owner, findings);
    named.then_some(Choice { name, key, phrases, go })
}

/// An empty list, or a map of them.
fn holds_nothing(node: &Node) -> bool {
    match &node.value {
        Value::Scalar { .. } => node.is_nothing(),
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.iter().all(|(_, value)| holds_nothing(value)),
    }
}

fn ask(node: Node, owner: &str, hangup: &mut Option<Target>, findings: &mut Findings) -> Option<Ask> {
    let mut fields = Fields::open(node, owner, &[ASK_KEYS, QUESTION_KEYS].concat(), findings)?;
    let mut question = self::question(&mut fields, findings);
    question.prompt = prompt(&mut fields, owner, findings);
    let digits = match fields.take("digits") {
        Some(node) => self::digits(node, findings),
        None => {
            let help = "add `digits: 4`, or `digits: { min: 8, max: 11 }`";
            findings.error(start_of(fields.at), format!("{owner} does not say what it wants")).help(help);
            None
        }
    };
    let slot = fields.read("slot", findings, read::line).filter(|slot| read::name(slot, "a slot", findings));
    let sensitive = fields.read("sensitive", findings, read::flag).is_some_and(|flag| flag.value);
    let go = required_go(&mut fields, owner, findings);
    *hangup = question.hangup.take();
    Some(Ask { question, slot, digits, sensitive, go })
}

fn digits(node: Node, findings: &mut Findings) -> Option<(usize, usize)> {
    if let Value::Scalar { .. } = node.value {
        let exactly = read::count(&node, "the number of digits", 1..=MAX_DIGITS, findings)?.value;
        return Some((exactly, exactly));
    }
    let mut fields = Fields::open(node, "`digits`", DIGITS_KEYS, findings)?;
    let bound =
        |node: &Node, findings: &mut Findings| read::count(node, "the number of digits", 1..=MAX_DIGITS, findings);
    let min = fields.read("min", findings, bound).map_or(1, |min| min.value);
    let max = fields.read("max", findings, bound)?;
    if max.value < min {
        findings.error(max.at, format!("at most {} digits cannot hold at least {min}", max.value));
        return None;
    }
    Some((min, max.value))
}

fn hangup(node: Node, owner: &str, findings: &mut Findings) -> Option<Hangup> {
    if node.is_nothing() {
        return Some(Hangup { text: None, result: None });
    }
    let words_only = match &node.value {
        Value::Scalar { .. } => true,
        Value::Map(entries) => entries.iter().any(|(key, _)| Language::parse(&key.value).is_ok()),
        Value::List(_) => false,
    };
    if words_only {
        return Some(Hangup { text: text(&node, findings), result: None });
    }
    let mut fields = Fields::open(node, owner, HANGUP_KEYS, findings)?;
    let said = spoken(&mut fields, owner, false, findings);
    let result = fields.read("result", findings, read::line).filter(|result| read::name(result, "a result", findings));
    Some(Hangup { text: said, result })
}

fn required_go(fields: &mut Fields, owner: &str, findings: &mut Findings) -> Option<Target> {
    let Some(node) = fields.take("go") else {
        findings
            .error(start_of(fields.at), format!("{owner} does not say where to go next"))
            .help("add `go:` and the name of a step, or `go: $end`");
        return None;
    };
    read::target(&node, findings)
}

fn prompt(fields: &mut Fields, owner: &str, findings: &mut Findings) -> Option<Text> {
    let Some(node) = fields.take("prompt") else {
        findings.error(start_of(fields.at), format!("{owner} asks nothing")).help("add `prompt:`");
        return None;
    };
    text(&node, findings)
}

/// A text alone, one for each language, or `{ text: …, file: … }`.
fn text(node: &Node, findings: &mut Findings) -> Option<Text> {
    if let Value::Map(entries) = &node.value
        && entries.iter().any(|(key, _)| TEXT_KEYS.contains(&key.value.as_str()))
    {
        let mut fields = Fields::open(node.clone(), "a text", TEXT_KEYS, findings)?;
        return spoken(&mut fields, "a recording", true, findings);
    }
    let text = read::localized(node, findings, read::line)?;
    Some(Text { at: node.at, text, file: None })
}

/// The `text` and `file` of whoever speaks.
fn spoken(fields: &mut Fields, owner: &str, required: bool, findings: &mut Findings) -> Option<Text> {
    let file = fields.read("file", findings, |node, findings| read::localized(node, findings, read::line));
    let Some(node) = fields.take("text") else {
        if required || file.is_some() {
            let help = "add `text:`, also beside a `file`: the transcript shows it, and it is said if the file is lost";
            findings.error(start_of(fields.at), format!("{owner} has no text")).help(help);
        }
        return None;
    };
    let text = read::localized(&node, findings, read::line)?;
    Some(Text { at: node.at, text, file })
}

/// Every key of the language, for whoever checks that each is explained.
#[cfg(test)]
pub(super) fn all_keys() -> impl Iterator<Item = &'static str> {
    let here = [PLAN_KEYS, DEFAULTS_KEYS, DEFAULTS_SAY_KEYS, STEP_KINDS, SAY_KEYS, HANGUP_KEYS, TEXT_KEYS, MENU_KEYS];
    let more = [ASK_KEYS, OPTION_KEYS, REJECT_KEYS, DIGITS_KEYS, HOUSE_KEYS];
    let shared = [QUESTION_KEYS, DEFAULTS_QUESTION_KEYS, question::UNIVERSALS_KEYS, question::TRIES_KEYS];
    here.into_iter().chain(more).chain(shared).flatten().copied()
}
