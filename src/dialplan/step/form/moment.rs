//! Moments that come in pieces: the day first and the time later, one of them corrected, a part of the day for a time.

use jiff::civil::{Date, DateTime, Time};
use jiff::{RoundMode, ToSpan as _, Unit};

use super::Held;
use super::day_part::DayPart;
use super::ear::Span;
use crate::dialplan::step::{Filled, Hearing};
use crate::grammar::normalize::is_mandarin;
use crate::spoken::{self, SayAs};
use crate::value::Value;

/// From this hour on it is afternoon.
const NOON: i8 = 12;
/// A span that has begun is taken from the next of these minutes on.
const STEP_MINUTES: i64 = 15;

/// A value that a slot is filled with.
pub(super) struct Taken {
    pub value: Value,
    /// 0..1.
    pub sure: f32,
    /// It is no time, but all this.
    pub day_part: Option<DayPart>,
    /// Until then.
    pub until: Option<DateTime>,
}

impl Held {
    /// Of a moment only the day was said, or only the time: the rest is what it was before.
    pub(super) fn completed(&self, slot: usize, filled: &Filled) -> Option<(Value, f32)> {
        let before = self.value.as_ref().or(self.before.as_ref())?;
        let parts = filled.parts.iter().filter(|(of, ..)| *of == slot);
        let whole = parts.filter_map(|(_, part, sure)| {
            let moment = match (part.reveal(), before) {
                (Value::Time(time), Value::Moment(moment)) => moment.date().to_datetime(*time),
                (Value::Date(day), Value::Moment(moment)) => day.to_datetime(moment.time()),
                (Value::Time(time), Value::Date(day)) | (Value::Date(day), Value::Time(time)) => day.to_datetime(*time),
                _ => return None,
            };
            Some((moment, *sure)).filter(|(moment, _)| !self.denied.contains(&Value::Moment(*moment)))
        });
        let whole: Vec<_> = whole.collect();
        // "At five" instead of three in the afternoon is in the afternoon, too.
        let afternoon = matches!(before, Value::Moment(before) if before.hour() >= NOON);
        let same_half = whole.iter().find(|(moment, _)| afternoon && moment.hour() >= NOON);
        same_half.or(whole.first()).map(|(moment, sure)| (Value::Moment(*moment), *sure))
    }

    /// A part of a day was said and its day is known, or the day of a part that is known.
    pub(super) fn spanned(&self, slot: usize, filled: &Filled, span: &Span, now: DateTime) -> Option<Taken> {
        let mine = |of: &usize| *of == slot;
        let timed = filled.parts.iter().any(|(of, part, _)| mine(of) && matches!(part.reveal(), Value::Time(_)));
        if timed || filled.values.iter().any(|(of, ..)| mine(of)) {
            return None;
        }
        let said = filled.day_parts.iter().find(|(of, _)| mine(of)).map(|(_, part)| *part);
        let day = filled.parts.iter().filter(|(of, ..)| mine(of)).find_map(|(_, part, sure)| match part.reveal() {
            Value::Date(day) => Some((*day, *sure)),
            _ => None,
        });
        let (part, (day, sure)) = match (said, day) {
            (Some(part), Some(day)) => (part, day),
            (Some(part), None) => (part, (self.day()?, 1.0)),
            (None, Some(day)) => (self.day_part?, day),
            (None, None) => return None,
        };
        let (from, to) = part.within(span.hours);
        let (from, until) = (not_gone(day, from, to, now), day.to_datetime(to));
        let allowed = !self.denied.contains(&Value::Moment(from));
        allowed.then_some(Taken { value: Value::Moment(from), sure, day_part: Some(part), until: Some(until) })
    }

    /// The day that is known.
    fn day(&self) -> Option<Date> {
        match self.value.as_ref().or(self.before.as_ref())? {
            Value::Date(day) => Some(*day),
            Value::Moment(moment) => Some(moment.date()),
            _ => None,
        }
    }

    /// Half of a moment is kept, until the other half is said. Is it news?
    pub(super) fn note(&mut self, slot: usize, filled: &Filled) -> bool {
        let mut news = false;
        if let Some((_, part, _)) = filled.parts.iter().find(|(of, ..)| *of == slot)
            && !matches!(self.before, Some(Value::Moment(_)))
        {
            news = self.before.as_ref() != Some(part.reveal());
            self.before = Some(part.reveal().clone());
        }
        if let Some((_, part)) = filled.day_parts.iter().find(|(of, _)| *of == slot) {
            news |= self.day_part != Some(*part);
            self.day_part = Some(*part);
        }
        news
    }
}

/// Of a span that has begun, the next quarter of an hour in it.
fn not_gone(day: Date, from: Time, to: Time, now: DateTime) -> DateTime {
    let from = day.to_datetime(from);
    if from > now || day.to_datetime(to) <= now {
        return from;
    }
    let step = jiff::civil::DateTimeRound::new().smallest(Unit::Minute).increment(STEP_MINUTES).mode(RoundMode::Ceil);
    let next = now.checked_add(1.minute()).and_then(|next| next.round(step)).unwrap_or(from);
    next.min(day.to_datetime(to))
}

/// A span of time as it is read back: the day, and between when and when.
pub(super) fn say_span(from: DateTime, until: DateTime, hearing: &Hearing) -> String {
    let (language, today) = (&hearing.language, hearing.now.date());
    let day = spoken::say(&Value::Date(from.date()), SayAs::Date, language, today);
    let time = |time: Time| spoken::say(&Value::Time(time), SayAs::Time, language, today);
    let (from, until) = (time(from.time()), time(until.time()));
    match (is_mandarin(language), language.primary()) {
        (true, _) => format!("{day}，{from}到{until}之间"),
        (_, "en") => format!("{day}, between {from} and {until}"),
        _ => format!("{day}, {from} – {until}"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    #[test]
    fn a_span_that_has_begun_goes_on_from_the_next_quarter_of_an_hour() {
        let (today, noon) = (date(2026, 3, 2), time(12, 0, 0, 0));
        let from = |now: DateTime| not_gone(today, time(8, 0, 0, 0), noon, now).time();
        assert_eq!(from(today.at(7, 59, 0, 0)), time(8, 0, 0, 0));
        assert_eq!(from(today.at(10, 0, 0, 0)), time(10, 15, 0, 0));
        assert_eq!(from(today.at(10, 14, 30, 0)), time(10, 30, 0, 0));
        assert_eq!(from(today.at(11, 59, 0, 0)), noon);
        // It is over: said as it is, and refused.
        assert_eq!(from(today.at(13, 0, 0, 0)), time(8, 0, 0, 0));
    }
}
