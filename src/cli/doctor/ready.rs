//! `trunkline doctor --ready`: for health checks of containers and service managers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

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
    if listen(config).is_none() {
        return Finding::fine(check, "runs; set ops.listen to learn how it is");
    }
    match ready(config).await {
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

/// How it is, in its own words: what `/healthz` says where it is served, else that somebody is there.
///
/// # Errors
/// A sentence: nobody runs, or it takes no calls and says why.
pub(super) async fn ready(config: &Config) -> Result<String, String> {
    let Some(listen) = listen(config) else {
        return match network::is_running(config).await {
            true => Ok("running; set ops.listen to learn more".to_owned()),
            false => Err("no gateway of these settings runs".to_owned()),
        };
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
