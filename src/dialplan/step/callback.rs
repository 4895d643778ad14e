//! `callback`: when shall we call again?

use jiff::civil::{DateTime, Time};

use super::band::{Band, How};
use super::form::Form;
use super::form::compile::{assemble, slot_of};
use super::form::ear::Span;
use super::promise::{about, days, last_day, take_form};
use super::value_ear::{VALUE_BELOW, Want};
use super::{Event, Next, Quest, Run, Visit, Word, Words};
use crate::dialplan::compile::{Calculation, Compiler};
use crate::dialplan::diagnostic::{Findings, Spanned};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::{Prompt, Target};
use crate::dialplan::read;
use crate::dialplan::schema::QUESTION_KEYS;
use crate::dialplan::yaml::Node;
use crate::grammar::builtin::{Kind, When};
use crate::grammar::normalize::is_mandarin;
use crate::pii::Pii;
use crate::spoken::{self, SayAs};
use crate::value::Value;

const KEYS: &[Key] = &[
    key("prompt", Shape::Text, "What is asked, such as “When shall we call?”"),
    key("confirm", Shape::Text, "How it is read back, as a question; `{{ it }}` is the moment."),
    key("hours", Shape::Line, "When you call, such as `09:00-18:00`, by the plan's clock."),
    key("within", Shape::Line, "The last day that is taken, counted from today: `14 days`."),
    key("number", Shape::Value, "Where to call; the number of this call if left out."),
    key("slot", Shape::Line, "The name under which the moment is kept; the step's own if left out."),
    key("go", Shape::Target, "Where to next, once it is agreed."),
];

/// The word.
pub const WORD: Word = Word {
    name: "callback",
    about: "Ask when to call again, and read it back.",
    keys: &[KEYS, QUESTION_KEYS],
    short: false,
    compile,
};

/// Ask when to call again.
#[derive(Debug)]
pub struct CallBack {
    /// Asks for the moment.
    pub form: Form,
    /// When calls are made: from, to.
    pub hours: Option<(Time, Time)>,
    /// Days from today.
    pub within: Option<i64>,
    /// Where to call.
    pub number: Option<Calculation>,
    /// What is said of a moment that is none of ours.
    pub texts: Texts,
    /// Where to next.
    pub go: Target,
}

/// What is said of a moment that cannot be taken.
#[derive(Debug)]
pub struct Texts {
    /// Out of hours, which are `it`.
    pub hours: Prompt,
    /// After the last day, which is `it`.
    pub latest: Prompt,
    /// Gone already.
    pub past: Prompt,
}

impl Run for CallBack {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        let next = self.form.next(event, visit);
        let done = take_form(visit);
        let moment = visit.scope.value(&self.form.wanted[0].name).cloned();
        let Some(Value::Moment(moment)) = moment else { return next };
        if matches!(event, Event::Answered(_))
            && let Some(why) = self.objection(moment, self.until(visit), visit)
        {
            return self.form.refuse(0, why, visit);
        }
        if !done {
            return next;
        }
        let number = self.number.as_ref().map(|number| number.value(visit.view()));
        let number = match number {
            None => None,
            Some(Ok(number)) => Some(visit.complete_number(&number.plain())).filter(|number| !number.is_empty()),
            Some(Err(why)) => {
                visit.faults.push(format!("the number to call back cannot be told: {why}"));
                None
            }
        };
        let at = Pii::new(Value::Moment(moment));
        let until = self.until(visit).map(|until| Pii::new(Value::Moment(until)));
        visit.came_to(OutcomeKind::CallBack { at, until, number: number.map(Pii::new) });
        Next::Go(self.go)
    }

    fn quests(&self) -> Vec<&Quest> {
        self.form.quests()
    }

    fn prompts(&self) -> Vec<&Prompt> {
        let Texts { hours, latest, past } = &self.texts;
        [hours, latest, past].into_iter().chain(self.form.prompts()).collect()
    }

    fn exits(&self) -> Vec<(String, Target)> {
        self.form.exits()
    }

    fn keeps(&self) -> Vec<(&str, bool)> {
        self.form.keeps()
    }
}

impl CallBack {
    /// The end of the span, where one was said instead of a time.
    fn until(&self, visit: &Visit<'_>) -> Option<DateTime> {
        match visit.scope.value(&self.form.wanted[0].span.as_ref()?.name) {
            Some(Value::Moment(until)) => Some(*until),
            _ => None,
        }
    }

    /// Why we do not call then.
    fn objection<'plan>(&self, at: DateTime, until: Option<DateTime>, visit: &mut Visit<'_>) -> Option<Words<'plan>> {
        let today = visit.now.date();
        if at <= visit.now {
            return Some(about(&self.texts.past, String::new(), visit));
        }
        if let Some(latest) = self.within.and_then(|days| last_day(today, days)).filter(|latest| at.date() > *latest) {
            let it = spoken::say(&Value::Date(latest), SayAs::Date, visit.language, today);
            return Some(about(&self.texts.latest, it, visit));
        }
        let outside = |(from, to): &(Time, Time)| {
            let out = |at: DateTime| at.time() < *from || at.time() > *to;
            out(at) || until.is_some_and(out)
        };
        let (from, to) = self.hours.filter(outside)?;
        let said = |time: Time| spoken::say(&Value::Time(time), SayAs::Time, visit.language, today);
        let and = if is_mandarin(visit.language) { "到" } else { " and " };
        let it = format!("{}{and}{}", said(from), said(to));
        Some(about(&self.texts.hours, it, visit))
    }
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS, QUESTION_KEYS])?;
    let mut written = cx.written_question(&mut fields);
    let start = fields.start();
    let prompt = cx.required_prompt(&mut fields).map_or_else(Prompt::none, |text| cx.prompt(&text));
    written.prompt = None;
    let confirm = cx.prompt_of(&mut fields, "confirm");
    let hours = fields.read("hours", cx.findings, hours).map(|hours| hours.value);
    let within = fields.read("within", cx.findings, days).map(|days| days.value);
    let number = fields.take("number").and_then(|node| cx.calculation(&node));
    let slot = fields.read("slot", cx.findings, read::line).filter(|slot| cx.value_name(slot));
    let slot = slot.map_or_else(|| cx.name().to_owned(), |slot| slot.value);
    let go = cx.go(&mut fields);
    let want = Want::Kind(Kind::Moment { when: When::Future });
    let called = Spanned { at: start, value: "time".to_owned() };
    let span = Span { name: format!("{slot}_until"), hours };
    let mut moment = slot_of((slot, &called), want, prompt, &written, cx);
    moment.wanted.span = Some(span);
    if let Some(reprompts) = written.reprompt.take() {
        moment.question.reprompts = reprompts.iter().map(|text| cx.prompt(text)).collect();
    }
    let band = Band { how: How::Explicit, above: 1.0, below: VALUE_BELOW };
    let form = assemble(vec![moment], written, (band, confirm, None), go, cx);
    let texts =
        Texts { hours: cx.house_prompt("hours"), latest: cx.house_prompt("latest"), past: cx.house_prompt("past") };
    Some(Box::new(CallBack { form, hours, within, number, texts, go }))
}

/// `09:00-18:00`
fn hours(node: &Node, findings: &mut Findings) -> Option<Spanned<(Time, Time)>> {
    let written = read::line(node, findings)?;
    let time = |text: &str| Time::strptime("%H:%M", text.trim()).ok();
    let hours = written.value.split_once('-').and_then(|(from, to)| Some((time(from)?, time(to)?)));
    let hours = hours.filter(|(from, to)| from < to);
    if hours.is_none() {
        let message = format!("`{}` are no hours of a day", written.value);
        findings.error(written.at, message).help("write them like `09:00-18:00`");
    }
    hours.map(|value| Spanned { at: written.at, value })
}

#[cfg(test)]
mod tests;
