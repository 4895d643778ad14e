//! Connections through a router that rewrites addresses, to a registrar on its other side: it reaches us along the
//! connection that we have opened, and nowhere else.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use trunkline::sip::{LegCommand, PublicAddress, TlsConfig};

use super::registrar::{House, Kamailio, is_reached, is_registered, next};
use super::transport::free_port;

/// Whoever connects to it is connected to the registrar, from a port of the router's own.
struct Router(Arc<Mutex<JoinSet<()>>>);

impl Router {
    async fn start(port: u16, registrar: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let taken = connections.clone();
        tokio::spawn(async move {
            while let Ok((mut here, _)) = listener.accept().await {
                taken.lock().expect("whole").spawn(async move {
                    if let Ok(mut there) = TcpStream::connect(("127.0.0.1", registrar)).await {
                        let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
                    }
                });
            }
        });
        Self(connections)
    }

    /// Forgets its connections, as routers do.
    fn forgets(&self) {
        self.0.lock().expect("whole").abort_all();
    }
}

fn certificate(folder: &Path) -> TlsConfig {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let (ca, both) = (folder.join("ca.pem"), folder.join("both.pem"));
    std::fs::write(&ca, made.cert.pem()).expect("a file");
    std::fs::write(&both, made.cert.pem() + &made.signing_key.serialize_pem()).expect("a file");
    TlsConfig { listen: None, certificate: None, private_key: None, ca: Some(ca) }
}

/// Somebody else calls through the registrar, again and again until such a call comes.
async fn is_found(house: &mut House, port: u16, patience: Duration) {
    let caller = House::behind(port, None, false).await;
    let start = Instant::now();
    loop {
        let mut leg = caller.calls("acct7", port).await;
        let comes =
            async { while house.calls.recv().await.expect("the server lives").sip_call_id != leg.sip_call_id {} };
        let found = timeout(Duration::from_secs(1), comes).await.is_ok();
        // Refused already, perhaps.
        let _ = leg.commands.send(LegCommand::Hangup).await;
        next(&mut leg.events).await;
        if found {
            return;
        }
        assert!(start.elapsed() < patience, "not found again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registrar_beyond_a_router_reaches_us_along_the_connection_we_opened_and_along_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    for secure in [false, true] {
        let (inside, outside) = (free_port(), free_port());
        let tls = secure.then(|| certificate(folder.path()));
        let pem = folder.path().join("both.pem");
        let Some(kamailio) = Kamailio::start_behind(inside, outside, secure.then_some(pem.as_path())) else { return };
        let router = Router::start(outside, inside).await;
        let mut house = House::edited(outside, Some("zanzibar"), true, |config| {
            config.advertise = Some("192.0.2.99".parse().expect("an address"));
            config.tls = tls;
            config.trunks[0].uri = format!("sip:127.0.0.1:{outside};transport={}", if secure { "tls" } else { "tcp" });
            config.trunks[0].expires = Duration::from_secs(600);
            config.trunks[0].public = PublicAddress::Learn;
        })
        .await;
        house.waits_for("registered", is_registered).await;
        is_reached(&mut house, kamailio.port).await;
        // The next refresh is minutes away.
        router.forgets();
        is_found(&mut house, kamailio.port, Duration::from_secs(20)).await;
        is_reached(&mut house, kamailio.port).await;
        house.server.shutdown(Duration::from_secs(3)).await;
    }
}

/// Half a minute of nothing to say, over a connection of ours (RFC 5626 §4.4.1). Only in the long run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_with_nothing_to_say_shows_signs_of_life() {
    if std::env::var("TRUNKLINE_LONG").as_deref() != Ok("1") {
        return println!("left out: half a minute of waiting is for TRUNKLINE_LONG=1");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let _house = House::edited(port, None, true, |config| {
        config.trunks[0].uri = format!("sip:127.0.0.1:{port};transport=tcp");
    })
    .await;
    let (mut connection, _) = listener.accept().await.expect("it registers");
    let mut heard = Vec::new();
    let silent = timeout(Duration::from_secs(30), async {
        while !heard.ends_with(b"\r\n\r\n\r\n\r\n") {
            let mut part = [0; 4096];
            let length = connection.read(&mut part).await.expect("the connection stands");
            assert!(length > 0, "hung up after {heard:?}");
            heard.extend_from_slice(&part[..length]);
        }
    });
    silent.await.expect("a sign of life in time");
    assert!(heard.starts_with(b"REGISTER ") && heard.windows(9).filter(|seen| seen == b"REGISTER ").count() == 1);
}
