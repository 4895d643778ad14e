//! Whom SIPp is to us: what we believe of what it says of its callers, how much of it we take, and where our answers go.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use trunkline::sip::{CallerIdPolicy, IncomingLeg, LegCommand, LegEvent, Peer, PeerTable};

use super::dialog::House;
use super::sipp::{self, Outcome, SDP, Scenario};

const PATIENCE: Duration = Duration::from_secs(60);

async fn house(peer: Peer) -> House {
    House::open(|config| config.peers = PeerTable::new(vec![peer])).await
}

/// Runs a scenario against `house`, whose calls are the test's own to answer.
fn begin(house: &House, scenario: Scenario) -> JoinHandle<Outcome> {
    let us = house.address();
    tokio::task::spawn_blocking(move || scenario.run(us))
}

async fn next_call(house: &mut House) -> IncomingLeg {
    timeout(PATIENCE, house.calls.recv()).await.expect("in time").expect("a call")
}

async fn answer(call: &IncomingLeg) {
    call.commands.send(LegCommand::Answer { sdp: SDP.replace('\n', "\r\n") }).await.expect("the leg lives");
}

/// Until the leg is over.
async fn stay(mut call: IncomingLeg) {
    while !matches!(timeout(PATIENCE, call.events.recv()).await.expect("in time"), None | Some(LegEvent::Ended(_))) {}
}

/// RFC 3325, RFC 3323: what carriers write, and what reaches the plan of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_callers_number_is_taken_from_where_the_peer_may_say_it() {
    use CallerIdPolicy::{Asserted, From, None};

    if !sipp::is_here() {
        return;
    }
    let asserted = "P-Asserted-Identity: \"Ada\" <sip:+12025550143@carrier.example>\n";
    let withheld = format!("{asserted}Privacy: id\n");
    for (policy, headers, expected) in [
        (From, "", "sipp"),
        (From, asserted, "sipp"),
        (Asserted, asserted, "+12025550143"),
        (Asserted, "P-Asserted-Identity: <tel:+12025550143>\n", "+12025550143"),
        (Asserted, "", "sipp"),
        (Asserted, &withheld, "anonymous"),
        (From, "Privacy: user;critical\n", "anonymous"),
        (None, asserted, "anonymous"),
    ] {
        let mut house = house(Peer { caller_id: policy, ..Peer::loopback() }).await;
        let call = Scenario::invite(headers, SDP).ringing().expect(200).ack(1, "").pause_ms(50).hang_up(2);
        let sipp = begin(&house, call);
        let call = next_call(&mut house).await;
        assert_eq!(call.caller.reveal(), expected, "{policy:?}: {headers}");
        answer(&call).await;
        stay(call).await;
        sipp.await.expect("SIPp ran").check();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_gets_as_many_calls_as_it_may_have_and_as_fast_as_it_may_place_them() {
    if !sipp::is_here() {
        return;
    }
    let refused = || Scenario::invite("", SDP).trying().expect_with(503, "Retry-After", "[0-9]+").ack_refusal(1);
    let whole = || Scenario::invite("", SDP).ringing().expect(200).ack(1, "").hang_up(2);
    // One at once: while that one stands the next is sent away, and when it is over another is welcome.
    let mut one = house(Peer { max_calls: Some(1), ..Peer::loopback() }).await;
    let first = begin(
        &one,
        Scenario::invite("", SDP).ringing().expect(200).ack(1, "").expect_request("BYE").answer("200 OK", "", ""),
    );
    let mut call = next_call(&mut one).await;
    answer(&call).await;
    assert!(matches!(timeout(PATIENCE, call.events.recv()).await, Ok(Some(LegEvent::Established { .. }))));
    begin(&one, refused()).await.expect("SIPp ran").check();
    call.commands.send(LegCommand::Hangup).await.expect("the leg lives");
    stay(call).await;
    first.await.expect("SIPp ran").check();
    let again = begin(&one, whole());
    let call = next_call(&mut one).await;
    answer(&call).await;
    stay(call).await;
    again.await.expect("SIPp ran").check();
    // None at all: a peer whose limit is no call is no caller.
    let none = house(Peer { max_calls: Some(0), ..Peer::loopback() }).await;
    begin(&none, refused()).await.expect("SIPp ran").check();
    let none = house(Peer { max_cps: Some(0), ..Peer::loopback() }).await;
    begin(&none, refused()).await.expect("SIPp ran").check();
}

/// RFC 3581: SIPp believes to be somebody else, as everybody does behind a router; our answers reach it all the same, and
/// say where they went.
#[tokio::test(flavor = "multi_thread")]
async fn answers_go_back_to_where_a_request_came_from() {
    if !sipp::is_here() {
        return;
    }
    let elsewhere = "192.0.2.66:4444";
    let scenario = Scenario::invite_via(elsewhere)
        .ringing()
        .expect_with(200, "Via", "SIP/2.0/UDP 192.0.2.66:4444.*received=127.0.0.1")
        .ack(1, "")
        .request("OPTIONS", 2, "", "")
        .expect_with(200, "Via", "SIP/2.0/UDP 127.0.0.1:[0-9]+")
        .hang_up(3);
    House::open(|_| {}).await.meet(scenario, |_| Vec::new()).await;
    let scenario =
        Scenario::invite_via(elsewhere).ringing().expect_with(200, "Via", "rport=[1-9][0-9]+").ack(1, "").hang_up(2);
    House::open(|_| {}).await.meet(scenario, |_| Vec::new()).await;
}

/// RFC 3261 §12.2.1.2: a re-INVITE may name another Contact, and from then on our requests are for that one.
#[tokio::test(flavor = "multi_thread")]
async fn our_requests_follow_a_contact_that_changes_in_mid_call() {
    if !sipp::is_here() {
        return;
    }
    let moved = "Contact: <sip:moved@[local_ip]:[local_port];x=1>\n";
    for method in ["INVITE", "UPDATE"] {
        let scenario = Scenario::call().request_from(method, 2, moved).trying().expect(200);
        let scenario = if method == "INVITE" { scenario.ack(2, "") } else { scenario };
        let scenario =
            scenario.expect_start("BYE", "BYE sip:moved@127.0.0.1:[0-9]+;x=1 SIP/2.0").answer("200 OK", "", "");
        let mut house = House::open(|_| {}).await;
        let sipp = begin(&house, scenario);
        let mut call = next_call(&mut house).await;
        answer(&call).await;
        loop {
            match timeout(PATIENCE, call.events.recv()).await.expect("in time").expect("the leg lives") {
                LegEvent::Offered { .. } => {
                    let sdp = SDP.replace('\n', "\r\n");
                    call.commands.send(LegCommand::AnswerOffer { sdp }).await.expect("the leg lives");
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    call.commands.send(LegCommand::Hangup).await.expect("the leg lives");
                    break;
                }
                LegEvent::Established { .. } => {}
                event => panic!("{method}: {event:?}"),
            }
        }
        stay(call).await;
        sipp.await.expect("SIPp ran").check();
    }
}

/// What comes before any call, and what it is told.
#[tokio::test(flavor = "multi_thread")]
async fn what_sipp_asks_in_vain_is_told_what_would_do() {
    if !sipp::is_here() {
        return;
    }
    for (headers, status, header, pattern) in [
        ("Require: 100rel, time-travel\n", 420, "Unsupported", "time-travel"),
        ("Content-Encoding: gzip\n", 415, "Accept-Encoding", "identity"),
        ("Session-Expires: 30\nSupported: timer\n", 422, "Min-SE", "90"),
        ("Replaces: nobody@nowhere;to-tag=a;from-tag=b\n", 481, "CSeq", "1 INVITE"),
    ] {
        let refused = Scenario::invite(headers, SDP).trying().expect_with(status, header, pattern).ack_refusal(1);
        House::open(|_| {}).await.meet(refused, |_| Vec::new()).await;
    }
    for (method, headers, status, header, pattern) in [
        ("OPTIONS", "", 200, "Allow", "INVITE, ACK, CANCEL, BYE"),
        ("OPTIONS", "", 200, "Accept", "application/sdp"),
        ("OPTIONS", "", 200, "Supported", "100rel.*replaces.*timer"),
        ("REGISTER", "Expires: 60\n", 405, "Allow", "INVITE"),
        ("SUBSCRIBE", "Event: presence\n", 405, "Allow", "INVITE"),
        ("MESSAGE", "", 405, "Allow", "INVITE"),
        ("REFER", "Refer-To: <sip:somebody@127.0.0.1>\n", 405, "Allow", "INVITE"),
        ("BYE", "", 481, "CSeq", "1 BYE"),
        ("UPDATE", "", 481, "CSeq", "1 UPDATE"),
        ("PRACK", "RAck: 1 1 INVITE\n", 481, "CSeq", "1 PRACK"),
        ("NEWMETHOD", "", 501, "CSeq", "1 NEWMETHOD"),
    ] {
        let told = Scenario::asks(method, headers).expect_with(status, header, pattern);
        House::open(|_| {}).await.meet(told, |_| Vec::new()).await;
    }
}
