//! rtpengine in the path: the media relay of most SIP proxies, which encrypts, transcodes and checks connectivity in
//! its own way. It is driven over its control protocol as a proxy drives it; the caller beyond it speaks plain RTP.

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use trunkline::audio::g711::Law;

use super::NUMBER;
use super::caller::Caller;
use super::codecs::{likeness, sound};
use super::house::{Gateway, Settings};
use super::sound::{frames, sides};
use super::uas::{free_port, is_installed};

const PATIENCE: Duration = Duration::from_secs(20);
/// Least likeness of the best stretch that was said and heard; noise, and another sound, have less than a third. The
/// best, because where the machine is busy our beat comes late, and other stretches have gaps.
const LEAST: f64 = 0.8;
/// Of ports.
const BLOCKS: u16 = 40;
/// Every way of encryption that it offers when nobody objects.
const SUITES: [&str; 12] = [
    "AEAD_AES_256_GCM",
    "AEAD_AES_128_GCM",
    "AES_256_CM_HMAC_SHA1_80",
    "AES_256_CM_HMAC_SHA1_32",
    "AES_192_CM_HMAC_SHA1_80",
    "AES_192_CM_HMAC_SHA1_32",
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
    "F8_128_HMAC_SHA1_80",
    "F8_128_HMAC_SHA1_32",
    "NULL_HMAC_SHA1_80",
    "NULL_HMAC_SHA1_32",
];

/// A running rtpengine without its kernel module; it is killed when this goes.
pub struct RtpEngine {
    process: Child,
    /// Where it takes orders.
    pub port: u16,
    folder: tempfile::TempDir,
    _ports: UdpSocket,
}

/// A hundred ports above what Linux hands out by itself, and what keeps other relays out of them: they do share a port
/// with each other when nobody stops them, and each hears half of what comes.
fn ports() -> (UdpSocket, std::ops::RangeInclusive<u16>) {
    let salt = std::process::id() as u16 % BLOCKS;
    let blocks = (0..BLOCKS).map(|block| 61_000 + (block + salt) % BLOCKS * 100);
    let free = |first| Some((UdpSocket::bind(("127.0.0.1", first)).ok()?, first + 2..=first + 99));
    blocks.into_iter().find_map(free).expect("ports for a relay")
}

/// What its control protocol carries (bencode).
#[derive(Clone, Debug)]
enum Word {
    Text(String),
    List(Vec<Word>),
    Dictionary(BTreeMap<String, Word>),
}

impl Word {
    fn list(words: &[&str]) -> Self {
        Self::List(words.iter().map(|word| Self::Text((*word).to_owned())).collect())
    }

    fn encode(&self, out: &mut String) {
        match self {
            Self::Text(text) => *out += &format!("{}:{text}", text.len()),
            Self::List(words) => {
                out.push('l');
                words.iter().for_each(|word| word.encode(out));
                out.push('e');
            }
            Self::Dictionary(entries) => {
                out.push('d');
                for (key, word) in entries {
                    Self::Text(key.clone()).encode(out);
                    word.encode(out);
                }
                out.push('e');
            }
        }
    }
}

impl RtpEngine {
    /// `None`, with a reason, where there is none.
    pub fn start() -> Option<Self> {
        if !is_installed("rtpengine", "rtpengine-daemon") {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = fs::File::create(folder.path().join("log")).expect("a log file");
        let port = free_port();
        let (claim, ports) = ports();
        let process = Command::new("rtpengine")
            .args(["--table=-1", "--interface=127.0.0.1", "--foreground", "--log-stderr", "--log-level=6"])
            .args(["--num-threads=2", "--media-num-threads=1", "--timeout=60"])
            .arg(format!("--listen-ng=127.0.0.1:{port}"))
            .args([format!("--port-min={}", ports.start()), format!("--port-max={}", ports.end())])
            .args(["--config-file=none", "--pidfile=pid"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("rtpengine starts");
        let engine = Self { process, port, folder, _ports: claim };
        let give_up = Instant::now() + PATIENCE;
        while engine.asked("ping", &[]).is_none() {
            assert!(Instant::now() < give_up, "rtpengine never answers:\n{}", engine.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(engine)
    }

    /// What it answers to a command, if it does in time.
    fn asked(&self, command: &str, entries: &[(&str, Word)]) -> Option<String> {
        let entries = entries.iter().map(|(key, word)| ((*key).to_owned(), word.clone()));
        let command = [("command".to_owned(), Word::Text(command.to_owned()))];
        // It takes an order with the same cookie for the last one sent again.
        static ORDERS: AtomicU32 = AtomicU32::new(0);
        let mut text = format!("{} ", ORDERS.fetch_add(1, Ordering::Relaxed));
        Word::Dictionary(entries.chain(command).collect()).encode(&mut text);
        let control = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        control.connect(("127.0.0.1", self.port)).expect("loopback");
        control.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
        control.send(text.as_bytes()).ok()?;
        let mut answer = [0; 16_384];
        let length = control.recv(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer[..length]).into_owned())
    }

    /// A session description as it makes it for the other side.
    fn described(&self, command: &str, call: &str, sdp: &str, wanted: &[(&str, Word)]) -> String {
        let text = |text: &str| Word::Text(text.to_owned());
        let mut entries = vec![("call-id", text(call)), ("from-tag", text("caller")), ("sdp", text(sdp))];
        if command == "answer" {
            entries.push(("to-tag", text("gateway")));
        }
        entries.extend(wanted.iter().cloned());
        let answer = self.asked(command, &entries).unwrap_or_default();
        let described = answer.split_once("3:sdp").and_then(|(_, rest)| {
            let (length, rest) = rest.split_once(':')?;
            rest.get(..length.parse().ok()?)
        });
        described.unwrap_or_else(|| panic!("{command}: {answer}\n{}", self.log())).to_owned()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for RtpEngine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One way for the relay to speak with us, and what must come of it.
struct Row {
    name: &'static str,
    wanted: Vec<(&'static str, Word)>,
    codec: &'static str,
    secured: Option<&'static str>,
    /// Does it report in a way that can be read?
    reports: bool,
    /// Lines of our answer, and lines that must not stand there.
    answered: &'static [&'static str],
    not_answered: &'static [&'static str],
}

impl Row {
    fn plain(name: &'static str) -> Self {
        let (wanted, answered, not_answered) = (Vec::new(), &["RTP/AVP 0 101"][..], &["a=crypto", "a=ice"][..]);
        Self { name, wanted, codec: "pcmu", secured: None, reports: true, answered, not_answered }
    }

    fn secured(suite: &'static str) -> Self {
        let others: Vec<String> =
            SUITES.iter().filter(|&&other| other != suite).map(|name| format!("no-{name}")).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let row = Self { secured: Some(suite), answered: &["RTP/SAVP 0 101", "a=crypto:"], ..Self::plain(suite) };
        let row = Self { not_answered: &["a=ice"], ..row };
        row.with("transport-protocol", Word::Text("RTP/SAVP".to_owned())).with("SDES", Word::list(&others))
    }

    fn with(mut self, key: &'static str, word: Word) -> Self {
        self.wanted.push((key, word));
        self
    }

    fn transcoded(self, to: &str) -> Self {
        let codec = [("transcode", Word::list(&[to])), ("mask", Word::list(&["PCMU"]))];
        self.with("codec", Word::Dictionary(codec.map(|(key, word)| (key.to_owned(), word)).into()))
    }

    fn with_ice(self) -> Self {
        self.with("ICE", Word::Text("force".to_owned()))
    }

    fn with_mux(self) -> Self {
        self.with("rtcp-mux", Word::list(&["offer"]))
    }
}

/// A call through the relay: the caller hears a question, speaks, presses a key and is let go.
fn call(engine: &RtpEngine, gateway: &Gateway, row: &Row, number: &str) {
    let name = row.name;
    let mut caller = Caller::new(gateway, number);
    let both = [("replace", Word::list(&["origin"])), ("flags", Word::list(&["generate-RTCP"]))];
    let offer = engine.described("offer", name, &caller.sdp(), &[&row.wanted[..], &both].concat());
    let (status, answer) = caller.invite_with("1000", &offer);
    assert_eq!(status, 200, "{name}: {answer}\nto:\n{offer}");
    caller.ack("1000", "");
    for line in row.answered {
        assert!(answer.contains(line), "{name}: no {line} in {answer}\nto {offer}");
    }
    for line in row.not_answered {
        assert!(!answer.contains(line), "{name}: {line} in {answer}\nto {offer}");
    }
    let (_, answer) = answer.split_once("\r\n\r\n").expect("a body");
    caller.reaches(&engine.described("answer", name, answer, &both));
    let said = [vec![0; 2 * 8_000], sound(8_000)[..5 * 8_000].to_vec()].concat();
    caller.say(&frames(&said));
    caller.press('2');
    caller.stay_silent();
    let record = record_of(gateway, number);
    let media = &record["media"];
    let end = (&record["result"], &media["codec"], media["secured"].as_str());
    assert_eq!(end, (&"enough".into(), &row.codec.into(), row.secured), "{name}: {record:#}");
    assert!(media["packets_in"].as_u64() > Some(300) && media["lost"].as_u64() < Some(20), "{name}: {record:#}");
    assert!(
        !row.reports || media["quality"]["rtcp_in"].as_u64() > Some(0),
        "{name}: no reports of its came: {record:#}"
    );
    let (here, ours) = sides(media["recording"]["path"].as_str().expect("a recording"));
    let packets = caller.packets();
    let sound = packets.iter().filter(|packet| packet[1] & 0x7F == 0).flat_map(|packet| &packet[12..]);
    let there: Vec<i16> = sound.map(|&byte| Law::Mu.decode(byte)).collect();
    let (here, there) = (best_likeness(&said, &here), best_likeness(&ours, &there));
    println!("{name}: heard here {here:.3}, heard there {there:.3}");
    let engine = engine.log();
    let of_this_call = |line: &&str| line.contains(&format!("[{name} ")) || line.contains(&format!("[{name}]"));
    let log = || engine.lines().filter(of_this_call).collect::<Vec<_>>().join("\n");
    assert!(here > LEAST && there > LEAST, "{name}: {here:.3}, {there:.3}\n{record:#}\n{}", log());
    let checked = log().contains("ICE negotiated: peer for component 1 is");
    assert_eq!(checked, row.answered.contains(&"a=ice-lite"), "{name}: {}", log());
}

/// How alike the second that fared best is to what was heard of it.
pub fn best_likeness(said: &[i16], heard: &[i16]) -> f64 {
    let seconds = (0..said.len()).step_by(8_000).take(7).map(|from| from..(from + 8_000).min(said.len()));
    let alone = |second: std::ops::Range<usize>| {
        let mut quiet = vec![0; said.len()];
        quiet[second.clone()].copy_from_slice(&said[second]);
        quiet
    };
    seconds.map(|second| likeness(&(alone(second), heard.to_vec()))).fold(0.0, f64::max)
}

fn record_of(gateway: &Gateway, number: &str) -> Value {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let record = gateway.records().into_iter().find(|record| record.to_string().contains(number));
        match record {
            Some(record) => return record,
            None => assert!(Instant::now() < give_up, "no record; log:\n{}", gateway.log()),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// All of them, some at once.
fn calls(rows: &[Row]) {
    let Some(engine) = RtpEngine::start() else { return };
    let rtp = "codecs = [\"opus\", \"g722\", \"pcmu\", \"pcma\"]\nsrtp = \"optional\"".to_owned();
    let gateway = Gateway::start(Settings { rtp, plan: "tests/gateway/patient.yaml".into(), ..Settings::default() });
    let numbered: Vec<(&Row, u32)> = rows.iter().zip(10..).collect();
    let (engine, gateway) = (&engine, &gateway);
    for some in numbered.chunks(3) {
        std::thread::scope(|scope| {
            for (row, number) in some {
                scope.spawn(move || call(engine, gateway, row, &format!("{NUMBER}{number}")));
            }
        });
    }
}

fn checked(name: &'static str) -> Row {
    let answered = &["a=ice-lite", "a=ice-ufrag:", "typ host", "a=rtcp-mux"];
    Row { answered, not_answered: &["a=crypto"], ..Row::plain(name) }.with_ice().with_mux()
}

#[test]
fn a_relay_encrypts_towards_us_checks_connectivity_and_is_heard() {
    calls(&[Row::plain("plain"), Row::secured("AES_256_CM_HMAC_SHA1_80"), checked("checked")]);
}

#[test]
fn a_relay_gets_every_suite_every_codec_and_reports_on_one_port_and_on_two() {
    if std::env::var("TRUNKLINE_LONG").as_deref() != Ok("1") {
        println!("skipped: eight calls through rtpengine run with TRUNKLINE_LONG=1");
        return;
    }
    let transcoded = |name, answered, codec| Row { answered, codec, ..Row::plain(name) };
    // rtpengine 10.5 seals the reports that it makes itself with the keys of sound where both share a port, instead of
    // their own (RFC 3711 §4.3.2), so they are refused. What baresip seals there is read (`codecs`).
    let together = Row {
        reports: false,
        answered: &["a=rtcp-mux", "a=ice-lite"],
        not_answered: &[],
        ..Row::secured("AES_CM_128_HMAC_SHA1_80")
    };
    calls(&[
        Row::secured("AES_CM_128_HMAC_SHA1_80"),
        Row::secured("AES_CM_128_HMAC_SHA1_32"),
        Row::secured("AES_256_CM_HMAC_SHA1_32"),
        transcoded("G.722", &["G722/8000"], "g722").transcoded("G722"),
        transcoded("Opus", &["opus/48000/2"], "opus").transcoded("opus"),
        Row { answered: &["a=rtcp-mux"], ..Row::plain("muxed") }.with_mux(),
        Row::plain("checks on two ports are declined").with_ice(),
        Row { name: "all at once", codec: "opus", ..together }.with_ice().with_mux().transcoded("opus"),
    ]);
}
