//! What of a plan its conversations have tried: every step, and every way that leads on from it.
//!
//! A way is a target that a step names itself: the options of a menu, `go`, `failed`, an `else`, and where its questions
//! lead when their tries are used up. Silence, misunderstanding and hang-ups that only lead back are not counted, nor
//! are universal wishes, which are tried once for all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::dialplan::interpreter::Way;
use crate::dialplan::plan::{Plan, Step, StepIx, Target};

/// What was tried of several plans.
#[derive(Debug, Default)]
pub struct Coverage(BTreeMap<PathBuf, Tried>);

/// What was tried of one.
#[derive(Debug)]
struct Tried {
    plan: Arc<Plan>,
    ways: BTreeSet<Way>,
}

/// The count for one plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// Its file.
    pub file: PathBuf,
    /// Steps reached, of how many.
    pub steps: (usize, usize),
    /// Ways taken, of how many.
    pub ways: (usize, usize),
    /// What is left: file, line and sentence.
    pub left: Vec<(PathBuf, usize, String)>,
}

impl Coverage {
    /// A conversation with `plan` took these ways.
    pub fn add(&mut self, plan: &Arc<Plan>, ways: &BTreeSet<Way>) {
        let tried =
            self.0.entry(plan.file.clone()).or_insert_with(|| Tried { plan: plan.clone(), ways: BTreeSet::new() });
        tried.ways.extend(ways.iter().copied());
    }

    /// What others have found besides.
    pub fn merge(&mut self, other: Self) {
        other.0.into_values().for_each(|tried| self.add(&tried.plan, &tried.ways));
    }

    /// The count for each plan, in the order of their files. Steps of a sub-plan count for the plan that runs it.
    pub fn scores(&self) -> Vec<Score> {
        self.0.values().map(Tried::score).collect()
    }
}

impl Tried {
    fn score(&self) -> Score {
        let plan = &self.plan;
        // Steps that are included, or of a plan that is run, stand in files of their own.
        let left = |step: &Step, what: String| {
            let file = plan.sources.get(step.file).unwrap_or(&plan.file);
            (file.clone(), step.at.0, what)
        };
        let mut score = Score { file: plan.file.clone(), steps: (0, plan.steps.len()), ways: (0, 0), left: Vec::new() };
        let mut reached: BTreeSet<StepIx> =
            self.ways.iter().flat_map(|(from, to)| [Some(*from), *to]).flatten().chain([plan.start]).collect();
        // Where a hang-up leads nothing is said or asked: it is tried with the step it belongs to.
        let after_hang_ups = reached.iter().filter_map(|place| match plan.step(*place).hangup {
            Target::Step(place) => Some(place),
            Target::Repeat | Target::Back | Target::End => None,
        });
        reached.extend(after_hang_ups.collect::<Vec<_>>());
        for (place, step) in plan.steps.iter().enumerate().map(|(place, step)| (StepIx(place), step)) {
            if !reached.contains(&place) {
                score.left.push(left(step, format!("step `{}` is never reached", step.name)));
                continue;
            }
            score.steps.0 += 1;
            let exhausted = step.kind.quests().into_iter().map(|quest| quest.question.exhausted);
            let exits = step.kind.exits().into_iter().chain(exhausted.map(|to| ("tries used up".to_owned(), to)));
            let mut seen = BTreeSet::new();
            for (name, target) in exits {
                let to = match target {
                    Target::Step(place) => Some(place),
                    Target::End => None,
                    Target::Repeat | Target::Back => continue,
                };
                if !seen.insert(to) {
                    continue;
                }
                score.ways.1 += 1;
                if self.ways.contains(&(place, to)) {
                    score.ways.0 += 1;
                } else {
                    let to = to.map_or("$end", |to| &plan.step(to).name);
                    let from = &step.name;
                    score.left.push(left(step, format!("`{from}` never leads to `{to}` ({name})")));
                }
            }
        }
        score.left.sort();
        score
    }
}

impl Score {
    /// Was everything tried?
    pub const fn is_whole(&self) -> bool {
        self.steps.0 == self.steps.1 && self.ways.0 == self.ways.1
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((steps, all_steps), (ways, all_ways)) = (self.steps, self.ways);
        writeln!(f, "{}: {steps} of {all_steps} steps, {ways} of {all_ways} ways", self.file.display())?;
        self.left.iter().try_for_each(|(file, line, what)| writeln!(f, "  {}:{line}  {what}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::bank;
    use crate::simulate::conversation::{Caller, Conversation};

    #[test]
    fn what_a_conversation_tried_is_counted_and_what_is_left_is_named() {
        let plan = Arc::new(bank());
        let mut coverage = Coverage::default();
        let mut talk = Conversation::begin(plan.clone(), &Caller::default());
        talk.until_listening();
        talk.say("lost card", 0.9);
        talk.to_the_end();
        coverage.add(&plan, talk.taken());
        let score = coverage.scores().remove(0);
        assert_eq!((score.steps, score.ways), ((3, 6), (2, 3)));
        let left: Vec<&str> = score.left.iter().map(|(.., what)| what.as_str()).collect();
        assert!(left.contains(&"step `verify` is never reached"), "{left:?}");
        assert!(left.contains(&"`main` never leads to `verify` (balance)"), "{left:?}");
        assert!(!score.is_whole());

        let mut silent = Conversation::begin(plan.clone(), &Caller::default());
        silent.to_the_end();
        let mut talk = Conversation::begin(plan.clone(), &Caller::default());
        talk.until_listening();
        talk.say("balance", 0.9);
        talk.until_listening();
        talk.press(&"1234#".chars().filter_map(crate::rtp::Digit::new).collect::<Vec<_>>());
        talk.to_the_end();
        let mut mute = Conversation::begin(plan.clone(), &Caller::default());
        mute.until_listening();
        mute.say("balance", 0.9);
        mute.to_the_end();
        for talk in [&silent, &talk, &mute] {
            let mut other = Coverage::default();
            other.add(&plan, talk.taken());
            coverage.merge(other);
        }
        let score = coverage.scores().remove(0);
        assert!(score.is_whole(), "{score}");
    }
}
