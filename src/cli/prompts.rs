//! `trunkline prompts PLAN`: everything a plan can say, and how long each takes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::app;
use crate::call::utter;
use crate::config::Config;
use crate::dialplan::load::load;
use crate::language::Language;

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
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let plan = match load(&args.plan) {
        Ok(loaded) => loaded.plan,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::FAILURE;
        }
    };
    let prompts = app::prompts(&config);
    let mut silent = false;
    let said =
        plan.steps.iter().flat_map(|step| step.kind.prompts().into_iter().map(|prompt| (step.name.as_str(), prompt)));
    for (step, prompt) in said {
        for (language, text) in &prompt.texts {
            match prompts.render(&utter(prompt, language)) {
                Ok(sound) => print(&Row { step, language, text, duration_ms: sound.duration_ms() }, args.json),
                Err(sentence) => {
                    eprintln!("step `{step}`: {sentence}");
                    silent = true;
                }
            }
        }
    }
    if silent { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

fn print(row: &Row<'_>, json: bool) {
    if json {
        println!("{}", serde_json::to_string(row).expect("a row of strings and a number is JSON"));
    } else {
        println!("{:<20} {:<6} {:>6.1} s  {}", row.step, row.language, row.duration_ms as f64 / 1000.0, row.text);
    }
}
