//! Compound RTCP packets.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::rtp::rtcp;

fuzz_target!(|datagram: &[u8]| {
    rtcp::parse(datagram, 0x7a7a_7a7a);
});
