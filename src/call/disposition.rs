//! What came of a call, in one word: what a campaign counts and `trunkline call` exits with.
//!
//! ```text
//!   answered ─────────────────────────────▶ Answered (or what listening made of it: Machine, Fax …)
//!   refused ─ Q.850 cause, if it says more than "normal" ─▶ CAUSES ─┐
//!           └ SIP cause, else status of the response ─────▶ STATUSES ┴▶ disposition
//!   our own end (ring timeout, hang-up, nobody reached) ─▶ one each
//! ```
//!
//! A gateway knows more than the status it has to squeeze it into: 480 may be "switched off", "no such subscriber" or
//! "circuits full", and the Reason header (RFC 3326) tells which. So the cause goes first. `docs/dispositions.md` is
//! printed from the tables below.

use std::fmt::Write;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::sip::{LegEnd, Protocol, Reason};

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It rang and nobody took it.
    NoAnswer,
    /// Somebody is on the telephone.
    Busy,
    /// Somebody does not want it.
    Rejected,
    /// There is no such number.
    Invalid,
    /// The way there is full or broken: worth trying again.
    Congestion,
    /// It failed for another reason.
    Failed,
    /// We gave it up before it was answered.
    Interrupted,
    /// Taken, and left before anything was said.
    Abandoned,
    /// An answering machine took it.
    Machine,
    /// A telephone that asks callers what they want took it.
    Screener,
    /// A fax machine took it.
    Fax,
    /// A recorded announcement of the network took it.
    Announcement,
    /// A person took it.
    Answered,
}

use Disposition::{Busy, Congestion, Failed, Interrupted, Invalid, NoAnswer, Rejected};

/// Q.850 causes that decide. Those left out ("normal clearing" 16, "normal, unspecified" 31, "interworking" 127 and
/// the rare rest) leave it to the status.
const CAUSES: [(RangeInclusive<u8>, Disposition, &str); 16] = [
    (1..=1, Invalid, "unallocated number"),
    (3..=3, Invalid, "no route to destination"),
    (17..=17, Busy, "user busy"),
    (18..=18, NoAnswer, "no user responding"),
    (19..=19, NoAnswer, "no answer from user"),
    (20..=20, NoAnswer, "subscriber absent"),
    (21..=21, Rejected, "call rejected"),
    (22..=22, Invalid, "number changed"),
    (27..=27, Congestion, "destination out of order"),
    (28..=28, Invalid, "address incomplete"),
    (34..=34, Congestion, "no circuit available"),
    (38..=38, Congestion, "network out of order"),
    (41..=41, Congestion, "temporary failure"),
    (42..=42, Congestion, "switching equipment congestion"),
    (44..=44, Congestion, "requested circuit not available"),
    (47..=47, Congestion, "resource unavailable"),
];

/// Final responses of RFC 3261 §21 and its extensions. 408 is not here: whether it rang decides.
const STATUSES: [(RangeInclusive<u16>, Disposition, &str); 21] = [
    (403..=403, Rejected, "forbidden"),
    (404..=404, Invalid, "not found"),
    (410..=410, Invalid, "gone"),
    (416..=416, Invalid, "unsupported URI scheme"),
    (433..=433, Rejected, "anonymity disallowed"),
    (480..=480, NoAnswer, "temporarily unavailable"),
    (484..=484, Invalid, "address incomplete"),
    (485..=485, Invalid, "ambiguous"),
    (486..=486, Busy, "busy here"),
    (487..=487, Interrupted, "request terminated"),
    (500..=500, Congestion, "server internal error"),
    (502..=502, Congestion, "bad gateway"),
    (503..=503, Congestion, "service unavailable"),
    (504..=504, Congestion, "server time-out"),
    (600..=600, Busy, "busy everywhere"),
    (603..=603, Rejected, "decline"),
    (604..=604, Invalid, "does not exist anywhere"),
    (607..=607, Rejected, "unwanted"),
    (608..=608, Rejected, "rejected"),
    (300..=399, Failed, "redirected too often, or nowhere"),
    (400..=699, Failed, "any other"),
];

/// What came of a call whose leg ended like this. `answered`: a 2xx stood; `rang`: a 18x came before; `reason`: what
/// the far end says itself.
pub fn disposition(end: LegEnd, answered: bool, rang: bool, reason: Option<&Reason>) -> Disposition {
    if answered {
        return Disposition::Answered;
    }
    match end {
        LegEnd::Refused { status, cause } => {
            let told = reason.filter(|reason| reason.protocol == Protocol::Sip && reason.cause >= 300);
            let status = told.map_or(status, |reason| reason.cause);
            cause.and_then(of_cause).unwrap_or_else(|| of_status(status, rang))
        }
        // An inbound call that we refused looks to its caller like that.
        LegEnd::Rejected(status) => of_status(status, rang),
        LegEnd::NoAnswer | LegEnd::Cancelled => NoAnswer,
        LegEnd::Unreachable => Congestion,
        LegEnd::LocalHangup => Interrupted,
        LegEnd::RemoteHangup | LegEnd::NoAck | LegEnd::Failed | LegEnd::Expired | LegEnd::Moved => Failed,
    }
}

fn of_cause(cause: u8) -> Option<Disposition> {
    CAUSES.iter().find(|(causes, ..)| causes.contains(&cause)).map(|(_, disposition, _)| *disposition)
}

fn of_status(status: u16, rang: bool) -> Disposition {
    match status {
        408 if rang => NoAnswer,
        408 => Congestion,
        _ => {
            let known = STATUSES.iter().find(|(statuses, ..)| statuses.contains(&status));
            known.map_or(Failed, |(_, disposition, _)| *disposition)
        }
    }
}

impl Disposition {
    /// Every one, for tables.
    pub const ALL: [Self; 13] = [
        Self::Answered,
        Self::Failed,
        Self::Busy,
        Self::NoAnswer,
        Self::Rejected,
        Self::Invalid,
        Self::Congestion,
        Self::Interrupted,
        Self::Abandoned,
        Self::Machine,
        Self::Screener,
        Self::Fax,
        Self::Announcement,
    ];

    /// What `trunkline call` exits with; 2 stays with wrong usage, as everywhere.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Answered => 0,
            Self::Failed => 1,
            Self::Busy => 3,
            Self::NoAnswer => 4,
            Self::Rejected => 5,
            Self::Invalid => 6,
            Self::Congestion => 7,
            Self::Interrupted => 8,
            Self::Abandoned | Self::Machine | Self::Screener | Self::Fax | Self::Announcement => 9,
        }
    }

    /// As records and metrics write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Rejected => "rejected",
            Self::Invalid => "invalid",
            Self::Congestion => "congestion",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Abandoned => "abandoned",
            Self::Machine => "machine",
            Self::Screener => "screener",
            Self::Fax => "fax",
            Self::Announcement => "announcement",
            Self::Answered => "answered",
        }
    }
}

/// The tables above as a page for people (Markdown).
pub fn page() -> String {
    let mut text = String::from(
        "# Dispositions\n\n\
         What came of a call, in one word: in its record, in the metrics, and as the exit code of `trunkline call`.\n\n\
         | disposition | exit code |\n| --- | --- |\n",
    );
    for one in Disposition::ALL {
        let _ = writeln!(text, "| `{}` | {} |", one.as_str(), one.exit_code());
    }
    text.push_str(
        "\nExit code 2 means that the command line was wrong, 10 that nobody was called because the number is closed\n\
         ([whom not to call](suppression.md)).\n\n\
         A call that was answered is `answered`, or what listening to it made of it. Of a call that was not, the first\n\
         of these decides: our own end (`no_answer` when it rang too long, `interrupted` when we hung up, `congestion`\n\
         when nobody could be reached), the Q.850 cause of a `Reason` header, the SIP cause of one, the status of the\n\
         response.\n\n\
         | Q.850 cause | | disposition |\n| --- | --- | --- |\n",
    );
    for (causes, disposition, name) in &CAUSES {
        let _ = writeln!(text, "| {} | {name} | `{}` |", causes.start(), disposition.as_str());
    }
    text.push_str("\nOther causes leave it to the status:\n\n| status | | disposition |\n| --- | --- | --- |\n");
    text.push_str("| 408 | request time-out, after ringing | `no_answer` |\n");
    text.push_str("| 408 | request time-out, before | `congestion` |\n");
    for (statuses, disposition, name) in &STATUSES {
        let (first, last) = (statuses.start(), statuses.end());
        let range = if first == last { first.to_string() } else { format!("{first}–{last}") };
        let _ = writeln!(text, "| {range} | {name} | `{}` |", disposition.as_str());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, cause: Option<u8>, rang: bool) -> Disposition {
        disposition(LegEnd::Refused { status, cause }, false, rang, None)
    }

    #[test]
    fn the_cause_goes_before_the_status() {
        for (status, cause, expected) in [
            (480, Some(1), Invalid),
            (480, Some(17), Busy),
            (503, Some(21), Rejected),
            (500, Some(19), NoAnswer),
            (404, Some(34), Congestion),
            (603, Some(28), Invalid),
            // These say nothing of their own.
            (486, Some(16), Busy),
            (404, Some(31), Invalid),
            (503, Some(127), Congestion),
            (486, Some(99), Busy),
        ] {
            assert_eq!(refused(status, cause, true), expected, "{status} with {cause:?}");
        }
    }

    #[test]
    fn what_a_proxy_says_of_the_refusal_behind_it_goes_before_its_own_status() {
        let told = |value: &str, status| {
            let reason = Reason::parse(value).unwrap();
            disposition(LegEnd::Refused { status, cause: reason.q850() }, false, true, Some(&reason))
        };
        assert_eq!(told("SIP;cause=486", 480), Busy);
        assert_eq!(told("SIP;cause=404;text=\"Not found\"", 500), Invalid);
        assert_eq!(told("SIP;cause=200;text=\"Call completed elsewhere\"", 487), Interrupted, "no refusal");
        assert_eq!(told("Q.850;cause=16", 486), Busy);
        assert_eq!(told("Q.850;cause=17", 480), Busy);
    }

    #[test]
    fn every_final_response_has_one() {
        for (status, expected) in [
            (302, Failed),
            (401, Failed),
            (403, Rejected),
            (404, Invalid),
            (407, Failed),
            (410, Invalid),
            (480, NoAnswer),
            (484, Invalid),
            (486, Busy),
            (487, Interrupted),
            (488, Failed),
            (491, Failed),
            (500, Congestion),
            (501, Failed),
            (503, Congestion),
            (600, Busy),
            (603, Rejected),
            (604, Invalid),
            (606, Failed),
            (608, Rejected),
            (699, Failed),
            (0, Failed),
        ] {
            assert_eq!(refused(status, None, false), expected, "{status}");
        }
        assert_eq!((refused(408, None, true), refused(408, None, false)), (NoAnswer, Congestion));
    }

    #[test]
    fn our_own_ends_and_answers_have_one() {
        for (end, expected) in [
            (LegEnd::NoAnswer, NoAnswer),
            (LegEnd::Cancelled, NoAnswer),
            (LegEnd::Unreachable, Congestion),
            (LegEnd::LocalHangup, Interrupted),
            (LegEnd::Rejected(404), Invalid),
            (LegEnd::Failed, Failed),
            (LegEnd::NoAck, Failed),
        ] {
            assert_eq!(disposition(end, false, true, None), expected, "{end:?}");
            assert_eq!(disposition(end, true, true, None), Disposition::Answered, "{end:?} after the answer");
        }
    }

    #[test]
    fn exit_codes_tell_refusals_apart_and_leave_usage_alone() {
        let codes: Vec<u8> = Disposition::ALL.iter().map(|one| one.exit_code()).collect();
        assert_eq!(codes[..8], [0, 1, 3, 4, 5, 6, 7, 8]);
        assert!(codes[8..].iter().all(|code| *code == 9));
    }

    #[test]
    fn names_are_those_of_the_record() {
        for one in Disposition::ALL {
            assert_eq!(serde_json::to_string(&one).unwrap(), format!("\"{}\"", one.as_str()));
        }
    }

    /// `UPDATE=1` prints it anew.
    #[test]
    fn the_page_in_docs_is_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/dispositions.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == page(), "docs/dispositions.md is old: run this test with UPDATE=1");
    }
}
