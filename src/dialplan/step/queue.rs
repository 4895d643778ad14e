//! `queue`: wait for an agent of a group, and talk to them.

use std::collections::BTreeMap;

use super::handover::{self, BRIEF_KEYS, Telling, minutes};
use super::{Event, Next, Run, Visit, Word, Words};
use crate::dialplan::compile::{Calculation, Compiler};
use crate::dialplan::handover::{HandedEnd, Handover, Wanted, Whom};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::{Prompt, Target};
use crate::dialplan::read;
use crate::dialplan::yaml::Node;
use crate::language::Language;
use crate::value::Value;

const KEYS: &[Key] = &[
    key("group", Shape::Line, "Whose agents: an `[agents.group.…]` of trunkline.toml."),
    key("skills", Shape::Lines, "What the agent must know, all of it."),
    key("language", Shape::Line, "What the agent must speak, or `any`; the caller's language if left out."),
    key("region", Shape::Value, "Whose agents are preferred; where the caller's number is, if left out."),
    key("priority", Shape::Value, "How much sooner than others: a point is worth a minute of waiting."),
    key("last_agent", Shape::Value, "The agent who talked to the caller before, by name."),
    key("place", Shape::Words, "Said now and then to who waits, with `position` and `minutes`."),
    key("go", Shape::Target, "Where to when they have talked and the agent has hung up."),
    key("overflow", Shape::Target, "Where to when nobody took the caller."),
    key("too_long", Shape::Target, "The same, for who has waited too long."),
    key("full", Shape::Target, "The same, where too many wait."),
    key("nobody", Shape::Target, "The same, where nobody is there who could help."),
    key("hangup", Shape::Target, "Where the call stands when the caller hangs up here."),
];

/// The word.
pub const WORD: Word = Word {
    name: "queue",
    about: "Wait for an agent, and talk to them.",
    keys: &[KEYS, BRIEF_KEYS],
    short: false,
    compile,
};

/// Wait for an agent.
#[derive(Debug)]
pub struct Queue {
    /// The step's name: how it went is kept under it.
    name: String,
    /// Of which group.
    pub group: String,
    skills: Vec<String>,
    /// `None`: the caller's.
    language: Option<Speaking>,
    region: Option<Calculation>,
    priority: Option<Calculation>,
    last_agent: Option<Calculation>,
    telling: Telling,
    place: Prompt,
    go: Target,
    overflow: Target,
    ways: Vec<(HandedEnd, Target)>,
}

#[derive(Clone, Debug)]
enum Speaking {
    Any,
    This(Language),
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS, BRIEF_KEYS])?;
    let at = fields.start();
    let group = fields.read("group", cx.findings, read::line);
    if group.is_none() {
        let message = format!("{} does not say whose agents are wanted", cx.owner());
        cx.findings.error(at, message).help("add `group:` and the name of an `[agents.group.…]` of trunkline.toml");
    }
    let skills = fields.read("skills", cx.findings, read::lines).map(|skills| skills.value).unwrap_or_default();
    let language = fields.read("language", cx.findings, read::line).and_then(|written| match written.value.as_str() {
        "any" => Some(Speaking::Any),
        _ => read::language(&written, cx.findings).map(|language| Speaking::This(language.value)),
    });
    let mut calculation = |key: &str| fields.take(key).and_then(|node| cx.calculation(&node));
    let (region, priority, last_agent) = (calculation("region"), calculation("priority"), calculation("last_agent"));
    let own_place = fields.take("place").and_then(|node| cx.text(&node)).map(|text| cx.prompt(&text));
    let place = own_place.unwrap_or_else(|| usual_place(cx.languages()));
    let telling = Telling::compile(&mut fields, cx);
    cx.take_hangup(&mut fields);
    let go = cx.go(&mut fields);
    let overflow = cx.target_of(&mut fields, "overflow");
    if overflow.is_none() {
        let message = format!("{} has no way on when nobody takes the caller", cx.owner());
        cx.findings.error(at, message).help("add `overflow:` and the name of a step");
    }
    let ways = [("too_long", HandedEnd::TooLong), ("full", HandedEnd::Full), ("nobody", HandedEnd::Nobody)];
    let ways = ways.into_iter().filter_map(|(key, end)| Some((end, cx.target_of(&mut fields, key)?))).collect();
    Some(Box::new(Queue {
        name: cx.name().to_owned(),
        group: group?.value,
        skills: skills.into_iter().map(|skill| skill.value).collect(),
        language,
        region,
        priority,
        last_agent,
        telling,
        place,
        go,
        overflow: overflow.unwrap_or(Target::End),
        ways,
    }))
}

/// What those who wait are told where the plan does not say; other languages are told nothing.
fn usual_place(languages: &[Language]) -> Prompt {
    let words = |language: &Language| {
        let text = match language.primary() {
            "en" => {
                "{% if position == 1 %}You are next.{% else %}You are number {{ position }} in line.{% endif %} It will \
                 take about {{ minutes }} {% if minutes == 1 %}minute{% else %}minutes{% endif %}."
            }
            "zh" | "cmn" => {
                "{% if position == 1 %}下一位就是您。{% else %}您排在第{{ position }}位。{% endif %}大约还需要{% if minutes == 2 %}两{% else %}{{ minutes }}{% endif %}分钟。"
            }
            _ => return None,
        };
        Some((language.clone(), text.to_owned()))
    };
    Prompt { texts: languages.iter().filter_map(words).collect(), files: BTreeMap::new() }
}

impl Queue {
    fn wanted(&self, visit: &mut Visit<'_>) -> Wanted {
        let mut value = |calculation: &Option<Calculation>, key: &str| {
            let told = calculation.as_ref().map(|calculation| calculation.value(visit.view()));
            match told {
                Some(Ok(value)) => Some(value).filter(|value| !value.plain().trim().is_empty()),
                Some(Err(why)) => {
                    visit.faults.push(format!("`{key}` could not be told: {why}"));
                    None
                }
                None => None,
            }
        };
        let (region, last_agent) = (value(&self.region, "region"), value(&self.last_agent, "last_agent"));
        let priority = value(&self.priority, "priority").map_or(0, |priority| whole(&priority));
        let text = |value: Option<Value>| value.map(|value| value.plain());
        Wanted {
            group: self.group.clone(),
            skills: self.skills.iter().cloned().collect(),
            language: match &self.language {
                None => Some(visit.language.clone()),
                Some(Speaking::Any) => None,
                Some(Speaking::This(language)) => Some(language.clone()),
            },
            region: text(region),
            priority,
            last_agent: text(last_agent),
        }
    }
}

/// Priorities are small: an hour of waiting is worth sixty.
fn whole(value: &Value) -> i32 {
    let number = match value {
        Value::Integer(number) => *number as f64,
        Value::Number(number) => *number,
        other => other.plain().trim().parse().unwrap_or(0.0),
    };
    number.clamp(-1_000.0, 1_000.0).round() as i32
}

impl Run for Queue {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        match event {
            Event::Handed(handed) => {
                handover::keep(handed, visit);
                let way = self.ways.iter().find(|(end, _)| *end == handed.end).map(|(_, target)| *target);
                Next::Go(if handed.end == HandedEnd::Served { self.go } else { way.unwrap_or(self.overflow) })
            }
            Event::Waiting { position, wait } => {
                visit.scope.keep("position", Value::Integer(i64::try_from(*position).unwrap_or(i64::MAX)));
                visit.scope.keep("minutes", Value::Integer(minutes(*wait)));
                let line = visit.line(&self.place);
                visit.scope.keep("position", Value::Nothing);
                visit.scope.keep("minutes", Value::Nothing);
                Next::Meanwhile { words: vec![Words::Line(line)] }
            }
            _ => {
                let to = Whom::Group(self.wanted(visit));
                Next::HandOver(Box::new(Handover { to, brief: self.telling.brief(visit) }))
            }
        }
    }

    fn prompts(&self) -> Vec<&Prompt> {
        // What the agent hears is not said in this call.
        vec![&self.place]
    }

    fn exits(&self) -> Vec<(String, Target)> {
        let ways = self.ways.iter().map(|(end, target)| (end.name().replace('_', " "), *target));
        [("served".to_owned(), self.go), ("overflow".to_owned(), self.overflow)].into_iter().chain(ways).collect()
    }

    fn keeps(&self) -> Vec<(&str, bool)> {
        vec![(&self.name, false), ("position", false), ("minutes", false)]
    }
}
