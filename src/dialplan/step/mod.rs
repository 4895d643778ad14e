//! What each word of the language does: one file per kind of step, reading, compiling and running side by side, and
//! here what ties them to the rest.
//!
//! A compiled step is asked: something happened, what follows ([`Run::next`])? Steps themselves hold no state. What a
//! run remembers lives in the interpreter; a step that takes several exchanges keeps what it needs between them in its
//! [`Visit`].

use std::any::Any;
use std::borrow::Cow;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::DateTime;

use self::form::DayPart;
use super::compile::Compiler;
use super::handover::{Handed, Handover};
use super::key::Key;
use super::scope::Scope;
use super::yaml::Node;
use crate::dialplan::interpreter::Line;
use crate::dialplan::plan::{Prompt, Question, Step, StepIx, Target};
use crate::language::Language;
use crate::lookup::{Answer as LookupAnswer, Failure, Request};
use crate::media::BargeIn;
use crate::pii::Pii;
use crate::understand::NBest;
use crate::understand::{Fit, Meaning, Universal};
use crate::value::Value;

pub mod answer;
pub mod ask;
pub mod band;
pub mod branch;
pub mod callback;
pub mod comment;
pub mod confirm;
pub mod form;
pub mod free;
pub mod goto;
pub mod grammars;
mod handover;
pub mod hangup;
pub mod http;
pub mod listen;
pub mod menu;
pub mod optout;
pub mod promise;
pub mod question;
pub mod queue;
pub mod rate;
pub mod record;
pub mod run;
pub mod say;
pub mod set;
pub mod tag;
pub mod transfer;
pub mod value_ear;
pub mod verify;
mod visit;
pub mod voicemail;

pub(super) use self::visit::OUTCOMES;
pub use self::visit::{Told, Visit};

/// The fact of the call in which numbers are at home that come without a country: `US`.
pub const REGION: &str = "region";

/// One word of the language.
#[derive(Clone, Copy)]
pub struct Word {
    /// As it is written under a step's name.
    pub name: &'static str,
    /// What it does, in a line, for editors.
    pub about: &'static str,
    /// The tables of its keys; none for a word that takes a single value.
    pub keys: &'static [&'static [Key]],
    /// May its map be left out, or be a single text?
    pub short: bool,
    /// Compiles what stands behind it. What cannot be read has been reported.
    pub(super) compile: fn(Node, &mut Compiler<'_>) -> Option<Box<dyn Run>>,
}

/// The words of the language, in the order in which documents list them.
pub const WORDS: &[Word] = &[
    say::WORD,
    ask::WORD,
    menu::WORD,
    form::WORD,
    confirm::WORD,
    branch::WORD,
    set::WORD,
    tag::WORD,
    http::WORD,
    answer::WORD,
    verify::WORD,
    promise::WORD,
    rate::WORD,
    comment::WORD,
    optout::WORD,
    callback::WORD,
    record::WORD,
    voicemail::WORD,
    goto::WORD,
    run::WORD,
    transfer::WORD,
    queue::WORD,
    hangup::WORD,
];

/// A compiled step.
pub trait Run: Any + Debug + Send + Sync {
    /// What follows when `event` happens here.
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan>;

    /// The questions it may ask; [`Next::Ask`] names one by its place.
    fn quests(&self) -> Vec<&Quest> {
        Vec::new()
    }

    /// What it may say besides the prompts of its questions.
    fn prompts(&self) -> Vec<&Prompt> {
        Vec::new()
    }

    /// Where it may lead besides the ways out of its questions, each with a word for a person.
    fn exits(&self) -> Vec<(String, Target)>;

    /// Where a caller goes from here who does nothing of his own; `None` when that depends on more than the caller.
    /// Questions are judged by their own ways out.
    fn onward(&self) -> Option<Target> {
        None
    }

    /// What of that which callers say here is for the step it leads to.
    fn hands_on(&self) -> HandsOn {
        HandsOn::Nothing
    }

    /// Names under which it keeps values, with whether they are secret.
    fn keeps(&self) -> Vec<(&str, bool)> {
        Vec::new()
    }
}

/// What of an answer is for the step that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandsOn {
    /// Nothing of it.
    Nothing,
    /// Values: "I can pay two hundred on Friday", said at a menu.
    Values,
    /// Values, and what was wanted instead: "no, I want to pay", said to a proposal. What was said before stands, too: a
    /// mere "yes" takes nothing of it back.
    Wishes,
    /// Nothing of the answer, but all that was said before it: who it is was asked, not what they want.
    Earlier,
}

/// One question of a step: how it is asked, and who understands the answer.
#[derive(Debug)]
pub struct Quest {
    /// How.
    pub question: Question,
    /// Who understands.
    pub ear: Box<dyn Ear>,
}

/// Understands answers to one question.
pub trait Ear: Any + Debug + Send + Sync {
    /// What keys typed so far (faces, in order) amount to.
    fn keys(&self, typed: &str, hearing: &Hearing) -> Keyed;

    /// What the words of an n-best list amount to.
    fn speech(&self, nbest: &NBest, hearing: &Hearing) -> Judged;

    /// Is this what the caller means, rather than what is left when they mean nothing known?
    fn settles(&self, _: &Answer) -> bool {
        true
    }

    /// What words that led here say of this question already, before it is asked. Only what is known for what it is
    /// wherever it stands, and never a secret.
    fn ahead(&self, _: &NBest, _: &Hearing) -> Option<Answer> {
        None
    }

    /// The same where what was said before was an answer to something else: "no, I want to pay" holds the choice of a menu.
    fn overheard(&self, _: &NBest, _: &Hearing) -> Option<Answer> {
        None
    }

    /// What records and timelines call an answer; universal wishes have names of their own.
    fn name(&self, answer: &Answer) -> String;

    /// Can it be answered without speech?
    fn takes_keys(&self) -> bool {
        true
    }

    /// Must the answer stay out of records, timelines, recordings and logs?
    fn sensitive(&self) -> bool {
        false
    }

    /// How many digits, at least, has the secret that is asked for here?
    fn secret_digits(&self) -> Option<usize> {
        None
    }
}

/// In which language and at which moment an answer is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// What the caller speaks.
    pub language: Language,
    /// Date and time where the plan lives: "Friday" depends on it.
    pub now: DateTime,
}

/// What a caller's answer means to the step that asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The menu option at this place.
    Option(usize),
    /// A wish understood at every question.
    Universal(Universal),
    /// The value asked for.
    Value(Pii<Value>),
    /// Several things at once.
    Filled(Filled),
}

/// What one utterance says to a step that wants several values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filled {
    /// Yes or no, where it was said.
    pub consent: Option<bool>,
    /// Values by the place of their slot, with how sure they are (0..1). Of one slot there may be several, the likeliest
    /// first.
    pub values: Vec<(usize, Pii<Value>, f32)>,
    /// Of a moment only the day or only the time, by the place of its slot, with how sure it is; the rest of it was said
    /// before, or will be.
    pub parts: Vec<(usize, Pii<Value>, f32)>,
    /// Of a moment the part of the day instead of a time ("in the morning"), by the place of its slot.
    pub day_parts: Vec<(usize, DayPart)>,
    /// Slots that were named without a value: "change the date".
    pub named: Vec<usize>,
    /// Something said before is taken back: "no, the fifteenth", "make it Friday instead".
    pub corrects: bool,
}

/// What happened to the step in hand.
#[derive(Clone, Debug, PartialEq)]
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
    /// The caller it handed over waits in this place, and may wait so long yet.
    Waiting {
        /// 1: next.
        position: usize,
        /// As far as can be told.
        wait: Duration,
    },
    /// The caller it handed over is back, or was never taken.
    Handed(Box<Handed>),
    /// The sub-plan it ran is through; its values by name.
    Returned(Box<Scope>),
    /// The errand it sent somebody on is over.
    Done(Box<Done>),
}

/// Something that is done for a call outside of it, while the caller waits.
#[derive(Clone, Debug, PartialEq)]
pub enum Errand {
    /// Take a message.
    Message(Taking),
    /// Throw the message away that was taken last; the call does it at once.
    Forget,
    /// Ask another system.
    Lookup(Box<Request>),
}

/// How a message is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taking {
    /// It is over then at the latest.
    pub longest: Duration,
    /// Silence that ends it.
    pub silence: Duration,
    /// Anything shorter is none.
    pub least: Duration,
    /// Nothing of it is in the recording of the call.
    pub sensitive: bool,
}

/// A message that was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its sound.
    pub file: PathBuf,
    /// How long it is, in milliseconds.
    pub ms: u64,
}

/// What came of an errand.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// Nobody did it in time, or nobody can.
    Nothing,
    /// A message; `None` where nobody said anything, or it could not be kept.
    Message(Option<Message>),
    /// The other system's answer.
    Lookup(Result<LookupAnswer, Failure>),
}

/// What follows.
#[derive(Debug)]
pub enum Next<'plan> {
    /// Speak, then report [`Event::Said`].
    Say {
        /// What, in this order.
        words: Vec<Words<'plan>>,
        /// Must be heard whole.
        protected: bool,
        /// Who may stop it.
        barge_in: BargeIn,
    },
    /// Ask the question at this place for the first time.
    Ask {
        /// Place in [`Run::quests`].
        quest: usize,
        /// Said before its prompt.
        before: Vec<Words<'plan>>,
    },
    /// Ask again: this uses up a try, or leads to `exhausted` when none is left. Another question than the one that
    /// failed is asked for the first time, after the excuse.
    AskAgain {
        /// Place in [`Run::quests`].
        quest: usize,
        /// Why.
        excuse: Excuse,
    },
    /// Have this done, then report [`Event::Done`].
    Errand {
        /// What.
        errand: Errand,
        /// Said when it takes longer than `after`.
        filler: Vec<Words<'plan>>,
        /// When the filler is due.
        after: Duration,
        /// Longest wait; then it has come to nothing.
        patience: Duration,
    },
    /// Go there.
    Go(Target),
    /// Run the sub-plan that begins there, with these values and no others.
    Run {
        /// Its first step.
        start: StepIx,
        /// What it is given.
        given: Box<Scope>,
    },
    /// Hand the caller to a person, then report [`Event::Handed`].
    HandOver(Box<Handover>),
    /// Say this to who waits, and go on waiting.
    Meanwhile {
        /// What, in this order.
        words: Vec<Words<'plan>>,
    },
    /// Say goodbye and end the call.
    End {
        /// Said first, whole.
        words: Vec<Words<'plan>>,
        /// Kept in the record.
        result: Option<Cow<'plan, str>>,
    },
}

impl Next<'_> {
    /// Ask the question at this place for the first time.
    pub const fn ask(quest: usize) -> Self {
        Self::Ask { quest, before: Vec::new() }
    }
}

/// Something to say.
#[derive(Clone, Debug)]
pub enum Words<'plan> {
    /// A text of the plan.
    Prompt(&'plan Prompt),
    /// Words made for this moment.
    Line(Line),
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
#[derive(Clone, Debug, PartialEq)]
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
    pub fn nothing(nbest: &NBest) -> Self {
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

impl Step {
    /// The question at this place.
    pub fn quest(&self, place: usize) -> Option<&Quest> {
        self.kind.quests().get(place).copied()
    }

    /// Everything it may say by itself.
    pub fn prompts(&self) -> Vec<&Prompt> {
        let asked = self.kind.quests().into_iter();
        let asked = asked.flat_map(|quest| std::iter::once(&quest.question.prompt).chain(&quest.question.reprompts));
        self.kind.prompts().into_iter().chain(asked).collect()
    }

    /// Everywhere a call may go from here, each with a word for a person.
    pub fn exits(&self) -> Vec<(String, Target)> {
        let mut exits = self.kind.exits();
        for quest in self.kind.quests() {
            let question = &quest.question;
            let way = |name: &str, target: Target| (name.to_owned(), target);
            exits.extend([
                way("no input", question.no_input),
                way("no match", question.no_match),
                way("tries used up", question.exhausted),
                way("error", question.error),
            ]);
            exits.extend(question.universals.all().map(|(wish, target)| way(question::universal_name(wish), target)));
        }
        exits.push(("hang-up".to_owned(), self.hangup));
        exits.dedup();
        exits
    }

    /// It as a step of that kind.
    pub fn is<T: Run>(&self) -> Option<&T> {
        (self.kind.as_ref() as &dyn Any).downcast_ref()
    }
}

impl Quest {
    /// What records and timelines call an answer.
    pub fn name(&self, answer: &Answer) -> String {
        match answer {
            Answer::Universal(universal) => question::universal_name(*universal).to_owned(),
            other => self.ear.name(other),
        }
    }
}

/// A matcher's meaning, as an answer.
pub fn answer_of(meaning: &Meaning) -> Answer {
    match meaning {
        Meaning::Option(place) => Answer::Option(*place),
        Meaning::Universal(universal) => Answer::Universal(*universal),
    }
}
