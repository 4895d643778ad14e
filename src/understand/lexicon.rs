//! General knowledge of a language that every plan shares: which words tell little, which stand for one another.
//!
//! The lists are plain text beside this file, written by hand, and name no plan. They are read once per process.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::stem::stem;
use crate::language::Language;

/// Likeness of two words on one `=` line of the synonyms.
const SAME: f32 = 0.85;
/// Likeness of two words on one `~` line.
const RELATED: f32 = 0.45;
/// Likeness of two words that share a long beginning: "vaccinate", "vaccination".
const FAMILY: f32 = 0.8;
/// A beginning this long makes a family…
const FAMILY_LETTERS: usize = 5;
/// …when no more than this many letters follow in either.
const FAMILY_ENDING: usize = 5;
/// What an expression of several words ("can not find") tells, 0..1.
const EXPRESSION_WEIGHT: f32 = 0.45;

const FIELDS_ENGLISH: &str = include_str!("words/en-fields.txt");
const FIELDS_MANDARIN: &str = include_str!("words/zh-fields.txt");

/// Words that may stand inside an expression, as stems.
const SMALL: &[&str] = &["it", "this", "that", "them", "these", "those", "the", "my", "me", "a", "your", "just", "all"];

static ENGLISH: LazyLock<Lexicon> =
    LazyLock::new(|| Lexicon::read(include_str!("words/en-common.txt"), include_str!("words/en-synonyms.txt")));
static NONE: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::read("", ""));

/// Places of the lines a word stands on, each with its likeness; sorted by place.
type Lines = Vec<(u16, f32)>;

/// What is known of one language's words.
#[derive(Debug)]
pub struct Lexicon {
    /// By spoken form and by stem: 0 tells nothing, 1 as much as an unknown word, more names a matter of its own.
    weights: BTreeMap<String, f32>,
    /// By stem; expressions joined with `_`.
    lines: BTreeMap<String, Lines>,
    /// Expressions as stems, by their first stem, longest first.
    expressions: BTreeMap<String, Vec<Vec<String>>>,
}

/// English words that everyday speech and telephone services are full of, some of them twice.
pub fn everyday_words() -> impl Iterator<Item = &'static str> {
    let lists = [include_str!("words/en-common.txt"), include_str!("words/en-synonyms.txt"), FIELDS_ENGLISH];
    let words = lists.into_iter().flat_map(lines_of).flat_map(|line| line.split([' ', '_']));
    words.filter(|word| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// The same of Mandarin characters.
pub fn everyday_characters() -> impl Iterator<Item = &'static str> {
    let lists = [FIELDS_MANDARIN, include_str!("words/zh-strangers.txt")];
    let lines = lists.into_iter().flat_map(lines_of);
    let pieces = lines.flat_map(|line| line.split_inclusive(|_| true));
    pieces.filter(|piece| piece.chars().all(|one| matches!(one, '\u{4E00}'..='\u{9FFF}')))
}

impl Lexicon {
    /// The shared lexicon of `language`; empty for languages without lists.
    pub fn of(language: &Language) -> &'static Self {
        if language.primary() == "en" { &ENGLISH } else { &NONE }
    }

    fn read(common: &str, synonyms: &str) -> Self {
        let mut lexicon = Self { weights: BTreeMap::new(), lines: BTreeMap::new(), expressions: BTreeMap::new() };
        for line in lines_of(common) {
            let mut fields = line.split_whitespace();
            let weight = fields.next().and_then(|field| field.parse::<f32>().ok()).unwrap_or(100.0) / 100.0;
            for word in fields {
                lexicon.weights.entry(word.to_owned()).or_insert(weight);
                lexicon.weights.entry(stem(word)).or_insert(weight);
            }
        }
        for (place, line) in lines_of(synonyms).enumerate() {
            let strength = if line.starts_with('=') { SAME } else { RELATED };
            for entry in line.split_whitespace().skip(1) {
                lexicon.enter(entry, place as u16, strength);
            }
        }
        for group in lexicon.expressions.values_mut() {
            group.sort_by_key(|expression| std::cmp::Reverse(expression.len()));
        }
        lexicon
    }

    fn enter(&mut self, entry: &str, place: u16, strength: f32) {
        let stems: Vec<String> = entry.split('_').map(stem).collect();
        let name = stems.join("_");
        let known = self.lines.entry(name).or_default();
        if !known.iter().any(|(line, _)| *line == place) {
            known.push((place, strength));
        }
        if stems.len() > 1 {
            let group = self.expressions.entry(stems[0].clone()).or_default();
            if !group.contains(&stems) {
                group.push(stems);
            }
        }
    }

    /// The longest expression at the front of `stems`, and how many of them it takes. Small words may stand inside
    /// it: "give it back". `None` when there is none.
    pub fn expression(&self, stems: &[String]) -> Option<(&[String], usize)> {
        let group = self.expressions.get(stems.first()?)?;
        group.iter().find_map(|expression| Some((expression.as_slice(), spans(expression, stems)?)))
    }

    /// What a word tells about a wish: 0 nothing, 1 as much as an unknown word, more when it names its own matter.
    pub fn weight(&self, word: &str, stem: &str) -> f32 {
        if stem.contains('_') {
            return EXPRESSION_WEIGHT;
        }
        if stem.bytes().all(|byte| byte.is_ascii_digit()) {
            return 0.1;
        }
        self.weights.get(word).or_else(|| self.weights.get(stem)).copied().unwrap_or(1.0)
    }

    /// Is this a word of everyday English, less likely to be a mishearing of a rarer one?
    pub fn is_common(&self, word: &str) -> bool {
        self.weights.get(word).is_some_and(|weight| *weight < 0.3)
    }

    /// The synonym lines a stem stands on.
    pub fn lines(&self, stem: &str) -> &[(u16, f32)] {
        self.lines.get(stem).map_or(&[], Vec::as_slice)
    }
}

/// Likeness of two stems by meaning, 0..1: the same, on a common synonym line, or of one family.
pub fn alike((one, one_lines): (&str, &[(u16, f32)]), (two, two_lines): (&str, &[(u16, f32)])) -> f32 {
    if one == two {
        return 1.0;
    }
    // Most pairs of words have nothing to do with one another.
    if one.as_bytes().first() != two.as_bytes().first() && (one_lines.is_empty() || two_lines.is_empty()) {
        return 0.0;
    }
    let mut best: f32 = 0.0;
    let (mut left, mut right) = (one_lines, two_lines);
    while let (Some(&(a, strength)), Some(&(b, _))) = (left.first(), right.first()) {
        if a == b {
            best = best.max(strength);
        }
        if a <= b {
            left = &left[1..];
        }
        if b <= a {
            right = &right[1..];
        }
    }
    let shared = one.bytes().zip(two.bytes()).take_while(|(a, b)| a == b).count();
    let is_family = shared >= FAMILY_LETTERS && one.len().max(two.len()) - shared <= FAMILY_ENDING;
    if is_family && !one.contains('_') && !two.contains('_') { best.max(FAMILY) } else { best }
}

/// How many of `stems` it takes to say `expression`, small words between included.
fn spans(expression: &[String], stems: &[String]) -> Option<usize> {
    let mut at = 0;
    for (place, word) in expression.iter().enumerate() {
        if place > 0 && stems.get(at) != Some(word) && SMALL.contains(&stems.get(at)?.as_str()) {
            at += 1;
        }
        if stems.get(at)? != word {
            return None;
        }
        at += 1;
    }
    Some(at)
}

fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(one: &str, two: &str) -> f32 {
        let lexicon = Lexicon::of(&Language::english());
        let (one, two) = (stem(one), stem(two));
        alike((&one, lexicon.lines(&one)), (&two, lexicon.lines(&two)))
    }

    #[test]
    fn synonyms_are_near_and_strangers_are_not() {
        assert!(likeness("misplaced", "lost") > 0.8);
        assert!(likeness("paying", "payment") > 0.8);
        assert!(likeness("vaccinate", "vaccination") > 0.7);
        assert_eq!(likeness("pizza", "lost"), 0.0);
    }

    #[test]
    fn common_words_tell_little() {
        let lexicon = Lexicon::of(&Language::english());
        assert!(lexicon.weight("the", "the") < 0.05);
        assert!(lexicon.weight("pizza", "pizza") > lexicon.weight("zebra", "zebra"));
        assert_eq!(lexicon.weight("zebra", "zebra"), 1.0);
    }

    #[test]
    fn expressions_are_found_at_their_longest() {
        let lexicon = Lexicon::of(&Language::english());
        let stems: Vec<String> = ["can", "not", "find", "it"].iter().map(|word| stem(word)).collect();
        assert_eq!(lexicon.expression(&stems).map(|(_, taken)| taken), Some(3));
        let stems: Vec<String> = ["give", "this", "back", "now"].iter().map(|word| stem(word)).collect();
        assert_eq!(lexicon.expression(&stems).map(|(_, taken)| taken), Some(3));
        assert_eq!(lexicon.expression(&stems[2..]), None);
    }

    #[test]
    fn synonym_lines_stay_sorted_by_place() {
        for lines in Lexicon::of(&Language::english()).lines.values() {
            assert!(lines.is_sorted_by_key(|(place, _)| *place));
        }
    }
}
