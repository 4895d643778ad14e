//! A gateway under test as a process of its own, and a caller who can misbehave.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::disallowed_methods, reason = "a test of a live gateway has to live in its time")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// `trunkline serve` on a free loopback port, with a data folder of its own that goes when it does.
pub struct Gateway {
    pub process: Child,
    pub sip: SocketAddr,
    pub rtp_ports: (u16, u16),
    pub data: tempfile::TempDir,
    pub config: PathBuf,
}

/// What a test may want otherwise than usual.
pub struct Settings {
    pub plan: PathBuf,
    /// Appended to the configuration file.
    pub extra: String,
    /// `None`: what the environment says.
    pub models: Option<PathBuf>,
    /// Added to `[rtp]`.
    pub rtp_timeout: &'static str,
    /// `[recording] directory`.
    pub recordings: Option<PathBuf>,
    /// A data folder to go on with.
    pub data: Option<tempfile::TempDir>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plan: PathBuf::from("tests/support/quick.yaml"),
            extra: String::new(),
            models: None,
            rtp_timeout: "20s",
            recordings: None,
            data: None,
        }
    }
}

impl Gateway {
    pub fn start(settings: Settings) -> Self {
        let data = settings.data.unwrap_or_else(|| tempfile::tempdir().expect("a temporary folder"));
        let sip = free_address();
        // Two hundred ports, away from other tests: the free SIP port picks the block.
        let first = 20_000 + (sip.port() % 180) * 200;
        let rtp_ports = (first, first + 199);
        let plan = fs::canonicalize(&settings.plan).expect("the plan exists");
        let recordings = settings.recordings.unwrap_or_else(|| data.path().join("recordings"));
        let config = data.path().join("trunkline.toml");
        let text = format!(
            "data_dir = {data:?}\n[sip]\nlisten = \"{sip}\"\n[rtp]\naddress = \"127.0.0.1\"\nports = \"{}-{}\"\n\
             timeout = \"{}\"\n[recording]\nenabled = true\ndirectory = {recordings:?}\n[[route]]\nnumber = \"1000\"\nplan = {plan:?}\n{}",
            rtp_ports.0,
            rtp_ports.1,
            settings.rtp_timeout,
            settings.extra,
            data = data.path(),
        );
        fs::write(&config, text).expect("the configuration can be written");
        let log = File::create(data.path().join("serve.log")).expect("a log file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
        command.args(["serve", "-c"]).arg(&config).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a second handle")).stderr(log).env_remove("RUST_LOG");
        if let Some(models) = settings.models {
            command.env("TRUNKLINE_MODELS", models).env_remove("ORT_DYLIB_PATH").env("XDG_DATA_HOME", data.path());
        }
        let process = command.spawn().expect("trunkline starts");
        let mut gateway = Self { process, sip, rtp_ports, data, config };
        gateway.wait_until_it_answers();
        gateway
    }

    fn wait_until_it_answers(&mut self) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        let local = socket.local_addr().expect("bound");
        for attempt in 0..600 {
            if let Some(status) = self.process.try_wait().expect("the process can be asked") {
                panic!("the gateway ended at once ({status}):\n{}", self.log());
            }
            let ping = format!(
                "OPTIONS sip:{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKping{attempt};rport\r\nMax-Forwards: 70\r\n\
                 From: <sip:ping@{local}>;tag=p{attempt}\r\nTo: <sip:{sip}>\r\nCall-ID: ping{attempt}@{local}\r\n\
                 CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
                sip = self.sip,
            );
            let _ = socket.send_to(ping.as_bytes(), self.sip);
            let mut answer = [0; 4096];
            if socket.recv(&mut answer).is_ok_and(|size| answer[..size].starts_with(b"SIP/2.0 200")) {
                return;
            }
        }
        panic!("the gateway never answered OPTIONS:\n{}", self.log());
    }

    pub fn log(&self) -> String {
        let mut text = String::new();
        let read = File::open(self.data.path().join("serve.log")).and_then(|mut file| file.read_to_string(&mut text));
        if read.is_err() { "(no log)".to_owned() } else { text }
    }

    /// Records so far, oldest first, through the command a person would use.
    pub fn records(&self) -> Vec<Value> {
        let run = |words: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_trunkline"))
                .args(words)
                .arg("-c")
                .arg(&self.config)
                .output()
                .expect("trunkline runs");
            assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice::<Value>(&output.stdout).expect("--json prints JSON")
        };
        let listed = run(&["calls", "--json", "--limit", "1000"]);
        let ids =
            listed.as_array().expect("a list").iter().rev().map(|call| call["id"].as_str().expect("an id").to_owned());
        ids.map(|id| run(&["calls", "show", &id, "--json"])).collect()
    }

    /// Waits for the record number `count`, which is written after the call is over.
    pub fn wait_for_records(&self, count: usize, within: Duration) -> Vec<Value> {
        let give_up = Instant::now() + within;
        loop {
            let records = self.records();
            if records.len() >= count {
                return records;
            }
            assert!(
                Instant::now() < give_up,
                "{} of {count} records after {within:?}; log:\n{}",
                records.len(),
                self.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One caller with a SIP socket and an RTP socket, polite unless told otherwise.
pub struct Caller {
    pub sip: UdpSocket,
    pub rtp: UdpSocket,
    gateway: SocketAddr,
    call: String,
    number: String,
    to_tag: String,
    pub media: Option<SocketAddr>,
    sequence: u16,
    stamp: u32,
    cseq: u32,
}

impl Caller {
    pub fn new(gateway: &Gateway, number: &str) -> Self {
        let socket = |timeout: u64| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            socket.set_read_timeout(Some(Duration::from_millis(timeout))).expect("a timeout");
            socket
        };
        let sip = socket(50);
        let call = format!("test-{}-{}", sip.local_addr().expect("bound").port(), std::process::id());
        Self {
            sip,
            rtp: socket(1),
            gateway: gateway.sip,
            call,
            number: number.to_owned(),
            to_tag: String::new(),
            media: None,
            sequence: 7,
            stamp: 1234,
            cseq: 1,
        }
    }

    pub fn sdp(&self) -> String {
        let port = self.rtp.local_addr().expect("bound").port();
        format!(
            "v=0\r\no=test 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"
        )
    }

    pub fn request(&self, method: &str, called: &str, body: &str) -> String {
        let local = self.sip.local_addr().expect("bound");
        let mut text = format!(
            "{method} sip:{called}@{gateway} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{call}{cseq}{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{number}@{local}>;tag=f{call}\r\nTo: <sip:{called}@{gateway}>{tag}\r\n\
             Call-ID: {call}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{number}@{local}>\r\n",
            gateway = self.gateway,
            call = self.call,
            cseq = self.cseq,
            branch = if method == "ACK" { "a" } else { "" },
            number = self.number,
            tag = if self.to_tag.is_empty() { String::new() } else { format!(";tag={}", self.to_tag) },
        );
        if !body.is_empty() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        text
    }

    pub fn send(&self, text: &str) {
        self.sip.send_to(text.as_bytes(), self.gateway).expect("loopback accepts datagrams");
    }

    /// The next SIP message, if one comes within `within`; RTP keeps arriving meanwhile and waits in its socket.
    pub fn receive(&self, within: Duration) -> Option<String> {
        let give_up = Instant::now() + within;
        let mut buffer = [0; 8192];
        while Instant::now() < give_up {
            if let Ok(size) = self.sip.recv(&mut buffer) {
                return Some(String::from_utf8_lossy(&buffer[..size]).into_owned());
            }
        }
        None
    }

    /// INVITE, and what finally came of it: its status. Answers are not acknowledged.
    pub fn invite(&mut self, called: &str) -> u16 {
        let body = self.sdp();
        self.invite_with(called, &body)
    }

    pub fn invite_with(&mut self, called: &str, body: &str) -> u16 {
        let invite = self.request("INVITE", called, body);
        self.send(&invite);
        let give_up = Instant::now() + Duration::from_secs(10);
        while Instant::now() < give_up {
            let Some(answer) = self.receive(Duration::from_secs(1)) else {
                self.send(&invite);
                continue;
            };
            let status = status_of(&answer).expect("an answer, not a request");
            if status < 200 {
                continue;
            }
            self.to_tag =
                header(&answer, "To").and_then(|to| to.split("tag=").nth(1).map(str::to_owned)).unwrap_or_default();
            self.media = media_of(&answer);
            return status;
        }
        panic!("no final answer to INVITE");
    }

    pub fn ack(&self, called: &str) {
        self.send(&self.request("ACK", called, ""));
    }

    /// Calls 1000 and stays on the line.
    pub fn dial(gateway: &Gateway, number: &str) -> Self {
        let mut caller = Self::new(gateway, number);
        assert_eq!(caller.invite("1000"), 200, "log:\n{}", gateway.log());
        caller.ack("1000");
        caller
    }

    pub fn hang_up(&mut self) {
        self.cseq += 1;
        let bye = self.request("BYE", "1000", "");
        self.send(&bye);
        let answer = self.receive(Duration::from_secs(2)).expect("BYE is answered");
        assert_eq!(status_of(&answer), Some(200), "{answer}");
    }

    /// One 20 ms packet of mu-law.
    pub fn send_frame(&mut self, payload: &[u8; 160]) {
        self.send_rtp(0, false, self.stamp, payload);
        self.stamp = self.stamp.wrapping_add(160);
    }

    pub fn send_rtp(&mut self, payload_type: u8, marker: bool, stamp: u32, payload: &[u8]) {
        let mut packet = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(stamp.to_be_bytes());
        packet.extend(0xCA11_u32.to_be_bytes());
        packet.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        let _ = self.rtp.send_to(&packet, self.media.expect("the answer named our RTP port"));
    }

    /// A key as RFC 4733 sends it: four updates, then the end three times.
    pub fn press(&mut self, key: char) {
        let event = "0123456789*#ABCD".find(key).expect("a telephone key") as u8;
        let begin = self.stamp;
        for step in 0..7_u16 {
            let ended = step >= 4;
            let duration = (step.min(4) + 1) * 160;
            let body = [event, if ended { 0x8A } else { 0x0A }, (duration >> 8) as u8, duration as u8];
            self.send_rtp(101, step == 0, begin, &body);
            pace();
        }
        self.stamp = begin.wrapping_add(7 * 160);
    }

    /// Stays on the line, sending what `sound` gives per frame, until the gateway hangs up; answers its BYE.
    /// Returns what was heard (mu-law payloads in order of arrival), or panics after `within`.
    pub fn stay(&mut self, within: Duration, mut sound: impl FnMut(usize) -> [u8; 160]) -> Vec<u8> {
        let give_up = Instant::now() + within;
        let mut heard = Vec::new();
        let mut buffer = [0; 4096];
        self.sip.set_nonblocking(true).expect("a socket can be switched");
        for frame in 0.. {
            assert!(Instant::now() < give_up, "the gateway did not hang up within {within:?}");
            self.send_frame(&sound(frame));
            pace();
            while let Ok(size) = self.rtp.recv(&mut buffer) {
                heard.extend_from_slice(&buffer[12.min(size)..size]);
            }
            if let Ok(size) = self.sip.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..size]).into_owned();
                if text.starts_with("BYE ") {
                    self.send(&answer_to(&text));
                    break;
                }
            }
        }
        self.sip.set_nonblocking(false).expect("a socket can be switched");
        heard
    }
}

/// 200 to a request, its headers mirrored.
pub fn answer_to(request: &str) -> String {
    let mut text = "SIP/2.0 200 OK\r\n".to_owned();
    for line in request.lines() {
        if ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name)) {
            let _ = write!(text, "{line}\r\n");
        }
    }
    text + "Content-Length: 0\r\n\r\n"
}

/// One frame of mu-law silence.
pub const SILENCE: [u8; 160] = [0xFF; 160];

/// The beat of a real telephone. Tests that talk to a live gateway have to live in its time.
pub fn pace() {
    std::thread::sleep(Duration::from_millis(20));
}

pub fn status_of(message: &str) -> Option<u16> {
    message.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn media_of(answer: &str) -> Option<SocketAddr> {
    let address = answer.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?.trim();
    let port = answer.lines().find_map(|line| line.strip_prefix("m=audio "))?.split(' ').next()?;
    format!("{address}:{port}").parse().ok()
}

fn free_address() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port")
}

/// Data that a stranger's clone may lack: prints why and gives `None`, or fails where nothing may be missing.
pub fn data_from(variable: &str, inside: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).map(|folder| Path::new(&folder).join(inside)).filter(|path| path.exists());
    if found.is_none() {
        let why = format!("{variable} does not lead to {inside}");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must have its data: {why}");
        println!("skipped: {why}");
    }
    found
}
