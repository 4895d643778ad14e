//! Tests of [`super::Session`]: one leg on a clock that only ticks.

mod barge_in;
mod bridge;
mod reports;
mod sound;
mod wire;

use std::sync::Arc;

use rtrb::Consumer;

use super::*;
use crate::audio::g711::Law;
use crate::audio::level::rms_dbov;
use crate::audio::{Pcm, tone};
use crate::id::LegId;
use crate::media::fixtures::{Frame, noise, voice};
use crate::media::recorder::ring;
use crate::media::{BargeIn, Offer};
use crate::rtp::Codec;
use crate::rtp::jitter::JitterConfig;
use crate::rtp::packet::Packet;
use crate::rtp::srtp::{Keys, MasterKey, Sealer, Suite};
use crate::rtp::{Digit, Ice, OpusParams, Rtcp, rtcp};
use crate::time::{Clock, SystemClock};

const TIMEOUT: Duration = Duration::from_secs(20);
const QUIET: Frame = [0; FRAME_8K];

/// A leg, its far end, and everything that came of it.
struct Leg {
    session: Session,
    recorded: Consumer<Pair>,
    now: Instant,
    sequence: u16,
    sent: Vec<Vec<u8>>,
    events: Vec<String>,
    offers: Vec<Offer>,
    socket_takes: bool,
}

fn params() -> StreamParams {
    StreamParams {
        remote: Some(far_end()),
        codec: Codec::Pcmu,
        payload_type: 0,
        telephone_event: Some(101),
        ptime_ms: 20,
        send: true,
        receive: true,
        ..StreamParams::default()
    }
}

fn far_end() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], 4_000))
}

impl Leg {
    fn new(params: StreamParams) -> Self {
        let opened = SystemClock.now();
        let now = opened.mono;
        let (tap, recorded) = ring();
        let (leg, call) = (LegId(1), String::new());
        let open = OpenLeg { leg, params, jitter: JitterConfig::default(), recording: None, random: 42, call };
        let session = Session::new(&open, Some(tap), TIMEOUT, opened);
        let (sent, events, offers) = (Vec::new(), Vec::new(), Vec::new());
        Self { session, recorded, now, sequence: 0, sent, events, offers, socket_takes: true }
    }

    fn play(&mut self, play: u64, frames: &[Frame], barge_in: BargeIn) {
        let audio = Arc::new(Pcm { rate_hz: 8_000, samples: frames.as_flattened().to_vec() });
        self.session.command(MediaCommand::Play { play: PlayId(play), audio, barge_in }, self.now);
    }

    fn commit(&mut self, utterance: u64) {
        self.session.command(MediaCommand::Commit { utterance: UtteranceId(utterance) }, self.now);
    }

    /// The far end sends `frame`.
    fn receive(&mut self, frame: &Frame) {
        let payload = frame.map(|sample| Law::Mu.encode(sample));
        let timestamp = u32::from(self.sequence) * 160;
        self.datagram(0, timestamp, &payload);
    }

    fn datagram(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) {
        let packet = Packet { marker: false, payload_type, sequence: self.sequence, timestamp, ssrc: 5, payload };
        let mut bytes = [0; 300];
        let length = packet.write(&mut bytes).expect("short packets");
        self.session.on_datagram(&mut bytes[..length], far_end(), self.now, &mut |_, _| true);
        self.sequence += 1;
    }

    fn tick(&mut self, missed: u32) {
        self.now += FRAME * (missed + 1);
        let (sent, takes) = (&mut self.sent, self.socket_takes);
        self.session.tick(self.now, missed, &mut |to, packet| {
            assert_eq!(to, far_end());
            sent.push(packet.to_vec());
            takes
        });
        while let Some(event) = self.session.poll_event() {
            if let MediaEvent::Offered(offer) = &event {
                self.offers.push(offer.clone());
            }
            self.events.push(self.name(&event));
        }
    }

    /// The far end sends `frames`, one a tick.
    fn hear(&mut self, frames: &[Frame]) {
        for frame in frames {
            self.receive(frame);
            self.tick(0);
        }
    }

    fn ticks(&mut self, count: usize) {
        (0..count).for_each(|_| self.tick(0));
    }

    /// Events as words; times in ms since the leg was opened where they matter.
    fn name(&self, event: &MediaEvent) -> String {
        match event {
            MediaEvent::Digit { digit, .. } => format!("key {}", digit.face()),
            MediaEvent::SpeechStarted { utterance, .. } => format!("speech {utterance}"),
            MediaEvent::Offered(offer) => format!("offer {}.{}", offer.utterance, offer.revision),
            MediaEvent::Resumed { utterance } => format!("resumed {utterance}"),
            MediaEvent::SpeechEnded { utterance } => format!("ended {utterance}"),
            MediaEvent::PromptStarted { play, .. } => format!("started {play}"),
            MediaEvent::PromptFinished { play, played_ms, total_ms, end, .. } => {
                format!("{end:?} {play} {played_ms}/{total_ms}")
            }
            MediaEvent::Recorded(_) => "recorded".to_owned(),
            MediaEvent::KeysSent => "keys sent".to_owned(),
            MediaEvent::RtpTimeout { silent_for } => format!("timeout {}", silent_for.as_millis()),
            MediaEvent::Closed(_) => "closed".to_owned(),
        }
    }

    fn payload(&self, packet: usize) -> Vec<i16> {
        let packet = Packet::parse(&self.sent[packet]).expect("we send RTP");
        packet.payload.iter().map(|&byte| Law::Mu.decode(byte)).collect()
    }

    fn timestamps(&self) -> Vec<u32> {
        let timestamp = |bytes: &Vec<u8>| Packet::parse(bytes).expect("we send RTP").timestamp;
        self.sent.iter().map(timestamp).collect()
    }
}

fn hum(ms: u32) -> Vec<Frame> {
    tone::sine(300.0, -20.0, ms, 8_000).samples.as_chunks().0.to_vec()
}
