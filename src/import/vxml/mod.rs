//! VoiceXML 2.0 and 2.1 documents as a plan.
//!
//! Each form item becomes a step named after its form; what a field does with each of its answers is worked out before
//! the call, so that `if cond="drink == 'tea'"` behind a choice of drinks becomes where that choice leads. Subdialogs
//! become steps of their own, once for each place they are called from.

mod answers;
mod content;
mod convert;
mod expr;
mod field;
mod prompts;
mod tree;

use std::collections::VecDeque;
use std::path::Path;

use self::tree::Element;
use super::{Draft, ImportError, Imported, Notes, Place, tidy};
use crate::language::Language;

/// Documents of one application.
const MOST_DOCUMENTS: usize = 300;
/// Largest document.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// What an import may be told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The document in which a call begins, where a folder is imported.
    pub start: Option<String>,
    /// The language of the plan; without it, what the documents say.
    pub language: Option<String>,
}

/// A document.
#[derive(Debug)]
pub(super) struct Document {
    /// Its path, relative to the folder.
    pub name: String,
    pub root: Element,
}

impl Document {
    /// A line of it.
    pub fn at(&self, element: &Element) -> Place {
        Place { file: self.name.clone(), line: element.line }
    }

    /// Its forms and menus, in order.
    pub fn dialogs(&self) -> Vec<&Element> {
        self.root.elements().filter(|element| matches!(element.name.as_str(), "form" | "menu")).collect()
    }
}

/// Makes a plan of a document and those it leads to, or of all documents of a folder. Blocking.
pub fn import(path: &Path, options: &Options) -> Result<Imported, ImportError> {
    let mut notes = Notes::default();
    let (folder, names) = match path.is_dir() {
        true => (path, in_order(listed(path)?, options.start.as_deref())?),
        false => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (path.parent().unwrap_or(Path::new("")), vec![name])
        }
    };
    let documents = read(folder, names, &mut notes)?;
    let tag = options.language.clone().or_else(|| documents[0].root.attribute("xml:lang").map(str::to_owned));
    let language = tag.as_deref().map_or(Ok(Language::english()), Language::parse);
    let at = documents[0].at(&documents[0].root);
    let language =
        language.map_err(|_| ImportError::Broken { at: at.clone(), why: "its `xml:lang` is no language".into() })?;
    let stem = documents[0].name.trim_end_matches(".vxml").to_owned();
    let mut draft =
        Draft { name: stem, language: language.to_string(), source: documents[0].name.clone(), ..Draft::default() };
    if !matches!(language.primary(), "en" | "zh" | "cmn") {
        foreign(&mut draft, &at, &mut notes);
    }
    let mut draft = convert::convert(&documents, folder, &language, draft, &mut notes);
    tidy::tidy(&mut draft, &mut notes);
    Ok(Imported { plan: draft.print(), steps: draft.steps.len(), notes: notes.sorted() })
}

/// The engine has no words of its own in this language: the plan must.
fn foreign(draft: &mut Draft, at: &Place, notes: &mut Notes) {
    let words = [
        ("no_input", "I did not hear you."),
        ("no_match", "Sorry, I did not get that."),
        ("goodbye", "Goodbye."),
        ("failure", "Something went wrong on our side. Goodbye."),
        ("keys_only", "I cannot hear speech just now. Please use the keys."),
    ];
    draft.phrases.extend(words.map(|(key, words)| (key, words.to_owned())));
    let why = "what the engine says by itself stands in English under `phrases`";
    notes.changed(at, format!("xml:lang {}", draft.language), why, "write it in the language of the plan");
}

fn listed(folder: &Path) -> Result<Vec<String>, ImportError> {
    let unreadable = |cause| ImportError::Unreadable { file: folder.display().to_string(), cause };
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let named = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = named.filter(|name| name.ends_with(".vxml")).collect();
    names.sort();
    if names.is_empty() {
        return Err(ImportError::Nothing(format!("{} holds no *.vxml", folder.display())));
    }
    Ok(names)
}

/// With the one first in which calls begin.
fn in_order(mut names: Vec<String>, start: Option<&str>) -> Result<Vec<String>, ImportError> {
    let usual = ["index.vxml", "main.vxml", "start.vxml", "welcome.vxml", "root.vxml"];
    let first = match start {
        Some(start) => {
            let found = names.iter().position(|name| name == start || name.trim_end_matches(".vxml") == start);
            found.ok_or_else(|| ImportError::Nothing(format!("there is no {start} among {}", names.join(", "))))?
        }
        None => usual.iter().find_map(|usual| names.iter().position(|name| name == usual)).unwrap_or(0),
    };
    names[..=first].rotate_right(1);
    Ok(names)
}

/// Reads documents and those they lead to. The first must be sound; others are left out with a note.
fn read(folder: &Path, names: Vec<String>, notes: &mut Notes) -> Result<Vec<Document>, ImportError> {
    let mut wanted: VecDeque<(String, Option<Place>)> = names.into_iter().map(|name| (name, None)).collect();
    let mut documents: Vec<Document> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    while let Some((name, from)) = wanted.pop_front() {
        if seen.contains(&name) {
            continue;
        }
        if documents.len() >= MOST_DOCUMENTS {
            let at = from.unwrap_or(Place { file: name.clone(), line: 1 });
            let why = format!("an application of more than {MOST_DOCUMENTS} documents");
            notes.lost(&at, &name, why, "import a part of it at a time");
            seen.push(name);
            continue;
        }
        seen.push(name.clone());
        match one(folder, &name) {
            Ok(root) => {
                let document = Document { name, root };
                let mut found = Vec::new();
                references(&document.root, &document, &mut found);
                wanted.extend(found.into_iter().map(|(name, at)| (name, Some(at))));
                documents.push(document);
            }
            Err(error) if documents.is_empty() => return Err(error),
            Err(error) => {
                let at = from.unwrap_or(Place { file: name.clone(), line: 1 });
                notes.lost(&at, name, error.to_string(), "put the document beside the others, sound, and import again");
            }
        }
    }
    Ok(documents)
}

fn one(folder: &Path, name: &str) -> Result<Element, ImportError> {
    let path = folder.join(name);
    let unreadable = |cause| ImportError::Unreadable { file: path.display().to_string(), cause };
    if std::fs::metadata(&path).map_err(unreadable)?.len() > MOST_BYTES {
        return Err(unreadable(std::io::Error::other("larger than 4 MiB")));
    }
    let bytes = std::fs::read(&path).map_err(unreadable)?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // Old documents are in Latin letters of one byte, and say so or not.
        Err(error) => error.into_bytes().iter().map(|byte| char::from(*byte)).collect(),
    };
    let root = tree::parse(name, &text)?;
    if root.name != "vxml" {
        let at = Place { file: name.to_owned(), line: root.line };
        return Err(ImportError::Broken { at, why: format!("this is <{}>, not <vxml>", root.name) });
    }
    Ok(root)
}

/// A document of the same application that an address names: no other folder, no other machine.
pub(super) fn beside(address: &str) -> Option<(String, Option<String>)> {
    let (file, dialog) = match address.split_once('#') {
        Some((file, dialog)) => (file, Some(dialog.to_owned())),
        None => (address, None),
    };
    let file = file.split('?').next().unwrap_or_default();
    let sound = !file.contains(':') && !file.starts_with('/') && !file.split('/').any(|part| part == "..");
    sound.then(|| (file.trim_start_matches("./").to_owned(), dialog))
}

fn references(element: &Element, document: &Document, found: &mut Vec<(String, Place)>) {
    for name in ["next", "src", "application"] {
        let named = element.attribute(name).and_then(beside).map(|(file, _)| file);
        let leads = matches!(element.name.as_str(), "goto" | "submit" | "choice" | "link" | "subdialog" | "vxml");
        found.extend(named.filter(|file| leads && file.ends_with(".vxml")).map(|file| (file, document.at(element))));
    }
    element.elements().for_each(|child| references(child, document, found));
}
