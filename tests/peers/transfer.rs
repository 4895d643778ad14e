//! Callers sent on after the one they are sent to was asked, and calls taken over by another telephone, with SIPp and
//! Linphone at the other ends.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::house::{Gateway, Settings};
use super::linphone::{Linphone, patient};
use super::sipp::{self, SDP};
use super::uas::{Scenario, Uas};

const PATIENCE: Duration = Duration::from_secs(40);
const NOTIFY: &str = "Event: refer\nContent-Type: message/sipfrag\nSubscription-State: ";

/// The id of the only call there is, once it is answered: it takes orders then.
fn answered_call(gateway: &Gateway) -> String {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let live = gateway.ask(r#"{"do":"calls"}"#);
        if let Some(id) = live["calls"][0]["call"].as_str() {
            // Nothing is held; but only a call that is answered says so.
            let told = gateway.ask(&format!(r#"{{"do":"resume","call":"{id}"}}"#));
            if told["ok"].is_string() {
                return id.to_owned();
            }
        }
        assert!(Instant::now() < give_up, "no call is answered: {live}\n{}", gateway.log());
        thread::sleep(Duration::from_millis(50));
    }
}

/// `trunkline transfer … --attended`: exit code and what it showed.
fn transfer(gateway: &Gateway, to: &str, more: &[&str]) -> (Option<i32>, String) {
    let id = answered_call(gateway);
    let child = gateway.begin(&[&["transfer", &id, "--to", to, "--attended"], more].concat());
    let output = child.wait_with_output().expect("the command ends");
    let shown = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (output.status.code(), shown)
}

/// The record of the caller's call and that of the one that was made for it.
fn records(gateway: &Gateway) -> (Value, Value) {
    let (mut theirs, mut others) = (Value::Null, Value::Null);
    for record in gateway.wait_for_records(2) {
        if record["made_for"].is_null() { theirs = record } else { others = record }
    }
    assert_eq!(others["made_for"], theirs["id"], "{others:#}\n{theirs:#}");
    (theirs, others)
}

fn lines(record: &Value) -> Vec<String> {
    let rungs = record["ladder"]["rungs"].as_array().cloned().unwrap_or_default();
    rungs.iter().filter_map(|rung| Some(rung["line"].as_str()?.to_owned())).collect()
}

/// A caller who is put on hold and told to take over another dialog.
fn sent_on() -> sipp::Scenario {
    sipp::Scenario::call()
        .expect_request_with("INVITE", "body", "a=sendonly")
        .answer("200 OK", "", &format!("{SDP}a=recvonly\n"))
        .expect_request("ACK")
        .expect_request_with("REFER", "Refer-To", "sip:uas@127.0.0.1:[0-9]+[?]Replaces=")
        .answer("202 Accepted", "", "")
        .request("NOTIFY", 2, &format!("{NOTIFY}active;expires=60\n"), "SIP/2.0 100 Trying\n")
        .expect(200)
}

/// … and taken back.
fn taken_back(scenario: sipp::Scenario, cseq: u32) -> sipp::Scenario {
    scenario
        .expect_request_with("INVITE", "body", "a=sendrecv")
        .answer("200 OK", "", &format!("{SDP}a=sendrecv\n"))
        .expect_request("ACK")
        .pause_ms(300)
        .request("INFO", cseq, "Content-Type: application/dtmf-relay\n", "Signal=2\nDuration=160\n")
        .expect(200)
        .expect_request("BYE")
        .answer("200 OK", "", "")
}

fn calls(scenario: sipp::Scenario, us: SocketAddr) -> thread::JoinHandle<()> {
    thread::spawn(move || scenario.run(us).check())
}

fn lifts() -> Scenario {
    Scenario::invited_from().says("180 Ringing", "a", "").waits(200).says("200 OK", "a", "SDP").receives("ACK")
}

#[test]
fn sipp_is_sent_to_a_telephone_that_was_told_who_comes() {
    let target = lifts().receives_saying("BYE", "Reason:", "Q.850;cause=16").confirms();
    let Some(target) = Uas::start(&target) else { return };
    let gateway = Gateway::start(patient(Settings::default()));
    let caller = sent_on()
        .request("NOTIFY", 3, &format!("{NOTIFY}terminated;reason=noresource\n"), "SIP/2.0 200 OK\n")
        .expect(200)
        .expect_request("BYE")
        .answer("200 OK", "", "");
    let caller = calls(caller, gateway.sip);
    let (code, shown) =
        transfer(&gateway, &format!("sip:bob@127.0.0.1:{}", target.port), &["--say", "Ann is waiting."]);
    caller.join().expect("the caller is content");
    target.finish();
    assert_eq!(code, Some(0), "{shown}\n{}", gateway.log());
    assert!(shown.contains("on hold") && shown.contains("sent on"), "{shown}");
    let (theirs, other) = records(&gateway);
    assert_eq!((&theirs["end"]["why"], &other["end"]["why"]), (&"transferred".into(), &"transferred".into()));
    assert_eq!((&other["plan"], &other["disposition"]), (&"consultation".into(), &"answered".into()));
    let briefing = &other["prompts"][0];
    assert_eq!((&briefing["text"], &briefing["played_ms"]), (&"Ann is waiting.".into(), &briefing["total_ms"]));
    for start in ["REFER ", "NOTIFY ", "BYE "] {
        assert!(lines(&theirs).iter().any(|line| line.starts_with(start)), "{start}: {:?}", lines(&theirs));
    }
}

#[test]
fn a_target_that_was_taken_over_hangs_up_its_old_leg_itself() {
    let target = lifts().waits(1_500).asks("BYE", "a");
    let Some(target) = Uas::start(&target) else { return };
    let gateway = Gateway::start(patient(Settings::default()));
    let caller = sent_on()
        .pause_ms(2_500)
        .request("NOTIFY", 3, &format!("{NOTIFY}terminated;reason=noresource\n"), "SIP/2.0 200 OK\n")
        .expect(200)
        .expect_request("BYE")
        .answer("200 OK", "", "");
    let caller = calls(caller, gateway.sip);
    let (code, shown) = transfer(&gateway, &format!("sip:bob@127.0.0.1:{}", target.port), &[]);
    caller.join().expect("the caller is content");
    target.finish();
    assert_eq!(code, Some(0), "{shown}\n{}", gateway.log());
    let (theirs, other) = records(&gateway);
    assert_eq!((&theirs["end"]["why"], &other["end"]["why"]), (&"transferred".into(), &"transferred".into()));
    assert_eq!(other["prompts"].as_array().map(Vec::len), Some(0), "nobody wanted anything said");
}

#[test]
fn a_busy_target_gives_the_caller_back_to_the_plan() {
    let Some(target) = Uas::start(&Scenario::invited().says("486 Busy Here", "a", "").receives("ACK")) else { return };
    let gateway = Gateway::start(patient(Settings::default()));
    let caller = sipp::Scenario::call()
        .expect_request_with("INVITE", "body", "a=sendonly")
        .answer("200 OK", "", &format!("{SDP}a=recvonly\n"))
        .expect_request("ACK");
    let caller = calls(taken_back(caller, 2), gateway.sip);
    let (code, shown) = transfer(&gateway, &format!("sip:bob@127.0.0.1:{}", target.port), &[]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("486"), "{shown}");
    caller.join().expect("the caller is content");
    target.finish();
    let (theirs, other) = records(&gateway);
    assert_eq!((&theirs["end"]["why"], &theirs["result"]), (&"completed".into(), &"enough".into()), "{theirs:#}");
    assert_eq!((&other["end"]["detail"], &other["disposition"]), (&486.into(), &"busy".into()));
}

#[test]
fn a_transfer_that_their_side_refuses_lets_the_target_go() {
    let Some(target) = Uas::start(&lifts().receives("BYE").confirms()) else { return };
    let gateway = Gateway::start(patient(Settings::default()));
    let failed = sent_on()
        .request("NOTIFY", 3, &format!("{NOTIFY}terminated;reason=noresource\n"), "SIP/2.0 486 Busy Here\n")
        .expect(200);
    let caller = calls(taken_back(failed, 4), gateway.sip);
    let (code, shown) = transfer(&gateway, &format!("sip:bob@127.0.0.1:{}", target.port), &[]);
    assert_eq!(code, Some(1), "{shown}");
    caller.join().expect("the caller is content");
    target.finish();
    let (theirs, other) = records(&gateway);
    assert_eq!((&theirs["end"]["why"], &other["end"]["why"]), (&"completed".into(), &"interrupted".into()));
}

#[test]
fn a_caller_who_hangs_up_while_the_target_rings_takes_that_call_back() {
    let target = Scenario::invited()
        .says("180 Ringing", "a", "")
        .receives_saying("CANCEL", "Reason:", "SIP;cause=487")
        .confirms()
        .says("487 Request Terminated", "a", "")
        .receives("ACK");
    let Some(target) = Uas::start(&target) else { return };
    let gateway = Gateway::start(patient(Settings::default()));
    let caller = sipp::Scenario::call()
        .expect_request_with("INVITE", "body", "a=sendonly")
        .answer("200 OK", "", &format!("{SDP}a=recvonly\n"))
        .expect_request("ACK")
        .pause_ms(1_500)
        .request("BYE", 2, "Reason: Q.850;cause=16;text=\"tired of waiting\"\n", "")
        .expect(200);
    let caller = calls(caller, gateway.sip);
    let (code, shown) = transfer(&gateway, &format!("sip:bob@127.0.0.1:{}", target.port), &[]);
    assert_eq!(code, Some(1), "{shown}");
    caller.join().expect("the caller is content");
    target.finish();
    let (theirs, other) = records(&gateway);
    assert_eq!((&theirs["end"]["why"], &other["end"]["why"]), (&"caller_hung_up".into(), &"interrupted".into()));
    assert_eq!((&theirs["reason"]["cause"], &theirs["reason"]["text"]), (&16.into(), &"tired of waiting".into()));
}

#[test]
fn linphone_goes_to_linphone_and_both_talk_to_each_other_without_us() {
    let Some(mut bob) = Linphone::start("bob", "udp", "") else { return };
    let Some(mut ann) = Linphone::start("ann", "udp", "") else { return };
    let gateway = Gateway::start(patient(Settings::default()));
    ann.order(&format!("call sip:1000@{}", gateway.sip));
    ann.is("StreamsRunning", 1);
    let (code, shown) = transfer(&gateway, &bob.uri(), &["--say", "Ann is waiting."]);
    assert_eq!(code, Some(0), "{shown}\n{}", gateway.log());
    bob.is("StreamsRunning", 2);
    let (theirs, other) = records(&gateway);
    assert_eq!((&theirs["end"]["why"], &other["end"]["why"]), (&"transferred".into(), &"transferred".into()));
    ann.order("terminate");
    bob.is("Released", 2);
}
