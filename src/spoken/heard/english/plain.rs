//! English numbers by themselves, and ratings: "eight", "eight out of ten", "I'd give it an eight", "five stars".

use super::amounts::names_something_else;
use super::numbers::{below_hundred, cardinal, digit, number, zero};
use crate::spoken::heard::decimal::Decimal;
use crate::spoken::heard::settle::Reading;
use crate::spoken::heard::words::Words;
use crate::value::Value;

/// What a number at this place may be.
pub fn number_at(words: &Words, at: usize) -> Vec<Reading> {
    let (start, sign) = match words.any(at, &["minus", "negative"]) {
        Some((_, end)) => (end, -1),
        None => (at, 1),
    };
    if names_something_else(words, at, start) {
        return Vec::new();
    }
    let Some(found) = number(words, start) else { return Vec::new() };
    let (value, end, sure) = match found.strung {
        None => (Some(found.value), found.end, 0.92),
        // "a hundred twenty, fifty": two numbers, not one of five places.
        Some(strung) if strung.head >= 100 && strung.tail.is_some() => {
            let Some((value, end)) = cardinal(words, start) else { return Vec::new() };
            (Some(value), end, 0.6)
        }
        Some(_) => (Some(found.value), found.end, 0.75),
    };
    let value = value.and_then(|value| value.times(sign));
    value.map(|value| Reading::bare(value.as_value(), end, sure)).into_iter().collect()
}

/// What recognisers write for a number said by itself.
const MISHEARD: &[(&str, i64)] = &[
    ("won", 1),
    ("to", 2),
    ("too", 2),
    ("tree", 3),
    ("free", 3),
    ("for", 4),
    ("fore", 4),
    ("fife", 5),
    ("sex", 6),
    ("ate", 8),
    ("tin", 10),
];
/// After these a number rates nothing.
const OTHER_THINGS: &[&str] = &[
    "day",
    "days",
    "week",
    "weeks",
    "month",
    "months",
    "year",
    "years",
    "hour",
    "hours",
    "minute",
    "minutes",
    "oclock",
    "am",
    "pm",
    "percent",
    "times",
    "people",
    "thumbs",
    "dollars",
    "pounds",
    "euros",
    "hundred",
    "thousand",
    "and a half",
    "point",
    "or",
    "to",
];

/// What a rating from `min` to `max` at this place may be.
pub fn rating_at(words: &Words, at: usize, min: i64, max: i64) -> Vec<Reading> {
    const HIGHEST: &[&str] =
        &["top marks", "full marks", "the maximum", "maximum", "the highest", "highest", "the top", "top score"];
    const LOWEST: &[&str] = &["the minimum", "minimum", "the lowest", "lowest", "the bottom"];
    for (list, value) in [(HIGHEST, max), (LOWEST, min)] {
        if let Some((_, end)) = words.any(at, list) {
            return vec![Reading::bare(
                Value::Integer(value),
                words.skip(end, &["score", "rating", "possible", "mark"]),
                0.85,
            )];
        }
    }
    if let Some((score, scale)) =
        words.get(at).split_once('/').and_then(|(score, scale)| Some((score.parse().ok()?, scale.parse::<i64>().ok()?)))
    {
        return if scale == max { scored_as(score, at + 1, 0.97, false) } else { Vec::new() };
    }
    if names_something_else(words, at, at) && !words.after(at, &["number"]) {
        return Vec::new();
    }
    let alone = words.len() == 1 || (words.len() == 2 && matches!(words.before(at), "a" | "an"));
    let misheard =
        MISHEARD.iter().find(|(heard, _)| alone && *heard == words.get(at)).map(|(_, number)| (*number, at + 1, 0.7));
    let said = scored(words, at).map(|(score, end)| (score, end, 0.93)).or(misheard);
    let Some((score, end, sure)) = said else { return Vec::new() };
    if let Some(scale) = words.take(end, "out of") {
        let Some((scale, end)) = below_hundred(words, scale).or_else(|| hundred(words, scale)) else {
            return scored_as(score, end, 0.8, true);
        };
        // A score on another scale is no score on ours.
        return if scale == max { scored_as(score, end, 0.97, false) } else { Vec::new() };
    }
    if let Some((_, end)) = words.any(end, &["stars", "star"]) {
        return scored_as(score, end, if max == 5 { 0.97 } else { 0.5 }, false);
    }
    // "seven or eight" is no decision yet: the second is read at its own place, and both are doubted.
    let undecided = matches!(words.get(end), "or" | "to") && (digit(words, end + 1).is_some());
    let end = words.skip(end, &["or so", "or something"]);
    if words.any(end, OTHER_THINGS).is_some() && !undecided {
        return Vec::new();
    }
    scored_as(score, words.skip(end, &["points"]), sure, true)
}

fn scored(words: &Words, at: usize) -> Option<(i64, usize)> {
    // "oh" is a digit of a longer number, and a sigh.
    if zero(words, at) && (words.len() == 1 || !matches!(words.get(at), "o" | "oh")) {
        return Some((0, at + 1));
    }
    let (value, end): (Decimal, usize) = cardinal(words, at)?;
    value.as_whole().map(|value| (value, end))
}

fn hundred(words: &Words, at: usize) -> Option<(i64, usize)> {
    let (value, end) = cardinal(words, at)?;
    value.as_whole().map(|value| (value, end))
}

fn scored_as(score: i64, end: usize, sure: f32, bare: bool) -> Vec<Reading> {
    vec![Reading { value: Value::Integer(score), end, sure, bare }]
}
