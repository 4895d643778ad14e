//! `branch`: lead on by what is known.

use std::sync::Arc;

use super::{Event, Next, Run, Visit, Word};
use crate::dialplan::compile::Compiler;
use crate::dialplan::condition::Condition;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::Target;
use crate::dialplan::read::{self, Fields};
use crate::dialplan::yaml::{Node, Value as Yaml};
use crate::routing::{Calendar, split};
use crate::value::Value;

const KEYS: &[Key] = &[
    key(
        "when",
        Shape::List(&Shape::OneOf(WAY_KEYS, &CONDITIONS)),
        "Ways on, tried in order: the first whose condition holds is taken.",
    ),
    key("else", Shape::Target, "Where to when none holds, or one cannot be told."),
];
const WAY_KEYS: &[Key] = &[
    key("if", Shape::Condition, "The condition, such as `due > 100`."),
    key("open", Shape::Line, "A calendar of the plan: taken when somebody is there."),
    key("share", Shape::Count(1, 100), "Taken by so many calls of a hundred, by lot."),
    key("go", Shape::Target, "Where it leads."),
];

/// Of these a way has one.
const CONDITIONS: [&str; 3] = ["if", "open", "share"];

/// The word.
pub const WORD: Word =
    Word { name: "branch", about: "Lead on by what is known.", keys: &[KEYS], short: false, compile };

/// Lead on by what is known.
#[derive(Debug)]
pub struct Branch {
    /// In order.
    pub ways: Vec<(When, Target)>,
    /// When none holds.
    pub otherwise: Target,
}

/// When a way is taken.
#[derive(Debug)]
pub enum When {
    /// While this holds.
    If(Condition),
    /// While somebody is there.
    Open(String, Arc<Calendar>),
    /// By so many calls of a hundred; a call draws the same lot each time it comes by.
    Share(u32),
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS])?;
    let at = fields.start();
    let mut ways = Vec::new();
    match fields.take("when") {
        Some(Node { value: Yaml::List(items), .. }) if !items.is_empty() => {
            for item in items {
                let Some(mut way) = Fields::open(item, "a way of `when`", &[WAY_KEYS], cx.findings) else { continue };
                let when = when(&mut way, cx);
                let go = cx.go_of(&mut way, "this way");
                ways.extend(when.map(|when| (when, go)));
            }
        }
        other => {
            let message = format!("{} has no ways to choose among", cx.owner());
            let help = "write `when: [ { if: due > 100, go: … } ]`";
            cx.findings.error(other.map_or(at, |node| node.at), message).help(help);
        }
    }
    let otherwise = match fields.take("else") {
        Some(node) => cx.target(&node),
        None => {
            let message = format!("{} has no way on when no condition holds", cx.owner());
            cx.findings.error(at, message).help("add `else:` and the name of a step");
            None
        }
    };
    Some(Box::new(Branch { ways, otherwise: otherwise.unwrap_or(Target::End) }))
}

fn when(way: &mut Fields, cx: &mut Compiler<'_>) -> Option<When> {
    match CONDITIONS.map(|key| way.take(key)) {
        [Some(node), None, None] => cx.condition(&node).map(When::If),
        [None, Some(node), None] => {
            let name = read::line(&node, cx.findings)?;
            cx.calendar(&name).map(|calendar| When::Open(name.value, calendar))
        }
        [None, None, Some(node)] => {
            let share = read::count(&node, "`share`", 1..=100, cx.findings)?;
            Some(When::Share(u32::try_from(share.value).unwrap_or(100)))
        }
        [None, None, None] => {
            let help = "add `if: …`, `open: …` with the name of a calendar, or `share: 20`";
            cx.findings.error(way.start(), "this way has no condition").help(help);
            None
        }
        _ => {
            let help = "for both, let the first way lead to another `branch`";
            cx.findings.error(way.start(), "a way has one of `if`, `open` and `share`, not several").help(help);
            None
        }
    }
}

impl When {
    fn is_taken(&self, place: usize, visit: &Visit<'_>) -> Result<bool, String> {
        match self {
            Self::If(condition) => condition.holds(visit.view()),
            Self::Open(_, calendar) => Ok(calendar.at(visit.wall).is_open()),
            Self::Share(share) => {
                let call = visit.scope.fact("id").map(Value::plain).unwrap_or_default();
                Ok(split(&format!("{call} {} {place}", visit.step), &[*share, 100 - share]) == 0)
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::If(condition) => condition.text().to_owned(),
            Self::Open(name, _) => format!("{name} open"),
            Self::Share(share) => format!("{share} %"),
        }
    }
}

impl Run for Branch {
    fn next<'plan>(&'plan self, _: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        for (place, (when, go)) in self.ways.iter().enumerate() {
            match when.is_taken(place, visit) {
                Ok(true) => return Next::Go(*go),
                Ok(false) => {}
                Err(why) => {
                    visit.faults.push(format!("`{}` could not be told: {why}", when.text()));
                    return Next::Go(self.otherwise);
                }
            }
        }
        Next::Go(self.otherwise)
    }

    fn exits(&self) -> Vec<(String, Target)> {
        let ways = self.ways.iter().map(|(when, go)| (when.text(), *go));
        ways.chain([("else".to_owned(), self.otherwise)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::dialplan::load::load_str;

    #[test]
    fn a_way_has_one_condition_and_no_second_that_would_not_count() {
        let error = |way: &str| {
            let plan = format!(
                "dialplan: 1\nstart: a\ncalendars: {{ desk: {{ hours: {{ mon: \"8-9\" }} }} }}\nsteps: {{ a: {{ branch: {{ \
                 when: [{way}], else: b }} }}, b: {{ hangup: }} }}\n"
            );
            load_str("p.yaml", &plan).err().map(|found| found.to_string()).unwrap_or_default()
        };
        for way in ["{ if: now.hour > 1, open: desk, go: b }", "{ open: desk, share: 5, go: b }"] {
            assert!(error(way).contains("one of `if`, `open` and `share`, not several"), "{way}: {}", error(way));
        }
        assert!(error("{ go: b }").contains("has no condition"));
        assert_eq!(error("{ open: desk, go: b }"), "");
    }
}
