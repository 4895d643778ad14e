//! What people say for the wishes understood at every question.
//!
//! The phrases are data, `grammars/universals.tsv`, built into the binary: a line each of language, wish and phrase.

use std::sync::LazyLock;

use super::Universal;
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

/// The built-in phrases of one wish; none in a language that has none.
pub fn phrases(wish: Universal, language: &Language) -> impl Iterator<Item = &'static str> + use<> {
    // Mandarin goes by two names: `zh` in most tags, `cmn` in ISO 639-3.
    let primary = if language.primary() == "cmn" { "zh" } else { language.primary() }.to_owned();
    LINES.iter().filter(move |line| line.wish == wish && line.language == primary).map(|line| line.phrase)
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
}
