//! Calls as rows of datagrams on a clock that the test moves: no socket, no sleep.

mod clients;
mod house;
mod log;
mod takeover;
mod trunks;

use rand::Rng;

use super::*;
use crate::sip::LegEnd;
use crate::sip::guard::DropReason;
use crate::sip::ladder::Ladder;
use crate::sip::refusals::Cause;
use crate::time::{Clock, SystemClock};

const CALLER: &str = "127.0.0.1:5070";
const US: &str = "127.0.0.1:5060";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const ANSWER: &str =
    "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n";

/// An agent, a clock, and what came out of it.
struct World {
    agent: Agent,
    start: Now,
    now: Now,
    sent: Vec<(u128, String)>,
    calls: Vec<Incoming>,
    events: Vec<LegEvent>,
    queries: Vec<(QueryId, Target)>,
    trunks: Vec<TrunkStatus>,
    ladders: Vec<Ladder>,
}

impl World {
    fn new() -> Self {
        Self::with_room_for(100)
    }

    fn with_room_for(max_legs: usize) -> Self {
        Self::with(Settings { max_legs, ..Settings::default() })
    }

    fn with(settings: Settings) -> Self {
        let settings = Settings { server: "Test/1".to_owned(), ..settings };
        let start = SystemClock.now();
        let agent = Agent::new(settings, PeerTable::default(), [7; 32]);
        let (sent, calls, events, queries, trunks, ladders) = Default::default();
        Self { agent, start, now: start, sent, calls, events, queries, trunks, ladders }
    }

    fn receive(&mut self, text: &str) -> Vec<String> {
        self.receive_from(text, CALLER)
    }

    fn receive_from(&mut self, text: &str, source: &str) -> Vec<String> {
        let before = self.sent.len();
        self.agent.handle_message(text.as_bytes(), &path(source), self.now);
        self.collect();
        self.sent[before..].iter().map(|(_, text)| text.clone()).collect()
    }

    fn command(&mut self, command: LegCommand) -> Vec<String> {
        let (before, leg) = (self.sent.len(), self.calls.last().expect("a call has come in").leg);
        self.agent.handle_command(leg, command, self.now);
        self.collect();
        self.sent[before..].iter().map(|(_, text)| text.clone()).collect()
    }

    /// Runs every timer up to `ms` after the start; what was sent, with its time.
    fn run_until(&mut self, ms: u64) -> Vec<(u128, String)> {
        let (before, end) = (self.sent.len(), self.at(ms));
        while let Some(at) = self.agent.poll_timeout().filter(|at| *at <= end.mono) {
            self.now = self.at((at - self.start.mono).as_millis() as u64);
            self.now.mono = at;
            self.agent.handle_timeout(self.now);
            self.collect();
        }
        self.now = end;
        self.sent[before..].to_vec()
    }

    fn at(&self, ms: u64) -> Now {
        let later = Duration::from_millis(ms);
        Now { mono: self.start.mono + later, wall: self.start.wall + later }
    }

    fn collect(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Send { bytes, .. } => {
                    let at = (self.now.mono - self.start.mono).as_millis();
                    self.sent.push((at, String::from_utf8(bytes.to_vec()).unwrap()));
                }
                Output::Incoming(incoming) => self.calls.push(*incoming),
                Output::Event { event: LegEvent::Ladder(ladder), .. } => self.ladders.push(*ladder),
                Output::Event { event, .. } => self.events.push(event),
                Output::Trunk(status) => self.trunks.push(status),
                Output::Resolve { query, target } => self.queries.push((query, target)),
            }
        }
    }

    /// A call answered and acknowledged; returns our tag.
    fn talk(&mut self) -> String {
        self.receive(&invite(1, "", SDP));
        let ok = self.command(LegCommand::Answer { sdp: ANSWER.to_owned() });
        let tag = to_tag(&ok[0]);
        self.receive(&in_dialog("ACK", 1, &tag, "ack"));
        tag
    }

    fn is_empty(&self) -> bool {
        self.agent.is_idle() && self.agent.live_legs() == 0 && self.agent.dialogs.is_empty()
    }

    /// Nothing remembered at all, once every timer has run out.
    fn forgets_everything(&mut self) -> bool {
        self.run_until((self.now.mono - self.start.mono).as_millis() as u64 + 100_000);
        let agent = &self.agent;
        let rooms = [
            ("legs", self.is_empty()),
            ("invites", agent.invites.is_empty()),
            ("merged", agent.merged.is_empty() && agent.merge_keys.is_empty()),
            ("replies", agent.replies.is_empty()),
            ("clients", agent.clients.is_empty()),
            ("ladders", agent.ladders.is_empty()),
            ("takeovers", agent.takeovers.is_empty()),
            ("timers", agent.timers.next().is_none()),
        ];
        let left: Vec<&str> = rooms.iter().filter(|(_, empty)| !empty).map(|(name, _)| *name).collect();
        println!("left over: {left:?}");
        left.is_empty()
    }
}

fn path(source: &str) -> Path {
    Path::udp(source.parse().unwrap(), US.parse().unwrap())
}

fn invite(cseq: u32, to_tag: &str, sdp: &str) -> String {
    let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "INVITE sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bKinvite{cseq}\r\n\
         From: <sip:ann@h>;tag=f1\r\nTo: <sip:100@h>{to_tag}\r\nCall-ID: c1\r\nCSeq: {cseq} INVITE\r\n\
         Max-Forwards: 70\r\nContact: <sip:ann@{CALLER}>\r\n{kind}Content-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

fn in_dialog(method: &str, cseq: u32, tag: &str, branch: &str) -> String {
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    format!(
        "{method} sip:127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK{branch}\r\n\
         From: <sip:ann@h>;tag=f1\r\nTo: <sip:100@h>{tag}\r\nCall-ID: c1\r\nCSeq: {cseq} {method}\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

fn reply(request: &str, status: &str) -> String {
    let keep = |line: &&str| ["Via", "From", "To", "Call-ID", "CSeq"].iter().any(|name| line.starts_with(name));
    let lines: Vec<_> = request.lines().filter(keep).collect();
    format!("SIP/2.0 {status}\r\n{}\r\nContent-Length: 0\r\n\r\n", lines.join("\r\n"))
}

fn to_tag(message: &str) -> String {
    let to = message.lines().find(|line| line.starts_with("To:")).expect("there is a To");
    to.split(";tag=").nth(1).expect("it has a tag").to_owned()
}

fn starts(messages: &[String]) -> Vec<&str> {
    messages.iter().map(|text| text.lines().next().unwrap_or_default()).collect()
}

fn timed_starts(messages: &[(u128, String)]) -> Vec<(u128, &str)> {
    messages.iter().map(|(at, text)| (*at, text.lines().next().unwrap_or_default())).collect()
}

#[test]
fn a_call_is_offered_rung_answered_and_hung_up() {
    let mut world = World::new();
    assert_eq!(starts(&world.receive(&invite(1, "", SDP))), ["SIP/2.0 100 Trying"]);
    let call = world.calls[0].clone();
    assert_eq!(
        (call.caller.reveal().as_str(), call.called.reveal().as_str(), call.offer.as_deref()),
        ("ann", "100", Some(SDP))
    );
    let ringing = world.command(LegCommand::Ring);
    assert_eq!(starts(&ringing), ["SIP/2.0 180 Ringing"]);
    let ok = world.command(LegCommand::Answer { sdp: ANSWER.to_owned() });
    assert_eq!(starts(&ok), ["SIP/2.0 200 OK"]);
    assert_eq!(to_tag(&ok[0]), to_tag(&ringing[0]));
    let allow = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, NOTIFY";
    for header in ["Contact: <sip:127.0.0.1:5060>", allow, "Server: Test/1"] {
        assert!(ok[0].contains(&format!("\r\n{header}\r\n")), "{}", ok[0]);
    }
    assert!(ok[0].ends_with(ANSWER));
    let tag = to_tag(&ok[0]);
    assert!(world.receive(&in_dialog("ACK", 1, &tag, "ack")).is_empty());
    assert_eq!(world.events, [LegEvent::Established { sdp: None }]);
    assert_eq!(world.agent.live_legs(), 1);
    let bye = in_dialog("BYE", 2, &tag, "bye");
    let answered = world.receive(&bye);
    assert_eq!(starts(&answered), ["SIP/2.0 200 OK"]);
    assert_eq!(world.events[1..], [LegEvent::Ended(LegEnd::RemoteHangup)]);
    assert!(world.is_empty());
    assert_eq!(world.receive(&bye), answered, "a BYE sent again is answered again");
    assert_eq!(
        starts(&world.receive(&in_dialog("BYE", 3, &tag, "bye2"))),
        ["SIP/2.0 481 Call/Transaction Does Not Exist"]
    );
    assert!(world.forgets_everything());
}

#[test]
fn copies_of_an_invite_get_the_same_bytes_and_open_one_call() {
    let mut world = World::new();
    let trying = world.receive(&invite(1, "", SDP));
    assert_eq!(world.receive(&invite(1, "", SDP)), trying);
    let ringing = world.command(LegCommand::Ring);
    assert_eq!(world.receive(&invite(1, "", SDP)), ringing);
    let busy = world.command(LegCommand::Reject(Rejection::status(486)));
    assert_eq!(world.receive(&invite(1, "", SDP)), busy);
    assert_eq!(world.calls.len(), 1);
    assert_eq!(world.events, [LegEvent::Ended(LegEnd::Rejected(486))]);
    assert!(world.is_empty());
    world.receive(&in_dialog("ACK", 1, &to_tag(&busy[0]), "invite1"));
    assert!(world.receive(&invite(1, "", SDP)).is_empty(), "a copy behind the ACK is swallowed");
    assert!(world.run_until(40_000).is_empty(), "nothing is repeated behind the ACK");
    assert!(world.forgets_everything());
}

#[test]
fn an_unacknowledged_answer_is_repeated_and_then_given_up_with_bye() {
    let mut world = World::new();
    world.receive(&invite(1, "", SDP));
    world.command(LegCommand::Answer { sdp: ANSWER.to_owned() });
    let sent = world.run_until(31_999);
    let expected = [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500].map(|at| (at, "SIP/2.0 200 OK"));
    assert_eq!(timed_starts(&sent), expected);
    assert!(sent.iter().all(|(_, text)| *text == sent[0].1), "every copy is the same");
    assert!(world.events.is_empty());
    let sent = world.run_until(32_000);
    assert_eq!(timed_starts(&sent), [(32_000, "BYE sip:ann@127.0.0.1:5070 SIP/2.0")]);
    assert_eq!(world.events, [LegEvent::Ended(LegEnd::NoAck)]);
    assert_eq!(world.agent.live_legs(), 0);
    let sent = world.run_until(70_000);
    assert_eq!(timed_starts(&sent)[0], (32_500, "BYE sip:ann@127.0.0.1:5070 SIP/2.0"));
    assert!(world.is_empty(), "a BYE nobody answers is given up at timer F");
    assert_eq!(world.events.len(), 1);
    assert!(world.forgets_everything());
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let mut world = World::new();
    world.receive(&invite(1, "", ""));
    assert_eq!(world.calls[0].offer, None);
    let tag = to_tag(&world.command(LegCommand::Answer { sdp: ANSWER.to_owned() })[0]);
    let ack = in_dialog("ACK", 1, &tag, "ack").replace(
        "Content-Length: 0\r\n\r\n",
        &format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}", SDP.len()),
    );
    world.receive(&ack);
    assert_eq!(world.events, [LegEvent::Established { sdp: Some(SDP.to_owned()) }]);
    world.receive(&ack);
    assert_eq!(world.events.len(), 1, "an ACK sent again is no news");
}

#[test]
fn a_cancelled_call_ends_with_487() {
    let mut world = World::new();
    world.receive(&invite(1, "", SDP));
    let ringing = world.command(LegCommand::Ring);
    let sent = world.receive(&in_dialog("CANCEL", 1, "", "invite1"));
    assert_eq!(starts(&sent), ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]);
    assert!(sent[0].contains("CSeq: 1 CANCEL") && sent[1].contains("CSeq: 1 INVITE"));
    assert_eq!(to_tag(&sent[0]), to_tag(&ringing[0]));
    assert_eq!(world.events, [LegEvent::Ended(LegEnd::Cancelled)]);
    assert_eq!(starts(&world.receive(&in_dialog("CANCEL", 1, "", "invite1"))), ["SIP/2.0 200 OK"]);
    assert!(world.is_empty() && world.forgets_everything());
}

#[test]
fn a_cancel_that_crosses_the_answer_changes_nothing() {
    let mut world = World::new();
    world.receive(&invite(1, "", SDP));
    let ok = world.command(LegCommand::Answer { sdp: ANSWER.to_owned() });
    assert_eq!(starts(&world.receive(&in_dialog("CANCEL", 1, "", "invite1"))), ["SIP/2.0 200 OK"]);
    assert!(world.events.is_empty());
    let tag = to_tag(&ok[0]);
    world.receive(&in_dialog("ACK", 1, &tag, "ack"));
    world.receive(&in_dialog("BYE", 2, &tag, "bye"));
    assert_eq!(world.events[1..], [LegEvent::Ended(LegEnd::RemoteHangup)]);
    let unknown = world.receive(&in_dialog("CANCEL", 1, "", "other"));
    assert_eq!(starts(&unknown), ["SIP/2.0 481 Call/Transaction Does Not Exist"]);
}

#[test]
fn our_bye_is_repeated_until_answered() {
    let mut world = World::new();
    world.talk();
    let bye = world.command(LegCommand::Hangup);
    assert_eq!(starts(&bye), ["BYE sip:ann@127.0.0.1:5070 SIP/2.0"]);
    assert!(bye[0].contains("From: <sip:100@h>;tag=") && bye[0].contains("To: <sip:ann@h>;tag=f1\r\n"), "{}", bye[0]);
    assert!(bye[0].contains("CSeq: 1 BYE\r\n"));
    assert_eq!(world.events[1..], [LegEvent::Ended(LegEnd::LocalHangup)]);
    assert_eq!(timed_starts(&world.run_until(1_600)).len(), 2, "at 0.5 s and 1.5 s");
    assert!(!world.agent.is_idle());
    world.receive(&reply(&bye[0], "200 OK"));
    assert!(world.is_empty());
    assert!(world.run_until(40_000).is_empty());
    world.receive(&reply(&bye[0], "200 OK"));
    assert_eq!(world.agent.stats().dropped[&DropReason::StrayResponse], 1);
}

#[test]
fn both_ends_may_hang_up_at_once() {
    let mut world = World::new();
    let tag = world.talk();
    let ours = world.command(LegCommand::Hangup);
    assert_eq!(starts(&world.receive(&in_dialog("BYE", 2, &tag, "bye"))), ["SIP/2.0 200 OK"]);
    world.receive(&reply(&ours[0], "481 Call/Transaction Does Not Exist"));
    assert_eq!(world.events[1..], [LegEvent::Ended(LegEnd::LocalHangup)]);
    assert!(world.is_empty() && world.forgets_everything());
}

#[test]
fn a_bye_before_the_ack_ends_the_call() {
    let mut world = World::new();
    world.receive(&invite(1, "", SDP));
    let tag = to_tag(&world.command(LegCommand::Answer { sdp: ANSWER.to_owned() })[0]);
    assert_eq!(starts(&world.receive(&in_dialog("BYE", 2, &tag, "bye"))), ["SIP/2.0 200 OK"]);
    assert_eq!(world.events, [LegEvent::Ended(LegEnd::RemoteHangup)]);
    assert!(world.run_until(40_000).is_empty(), "the answer is no longer repeated");
    assert!(world.forgets_everything());
}

#[test]
fn a_bye_before_the_answer_ends_the_invite_too() {
    let mut world = World::new();
    world.receive(&invite(1, "", SDP));
    let tag = to_tag(&world.command(LegCommand::Ring)[0]);
    let sent = world.receive(&in_dialog("BYE", 2, &tag, "bye"));
    assert_eq!(starts(&sent), ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]);
    assert_eq!(world.events, [LegEvent::Ended(LegEnd::Cancelled)]);
    assert!(world.forgets_everything());
}

#[test]
fn a_hangup_before_the_ack_waits_for_it() {
    let mut world = World::new();
    world.receive(&invite(1, "", SDP));
    let tag = to_tag(&world.command(LegCommand::Answer { sdp: ANSWER.to_owned() })[0]);
    assert!(world.command(LegCommand::Hangup).is_empty());
    assert_eq!(starts(&world.receive(&in_dialog("ACK", 1, &tag, "ack"))), ["BYE sip:ann@127.0.0.1:5070 SIP/2.0"]);
    assert_eq!(world.events, [LegEvent::Established { sdp: None }, LegEvent::Ended(LegEnd::LocalHangup)]);
}

#[test]
fn refusals_carry_what_the_call_says() {
    for (command, start, header, end) in [
        (LegCommand::Reject(Rejection::status(404)), "404 Not Found", "Server: Test/1", LegEnd::Rejected(404)),
        (
            LegCommand::Reject(Rejection { retry_after: Some(Duration::from_millis(200)), ..Rejection::status(503) }),
            "503 Service Unavailable",
            "Retry-After: 1",
            LegEnd::Rejected(503),
        ),
        (
            LegCommand::Reject(Rejection { warning: Some("no \"codec\"".to_owned()), ..Rejection::status(488) }),
            "488 Not Acceptable Here",
            "Warning: 399 trunkline \"no \\\"codec\\\"\"",
            LegEnd::Rejected(488),
        ),
        (
            LegCommand::Reject(Rejection::status(20)),
            "500 Server Internal Error",
            "Server: Test/1",
            LegEnd::Rejected(500),
        ),
        (LegCommand::Hangup, "487 Request Terminated", "Server: Test/1", LegEnd::LocalHangup),
    ] {
        let mut world = World::new();
        world.receive(&invite(1, "", SDP));
        let sent = world.command(command);
        assert_eq!(starts(&sent), [format!("SIP/2.0 {start}")]);
        assert!(sent[0].contains(&format!("\r\n{header}\r\n")), "{}", sent[0]);
        assert_eq!(world.events, [LegEvent::Ended(end)]);
        let repeated = world.run_until(40_000);
        assert_eq!(repeated.len(), 10, "repeated until timer H");
        assert!(world.forgets_everything());
    }
}

#[test]
fn a_session_refresh_is_confirmed_and_a_change_is_the_calls_to_decide() {
    let mut world = World::new();
    let tag = world.talk();
    let to = format!(";tag={tag}");
    let refreshed = world.receive(&invite(2, &to, SDP));
    assert_eq!(starts(&refreshed), ["SIP/2.0 200 OK"]);
    assert!(refreshed[0].ends_with(ANSWER));
    assert_eq!(starts(&world.receive(&invite(3, &to, SDP))), ["SIP/2.0 500 Server Internal Error"], "no ACK yet");
    world.receive(&in_dialog("ACK", 3, &tag, "invite3"));
    world.receive(&in_dialog("ACK", 2, &tag, "ack2"));
    assert_eq!(world.events, [LegEvent::Established { sdp: None }], "the call heard nothing of it");
    for changed in [SDP.replace("4000", "4002"), format!("{SDP}a=sendonly\r\n"), SDP.replace("AVP 0", "AVP 8")] {
        let cseq = 5 + world.sent.len() as u32;
        assert_eq!(starts(&world.receive(&invite(cseq, &to, &changed))), ["SIP/2.0 100 Trying"]);
        assert_eq!(world.events.last(), Some(&LegEvent::Offered { sdp: Some(changed) }));
        let refused = world.command(LegCommand::RefuseOffer { status: 488, warning: None });
        assert_eq!(starts(&refused), ["SIP/2.0 488 Not Acceptable Here"]);
        world.receive(&in_dialog("ACK", cseq, &tag, &format!("invite{cseq}")));
    }
    let old = world.receive(&invite(3, &to, SDP).replace("z9hG4bK", "z9hG4bKold"));
    assert_eq!(starts(&old), ["SIP/2.0 500 Server Internal Error"]);
    assert_eq!(starts(&world.receive(&in_dialog("BYE", 900, &tag, "bye"))), ["SIP/2.0 200 OK"]);
    assert!(world.forgets_everything());
}

#[test]
fn an_unacknowledged_refresh_ends_the_call() {
    let mut world = World::new();
    let tag = world.talk();
    world.receive(&invite(2, &format!(";tag={tag}"), SDP));
    world.run_until(32_000);
    assert_eq!(world.events[1..], [LegEvent::Ended(LegEnd::NoAck)]);
    assert!(world.forgets_everything());
}

#[test]
fn the_wrong_ack_establishes_nothing() {
    let mut world = World::new();
    world.receive(&invite(1, "", SDP));
    let tag = to_tag(&world.command(LegCommand::Answer { sdp: ANSWER.to_owned() })[0]);
    for ack in [
        in_dialog("ACK", 2, &tag, "a"),
        in_dialog("ACK", 1, "other", "b"),
        in_dialog("ACK", 1, &tag, "c").replace("Call-ID: c1", "Call-ID: c2"),
        in_dialog("ACK", 1, &tag, "d").replace("tag=f1", "tag=f2"),
    ] {
        world.receive(&ack);
        assert!(world.events.is_empty(), "{ack}");
    }
    // Some phones reuse the INVITE's branch: it is still the dialog's ACK.
    world.receive(&in_dialog("ACK", 1, &tag, "invite1"));
    assert_eq!(world.events, [LegEvent::Established { sdp: None }]);
}

#[test]
fn options_are_answered_in_and_out_of_dialogs() {
    let mut world = World::new();
    let outside = world.receive(&in_dialog("OPTIONS", 1, "", "o1"));
    assert_eq!(starts(&outside), ["SIP/2.0 200 OK"]);
    assert!(outside[0].contains("\r\nAllow: INVITE") && outside[0].contains("\r\nAccept: application/sdp\r\n"));
    assert_eq!(world.receive(&in_dialog("OPTIONS", 1, "", "o1")), outside);
    let tag = world.talk();
    assert_eq!(starts(&world.receive(&in_dialog("OPTIONS", 2, &tag, "o2"))), ["SIP/2.0 200 OK"]);
    let unknown = world.receive(&in_dialog("OPTIONS", 2, "nobody", "o3"));
    assert_eq!(starts(&unknown), ["SIP/2.0 481 Call/Transaction Does Not Exist"]);
    world.agent.handle_drain(world.now);
    let draining = world.receive(&in_dialog("OPTIONS", 1, "", "o4"));
    assert_eq!(starts(&draining), ["SIP/2.0 503 Service Unavailable"]);
}

#[test]
fn one_call_that_comes_two_ways_is_one_call() {
    let mut world = World::new();
    world.receive(&invite(1, "", SDP));
    let second = world.receive(&invite(1, "", SDP).replace("z9hG4bKinvite1", "z9hG4bKfork"));
    assert_eq!(starts(&second), ["SIP/2.0 482 Loop Detected"]);
    assert_eq!(world.calls.len(), 1);
    world.command(LegCommand::Reject(Rejection::status(503)));
    let retried = world.receive(&invite(1, "", SDP).replace("z9hG4bKinvite1", "z9hG4bKretry"));
    assert_eq!(starts(&retried), ["SIP/2.0 100 Trying"], "a refused call may be tried again");
}
