//! What is played is what is heard, both ways, in either law, by our caller and by SIPp.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::NUMBER;
use super::caller::{Caller, Speaks};
use super::house::{Gateway, Settings};
use super::sound::{Frame, SILENCE, found, frames, sides, spoken};

/// What the caller hears and what the caller says must both be found with at least this correlation.
const INTACT: f64 = 0.99;
/// What we announce, in another voice than the gateway's. Without a pause inside: in a pause the gateway may shorten
/// its delay, and the halves no longer fit at once.
const ANNOUNCEMENT: &str = "Our offices are open on Saturdays until noon.";
/// What the caller says meanwhile, likewise.
const STORY: &str = "I am calling about your letter of last week.";

/// A plan that says one recorded announcement three times and hangs up; the announcement's samples.
fn announcement(folder: &Path) -> (PathBuf, Vec<i16>) {
    let sound = spoken("kal16", ANNOUNCEMENT);
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(folder.join("hours.wav"), spec).expect("a file");
    sound.iter().for_each(|&sample| wav.write_sample(sample).expect("a sample is written"));
    wav.finalize().expect("the file is whole");
    let say = |go| format!("{{ say: {{ text: {ANNOUNCEMENT:?}, file: hours.wav, protected: true, go: {go} }} }}");
    let plan = folder.join("hours.yaml");
    let text = format!(
        "dialplan: 1\nname: hours\nstart: once\nsteps:\n  once: {}\n  twice: {}\n  thrice: {}\n",
        say("twice"),
        say("thrice"),
        say("$end")
    );
    fs::write(&plan, text).expect("a plan is written");
    (plan, sound)
}

/// How often a call is made again. A machine too busy to run us every 20 ms leaves honest gaps in a recording, and the
/// next call may find it less so; what the gateway itself does to sound, it does to every call.
const CALLS: usize = 4;

fn recording(record: &Value) -> (Vec<i16>, Vec<i16>) {
    sides(record["media"]["recording"]["path"].as_str().expect("a recording was saved"))
}

/// Calls a gateway that makes the announcement, tells the story meanwhile, and compares both ways.
fn both_hear_each_other(dial: impl Fn(&Gateway) -> Caller) {
    let folder = tempfile::tempdir().expect("a folder");
    let (plan, announced) = announcement(folder.path());
    let gateway = Gateway::start(Settings { plan, ..Settings::default() });
    let told = spoken("rms", STORY);
    let mut story: Vec<Frame> = frames(&told);
    story.extend([SILENCE; 10]);
    let mut best: (f64, f64) = (0.0, 0.0);
    for call in 1..=CALLS {
        let mut caller = dial(&gateway);
        caller.say(&story.repeat(3));
        caller.stay_silent();
        let heard = found(&announced, &caller.heard());
        assert!(heard >= INTACT, "the caller heard the announcement with a correlation of {heard}");
        let record = gateway.wait_for_records(call).remove(call - 1);
        for prompt in &record["prompts"].as_array().expect("prompts")[..3] {
            assert_eq!(prompt["played_ms"], prompt["total_ms"], "{prompt:#}");
        }
        let (left, right) = recording(&record);
        let (told, said) = (found(&told, &left), found(&announced, &right));
        let late = &record["media"]["late_ticks"];
        println!("measured: correlation heard {heard:.5}, told {told:.5}, recorded {said:.5}; {late} late ticks");
        best = (best.0.max(told), best.1.max(said));
        if best.0 >= INTACT && best.1 >= INTACT {
            return;
        }
    }
    panic!("in {CALLS} calls the recordings have the caller at {}, the announcement at {}", best.0, best.1);
}

#[test]
fn sound_arrives_intact_both_ways() {
    both_hear_each_other(|gateway| Caller::dial(gateway, NUMBER));
}

#[test]
fn sound_arrives_intact_both_ways_in_a_law() {
    both_hear_each_other(|gateway| Caller::new(gateway, NUMBER).speaking(Speaks::A).connect(gateway));
}

#[test]
fn a_caller_who_lets_us_offer_may_answer_a_law_in_the_ack() {
    both_hear_each_other(|gateway| {
        let mut caller = Caller::new(gateway, NUMBER).speaking(Speaks::A);
        let (status, answer) = caller.invite_with("1000", "");
        assert_eq!(status, 200);
        assert!(answer.contains(" RTP/AVP 0 8 "), "the 200 carries our offer:\n{answer}");
        let body = caller.sdp();
        caller.ack("1000", &body);
        caller
    });
}

/// SIPp sends back every packet it receives, so that the caller's side of the recording is what SIPp heard.
#[test]
fn a_peer_that_is_not_ours_hears_a_recorded_prompt_intact() {
    if Command::new("sipp").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "sipp is missing: apt-get install sip-tester");
        println!("skipped: sipp is missing (apt-get install sip-tester)");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (plan, announced) = announcement(folder.path());
    let gateway = Gateway::start(Settings { plan, ..Settings::default() });
    let scenario = fs::canonicalize("tests/gateway/echo.xml").expect("the scenario is there");
    let mut best: (f64, f64) = (0.0, 0.0);
    for call in 1..=CALLS {
        echo(&gateway, &scenario, folder.path());
        let record = gateway.wait_for_records(call).remove(call - 1);
        assert_eq!(record["end"]["why"], "completed", "{record:#}");
        assert!(record["media"]["packets_in"].as_u64() > Some(100), "{record:#}");
        let (left, right) = recording(&record);
        let (echoed, said) = (found(&announced, &left), found(&announced, &right));
        let late = &record["media"]["late_ticks"];
        println!("measured: correlation through SIPp and back {echoed:.5}, recorded {said:.5}; {late} late ticks");
        best = (best.0.max(echoed), best.1.max(said));
        if best.0 >= INTACT && best.1 >= INTACT {
            return;
        }
    }
    panic!("in {CALLS} calls the announcement came through SIPp and back at {}, was recorded at {}", best.0, best.1);
}

/// One call by SIPp, which echoes at its media port and at the second next one.
fn echo(gateway: &Gateway, scenario: &Path, folder: &Path) {
    let (media, sip) = (gateway.spare.to_string(), (gateway.spare + 1).to_string());
    let output = Command::new("sipp")
        .args(["-sf", scenario.to_str().expect("a plain path"), "-s", "1000", "-i", "127.0.0.1", "-m", "1", "-nostdin"])
        .args(["-mi", "127.0.0.1", "-mp", &media, "-p", &sip, "-rtp_echo"])
        .args(["-timeout", "60", "-timeout_error", &gateway.sip.to_string()])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("sipp runs");
    let screen = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{screen}\n{}", String::from_utf8_lossy(&output.stderr));
}
