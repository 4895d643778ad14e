//! A trunk that answers nonsense: to our registration, and to a call of ours.

#![no_main]

#[path = "shared/far_end.rs"]
mod far_end;

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use trunkline::pii::Pii;
use trunkline::sip::agent::{Agent, Settings};
use trunkline::sip::{Credentials, Dial, Path, Peer, PeerTable, Secret, TrunkSpec};
use trunkline::time::{Clock as _, SystemClock};

fuzz_target!(|data: (bool, &[u8])| {
    let (register, data) = data;
    let here = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let credentials = Credentials { username: "ann".to_owned(), password: Secret::new("stapler") };
    let trunk = TrunkSpec { register, credentials: Some(credentials), ..TrunkSpec::at("carrier", here(5070)) };
    let settings = Settings { max_legs: 4, trunks: vec![trunk], ..Settings::default() };
    let mut agent = Agent::new(settings, PeerTable::new(vec![Peer::loopback()]), [7; 32]);
    let path = Path::udp(here(5070), here(5060));
    let now = SystemClock.now();
    agent.handle_start(now);
    agent.handle_timeout(now);
    let mut far_end = far_end::FarEnd::default();
    let dial = Dial {
        to: Pii::new("sip:bob@127.0.0.1:5070".to_owned()),
        trunk: Some("carrier".into()),
        caller: None,
        sdp: Some(far_end::SDP.to_owned()),
        ring_timeout: Duration::from_secs(30),
        headers: Vec::new(),
    };
    // A trunk may want to be registered with first.
    if let Ok((leg, _)) = agent.handle_dial(dial, now) {
        far_end.adopt(leg);
    }
    far_end.play(data, &mut agent, &path, now);
});
