//! A typed value: what a caller said, what a list or a look-up gave, what a condition compares and a prompt speaks.
//!
//! Values are parsed once, where they come in (`grammar` and `spoken` hear them, `dialplan` reads them from files and
//! look-ups), and spoken once, where they go out. They may be personal: whoever keeps one wraps it in
//! [`Pii`](crate::pii::Pii).

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, Time};
use serde::{Deserialize, Deserializer, Serialize};

/// One value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "value")]
pub enum Value {
    /// Nothing is known.
    #[default]
    Nothing,
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number; never money.
    Number(#[serde(deserialize_with = "number_or_none")] f64),
    /// A sum of money.
    Amount(Amount),
    /// A day.
    Date(Date),
    /// A time of day.
    Time(Time),
    /// A moment, as the plan's clock shows it.
    Moment(DateTime),
    /// A string of digits, such as an account number: leading zeros count.
    Digits(String),
    /// A telephone number: E.164 with its `+` where the region is known, else digits as dialled.
    Phone(String),
    /// Words.
    Text(String),
    /// Several, in order.
    List(Vec<Self>),
    /// Several, by name.
    Map(BTreeMap<String, Self>),
}

/// JSON has no word for a calculation that failed (0 / 0) and writes null: such a value must not make the record that
/// holds it unreadable.
fn number_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Option::<f64>::deserialize(from).map(|number| number.unwrap_or(f64::NAN))
}

/// A sum of money, in the smallest unit of its currency: 1,250 is USD 12.50, or JPY 1,250.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Amount {
    /// Smallest units; negative for a credit.
    pub minor: i64,
    /// Of what.
    pub currency: Currency,
}

/// A currency by its ISO 4217 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// United States dollar.
    pub const USD: Self = Self(*b"USD");
    /// Renminbi.
    pub const CNY: Self = Self(*b"CNY");
    /// Pound sterling.
    pub const GBP: Self = Self(*b"GBP");
    /// Euro.
    pub const EUR: Self = Self(*b"EUR");

    /// `usd` or `USD`; `None` for what is no three letters.
    pub fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 3] = code.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphabetic).then(|| Self(bytes.map(|letter| letter.to_ascii_uppercase())))
    }

    /// Its three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is three ASCII letters")
    }

    /// How many decimal places its smallest unit has (ISO 4217): 2 for nearly all, 0 for yen and won, 3 for some dinars.
    pub const fn decimals(&self) -> u32 {
        match &self.0 {
            b"JPY" | b"KRW" | b"VND" | b"CLP" | b"ISK" | b"XAF" | b"XOF" | b"UGX" | b"PYG" | b"RWF" => 0,
            b"KWD" | b"BHD" | b"OMR" | b"JOD" | b"TND" | b"IQD" | b"LYD" => 3,
            _ => 2,
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = String;

    fn try_from(code: String) -> Result<Self, String> {
        Self::parse(&code).ok_or_else(|| format!("`{code}` is no currency: write its three letters, such as USD"))
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl Amount {
    /// `12.5`, `12.50`, `1,234.50` or `1250` (with 0 decimals) of `currency`; `None` when it is no number, has more
    /// decimals than the currency, or does not fit. A comma stands between thousands and nowhere else: `12,50`, which
    /// half of the world writes for twelve and a half, is nobody's thousand.
    pub fn parse(text: &str, currency: Currency) -> Option<Self> {
        let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let decimals = currency.decimals() as usize;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let whole = ungrouped(whole)?;
        if whole.is_empty() || part.len() > decimals || !digits(&whole) || !digits(part) {
            return None;
        }
        let minor: i64 = format!("{whole}{part:0<decimals$}").parse().ok()?;
        Some(Self { minor: sign * minor, currency })
    }

    /// Whole units and what is left of the smallest ones, both without sign: USD -12.50 is (12, 50).
    pub const fn parts(&self) -> (u64, u64) {
        let unit = 10_u64.pow(self.currency.decimals());
        (self.minor.unsigned_abs() / unit, self.minor.unsigned_abs() % unit)
    }

    /// `12.50`: plain, without its currency.
    pub fn plain(&self) -> String {
        let (whole, part) = self.parts();
        let sign = if self.minor < 0 { "-" } else { "" };
        match self.currency.decimals() as usize {
            0 => format!("{sign}{whole}"),
            decimals => format!("{sign}{whole}.{part:0decimals$}"),
        }
    }
}

/// `1,234,567` as `1234567`; `None` where a comma stands anywhere but between thousands.
fn ungrouped(whole: &str) -> Option<String> {
    let (first, groups) = whole.split_once(',').map_or((whole, None), |(first, rest)| (first, Some(rest)));
    let well =
        groups.is_none_or(|groups| (1..=3).contains(&first.len()) && groups.split(',').all(|group| group.len() == 3));
    well.then(|| whole.replace(',', ""))
}

impl Value {
    /// Words as a value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Is nothing known?
    pub const fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// What it is, as plans call it.
    pub const fn sort(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Boolean(_) => "boolean",
            Self::Integer(_) | Self::Number(_) => "number",
            Self::Amount(_) => "amount",
            Self::Date(_) => "date",
            Self::Time(_) => "time",
            Self::Moment(_) => "moment",
            Self::Digits(_) => "digits",
            Self::Phone(_) => "phone",
            Self::Text(_) => "text",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// As plain text for records, look-ups and exports: `12.50`, `2026-03-01`, `17:30`, `true`. Lists and maps are JSON.
    pub fn plain(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Boolean(truth) => truth.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Amount(amount) => amount.plain(),
            Self::Date(date) => date.to_string(),
            Self::Time(time) => time.strftime("%H:%M").to_string(),
            Self::Moment(moment) => moment.strftime("%Y-%m-%dT%H:%M").to_string(),
            Self::Digits(text) | Self::Phone(text) | Self::Text(text) => text.clone(),
            Self::List(_) | Self::Map(_) => self.to_json().to_string(),
        }
    }

    /// As untyped JSON: money, dates and digits become strings.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Nothing => serde_json::Value::Null,
            Self::Boolean(truth) => (*truth).into(),
            Self::Integer(number) => (*number).into(),
            Self::Number(number) => (*number).into(),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(entries) => entries.iter().map(|(name, value)| (name.clone(), value.to_json())).collect(),
            other => other.plain().into(),
        }
    }

    /// From untyped JSON: strings stay words, whole numbers become [`Value::Integer`].
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Nothing,
            serde_json::Value::Bool(truth) => Self::Boolean(*truth),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(whole) => Self::Integer(whole),
                None => number.as_f64().map_or(Self::Nothing, Self::Number),
            },
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(entries) => {
                Self::Map(entries.iter().map(|(name, value)| (name.clone(), Self::from_json(value))).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_counted_in_its_smallest_unit() {
        let yen = Currency::parse("jpy").unwrap();
        for (text, currency, minor, plain) in [
            ("12.5", Currency::USD, 1250, "12.50"),
            ("1,234", Currency::USD, 123_400, "1234.00"),
            ("-1,234,567.8", Currency::USD, -123_456_780, "-1234567.80"),
            ("-0.05", Currency::EUR, -5, "-0.05"),
            ("300", yen, 300, "300"),
        ] {
            let amount = Amount::parse(text, currency).unwrap();
            assert_eq!((amount.minor, amount.plain().as_str()), (minor, plain), "{text}");
        }
        let commas = ["12,50", "1,2345", "1234,567", ",123", "1,,234", "1,23,456", "1.234,56", "1.2,3"];
        for text in ["", "-", ".5", "12.505", "twelve", "99999999999999999999"].into_iter().chain(commas) {
            assert_eq!(Amount::parse(text, Currency::USD), None, "{text}");
        }
        assert_eq!(Amount::parse("1.5", yen), None);
    }

    #[test]
    fn a_value_keeps_its_type_through_its_own_json_and_loses_it_in_plain_json() {
        let due = Value::Amount(Amount { minor: 20_000, currency: Currency::USD });
        let all = Value::Map([("due".to_owned(), due), ("pin".to_owned(), Value::Digits("0042".into()))].into());
        let typed = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&typed).unwrap(), all);
        assert_eq!(all.to_json().to_string(), r#"{"due":"200.00","pin":"0042"}"#);
        let back = Value::from_json(&all.to_json());
        assert_eq!(
            back,
            Value::Map([("due".to_owned(), Value::text("200.00")), ("pin".to_owned(), Value::text("0042")),].into())
        );
    }

    #[test]
    fn a_number_that_is_none_can_be_read_back() {
        let written = serde_json::to_string(&Value::Number(f64::NAN)).unwrap();
        let Value::Number(read) = serde_json::from_str(&written).unwrap() else { panic!("{written}") };
        assert!(read.is_nan());
    }

    #[test]
    fn a_currency_is_three_letters() {
        assert!(serde_json::from_str::<Currency>("\"US\"").is_err());
        assert!(serde_json::from_str::<Currency>("\"元元元\"").is_err());
        assert_eq!(serde_json::from_str::<Currency>("\"cny\"").unwrap(), Currency::CNY);
    }
}
