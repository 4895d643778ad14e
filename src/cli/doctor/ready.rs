//! `trunkline doctor --ready`: for health checks of containers and service managers.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};

use super::finding::Finding;
use super::network;
use crate::config::Config;

/// A gateway that is well answers at once.
const PATIENCE: Duration = Duration::from_secs(3);
/// Longer answers are cut: ours are some hundred bytes.
const LONGEST: u64 = 64 * 1_024;

/// How the gateway is, if it runs: in its own words where `/healthz` is served.
pub(super) async fn gateway(config: &Config, running: bool) -> Finding {
    let check = "gateway";
    if !running {
        return Finding::fine(check, "none of these settings runs");
    }
    match ready(config).await {
        Ok(told) if listen(config).is_none() => Finding::fine(check, told),
        Ok(told) => told_by(check, &told),
        Err(why) => Finding::broken(check, format!("runs, but {why}"), "its log says more"),
    }
}

/// What a gateway that takes calls says of itself.
fn told_by(check: &str, told: &str) -> Finding {
    let health = serde_json::from_str::<serde_json::Value>(told).unwrap_or_default();
    let reasons = health["reasons"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    match reasons.collect::<Vec<_>>().join("; ") {
        reasons if reasons.is_empty() => Finding::fine(check, format!("runs, {} calls", health["calls"])),
        reasons => Finding::look(check, format!("runs: {reasons}"), "its log and /metrics say more"),
    }
}

/// How it is, in its own words: what `/healthz` says where it is served, else what it says at its control socket.
///
/// # Errors
/// A sentence: nobody runs, or it takes no calls and says why.
pub(super) async fn ready(config: &Config) -> Result<String, String> {
    let Some(listen) = listen(config) else {
        return status(&config.control_socket()).await;
    };
    let asked = tokio::time::timeout(PATIENCE, healthz(network::reachable(listen)));
    let answer = match asked.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(format!("nobody answers at http://{listen}/healthz: {error}")),
        Err(_) => return Err(format!("http://{listen}/healthz says nothing")),
    };
    judge(&answer)
}

/// Where `/healthz` is served, if it is; nobody knows which port the system chose where it was asked to.
fn listen(config: &Config) -> Option<SocketAddr> {
    config.ops.listen.filter(|listen| listen.port() != 0)
}

/// What the gateway says at its control socket: whether it takes calls, and how many it has.
async fn status(socket: &Path) -> Result<String, String> {
    let asked = tokio::time::timeout(PATIENCE, asked_at(socket));
    let shown = socket.display();
    match asked.await {
        Ok(Ok(answer)) => judge_status(&answer),
        Ok(Err(error)) => Err(format!("no gateway of these settings answers at {shown}: {error}")),
        Err(_) => Err(format!("whoever holds {shown} says nothing")),
    }
}

async fn asked_at(socket: &Path) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(b"{\"do\":\"status\"}\n").await?;
    let mut answer = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut answer).await?;
    Ok(answer)
}

fn judge_status(answer: &str) -> Result<String, String> {
    let told = serde_json::from_str::<serde_json::Value>(answer).unwrap_or_default();
    let calls = &told["calls"];
    match told["draining"].as_bool() {
        Some(false) => Ok(format!("runs, {calls} calls; set ops.listen to learn more")),
        Some(true) => Err(format!("it takes no calls: told to stop, {calls} may finish")),
        None => Err("what answers at the control socket is no Trunkline".to_owned()),
    }
}

async fn healthz(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer).await?;
    Ok(answer)
}

fn judge(answer: &str) -> Result<String, String> {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return Err("what answers there is no Trunkline".to_owned());
    };
    let body = body.trim();
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        Some("503") => Err(format!("takes no calls: {body}")),
        _ => Err("what answers there is no Trunkline".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_gateway_under_load_is_worth_a_look() {
        let well = told_by("gateway", r#"{"state":"ok","reasons":[],"calls":3,"version":"1"}"#);
        assert_eq!(well, Finding::fine("gateway", "runs, 3 calls"));
        let full = told_by("gateway", r#"{"state":"under_load","reasons":["9 of 9 calls: nearly full"],"calls":9}"#);
        assert_eq!((full.verdict, full.result.as_str()), (Verdict::Look, "runs: 9 of 9 calls: nearly full"));
    }

    /// Answers one question at a socket of its own, and asks doctor.
    async fn ready_where_it_says(answer: &'static str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
        let socket = tokio::net::UnixListener::bind(config.control_socket()).unwrap();
        tokio::spawn(async move {
            let (stream, _) = socket.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut asked = String::new();
            stream.read_line(&mut asked).await.unwrap();
            assert_eq!(asked, "{\"do\":\"status\"}\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        ready(&config).await
    }

    #[tokio::test]
    async fn without_healthz_a_gateway_that_drains_is_not_ready() {
        let well = ready_where_it_says("{\"version\":\"1\",\"calls\":2,\"draining\":false}\n").await;
        assert_eq!(well, Ok("runs, 2 calls; set ops.listen to learn more".to_owned()));
        let draining = ready_where_it_says("{\"version\":\"1\",\"calls\":2,\"draining\":true}\n").await;
        assert_eq!(draining, Err("it takes no calls: told to stop, 2 may finish".to_owned()));
        for answer in ["", "hello\n", "{\"error\":\"that is no request\"}\n"] {
            assert!(ready_where_it_says(answer).await.unwrap_err().contains("no Trunkline"), "{answer}");
        }
    }

    #[tokio::test]
    async fn where_nobody_answers_nobody_is_ready() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
        let why = ready(&config).await.unwrap_err();
        assert!(why.starts_with("no gateway of these settings answers at "), "{why}");
    }

    #[test]
    fn down_is_not_ready_and_under_load_is() {
        assert_eq!(
            judge("HTTP/1.1 200 OK\r\nX: y\r\n\r\n{\"state\":\"under_load\"}\n"),
            Ok("{\"state\":\"under_load\"}".to_owned())
        );
        let down = judge("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"state\":\"down\"}\n").unwrap_err();
        assert!(down.starts_with("takes no calls: {"), "{down}");
        for answer in ["", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 404 Not Found\r\n\r\n"] {
            assert!(judge(answer).unwrap_err().contains("no Trunkline"), "{answer}");
        }
    }
}
