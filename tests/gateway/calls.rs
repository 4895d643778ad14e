//! Calls as they should be: by key and by voice, refused politely, and finished when the gateway stops.

use std::fs;

use super::NUMBER;
use super::caller::{Caller, header};
use super::house::{Gateway, Settings, data_from};
use super::sound::{SILENCE, loudest, sides, words};

#[test]
fn keys_walk_the_plan_and_a_record_and_a_recording_remain() {
    let gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(20);
    caller.press_all("2");
    caller.stay_silent();
    let record = gateway.record();
    assert_eq!(record["end"]["why"], "completed", "{record:#}");
    assert_eq!(record["result"], "served");
    assert_eq!(record["path"], serde_json::json!(["welcome", "main", "done"]));
    assert_eq!((&record["caller"], &record["called"]), (&NUMBER.into(), &"1000".into()));
    let protected = &record["prompts"][0];
    assert_eq!(protected["protected"], true);
    assert!(protected["total_ms"].as_u64() > Some(500), "{protected:#}");
    assert_eq!(protected["played_ms"], protected["total_ms"], "a protected prompt is heard whole");
    let (left, right) = sides(record["media"]["recording"]["path"].as_str().expect("a recording was saved"));
    assert!(loudest(&right) > 2_000, "the bot is on the right channel");
    assert!(loudest(&left) < 100, "and the caller, who said nothing, on the left");
}

#[test]
fn a_person_and_digits_are_reached_by_key_without_any_model_and_the_log_says_what_is_missing() {
    let gateway = Gateway::start(Settings::default());
    for (keys, result) in [("0", "person"), ("12468", "served")] {
        let mut caller = Caller::dial(&gateway, NUMBER);
        caller.press_all(keys);
        caller.stay_silent();
        let records = gateway.wait_for_records(if keys == "0" { 1 } else { 2 });
        assert_eq!(records.last().expect("a record")["result"], result, "{records:#?}");
    }
    let log = gateway.log();
    assert!(log.contains("WARN") && log.contains("scripts/models"), "the log says what to do:\n{log}");
}

#[test]
fn speech_is_understood_on_the_box() {
    if data_from("TRUNKLINE_MODELS", "moonshine-tiny-en/encoder_model.ort").is_none() {
        return;
    }
    let gateway = Gateway::start(Settings { hears: true, ..Settings::default() });
    let words = words("I lost my card");
    let mut caller = Caller::dial(&gateway, NUMBER);
    // When the menu has been read, and again later if nothing came of it.
    caller.stay(|frame| words.get(frame.wrapping_sub(200) % 400).copied().unwrap_or(SILENCE));
    let record = gateway.record();
    assert_eq!(record["result"], "served", "{record:#}\n{}", gateway.log());
    let turns = record["turns"].as_array().expect("turns");
    let turn = turns.iter().find(|turn| turn["meaning"] == "lost").expect("a turn was understood");
    assert_eq!(turn["outcome"], "speech");
    assert!(turn["confidence"].as_f64() > Some(0.5), "{turn:#}");
    assert!(turn["latency"]["total_ms"].as_f64() > Some(0.0), "{turn:#}");
    assert!(turn["heard"].as_str().is_some_and(|heard| heard.contains("card")), "{turn:#}");
}

#[test]
fn a_voice_interrupts_a_prompt_and_is_answered() {
    if data_from("TRUNKLINE_MODELS", "moonshine-tiny-en/encoder_model.ort").is_none() {
        return;
    }
    let settings = Settings { hears: true, plan: "dialplans/bank-main.yaml".into(), ..Settings::default() };
    let gateway = Gateway::start(settings);
    let words = words("I lost my credit card");
    let mut caller = Caller::dial(&gateway, NUMBER);
    // The menu begins some six seconds into the call and takes as long to say.
    while !gateway.log().contains("answered") {
        caller.keep_silent(5);
    }
    caller.keep_silent(400);
    caller.say(&words);
    caller.keep_silent(100);
    caller.hang_up();
    let record = gateway.record();
    let turn = &record["turns"][0];
    assert_eq!((&turn["outcome"], &turn["meaning"]), (&"speech".into(), &"lost".into()), "{record:#}");
    assert!(turn["barge_in_ms"].as_u64() > Some(0), "the prompt was interrupted: {turn:#}");
    let cut = |prompt: &&serde_json::Value| prompt["step"] == "main";
    let prompt = record["prompts"].as_array().expect("prompts").iter().find(cut).expect("the menu was read");
    assert!(prompt["played_ms"].as_u64() < prompt["total_ms"].as_u64(), "{prompt:#}");
    assert_eq!(record["end"]["why"], "caller_hung_up", "{record:#}");
}

#[test]
fn a_log_at_default_level_holds_no_number_no_digit_and_no_word_of_the_caller() {
    let gateway = Gateway::start(Settings::default());
    let words = words("my balance");
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(200);
    caller.say(&words);
    caller.keep_silent(100);
    // Goes on by key where no model hears; four digits answer a sensitive question either way.
    caller.press_all("1");
    caller.press_all("8642");
    caller.stay_silent();
    let mut lost = Caller::new(&gateway, NUMBER);
    assert_eq!(lost.invite("+12025550177").0, 404);
    lost.ack("+12025550177", "");
    gateway.wait_for_records(2);
    let log = gateway.log();
    for expected in ["answered", "ended", "refused"] {
        assert!(log.contains(expected), "the log tells of the calls:\n{log}");
    }
    for secret in ["2025550143", "0143", "2025550177", "0177", "8642", "sip:+1", "balance", "Balance"] {
        assert!(!log.contains(secret), "`{secret}` stands in the log:\n{log}");
    }
    let files = ["trunkline.db", "trunkline.db-wal"].map(|file| fs::read(gateway.data.path().join(file)));
    assert!(files[0].as_ref().is_ok_and(|bytes| !bytes.is_empty()), "the database is there");
    for bytes in files.into_iter().flatten() {
        assert!(!bytes.windows(4).any(|window| window == b"8642"), "digits of a sensitive question were kept");
    }
}

#[test]
fn a_number_without_a_route_is_not_found_and_a_codec_we_lack_is_not_acceptable() {
    let gateway = Gateway::start(Settings::default());
    let mut lost = Caller::new(&gateway, NUMBER);
    assert_eq!(lost.invite("4711").0, 404);
    lost.ack("4711", "");
    let mut exotic = Caller::new(&gateway, NUMBER);
    let body =
        exotic.sdp().replace("RTP/AVP 0 101", "RTP/AVP 97").replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:97 SPEEX/16000");
    let (status, answer) = exotic.invite_with("1000", &body);
    assert_eq!(status, 488);
    assert!(header(&answer, "Warning").is_some(), "the refusal says why: {answer}");
    exotic.ack("1000", "");
    let ends: Vec<_> = gateway.wait_for_records(2).iter().map(|record| record["end"].clone()).collect();
    assert_eq!(ends[0], serde_json::json!({ "why": "rejected", "detail": 404 }));
    assert_eq!(ends[1], serde_json::json!({ "why": "rejected", "detail": 488 }));
}

#[test]
fn a_gateway_that_is_told_to_stop_finishes_its_call_and_turns_the_next_away() {
    let mut gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(20);
    gateway.terminate();
    while !gateway.log().contains("draining") {
        caller.keep_silent(2);
    }
    let mut late = Caller::new(&gateway, NUMBER);
    let (status, answer) = late.invite("1000");
    assert_eq!(status, 503, "{answer}");
    let wait = header(&answer, "Retry-After").and_then(|wait| wait.parse::<u32>().ok());
    assert!(wait.is_some_and(|seconds| (1..=60).contains(&seconds)), "{answer}");
    late.ack("1000", "");
    caller.press_all("2");
    caller.stay_silent();
    assert!(gateway.wait_until_it_ends().success(), "{}", gateway.log());
    let served: Vec<_> = gateway.records().into_iter().filter(|record| record["result"] == "served").collect();
    assert_eq!(served.len(), 1, "{}", gateway.log());
    assert_eq!(served[0]["media"]["recording"]["state"], "saved", "{:#}", served[0]);
}

#[test]
fn a_gateway_that_is_told_twice_to_stop_says_goodbye_at_once() {
    let settings =
        Settings { top: "drain_timeout = \"10m\"", plan: "dialplans/bank-main.yaml".into(), ..Settings::default() };
    let mut gateway = Gateway::start(settings);
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(20);
    gateway.terminate();
    while !gateway.log().contains("draining") {
        caller.keep_silent(2);
    }
    gateway.terminate();
    caller.stay_silent();
    assert!(gateway.wait_until_it_ends().success(), "{}", gateway.log());
    assert!(gateway.log().contains("told twice to stop"), "{}", gateway.log());
    assert_eq!(gateway.record()["end"]["why"], "drained");
}

#[test]
fn a_call_that_outlasts_the_drain_is_told_goodbye() {
    let settings =
        Settings { top: "drain_timeout = \"1s\"", plan: "dialplans/bank-main.yaml".into(), ..Settings::default() };
    let mut gateway = Gateway::start(settings);
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(20);
    gateway.terminate();
    caller.stay_silent();
    assert!(gateway.wait_until_it_ends().success(), "{}", gateway.log());
    let record = gateway.record();
    assert_eq!(record["end"]["why"], "drained", "{record:#}");
    let last = record["prompts"].as_array().and_then(|prompts| prompts.last()).expect("prompts");
    assert_eq!((&last["text"], &last["played_ms"]), (&"Goodbye.".into(), &last["total_ms"]), "{record:#}");
}
