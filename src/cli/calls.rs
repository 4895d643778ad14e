//! `trunkline calls`: what happened. Reads the database only, so it may run beside `trunkline serve`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::{complain, fail, harmless, note, print};
use crate::call::record::CallEnd;
use crate::config::{Config, ConfigError};
use crate::store::spool::Spool;
use crate::store::sqlite::SqliteStore;
use crate::store::{CallFilter, CallSummary, DATABASE_FILE, Store as _, StoreError};
use crate::time::{Clock as _, SystemClock};

mod ladder;
mod live;
mod outcomes;
mod timeline;

/// `trunkline calls`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// List at most so many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
    /// Only calls since then: `2h`, `3d`, `today`, `yesterday`, `2026-01-31`, `2026-01-31T18:00`
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Who is on the line now, instead of what happened
    #[arg(long, conflicts_with_all = ["since", "data"])]
    live: bool,
    /// For machines
    #[arg(long, global = true)]
    json: bool,
    /// Settings that say where the data is [default: trunkline.toml, if there is one]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory itself
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "config")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One call whole: what was said and heard, when, and how long the caller waited
    Show {
        /// Its id, or the beginning of it
        id: String,
        /// Its SIP instead, message by message, to be laid beside somebody else's trace
        #[arg(long)]
        ladder: bool,
    },
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallsError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("--since {0:?} is not a time; write it like 2h, 3d, today, 2026-01-31 or 2026-01-31T18:00")]
    Since(String),
    #[error("{0}")]
    Unanswered(String),
    #[error("cannot start: {0}")]
    Runtime(#[from] std::io::Error),
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Lists calls, or shows one.
pub fn run(args: Args) -> ExitCode {
    if args.live {
        let asked = Config::load_without_passwords(args.config.as_deref()).map_err(CallsError::from);
        let told = asked.and_then(|config| live::render(&config.control_socket(), args.json, &TimeZone::system()));
        return match told {
            Ok(text) => print(&text),
            Err(error) => failed(&error),
        };
    }
    let answered = data_dir(&args).and_then(|data_dir| {
        let waiting = Spool::of(&data_dir).waiting();
        if waiting > 0 {
            let folder = Spool::of(&data_dir).folder().display().to_string();
            note(&format!("not counting {waiting} that wait in {folder} for the database; its log says why"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(answer(&args, &data_dir, &TimeZone::system(), SystemClock.now().wall))
    });
    match answered {
        Ok(text) => print(&text),
        Err(error) => failed(&error),
    }
}

/// 2 where the settings are wrong, as everywhere; else 1.
fn failed(error: &CallsError) -> ExitCode {
    match error {
        CallsError::Config(_) => {
            complain(error);
            ExitCode::from(2)
        }
        _ => fail(error),
    }
}

fn data_dir(args: &Args) -> Result<PathBuf, CallsError> {
    match &args.data {
        Some(folder) => Ok(folder.clone()),
        None => Ok(Config::load_without_passwords(args.config.as_deref())?.data_dir),
    }
}

async fn answer(args: &Args, data_dir: &Path, zone: &TimeZone, now: Timestamp) -> Result<String, CallsError> {
    let since = args.since.as_deref().map(|text| parse_since(text, zone, now)).transpose()?;
    let store = SqliteStore::open_read_only(&data_dir.join(DATABASE_FILE)).await?;
    let answer = match &args.what {
        Some(What::Show { id, ladder }) => {
            let record = store.get(id).await?;
            match (args.json, ladder) {
                (false, false) => timeline::render(&record, zone),
                (false, true) => ladder::render(&record),
                (true, false) => json(&record)?,
                (true, true) => json(&record.ladder)?,
            }
        }
        None => {
            let calls = store.list(&CallFilter { limit: args.limit, since }).await?;
            if args.json { json(&calls)? } else { table(&calls, zone) }
        }
    };
    store.close().await;
    Ok(answer)
}

fn json(value: &impl serde::Serialize) -> Result<String, CallsError> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// `now` and `zone` give meaning to "today" and to times without an offset.
pub(super) fn parse_since(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, CallsError> {
    let wrong = || CallsError::Since(text.to_owned());
    let today = now.to_zoned(zone.clone()).start_of_day().map_err(|_| wrong())?;
    let trimmed = text.trim();
    if trimmed == "today" {
        return Ok(today.timestamp());
    }
    if trimmed == "yesterday" {
        return today.checked_sub(1.day()).map(|day| day.timestamp()).map_err(|_| wrong());
    }
    if let Some(ago) = parse_ago(trimmed) {
        return now.checked_sub(ago).map_err(|_| wrong());
    }
    if let Ok(moment) = trimmed.parse::<Timestamp>() {
        return Ok(moment);
    }
    let civil = trimmed.replace(' ', "T").parse::<jiff::civil::DateTime>().map_err(|_| wrong())?;
    civil.to_zoned(zone.clone()).map(|moment| moment.timestamp()).map_err(|_| wrong())
}

/// `90s`, `15m`, `2h`, `3d`
fn parse_ago(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count = text.strip_suffix(unit)?.parse::<u32>().ok()?;
    Some(SignedDuration::from_secs(i64::from(count) * seconds))
}

const HEADINGS: [&str; 7] = ["CALL", "WHEN", "FROM", "PLAN", "END", "LASTED", "TURNS"];

fn table(calls: &[CallSummary], zone: &TimeZone) -> String {
    if calls.is_empty() {
        return "No calls.\n".to_owned();
    }
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(calls.iter().map(|call| row(call, zone)));
    let widths: [usize; 7] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            // Amounts stand at the right.
            5 | 6 => format!("{cell:>width$}"),
            _ => format!("{cell:<width$}"),
        });
        text.push_str(&cells.collect::<Vec<_>>().join("  "));
        text.push('\n');
    }
    text
}

fn row(call: &CallSummary, zone: &TimeZone) -> [String; 7] {
    [
        call.id.to_string(),
        call.arrived_at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        number(call.caller.reveal()),
        harmless(&call.plan),
        ending(&call.end, call.result.as_deref()),
        call.answered_at.map_or_else(|| "–".to_owned(), |answered| lasted(answered, call.ended_at)),
        call.turns.to_string(),
    ]
}

/// A number as the record keeps it; the operator of the gateway may see it.
fn number(kept: &str) -> String {
    if kept.is_empty() { "unknown".to_owned() } else { harmless(kept) }
}

/// `0:31`, `1:02:03`
fn lasted(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs().max(0);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// How it ended, in a few words, and what it achieved.
fn ending(end: &CallEnd, result: Option<&str>) -> String {
    let end = match end {
        CallEnd::Completed => "completed".to_owned(),
        CallEnd::CallerHungUp => "they hung up".to_owned(),
        CallEnd::Cancelled => "given up before we answered".to_owned(),
        CallEnd::Rejected(status) => format!("refused with {status}"),
        CallEnd::Refused(status) => format!("they refused with {status}"),
        CallEnd::NoAnswer => "nobody answered".to_owned(),
        CallEnd::Unreachable(None) => "no way there took the call".to_owned(),
        CallEnd::Unreachable(Some(why)) => format!("unreachable: {}", harmless(why)),
        CallEnd::Transferred => "sent on to somebody else".to_owned(),
        CallEnd::Expired => "the far end was gone without a word".to_owned(),
        CallEnd::Interrupted => "ended by hand".to_owned(),
        CallEnd::NoAck => "our answer was never acknowledged".to_owned(),
        CallEnd::NoMedia => "no sound came".to_owned(),
        CallEnd::Drained => "ended by our shutdown".to_owned(),
        CallEnd::Failed(why) => format!("failed: {}", harmless(why)),
    };
    match result {
        Some(result) => format!("{end}: {}", harmless(result)),
        None => end,
    }
}

#[cfg(test)]
mod tests;
