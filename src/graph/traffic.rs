//! What callers really did: how many came to each step, how many left there, how long they stayed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::model::{Graph, Node, Row};
use crate::call::record::{CallEnd, CallRecord};

/// The traffic of a plan.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// Calls that ran it.
    pub calls: u64,
    /// Of them under another version than the one drawn.
    pub other_versions: u64,
    /// The days of the first and the last, as written.
    pub from: Option<String>,
    /// The last.
    pub to: Option<String>,
    /// By the name of the step.
    pub steps: BTreeMap<String, StepTraffic>,
    /// How many went from one step to the next.
    pub ways: BTreeMap<(String, String), u64>,
    times: BTreeMap<String, Vec<u64>>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// The traffic of a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepTraffic {
    /// Visits.
    pub entered: u64,
    /// Calls that ended here because the caller went.
    pub left: u64,
    /// Half of all visits were shorter, in seconds; `None` where steps take no time of their own.
    pub median_s: Option<f64>,
}

impl Traffic {
    /// Of these calls; those of other plans are passed over.
    pub fn of(graph: &Graph, records: impl IntoIterator<Item = CallRecord>) -> Self {
        let mut traffic = Self::default();
        records.into_iter().filter(|record| record.plan == graph.name).for_each(|record| traffic.add(graph, &record));
        for (name, times) in &mut traffic.times {
            times.sort_unstable();
            let middle = times.get(times.len() / 2).map(|ms| *ms as f64 / 1000.0);
            traffic.steps.entry(name.clone()).or_default().median_s = middle;
        }
        let day = |at: Option<Timestamp>| at.map(|at| at.strftime("%Y-%m-%d").to_string());
        (traffic.from, traffic.to) = (day(traffic.first), day(traffic.last));
        traffic
    }

    /// Of the step of that name.
    pub fn step(&self, name: &str) -> Option<&StepTraffic> {
        self.steps.get(name)
    }

    /// How many went the way of a row. Rows that lead to the same step cannot be told apart: the first of them has all.
    pub fn way(&self, node: &Node, row: &Row, graph: &Graph) -> u64 {
        let Some(to) = row.exit.node() else { return 0 };
        let same = |other: &&Row| other.exit.node() == Some(to);
        if node.rows.iter().find(same).is_some_and(|first| first != row) {
            return 0;
        }
        self.ways.get(&(node.name.clone(), graph.nodes[to].name.clone())).copied().unwrap_or(0)
    }

    fn add(&mut self, graph: &Graph, record: &CallRecord) {
        self.calls += 1;
        self.other_versions += u64::from(record.plan_version != graph.version);
        self.first = Some(self.first.map_or(record.arrived_at, |first| first.min(record.arrived_at)));
        self.last = Some(self.last.map_or(record.arrived_at, |last| last.max(record.arrived_at)));
        for step in &record.path {
            self.steps.entry(step.clone()).or_default().entered += 1;
        }
        for pair in record.path.windows(2) {
            *self.ways.entry((pair[0].clone(), pair[1].clone())).or_default() += 1;
        }
        let went = matches!(record.end, CallEnd::CallerHungUp | CallEnd::NoMedia | CallEnd::Expired);
        if let (true, Some(last)) = (went, record.path.last()) {
            self.steps.entry(last.clone()).or_default().left += 1;
        }
        self.time(record);
    }

    /// How long each visit took: from the first thing that happened in it to the first of the next.
    fn time(&mut self, record: &CallRecord) {
        let said = record.prompts.iter().filter_map(|prompt| Some((prompt.at_ms?, prompt.step.as_str())));
        // A question that was not asked took no time.
        let asked = record.turns.iter().filter(|turn| turn.attempt > 0).map(|turn| (turn.at_ms, turn.step.as_str()));
        let mut events: Vec<(u64, &str)> = said.chain(asked).collect();
        events.sort_unstable();
        let mut events = events.into_iter().peekable();
        // Visits that something happened in, with the moment it began.
        let mut visits: Vec<(&str, u64)> = Vec::new();
        for step in &record.path {
            let Some((at, _)) = events.peek().filter(|(_, name)| name == step) else { continue };
            visits.push((step, *at));
            while events.peek().is_some_and(|(_, name)| name == step) {
                events.next();
            }
        }
        let answered = record.answered_at.unwrap_or(record.arrived_at);
        let end = u64::try_from(record.ended_at.duration_since(answered).as_millis()).unwrap_or(0);
        for (number, (step, began)) in visits.iter().enumerate() {
            let ended = visits.get(number + 1).map_or(end, |(_, next)| *next);
            self.times.entry((*step).to_owned()).or_default().push(ended.saturating_sub(*began));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::large;
    use super::*;
    use crate::call::record::{PromptRecord, TurnOutcome, TurnRecord};
    use crate::store::conformance::full_record;

    fn call(path: &[&str], said: &[(&str, u64)], asked: &[(&str, u64)], end: CallEnd, lasted_ms: i64) -> CallRecord {
        let record = full_record(1);
        let answered = record.arrived_at;
        let prompt = |(step, at): &(&str, u64)| PromptRecord {
            step: (*step).to_owned(),
            at_ms: Some(*at),
            ..record.prompts[0].clone()
        };
        let turn = |(step, at): &(&str, u64)| TurnRecord {
            step: (*step).to_owned(),
            quest: 0,
            language: None,
            at_ms: *at,
            outcome: TurnOutcome::Keys,
            ..record.turns[0].clone()
        };
        CallRecord {
            plan: "large".to_owned(),
            path: path.iter().map(|step| (*step).to_owned()).collect(),
            prompts: said.iter().map(prompt).collect(),
            turns: asked.iter().map(turn).collect(),
            answered_at: Some(answered),
            ended_at: answered + jiff::SignedDuration::from_millis(lasted_ms),
            end,
            ..record
        }
    }

    #[test]
    fn callers_are_counted_where_they_came_where_they_left_and_how_long_they_stayed() {
        let graph = large(6);
        let through = call(
            &["s0", "s1", "s2", "agent"],
            &[("s0", 0), ("s1", 9_000), ("s2", 14_000), ("agent", 17_000)],
            &[("s0", 6_000), ("s1", 12_000)],
            CallEnd::Completed,
            20_000,
        );
        let gone = call(&["s0", "s1"], &[("s0", 0), ("s1", 5_000)], &[("s0", 3_000)], CallEnd::CallerHungUp, 40_000);
        let other = CallRecord { plan: "another".to_owned(), ..through.clone() };
        let traffic = Traffic::of(&graph, [through, gone, other]);
        assert_eq!((traffic.calls, traffic.other_versions), (2, 2));
        let step = |name: &str| traffic.step(name).cloned().unwrap();
        assert_eq!(step("s0"), StepTraffic { entered: 2, left: 0, median_s: Some(9.0) });
        assert_eq!(step("s1"), StepTraffic { entered: 2, left: 1, median_s: Some(35.0) });
        assert_eq!(step("agent").median_s, Some(3.0));
        let first = &graph.nodes[0];
        assert_eq!(traffic.way(first, &first.rows[0], &graph), 2);
        assert!(first.rows[1..].iter().all(|row| traffic.way(first, row, &graph) == 0));
    }
}
