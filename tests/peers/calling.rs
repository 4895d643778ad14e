//! The whole gateway calls SIPp: what SIPp does decides what `trunkline call` shows and exits with.

use std::process::Child;

use serde_json::Value;

use super::house::{Gateway, Settings};
use super::uas::{Scenario, Uas};

fn call(gateway: &Gateway, uas: &Uas, more: &[&str]) -> Child {
    let to = format!("sip:ada@127.0.0.1:{}", uas.port);
    gateway.begin(&[&["call", &to, "--plan", "tests/gateway/greeting.yaml", "--json"], more].concat())
}

/// Exit code, names of the events, record.
fn ended(child: Child) -> (Option<i32>, Vec<String>, Value) {
    let output = child.wait_with_output().expect("the command ends");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let events = lines.iter().filter_map(|line| line["event"]["event"].as_str().map(str::to_owned)).collect();
    (output.status.code(), events, lines.last().map_or(Value::Null, |line| line["record"].clone()))
}

#[test]
fn sipp_answers_puts_us_on_hold_takes_us_back_and_hears_the_plan_out() {
    let scenario = Scenario::invited_from()
        .says("180 Ringing", "a", "")
        .says("200 OK", "a", "SDP")
        .receives("ACK")
        .offers(1, "sendonly", "recvonly")
        .waits(4_000)
        .offers(2, "sendrecv", "sendrecv")
        .receives("BYE")
        .confirms();
    let Some(uas) = Uas::start(&scenario) else { return };
    let gateway = Gateway::start(Settings::default());
    let (code, events, record) = ended(call(&gateway, &uas, &["--var", "name=Ada"]));
    uas.finish();
    assert_eq!((code, &record["disposition"]), (Some(0), &"answered".into()), "{record:#}\n{}", gateway.log());
    assert_eq!(record["result"], "delivered", "hold is no silence of theirs: {record:#}");
    for event in ["ringing", "answered", "held", "resumed", "ended"] {
        assert!(events.contains(&event.to_owned()), "{event} is not among {events:?}");
    }
    let greeting = &record["prompts"][0];
    assert_eq!(
        (&greeting["played_ms"], &greeting["text"]),
        (&greeting["total_ms"], &"Hello Ada, this is a test.".into())
    );
}

#[test]
fn early_media_is_not_the_answer_and_busy_after_it_is_busy() {
    let scenario = Scenario::invited()
        .says("183 Session Progress", "a", "SDP")
        .waits(1_500)
        .says("486 Busy Here", "a", "")
        .receives("ACK");
    let Some(uas) = Uas::start(&scenario) else { return };
    let gateway = Gateway::start(Settings::default());
    let (code, events, record) = ended(call(&gateway, &uas, &[]));
    uas.finish();
    assert_eq!((code, &record["disposition"]), (Some(3), &"busy".into()), "{record:#}");
    assert!(!events.contains(&"answered".to_owned()) && record["answered_at"].is_null(), "{events:?}");
    assert_eq!(record["prompts"].as_array().map(Vec::len), Some(0), "nothing is said into early media");
}

#[test]
fn a_telephone_that_rings_too_long_is_no_answer() {
    let scenario = Scenario::invited().says("180 Ringing", "a", "").cancelled();
    let Some(uas) = Uas::start(&scenario) else { return };
    let gateway = Gateway::start(Settings::default());
    let (code, _, record) = ended(call(&gateway, &uas, &["--ring", "2"]));
    uas.finish();
    assert_eq!((code, &record["end"]["why"]), (Some(4), &"no_answer".into()), "{record:#}");
}

#[test]
fn the_cause_of_the_telephone_network_goes_before_the_status() {
    let reason = "Reason: Q.850;cause=1;text=\"unallocated\"\n";
    let scenario = Scenario::invited().says("480 Temporarily Unavailable", "a", reason).receives("ACK");
    let Some(uas) = Uas::start(&scenario) else { return };
    let gateway = Gateway::start(Settings::default());
    let (code, _, record) = ended(call(&gateway, &uas, &[]));
    uas.finish();
    assert_eq!((code, &record["disposition"]), (Some(6), &"invalid".into()), "{record:#}");
}
