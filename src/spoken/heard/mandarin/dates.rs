//! Mandarin days: 三月六号, 下周五, 大后天, 十五号, 月底, 礼拜天, 三天后, 二〇二六年三月六号星期五, 3月6日.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::numbers::{digit, small, string};
use crate::spoken::heard::calendar::{self, Guess, When, Which, shift};
use crate::spoken::heard::settle::Reading;
use crate::spoken::heard::words::Words;
use crate::value::Value;

const NEAR: &[(&str, i64)] = &[
    ("今天", 0),
    ("今日", 0),
    ("今晚", 0),
    ("今早", 0),
    ("现在", 0),
    ("马上", 0),
    ("立刻", 0),
    ("当天", 0),
    ("今儿", 0),
    ("明天", 1),
    ("明日", 1),
    ("明早", 1),
    ("明晚", 1),
    ("明儿", 1),
    ("后天", 2),
    ("后日", 2),
    ("后儿", 2),
    ("大后天", 3),
    ("昨天", -1),
    ("昨日", -1),
    ("昨晚", -1),
    ("前天", -2),
    ("大前天", -3),
];
const WEEKS: &[(&str, Option<i8>)] = &[
    ("", None),
    ("这", Some(0)),
    ("这个", Some(0)),
    ("本", Some(0)),
    ("这一", Some(0)),
    ("下", Some(1)),
    ("下个", Some(1)),
    ("下一", Some(1)),
    ("下一个", Some(1)),
    ("下下", Some(2)),
    ("下下个", Some(2)),
    ("上", Some(-1)),
    ("上个", Some(-1)),
    ("上一", Some(-1)),
    ("上一个", Some(-1)),
    ("上上", Some(-2)),
    ("上上个", Some(-2)),
];
const MONTHS: &[(&str, i32)] = &[
    ("这个月", 0),
    ("这月", 0),
    ("本月", 0),
    ("当月", 0),
    ("下个月", 1),
    ("下月", 1),
    ("下下个月", 2),
    ("上个月", -1),
    ("上月", -1),
];
const YEARS: &[(&str, i16)] = &[("今年", 0), ("本年", 0), ("明年", 1), ("后年", 2), ("去年", -1), ("前年", -2)];
const FEASTS: &[(&str, (i8, i8))] = &[
    ("元旦", (1, 1)),
    ("情人节", (2, 14)),
    ("妇女节", (3, 8)),
    ("五一", (5, 1)),
    ("劳动节", (5, 1)),
    ("儿童节", (6, 1)),
    ("国庆", (10, 1)),
    ("国庆节", (10, 1)),
    ("十一", (10, 1)),
    ("圣诞", (12, 25)),
    ("圣诞节", (12, 25)),
    ("平安夜", (12, 24)),
];

/// What a day at this place may be, best first.
pub fn at(words: &Words, at: usize, today: Date, when: When) -> Vec<Reading> {
    let days = Days { words, today, when };
    let forms = [
        days.near(at),
        days.away(at),
        days.edge(at),
        days.of_week(at),
        days.month_and_day(at),
        days.of_month(at),
        days.figures(at),
        days.feast(at),
    ];
    let mut longest: Vec<Reading> = Vec::new();
    for readings in forms {
        let end = |readings: &[Reading]| readings.iter().map(|reading| reading.end).max().unwrap_or(0);
        if end(&readings) > end(&longest) {
            longest = readings;
        }
    }
    longest
}

struct Days<'w> {
    words: &'w Words,
    today: Date,
    when: When,
}

impl Days<'_> {
    fn near(&self, at: usize) -> Vec<Reading> {
        let Some((ahead, end)) = self.words.find(at, NEAR) else { return Vec::new() };
        let bare = matches!(self.words.get(at), "现" | "马" | "立" | "当");
        let date = shift(self.today, ahead.days());
        date.map(|date| Reading { value: Value::Date(date), end, sure: if bare { 0.6 } else { 0.97 }, bare })
            .into_iter()
            .collect()
    }

    /// 三天后, 两个星期以后, 过一周, 半个月后, 三天前.
    fn away(&self, at: usize) -> Vec<Reading> {
        let words = self.words;
        let over = words.any(at, &["再过", "过"]).map(|(_, end)| end);
        let start = over.unwrap_or(at);
        let (count, next) = match words.take(start, "半个月").map(|end| end - 1) {
            Some(month) => (15, month),
            None => match small(words, start) {
                Some(found) => found,
                None => return Vec::new(),
            },
        };
        let half = words.take(start, "半个月").is_some();
        let next = words.skip(next, &["个"]);
        let Some((unit, end)) = words.find(
            next,
            &[("天", 'd'), ("日", 'd'), ("周", 'w'), ("星期", 'w'), ("礼拜", 'w'), ("月", 'm'), ("年", 'y')],
        ) else {
            return Vec::new();
        };
        if unit == 'm' && !half && words.before(next) != "个" {
            return Vec::new(); // 三月 is a month, 三个月 three of them
        }
        let later = words.any(end, &["以后", "之后", "后", "过后"]);
        let ago = words.any(end, &["以前", "之前", "前"]);
        let (sign, end) = match (over, later, ago) {
            (_, Some((_, end)), _) => (1, end),
            (_, _, Some((_, end))) if matches!(self.when, When::Past | When::Any) => (-1, end),
            (Some(_), ..) => (1, end),
            _ => return Vec::new(),
        };
        let date = match unit {
            _ if half => shift(self.today, (15 * sign).days()),
            'd' => shift(self.today, (count * sign).days()),
            'w' => shift(self.today, (count * 7 * sign).days()),
            'm' => shift(self.today, (count * sign).months()),
            _ => shift(self.today, (count * sign).years()),
        };
        dates(date.map(|date| (date, 0.97)), end)
    }

    /// 月底, 下个月初, 三月底, 年底, 本月中.
    fn edge(&self, at: usize) -> Vec<Reading> {
        let words = self.words;
        let month = words.find(at, MONTHS);
        let named = small(words, at)
            .filter(|(month, _)| (1..=12).contains(month))
            .and_then(|(month, end)| Some((month as i8, words.take(end, "月")?)));
        let start = month
            .map(|(_, end)| words.skip(end, &["月", "的"]))
            .or(named.map(|(_, end)| end))
            .or_else(|| words.take(at, "月"));
        let edges = &[
            ("底", 'e'),
            ("末", 'e'),
            ("初", 's'),
            ("中", 'm'),
            ("的最后一天", 'e'),
            ("最后一天", 'e'),
            ("中旬", 'm'),
        ];
        if let Some(start) = start
            && let Some((edge, end)) = words.find(start, edges)
        {
            let first = match named {
                Some((month, _)) => calendar::month_day(self.today.first_of_month(), month, 1, None, None, self.when)
                    .first()
                    .map(|guess| guess.0),
                // 月初 by itself is the next one.
                None if month.is_none() && edge == 's' && self.when != When::Past => {
                    calendar::month_shifted(self.today, 1, 1)
                }
                None => calendar::month_shifted(self.today, month.map_or(0, |(ahead, _)| ahead), 1),
            };
            let date = first.and_then(|first| match edge {
                'e' => Some(first.last_of_month()),
                'm' => first.with().day(15).build().ok(),
                _ => Some(first),
            });
            return dates(date.map(|date| (date, if edge == 'e' { 0.95 } else { 0.75 })), end);
        }
        let (ahead, start) = words.find(at, YEARS).unwrap_or((0, at));
        let Some((month_day, end)) = words
            .find(start, &[("年底", (12, 31)), ("年末", (12, 31)), ("底", (12, 31))])
            .filter(|(_, end)| *end > start + 1 || start > at)
        else {
            return Vec::new();
        };
        let date = self.today.year().checked_add(ahead).and_then(|year| Date::new(year, month_day.0, month_day.1).ok());
        dates(date.map(|date| (date, 0.9)), end)
    }

    /// 周五, 下周五, 下下个礼拜天, 这星期三, 下周的周五.
    fn of_week(&self, at: usize) -> Vec<Reading> {
        let words = self.words;
        let (weeks, start) = words.find(at, &WEEKS[1..]).unwrap_or((None, at));
        let Some((_, next)) = words.any(start, &["周", "星期", "礼拜"]) else { return Vec::new() };
        // 下周的周五
        let next = match (weeks, words.any(next, &["的周", "的星期", "的礼拜", "周", "星期"])) {
            (Some(_), Some((_, next))) => next,
            _ => next,
        };
        let (day, sure) = match words.get(next) {
            "日" | "天" | "7" => (Weekday::Sunday, 1.0),
            "末" => (Weekday::Saturday, 0.65),
            word => {
                let number = digit(words, next).or_else(|| word.parse().ok()).filter(|number| (1..=6).contains(number));
                // 一 of 一月, 三 of 三点: 周三点 is none, but 周三三点 is.
                match number.and_then(|number| Weekday::from_monday_one_offset(number as i8).ok()) {
                    Some(day) => (day, 1.0),
                    None => return Vec::new(),
                }
            }
        };
        let end = words.skip(next + 1, &["那天", "当天"]);
        let guesses = match weeks {
            None => calendar::weekday(self.today, day, Which::Plain, self.when),
            Some(weeks) => calendar::weekday(self.today, day, Which::OfWeek(weeks), self.when),
        };
        guessed(guesses.into_iter().map(|(date, likely)| (date, likely * sure)).collect(), end)
    }

    /// 三月六号, 二〇二六年三月六号星期五, 明年三月六日, 3月6.
    fn month_and_day(&self, at: usize) -> Vec<Reading> {
        let words = self.words;
        let (year, start) = self.year(at).map_or((None, at), |(year, end)| (Some(year), words.skip(end, &["的"])));
        let Some((month, next)) = small(words, start).filter(|(month, _)| (1..=12).contains(month)) else {
            return Vec::new();
        };
        let Some((_, next)) = words.any(next, &["月份", "月"]) else { return Vec::new() };
        let Some((day, end)) = small(words, words.skip(next, &["的"])).filter(|(day, _)| (1..=31).contains(day))
        else {
            return Vec::new();
        };
        let closed = words.any(end, &["号", "日"]).map(|(_, end)| end);
        if closed.is_none() && matches!(words.get(end), "块" | "元" | "点" | "天" | "个" | "百" | "千") {
            return Vec::new();
        }
        let end = closed.unwrap_or(end);
        let (named, end) = match self.named_weekday(words.skip(end, &["是", "，"])) {
            Some((day, end)) => (Some(day), end),
            None => (None, end),
        };
        let doubt = if closed.is_some() { 1.0 } else { 0.9 };
        let found = calendar::month_day(self.today, month as i8, day as i8, year, named, self.when);
        guessed(found.into_iter().map(|(date, sure)| (date, sure * doubt)).collect(), end)
    }

    fn named_weekday(&self, at: usize) -> Option<(Weekday, usize)> {
        let (_, next) = self.words.any(at, &["周", "星期", "礼拜"])?;
        let day = match self.words.get(next) {
            "日" | "天" => Weekday::Sunday,
            _ => Weekday::from_monday_one_offset(i8::try_from(digit(self.words, next)?).ok()?).ok()?,
        };
        Some((day, next + 1))
    }

    /// 二〇二六年, 2026年, 八五年, 明年.
    fn year(&self, at: usize) -> Option<(i16, usize)> {
        let words = self.words;
        if let Some((ahead, end)) = words.find(at, YEARS) {
            return Some((self.today.year().checked_add(ahead)?, end));
        }
        let figures = words.get(at);
        let (digits, end) = if figures.bytes().all(|byte| byte.is_ascii_digit()) && !figures.is_empty() {
            (figures.to_owned(), at + 1)
        } else {
            string(words, at)?
        };
        let end = words.take(end, "年")?;
        match digits.len() {
            4 => Some((digits.parse().ok()?, end)),
            2 => Some((calendar::full_year(digits.parse().ok()?, self.today, self.when)?, end)),
            _ => None,
        }
    }

    /// 十五号, 下个月十五号, 本月3日.
    fn of_month(&self, at: usize) -> Vec<Reading> {
        let words = self.words;
        let month = words.find(at, MONTHS);
        let start = month.map_or(at, |(_, end)| words.skip(end, &["的"]));
        let Some((day, next)) = small(words, start).filter(|(day, _)| (1..=31).contains(day)) else {
            return Vec::new();
        };
        let Some((_, end)) = words.any(next, &["号", "日"]) else { return Vec::new() };
        // 六月三十一号 is no day, and neither is what is left of it without its month or its tens.
        let mut begins = at;
        while begins > 0 && (digit(words, begins - 1).is_some() || words.get(begins - 1) == "十") {
            begins -= 1;
        }
        if words.before(begins) == "月" && month.is_none() {
            return Vec::new();
        }
        if words.any(end, &["线", "楼", "房", "门", "键", "选项", "码", "店", "卡"]).is_some()
            || words.before(at) == "第"
        {
            return Vec::new();
        }
        let date = match month {
            Some((months, _)) => calendar::month_shifted(self.today, months, day as i8),
            None => calendar::day_of_month(self.today, day as i8, self.when),
        };
        dates(date.map(|date| (date, 0.95)), end)
    }

    fn figures(&self, at: usize) -> Vec<Reading> {
        let word = self.words.get(at);
        if let Ok(date) = word.parse::<Date>() {
            return dates(Some((date, 0.98)), at + 1);
        }
        let parts: Option<Vec<i64>> = word.split('/').map(|part| part.parse().ok()).collect();
        let (year, month, day) = match parts.as_deref() {
            Some([month, day]) => (None, *month, *day),
            Some([year, month, day]) if *year > 31 => (i16::try_from(*year).ok(), *month, *day),
            _ => return Vec::new(),
        };
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Vec::new();
        }
        let doubt = if year.is_none() && day == 10 { 0.6 } else { 1.0 };
        let found = calendar::month_day(self.today, month as i8, day as i8, year, None, self.when);
        guessed(found.into_iter().map(|(date, sure)| (date, sure * doubt)).collect(), at + 1)
    }

    fn feast(&self, at: usize) -> Vec<Reading> {
        let Some(((month, day), end)) = self.words.find(at, FEASTS) else { return Vec::new() };
        // 五一 and 十一 are digits too.
        let number = digit(self.words, at).is_some() || self.words.get(at) == "十";
        if number
            && (digit(self.words, end).is_some()
                || self.words.any(end, &["号", "块", "点", "月", "分", "个", "元", "十", "百"]).is_some())
        {
            return Vec::new();
        }
        let found = calendar::month_day(self.today, month, day, None, None, self.when);
        let sure = if number { 0.6 } else { 1.0 };
        found
            .into_iter()
            .map(|(date, likely)| Reading { value: Value::Date(date), end, sure: likely * sure, bare: number })
            .collect()
    }
}

fn dates(guess: Option<Guess>, end: usize) -> Vec<Reading> {
    guessed(guess.into_iter().collect(), end)
}

fn guessed(guesses: Vec<Guess>, end: usize) -> Vec<Reading> {
    guesses.into_iter().map(|(date, sure)| Reading::plain(Value::Date(date), end, sure)).collect()
}
