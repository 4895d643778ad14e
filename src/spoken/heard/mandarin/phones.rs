//! Mandarin telephone digits: 幺三八，零零幺三，八零零零, 三个八, 一三八两个零.

use super::numbers::{digit, small};
use crate::spoken::heard::runs::Run;
use crate::spoken::heard::words::Words;

/// The run that begins at this place.
pub fn at(words: &Words, at: usize) -> Option<Run> {
    let plus = matches!(words.get(at), "加" | "plus");
    let mut run = Run { digits: String::new(), plus, end: at + usize::from(plus) };
    loop {
        let start = if run.digits.is_empty() { run.end } else { words.skip(run.end, &["然后", "杠", "再", "嗯"]) };
        let Some((digits, end)) = piece(words, start) else { break };
        run.digits.push_str(&digits);
        run.end = end;
    }
    (!run.digits.is_empty()).then_some(run)
}

fn piece(words: &Words, at: usize) -> Option<(String, usize)> {
    // 三个八
    if let Some((count, next)) = small(words, at).filter(|(count, next)| *count < 10 && words.get(*next) == "个")
        && let Some(digit) = one(words, next + 1)
    {
        return Some((digit.to_string().repeat(count as usize), next + 2));
    }
    if let Some(digit) = one(words, at) {
        return Some((digit.to_string(), at + 1));
    }
    let figures = words.get(at);
    (!figures.is_empty() && figures.bytes().all(|byte| byte.is_ascii_digit())).then(|| (figures.to_owned(), at + 1))
}

/// One digit as numbers are read aloud: 幺, 洞, 拐, 勾 among them.
fn one(words: &Words, at: usize) -> Option<i64> {
    match words.get(at) {
        "幺" | "么" => Some(1),
        "洞" => Some(0),
        "拐" => Some(7),
        "勾" => Some(9),
        _ => digit(words, at),
    }
}
