//! The media thread over real loopback sockets: what a peer sends is heard, what we play arrives whole, and nothing
//! a stranger sends matters.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod bridge;
mod reports;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, error::TryRecvError};
use trunkline::audio::g711::Law;
use trunkline::audio::{FRAME_8K, Pcm, tone, wav};
use trunkline::id::{LegId, PlayId, UtteranceId};
use trunkline::media::driver::{MediaConfig, MediaError, MediaHandle, MediaServer};
use trunkline::media::{
    BargeIn, MediaCommand, MediaEvent, MediaSummary, Offer, OpenLeg, PlayEnd, Recording, RecordingRequest,
};
use trunkline::rtp::StreamParams;
use trunkline::rtp::jitter::JitterConfig;
use trunkline::rtp::packet::Packet;
use trunkline::time::{Clock, SystemClock};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const EVENT_TYPE: u8 = 101;
const LEG: LegId = LegId(1);

fn now() -> Instant {
    SystemClock.now().mono
}

fn config() -> MediaConfig {
    MediaConfig { ports: 31_000..=32_999, port_rest: Duration::from_millis(300), ..MediaConfig::default() }
}

/// Our side of one call.
struct Ours {
    media: MediaHandle,
    events: mpsc::Receiver<MediaEvent>,
    rtp: SocketAddr,
}

impl Ours {
    /// A leg that sends to `remote` until it hears from somewhere.
    fn open(config: MediaConfig, remote: Option<SocketAddr>, recording: Option<&Path>) -> Self {
        let media = MediaServer::start(config).unwrap();
        Self::open_on(media, LEG, remote, recording)
    }

    fn open_on(media: MediaHandle, leg: LegId, remote: Option<SocketAddr>, recording: Option<&Path>) -> Self {
        let params = StreamParams { remote, telephone_event: Some(EVENT_TYPE), ..StreamParams::default() };
        Self::open_as(media, leg, params, recording)
    }

    fn open_as(media: MediaHandle, leg: LegId, params: StreamParams, recording: Option<&Path>) -> Self {
        let port = media.reserve().unwrap();
        let rtp = port.address();
        let (sender, events) = mpsc::channel(64);
        let recording = recording.map(|path| RecordingRequest { path: path.to_owned() });
        let open = OpenLeg {
            leg,
            params,
            jitter: JitterConfig::default(),
            recording,
            random: 0x1234_5678_9ABC_DEF0,
            call: "test".into(),
        };
        media.open(open, port, sender).unwrap();
        Self { media, events, rtp }
    }

    fn play(&self, play: u64, audio: Pcm, barge_in: BargeIn) {
        self.command(MediaCommand::Play { play: PlayId(play), audio: Arc::new(audio), barge_in });
    }

    fn command(&self, command: MediaCommand) {
        self.media.command(LEG, command).unwrap();
    }

    /// The next event that `wanted` makes something of; others are passed over.
    fn wait<T>(&mut self, what: &str, wanted: impl Fn(&MediaEvent) -> Option<T>) -> T {
        let deadline = now() + PATIENCE;
        loop {
            match self.events.try_recv() {
                Ok(event) => {
                    if let Some(found) = wanted(&event) {
                        return found;
                    }
                }
                Err(TryRecvError::Disconnected) => panic!("the leg ended before {what}"),
                Err(TryRecvError::Empty) if now() > deadline => panic!("no {what} within {PATIENCE:?}"),
                Err(TryRecvError::Empty) => thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Milliseconds played, of how many, and why it ended.
    fn finished(&mut self, wanted: u64) -> (u64, u64, PlayEnd) {
        self.wait("finished prompt", |event| match *event {
            MediaEvent::PromptFinished { play, played_ms, total_ms, end, .. } if play == PlayId(wanted) => {
                Some((played_ms, total_ms, end))
            }
            _ => None,
        })
    }

    fn close(mut self) -> MediaSummary {
        self.command(MediaCommand::Close);
        self.wait("closing", |event| match event {
            MediaEvent::Closed(summary) => Some(summary.clone()),
            _ => None,
        })
    }
}

/// The far end: a socket that keeps what it receives and can send on the beat.
struct Peer {
    socket: UdpSocket,
    sequence: u16,
    timestamp: u32,
}

impl Peer {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, sequence: 7, timestamp: 4_000 }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn send(&mut self, to: SocketAddr, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) {
        let packet = Packet { marker, payload_type, sequence: self.sequence, timestamp, ssrc: 99, payload };
        let mut bytes = [0; 1_500];
        let length = packet.write(&mut bytes).unwrap();
        self.socket.send_to(&bytes[..length], to).unwrap();
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// Sends `samples` in real time, then returns.
    fn speak(&mut self, to: SocketAddr, samples: &[i16]) {
        let mut at = now();
        for frame in samples.chunks(FRAME_8K) {
            thread::sleep(at.saturating_duration_since(now()));
            at += Duration::from_millis(20);
            let payload: Vec<u8> = frame.iter().map(|&sample| Law::Mu.encode(sample)).collect();
            self.send(to, 0, false, self.timestamp, &payload);
            self.timestamp = self.timestamp.wrapping_add(frame.len() as u32);
        }
    }

    /// A key as RFC 4733 phones send it: three packets while it is down, three that say it is up again.
    fn press(&mut self, to: SocketAddr, event: u8) {
        let timestamp = self.timestamp;
        for (place, end) in [false, false, false, true, true, true].into_iter().enumerate() {
            let duration = (160 * (place.min(3) + 1) as u16).to_be_bytes();
            let payload = [event, if end { 0x8A } else { 0x0A }, duration[0], duration[1]];
            self.send(to, EVENT_TYPE, place == 0, timestamp, &payload);
        }
        self.timestamp = self.timestamp.wrapping_add(800);
    }

    /// Receives until `enough` says so of all payload bytes so far; checks that sequence numbers and timestamps run on.
    fn listen(&self, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let mut heard = Vec::new();
        let mut before = None::<(u16, u32)>;
        let mut buffer = [0; 1_500];
        while !enough(&heard) {
            let (length, _) = self.socket.recv_from(&mut buffer).expect("packets within the patience");
            let packet = Packet::parse(&buffer[..length]).expect("we send RTP");
            if let Some((sequence, timestamp)) = before {
                assert_eq!(packet.sequence, sequence.wrapping_add(1), "loopback loses nothing");
                let step = packet.timestamp.wrapping_sub(timestamp);
                assert!(step >= 160 && step.is_multiple_of(160), "time runs in frames, late ticks skip ahead: {step}");
            }
            before = Some((packet.sequence, packet.timestamp));
            assert_eq!(packet.payload.len(), 160);
            heard.extend_from_slice(packet.payload);
        }
        heard
    }
}

fn encoded(pcm: &Pcm) -> Vec<u8> {
    pcm.samples.iter().map(|&sample| Law::Mu.encode(sample)).collect()
}

fn holds(heard: &[u8], wanted: &[u8]) -> bool {
    // Prompts begin at a packet's start when nothing played before.
    heard.chunks(160).enumerate().any(|(place, _)| heard[place * 160..].starts_with(wanted))
}

/// A second that is nowhere like itself, so that nothing can be missing or doubled unnoticed.
fn sweep(seconds: f32) -> Pcm {
    let sample = |n: usize| {
        let t = n as f32 / 8_000.0;
        ((300.0 * t + 700.0 * t * t) * std::f32::consts::TAU).sin() * 12_000.0
    };
    Pcm { rate_hz: 8_000, samples: (0..(seconds * 8_000.0) as usize).map(|n| sample(n) as i16).collect() }
}

#[test]
fn a_prompt_reaches_the_wire_bit_exact_and_complete() {
    let peer = Peer::new();
    let mut ours = Ours::open(config(), Some(peer.address()), None);
    let prompt = sweep(1.0);
    ours.play(1, prompt.clone(), BargeIn::Off);
    let wanted = encoded(&prompt);
    peer.listen(|heard| holds(heard, &wanted));
    assert_eq!(ours.finished(1), (1_000, 1_000, PlayEnd::Completed));
    let summary = ours.close();
    assert!(summary.packets_out >= 50, "{summary:?}");
    assert_eq!(summary.recording, Recording::Off);
}

#[test]
fn a_prompt_at_another_rate_is_resampled_to_the_same_length() {
    let peer = Peer::new();
    let mut ours = Ours::open(config(), Some(peer.address()), None);
    ours.play(1, tone::sine(440.0, -20.0, 400, 16_000), BargeIn::Off);
    let (played_ms, total_ms, end) = ours.finished(1);
    assert_eq!((played_ms, end), (total_ms, PlayEnd::Completed));
    assert!(total_ms.abs_diff(400) <= 5, "{total_ms}");
}

#[test]
fn we_send_to_where_the_peer_sends_from_once_it_does() {
    let (promised, mut actual) = (Peer::new(), Peer::new());
    let ours = Ours::open(config(), Some(promised.address()), None);
    promised.listen(|heard| heard.len() >= 480);
    // The first two packets from a port nobody named are not believed yet.
    actual.speak(ours.rtp, &[0; 800]);
    actual.listen(|heard| heard.len() >= 480);
    let summary = ours.close();
    assert_eq!((summary.packets_in, summary.refused), (3, 2));
}

#[test]
fn a_key_is_heard_once_and_stops_a_prompt_that_keys_may_stop() {
    let mut peer = Peer::new();
    let mut ours = Ours::open(config(), Some(peer.address()), None);
    ours.play(1, sweep(20.0), BargeIn::Keys);
    ours.wait("started prompt", |event| matches!(event, MediaEvent::PromptStarted { .. }).then_some(()));
    peer.speak(ours.rtp, &[0; 800]);
    peer.press(ours.rtp, 5);
    let digit = |event: &MediaEvent| match event {
        MediaEvent::Digit { digit, .. } => Some(digit.face()),
        _ => None,
    };
    assert_eq!(ours.wait("digit", digit), '5');
    let (played_ms, total_ms, end) = ours.finished(1);
    assert_eq!((total_ms, end), (20_000, PlayEnd::Keyed));
    assert!(played_ms > 0 && played_ms < 19_000, "{played_ms}");
    ours.play(2, sweep(0.3), BargeIn::Off);
    peer.press(ours.rtp, 11);
    assert_eq!(ours.wait("digit", digit), '#');
    assert_eq!(ours.finished(2), (300, 300, PlayEnd::Completed));
}

#[test]
fn packets_of_strangers_are_counted_and_change_nothing() {
    let (mut peer, mut stranger) = (Peer::new(), Peer::new());
    let mut ours = Ours::open(config(), Some(peer.address()), None);
    peer.speak(ours.rtp, &[0; 800]);
    stranger.press(ours.rtp, 1);
    stranger.speak(ours.rtp, &[9_000; 800]);
    peer.press(ours.rtp, 2);
    let digit = ours.wait("digit", |event| match event {
        MediaEvent::Digit { digit, .. } => Some(digit.face()),
        _ => None,
    });
    assert_eq!(digit, '2', "the stranger's 1 was not heard");
    peer.listen(|heard| heard.len() >= 800);
    let summary = ours.close();
    assert_eq!(summary.refused, 11, "{summary:?}");
    stranger.socket.set_nonblocking(true).unwrap();
    assert!(stranger.socket.recv_from(&mut [0; 100]).is_err(), "nothing was ever sent there");
}

#[test]
fn thousands_of_random_datagrams_upset_nothing() {
    let mut peer = Peer::new();
    let mut ours = Ours::open(config(), Some(peer.address()), None);
    peer.speak(ours.rtp, &[0; 800]);
    ours.play(1, sweep(2.0), BargeIn::Off);
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for round in 0..6_000 {
        let length = random() % if round % 100 == 0 { 9_000 } else { 300 };
        let mut bytes: Vec<u8> = (0..length).map(|_| random() as u8).collect();
        if round % 2 == 0 && length > 12 {
            // Every other one looks like RTP of the peer's own stream.
            bytes[0] = 0x80 | (bytes[0] & 0x3F);
            bytes[8..12].copy_from_slice(&99_u32.to_be_bytes());
        }
        peer.socket.send_to(&bytes, ours.rtp).unwrap();
        if round % 60 == 0 {
            thread::sleep(Duration::from_millis(10));
        }
    }
    assert_eq!(ours.finished(1), (2_000, 2_000, PlayEnd::Completed));
    let summary = ours.close();
    assert!(summary.refused > 1_000, "{summary:?}");
}

#[test]
fn a_peer_that_sends_nothing_is_reported_and_so_is_one_that_stops() {
    let config = MediaConfig { rtp_timeout: Duration::from_millis(300), ..config() };
    let mut peer = Peer::new();
    let mut ours = Ours::open(config, Some(peer.address()), None);
    let silent = |event: &MediaEvent| match event {
        MediaEvent::RtpTimeout { silent_for } => Some(*silent_for),
        _ => None,
    };
    assert!(ours.wait("timeout", silent) >= Duration::from_millis(300));
    peer.speak(ours.rtp, &[0; 1_600]);
    assert!(ours.wait("second timeout", silent) >= Duration::from_millis(300));
}

#[test]
fn a_recording_keeps_the_caller_left_and_the_bot_right_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recordings").join("call.wav");
    let mut peer = Peer::new();
    let mut ours = Ours::open(config(), Some(peer.address()), Some(&path));
    let (theirs, prompt) = (tone::sine(400.0, -20.0, 1_500, 8_000), tone::sine(1_000.0, -26.0, 1_000, 8_000));
    ours.play(1, prompt.clone(), BargeIn::Off);
    peer.speak(ours.rtp, &theirs.samples);
    assert_eq!(ours.finished(1), (1_000, 1_000, PlayEnd::Completed));
    // The last packets of the caller wait in the jitter buffer for a few ticks.
    thread::sleep(Duration::from_millis(300));
    assert_eq!(ours.close().recording, Recording::Saved { path: path.clone() });
    let mut recorded = hound::WavReader::open(&path).unwrap();
    let samples: Vec<i16> = recorded.samples::<i16>().map(|sample| sample.unwrap()).collect();
    let side = |side: usize| -> Vec<i16> { samples.iter().skip(side).step_by(2).copied().collect() };
    let (left, right) = (side(0), side(1));
    let on_the_line = |pcm: &Pcm| -> Vec<i16> { encoded(pcm).into_iter().map(|byte| Law::Mu.decode(byte)).collect() };
    // What we recorded of ourselves is what we played, before µ-law; what we recorded of them is what came by it.
    assert!(right.windows(prompt.samples.len()).any(|stretch| stretch == prompt.samples), "the prompt, whole");
    let theirs = on_the_line(&theirs);
    let whole = left.windows(theirs.len()).any(|stretch| correlation(stretch, &theirs) > 0.99);
    assert!(whole, "the caller, whole");
    assert!(power(&left, 1_000.0) < power(&left, 400.0) / 100.0);
    assert!(power(&right, 400.0) < power(&right, 1_000.0) / 100.0);
}

fn correlation(one: &[i16], other: &[i16]) -> f64 {
    let dot = |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt().max(1.0)
}

/// Goertzel's algorithm: power of `samples` at `hz`.
fn power(samples: &[i16], hz: f64) -> f64 {
    let turn = 2.0 * (hz / 8_000.0 * std::f64::consts::TAU).cos();
    let (one, two) = samples.iter().fold((0.0, 0.0), |(one, two), &sample| (f64::from(sample) + turn * one - two, one));
    one * one + two * two - turn * one * two
}

#[test]
fn a_recording_that_cannot_be_written_does_not_disturb_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let peer = Peer::new();
    let mut ours = Ours::open(config(), Some(peer.address()), Some(&file.join("call.wav")));
    ours.play(1, sweep(0.5), BargeIn::Off);
    assert_eq!(ours.finished(1), (500, 500, PlayEnd::Completed));
    assert!(matches!(ours.close().recording, Recording::Failed { .. }));
}

#[test]
fn closed_ports_rest_and_a_pool_that_is_empty_says_so() {
    let config = MediaConfig { ports: 33_100..=33_101, port_rest: Duration::from_millis(200), ..config() };
    let media = MediaServer::start(config).unwrap();
    let port = media.reserve().unwrap();
    assert_eq!(port.address(), SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 33_100));
    assert!(matches!(media.reserve(), Err(MediaError::NoPort { .. })));
    drop(port);
    assert!(matches!(media.reserve(), Err(MediaError::NoPort { .. })), "it rests");
    let deadline = now() + PATIENCE;
    while media.reserve().is_err() {
        assert!(now() < deadline, "it never came back");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_call_that_vanishes_takes_its_leg_with_it() {
    let peer = Peer::new();
    let ours = Ours::open(config(), Some(peer.address()), None);
    let Ours { media, events, .. } = ours;
    drop(events);
    let deadline = now() + PATIENCE;
    while media.beat().ticks < 3 || media.beat().legs > 0 {
        assert!(now() < deadline, "the leg is still there");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_call_that_does_not_read_still_learns_that_its_leg_was_closed() {
    let peer = Peer::new();
    let media = MediaServer::start(config()).unwrap();
    let mut ours = Ours::open_on(media, LEG, Some(peer.address()), None);
    for play in 0..30 {
        ours.play(play, sweep(0.02), BargeIn::Off);
    }
    peer.listen(|heard| heard.len() >= 160 * 50);
    for play in 100..130 {
        ours.play(play, sweep(0.02), BargeIn::Off);
    }
    peer.listen(|heard| heard.len() >= 160 * 50);
    ours.command(MediaCommand::Close);
    ours.wait("closing", |event| matches!(event, MediaEvent::Closed(_)).then_some(()));
}

#[test]
fn dropping_the_last_handle_closes_what_is_open() {
    let peer = Peer::new();
    let Ours { media, mut events, .. } = Ours::open(config(), Some(peer.address()), None);
    drop(media);
    let deadline = now() + PATIENCE;
    loop {
        match events.try_recv() {
            Ok(MediaEvent::Closed(_)) => return,
            Ok(_) => {}
            Err(_) => {
                assert!(now() < deadline, "never closed");
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// The development speech set, or why the test is skipped.
fn speech() -> Option<PathBuf> {
    let folder = std::env::var_os("TRUNKLINE_SPEECH").map(PathBuf::from).filter(|folder| folder.is_dir());
    if folder.is_none() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "TRUNKLINE_SPEECH must be set in CI");
        println!("skipped: TRUNKLINE_SPEECH does not name the speech set");
    }
    folder
}

#[test]
fn a_human_voice_stops_the_prompt_and_is_offered_whole() {
    let Some(folder) = speech() else { return };
    let voice = wav::read(&folder.join("en/8k/dig_george_1_3.wav")).unwrap();
    let mut peer = Peer::new();
    let mut ours = Ours::open(config(), Some(peer.address()), None);
    ours.play(1, tone::sine(300.0, -20.0, 20_000, 8_000), BargeIn::Speech);
    let mut spoken = vec![0; 8_000];
    spoken.extend_from_slice(&voice.samples);
    spoken.extend_from_slice(&[0; 8_000]);
    peer.speak(ours.rtp, &spoken);
    let began = ours.wait("speech", |event| match event {
        MediaEvent::SpeechStarted { utterance, .. } => Some(*utterance),
        _ => None,
    });
    assert_eq!(began, UtteranceId(0));
    let (played_ms, _, end) = ours.finished(1);
    assert_eq!(end, PlayEnd::BargedIn);
    assert!((900..3_000).contains(&played_ms), "{played_ms}");
    let offer: Offer = ours.wait("offer", |event| match event {
        MediaEvent::Offered(offer) => Some(offer.clone()),
        _ => None,
    });
    assert_eq!((offer.utterance, offer.revision, offer.during, offer.cut), (began, 0, Some(PlayId(1)), false));
    let on_the_line: Vec<i16> = encoded(&voice).into_iter().map(|byte| Law::Mu.decode(byte)).collect();
    let loud = &on_the_line[on_the_line.len() / 3..on_the_line.len() * 2 / 3];
    assert!(offer.audio.samples.windows(loud.len()).any(|stretch| correlation(stretch, loud) > 0.99));
    ours.command(MediaCommand::Commit { utterance: began });
}

/// Prints what fifty calls cost; asserts only that all of them were served.
#[test]
fn fifty_calls_play_listen_and_record_at_once_on_three_threads() {
    let folder = tempfile::tempdir().unwrap();
    // More threads than most machines of ours have cores, and not a divisor of the calls.
    let threads = NonZeroUsize::new(3).unwrap();
    let media = MediaServer::start(MediaConfig { threads, ..config() }).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut calls: Vec<Ours> = Vec::new();
    let mut peers = Vec::new();
    for leg in 0..50 {
        let peer = Peer::new();
        let path = folder.path().join(format!("{leg}.wav"));
        let ours = Ours::open_on(media.clone(), LegId(leg), Some(peer.address()), Some(&path));
        let play = MediaCommand::Play { play: PlayId(1), audio: Arc::new(sweep(3.0)), barge_in: BargeIn::Speech };
        media.command(LegId(leg), play).unwrap();
        peers.push((peer, ours.rtp));
        calls.push(ours);
    }
    let before = media.beat();
    let beating = talk(peers, Arc::clone(&stop));
    for call in &mut calls {
        assert_eq!(call.finished(1), (3_000, 3_000, PlayEnd::Completed));
    }
    stop.store(true, Ordering::Relaxed);
    let sleeper = beating.join().unwrap();
    let after = media.beat();
    // Of three seconds of prompt.
    let busy = (after.busy - before.busy) / 150;
    println!(
        "50 calls: {} of {} beats late, worst {:?}, busy {busy:?} a frame ({:?} a call); the peers' own worst {sleeper:?}",
        after.late - before.late,
        after.ticks - before.ticks,
        after.worst,
        busy / 50
    );
    for (leg, mut call) in calls.into_iter().enumerate() {
        media.command(LegId(leg as u64), MediaCommand::Close).unwrap();
        let summary = call.wait("closing", |event| match event {
            MediaEvent::Closed(summary) => Some(summary.clone()),
            _ => None,
        });
        assert!(matches!(summary.recording, Recording::Saved { .. }), "{summary:?}");
        assert!(summary.packets_in > 100 && summary.packets_out > 140, "{summary:?}");
    }
}

/// Fifty far ends on one beat; returns how late that beat was at worst, an idle sleeper's measure of the machine.
fn talk(mut peers: Vec<(Peer, SocketAddr)>, stop: Arc<AtomicBool>) -> JoinHandle<Duration> {
    thread::spawn(move || {
        let mut at = now();
        let mut worst = Duration::ZERO;
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(at.saturating_duration_since(now()));
            worst = worst.max(now().saturating_duration_since(at));
            at += Duration::from_millis(20);
            for (peer, to) in &mut peers {
                let timestamp = peer.timestamp;
                peer.send(*to, 0, false, timestamp, &[0xFF; 160]);
                peer.timestamp = timestamp.wrapping_add(160);
            }
        }
        worst
    })
}
