//! What may be said, and what it means: W3C SRGS 1.0 grammars with SISR 1.0 tags, and text made comparable.
//!
//! ```text
//!   pay.abnf ─┐                                     ┌ chart ─ readings ─ semantics ─▶ Match { interpretation, … }
//!   pay.grxml ├─ load ─ abnf, xml ─▶ ast ─ compile ─┤ keys ──────────────────────────▶ Keyed
//!   dates.… ──┘                      (automaton)    └ cursor, expansions ────────────▶ recogniser, classifier
//! ```
//!
//! [`Grammar`] is what others use. It is immutable and cheap to clone; one compiled form matches text, keys and n-best
//! lists, says whether an utterance could still grow, and can be walked word by word.

pub mod abnf;
mod analysis;
pub mod ast;
pub mod automaton;
pub mod builtin;
mod chart;
mod compile;
pub mod diagnostic;
mod expand;
pub mod hearing;
mod load;
pub mod matcher;
pub mod normalize;
pub mod print;
mod readings;
pub mod semantics;
pub mod words;
pub mod xml;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::DateTime;

use crate::language::Language;

pub use ast::Mode;
pub use automaton::Automaton;
pub use diagnostic::{Problem, Severity};
pub use matcher::{Fit, Keyed, Match};

use diagnostic::{Place, Problems};
use matcher::Utterance;

/// A grammar, read and compiled.
#[derive(Clone, Debug)]
pub struct Grammar {
    shared: Arc<Shared>,
    /// The rule that is meant.
    root: u32,
}

#[derive(Debug)]
struct Shared {
    name: String,
    mode: Mode,
    language: Language,
    automaton: Automaton,
    problems: Vec<Problem>,
}

impl Grammar {
    /// Reads the grammar at `path` and the files it refers to, each fetched through `fetch`. XML when it begins with
    /// `<`, else ABNF. The error has everything that is wrong, at least one of it an error.
    pub fn load(path: &Path, fetch: &dyn Fn(&Path) -> Result<Vec<u8>, String>) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        match fetch(path) {
            Ok(text) => Self::build(path, &text, fetch, problems),
            Err(why) => {
                let file = problems.file(&path.display().to_string());
                problems.error(Place { file, line: 1, column: 1 }, format!("the grammar cannot be read: {why}"));
                Err(problems.sorted())
            }
        }
    }

    /// Reads the grammar at `path` and the files it refers to from the disk. A link that leads out of its folder is
    /// refused like a reference that does.
    pub fn open(path: &Path) -> Result<Self, Vec<Problem>> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = fs::canonicalize(folder);
        Self::load(path, &|file| {
            let real = fs::canonicalize(file).map_err(|error| error.to_string())?;
            match &folder {
                Ok(folder) if file != path && !real.starts_with(folder) => {
                    Err("it lies outside of the folder of this grammar".to_owned())
                }
                _ => fs::read(&real).map_err(|error| error.to_string()),
            }
        })
    }

    /// Reads a grammar that stands alone; `name` is what its problems call it.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let alone = |_: &Path| Err("a grammar within another file has no files beside it".to_owned());
        Self::build(Path::new(name), text.as_bytes(), &alone, Problems::default())
    }

    fn build(path: &Path, text: &[u8], fetch: load::Fetch<'_>, mut problems: Problems) -> Result<Self, Vec<Problem>> {
        let files = load::load(path, text, fetch, &mut problems);
        let document = &files.documents[0];
        let root = match (&document.root, document.rules.iter().find(|rule| rule.public).or(document.rules.first())) {
            (Some((root, _)), _) => Some(root.clone()),
            (None, Some(rule)) => {
                let help = "write `root $name;`, or root=\"name\" at <grammar>";
                // Files of rules for others need none.
                problems.note(rule.at, format!("the grammar has no root: taken for `{}`", rule.name)).help(help);
                Some(rule.name.clone())
            }
            (None, None) => {
                if !problems.has_errors() {
                    problems.error(Place { file: 0, line: 1, column: 1 }, "the grammar has no rules");
                }
                None
            }
        };
        if problems.has_errors() {
            return Err(problems.sorted());
        }
        let automaton = compile::compile(&files, &mut problems);
        let root = automaton.rules.iter().position(|rule| rule.file == 0 && Some(&rule.name) == root.as_ref());
        match root {
            Some(root) if !problems.has_errors() => {
                let name = path.display().to_string();
                let mode = document.mode;
                let language = document.language.clone().unwrap_or_else(Language::english);
                let shared = Shared { name, mode, language, automaton, problems: problems.sorted() };
                Ok(Self { shared: Arc::new(shared), root: root as u32 })
            }
            _ => Err(problems.sorted()),
        }
    }

    /// What its problems call it: the path it was read from.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Does it listen to words or to keys?
    pub fn mode(&self) -> Mode {
        self.shared.mode
    }

    /// The language of its words.
    pub fn language(&self) -> &Language {
        &self.shared.language
    }

    /// Warnings and notes; a grammar with errors is never made.
    pub fn problems(&self) -> &[Problem] {
        &self.shared.problems
    }

    /// The compiled form.
    pub fn automaton(&self) -> &Automaton {
        &self.shared.automaton
    }

    /// The number of the rule that is meant, for [`Automaton::enter`].
    pub const fn root(&self) -> u32 {
        self.root
    }

    /// The same grammar, with another rule of its file meant.
    pub fn rooted(&self, rule: &str) -> Option<Self> {
        let root = self.automaton().rules.iter().position(|net| net.file == 0 && net.name == rule)?;
        Some(Self { shared: Arc::clone(&self.shared), root: root as u32 })
    }

    /// What `text`, said in `language`, means as a whole, likeliest first. `now` is the caller's clock, from which
    /// "Friday" counts. Courtesies around it do not count. Different
    /// ways through the grammar that mean the same are one match.
    pub fn matches(&self, text: &str, language: &Language, now: DateTime) -> Vec<Match> {
        let utterance = Utterance::new(text, self.mode(), language, now);
        utterance.map(|utterance| utterance.whole(self.automaton(), self.root)).unwrap_or_default()
    }

    /// What parts of `text` mean, those with most words first: "my card, pay two hundred, not today".
    pub fn spot(&self, text: &str, language: &Language, now: DateTime) -> Vec<Match> {
        let utterance = Utterance::new(text, self.mode(), language, now);
        utterance.map(|utterance| utterance.spotted(self.automaton(), self.root)).unwrap_or_default()
    }

    /// Is `text` something the grammar hears, and could it be the beginning of something longer? How long a pause must
    /// be before a caller has finished hangs on this.
    pub fn fit(&self, text: &str, language: &Language, now: DateTime) -> Fit {
        let utterance = Utterance::new(text, self.mode(), language, now);
        utterance.map(|utterance| utterance.fit(self.automaton(), self.root)).unwrap_or_default()
    }

    /// The best of several guesses of a recogniser with their confidences (0 to 1): which one, and what it means. A guess
    /// that fits the grammar less well loses to one that is nearly as sure and fits better.
    pub fn best_of<'a>(
        &self,
        guesses: impl IntoIterator<Item = (&'a str, f32)>,
        language: &Language,
        now: DateTime,
    ) -> Option<(usize, Match)> {
        let mut best: Option<(f32, usize, Match)> = None;
        for (index, (text, confidence)) in guesses.into_iter().enumerate() {
            let Some(found) = self.matches(text, language, now).into_iter().next() else { continue };
            let score = confidence * found.weight;
            if best.as_ref().is_none_or(|(so_far, ..)| score > *so_far) {
                best = Some((score, index, found));
            }
        }
        best.map(|(_, index, found)| (index, found))
    }

    /// What keys typed so far mean (`mode dtmf`).
    pub fn match_keys(&self, typed: &str, now: DateTime) -> Keyed {
        let Some(utterance) = Utterance::new(typed, Mode::Dtmf, self.language(), now) else { return Keyed::Wrong };
        let chart = utterance.chart(self.automaton(), self.root);
        let value = utterance.whole(self.automaton(), self.root).into_iter().next();
        match (value.map(|found| found.interpretation), chart.could_go_on) {
            (Some(value), false) => Keyed::Complete(value),
            (value, true) => Keyed::More(value),
            (None, false) => Keyed::Wrong,
        }
    }

    /// At most `limit` phrases it hears: all of them when there are no more, else a choice that is the same every time.
    pub fn expansions(&self, limit: usize, now: DateTime) -> Vec<String> {
        expand::expansions(self.automaton(), self.root, limit, now)
    }
}
