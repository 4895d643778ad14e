//! What a question consists of, for comparing: words with their weight, and sounds of letters for what was misheard.

use std::sync::LazyLock;

use pinyin::ToPinyin as _;

use crate::grammar::normalize::{self, is_mandarin};
use crate::language::Language;
use crate::understand::lexicon::Lexicon;
use crate::understand::stem::stem;

/// English words that tell less than this are left out of the letters.
const WORTH_SPELLING: f32 = 0.2;
/// A single Han character tells less than a pair.
const ALONE: f32 = 0.35;
/// A pair of which one says little.
const HALF: f32 = 0.4;
/// What says nothing of itself.
const LITTLE: f32 = 0.05;

/// Han characters that stand in every question.
const SMALL_HAN: &str =
    "的了吗呢吧啊是我你您他她们有在要可以能会想请问把给个这那一下么什怎哪里就都和也很不没跟让被用到做为";

/// One piece of a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// A stem, a character or a pair of characters.
    pub text: String,
    /// What it tells by its nature, about 0 to 1.
    pub weight: f32,
}

/// A question taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pieces {
    /// Its words, politeness aside.
    pub words: String,
    /// The same with expressions for one thing made one.
    pub text: String,
    /// Words, in order; English ones as stems.
    pub terms: Vec<Term>,
    /// Three letters each in English, two syllables each in Mandarin, sorted, each once.
    pub grams: Vec<String>,
}

/// Takes `text` apart.
pub fn pieces(text: &str, language: &Language) -> Pieces {
    if is_mandarin(language) { mandarin(text, language) } else { spelled(text, language) }
}

fn spelled(text: &str, language: &Language) -> Pieces {
    let lexicon = Lexicon::of(language);
    let words = normalize::words(text, language);
    let words = normalize::unframed(&words, language);
    let mut letters = String::new();
    let mut terms: Vec<Term> = Vec::new();
    for word in words {
        let stem = if language.primary() == "en" { stem(word) } else { word.clone() };
        // To a menu "Saturday" says nothing, to a question about hours much: what is rare in the file decides.
        let weight = lexicon.weight(word, &stem).min(1.0).sqrt();
        if weight >= WORTH_SPELLING {
            letters.push_str(word);
        }
        if !terms.iter().any(|term| term.text == stem) {
            terms.push(Term { text: stem, weight });
        }
    }
    // Without blanks: "over draft" has the letters of "overdraft".
    let letters: Vec<char> = letters.chars().collect();
    let grams = letters.windows(3).map(String::from_iter);
    let words = words.join(" ");
    Pieces { text: words.clone(), words, terms, grams: each_once(grams) }
}

fn mandarin(text: &str, language: &Language) -> Pieces {
    let words = normalize::words(text, language).concat();
    let units = normalize::words(&said_one_way(text), language);
    let is_small = |unit: &str| unit.chars().all(|c| SMALL_HAN.contains(c));
    let mut terms: Vec<Term> = Vec::new();
    let mut add = |text: String, weight: f32| {
        if !terms.iter().any(|term| term.text == text) {
            terms.push(Term { text, weight });
        }
    };
    for unit in &units {
        let is_word = unit.chars().count() > 1;
        let is_number = unit.bytes().all(|byte| byte.is_ascii_digit());
        let weight = match (is_number, is_word, is_small(unit)) {
            (true, ..) => 0.1,
            (_, true, _) => 1.0,
            (_, _, true) => LITTLE,
            _ => ALONE,
        };
        add(unit.clone(), weight);
    }
    for pair in units.windows(2) {
        let weight = match (is_small(&pair[0]), is_small(&pair[1])) {
            (true, true) => LITTLE,
            (false, false) => 1.0,
            _ => HALF,
        };
        add(pair.concat(), weight);
    }
    let sounds: Vec<(String, bool)> = units.iter().map(|unit| (sound(unit), is_small(unit))).collect();
    let told = sounds.windows(2).filter(|pair| !(pair[0].1 && pair[1].1));
    let grams = told.map(|pair| format!("{} {}", pair[0].0, pair[1].0));
    Pieces { words, text: units.concat(), terms, grams: each_once(grams) }
}

/// A syllable without its tone, as somebody says it who does not tell zh from z, nor ng from n.
fn sound(unit: &str) -> String {
    let Some(syllable) = unit.chars().next().and_then(|c| c.to_pinyin()) else { return unit.to_owned() };
    let plain = syllable.plain();
    let mut folded = String::with_capacity(plain.len());
    let mut letters = plain.chars().peekable();
    while let Some(letter) = letters.next() {
        folded.push(letter);
        let next = letters.peek().copied();
        if matches!((letter, next), ('z' | 'c' | 's', Some('h')) | ('n', Some('g'))) {
            letters.next();
        }
    }
    folded
}

fn each_once(grams: impl Iterator<Item = String>) -> Vec<String> {
    let mut grams: Vec<String> = grams.collect();
    grams.sort_unstable();
    grams.dedup();
    grams
}

/// Expressions of the list, longest first, each with the one that stands for it.
static SAME: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    let lines = include_str!("words/zh-same.txt").lines().filter(|line| !line.starts_with('#'));
    let mut same: Vec<_> = lines
        .flat_map(|line| {
            let first = line.split_whitespace().next().unwrap_or_default();
            // The first stands for itself, so that no part of it is taken for another.
            line.split_whitespace().map(move |other| (other, first))
        })
        .collect();
    same.sort_by_key(|(other, _)| std::cmp::Reverse(other.len()));
    same
});

/// `text` with expressions for the same thing made one.
fn said_one_way(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        match SAME.iter().find(|(other, _)| rest.starts_with(other)) {
            Some((other, first)) => {
                said.push_str(first);
                rest = &rest[other.len()..];
            }
            None => {
                said.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, language: &str) -> Pieces {
        pieces(text, &Language::parse(language).unwrap())
    }

    #[test]
    fn words_split_and_joined_have_the_same_letters() {
        assert_eq!(of("over draft", "en-US").grams, of("overdraft", "en-US").grams);
        let terms: Vec<_> = of("Can you tell me the opening hours, please?", "en-US").terms;
        assert!(terms.iter().any(|term| term.text == "hour"), "{terms:?}");
    }

    #[test]
    fn misheard_syllables_sound_the_same() {
        assert_eq!(of("挂失", "zh-CN").grams, of("挂是", "zh-CN").grams);
        assert_eq!(of("透支", "zh-CN").grams, of("头资", "zh-CN").grams);
        assert_eq!(sound("双"), "suan");
    }

    #[test]
    fn expressions_for_one_thing_are_made_one() {
        assert_eq!(said_one_way("如何更改电话号码"), "怎么修改手机号");
        assert_eq!(said_one_way("手机号"), "手机号");
        assert_eq!(said_one_way(""), "");
    }

    #[test]
    fn a_language_without_lists_still_has_words() {
        assert_eq!(of("Öffnungszeiten am Sonntag", "de-DE").terms.len(), 3);
    }
}
