//! What the log says of a call, line by line.

// Tests alone may look up, to the room that shows the log.
#[cfg(test)]
use super::*;
use crate::config::LogFormat;
use crate::observe::captured;

const PRIVATE: [&str; 9] =
    ["2025550143", "2025550177", "Ann Lee", "ann", "47110815", "Signal", "m=audio", "secret", "0123456789abcdef"];

/// A call with everything in it that nobody may read: numbers, names, digits, bodies, credentials.
fn talk_of_private_things(world: &mut World) {
    let with_numbers = |text: &str| {
        text.replace("From: <sip:ann@h>", "From: \"Ann Lee\" <sip:+12025550143@h>")
            .replace("sip:100@", "sip:+12025550177@")
            .replace("Call-ID: c1", "Call-ID: 12025550143-c1")
            .replace(
                "Max-Forwards",
                "Authorization: Digest username=\"ann\", response=\"0123456789abcdef\"\r\nMax-Forwards",
            )
    };
    world.receive(&with_numbers(&invite(1, "", SDP)));
    world.command(LegCommand::Ring);
    let ok = world.command(LegCommand::Answer { sdp: ANSWER.to_owned() });
    let tag = to_tag(&ok[0]);
    world.receive(&with_numbers(&in_dialog("ACK", 1, &tag, "ack")));
    let body = "Signal=4\r\nDuration=160\r\n";
    let info = in_dialog("INFO", 2, &tag, "info").replace(
        "Content-Length: 0\r\n\r\n",
        &format!("Content-Type: application/dtmf-relay\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
    );
    world.receive(&with_numbers(&info));
    let text = "my pin is 47110815, secret";
    let message = in_dialog("MESSAGE", 3, &tag, "message").replace(
        "Content-Length: 0\r\n\r\n",
        &format!("Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}", text.len()),
    );
    world.receive(&with_numbers(&message));
    world.receive(&with_numbers(&in_dialog("BYE", 4, &tag, "bye")));
    world.receive(&with_numbers(&in_dialog("BYE", 4, &tag, "bye")));
}

#[test]
fn every_message_of_a_call_is_a_line_that_names_the_call_and_nothing_of_a_person() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let (page, _guard) = captured("debug", format);
        let mut world = World::new();
        talk_of_private_things(&mut world);
        let log = page.text();
        for private in PRIVATE {
            assert!(!log.contains(private), "{private} in {log}");
        }
        let call = world.calls[0].call.to_string();
        let messages: Vec<&str> = log.lines().filter(|line| line.contains("udp:127.0.0.1:5070")).collect();
        for line in &messages {
            assert!(line.contains(&call), "{call} not in {line}");
        }
        for said in ["INVITE sip:…@127.0.0.1 SIP/2.0", "SIP/2.0 200 OK", "4 BYE", "2 INFO", "SIP/2.0 100 Trying"] {
            assert!(messages.iter().any(|line| line.contains(said)), "{said} in {log}");
        }
        let ways = |way: &str| messages.iter().filter(|line| line.contains(way)).count();
        assert_eq!((ways("received"), ways("sent")), (6, 7), "{log}");
    }
}

#[test]
fn at_info_messages_are_no_lines_and_strangers_are_lines_of_no_call() {
    let (page, _guard) = captured("info", LogFormat::Text);
    let mut world = World::new();
    talk_of_private_things(&mut world);
    assert!(!page.text().contains("received"), "{}", page.text());
    drop(_guard);
    let (page, _guard) = captured("debug", LogFormat::Text);
    world.receive_from(&invite(9, "", SDP), "203.0.113.9:5060");
    let log = page.text();
    assert!(log.contains("received") && log.contains("hop=udp:203.0.113.9:5060") && !log.contains("call{"), "{log}");
    assert!(!log.contains("ann@"), "{log}");
}

#[test]
fn calls_of_ours_are_told_inside_the_span_of_whoever_places_them() {
    let (page, _guard) = captured("debug", LogFormat::Json);
    let mut world = World::new();
    let dial = Dial {
        to: crate::pii::Pii::new("sip:+12025550177@127.0.0.1:5070".to_owned()),
        trunk: None,
        caller: None,
        sdp: Some(SDP.to_owned()),
        ring_timeout: Duration::from_secs(30),
        headers: Vec::new(),
    };
    let span = tracing::info_span!("call", call = "01M7");
    span.in_scope(|| world.agent.handle_dial(dial, world.now)).unwrap();
    world.collect();
    while let Some((query, target)) = world.queries.pop() {
        let paths = target.literal_hop().map(|hop| vec![Path { hop, local: US.parse().unwrap() }]);
        world.agent.handle_resolved(query, paths.ok_or_else(String::new), world.now);
        world.collect();
    }
    let invite = world.sent.last().unwrap().1.clone();
    world.receive(&reply(&invite, "486 Busy Here"));
    let log = page.text();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("udp:127.0.0.1:5070")).collect();
    assert_eq!(lines.len(), 3, "INVITE, 486, ACK: {log}");
    assert!(lines.iter().all(|line| line.contains("\"call\":\"01M7\"")), "{log}");
    assert!(!log.contains("2025550177"), "{log}");
}

#[test]
fn a_call_that_is_turned_away_is_a_line_with_peer_and_cause_and_nothing_of_a_person() {
    let (page, _guard) = captured("info", LogFormat::Text);
    let mut world = World::with_room_for(1);
    world.talk();
    for other in 2..9 {
        let text =
            invite(1, "", SDP).replace("c1", &format!("c{other}")).replace("z9hG4bK", &format!("z9hG4bKc{other}"));
        assert_eq!(starts(&world.receive(&text)), ["SIP/2.0 503 Service Unavailable"]);
    }
    let log = page.text();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("a call is refused")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("WARN") && lines[0].contains("sip.max_calls"), "{log}");
    assert!(lines[0].contains("peer=loopback reason=\"full\""), "{log}");
    assert!(PRIVATE.iter().all(|private| !lines[0].contains(private)), "{log}");
    world.agent.handle_drain(world.now);
    world.receive(&invite(1, "", SDP).replace("c1", "c9").replace("z9hG4bK", "z9hG4bKc9"));
    assert!(page.text().contains("reason=\"draining\""), "{}", page.text());
}
