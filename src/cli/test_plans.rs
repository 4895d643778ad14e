//! `trunkline test [PATHS]`: runs the conversations beside dial plans.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{complain, print};
use crate::simulate::runner::{self, Plans};

/// Run conversation tests (`*.test.md`) through the real call core.
#[derive(Debug, clap::Args)]
pub struct TestArgs {
    /// Test files, or folders to look for them in.
    #[arg(default_value = "dialplans")]
    pub paths: Vec<PathBuf>,
    /// Rewrite what the bot says and how calls end to what really happens (also: UPDATE=1).
    #[arg(long)]
    pub update: bool,
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
    let mut plans = Plans::default();
    let mut said = String::new();
    let (mut conversations, mut failed, mut broken) = (0, 0, false);
    for file in files {
        let report = runner::run_file(&file, &mut plans);
        report.failures.iter().for_each(|failure| said.push_str(&format!("{failure}\n")));
        if report.conversations == 0 && report.failures.is_empty() {
            said.push_str(&format!("{}: holds no conversation\n\n", file.display()));
            broken = true;
        }
        conversations += report.conversations;
        failed += report.failures.len().min(report.conversations);
        broken |= !report.failures.is_empty();
        if let Some(updated) = report.updated.filter(|_| update)
            && let Err(error) = std::fs::write(&file, updated)
        {
            complain(&format_args!("{}: cannot be rewritten: {error}", file.display()));
            broken = true;
        }
    }
    said.push_str(&summary(conversations, failed, update));
    said.push('\n');
    let printed = print(&said);
    if broken { ExitCode::FAILURE } else { printed }
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
