//! `trunkline call`: one call out, its conversation as it goes, and an exit code that says what came of it.
//!
//! Through the running gateway when there is one (its trunks are registered, its models warm), else by a gateway of its
//! own that lives as long as the call.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::{complain, harmless};
use crate::app;
use crate::app::control::{CallRequest, Request};
use crate::call::TimelineEvent;
use crate::call::disposition::Disposition;
use crate::call::record::{CallEnd, CallRecord};
use crate::config::Config;
use crate::observe;
use crate::pii::Pii;
use crate::simulate::transcript::{print_end, print_line};
use crate::time::SystemClock;

/// Exit codes: 0 answered, 3 busy, 4 no answer, 5 rejected, 6 no such number, 7 congestion, 8 interrupted, 9 answered by
/// a machine, 10 not called because the number is closed, 1 anything else, 2 asked wrongly
#[derive(Args, Debug)]
pub struct CallArgs {
    /// Whom: a SIP URI (sip:bob@192.0.2.7), or a number with --trunk
    #[arg(value_name = "URI")]
    to: String,
    /// The dial plan that talks to them
    #[arg(short, long, value_name = "FILE")]
    plan: PathBuf,
    /// Something known of them, for the plan's prompts: {{name}}. May be given again
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// Through this [[trunk]] of the settings
    #[arg(long, value_name = "NAME")]
    trunk: Option<String>,
    /// The number they see [default: the trunk's]
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// How long it may ring, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    ring: f64,
    /// Call them although their number is closed; it stays closed
    #[arg(long)]
    even_if_closed: bool,
    /// For machines: every event and the record, one JSON object a line
    #[arg(long)]
    json: bool,
    /// Settings; without it `trunkline.toml` here if there is one, else defaults
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("write it like name=Ada".to_owned()),
    }
}

/// Makes the call.
pub fn run(args: CallArgs) -> ExitCode {
    let config = match Config::load_without_passwords(args.config.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    let plan = match std::fs::canonicalize(&args.plan) {
        Ok(plan) => plan,
        Err(error) => {
            complain(&format_args!("the dial plan {} cannot be read: {error}", args.plan.display()));
            return ExitCode::from(2);
        }
    };
    let request = CallRequest {
        to: Pii::new(args.to),
        plan,
        trunk: args.trunk,
        from: args.from.map(Pii::new),
        ring_s: Some(args.ring),
        variables: args.variables.into_iter().map(|(name, value)| (name, Pii::new(value))).collect(),
        even_if_closed: args.even_if_closed,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format_args!("cannot start worker threads: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(place(&config, args.config.as_deref(), request, args.json));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match ended {
        Ok(record) => ExitCode::from(record.disposition.unwrap_or(Disposition::Failed).exit_code()),
        Err(Unmade::Closed(why)) => {
            complain(&why);
            ExitCode::from(CLOSED)
        }
        Err(Unmade::Failed(why)) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

/// The exit code of a call that was not made, and of a look-up that says why, because its number is closed.
pub(super) const CLOSED: u8 = 10;

/// Why there was no call.
enum Unmade {
    /// The number is closed.
    Closed(String),
    /// Anything else.
    Failed(String),
}

impl From<String> for Unmade {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// One line of what the gateway tells of a call.
enum Told {
    Event(TimelineEvent),
    Record(Box<CallRecord>),
    Closed(String),
    Error(String),
}

async fn place(config: &Config, file: Option<&Path>, request: CallRequest, json: bool) -> Result<CallRecord, Unmade> {
    let socket = config.control_socket();
    match UnixStream::connect(&socket).await {
        Ok(stream) => through_gateway(stream, request, json).await,
        // Another user's gateway: one of our own would not be registered, and would fight it for its ports.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Unmade::Failed(format!(
            "the gateway runs as somebody else ({}: {error}); call as that user, or as root",
            socket.display()
        ))),
        Err(_) => {
            let config = Config::load(file).map_err(|error| error.to_string())?;
            by_ourselves(config, request, json).await
        }
    }
}

/// Asks the gateway that runs here.
async fn through_gateway(stream: UnixStream, request: CallRequest, json: bool) -> Result<CallRecord, Unmade> {
    let gone = |error: io::Error| format!("the gateway is gone: {error}");
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_vec(&Request::Call(request)).map_err(|error| format!("cannot ask: {error}"))?;
    line.push(b'\n');
    write.write_all(&line).await.map_err(gone)?;
    let mut lines = BufReader::new(read).lines();
    let mut write = Some(write);
    loop {
        let line = tokio::select! {
            line = lines.next_line() => line.map_err(gone)?,
            // Our end of the line closes: the gateway hangs up and tells how it went.
            _ = tokio::signal::ctrl_c(), if write.is_some() => {
                drop(write.take());
                continue;
            }
        };
        let line = line.ok_or_else(|| "the gateway closed the connection before the call was over".to_owned())?;
        match read_line(&line)? {
            Some(Told::Event(event)) => show(&event, json),
            Some(Told::Record(record)) => return Ok(finish(*record, json)),
            Some(Told::Closed(why)) => return Err(Unmade::Closed(why)),
            Some(Told::Error(why)) => return Err(Unmade::Failed(why)),
            None => {}
        }
    }
}

fn read_line(line: &str) -> Result<Option<Told>, String> {
    let wrong = |_| "the gateway speaks another version of the control protocol; use the same trunkline".to_owned();
    let mut told: BTreeMap<String, Value> = serde_json::from_str(line).map_err(wrong)?;
    if let Some(event) = told.remove("event") {
        return serde_json::from_value(event).map(|event| Some(Told::Event(event))).map_err(wrong);
    }
    if let Some(record) = told.remove("record") {
        return serde_json::from_value(record).map(|record| Some(Told::Record(record))).map_err(wrong);
    }
    let is_closed = told.remove("closed") == Some(Value::Bool(true));
    Ok(told.remove("error").map(|why| {
        let why = why.as_str().unwrap_or("it does not say why").to_owned();
        if is_closed { Told::Closed(why) } else { Told::Error(why) }
    }))
}

/// No gateway runs here: we are one, for one call.
async fn by_ourselves(config: Config, request: CallRequest, json: bool) -> Result<CallRecord, Unmade> {
    // The conversation is on standard output; the log must not talk into it, and errors still must be seen.
    observe::init(&crate::config::LogConfig { level: "warn".to_owned(), ..config.log.clone() })
        .map_err(|error| error.to_string())?;
    let (watch, mut events) = mpsc::channel(256);
    let call = app::call_once(config, request, watch, Arc::new(SystemClock));
    tokio::pin!(call);
    loop {
        tokio::select! {
            Some(event) = events.recv() => show(&event, json),
            ended = &mut call => {
                while let Ok(event) = events.try_recv() {
                    show(&event, json);
                }
                return match ended {
                    Ok(record) => Ok(finish(record, json)),
                    Err(error @ app::AppError::Closed(_)) => Err(Unmade::Closed(error.to_string())),
                    Err(error) => Err(Unmade::Failed(error.to_string())),
                };
            }
        }
    }
}

/// A line of the live transcript. Whoever called may hear what is said, so it is shown as it is.
fn show(event: &TimelineEvent, json: bool) {
    if json {
        return print(&serde_json::json!({ "event": event }).to_string());
    }
    if let Some(line) = describe(event) {
        print(&line);
    }
}

fn describe(event: &TimelineEvent) -> Option<String> {
    let meant = |meaning: &Option<String>| meaning.as_deref().map_or("not understood".to_owned(), harmless);
    Some(match event {
        TimelineEvent::Ringing => print_line("...", "rings"),
        TimelineEvent::Answered => print_line("...", "answered"),
        TimelineEvent::Held => print_line("...", "on hold"),
        TimelineEvent::Resumed => print_line("...", "hold is over"),
        TimelineEvent::Consulting => print_line("...", "waits while somebody else is called"),
        TimelineEvent::TakenOver => print_line("...", "goes on at another telephone"),
        TimelineEvent::StandsBy => print_line("...", "stands by"),
        TimelineEvent::Waiting { group } => print_line("...", &format!("waits for an agent of {}", harmless(group))),
        TimelineEvent::Joined { agent: Some(agent) } => print_line("...", &format!("talks to {}", harmless(agent))),
        TimelineEvent::Joined { agent: None } => print_line("...", "talks to somebody else"),
        TimelineEvent::HandedBack { end } => print_line("...", &format!("is back ({})", harmless(end))),
        TimelineEvent::Transferring => print_line("...", "is being sent on"),
        TimelineEvent::TransferFailed { status } => print_line("...", &format!("could not be sent on ({status})")),
        TimelineEvent::BotSaid { text, .. } => print_line("bot", &harmless(text)),
        TimelineEvent::CallerSaid { heard, confidence, meaning, .. } => {
            let said = harmless(heard.reveal());
            print_line("them", &format!("{said}   ← {} ({confidence:.2})", meant(meaning)))
        }
        TimelineEvent::Keys { keys, meaning } => {
            print_line("keys", &format!("{}   ← {}", harmless(keys.reveal()), meant(meaning)))
        }
        TimelineEvent::NoInput => print_line("...", "said nothing"),
        TimelineEvent::Waits { step } => print_line("...", &format!("waits for step `{step}`")),
        TimelineEvent::PlanFault { step, why } => print_line("!!!", &format!("step `{step}`: {why}")),
        TimelineEvent::Replied { .. } | TimelineEvent::Ended { .. } => return None,
    })
}

fn finish(record: CallRecord, json: bool) -> CallRecord {
    if json {
        print(&serde_json::json!({ "record": record }).to_string());
    } else {
        // Whom we called is no caller.
        let end = match &record.end {
            CallEnd::CallerHungUp => "they hung up".to_owned(),
            end => harmless(&print_end(end, record.result.as_deref())),
        };
        let disposition = record.disposition.map_or("failed", Disposition::as_str);
        print(&print_line("end", &format!("{end}   [{disposition}]  {}", record.id)));
    }
    record
}

fn print(line: &str) {
    // Whoever reads may leave; the call goes on, its exit code still tells.
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_written_name_equals_value() {
        assert_eq!(variable("name=Ada Lovelace"), Ok(("name".into(), "Ada Lovelace".into())));
        assert_eq!(variable("sum=1+1=2"), Ok(("sum".into(), "1+1=2".into())));
        assert_eq!(variable("empty="), Ok(("empty".into(), String::new())));
        for wrong in ["name", "=Ada", ""] {
            assert!(variable(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_of_the_gateway_are_read_and_those_of_another_version_named() {
        assert!(matches!(read_line(r#"{"event":{"event":"ringing"}}"#), Ok(Some(Told::Event(TimelineEvent::Ringing)))));
        assert!(matches!(read_line(r#"{"error":"no"}"#), Ok(Some(Told::Error(why))) if why == "no"));
        let closed = read_line(r#"{"error":"no","closed":true}"#);
        assert!(matches!(closed, Ok(Some(Told::Closed(why))) if why == "no"));
        assert!(matches!(read_line(r#"{"call":"01"}"#), Ok(None)));
        for foreign in ["", "hello", r#"{"event":{"event":"sang"}}"#, r#"{"record":{}}"#] {
            assert!(read_line(foreign).is_err(), "{foreign}");
        }
    }

    #[test]
    fn what_the_far_end_says_cannot_drive_the_terminal() {
        let said = TimelineEvent::CallerSaid {
            heard: Pii::new("\u{1b}[2J".into()),
            confidence: 0.5,
            meaning: None,
            barge_in: false,
        };
        assert_eq!(describe(&said).unwrap(), "them �[2J   ← not understood (0.50)");
    }
}
