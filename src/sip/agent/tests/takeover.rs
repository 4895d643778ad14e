//! Another telephone takes over a call (RFC 3891): what the call, the old far end and the new one hear.

use super::*;
use crate::sip::LegEnd;

const BOB: &str = "127.0.0.1:5080";
const THEIRS: &str =
    "v=0\r\no=- 9 9 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4900 RTP/AVP 0\r\n";

/// Bob's INVITE for the dialog between Ann and us, whose tag of ours is `tag`.
fn taking(tag: &str, more: &str, sdp: &str) -> String {
    let invite = invite(1, "", sdp).replace("z9hG4bKinvite", "z9hG4bKbob").replace("c1", "c2");
    let invite = invite.replace("tag=f1", "tag=b1").replace(CALLER, BOB).replace("sip:ann@", "sip:bob@");
    invite.replace("Max-", &format!("Replaces: c1;to-tag={tag};from-tag=f1{more}\r\nMax-"))
}

fn bobs(method: &str, cseq: u32, tag: &str) -> String {
    let text = in_dialog(method, cseq, tag, &format!("bob{method}{cseq}"));
    text.replace("c1", "c2").replace("tag=f1", "tag=b1").replace(CALLER, BOB)
}

impl World {
    fn order(&mut self, command: LegCommand) -> Vec<String> {
        self.command(command)
    }

    fn bob(&mut self, text: &str) -> Vec<String> {
        self.receive_from(text, BOB)
    }
}

#[test]
fn the_call_goes_on_with_the_new_telephone_and_the_old_one_is_hung_up_on() {
    let mut world = World::new();
    let tag = world.talk();
    assert_eq!(starts(&world.bob(&taking(&tag, "", THEIRS))), ["SIP/2.0 100 Trying"]);
    assert_eq!(world.calls.len(), 1, "no new call");
    assert_eq!(world.events[1..], [LegEvent::TakingOver, LegEvent::Offered { sdp: Some(THEIRS.to_owned()) }]);
    let sent = world.order(LegCommand::AnswerOffer { sdp: ANSWER.to_owned() });
    assert_eq!(starts(&sent), ["SIP/2.0 200 OK", "BYE sip:ann@127.0.0.1:5070 SIP/2.0"]);
    assert!(sent[0].contains("Call-ID: c2\r\n") && sent[0].ends_with(ANSWER), "{}", sent[0]);
    assert!(sent[1].contains("Call-ID: c1\r\n") && sent[1].contains("Reason: SIP;cause=200;text=\"Replaced\"\r\n"));
    assert_eq!(world.events.last(), Some(&LegEvent::Replaced));
    world.receive(&reply(&sent[1], "200 OK"));
    let new_tag = to_tag(&sent[0]);
    world.bob(&bobs("ACK", 1, &new_tag));
    assert_eq!((world.agent.live_legs(), world.events.last()), (1, Some(&LegEvent::Established { sdp: None })));
    // From here on the new dialog is the call, in both directions.
    let held = world.order(LegCommand::Offer { sdp: SDP.to_owned() });
    assert!(
        held[0].starts_with("INVITE sip:bob@127.0.0.1:5080 ") && held[0].contains("Call-ID: c2\r\n"),
        "{}",
        held[0]
    );
    world.bob(&reply(&held[0], "488 Not Acceptable Here"));
    assert_eq!(starts(&world.bob(&bobs("BYE", 2, &new_tag))), ["SIP/2.0 200 OK"]);
    let ends = world.events.iter().filter(|event| matches!(event, LegEvent::Ended(_))).count();
    assert_eq!((ends, world.events.last()), (1, Some(&LegEvent::Ended(LegEnd::RemoteHangup))));
    let ladder: Vec<&str> = world.ladders[0].rungs.iter().map(|rung| rung.line.as_str()).collect();
    assert_eq!(ladder.iter().filter(|line| line.starts_with("INVITE ")).count(), 3, "one ladder: {ladder:?}");
    assert!(world.forgets_everything());
}

#[test]
fn a_telephone_that_wants_our_offer_gets_it_and_its_answer_comes_with_the_ack() {
    let mut world = World::new();
    let tag = world.talk();
    world.bob(&taking(&tag, "", ""));
    assert_eq!(world.events.last(), Some(&LegEvent::Offered { sdp: None }));
    let sent = world.order(LegCommand::AnswerOffer { sdp: ANSWER.to_owned() });
    assert!(sent[0].ends_with(ANSWER));
    let ack = bobs("ACK", 1, &to_tag(&sent[0]));
    let head = ack.replace("Content-Length: 0\r\n\r\n", "Content-Type: application/sdp\r\n");
    world.bob(&format!("{head}Content-Length: {}\r\n\r\n{THEIRS}", THEIRS.len()));
    assert_eq!(world.events.last(), Some(&LegEvent::Established { sdp: Some(THEIRS.to_owned()) }));
}

#[test]
fn what_names_no_dialog_or_one_that_cannot_be_taken_is_refused_with_the_right_word() {
    let mut world = World::new();
    let tag = world.talk();
    let other_dialog = |text: &str| taking(&tag, "", THEIRS).replace("Replaces: c1;", text);
    for (what, text, status) in [
        ("no such tag", taking("nobody", "", THEIRS), "481"),
        ("another call", other_dialog("Replaces: c9;"), "481"),
        ("another far end", taking(&tag, "", THEIRS).replace("from-tag=f1", "from-tag=f9"), "481"),
        ("only while it rings", taking(&tag, ";early-only", THEIRS), "486"),
        ("two of them", other_dialog("Replaces: c7;to-tag=1;from-tag=2\r\nReplaces: c1;"), "400"),
        ("nonsense", other_dialog("Replaces: ;"), "400"),
    ] {
        let sent = world.bob(&text.replace("z9hG4bKbob", &format!("z9hG4bK{status}{}", what.len())));
        assert!(sent[0].starts_with(&format!("SIP/2.0 {status} ")), "{what}: {sent:?}");
    }
    // While an offer of ours is open nobody knows which session would be taken over.
    let offer = world.order(LegCommand::Offer { sdp: SDP.to_owned() });
    let busy = world.bob(&taking(&tag, "", THEIRS).replace("z9hG4bKbob", "z9hG4bKbusy"));
    assert!(busy[0].starts_with("SIP/2.0 500 ") && busy[0].contains("Retry-After: 1\r\n"), "{}", busy[0]);
    world.receive(&reply(&offer[0], "488 Not Acceptable Here"));
    let bye = world.order(LegCommand::Hangup);
    let over = world.bob(&taking(&tag, "", THEIRS).replace("z9hG4bKbob", "z9hG4bKover"));
    assert!(over[0].starts_with("SIP/2.0 603 "), "{}", over[0]);
    world.receive(&reply(&bye[0], "200 OK"));
    assert_eq!(world.calls.len(), 1);
    assert!(world.forgets_everything());
}

#[test]
fn a_call_that_rings_here_is_not_taken_over_by_it() {
    let mut world = World::new();
    world.receive(&invite(1, "", SDP));
    let tag = to_tag(&world.command(LegCommand::Ring)[0]);
    assert!(world.bob(&taking(&tag, "", THEIRS))[0].starts_with("SIP/2.0 481 "));
    assert!(
        world.bob(&taking(&tag, ";early-only", THEIRS).replace("z9hG4bKbob", "z9hG4bKe"))[0].starts_with("SIP/2.0 481")
    );
}

#[test]
fn strangers_take_nothing_over() {
    let mut world = World::new();
    let tag = world.talk();
    let sent = world.receive_from(&taking(&tag, "", THEIRS), "203.0.113.9:5060");
    assert_eq!(starts(&sent), ["SIP/2.0 403 Forbidden"]);
    assert_eq!(world.events.len(), 1);
}

#[test]
fn a_session_that_cannot_be_agreed_on_and_a_telephone_that_gives_up_leave_the_call_as_it_was() {
    let mut world = World::new();
    let tag = world.talk();
    world.bob(&taking(&tag, "", THEIRS));
    let warning = Some("no codec in common".to_owned());
    let refused = world.order(LegCommand::RefuseOffer { status: 488, warning });
    assert!(refused[0].starts_with("SIP/2.0 488 ") && refused[0].contains("no codec"), "{refused:?}");
    world.bob(&bobs("ACK", 1, &to_tag(&refused[0])).replace("z9hG4bKbobACK1", "z9hG4bKbob1"));
    let again = taking(&tag, "", THEIRS).replace("z9hG4bKbob", "z9hG4bKagain").replace("c2", "c3");
    world.bob(&again);
    let cancel = again.replace("INVITE ", "CANCEL ").replace("1 INVITE", "1 CANCEL");
    let cancel = cancel.split("Content-Type").next().unwrap().to_owned() + "Content-Length: 0\r\n\r\n";
    assert_eq!(starts(&world.bob(&cancel)), ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]);
    assert!(world.order(LegCommand::AnswerOffer { sdp: ANSWER.to_owned() }).is_empty(), "too late");
    assert_eq!(world.agent.live_legs(), 1);
    assert_eq!(starts(&world.receive(&in_dialog("BYE", 2, &tag, "bye"))), ["SIP/2.0 200 OK"]);
    assert_eq!(world.events.last(), Some(&LegEvent::Ended(LegEnd::RemoteHangup)));
    assert!(world.forgets_everything());
}

#[test]
fn who_comes_for_a_call_that_ends_at_that_moment_is_declined() {
    let mut world = World::new();
    let tag = world.talk();
    world.bob(&taking(&tag, "", THEIRS));
    let sent = world.receive(&in_dialog("BYE", 2, &tag, "bye"));
    assert_eq!(starts(&sent), ["SIP/2.0 200 OK", "SIP/2.0 603 Decline"]);
    let ends: Vec<_> = world.events.iter().filter(|event| matches!(event, LegEvent::Ended(_))).collect();
    assert_eq!(ends, [&LegEvent::Ended(LegEnd::RemoteHangup)]);
    assert!(world.forgets_everything());
}

#[test]
fn a_telephone_that_never_acknowledges_ends_the_call_it_took() {
    let mut world = World::new();
    let tag = world.talk();
    world.bob(&taking(&tag, "", THEIRS));
    let sent = world.order(LegCommand::AnswerOffer { sdp: ANSWER.to_owned() });
    world.receive(&reply(&sent[1], "200 OK"));
    world.run_until(40_000);
    assert_eq!(world.events.last(), Some(&LegEvent::Ended(LegEnd::NoAck)));
    assert!(world.forgets_everything());
}

#[test]
fn a_call_taken_over_can_be_taken_over_again_and_handed_on() {
    let mut world = World::new();
    let tag = world.talk();
    world.bob(&taking(&tag, "", THEIRS));
    let sent = world.order(LegCommand::AnswerOffer { sdp: ANSWER.to_owned() });
    world.receive(&reply(&sent[1], "200 OK"));
    let second = to_tag(&sent[0]);
    world.bob(&bobs("ACK", 1, &second));
    let carol = taking(&tag, "", THEIRS).replace("Replaces: c1", "Replaces: c2").replace("Call-ID: c2", "Call-ID: c3");
    let carol = carol.replace(&format!("to-tag={tag};from-tag=f1"), &format!("to-tag={second};from-tag=b1"));
    world.bob(&carol.replace("z9hG4bKbob", "z9hG4bKcarol").replace("tag=b1\r\nTo", "tag=k1\r\nTo"));
    let sent = world.order(LegCommand::AnswerOffer { sdp: ANSWER.to_owned() });
    assert_eq!(starts(&sent), ["SIP/2.0 200 OK", "BYE sip:bob@127.0.0.1:5080 SIP/2.0"]);
    world.bob(&reply(&sent[1], "200 OK"));
    let third = to_tag(&sent[0]);
    world.bob(&bobs("ACK", 1, &third).replace("Call-ID: c2", "Call-ID: c3").replace("tag=b1", "tag=k1"));
    let hung_up = world.order(LegCommand::Hangup);
    assert!(hung_up[0].starts_with("BYE ") && hung_up[0].contains("Call-ID: c3\r\n"), "{}", hung_up[0]);
    assert_eq!(world.events.last(), Some(&LegEvent::Ended(LegEnd::LocalHangup)));
    world.bob(&reply(&hung_up[0], "200 OK"));
    assert!(world.forgets_everything());
}
