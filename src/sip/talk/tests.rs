//! What is said inside a dialog, as rows of messages on a clock that the test moves; offers in [`offers`].

mod offers;

use super::*;
use crate::rtp::Digit;
use crate::sip::branch::ClientFailure;
use crate::sip::guard::{Admitted, Guard, Verdict};
use crate::sip::message::CSeq;
use crate::sip::message::Raw;
use crate::sip::peers::PeerTable;
use crate::sip::session_timer::{Refresher, SessionPolicy};
use crate::sip::transaction::Timing;
use crate::sip::transport::Path;
use crate::time::{Clock, SimulatedClock};

const THEIRS: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const OURS: &str =
    "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n";

fn hold() -> String {
    format!("{THEIRS}a=sendonly\r\n").replace("o=- 1 1", "o=- 1 2")
}

fn path() -> Path {
    Path::udp("127.0.0.1:5070".parse().unwrap(), "127.0.0.1:5060".parse().unwrap())
}

/// A talk, a clock, and what came out of it.
struct World {
    talk: Talk,
    clock: SimulatedClock,
    guard: Guard,
    cseq: u32,
    responses: Vec<(u16, String)>,
    requests: Vec<(Tx, OutRequest)>,
    acks: Vec<OutRequest>,
    resent: usize,
    events: Vec<LegEvent>,
    gone: bool,
}

impl World {
    /// We called; they may be sent what `allow` and `timer` say.
    fn ours(allow: &str, timer: Option<Agreed>) -> Self {
        let clock = SimulatedClock::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let raw = Raw::read(format!("X\nAllow: {allow}\n\n").as_bytes()).headers;
        let sdp = Exchanged { ours: OURS.to_owned(), theirs: THEIRS.to_owned(), they_offered: false };
        let talk = Talk::begin(dialog(None), context(), timer, sdp, Allows::of(&raw), clock.now());
        Self::of(talk, clock)
    }

    /// They called, and we answered; the ACK has come.
    fn theirs() -> Self {
        let mut world = Self::answered(false);
        world.ack("");
        world.events.clear();
        world
    }

    /// They called, with our offer in the answer or with theirs in the INVITE; the ACK has not come.
    fn answered(late: bool) -> Self {
        let clock = SimulatedClock::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let mut guard = Guard::new(PeerTable::default(), "Test/1".to_owned(), 7);
        let Admitted { origin, .. } = admit(&mut guard, &message("INVITE", 1, "", THEIRS), clock.now());
        let theirs = if late { String::new() } else { THEIRS.to_owned() };
        let sdp = Exchanged { ours: OURS.to_owned(), theirs, they_offered: !late };
        let answer = Answer { bytes: Bytes::from_static(b"SIP/2.0 200 OK\r\n\r\n"), cseq: 1, late };
        let allows = Allows::default();
        let talk = Talk::answered(dialog(Some(1)), context(), None, sdp, allows, (answer, &origin), clock.now());
        Self::of(talk, clock)
    }

    fn of(talk: Talk, clock: SimulatedClock) -> Self {
        let guard = Guard::new(PeerTable::default(), "Test/1".to_owned(), 7);
        let (responses, requests, acks, events) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { talk, clock, guard, cseq: 1, responses, requests, acks, resent: 0, events, gone: false }
    }

    /// A request of theirs with the next CSeq; the status it is answered with at once.
    fn receive(&mut self, method: &str, headers: &str, body: &str) -> Option<u16> {
        self.cseq += 1;
        self.receive_numbered(self.cseq, method, headers, body)
    }

    fn receive_numbered(&mut self, cseq: u32, method: &str, headers: &str, body: &str) -> Option<u16> {
        let now = self.clock.now();
        let Admitted { request, origin, .. } = admit(&mut self.guard, &message(method, cseq, headers, body), now);
        let key: Arc<str> = request.transaction_key().into();
        let before = self.responses.len();
        self.talk.handle_request(&request, &origin, &key, now);
        self.collect();
        self.responses.get(before).map(|(status, _)| *status)
    }

    fn ack(&mut self, body: &str) {
        let now = self.clock.now();
        let Admitted { request, .. } = admit(&mut self.guard, &message("ACK", self.cseq, "", body), now);
        self.talk.handle_ack(&request, now);
        self.collect();
    }

    fn command(&mut self, command: LegCommand) {
        self.talk.handle_command(command, self.clock.now());
        self.collect();
    }

    /// Their answer to the last request of ours.
    fn answer(&mut self, status: u16, headers: &str, sdp: &str) {
        let (tx, request) = self.requests.last().expect("we have asked something").clone();
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\n" };
        let text = format!("SIP/2.0 {status} x\n{headers}{kind}\n");
        let raw = Raw::read(text.as_bytes());
        let response = Response {
            status,
            reason: String::new(),
            via: crate::sip::message::Via::parse("SIP/2.0/UDP h;branch=z9hG4bKx").unwrap(),
            cseq: CSeq { number: 1, method: request.method },
            headers: raw.headers.clone(),
            body: sdp.as_bytes().to_vec(),
        };
        self.news(tx, ClientNews::Final(response));
    }

    fn news(&mut self, tx: Tx, news: ClientNews) {
        self.talk.handle_news(tx, news, self.clock.now());
        self.collect();
    }

    /// Lets time pass, timer by timer.
    fn wait(&mut self, time: Duration) {
        let end = self.clock.now().mono + time;
        while let Some(at) = self.talk.deadline().filter(|at| *at <= end) {
            self.clock.advance(at.saturating_duration_since(self.clock.now().mono));
            self.talk.handle_timeout(self.clock.now());
            self.collect();
            assert_ne!(self.talk.deadline(), Some(at), "a deadline that brings nothing");
        }
        self.clock.advance(end.saturating_duration_since(self.clock.now().mono));
    }

    fn collect(&mut self) {
        while let Some(act) = self.talk.poll_act() {
            assert!(!self.gone, "nothing comes behind the end: {act:?}");
            match act {
                Act::Respond { status, bytes, .. } => {
                    self.responses.push((status, String::from_utf8(bytes.to_vec()).unwrap()));
                }
                Act::Resend(..) => self.resent += 1,
                Act::Request { tx, request } => self.requests.push((tx, request)),
                Act::Ack { request, .. } => self.acks.push(request),
                Act::Event(event) => self.events.push(event),
                Act::Gone => self.gone = true,
                Act::Cancel { .. } => panic!("nothing of ours is cancelled inside a dialog"),
            }
        }
    }

    fn methods(&self) -> Vec<&str> {
        self.requests.iter().map(|(_, request)| request.method.as_str()).collect()
    }

    fn last_response(&self) -> &str {
        &self.responses.last().expect("we have answered something").1
    }
}

fn dialog(remote_cseq: Option<u32>) -> Dialog {
    Dialog {
        call_id: "c1".to_owned(),
        local: "<sip:100@h>;tag=ours".to_owned(),
        remote: "<sip:ann@h>;tag=f1".to_owned(),
        remote_tag: "f1".to_owned(),
        remote_cseq,
        route_set: Vec::new(),
        remote_target: "sip:ann@127.0.0.1:5070".to_owned(),
        path: path(),
        secure: false,
    }
}

fn context() -> Context {
    let session = SessionPolicy::default();
    Context { timing: Timing::default(), server: "Test/1".into(), session, seed: 5 }
}

fn message(method: &str, cseq: u32, headers: &str, body: &str) -> String {
    let kind = match body {
        "" => "",
        _ if headers.contains("Content-Type") => "",
        _ => "Content-Type: application/sdp\r\n",
    };
    format!(
        "{method} sip:127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK{method}{cseq}\r\n\
         From: <sip:ann@h>;tag=f1\r\nTo: <sip:100@h>;tag=ours\r\nCall-ID: c1\r\nCSeq: {cseq} {method}\r\n\
         Max-Forwards: 70\r\nContact: <sip:ann@127.0.0.1:5071>\r\n{kind}{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn admit(guard: &mut Guard, text: &str, now: Now) -> Admitted {
    match guard.inspect(text.as_bytes(), &path(), now) {
        Verdict::Request(admitted) => *admitted,
        other => panic!("{text}\n{other:?}"),
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn too_small_an_interval_gets_422() {
    let mut world = World::theirs();
    world.talk.context.session.min_se = seconds(120);
    assert_eq!(world.receive("UPDATE", "Session-Expires: 100\r\nSupported: timer\r\n", ""), Some(422));
    assert!(world.last_response().contains("\r\nMin-SE: 120\r\n"));
}

#[test]
fn keys_come_by_info_in_both_bodies() {
    let digit = |face| Digit::new(face).unwrap();
    let mut world = World::theirs();
    let relay = "Content-Type: application/dtmf-relay\r\n";
    assert_eq!(world.receive("INFO", relay, "Signal= 5\r\nDuration= 160\r\n"), Some(200));
    assert_eq!(world.receive("INFO", "Content-Type: application/dtmf\r\n", "#"), Some(200));
    assert_eq!(
        world.events,
        [
            LegEvent::Key { digit: digit('5'), duration_ms: Some(160) },
            LegEvent::Key { digit: digit('#'), duration_ms: None }
        ]
    );
    world.events.clear();
    for (headers, body, status) in [
        ("", "", 200),
        (relay, "Signal=E\r\n", 400),
        ("Content-Type: application/media_control+xml\r\n", "<x/>", 415),
        ("Info-Package: foo\r\n", "", 469),
    ] {
        assert_eq!(world.receive("INFO", headers, body), Some(status), "{body}");
    }
    assert!(world.events.is_empty());
}

#[test]
fn our_keys_leave_one_behind_the_other() {
    let mut world = World::theirs();
    for face in ['1', '2', '#'] {
        world.command(LegCommand::SendKey { digit: Digit::new(face).unwrap(), duration_ms: 100 });
    }
    assert_eq!(world.methods(), ["INFO"]);
    assert_eq!(world.requests[0].1.body, Some(("application/dtmf-relay", "Signal=1\r\nDuration=100\r\n".to_owned())));
    world.answer(200, "", "");
    world.answer(415, "", "");
    assert_eq!(world.methods(), ["INFO", "INFO", "INFO"]);
    world.answer(200, "", "");
    assert!(world.events.is_empty());
}

#[test]
fn other_methods_get_the_answer_they_are_due() {
    for (method, headers, status, header) in [
        ("OPTIONS", "", 200, "Accept: application/sdp, application/dtmf-relay, application/dtmf"),
        ("PRACK", "RAck: 1 1 INVITE\r\n", 481, ""),
        ("NOTIFY", "Event: message-summary\r\n", 489, "Allow-Events: refer"),
        ("NOTIFY", "Event: refer\r\nSubscription-State: active\r\n", 481, ""),
    ] {
        let mut world = World::theirs();
        assert_eq!(world.receive(method, headers, ""), Some(status), "{method}");
        assert!(world.last_response().contains(header), "{}", world.last_response());
        assert!(world.events.is_empty() && !world.gone);
    }
}

#[test]
fn a_far_end_is_reached_along_the_way_its_last_request_came() {
    let mut world = World::theirs();
    let now = world.clock.now();
    let moved = Path::udp("127.0.0.1:5099".parse().unwrap(), "127.0.0.1:5060".parse().unwrap());
    let Admitted { request, mut origin, .. } = admit(&mut world.guard, &message("INFO", 2, "", ""), now);
    origin.destination = moved;
    world.talk.handle_request(&request, &origin, &"k".into(), now);
    let Admitted { request, origin, .. } = admit(&mut world.guard, &message("INFO", 1, "", ""), now);
    world.talk.handle_request(&request, &origin, &"old".into(), now);
    world.command(LegCommand::Hangup);
    let bye = &world.requests.last().unwrap().1;
    assert_eq!((bye.method.as_str(), bye.fallback), ("BYE", Some(moved)), "one from before that changes nothing");
}

#[test]
fn requests_out_of_order_get_500() {
    let mut world = World::theirs();
    assert_eq!(world.receive_numbered(9, "OPTIONS", "", ""), Some(200));
    assert_eq!(world.receive_numbered(8, "OPTIONS", "", ""), Some(500));
    assert_eq!(world.receive_numbered(8, "BYE", "", ""), Some(500));
    assert!(world.events.is_empty());
}

#[test]
fn a_transfer_is_followed_to_its_end() {
    let notify = "Event: refer\r\nContent-Type: message/sipfrag\r\nSubscription-State: ";
    let mut world = World::theirs();
    world.command(LegCommand::Refer { to: "sip:bob@h".to_owned(), replaces: None });
    let (_, request) = &world.requests[0];
    assert_eq!((request.method.as_str(), request.header("Refer-To")), ("REFER", Some("<sip:bob@h>")));
    assert_eq!(request.header("Referred-By"), Some("<sip:100@h>"));
    world.answer(202, "", "");
    assert_eq!(world.receive("NOTIFY", &format!("{notify}active\r\n"), "SIP/2.0 100 Trying"), Some(200));
    world.wait(seconds(90));
    assert_eq!(world.receive("NOTIFY", &format!("{notify}terminated\r\n"), "SIP/2.0 200 OK"), Some(200));
    assert_eq!(
        world.events,
        [
            LegEvent::Referred { status: 202, last: false },
            LegEvent::Referred { status: 100, last: false },
            LegEvent::Referred { status: 200, last: true }
        ]
    );
    assert_eq!(world.receive("BYE", "", ""), Some(200));
    assert_eq!(world.events[3..], [LegEvent::Ended(LegEnd::Moved)]);
    assert!(world.gone);
}

#[test]
fn a_transfer_that_fails_leaves_the_call() {
    let mut world = World::theirs();
    for (status, headers) in [(603, ""), (405, "")] {
        world.command(LegCommand::Refer { to: "sip:bob@h".to_owned(), replaces: None });
        world.answer(status, headers, "");
        assert_eq!(world.events.last(), Some(&LegEvent::Referred { status, last: true }));
    }
    world.command(LegCommand::Refer { to: "sip:bob@h".to_owned(), replaces: None });
    world.answer(202, "", "");
    world.wait(seconds(32));
    assert_eq!(world.events.last(), Some(&LegEvent::Referred { status: 408, last: true }), "silence");
    world.command(LegCommand::Refer { to: "sip:bob@h".to_owned(), replaces: None });
    world.command(LegCommand::Refer { to: "sip:eve@h".to_owned(), replaces: None });
    assert_eq!(world.events.last(), Some(&LegEvent::Referred { status: 491, last: true }), "one at a time");
    world.receive("BYE", "", "");
    assert_eq!(world.events.last(), Some(&LegEvent::Ended(LegEnd::RemoteHangup)));
}

#[test]
fn an_answer_nobody_acknowledges_is_repeated_and_given_up() {
    let mut world = World::answered(false);
    world.wait(seconds(31));
    assert!(world.resent > 5 && world.events.is_empty());
    world.wait(seconds(1));
    assert_eq!(world.events, [LegEvent::Ended(LegEnd::NoAck)]);
    assert_eq!(world.methods(), ["BYE"]);
    let mut world = World::theirs();
    world.receive("INVITE", "", THEIRS);
    world.wait(seconds(32));
    assert_eq!(world.events, [LegEvent::Ended(LegEnd::NoAck)], "a re-INVITE too");
}

#[test]
fn the_first_ack_establishes_the_call_and_brings_a_late_answer() {
    let mut world = World::answered(true);
    assert_eq!(world.receive("INVITE", "", THEIRS), Some(500));
    world.cseq = 1;
    world.ack(THEIRS);
    assert_eq!(world.events, [LegEvent::Established { sdp: Some(THEIRS.to_owned()) }]);
    let mut world = World::answered(false);
    world.command(LegCommand::Hangup);
    assert!(world.requests.is_empty(), "a hangup before the ACK waits for it");
    world.ack("");
    assert_eq!(world.events, [LegEvent::Established { sdp: None }, LegEvent::Ended(LegEnd::LocalHangup)]);
}

#[test]
fn a_hangup_answers_what_is_open() {
    let mut world = World::theirs();
    world.receive("INVITE", "", &hold());
    assert_eq!(world.receive("BYE", "", ""), Some(200));
    assert!(world.responses.iter().any(|(status, text)| *status == 487 && text.contains("INVITE\r\n")));
    assert!(world.gone);
    let mut world = World::theirs();
    world.receive("INVITE", "", &hold());
    let key: Arc<str> = admit(&mut world.guard, &message("INVITE", world.cseq, "", &hold()), world.clock.now())
        .request
        .transaction_key()
        .into();
    world.talk.handle_cancel(&key, world.clock.now());
    world.collect();
    assert_eq!(world.responses.last().map(|(status, _)| *status), Some(487), "their CANCEL");
    world.command(LegCommand::AnswerOffer { sdp: OURS.to_owned() });
    assert_eq!(world.responses.len(), 1);
    world.command(LegCommand::Hangup);
    assert_eq!(world.receive("OPTIONS", "", ""), Some(481), "the call is over");
    assert_eq!(world.receive("BYE", "", ""), Some(200), "both at once");
    world.answer(481, "", "");
    assert!(world.gone);
    assert_eq!(world.events.iter().filter(|event| matches!(event, LegEvent::Ended(_))).count(), 1);
}

/// Whatever comes in whatever order: it ends once, and every request of theirs is answered.
#[test]
fn every_talk_ends_once_and_leaves_no_request_unanswered() {
    for seed in 0..500 {
        let mut rng = StdRng::seed_from_u64(seed);
        let agreed = Agreed { interval: seconds(600), refresher: Refresher::Us, known_to_them: true };
        let mut world = match seed % 3 {
            0 => World::theirs(),
            1 => World::answered(seed % 2 == 0),
            _ => World::ours("INVITE, UPDATE", Some(agreed)),
        };
        let mut asked = 0;
        for _ in 0..60 {
            if world.gone {
                break;
            }
            let sdp = [THEIRS.to_owned(), hold(), String::new()][rng.random_range(0..3)].clone();
            match rng.random_range(0..14) {
                0..4 => {
                    let method = ["INVITE", "UPDATE", "OPTIONS", "INFO"][rng.random_range(0..4)];
                    let body = if matches!(method, "INVITE" | "UPDATE") { sdp.as_str() } else { "" };
                    world.receive(method, "", body);
                    asked += 1;
                }
                4..6 => world.ack(&sdp),
                6 => world.command(LegCommand::AnswerOffer { sdp: OURS.to_owned() }),
                7 => world.command(LegCommand::RefuseOffer { status: 488, warning: None }),
                8 => world.command(LegCommand::Offer { sdp: OURS.to_owned() }),
                9 => world.command(LegCommand::Refer { to: "sip:b@h".to_owned(), replaces: None }),
                10 if !world.requests.is_empty() => {
                    let status = [200, 200, 491, 422, 488, 500, 202][rng.random_range(0..7)];
                    world.answer(status, "Session-Expires: 600;refresher=uac\nMin-SE: 90\n", &sdp);
                }
                11 if rng.random_bool(0.1) => world.command(LegCommand::Hangup),
                12 if rng.random_bool(0.1) => {
                    world.receive("BYE", "", "");
                    asked += 1;
                }
                _ => world.wait(Duration::from_millis(rng.random_range(0..20_000))),
            }
        }
        for _ in 0..3 {
            if !world.gone {
                world.command(LegCommand::Hangup);
                world.wait(seconds(40));
            }
        }
        if !world.gone {
            world.answer(200, "", "");
        }
        assert!(world.gone, "seed {seed}: {:?}", world.talk);
        let ends = world.events.iter().filter(|event| matches!(event, LegEvent::Ended(_))).count();
        assert!(
            ends == 1 && matches!(world.events.last(), Some(LegEvent::Ended(_))),
            "seed {seed}: {:?}",
            world.events
        );
        assert_eq!(world.responses.len(), asked, "seed {seed}: one answer each");
    }
}
