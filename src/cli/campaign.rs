//! `trunkline campaign`: who is to be called, when, and whether that is allowed.

use std::process::ExitCode;

use clap::Subcommand;

mod prove;

/// `trunkline campaign`
#[derive(Debug, clap::Args)]
pub struct CampaignArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Try the law in a made-up world, and write down every decision for another program to judge
    Prove(prove::ProveArgs),
}

/// Does what was asked.
pub fn run(args: &CampaignArgs) -> ExitCode {
    match &args.what {
        What::Prove(args) => prove::run(args),
    }
}
