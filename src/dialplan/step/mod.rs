//! What each kind of step does: one file per kind, and here the matches that tie them to the rest.
//!
//! A step is asked two things. [`next`]: something happened, what follows? And, when it asks a question, what the
//! caller's keys ([`judge_keys`]) or words ([`judge_speech`]) amount to. Steps hold no state: tries, history and
//! kept values live in [`super::interpreter`].

use crate::dialplan::plan::{Prompt, Question, Step, StepKind, Target};
use crate::language::Language;
use crate::media::BargeIn;
use crate::pii::Pii;
use crate::understand::NBest;
use crate::understand::{Fit, Meaning, Universal};

pub mod ask;
pub mod goto;
pub mod hangup;
pub mod menu;
pub mod question;
pub mod say;

/// What a caller's answer means to the step that asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The menu option at this place.
    Option(usize),
    /// A wish understood at every question.
    Universal(Universal),
    /// The value asked for; personal.
    Value(Pii<String>),
}

/// What happened to the step in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The call has come to it.
    Entered,
    /// What it said has been said, or was cut short by the caller.
    Said,
    /// The caller answered its question.
    Answered(Answer),
    /// The caller said nothing.
    NoInput,
    /// The caller's words or keys fit nothing.
    NoMatch {
        /// They were near something, but below the step's confidence.
        rejected: bool,
    },
    /// Speech could not be recognised: no engine, all busy, or a fault.
    Error,
}

/// What follows.
#[derive(Clone, Copy, Debug)]
pub enum Next<'plan> {
    /// Speak, then report [`Event::Said`].
    Say {
        /// What.
        prompt: &'plan Prompt,
        /// Must be heard whole.
        protected: bool,
        /// Who may stop it.
        barge_in: BargeIn,
    },
    /// Ask for the first time.
    Ask(&'plan Question),
    /// Ask again: this uses up a try, or leads to `exhausted` when none is left.
    AskAgain(&'plan Question, Excuse),
    /// Go there.
    Go(Target),
    /// Keep the value just answered under this name, then go.
    Keep {
        /// The slot.
        slot: &'plan str,
        /// Where to next.
        go: Target,
    },
    /// Say goodbye and end the call.
    End {
        /// Said first, whole.
        prompt: Option<&'plan Prompt>,
        /// Kept in the record.
        result: Option<&'plan str>,
    },
}

/// Why a question is asked again; said before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excuse {
    /// "I did not hear you."
    NoInput,
    /// "Sorry, I did not get that."
    NoMatch,
}

/// What keys typed so far amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keyed {
    /// A whole answer.
    Complete(Answer),
    /// Part of one; more may come. Holds what it means if nothing more comes.
    More(Option<Answer>),
    /// They fit nothing.
    Wrong,
    /// The last key means nothing here and is forgotten.
    Ignored,
}

/// What one n-best list amounts to.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The answer, when there is one and it is sure enough.
    pub answer: Option<Answer>,
    /// The name of the answer; for doubtful words, of the options they might mean (`balance or repay`).
    pub meaning: Option<String>,
    /// Words of the hypothesis that counted; `None` when no words were heard at all.
    pub heard: Option<Pii<String>>,
    /// 0..1.
    pub confidence: f32,
    /// Could the caller be about to go on?
    pub fit: Fit,
    /// Near something, but not sure enough.
    pub rejected: bool,
}

impl Judged {
    /// The best hypothesis fits nothing.
    fn nothing(nbest: &NBest) -> Self {
        let best = nbest.hypotheses.iter().find(|guess| !guess.text.reveal().trim().is_empty());
        Self {
            answer: None,
            meaning: None,
            heard: best.map(|guess| guess.text.clone()),
            confidence: best.map_or(0.0, |guess| guess.confidence),
            fit: Fit::None,
            rejected: false,
        }
    }
}

/// What follows when `event` happens to `step`.
pub fn next<'plan>(step: &'plan Step, event: &Event) -> Next<'plan> {
    match &step.kind {
        StepKind::Say(say) => say::next(say, event),
        StepKind::Menu(menu) => menu::next(menu, event),
        StepKind::Ask(ask) => ask::next(ask, event),
        StepKind::Goto(target) => goto::next(*target),
        StepKind::Hangup(hangup) => hangup::next(hangup),
    }
}

/// The question a step asks, if it asks one.
pub const fn question(step: &Step) -> Option<&Question> {
    match &step.kind {
        StepKind::Menu(menu) => Some(&menu.question),
        StepKind::Ask(ask) => Some(&ask.question),
        StepKind::Say(_) | StepKind::Goto(_) | StepKind::Hangup(_) => None,
    }
}

/// What keys typed so far (faces, in order) amount to.
pub fn judge_keys(step: &Step, typed: &str) -> Keyed {
    match &step.kind {
        StepKind::Menu(menu) => menu::judge_keys(menu, typed),
        StepKind::Ask(ask) => ask::judge_keys(ask, typed),
        StepKind::Say(_) | StepKind::Goto(_) | StepKind::Hangup(_) => Keyed::Ignored,
    }
}

/// What the words of an n-best list amount to.
pub fn judge_speech(step: &Step, language: &Language, nbest: &NBest) -> Judged {
    match &step.kind {
        StepKind::Menu(menu) => menu::judge_speech(menu, language, nbest),
        StepKind::Ask(ask) => ask::judge_speech(ask, language, nbest),
        StepKind::Say(_) | StepKind::Goto(_) | StepKind::Hangup(_) => Judged::nothing(nbest),
    }
}

/// What records and timelines call an answer: the option, `$operator`, or the slot.
pub fn answer_name(step: &Step, answer: &Answer) -> String {
    match (&step.kind, answer) {
        (_, Answer::Universal(universal)) => question::universal_name(*universal).to_owned(),
        (StepKind::Menu(menu), Answer::Option(place)) => menu::option_name(menu, *place),
        (StepKind::Ask(ask), Answer::Value(_)) => ask.slot.clone(),
        _ => step.name.clone(),
    }
}

/// Can the question be answered without speech?
pub fn takes_keys(step: &Step) -> bool {
    match &step.kind {
        StepKind::Menu(menu) => menu::takes_keys(menu),
        StepKind::Ask(_) => true,
        StepKind::Say(_) | StepKind::Goto(_) | StepKind::Hangup(_) => false,
    }
}

/// Must the answer stay out of records, timelines and logs?
pub const fn sensitive(step: &Step) -> bool {
    matches!(&step.kind, StepKind::Ask(ask) if ask.sensitive)
}

/// A matcher's meaning, as an answer.
fn answer_of(meaning: &Meaning) -> Answer {
    match meaning {
        Meaning::Option(place) => Answer::Option(*place),
        Meaning::Universal(universal) => Answer::Universal(*universal),
    }
}
