//! Values in what people say, found inside longer utterances.
//!
//! ```text
//!   "pay two hundred on Friday"      amount ▸ USD 200.00 at words 1..3      date ▸ 2026-03-06 at words 4..5
//!   "no, make it one fifty"          amount ▸ 150.00, or less likely 1.50
//!   "下周五下午五点半吧"               moment ▸ 2026-03-13T17:30
//! ```
//!
//! Each kind reads every place of the utterance by itself; `settle` then weighs what was found against the words around
//! it. Languages other than Mandarin are read as English, whose figures they share.

use jiff::civil::DateTime;

use super::currencies::home_region;
use super::digits;
use crate::grammar::builtin::Kind;
use crate::grammar::normalize::is_mandarin;
use crate::language::Language;
use crate::understand;
use crate::value::Value;

mod calendar;
mod decimal;
mod english;
mod mandarin;
mod phones;
mod runs;
mod settle;
mod words;

pub use calendar::When;
pub(crate) use calendar::{full_year, month_day};
pub(crate) use phones::{Dialled, dialled};
use runs::Spelled;
pub use settle::{Fit, Found};
use settle::{Manners, Reading, settle};
pub use words::{Word, Words};

/// What a value in another currency than the one asked for is worth.
const OTHER_CURRENCY: f32 = 0.4;
/// How sure the only reading within bounds is at least, however unlikely it was among several.
const ONLY_ONE_LEFT: f32 = 0.75;

/// Every value of this kind in `text`, best first. `now` is the caller's clock: "Friday" counts from it.
pub fn find(text: &str, kind: &Kind, language: &Language, now: DateTime) -> Vec<Found> {
    let mandarin = is_mandarin(language);
    let ear = Ear { text, words: Words::of(text, language), language, now, mandarin };
    let manners = if mandarin { mandarin_manners(kind) } else { english_manners(kind) };
    if let Kind::Digits { min, max } = kind
        && let Some(found) = ear.only_digits(*min, *max)
    {
        return found;
    }
    let mut found = settle(&ear.words, manners, |at| ear.bounded(kind, at));
    if found.is_empty() {
        found.extend(ear.begun(kind, manners));
    }
    found
}

struct Ear<'a> {
    text: &'a str,
    words: Words,
    language: &'a Language,
    now: DateTime,
    mandarin: bool,
}

impl Ear<'_> {
    /// What stands at one place, within the bounds of the kind.
    fn bounded(&self, kind: &Kind, at: usize) -> Vec<Reading> {
        let mut readings = self.read(kind, at);
        if readings.is_empty() {
            return self.passed_over(kind, at);
        }
        let all = readings.len();
        let end = readings.iter().map(|reading| reading.end).max();
        readings.retain(|reading| reading.value == Value::Nothing || kind.accepts(&reading.value, self.now.date()));
        if let (true, Some(end)) = (readings.is_empty(), end) {
            // A value out of bounds: its last words are none either ("twenty one" is no rating of one).
            return vec![Reading::plain(Value::Nothing, end, 0.0)];
        }
        if let (2.., [only]) = (all, &mut readings[..]) {
            only.sure = only.sure.max(ONLY_ONE_LEFT);
        }
        if let Kind::Amount { currency: Some(wanted), .. } = kind {
            for reading in &mut readings {
                if matches!(&reading.value, Value::Amount(amount) if amount.currency != *wanted) {
                    reading.sure *= OTHER_CURRENCY;
                }
            }
        }
        readings
    }

    /// A number that is no value of this kind hides none in its midst: "sixty five" is no five o'clock.
    fn passed_over(&self, kind: &Kind, at: usize) -> Vec<Reading> {
        let counts = matches!(
            kind,
            Kind::Amount { .. } | Kind::Number { .. } | Kind::Rating { .. } | Kind::Time | Kind::Moment { .. }
        );
        let end = match self.mandarin {
            _ if !counts => None,
            false => english::numbers::cardinal(&self.words, at).map(|(_, end)| end),
            true => mandarin::numbers::string(&self.words, at)
                .map(|(_, end)| end)
                .or_else(|| mandarin::numbers::cardinal(&self.words, at).map(|(_, end)| end)),
        };
        end.map(|end| Reading::plain(Value::Nothing, end, 0.0)).into_iter().collect()
    }

    fn read(&self, kind: &Kind, at: usize) -> Vec<Reading> {
        let (words, now, language) = (&self.words, self.now, self.language);
        let today = now.date();
        match (kind, self.mandarin) {
            (Kind::Boolean, false) => english::yes_no::at(words, at),
            (Kind::Boolean, true) => mandarin::yes_no::at(words, at),
            (Kind::Digits { min, max }, _) => self.digits(at, *min, *max),
            (Kind::Number { .. }, false) => english::plain::number_at(words, at),
            (Kind::Number { .. }, true) => mandarin::plain::number_at(words, at),
            (Kind::Amount { currency, .. }, false) => english::amounts::at(words, at, *currency, language),
            (Kind::Amount { currency, .. }, true) => mandarin::amounts::at(words, at, *currency, language),
            (Kind::Date { when }, false) => english::dates::at(words, at, today, *when, language),
            (Kind::Date { when }, true) => mandarin::dates::at(words, at, today, *when),
            (Kind::Time, false) => {
                english::times::at(words, at).map_or_else(Vec::new, |heard| timed(heard.times, heard.end, heard.bare))
            }
            (Kind::Time, true) => {
                mandarin::times::at(words, at).map_or_else(Vec::new, |heard| timed(heard.times, heard.end, heard.bare))
            }
            (Kind::Moment { when }, false) => english::moments::at(words, at, now, *when, language),
            (Kind::Moment { when }, true) => mandarin::moments::at(words, at, now, *when),
            (Kind::Phone { region }, _) => self.phone(at, region.as_deref()),
            (Kind::Rating { min, max }, false) => english::plain::rating_at(words, at, *min, *max),
            (Kind::Rating { min, max }, true) => mandarin::plain::rating_at(words, at, *min, *max),
            (Kind::Spelling { min, max }, _) => self.spelled(at, *min, *max),
        }
    }

    /// Digits and nothing else, as [`digits::heard`] takes the whole utterance.
    fn only_digits(&self, min: usize, max: usize) -> Option<Vec<Found>> {
        let (value, fit) = digits::heard(self.text, self.language, min, max);
        let (fit, sure) = match fit {
            understand::Fit::Full => (Fit::Full, 0.97),
            understand::Fit::Prefix => (Fit::Prefix, 0.9),
            understand::Fit::None => return None,
        };
        if self.words.is_empty() {
            return Some(Vec::new());
        }
        let words = 0..self.words.len();
        let bytes = self.words.bytes(&words);
        Some(match value {
            Some(digits) => vec![Found { value: Value::Digits(digits), words, bytes, fit, sure }],
            None => vec![Found { value: Value::Nothing, words, bytes, fit, sure: 0.0 }],
        })
    }

    /// A run of digits inside other words, read as it would be alone.
    fn digits(&self, at: usize, min: usize, max: usize) -> Vec<Reading> {
        let Some((_, _, end)) = self.run(at) else { return Vec::new() };
        let bytes = self.words.bytes(&(at..end));
        let value = self.text.get(bytes).and_then(|text| digits::heard(text, self.language, min, max).0);
        let value = value.filter(|digits| (min..=max).contains(&digits.len()));
        value.map(|digits| Reading::plain(Value::Digits(digits), end, 0.85)).into_iter().collect()
    }

    fn phone(&self, at: usize, region: Option<&str>) -> Vec<Reading> {
        let Some((digits, plus, end)) = self.run(at) else { return Vec::new() };
        match dialled(&digits, plus, region.unwrap_or_else(|| self.region())) {
            Dialled::Number(number, sure) => vec![Reading::plain(Value::Phone(number), end, sure)],
            Dialled::Local(number, sure) => vec![Reading::bare(Value::Phone(number), end, sure)],
            Dialled::Short | Dialled::No => Vec::new(),
        }
    }

    fn spelled(&self, at: usize, min: usize, max: usize) -> Vec<Reading> {
        let Some(Spelled { text, end, certain }) = self.letters(at) else { return Vec::new() };
        let length = text.chars().count();
        // A letter that is a word too ("I", "a") spells nothing among others.
        if !(min..=max).contains(&length) || (certain == 0 && self.words.len() > 1) {
            return Vec::new();
        }
        let sure = if certain > 0 { 0.9 } else { 0.5 };
        vec![Reading { value: Value::Text(text), end, sure, bare: length == 1 }]
    }

    /// What is spelled at this place.
    fn letters(&self, at: usize) -> Option<Spelled> {
        if self.mandarin { mandarin::spelling::at(&self.words, at) } else { english::spelling::at(&self.words, at) }
    }

    /// The run of digits at this place: the digits, whether a plus opened it, and its end.
    fn run(&self, at: usize) -> Option<(String, bool, usize)> {
        let run =
            if self.mandarin { mandarin::phones::at(&self.words, at) } else { english::phones::at(&self.words, at) };
        run.map(|run| (run.digits, run.plus, run.end))
    }

    /// The country whose numbers are dialled without its code.
    fn region(&self) -> &str {
        home_region(self.language).unwrap_or_default()
    }

    /// A value that has only begun: digits of a number still too short, the day of a moment without its time.
    fn begun(&self, kind: &Kind, manners: &Manners) -> Option<Found> {
        let end = self.words.len();
        let start = match kind {
            Kind::Phone { region } => {
                let region = region.as_deref().unwrap_or_else(|| self.region());
                (0..end).find(|at| {
                    self.run(*at).is_some_and(|(digits, plus, last)| {
                        // One digit at the end of other words is hardly a number begun.
                        let begun = digits.len() > 1 || *at == 0;
                        last == end && begun && dialled(&digits, plus, region) == Dialled::Short
                    })
                })
            }
            Kind::Moment { when } => settle(&self.words, manners, |at| self.read(&Kind::Date { when: *when }, at))
                .first()
                .filter(|day| day.fit != Fit::Inside)
                .map(|day| day.words.start),
            Kind::Spelling { .. } => {
                (0..end).find(|at| self.letters(*at).is_some_and(|spelled| spelled.end == end && spelled.certain > 0))
            }
            _ => None,
        }?;
        let words = start..end;
        let bytes = self.words.bytes(&words);
        Some(Found { value: Value::Nothing, words, bytes, fit: Fit::Prefix, sure: 0.0 })
    }
}

fn timed(times: Vec<(jiff::civil::Time, f32)>, end: usize, bare: bool) -> Vec<Reading> {
    times.into_iter().map(|(time, sure)| Reading { value: Value::Time(time), end, sure, bare }).collect()
}

const fn english_manners(kind: &Kind) -> &'static Manners {
    match kind {
        Kind::Boolean => &english::BOOLEAN,
        Kind::Digits { .. } | Kind::Phone { .. } => &english::PHONE,
        Kind::Number { .. } => &english::NUMBER,
        Kind::Amount { .. } => &english::AMOUNT,
        Kind::Date { .. } => &english::DATE,
        Kind::Time => &english::TIME,
        Kind::Moment { .. } => &english::MOMENT,
        Kind::Rating { .. } => &english::RATING,
        Kind::Spelling { .. } => &english::SPELLING,
    }
}

const fn mandarin_manners(kind: &Kind) -> &'static Manners {
    match kind {
        Kind::Boolean => &mandarin::BOOLEAN,
        Kind::Digits { .. } | Kind::Phone { .. } => &mandarin::PHONE,
        Kind::Number { .. } | Kind::Amount { .. } => &mandarin::AMOUNT,
        Kind::Date { .. } | Kind::Time | Kind::Moment { .. } => &mandarin::DATE,
        Kind::Rating { .. } => &mandarin::RATING,
        Kind::Spelling { .. } => &mandarin::SPELLING,
    }
}

#[cfg(test)]
mod english_tests;
#[cfg(test)]
mod mandarin_tests;
#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod tests;
