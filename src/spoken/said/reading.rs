//! What a value is when it is to be said in a certain way: text from a list or a look-up is read, types are widened.

use jiff::civil::{Date, DateTime, Time};

use super::Figures;
use crate::value::{Amount, Currency, Value};

/// Digits after a point that anybody listens to.
const MOST_PLACES: usize = 6;

/// Money. A number counts whole units of `currency` and is rounded to its smallest one.
pub fn amount(value: &Value, currency: Currency) -> Option<Amount> {
    match value {
        Value::Amount(amount) => Some(*amount),
        Value::Integer(number) => Amount::parse(&number.to_string(), currency),
        Value::Number(number) => {
            Amount::parse(&format!("{number:.decimals$}", decimals = currency.decimals() as usize), currency)
        }
        Value::Text(text) => amount_in_text(text.trim(), currency),
        _ => None,
    }
}

/// `12.5`, `$12.50`, `12.50 USD`, `EUR 12`.
fn amount_in_text(text: &str, currency: Currency) -> Option<Amount> {
    let signs = [('$', Currency::USD), ('£', Currency::GBP), ('€', Currency::EUR), ('¥', Currency::CNY)];
    if let Some((sign, named)) = signs.into_iter().find(|(sign, _)| text.contains(*sign)) {
        // Dollars and yuan go by the same signs in many countries.
        let shared = matches!(currency.code(), "CAD" | "AUD" | "NZD" | "HKD" | "SGD" | "TWD" | "MXN" | "JPY");
        let currency = if shared && matches!(sign, '$' | '¥') { currency } else { named };
        return Amount::parse(&text.replacen(sign, "", 1), currency);
    }
    let parts: Vec<&str> = text.split_whitespace().collect();
    match parts[..] {
        [number] => Amount::parse(number, currency),
        [one, other] => {
            let (code, number) =
                if one.starts_with(|c: char| c.is_ascii_alphabetic()) { (one, other) } else { (other, one) };
            Amount::parse(number, Currency::parse(code)?)
        }
        _ => None,
    }
}

/// A day; text as ISO 8601, with or without a time.
pub fn date(value: &Value) -> Option<Date> {
    match value {
        Value::Date(date) => Some(*date),
        Value::Moment(moment) => Some(moment.date()),
        Value::Text(text) => {
            let text = text.trim();
            text.parse::<DateTime>().map(|moment| moment.date()).or_else(|_| text.parse::<Date>()).ok()
        }
        _ => None,
    }
}

/// A time of day; text as `17:30` or ISO 8601.
pub fn time(value: &Value) -> Option<Time> {
    match value {
        Value::Time(time) => Some(*time),
        Value::Moment(moment) => Some(moment.time()),
        Value::Text(text) => {
            let text = text.trim();
            let padded = if text.find(':') == Some(1) { format!("0{text}") } else { text.to_owned() };
            padded.parse::<Time>().or_else(|_| text.parse::<DateTime>().map(|moment| moment.time())).ok()
        }
        _ => None,
    }
}

/// A day and a time; text as ISO 8601.
pub fn moment(value: &Value) -> Option<DateTime> {
    match value {
        Value::Moment(moment) => Some(*moment),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A number as figures: `-1,234.50`. `None` for what is none, and for one past what can be said.
pub fn figures(value: &Value) -> Option<Figures> {
    let text = match value {
        Value::Integer(number) => number.to_string(),
        Value::Number(number) => calculated(*number),
        Value::Amount(amount) => amount.plain(),
        Value::Digits(text) => text.clone(),
        Value::Text(text) => text.trim().replace(',', ""),
        _ => return None,
    };
    let (negative, text) = text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || (text.contains('.') && fraction.is_empty()) {
        return None;
    }
    Some(Figures { negative, whole: whole.parse().ok()?, fraction: fraction.to_owned() })
}

/// A number without what calculating with decimals leaves behind: 0.1 + 0.2 is 0.3 to everybody's ear.
fn calculated(number: f64) -> String {
    let exact = number.to_string();
    let places = exact.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let heard = match places > MOST_PLACES {
        true => format!("{number:.MOST_PLACES$}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => exact,
    };
    if heard == "-0" { "0".to_owned() } else { heard }
}

/// A place in an order.
pub fn place(value: &Value) -> Option<u64> {
    let Figures { negative, whole, fraction } = figures(value)?;
    (!negative && fraction.bytes().all(|digit| digit == b'0')).then_some(whole)
}

/// The digits of anything that is written in figures, separators aside.
pub fn digits(value: &Value) -> Option<String> {
    let text = match value {
        Value::Digits(text) | Value::Phone(text) | Value::Text(text) => text.clone(),
        Value::Integer(number @ 0..) => number.to_string(),
        _ => return None,
    };
    written_in_figures(&text, " -./()+").then(|| text.chars().filter(char::is_ascii_digit).collect())
}

/// A telephone number without separators, its `+` kept.
pub fn phone(value: &Value) -> Option<String> {
    let text = match value {
        Value::Digits(text) | Value::Phone(text) | Value::Text(text) => text.trim().to_owned(),
        Value::Integer(number @ 0..) => number.to_string(),
        _ => return None,
    };
    let (plus, rest) = text.strip_prefix('+').map_or(("", text.as_str()), |rest| ("+", rest));
    written_in_figures(rest, " -./()")
        .then(|| plus.chars().chain(rest.chars().filter(char::is_ascii_digit)).collect::<String>())
}

/// What can be spelled.
pub fn spelling(value: &Value) -> Option<String> {
    match value {
        Value::Digits(text) | Value::Phone(text) | Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

fn written_in_figures(text: &str, separators: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || separators.contains(c))
}
