//! Offers after the first: within a call, before its answer, both at once, and ours. What a first offer may say is in
//! `offers`. The whole gateway answers where sound matters, signalling alone where only the order of messages does.

use std::thread;
use std::time::Duration;

use tokio::time::timeout;
use trunkline::pii::Pii;
use trunkline::sip::{Dial, IncomingLeg, LegCommand, LegEvent};

use super::dialog::House;
use super::house::{Gateway, Settings};
use super::linphone::patient;
use super::sipp::{self, SDP, Scenario};
use super::uas::{Scenario as Answering, Uas};

const OURS: &str =
    "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 18006 RTP/AVP 0\r\n";
const PATIENCE: Duration = Duration::from_secs(30);

fn against_the_gateway(scenario: &Scenario) {
    if !sipp::is_here() {
        return;
    }
    let gateway = Gateway::start(patient(Settings::default()));
    scenario.run(gateway.sip).check();
    let record = gateway.record();
    assert_eq!(record["end"]["why"], "caller_hung_up", "{record:#}\n{}", gateway.log());
}

#[test]
fn streams_come_and_go_and_their_places_stay() {
    let (head, audio) = SDP.split_once("m=audio").expect("there is a stream");
    let video = "m=video 17010 RTP/AVP 96\na=rtpmap:96 H264/90000\n";
    let more = format!("{head}{video}m=audio{audio}m=audio{}", audio.replace("17000", "17030"));
    let fewer = more.replace("m=audio 17030", "m=audio 0").replace("sipp 1 1", "sipp 1 2");
    let taken = "m=video 0 .*m=audio [1-9][0-9]+ RTP/AVP 0 101.*m=audio 0 ";
    let scenario = Scenario::invite("", &more)
        .ringing()
        .expect_with(200, "body", taken)
        .ack(1, "")
        .request("INVITE", 2, "", &fewer)
        .trying()
        .expect_with(200, "body", taken)
        .ack(2, "");
    against_the_gateway(&scenario.hang_up(3));
}

#[test]
fn a_stream_that_is_switched_off_is_hold_and_comes_back() {
    let off = SDP.replace("m=audio 17000", "m=audio 0").replace("sipp 1 1", "sipp 1 2");
    let idle = format!("{}a=inactive\n", SDP.replace("sipp 1 1", "sipp 1 3"));
    let on = SDP.replace("sipp 1 1", "sipp 1 4");
    let scenario = Scenario::call()
        .request("INVITE", 2, "", &idle)
        .trying()
        .expect_with(200, "body", "a=inactive")
        .ack(2, "")
        .request("INVITE", 3, "", &on)
        .trying()
        .expect_with(200, "body", "a=sendrecv")
        .ack(3, "");
    against_the_gateway(&scenario.hang_up(4));
    // RFC 3264 §8.2: port 0 puts the only stream away, and another one in its place brings it back.
    let scenario = Scenario::call()
        .request("INVITE", 2, "", &off)
        .trying()
        .expect_with(200, "body", "m=audio 0 ")
        .ack(2, "")
        .request("INVITE", 3, "", &on)
        .trying()
        .expect_with(200, "body", "m=audio [1-9][0-9]+ .*a=sendrecv")
        .ack(3, "");
    against_the_gateway(&scenario.hang_up(4));
}

/// Ours is refused with 491 as if theirs had crossed it; it goes out again after a while.
#[test]
fn an_offer_of_ours_that_crosses_theirs_is_made_again() {
    let scenario = Answering::invited()
        .says("200 OK", "a", "SDP")
        .receives("ACK")
        .invited_again(&[])
        .says("491 Request Pending", "", "")
        .receives("ACK")
        .invited_again(&[])
        .says("200 OK", "", "SDP")
        .receives("ACK")
        .receives("BYE")
        .confirms();
    let Some(uas) = Uas::start(&scenario) else { return };
    let gateway = Gateway::start(Settings::default());
    let to = format!("sip:ada@127.0.0.1:{}", uas.port);
    let child = gateway.begin(&["call", &to, "--plan", "tests/gateway/patient.yaml", "--json"]);
    let ask = |what: &str| {
        for _ in 0..200 {
            let live = gateway.ask(r#"{"do":"calls"}"#);
            let id = live["calls"][0]["call"].as_str().unwrap_or_default().to_owned();
            let told = gateway.ask(&format!(r#"{{"do":"{what}","call":"{id}"}}"#));
            if !id.is_empty() && told["ok"].is_string() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("nobody takes {what}: {}", gateway.log());
    };
    ask("hold");
    thread::sleep(Duration::from_secs(6));
    ask("hangup");
    let ended = child.wait_with_output().expect("the command ends");
    uas.finish();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stdout));
}

async fn next(call: &mut IncomingLeg) -> LegEvent {
    timeout(PATIENCE, call.events.recv()).await.expect("in time").expect("the leg lives")
}

/// RFC 3262 §5: once their offer is answered reliably, a PRACK may bring another; RFC 3311: so may an UPDATE.
#[tokio::test(flavor = "multi_thread")]
async fn offers_before_the_answer_are_answered_in_prack_and_update() {
    if !sipp::is_here() {
        return;
    }
    let moved = SDP.replace("sipp 1 1", "sipp 1 2").replace("17000", "17002");
    let again = SDP.replace("sipp 1 1", "sipp 1 3").replace("17000", "17004");
    let scenario = Scenario::invite("Supported: 100rel\n", SDP)
        .trying()
        .expect_with(183, "RSeq", "[0-9]+")
        .prack_with(2, &moved)
        .expect_with(200, "body", "m=audio 18008")
        .request("UPDATE", 3, "", &again)
        .expect_with(200, "body", "m=audio 18010")
        .expect(200)
        .ack(1, "")
        .hang_up(4);
    let mut house = House::open(|_| {}).await;
    let us = house.address();
    let sipp = tokio::task::spawn_blocking(move || scenario.run(us));
    let mut call = timeout(PATIENCE, house.calls.recv()).await.expect("in time").expect("a call");
    let say = async |call: &IncomingLeg, command| call.commands.send(command).await.expect("the leg lives");
    say(&call, LegCommand::Progress { sdp: OURS.to_owned() }).await;
    for (theirs, ours) in [("17002", "18008"), ("17004", "18010")] {
        match next(&mut call).await {
            LegEvent::Offered { sdp: Some(sdp) } => assert!(sdp.contains(theirs), "{sdp}"),
            other => panic!("{other:?}"),
        }
        say(&call, LegCommand::AnswerOffer { sdp: OURS.replace("18006", ours) }).await;
    }
    say(&call, LegCommand::Answer { sdp: OURS.to_owned() }).await;
    assert_eq!(next(&mut call).await, LegEvent::Established { sdp: None });
    sipp.await.expect("SIPp ran").check();
}

/// Who calls without an offer and insists on reliable responses gets ours in the first of them, and answers in PRACK.
#[tokio::test(flavor = "multi_thread")]
async fn our_offer_goes_in_a_reliable_response_and_their_answer_comes_in_prack() {
    if !sipp::is_here() {
        return;
    }
    let scenario = Scenario::invite("Require: 100rel\n", "")
        .trying()
        .expect_with(183, "RSeq", "[0-9]+")
        .prack_with(2, SDP)
        .expect(200)
        .expect(200)
        .ack(1, "")
        .hang_up(3);
    let mut house = House::open(|_| {}).await;
    let us = house.address();
    let sipp = tokio::task::spawn_blocking(move || scenario.run(us));
    let mut call = timeout(PATIENCE, house.calls.recv()).await.expect("in time").expect("a call");
    for command in [LegCommand::Progress { sdp: OURS.to_owned() }, LegCommand::Answer { sdp: OURS.to_owned() }] {
        call.commands.send(command).await.expect("the leg lives");
    }
    match next(&mut call).await {
        LegEvent::OfferAnswered { sdp } => assert!(sdp.contains("17000"), "{sdp}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(next(&mut call).await, LegEvent::Established { sdp: None });
    sipp.await.expect("SIPp ran").check();
}

/// The same the other way round: we call without an offer.
#[tokio::test(flavor = "multi_thread")]
async fn their_offer_in_a_reliable_response_is_answered_in_our_prack_and_their_info_before_the_answer_is_heard() {
    let scenario = Answering::default()
        .invited_again(&[("Supported:", "100rel"), ("Contact:", "sip:[^>;]*")])
        .says("183 Session Progress", "a", "Require: 100rel\nRSeq: 17\nSDP")
        .receives_saying("PRACK", "Content-Type:", "application/sdp")
        .confirms()
        .asks("INFO", "a")
        .says("200 OK", "a", "")
        .receives("ACK")
        .receives("BYE")
        .confirms();
    let Some(uas) = Uas::start(&scenario) else { return };
    let (server, _calls) = House::open(|_| {}).await.into_parts();
    let dial = Dial {
        to: Pii::new(format!("sip:ann@127.0.0.1:{}", uas.port)),
        trunk: None,
        caller: None,
        sdp: None,
        ring_timeout: PATIENCE,
        headers: Vec::new(),
    };
    let mut leg = server.dialer().dial(dial).await.expect("dialable");
    let mut heard = Vec::new();
    loop {
        match timeout(PATIENCE, leg.events.recv()).await.expect("in time").expect("the leg lives") {
            LegEvent::Offered { sdp: Some(sdp) } => {
                assert!(sdp.contains("m=audio 6000 "), "{sdp}");
                leg.commands.send(LegCommand::AnswerOffer { sdp: OURS.to_owned() }).await.expect("the leg lives");
            }
            LegEvent::Established { .. } => {
                leg.commands.send(LegCommand::Hangup).await.expect("the leg lives");
            }
            LegEvent::Ended(_) => break,
            event => heard.push(event),
        }
    }
    assert!(matches!(heard[0], LegEvent::Progress { status: 183, .. }), "{heard:?}");
    tokio::task::spawn_blocking(move || uas.finish()).await.expect("the scenario went well");
}
