//! `trunkline test [PATHS]`: runs the conversations beside dial plans.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::print;
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
    let mut plans = Plans::default();
    let mut said = String::new();
    let (mut conversations, mut failed, mut broken) = (0, 0, false);
    for path in &args.paths {
        let files = match runner::find(path) {
            Ok(files) => files,
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                return ExitCode::from(2);
            }
        };
        for file in files {
            let report = runner::run_file(&file, &mut plans);
            report.failures.iter().for_each(|failure| said.push_str(&format!("{failure}\n")));
            conversations += report.conversations;
            failed += report.failures.len().min(report.conversations);
            broken |= !report.failures.is_empty();
            if let Some(updated) = report.updated.filter(|_| update)
                && let Err(error) = std::fs::write(&file, updated)
            {
                eprintln!("{}: cannot be rewritten: {error}", file.display());
                broken = true;
            }
        }
    }
    said.push_str(&summary(conversations, failed, update));
    said.push('\n');
    let printed = print(&said);
    if conversations == 0 {
        eprintln!("no conversations found; they live in files named `….test.md` beside a plan");
    }
    if broken || conversations == 0 { ExitCode::FAILURE } else { printed }
}

fn summary(conversations: usize, failed: usize, update: bool) -> String {
    let passed = conversations - failed;
    match (failed, update) {
        (0, _) => format!("{conversations} conversations, {passed} passed"),
        (_, false) => format!("{conversations} conversations, {passed} passed, {failed} failed"),
        (_, true) => format!("{conversations} conversations, {passed} passed, {failed} rewritten: read the difference"),
    }
}
