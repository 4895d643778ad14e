//! Offers, their answers, their clashes, and the session timer that rides on them.

use super::*;

#[test]
fn a_hold_is_offered_to_the_call_and_answered_as_it_says() {
    for method in ["INVITE", "UPDATE"] {
        let mut world = World::theirs();
        assert_eq!(world.receive(method, "", &hold()), None, "the call decides");
        assert_eq!(world.events, [LegEvent::Offered { sdp: Some(hold()) }]);
        let answer = OURS.replace("o=- 2 2", "o=- 2 3");
        world.command(LegCommand::AnswerOffer { sdp: answer.clone() });
        assert!(world.last_response().starts_with("SIP/2.0 200 ") && world.last_response().ends_with(&answer));
        assert!(world.last_response().contains("\r\nContact: <sip:127.0.0.1:5060>\r\n"));
        world.ack("");
        assert_eq!(world.events.len(), 1, "an ACK without news is none");
        assert_eq!(world.talk.dialog.remote_target, "sip:ann@127.0.0.1:5071", "{method} moves the far end");
        assert_eq!(world.receive(method, "", &hold()), Some(200), "the same again needs nobody's opinion");
        assert!(world.last_response().ends_with(&answer));
    }
}

#[test]
fn an_offer_the_call_refuses_or_forgets_leaves_the_session_as_it_was() {
    let mut world = World::theirs();
    world.receive("INVITE", "", &hold());
    world.command(LegCommand::RefuseOffer { status: 488, warning: Some("no \"codec\"".to_owned()) });
    assert!(world.last_response().starts_with("SIP/2.0 488 "));
    assert!(world.last_response().contains("\r\nWarning: 399 trunkline \"no \\\"codec\\\"\"\r\n"));
    world.receive("UPDATE", "", &hold());
    world.wait(seconds(5));
    assert!(world.last_response().starts_with("SIP/2.0 488 "), "five seconds are enough to think");
    world.command(LegCommand::AnswerOffer { sdp: OURS.to_owned() });
    assert_eq!(world.responses.len(), 2, "too late");
    assert_eq!(world.receive("INVITE", "", THEIRS), Some(200));
}

#[test]
fn an_empty_invite_asks_for_our_offer_and_its_ack_answers() {
    let mut world = World::theirs();
    assert_eq!(world.receive("INVITE", "", ""), None);
    assert_eq!(world.events, [LegEvent::Offered { sdp: None }]);
    world.command(LegCommand::AnswerOffer { sdp: OURS.to_owned() });
    world.ack(&hold());
    assert_eq!(world.events[1..], [LegEvent::OfferAnswered { sdp: hold() }]);
    world.receive("INVITE", "", "");
    world.command(LegCommand::AnswerOffer { sdp: OURS.to_owned() });
    world.ack("");
    assert_eq!(world.events[3..], [LegEvent::OfferRefused { status: 488 }]);
}

#[test]
fn an_update_without_a_description_is_a_sign_of_life() {
    let mut world = World::theirs();
    assert_eq!(world.receive("UPDATE", "Session-Expires: 600;refresher=uac\r\nSupported: timer\r\n", ""), Some(200));
    let answer = world.last_response();
    assert!(answer.contains("\r\nSession-Expires: 600;refresher=uac\r\nRequire: timer\r\n"), "{answer}");
    assert!(world.events.is_empty());
    world.wait(seconds(567));
    assert!(world.events.is_empty());
    world.wait(seconds(1));
    assert_eq!(world.events, [LegEvent::Ended(LegEnd::Expired)]);
    assert_eq!(world.methods(), ["BYE"]);
}

#[test]
fn whoever_offers_while_an_offer_is_open_is_told_which_kind_of_clash_it_is() {
    for (method, status) in [("INVITE", 500), ("UPDATE", 500)] {
        let mut world = World::theirs();
        world.receive("INVITE", "", &hold());
        assert_eq!(world.receive(method, "", THEIRS), Some(status), "theirs is open");
        assert!(world.last_response().contains("\r\nRetry-After: "));
        world.command(LegCommand::AnswerOffer { sdp: OURS.to_owned() });
        assert_eq!(world.receive(method, "", THEIRS), Some(status), "no ACK yet");
    }
    let mut world = World::theirs();
    world.command(LegCommand::Offer { sdp: OURS.to_owned() });
    assert_eq!(world.receive("INVITE", "", &hold()), Some(491), "ours is open");
    assert_eq!(world.receive("UPDATE", "", &hold()), Some(491));
    assert_eq!(world.receive("UPDATE", "", ""), Some(200), "no offer, no clash");
    assert!(world.events.is_empty());
}

#[test]
fn our_offer_is_acknowledged_and_its_answer_told() {
    let mut world = World::theirs();
    world.command(LegCommand::Offer { sdp: OURS.to_owned() });
    let (_, request) = &world.requests[0];
    assert_eq!((request.method.as_str(), request.uri.as_str()), ("INVITE", "sip:ann@127.0.0.1:5070"));
    assert_eq!(request.body.as_ref().map(|(kind, sdp)| (*kind, sdp.as_str())), Some(("application/sdp", OURS)));
    assert_eq!(request.contact.as_deref(), Some(""));
    world.answer(200, "Contact: <sip:ann@127.0.0.1:5099>\n", THEIRS);
    assert_eq!(world.events, [LegEvent::OfferAnswered { sdp: THEIRS.to_owned() }]);
    assert_eq!((world.acks.len(), world.acks[0].uri.as_str()), (1, "sip:ann@127.0.0.1:5099"));
    for (status, event) in
        [(488, LegEvent::OfferRefused { status: 488 }), (606, LegEvent::OfferRefused { status: 606 })]
    {
        world.command(LegCommand::Offer { sdp: OURS.to_owned() });
        world.answer(status, "", "");
        assert_eq!(world.events.last(), Some(&event));
    }
    world.command(LegCommand::Offer { sdp: OURS.to_owned() });
    world.answer(200, "", "");
    assert_eq!(world.events.last(), Some(&LegEvent::OfferRefused { status: 500 }), "an answer without an answer");
    assert_eq!(world.acks.len(), 2, "but it is acknowledged");
}

#[test]
fn offers_wait_for_their_turn_and_the_newest_counts() {
    let mut world = World::theirs();
    world.receive("INVITE", "", &hold());
    world.command(LegCommand::Offer { sdp: "first".to_owned() });
    world.command(LegCommand::Offer { sdp: "second".to_owned() });
    assert!(world.requests.is_empty());
    world.command(LegCommand::AnswerOffer { sdp: OURS.to_owned() });
    assert!(world.requests.is_empty(), "not before the ACK");
    world.ack("");
    assert_eq!(world.requests[0].1.body.as_ref().map(|(_, sdp)| sdp.as_str()), Some("second"));
    world.command(LegCommand::Offer { sdp: "third".to_owned() });
    world.answer(200, "", THEIRS);
    assert_eq!(world.requests.len(), 2);
}

/// RFC 3261 §14.1: 2.1 to 4 s for whoever made the Call-ID, 0 to 2 s for the other.
#[test]
fn glare_is_waited_out_and_given_up_in_the_end() {
    for (ours, from_ms, to_ms) in [(true, 2_100, 4_000), (false, 0, 2_000)] {
        let mut world = if ours { World::ours("INVITE", None) } else { World::theirs() };
        world.command(LegCommand::Offer { sdp: OURS.to_owned() });
        world.answer(491, "", "");
        let wait = world.talk.deadline().expect("it is tried again") - world.clock.now().mono;
        assert!((from_ms..to_ms).contains(&(wait.as_millis() as u64)) && wait.as_millis() % 10 == 0, "{wait:?}");
        assert_eq!(world.receive("INVITE", "", &hold()), None, "theirs goes first");
        world.command(LegCommand::AnswerOffer { sdp: OURS.to_owned() });
        world.ack("");
        assert_eq!(world.methods(), ["INVITE", "INVITE"], "and ours after it");
        world.answer(200, "", THEIRS);
        assert_eq!(world.events.last(), Some(&LegEvent::OfferAnswered { sdp: THEIRS.to_owned() }));
    }
    let mut world = World::theirs();
    world.command(LegCommand::Offer { sdp: OURS.to_owned() });
    for _ in 0..20 {
        world.answer(491, "", "");
        world.wait(seconds(4));
    }
    assert_eq!((world.methods().len(), &world.events[..]), (6, &[LegEvent::OfferRefused { status: 491 }][..]));
}

#[test]
fn a_dialog_they_have_forgotten_is_over() {
    for answer in [Some(481), Some(408), None] {
        let mut world = World::theirs();
        world.command(LegCommand::Offer { sdp: OURS.to_owned() });
        match answer {
            Some(status) => world.answer(status, "", ""),
            None => world.news(world.requests[0].0, ClientNews::Failed(ClientFailure::Timeout)),
        }
        assert_eq!(world.events, [LegEvent::Ended(LegEnd::Failed)]);
        assert_eq!(world.methods(), ["INVITE", "BYE"]);
        world.answer(481, "", "");
        assert!(world.gone);
    }
}

#[test]
fn we_refresh_the_way_they_understand() {
    let agreed = Agreed { interval: seconds(600), refresher: Refresher::Us, known_to_them: true };
    let renewed = "Session-Expires: 600;refresher=uac\nSupported: timer\n";
    for (allow, method, body) in [("INVITE, UPDATE", "UPDATE", None), ("INVITE", "INVITE", Some(OURS))] {
        let mut world = World::ours(allow, Some(agreed));
        world.wait(seconds(299));
        assert!(world.requests.is_empty());
        world.wait(seconds(1));
        let (_, request) = world.requests[0].clone();
        assert_eq!((request.method.as_str(), request.body.as_ref().map(|(_, sdp)| sdp.as_str())), (method, body));
        assert_eq!(request.header("Session-Expires"), Some("600;refresher=uac"));
        world.answer(200, renewed, if body.is_some() { THEIRS } else { "" });
        assert_eq!(world.acks.len(), usize::from(method == "INVITE"));
        world.wait(seconds(300));
        assert_eq!(world.requests.len(), 2, "and again at half");
        world.answer(200, renewed, if body.is_some() { THEIRS } else { "" });
        assert!(world.events.is_empty(), "the call hears nothing of it");
    }
}

#[test]
fn a_refresh_that_is_refused_is_tried_another_way_and_then_the_session_ends() {
    let agreed = Agreed { interval: seconds(600), refresher: Refresher::Us, known_to_them: true };
    let mut world = World::ours("INVITE, UPDATE", Some(agreed));
    world.wait(seconds(300));
    world.answer(422, "Min-SE: 900\n", "");
    assert_eq!(world.requests[1].1.header("Session-Expires"), Some("900;refresher=uac"));
    world.answer(501, "", "");
    assert_eq!(world.methods(), ["UPDATE", "UPDATE", "INVITE"]);
    world.answer(500, "", "");
    while world.events.is_empty() {
        world.wait(seconds(20));
        if world.methods().last() == Some(&"INVITE") {
            world.answer(500, "", "");
        }
    }
    assert_eq!(world.events, [LegEvent::Ended(LegEnd::Expired)]);
    let mut world = World::ours("INVITE, UPDATE", Some(agreed));
    world.wait(seconds(300));
    world.news(world.requests[0].0, ClientNews::Failed(ClientFailure::Timeout));
    assert_eq!(world.events, [LegEvent::Ended(LegEnd::Expired)], "nobody there");
}

#[test]
fn an_offer_that_crosses_theirs_goes_out_after_it_and_a_newer_one_in_its_stead() {
    for newer in [None, Some("newer")] {
        let mut world = World::ours("INVITE", None);
        world.command(LegCommand::Offer { sdp: OURS.to_owned() });
        world.answer(491, "", "");
        assert_eq!(world.receive("UPDATE", "", &hold()), None);
        if let Some(sdp) = newer {
            world.command(LegCommand::Offer { sdp: sdp.to_owned() });
        }
        world.command(LegCommand::RefuseOffer { status: 488, warning: None });
        let sent: Vec<_> =
            world.requests.iter().map(|(_, request)| request.body.as_ref().unwrap().1.as_str()).collect();
        assert_eq!(sent, [OURS, newer.unwrap_or(OURS)]);
    }
}

#[test]
fn a_refresh_that_crosses_an_offer_of_theirs_is_made_up_for() {
    let agreed = Agreed { interval: seconds(600), refresher: Refresher::Us, known_to_them: true };
    let mut world = World::ours("INVITE, UPDATE", Some(agreed));
    world.wait(seconds(300));
    assert_eq!(world.methods(), ["UPDATE"]);
    assert_eq!(world.receive("INVITE", "", &hold()), None);
    world.answer(200, "", "");
    world.command(LegCommand::RefuseOffer { status: 488, warning: None });
    world.wait(seconds(5));
    assert_eq!(world.methods(), ["UPDATE", "UPDATE"]);
    world.answer(200, "Session-Expires: 600;refresher=uac\nSupported: timer\n", "");
    world.wait(seconds(290));
    assert!(world.events.iter().all(|event| !matches!(event, LegEvent::Ended(_))), "{:?}", world.events);
}
