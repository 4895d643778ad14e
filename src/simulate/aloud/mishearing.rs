//! How much of what was said was heard: word errors (insertions, deletions, substitutions) against what was to be heard.
//!
//! Both sides are compared as a grammar would: case, punctuation and contractions do not count, and figures count as the
//! words they may stand for ("10001" is "one zero zero zero one"). In Mandarin a word is a character.

use jiff::civil::Date;

use crate::grammar::normalize;
use crate::language::Language;
use crate::spoken::{SayAs, say};
use crate::value::Value;

/// Words, and errors in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Said.
    pub said: usize,
    /// Errors: more than were said when much was made up.
    pub wrong: usize,
}

impl Words {
    /// What came of `said` when `heard` was heard.
    pub fn compared(said: &str, heard: &str, language: &Language) -> Self {
        let said = normalize::units(said, language);
        let heard = in_words(&normalize::units(heard, language), &said, language);
        Self { said: said.len(), wrong: distance(&said, &heard) }
    }

    /// Both together.
    pub const fn and(self, other: Self) -> Self {
        Self { said: self.said + other.said, wrong: self.wrong + other.wrong }
    }

    /// Errors for a hundred words; `None` when nothing was said.
    pub fn percent(self) -> Option<f64> {
        (self.said > 0).then(|| 100.0 * self.wrong as f64 / self.said as f64)
    }
}

/// Figures as words: in the reading that was said, where one was, else digit by digit.
fn in_words(heard: &[String], said: &[String], language: &Language) -> Vec<String> {
    let mut words = Vec::new();
    for word in heard {
        let readings = readings(word, language);
        let spoken =
            |reading: &&Vec<String>| said.windows(reading.len().max(1)).any(|window| window == reading.as_slice());
        match readings.iter().filter(spoken).max_by_key(|reading| reading.len()).or(readings.first()) {
            Some(reading) => words.extend(reading.iter().cloned()),
            None => words.push(word.clone()),
        }
    }
    words
}

/// What figures may stand for; nothing for words.
fn readings(word: &str, language: &Language) -> Vec<Vec<String>> {
    let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
    let ending = &word[digits.len()..];
    let Ok(number) = digits.parse::<i64>() else { return Vec::new() };
    let spoken = |value: &Value, how| normalize::units(&say(value, how, language, Date::default()), language);
    match ending {
        "" => {
            let text = Value::Digits(digits.clone());
            let mut readings = vec![spoken(&text, SayAs::Digits), spoken(&Value::Integer(number), SayAs::Number)];
            if digits.len() == 4 {
                // A year, or a number said by halves.
                let half = |at: std::ops::Range<usize>| Value::Integer(digits[at].parse().unwrap_or_default());
                readings.push([half(0..2), half(2..4)].iter().flat_map(|half| spoken(half, SayAs::Number)).collect());
            }
            readings
        }
        "st" | "nd" | "rd" | "th" => vec![spoken(&Value::Integer(number), SayAs::Ordinal)],
        _ => Vec::new(),
    }
}

/// Fewest insertions, deletions and substitutions that make one of the other.
fn distance(one: &[String], other: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, word) in one.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], place + 1);
        for (column, heard) in other.iter().enumerate() {
            let cost = corner + usize::from(word != heard);
            corner = row[column + 1];
            row[column + 1] = cost.min(corner + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english(said: &str, heard: &str) -> (usize, usize) {
        let words = Words::compared(said, heard, &Language::english());
        (words.said, words.wrong)
    }

    #[test]
    fn words_are_compared_as_they_sound() {
        assert_eq!(english("I lost my card", "I lost my card."), (4, 0));
        assert_eq!(english("I lost my card", "I lost the cart."), (4, 2));
        assert_eq!(english("refill", ""), (1, 1));
        assert_eq!(english("yes", "yes it is so"), (1, 3));
    }

    #[test]
    fn figures_count_as_the_words_they_stand_for() {
        assert_eq!(english("one zero zero zero one", "1-0-0-0-1"), (5, 0));
        assert_eq!(english("one zero zero zero one", "10001."), (5, 0));
        assert_eq!(english("two hundred dollars on Friday", "200 dollars on Friday"), (5, 0));
        assert_eq!(english("May seventeenth nineteen eighty", "May 17th, 1980."), (4, 0));
        assert_eq!(english("one two three four", "1 2 3 5"), (4, 1));
    }

    #[test]
    fn mandarin_counts_characters() {
        let words = Words::compared("查余额", "查鱼额。", &Language::parse("zh-CN").unwrap());
        assert_eq!(words, Words { said: 3, wrong: 1 });
        assert_eq!(Words::default().percent(), None);
        assert_eq!(words.and(Words { said: 1, wrong: 1 }).percent(), Some(50.0));
    }
}
