//! How much of a core calls cost a media thread: each plays a prompt and listens, with RTP both ways on loopback.
//!
//! ```sh
//! cargo run --release --example media_load -- 600 10 [record] [talk]
//! ```
//!
//! Calls, seconds; `record` keeps a stereo recording of each, `talk` makes every caller speak instead of hum.
//! The far ends run on a thread of their own, so on a small machine half of the load is theirs; `busy` counts only
//! what the media thread works, by the wall clock.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use trunkline::audio::g711::Law;
use trunkline::audio::tone;
use trunkline::id::{LegId, PlayId};
use trunkline::media::driver::{MediaConfig, MediaServer};
use trunkline::media::{BargeIn, MediaCommand, OpenLeg, RecordingRequest};
use trunkline::rtp::jitter::JitterConfig;
use trunkline::rtp::packet::Packet;
use trunkline::rtp::{Codec, StreamParams};
use trunkline::time::{Clock, SystemClock};

#[path = "../src/media/fixtures.rs"]
mod fixtures;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |place: usize, otherwise: u64| words.get(place).and_then(|word| word.parse().ok()).unwrap_or(otherwise);
    let (calls, seconds) = (number(0, 50), number(1, 10));
    let says = |wanted: &str| words.iter().any(|word| word == wanted);
    let folder = std::env::temp_dir().join(format!("media_load.{}", std::process::id()));
    let media = MediaServer::start(MediaConfig::default()).expect("media");
    let prompt = Arc::new(tone::sine(300.0, -20.0, seconds as u32 * 1_000, 8_000));
    let (mut peers, mut events) = (Vec::new(), Vec::new());
    for leg in 0..calls {
        let peer = UdpSocket::bind("127.0.0.1:0").expect("a peer");
        let port = media.reserve().expect("a port");
        let params = StreamParams {
            remote: Some(peer.local_addr().expect("bound")),
            codec: Codec::Pcmu,
            payload_type: 0,
            telephone_event: None,
            ptime_ms: 20,
            send: true,
            receive: true,
            ..StreamParams::default()
        };
        peer.connect(port.address()).expect("loopback");
        peer.set_nonblocking(true).expect("a socket");
        let recording = says("record").then(|| RecordingRequest { path: folder.join(format!("{leg}.wav")) });
        let (sender, receiver) = mpsc::channel(64);
        let open = OpenLeg {
            leg: LegId(leg),
            params,
            jitter: JitterConfig::default(),
            recording,
            random: leg,
            call: String::new(),
        };
        media.open(open, port, sender).expect("room");
        let play = MediaCommand::Play { play: PlayId(0), audio: Arc::clone(&prompt), barge_in: BargeIn::Off };
        media.command(LegId(leg), play).expect("room");
        peers.push(peer);
        events.push(receiver);
    }
    let sounds = if says("talk") { fixtures::voice(500, 16_000.0) } else { fixtures::noise(500, -50.0) };
    let stop = Arc::new(AtomicBool::new(false));
    let talking = thread::spawn({
        let stop = Arc::clone(&stop);
        move || talk(&peers, &sounds, &stop)
    });
    thread::sleep(Duration::from_secs(1));
    let (before, began) = (media.beat(), SystemClock.now().mono);
    thread::sleep(Duration::from_secs(seconds.saturating_sub(2)));
    let (after, lasted) = (media.beat(), SystemClock.now().mono.saturating_duration_since(began));
    stop.store(true, Ordering::Relaxed);
    let (worst, received) = talking.join().expect("the peers");
    let ticks = after.ticks - before.ticks;
    let busy = (after.busy - before.busy).as_secs_f64() / lasted.as_secs_f64();
    println!(
        "{calls} calls: {ticks} beats, {} late, worst since start {:?}; media thread {:.1} % of a core, {:.0} calls a core; \
         peers got {received} packets, their own worst beat {worst:?}",
        after.late - before.late,
        after.worst,
        busy * 100.0,
        calls as f64 / busy
    );
    let _ = std::fs::remove_dir_all(folder);
}

/// All far ends on one beat: the worst of it, and how many packets they got.
fn talk(peers: &[UdpSocket], sounds: &[fixtures::Frame], stop: &AtomicBool) -> (Duration, u64) {
    let payloads: Vec<[u8; 160]> = sounds.iter().map(|frame| frame.map(|sample| Law::Mu.encode(sample))).collect();
    let (mut sequence, mut received, mut worst) = (0_u16, 0, Duration::ZERO);
    let mut at = SystemClock.now().mono;
    while !stop.load(Ordering::Relaxed) {
        let now = SystemClock.now().mono;
        thread::sleep(at.saturating_duration_since(now));
        worst = worst.max(now.saturating_duration_since(at));
        at += Duration::from_millis(20);
        for (peer, payload) in peers.iter().zip(payloads.iter().cycle().skip(usize::from(sequence) % payloads.len())) {
            let timestamp = u32::from(sequence) * 160;
            let packet = Packet { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5, payload };
            let mut bytes = [0; 200];
            let length = packet.write(&mut bytes).expect("room for 172 bytes");
            let _ = peer.send(&bytes[..length]);
            let mut buffer = [0; 200];
            while peer.recv(&mut buffer).is_ok() {
                received += 1;
            }
        }
        sequence = sequence.wrapping_add(1);
    }
    (worst, received)
}
