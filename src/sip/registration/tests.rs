//! Registrars that answer, refuse, insist, fall silent and come back.

use super::*;
use crate::sip::auth::{Credentials, Secret};
use crate::sip::branch::ClientFailure;
use crate::sip::message::{CSeq, Raw, Via};
use crate::sip::session_timer::SessionPolicy;
use crate::sip::transaction::Timing;
use crate::time::{Clock, SystemClock};

struct World {
    registration: Registration,
    start: Instant,
    now: Now,
}

impl World {
    fn new() -> Self {
        Self::with(7, 600)
    }

    fn with(seed: u64, expires: u64) -> Self {
        let now = SystemClock.now();
        let credentials = Credentials { username: "acct7".into(), password: Secret::new("x") };
        let spec = TrunkSpec {
            uri: "sip:carrier.example:5070;transport=tcp".into(),
            credentials: Some(credentials),
            register: true,
            expires: Duration::from_secs(expires),
            ..TrunkSpec::at("carrier", "192.0.2.1:5060".parse().unwrap())
        };
        let context =
            Context { timing: Timing::default(), server: "T".into(), session: SessionPolicy::default(), seed };
        Self { registration: Registration::new(spec, context, now).unwrap(), start: now.mono, now }
    }

    /// Waits for the next REGISTER: the second it leaves in, and what it asks for.
    fn asks(&mut self) -> (u64, String) {
        for _ in 0..10 {
            if let Some(act) = self.registration.poll_act() {
                let Act::Request { request, .. } = act else { panic!("nothing but requests: {act:?}") };
                let expires = request.header("Expires").unwrap().to_owned();
                return ((self.now.mono - self.start).as_secs(), expires);
            }
            let at = self.registration.deadline().expect("it always has something to wait for");
            self.now.wall += at - self.now.mono.min(at);
            self.now.mono = self.now.mono.max(at);
            self.registration.handle_timeout(self.now);
        }
        panic!("it never asks");
    }

    fn says(&mut self, status: u16, headers: &str) {
        let text = format!("SIP/2.0 {status} X\r\n{headers}\r\n");
        let response = Response {
            status,
            reason: String::new(),
            via: Via::parse("SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKx").unwrap(),
            cseq: CSeq::parse("1 REGISTER").unwrap(),
            headers: Raw::read(text.as_bytes()).headers,
            body: Vec::new(),
        };
        let path = Path::udp("192.0.2.9:5060".parse().unwrap(), "192.0.2.7:5060".parse().unwrap());
        self.news(ClientNews::Final(response), Some(&path));
    }

    fn silent(&mut self) {
        self.news(ClientNews::Failed(ClientFailure::Timeout), None);
    }

    fn news(&mut self, news: ClientNews, path: Option<&Path>) {
        let tx = self.registration.asking.expect("a REGISTER is under way");
        self.registration.handle_news(tx, news, path, self.now);
    }

    fn state(&self) -> TrunkState {
        self.registration.status().state
    }

    fn is_registered(&self) -> bool {
        matches!(self.state(), TrunkState::Registered { .. })
    }
}

#[test]
fn a_registration_says_who_is_to_be_found_where() {
    let mut world = World::new();
    world.registration.handle_timeout(world.now);
    let Some(Act::Request { request, .. }) = world.registration.poll_act() else { panic!("from the first second") };
    assert_eq!((request.method.as_str(), request.uri.as_str()), ("REGISTER", "sip:carrier.example:5070"));
    assert_eq!(request.towards.to_string(), "sip:carrier.example:5070;transport=tcp");
    assert_eq!(request.header("To"), Some("<sip:acct7@carrier.example>"));
    assert!(request.header("From").unwrap().starts_with("<sip:acct7@carrier.example>;tag="));
    assert_eq!((request.contact.as_deref(), request.header("Expires")), (Some("acct7"), Some("600")));
    assert_eq!(world.state(), TrunkState::Registering);
}

#[test]
fn a_user_that_looks_like_an_address_is_escaped_and_found_again() {
    let mut world = World::new();
    let spec = TrunkSpec { user: Some("ann@home".into()), ..world.registration.spec.clone() };
    world.registration = Registration::new(spec, world.registration.context.clone(), world.now).unwrap();
    world.registration.handle_timeout(world.now);
    let Some(Act::Request { request, .. }) = world.registration.poll_act() else { panic!("from the first second") };
    assert_eq!(request.header("To"), Some("<sip:ann%40home@carrier.example>"));
    world.says(200, "Contact: <sip:x@h>;expires=60, <sip:ann%40home@192.0.2.7:5060>;expires=300\r\n");
    let TrunkState::Registered { until } = world.state() else { panic!("registered") };
    assert_eq!(until, world.now.wall + Duration::from_secs(300));
}

#[test]
fn it_is_refreshed_before_it_lapses() {
    for (granted, earliest, latest) in [(600, 484, 510), (3600, 2907, 3060), (60, 28, 30), (20, 9, 10), (1, 5, 5)] {
        for seed in 0..50 {
            let mut world = World::with(seed, 600);
            world.asks();
            world.says(200, &format!("Contact: <sip:acct7@192.0.2.7:5060>;expires={granted}\r\n"));
            assert!(world.is_registered());
            let (at, expires) = world.asks();
            assert!((earliest..=latest).contains(&at), "{granted} s were granted, refreshed after {at} s");
            assert_eq!(expires, "600");
            assert!(granted < 10 || world.is_registered(), "it still holds while it is refreshed");
        }
    }
}

#[test]
fn what_holds_for_others_or_in_general_is_told_apart() {
    for (headers, granted) in [
        ("Contact: <sip:other@192.0.2.8>;expires=60, <sip:acct7@192.0.2.7:5060>;expires=300\r\nExpires: 20\r\n", 300),
        ("Contact: <sip:acct7@203.0.113.5:40000>;expires=200\r\n", 200),
        ("Contact: <sip:acct7@192.0.2.7:5060>\r\nExpires: 100\r\n", 100),
        ("Expires: 90\r\n", 90),
        ("", 600),
        ("Contact: <sip:acct7@192.0.2.7:5060>;expires=99999999999999\r\n", 86_400),
        ("Contact: <sip:acct7@192.0.2.7:5060>;expires=soon\r\n", 600),
    ] {
        let mut world = World::new();
        world.asks();
        world.says(200, headers);
        let TrunkState::Registered { until } = world.state() else { panic!("{headers}") };
        assert_eq!(until, world.now.wall + Duration::from_secs(granted), "{headers}");
    }
    let mut world = World::new();
    world.asks();
    world.says(200, "Expires: 0\r\n");
    assert!(matches!(world.state(), TrunkState::Waiting { .. }), "granted nothing");
}

#[test]
fn a_registrar_that_insists_on_longer_gets_it() {
    let mut world = World::with(7, 60);
    world.asks();
    world.says(423, "Min-Expires: 1800\r\n");
    assert_eq!(world.asks(), (0, "1800".to_owned()), "at once");
    world.says(200, "Expires: 1800\r\n");
    assert_eq!(world.asks().1, "1800", "and from now on");
    // One that insists on what it was offered, or on nothing, only refuses.
    for headers in ["Min-Expires: 1800\r\n", "", "Min-Expires: 99999999\r\n"] {
        world.registration.asking = world.registration.asking.or(Some(Tx(99)));
        world.says(423, headers);
        assert!(world.asks().0 > 0);
    }
}

#[test]
fn a_silent_or_troubled_registrar_is_asked_every_half_minute() {
    let mut world = World::new();
    let (mut last, _) = world.asks();
    for round in 0..200 {
        match round % 3 {
            0 => world.silent(),
            1 => world.says(503, ""),
            _ => world.says(500, ""),
        }
        assert!(matches!(world.state(), TrunkState::Waiting { .. }));
        let (at, _) = world.asks();
        assert!((14..=31).contains(&(at - last)), "{}", at - last);
        last = at;
    }
    world.says(200, "");
    assert!(world.is_registered());
}

#[test]
fn one_that_refuses_is_asked_less_and_less_often() {
    let mut world = World::new();
    let (mut last, _) = world.asks();
    let mut waits = Vec::new();
    for _ in 0..12 {
        world.says(403, "");
        let (at, _) = world.asks();
        waits.push(at - last);
        last = at;
    }
    assert!(waits[0] <= 30 && waits[3] >= 100 && waits[11] >= 900, "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 1800), "{waits:?}");
    assert_eq!(world.registration.status().last_status, Some(403));
}

#[test]
fn retry_after_is_obeyed_within_reason() {
    for (headers, wait) in
        [("Retry-After: 7 (soon);duration=9\r\n", 7), ("Retry-After: 0\r\n", 1), ("Retry-After: 999999\r\n", 1800)]
    {
        let mut world = World::new();
        world.asks();
        world.says(503, headers);
        assert_eq!(world.asks().0, wait, "{headers}");
    }
}

#[test]
fn a_refresh_that_fails_leaves_the_rest_of_the_registration() {
    let mut world = World::new();
    world.asks();
    world.says(200, "Expires: 600\r\n");
    world.asks();
    world.silent();
    assert!(world.is_registered(), "they still find us");
    for _ in 0..20 {
        world.asks();
        world.silent();
    }
    assert!(matches!(world.state(), TrunkState::Waiting { .. }), "now they do not");
    world.asks();
    world.says(200, "Expires: 600\r\n");
    assert!(world.is_registered());
}

#[test]
fn signs_of_life_end_the_waiting_unless_we_were_refused() {
    let mut world = World::new();
    let (before, _) = world.asks();
    world.silent();
    world.registration.handle_reachable(world.now);
    assert_eq!(world.asks().0, before);
    world.says(403, "");
    world.registration.handle_reachable(world.now);
    assert!(world.asks().0 > before + 10);
}

#[test]
fn it_takes_its_leave_and_does_not_wait_for_ever() {
    let mut world = World::new();
    world.asks();
    world.says(200, "Expires: 600\r\n");
    world.registration.handle_stop(world.now);
    assert_eq!(world.asks().1, "0");
    assert!(!world.registration.is_done());
    world.says(200, "");
    assert!(world.registration.is_done());
    assert_eq!((world.state(), world.registration.deadline()), (TrunkState::Unregistered, None));

    let mut silent = World::new();
    silent.asks();
    silent.says(200, "Expires: 600\r\n");
    silent.registration.handle_stop(silent.now);
    silent.asks();
    silent.now.mono += Duration::from_secs(1);
    silent.registration.handle_timeout(silent.now);
    assert!(silent.registration.is_done());

    let mut never = World::new();
    never.registration.handle_stop(never.now);
    assert!(never.registration.is_done() && never.registration.poll_act().is_none());
}

#[test]
fn calls_are_taken_from_where_we_are_registered_as_long_as_we_are() {
    let here: IpAddr = "192.0.2.9".parse().unwrap();
    let known = |world: &World| world.registration.is_known_at(here, world.now.mono);
    let mut world = World::new();
    for status in [401, 503, 302] {
        world.asks();
        world.says(status, "");
        assert!(!known(&world), "{status}: whoever answers is not yet our registrar");
    }
    world.asks();
    world.says(200, "Expires: 600\r\n");
    assert!(known(&world), "it may call at once");
    world.asks();
    world.silent();
    assert!(known(&world), "a refresh that fails once");
    world.asks();
    world.says(200, "Expires: 600\r\n");
    world.now.mono += Duration::from_secs(599);
    assert!(known(&world));
    world.now.mono += Duration::from_secs(1);
    assert!(!known(&world), "lapsed");
    world.asks();
    world.says(200, "Expires: 600\r\n");
    world.asks();
    world.says(403, "");
    assert!(!known(&world), "refused");
}

#[test]
fn where_we_are_registered_is_remembered_within_bounds() {
    let mut world = World::new();
    let (now, until) = (world.now.mono, world.now.mono + Duration::from_secs(60));
    for last in 1..=40 {
        world.registration.know([192, 0, 2, last].into(), until, now);
        world.registration.know([192, 0, 2, last].into(), until, now);
    }
    assert_eq!(world.registration.addresses.len(), MOST_ADDRESSES);
    assert!(world.registration.is_known_at([192, 0, 2, 40].into(), now));
    world.registration.know([192, 0, 2, 99].into(), until, until);
    assert_eq!(world.registration.addresses.len(), 1, "what has lapsed makes room");
}

#[test]
fn a_trunk_without_an_address_cannot_be_registered_with() {
    let world = World::new();
    for uri in ["", "carrier.example", "tel:+1555", "sip:"] {
        let spec = TrunkSpec { uri: uri.into(), ..world.registration.spec.clone() };
        assert!(Registration::new(spec, world.registration.context.clone(), world.now).is_none(), "{uri}");
    }
}

/// The REGISTER that has just been asked for.
fn asked(world: &mut World) -> OutRequest {
    world.registration.handle_timeout(world.now);
    match world.registration.poll_act() {
        Some(Act::Request { request, .. }) => request,
        other => panic!("a REGISTER: {other:?}"),
    }
}

#[test]
fn a_redirection_is_followed_to_its_end_and_no_further() {
    let mut world = World::new();
    assert_eq!(asked(&mut world).header("Supported"), Some("path"));
    world.says(302, "Contact: <sip:acct7@b.example>;q=0.5, <sip:a.example:5062;transport=udp>, <tel:+1555>\r\n");
    let first = asked(&mut world);
    assert_eq!(
        (first.uri.as_str(), first.towards.to_string().as_str()),
        ("sip:a.example:5062", "sip:a.example:5062;transport=udp")
    );
    assert_eq!(first.header("To"), Some("<sip:acct7@carrier.example>"), "who is registered stays the same");
    world.says(404, "");
    assert_eq!(asked(&mut world).uri, "sip:b.example", "a registrar has no user");
    world.says(200, "Expires: 600\r\n");
    assert!(world.is_registered());
    let (_, expires) = world.asks();
    assert_eq!(expires, "600");
    world.silent();
    // Whoever sent us there is asked again.
    let at = world.registration.deadline().unwrap();
    (world.now.mono, world.now.wall) = (at, world.now.wall + Duration::from_secs(60));
    assert_eq!(asked(&mut world).uri, "sip:carrier.example:5070");
    for _ in 0..20 {
        if world.registration.asking.is_none() {
            break;
        }
        world.says(302, "Contact: <sip:a.example>, <sip:carrier.example:5070>, <sip:x.example>\r\n");
        world.registration.poll_act();
    }
    assert!(world.registration.asking.is_none(), "it ends");
    for headers in ["", "Contact: *\r\n", "Contact: <tel:+1>\r\n"] {
        let mut world = World::new();
        world.asks();
        world.says(302, headers);
        assert!(matches!(world.state(), TrunkState::Waiting { .. }), "{headers}");
    }
}

#[test]
fn the_way_of_calls_is_the_one_last_named_whole_and_loose() {
    let (a, b) = ("<sip:a.example;lr>", "\"B\" <sip:b.example:5070;lr;x=1>");
    let many = ["<sip:a.example;lr>"; MOST_ROUTES + 1].join(", ");
    let mut world = World::new();
    for (headers, route) in [
        (format!("Service-Route: {a}, {b}\r\n"), vec![a, b]),
        (format!("Service-Route: {b}\r\nService-Route: {a}\r\n"), vec![b, a]),
        (String::new(), vec![]),
        (format!("Service-Route: {a}, <sip:strict.example>\r\n"), vec![]),
        (format!("Service-Route: {a}, rubbish\r\n"), vec![]),
        ("Service-Route: <tel:+1555;lr>\r\n".to_owned(), vec![]),
        (format!("Service-Route: {many}\r\n"), vec![]),
    ] {
        world.asks();
        world.says(200, &format!("Expires: 600\r\n{headers}"));
        assert_eq!(world.registration.route(), route, "{headers}");
    }
    world.asks();
    world.says(200, &format!("Expires: 600\r\nService-Route: {a}\r\n"));
    world.asks();
    world.says(403, "");
    assert_eq!(world.registration.route(), [""; 0], "it ends with the registration");
}

#[test]
fn gruus_and_paths_in_an_answer_change_nothing() {
    let mut world = World::new();
    world.asks();
    world.says(
        200,
        "Path: <sip:edge.example;lr>\r\nContact: <sip:acct7@192.0.2.7:5060>;expires=300;\
         pub-gruu=\"sip:acct7@h;gr=urn:uuid:f81d\";temp-gruu=\"sip:tgruu.7hs==@h;gr\"\r\n",
    );
    let TrunkState::Registered { until } = world.state() else { panic!("registered") };
    assert_eq!(until, world.now.wall + Duration::from_secs(300));
}

#[test]
fn an_address_that_changes_is_registered_and_the_old_one_taken_back() {
    let mut world = World::new();
    world.asks();
    let here: SocketAddr = "203.0.113.5:40000".parse().unwrap();
    world.registration.handle_moved(here, world.now);
    assert!(world.registration.poll_act().is_none(), "one is under way");
    world.says(200, "Expires: 600\r\n");
    world.registration.handle_moved(here, world.now);
    let again = asked(&mut world);
    assert_eq!(again.header("Contact"), Some("<sip:acct7@192.0.2.7:5060>;expires=0"));
    assert_eq!(again.contact.as_deref(), Some("acct7"), "and ours besides");
    world.says(200, "Expires: 600\r\n");
    // An address that is another one each time is no reason for a flood.
    let mut asked = 0;
    for port in 0..1000_u16 {
        world.registration.handle_moved(([203, 0, 113, 5], 10_000 + port).into(), world.now);
        world.now.mono += Duration::from_millis(10);
        world.registration.handle_timeout(world.now);
        if world.registration.poll_act().is_some() {
            asked += 1;
            world.says(200, "Expires: 600\r\n");
        }
    }
    assert!(asked <= 3, "{asked} in ten seconds");
}

#[test]
fn a_registrar_whose_connection_ends_is_told_anew_but_not_without_end() {
    let mut world = World::new();
    world.asks();
    world.registration.handle_cut(true, world.now);
    assert!(world.registration.poll_act().is_none(), "one is under way");
    world.says(200, "Expires: 600\r\n");
    world.registration.handle_cut(true, world.now);
    assert_eq!(asked(&mut world).header("Contact"), Some("<sip:acct7@192.0.2.7:5060>;expires=0"));
    world.says(200, "Expires: 600\r\n");
    // Where we are to be found is known there all the same: nothing to take back.
    world.registration.handle_cut(false, world.now);
    assert_eq!(asked(&mut world).header("Contact"), None);
    world.says(200, "Expires: 600\r\n");
    // One that hangs up after every answer.
    let mut asked = 0;
    for _ in 0..60_000 {
        world.registration.handle_cut(false, world.now);
        world.now.mono += Duration::from_millis(10);
        world.registration.handle_timeout(world.now);
        if world.registration.poll_act().is_some() {
            asked += 1;
            world.says(200, "Expires: 600\r\n");
        }
    }
    assert!((5..=10).contains(&asked), "{asked} in ten minutes");
}
