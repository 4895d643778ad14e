//! Session descriptions: whatever is offered, our answer is one that we could read ourselves.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::rtp::Codec;
use trunkline::sdp::{self, Local, Negotiation, SrtpPolicy};

fuzz_target!(|data: (u8, &str)| {
    let (settings, text) = data;
    let srtp = [SrtpPolicy::Off, SrtpPolicy::Optional, SrtpPolicy::Required][usize::from(settings & 3) % 3];
    let local = Local {
        address: "192.0.2.1".parse().expect("an address"),
        port: 20_000,
        codecs: &Codec::ALL,
        srtp,
        rtcp_mux: settings & 4 != 0,
        ice: settings & 8 != 0,
        keys: [9; 92],
        ..Local::default()
    };
    let mut negotiation = Negotiation::new(local.clone());
    for _ in 0..2 {
        if let Ok((answer, _)) = negotiation.answer(text) {
            let media = sdp::session::parse(&answer).expect("our answer is well formed");
            assert!(media.iter().filter(|media| media.port != 0).count() <= 1, "one stream is taken:\n{answer}");
        }
    }
    negotiation.offer(sdp::session::Direction::SendRecv);
    let _ = negotiation.accept(text);
});
