//! What must be known, and hold together, before any rule is asked.

use jiff::{SignedDuration, Timestamp};

use super::decide::{Act, Ruling};
use super::facts::{History, Lead};
use super::pack::Packs;
use super::rule::Today;

/// Clocks of nodes and of the database may differ by so much, and what happened before must have been read no longer ago:
/// a clock that is fast cannot be told from a reading that is old.
pub const SKEW: SignedDuration = SignedDuration::from_secs(2);
/// A fault that may mend itself is looked at again after this.
const AGAIN: SignedDuration = SignedDuration::from_secs(60);

/// Why nothing can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no pack, or none has a rule in force about such a call: a German number under American packs.
    NoPack,
    /// The number is none.
    NoNumber,
    /// Nobody knows where the person may be.
    NoZone,
    /// A call without a length cannot be fitted into hours.
    NoLength,
    /// What happened before was read too long ago.
    Stale,
    /// What happened before was read later than now, or happened later: a clock is wrong.
    Skewed,
    /// Consent was given tomorrow, or taken back before it was given.
    Consent,
    /// A suppression ends before it begins.
    Suppression,
    /// More calls met nobody than were answered.
    Share,
}

impl Fault {
    /// May time mend it?
    pub(super) fn ruling(self, now: Timestamp) -> Ruling {
        match self {
            Self::Stale | Self::Skewed | Self::Share => {
                Ruling::NotBefore(now.checked_add(AGAIN).unwrap_or(Timestamp::MAX))
            }
            _ => Ruling::Never,
        }
    }

    /// In a word, as decisions keep it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoPack => "no-pack",
            Self::NoNumber => "no-number",
            Self::NoZone => "no-zone",
            Self::NoLength => "no-length",
            Self::Stale => "stale",
            Self::Skewed => "skewed",
            Self::Consent => "consent-contradicts-itself",
            Self::Suppression => "suppression-contradicts-itself",
            Self::Share => "share-contradicts-itself",
        }
    }
}

/// The first thing that is wrong with what is known.
pub(super) fn fault(act: Act, lead: &Lead, history: &History, packs: &Packs, now: Timestamp) -> Option<Fault> {
    let late = now.checked_add(SKEW).unwrap_or(Timestamp::MAX);
    let long_ago = now.checked_sub(SKEW).unwrap_or(Timestamp::MIN);
    let digits = lead.number.reveal().strip_prefix('+').unwrap_or_default();
    let is_number = (5..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    let today = Today::at(now, &lead.zones);
    if !packs.rules_for(act).any(|(_, rule)| rule.concerns(lead, today)) {
        return Some(Fault::NoPack);
    }
    if !is_number {
        return Some(Fault::NoNumber);
    }
    if lead.zones.is_empty() {
        return Some(Fault::NoZone);
    }
    if lead.longest <= SignedDuration::ZERO {
        return Some(Fault::NoLength);
    }
    if history.read_at > late || history.contacts.iter().any(|contact| contact.at > late || contact.over > late) {
        return Some(Fault::Skewed);
    }
    if history.caller_id_shown.iter().any(|at| *at > late) {
        return Some(Fault::Skewed);
    }
    if history.read_at < long_ago {
        return Some(Fault::Stale);
    }
    if history.abandoned.iter().any(|share| share.abandoned > share.answered) {
        return Some(Fault::Share);
    }
    if let Some(consent) = &lead.consent
        && (consent.given_at > late || consent.revoked_at.is_some_and(|revoked| revoked < consent.given_at))
    {
        return Some(Fault::Consent);
    }
    let backwards = |closed: &super::facts::Closed| closed.until.is_some_and(|until| until < closed.since);
    history.closed.iter().any(backwards).then_some(Fault::Suppression)
}
