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
    key(
        "share",
        Shape::Count(1, 100),
        "Taken by so many of a hundred calls that come here, by lot; together at most 100.",
    ),
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
    /// By so many calls of a hundred. A call draws one lot at the step, the same each time it comes by.
    Share {
        /// How many of them.
        of_hundred: u32,
        /// How many have gone to the ways before this one.
        before: u32,
    },
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS])?;
    let at = fields.start();
    let mut ways = Vec::new();
    let mut given_out = 0;
    match fields.take("when") {
        Some(Node { value: Yaml::List(items), .. }) if !items.is_empty() => {
            for item in items {
                let Some(mut way) = Fields::open(item, "a way of `when`", &[WAY_KEYS], cx.findings) else { continue };
                let when = when(&mut way, &mut given_out, cx);
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

fn when(way: &mut Fields, given_out: &mut u32, cx: &mut Compiler<'_>) -> Option<When> {
    match CONDITIONS.map(|key| way.take(key)) {
        [Some(node), None, None] => cx.condition(&node).map(When::If),
        [None, Some(node), None] => {
            let name = read::line(&node, cx.findings)?;
            cx.calendar(&name).map(|calendar| When::Open(name.value, calendar))
        }
        [None, None, Some(node)] => {
            let share = read::count(&node, "`share`", 1..=100, cx.findings)?;
            let (before, of_hundred) = (*given_out, u32::try_from(share.value).unwrap_or(100));
            *given_out += of_hundred;
            if *given_out > 100 {
                let message = format!("the shares of {} come to {given_out} of a hundred", cx.owner());
                let help = format!("at most {} are left for this way", 100 - before.min(100));
                cx.findings.error(share.at, message).help(help);
                return None;
            }
            Some(When::Share { of_hundred, before })
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
    fn is_taken(&self, visit: &Visit<'_>) -> Result<bool, String> {
        match self {
            Self::If(condition) => condition.holds(visit.view()),
            Self::Open(_, calendar) => Ok(calendar.at(visit.wall).is_open()),
            Self::Share { of_hundred, before } => {
                let call = visit.scope.fact("id").map(Value::plain).unwrap_or_default();
                let left = 100_u32.saturating_sub(before + of_hundred);
                Ok(split(&format!("{call} {}", visit.step), &[*before, *of_hundred, left]) == 1)
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::If(condition) => condition.text().to_owned(),
            Self::Open(name, _) => format!("{name} open"),
            Self::Share { of_hundred, .. } => format!("{of_hundred} %"),
        }
    }
}

impl Run for Branch {
    fn next<'plan>(&'plan self, _: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        for (when, go) in &self.ways {
            let taken = when.is_taken(visit);
            visit.weighed(&when.text(), &taken);
            match taken {
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
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use crate::dialplan::interpreter::{Act, Interpreter};
    use crate::dialplan::load::load_str;
    use crate::dialplan::scope::{Scope, Variables};
    use crate::language::Language;
    use crate::pii::Pii;
    use crate::value::Value;

    fn plan(when: &str) -> String {
        let ends: String =
            ["a", "b", "c", "d"].iter().map(|name| format!("  {name}: {{ hangup: {{ result: {name} }} }}\n")).collect();
        format!("dialplan: 1\nstart: lot\nsteps:\n  lot: {{ branch: {{ when: [{when}], else: d }} }}\n{ends}")
    }

    /// How many of 4,000 calls each way gets.
    fn ways(when: &str) -> BTreeMap<String, u32> {
        let plan = load_str("lot.yaml", &plan(when)).unwrap_or_else(|found| panic!("{found}")).plan;
        let mut counts = BTreeMap::new();
        for call in 0..4_000 {
            let facts = [("id".to_owned(), Pii::new(Value::text(format!("call-{call}"))))].into();
            let mut run = Interpreter::new(plan.clone(), &Language::english(), TimeZone::UTC)
                .knowing(Scope::of(facts), &Variables::new());
            let Act::End { result, .. } = run.start(Timestamp::UNIX_EPOCH) else { panic!("it ends at once") };
            *counts.entry(result.unwrap()).or_insert(0) += 1;
        }
        counts
    }

    #[test]
    fn shares_are_so_many_of_a_hundred_each_and_not_of_what_the_others_leave() {
        let shares = |when: &str| ways(when).into_iter().collect::<Vec<_>>();
        let halves = shares("{ share: 50, go: a }, { share: 50, go: b }");
        assert_eq!(halves.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b"], "{halves:?}");
        let parts = ways("{ share: 20, go: a }, { if: false, go: d }, { share: 30, go: b }, { share: 10, go: c }");
        for (name, of_hundred) in [("a", 20.0), ("b", 30.0), ("c", 10.0), ("d", 40.0)] {
            let (p, n) = (of_hundred / 100.0, 4_000.0_f64);
            let off = (f64::from(parts[name]) - p * n).abs();
            assert!(off <= 4.0 * (p * (1.0 - p) * n).sqrt(), "{name}: {parts:?}");
        }
    }

    #[test]
    fn more_than_a_hundred_of_a_hundred_is_no_plan() {
        let wrong = load_str("lot.yaml", &plan("{ share: 60, go: a }, { share: 50, go: b }")).unwrap_err().to_string();
        assert!(wrong.contains("come to 110 of a hundred") && wrong.contains("at most 40"), "{wrong}");
    }

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
