//! Hours in which people may be called, at the clock on *their* wall.
//!
//! Where several zones are possible the call must be inside the hours of every one of them, from its first ring to the
//! last word it may take: somebody who moved keeps their night.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::facts::Zone;
use crate::routing::day::{DayRule, Days, Hours};

/// Farther away than this nobody looks for an hour: longer than the longest run of holidays, and all who wait in vain
/// are told so.
const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 45);

/// Hours of the week, and days without any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Hours of each day of the week; days without an entry have none. None reaches into the next day.
    pub week: Vec<(Days, Hours)>,
    /// Days on which nobody is called.
    pub holidays: Vec<(String, DayRule)>,
    /// The last day whose holidays are known: nobody is called after it.
    pub known_until: Option<Date>,
    /// The call must be over so long before the hours are.
    pub margin: SignedDuration,
}

/// What a zone's wall says of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hour {
    /// Somebody may be called.
    Inside,
    /// Not at this hour, or not long enough.
    Outside,
    /// Not on this day.
    Holiday(String),
    /// Nobody knows whether it is a holiday.
    Unknown,
}

impl Window {
    /// The first moment from `at` on in which all `zones` are inside for `takes`. `None`: not within a month and a half,
    /// or there is no zone at all.
    pub fn earliest(&self, zones: &[Zone], takes: SignedDuration, at: Timestamp) -> Option<Timestamp> {
        if zones.is_empty() {
            return None;
        }
        let last = at.checked_add(HORIZON).ok()?;
        let mut at = at;
        // Each zone moves the moment on to its own next opening, until none has anything against it.
        while at <= last {
            let mut moved = at;
            for zone in zones {
                moved = self.earliest_in(zone, takes, moved, last)?;
            }
            if moved == at {
                return Some(at);
            }
            at = moved;
        }
        None
    }

    fn earliest_in(&self, zone: &Zone, takes: SignedDuration, at: Timestamp, last: Timestamp) -> Option<Timestamp> {
        if self.hour(zone, takes, at) == Hour::Inside {
            return Some(at);
        }
        let mut day = zone.rules().to_datetime(at).date();
        let last = zone.rules().to_datetime(last).date();
        while day <= last {
            let opening = self.openings(zone, day).filter(|opening| *opening > at);
            let next = opening.filter(|opening| self.hour(zone, takes, *opening) == Hour::Inside).min();
            if next.is_some() {
                return next;
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// May a call of so long begin at this moment, on the wall of this zone?
    pub fn hour(&self, zone: &Zone, takes: SignedDuration, at: Timestamp) -> Hour {
        let begins = zone.rules().to_datetime(at);
        if self.known_until.is_some_and(|last| last < begins.date()) {
            return Hour::Unknown;
        }
        if let Some(holiday) = self.holiday(begins.date()) {
            return Hour::Holiday(holiday.to_owned());
        }
        let Ok(over) = at.checked_add(takes.saturating_add(self.margin)) else { return Hour::Outside };
        let over = zone.rules().to_datetime(over);
        let second = |time: jiff::civil::DateTime| {
            let days = (time.date() - begins.date()).get_days();
            let nanos = i64::from(time.subsec_nanosecond() != 0);
            i64::from(days) * 86_400
                + i64::from(time.hour()) * 3_600
                + i64::from(time.minute()) * 60
                + i64::from(time.second())
                + nanos
        };
        // A clock set back during the call does not make it end before it began.
        let (from, to) = (second(begins), second(over).max(second(begins)));
        let inside = self.hours_on(begins.date()).any(|(open, close)| open <= from && to <= close);
        if inside { Hour::Inside } else { Hour::Outside }
    }

    fn holiday(&self, day: Date) -> Option<&str> {
        self.holidays.iter().find(|(_, rule)| rule.holds(day)).map(|(name, _)| name.as_str())
    }

    /// From and to, in seconds since midnight.
    fn hours_on(&self, day: Date) -> impl Iterator<Item = (i64, i64)> {
        let hours = self.week.iter().filter(move |(days, _)| days.holds(day.weekday()));
        let stretches = hours.flat_map(|(_, hours)| hours.stretches());
        stretches.map(|(from, to)| (i64::from(*from) * 60, i64::from(*to) * 60))
    }

    /// When the hours of a day begin. One that the clock leaves out begins when the clock goes on.
    fn openings(&self, zone: &Zone, day: Date) -> impl Iterator<Item = Timestamp> {
        self.hours_on(day).filter_map(move |(from, _)| {
            let wall = day.at(0, 0, 0, 0).checked_add(from.seconds()).ok()?;
            zone.rules().to_timestamp(wall).ok()
        })
    }
}
