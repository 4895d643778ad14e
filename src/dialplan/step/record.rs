//! `record`: the caller leaves a message, in a file of its own, and may hear it, record it again or delete it.
//!
//! ```text
//!   prompt ─▶ message ─┬────────────────────────────▶ go
//!     ▲                └ review: it is played ─ keep ─▶ go        who says nothing, or hangs up, has kept it
//!     └── again ◀───────────────┴ delete ─▶ nothing
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use super::menu::{MenuOption, Options, REJECT_BELOW};
use super::{
    Answer, Done, Ear, Errand, Event, Hearing, Judged, Keyed, Message, Next, Quest, Run, Taking, Visit, Word, Words,
    question,
};
use crate::dialplan::compile::{Compiler, INCOMPLETE};
use crate::dialplan::diagnostic::{Findings, Spanned};
use crate::dialplan::interpreter::Line;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::{Prompt, Question, Target};
use crate::dialplan::read;
use crate::dialplan::schema;
use crate::dialplan::yaml::Node;
use crate::grammar::normalize::is_mandarin;
use crate::language::Language;
use crate::media::BargeIn;
use crate::rtp::Digit;
use crate::understand::{NBest, Universal};

/// A message is over after this, unless the plan says otherwise.
const LONGEST: Duration = Duration::from_secs(120);
/// Silence that ends one: people think of what else there was.
const SILENCE: Duration = Duration::from_secs(4);
/// Whoever is gone sooner has left none.
const LEAST: Duration = Duration::from_secs(1);
/// Messages that one visit may take and throw away.
const TAKES: u32 = 10;

/// What may become of a message, by the places of [`REVIEW`].
const KEEP: usize = 0;
const AGAIN: usize = 1;
/// Names, keys, and what callers say in English and in Mandarin.
const REVIEW: [(&str, char, &[&str], &[&str]); 3] = [
    (
        "keep",
        '1',
        &["keep", "keep it", "save it", "send it", "that is fine", "it is good", "yes", "okay"],
        &["保留", "保存", "可以", "好的", "没问题", "就这样", "发送"],
    ),
    (
        "again",
        '2',
        &["redo", "redo it", "record again", "record it again", "do it over", "start over", "a new message"],
        &["重录", "重新录", "再录一次", "再来一遍", "重来", "重新说"],
    ),
    (
        "delete",
        '3',
        &["delete", "delete it", "drop it", "throw it away", "never mind", "do not keep it", "cancel"],
        &["删除", "删掉", "不要了", "取消", "算了", "不留了"],
    ),
];

const KEYS: &[Key] = &[
    key("prompt", Shape::Text, "What is said before the message is taken."),
    key("max", Shape::Time, "The longest message: 2 minutes if left out."),
    key("min", Shape::Time, "The shortest that counts: 1 second if left out."),
    key("silence", Shape::Time, "Silence that ends it: 4 seconds if left out. Any key ends it too."),
    key("review", Shape::Flag, "The caller hears it, and keeps it, records it again or deletes it: false if left out."),
    key("sensitive", Shape::Flag, "What is said is in the message's own file, and in no recording of the call."),
    key("nothing", Shape::Target, "Where to when nothing was said, or it could not be kept; `go` if left out."),
    key("go", Shape::Target, "Where to when there is a message."),
    key("hangup", Shape::Target, "Where the call stands when the caller hangs up here; what was said is kept."),
];

/// The word.
pub const WORD: Word =
    Word { name: "record", about: "Take a message into a file of its own.", keys: &[KEYS], short: false, compile };

/// Take a message.
#[derive(Debug)]
pub struct Record {
    /// Said before.
    pub prompt: Prompt,
    /// How it is taken.
    pub taking: Taking,
    /// What becomes of it, where the caller is asked.
    pub review: Option<Review>,
    /// Where to when there is none.
    pub nothing: Option<Target>,
    /// Where to when there is one.
    pub go: Target,
}

/// The caller hears their message and says what is to become of it.
#[derive(Debug)]
pub struct Review {
    quest: Quest,
    /// Stands for the message in transcripts, and is said where it cannot be played.
    played: Prompt,
}

/// What one visit remembers.
#[derive(Debug, Default)]
struct Progress {
    /// The message that was left.
    message: Option<Message>,
    /// It is being thrown away, to be recorded again or not.
    again: Option<bool>,
    takes: u32,
}

impl Record {
    fn speak(&self) -> Next<'_> {
        // What is said into the prompt would not be in the message.
        Next::Say { words: vec![Words::Prompt(&self.prompt)], protected: false, barge_in: BargeIn::Keys }
    }

    /// The message is over.
    fn left<'plan>(&'plan self, message: &Message, visit: &mut Visit<'_>) -> Next<'plan> {
        let progress = visit.memory::<Progress>();
        progress.message = Some(message.clone());
        progress.takes += 1;
        match &self.review {
            Some(review) => review.play(message, visit),
            None => Next::Go(self.go),
        }
    }

    /// What the caller says of it.
    fn reviewed<'plan>(&'plan self, review: &'plan Review, answer: &Answer, visit: &mut Visit<'_>) -> Next<'plan> {
        let message = visit.memory::<Progress>().message.clone();
        match (answer, message) {
            (Answer::Option(KEEP), _) => Next::Go(self.go),
            (Answer::Option(place), _) => {
                let again = *place == AGAIN;
                visit.memory::<Progress>().again = Some(again);
                Next::Errand {
                    errand: Errand::Forget,
                    filler: Vec::new(),
                    after: Duration::ZERO,
                    patience: Duration::from_secs(1),
                }
            }
            (Answer::Universal(Universal::Repeat), Some(message)) => review.play(&message, visit),
            (Answer::Universal(wish), _) => question::wish(0, &review.quest.question, *wish),
            _ => Next::ask(0),
        }
    }
}

impl Review {
    fn play<'plan>(&'plan self, message: &Message, visit: &mut Visit<'_>) -> Next<'plan> {
        let words = visit.line(&self.played);
        let played = Line { file: Some(message.file.clone()), ..words };
        Next::Ask { quest: 0, before: vec![Words::Line(played)] }
    }
}

impl Run for Record {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        match (event, &self.review) {
            (Event::Said, _) => Next::Errand {
                errand: Errand::Message(self.taking),
                filler: Vec::new(),
                after: Duration::ZERO,
                // The call keeps the time of a message itself.
                patience: self.taking.longest,
            },
            (Event::Done(done), _) => match (done.as_ref(), visit.memory::<Progress>().again.take()) {
                (Done::Message(Some(message)), _) => self.left(message, visit),
                (_, Some(true)) if visit.memory::<Progress>().takes < TAKES => self.speak(),
                _ => Next::Go(self.nothing.unwrap_or(self.go)),
            },
            (Event::Answered(answer), Some(review)) => self.reviewed(review, answer, visit),
            (Event::NoInput | Event::NoMatch { .. } | Event::Error, Some(review)) => {
                question::next(0, &review.quest.question, event)
            }
            _ => self.speak(),
        }
    }

    fn quests(&self) -> Vec<&Quest> {
        self.review.iter().map(|review| &review.quest).collect()
    }

    fn prompts(&self) -> Vec<&Prompt> {
        std::iter::once(&self.prompt).chain(self.review.iter().map(|review| &review.played)).collect()
    }

    fn exits(&self) -> Vec<(String, Target)> {
        let nothing = self.nothing.map(|target| ("nothing".to_owned(), target));
        [("go".to_owned(), self.go)].into_iter().chain(nothing).collect()
    }

    fn onward(&self) -> Option<Target> {
        Some(self.nothing.unwrap_or(self.go))
    }
}

/// Understands what is to become of a message; of one that is sensitive nothing is recorded while it is played.
#[derive(Debug)]
struct ReviewEar {
    options: Options,
    sensitive: bool,
}

impl Ear for ReviewEar {
    fn keys(&self, typed: &str, hearing: &Hearing) -> Keyed {
        self.options.keys(typed, hearing)
    }

    fn speech(&self, nbest: &NBest, hearing: &Hearing) -> Judged {
        self.options.speech(nbest, hearing)
    }

    fn name(&self, answer: &Answer) -> String {
        self.options.name(answer)
    }

    fn sensitive(&self) -> bool {
        self.sensitive
    }
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS])?;
    let prompt = cx.required_prompt(&mut fields).map_or_else(Prompt::none, |text| cx.prompt(&text));
    let mut time = |name: &str, least: u64, most: u64, cx: &mut Compiler<'_>| {
        let range = Duration::from_millis(least)..=Duration::from_secs(most);
        let read = |node: &Node, findings: &mut Findings| read::time(node, range.clone(), findings);
        fields.read(name, cx.findings, read)
    };
    let (max, min) = (time("max", 1_000, 3_600, cx), time("min", 100, 60, cx));
    let silence = time("silence", 500, 60, cx);
    let mut flag =
        |name: &str, cx: &mut Compiler<'_>| fields.read(name, cx.findings, read::flag).is_some_and(|flag| flag.value);
    let (reviews, sensitive) = (flag("review", cx), flag("sensitive", cx));
    let taking = Taking {
        longest: max.as_ref().map_or(LONGEST, |max| max.value),
        silence: silence.map_or(SILENCE, |silence| silence.value),
        least: min.as_ref().map_or(LEAST, |min| min.value),
        sensitive,
    };
    if let Some(min) = min.filter(|min| min.value >= taking.longest) {
        cx.findings.error(min.at, "no message is long enough and short enough").help("`min` must be less than `max`");
    }
    let nothing = cx.target_of(&mut fields, "nothing");
    cx.take_hangup(&mut fields);
    let go = cx.go(&mut fields);
    let review = reviews.then(|| review(go, sensitive, cx));
    Some(Box::new(Record { prompt, taking, review, nothing, go }))
}

/// Whoever says nothing to it, or nothing that is understood, has kept the message.
fn review(go: Target, sensitive: bool, cx: &mut Compiler<'_>) -> Review {
    let away = Spanned { at: cx.at(), value: "$end".to_owned() };
    let written = schema::Question { exhausted: Some(away), reprompt: Some(Vec::new()), ..schema::Question::default() };
    let prompt = cx.house_prompt("keep_it");
    let question = Question { prompt, exhausted: go, error: go, ..cx.question(&written, INCOMPLETE) };
    let phrases = |language: &Language| -> Vec<Vec<String>> {
        let own = |english: &[&str], mandarin: &[&str]| -> Vec<String> {
            let said = match (is_mandarin(language), language.primary()) {
                (true, _) => mandarin,
                (_, "en") => english,
                _ => &[],
            };
            said.iter().map(|phrase| (*phrase).to_owned()).collect()
        };
        REVIEW.iter().map(|(_, _, english, mandarin)| own(english, mandarin)).collect()
    };
    let matchers: BTreeMap<_, _> = cx.matchers_of(phrases, &question.universals);
    let option = |(name, key, ..): &(&str, char, _, _)| MenuOption { name: (*name).to_owned(), key: Digit::new(*key) };
    let options = REVIEW.iter().map(option).collect();
    let operator = question.universals.operator.is_some();
    let ear = ReviewEar { options: Options { options, matchers, reject_below: REJECT_BELOW, operator }, sensitive };
    Review { quest: Quest { question, ear: Box::new(ear) }, played: cx.house_prompt("your_message") }
}
