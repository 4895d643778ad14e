//! Mandarin words for values.

use jiff::civil::{Date, DateTime, Time, Weekday};

use super::{Figures, Tongue, days_until};
use crate::spoken::currencies::names_of;
use crate::value::Amount;

const DIGITS: [char; 10] = ['零', '一', '二', '三', '四', '五', '六', '七', '八', '九'];

/// Standard Mandarin, written in simplified characters.
pub struct Mandarin;

impl Tongue for Mandarin {
    fn number(&self, figures: &Figures) -> String {
        let sign = if figures.negative { "负" } else { "" };
        let whole = number(figures.whole);
        if figures.fraction.is_empty() {
            return format!("{sign}{whole}");
        }
        format!("{sign}{whole}点{}", one_by_one(&figures.fraction))
    }

    fn ordinal(&self, place: u64) -> String {
        format!("第{}", number(place))
    }

    fn amount(&self, amount: Amount) -> String {
        let (whole, part) = amount.parts();
        let sign = if amount.minor < 0 { "负" } else { "" };
        let Some(names) = names_of(amount.currency) else {
            let places = amount.currency.decimals() as usize;
            let fraction = if part == 0 { String::new() } else { format!("{part:0places$}") };
            let said = self.number(&Figures { negative: amount.minor < 0, whole, fraction });
            return format!("{said}{}", amount.currency.code());
        };
        let units = if whole == 0 && part > 0 { String::new() } else { format!("{}{}", counted(whole), names.unit) };
        let small = match part {
            0 => String::new(),
            _ if names.small.is_empty() => tenths(part),
            _ => format!("{}{}", counted(part), names.small),
        };
        format!("{sign}{units}{small}")
    }

    fn date(&self, date: Date, today: Date) -> String {
        let year = if date.year() == today.year() { String::new() } else { format!("{}年", year(date.year())) };
        let (month, day) = (number(date.month() as u64), number(date.day() as u64));
        format!("{year}{month}月{day}号，{}", weekday(date.weekday()))
    }

    fn time(&self, time: Time) -> String {
        let (hour, minute) = (time.hour() as u64, time.minute());
        let part = match hour {
            0 if minute == 0 => "午夜",
            0..=4 => "凌晨",
            5..=7 => "早上",
            8..=11 => "上午",
            12 => "中午",
            13..=17 => "下午",
            _ => "晚上",
        };
        let named = counted(if hour.is_multiple_of(12) { 12 } else { hour % 12 });
        let minutes = match minute {
            0 => String::new(),
            30 => "半".to_owned(),
            1..=9 => format!("零{}分", number(minute as u64)),
            _ => format!("{}分", number(minute as u64)),
        };
        format!("{part}{named}点{minutes}")
    }

    fn moment(&self, moment: DateTime, today: Date) -> String {
        let time = match (moment.hour(), moment.minute()) {
            // 午夜十二点 of a day is to many the end of it; 零点 is where it begins.
            (0, 0) => "零点".to_owned(),
            _ => self.time(moment.time()),
        };
        format!("{}，{time}", self.date(moment.date(), today))
    }

    fn near(&self, moment: DateTime, today: Date) -> String {
        let day = match days_until(today, moment.date()) {
            0 => "今天".to_owned(),
            1 => "明天".to_owned(),
            2 => "后天".to_owned(),
            3..=6 => weekday(moment.date().weekday()).to_owned(),
            _ => self.date(moment.date(), today),
        };
        format!("{day}{}", self.time(moment.time()))
    }

    fn yes_no(&self, truth: bool) -> String {
        if truth { "是" } else { "不是" }.to_owned()
    }

    fn letters(&self, text: &str) -> String {
        let named = |c: char| match c.to_digit(10) {
            Some(digit) => DIGITS[digit as usize].to_string(),
            None => c.to_uppercase().to_string(),
        };
        text.chars().filter(|c| c.is_alphanumeric()).map(named).collect::<Vec<_>>().join("，")
    }

    fn list(&self, items: &[String]) -> String {
        match items {
            [] => String::new(),
            [only] => only.clone(),
            [first @ .., last] => format!("{}和{last}", first.join("、")),
        }
    }
}

/// A count of something: 两 instead of 二 by itself.
fn counted(count: u64) -> String {
    if count == 2 { "两".to_owned() } else { number(count) }
}

/// 角 and 分 of a part of 100: 五角, 五角五分, 五分.
fn tenths(part: u64) -> String {
    let of = |count: u64, unit: &str| if count == 0 { String::new() } else { format!("{}{unit}", counted(count)) };
    of(part / 10, "角") + &of(part % 10, "分")
}

/// 两千零五十, 十二, 一百一十, 三万零五: groups of four places with 万 and 亿 after them, one 零 for each run of empty
/// places between digits. 两 stands before 百, 千, 万 and 亿, 二 before 十 and at the end.
fn number(number: u64) -> String {
    if number == 0 { DIGITS[0].to_string() } else { grouped(number, true) }
}

/// From 1 up; `front` when nothing was said before it.
fn grouped(number: u64, front: bool) -> String {
    for (scale, name) in [(100_000_000, "亿"), (10_000, "万")] {
        if number >= scale {
            let (high, low) = (number / scale, number % scale);
            let high = if high == 2 { "两".to_owned() } else { grouped(high, front) };
            let gap = if low > 0 && low < scale / 10 { "零" } else { "" };
            let low = if low == 0 { String::new() } else { grouped(low, false) };
            return format!("{high}{name}{gap}{low}");
        }
    }
    below_ten_thousand(number, front)
}

/// 1 to 9,999. At the very front 一十 is 十.
fn below_ten_thousand(group: u64, front: bool) -> String {
    let mut said = String::new();
    let mut gap = false;
    for (unit, name) in [(1_000, "千"), (100, "百"), (10, "十"), (1, "")] {
        let digit = (group / unit % 10) as usize;
        if digit == 0 {
            gap = !said.is_empty();
            continue;
        }
        if std::mem::take(&mut gap) {
            said.push(DIGITS[0]);
        }
        match (digit, unit) {
            (2, 100 | 1_000) => said.push('两'),
            (1, 10) if front && group < 20 => {}
            _ => said.push(DIGITS[digit]),
        }
        said.push_str(name);
    }
    said
}

/// 二〇二六: digit by digit, with the round zero that years are written with.
fn year(year: i16) -> String {
    one_by_one(&year.to_string()).replace('零', "〇")
}

fn one_by_one(figures: &str) -> String {
    figures.chars().map(|c| c.to_digit(10).map_or(c, |digit| DIGITS[digit as usize])).collect()
}

const fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "星期一",
        Weekday::Tuesday => "星期二",
        Weekday::Wednesday => "星期三",
        Weekday::Thursday => "星期四",
        Weekday::Friday => "星期五",
        Weekday::Saturday => "星期六",
        Weekday::Sunday => "星期日",
    }
}
