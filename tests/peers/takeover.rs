//! Calls that another telephone takes over (RFC 3891): its INVITE with Replaces comes to us, the plan goes on where it
//! stood, and the telephone that had the call until then is hung up on.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::NUMBER;
use super::caller::Caller;
use super::house::{Gateway, Settings};
use super::linphone::Linphone;
use super::sipp::{self, SDP, Scenario};

fn gateway() -> Gateway {
    Gateway::start(Settings { plan: "tests/peers/takeover.yaml".into(), ..Settings::default() })
}

/// SIPp asks for a dialog of ours, with this header.
fn taking(replaces: &str) -> Scenario {
    Scenario::invite(&format!("{replaces}\n"), SDP).trying()
}

fn requests(record: &Value) -> Vec<&str> {
    let rungs = record["ladder"]["rungs"].as_array().expect("a ladder");
    let lines = rungs.iter().filter_map(|rung| rung["line"].as_str());
    lines.filter(|line| !line.starts_with("SIP/2.0 ")).filter_map(|line| line.split(' ').next()).collect()
}

/// One call, in which the first question was answered before and the second after it changed hands.
fn went_on(gateway: &Gateway) -> Value {
    let record = gateway.record();
    assert_eq!((&record["result"], &record["end"]["why"]), (&"taken".into(), &"completed".into()), "{record:#}");
    let turns = record["turns"].as_array().expect("turns");
    let keys: Vec<&str> = turns.iter().filter_map(|turn| turn["keys"].as_str()).collect();
    assert_eq!(keys, ["1", "7"], "{record:#}");
    record
}

#[test]
fn sipp_takes_a_call_over_and_the_plan_goes_on_where_it_stood() {
    if !sipp::is_here() {
        return;
    }
    let gateway = gateway();
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(25);
    caller.press('1');
    caller.keep_silent(25);
    let dialog = caller.dialog();
    let other = dialog.replace("test-", "other-");
    // Who may not have it changes nothing: a dialog nobody knows, one that is wanted only while it rings, no dialog.
    for (replaces, status) in [
        (format!("Replaces: {other}"), 481),
        (format!("Replaces: {dialog};early-only"), 486),
        (format!("Replaces: {}", dialog.split(';').next().expect("a Call-ID")), 400),
        (format!("Replaces: {dialog}\nReplaces: {other}"), 400),
    ] {
        let went = taking(&replaces).expect(status).ack_refusal(1).run(gateway.sip);
        assert!(went.success, "{replaces} wants {status}:\n{}", went.messages);
    }
    caller.keep_silent(5);
    let taker = taking(&format!("Require: replaces\nReplaces: {dialog}"))
        .expect(200)
        .ack(1, "")
        .pause_ms(1_000)
        .request("INFO", 2, "Content-Type: application/dtmf-relay\n", "Signal=7\nDuration=160\n")
        .expect(200)
        .expect_request("BYE")
        .answer("200 OK", "", "");
    let us = gateway.sip;
    let taker = thread::spawn(move || taker.run(us).check());
    caller.wait_for_bye();
    // The dialog has gone to somebody else: nobody can have it a second time.
    taking(&format!("Replaces: {dialog}")).expect(481).ack_refusal(1).run(us).check();
    taker.join().expect("the new telephone is content");
    let record = went_on(&gateway);
    assert_eq!(requests(&record), ["INVITE", "ACK", "INVITE", "BYE", "ACK", "INFO", "BYE"], "{record:#}");
}

/// Ann calls us, asks Carl, and connects him with us: her telephone sends his to ours with the dialog that it has.
#[test]
fn linphone_hands_its_call_with_us_to_another_linphone() {
    let gateway = gateway();
    // Ann's telephone names us without our port: Carl's home knows where 1000 is.
    let home = gateway.sip;
    let home = format!(
        "default_proxy=0\n[proxy_0]\nreg_proxy=<sip:{home}>\nreg_route=<sip:{home};lr>\n\
         reg_identity=<sip:carl@home.example>\nreg_expires=0\nreg_sendregister=0\npublish=0"
    );
    let Some(mut carl) = Linphone::start("carl", "udp", &home) else { return };
    let Some(mut ann) = Linphone::start("ann", "udp", "") else { return };
    ann.order(&format!("call sip:1000@{}", gateway.sip));
    ann.is("StreamsRunning", 1);
    ann.order("dtmf 1");
    thread::sleep(Duration::from_secs(2));
    ann.order("call-pause 1");
    ann.is("Paused", 1);
    ann.order(&format!("call {}", carl.uri()));
    ann.is("StreamsRunning", 2);
    ann.order("call-transfer 2 1");
    carl.is("StreamsRunning", 2);
    ann.is("Released", 1);
    thread::sleep(Duration::from_secs(1));
    carl.order("dtmf 7");
    carl.is("Released", 2);
    let record = went_on(&gateway);
    let invites = requests(&record).iter().filter(|method| **method == "INVITE").count();
    assert!(invites >= 3, "a call, held, taken over: {record:#}");
}
