//! Mandarin times of day: 下午五点半, 五点一刻, 差五分六点, 晚上八点零五分, 中午, 17:30.

use jiff::civil::Time;

use super::numbers::{digit, small};
use crate::spoken::heard::calendar::on_the_face;
use crate::spoken::heard::words::Words;

/// Part of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// 凌晨
    Small,
    /// 早上, 上午
    Morning,
    /// 中午
    Noon,
    /// 下午, 傍晚
    Afternoon,
    /// 晚上
    Evening,
    /// 夜里
    Night,
}

const PARTS: &[(&str, Part)] = &[
    ("凌晨", Part::Small),
    ("清晨", Part::Morning),
    ("早晨", Part::Morning),
    ("早上", Part::Morning),
    ("今早", Part::Morning),
    ("明早", Part::Morning),
    ("上午", Part::Morning),
    ("中午", Part::Noon),
    ("正午", Part::Noon),
    ("下午", Part::Afternoon),
    ("午后", Part::Afternoon),
    ("傍晚", Part::Afternoon),
    ("晚上", Part::Evening),
    ("今晚", Part::Evening),
    ("明晚", Part::Evening),
    ("晚间", Part::Evening),
    ("夜里", Part::Night),
    ("夜晚", Part::Evening),
    ("半夜", Part::Night),
    ("深夜", Part::Night),
    ("午夜", Part::Night),
];

/// A time heard.
pub struct Heard {
    /// Best first.
    pub times: Vec<(Time, f32)>,
    /// Where its words end.
    pub end: usize,
    /// Could be something else.
    pub bare: bool,
    /// 晚上十二点: the night of a day ends on the next.
    pub past_midnight: bool,
}

/// The time at this place.
pub fn at(words: &Words, at: usize) -> Option<Heard> {
    let (part, start) = match words.find(at, PARTS) {
        Some((part, end)) => (Some(part), words.skip(end, &["的", "，"])),
        None => (before(words, at), at),
    };
    let said = clock(words, start).map(|(hour, minute, end)| (on_part(part, hour, minute), hour, end));
    match said {
        Some((times, hour, end)) if !times.is_empty() => {
            let night = matches!(part, Some(Part::Evening | Part::Night));
            let past_midnight = night && (hour == 12 || hour <= 4);
            Some(Heard { times, end, bare: false, past_midnight })
        }
        Some(_) => None,
        None => {
            let hour = words.find(at, &[("中午", 12), ("正午", 12), ("午夜", 0)]);
            let (hour, end) = hour?;
            let times = vec![(Time::new(hour, 0, 0, 0).ok()?, 0.8)];
            Some(Heard { times, end, bare: false, past_midnight: false })
        }
    }
}

/// Hour, minute and end: 五点, 五点半, 差五分六点, 五点差五分, 17:30, 17点30.
fn clock(words: &Words, at: usize) -> Option<(i8, i8, usize)> {
    if let Some((hour, minute)) = words.get(at).split_once(':') {
        return Some((hour.parse().ok()?, minute.get(..2)?.parse().ok()?, at + 1));
    }
    if let Some(start) = words.take(at, "差") {
        let (minutes, next) = minutes(words, start)?;
        let (hour, end) = hour(words, next)?;
        return to(hour, minutes, words.skip(end, &["钟", "整"]));
    }
    let (hour, end) = hour(words, at)?;
    if let Some(start) = words.take(end, "差")
        && let Some((minutes, end)) = minutes(words, start)
    {
        return to(hour, minutes, end);
    }
    let past = words.skip(end, &["过", "零", "〇"]);
    if past == end {
        if let Some((_, end)) = words.any(end, &["半钟", "半"]) {
            return Some((hour, 30, end));
        }
        if let Some((_, end)) = words.any(end, &["钟", "整"]) {
            return Some((hour, 0, end));
        }
    }
    match minutes(words, past) {
        // 三点五 is a number; 五点十五 and 五点零五 tell the time.
        Some((minutes, last)) if past > end || minutes >= 10 || words.before(last) == "分" => {
            Some((hour, minutes, words.skip(last, &["钟"])))
        }
        // 五点五 is no time.
        Some(_) => None,
        None => Some((hour, 0, end)),
    }
}

fn to(hour: i8, minutes: i8, end: usize) -> Option<(i8, i8, usize)> {
    let hour = if hour <= 1 { hour + 11 } else { hour - 1 };
    (minutes > 0).then_some((hour, 60 - minutes, end))
}

fn hour(words: &Words, at: usize) -> Option<(i8, usize)> {
    let (hour, next) = match words.get(at) {
        "零" | "0" | "00" => (0, at + 1),
        _ => small(words, at).filter(|(hour, _)| *hour <= 24)?,
    };
    let (_, end) = words.any(next, &["点", "时"])?;
    // 小时 counts hours, 三点五万 is a number, 一点 may be "a little".
    let hour = i8::try_from(hour).ok()? % 24;
    let a_little = words.get(at) == "一"
        && (matches!(words.get(end), "儿" | "点" | "也" | "都" | "不" | "没")
            || matches!(words.before(at), "有" | "早" | "晚" | "快" | "慢" | "多" | "少" | "好" | "大" | "小" | "差"));
    (!a_little || words.after(at, &["早上", "晚上"])).then_some((hour, end))
}

/// 五分, 十五, 一刻, 三刻.
fn minutes(words: &Words, at: usize) -> Option<(i8, usize)> {
    if let Some((quarters, end)) = words.find(at, &[("一刻", 15), ("三刻", 45), ("1刻", 15), ("3刻", 45)]) {
        return Some((quarters, words.skip(end, &["钟"])));
    }
    let (minutes, end) = small(words, at).filter(|(minutes, _)| *minutes < 60)?;
    // 五点三百 is none.
    if matches!(words.get(end), "百" | "千" | "万" | "块" | "元" | "个" | "号" | "月") || digit(words, end).is_some()
    {
        return None;
    }
    Some((i8::try_from(minutes).ok()?, words.skip(end, &["分钟", "分"])))
}

fn before(words: &Words, at: usize) -> Option<Part> {
    PARTS.iter().find(|(said, _)| words.after(at, &[said])).map(|(_, part)| *part)
}

fn on_part(part: Option<Part>, hour: i8, minute: i8) -> Vec<(Time, f32)> {
    let hour = match part {
        None if (1..=12).contains(&hour) => return on_the_face(hour, minute),
        _ if !(1..=12).contains(&hour) => hour,
        None => hour,
        Some(Part::Small) => hour % 12,
        Some(Part::Morning) => hour,
        Some(Part::Noon) if hour <= 3 => hour + 12,
        Some(Part::Noon) => hour,
        Some(Part::Afternoon) if hour < 12 => hour + 12,
        Some(Part::Afternoon) => hour,
        Some(Part::Evening | Part::Night) if hour == 12 => 0,
        Some(Part::Evening) if hour <= 4 => hour,
        Some(Part::Night) if hour <= 5 => hour,
        Some(Part::Evening | Part::Night) => hour + 12,
    };
    Time::new(hour, minute, 0, 0).map(|time| (time, 0.97)).into_iter().collect()
}
