//! From what was written to what runs: names become places, gaps are filled from `defaults`, every question gets a
//! way out, and speech gets its matchers.
//!
//! Compiling goes on after a fault, with a harmless stand-in for what is missing, so that one run reports them all;
//! a plan with an error among its findings is never handed out. Each step compiles itself ([`step`](super::step)) with
//! the help of a [`Compiler`]; the steps of sub-plans lie behind those of the plan that runs them.

mod unit;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) use self::unit::compile;
pub use self::unit::{Unit, Workshop};
pub use self::words::Calculation;
use super::diagnostic::{Findings, Span, Spanned, listed, nearest};
use super::key::Key;
use super::plan::{Question, Step, StepIx, Target, Universals};
use super::read::{self, Fields};
use super::schema::{self, Wish};
use super::step::goto::Goto;
use super::step::{Run, WORDS};
use super::yaml::Node;
use crate::language::Language;

/// Silence after a prompt that counts as no-input.
const WAIT: Duration = Duration::from_secs(4);
/// Askings of a question.
const TRIES: u32 = 3;
/// Silence that ends an utterance once its meaning is complete.
const COMPLETE: Duration = Duration::from_millis(300);
/// Silence that ends one which could still grow.
pub const INCOMPLETE: Duration = Duration::from_millis(1200);
/// The same while digits are read out: people pause between the groups.
pub const INCOMPLETE_DIGITS: Duration = Duration::from_millis(2000);
/// So many findings are helped with a name that is near.
const HELPED: usize = 200;
/// Words that begin with `$`.
pub(super) const RESERVED: [&str; 3] = ["$repeat", "$back", "$end"];

/// Helps one step to compile itself.
pub struct Compiler<'a> {
    /// What is wrong so far.
    pub findings: &'a mut Findings,
    written: &'a schema::Plan,
    names: BTreeMap<&'a str, usize>,
    languages: Vec<Language>,
    /// The step in hand, and its word.
    name: Spanned<String>,
    word: &'static str,
    hangup: Option<schema::Target>,
    shop: &'a mut Workshop,
    /// Names that are read, and whether another system reads them: it may see secrets.
    read_names: Vec<(Spanned<String>, bool)>,
    /// What is compiled now goes to another system.
    for_system: bool,
    /// Where targets stand that do not exist, and have been told.
    unknown: BTreeSet<Span>,
}

impl Compiler<'_> {
    /// ``menu `main` ``: the step in hand, for messages.
    pub fn owner(&self) -> String {
        format!("{} `{}`", self.word, self.name.value)
    }

    /// The name of the step in hand.
    pub fn name(&self) -> &str {
        &self.name.value
    }

    /// The languages of the plan; the first is the default.
    pub fn languages(&self) -> &[Language] {
        &self.languages
    }

    /// What the plan is read from.
    pub(super) const fn files(&mut self) -> &mut super::load::Files {
        &mut self.shop.files
    }

    /// What steps inherit.
    pub(super) const fn defaults(&self) -> &schema::Defaults {
        &self.written.defaults
    }

    /// Where the step in hand is written.
    pub(super) const fn at(&self) -> Span {
        self.name.at
    }

    /// Opens the map of the step in hand.
    pub(super) fn open(&mut self, node: Node, tables: &[&[Key]]) -> Option<Fields> {
        let owner = self.owner();
        Fields::open(node, &owner, tables, self.findings)
    }

    /// Where the call stands when the caller hangs up at this step.
    pub(super) fn take_hangup(&mut self, fields: &mut Fields) {
        self.hangup = fields.read("hangup", self.findings, read::target);
    }

    /// The keys that every question has, as they are written.
    pub(super) fn written_question(&mut self, fields: &mut Fields) -> schema::Question {
        let mut question = schema::question(fields, self.findings);
        self.hangup = question.hangup.take().or(self.hangup.take());
        question
    }

    /// The `prompt:` of a question.
    pub(super) fn required_prompt(&mut self, fields: &mut Fields) -> Option<schema::Text> {
        let Some(node) = fields.take("prompt") else {
            let message = format!("{} asks nothing", self.owner());
            self.findings.error(fields.start(), message).help("add `prompt:`");
            return None;
        };
        schema::text(&node, self.findings)
    }

    /// The step's `go:`, which must be there.
    pub(super) fn go(&mut self, fields: &mut Fields) -> Target {
        let owner = self.owner();
        self.go_of(fields, &owner)
    }

    /// The same, of a part of the step.
    pub(super) fn go_of(&mut self, fields: &mut Fields, owner: &str) -> Target {
        let Some(node) = fields.take("go") else {
            self.findings
                .error(fields.start(), format!("{owner} does not say where to go next"))
                .help("add `go:` and the name of a step, or `go: $end`");
            return Target::End;
        };
        self.target(&node).unwrap_or(Target::End)
    }

    /// A target under some other key, if it is there.
    pub(super) fn target_of(&mut self, fields: &mut Fields, key: &str) -> Option<Target> {
        fields.take(key).and_then(|node| self.target(&node))
    }

    /// A target.
    pub(super) fn target(&mut self, node: &Node) -> Option<Target> {
        read::target(node, self.findings).map(|target| self.resolve(&target))
    }

    fn step(&mut self, step: &schema::Step, prefix: &str) -> Step {
        let compiled = step.kind.as_ref().and_then(|(word, node)| {
            let word = WORDS.iter().find(|known| known.name == word.value)?;
            (self.name, self.word, self.hangup) = (step.name.clone(), word.name, None);
            Some((word.name, (word.compile)(node.clone(), self)))
        });
        let (word, kind) = match compiled {
            Some((word, Some(kind))) => (word, kind),
            // Could not be read, as has been reported.
            other => (other.map_or("goto", |(word, _)| word), Box::new(Goto(Target::End)) as Box<dyn Run>),
        };
        let defaults = &self.written.defaults;
        let questions = (!kind.quests().is_empty()).then_some(defaults.question.hangup.as_ref()).flatten();
        let own = self.hangup.take();
        let hangup = own.as_ref().or(questions).or(defaults.hangup.as_ref()).map(|target| self.hung_up(target));
        Step {
            name: format!("{prefix}{}", step.name.value),
            at: (step.name.at.line, step.name.at.column),
            file: step.name.at.file,
            word,
            kind,
            hangup: hangup.unwrap_or(Target::End),
        }
    }

    /// A question, with what it inherits. A word that asks nothing but this speaks for `incomplete`.
    pub(super) fn question(&mut self, own: &schema::Question, incomplete: Duration) -> Question {
        let (owner, at) = (self.owner(), self.name.at);
        let written = self.written;
        let defaults = &written.defaults.question;
        let exhausted = match own.exhausted.as_ref().or(defaults.exhausted.as_ref()) {
            Some(target) => self.onward(target),
            None => {
                let help = "add `tries: { max: 3, go: … }`, or give every question one with `go:` in \
                            `defaults.question`";
                self.findings.error(at, format!("{owner} has no way out when its tries are used up")).help(help);
                Target::End
            }
        };
        let complete = own.complete.as_ref().or(defaults.complete.as_ref());
        let growing = own.incomplete.as_ref().or(defaults.incomplete.as_ref());
        if let (Some(complete), Some(growing)) = (complete, growing)
            && growing.value < complete.value
        {
            self.findings
                .error(growing.at, "`incomplete` is shorter than `complete`")
                .help("the silence after which an unfinished answer is taken must be the longer one");
        }
        let own_or = |own: &Option<schema::Target>, default: &Option<schema::Target>| own.clone().or(default.clone());
        let no_input = own_or(&own.no_input, &defaults.no_input);
        let no_match = own_or(&own.no_match, &defaults.no_match);
        let error = own_or(&own.error, &defaults.error);
        let value = |own: &Option<Spanned<Duration>>, default: &Option<Spanned<Duration>>| {
            own.as_ref().or(default.as_ref()).map(|time| time.value)
        };
        let barge_in = own.barge_in.as_ref().or(defaults.barge_in.as_ref());
        let reprompts = own.reprompt.as_ref().or(defaults.reprompt.as_ref());
        Question {
            prompt: self.optional_prompt(own.prompt.as_ref()),
            reprompts: reprompts.into_iter().flatten().map(|text| self.prompt(text)).collect(),
            barge_in: barge_in.map(|barge_in| barge_in.value).unwrap_or_default(),
            wait: value(&own.wait, &defaults.wait).unwrap_or(WAIT),
            tries: own.tries.or(defaults.tries).unwrap_or(TRIES),
            complete: complete.map_or(COMPLETE, |time| time.value),
            incomplete: growing.map_or(incomplete, |time| time.value),
            no_input: no_input.map_or(Target::Repeat, |target| self.resolve(&target)),
            no_match: no_match.map_or(Target::Repeat, |target| self.resolve(&target)),
            exhausted,
            error: error.map_or(exhausted, |target| self.resolve(&target)),
            any_language: own.any_language.or(defaults.any_language).unwrap_or(false),
            universals: self.universals(&own.universals, &defaults.universals),
        }
    }

    /// A question's own wishes, then those of `defaults.question`, then those of `defaults`, then the engine's.
    fn universals(&mut self, own: &schema::Universals, question: &schema::Universals) -> Universals {
        let written = self.written;
        let everywhere = &written.defaults.universals;
        let mut wish =
            |layers: [&Option<Wish>; 3], otherwise: Option<Target>| match layers.into_iter().find_map(Option::as_ref) {
                Some(Wish::Off) => None,
                Some(Wish::Go(target)) => Some(self.resolve(target)),
                None => otherwise,
            };
        Universals {
            operator: wish([&own.operator, &question.operator, &everywhere.operator], None),
            repeat: wish([&own.repeat, &question.repeat, &everywhere.repeat], Some(Target::Repeat)),
            back: wish([&own.back, &question.back, &everywhere.back], Some(Target::Back)),
            stop: wish([&own.stop, &question.stop, &everywhere.stop], None),
        }
    }

    /// A target that must lead away, because staying would never end.
    fn onward(&mut self, target: &schema::Target) -> Target {
        if ["$repeat", "$back"].contains(&target.value.as_str()) {
            self.findings
                .error(target.at, format!("`{}` would keep a silent caller here for ever", target.value))
                .help("when the tries are used up the call must go on: to a step, or to `$end`");
        }
        self.resolve(target)
    }

    /// A target for a caller who has gone.
    fn hung_up(&mut self, target: &schema::Target) -> Target {
        let resolved = self.resolve(target);
        // Names lead to places behind those of the plans before this one.
        let before = self.written.steps.first().and_then(|first| self.names.get(first.name.value.as_str()));
        let word_of = |place: usize| {
            let step = self.written.steps.get(place.checked_sub(*before?)?)?;
            step.kind.as_ref().map(|(word, _)| word.value.as_str())
        };
        let fits = match resolved {
            Target::End => true,
            Target::Repeat | Target::Back => false,
            Target::Step(StepIx(place)) => word_of(place).is_none_or(|word| word == "hangup"),
        };
        if !fits {
            self.findings
                .error(target.at, "the caller has hung up here, nobody would hear it")
                .help("`hangup:` leads to a `hangup` step, whose `result` is kept, or to `$end`");
        }
        resolved
    }

    fn resolve(&mut self, target: &schema::Target) -> Target {
        match target.value.as_str() {
            "$repeat" => Target::Repeat,
            "$back" => Target::Back,
            "$end" => Target::End,
            name => match self.names.get(name) {
                Some(place) => Target::Step(StepIx(*place)),
                None => {
                    // Without steps no name is right, and that has been said.
                    if !self.names.is_empty() {
                        self.unknown_target(target);
                    }
                    Target::End
                }
            },
        }
    }

    fn unknown_target(&mut self, target: &schema::Target) {
        let name = &target.value;
        // What stands in `defaults` is looked up again by every step.
        if !self.unknown.insert(target.at) {
            return;
        }
        // Looking for what was meant costs a look at every name: not for thousands of faults.
        let few = self.findings.len() < HELPED;
        let (sort, near) = match name.starts_with('$') {
            true => ("reserved target", nearest(name, RESERVED)),
            false => ("step", nearest(name, self.names.keys().copied().filter(|_| few))),
        };
        let reserved = RESERVED.iter().find(|word| word[1..] == **name);
        let help = match (reserved, near) {
            (Some(word), _) => format!("did you mean `{word}`?"),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) if sort == "step" => format!("add a step `{name}`, or go to one that exists"),
            (None, None) => format!("there are {}", listed(RESERVED)),
        };
        self.findings.error(target.at, format!("there is no {sort} `{name}`")).help(help);
    }
}
