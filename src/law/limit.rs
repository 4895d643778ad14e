//! How often, and how long after: caps over a period, and gaps after an event.

use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::facts::{CameTo, Contact, History, Lead, Zone};

/// Never more than so many within a period: one more must wait until the oldest has left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Which contacts count.
    pub counts: Counts,
    /// So many are allowed; a gap after an event is a limit of 1 to the event.
    pub most: u32,
    /// How far back it looks.
    pub within: Period,
    /// Whose contacts count.
    pub per: Per,
}

/// How far back a limit looks, and so for how long a contact counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// So many hours after it.
    Hours(u32),
    /// Its own day is the first of so many, as the calendar of any of the person's zones counts them, and at least so
    /// many times 24 hours: the later of both. Reg F counts days (12 CFR 1006.14(b)(2)(ii)), others periods, and a
    /// day is 25 hours long once a year.
    Days(u16),
    /// Until its own day is over in every zone of the person.
    CalendarDay,
}

/// Which contacts a limit counts. One of which nobody knows what it came to counts as what the limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Calls we placed, whatever ended them.
    Placed,
    /// Calls we placed that a person answered, whoever it was and however short.
    Answered,
    /// Conversations, whoever called.
    Conversations,
    /// Messages we left.
    Messages,
    /// Calls we placed that a person answered and nobody spoke to.
    Abandoned,
    /// Calls we placed that a machine answered.
    Machines,
}

/// Whose contacts a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// The person's, on all their numbers.
    Person,
    /// The person's about this debt, and those of which nobody knows what they were about.
    Debt,
    /// Those on this number.
    Number,
}

impl Limit {
    /// The first moment from `at` on at which one more is allowed, if nothing else happens before it.
    pub fn earliest(&self, lead: &Lead, history: &History, at: Timestamp) -> Timestamp {
        let Some(others) = (self.most as usize).checked_sub(1) else { return Timestamp::MAX };
        let mut counting: Vec<Timestamp> = Vec::new();
        for contact in history.contacts.iter().filter(|contact| self.counts(lead, contact)) {
            let until = self.within.after(self.moment(contact), &lead.zones);
            if until > at {
                counting.push(until);
            }
        }
        // What happened before the history begins may have been as much as is allowed.
        let at = at.max(self.within.after(history.complete_since, &lead.zones));
        counting.retain(|until| *until > at);
        if counting.len() <= others {
            return at;
        }
        counting.sort_unstable();
        counting[counting.len() - 1 - others]
    }

    /// Contacts that count at `at`.
    pub fn counted(&self, lead: &Lead, history: &History, at: Timestamp) -> usize {
        let counts = |contact: &&Contact| {
            self.counts(lead, contact) && self.within.after(self.moment(contact), &lead.zones) > at
        };
        history.contacts.iter().filter(counts).count()
    }

    /// From when on a contact counts: a conversation from its end, a call from its beginning.
    fn moment(&self, contact: &Contact) -> Timestamp {
        match self.counts {
            Counts::Placed | Counts::Answered => contact.at,
            _ => contact.over.max(contact.at),
        }
    }

    fn counts(&self, lead: &Lead, contact: &Contact) -> bool {
        let is_such = match (self.counts, contact.came_to) {
            (Counts::Placed, _) => contact.placed,
            (Counts::Answered, came_to) => {
                contact.placed && !matches!(came_to, CameTo::Unreached | CameTo::Machine | CameTo::Message)
            }
            (Counts::Conversations, came_to) => matches!(came_to, CameTo::Open | CameTo::Conversation),
            (Counts::Messages, came_to) => contact.placed && matches!(came_to, CameTo::Open | CameTo::Message),
            (Counts::Abandoned, came_to) => contact.placed && matches!(came_to, CameTo::Open | CameTo::Abandoned),
            (Counts::Machines, came_to) => {
                contact.placed && matches!(came_to, CameTo::Open | CameTo::Machine | CameTo::Message)
            }
        };
        is_such
            && match self.per {
                Per::Person => true,
                Per::Debt => match &lead.debt {
                    Some(debt) => contact.debts.is_empty() || contact.debts.contains(debt),
                    None => true,
                },
                Per::Number => contact.number == lead.number,
            }
    }
}

impl Period {
    /// When something that happened at `at` no longer counts.
    pub fn after(self, at: Timestamp, zones: &[Zone]) -> Timestamp {
        match self {
            Self::Hours(hours) => later(at, SignedDuration::from_hours(i64::from(hours))),
            Self::Days(days) => {
                let days = days.max(1);
                let periods = later(at, SignedDuration::from_hours(24 * i64::from(days)));
                midnight(at, zones, days).max(periods)
            }
            Self::CalendarDay => midnight(at, zones, 1),
        }
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The last of the midnights, of all zones, at which so many days are over, the day of `at` being the first. Without a
/// zone there is none.
fn midnight(at: Timestamp, zones: &[Zone], days: u16) -> Timestamp {
    let over = |zone: &Zone| {
        let day = zone.rules().to_datetime(at).date().checked_add(i32::from(days).days()).ok()?;
        zone.rules().to_zoned(day.at(0, 0, 0, 0)).ok().map(|midnight| midnight.timestamp())
    };
    zones.iter().map(|zone| over(zone).unwrap_or(Timestamp::MAX)).max().unwrap_or(Timestamp::MAX)
}
