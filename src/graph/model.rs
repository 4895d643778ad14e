//! What is drawn of a plan: boxes, and rows in them for the ways onward.
//!
//! Ways that everybody knows (say it again, go back) are left out, ways to the same place share a row, and what leads
//! back or to the end of the call is named in its row instead of drawn as a line across the picture.

use crate::dialplan::plan::{Plan, Step, StepIx, Target};
use crate::dialplan::step::hangup::Hangup;
use crate::dialplan::step::menu::Menu;

/// The ways out of a question that nobody chooses.
const FAILURES: [&str; 5] = ["no input", "no match", "tries used up", "error", "unsure"];
/// Wishes that lead to the same question, or the one before.
const QUIET: [&str; 2] = ["$repeat", "$back"];
/// A place that so many failing questions lead to is named rather than drawn to.
const SHARED_BY: usize = 4;

/// A plan, as a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// The plan.
    pub name: String,
    /// Its version.
    pub version: String,
    /// In file order.
    pub nodes: Vec<Node>,
    /// Where a call begins.
    pub start: usize,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The word of the language: `menu`.
    pub word: &'static str,
    /// What sort of thing it is, for its colour.
    pub kind: Kind,
    /// What it says first, or keeps.
    pub words: String,
    /// Its ways onward.
    pub rows: Vec<Row>,
}

/// Ways onward to one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What leads there.
    pub labels: Vec<String>,
    /// Where.
    pub exit: Exit,
    /// Nobody chooses it: silence, faults, hanging up.
    pub failure: bool,
}

/// Where a row leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// To another box, by a line.
    Line(usize),
    /// To another box, by its name: back, or to a place that many lead to.
    Named(usize),
    /// To the end of the call.
    End,
}

impl Exit {
    /// The box.
    pub const fn node(self) -> Option<usize> {
        match self {
            Self::Line(node) | Self::Named(node) => Some(node),
            Self::End => None,
        }
    }
}

/// Sorts of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Speaks.
    Says,
    /// Asks.
    Asks,
    /// Decides, keeps.
    Decides,
    /// Asks other systems.
    Looks,
    /// Hands the caller on.
    Hands,
    /// Keeps what the law or the campaign wants to know.
    Notes,
    /// Ends.
    Ends,
}

impl Kind {
    /// By the word of the language and whether it asks.
    fn of(step: &Step) -> Self {
        match step.word {
            "hangup" => Self::Ends,
            "http" | "answer" => Self::Looks,
            "transfer" | "queue" | "voicemail" | "record" => Self::Hands,
            "verify" | "promise" | "rate" | "comment" | "optout" | "callback" => Self::Notes,
            "branch" | "set" | "tag" | "goto" | "run" => Self::Decides,
            _ if !step.kind.quests().is_empty() => Self::Asks,
            _ => Self::Says,
        }
    }
}

impl Graph {
    /// Of a plan; its words in the plan's first language.
    pub fn of(plan: &Plan) -> Self {
        let mut nodes: Vec<Node> = plan.steps.iter().map(|step| node(plan, step)).collect();
        let popular = popular(&nodes);
        let back = leads_back(&nodes, plan.start.0);
        for (place, node) in nodes.iter_mut().enumerate() {
            for (number, row) in node.rows.iter_mut().enumerate() {
                if let Exit::Line(to) = row.exit
                    && (back.contains(&(place, number)) || row.failure && popular.contains(&to))
                {
                    row.exit = Exit::Named(to);
                }
            }
        }
        Self { name: plan.name.clone(), version: plan.version.clone(), nodes, start: plan.start.0 }
    }
}

fn node(plan: &Plan, step: &Step) -> Node {
    let keys: Vec<(String, char)> = step.is::<Menu>().map_or_else(Vec::new, |menu| {
        let options = menu.options().options.iter();
        options.filter_map(|option| Some((option.name.clone(), option.key?.face()))).collect()
    });
    let label = |name: &str| match keys.iter().find(|(option, _)| option == name) {
        Some((_, key)) => format!("{key}  {name}"),
        None => name.to_owned(),
    };
    let mut rows: Vec<Row> = Vec::new();
    for (name, target) in step.exits() {
        let failure = FAILURES.contains(&name.as_str()) || name == "hang-up" || name.starts_with('$');
        if QUIET.contains(&name.as_str()) && matches!(target, Target::Repeat | Target::Back) {
            continue;
        }
        let exit = match target {
            Target::Step(StepIx(place)) => Exit::Line(place),
            Target::End if name == "hang-up" => continue,
            Target::End => Exit::End,
            Target::Repeat | Target::Back => continue,
        };
        // What the caller chooses has a row of its own, also where it leads where something else does.
        match rows.iter_mut().find(|row| row.exit == exit && row.failure && failure) {
            Some(row) => row.labels.push(label(&name)),
            None => rows.push(Row { labels: vec![label(&name)], exit, failure }),
        }
    }
    let language = plan.languages.first();
    let said = step.prompts().first().and_then(|prompt| prompt.texts.get(language?).cloned()).unwrap_or_default();
    let result = step.is::<Hangup>().and_then(|hangup| hangup.result.clone());
    let words = match result {
        Some(result) if said.is_empty() => format!("→ {result}"),
        Some(result) => format!("{said} → {result}"),
        None => said,
    };
    Node { name: step.name.clone(), word: step.word, kind: Kind::of(step), words, rows }
}

/// Places that many failing questions lead to.
fn popular(nodes: &[Node]) -> Vec<usize> {
    let mut counts = vec![0_usize; nodes.len()];
    for row in nodes.iter().flat_map(|node| &node.rows).filter(|row| row.failure) {
        if let Exit::Line(to) = row.exit {
            counts[to] += 1;
        }
    }
    (0..nodes.len()).filter(|place| counts[*place] >= SHARED_BY).collect()
}

/// Rows that lead back to where a walk from the start has come from (cycle removal by depth-first search).
fn leads_back(nodes: &[Node], start: usize) -> Vec<(usize, usize)> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Never,
        OnTheWay,
        Done,
    }
    let mut seen = vec![Seen::Never; nodes.len()];
    let mut back = Vec::new();
    let mut starts: Vec<usize> = (0..nodes.len()).collect();
    starts.sort_by_key(|place| *place != start);
    for start in starts {
        if seen[start] != Seen::Never {
            continue;
        }
        seen[start] = Seen::OnTheWay;
        let mut way = vec![(start, 0)];
        while let Some((place, number)) = way.pop() {
            let Some(row) = nodes[place].rows.get(number) else {
                seen[place] = Seen::Done;
                continue;
            };
            way.push((place, number + 1));
            let Exit::Line(to) = row.exit else { continue };
            match seen[to] {
                Seen::Never => {
                    seen[to] = Seen::OnTheWay;
                    way.push((to, 0));
                }
                Seen::OnTheWay => back.push((place, number)),
                Seen::Done => {}
            }
        }
    }
    back
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::dialplan::load::load_str;

    /// A plan of many menus, each of which leads to others and back: the worst that people write.
    pub fn large(steps: usize) -> Graph {
        let mut text = "dialplan: 1\nname: large\nstart: s0\ndefaults: { question: { go: agent }, universals: { operator: agent } }\nsteps:\n".to_owned();
        for place in 0..steps {
            let to = |far: usize| match place + far {
                next if next < steps => format!("s{next}"),
                _ => "agent".to_owned(),
            };
            let options: String = (1..=3)
                .map(|key| {
                    format!("o{key}: {{ key: {key}, phrases: [phrase {key} of {place}], go: {} }}, ", to(key * key))
                })
                .collect();
            let home = if place > 4 { "home: { key: 9, phrases: [home], go: s0 }" } else { "" };
            match place % 3 {
                0 => text.push_str(&format!(
                    "  s{place}: {{ menu: {{ prompt: \"Question number {place}, press one to nine?\", options: {{ {options}{home} }} }} }}\n"
                )),
                1 => text.push_str(&format!(
                    "  s{place}: {{ ask: {{ prompt: \"Number {place}?\", digits: 4, go: {} }} }}\n",
                    to(1)
                )),
                _ => text.push_str(&format!(
                    "  s{place}: {{ say: {{ text: \"This is said by step number {place}, at some length, so that it does not fit into a line.\", go: {} }} }}\n",
                    to(2)
                )),
            }
        }
        text.push_str("  agent: { hangup: { text: \"Goodbye.\", result: agent } }\n");
        let plan = load_str("large.yaml", &text).unwrap_or_else(|found| panic!("{found}")).plan;
        Graph::of(&plan)
    }

    #[test]
    fn rows_are_ways_somebody_can_go_and_nothing_that_everybody_knows() {
        let graph = large(12);
        assert_eq!(graph.nodes[graph.start].name, "s0");
        let first = &graph.nodes[0];
        let labels: Vec<&str> = first.rows.iter().flat_map(|row| row.labels.iter().map(String::as_str)).collect();
        assert_eq!(labels, ["1  o1", "2  o2", "3  o3", "tries used up", "error", "$operator"]);
        let failing = first.rows.last().unwrap();
        assert!(failing.failure && matches!(failing.exit, Exit::Named(_)), "many lead to the agent: {failing:?}");
        let home = graph.nodes[6].rows.iter().find(|row| row.labels == ["9  home"]).unwrap();
        assert_eq!(home.exit, Exit::Named(0), "what leads back is named");
        assert_eq!(graph.nodes.last().unwrap().words, "Goodbye. → agent");
    }
}
