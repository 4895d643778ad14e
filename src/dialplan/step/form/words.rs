//! The words around a form's values, per language: what takes back something said before, what a slot is called when
//! nobody gave it a name to be spoken of, how several are listed.

use super::super::value_ear::Want;
use crate::grammar::builtin::Kind;
use crate::grammar::normalize::is_mandarin;
use crate::language::Language;

/// Words after which a value stands in the place of one said before.
const TAKES_BACK: &[&str] = &[
    "no",
    "nope",
    "not",
    "actually",
    "make it",
    "make that",
    "change",
    "instead",
    "rather",
    "i mean",
    "i meant",
    "i said",
    "sorry",
    "wait",
    "correction",
    "scratch that",
    "should be",
    "it is not",
    "that is wrong",
    "wrong",
    "switch",
];
const TAKES_BACK_MANDARIN: &[&str] =
    &["不是", "不对", "不，", "改", "换成", "换到", "应该是", "说错", "错了", "我是说", "我说的是", "等等", "还是"];
/// Words that make naming a slot a wish to say it anew: "the date is wrong".
const CHANGES: &[&str] = &[
    "change",
    "wrong",
    "incorrect",
    "different",
    "not right",
    "not correct",
    "fix",
    "edit",
    "update",
    "another",
    "mistake",
    "switch",
    "not",
    "redo",
];
const CHANGES_MANDARIN: &[&str] = &["改", "换", "不对", "错", "不是", "更正", "重新", "重说"];
/// What may stand around a slot's name when nothing else is said.
const AROUND: &[&str] = &["the", "my", "it is", "that is", "please", "um", "uh", "and", "both", "i think", "it was"];
const AROUND_MANDARIN: &[&str] = &["是", "的", "那个", "我", "请", "吧", "啊", "嗯", "这个"];

/// Words between the first value and the last of a range.
const REACHES: &[&str] = &["to", "until", "till", "til", "through", "thru", "up"];
const REACHES_MANDARIN: &[&str] = &["到", "至"];

/// Words between the first value and the last of a range: "from the first to the fifteenth".
pub fn reaches(language: &Language) -> &'static [&'static str] {
    if is_mandarin(language) { REACHES_MANDARIN } else { REACHES }
}

pub fn takes_back(language: &Language) -> &'static [&'static str] {
    if is_mandarin(language) { TAKES_BACK_MANDARIN } else { TAKES_BACK }
}

pub fn changes(language: &Language) -> &'static [&'static str] {
    if is_mandarin(language) { CHANGES_MANDARIN } else { CHANGES }
}

pub fn around(language: &Language) -> &'static [&'static str] {
    if is_mandarin(language) { AROUND_MANDARIN } else { AROUND }
}

/// What callers call a slot of this kind.
pub fn phrases(want: &Want, language: &Language) -> &'static [&'static str] {
    let mandarin = is_mandarin(language);
    let Want::Kind(kind) = want else { return &[] };
    match kind {
        Kind::Amount { .. } if mandarin => &["金额", "数目", "钱", "多少钱", "付", "还", "转", "转账", "存", "取"],
        Kind::Date { .. } if mandarin => &["日期", "日子", "哪天", "哪一天"],
        Kind::Time if mandarin => &["时间", "几点", "钟点"],
        Kind::Moment { .. } if mandarin => &["时间", "日期", "什么时候"],
        Kind::Phone { .. } if mandarin => &["电话", "电话号码", "手机", "手机号", "号码"],
        Kind::Digits { .. } if mandarin => &["号码", "数字", "编号"],
        Kind::Number { .. } if mandarin => &["数量", "数字", "几个"],
        Kind::Rating { .. } if mandarin => &["评分", "分数", "打分"],
        Kind::Spelling { .. } if mandarin => &["拼写", "字母"],
        Kind::Amount { .. } => &["amount", "sum", "money", "how much", "pay", "payment", "transfer", "send"],
        Kind::Date { .. } => &["date", "day"],
        Kind::Time => &["time", "hour"],
        Kind::Moment { .. } => &["time", "date", "day", "appointment"],
        Kind::Phone { .. } => &["phone number", "phone", "number", "telephone", "mobile", "cell"],
        Kind::Digits { .. } => &["number", "digits", "code"],
        Kind::Number { .. } => &["number", "how many"],
        Kind::Rating { .. } => &["rating", "score", "rate", "stars"],
        Kind::Spelling { .. } => &["spelling", "spelled"],
        Kind::Boolean => &[],
    }
}

/// How the engine speaks of a slot that has no `label`.
pub fn label(name: &str, want: &Want, language: &Language) -> Option<String> {
    if !is_mandarin(language) {
        let words = name.replace(['_', '-'], " ");
        return (language.primary() == "en").then(|| format!("the {words}"));
    }
    let Want::Kind(kind) = want else { return None };
    let label = match kind {
        Kind::Amount { .. } => "金额",
        Kind::Date { .. } => "日期",
        Kind::Time | Kind::Moment { .. } => "时间",
        Kind::Phone { .. } => "电话号码",
        Kind::Digits { .. } => "号码",
        Kind::Number { .. } => "数量",
        Kind::Rating { .. } => "评分",
        Kind::Spelling { .. } => "拼写",
        Kind::Boolean => return None,
    };
    Some(label.to_owned())
}

/// Values read back one after the other.
pub fn and(parts: &[String], language: &Language) -> String {
    parts.join(if is_mandarin(language) { "，" } else { ", " })
}

/// Several, of which one is meant.
pub fn or(parts: &[String], language: &Language) -> String {
    let (comma, or) = match language.primary() {
        _ if is_mandarin(language) => ("、", "还是"),
        "en" => (", ", " or "),
        _ => (", ", ", "),
    };
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [firsts @ .., last] => format!("{}{or}{last}", firsts.join(comma)),
    }
}
