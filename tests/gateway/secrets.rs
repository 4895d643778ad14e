//! Answers to secret questions are looked for everywhere after the call: in the log at debug, in every file of the data
//! folder, on the page of figures, in the sound of the recording.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

use super::NUMBER;
use super::caller::Caller;
use super::house::{Gateway, Settings, data_from};
use super::ops;
use super::sound::{Frame, found, frames, loudest, sides, spoken};

/// Typed as a secret, partly ahead of its question.
const CARD: &str = "498649805764";
/// Typed as none: what is looked for is found where it may be.
const TICKET: &str = "123";

fn gateway() -> Gateway {
    Gateway::start(Settings {
        hears: true,
        plan: "tests/gateway/secret.yaml".into(),
        top: "[log]\nlevel = \"debug\"\n[ops]\nlisten = \"127.0.0.1:0\"\n",
        ..Settings::default()
    })
}

/// Sines of these frequencies added up, 20 ms after 20 ms.
fn tone(frequencies: &[f64], count: usize) -> Vec<Frame> {
    let sample = |at: usize| {
        let wave = |hertz: &f64| (TAU * hertz * at as f64 / 8_000.0).sin();
        (frequencies.iter().map(wave).sum::<f64>() * 5_000.0) as i16
    };
    frames(&(0..count * 160).map(sample).collect::<Vec<_>>())
}

/// A key as it sounds (ITU-T Q.23).
fn key_tone(key: char) -> Vec<Frame> {
    let place = "123456789*0#".find(key).expect("a key");
    tone(&[[697.0, 770.0, 852.0, 941.0][place / 3], [1_209.0, 1_336.0, 1_477.0][place % 3]], 6)
}

/// Keys from a gateway that sends the event and leaves the tone in the sound as well.
fn press_aloud(caller: &mut Caller, keys: &str) {
    for key in keys.chars() {
        caller.press(key);
        caller.say(&key_tone(key));
        caller.keep_silent(4);
    }
}

fn samples(frames: &[Frame]) -> Vec<i16> {
    frames.as_flattened().to_vec()
}

/// Every six digits in a row of `secret`, for whoever keeps only a part.
fn parts(secret: &str) -> Vec<String> {
    secret.as_bytes().windows(6).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

/// Every file under `folder` and what is in it; prompts, which are shared by all tests, by name only.
fn everything(folder: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        match entry.file_type().expect("a type") {
            kind if kind.is_dir() => everything(&path, into),
            kind if kind.is_file() => into.push((path.display().to_string(), fs::read(&path).expect("a file"))),
            _ => {}
        }
    }
}

fn is_nowhere(gateway: &Gateway, secrets: &[String]) {
    let mut all = Vec::new();
    everything(gateway.data.path(), &mut all);
    let figures = ops::page(gateway, "/metrics");
    all.push(("/metrics".to_owned(), figures.into_bytes()));
    for name in ["serve.log", "trunkline.db", ".wav", "/metrics"] {
        let there = |(path, bytes): &(String, Vec<u8>)| path.contains(name) && bytes.len() > 100;
        assert!(all.iter().any(there), "{name} was looked at");
    }
    for (path, bytes) in &all {
        for secret in secrets {
            let held = bytes.windows(secret.len()).any(|window| window.eq_ignore_ascii_case(secret.as_bytes()));
            assert!(!held, "`{secret}` stands in {path}");
        }
    }
}

#[test]
fn keys_of_a_secret_are_in_no_file_no_figure_and_no_sound() {
    let gateway = gateway();
    let (before, after) = (tone(&[600.0], 25), tone(&[800.0], 25));
    let mut caller = Caller::dial(&gateway, NUMBER);
    // Over the welcome, which nobody may stop: a sound of its own, then the first keys ahead of their question.
    caller.say(&before);
    caller.keep_silent(35);
    press_aloud(&mut caller, &CARD[..2]);
    press_aloud(&mut caller, &CARD[2..]);
    caller.keep_silent(80);
    caller.say(&after);
    press_aloud(&mut caller, TICKET);
    caller.stay_silent();
    let record = gateway.record();
    assert_eq!(record["result"], "served", "{record:#}\n{}", gateway.log());
    let turns = record["turns"].as_array().expect("turns");
    let open = |turn: &&serde_json::Value| !turn["keys"].is_null();
    let told: Vec<_> = turns.iter().filter(open).map(|turn| &turn["keys"]).collect();
    assert_eq!(told, [TICKET], "what is no secret is kept, and nothing else: {record:#}");
    assert_eq!((&turns[0]["outcome"], &turns[0]["meaning"]), (&"keys".into(), &"card".into()), "{record:#}");
    is_nowhere(&gateway, &parts(CARD));

    let media = &record["media"];
    let (left, right) = sides(media["recording"]["path"].as_str().expect("a recording was saved"));
    for (name, sound) in [("before", &before), ("after", &after), ("ticket", &key_tone('1'))] {
        let likeness = found(&samples(sound)[..960], &left);
        assert!(likeness > 0.9, "what is no secret is recorded: {name} {likeness}");
    }
    for key in CARD.chars() {
        let likeness = found(&samples(&key_tone(key))[..960], &left);
        assert!(likeness < 0.8, "key {key} is heard: {likeness}");
    }
    // Between the two sounds there is nothing at all, while a dozen tones were sent.
    let loud: Vec<usize> =
        left.chunks(160).enumerate().filter(|(_, frame)| loudest(frame) > 500).map(|(at, _)| at).collect();
    let gap = loud.windows(2).max_by_key(|pair| pair[1] - pair[0]).expect("sounds");
    let quiet = &left[(gap[0] + 1) * 160..gap[1] * 160];
    assert!(quiet.len() > 8_000 * 3 && loudest(quiet) == 0, "{} samples, {}", quiet.len(), loudest(quiet));
    let paused = media["recording_paused_ms"].as_u64().expect("it says for how long");
    assert!(paused >= 3_000 && paused as usize <= left.len() / 8, "{paused} ms of {} samples", left.len());
    assert!(loudest(&right) > 2_000, "we are heard outside of the pause");
}

#[test]
fn words_of_a_secret_are_in_no_file_no_figure_and_no_sound() {
    if data_from("TRUNKLINE_MODELS", "moonshine-tiny-en/encoder_model.ort").is_none() {
        return;
    }
    let gateway = gateway();
    let secret = spoken("rms", "four nine eight six four");
    let ticket = spoken("rms", "one two three");
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(220);
    caller.say(&frames(&secret));
    caller.keep_silent(350);
    caller.say(&frames(&ticket));
    caller.stay_silent();
    let record = gateway.record();
    assert_eq!(record["result"], "served", "{record:#}\n{}", gateway.log());
    let turn = &record["turns"][0];
    assert_eq!((&turn["outcome"], &turn["heard"]), (&"speech".into(), &serde_json::Value::Null), "{record:#}");
    let heard = record["turns"][1]["heard"].as_str().expect("what is no secret is kept");
    assert!(!heard.is_empty());
    let words = ["four nine", "nine eight", "eight six", "six four", "49864", "4 9 8 6", "4, 9"].map(str::to_owned);
    is_nowhere(&gateway, &words);
    let (left, _) = sides(record["media"]["recording"]["path"].as_str().expect("a recording was saved"));
    let likeness = found(&secret, &left);
    assert!(likeness < 0.3, "the secret is heard: {likeness}");
    let likeness = found(&ticket, &left);
    assert!(likeness > 0.8, "what is no secret is recorded: {likeness}");
}
