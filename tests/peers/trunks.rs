//! What registrars say besides yes: where to go, which way calls shall take, where they see us.

use std::process::Command;
use std::time::Duration;

use trunkline::sip::{LegCommand, LegEnd, LegEvent, PublicAddress};

use super::registrar::{House, Kamailio, Wanted, is_reached, is_registered, next};
use super::transport::{Guest, is_here};
use super::uas::{Scenario, Uas, free_port};

/// A name server that knows `carrier.test`: by datagram at a dead port, then at `alive`.
fn names(port: u16, alive: u16) -> Option<Guest> {
    if !is_here("dnsmasq", "dnsmasq-base") {
        return None;
    }
    let dead = free_port();
    let mut dnsmasq = Command::new("dnsmasq");
    dnsmasq
        .args(["--keep-in-foreground", "--no-resolv", "--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.1"])
        .args(["--conf-file=/dev/null", "--pid-file=", &format!("--port={port}")])
        .arg("--naptr-record=carrier.test,10,10,S,SIP+D2U,,_sip._udp.carrier.test")
        .arg(format!("--srv-host=_sip._udp.carrier.test,dead.carrier.test,{dead},1"))
        .arg(format!("--srv-host=_sip._udp.carrier.test,live.carrier.test,{alive},2"))
        .args(["--host-record=dead.carrier.test,127.0.0.1", "--host-record=live.carrier.test,127.0.0.1"])
        .args(["--local=/carrier.test/", "--local=/test/"]);
    let guest = Guest::start(&mut dnsmasq);
    std::thread::sleep(Duration::from_millis(700));
    Some(guest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registrar_whose_first_address_is_dead_is_registered_with_at_its_second() {
    let Some(kamailio) = Kamailio::start(&Wanted::default()) else { return };
    let resolver = free_port();
    let Some(_names) = names(resolver, kamailio.port) else { return };
    let mut house = House::edited(kamailio.port, Some("zanzibar"), true, |config| {
        config.resolver = Some(([127, 0, 0, 1], resolver).into());
        config.trunks[0].uri = "sip:carrier.test".to_owned();
    })
    .await;
    house.waits_for("registered", is_registered).await;
    is_reached(&mut house, kamailio.port).await;
}

#[test]
fn the_doctor_finds_a_trunk_as_the_gateway_does_and_shows_each_step() {
    let Some(kamailio) = Kamailio::start(&Wanted::default()) else { return };
    let resolver = free_port();
    let Some(_names) = names(resolver, kamailio.port) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("trunkline.toml");
    let text = format!(
        "data_dir = {:?}\n[sip]\nlisten = \"127.0.0.1:{}\"\nresolver = \"127.0.0.1:{resolver}\"\n\
         [[trunk]]\nname = \"carrier\"\nuri = \"sip:carrier.test\"\n\
         [[trunk]]\nname = \"nowhere\"\nuri = \"sip:nowhere.test\"\n\
         [[route]]\nnumber = \"*\"\nplan = {:?}\n",
        folder.path().join("data"),
        free_port(),
        std::fs::canonicalize("tests/gateway/quick.yaml").expect("the plan exists"),
    );
    std::fs::write(&config, text).expect("a file");
    let doctor = |words: &[&str]| {
        let mut doctor = Command::new(env!("CARGO_BIN_EXE_trunkline"));
        let output = doctor.arg("doctor").args(words).arg("-c").arg(&config).output().expect("trunkline runs");
        String::from_utf8(output.stdout).expect("text")
    };
    let findings: Vec<serde_json::Value> = serde_json::from_str(&doctor(&["--json"])).expect("findings");
    let about = |check: &str| findings.iter().find(|finding| finding["check"] == check).expect(check).clone();
    let carrier = about("trunk carrier");
    assert_eq!(carrier["verdict"], "look", "{carrier:#}");
    let details: Vec<&str> =
        carrier["details"].as_array().expect("details").iter().filter_map(|it| it.as_str()).collect();
    assert_eq!(details[0], "NAPTR carrier.test → _sip._udp.carrier.test (SIP+D2U)", "{details:#?}");
    assert!(
        details[1].starts_with("SRV _sip._udp.carrier.test → ") && details[1].contains("live.carrier.test:"),
        "{details:#?}"
    );
    let alive = format!("udp:127.0.0.1:{} answers 200 OK after ", kamailio.port);
    assert!(details.iter().any(|line| line.starts_with(&alive)), "{details:#?}");
    assert!(
        about("trunk nowhere")["result"].as_str().is_some_and(|result| result.contains("nowhere.test is not found"))
    );
    assert!(
        about("clock")["result"].as_str().is_some_and(|result| result.contains("skew is unknown")),
        "{findings:#?}"
    );
    let text = doctor(&[]);
    assert!(text.contains("· SRV _sip._udp.carrier.test → ") && text.contains(&format!("· {alive}")), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registrar_that_sends_us_to_another_is_followed() {
    let Some(real) = Kamailio::start(&Wanted::default()) else { return };
    let Some(first) = Kamailio::start(&Wanted { moved: Some(real.port), ..Wanted::default() }) else { return };
    let mut house = House::registered_with(first.port, "zanzibar").await;
    house.waits_for("registered", is_registered).await;
    is_reached(&mut house, real.port).await;
    house.server.shutdown(Duration::from_secs(3)).await;
    let caller = House::behind(real.port, None, false).await;
    let mut leg = caller.calls("acct7", real.port).await;
    let end = LegEvent::Ended(LegEnd::Refused { status: 407, cause: None });
    assert_eq!(next(&mut leg.events).await, end, "still registered where we were sent\n{}", real.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_registrars_that_send_us_to_each_other_end_in_waiting() {
    let (one, two) = (free_port(), free_port());
    let moved = |to: u16| {
        let scenario = Scenario::default()
            .receives("REGISTER")
            .replies("302 Moved Temporarily", &format!("Contact: <sip:127.0.0.1:{to}>\n"));
        scenario.receives("REGISTER").replies("302 Moved Temporarily", &format!("Contact: <sip:127.0.0.1:{to}>\n"))
    };
    let (Some(_one), Some(_two)) = (Uas::start_at(&moved(two), one, &[]), Uas::start_at(&moved(one), two, &[])) else {
        return;
    };
    tokio::time::sleep(Duration::from_millis(700)).await;
    let house = House::registered_with(one, "zanzibar").await;
    house.waits_for("given up", |status| matches!(status.state, trunkline::sip::TrunkState::Waiting { .. })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_between_us_and_the_registrar_stays_in_the_path() {
    let Some(registrar) = Kamailio::start(&Wanted::default()) else { return };
    let Some(edge) = Kamailio::start_edge(registrar.port) else { return };
    let mut house = House::registered_with(edge.port, "zanzibar").await;
    house.waits_for("registered", is_registered).await;
    is_reached(&mut house, registrar.port).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_take_the_way_that_the_registrar_names() {
    let Some(proxy) = Uas::start(
        &Scenario::default()
            .receives_saying("INVITE", "Route:", "sip:127.0.0.1:[0-9]+;lr")
            .answers_last("180 Ringing", false)
            .answers_last("200 OK", true)
            .receives("ACK")
            .receives("BYE")
            .confirms(),
    ) else {
        return;
    };
    let Some(registrar) = Kamailio::start(&Wanted { route: Some(proxy.port), ..Wanted::default() }) else { return };
    let house = House::registered_with(registrar.port, "zanzibar").await;
    house.waits_for("registered", is_registered).await;
    // The registrar itself would send it to a dead port: that it is answered shows the way it went.
    let mut leg = house.calls("5550100", registrar.port).await;
    assert!(matches!(next(&mut leg.events).await, LegEvent::Established { sdp: Some(_) }), "{}", proxy.story());
    leg.commands.send(LegCommand::Hangup).await.expect("the leg lives");
    assert_eq!(next(&mut leg.events).await, LegEvent::Ended(LegEnd::LocalHangup));
    tokio::task::spawn_blocking(move || proxy.finish()).await.expect("the scenario went well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_that_a_registrar_sees_is_the_one_it_calls() {
    // Nobody is reached at what we believe to be our address; at the one that the registrar sees we are.
    let nowhere = "192.0.2.99".parse().expect("an address");
    for (public, reached) in [
        (PublicAddress::Learn, true),
        (PublicAddress::Fixed([127, 0, 0, 1].into(), None), true),
        (PublicAddress::Usual, false),
    ] {
        let Some(kamailio) = Kamailio::start(&Wanted::default()) else { return };
        let mut house = House::edited(kamailio.port, Some("zanzibar"), true, |config| {
            config.advertise = Some(nowhere);
            config.trunks[0].public = public;
        })
        .await;
        house.waits_for("registered", is_registered).await;
        let local = house.server.dialer().local_for("5550100", Some("carrier")).await.expect("it has an address");
        assert_eq!(local.to_string(), if reached { "127.0.0.1" } else { "192.0.2.99" }, "for the session description");
        if reached {
            is_reached(&mut house, kamailio.port).await;
        }
    }
}
