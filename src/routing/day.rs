//! Days and hours as people write them: `mon-fri`, `09:00-17:00`, `first monday of may`.

use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// Days of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Days(u8);

impl Days {
    /// Reads `mon-fri`, `sat`, `mon, wed, fri` or `daily`; weekdays may be written out, and a range may go over Sunday.
    ///
    /// # Errors
    ///
    /// A sentence for the author.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` names no days; write them like `mon-fri`, `sat, sun` or `daily`");
        let mut days = 0;
        for part in text.split(',').map(str::trim) {
            if part.eq_ignore_ascii_case("daily") {
                days |= 0b111_1111;
                continue;
            }
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (weekday(first).ok_or_else(wrong)?, weekday(last).ok_or_else(wrong)?);
            let mut day = first;
            days |= bit(day);
            while day != last {
                day = day.next();
                days |= bit(day);
            }
        }
        Ok(Self(days))
    }

    /// Is it one of them?
    pub fn holds(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }
}

/// Stretches of a day, in minutes since its midnight, in order; one may reach into the next day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hours(Vec<(u16, u16)>);

impl Hours {
    /// Never.
    pub const fn closed() -> Self {
        Self(Vec::new())
    }

    /// Reads `09:00-17:00`, `9-12, 13:30-18`, `22:00-02:00` (into the next day), `00:00-24:00` or `closed`.
    ///
    /// # Errors
    ///
    /// A sentence for the author.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().eq_ignore_ascii_case("closed") {
            return Ok(Self::closed());
        }
        let wrong = || format!("`{text}` is no time; write it like `09:00-17:00`, `9-12, 13-18` or `closed`");
        let mut stretches = Vec::new();
        for part in text.split(',') {
            let (from, to) = part.split_once('-').ok_or_else(wrong)?;
            let (from, to) = (minute(from).ok_or_else(wrong)?, minute(to).ok_or_else(wrong)?);
            if from == DAY || from == to {
                return Err(format!("`{}` is no time at all; all day is `00:00-24:00`", part.trim()));
            }
            stretches.push((from, if to < from { to + DAY } else { to }));
        }
        stretches.sort_unstable();
        if stretches.windows(2).any(|pair| pair[0].1 > pair[1].0) {
            return Err(format!("two times of `{text}` overlap"));
        }
        Ok(Self(stretches))
    }

    /// Minutes since midnight, from and to.
    pub fn stretches(&self) -> &[(u16, u16)] {
        &self.0
    }
}

/// Days that come back, or do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DayRule {
    /// `2026-12-24..2027-01-02`; one day is from itself to itself.
    Dates(Date, Date),
    /// `12-24..01-02`, every year, as month and day.
    Yearly((i8, i8), (i8, i8)),
    /// `first monday of may`, `last friday of november + 1`.
    Nth {
        /// 1 to 5, or -1 for the last.
        nth: i8,
        /// Which day of the week.
        weekday: Weekday,
        /// 1 to 12.
        month: i8,
        /// So many days later.
        later: i16,
    },
    /// `easter`, `easter - 2`, as Western churches count it.
    Easter(i16),
}

impl DayRule {
    /// Reads a date, a range of them, a rule, or Easter.
    ///
    /// # Errors
    ///
    /// A sentence for the author.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no day; write it like 2026-12-25, 12-25, 12-24..01-01, `first monday of may` or `easter + 1`"
            )
        };
        let lower = text.trim().to_lowercase();
        if let Some(rule) = dates(&lower).or_else(|| yearly(&lower)) {
            return match rule {
                Self::Dates(first, last) if last < first => Err(format!("`{text}` ends before it begins")),
                rule => Ok(rule),
            };
        }
        let (rule, later) = shifted(&lower).ok_or_else(wrong)?;
        let words: Vec<&str> = rule.split_whitespace().collect();
        match words.as_slice() {
            ["easter"] => Ok(Self::Easter(later)),
            [nth, day, "of" | "in", month] => {
                let (nth, weekday) = (ordinal(nth).ok_or_else(wrong)?, weekday(day).ok_or_else(wrong)?);
                Ok(Self::Nth { nth, weekday, month: month_of(month).ok_or_else(wrong)?, later })
            }
            _ => Err(wrong()),
        }
    }

    /// Is it such a day?
    pub fn holds(&self, day: Date) -> bool {
        match self {
            Self::Dates(first, last) => (*first..=*last).contains(&day),
            Self::Yearly(first, last) => {
                let day = (day.month(), day.day());
                // From Christmas to New Year goes over the end of the year.
                if first <= last { *first <= day && day <= *last } else { *first <= day || day <= *last }
            }
            Self::Nth { nth, weekday, month, later } => {
                let begun = day.checked_sub(i32::from(*later).days());
                begun.is_ok_and(|begun| {
                    begun.month() == *month && begun.nth_weekday_of_month(*nth, *weekday).is_ok_and(|nth| nth == begun)
                })
            }
            Self::Easter(later) => {
                let begun = day.checked_sub(i32::from(*later).days());
                begun.is_ok_and(|begun| easter(begun.year()) == Some(begun))
            }
        }
    }
}

/// The anonymous Gregorian algorithm (Nature, 1876), as Meeus prints it.
fn easter(year: i16) -> Option<Date> {
    let year = i32::from(year);
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e, g) = (b / 4, b % 4, (8 * b + 13) / 25);
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    Date::new(i16::try_from(year).ok()?, i8::try_from(n / 31).ok()?, i8::try_from(n % 31 + 1).ok()?).ok()
}

fn dates(text: &str) -> Option<DayRule> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    Some(DayRule::Dates(first.trim().parse().ok()?, last.trim().parse().ok()?))
}

fn yearly(text: &str) -> Option<DayRule> {
    let day = |text: &str| {
        let (month, day) = text.trim().split_once('-')?;
        let (month, day) = (two_digits(month)?, two_digits(day)?);
        // A leap year, so that somebody may be closed on every 29 February.
        Date::new(2024, month, day).ok().map(|date| (date.month(), date.day()))
    };
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    Some(DayRule::Yearly(day(first)?, day(last)?))
}

/// `rule + 1` is the day after it.
fn shifted(text: &str) -> Option<(&str, i16)> {
    let Some(at) = text.find(['+', '-']) else { return Some((text, 0)) };
    let days: i16 = text[at + 1..].trim().parse().ok().filter(|days| (0..=365).contains(days))?;
    Some((text[..at].trim(), if text[at..].starts_with('-') { -days } else { days }))
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

fn weekday(text: &str) -> Option<Weekday> {
    let text = text.trim().to_ascii_lowercase();
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let place = names.iter().position(|name| text.len() >= 3 && name.starts_with(&text))?;
    Weekday::from_monday_zero_offset(place as i8).ok()
}

fn month_of(text: &str) -> Option<i8> {
    let names = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    names.iter().position(|name| text.len() >= 3 && name.starts_with(text)).map(|place| place as i8 + 1)
}

fn ordinal(text: &str) -> Option<i8> {
    Some(match text {
        "first" | "1st" => 1,
        "second" | "2nd" => 2,
        "third" | "3rd" => 3,
        "fourth" | "4th" => 4,
        "fifth" | "5th" => 5,
        "last" => -1,
        _ => return None,
    })
}

fn two_digits(text: &str) -> Option<i8> {
    (matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// `9`, `09:00`, `24:00`: minutes since midnight.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':').unwrap_or((text.trim(), "00"));
    let (hour, minute) = (u16::try_from(two_digits(hour)?).ok()?, u16::try_from(two_digits(minute)?).ok()?);
    let sum = hour * 60 + minute;
    (minute < 60 && sum <= DAY).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn days_of_the_week_are_read() {
        let rows = [
            ("mon-fri", [true, true, true, true, true, false, false]),
            ("Sat, Sun", [false, false, false, false, false, true, true]),
            ("fri-mon", [true, false, false, false, true, true, true]),
            ("tuesday, thurs", [false, true, false, true, false, false, false]),
            ("daily", [true; 7]),
        ];
        for (text, expect) in rows {
            let days = Days::parse(text).unwrap();
            for (place, expect) in expect.into_iter().enumerate() {
                assert_eq!(
                    days.holds(Weekday::from_monday_zero_offset(place as i8).unwrap()),
                    expect,
                    "{text} {place}"
                );
            }
        }
        for text in ["", "mo", "mon-", "mon fri", "workdays", "-", "mon,,tue"] {
            assert!(Days::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hours_are_read_in_order_and_may_reach_into_the_next_day() {
        assert_eq!(Hours::parse("13:30-18, 9-12").unwrap().stretches(), [(540, 720), (810, 1_080)]);
        assert_eq!(Hours::parse("22:00-02:00").unwrap().stretches(), [(1_320, 1_560)]);
        assert_eq!(Hours::parse("00:00-24:00").unwrap().stretches(), [(0, 1_440)]);
        assert_eq!(Hours::parse("Closed").unwrap(), Hours::closed());
        for text in
            ["", "9", "9-9", "9-25", "9:60-10", "24:00-9", "9-12, 11-13", "9 am-5 pm", "-1-5", "22-3, 1-2, 23-24"]
        {
            assert!(Hours::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rules_hold_on_the_days_they_name() {
        let rows = [
            ("2026-12-25", "2026-12-25", "2027-12-25"),
            ("12-25", "2027-12-25", "2027-12-24"),
            ("12-24..01-01", "2027-01-01", "2027-01-02"),
            ("2026-10-01..2026-10-07", "2026-10-07", "2026-10-08"),
            ("02-29", "2028-02-29", "2027-03-01"),
            ("first monday of may", "2026-05-04", "2026-05-11"),
            ("last monday of may", "2026-05-25", "2026-05-18"),
            ("4th thursday of november + 1", "2026-11-27", "2026-11-26"),
            ("Last Fri in Nov", "2026-11-27", "2026-11-20"),
            ("fifth monday of june", "2026-06-29", "2025-06-30"),
            ("easter", "2026-04-05", "2026-04-06"),
            ("easter + 1", "2027-03-29", "2027-03-28"),
            ("easter - 2", "2026-04-03", "2026-04-05"),
            ("first sunday of january - 7", "2026-12-27", "2027-01-03"),
        ];
        for (text, inside, outside) in rows {
            let rule = DayRule::parse(text).unwrap();
            assert!(rule.holds(day(inside)), "{text} on {inside}");
            let expect = text == "fifth monday of june";
            assert_eq!(rule.holds(day(outside)), expect, "{text} on {outside}");
        }
    }

    /// Dates as published for the years about.
    #[test]
    fn easter_falls_where_the_calendars_say() {
        for text in ["2000-04-23", "2008-03-23", "2011-04-24", "2019-04-21", "2024-03-31", "2025-04-20", "2038-04-25"] {
            let expect = day(text);
            assert_eq!(easter(expect.year()), Some(expect));
        }
        for year in [i16::MIN, -9999, 0, 9999, i16::MAX] {
            let _ = easter(year);
        }
    }

    #[test]
    fn what_is_no_day_says_how_to_write_one() {
        for text in [
            "",
            "christmas",
            "13-01",
            "02-30",
            "2026-02-29",
            "first may",
            "sixth monday of may",
            "first monday of may + x",
            "easter + 400",
            "1st monday",
            "2026-1-1..",
            "+1",
        ] {
            assert!(DayRule::parse(text).is_err(), "{text}");
        }
        assert!(DayRule::parse("2027-01-02..2026-12-24").unwrap_err().contains("ends before it begins"));
    }
}
