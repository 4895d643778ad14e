//! What happened in the world, as lines that another program reads. Tab-separated; times are seconds since 1970, `-` is
//! none, lists have commas. `docs/law.md` has the table.

use std::io::{self, Write};

use jiff::Timestamp;

use super::cast::{Campaign, Number, Person};
use crate::law::decide::{Act, Ruling};
use crate::law::facts::{CallerId, CameTo, Closed, Consent, History, Lead};

/// One thing that is so, or that happened.
#[derive(Clone, Copy, Debug)]
pub enum Line<'a> {
    /// A campaign.
    Campaign(&'a Campaign),
    /// A number to be shown.
    CallerId(&'a CallerId),
    /// A person.
    Person(&'a Person),
    /// One of their numbers.
    Number(&'a Person, &'a Number),
    /// Consent as it is known from now on.
    Consent(Timestamp, &'a Number, &'a Consent),
    /// Somebody is closed from now on.
    Closed {
        /// When.
        at: Timestamp,
        /// Who.
        person: &'a Person,
        /// Only this number.
        number: Option<usize>,
        /// Why, and until when.
        closed: &'a Closed,
    },
    /// An INVITE was sent.
    Placed {
        /// When.
        at: Timestamp,
        /// Its id.
        id: u64,
        /// Whom.
        number: &'a Number,
        /// For what.
        campaign: &'a Campaign,
        /// Shown.
        caller_id: &'a CallerId,
        /// About what.
        debts: &'a [String],
    },
    /// Somebody called us.
    CameIn {
        /// When.
        at: Timestamp,
        /// Its id.
        id: u64,
        /// Who.
        number: &'a Number,
        /// About what.
        debts: &'a [String],
    },
    /// A call is over.
    Over {
        /// When.
        at: Timestamp,
        /// Its id.
        id: u64,
        /// The truth.
        came_to: CameTo,
        /// Does the product know it?
        known: bool,
    },
    /// A decision.
    Decision {
        /// The true time.
        at: Timestamp,
        /// What about.
        act: Act,
        /// Whom.
        number: &'a Number,
        /// For what.
        campaign: &'a Campaign,
        /// What was known of the person.
        lead: &'a Lead,
        /// What was known of before.
        history: &'a History,
        /// The time on the node's clock.
        now: Timestamp,
        /// What was decided.
        ruling: Ruling,
        /// Pack and rule.
        by: Option<&'a (String, String)>,
    },
}

impl Line<'_> {
    /// Writes it with its end of line.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Campaign(campaign) => {
                let packs: Vec<&str> = campaign.packs.each().iter().map(|pack| pack.name.as_str()).collect();
                let (name, purpose) = (&campaign.name, campaign.purpose.name());
                writeln!(out, "K\t{name}\t{purpose}\t{}\t{}", list(&packs), campaign.first_day)
            }
            Self::CallerId(caller_id) => writeln!(out, "W\t{}\t{}", text(&caller_id.number), u8::from(caller_id.owned)),
            Self::Person(person) => writeln!(out, "P\t{}\t{}", person.id, list(&person.debts)),
            Self::Number(person, number) => {
                let lead = &number.lead;
                let zones: Vec<String> = lead.zones.iter().map(ToString::to_string).collect();
                let (country, state) = (text(&lead.country), lead.state.as_deref().unwrap_or("-"));
                let (line, zones, told) = (lead.line.name(), list(&zones), lead.number.reveal());
                writeln!(out, "N\t{}\t{}\t{told}\t{country}\t{state}\t{line}\t{zones}", number.id, person.id)
            }
            Self::Consent(at, number, consent) => {
                let evidence = u8::from(!consent.evidence.reveal().is_empty());
                let (at, given) = (at.as_second(), consent.given_at.as_second());
                let (revoked, expires) = (moment(consent.revoked_at), moment(consent.expires_at));
                let basis = consent.basis.name();
                writeln!(out, "C\t{at}\t{}\t{basis}\t{evidence}\t{given}\t{revoked}\t{expires}", number.id)
            }
            Self::Closed { at, person, number, closed } => {
                let number = number.and_then(|place| person.numbers.get(place)).map(|number| number.id.as_str());
                let (reason, until) = (&closed.reason, moment(closed.until));
                writeln!(out, "S\t{}\t{}\t{}\t{reason}\t{until}", at.as_second(), person.id, number.unwrap_or("-"))
            }
            Self::Placed { at, id, number, campaign, caller_id, debts } => {
                let (at, shown, debts) = (at.as_second(), text(&caller_id.number), list(debts));
                writeln!(out, "O\t{at}\t{id}\t{}\t{}\t{shown}\t{debts}", number.id, campaign.name)
            }
            Self::CameIn { at, id, number, debts } => {
                writeln!(out, "I\t{}\t{id}\t{}\t{}", at.as_second(), number.id, list(debts))
            }
            Self::Over { at, id, came_to, known } => {
                writeln!(out, "E\t{}\t{id}\t{}\t{}", at.as_second(), name(*came_to), u8::from(*known))
            }
            Self::Decision { at, act, number, campaign, lead, history: _, now, ruling, by } => {
                let act = if *act == Act::Call { "call" } else { "message" };
                let (ruled, until) = match ruling {
                    Ruling::Allow => ("allow", None),
                    Ruling::NotBefore(until) => ("not_before", Some(*until)),
                    Ruling::Never => ("never", None),
                };
                let by = match by {
                    Some((pack, rule)) if pack.is_empty() => rule.clone(),
                    Some((pack, rule)) => format!("{pack}/{rule}"),
                    None => "-".to_owned(),
                };
                let (at, shown, debt) =
                    (at.as_second(), text(&lead.caller_id.number), lead.debt.as_deref().unwrap_or("-"));
                let (longest, reserved) = (lead.longest.as_secs(), u8::from(lead.person_reserved));
                let (whom, campaign, now, until) = (&number.id, &campaign.name, now.as_second(), moment(until));
                writeln!(
                    out,
                    "D\t{at}\t{act}\t{whom}\t{campaign}\t{shown}\t{debt}\t{longest}\t{reserved}\t{now}\t{ruled}\t{until}\t{by}"
                )
            }
        }
    }
}

const fn name(came_to: CameTo) -> &'static str {
    match came_to {
        CameTo::Open | CameTo::Unreached => "unreached",
        CameTo::Answered => "answered",
        CameTo::Conversation => "conversation",
        CameTo::Machine => "machine",
        CameTo::Message => "message",
        CameTo::Abandoned => "abandoned",
    }
}

fn text(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn list<T: AsRef<str>>(items: &[T]) -> String {
    let all = items.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(",");
    text(&all).to_owned()
}

fn moment(at: Option<Timestamp>) -> String {
    // Before that second nothing is allowed: a fraction of it counts as the next.
    at.map_or_else(|| "-".to_owned(), |at| at.as_second().to_string())
}
