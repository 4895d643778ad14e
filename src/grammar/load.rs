//! Reads a grammar and the files it refers to.
//!
//! A reference may name a file in the folder of the grammar or below it (`dates.abnf#weekday`) or a built-in
//! (`builtin:grammar/digits?length=4`). Anything else is refused: no other folders, no network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ast::{Document, Expansion, Target};
use super::diagnostic::{Place, Problems};
use super::{abnf, xml};

/// Largest file, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// Most files one grammar is made of.
const MAX_FILES: usize = 64;

/// How a file is fetched: its bytes, or why not.
pub type Fetch<'a> = &'a dyn Fn(&Path) -> Result<Vec<u8>, String>;

/// The files of one grammar, and what the references between them mean.
#[derive(Debug, Default)]
pub struct Files {
    /// The grammar itself first.
    pub documents: Vec<Document>,
    /// By file and URI as written.
    pub links: BTreeMap<(usize, String), Link>,
}

/// What a reference to elsewhere means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// A rule of a file by its number; without a name its root.
    Rule(usize, Option<String>),
    /// A built-in: `digits?length=4`.
    Builtin(String),
    /// Nothing; why has been told.
    Broken,
}

/// Reads `text`, known as `path`, and what it refers to.
pub fn load(path: &Path, text: &[u8], fetch: Fetch<'_>, problems: &mut Problems) -> Files {
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut files = Files::default();
    let mut known: BTreeMap<PathBuf, Option<usize>> = BTreeMap::new();
    let own_name = PathBuf::from(path.file_name().unwrap_or_default());
    files.documents.push(read(path, text, problems));
    known.insert(own_name.clone(), Some(0));
    let mut paths = vec![own_name];
    let mut file = 0;
    while file < files.documents.len() {
        for (uri, at) in references(&files.documents[file]) {
            if files.links.contains_key(&(file, uri.clone())) {
                continue;
            }
            let base = files.documents[file].base.as_ref().map(|(base, _)| base.as_str());
            let link = match resolve(&uri, &paths[file], base) {
                Err(why) => {
                    let help = "refer to a rule (`$name`), a file beside this one, or `builtin:grammar/…`";
                    problems.error(at, why).help(help);
                    Link::Broken
                }
                Ok(Resolved::Builtin(words)) => Link::Builtin(words),
                Ok(Resolved::File(relative, rule)) => {
                    let number = match known.get(&relative) {
                        Some(number) => *number,
                        None if paths.len() >= MAX_FILES => {
                            problems.error(at, format!("a grammar is made of at most {MAX_FILES} files"));
                            return files;
                        }
                        None => match fetch(&folder.join(&relative)) {
                            Ok(text) => {
                                files.documents.push(read(&folder.join(&relative), &text, problems));
                                paths.push(relative.clone());
                                Some(paths.len() - 1)
                            }
                            Err(why) => {
                                problems.error(at, format!("`{uri}` cannot be read: {why}"));
                                None
                            }
                        },
                    };
                    known.insert(relative, number);
                    number.map_or(Link::Broken, |number| Link::Rule(number, rule))
                }
            };
            files.links.insert((file, uri), link);
        }
        file += 1;
    }
    files
}

/// Reads one file, in whichever form it is.
fn read(path: &Path, bytes: &[u8], problems: &mut Problems) -> Document {
    let file = problems.file(&path.display().to_string());
    let start = Place { file, line: 1, column: 1 };
    if bytes.len() > MAX_BYTES {
        problems
            .error(start, format!("the file is larger than {} KiB", MAX_BYTES / 1024))
            .help("split it into several");
        return Document::default();
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}'),
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            problems.error(Place { line, ..start }, "the file is not UTF-8").help("save it as UTF-8");
            return Document::default();
        }
    };
    if text.trim_start().starts_with('<') {
        xml::parse(text, file, problems)
    } else {
        abnf::parse(text, file, problems)
    }
}

enum Resolved {
    /// A path below the folder of the grammar, and a rule.
    File(PathBuf, Option<String>),
    Builtin(String),
}

/// What `uri` means in the file at `path` (relative to the folder of the grammar) whose `base` is this.
fn resolve(uri: &str, path: &Path, base: Option<&str>) -> Result<Resolved, String> {
    if let Some(builtin) = uri.strip_prefix("builtin:") {
        let words = ["grammar/", "dtmf/"].iter().find_map(|kind| builtin.strip_prefix(kind)).unwrap_or(builtin);
        return Ok(Resolved::Builtin(words.to_owned()));
    }
    let outside = || format!("`{uri}` leads out of the folder of this grammar, and nothing outside of it is read");
    let (target, rule) = uri.split_once('#').map_or((uri, None), |(target, rule)| (target, Some(rule.to_owned())));
    let mut place: PathBuf = path.parent().unwrap_or(Path::new("")).to_owned();
    for (step, is_file) in [(base.unwrap_or_default(), false), (target, true)] {
        // A scheme, a drive, a host or a root: nothing that could lead elsewhere.
        if step.contains([':', '\\', '?', '%', '\0']) || step.starts_with('/') {
            return Err(outside());
        }
        let parts: Vec<&str> = step.split('/').collect();
        for (index, part) in parts.iter().enumerate() {
            match *part {
                "" | "." => {}
                ".." if !place.pop() => return Err(outside()),
                ".." => {}
                // The last part of a base is a file, or nothing behind a `/` (RFC 3986 §5.2.3).
                part if is_file || index + 1 < parts.len() => place.push(part),
                _ => {}
            }
        }
    }
    if target.is_empty() {
        place = path.to_owned();
    }
    Ok(Resolved::File(place, rule))
}

/// The URIs a document refers to, and where it does so first.
fn references(document: &Document) -> Vec<(String, Place)> {
    fn collect(expansion: &Expansion, found: &mut Vec<(String, Place)>) {
        match expansion {
            Expansion::Reference { target: Target::Uri(uri), at } => found.push((uri.clone(), *at)),
            Expansion::Reference { .. } | Expansion::Token { .. } | Expansion::Tag { .. } => {}
            Expansion::Sequence(parts) => parts.iter().for_each(|part| collect(part, found)),
            Expansion::OneOf(several) => several.iter().for_each(|one| collect(&one.body, found)),
            Expansion::Repeat { body, .. } | Expansion::Spoken { body, .. } => collect(body, found),
        }
    }
    let mut found = Vec::new();
    document.rules.iter().for_each(|rule| collect(&rule.body, &mut found));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(uri: &str, path: &str, base: Option<&str>) -> String {
        match resolve(uri, Path::new(path), base) {
            Ok(Resolved::File(place, rule)) => format!("{} {}", place.display(), rule.unwrap_or_default()),
            Ok(Resolved::Builtin(words)) => format!("builtin {words}"),
            Err(_) => "refused".to_owned(),
        }
    }

    #[test]
    fn references_stay_inside_the_folder() {
        for (uri, path, base, meant) in [
            ("b.abnf#x", "a.abnf", None, "b.abnf x"),
            ("sub/../b.abnf", "a.abnf", None, "b.abnf "),
            ("c.abnf", "sub/b.abnf", None, "sub/c.abnf "),
            ("../a.abnf#y", "sub/b.abnf", None, "a.abnf y"),
            ("c.abnf", "a.abnf", Some("lib/"), "lib/c.abnf "),
            ("c.abnf", "a.abnf", Some("lib/x.abnf"), "lib/c.abnf "),
            ("#x", "a.abnf", None, "a.abnf x"),
            ("builtin:grammar/digits?length=4", "a.abnf", None, "builtin digits?length=4"),
            ("builtin:dtmf/digits", "a.abnf", None, "builtin digits"),
            ("../b.abnf", "a.abnf", None, "refused"),
            ("sub/../../b.abnf", "a.abnf", None, "refused"),
            ("/etc/passwd", "a.abnf", None, "refused"),
            ("file:///etc/passwd", "a.abnf", None, "refused"),
            ("http://example.com/g.grxml", "a.abnf", None, "refused"),
            ("//host/x", "a.abnf", None, "refused"),
            ("%2e%2e/x", "a.abnf", None, "refused"),
            ("x.abnf", "a.abnf", Some("http://example.com/"), "refused"),
            ("x.abnf", "a.abnf", Some("../"), "refused"),
        ] {
            assert_eq!(resolved(uri, path, base), meant, "{uri} in {path} with {base:?}");
        }
    }
}
