//! From what was said of a day to the day: the year that was left out, which Friday, how the month ends.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{Span, ToSpan};

/// On which side of today the day is looked for when its name leaves that open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// Today or later; nothing else is accepted.
    Future,
    /// Today or before; nothing else is accepted.
    Past,
    /// The next one, unless the words say otherwise; everything is accepted.
    #[default]
    Any,
}

/// Which of the days by that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The nearest on the wanted side.
    Plain,
    /// That of a week: 0 is the running one (Monday to Sunday), 1 the next, -1 the last.
    OfWeek(i8),
    /// So many weeks after the nearest: "Friday week".
    Later(i8),
}

/// A day and how likely it is meant.
pub type Guess = (Date, f32);

impl When {
    /// Does the day lie on the wanted side of today?
    pub fn accepts(self, date: Date, today: Date) -> bool {
        match self {
            Self::Future => date >= today,
            Self::Past => date <= today,
            Self::Any => true,
        }
    }
}

/// "Friday", "this Friday", "Friday week". On a Friday, "Friday" is more likely the next one.
pub fn weekday(today: Date, day: Weekday, which: Which, when: When) -> Vec<Guess> {
    let ahead = i64::from(today.weekday().until(day));
    let back = i64::from(today.weekday().since(day));
    match which {
        Which::Plain if when == When::Past => guesses([(shift(today, (-back).days()), 0.85)]),
        Which::Plain if ahead == 0 => guesses([(shift(today, 7.days()), 0.6), (Some(today), 0.35)]),
        Which::Plain => guesses([(shift(today, ahead.days()), 0.95)]),
        Which::Later(weeks) => {
            let ahead = if ahead == 0 { 7 } else { ahead };
            guesses([(shift(today, (ahead + 7 * i64::from(weeks)).days()), 0.9)])
        }
        Which::OfWeek(weeks) => guesses([(of_week(today, day, weeks), 0.95)]),
    }
}

/// The day by that name in the week that begins on the Monday `weeks` from this one.
pub fn of_week(today: Date, day: Weekday, weeks: i8) -> Option<Date> {
    let monday = i64::from(today.weekday().to_monday_zero_offset());
    let wanted = i64::from(day.to_monday_zero_offset());
    shift(today, (wanted - monday + 7 * i64::from(weeks)).days())
}

/// "next Friday": that of next week, or the nearest; the same from Friday to Sunday.
pub fn next_weekday(today: Date, day: Weekday) -> Vec<Guess> {
    let nearest = weekday(today, day, Which::Plain, When::Future).first().map(|guess| guess.0);
    match (of_week(today, day, 1), nearest) {
        (Some(next), Some(nearest)) if next == nearest => guesses([(Some(next), 0.95)]),
        (next, nearest) => guesses([(next, 0.6), (nearest, 0.4)]),
    }
}

/// "last Friday": the latest before today; that of last week where it differs.
pub fn last_weekday(today: Date, day: Weekday) -> Vec<Guess> {
    let back = i64::from(today.weekday().since(day));
    let back = if back == 0 { 7 } else { back };
    let latest = shift(today, (-back).days());
    match (latest, of_week(today, day, -1)) {
        (Some(latest), Some(week)) if latest != week => guesses([(Some(latest), 0.6), (Some(week), 0.4)]),
        (latest, _) => guesses([(latest, 0.95)]),
    }
}

/// "the fifteenth": the nearest month that has one.
pub fn day_of_month(today: Date, day: i8, when: When) -> Option<Date> {
    let step = if when == When::Past { -1 } else { 1 };
    let fits = |date: &Date| if step > 0 { *date >= today } else { *date <= today };
    (0..=12).filter_map(|months| month_shifted(today, step * months, day)).find(fits)
}

/// That day of the month `months` from this one; `None` where the month has no such day.
pub fn month_shifted(today: Date, months: i32, day: i8) -> Option<Date> {
    let first = shift(today.first_of_month(), months.months())?;
    (1..=first.days_in_month()).contains(&day).then(|| first.with().day(day).build().ok()).flatten()
}

/// The last day of the month `months` from this one.
pub fn month_end(today: Date, months: i32) -> Option<Date> {
    shift(today.first_of_month(), months.months()).map(Date::last_of_month)
}

/// "March the sixth", perhaps with a year or a weekday. The weekday chooses the year where it can; a weekday that fits
/// none of the near years costs certainty.
pub fn month_day(today: Date, month: i8, day: i8, year: Option<i16>, named: Option<Weekday>, when: When) -> Vec<Guess> {
    let in_year = |year: i16| Date::new(year, month, day).ok();
    if let Some(year) = year {
        let sure = |date: Date| if named.is_none_or(|named| named == date.weekday()) { 0.97 } else { 0.5 };
        return in_year(year).map(|date| (date, sure(date))).into_iter().collect();
    }
    let years = match when {
        When::Past => [0, -1, -2, -3, -4, -8],
        When::Future => [0, 1, 2, 3, 4, 8], // a leap day may be eight years away
        When::Any => [0, 1, -1, 2, 3, 4],
    };
    let near = || years.into_iter().filter_map(|ahead| in_year(today.year().checked_add(ahead)?));
    let side = if when == When::Any { When::Future } else { when };
    if let Some(named) = named {
        let matching = near().take(3).find(|date| date.weekday() == named && when.accepts(*date, today));
        if let Some(date) = matching {
            return vec![(date, 0.97)];
        }
    }
    let doubt = if named.is_some() { 0.5 } else { 0.95 };
    near().find(|date| side.accepts(*date, today)).map(|date| (date, doubt)).into_iter().collect()
}

/// Two-digit years: those soon to come, else the last hundred years; birthdays are past.
pub fn full_year(two: i64, today: Date, when: When) -> Option<i16> {
    let year = i16::try_from(two).ok()?;
    if year >= 100 {
        return Some(year);
    }
    let century = today.year() / 100 * 100;
    let latest = if when == When::Past { today.year() } else { today.year() + 20 };
    Some(if century + year > latest { century - 100 + year } else { century + year })
}

/// This many days, weeks, months or years away.
pub fn shift(date: Date, span: Span) -> Option<Date> {
    date.checked_add(span).ok()
}

/// An hour of the clock face as a time of day: the likelier half of the day first, as offices are open.
pub fn on_the_face(hour: i8, minute: i8) -> Vec<(Time, f32)> {
    let at = |hour: i8| Time::new(hour, minute, 0, 0).ok();
    let (first, second) = match hour {
        7..=11 => (hour, hour + 12),
        12 => (12, 0),
        1..=6 => (hour + 12, hour),
        _ => return at(hour).map(|time| (time, 0.9)).into_iter().collect(),
    };
    [(at(first), 0.7), (at(second), 0.3)].into_iter().filter_map(|(time, sure)| Some((time?, sure))).collect()
}

/// A day and the times it may be as moments; those already gone are unlikely, and on no certain day the next of them
/// counts.
pub fn moments(date: Option<Date>, times: &[(Time, f32)], now: DateTime) -> Vec<(DateTime, f32)> {
    let mut found: Vec<(DateTime, f32)> = times
        .iter()
        .filter_map(|(time, sure)| match date {
            Some(date) => {
                let moment = date.to_datetime(*time);
                // Midnight of today is the one to come.
                let gone = date == now.date() && time.hour() == 0 && moment < now;
                let moment = if gone { moment.checked_add(1.day()).ok()? } else { moment };
                Some((moment, if moment < now && date == now.date() { sure * 0.3 } else { *sure }))
            }
            None => {
                let today = now.date().to_datetime(*time);
                let moment = if today > now { today } else { today.checked_add(1.day()).ok()? };
                Some((moment, if today > now { *sure } else { sure * 0.6 }))
            }
        })
        .collect();
    found.sort_by(|one, other| other.1.total_cmp(&one.1));
    found
}

fn guesses<const N: usize>(list: [(Option<Date>, f32); N]) -> Vec<Guess> {
    list.into_iter().filter_map(|(date, sure)| Some((date?, sure))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    /// A Wednesday.
    const TODAY: Date = date(2026, 3, 4);

    #[test]
    fn which_friday() {
        let plain = |when| weekday(TODAY, Weekday::Friday, Which::Plain, when)[0].0;
        assert_eq!(plain(When::Future), date(2026, 3, 6));
        assert_eq!(plain(When::Past), date(2026, 2, 27));
        assert_eq!(next_weekday(TODAY, Weekday::Friday), [(date(2026, 3, 13), 0.6), (date(2026, 3, 6), 0.4)]);
        assert_eq!(next_weekday(date(2026, 3, 7), Weekday::Friday), [(date(2026, 3, 13), 0.95)]);
        assert_eq!(last_weekday(TODAY, Weekday::Wednesday)[0].0, date(2026, 2, 25));
        assert_eq!(weekday(TODAY, Weekday::Wednesday, Which::Plain, When::Any)[0].0, date(2026, 3, 11));
        assert_eq!(weekday(TODAY, Weekday::Friday, Which::Later(1), When::Any)[0].0, date(2026, 3, 13));
    }

    #[test]
    fn the_year_left_out() {
        let on = |month, day, named, when| month_day(TODAY, month, day, None, named, when)[0].0;
        assert_eq!(on(3, 6, None, When::Future), date(2026, 3, 6));
        assert_eq!(on(1, 6, None, When::Future), date(2027, 1, 6));
        assert_eq!(on(1, 6, None, When::Past), date(2026, 1, 6));
        assert_eq!(on(1, 6, Some(Weekday::Tuesday), When::Any), date(2026, 1, 6), "the weekday tells the year");
        assert_eq!(on(2, 29, None, When::Future), date(2028, 2, 29));
        assert!(month_day(TODAY, 2, 30, None, None, When::Any).is_empty());
        assert_eq!(full_year(85, TODAY, When::Past), Some(1985));
        assert_eq!(full_year(26, TODAY, When::Past), Some(2026));
        assert_eq!(full_year(27, TODAY, When::Future), Some(2027));
    }

    #[test]
    fn a_month_without_that_day_is_passed_over() {
        assert_eq!(day_of_month(date(2026, 4, 2), 31, When::Future), Some(date(2026, 5, 31)));
        assert_eq!(day_of_month(TODAY, 4, When::Future), Some(TODAY));
        assert_eq!(day_of_month(TODAY, 15, When::Past), Some(date(2026, 2, 15)));
        assert_eq!(day_of_month(TODAY, 32, When::Future), None);
        assert_eq!(month_end(date(2028, 1, 31), 1), Some(date(2028, 2, 29)));
    }

    #[test]
    fn the_edges_of_the_calendar_are_no_panic() {
        for today in [Date::MIN, Date::MAX] {
            for when in [When::Future, When::Past, When::Any] {
                let _ = weekday(today, Weekday::Friday, Which::OfWeek(2), when);
                let _ = (next_weekday(today, Weekday::Monday), last_weekday(today, Weekday::Monday));
                let _ = (month_day(today, 12, 31, None, Some(Weekday::Monday), when), day_of_month(today, 31, when));
                let _ = (month_end(today, 12), moments(None, &[(Time::MIN, 1.0)], today.to_datetime(Time::MAX)));
                let _ = full_year(99, today, when);
            }
        }
    }
}
