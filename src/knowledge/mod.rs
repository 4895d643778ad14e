//! What a house knows and callers ask: questions and answers of a Markdown file, found on the box.
//!
//! The file's own words are found however they are put, and however they were misheard; what the file does not answer
//! is not answered, because a wrong answer in a sure voice is worse than none. Built once when a plan loads, read-only
//! afterwards.

use std::collections::BTreeMap;
use std::fmt;

use crate::grammar::normalize;
use crate::language::Language;
use crate::understand::NBest;

pub mod markdown;
mod shelf;
mod terms;
mod weigh;

#[cfg(test)]
mod tests;

use shelf::Shelf;

/// From here on an entry is taken for the answer. Chosen on the first half of `tests/data/answers.tsv`.
pub const SURE: f32 = 0.55;
/// From here on it is worth asking whether it was meant.
pub const MAYBE: f32 = 0.2;
/// More than three possible answers are nobody's.
const MOST_HITS: usize = 3;
/// What a lower place in the n-best list costs, per place.
const RANK_COST: f32 = 0.95;
/// Guesses looked at.
const MOST_GUESSES: usize = 5;

/// Questions and answers of one file.
#[derive(Debug)]
pub struct Knowledge {
    shelves: BTreeMap<Language, Shelf>,
}

/// One question, the ways it is put, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Each with its line; the heading comes first.
    pub wordings: Vec<(String, usize)>,
    /// As it is spoken.
    pub answer: String,
    /// Of the heading.
    pub line: usize,
}

impl Entry {
    /// The heading.
    pub fn question(&self) -> &str {
        self.wordings.first().map_or("", |(text, _)| text)
    }
}

/// An entry that may answer a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit<'a> {
    /// Which.
    pub entry: &'a Entry,
    /// 0..1, how surely.
    pub score: f32,
    /// Which guess of the recogniser it answers, where there were several; 0: the first.
    pub guess: usize,
}

/// Something wrong with the file, for its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}  {}", self.line, self.column, self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n  help: {help}"))
    }
}

impl Knowledge {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, in the order of its lines.
    pub fn read(bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text.trim_start_matches('\u{feff}')),
            Err(error) => {
                let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
                let line = good.matches('\n').count() + 1;
                let column = good.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                let message = "this is not UTF-8".to_owned();
                Err(vec![Problem { line, column, message, help: Some("save the file as UTF-8".to_owned()) }])
            }
        }
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, in the order of its lines.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let read = markdown::read(text)?;
        let problems = twice(&read);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut by_language: BTreeMap<Language, Vec<Entry>> = BTreeMap::new();
        for (language, entry) in read {
            by_language.entry(language).or_default().push(entry);
        }
        let shelves = by_language.into_iter().map(|(language, entries)| {
            let shelf = Shelf::new(language.clone(), entries);
            (language, shelf)
        });
        Ok(Self { shelves: shelves.collect() })
    }

    /// Languages with answers.
    pub fn languages(&self) -> impl Iterator<Item = &Language> {
        self.shelves.keys()
    }

    /// Every entry of `language`, in the order of the file.
    pub fn entries(&self, language: &Language) -> &[Entry] {
        self.shelf(language).map_or(&[], |shelf| &shelf.entries)
    }

    /// What may answer `question`, best first, at most three, none below [`MAYBE`].
    pub fn find(&self, question: &str, language: &Language) -> Vec<Hit<'_>> {
        let Some(shelf) = self.shelf(language) else { return Vec::new() };
        let found = shelf.find(question, MOST_HITS).into_iter().filter(|(_, score)| *score >= MAYBE);
        found.map(|(entry, score)| Hit { entry: &shelf.entries[entry], score, guess: 0 }).collect()
    }

    /// The same for what a recogniser heard: every guess is looked at, a later one counts a little less.
    pub fn find_heard(&self, heard: &NBest, language: &Language) -> Vec<Hit<'_>> {
        let mut hits: Vec<Hit<'_>> = Vec::new();
        for (rank, guess) in heard.hypotheses.iter().take(MOST_GUESSES).enumerate() {
            for hit in self.find(guess.text.reveal(), language) {
                let hit = Hit { score: hit.score * RANK_COST.powi(rank as i32), guess: rank, ..hit };
                match hits.iter_mut().find(|known| std::ptr::eq(known.entry, hit.entry)) {
                    Some(known) if known.score < hit.score => *known = hit,
                    Some(_) => {}
                    None => hits.push(hit),
                }
            }
        }
        hits.retain(|hit| hit.score >= MAYBE);
        hits.sort_by(|one, other| other.score.total_cmp(&one.score));
        hits.truncate(MOST_HITS);
        hits
    }

    /// The answer, when there surely is one.
    pub fn answer(&self, question: &str, language: &Language) -> Option<Hit<'_>> {
        self.find(question, language).into_iter().next().filter(|hit| hit.score >= SURE)
    }

    /// The shelf of the language, else of one with the same beginning: `en-GB` is served by `en-US`.
    fn shelf(&self, language: &Language) -> Option<&Shelf> {
        let near = || self.shelves.iter().find(|(other, _)| other.primary() == language.primary());
        self.shelves.get(language).or_else(|| near().map(|(_, shelf)| shelf))
    }
}

/// Wordings that stand twice: of two answers, which one?
fn twice(read: &[(Language, Entry)]) -> Vec<Problem> {
    let mut seen: BTreeMap<(&Language, Vec<String>), usize> = BTreeMap::new();
    let mut problems = Vec::new();
    for (language, entry) in read {
        for (wording, line) in &entry.wordings {
            let words = normalize::words(wording, language);
            if let Some(first) = seen.insert((language, words), *line) {
                problems.push(Problem {
                    line: *line,
                    column: 1,
                    message: format!("`{wording}` stands in line {first} already"),
                    help: Some("one of the two must go: a question has one answer".to_owned()),
                });
            }
        }
    }
    problems
}
