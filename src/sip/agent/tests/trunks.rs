//! Trunks through the agent: the first REGISTER, the last one, signs of life, limits.

use super::*;
use crate::sip::auth::{Credentials, Secret};
use crate::sip::transport::{Hop, Transport};
use crate::sip::trunk::{PublicAddress, TrunkState};

const TRUNK: &str = "127.0.0.1:5080";

fn spec() -> TrunkSpec {
    let credentials = Credentials { username: "bob".to_owned(), password: Secret::new("zanzibar") };
    TrunkSpec { credentials: Some(credentials), ..TrunkSpec::at("carrier", TRUNK.parse().unwrap()) }
}

/// A world with one trunk, started; what it looks up is found.
fn world(spec: TrunkSpec) -> World {
    let mut world = World::with(Settings { trunks: vec![spec], ..Settings::default() });
    world.agent.handle_start(world.now);
    world.collect();
    world.run_until(0);
    find(&mut world);
    world
}

fn find(world: &mut World) {
    while let Some((query, target)) = world.queries.pop() {
        let paths = target.literal_hop().map(|hop| vec![Path { hop, local: US.parse().unwrap() }]);
        world.agent.handle_resolved(query, paths.ok_or_else(String::new), world.now);
        world.collect();
    }
}

fn last(world: &World, method: &str) -> String {
    let sent = world.sent.iter().rfind(|(_, text)| text.starts_with(method));
    sent.unwrap_or_else(|| panic!("no {method} was sent")).1.clone()
}

fn hear(world: &mut World, request: &str, status: &str) {
    world.receive_from(&reply(request, status), TRUNK);
    find(world);
}

fn states(world: &World) -> Vec<TrunkState> {
    world.trunks.iter().map(|status| status.state).collect()
}

#[test]
fn a_trunk_is_registered_with_at_once_and_told_goodbye() {
    let mut world = world(TrunkSpec { register: true, ..spec() });
    let bare = last(&world, "REGISTER");
    assert!(bare.contains("\r\nCSeq: 1 REGISTER\r\n") && bare.contains("\r\nContact: <sip:bob@127.0.0.1:5060>\r\n"));
    hear(&mut world, &bare, "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=MD5");
    let proved = last(&world, "REGISTER");
    assert!(
        proved.contains("\r\nCSeq: 2 REGISTER\r\n") && proved.contains("\r\nAuthorization: Digest username=\"bob\"")
    );
    hear(&mut world, &proved, "200 OK\r\nContact: <sip:bob@127.0.0.1:5060>;expires=600");
    let known = states(&world);
    assert!(matches!(known[..], [.., TrunkState::Registering, TrunkState::Registered { .. }]), "{known:?}");
    assert!(matches!(world.agent.trunks()[0].state, TrunkState::Registered { .. }));
    assert!(!world.agent.is_idle(), "it still knows us");
    world.agent.handle_shutdown(world.now);
    world.collect();
    find(&mut world);
    let goodbye = last(&world, "REGISTER");
    assert!(goodbye.contains("\r\nExpires: 0\r\n") && goodbye.contains("\r\nAuthorization: Digest "), "{goodbye}");
    hear(&mut world, &goodbye, "200 OK");
    assert!(world.agent.is_idle());
}

/// A carrier that knows us no more sends its calls elsewhere; one that is already on its way is told to come back later,
/// and not taken for a stranger's.
#[test]
fn a_drain_tells_the_registrar_before_the_last_call_is_over() {
    let mut world =
        World::with(Settings { trunks: vec![TrunkSpec { register: true, ..spec() }], ..Settings::default() });
    world.agent.handle_start(world.now);
    world.collect();
    world.run_until(0);
    find(&mut world);
    let register = last(&world, "REGISTER");
    hear(&mut world, &register, "200 OK\r\nContact: <sip:bob@127.0.0.1:5060>;expires=600");
    let tag = world.talk();
    world.agent.handle_drain(world.now);
    world.collect();
    find(&mut world);
    let goodbye = last(&world, "REGISTER");
    assert!(goodbye.contains("\r\nExpires: 0\r\n"), "{goodbye}");
    hear(&mut world, &goodbye, "200 OK");
    assert_eq!(world.agent.live_legs(), 1, "the call goes on");
    let late = invite(1, "", SDP).replace("c1", "c2").replace("z9hG4bK", "z9hG4bKc2");
    assert_eq!(starts(&world.receive_from(&late, TRUNK)), ["SIP/2.0 503 Service Unavailable"]);
    assert_eq!(starts(&world.receive(&in_dialog("BYE", 2, &tag, "bye"))), ["SIP/2.0 200 OK"]);
    assert!(world.agent.is_idle());
}

#[test]
fn a_trunk_that_is_not_registered_with_is_asked_for_signs_of_life() {
    let mut world = world(TrunkSpec { ping: Some(Duration::from_secs(60)), ..spec() });
    let ping = last(&world, "OPTIONS sip:127.0.0.1:5080");
    hear(&mut world, &ping, "404 Not Found");
    assert_eq!((states(&world), world.agent.trunks()[0].last_status), (vec![TrunkState::Static], Some(404)));
    world.run_until(60_000);
    find(&mut world);
    let again = last(&world, "OPTIONS");
    assert_ne!(ping, again);
    world.run_until(100_000);
    find(&mut world);
    assert_eq!(states(&world)[1..], [TrunkState::Unreachable]);
    world.run_until(120_000);
    find(&mut world);
    let third = last(&world, "OPTIONS");
    hear(&mut world, &third, "200 OK");
    assert_eq!(states(&world)[2..], [TrunkState::Static]);
    world.agent.handle_shutdown(world.now);
    assert!(world.agent.is_idle());
}

#[test]
fn a_trunk_carries_no_more_calls_than_it_may() {
    let mut world = world(TrunkSpec { max_calls: Some(2), max_cps: Some(3), ..spec() });
    let enter = |world: &mut World, name: &str, leg, ms| {
        let now = world.at(ms);
        world.agent.trunks.enter(&name.into(), LegId(leg), now).map_err(|error| error.to_string())
    };
    assert!(enter(&mut world, "carrier", 1, 0).is_ok() && enter(&mut world, "carrier", 2, 0).is_ok());
    assert!(enter(&mut world, "carrier", 3, 0).unwrap_err().contains("max_calls"));
    world.agent.trunks.leave(LegId(1));
    assert!(world.agent.trunks.of_leg(LegId(1)).is_some(), "it may have somebody to hang up on still");
    assert!(enter(&mut world, "carrier", 4, 0).is_ok());
    world.agent.trunks.forget_leg(LegId(1));
    assert!(enter(&mut world, "carrier", 5, 0).unwrap_err().contains("max_calls"));
    world.agent.trunks.forget_leg(LegId(2));
    assert!(enter(&mut world, "carrier", 5, 999).unwrap_err().contains("max_cps"));
    assert!(enter(&mut world, "carrier", 5, 1_000).is_ok());
    assert_eq!(
        enter(&mut world, "other", 6, 0).unwrap_err(),
        "there is no trunk called `other`; add it to trunkline.toml as [[trunk]]"
    );
}

#[test]
fn a_call_that_is_over_makes_room_for_the_next_at_once() {
    let mut world = world(TrunkSpec { max_calls: Some(1), ..spec() });
    let dial = Dial {
        to: Pii::new("100".to_owned()),
        trunk: Some("carrier".into()),
        caller: None,
        sdp: Some(SDP.to_owned()),
        ring_timeout: Duration::from_secs(30),
        headers: Vec::new(),
    };
    let (leg, _) = world.agent.handle_dial(dial.clone(), world.now).unwrap();
    world.collect();
    find(&mut world);
    let invite = last(&world, "INVITE");
    let to = invite.lines().find(|line| line.starts_with("To:")).unwrap();
    let body = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{ANSWER}", ANSWER.len());
    let ok = reply(&invite.replace(to, &format!("{to};tag=t")), &format!("200 OK\r\nContact: <sip:{TRUNK}>"));
    world.receive_from(&ok.replace("Content-Length: 0\r\n\r\n", &body), TRUNK);
    assert!(matches!(world.agent.handle_dial(dial.clone(), world.now), Err(DialError::Full(_))));
    world.agent.handle_command(leg, LegCommand::Hangup, world.now);
    world.collect();
    let bye = last(&world, "BYE");
    hear(&mut world, &bye, "200 OK");
    assert!(world.events.contains(&LegEvent::Ended(LegEnd::LocalHangup)), "{:?}", world.events);
    assert!(world.agent.trunks.of_leg(leg).is_some(), "somebody may still answer too late");
    // Those who are on the line may want somebody to talk to, until the end.
    world.agent.handle_drain(world.now);
    assert!(world.agent.handle_dial(dial.clone(), world.now).is_ok());
    world.agent.handle_shutdown(world.now);
    assert_eq!(world.agent.handle_dial(dial, world.now), Err(DialError::Closed));
}

#[test]
fn the_address_that_a_trunk_sees_is_learnt_from_its_first_answer_and_followed() {
    let mut world = world(TrunkSpec { register: true, public: PublicAddress::Learn, ..spec() });
    let seen = |request: &str, address: &str| {
        let (ip, port) = address.rsplit_once(':').unwrap();
        request.replace(";rport", &format!(";received={ip};rport={port}"))
    };
    let challenge = "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=MD5";
    let bare = last(&world, "REGISTER");
    hear(&mut world, &seen(&bare, "203.0.113.5:40000"), challenge);
    let proved = last(&world, "REGISTER");
    assert!(proved.contains("\r\nContact: <sip:bob@203.0.113.5:40000>\r\n"), "{proved}");
    hear(&mut world, &seen(&proved, "203.0.113.5:40000"), "200 OK\r\nExpires: 600");
    let hop = Hop::new(Transport::Udp, TRUNK.parse().unwrap());
    assert_eq!(world.agent.face_towards(&hop).map(|ip| ip.to_string()).as_deref(), Some("203.0.113.5"));
    // Its calls find the same address, and other far ends still see the usual one.
    let invite = invite(1, "", SDP).replace("127.0.0.1:5070", TRUNK);
    let ringing = world.receive_from(&invite, TRUNK);
    assert!(ringing.iter().all(|text| text.starts_with("SIP/2.0 100")), "{ringing:?}");
    assert_eq!(world.calls[0].path.local.to_string(), "203.0.113.5:40000");
    // The line gets another address: the next refresh shows it, and is followed by one that says so.
    let mut second = 0;
    let mut next_register = |world: &mut World| {
        while world.queries.is_empty() {
            second += 1;
            world.run_until(second * 1_000);
        }
        find(world);
        last(world, "REGISTER")
    };
    let refresh = next_register(&mut world);
    hear(&mut world, &seen(&refresh, "198.51.100.9:50000"), "200 OK\r\nExpires: 600");
    let again = next_register(&mut world);
    assert!(again.contains("\r\nContact: <sip:bob@198.51.100.9:50000>\r\n"), "{again}");
    assert!(again.contains("\r\nContact: <sip:bob@203.0.113.5:40000>;expires=0\r\n"), "{again}");
}

#[test]
fn a_given_address_is_shown_from_the_first_call_of_theirs() {
    let mut world = world(TrunkSpec { public: PublicAddress::Fixed([203, 0, 113, 5].into(), None), ..spec() });
    world.receive_from(&invite(1, "", SDP).replace("127.0.0.1:5070", TRUNK), TRUNK);
    assert_eq!(world.calls[0].path.local.to_string(), "203.0.113.5:5060");
    let ok = world.command(LegCommand::Answer { sdp: ANSWER.to_owned() });
    assert!(ok[0].contains("\r\nContact: <sip:203.0.113.5:5060>"), "{}", ok[0]);
}

#[test]
fn a_trunk_that_talks_nonsense_hurts_nobody_else() {
    const SANE: &str = "127.0.0.1:5090";
    let sane = TrunkSpec { register: true, ..TrunkSpec::at("sane", SANE.parse().unwrap()) };
    let sane = TrunkSpec { credentials: spec().credentials, ..sane };
    let mad = TrunkSpec { register: true, ping: Some(Duration::from_secs(30)), public: PublicAddress::Learn, ..spec() };
    let challenge = "401 Unauthorized\r\nWWW-Authenticate: Digest ";
    let long = "x".repeat(15_000);
    let answers = [
        format!("{challenge}realm=\"\", nonce=\"\", algorithm=MD4"),
        format!("{challenge}realm=\"r\", nonce=\"{long}\""),
        format!("{challenge},,,=,\"\"\"=\"=,realm"),
        format!("{challenge}realm=\"r\", nonce=\"n\", qop=\"auth-conf,\", algorithm=SHA-512-256-sess-sess"),
        "401 Unauthorized".to_owned(),
        "407 Proxy\r\nProxy-Authenticate: Basic realm=\"r\"".to_owned(),
        "200 OK\r\nExpires: 99999999999999999999999\r\nContact: *".to_owned(),
        "200 OK\r\nExpires: -1\r\nContact: <sip:bob@127.0.0.1:5060>;expires=-5".to_owned(),
        "200 OK\r\nContact: <sip:bob@127.0.0.1:5060>;expires=0".to_owned(),
        "200 OK\r\nExpires: 1".to_owned(),
        "423 Too Brief\r\nMin-Expires: 0".to_owned(),
        "423 Too Brief\r\nMin-Expires: 18446744073709551616".to_owned(),
        "302 Moved\r\nContact: <sip:[::]:0>, <sip:255.255.255.255;transport=sctp>, <<<>>>".to_owned(),
        "305 Use Proxy\r\nContact: <sip:127.0.0.1:5080>".to_owned(),
        "503 Busy\r\nRetry-After: 99999999999".to_owned(),
        format!("200 OK\r\nService-Route: {}", ["<sip:a;lr>"; 500].join(",")),
        format!("200 OK\r\nX-Long: {long}"),
        "699 \u{fffd}\u{0}".to_owned(),
    ];
    let settings = Settings { trunks: vec![mad, sane], ..Settings::default() };
    let mut world = World::with(settings);
    world.agent.handle_start(world.now);
    let mut heard = 0;
    for round in 0..400_u64 {
        world.collect();
        find(&mut world);
        world.run_until(round * 10_000);
        find(&mut world);
        for (_, request) in world.sent.split_off(0) {
            let of_sane = request.contains("127.0.0.1:5090");
            if !of_sane {
                let answer = &answers[heard % answers.len()];
                heard += 1;
                let text = reply(&request, answer);
                for text in [
                    text.replace("CSeq: ", "CSeq: 9"),
                    text.replace("rport", "received=999.1.1.1;rport=99999999"),
                    text.replace("Call-ID: ", "Call-ID: other"),
                    text.chars().take(60).collect(),
                    text.clone(),
                ] {
                    world.receive_from(&text, TRUNK);
                }
            } else if request.starts_with("REGISTER") {
                let granted = "200 OK\r\nContact: <sip:bob@127.0.0.1:5060>;expires=600";
                world.receive_from(&reply(&request, granted), SANE);
            }
        }
        if round > 2 {
            let status = world.agent.trunks().into_iter().find(|status| &*status.name == "sane").unwrap();
            assert!(matches!(status.state, TrunkState::Registered { .. }), "round {round}: {status:?}");
        }
    }
    assert!(heard > 2 * answers.len(), "{heard}");
    assert!(heard < 3_000, "nonsense does not make us ask without end: {heard} in {} s", 400 * 10);
}
