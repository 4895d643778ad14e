//! A gateway under test: a process of its own, with ports and a data folder nobody else has.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{LONG_ENOUGH, NUMBER};

/// `trunkline serve` on loopback; it is killed when this goes, and its data folder with it.
pub struct Gateway {
    process: Child,
    pub sip: SocketAddr,
    pub rtp_ports: RangeInclusive<u16>,
    /// The first of four ports nobody else uses, for a peer that must be told its own.
    pub spare: u16,
    pub data: tempfile::TempDir,
    config: PathBuf,
    hears: bool,
    _block: PortBlock,
}

/// What a test may want otherwise than usual.
pub struct Settings {
    pub plan: PathBuf,
    /// In front of the first section of the configuration file.
    pub top: &'static str,
    /// Speech is recognised, with the models that the environment names. Else keys are all that is understood: such a
    /// gateway is there at a quarter of the cost.
    pub hears: bool,
    /// `[rtp] timeout`.
    pub rtp_timeout: &'static str,
    /// `[recording] directory`.
    pub recordings: Option<PathBuf>,
    /// Lines for `[sip]` and for `[rtp]`.
    pub sip: String,
    pub rtp: String,
    /// Behind the last section of the configuration file.
    pub extra: String,
}

impl Default for Settings {
    fn default() -> Self {
        let plan = PathBuf::from("tests/gateway/quick.yaml");
        Self {
            plan,
            top: "",
            hears: false,
            rtp_timeout: "20s",
            recordings: None,
            sip: String::new(),
            rtp: String::new(),
            extra: String::new(),
        }
    }
}

impl Gateway {
    pub fn start(settings: Settings) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        let block = PortBlock::take();
        // Prompts are kept by content, so that all gateways may share what one has rendered.
        let prompts = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prompts");
        fs::create_dir_all(&prompts).expect("a folder for prompts");
        std::os::unix::fs::symlink(&prompts, data.path().join("prompts")).expect("a link to them");
        let config = data.path().join("trunkline.toml");
        let text = format!(
            "data_dir = {data:?}\n{}\n[sip]\nlisten = \"{}\"\nmax_calls = 8\n{}\n\
             [rtp]\naddress = \"127.0.0.1\"\nports = \"{}-{}\"\ntimeout = \"{}\"\n{}\n\
             [recording]\nenabled = true\ndirectory = {:?}\n[[route]]\nnumber = \"1000\"\nplan = {:?}\n{}\n",
            settings.top,
            block.sip(),
            settings.sip,
            block.rtp().start(),
            block.rtp().end(),
            settings.rtp_timeout,
            settings.rtp,
            settings.recordings.unwrap_or_else(|| data.path().join("recordings")),
            std::path::absolute(&settings.plan).expect("a path"),
            settings.extra,
            data = data.path(),
        );
        fs::write(&config, text).expect("the configuration can be written");
        let process = serve(&config, data.path(), settings.hears);
        let (sip, rtp_ports, spare) = (block.sip(), block.rtp(), block.spare());
        let mut gateway = Self { process, sip, rtp_ports, spare, data, config, hears: settings.hears, _block: block };
        gateway.wait_until_it_answers();
        gateway.wait_until_it_keeps_calls();
        gateway
    }

    /// Starts the gateway again, after it has ended, on the same data.
    pub fn start_again(&mut self) {
        self.process = serve(&self.config, self.data.path(), self.hears);
        self.wait_until_it_answers();
    }

    fn wait_until_it_answers(&mut self) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
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
            match socket.recv(&mut answer) {
                Ok(size) if answer[..size].starts_with(b"SIP/2.0 200") => return,
                Ok(_) => {}
                // Nobody listens there yet: the kernel says so at once.
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
        panic!("the gateway never answered OPTIONS:\n{}", self.log());
    }

    /// The database is made behind the callers' backs, and may be there a moment later.
    fn wait_until_it_keeps_calls(&self) {
        let give_up = Instant::now() + LONG_ENOUGH;
        while !self.run(&["calls"]).status.success() {
            assert!(Instant::now() < give_up, "there is no database; log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read(self.data.path().join("serve.log"))
            .map_or_else(|_| "(no log)".to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill works");
    }

    /// Waits until the process has ended by itself.
    pub fn wait_until_it_ends(&mut self) -> ExitStatus {
        let give_up = Instant::now() + LONG_ENOUGH;
        loop {
            if let Some(status) = self.process.try_wait().expect("the process can be asked") {
                return status;
            }
            assert!(Instant::now() < give_up, "the gateway does not end; log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Is it still there?
    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().expect("the process can be asked").is_none()
    }

    /// Records so far, oldest first, through the command a person would use.
    pub fn records(&self) -> Vec<Value> {
        let listed = self.calls(&["calls", "--json", "--limit", "1000"]);
        let ids = listed.as_array().expect("a list").iter().rev();
        let ids = ids.map(|call| call["id"].as_str().expect("an id").to_owned());
        ids.map(|id| self.calls(&["calls", "show", &id, "--json"])).collect()
    }

    /// Waits for `count` records, each written when its call is over, and gives the oldest first.
    pub fn wait_for_records(&self, count: usize) -> Vec<Value> {
        let give_up = Instant::now() + LONG_ENOUGH;
        while self.calls(&["calls", "--json", "--limit", "1000"]).as_array().map_or(0, Vec::len) < count {
            assert!(Instant::now() < give_up, "no {count} records; log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(150));
        }
        self.records()
    }

    /// The record of the only call there was.
    pub fn record(&self) -> Value {
        self.wait_for_records(1).remove(0)
    }

    /// Begins a command against this gateway, such as `trunkline call`; its end and output are awaited elsewhere.
    pub fn begin(&self, words: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
        command.args(words).arg("-c").arg(&self.config).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("trunkline starts")
    }

    /// What its control socket answers.
    pub fn ask(&self, request: &str) -> Value {
        let mut socket = UnixStream::connect(self.data.path().join("control.sock")).expect("the control socket");
        writeln!(socket, "{request}").expect("it is read");
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).expect("JSON")
    }

    /// Runs a command against this gateway to its end.
    pub fn run(&self, words: &[&str]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_trunkline")).args(words).arg("-c").arg(&self.config).output();
        output.expect("trunkline runs")
    }

    fn calls(&self, words: &[&str]) -> Value {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("--json prints JSON")
    }
}

impl Drop for Gateway {
    /// What no test may provoke, whatever else it is about.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if !std::thread::panicking() {
            let log = self.log();
            let forbidden = ["panicked", "a bug of ours", "without a last word", NUMBER.trim_start_matches('+')];
            let found = forbidden.iter().find(|words| log.contains(**words));
            assert!(found.is_none(), "`{found:?}` stands in the log:\n{log}");
        }
    }
}

fn serve(config: &Path, data: &Path, hears: bool) -> Child {
    let log = File::options().create(true).append(true).open(data.join("serve.log")).expect("a log file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    command.args(["serve", "-c"]).arg(config).stdin(Stdio::null());
    command.stdout(log.try_clone().expect("a second handle")).stderr(log).env_remove("RUST_LOG");
    if !hears {
        command.env("TRUNKLINE_MODELS", data.join("models")).env_remove("ORT_DYLIB_PATH").env("XDG_DATA_HOME", data);
    }
    command.spawn().expect("trunkline starts")
}

/// Ports that no other gateway under test uses, in this process or another: whoever holds the first port of a block
/// owns the block. They lie below 32768, where Linux begins to hand out ports by itself.
struct PortBlock {
    claim: UdpSocket,
}

impl PortBlock {
    const FIRST: u16 = 21_000;
    const SIZE: u16 = 40;
    const COUNT: u16 = (32_000 - Self::FIRST) / Self::SIZE;

    fn take() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Test processes that run at once begin in different places and seldom meet.
        let salt = (std::process::id() % u32::from(Self::COUNT)) as u16 * 7;
        for _ in 0..Self::COUNT {
            let block = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(salt) % Self::COUNT;
            let first = Self::FIRST + block * Self::SIZE;
            let Ok(claim) = UdpSocket::bind(("127.0.0.1", first)) else { continue };
            let block = Self { claim };
            if UdpSocket::bind(block.sip()).is_ok() {
                return block;
            }
        }
        panic!("every block of ports is taken");
    }

    fn first(&self) -> u16 {
        self.claim.local_addr().expect("bound").port()
    }

    fn sip(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.first() + 1))
    }

    fn rtp(&self) -> RangeInclusive<u16> {
        self.first() + 2..=self.spare() - 1
    }

    fn spare(&self) -> u16 {
        self.first() + Self::SIZE - 4
    }
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
