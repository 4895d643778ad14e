//! What is wrong with a grammar, as sentences with a file, a line and a column.
//!
//! ```text
//! grammars/pay.abnf:7:12  rule `pay` asks for `$amuont`, which is not defined
//!   help: did you mean `amount`?
//! ```

use std::fmt;

/// Most problems kept for one grammar: nobody reads more.
const MAX_KEPT: usize = 100;

/// A place in one of the files a grammar is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which file, by the order in which they were read; 0 is the grammar itself.
    pub file: usize,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The grammar cannot be used.
    Error,
    /// It can, but somebody will regret it.
    Warning,
    /// Worth knowing: something is read and has no effect here.
    Note,
}

/// One sentence about one place in a grammar file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// The file, as its reader knows it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// Says what to do about it.
    pub fn help(&mut self, text: impl Into<String>) {
        self.help = Some(text.into());
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
            Severity::Note => "note: ",
        };
        write!(f, "{}:{}:{}  {severity}{}", self.file, self.line, self.column, self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Collects problems while the files of a grammar are read, linked and compiled.
#[derive(Debug, Default)]
pub struct Problems {
    files: Vec<String>,
    found: Vec<Problem>,
    /// One that is not kept, for whoever wants to add help to it.
    spare: Option<Problem>,
}

impl Problems {
    /// Takes in a file by its name; places in it carry the number that comes back.
    pub fn file(&mut self, name: &str) -> usize {
        self.files.push(name.to_owned());
        self.files.len() - 1
    }

    /// The grammar cannot be used because of what stands `at`.
    pub fn error(&mut self, at: Place, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Error, at, message.into())
    }

    /// Somebody will regret what stands `at`.
    pub fn warn(&mut self, at: Place, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Warning, at, message.into())
    }

    /// What stands `at` has no effect here.
    pub fn note(&mut self, at: Place, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Note, at, message.into())
    }

    /// Is there an error among them?
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Are there so many that no more are kept? Then nobody needs help with the next.
    pub fn is_full(&self) -> bool {
        self.found.len() >= MAX_KEPT
    }

    /// All of them, in the order of files and lines.
    pub fn sorted(mut self) -> Vec<Problem> {
        let order = |name: &str| self.files.iter().position(|file| file == name);
        self.found.sort_by_key(|problem| (order(&problem.file), problem.line, problem.column, problem.severity));
        self.found.dedup();
        self.found
    }

    fn push(&mut self, severity: Severity, at: Place, message: String) -> &mut Problem {
        let file = self.files.get(at.file).cloned().unwrap_or_default();
        let problem = Problem { severity, file, line: at.line, column: at.column, message, help: None };
        // An error must be among what is kept, for by errors a grammar is refused.
        if self.is_full() && (severity != Severity::Error || self.has_errors()) {
            return self.spare.insert(problem);
        }
        self.found.push(problem);
        self.found.last_mut().expect("a problem was pushed just now")
    }
}

/// Lines and columns of a text, in whatever order they are asked for.
#[derive(Debug)]
pub struct Lines<'text> {
    text: &'text str,
    file: usize,
    /// Every [`STRIDE`] bytes or so: byte, line, column.
    marks: Vec<(usize, usize, usize)>,
}

/// Bytes between two marks: asking for a place walks at most so far.
const STRIDE: usize = 1024;

impl<'text> Lines<'text> {
    /// Of the text of file number `file`.
    pub fn new(text: &'text str, file: usize) -> Self {
        let mut marks = vec![(0, 1, 1)];
        let (mut line, mut column, mut next) = (1, 1, STRIDE);
        for (at, letter) in text.char_indices() {
            if at >= next {
                marks.push((at, line, column));
                next = at + STRIDE;
            }
            (line, column) = if letter == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        Self { text, file, marks }
    }

    /// Where byte `offset` stands.
    pub fn place(&self, offset: usize) -> Place {
        let mark = self.marks.partition_point(|(at, ..)| *at <= offset).saturating_sub(1);
        let (start, mut line, mut column) = self.marks[mark];
        for (at, letter) in self.text[start..].char_indices() {
            if start + at >= offset {
                break;
            }
            (line, column) = if letter == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        Place { file: self.file, line, column }
    }
}

/// The candidate most like `word`, as a sentence for [`Problem::help`], if one is like it at all.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Fewer letters in common than this and a guess would confuse more than help.
    const LIKE_AT_ALL: f64 = 0.5;
    candidates
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKE_AT_ALL)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_with_its_place_and_one_of_help() {
        let mut problems = Problems::default();
        let file = problems.file("g.abnf");
        problems.error(Place { file, line: 3, column: 9 }, "this is wrong").help("put it right");
        problems.note(Place { file, line: 1, column: 1 }, "this is read");
        assert!(problems.has_errors());
        let lines: Vec<String> = problems.sorted().iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["g.abnf:1:1  note: this is read", "g.abnf:3:9  this is wrong\n  help: put it right"]);
    }

    #[test]
    fn places_are_counted_in_characters_in_whatever_order_they_are_asked_for() {
        let lines = Lines::new("一二\n三x", 4);
        let place = |offset| {
            let place = lines.place(offset);
            (place.file, place.line, place.column)
        };
        assert_eq!([place(0), place(3), place(7), place(10)], [(4, 1, 1), (4, 1, 2), (4, 2, 1), (4, 2, 2)]);
        assert_eq!([place(4), place(3), place(99)], [(4, 1, 3), (4, 1, 2), (4, 2, 3)]);
        let long = format!("{}\n{}", "é".repeat(3_000), "x".repeat(3_000));
        let lines = Lines::new(&long, 0);
        assert_eq!((lines.place(4_000).line, lines.place(4_000).column), (1, 2_001));
        assert_eq!((lines.place(8_001).line, lines.place(8_001).column), (2, 2_001));
    }

    #[test]
    fn a_flood_of_notes_does_not_hide_the_error() {
        let mut problems = Problems::default();
        for line in 0..500 {
            problems.note(Place { file: 0, line, column: 1 }, "nothing much");
        }
        problems.error(Place::default(), "wrong");
        problems.note(Place::default(), "nothing much");
        assert!(problems.has_errors() && problems.sorted().len() <= MAX_KEPT + 1);
    }
}
