//! Values typed on the telephone: `#` ends, `*` is the decimal point.
//!
//! | kind | keys |
//! | --- | --- |
//! | `boolean` | 1 yes, 2 no |
//! | `digits` | the digits; done at the most there may be, or at `#` |
//! | `number` | digits, `*` for the point, `#` |
//! | `amount` | `12*50#`, `12#`; done when the last decimal is there |
//! | `date` | month and day `0306#`, or with the year `03062026` or `20260306`, done at eight |
//! | `time` | hours and minutes `1730`, `930`, or an hour `9#`, on the 24-hour clock |
//! | `phone` | the number; done when it is complete in its country, or at `#` |
//! | `rating` | the number; done when no digit more could fit, or at `#` |
//! | `moment` | month, day, hours and minutes: `03061730` |
//! | `spelling` | none |

use jiff::civil::{Date, DateTime, Time};

use super::Kind;
use crate::spoken::heard::{Dialled, When, dialled, full_year, month_day};
use crate::value::{Amount, Currency, Value};

/// What keys typed so far come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Keys {
    /// A value; nothing more is wanted.
    Complete(Value),
    /// More may come; the value holds if nothing does.
    More(Option<Value>),
    /// No value begins so.
    Wrong,
    /// Keys mean nothing here.
    Ignored,
}

/// Longest number or telephone number taken by key.
const LONGEST: usize = 15;

/// Judges the keys typed so far; `now` is the caller's clock. Where the kind names no currency or region, give it those of
/// the caller's language with [`Kind::at_home`]; else sums are US dollars and telephone numbers end at `#`.
pub fn keys(kind: &Kind, typed: &str, now: DateTime) -> Keys {
    let (typed, ended) = typed.strip_suffix('#').map_or((typed, false), |typed| (typed, true));
    let point_allowed = matches!(kind, Kind::Number { .. } | Kind::Amount { .. });
    if matches!(kind, Kind::Spelling { .. }) || !typed.chars().all(|key| key.is_ascii_digit() || key == '*') {
        return Keys::Ignored;
    }
    if typed.is_empty() {
        return if ended { Keys::Wrong } else { Keys::More(None) };
    }
    if typed.contains('*') && (!point_allowed || typed.matches('*').count() > 1 || typed.starts_with('*')) {
        return Keys::Wrong;
    }
    let judged = match kind {
        Kind::Boolean => match typed {
            "1" => Keys::Complete(Value::Boolean(true)),
            "2" => Keys::Complete(Value::Boolean(false)),
            _ => Keys::Wrong,
        },
        Kind::Digits { min, max } => digits(typed, *min, *max),
        Kind::Number { .. } => number(typed),
        Kind::Amount { currency, .. } => amount(typed, currency.unwrap_or(Currency::USD)),
        Kind::Date { when } => date(typed, *when, now.date()),
        Kind::Time => time(typed),
        Kind::Phone { region } => phone(typed, region.as_deref().unwrap_or_default()),
        Kind::Rating { min, max } => rating(typed, *min, *max),
        Kind::Moment { when } => moment(typed, *when, now.date()),
        Kind::Spelling { .. } => Keys::Ignored,
    };
    let accepted = |value: &Value| kind.accepts(value, now.date());
    match (judged, ended) {
        (Keys::Complete(value), _) if accepted(&value) => Keys::Complete(value),
        (Keys::Complete(_), _) => Keys::Wrong,
        (Keys::More(Some(value)), true) if accepted(&value) => Keys::Complete(value),
        (Keys::More(_), true) => Keys::Wrong,
        (Keys::More(value), false) => Keys::More(value.filter(accepted)),
        (other, _) => other,
    }
}

fn digits(typed: &str, min: usize, max: usize) -> Keys {
    let value = || Value::Digits(typed.to_owned());
    match typed.len() {
        length if length >= max => Keys::Complete(value()),
        length => Keys::More((length >= min).then(value)),
    }
}

fn number(typed: &str) -> Keys {
    if typed.len() > LONGEST {
        return Keys::Wrong;
    }
    let text = typed.replace('*', ".");
    let whole = text.parse().map(Value::Integer);
    Keys::More(whole.or_else(|_| text.parse().map(Value::Number)).ok())
}

fn amount(typed: &str, currency: Currency) -> Keys {
    let decimals = currency.decimals() as usize;
    let after_point = typed.split_once('*').map(|(_, part)| part.len());
    let value = Amount::parse(&typed.replace('*', "."), currency).map(Value::Amount);
    match (after_point, value) {
        (Some(_), _) if decimals == 0 => Keys::Wrong,
        (Some(after), Some(value)) if after == decimals => Keys::Complete(value),
        (_, Some(value)) if typed.len() <= LONGEST => Keys::More(Some(value)),
        _ => Keys::Wrong,
    }
}

fn date(typed: &str, when: When, today: Date) -> Keys {
    let part = |range: std::ops::Range<usize>| typed.get(range).and_then(|part| part.parse::<i16>().ok());
    let on = |year: Option<i16>, month: Option<i16>, day: Option<i16>| {
        month_day(today, i8::try_from(month?).ok()?, i8::try_from(day?).ok()?, year, None, when)
            .first()
            .map(|guess| guess.0)
    };
    // No month begins with 19 or 20, so the year may stand first.
    let year_first = typed.starts_with("19") || typed.starts_with("20") || matches!(typed, "2");
    match typed.len() {
        0..4 => {
            if year_first || part(0..2.min(typed.len())).is_some_and(|month| month <= 12) {
                Keys::More(None)
            } else {
                Keys::Wrong
            }
        }
        4 if year_first => Keys::More(None),
        4 => on(None, part(0..2), part(2..4)).map_or(Keys::Wrong, |date| Keys::More(Some(Value::Date(date)))),
        6 if !year_first => {
            let year = part(4..6).and_then(|two| full_year(i64::from(two), today, when));
            Keys::More(on(year, part(0..2), part(2..4)).map(Value::Date))
        }
        5..8 => Keys::More(None),
        8 => {
            let date = if year_first {
                on(part(0..4), part(4..6), part(6..8))
            } else {
                on(part(4..8), part(0..2), part(2..4))
            };
            date.map_or(Keys::Wrong, |date| Keys::Complete(Value::Date(date)))
        }
        _ => Keys::Wrong,
    }
}

fn time(typed: &str) -> Keys {
    let at = |split: usize| {
        let (hour, minute) = typed.split_at(split);
        let minute = if minute.is_empty() { 0 } else { minute.parse().ok()? };
        Time::new(hour.parse().ok()?, minute, 0, 0).ok().map(Value::Time)
    };
    match typed.len() {
        1 | 2 => match at(typed.len()) {
            Some(hour) => Keys::More(Some(hour)),
            // "93" begins "930".
            None if typed[1..].parse::<u8>().is_ok_and(|tens| tens < 6) => Keys::More(None),
            None => Keys::Wrong,
        },
        3 => match (at(1), typed.as_bytes()[0]) {
            (Some(time), b'3'..) => Keys::Complete(time),
            (time, _) => Keys::More(time),
        },
        4 => at(2).map_or(Keys::Wrong, Keys::Complete),
        _ => Keys::Wrong,
    }
}

fn phone(typed: &str, region: &str) -> Keys {
    // An eleventh digit is on its way behind the 1 of a long-distance number, and in China behind most area codes; behind
    // those of four digits a twelfth may be.
    let grows = match (region, typed.len()) {
        ("US" | "CA", 10) => typed.starts_with('1'),
        ("CN", 10) => typed.starts_with('0'),
        _ => false,
    };
    let big_city = typed.starts_with("01") || typed.starts_with("02");
    match dialled(typed, false, region) {
        _ if grows => Keys::More(None),
        Dialled::Number(number, _) if region == "CN" && typed.len() == 11 && typed.starts_with('0') && !big_city => {
            Keys::More(Some(Value::Phone(number)))
        }
        Dialled::Number(number, _) if !region.is_empty() && number.starts_with('+') => {
            // In Britain a number of ten digits may have an eleventh; in America eleven begin with a 1.
            if region == "GB" && typed.len() == 10 {
                Keys::More(Some(Value::Phone(number)))
            } else {
                Keys::Complete(Value::Phone(number))
            }
        }
        Dialled::Number(number, _) | Dialled::Local(number, _) => Keys::More(Some(Value::Phone(number))),
        Dialled::Short => Keys::More(None),
        Dialled::No => Keys::Wrong,
    }
}

fn rating(typed: &str, min: i64, max: i64) -> Keys {
    let Ok(score) = typed.parse::<i64>() else { return Keys::Wrong };
    let room = score > 0 && score.checked_mul(10).is_some_and(|least| least <= max);
    match (min..=max).contains(&score) {
        _ if room && typed.len() < LONGEST => Keys::More((min..=max).contains(&score).then_some(Value::Integer(score))),
        true => Keys::Complete(Value::Integer(score)),
        false => Keys::Wrong,
    }
}

fn moment(typed: &str, when: When, today: Date) -> Keys {
    let Some((day, clock)) = typed.split_at_checked(4) else { return date(typed, when, today) };
    let Keys::More(Some(Value::Date(day))) = date(day, when, today) else { return Keys::Wrong };
    match (clock.len(), time(clock)) {
        (0, _) => Keys::More(None),
        (_, Keys::Complete(Value::Time(time))) => Keys::Complete(Value::Moment(day.to_datetime(time))),
        (_, Keys::More(Some(Value::Time(time)))) => Keys::More(Some(Value::Moment(day.to_datetime(time)))),
        (_, Keys::More(_)) => Keys::More(None),
        _ => Keys::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn typed(kind: &str, keys_typed: &str) -> Keys {
        keys(&Kind::parse(kind).unwrap(), keys_typed, date(2026, 3, 4).at(10, 0, 0, 0))
    }

    fn complete(kind: &str, keys_typed: &str) -> String {
        match typed(kind, keys_typed) {
            Keys::Complete(value) => value.plain(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_value_is_complete_at_hash_or_when_nothing_can_follow() {
        for (kind, keys_typed, value) in [
            ("boolean", "1", "true"),
            ("boolean", "2", "false"),
            ("digits?length=4", "4217", "4217"),
            ("digits?min=2;max=6", "421#", "421"),
            ("number", "12*5#", "12.5"),
            ("number", "12#", "12"),
            ("amount?currency=USD", "12*50#", "12.50"),
            ("amount?currency=USD", "12*50", "12.50"),
            ("amount?currency=USD", "12*5#", "12.50"),
            ("amount?currency=USD", "12*#", "12.00"),
            ("amount?currency=JPY", "1200#", "1200"),
            ("date", "0306#", "2026-03-06"),
            ("date", "0301#", "2027-03-01"),
            ("date?when=past", "0306#", "2025-03-06"),
            ("date", "03062026", "2026-03-06"),
            ("date", "20260306", "2026-03-06"),
            ("date?when=past", "120185#", "1985-12-01"),
            ("date?when=past", "19851201", "1985-12-01"),
            ("time", "1730", "17:30"),
            ("time", "930", "09:30"),
            ("time", "9#", "09:00"),
            ("time", "130#", "01:30"),
            ("phone?region=US", "2025550123", "+12025550123"),
            ("phone?region=US", "12025550123", "+12025550123"),
            ("phone?region=CN", "13800138000", "+8613800138000"),
            ("phone?region=CN", "01012345678", "+861012345678"),
            ("phone?region=CN", "075512345678", "+8675512345678"),
            ("phone?region=CN", "05711234567#", "+865711234567"),
            ("phone?region=GB", "07700900123", "+447700900123"),
            ("phone", "5550123#", "5550123"),
            ("rating?max=10", "8", "8"),
            ("rating?max=10", "1#", "1"),
            ("rating?max=10", "10", "10"),
            ("rating?max=10", "0", "0"),
            ("rating?min=1;max=5", "5", "5"),
            ("moment", "03061730", "2026-03-06T17:30"),
        ] {
            assert_eq!(complete(kind, keys_typed), value, "{kind} {keys_typed}");
        }
    }

    #[test]
    fn what_may_go_on_waits() {
        for (kind, keys_typed, so_far) in [
            ("digits?min=2;max=6", "42", Some("42")),
            ("digits?min=2;max=6", "4", None),
            ("amount", "12", Some("12.00")),
            ("amount", "12*", Some("12.00")),
            ("amount?max=10", "12", None),
            ("date", "03", None),
            ("date", "2", None),
            ("date", "2026", None),
            ("date", "0306", Some("2026-03-06")),
            ("date", "03062", None),
            ("time", "17", Some("17:00")),
            ("time", "93", None),
            ("time", "130", Some("01:30")),
            ("phone?region=US", "202555", None),
            ("phone?region=US", "1202555012", None),
            ("phone?region=CN", "0755123456", None),
            ("rating?max=10", "1", Some("1")),
            ("moment", "0306", None),
            ("boolean", "", None),
        ] {
            let wanted = so_far.map(str::to_owned);
            match typed(kind, keys_typed) {
                Keys::More(value) => assert_eq!(value.map(|value| value.plain()), wanted, "{kind} {keys_typed}"),
                other => panic!("{kind} {keys_typed}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_can_become_no_value_is_wrong_at_once() {
        for (kind, keys_typed) in [
            ("boolean", "3"),
            ("boolean", "#"),
            ("digits?length=4", "42#"),
            ("digits?length=4", "4*"),
            ("digits?length=4", "#"),
            ("amount", "*5"),
            ("amount", "1*2*"),
            ("amount?currency=JPY", "1*"),
            ("amount?currency=USD;max=500", "600#"),
            ("date", "13"),
            ("date", "0230"),
            ("date?when=future", "03012026"),
            ("time", "2460"),
            ("time", "1770"),
            ("time", "99"),
            ("rating?min=1;max=5", "0"),
            ("rating?min=1;max=5", "6"),
            ("phone?region=US", "123456789012"),
            ("phone?region=US", "0000000"),
            ("phone", "0000000"),
            ("moment", "03062561"),
            ("number", "1234567890123456"),
        ] {
            assert_eq!(typed(kind, keys_typed), Keys::Wrong, "{kind} {keys_typed}");
        }
        assert_eq!(typed("spelling", "1"), Keys::Ignored);
        assert_eq!(typed("digits?length=4", "4A"), Keys::Ignored);
    }

    #[test]
    fn any_keys_are_survived() {
        let all = [
            "",
            "#",
            "##",
            "*",
            "*#",
            "0",
            "00000000",
            "99999999",
            "1*",
            "9",
            "29",
            "0229",
            "999999999999999999999",
            "é",
            "12é",
        ];
        for name in Kind::NAMES {
            for keys_typed in all {
                let _ = typed(name, keys_typed);
            }
        }
    }
}
