//! A step at work in one call: what it may see, keep and tell.

use std::any::Any;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::REGION;
use crate::dialplan::interpreter::{Line, line_of};
use crate::dialplan::outcome::{Outcome, OutcomeKind, number_in};
use crate::dialplan::plan::{Prompt, StepIx};
use crate::dialplan::scope::{Scope, View};
use crate::language::Language;
use crate::pii::Pii;
use crate::value::Value;

/// Facts kept of one call; a plan that finds more goes round in circles.
pub(in crate::dialplan) const OUTCOMES: usize = 500;

/// A step at work in one call.
pub struct Visit<'a> {
    /// What the call knows; steps keep their values here.
    pub scope: &'a mut Scope,
    /// In which language the call is held; a step may change it to another language of the plan.
    pub language: &'a mut Language,
    /// Date and time where the plan lives.
    pub now: DateTime,
    /// The moment, whatever the clocks there show.
    pub wall: Timestamp,
    /// Whose clock and calendar the plan lives by.
    pub zone: &'a TimeZone,
    /// The name of the step.
    pub step: &'a str,
    /// What came of it, kept with the call.
    pub outcomes: &'a mut Vec<Outcome>,
    /// What went wrong without stopping the call, for the log: no values in it.
    pub faults: &'a mut Vec<String>,
    /// What the caller said or typed last, as it was heard; nothing of what is secret.
    pub said: Option<&'a Pii<String>>,
    /// Was what we said last heard whole: every prompt of it to its last frame?
    pub said_whole: bool,
    /// How many tries of this step the call has used up: leaving it and coming back gives none of them back.
    pub spent: &'a mut u32,
    /// What this step remembers until the call leaves it: a thing of each type.
    pub(in crate::dialplan) memory: &'a mut Vec<Box<dyn Any + Send>>,
    /// What happens on the way, where somebody rehearses the plan and wants to know.
    pub(in crate::dialplan) told: Option<&'a mut Vec<Told>>,
}

/// What happens in a plan between one question and the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The call has come to this step.
    Came(StepIx),
    /// A condition was looked at.
    Weighed {
        /// As it is written.
        condition: String,
        /// Does it hold? Or why that cannot be told.
        holds: Result<bool, String>,
    },
}

impl Visit<'_> {
    /// The scope as a prompt or condition reads it.
    pub const fn view(&self) -> View<'_> {
        View { scope: self.scope, language: self.language, now: self.now }
    }

    /// What this step remembers since the call came to it; a fresh one when there is none yet.
    pub fn memory<T: Any + Send + Default>(&mut self) -> &mut T {
        if !self.memory.iter().any(|memory| memory.is::<T>()) {
            self.memory.push(Box::new(T::default()));
        }
        self.memory.iter_mut().find_map(|memory| memory.downcast_mut()).expect("it was put there just now")
    }

    /// Forgets what this step remembers of that type.
    pub fn forget<T: Any>(&mut self) {
        self.memory.retain(|memory| !memory.is::<T>());
    }

    /// The number at the other end of the line, as it was told; empty where it was not.
    pub fn far_number(&self) -> String {
        let outbound = self.scope.fact("direction").is_some_and(|direction| direction.plain() == "outbound");
        self.scope.fact(if outbound { "called" } else { "caller" }).map(Value::plain).unwrap_or_default()
    }

    /// A number as it is kept: complete with its country where the plan's region tells it.
    pub fn complete_number(&self, number: &str) -> String {
        let region = self.scope.fact(REGION).map(Value::plain).filter(|region| !region.is_empty());
        number_in(number, region.as_deref())
    }

    /// Keeps a value; a secret one stays out of everything but look-ups.
    pub fn keep(&mut self, name: &str, value: Value, secret: bool) {
        match secret {
            true => self.scope.keep_secret(name, value),
            false => self.scope.keep(name, value),
        }
    }

    /// A condition was looked at: for who rehearses the plan.
    pub(in crate::dialplan) fn weighed(&mut self, condition: &str, holds: &Result<bool, String>) {
        let weighed = Told::Weighed { condition: condition.to_owned(), holds: holds.clone() };
        if let Some(told) = self.told.as_deref_mut().filter(|told| !told.contains(&weighed)) {
            told.push(weighed);
        }
    }

    /// Something came of the call.
    pub fn came_to(&mut self, kind: OutcomeKind) {
        let counts = match &kind {
            // The law's, not the plan's: one that is said already is enough, but no bound may lose the first.
            OutcomeKind::OptOut { scope, .. } => !self.outcomes.iter().any(|outcome| outcome.closes(scope)),
            _ => self.outcomes.len() < OUTCOMES,
        };
        if counts {
            self.outcomes.push(Outcome { step: self.step.to_owned(), kind });
        }
    }

    /// What this step came to last, to be brought up to date.
    pub fn outcome(&mut self) -> Option<&mut OutcomeKind> {
        let step = self.step;
        self.outcomes.iter_mut().rev().find(|outcome| outcome.step == step).map(|outcome| &mut outcome.kind)
    }

    /// A prompt as it is said now.
    pub fn line(&mut self, prompt: &Prompt) -> Line {
        let (line, fault) = line_of(prompt, self.view());
        self.faults.extend(fault);
        line
    }
}
