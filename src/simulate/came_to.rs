//! What came of a call, a line for each outcome: as conversations write it, and as it is compared.
//!
//! ```text
//! outcome verified passed factors=born,postcode tries=1
//! outcome promise amount=200.00 USD date=2026-01-09; amount=50.00 USD date=2026-02-09
//! outcome rating nps=9 of 0..10
//! outcome comment why=it was too slow themes=speed
//! outcome opt_out scope=global number=+12025550123 said=stop calling me
//! outcome message 4.3s
//! outcome voicemail left 6.1s
//! outcome call_back at=2026-01-06T17:00
//! outcome form amount=200.00 USD date=2026-01-09
//! outcome none                                              nothing at all
//! ```

use crate::dialplan::outcome::{Outcome, OutcomeKind};
use crate::value::Value;

/// Written where nothing may come of a call.
pub const NONE: &str = "none";

/// One outcome, as a conversation writes it behind `outcome`.
pub fn print(outcome: &Outcome) -> String {
    match &outcome.kind {
        OutcomeKind::Tag { name, value } => format!("tag {name}={}", plain(value.reveal())),
        OutcomeKind::Verified { passed, factors, tries } => {
            let passed = if *passed { "passed" } else { "failed" };
            format!("verified {passed} factors={} tries={tries}", factors.join(","))
        }
        OutcomeKind::Promise { parts } => {
            let part = |(amount, date): &(Value, Value)| format!("amount={} date={}", plain(amount), plain(date));
            format!("promise {}", parts.reveal().iter().map(part).collect::<Vec<_>>().join("; "))
        }
        OutcomeKind::Rating { name, score, min, max } => format!("rating {name}={score} of {min}..{max}"),
        OutcomeKind::Comment { name, text, themes } => {
            format!("comment {name}={} themes={}", text.reveal(), themes.join(","))
        }
        OutcomeKind::OptOut { scope, number, said } => {
            format!("opt_out scope={scope} number={} said={}", number.reveal(), said.reveal())
        }
        OutcomeKind::Message { ms, .. } => format!("message {}", seconds(*ms)),
        OutcomeKind::Voicemail { left, played_ms } => {
            format!("voicemail {} {}", if *left { "left" } else { "not left" }, seconds(*played_ms))
        }
        OutcomeKind::CallBack { at, until, number } => {
            let until = until.as_ref().map(|until| format!(" until={}", plain(until.reveal())));
            let number = number.as_ref().map(|number| format!(" number={}", number.reveal()));
            format!("call_back at={}{}{}", plain(at.reveal()), until.unwrap_or_default(), number.unwrap_or_default())
        }
        OutcomeKind::Unanswered { question } => format!("unanswered question={}", question.reveal()),
        OutcomeKind::Errand { name, end } => format!("errand {name}={end}"),
        OutcomeKind::Handed { group, agent, end, waited_s, talked_s } => {
            let of = |name: &str, who: &Option<String>| who.as_ref().map(|who| format!("{name}={who} "));
            let (group, agent) = (of("group", group).unwrap_or_default(), of("agent", agent).unwrap_or_default());
            format!("handed {group}{agent}end={end} waited={waited_s}s talked={talked_s}s")
        }
        OutcomeKind::Form { values } => {
            let slot = |(name, value): (&String, &Value)| format!("{name}={}", plain(value));
            format!("form {}", values.reveal().iter().map(slot).collect::<Vec<_>>().join(" "))
        }
    }
}

/// The same line as it is compared when the call is held by voice, where `…` stands for what a conversation in text cannot
/// know: how long things took, and words as they were heard; how many tries were needed, once a line was said `again`.
pub fn by_voice(written: &str, again: bool) -> String {
    // Words that somebody said reach up to the next name of a value, or to the end.
    let (kind, rest) = written.trim().split_once(char::is_whitespace).unwrap_or((written.trim(), ""));
    match kind {
        "message" => "message …".to_owned(),
        "voicemail" if rest.starts_with("not left") => "voicemail not left …".to_owned(),
        "voicemail" => "voicemail left …".to_owned(),
        "handed" => open(&open(written.trim(), "waited=", true), "talked=", true),
        "verified" if again => open(written.trim(), "tries=", true),
        "opt_out" => open(written.trim(), "said=", false),
        "unanswered" => "unanswered question=…".to_owned(),
        "comment" => match (rest.find('='), rest.rfind(" themes=")) {
            (Some(name), Some(themes)) if name < themes => {
                format!("comment {}=…{}", &rest[..name], &rest[themes..])
            }
            _ => written.trim().to_owned(),
        },
        _ => written.trim().to_owned(),
    }
}

/// Leaves open what stands behind `name`: one word of it, or all there is.
fn open(line: &str, name: &str, one_word: bool) -> String {
    let Some(at) = line.find(&format!(" {name}")).map(|at| at + 1 + name.len()) else { return line.to_owned() };
    let rest = if one_word { line[at..].find(' ').map_or("", |end| &line[at + end..]) } else { "" };
    format!("{}…{rest}", &line[..at])
}

/// A value without its type; of money, what it is.
fn plain(value: &Value) -> String {
    match value {
        Value::Amount(amount) => format!("{} {}", amount.plain(), amount.currency.code()),
        other => other.plain(),
    }
}

/// Tenths of a second are enough to tell a word from a message.
fn seconds(ms: u64) -> String {
    format!("{}.{}s", ms / 1_000, ms % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pii::Pii;
    use crate::value::{Amount, Currency};

    #[test]
    fn by_voice_only_time_and_words_as_heard_are_left_open() {
        for (written, compared) in [
            ("message 4.3s", "message …"),
            ("voicemail left 6.1s", "voicemail left …"),
            ("voicemail not left 1.0s", "voicemail not left …"),
            (
                "handed group=desk agent=alice end=served waited=12s talked=40s",
                "handed group=desk agent=alice end=served waited=… talked=…",
            ),
            ("comment why=it was = slow themes=speed", "comment why=… themes=speed"),
            (
                "opt_out scope=global number=+12025550123 said=stop it",
                "opt_out scope=global number=+12025550123 said=…",
            ),
            ("unanswered question=do you deliver", "unanswered question=…"),
            ("verified passed factors=born tries=1", "verified passed factors=born tries=1"),
            ("promise amount=50.00 USD date=2026-01-09", "promise amount=50.00 USD date=2026-01-09"),
            ("none", "none"),
        ] {
            assert_eq!(by_voice(written, false), compared);
        }
        assert_eq!(by_voice("verified passed factors=born tries=1", true), "verified passed factors=born tries=…");
    }

    #[test]
    fn what_differs_in_a_value_differs_in_its_line() {
        let promise = |minor, day| {
            let amount = Value::Amount(Amount { minor, currency: Currency::USD });
            let parts = vec![(amount, Value::Date(jiff::civil::date(2026, 1, day)))];
            print(&Outcome { step: "pay".into(), kind: OutcomeKind::Promise { parts: Pii::new(parts) } })
        };
        assert_eq!(promise(20_000, 9), "promise amount=200.00 USD date=2026-01-09");
        assert_ne!(promise(20_000, 9), promise(20_001, 9));
        assert_ne!(promise(20_000, 9), promise(20_000, 10));
        let left = |left| print(&Outcome { step: "v".into(), kind: OutcomeKind::Voicemail { left, played_ms: 6_140 } });
        assert_eq!((left(true).as_str(), left(false).as_str()), ("voicemail left 6.1s", "voicemail not left 6.1s"));
    }
}
