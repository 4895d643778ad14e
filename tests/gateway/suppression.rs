//! Who is closed is not called: no INVITE leaves, and the command says so.

use std::process::{Command, Stdio};

use super::callee::Callee;
use super::house::{Gateway, Settings};

const GREETING: &str = "tests/gateway/greeting.yaml";

fn invited(callee: &Callee) -> bool {
    let mut buffer = [0; 4096];
    callee.sip.recv_from(&mut buffer).is_ok()
}

#[test]
fn no_invite_leaves_for_a_number_that_is_closed_unless_a_person_wants_it() {
    let calling = Gateway::start(Settings::default());
    let mut callee = Callee::new();
    let to = callee.uri().replace("ada", "+12025550166");
    let call = |more: &[&str]| {
        let words = [&["call", &to, "--plan", GREETING, "--var", "name=Ada", "--ring", "1"], more].concat();
        let out = calling.run(&words);
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    // Closed while the gateway runs, by another program: it holds for the next call.
    assert!(calling.run(&["suppress", "add", "+12025550166", "--scope", "another-plan"]).status.success());
    assert!(calling.run(&["suppress", "add", "+12025550166", "--reason", "attorney"]).status.success());
    let (code, told) = call(&[]);
    assert_eq!(code, Some(10), "{told}");
    assert!(told.contains("not called: the number is closed everywhere since"), "{told}");
    assert!(told.contains("(attorney, says hand), for good") && !told.contains("5550166"), "{told}");
    assert!(!invited(&callee), "nothing was sent");
    assert!(calling.records().is_empty() && !calling.log().contains("5550166"), "{}", calling.log());

    let ringing = calling.begin(&["call", &to, "--plan", GREETING, "--var", "name=Ada", "--even-if-closed"]);
    let invite = callee.wait_for("INVITE");
    callee.reply(&invite, "486 Busy Here", "");
    let out = ringing.wait_with_output().expect("it ends");
    assert_eq!(out.status.code(), Some(3), "{}", String::from_utf8_lossy(&out.stderr));

    let opened = calling.run(&["suppress", "remove", "+12025550166", "--scope", "global", "--note", "a mistake"]);
    assert!(opened.status.success());
    let ringing = calling.begin(&["call", &to, "--plan", GREETING, "--var", "name=Ada"]);
    let invite = callee.wait_for("INVITE");
    callee.reply(&invite, "486 Busy Here", "");
    assert_eq!(ringing.wait_with_output().expect("it ends").status.code(), Some(3), "another plan is not concerned");
}

#[test]
fn without_a_gateway_nobody_who_is_closed_is_called_either() {
    let callee = Callee::new();
    let data = tempfile::tempdir().expect("a folder");
    let config = data.path().join("trunkline.toml");
    let text = format!("data_dir = {:?}\n[sip]\nlisten = \"127.0.0.1:5060\"\nmax_calls = 1\n", data.path());
    std::fs::write(&config, text).expect("the settings can be written");
    let trunkline = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
        command.args(words).arg("-c").arg(&config).stdin(Stdio::null()).output().expect("trunkline runs")
    };
    assert!(
        trunkline(&["suppress", "add", "(202) 555-0166", "--region", "US", "--scope", "greeting"]).status.success()
    );
    // As the plan's own region dials it.
    let to = callee.uri().replace("ada", "2025550166");
    let out = trunkline(&["call", &to, "--plan", GREETING, "--var", "name=Ada"]);
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(10), "{told}");
    assert!(told.contains("not called: the number is closed for `greeting` since"), "{told}");
    assert!(!invited(&callee), "nothing was sent");
}
