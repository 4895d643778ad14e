//! Conversation tests: plays the caller's lines of a [`Script`] against the real call core and compares what the
//! bot says, and how the call ends, with what is written.
//!
//! What happens depends on the caller's lines alone (and, for `@` times, on how many bot lines stand above them), so
//! that a test may be rewritten from what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;

use crate::call::{Question, TimelineEvent};
use crate::dialplan::interpreter::Way;
use crate::dialplan::load;
use crate::dialplan::plan::Plan;
use crate::lookup::Answer;
use crate::pii::Pii;
use crate::simulate::came_to;
use crate::simulate::conversation::{Caller, Conversation, Expected, Happening};
use crate::simulate::coverage::Coverage;
use crate::simulate::text_leg::Piece;
use crate::simulate::transcript::{self, Item, Script, What, When, fits, print_end, print_line};

/// How a line about what came of a call begins.
const OUTCOME: &str = "outcome";

/// What came of one test file.
#[derive(Debug, Default)]
pub struct FileReport {
    /// Conversations in it.
    pub conversations: usize,
    /// One text for each that failed, ready to print.
    pub failures: Vec<String>,
    /// What of their plans they tried.
    pub coverage: Coverage,
    /// The whole file as it would read if every expectation were what really happened; `None` when nothing changes.
    pub updated: Option<String>,
}

/// What came of one conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Ways through the plan that the call took.
    pub taken: BTreeSet<Way>,
    /// Lines as written beside lines as they happened.
    pub lines: Vec<Compared>,
    /// What else is wrong: `(line, message)`.
    pub faults: Vec<(usize, String)>,
    /// Lines that a conversation may leave out, and that belong into one rewritten: what came of the call.
    pub unwritten: Vec<String>,
    /// Where the call stood at each of the caller's lines, and what came of it.
    pub cues: Vec<Cue>,
    /// How long the call took, by its own clock.
    pub lasted: Duration,
    /// The first line by which the far end was asked to call somebody itself.
    pub sent_on: Option<usize>,
}

/// One of the caller's lines, as the call took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cue {
    /// In the file.
    pub line: usize,
    /// The question that was open.
    pub question: Option<Question>,
    /// What it meant there; of several things, the first.
    pub meaning: Option<String>,
}

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Compared {
    /// As written; the caller's, or the bot's and fitting.
    Same(Item),
    /// Written, but it did not happen.
    Missing(Item),
    /// It happened, but is not written.
    Extra(String),
}

impl Outcome {
    /// Did everything happen as written?
    pub fn passed(&self) -> bool {
        self.faults.is_empty() && self.lines.iter().all(|line| matches!(line, Compared::Same(_)))
    }
}

/// Every `*.test.md` under `path`, in order; `path` itself when it is a file.
pub fn find(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?.path();
        if entry.is_dir() {
            found.extend(find(&entry)?);
        } else if entry.to_string_lossy().ends_with(".test.md") {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}

/// Runs every conversation of one file. Plans are kept in `plans` for the next file.
pub fn run_file(path: &Path, plans: &mut Plans) -> FileReport {
    run_some(path, plans, "")
}

/// Runs those conversations of one file whose heading holds `wanted`.
pub fn run_some(path: &Path, plans: &mut Plans, wanted: &str) -> FileReport {
    let place = path.display();
    let failed = |failures| FileReport { failures, ..FileReport::default() };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return failed(vec![format!("{place}: cannot be read: {error}\n")]),
    };
    let scripts = match transcript::parse(&text) {
        Ok(scripts) => scripts,
        Err(wrong) => {
            return failed(wrong.iter().map(|wrong| format!("{place}:{}: {}\n", wrong.line, wrong.message)).collect());
        }
    };
    let wanted = |script: &&Script| script.name.to_lowercase().contains(&wanted.to_lowercase());
    let mut report = FileReport { conversations: scripts.iter().filter(wanted).count(), ..FileReport::default() };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for script in scripts.iter().filter(wanted).rev() {
        match plans.load(&script.header.plan, path) {
            Ok(plan) => {
                let outcome = run(script, plan.clone());
                report.coverage.add(&plan, &outcome.taken);
                if !outcome.passed() {
                    report.failures.push(print_failure(path, script, &outcome));
                }
                if !outcome.passed() || !outcome.unwritten.is_empty() {
                    lines.splice(script.line..script.end_line - 1, print_updated(&outcome));
                }
            }
            Err(why) => report.failures.push(format!("{place}:{}: {}\n{why}\n", script.line, script.name)),
        }
    }
    report.failures.reverse();
    let updated = lines.join("\n") + "\n";
    report.updated = (updated != text).then_some(updated);
    report
}

/// Plans already loaded, by path.
#[derive(Debug, Default)]
pub struct Plans(BTreeMap<PathBuf, Result<Arc<Plan>, String>>);

impl Plans {
    /// Where the plan that a test names lies.
    pub fn find(named: &Path, test: &Path) -> Option<PathBuf> {
        let absolute = std::path::absolute(test).unwrap_or_else(|_| test.to_owned());
        absolute.ancestors().skip(1).map(|folder| folder.join(named)).find(|path| path.is_file())
    }

    /// The plan a test names: a path from the test's folder or one above it (so from the repository's root).
    pub fn load(&mut self, named: &Path, test: &Path) -> Result<Arc<Plan>, String> {
        let Some(path) = Self::find(named, test) else {
            return Err(format!("there is no `{}` beside this test or in a folder above it", named.display()));
        };
        self.0
            .entry(path)
            .or_insert_with_key(|path| match load::load(path) {
                Ok(loaded) => Ok(loaded.plan),
                Err(wrong) => Err(wrong.to_string()),
            })
            .clone()
    }
}

/// Who calls in a conversation.
pub fn caller_of(script: &Script) -> Caller {
    let usual = Caller::default();
    Caller {
        language: script.header.language.clone(),
        number: script.header.caller.clone().map_or(usual.number, Pii::new),
        dialled: script.header.called.clone().map_or(usual.dialled, Pii::new),
        at: script.header.at.as_ref().map_or(usual.at, Zoned::timestamp),
        zone: script.header.at.as_ref().map_or(usual.zone, |at| at.time_zone().clone()),
        variables: script.header.with.iter().map(|(name, value)| (name.clone(), Pii::new(value.clone()))).collect(),
    }
}

/// How other systems answer in a conversation.
pub fn lookups_of(script: &Script) -> Vec<Expected> {
    script.items.iter().filter_map(|item| expected(item.line, &item.what)).collect()
}

/// Holds one conversation.
pub fn run(script: &Script, plan: Arc<Plan>) -> Outcome {
    let caller = caller_of(script);
    let mut running =
        Running { talk: Conversation::begin(plan, &caller), outcome: Outcome::default(), expected: Vec::new() };
    running.talk.expect_lookups(lookups_of(script));
    let began = running.talk.now();
    for item in &script.items {
        match &item.what {
            // It answers whenever it is asked.
            What::Http { .. } => running.outcome.lines.push(Compared::Same(item.clone())),
            What::Bot(_) => running.expected.push(item.clone()),
            What::End(written) => running.end(item, written),
            What::CameTo(_) => running.expected.push(item.clone()),
            _ => running.act(item),
        }
    }
    if script.items.iter().any(|item| matches!(item.what, What::End(_))) {
        running.came_to();
    } else {
        running.talk.until_listening();
        running.compare();
    }
    running.outcome.taken = running.talk.taken().clone();
    running.outcome.lasted = running.talk.now().saturating_duration_since(began);
    for (line, fault) in running.talk.lookup_faults() {
        let line = if line == 0 { script.line } else { line };
        running.outcome.faults.push((line, fault));
    }
    running.outcome
}

/// The caller, or whoever they are handed to, does this now. What cannot be done is told in a sentence.
pub fn perform(talk: &mut Conversation, what: &What) -> Result<(), String> {
    match what {
        What::You { pieces, confidence, .. } => talk.speak(pieces.iter().map(|(after, words)| {
            let after = *after;
            Piece { after, ..Piece::words(words, *confidence) }
        })),
        What::Keys { keys, .. } => talk.press(keys),
        What::Noise { lasting, .. } => talk.speak([Piece::noise(*lasting)]),
        What::Silence(time) => {
            talk.wait_for_bot(*time);
        }
        What::HangsUp { .. } => talk.hang_up(),
        What::Agent(does) => {
            if !talk.agent(does) {
                return Err("nobody is being handed over here".to_owned());
            }
        }
        What::Http { .. } => talk.expect_lookups(expected(0, what)),
        What::Bot(_) | What::End(_) | What::CameTo(_) => {}
    }
    Ok(())
}

/// The answer of another system that a line tells.
fn expected(line: usize, what: &What) -> Option<Expected> {
    let What::Http { asked, answer } = what else { return None };
    let answer = answer.clone().map(|(status, json)| Answer { status, json, attempts: 1 });
    Some(Expected { line, asked: asked.clone(), answer })
}

struct Running {
    talk: Conversation,
    outcome: Outcome,
    /// Bot lines written since the caller's last line.
    expected: Vec<Item>,
}

impl Running {
    fn act(&mut self, item: &Item) {
        let in_time = match when_of(&item.what) {
            When { into: Some(into), .. } => self.talk.into_bot_line(self.expected.len(), into),
            When { into: None, .. } => {
                self.talk.until_listening();
                !self.talk.is_over()
            }
        };
        self.compare();
        self.outcome.lines.push(Compared::Same(item.clone()));
        if !in_time {
            let why = if self.talk.is_over() { "the call is over by now" } else { "the bot has not come to say that" };
            self.outcome.faults.push((item.line, why.to_owned()));
            return;
        }
        let question = self.talk.question();
        self.outcome.cues.push(Cue { line: item.line, question, meaning: None });
        let interruptions = self.talk.interruptions();
        if let Err(fault) = perform(&mut self.talk, &item.what) {
            self.outcome.faults.push((item.line, fault));
        }
        if self.talk.sends_on() {
            self.outcome.sent_on.get_or_insert(item.line);
        }
        if when_of(&item.what).interrupts && self.talk.interruptions() == interruptions {
            self.outcome.faults.push((item.line, "this interrupted nothing".to_owned()));
        }
    }

    fn end(&mut self, item: &Item, written: &str) {
        self.talk.to_the_end();
        self.compare();
        let Some(record) = self.talk.record() else {
            self.outcome.lines.push(Compared::Missing(item.clone()));
            return;
        };
        let ended = print_end(&record.end, record.result.as_deref());
        if fits(written, &ended) {
            self.outcome.lines.push(Compared::Same(item.clone()));
        } else {
            self.outcome.lines.push(Compared::Missing(item.clone()));
            self.outcome.lines.push(Compared::Extra(print_line("end", &ended)));
        }
    }

    /// Lines up what came of the call with what should have come of it, where that is written.
    fn came_to(&mut self) {
        let expected = std::mem::take(&mut self.expected);
        let Some(record) = self.talk.record() else {
            self.outcome.lines.extend(expected.into_iter().map(Compared::Missing));
            return;
        };
        let mut came_to: Vec<String> = record.outcomes.iter().map(came_to::print).collect();
        if expected.is_empty() {
            self.outcome.unwritten = came_to.iter().map(|line| print_line(OUTCOME, line)).collect();
            return;
        }
        if came_to.is_empty() {
            came_to.push(came_to::NONE.to_owned());
        }
        self.outcome.lines.extend(line_up(&expected, &came_to, OUTCOME));
    }

    /// Lines up what the bot said since the caller's last line with what it should have said.
    fn compare(&mut self) {
        let happened = self.talk.take_happenings();
        let mut said = Vec::new();
        for happening in happened {
            match happening {
                Happening::Bot { text, .. } => said.push(text),
                Happening::Timeline(
                    TimelineEvent::CallerSaid { meaning, .. } | TimelineEvent::Keys { meaning, .. },
                ) => {
                    if let Some(cue) = self.outcome.cues.last_mut() {
                        cue.meaning = cue.meaning.take().or(meaning);
                    }
                }
                _ => {}
            }
        }
        let expected = std::mem::take(&mut self.expected);
        self.outcome.lines.extend(line_up(&expected, &said, "bot"));
    }
}

/// The longest common subsequence of what was written and what was said, and the rest around it.
fn line_up(expected: &[Item], said: &[String], verb: &str) -> Vec<Compared> {
    let same = |item: &Item, said: &str| matches!(&item.what, What::Bot(written) | What::CameTo(written) if fits(written, said));
    let mut common = vec![vec![0_usize; said.len() + 1]; expected.len() + 1];
    for (row, item) in expected.iter().enumerate().rev() {
        for (column, text) in said.iter().enumerate().rev() {
            common[row][column] = if same(item, text) {
                common[row + 1][column + 1] + 1
            } else {
                common[row + 1][column].max(common[row][column + 1])
            };
        }
    }
    let (mut row, mut column, mut lines) = (0, 0, Vec::new());
    while row < expected.len() || column < said.len() {
        let fitting = row < expected.len() && column < said.len() && same(&expected[row], &said[column]);
        if fitting {
            lines.push(Compared::Same(expected[row].clone()));
            (row, column) = (row + 1, column + 1);
        } else if row < expected.len() && (column == said.len() || common[row + 1][column] >= common[row][column + 1]) {
            lines.push(Compared::Missing(expected[row].clone()));
            row += 1;
        } else {
            lines.push(Compared::Extra(print_line(verb, &said[column])));
            column += 1;
        }
    }
    lines
}

/// When a line is said or done.
pub const fn when_of(what: &What) -> When {
    match what {
        What::You { when, .. } | What::Keys { when, .. } | What::Noise { when, .. } | What::HangsUp { when } => *when,
        What::Bot(_) | What::Silence(_) | What::Agent(_) | What::Http { .. } | What::End(_) | What::CameTo(_) => {
            When { into: None, interrupts: false }
        }
    }
}

fn print_failure(path: &Path, script: &Script, outcome: &Outcome) -> String {
    let mut text = format!("{}:{}: {}\n", path.display(), script.line, script.name);
    for line in &outcome.lines {
        let _ = match line {
            Compared::Same(item) => writeln!(text, "  {:>5}  {}", item.line, item.raw.trim()),
            Compared::Missing(item) => writeln!(text, "- {:>5}  {}", item.line, item.raw.trim()),
            Compared::Extra(said) => writeln!(text, "+        {said}"),
        };
        if let Compared::Same(item) = line {
            for (_, fault) in outcome.faults.iter().filter(|(at, _)| *at == item.line) {
                let _ = writeln!(text, "!        {fault}");
            }
        }
    }
    text
}

/// The block's lines after its header, as they would be written now.
pub fn print_updated(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    for line in &outcome.lines {
        match line {
            Compared::Same(item) => {
                lines.extend(item.before.iter().cloned());
                lines.push(item.raw.clone());
            }
            Compared::Missing(item) => lines.extend(item.before.iter().cloned()),
            Compared::Extra(said) => lines.push(said.clone()),
        }
    }
    lines.extend(outcome.unwritten.iter().cloned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::bank;

    fn outcome(lines: &str) -> Outcome {
        let text = format!("```call\nplan: bank.yaml\n{lines}\n```\n");
        run(&transcript::parse(&text).unwrap()[0], Arc::new(bank()))
    }

    fn marks(outcome: &Outcome) -> String {
        let mark = |line: &Compared| match line {
            Compared::Same(_) => ' ',
            Compared::Missing(_) => '-',
            Compared::Extra(_) => '+',
        };
        outcome.lines.iter().map(mark).collect()
    }

    #[test]
    fn a_call_that_goes_as_written_passes() {
        let outcome = outcome(
            "bot Welcome to the bank.\nbot What can …\nyou lost card @0.3s interrupts\nbot …\nend completed: agent",
        );
        assert!(outcome.passed(), "{outcome:?}");
    }

    #[test]
    fn what_differs_is_marked_where_it_stands() {
        let outcome = outcome("bot Welcome to the shop.\nbot What can …\nkeys 2\nend completed: balance");
        assert_eq!(marks(&outcome), "-+  +-+");
        assert!(!outcome.passed());
        assert_eq!(outcome.lines[6], Compared::Extra("end  completed: agent".into()));
    }

    #[test]
    fn a_caller_who_speaks_after_the_end_or_interrupts_nothing_is_told_so() {
        let late = outcome("keys 2\nyou hello\nend completed: agent");
        assert_eq!(late.faults, [(4, "the call is over by now".to_owned())]);
        let early = outcome("bot Welcome …\nyou balance @0.3s interrupts\nyou hangs up");
        assert_eq!(early.faults, [(4, "this interrupted nothing".to_owned())]);
    }

    #[test]
    fn what_came_of_a_call_is_compared_where_it_is_written_and_a_rewritten_file_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let plan = "dialplan: 1\nname: small\nlanguages: [en-US]\ndefaults: { question: { go: bye } }\n\
                    start: mark\nsteps:\n  mark:\n    tag: { tags: { topic: hours }, go: score }\n  score:\n    rate: { prompt: How was it?, max: 5, go: \
                    bye }\n  bye:\n    hangup: { text: Bye. }\n";
        std::fs::write(folder.path().join("small.yaml"), plan).unwrap();
        let test = folder.path().join("small.test.md");
        let ran = |outcomes: &str| {
            let block = "```call\nplan: small.yaml\nbot  How was it?\nkeys 4\nbot  Bye.\nend  completed\n";
            std::fs::write(&test, format!("{block}{outcomes}```\n")).unwrap();
            run_file(&test, &mut Plans::default())
        };
        let right = "outcome tag topic=hours\noutcome rating score=4 of 0..5\n";
        assert_eq!((ran(right).failures, ran(right).updated), (Vec::new(), None));
        for wrong in [
            "outcome tag topic=hours\n",
            "outcome rating score=4 of 0..5\noutcome tag topic=hours\n",
            "outcome tag topic=hours\noutcome rating score=5 of 0..5\n",
            "outcome none\n",
        ] {
            let report = ran(wrong);
            assert_eq!(report.failures.len(), 1, "{wrong}");
            assert!(report.updated.unwrap().ends_with(&format!("end  completed\n{right}```\n")), "{wrong}");
        }
        assert_eq!(ran("outcome tag topic=…\noutcome rating …\n").failures, Vec::<String>::new());
        // Nothing is said of it, so nothing is wrong; but it is written when the file is rewritten.
        let silent = ran("");
        assert_eq!(silent.failures, Vec::<String>::new());
        assert!(silent.updated.unwrap().contains(right));
    }

    #[test]
    fn a_message_is_spoken_and_its_length_is_what_came_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let plan = "dialplan: 1\nname: small\nlanguages: [en-US]\nstart: word\nsteps:\n  word:\n    record: { prompt: \
                    Please speak., silence: 3s, nothing: none, go: bye }\n  none: { hangup: { result: none } }\n  \
                    bye: { hangup: { result: taken } }\n";
        std::fs::write(folder.path().join("small.yaml"), plan).unwrap();
        let test = folder.path().join("small.test.md");
        let held = |lines: &str| {
            let header = "```call\nplan: small.yaml\nbot  Please speak.\n";
            std::fs::write(&test, format!("{header}{lines}\n```\n")).unwrap();
            run_file(&test, &mut Plans::default()).failures
        };
        for lines in [
            // The moment before it, its words, and the silence that ends it.
            "you  the heating is out <2s> and it is cold\nend  completed: taken\noutcome message 7.6s",
            "you  the heating is out\nkeys #\nend  completed: taken\noutcome message 2.3s",
            "you  the heating is out\nyou  hangs up\nend  caller hung up\noutcome message 2.3s",
            "keys #\nend  completed: none\noutcome none",
        ] {
            let failures = held(lines);
            assert!(failures.is_empty(), "{}", failures.join("\n"));
        }
    }

    #[test]
    fn a_conversation_without_an_end_stops_where_the_bot_listens() {
        assert!(outcome("bot Welcome to the bank.\nbot What can I do for you?").passed());
        assert_eq!(marks(&outcome("bot Welcome to the bank.")), " +");
    }

    #[test]
    fn a_rewritten_file_passes_and_keeps_its_remarks_and_its_dots() {
        let folder = tempfile::tempdir().unwrap();
        let plan = "dialplan: 1\nname: small\nlanguages: [en-US]\nstart: hello\nsteps:\n  hello:\n    \
                    say: { text: \"Hello there.\", go: bye }\n  bye:\n    hangup: { text: \"Bye.\", result: done }\n";
        std::fs::write(folder.path().join("small.yaml"), plan).unwrap();
        let test = folder.path().join("small.test.md");
        let written = "# Small\n\n## One\n\n```call\nplan: small.yaml\n# first\nbot  Hello …\nbot  Gone.\nend  ?\n```\n\n\
                       ## Two\n\n```call\nplan: small.yaml\nend  completed: done\n```\n";
        std::fs::write(&test, written).unwrap();
        let report = run_file(&test, &mut Plans::default());
        assert_eq!((report.conversations, report.failures.len()), (2, 2));
        assert!(report.failures[0].contains("small.test.md:6: One\n      8  bot  Hello …\n-     9  bot  Gone."));
        let updated = report.updated.unwrap();
        assert!(updated.contains("# first\nbot  Hello …\nbot  Bye.\nend  completed: done\n```\n\n## Two"), "{updated}");
        std::fs::write(&test, updated).unwrap();
        let again = run_file(&test, &mut Plans::default());
        assert_eq!((again.failures, again.updated), (Vec::new(), None));
    }

    #[test]
    fn a_missing_plan_and_an_unreadable_line_are_failures_that_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let test = folder.path().join("a.test.md");
        std::fs::write(&test, "```call\nplan: nowhere.yaml\nend completed\n```\n").unwrap();
        let missing = run_file(&test, &mut Plans::default());
        assert!(missing.failures[0].contains("there is no `nowhere.yaml` beside this test"), "{missing:?}");
        std::fs::write(&test, "```call\nplan: nowhere.yaml\nbut\n```\n").unwrap();
        let unreadable = run_file(&test, &mut Plans::default());
        assert!(unreadable.failures[0].contains("a.test.md:3: `but` is not one of"), "{unreadable:?}");
        assert!(!run_file(&folder.path().join("none.test.md"), &mut Plans::default()).failures.is_empty());
    }
}
