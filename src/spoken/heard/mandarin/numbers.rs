//! Mandarin numbers: 两千零五十, 三百五 (350), 一万二 (12,000), 三点五万, 3千5, 负二十.

use crate::spoken::heard::decimal::Decimal;
use crate::spoken::heard::words::Words;

/// 0 to 9 as one character.
pub fn digit(words: &Words, at: usize) -> Option<i64> {
    Some(match words.get(at) {
        "零" | "〇" | "○" => 0,
        "一" | "壹" => 1,
        "二" | "贰" | "两" | "俩" => 2,
        "三" | "叁" | "仨" => 3,
        "四" | "肆" => 4,
        "五" | "伍" => 5,
        "六" | "陆" => 6,
        "七" | "柒" => 7,
        "八" | "捌" => 8,
        "九" | "玖" => 9,
        _ => return None,
    })
}

fn unit(words: &Words, at: usize) -> Option<i64> {
    Some(match words.get(at) {
        "十" | "拾" => 10,
        "百" | "佰" => 100,
        "千" | "仟" => 1_000,
        "万" => 10_000,
        "亿" => 100_000_000,
        _ => return None,
    })
}

/// What a number has come to, character by character.
#[derive(Default)]
struct Sum {
    /// Groups closed by 万 or 亿.
    total: i64,
    /// The running group, below 10,000.
    group: i64,
    /// A digit, or figures, without a unit yet: its value and place, and whether it was one character.
    pending: Option<(i64, usize, bool)>,
    /// The last unit; what follows must be smaller.
    last_unit: i64,
    /// The last of 万 and 亿.
    last_big: i64,
    /// 零 stood after the last unit, so what follows counts ones.
    zero: bool,
}

impl Sum {
    /// The pending digit counts the next smaller unit (三百五 is 350), unless 零 or 十 went before.
    fn finish(mut self) -> Option<i64> {
        if let Some((number, _, spoken)) = self.pending.take() {
            let short = spoken && self.last_unit >= 100 && !self.zero;
            let scale = if short { self.last_unit / 10 } else { 1 };
            // 两万五 is 25,000; the group was closed by 万 and the five stands alone.
            return self.total.checked_add(self.group)?.checked_add(number.checked_mul(scale)?);
        }
        self.total.checked_add(self.group)
    }
}

/// A number properly said, or written in figures.
pub fn cardinal(words: &Words, at: usize) -> Option<(Decimal, usize)> {
    let figures = words.get(at);
    let decimal = figures.starts_with(|c: char| c.is_ascii_digit()) && figures.contains('.');
    let (value, end) = if decimal { (Decimal::parse(figures)?, at + 1) } else { whole(words, at)? };
    let (value, end) = fraction(words, value, end).unwrap_or((value, end));
    // 3.5万, 三点五亿: scales after a point.
    match unit(words, end).filter(|unit| value.as_whole().is_none() && *unit >= 1_000) {
        Some(unit) => Some((value.times(unit)?, end + 1)),
        None => Some((value, end)),
    }
}

/// A whole number up to this kind's end.
fn whole(words: &Words, at: usize) -> Option<(Decimal, usize)> {
    if digit(words, at) == Some(0) {
        return Some((Decimal::whole(0), at + 1));
    }
    let mut sum = Sum::default();
    let mut end = at;
    // 百八十 leaves out the one; 几百八十 does not, and 百分之五 is none.
    let alone = !matches!(words.before(at), "几" | "数" | "上" | "好" | "多" | "成")
        && at.checked_sub(1).is_none_or(|before| unit(words, before).is_none());
    if matches!(unit(words, at), Some(100 | 1_000)) && alone && digit(words, at + 1).is_some_and(|next| next > 0) {
        sum.pending = Some((1, at, true));
    }
    loop {
        if let Some(number) = digit(words, end) {
            let more = digit(words, end + 1).is_some_and(|next| next > 0) || words.get(end + 1) == "十";
            match number {
                0 if sum.pending.is_none() && end > at && more => sum.zero = true,
                1.. if sum.pending.is_none() && (end == at || sum.last_unit > 1) => {
                    sum.pending = Some((number, end, true))
                }
                _ => break,
            }
        } else if let Some(figures) =
            figures(words, end).filter(|number| sum.pending.is_none() && (end == at || *number < sum.last_unit))
        {
            sum.pending = Some((figures, end, figures < 10));
        } else if let Some(unit) = unit(words, end) {
            match place(&mut sum, unit, end == at)? {
                true => {}
                false => {
                    // 三百五百: the five begins a number of its own.
                    if let Some((_, place, _)) = sum.pending.take() {
                        end = place;
                    }
                    break;
                }
            }
        } else {
            break;
        }
        end += 1;
    }
    let value = if end > at { sum.finish()? } else { return None };
    Some((Decimal::whole(value), end))
}

/// Takes a unit in; `false` where it does not fit what went before.
fn place(sum: &mut Sum, unit: i64, first: bool) -> Option<bool> {
    if unit < 10_000 {
        if sum.last_unit != 0 && unit >= sum.last_unit {
            return Some(false);
        }
        let count = match sum.pending.take() {
            Some((count, ..)) => count,
            // 十五 and 一千零十五 leave out the one.
            None if unit == 10 && (first || sum.zero || sum.last_unit >= 10_000) => 1,
            None => return Some(false),
        };
        sum.group = sum.group.checked_add(count.checked_mul(unit)?)?;
    } else {
        sum.group = sum.group.checked_add(sum.pending.take().map_or(0, |(count, ..)| count))?;
        let whole = sum.total.checked_add(sum.group)?;
        if whole == 0 || (sum.group == 0 && unit <= sum.last_big) {
            return Some(false);
        }
        sum.total = if unit > sum.last_big && sum.last_big > 0 {
            whole.checked_mul(unit)?
        } else if sum.last_big > 0 && unit == sum.last_big {
            return Some(false);
        } else {
            sum.total.checked_add(sum.group.checked_mul(unit)?)?
        };
        sum.group = 0;
        sum.last_big = unit;
    }
    sum.last_unit = unit;
    sum.zero = false;
    Some(true)
}

fn figures(words: &Words, at: usize) -> Option<i64> {
    let word = words.get(at);
    if word.bytes().all(|byte| byte.is_ascii_digit()) { word.parse().ok() } else { None }
}

/// 点五, 点零五: digits after the point, but not 点半, 点十分 or 点五分, which tell the time.
fn fraction(words: &Words, whole: Decimal, at: usize) -> Option<(Decimal, usize)> {
    let mut end = words.take(at, "点")?;
    let mut digits = String::new();
    while let Some(digit) = digit(words, end) {
        digits.push(char::from_digit(digit as u32, 10)?);
        end += 1;
    }
    if digits.is_empty() || matches!(words.get(end), "十" | "分" | "刻") {
        return None;
    }
    whole.with_fraction(&digits).map(|number| (number, end))
}

/// A count of days, hours or months, where 两 and 2 are as good as 二; 一 to 99.
pub fn small(words: &Words, at: usize) -> Option<(i64, usize)> {
    let (number, end) = whole(words, at)?;
    number.as_whole().filter(|number| (1..=99).contains(number)).map(|number| (number, end))
}

/// 一二三, 二零二六: digits one after another, 幺 among them; two at least.
pub fn string(words: &Words, at: usize) -> Option<(String, usize)> {
    let mut digits = String::new();
    let mut end = at;
    loop {
        let next = if words.get(end) == "幺" { Some(1) } else { digit(words, end) };
        let Some(next) = next.and_then(|digit| char::from_digit(digit as u32, 10)) else { break };
        digits.push(next);
        end += 1;
    }
    // 三百五 begins with a digit and is none.
    let goes_on = unit(words, end).is_some();
    (digits.len() >= 2 && !goes_on).then_some((digits, end))
}
