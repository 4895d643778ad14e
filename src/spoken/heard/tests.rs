//! Help for tables of what callers say.

use jiff::civil::{DateTime, date};

use super::{Fit, Found, find};
use crate::grammar::builtin::Kind;
use crate::language::Language;
use crate::value::{Amount, Currency, Value};

/// Ten o'clock on a Wednesday.
pub fn now() -> DateTime {
    date(2026, 3, 4).at(10, 0, 0, 0)
}

pub fn found(text: &str, kind: &str, tag: &str) -> Vec<Found> {
    find(text, &Kind::parse(kind).unwrap(), &Language::parse(tag).unwrap(), now())
}

pub fn best(text: &str, kind: &str, tag: &str) -> Option<Found> {
    found(text, kind, tag).into_iter().next()
}

pub fn all_of(text: &str, kind: &str, tag: &str) -> Vec<String> {
    found(text, kind, tag).into_iter().map(|found| found.value.plain()).collect()
}

pub fn money(text: &str, code: &str) -> Value {
    Value::Amount(Amount::parse(text, Currency::parse(code).unwrap()).unwrap())
}

/// Every wording gives its value and fit; `-` is nothing, `prefix` alone a value still to come. All that went wrong is
/// told at once.
pub fn check(tag: &str, kind: &str, wordings: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (text, wanted) in wordings {
        let heard = best(text, kind, tag);
        let shown = match &heard {
            None => "-".to_owned(),
            Some(Found { value: Value::Nothing, .. }) => "prefix".to_owned(),
            Some(found) => {
                let fit = match found.fit {
                    Fit::Full => "full",
                    Fit::Inside => "inside",
                    Fit::Prefix => "prefix",
                };
                format!("{} {fit}", found.value.plain())
            }
        };
        if shown != *wanted {
            wrong.push(format!("`{text}`: {shown}, wanted {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{tag} {kind}, {} of {} wrong:\n{}", wrong.len(), wordings.len(), wrong.join("\n"));
}

/// Nothing said, however strange, is a panic, and every range lies within the text.
#[test]
fn strange_words_never_panic() {
    let texts = [
        "",
        " ",
        "。",
        "double",
        "hundred hundred",
        "a",
        "the the the",
        "and",
        "no no not",
        "千",
        "万",
        "亿亿",
        "点",
        "半",
        "差差",
        "零零零",
        "第",
        "两个",
        "99999999999999999999",
        "9999999999999999 thousand million billion trillion",
        "九千九百九十九万亿亿亿",
        "1/0",
        "0/0",
        "13/45/99999",
        "in 99999999 years",
        "99999999999 days ago",
        "in nine trillion months",
        "五百亿年后",
        "25:99",
        "$",
        "$$$",
        "plus plus",
        "+",
        "minus minus",
        "½ ٣ ₂",
        "half half past",
        "quarter to to",
        "星期",
        "下下下下周",
        "月月底底",
        "B as in",
        "double double u",
        "的的的的的",
        "\u{0}\u{FFFF}",
        "İİİ'd",
        "😀五😀",
        "in 999999 hours and a half",
        "99999999 minutes from now",
        "1:2:3",
        "12/",
        "2026-13-45",
        "0000-00-00",
        "-0001-01-01",
    ];
    for text in texts {
        for kind in Kind::NAMES {
            for tag in ["en-US", "en-GB", "zh-CN", "de"] {
                for found in found(text, kind, tag) {
                    assert!(
                        text.get(found.bytes.clone()).is_some() && found.words.start <= found.words.end,
                        "{text} {kind} {tag}"
                    );
                    assert!((0.0..=1.0).contains(&found.sure), "{text} {kind} {tag}");
                }
            }
        }
    }
}
/// What people ask assistants for seldom answers a question: few of their sentences may be taken for an answer.
#[test]
fn requests_are_seldom_taken_for_answers() {
    let Some(folder) = std::env::var_os("TRUNKLINE_NLU").map(std::path::PathBuf::from) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "TRUNKLINE_NLU names the folder of development sets");
        println!("skipped: TRUNKLINE_NLU is not set");
        return;
    };
    for (file, tag, limits) in [
        ("en/hwu64_test.tsv", "en-US", [("boolean", 0.04), ("amount", 0.02), ("rating", 0.01), ("spelling", 0.02)]),
        ("zh/smp2017_train.tsv", "zh-CN", [("boolean", 0.01), ("amount", 0.01), ("rating", 0.01), ("spelling", 0.01)]),
    ] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let said: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split('\t').next()).collect();
        assert!(said.len() > 500, "{file} has {} sentences", said.len());
        for (kind, limit) in limits {
            let taken = said.iter().filter(|text| best(text, kind, tag).is_some_and(|found| found.sure > 0.5)).count();
            let share = taken as f64 / said.len() as f64;
            assert!(share <= limit, "{tag} {kind}: {taken} of {} sentences", said.len());
        }
    }
}
