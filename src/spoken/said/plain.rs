//! Languages without words of their own: figures, as their synthesiser reads them best.

use jiff::civil::{Date, DateTime, Time};

use super::{Figures, Tongue};
use crate::value::{Amount, Value};

/// Figures.
pub struct Plain;

impl Tongue for Plain {
    fn number(&self, figures: &Figures) -> String {
        let sign = if figures.negative { "-" } else { "" };
        let point = if figures.fraction.is_empty() { "" } else { "." };
        format!("{sign}{}{point}{}", figures.whole, figures.fraction)
    }

    fn ordinal(&self, place: u64) -> String {
        place.to_string()
    }

    fn amount(&self, amount: Amount) -> String {
        format!("{} {}", amount.plain(), amount.currency.code())
    }

    fn date(&self, date: Date, _today: Date) -> String {
        Value::Date(date).plain()
    }

    fn time(&self, time: Time) -> String {
        Value::Time(time).plain()
    }

    fn moment(&self, moment: DateTime, today: Date) -> String {
        format!("{} {}", self.date(moment.date(), today), self.time(moment.time()))
    }

    fn near(&self, moment: DateTime, today: Date) -> String {
        self.moment(moment, today)
    }

    fn yes_no(&self, truth: bool) -> String {
        truth.to_string()
    }

    fn letters(&self, text: &str) -> String {
        let letters: Vec<String> = text.chars().filter(|c| c.is_alphanumeric()).map(String::from).collect();
        letters.join(", ")
    }

    fn list(&self, items: &[String]) -> String {
        items.join(", ")
    }
}
