//! What commands ask of the gateway that runs here: one line over its control socket, one line back.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::{complain, fail, harmless};
use crate::app::control::Request;
use crate::config::Config;

/// A gateway that serves calls answers at once…
const PATIENCE: Duration = Duration::from_secs(5);
/// …unless it reads plans again, which may mean rendering what they say.
const PATIENCE_WITH_PLANS: Duration = Duration::from_secs(120);

/// Which gateway is asked, and how its answer is shown.
#[derive(Debug, clap::Args)]
pub struct Asking {
    /// For machines
    #[arg(long, global = true)]
    pub json: bool,
    /// Settings that say where the gateway's data is [default: trunkline.toml, if there is one]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Asking {
    /// The answer; or, when it has been said why there is none, how the command ends: 2 where the settings are wrong.
    pub fn ask(&self, request: &Request) -> Result<Value, ExitCode> {
        let config = Config::load_without_passwords(self.config.as_deref()).map_err(|error| {
            complain(&error);
            ExitCode::from(2)
        })?;
        ask(&config.control_socket(), request).map_err(|why| fail(&why))
    }
}

/// What the gateway at this socket answers, or a sentence. Blocking.
pub fn ask(socket: &Path, request: &Request) -> Result<Value, String> {
    let patience = match request {
        Request::ReloadPlans | Request::RollBackPlan { .. } => PATIENCE_WITH_PLANS,
        _ => PATIENCE,
    };
    let told = exchange(socket, request, patience).map_err(|error| unanswered(socket, &error, patience))?;
    match told.get("error") {
        Some(why) => Err(harmless(why.as_str().unwrap_or("the gateway refuses, and does not say why"))),
        None => Ok(told),
    }
}

fn exchange(socket: &Path, request: &Request, patience: Duration) -> io::Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}

fn unanswered(socket: &Path, error: &io::Error, patience: Duration) -> String {
    let socket = socket.display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            format!("no gateway runs at {socket} ({error}); start one with `trunkline serve`")
        }
        io::ErrorKind::PermissionDenied => {
            format!("the gateway runs as somebody else ({socket}: {error}); ask as that user, or as root")
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("the gateway at {socket} has not answered for {} s", patience.as_secs())
        }
        _ => format!("the gateway at {socket} gives no answer that this trunkline reads: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// What comes of asking a gateway that answers with this.
    fn asked(answer: &'static str) -> Result<Value, String> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let gateway = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut asked = String::new();
            BufReader::new(&stream).read_line(&mut asked).unwrap();
            (&stream).write_all(answer.as_bytes()).unwrap();
            asked
        });
        let told = ask(&socket, &Request::Calls);
        assert_eq!(gateway.join().unwrap(), "{\"do\":\"calls\"}\n");
        told
    }

    #[test]
    fn an_answer_is_passed_on_and_a_refusal_is_its_sentence() {
        assert_eq!(asked("{\"calls\":[]}\n").unwrap()["calls"], serde_json::json!([]));
        assert_eq!(asked("{\"error\":\"too\u{9b}busy\"}\n").unwrap_err(), "too\u{fffd}busy");
        for foreign in ["", "\n", "HTTP/1.1 400 Bad Request\r\n"] {
            let why = asked(foreign).unwrap_err();
            assert!(why.contains("no answer that this trunkline reads"), "{why}");
        }
    }

    #[test]
    fn whoever_cannot_be_asked_is_told_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let why = ask(&folder.path().join("control.sock"), &Request::Plans).unwrap_err();
        assert!(why.contains("start one with `trunkline serve`"), "{why}");
        let socket = Path::new("/run/control.sock");
        let said = |kind: io::ErrorKind| unanswered(socket, &kind.into(), PATIENCE);
        assert!(said(io::ErrorKind::PermissionDenied).contains("as that user, or as root"));
        assert_eq!(said(io::ErrorKind::WouldBlock), "the gateway at /run/control.sock has not answered for 5 s");
    }
}
