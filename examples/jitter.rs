//! The adaptive jitter buffer against fixed ones, over networks that jitter, lose, freeze, drift and reorder.
//!
//! ```sh
//! cargo run --release --example jitter
//! ```
//!
//! Ten minutes of a caller who speaks and pauses go through each network, the same packets to each buffer. Printed is,
//! per buffer: the share of frames that did not come from the sender (lost, late, or inserted to wait longer), how long
//! sound took from the sender's socket to our ear, and what the E-model makes of both (`MOS`). Everything comes from
//! seeds: the table is the same each time.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use trunkline::rtp::Codec;
use trunkline::rtp::jitter::{EncodedFrame, JitterBuffer, JitterConfig, Popped, Presence};
use trunkline::rtp::packet::Packet;
use trunkline::rtp::quality::{burst_ratio, mos, r_factor};
use trunkline::rtp::sequence::{Order, Sequence};
use trunkline::time::{Clock, SystemClock};

/// Ten minutes of 20 ms.
const PACKETS: u32 = 30_000;
/// The network's own delay, before anything disturbs it.
const BASE_MICROS: i64 = 30_000;

/// A network: when packet `n` arrives, in microseconds after it was sent; `None` when it never does.
type Network = Box<dyn FnMut(u32, &mut StdRng) -> Option<i64>>;

fn networks() -> Vec<(&'static str, Network)> {
    vec![
        ("steady", Box::new(|_, _| Some(0))),
        ("jitter σ 10 ms", Box::new(|_, random| Some(gaussian(random, 10.0)))),
        ("jitter σ 40 ms", Box::new(|_, random| Some(gaussian(random, 40.0)))),
        ("loss 5 %, jitter 40 ms", Box::new(|_, random| (!random.random_bool(0.05)).then(|| uniform(random, 40)))),
        ("bursts, 5 % lost", bursts(0.05, 4.0)),
        ("bursts, 20 % lost", bursts(0.2, 5.0)),
        (
            "freezes of 200 ms",
            Box::new(|n, random| Some((200_000 - i64::from(n % 300) * 20_000).max(uniform(random, 5)))),
        ),
        ("clock 200 ppm fast", Box::new(|n, random| Some(uniform(random, 5) - i64::from(n) * 4))),
        ("clock 200 ppm slow", Box::new(|n, random| Some(uniform(random, 5) + i64::from(n) * 4))),
        (
            "2 % overtaken",
            Box::new(|_, random| Some(if random.random_bool(0.02) { 50_000 } else { uniform(random, 5) })),
        ),
        ("calm, then rough", Box::new(|n, random| Some(uniform(random, if n / 3_000 % 2 == 0 { 3 } else { 80 })))),
    ]
}

/// Gilbert and Elliott: losses of `mean` packets in a row.
fn bursts(loss: f64, mean: f64) -> Network {
    let mut losing = false;
    Box::new(move |_, random| {
        let leaves = if losing { 1.0 / mean } else { loss / (1.0 - loss) / mean };
        losing ^= random.random_bool(leaves);
        (!losing).then(|| uniform(random, 10))
    })
}

fn uniform(random: &mut StdRng, ms: i64) -> i64 {
    random.random_range(0..=ms * 1_000)
}

/// Half of a normal distribution: nothing is early. Irwin and Hall's sum of twelve.
fn gaussian(random: &mut StdRng, sigma_ms: f64) -> i64 {
    let normal = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    (normal.abs() * sigma_ms * 1_000.0) as i64
}

/// What one buffer made of one network.
struct Heard {
    made_up: f64,
    delay_ms: f64,
    mos: f64,
}

fn hear(arrivals: &[(i64, u32)], config: JitterConfig) -> Heard {
    let zero = SystemClock.now().mono;
    let at = |micros: i64| zero + Duration::from_micros(micros.unsigned_abs());
    let (mut buffer, mut sequence, mut frame) =
        (JitterBuffer::new(config), Sequence::default(), EncodedFrame::default());
    let mut next = arrivals.iter().peekable();
    let (mut frames, mut missing, mut runs, mut was_missing) = (0_u64, 0_u64, 0_u64, false);
    let mut delays = (0_i64, 0_i64);
    for tick in 0..i64::from(PACKETS) {
        let now = tick * 20_000 + 7_000;
        while let Some(&(arrived, n)) = next.next_if(|(arrived, _)| *arrived <= now) {
            push(&mut buffer, &mut sequence, n, at(arrived));
        }
        let popped = buffer.pop(at(now), &mut frame);
        if popped == Popped::Nothing && frames == 0 {
            continue;
        }
        frames += 1;
        // The sender never stops: a buffer that has given up waiting and is silent has lost that frame as well.
        let lost = popped == Popped::Nothing || frame.presence.contains(&Presence::Missing);
        missing += u64::from(lost);
        runs += u64::from(lost && !was_missing);
        was_missing = lost;
        if !lost {
            delays = (delays.0 + now - i64::from(number(&frame)) * 20_000, delays.1 + 1);
        }
    }
    let made_up = missing as f64 / frames as f64;
    let delay_ms = delays.0 as f64 / delays.1 as f64 / 1_000.0;
    let mean_run = missing as f64 / runs.max(1) as f64;
    // A packet's first sample has waited 20 ms for its last one.
    let rating = r_factor(Codec::Pcmu, made_up, burst_ratio(made_up, mean_run), delay_ms + 20.0);
    Heard { made_up, delay_ms, mos: mos(rating) }
}

/// Packet `n`: a second of voice, then 0.6 s of pause, and so on; the signs of its samples spell its number.
fn push(buffer: &mut JitterBuffer, sequence: &mut Sequence, n: u32, arrived: Instant) {
    let level = if n % 80 < 50 { 0x10 } else { 0x7F };
    let payload: [u8; 160] = std::array::from_fn(|bit| level | (((n >> (bit % 16)) & 1) as u8) << 7);
    let packet =
        Packet { marker: false, payload_type: 0, sequence: n as u16, timestamp: n * 160, ssrc: 1, payload: &payload };
    let order = sequence.push(packet.sequence);
    if !matches!(order, Order::Duplicate | Order::Suspect) {
        buffer.push(&packet, Codec::Pcmu, order, arrived);
    }
}

fn number(frame: &EncodedFrame) -> u32 {
    (0..16).map(|bit| u32::from(frame.bytes[bit] >> 7) << bit).sum()
}

fn main() {
    let fixed = |ms| {
        let delay = Duration::from_millis(ms);
        JitterConfig { start: delay, least: delay, most: delay }
    };
    let buffers = [
        ("adaptive 20–120 ms", JitterConfig::default()),
        ("fixed 40 ms", fixed(40)),
        ("fixed 60 ms", fixed(60)),
        ("fixed 100 ms", fixed(100)),
    ];
    let names: String = buffers.iter().map(|(name, _)| format!(" {name} |")).collect();
    println!("| network |{names}\n| --- |{}", " --- |".repeat(buffers.len()));
    for (name, mut network) in networks() {
        let mut random = StdRng::seed_from_u64(7);
        let mut arrivals: Vec<(i64, u32)> = (0..PACKETS)
            .filter_map(|n| Some((i64::from(n) * 20_000 + BASE_MICROS + network(n, &mut random)?, n)))
            .collect();
        arrivals.sort_unstable();
        let cells: String = buffers
            .iter()
            .map(|(_, config)| {
                let Heard { made_up, delay_ms, mos } = hear(&arrivals, *config);
                format!(" {:.2} %, {delay_ms:.0} ms, MOS {mos:.2} |", made_up * 100.0)
            })
            .collect();
        println!("| {name} |{cells}");
    }
}
