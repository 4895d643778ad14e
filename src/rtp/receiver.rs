//! One incoming RTP stream: datagrams in, 20 ms frames, keys and statistics out.
//!
//! ```text
//!   datagram ─▶ size, header ─▶ source ─▶ payload type ─▶ stream ─▶ sequence ─▶ jitter buffer ─▶ pull()
//!                                latch        └─▶ telephone-event ─▶ poll_digit()
//! ```
//!
//! **Whom we listen to** is `source`'s to say.
//!
//! **Which stream.** The first SSRC heard from the latched source. Another one takes over after three packets in a
//! row without a word from the old, or at once when the old has been silent for 200 ms; so two streams that are
//! mixed up by the far end do not chop each other to pieces.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use super::accepted::{Accepted, Refusal};
use super::bursts::{Bursts, Runs};
use super::comfort_noise::ComfortNoise;
use super::decoders::{Decoders, Made};
use super::frames::{self, FrameBuffer};
use super::jitter::{EncodedFrame, JitterBuffer, JitterConfig, Popped, Presence, Pushed};
use super::lateness::Interarrival;
use super::packet::{MAX_DATAGRAM_BYTES, Packet, is_rtcp};
use super::sequence::{Order, Sequence};
use super::source::{BELIEVED_AFTER, Judged, Run, Source};
use super::steering::QUIET_PEAK;
use super::telephone_event::{Press, TelephoneEvents};
use crate::audio::plc::Concealer;
use crate::audio::{FRAME_8K, FRAME_MS};
use crate::rtp::{Codec, Digit, StreamParams};

/// Silence of a stream after which another may take over with its first packet.
const STREAM_SILENT: Duration = Duration::from_millis(200);
/// Presses kept until they are polled, which happens every tick: nobody presses 16 keys in 20 ms.
const PRESSES: usize = 16;
/// Longest payload of a codec that takes a byte for each sample: 200 ms of sound.
const MAX_PAYLOAD: usize = 1_600;
/// Static payload type of comfort noise (RFC 3389), which senders use without negotiating it.
const COMFORT_NOISE: u8 = 13;

/// What a receiver is told beside the negotiated parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// Bounds of the delay.
    pub jitter: JitterConfig,
}

/// What a frame that was pulled consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// What the far end sent.
    Audio,
    /// At least in part made up for what was lost.
    Concealed,
    /// Noise as loud as the far end's own silence, which it described (RFC 3389).
    Noise,
    /// Zeros: nothing is being sent.
    Silence,
}

/// Counters of one receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReceiverStats {
    /// Packets taken: sound, keys, comfort noise.
    pub received: u64,
    /// That should have arrived, from the first to the newest of each stream.
    pub expected: u64,
    /// Expected but never arrived (RFC 3550 §A.3).
    pub lost: u64,
    /// Arrived after one that was sent later.
    pub reordered: u64,
    /// Times sequence numbers or timestamps began anew within a stream.
    pub jumps: u64,
    /// Times another stream took over.
    pub ssrc_changes: u64,
    /// Arrived after their time.
    pub late: u64,
    /// Arrived again.
    pub duplicates: u64,
    /// Not taken, for any [`Refusal`], or passed over.
    pub refused: u64,
    /// Frames made up, at least in part.
    pub concealed: u64,
    /// Stretches of such frames without a good one between them.
    pub concealed_runs: u64,
    /// Interarrival jitter in milliseconds (RFC 3550 §6.4.1, §A.8).
    pub jitter_ms: f64,
    /// The same in ticks of the stream's clock, for RTCP.
    pub jitter_ticks: u32,
    /// How much faster their clock runs than ours, parts per million; `None` before that can be told.
    pub drift_ppm: Option<f64>,
    /// Delay the jitter buffer aims at, in milliseconds.
    pub delay_ms: u64,
}

/// The receiver of one leg. About 12 kB, 12 more where G.729 may come, and 50 where Opus may; all of it allocated by `new` and
/// [`Receiver::renegotiate`].
#[derive(Debug)]
pub struct Receiver {
    config: ReceiverConfig,
    /// Packets are taken: we do not hold the far end.
    receive: bool,
    /// What may come, by our numbers.
    types: Vec<(u8, Codec)>,
    telephone_event: Option<u8>,
    more_events: Vec<(u8, u32)>,
    source: Source,
    stream: Option<u32>,
    other_stream: Option<Run>,
    /// The far end said that its stream is over: the next one need not prove itself.
    stream_over: bool,
    ssrc_changes: u64,
    sequence: Sequence,
    bursts: Bursts,
    /// Sound in the newest packet, milliseconds.
    packet_ms: u32,
    interarrival: Interarrival,
    /// Codec of the newest packet that was sound.
    codec: Codec,
    /// Codec of the sound decoded last.
    playing: Codec,
    jitter: JitterBuffer,
    encoded: EncodedFrame,
    /// For what came in a codec whose packets cannot be cut; `None` where none may come.
    frames: Option<Box<FrameBuffer>>,
    decoders: Decoders,
    concealer: Concealer,
    comfort_noise: ComfortNoise,
    concealing: bool,
    concealed_runs: u64,
    events: TelephoneEvents,
    presses: VecDeque<Press>,
    last_packet_at: Option<Instant>,
    received: u64,
    duplicates: u64,
    reordered: u64,
    refused: u64,
}

impl Receiver {
    /// A receiver for what was negotiated.
    pub fn new(params: &StreamParams, config: ReceiverConfig) -> Self {
        let mut new = Self {
            config,
            receive: params.receive,
            types: Vec::new(),
            telephone_event: None,
            more_events: Vec::new(),
            source: Source::new(params.remote),
            stream: None,
            other_stream: None,
            stream_over: false,
            ssrc_changes: 0,
            sequence: Sequence::default(),
            bursts: Bursts::default(),
            packet_ms: FRAME_MS,
            interarrival: Interarrival::default(),
            codec: params.codec,
            playing: params.codec,
            jitter: JitterBuffer::new(config.jitter),
            encoded: EncodedFrame::default(),
            frames: None,
            decoders: Decoders::default(),
            concealer: Concealer::new(),
            comfort_noise: ComfortNoise::default(),
            concealing: false,
            concealed_runs: 0,
            events: TelephoneEvents::default(),
            presses: VecDeque::with_capacity(PRESSES),
            last_packet_at: None,
            received: 0,
            duplicates: 0,
            reordered: 0,
            refused: 0,
        };
        new.agree(params);
        new
    }

    /// Another agreement holds from now on: codecs, payload types and address. What is buffered is still played.
    pub fn renegotiate(&mut self, params: &StreamParams) {
        self.agree(params);
        let held = !std::mem::replace(&mut self.receive, params.receive);
        if held && params.receive {
            self.resume();
        }
        if let Some(remote) = params.remote {
            self.expect(remote);
        }
    }

    /// The far end signals that it sends from `remote`: whoever does is believed at once.
    pub fn expect(&mut self, remote: SocketAddr) {
        self.source.expect(remote);
    }

    fn agree(&mut self, params: &StreamParams) {
        self.telephone_event = params.telephone_event;
        self.source.seal(params.security.is_some());
        self.more_events.clone_from(&params.more_events);
        self.types.clear();
        for &(payload_type, codec) in params.receive_types.iter().chain(&[(params.payload_type, params.codec)]) {
            if self.types.iter().all(|(known, _)| *known != payload_type) && self.can_decode(codec) {
                self.types.push((payload_type, codec));
            }
        }
        // The types that RFC 3551 fixes for G.711 are always taken: some send them whatever was agreed on, and before an
        // answer comes nobody knows which it will be.
        for codec in [Codec::Pcmu, Codec::Pcma] {
            if let Some(payload_type) = codec.static_type()
                && self.codec_of(payload_type).is_none()
            {
                self.types.push((payload_type, codec));
            }
        }
    }

    /// Makes what is needed to decode `codec`, once.
    fn can_decode(&mut self, codec: Codec) -> bool {
        let made = self.decoders.make(codec);
        if made == Made::Now && !codec.is_bytewise() {
            match &mut self.frames {
                Some(frames) => frames.make_room(codec),
                None => self.frames = Some(Box::new(FrameBuffer::new(codec, self.config.jitter))),
            }
        }
        made != Made::Not
    }

    /// Takes one datagram with the time the kernel received it.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn accept(&mut self, datagram: &[u8], source: SocketAddr, arrived: Instant) -> Accepted {
        match self.judge(datagram, source, arrived) {
            Err(refusal) => {
                self.refused += 1;
                Accepted::Refused(refusal)
            }
            Ok(Accepted::Rtcp) => Accepted::Rtcp,
            Ok(Accepted::PassedOver) => {
                self.refused += 1;
                Accepted::PassedOver
            }
            Ok(taken) => {
                self.received += 1;
                self.last_packet_at = Some(arrived);
                taken
            }
        }
    }

    /// Fills the next frame. Once per 20 ms tick, also when nothing has been received.
    ///
    /// Per frame: no allocation, no lock, no log.
    pub fn pull(&mut self, now: Instant, frame: &mut [i16; FRAME_8K]) -> Pulled {
        let pulled = match self.codec.is_bytewise() {
            true => self.pull_bytes(now, frame),
            false => self.pull_frames(now, frame),
        };
        self.concealed_runs += u64::from(pulled == Pulled::Concealed && !self.concealing);
        self.concealing = pulled == Pulled::Concealed;
        match pulled {
            Pulled::Silence if self.comfort_noise.frame(frame) => Pulled::Noise,
            pulled => pulled,
        }
    }

    fn pull_bytes(&mut self, now: Instant, frame: &mut [i16; FRAME_8K]) -> Pulled {
        let popped = self.jitter.pop(now, &mut self.encoded);
        if popped == Popped::Nothing {
            frame.fill(0);
            self.concealer.heard(frame);
            // The last made-up sound may still be fading out in this frame; it is silence all the same.
            return Pulled::Silence;
        }
        let mut after_skip = self.encoded.after_skip;
        let mut from = 0;
        for run in self.encoded.presence.chunk_by(|a, b| a == b) {
            let to = from + run.len();
            let sound = &mut frame[from..to];
            match run[0] {
                Presence::Missing => self.concealer.conceal(sound),
                Presence::Silent => {
                    sound.fill(0);
                    self.concealer.heard(sound);
                }
                Presence::Sound(codec) => {
                    if std::mem::replace(&mut self.playing, codec) != codec {
                        self.decoders.restart(codec);
                    }
                    self.decoders.decode(codec, &self.encoded.bytes[from..to], sound);
                    if std::mem::take(&mut after_skip) {
                        self.concealer.heard_after_skip(sound);
                    } else {
                        self.concealer.heard(sound);
                    }
                }
            }
            from = to;
        }
        if self.codec.law().is_none() {
            // What comes next cannot be known without decoding it; that it sounds like what came before is likely.
            self.jitter.heard_quiet(frame.iter().all(|sample| sample.unsigned_abs() <= QUIET_PEAK));
        }
        if popped == Popped::Lost { Pulled::Concealed } else { Pulled::Audio }
    }

    fn pull_frames(&mut self, now: Instant, frame: &mut [i16; FRAME_8K]) -> Pulled {
        let (Some(decoder), Some(frames)) = (self.decoders.of(self.codec), &mut self.frames) else {
            frame.fill(0);
            return Pulled::Silence;
        };
        match frames.pull(now, decoder, &mut self.concealer, frame) {
            frames::Frame::Sound => Pulled::Audio,
            frames::Frame::Concealed => Pulled::Concealed,
            frames::Frame::Noise => Pulled::Noise,
            frames::Frame::Nothing => Pulled::Silence,
        }
    }

    /// The next key pressed, and when its first packet arrived.
    pub fn poll_digit(&mut self) -> Option<(Digit, Instant)> {
        self.presses.pop_front().map(|press| (press.digit, press.at))
    }

    /// When the last packet was taken.
    pub const fn last_packet_at(&self) -> Option<Instant> {
        self.last_packet_at
    }

    /// How losses lie, and how much sound a packet holds, in milliseconds (of Opus, what nearly all send).
    pub fn runs(&self) -> (Runs, u32) {
        (self.bursts.so_far(), if self.codec.is_bytewise() { self.packet_ms } else { FRAME_MS })
    }

    /// Where packets come from, once known.
    pub fn latched(&self) -> Option<SocketAddr> {
        self.source.latched()
    }

    /// Where to send (symmetric RTP, RFC 4961): to whom we hear, before that to where the far end said it is.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.source.destination()
    }

    /// May this host be the far end, reporting from a port of its own?
    pub fn is_host(&self, from: SocketAddr) -> bool {
        self.source.is_host(from)
    }

    /// The far end said that the stream `ssrc` is over (RTCP BYE): if it is the one being heard, the next takes over at
    /// once.
    pub fn on_bye(&mut self, ssrc: u32) {
        self.stream_over |= self.stream == Some(ssrc);
    }

    /// Codec of the newest packet that was sound; before one came, what was agreed on.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Stream being heard.
    pub const fn ssrc(&self) -> Option<u32> {
        self.stream
    }

    /// Newest sequence number with its wraps, for RTCP.
    pub fn extended_highest(&self) -> u32 {
        self.sequence.extended_highest()
    }

    /// Packets expected and received of the streams heard before this one, for RTCP.
    pub const fn before(&self) -> (u64, u64) {
        self.sequence.before()
    }

    /// Counters.
    pub fn stats(&self) -> ReceiverStats {
        let (bytes, frames) =
            (self.jitter.stats(), self.frames.as_ref().map(|frames| frames.stats()).unwrap_or_default());
        let frames_play = self.frames.as_ref().filter(|_| !self.codec.is_bytewise());
        ReceiverStats {
            received: self.received,
            expected: self.sequence.expected(),
            lost: self.sequence.lost(),
            reordered: self.reordered,
            jumps: bytes.jumps + frames.jumps,
            ssrc_changes: self.ssrc_changes,
            late: bytes.late + frames.late,
            duplicates: self.duplicates,
            refused: self.refused,
            concealed: bytes.concealed + frames.concealed,
            concealed_runs: self.concealed_runs,
            jitter_ms: self.interarrival.seconds() * 1_000.0,
            jitter_ticks: (self.interarrival.seconds() * f64::from(self.codec.clock_rate_hz())) as u32,
            drift_ppm: frames_play.map_or_else(|| self.jitter.drift_ppm(), |frames| frames.drift_ppm()),
            delay_ms: self.delay_ms(),
        }
    }

    /// Delay the jitter buffer aims at, in milliseconds.
    pub fn delay_ms(&self) -> u64 {
        match &self.frames {
            Some(frames) if !self.codec.is_bytewise() => frames.aim_ms(),
            _ => self.jitter.aim_ms(),
        }
    }

    fn judge(&mut self, datagram: &[u8], source: SocketAddr, arrived: Instant) -> Result<Accepted, Refusal> {
        if datagram.len() > MAX_DATAGRAM_BYTES {
            return Err(Refusal::Oversized);
        }
        if is_rtcp(datagram) {
            return if self.source.may_report(source) { Ok(Accepted::Rtcp) } else { Err(Refusal::WrongSource) };
        }
        let packet = Packet::parse(datagram).map_err(|_| Refusal::Malformed)?;
        let is_event = Some(packet.payload_type) == self.telephone_event
            || self.more_events.iter().any(|(number, _)| *number == packet.payload_type);
        let codec = self.codec_of(packet.payload_type).filter(|_| !is_event);
        if !is_event && codec.is_none() && packet.payload_type != COMFORT_NOISE {
            return self.pass_over(&packet, source, arrived);
        }
        let frames = self.frames.as_ref().filter(|_| codec.is_some_and(|codec| !codec.is_bytewise()));
        let longest = frames.map_or(MAX_PAYLOAD, |frames| frames.longest());
        if packet.payload.len() > longest {
            return Err(Refusal::Oversized);
        }
        let accepted = self.check_source(&packet, source, arrived)?;
        if is_event {
            self.push_event(&packet, arrived)?;
            // Keys are heard whichever stream they come in, because gateways that give events an SSRC of their own
            // exist; but such a stream never becomes the one whose sound we hear.
            if self.stream.is_some_and(|ssrc| ssrc != packet.ssrc) {
                return Ok(accepted);
            }
        }
        self.check_stream(&packet, arrived)?;
        self.push_packet(&packet, codec, arrived)?;
        Ok(accepted)
    }

    /// A type that was not negotiated. It makes nobody the far end and no stream the one we hear; in that stream its
    /// number is counted, so that it is not missing, and the sound around it is not taken for torn.
    fn pass_over(&mut self, packet: &Packet<'_>, source: SocketAddr, arrived: Instant) -> Result<Accepted, Refusal> {
        if self.source.latched() != Some(source) || self.stream != Some(packet.ssrc) {
            return Err(Refusal::UnknownPayloadType);
        }
        self.check_source(packet, source, arrived)?;
        self.push_packet(packet, None, arrived)?;
        Ok(Accepted::PassedOver)
    }

    /// How sound of this type is coded, if we take it.
    fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        self.types.iter().find(|(known, _)| *known == payload_type).map(|(_, codec)| *codec)
    }

    fn check_source(&mut self, packet: &Packet<'_>, source: SocketAddr, arrived: Instant) -> Result<Accepted, Refusal> {
        match self.source.judge(packet, source, arrived) {
            Judged::Known => Ok(Accepted::Ok),
            Judged::Stranger => Err(Refusal::WrongSource),
            Judged::Latched { instead } => {
                if instead {
                    self.leave_stream();
                }
                Ok(Accepted::Latched(source))
            }
        }
    }

    fn check_stream(&mut self, packet: &Packet<'_>, arrived: Instant) -> Result<(), Refusal> {
        if self.stream == Some(packet.ssrc) {
            self.other_stream = None;
            return Ok(());
        }
        if self.stream.is_some() {
            let run = Run::extended(self.other_stream.filter(|run| run.ssrc == packet.ssrc), packet);
            self.other_stream = Some(run);
            let silence = self.last_packet_at.map_or(Duration::MAX, |last| arrived.saturating_duration_since(last));
            if run.length < BELIEVED_AFTER && silence < STREAM_SILENT && !self.stream_over {
                return Err(Refusal::WrongSsrc);
            }
            self.leave_stream();
        }
        (self.stream, self.other_stream, self.stream_over) = (Some(packet.ssrc), None, false);
        Ok(())
    }

    /// The next packet belongs to another stream. What is buffered is still played.
    fn leave_stream(&mut self) {
        self.ssrc_changes += u64::from(self.stream.take().is_some());
        self.decoders.restart(self.codec);
        self.sequence.forget();
        self.bursts.begin_anew();
        self.interarrival.forget();
        self.begin_another_stream();
    }

    /// What the far end sent until now was not taken; the next packet goes on with the same stream.
    fn resume(&mut self) {
        self.sequence.pause();
        self.bursts.begin_anew();
        self.interarrival.forget();
        self.begin_another_stream();
    }

    /// `codec` of a packet that is sound; keys and comfort noise have none.
    fn push_packet(&mut self, packet: &Packet<'_>, codec: Option<Codec>, arrived: Instant) -> Result<(), Refusal> {
        let order = self.sequence.push(packet.sequence);
        self.bursts.push(order);
        match order {
            Order::Suspect => return Err(Refusal::WildSequence),
            Order::Duplicate => {
                self.duplicates += 1;
                return Ok(());
            }
            Order::Reordered { .. } => self.reordered += 1,
            Order::Next { .. } | Order::Restarted { .. } => {}
        }
        let Some(codec) = codec.filter(|_| !packet.payload.is_empty()) else {
            if packet.payload_type == COMFORT_NOISE {
                self.comfort_noise.describe(packet.payload);
            }
            self.jitter.push_silence(order);
            if let Some(frames) = &mut self.frames {
                frames.push_silence(order);
            }
            return Ok(());
        };
        if codec != self.codec && !(codec.is_bytewise() && self.codec.is_bytewise()) {
            self.change_buffer(codec);
        }
        self.codec = codec;
        self.comfort_noise.stop();
        self.interarrival.push(packet.timestamp, codec.clock_rate_hz(), arrived);
        let pushed = match &mut self.frames {
            Some(frames) if !codec.is_bytewise() => frames.push(packet, order, arrived),
            _ => {
                self.packet_ms = packet.payload.len() as u32 / 8;
                self.jitter.push(packet, codec, order, arrived)
            }
        };
        if pushed == Pushed::Late {
            self.bursts.discard(order);
        }
        Ok(())
    }

    /// Sound comes in another kind of codec from now on, whose timestamps may count another clock, and waits in another
    /// buffer; the few tens of milliseconds in the old one are not heard.
    fn change_buffer(&mut self, codec: Codec) {
        self.interarrival.forget();
        self.begin_another_stream();
        if let Some(frames) = self.frames.as_mut().filter(|_| !codec.is_bytewise()) {
            self.decoders.restart(codec);
            frames.change_codec(codec);
        }
    }

    fn begin_another_stream(&mut self) {
        self.jitter.begin_another_stream();
        if let Some(frames) = &mut self.frames {
            frames.begin_another_stream();
        }
    }

    fn push_event(&mut self, packet: &Packet<'_>, arrived: Instant) -> Result<(), Refusal> {
        let press = self.events.push(packet, arrived).map_err(|_| Refusal::Malformed)?;
        if let Some(press) = press
            && self.presses.len() < PRESSES
        {
            self.presses.push_back(press);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
