//! RTCP, on a port of its own or on the one of sound: what we report, and what we make of theirs.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use trunkline::media::driver::MediaServer;
use trunkline::media::{BargeIn, MediaCommand};
use trunkline::rtp::packet::is_rtcp;
use trunkline::rtp::{Rtcp, StreamParams, rtcp};

use super::{LEG, Ours, PATIENCE, Peer, config, sweep};

/// Reads from `socket` until RTCP comes; what it says of the stream `ours`, and the first packet type in it.
fn next_report(socket: &UdpSocket, ours: u32) -> (u8, rtcp::Incoming, SocketAddr) {
    let mut buffer = [0; 1_500];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).expect("a report within the patience");
        if is_rtcp(&buffer[..length]) {
            return (buffer[1], rtcp::parse(&buffer[..length], ours), from);
        }
    }
}

#[test]
fn reports_go_both_ways_on_the_port_above_and_the_round_trip_is_measured() {
    let (mut peer, reports) = (Peer::new(), UdpSocket::bind("127.0.0.1:0").unwrap());
    reports.set_read_timeout(Some(PATIENCE)).unwrap();
    let params = StreamParams {
        remote: Some(peer.address()),
        rtcp: Rtcp::Port(Some(reports.local_addr().unwrap())),
        ..StreamParams::default()
    };
    let mut ours = Ours::open_as(MediaServer::start(config()).unwrap(), LEG, params, None);
    ours.play(1, sweep(0.5), BargeIn::Off);
    peer.speak(ours.rtp, &sweep(0.5).samples);
    let (kind, said, from) = next_report(&reports, 99);
    assert_eq!((kind, from.port()), (200, ours.rtp.port() + 1), "a sender report from the port above");
    assert_eq!(said.about_us.expect("it has heard us").total_lost, 0);
    assert!(said.metrics.expect("how we sound").mos_cq > Some(40), "{said:?}");

    let about = rtcp::Reception {
        ssrc: 0x1234_5678,
        last_sender_report: said.sender_report.expect("a sender report"),
        ..rtcp::Reception::default()
    };
    let mut answer = [0; rtcp::MAX_REPORT_BYTES];
    let length = rtcp::Printer::new(99, "peer").print(None, Some(about), None, false, &mut answer).unwrap();
    reports.send_to(&answer[..length], from).unwrap();
    // RTCP ports are read by turns: give the turn time to come.
    ours.finished(1);
    thread::sleep(Duration::from_millis(400));
    let summary = ours.close();
    assert_eq!(next_report(&reports, 99).1.bye, Some(0x1234_5678), "good-bye");
    let quality = &summary.quality;
    assert!(quality.round_trip_ms.is_some_and(|trip| trip < 5_000.0), "{quality:?}");
    assert!(quality.rtcp_in == 1 && quality.rtcp_out >= 2, "{quality:?}");
    assert!(quality.mos > Some(4.0), "{quality:?}");
}

#[test]
fn reports_share_the_port_where_that_was_agreed_on() {
    let mut peer = Peer::new();
    let params = StreamParams { remote: Some(peer.address()), rtcp: Rtcp::Mux, ..StreamParams::default() };
    let ours = Ours::open_as(MediaServer::start(config()).unwrap(), LEG, params, None);
    peer.speak(ours.rtp, &sweep(0.2).samples);
    let (kind, _, from) = next_report(&peer.socket, 99);
    assert_eq!((kind, from), (200, ours.rtp));
    ours.close();
}

#[test]
fn reports_that_shared_the_port_get_one_of_their_own_when_that_is_agreed_on_in_mid_call() {
    let (mut peer, reports) = (Peer::new(), UdpSocket::bind("127.0.0.1:0").unwrap());
    reports.set_read_timeout(Some(PATIENCE)).unwrap();
    let together = StreamParams { remote: Some(peer.address()), rtcp: Rtcp::Mux, ..StreamParams::default() };
    let apart = StreamParams { rtcp: Rtcp::Port(reports.local_addr().ok()), ..together.clone() };
    let ours = Ours::open_as(MediaServer::start(config()).unwrap(), LEG, together, None);
    peer.speak(ours.rtp, &sweep(0.2).samples);
    assert_eq!(next_report(&peer.socket, 99).2, ours.rtp);
    ours.command(MediaCommand::Renegotiate { params: apart });
    let (_, _, from) = next_report(&reports, 99);
    assert_eq!(from.port(), ours.rtp.port() + 1);
    // And what comes there is read.
    let mut theirs = [0; rtcp::MAX_REPORT_BYTES];
    let length = rtcp::Printer::new(99, "peer").print(None, None, None, false, &mut theirs).unwrap();
    reports.send_to(&theirs[..length], from).unwrap();
    thread::sleep(Duration::from_millis(400));
    assert_eq!(ours.close().quality.rtcp_in, 1);
}
