//! Signalling over real loopback sockets: what a far end sees of us, and that nothing it sends takes us down.
//! Datagrams here, connections in [`streams`], strange and broken messages in [`torture`], far ends that answer nonsense
//! in [`trunks`].
//!
//! The rules of each exchange are tested in `sip::agent` on a simulated clock; here is what only a socket can show.

mod streams;
mod torture;
mod trunks;

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;
use trunkline::sip::{
    AddressRange, IncomingLeg, LegCommand, LegEnd, LegEvent, Peer, PeerTable, Rejection, SipConfig, SipServer, Timing,
};
use trunkline::time::SystemClock;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
/// Longer than any answer on loopback takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

async fn server(edit: impl FnOnce(&mut SipConfig)) -> (SipServer, mpsc::Receiver<IncomingLeg>) {
    let mut config = SipConfig { listen: "127.0.0.1:0".parse().expect("an address"), ..SipConfig::default() };
    edit(&mut config);
    SipServer::bind(config, Arc::new(SystemClock)).await.expect("a free port on loopback")
}

/// A far end with a socket and nothing else.
struct Phone {
    socket: UdpSocket,
    us: SocketAddr,
}

impl Phone {
    async fn facing(server: &SipServer) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port on loopback");
        Self { socket, us: server.local_addr() }
    }

    async fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.us).await.expect("loopback takes it");
    }

    async fn receive(&self) -> String {
        let mut buffer = vec![0; 65_535];
        let (length, _) = timeout(PATIENCE, self.socket.recv_from(&mut buffer)).await.expect("in time").expect("read");
        String::from_utf8(buffer[..length].to_vec()).expect("text")
    }

    async fn expect(&self, start: &str) -> String {
        let text = self.receive().await;
        assert!(text.starts_with(start), "wanted {start}, got\n{text}");
        text
    }

    fn request(&self, method: &str, cseq: u32, call: &str, to_tag: &str, body: &str) -> String {
        let at = self.socket.local_addr().expect("bound");
        // An ACK to a refusal and a CANCEL share the INVITE's branch; here everything of one CSeq does.
        format!(
            "{method} sip:100@{us} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{call}{cseq};rport\r\n\
             From: <sip:ann@{at}>;tag=f\r\nTo: <sip:100@{us}>{to_tag}\r\nCall-ID: {call}\r\nCSeq: {cseq} {method}\r\n\
             Max-Forwards: 70\r\nContact: <sip:ann@{at}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len(),
            us = self.us,
        )
    }
}

fn to_tag(message: &str) -> String {
    let to = message.lines().find(|line| line.starts_with("To:")).expect("there is a To");
    format!(";tag={}", to.split(";tag=").nth(1).expect("with a tag"))
}

async fn next(calls: &mut mpsc::Receiver<IncomingLeg>) -> IncomingLeg {
    timeout(PATIENCE, calls.recv()).await.expect("in time").expect("the server lives")
}

/// What happens next; what was said is looked at where it matters.
async fn event(call: &mut IncomingLeg) -> Option<LegEvent> {
    loop {
        match timeout(PATIENCE, call.events.recv()).await.expect("in time") {
            Some(LegEvent::Ladder(ladder)) => assert!(!ladder.rungs.is_empty(), "nothing was said"),
            event => return event,
        }
    }
}

async fn order(call: &IncomingLeg, command: LegCommand) {
    call.commands.send(command).await.expect("the leg lives");
}

#[tokio::test]
async fn a_call_is_answered_and_hung_up_by_the_caller() {
    let (server, mut calls) = server(|_| {}).await;
    let phone = Phone::facing(&server).await;
    phone.send(&phone.request("INVITE", 1, "a", "", SDP)).await;
    phone.expect("SIP/2.0 100 ").await;
    let mut call = next(&mut calls).await;
    assert_eq!((call.caller.reveal().as_str(), call.called.reveal().as_str()), ("ann", "100"));
    assert_eq!((call.peer.as_str(), call.sip_call_id.as_str(), call.local), ("loopback", "a", server.local_addr()));
    assert_eq!(call.offer.as_deref(), Some(SDP));
    order(&call, LegCommand::Ring).await;
    phone.expect("SIP/2.0 180 ").await;
    order(&call, LegCommand::Answer { sdp: SDP.to_owned() }).await;
    let tag = to_tag(&phone.expect("SIP/2.0 200 ").await);
    phone.send(&phone.request("ACK", 1, "a", &tag, "")).await;
    assert_eq!(event(&mut call).await, Some(LegEvent::Established { sdp: None }));
    assert_eq!(server.live_legs(), 1);
    phone.send(&phone.request("BYE", 2, "a", &tag, "")).await;
    let first = phone.expect("SIP/2.0 200 ").await;
    phone.send(&phone.request("BYE", 2, "a", &tag, "")).await;
    assert_eq!(phone.receive().await, first);
    assert_eq!(event(&mut call).await, Some(LegEvent::Ended(LegEnd::RemoteHangup)));
    assert_eq!(event(&mut call).await, None, "ended is the last event");
    assert_eq!(server.stats().await.live_legs, 0);
    server.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn our_hangup_reaches_the_caller_and_a_late_offer_the_call() {
    let (server, mut calls) = server(|_| {}).await;
    let phone = Phone::facing(&server).await;
    phone.send(&phone.request("INVITE", 1, "a", "", "")).await;
    phone.expect("SIP/2.0 100 ").await;
    let mut call = next(&mut calls).await;
    assert_eq!(call.offer, None);
    order(&call, LegCommand::Answer { sdp: SDP.to_owned() }).await;
    let ok = phone.expect("SIP/2.0 200 ").await;
    assert!(ok.ends_with(SDP));
    phone.send(&phone.request("ACK", 1, "a", &to_tag(&ok), SDP)).await;
    assert_eq!(event(&mut call).await, Some(LegEvent::Established { sdp: Some(SDP.to_owned()) }));
    order(&call, LegCommand::Hangup).await;
    let bye = phone.expect("BYE sip:ann@127.0.0.1:").await;
    let echo: Vec<_> =
        bye.lines().filter(|line| ["Via", "Fro", "To:", "Cal", "CSe"].contains(&&line[..3.min(line.len())])).collect();
    phone.send(&format!("SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n", echo.join("\r\n"))).await;
    assert_eq!(event(&mut call).await, Some(LegEvent::Ended(LegEnd::LocalHangup)));
    server.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn a_caller_who_never_acknowledges_is_let_go() {
    let fast = Timing { t1: Duration::from_millis(10), t2: Duration::from_millis(80), t4: Duration::from_millis(100) };
    let (server, mut calls) = server(|config| config.timing = fast).await;
    let phone = Phone::facing(&server).await;
    phone.send(&phone.request("INVITE", 1, "a", "", SDP)).await;
    phone.expect("SIP/2.0 100 ").await;
    let mut call = next(&mut calls).await;
    order(&call, LegCommand::Answer { sdp: SDP.to_owned() }).await;
    let first = phone.expect("SIP/2.0 200 ").await;
    for _ in 0..3 {
        assert_eq!(phone.receive().await, first, "repeated to the byte");
    }
    assert_eq!(event(&mut call).await, Some(LegEvent::Ended(LegEnd::NoAck)));
    while !phone.receive().await.starts_with("BYE ") {}
    server.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn a_caller_may_cancel_and_a_call_may_refuse() {
    let (server, mut calls) = server(|_| {}).await;
    let phone = Phone::facing(&server).await;
    phone.send(&phone.request("INVITE", 1, "a", "", SDP)).await;
    phone.expect("SIP/2.0 100 ").await;
    let mut call = next(&mut calls).await;
    phone.send(&phone.request("CANCEL", 1, "a", "", "")).await;
    phone.expect("SIP/2.0 200 ").await;
    let tag = to_tag(&phone.expect("SIP/2.0 487 ").await);
    phone.send(&phone.request("ACK", 1, "a", &tag, "")).await;
    assert_eq!(event(&mut call).await, Some(LegEvent::Ended(LegEnd::Cancelled)));

    phone.send(&phone.request("INVITE", 1, "b", "", SDP)).await;
    phone.expect("SIP/2.0 100 ").await;
    let mut call = next(&mut calls).await;
    let wait = Some(Duration::from_secs(3));
    order(&call, LegCommand::Reject(Rejection { retry_after: wait, ..Rejection::status(503) })).await;
    let refusal = phone.expect("SIP/2.0 503 ").await;
    assert!(refusal.contains("\r\nRetry-After: 3\r\n"));
    phone.send(&phone.request("ACK", 1, "b", &to_tag(&refusal), "")).await;
    assert_eq!(event(&mut call).await, Some(LegEvent::Ended(LegEnd::Rejected(503))));
    let stats = server.stats().await;
    assert_eq!((stats.accepted, stats.ended.cancelled, stats.ended.rejected), (2, 1, 1));
    server.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn a_call_that_drops_its_channel_and_a_house_that_does_not_listen_leave_no_leg() {
    let (server, mut calls) = server(|_| {}).await;
    let phone = Phone::facing(&server).await;
    phone.send(&phone.request("INVITE", 1, "a", "", SDP)).await;
    phone.expect("SIP/2.0 100 ").await;
    drop(next(&mut calls).await);
    phone.expect("SIP/2.0 500 ").await;
    drop(calls);
    phone.send(&phone.request("INVITE", 1, "b", "", SDP)).await;
    phone.expect("SIP/2.0 100 ").await;
    assert!(phone.expect("SIP/2.0 503 ").await.contains("\r\nRetry-After: 2\r\n"));
    assert_eq!(server.stats().await.live_legs, 0);
    server.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn a_drained_server_finishes_its_calls_and_takes_no_more() {
    let (server, mut calls) = server(|_| {}).await;
    let phone = Phone::facing(&server).await;
    phone.send(&phone.request("INVITE", 1, "a", "", SDP)).await;
    phone.expect("SIP/2.0 100 ").await;
    let mut call = next(&mut calls).await;
    server.drain().await;
    phone.send(&phone.request("INVITE", 1, "b", "", SDP)).await;
    assert!(phone.expect("SIP/2.0 503 ").await.contains("\r\nRetry-After: "));
    order(&call, LegCommand::Answer { sdp: SDP.to_owned() }).await;
    let tag = to_tag(&phone.expect("SIP/2.0 200 ").await);
    phone.send(&phone.request("ACK", 1, "a", &tag, "")).await;
    assert_eq!(event(&mut call).await, Some(LegEvent::Established { sdp: None }));
    server.shutdown(Duration::from_millis(50)).await;
    phone.expect("BYE ").await;
    assert_eq!(event(&mut call).await, Some(LegEvent::Ended(LegEnd::LocalHangup)));
}

#[tokio::test]
async fn a_stranger_gets_403_and_then_silence() {
    let office: AddressRange = "10.0.0.0/8".parse().expect("a range");
    let peers = PeerTable::new(vec![Peer { addresses: vec![office], ..Peer::loopback() }]);
    let (server, mut calls) = server(|config| config.peers = peers).await;
    let phone = Phone::facing(&server).await;
    for count in 0..30 {
        phone.send(&phone.request("INVITE", 1, &format!("s{count}"), "", SDP)).await;
    }
    for _ in 0..20 {
        phone.expect("SIP/2.0 403 ").await;
    }
    let stats = server.stats().await;
    assert_eq!((stats.accepted, stats.refused[&403]), (0, 20));
    assert!(calls.try_recv().is_err());
    server.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn one_socket_on_every_address_serves_both_families() {
    let config = SipConfig { listen: "[::]:0".parse().expect("an address"), ..SipConfig::default() };
    let Ok((server, mut calls)) = SipServer::bind(config, Arc::new(SystemClock)).await else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "this machine has no IPv6");
        println!("skipped: this machine has no IPv6");
        return;
    };
    for (ours, id) in [("127.0.0.1", "v4"), ("::1", "v6")] {
        let ours: std::net::IpAddr = ours.parse().expect("an address");
        let Ok(socket) = UdpSocket::bind((ours, 0)).await else {
            println!("skipped: no {ours} on this machine");
            continue;
        };
        let phone = Phone { socket, us: SocketAddr::new(ours, server.local_addr().port()) };
        phone.send(&phone.request("INVITE", 1, id, "", SDP)).await;
        let trying = phone.expect("SIP/2.0 100 ").await;
        assert!(trying.contains(&format!(";received={ours};rport=")), "{trying}");
        let mut call = next(&mut calls).await;
        assert_eq!(call.local, phone.us, "the address this caller reaches us by");
        order(&call, LegCommand::Answer { sdp: SDP.to_owned() }).await;
        let ok = phone.expect("SIP/2.0 200 ").await;
        assert!(ok.contains(&format!("\r\nContact: <sip:{}>\r\n", phone.us)), "{ok}");
        phone.send(&phone.request("ACK", 1, id, &to_tag(&ok), "")).await;
        assert_eq!(event(&mut call).await, Some(LegEvent::Established { sdp: None }));
        order(&call, LegCommand::Hangup).await;
        phone.expect("BYE ").await;
    }
}

#[tokio::test]
async fn a_hundred_thousand_random_datagrams_do_not_stop_the_next_call() {
    let (server, mut calls) = server(|_| {}).await;
    let (noise, phone) = (Phone::facing(&server).await, Phone::facing(&server).await);
    let mut rng = StdRng::seed_from_u64(20);
    for count in 0..100_000_u32 {
        let mut bytes = noise.request("OPTIONS", 1, "n", "", "").into_bytes();
        if count % 2 == 0 {
            bytes = vec![0; rng.random_range(0..1500)];
            rng.fill_bytes(&mut bytes);
        } else {
            for _ in 0..8 {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = rng.random();
            }
        }
        let _ = noise.socket.send_to(&bytes, noise.us).await;
        if count % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    noise.socket.send_to(&vec![b'x'; 65_000], noise.us).await.expect("loopback takes it");
    // The kernel may have dropped some of the flood, and our INVITE with it: like any phone, send it until it is heard.
    let call = loop {
        phone.send(&phone.request("INVITE", 1, "a", "", SDP)).await;
        if let Ok(call) = timeout(Duration::from_millis(500), calls.recv()).await {
            break call.expect("the server lives");
        }
    };
    order(&call, LegCommand::Answer { sdp: SDP.to_owned() }).await;
    while !phone.receive().await.starts_with("SIP/2.0 200 ") {}
    assert!(server.stats().await.dropped.values().sum::<u64>() > 10_000, "the noise has arrived");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sipp_places_calls_and_every_one_ends_well() {
    if std::process::Command::new("sipp").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "sipp is missing: apt-get install sip-tester");
        println!("skipped: sipp is missing (apt-get install sip-tester)");
        return;
    }
    // The defaults are a test's; a measurement sets both: SIPP_CALLS=15000 SIPP_RATE=1500.
    let setting = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let (count, rate) = (setting("SIPP_CALLS", "20"), setting("SIPP_RATE", "10"));
    let (server, mut calls) = server(|config| config.max_calls = 100_000).await;
    let answering = tokio::spawn(async move {
        while let Some(mut call) = calls.recv().await {
            tokio::spawn(async move {
                order(&call, LegCommand::Ring).await;
                order(&call, LegCommand::Answer { sdp: SDP.to_owned() }).await;
                while let Some(event) = call.events.recv().await {
                    if matches!(event, LegEvent::Ended(_)) {
                        return;
                    }
                }
            });
        }
    });
    let us = server.local_addr().to_string();
    let folder = tempfile::tempdir().expect("a folder for sipp's files");
    let sipp = tokio::process::Command::new("sipp")
        .args(["-sn", "uac", &us, "-i", "127.0.0.1", "-m", &count, "-r", &rate, "-d", "100", "-l", "100000"])
        .args(["-nostdin", "-timeout", "60s", "-timeout_error"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    let status = timeout(Duration::from_secs(90), sipp).await.expect("sipp ends").expect("sipp runs");
    assert!(status.success(), "sipp counted failed calls: {status}");
    let stats = server.stats().await;
    println!("{stats:?}");
    let count: u64 = count.parse().expect("a number");
    assert_eq!((stats.accepted, stats.ended.remote_hangup, stats.live_legs), (count, count, 0));
    server.shutdown(PATIENCE).await;
    answering.abort();
}
