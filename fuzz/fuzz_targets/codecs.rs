//! Payloads of every codec: decoded to no more than there is room for, lost ones made up, and sound encoded again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::audio::codec::{Decoder, Encoder, MOST_SAMPLES};
use trunkline::rtp::{Codec, OpusParams};

fuzz_target!(|data: &[u8]| {
    let Some((&which, mut rest)) = data.split_first() else { return };
    let codec = Codec::ALL[usize::from(which & 0x7f) % Codec::ALL.len()];
    let Ok(mut decoder) = Decoder::new(codec) else { return };
    let Ok(mut encoder) = Encoder::new(codec, &OpusParams::default()) else { return };
    let (mut sound, mut wire) = ([0; MOST_SAMPLES], [0; 1_500]);
    while let [length, more @ ..] = rest {
        let (payload, after) = more.split_at(usize::from(*length).min(more.len()));
        assert!(Decoder::samples_of(codec, payload) <= MOST_SAMPLES.max(payload.len()), "longer than a packet may be");
        match decoder.decode(payload, &mut sound) {
            Ok(samples) => assert!(samples <= MOST_SAMPLES, "{samples} samples"),
            Err(_) => drop(decoder.conceal(160, Some(payload), &mut sound[..160])),
        }
        assert!(encoder.encode(&sound[..160], &mut wire) <= wire.len());
        rest = after;
    }
});
