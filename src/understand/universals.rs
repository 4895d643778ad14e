//! What people say for the wishes understood at every question.
//!
//! The phrases are data, `grammars/universals.tsv`, built into the binary: a line each of language, wish and phrase.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use super::Universal;
use super::features::features;
use super::mishear::misheard;
use super::sparse::Feature;
use crate::grammar::normalize;
use crate::language::Language;

const FILE: &str = include_str!("../../grammars/universals.tsv");

/// One line of the file.
struct Line {
    language: &'static str,
    wish: Universal,
    phrase: &'static str,
}

static LINES: LazyLock<Vec<Line>> =
    LazyLock::new(|| FILE.lines().skip(1).map(|line| read(line).expect("tests read every built-in line")).collect());

/// By language and phrase.
static KNOWN: LazyLock<BTreeMap<&'static str, BTreeMap<&'static str, Known>>> = LazyLock::new(|| {
    let mut known: BTreeMap<&str, BTreeMap<&str, Known>> = BTreeMap::new();
    for line in LINES.iter() {
        known.entry(line.language).or_default().insert(line.phrase, Known::of(line));
    }
    known
});

/// What is made of a built-in phrase, which stands in every question of every plan, and so is taken apart once.
pub struct Known {
    language: Language,
    phrase: &'static str,
    /// Its normalised words.
    pub words: Vec<String>,
    /// Those that are no courtesy.
    pub core: Vec<String>,
    features: OnceLock<(Vec<Feature>, Option<Vec<Feature>>)>,
}

impl Known {
    fn of(line: &Line) -> Self {
        let language = Language::parse(line.language).expect("tests read every built-in line");
        let words = normalize::words(line.phrase, &language);
        let core = normalize::unframed(&words, &language).to_vec();
        Self { language, phrase: line.phrase, words, core, features: OnceLock::new() }
    }

    /// Its features, and those of what a bad line makes of it.
    pub fn features(&self) -> &(Vec<Feature>, Option<Vec<Feature>>) {
        self.features.get_or_init(|| {
            let heard = misheard(self.phrase, 1, &self.language).pop();
            (features(self.phrase, &self.language), heard.map(|heard| features(&heard, &self.language)))
        })
    }
}

fn read(line: &'static str) -> Option<Line> {
    let mut cells = line.split('\t');
    let (language, wish, phrase) = (cells.next()?, cells.next()?, cells.next()?);
    let wish = match wish {
        "operator" => Universal::Operator,
        "repeat" => Universal::Repeat,
        "back" => Universal::Back,
        "stop" => Universal::StopCalling,
        _ => return None,
    };
    (!phrase.is_empty() && cells.next().is_none()).then_some(Line { language, wish, phrase })
}

/// Mandarin goes by two names: `zh` in most tags, `cmn` in ISO 639-3.
fn primary(language: &Language) -> &str {
    if normalize::is_mandarin(language) { "zh" } else { language.primary() }
}

/// The built-in phrases of one wish; none in a language that has none.
pub fn phrases(wish: Universal, language: &Language) -> impl Iterator<Item = &'static str> + use<> {
    let primary = primary(language).to_owned();
    LINES.iter().filter(move |line| line.wish == wish && line.language == primary).map(|line| line.phrase)
}

/// What is made of `phrase`, if it is a built-in one.
pub fn known(phrase: &str, language: &Language) -> Option<&'static Known> {
    KNOWN.get(primary(language))?.get(phrase)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_line_is_sound_and_no_phrase_means_two_wishes() {
        let mut seen = BTreeSet::new();
        for text in FILE.lines().skip(1) {
            let line = read(text).unwrap_or_else(|| panic!("grammars/universals.tsv: cannot read `{text}`"));
            assert!(seen.insert((line.language, line.phrase)), "`{text}` stands there twice");
        }
    }

    #[test]
    fn english_and_mandarin_know_every_wish() {
        for tag in ["en-US", "zh-CN", "cmn-Hans"] {
            let language = Language::parse(tag).unwrap();
            for wish in Universal::ALL {
                assert!(phrases(wish, &language).count() >= 5, "{tag} {wish:?}");
            }
            assert!(phrases(Universal::StopCalling, &language).count() >= 15, "{tag}");
        }
        assert_eq!(phrases(Universal::Back, &Language::parse("fr-FR").unwrap()).count(), 0);
    }

    #[test]
    fn a_built_in_phrase_is_taken_apart_as_any_other() {
        for tag in ["en-GB", "cmn-Hans"] {
            let language = Language::parse(tag).unwrap();
            for phrase in Universal::ALL.into_iter().flat_map(|wish| phrases(wish, &language)) {
                let known = known(phrase, &language).unwrap();
                assert_eq!(known.words, normalize::words(phrase, &language));
                assert_eq!(known.core, normalize::unframed(&known.words, &language));
                let (said, heard) = known.features();
                assert_eq!(*said, features(phrase, &language));
                let misheard = misheard(phrase, 1, &language).pop();
                assert_eq!(*heard, misheard.map(|heard| features(&heard, &language)), "{phrase}");
            }
        }
        assert!(known("pay my bill", &Language::english()).is_none());
    }
}
