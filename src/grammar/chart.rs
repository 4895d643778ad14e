//! All ways through a network that an utterance can take, at once.
//!
//! An Earley chart over the network: a node is a state of a rule that began at some word, reached before some other
//! word. Each is made once, however many ways lead to it, and remembers those ways; so a grammar with millions of
//! readings of one sentence costs no more than its states times the square of the words, and recursion, also on the
//! left, ends by itself. [`MAX_NODES`] and [`MAX_WORDS`] bound what the worst grammar can take.

use std::collections::BTreeMap;

use jiff::civil::DateTime;

use super::automaton::{Automaton, Label};
use super::hearing::{self, Heard, Said};

/// Most words of an utterance that are looked at: more than a minute of speech.
pub const MAX_WORDS: usize = 200;
/// Most nodes and ways of one chart. Ordinary sentences need some hundred; what needs more is given up.
const MAX_NODES: usize = 300_000;

/// A state of a rule before a word.
#[derive(Debug)]
pub struct Node {
    pub state: u32,
    /// The rule it belongs to.
    pub rule: u32,
    /// Which of the beginnings of that rule it belongs to.
    begun: u32,
    /// How many words lie before it.
    pub at: usize,
    /// The last way that leads to it; [`NONE`] at the beginning of a rule.
    pub last_way: u32,
    /// The best of what can be passed since the rule began, as a natural logarithm.
    pub best: f32,
}

/// One way to a node.
#[derive(Debug)]
pub struct Way {
    /// Where it comes from.
    pub from: u32,
    /// Along which arc.
    pub arc: u32,
    /// What was inside it.
    pub through: Through,
    /// The way that was found before it.
    pub before: u32,
}

/// What lies inside a way.
#[derive(Clone, Copy, Debug)]
pub enum Through {
    /// Only the arc.
    Nothing,
    /// A rule, complete at this node.
    Rule(u32),
    /// What a built-in heard, by its number in [`Chart::heard`].
    Heard(u32),
}

/// A rule that is passed without a word makes a way a little less likely: of two that mean the same, the plainer wins.
const EMPTY_RULE: f32 = -1e-4;

/// No way, no node.
pub const NONE: u32 = u32::MAX;

/// A rule that began before a word.
#[derive(Debug)]
struct Begun {
    rule: u32,
    at: usize,
    /// Who wants to go on when it is complete: a node and the arc that calls the rule.
    callers: Vec<(u32, u32)>,
    /// The node of its end before the word that is being looked at.
    complete: Option<u32>,
}

/// The finished chart.
#[derive(Debug)]
pub struct Chart {
    pub nodes: Vec<Node>,
    pub ways: Vec<Way>,
    /// Everything built-ins heard.
    pub heard: Vec<Heard>,
    /// Where the rule that was asked for is complete, with the word it began before: (node, from).
    pub complete: Vec<(u32, usize)>,
    /// May the utterance be the beginning of something longer?
    pub could_go_on: bool,
    /// Was it given up?
    pub given_up: bool,
}

/// Looks for `rule` in what was said, beginning before any of the words in `starts`.
pub fn parse(automaton: &Automaton, rule: u32, said: &Said, starts: &[usize], now: DateTime) -> Chart {
    let words = &said.words[..said.words.len().min(MAX_WORDS)];
    let mut parser = Parser {
        automaton,
        said,
        now,
        words,
        numbers: words.iter().map(|word| automaton.number(word)).collect(),
        begun: Vec::new(),
        at: (0..=words.len()).map(|_| Column::default()).collect(),
        hearings: BTreeMap::new(),
        asked: Vec::new(),
        chart: Chart {
            nodes: Vec::new(),
            ways: Vec::new(),
            heard: Vec::new(),
            complete: Vec::new(),
            could_go_on: false,
            given_up: false,
        },
    };
    for at in 0..=words.len() {
        if starts.contains(&at) {
            let begun = parser.begin(rule, at);
            parser.asked.push(begun);
        }
        while let Some(node) = parser.at[at].agenda.pop() {
            if parser.chart.nodes.len() + parser.chart.ways.len() > MAX_NODES {
                parser.chart.given_up = true;
                break;
            }
            parser.go_on(node);
        }
        for begun in &parser.asked {
            let begun = &parser.begun[*begun as usize];
            if let Some(node) = begun.complete.filter(|node| parser.chart.nodes[*node as usize].at == at) {
                parser.chart.complete.push((node, begun.at));
            }
        }
    }
    let mut chart = parser.chart;
    chart.weigh(automaton);
    chart
}

/// What is known before one word.
#[derive(Debug, Default)]
struct Column {
    /// By beginning of a rule and state.
    nodes: BTreeMap<(u32, u32), u32>,
    /// By rule.
    begun: BTreeMap<u32, u32>,
    /// Nodes nobody has gone on from.
    agenda: Vec<u32>,
}

struct Parser<'a> {
    automaton: &'a Automaton,
    said: &'a Said,
    now: DateTime,
    words: &'a [String],
    numbers: Vec<Option<u32>>,
    begun: Vec<Begun>,
    at: Vec<Column>,
    /// What each built-in hears from a word on: a range of [`Chart::heard`].
    hearings: BTreeMap<(u32, usize), (u32, u32)>,
    /// Beginnings of the rule that was asked for.
    asked: Vec<u32>,
    chart: Chart,
}

impl Parser<'_> {
    /// The beginning of `rule` before word `at`, made when it is not there yet.
    fn begin(&mut self, rule: u32, at: usize) -> u32 {
        if let Some(begun) = self.at[at].begun.get(&rule) {
            return *begun;
        }
        let begun = self.begun.len() as u32;
        self.begun.push(Begun { rule, at, callers: Vec::new(), complete: None });
        self.at[at].begun.insert(rule, begun);
        self.node(self.automaton.rules[rule as usize].start, begun, at);
        begun
    }

    fn node(&mut self, state: u32, begun: u32, at: usize) -> u32 {
        let column = &mut self.at[at];
        if let Some(node) = column.nodes.get(&(begun, state)) {
            return *node;
        }
        let node = self.chart.nodes.len() as u32;
        let rule = self.begun[begun as usize].rule;
        self.chart.nodes.push(Node { state, rule, begun, at, last_way: NONE, best: f32::NEG_INFINITY });
        column.nodes.insert((begun, state), node);
        column.agenda.push(node);
        node
    }

    /// Adds a way from `from` along `arc` to before word `at`.
    fn way(&mut self, from: u32, arc: u32, through: Through, at: usize) {
        let begun = self.chart.nodes[from as usize].begun;
        let to = self.node(self.automaton.arcs[arc as usize].to, begun, at);
        let before = std::mem::replace(&mut self.chart.nodes[to as usize].last_way, self.chart.ways.len() as u32);
        self.chart.ways.push(Way { from, arc, through, before });
    }

    fn go_on(&mut self, node: u32) {
        let Node { state, rule, begun, at, .. } = self.chart.nodes[node as usize];
        let automaton = self.automaton;
        if state == automaton.rules[rule as usize].end {
            self.complete(node, begun);
        }
        match self.numbers.get(at) {
            Some(Some(word)) => {
                for arc in automaton.arcs_of_word(state, *word) {
                    self.way(node, arc as u32, Through::Nothing, at + 1);
                }
            }
            Some(None) => {}
            None => {
                let waits = automaton.arcs(state).first();
                self.chart.could_go_on |= waits.is_some_and(|arc| matches!(arc.label, Label::Word(_)));
            }
        }
        for arc in automaton.other_arcs(state) {
            match automaton.arcs[arc].label {
                Label::Word(_) => {}
                Label::Nothing | Label::Tag(_) => self.way(node, arc as u32, Through::Nothing, at),
                Label::Anything if at < self.words.len() => self.way(node, arc as u32, Through::Nothing, at + 1),
                Label::Anything => {}
                Label::Builtin(call) => self.hear(node, arc as u32, call),
                Label::Rule(rule) => self.call(node, arc as u32, rule),
            }
        }
    }

    fn call(&mut self, node: u32, arc: u32, rule: u32) {
        let at = self.chart.nodes[node as usize].at;
        let net = &self.automaton.rules[rule as usize];
        if !net.empty
            && let (Some(first), Some(next)) = (&net.first, self.numbers.get(at))
            && !next.is_some_and(|word| first.binary_search(&word).is_ok())
        {
            return; // It cannot begin with the word that comes.
        }
        let begun = self.begin(rule, at);
        self.begun[begun as usize].callers.push((node, arc));
        let complete = self.begun[begun as usize].complete;
        if let Some(end) = complete {
            // It was complete without a word before this caller came.
            self.way(node, arc, Through::Rule(end), at);
        }
    }

    fn complete(&mut self, node: u32, begun: u32) {
        let at = self.chart.nodes[node as usize].at;
        self.begun[begun as usize].complete = Some(node);
        // Callers that come later, which they can only before the word where it began, find it in `complete`.
        for caller in 0..self.begun[begun as usize].callers.len() {
            let (from, arc) = self.begun[begun as usize].callers[caller];
            self.way(from, arc, Through::Rule(node), at);
        }
    }

    fn hear(&mut self, node: u32, arc: u32, call: u32) {
        let at = self.chart.nodes[node as usize].at;
        if at == self.words.len() {
            self.chart.could_go_on = true;
            return;
        }
        let (first, end) = match self.hearings.get(&(call, at)) {
            Some(range) => *range,
            None => {
                let first = self.chart.heard.len() as u32;
                let heard = hearing::hear(&self.automaton.builtins[call as usize], self.said, at, self.now);
                let fits = |heard: &Heard| heard.words > 0 && heard.words <= self.words.len() - at;
                self.chart.heard.extend(heard.into_iter().filter(fits));
                let range = (first, self.chart.heard.len() as u32);
                self.hearings.insert((call, at), range);
                range
            }
        };
        for heard in first..end {
            let Heard { words, open, .. } = self.chart.heard[heard as usize];
            let to = at + words;
            self.chart.could_go_on |= open;
            if self.chart.heard[heard as usize].value.is_some() {
                self.way(node, arc, Through::Heard(heard), to);
            }
        }
    }
}

impl Chart {
    /// The ways that lead to a node, last found first.
    pub fn ways_to(&self, node: u32) -> impl Iterator<Item = &Way> {
        let mut next = self.nodes[node as usize].last_way;
        std::iter::from_fn(move || {
            let way = self.ways.get(next as usize)?;
            next = way.before;
            Some(way)
        })
    }

    /// How likely a way is: what leads to it, its arc, and what is inside it.
    pub fn weight_of(&self, automaton: &Automaton, way: &Way) -> f32 {
        let inside = match way.through {
            Through::Nothing => 0.0,
            Through::Rule(end) => {
                let Node { at, best, .. } = self.nodes[end as usize];
                best + if at == self.nodes[way.from as usize].at { EMPTY_RULE } else { 0.0 }
            }
            Through::Heard(heard) => self.heard[heard as usize].weight,
        };
        self.nodes[way.from as usize].best + automaton.arcs[way.arc as usize].weight + inside
    }

    /// Finds the best way to every node. Weights never exceed 0, so going round in a circle never helps, and looking at
    /// the nodes before one word again until nothing changes comes to an end.
    fn weigh(&mut self, automaton: &Automaton) {
        /// Rounds before one word: as many as ways without a word can wind against the order of discovery.
        const MAX_ROUNDS: usize = 64;
        let mut order: Vec<(usize, u32)> =
            self.nodes.iter().enumerate().map(|(number, node)| (node.at, number as u32)).collect();
        order.sort_unstable();
        for same in order.chunk_by(|(one, _), (other, _)| one == other) {
            for _ in 0..MAX_ROUNDS {
                let mut changed = false;
                for (_, node) in same {
                    let Node { last_way, best, .. } = self.nodes[*node as usize];
                    let now = match last_way {
                        NONE => 0.0,
                        _ => self.ways_to(*node).map(|way| self.weight_of(automaton, way)).fold(best, f32::max),
                    };
                    changed |= now > best;
                    self.nodes[*node as usize].best = now;
                }
                if !changed {
                    break;
                }
            }
        }
    }
}
