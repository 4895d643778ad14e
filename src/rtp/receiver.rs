//! One incoming RTP stream: datagrams in, 20 ms frames, keys and statistics out.
//!
//! ```text
//!   datagram ─▶ size, header ─▶ source ─▶ payload type ─▶ stream ─▶ sequence ─▶ jitter buffer ─▶ pull()
//!                                latch        └─▶ telephone-event ─▶ poll_digit()
//! ```
//!
//! **Whom we listen to.** Symmetric RTP: the address in the SDP is often not where packets come from (NAT), so the
//! first valid packets decide, and afterwards nobody else is heard. The signalled address and port have precedence:
//! they latch with their first packet and take the latch back from a stranger; a stranger, and so another port of the
//! same host, which may carry somebody else's call, must send three packets in a row before we believe that the far
//! end sits behind a NAT.
//!
//! **Which stream.** The first SSRC heard from the latched source. Another one takes over after three packets in a
//! row without a word from the old, or at once when the old has been silent for 200 ms; so two streams that are
//! mixed up by the far end do not chop each other to pieces.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::jitter::{EncodedFrame, JitterBuffer, JitterConfig, Popped, Presence, Pushed};
use super::packet::{MAX_DATAGRAM_BYTES, Packet, is_rtcp};
use super::sequence::{Order, Sequence};
use super::telephone_event::{Press, TelephoneEvents};
use crate::audio::FRAME_8K;
use crate::audio::g711::Law;
use crate::audio::plc::Concealer;
use crate::rtp::{Digit, StreamParams};

/// Packets in a row that make a stranger, or another SSRC, believable.
const BELIEVED_AFTER: u32 = 3;
/// Silence of a stream after which another may take over with its first packet.
const STREAM_SILENT: Duration = Duration::from_millis(200);
/// Presses kept until they are polled, which happens every tick: nobody presses 16 keys in 20 ms.
const PRESSES: usize = 16;
/// Longest payload: 200 ms of sound.
const MAX_PAYLOAD: usize = 1_600;
/// Static payload types (RFC 3551 §6) of the two laws.
const PCMU: u8 = 0;
const PCMA: u8 = 8;
/// Static payload type of comfort noise (RFC 3389), which senders use without negotiating it.
const COMFORT_NOISE: u8 = 13;

/// What a receiver is told beside the negotiated parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// Bounds of the delay.
    pub jitter: JitterConfig,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Taken, and from now on this source is the far end: send there.
    Latched(SocketAddr),
    /// Taken.
    Ok,
    /// RTCP from the far end on the RTP port (RFC 5761): for [`super::rtcp`].
    Rtcp,
    /// Not taken.
    Refused(Refusal),
}

/// Why a datagram was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another source is latched, or this one is a stranger and not believed yet.
    #[error("not from the far end")]
    WrongSource,
    /// A stream beside the one being heard.
    #[error("another stream than the one being heard")]
    WrongSsrc,
    /// A sequence number far from the others, not confirmed yet.
    #[error("a sequence number far from the others")]
    WildSequence,
    /// No RTP packet, or an impossible event.
    #[error("not a valid RTP packet")]
    Malformed,
    /// Not what was negotiated.
    #[error("a payload type that was not negotiated")]
    UnknownPayloadType,
    /// More than 2,048 bytes, or more than 200 ms of sound.
    #[error("larger than any RTP packet of a call")]
    Oversized,
}

/// What a frame that was pulled consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// What the far end sent.
    Audio,
    /// At least in part made up for what was lost.
    Concealed,
    /// Zeros: nothing is being sent.
    Silence,
}

/// Counters of one receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReceiverStats {
    /// Packets taken: sound, keys, comfort noise.
    pub received: u64,
    /// Expected but never arrived (RFC 3550 §A.3).
    pub lost: u64,
    /// Arrived after their time.
    pub late: u64,
    /// Arrived again.
    pub duplicates: u64,
    /// Not taken, for any [`Refusal`].
    pub refused: u64,
    /// Frames made up, at least in part.
    pub concealed: u64,
    /// Interarrival jitter in milliseconds (RFC 3550 §6.4.1, §A.8).
    pub jitter_ms: f64,
    /// Delay the jitter buffer aims at, in milliseconds.
    pub delay_ms: u64,
}

/// The receiver of one leg. About 12 kB, all of it allocated by `new`.
#[derive(Debug)]
pub struct Receiver {
    /// What was agreed on; see [`Receiver::law_of`] for what is taken beside it.
    law: Option<Law>,
    payload_type: u8,
    telephone_event: Option<u8>,
    /// Address the far end signalled.
    signalled: Option<SocketAddr>,
    latch: Option<Latch>,
    stranger: Option<(SocketAddr, Run)>,
    stream: Option<u32>,
    other_stream: Option<Run>,
    sequence: Sequence,
    interarrival: Interarrival,
    jitter: JitterBuffer,
    concealer: Concealer,
    encoded: EncodedFrame,
    events: TelephoneEvents,
    presses: VecDeque<Press>,
    last_packet_at: Option<Instant>,
    received: u64,
    duplicates: u64,
    refused: u64,
}

/// Whom we listen to.
#[derive(Clone, Copy, Debug)]
struct Latch {
    source: SocketAddr,
    /// It is the address that was signalled.
    signalled: bool,
}

/// Packets of one stream following each other.
#[derive(Clone, Copy, Debug)]
struct Run {
    ssrc: u32,
    sequence: u16,
    length: u32,
}

impl Receiver {
    /// A receiver for what was negotiated.
    pub fn new(params: &StreamParams, config: ReceiverConfig) -> Self {
        Self {
            law: params.codec.law(),
            payload_type: params.payload_type,
            telephone_event: params.telephone_event,
            signalled: params.remote.map(canonical),
            latch: None,
            stranger: None,
            stream: None,
            other_stream: None,
            sequence: Sequence::default(),
            interarrival: Interarrival::default(),
            jitter: JitterBuffer::new(config.jitter),
            concealer: Concealer::new(),
            encoded: EncodedFrame::default(),
            events: TelephoneEvents::default(),
            presses: VecDeque::with_capacity(PRESSES),
            last_packet_at: None,
            received: 0,
            duplicates: 0,
            refused: 0,
        }
    }

    /// The far end signalled another address (answer to a late offer, re-INVITE): whoever sends from there is
    /// believed at once.
    pub fn retarget(&mut self, remote: SocketAddr) {
        let signalled = canonical(remote);
        self.signalled = Some(signalled);
        if let Some(latch) = &mut self.latch {
            latch.signalled = canonical(latch.source) == signalled;
        }
    }

    /// Another agreement holds from now on: codec, payload types and address.
    pub fn renegotiate(&mut self, params: &StreamParams) {
        self.law = params.codec.law();
        self.payload_type = params.payload_type;
        self.telephone_event = params.telephone_event;
        if let Some(remote) = params.remote {
            self.retarget(remote);
        }
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
                Presence::Sound(law) => {
                    law.decode_into(&self.encoded.bytes[from..to], sound);
                    if std::mem::take(&mut after_skip) {
                        self.concealer.heard_after_skip(sound);
                    } else {
                        self.concealer.heard(sound);
                    }
                }
            }
            from = to;
        }
        if popped == Popped::Lost { Pulled::Concealed } else { Pulled::Audio }
    }

    /// The next key pressed, and when its first packet arrived.
    pub fn poll_digit(&mut self) -> Option<(Digit, Instant)> {
        self.presses.pop_front().map(|press| (press.digit, press.at))
    }

    /// When the last packet was taken.
    pub const fn last_packet_at(&self) -> Option<Instant> {
        self.last_packet_at
    }

    /// Where packets come from, once known: send there (symmetric RTP, RFC 4961).
    pub fn latched(&self) -> Option<SocketAddr> {
        self.latch.map(|latch| latch.source)
    }

    /// Stream being heard.
    pub const fn ssrc(&self) -> Option<u32> {
        self.stream
    }

    /// Newest sequence number with its wraps, for RTCP.
    pub fn extended_highest(&self) -> u32 {
        self.sequence.extended_highest()
    }

    /// Counters.
    pub fn stats(&self) -> ReceiverStats {
        let jitter = self.jitter.stats();
        ReceiverStats {
            received: self.received,
            lost: self.sequence.lost(),
            late: jitter.late,
            duplicates: self.duplicates,
            refused: self.refused,
            concealed: jitter.concealed,
            jitter_ms: self.interarrival.jitter_ticks / 8.0,
            delay_ms: self.jitter.aim_ms(),
        }
    }

    fn judge(&mut self, datagram: &[u8], source: SocketAddr, arrived: Instant) -> Result<Accepted, Refusal> {
        if datagram.len() > MAX_DATAGRAM_BYTES {
            return Err(Refusal::Oversized);
        }
        if is_rtcp(datagram) {
            return if self.latched() == Some(source) { Ok(Accepted::Rtcp) } else { Err(Refusal::WrongSource) };
        }
        let packet = Packet::parse(datagram).map_err(|_| Refusal::Malformed)?;
        let is_event = Some(packet.payload_type) == self.telephone_event;
        let law = self.law_of(packet.payload_type).filter(|_| !is_event);
        if !is_event && law.is_none() && packet.payload_type != COMFORT_NOISE {
            return Err(Refusal::UnknownPayloadType);
        }
        if packet.payload.len() > MAX_PAYLOAD {
            return Err(Refusal::Oversized);
        }
        let accepted = self.check_source(&packet, source)?;
        if is_event {
            self.push_event(&packet, arrived)?;
            // Keys are heard whichever stream they come in, because gateways that give events an SSRC of their own
            // exist; but such a stream never becomes the one whose sound we hear.
            if self.stream.is_some_and(|ssrc| ssrc != packet.ssrc) {
                return Ok(accepted);
            }
        }
        self.check_stream(&packet, arrived)?;
        self.push_packet(&packet, law, arrived)?;
        Ok(accepted)
    }

    /// How sound of this type is coded, if we take it. The types that RFC 3551 fixes for both laws are always taken:
    /// whom we have offered both may send either, by our numbers, whichever we send and whatever it calls them
    /// (RFC 3264 §6.1, §7); and before the answer comes nobody knows which it will be.
    fn law_of(&self, payload_type: u8) -> Option<Law> {
        match payload_type {
            agreed if agreed == self.payload_type => self.law,
            PCMU => Some(Law::Mu),
            PCMA => Some(Law::A),
            _ => None,
        }
    }

    fn check_source(&mut self, packet: &Packet<'_>, source: SocketAddr) -> Result<Accepted, Refusal> {
        let signalled = self.signalled.is_some_and(|signalled| signalled == canonical(source));
        match self.latch {
            Some(latch) if latch.source == source => return Ok(Accepted::Ok),
            // The signalled address takes precedence over a stranger, and over nobody else.
            Some(latch) if latch.signalled || !signalled => return Err(Refusal::WrongSource),
            _ => {}
        }
        // Without a signalled address (a late offer not answered yet) nobody is a stranger.
        if !signalled && self.signalled.is_some() {
            let run = self.stranger.filter(|(who, _)| *who == source).map(|(_, run)| run);
            let run = Run::extended(run, packet);
            self.stranger = Some((source, run));
            if run.length < BELIEVED_AFTER {
                return Err(Refusal::WrongSource);
            }
        }
        if self.latch.replace(Latch { source, signalled }).is_some() {
            self.leave_stream();
        }
        self.stranger = None;
        Ok(Accepted::Latched(source))
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
            if run.length < BELIEVED_AFTER && silence < STREAM_SILENT {
                return Err(Refusal::WrongSsrc);
            }
            self.leave_stream();
        }
        self.stream = Some(packet.ssrc);
        self.other_stream = None;
        Ok(())
    }

    /// The next packet belongs to another stream. What is buffered is still played.
    fn leave_stream(&mut self) {
        self.stream = None;
        self.sequence.forget();
        self.interarrival.forget();
        self.jitter.begin_another_stream();
    }

    /// `law` of a packet that is sound; keys and comfort noise have none.
    fn push_packet(&mut self, packet: &Packet<'_>, law: Option<Law>, arrived: Instant) -> Result<(), Refusal> {
        let order = self.sequence.push(packet.sequence);
        match order {
            Order::Suspect => return Err(Refusal::WildSequence),
            Order::Duplicate => {
                self.duplicates += 1;
                return Ok(());
            }
            _ => {}
        }
        let Some(law) = law.filter(|_| !packet.payload.is_empty()) else {
            self.jitter.push_silence(order);
            return Ok(());
        };
        self.interarrival.push(packet.timestamp, arrived);
        let (Pushed::Kept | Pushed::Late) = self.jitter.push(packet, law, order, arrived);
        Ok(())
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

impl Run {
    /// The run with one more packet, or a new one when the packet does not follow.
    fn extended(run: Option<Self>, packet: &Packet<'_>) -> Self {
        let length = match run {
            Some(run) if run.ssrc == packet.ssrc && packet.sequence == run.sequence.wrapping_add(1) => run.length + 1,
            _ => 1,
        };
        Self { ssrc: packet.ssrc, sequence: packet.sequence, length }
    }
}

/// Interarrival jitter (RFC 3550 §A.8), in ticks of 8 kHz.
#[derive(Clone, Copy, Debug, Default)]
struct Interarrival {
    last: Option<(u32, Instant)>,
    jitter_ticks: f64,
}

impl Interarrival {
    fn push(&mut self, timestamp: u32, arrived: Instant) {
        if let Some((last_timestamp, last_arrived)) = self.last.replace((timestamp, arrived)) {
            let ahead = arrived.saturating_duration_since(last_arrived).as_secs_f64();
            let behind = last_arrived.saturating_duration_since(arrived).as_secs_f64();
            let sent = f64::from(timestamp.wrapping_sub(last_timestamp) as i32);
            // A timestamp set anew is no jitter; one second is more than any network shows between two packets.
            let difference = ((ahead - behind) * 8_000.0 - sent).abs();
            if difference < 8_000.0 {
                self.jitter_ticks += (difference - self.jitter_ticks) / 16.0;
            }
        }
    }

    fn forget(&mut self) {
        self.last = None;
    }
}

/// IPv4 is IPv4, also when a dual-stack socket shows it as IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
