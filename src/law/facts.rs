//! What is known before somebody is called: whom, about what, and what happened before.

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::pii::Pii;
use crate::routing::region::LineType;

/// One number of one person, about to be called.
#[derive(Clone, Debug)]
pub struct Lead {
    /// E.164 with its `+`.
    pub number: Pii<String>,
    /// ISO 3166 code of the country the number belongs to; empty where nobody knows.
    pub country: String,
    /// State or province, by its ISO 3166-2 code (`US-FL`); `None` where nobody knows.
    pub state: Option<String>,
    /// What kind of line it is.
    pub line: LineType,
    /// Where the person may be: every zone that is possible. Empty is *unknown*, and unknown people are not called.
    pub zones: Vec<Zone>,
    /// What the call is for.
    pub purpose: Purpose,
    /// The debt it is about, by the id of whoever it is owed to.
    pub debt: Option<String>,
    /// What the person agreed to.
    pub consent: Option<Consent>,
    /// The number the person sees.
    pub caller_id: CallerId,
    /// The longest the call may take, ringing included.
    pub longest: SignedDuration,
    /// A person stands by for this call alone, should a person answer it.
    pub person_reserved: bool,
}

/// A time zone and its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of that name in the tz database.
    ///
    /// # Errors
    ///
    /// A sentence with the nearest right name.
    pub fn named(name: &str) -> Result<Self, String> {
        crate::routing::calendar::Calendar::zone(name).map(Self)
    }

    /// This one.
    pub const fn of(rules: TimeZone) -> Self {
        Self(rules)
    }

    /// As jiff has it.
    pub const fn rules(&self) -> &TimeZone {
        &self.0
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("?"))
    }
}

/// What a call is for; packs have rules for some purposes only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// A debt is to be collected.
    Collection,
    /// The person is asked what they think.
    Survey,
    /// About something the person has with the caller: an appointment, a delivery.
    Service,
    /// Something is to be sold.
    Marketing,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Collection, Self::Survey, Self::Service, Self::Marketing];

    /// As files write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Collection => "collection",
            Self::Survey => "survey",
            Self::Service => "service",
            Self::Marketing => "marketing",
        }
    }
}

/// That a person agreed to be called, and how that can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// What kind.
    pub basis: Basis,
    /// Where the proof is: a form, a recording, a contract.
    pub evidence: Pii<String>,
    /// Since when.
    pub given_at: Timestamp,
    /// Taken back then.
    pub revoked_at: Option<Timestamp>,
    /// Over then.
    pub expires_at: Option<Timestamp>,
}

/// How a person agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Signed, for this purpose.
    Written,
    /// Said or clicked.
    Express,
    /// Gave the number when the business began.
    Provided,
    /// A contract that needs the call.
    Contract,
    /// Somebody's legitimate interest, weighed and written down.
    Interest,
}

impl Basis {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Written, Self::Express, Self::Provided, Self::Contract, Self::Interest];

    /// As files write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Express => "express",
            Self::Provided => "provided",
            Self::Contract => "contract",
            Self::Interest => "interest",
        }
    }
}

/// The number a person is to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerId {
    /// E.164 with its `+`; empty is withheld.
    pub number: String,
    /// It is ours: the settings say so.
    pub owned: bool,
}

/// What happened before, as the database told it.
#[derive(Clone, Debug)]
pub struct History {
    /// When it was read.
    pub read_at: Timestamp,
    /// Since when nothing is missing. Before that anything may have happened.
    pub complete_since: Timestamp,
    /// Every contact with the person, on any number, for any campaign, on any node, either way; in any order.
    pub contacts: Vec<Contact>,
    /// What closes the person, or this number.
    pub closed: Vec<Closed>,
    /// When this caller id was shown in calls of ours, as far back as any rule looks.
    pub caller_id_shown: Vec<Timestamp>,
    /// How many answered calls of the campaign met nobody, over the periods that rules look at.
    pub abandoned: Vec<Share>,
}

/// One call to or from a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// When it was placed; when it came in.
    pub at: Timestamp,
    /// When it was over; the same moment where nobody knows.
    pub over: Timestamp,
    /// Which of their numbers.
    pub number: Pii<String>,
    /// We called, or they did.
    pub placed: bool,
    /// The debts it was about. Empty is *unknown*: it may have been about any.
    pub debts: Vec<String>,
    /// What became of it.
    pub came_to: CameTo,
}

/// What became of a contact, as far as the law asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CameTo {
    /// Not known yet, or never: whatever a rule counts, this may have been it.
    Open,
    /// Nobody answered.
    Unreached,
    /// Somebody answered, and no conversation came of it.
    Answered,
    /// Two people, or one and our voice, spoke.
    Conversation,
    /// A machine answered, and was left nothing.
    Machine,
    /// A machine answered, and was left a message.
    Message,
    /// A person answered, and nobody was there for them.
    Abandoned,
}

/// Something that closes a person or a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Why: `opt_out`, `attorney`, `deceased`, `cease`, `dispute`, `wrong_number`, `do_not_call`.
    pub reason: String,
    /// Who says so.
    pub source: String,
    /// Since then.
    pub since: Timestamp,
    /// Until then; `None`: for good.
    pub until: Option<Timestamp>,
}

/// Calls that a person answered, and those among them that met nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Over the last so many days.
    pub days: u16,
    /// Answered by a person.
    pub answered: u32,
    /// And met nobody.
    pub abandoned: u32,
}
