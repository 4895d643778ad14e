//! The operator's window on a live gateway: health, figures, the doctor, and what they say while it drains.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::caller::Caller;
use super::house::{Gateway, Settings};
use super::{LONG_ENOUGH, NUMBER};

/// A gateway with a window, and where that is.
fn watched() -> (Gateway, SocketAddr) {
    let gateway = Gateway::start(Settings { top: "[ops]\nlisten = \"127.0.0.1:0\"\n", ..Settings::default() });
    let window = window_of(&gateway);
    (gateway, window)
}

/// Where the window of a gateway is that was told to have one.
fn window_of(gateway: &Gateway) -> SocketAddr {
    let log = gateway.log();
    let line = log.lines().find(|line| line.contains("serving /healthz and /metrics")).expect("it says where");
    let address = line.rsplit("address=").next().and_then(|address| address.trim().parse().ok());
    address.expect("an address")
}

/// What a page of that window says.
pub fn page(gateway: &Gateway, path: &str) -> String {
    get(window_of(gateway), path).1
}

/// Status and body of what is answered.
fn asked(window: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(window).expect("the window is open");
    stream.set_read_timeout(Some(LONG_ENOUGH)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers and ends");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.split(' ').nth(1).unwrap_or_default().to_owned(), body.to_owned())
}

fn get(window: SocketAddr, path: &str) -> (String, String) {
    asked(window, &format!("GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n"))
}

#[test]
fn a_call_is_counted_and_health_is_told() {
    let (gateway, window) = watched();
    let (status, health) = get(window, "/healthz");
    assert!(status == "200" && health.contains("\"state\":\"ok\""), "{status} {health}");
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(20);
    let live = get(window, "/metrics").1;
    let answered = "\ntrunkline_setups_total{direction=\"inbound\",result=\"answered\"} 1\n";
    assert!(live.contains("\ntrunkline_calls 1\n") && live.contains(answered), "the call is live:\n{live}");
    caller.press_all("2");
    caller.stay_silent();
    gateway.record();
    let (status, page) = get(window, "/metrics");
    assert_eq!(status, "200");
    for line in [
        "trunkline_calls 0",
        "trunkline_invites_total 1",
        "trunkline_setups_total{direction=\"inbound\",result=\"answered\"} 1",
        "trunkline_calls_ended_total{end=\"completed\"} 1",
        "trunkline_jitter_seconds_count 1",
        "trunkline_store_well 1",
    ] {
        assert!(page.lines().any(|written| written == line), "{line} is not in\n{page}");
    }
    assert!(!page.contains(NUMBER.trim_start_matches('+')), "{page}");
}

#[test]
fn the_window_answers_whoever_asks_rightly_while_others_do_not() {
    let (_gateway, window) = watched();
    assert_eq!(get(window, "/").0, "404");
    assert_eq!(asked(window, "POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n").0, "405");
    assert_eq!(asked(window, "nonsense\r\n\r\n").0, "400");
    assert_eq!(asked(window, &"x".repeat(4_096)).0, "431");
    // More silent connections than are served at once: they are let go, and the next one is answered.
    let silent: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(window).expect("the kernel takes it")).collect();
    assert_eq!(get(window, "/healthz").0, "200");
    drop(silent);
}

#[test]
fn a_draining_gateway_is_down_for_new_calls_and_says_so_until_the_last_call_is_over() {
    let (mut gateway, window) = watched();
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(20);
    gateway.terminate();
    let give_up = Instant::now() + LONG_ENOUGH;
    let health = loop {
        let (status, health) = get(window, "/healthz");
        if status == "503" {
            break health;
        }
        assert!(Instant::now() < give_up, "{status} {health}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(health.contains("\"state\":\"down\"") && health.contains("1 may finish"), "{health}");
    caller.press_all("2");
    caller.stay_silent();
    assert!(gateway.wait_until_it_ends().success());
    assert_eq!(gateway.record()["end"]["why"], "completed");
}

#[test]
fn the_doctor_finds_a_running_gateway_ready_and_nothing_broken() {
    let (gateway, _) = watched();
    let told = gateway.run(&["doctor", "--json"]);
    let findings = serde_json::from_slice::<serde_json::Value>(&told.stdout).expect("it prints JSON");
    let findings = findings.as_array().expect("a list");
    let broken: Vec<_> = findings.iter().filter(|finding| finding["verdict"] == "broken").collect();
    // What this machine lacks (a voice, room on the disk) is its own; the gateway's ports are ours.
    for check in ["gateway", "sip udp", "rtp ports", "dial plan"] {
        assert!(findings.iter().any(|finding| finding["check"] == check), "{findings:#?}");
        assert!(broken.iter().all(|finding| finding["check"] != check), "{broken:#?}");
    }
    assert_eq!(told.status.success(), broken.is_empty());
}
