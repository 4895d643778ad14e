//! Messages that callers leave (`record`): the file holds what was said, whatever ended it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::NUMBER;
use super::caller::Caller;
use super::house::{Gateway, Settings};
use super::sound::{found, loudest, share_found, sides, spoken, words};

const MESSAGE: &str = "Please call me back about my broken heating. I am at home all day.";
/// 20 ms each: longer than the prompt, and some of the silence that ends a message.
const PROMPT: usize = 100;
const SILENCE: usize = 75;
/// A prompt, and the tone after which people speak.
const PLAN: &str = r#"
dialplan: 1
name: messages
start: leave
steps:
  leave:
    record:
      prompt: "Speak now. <audio src=\"tone.wav\">.</audio>"
      max: 8s
      silence: 3s
      nothing: empty
      go: thanks
  thanks: { hangup: { text: "Thank you.", result: left } }
  empty: { hangup: { text: "Goodbye.", result: nothing } }
"#;

fn gateway(folder: &Path) -> Gateway {
    let tone = trunkline::audio::tone::sine(1_000.0, -20.0, 300, 8_000);
    trunkline::audio::wav::write_mono(&folder.join("tone.wav"), &tone).expect("the folder is ours");
    let plan = folder.join("messages.yaml");
    fs::write(&plan, PLAN).expect("the folder is ours");
    Gateway::start(Settings { plan, ..Settings::default() })
}

fn message(record: &Value) -> Option<&Value> {
    record["outcomes"].as_array().into_iter().flatten().find(|outcome| outcome["kind"] == "message")
}

/// The message holds what was said, and nothing of us.
fn is_kept(record: &Value, least: f64) {
    let message = message(record).unwrap_or_else(|| panic!("no message: {record:#}"));
    let (left, right) = sides(message["file"].as_str().expect("a file"));
    let share = share_found(&spoken("rms", MESSAGE), &left);
    assert!(share >= least, "{share} of what was said is in the message: {record:#}");
    assert!(loudest(&right) < 100, "and nothing of what we said");
    let lasted = left.len() as u64 / 8;
    let told = message["ms"].as_u64().expect("a length");
    assert!(lasted.abs_diff(told) < 1_500, "the file is {lasted} ms long, the record says {told}");
}

#[test]
fn a_message_ends_with_silence_a_key_or_the_call_and_is_kept_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let said = words(MESSAGE);
    for (number, end) in ["silence", "key", "hang-up"].into_iter().enumerate() {
        let mut caller = Caller::dial(&gateway, NUMBER);
        caller.keep_silent(PROMPT + 25);
        caller.say(&said);
        match end {
            "silence" => caller.keep_silent(SILENCE),
            "key" => caller.press('#'),
            _ => caller.hang_up(),
        }
        if end != "hang-up" {
            caller.stay_silent();
        }
        if end == "silence" {
            let tone = trunkline::audio::tone::sine(1_000.0, -20.0, 300, 8_000).samples;
            let likeness = found(&tone[400..2_000], &caller.heard());
            assert!(likeness > 0.9, "the tone was heard before: {likeness}");
        }
        let record = gateway.wait_for_records(number + 1).remove(number);
        is_kept(&record, 0.8);
        if end == "hang-up" {
            assert_eq!(record["end"]["why"], "caller_hung_up", "{record:#}");
        } else {
            assert_eq!(record["result"], "left", "{end}: {record:#}");
        }
    }
}

#[test]
fn a_message_has_its_limit_and_silence_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway(folder.path());
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.stay_silent();
    let record = gateway.wait_for_records(1).remove(0);
    assert_eq!((&record["result"], message(&record)), (&"nothing".into(), None), "{record:#}");
    assert!(messages_below(&gateway.data.path().join("recordings")).is_empty(), "the empty file is gone");
    let mut talker = Caller::dial(&gateway, NUMBER);
    talker.keep_silent(PROMPT);
    let said = words(MESSAGE);
    let endless = said.repeat(6);
    talker.stay(|frame| endless.get(frame).copied().unwrap_or([0; 160]));
    let record = gateway.wait_for_records(2).remove(1);
    let ms = message(&record).and_then(|message| message["ms"].as_u64()).unwrap_or_else(|| panic!("{record:#}"));
    assert!((7_000..10_000).contains(&ms), "it was cut at its limit: {record:#}");
    assert_eq!(record["result"], "left", "{record:#}");
    assert_eq!(messages_below(&gateway.data.path().join("recordings")).len(), 1);
}

/// Files of messages, wherever they lie.
fn messages_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if entry.is_dir() {
            found.extend(messages_below(&entry));
        } else if entry.to_string_lossy().contains("-message-") {
            found.push(entry);
        }
    }
    found
}
