//! `trunkline campaign check`: can this campaign be run?

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::check::{self, Format};

/// `trunkline campaign check`
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Campaigns, or folders of them
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// One line per finding, `file:line:column  sentence`
    #[arg(long)]
    plain: bool,
    /// `json`: one JSON object a finding
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Checks them, as `trunkline check` does.
pub fn run(args: &CheckArgs) -> ExitCode {
    check::run(&check::CheckArgs {
        paths: args.files.clone(),
        plain: args.plain,
        format: args.format,
        deny_warnings: false,
    })
}
