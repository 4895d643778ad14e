//! `set`: keep values under names, or change the language of the call.

use super::{Event, Next, Run, Visit, Word};
use crate::dialplan::compile::{Calculation, Compiler};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::Target;
use crate::dialplan::read;
use crate::dialplan::yaml::{Node, Value as Yaml};
use crate::language::Language;

const KEYS: &[Key] = &[
    key(
        "values",
        Shape::Named(&Shape::Value),
        "Names and what they become: a text, `{{ … }}`, or `= ` and a calculation.",
    ),
    key("language", Shape::Line, "The language in which the call goes on: one of the plan's."),
    key("go", Shape::Target, "Where to next."),
];

/// The word.
pub const WORD: Word = Word {
    name: "set",
    about: "Keep values under names, or change the language of the call.",
    keys: &[KEYS],
    short: false,
    compile,
};

/// Keep values under names.
#[derive(Debug)]
pub struct Set {
    /// In the order written: a later one may read an earlier one.
    pub values: Vec<(String, Calculation)>,
    /// In which language the call goes on.
    pub language: Option<Language>,
    /// Where to next.
    pub go: Target,
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS])?;
    let mut values = Vec::new();
    let at = fields.start();
    match fields.take("values") {
        Some(Node { value: Yaml::Map(entries), .. }) => {
            for (name, node) in entries {
                let named = cx.value_name(&name);
                if let Some(calculation) = cx.calculation(&node).filter(|_| named) {
                    values.push((name.value, calculation));
                }
            }
        }
        Some(other) => {
            let message = format!("`values` must be a map of names, not {}", other.sort());
            cx.findings.error(other.at, message).help("write `values: { name: \"…\" }`");
        }
        None => {}
    }
    let language = fields.read("language", cx.findings, read::line);
    if values.is_empty() && language.is_none() {
        let message = format!("{} sets nothing", cx.owner());
        cx.findings.error(at, message).help("add `values: { name: … }` or `language: …`");
    }
    let language = language.and_then(|language| cx.language_of_plan(&language));
    let go = cx.go(&mut fields);
    Some(Box::new(Set { values, language, go }))
}

impl Run for Set {
    fn next<'plan>(&'plan self, _: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        for (name, calculation) in &self.values {
            match calculation.value(visit.view()) {
                Ok(value) => visit.keep(name, value, false),
                Err(why) => visit.faults.push(format!("`{name}` could not be set: {why}")),
            }
        }
        if let Some(language) = &self.language {
            *visit.language = language.clone();
        }
        Next::Go(self.go)
    }

    fn exits(&self) -> Vec<(String, Target)> {
        vec![("go".to_owned(), self.go)]
    }

    fn onward(&self) -> Option<Target> {
        Some(self.go)
    }

    fn keeps(&self) -> Vec<(&str, bool)> {
        self.values.iter().map(|(name, _)| (name.as_str(), false)).collect()
    }
}
