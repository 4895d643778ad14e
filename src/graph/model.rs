//! What is drawn of a plan: boxes, and rows in them for the ways onward.
//!
//! Ways that everybody knows (say it again, go back) are left out, ways to the same place share a row, and what leads
//! back or to the end of the call is named in its row instead of drawn as a line across the picture.

use std::collections::VecDeque;

use crate::dialplan::plan::{Plan, Step, StepIx, Target};
use crate::dialplan::step::hangup::Hangup;
use crate::dialplan::step::menu::Menu;
use crate::dialplan::template::without_braces;
use crate::spoken::markup;

/// The ways out of a question that nobody chooses.
const FAILURES: [&str; 5] = ["no input", "no match", "tries used up", "error", "unsure"];
/// The way of callers who go.
const HANG_UP: &str = "hang-up";
/// Wishes that lead to the same question, or the one before.
const QUIET: [&str; 2] = ["$repeat", "$back"];
/// A place that so many failing questions lead to is named rather than drawn to.
const SHARED_BY: usize = 4;
/// The same for a place that so many boxes lead to, whatever for: "anything else?" at the end of every errand.
const HUB: usize = 5;
/// Plans of so many steps are looked through for rings line by line.
const MOST_LOOKED_AT: usize = 1_000;
/// A line that would pass so many boxes is not drawn, but named: nobody's eye follows it.
const FAR: usize = 4;

/// A plan, as a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// The plan.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it speaks.
    pub languages: Vec<String>,
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

    /// The box that a line leads to.
    const fn line(self) -> Option<usize> {
        match self {
            Self::Line(node) => Some(node),
            Self::Named(_) | Self::End => None,
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
        forget_usual_hang_ups(&mut nodes);
        let popular = popular(&nodes);
        let (distances, parents) = distances(&nodes, plan.start.0);
        let back = leads_back(&nodes, &distances);
        for (place, node) in nodes.iter_mut().enumerate() {
            for (number, row) in node.rows.iter_mut().enumerate() {
                if let Exit::Line(to) = row.exit
                    && (back.contains(&(place, number)) || row.failure && popular.contains(&to))
                {
                    row.exit = Exit::Named(to);
                }
            }
        }
        let hubs = hubs(&nodes);
        for (place, node) in nodes.iter_mut().enumerate() {
            for row in &mut node.rows {
                // The shortest way there is drawn.
                if let Exit::Line(to) = row.exit
                    && hubs[to]
                    && parents[to] != place
                {
                    row.exit = Exit::Named(to);
                }
            }
        }
        let languages = plan.languages.iter().map(ToString::to_string).collect();
        let (name, version) = (plan.name.clone(), plan.version.clone());
        let mut graph = Self { name, version, languages, nodes, start: plan.start.0 };
        // Where lines lead to a box it stands one layer behind the last of them: that line stays, and so does the box.
        let layers = super::layout::layers(&graph);
        for (place, node) in graph.nodes.iter_mut().enumerate() {
            for row in &mut node.rows {
                if let Exit::Line(to) = row.exit
                    && layers[to] > layers[place] + FAR
                {
                    row.exit = Exit::Named(to);
                }
            }
        }
        graph
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
        let failure = FAILURES.contains(&name.as_str()) || name == HANG_UP || name.starts_with('$');
        if QUIET.contains(&name.as_str()) && matches!(target, Target::Repeat | Target::Back) {
            continue;
        }
        let exit = match target {
            Target::Step(StepIx(place)) => Exit::Line(place),
            Target::End if name == HANG_UP => continue,
            Target::End => Exit::End,
            Target::Repeat | Target::Back => continue,
        };
        // What the caller chooses has a row of its own, also where it leads where something else does.
        match rows.iter_mut().find(|row| row.exit == exit && row.failure && failure) {
            // A step of several questions has them all several times.
            Some(row) if row.labels.contains(&label(&name)) => {}
            Some(row) => row.labels.push(label(&name)),
            None => rows.push(Row { labels: vec![label(&name)], exit, failure }),
        }
    }
    let said = plan.languages.first().and_then(|language| {
        let quests = step.kind.quests();
        // Of a question its own words; what else it says is said when something goes wrong.
        let asked = quests.iter().map(|quest| &quest.question.prompt);
        let all = asked.chain(step.prompts()).filter_map(|prompt| prompt.texts.get(language));
        all.map(|text| readable(text)).find(|text| !text.is_empty())
    });
    let said = said.unwrap_or_default();
    let result = step.is::<Hangup>().and_then(|hangup| hangup.result.clone());
    let words = match result {
        Some(result) if said.is_empty() => format!("→ {result}"),
        Some(result) => format!("{said} → {result}"),
        None => said,
    };
    Node { name: step.name.clone(), word: step.word, kind: Kind::of(step), words, rows }
}

/// A text without its markup, values by their names: `{{ due | amount }}` is `‹due›`.
fn readable(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("{{") {
        let (value, behind) = inside.split_once("}}").unwrap_or((inside, ""));
        plain.push_str(before);
        plain.push_str(&format!("‹{}›", value.split('|').next().unwrap_or_default().trim()));
        rest = behind;
    }
    plain.push_str(rest);
    markup::plain(&without_braces(&plain)).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where most callers end who hang up is said there, and not in every box.
fn forget_usual_hang_ups(nodes: &mut [Node]) {
    let mut counts = vec![0_usize; nodes.len()];
    let hangs_up = |row: &Row| row.labels.iter().any(|label| label == HANG_UP);
    for row in nodes.iter().flat_map(|node| &node.rows).filter(|row| hangs_up(row)) {
        row.exit.node().into_iter().for_each(|to| counts[to] += 1);
    }
    let usual = (0..nodes.len()).max_by_key(|place| (counts[*place], std::cmp::Reverse(*place)));
    let Some(usual) = usual.filter(|place| counts[*place] >= SHARED_BY) else { return };
    for node in nodes.iter_mut() {
        for row in node.rows.iter_mut().filter(|row| row.exit.node() == Some(usual)) {
            row.labels.retain(|label| label != HANG_UP);
        }
        node.rows.retain(|row| !row.labels.is_empty());
    }
    let node = &mut nodes[usual];
    node.words = format!("(where callers hang up) {}", node.words).trim_end().to_owned();
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

/// Places that lines lead to from many boxes.
fn hubs(nodes: &[Node]) -> Vec<bool> {
    let mut counts = vec![0_usize; nodes.len()];
    for node in nodes {
        let mut to: Vec<usize> = node.rows.iter().filter_map(|row| row.exit.line()).collect();
        to.sort_unstable();
        to.dedup();
        to.into_iter().for_each(|to| counts[to] += 1);
    }
    counts.into_iter().map(|count| count >= HUB).collect()
}

/// How many steps a caller is from the start at least, and by which box; what nobody comes to is a start of its own.
fn distances(nodes: &[Node], start: usize) -> (Vec<usize>, Vec<usize>) {
    let mut distances = vec![usize::MAX; nodes.len()];
    let mut parents: Vec<usize> = (0..nodes.len()).collect();
    for first in std::iter::once(start).chain(0..nodes.len()) {
        if first >= nodes.len() || distances[first] != usize::MAX {
            continue;
        }
        distances[first] = 0;
        let mut waiting = VecDeque::from([first]);
        while let Some(place) = waiting.pop_front() {
            for to in nodes[place].rows.iter().filter_map(|row| row.exit.line()) {
                if distances[to] == usize::MAX {
                    (distances[to], parents[to]) = (distances[place] + 1, place);
                    waiting.push_back(to);
                }
            }
        }
    }
    (distances, parents)
}

/// Rows that lead back. Lines that lead away from the start stand, and can be no ring; of the others, in file order,
/// those that close one are named. In a plan too large for that, all of the others.
fn leads_back(nodes: &[Node], distances: &[usize]) -> Vec<(usize, usize)> {
    let lines = nodes.iter().enumerate().flat_map(|(place, node)| {
        let line = move |(number, row): (usize, &Row)| row.exit.line().map(|to| (place, number, to));
        node.rows.iter().enumerate().filter_map(line)
    });
    let (onward, others): (Vec<_>, Vec<_>) = lines.partition(|(place, _, to)| distances[*to] > distances[*place]);
    let mut ways: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    onward.iter().for_each(|(place, _, to)| ways[*place].push(*to));
    let mut back = Vec::new();
    for (place, number, to) in others {
        if nodes.len() > MOST_LOOKED_AT || leads_to(&ways, to, place) {
            back.push((place, number));
        } else {
            ways[place].push(to);
        }
    }
    back
}

fn leads_to(ways: &[Vec<usize>], from: usize, to: usize) -> bool {
    let mut seen = vec![false; ways.len()];
    let mut waiting = vec![from];
    while let Some(place) = waiting.pop() {
        if place == to {
            return true;
        }
        if !std::mem::replace(&mut seen[place], true) {
            waiting.extend(&ways[place]);
        }
    }
    false
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
    fn texts_are_shown_without_markup_and_values_by_name() {
        for (text, shown) in [
            ("You owe {{ due | amount }}, {{name}}.", "You owe ‹due›, ‹name›."),
            ("<break time=\"8s\"/> Hello, <sub alias=\"x\">{{ name }}</sub> there", "Hello, x there"),
            ("{% if a %}Yes{% endif %}  and\nno {{ open", "Yes and no ‹open›"),
        ] {
            assert_eq!(readable(text), shown, "{text}");
        }
    }

    #[test]
    fn what_closes_a_ring_is_named_and_a_detour_is_drawn() {
        // a → b → c → d → b, and a → d: the ring is closed behind d, however the plan is walked.
        let text = "dialplan: 1\nstart: a\ndefaults: { question: { go: e } }\nsteps:\n\
            \x20 a: { confirm: { prompt: A?, yes: c, no: b } }\n  b: { say: { text: B., go: c } }\n\
            \x20 c: { confirm: { prompt: C?, yes: d, no: e } }\n  d: { say: { text: D., go: b } }\n  e: { hangup: Bye. }\n";
        let graph = Graph::of(&load_str("x.yaml", text).unwrap_or_else(|found| panic!("{found}")).plan);
        let exit = |place: usize| graph.nodes[place].rows[0].exit;
        assert_eq!((exit(0), exit(1), exit(2), exit(3)), (Exit::Line(2), Exit::Line(2), Exit::Line(3), Exit::Named(1)));
    }

    #[test]
    fn where_callers_hang_up_is_said_once() {
        let steps: String =
            (0..5).map(|place| format!("  s{place}: {{ say: {{ text: Hello., go: s{} }} }}\n", place + 1)).collect();
        let text = format!(
            "dialplan: 1\nstart: s0\ndefaults: {{ hangup: gone }}\nsteps:\n{steps}  s5: {{ hangup: Bye. }}\n  gone: {{ hangup: {{ result: gone }} }}\n"
        );
        let graph = Graph::of(&load_str("x.yaml", &text).unwrap_or_else(|found| panic!("{found}")).plan);
        assert!(graph.nodes.iter().flat_map(|node| &node.rows).all(|row| row.labels == ["go"]));
        assert_eq!(graph.nodes[6].words, "(where callers hang up) → gone");
    }

    #[test]
    fn a_place_that_many_lead_to_and_one_far_ahead_are_named() {
        let many: String = (1..=6)
            .map(|place| format!("o{place}: {{ key: {place}, phrases: [phrase {place}], go: e{place} }}, "))
            .collect();
        let errands: String =
            (1..=6).map(|place| format!("  e{place}: {{ say: {{ text: Done., go: more }} }}\n")).collect();
        let text = format!(
            "dialplan: 1\nstart: m\ndefaults: {{ question: {{ go: bye }} }}\nsteps:\n  m: {{ menu: {{ prompt: \"1 2 3 4 5 6?\", options: {{ {many} }} }} }}\n{errands}  more: {{ say: {{ text: More?, go: bye }} }}\n  bye: {{ hangup: Bye. }}\n"
        );
        let graph = Graph::of(&load_str("x.yaml", &text).unwrap_or_else(|found| panic!("{found}")).plan);
        assert_eq!(graph.nodes[1].rows[0].exit, Exit::Line(7), "the first way there is drawn");
        assert!(graph.nodes[2..7].iter().all(|node| node.rows[0].exit == Exit::Named(7)), "{graph:?}");
        assert_eq!(graph.nodes[7].rows[0].exit, Exit::Line(8), "a hub has lines of its own");
        let layers = super::super::layout::layers(&graph);
        assert_eq!((layers[0], layers[1], layers[7]), (0, 1, 2), "and stands behind whoever leads there");
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
        let home = graph.nodes[9].rows.iter().find(|row| row.labels == ["9  home"]).unwrap();
        assert_eq!(home.exit, Exit::Named(0), "what leads back is named");
        assert_eq!(graph.nodes.last().unwrap().words, "Goodbye. → agent");
    }
}
