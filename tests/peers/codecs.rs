//! Codecs and encryption against baresip: it calls, both ends speak, and each must have heard what the other said.

use std::fmt::Write;
use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::house::{Gateway, Settings};

/// Where distributions keep the modules of baresip.
const MODULES: [&str; 3] =
    ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules", "/usr/local/lib/baresip/modules"];
/// Seconds of one call: the protected prompt, and a while of questions.
pub const SECONDS: u32 = 7;
/// Samples of the stretches that are compared, 300 ms: a jitter buffer may move sound between two of them.
const STRETCH: usize = 2_400;
/// How far apart the same stretch may lie in two recordings of one call.
const APART: usize = 10_000;

/// What one call left behind.
pub struct Heard {
    pub record: Value,
    pub log: String,
    /// What it said, and what we recorded of that; what we recorded of ourselves, and what it wrote down of that.
    /// Nothing of a call that was refused.
    pub here: Option<(Vec<i16>, Vec<i16>)>,
    pub there: Option<(Vec<i16>, Vec<i16>)>,
}

impl Heard {
    /// How alike what was heard here, and there, is to what was said there, and here: 1 for the same, 0 for nothing.
    pub fn likeness(&self) -> (f64, f64) {
        (self.here.as_ref().map_or(0.0, likeness), self.there.as_ref().map_or(0.0, likeness))
    }

    pub fn media(&self, name: &str) -> &Value {
        &self.record["media"][name]
    }
}

/// The folder of its modules, or why the test is skipped.
fn baresip() -> Option<PathBuf> {
    let found = MODULES.iter().map(PathBuf::from).find(|folder| folder.join("account.so").exists());
    if found.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must have baresip");
        println!("skipped: baresip is not installed");
    }
    found
}

/// A tone that never is the same twice: rising, in syllables.
pub fn sound(rate_hz: u32) -> Vec<i16> {
    let mut phase = 0.0f64;
    let sample = |n: u32| {
        let at = f64::from(n) / f64::from(rate_hz);
        phase += (250.0 + 80.0 * at) / f64::from(rate_hz) * std::f64::consts::TAU;
        (phase.sin() * (at * 9.0).sin().abs() * 9_000.0) as i16
    };
    (0..rate_hz * SECONDS).map(sample).collect()
}

pub fn write_wav(path: &Path, rate_hz: u32, samples: &[i16]) {
    let sample_format = hound::SampleFormat::Int;
    let spec = hound::WavSpec { channels: 1, sample_rate: rate_hz, bits_per_sample: 16, sample_format };
    let mut writer = hound::WavWriter::create(path, spec).expect("a file can be written");
    samples.iter().for_each(|&sample| writer.write_sample(sample).expect("it can be written to"));
    writer.finalize().expect("it can be closed");
}

/// One channel of a file, brought down to 8 kHz by averaging: what we compare lies far below 4 kHz.
pub fn read_wav(path: &Path, channel: usize) -> Vec<i16> {
    let mut reader = hound::WavReader::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let spec = reader.spec();
    let samples: Vec<i16> = reader.samples::<i16>().map(|sample| sample.expect("whole samples")).collect();
    let mono: Vec<i32> = samples.iter().skip(channel).step_by(usize::from(spec.channels)).map(|&s| s.into()).collect();
    let each = (spec.sample_rate / 8_000) as usize;
    mono.chunks_exact(each).map(|chunk| (chunk.iter().sum::<i32>() / each as i32) as i16).collect()
}

/// How alike the loud stretches of `said` are to where they are found in `heard`: the median, 1 for the same sound.
pub fn likeness((said, heard): &(Vec<i16>, Vec<i16>)) -> f64 {
    let squares = |samples: &[i16]| samples.iter().map(|&sample| i64::from(sample).pow(2)).sum::<i64>();
    let mut so_far = vec![0i64];
    so_far.extend(heard.iter().scan(0, |sum, &sample| {
        *sum += i64::from(sample).pow(2);
        Some(*sum)
    }));
    let loud = said.chunks_exact(STRETCH).enumerate().filter(|(_, stretch)| squares(stretch) > STRETCH as i64 * 90_000);
    let best = |(place, stretch): (usize, &[i16])| {
        let power = squares(stretch) as f64;
        let from = (place * STRETCH).saturating_sub(APART);
        let to = (place * STRETCH + APART).min(heard.len().saturating_sub(STRETCH));
        let at = |start: usize| {
            let other = &heard[start..start + STRETCH];
            let product: i64 = stretch.iter().zip(other).map(|(&a, &b)| i64::from(a) * i64::from(b)).sum();
            let there = (so_far[start + STRETCH] - so_far[start]) as f64;
            product as f64 / (power * there).sqrt().max(1.0)
        };
        (from..to).map(at).fold(0.0, f64::max)
    };
    let mut found: Vec<f64> = loud.step_by(3).take(3).map(best).collect();
    found.sort_by(f64::total_cmp);
    found.get(found.len() / 2).copied().unwrap_or(0.0)
}

/// A baresip that says [`sound`] into each of its calls and writes down what it hears, for a few seconds.
pub struct Voice {
    process: Child,
    folder: tempfile::TempDir,
}

/// How a [`Voice`] speaks and what it does.
pub struct Manner<'a> {
    /// Such as `opus/48000/1`, and a rate for its sound: that of the codec that will be chosen.
    pub codecs: &'a str,
    pub rate_hz: u32,
    /// `srtp`, `srtp-mand`, or nothing.
    pub encryption: &'a str,
    /// Reports on the port of sound?
    pub muxed: bool,
    /// Whom it calls; nobody: it waits to be called, and answers.
    pub dials: Option<String>,
}

impl Voice {
    /// Starts it; its sound has the three ports from `sound_port`. `None`, with a reason, where there is no baresip.
    pub fn start(sip_port: u16, sound_port: u16, manner: &Manner) -> Option<Self> {
        let modules = baresip()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        write_wav(&at("said.wav"), manner.rate_hz, &sound(manner.rate_hz));
        let mut config = format!("module_path {}\n", modules.display());
        // Accounts name codecs and encryption, which have to be there before.
        for module in ["srtp", "menu", "aufile", "sndfile", "opus", "g722", "g711", "uuid", "account"] {
            let _ = writeln!(config, "module {module}.so");
        }
        let said = at("said.wav").display().to_string();
        let _ = writeln!(
            config,
            "sip_listen 127.0.0.1:{sip_port}\nrtp_ports {}-{}\naudio_source aufile,{said}\naudio_player aufile,{}\n\
             audio_alert aufile,{said}\nausrc_channels 1\nauplay_channels 1\nsnd_path {}\n\
             opus_stereo no\nopus_sprop_stereo no\nopus_inbandfec yes\nrtcp_mux {}",
            sound_port,
            sound_port + 2,
            at("played.wav").display(),
            folder.path().display(),
            if manner.muxed { "yes" } else { "no" },
        );
        fs::write(at("config"), config).expect("the configuration can be written");
        let (codecs, answers) = (manner.codecs, if manner.dials.is_none() { ";answermode=auto" } else { "" });
        let encryption = match manner.encryption {
            "" => String::new(),
            way => format!(";mediaenc={way}"),
        };
        let account =
            format!("<sip:test@127.0.0.1;transport=udp>;regint=0;audio_codecs={codecs}{encryption}{answers}\n");
        fs::write(at("accounts"), account).expect("the account can be written");
        fs::write(at("contacts"), "").expect("the contacts can be written");
        let mut command = Command::new("baresip");
        command.arg("-s").arg("-f").arg(folder.path()).stdin(Stdio::null());
        match &manner.dials {
            Some(to) => command.args(["-e", &format!("/dial {to}"), "-t", &SECONDS.to_string()]),
            None => command.args(["-t", &(SECONDS + 4).to_string()]),
        };
        let log = fs::File::create(at("log")).expect("a log file");
        let process = command.stdout(log.try_clone().expect("a second handle")).stderr(log).spawn();
        let voice = Self { process: process.expect("baresip starts"), folder };
        if manner.dials.is_none() {
            voice.wait_until_it_listens(sip_port);
        }
        Some(voice)
    }

    fn wait_until_it_listens(&self, port: u16) {
        let give_up = Instant::now() + Duration::from_secs(20);
        while UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            assert!(Instant::now() < give_up, "baresip never listens");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for its end, and for the record of the only call there was.
    pub fn heard(mut self, gateway: &Gateway) -> Heard {
        self.process.wait().expect("baresip ends");
        let record = gateway.wait_for_records(1).remove(0);
        let at = |name: &str| self.folder.path().join(name);
        let recording = record["media"]["recording"]["path"].as_str().map(PathBuf::from);
        let files = fs::read_dir(self.folder.path()).expect("a folder").flatten().map(|entry| entry.path());
        let dump = files.filter(|path| path.to_string_lossy().ends_with("-dec.wav")).max();
        Heard {
            here: recording.as_ref().map(|path| (read_wav(&at("said.wav"), 0), read_wav(path, 0))),
            there: recording.zip(dump).map(|(ours, theirs)| (read_wav(&ours, 1), read_wav(&theirs, 0))),
            log: String::from_utf8_lossy(&fs::read(at("log")).unwrap_or_default()).into_owned(),
            record,
        }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// baresip calls a gateway that has these lines in `[rtp]`.
fn call(rtp: &str, codecs: &str, rate_hz: u32, encryption: &str) -> Option<Heard> {
    called(rtp, Manner { codecs, rate_hz, encryption, muxed: false, dials: None })
}

fn called(rtp: &str, manner: Manner) -> Option<Heard> {
    let gateway = Gateway::start(Settings { rtp: rtp.to_owned(), ..Settings::default() });
    let dials = Some(format!("sip:1000@{}", gateway.sip));
    let voice = Voice::start(gateway.spare, gateway.spare + 1, &Manner { dials, ..manner })?;
    Some(voice.heard(&gateway))
}

#[test]
fn baresip_and_we_hear_each_other_in_every_codec_encrypted_and_not() {
    // Codec there, its rate, encryption there; codec and suite in our record, least likeness. Opus keeps what is heard,
    // not the waveform.
    let suite = Some("AES_CM_128_HMAC_SHA1_80");
    let rows = [
        ("PCMA/8000/1", 8_000, "", "pcma", None, 0.98),
        ("G722/16000/1", 16_000, "", "g722", None, 0.97),
        ("opus/48000/1", 48_000, "", "opus", None, 0.9),
        ("PCMU/8000/1", 8_000, "srtp-mand", "pcmu", suite, 0.98),
        ("G722/16000/1", 16_000, "srtp", "g722", suite, 0.97),
        ("opus/48000/1", 48_000, "srtp-mand", "opus", suite, 0.9),
    ];
    let rtp = "codecs = [\"opus\", \"g722\", \"pcmu\", \"pcma\"]\nsrtp = \"optional\"";
    for (codec, rate_hz, encryption, expected, secured, least) in rows {
        let Some(heard) = call(rtp, codec, rate_hz, encryption) else { return };
        let name = format!("{codec} {encryption}");
        assert_eq!(heard.media("codec").as_str(), Some(expected), "{name}: {:#}\n{}", heard.record, heard.log);
        assert_eq!(heard.media("secured").as_str(), secured, "{name}: {:#}\n{}", heard.record, heard.log);
        let (here, there) = heard.likeness();
        println!("{name}: heard here {here:.3}, heard there {there:.3}");
        assert!(here > least && there > least, "{name}: heard here {here:.3}, heard there {there:.3}\n{}", heard.log);
    }
}

#[test]
fn encrypted_reports_of_baresip_are_read_on_the_port_of_its_sound() {
    let manner = Manner { codecs: "PCMU/8000/1", rate_hz: 8_000, encryption: "srtp-mand", muxed: true, dials: None };
    let Some(heard) = called("srtp = \"required\"", manner) else { return };
    let muxed = heard.log.matches("a=rtcp-mux").count();
    assert!(muxed >= 2, "it asks for one port, and we agree: {}", heard.log);
    let quality = heard.media("quality");
    assert!(quality["rtcp_in"].as_u64() > Some(0), "{:#}\n{}", heard.record, heard.log);
    assert!(quality["round_trip_ms"].is_number(), "{:#}\n{}", heard.record, heard.log);
}

#[test]
fn the_order_of_codecs_is_ours_where_we_say_so() {
    // It offers PCMU first.
    let rtp = "codecs = [\"g722\", \"opus\", \"pcmu\"]\norder = \"ours\"";
    let Some(heard) = call(rtp, "PCMU/8000/1,opus/48000/1,G722/16000/1", 16_000, "") else { return };
    assert_eq!(heard.media("codec").as_str(), Some("g722"), "{:#}", heard.record);
}

#[test]
fn a_plain_call_is_refused_where_encryption_is_required_and_an_encrypted_one_is_not() {
    let Some(plain) = call("srtp = \"required\"", "PCMU/8000/1", 8_000, "") else { return };
    assert!(plain.record["end"].to_string().contains("488"), "{:#}", plain.record);
    assert!(plain.there.is_none());
    let Some(sealed) = call("srtp = \"required\"", "PCMU/8000/1", 8_000, "srtp-mand") else { return };
    assert_eq!(sealed.media("secured").as_str(), Some("AES_CM_128_HMAC_SHA1_80"), "{:#}", sealed.record);
}

#[test]
fn likeness_knows_the_same_sound_from_another() {
    let said = sound(8_000);
    let mut state = 1u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16 / 4
    });
    let late = [vec![0; 3_000], said.clone()].concat();
    assert!(likeness(&(said.clone(), late)) > 0.999);
    assert!(likeness(&(said.clone(), noise.take(56_000).collect())) < 0.3);
    assert!(likeness(&(said, vec![0; 50_000])) < 0.01);
}
