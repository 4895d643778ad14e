//! `say`: speak, then go.

use super::{Event, Next, Run, Visit, Word, Words};
use crate::dialplan::compile::Compiler;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::{Prompt, Target};
use crate::dialplan::read;
use crate::dialplan::yaml::{Node, Value};
use crate::media::BargeIn;

pub(super) const KEYS: &[Key] = &[
    key("text", Shape::Words, "What is said, once or for each language."),
    key("file", Shape::Words, "A recording that is played instead."),
    key("protected", Shape::Flag, "Must be heard whole: nothing interrupts it, and the record proves it."),
    key("barge_in", Shape::Word(&["off", "keys", "speech"]), "What of the caller stops it."),
    key("go", Shape::Target, "Where to next."),
    key("hangup", Shape::Target, "Where the call stands when the caller hangs up here."),
];

/// The word.
pub const WORD: Word = Word { name: "say", about: "Speak, then go.", keys: &[KEYS], short: false, compile };

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

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    if let Value::Scalar { text, .. } = &node.value {
        let message = format!("{} does not say where to go next", cx.owner());
        cx.findings.error(node.at, message).help(format!("write `say: {{ text: \"{}\", go: … }}`", text.trim()));
        return None;
    }
    let mut fields = cx.open(node, &[KEYS])?;
    let said = cx.spoken(&mut fields, true);
    let protected = fields.read("protected", cx.findings, read::flag).is_some_and(|flag| flag.value);
    let barge_in = fields.read("barge_in", cx.findings, read::barge_in);
    if let Some(barge_in) = barge_in.as_ref().filter(|barge_in| protected && barge_in.value != BargeIn::Off) {
        let message = format!("{} is protected, so nothing may interrupt it", cx.owner());
        let help = "remove `barge_in`: what is protected is heard whole, keys pressed meanwhile are kept";
        cx.findings.error(barge_in.at, message).help(help);
    }
    cx.take_hangup(&mut fields);
    let go = cx.go(&mut fields);
    let default = cx.defaults().say_barge_in.as_ref().map(|barge_in| barge_in.value);
    let barge_in = barge_in.map(|barge_in| barge_in.value).or(default).unwrap_or_default();
    let prompt = match said {
        Some(said) if protected => cx.prompt_of_any_length(&said),
        Some(said) => cx.prompt(&said),
        None => Prompt::none(),
    };
    Some(Box::new(Say { prompt, protected, barge_in: if protected { BargeIn::Off } else { barge_in }, go }))
}

impl Run for Say {
    /// Speaks when entered; whatever comes then leads on.
    fn next<'plan>(&'plan self, event: &Event, _: &mut Visit<'_>) -> Next<'plan> {
        match event {
            Event::Entered => Next::Say {
                words: vec![Words::Prompt(&self.prompt)],
                protected: self.protected,
                barge_in: self.barge_in,
            },
            _ => Next::Go(self.go),
        }
    }

    fn prompts(&self) -> Vec<&Prompt> {
        vec![&self.prompt]
    }

    fn exits(&self) -> Vec<(String, Target)> {
        vec![("go".to_owned(), self.go)]
    }

    fn onward(&self) -> Option<Target> {
        Some(self.go)
    }
}
