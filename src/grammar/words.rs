//! What a grammar compares: words of English and languages like it, characters of Mandarin, keys.
//!
//! The words of a rule and those of a caller go the same way, so that "I'd like", "I would like" and `I WOULD LIKE` are
//! one. Unlike [`normalize::words`] nothing that is said is taken away: a rule may well hear 请 or 我要.

use crate::language::Language;

use super::normalize;

/// Figures as words, so that a recogniser may write either.
const ENGLISH_FIGURES: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const MANDARIN_FIGURES: [&str; 10] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"];

/// Splits `text` into what is compared.
pub fn compared(text: &str, language: &Language) -> Vec<String> {
    let mut units = normalize::units(text, language);
    for unit in &mut units {
        if let Some(word) = as_words(unit, language) {
            word.clone_into(unit);
        }
    }
    units
}

/// `text` as it is compared, each with how it is written where that is the same word: (`boston`, `Boston`).
pub fn compared_and_written(text: &str, language: &Language) -> Vec<(String, String)> {
    let units = compared(text, language);
    let pieces: Vec<&str> = text.split_whitespace().collect();
    let same = |unit: &String, piece: &str| unit.as_str() == piece.to_lowercase();
    let pairs = units.len() == pieces.len() && units.iter().zip(&pieces).all(|(unit, piece)| same(unit, piece));
    let written = |(at, unit): (usize, String)| {
        let written = if pairs { pieces[at].to_owned() } else { unit.clone() };
        (unit, written)
    };
    units.into_iter().enumerate().map(written).collect()
}

/// Words as a sentence: blanks between them, none beside characters of a language that writes without.
pub fn joined(words: impl IntoIterator<Item = String>) -> String {
    let mut text = String::new();
    for word in words {
        let dense = |letter: Option<char>| letter.is_some_and(|letter| ('\u{2e80}'..='\u{ffef}').contains(&letter));
        if !(text.is_empty() || dense(text.chars().next_back()) || dense(word.chars().next())) {
            text.push(' ');
        }
        text.push_str(&word);
    }
    text
}

/// A single figure in the words of `language`, where we know them.
fn as_words(unit: &str, language: &Language) -> Option<&'static str> {
    let [figure @ b'0'..=b'9'] = unit.as_bytes() else { return None };
    let figure = usize::from(figure - b'0');
    match language.primary() {
        "en" => Some(ENGLISH_FIGURES[figure]),
        "zh" | "cmn" => Some(MANDARIN_FIGURES[figure]),
        _ => None,
    }
}

/// Splits what is written for keys, `1 2 3` or `123#`; the error is what is no key (SRGS 1.0, Appendix E).
pub fn keys(text: &str) -> Result<Vec<String>, char> {
    let mut keys = Vec::new();
    for word in text.split_whitespace() {
        match word.to_ascii_lowercase().as_str() {
            "star" => keys.push("*".to_owned()),
            "pound" | "hash" => keys.push("#".to_owned()),
            _ => {
                for key in word.chars().map(|key| key.to_ascii_uppercase()) {
                    if !key.is_ascii_digit() && !('A'..='D').contains(&key) && !"*#".contains(key) {
                        return Err(key);
                    }
                    keys.push(key.to_string());
                }
            }
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_words_are_one() {
        assert_eq!(compared("Press 4", &Language::english()), compared("press four!", &Language::english()));
        let mandarin = Language::parse("zh-CN").unwrap();
        assert_eq!(compared("请按3", &mandarin), ["请", "按", "三"]);
        assert_eq!(compared("line 42", &Language::english()), ["line", "42"]);
    }

    #[test]
    fn a_word_keeps_the_spelling_of_the_grammar() {
        let english = Language::english();
        let written = |text: &str| joined(compared_and_written(text, &english).into_iter().map(|(_, written)| written));
        assert_eq!(written("New York"), "New York");
        assert_eq!(written("I'd like"), "i would like");
        assert_eq!(joined(["我", "的", "VISA", "gold", "卡"].map(str::to_owned)), "我的VISA gold卡");
    }

    #[test]
    fn keys_are_split_and_others_refused() {
        assert_eq!(keys("1 2a star #").unwrap(), ["1", "2", "A", "*", "#"]);
        assert_eq!(keys("12x"), Err('X'));
    }
}
