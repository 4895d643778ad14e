//! Linphone as the far end: a whole softphone without a screen, told over its standard input what its user does.
//!
//! `linphone-daemon` opens no port of its own accord: it is told which one (`port sip N udp`), and needs a folder for
//! what it keeps (`~/.local/share/linphone`).

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::house::{Gateway, Settings};
use super::registrar::Kamailio;
use super::uas::{free_port, is_installed};

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// A running Linphone; it is killed when this goes.
pub struct Linphone {
    process: Child,
    orders: ChildStdin,
    folder: tempfile::TempDir,
    /// Where it listens.
    pub port: u16,
    transport: &'static str,
}

impl Linphone {
    /// Starts one that lifts whenever it is called; `None`, with a reason, where there is none.
    pub fn start(name: &str, transport: &'static str, settings: &str) -> Option<Self> {
        if !is_installed("linphone-daemon", "linphone-cli") {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (port, sound) = (free_port(), free_port());
        // Without a place for what it keeps it does not come up.
        fs::create_dir_all(folder.path().join(".local/share/linphone")).expect("a folder for what it keeps");
        let home = if settings.contains("default_proxy") { "" } else { "default_proxy=-1\n" };
        let rc = format!(
            "[sip]\ncontact=\"{name}\" <sip:{name}@home.example>\nuse_ipv6=0\nipv6_migration_done=1\nguess_hostname=0\n\
             {home}verify_server_certs=0\nverify_server_cn=0\n{settings}\n[rtp]\naudio_rtp_port={sound}\n\
             [sound]\nechocancellation=0\n[video]\nenabled=0\ncapture=0\ndisplay=0\n[misc]\nversion_check_url_root=\n"
        );
        fs::write(folder.path().join("rc"), rc).expect("its settings can be written");
        let out = fs::File::create(folder.path().join("out")).expect("a file for what it says");
        let mut process = Command::new("linphone-daemon")
            .args(["--config", "rc", "--disable-stats-events", "--auto-answer", "--log", "log"])
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(out.try_clone().expect("a second handle"))
            .stderr(out)
            .spawn()
            .expect("linphone-daemon starts");
        let orders = process.stdin.take().expect("it is told what to do");
        let mut phone = Self { process, orders, folder, port, transport };
        phone.order(&format!("port sip {port} {transport}"));
        phone.wait_until("it listens", |phone| match phone.transport {
            "udp" => UdpSocket::bind(("0.0.0.0", phone.port)).is_err(),
            _ => TcpListener::bind(("0.0.0.0", phone.port)).is_err(),
        });
        Some(phone)
    }

    /// How it is called.
    pub fn uri(&self) -> String {
        format!("sip:linphone@127.0.0.1:{};transport={}", self.port, self.transport)
    }

    /// What its user does: `call URI`, `call-pause`, `call-resume`, `dtmf 1`, `terminate`.
    pub fn order(&mut self, words: &str) {
        writeln!(self.orders, "{words}").expect("it takes orders");
    }

    /// Waits until a call of its is in this state, such as `StreamsRunning`, for the `count`th time.
    pub fn is(&mut self, state: &str, count: usize) {
        let wanted = format!("LinphoneCall{state}");
        self.wait_until(&wanted, |phone| phone.said("out").matches(&wanted).count() >= count);
    }

    fn wait_until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let give_up = Instant::now() + PATIENCE;
        while !holds(self) {
            let (out, log) = (self.said("out"), self.said("log"));
            let end = log.floor_char_boundary(log.len().saturating_sub(6_000));
            assert!(Instant::now() < give_up, "not so: {what}; linphone says\n{out}\n{}", &log[end..]);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn said(&self, file: &str) -> String {
        let text = fs::read(self.folder.path().join(file)).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn patient(more: Settings) -> Settings {
    Settings { plan: "tests/gateway/patient.yaml".into(), ..more }
}

fn turn_with_key(record: &Value, keys: &str) -> bool {
    record["turns"].as_array().is_some_and(|turns| turns.iter().any(|turn| turn["keys"] == keys))
}

#[test]
fn linphone_calls_holds_resumes_presses_a_key_and_is_served() {
    let Some(mut phone) = Linphone::start("ann", "udp", "") else { return };
    let gateway = Gateway::start(patient(Settings::default()));
    phone.order(&format!("call sip:1000@{}", gateway.sip));
    phone.is("StreamsRunning", 1);
    phone.order("call-pause 1");
    phone.is("Paused", 1);
    std::thread::sleep(Duration::from_secs(1));
    phone.order("call-resume 1");
    phone.is("StreamsRunning", 2);
    std::thread::sleep(Duration::from_secs(1));
    phone.order("dtmf 2");
    phone.is("Released", 1);
    let record = gateway.record();
    assert_eq!((&record["end"]["why"], &record["result"]), (&"completed".into(), &"enough".into()), "{record:#}");
    assert!(turn_with_key(&record, "2"), "{record:#}");
    let requests = |method: &str| {
        let rungs = record["ladder"]["rungs"].as_array().expect("a ladder");
        rungs.iter().filter(|rung| rung["line"].as_str().is_some_and(|line| line.starts_with(method))).count()
    };
    assert!(requests("INVITE ") >= 3, "hold and resume stand in the ladder: {record:#}");
}

#[test]
fn linphone_is_called_over_tcp_and_hangs_up() {
    let Some(mut phone) = Linphone::start("bob", "tcp", "") else { return };
    let gateway = Gateway::start(Settings::default());
    let uri = phone.uri();
    let mut child = gateway.begin(&["call", &uri, "--plan", "tests/gateway/patient.yaml", "--json"]);
    phone.is("StreamsRunning", 1);
    std::thread::sleep(Duration::from_secs(1));
    phone.order("terminate");
    let status = child.wait().expect("the command ends");
    let record = gateway.record();
    assert_eq!(status.code(), Some(0), "{record:#}\n{}", gateway.log());
    assert_eq!((&record["end"]["why"], &record["disposition"]), (&"caller_hung_up".into(), &"answered".into()));
    assert_eq!(record["ladder"]["rungs"][0]["transport"], "tcp");
}

#[test]
fn linphone_and_we_encrypt_when_it_asks_for_it() {
    let Some(mut phone) = Linphone::start("ann", "udp", "media_encryption=srtp\nmedia_encryption_mandatory=1") else {
        return;
    };
    let gateway = Gateway::start(patient(Settings { rtp: "srtp = \"required\"".to_owned(), ..Settings::default() }));
    phone.order("media-encryption srtp");
    phone.order(&format!("call sip:1000@{}", gateway.sip));
    phone.is("StreamsRunning", 1);
    std::thread::sleep(Duration::from_secs(2));
    phone.order("terminate");
    phone.is("Released", 1);
    let record = gateway.record();
    assert!(record["media"]["secured"].as_str().is_some_and(|suite| suite.starts_with("AES")), "{record:#}");
}

/// A certificate for this machine and its key, as a gateway and a proxy read them.
fn certificate() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, made.cert.pem()).expect("a file");
    fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    (folder, certificate, key)
}

const ENCRYPTS: &str = "media_encryption=srtp\nmedia_encryption_mandatory=1";

/// Every message of the call went over TLS, and its sound encrypted.
fn is_sealed(record: &Value) {
    for rung in record["ladder"]["rungs"].as_array().expect("a ladder") {
        assert_eq!(rung["transport"], "tls", "{record:#}");
    }
    assert!(record["media"]["secured"].as_str().is_some_and(|suite| suite.starts_with("AES")), "{record:#}");
}

/// Nobody can connect to a Linphone by TLS: what we ask of it goes over the connection it has opened.
#[test]
fn linphone_calls_over_tls_and_is_held_and_hung_up_on_over_its_own_connection() {
    let (_folder, certificate, key) = certificate();
    let Some(mut phone) = Linphone::start("ann", "tls", ENCRYPTS) else { return };
    let us = SocketAddr::from(([127, 0, 0, 1], super::transport::free_port()));
    let sip = format!("tls_listen = \"{us}\"\ncertificate = {certificate:?}\nprivate_key = {key:?}");
    let rtp = "srtp = \"required\"".to_owned();
    let gateway = Gateway::start(patient(Settings { sip, rtp, ..Settings::default() }));
    phone.order("media-encryption srtp");
    phone.order(&format!("call sip:1000@{us};transport=tls"));
    phone.is("StreamsRunning", 1);
    let live = gateway.ask(r#"{"do":"calls"}"#);
    let id = live["calls"][0]["call"].as_str().expect("a live call").to_owned();
    for (order, state) in [("hold", "PausedByRemote"), ("resume", "StreamsRunning")] {
        assert_eq!(gateway.ask(&format!(r#"{{"do":"{order}","call":"{id}"}}"#))["ok"], id);
        phone.is(state, if order == "hold" { 1 } else { 2 });
    }
    std::thread::sleep(Duration::from_secs(1));
    phone.order("dtmf 2");
    phone.is("Released", 1);
    let record = gateway.record();
    assert_eq!((&record["end"]["why"], &record["result"]), (&"completed".into(), &"enough".into()), "{record:#}");
    is_sealed(&record);
}

/// … so we call it through its registrar, over TLS all the way.
#[test]
fn linphone_is_called_over_tls_through_its_registrar_and_hangs_up() {
    let (_folder, certificate, key) = certificate();
    let Some(home) = Kamailio::start_secure(&certificate, &key) else { return };
    let Some(mut phone) = Linphone::start("bob", "tls", ENCRYPTS) else { return };
    let us = SocketAddr::from(([127, 0, 0, 1], super::transport::free_port()));
    let sip =
        format!("tls_listen = \"{us}\"\ncertificate = {certificate:?}\nprivate_key = {key:?}\nca = {certificate:?}");
    let gateway = Gateway::start(Settings { sip, rtp: "srtp = \"required\"".to_owned(), ..Settings::default() });
    let home = format!("127.0.0.1:{};transport=tls", home.port);
    phone.order("media-encryption srtp");
    phone.order(&format!("register sip:bob@127.0.0.1 sip:{home}"));
    phone.wait_until("it is registered", |phone| phone.said("log").contains("LinphoneRegistrationOk"));
    let to = format!("sip:bob@{home}");
    let mut call = gateway.begin(&["call", &to, "--plan", "tests/gateway/patient.yaml", "--json"]);
    phone.is("StreamsRunning", 1);
    std::thread::sleep(Duration::from_secs(2));
    phone.order("terminate");
    let status = call.wait().expect("the command ends");
    let record = gateway.record();
    assert_eq!(status.code(), Some(0), "{record:#}\n{}", gateway.log());
    assert_eq!((&record["end"]["why"], &record["disposition"]), (&"caller_hung_up".into(), &"answered".into()));
    is_sealed(&record);
}
