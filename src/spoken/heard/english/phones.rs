//! English telephone digits: "two oh two, five five five, zero one two three", "one eight hundred…", "double five".

use super::numbers::{below_hundred, digit, zero};
use crate::spoken::heard::runs::Run;
use crate::spoken::heard::words::Words;

/// What recognisers write for a digit; believed between digits only.
const MISHEARD: &[(&str, char)] = &[
    ("won", '1'),
    ("to", '2'),
    ("too", '2'),
    ("tree", '3'),
    ("free", '3'),
    ("for", '4'),
    ("fore", '4'),
    ("fife", '5'),
    ("sex", '6'),
    ("ate", '8'),
];
/// Said between groups.
const BETWEEN: &[&str] = &["dash", "hyphen", "and", "then", "area code"];

/// The run that begins at this place.
pub fn at(words: &Words, at: usize) -> Option<Run> {
    let plus = words.get(at) == "plus";
    let mut run = Run { digits: String::new(), plus, end: at + usize::from(plus) };
    loop {
        let start = if run.digits.is_empty() { run.end } else { words.skip(run.end, BETWEEN) };
        match piece(words, start, !run.digits.is_empty()) {
            Some((digits, end)) => {
                run.digits.push_str(&digits);
                run.end = end;
            }
            None => break,
        }
    }
    (!run.digits.is_empty()).then_some(run)
}

fn piece(words: &Words, at: usize, within: bool) -> Option<(String, usize)> {
    let word = words.get(at);
    if zero(words, at) || matches!(word, "null" | "aught") {
        return Some(("0".into(), at + 1));
    }
    let times = match word {
        "double" => 2,
        "triple" | "treble" => 3,
        _ => 0,
    };
    if times > 0 {
        let repeated = if zero(words, at + 1) { Some(0) } else { digit(words, at + 1) };
        return repeated.map(|digit| (digit.to_string().repeat(times), at + 2));
    }
    if word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some((word.to_owned(), at + 1));
    }
    if word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some((word.to_owned(), at + 1));
    }
    if let Some((number, end)) = below_hundred(words, at) {
        let zeros = match words.get(end) {
            "hundred" => "00",
            "thousand" => "000",
            _ => "",
        };
        return Some((format!("{number}{zeros}"), end + usize::from(!zeros.is_empty())));
    }
    let (_, misheard) = MISHEARD.iter().find(|(heard, _)| *heard == word)?;
    let next_is_digit = digit(words, at + 1).is_some() || zero(words, at + 1) || at + 1 == words.len();
    (within && next_is_digit).then(|| (misheard.to_string(), at + 1))
}
