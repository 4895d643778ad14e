//! Connectivity checks: answered only when signed with our password, and never beyond the room given.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::rtp::Ice;
use trunkline::rtp::stun;

fuzz_target!(|datagram: &[u8]| {
    let ice = Ice { ufrag: "ours".to_owned(), password: "a password of 22 letters".to_owned(), their_ufrag: None };
    let from = "192.0.2.7:4000".parse().expect("an address");
    stun::is_stun(datagram);
    for room in [0, 20, 64, 1_500] {
        let mut out = vec![0; room];
        if let Some(answer) = stun::answer(datagram, from, &ice, &mut out) {
            assert!(answer.length <= room, "longer than its room");
        }
    }
});
