//! `calendars:` of a plan, as they are written.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::super::diagnostic::{Findings, Spanned};
use super::super::read::{self, Fields};
use super::super::yaml::{Node, Value};
use super::{CALENDAR_KEYS, EXCEPTION_KEYS};
use crate::routing::{Calendar, DayRule, Days, Hours, Special};

/// Every calendar by its name; what cannot be read is reported and left out.
pub(super) fn read(
    node: Node,
    zone: Option<&TimeZone>,
    findings: &mut Findings,
) -> Vec<(Spanned<String>, Arc<Calendar>)> {
    let calendars = entries(node, "`calendars`", findings);
    let calendars = calendars.into_iter().filter_map(|(name, node)| {
        read::name(&name, "a calendar", findings);
        let calendar = calendar(&name.value, node, zone, findings)?;
        Some((name, Arc::new(calendar)))
    });
    calendars.collect()
}

fn calendar(name: &str, node: Node, zone: Option<&TimeZone>, findings: &mut Findings) -> Option<Calendar> {
    let owner = format!("calendar `{name}`");
    let mut fields = Fields::open(node, &owner, &[CALENDAR_KEYS], findings)?;
    let own = fields.read("zone", findings, super::zone);
    let zone = own.or_else(|| zone.cloned()).unwrap_or_else(TimeZone::system);
    let mut week = Vec::new();
    match fields.take("hours") {
        Some(node) => {
            for (days, node) in entries(node, "`hours`", findings) {
                let hours = read::line(&node, findings);
                let days = taken(&days, Days::parse, findings);
                let hours = hours.and_then(|hours| taken(&hours, Hours::parse, findings));
                week.extend(days.zip(hours));
            }
        }
        None => {
            findings
                .error(fields.start(), format!("{owner} has no hours"))
                .help("add `hours: { mon-fri: \"08:00-18:00\" }`");
        }
    }
    let mut holidays = Vec::new();
    for (name, node) in fields.take("holidays").map(|node| entries(node, "`holidays`", findings)).unwrap_or_default() {
        let day = read::line(&node, findings).and_then(|day| taken(&day, DayRule::parse, findings));
        holidays.extend(day.map(|day| Special { name: name.value, days: day, hours: Hours::default() }));
    }
    let mut exceptions = Vec::new();
    for (name, node) in
        fields.take("exceptions").map(|node| entries(node, "`exceptions`", findings)).unwrap_or_default()
    {
        let owner = format!("exception `{}`", name.value);
        let Some(mut fields) = Fields::open(node, &owner, &[EXCEPTION_KEYS], findings) else { continue };
        let day = fields.read("day", findings, read::line).and_then(|day| taken(&day, DayRule::parse, findings));
        let hours = match fields.take("hours") {
            Some(node) => read::line(&node, findings).and_then(|hours| taken(&hours, Hours::parse, findings)),
            None => {
                let help = "write `hours: closed`, or when somebody is there: `hours: \"09:00-12:00\"`";
                findings.error(name.at, format!("{owner} does not say when it is open")).help(help);
                None
            }
        };
        match day {
            Some(day) => exceptions.push(Special { name: name.value, days: day, hours: hours.unwrap_or_default() }),
            None => {
                findings.error(name.at, format!("{owner} does not say which day")).help("add `day: 2026-12-24`");
            }
        }
    }
    Some(Calendar::new(zone, week, exceptions, holidays))
}

fn entries(node: Node, owner: &str, findings: &mut Findings) -> Vec<(Spanned<String>, Node)> {
    match node.value {
        Value::Map(entries) => entries,
        _ => {
            let message = format!("{owner} must be a map, not {}", node.sort());
            findings.error(node.at, message).help("write a name, a colon, and what it stands for");
            Vec::new()
        }
    }
}

fn taken<T>(
    written: &Spanned<String>,
    parse: impl Fn(&str) -> Result<T, String>,
    findings: &mut Findings,
) -> Option<T> {
    match parse(&written.value) {
        Ok(read) => Some(read),
        Err(why) => {
            findings.error(written.at, why);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dialplan::load::load_str;

    fn plan(exception: &str) -> String {
        format!(
            "dialplan: 1\nstart: b\ncalendars:\n  desk:\n    hours: {{ mon-fri: \"08:00-18:00\" }}\n    exceptions:\n      \
             eve: {{ {exception} }}\nsteps:\n  b: {{ branch: {{ when: [{{ open: desk, go: $end }}], else: $end }} }}\n"
        )
    }

    #[test]
    fn a_day_of_its_own_says_when_somebody_is_there_on_it() {
        for hours in ["closed", "\"09:00-12:00\""] {
            assert!(load_str("x.yaml", &plan(&format!("day: 2026-12-24, hours: {hours}"))).is_ok(), "{hours}");
        }
        let wrong = load_str("x.yaml", &plan("day: 2026-12-24")).unwrap_err().to_string();
        assert!(wrong.contains("exception `eve` does not say when it is open"), "{wrong}");
        assert!(wrong.contains("hours: closed"), "{wrong}");
    }
}
