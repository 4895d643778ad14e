//! Values as lists and other systems write them: words that are of the sort that is wanted, or a failure, never a guess.

use jiff::Timestamp;
use jiff::civil::{Date, Time};

use super::{Amount, Currency, Value};

/// Longest string of digits that anybody has.
const MOST_DIGITS: usize = 64;

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Words, as they are.
    Text,
    /// A number.
    Number,
    /// Money.
    Amount(Currency),
    /// A day, `2026-03-01`.
    Date,
    /// A time of day, `17:30`.
    Time,
    /// Digits: leading zeros count.
    Digits,
    /// A telephone number.
    Phone,
    /// Yes or no.
    Boolean,
}

/// The words for [`Sort`]s.
pub const SORTS: [&str; 8] = ["text", "number", "amount", "date", "time", "digits", "phone", "boolean"];

impl Sort {
    /// `date`, `amount USD`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let sort = match (words.next()?, words.next()) {
            ("text", None) => Self::Text,
            ("number", None) => Self::Number,
            ("amount", currency) => Self::Amount(currency.map_or(Some(Currency::USD), Currency::parse)?),
            ("date", None) => Self::Date,
            ("time", None) => Self::Time,
            ("digits", None) => Self::Digits,
            ("phone", None) => Self::Phone,
            ("boolean", None) => Self::Boolean,
            _ => return None,
        };
        words.next().is_none().then_some(sort)
    }

    /// The word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Amount(_) => "amount",
            Self::Date => "date",
            Self::Time => "time",
            Self::Digits => "digits",
            Self::Phone => "phone",
            Self::Boolean => "boolean",
        }
    }

    /// What the words are as this sort; the error ends a sentence that names the value: "is no date: write 2026-03-01".
    pub fn take(&self, text: &str) -> Result<Value, &'static str> {
        let text = text.trim();
        let read = match self {
            Self::Text => Some(Value::text(text)),
            Self::Number => number(text),
            Self::Amount(currency) => amount(text, *currency).map(Value::Amount),
            Self::Date => date(text).map(Value::Date),
            Self::Time => time(text).map(Value::Time),
            Self::Digits => digits(text).map(Value::Digits),
            Self::Phone => phone(text).map(Value::Phone),
            Self::Boolean => boolean(text).map(Value::Boolean),
        };
        read.ok_or(match self {
            Self::Text => "is no text",
            Self::Number => "is no number: write 12 or 12.5",
            Self::Amount(_) => "is no amount: write 12.50",
            Self::Date => "is no date: write 2026-03-01",
            Self::Time => "is no time of day: write 17:30",
            Self::Digits => "is no string of digits",
            Self::Phone => "is no telephone number",
            Self::Boolean => "is neither yes nor no: write true or false",
        })
    }
}

fn number(text: &str) -> Option<Value> {
    match text.parse::<i64>() {
        Ok(whole) => Some(Value::Integer(whole)),
        Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Number),
    }
}

/// `12.50`, `$12.50`, `12.50 USD`: a sign or code that is there is that of the currency.
fn amount(text: &str, currency: Currency) -> Option<Amount> {
    let bare = match text.chars().next() {
        Some(sign @ ('$' | '€' | '£' | '¥' | '￥')) => {
            may_be(sign, currency).then(|| text[sign.len_utf8()..].trim_start())?
        }
        _ => text,
    };
    let bare = bare.strip_suffix(currency.code()).unwrap_or(bare).trim_end();
    // Some write every number with a fraction: 300.0 yen are 300.
    Amount::parse(bare, currency).or_else(|| Amount::parse(bare.strip_suffix(".0")?, currency))
}

/// Does `sign` stand before amounts of that currency? Many call theirs a dollar.
fn may_be(sign: char, currency: Currency) -> bool {
    match sign {
        '€' => currency == Currency::EUR,
        '£' => currency == Currency::GBP,
        '¥' | '￥' => matches!(currency.code(), "CNY" | "JPY"),
        _ => !matches!(currency.code(), "EUR" | "GBP" | "CNY" | "JPY"),
    }
}

/// A day, or the day of a moment as it is written: lists that mean a day write `2026-03-01T00:00:00Z` for it.
fn date(text: &str) -> Option<Date> {
    let is_moment = || text.parse::<Timestamp>().is_ok();
    text.parse::<Date>().ok().or_else(|| text.get(..10).filter(|_| is_moment())?.parse().ok())
}

fn time(text: &str) -> Option<Time> {
    let strict = text.parse::<Time>().or_else(|_| Time::strptime("%H:%M", text));
    strict.or_else(|_| Time::strptime("%H:%M:%S", text)).ok()
}

/// Digits, with whatever people put between them.
fn digits(text: &str) -> Option<String> {
    let bare: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.')).collect();
    (all_digits(&bare) && bare.len() <= MOST_DIGITS).then_some(bare)
}

fn phone(text: &str) -> Option<String> {
    let between = |c: &char| c.is_whitespace() || matches!(c, '-' | '.' | '(' | ')' | '/');
    let bare: String = text.chars().filter(|c| !between(c)).collect();
    let number = bare.strip_prefix('+').unwrap_or(&bare);
    // ITU-T E.164: at most 15 digits; three are the shortest that anybody dials.
    ((3..=15).contains(&number.len()) && all_digits(number)).then_some(bare)
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "y" | "1" => Some(true),
        "false" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_says_becomes_what_the_plan_wants_or_a_reason() {
        let usd = Sort::parse("amount USD").unwrap();
        let cents = |minor| Ok(Value::Amount(Amount { minor, currency: Currency::USD }));
        for text in ["$1,200.50", "1200.50 USD", "$ 1200.5", "1,200.50"] {
            assert_eq!(usd.take(text), cents(120_050), "{text}");
        }
        let day = Ok(Value::Date(jiff::civil::date(2026, 3, 1)));
        for text in
            ["2026-03-01", "2026-03-01T00:00:00", "2026-03-01 10:00", "2026-03-01T00:00:00Z", "2026-03-01T23:30-05:00"]
        {
            assert_eq!(Sort::Date.take(text), day, "{text}");
        }
        assert_eq!(Sort::Number.take(" 12 "), Ok(Value::Integer(12)));
        assert_eq!(Sort::Boolean.take("Yes"), Ok(Value::Boolean(true)));
        assert_eq!(Sort::Digits.take("00 42.1"), Ok(Value::Digits("00421".into())));
        assert_eq!(Sort::Phone.take("+1 (415) 555-0100"), Ok(Value::Phone("+14155550100".into())));
        assert_eq!(Sort::Time.take("17:30"), Ok(Value::Time(jiff::civil::time(17, 30, 0, 0))));
        assert_eq!(Sort::Time.take("9:05"), Ok(Value::Time(jiff::civil::time(9, 5, 0, 0))));
    }

    #[test]
    fn what_may_mean_something_else_is_not_guessed_at() {
        let usd = Sort::Amount(Currency::USD);
        for (sort, text) in [
            (usd, "twelve"),
            (usd, "€12"),
            (usd, "12 EUR"),
            (usd, "12,50"),
            (Sort::Amount(Currency::EUR), "$12"),
            (Sort::Date, "01.03.2026"),
            (Sort::Date, "2026-03-01 or so"),
            (Sort::Number, "NaN"),
            (Sort::Digits, ""),
            (Sort::Phone, "+"),
            (Sort::Phone, "call 555"),
            (Sort::Phone, "2025550123 ext 7"),
            (Sort::Boolean, "maybe"),
            (Sort::Time, "25:00"),
        ] {
            assert!(sort.take(text).is_err(), "{sort:?} {text}");
        }
    }

    #[test]
    fn sorts_are_written_in_words() {
        for name in SORTS {
            assert_eq!(Sort::parse(name).map(|sort| sort.name()), Some(name));
        }
        for wrong in ["dat", "amount dollars", "date USD", ""] {
            assert_eq!(Sort::parse(wrong), None, "{wrong}");
        }
    }
}
