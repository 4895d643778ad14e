//! English times of day: "half past five", "five thirty p m", "ten to six", "noon", "17:30", "five in the afternoon".

use jiff::civil::Time;

use super::amounts::names_something_else;
use super::numbers::{below_hundred, digit, zero};
use crate::spoken::heard::calendar::on_the_face;
use crate::spoken::heard::words::Words;

/// Which half of the day was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Morning,
    Afternoon,
    Night,
}

const HALVES: &[(&str, Half)] = &[
    ("am", Half::Morning),
    ("a m", Half::Morning),
    ("a", Half::Morning),
    ("in the morning", Half::Morning),
    ("this morning", Half::Morning),
    ("tomorrow morning", Half::Morning),
    ("morning", Half::Morning),
    ("before noon", Half::Morning),
    ("pm", Half::Afternoon),
    ("p m", Half::Afternoon),
    ("p", Half::Afternoon),
    ("in the afternoon", Half::Afternoon),
    ("this afternoon", Half::Afternoon),
    ("tomorrow afternoon", Half::Afternoon),
    ("afternoon", Half::Afternoon),
    ("in the evening", Half::Afternoon),
    ("this evening", Half::Afternoon),
    ("tomorrow evening", Half::Afternoon),
    ("evening", Half::Afternoon),
    ("at night", Half::Night),
    ("tonight", Half::Night),
    ("tomorrow night", Half::Night),
];
/// Small words between a half of the day and its hour.
const BETWEEN: &[&str] = &["at", "around", "about", "say", "by", "after", "before"];
/// After these a bare hour counts something else.
const OTHER_THINGS: &[&str] = &[
    "hundred",
    "thousand",
    "million",
    "dollars",
    "dollar",
    "bucks",
    "cents",
    "pounds",
    "quid",
    "euros",
    "days",
    "day",
    "weeks",
    "week",
    "months",
    "month",
    "years",
    "year",
    "hours",
    "hour",
    "minutes",
    "minute",
    "percent",
    "times",
    "stars",
    "out",
    "of",
    "people",
    "point",
    "grand",
    "k",
    "and a half",
    "th",
    "st",
];

/// A time heard: what it may be with how sure, where it ends, and whether a lone hour is all there is.
pub struct Heard {
    /// Best first.
    pub times: Vec<(Time, f32)>,
    /// Where its words end.
    pub end: usize,
    /// Just "five".
    pub bare: bool,
    /// "Twelve at night": the night of a day ends on the next.
    pub past_midnight: bool,
}

/// The time at this place.
pub fn at(words: &Words, at: usize) -> Option<Heard> {
    named(words, at).or_else(|| past_and_to(words, at)).or_else(|| figures(words, at)).or_else(|| hour(words, at))
}

fn named(words: &Words, at: usize) -> Option<Heard> {
    const NAMED: &[(&str, i8)] = &[
        ("noon", 12),
        ("midday", 12),
        ("twelve noon", 12),
        ("12 noon", 12),
        ("midnight", 0),
        ("twelve midnight", 0),
        ("12 midnight", 0),
    ];
    let (hour, end) = words.find(at, NAMED)?;
    let before = words.after(at, &["before", "after"]) && words.get(at) == "noon";
    let times = vec![(Time::new(hour, 0, 0, 0).ok()?, if before { 0.5 } else { 0.97 })];
    let night = words.any(end, &["tonight", "tomorrow night"]).is_some() || words.after(at, &["night", "night at"]);
    Some(Heard { times, end, bare: false, past_midnight: hour == 0 && night })
}

/// "half past five", "quarter to six", "ten past five", "twenty five minutes to six", British "half five".
fn past_and_to(words: &Words, at: usize) -> Option<Heard> {
    let start = words.skip(at, &["a"]);
    let (minutes, next) = match words.get(start) {
        "half" => (30, start + 1),
        "quarter" => (15, start + 1),
        _ => {
            let (minutes, next) = below_hundred(words, start).filter(|(minutes, _)| *minutes < 60)?;
            (minutes as i8, words.skip(next, &["minutes", "minute"]))
        }
    };
    let (side, next) = match words.any(next, &["past", "after", "to", "of", "till", "til", "before", "until"]) {
        Some((side, next)) => (side, next),
        None if minutes == 30 && words.get(start) == "half" => ("past", next),
        None => return None,
    };
    if minutes == 30 && side != "past" && side != "after" {
        return None;
    }
    let (hour, end) = match words.any(next, &["noon", "midday", "midnight"]) {
        Some((said, end)) => (if said == "midnight" { 0 } else { 12 }, end),
        None => below_hundred(words, next).filter(|(hour, _)| (1..=12).contains(hour))?,
    };
    if words.any(end, OTHER_THINGS).is_some() {
        return None;
    }
    let end = words.skip(end, &["oclock"]);
    let midnight = hour == 0;
    let (hour, minute) = match side {
        "past" | "after" => (hour as i8, minutes),
        _ => (
            if midnight {
                11
            } else if hour == 1 {
                12
            } else {
                hour as i8 - 1
            },
            60 - minutes,
        ),
    };
    if midnight {
        let hour = if matches!(side, "past" | "after") { 0 } else { 23 };
        let times = vec![(Time::new(hour, minute, 0, 0).ok()?, 0.95)];
        return Some(Heard { times, end, bare: false, past_midnight: false });
    }
    Some(on_half(words, at, hour, minute, end, false))
}

/// `5:30`, `17:30`, `0530`, and `5.30` before a half of the day.
fn figures(words: &Words, at: usize) -> Option<Heard> {
    let word = words.get(at);
    let next = at + 1;
    let (hour, minute) = match word.split_once([':', '.']) {
        Some(parts) if word.contains(':') || words.find(next, HALVES).is_some() => parts,
        Some(_) => return None,
        None if word.len() == 4 && word.is_ascii() => word.split_at(2),
        None if word.len() == 3 && word.is_ascii() && words.find(next, HALVES).is_some() => word.split_at(1),
        None => return None,
    };
    let written_out = hour.starts_with('0') && hour.len() == 2;
    let (hour, minute): (i8, i8) = (hour.parse().ok()?, minute.get(..2)?.parse().ok()?);
    let bare = !word.contains([':', '.']);
    if words.any(next, OTHER_THINGS).is_some() && bare {
        return None;
    }
    Time::new(hour, minute, 0, 0).ok()?;
    let next = words.skip(next, &["hours", "oclock"]);
    if written_out && words.find(next, HALVES).is_none() {
        let times = vec![(Time::new(hour, minute, 0, 0).ok()?, 0.9)];
        return Some(Heard { times, end: next, bare, past_midnight: false });
    }
    Some(on_half(words, at, hour, minute, next, bare))
}

/// "five", "five thirty", "five oh five", "five o'clock in the afternoon", "seventeen thirty", "seventeen hundred".
fn hour(words: &Words, at: usize) -> Option<Heard> {
    let military = zero(words, at) && digit(words, at + 1).is_some();
    let start = at + usize::from(military);
    let (hour, next) = below_hundred(words, start).filter(|(hour, _)| *hour < 24).or_else(|| {
        // "zero thirty": half past midnight
        (zero(words, at) && words.get(at) != "o").then_some((0, at + 1))
    })?;
    let minutes = if words.get(next) == "hundred" && words.any(next + 1, &["hours"]).is_some() {
        Some((0, next + 2))
    } else if zero(words, next) {
        digit(words, next + 1)
            .map(|minute| (minute, next + 2))
            .or_else(|| zero(words, next + 1).then_some((0, next + 2)))
    } else {
        below_hundred(words, next)
            .filter(|(minute, after)| (10..60).contains(minute) && words.any(*after, OTHER_THINGS).is_none())
    };
    let (minute, end) = minutes.unwrap_or((0, next));
    // "six hours" is a while; "seventeen thirty hours" is a time.
    let closing: &[&str] = if minutes.is_some() { &["oclock", "sharp", "hours"] } else { &["oclock", "sharp"] };
    let oclock = words.skip(end, closing);
    let has_half = words.find(oclock, HALVES).is_some();
    let bare = minutes.is_none() && oclock == end && !has_half;
    if bare && !military && names_something_else(words, at, start) {
        return None;
    }
    if (bare && (hour == 0 || words.any(end, OTHER_THINGS).is_some())) || (!military && hour == 0 && minutes.is_none())
    {
        return None;
    }
    if military {
        let times = vec![(Time::new(hour as i8, minute as i8, 0, 0).ok()?, 0.85)];
        return Some(Heard { times, end: oclock, bare, past_midnight: false });
    }
    Some(on_half(words, at, hour as i8, minute as i8, oclock, bare))
}

/// Puts an hour of the clock face on the half of the day that was said after or before it.
fn on_half(words: &Words, at: usize, hour: i8, minute: i8, end: usize, bare: bool) -> Heard {
    let after = words.find(end, HALVES);
    // "a" and "p" by themselves belong to the hour only in figures ("5p"), and "a" may begin "a week".
    let after = after.filter(|(_, next)| {
        *next > end + 1 || !matches!(words.get(end), "a" | "p") || words.get(at).ends_with(|c: char| c.is_ascii_digit())
    });
    let before = || {
        let mut start = at;
        while start > 0 && BETWEEN.contains(&words.get(start - 1)) {
            start -= 1;
        }
        HALVES
            .iter()
            .filter(|(said, _)| said.len() > 3)
            .find(|(said, _)| words.after(start, &[said]))
            .map(|(_, half)| *half)
    };
    let (half, end) = match after {
        Some((half, end)) => (Some(half), end),
        None => (before(), end),
    };
    let bare = bare && half.is_none();
    let past_midnight = half == Some(Half::Night) && (hour == 12 || (1..=4).contains(&hour));
    let time = |hour: i8| Time::new(hour, minute, 0, 0).ok();
    let one = |hour: i8| time(hour).map(|time| (time, 0.97)).into_iter().collect();
    let times = match half {
        _ if hour > 12 || hour == 0 => one(hour),
        Some(Half::Morning) => one(hour % 12),
        Some(Half::Afternoon) => one(hour % 12 + 12),
        Some(Half::Night) if hour == 12 => one(0),
        Some(Half::Night) if hour <= 4 => one(hour),
        Some(Half::Night) => one(hour + 12),
        None => {
            let said_as_hour =
                !bare || words.after(at, &["at", "around", "about", "by", "until", "till", "before", "after"]);
            let weight = if said_as_hour { 1.0 } else { 0.8 };
            on_the_face(hour, minute).into_iter().map(|(time, sure)| (time, sure * weight)).collect()
        }
    };
    Heard { times, end, bare, past_midnight }
}
