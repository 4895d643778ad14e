//! `branch`: lead on by what is known.

use super::{Event, Next, Run, Visit, Word};
use crate::dialplan::compile::Compiler;
use crate::dialplan::condition::Condition;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::Target;
use crate::dialplan::read::Fields;
use crate::dialplan::yaml::{Node, Value as Yaml};

const KEYS: &[Key] = &[
    key(
        "when",
        Shape::List(&Shape::Keys(WAY_KEYS)),
        "Ways on, tried in order: the first whose condition holds is taken.",
    ),
    key("else", Shape::Target, "Where to when none holds, or one cannot be told."),
];
const WAY_KEYS: &[Key] =
    &[key("if", Shape::Condition, "The condition, such as `due > 100`."), key("go", Shape::Target, "Where it leads.")];

/// The word.
pub const WORD: Word =
    Word { name: "branch", about: "Lead on by what is known.", keys: &[KEYS], short: false, compile };

/// Lead on by what is known.
#[derive(Debug)]
pub struct Branch {
    /// In order.
    pub ways: Vec<(Condition, Target)>,
    /// When none holds.
    pub otherwise: Target,
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS])?;
    let at = fields.start();
    let mut ways = Vec::new();
    match fields.take("when") {
        Some(Node { value: Yaml::List(items), .. }) if !items.is_empty() => {
            for item in items {
                let Some(mut way) = Fields::open(item, "a way of `when`", &[WAY_KEYS], cx.findings) else { continue };
                let condition = match way.take("if") {
                    Some(node) => cx.condition(&node),
                    None => {
                        cx.findings.error(way.start(), "this way has no condition").help("add `if: …`");
                        None
                    }
                };
                let go = cx.go_of(&mut way, "this way");
                ways.extend(condition.map(|condition| (condition, go)));
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

impl Run for Branch {
    fn next<'plan>(&'plan self, _: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        for (condition, go) in &self.ways {
            match condition.holds(visit.view()) {
                Ok(true) => return Next::Go(*go),
                Ok(false) => {}
                Err(why) => {
                    visit.faults.push(format!("`{}` could not be told: {why}", condition.text()));
                    return Next::Go(self.otherwise);
                }
            }
        }
        Next::Go(self.otherwise)
    }

    fn exits(&self) -> Vec<(String, Target)> {
        let ways = self.ways.iter().map(|(condition, go)| (condition.text().to_owned(), *go));
        ways.chain([("else".to_owned(), self.otherwise)]).collect()
    }
}
