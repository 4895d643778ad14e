//! Built-in grammars: what is said for a yes, a sum, a day… as a typed value, by voice or by key, and read back.
//!
//! ```text
//!   Kind::parse("amount?currency=USD;max=500")
//!     find("two hundred, no, three hundred")   ▸ USD 300.00
//!     keys("300*50#")                          ▸ USD 300.50
//!     say_back                                 ▸ "three hundred dollars and fifty cents"
//! ```
//!
//! Names and the `name?key=value;key=value` form follow the built-in grammars of VoiceXML 2.0, Appendix P; what they
//! take and give goes further. `grammars/README.md` lists what may be said.

use jiff::civil::Date;

use crate::language::Language;
use crate::spoken::{self, SayAs};
use crate::value::{Currency, Value};

pub mod keys;
mod parameters;

pub use crate::spoken::heard::{Fit, Found, When, find};
pub use keys::{Keys, keys};
pub use parameters::NotAKind;

/// A built-in grammar with its parameters. Bounds are inclusive.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Yes or no: [`Value::Boolean`].
    Boolean,
    /// So many digits: [`Value::Digits`].
    Digits {
        /// At least.
        min: usize,
        /// At most.
        max: usize,
    },
    /// A number: [`Value::Integer`] or [`Value::Number`].
    Number {
        /// At least.
        min: Option<f64>,
        /// At most.
        max: Option<f64>,
    },
    /// A sum of money: [`Value::Amount`].
    Amount {
        /// Of what, when only a number is said; `None` is the money of the caller's region.
        currency: Option<Currency>,
        /// At least, in whole units: 12.5.
        min: Option<f64>,
        /// At most.
        max: Option<f64>,
    },
    /// A day: [`Value::Date`].
    Date {
        /// Which side of today.
        when: When,
    },
    /// A time of day: [`Value::Time`].
    Time,
    /// A telephone number: [`Value::Phone`].
    Phone {
        /// Whose numbers are said without a country code (`US`); `None` is the caller's region.
        region: Option<String>,
    },
    /// A whole number on a scale: [`Value::Integer`].
    Rating {
        /// The worst.
        min: i64,
        /// The best.
        max: i64,
    },
    /// A word letter by letter: [`Value::Text`] in capitals.
    Spelling {
        /// Letters at least.
        min: usize,
        /// At most.
        max: usize,
    },
    /// A day and a time: [`Value::Moment`].
    Moment {
        /// Which side of today.
        when: When,
    },
}

impl Kind {
    /// Its name without parameters.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Digits { .. } => "digits",
            Self::Number { .. } => "number",
            Self::Amount { .. } => "amount",
            Self::Date { .. } => "date",
            Self::Time => "time",
            Self::Phone { .. } => "phone",
            Self::Rating { .. } => "rating",
            Self::Spelling { .. } => "spelling",
            Self::Moment { .. } => "moment",
        }
    }

    /// With the money and the country of the caller's language where the parameters leave them open; [`keys()`] cannot know
    /// them otherwise.
    pub fn at_home(&self, language: &Language) -> Self {
        match self {
            Self::Amount { currency: None, min, max } => {
                Self::Amount { currency: Some(spoken::home_currency(language)), min: *min, max: *max }
            }
            Self::Phone { region: None } => Self::Phone { region: spoken::home_region(language).map(str::to_owned) },
            kind => kind.clone(),
        }
    }

    /// Is this value one of the kind, within its bounds?
    pub fn accepts(&self, value: &Value, today: Date) -> bool {
        let between = |number: f64, min: &Option<f64>, max: &Option<f64>| {
            min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max)
        };
        match (self, value) {
            (Self::Boolean, Value::Boolean(_))
            | (Self::Time, Value::Time(_))
            | (Self::Phone { .. }, Value::Phone(_)) => true,
            (Self::Digits { min, max }, Value::Digits(digits)) => (*min..=*max).contains(&digits.len()),
            (Self::Number { min, max }, Value::Integer(number)) => between(*number as f64, min, max),
            (Self::Number { min, max }, Value::Number(number)) => between(*number, min, max),
            (Self::Amount { min, max, .. }, Value::Amount(amount)) => {
                between(amount.minor as f64 / 10_f64.powi(amount.currency.decimals() as i32), min, max)
            }
            (Self::Date { when }, Value::Date(date)) => when.accepts(*date, today),
            (Self::Moment { when }, Value::Moment(moment)) => when.accepts(moment.date(), today),
            (Self::Rating { min, max }, Value::Integer(score)) => (*min..=*max).contains(score),
            (Self::Spelling { min, max }, Value::Text(text)) => (*min..=*max).contains(&text.chars().count()),
            _ => false,
        }
    }
}

/// `value` as it is read back to be confirmed: digits one by one, spelled words letter by letter, the rest in words.
pub fn say_back(value: &Value, kind: &Kind, language: &Language, today: Date) -> String {
    let how = match kind {
        Kind::Boolean | Kind::Moment { .. } => SayAs::Auto,
        Kind::Digits { .. } => SayAs::Digits,
        Kind::Number { .. } | Kind::Rating { .. } => SayAs::Number,
        Kind::Amount { currency, .. } => currency.map_or(SayAs::Amount, SayAs::AmountIn),
        Kind::Date { .. } => SayAs::Date,
        Kind::Time => SayAs::Time,
        Kind::Phone { .. } => SayAs::Phone,
        Kind::Spelling { .. } => SayAs::Spell,
    };
    spoken::say(value, how, language, today)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back_by_their_kind() {
        let english = Language::english();
        let today = jiff::civil::date(2026, 3, 4);
        for (kind, value, said) in [
            ("digits?length=4", Value::Digits("4217".into()), "four two one seven"),
            ("spelling", Value::text("BOX"), "B, O, X"),
            ("amount", Value::text("12.5"), "twelve dollars and fifty cents"),
            ("amount?currency=GBP", Value::Integer(12), "twelve pounds"),
            ("date", Value::text("2026-03-06"), "Friday, March the sixth"),
            ("boolean", Value::Boolean(true), "yes"),
        ] {
            assert_eq!(say_back(&value, &Kind::parse(kind).unwrap(), &english, today), said);
        }
    }

    /// `| kind | English | Mandarin |` with `words ▸ value` between dots.
    #[test]
    fn what_the_readme_says_may_be_said_is_heard() {
        let readme = include_str!("../../grammars/README.md");
        let now = jiff::civil::date(2026, 3, 4).at(10, 0, 0, 0);
        let mut said = 0;
        for row in readme.lines().filter(|line| line.contains('▸')) {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [kind, english, mandarin] = cells[..] else { panic!("`{row}` has three cells") };
            let kind = Kind::parse(kind.trim_matches('`')).unwrap();
            for (cell, tag) in [(english, "en-US"), (mandarin, "zh-CN")] {
                for example in cell.split('·') {
                    let (words, value) = example.split_once('▸').unwrap();
                    let found = find(words, &kind, &Language::parse(tag).unwrap(), now);
                    let heard = found.first().map(|found| found.value.plain());
                    assert_eq!(heard.as_deref(), Some(value.trim()), "{kind:?}: {words}");
                    said += 1;
                }
            }
        }
        assert!(said >= 75, "only {said} examples were read");
    }

    #[test]
    fn a_kind_takes_its_money_and_country_from_the_language() {
        let at_home = |kind: &str, tag: &str| Kind::parse(kind).unwrap().at_home(&Language::parse(tag).unwrap());
        assert_eq!(at_home("amount?max=5", "zh-CN"), Kind::parse("amount?currency=CNY;max=5").unwrap());
        assert_eq!(at_home("amount?currency=USD", "zh-CN"), Kind::parse("amount?currency=USD").unwrap());
        assert_eq!(at_home("phone", "en"), Kind::parse("phone?region=US").unwrap());
        assert_eq!(at_home("phone", "de"), Kind::Phone { region: None });
        assert_eq!(at_home("phone", "de-CH"), Kind::parse("phone?region=CH").unwrap());
    }

    #[test]
    fn a_kind_accepts_its_own_values_within_bounds() {
        let today = jiff::civil::date(2026, 3, 4);
        let accepts = |kind: &str, value: Value| Kind::parse(kind).unwrap().accepts(&value, today);
        assert!(accepts(
            "amount?min=12.5;max=500",
            Value::Amount(crate::value::Amount { minor: 1_250, currency: Currency::USD })
        ));
        assert!(!accepts(
            "amount?max=500",
            Value::Amount(crate::value::Amount { minor: 50_001, currency: Currency::USD })
        ));
        assert!(accepts("date?when=future", Value::Date(today)) && accepts("date?when=past", Value::Date(today)));
        assert!(!accepts("date", Value::text("2026-03-04")));
        assert!(!accepts("rating?max=5", Value::Integer(6)));
        assert!(!accepts("digits?length=4", Value::Digits("421".into())));
    }
}
