//! The likeliest ways through a chart, one after the other.
//!
//! Followed from the end to the beginning, always from the likeliest that is left: the chart knows the best of what
//! still lies before each node, so the first way that is complete is the best, and the next the second best (A*, with a
//! guess that is exact).

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::automaton::{Automaton, Label};
use super::chart::{Chart, NONE, Node, Through};
use super::semantics::Event;

/// Most steps that are taken, and most that are kept in mind.
const MAX_STEPS: usize = 20_000;
const MAX_KEPT: usize = 200_000;
/// Most things that are passed in a row without a word.
const MAX_SILENT: usize = 1_000;
/// How often one node may be passed in a row without a word: beyond, one goes round in a circle.
const MAX_ROUNDS: usize = 4;

/// One way through a grammar.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What is passed, in order.
    pub events: Vec<Event>,
    /// How likely, as a natural logarithm: at most 0.
    pub weight: f32,
}

/// At most `count` ways to `end`, likeliest first.
pub fn best(automaton: &Automaton, chart: &Chart, end: u32, count: usize) -> Vec<Reading> {
    let mut search = Search { automaton, chart, cells: Vec::new(), passed: Vec::new(), heap: BinaryHeap::new() };
    let Node { rule, at, best, .. } = chart.nodes[end as usize];
    let passed = search.pass(Some(Event::Leave(rule, at)), NONE, NONE);
    let goals = search.goal(end, NONE);
    search.heap.push(Partial { total: best, steps: 0, goals, passed });
    let mut readings = Vec::new();
    for _ in 0..MAX_STEPS {
        let Some(partial) = search.heap.pop() else { break };
        if partial.goals == NONE {
            readings.push(Reading { events: search.events(partial.passed), weight: partial.total });
            if readings.len() == count {
                break;
            }
            continue;
        }
        search.follow(&partial);
        if search.passed.len() > MAX_KEPT {
            break;
        }
    }
    readings
}

struct Search<'a> {
    automaton: &'a Automaton,
    chart: &'a Chart,
    /// Nodes that are still to be explained, as lists that share their ends: (node, rest).
    cells: Vec<(u32, u32)>,
    /// What has been passed, as lists that share their ends: (event, node, rest).
    passed: Vec<(Option<Event>, u32, u32)>,
    heap: BinaryHeap<Partial>,
}

/// A way that is known from somewhere to the end.
#[derive(Clone, Copy, Debug)]
struct Partial {
    /// How likely it will be when the best is taken for what is left.
    total: f32,
    steps: usize,
    goals: u32,
    passed: u32,
}

impl Search<'_> {
    /// Explains the first goal in every way there is.
    fn follow(&mut self, partial: &Partial) {
        let (node, rest) = self.cells[partial.goals as usize];
        let Node { rule, at, best, last_way, .. } = self.chart.nodes[node as usize];
        if last_way == NONE {
            let passed = self.pass(Some(Event::Enter(rule, at)), node, partial.passed);
            self.heap.push(Partial { steps: partial.steps + 1, goals: rest, passed, ..*partial });
            return;
        }
        if self.goes_round(node, partial.passed) {
            return;
        }
        for way in self.chart.ways_to(node) {
            let arc = self.automaton.arcs[way.arc as usize];
            // Exactly 0 for the best way: rounding must not make the best look worse than its neighbours.
            let total = partial.total + (self.chart.weight_of(self.automaton, way) - best);
            let mut goals = self.goal(way.from, rest);
            let event = match (way.through, arc.label) {
                (Through::Rule(end), Label::Rule(rule)) => {
                    goals = self.goal(end, goals);
                    Some(Event::Leave(rule, at))
                }
                (Through::Heard(heard), Label::Builtin(call)) => {
                    let heard = &self.chart.heard[heard as usize];
                    let from = self.chart.nodes[way.from as usize].at;
                    Some(Event::Heard(call, from..at, heard.value.clone().unwrap_or_default()))
                }
                (_, Label::Tag(tag)) => Some(Event::Tag(tag)),
                _ => None,
            };
            let passed = self.pass(event, node, partial.passed);
            self.heap.push(Partial { total, steps: partial.steps + 1, goals, passed });
        }
    }

    /// Has this node been passed again and again without a word between? (Beginnings of rules are not asked: a rule
    /// that begins with itself passes its beginning once for each time it does.)
    fn goes_round(&self, node: u32, mut passed: u32) -> bool {
        let at = self.chart.nodes[node as usize].at;
        let (mut times, mut silent) = (0, 0);
        while let Some((_, before, rest)) = self.passed.get(passed as usize) {
            if *before != NONE && self.chart.nodes[*before as usize].at != at {
                break;
            }
            times += usize::from(*before == node);
            silent += 1;
            if times >= MAX_ROUNDS || silent >= MAX_SILENT {
                return true;
            }
            passed = *rest;
        }
        false
    }

    fn goal(&mut self, node: u32, rest: u32) -> u32 {
        self.cells.push((node, rest));
        self.cells.len() as u32 - 1
    }

    fn pass(&mut self, event: Option<Event>, node: u32, rest: u32) -> u32 {
        self.passed.push((event, node, rest));
        self.passed.len() as u32 - 1
    }

    fn events(&self, mut passed: u32) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some((event, _, rest)) = self.passed.get(passed as usize) {
            events.extend(event.clone());
            passed = *rest;
        }
        events
    }
}

/// The likeliest first; among equals the one that has come further, so that many equals are not followed side by side.
impl Ord for Partial {
    fn cmp(&self, other: &Self) -> Ordering {
        self.total.total_cmp(&other.total).then(self.steps.cmp(&other.steps)).then(other.goals.cmp(&self.goals))
    }
}

impl PartialOrd for Partial {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Partial {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Partial {}
