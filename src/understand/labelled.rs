//! Labelled sentences: files of `text<TAB>intent` lines under a heading.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::language::Language;

/// Of the letters, this share must be Chinese characters for a text to be Mandarin.
const MANDARIN_SHARE: f32 = 0.3;
/// Rows looked at to tell the language.
const LOOKED_AT: usize = 500;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Counted from 1.
    pub line: usize,
    /// As somebody said it.
    pub text: String,
    /// What they meant.
    pub intent: String,
}

/// A file, read.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// Where it was.
    pub path: PathBuf,
    /// Its rows, in file order.
    pub sentences: Vec<Sentence>,
}

/// Why a file cannot be used; every message begins with `FILE:LINE:`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{}:{line}: {why}", path.display())]
pub struct LabelledError {
    /// The file.
    pub path: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there, and what to write instead.
    pub why: String,
}

impl Labelled {
    /// Reads the bytes of a file found at `path`.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, LabelledError> {
        let wrong = |line: usize, why: String| LabelledError { path: path.to_owned(), line, why };
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            wrong(line, "these bytes are not UTF-8; save the file as UTF-8".to_owned())
        })?;
        let mut lines = text.trim_start_matches('\u{FEFF}').lines().enumerate();
        let heading = lines.next().map(|(_, line)| line.trim_end()).unwrap_or_default();
        if heading.is_empty() {
            return Err(wrong(1, "the file is empty; the first line is the heading `text<TAB>intent`".to_owned()));
        }
        let names: Vec<String> = heading.split('\t').map(|name| name.trim().to_lowercase()).collect();
        let column = |wanted: &str| names.iter().position(|name| name == wanted);
        let Some(columns) = column("text").zip(column("intent")) else {
            let found: String = heading.chars().take(60).collect();
            return Err(wrong(1, format!("the first line must be the heading `text<TAB>intent`, not `{found}`")));
        };
        let mut sentences = Vec::new();
        for (at, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let line_number = at + 1;
            let cells: Vec<&str> = line.split('\t').collect();
            let (text, intent) = match cells.as_slice() {
                [_] => return Err(wrong(line_number, "there is no tab; a line is `text<TAB>intent`".to_owned())),
                // A tab inside of the text, where nothing else can be meant.
                cells if columns == (0, 1) && names.len() == 2 && cells.len() > 2 => {
                    line.rsplit_once('\t').expect("there are tabs")
                }
                cells if cells.len() != names.len() => {
                    let (found, due) = (cells.len(), names.len());
                    let why = format!("there are {found} columns, and {due} in the heading; no text may hold a tab");
                    return Err(wrong(line_number, why));
                }
                cells => (cells[columns.0], cells[columns.1]),
            };
            let (text, intent) = (text.trim(), intent.trim());
            if text.is_empty() {
                return Err(wrong(line_number, "there is no text before the tab".to_owned()));
            }
            if intent.is_empty() {
                return Err(wrong(line_number, "there is no intent behind the tab".to_owned()));
            }
            sentences.push(Sentence { line: line_number, text: text.to_owned(), intent: intent.to_owned() });
        }
        if sentences.is_empty() {
            return Err(wrong(1, "there is nothing below the heading".to_owned()));
        }
        Ok(Self { path: path.to_owned(), sentences })
    }

    /// The intents, sorted, without `oos`.
    pub fn intents(&self, oos: Option<&str>) -> Vec<String> {
        let mut intents: Vec<String> = self.sentences.iter().map(|row| row.intent.clone()).collect();
        intents.sort();
        intents.dedup();
        intents.retain(|intent| Some(intent.as_str()) != oos);
        intents
    }

    /// Keeps `many` rows of every intent, drawn by `seed`: the same seed draws the same rows.
    pub fn drawn(mut self, many: usize, seed: u64) -> Self {
        let mut order: Vec<usize> = (0..self.sentences.len()).collect();
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
        let mut kept: Vec<usize> = order
            .into_iter()
            .filter(|row| {
                let taken = taken.entry(&self.sentences[*row].intent).or_default();
                *taken += 1;
                *taken <= many
            })
            .collect();
        kept.sort_unstable();
        self.sentences = kept.into_iter().map(|row| self.sentences[row].clone()).collect();
        self
    }

    /// Complains of the first row whose intent is not among `intents`.
    pub fn check(&self, intents: &[String], oos: Option<&str>) -> Result<(), LabelledError> {
        let known = |row: &&Sentence| Some(row.intent.as_str()) == oos || intents.binary_search(&row.intent).is_ok();
        let Some(row) = self.sentences.iter().find(|row| !known(row)) else { return Ok(()) };
        let near = intents.iter().max_by(|a, b| {
            let like = |name: &str| strsim::jaro_winkler(name, &row.intent);
            like(a).total_cmp(&like(b))
        });
        let near = near.map(|name| format!("; the nearest one it has is `{name}`")).unwrap_or_default();
        let why = format!(
            "the training file has no sentence for the intent `{}`{near} (is it what `--oos` is for?)",
            row.intent
        );
        Err(LabelledError { path: self.path.clone(), line: row.line, why })
    }

    /// The language the sentences are in, told by their letters: Mandarin or English.
    pub fn language(&self) -> Language {
        language_of(self.sentences.iter().map(|row| row.text.as_str()))
    }
}

/// The language the first of these texts are in, told by their letters: Mandarin or English.
pub fn language_of<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Language {
    let letters = || texts.clone().take(LOOKED_AT).flat_map(str::chars).filter(|c| c.is_alphabetic());
    let chinese = letters().filter(|c| matches!(c, '\u{3400}'..='\u{9FFF}')).count();
    let is_mandarin = chinese as f32 > MANDARIN_SHARE * letters().count() as f32;
    if is_mandarin { Language::parse("zh-CN").expect("a tag") } else { Language::english() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Labelled, String> {
        Labelled::parse(Path::new("a.tsv"), bytes).map_err(|error| error.to_string())
    }

    #[test]
    fn sentences_are_read_under_their_heading() {
        let found = read("\u{FEFF}text\tintent\r\nturn it on\ton\r\n\r\n关灯\toff\n".as_bytes()).unwrap();
        assert_eq!(found.sentences[1], Sentence { line: 4, text: "关灯".into(), intent: "off".into() });
        assert_eq!(found.intents(None), ["off", "on"]);
        assert_eq!(found.intents(Some("off")), ["on"]);
    }

    #[test]
    fn columns_are_found_by_their_names_and_others_passed_over() {
        let found = read(b"id\tIntent\tText\tsplit\r\n1\ton\tturn it on\ttest\r\n2\toff\tturn it off\t\r\n").unwrap();
        let row = |place: usize| (found.sentences[place].text.as_str(), found.sentences[place].intent.as_str());
        assert_eq!((row(0), row(1)), (("turn it on", "on"), ("turn it off", "off")));
        // As one line of SMP2017 has it.
        let tab = read(b"text\tintent\nturn\tit on\ton\n").unwrap();
        assert_eq!((tab.sentences[0].text.as_str(), tab.sentences[0].intent.as_str()), ("turn\tit on", "on"));
    }

    #[test]
    fn what_is_wrong_is_said_with_file_and_line() {
        for (bytes, said) in [
            (&b""[..], "a.tsv:1: the file is empty"),
            (
                b"turn it on\ton\n",
                "a.tsv:1: the first line must be the heading `text<TAB>intent`, not `turn it on\ton`",
            ),
            (b"text\tintent\n", "a.tsv:1: there is nothing below the heading"),
            (
                b"text\tlabel\na\tb\n",
                "a.tsv:1: the first line must be the heading `text<TAB>intent`, not `text\tlabel`",
            ),
            (b"id\ttext\tintent\na\tb\n", "a.tsv:2: there are 2 columns, and 3 in the heading; no text may hold a tab"),
            (b"\xef\xbb\xbf\r\n", "a.tsv:1: the file is empty"),
            (b"text\tintent\na\tb\nno tab\n", "a.tsv:3: there is no tab"),
            (b"text\tintent\na\t \n", "a.tsv:2: there is no intent behind the tab"),
            (b"text\tintent\n\tb\n", "a.tsv:2: there is no text before the tab"),
            (b"text\tintent\na\tb\n\xff\xfe\tb\n", "a.tsv:3: these bytes are not UTF-8"),
        ] {
            let found = read(bytes).unwrap_err();
            assert!(found.starts_with(said), "{found}");
        }
    }

    #[test]
    fn an_intent_nobody_taught_is_named_with_the_nearest() {
        let train = read(b"text\tintent\na\tlights_on\nb\tlights_off\n").unwrap();
        let test = read(b"text\tintent\na\tlights_on\nb\tlight_off\nc\tchat\n").unwrap();
        let error = test.check(&train.intents(None), Some("chat")).unwrap_err().to_string();
        assert!(error.starts_with("a.tsv:3: the training file has no sentence for the intent `light_off`; the nearest one it has is `lights_off`"), "{error}");
        assert!(test.check(&["light_off".into(), "lights_on".into()], Some("chat")).is_ok());
    }

    #[test]
    fn the_same_seed_draws_the_same_rows_of_every_intent() {
        let rows: String =
            (0..40).map(|at| format!("s{at}\t{}\n", if at % 4 == 0 { "rare" } else { "common" })).collect();
        let set = read(format!("text\tintent\n{rows}").as_bytes()).unwrap();
        let drawn = set.clone().drawn(5, 1);
        assert_eq!(drawn.sentences.iter().filter(|row| row.intent == "rare").count(), 5);
        assert_eq!(drawn.sentences.len(), 10);
        assert_eq!(drawn.sentences, set.clone().drawn(5, 1).sentences);
        assert_ne!(drawn.sentences, set.drawn(5, 2).sentences);
    }

    #[test]
    fn the_language_is_told_by_the_letters() {
        let tag = |text: &str| read(format!("text\tintent\n{text}\ta\n").as_bytes()).unwrap().language().to_string();
        assert_eq!(tag("打开 QQ 邮箱"), "zh-CN");
        assert_eq!(tag("what does 你好 mean in English"), "en-US");
        assert_eq!(tag("123"), "en-US");
    }
}
