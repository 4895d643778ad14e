//! Values as words for a synthesiser. Nothing here fails: what cannot be said in the way asked for is said plainly.

use jiff::civil::{Date, DateTime, Time};

use super::currencies::home_currency;
use super::digits;
use crate::language::Language;
use crate::value::{Amount, Currency, Value};

mod english;
mod mandarin;
mod phone;
mod plain;
mod reading;

use english::English;
use mandarin::Mandarin;
use plain::Plain;

/// How a value is to be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SayAs {
    /// By its own type; words as they are.
    #[default]
    Auto,
    /// As money; a bare number is money of the language's own region.
    Amount,
    /// As money; a bare number is money of this currency.
    AmountIn(Currency),
    /// As a day.
    Date,
    /// As a time of day.
    Time,
    /// As a number.
    Number,
    /// Digit by digit, in groups.
    Digits,
    /// As a place in an order: "twenty-first".
    Ordinal,
    /// As a telephone number.
    Phone,
    /// Letter by letter.
    Spell,
    /// As a moment soon to come, by its distance from today: "tomorrow at nine".
    Near,
}

impl SayAs {
    /// The ways by name, as prompts call them.
    pub const NAMES: [(&str, Self); 11] = [
        ("auto", Self::Auto),
        ("amount", Self::Amount),
        ("date", Self::Date),
        ("time", Self::Time),
        ("number", Self::Number),
        ("digits", Self::Digits),
        ("ordinal", Self::Ordinal),
        ("phone", Self::Phone),
        ("spell", Self::Spell),
        ("characters", Self::Spell), // its name in SSML
        ("near", Self::Near),
    ];

    /// `amount`, `date`, … or `amount?currency=GBP`.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(code) = name.strip_prefix("amount?currency=") {
            return Currency::parse(code).map(Self::AmountIn);
        }
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, how)| *how)
    }
}

/// `value` in words. Text that reads as what is wanted (`2026-03-01` as a date, `12.5` as an amount) is said as that;
/// what cannot be said so is said by its own type. Dates name their year only when it is not that of `today`.
pub fn say(value: &Value, how: SayAs, language: &Language, today: Date) -> String {
    let tongue = tongue_of(language);
    let wanted = |value: &Value| match how {
        SayAs::Auto => None,
        SayAs::Amount => reading::amount(value, home_currency(language)).map(|amount| tongue.amount(amount)),
        SayAs::AmountIn(currency) => reading::amount(value, currency).map(|amount| tongue.amount(amount)),
        SayAs::Date => reading::date(value).map(|date| tongue.date(date, today)),
        SayAs::Time => reading::time(value).map(|time| tongue.time(time)),
        SayAs::Number => reading::figures(value).map(|figures| tongue.number(&figures)),
        SayAs::Ordinal => reading::place(value).map(|place| tongue.ordinal(place)),
        SayAs::Digits => reading::digits(value).map(|text| digits::said(&text, language)),
        SayAs::Phone => reading::phone(value).map(|number| phone::said(&number, language)),
        SayAs::Spell => reading::spelling(value).map(|text| tongue.letters(&text)),
        SayAs::Near => reading::moment(value).map(|moment| tongue.near(moment, today)),
    };
    if let Value::List(items) = value {
        return tongue.list(&items.iter().map(|item| say(item, how, language, today)).collect::<Vec<_>>());
    }
    wanted(value).unwrap_or_else(|| by_type(value, language, tongue.as_ref(), today))
}

/// "Yes" or "no".
pub fn yes_no(truth: bool, language: &Language) -> String {
    tongue_of(language).yes_no(truth)
}

fn by_type(value: &Value, language: &Language, tongue: &dyn Tongue, today: Date) -> String {
    match value {
        Value::Nothing => String::new(),
        Value::Boolean(truth) => tongue.yes_no(*truth),
        Value::Integer(_) | Value::Number(_) => {
            reading::figures(value).map_or_else(|| value.plain(), |figures| tongue.number(&figures))
        }
        Value::Amount(amount) => tongue.amount(*amount),
        Value::Date(date) => tongue.date(*date, today),
        Value::Time(time) => tongue.time(*time),
        Value::Moment(moment) => tongue.moment(*moment, today),
        Value::Digits(text) => digits::said(text, language),
        Value::Phone(text) => phone::said(text, language),
        Value::Text(text) => text.clone(),
        Value::List(items) => {
            tongue.list(&items.iter().map(|item| by_type(item, language, tongue, today)).collect::<Vec<_>>())
        }
        Value::Map(entries) => {
            tongue.list(&entries.values().map(|item| by_type(item, language, tongue, today)).collect::<Vec<_>>())
        }
    }
}

/// A number as figures: what words need to know, without a float's rounding.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Figures {
    /// Below zero.
    negative: bool,
    /// Before the point.
    whole: u64,
    /// After the point, digit by digit; empty for a whole number.
    fraction: String,
}

/// One language's words.
trait Tongue {
    fn number(&self, figures: &Figures) -> String;
    fn ordinal(&self, place: u64) -> String;
    fn amount(&self, amount: Amount) -> String;
    fn date(&self, date: Date, today: Date) -> String;
    fn time(&self, time: Time) -> String;
    fn moment(&self, moment: DateTime, today: Date) -> String;
    /// A moment that comes soon, after "we open": the day by its distance from today.
    fn near(&self, moment: DateTime, today: Date) -> String;
    fn yes_no(&self, truth: bool) -> String;
    fn letters(&self, text: &str) -> String;
    fn list(&self, items: &[String]) -> String;
}

/// Days from today to that day; less than nothing for those that are gone.
fn days_until(today: Date, day: Date) -> i32 {
    day.since(today).map_or(i32::MAX, |span| span.get_days())
}

fn tongue_of(language: &Language) -> Box<dyn Tongue> {
    match language.primary() {
        "en" => Box::new(English::of(language)),
        "zh" | "cmn" => Box::new(Mandarin),
        _ => Box::new(Plain),
    }
}

#[cfg(test)]
mod tests;
