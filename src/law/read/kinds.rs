//! The kinds of rules and duties, as they are written.

use std::time::Duration;

use jiff::SignedDuration;

use super::{LineType, each, line_type, named};
use crate::dialplan::diagnostic::{Findings, Span, listed};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::read::{self, Fields};
use crate::dialplan::yaml::Node;
use crate::law::duty::Asked;
use crate::law::facts::Basis;
use crate::law::limit::{Counts, Limit, Per, Period};
use crate::law::rule::{Kind, SHARE};
use crate::law::window::Window;
use crate::routing::day::{DayRule, Days, Hours};

/// Every kind of rule; one each.
pub(super) const KINDS: &[Key] = &[
    key("window", Shape::Keys(WINDOW), "hours in which people may be called"),
    key("limit", Shape::Keys(LIMIT), "how often"),
    key("gap", Shape::Keys(GAP), "how long after"),
    key("consent", Shape::Lines, "on what basis a person must have agreed"),
    key("suppression", Shape::Lines, "reasons for which nobody is called; `any`"),
    key("never_lines", Shape::Lines, "kinds of line that are never called"),
    key("caller_id", Shape::Keys(CALLER_ID), "the number a person sees"),
    key("abandoned", Shape::Keys(ABANDONED), "how many answered calls may meet nobody"),
    key("ring", Shape::Time, "how long it rings at least"),
];

const WINDOW: &[Key] = &[
    key("hours", Shape::Any, "hours for days of the week"),
    key("holidays", Shape::Any, "days without any"),
    key("holidays_known_until", Shape::Line, "nobody is called after that day"),
    key("before_end", Shape::Time, "calls are over so long before the hours are"),
];

const LIMIT: &[Key] = &[
    key("calls", Shape::Count(1, 10_000), "calls placed"),
    key("answered", Shape::Count(1, 10_000), "calls placed that a person answered"),
    key("conversations", Shape::Count(1, 10_000), "conversations, whoever called"),
    key("messages", Shape::Count(1, 10_000), "messages left"),
    key("within", Shape::Line, "`7 days`, `24 hours`, `day`"),
    key("per", Shape::Word(&PER), "whose"),
    key("unless_consent", Shape::Lines, "not where the person agreed on one of these"),
];

const GAP: &[Key] = &[
    key("after", Shape::Word(&AFTER), "what happened"),
    key("for", Shape::Line, "`7 days`, `72 hours`"),
    key("per", Shape::Word(&PER), "whose"),
    key("unless_reserved", Shape::Flag, "not where a person stands by for this call"),
];

const CALLER_ID: &[Key] = &[key("a_day", Shape::Count(1, 100_000), "calls in 24 hours that may show it")];
const ABANDONED: &[Key] =
    &[key("most", Shape::Fraction, "share that is too much"), key("days", Shape::Count(1, 365), "over so many days")];

/// Every kind of duty; one each.
pub(super) const DUTIES: &[Key] = &[
    key("do", Shape::Word(&ASKED), "what must be done"),
    key("factors", Shape::Count(1, 9), "things only the right person knows"),
    key("tries", Shape::Count(1, 9), "times they are asked for"),
    key("most", Shape::Count(1, 9), "times"),
    key("for", Shape::Line, "how long: `3 years`, `90 days`"),
];

const PER: [&str; 3] = ["person", "debt", "number"];
const AFTER: [&str; 4] = ["call", "conversation", "abandoned", "machine"];
const ASKED: [&str; 8] = [
    "disclosure",
    "recording-announced",
    "right-party",
    "mini-miranda",
    "limited-content",
    "opt-out",
    "repeats",
    "kept",
];

/// The kind of a rule: exactly one.
pub(super) fn read(fields: &mut Fields, owner: &str, findings: &mut Findings) -> Option<Kind> {
    let start = fields.start();
    let mut found: Vec<(&'static str, Node)> =
        KINDS.iter().filter_map(|kind| Some((kind.name, fields.take(kind.name)?))).collect();
    if found.len() != 1 {
        let kinds = listed(KINDS.iter().map(|kind| kind.name));
        let message = if found.is_empty() { "asks nothing" } else { "asks several things at once" };
        findings.error(start, format!("{owner} {message}")).help(format!("it has one of {kinds}"));
        return None;
    }
    let (kind, node) = found.pop()?;
    match kind {
        "window" => window(node, owner, findings).map(Kind::Window),
        "limit" => limit(node, owner, findings),
        "gap" => gap(node, owner, findings),
        "consent" => {
            let basis = bases(node, findings);
            (!basis.is_empty()).then_some(Kind::Consent { basis })
        }
        "suppression" => {
            let reasons = lines(node, findings);
            let any = reasons.iter().any(|reason| reason == "any");
            (!reasons.is_empty()).then(|| Kind::Suppression { reasons: if any { Vec::new() } else { reasons } })
        }
        "never_lines" => {
            let never: Vec<LineType> = parsed(node, findings, line_type);
            (!never.is_empty()).then_some(Kind::Lines { never })
        }
        "caller_id" => {
            let mut fields = Fields::open(node, "`caller_id`", &[CALLER_ID], findings)?;
            let a_day = needed_count(&mut fields, "a_day", 1..=100_000, findings)?;
            Some(Kind::CallerId { a_day })
        }
        "abandoned" => {
            let mut fields = Fields::open(node, "`abandoned`", &[ABANDONED], findings)?;
            let most = fields.read("most", findings, read::fraction);
            if most.is_none() {
                findings
                    .error(fields.start(), "`abandoned` does not say how many are too many")
                    .help("add `most: 0.03`");
            }
            let days = needed_count(&mut fields, "days", 1..=365, findings)?;
            let most = (f64::from(most?.value) * SHARE).round() as u32;
            Some(Kind::Abandoned { most, days: u16::try_from(days).ok()? })
        }
        _ => {
            let time = read::time(&node, Duration::from_secs(1)..=Duration::from_secs(120), findings)?;
            Some(Kind::Ring(SignedDuration::try_from(time.value).ok()?))
        }
    }
}

fn window(node: Node, owner: &str, findings: &mut Findings) -> Option<Window> {
    let mut fields = Fields::open(node, "`window`", &[WINDOW], findings)?;
    let mut week = Vec::new();
    let hours = fields.take("hours");
    if hours.is_none() {
        let help = "add `hours: { daily: \"08:00-21:00\" }`";
        findings.error(fields.start(), format!("the window of {owner} has no hours")).help(help);
    }
    for (days, node) in each(hours, "`hours`", findings) {
        let days = taken(days.at, &days.value, Days::parse, findings);
        let line = read::line(&node, findings);
        let hours = line.and_then(|line| taken(line.at, &line.value, Hours::parse, findings));
        // A night that belongs to two days would have to be free of holidays on both.
        if hours.as_ref().is_some_and(|hours| hours.stretches().iter().any(|(_, to)| *to > 24 * 60)) {
            findings
                .error(node.at, "these hours reach into the next day")
                .help("write two: until 24:00, and from 00:00");
        }
        week.extend(days.zip(hours));
    }
    let mut holidays = Vec::new();
    for (name, node) in each(fields.take("holidays"), "`holidays`", findings) {
        for line in texts(node, findings) {
            let day = taken(line.at, &line.value, DayRule::parse, findings);
            holidays.extend(day.map(|day| (name.value.clone(), day)));
        }
    }
    let known_until = fields.read("holidays_known_until", findings, super::date);
    let margin = fields.read("before_end", findings, |node, findings| {
        read::time(node, Duration::ZERO..=Duration::from_secs(7_200), findings)
    });
    let margin = margin.and_then(|time| SignedDuration::try_from(time.value).ok()).unwrap_or(SignedDuration::ZERO);
    (!week.is_empty()).then_some(Window { week, holidays, known_until, margin })
}

fn limit(node: Node, owner: &str, findings: &mut Findings) -> Option<Kind> {
    let mut fields = Fields::open(node, "`limit`", &[LIMIT], findings)?;
    let start = fields.start();
    let kinds = [
        ("calls", Counts::Placed),
        ("answered", Counts::Answered),
        ("conversations", Counts::Conversations),
        ("messages", Counts::Messages),
    ];
    let mut found = Vec::new();
    for (name, counts) in kinds {
        if let Some(node) = fields.take(name) {
            found.push((counts, read::count(&node, &format!("`{name}`"), 1..=10_000, findings)));
        }
    }
    if found.len() != 1 {
        let help = "it has one of `calls`, `answered`, `conversations` and `messages`, with how many are allowed";
        findings.error(start, format!("{owner} must count one thing")).help(help);
        return None;
    }
    let (counts, most) = found.pop()?;
    let within = needed_period(&mut fields, "within", owner, findings);
    let per = fields.read("per", findings, per).unwrap_or(Per::Person);
    let unless_consent = fields.take("unless_consent").map(|node| bases(node, findings)).unwrap_or_default();
    let limit = Limit { counts, most: u32::try_from(most?.value).ok()?, within: within?, per };
    Some(Kind::Limit { limit, unless_reserved: false, unless_consent })
}

fn gap(node: Node, owner: &str, findings: &mut Findings) -> Option<Kind> {
    let mut fields = Fields::open(node, "`gap`", &[GAP], findings)?;
    let after = fields.read("after", findings, |node, findings| read::word(node, "`after`", &AFTER, findings));
    if after.is_none() {
        findings.error(fields.start(), format!("{owner} does not say after what")).help("add `after: conversation`");
    }
    let counts = match after?.value.as_str() {
        "conversation" => Counts::Conversations,
        "abandoned" => Counts::Abandoned,
        "machine" => Counts::Machines,
        _ => Counts::Placed,
    };
    let within = needed_period(&mut fields, "for", owner, findings);
    let per = fields.read("per", findings, per).unwrap_or(Per::Person);
    let unless_reserved = fields.read("unless_reserved", findings, read::flag).is_some_and(|flag| flag.value);
    let limit = Limit { counts, most: 1, within: within?, per };
    Some(Kind::Limit { limit, unless_reserved, unless_consent: Vec::new() })
}

/// What a duty asks.
pub(super) fn duty(fields: &mut Fields, owner: &str, findings: &mut Findings) -> Option<Asked> {
    let start = fields.start();
    let asked = fields.read("do", findings, |node, findings| read::word(node, "`do`", &ASKED, findings));
    let Some(asked) = asked else {
        findings.error(start, format!("{owner} asks nothing")).help(format!("add `do:` and one of {}", listed(ASKED)));
        return None;
    };
    let mut small = |key: &str, findings: &mut Findings| {
        needed_count(fields, key, 1..=9, findings).and_then(|count| u8::try_from(count).ok())
    };
    Some(match asked.value.as_str() {
        "disclosure" => Asked::Disclosure,
        "recording-announced" => Asked::RecordingAnnounced,
        "right-party" => Asked::RightParty { factors: small("factors", findings)?, tries: small("tries", findings)? },
        "mini-miranda" => Asked::MiniMiranda,
        "limited-content" => Asked::LimitedContent,
        "opt-out" => Asked::OptOut,
        "repeats" => Asked::Repeats(small("most", findings)?),
        _ => Asked::Kept(needed_span(fields, "for", owner, findings)?),
    })
}

fn per(node: &Node, findings: &mut Findings) -> Option<Per> {
    Some(match read::word(node, "`per`", &PER, findings)?.value.as_str() {
        "debt" => Per::Debt,
        "number" => Per::Number,
        _ => Per::Person,
    })
}

fn needed_count(
    fields: &mut Fields,
    key: &str,
    range: std::ops::RangeInclusive<usize>,
    findings: &mut Findings,
) -> Option<u32> {
    let Some(node) = fields.take(key) else {
        findings.error(fields.start(), format!("`{key}` is missing")).help(format!("add `{key}:` and a number"));
        return None;
    };
    read::count(&node, &format!("`{key}`"), range, findings).and_then(|count| u32::try_from(count.value).ok())
}

/// `7 days`, `1 day`, `72 hours`, `day`.
fn needed_period(fields: &mut Fields, key: &str, owner: &str, findings: &mut Findings) -> Option<Period> {
    let Some(node) = fields.take(key) else {
        findings
            .error(fields.start(), format!("{owner} does not say for how long"))
            .help(format!("add `{key}: 7 days`"));
        return None;
    };
    let line = read::line(&node, findings)?;
    let words: Vec<&str> = line.value.split(' ').collect();
    let period = match words.as_slice() {
        ["day"] => Some(Period::CalendarDay),
        [number, "day" | "days"] => number.parse().ok().filter(|days| (1..=3_660).contains(days)).map(Period::Days),
        [number, "hour" | "hours"] => {
            number.parse().ok().filter(|hours| (1..=87_840).contains(hours)).map(Period::Hours)
        }
        _ => None,
    };
    if period.is_none() {
        let help = "write it like `7 days`, `72 hours`, or `day` for the calendar day";
        findings.error(line.at, format!("`{}` is no period", line.value)).help(help);
    }
    period
}

/// `3 years`, `90 days`.
fn needed_span(fields: &mut Fields, key: &str, owner: &str, findings: &mut Findings) -> Option<Duration> {
    const DAY: u64 = 24 * 3_600;
    let Some(node) = fields.take(key) else {
        findings
            .error(fields.start(), format!("{owner} does not say for how long"))
            .help(format!("add `{key}: 3 years`"));
        return None;
    };
    let line = read::line(&node, findings)?;
    let words: Vec<&str> = line.value.split(' ').collect();
    let days = match words.as_slice() {
        [number, "day" | "days"] => number.parse::<u64>().ok(),
        // A year that has a 29 February is one too.
        [number, "year" | "years"] => number.parse::<u64>().ok().map(|years| years.saturating_mul(366)),
        _ => None,
    };
    let Some(days) = days.filter(|days| (1..=36_600).contains(days)) else {
        findings
            .error(line.at, format!("`{}` is no such time", line.value))
            .help("write it like `3 years` or `90 days`");
        return None;
    };
    Some(Duration::from_secs(days * DAY))
}

fn bases(node: Node, findings: &mut Findings) -> Vec<Basis> {
    parsed(node, findings, |text| named(text, "basis of consent", &Basis::ALL, |one| one.name()))
}

fn lines(node: Node, findings: &mut Findings) -> Vec<String> {
    texts(node, findings).into_iter().map(|line| line.value).collect()
}

fn texts(node: Node, findings: &mut Findings) -> Vec<crate::dialplan::diagnostic::Spanned<String>> {
    let nodes = match node.value {
        crate::dialplan::yaml::Value::List(nodes) => nodes,
        _ => vec![node],
    };
    nodes.iter().filter_map(|node| read::line(node, findings)).collect()
}

fn parsed<T>(node: Node, findings: &mut Findings, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
    texts(node, findings).into_iter().filter_map(|line| taken(line.at, &line.value, &parse, findings)).collect()
}

fn taken<T>(at: Span, text: &str, parse: impl Fn(&str) -> Result<T, String>, findings: &mut Findings) -> Option<T> {
    parse(text).map_err(|why| findings.error(at, why)).ok()
}
