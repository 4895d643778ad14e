//! `verify`: is it the person we think it is?
//!
//! ```text
//!   factor ─▶ factor ─▶ … ─▶ all fit ─▶ passed
//!     ▲                        │ "That does not match what we have."
//!     └──── another try ◀──────┴─▶ no try left ─▶ failed
//! ```
//!
//! Every factor is asked before any is judged, and all are asked again, so that nobody learns which one was wrong. What
//! is expected is never said, and what was answered stays out of records, transcripts and logs.

mod compare;
pub(in crate::dialplan) mod compile;

use self::compare::fits;
use self::compile::compile;
use super::question;
use super::{Answer, Event, HandsOn, Hearing, Next, Quest, Run, Visit, Word, Words};
use crate::dialplan::compile::Calculation;
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::{Prompt, Target};
use crate::dialplan::schema::QUESTION_KEYS;
use crate::value::Value;

/// The fact that prompts and conditions read as `call.verified`.
pub const VERIFIED: &str = "verified";

/// The word.
pub const WORD: Word = Word {
    name: "verify",
    about: "Ask for what only the right person knows.",
    keys: &[compile::KEYS, QUESTION_KEYS],
    short: false,
    compile,
};

/// Ask for what only the right person knows.
#[derive(Debug)]
pub struct Verify {
    /// One question for each factor, in the same order.
    pub quests: Vec<Quest>,
    /// What is compared.
    pub factors: Vec<Factor>,
    /// So many must fit.
    pub needed: usize,
    /// So often all are asked.
    pub tries: u32,
    /// Said before another try.
    pub mismatch: Prompt,
    /// Where the right person goes.
    pub passed: Target,
    /// Where everybody else goes.
    pub failed: Target,
    /// Where to when we know too little of the person to ask.
    pub unknown: Target,
}

/// Something that the right person knows.
#[derive(Debug)]
pub struct Factor {
    /// What records call it.
    pub name: String,
    /// What we expect.
    pub expected: Calculation,
    /// Names of the options, where it is a choice.
    pub options: Vec<String>,
}

/// How far the asking is.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// Factors for which we know what to expect.
    asked: Vec<usize>,
    /// Whether each of the first of them fitted, in this try.
    fitted: Vec<bool>,
    tries: u32,
}

impl Run for Verify {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        if *event == Event::Entered {
            return self.begin(visit);
        }
        let progress = visit.memory::<Progress>();
        let Some(&at) = progress.asked.get(progress.fitted.len()) else { return Next::Go(self.failed) };
        match event {
            Event::Answered(Answer::Universal(universal)) => question::wish(at, &self.quests[at].question, *universal),
            Event::Answered(answer) => {
                let fits = self.fits(at, answer, visit);
                visit.memory::<Progress>().fitted.push(fits);
                self.onward(visit)
            }
            other => question::next(at, &self.quests[at].question, other),
        }
    }

    fn quests(&self) -> Vec<&Quest> {
        self.quests.iter().collect()
    }

    fn prompts(&self) -> Vec<&Prompt> {
        vec![&self.mismatch]
    }

    /// What was wanted before is still wanted by who has proved who they are.
    fn hands_on(&self) -> HandsOn {
        HandsOn::Earlier
    }

    fn exits(&self) -> Vec<(String, Target)> {
        let way = |name: &str, target| (name.to_owned(), target);
        let ways = vec![way("passed", self.passed), way("failed", self.failed)];
        let unknown = (self.unknown != self.failed).then(|| way("unknown", self.unknown));
        ways.into_iter().chain(unknown).collect()
    }
}

impl Verify {
    fn begin(&self, visit: &mut Visit<'_>) -> Next<'_> {
        // Not verified until it is: the caller may hang up in the middle, or say nothing at all.
        visit.scope.set_fact(VERIFIED, Value::Boolean(false));
        visit.came_to(OutcomeKind::Verified { passed: false, factors: Vec::new(), tries: 0 });
        let known = |place: &usize| !self.expected(*place, visit).is_nothing();
        let asked: Vec<usize> = (0..self.factors.len()).filter(known).collect();
        if asked.len() < self.needed {
            visit.faults.push(format!("{} of {} factors are known of this person", asked.len(), self.factors.len()));
            return Next::Go(self.unknown);
        }
        // Tries count for the whole call: who goes back and comes here again has as many left as before.
        let tries = visit.spent.saturating_add(1);
        *visit.memory() = Progress { asked, fitted: Vec::new(), tries: tries.min(self.tries) };
        self.note(false, visit);
        if tries > self.tries {
            return Next::Go(self.failed);
        }
        Next::ask(visit.memory::<Progress>().asked[0])
    }

    /// What we expect; nothing where we do not know it.
    fn expected(&self, place: usize, visit: &Visit<'_>) -> Value {
        match self.factors[place].expected.value(visit.view()) {
            Ok(Value::Text(text)) if text.trim().is_empty() => Value::Nothing,
            Ok(value) => value,
            Err(_) => Value::Nothing,
        }
    }

    fn fits(&self, place: usize, answer: &Answer, visit: &Visit<'_>) -> bool {
        let factor = &self.factors[place];
        let expected = self.expected(place, visit);
        let hearing = Hearing { language: visit.language.clone(), now: visit.now };
        let one = |value: &Value| fits(value, &expected, &hearing);
        match answer {
            Answer::Option(option) => factor.options.get(*option).is_some_and(|name| *name == expected.plain()),
            Answer::Value(value) => one(value.reveal()),
            // What was said may be any of these.
            Answer::Filled(filled) => filled.values.iter().any(|(_, value, _)| one(value.reveal())),
            Answer::Universal(_) => false,
        }
    }

    fn onward(&self, visit: &mut Visit<'_>) -> Next<'_> {
        let progress = visit.memory::<Progress>();
        if let Some(&next) = progress.asked.get(progress.fitted.len()) {
            return Next::ask(next);
        }
        let passed = progress.fitted.iter().filter(|fitted| **fitted).count() >= self.needed.min(progress.asked.len());
        self.note(passed, visit);
        let tries = visit.memory::<Progress>().tries;
        if passed {
            visit.scope.set_fact(VERIFIED, Value::Boolean(true));
            return Next::Go(self.passed);
        }
        *visit.spent = tries;
        if tries >= self.tries {
            return Next::Go(self.failed);
        }
        let progress = visit.memory::<Progress>();
        (progress.tries, progress.fitted) = (tries + 1, Vec::new());
        Next::Ask { quest: progress.asked[0], before: vec![Words::Prompt(&self.mismatch)] }
    }

    /// Brings the outcome up to date.
    fn note(&self, verified: bool, visit: &mut Visit<'_>) {
        let progress = visit.memory::<Progress>().clone();
        let fitted = progress.asked.iter().zip(&progress.fitted).filter(|(_, fitted)| **fitted);
        let names: Vec<String> = fitted.map(|(place, _)| self.factors[*place].name.clone()).collect();
        if let Some(OutcomeKind::Verified { passed, factors, tries }) = visit.outcome() {
            (*passed, *factors, *tries) = (verified, names, progress.tries);
        }
    }
}

#[cfg(test)]
mod tests;
