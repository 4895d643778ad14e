//! Plans from what other systems run: VoiceXML documents and Asterisk dialplans become a plan that works, and a report
//! of every line that did not.
//!
//! ```text
//!  extensions.conf ─ parse ─▶ contexts ─┐
//!                                       ├─ convert ─▶ Draft ─ tidy ─ print ─▶ plan.yaml
//!  *.vxml ───────── tree ──▶ documents ─┘      └────▶ notes: file, line, what, why, what to do
//! ```
//!
//! Nothing is dropped in silence. What our language says otherwise is converted as near as it goes, and noted.

pub mod asterisk;
mod draft;
mod secrets;
mod tidy;
pub mod vxml;

use std::fmt;

pub use draft::Draft;

/// What was made of a file.
#[derive(Debug)]
pub struct Imported {
    /// A plan, as YAML.
    pub plan: String,
    /// How many steps it has.
    pub steps: usize,
    /// What somebody should know, in the order of the lines.
    pub notes: Vec<Note>,
}

impl Imported {
    /// Lines that did not become part of the plan.
    pub fn lost(&self) -> usize {
        self.notes.iter().filter(|note| note.lost).count()
    }
}

/// A line and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Where.
    pub at: Place,
    /// Its gist, as written.
    pub what: String,
    /// Why it is not, or not quite, in the plan.
    pub why: String,
    /// What to do.
    pub help: String,
    /// It is not in the plan at all; else it is, and somebody should look at it.
    pub lost: bool,
}

/// A line of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// As the reader knows it.
    pub file: String,
    /// From 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lost = if self.lost { "not converted: " } else { "" };
        write!(f, "{}  `{}` {lost}{}\n  help: {}\n", self.at, self.what, self.why, self.help)
    }
}

/// Why nothing was made of it.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file.
    #[error("{file}: {cause}")]
    Unreadable {
        /// Which.
        file: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A place in a file.
    #[error("{at}  {why}")]
    Broken {
        /// Where.
        at: Place,
        /// What is wrong with it.
        why: String,
    },
    /// There is nothing in it.
    #[error("{0}")]
    Nothing(String),
}

/// Longest gist of a line in a note.
const GIST: usize = 80;

/// Collects notes.
#[derive(Debug, Default)]
pub(crate) struct Notes(Vec<Note>);

impl Notes {
    /// It is not in the plan.
    fn lost(&mut self, at: &Place, what: impl Into<String>, why: impl Into<String>, help: impl Into<String>) {
        self.push(at, what.into(), why.into(), help.into(), true);
    }

    /// It is in the plan, and not quite what it was.
    fn changed(&mut self, at: &Place, what: impl Into<String>, why: impl Into<String>, help: impl Into<String>) {
        self.push(at, what.into(), why.into(), help.into(), false);
    }

    fn push(&mut self, at: &Place, what: String, why: String, help: String, lost: bool) {
        let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
        let what = match what.char_indices().nth(GIST) {
            Some((end, _)) => format!("{}…", &what[..end]),
            None => what,
        };
        self.0.push(Note { at: at.clone(), what, why, help, lost });
    }

    fn sorted(mut self) -> Vec<Note> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}

/// A name for a step, an option or a value, made of somebody else's.
pub(crate) fn plain_name(text: &str) -> String {
    let mut name = String::new();
    for letter in text.trim().chars() {
        let kept = letter.is_alphanumeric() || letter == '_';
        match (kept, name.ends_with('-')) {
            (true, _) => name.push(letter),
            (false, false) if !name.is_empty() => name.push('-'),
            _ => {}
        }
    }
    let name = name.trim_matches('-');
    if name.is_empty() { "step".to_owned() } else { name.to_owned() }
}

/// Words out of a name: `main-menu_v2` is spoken `main menu v2`.
pub(crate) fn spoken_name(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        match letter {
            letter if letter.is_alphanumeric() => words.push(letter),
            _ => words.push(' '),
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_names_of_ours_and_words() {
        for (theirs, ours) in
            [("main-menu", "main-menu"), (" _X. ", "_X"), ("a/b//c", "a-b-c"), ("!!", "step"), ("查询 1", "查询-1")]
        {
            assert_eq!(plain_name(theirs), ours, "{theirs}");
        }
        assert_eq!(spoken_name("main-menu_v2"), "main menu v2");
    }

    #[test]
    fn a_note_is_a_line_with_its_place_and_what_to_do() {
        let mut notes = Notes::default();
        let at = Place { file: "extensions.conf".into(), line: 12 };
        notes.lost(&at, "AGI(x.py,\n  1)", "a program of the other system", "write an `http` step");
        notes.lost(&at, "AGI(x.py,\n  1)", "a program of the other system", "write an `http` step");
        let notes = notes.sorted();
        assert_eq!(notes.len(), 1);
        assert_eq!(
            notes[0].to_string(),
            "extensions.conf:12  `AGI(x.py, 1)` not converted: a program of the other system\n  help: write an `http` step\n"
        );
    }
}
