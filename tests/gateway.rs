//! The whole gateway as a process of its own, over real sockets: polite callers, and all the others.
//!
//! These tests live in real time because a telephone call does; they wait for what must happen and never assert on
//! how long it took.

mod support;

use std::fs;
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use support::{Caller, Gateway, SILENCE, Settings, data_from, pace};

const NUMBER: &str = "+12025550143";
const LONG_ENOUGH: Duration = Duration::from_secs(60);

/// Presses `keys`, one every second and a half from the second second on, and stays until the gateway hangs up.
fn press_through(caller: &mut Caller, keys: &str) -> Vec<u8> {
    for _ in 0..60 {
        caller.send_frame(&SILENCE);
        pace();
    }
    for key in keys.chars() {
        caller.press(key);
        for _ in 0..10 {
            caller.send_frame(&SILENCE);
            pace();
        }
    }
    caller.stay(LONG_ENOUGH, |_| SILENCE)
}

#[test]
fn keys_walk_the_plan_and_a_record_and_a_recording_remain() {
    let gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    press_through(&mut caller, "2");
    let record = gateway.wait_for_records(1, LONG_ENOUGH).remove(0);
    assert_eq!(record["end"]["why"], "completed", "{record:#}");
    assert_eq!(record["result"], "served");
    assert_eq!(record["path"], serde_json::json!(["welcome", "main", "done"]));
    let protected = &record["prompts"][0];
    assert_eq!(protected["protected"], true);
    assert_eq!(protected["played_ms"], protected["total_ms"], "a protected prompt is heard whole");
    let path = record["media"]["recording"]["path"].as_str().expect("a recording was saved");
    let wav = hound::WavReader::open(path).expect("the recording is a whole WAV file");
    assert_eq!((wav.spec().channels, wav.spec().sample_rate), (2, 8000));
    let loudest_right =
        wav.into_samples::<i16>().skip(1).step_by(2).map(|sample| sample.expect("whole").unsigned_abs()).max();
    assert!(loudest_right > Some(2000), "the bot is on the right channel");
}

#[test]
fn a_log_at_default_level_holds_no_number_no_digit_and_no_word_of_the_caller() {
    let gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    press_through(&mut caller, "18642");
    gateway.wait_for_records(1, LONG_ENOUGH);
    let log = gateway.log();
    assert!(log.contains("answered"), "the log tells of the call:\n{log}");
    for secret in ["2025550143", "0143", "8642", "sip:+1"] {
        assert!(!log.contains(secret), "`{secret}` stands in the log:\n{log}");
    }
    let kept = fs::read(gateway.data.path().join("trunkline.db")).expect("the database is there");
    let wal = fs::read(gateway.data.path().join("trunkline.db-wal")).unwrap_or_default();
    for bytes in [kept, wal] {
        assert!(!bytes.windows(4).any(|window| window == b"8642"), "digits of a sensitive question were kept");
    }
}

#[test]
fn speech_is_understood_on_the_box() {
    if data_from("TRUNKLINE_MODELS", "moonshine-tiny-en/encoder_model.ort").is_none() {
        return;
    }
    let gateway = Gateway::start(Settings::default());
    let words = spoken("I lost my card", gateway.data.path());
    let mut caller = Caller::dial(&gateway, NUMBER);
    // Speaks from second four on, when the menu has been read, and again later if nothing came of it.
    caller.stay(LONG_ENOUGH, |frame| words.get(frame.wrapping_sub(200) % 400).copied().unwrap_or(SILENCE));
    let record = gateway.wait_for_records(1, LONG_ENOUGH).remove(0);
    assert_eq!(record["result"], "served", "{record:#}\n{}", gateway.log());
    let turn = record["turns"]
        .as_array()
        .expect("turns")
        .iter()
        .find(|turn| turn["meaning"] == "lost")
        .expect("a turn was understood");
    assert_eq!(turn["outcome"], "speech");
    assert!(turn["confidence"].as_f64() > Some(0.5), "{turn:#}");
    assert!(turn["latency"]["total_ms"].as_f64() > Some(0.0), "{turn:#}");
    let log = gateway.log();
    assert!(!log.to_lowercase().contains("my card"), "the caller's words stand in the log:\n{log}");
}

#[test]
fn without_a_model_the_gateway_says_what_to_do_and_takes_keys() {
    let empty = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::start(Settings { models: Some(empty.path().to_owned()), ..Settings::default() });
    let mut caller = Caller::dial(&gateway, NUMBER);
    press_through(&mut caller, "2");
    let record = gateway.wait_for_records(1, LONG_ENOUGH).remove(0);
    assert_eq!(record["result"], "served", "{record:#}");
    assert!(gateway.log().contains("scripts/models") || gateway.log().contains("moonshine"), "{}", gateway.log());
}

#[test]
fn a_caller_who_says_nothing_is_asked_again_and_let_go_politely() {
    let gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.stay(LONG_ENOUGH, |_| SILENCE);
    let record = gateway.wait_for_records(1, LONG_ENOUGH).remove(0);
    assert_eq!(record["result"], "gave_up", "{record:#}");
    assert!(record["turns"].as_array().expect("turns").iter().all(|turn| turn["outcome"] == "no_input"), "{record:#}");
}

#[test]
fn a_caller_who_sends_no_media_is_hung_up_on() {
    let gateway =
        Gateway::start(Settings { rtp_timeout: "1s", plan: "dialplans/bank-main.yaml".into(), ..Settings::default() });
    let caller = Caller::dial(&gateway, NUMBER);
    let bye = wait_for_bye(&caller);
    caller.send(&support::answer_to(&bye));
    let record = gateway.wait_for_records(1, LONG_ENOUGH).remove(0);
    assert_eq!(record["end"]["why"], "no_media", "{record:#}");
}

#[test]
fn a_caller_who_vanishes_in_mid_call_leaves_a_whole_record() {
    let gateway =
        Gateway::start(Settings { rtp_timeout: "1s", plan: "dialplans/bank-main.yaml".into(), ..Settings::default() });
    let mut caller = Caller::dial(&gateway, NUMBER);
    for _ in 0..50 {
        caller.send_frame(&SILENCE);
        pace();
    }
    drop(caller);
    // Our BYE meets a closed port and runs into timer F (32 s) before the leg is given up.
    let record = gateway.wait_for_records(1, LONG_ENOUGH).remove(0);
    assert_eq!(record["end"]["why"], "no_media", "{record:#}");
    assert_eq!(record["media"]["recording"]["state"], "saved", "{record:#}");
}

#[test]
fn a_caller_who_never_acknowledges_is_given_up() {
    let gateway = Gateway::start(Settings::default());
    let mut caller = Caller::new(&gateway, NUMBER);
    assert_eq!(caller.invite("1000"), 200);
    let record = gateway.wait_for_records(1, LONG_ENOUGH).remove(0);
    assert_eq!(record["end"]["why"], "no_ack", "{record:#}");
}

#[test]
fn a_caller_who_talks_for_ever_is_let_go_politely() {
    let gateway = Gateway::start(Settings::default());
    let mut rng = StdRng::seed_from_u64(7);
    let babble = spoken_or_tones(gateway.data.path());
    let mut caller = Caller::dial(&gateway, NUMBER);
    // Two minutes of it at most; the gateway must have had enough before.
    caller.stay(Duration::from_secs(130), |frame| babble[(frame + rng.random_range(0..2)) % babble.len()]);
    let record = gateway.wait_for_records(1, LONG_ENOUGH).remove(0);
    assert_eq!(record["end"]["why"], "completed", "{record:#}");
}

#[test]
fn random_datagrams_at_every_port_disturb_no_call() {
    let gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut rng = StdRng::seed_from_u64(20_261_121);
    let media = caller.media.expect("an RTP port");
    for _ in 0..4_000 {
        let mut bytes = vec![0_u8; rng.random_range(0..1_800)];
        rng.fill(bytes.as_mut_slice());
        if rng.random_bool(0.3) && bytes.len() > 12 {
            bytes[0] = 0x80;
            bytes[1] = 0;
        }
        let target = if rng.random_bool(0.5) { gateway.sip } else { media };
        let _ = stranger.send_to(&bytes, target);
    }
    press_through(&mut caller, "2");
    let record = gateway.wait_for_records(1, LONG_ENOUGH).remove(0);
    assert_eq!(record["result"], "served", "{record:#}");
    assert!(!gateway.log().contains("panic"), "{}", gateway.log());
}

#[test]
fn a_number_without_a_route_is_not_found_and_a_codec_we_lack_is_not_acceptable() {
    let gateway = Gateway::start(Settings::default());
    let mut lost = Caller::new(&gateway, NUMBER);
    assert_eq!(lost.invite("4711"), 404);
    lost.ack("4711");
    let mut exotic = Caller::new(&gateway, NUMBER);
    let body =
        exotic.sdp().replace("RTP/AVP 0 101", "RTP/AVP 97").replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:97 SPEEX/16000");
    assert_eq!(exotic.invite_with("1000", &body), 488);
    exotic.ack("1000");
    let mut broken = Caller::new(&gateway, NUMBER);
    let status = broken.invite_with("1000", "v=0\r\nthis is no session description\r\n");
    assert!((400..500).contains(&status), "a broken offer was answered {status}");
}

#[test]
fn a_recording_that_cannot_be_written_costs_the_caller_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let in_the_way = folder.path().join("a-file");
    fs::write(&in_the_way, "not a folder").expect("a file");
    let gateway = Gateway::start(Settings { recordings: Some(in_the_way.join("recordings")), ..Settings::default() });
    let mut caller = Caller::dial(&gateway, NUMBER);
    press_through(&mut caller, "2");
    let record = gateway.wait_for_records(1, LONG_ENOUGH).remove(0);
    assert_eq!(record["result"], "served", "{record:#}");
    assert_eq!(record["media"]["recording"]["state"], "failed", "{record:#}");
    assert!(gateway.log().contains("ERROR"), "an alarm is raised:\n{}", gateway.log());
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = folder.path().join("small");
    fs::create_dir(&small).expect("a folder");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16k", "tmpfs"]).arg(&small).status();
    if !mounted.is_ok_and(|status| status.success()) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must be able to mount a small disk");
        println!("skipped: mounting a 16 kB disk needs root");
        return;
    }
    let gateway = Gateway::start(Settings { recordings: Some(small.clone()), ..Settings::default() });
    let mut caller = Caller::dial(&gateway, NUMBER);
    press_through(&mut caller, "2");
    let record = gateway.wait_for_records(1, LONG_ENOUGH).remove(0);
    let left: Vec<_> = fs::read_dir(&small).expect("readable").flatten().map(|entry| entry.path()).collect();
    let log = gateway.log();
    drop(gateway);
    let _ = Command::new("umount").arg(&small).status();
    assert_eq!(record["result"], "served", "{record:#}");
    assert_eq!(record["media"]["recording"]["state"], "failed", "{record:#}");
    assert!(left.is_empty(), "nothing half-written may look whole: {left:?}");
    assert!(log.contains("ERROR"), "an alarm is raised:\n{log}");
}

#[test]
fn a_locked_database_delays_the_record_and_loses_nothing() {
    let gateway = Gateway::start(Settings::default());
    let database = gateway.data.path().join("trunkline.db");
    let mut locker = Command::new("python3")
        .args(["-c", "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1],isolation_level=None)\nc.execute('begin exclusive')\nprint('locked',flush=True)\nsys.stdin.read()"])
        .arg(&database)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut said = [0; 6];
    std::io::Read::read_exact(locker.stdout.as_mut().expect("piped"), &mut said)
        .expect("it says when it holds the lock");
    let mut caller = Caller::dial(&gateway, NUMBER);
    press_through(&mut caller, "2");
    drop(locker.stdin.take());
    locker.wait().expect("it ends");
    let record = gateway.wait_for_records(1, LONG_ENOUGH).remove(0);
    assert_eq!(record["result"], "served", "{record:#}");
}

#[test]
fn a_broken_plan_keeps_the_gateway_from_starting_and_says_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("broken.yaml");
    fs::write(&plan, "dialplan: 1\nname: broken\nlanguages: [en-US]\nstart: nowhere\nsteps:\n  here:\n    hangup: { text: \"Bye.\" }\n")
        .expect("written");
    let config = folder.path().join("trunkline.toml");
    let data = folder.path().join("data");
    fs::write(
        &config,
        format!("data_dir = {data:?}\n[sip]\nlisten = \"127.0.0.1:0\"\n[[route]]\nnumber = \"*\"\nplan = {plan:?}\n"),
    )
    .expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .args(["serve", "-c"])
        .arg(&config)
        .output()
        .expect("trunkline runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("broken.yaml:4") && said.contains("nowhere"), "{said}");
}

fn wait_for_bye(caller: &Caller) -> String {
    for _ in 0..60 {
        if let Some(message) = caller.receive(Duration::from_secs(1)).filter(|message| message.starts_with("BYE ")) {
            return message;
        }
    }
    panic!("the gateway never hung up");
}

/// `text` in another voice than the gateway's, as frames of mu-law.
fn spoken(text: &str, folder: &std::path::Path) -> Vec<[u8; 160]> {
    let path = folder.join("spoken.wav");
    let made = Command::new("flite").args(["-voice", "rms", "-t", text, "-o"]).arg(&path).status();
    assert!(made.is_ok_and(|status| status.success()), "flite speaks for the caller");
    let sound = trunkline::audio::decode::read(&path).expect("flite writes WAV");
    let sound = trunkline::audio::resample(&sound, 8_000).expect("resampling to 8 kHz works");
    let whole = sound.samples.as_chunks::<160>().0;
    whole.iter().map(|frame| frame.map(|sample| trunkline::audio::g711::Law::Mu.encode(sample))).collect()
}

fn spoken_or_tones(folder: &std::path::Path) -> Vec<[u8; 160]> {
    spoken(
        "and then I said to him and he said to me and so we went on and on about this and that and everything",
        folder,
    )
}
