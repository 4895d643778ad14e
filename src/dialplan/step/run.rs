//! `run`: another plan as a part of this one, with values of its own.

use super::{Event, Next, Run, Visit, Word};
use crate::dialplan::compile::{Calculation, Compiler};
use crate::dialplan::diagnostic::{Spanned, nearest};
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
    /// Our name for a value of it, its own, and whether it is a secret.
    pub keep: Vec<(String, String, bool)>,
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
    if let Some(node) = fields.take("with") {
        for (name, node) in entries(node, "with", "{ name: \"{{ name }}\" }", cx) {
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
    if let Some(node) = fields.take("keep") {
        for (name, node) in entries(node, "keep", "{ score: rating }", cx) {
            let named = cx.value_name(&name);
            let Some(theirs) = read::line(&node, cx.findings).filter(|_| named) else { continue };
            let kept = unit.iter().flat_map(|unit| &unit.kept);
            let mut same = kept.filter(|(kept, _)| readable(kept) == readable(&theirs.value)).peekable();
            if unit.is_some() && same.peek().is_none() {
                let known = unit.iter().flat_map(|unit| &unit.kept).map(|(name, _)| name.as_str());
                let help = match nearest(&theirs.value, known) {
                    Some(right) => format!("did you mean `{right}`?"),
                    None => "write `OUR_NAME: ITS_NAME`".to_owned(),
                };
                cx.findings.regret(theirs.at, format!("that plan never sets `{}`", theirs.value)).help(help);
            }
            let secret = same.any(|(_, secret)| *secret);
            keep.push((name.value, theirs.value, secret));
        }
    }
    let go = cx.go(&mut fields);
    let unit = unit?;
    Some(Box::new(RunPlan { start: unit.start, inputs: unit.inputs, with, keep, go }))
}

/// The names and values of a map.
fn entries(node: Node, key: &str, example: &str, cx: &mut Compiler<'_>) -> Vec<(Spanned<String>, Node)> {
    if node.is_nothing() {
        return Vec::new();
    }
    let Yaml::Map(entries) = node.value else {
        let message = format!("`{key}` must be a map of names, not {}", node.sort());
        cx.findings.error(node.at, message).help(format!("write `{key}: {example}`"));
        return Vec::new();
    };
    entries
}

impl Run for RunPlan {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        if let Event::Returned(theirs) = event {
            for (ours, name, _) in &self.keep {
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
        self.keep.iter().map(|(ours, _, secret)| (ours.as_str(), *secret)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use crate::dialplan::interpreter::{Act, Interpreter};
    use crate::dialplan::load::{Loaded, load};
    use crate::dialplan::step::{Answer, Event};
    use crate::language::Language;
    use crate::understand::Universal;

    const PART: &str = "dialplan: 1\nstart: begin\nphrases: { no_input: \"Hello, are you there?\" }\ndefaults: { question: { \
                        go: $end } }\nsteps:\n  begin: { say: { text: \"Part.\", go: pin } }\n  pin: { ask: { prompt: \
                        \"Pin?\", digits: 4, sensitive: true, go: over } }\n  over: { ask: { prompt: \"Over?\", digits: 1, go: $end } }\n";

    /// A plan that runs the part with these keys, and what is said of it.
    fn running(keys: &str, after: &str, part: &str) -> (Option<Loaded>, String) {
        let folder = tempfile::tempdir().unwrap();
        let whole = format!(
            "dialplan: 1\nstart: first\ninputs: {{ a: text }}\nsteps:\n  first: {{ say: {{ text: \"Main.\", go: sub }} }}\n  sub: \
             {{ run: {{ plan: part.yaml, {keys} go: after }} }}\n  after: {after}\n"
        );
        std::fs::write(folder.path().join("part.yaml"), part).unwrap();
        std::fs::write(folder.path().join("main.yaml"), whole).unwrap();
        match load(&folder.path().join("main.yaml")) {
            Ok(loaded) => {
                let said = loaded.warnings.to_string();
                (Some(loaded), said)
            }
            Err(found) => (None, found.to_string()),
        }
    }

    #[test]
    fn what_is_given_and_kept_are_maps_and_what_is_kept_is_there() {
        for (keys, why) in [
            ("with: [x],", "`with` must be a map"),
            ("keep: y,", "`keep` must be a map"),
            ("keep: { y: piin },", "that plan never sets `piin`"),
        ] {
            let (_, said) = running(keys, "{ hangup: }", PART);
            assert!(said.contains(why), "{keys}: {said}");
        }
        assert_eq!(running("keep: { code: pin },", "{ hangup: }", PART).1, "");
    }

    #[test]
    fn a_secret_of_the_other_plan_is_one_here_too() {
        let (plan, said) = running("keep: { code: pin },", "{ hangup: { text: \"{{ code }}\" } }", PART);
        assert!(plan.is_none() && said.contains("`code` is a secret"), "{said}");
        let (_, said) = running("keep: { digit: over },", "{ hangup: { text: \"{{ digit }}\" } }", PART);
        assert_eq!(said, "");
    }

    #[test]
    fn it_speaks_for_itself_and_going_back_within_it_stays_within_it() {
        let plan: Arc<_> = running("", "{ hangup: }", PART).0.unwrap().plan;
        let mut call = Interpreter::new(plan, &Language::english(), TimeZone::UTC);
        let now = Timestamp::UNIX_EPOCH;
        let said = |act: &Act| match act {
            Act::Say { lines, .. } => lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>().join(" "),
            Act::Ask(asking) => asking.lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>().join(" "),
            other => panic!("{other:?}"),
        };
        assert_eq!(said(&call.start(now)), "Main.");
        assert_eq!(said(&call.next(&Event::Said, now)), "Part.");
        assert_eq!(said(&call.next(&Event::Said, now)), "Pin?");
        assert_eq!(said(&call.next(&Event::NoInput, now)), "Hello, are you there? Pin?", "in its own words");
        let back = Event::Answered(Answer::Universal(Universal::Back));
        assert_eq!(said(&call.next(&back, now)), "Pin?", "the first question there is");
    }

    #[test]
    fn going_back_before_anything_was_asked_leads_to_its_own_beginning() {
        let part = "dialplan: 1\nstart: begin\nsteps:\n  begin: { say: { text: \"Part.\", go: next } }\n  next: { branch: { \
                    when: [{ if: \"now.hour > 30\", go: begin }], else: $back } }\n";
        let plan = running("", "{ hangup: }", part).0.unwrap().plan;
        let mut call = Interpreter::new(plan, &Language::english(), TimeZone::UTC);
        let now = Timestamp::UNIX_EPOCH;
        call.start(now);
        call.next(&Event::Said, now);
        let Act::Say { lines, .. } = call.next(&Event::Said, now) else { panic!() };
        assert_eq!(lines[0].text, "Part.", "not of the plan that runs it, which has other values");
    }

    #[test]
    fn a_fault_of_the_other_plan_is_told_in_its_file() {
        let part = "dialplan: 1\nstart: a\nsteps:\n  a: { goto: b }\n  b: { goto: a }\n";
        let (_, said) = running("", "{ hangup: }", part);
        assert!(said.contains("part.yaml:4:3  this goes round for ever"), "{said}");
    }
}
