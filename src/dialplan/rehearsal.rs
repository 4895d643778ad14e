//! A plan in conversation without a call around it: words in, lines out, what came of it. For unit tests.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::dialplan::fixture::heard;
use crate::dialplan::interpreter::{Act, Interpreter};
use crate::dialplan::load::load_str;
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::Plan;
use crate::dialplan::scope::{Scope, Variables};
use crate::dialplan::step::listen::Understood;
use crate::dialplan::step::{Event, Keyed};
use crate::language::Language;
use crate::pii::Pii;
use crate::spoken::home_region;
use crate::value::Value;

/// Monday, 2 March 2026, ten in the morning in New York.
const MONDAY: &str = "2026-03-02T15:00:00Z";

/// A plan being talked to.
pub struct Rehearsal {
    plan: Arc<Plan>,
    interpreter: Interpreter,
    act: Act,
    said: Vec<String>,
}

impl Rehearsal {
    /// An inbound call from +1 202 555 0123, to a plan in New York, in which these values are known.
    pub fn of(plan: &str, language: &str, known: &[(&str, &str)]) -> Self {
        Self::from(plan, language, known, "+12025550123")
    }

    /// The same from another number.
    pub fn from(plan: &str, language: &str, known: &[(&str, &str)], caller: &str) -> Self {
        let plan = load_str("plan.yaml", plan).unwrap_or_else(|found| panic!("{found}")).plan;
        let facts = [
            ("direction", Value::text("inbound")),
            ("caller", Value::Phone(caller.to_owned())),
            ("called", Value::Phone("1000".to_owned())),
            ("plan", Value::text("spring")),
            ("region", Value::text(plan.languages.first().and_then(home_region).unwrap_or_default())),
        ];
        let facts = Scope::of(facts.into_iter().map(|(name, value)| (name.to_owned(), Pii::new(value))).collect());
        let known: Variables =
            known.iter().map(|(name, value)| ((*name).to_owned(), Pii::new((*value).to_owned()))).collect();
        let mut interpreter = Interpreter::new(plan.clone(), &Language::parse(language).unwrap(), TimeZone::UTC);
        interpreter = interpreter.knowing(facts, &known);
        let act = interpreter.start(now());
        let mut rehearsal = Self { plan, interpreter, act, said: Vec::new() };
        rehearsal.listen(true);
        rehearsal
    }

    /// What the bot has said since somebody last said something.
    pub fn bot(&self) -> String {
        self.said.join(" ")
    }

    /// The caller says this.
    pub fn say(&mut self, words: &str) -> &mut Self {
        self.say_at(words, 0.95)
    }

    /// The same, heard so surely.
    pub fn say_at(&mut self, words: &str, confidence: f32) -> &mut Self {
        let Act::Ask(asking) = &self.act else { panic!("nothing is asked: {:?}", self.act) };
        let quest = self.plan.step(asking.step).quest(asking.quest).unwrap();
        let nbest = heard(words, confidence);
        let Understood { judged, language } = quest.understand(&nbest, &asking.hearing, &self.plan.languages);
        if let Some(language) = language {
            self.interpreter.go_on_in(language);
        }
        self.interpreter.note_words(Some(&nbest).filter(|_| judged.answer.is_some() && !quest.ear.sensitive()));
        self.interpreter.note_said(judged.heard.clone().filter(|_| !quest.ear.sensitive()));
        let event = match judged.answer {
            Some(answer) => Event::Answered(answer),
            None => Event::NoMatch { rejected: judged.rejected },
        };
        self.happen(&event)
    }

    /// The caller presses these keys, and then no more.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        let Act::Ask(asking) = &self.act else { panic!("nothing is asked: {:?}", self.act) };
        let quest = self.plan.step(asking.step).quest(asking.quest).unwrap();
        self.interpreter.note_words(None);
        let event = match quest.ear.keys(keys, &asking.hearing) {
            Keyed::Complete(answer) | Keyed::More(Some(answer)) => Event::Answered(answer),
            _ => Event::NoMatch { rejected: false },
        };
        self.happen(&event)
    }

    /// The caller says nothing.
    pub fn wait(&mut self) -> &mut Self {
        self.interpreter.note_words(None);
        self.happen(&Event::NoInput)
    }

    /// What came of it so far.
    pub fn outcomes(&self) -> Vec<&OutcomeKind> {
        self.interpreter.outcomes().iter().map(|outcome| &outcome.kind).collect()
    }

    /// What the call knows.
    pub const fn scope(&self) -> &Scope {
        self.interpreter.scope()
    }

    /// What went wrong without stopping the call.
    pub fn faults(&mut self) -> Vec<String> {
        self.interpreter.take_faults()
    }

    /// The call stands where something is said; it is said whole, or not.
    pub fn interrupt(plan: &str, language: &str) -> Self {
        let mut rehearsal = Self::of(plan, language, &[]);
        // The first thing it says, once more, cut short.
        let act = rehearsal.interpreter.start(now());
        rehearsal.act = act;
        rehearsal.said.clear();
        rehearsal.listen(false);
        rehearsal
    }

    fn happen(&mut self, event: &Event) -> &mut Self {
        self.said.clear();
        self.act = self.interpreter.next(event, now());
        self.listen(true);
        self
    }

    /// Lets the bot speak until it asks or ends.
    fn listen(&mut self, whole: bool) {
        loop {
            match &self.act {
                Act::Say { lines, .. } => {
                    self.said.extend(lines.iter().map(|line| line.text.clone()));
                    self.interpreter.note_whole(whole);
                    self.act = self.interpreter.next(&Event::Said, now());
                }
                Act::Ask(asking) => {
                    self.said.extend(asking.lines.iter().map(|line| line.text.clone()));
                    return;
                }
                Act::End { lines, result, .. } => {
                    self.said.extend(lines.iter().map(|line| line.text.clone()));
                    self.said.push(format!("[{}]", result.as_deref().unwrap_or("end")));
                    return;
                }
                Act::Errand { .. } | Act::HandOver { .. } | Act::Meanwhile { .. } => panic!("nobody is there to send"),
            }
        }
    }
}

fn now() -> Timestamp {
    MONDAY.parse().unwrap()
}
