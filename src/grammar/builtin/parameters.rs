//! `digits?min=8;max=11`: names and parameters as plans write them.

use std::fmt::Display;
use std::str::FromStr;

use super::Kind;
use crate::spoken::heard::When;
use crate::value::Currency;

/// Most digits or letters one answer may have.
const LONGEST: usize = 64;

/// Why a built-in grammar cannot be used as it is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKind {
    /// No such name.
    #[error("there is no built-in grammar `{0}`; there are {names}", names = NAMES.join(", "))]
    Name(String),
    /// No such parameter here.
    #[error("`{kind}` has no parameter `{parameter}`; {known}")]
    Parameter {
        /// Whose.
        kind: &'static str,
        /// What was written.
        parameter: String,
        /// What could have been.
        known: String,
    },
    /// A parameter that is not what it should be.
    #[error("`{parameter}={value}` is no use: {wanted}")]
    Value {
        /// Which.
        parameter: String,
        /// What was written.
        value: String,
        /// What should have been.
        wanted: String,
    },
}

const NAMES: [&str; 10] =
    ["boolean", "digits", "number", "amount", "date", "time", "phone", "rating", "spelling", "moment"];

impl Kind {
    /// Every built-in grammar by name.
    pub const NAMES: [&'static str; 10] = NAMES;

    /// Reads `amount?currency=USD;max=500`; `&` may separate too.
    pub fn parse(text: &str) -> Result<Self, NotAKind> {
        let (name, parameters) = text.trim().split_once('?').unwrap_or((text.trim(), ""));
        let Some(name) = NAMES.into_iter().find(|known| *known == name) else {
            return Err(NotAKind::Name(name.to_owned()));
        };
        let mut given = Given::read(parameters)?;
        let kind = match name {
            "boolean" => Self::Boolean,
            "digits" => {
                let (min, max) = given.lengths()?;
                Self::Digits { min, max }
            }
            "spelling" => {
                let (min, max) = given.lengths()?;
                Self::Spelling { min, max }
            }
            "number" => {
                let (min, max) = given.bounds()?;
                Self::Number { min, max }
            }
            "amount" => {
                let currency = given.take("currency").map(|code| {
                    Currency::parse(&code)
                        .ok_or_else(|| wrong("currency", &code, "write the three letters of a currency, such as USD"))
                });
                let (min, max) = given.bounds()?;
                Self::Amount { currency: currency.transpose()?, min, max }
            }
            "date" => Self::Date { when: given.when()? },
            "moment" => Self::Moment { when: given.when()? },
            "time" => Self::Time,
            "phone" => {
                let region = given.take("region").map(|region| match region.as_bytes() {
                    [one, two] if one.is_ascii_alphabetic() && two.is_ascii_alphabetic() => {
                        Ok(region.to_ascii_uppercase())
                    }
                    _ => Err(wrong("region", &region, "write the two letters of a country, such as US")),
                });
                Self::Phone { region: region.transpose()? }
            }
            _ => {
                let whole = "write a whole number";
                let (min, max) = (given.number("min", whole)?.unwrap_or(0), given.number("max", whole)?.unwrap_or(10));
                if min >= max || min < 0 {
                    return Err(wrong(
                        "max",
                        max,
                        &format!("the scale begins at {min}; its end must lie above, and neither below zero"),
                    ));
                }
                Self::Rating { min, max }
            }
        };
        given.nothing_left(&kind)?;
        Ok(kind)
    }

    /// The parameters this kind takes.
    const fn parameters(&self) -> &'static [&'static str] {
        match self {
            Self::Boolean | Self::Time => &[],
            Self::Digits { .. } | Self::Spelling { .. } => &["length", "min", "max"],
            Self::Number { .. } | Self::Rating { .. } => &["min", "max"],
            Self::Amount { .. } => &["currency", "min", "max"],
            Self::Date { .. } | Self::Moment { .. } => &["when"],
            Self::Phone { .. } => &["region"],
        }
    }
}

/// Parameters as written, taken one by one.
struct Given(Vec<(String, String)>);

impl Given {
    fn read(text: &str) -> Result<Self, NotAKind> {
        let parts = text.split([';', '&']).map(str::trim).filter(|part| !part.is_empty());
        let mut given: Vec<(String, String)> = Vec::new();
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(|| wrong(part, "", "write it as `key=value`"))?;
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            if given.iter().any(|(known, _)| *known == key) {
                return Err(wrong(&key, &value, "it stands there twice"));
            }
            given.push((key, value));
        }
        Ok(Self(given))
    }

    fn take(&mut self, key: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == key)?;
        Some(self.0.remove(at).1)
    }

    fn number<T: FromStr>(&mut self, key: &str, wanted: &str) -> Result<Option<T>, NotAKind> {
        let Some(value) = self.take(key) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| wrong(key, &value, wanted))
    }

    fn bounds(&mut self) -> Result<(Option<f64>, Option<f64>), NotAKind> {
        let mut bound = |key: &str| -> Result<Option<f64>, NotAKind> {
            let number: Option<f64> = self.number(key, "write a number")?;
            match number {
                Some(number) if !number.is_finite() => Err(wrong(key, number, "write a number")),
                number => Ok(number),
            }
        };
        let (min, max) = (bound("min")?, bound("max")?);
        match (min, max) {
            (Some(min), Some(max)) if min > max => Err(wrong("max", max, &format!("it lies below min, {min}"))),
            bounds => Ok(bounds),
        }
    }

    fn lengths(&mut self) -> Result<(usize, usize), NotAKind> {
        let whole = &format!("write a whole number from 1 to {LONGEST}");
        let length: Option<usize> = self.number("length", whole)?;
        let (min, max) = (self.number("min", whole)?, self.number("max", whole)?);
        let (min, max): (usize, usize) = match (length, min, max) {
            (Some(length), None, None) => (length, length),
            (Some(length), _, _) => {
                return Err(wrong("length", length, "give either a length, or min and max"));
            }
            (None, min, max) => (min.unwrap_or(1), max.unwrap_or(LONGEST)),
        };
        for (key, value) in [("min", min), ("max", max)] {
            if !(1..=LONGEST).contains(&value) {
                return Err(wrong(if length.is_some() { "length" } else { key }, value, whole));
            }
        }
        if min > max { Err(wrong("max", max, &format!("it lies below min, {min}"))) } else { Ok((min, max)) }
    }

    fn when(&mut self) -> Result<When, NotAKind> {
        match self.take("when").as_deref() {
            None | Some("any") => Ok(When::Any),
            Some("future") => Ok(When::Future),
            Some("past") => Ok(When::Past),
            Some(other) => Err(wrong("when", other, "write future, past or any")),
        }
    }

    fn nothing_left(self, kind: &Kind) -> Result<(), NotAKind> {
        let Some((parameter, _)) = self.0.into_iter().next() else { return Ok(()) };
        let known = match kind.parameters() {
            [] => "it takes none".to_owned(),
            known => format!("it takes {}", known.join(", ")),
        };
        Err(NotAKind::Parameter { kind: kind.name(), parameter, known })
    }
}

fn wrong(parameter: &str, value: impl Display, wanted: &str) -> NotAKind {
    NotAKind::Value { parameter: parameter.to_owned(), value: value.to_string(), wanted: wanted.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_with_their_parameters() {
        for (text, kind) in [
            ("boolean", Kind::Boolean),
            ("digits?length=4", Kind::Digits { min: 4, max: 4 }),
            ("digits?min=8;max=11", Kind::Digits { min: 8, max: 11 }),
            (
                "amount?currency=usd;max=500",
                Kind::Amount { currency: Some(Currency::USD), min: None, max: Some(500.0) },
            ),
            ("rating?min=0;max=10", Kind::Rating { min: 0, max: 10 }),
            ("rating", Kind::Rating { min: 0, max: 10 }),
            (" date?when=future ", Kind::Date { when: When::Future }),
            ("phone?region=gb", Kind::Phone { region: Some("GB".into()) }),
            ("number?min=-1.5&max=2", Kind::Number { min: Some(-1.5), max: Some(2.0) }),
            ("spelling", Kind::Spelling { min: 1, max: LONGEST }),
            ("moment?when=any", Kind::Moment { when: When::Any }),
        ] {
            assert_eq!(Kind::parse(text).as_ref(), Ok(&kind), "{text}");
        }
        for name in Kind::NAMES {
            assert_eq!(Kind::parse(name).unwrap().name(), name);
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        for (text, sentence) in [
            (
                "money",
                "there is no built-in grammar `money`; there are boolean, digits, number, amount, date, time, phone, rating, spelling, moment",
            ),
            ("time?zone=utc", "`time` has no parameter `zone`; it takes none"),
            ("amount?max=5;unit=1", "`amount` has no parameter `unit`; it takes currency, min, max"),
            ("digits?length=0", "`length=0` is no use: write a whole number from 1 to 64"),
            ("digits?length=4;min=2", "`length=4` is no use: give either a length, or min and max"),
            ("digits?min=5;max=4", "`max=4` is no use: it lies below min, 5"),
            (
                "amount?currency=dollars",
                "`currency=dollars` is no use: write the three letters of a currency, such as USD",
            ),
            ("number?min=NaN", "`min=NaN` is no use: write a number"),
            ("date?when=soon", "`when=soon` is no use: write future, past or any"),
            ("phone?region=USA", "`region=USA` is no use: write the two letters of a country, such as US"),
            (
                "rating?min=5;max=5",
                "`max=5` is no use: the scale begins at 5; its end must lie above, and neither below zero",
            ),
            ("digits?4", "`4=` is no use: write it as `key=value`"),
            ("digits?min=1;min=2", "`min=2` is no use: it stands there twice"),
        ] {
            assert_eq!(Kind::parse(text).map_err(|wrong| wrong.to_string()), Err(sentence.to_owned()), "{text}");
        }
    }
}
