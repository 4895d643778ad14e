//! `goto`: lead elsewhere, at once.

use super::{Event, Next, Run, Visit, Word};
use crate::dialplan::compile::Compiler;
use crate::dialplan::plan::Target;
use crate::dialplan::yaml::Node;

/// The word.
pub const WORD: Word = Word { name: "goto", about: "Go elsewhere.", keys: &[], short: true, compile };

/// Go elsewhere.
#[derive(Debug)]
pub struct Goto(pub Target);

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    cx.target(&node).map(|target| Box::new(Goto(target)) as Box<dyn Run>)
}

impl Run for Goto {
    fn next<'plan>(&'plan self, _: &Event, _: &mut Visit<'_>) -> Next<'plan> {
        Next::Go(self.0)
    }

    fn exits(&self) -> Vec<(String, Target)> {
        vec![("go".to_owned(), self.0)]
    }

    fn onward(&self) -> Option<Target> {
        Some(self.0)
    }
}
