//! Our digest server, and our door, against SIPp and a client of nobody's stack.

use std::sync::Arc;

use trunkline::sip::{Algorithm, Credentials, LegCommand, LegEvent, Peer, PeerTable, Secret, SipConfig, SipServer};
use trunkline::time::SystemClock;

use super::dialog::House;
use super::registrar;
use super::sipp::{self, SDP, Scenario};

/// SIPp has to prove that it is `ann`. It knows MD5 alone, and gives up on a challenge with another hash on top.
fn guarded(config: &mut SipConfig) {
    let credentials = Credentials { username: "ann".to_owned(), password: Secret::new("stapler") };
    config.peers = PeerTable::new(vec![Peer { credentials: Some(credentials), ..Peer::loopback() }]);
    config.digest = vec![Algorithm::Md5];
}

fn challenged(authentication: &str) -> Scenario {
    Scenario::invite("", SDP)
        .trying()
        .expect_challenge()
        .ack_refusal(1)
        .invite_again(2, &format!("[authentication {authentication}]\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_proves_its_password_and_is_let_in() {
    if !sipp::is_here() {
        return;
    }
    let scenario = challenged("username=ann password=stapler");
    let scenario = scenario.ringing().expect(200).ack(2, "").hang_up(3);
    let events = House::open(guarded).await.meet(scenario, |_| Vec::new()).await;
    assert!(matches!(events[0], LegEvent::Established { .. }), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_of_sipp_is_asked_for_again_and_opens_nothing() {
    if !sipp::is_here() {
        return;
    }
    let scenario = challenged("username=ann password=wrong").expect(401).ack_refusal_at(2, 2);
    let events = House::open(guarded).await.meet(scenario, |_| Vec::new()).await;
    assert!(events.is_empty(), "{events:?}");
}

/// What `digest_client.py` says, line by line: a client of nobody's stack, with Python's hashes.
async fn python(us: std::net::SocketAddr, algorithm: &str, password: &str, further: &[&str]) -> Option<String> {
    let mut client = tokio::process::Command::new("python3");
    client.arg("tests/peers/digest_client.py");
    client.args([&us.ip().to_string(), &us.port().to_string(), algorithm, "ann", password]).args(further);
    match client.kill_on_drop(true).output().await {
        Ok(output) => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{complaint}");
            Some(String::from_utf8_lossy(&output.stdout).trim().replace('\n', "; "))
        }
        Err(error) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "python3 is missing: {error}");
            println!("skipped: python3 is missing");
            None
        }
    }
}

/// The other way round: a registrar of nobody's stack (`digest_server.py`) asks us, finds our first nonce stale, and reckons
/// each proof with Python's hashes.
#[tokio::test(flavor = "multi_thread")]
async fn we_prove_every_hash_to_an_independent_registrar_and_renew_what_is_stale() {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::process::{Command, Stdio};

    for (algorithm, further) in
        ["SHA-512-256", "SHA-256", "MD5"].iter().flat_map(|algorithm| [(algorithm, None), (algorithm, Some("no-qop"))])
    {
        let mut python = Command::new("python3");
        python.args(["tests/peers/digest_server.py", algorithm, "acct7", "zanzibar"]).args(further);
        let mut python = match python.stdout(Stdio::piped()).spawn() {
            Ok(python) => python,
            Err(error) => {
                assert!(std::env::var("CI").as_deref() != Ok("true"), "python3 is missing: {error}");
                return println!("skipped: python3 is missing");
            }
        };
        let mut says = BufReader::new(python.stdout.take().expect("a pipe"));
        let mut port = String::new();
        says.read_line(&mut port).expect("it says where it listens");
        let house = registrar::House::registered_with(port.trim().parse().expect("a port"), "zanzibar").await;
        house.waits_for("registered", registrar::is_registered).await;
        house.server.shutdown(std::time::Duration::from_secs(3)).await;
        let mut said = String::new();
        says.read_to_string(&mut said).expect("it ends");
        assert_eq!(said.replace('\n', " "), "asked stale registered left ", "{algorithm} {further:?}");
        assert!(python.wait().expect("it ends").success());
    }
}

/// Somebody who answers every call, with these algorithms for all and these for `ann`.
async fn door(all: &[Algorithm], hers: &[Algorithm]) -> SipServer {
    let credentials = Some(Credentials { username: "ann".to_owned(), password: Secret::new("stapler") });
    let peer = Peer { credentials, digest: hers.to_vec(), ..Peer::loopback() };
    let config = SipConfig {
        listen: "127.0.0.1:0".parse().expect("an address"),
        peers: PeerTable::new(vec![peer]),
        digest: all.to_vec(),
        ..SipConfig::default()
    };
    let (server, mut calls) = SipServer::bind(config, Arc::new(SystemClock)).await.expect("a free port on loopback");
    tokio::spawn(async move {
        while let Some(call) = calls.recv().await {
            tokio::spawn(async move {
                // All of it: who drops the commands hangs up.
                let mut call = call;
                let _ = call.commands.send(LegCommand::Answer { sdp: SDP.replace("[local_ip]", "127.0.0.1") }).await;
                while call.events.recv().await.is_some() {}
            });
        }
    });
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn every_hash_is_proved_to_us_by_an_independent_client() {
    use Algorithm::{Md5, Sha256, Sha512_256};

    let all = [Sha512_256, Sha256, Md5];
    let server = door(&all, &[]).await;
    let order = "asked 401 SHA-512-256 SHA-256 MD5";
    // A nonce may be used again with a higher count, also when requests overtake each other; each count once; and not
    // when it is far behind.
    let Some(said) = python(server.local_addr(), "SHA-256", "stapler", &["counts"]).await else { return };
    let counts = "1 200; 2 200; 40 200; 39 200; 39 401 stale; 40 401 stale; 200 200; 130 401 stale; 199 200";
    assert_eq!(said, format!("{order}; {counts}"));
    for algorithm in ["SHA-512-256", "SHA-256", "MD5"] {
        let Some(said) = python(server.local_addr(), algorithm, "stapler", &[]).await else { return };
        assert_eq!(said, format!("{order}; answered 200; left 200; again 401 stale"), "{algorithm}");
        let said = python(server.local_addr(), algorithm, "stapler", &["no-qop"]).await.expect("python is here");
        assert_eq!(said, format!("{order}; answered 200; left 200; again 401 stale"), "{algorithm}, RFC 2069");
        let said = python(server.local_addr(), algorithm, "wrong", &[]).await.expect("python is here");
        assert_eq!(said, format!("{order}; answered 401"), "{algorithm}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_is_the_admins_and_a_peer_may_have_its_own() {
    use Algorithm::{Md5, Sha256};

    for (all, hers, said) in [
        (vec![Md5, Sha256], vec![], "asked 401 MD5 SHA-256; answered 200; left 200; again 401 stale"),
        (vec![Sha256, Md5], vec![Md5], "asked 401 MD5; cannot SHA-256"),
        (vec![Md5], vec![Sha256], "asked 401 SHA-256; answered 200; left 200; again 401 stale"),
    ] {
        let server = door(&all, &hers).await;
        let Some(heard) = python(server.local_addr(), "SHA-256", "stapler", &[]).await else { return };
        assert_eq!(heard, said, "{all:?}, {hers:?}");
    }
}

/// SIPp gives up when SHA-256 stands on top: with MD5 on top of both it is let in, and nobody else loses the better one.
#[tokio::test(flavor = "multi_thread")]
async fn sipp_is_let_in_where_md5_stands_first() {
    if !sipp::is_here() {
        return;
    }
    let scenario = challenged("username=ann password=stapler");
    let scenario = scenario.ringing().expect(200).ack(2, "").hang_up(3);
    let house = House::open(|config| {
        guarded(config);
        config.digest = vec![Algorithm::Md5, Algorithm::Sha256];
    });
    let events = house.await.meet(scenario, |_| Vec::new()).await;
    assert!(matches!(events[0], LegEvent::Established { .. }), "{events:?}");
}
