//! What each codec costs: encoding and decoding one call, as shares of a core.
//!
//! ```sh
//! cargo run --release --example codecs
//! ```
//!
//! A minute of something like a voice goes through each in packets of 20 ms, several times over; the quickest round
//! counts, because the others were disturbed. A call that speaks and listens costs both.

use std::time::Duration;

use trunkline::audio::FRAME_8K;
use trunkline::audio::codec::{Decoder, Encoder, MOST_SAMPLES};
use trunkline::rtp::{Codec, OpusParams};
use trunkline::time::{Clock, SystemClock};

/// Packets of 20 ms in a round: a minute.
const PACKETS: usize = 3_000;
/// Rounds of which the quickest counts.
const ROUNDS: usize = 5;

fn main() {
    let voice = voice();
    println!("| codec | encoding | decoding | both, calls a core |\n| --- | --- | --- | --- |");
    for codec in Codec::ALL {
        let (mut encoding, mut decoding) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            let (encoded, took) = encode(codec, &voice);
            encoding = encoding.min(took);
            decoding = decoding.min(decode(codec, &encoded));
        }
        let micros = |took: Duration| took.as_secs_f64() * 1e6 / PACKETS as f64;
        let (encoding, decoding) = (micros(encoding), micros(decoding));
        let calls = 20_000.0 / (encoding + decoding);
        println!("| {codec} | {encoding:.1} µs | {decoding:.1} µs | {calls:.0} |");
    }
}

/// Partials that glide, in syllables, on a little noise.
fn voice() -> Vec<i16> {
    let mut phase = 0.0_f64;
    let mut state = 1_u32;
    let sample = |n: usize| {
        let at = n as f64 / 8_000.0;
        phase += (140.0 + 30.0 * (at * 3.0).sin()) / 8_000.0 * std::f64::consts::TAU;
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let partials: f64 = (1..12).map(|partial| (f64::from(partial) * phase).sin() / f64::from(partial)).sum();
        (partials * (at * 12.0).sin().abs() * 5_000.0) as i16 + (state >> 16) as i16 / 512
    };
    (0..PACKETS * FRAME_8K).map(sample).collect()
}

fn encode(codec: Codec, voice: &[i16]) -> (Vec<Vec<u8>>, Duration) {
    let mut encoder = Encoder::new(codec, &OpusParams::default()).expect("every codec is linked");
    let mut payload = [0; 400];
    let mut packets = Vec::with_capacity(PACKETS);
    let began = SystemClock.now().mono;
    for frame in voice.chunks_exact(FRAME_8K) {
        let length = encoder.encode(frame, &mut payload);
        packets.push(payload[..length].to_vec());
    }
    (packets, SystemClock.now().mono - began)
}

fn decode(codec: Codec, packets: &[Vec<u8>]) -> Duration {
    let mut decoder = Decoder::new(codec).expect("every codec is linked");
    let mut out = [0; MOST_SAMPLES];
    let began = SystemClock.now().mono;
    for packet in packets {
        decoder.decode(packet, &mut out).expect("it is the codec's own");
    }
    SystemClock.now().mono - began
}
