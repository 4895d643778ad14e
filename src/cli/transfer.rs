//! `trunkline transfer`: sends the far end of a live call on to somebody else, and says how it went.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::{complain, harmless};
use crate::app::control::{Attended, Request};
use crate::call::TimelineEvent;
use crate::call::record::CallEnd;
use crate::config::Config;
use crate::pii::Pii;

/// Exit codes: 0 sent on, 1 not (the caller is still with the plan, or has hung up), 2 asked wrongly
#[derive(Args, Debug)]
pub struct TransferArgs {
    /// The call: its id, or the beginning of it (`trunkline calls --live`)
    call: String,
    /// Whom it shall be sent to: a SIP URI, or a number
    #[arg(long, value_name = "URI")]
    to: String,
    /// Call them first, with the caller on hold; only who has answered is sent the caller
    #[arg(long)]
    attended: bool,
    /// What they are told when they answer
    #[arg(long, value_name = "TEXT", requires = "attended")]
    say: Option<String>,
    /// Through this [[trunk]] they are called [default: for a number, the one that the call goes through]
    #[arg(long, value_name = "NAME", requires = "attended")]
    trunk: Option<String>,
    /// How long it may ring, in seconds [default: 60]
    #[arg(long, value_name = "SECONDS", requires = "attended")]
    ring: Option<f64>,
    /// Settings; without it `trunkline.toml` here if there is one, else defaults
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Sends it on.
pub fn run(args: TransferArgs) -> ExitCode {
    let config = match Config::load_without_passwords(args.config.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    let TransferArgs { call, to, attended, say, trunk, ring, .. } = args;
    let attended = attended.then(|| Attended { say: say.map(Pii::new), trunk, ring_s: ring });
    let request = Request::Transfer { call, to, attended, follow: true };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return super::fail(&format_args!("cannot start: {error}")),
    };
    match runtime.block_on(send_on(&config, &request)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => super::fail(&why),
    }
}

/// Asks the gateway that runs here, and listens until it is known how it went.
async fn send_on(config: &Config, request: &Request) -> Result<bool, String> {
    let socket = config.control_socket();
    let stream = UnixStream::connect(&socket).await;
    let stream = stream.map_err(|error| format!("no gateway answers at {}: {error}", socket.display()))?;
    let gone = |error: io::Error| format!("the gateway is gone: {error}");
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_vec(request).map_err(|error| format!("cannot ask: {error}"))?;
    line.push(b'\n');
    write.write_all(&line).await.map_err(gone)?;
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await.map_err(gone)? {
        match heard(&line)? {
            Heard::Going(words) => drop(super::print(&format!("{words}\n"))),
            Heard::Over(words, done) => {
                super::print(&format!("{words}\n"));
                return Ok(done);
            }
            Heard::Nothing => {}
        }
    }
    Err("the gateway closed the connection before it was known how it went".to_owned())
}

/// One line of the gateway.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Going(String),
    Over(String, bool),
    Nothing,
}

fn heard(line: &str) -> Result<Heard, String> {
    let wrong = |_| "the gateway speaks another version of the control protocol; use the same trunkline".to_owned();
    let mut told: Value = serde_json::from_str(line).map_err(wrong)?;
    if let Some(why) = told.get("error") {
        return Err(harmless(why.as_str().unwrap_or("it does not say why")));
    }
    let Some(event) = told.get_mut("event").map(Value::take) else { return Ok(Heard::Nothing) };
    Ok(match serde_json::from_value(event).map_err(wrong)? {
        TimelineEvent::Consulting => Heard::Going("calling them; the caller is on hold".to_owned()),
        TimelineEvent::Transferring => Heard::Going("asking the caller's side to go there".to_owned()),
        TimelineEvent::TransferFailed { status } => {
            Heard::Over(format!("not sent on ({status}); the call goes on here"), false)
        }
        TimelineEvent::Ended { end: CallEnd::Transferred } => Heard::Over("sent on".to_owned(), true),
        TimelineEvent::Ended { .. } => Heard::Over("not sent on: the call has ended".to_owned(), false),
        _ => Heard::Nothing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gateway_tells_becomes_words_and_an_exit_code() {
        for (line, expected) in [
            (r#"{"ok":"01"}"#, Heard::Nothing),
            (r#"{"event":{"event":"held"}}"#, Heard::Nothing),
            (r#"{"event":{"event":"consulting"}}"#, Heard::Going("calling them; the caller is on hold".into())),
            (
                r#"{"event":{"event":"transfer_failed","status":486}}"#,
                Heard::Over("not sent on (486); the call goes on here".into(), false),
            ),
            (r#"{"event":{"event":"ended","end":{"why":"transferred"}}}"#, Heard::Over("sent on".into(), true)),
            (
                r#"{"event":{"event":"ended","end":{"why":"caller_hung_up"}}}"#,
                Heard::Over("not sent on: the call has ended".into(), false),
            ),
        ] {
            assert_eq!(heard(line), Ok(expected), "{line}");
        }
        assert_eq!(heard(r#"{"error":"no live call"}"#), Err("no live call".to_owned()));
        for foreign in ["", "x", r#"{"event":{"event":"sang"}}"#] {
            assert!(heard(foreign).is_err(), "{foreign}");
        }
    }
}
