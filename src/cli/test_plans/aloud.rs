//! `trunkline test --audio`: the conversations as real calls, over SIP and RTP, with synthesised callers.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::super::{complain, harmless, print};
use super::TestArgs;
use crate::app::{Manner, Theatre};
use crate::config::{Config, LogConfig};
use crate::dialplan::plan::Plan;
use crate::observe;
use crate::simulate::aloud::part::{Part, Unplayable};
use crate::simulate::aloud::person::Recalled;
use crate::simulate::aloud::tally::{Played, Tally};
use crate::simulate::runner::Plans;
use crate::simulate::transcript;

/// Calls at once: they take real time, and little else.
const JOBS: usize = 4;

/// What only `--audio` knows.
#[derive(Debug, clap::Args)]
pub struct AloudArgs {
    /// Play them as real calls: SIP and RTP on loopback, a synthesised caller, the recogniser
    #[arg(long)]
    pub audio: bool,
    /// The English callers' voices, of flite's (`flite -lv`): a line that is said again is said by the next
    #[arg(long, value_name = "NAMES", default_value = "rms,awb,slt", value_delimiter = ',', requires = "audio")]
    pub voice: Vec<String>,
    /// Noise on the callers' lines, so many decibels below their voices
    #[arg(long, value_name = "DB", requires = "audio", value_parser = clap::value_parser!(u8).range(0..=60))]
    pub noise: Option<u8>,
    /// Which noise: the same number makes the same
    #[arg(long, value_name = "N", default_value_t = 1, requires = "audio")]
    pub seed: u64,
    /// Keep what each caller heard (left) and said (right) as WAV files in this folder
    #[arg(long, value_name = "FOLDER", requires = "audio")]
    pub keep: Option<PathBuf>,
    /// Settings, for models and the bot's voice; without it `trunkline.toml` here if there is one, else defaults
    #[arg(short, long, value_name = "FILE", requires = "audio")]
    pub config: Option<PathBuf>,
}

/// One conversation to be played.
struct Play {
    file: PathBuf,
    part: Part,
    plan: Arc<Plan>,
}

/// What is to be done with the conversations of all files.
#[derive(Default)]
struct Bill {
    plays: VecDeque<Play>,
    /// File, line, heading and reason of those that cannot be played.
    left_out: Vec<(String, Unplayable)>,
    broken: Vec<String>,
}

/// Plays the conversations of `files`. 0: all went as written; 1: one did not; 2: none could be played.
pub(super) fn run(args: &TestArgs, files: &[PathBuf]) -> ExitCode {
    let config = match Config::load_without_passwords(args.aloud.config.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    // Refusing it twice would need two subscribers: a command runs once.
    let _ = observe::init(&LogConfig { level: "error".to_owned(), ..config.log.clone() });
    if let Some(folder) = &args.aloud.keep
        && let Err(error) = std::fs::create_dir_all(folder)
    {
        complain(&format_args!("{}: cannot be made: {error}", folder.display()));
        return ExitCode::from(2);
    }
    let bill = bill(args, files);
    if bill.plays.is_empty() && bill.left_out.is_empty() && bill.broken.is_empty() {
        complain(&format_args!("no conversation's heading holds `{}`", args.filter));
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format_args!("cannot start worker threads: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(play_all(config, args, bill));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    ended.unwrap_or_else(|why| {
        complain(&why);
        ExitCode::from(2)
    })
}

/// Reads every file, and holds every conversation in text: that tells what its caller has to do.
fn bill(args: &TestArgs, files: &[PathBuf]) -> Bill {
    let (mut bill, mut plans) = (Bill::default(), Plans::default());
    let wanted = args.filter.to_lowercase();
    for file in files {
        let place = file.display();
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                bill.broken.push(format!("{place}: cannot be read: {error}"));
                continue;
            }
        };
        let scripts = transcript::parse(&text).unwrap_or_else(|wrong| {
            bill.broken.extend(wrong.iter().map(|wrong| format!("{place}:{}: {}", wrong.line, wrong.message)));
            Vec::new()
        });
        for script in scripts.iter().filter(|script| script.name.to_lowercase().contains(&wanted)) {
            let title = format!("{place}:{}: {}", script.line, script.name);
            match plans.load(&script.header.plan, file) {
                Ok(plan) => match Part::of(script, &plan) {
                    Ok(part) => bill.plays.push_back(Play { file: file.clone(), part, plan }),
                    Err(Unplayable::FailsInText) => bill.broken.push(format!("{title}: {}", Unplayable::FailsInText)),
                    Err(why) => bill.left_out.push((title, why)),
                },
                Err(why) => bill.broken.push(format!("{title}\n{why}")),
            }
        }
    }
    bill
}

async fn play_all(config: Config, args: &TestArgs, mut bill: Bill) -> Result<ExitCode, String> {
    let AloudArgs { voice, noise, seed, keep, .. } = &args.aloud;
    let noise_db = noise.map(f32::from);
    let manner = Manner { voices: voice.clone(), noise_db, seed: *seed, keep: keep.clone() };
    let theatre = Arc::new(Theatre::open(config, manner).await.map_err(|error| error.to_string())?);
    let mut plays = VecDeque::new();
    for play in bill.plays {
        match theatre.hears(&play.part.language) {
            Err(error) if play.part.speaks() => {
                let (title, language) = (title(&play.file, &play.part), play.part.language);
                bill.left_out.push((title, Unplayable::Deaf { language, why: error.to_string() }));
            }
            _ => plays.push_back(play),
        }
    }
    let mut tally = Tally::leaving_out(bill.left_out.len());
    let mut calls = JoinSet::new();
    let jobs = args.jobs.unwrap_or(JOBS).max(1);
    loop {
        while calls.len() < jobs
            && let Some(Play { file, part, plan }) = plays.pop_front()
        {
            let theatre = theatre.clone();
            calls.spawn(async move { (title(&file, &part), theatre.play(part, plan).await) });
        }
        match calls.join_next().await {
            Some(Ok((title, Ok(played)))) => {
                tally.add(&played);
                print(&told(&title, &played));
            }
            Some(Ok((title, Err(why)))) => bill.broken.push(format!("{title}: {why}")),
            Some(Err(_)) => bill.broken.push("a conversation ended by a bug of ours".to_owned()),
            None => break,
        }
    }
    if let Some(theatre) = Arc::into_inner(theatre) {
        theatre.close().await;
    }
    for (title, why) in &bill.left_out {
        print(&format!("left {title}: {why}\n"));
    }
    bill.broken.iter().for_each(|broken| complain(broken));
    print(&format!("\n{tally}"));
    Ok(match (tally.failed > 0 || !bill.broken.is_empty(), tally.passed) {
        (true, _) => ExitCode::FAILURE,
        (false, 0) => {
            complain(&"trunkline: no conversation could be played; the reasons stand above");
            ExitCode::from(2)
        }
        (false, _) => ExitCode::SUCCESS,
    })
}

fn title(file: &Path, part: &Part) -> String {
    format!("{}:{}: {}", file.display(), part.line, part.name)
}

/// What came of one: a line, and one for each thing worth knowing.
fn told(title: &str, played: &Played) -> String {
    let mark = if played.passed() { "ok  " } else { "FAIL" };
    let mut text = format!("{mark} {title}  ({:.0} s)\n", played.lasted.as_secs_f64());
    for again in &played.report.again {
        let (what, said) = (if again.doubted { "was asked back" } else { "was said again" }, &again.said);
        let _ = match &again.heard {
            Recalled::Nothing => writeln!(text, "     {:>5}  {what}: heard nothing for \"{said}\"", again.line),
            Recalled::Secret => {
                writeln!(text, "     {:>5}  {what}: what was heard for \"{said}\" is secret", again.line)
            }
            Recalled::Words(heard) => {
                writeln!(text, "     {:>5}  {what}: heard \"{}\" for \"{said}\"", again.line, harmless(heard))
            }
            Recalled::Before => writeln!(text, "     {:>5}  {what}: \"{said}\", as it was asked anew", again.line),
        };
    }
    for (line, why) in &played.report.faults {
        let _ = writeln!(text, "!    {line:>5}  {}", harmless(why));
    }
    text
}
