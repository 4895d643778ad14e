//! Calls that we make: `trunkline call`, through a gateway and without one, and what it exits with.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::callee::Callee;
use super::house::{Gateway, Settings};

const GREETING: &str = "tests/gateway/greeting.yaml";

/// How a `trunkline call --json` has ended.
struct Ended {
    code: Option<i32>,
    events: Vec<String>,
    record: Value,
    told: String,
}

fn ended(child: Child) -> Ended {
    let output = child.wait_with_output().expect("the command ends");
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("--json prints JSON lines"))
        .collect();
    let name = |line: &Value| line["event"]["event"].as_str().map(str::to_owned);
    Ended {
        code: output.status.code(),
        events: lines.iter().filter_map(name).collect(),
        record: lines.last().map_or(Value::Null, |line| line["record"].clone()),
        told: format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
    }
}

fn call(gateway: &Gateway, to: &str, more: &[&str]) -> Child {
    gateway.begin(&[&["call", to, "--plan", GREETING, "--json"], more].concat())
}

#[test]
fn two_gateways_talk_to_each_other_and_both_remember_it() {
    let called = Gateway::start(Settings::default());
    let calling = Gateway::start(Settings::default());
    for transport in ["udp", "tcp"] {
        let to = format!("sip:1000@{};transport={transport}", called.sip);
        let out = ended(call(&calling, &to, &["--var", "name=Ada", "--from", "+12025550177"]));
        assert_eq!(out.code, Some(0), "{}\n{}\n{}", out.told, calling.log(), called.log());
        assert_eq!(out.record["direction"], "outbound");
        assert_eq!((&out.record["disposition"], &out.record["called"]), (&"answered".into(), &"1000".into()));
        assert_eq!(out.record["prompts"][0]["text"], "Hello Ada, this is a test.");
        assert_eq!(out.record["prompts"][0]["played_ms"], out.record["prompts"][0]["total_ms"]);
        assert!(out.record["media"]["packets_in"].as_u64() > Some(40), "{:#}", out.record["media"]);
        assert!(out.events.starts_with(&["ringing".into(), "answered".into(), "bot_said".into()]), "{:?}", out.events);
        assert_eq!(out.events.last().map(String::as_str), Some("ended"));
    }
    let theirs = called.wait_for_records(2);
    let ours = calling.wait_for_records(2);
    for (theirs, ours) in theirs.iter().zip(&ours) {
        assert_eq!(theirs["sip_call_id"], ours["sip_call_id"]);
        assert_eq!((&theirs["direction"], &theirs["disposition"]), (&"inbound".into(), &Value::Null));
        assert_eq!(theirs["caller"], "+12025550177");
    }
}

/// One gateway calls the other; what the command and the called one's record say.
fn talk(called: Settings, calling: Settings, uri: impl FnOnce(&Gateway) -> String, more: &[&str]) -> (Ended, Value) {
    let called = Gateway::start(called);
    let calling = Gateway::start(calling);
    let out = ended(call(&calling, &uri(&called), more));
    let theirs = called.wait_for_records(1).remove(0);
    if out.code != Some(0) {
        println!("{}\n{}\n{}", out.told, calling.log(), called.log());
    }
    (out, theirs)
}

fn plainly(called: &Gateway) -> String {
    format!("sip:1000@{}", called.sip)
}

#[test]
fn every_codec_carries_a_conversation_and_both_records_name_it() {
    for codec in ["pcma", "g722", "opus", "g729"] {
        let only = || Settings { rtp: format!("codecs = [{codec:?}]"), ..Settings::default() };
        let (out, theirs) = talk(only(), only(), plainly, &[]);
        assert_eq!(out.code, Some(0), "{codec}");
        assert_eq!((&out.record["media"]["codec"], &theirs["media"]["codec"]), (&codec.into(), &codec.into()));
        assert!(theirs["media"]["packets_in"].as_u64() > Some(40), "{codec}: {:#}", theirs["media"]);
    }
}

#[test]
fn encrypted_sound_is_heard_and_plain_sound_refused_where_it_is_required() {
    let srtp = |policy: &str| Settings { rtp: format!("srtp = {policy:?}"), ..Settings::default() };
    let (out, theirs) = talk(srtp("required"), srtp("required"), plainly, &[]);
    assert_eq!(out.code, Some(0));
    for record in [&out.record, &theirs] {
        assert!(record["media"]["secured"].as_str().is_some_and(|suite| suite.starts_with("AES")), "{record:#}");
        assert!(record["media"]["packets_in"].as_u64() > Some(40), "{:#}", record["media"]);
    }
    let (out, theirs) = talk(srtp("required"), srtp("off"), plainly, &[]);
    assert_eq!((out.code, &out.record["end"]["detail"]), (Some(1), &488.into()), "{:#}", out.record);
    assert_eq!(theirs["end"]["detail"], 488);
}

#[test]
fn a_trunk_proves_who_it_is_and_a_wrong_password_is_told_apart() {
    let peer = |password: &str| Settings {
        extra: format!(
            "[[peer]]\nname = \"pbx\"\naddresses = [\"127.0.0.0/8\"]\nusername = \"house\"\npassword = {password:?}\n"
        ),
        ..Settings::default()
    };
    for (password, code) in [("s3cret-right", 0), ("s3cret-wrong", 1)] {
        let called = Gateway::start(peer("s3cret-right"));
        let calling = Gateway::start(Settings {
            extra: format!(
                "[[trunk]]\nname = \"pbx\"\nuri = \"sip:{}\"\nusername = \"house\"\npassword = {password:?}\n\
                 caller_id = \"+12025550188\"\n",
                called.sip
            ),
            ..Settings::default()
        });
        let out = ended(call(&calling, "1000", &["--trunk", "pbx"]));
        assert_eq!(out.code, Some(code), "{password}: {}\n{}\n{}", out.told, calling.log(), called.log());
        assert_eq!((&out.record["peer"], &out.record["caller"]), (&"pbx".into(), &"+12025550188".into()));
        if code == 0 {
            assert_eq!(called.record()["caller"], "+12025550188");
        }
        for gateway in [&called, &calling] {
            assert!(!gateway.log().contains(password), "a password stands in the log");
        }
    }
}

#[test]
fn a_call_over_tls_is_a_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("it can be written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("it can be written");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let called = Settings {
        sip: format!("tls_listen = \"127.0.0.1:{port}\"\ncertificate = {certificate:?}\nprivate_key = {key:?}"),
        rtp: "srtp = \"required\"".to_owned(),
        ..Settings::default()
    };
    let calling =
        Settings { sip: format!("ca = {certificate:?}"), rtp: "srtp = \"required\"".to_owned(), ..Settings::default() };
    let (out, theirs) = talk(called, calling, |_| format!("sips:1000@127.0.0.1:{port}"), &[]);
    assert_eq!(out.code, Some(0));
    assert!(theirs["media"]["secured"].is_string(), "{theirs:#}");
    assert_eq!(out.record["ladder"]["rungs"][0]["transport"], "tls", "{:#}", out.record["ladder"]);
}

#[test]
fn without_a_gateway_a_call_is_made_all_the_same_and_remembered() {
    let called = Gateway::start(Settings::default());
    let data = tempfile::tempdir().expect("a folder");
    let config = data.path().join("trunkline.toml");
    let ports = format!("{}-{}", called.spare, called.spare + 3);
    let text = format!(
        "data_dir = {:?}\n[sip]\nlisten = \"127.0.0.1:5060\"\nmax_calls = 1\n[rtp]\nports = {ports:?}\n",
        data.path(),
    );
    std::fs::write(&config, text).expect("the settings can be written");
    let trunkline = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
        command.args(words).arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("trunkline starts")
    };
    let to = format!("sip:1000@{}", called.sip);
    let out = trunkline(&["call", &to, "--plan", GREETING, "--var", "name=Ada"]).wait_with_output().expect("it ends");
    let shown = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(0), "{shown}{}", String::from_utf8_lossy(&out.stderr));
    assert!(shown.contains("bot  Hello Ada, this is a test."), "{shown}");
    assert!(shown.lines().last().is_some_and(|line| line.contains("[answered]")), "{shown}");
    let listed = trunkline(&["calls", "--json"]).wait_with_output().expect("it ends");
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed:#}");
}

#[test]
fn what_they_say_decides_what_the_command_exits_with() {
    let gateway = Gateway::start(Settings::default());
    let rows = [
        ("486 Busy Here", 3, "busy"),
        ("603 Decline", 5, "rejected"),
        ("404 Not Found", 6, "invalid"),
        ("503 Service Unavailable", 7, "congestion"),
        ("488 Not Acceptable Here", 1, "failed"),
    ];
    for (count, (status, code, disposition)) in (1..).zip(rows) {
        let mut callee = Callee::new();
        let child = call(&gateway, &callee.uri(), &[]);
        let invite = callee.wait_for("INVITE");
        callee.reply(&invite, status, "");
        callee.wait_for("ACK");
        let out = ended(child);
        assert_eq!((out.code, &out.record["disposition"]), (Some(code), &disposition.into()), "{status}: {}", out.told);
        let records = gateway.wait_for_records(count);
        assert_eq!(records.last().map(|record| &record["disposition"]), Some(&disposition.into()));
    }
}

#[test]
fn a_telephone_nobody_takes_is_given_up_with_cancel() {
    let gateway = Gateway::start(Settings::default());
    let mut callee = Callee::new();
    let child = call(&gateway, &callee.uri(), &["--ring", "2"]);
    let invite = callee.wait_for("INVITE");
    callee.reply(&invite, "180 Ringing", "");
    let cancel = callee.wait_for("CANCEL");
    callee.reply(&cancel, "200 OK", "");
    callee.reply(&invite, "487 Request Terminated", "");
    callee.wait_for("ACK");
    let out = ended(child);
    assert_eq!((out.code, &out.record["end"]["why"]), (Some(4), &"no_answer".into()), "{}", out.told);
}

#[test]
fn interrupting_the_command_takes_the_call_back() {
    let gateway = Gateway::start(Settings::default());
    let mut callee = Callee::new();
    let child = call(&gateway, &callee.uri(), &[]);
    let invite = callee.wait_for("INVITE");
    callee.reply(&invite, "180 Ringing", "");
    std::thread::sleep(Duration::from_millis(300));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill works");
    let cancel = callee.wait_for("CANCEL");
    callee.reply(&cancel, "200 OK", "");
    callee.reply(&invite, "487 Request Terminated", "");
    callee.wait_for("ACK");
    let out = ended(child);
    assert_eq!((out.code, &out.record["end"]["why"]), (Some(8), &"interrupted".into()), "{}", out.told);
}

#[test]
fn on_hold_we_are_silent_and_afterwards_the_plan_goes_on() {
    let gateway = Gateway::start(Settings::default());
    let mut callee = Callee::new();
    let child = call(&gateway, &callee.uri(), &["--var", "name=Ada"]);
    callee.pick_up();
    assert!(callee.packets_in(Duration::from_millis(400)) > 5, "the greeting begins");
    let answer = callee.offer("INVITE", "sendonly");
    assert!(answer.starts_with("SIP/2.0 200") && answer.contains("a=recvonly"), "{answer}");
    callee.packets_in(Duration::from_millis(200));
    assert_eq!(callee.packets_in(Duration::from_secs(3)), 0, "on hold nothing is sent, and nobody gives up");
    let answer = callee.offer("INVITE", "sendrecv");
    assert!(answer.starts_with("SIP/2.0 200") && answer.contains("a=sendrecv"), "{answer}");
    assert!(callee.packets_in(Duration::from_millis(400)) > 5, "the greeting goes on");
    callee.be_hung_up_on();
    let out = ended(child);
    assert_eq!((out.code, &out.record["result"]), (Some(0), &"delivered".into()), "{}", out.told);
    assert!(out.events.contains(&"held".into()) && out.events.contains(&"resumed".into()), "{:?}", out.events);
    let greeting = &out.record["prompts"][0];
    assert_eq!(greeting["played_ms"], greeting["total_ms"], "the protected greeting was heard whole");
}

#[test]
fn a_live_call_is_seen_and_ended_through_the_control_socket() {
    let gateway = Gateway::start(Settings::default());
    let mut callee = Callee::new();
    let child = call(&gateway, &callee.uri(), &[]);
    callee.pick_up();
    let ask = |request: &str| gateway.ask(request);
    assert_eq!(ask(r#"{"do":"status"}"#)["calls"], 1);
    let live = ask(r#"{"do":"calls"}"#);
    assert_eq!(live["calls"][0]["direction"], "outbound", "{live}");
    assert_eq!(live["calls"][0]["plan"], "greeting");
    for nonsense in ["hello", "{}", r#"{"do":"sing"}"#, r#"{"do":"hangup"}"#] {
        assert!(ask(nonsense)["error"].as_str().is_some_and(|why| why.starts_with("that is no request")), "{nonsense}");
    }
    let id = live["calls"][0]["call"].as_str().expect("an id").to_owned();
    let keys = |keys: &str| ask(&format!(r#"{{"do":"keys","call":"{id}","keys":"{keys}"}}"#));
    assert_eq!(keys("1#")["ok"], id);
    assert_eq!(callee.wait_for_keys(2), "1#");
    assert!(keys("x")["error"].is_string());
    assert!(ask(r#"{"do":"hangup","call":"7ZZZ"}"#)["error"].is_string());
    assert_eq!(ask(&format!(r#"{{"do":"hangup","call":"{id}"}}"#))["ok"], id);
    callee.be_hung_up_on();
    let out = ended(child);
    assert_eq!((out.code, &out.record["end"]["why"]), (Some(0), &"interrupted".into()), "{}", out.told);
}

#[test]
fn whoever_is_asked_to_send_the_far_end_on_sends_refer() {
    let gateway = Gateway::start(Settings::default());
    let mut callee = Callee::new();
    let child = call(&gateway, &callee.uri(), &[]);
    callee.pick_up();
    let live = gateway.ask(r#"{"do":"calls"}"#);
    let id = live["calls"][0]["call"].as_str().expect("a live call");
    for (asked, why) in [
        (r#""to":"not a uri""#, "neither a SIP URI nor a number"),
        (r#""to":"sip:bob@192.0.2.9","attended":{"trunk":"nosuch"}"#, "there is no trunk called `nosuch`"),
        (r#""to":"2000","attended":{}"#, "neither a SIP URI nor a number with a trunk"),
    ] {
        let told = gateway.ask(&format!(r#"{{"do":"transfer","call":"{id}",{asked},"follow":true}}"#));
        assert!(told["error"].as_str().is_some_and(|error| error.contains(why)), "{asked}: {told}");
    }
    let told = gateway.ask(&format!(r#"{{"do":"transfer","call":"{id}","to":"sip:bob@192.0.2.9"}}"#));
    assert_eq!(told["ok"], id);
    let refer = callee.wait_for("REFER");
    assert!(refer.contains("Refer-To: <sip:bob@192.0.2.9>"), "{refer}");
    callee.reply(&refer, "202 Accepted", "");
    let notify = |callee: &mut Callee, state: &str, words: &str| {
        let body = format!("SIP/2.0 {words}\r\n");
        callee.tell(
            "NOTIFY",
            &[("Event", "refer"), ("Subscription-State", state)],
            ("message/sipfrag;version=2.0", &body),
        )
    };
    assert!(notify(&mut callee, "active;expires=60", "100 Trying").starts_with("SIP/2.0 200"));
    assert!(notify(&mut callee, "terminated;reason=noresource", "200 OK").starts_with("SIP/2.0 200"));
    callee.be_hung_up_on();
    let out = ended(child);
    assert_eq!((out.code, &out.record["end"]["why"]), (Some(0), &"transferred".into()), "{}", out.told);
}
