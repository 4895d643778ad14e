//! `tag`: mark the call with facts that reports and exports can count.

use super::{Event, Next, Run, Visit, Word};
use crate::dialplan::compile::{Calculation, Compiler};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::Target;
use crate::dialplan::yaml::{Node, Value as Yaml};
use crate::pii::Pii;

const KEYS: &[Key] = &[
    key("tags", Shape::Named(&Shape::Value), "Names and values, kept with the call's record."),
    key("go", Shape::Target, "Where to next."),
];

/// The word.
pub const WORD: Word =
    Word { name: "tag", about: "Mark the call with facts for its record.", keys: &[KEYS], short: false, compile };

/// Mark the call.
#[derive(Debug)]
pub struct Tag {
    /// In the order written.
    pub tags: Vec<(String, Calculation)>,
    /// Where to next.
    pub go: Target,
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS])?;
    let at = fields.start();
    let mut tags = Vec::new();
    match fields.take("tags") {
        Some(Node { value: Yaml::Map(entries), .. }) if !entries.is_empty() => {
            for (name, node) in entries {
                let named = cx.value_name(&name);
                if let Some(calculation) = cx.calculation(&node).filter(|_| named) {
                    tags.push((name.value, calculation));
                }
            }
        }
        Some(other) => {
            let message = format!("`tags` must be a map of names, not {}", other.sort());
            cx.findings.error(other.at, message).help("write `tags: { name: \"…\" }`");
        }
        None => {
            let message = format!("{} marks nothing", cx.owner());
            cx.findings.error(at, message).help("add `tags: { name: … }`");
        }
    }
    let go = cx.go(&mut fields);
    Some(Box::new(Tag { tags, go }))
}

impl Run for Tag {
    fn next<'plan>(&'plan self, _: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        for (name, calculation) in &self.tags {
            match calculation.value(visit.view()) {
                Ok(value) => visit.came_to(OutcomeKind::Tag { name: name.clone(), value: Pii::new(value) }),
                Err(why) => visit.faults.push(format!("tag `{name}` could not be set: {why}")),
            }
        }
        Next::Go(self.go)
    }

    fn exits(&self) -> Vec<(String, Target)> {
        vec![("go".to_owned(), self.go)]
    }

    fn onward(&self) -> Option<Target> {
        Some(self.go)
    }
}
