//! May this person be called now?
//!
//! Every rule of every pack in force is asked, and the strictest answer holds. Whatever is missing, stale or contradicts
//! itself is a *no*: somebody who is not called today can be called tomorrow, and the other way round cannot be mended.

use jiff::{SignedDuration, Timestamp};

use super::facts::{CallerId, Consent, History, Lead};
use super::pack::{Pack, Packs};
use super::rule::{Kind, Rule, SHARE, Today};
use super::sound;

/// Rules push each other on (a cap ends at night, the window opens in the morning); after so many rounds nobody waits
/// for them to agree.
const MOST_ROUNDS: usize = 64;
/// Of a share that is too much, calling beyond the people who stand by ends here, in percent.
const GOVERNOR: u64 = 80;

/// One clock wrote what happened, another says what time it is, and each may be wrong by [`sound::SKEW`]: nobody is
/// called before it is so much later than allowed, nor when the call would end so much before the end.
pub const CLOCKS: SignedDuration = SignedDuration::from_secs(2 * sound::SKEW.as_secs());

/// What is about to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A call is placed.
    Call,
    /// A machine has answered; it may be left a message. The history is that before this call.
    Message,
}

/// May it?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Yes, now.
    Allow,
    /// Not before then, and then only if nothing has happened meanwhile.
    NotBefore(Timestamp),
    /// Not as long as what is known stays as it is.
    Never,
}

/// The answer, and the rule it came from.
#[derive(Clone, Copy, Debug)]
pub struct Verdict<'p> {
    /// May it?
    pub ruling: Ruling,
    /// The rule that decided; `None` where everything allows it.
    pub by: Option<Cause<'p>>,
}

/// Where a *no* comes from.
#[derive(Clone, Copy, Debug)]
pub enum Cause<'p> {
    /// A rule of a pack.
    Rule(&'p Pack, &'p Rule),
    /// What is known does not suffice, or contradicts itself.
    Unsound(sound::Fault),
}

/// May `lead` be called, or left a message, at `now`? The same question has the same answer for ever: all that it depends
/// on is here.
pub fn decide<'p>(act: Act, lead: &Lead, history: &History, packs: &'p Packs, now: Timestamp) -> Verdict<'p> {
    if let Some(fault) = sound::fault(act, lead, history, packs, now) {
        return Verdict { ruling: fault.ruling(now), by: Some(Cause::Unsound(fault)) };
    }
    // Asked about the moment that it is at least, whichever clock is wrong.
    let from = now.checked_sub(CLOCKS).unwrap_or(Timestamp::MIN);
    let mut at = from;
    let mut by = None;
    for _ in 0..MOST_ROUNDS {
        let before = at;
        // A rule that comes into force meanwhile has its say about the later moment.
        let today = Today::at(at, &lead.zones);
        for (pack, rule) in packs.rules_for(act).filter(|(_, rule)| rule.concerns(lead, today)) {
            match earliest(rule, lead, history, at) {
                Some(moment) if moment > at => (at, by) = (moment, Some(Cause::Rule(pack, rule))),
                Some(_) => {}
                None => return Verdict { ruling: Ruling::Never, by: Some(Cause::Rule(pack, rule)) },
            }
        }
        if at == before {
            let later = || Ruling::NotBefore(at.checked_add(CLOCKS).unwrap_or(Timestamp::MAX));
            return Verdict { ruling: if at == from { Ruling::Allow } else { later() }, by };
        }
    }
    Verdict { ruling: Ruling::Never, by }
}

/// The first moment from `at` on at which this rule alone has nothing against it; `None`: never, as things are.
pub(super) fn earliest(rule: &Rule, lead: &Lead, history: &History, at: Timestamp) -> Option<Timestamp> {
    match &rule.kind {
        Kind::Window(window) => window.earliest(&lead.zones, lead.longest.saturating_add(CLOCKS + CLOCKS), at),
        Kind::Limit { unless_reserved: true, .. } if lead.person_reserved => Some(at),
        Kind::Limit { unless_consent, .. } if agreed(lead.consent.as_ref(), unless_consent, at) => Some(at),
        Kind::Limit { limit, .. } => Some(limit.earliest(lead, history, at)).filter(|at| *at < Timestamp::MAX),
        Kind::Consent { basis } => agreed(lead.consent.as_ref(), basis, at).then_some(at),
        Kind::Suppression { reasons } => open_again(history, reasons, at),
        Kind::Lines { never } => (!never.contains(&lead.line)).then_some(at),
        Kind::CallerId { a_day } => caller_id(&lead.caller_id, *a_day, &history.caller_id_shown, at),
        Kind::Abandoned { .. } if lead.person_reserved => Some(at),
        Kind::Abandoned { most, days } => governed(history, *most, *days).then_some(at),
        Kind::Ring(_) => Some(at),
    }
}

/// Does what the person agreed to hold at `at`, on one of these bases?
fn agreed(consent: Option<&Consent>, basis: &[super::facts::Basis], at: Timestamp) -> bool {
    consent.is_some_and(|consent| {
        basis.contains(&consent.basis)
            && !consent.evidence.reveal().trim().is_empty()
            && consent.given_at <= at
            && consent.revoked_at.is_none()
            && consent.expires_at.is_none_or(|over| at.checked_add(CLOCKS + CLOCKS).is_ok_and(|late| late < over))
    })
}

/// When everything that closes the person is over.
fn open_again(history: &History, reasons: &[String], at: Timestamp) -> Option<Timestamp> {
    let mut open = at;
    for closed in history.closed.iter().filter(|closed| reasons.is_empty() || reasons.contains(&closed.reason)) {
        // One that begins tomorrow is known today: whoever asked has asked.
        open = open.max(closed.until?);
    }
    Some(open)
}

fn caller_id(shown: &CallerId, a_day: u32, before: &[Timestamp], at: Timestamp) -> Option<Timestamp> {
    if shown.number.is_empty() || !shown.owned {
        return None;
    }
    let others = (a_day as usize).checked_sub(1)?;
    let day = SignedDuration::from_hours(24);
    let mut until: Vec<Timestamp> =
        before.iter().filter_map(|at| at.checked_add(day).ok()).filter(|until| *until > at).collect();
    if until.len() <= others {
        return Some(at);
    }
    until.sort_unstable();
    Some(until[until.len() - 1 - others])
}

/// Is the share of answered calls that met nobody still far enough below what is too much, `most` hundred-thousandths?
fn governed(history: &History, most: u32, days: u16) -> bool {
    history.abandoned.iter().find(|share| share.days == days).is_some_and(|share| {
        let (abandoned, answered) = (u64::from(share.abandoned), u64::from(share.answered));
        abandoned * SHARE as u64 * 100 <= GOVERNOR * u64::from(most) * answered
    })
}
