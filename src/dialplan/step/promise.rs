//! `promise`: how much will be paid, and when.
//!
//! A [`Form`] of an amount and a day does the asking: both in one sentence, corrections, read back at the end. What it
//! brings is held against the limits of the plan, and with `parts` asked for again until all is promised.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::band::{Band, How};
use super::form::Form;
use super::form::compile::{assemble, slot_of};
use super::value_ear::{VALUE_BELOW, Want};
use super::{Event, Hearing, Next, Quest, Run, Visit, Word, Words};
use crate::dialplan::compile::{Calculation, Compiler};
use crate::dialplan::diagnostic::{Findings, Spanned};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::{Prompt, Target};
use crate::dialplan::read;
use crate::dialplan::schema::QUESTION_KEYS;
use crate::dialplan::yaml::Node;
use crate::grammar::builtin::{Kind, When};
use crate::pii::Pii;
use crate::value::{Amount, Currency, Value};

/// Nobody keeps a promise about next year.
const MOST_DAYS: usize = 366;
/// Instalments; more are a contract.
const MOST_PARTS: usize = 12;
/// Places of the form's slots.
const AMOUNT: usize = 0;
const DAY: usize = 1;

const KEYS: &[Key] = &[
    key("prompt", Shape::Text, "The opening question: how much, and when?"),
    key("amount", Shape::Text, "How the amount is asked for, when only a day was said."),
    key("date", Shape::Text, "How the day is asked for, when only an amount was said."),
    key("confirm", Shape::Text, "How both are read back, as a question; `{{ it }}` is both."),
    key("currency", Shape::Line, "Of what, such as `USD`; the money of the caller's region if left out."),
    key("least", Shape::Value, "The least that is taken, such as `= due * 0.1`."),
    key("most", Shape::Value, "The most that is taken."),
    key("within", Shape::Line, "The last day that is taken, counted from today: `30 days`."),
    key("total", Shape::Value, "What is owed: no more of it is taken, and `parts` are asked for until it is promised."),
    key("parts", Shape::Count(1, MOST_PARTS), "In how many payments at most."),
    key("slot", Shape::Line, "`NAME_amount` and `NAME_date` are kept; the step's own name if left out."),
    key("go", Shape::Target, "Where to next, once it is promised."),
];

/// The word.
pub const WORD: Word = Word {
    name: "promise",
    about: "Ask how much will be paid and when, and read it back.",
    keys: &[KEYS, QUESTION_KEYS],
    short: false,
    compile,
};

/// Ask how much will be paid and when.
#[derive(Debug)]
pub struct Promise {
    /// Asks for the amount and the day.
    pub form: Form,
    /// The least that is taken.
    pub least: Option<Calculation>,
    /// The most.
    pub most: Option<Calculation>,
    /// All that is owed.
    pub total: Option<Calculation>,
    /// Days from today.
    pub within: Option<i64>,
    /// Payments at most.
    pub parts: usize,
    /// What is said of the limits.
    pub texts: Texts,
    /// Where to next.
    pub go: Target,
}

/// What is said of the limits; each speaks of `it`.
#[derive(Debug)]
pub struct Texts {
    /// The least.
    pub least: Prompt,
    /// The most.
    pub most: Prompt,
    /// The last day.
    pub latest: Prompt,
    /// The day of the payment before.
    pub after: Prompt,
    /// What is left.
    pub rest: Prompt,
}

/// What has been promised so far.
#[derive(Clone, Debug, Default)]
struct Agreed(Vec<(Value, Value)>);

impl Run for Promise {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        if *event == Event::Entered {
            visit.forget::<Agreed>();
        }
        if matches!(event, Event::Entered | Event::Answered(_)) && self.is_without_limits(visit) {
            // Rather no promise than one of any amount.
            return Next::Go(self.form.quests()[AMOUNT].question.exhausted);
        }
        let next = self.form.next(event, visit);
        let done = take_form(visit);
        if matches!(event, Event::Answered(_))
            && let Some((slot, why)) = self.objection(visit)
        {
            return self.form.refuse(slot, why, visit);
        }
        if done { self.agreed(visit) } else { next }
    }

    fn quests(&self) -> Vec<&Quest> {
        self.form.quests()
    }

    fn prompts(&self) -> Vec<&Prompt> {
        let Texts { least, most, latest, after, rest } = &self.texts;
        [least, most, latest, after, rest].into_iter().chain(self.form.prompts()).collect()
    }

    fn exits(&self) -> Vec<(String, Target)> {
        self.form.exits()
    }

    fn keeps(&self) -> Vec<(&str, bool)> {
        self.form.keeps()
    }
}

/// The form is filled: its own outcome gives way to the one of the step that uses it.
pub fn take_form(visit: &mut Visit<'_>) -> bool {
    let ours = visit
        .outcomes
        .last()
        .is_some_and(|outcome| outcome.step == visit.step && matches!(outcome.kind, OutcomeKind::Form { .. }));
    if ours {
        visit.outcomes.pop();
    }
    ours
}

/// A prompt about `it`.
pub fn about<'plan>(prompt: &Prompt, it: String, visit: &mut Visit<'_>) -> Words<'plan> {
    visit.scope.set_it(Some(Value::text(it)));
    let line = visit.line(prompt);
    visit.scope.set_it(None);
    Words::Line(line)
}

impl Promise {
    fn value(&self, slot: usize, visit: &Visit<'_>) -> Value {
        visit.scope.value(&self.form.wanted[slot].name).cloned().unwrap_or_default()
    }

    /// Which slot holds what cannot be taken, and what is said of it.
    fn objection<'plan>(&self, visit: &mut Visit<'_>) -> Option<(usize, Words<'plan>)> {
        let (amount, day) = (self.value(AMOUNT, visit), self.value(DAY, visit));
        if let Value::Amount(amount) = amount {
            let limits =
                [(&self.most, &self.texts.most), (&self.total, &self.texts.most), (&self.least, &self.texts.least)];
            for (limit, text) in limits {
                let limit = limit.as_ref().and_then(|limit| limit.value(visit.view()).ok());
                // In other money nobody can tell whether it is enough, or too much.
                if let Some(limit @ Value::Amount(Amount { currency, .. })) = limit
                    && currency != amount.currency
                {
                    let it = self.say_back(AMOUNT, &limit, visit);
                    return Some((AMOUNT, about(text, it, visit)));
                }
            }
            let left = self.left(amount.currency, visit);
            let least = self.limit(self.least.as_ref(), amount.currency, visit);
            let most = self.limit(self.most.as_ref(), amount.currency, visit);
            let most = most.into_iter().chain(left).min();
            // The last payment may be smaller than the others.
            let least = least.map(|least| left.map_or(least, |left| least.min(left)));
            let said = |limit: Amount, visit: &Visit<'_>| self.say_back(AMOUNT, &Value::Amount(limit), visit);
            if let Some(least) = least.or(Some(Amount { minor: 1, ..amount })).filter(|least| amount < *least) {
                let it = said(least, visit);
                return Some((AMOUNT, about(&self.texts.least, it, visit)));
            }
            if let Some(most) = most.filter(|most| amount > *most) {
                let it = said(most, visit);
                return Some((AMOUNT, about(&self.texts.most, it, visit)));
            }
        }
        let latest = self.within.and_then(|days| visit.now.date().checked_add(days.days()).ok());
        let Agreed(parts) = visit.memory::<Agreed>();
        let before = parts.last().map(|(_, day)| day.clone());
        if let (Value::Date(day), Some(Value::Date(before))) = (&day, before)
            && *day <= before
        {
            let it = self.say_back(DAY, &Value::Date(before), visit);
            return Some((DAY, about(&self.texts.after, it, visit)));
        }
        match (day, latest) {
            (Value::Date(day), Some(latest)) if day > latest => {
                let it = self.say_back(DAY, &Value::Date(latest), visit);
                Some((DAY, about(&self.texts.latest, it, visit)))
            }
            _ => None,
        }
    }

    fn say_back(&self, slot: usize, value: &Value, visit: &Visit<'_>) -> String {
        let hearing = Hearing { language: visit.language.clone(), now: visit.now };
        self.form.wanted[slot].want.say_back(value, &hearing)
    }

    /// Is there a limit that cannot be told? Then none of the promises can be judged.
    fn is_without_limits(&self, visit: &mut Visit<'_>) -> bool {
        for limit in [&self.least, &self.most, &self.total].into_iter().flatten() {
            let why = match limit.value(visit.view()) {
                Ok(Value::Nothing | Value::Amount(_)) => continue,
                Ok(other) if other.plain().trim().parse::<f64>().is_ok_and(f64::is_finite) => continue,
                Ok(other) => format!("it came to a {}", other.sort()),
                Err(why) => why,
            };
            visit.faults.push(format!("a limit of the promise cannot be told: {why}"));
            return true;
        }
        false
    }

    /// A limit in the money that was spoken of.
    fn limit(&self, limit: Option<&Calculation>, currency: Currency, visit: &Visit<'_>) -> Option<Amount> {
        match limit?.value(visit.view()).ok()? {
            Value::Nothing => None,
            Value::Amount(amount) => Some(amount).filter(|amount| amount.currency == currency),
            other => {
                let rounded = other.plain().trim().parse::<f64>().ok();
                rounded
                    .and_then(|number| Amount::parse(&format!("{number:.*}", currency.decimals() as usize), currency))
            }
        }
    }

    /// What is owed and not promised yet.
    fn left(&self, currency: Currency, visit: &mut Visit<'_>) -> Option<Amount> {
        let total = self.limit(self.total.as_ref(), currency, visit)?;
        let Agreed(parts) = visit.memory::<Agreed>();
        let promised = parts.iter().filter_map(|(amount, _)| match amount {
            Value::Amount(amount) if amount.currency == currency => Some(amount.minor),
            _ => None,
        });
        let promised: i64 = promised.fold(0, i64::saturating_add);
        Some(Amount { minor: total.minor.saturating_sub(promised), currency })
    }

    /// One payment is promised; asks for the next, as long as something is owed.
    fn agreed<'plan>(&'plan self, visit: &mut Visit<'_>) -> Next<'plan> {
        let part = (self.value(AMOUNT, visit), self.value(DAY, visit));
        let Value::Amount(amount) = part.0 else { return Next::Go(self.go) };
        let Agreed(parts) = visit.memory::<Agreed>();
        parts.push(part);
        let agreed = parts.clone();
        match visit.outcome() {
            Some(OutcomeKind::Promise { parts }) if agreed.len() > 1 => *parts = Pii::new(agreed.clone()),
            _ => visit.came_to(OutcomeKind::Promise { parts: Pii::new(agreed.clone()) }),
        }
        let left = self.left(amount.currency, visit).filter(|left| left.minor > 0 && agreed.len() < self.parts);
        if let Some(left) = left {
            let it = self.say_back(AMOUNT, &Value::Amount(left), visit);
            let rest = about(&self.texts.rest, it, visit);
            return match self.form.anew(visit) {
                Next::Ask { quest, before } => {
                    Next::Ask { quest, before: std::iter::once(rest).chain(before).collect() }
                }
                next => next,
            };
        }
        if agreed.len() > 1 {
            let all = agreed.iter().filter_map(|(amount, _)| match amount {
                Value::Amount(amount) => Some(amount.minor),
                _ => None,
            });
            let all = Amount { minor: all.fold(0, i64::saturating_add), ..amount };
            visit.keep(&self.form.wanted[AMOUNT].name, Value::Amount(all), false);
        }
        Next::Go(self.go)
    }
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS, QUESTION_KEYS])?;
    let mut written = cx.written_question(&mut fields);
    written.prompt = cx.required_prompt(&mut fields);
    let start = fields.start();
    let amount = cx.prompt_of(&mut fields, "amount").unwrap_or_else(|| cx.house_prompt("how_much"));
    let date = cx.prompt_of(&mut fields, "date").unwrap_or_else(|| cx.house_prompt("which_day"));
    let confirm = cx.prompt_of(&mut fields, "confirm");
    let currency = fields.read("currency", cx.findings, currency).map(|currency| currency.value);
    let mut limit = |name: &str, cx: &mut Compiler<'_>| fields.take(name).and_then(|node| cx.calculation(&node));
    let (least, most, total) = (limit("least", cx), limit("most", cx), limit("total", cx));
    let within = fields.read("within", cx.findings, days).map(|days| days.value);
    let parts =
        fields.read("parts", cx.findings, |node, findings| read::count(node, "`parts`", 1..=MOST_PARTS, findings));
    let parts = parts.map_or(1, |parts| parts.value);
    if parts > 1 && total.is_none() {
        let message = format!("{} asks for {parts} payments without an end", cx.owner());
        cx.findings
            .error(start, message)
            .help("add `total:`, what is owed: nothing more is asked for once it is promised");
    }
    let slot = fields.read("slot", cx.findings, read::line).filter(|slot| cx.value_name(slot));
    let slot = slot.map_or_else(|| cx.name().to_owned(), |slot| slot.value);
    let go = cx.go(&mut fields);
    let called = |name: &str| Spanned { at: start, value: name.to_owned() };
    let want = Want::Kind(Kind::Amount { currency, min: None, max: None });
    let amount = slot_of((format!("{slot}_amount"), &called("amount")), want, amount, &written, cx);
    let want = Want::Kind(Kind::Date { when: When::Future });
    let date = slot_of((format!("{slot}_date"), &called("date")), want, date, &written, cx);
    let band = Band { how: How::Explicit, above: 1.0, below: VALUE_BELOW };
    let form = assemble(vec![amount, date], written, (band, confirm, None), go, cx);
    let texts = Texts {
        least: cx.house_prompt("least"),
        most: cx.house_prompt("most"),
        latest: cx.house_prompt("latest"),
        after: cx.house_prompt("after"),
        rest: cx.house_prompt("rest"),
    };
    Some(Box::new(Promise { form, least, most, total, within, parts, texts, go }))
}

fn currency(node: &Node, findings: &mut Findings) -> Option<Spanned<Currency>> {
    let written = read::line(node, findings)?;
    let currency = Currency::parse(&written.value);
    if currency.is_none() {
        findings
            .error(written.at, format!("`{}` is no currency", written.value))
            .help("write its three letters: `USD`");
    }
    currency.map(|value| Spanned { at: written.at, value })
}

/// `30 days`, `2 weeks`.
pub(in crate::dialplan) fn days(node: &Node, findings: &mut Findings) -> Option<Spanned<i64>> {
    let written = read::line(node, findings)?;
    let mut words = written.value.split_whitespace();
    let count = words.next().and_then(|count| count.parse::<usize>().ok());
    let days = match (count, words.next(), words.next()) {
        (Some(count), Some("day" | "days"), None) => Some(count),
        (Some(count), Some("week" | "weeks"), None) => count.checked_mul(7),
        _ => None,
    };
    let days = days.filter(|days| (1..=MOST_DAYS).contains(days)).and_then(|days| i64::try_from(days).ok());
    if days.is_none() {
        let help = format!("write `30 days` or `2 weeks`, at most {MOST_DAYS} days");
        findings.error(written.at, format!("`{}` is no number of days", written.value)).help(help);
    }
    days.map(|value| Spanned { at: written.at, value })
}

/// The last day that is so many days away.
pub fn last_day(today: Date, within: i64) -> Option<Date> {
    today.checked_add(within.days()).ok()
}

#[cfg(test)]
mod tests;
