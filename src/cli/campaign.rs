//! `trunkline campaign`: who is to be called, when, and whether that is allowed.

use std::process::ExitCode;

use clap::Subcommand;

mod check;
mod import;
mod prove;

/// `trunkline campaign`
#[derive(Debug, clap::Args)]
pub struct CampaignArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check campaigns, with their plans and rules: prints what is wrong, where, and what to do about it
    Check(check::CheckArgs),
    /// Read a call list: who can be called, and what is wrong with the others
    Import(import::ImportArgs),
    /// Try the law in a made-up world, and write down every decision for another program to judge
    Prove(prove::ProveArgs),
}

/// Does what was asked.
pub fn run(args: &CampaignArgs) -> ExitCode {
    match &args.what {
        What::Check(args) => check::run(args),
        What::Import(args) => import::run(args),
        What::Prove(args) => prove::run(args),
    }
}
