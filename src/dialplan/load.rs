//! The edge of the language: files, their size and their encoding.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::{Diagnostics, Findings, Span, Spanned};
use super::plan::Plan;
use super::{compile, lint, schema, yaml};

/// Largest plan. A thousand rich menus have some 2.6 MB.
const MAX_PLAN_BYTES: u64 = 8 * 1024 * 1024;
/// Largest recording: half an hour of telephone sound.
const MAX_RECORDING_BYTES: u64 = 64 * 1024 * 1024;

/// Most files that one plan is read from, and most that they hold together.
const MAX_FILES: usize = 200;
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// A plan fit to run.
#[derive(Debug)]
pub struct Loaded {
    /// Shared by every call that runs it.
    pub plan: Arc<Plan>,
    /// What its author should still hear about: warnings and notes, no errors.
    pub warnings: Diagnostics,
    /// Every text it was read from, the plan's own first: [`load_kept`] makes the same plan of them later.
    pub texts: Texts,
}

/// Files and what they say.
pub type Texts = Vec<(PathBuf, String)>;

/// Reads, compiles and judges the plan in `path`, with everything it includes and runs. Blocking. On errors, everything
/// found comes back.
pub fn load(path: &Path) -> Result<Loaded, Diagnostics> {
    let mut findings = Findings::default();
    let text = match read_bounded(path, MAX_PLAN_BYTES) {
        Ok(bytes) => text_of(bytes, &mut findings),
        Err(reason) => {
            findings.file_error(reason);
            Err(String::new())
        }
    };
    match text {
        Ok(text) => load_text(path, &text),
        Err(text) => Err(Diagnostics::new(&path.display().to_string(), &text, findings)),
    }
}

/// Loads a plan from a text; `name` is what messages call it, and recordings are looked for beside it.
pub fn load_str(name: &str, text: &str) -> Result<Loaded, Diagnostics> {
    load_text(Path::new(name), text)
}

/// Loads a plan from the texts of its files as they were once: what stands there now is not looked at, but for its
/// recordings. Blocking.
pub fn load_kept(path: &Path, texts: Texts) -> Result<Loaded, Diagnostics> {
    let mut texts = texts.into_iter();
    let text = texts.next().map(|(_, text)| text).unwrap_or_default();
    load_with(path, &text, Some(texts.collect()))
}

fn load_text(path: &Path, text: &str) -> Result<Loaded, Diagnostics> {
    load_with(path, text, None)
}

fn load_with(path: &Path, text: &str, kept: Option<BTreeMap<PathBuf, String>>) -> Result<Loaded, Diagnostics> {
    let mut findings = Findings::default();
    let mut files = Files { kept, ..Files::default() };
    files.list.push((path.to_owned(), without_mark(text).to_owned()));
    let plan = files.plan(0, &mut findings).map(|written| {
        let (plan, read) = compile::compile(&written, std::mem::take(&mut files), &mut findings);
        files = read;
        if !findings.has_errors() {
            lint::judge(&plan, &written, &mut findings);
        }
        plan
    });
    findings.settle();
    let failed = findings.has_errors();
    let texts = files.list;
    let named = texts.iter().map(|(path, text)| (path.display().to_string(), text.clone())).collect();
    let diagnostics = Diagnostics::of(named, findings);
    match plan {
        Some(plan) if !failed => Ok(Loaded { plan: Arc::new(plan), warnings: diagnostics, texts }),
        _ => Err(diagnostics),
    }
}

/// Everything one plan is read from: the first is the plan itself.
#[derive(Debug, Default)]
pub struct Files {
    list: Texts,
    recordings: Vec<PathBuf>,
    /// What files said once; `None`: what stands there now.
    kept: Option<BTreeMap<PathBuf, String>>,
}

impl Files {
    /// How many texts have been read.
    pub const fn len(&self) -> usize {
        self.list.len()
    }

    /// Has none been read?
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What stands in the file at this place.
    pub fn text(&self, place: usize) -> &str {
        self.list.get(place).map_or("", |(_, text)| text)
    }

    /// Where it lies.
    pub fn path(&self, place: usize) -> &Path {
        self.list.get(place).map_or(Path::new(""), |(path, _)| path)
    }

    /// How messages call it.
    pub fn name(&self, place: usize) -> String {
        self.path(place).display().to_string()
    }

    /// A path that the file at this place names, as seen from its folder.
    pub fn beside(&self, place: usize, named: &str) -> PathBuf {
        let joined = self.path(place).parent().unwrap_or(Path::new("")).join(named);
        // `a/../b` is `b`, so that one file has one name.
        let mut plain = PathBuf::new();
        for part in joined.components() {
            let up = matches!(part, Component::ParentDir);
            match plain.components().next_back() {
                Some(Component::Normal(_)) if up => drop(plain.pop()),
                _ if matches!(part, Component::CurDir) => {}
                _ => plain.push(part),
            }
        }
        plain
    }

    /// Every file there is to watch.
    pub fn sources(&self) -> Vec<PathBuf> {
        let mut sources: Vec<PathBuf> = self.list.iter().map(|(path, _)| path.clone()).collect();
        sources.extend(self.recordings.iter().cloned());
        sources
    }

    /// Reads one more text, named at this place of another; its own place. `None` when that cannot be, as reported.
    pub fn read(&mut self, named: &Spanned<String>, findings: &mut Findings) -> Option<usize> {
        let path = self.beside(named.at.file, &named.value);
        if self.list.len() >= MAX_FILES {
            findings.error(named.at, format!("a plan cannot be read from more than {MAX_FILES} files"));
            return None;
        }
        match self.bytes_of(&path) {
            Ok(bytes) => {
                let place = self.list.len();
                let before = findings.file();
                findings.reading(place);
                let text = text_of(bytes, findings);
                findings.reading(before);
                let good = text.is_ok();
                let text = text.unwrap_or_else(|broken| broken);
                self.list.push((path, without_mark(&text).to_owned()));
                good.then_some(place)
            }
            Err(reason) => {
                let help = format!("looked for {}; paths are relative to the file that names them", path.display());
                findings.error(named.at, format!("`{}` {reason}", named.value)).help(help);
                None
            }
        }
    }

    /// The plan in the text at this place, with what it includes.
    pub(super) fn plan(&mut self, place: usize, findings: &mut Findings) -> Option<schema::Plan> {
        let root = self.tree(place, findings)?;
        let mut plan = schema::read(root, findings)?;
        let own = self.path(place).to_owned();
        let mut seen = vec![own.clone()];
        // Each with the files that lead to it.
        let mut wanted: Vec<(Vec<PathBuf>, Spanned<String>)> =
            plan.include.iter().map(|named| (vec![own.clone()], named.clone())).collect();
        while let Some((mut way, named)) = wanted.pop() {
            let path = self.beside(named.at.file, &named.value);
            if way.contains(&path) {
                let message =
                    format!("`{}` is included already: these files include each other in a circle", named.value);
                findings.error(named.at, message).help("leave it out: names are common to all files of a plan");
                continue;
            }
            // Each file is included once, however many others want it.
            if seen.contains(&path) {
                continue;
            }
            seen.push(path.clone());
            way.push(path);
            let Some(place) = self.read(&named, findings) else { continue };
            let root = self.tree(place, findings);
            findings.reading(place);
            let included = root.and_then(|root| schema::read_included(root, findings));
            findings.reading(named.at.file);
            let Some(included) = included else { continue };
            wanted.extend(included.include.into_iter().map(|named| (way.clone(), named)));
            plan.steps.extend(included.steps);
            // What the plan itself says comes first.
            plan.phrases.extend(included.phrases);
        }
        Some(plan)
    }

    fn tree(&self, place: usize, findings: &mut Findings) -> Option<yaml::Node> {
        let before = findings.file();
        findings.reading(place);
        let root = yaml::parse(self.text(place), findings);
        findings.reading(before);
        root
    }

    /// What a grammar says, or one that another grammar names.
    pub(super) fn grammar(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        if let Some((_, text)) = self.list.iter().find(|(known, _)| known == path) {
            return Ok(text.clone().into_bytes());
        }
        if self.list.len() >= MAX_FILES {
            return Err(format!("a plan cannot be read from more than {MAX_FILES} files"));
        }
        let text = String::from_utf8(self.bytes_of(path)?)
            .map_err(|_| "it is not UTF-8: save the file as UTF-8 text".to_owned())?;
        self.list.push((path.to_owned(), text.clone()));
        Ok(text.into_bytes())
    }

    /// What stands in a file, or stood there; otherwise the end of a sentence that begins with its name.
    fn bytes_of(&self, path: &Path) -> Result<Vec<u8>, String> {
        let bytes = match &self.kept {
            None => read_bounded(path, MAX_PLAN_BYTES)?,
            Some(kept) => kept.get(path).ok_or("is not among the texts of this plan")?.clone().into_bytes(),
        };
        let before: usize = self.list.iter().map(|(_, text)| text.len()).sum();
        if before + bytes.len() > MAX_BYTES {
            return Err(format!("is too much: a plan and its files may have {} MiB together", MAX_BYTES / 1024 / 1024));
        }
        Ok(bytes)
    }

    /// The bytes of a recording that can be played.
    pub(super) fn recording(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        if !self.recordings.iter().any(|known| known == path) {
            self.recordings.push(path.to_owned());
        }
        read_recording(path)
    }
}

/// A byte order mark is allowed at the start of a text and is no part of it.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Bytes as text; on an error what can be read of them, and a finding.
fn text_of(bytes: Vec<u8>, findings: &mut Findings) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let before = &text[..good];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
        let at = Span { file: findings.file(), offset: good, len: 1, line, column };
        findings.error(at, "this is not UTF-8").help("save the file as UTF-8 text");
        text
    })
}

/// A recording's bytes, once it is known to be one that can be played.
fn read_recording(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = read_bounded(path, MAX_RECORDING_BYTES)?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wav")) {
        let wav = hound::WavReader::new(bytes.as_slice());
        match wav.map(|wav| wav.duration()) {
            Ok(0) => return Err("holds no sound".into()),
            Ok(_) => {}
            Err(error) => return Err(format!("is not a WAV file that can be read: {error}")),
        }
    }
    Ok(bytes)
}

/// The bytes of a file that is not larger than `most`; otherwise the end of a sentence that begins with its name.
fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    // Looked at before it is opened: opening a pipe would wait for somebody to write.
    match std::fs::metadata(path).map_err(unreadable)? {
        found if found.is_dir() => return Err("is a folder, not a file".into()),
        found if !found.is_file() => return Err("is not a regular file".into()),
        _ => {}
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most {
        return Err(format!("is larger than {} MiB", most / 1024 / 1024));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixture::{ear_of, menu_of, question_of, say_of};
    use super::super::plan::Target;
    use super::*;
    use crate::media::BargeIn;

    fn repository(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    #[test]
    fn a_file_that_several_want_is_included_once() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("main.yaml", "dialplan: 1\nstart: a\ninclude: [one.yaml, two.yaml]\nsteps: { a: { goto: b } }\n"),
            ("one.yaml", "dialplan: 1\ninclude: [common.yaml]\nsteps: { b: { goto: c } }\n"),
            ("two.yaml", "dialplan: 1\ninclude: [common.yaml]\nsteps: { c: { goto: d } }\n"),
            ("common.yaml", "dialplan: 1\nsteps: { d: { hangup: } }\n"),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let plan = load(&folder.path().join("main.yaml")).unwrap_or_else(|found| panic!("{found}")).plan;
        assert_eq!(plan.steps.len(), 4);
        let file = |name: &str| &plan.sources[plan.step(plan.step_named(name).unwrap()).file];
        assert!(file("d").ends_with("common.yaml") && file("a").ends_with("main.yaml"));
    }

    #[test]
    fn the_shipped_plans_load_without_a_warning() {
        let plans: Vec<PathBuf> = std::fs::read_dir(repository("dialplans"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
            .collect();
        assert!(plans.len() >= 2);
        for path in plans {
            let loaded = load(&path).unwrap_or_else(|found| panic!("{found}"));
            assert_eq!(loaded.warnings.to_string(), "");
        }
    }

    #[test]
    fn the_bank_has_five_options_and_a_way_out_of_every_question() {
        let plan = load(&repository("dialplans/bank-main.yaml")).unwrap().plan;
        let main = menu_of(&plan, "main");
        let names: Vec<(&str, char)> =
            main.options().options.iter().map(|option| (option.name.as_str(), option.key.unwrap().face())).collect();
        assert_eq!(names, [("balance", '1'), ("repay", '2'), ("lost", '3'), ("hours", '4'), ("human", '0')]);
        let human = Target::Step(plan.step_named("human").unwrap());
        let question = main.question();
        assert_eq!((question.exhausted, question.error), (human, human));
        assert_eq!((question.no_input, question.universals.back), (Target::Repeat, Some(Target::Back)));
        let welcome = say_of(&plan, "welcome");
        assert!(welcome.protected && welcome.barge_in == BargeIn::Off);
        let balance = ear_of(&plan, "balance");
        assert_eq!((balance.want.most_digits(), balance.slot.as_str()), (4, "card"));
        let more = menu_of(&plan, "more");
        let options = &more.options().options;
        assert_eq!((options[0].name.as_str(), options[1].name.as_str()), ("yes", "no"));
        assert_eq!((more.question().tries, more.question().wait), (2, Duration::from_secs(4)));
    }

    #[test]
    fn what_a_plan_was_read_from_makes_the_same_plan_after_its_files_have_changed() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let plan = "dialplan: 1\ninclude: [common.yaml]\nstart: a\nsteps:\n  a: { run: { plan: sub.yaml, go: bye } }\n";
        write("a.yaml", plan);
        write("common.yaml", "dialplan: 1\nsteps: { bye: { hangup: Goodbye. } }\n");
        write("sub.yaml", "dialplan: 1\nstart: b\nsteps: { b: { say: { text: Old., go: $end } } }\n");
        let path = folder.path().join("a.yaml");
        let old = load(&path).unwrap();
        assert_eq!((old.texts.len(), old.texts[0].0.as_path()), (3, path.as_path()));
        write("sub.yaml", "dialplan: 1\nstart: b\nsteps: { b: { say: { text: New., go: $end } } }\n");
        std::fs::remove_file(folder.path().join("common.yaml")).unwrap();
        std::fs::remove_file(&path).unwrap();
        let again = load_kept(&path, old.texts.clone()).unwrap();
        assert_eq!((&again.plan.version, &again.texts), (&old.plan.version, &old.texts));
    }

    /// What is said about a file with these bytes, its folder called `plans`.
    fn said_of(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        std::fs::write(&path, bytes).unwrap();
        load(&path).expect_err("broken").to_string().replace(folder.path().to_str().unwrap(), "plans")
    }

    #[test]
    fn bytes_that_are_not_utf8_are_pointed_at() {
        let expected = "plans/a.yaml:2:8  this is not UTF-8\n  help: save the file as UTF-8 text\n";
        assert_eq!(said_of(b"dialplan: 1\nname: G\xf6teborg\n"), expected);
    }

    #[test]
    fn empty_and_huge_files_are_refused() {
        for empty in [&b""[..], b"\n\n", b"# only a comment\n", b"---\n"] {
            let said = said_of(empty);
            assert!(said.starts_with("plans/a.yaml  is empty"), "{said}");
        }
        let huge = vec![b'#'; MAX_PLAN_BYTES as usize + 1];
        assert_eq!(said_of(&huge), "plans/a.yaml  is larger than 8 MiB\n");
    }

    #[test]
    fn what_is_no_readable_file_is_a_sentence_and_never_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let absent = load(&folder.path().join("absent.yaml")).unwrap_err().to_string();
        assert!(absent.ends_with("absent.yaml  does not exist\n"), "{absent}");
        let directory = load(folder.path()).unwrap_err().to_string();
        assert!(directory.ends_with("  is a folder, not a file\n"), "{directory}");
        let pipe = folder.path().join("pipe.yaml");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let pipe = load(&pipe).unwrap_err().to_string();
        assert!(pipe.ends_with("  is not a regular file\n"), "{pipe}");
    }

    #[test]
    fn a_byte_order_mark_and_windows_line_ends_are_no_fault() {
        let text = "\u{feff}dialplan: 1\r\nstart: a\r\nsteps:\r\n  a:\r\n    say: { text: Hello, go: $end }\r\n";
        let loaded = load_str("a.yaml", text).unwrap();
        assert_eq!(loaded.warnings.to_string(), "");
        let wrong = load_str("a.yaml", &text.replace("go:", "og:")).unwrap_err().to_string();
        assert!(wrong.contains("a.yaml:5:25  say `a` has no key `og`\n  help: did you mean `go`?\n"), "{wrong}");
    }

    #[test]
    fn a_recording_wins_over_synthesis_and_is_part_of_the_version() {
        let folder = tempfile::tempdir().unwrap();
        let (plan, sound) = (folder.path().join("a.yaml"), folder.path().join("hello.wav"));
        let text = "dialplan: 1\nstart: a\nsteps: { a: { say: { text: Hello, file: hello.wav, go: $end } } }\n";
        std::fs::write(&plan, text).unwrap();
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let record = |level: i16| {
            let mut wav = hound::WavWriter::create(&sound, spec).unwrap();
            (0..80).for_each(|_| wav.write_sample(level).unwrap());
            wav.finalize().unwrap();
        };
        record(1);
        let first = load(&plan).unwrap().plan;
        let say = say_of(&first, "a");
        assert_eq!(say.prompt.files.values().collect::<Vec<_>>(), [&sound]);
        assert_eq!(say.prompt.texts.values().collect::<Vec<_>>(), ["Hello"]);
        record(2);
        assert_ne!(load(&plan).unwrap().plan.version, first.version);
        record(1);
        assert_eq!(load(&plan).unwrap().plan.version, first.version);
    }

    #[test]
    fn a_plan_of_random_words_of_the_language_never_panics() {
        use rand::{Rng, SeedableRng, seq::IndexedRandom};
        let words = [
            "dialplan",
            "steps",
            "start",
            "defaults",
            "question",
            "menu",
            "say",
            "ask",
            "goto",
            "hangup",
            "options",
            "key",
            "phrases",
            "go",
            "text",
            "prompt",
            "reprompt",
            "digits",
            "wait",
            "tries",
            "a",
            "b",
            "$repeat",
            "1",
            "en-US",
            "languages",
            "4s",
            "reject",
            "below",
            "universals",
            "phrases",
            "file",
            "result",
            "no_input",
        ];
        let mut random = rand::rngs::StdRng::seed_from_u64(11);
        let mut whole = 0;
        for _ in 0..3_000 {
            let mut text = "dialplan: 1\nstart: a\n".to_owned();
            let mut depth = 0;
            for _ in 0..random.random_range(1..25) {
                let word = words.choose(&mut random).unwrap();
                match random.random_range(0..5) {
                    0 => text += &format!("{}{word}:\n", "  ".repeat(depth)),
                    1 => text += &format!("{}- {word}\n", "  ".repeat(depth)),
                    _ => text += &format!("{}{word}: {}\n", "  ".repeat(depth), words.choose(&mut random).unwrap()),
                }
                depth = random.random_range(0..=(depth + 1).min(6));
            }
            match load_str("a.yaml", &text) {
                Ok(_) => whole += 1,
                Err(found) => drop(found.drawn()),
            }
        }
        assert!(whole < 3_000);
    }

    #[test]
    fn what_is_left_out_comes_from_defaults_and_what_they_leave_out_from_the_engine() {
        let text = "dialplan: 1\nstart: m\ndefaults:\n  say: { barge_in: keys }\n  question: { wait: 6s, go: bye }\n  \
                    universals: { operator: bye, back: off }\nsteps:\n  m:\n    menu:\n      prompt: Press 1.\n      \
                    options: { one: { key: 1, go: s } }\n      no_match: bye\n  s: { say: { text: Hi., go: n } }\n  n:\n    \
                    ask: { prompt: Number?, digits: { max: 3 }, go: bye, wait: 900ms, universals: { operator: off } }\n  \
                    bye: { hangup: }\n  gone: { hangup: { result: gone } }\n";
        let text = text.replace("go: bye }\n  universals", "go: bye, hangup: gone }\n  hangup: bye\n  universals");
        let plan = load_str("a.yaml", &text).unwrap().plan;
        let bye = Target::Step(plan.step_named("bye").unwrap());
        let question = question_of(&plan, "m");
        assert_eq!((question.wait, question.tries), (Duration::from_secs(6), 3));
        assert_eq!((question.no_input, question.no_match, question.error), (Target::Repeat, bye, bye));
        assert_eq!((question.universals.operator, question.universals.back), (Some(bye), None));
        assert_eq!(question.universals.repeat, Some(Target::Repeat));
        assert_eq!(question.incomplete, Duration::from_millis(1200));
        assert_eq!(say_of(&plan, "s").barge_in, BargeIn::Keys);
        let ask = ear_of(&plan, "n");
        assert_eq!((ask.want.most_digits(), ask.slot.as_str(), ask.sensitive), (3, "n", false));
        let question = question_of(&plan, "n");
        assert_eq!((question.wait, question.incomplete), (Duration::from_millis(900), Duration::from_secs(2)));
        assert_eq!(question.universals.operator, None);
        let gone = Target::Step(plan.step_named("gone").unwrap());
        assert_eq!(plan.steps[..3].iter().map(|step| step.hangup).collect::<Vec<_>>(), [gone, bye, gone]);
    }

    #[test]
    fn the_version_is_the_hash_of_the_file() {
        let text = "dialplan: 1\nstart: a\nsteps: { a: { hangup: } }\n";
        // printf '…' | sha256sum | cut -c1-16
        assert_eq!(load_str("a.yaml", text).unwrap().plan.version, "5b6eaf0fa86985ab");
        let other = load_str("a.yaml", &text.replace("a: {", "a : {")).unwrap();
        assert_ne!(other.plan.version, "5b6eaf0fa86985ab");
    }

    #[test]
    fn utterances_are_every_prompt_and_the_engines_own_words_in_every_language() {
        let text =
            "dialplan: 1\nlanguages: [en-US, zh-CN]\nstart: a\nsteps:\n  a:\n    hangup: { en-US: Bye, zh-CN: 再见 }\n";
        let plan = load_str("a.yaml", text).unwrap().plan;
        let said: Vec<(&str, &str)> =
            plan.utterances().map(|(prompt, language)| (language.as_str(), prompt.texts[language].as_str())).collect();
        assert_eq!(said.len(), 2 + 5 * 2);
        assert_eq!(said[..2], [("en-US", "Bye"), ("zh-CN", "再见")]);
        assert!(
            said.contains(&("en-US", "I did not hear you.")) && said.contains(&("zh-CN", "我没有听到您说话。")),
            "{said:?}"
        );
    }
}
