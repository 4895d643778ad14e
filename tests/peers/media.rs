//! Keys and encryption between the whole gateway and baresip: pressed here and heard there, and the other way round;
//! offered by us and taken, or left.

use serde_json::Value;

use super::house::{Gateway, Settings};
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
