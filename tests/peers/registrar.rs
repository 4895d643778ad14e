//! Kamailio as registrar and proxy: it wants a password, stays in the path by Record-Route, forks, goes and comes back.

use std::fs;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;
use trunkline::pii::Pii;
use trunkline::sip::{
    Credentials, Dial, IncomingLeg, LegCommand, LegEnd, LegEvent, OutgoingLeg, Secret, SipConfig, SipServer, TrunkSpec,
    TrunkState, TrunkStatus,
};
use trunkline::time::SystemClock;

use super::uas::{Scenario, Uas, free_port, is_installed};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const PATIENCE: Duration = Duration::from_secs(40);

/// Kamailio with `kamailio/registrar.cfg`.
pub struct Kamailio {
    process: Child,
    folder: TempDir,
    pub port: u16,
}

/// What a test wants of it.
pub struct Wanted {
    pub algorithm: &'static str,
    /// Seconds that a registration lasts at least.
    pub shortest: u32,
    /// Ports that calls to nobody registered go to; two: both ring.
    pub callees: Vec<u16>,
    /// The registrar that those who register are sent to.
    pub moved: Option<u16>,
    /// The proxy that calls are to come by.
    pub route: Option<u16>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { algorithm: "MD5", shortest: 60, callees: vec![9], moved: None, route: None }
    }
}

impl Kamailio {
    pub fn start(wanted: &Wanted) -> Option<Self> {
        let port = free_port();
        let second = wanted.callees.get(1).map(u16::to_string).unwrap_or_default();
        let config = fs::read_to_string("tests/peers/kamailio/registrar.cfg").expect("its configuration is there");
        let config = config
            .replace("listen=LISTEN", &format!("listen=udp:127.0.0.1:{port}"))
            .replace("\"ALGORITHM\"", &format!("\"{}\"", wanted.algorithm))
            .replace("\"min_expires\", SHORTEST", &format!("\"min_expires\", {}", wanted.shortest))
            .replace("@CALLEE", &format!("@127.0.0.1:{}", wanted.callees[0]))
            .replace("@SECOND", &format!("@127.0.0.1:{second}"));
        let config = if second.is_empty() { config } else { config.replace("#FORK ", "") };
        let told = |config: String, word: &str, port: Option<u16>| match port {
            Some(port) => config
                .replace(&format!("        #{word} "), "        ")
                .replace(&format!("@{word}>"), &format!("@127.0.0.1:{port}>"))
                .replace(&format!("sip:{word};lr"), &format!("sip:127.0.0.1:{port};lr")),
            None => config,
        };
        Self::start_with(port, &told(told(config, "MOVED", wanted.moved), "ROUTE", wanted.route))
    }

    /// A proxy that adds itself to Path in front of a registrar.
    pub fn start_edge(registrar: u16) -> Option<Self> {
        let port = free_port();
        let config = fs::read_to_string("tests/peers/kamailio/edge.cfg").expect("its configuration is there");
        let config = config
            .replace("listen=LISTEN", &format!("listen=udp:127.0.0.1:{port}"))
            .replace("\"sip:REGISTRAR\"", &format!("\"sip:127.0.0.1:{registrar}\""));
        Self::start_with(port, &config)
    }

    /// A proxy that sends sound through the relay at `engine`, between the gateway and whoever answers at `callee`.
    pub fn start_relay(engine: u16, gateway: SocketAddr, callee: SocketAddr) -> Option<Self> {
        let port = free_port();
        let config = fs::read_to_string("tests/peers/kamailio/relay.cfg").expect("its configuration is there");
        let config = config
            .replace("listen=LISTEN", &format!("listen=udp:127.0.0.1:{port}"))
            .replace("udp:ENGINE", &format!("udp:127.0.0.1:{engine}"))
            .replace("@CALLEE", &format!("@{callee}"))
            .replace("127.0.0.1:GATEWAY", &gateway.to_string())
            .replace("== GATEWAY", &format!("== {}", gateway.port()));
        Self::start_with(port, &config)
    }

    /// A registrar and proxy that speaks nothing but TLS, with this certificate and key.
    pub fn start_secure(certificate: &Path, key: &Path) -> Option<Self> {
        let port = super::transport::free_port();
        let config = fs::read_to_string("tests/peers/kamailio/secure.cfg").expect("its configuration is there");
        let config = config
            .replace("listen=LISTEN", &format!("listen=tls:127.0.0.1:{port}"))
            .replace("CERTIFICATE", &certificate.display().to_string())
            .replace("\"KEY\"", &format!("\"{}\"", key.display()));
        let kamailio = Self::run_with(port, &config)?;
        let give_up = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < give_up, "kamailio never listens:\n{}", kamailio.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(kamailio)
    }

    /// A registrar that takes connections at `inside` and tells everybody that it does at `router`; datagrams as usual.
    /// `pem` holds the certificate and the key of one that wants TLS.
    pub fn start_behind(inside: u16, router: u16, pem: Option<&Path>) -> Option<Self> {
        let port = free_port();
        let config = fs::read_to_string("tests/peers/kamailio/registrar.cfg").expect("its configuration is there");
        let transport = if pem.is_some() { "tls" } else { "tcp" };
        let tls = pem.map(|pem| {
            let files = ["certificate", "private_key"].map(|what| format!("modparam(\"tls\", \"{what}\", {pem:?})\n"));
            // Its own default is TLS 1.0 and nothing else.
            format!("loadmodule \"tls.so\"\nmodparam(\"tls\", \"tls_method\", \"TLSv1.2+\")\n{}", files.concat())
        });
        let listen = format!(
            "listen=udp:127.0.0.1:{port}\nlisten={transport}:127.0.0.1:{inside} advertise 127.0.0.1:{router}\n{}",
            if pem.is_some() { "enable_tls=yes" } else { "" }
        );
        let config = config
            .replace("listen=LISTEN", &listen)
            .replace("loadmodule \"kex.so\"", &format!("loadmodule \"kex.so\"\n{}", tls.unwrap_or_default()))
            .replace("\"ALGORITHM\"", "\"MD5\"")
            .replace("\"min_expires\", SHORTEST", "\"min_expires\", 60");
        Self::start_with(port, &config)
    }

    fn start_with(port: u16, config: &str) -> Option<Self> {
        let kamailio = Self::run_with(port, config)?;
        kamailio.wait_until_it_answers();
        Some(kamailio)
    }

    fn run_with(port: u16, config: &str) -> Option<Self> {
        if !is_installed("kamailio", "kamailio") {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder for kamailio");
        fs::write(folder.path().join("kamailio.cfg"), config).expect("its configuration can be written");
        let process = Self::run(&folder);
        Some(Self { process, folder, port })
    }

    fn run(folder: &TempDir) -> Child {
        let log = fs::File::create(folder.path().join("log")).expect("its log can be kept");
        Command::new("kamailio")
            .args(["-f", "kamailio.cfg", "-DD", "-E", "-m", "32", "-M", "4", "-Y", ".", "-w", "."])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("kamailio runs")
    }

    fn wait_until_it_answers(&self) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        let local = socket.local_addr().expect("bound");
        let port = self.port;
        let give_up = Instant::now() + PATIENCE;
        let mut attempt = 0;
        while Instant::now() < give_up {
            attempt += 1;
            let ping = format!(
                "OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKp{attempt};rport\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:p@{local}>;tag=p\r\nTo: <sip:127.0.0.1:{port}>\r\n\
                 Call-ID: p{attempt}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            );
            let _ = socket.send_to(ping.as_bytes(), ("127.0.0.1", port));
            let mut answer = [0; 4096];
            match socket.recv(&mut answer) {
                Ok(_) => return,
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
        panic!("kamailio never answers:\n{}", self.log());
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Stops it; what was registered is forgotten.
    fn stop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        let give_up = Instant::now() + Duration::from_secs(10);
        while Instant::now() < give_up && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn start_again(&mut self) {
        self.process = Self::run(&self.folder);
        self.wait_until_it_answers();
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A gateway of ours with Kamailio as its trunk.
pub struct House {
    pub server: SipServer,
    pub calls: mpsc::Receiver<IncomingLeg>,
}

impl House {
    pub async fn registered_with(port: u16, password: &str) -> Self {
        Self::behind(port, Some(password), true).await
    }

    pub async fn behind(port: u16, password: Option<&str>, register: bool) -> Self {
        Self::edited(port, password, register, |_| {}).await
    }

    /// The same, with other settings.
    pub async fn edited(port: u16, password: Option<&str>, register: bool, edit: impl FnOnce(&mut SipConfig)) -> Self {
        let credentials =
            password.map(|password| Credentials { username: "acct7".to_owned(), password: Secret::new(password) });
        let at = ([127, 0, 0, 1], port).into();
        let trunk =
            TrunkSpec { credentials, register, expires: Duration::from_secs(60), ..TrunkSpec::at("carrier", at) };
        let listen = "127.0.0.1:0".parse().expect("an address");
        let mut config = SipConfig { listen, trunks: vec![trunk], ..SipConfig::default() };
        edit(&mut config);
        let (server, calls) = SipServer::bind(config, Arc::new(SystemClock)).await.expect("a free port on loopback");
        Self { server, calls }
    }

    /// Waits until its trunk is as wanted, and says how long that took.
    pub async fn waits_for(&self, what: &str, wanted: impl Fn(&TrunkStatus) -> bool) -> Duration {
        let start = Instant::now();
        loop {
            let status = self.server.dialer().trunks().await.into_iter().next();
            if status.as_ref().is_some_and(&wanted) {
                return start.elapsed();
            }
            assert!(start.elapsed() < PATIENCE, "never {what}: {status:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn calls(&self, user: &str, port: u16) -> OutgoingLeg {
        let dial = Dial {
            to: Pii::new(format!("sip:{user}@127.0.0.1:{port}")),
            trunk: Some("carrier".into()),
            caller: None,
            sdp: Some(SDP.to_owned()),
            ring_timeout: Duration::from_secs(15),
            headers: Vec::new(),
        };
        self.server.dialer().dial(dial).await.expect("dialable")
    }
}

pub async fn next(events: &mut mpsc::Receiver<LegEvent>) -> LegEvent {
    loop {
        match timeout(PATIENCE, events.recv()).await.expect("in time").expect("the leg lives") {
            LegEvent::Progress { .. } | LegEvent::Ladder(_) | LegEvent::Reason(_) => {}
            event => return event,
        }
    }
}

pub fn is_registered(status: &TrunkStatus) -> bool {
    matches!(status.state, TrunkState::Registered { .. })
}

/// Somebody calls the registered gateway through Kamailio; both sides hang up through it.
pub async fn is_reached(house: &mut House, port: u16) {
    let caller = House::behind(port, None, false).await;
    for theirs in [true, false] {
        let mut leg = caller.calls("acct7", port).await;
        let mut incoming = timeout(PATIENCE, house.calls.recv()).await.expect("in time").expect("the server lives");
        incoming.commands.send(LegCommand::Answer { sdp: SDP.to_owned() }).await.expect("the leg lives");
        assert!(matches!(next(&mut leg.events).await, LegEvent::Established { sdp: Some(_) }));
        assert!(matches!(next(&mut incoming.events).await, LegEvent::Established { .. }));
        let (first, second) = match theirs {
            true => (&mut leg.events, &mut incoming.events),
            false => (&mut incoming.events, &mut leg.events),
        };
        let commands = if theirs { &leg.commands } else { &incoming.commands };
        commands.send(LegCommand::Hangup).await.expect("the leg lives");
        assert_eq!(next(first).await, LegEvent::Ended(LegEnd::LocalHangup));
        assert_eq!(next(second).await, LegEvent::Ended(LegEnd::RemoteHangup), "the BYE finds its way back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registered_gateway_is_reached_through_its_registrar() {
    for algorithm in ["MD5", "SHA-256"] {
        let Some(kamailio) = Kamailio::start(&Wanted { algorithm, ..Wanted::default() }) else { return };
        let mut house = House::registered_with(kamailio.port, "zanzibar").await;
        house.waits_for("registered", is_registered).await;
        is_reached(&mut house, kamailio.port).await;
        // De-registered: the proxy knows nobody of that name any more and asks a caller who it is.
        house.server.shutdown(Duration::from_secs(3)).await;
        let caller = House::behind(kamailio.port, None, false).await;
        let mut leg = caller.calls("acct7", kamailio.port).await;
        let end = LegEvent::Ended(LegEnd::Refused { status: 407, cause: None });
        assert_eq!(next(&mut leg.events).await, end, "{algorithm}: still registered\n{}", kamailio.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_and_not_tried_again_at_once() {
    let Some(kamailio) = Kamailio::start(&Wanted::default()) else { return };
    let house = House::registered_with(kamailio.port, "wrong").await;
    let refused =
        |status: &TrunkStatus| matches!(status.state, TrunkState::Waiting { .. }) && status.last_status == Some(401);
    house.waits_for("refused", refused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registrar_that_was_restarted_finds_us_again() {
    let Some(mut kamailio) = Kamailio::start(&Wanted { shortest: 60, ..Wanted::default() }) else { return };
    let mut house = House::registered_with(kamailio.port, "zanzibar").await;
    house.waits_for("registered", is_registered).await;
    let before = Instant::now();
    kamailio.stop();
    kamailio.start_again();
    // It has forgotten us; the next refresh, half a minute after the first, makes us known again.
    let caller = House::behind(kamailio.port, None, false).await;
    loop {
        let mut leg = caller.calls("acct7", kamailio.port).await;
        match timeout(Duration::from_millis(500), house.calls.recv()).await {
            Ok(Some(incoming)) => {
                leg.commands.send(LegCommand::Hangup).await.expect("the leg lives");
                drop(incoming);
                break;
            }
            _ => drop(next(&mut leg.events).await),
        }
        assert!(before.elapsed() < Duration::from_secs(35), "not found again\n{}", kamailio.log());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    is_reached(&mut house, kamailio.port).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registrar_that_comes_up_late_is_registered_with() {
    let Some(mut kamailio) = Kamailio::start(&Wanted::default()) else { return };
    kamailio.stop();
    let house = House::registered_with(kamailio.port, "zanzibar").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    kamailio.start_again();
    let took = house.waits_for("registered", is_registered).await;
    assert!(took < Duration::from_secs(35), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_through_a_proxy_that_wants_a_password_stay_on_its_route() {
    for algorithm in ["MD5", "SHA-256"] {
        // Behind a proxy the last request's headers are the ones to answer with: there are two Vias and a route.
        let scenario = Scenario::default()
            .receives_saying("INVITE", "Record-Route:", "sip:127")
            .answers_last("180 Ringing", false)
            .answers_last("200 OK", true)
            .talks_until_bye();
        let Some(uas) = Uas::start(&scenario) else { return };
        let Some(kamailio) = Kamailio::start(&Wanted { algorithm, callees: vec![uas.port], ..Wanted::default() })
        else {
            return;
        };
        let house = House::behind(kamailio.port, Some("zanzibar"), false).await;
        let mut leg = house.calls("5550100", kamailio.port).await;
        assert!(matches!(next(&mut leg.events).await, LegEvent::Established { sdp: Some(_) }), "{}", kamailio.log());
        leg.commands.send(LegCommand::Hangup).await.expect("the leg lives");
        assert_eq!(next(&mut leg.events).await, LegEvent::Ended(LegEnd::LocalHangup));
        tokio::task::spawn_blocking(move || uas.finish()).await.expect("the scenario went well");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_telephones_that_ring_the_first_to_answer_wins() {
    let rings = || Scenario::default().receives("INVITE").answers_last("180 Ringing", false);
    let slow = rings().receives("CANCEL").confirms();
    let quick = rings().waits(500).answers_last("200 OK", true).talks_until_bye();
    let (Some(slow), Some(quick)) = (Uas::start(&slow), Uas::start(&quick)) else { return };
    let callees = vec![slow.port, quick.port];
    let Some(kamailio) = Kamailio::start(&Wanted { callees, ..Wanted::default() }) else { return };
    let house = House::behind(kamailio.port, Some("zanzibar"), false).await;
    let mut leg = house.calls("5550100", kamailio.port).await;
    assert!(matches!(next(&mut leg.events).await, LegEvent::Established { sdp: Some(_) }), "{}", kamailio.log());
    leg.commands.send(LegCommand::Hangup).await.expect("the leg lives");
    assert_eq!(next(&mut leg.events).await, LegEvent::Ended(LegEnd::LocalHangup));
    for uas in [slow, quick] {
        tokio::task::spawn_blocking(move || uas.finish()).await.expect("the scenario went well");
    }
}

/// What Kamailio does not do by itself, SIPp does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registrar_that_insists_on_longer_registrations_gets_them() {
    let granted = "Contact: <sip:acct7@[remote_ip]:[remote_port]>;expires=1800\n";
    let scenario = Scenario::default()
        .receives_saying("REGISTER", "Expires:", "^ *60")
        .replies("423 Interval Too Brief", "Min-Expires: 1800\n")
        .receives_saying("REGISTER", "Expires:", "^ *1800")
        .replies("200 OK", granted)
        .receives_saying("REGISTER", "Expires:", "^ *0")
        .replies("200 OK", "");
    let Some(uas) = Uas::start(&scenario) else { return };
    let house = House::registered_with(uas.port, "zanzibar").await;
    house.waits_for("registered", is_registered).await;
    house.server.shutdown(Duration::from_secs(3)).await;
    tokio::task::spawn_blocking(move || uas.finish()).await.expect("the scenario went well");
}
