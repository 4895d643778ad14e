//! `hangup`: a last word, then the end.

use std::borrow::Cow;

use super::{Event, Next, Run, Visit, Word, Words};
use crate::dialplan::compile::Compiler;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::{Prompt, Target};
use crate::dialplan::read;
use crate::dialplan::yaml::{Node, Value};
use crate::language::Language;

pub(super) const KEYS: &[Key] = &[
    key("text", Shape::Words, "Said first, to its end."),
    key("file", Shape::Words, "A recording that is played instead."),
    key("result", Shape::Line, "What the call came to, in a word, for the record."),
];

/// The word.
pub const WORD: Word =
    Word { name: "hangup", about: "Say goodbye and end the call.", keys: &[KEYS], short: true, compile };

/// Say goodbye and end.
#[derive(Debug)]
pub struct Hangup {
    /// Said first, to its end.
    pub prompt: Option<Prompt>,
    /// Resolution kept in the record, such as `balance`.
    pub result: Option<String>,
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    if node.is_nothing() {
        return Some(Box::new(Hangup { prompt: None, result: None }));
    }
    let words_only = match &node.value {
        Value::Scalar { .. } => true,
        Value::Map(entries) => entries.iter().any(|(key, _)| Language::parse(&key.value).is_ok()),
        Value::List(_) => false,
    };
    if words_only {
        let prompt = cx.text(&node).map(|text| cx.prompt(&text));
        return Some(Box::new(Hangup { prompt, result: None }));
    }
    let mut fields = cx.open(node, &[KEYS])?;
    let said = cx.spoken(&mut fields, false);
    let result = fields.read("result", cx.findings, read::line);
    let result = result.filter(|result| read::name(result, "a result", cx.findings));
    let prompt = said.map(|said| cx.prompt(&said));
    Some(Box::new(Hangup { prompt, result: result.map(|result| result.value) }))
}

impl Run for Hangup {
    /// Ends the call, whatever happened.
    fn next<'plan>(&'plan self, _: &Event, _: &mut Visit<'_>) -> Next<'plan> {
        let words = self.prompt.iter().map(Words::Prompt).collect();
        Next::End { words, result: self.result.as_deref().map(Cow::Borrowed) }
    }

    fn prompts(&self) -> Vec<&Prompt> {
        self.prompt.iter().collect()
    }

    fn exits(&self) -> Vec<(String, Target)> {
        Vec::new()
    }
}
