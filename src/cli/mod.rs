//! The `trunkline` command line: one file per command, each with its `Args` and `run(args) -> ExitCode`.
//!
//! A command ends with 0 when it did what was asked, 1 when it could not and has said why, 2 when it was asked wrongly
//! (clap's own).

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod agents;
pub mod call;
pub mod calls;
pub mod campaign;
pub mod check;
pub mod doctor;
mod gateway;
pub mod grammar;
pub mod graph;
pub mod hear;
pub mod import;
pub mod models;
pub mod plans;
pub mod prompts;
pub mod rehearse;
pub mod say;
pub mod serve;
pub mod suppress;
pub mod test_plans;
pub mod transfer;
pub mod understand;

/// An open-source voice IVR: callers say what they want, and are understood on your own box
#[derive(Debug, Parser)]
#[command(name = "trunkline", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// A new command is a line here, one in [`main`] and a file.
#[derive(Debug, Subcommand)]
enum Command {
    /// Answer calls until told to stop
    Serve(serve::ServeArgs),
    /// Check dial plans: what is wrong, where, and what to do about it
    Check(check::CheckArgs),
    /// Run the conversations written beside dial plans
    Test(test_plans::TestArgs),
    /// Talk to a dial plan in text
    Try(rehearse::TryArgs),
    /// List everything a plan can say, and how long each takes
    Prompts(prompts::PromptsArgs),
    /// Draw a plan as a picture, with what callers did in it
    Graph(graph::GraphArgs),
    /// Make a plan of VoiceXML documents or an Asterisk dialplan, and report what did not become part of it
    Import(import::ImportArgs),
    /// Recognise recordings as a call would hear them
    Hear(hear::HearArgs),
    /// Speak a text into a WAV file, as prompts are spoken
    Say(say::SayArgs),
    /// Try a grammar: what words mean to it, what it hears
    Grammar(grammar::GrammarArgs),
    /// Measure how well callers are understood
    Understand(understand::UnderstandArgs),
    /// Speech models: what is known, what is here
    Models(models::ModelsArgs),
    /// Call somebody and let a plan talk to them; the exit code says what came of it
    Call(call::CallArgs),
    /// Send the far end of a live call on to somebody else
    Transfer(transfer::TransferArgs),
    /// What happened: the latest calls, or one of them whole
    Calls(calls::Args),
    /// Dial plans of the running gateway: versions, calls on each; put an earlier one back
    Plans(plans::PlansArgs),
    /// Agents of the running gateway: what they are doing, who waits; send one away, or back
    Agents(agents::AgentsArgs),
    /// Whom not to call: lists kept elsewhere, numbers closed by hand, and what callers asked for
    Suppress(suppress::SuppressArgs),
    /// Campaigns: try the law in a made-up world
    Campaign(campaign::CampaignArgs),
    /// Would calls be served? What is wrong, and what to do about it
    Doctor(doctor::DoctorArgs),
    /// Which version this is
    Version,
}

/// Reads the command line and does it.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Check(args) => check::run(&args),
        Command::Test(args) => test_plans::run(&args),
        Command::Try(args) => rehearse::run(&args),
        Command::Prompts(args) => prompts::run(args),
        Command::Graph(args) => graph::run(&args),
        Command::Import(args) => import::run(args),
        Command::Hear(args) => hear::run(args),
        Command::Say(args) => say::run(args),
        Command::Grammar(args) => grammar::run(&args),
        Command::Understand(args) => understand::run(&args),
        Command::Models(args) => models::run(args),
        Command::Call(args) => call::run(args),
        Command::Transfer(args) => transfer::run(args),
        Command::Calls(args) => calls::run(args),
        Command::Plans(args) => plans::run(&args),
        Command::Agents(args) => agents::run(&args),
        Command::Suppress(args) => suppress::run(args),
        Command::Campaign(args) => campaign::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Version => print(concat!("trunkline ", env!("CARGO_PKG_VERSION"), "\n")),
    }
}

/// Why a command that writes as it goes ends early.
#[derive(Debug)]
pub enum Halt {
    /// It could not be done.
    Failed(String),
    /// The answer could not be written.
    Unwritten(io::Error),
}

impl From<String> for Halt {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Unwritten(error)
    }
}

/// Writes to standard output.
pub fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unwritten(&error),
    }
}

/// Ends a command whose answer could not be written to its end. Whoever reads may stop early
/// (`trunkline calls | head`): that is no failure.
pub fn unwritten(error: &io::Error) -> ExitCode {
    match error.kind() {
        io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        _ => fail(&format!("cannot write: {error}")),
    }
}

/// Says why it could not be done.
pub fn fail(why: &dyn Display) -> ExitCode {
    note(why);
    ExitCode::FAILURE
}

/// Says something beside the answer, on standard error.
pub fn note(what: &dyn Display) {
    complain(&format_args!("trunkline: {what}"));
}

/// Says what begins with a place of its own (`FILE:LINE  …`) on standard error.
pub fn complain(what: &dyn Display) {
    // Nobody is left to be told when even this fails.
    let _ = writeln!(io::stderr(), "{}", what.to_string().trim_end());
}

/// Text from far away, fit for a terminal: what would move the cursor, colour the screen or turn the direction of
/// writing is shown as `�`.
pub fn harmless(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn only_a_reader_that_left_makes_an_unwritten_answer_no_failure() {
        let ended = |kind: io::ErrorKind| format!("{:?}", unwritten(&kind.into()));
        assert_eq!(ended(io::ErrorKind::BrokenPipe), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(ended(io::ErrorKind::StorageFull), format!("{:?}", ExitCode::FAILURE));
    }

    #[test]
    fn text_from_far_away_cannot_drive_the_terminal() {
        assert_eq!(harmless("\u{1b}[31mred\u{7}\n\u{202e}gpj"), "�[31mred��gpj".replace("��gpj", "���gpj"));
        assert_eq!(harmless("您好, “hello” — 1"), "您好, “hello” — 1");
    }
}
