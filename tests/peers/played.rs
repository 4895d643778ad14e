//! Packets as networks and telephones make them, played by SIPp from a capture: set anew, renamed, doubled, mixed up, and
//! comfort noise. SIPp sends them through a raw socket, which only root may have.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use trunkline::audio::g711::Law;
use trunkline::rtp::packet::Packet;

use super::house::{Gateway, Settings};
use super::sipp::{self, Scenario};
use super::sound::{frames, is_heard_through, sides};

const EVENT: u8 = 101;

/// A capture in the making (the classic format of libpcap, Ethernet): RTP on its way from one port to another.
struct Capture {
    bytes: Vec<u8>,
    at_ms: u32,
    sequence: u16,
    stamp: u32,
    ssrc: u32,
}

impl Capture {
    fn new() -> Self {
        let header = [0xA1B2_C3D4_u32, 2 | 4 << 16, 0, 0, 65_535, 1];
        let bytes = header.iter().flat_map(|word| word.to_le_bytes()).collect();
        Self { bytes, at_ms: 0, sequence: 100, stamp: 1_000, ssrc: 0x51BB }
    }

    /// A packet as it stands, without time passing.
    fn packet(&mut self, payload_type: u8, sequence: u16, stamp: u32, payload: &[u8]) {
        let mut rtp = [0; 256];
        let packet = Packet { marker: false, payload_type, sequence, timestamp: stamp, ssrc: self.ssrc, payload };
        let length = packet.write(&mut rtp).expect("it fits");
        let mut ethernet = vec![0; 12];
        ethernet.extend([8, 0]);
        let ip_length = (28 + length) as u16;
        ethernet.extend([0x45, 0]);
        ethernet.extend(ip_length.to_be_bytes());
        ethernet.extend([0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        for field in [6_000, 6_000, ip_length - 20, 0_u16] {
            ethernet.extend(field.to_be_bytes());
        }
        ethernet.extend(&rtp[..length]);
        let whole = ethernet.len() as u32;
        for word in [self.at_ms / 1_000, self.at_ms % 1_000 * 1_000, whole, whole] {
            self.bytes.extend(word.to_le_bytes());
        }
        self.bytes.extend(ethernet);
    }

    /// The next frame of sound, 20 ms after the one before.
    fn frame(&mut self, sound: &[u8]) {
        self.packet(0, self.sequence, self.stamp, sound);
        self.pass(1, 160);
    }

    fn pass(&mut self, packets: u16, samples: u32) {
        self.at_ms += 20;
        self.sequence = self.sequence.wrapping_add(packets);
        self.stamp = self.stamp.wrapping_add(samples);
    }

    fn silence(&mut self, frames: usize) {
        for _ in 0..frames {
            self.frame(&[Law::Mu.encode(0); 160]);
        }
    }

    /// A key, held for 100 ms (RFC 4733).
    fn key(&mut self, event: u8) {
        for (n, end) in [false, false, false, false, false, true, true, true].into_iter().enumerate() {
            let duration = (160 * (n.min(5) + 1) as u16).to_be_bytes();
            let payload = [event, if end { 0x8A } else { 0x0A }, duration[0], duration[1]];
            self.packet(EVENT, self.sequence, self.stamp, &payload);
            self.pass(1, 0);
        }
        self.stamp = self.stamp.wrapping_add(160 * 8);
    }

    fn write(&self, to: &Path) {
        std::fs::write(to, &self.bytes).expect("a file");
    }
}

/// Half a second of a tone that rises from `hz`, by which it is known among others.
fn tone(hz: f64) -> Vec<i16> {
    let mut phase = 0.0_f64;
    let sample = |n: i32| {
        phase += (hz + f64::from(n) / 40.0) / 8_000.0 * std::f64::consts::TAU;
        (phase.sin() * 8_000.0) as i16
    };
    (0..4_000).map(sample).collect()
}

#[test]
fn a_stream_that_sipp_jumps_renames_doubles_mixes_up_and_fills_with_comfort_noise_is_heard_through() {
    if !sipp::is_here() {
        return;
    }
    if std::fs::metadata("/proc/self").is_ok_and(|us| us.uid() != 0) {
        return println!("skipped: SIPp plays captures for root only");
    }
    let tones = [400.0, 700.0, 1_000.0, 1_300.0, 1_600.0, 1_900.0].map(tone);
    let coded: Vec<Vec<Vec<u8>>> = tones
        .iter()
        .map(|tone| frames(tone).iter().map(|frame| frame.map(|sample| Law::Mu.encode(sample)).to_vec()).collect())
        .collect();
    let mut capture = Capture::new();
    capture.silence(20);
    coded[0].iter().for_each(|frame| capture.frame(frame));
    capture.silence(20);
    // Its numbers are set anew.
    capture.sequence = capture.sequence.wrapping_add(20_000);
    capture.silence(5);
    coded[1].iter().for_each(|frame| capture.frame(frame));
    capture.silence(20);
    // Another stream.
    (capture.ssrc, capture.sequence, capture.stamp) = (0xBEEF, 9, 4_000_000_000);
    capture.silence(10);
    coded[2].iter().for_each(|frame| capture.frame(frame));
    capture.silence(20);
    // Everything twice.
    for frame in &coded[3] {
        capture.packet(0, capture.sequence, capture.stamp, frame);
        capture.frame(frame);
    }
    capture.silence(20);
    // Of each two packets the second comes first.
    for pair in coded[4].chunks_exact(2) {
        let (sequence, stamp) = (capture.sequence, capture.stamp);
        capture.packet(0, sequence + 1, stamp + 160, &pair[1]);
        capture.pass(1, 160);
        capture.packet(0, sequence, stamp, &pair[0]);
        capture.pass(1, 160);
    }
    capture.silence(20);
    // A second of soft noise, described once (RFC 3389).
    capture.packet(13, capture.sequence, capture.stamp, &[40]);
    capture.pass(1, 160);
    (0..49).for_each(|_| capture.pass(0, 160));
    coded[5].iter().for_each(|frame| capture.frame(frame));
    capture.silence(10);
    capture.key(2);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("stream.pcap");
    capture.write(&file);

    let gateway = Gateway::start(Settings { plan: "tests/gateway/patient.yaml".into(), ..Settings::default() });
    let offer = sipp::SDP.replace("17000 RTP/AVP 0 101", "[media_port] RTP/AVP 0 13 101");
    Scenario::invite("", &offer)
        .ringing()
        .expect(200)
        .ack(1, "")
        .plays(&file)
        .expect_request("BYE")
        .answer("200 OK", "", "")
        .run_with(gateway.sip, &["-m", "1", "-mp", &gateway.spare.to_string()])
        .check();
    let record = gateway.record();
    let media = &record["media"];
    assert_eq!(record["result"], "enough", "the key was heard: {record:#}");
    let (heard, _) = sides(media["recording"]["path"].as_str().expect("a recording"));
    is_heard_through(&tones, &heard, media);
}
