//! What SIPp may ask inside a call of ours, and what we may ask of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use trunkline::rtp::Digit;
use trunkline::sip::{
    Credentials, IncomingLeg, LegCommand, LegEnd, LegEvent, Rejection, Secret, SessionPolicy, SipConfig, SipServer,
    TrunkSpec,
};
use trunkline::time::SystemClock;

use super::sipp::{self, SDP, Scenario};

/// What we say of our media; the tests are about signalling.
const OURS: &str =
    "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 18000 RTP/AVP 0\r\n";
/// Longer than any step of a scenario takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Signalling without media, and a call that does what a test says.
pub struct House {
    server: SipServer,
    pub calls: mpsc::Receiver<IncomingLeg>,
}

impl House {
    pub async fn open(edit: impl FnOnce(&mut SipConfig)) -> Self {
        let mut config = SipConfig { listen: "127.0.0.1:0".parse().expect("an address"), ..SipConfig::default() };
        edit(&mut config);
        let (server, calls) = SipServer::bind(config, Arc::new(SystemClock)).await.expect("a free port on loopback");
        Self { server, calls }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Runs a scenario against calls that behave like `answer`; what the last call was told.
    pub async fn meet(
        mut self,
        scenario: Scenario,
        mut answer: impl FnMut(&LegEvent) -> Vec<LegCommand>,
    ) -> Vec<LegEvent> {
        let us = self.address();
        let mut sipp = tokio::task::spawn_blocking(move || scenario.run(us));
        let mut events = Vec::new();
        let outcome = loop {
            tokio::select! {
                call = self.calls.recv() => {
                    let mut call = call.expect("the server lives");
                    for command in [LegCommand::Ring, LegCommand::Answer { sdp: OURS.to_owned() }] {
                        call.commands.send(command).await.expect("the leg lives");
                    }
                    events.clear();
                    while let Ok(Some(event)) = tokio::time::timeout(PATIENCE, call.events.recv()).await {
                        for command in answer(&event) {
                            call.commands.send(command).await.expect("the leg lives");
                        }
                        events.push(event);
                    }
                }
                outcome = &mut sipp => break outcome.expect("SIPp ran"),
            }
        };
        outcome.check();
        self.server.shutdown(Duration::ZERO).await;
        events
    }
}

/// Agrees to every offer.
fn agreeable(event: &LegEvent) -> Vec<LegCommand> {
    match event {
        LegEvent::Offered { .. } => vec![LegCommand::AnswerOffer { sdp: OURS.replace("2 2", "2 3") }],
        _ => Vec::new(),
    }
}

fn offers(events: &[LegEvent]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| match event {
            LegEvent::Offered { sdp } => Some(sdp.as_deref().unwrap_or("(ours)")),
            LegEvent::OfferAnswered { sdp } => Some(sdp),
            _ => None,
        })
        .collect()
}

fn changed(from: &str, to: &str) -> String {
    SDP.replace("sipp 1 1", "sipp 1 2").replace(from, to)
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_holds_resumes_moves_and_changes_its_codec() {
    if !sipp::is_here() {
        return;
    }
    let hold = format!("{}a=sendonly\n", changed("", ""));
    let old_hold = changed("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0");
    let inactive = format!("{}a=inactive\n", changed("", ""));
    let moved = changed("17000", "17002");
    let codec = changed("0 101", "8 101").replace("0 PCMU", "8 PCMA");
    let mut scenario = Scenario::call();
    let mut cseq = 1;
    for method in ["INVITE", "UPDATE"] {
        for sdp in [&hold, &SDP.to_owned(), &old_hold, &inactive, &moved, &codec] {
            cseq += 1;
            scenario = scenario.request(method, cseq, "", sdp).trying().expect_with(200, "body", "m=audio 18000");
            if method == "INVITE" {
                scenario = scenario.ack(cseq, "");
            }
        }
    }
    let events = House::open(|_| {}).await.meet(scenario.hang_up(cseq + 1), agreeable).await;
    assert_eq!(offers(&events).len(), 12, "{events:?}");
    assert!(offers(&events)[0].contains("a=sendonly"), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_asks_for_our_offer_with_an_empty_invite() {
    if !sipp::is_here() {
        return;
    }
    let scenario = Scenario::call().request("INVITE", 2, "", "").trying().expect_with(200, "body", "m=audio 18000");
    let scenario = scenario.ack(2, SDP).pause_ms(200).hang_up(3);
    let events = House::open(|_| {}).await.meet(scenario, agreeable).await;
    let offers = offers(&events);
    assert_eq!((offers[0], offers[1].contains("m=audio 17000")), ("(ours)", true), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_of_sipp_that_is_refused_leaves_the_call() {
    if !sipp::is_here() {
        return;
    }
    let scenario = Scenario::call()
        .request("INVITE", 2, "", &changed("17000", "17002"))
        .trying()
        .expect_with(488, "Warning", "no codec")
        .ack_refusal(2)
        .request("INVITE", 3, "", SDP)
        .trying()
        .expect(200)
        .ack(3, "")
        .hang_up(4);
    let refusing = |event: &LegEvent| match event {
        LegEvent::Offered { .. } => {
            vec![LegCommand::RefuseOffer { status: 488, warning: Some("no codec in common".to_owned()) }]
        }
        _ => Vec::new(),
    };
    let events = House::open(|_| {}).await.meet(scenario, refusing).await;
    assert_eq!(offers(&events).len(), 1, "what was agreed before is confirmed without the call: {events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_that_cross_are_sorted_out() {
    if !sipp::is_here() {
        return;
    }
    // Ours comes first; SIPp offers in the middle of it, is told 491, and then refuses ours with 491 as well.
    let scenario = Scenario::call()
        .expect_request_with("INVITE", "body", "m=audio 18000")
        .request("INVITE", 2, "", &changed("17000", "17002"))
        .trying()
        .expect(491)
        .ack_refusal(2);
    // SIPp answers the request that came last by its `last_` headers, which are those of the 491: so this goes no
    // further than our refusal. The retry is a row in `sip::talk`.
    let offering = |event: &LegEvent| match event {
        LegEvent::Established { .. } => vec![LegCommand::Offer { sdp: OURS.replace("2 2", "2 3") }],
        _ => Vec::new(),
    };
    let mut house = House::open(|_| {}).await;
    let us = house.address();
    let sipp = tokio::task::spawn_blocking(move || scenario.run(us));
    let mut call = tokio::time::timeout(PATIENCE, house.calls.recv()).await.expect("in time").expect("a call");
    call.commands.send(LegCommand::Answer { sdp: OURS.to_owned() }).await.expect("the leg lives");
    let event = call.events.recv().await.expect("an ACK");
    for command in offering(&event) {
        call.commands.send(command).await.expect("the leg lives");
    }
    sipp.await.expect("SIPp ran").check();
}

#[tokio::test(flavor = "multi_thread")]
async fn our_offer_is_answered_by_sipp() {
    if !sipp::is_here() {
        return;
    }
    let scenario = Scenario::call()
        .expect_request_with("INVITE", "body", "a=sendonly")
        .answer("200 OK", "", &format!("{SDP}a=recvonly\n"))
        .expect_request("ACK")
        .hang_up(2);
    let offering = |event: &LegEvent| match event {
        LegEvent::Established { .. } => vec![LegCommand::Offer { sdp: format!("{OURS}a=sendonly\r\n") }],
        _ => Vec::new(),
    };
    let events = House::open(|_| {}).await.meet(scenario, offering).await;
    assert!(offers(&events)[0].contains("a=recvonly"), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_timed_as_agreed_and_refreshed() {
    if !sipp::is_here() {
        return;
    }
    let too_small = Scenario::invite("Session-Expires: 60\nSupported: timer\n", SDP)
        .trying()
        .expect_with(422, "Min-SE", "90")
        .ack_refusal(1)
        .invite_again(2, "Session-Expires: 90;refresher=uac\nMin-SE: 90\nSupported: timer\n")
        .ringing()
        .expect_with(200, "Session-Expires", "90;refresher=uac")
        .ack(2, "")
        .request("UPDATE", 3, "Session-Expires: 90;refresher=uac\nSupported: timer\n", "")
        .expect_with(200, "Require", "timer")
        .hang_up(4);
    House::open(|_| {}).await.meet(too_small, agreeable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_other_methods_and_unknown_wishes_of_sipp_are_answered() {
    if !sipp::is_here() {
        return;
    }
    let relay = "Content-Type: application/dtmf-relay\n";
    let scenario = Scenario::call()
        .request("INFO", 2, relay, "Signal=5\nDuration=160\n")
        .expect(200)
        .request("INFO", 3, "Content-Type: application/dtmf\n", "#")
        .expect(200)
        .request("INFO", 4, "Content-Type: text/x-unknown\n", "x")
        .expect_with(415, "Accept", "application/dtmf-relay")
        .request("OPTIONS", 5, "", "")
        .expect_with(200, "Allow", "UPDATE")
        .request("MESSAGE", 6, "Content-Type: text/plain\n", "hello")
        .expect_with(405, "Allow", "INVITE")
        .request("NOTIFY", 7, "Event: message-summary\nSubscription-State: active\n", "")
        .expect(489)
        .request("NEWMETHOD", 8, "", "")
        .expect(501)
        .request("UPDATE", 9, "Require: time-travel, 100rel\n", "")
        .expect_with(420, "Unsupported", "time-travel")
        .request("PRACK", 10, "RAck: 1 1 INVITE\n", "")
        .expect(481)
        .hang_up(11);
    let events = House::open(|_| {}).await.meet(scenario, agreeable).await;
    let keys: String = events
        .iter()
        .filter_map(|event| match event {
            LegEvent::Key { digit, .. } => Some(digit.face()),
            _ => None,
        })
        .collect();
    assert_eq!(keys, "5#", "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ringing_is_reliable_for_those_who_ask() {
    if !sipp::is_here() {
        return;
    }
    let scenario = Scenario::invite("Require: 100rel\n", SDP)
        .trying()
        .expect_with(180, "RSeq", "[0-9]+")
        .prack(2)
        .expect(200)
        .expect(200)
        .ack(1, "")
        .hang_up(3);
    House::open(|_| {}).await.meet(scenario, agreeable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_is_sent_elsewhere_and_tells_how_it_went() {
    if !sipp::is_here() {
        return;
    }
    let notify = "Event: refer\nContent-Type: message/sipfrag\nSubscription-State: ";
    let scenario = Scenario::call()
        .expect_request_with("REFER", "Refer-To", "bob@127.0.0.1")
        .answer("202 Accepted", "", "")
        .request("NOTIFY", 2, &format!("{notify}active;expires=60\n"), "SIP/2.0 100 Trying\n")
        .expect(200)
        .request("NOTIFY", 3, &format!("{notify}terminated;reason=noresource\n"), "SIP/2.0 200 OK\n")
        .expect(200)
        .hang_up(4);
    let referring = |event: &LegEvent| match event {
        LegEvent::Established { .. } => {
            vec![LegCommand::Refer { to: "sip:bob@127.0.0.1:5999".to_owned(), replaces: None }]
        }
        _ => Vec::new(),
    };
    let events = House::open(|_| {}).await.meet(scenario, referring).await;
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            LegEvent::Referred { status, last } => Some((*status, *last)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(202, false), (100, false), (200, true)], "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_calls_us_and_wants_our_password_to_be_hung_up_on_gets_it() {
    if !sipp::is_here() {
        return;
    }
    let challenge = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\", qop=\"auth\", algorithm=MD5\n";
    let scenario = Scenario::call()
        .expect_request("BYE")
        .answer("401 Unauthorized", challenge, "")
        .expect_request_with("BYE", "Authorization", "username=.acct7.*realm=.pbx.*nonce=.n1.")
        .answer("200 OK", "", "");
    let trusting = |config: &mut SipConfig| {
        let credentials = Credentials { username: "acct7".to_owned(), password: Secret::new("zanzibar") };
        // The trunk is the peer of the same name.
        let at = "127.0.0.1:9".parse().expect("an address");
        config.trunks.push(TrunkSpec { credentials: Some(credentials), ..TrunkSpec::at("loopback", at) });
    };
    let leaving = |event: &LegEvent| match event {
        LegEvent::Established { .. } => vec![LegCommand::Hangup],
        _ => Vec::new(),
    };
    let events = House::open(trusting).await.meet(scenario, leaving).await;
    assert_eq!(events.last(), Some(&LegEvent::Ended(LegEnd::LocalHangup)), "{events:?}");
}

/// No telephone-event was agreed upon: the key goes by INFO.
#[tokio::test(flavor = "multi_thread")]
async fn sipp_is_pressed_keys_by_info() {
    if !sipp::is_here() {
        return;
    }
    let relay = |scenario: Scenario, face: &str| {
        scenario.expect_request_with("INFO", "body", &format!("Signal={face}.*Duration=100")).answer("200 OK", "", "")
    };
    let scenario = relay(relay(Scenario::call(), "5"), "#").expect_request("BYE").answer("200 OK", "", "");
    let mut house = House::open(|_| {}).await;
    let us = house.address();
    let sipp = tokio::task::spawn_blocking(move || scenario.run(us));
    let mut call = tokio::time::timeout(PATIENCE, house.calls.recv()).await.expect("in time").expect("a call");
    call.commands.send(LegCommand::Answer { sdp: OURS.to_owned() }).await.expect("the leg lives");
    assert_eq!(call.events.recv().await, Some(LegEvent::Established { sdp: None }));
    for face in ['5', '#'] {
        let digit = Digit::new(face).expect("a key");
        call.commands.send(LegCommand::SendKey { digit, duration_ms: 100 }).await.expect("the leg lives");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    call.commands.send(LegCommand::Hangup).await.expect("the leg lives");
    sipp.await.expect("SIPp ran").check();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_redirected_before_its_answer() {
    if !sipp::is_here() {
        return;
    }
    let scenario =
        Scenario::invite("", SDP).trying().expect_with(302, "Contact", "sip:bob@127.0.0.1:5999").ack_refusal(1);
    let mut house = House::open(|_| {}).await;
    let us = house.address();
    let sipp = tokio::task::spawn_blocking(move || scenario.run(us));
    let call = tokio::time::timeout(PATIENCE, house.calls.recv()).await.expect("in time").expect("a call");
    let moved = Rejection { contacts: vec!["sip:bob@127.0.0.1:5999".to_owned()], ..Rejection::status(302) };
    call.commands.send(LegCommand::Reject(moved)).await.expect("the leg lives");
    sipp.await.expect("SIPp ran").check();
}

/// RFC 4028 §10 in real time: half of the shortest interval there is. Only in the long run.
#[tokio::test(flavor = "multi_thread")]
async fn we_refresh_at_half_and_hang_up_on_a_session_nobody_refreshes() {
    if !sipp::is_here() {
        return;
    }
    if std::env::var("TRUNKLINE_LONG").as_deref() != Ok("1") {
        return println!("left out: two minutes of waiting are for TRUNKLINE_LONG=1");
    }
    let policy = SessionPolicy { expires: Duration::from_secs(90), min_se: Duration::from_secs(90) };
    let ours = Scenario::invite("Session-Expires: 90;refresher=uas\nSupported: timer\nAllow: INVITE, UPDATE\n", SDP)
        .ringing()
        .expect_with(200, "Session-Expires", "90;refresher=uas")
        .ack(1, "")
        .expect_request_with("UPDATE", "Session-Expires", "90;refresher=uac")
        .answer("200 OK", "Session-Expires: 90;refresher=uac\nRequire: timer\n", "")
        .hang_up(2);
    let theirs = Scenario::invite("Session-Expires: 90;refresher=uac\nSupported: timer\n", SDP)
        .ringing()
        .expect_with(200, "Session-Expires", "90;refresher=uac")
        .ack(1, "")
        .expect_request("BYE")
        .answer("200 OK", "", "");
    let timed =
        |scenario| async move { House::open(|config| config.session = policy).await.meet(scenario, agreeable).await };
    tokio::join!(timed(ours), timed(theirs));
}
