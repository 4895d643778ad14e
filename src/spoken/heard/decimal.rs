//! Exact decimal numbers, for money has no use for a float.

use crate::value::{Amount, Currency, Value};

/// `unscaled` divided by ten to the power `places`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    unscaled: i64,
    places: u32,
}

impl Decimal {
    /// A whole number.
    pub const fn whole(number: i64) -> Self {
        Self { unscaled: number, places: 0 }
    }

    /// `1234.50`; `None` for what is no number or too long.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return None;
        }
        let unscaled = format!("{whole}{fraction}").parse().ok()?;
        Some(Self { unscaled, places: u32::try_from(fraction.len()).ok()? })
    }

    /// This and digits after its point.
    pub fn with_fraction(self, digits: &str) -> Option<Self> {
        Self::parse(&format!("{}.{digits}", self.as_whole()?))
    }

    /// This times `factor`.
    pub fn times(self, factor: i64) -> Option<Self> {
        Some(Self { unscaled: self.unscaled.checked_mul(factor)?, ..self })
    }

    /// This and another.
    pub fn plus(self, other: Self) -> Option<Self> {
        let places = self.places.max(other.places);
        let scaled = |number: Self| number.unscaled.checked_mul(10_i64.checked_pow(places - number.places)?);
        Some(Self { unscaled: scaled(self)?.checked_add(scaled(other)?)?, places })
    }

    /// As a whole number, if it is one.
    pub fn as_whole(self) -> Option<i64> {
        let unit = 10_i64.checked_pow(self.places)?;
        (self.unscaled % unit == 0).then_some(self.unscaled / unit)
    }

    /// As money; `None` when it has more places than the currency.
    pub fn as_amount(self, currency: Currency) -> Option<Amount> {
        let minor = match currency.decimals().checked_sub(self.places) {
            Some(missing) => self.unscaled.checked_mul(10_i64.checked_pow(missing)?)?,
            None => Self { places: self.places - currency.decimals(), ..self }.as_whole()?,
        };
        Some(Amount { minor, currency })
    }

    /// As a number.
    pub fn as_value(self) -> Value {
        match self.as_whole() {
            Some(whole) => Value::Integer(whole),
            // Parsing text rounds once; dividing would round twice.
            None => format!("{}e-{}", self.unscaled, self.places).parse().map_or(Value::Nothing, Value::Number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_nothing() {
        let number = Decimal::parse("12.50").unwrap();
        assert_eq!(number.as_amount(Currency::USD).unwrap().minor, 1_250);
        assert_eq!(number.as_amount(Currency::parse("JPY").unwrap()), None);
        assert_eq!(number.as_value(), Value::Number(12.5));
        assert_eq!(Decimal::parse("3.00").unwrap().as_value(), Value::Integer(3));
        assert_eq!(
            Decimal::whole(2).with_fraction("05").unwrap().plus(Decimal::whole(1)).unwrap().as_value(),
            Value::Number(3.05)
        );
        for text in ["", ".", "1.2.3", "99999999999999999999", "1e5"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Decimal::whole(i64::MAX).times(10), None);
        assert_eq!(Decimal::whole(i64::MAX).as_amount(Currency::USD), None);
    }
}
