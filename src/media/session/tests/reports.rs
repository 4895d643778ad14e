//! RTCP of a leg, and silence on the wire.

use super::*;

#[test]
fn silence_on_the_wire_is_reported_each_time_the_timeout_passes_until_it_is_broken() {
    let mut leg = Leg::new(params());
    leg.ticks(999);
    assert!(leg.events.is_empty());
    leg.ticks(1_500);
    assert_eq!(leg.events, ["timeout 20000", "timeout 40000"]);
    leg.receive(&QUIET);
    leg.ticks(999);
    assert_eq!(leg.events.len(), 2);
    leg.ticks(1);
    assert_eq!(leg.events[2..], ["timeout 20000"]);
}

#[test]
fn rtcp_of_the_far_end_is_a_sign_of_life_and_that_of_a_stranger_is_not() {
    let mut leg = Leg::new(params());
    leg.receive(&QUIET);
    let mut report = [0x80, 201, 0, 1, 0, 0, 0, 5];
    for _ in 0..5 {
        leg.ticks(500);
        leg.session.on_datagram(&mut report, far_end(), leg.now, &mut |_, _| true);
    }
    assert!(leg.events.is_empty(), "{:?}", leg.events);
    leg.ticks(500);
    leg.session.on_datagram(&mut report, SocketAddr::from(([198, 51, 100, 66], 4_000)), leg.now, &mut |_, _| true);
    leg.ticks(500);
    assert_eq!(leg.events, ["timeout 20000"]);
}

/// What the leg reports by RTCP at its clock's time.
fn report(leg: &mut Leg) -> Option<(SocketAddr, Vec<u8>)> {
    let mut out = [0; MAX_RTCP_BYTES];
    let (to, length) = leg.session.poll_report(leg.now, &mut out)?;
    leg.session.report_left();
    Some((to, out[..length].to_vec()))
}

/// What the leg reports first, within the seconds a report may take.
fn next_report(leg: &mut Leg) -> (SocketAddr, Vec<u8>) {
    for _ in 0..400 {
        leg.tick(0);
        if let Some(report) = report(leg) {
            return report;
        }
    }
    panic!("no report within eight seconds");
}

#[test]
fn reports_go_to_the_port_above_until_the_far_end_names_another_and_go_on_while_held() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    let (to, bytes) = next_report(&mut leg);
    assert_eq!((to, bytes[1]), (SocketAddr::new(far_end().ip(), far_end().port() + 1), 200), "an SR");
    let ours = rtcp::parse(&bytes, 5).about_us.expect("about the stream we hear");
    assert_eq!((ours.total_lost, ours.extended_highest & 0xFFFF), (0, 49));

    let named = SocketAddr::from(([192, 0, 2, 9], 7));
    let held = StreamParams { send: false, receive: false, rtcp: Rtcp::Port(Some(named)), ..params() };
    leg.session.command(MediaCommand::Renegotiate { params: held }, leg.now);
    next_report(&mut leg);
    let (to, bytes) = next_report(&mut leg);
    assert_eq!((to, bytes[1]), (named, 201), "an RR: nothing was sent since the last");

    let muxed = StreamParams { rtcp: Rtcp::Mux, ..params() };
    leg.session.command(MediaCommand::Renegotiate { params: muxed }, leg.now);
    assert_eq!(next_report(&mut leg).0, far_end());
}

#[test]
fn what_the_far_end_reports_becomes_the_lines_quality_and_a_strangers_word_does_not() {
    let mut leg = Leg::new(StreamParams { rtcp: Rtcp::Mux, ..params() });
    leg.hear(&noise(150, -60.0));
    let (_, ours) = next_report(&mut leg);
    let sender = rtcp::parse(&ours, 0).sender_report.expect("an SR");
    let ssrc = Packet::parse(&leg.sent[0]).expect("we send RTP").ssrc;
    let about = rtcp::Reception {
        ssrc,
        fraction_lost: 26,
        total_lost: 15,
        jitter_ticks: 80,
        last_sender_report: sender,
        delay_since: 0,
        ..rtcp::Reception::default()
    };
    let mut theirs = [0; MAX_RTCP_BYTES];
    let length = rtcp::Printer::new(5, "peer").print(None, Some(about), None, false, &mut theirs).expect("room");
    leg.now += Duration::from_millis(80);
    let stranger = SocketAddr::from(([198, 51, 100, 1], 9));
    leg.session.on_datagram(&mut theirs[..length], stranger, leg.now, &mut |_, _| true);
    assert_eq!(leg.session.quality().round_trip_ms, None);
    leg.session.on_datagram(&mut theirs[..length], far_end(), leg.now, &mut |_, _| true);
    let quality = leg.session.quality();
    assert!((quality.round_trip_ms.expect("measured") - 80.0).abs() < 1.0, "{quality:?}");
    assert!((quality.jitter_there_ms.expect("told") - 10.0).abs() < 0.01, "{quality:?}");
    let sent = leg.sent.len() as f64;
    assert!((quality.loss_there_percent.expect("told") - 1_500.0 / sent).abs() < 0.01, "{quality:?}");
    assert!(quality.mos > quality.mos_there && quality.mos_there > Some(2.0), "{quality:?}");
    assert_eq!((quality.rtcp_in, quality.rtcp_out), (1, 1));
}

#[test]
fn a_muted_telephone_that_only_reports_is_not_gone() {
    let mut leg = Leg::new(StreamParams { rtcp: Rtcp::Mux, ..params() });
    for _ in 0..5 {
        leg.ticks(500);
        let mut report = [0; MAX_RTCP_BYTES];
        let length = rtcp::Printer::new(5, "peer").print(None, None, None, false, &mut report).expect("room");
        leg.session.on_datagram(&mut report[..length], far_end(), leg.now, &mut |_, _| true);
    }
    assert!(leg.events.is_empty(), "{:?}", leg.events);
}

#[test]
fn a_muted_telephone_that_only_keeps_its_port_open_is_not_gone() {
    let mut leg = Leg::new(params());
    leg.receive(&QUIET);
    for n in 0..10 {
        leg.ticks(750);
        leg.datagram(127, n, &[]);
    }
    assert!(leg.events.is_empty(), "{:?}", leg.events);
    leg.ticks(1_000);
    assert_eq!(leg.events, ["timeout 20000"]);
}

#[test]
fn a_leg_that_is_over_says_good_bye_and_one_that_never_spoke_does_not() {
    let mut out = [0; MAX_RTCP_BYTES];
    let mut leg = Leg::new(params());
    assert_eq!(leg.session.farewell(leg.now, &mut out), None);
    leg.ticks(5);
    let (_, length) = leg.session.farewell(leg.now, &mut out).expect("it has spoken");
    let ssrc = Packet::parse(&leg.sent[0]).expect("we send RTP").ssrc;
    assert_eq!(rtcp::parse(&out[..length], 0).bye, Some(ssrc));
}

#[test]
fn when_the_far_end_says_its_stream_is_over_the_next_one_is_heard_at_once() {
    let mut leg = Leg::new(StreamParams { rtcp: Rtcp::Mux, ..params() });
    leg.hear(&hum(200));
    let mut report = [0; MAX_RTCP_BYTES];
    let length = rtcp::Printer::new(5, "peer").print(None, None, None, true, &mut report).expect("room");
    leg.session.on_datagram(&mut report[..length], far_end(), leg.now, &mut |_, _| true);
    let packet = Packet { marker: true, payload_type: 0, sequence: 9_000, timestamp: 7, ssrc: 6, payload: &[0; 160] };
    let mut bytes = [0; 300];
    let length = packet.write(&mut bytes).expect("short packets");
    leg.session.on_datagram(&mut bytes[..length], far_end(), leg.now, &mut |_, _| true);
    assert_eq!((leg.session.receiver.ssrc(), leg.session.quality().ssrc_changes), (Some(6), 1));
}

#[test]
fn losses_in_a_burst_are_reported_apart_from_the_others() {
    let mut leg = Leg::new(params());
    // Of 120 packets four, one after the other, never come.
    leg.hear(&noise(50, -60.0));
    leg.sequence += 4;
    leg.ticks(4);
    leg.hear(&noise(66, -60.0));
    let (_, bytes) = next_report(&mut leg);
    let metrics = rtcp::parse(&bytes, 5).metrics.expect("VoIP metrics of what we hear");
    assert_eq!((metrics.burst_density, metrics.burst_duration_ms), (255, 80), "{metrics:?}");
    assert_eq!((metrics.gap_density, metrics.gap_duration_ms), (0, 116 * 20 / 2), "{metrics:?}");
}

#[test]
fn who_has_our_ssrc_is_made_way_for_once_and_an_echo_is_heard_all_the_same() {
    let mut leg = Leg::new(StreamParams { rtcp: Rtcp::Mux, ..params() });
    leg.hear(&hum(100));
    let ssrc_of = |packet: &Vec<u8>| Packet::parse(packet).expect("we send RTP").ssrc;
    let first = ssrc_of(&leg.sent[0]);
    let collide = |leg: &mut Leg, ssrc: u32, sequence: u16| {
        let timestamp = u32::from(sequence) * 160;
        let packet = Packet { marker: false, payload_type: 0, sequence, timestamp, ssrc, payload: &[0x7F; 160] };
        let mut bytes = [0; 300];
        let length = packet.write(&mut bytes).expect("short packets");
        leg.session.on_datagram(&mut bytes[..length], far_end(), leg.now, &mut |_, _| true);
        leg.tick(0);
    };
    // A stranger among streams is believed after three packets; only then does it matter what it is called.
    for number in 0..3 {
        collide(&mut leg, first, number);
    }
    let second = ssrc_of(leg.sent.last().expect("we send"));
    assert_ne!(second, first);
    let (_, goodbye) = report(&mut leg).expect("leave is taken at once");
    assert_eq!(rtcp::parse(&goodbye, 0).bye, Some(first));
    // It takes the new one too: these are our own packets, come back.
    let before = leg.session.receiver.stats().received;
    for number in 0..20 {
        collide(&mut leg, second, 9_000 + number);
    }
    assert_eq!(ssrc_of(leg.sent.last().expect("we send")), second);
    assert!(report(&mut leg).is_none() && leg.session.receiver.stats().received > before + 15);
    assert_eq!(leg.session.receiver.ssrc(), Some(second));
}
