//! English sums of money: "two hundred dollars and five cents", "twelve fifty", "two grand", "$12.50", "a buck fifty".

use super::numbers::{AND_A_PART, Number, below_hundred, cardinal, digit, number, zero};
use super::{MONTHS, WEEKDAYS};
use crate::language::Language;
use crate::spoken::currencies::{self, home_currency};
use crate::spoken::heard::decimal::Decimal;
use crate::spoken::heard::settle::Reading;
use crate::spoken::heard::words::Words;
use crate::value::{Amount, Currency, Value};

/// Everyday words for whole units; the tables of [`currencies`] have the rest.
const UNITS: &[(&str, &str)] = &[
    ("buck", "dollar"),
    ("bucks", "dollar"),
    ("dollar", "dollar"),
    ("dollars", "dollar"),
    ("dollar bills", "dollar"),
    ("quid", "GBP"),
    ("sterling", "GBP"),
    ("pounds sterling", "GBP"),
    ("rmb", "CNY"),
    ("renminbi", "CNY"),
    ("kuai", "CNY"),
    ("usd", "USD"),
    ("u s dollars", "USD"),
    ("u s dollar", "USD"),
    ("american dollars", "USD"),
    ("gbp", "GBP"),
    ("eur", "EUR"),
    ("cny", "CNY"),
];
const SMALL: &[&str] = &[
    "cent", "cents", "pence", "penny", "pennies", "p", "fen", "centime", "centimes", "paisa", "paise", "centavo",
    "centavos",
];
/// After these a bare number counts something else.
const OTHER_THINGS: &[&str] = &[
    "day",
    "days",
    "week",
    "weeks",
    "month",
    "months",
    "year",
    "years",
    "hour",
    "hours",
    "minute",
    "minutes",
    "oclock",
    "am",
    "pm",
    "a m",
    "p m",
    "percent",
    "per cent",
    "time",
    "times",
    "star",
    "stars",
    "out",
    "past",
    "point",
    "points",
    "people",
    "cards",
    "accounts",
    "payments",
    "installments",
    "instalments",
    "th",
    "st",
    "digits",
    "in the morning",
    "in the afternoon",
    "in the evening",
    "at night",
    "january",
    "february",
];
/// Before these a one is no number.
const PRONOUN_AFTER: &[&str] = &[
    "that", "this", "the", "which", "no", "any", "every", "each", "another", "other", "old", "new", "first", "last",
    "wrong", "right", "next", "some",
];

/// "half a dollar", in hundredths.
const PART_OF_ONE: &[(&str, &str)] = &[
    ("half a", "5"),
    ("half of a", "5"),
    ("a quarter of a", "25"),
    ("quarter of a", "25"),
    ("three quarters of a", "75"),
];

/// What a bare number after "at" is worth as a sum.
const AFTER_AT: f32 = 0.4;

/// What an amount at this place may be, best first.
pub fn at(words: &Words, at: usize, wanted: Option<Currency>, language: &Language) -> Vec<Reading> {
    let money = Money { words, wanted: wanted.unwrap_or_else(|| home_currency(language)) };
    let (start, sign) = match words.any(at, &["minus", "negative"]) {
        Some((_, end)) => (end, -1),
        None => (at, 1),
    };
    let mut readings = money.stated(start);
    if readings.is_empty() && !names_something_else(words, at, start) {
        readings = money.bare(start);
        // "at five" is more likely a time.
        if matches!(words.before(at), "at" | "around" | "before" | "after" | "between") {
            readings.iter_mut().for_each(|reading| reading.sure *= AFTER_AT);
        }
    }
    for reading in &mut readings {
        if let Value::Amount(amount) = &mut reading.value {
            amount.minor *= sign;
        }
    }
    readings
}

struct Money<'w> {
    words: &'w Words,
    wanted: Currency,
}

impl Money<'_> {
    /// With its currency, or its smallest unit, said.
    fn stated(&self, at: usize) -> Vec<Reading> {
        let sign = match self.words.get(at) {
            "$" => Some(self.dollars()),
            "£" => Some(Currency::GBP),
            "€" => Some(Currency::EUR),
            "¥" if self.wanted.code() == "JPY" => Some(self.wanted),
            "¥" => Some(Currency::CNY),
            _ => None,
        };
        if let Some(currency) = sign {
            let Some((value, end)) = cardinal(self.words, at + 1) else { return Vec::new() };
            let end = self.unit(end).map_or(end, |(_, end)| end);
            return self.with_small(value, currency, end);
        }
        if let Some((hundredths, end)) = self.words.find(at, PART_OF_ONE)
            && let Some((currency, end)) = self.unit(end)
        {
            let part = Decimal::whole(0).with_fraction(hundredths).and_then(|part| amount(part, currency));
            return part.map(|part| Reading::plain(part, end, 0.95)).into_iter().collect();
        }
        let one = self.words.get(at) == "a" && self.unit(at + 1).is_some();
        let number = if one { Some((Decimal::whole(1), at + 1)) } else { cardinal(self.words, at) };
        let strung = number_of(self.words, at).filter(|number| number.strung.is_some());
        if let Some(Number { value, end, .. }) = strung
            && let Some((currency, end)) = self.unit(end)
        {
            return self.with_small(value, currency, end); // "one fifty dollars"
        }
        let Some((value, end)) = number else { return Vec::new() };
        if let Some((currency, end)) = self.unit(end) {
            return self.with_small(value, currency, end);
        }
        match self.words.any(end, SMALL) {
            // "p m" is no money.
            Some(("p", end)) if self.words.get(end) == "m" => Vec::new(),
            Some((_, end)) => self.small_only(value, end),
            None => Vec::new(),
        }
    }

    /// Whole units and what may follow: "and five cents", "fifty", "and a half".
    fn with_small(&self, value: Decimal, currency: Currency, end: usize) -> Vec<Reading> {
        let plain = || amount(value, currency).map(|amount| Reading::plain(amount, end, 0.97)).into_iter().collect();
        if let Some((hundredths, after)) = self.words.find(end, AND_A_PART) {
            let part = Decimal::whole(0).with_fraction(hundredths).and_then(|part| value.plus(part));
            return part
                .and_then(|sum| amount(sum, currency))
                .map_or_else(plain, |sum| vec![Reading::plain(sum, after, 0.9)]);
        }
        let next = self.words.skip(end, &["and"]);
        let Some((part, after)) = small_part(self.words, next) else { return plain() };
        let named = self.words.any(after, SMALL);
        // "twelve dollars fifty" needs two digits, and nothing behind it that they count instead.
        let believable = part >= 10 || self.words.get(next) == "oh" || zero(self.words, next);
        let counts_else = self.words.any(after, OTHER_THINGS).is_some() || self.unit(after).is_some();
        let end_of_it = match named {
            Some((_, end)) => end,
            None if believable && next == end && !counts_else => after,
            None => return plain(),
        };
        let sum = Decimal::parse(&format!("0.{part:02}")).and_then(|part| value.plus(part));
        sum.and_then(|sum| amount(sum, currency)).map_or_else(plain, |sum| vec![Reading::plain(sum, end_of_it, 0.97)])
    }

    /// "fifty cents"; and "two hundred and fifty cents", of which the cents are more likely only the fifty.
    fn small_only(&self, value: Decimal, end: usize) -> Vec<Reading> {
        let Some(count) = value.as_whole().filter(|_| self.wanted.decimals() == 2) else { return Vec::new() };
        let currency = if matches!(self.words.get(end - 1), "pence" | "penny" | "pennies" | "p") {
            Currency::GBP
        } else {
            self.wanted
        };
        let of = |minor: i64, sure: f32| Reading::plain(Value::Amount(Amount { minor, currency }), end, sure);
        match count % 100 {
            part if count > 100 && part > 0 => {
                vec![of((count - part).saturating_mul(100).saturating_add(part), 0.6), of(count, 0.35)]
            }
            _ => vec![of(count, 0.95)],
        }
    }

    /// A number by itself. Of "twelve fifty" the fifty is cents; "one fifty" is more likely a hundred and fifty.
    fn bare(&self, at: usize) -> Vec<Reading> {
        let Some(Number { value, end, strung }) = number_of(self.words, at) else { return Vec::new() };
        let of = |value: Decimal, sure: f32| amount(value, self.wanted).map(|amount| Reading::bare(amount, end, sure));
        if self.words.any(end, OTHER_THINGS).is_some() {
            return Vec::new();
        }
        let Some(strung) = strung else {
            let figures = value.as_whole().filter(|_| end == at + 1 && self.words.get(at).len() == 4);
            let cents =
                figures.and_then(|number| Decimal::whole(number / 100).with_fraction(&format!("{:02}", number % 100)));
            let grand = matches!(self.words.before(end), "grand" | "k");
            let sure = if grand || self.words.before(end).len() > 1 { 0.88 } else { 0.7 };
            let whole = of(value, sure).map(|reading| Reading { bare: !grand, ..reading });
            return [whole, cents.and_then(|cents| of(cents, 0.3))].into_iter().flatten().collect();
        };
        let cents = strung.tail.and_then(|tail| Decimal::whole(strung.head).with_fraction(&format!("{tail:02}")));
        let (whole, with_cents) = match strung.head {
            _ if cents.is_none() => (0.75, 0.0),
            ..10 => (0.65, 0.35),
            10..100 => (0.35, 0.65),
            _ => (0.06, 0.7),
        };
        let mut readings: Vec<Reading> =
            [of(value, whole), cents.and_then(|cents| of(cents, with_cents))].into_iter().flatten().collect();
        readings.sort_by(|one, other| other.sure.total_cmp(&one.sure));
        readings
    }

    /// The name of a currency at this place.
    fn unit(&self, at: usize) -> Option<(Currency, usize)> {
        if let Some((code, end)) = self.words.find(at, UNITS) {
            let currency = if code == "dollar" { self.dollars() } else { Currency::parse(code)? };
            return Some((currency, end));
        }
        currencies::all().find_map(|(currency, names)| {
            let end = [names.one, names.many].iter().find_map(|name| self.words.take(at, &name.to_lowercase()))?;
            Some((currency, end))
        })
    }

    /// Whose dollars: the caller's own where they are dollars.
    fn dollars(&self) -> Currency {
        match currencies::names_of(self.wanted) {
            Some(names) if names.one.ends_with("dollar") => self.wanted,
            _ => Currency::USD,
        }
    }
}

/// "fifty", "five", "oh five": 1 to 99.
fn small_part(words: &Words, at: usize) -> Option<(i64, usize)> {
    if zero(words, at) {
        return digit(words, at + 1).map(|digit| (digit, at + 2));
    }
    below_hundred(words, at).filter(|(_, end)| words.get(*end) != "hundred")
}

fn number_of(words: &Words, at: usize) -> Option<Number> {
    number(words, at)
}

fn amount(value: Decimal, currency: Currency) -> Option<Value> {
    value.as_amount(currency).map(Value::Amount)
}

/// "june fourteenth two thousand and seventeen".
fn is_year_of_a_day(words: &Words, at: usize) -> bool {
    let after_a_day = at > 0 && super::numbers::ordinal(words, at - 1).is_some_and(|(_, end)| end == at);
    after_a_day && super::dates::year(words, at).is_some()
}

/// Is the number here part of a date, a time, a place in an order, or no number at all?
pub fn names_something_else(words: &Words, at: usize, start: usize) -> bool {
    let before = words.before(at);
    let is_one = words.get(start) == "one";
    let after_a_place = at > 0 && super::numbers::ordinal(words, at - 1).is_some_and(|(_, end)| end == at);
    let two_before = at.checked_sub(2).map_or("", |at| words.get(at));
    MONTHS.contains(&before)
        || (MONTHS.contains(&two_before) && before == "the")
        || (is_one && (after_a_place || PRONOUN_AFTER.contains(&before) || words.get(start + 1) == "of"))
        || matches!(before, "past" | "quarter" | "half" | "number" | "option" | "press" | "ending" | "hash")
        || words.after(at, &["quarter to", "card ending in", "ends in", "ending in", "out of", "quarter of"])
        || super::numbers::ordinal(words, start).is_some()
        || is_year_of_a_day(words, at)
        || words.any(start + 1, &["of january", "of february"]).is_some()
        || WEEKDAYS.contains(&before) && words.get(start).len() < 3
}
