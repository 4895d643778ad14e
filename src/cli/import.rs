//! `trunkline import`: plans from what other systems run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::{complain, fail, note, print};
use crate::dialplan::diagnostic::Severity;
use crate::dialplan::load::load_str;
use crate::import::{ImportError, Imported, asterisk, vxml};

/// Something was left out.
const LEFT_OUT: u8 = 3;

/// Make a plan of what another system runs, and report every line that did not become part of it. Exit codes: 0 all of
/// it, 3 not all of it, 1 nothing
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// VoiceXML 2.0 and 2.1: a document and those it leads to, or a folder of them
    Vxml {
        /// The document in which calls begin, or the folder
        path: PathBuf,
        /// In a folder: the document in which calls begin [default: index, main, start… or the first]
        #[arg(long, value_name = "DOCUMENT")]
        start: Option<String>,
        /// The plan's language [default: the document's xml:lang, or en-US]
        #[arg(long, value_name = "TAG")]
        lang: Option<String>,
        #[command(flatten)]
        to: To,
    },
    /// Asterisk's extensions.conf
    Asterisk {
        /// The file
        path: PathBuf,
        /// The context in which calls begin [default: where calls from outside seem to]
        #[arg(long, value_name = "NAME")]
        context: Option<String>,
        /// Where the recordings lie that the dialplan plays
        #[arg(long, value_name = "DIR")]
        sounds: Option<PathBuf>,
        /// The plan's language
        #[arg(long, value_name = "TAG", default_value = "en-US")]
        lang: String,
        #[command(flatten)]
        to: To,
    },
}

#[derive(Debug, clap::Args)]
struct To {
    /// Write the plan here, instead of to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the report here, instead of to standard error
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Replace the files if they are there
    #[arg(long)]
    force: bool,
}

/// Imports.
pub fn run(args: ImportArgs) -> ExitCode {
    let (imported, to) = match args.from {
        From::Vxml { path, start, lang, to } => (vxml::import(&path, &vxml::Options { start, language: lang }), to),
        From::Asterisk { path, context, sounds, lang, to } => {
            (asterisk::import(&path, &asterisk::Options { context, sounds, language: lang }), to)
        }
    };
    match imported {
        Ok(imported) => finish(&imported, &to),
        Err(error @ (ImportError::Broken { .. } | ImportError::Unreadable { .. })) => {
            complain(&error);
            ExitCode::FAILURE
        }
        Err(error) => fail(&error),
    }
}

fn finish(imported: &Imported, to: &To) -> ExitCode {
    let name = to.output.as_deref().unwrap_or(Path::new("plan.yaml")).display().to_string();
    let warnings = match load_str(&name, &imported.plan) {
        Ok(loaded) => loaded.warnings.count(Severity::Warning),
        Err(found) => {
            complain(&found);
            return fail(&"a plan was made that does not hold: that is a bug of ours; the findings above say where");
        }
    };
    let written = match &to.output {
        Some(file) => write(file, &imported.plan, to.force),
        None => {
            let written = print(&imported.plan);
            if written == ExitCode::SUCCESS { Ok(()) } else { return written }
        }
    };
    let report: String = imported.notes.iter().map(ToString::to_string).collect();
    let written = written.and_then(|()| match &to.report {
        Some(file) => write(file, &report, to.force),
        None => {
            complain(&report);
            Ok(())
        }
    });
    if let Err(why) = written {
        return fail(&why);
    }
    let lost = imported.lost();
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    note(&format_args!(
        "{}; {} left out, {} to look at, {} of `trunkline check`",
        count(imported.steps, "step"),
        count(lost, "line"),
        count(imported.notes.len() - lost, "line"),
        count(warnings, "warning"),
    ));
    if lost > 0 { ExitCode::from(LEFT_OUT) } else { ExitCode::SUCCESS }
}

fn write(file: &Path, text: &str, force: bool) -> Result<(), String> {
    if file.exists() && !force {
        return Err(format!("{} is there already; --force replaces it", file.display()));
    }
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}
