//! Requests of ours as rows on a clock that the test moves.

use super::*;
use crate::sip::guard::{Guard, Verdict};
use crate::sip::peers::PeerTable;
use crate::sip::transport::Target;
use crate::time::{Clock, Now, SystemClock};

const US: &str = "127.0.0.1:5060";

fn path(hop: &str) -> Path {
    let (transport, address) = hop.split_once(':').unwrap();
    let hop = Hop::new(Transport::parse(transport).unwrap(), address.parse().unwrap());
    Path { hop, local: US.parse().unwrap() }
}

/// A transaction, a clock, and what came out: `(ms, first words, hop)` of messages, news as text.
struct Row {
    transaction: ClientTransaction,
    start: Now,
    now: Instant,
    sent: Vec<(u128, String, String)>,
    news: Vec<String>,
    messages: Vec<String>,
    over: bool,
}

impl Row {
    fn new(method: Method, hops: &[&str], body: usize) -> Self {
        Self::towards("sip:b@127.0.0.1", method, hops, body)
    }

    /// A re-INVITE.
    fn inside_a_dialog() -> Self {
        Self::with("sip:b@127.0.0.1", Method::Invite, &["udp:127.0.0.1:5070"], 0, Some(path("udp:127.0.0.1:5070")))
    }

    fn towards(uri: &str, method: Method, hops: &[&str], body: usize) -> Self {
        Self::with(uri, method, hops, body, None)
    }

    fn with(uri: &str, method: Method, hops: &[&str], body: usize, fallback: Option<Path>) -> Self {
        let start = SystemClock.now();
        let uri = crate::sip::uri::Uri::parse(uri).unwrap();
        let request = OutRequest {
            method,
            uri: uri.text.clone(),
            towards: Target::of(&uri).unwrap(),
            fallback,
            headers: vec![
                ("From".into(), "<sip:a@h>;tag=ours".to_owned()),
                ("To".into(), "<sip:b@h>".to_owned()),
                ("Call-ID".into(), "c1".to_owned()),
                ("Route".into(), "<sip:p;lr>".to_owned()),
                ("Subject".into(), "x".to_owned()),
            ],
            contact: Some("a".to_owned()),
            body: (body > 0).then(|| ("application/sdp", "v".repeat(body))),
        };
        let outgoing =
            Outgoing { request, cseq: 7, server: "Test/1".into(), credentials: Vec::new(), tries: Default::default() };
        let paths = hops.iter().map(|hop| path(hop)).collect();
        let transaction =
            ClientTransaction::start(outgoing, paths, "z9hG4bKbase".into(), true, Timing::default(), start.mono);
        let (sent, news, messages) = Default::default();
        let mut row = Self { transaction, start, now: start.mono, sent, news, messages, over: false };
        row.collect();
        row
    }

    fn collect(&mut self) {
        let at = (self.now - self.start.mono).as_millis();
        while let Some(todo) = self.transaction.poll() {
            match todo {
                ClientDo::Send(bytes, path) => {
                    let text = String::from_utf8(bytes.to_vec()).unwrap();
                    let method = text.split(' ').next().unwrap().to_owned();
                    self.sent.push((at, method, path.hop.to_string()));
                    self.messages.push(text);
                }
                ClientDo::News(news, _) => self.news.push(match news {
                    ClientNews::Provisional(response) => format!("provisional {}", response.status),
                    ClientNews::Final(response) => format!("final {}", response.status),
                    ClientNews::Again(response) => format!("again {}", response.to_tag().unwrap()),
                    ClientNews::Failed(failure) => format!("{failure:?}"),
                }),
                ClientDo::Over => {
                    assert!(!self.over, "over once");
                    self.over = true;
                }
            }
        }
    }

    fn run_until(&mut self, ms: u64) {
        let end = self.start.mono + Duration::from_millis(ms);
        while let Some(at) = self.transaction.deadline().filter(|at| *at <= end && !self.over) {
            self.now = at;
            self.transaction.handle_timeout(at);
            self.collect();
        }
        self.now = end;
    }

    /// A response to the last message but ACKs and CANCELs, from the fork `tag`.
    fn hear(&mut self, status: u16, tag: &str) {
        let at =
            self.messages.iter().rposition(|text| !text.starts_with("ACK") && !text.starts_with("CANCEL")).unwrap();
        self.hear_to(at, status, tag);
    }

    fn hear_to(&mut self, message: usize, status: u16, tag: &str) {
        let request = self.messages[message].clone();
        let keep = |line: &&str| ["Via", "From", "Call-ID", "CSeq"].iter().any(|name| line.starts_with(name));
        let lines: Vec<_> = request.lines().filter(keep).collect();
        let text = format!("SIP/2.0 {status} X\r\n{}\r\nTo: <sip:b@h>;tag={tag}\r\n\r\n", lines.join("\r\n"));
        let mut guard = Guard::new(PeerTable::default(), String::new(), 0);
        let Verdict::Response(response) = guard.inspect(text.as_bytes(), &path("udp:127.0.0.1:5070"), self.start)
        else {
            panic!("{text}");
        };
        self.transaction.handle_response(*response, self.now);
        self.collect();
    }

    fn cancel(&mut self) {
        self.transaction.cancel("SIP;cause=487", self.now);
        self.collect();
    }

    fn methods(&self) -> Vec<(u128, &str)> {
        self.sent.iter().map(|(at, method, _)| (*at, method.as_str())).collect()
    }
}

#[test]
fn an_invite_nobody_hears_doubles_its_pauses_and_is_given_up() {
    let mut row = Row::new(Method::Invite, &["udp:127.0.0.1:5070"], 0);
    row.run_until(60_000);
    let times: Vec<u128> = row.sent.iter().map(|(at, ..)| *at).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(row.news, ["Timeout"]);
    assert!(row.over);
}

#[test]
fn another_request_is_repeated_at_most_every_four_seconds() {
    let mut row = Row::new(Method::Options, &["udp:127.0.0.1:5070"], 0);
    row.run_until(4_000);
    row.hear(100, "t");
    row.run_until(60_000);
    let times: Vec<u128> = row.sent.iter().map(|(at, ..)| *at).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 8000, 12000, 16000, 20000, 24000, 28000]);
    assert_eq!(row.news, ["Timeout"]);
}

#[test]
fn nothing_is_repeated_over_a_stream() {
    for method in [Method::Invite, Method::Bye] {
        let mut row = Row::new(method, &["tcp:127.0.0.1:5070"], 0);
        row.run_until(60_000);
        assert_eq!((row.sent.len(), row.news.as_slice()), (1, ["Timeout".to_owned()].as_slice()));
    }
}

#[test]
fn a_request_says_which_way_it_takes() {
    let row = Row::new(Method::Invite, &["tcp:127.0.0.1:5070"], 3);
    let text = &row.messages[0];
    assert!(text.starts_with(
        "INVITE sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bKbase.0;rport\r\n"
    ));
    for line in ["CSeq: 7 INVITE", "Contact: <sip:a@127.0.0.1:5060;transport=tcp>", "Content-Type: application/sdp"] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{text}");
    }
    assert!(text.ends_with("Content-Length: 3\r\n\r\nvvv"));
}

#[test]
fn a_refusal_is_acknowledged_with_the_invites_branch_and_its_copies_too() {
    let mut row = Row::new(Method::Invite, &["udp:127.0.0.1:5070"], 3);
    row.hear(180, "t");
    row.hear(486, "t");
    row.hear_to(0, 486, "t");
    assert_eq!(row.methods()[1..], [(0, "ACK"), (0, "ACK")]);
    let ack = &row.messages[1];
    assert!(ack.contains("branch=z9hG4bKbase.0;") && ack.contains("\r\nTo: <sip:b@h>;tag=t\r\n"), "{ack}");
    assert!(ack.contains("CSeq: 7 ACK") && ack.contains("Route: <sip:p;lr>") && !ack.contains("Subject"), "{ack}");
    assert!(ack.contains("Content-Length: 0\r\n"));
    assert_eq!(row.news, ["provisional 180", "final 486"]);
    assert!(!row.over, "copies may still come");
    row.run_until(32_000);
    assert!(row.over);
}

#[test]
fn every_2xx_behind_the_first_is_news_for_a_while() {
    let mut row = Row::new(Method::Invite, &["udp:127.0.0.1:5070"], 0);
    row.hear(200, "one");
    row.hear(200, "one");
    row.hear(200, "two");
    assert_eq!(row.news, ["final 200", "again one", "again two"]);
    row.run_until(31_999);
    assert!(!row.over);
    row.run_until(32_000);
    assert!(row.over);
    assert_eq!(row.sent.len(), 1, "the ACK of a 2xx is the branch's");
}

#[test]
fn a_cancel_waits_for_a_provisional_response_and_is_repeated_until_answered() {
    let mut row = Row::new(Method::Invite, &["udp:127.0.0.1:5070"], 0);
    row.cancel();
    assert_eq!(row.sent.len(), 1, "nobody has heard the INVITE yet");
    row.hear(100, "");
    assert_eq!(row.methods()[1..], [(0, "CANCEL")]);
    let cancel = row.messages[1].clone();
    assert!(cancel.contains("branch=z9hG4bKbase.0;") && cancel.contains("CSeq: 7 CANCEL\r\n"), "{cancel}");
    assert!(cancel.contains("\r\nTo: <sip:b@h>\r\n") && cancel.contains("Route: <sip:p;lr>"), "{cancel}");
    row.run_until(600);
    assert_eq!(row.methods()[2..], [(500, "CANCEL")]);
    row.hear_to(1, 200, "t");
    row.run_until(5_000);
    assert_eq!(row.sent.len(), 3, "an answered CANCEL is not repeated");
    row.hear_to(0, 487, "t");
    assert_eq!(row.news, ["final 487"]);
}

#[test]
fn a_cancelled_invite_that_is_never_answered_is_given_up() {
    let mut row = Row::new(Method::Invite, &["udp:127.0.0.1:5070"], 0);
    row.hear(180, "t");
    row.cancel();
    row.cancel();
    row.run_until(31_999);
    assert_eq!(row.news, ["provisional 180"]);
    row.run_until(32_000);
    assert_eq!(row.news[1..], ["Timeout"]);
    assert!(row.over);
}

/// Found by fuzzing: an INVITE inside a dialog that was only ever told to wait stayed for good.
#[test]
fn an_invite_inside_a_dialog_does_not_ring_for_ever() {
    let mut row = Row::new(Method::Invite, &["udp:127.0.0.1:5070"], 0);
    row.hear(100, "t");
    assert_eq!(row.transaction.deadline(), None, "outside of one, whoever called decides");
    let mut row = Row::inside_a_dialog();
    row.hear(183, "t");
    row.run_until(20_000);
    row.hear(183, "t");
    row.run_until(31_999);
    assert_eq!(row.sent.len(), 1);
    row.run_until(32_000);
    assert_eq!(row.sent[1].1, "CANCEL");
    row.run_until(64_000);
    assert_eq!((row.news.last().map(String::as_str), row.over), (Some("Timeout"), true));
}

#[test]
fn a_cancel_behind_the_final_response_is_not_sent() {
    let mut row = Row::new(Method::Invite, &["udp:127.0.0.1:5070"], 0);
    row.hear(200, "t");
    row.cancel();
    assert_eq!(row.sent.len(), 1);
}

#[test]
fn a_silent_or_broken_or_busy_hop_is_followed_by_the_next() {
    let hops = ["udp:127.0.0.1:1", "tcp:127.0.0.1:2", "udp:127.0.0.1:3"];
    let mut row = Row::new(Method::Invite, &hops, 0);
    row.run_until(4_000);
    assert_eq!(row.sent.last().unwrap().clone(), (4_000, "INVITE".to_owned(), "tcp:127.0.0.1:2".to_owned()));
    assert!(row.messages.last().unwrap().contains("branch=z9hG4bKbase.1;"));
    let hop = path("tcp:127.0.0.1:2").hop;
    row.transaction.handle_unsent(&hop, row.now);
    row.collect();
    assert_eq!(row.sent.last().unwrap().2, "udp:127.0.0.1:3");
    row.transaction.handle_unsent(&hop, row.now);
    row.collect();
    assert!(row.news.is_empty(), "an old failure means nothing");
    row.run_until(60_000);
    assert_eq!(row.news, ["Timeout"]);
    assert_eq!(row.sent.last().unwrap().0, 35_500, "the last hop is given all the time there is");

    let mut row = Row::new(Method::Register, &hops[..2], 0);
    row.hear(503, "t");
    row.hear(503, "t");
    assert_eq!((row.sent.len(), row.news.as_slice()), (2, ["final 503".to_owned()].as_slice()));
}

#[test]
fn a_hop_that_has_rung_is_not_left() {
    let mut row = Row::new(Method::Invite, &["udp:127.0.0.1:1", "udp:127.0.0.1:2"], 0);
    row.hear(180, "t");
    row.run_until(50_000);
    row.hear(503, "t");
    assert_eq!(row.news, ["provisional 180", "final 503"]);
    assert_eq!(row.methods(), [(0, "INVITE"), (50_000, "ACK")]);
}

#[test]
fn a_hop_left_behind_may_still_answer() {
    let mut row = Row::new(Method::Invite, &["udp:127.0.0.1:1", "udp:127.0.0.1:2"], 0);
    row.run_until(4_000);
    let first = 0;
    row.hear_to(first, 180, "slow");
    assert!(row.news.is_empty());
    let cancel = row.messages.last().unwrap().clone();
    assert!(cancel.starts_with("CANCEL ") && cancel.contains("branch=z9hG4bKbase.0;"), "nobody waits for it: {cancel}");
    row.hear_to(first, 487, "slow");
    assert_eq!(row.sent.last().unwrap().1, "ACK");
    row.hear_to(first, 180, "slow");
    assert_eq!(row.sent.last().unwrap().1, "ACK", "that one is over");
    assert!(row.news.is_empty(), "the second hop decides");
    row.hear_to(first, 200, "slow");
    assert_eq!(row.news, ["final 200"]);
}

#[test]
fn when_a_hop_left_behind_takes_the_call_the_other_one_stops_ringing() {
    for rings_before in [true, false] {
        let mut row = Row::new(Method::Invite, &["udp:127.0.0.1:1", "udp:127.0.0.1:2"], 0);
        row.run_until(4_000);
        let second = row.messages.len() - 1;
        if rings_before {
            row.hear_to(second, 180, "two");
        }
        row.hear_to(0, 200, "one");
        if !rings_before {
            assert!(row.messages.last().unwrap().starts_with("INVITE "), "it has not been heard of yet");
            row.hear_to(second, 180, "two");
        }
        let cancel = row.messages.last().unwrap();
        assert!(cancel.starts_with("CANCEL ") && cancel.contains("branch=z9hG4bKbase.1;"), "{cancel}");
        row.hear_to(second, 487, "two");
        assert!(row.messages.last().unwrap().starts_with("ACK "));
        assert_eq!(row.news.last().map(String::as_str), Some("final 200"));
    }
}

#[test]
fn a_refusal_over_a_stream_is_the_end_unless_somebody_else_may_still_answer() {
    let mut row = Row::new(Method::Invite, &["tcp:127.0.0.1:2"], 0);
    row.hear(486, "t");
    assert!(row.over);
    let mut row = Row::new(Method::Invite, &["udp:127.0.0.1:1", "tcp:127.0.0.1:2"], 0);
    row.run_until(4_000);
    row.hear(486, "t");
    assert!(!row.over);
    row.hear_to(0, 200, "slow");
    assert_eq!(row.news, ["final 486", "again slow"]);
}

#[test]
fn a_long_request_leaves_by_tcp_and_by_datagram_if_that_is_refused() {
    let mut row = Row::new(Method::Invite, &["udp:127.0.0.1:5070"], 1300);
    assert_eq!(row.sent[0].2, "tcp:127.0.0.1:5070");
    assert!(row.messages[0].contains("Via: SIP/2.0/TCP "));
    let hop = path("tcp:127.0.0.1:5070").hop;
    row.transaction.handle_unsent(&hop, row.now);
    row.collect();
    assert_eq!(row.sent[1].2, "udp:127.0.0.1:5070");
    assert!(row.messages[1].contains("Via: SIP/2.0/UDP "));
    let row = Row::towards("sip:b@127.0.0.1;transport=udp", Method::Invite, &["udp:127.0.0.1:5070"], 1300);
    assert_eq!(row.sent[0].2, "udp:127.0.0.1:5070", "who writes transport=udp means it");
}

#[test]
fn foreign_responses_mean_nothing() {
    let mut row = Row::new(Method::Bye, &["udp:127.0.0.1:5070"], 0);
    row.messages[0] = row.messages[0].replace("CSeq: 7 BYE", "CSeq: 8 BYE");
    row.hear(200, "t");
    row.messages[0] = row.messages[0].replace("CSeq: 8 BYE", "CSeq: 7 INVITE");
    row.hear(200, "t");
    row.messages[0] = row.messages[0].replace("base.0", "base.9").replace("INVITE", "BYE");
    row.hear(200, "t");
    assert!(row.news.is_empty() && row.transaction.is_waiting());
}
