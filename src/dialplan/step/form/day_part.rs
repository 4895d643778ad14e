//! Parts of a day that callers say instead of a time: "tomorrow morning", 明天下午.

use std::ops::Range;

use jiff::civil::Time;

use crate::grammar::normalize::is_mandarin;
use crate::language::Language;
use crate::spoken::heard::Words;

/// A part of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayPart {
    /// Until noon.
    Morning,
    /// From noon on.
    Afternoon,
    /// From six on.
    Evening,
}

/// Part, words, and whether they name the day of today or tomorrow (in days from today) as well.
type Saying = (&'static str, DayPart, Option<i8>);

const ENGLISH: &[Saying] = &[
    ("this morning", DayPart::Morning, Some(0)),
    ("morning", DayPart::Morning, None),
    ("mornings", DayPart::Morning, None),
    ("before lunch", DayPart::Morning, None),
    ("this afternoon", DayPart::Afternoon, Some(0)),
    ("afternoon", DayPart::Afternoon, None),
    ("afternoons", DayPart::Afternoon, None),
    ("after lunch", DayPart::Afternoon, None),
    ("this evening", DayPart::Evening, Some(0)),
    ("tonight", DayPart::Evening, Some(0)),
    ("tomorrow night", DayPart::Evening, Some(1)),
    ("evening", DayPart::Evening, None),
    ("evenings", DayPart::Evening, None),
];
const MANDARIN: &[Saying] = &[
    ("今早", DayPart::Morning, Some(0)),
    ("明早", DayPart::Morning, Some(1)),
    ("早上", DayPart::Morning, None),
    ("早晨", DayPart::Morning, None),
    ("上午", DayPart::Morning, None),
    ("下午", DayPart::Afternoon, None),
    ("午后", DayPart::Afternoon, None),
    ("今晚", DayPart::Evening, Some(0)),
    ("明晚", DayPart::Evening, Some(1)),
    ("傍晚", DayPart::Evening, None),
    ("晚上", DayPart::Evening, None),
];
/// Before these it is a greeting: "good morning"; in Mandarin behind them: 早上好.
const GREETS: &[&str] = &["good"];
const GREETS_MANDARIN: &[&str] = &["好"];
/// Words of a time that say its day as well.
const NAMES_A_DAY: &[&str] = &["tonight", "this", "tomorrow", "今", "明"];

/// The part of the day that was said, and the day it names with it, from today; `None` where there are several, as in
/// "not in the morning, in the afternoon".
pub fn part_of_day(words: &Words, language: &Language) -> Option<(DayPart, Option<i8>)> {
    let mandarin = is_mandarin(language);
    let sayings = if mandarin { MANDARIN } else { ENGLISH };
    let mut found: Option<(DayPart, Option<i8>)> = None;
    let mut at = 0;
    while at < words.len() {
        let said = sayings.iter().filter_map(|(said, part, day)| Some((words.take(at, said)?, *part, *day)));
        let Some((end, part, day)) = said.max_by_key(|(end, ..)| *end) else {
            at += 1;
            continue;
        };
        let greets = match mandarin {
            true => words.any(end, GREETS_MANDARIN).is_some(),
            false => words.after(at, GREETS),
        };
        at = end.max(at + 1);
        match found {
            _ if greets => {}
            Some((other, _)) if other != part => return None,
            Some((_, named)) => found = Some((part, named.or(day))),
            None => found = Some((part, day)),
        }
    }
    found
}

/// Do the words of a time say its day as well: "eight tonight", 明早八点?
pub fn names_a_day(words: &Words, range: &Range<usize>) -> bool {
    range.clone().any(|at| NAMES_A_DAY.contains(&words.get(at)))
}

impl DayPart {
    /// From, to: when people expect to be called who say so.
    pub const fn hours(self) -> (Time, Time) {
        match self {
            Self::Morning => (Time::constant(8, 0, 0, 0), Time::constant(12, 0, 0, 0)),
            Self::Afternoon => (Time::constant(12, 0, 0, 0), Time::constant(18, 0, 0, 0)),
            Self::Evening => (Time::constant(18, 0, 0, 0), Time::constant(21, 0, 0, 0)),
        }
    }

    /// What of it lies within these hours; all of it where nothing does.
    pub fn within(self, hours: Option<(Time, Time)>) -> (Time, Time) {
        let (from, to) = self.hours();
        let Some((opens, closes)) = hours else { return (from, to) };
        let inside = (from.max(opens), to.min(closes));
        if inside.0 < inside.1 { inside } else { (from, to) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_day_is_no_greeting_and_not_several_at_once() {
        use DayPart::{Afternoon, Evening, Morning};
        for (text, language, expect) in [
            ("tomorrow morning", "en-US", Some((Morning, None))),
            ("on friday in the afternoon", "en-US", Some((Afternoon, None))),
            ("this evening please", "en-US", Some((Evening, Some(0)))),
            ("good morning, call me on tuesday", "en-US", None),
            ("good morning, call me on tuesday afternoon", "en-US", Some((Afternoon, None))),
            ("not in the morning, in the afternoon", "en-US", None),
            ("at nine", "en-US", None),
            ("明天上午", "zh-CN", Some((Morning, None))),
            ("明晚", "zh-CN", Some((Evening, Some(1)))),
            ("下午好，周五打给我", "zh-CN", None),
            ("五点", "zh-CN", None),
        ] {
            let language = Language::parse(language).unwrap();
            assert_eq!(part_of_day(&Words::of(text, &language), &language), expect, "{text}");
        }
    }

    #[test]
    fn of_a_part_of_a_day_only_the_hours_count_in_which_somebody_calls() {
        let time = |text: &str| -> Time { text.parse().unwrap() };
        let hours = Some((time("09:30:00"), time("17:00:00")));
        assert_eq!(DayPart::Morning.within(hours), (time("09:30:00"), time("12:00:00")));
        assert_eq!(DayPart::Afternoon.within(hours), (time("12:00:00"), time("17:00:00")));
        // None of it: the caller is told so.
        assert_eq!(DayPart::Evening.within(hours), DayPart::Evening.hours());
        assert_eq!(DayPart::Morning.within(None), DayPart::Morning.hours());
    }
}
