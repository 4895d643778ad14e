//! `calendars:` of a plan, as they are written.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::super::diagnostic::{Findings, Spanned};
use super::super::read::{self, Fields, Localized};
use super::super::yaml::{Node, Value};
use super::{CALENDAR_KEYS, EXCEPTION_KEYS, HOLIDAY_KEYS};
use crate::language::Language;
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
        let (day, called) = match node.value {
            Value::Map(_) => {
                let owner = format!("holiday `{}`", name.value);
                let Some(mut fields) = Fields::open(node, &owner, &[HOLIDAY_KEYS], findings) else { continue };
                let day = day_of(&name, &owner, &mut fields, findings);
                (day, called(&mut fields, findings))
            }
            _ => (read::line(&node, findings).and_then(|day| taken(&day, DayRule::parse, findings)), BTreeMap::new()),
        };
        holidays.extend(day.map(|days| Special { name: name.value, called, days, hours: Hours::default() }));
    }
    let mut exceptions = Vec::new();
    for (name, node) in
        fields.take("exceptions").map(|node| entries(node, "`exceptions`", findings)).unwrap_or_default()
    {
        let owner = format!("exception `{}`", name.value);
        let Some(mut fields) = Fields::open(node, &owner, &[EXCEPTION_KEYS], findings) else { continue };
        let day = day_of(&name, &owner, &mut fields, findings);
        let called = called(&mut fields, findings);
        let hours = match fields.take("hours") {
            Some(node) => read::line(&node, findings).and_then(|hours| taken(&hours, Hours::parse, findings)),
            None => {
                let help = "write `hours: closed`, or when somebody is there: `hours: \"09:00-12:00\"`";
                findings.error(name.at, format!("{owner} does not say when it is open")).help(help);
                None
            }
        };
        exceptions.extend(day.map(|days| Special { name: name.value, called, days, hours: hours.unwrap_or_default() }));
    }
    Some(Calendar::new(zone, week, exceptions, holidays))
}

/// `day:` of a day unlike the others.
fn day_of(name: &Spanned<String>, owner: &str, fields: &mut Fields, findings: &mut Findings) -> Option<DayRule> {
    let day = fields.read("day", findings, read::line);
    if day.is_none() {
        findings.error(name.at, format!("{owner} does not say which day")).help("add `day: 2026-12-24`");
    }
    day.and_then(|day| taken(&day, DayRule::parse, findings))
}

/// `called:` of it, by language; what is written without one holds for whatever is spoken.
fn called(fields: &mut Fields, findings: &mut Findings) -> BTreeMap<Language, String> {
    let Some(node) = fields.take("called") else { return BTreeMap::new() };
    match read::localized(&node, findings, read::line) {
        Some(Localized::Each(_, each)) => each.into_iter().map(|(tag, words)| (tag, words.value)).collect(),
        Some(Localized::One(words)) => {
            findings
                .error(words.at, "this does not say in which language that is")
                .help(format!("write `called: {{ en-US: {} }}`", words.value));
            BTreeMap::new()
        }
        None => BTreeMap::new(),
    }
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
    use jiff::tz::TimeZone;

    use crate::dialplan::interpreter::{Act, Interpreter};
    use crate::dialplan::load::load_str;
    use crate::language::Language;

    fn plan(exception: &str) -> String {
        format!(
            "dialplan: 1\nstart: b\ncalendars:\n  desk:\n    hours: {{ mon-fri: \"08:00-18:00\" }}\n    exceptions:\n      \
             eve: {{ {exception} }}\nsteps:\n  b: {{ branch: {{ when: [{{ open: desk, go: $end }}], else: $end }} }}\n"
        )
    }

    const CLOSED: &str = r#"
dialplan: 1
languages: [en-US, zh-CN]
zone: America/New_York
start: there
calendars:
  desk-one:
    hours: { mon-fri: "09:00-17:00" }
    holidays:
      Founders: { day: 03-03, called: { en-US: Founders' Day, zh-CN: 建店日 } }
      Stocktaking: 03-06
steps:
  there:
    branch: { when: [{ if: "calendars.desk_one.open", go: open }], else: closed }
  open: { say: { text: { en-US: "Until {{ calendars.desk_one.closes | time }}.", zh-CN: "到{{ calendars.desk_one.closes | time }}。" }, go: $end } }
  closed:
    hangup:
      text:
        en-US: "We are closed{% if calendars.desk_one.holiday %} for {{ calendars.desk_one.holiday }}{% endif %}. We open {{ calendars.desk_one.opens | near }}."
        zh-CN: "{% if calendars.desk_one.holiday %}今天是{{ calendars.desk_one.holiday }}。{% endif %}{{ calendars.desk_one.opens | near }}营业。"
"#;

    /// What a call hears first that comes then.
    fn heard(plan: &str, language: &str, at: &str) -> String {
        let plan = load_str("x.yaml", plan).unwrap_or_else(|found| panic!("{found}")).plan;
        let mut call = Interpreter::new(plan, &Language::parse(language).unwrap(), TimeZone::UTC);
        let first = call.start(at.parse().unwrap());
        assert_eq!(call.take_faults(), Vec::<String>::new());
        match first {
            Act::Say { lines, .. } | Act::End { lines, .. } => lines[0].text.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_plan_says_why_nobody_is_there_and_when_somebody_is_again() {
        for (at, english, mandarin) in [
            // Monday 2 March 2026 in New York, five hours behind UTC.
            ("2026-03-02T15:00:00Z", "Until five p m.", "到下午五点。"),
            ("2026-03-02T12:00:00Z", "We are closed. We open today at nine a m.", "今天上午九点营业。"),
            // The evening before a holiday.
            ("2026-03-02T23:00:00Z", "We are closed. We open on Wednesday at nine a m.", "后天上午九点营业。"),
            (
                "2026-03-03T15:00:00Z",
                "We are closed for Founders' Day. We open tomorrow at nine a m.",
                "今天是建店日。明天上午九点营业。",
            ),
            // Only named, and before a week end with the change to summer time in it.
            (
                "2026-03-06T15:00:00Z",
                "We are closed for Stocktaking. We open on Monday at nine a m.",
                "今天是Stocktaking。星期一上午九点营业。",
            ),
        ] {
            assert_eq!(heard(CLOSED, "en-US", at), english, "{at}");
            assert_eq!(heard(CLOSED, "zh-CN", at), mandarin, "{at}");
        }
    }

    #[test]
    fn a_calendar_that_is_none_and_a_fact_that_none_says_are_told_with_the_right_name() {
        let said = |from: &str, to: &str| match load_str("x.yaml", &CLOSED.replace(from, to)) {
            Ok(_) => String::new(),
            Err(found) => found.to_string(),
        };
        for (from, to) in [
            ("calendars.desk_one.open\"", "calendars.desk_on.open\""),
            ("desk_one.closes | time", "desk_on.closes | time"),
        ] {
            let wrong = said(from, to);
            assert!(wrong.contains("there is no calendar `desk_on`") && wrong.contains("`desk-one`"), "{wrong}");
        }
        let wrong = said("calendars.desk_one.opens | near", "calendars.desk_one.opns | near");
        assert!(wrong.contains("no calendar says `opns`") && wrong.contains("did you mean `opens`?"), "{wrong}");
        let wrong = said("called: { en-US: Founders' Day, zh-CN: 建店日 }", "called: Founders");
        assert!(wrong.contains("in which language"), "{wrong}");
        let wrong = said("day: 03-03, ", "");
        assert!(wrong.contains("holiday `Founders` does not say which day"), "{wrong}");
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
