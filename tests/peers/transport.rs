//! How messages travel: connections, IPv6, TLS, names with several addresses behind them.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use trunkline::pii::Pii;
use trunkline::sip::{Dial, LegCommand, LegEnd, LegEvent, OutgoingLeg, SipConfig, SipServer, TlsConfig};
use trunkline::time::SystemClock;

use super::sipp;

const SDP: &str =
    "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 18000 RTP/AVP 0\r\n";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that ends with its test.
pub struct Guest(Child);

impl Guest {
    pub fn start(command: &mut Command) -> Self {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().expect("the program starts"))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn is_here(program: &str, package: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).stdout(Stdio::null()).status();
    let here = found.is_ok_and(|status| status.success());
    if !here {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must have its peers: {program} is not installed");
        println!("skipped: {program} is not installed (apt install {package})");
    }
    here
}

/// A port that nobody has, neither for datagrams nor for connections.
pub fn free_port() -> u16 {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port on loopback");
        let port = socket.local_addr().expect("bound").port();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

async fn server(edit: impl FnOnce(&mut SipConfig)) -> SipServer {
    let mut config = SipConfig { listen: "127.0.0.1:0".parse().expect("an address"), ..SipConfig::default() };
    edit(&mut config);
    let (server, mut calls) = SipServer::bind(config, Arc::new(SystemClock)).await.expect("a free port on loopback");
    tokio::spawn(async move {
        while let Some(mut call) = calls.recv().await {
            tokio::spawn(async move {
                for command in [LegCommand::Ring, LegCommand::Answer { sdp: SDP.to_owned() }] {
                    let _ = call.commands.send(command).await;
                }
                while let Some(event) = call.events.recv().await {
                    if matches!(event, LegEvent::Ended(_)) {
                        return;
                    }
                }
            });
        }
    });
    server
}

/// SIPp's own caller, fifty calls; every one must end well.
async fn fifty_calls(us: SocketAddr, words: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder for sipp's files");
    let sipp = tokio::process::Command::new("sipp")
        .args(["-sn", "uac", "-m", "50", "-r", "50", "-d", "100", "-nostdin", "-timeout", "30s", "-timeout_error"])
        .args(["-trace_err", "-error_file", "errors"])
        .args(words)
        .arg(us.to_string())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    let status = timeout(PATIENCE, sipp).await.expect("sipp ends").expect("sipp runs");
    let errors = std::fs::read_to_string(folder.path().join("errors")).unwrap_or_default();
    assert!(status.success(), "sipp counted failed calls with {words:?}: {status}\n{errors}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sipp_calls_over_one_connection_over_many_and_over_ipv6() {
    if !sipp::is_here() {
        return;
    }
    let v4 = server(|_| {}).await;
    for words in [["-t", "t1"].as_slice(), &["-t", "tn", "-max_socket", "100"]] {
        fifty_calls(v4.local_addr(), &[words, &["-i", "127.0.0.1"]].concat()).await;
    }
    let stats = v4.stats().await;
    assert_eq!((stats.accepted, stats.ended.remote_hangup, stats.live_legs), (100, 100, 0));
    if UdpSocket::bind("[::1]:0").is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let v6 = server(|config| config.listen = "[::1]:0".parse().expect("an address")).await;
    for transport in ["u1", "t1"] {
        fifty_calls(v6.local_addr(), &["-t", transport, "-i", "::1"]).await;
    }
    assert_eq!(v6.stats().await.ended.remote_hangup, 100);
}

/// SIPp's own callee on a port of 127.0.0.1.
fn callee(transport: &str, port: u16, folder: &std::path::Path) -> Guest {
    let mut sipp = Command::new("sipp");
    sipp.args(["-sn", "uas", "-i", "127.0.0.1", "-t", transport, "-p", &port.to_string(), "-nostdin"]);
    Guest::start(sipp.current_dir(folder))
}

async fn dial(server: &SipServer, to: &str, headers: Vec<(String, String)>) -> OutgoingLeg {
    let dial = Dial {
        to: Pii::new(to.to_owned()),
        trunk: None,
        caller: None,
        sdp: Some(SDP.to_owned()),
        ring_timeout: Duration::from_secs(20),
        headers,
    };
    server.dialer().dial(dial).await.expect("the call is tried")
}

/// Waits for the answer, hangs up, and returns over which transports our INVITEs and the BYE went.
async fn answered_and_hung_up(mut leg: OutgoingLeg) -> Vec<(String, String)> {
    let mut said = Vec::new();
    loop {
        match timeout(PATIENCE, leg.events.recv()).await.expect("in time").expect("the leg says its last word") {
            LegEvent::Established { .. } => {
                leg.commands.send(LegCommand::Hangup).await.expect("the leg lives");
            }
            LegEvent::Ladder(ladder) => {
                let sent = ladder.rungs.iter().filter(|rung| rung.sent && !rung.line.starts_with("SIP/2.0"));
                let method = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
                said = sent.map(|rung| (rung.transport.clone(), method(&rung.line))).collect();
            }
            LegEvent::Ended(end) => {
                assert_eq!(end, LegEnd::LocalHangup, "{said:?}");
                return said;
            }
            _ => {}
        }
    }
}

fn on(transport: &str, methods: &[&str]) -> Vec<(String, String)> {
    methods.iter().map(|method| (transport.to_owned(), (*method).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_invite_leaves_by_tcp_or_by_datagram_where_there_is_no_tcp() {
    if !sipp::is_here() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for sipp's files");
    let server = server(|_| {}).await;
    let long = vec![("X-Long".to_owned(), "x".repeat(250)); 6];
    for (transport, expected) in [("t1", "tcp"), ("u1", "udp")] {
        let port = free_port();
        let _sipp = callee(transport, port, folder.path());
        tokio::time::sleep(Duration::from_millis(700)).await;
        let leg = dial(&server, &format!("sip:bob@127.0.0.1:{port}"), long.clone()).await;
        let said = answered_and_hung_up(leg).await;
        let tried = if expected == "udp" { on("tcp", &["INVITE"]) } else { Vec::new() };
        let rest = on(expected, &["INVITE", "ACK", "BYE"]);
        assert_eq!(said, [tried, rest].concat());
    }
    // SIPp is gone, perhaps before it has answered our BYE.
    server.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_leads_to_its_second_address_when_the_first_is_dead() {
    if !sipp::is_here() || !is_here("dnsmasq", "dnsmasq-base") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for sipp's files");
    let (names, dead, alive) = (free_port(), free_port(), free_port());
    let mut dnsmasq = Command::new("dnsmasq");
    dnsmasq
        .args(["--keep-in-foreground", "--no-resolv", "--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.1"])
        .args(["--conf-file=/dev/null", "--pid-file=", &format!("--port={names}")])
        .arg("--naptr-record=carrier.test,10,10,S,SIP+D2T,,_sip._tcp.carrier.test")
        .arg("--naptr-record=carrier.test,20,10,S,SIP+D2U,,_sip._udp.carrier.test")
        .arg(format!("--srv-host=_sip._tcp.carrier.test,dead.carrier.test,{dead},1"))
        .arg(format!("--srv-host=_sip._udp.carrier.test,live.carrier.test,{alive},1"))
        .args(["--host-record=dead.carrier.test,127.0.0.1", "--host-record=live.carrier.test,127.0.0.1"])
        .args(["--local=/carrier.test/", "--local=/test/"]);
    let _dnsmasq = Guest::start(&mut dnsmasq);
    let _sipp = callee("u1", alive, folder.path());
    tokio::time::sleep(Duration::from_millis(700)).await;
    let resolver = SocketAddr::new([127, 0, 0, 1].into(), names);
    let server = server(|config| config.resolver = Some(resolver)).await;
    let local = server.dialer().local_for("sip:bob@carrier.test", None).await;
    assert_eq!(local.map(|ip| ip.to_string()).ok().as_deref(), Some("127.0.0.1"));
    let said = answered_and_hung_up(dial(&server, "sip:bob@carrier.test", Vec::new()).await).await;
    assert_eq!(said, [on("tcp", &["INVITE"]), on("udp", &["INVITE", "ACK", "BYE"])].concat());

    let mut lost = dial(&server, "sip:bob@nowhere.test", Vec::new()).await;
    let end = loop {
        match timeout(PATIENCE, lost.events.recv()).await.expect("in time") {
            Some(LegEvent::Ended(end)) => break end,
            event => assert!(event.is_some(), "the last word is Ended"),
        }
    };
    assert_eq!(end, LegEnd::Unreachable);
    server.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_gets_an_answer_over_tls() {
    if !is_here("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let config = TlsConfig {
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        certificate: Some(certificate.clone()),
        private_key: Some(key),
        ca: None,
    };
    let server = server(|sip| sip.tls = Some(config)).await;
    let us = server.local_tls_addr().expect("we listen for TLS");
    for version in ["-tls1_2", "-tls1_3"] {
        let mut client = tokio::process::Command::new("openssl")
            .args(["s_client", "-quiet", "-verify_return_error", version, "-CAfile"])
            .arg(&certificate)
            .args(["-connect", &us.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("openssl runs");
        let text = format!(
            "OPTIONS sip:x@{us} SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bKx;rport\r\n\
             From: <sip:a@h>;tag=1\r\nTo: <sip:x@{us}>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        let (mut to, mut from) = (client.stdin.take().expect("a pipe"), client.stdout.take().expect("a pipe"));
        tokio::io::AsyncWriteExt::write_all(&mut to, text.as_bytes()).await.expect("openssl takes it");
        let mut answer = [0; 15];
        let read = tokio::io::AsyncReadExt::read_exact(&mut from, &mut answer);
        timeout(PATIENCE, read).await.expect("in time").expect("an answer");
        assert_eq!(String::from_utf8_lossy(&answer), "SIP/2.0 200 OK\r");
    }
    server.shutdown(PATIENCE).await;
}

/// A certificate for 127.0.0.1 with this serial number, and its key, written where the server reads them.
fn write_certificate(folder: &std::path::Path, serial: u8) {
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    params.serial_number = Some(rcgen::SerialNumber::from(vec![serial]));
    let key = rcgen::KeyPair::generate().expect("a key");
    let made = params.self_signed(&key).expect("a certificate");
    std::fs::write(folder.join("cert.pem"), made.pem()).expect("a file");
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).expect("a file");
}

/// The serial number that openssl is shown.
fn serial_shown(us: SocketAddr) -> String {
    let look = format!("openssl s_client -connect {us} </dev/null 2>/dev/null | openssl x509 -noout -serial");
    let output = Command::new("sh").args(["-c", &look]).output().expect("openssl runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_shown_to_new_callers_while_a_call_goes_on() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    if !is_here("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    write_certificate(folder.path(), 0x11);
    let file = |name: &str| Some(folder.path().join(name));
    let listen = Some("127.0.0.1:0".parse().expect("an address"));
    let tls = TlsConfig { listen, certificate: file("cert.pem"), private_key: file("key.pem"), ca: None };
    let server = server(|sip| sip.tls = Some(tls)).await;
    let us = server.local_tls_addr().expect("we listen for TLS");
    assert_eq!(serial_shown(us), "serial=11");

    let mut caller = tokio::process::Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &us.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("openssl runs");
    let (mut to, mut from) = (caller.stdin.take().expect("a pipe"), caller.stdout.take().expect("a pipe"));
    let request = |method: &str, number: u32, tag: &str, body: &str| {
        format!(
            "{method} sip:x@{us} SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bK{method}{number};rport\r\n\
             From: <sip:a@h>;tag=1\r\nTo: <sip:x@{us}>{tag}\r\nCall-ID: c\r\nCSeq: {number} {method}\r\n\
             Contact: <sip:a@127.0.0.1:1;transport=tls>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut heard = String::new();
    let mut hear = async |until: &str, heard: &mut String| {
        let mut part = [0; 4096];
        while !heard.contains(until) {
            let length = timeout(PATIENCE, from.read(&mut part)).await.expect("in time").expect("the connection lives");
            assert!(length > 0, "closed, having said:\n{heard}");
            heard.push_str(&String::from_utf8_lossy(&part[..length]));
        }
    };
    to.write_all(request("INVITE", 1, "", SDP).as_bytes()).await.expect("openssl takes it");
    hear("SIP/2.0 200 OK", &mut heard).await;
    hear("m=audio", &mut heard).await;
    let answer = &heard[heard.find("SIP/2.0 200 OK").expect("it is there")..];
    let line = answer.lines().find(|line| line.starts_with("To:")).expect("a To");
    let tag = line[line.find(";tag=").expect("a tag")..].trim().to_owned();
    to.write_all(request("ACK", 1, &tag, "").as_bytes()).await.expect("openssl takes it");

    write_certificate(folder.path(), 0x22);
    server.tls_keeper().renew().await.expect("both files are sound");
    assert_eq!(serial_shown(us), "serial=22");
    std::fs::write(folder.path().join("cert.pem"), "half a certi").expect("a file");
    let fault = server.tls_keeper().renew().await.expect_err("that is none").to_string();
    assert!(fault.contains("cert.pem` cannot be used for TLS: there is no certificate in it"), "{fault}");
    assert_eq!(serial_shown(us), "serial=22", "what was read before stays");

    assert_eq!(server.live_legs(), 1, "the call goes on");
    heard.clear();
    // A sign of life that wants one (RFC 5626 §3.5.1).
    to.write_all(b"\r\n\r\n").await.expect("openssl takes it");
    hear("\r\n", &mut heard).await;
    assert_eq!(heard, "\r\n");
    heard.clear();
    to.write_all(request("BYE", 2, &tag, "").as_bytes()).await.expect("openssl takes it");
    hear("SIP/2.0 200 OK", &mut heard).await;
    server.shutdown(PATIENCE).await;
}

#[test]
fn a_gateway_reads_its_certificate_again_when_it_changes_and_when_told_to() {
    use super::house::{Gateway, Settings};

    if !is_here("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    write_certificate(folder.path(), 0x11);
    let us = SocketAddr::new([127, 0, 0, 1].into(), free_port());
    let sip = format!(
        "tls_listen = \"{us}\"\ncertificate = {:?}\nprivate_key = {:?}",
        folder.path().join("cert.pem"),
        folder.path().join("key.pem")
    );
    let gateway = Gateway::start(Settings { sip, ..Settings::default() });
    let shows = |serial: &str| {
        let give_up = std::time::Instant::now() + PATIENCE;
        while serial_shown(us) != serial {
            assert!(std::time::Instant::now() < give_up, "never {serial}; log:\n{}", gateway.log());
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    shows("serial=11");
    write_certificate(folder.path(), 0x22);
    gateway.signal("HUP");
    shows("serial=22");
    write_certificate(folder.path(), 0x33);
    shows("serial=33");
    std::fs::write(folder.path().join("key.pem"), "no key").expect("a file");
    gateway.signal("HUP");
    let give_up = std::time::Instant::now() + PATIENCE;
    while !gateway.log().contains("the certificates read before stay in use") {
        assert!(std::time::Instant::now() < give_up, "it says nothing; log:\n{}", gateway.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    shows("serial=33");
}

/// A baresip with a folder of its own: no sound, no registration, answers at once.
fn baresip(folder: &std::path::Path, port: u16, certificate: &std::path::Path, order: &[&str]) -> Guest {
    let config = format!(
        "sip_listen 127.0.0.1:{port}\nsip_certificate {pem}\nsip_cafile {pem}\nmodule_path /usr/lib/baresip/modules\nmodule g711.so\n\
         module aubridge.so\nmodule_app account.so\nmodule_app menu.so\naudio_player aubridge,x\n\
         audio_source aubridge,x\naudio_alert aubridge,y\nrtp_ports 19000-19100\n",
        pem = certificate.display(),
    );
    std::fs::write(folder.join("config"), config).expect("a file");
    let account = "<sip:bob@127.0.0.1;transport=tls>;regint=0;answermode=auto;audio_codecs=PCMU\n";
    std::fs::write(folder.join("accounts"), account).expect("a file");
    std::fs::write(folder.join("contacts"), "").expect("a file");
    Guest::start(Command::new("baresip").arg("-f").arg(folder).args(order))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baresip_calls_and_is_called_over_tls() {
    if !is_here("baresip", "baresip-core") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let both = folder.path().join("both.pem");
    std::fs::write(&certificate, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    std::fs::write(&both, made.cert.pem() + &made.signing_key.serialize_pem()).expect("a file");
    let config = TlsConfig {
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        certificate: Some(certificate.clone()),
        private_key: Some(key),
        ca: Some(certificate),
    };
    let config =
        SipConfig { listen: "127.0.0.1:0".parse().expect("an address"), tls: Some(config), ..SipConfig::default() };
    let (server, mut calls) = SipServer::bind(config, Arc::new(SystemClock)).await.expect("a free port on loopback");
    let us = server.local_tls_addr().expect("we listen for TLS");

    let port = free_port();
    let guest = baresip(folder.path(), port, &both, &["-e", &format!("/dial sip:100@{us}")]);
    let mut call = timeout(PATIENCE, calls.recv()).await.expect("in time").expect("the server lives");
    assert_eq!(call.transport, trunkline::sip::Transport::Tls);
    call.commands.send(LegCommand::Answer { sdp: SDP.to_owned() }).await.expect("the leg lives");
    loop {
        match timeout(PATIENCE, call.events.recv()).await.expect("in time").expect("the last word is Ended") {
            LegEvent::Established { .. } => call.commands.send(LegCommand::Hangup).await.expect("the leg lives"),
            LegEvent::Ended(end) => break assert_eq!(end, LegEnd::LocalHangup),
            _ => {}
        }
    }
    drop(guest);

    let port = free_port();
    let _guest = baresip(folder.path(), port, &both, &[]);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // It listens for TLS one port further.
    let leg = dial(&server, &format!("sip:bob@127.0.0.1:{};transport=tls", port + 1), Vec::new()).await;
    assert_eq!(answered_and_hung_up(leg).await, on("tls", &["INVITE", "ACK", "BYE"]));
    server.shutdown(PATIENCE).await;
}
