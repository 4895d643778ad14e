//! `voicemail`: a message for a machine, whole or not at all.
//!
//! Whoever speaks or presses a key is no machine: the message stops, counts as not left, and the plan goes on with a
//! person. How much of it was heard stands in the record.

use super::{Event, Next, Run, Visit, Word, Words};
use crate::dialplan::compile::Compiler;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::{Prompt, Target};
use crate::dialplan::read;
use crate::dialplan::yaml::Node;
use crate::media::BargeIn;

const KEYS: &[Key] = &[
    key("text", Shape::Text, "The message. Nothing of it may be meant for one person only."),
    key("file", Shape::Line, "A recording of it."),
    key("barge_in", Shape::Word(&["off", "keys", "speech"]), "What shows that a person is there."),
    key("human", Shape::Target, "Where to when somebody is there after all."),
    key("go", Shape::Target, "Where to when the message is left."),
    key("hangup", Shape::Target, "Where the call stands when the far end hangs up here."),
];

/// The word.
pub const WORD: Word = Word {
    name: "voicemail",
    about: "Leave a message on a machine, whole or not at all.",
    keys: &[KEYS],
    short: false,
    compile,
};

/// Leave a message on a machine.
#[derive(Debug)]
pub struct Voicemail {
    /// The message.
    pub prompt: Prompt,
    /// What shows that a person is there.
    pub barge_in: BargeIn,
    /// Where to when somebody is there.
    pub human: Target,
    /// Where to when it is left.
    pub go: Target,
}

impl Run for Voicemail {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        if *event != Event::Said {
            // Not left until it is: the far end may hang up in the middle of it. The scribe counts what was played.
            visit.came_to(OutcomeKind::Voicemail { left: false, played_ms: 0 });
            return Next::Say { words: vec![Words::Prompt(&self.prompt)], protected: true, barge_in: self.barge_in };
        }
        if !visit.said_whole {
            return Next::Go(self.human);
        }
        if let Some(OutcomeKind::Voicemail { left, .. }) = visit.outcome() {
            *left = true;
        }
        Next::Go(self.go)
    }

    fn prompts(&self) -> Vec<&Prompt> {
        vec![&self.prompt]
    }

    fn exits(&self) -> Vec<(String, Target)> {
        vec![("go".to_owned(), self.go), ("human".to_owned(), self.human)]
    }

    fn onward(&self) -> Option<Target> {
        Some(self.go)
    }
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS])?;
    let start = fields.start();
    // The law's text may be long.
    let prompt = cx.spoken(&mut fields, true).map_or_else(Prompt::none, |text| cx.prompt_of_any_length(&text));
    let barge_in = fields.read("barge_in", cx.findings, read::barge_in);
    let human = cx.target_of(&mut fields, "human").unwrap_or_else(|| {
        let message = format!("{} has no way on when somebody is there", cx.owner());
        cx.findings.error(start, message).help("add `human:` and the name of a step");
        Target::End
    });
    cx.take_hangup(&mut fields);
    let go = cx.go(&mut fields);
    let barge_in = barge_in.map_or(BargeIn::Speech, |barge_in| barge_in.value);
    Some(Box::new(Voicemail { prompt, barge_in, human, go }))
}

#[cfg(test)]
mod tests {
    use crate::dialplan::outcome::OutcomeKind;
    use crate::dialplan::rehearsal::Rehearsal;

    const PLAN: &str = "dialplan: 1\nstart: leave\nsteps:\n  leave:\n    voicemail: { text: \"Please call us.\", human: \
                        somebody, go: bye }\n  bye: { hangup: { result: left } }\n  somebody: { hangup: { result: \
                        human } }\n";

    #[test]
    fn a_message_is_left_whole_or_not_at_all() {
        let talk = Rehearsal::of(PLAN, "en-US", &[]);
        assert_eq!(talk.bot(), "Please call us. [left]");
        assert!(matches!(talk.outcomes()[..], [OutcomeKind::Voicemail { left: true, .. }]), "{:?}", talk.outcomes());
        let talk = Rehearsal::interrupt(PLAN, "en-US");
        assert!(talk.bot().ends_with("[human]"), "{}", talk.bot());
        let last = talk.outcomes().pop();
        assert!(matches!(last, Some(OutcomeKind::Voicemail { left: false, .. })), "{last:?}");
    }
}
