//! `trunkline test [PATHS]`: runs the conversations beside dial plans.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{complain, print};
use crate::simulate::coverage::Coverage;
use crate::simulate::runner::{self, FileReport, Plans};

mod aloud;

/// Run conversation tests (`*.test.md`) through the real call core.
#[derive(Debug, clap::Args)]
pub struct TestArgs {
    /// Test files, or folders to look for them in.
    #[arg(default_value = "dialplans")]
    pub paths: Vec<PathBuf>,
    /// Rewrite what the bot says and how calls end to what really happens (also: UPDATE=1).
    #[arg(long, conflicts_with = "audio")]
    pub update: bool,
    /// Only conversations whose heading holds this, in either case.
    #[arg(short = 'k', long, value_name = "WORDS", default_value = "")]
    pub filter: String,
    /// Say which steps, and which ways on from them, no conversation has tried.
    #[arg(long, conflicts_with = "audio")]
    pub coverage: bool,
    /// Fail when a conversation leaves any of them untried.
    #[arg(long, conflicts_with = "audio")]
    pub all_ways: bool,
    /// Files run side by side, the machine's cores if left out; with --audio calls, 4 if left out.
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<usize>,
    /// By voice.
    #[command(flatten)]
    pub aloud: aloud::AloudArgs,
}

/// What came of all files.
#[derive(Default)]
struct Tally {
    said: String,
    conversations: usize,
    failed: usize,
    broken: bool,
    coverage: Coverage,
}

/// Runs them, prints what failed and a last line that counts. Fails when anything did, or nothing was found.
pub fn run(args: &TestArgs) -> ExitCode {
    let update = args.update || std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let files = match find(&args.paths) {
        Ok(files) => files,
        Err(sentence) => {
            complain(&sentence);
            return ExitCode::from(2);
        }
    };
    if args.aloud.audio {
        return aloud::run(args, &files);
    }
    let mut result = Tally::default();
    for (file, report) in files.iter().zip(side_by_side(&files, args)) {
        take(file, report, args, update, &mut result);
    }
    if result.conversations == 0 && !args.filter.is_empty() && !result.broken {
        complain(&format_args!("no conversation's heading holds `{}`", args.filter));
        return ExitCode::from(2);
    }
    if args.coverage || args.all_ways {
        let here = std::env::current_dir().unwrap_or_default();
        for mut score in result.coverage.scores() {
            score.file = score.file.strip_prefix(&here).map_or(score.file.clone(), Path::to_owned);
            result.said.push_str(&format!("{score}\n"));
            result.broken |= args.all_ways && !score.is_whole();
        }
    }
    result.said.push_str(&summary(result.conversations, result.failed, update));
    result.said.push('\n');
    let printed = print(&result.said);
    if result.broken { ExitCode::FAILURE } else { printed }
}

/// The reports of `files`, in their order, each run by whichever core is free.
fn side_by_side(files: &[PathBuf], args: &TestArgs) -> Vec<FileReport> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.unwrap_or(cores).clamp(1, files.len().max(1));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut plans = Plans::default();
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(place) else { return done };
            done.push((place, runner::run_some(file, &mut plans, &args.filter)));
        }
    };
    let mut reports: Vec<(usize, FileReport)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a conversation never panics")).collect()
    });
    reports.sort_by_key(|(place, _)| *place);
    reports.into_iter().map(|(_, report)| report).collect()
}

fn take(file: &Path, report: FileReport, args: &TestArgs, update: bool, result: &mut Tally) {
    report.failures.iter().for_each(|failure| result.said.push_str(&format!("{failure}\n")));
    if report.conversations == 0 && report.failures.is_empty() && args.filter.is_empty() {
        result.said.push_str(&format!("{}: holds no conversation\n\n", file.display()));
        result.broken = true;
    }
    result.conversations += report.conversations;
    result.failed += report.failures.len().min(report.conversations);
    result.broken |= !report.failures.is_empty();
    result.coverage.merge(report.coverage);
    if let Some(updated) = report.updated.filter(|_| update)
        && let Err(error) = std::fs::write(file, updated)
    {
        complain(&format_args!("{}: cannot be rewritten: {error}", file.display()));
        result.broken = true;
    }
}

/// The test files that `paths` name, all of them before the first is run; or what is wrong with the naming.
fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in paths {
        let place = path.display();
        if !path.exists() {
            return Err(format!("{place}: does not exist"));
        }
        if !path.is_dir() && !is_test(path) {
            return Err(format!("{place}: is no conversation test; give a `*.test.md`, or a folder of them"));
        }
        let found = runner::find(path).map_err(|error| format!("{place}: cannot be read: {error}"))?;
        if found.is_empty() {
            return Err(format!("{place}: holds no conversations; they live in files named `*.test.md` beside a plan"));
        }
        files.extend(found);
    }
    Ok(files)
}

fn is_test(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".test.md")
}

fn summary(conversations: usize, failed: usize, update: bool) -> String {
    let passed = conversations - failed;
    match (failed, update) {
        (0, _) => format!("{conversations} conversations, {passed} passed"),
        (_, false) => format!("{conversations} conversations, {passed} passed, {failed} failed"),
        (_, true) => format!("{conversations} conversations, {passed} passed, {failed} rewritten: read the difference"),
    }
}
