//! Mandarin moments: 明天下午五点, 下周五上午九点半, 两个小时后, 半小时以后, 今晚八点.

use jiff::ToSpan;
use jiff::civil::DateTime;

use super::numbers::small;
use super::{dates, times};
use crate::spoken::heard::calendar::{When, moments};
use crate::spoken::heard::settle::Reading;
use crate::spoken::heard::words::Words;
use crate::value::Value;

/// What a moment at this place may be, best first.
pub fn at(words: &Words, at: usize, now: DateTime, when: When) -> Vec<Reading> {
    if let Some(reading) = from_now(words, at, now) {
        return vec![reading];
    }
    let days = dates::at(words, at, now.date(), when);
    // 今晚 and 明早 name a day and a part of it: the clock may read the same characters again.
    let begun = days.iter().map(|day| day.end).max();
    let clock = begun.and_then(|end| times::at(words, words.skip(end, &["的", "，", "在", "大概", "差不多"])));
    let time = clock.or_else(|| times::at(words, at));
    let Some(time) = time else { return Vec::new() };
    let mut found: Vec<Reading> = Vec::new();
    for day in &days {
        let Value::Date(date) = day.value else { continue };
        let Some(date) = (if time.past_midnight { date.tomorrow().ok() } else { Some(date) }) else { continue };
        let read = moments(Some(date), &time.times, now).into_iter();
        found.extend(read.map(|(moment, sure)| Reading::plain(Value::Moment(moment), time.end, sure * day.sure)));
    }
    if days.is_empty() {
        let read = moments(None, &time.times, now).into_iter();
        found.extend(read.map(|(moment, sure)| Reading {
            value: Value::Moment(moment),
            end: time.end,
            sure: sure * 0.85,
            bare: time.bare,
        }));
    }
    found.sort_by(|one, other| other.sure.total_cmp(&one.sure));
    found
}

/// 两个小时后, 半小时以后, 一个半小时后, 二十分钟之后, 过一刻钟.
fn from_now(words: &Words, at: usize, now: DateTime) -> Option<Reading> {
    let over = words.any(at, &["再过", "过"]).map(|(_, end)| end);
    let start = over.unwrap_or(at);
    const HOURS: &[&str] = &["小时", "钟头"];
    let (minutes, end) = if let Some((_, next)) = words.any(start, &["半个", "半"]) {
        (30, words.any(next, HOURS)?.1)
    } else if let Some(end) = words.take(start, "一刻钟") {
        (15, end)
    } else {
        let (count, next) = small(words, start)?;
        let (half, after) = match words.any(next, &["个半", "个"]) {
            Some(("个半", after)) => (30, after),
            Some((_, after)) => (0, after),
            None => (0, next),
        };
        match words.any(after, HOURS) {
            Some((_, end)) => {
                let (more, end) = words.take(end, "半").map_or((half, end), |end| (30, end));
                (count * 60 + more, end)
            }
            None => (count, words.any(next, &["分钟", "分"])?.1),
        }
    };
    let later = words.any(end, &["以后", "之后", "过后", "后"]).map(|(_, end)| end);
    let end = later.or(over.map(|_| end))?;
    let moment = now.checked_add(minutes.minutes()).ok()?.with().second(0).subsec_nanosecond(0).build().ok()?;
    Some(Reading::plain(Value::Moment(moment), end, 0.97))
}
