//! What an operator sees of far ends that are not ours: the ladder of a call, the figures of a registration.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::LONG_ENOUGH;
use super::house::{Gateway, Settings};
use super::registrar::{Kamailio, Wanted};
use super::sipp::{self, SDP, Scenario};

#[test]
fn the_ladder_of_a_call_shows_every_step_and_neither_bodies_nor_credentials() {
    if !sipp::is_here() {
        return;
    }
    let extra = "[[peer]]\nname = \"ann\"\naddresses = [\"127.0.0.0/8\"]\ndigest = [\"md5\"]\nusername = \"ann\"\n\
                 password = \"stapler\"\n";
    let gateway = Gateway::start(Settings { extra: extra.to_owned(), ..Settings::default() });
    Scenario::invite("", SDP)
        .trying()
        .expect_challenge()
        .ack_refusal(1)
        .invite_again(2, "[authentication username=ann password=stapler]\n")
        .ringing()
        .expect(200)
        .ack(2, "")
        .request("UPDATE", 3, "", "")
        .expect(200)
        .hang_up(4)
        .run(gateway.sip)
        .check();
    let record = gateway.record();
    let id = record["id"].as_str().expect("an id");
    let shown = gateway.run(&["calls", "show", id, "--ladder"]);
    let shown = String::from_utf8(shown.stdout).expect("text");
    let steps = ["◀──  INVITE sip:", "──▶ SIP/2.0 200 OK", "◀──  ACK sip:", "◀──  UPDATE sip:", "◀──  BYE sip:"];
    let mut rest = shown.as_str();
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step} is not there, or not there in turn:\n{shown}"));
        rest = &rest[at + step.len()..];
    }
    assert!(rest.contains("──▶ SIP/2.0 200 OK") && shown.contains("udp 127.0.0.1:"), "{shown}");
    for secret in ["v=0", "m=audio", "nonce", "response=", "stapler", "Digest"] {
        assert!(!shown.contains(secret) && !record["ladder"].to_string().contains(secret), "{secret} in\n{shown}");
    }
}

/// What the operator's window says.
fn page(gateway: &Gateway, path: &str) -> String {
    let log = gateway.log();
    let line = log.lines().find(|line| line.contains("serving /healthz and /metrics")).expect("it says where");
    let address = line.rsplit("address=").next().and_then(|address| address.trim().parse::<SocketAddr>().ok());
    let mut stream = TcpStream::connect(address.expect("an address")).expect("the window is open");
    stream.set_read_timeout(Some(LONG_ENOUGH)).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers and ends");
    answer
}

#[test]
fn a_registration_and_a_refused_one_show_in_the_figures_and_in_the_log() {
    let Some(kamailio) = Kamailio::start(&Wanted::default()) else { return };
    for (password, registered, state, told) in [
        ("zanzibar", 1, "registered", "Registered"),
        ("wrong", 0, "waiting", "the trunk cannot be used at the moment trunk=carrier last_status=401"),
    ] {
        let extra = format!(
            "[[trunk]]\nname = \"carrier\"\nuri = \"sip:127.0.0.1:{}\"\nusername = \"acct7\"\npassword = {password:?}\n\
             register = true\n",
            kamailio.port
        );
        let top = "[ops]\nlisten = \"127.0.0.1:0\"\n";
        let mut gateway = Gateway::start(Settings { top, extra, ..Settings::default() });
        let wanted = [
            format!("trunkline_registered{{trunk=\"carrier\"}} {registered}"),
            format!("trunkline_trunk_state{{trunk=\"carrier\",state=\"{state}\"}} 1"),
        ];
        let give_up = Instant::now() + LONG_ENOUGH;
        loop {
            let metrics = page(&gateway, "/metrics");
            if wanted.iter().all(|wanted| metrics.lines().any(|line| line == wanted)) {
                break;
            }
            assert!(Instant::now() < give_up, "never {state}:\n{metrics}");
            thread::sleep(Duration::from_millis(100));
        }
        assert!(gateway.log().contains(told), "{told}: {}", gateway.log());
        assert!(page(&gateway, "/healthz").starts_with("HTTP/1.1 200 "), "a registration just lost is no emergency");
        gateway.terminate();
        assert!(gateway.wait_until_it_ends().success(), "{}", gateway.log());
    }
}
