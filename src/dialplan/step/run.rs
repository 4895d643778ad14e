//! `run`: another plan as a part of this one, with values of its own.

use super::{Event, Next, Run, Visit, Word};
use crate::dialplan::compile::{Calculation, Compiler};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::{PlanInput, StepIx, Target};
use crate::dialplan::read;
use crate::dialplan::scope::readable;
use crate::dialplan::yaml::{Node, Value as Yaml};
use crate::value::Value;

const KEYS: &[Key] = &[
    key("plan", Shape::Line, "The other plan's file, relative to this one's folder."),
    key("with", Shape::Named(&Shape::Value), "What it is given, by the names of its `inputs`."),
    key("keep", Shape::Named(&Shape::Line), "What is kept of it: a name here, and its name there."),
    key("go", Shape::Target, "Where to next, when it is through."),
];

/// The word.
pub const WORD: Word =
    Word { name: "run", about: "Run another plan as a part of this one.", keys: &[KEYS], short: false, compile };

/// Run a sub-plan.
#[derive(Debug)]
pub struct RunPlan {
    /// Where it begins.
    pub start: StepIx,
    /// What it takes.
    pub inputs: Vec<PlanInput>,
    /// What it is given.
    pub with: Vec<(String, Calculation)>,
    /// Our name for a value of it, and its own.
    pub keep: Vec<(String, String)>,
    /// Where to next.
    pub go: Target,
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS])?;
    let at = fields.start();
    let plan = fields.read("plan", cx.findings, read::line);
    if plan.is_none() {
        cx.findings.error(at, format!("{} does not say which plan", cx.owner())).help("add `plan: other.yaml`");
    }
    let unit = plan.as_ref().and_then(|plan| cx.sub_plan(plan));
    let mut with = Vec::new();
    if let Some(Node { value: Yaml::Map(entries), .. }) = fields.take("with") {
        for (name, node) in entries {
            if let Some(unit) = &unit
                && !unit.inputs.iter().any(|input| input.name == readable(&name.value))
            {
                let known = crate::dialplan::diagnostic::listed(unit.inputs.iter().map(|input| input.name.as_str()));
                cx.findings
                    .error(name.at, format!("that plan has no input `{}`", name.value))
                    .help(if known.is_empty() { "its `inputs` are empty".into() } else { format!("it has {known}") });
            }
            with.extend(cx.calculation(&node).map(|calculation| (readable(&name.value), calculation)));
        }
    }
    if let Some(unit) = &unit {
        for input in unit.inputs.iter().filter(|input| input.required) {
            if !with.iter().any(|(name, _)| *name == input.name) {
                let message = format!("that plan wants `{}`, which is not given", input.name);
                cx.findings.error(at, message).help(format!("add `with: {{ {}: … }}`", input.name));
            }
        }
    }
    let mut keep = Vec::new();
    if let Some(Node { value: Yaml::Map(entries), .. }) = fields.take("keep") {
        for (name, node) in entries {
            let named = cx.value_name(&name);
            let theirs = read::line(&node, cx.findings);
            keep.extend(theirs.filter(|_| named).map(|theirs| (name.value, theirs.value)));
        }
    }
    let go = cx.go(&mut fields);
    let unit = unit?;
    Some(Box::new(RunPlan { start: unit.start, inputs: unit.inputs, with, keep, go }))
}

impl Run for RunPlan {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        if let Event::Returned(theirs) = event {
            for (ours, name) in &self.keep {
                let value = theirs.value(name).cloned().unwrap_or_default();
                visit.keep(ours, value, theirs.is_secret(name));
            }
            return Next::Go(self.go);
        }
        let mut given = visit.scope.bare();
        for (name, calculation) in &self.with {
            let sort = self.inputs.iter().find(|input| input.name == *name).map(|input| input.sort);
            let typed = calculation.value(visit.view()).and_then(|value| match (&value, sort) {
                (Value::Text(text), Some(sort)) => sort.take(text).map_err(|why| format!("it {why}")),
                _ => Ok(value),
            });
            match typed {
                Ok(value) => given.keep(name, value),
                Err(why) => visit.faults.push(format!("input `{name}` could not be given: {why}")),
            }
        }
        Next::Run { start: self.start, given: Box::new(given) }
    }

    fn exits(&self) -> Vec<(String, Target)> {
        vec![("runs".to_owned(), Target::Step(self.start)), ("go".to_owned(), self.go)]
    }

    fn keeps(&self) -> Vec<(&str, bool)> {
        self.keep.iter().map(|(ours, _)| (ours.as_str(), false)).collect()
    }
}
