//! English days: "the fifteenth", "Friday, March the sixth", "a week from Monday", "end of the month", "3/15".

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::numbers::{below_hundred, cardinal, digit, ordinal, zero};
use super::{month, weekday};
use crate::language::Language;
use crate::spoken::currencies::region;
use crate::spoken::heard::calendar::{self, Guess, When, Which, shift};
use crate::spoken::heard::settle::Reading;
use crate::spoken::heard::words::Words;
use crate::value::Value;

/// Days by their own names, from today.
const NEAR: &[(&str, i64)] = &[
    ("today", 0),
    ("tonight", 0),
    ("this morning", 0),
    ("this afternoon", 0),
    ("this evening", 0),
    ("right now", 0),
    ("right away", 0),
    ("immediately", 0),
    ("now", 0),
    ("tomorrow", 1),
    ("tomorrow morning", 1),
    ("tomorrow afternoon", 1),
    ("tomorrow evening", 1),
    ("tomorrow night", 1),
    ("the day after tomorrow", 2),
    ("day after tomorrow", 2),
    ("yesterday", -1),
    ("the day before yesterday", -2),
    ("day before yesterday", -2),
];
/// Feasts that keep their day.
const FEASTS: &[(&str, (i8, i8))] = &[
    ("christmas", (12, 25)),
    ("christmas day", (12, 25)),
    ("christmas eve", (12, 24)),
    ("new year eve", (12, 31)),
    ("new years eve", (12, 31)),
    ("new year day", (1, 1)),
    ("new years day", (1, 1)),
    ("new years", (1, 1)),
    ("valentine day", (2, 14)),
    ("halloween", (10, 31)),
];
const UNITS: &[(&str, Unit)] = &[
    ("day", Unit::Days(1)),
    ("days", Unit::Days(1)),
    ("week", Unit::Days(7)),
    ("weeks", Unit::Days(7)),
    ("fortnight", Unit::Days(14)),
    ("fortnights", Unit::Days(14)),
    ("month", Unit::Months(1)),
    ("months", Unit::Months(1)),
    ("year", Unit::Months(12)),
    ("years", Unit::Months(12)),
];
/// After these a bare "first" or "second" is no day.
const COUNTED_THINGS: &[&str] = &[
    "one",
    "time",
    "thing",
    "payment",
    "option",
    "card",
    "account",
    "person",
    "bill",
    "invoice",
    "call",
    "name",
    "of all",
    "place",
    "choice",
    "question",
    "half",
    "week",
    "quarter",
    "floor",
    "street",
    "installment",
    "instalment",
    "grade",
];

#[derive(Clone, Copy)]
enum Unit {
    Days(i64),
    Months(i64),
}

/// What a day at this place may be, best first.
pub fn at(words: &Words, at: usize, today: Date, when: When, language: &Language) -> Vec<Reading> {
    // "The thirty first of June" is no day, and its first none either.
    if at > 0 && ordinal(words, at - 1).is_some_and(|(_, end)| end == at + 1) {
        return Vec::new();
    }
    let days = Days { words, today, when, day_first: !matches!(region(language), None | Some("US" | "CA")) };
    let mut longest: Vec<Reading> = Vec::new();
    let forms = [
        days.near(at),
        days.relative(at),
        days.edge(at),
        days.week_and_date(at),
        days.of_week(at),
        days.month_and_day(at, None),
        days.day_and_month(at, None),
        days.of_month(at),
        days.figures(at),
        days.feast(at),
    ];
    for readings in forms {
        let end = |readings: &[Reading]| readings.iter().map(|reading| reading.end).max().unwrap_or(0);
        if end(&readings) > end(&longest) {
            longest = readings;
        }
    }
    longest
}

struct Days<'w> {
    words: &'w Words,
    today: Date,
    when: When,
    day_first: bool,
}

impl Days<'_> {
    fn near(&self, at: usize) -> Vec<Reading> {
        let Some((ahead, end)) = self.words.find(at, NEAR) else { return Vec::new() };
        let bare = matches!(self.words.get(at), "now" | "right" | "immediately");
        let Some(date) = shift(self.today, ahead.days()) else { return Vec::new() };
        vec![Reading { value: Value::Date(date), end, sure: if bare { 0.6 } else { 0.97 }, bare }]
    }

    /// "in three days", "two weeks from Friday", "a week ago", "a fortnight on Monday".
    fn relative(&self, at: usize) -> Vec<Reading> {
        let within = self.words.any(at, &["in", "within"]).map(|(_, end)| end);
        let start = self.words.skip(within.unwrap_or(at), &["about", "around", "roughly"]);
        let count = match self.words.get(start) {
            "a" | "an" | "one" | "another" => Some((1, start + 1)),
            "couple" => Some((2, self.words.skip(start + 1, &["of"]))),
            _ => self.words.take(start, "a couple of").map(|end| (2, end)).or_else(|| {
                let (number, end) = cardinal(self.words, start)?;
                Some((number.as_whole()?, end))
            }),
        };
        let count = self.words.any(start, &["a couple of", "a couple"]).map(|(_, end)| (2, end)).or(count);
        let Some((count, end)) = count else { return Vec::new() };
        let Some((unit, end)) = self.words.find(end, UNITS) else { return Vec::new() };
        let away = |from: Date, sign: i64| match unit {
            Unit::Days(days) => count
                .checked_mul(days * sign)
                .filter(|days| days.abs() < 400_000)
                .and_then(|days| shift(from, days.days())),
            Unit::Months(months) => count
                .checked_mul(months * sign)
                .filter(|months| months.abs() < 12_000)
                .and_then(|months| shift(from, months.months())),
        };
        if let Some(end) = self.words.take(end, "ago") {
            return dates(away(self.today, -1).map(|date| (date, 0.97)), end);
        }
        if let Some((_, after)) = self.words.any(end, &["from", "after", "on"]) {
            let from = self.near(after).into_iter().chain(self.week_and_date(after)).chain(self.of_week(after));
            let from =
                from.chain(self.month_and_day(after, None)).chain(self.of_month(after)).max_by_key(|from| from.end);
            if let Some(Reading { value: Value::Date(from), end, .. }) = from {
                return dates(away(from, 1).map(|date| (date, 0.95)), end);
            }
        }
        let later = self.words.any(end, &["from now", "later", "time"]).map(|(_, end)| end);
        match (within, later) {
            (Some(_), later) => dates(away(self.today, 1).map(|date| (date, 0.97)), later.unwrap_or(end)),
            (None, Some(end)) => dates(away(self.today, 1).map(|date| (date, 0.97)), end),
            (None, None) => Vec::new(),
        }
    }

    /// "the end of the month", "the last day of March", "the first of next month", "end of the week".
    fn edge(&self, at: usize) -> Vec<Reading> {
        const ENDS: &[&str] = &["end of", "end", "last day of", "last of", "last day in", "very end of"];
        const STARTS: &[&str] = &["beginning of", "start of", "first day of", "first of"];
        const MIDDLES: &[&str] = &["middle of", "mid"];
        let start = self.words.skip(at, &["the"]);
        if let Some(end) = self.words.take(start, "month end") {
            return dates(calendar::month_end(self.today, 0).map(|date| (date, 0.95)), end);
        }
        let edge = [(ENDS, 'e'), (STARTS, 's'), (MIDDLES, 'm')].into_iter();
        let Some((edge, end)) =
            edge.filter_map(|(list, edge)| Some((edge, self.words.any(start, list)?.1))).max_by_key(|(_, end)| *end)
        else {
            return Vec::new();
        };
        let period = self.words.skip(end, &["the", "this"]);
        let (ahead, period) = match self.words.any(period, &["next", "following", "last"]) {
            Some(("last", end)) => (-1, end),
            Some((_, end)) => (1, end),
            None => (0, period),
        };
        let in_month = |months: i32| match edge {
            'e' => calendar::month_end(self.today, months),
            'm' => calendar::month_shifted(self.today, months, 15),
            _ => calendar::month_shifted(self.today, months, 1),
        };
        let found = match self.words.get(period) {
            "month" if edge == 's' && ahead == 0 && self.when != When::Past => in_month(1).map(|date| (date, 0.85)),
            "month" => in_month(ahead).map(|date| (date, 0.95)),
            "week" => {
                let day = if edge == 'e' {
                    Weekday::Friday
                } else if edge == 'm' {
                    Weekday::Wednesday
                } else {
                    Weekday::Monday
                };
                calendar::of_week(self.today, day, ahead as i8).map(|date| (date, 0.75))
            }
            "year" if edge != 'm' => {
                let (month, day) = if edge == 'e' { (12, 31) } else { (1, 1) };
                Date::new(self.today.year().saturating_add(ahead as i16), month, day).ok().map(|date| (date, 0.9))
            }
            word => month(word).and_then(|month| {
                let (first, sure) = calendar::month_day(self.today.first_of_month(), month, 1, None, None, self.when)
                    .first()
                    .copied()?;
                Some((
                    if edge == 'e' {
                        first.last_of_month()
                    } else if edge == 'm' {
                        first.with().day(15).build().ok()?
                    } else {
                        first
                    },
                    sure,
                ))
            }),
        };
        dates(found, period + 1)
    }

    /// "Friday the fifteenth", "Friday, March the sixth", "Friday the sixth of March".
    fn week_and_date(&self, at: usize) -> Vec<Reading> {
        let start = self.words.skip(at, &["this", "next", "on"]);
        let Some(day) = weekday(self.words.get(start)) else { return Vec::new() };
        let next = start + 1;
        let dated = self.month_and_day(next, Some(day)).into_iter().chain(self.day_and_month(next, Some(day)));
        let dated: Vec<Reading> = dated.collect();
        if !dated.is_empty() {
            return dated;
        }
        let the = self.words.skip(next, &["the"]);
        let Some((number, end)) = ordinal(self.words, the).filter(|(number, _)| (1..=31).contains(number)) else {
            return Vec::new();
        };
        let step = if self.when == When::Past { -1 } else { 1 };
        let fits = (0..12).filter_map(|months| calendar::month_shifted(self.today, step * months, number as i8));
        let date = fits
            .filter(|date| date.weekday() == day && (self.when != When::Any || *date >= self.today))
            .find(|date| self.when.accepts(*date, self.today));
        // A weekday that fits no near month was a slip; the number is the surer half.
        let near = |date: &Date| date.since(self.today).is_ok_and(|span| span.get_days().abs() <= 93);
        match date.filter(near) {
            Some(date) => dates(Some((date, 0.97)), end),
            None => dates(calendar::day_of_month(self.today, number as i8, self.when).map(|date| (date, 0.5)), end),
        }
    }

    /// "Friday", "next Friday", "Friday week", "a week on Friday".
    fn of_week(&self, at: usize) -> Vec<Reading> {
        const OF_NEXT: &[&str] = &["of next week", "next week", "the week after", "of the following week"];
        let prefix = self.words.any(
            at,
            &[
                "next",
                "this",
                "this coming",
                "coming",
                "last",
                "this past",
                "next week",
                "next week on",
                "the",
                "the coming",
            ],
        );
        let start = prefix.map_or(at, |(_, end)| end);
        let Some(day) = weekday(self.words.get(start)) else { return Vec::new() };
        let end = start + 1;
        let prefix = prefix.map(|(prefix, _)| prefix);
        if let Some((_, end)) = self
            .words
            .any(end, &["week", "after next", "week after next"])
            .filter(|(said, _)| *said != "week" || prefix.is_none())
        {
            return guessed(calendar::weekday(self.today, day, Which::Later(1), self.when), end);
        }
        if let Some((_, end)) = self.words.any(end, OF_NEXT) {
            return guessed(calendar::weekday(self.today, day, Which::OfWeek(1), self.when), end);
        }
        if let Some(end) = self.words.take(end, "of last week").or_else(|| self.words.take(end, "last week")) {
            return guessed(calendar::weekday(self.today, day, Which::OfWeek(-1), self.when), end);
        }
        let end = self.words.skip(end, &["of this week", "this week", "morning", "afternoon", "evening", "night"]);
        match prefix {
            Some("next") => guessed(calendar::next_weekday(self.today, day), end),
            Some("next week" | "next week on") => {
                guessed(calendar::weekday(self.today, day, Which::OfWeek(1), self.when), end)
            }
            Some("last" | "this past") => guessed(calendar::last_weekday(self.today, day), end),
            _ => guessed(calendar::weekday(self.today, day, Which::Plain, self.when), end),
        }
    }

    /// "March the sixth", "March 6th 2026", "march six".
    fn month_and_day(&self, at: usize, named: Option<Weekday>) -> Vec<Reading> {
        let Some(month) = month(self.words.get(at)) else { return Vec::new() };
        let the = self.words.skip(at + 1, &["the", "on the"]);
        let Some((day, end)) = ordinal(self.words, the).or_else(|| below_hundred(self.words, the)) else {
            return Vec::new();
        };
        // "May two hundred": no day.
        if !(1..=31).contains(&day) || matches!(self.words.get(end), "hundred" | "thousand" | "dollars" | "pounds") {
            return Vec::new();
        }
        self.in_year(month, day as i8, end, named)
    }

    /// "the sixth of March", "6 March", "sixth March twenty twenty six".
    fn day_and_month(&self, at: usize, named: Option<Weekday>) -> Vec<Reading> {
        let the = self.words.skip(at, &["the", "on the"]);
        let Some((day, end)) = ordinal(self.words, the).or_else(|| below_hundred(self.words, the)) else {
            return Vec::new();
        };
        let next = self.words.skip(end, &["of", "day of"]);
        match month(self.words.get(next)).filter(|_| (1..=31).contains(&day)) {
            Some(month) => self.in_year(month, day as i8, next + 1, named),
            None => Vec::new(),
        }
    }

    fn in_year(&self, month: i8, day: i8, end: usize, named: Option<Weekday>) -> Vec<Reading> {
        let after = self.words.skip(end, &["in", "of", "in the year"]);
        if let Some((year, end)) = year(self.words, after) {
            return guessed(calendar::month_day(self.today, month, day, Some(year), named, self.when), end);
        }
        let spoken_year = self
            .words
            .any(end, &["this year", "next year", "last year", "of this year", "of next year", "of last year"]);
        let (year, end) = match spoken_year {
            Some((said, end)) => {
                let ahead = if said.contains("next") {
                    1
                } else if said.contains("last") {
                    -1
                } else {
                    0
                };
                (self.today.year().checked_add(ahead), end)
            }
            None => (None, end),
        };
        guessed(calendar::month_day(self.today, month, day, year, named, self.when), end)
    }

    /// "the fifteenth", "15th", "the fifteenth of next month", "the 15".
    fn of_month(&self, at: usize) -> Vec<Reading> {
        // "February thirtieth" is no day, and its thirtieth none either.
        if month(self.words.before(at)).is_some() {
            return Vec::new();
        }
        let ahead = self.words.find(at, &[("next month", 1), ("this month", 0), ("last month", -1)]);
        if let Some((ahead, end)) = ahead {
            let day = ordinal(self.words, self.words.skip(end, &["on the", "the"]));
            let Some((day, end)) = day.filter(|(day, _)| (1..=31).contains(day)) else { return Vec::new() };
            return dates(calendar::month_shifted(self.today, ahead, day as i8).map(|date| (date, 0.95)), end);
        }
        if matches!(self.words.before(at), "a" | "my" | "your" | "her" | "his" | "our" | "per" | "every") {
            return Vec::new(); // "give me a second"
        }
        let the = self.words.skip(at, &["the"]);
        let with_the = the > at;
        let after_on = |words: &[&str]| words.contains(&self.words.before(at));
        let day = ordinal(self.words, the).or_else(|| {
            // "on the fifteen": recognisers lose the end of ordinals.
            let number = below_hundred(self.words, the).filter(|(number, _)| with_the && *number > 3)?;
            after_on(&["on", "by", "until", "before"]).then_some(number)
        });
        let Some((day, end)) = day.filter(|(day, _)| (1..=31).contains(day)) else { return Vec::new() };
        if self.words.any(end, COUNTED_THINGS).is_some()
            || month(self.words.get(self.words.skip(end, &["of"]))).is_some()
        {
            return Vec::new();
        }
        let day = day as i8;
        let of = self.words.any(
            end,
            &[
                "of this month",
                "of the month",
                "this month",
                "of next month",
                "next month",
                "of the following month",
                "of last month",
                "last month",
            ],
        );
        if let Some((said, end)) = of {
            let ahead = if said.contains("next") || said.contains("following") {
                1
            } else if said.contains("last") {
                -1
            } else {
                0
            };
            let date = if said == "of the month" {
                calendar::day_of_month(self.today, day, self.when)
            } else {
                calendar::month_shifted(self.today, ahead, day)
            };
            return dates(date.map(|date| (date, 0.95)), end);
        }
        let sure =
            if with_the || after_on(&["on", "by", "for", "until", "before", "after", "from"]) { 0.92 } else { 0.75 };
        let date = calendar::day_of_month(self.today, day, self.when);
        date.map(|date| Reading { value: Value::Date(date), end, sure, bare: sure < 0.9 }).into_iter().collect()
    }

    /// `3/15`, `3/15/2026`, `2026-03-15`; day first where the country writes it so.
    fn figures(&self, at: usize) -> Vec<Reading> {
        let word = self.words.get(at);
        if let Ok(date) = word.parse::<Date>() {
            return dates(Some((date, 0.98)), at + 1);
        }
        let parts: Option<Vec<i64>> = word.split('/').map(|part| part.parse().ok()).collect();
        let (one, other, year) = match parts.as_deref() {
            Some([one, other]) => (*one, *other, None),
            Some([one, other, year]) => (*one, *other, calendar::full_year(*year, self.today, self.when)),
            _ => return Vec::new(),
        };
        let both = if self.day_first { [(other, one), (one, other)] } else { [(one, other), (other, one)] };
        let valid = both.into_iter().find(|(month, day)| (1..=12).contains(month) && (1..=31).contains(day));
        let Some((month, day)) = valid else { return Vec::new() };
        let out_of_ten = year.is_none() && other == 10; // "8/10" is a rating too
        let doubt = if out_of_ten { 0.6 } else { 1.0 };
        let found = calendar::month_day(self.today, month as i8, day as i8, year, None, self.when);
        guessed(found.into_iter().map(|(date, sure)| (date, sure * doubt)).collect(), at + 1)
    }

    fn feast(&self, at: usize) -> Vec<Reading> {
        let Some(((month, day), end)) = self.words.find(at, FEASTS) else { return Vec::new() };
        guessed(calendar::month_day(self.today, month, day, None, None, self.when), end)
    }
}

/// "twenty twenty six", "nineteen oh five", "nineteen hundred", "two thousand and five", "2026".
pub fn year(words: &Words, at: usize) -> Option<(i16, usize)> {
    let word = words.get(at);
    if word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return word.parse().ok().filter(|year| (1800..2200).contains(year)).map(|year| (year, at + 1));
    }
    if let Some((century, next)) = below_hundred(words, at).filter(|(century, _)| (18..=21).contains(century)) {
        let rest = if words.get(next) == "hundred" {
            Some((0, next + 1))
        } else if zero(words, next) {
            digit(words, next + 1).map(|ones| (ones, next + 2))
        } else {
            below_hundred(words, next).filter(|(rest, after)| *rest >= 10 && words.get(*after) != "hundred")
        };
        if let Some((rest, end)) = rest {
            return i16::try_from(century * 100 + rest).ok().map(|year| (year, end));
        }
    }
    let (number, end) = cardinal(words, at)?;
    let year = number.as_whole().filter(|year| (1800..2200).contains(year))?;
    i16::try_from(year).ok().map(|year| (year, end))
}

fn dates(guess: Option<Guess>, end: usize) -> Vec<Reading> {
    guessed(guess.into_iter().collect(), end)
}

fn guessed(guesses: Vec<Guess>, end: usize) -> Vec<Reading> {
    guesses.into_iter().map(|(date, sure)| Reading::plain(Value::Date(date), end, sure)).collect()
}
