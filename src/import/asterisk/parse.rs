//! `extensions.conf` as contexts, extensions and priorities, each with its line.
//!
//! Asterisk's reader is forgiving: `exten =>` and `exten =`, blanks anywhere, `;` begins a comment unless `\;`, `;--` to
//! `--;` is a block of them, `n` is the next priority, `same` the extension of the line before.

use std::path::Path;

use super::super::{ImportError, Notes, Place};

/// Deepest nest of `#include`.
const MOST_NESTED: usize = 8;
/// Largest file, and most lines of all files together.
const MOST_BYTES: u64 = 8 * 1024 * 1024;
const MOST_LINES: usize = 200_000;

/// A whole dialplan.
#[derive(Debug, Default)]
pub(super) struct Dialplan {
    pub contexts: Vec<Context>,
    /// `[globals]`, in order.
    pub globals: Vec<(String, String, Place)>,
}

/// `[name]`
#[derive(Debug)]
pub(super) struct Context {
    pub name: String,
    pub at: Place,
    pub extensions: Vec<Extension>,
    pub includes: Vec<(String, Place)>,
}

/// All priorities of one extension, in order.
#[derive(Debug)]
pub(super) struct Extension {
    /// As written: `s`, `100`, `_1XX`.
    pub pattern: String,
    pub lines: Vec<Line>,
}

/// One priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub number: u32,
    pub label: Option<String>,
    /// The application, in small letters.
    pub app: String,
    /// What stands between its brackets.
    pub args: String,
    pub at: Place,
}

impl Line {
    /// As it was written, for notes.
    pub fn gist(&self) -> String {
        format!("{}({})", self.app, self.args)
    }

    /// The arguments, split at commas (or bars, as old dialplans have it) outside quotes and brackets.
    pub fn arguments(&self) -> Vec<String> {
        let bars = !has_outside(&self.args, ',') && has_outside(&self.args, '|');
        split_outside(&self.args, if bars { '|' } else { ',' })
    }
}

impl Dialplan {
    pub fn context(&self, name: &str) -> Option<&Context> {
        self.contexts.iter().find(|context| context.name.eq_ignore_ascii_case(name))
    }
}

impl Context {
    pub fn extension(&self, pattern: &str) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.pattern.eq_ignore_ascii_case(pattern))
    }
}

/// Reads a file and what it includes from its own folder.
pub(super) fn read(path: &Path, notes: &mut Notes) -> Result<Dialplan, ImportError> {
    let mut reader = Reader { notes, plan: Dialplan::default(), section: Section::Nowhere, lines: 0 };
    reader.file(path, 0)?;
    Ok(reader.plan)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Nowhere,
    General,
    Globals,
    Context(usize),
}

struct Reader<'a> {
    notes: &'a mut Notes,
    plan: Dialplan,
    section: Section,
    lines: usize,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, nested: usize) -> Result<(), ImportError> {
        let file = path.display().to_string();
        let unreadable = |cause| ImportError::Unreadable { file: file.clone(), cause };
        if std::fs::metadata(path).map_err(unreadable)?.len() > MOST_BYTES {
            let cause = std::io::Error::other("larger than 8 MiB");
            return Err(ImportError::Unreadable { file, cause });
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        // Old files are in any encoding; what matters is ASCII.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut in_comment = false;
        let mut last: Option<(usize, usize)> = None;
        for (number, line) in text.lines().enumerate() {
            self.lines += 1;
            let at = Place { file: file.clone(), line: number + 1 };
            if self.lines > MOST_LINES {
                return Err(ImportError::Broken { at, why: format!("more than {MOST_LINES} lines") });
            }
            let line = without_comment(line, &mut in_comment);
            let line = line.trim();
            if let Some(directive) = line.strip_prefix('#') {
                self.directive(directive, path, &at, nested)?;
                last = None;
            } else if line.starts_with('[') {
                self.section(line, &at);
                last = None;
            } else if !line.is_empty() {
                self.entry(line, &at, &mut last);
            }
        }
        Ok(())
    }

    fn directive(&mut self, directive: &str, path: &Path, at: &Place, nested: usize) -> Result<(), ImportError> {
        let (word, rest) = directive.split_once(char::is_whitespace).unwrap_or((directive, ""));
        let named = rest.trim().trim_matches(['"', '<', '>']);
        let beside = path.parent().unwrap_or(Path::new("")).join(named);
        let inside = !named.starts_with('/') && !named.split('/').any(|part| part == "..");
        if word.eq_ignore_ascii_case("include") && inside && nested < MOST_NESTED && beside.is_file() {
            return self.file(&beside, nested + 1);
        }
        let help = "give the file it names to `import` itself, or copy its lines in";
        let why = "only files in the same folder are read, and no programs are run";
        self.notes.lost(at, format!("#{directive}"), why, help);
        Ok(())
    }

    fn section(&mut self, line: &str, at: &Place) {
        let (name, rest) = line[1..].split_once(']').unwrap_or((&line[1..], ""));
        let name = name.trim();
        self.section = match name.to_ascii_lowercase().as_str() {
            "general" => Section::General,
            "globals" => Section::Globals,
            _ => Section::Context(self.context(name, at)),
        };
        let template = rest.trim().trim_start_matches('(').trim_end_matches(')');
        for base in template.split(',').map(str::trim).filter(|base| !base.is_empty() && *base != "+" && *base != "!") {
            // What a template has is as if it were included.
            if let Section::Context(place) = self.section {
                self.plan.contexts[place].includes.push((base.to_owned(), at.clone()));
            }
        }
    }

    /// A context that is written twice is one.
    fn context(&mut self, name: &str, at: &Place) -> usize {
        let known = self.plan.contexts.iter().position(|context| context.name.eq_ignore_ascii_case(name));
        known.unwrap_or_else(|| {
            let (name, at) = (name.to_owned(), at.clone());
            self.plan.contexts.push(Context { name, at, extensions: Vec::new(), includes: Vec::new() });
            self.plan.contexts.len() - 1
        })
    }

    fn entry(&mut self, line: &str, at: &Place, last: &mut Option<(usize, usize)>) {
        let Some((key, value)) = line.split_once('=') else {
            let help = "write it as the others: `exten => s,1,Answer()`";
            self.notes.lost(at, line, "this is no line of a dialplan", help);
            return;
        };
        let (key, value) = (key.trim(), value.trim_start_matches('>').trim());
        match self.section {
            Section::General => {}
            Section::Globals => self.plan.globals.push((key.to_owned(), value.to_owned(), at.clone())),
            Section::Nowhere => {
                self.notes.lost(at, line, "it stands before the first [context]", "put it into one");
            }
            Section::Context(place) => match key.to_ascii_lowercase().as_str() {
                "exten" => *last = self.exten(place, value, at),
                "same" => self.same(value, at, *last),
                "include" => {
                    // `include => ctx|hours|days…` holds at certain times only.
                    let mut parts = value.split(['|', ',']).map(str::trim);
                    let name = parts.next().unwrap_or_default().to_owned();
                    if parts.next().is_some() {
                        let why = "it holds at certain times only: the plan includes it always";
                        self.notes.changed(at, line, why, "add a `branch` on `now.hour` and `now.weekday`");
                    }
                    self.plan.contexts[place].includes.push((name, at.clone()));
                }
                "ignorepat" => {}
                _ => {
                    let help = "what it does must be put into the plan by hand, or left out";
                    self.notes.lost(at, line, format!("plans know nothing like `{key}`"), help);
                }
            },
        }
    }

    fn exten(&mut self, place: usize, value: &str, at: &Place) -> Option<(usize, usize)> {
        let mut parts = value.splitn(3, ',').map(str::trim);
        let (pattern, priority, app) = (parts.next()?, parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let (pattern, caller) = match pattern.split_once('/') {
            Some((pattern, caller)) => (pattern.trim(), Some(caller)),
            None => (pattern, None),
        };
        if caller.is_some() {
            let help = "add a `branch` on `call.caller` in front";
            self.notes.lost(at, value, "it is for one calling number only", help);
            return None;
        }
        if priority.eq_ignore_ascii_case("hint") {
            self.notes.lost(at, value, "a lamp on a telephone is nothing a caller hears", "leave it with the PBX");
            return None;
        }
        let context = &mut self.plan.contexts[place];
        let known = context.extensions.iter().position(|extension| extension.pattern.eq_ignore_ascii_case(pattern));
        let extension = known.unwrap_or_else(|| {
            context.extensions.push(Extension { pattern: pattern.to_owned(), lines: Vec::new() });
            context.extensions.len() - 1
        });
        self.line(place, extension, priority, app, at);
        Some((place, extension))
    }

    fn same(&mut self, value: &str, at: &Place, last: Option<(usize, usize)>) {
        let Some((place, extension)) = last else {
            self.notes.lost(at, value, "`same` continues no extension", "write `exten => s,…` instead");
            return;
        };
        let (priority, app) = value.split_once(',').unwrap_or((value, ""));
        self.line(place, extension, priority.trim(), app.trim(), at);
    }

    fn line(&mut self, place: usize, extension: usize, priority: &str, app: &str, at: &Place) {
        let lines = &mut self.plan.contexts[place].extensions[extension].lines;
        let (priority, label) = match priority.split_once('(') {
            Some((priority, label)) => (priority.trim(), Some(label.trim_end_matches(')').trim().to_owned())),
            None => (priority, None),
        };
        let after = lines.last().map_or(0, |line| line.number);
        let (word, ahead) = priority.split_once('+').unwrap_or((priority, "0"));
        let number = match (word.trim().to_ascii_lowercase().as_str(), ahead.trim().parse::<u32>()) {
            ("n", Ok(0)) => Some(after.saturating_add(1)),
            ("n", Ok(ahead)) => after.checked_add(ahead),
            ("s", Ok(ahead)) => after.checked_add(ahead),
            (number, Ok(0)) => number.parse().ok(),
            _ => None,
        };
        let Some(number) = number else {
            self.notes.lost(at, format!("{priority},{app}"), "its priority is no number and not `n`", "write `n`");
            return;
        };
        let (name, args) = match app.split_once('(') {
            Some((name, args)) => (name, args.strip_suffix(')').unwrap_or(args)),
            // `Dial,SIP/100|20`: how it was written before brackets.
            None => app.split_once(',').unwrap_or((app, "")),
        };
        let line =
            Line { number, label, app: name.trim().to_ascii_lowercase(), args: args.trim().to_owned(), at: at.clone() };
        let behind = lines.iter().position(|other| other.number >= number);
        match behind {
            Some(behind) if lines[behind].number == number => {
                let why = format!("priority {number} of this extension is there already, and the first one counts");
                self.notes.lost(at, line.gist(), why, "write `n`, or another number");
            }
            Some(behind) => lines.insert(behind, line),
            None => lines.push(line),
        }
    }
}

fn without_comment(line: &str, in_comment: &mut bool) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    loop {
        if *in_comment {
            let Some(end) = rest.find("--;") else { return kept };
            rest = &rest[end + 3..];
            *in_comment = false;
        }
        let Some(semicolon) = rest.find(';') else {
            kept.push_str(rest);
            return kept;
        };
        if rest[..semicolon].ends_with('\\') {
            kept.push_str(&rest[..semicolon - 1]);
            kept.push(';');
            rest = &rest[semicolon + 1..];
            continue;
        }
        kept.push_str(&rest[..semicolon]);
        let behind = &rest[semicolon..];
        if !behind.starts_with(";--") || behind.starts_with(";---") {
            return kept;
        }
        *in_comment = true;
        rest = &behind[3..];
    }
}

/// Is this letter in it, outside quotes and brackets?
fn has_outside(text: &str, wanted: char) -> bool {
    split_outside(text, wanted).len() > 1
}

/// Parts of a text between separators that stand in no quotes and no brackets, trimmed.
pub(super) fn split_outside(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for letter in text.chars() {
        let plain = !escaped && !quoted;
        match letter {
            '"' if !escaped => quoted = !quoted,
            '(' | '[' | '{' if plain => depth += 1,
            ')' | ']' | '}' if plain => depth = depth.saturating_sub(1),
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
        if letter == separator && plain && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Dialplan, Vec<super::super::super::Note>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("extensions.conf");
        std::fs::write(&path, text).unwrap();
        std::fs::write(folder.path().join("more.conf"), "[more]\nexten => 9,1,Hangup()\n").unwrap();
        let mut notes = Notes::default();
        let plan = read(&path, &mut notes).unwrap();
        (plan, notes.sorted())
    }

    fn lines(plan: &Dialplan, context: &str, extension: &str) -> Vec<(u32, Option<String>, String, String)> {
        let lines = &plan.context(context).unwrap().extension(extension).unwrap().lines;
        lines.iter().map(|line| (line.number, line.label.clone(), line.app.clone(), line.args.clone())).collect()
    }

    #[test]
    fn lines_are_read_however_they_are_written() {
        let (plan, notes) = parsed(
            "; a comment\n[globals]\nOPERATOR => SIP/1 ; his\n[main](base)\nexten=>s,1,Answer\n\
             exten => s , n(again) , Background( welcome&press-1 ) ;-- over\n lines --; \n same => n,WaitExten(5)\n\
             exten => t,1,Dial,SIP/100|20|t\nexten => s,20,NoOp(a\\;b)\nsame => n+2,Hangup()\ninclude => other|9:00-17:00|mon-fri|*|*\n\
             #include \"more.conf\"\n",
        );
        let line = |number, label: Option<&str>, app: &str, args: &str| {
            (number, label.map(str::to_owned), app.to_owned(), args.to_owned())
        };
        assert_eq!(
            lines(&plan, "main", "s"),
            [
                line(1, None, "answer", ""),
                line(2, Some("again"), "background", "welcome&press-1"),
                line(3, None, "waitexten", "5"),
                line(20, None, "noop", "a;b"),
                line(22, None, "hangup", ""),
            ]
        );
        assert_eq!(plan.context("main").unwrap().extension("t").unwrap().lines[0].arguments(), ["SIP/100", "20", "t"]);
        let includes: Vec<_> = plan.context("main").unwrap().includes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(includes, ["base", "other"]);
        assert_eq!(plan.globals[0].1, "SIP/1");
        assert_eq!(lines(&plan, "more", "9").len(), 1);
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].why.contains("at certain times"), "{notes:?}");
    }

    #[test]
    fn what_is_no_dialplan_is_told_with_its_line() {
        let (_, notes) = parsed(
            "stray => 1\n[a]\nnonsense\nsame => n,Answer\nexten => 1,hint,SIP/1\nexten => 1/555,1,Hangup\n\
             exten => 2,x,Hangup\nexten => 3,1,Answer\nexten => 3,1,Hangup\nswitch => DUNDi/x\n#include /etc/passwd\n#exec ls\n",
        );
        let at: Vec<usize> = notes.iter().map(|note| note.at.line).collect();
        assert_eq!(at, [1, 3, 4, 5, 6, 7, 9, 10, 11, 12], "{notes:#?}");
        assert!(notes.iter().all(|note| note.lost));
    }

    #[test]
    fn arguments_are_split_outside_quotes_and_brackets() {
        let split = |text| split_outside(text, ',');
        assert_eq!(split("a, \"b,c\" ,${F(x,y)},$[1,2]"), ["a", "\"b,c\"", "${F(x,y)}", "$[1,2]"]);
        assert_eq!(split(""), [""]);
    }
}
