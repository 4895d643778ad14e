//! What prompts and conditions can see: values by name, and the facts of the call.
//!
//! Names are letters, digits and `_`; a `-` in the name of a step or slot is written `_` where it is read. A sub-plan
//! sees its own values and the same facts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time};

use crate::language::Language;
use crate::pii::Pii;
use crate::value::{Amount, Currency, Value};

/// Values by name as they come from outside: words.
pub type Variables = BTreeMap<String, Pii<String>>;

/// Names that the engine gives; no plan may use them for values of its own.
pub const RESERVED_NAMES: [&str; 6] = ["call", "now", "env", "true", "false", IT];

/// What the step in hand speaks of: the values it wants confirmed, as they are read back.
pub const IT: &str = "it";

/// What a call knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    values: BTreeMap<String, Pii<Value>>,
    facts: BTreeMap<String, Pii<Value>>,
    secret: BTreeSet<String>,
    it: Option<Pii<Value>>,
    markers: Arc<BTreeMap<String, String>>,
}

impl Scope {
    /// Nothing but the facts of the call: `caller`, `called`, `direction`…
    pub fn of(facts: BTreeMap<String, Pii<Value>>) -> Self {
        Self { facts, ..Self::default() }
    }

    /// The same facts, no values.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self { facts: self.facts.clone(), markers: self.markers.clone(), ..Self::default() }
    }

    /// Keeps a value under a name; nothing forgets it.
    pub fn keep(&mut self, name: &str, value: Value) {
        let name = readable(name);
        if value.is_nothing() {
            self.values.remove(&name);
        } else {
            self.values.insert(name, Pii::new(value));
        }
    }

    /// The same for a value that prompts, records and agents never see.
    pub fn keep_secret(&mut self, name: &str, value: Value) {
        self.keep(name, value);
        self.secret.insert(readable(name));
    }

    /// Is the value of that name a secret?
    pub fn is_secret(&self, name: &str) -> bool {
        self.secret.contains(&readable(name))
    }

    /// What the step in hand speaks of, until the call leaves it.
    pub fn set_it(&mut self, value: Option<Value>) {
        self.it = value.map(Pii::new);
    }

    /// A value, by its name.
    pub fn value(&self, name: &str) -> Option<&Value> {
        match name {
            IT => self.it.as_ref().map(Pii::reveal),
            name => self.values.get(&readable(name)).map(Pii::reveal),
        }
    }

    /// What stands for the secrets of the house in requests: `env` in texts.
    #[must_use]
    pub fn with_markers(mut self, markers: Arc<BTreeMap<String, String>>) -> Self {
        self.markers = markers;
        self
    }

    /// What stands for the secrets of the house, by name.
    pub fn markers(&self) -> &BTreeMap<String, String> {
        &self.markers
    }

    /// A fact of the call.
    pub fn fact(&self, name: &str) -> Option<&Value> {
        self.facts.get(name).map(Pii::reveal)
    }

    /// Another fact of the call.
    pub fn set_fact(&mut self, name: &str, value: Value) {
        self.facts.insert(name.to_owned(), Pii::new(value));
    }

    /// Every value with its name, but no secret.
    pub fn values(&self) -> impl Iterator<Item = (&str, &Value)> {
        let open = self.values.iter().filter(|(name, _)| !self.secret.contains(*name));
        let it = self.it.iter().map(|value| (IT, value.reveal()));
        open.map(|(name, value)| (name.as_str(), value.reveal())).chain(it)
    }

    /// Every secret with its name, for other systems only.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &Value)> {
        let secret = self.values.iter().filter(|(name, _)| self.secret.contains(*name));
        secret.map(|(name, value)| (name.as_str(), value.reveal()))
    }

    /// Every fact with its name.
    pub fn facts(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.facts.iter().map(|(name, value)| (name.as_str(), value.reveal()))
    }
}

/// A scope as one prompt or condition reads it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is known.
    pub scope: &'a Scope,
    /// In which language it is spoken of.
    pub language: &'a Language,
    /// Date and time where the plan lives.
    pub now: DateTime,
}

impl View<'_> {
    /// What `now.…` is, by name, in texts as in conditions.
    pub fn clock(&self) -> [(&'static str, Value); 4] {
        let now = self.now;
        [
            ("date", Value::Date(now.date())),
            ("time", Value::Time(now.time())),
            ("weekday", Value::Text(now.strftime("%a").to_string().to_lowercase())),
            ("hour", Value::Integer(now.hour().into())),
        ]
    }
}

/// The name by which prompts and conditions read a value.
pub fn readable(name: &str) -> String {
    name.replace('-', "_")
}

/// What a plan says a value is.
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
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match self {
            Self::Text => Ok(Value::text(text)),
            Self::Number => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(whole), _) => Ok(Value::Integer(whole)),
                (_, Ok(number)) if number.is_finite() => Ok(Value::Number(number)),
                _ => Err("is no number: write 12 or 12.5"),
            },
            Self::Amount(currency) => {
                let bare = text.trim_start_matches(['$', '€', '£', '¥', '￥']).trim();
                let bare = bare.strip_suffix(currency.code()).unwrap_or(bare).trim();
                let amount =
                    Amount::parse(bare, *currency).or_else(|| Amount::parse(bare.strip_suffix(".0")?, *currency));
                amount.map(Value::Amount).ok_or("is no amount: write 12.50")
            }
            Self::Date => text
                .get(..10)
                .unwrap_or(text)
                .parse::<Date>()
                .map(Value::Date)
                .map_err(|_| "is no date: write 2026-03-01"),
            Self::Time => Time::strptime("%H:%M", text)
                .or_else(|_| Time::strptime("%H:%M:%S", text))
                .map(Value::Time)
                .map_err(|_| "is no time of day: write 17:30"),
            Self::Digits => {
                let bare: String = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').collect();
                if digits(&bare) { Ok(Value::Digits(bare)) } else { Err("is no string of digits") }
            }
            Self::Phone => {
                let bare: String = text.chars().filter(|letter| letter.is_ascii_digit() || *letter == '+').collect();
                let number = bare.strip_prefix('+').unwrap_or(&bare);
                if digits(number) { Ok(Value::Phone(bare)) } else { Err("is no telephone number") }
            }
            Self::Boolean => match text.to_lowercase().as_str() {
                "true" | "yes" | "y" | "1" => Ok(Value::Boolean(true)),
                "false" | "no" | "n" | "0" => Ok(Value::Boolean(false)),
                _ => Err("is neither yes nor no: write true or false"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_says_becomes_what_the_plan_wants_or_a_reason() {
        let usd = Sort::parse("amount USD").unwrap();
        assert_eq!(usd.take("$1,200.50"), Ok(Value::Amount(Amount { minor: 120_050, currency: Currency::USD })));
        assert_eq!(
            Sort::parse("date").unwrap().take("2026-03-01T00:00:00"),
            Ok(Value::Date(jiff::civil::date(2026, 3, 1)))
        );
        assert_eq!(Sort::Number.take(" 12 "), Ok(Value::Integer(12)));
        assert_eq!(Sort::Boolean.take("Yes"), Ok(Value::Boolean(true)));
        assert_eq!(Sort::Digits.take("00 42"), Ok(Value::Digits("0042".into())));
        assert_eq!(Sort::Phone.take("+1 (415) 555-0100"), Ok(Value::Phone("+14155550100".into())));
        assert_eq!(Sort::Time.take("17:30"), Ok(Value::Time(jiff::civil::time(17, 30, 0, 0))));
        for (sort, text) in
            [(usd, "twelve"), (Sort::Date, "01.03.2026"), (Sort::Number, "NaN"), (Sort::Digits, ""), (Sort::Phone, "+")]
        {
            assert!(sort.take(text).is_err(), "{sort:?} {text}");
        }
        for wrong in ["dat", "amount dollars", "date USD", ""] {
            assert_eq!(Sort::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_hyphen_in_a_name_is_read_as_an_underscore_and_nothing_is_forgotten() {
        let mut scope = Scope::default();
        scope.keep("card-number", Value::Digits("42".into()));
        assert_eq!(scope.value("card_number"), Some(&Value::Digits("42".into())));
        scope.keep("card-number", Value::Nothing);
        assert_eq!(scope.value("card-number"), None);
    }
}
