//! The same over connections: TCP, TLS, and those who open one for no good.

use std::path::PathBuf;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use trunkline::pii::Pii;
use trunkline::sip::{Dial, Patience, TlsConfig, Transport, TrunkSpec};

use super::*;

/// A far end with a connection.
struct Line<S> {
    stream: S,
    ours: SocketAddr,
    us: SocketAddr,
    via: &'static str,
    buffer: Vec<u8>,
}

impl Line<TcpStream> {
    async fn to(us: SocketAddr) -> Self {
        let stream = TcpStream::connect(us).await.expect("loopback takes it");
        let ours = stream.local_addr().expect("connected");
        Self { stream, ours, us, via: "TCP", buffer: Vec::new() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("the connection stands");
    }

    /// The next message, by its Content-Length; `None` when the connection is closed.
    async fn receive(&mut self) -> Option<String> {
        loop {
            let text = String::from_utf8_lossy(&self.buffer).into_owned();
            if let Some((head, _)) = text.split_once("\r\n\r\n").filter(|(head, _)| !head.is_empty()) {
                let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("its length");
                let whole = head.len() + 4 + length.parse::<usize>().expect("a number");
                if self.buffer.len() >= whole {
                    let rest = self.buffer.split_off(whole);
                    let message = std::mem::replace(&mut self.buffer, rest);
                    return Some(String::from_utf8(message).expect("text"));
                }
            }
            let mut piece = [0; 4096];
            let read = timeout(PATIENCE, self.stream.read(&mut piece)).await.expect("in time");
            match read {
                Ok(length @ 1..) => self.buffer.extend_from_slice(&piece[..length]),
                Ok(0) | Err(_) => return None,
            }
        }
    }

    async fn expect(&mut self, start: &str) -> String {
        let text = self.receive().await.expect("a message");
        assert!(text.starts_with(start), "wanted {start}, got\n{text}");
        text
    }

    fn request(&self, method: &str, cseq: u32, call: &str, to_tag: &str, body: &str) -> String {
        let (at, us, via, transport) = (self.ours, self.us, self.via, self.via.to_lowercase());
        format!(
            "{method} sip:100@{us} SIP/2.0\r\nVia: SIP/2.0/{via} {at};branch=z9hG4bK{call}{cseq};rport\r\n\
             From: <sip:ann@{at}>;tag=f\r\nTo: <sip:100@{us}>{to_tag}\r\nCall-ID: {call}\r\nCSeq: {cseq} {method}\r\n\
             Max-Forwards: 70\r\nContact: <sip:ann@{at};transport={transport}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len(),
        )
    }

    /// A whole call, hung up by us; everything travels on this one connection.
    async fn call(&mut self, calls: &mut mpsc::Receiver<IncomingLeg>, id: &str) {
        self.send(&self.request("INVITE", 1, id, "", SDP)).await;
        self.expect("SIP/2.0 100 ").await;
        let mut call = next(calls).await;
        order(&call, LegCommand::Answer { sdp: SDP.to_owned() }).await;
        let ok = self.expect("SIP/2.0 200 ").await;
        let transport = self.via.to_lowercase();
        assert!(ok.contains(&format!("\r\nContact: <sip:{};transport={transport}>\r\n", self.us)), "{ok}");
        self.send(&self.request("ACK", 1, id, &to_tag(&ok), "")).await;
        assert_eq!(event(&mut call).await, Some(LegEvent::Established { sdp: None }));
        order(&call, LegCommand::Hangup).await;
        let bye = self.expect("BYE sip:ann@127.0.0.1:").await;
        assert!(bye.contains(&format!("Via: SIP/2.0/{} ", self.via)), "{bye}");
        let kept = ["Via", "From", "To:", "Call-ID", "CSeq"];
        let echo: Vec<_> = bye.lines().filter(|line| kept.iter().any(|name| line.starts_with(name))).collect();
        self.send(&format!("SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n", echo.join("\r\n"))).await;
        assert_eq!(event(&mut call).await, Some(LegEvent::Ended(LegEnd::LocalHangup)));
    }
}

#[tokio::test]
async fn a_call_over_tcp_stays_on_its_connection() {
    let (server, mut calls) = server(|_| {}).await;
    let mut line = Line::to(server.local_addr()).await;
    line.call(&mut calls, "a").await;
    line.call(&mut calls, "b").await;
    assert_eq!(server.stats().await.live_legs, 0);
    server.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn messages_may_come_byte_by_byte_or_all_at_once() {
    let (server, mut calls) = server(|_| {}).await;
    let mut line = Line::to(server.local_addr()).await;
    for byte in line.request("INVITE", 1, "a", "", SDP).into_bytes() {
        line.stream.write_all(&[byte]).await.expect("the connection stands");
        line.stream.flush().await.expect("the connection stands");
    }
    line.expect("SIP/2.0 100 ").await;
    let call = next(&mut calls).await;
    assert_eq!((call.offer.as_deref(), call.transport, call.source), (Some(SDP), Transport::Tcp, line.ours));
    let three: String = (1..4).map(|count| line.request("OPTIONS", count, "o", "", "v=0\r\n")).collect();
    line.send(&format!("\r\n\r\n{three}")).await;
    assert_eq!(line.stream.read_u16().await.expect("a pong"), 0x0d0a);
    for count in 1..4 {
        assert!(line.expect("SIP/2.0 200 ").await.contains(&format!("CSeq: {count} OPTIONS")));
    }
    server.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_message_without_a_length_is_refused_and_the_connection_closed() {
    let (server, _calls) = server(|_| {}).await;
    let mut line = Line::to(server.local_addr()).await;
    let text = line.request("OPTIONS", 1, "a", "", "");
    line.send(&text.replace("Content-Length: 0\r\n", "")).await;
    line.expect("SIP/2.0 400 Bad Content-Length header").await;
    assert_eq!(line.receive().await, None);
    server.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn garbage_closes_its_connection_and_nothing_else() {
    let (server, mut calls) = server(|_| {}).await;
    let mut good = Line::to(server.local_addr()).await;
    let mut rng = StdRng::seed_from_u64(7);
    for round in 0..60 {
        let mut line = Line::to(server.local_addr()).await;
        let mut bytes = vec![0; 20_000];
        rng.fill_bytes(&mut bytes);
        match round % 3 {
            0 => bytes = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            1 => bytes = [b"OPTIONS sip:h SIP/2.0\r\nX: ".to_vec(), vec![b'x'; 20_000]].concat(),
            _ => {}
        }
        // The far end may hang up while we are still talking.
        let _ = line.stream.write_all(&bytes).await;
        assert_eq!(line.receive().await, None, "round {round}");
    }
    good.call(&mut calls, "a").await;
    server.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn who_says_nothing_or_says_it_slowly_is_hung_up_on() {
    let short = Duration::from_millis(300);
    let patience =
        Patience { first_message: short, one_message: short, stranger_idle: short, peer_idle: Duration::from_secs(60) };
    let (server, mut calls) = server(|config| config.patience = patience).await;
    let mut silent = Line::to(server.local_addr()).await;
    let mut blank = Line::to(server.local_addr()).await;
    blank.send("\r\n\r\n").await;
    let mut slow = Line::to(server.local_addr()).await;
    slow.call(&mut calls, "a").await;
    let first = slow.request("OPTIONS", 1, "s", "", "").len() / 2;
    let text = slow.request("OPTIONS", 1, "s", "", "");
    slow.send(&text[..first]).await;
    assert_eq!((silent.receive().await, blank.receive().await, slow.receive().await), (None, None, None));
    let mut next_caller = Line::to(server.local_addr()).await;
    next_caller.call(&mut calls, "b").await;
    server.shutdown(PATIENCE).await;
}

/// A trunk that calls us along a connection of its own, opened before it had registered us: a stranger's at first.
#[tokio::test]
async fn a_connection_of_somebody_known_by_now_outlives_the_silence_of_a_stranger() {
    const PING: &str = "\r\n\r\n";
    let trunk = UdpSocket::bind("127.0.0.9:0").await.expect("loopback has it");
    let at = trunk.local_addr().expect("bound");
    let (server, _calls) = server(|config| {
        let known = "127.0.0.1".parse().expect("a range");
        config.peers = PeerTable::new(vec![Peer { addresses: vec![known], ..Peer::loopback() }]);
        config.listen = "0.0.0.0:0".parse().expect("an address");
        config.trunks = vec![TrunkSpec { register: true, ..TrunkSpec::at("carrier", at) }];
        let (stranger_idle, peer_idle) = (Duration::from_millis(300), Duration::from_millis(900));
        config.patience = Patience { stranger_idle, peer_idle, ..Patience::default() };
    })
    .await;
    let us = SocketAddr::new([127, 0, 0, 1].into(), server.local_addr().port());
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.9:0".parse().expect("an address")).expect("loopback has it");
    let stream = socket.connect(us).await.expect("the kernel takes it");
    let ours = stream.local_addr().expect("connected");
    let mut line = Line { stream, ours, us, via: "TCP", buffer: Vec::new() };
    line.send(&line.request("OPTIONS", 1, "o", "", "")).await;
    line.expect("SIP/2.0 403 ").await;
    let mut buffer = [0; 4096];
    let (length, from) = timeout(PATIENCE, trunk.recv_from(&mut buffer)).await.expect("in time").expect("a REGISTER");
    let register = String::from_utf8_lossy(&buffer[..length]).into_owned();
    let kept = ["Via", "From", "To:", "Call-ID", "CSeq", "Contact", "Expires"];
    let echo: Vec<_> = register.lines().filter(|line| kept.iter().any(|name| line.starts_with(name))).collect();
    let ok = format!("SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n", echo.join("\r\n"));
    trunk.send_to(ok.as_bytes(), from).await.expect("loopback takes it");
    tokio::time::sleep(Duration::from_millis(100)).await;
    line.send(&line.request("OPTIONS", 2, "o", "", "")).await;
    line.expect("SIP/2.0 200 ").await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        line.send(PING).await;
        assert_eq!(line.stream.read_u16().await.expect("it is still there"), 0x0d0a);
    }
    line.send(&line.request("OPTIONS", 3, "o", "", "")).await;
    line.expect("SIP/2.0 200 ").await;
    assert_eq!(line.receive().await, None, "and it is hung up on when it says nothing at all");
    server.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn strangers_fill_their_own_room_only() {
    let (server, mut calls) = server(|config| {
        // 127.0.0.1 is known, the rest of loopback is not.
        let known = "127.0.0.1".parse().expect("a range");
        config.peers = PeerTable::new(vec![Peer { addresses: vec![known], ..Peer::loopback() }]);
        config.listen = "0.0.0.0:0".parse().expect("an address");
    })
    .await;
    let us: SocketAddr = SocketAddr::new([127, 0, 0, 1].into(), server.local_addr().port());
    let mut crowd = Vec::new();
    for _ in 0..40 {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.9:0".parse().expect("an address")).expect("loopback has it");
        crowd.push(socket.connect(us).await.expect("the kernel takes it"));
    }
    let mut closed = 0;
    for stream in &mut crowd {
        let read = timeout(Duration::from_millis(50), stream.read(&mut [0; 1])).await;
        closed += usize::from(matches!(read, Ok(Ok(0) | Err(_))));
    }
    assert_eq!(closed, 8, "32 of one stranger may stay");
    let mut peers = Vec::new();
    for _ in 0..200 {
        peers.push(Line::to(us).await);
    }
    let last = peers.last_mut().expect("two hundred");
    last.call(&mut calls, "a").await;
    peers[0].call(&mut calls, "b").await;
    server.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn a_far_end_that_reads_nothing_stops_nobody() {
    let (server, mut calls) = server(|_| {}).await;
    let mut polite = Line::to(server.local_addr()).await;
    let flooding = Line::to(server.local_addr()).await;
    let many: String = (1..2_000).map(|count| flooding.request("OPTIONS", count, "o", "", "")).collect();
    let (_never_read, mut half) = tokio::io::split(flooding.stream);
    // Ten thousand answers that nobody reads: the kernel's buffers are full long before.
    let flood = tokio::spawn(async move {
        for _ in 0..5 {
            if half.write_all(many.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    polite.call(&mut calls, "a").await;
    flood.abort();
    server.shutdown(PATIENCE).await;
}

/// A certificate for 127.0.0.1 and its key, as files, and itself as the authority.
fn certificate(folder: &std::path::Path) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    (certificate, key)
}

fn tls(folder: &std::path::Path) -> TlsConfig {
    let (certificate, key) = certificate(folder);
    TlsConfig {
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        ca: Some(certificate.clone()),
        certificate: Some(certificate),
        private_key: Some(key),
    }
}

fn believing(ca: &std::path::Path) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks it")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// A server with a certificate in `folder`, and the authority to believe.
async fn listening_for_tls(folder: &std::path::Path) -> (SipServer, mpsc::Receiver<IncomingLeg>, PathBuf) {
    let config = tls(folder);
    let ca = config.ca.clone().expect("given");
    let (server, calls) = server(|sip| {
        sip.tls = Some(config);
        // Half a handshake is waited for no longer than that.
        sip.patience.first_message = Duration::from_secs(2);
    })
    .await;
    (server, calls, ca)
}

async fn tls_line(us: SocketAddr, ca: &std::path::Path) -> Line<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(us).await.expect("loopback takes it");
    let ours = stream.local_addr().expect("connected");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let stream = tokio_rustls::TlsConnector::from(believing(ca)).connect(name, stream).await.expect("a handshake");
    Line { stream, ours, us, via: "TLS", buffer: Vec::new() }
}

#[tokio::test]
async fn a_call_over_tls_stays_on_its_connection_and_garbage_gets_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, mut calls, ca) = listening_for_tls(folder.path()).await;
    let us = server.local_tls_addr().expect("we listen for TLS");
    for plain in ["OPTIONS sip:h SIP/2.0\r\nContent-Length: 0\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\0garbage"] {
        let mut line = Line::to(us).await;
        line.send(plain).await;
        // An alert may come; SIP does not.
        let mut bytes = Vec::new();
        let _ = timeout(PATIENCE, line.stream.read_to_end(&mut bytes)).await.expect("it is closed");
        assert!(!String::from_utf8_lossy(&bytes).contains("SIP/2.0"));
    }
    let mut line = tls_line(us, &ca).await;
    line.call(&mut calls, "a").await;
    server.shutdown(PATIENCE).await;
}

/// Before the handshake, in the middle of it, under it when it is done, and inside.
#[tokio::test]
async fn garbage_at_every_stage_of_tls_closes_its_connection_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, mut calls, ca) = listening_for_tls(folder.path()).await;
    let us = server.local_tls_addr().expect("we listen for TLS");
    let mut hello = Vec::new();
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let mut client = rustls::ClientConnection::new(believing(&ca), name).expect("a client");
    client.write_tls(&mut hello).expect("a hello");
    let mut rng = StdRng::seed_from_u64(11);
    let mut noise = vec![0; 20_000];
    rng.fill_bytes(&mut noise);
    let half = hello.len() / 2;
    let mut mangled = hello.clone();
    for _ in 0..8 {
        let at = rng.random_range(0..mangled.len());
        mangled[at] = rng.random();
    }
    let beginnings: [Vec<u8>; 6] = [
        noise.clone(),
        [&[0x16, 3, 1, 0xff, 0xff][..], &noise].concat(),
        hello[..half].to_vec(),
        [&hello[..half], &noise].concat(),
        [&hello, &noise[..]].concat(),
        mangled,
    ];
    let closed = async |line: &mut Line<TcpStream>| {
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, line.stream.read_to_end(&mut rest)).await.expect("it is closed");
        assert!(!String::from_utf8_lossy(&rest).contains("SIP/2.0"));
    };
    for bytes in &beginnings {
        let mut line = Line::to(us).await;
        let _ = line.stream.write_all(bytes).await;
        closed(&mut line).await;
    }
    let mut inside = tls_line(us, &ca).await;
    let _ = inside.stream.write_all(&noise).await;
    assert_eq!(inside.receive().await, None, "no SIP, sealed or not");
    let mut under = tls_line(us, &ca).await;
    let _ = under.stream.get_mut().0.write_all(&noise).await;
    assert_eq!(under.receive().await, None, "what is not sealed is nobody's");
    let mut good = tls_line(us, &ca).await;
    good.call(&mut calls, "a").await;
    server.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn tls_that_cannot_be_spoken_is_said_at_the_start() {
    let config = SipConfig {
        listen: "127.0.0.1:0".parse().expect("an address"),
        tls: Some(TlsConfig {
            listen: None,
            certificate: Some("/nowhere/cert.pem".into()),
            private_key: Some("/nowhere/key.pem".into()),
            ca: None,
        }),
        ..SipConfig::default()
    };
    let error = SipServer::bind(config, Arc::new(SystemClock)).await.expect_err("there is no such file");
    assert!(error.to_string().starts_with("the certificate `/nowhere/cert.pem` cannot be used for TLS: "), "{error}");
}

/// A dialog that came by datagram, whose Contact wants TCP: we open the connection.
#[tokio::test]
async fn our_requests_go_where_their_contact_says() {
    let (server, mut calls) = server(|_| {}).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
    let contact = listener.local_addr().expect("bound");
    let phone = Phone::facing(&server).await;
    let at = phone.socket.local_addr().expect("bound");
    let invite = phone.request("INVITE", 1, "a", "", SDP);
    phone
        .send(
            &invite
                .replace(&format!("Contact: <sip:ann@{at}>"), &format!("Contact: <sip:ann@{contact};transport=tcp>")),
        )
        .await;
    phone.expect("SIP/2.0 100 ").await;
    let mut call = next(&mut calls).await;
    order(&call, LegCommand::Answer { sdp: SDP.to_owned() }).await;
    let ok = phone.expect("SIP/2.0 200 ").await;
    phone.send(&phone.request("ACK", 1, "a", &to_tag(&ok), "")).await;
    assert_eq!(event(&mut call).await, Some(LegEvent::Established { sdp: None }));
    order(&call, LegCommand::Hangup).await;
    let (stream, ours) = timeout(PATIENCE, listener.accept()).await.expect("in time").expect("a connection");
    let mut line = Line { stream, ours, us: server.local_addr(), via: "TCP", buffer: Vec::new() };
    let bye = line.expect("BYE sip:ann@127.0.0.1:").await;
    assert!(bye.contains(&format!("Via: SIP/2.0/TCP {}", server.local_addr())), "{bye}");
    server.shutdown(Duration::ZERO).await;
}

/// Two of us, one calling the other: with TLS, only a certificate that we believe and that names whom we asked for.
#[tokio::test]
async fn a_call_of_ours_over_tls_wants_a_certificate_it_can_believe() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = tls(folder.path());
    let ca = config.ca.clone();
    let (callee, mut calls) = server(|sip| sip.tls = Some(config)).await;
    let us = callee.local_tls_addr().expect("we listen for TLS");
    for (ca, expected) in [(ca, LegEnd::LocalHangup), (None, LegEnd::Unreachable)] {
        let believing = TlsConfig { listen: None, certificate: None, private_key: None, ca };
        let (caller, _) = server(|sip| sip.tls = Some(believing)).await;
        let dial = Dial {
            to: Pii::new(format!("sips:bob@{us}")),
            trunk: None,
            caller: None,
            sdp: Some(SDP.to_owned()),
            ring_timeout: PATIENCE,
            headers: Vec::new(),
        };
        let mut leg = caller.dialer().dial(dial).await.expect("the call is tried");
        if expected == LegEnd::LocalHangup {
            let call = next(&mut calls).await;
            assert_eq!(call.transport, Transport::Tls);
            order(&call, LegCommand::Answer { sdp: SDP.to_owned() }).await;
        }
        let end = loop {
            match timeout(PATIENCE, leg.events.recv()).await.expect("in time").expect("the last word is Ended") {
                LegEvent::Established { .. } => leg.commands.send(LegCommand::Hangup).await.expect("the leg lives"),
                LegEvent::Ended(end) => break end,
                _ => {}
            }
        };
        assert_eq!(end, expected);
        caller.shutdown(PATIENCE).await;
    }
    callee.shutdown(PATIENCE).await;
}
