//! Mandarin sums of money: 两千零五十块三毛, 三块五, 一百二, 五毛钱, 十二美元五十美分, ¥12.5.

use super::numbers::{cardinal, digit, small, string};
use crate::language::Language;
use crate::spoken::currencies::{self, home_currency};
use crate::spoken::heard::decimal::Decimal;
use crate::spoken::heard::settle::Reading;
use crate::spoken::heard::words::Words;
use crate::value::{Amount, Currency, Value};

/// Everyday names; the tables of [`currencies`] have the rest. Empty: the money asked for.
const UNITS: &[(&str, &str)] = &[
    ("块", ""),
    ("块钱", ""),
    ("元", ""),
    ("元钱", ""),
    ("圆", ""),
    ("块大洋", ""),
    ("元人民币", "CNY"),
    ("块人民币", "CNY"),
    ("人民币", "CNY"),
    ("美金", "USD"),
    ("美刀", "USD"),
    ("刀", "USD"),
    ("块美金", "USD"),
    ("港币", "HKD"),
    ("港纸", "HKD"),
    ("块港币", "HKD"),
    ("加币", "CAD"),
    ("澳币", "AUD"),
    ("台币", "TWD"),
    ("新币", "SGD"),
    ("镑", "GBP"),
    ("日币", "JPY"),
];
/// After these a bare number counts something else.
const OTHER_THINGS: &[&str] = &[
    "号", "日", "月", "天", "周", "个", "次", "分钟", "小时", "钟头", "年", "岁", "星", "颗", "位", "张", "楼", "%",
    "折", "点半", "点钟", "点", "礼拜", "星期", "分", "刻", "下", "些", "样", "定", "直", "起", "会", "共", "般", "切",
    "遍", "条", "种", "人", "倍", "成", "期", "秒", "季", "级", "号线", "路", "旦", "边", "键", "选项",
];

/// What an amount at this place may be, best first.
pub fn at(words: &Words, at: usize, wanted: Option<Currency>, language: &Language) -> Vec<Reading> {
    let money = Money { words, wanted: wanted.unwrap_or_else(|| home_currency(language)) };
    let (start, sign) = words.take(at, "负").map_or((at, 1), |end| (end, -1));
    let mut readings = money.stated(start);
    if readings.is_empty() && !names_something_else(words, at) {
        readings = money.bare(start);
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
    fn stated(&self, at: usize) -> Vec<Reading> {
        let sign = match self.words.get(at) {
            "¥" => Some(if self.wanted.code() == "JPY" { self.wanted } else { Currency::CNY }),
            "$" => Some(Currency::USD),
            "£" => Some(Currency::GBP),
            "€" => Some(Currency::EUR),
            _ => self.words.take(at, "人民币").map(|_| Currency::CNY),
        };
        let start = match (sign, self.words.get(at)) {
            (Some(_), "人") => at + 3,
            (Some(_), _) => at + 1,
            _ => at,
        };
        let said = cardinal(self.words, start).or_else(|| {
            let (digits, end) = string(self.words, start)?;
            Some((Decimal::parse(&digits)?, end))
        });
        let Some((value, end)) = said else { return Vec::new() };
        // The 30分 of 17点30分 are minutes.
        let minutes = words_before_are_hours(self.words, start);
        if let Some((small, after)) = self.small_only(value, end).filter(|_| !minutes) {
            return vec![small_reading(small, after, self.words)];
        }
        let Some((currency, after)) = self.unit(end).or(sign.map(|currency| (currency, end))) else {
            return Vec::new();
        };
        let currency = sign.unwrap_or(currency);
        let about = matches!(self.words.get(end), "多" | "来");
        let (part, last) = self.part(currency, after);
        let last = self.words.skip(last, &["钱", "整", "人民币"]);
        let sum = part.map_or(Some(value), |part| value.plus(part));
        let amount = sum.and_then(|sum| sum.as_amount(currency));
        amount
            .map(|amount| Reading::plain(Value::Amount(amount), last, if about { 0.5 } else { 0.97 }))
            .into_iter()
            .collect()
    }

    /// What follows the whole units: 三毛, 五 (毛), 五角五分, 零五分, 半, 五十美分.
    fn part(&self, currency: Currency, at: usize) -> (Option<Decimal>, usize) {
        let words = self.words;
        let tenths = |count: i64| Decimal::parse(&format!("0.{count}"));
        let hundredths = |count: i64| Decimal::parse(&format!("0.{count:02}"));
        if let Some(end) = words.take(at, "半") {
            return (tenths(5), end);
        }
        if let Some(names) = currencies::names_of(currency).filter(|names| !names.small.is_empty())
            && let Some((count, next)) = small(words, at)
            && let Some(end) = words.take(next, names.small).or_else(|| words.take(next, "分"))
        {
            return (hundredths(count), end);
        }
        let zero = words.take(at, "零");
        let start = zero.unwrap_or(at);
        let Some(count) = digit(words, start).filter(|count| *count > 0) else { return (None, at) };
        let next = start + 1;
        if let Some((_, end)) = words.any(next, &["毛", "角"]) {
            // 五毛五 and 五毛五分
            let fen = digit(words, end).filter(|fen| *fen > 0);
            return match fen {
                Some(fen) => (hundredths(count * 10 + fen), words.skip(end + 1, &["分"])),
                None => (tenths(count), end),
            };
        }
        if let Some(end) = words.take(next, "分") {
            return (hundredths(count), end);
        }
        // 三块五: nothing else may count the five.
        let lone = words.any(next, OTHER_THINGS).is_none()
            && digit(words, next).is_none()
            && !matches!(words.get(next), "十" | "百" | "千" | "万");
        match zero {
            Some(_) if lone => (hundredths(count), next),
            None if lone && words.before(at) != "币" => (tenths(count), next),
            _ => (None, at),
        }
    }

    /// 五毛, 五毛五, 八分钱, 五十美分.
    fn small_only(&self, value: Decimal, at: usize) -> Option<(Amount, usize)> {
        let words = self.words;
        let count = value.as_whole()?;
        for (currency, names) in currencies::all().filter(|(_, names)| names.small.chars().count() > 1) {
            if let Some(end) = words.take(at, names.small) {
                return Some((Amount { minor: count, currency }, end));
            }
        }
        if let Some((_, end)) = words.any(at, &["毛", "角", "毛钱"]) {
            let fen = digit(words, end)
                .filter(|fen| *fen > 0 && words.any(end + 1, OTHER_THINGS).is_none_or(|(thing, _)| thing == "分"));
            let (fen, end) = fen.map_or((0, end), |fen| (fen, words.skip(end + 1, &["分钱", "分"])));
            let minor = count.checked_mul(10)?.checked_add(fen)?;
            return Some((Amount { minor, currency: self.wanted }, words.skip(end, &["钱"])));
        }
        let (said, end) = words.any(at, &["分钱", "分"])?;
        (said == "分钱" || words.any(at, &["分钟"]).is_none())
            .then_some((Amount { minor: count, currency: self.wanted }, end))
    }

    fn bare(&self, at: usize) -> Vec<Reading> {
        let words = self.words;
        let of = |value: Decimal, end: usize, sure: f32| {
            value.as_amount(self.wanted).map(|amount| Reading::bare(Value::Amount(amount), end, sure))
        };
        if let Some((digits, end)) = string(words, at) {
            let value = Decimal::parse(&digits).filter(|_| digits.len() < 8 && words.any(end, OTHER_THINGS).is_none());
            return value.and_then(|value| of(value, end, 0.6)).into_iter().collect();
        }
        let Some((value, end)) = cardinal(words, at) else { return Vec::new() };
        if words.any(end, OTHER_THINGS).is_some() {
            return Vec::new();
        }
        let about = matches!(words.get(end), "多" | "来" | "几");
        let sure = if about {
            0.4
        } else if end > at + 1 || words.get(at).len() > 3 {
            0.88
        } else {
            0.65
        };
        of(value, end, sure).into_iter().collect()
    }

    fn unit(&self, at: usize) -> Option<(Currency, usize)> {
        let at = self.words.skip(at, &["多", "来"]);
        let everyday =
            self.words.find(at, UNITS).map(|(code, end)| (Currency::parse(code).unwrap_or(self.wanted), end));
        let named = currencies::all().filter_map(|(currency, names)| {
            let end = self.words.take(at, names.unit).filter(|_| names.unit != "元")?;
            Some((currency, end))
        });
        named.chain(everyday).max_by_key(|(_, end)| *end)
    }
}

fn words_before_are_hours(words: &Words, at: usize) -> bool {
    matches!(words.before(at), "点" | "时" | "差" | "过")
}

/// 八分 by itself may as well be a rating.
fn small_reading(amount: Amount, end: usize, words: &Words) -> Reading {
    let bare = words.before(end) == "分" && amount.minor < 10;
    Reading { value: Value::Amount(amount), end, sure: if bare { 0.6 } else { 0.95 }, bare }
}

/// Is the number here part of a day, a time or a place in an order?
pub fn names_something_else(words: &Words, at: usize) -> bool {
    matches!(words.before(at), "第" | "周" | "期" | "拜" | "月" | "点" | "号" | "按")
        && !words.after(at, &["人民币", "到期", "每月", "号码"])
        || words.after(at, &["上午", "下午", "晚上", "早上", "中午", "凌晨", "尾号", "尾号是"])
}
