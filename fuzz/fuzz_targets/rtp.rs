//! Media datagrams: each two bytes of length, then so much; the port of the sender and the time come from the length.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use trunkline::audio::FRAME_8K;
use trunkline::rtp::{Codec, Receiver, ReceiverConfig, StreamParams};
use trunkline::time::{Clock as _, SystemClock};

fuzz_target!(|data: &[u8]| {
    let Some((&which, mut rest)) = data.split_first() else { return };
    let codec = Codec::ALL[usize::from(which) % Codec::ALL.len()];
    let params = StreamParams {
        remote: Some("192.0.2.7:4000".parse().expect("an address")),
        codec,
        receive_types: (0..).zip(Codec::ALL).collect(),
        telephone_event: Some(101),
        ptime_ms: 20,
        send: true,
        receive: true,
        ..StreamParams::default()
    };
    let mut receiver = Receiver::new(&params, ReceiverConfig::default());
    let mut now = SystemClock.now().mono;
    let mut frame = [0; FRAME_8K];
    while let [low, high, more @ ..] = rest {
        let length = usize::from(*low).min(more.len());
        let source = std::net::SocketAddr::from(([192, 0, 2, 7], 4_000 + u16::from(high & 1)));
        now += Duration::from_millis(u64::from(high >> 1));
        receiver.accept(&more[..length], source, now);
        receiver.pull(now, &mut frame);
        receiver.poll_digit();
        rest = &more[length..];
    }
    receiver.stats();
});
