//! A grammar ready for use: a network of states for each rule, whose arcs call one another.
//!
//! ```text
//!   $pay = [please] pay $what {…};
//!
//!        please        pay         $what          {…}
//!   ○ ───────────▶ ○ ───────▶ ○ ───────────▶ ○ ─────────▶ ◎
//!    ╲____________▲                  ╲
//!        nothing                      ○ ──▶ … ◎    the network of $what, entered and left again
//! ```
//!
//! Rules are not copied into one another, so a rule that is used in a hundred places costs once, and recursion needs no
//! copies at all. Whoever walks the network ([`Cursor`]) keeps a stack of the rules it is in, at most [`MAX_STACK`]
//! deep; the matcher keeps none and needs no such bound. Weights are natural logarithms, 0 for the likeliest way on and
//! less for others.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc as Shared;

use crate::language::Language;

use super::builtin::Kind;
use super::diagnostic::Place;
use super::semantics::Meaning;
use super::semantics::run::Globals;

/// Most rules a [`Cursor`] is inside of at a time. Sentences of people nest three or four; what recurs deeper is not
/// followed.
pub const MAX_STACK: usize = 32;

/// What an arc stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// A word, by its number.
    Word(u32),
    /// Any one word (`$GARBAGE`).
    Anything,
    /// Nothing is said.
    Nothing,
    /// A tag, by its number; nothing is said.
    Tag(u32),
    /// What a rule allows, by its number.
    Rule(u32),
    /// What a built-in hears, by its number.
    Builtin(u32),
}

/// A way from one state to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arc {
    /// What is said or done on the way.
    pub label: Label,
    /// The state it leads to.
    pub to: u32,
    /// How likely, as a natural logarithm: at most 0.
    pub weight: f32,
}

/// The network of one rule.
#[derive(Clone, Debug)]
pub struct RuleNet {
    /// Its name, without `$`.
    pub name: String,
    /// The file it is from; 0 is the grammar itself.
    pub file: usize,
    /// Where it is defined.
    pub at: Place,
    /// May other files refer to it?
    pub public: bool,
    /// Where it begins. No arc leads back here.
    pub start: u32,
    /// Where it is complete. No arc leads on from here.
    pub end: u32,
    /// Can it be complete without a word?
    pub empty: bool,
    /// The words it can begin with, in order; `None` when it is not known or may be anything.
    pub first: Option<Vec<u32>>,
}

/// A word of a grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As it is compared: `would`, `boston`.
    pub heard: String,
    /// As the grammar writes it: `Boston`.
    pub written: String,
}

/// A call of a built-in grammar, such as `builtin:grammar/digits?length=4`.
#[derive(Clone, Debug, PartialEq)]
pub struct BuiltinCall {
    /// What it hears. Tags know its value by its name, as `rules.digits`.
    pub kind: Kind,
    /// In which language.
    pub language: Language,
}

/// The compiled form of a grammar and of every file it refers to.
#[derive(Debug, Default)]
pub struct Automaton {
    /// Arcs of state `s` are `arcs[offsets[s]..offsets[s + 1]]`, words first and in order.
    pub(super) offsets: Vec<u32>,
    pub(super) arcs: Vec<Arc>,
    pub(super) rules: Vec<RuleNet>,
    pub(super) words: Vec<Word>,
    pub(super) numbers: BTreeMap<String, u32>,
    pub(super) tags: Vec<Meaning>,
    pub(super) builtins: Vec<BuiltinCall>,
    /// What the tags of each file itself have set.
    pub(super) globals: Vec<Globals>,
}

impl Automaton {
    /// The ways on from `state`.
    pub fn arcs(&self, state: u32) -> &[Arc] {
        let state = state as usize;
        &self.arcs[self.offsets[state] as usize..self.offsets[state + 1] as usize]
    }

    /// The ways on from `state` when `word` is said.
    pub fn arcs_of_word(&self, state: u32, word: u32) -> Range<usize> {
        let first = self.offsets[state as usize] as usize;
        let arcs = self.arcs(state);
        let start = arcs.partition_point(|arc| arc.label < Label::Word(word));
        let length = arcs[start..].iter().take_while(|arc| arc.label == Label::Word(word)).count();
        first + start..first + start + length
    }

    /// The ways on from `state` that are no words.
    pub fn other_arcs(&self, state: u32) -> Range<usize> {
        let first = self.offsets[state as usize] as usize;
        let arcs = self.arcs(state);
        first + arcs.partition_point(|arc| matches!(arc.label, Label::Word(_)))..first + arcs.len()
    }

    /// The number of a word; `None` when the grammar has no such word.
    pub fn number(&self, word: &str) -> Option<u32> {
        self.numbers.get(word).copied()
    }

    /// Every word that can be said somewhere, in alphabetical order.
    pub fn vocabulary(&self) -> impl Iterator<Item = &str> {
        self.numbers.keys().map(String::as_str)
    }

    /// The rules, by number.
    pub fn rules(&self) -> &[RuleNet] {
        &self.rules
    }

    /// How many states and arcs there are.
    pub fn size(&self) -> (usize, usize) {
        (self.offsets.len().saturating_sub(1), self.arcs.len())
    }

    /// At the beginning of rule number `rule`.
    pub fn enter(&self, rule: u32) -> Cursor {
        Cursor { state: self.rules[rule as usize].start, rule, above: None, depth: 1 }
    }

    /// The ways on from where `cursor` stands, likeliest not necessarily first. Rules that would nest deeper than
    /// [`MAX_STACK`] are left out.
    pub fn steps<'a>(&'a self, cursor: &'a Cursor) -> impl Iterator<Item = Step<'a>> + 'a {
        let leave = (cursor.state == self.rules[cursor.rule as usize].end).then_some(()).and_then(|()| {
            let above = cursor.above.as_ref()?;
            let next =
                Cursor { state: above.state, rule: above.rule, above: above.above.clone(), depth: cursor.depth - 1 };
            Some(Step { mark: Mark::Leave(cursor.rule), weight: 0.0, next })
        });
        let along = self.arcs(cursor.state).iter().filter_map(|arc| {
            let mut next = Cursor { state: arc.to, ..cursor.clone() };
            let mark = match arc.label {
                Label::Word(word) => Mark::Word(&self.words[word as usize].heard),
                Label::Anything => Mark::Anything,
                Label::Nothing => Mark::Nothing,
                Label::Tag(tag) => Mark::Tag(tag),
                Label::Builtin(call) => Mark::Builtin(&self.builtins[call as usize]),
                Label::Rule(_) if cursor.depth >= MAX_STACK => return None,
                Label::Rule(rule) => {
                    let state = self.rules[rule as usize].start;
                    next = Cursor { state, rule, above: Some(Shared::new(next)), depth: cursor.depth + 1 };
                    Mark::Enter(rule)
                }
            };
            Some(Step { mark, weight: arc.weight, next })
        });
        along.chain(leave)
    }

    /// Is `cursor` at the end of the rule it began in?
    pub fn is_complete(&self, cursor: &Cursor) -> bool {
        cursor.above.is_none() && cursor.state == self.rules[cursor.rule as usize].end
    }
}

/// A place in the network, with the rules one is in. What constrains a recogniser holds one per hypothesis: it costs a
/// few words, and a step shares the stack of the step before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    state: u32,
    rule: u32,
    /// Where to go on when the rule is complete.
    above: Option<Shared<Cursor>>,
    depth: usize,
}

impl Cursor {
    /// How many rules one is in.
    pub const fn depth(&self) -> usize {
        self.depth
    }
}

/// One way on.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// What is said or done.
    pub mark: Mark<'a>,
    /// How likely, as a natural logarithm.
    pub weight: f32,
    /// Where one is then.
    pub next: Cursor,
}

/// What is said or done on a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark<'a> {
    /// This word is said.
    Word(&'a str),
    /// Any one word is said.
    Anything,
    /// What a built-in hears is said.
    Builtin(&'a BuiltinCall),
    /// Nothing.
    Nothing,
    /// A tag is passed.
    Tag(u32),
    /// A rule begins.
    Enter(u32),
    /// A rule is complete.
    Leave(u32),
}
