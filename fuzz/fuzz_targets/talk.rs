//! What comes inside a call that stands: offers, refusals, referrals, session timers, all out of order.

#![no_main]

#[path = "shared/far_end.rs"]
#[allow(dead_code, reason = "the calls of this one come by themselves")]
mod far_end;

use libfuzzer_sys::fuzz_target;
use trunkline::sip::agent::{Agent, Settings};
use trunkline::sip::{Path, Peer, PeerTable};
use trunkline::time::{Clock as _, SystemClock};

const INVITE: &[u8] = b"INVITE sip:1000@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK0\r\n\
Max-Forwards: 70\r\nFrom: <sip:ann@127.0.0.1>;tag=a\r\nTo: <sip:1000@127.0.0.1>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
Contact: <sip:ann@127.0.0.1:5070>\r\nSupported: timer, 100rel, replaces\r\nAllow: INVITE, UPDATE, INFO\r\n\
Content-Type: application/sdp\r\nContent-Length: 102\r\n\r\n\
v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n   ";

fuzz_target!(|data: &[u8]| {
    let settings = Settings { max_legs: 4, ..Settings::default() };
    let mut agent = Agent::new(settings, PeerTable::new(vec![Peer::loopback()]), [7; 32]);
    let here = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let path = Path::udp(here(5070), here(5060));
    let now = SystemClock.now();
    agent.handle_message(INVITE, &path, now);
    far_end::FarEnd::default().play(data, &mut agent, &path, now);
});
