//! `trunkline prompts PLAN`: everything a plan can say, and how long each takes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::{complain, unwritten};
use crate::app;
use crate::call::utter;
use crate::config::Config;
use crate::dialplan::load::load;
use crate::dialplan::plan::Plan;
use crate::language::Language;
use crate::speech::prompts::Prompts;

/// List everything a plan can say, and how long each takes
#[derive(Args, Debug)]
pub struct PromptsArgs {
    /// The dial plan
    plan: PathBuf,
    /// Settings: they name the voice and where rendered prompts are kept
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// One prompt of one step.
#[derive(Serialize)]
struct Row<'a> {
    step: &'a str,
    language: &'a Language,
    text: &'a str,
    duration_ms: u64,
}

/// Runs the command. 0: listed; 1: the plan is broken; 2: settings are wrong or a prompt makes no sound.
pub fn run(args: PromptsArgs) -> ExitCode {
    let config = match Config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    let plan = match load(&args.plan) {
        Ok(loaded) => loaded.plan,
        Err(problems) => {
            complain(&problems);
            return ExitCode::FAILURE;
        }
    };
    match list(&plan, &app::prompts(&config), args.json, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => unwritten(&error),
    }
}

/// Writes each prompt as soon as it is rendered. Has every one a sound?
fn list(plan: &Plan, prompts: &Prompts, json: bool, out: &mut impl Write) -> io::Result<bool> {
    let mut all_sound = true;
    let said =
        plan.steps.iter().flat_map(|step| step.kind.prompts().into_iter().map(|prompt| (step.name.as_str(), prompt)));
    for (step, prompt) in said {
        for (language, text) in &prompt.texts {
            match prompts.render(&utter(prompt, language)) {
                Ok(sound) => write(&Row { step, language, text, duration_ms: sound.duration_ms() }, json, out)?,
                Err(sentence) => {
                    complain(&format_args!("step `{step}`: {sentence}"));
                    all_sound = false;
                }
            }
        }
    }
    Ok(all_sound)
}

fn write(row: &Row<'_>, json: bool, out: &mut impl Write) -> io::Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string(row).expect("a row of strings and a number is JSON"))
    } else {
        let seconds = row.duration_ms as f64 / 1000.0;
        writeln!(out, "{:<20} {:<6} {seconds:>6.1} s  {}", row.step, row.language, row.text)
    }
}
