//! A compiled dial plan: immutable, checked, shared by every call that runs it.
//!
//! Whatever a plan author may leave out has been filled in from `defaults` by the time a [`Plan`] exists: no step
//! lacks a way out. Live calls keep the plan they began with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::language::Language;
use crate::media::BargeIn;
use crate::rtp::Digit;
use crate::understand::Matcher;

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
    /// The first is the default.
    pub languages: Vec<Language>,
    /// Where a call begins.
    pub start: StepIx,
    /// In file order.
    pub steps: Vec<Step>,
    /// Said by reserved behaviour of the engine (say again, did not hear, goodbye…), per language.
    pub phrases: HousePhrases,
}

impl Plan {
    /// Every text that can be said in a call, with its language: what is to be rendered before the first one. A text
    /// that stands in several places comes several times.
    pub fn utterances(&self) -> impl Iterator<Item = (&Prompt, &Language)> {
        let prompts = self.steps.iter().flat_map(|step| step.kind.prompts()).chain(self.phrases.prompts());
        prompts.flat_map(|prompt| prompt.texts.keys().map(move |language| (prompt, language)))
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
    /// Its key under `steps:`.
    pub name: String,
    /// Line and column of that key, from 1.
    pub at: (usize, usize),
    /// What it does.
    pub kind: StepKind,
    /// Where the call goes when the caller hangs up here: `$end`, or a hangup step whose `result` then stands.
    pub hangup: Target,
}

/// What a step does; one file each under `dialplan/step/`.
#[derive(Debug)]
pub enum StepKind {
    /// Speak, then go.
    Say(Say),
    /// Ask and choose among options, by key or by speech.
    Menu(Menu),
    /// Ask for a value.
    Ask(Ask),
    /// Go elsewhere.
    Goto(Target),
    /// Say goodbye and end.
    Hangup(Hangup),
}

impl StepKind {
    /// What it may say by itself.
    pub fn prompts(&self) -> Vec<&Prompt> {
        match self {
            Self::Say(say) => vec![&say.prompt],
            Self::Menu(Menu { question, .. }) | Self::Ask(Ask { question, .. }) => {
                std::iter::once(&question.prompt).chain(&question.reprompts).collect()
            }
            Self::Goto(_) => Vec::new(),
            Self::Hangup(hangup) => hangup.prompt.iter().collect(),
        }
    }

    /// What `menu` and `ask` have in common; `None` for steps that ask nothing.
    pub fn question(&self) -> Option<&Question> {
        match self {
            Self::Menu(Menu { question, .. }) | Self::Ask(Ask { question, .. }) => Some(question),
            Self::Say(_) | Self::Goto(_) | Self::Hangup(_) => None,
        }
    }
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

/// Speak, then go.
#[derive(Debug)]
pub struct Say {
    /// What.
    pub prompt: Prompt,
    /// Must be heard whole: nothing interrupts it, and the milliseconds played are proved in the record.
    pub protected: bool,
    /// Who may stop it. `Off` when protected.
    pub barge_in: BargeIn,
    /// Where to next.
    pub go: Target,
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
}

/// Ask and choose among options.
#[derive(Debug)]
pub struct Menu {
    /// How it is asked.
    pub question: Question,
    /// In file order; [`Matcher`] meanings index it.
    pub options: Vec<MenuOption>,
    /// Understands speech, per language of the plan.
    pub matchers: BTreeMap<Language, Matcher>,
    /// Below this confidence the words count as not understood. 0..1.
    pub reject_below: f32,
    /// Where such words go instead of `no_match`, if the author said.
    pub reject_go: Option<Target>,
}

/// One choice of a menu.
#[derive(Debug)]
pub struct MenuOption {
    /// Its key under `options:`; what the record and tests call it.
    pub name: String,
    /// Its telephone key.
    pub key: Option<Digit>,
    /// Where it leads.
    pub go: Target,
}

/// Ask for a value.
#[derive(Debug)]
pub struct Ask {
    /// How it is asked.
    pub question: Question,
    /// Name the value is kept under.
    pub slot: String,
    /// What is wanted.
    pub want: Want,
    /// Understands universals while waiting for the value, per language of the plan.
    pub matchers: BTreeMap<Language, Matcher>,
    /// Never logged, never in the transcript.
    pub sensitive: bool,
    /// Where to next, once there is a value.
    pub go: Target,
}

/// Kinds of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A string of digits, by key (`#` ends it early) or speech.
    Digits {
        /// At least.
        min: usize,
        /// At most.
        max: usize,
    },
}

/// Say goodbye and end.
#[derive(Debug)]
pub struct Hangup {
    /// Said first, to its end.
    pub prompt: Option<Prompt>,
    /// Resolution kept in the record, such as `balance`.
    pub result: Option<String>,
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
