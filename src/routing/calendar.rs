//! Is anybody there? Weekly hours, holidays and exceptions in the zone of those who answer.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::day::{DayRule, Days, Hours};
use crate::language::Language;

/// Nobody announces an opening further away than this.
const HORIZON_DAYS: i32 = 400;

/// When a house is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    zone: TimeZone,
    week: Vec<(Days, Hours)>,
    /// The first that holds decides about its day.
    special: Vec<Special>,
}

/// A day, or several, unlike the others: a holiday is closed, an exception has hours of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Special {
    /// As plans know it, and as callers are told where they are told nothing else: "Christmas".
    pub name: String,
    /// As callers are told, by language.
    pub called: BTreeMap<Language, String>,
    /// Which days.
    pub days: DayRule,
    /// When it is open all the same.
    pub hours: Hours,
}

/// What a calendar says of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Somebody is there.
    Open {
        /// Until then; `None`: for longer than anybody plans.
        until: Option<Timestamp>,
    },
    /// Nobody is.
    Closed {
        /// The special day it is; `None`: it is merely late, or early.
        special: Option<String>,
        /// When somebody comes; `None`: not in the coming year.
        next: Option<Timestamp>,
    },
}

impl Opening {
    /// Is somebody there?
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// As plans branch on it and callers hear it: the name of the special day, or `closed`; `None` when open.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Open { .. } => None,
            Self::Closed { special, .. } => Some(special.as_deref().unwrap_or("closed")),
        }
    }
}

impl Calendar {
    /// Hours of the week; exceptions decide before holidays, and both before the week.
    pub fn new(zone: TimeZone, week: Vec<(Days, Hours)>, exceptions: Vec<Special>, holidays: Vec<Special>) -> Self {
        let special = exceptions.into_iter().chain(holidays).collect();
        Self { zone, week, special }
    }

    /// Finds a time zone by its name in the tz database.
    ///
    /// # Errors
    ///
    /// A sentence for the author, with the nearest right name.
    pub fn zone(name: &str) -> Result<TimeZone, String> {
        /// Less alike than this is another name.
        const ALIKE: f64 = 0.8;
        TimeZone::get(name).map_err(|_| {
            let names: Vec<String> = jiff::tz::db().available().map(|known| known.to_string()).collect();
            // People know the city, rarely its continent.
            let near = |known: &str| {
                let city = known.rsplit('/').next().unwrap_or(known);
                strsim::jaro_winkler(name, known).max(strsim::jaro_winkler(&name.replace(' ', "_"), city))
            };
            let best = names.iter().map(|known| (near(known), known)).max_by(|one, other| one.0.total_cmp(&other.0));
            match best.filter(|(likeness, _)| *likeness >= ALIKE) {
                Some((_, known)) => format!("`{name}` is no time zone; did you mean `{known}`?"),
                None => format!("`{name}` is no time zone; write it like `America/New_York` or `Asia/Shanghai`"),
            }
        })
    }

    /// Is somebody there at that moment?
    pub fn at(&self, at: Timestamp) -> Opening {
        let today = at.to_zoned(self.zone.clone()).date();
        let Some(until) = self.open_until(at, today) else {
            let special = self.special_on(today).map(|special| special.name.clone());
            return Opening::Closed { special, next: self.next_opening(at, today) };
        };
        // Stretches that touch are one: midnight is no closing time for who never closes.
        let mut until = until;
        for _ in 0..HORIZON_DAYS {
            let day = until.to_zoned(self.zone.clone()).date();
            match self.open_until(until, day) {
                Some(later) if later > until => until = later,
                _ => return Opening::Open { until: Some(until) },
            }
        }
        Opening::Open { until: None }
    }

    /// The end of the stretch that `at` is in; yesterday's may reach into `today`.
    fn open_until(&self, at: Timestamp, today: Date) -> Option<Timestamp> {
        let days = [today.yesterday().ok(), Some(today)].into_iter().flatten();
        let stretches = days.flat_map(|day| self.stretches(day));
        stretches.filter(|(from, to)| *from <= at && at < *to).map(|(_, to)| to).max()
    }

    fn next_opening(&self, at: Timestamp, today: Date) -> Option<Timestamp> {
        let days = (0..=HORIZON_DAYS).filter_map(|ahead| today.checked_add(ahead.days()).ok());
        days.flat_map(|day| self.stretches(day)).map(|(from, _)| from).find(|from| *from > at)
    }

    /// When it is open on a day. An hour that the clock leaves out begins when the clock goes on.
    fn stretches(&self, day: Date) -> Vec<(Timestamp, Timestamp)> {
        let hours: Vec<&Hours> = match self.special_on(day) {
            Some(special) => vec![&special.hours],
            None => self.week.iter().filter(|(days, _)| days.holds(day.weekday())).map(|(_, hours)| hours).collect(),
        };
        let moment = |minutes: u16| {
            let date = day.checked_add(i32::from(minutes / 1_440).days()).ok()?;
            let minutes = minutes % 1_440;
            let at = date.at((minutes / 60) as i8, (minutes % 60) as i8, 0, 0);
            at.to_zoned(self.zone.clone()).ok().map(|zoned| zoned.timestamp())
        };
        let all = hours.iter().flat_map(|hours| hours.stretches());
        let mut stretches: Vec<_> = all.filter_map(|(from, to)| Some((moment(*from)?, moment(*to)?))).collect();
        stretches.sort_unstable();
        stretches
    }

    /// What a special day is called in a language: as it was written for that, or for one near to it; else its name.
    pub fn called(&self, name: &str, language: &Language) -> String {
        let special = self.special.iter().find(|special| special.name == name);
        let called = special.map(|special| &special.called);
        let near = || called?.iter().find(|(tag, _)| tag.primary() == language.primary()).map(|(_, words)| words);
        called.and_then(|called| called.get(language)).or_else(near).map_or(name, String::as_str).to_owned()
    }

    fn special_on(&self, day: Date) -> Option<&Special> {
        self.special.iter().find(|special| special.days.holds(day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn special(name: &str, days: &str, hours: &str) -> Special {
        let (days, hours) = (DayRule::parse(days).unwrap(), Hours::parse(hours).unwrap());
        Special { name: name.to_owned(), called: BTreeMap::new(), days, hours }
    }

    fn calendar(zone: &str, week: &[(&str, &str)], exceptions: &[Special], holidays: &[Special]) -> Calendar {
        let week = week.iter().map(|(days, hours)| (Days::parse(days).unwrap(), Hours::parse(hours).unwrap()));
        Calendar::new(Calendar::zone(zone).unwrap(), week.collect(), exceptions.to_vec(), holidays.to_vec())
    }

    fn bank() -> Calendar {
        calendar(
            "America/New_York",
            &[("mon-fri", "9-12, 13-17"), ("sat", "10-14")],
            &[special("Christmas Eve", "12-24", "9-12")],
            &[
                special("Christmas", "12-24..12-26", "closed"),
                special("Labor Day", "first monday of september", "closed"),
            ],
        )
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn told(calendar: &Calendar, moment: &str) -> String {
        let show = |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| at.to_string());
        match calendar.at(at(moment)) {
            Opening::Open { until } => format!("open until {}", show(until)),
            closed @ Opening::Closed { .. } => {
                let Opening::Closed { next, .. } = &closed else { unreachable!() };
                format!("{}, next {}", closed.reason().unwrap(), show(*next))
            }
        }
    }

    #[test]
    fn a_house_is_open_in_its_hours_and_knows_when_it_opens_again() {
        let rows = [
            // Monday 2 March 2026, five hours behind UTC.
            ("2026-03-02T13:59:59Z", "closed, next 2026-03-02T14:00:00Z"),
            ("2026-03-02T14:00:00Z", "open until 2026-03-02T17:00:00Z"),
            ("2026-03-02T17:00:00Z", "closed, next 2026-03-02T18:00:00Z"),
            ("2026-03-02T22:00:00Z", "closed, next 2026-03-03T14:00:00Z"),
            // Saturday to Monday goes over the change to summer time.
            ("2026-03-07T20:00:00Z", "closed, next 2026-03-09T13:00:00Z"),
            ("2026-09-07T15:00:00Z", "Labor Day, next 2026-09-08T13:00:00Z"),
            ("2026-12-24T15:00:00Z", "open until 2026-12-24T17:00:00Z"),
            ("2026-12-24T18:00:00Z", "Christmas Eve, next 2026-12-28T14:00:00Z"),
            ("2026-12-25T15:00:00Z", "Christmas, next 2026-12-28T14:00:00Z"),
        ];
        for (moment, expect) in rows {
            assert_eq!(told(&bank(), moment), expect, "{moment}");
        }
    }

    #[test]
    fn who_never_closes_never_closes_and_who_never_opens_never_opens() {
        let always = calendar("Asia/Shanghai", &[("daily", "00:00-24:00")], &[], &[]);
        assert_eq!(told(&always, "2026-03-02T16:00:00Z"), "open until never");
        let never = calendar("Asia/Shanghai", &[], &[], &[]);
        assert_eq!(told(&never, "2026-03-02T16:00:00Z"), "closed, next never");
        let weekdays = calendar("UTC", &[("mon-fri", "00:00-24:00")], &[], &[]);
        assert_eq!(told(&weekdays, "2026-03-02T16:00:00Z"), "open until 2026-03-07T00:00:00Z");
    }

    #[test]
    fn a_night_belongs_to_the_day_it_began() {
        let bar = calendar("Europe/Berlin", &[("fri-sat", "20-02")], &[], &[special("Easter", "easter", "closed")]);
        // The night to Easter Sunday began on Saturday; 2 o'clock in Berlin is midnight in UTC.
        assert_eq!(told(&bar, "2026-04-04T23:59:00Z"), "open until 2026-04-05T00:00:00Z");
        assert_eq!(told(&bar, "2026-04-05T00:00:00Z"), "Easter, next 2026-04-10T18:00:00Z");
    }

    #[test]
    fn hours_that_the_clock_leaves_out_or_repeats_are_survived() {
        let early = calendar("America/New_York", &[("sun", "02:30-03:30")], &[], &[]);
        // On 8 March 2026 it is 03:00 right after 01:59:59: half past two is half past three then, and over.
        assert_eq!(told(&early, "2026-03-08T06:59:00Z").split(", ").next(), Some("closed"));
        let late = calendar("America/New_York", &[("sun", "01:00-03:00")], &[], &[]);
        // On 1 November 2026 the hour from one to two comes twice.
        assert_eq!(told(&late, "2026-11-01T06:30:00Z"), "open until 2026-11-01T08:00:00Z");
        for moment in [Timestamp::MIN, Timestamp::MAX] {
            assert!(!bank().at(moment).is_open() || bank().at(moment).reason().is_none());
        }
    }

    #[test]
    fn a_zone_that_is_none_is_told_with_the_nearest_right_one() {
        assert_eq!(
            Calendar::zone("America/NewYork").unwrap_err(),
            "`America/NewYork` is no time zone; did you mean `America/New_York`?"
        );
        assert!(Calendar::zone("Shanghai").unwrap_err().contains("`Asia/Shanghai`"));
        assert!(Calendar::zone("xyz").unwrap_err().contains("write it like"));
    }
}
