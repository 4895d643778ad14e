//! `record`: the caller leaves a message, in a file of its own.

use std::time::Duration;

use super::{Done, Errand, Event, Next, Run, Taking, Visit, Word, Words};
use crate::dialplan::compile::Compiler;
use crate::dialplan::diagnostic::Findings;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::{Prompt, Target};
use crate::dialplan::read;
use crate::dialplan::yaml::Node;
use crate::media::BargeIn;

/// A message is over after this, unless the plan says otherwise.
const LONGEST: Duration = Duration::from_secs(120);
/// Silence that ends one: people think of what else there was.
const SILENCE: Duration = Duration::from_secs(4);
/// Whoever is gone sooner has left none.
const LEAST: Duration = Duration::from_secs(1);

const KEYS: &[Key] = &[
    key("prompt", Shape::Text, "What is said before the message is taken."),
    key("max", Shape::Time, "The longest message: 2 minutes if left out."),
    key("min", Shape::Time, "The shortest that counts: 1 second if left out."),
    key("silence", Shape::Time, "Silence that ends it: 4 seconds if left out. Any key ends it too."),
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
    /// Where to when there is none.
    pub nothing: Option<Target>,
    /// Where to when there is one.
    pub go: Target,
}

impl Run for Record {
    fn next<'plan>(&'plan self, event: &Event, _: &mut Visit<'_>) -> Next<'plan> {
        match event {
            Event::Said => Next::Errand {
                errand: Errand::Message(self.taking),
                filler: Vec::new(),
                after: Duration::ZERO,
                // The call keeps the time of a message itself.
                patience: self.taking.longest,
            },
            Event::Done(done) => match done.as_ref() {
                Done::Message(Some(_)) => Next::Go(self.go),
                _ => Next::Go(self.nothing.unwrap_or(self.go)),
            },
            _ => {
                let words = vec![Words::Prompt(&self.prompt)];
                // What is said into the prompt would not be in the message.
                Next::Say { words, protected: false, barge_in: BargeIn::Keys }
            }
        }
    }

    fn prompts(&self) -> Vec<&Prompt> {
        vec![&self.prompt]
    }

    fn exits(&self) -> Vec<(String, Target)> {
        let nothing = self.nothing.map(|target| ("nothing".to_owned(), target));
        [("go".to_owned(), self.go)].into_iter().chain(nothing).collect()
    }

    fn onward(&self) -> Option<Target> {
        Some(self.nothing.unwrap_or(self.go))
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
    let taking = Taking {
        longest: max.as_ref().map_or(LONGEST, |max| max.value),
        silence: silence.map_or(SILENCE, |silence| silence.value),
        least: min.as_ref().map_or(LEAST, |min| min.value),
    };
    if let Some(min) = min.filter(|min| min.value >= taking.longest) {
        cx.findings.error(min.at, "no message is long enough and short enough").help("`min` must be less than `max`");
    }
    let nothing = cx.target_of(&mut fields, "nothing");
    cx.take_hangup(&mut fields);
    let go = cx.go(&mut fields);
    Some(Box::new(Record { prompt, taking, nothing, go }))
}
