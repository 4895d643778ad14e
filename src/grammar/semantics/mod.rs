//! What an utterance means: the tags along its way through a grammar, run in order (SISR 1.0).
//!
//! Each rule has a value of its own. Its tags see the values of the rules it went through before them; a rule without
//! tags on the way hands on the value of the last rule it went through, and when there is none, the words said for it.

pub mod run;
pub mod script;
mod values;

use std::ops::Range;

use crate::value::Value;

use run::{Globals, Scope};
use script::Script;

use super::automaton::Automaton;
use super::words;

/// A tag, read.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// `semantics/1.0-literals`: the text is the value.
    Literal(String),
    /// `semantics/1.0`: a script.
    Script(Script),
}

/// What is passed on the way through a grammar, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A rule begins before this word.
    Enter(u32, usize),
    /// A rule is complete before this word.
    Leave(u32, usize),
    /// A tag.
    Tag(u32),
    /// A built-in has heard these words.
    Heard(u32, Range<usize>, Value),
}

/// A rule and the words that were said for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSpan {
    /// Its name; a built-in has its kind.
    pub rule: String,
    /// The words.
    pub words: Range<usize>,
    /// How many rules it is inside of.
    pub depth: usize,
}

/// The value of the whole, and which words each rule took, in the order in which they begin. `said` are the words of the
/// utterance as they are compared. An error is a sentence about the tag that failed.
pub fn interpret(automaton: &Automaton, events: &[Event], said: &[String]) -> (Result<Value, String>, Vec<RuleSpan>) {
    let mut spans: Vec<RuleSpan> = Vec::new();
    let mut open: Vec<Frame> = Vec::new();
    let mut fault = None;
    let mut result = Value::Nothing;
    let ends = ends(events);
    for (index, event) in events.iter().enumerate() {
        match event {
            Event::Enter(rule, at) => {
                let span = *at..ends[index].max(*at);
                let scope = Scope::new(automaton.written(said, span.clone()));
                spans.push(RuleSpan {
                    rule: automaton.rules[*rule as usize].name.clone(),
                    words: span,
                    depth: open.len(),
                });
                open.push(Frame { rule: *rule, scope, tagged: false });
            }
            Event::Leave(rule, _) => {
                let Some(frame) = open.pop() else { continue };
                let name = &automaton.rules[*rule as usize].name;
                let text = frame.scope.text.clone();
                let value = frame.value();
                match open.last_mut() {
                    Some(above) => above.take(name, value, text),
                    None => result = value,
                }
            }
            Event::Heard(call, words, value) => {
                let kind = automaton.builtins[*call as usize].kind.name();
                spans.push(RuleSpan { rule: kind.to_owned(), words: words.clone(), depth: open.len() });
                if let Some(above) = open.last_mut() {
                    above.take(kind, value.clone(), automaton.written(said, words.clone()));
                }
            }
            Event::Tag(tag) => {
                let Some(frame) = open.last_mut() else { continue };
                frame.tagged = true;
                match &automaton.tags[*tag as usize] {
                    Meaning::Literal(text) => frame.scope.out = Value::text(text),
                    Meaning::Script(script) => {
                        let file = automaton.rules[frame.rule as usize].file;
                        let none = Globals::default();
                        let ran = frame.scope.run(script, automaton.globals.get(file).unwrap_or(&none));
                        let name = &automaton.rules[frame.rule as usize].name;
                        fault = fault.or(ran.err().map(|why| format!("a tag of rule `{name}`: {why}")));
                    }
                }
            }
        }
    }
    (fault.map_or(Ok(result), Err), spans)
}

/// A rule that has begun.
struct Frame {
    rule: u32,
    scope: Scope,
    /// Has one of its tags been passed?
    tagged: bool,
}

impl Frame {
    fn take(&mut self, name: &str, value: Value, text: String) {
        self.scope.rules.insert(name.to_owned(), value);
        self.scope.texts.insert(name.to_owned(), text);
        self.scope.latest = Some(name.to_owned());
    }

    fn value(mut self) -> Value {
        if self.tagged {
            return self.scope.out;
        }
        match self.scope.latest.and_then(|name| self.scope.rules.remove(&name)) {
            Some(value) => value,
            None => Value::Text(self.scope.text),
        }
    }
}

/// For each event that begins a rule, where that rule is complete.
fn ends(events: &[Event]) -> Vec<usize> {
    let mut ends = vec![0; events.len()];
    let mut open = Vec::new();
    for (index, event) in events.iter().enumerate() {
        match event {
            Event::Enter(..) => open.push(index),
            Event::Leave(_, at) => open.pop().into_iter().for_each(|begun: usize| ends[begun] = *at),
            Event::Tag(_) | Event::Heard(..) => {}
        }
    }
    ends
}

impl Automaton {
    /// Words of an utterance as the grammar writes them, where it has them.
    pub fn written(&self, said: &[String], span: Range<usize>) -> String {
        let spelling = |word: &String| match self.number(word) {
            Some(number) => self.words[number as usize].written.clone(),
            None => word.clone(),
        };
        words::joined(said.get(span).unwrap_or_default().iter().map(spelling))
    }
}
