//! Requests of ours through the agent: numbers, ways, lookups, digest rounds, ACKs and what comes back to the branch.

use std::sync::Mutex;

use super::*;
use crate::sip::Secret;
use crate::sip::auth::Credentials;
use crate::sip::branch::{ClientNews, OutRequest, Replaced, Tx};
use crate::sip::message::{Method, Request};
use crate::sip::respond::Origin;
use crate::sip::transport::{Hop, Transport};
use crate::sip::uri::Uri;

const FAR: &str = "127.0.0.1:5090";

/// A branch that does what a test tells it, and writes down what it hears.
#[derive(Debug, Default)]
struct Probe {
    tag: Arc<str>,
    todo: Arc<Mutex<VecDeque<Act>>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Branch for Probe {
    fn handle_command(&mut self, _command: LegCommand, _now: Now) {}
    fn handle_request(&mut self, _request: &Request, _origin: &Origin, _key: &Arc<str>, _now: Now) {}
    fn handle_ack(&mut self, _request: &Request, _now: Now) {}
    fn handle_cancel(&mut self, _key: &Arc<str>, _reason: Option<crate::sip::Reason>, _now: Now) {}
    fn handle_news(&mut self, tx: Tx, news: ClientNews, path: Option<&Path>, _now: Now) {
        let text = match news {
            ClientNews::Provisional(response) => format!("{} provisional {}", tx.0, response.status),
            ClientNews::Final(response) => format!("{} final {}", tx.0, response.status),
            ClientNews::Again(response) => format!("{} again {}", tx.0, response.to_tag().unwrap()),
            ClientNews::Failed(failure) => format!("{} {failure:?}", tx.0),
        };
        let way = path.map(|path| format!(" {}", path.hop)).unwrap_or_default();
        self.heard.lock().unwrap().push(text + &way);
    }
    fn handle_timeout(&mut self, _now: Now) {}
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn poll_act(&mut self) -> Option<Act> {
        self.todo.lock().unwrap().pop_front()
    }
    fn local_tag(&self) -> &Arc<str> {
        &self.tag
    }
    fn owns(&self, _call_id: &str, _remote_tag: &str) -> bool {
        true
    }
    fn standing(&self) -> crate::sip::branch::Standing {
        crate::sip::branch::Standing::Stands
    }
    fn replaces(&self) -> Option<Replaced> {
        None
    }
}

/// A world with one probe in it.
struct Rig {
    world: World,
    todo: Arc<Mutex<VecDeque<Act>>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Rig {
    fn new() -> Self {
        let mut world = World::new();
        let probe = Probe { tag: "probe".into(), ..Probe::default() };
        let (todo, heard) = (probe.todo.clone(), probe.heard.clone());
        world.agent.legs.insert(LegId(77), Box::new(probe));
        Self { world, todo, heard }
    }

    /// Lets the probe do something; what was sent.
    fn act(&mut self, act: Act) -> Vec<String> {
        self.todo.lock().unwrap().push_back(act);
        let before = self.world.sent.len();
        self.world.agent.with_leg(LegId(77), self.world.now, |_| {});
        self.world.collect();
        self.world.sent[before..].iter().map(|(_, text)| text.clone()).collect()
    }

    fn trusts(&mut self, spec: &TrunkSpec) {
        self.world.agent.trust_with(client::Owner::Leg(LegId(77)), spec, None);
    }

    fn hear(&mut self, request: &str, status: &str, tag: &str) -> Vec<String> {
        let text = reply(request, status).replace("To: <sip:b@h>\r\n", &format!("To: <sip:b@h>;tag={tag}\r\n"));
        self.world.receive_from(&text, FAR)
    }

    fn resolve(&mut self, paths: Result<&[&str], &str>) -> Vec<String> {
        let (query, _) = self.world.queries.pop().expect("something is looked up");
        let way = |text: &&str| {
            let (transport, address) = text.split_once(':').unwrap();
            let hop = Hop::new(Transport::parse(transport).unwrap(), address.parse().unwrap());
            Path { hop, local: US.parse().unwrap() }
        };
        let before = self.world.sent.len();
        let paths = paths.map(|paths| paths.iter().map(way).collect()).map_err(str::to_owned);
        self.world.agent.handle_resolved(query, paths, self.world.now);
        self.world.collect();
        self.world.sent[before..].iter().map(|(_, text)| text.clone()).collect()
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn request(method: Method, uri: &str, known: Option<Path>) -> OutRequest {
    let target = Target::of(&Uri::parse(uri).unwrap()).unwrap();
    OutRequest {
        method,
        uri: uri.to_owned(),
        towards: target,
        fallback: known,
        headers: vec![
            ("From".into(), "<sip:a@h>;tag=ours".to_owned()),
            ("To".into(), "<sip:b@h>".to_owned()),
            ("Call-ID".into(), "out".to_owned()),
        ],
        contact: Some(String::new()),
        body: None,
    }
}

fn carrier() -> TrunkSpec {
    let credentials = Credentials { username: "bob".to_owned(), password: Secret::new("zanzibar") };
    TrunkSpec { credentials: Some(credentials), ..TrunkSpec::at("carrier", FAR.parse().unwrap()) }
}

/// A request inside a dialog, for `uri`.
fn inside(tx: u32, method: Method, uri: &str) -> Act {
    let mut request = request(method, uri, Some(path(FAR)));
    request.headers[1].1 = "<sip:b@h>;tag=t".to_owned();
    Act::Request { tx: Tx(tx), request }
}

fn ask(tx: u32, method: Method) -> Act {
    let uri = format!("sip:b@{FAR}");
    Act::Request { tx: Tx(tx), request: request(method, &uri, Some(path(FAR))) }
}

#[test]
fn each_request_of_a_branch_has_its_number_and_its_news() {
    let mut rig = Rig::new();
    let first = rig.act(ask(1, Method::Invite)).remove(0);
    let second = rig.act(ask(2, Method::Info)).remove(0);
    assert!(first.contains("\r\nCSeq: 1 INVITE\r\n") && second.contains("\r\nCSeq: 2 INFO\r\n"));
    assert!(first.contains("\r\nContact: <sip:127.0.0.1:5060>\r\n"), "{first}");
    rig.hear(&first, "100 Trying", "t");
    rig.hear(&first, "180 Ringing", "t");
    rig.hear(&second, "200 OK", "t");
    let hop = format!(" udp:{FAR}");
    assert_eq!(rig.heard(), [format!("1 provisional 180{hop}"), format!("2 final 200{hop}")]);
}

#[test]
fn a_2xx_is_acknowledged_again_for_its_copies_and_reported_for_other_forks() {
    let mut rig = Rig::new();
    let invite = rig.act(ask(1, Method::Invite)).remove(0);
    rig.act(ask(2, Method::Info));
    assert!(rig.hear(&invite, "200 OK", "one").is_empty());
    let mut ack = request(Method::Ack, &format!("sip:b@{FAR}"), Some(path(FAR)));
    ack.headers[1].1 = "<sip:b@h>;tag=one".to_owned();
    let sent = rig.act(Act::Ack { tx: Tx(1), request: ack });
    assert!(sent[0].contains("\r\nCSeq: 1 ACK\r\n") && !sent[0].contains("branch=z9hG4bK.0"), "{}", sent[0]);
    assert_eq!(rig.hear(&invite, "200 OK", "one"), sent);
    assert!(rig.hear(&invite, "200 OK", "two").is_empty());
    assert_eq!(rig.heard()[1..], [format!("1 again two udp:{FAR}")]);
}

#[test]
fn a_challenge_is_answered_before_the_branch_hears_of_it() {
    let mut rig = Rig::new();
    rig.trusts(&carrier());
    let bare = rig.act(ask(1, Method::Invite)).remove(0);
    let challenge = |nonce: &str| {
        format!("401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"")
    };
    let sent = rig.hear(&bare, &challenge("n1"), "t");
    assert_eq!(starts(&sent), ["ACK sip:b@127.0.0.1:5090 SIP/2.0", "INVITE sip:b@127.0.0.1:5090 SIP/2.0"]);
    let proved = sent[1].clone();
    assert!(proved.contains("\r\nCSeq: 2 INVITE\r\n") && proved.contains("\r\nAuthorization: Digest username=\"bob\""));
    assert!(rig.heard().is_empty());
    rig.hear(&proved, "180 Ringing", "t");
    assert_eq!(rig.heard().len(), 1);
    let cancel = rig.act(Act::Cancel { tx: Tx(1), reason: "Q.850;cause=19" });
    assert!(cancel[0].contains("\r\nCSeq: 2 CANCEL\r\n"), "the INVITE that counts: {}", cancel[0]);
    let next = rig.act(ask(2, Method::Info)).remove(0);
    assert!(next.contains("\r\nCSeq: 3 INFO\r\n") && next.contains("nc=00000002"), "{next}");
    // The same nonce again: the password is wrong, and that is news.
    rig.hear(&next, &challenge("n1"), "t");
    assert_eq!(rig.heard()[1..], [format!("2 final 401 udp:{FAR}")]);
}

#[test]
fn a_challenge_does_not_make_the_other_hops_forgotten() {
    let mut rig = Rig::new();
    rig.trusts(&carrier());
    rig.act(Act::Request { tx: Tx(1), request: request(Method::Invite, "sip:b@c.example", None) });
    let bare = rig.resolve(Ok(&["udp:127.0.0.1:7001", "tcp:127.0.0.1:7002"])).remove(0);
    let sent = rig.hear(&bare, "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n1\"", "t");
    assert!(sent[1].contains("Via: SIP/2.0/UDP ") && sent[1].contains("\r\nAuthorization: "), "{}", sent[1]);
    let moved = rig.hear(&sent[1], "503 Service Unavailable", "t");
    assert!(moved[1].starts_with("INVITE ") && moved[1].contains("Via: SIP/2.0/TCP "), "{moved:?}");
    assert!(rig.heard().is_empty());
}

#[test]
fn who_takes_a_call_whose_leg_is_gone_is_acknowledged_and_hung_up_on() {
    let mut rig = Rig::new();
    rig.act(Act::Request { tx: Tx(1), request: request(Method::Invite, "sip:b@c.example", None) });
    let slow = rig.resolve(Ok(&["udp:127.0.0.1:7001", "udp:127.0.0.1:7002"])).remove(0);
    let second = rig.world.run_until(4_000).pop().expect("the next hop is asked").1;
    rig.hear(&second, "486 Busy Here", "two");
    assert_eq!(rig.heard().len(), 1);
    rig.act(Act::Gone);
    let taken = format!("200 OK\r\nContact: <sip:b@{FAR}>");
    let sent = rig.hear(&slow, &taken, "one");
    assert_eq!(starts(&sent), [format!("ACK sip:b@{FAR} SIP/2.0"), format!("BYE sip:b@{FAR} SIP/2.0")]);
    assert!(sent[0].contains("\r\nCSeq: 1 ACK\r\n") && sent[1].contains("\r\nCSeq: 2 BYE\r\n"), "{sent:?}");
    assert!(sent.iter().all(|text| text.contains("\r\nTo: <sip:b@h>;tag=one\r\n")), "{sent:?}");
    assert_eq!(starts(&rig.hear(&slow, &taken, "one")), [format!("ACK sip:b@{FAR} SIP/2.0")], "a copy of it");
    rig.hear(&sent[1], "200 OK", "one");
    assert!(rig.world.forgets_everything());
}

#[test]
fn where_a_redirection_leads_nobody_gets_an_answer_to_a_challenge() {
    let mut rig = Rig::new();
    rig.trusts(&carrier());
    let home = rig.act(ask(1, Method::Invite)).remove(0);
    rig.hear(&home, "302 Moved Temporarily\r\nContact: <sip:b@127.0.0.9:5090>", "t");
    let elsewhere =
        Act::Request { tx: Tx(2), request: request(Method::Invite, "sip:b@127.0.0.9:5090", Some(path(FAR))) };
    let second = rig.act(elsewhere).remove(0);
    let asked = rig.hear(&second, "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"", "t");
    assert_eq!(starts(&asked), ["ACK sip:b@127.0.0.9:5090 SIP/2.0"]);
    assert!(rig.heard().last().is_some_and(|news| news.starts_with("2 final 401")));
}

const ASKED: &str = "realm=\"r\", nonce=\"n\", qop=\"auth\"";

/// Whoever answers a call through a trunk may have our BYE sent straight to it, and know the trunk's realm.
#[test]
fn whoever_answers_a_call_of_ours_collects_no_proof_of_the_password() {
    let mut rig = Rig::new();
    rig.trusts(&carrier());
    let bare = rig.act(ask(1, Method::Invite)).remove(0);
    let asked = format!("407 Proxy Authentication Required\r\nProxy-Authenticate: Digest {ASKED}");
    let proved = rig.hear(&bare, &asked, "t").remove(1);
    assert!(proved.contains("\r\nProxy-Authorization: Digest "), "{proved}");
    rig.hear(&proved, "200 OK", "t");
    // Straight to it: neither unasked nor asked, nor with the ACK.
    let mut ack = request(Method::Ack, "sip:x@127.0.0.9:5090", Some(path(FAR)));
    ack.headers[1].1 = "<sip:b@h>;tag=t".to_owned();
    let ack = rig.act(Act::Ack { tx: Tx(1), request: ack }).remove(0);
    let bye = rig.act(inside(2, Method::Bye, "sip:x@127.0.0.9:5090")).remove(0);
    for sent in [&ack, &bye] {
        assert!(!sent.contains("uthorization"), "{sent}");
    }
    let theirs = format!("401 Unauthorized\r\nWWW-Authenticate: Digest {}", ASKED.replace("n\"", "1\""));
    assert!(rig.world.receive_from(&reply(&bye, &theirs), "127.0.0.9:5090").is_empty());
    // Through the trunk, which passes on what they say: neither in its realm nor in another.
    for (tx, realm) in [(3, "r"), (4, "carrier")] {
        let bye = rig.act(inside(tx, Method::Bye, &format!("sip:x@{FAR}"))).remove(0);
        assert!(bye.contains("\r\nProxy-Authorization: Digest "), "the trunk itself is shown the proof: {bye}");
        assert!(rig.hear(&bye, &theirs.replace("\"r\"", &format!("{realm:?}")), "t").is_empty(), "{realm}");
    }
    let refused: Vec<String> = rig.heard().split_off(1);
    assert_eq!(
        refused,
        [
            "2 final 401 udp:127.0.0.9:5090".to_owned(),
            format!("3 final 401 udp:{FAR}"),
            format!("4 final 401 udp:{FAR}")
        ]
    );
    // What the trunk asks in a dialog, as it asked before, is answered.
    let bye = rig.act(inside(5, Method::Bye, &format!("sip:x@{FAR}"))).remove(0);
    let again = rig.hear(&bye, &asked.replace("\"n\"", "\"n2\""), "t");
    assert!(again[0].contains("nonce=\"n2\""), "{again:?}");
}

#[test]
fn the_far_end_of_a_first_call_is_no_second_trunk_unless_its_realm_is_named() {
    for (realms, answered) in [(vec![], false), (vec!["r".to_owned(), "pbx".to_owned()], true)] {
        let mut rig = Rig::new();
        rig.trusts(&TrunkSpec { realms, ..carrier() });
        let bare = rig.act(ask(1, Method::Invite)).remove(0);
        let asked = format!("407 Proxy Authentication Required\r\nProxy-Authenticate: Digest {ASKED}");
        let proved = rig.hear(&bare, &asked, "t").remove(1);
        let further = format!("401 Unauthorized\r\nWWW-Authenticate: Digest {}", ASKED.replace("\"r\"", "\"pbx\""));
        let sent = rig.hear(&proved, &further, "t");
        assert_eq!(sent.iter().any(|text| text.contains("realm=\"pbx\"")), answered, "{sent:?}");
    }
}

#[test]
fn a_trunk_is_at_home_wherever_its_name_leads() {
    let mut rig = Rig::new();
    rig.trusts(&TrunkSpec { uri: "sip:carrier.example".to_owned(), ..carrier() });
    rig.act(Act::Request { tx: Tx(1), request: request(Method::Invite, "sip:b@carrier.example", None) });
    let bare = rig.resolve(Ok(&[&format!("udp:{FAR}")])).remove(0);
    let asked = format!("401 Unauthorized\r\nWWW-Authenticate: Digest {ASKED}");
    let proved = rig.hear(&bare, &asked, "t").remove(1);
    rig.hear(&proved, "200 OK", "t");
    let bye = rig.act(inside(2, Method::Bye, &format!("sip:b@{FAR}"))).remove(0);
    assert!(bye.contains("\r\nAuthorization: Digest ") && bye.contains("nc=00000002"), "{bye}");
}

#[test]
fn without_credentials_a_challenge_is_news() {
    let mut rig = Rig::new();
    let bare = rig.act(ask(1, Method::Info)).remove(0);
    rig.hear(&bare, "407 Proxy Authentication Required\r\nProxy-Authenticate: Digest realm=\"r\", nonce=\"n\"", "t");
    assert_eq!(rig.heard(), [format!("1 final 407 udp:{FAR}")]);
}

#[test]
fn a_name_is_looked_up_and_its_hops_tried_in_order() {
    let mut rig = Rig::new();
    let asked = Act::Request { tx: Tx(1), request: request(Method::Invite, "sip:b@c.example", None) };
    assert!(rig.act(asked.clone()).is_empty());
    assert_eq!(rig.world.queries[0].1.to_string(), "sip:c.example");
    let sent = rig.resolve(Ok(&["tcp:127.0.0.1:7001", "udp:127.0.0.1:7002"]));
    assert!(sent[0].contains("Via: SIP/2.0/TCP "));
    let before = rig.world.sent.len();
    let hop = Hop::new(Transport::Tcp, "127.0.0.1:7001".parse().unwrap());
    rig.world.agent.handle_unsent(&hop, rig.world.now);
    rig.world.collect();
    assert!(rig.world.sent[before].1.contains("Via: SIP/2.0/UDP "));

    rig.act(Act::Request { tx: Tx(2), request: request(Method::Info, "sip:b@c.example", None) });
    rig.resolve(Err("no such name"));
    rig.act(Act::Request { tx: Tx(3), request: request(Method::Info, "sip:b@c.example", None) });
    rig.resolve(Ok(&[]));
    rig.act(Act::Request { tx: Tx(4), request: request(Method::Info, "sip:b@c.example", Some(path(FAR))) });
    assert_eq!(rig.resolve(Err("no such name")).len(), 1, "back where they came from");
    assert_eq!(rig.heard(), ["2 NoAddress(\"no such name\")", "3 NoAddress(\"the name has no address\")"]);
}

#[test]
fn of_a_names_hops_the_one_that_knows_the_dialog_is_first() {
    let mut rig = Rig::new();
    let known = Path { hop: Hop::new(Transport::Tcp, "127.0.0.1:7002".parse().unwrap()), local: US.parse().unwrap() };
    let invite = rig.act(ask(1, Method::Invite)).remove(0);
    rig.hear(&invite, "200 OK", "t");
    rig.act(Act::Ack { tx: Tx(1), request: request(Method::Ack, "sip:b@c.example", Some(known)) });
    let hops = ["udp:127.0.0.1:7001", "tcp:127.0.0.1:7002", "udp:127.0.0.1:7003"];
    let ack = rig.resolve(Ok(&hops)).remove(0);
    assert!(ack.starts_with("ACK ") && ack.contains("Via: SIP/2.0/TCP "), "{ack}");
    rig.act(Act::Request { tx: Tx(2), request: request(Method::Bye, "sip:b@c.example", Some(known)) });
    assert!(rig.resolve(Ok(&hops))[0].contains("Via: SIP/2.0/TCP "));
    rig.act(Act::Request { tx: Tx(3), request: request(Method::Bye, "sip:b@c.example", Some(path(FAR))) });
    assert!(rig.resolve(Ok(&hops))[0].contains("Via: SIP/2.0/UDP "), "else in the order of the name");
}

#[test]
fn a_name_server_that_says_nothing_is_not_waited_for() {
    let mut rig = Rig::new();
    rig.act(Act::Request { tx: Tx(1), request: request(Method::Invite, "sip:b@c.example", None) });
    rig.act(Act::Request { tx: Tx(2), request: request(Method::Invite, "sip:b@c.example", None) });
    rig.act(Act::Cancel { tx: Tx(2), reason: "Q.850;cause=19" });
    let _ = rig.world.queries.pop();
    rig.world.run_until(4_999);
    assert!(rig.heard().is_empty());
    rig.world.run_until(5_000);
    assert_eq!(rig.heard().len(), 2);
    assert!(rig.heard().iter().all(|news| news.contains("the name servers do not answer")), "{:?}", rig.heard());
}

#[test]
fn a_connection_that_stands_is_used_before_their_contact() {
    let mut rig = Rig::new();
    let known = Path { hop: Hop::new(Transport::Tcp, "127.0.0.1:40000".parse().unwrap()), local: US.parse().unwrap() };
    for (uri, hops) in [
        ("sip:b@10.0.0.9:5060;transport=tcp", vec!["tcp:127.0.0.1:40000", "tcp:10.0.0.9:5060"]),
        ("sip:b@10.0.0.9", vec!["tcp:127.0.0.1:40000"]),
    ] {
        rig.todo.lock().unwrap().push_back(Act::Request { tx: Tx(1), request: request(Method::Bye, uri, Some(known)) });
        rig.world.agent.with_leg(LegId(77), rig.world.now, |_| {});
        let mut ways = Vec::new();
        while let Some(output) = rig.world.agent.poll_output() {
            let Output::Send { path, .. } = output else { continue };
            ways.push(path.hop.to_string());
            rig.world.agent.handle_unsent(&path.hop, rig.world.now);
        }
        assert_eq!(ways, hops, "{uri}");
    }
}

#[test]
fn a_telephone_behind_a_router_is_reached_where_it_is_seen() {
    let mut rig = Rig::new();
    let route = ("Route".into(), "<sip:192.168.1.1;lr>".to_owned());
    for (uri, known, routed, hop) in [
        ("sip:u@192.168.1.5", "203.0.113.9:40000", false, "udp:203.0.113.9:40000"),
        ("sip:u@192.168.1.5", "203.0.113.9:40000", true, "udp:192.168.1.5:5060"),
        ("sip:u@192.168.1.5", "192.168.1.9:40000", false, "udp:192.168.1.5:5060"),
        ("sip:u@192.168.1.5", "100.64.1.9:40000", false, "udp:192.168.1.5:5060"),
        ("sip:u@127.0.0.1:5071", "127.0.0.1:5070", false, "udp:127.0.0.1:5071"),
        ("sip:u@203.0.113.7", "203.0.113.9:40000", false, "udp:203.0.113.7:5060"),
        ("sip:u@203.0.113.7", "192.168.1.9:40000", false, "udp:203.0.113.7:5060"),
    ] {
        let mut bye = request(Method::Bye, uri, Some(path(known)));
        bye.headers.extend(routed.then(|| route.clone()));
        rig.todo.lock().unwrap().push_back(Act::Request { tx: Tx(1), request: bye });
        rig.world.agent.with_leg(LegId(77), rig.world.now, |_| {});
        let Some(Output::Send { path, .. }) = rig.world.agent.poll_output() else { panic!("nothing is sent") };
        assert_eq!(path.hop.to_string(), hop, "{uri} seen at {known}");
    }
}

#[test]
fn nothing_is_left_of_a_branch_that_is_gone() {
    let mut rig = Rig::new();
    rig.act(ask(1, Method::Invite));
    rig.act(Act::Request { tx: Tx(2), request: request(Method::Info, "sip:b@c.example", None) });
    rig.act(Act::Gone);
    assert!(rig.world.forgets_everything());
}

#[test]
fn whoever_answers_us_is_heard_wherever_it_is_and_only_about_that() {
    let mut rig = Rig::new();
    let invite = rig.act(ask(1, Method::Invite)).remove(0);
    let far = "203.0.113.9:5060";
    rig.world.receive_from(&reply(&invite, "180 Ringing"), far);
    assert_eq!(rig.heard().len(), 1);
    rig.world.receive_from(&reply(&invite, "180 Ringing").replace("branch=z9hG4bK", "branch=z9hG4bK0"), far);
    assert_eq!(rig.heard().len(), 1, "a branch of somebody else");
    // Our own tag leads into the dialog, a fresh call stays outside.
    rig.world.agent.dialogs.insert("probe".into(), LegId(77));
    assert!(rig.world.receive_from(&in_dialog("BYE", 1, "probe", "b"), far).is_empty(), "the probe keeps silent");
    assert_eq!(starts(&rig.world.receive_from(&in_dialog("BYE", 1, "other", "c"), far)), ["SIP/2.0 403 Forbidden"]);
    assert_eq!(starts(&rig.world.receive_from(&super::invite(1, "", SDP), far)), ["SIP/2.0 403 Forbidden"]);
}

#[test]
fn who_takes_no_connection_is_not_asked_for_one_with_every_long_request() {
    let mut rig = Rig::new();
    let mut long = request(Method::Invite, &format!("sip:b@{FAR}"), Some(path(FAR)));
    long.body = Some(("application/sdp", "v".repeat(1400)));
    let ask = |rig: &mut Rig, tx| rig.act(Act::Request { tx: Tx(tx), request: long.clone() }).remove(0);
    assert!(ask(&mut rig, 1).contains("Via: SIP/2.0/TCP "));
    let hop = Hop::new(Transport::Tcp, FAR.parse().unwrap());
    rig.world.agent.handle_unsent(&hop, rig.world.now);
    rig.world.collect();
    assert!(rig.world.sent.last().unwrap().1.contains("Via: SIP/2.0/UDP "));
    assert!(ask(&mut rig, 2).contains("Via: SIP/2.0/UDP "));
    rig.world.run_until(600_000);
    assert!(ask(&mut rig, 3).contains("Via: SIP/2.0/TCP "));
}

#[test]
fn each_request_over_tls_says_whom_it_is_for_and_an_answer_does_not() {
    let mut rig = Rig::new();
    let far = Hop::new(Transport::Tls, "127.0.0.1:5061".parse().unwrap());
    let known = Path { hop: far, local: US.parse().unwrap() };
    let mut whom = |uri: &str, known: Option<Path>| {
        let act = Act::Request { tx: Tx(1), request: request(Method::Options, uri, known) };
        rig.todo.lock().unwrap().push_back(act);
        rig.world.agent.with_leg(LegId(77), rig.world.now, |_| {});
        let resolve = |output: &Output| if let Output::Resolve { query, .. } = output { Some(*query) } else { None };
        if let Some(query) = rig.world.agent.outputs.iter().find_map(resolve) {
            let path = Path { hop: far, local: US.parse().unwrap() };
            rig.world.agent.handle_resolved(query, Ok(vec![path]), rig.world.now);
        }
        let sent = rig.world.agent.outputs.drain(..).rfind(|output| matches!(output, Output::Send { .. }));
        let Some(Output::Send { towards, .. }) = sent else { panic!("it is sent") };
        towards.map(|name| name.to_string())
    };
    assert_eq!(whom("sips:b@carrier.example", None).as_deref(), Some("carrier.example"));
    assert_eq!(whom("sips:b@other.example", None).as_deref(), Some("other.example"), "the same address");
    assert_eq!(whom("sips:b@127.0.0.1", Some(known)), None, "the way of the dialog");
}
