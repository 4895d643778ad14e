//! A compiled dial plan: immutable, checked, shared by every call that runs it.
//!
//! Whatever a plan author may leave out has been filled in from `defaults` by the time a [`Plan`] exists: no step
//! lacks a way out. Live calls keep the plan they began with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::dialplan::step::Run;
use crate::language::Language;
use crate::media::BargeIn;
use crate::routing::Calendar;
use crate::understand::{Matcher, Universal};
use crate::value::Sort;

/// Something known before the call, that the plan speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanInput {
    /// What prompts and conditions call it.
    pub name: String,
    /// What it is.
    pub sort: Sort,
    /// No call without it.
    pub required: bool,
}

/// Place of a step in [`Plan::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepIx(pub usize);

/// A whole plan.
#[derive(Debug)]
pub struct Plan {
    /// `name:` in the file.
    pub name: String,
    /// First 16 hex digits of the SHA-256 of everything the plan was compiled from: the file, then its recordings.
    /// Without recordings it is what `sha256sum` says of the file.
    pub version: String,
    /// Where it was read from.
    pub file: PathBuf,
    /// Everything it was compiled from: that file, what it includes and runs, its recordings, grammars and answers.
    pub sources: Vec<PathBuf>,
    /// The first is the default.
    pub languages: Vec<Language>,
    /// Whose clock and calendar it lives by; `None`: the machine's.
    pub zone: Option<TimeZone>,
    /// What must, or may, be known before a call begins: name, sort, and whether there is no call without it.
    pub inputs: Vec<PlanInput>,
    /// Where a call begins.
    pub start: StepIx,
    /// In file order.
    pub steps: Vec<Step>,
    /// Everything that understands speech, to be warmed before the first call.
    pub matchers: Vec<Matcher>,
    /// Said by reserved behaviour of the engine (say again, did not hear, goodbye…), per language.
    pub phrases: HousePhrases,
    /// The same in the plans that it runs, each from its first step on.
    pub parts: Vec<(StepIx, HousePhrases)>,
    /// When somebody is there, in this plan and in those that it runs, each from its first step on.
    pub calendars: Vec<(StepIx, Calendars)>,
}

/// Calendars by the names under which texts and conditions know them.
pub type Calendars = BTreeMap<String, Arc<Calendar>>;

impl Plan {
    /// Every text that can be said in a call, with its language: what is to be rendered before the first one. A text
    /// that stands in several places comes several times.
    pub fn utterances(&self) -> impl Iterator<Item = (&Prompt, &Language)> {
        let prompts = self.steps.iter().flat_map(Step::prompts).chain(self.phrases.prompts());
        let prompts = prompts.chain(self.parts.iter().flat_map(|(_, phrases)| phrases.prompts()));
        prompts.flat_map(|prompt| prompt.texts.keys().map(move |language| (prompt, language)))
    }

    /// What the engine says by itself at this step: in the words of the plan that the step belongs to.
    pub fn phrases_at(&self, place: StepIx) -> &HousePhrases {
        let part = self.parts.iter().rev().find(|(first, _)| *first <= place);
        part.map_or(&self.phrases, |(_, phrases)| phrases)
    }

    /// The calendars that texts and conditions of this step know: those of the plan that it belongs to.
    pub fn calendars_at(&self, place: StepIx) -> Option<&Calendars> {
        let part = self.calendars.iter().rev().find(|(first, _)| *first <= place);
        part.map(|(_, calendars)| calendars).filter(|calendars| !calendars.is_empty())
    }

    /// The step of that name.
    pub fn step_named(&self, name: &str) -> Option<StepIx> {
        self.steps.iter().position(|step| step.name == name).map(StepIx)
    }

    /// The step at this place.
    pub fn step(&self, place: StepIx) -> &Step {
        &self.steps[place.0]
    }
}

/// One named step.
#[derive(Debug)]
pub struct Step {
    /// Its key under `steps:`; of a sub-plan's step, behind the sub-plan's name: `survey/why`.
    pub name: String,
    /// Line and column of that key, from 1.
    pub at: (usize, usize),
    /// Place of its file in [`Plan::sources`].
    pub file: usize,
    /// The word of the language that says what it does, such as `menu`.
    pub word: &'static str,
    /// What it does; one file each under `dialplan/step/`.
    pub kind: Box<dyn Run>,
    /// Where the call goes when the caller hangs up here: `$end`, or a hangup step whose `result` then stands.
    pub hangup: Target,
}

/// Where to go next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A step.
    Step(StepIx),
    /// `$repeat`: the same question again. Asked for by the caller it uses up no try; as `no_input`, `no_match` or
    /// `error` it does, so that no question is asked for ever.
    Repeat,
    /// `$back`: the question asked before this one; this one again when there was none.
    Back,
    /// `$end`: end the call politely.
    End,
}

/// A text in every language of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Never empty; holds an entry for each language of the plan.
    pub texts: BTreeMap<Language, String>,
    /// A recorded file that wins over synthesis, per language, resolved against the plan's folder.
    pub files: BTreeMap<Language, PathBuf>,
}

impl Prompt {
    /// Says nothing; stands in for a text that could not be read.
    pub const fn none() -> Self {
        Self { texts: BTreeMap::new(), files: BTreeMap::new() }
    }
}

/// What every question has.
#[derive(Debug)]
pub struct Question {
    /// First asking.
    pub prompt: Prompt,
    /// Said instead of `prompt` on the second, third… asking; the last one repeats. May be empty.
    pub reprompts: Vec<Prompt>,
    /// Who may stop the prompt.
    pub barge_in: BargeIn,
    /// Silence after the prompt that counts as no-input.
    pub wait: Duration,
    /// Askings before `exhausted`.
    pub tries: u32,
    /// Silence that ends an utterance whose meaning is complete.
    pub complete: Duration,
    /// Silence that ends one which could still grow, or means nothing yet.
    pub incomplete: Duration,
    /// What to do when the caller says nothing; `Repeat` asks again and uses up a try.
    pub no_input: Target,
    /// What to do when the words fit nothing; `Repeat` asks again and uses up a try.
    pub no_match: Target,
    /// Tries used up (`go:` of `defaults.question`).
    pub exhausted: Target,
    /// The engine failed (no recogniser and no key came…); `Repeat` asks again and uses up a try.
    pub error: Target,
    /// Answers are understood in every language of the plan, and the call goes on in the one that was spoken.
    pub any_language: bool,
    /// Heard everywhere.
    pub universals: Universals,
}

/// Wishes understood at every question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Universals {
    /// "operator", "a person": also key 0 where the menu does not use it.
    pub operator: Option<Target>,
    /// "say that again".
    pub repeat: Option<Target>,
    /// "go back".
    pub back: Option<Target>,
    /// "stop calling me".
    pub stop: Option<Target>,
}

impl Universals {
    /// Where a wish leads, when it is in force.
    pub const fn target(&self, wish: Universal) -> Option<Target> {
        match wish {
            Universal::Operator => self.operator,
            Universal::Repeat => self.repeat,
            Universal::Back => self.back,
            Universal::StopCalling => self.stop,
        }
    }

    /// Those in force.
    pub fn all(&self) -> impl Iterator<Item = (Universal, Target)> {
        Universal::ALL.into_iter().filter_map(|wish| Some((wish, self.target(wish)?)))
    }
}

/// What the engine says by itself. Built in per language, may be overridden under `phrases:`.
#[derive(Clone, Debug)]
pub struct HousePhrases {
    /// "I did not hear you."
    pub no_input: Prompt,
    /// "Sorry, I did not get that."
    pub no_match: Prompt,
    /// "Goodbye."
    pub goodbye: Prompt,
    /// "Something went wrong on our side. Goodbye."
    pub failure: Prompt,
    /// "I can't hear speech just now; please use the keys."
    pub keys_only: Prompt,
}

impl HousePhrases {
    /// All of them.
    pub fn prompts(&self) -> [&Prompt; 5] {
        [&self.no_input, &self.no_match, &self.goodbye, &self.failure, &self.keys_only]
    }
}
