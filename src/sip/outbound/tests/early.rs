//! Offers and requests before the answer, and who gives way to whom.

use super::*;

#[test]
fn a_late_offer_is_answered_in_the_ack_or_not_at_all() {
    let mut world = World::dial(None);
    assert_eq!(world.hear(said(200, "a", Some(ANSWER))), ["established"]);
    assert_eq!(world.command(LegCommand::AnswerOffer { sdp: OFFER.to_owned() }), ["ACK sip:a@192.0.2.1"]);
    assert_eq!(world.command(LegCommand::Hangup), ["BYE sip:a@192.0.2.1", "ended LocalHangup"]);

    for (give_up, end) in [(true, "ended LocalHangup"), (false, "ended Failed")] {
        let mut world = World::dial(None);
        world.hear(said(200, "a", Some(ANSWER)));
        let wanted = if give_up { world.command(LegCommand::Hangup) } else { world.wait(5) };
        assert_eq!(wanted, ["ACK sip:a@192.0.2.1", "BYE sip:a@192.0.2.1", end]);
        world.finish();
        assert_eq!(world.wanted.last().unwrap(), "gone");
    }
}

/// RFC 3262 §5: without an offer of ours the first reliable response brings theirs, and its PRACK our answer.
#[test]
fn their_offer_in_a_reliable_response_is_answered_in_prack_telephone_by_telephone() {
    let mut world = World::dial(None);
    let heard = world.hear(reliable_183("a", 10));
    assert!(heard[0].starts_with("Offered") && heard[1..] == ["progress 183"], "{heard:?}");
    assert_eq!(world.hear(reliable_183("b", 1)), [""; 0], "one at a time, and the progress is told");
    assert_eq!(world.request("UPDATE", "a", 1, Some(ANSWER)), ["respond 491"], "theirs is still open");
    let answered = world.command(LegCommand::AnswerOffer { sdp: OFFER.to_owned() });
    assert_eq!(answered[0], "PRACK sip:a@192.0.2.1");
    assert!(answered[1].starts_with("Offered"), "now the other one's: {answered:?}");
    let prack = world.requests.last().unwrap().1.clone();
    let described = prack.body.as_ref().map(|(_, sdp)| sdp.as_str());
    assert_eq!((prack.header("RAck"), described), (Some("10 1 INVITE"), Some(OFFER)));
    assert_eq!(world.command(LegCommand::AnswerOffer { sdp: OFFER.to_owned() }), ["PRACK sip:b@192.0.2.1"]);
    // What it describes from then on is no offer.
    assert_eq!(world.hear(reliable_183("a", 11)), ["PRACK sip:a@192.0.2.1"]);
    assert!(world.request("UPDATE", "a", 2, Some(ANSWER))[0].starts_with("Offered"));
    assert_eq!(world.command(LegCommand::AnswerOffer { sdp: OFFER.to_owned() }), ["respond 200"]);
    // All is said: neither the 200 nor the ACK describes anything.
    assert_eq!(world.hear(said(200, "a", None)), ["established", "ACK sip:a@192.0.2.1"]);
    assert_eq!(world.command(LegCommand::Hangup), ["BYE sip:a@192.0.2.1", "ended LocalHangup"]);
    world.finish();
    assert_eq!(world.wanted.last().unwrap(), "gone");

    for refuses in [true, false] {
        let mut world = World::dial(None);
        world.hear(reliable_183("a", 10));
        let refusal = LegCommand::RefuseOffer { status: 488, warning: None };
        let wanted = if refuses { world.command(refusal) } else { world.wait(5) };
        assert_eq!(wanted, ["PRACK sip:a@192.0.2.1", "CANCEL", "ended Failed"], "refused, or not decided in time");
        world.hear(response(487, "a", "", None, "INVITE"));
        world.finish();
        assert_eq!(world.wanted.last().unwrap(), "gone");
    }
}

#[test]
fn what_is_asked_inside_an_early_dialog_is_answered_rightly() {
    let mut world = World::new();
    world.hear(said(180, "a", None));
    for (cseq, (method, status)) in (1..).zip([
        ("INFO", 200),
        ("OPTIONS", 200),
        ("REFER", 603),
        ("NOTIFY", 481),
        ("PRACK", 481),
        ("BYE", 481),
        ("INVITE", 491),
        ("MESSAGE", 405),
        ("SING", 501),
    ]) {
        assert_eq!(world.request(method, "a", cseq, None), [format!("respond {status}")], "{method}");
        assert_eq!(world.request(method, "nobody", cseq, None), ["respond 481"], "{method}");
    }
}

#[test]
fn who_gives_way_to_another_telephone_says_so() {
    let reason_of = |act: Option<&Act>| match act {
        Some(Act::Cancel { reason, .. }) => (*reason).to_owned(),
        Some(Act::Request { request, .. }) => request.header("Reason").unwrap_or_default().to_owned(),
        other => panic!("{other:?}"),
    };
    let mut ringing = World::new();
    ringing.hear(said(180, "a", None));
    ringing.leg.give_way(ringing.now);
    assert_eq!(reason_of(ringing.leg.acts.front()), reason::ELSEWHERE);
    let mut talking = World::new();
    talking.hear(said(200, "a", Some(ANSWER)));
    talking.leg.give_way(talking.now);
    assert_eq!(reason_of(talking.leg.acts.front()), reason::REPLACED);
    let mut unanswered = World::new();
    unanswered.hear(said(180, "a", None));
    unanswered.now.mono += Duration::from_secs(30);
    unanswered.leg.handle_timeout(unanswered.now);
    assert_eq!(reason_of(unanswered.leg.acts.front()), reason::NO_ANSWER);
}

#[test]
fn an_early_dialog_may_be_updated() {
    let mut world = World::new();
    world.hear(said(180, "a", None));
    assert_eq!(world.request("UPDATE", "a", 1, Some(ANSWER)), ["respond 491"], "our offer is still open");
    world.hear(said(183, "a", Some(ANSWER)));
    assert_eq!(world.request("UPDATE", "a", 2, None), ["respond 200"]);
    assert!(world.request("UPDATE", "a", 3, Some(ANSWER))[0].starts_with("Offered"));
    assert_eq!(world.request("UPDATE", "a", 4, Some(ANSWER)), ["respond 500"], "one at a time");
    assert_eq!(world.command(LegCommand::AnswerOffer { sdp: OFFER.to_owned() }), ["respond 200"]);
    assert_eq!(world.request("UPDATE", "a", 2, None), ["respond 500"], "older than the last");
    world.request("UPDATE", "a", 5, Some(ANSWER));
    assert_eq!(world.wait(5), ["respond 488"], "a call that says nothing refuses");
    assert_eq!(world.request("UPDATE", "b", 1, None), ["respond 481"]);
    assert_eq!(world.request("BYE", "a", 6, None), ["respond 481"]);
}
