//! Who calls: a peer is never taken for a stranger, however many of those there are, and each peer has its own rules.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use trunkline::sip::{LegCommand, Peer, PeerTable, Rejection, SipConfig, SipServer};
use trunkline::time::SystemClock;

use super::house::{Gateway, Settings};
use super::sipp;
use super::transport::Guest;

const SDP: &str =
    "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 18000 RTP/AVP 0\r\n";

/// SIPp's own caller at an address of this machine.
fn sipp(from: &str, us: &str, words: &[&str], folder: &std::path::Path) -> Command {
    let mut sipp = Command::new("sipp");
    sipp.args(["-sn", "uac", "-i", from, "-nostdin", "-d", "100"]).args(words).arg(us).current_dir(folder);
    sipp.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    sipp
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_calls_through_a_flood_of_strangers_and_may_itself_misdial_without_end() {
    if !sipp::is_here() {
        return;
    }
    let only = "127.0.0.1".parse().expect("an address");
    let config = SipConfig {
        listen: "127.0.0.1:0".parse().expect("an address"),
        peers: PeerTable::new(vec![Peer { addresses: vec![only], ..Peer::loopback() }]),
        ..SipConfig::default()
    };
    let (server, mut calls) = SipServer::bind(config, Arc::new(SystemClock)).await.expect("a free port on loopback");
    tokio::spawn(async move {
        while let Some(call) = calls.recv().await {
            tokio::spawn(async move {
                // All of it: who drops the commands hangs up.
                let mut call = call;
                let command = match call.called.reveal().as_str() {
                    "nobody" => LegCommand::Reject(Rejection::status(404)),
                    _ => LegCommand::Answer { sdp: SDP.to_owned() },
                };
                let _ = call.commands.send(command).await;
                while call.events.recv().await.is_some() {}
            });
        }
    });
    let us = server.local_addr().to_string();
    let folder = tempfile::tempdir().expect("a folder");

    // Two scanners dial as fast as they can; the second has the peer's own address, and dials wrong numbers.
    let _flood = Guest::start(&mut sipp("127.0.0.2", &us, &["-r", "400", "-l", "5000", "-s", "100"], folder.path()));
    let _scan = Guest::start(&mut sipp("127.0.0.1", &us, &["-r", "100", "-l", "5000", "-s", "nobody"], folder.path()));
    let warmed_up = Instant::now() + Duration::from_secs(30);
    loop {
        let stats = server.stats().await;
        let turned_away = stats.refused.get(&404).copied().unwrap_or(0);
        if stats.refused.contains_key(&403) && turned_away > 300 {
            break;
        }
        assert!(Instant::now() < warmed_up, "no flood: {stats:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let words = ["-m", "100", "-r", "20", "-s", "100", "-timeout", "40s", "-timeout_error"];
    let mut caller = sipp("127.0.0.1", &us, &words, folder.path());
    let status = tokio::task::spawn_blocking(move || caller.status()).await.expect("no panic").expect("sipp runs");
    assert!(status.success(), "the peer's calls failed: {status}, {:?}", server.stats().await);
    let stats = server.stats().await;
    assert!(stats.refused[&403] <= 60, "a stranger is answered 20 times in 10 s and then ignored: {stats:?}");
    assert!(stats.refused[&404] > 600, "a peer is answered however often it misdials: {stats:?}");
}

#[test]
fn a_route_for_one_peer_answers_nobody_else() {
    if !sipp::is_here() {
        return;
    }
    let plan = std::fs::canonicalize("tests/gateway/quick.yaml").expect("the plan exists");
    let extra = format!(
        "[[peer]]\nname = \"desk\"\naddresses = [\"127.0.0.1\"]\n[[peer]]\nname = \"lab\"\naddresses = [\"127.0.0.2\"]\n\
         [[route]]\nnumber = \"2000\"\nfrom = \"lab\"\nplan = {plan:?}\n"
    );
    let gateway = Gateway::start(Settings { extra, ..Settings::default() });
    let folder = tempfile::tempdir().expect("a folder");
    let us = gateway.sip.to_string();
    for (from, number, served) in [
        ("127.0.0.1", "1000", true),
        ("127.0.0.1", "2000", false),
        ("127.0.0.2", "2000", true),
        ("127.0.0.2", "1000", true),
    ] {
        let words = ["-m", "1", "-s", number, "-timeout", "20s", "-timeout_error"];
        let status = sipp(from, &us, &words, folder.path()).status().expect("sipp runs");
        assert_eq!(status.success(), served, "{from} calls {number}; log:\n{}", gateway.log());
    }
    let peers: Vec<String> = gateway.wait_for_records(4).iter().map(|record| record["peer"].to_string()).collect();
    assert_eq!(peers, ["\"desk\"", "\"desk\"", "\"lab\"", "\"lab\""]);
}
