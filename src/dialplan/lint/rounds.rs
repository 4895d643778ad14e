//! Rings through which conditions, queues, look-ups and sub-plans lead a call, and in which nobody is ever asked anything:
//!
//! ```text
//!   desk: queue ─overflow─▶ sorry: say ─▶ late: branch ─▶ desk
//! ```
//!
//! Such a call may well come out of it, when the desk is free or the condition turns; nothing says that it will. A step
//! that asks the caller breaks a ring, and so does one that counts: a `set` of what a `branch` of the ring looks at.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::route;
use crate::dialplan::diagnostic::{Findings, Span};
use crate::dialplan::plan::{Plan, Step, StepIx, Target};
use crate::dialplan::step::branch::{Branch, When};

/// Rings that are told.
const MOST: usize = 20;
/// Ways looked at, all in all: a plan made to be slow to judge is not judged to its end.
const PATIENCE: usize = 2_000_000;

/// Warns of each; `known` are the steps of rings that have been told already.
pub(super) fn judge(plan: &Plan, known: &BTreeSet<StepIx>, at: impl Fn(StepIx) -> Span, findings: &mut Findings) {
    let mut looked_at = 0;
    let ends = ends_unasked(plan);
    let ways: Vec<Vec<StepIx>> = (0..plan.steps.len()).map(|place| unasked(plan, StepIx(place), &ends)).collect();
    let mut told = known.clone();
    let mut rings = 0;
    for start in (0..plan.steps.len()).map(StepIx) {
        if rings == MOST || looked_at > PATIENCE {
            return;
        }
        if told.contains(&start) {
            continue;
        }
        let Some(ring) = ring_through(start, &ways, &told, &mut looked_at) else { continue };
        if counts(plan, &ring) {
            continue;
        }
        rings += 1;
        findings
            .regret(at(start), format!("a call may go round here without end, and nobody is asked: {}", route(plan, &ring)))
            .help(
                "ask the caller something on the way, or count the rounds with a `set` and lead on by a `branch` that looks \
                 at the number",
            );
        told.extend(ring);
    }
}

/// Where a call may go on from here without the caller having had a turn.
fn unasked(plan: &Plan, here: StepIx, ends: &BTreeSet<StepIx>) -> Vec<StepIx> {
    let step = plan.step(here);
    // Whoever leaves a message, or talks over one for a machine, has had a turn.
    if !step.kind.quests().is_empty() || matches!(step.word, "record" | "voicemail" | "hangup") {
        return Vec::new();
    }
    let exits = step.kind.exits();
    let part = exits.iter().find(|(name, _)| step.word == "run" && name == "runs").map(|(_, target)| *target);
    let taken = |name: &str| match step.word {
        // They have talked.
        "queue" | "transfer" => name != "served",
        // Behind the other plan, where that comes to its end without asking anything.
        "run" => name == "runs" || part.is_none_or(|part| matches!(part, Target::Step(start) if ends.contains(&start))),
        _ => true,
    };
    let to = |target: Target| match target {
        Target::Step(place) => Some(place),
        Target::Repeat => Some(here),
        Target::Back | Target::End => None,
    };
    exits.iter().filter(|(name, _)| taken(name)).filter_map(|(_, target)| to(*target)).collect()
}

/// Steps from which a plan may come to its `$end` without asking anything.
fn ends_unasked(plan: &Plan) -> BTreeSet<StepIx> {
    let asks = |step: &Step| !step.kind.quests().is_empty() || matches!(step.word, "record" | "voicemail" | "hangup");
    let mut before: BTreeMap<StepIx, Vec<StepIx>> = BTreeMap::new();
    let mut waiting = Vec::new();
    for (place, step) in plan.steps.iter().enumerate().filter(|(_, step)| !asks(step)) {
        for (name, target) in step.kind.exits() {
            match target {
                // Into another plan, whose end is not the end of this one.
                _ if step.word == "run" && name == "runs" => {}
                Target::End => waiting.push(StepIx(place)),
                Target::Step(next) => before.entry(next).or_default().push(StepIx(place)),
                Target::Repeat | Target::Back => {}
            }
        }
    }
    let mut ends = BTreeSet::new();
    while let Some(place) = waiting.pop() {
        if ends.insert(place) {
            waiting.extend(before.get(&place).into_iter().flatten());
        }
    }
    ends
}

/// The shortest way from a step back to it, past none that has been told.
fn ring_through(
    start: StepIx,
    ways: &[Vec<StepIx>],
    told: &BTreeSet<StepIx>,
    looked_at: &mut usize,
) -> Option<Vec<StepIx>> {
    let mut from: BTreeMap<StepIx, StepIx> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(here) = waiting.pop_front() {
        for next in &ways[here.0] {
            *looked_at += 1;
            if *next == start {
                let mut ring = vec![here];
                while let Some(before) = ring.last().and_then(|place| from.get(place)) {
                    ring.push(*before);
                }
                ring.reverse();
                return Some(ring);
            }
            if !told.contains(next) && !from.contains_key(next) {
                from.insert(*next, here);
                waiting.push_back(*next);
            }
        }
    }
    None
}

/// Does a `branch` of the ring look at what a `set` of it changes?
fn counts(plan: &Plan, ring: &[StepIx]) -> bool {
    let steps = || ring.iter().map(|place| plan.step(*place));
    let branches = steps().filter_map(|step| step.is::<Branch>());
    let read: BTreeSet<&str> = branches
        .flat_map(|branch| &branch.ways)
        .filter_map(|(when, _)| match when {
            When::If(condition) => Some(condition.names()),
            When::Open(..) | When::Share { .. } => None,
        })
        .flatten()
        .map(String::as_str)
        .collect();
    let mut set = steps().filter(|step| step.word == "set").flat_map(|step| step.kind.keeps());
    set.any(|(name, _)| read.contains(crate::dialplan::scope::readable(name).as_str()))
}

#[cfg(test)]
mod tests {
    use crate::dialplan::load::load_str;

    /// What is said of rings in a plan with these steps; `main` asks something.
    fn rings(steps: &str) -> Vec<String> {
        let plan = format!(
            "dialplan: 1\nstart: main\ncalendars: {{ desk: {{ hours: {{ mon: \"8-9\" }} }} }}\ninputs: {{ due: number }}\n\
             steps:\n  main: {{ ask: {{ prompt: \"How many?\", digits: 1, tries: {{ max: 2, go: bye }}, go: a }} }}\n{steps}\n  \
             bye: {{ hangup: }}\n"
        );
        let warnings = load_str("p.yaml", &plan).unwrap_or_else(|found| panic!("{found}")).warnings.to_string();
        let round = warnings.lines().filter_map(|line| line.split_once("nobody is asked: "));
        round.map(|(_, route)| route.to_owned()).collect()
    }

    #[test]
    fn a_queue_that_overflows_into_itself_keeps_its_caller_for_ever() {
        let queue =
            "  a: { queue: { group: desk, go: bye, overflow: sorry } }\n  sorry: { say: { text: Wait., go: b } }\n";
        assert_eq!(
            rings(&format!("{queue}  b: {{ branch: {{ when: [{{ open: desk, go: a }}], else: bye }} }}")),
            ["`a` → `sorry` → `b` → `a`"]
        );
        // Who has talked to somebody has had their turn, and so has who is asked.
        assert!(rings("  a: { queue: { group: desk, go: a, overflow: bye } }").is_empty());
        assert!(rings("  a: { queue: { group: desk, go: bye, overflow: main } }").is_empty());
    }

    #[test]
    fn a_branch_that_leads_back_to_itself_is_told_unless_something_counts() {
        let branch = |condition: &str| {
            format!(
                "  a: {{ branch: {{ when: [{{ if: \"{condition}\", go: b }}], else: bye }} }}\n  b: {{ set: {{ values: \
                     {{ n: \"= n + 1\" }}, go: a }} }}"
            )
        };
        assert_eq!(rings(&branch("due > 5")), ["`a` → `b` → `a`"]);
        assert!(rings(&branch("n < 5")).is_empty());
        assert_eq!(rings("  a: { branch: { when: [{ share: 50, go: a }], else: bye } }"), ["`a` → `a`"]);
    }

    #[test]
    fn a_look_up_that_is_asked_again_for_ever_is_told() {
        let http =
            "  a: { http: { url: \"https://crm.example/\", go: bye, failed: b } }\n  b: { say: { text: Hm., go: a } }";
        assert_eq!(rings(http), ["`a` → `b` → `a`"]);
    }

    #[test]
    fn a_plan_that_is_run_breaks_a_ring_only_where_it_asks() {
        let folder = tempfile::tempdir().unwrap();
        let part = |name: &str, steps: &str| {
            std::fs::write(folder.path().join(name), format!("dialplan: 1\nstart: s\nsteps:\n  s: {steps}\n")).unwrap();
        };
        part("asks.yaml", "{ ask: { prompt: Well?, digits: 1, tries: { max: 2, go: $end }, go: $end } }");
        part("says.yaml", "{ say: { text: Well., go: $end } }");
        for (name, expect) in [("asks.yaml", false), ("says.yaml", true)] {
            let main = folder.path().join("main.yaml");
            let steps = format!(
                "  a: {{ run: {{ plan: {name}, go: b }} }}\n  b: {{ branch: {{ when: [{{ if: \"now.hour > 1\", go: a }}], \
                 else: $end }} }}\n"
            );
            std::fs::write(&main, format!("dialplan: 1\nstart: a\nsteps:\n{steps}")).unwrap();
            let said =
                crate::dialplan::load::load(&main).unwrap_or_else(|found| panic!("{found}")).warnings.to_string();
            assert_eq!(said.contains("nobody is asked: `a` → `b` → `a`"), expect, "{name}: {said}");
        }
    }
}
