//! `form`: several values, in the order in which the caller gives them.
//!
//! ```text
//!   opening ─"pay two hundred"─▶ amount                      asks only for what is missing,
//!             "Two hundred dollars. On which day?"           says what it has understood by the way,
//!   slot    ─"no, three hundred, on Friday"─▶ amount, date   takes back what the caller takes back,
//!   check   ─"Three hundred dollars, Friday …, right?" yes─▶ go
//!             no ─▶ which: "the amount or the date?"
//! ```
//!
//! Each slot has a question, and so have the opening, the check at the end and "which part is wrong?". A secret slot is
//! taken at its own question only, and never said.

pub(in crate::dialplan) mod compile;
mod day_part;
pub mod ear;
mod moment;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::DateTime;

use self::compile::compile;
pub use self::day_part::DayPart;
use self::ear::{Half, Wanted};
use self::moment::Taken;
use super::band::{Band, How};
use super::question::{self, or_again};
use super::{Answer, Event, Excuse, Filled, Hearing, Next, Quest, Run, Visit, Word, Words};
use crate::dialplan::condition::Condition;
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::{Prompt, Target};
use crate::dialplan::schema::QUESTION_KEYS;
use crate::dialplan::scope::readable;
use crate::pii::Pii;
use crate::spoken::{self, SayAs};
use crate::understand::Universal;
use crate::value::Value;

/// The word.
pub const WORD: Word = Word {
    name: "form",
    about: "Ask for several values: several may come at once, and each may be corrected.",
    keys: &[compile::KEYS, QUESTION_KEYS],
    short: false,
    compile,
};

/// A slot that is filled already is filled anew without a word that takes it back only by a value this sure. 0..1.
const PLAIN: f32 = 0.8;
/// Answers to one form; a caller who needs more is going round in circles.
const ROUNDS: u32 = 40;

/// Ask for several values.
#[derive(Debug)]
pub struct Form {
    /// The opening question, where there is one; one for each slot; the check; which part is wrong; the rest of each
    /// moment: its time, then its day.
    pub quests: Vec<Quest>,
    /// Is there an opening question?
    pub opens: bool,
    /// In the order of the plan.
    pub slots: Vec<Slot>,
    /// What the slots listen for, in the same order.
    pub wanted: Arc<Vec<Wanted>>,
    /// When everything is read back at the end.
    pub band: Band,
    /// Said of what was understood, by the way.
    pub noted: Prompt,
    /// Said before a slot is asked for again because it was wrong.
    pub again: Prompt,
    /// Where to next, when nothing is missing.
    pub go: Target,
}

/// One value of a form.
#[derive(Debug)]
pub struct Slot {
    /// Must it be there? Otherwise it is taken where the caller says it, and never asked for.
    pub required: bool,
    /// Wanted only while this holds.
    pub condition: Option<Condition>,
    /// Read back?
    pub says_back: bool,
    /// How the engine speaks of it: "the amount".
    pub label: Prompt,
}

/// What is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Opening,
    Slot(usize),
    /// What is missing of the moment of that slot.
    Rest(usize, Half),
    Check,
    Which,
}

/// What a form remembers until the call leaves it.
#[derive(Clone, Debug, Default)]
struct Progress {
    at: Place,
    held: Vec<Held>,
    /// Understood and not read back yet.
    unsaid: Vec<usize>,
    /// Read back with the question that is open: a "no" is about these.
    said: Vec<usize>,
    /// Slots in the order in which they were asked for.
    asked: Vec<usize>,
    objections: u32,
    rounds: u32,
}

/// What came of one answer.
#[derive(Clone, Copy, Debug, Default)]
struct Took {
    /// A value is another one now.
    changed: bool,
    /// A value was said again.
    repeated: bool,
    /// Half of the moment of this slot is known now, and was not before.
    half: Option<usize>,
}

/// What is known of one slot.
#[derive(Clone, Debug, Default)]
struct Held {
    value: Option<Value>,
    sure: f32,
    /// It was read back, and nobody objected.
    accepted: bool,
    /// What the caller has said it is not.
    denied: Vec<Value>,
    /// The moment it was, or all that is known of it: its day, or its time.
    before: Option<Value>,
    /// The part of the day that is meant instead of a time.
    day_part: Option<DayPart>,
    /// When that is over.
    until: Option<DateTime>,
}

impl Form {
    fn place_of(&self, place: Place) -> usize {
        let slots = usize::from(self.opens);
        match place {
            Place::Opening => 0,
            Place::Slot(slot) => slots + slot,
            Place::Rest(slot, half) => {
                let moments = self.wanted.iter().take(slot).filter(|wanted| wanted.want.is_moment()).count();
                slots + self.slots.len() + 2 + 2 * moments + usize::from(half == Half::Day)
            }
            Place::Check => slots + self.slots.len(),
            Place::Which => slots + self.slots.len() + 1,
        }
    }

    /// Is the slot wanted as things stand? A condition that cannot be told wants it.
    fn wants(&self, slot: usize, visit: &mut Visit<'_>) -> bool {
        let Some(condition) = &self.slots[slot].condition else { return true };
        let holds = condition.holds(visit.view());
        visit.weighed(condition.text(), &holds);
        match holds {
            Ok(holds) => holds,
            Err(why) => {
                let name = &self.wanted[slot].name;
                visit.faults.push(format!("whether `{name}` is wanted cannot be told: {why}"));
                true
            }
        }
    }

    /// Slots whose value may be spoken of.
    fn readable(&self, progress: &Progress, visit: &mut Visit<'_>) -> Vec<usize> {
        let spoken = |slot: &usize| {
            self.slots[*slot].says_back && !self.wanted[*slot].sensitive && progress.held[*slot].value.is_some()
        };
        (0..self.slots.len()).filter(spoken).filter(|slot| self.wants(*slot, visit)).collect()
    }

    fn read_back(&self, slots: &[usize], progress: &Progress, visit: &Visit<'_>) -> Value {
        let hearing = Hearing { language: visit.language.clone(), now: visit.now };
        let said = |slot: &usize| {
            let Held { value, until, .. } = &progress.held[*slot];
            match (value.as_ref()?, until) {
                (Value::Moment(from), Some(until)) => Some(moment::say_span(*from, *until, &hearing)),
                (value, _) => Some(self.wanted[*slot].want.say_back(value, &hearing)),
            }
        };
        let said: Vec<String> = slots.iter().filter_map(said).collect();
        Value::text(words::and(&said, visit.language))
    }

    // What is asked next

    /// Asks for what is missing, else whether all is right, else leads on.
    fn onward<'plan>(
        &'plan self,
        progress: &mut Progress,
        visit: &mut Visit<'_>,
        mut before: Vec<Words<'plan>>,
    ) -> Next<'plan> {
        let missing = (0..self.slots.len()).find(|slot| {
            self.slots[*slot].required && progress.held[*slot].value.is_none() && self.wants(*slot, visit)
        });
        if let Some(slot) = missing {
            let unsaid = std::mem::take(&mut progress.unsaid);
            let readable = self.readable(progress, visit);
            let noted: Vec<usize> = readable.into_iter().filter(|slot| unsaid.contains(slot)).collect();
            if !noted.is_empty() && self.band.how != How::Never {
                let it = self.read_back(&noted, progress, visit);
                visit.scope.set_it(Some(it));
                before.push(Words::Line(visit.line(&self.noted)));
                visit.scope.set_it(None);
                progress.said = noted;
            }
            return self.ask_slot(slot, progress, before);
        }
        let readable = self.readable(progress, visit);
        let sure = readable.iter().all(|slot| {
            let held = &progress.held[*slot];
            held.accepted || self.band.takes(held.sure)
        });
        if readable.is_empty() || (sure && self.band.how != How::Explicit) {
            return self.done(progress, visit);
        }
        let it = self.read_back(&readable, progress, visit);
        visit.scope.set_it(Some(it));
        (progress.at, progress.said, progress.unsaid) = (Place::Check, readable, Vec::new());
        Next::Ask { quest: self.place_of(Place::Check), before }
    }

    fn ask_slot<'plan>(&'plan self, slot: usize, progress: &mut Progress, before: Vec<Words<'plan>>) -> Next<'plan> {
        progress.at = Place::Slot(slot);
        progress.asked.retain(|asked| *asked != slot);
        progress.asked.push(slot);
        Next::Ask { quest: self.place_of(Place::Slot(slot)), before }
    }

    /// Half of a moment was said: asks for the other half, and says what it has.
    fn ask_rest<'plan>(&'plan self, slot: usize, progress: &mut Progress, visit: &mut Visit<'_>) -> Next<'plan> {
        let mut before = Vec::new();
        let half = match progress.held[slot].before.clone() {
            Some(day @ Value::Date(_)) => {
                let it = spoken::say(&day, SayAs::Date, visit.language, visit.now.date());
                visit.scope.set_it(Some(Value::text(it)));
                before.push(Words::Line(visit.line(&self.noted)));
                visit.scope.set_it(None);
                Half::Time
            }
            _ => Half::Day,
        };
        progress.at = Place::Rest(slot, half);
        if !progress.asked.contains(&slot) {
            progress.asked.push(slot);
        }
        Next::Ask { quest: self.place_of(progress.at), before }
    }

    fn done<'plan>(&self, progress: &Progress, visit: &mut Visit<'_>) -> Next<'plan> {
        let mut values = BTreeMap::new();
        for slot in (0..self.slots.len()).filter(|slot| !self.wanted[*slot].sensitive) {
            if let Some(value) = progress.held[slot].value.clone()
                && self.wants(slot, visit)
            {
                values.insert(readable(&self.wanted[slot].name), value);
            }
        }
        visit.came_to(OutcomeKind::Form { values: Pii::new(values) });
        Next::Go(self.go)
    }

    // What was said

    fn heard<'plan>(&'plan self, filled: &Filled, progress: &mut Progress, visit: &mut Visit<'_>) -> Next<'plan> {
        progress.rounds += 1;
        if progress.rounds > ROUNDS {
            return Next::Go(self.quests[self.place_of(Place::Check)].question.exhausted);
        }
        let objects = filled.consent == Some(false);
        let Took { changed, repeated, half } = self.take(filled, progress, visit);
        let named = filled.named.iter().copied().find(|slot| progress.held[*slot].value.is_some());
        if !objects {
            // What was read back and not objected to is agreed upon.
            let agreed: Vec<usize> = std::mem::take(&mut progress.said);
            agreed.into_iter().for_each(|slot| progress.held[slot].accepted = true);
        }
        match progress.at {
            _ if changed => self.onward(progress, visit, Vec::new()),
            _ if let Some(slot) = half => self.ask_rest(slot, progress, visit),
            _ if let Some(slot) = named => {
                self.forget(slot, progress, visit);
                self.ask_slot(slot, progress, Vec::new())
            }
            // A part that has not been filled yet: it is asked for.
            Place::Which if let [slot, ..] = filled.named[..] => self.ask_slot(slot, progress, Vec::new()),
            _ if objects => self.objection(progress, visit),
            Place::Check if filled.consent == Some(true) || repeated => self.done(progress, visit),
            Place::Opening | Place::Slot(_) | Place::Rest(..) if repeated => self.onward(progress, visit, Vec::new()),
            at => self.not_understood(at, progress, visit),
        }
    }

    /// Takes the values of one answer.
    fn take(&self, filled: &Filled, progress: &mut Progress, visit: &mut Visit<'_>) -> Took {
        let takes_back = filled.corrects || filled.consent == Some(false);
        let mut took = Took::default();
        for slot in 0..self.slots.len() {
            let secret = self.wanted[slot].sensitive;
            let asked = matches!(progress.at, Place::Slot(at) | Place::Rest(at, _) if at == slot);
            let held = &progress.held[slot];
            let likely = filled.values.iter().filter(|(of, ..)| *of == slot && (!secret || asked));
            let whole = |value: Value, sure: f32| Taken { value, sure, day_part: None, until: None };
            let mut likely = likely.map(|(_, value, sure)| whole(value.reveal().clone(), *sure));
            let allowed = |taken: &Taken| !held.denied.contains(&taken.value);
            let span = self.wanted[slot].span.as_ref();
            let part = span.and_then(|span| held.spanned(slot, filled, span, visit.now));
            let part = part.or_else(|| held.completed(slot, filled).map(|(value, sure)| whole(value, sure)));
            let Some(taken) = part.or_else(|| likely.find(allowed)) else {
                let news = progress.held[slot].note(slot, filled) && progress.held[slot].value.is_none();
                // The half of a secret that is known would be said.
                if news && !secret && self.wants(slot, visit) {
                    took.half = took.half.or(Some(slot));
                }
                continue;
            };
            let Taken { value, sure, day_part, until } = taken;
            if !self.wants(slot, visit) {
                continue;
            }
            if held.value.as_ref() == Some(&value) && held.until == until {
                progress.held[slot].sure = held.sure.max(sure);
                took.repeated = true;
                continue;
            }
            let free = held.value.is_none() || asked || matches!(progress.at, Place::Check | Place::Which);
            if !(free || takes_back || sure >= PLAIN) {
                continue;
            }
            visit.keep(&self.wanted[slot].name, value.clone(), secret);
            if let Some(span) = &self.wanted[slot].span {
                visit.keep(&span.name, until.map_or(Value::Nothing, Value::Moment), secret);
            }
            let held = &mut progress.held[slot];
            (held.value, held.sure, held.accepted) = (Some(value), sure, false);
            (held.day_part, held.until) = (day_part, until);
            progress.unsaid.retain(|unsaid| *unsaid != slot);
            progress.said.retain(|said| *said != slot);
            progress.unsaid.push(slot);
            took.changed = true;
        }
        took
    }

    /// "No", and nothing else.
    fn objection<'plan>(&'plan self, progress: &mut Progress, visit: &mut Visit<'_>) -> Next<'plan> {
        let check = self.place_of(Place::Check);
        progress.objections += 1;
        if progress.objections >= self.quests[check].question.tries {
            return Next::Go(self.quests[check].question.exhausted);
        }
        let about = match progress.at {
            // Nothing of it is wrong after all.
            Place::Which => return self.onward(progress, visit, Vec::new()),
            Place::Opening => Vec::new(),
            Place::Slot(_) | Place::Rest(..) if progress.said.is_empty() => self.readable(progress, visit),
            Place::Slot(_) | Place::Rest(..) | Place::Check => std::mem::take(&mut progress.said),
        };
        match about[..] {
            [] => self.not_understood(progress.at, progress, visit),
            [slot] => {
                let denied = progress.held[slot].value.clone();
                progress.held[slot].denied.extend(denied);
                self.forget(slot, progress, visit);
                self.ask_slot(slot, progress, vec![Words::Prompt(&self.again)])
            }
            _ => {
                let labels: Vec<String> = about.iter().map(|slot| visit.line(&self.slots[*slot].label).text).collect();
                visit.scope.set_it(Some(Value::text(words::or(&labels, visit.language))));
                progress.at = Place::Which;
                Next::ask(self.place_of(Place::Which))
            }
        }
    }

    fn forget(&self, slot: usize, progress: &mut Progress, visit: &mut Visit<'_>) {
        visit.keep(&self.wanted[slot].name, Value::Nothing, self.wanted[slot].sensitive);
        if let Some(span) = &self.wanted[slot].span {
            visit.keep(&span.name, Value::Nothing, self.wanted[slot].sensitive);
        }
        let Held { value, denied, before, .. } = std::mem::take(&mut progress.held[slot]);
        progress.held[slot] = Held { denied, before: value.or(before), ..Held::default() };
        progress.unsaid.retain(|unsaid| *unsaid != slot);
    }

    /// Asks for everything once more, as if nothing had been said.
    pub fn anew<'plan>(&'plan self, visit: &mut Visit<'_>) -> Next<'plan> {
        visit.forget::<Progress>();
        self.next(&Event::Entered, visit)
    }

    /// A value was understood and cannot be taken: says why, and asks for it again.
    pub fn refuse<'plan>(&'plan self, slot: usize, why: Words<'plan>, visit: &mut Visit<'_>) -> Next<'plan> {
        let mut progress = std::mem::take(visit.memory::<Progress>());
        progress.objections += 1;
        self.forget(slot, &mut progress, visit);
        let question = &self.quests[self.place_of(Place::Slot(slot))].question;
        let next = match progress.objections >= question.tries {
            true => Next::Go(question.exhausted),
            false => self.ask_slot(slot, &mut progress, vec![why]),
        };
        *visit.memory::<Progress>() = progress;
        next
    }

    // What went wrong

    fn not_understood<'plan>(&'plan self, at: Place, progress: &mut Progress, visit: &mut Visit<'_>) -> Next<'plan> {
        self.failed(at, &Event::NoMatch { rejected: false }, progress, visit)
    }

    /// Silence, or words that fit nothing. An open question that failed is not asked again: each slot is.
    fn failed<'plan>(
        &'plan self,
        at: Place,
        event: &Event,
        progress: &mut Progress,
        visit: &mut Visit<'_>,
    ) -> Next<'plan> {
        let quest = self.place_of(at);
        let question = &self.quests[quest].question;
        let (target, excuse) = match event {
            Event::NoInput => (question.no_input, Excuse::NoInput),
            Event::NoMatch { .. } => (question.no_match, Excuse::NoMatch),
            Event::Error => (question.error, Excuse::NoMatch),
            other => return question::next(quest, question, other),
        };
        if at == Place::Opening
            && target == Target::Repeat
            && let Next::Ask { quest, .. } = self.onward(progress, visit, Vec::new())
        {
            return Next::AskAgain { quest, excuse };
        }
        or_again(quest, target, excuse)
    }

    /// "Go back" leads to the slot before this one, and from the first to the question before the form.
    fn back<'plan>(&'plan self, progress: &mut Progress, visit: &mut Visit<'_>) -> Option<Next<'plan>> {
        let mut filled = (0..self.slots.len()).rev().filter(|slot| progress.held[*slot].value.is_some());
        let volunteered = match progress.at {
            Place::Slot(here) | Place::Rest(here, _) => filled.find(|slot| *slot < here),
            Place::Opening => None,
            Place::Check | Place::Which => filled.next(),
        };
        if let Place::Slot(here) | Place::Rest(here, _) = progress.at {
            progress.asked.retain(|slot| *slot != here);
        }
        let before = progress.asked.last().copied().or(volunteered)?;
        self.forget(before, progress, visit);
        Some(self.ask_slot(before, progress, Vec::new()))
    }

    fn wish<'plan>(&'plan self, wish: Universal, progress: &mut Progress, visit: &mut Visit<'_>) -> Next<'plan> {
        let quest = self.place_of(progress.at);
        let question = &self.quests[quest].question;
        if wish == Universal::Back && question.universals.back == Some(Target::Back) {
            return self.back(progress, visit).unwrap_or(Next::Go(Target::Back));
        }
        question::wish(quest, question, wish)
    }
}

impl Run for Form {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        let mut progress = std::mem::take(visit.memory::<Progress>());
        progress.held.resize_with(self.slots.len(), Held::default);
        let next = match event {
            Event::Entered => {
                (0..self.slots.len()).for_each(|slot| self.forget(slot, &mut progress, visit));
                progress = Progress { held: vec![Held::default(); self.slots.len()], ..Progress::default() };
                match self.opens {
                    true => Next::ask(self.place_of(Place::Opening)),
                    false => self.onward(&mut progress, visit, Vec::new()),
                }
            }
            Event::Answered(Answer::Filled(filled)) => self.heard(filled, &mut progress, visit),
            Event::Answered(Answer::Universal(wish)) => self.wish(*wish, &mut progress, visit),
            other => self.failed(progress.at, other, &mut progress, visit),
        };
        *visit.memory::<Progress>() = progress;
        next
    }

    fn quests(&self) -> Vec<&Quest> {
        self.quests.iter().collect()
    }

    fn prompts(&self) -> Vec<&Prompt> {
        vec![&self.noted, &self.again]
    }

    fn exits(&self) -> Vec<(String, Target)> {
        vec![("go".to_owned(), self.go)]
    }

    fn keeps(&self) -> Vec<(&str, bool)> {
        let slots = self.wanted.iter().map(|slot| (slot.name.as_str(), slot.sensitive));
        let spans = self.wanted.iter().filter_map(|slot| Some((slot.span.as_ref()?.name.as_str(), slot.sensitive)));
        slots.chain(spans).collect()
    }
}

#[cfg(test)]
mod tests;
