//! English spelling: "B as in boy, O, X", "double L", "capital A", "bravo oscar", "bee oh ex".

use super::numbers::digit;
use crate::spoken::heard::runs::Spelled;
use crate::spoken::heard::words::Words;

const CALLED: &[(&str, char)] = &[
    ("alpha", 'A'),
    ("alfa", 'A'),
    ("bravo", 'B'),
    ("charlie", 'C'),
    ("delta", 'D'),
    ("echo", 'E'),
    ("foxtrot", 'F'),
    ("golf", 'G'),
    ("hotel", 'H'),
    ("india", 'I'),
    ("juliet", 'J'),
    ("juliett", 'J'),
    ("kilo", 'K'),
    ("lima", 'L'),
    ("mike", 'M'),
    ("november", 'N'),
    ("oscar", 'O'),
    ("papa", 'P'),
    ("quebec", 'Q'),
    ("romeo", 'R'),
    ("sierra", 'S'),
    ("tango", 'T'),
    ("uniform", 'U'),
    ("victor", 'V'),
    ("whiskey", 'W'),
    ("whisky", 'W'),
    ("xray", 'X'),
    ("x ray", 'X'),
    ("yankee", 'Y'),
    ("zulu", 'Z'),
    ("zee", 'Z'),
    ("zed", 'Z'),
    ("double u", 'W'),
    ("double you", 'W'),
    ("aitch", 'H'),
];
/// What recognisers write for a letter; believed beside letters only.
const MISHEARD: &[(&str, char)] = &[
    ("bee", 'B'),
    ("be", 'B'),
    ("sea", 'C'),
    ("see", 'C'),
    ("dee", 'D'),
    ("eff", 'F'),
    ("gee", 'G'),
    ("eye", 'I'),
    ("jay", 'J'),
    ("kay", 'K'),
    ("el", 'L'),
    ("ell", 'L'),
    ("em", 'M'),
    ("en", 'N'),
    ("oh", 'O'),
    ("pee", 'P'),
    ("pea", 'P'),
    ("queue", 'Q'),
    ("cue", 'Q'),
    ("are", 'R'),
    ("ar", 'R'),
    ("ess", 'S'),
    ("es", 'S'),
    ("tea", 'T'),
    ("tee", 'T'),
    ("you", 'U'),
    ("vee", 'V'),
    ("ex", 'X'),
    ("why", 'Y'),
    ("wye", 'Y'),
];
const SIGNS: &[(&str, char)] = &[
    ("dash", '-'),
    ("hyphen", '-'),
    ("apostrophe", '\''),
    ("space", ' '),
    ("dot", '.'),
    ("period", '.'),
    ("underscore", '_'),
    ("at sign", '@'),
    ("slash", '/'),
];
const CASE: &[&str] = &[
    "capital",
    "upper case",
    "uppercase",
    "lower case",
    "lowercase",
    "big",
    "small",
    "the letter",
    "letter",
    "then",
    "and",
];

/// What is spelled from this place on.
pub fn at(words: &Words, at: usize) -> Option<Spelled> {
    let mut spelled = Spelled { text: String::new(), end: at, certain: 0 };
    let mut proof = 0;
    loop {
        let start = words.skip(spelled.end, CASE);
        let Some((text, end, certain)) = piece(words, start, !spelled.text.is_empty()) else { break };
        spelled.text.push_str(&text);
        spelled.end = end;
        proof += certain;
    }
    spelled.certain = proof / 2;
    spelled.text.chars().any(char::is_alphanumeric).then_some(spelled)
}

/// One letter, sign or digit, or several of a kind; and how much it proves that somebody spells: 2 is enough, and "a",
/// "I" and "O", which are words too, count 1.
fn piece(words: &Words, at: usize, within: bool) -> Option<(String, usize, usize)> {
    if let Some((letter, end)) = letter(words, at, within) {
        let (end, explained) = explained(words, end, letter);
        let proof = match words.get(at) {
            _ if explained => 2,
            "a" | "i" | "o" => 1,
            "bee" | "dee" | "eff" | "gee" | "jay" | "kay" | "ell" | "ess" | "pee" | "tee" | "vee" | "ex" | "wye" => 1,
            word if word.len() == 1 => 2,
            // "India" is a country too; a second letter proves that it is none here.
            _ if words.find(at, CALLED).is_some() => 1,
            _ => 0,
        };
        return Some((letter.to_string(), end, proof));
    }
    let times = match words.get(at) {
        "double" => 2,
        "triple" => 3,
        _ => 0,
    };
    if times > 0 {
        let (letter, end) = letter(words, at + 1, true).or_else(|| {
            let digit = digit(words, at + 1)?;
            Some((char::from_digit(digit as u32, 10)?, at + 2))
        })?;
        let (end, _) = explained(words, end, letter);
        return Some((letter.to_string().repeat(times), end, 2));
    }
    if let Some((sign, end)) = words.find(at, SIGNS).filter(|_| within) {
        return Some((sign.to_string(), end, 0));
    }
    if let Some(digit) = digit(words, at) {
        return Some((digit.to_string(), at + 1, 0));
    }
    if matches!(words.get(at), "zero" | "0") {
        return Some(("0".into(), at + 1, 0));
    }
    let figures = words.get(at).len() > 1 && words.get(at).bytes().all(|byte| byte.is_ascii_digit());
    figures.then(|| (words.get(at).to_owned(), at + 1, 0))
}

fn letter(words: &Words, at: usize, within: bool) -> Option<(char, usize)> {
    let word = words.get(at);
    if let Some(found) = words.find(at, CALLED) {
        return Some(found);
    }
    if let [letter] = word.as_bytes()
        && letter.is_ascii_alphabetic()
    {
        return Some((char::from(letter.to_ascii_uppercase()), at + 1));
    }
    let (_, letter) = MISHEARD.iter().find(|(heard, _)| *heard == word)?;
    let next = words.get(at + 1);
    let beside = within || (next.len() == 1 && next.is_ascii()) || MISHEARD.iter().any(|(heard, _)| *heard == next);
    beside.then_some((*letter, at + 1))
}

/// "as in boy", "for Bravo", "like boy": says which letter was meant, and must agree with it.
fn explained(words: &Words, end: usize, letter: char) -> (usize, bool) {
    let Some((_, word)) = words.any(end, &["as in", "for", "like", "like in", "is in", "as an"]) else {
        return (end, false);
    };
    let agrees = words.get(word).chars().next().is_some_and(|first| first.eq_ignore_ascii_case(&letter))
        && words.get(word).len() > 1
        // "I like it" spells nothing.
        && !(letter == 'I' && words.get(end) == "like");
    if agrees { (word + 1, true) } else { (end, false) }
}
