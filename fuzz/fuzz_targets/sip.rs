//! Datagrams from a peer and from a stranger, in any order, with time passing: the agent answers or is silent, and in
//! the end it has forgotten everything.
//!
//! A datagram ends at a byte 0. What its first byte is decides who sends it and how much time passes before.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use trunkline::id::LegId;
use trunkline::sip::agent::{Agent, Output, Settings};
use trunkline::sip::{Path, Peer, PeerTable};
use trunkline::time::{Clock as _, Now, SystemClock};

/// What an agent may still wait for: a session timer, a transaction, a stranger's allowance.
const EVERYTHING_IS_OVER: u32 = 10_000;

fuzz_target!(|data: &[u8]| {
    let settings = Settings { max_legs: 4, ..Settings::default() };
    let mut agent = Agent::new(settings, PeerTable::new(vec![Peer::loopback()]), [7; 32]);
    let local = "127.0.0.1:5060".parse().expect("an address");
    let peer = Path::udp("127.0.0.1:5070".parse().expect("an address"), local);
    let stranger = Path::udp("203.0.113.9:5060".parse().expect("an address"), local);
    let mut now = SystemClock.now();
    let mut legs = Vec::new();
    for datagram in data.split(|byte| *byte == 0).take(32) {
        let Some((&first, datagram)) = datagram.split_first() else { continue };
        advance(&mut now, Duration::from_millis(u64::from(first >> 1) * 50));
        agent.handle_timeout(now);
        agent.handle_message(datagram, if first & 1 == 0 { &peer } else { &stranger }, now);
        drain(&mut agent, &mut legs, now);
        assert!(agent.live_legs() <= 4, "more legs than there is room for");
    }
    for leg in legs {
        agent.handle_abandoned(leg, now);
    }
    let mut rounds = 0;
    while !agent.is_idle() {
        drain(&mut agent, &mut Vec::new(), now);
        let due = agent.poll_timeout().expect("what is not over waits for something");
        let wait = due.saturating_duration_since(now.mono).max(Duration::from_millis(1));
        advance(&mut now, wait);
        agent.handle_timeout(now);
        rounds += 1;
        assert!(rounds < EVERYTHING_IS_OVER, "something never ends");
    }
});

fn advance(now: &mut Now, by: Duration) {
    now.mono += by;
    now.wall += by;
}

fn drain(agent: &mut Agent, legs: &mut Vec<LegId>, now: Now) {
    while let Some(output) = agent.poll_output() {
        match output {
            Output::Incoming(incoming) => legs.push(incoming.leg),
            Output::Resolve { query, .. } => agent.handle_resolved(query, Err("nobody is asked".to_owned()), now),
            _ => {}
        }
    }
}
