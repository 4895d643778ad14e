//! `trunkline prompts PLAN`: everything a plan can say, and how long each takes.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::{complain, unwritten};
use crate::app;
use crate::audio::wav::write_mono;
use crate::config::Config;
use crate::dialplan::load::load;
use crate::dialplan::plan::Plan;
use crate::dialplan::template::without_braces;
use crate::language::Language;
use crate::speech::Utter;
use crate::speech::prompts::Prompts;
use crate::spoken::markup;

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
    /// Also write each to a WAV file in this folder, to be listened to before callers do
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
}

/// One prompt of one step.
#[derive(Serialize)]
struct Row<'a> {
    step: &'a str,
    language: &'a Language,
    text: &'a str,
    duration_ms: u64,
    /// Where its sound was written, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

/// Runs the command. 0: listed; 1: the plan is broken; 2: settings are wrong or a prompt makes no sound.
pub fn run(args: PromptsArgs) -> ExitCode {
    let config = match Config::load_without_passwords(args.config.as_deref()) {
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
    if let Some(folder) = &args.save
        && let Err(error) = fs::create_dir_all(folder)
    {
        complain(&format_args!("the folder {} cannot be made: {error}", folder.display()));
        return ExitCode::from(2);
    }
    match list(&plan, &app::prompts(&config), &args, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => unwritten(&error),
    }
}

/// Writes each prompt as soon as it is rendered. Has every one a sound, and a file where files are wanted?
fn list(plan: &Plan, prompts: &Prompts, args: &PromptsArgs, out: &mut impl Write) -> io::Result<bool> {
    let mut all_sound = true;
    for step in &plan.steps {
        for (place, prompt) in step.prompts().into_iter().enumerate() {
            for (language, text) in &prompt.texts {
                let file = args.save.as_ref().map(|folder| folder.join(file_name(&step.name, place, language)));
                let utter = Utter {
                    text: markup::in_words(&without_braces(text), language, jiff::civil::Date::default()),
                    language: language.clone(),
                    file: prompt.files.get(language).cloned(),
                };
                let sound = prompts.render(&utter).and_then(|sound| {
                    let kept = file.as_ref().map_or(Ok(()), |file| write_mono(file, &sound));
                    kept.map(|()| sound).map_err(|error| error.to_string())
                });
                match sound {
                    Ok(sound) => {
                        let duration_ms = sound.duration_ms();
                        write(&Row { step: &step.name, language, text, duration_ms, file }, args.json, out)?;
                    }
                    Err(sentence) => {
                        complain(&format_args!("step `{}`: {sentence}", step.name));
                        all_sound = false;
                    }
                }
            }
        }
    }
    Ok(all_sound)
}

/// `main-1.en-US.wav`: the step, which of its prompts (from 1), the language.
fn file_name(step: &str, place: usize, language: &Language) -> String {
    format!("{step}-{}.{language}.wav", place + 1)
}

fn write(row: &Row<'_>, json: bool, out: &mut impl Write) -> io::Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string(row).expect("a row of strings and a number is JSON"))
    } else {
        let seconds = row.duration_ms as f64 / 1000.0;
        writeln!(out, "{:<20} {:<6} {seconds:>6.1} s  {}", row.step, row.language, row.text)
    }
}
