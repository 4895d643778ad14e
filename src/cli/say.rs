//! `trunkline say TEXT -o out.wav`: what a caller would hear.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::audio::{TELEPHONE_HZ, resample, wav};
use crate::language::Language;
use crate::speech::voices::SystemVoices;
use crate::speech::{Synthesizer as _, level};

/// Speak a text into a WAV file, as prompts are spoken
#[derive(Debug, Args)]
pub struct SayArgs {
    /// The words
    text: String,
    /// The WAV file to write
    #[arg(short, long)]
    output: PathBuf,
    /// In which language
    #[arg(long, default_value = "en-US", value_parser = Language::parse)]
    lang: Language,
    /// Samples per second
    #[arg(long, default_value_t = TELEPHONE_HZ)]
    rate: u32,
}

/// Runs the command. 0: written; 2: it could not be spoken or written.
pub fn run(args: SayArgs) -> ExitCode {
    match say(&args) {
        Ok(line) => super::print(&format!("{line}\n")),
        Err(sentence) => {
            super::complain(&format_args!("trunkline say: {sentence}"));
            ExitCode::from(2)
        }
    }
}

fn say(args: &SayArgs) -> Result<String, String> {
    let voices = SystemVoices::new();
    let spoken = voices.synthesize(&args.text, &args.lang).map_err(|error| error.to_string())?;
    let mut sound = resample(&spoken, args.rate).map_err(|error| error.to_string())?;
    level::to_prompt_level(&mut sound);
    wav::write_mono(&args.output, &sound).map_err(|error| error.to_string())?;
    let (file, seconds) = (args.output.display(), sound.duration().as_secs_f64());
    Ok(format!("{file}  {seconds:.2} s at {} Hz, voice {}", args.rate, voices.voice(&args.lang)))
}
