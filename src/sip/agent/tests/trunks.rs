//! Trunks through the agent: the first REGISTER, the last one, signs of life, limits.

use super::*;
use crate::sip::auth::{Credentials, Secret};
use crate::sip::trunk::TrunkState;

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
    world.agent.trunks.forget_leg(LegId(1));
    assert!(enter(&mut world, "carrier", 4, 0).is_ok());
    world.agent.trunks.forget_leg(LegId(2));
    assert!(enter(&mut world, "carrier", 5, 999).unwrap_err().contains("max_cps"));
    assert!(enter(&mut world, "carrier", 5, 1_000).is_ok());
    assert_eq!(
        enter(&mut world, "other", 6, 0).unwrap_err(),
        "there is no trunk called `other`; add it to trunkline.toml as [[trunk]]"
    );
}
