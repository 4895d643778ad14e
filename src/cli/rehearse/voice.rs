//! `trunkline try PLAN --mic`: the same by voice, with the microphone and loudspeaker of this machine.

use std::io::{BufRead as _, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::show::describe;
use crate::app::handset::{self, Handset, sound_card::SoundCard};
use crate::call::TimelineEvent;
use crate::cli::{complain, harmless};
use crate::config::{Config, LogConfig};
use crate::observe;
use crate::rtp::Digit;
use crate::simulate::transcript::{print_end, print_line};
use crate::time::SystemClock;

/// Events that may wait to be shown: a call makes a few a second.
const EVENTS: usize = 256;
/// Keys that may wait to be pressed: a line of them.
const KEYS: usize = 64;

/// Holds the call. Keys are typed, a line at a time; Ctrl-C hangs up.
pub fn run(plan: &Path, config: Option<&Path>) -> ExitCode {
    match talk(plan, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

fn talk(plan: &Path, config: Option<&Path>) -> Result<(), String> {
    let config = Config::load_without_passwords(config).map_err(|error| error.to_string())?;
    // The conversation is on standard output; the log must not talk into it, and errors still must be seen.
    observe::init(&LogConfig { level: "warn".to_owned(), ..config.log.clone() }).map_err(|error| error.to_string())?;
    let card = SoundCard::open()?;
    let (keys_in, keys) = mpsc::channel(KEYS);
    // Waits for a line for ever, and so is no task: the program does not wait for it.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            for key in line.trim().chars().filter_map(Digit::new) {
                if keys_in.blocking_send(key).is_err() {
                    return;
                }
            }
        }
    });
    println(&format!("Listening to {}. Use headphones: a loudspeaker interrupts itself.", harmless(card.name())))?;
    println("Type keys and Enter to press them, Ctrl-C to hang up.\n")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start worker threads: {error}"))?;
    let done = runtime.block_on(show_while(config, plan, Box::new(card), keys));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    done
}

async fn show_while(
    config: Config,
    plan: &Path,
    card: Box<dyn Handset>,
    keys: mpsc::Receiver<Digit>,
) -> Result<(), String> {
    let (watch, mut events) = mpsc::channel(EVENTS);
    let mut call = Box::pin(handset::rehearse(config, plan, card, keys, watch, Arc::new(SystemClock)));
    let record = loop {
        tokio::select! {
            Some(event) = events.recv() => show(&event)?,
            ended = &mut call => break ended.map_err(|error| error.to_string())?,
        }
    };
    while let Ok(event) = events.try_recv() {
        show(&event)?;
    }
    println(&print_line("end", &print_end(&record.end, record.result.as_deref())))
}

fn show(event: &TimelineEvent) -> Result<(), String> {
    match event {
        TimelineEvent::BotSaid { text, .. } => println(&print_line("bot", &harmless(text))),
        TimelineEvent::Replied { latency } => {
            println(&print_line("", &format!("({:.0} ms after your last word)", latency.total_ms)))
        }
        event => describe(event).map_or(Ok(()), |line| println(&print_line("", &harmless(&line)))),
    }
}

fn println(line: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| format!("cannot write: {error}"))
}
