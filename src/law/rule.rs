//! One rule: what it asks, of whom, from when on, and where that is written.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::decide::Act;
use super::facts::{Basis, Lead, Purpose, Zone};
use super::limit::{Counts, Limit};
use super::window::Window;
use crate::routing::region::LineType;

/// All, in hundred-thousandths.
pub const SHARE: f64 = 100_000.0;

/// A rule of a pack.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name inside the pack: `seven-in-seven`.
    pub id: String,
    /// What it cites: `12 CFR 1006.14(b)(2)(i)(A)`.
    pub source: String,
    /// Whom it is about.
    pub scope: Scope,
    /// In force from that day on, in UTC; `None`: since before there was Trunkline.
    pub from: Option<Date>,
    /// In force up to and including that day.
    pub until: Option<Date>,
    /// What it is asked before, where not before everything that it may concern.
    pub before: Option<Act>,
    /// What it asks.
    pub kind: Kind,
}

/// Whom a rule is about: all of these must be so. An empty list is *any*.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// ISO 3166. A number whose country nobody knows is of all.
    pub countries: Vec<String>,
    /// ISO 3166-2. A number whose state nobody knows is of all of its country.
    pub states: Vec<String>,
    /// A purpose.
    pub purposes: Vec<Purpose>,
    /// Lines. One that may be of several kinds is of all of them.
    pub lines: Vec<LineType>,
}

/// What a rule asks before somebody is called. What it asks of the plan that then speaks is a duty
/// ([`Duty`](super::duty::Duty)).
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Only at these hours.
    Window(Window),
    /// Only so often.
    Limit {
        /// How often.
        limit: Limit,
        /// Not where a person stands by for this call.
        unless_reserved: bool,
        /// Not where the person agreed on one of these.
        unless_consent: Vec<Basis>,
    },
    /// Only who agreed.
    Consent {
        /// On one of these.
        basis: Vec<Basis>,
    },
    /// Never whom something closes, for one of these reasons; empty is any.
    Suppression {
        /// Reasons.
        reasons: Vec<String>,
    },
    /// Never these lines.
    Lines {
        /// Which.
        never: Vec<LineType>,
    },
    /// Only with a number of ours that is shown, and that one only so often a day.
    CallerId {
        /// So often within 24 hours.
        a_day: u32,
    },
    /// Not beyond the people who stand by, once too many answered calls have met nobody.
    Abandoned {
        /// Share that is too much, in hundred-thousandths: exactly 3 % is still 3 %.
        most: u32,
        /// Over so many days.
        days: u16,
    },
    /// Ring at least so long before giving up.
    Ring(SignedDuration),
}

impl Rule {
    /// Is it asked before this? Hours, caps on calls, caller ids and shares of calls were asked about before the call, and
    /// are not asked again about the message it leaves.
    pub fn is_before(&self, act: Act) -> bool {
        self.before.map_or_else(
            || match &self.kind {
                Kind::Limit { limit, .. } if limit.counts == Counts::Messages => act == Act::Message,
                Kind::Consent { .. } | Kind::Suppression { .. } | Kind::Lines { .. } => true,
                _ => act == Act::Call,
            },
            |before| before == act,
        )
    }

    /// Does it speak of this lead, on any of these days?
    pub fn concerns(&self, lead: &Lead, days: Today) -> bool {
        self.in_force(days) && self.scope.holds(lead)
    }

    /// Is it in force anywhere?
    pub fn in_force(&self, days: Today) -> bool {
        self.from.is_none_or(|from| from <= days.last) && self.until.is_none_or(|until| days.first <= until)
    }
}

/// The dates that one moment has, wherever a person may be: a rule begins where it begins first, and ends where it ends
/// last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Today {
    /// The earliest.
    pub first: Date,
    /// The latest.
    pub last: Date,
}

impl Today {
    /// The dates of `at` in these zones; in UTC where there is none.
    pub fn at(at: Timestamp, zones: &[Zone]) -> Self {
        let mut dates = zones.iter().map(|zone| zone.rules().to_datetime(at).date());
        let one = dates.next().unwrap_or_else(|| TimeZone::UTC.to_datetime(at).date());
        dates.fold(Self { first: one, last: one }, |days, date| Self {
            first: days.first.min(date),
            last: days.last.max(date),
        })
    }
}

impl Scope {
    /// Is it about this lead? Whoever may be meant is.
    pub fn holds(&self, lead: &Lead) -> bool {
        let any = |list: &[String], known: Option<&str>| {
            list.is_empty() || known.is_none_or(|known| list.iter().any(|one| one == known))
        };
        let country = Some(lead.country.as_str()).filter(|country| !country.is_empty());
        any(&self.countries, country)
            && any(&self.states, lead.state.as_deref())
            && (self.purposes.is_empty() || self.purposes.contains(&lead.purpose))
            && (self.lines.is_empty() || self.lines.iter().any(|line| may_be(lead.line, *line)))
    }
}

/// May a line of which the prefix says `told` be one of `kind`?
pub fn may_be(told: LineType, kind: LineType) -> bool {
    match told {
        LineType::Unknown => true,
        LineType::FixedOrMobile => matches!(kind, LineType::Fixed | LineType::Mobile | LineType::FixedOrMobile),
        told => told == kind,
    }
}
