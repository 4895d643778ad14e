//! A proxy with a relay behind it, as many carriers and PBXs have: Kamailio stays in the path of the signalling and has
//! rtpengine rewrite every session description, encrypted and with connectivity checks towards us, plain beyond.

use std::net::SocketAddr;

use super::codecs::{Heard, Manner, Voice};
use super::house::{Gateway, Settings};
use super::linphone::{Linphone, patient};
use super::registrar::Kamailio;
use super::rtpengine::{RtpEngine, best_likeness};

/// Least likeness of the second that fared best, G.711 through and through: what we say before the relay has seen our
/// answer it cannot open, and where the machine is busy that is the first word or two.
const LEAST: f64 = 0.95;

fn plain(dials: Option<String>) -> Manner<'static> {
    Manner { codecs: "PCMU/8000/1", rate_hz: 8_000, encryption: "", muxed: false, dials }
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Both heard each other, encrypted as far as the relay, and the proxy was on the way of every request.
fn came_through(heard: &Heard, engine: &RtpEngine, proxy: &Kamailio) {
    let best =
        |pair: &Option<(Vec<i16>, Vec<i16>)>| pair.as_ref().map_or(0.0, |(said, heard)| best_likeness(said, heard));
    let (here, there) = (best(&heard.here), best(&heard.there));
    println!("through Kamailio and rtpengine: heard here {here:.3}, heard there {there:.3}");
    let told = || format!("{:#}\n{}\n{}\n{}", heard.record, heard.log, proxy.log(), engine.log());
    assert!(here > LEAST && there > LEAST, "heard here {here:.3}, heard there {there:.3}: {}", told());
    assert!(heard.media("secured").as_str().is_some_and(|suite| suite.starts_with("AES")), "{}", told());
    assert!(heard.media("quality")["rtcp_in"].as_u64() > Some(0), "{}", told());
    for rung in heard.record["ladder"]["rungs"].as_array().expect("a ladder") {
        assert_eq!(rung["peer"], at(proxy.port).to_string(), "{}", told());
    }
}

#[test]
fn baresip_calls_us_through_kamailio_and_rtpengine_and_both_are_heard() {
    let Some(engine) = RtpEngine::start() else { return };
    let gateway = Gateway::start(Settings { rtp: "srtp = \"required\"".to_owned(), ..Settings::default() });
    let Some(proxy) = Kamailio::start_relay(engine.port, gateway.sip, at(9)) else { return };
    let dials = Some(format!("sip:1000@127.0.0.1:{}", proxy.port));
    let Some(voice) = Voice::start(gateway.spare, gateway.spare + 1, &plain(dials)) else { return };
    came_through(&voice.heard(&gateway), &engine, &proxy);
}

#[test]
fn we_call_baresip_through_kamailio_and_rtpengine_and_both_are_heard() {
    let Some(engine) = RtpEngine::start() else { return };
    let gateway = Gateway::start(Settings { rtp: "srtp = \"required\"".to_owned(), ..Settings::default() });
    let callee = gateway.spare;
    let Some(proxy) = Kamailio::start_relay(engine.port, gateway.sip, at(callee)) else { return };
    let Some(voice) = Voice::start(callee, callee + 1, &plain(None)) else { return };
    let to = format!("sip:test@127.0.0.1:{}", proxy.port);
    let call = gateway.begin(&["call", &to, "--plan", "tests/gateway/quick.yaml", "--json"]);
    let ended = call.wait_with_output().expect("the command ends");
    let heard = voice.heard(&gateway);
    assert_eq!(ended.status.code(), Some(0), "{:#}\n{}\n{}", heard.record, heard.log, proxy.log());
    came_through(&heard, &engine, &proxy);
}

/// What a person does during a call goes through them both as well: hold, resume, a key.
#[test]
fn linphone_holds_and_resumes_through_kamailio_and_rtpengine() {
    let Some(engine) = RtpEngine::start() else { return };
    let gateway = Gateway::start(Settings { rtp: "srtp = \"required\"".to_owned(), ..patient(Settings::default()) });
    let Some(proxy) = Kamailio::start_relay(engine.port, gateway.sip, at(9)) else { return };
    let Some(mut phone) = Linphone::start("ann", "udp", "") else { return };
    phone.order(&format!("call sip:1000@127.0.0.1:{}", proxy.port));
    phone.is("StreamsRunning", 1);
    phone.order("call-pause 1");
    phone.is("Paused", 1);
    phone.order("call-resume 1");
    phone.is("StreamsRunning", 2);
    std::thread::sleep(std::time::Duration::from_secs(1));
    phone.order("dtmf 2");
    phone.is("Released", 1);
    let record = gateway.record();
    assert_eq!(record["result"], "enough", "{record:#}\n{}\n{}", proxy.log(), engine.log());
    assert!(record["media"]["secured"].as_str().is_some_and(|suite| suite.starts_with("AES")), "{record:#}");
}
