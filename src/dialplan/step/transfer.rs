//! `transfer`: connect the caller with one person.

use std::time::Duration;

use super::handover::{self, BRIEF_KEYS, Telling};
use super::{Event, Next, Run, Visit, Word};
use crate::dialplan::compile::{Calculation, Compiler};
use crate::dialplan::diagnostic::{Spanned, listed};
use crate::dialplan::handover::{HandedEnd, Handover, How, Whom};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::Target;
use crate::dialplan::read;
use crate::dialplan::yaml::Node;
use crate::pii::Pii;

/// How long a telephone rings unless the plan says otherwise.
const RING: Duration = Duration::from_secs(25);
const HOWS: [&str; 3] = ["bridge", "attended", "refer"];

const KEYS: &[Key] = &[
    key("to", Shape::Value, "A SIP URI, or a number."),
    key("trunk", Shape::Line, "The trunk through which a number is called; that of this call if left out."),
    key("how", Shape::Word(&HOWS), "`bridge` through us, or sent on: `attended` after asking, `refer` at once."),
    key("ring", Shape::Time, "How long it may ring, 5s to 2min."),
    key("go", Shape::Target, "Where to when they have talked and the person has hung up."),
    key("failed", Shape::Target, "Where to when nobody took the caller."),
    key("busy", Shape::Target, "The same, where the person is busy."),
    key("no_answer", Shape::Target, "The same, where they do not pick up."),
    key("declined", Shape::Target, "The same, where they do not want the call."),
    key("hangup", Shape::Target, "Where the call stands when the caller hangs up here."),
];

/// The word.
pub const WORD: Word = Word {
    name: "transfer",
    about: "Connect the caller with one person.",
    keys: &[KEYS, BRIEF_KEYS],
    short: false,
    compile,
};

/// Connect the caller with one person.
#[derive(Debug)]
pub struct Transfer {
    /// The step's name: how it went is kept under it.
    name: String,
    to: Calculation,
    trunk: Option<String>,
    /// How.
    pub how: How,
    ring: Duration,
    telling: Telling,
    go: Target,
    failed: Target,
    ways: Vec<(HandedEnd, Target)>,
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS, BRIEF_KEYS])?;
    let at = fields.start();
    let to = fields.take("to");
    if to.is_none() {
        let message = format!("{} does not say to whom", cx.owner());
        cx.findings.error(at, message).help("add `to: sip:desk@pbx.example`, or a number");
    }
    let to = to.and_then(|node| cx.calculation(&node));
    let trunk = fields.read("trunk", cx.findings, read::line).map(|trunk| trunk.value);
    let how = fields.read("how", cx.findings, read::line).and_then(|how| how_of(&how, cx)).unwrap_or_default();
    let range = Duration::from_secs(5)..=Duration::from_secs(120);
    let ring = fields.take("ring").and_then(|node| read::time(&node, range, cx.findings)).map(|ring| ring.value);
    let telling = Telling::compile(&mut fields, cx);
    cx.take_hangup(&mut fields);
    let go = match how {
        How::Bridge => cx.go(&mut fields),
        // Who was sent on does not come back.
        How::Attended | How::Refer => {
            if let Some(node) = fields.take("go") {
                let message = format!("nobody comes back from {}, so `go` leads nowhere", cx.owner());
                cx.findings.error(node.at, message).help("remove it, or write `how: bridge`");
            }
            Target::End
        }
    };
    let failed = cx.target_of(&mut fields, "failed");
    if failed.is_none() {
        let message = format!("{} has no way on when nobody takes the caller", cx.owner());
        cx.findings.error(at, message).help("add `failed:` and the name of a step");
    }
    let ways = [("busy", HandedEnd::Busy), ("no_answer", HandedEnd::NoAnswer), ("declined", HandedEnd::Declined)];
    let ways = ways.into_iter().filter_map(|(key, end)| Some((end, cx.target_of(&mut fields, key)?))).collect();
    Some(Box::new(Transfer {
        name: cx.name().to_owned(),
        to: to?,
        trunk,
        how,
        ring: ring.unwrap_or(RING),
        telling,
        go,
        failed: failed.unwrap_or(Target::End),
        ways,
    }))
}

fn how_of(written: &Spanned<String>, cx: &mut Compiler<'_>) -> Option<How> {
    match written.value.as_str() {
        "bridge" => Some(How::Bridge),
        "attended" => Some(How::Attended),
        "refer" => Some(How::Refer),
        other => {
            let message = format!("`{other}` is no way to transfer a call");
            cx.findings.error(written.at, message).help(format!("it is one of {}", listed(HOWS)));
            None
        }
    }
}

impl Run for Transfer {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        if let Event::Handed(handed) = event {
            handover::keep(handed, visit);
            let way = self.ways.iter().find(|(end, _)| *end == handed.end).map(|(_, target)| *target);
            return Next::Go(if handed.end == HandedEnd::Served { self.go } else { way.unwrap_or(self.failed) });
        }
        let to = match self.to.value(visit.view()).map(|to| to.plain()) {
            Ok(to) if !to.trim().is_empty() => to,
            told => {
                let why = told.err().unwrap_or_else(|| "it is empty".to_owned());
                visit.faults.push(format!("whom to call could not be told: {why}"));
                return Next::Go(self.failed);
            }
        };
        let (to, trunk) = (Pii::new(to.trim().to_owned()), self.trunk.clone());
        let to = Whom::Person { to, trunk, how: self.how, ring: self.ring };
        Next::HandOver(Box::new(Handover { to, brief: self.telling.brief(visit) }))
    }

    fn exits(&self) -> Vec<(String, Target)> {
        let ways = self.ways.iter().map(|(end, target)| (end.name().replace('_', " "), *target));
        let back = (self.how == How::Bridge).then(|| ("served".to_owned(), self.go));
        back.into_iter().chain([("failed".to_owned(), self.failed)]).chain(ways).collect()
    }

    fn keeps(&self) -> Vec<(&str, bool)> {
        vec![(&self.name, false)]
    }
}
