//! English moments: "tomorrow at five", "at half past three on Friday", "in two hours", "tonight at eight".

use jiff::ToSpan;
use jiff::civil::DateTime;

use super::numbers::cardinal;
use super::{dates, times};
use crate::language::Language;
use crate::spoken::heard::calendar::{When, moments};
use crate::spoken::heard::decimal::Decimal;
use crate::spoken::heard::settle::Reading;
use crate::spoken::heard::words::Words;
use crate::value::Value;

const BETWEEN: &[&str] = &[
    "at",
    "around",
    "about",
    "at around",
    "at about",
    "on",
    "by",
    "say",
    "and",
    "let us say at",
    "after",
    "before",
    "at say",
];

/// What a moment at this place may be, best first.
pub fn at(words: &Words, at: usize, now: DateTime, when: When, language: &Language) -> Vec<Reading> {
    let mut found = from_now(words, at, now);
    if found.is_empty() {
        found = day_and_time(words, at, now, when, language);
    }
    if found.is_empty() {
        found = time_and_day(words, at, now, when, language);
    }
    found
}

/// "in two hours", "in an hour and a half", "twenty minutes from now".
fn from_now(words: &Words, at: usize, now: DateTime) -> Vec<Reading> {
    let within = words.any(at, &["in", "in about", "in around", "within"]).map(|(_, end)| end);
    let start = within.unwrap_or(at);
    let half = Decimal::parse("0.5");
    let count = match words.any(start, &["half an", "half a", "an", "a", "another", "a couple of", "a couple"]) {
        Some(("half an" | "half a", end)) => half.map(|half| (half, end)),
        Some(("a couple of" | "a couple", end)) => Some((Decimal::whole(2), end)),
        Some((_, end)) => Some((Decimal::whole(1), end)),
        None => cardinal(words, start),
    };
    let Some((count, end)) = count else { return Vec::new() };
    let Some((minutes, mut end)) =
        words.find(end, &[("hour", 60_i64), ("hours", 60), ("minute", 1), ("minutes", 1), ("min", 1), ("mins", 1)])
    else {
        return Vec::new();
    };
    let mut minutes = count.times(minutes).and_then(Decimal::as_whole);
    if let Some(after) = words.take(end, "and a half") {
        (minutes, end) = (minutes.and_then(|minutes| minutes.checked_add(30)), after);
    }
    let later = words.any(end, &["from now", "time", "later"]).map(|(_, end)| end);
    if within.is_none() && later.is_none() {
        return Vec::new();
    }
    let moment =
        minutes.filter(|minutes| *minutes < 1_000_000).and_then(|minutes| now.checked_add(minutes.minutes()).ok());
    let moment = moment.and_then(|moment| moment.with().second(0).subsec_nanosecond(0).build().ok());
    moment.map(|moment| Reading::plain(Value::Moment(moment), later.unwrap_or(end), 0.97)).into_iter().collect()
}

fn day_and_time(words: &Words, at: usize, now: DateTime, when: When, language: &Language) -> Vec<Reading> {
    let days = dates::at(words, at, now.date(), when, language);
    let Some(day) = days.first() else { return Vec::new() };
    let Some(time) = times::at(words, words.skip(day.end, BETWEEN)) else { return Vec::new() };
    together(&days, &time, now, time.end)
}

/// "five pm on Friday"; without a day, the next time the clock shows it.
fn time_and_day(words: &Words, at: usize, now: DateTime, when: When, language: &Language) -> Vec<Reading> {
    let Some(time) = times::at(words, at) else { return Vec::new() };
    let next = words.skip(time.end, BETWEEN);
    let days = dates::at(words, next, now.date(), when, language);
    if let Some(day) = days.first() {
        return together(&days, &time, now, day.end);
    }
    // "tonight" or "this evening" before the hour is its day.
    let tonight =
        words.after(at, &["tonight at", "this evening at", "this afternoon at", "this morning at", "today at"]);
    let bare = time.bare && !words.after(at, &["at"]);
    moments(None, &time.times, now)
        .into_iter()
        .map(|(moment, sure)| Reading {
            value: Value::Moment(moment),
            end: time.end,
            sure: sure * if tonight { 1.0 } else { 0.85 },
            bare,
        })
        .collect()
}

fn together(days: &[Reading], time: &times::Heard, now: DateTime, end: usize) -> Vec<Reading> {
    let mut found: Vec<Reading> = Vec::new();
    for day in days {
        let Value::Date(date) = day.value else { continue };
        let Some(date) = (if time.past_midnight { date.tomorrow().ok() } else { Some(date) }) else { continue };
        for (moment, sure) in moments(Some(date), &time.times, now) {
            found.push(Reading::plain(Value::Moment(moment), end, sure * day.sure));
        }
    }
    found.sort_by(|one, other| other.sure.total_cmp(&one.sure));
    found
}
