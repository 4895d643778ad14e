//! Keys and encryption between the whole gateway and baresip: pressed here and heard there, and the other way round;
//! offered by us and taken, or left.

use serde_json::Value;

use super::house::{Gateway, Settings};
use super::sipp::{self, SDP, Scenario};
use super::softphone::{Softphone, order};

#[test]
fn keys_pressed_by_either_end_are_heard_by_the_other() {
    let Some(phone) = Softphone::start("<sip:ann@127.0.0.1>;regint=0;dtmfmode=rtpevent\n") else { return };
    let gateway = Gateway::start(Settings { plan: "tests/gateway/patient.yaml".into(), ..Settings::default() });
    let mut user = phone.user();
    order(&mut user, "dial", &format!("sip:1000@{}", gateway.sip));
    phone.tells(&mut user, "CALL_ESTABLISHED");
    let live = gateway.ask(r#"{"do":"calls"}"#);
    let id = live["calls"][0]["call"].as_str().expect("a live call").to_owned();
    for key in ["5", "#", "0"] {
        assert_eq!(gateway.ask(&format!(r#"{{"do":"keys","call":"{id}","keys":"{key}"}}"#))["ok"], id);
        let told = phone.tells(&mut user, "CALL_DTMF_START");
        assert!(told.contains(&format!("\"param\":\"{key}\"")), "{key}: {told}");
    }
    order(&mut user, "sndcode", "2");
    let record = gateway.record();
    assert_eq!(record["result"], "enough", "{record:#}\n{}", phone.log());
    assert_eq!(record["turns"][0]["keys"], "2", "{record:#}");
}

/// How a call of ours ends and is secured, under a policy of ours, with an account of theirs.
fn called(policy: &str, account: &str) -> Option<Value> {
    let phone = Softphone::start(&format!("<sip:ann@127.0.0.1>;regint=0;answermode=auto{account}\n"))?;
    let gateway = Gateway::start(Settings { rtp: format!("srtp = \"{policy}\""), ..Settings::default() });
    drop(phone.user());
    let to = format!("sip:ann@{}", phone.sip);
    let call = ["call", &to, "--plan", "tests/gateway/greeting.yaml", "--var", "name=Ann", "--json"];
    gateway.begin(&call).wait_with_output().expect("the command ends");
    let record = gateway.record();
    println!("{policy}{account}: {} {}", record["disposition"], record["media"]["secured"]);
    Some(record)
}

#[test]
fn a_telephone_takes_the_keys_we_offer_or_takes_the_call_plain_or_loses_it() {
    let suite = Some("AES_CM_128_HMAC_SHA1_80");
    for (policy, account, answered, secured) in [
        ("optional", ";mediaenc=srtp", true, suite),
        ("optional", "", true, None),
        ("required", ";mediaenc=srtp-mand", true, suite),
        ("required", "", false, None),
    ] {
        let Some(record) = called(policy, account) else { return };
        let media = (record["disposition"] == "answered", record["media"]["secured"].as_str());
        assert_eq!(media, (answered, secured), "{policy}{account}: {record:#}");
        let lost = &record["media"]["quality"]["concealed"];
        assert!(lost.as_u64() < Some(30), "{policy}{account}: what comes is sound: {record:#}");
    }
}

/// SIPp offers keys, and then tries to do without them, by every request that may carry an offer.
#[test]
fn sipp_cannot_make_an_encrypted_call_plain_again() {
    if !sipp::is_here() {
        return;
    }
    let keys = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\n";
    let encrypted = |version: u32| {
        let sdp = SDP.replace("RTP/AVP", "RTP/SAVP").replace("sipp 1 1", &format!("sipp 1 {version}"));
        format!("{sdp}{keys}")
    };
    let plain = |version: u32| SDP.replace("sipp 1 1", &format!("sipp 1 {version}"));
    let ours = "RTP/SAVP 0.*a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:";
    for policy in ["optional", "required"] {
        let gateway = Gateway::start(Settings {
            plan: "tests/gateway/patient.yaml".into(),
            rtp: format!("srtp = \"{policy}\""),
            ..Settings::default()
        });
        Scenario::invite("", &encrypted(1))
            .ringing()
            .expect_with(200, "body", ours)
            .ack(1, "")
            .request("INVITE", 2, "", &plain(2))
            .trying()
            .expect_with(488, "Warning", "399 .*")
            .ack_refusal(2)
            .request("UPDATE", 3, "", &plain(3))
            .expect(488)
            .request("INVITE", 4, "", &encrypted(4))
            .trying()
            .expect_with(200, "body", ours)
            .ack(4, "")
            .hang_up(5)
            .run(gateway.sip)
            .check();
        let record = gateway.record();
        assert_eq!(record["media"]["secured"], "AES_CM_128_HMAC_SHA1_80", "{policy}: {record:#}");
        assert_eq!(record["end"]["why"], "caller_hung_up", "{policy}: {record:#}");
    }
}
