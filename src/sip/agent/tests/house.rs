//! What concerns all legs at once: room, drain, shutdown, strangers, and whatever order things happen in.

use super::*;

#[test]
fn a_full_or_draining_house_turns_calls_away_for_a_moment() {
    let mut world = World::with_room_for(1);
    let tag = world.talk();
    let other = invite(1, "", SDP).replace("c1", "c2").replace("z9hG4bK", "z9hG4bKc2");
    let refused = world.receive(&other);
    assert_eq!(starts(&refused), ["SIP/2.0 503 Service Unavailable"]);
    assert!(refused[0].contains("\r\nRetry-After: 2\r\n"));
    world.agent.handle_drain(world.now);
    assert_eq!(starts(&world.receive(&in_dialog("BYE", 2, &tag, "bye"))), ["SIP/2.0 200 OK"], "calls go on");
    assert_eq!(starts(&world.receive(&other)), ["SIP/2.0 503 Service Unavailable"]);
    assert_eq!(world.agent.stats().refused[&503], 2);
    let causes = [(Cause::Full, 1), (Cause::Draining, 1)];
    assert_eq!(world.agent.stats().turned_away, causes.into_iter().collect());
    assert!(world.forgets_everything());
}

#[test]
fn a_shutdown_says_goodbye_to_everyone() {
    let mut world = World::new();
    world.talk();
    world.receive(&invite(1, "", SDP).replace("c1", "c2").replace("z9hG4bK", "z9hG4bKc2"));
    let before = world.sent.len();
    world.agent.handle_shutdown(world.now);
    world.collect();
    let sent: Vec<String> = world.sent[before..].iter().map(|(_, text)| text.clone()).collect();
    assert_eq!(starts(&sent), ["BYE sip:ann@127.0.0.1:5070 SIP/2.0", "SIP/2.0 503 Service Unavailable"]);
    assert_eq!(world.agent.live_legs(), 0);
    world.receive(&reply(&sent[0], "200 OK"));
    assert!(world.agent.is_idle());
}

#[test]
fn a_call_that_vanishes_takes_its_leg_along() {
    for (answered, start) in
        [(false, "SIP/2.0 500 Server Internal Error"), (true, "BYE sip:ann@127.0.0.1:5070 SIP/2.0")]
    {
        let mut world = World::new();
        if answered {
            world.talk();
        } else {
            world.receive(&invite(1, "", SDP));
        }
        let before = world.sent.len();
        world.agent.handle_abandoned(world.calls[0].leg, world.now);
        world.collect();
        assert_eq!(timed_starts(&world.sent[before..]), [(0, start)]);
        assert!(world.forgets_everything());
    }
}

#[test]
fn an_invite_expires_when_it_says_so_and_ringing_is_repeated() {
    let mut world = World::new();
    world.receive(&invite(1, "", SDP).replace("Max-Forwards", "Expires: 130\r\nMax-Forwards"));
    world.command(LegCommand::Ring);
    let sent = world.run_until(130_000);
    assert_eq!(
        timed_starts(&sent),
        [
            (60_000, "SIP/2.0 180 Ringing"),
            (120_000, "SIP/2.0 180 Ringing"),
            (130_000, "SIP/2.0 487 Request Terminated")
        ]
    );
    assert_eq!(world.events, [LegEvent::Ended(LegEnd::Cancelled)]);
}

#[test]
fn requests_of_ours_follow_the_route_they_were_given() {
    for (route, start, routes) in [
        (
            "<sip:10.0.0.1;lr>, <sip:10.0.0.2;lr>",
            "BYE sip:ann@127.0.0.1:5070 SIP/2.0",
            "Route: <sip:10.0.0.1;lr>\r\nRoute: <sip:10.0.0.2;lr>\r\n",
        ),
        (
            "<sip:10.0.0.1>, <sip:10.0.0.2;lr>",
            "BYE sip:10.0.0.1 SIP/2.0",
            "Route: <sip:10.0.0.2;lr>\r\nRoute: <sip:ann@127.0.0.1:5070>\r\n",
        ),
    ] {
        let mut world = World::new();
        world.receive(&invite(1, "", SDP).replace("Max-", &format!("Record-Route: {route}\r\nMax-")));
        let ok = world.command(LegCommand::Answer { sdp: ANSWER.to_owned() });
        assert!(ok[0].contains(&format!("Record-Route: {route}\r\n")));
        world.receive(&in_dialog("ACK", 1, &to_tag(&ok[0]), "ack"));
        let leg = world.calls[0].leg;
        world.agent.handle_command(leg, LegCommand::Hangup, world.now);
        world.agent.outputs.retain(|output| matches!(output, Output::Send { .. }));
        let Some(Output::Send { bytes, path, .. }) = world.agent.outputs.pop_back() else { panic!("BYE is sent") };
        let bye = String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(path.hop.to_string(), "udp:10.0.0.1:5060");
        assert!(bye.starts_with(start) && bye.contains(routes), "{bye}");
    }
}

#[test]
fn strangers_open_nothing() {
    let mut world = World::new();
    let sent = world.receive_from(&invite(1, "", SDP), "203.0.113.9:5060");
    assert_eq!(starts(&sent), ["SIP/2.0 403 Forbidden"]);
    let tag = world.talk();
    let bye = in_dialog("BYE", 2, &tag, "bye");
    for wrong in [
        bye.replace(&tag, "0123456789abcdef"),
        bye.replace("tag=f1", "tag=f2"),
        bye.replace("Call-ID: c1", "Call-ID: c2"),
        bye.replace(&format!(";tag={tag}"), ""),
    ] {
        let sent = world.receive_from(&wrong, "203.0.113.9:5060");
        assert_eq!(starts(&sent), ["SIP/2.0 403 Forbidden"], "nobody else hangs up our calls: {wrong}");
    }
    assert_eq!(world.agent.live_legs(), 1);
}

/// A proxy that does not record its route is asked once: whatever follows comes from the caller itself.
#[test]
fn a_caller_whose_proxy_leaves_the_way_is_known_by_its_dialog() {
    let (mut world, caller) = (World::new(), "203.0.113.9:5060");
    world.receive(&invite(1, "", SDP));
    let tag = to_tag(&world.command(LegCommand::Answer { sdp: ANSWER.to_owned() })[0]);
    world.receive_from(&in_dialog("ACK", 1, &tag, "ack"), caller);
    assert_eq!(world.events, [LegEvent::Established { sdp: None }]);
    assert!(world.run_until(40_000).is_empty(), "the answer has been acknowledged");
    let sent = world.receive_from(&in_dialog("BYE", 2, &tag, "bye"), caller);
    assert_eq!(starts(&sent), ["SIP/2.0 200 OK"]);
    assert_eq!(world.events[1..], [LegEvent::Ended(LegEnd::RemoteHangup)]);
}

#[test]
fn phones_without_tags_and_branches_are_served() {
    let old = |text: String| text.replace(";tag=f1", "").replace(";branch=z9hG4bK", ";x=");
    let mut world = World::new();
    world.receive(&old(invite(1, "", SDP)));
    world.receive(&old(invite(1, "", SDP)));
    assert_eq!(world.calls.len(), 1);
    let tag = to_tag(&world.command(LegCommand::Answer { sdp: ANSWER.to_owned() })[0]);
    world.receive(&old(in_dialog("ACK", 1, &tag, "ack")));
    world.receive(&old(in_dialog("BYE", 2, &tag, "bye")));
    assert_eq!(world.events, [LegEvent::Established { sdp: None }, LegEvent::Ended(LegEnd::RemoteHangup)]);
    assert!(world.forgets_everything());
}

#[test]
fn an_attended_transfer_names_the_other_dialog_as_its_far_end_knows_it() {
    let mut world = World::new();
    let tag = world.talk();
    let (first, second) = (world.calls[0].leg, invite(1, "", SDP).replace("c1", "c2").replace("z9hG4bK", "z9hG4bKc2"));
    world.receive(&second);
    let ok = world.command(LegCommand::Answer { sdp: ANSWER.to_owned() });
    let ack = in_dialog("ACK", 1, &to_tag(&ok[0]), "ack2").replace("Call-ID: c1", "Call-ID: c2");
    world.receive(&ack);
    let sent = world.command(LegCommand::Refer { to: "sip:bob@h".to_owned(), replaces: Some(first) });
    let refer_to = format!("Refer-To: <sip:bob@h?Replaces=c1%3Bto-tag%3Df1%3Bfrom-tag%3D{tag}>\r\n");
    assert!(sent[0].starts_with("REFER ") && sent[0].contains(&refer_to), "{}", sent[0]);
    world.command(LegCommand::Refer { to: "sip:bob@h".to_owned(), replaces: Some(LegId(99)) });
    assert_eq!(world.events.last(), Some(&LegEvent::Referred { status: 481, last: true }), "no such leg");
}

/// Whatever order datagrams, commands and time come in: every call hears that it is over exactly once, last, and
/// nothing stays behind.
#[test]
fn every_leg_ends_once_in_whatever_order_things_happen() {
    for seed in 0..300 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut world = World::new();
        let mut tags: Vec<String> = vec![String::new(), "nobody".to_owned()];
        let mut heard: BTreeMap<LegId, Vec<LegEvent>> = BTreeMap::new();
        let mut byes: Vec<String> = Vec::new();
        for _ in 0..80 {
            let (cseq, call) = (rng.random_range(1..4), rng.random_range(0..3));
            let tag = tags[rng.random_range(0..tags.len())].clone();
            let to = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
            let sdp = if rng.random_bool(0.7) { SDP } else { "" };
            let branch = format!("invite{cseq}");
            let text = match rng.random_range(0..8) {
                0 | 1 => invite(cseq, &to, sdp),
                2 => in_dialog("ACK", cseq, &tag, &branch),
                3 => in_dialog("ACK", cseq, &tag, "ack"),
                4 => in_dialog("BYE", cseq, &tag, &format!("bye{cseq}")),
                5 => in_dialog("CANCEL", cseq, "", &branch),
                6 if !byes.is_empty() => reply(&byes[rng.random_range(0..byes.len())], "200 OK"),
                _ => in_dialog("OPTIONS", cseq, &tag, "o"),
            };
            let text = text.replace("Call-ID: c1", &format!("Call-ID: c{call}"));
            let text = text.replace("branch=z9hG4bKi", &format!("branch=z9hG4bK{call}i"));
            world.agent.handle_message(text.as_bytes(), &path(CALLER), world.now);
            if rng.random_bool(0.5) {
                let leg = LegId(rng.random_range(1..6));
                let command = match rng.random_range(0..5) {
                    0 => LegCommand::Ring,
                    1 | 2 => LegCommand::Answer { sdp: ANSWER.to_owned() },
                    3 => LegCommand::Reject(Rejection::status(486)),
                    _ => LegCommand::Hangup,
                };
                world.agent.handle_command(leg, command, world.now);
            }
            if rng.random_bool(0.3) {
                world.now =
                    world.at((world.now.mono - world.start.mono).as_millis() as u64 + rng.random_range(0..20_000));
                world.agent.handle_timeout(world.now);
            }
            while let Some(output) = world.agent.poll_output() {
                match output {
                    Output::Incoming(incoming) => drop(heard.insert(incoming.leg, Vec::new())),
                    Output::Event { event: LegEvent::Ladder(_), .. } => {}
                    Output::Event { leg, event } => heard.get_mut(&leg).expect("a call known to us").push(event),
                    Output::Resolve { .. } | Output::Trunk(_) => panic!("everything here is an address"),
                    Output::Send { bytes, .. } => {
                        let text = String::from_utf8(bytes.to_vec()).unwrap();
                        if text.starts_with("BYE") {
                            byes.push(text);
                        } else if text.contains("INVITE\r\n") && !text.starts_with("SIP/2.0 100") {
                            tags.push(to_tag(&text));
                        }
                    }
                }
            }
        }
        world.agent.handle_shutdown(world.now);
        while let Some(at) = world.agent.poll_timeout() {
            world.now.mono = at;
            world.agent.handle_timeout(world.now);
        }
        while let Some(output) = world.agent.poll_output() {
            if let Output::Event { leg, event } = output
                && !matches!(event, LegEvent::Ladder(_))
            {
                heard.get_mut(&leg).expect("a call known to us").push(event);
            }
        }
        assert!(world.forgets_everything(), "seed {seed}");
        for (leg, events) in &heard {
            let ends = events.iter().filter(|event| matches!(event, LegEvent::Ended(_))).count();
            let last = matches!(events.last(), Some(LegEvent::Ended(_)));
            let established = events.iter().filter(|event| matches!(event, LegEvent::Established { .. })).count();
            assert!(ends == 1 && last && established <= 1, "seed {seed}, leg {leg}: {events:?}");
        }
    }
}

#[test]
fn what_was_said_on_a_leg_comes_right_before_its_end() {
    let mut world = World::new();
    let tag = world.talk();
    world.receive(&in_dialog("OPTIONS", 2, &tag, "o"));
    world.receive(&in_dialog("OPTIONS", 2, &tag, "o"));
    world.receive_from(&invite(1, "", SDP), "203.0.113.9:5060");
    world.receive(&in_dialog("BYE", 3, &tag, "bye"));
    let rungs: Vec<_> = world.ladders[0].rungs.iter().map(|rung| (rung.sent, rung.cseq.as_str(), rung.again)).collect();
    assert_eq!(
        rungs,
        [
            (false, "1 INVITE", 0),
            (true, "1 INVITE", 0),
            (true, "1 INVITE", 0),
            (false, "1 ACK", 0),
            (false, "2 OPTIONS", 1),
            (true, "2 OPTIONS", 1),
            (false, "3 BYE", 0),
            (true, "3 BYE", 0)
        ]
    );
    assert!(world.agent.ladders.is_empty());
}
