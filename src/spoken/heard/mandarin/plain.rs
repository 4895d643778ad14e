//! Mandarin numbers by themselves, and ratings: 八分, 五星, 打九分, 满分.

use super::amounts::names_something_else;
use super::numbers::{cardinal, digit, string};
use crate::spoken::heard::decimal::Decimal;
use crate::spoken::heard::settle::Reading;
use crate::spoken::heard::words::Words;
use crate::value::Value;

/// 一下, 一点: a one that counts nothing.
const NO_ONE: &[&str] = &["下", "些", "样", "定", "直", "起", "会", "共", "般", "切", "点儿", "旦", "边"];

/// What a number at this place may be.
pub fn number_at(words: &Words, at: usize) -> Vec<Reading> {
    let (start, sign) = words.take(at, "负").map_or((at, 1), |end| (end, -1));
    if names_something_else(words, at) || (words.get(start) == "一" && words.any(start + 1, NO_ONE).is_some()) {
        return Vec::new();
    }
    let strung = string(words, start).and_then(|(digits, end)| Some((Decimal::parse(&digits)?, end, 0.7)));
    let said = strung.or_else(|| cardinal(words, start).map(|(value, end)| (value, end, 0.92)));
    let Some((value, end, sure)) = said else { return Vec::new() };
    if words.any(end, &["号", "点钟", "点半", "月", "小时", "分钟"]).is_some() {
        return Vec::new();
    }
    let value = value.times(sign);
    value.map(|value| Reading::bare(value.as_value(), words.skip(end, &["个"]), sure)).into_iter().collect()
}

/// After these 十分 means "very", and a number rates nothing.
const VERY: &[&str] = &[
    "满意", "好", "不", "非常", "感谢", "差", "高兴", "愉快", "糟", "生气", "开心", "失望", "专业", "耐心", "抱歉",
    "重要", "喜欢",
];
const OTHER_THINGS: &[&str] = &[
    "分钟", "块", "元", "号", "月", "天", "点钟", "点半", "个", "次", "小时", "年", "位", "百", "千", "万", "周", "级",
    "下", "些", "样", "直", "般", "定", "点",
];

/// What a rating from `min` to `max` at this place may be.
pub fn rating_at(words: &Words, at: usize, min: i64, max: i64) -> Vec<Reading> {
    let within =
        |score: i64, end: usize, sure: f32, bare: bool| vec![Reading { value: Value::Integer(score), end, sure, bare }];
    if let Some(end) = words.take(at, "满分") {
        // 满分十分 names the scale.
        return match cardinal(words, words.skip(end, &["是"])) {
            Some((_, end)) => vec![Reading::plain(Value::Nothing, words.skip(end, &["分"]), 0.0)],
            None => within(max, end, 0.95, false),
        };
    }
    for (list, score) in [(&["最高分", "最高"][..], max), (&["最低分", "最低"][..], min)] {
        if let Some((_, end)) = words.any(at, list) {
            return within(score, end, 0.85, true);
        }
    }
    if let Some((score, scale)) =
        words.get(at).split_once('/').and_then(|(score, scale)| Some((score.parse().ok()?, scale.parse::<i64>().ok()?)))
    {
        return if scale == max { within(score, at + 1, 0.97, false) } else { Vec::new() };
    }
    if names_something_else(words, at) {
        return Vec::new();
    }
    let Some((score, end)) = cardinal(words, at).and_then(|(value, end)| Some((value.as_whole()?, end))) else {
        return Vec::new();
    };
    if digit(words, end).is_some() {
        return Vec::new(); // 七八分 is no decision
    }
    match words.any(end, &["分钟", "分", "颗星", "个星", "星级", "星"]) {
        Some(("分钟", _)) => Vec::new(),
        Some(("分", after)) if words.get(at) == "十" && words.any(after, VERY).is_some() => Vec::new(),
        Some(("分", after)) => within(score, after, 0.97, false),
        Some((_, after)) => within(score, after, if max == 5 { 0.97 } else { 0.5 }, false),
        None if words.any(end, OTHER_THINGS).is_some() => Vec::new(),
        None => within(score, end, 0.85, true),
    }
}
