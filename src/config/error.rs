//! What is wrong with the settings, as a sentence that names the place and the remedy.

use std::io;
use std::path::{Path, PathBuf};

use figment::error::Kind;

use super::place::place_of;
use super::source::{file_of, variable};

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: the settings cannot be read: {cause}")]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Not TOML.
    #[error("{file}: {fault}")]
    NotToml {
        /// Which.
        file: PathBuf,
        /// Line, column and what was expected.
        fault: String,
    },
    /// One value.
    #[error("{place}: {fault}")]
    Wrong {
        /// File, line and column, or variable.
        place: String,
        /// Key and what is wrong with it.
        fault: String,
    },
    /// A variable that is almost a setting.
    #[error("{name}: is not a setting; did you mean {right}?")]
    UnknownVariable {
        /// As set.
        name: String,
        /// The nearest right one.
        right: String,
    },
    /// Values that do not go together.
    #[error("{place}: {fault}")]
    Inconsistent {
        /// The file read, if any, with line and column where one of them is written there; the fault may also lie in
        /// the environment.
        place: String,
        /// Keys and what is wrong with them.
        fault: String,
    },
}

/// `trunkline.toml:7:1`, for what stands at `path` of this file.
pub(super) fn place(file: Option<(&Path, &str)>, path: &[impl AsRef<str>]) -> String {
    let Some((file, text)) = file else { return "settings".to_owned() };
    let shown = file.display();
    place_of(text, path).map_or_else(|| shown.to_string(), |(line, column)| format!("{shown}:{line}:{column}"))
}

/// Turns figment's first error into ours. `file` is the one read, and its text.
pub(super) fn sentence(error: figment::Error, file: Option<(&Path, &str)>) -> ConfigError {
    // A fault that belongs to no key is the parser's.
    if let (true, Kind::Message(fault), Some((file, _))) = (error.path.is_empty(), &error.kind, file) {
        return ConfigError::NotToml { file: file.to_owned(), fault: fault.trim().to_owned() };
    }
    let key = readable(&error.path);
    let (place, subject) = match file_of(error.metadata.as_ref()) {
        Some(_) => (place(file, &error.path), Some(key)),
        // Without a source it is a missing key, which only the file can have caused.
        None if error.metadata.is_none() => (place(file, &error.path), Some(key)),
        None => (variable(&error.path), None),
    };
    let fault = match (subject, fault(&error.kind)) {
        (Some(key), fault) if !key.is_empty() => format!("{key} {fault}"),
        (_, fault) => fault,
    };
    ConfigError::Wrong { place, fault }
}

/// `sip.listen`; `lookups.allow number 2`; `[[peer]] number 2, addresses` for what stands in a list of sections.
fn readable(path: &[String]) -> String {
    let mut text = String::new();
    for (depth, part) in path.iter().enumerate() {
        // What stands within an entry of a list makes that entry a section.
        let section = !text.contains('.') || depth + 1 < path.len();
        match part.parse::<usize>() {
            Ok(place) if section && !text.contains(' ') => text = format!("[[{text}]] number {}", place + 1),
            Ok(place) => text.push_str(&format!(" number {}", place + 1)),
            Err(_) if text.is_empty() => text.push_str(part),
            Err(_) if text.contains(' ') => text.push_str(&format!(", {part}")),
            Err(_) => text.push_str(&format!(".{part}")),
        }
    }
    text
}

fn fault(kind: &Kind) -> String {
    match kind {
        Kind::UnknownField(name, known) => match nearest(name, known) {
            Some(right) => format!("is not a setting; did you mean `{right}`?"),
            None => format!("is not a setting; known there: {}", known.join(", ")),
        },
        Kind::UnknownVariant(name, known) => format!("is {name:?}; it must be one of {}", known.join(", ")),
        Kind::MissingField(name) => format!("lacks `{name}`"),
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("is {found}; it must be {expected}")
        }
        Kind::Message(message) => format!("is wrong: {message}"),
        other => format!("is wrong: {other}"),
    }
}

/// The known word most like `word`, when one is like enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    /// Two letters swapped or one wrong in five pass; different words do not.
    const ALIKE: f64 = 0.82;
    let scored = known.iter().map(|right| (strsim::jaro_winkler(word, right), *right));
    scored.filter(|(score, _)| *score >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, right)| right)
}
