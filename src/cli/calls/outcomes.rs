//! What came of a call, a line each.

use crate::cli::harmless;
use crate::dialplan::outcome::{EVERYWHERE, Outcome, OutcomeKind};
use crate::value::Value;

/// One fact as a person reads it. Whoever may read the database may read what callers said.
pub(super) fn sentence(outcome: &Outcome) -> String {
    let said = match &outcome.kind {
        OutcomeKind::Tag { name, value } => match value.reveal() {
            Value::Nothing => name.clone(),
            value => format!("{name} = {}", written(value)),
        },
        OutcomeKind::Verified { passed, factors, tries } => {
            let verdict = if *passed { "verified" } else { "not verified" };
            let fitted = match factors.is_empty() {
                true => "nothing fitted".to_owned(),
                false => format!("{} fitted", factors.join(", ")),
            };
            format!("{verdict}: {fitted}, asked {}", times(*tries))
        }
        OutcomeKind::Promise { parts } => {
            let part = |(amount, date): &(Value, Value)| match date {
                Value::Nothing => written(amount),
                date => format!("{} by {}", written(amount), written(date)),
            };
            format!("promised {}", parts.reveal().iter().map(part).collect::<Vec<_>>().join(", "))
        }
        OutcomeKind::Rating { name, score, min, max } => format!("rated {name} {score} ({min} to {max})"),
        OutcomeKind::Comment { name, text, themes } => {
            let themes = if themes.is_empty() { String::new() } else { format!(" ({})", themes.join(", ")) };
            format!("said of {name}: \"{}\"{themes}", text.reveal())
        }
        OutcomeKind::OptOut { scope, number, said } => {
            let scope = if scope == EVERYWHERE { "everywhere".to_owned() } else { format!("for {scope}") };
            let number = match number.reveal().as_str() {
                "" => "a number that was withheld",
                number => number,
            };
            format!("do not call {number} again, {scope}: \"{}\"", said.reveal())
        }
        OutcomeKind::Message { file, ms } => format!("left a message of {}: {}", seconds(*ms), file.display()),
        OutcomeKind::Voicemail { left: true, played_ms } => {
            format!("message left on their machine, {}", seconds(*played_ms))
        }
        OutcomeKind::Voicemail { left: false, played_ms } => {
            format!("no message left on their machine, stopped after {}", seconds(*played_ms))
        }
        OutcomeKind::CallBack { at, until, number } => {
            let at = match (at.reveal(), until) {
                (Value::Nothing, _) => String::new(),
                (at, None) => format!(" at {}", written(at)),
                (at, Some(until)) => format!(" between {} and {}", written(at), written(until.reveal())),
            };
            let number = number.as_ref().map_or_else(String::new, |number| format!(" on {}", number.reveal()));
            format!("call back{at}{number}")
        }
        OutcomeKind::Unanswered { question } => format!("asked in vain: \"{}\"", question.reveal()),
        OutcomeKind::Errand { name, end } => format!("{name}: {end}"),
        OutcomeKind::Handed { group, agent, end, waited_s, talked_s } => {
            let whom = match (agent, group) {
                (Some(agent), _) => format!("handed to {agent}"),
                (None, Some(group)) => format!("waited for {group}"),
                (None, None) => "handed on".to_owned(),
            };
            let talked = if *talked_s > 0 { format!(", talked {talked_s} s") } else { String::new() };
            format!("{whom}: {end}, waited {waited_s} s{talked}")
        }
        OutcomeKind::Form { values } => {
            let value = |(name, value): (&String, &Value)| format!("{name} = {}", written(value));
            values.reveal().iter().map(value).collect::<Vec<_>>().join(", ")
        }
    };
    harmless(&format!("{said}  [{}]", outcome.step))
}

fn written(value: &Value) -> String {
    match value {
        Value::Amount(amount) => format!("{} {}", amount.plain(), amount.currency.code()),
        Value::Moment(moment) => moment.strftime("%Y-%m-%d %H:%M").to_string(),
        value => value.plain(),
    }
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn seconds(ms: u64) -> String {
    format!("{} s", super::timeline::tenths(ms))
}
