//! One outgoing RTP stream: frames in, packets out, in the packet length that was negotiated.

use super::packet::{HEADER_BYTES, Packet};
use crate::audio::FRAME_8K;
use crate::audio::g711::Law;
use crate::media::Codec;

/// Longest packet sent: 60 ms.
const MAX_PAYLOAD: usize = 480;
/// Codec bytes that may wait: a packet that is nearly full, and four frames pushed before they are polled.
const PENDING: usize = MAX_PAYLOAD + 4 * FRAME_8K;
/// Buffer that holds any packet [`Sender::poll_packet`] writes.
pub const MAX_PACKET_BYTES: usize = HEADER_BYTES + MAX_PAYLOAD;

impl From<Codec> for Law {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::Mu,
            Codec::Pcma => Self::A,
        }
    }
}

/// What has been sent, for RTCP and the call's record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// Packets.
    pub packets: u64,
    /// Payload bytes.
    pub octets: u64,
}

/// The stream.
#[derive(Clone, Debug)]
pub struct Sender {
    law: Law,
    payload_type: u8,
    /// Codec bytes per packet.
    payload_bytes: usize,
    ssrc: u32,
    sequence: u16,
    /// Of the first pending byte.
    timestamp: u32,
    /// The next packet begins a talk-spurt.
    marker: bool,
    pending: [u8; PENDING],
    pending_bytes: usize,
    /// Set when time was skipped while a packet was filling: that many bytes leave as a shorter packet.
    cut: Option<Cut>,
    stats: SenderStats,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    bytes: usize,
    /// Clock ticks between the cut and what follows it.
    gap: u32,
}

impl Sender {
    /// A stream of `codec` under `payload_type`, `ptime_ms` (10, 20, 30, 40 or 60; others are taken as 20) per packet.
    /// SSRC, first sequence number and first timestamp come from `random` (RFC 3550 §5.1).
    pub fn new(codec: Codec, payload_type: u8, ptime_ms: u32, random: u64) -> Self {
        let ptime_ms = if matches!(ptime_ms, 10 | 20 | 30 | 40 | 60) { ptime_ms } else { 20 };
        // 64 bits make 80 by one step of SplitMix64.
        let more = (random ^ (random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let more = (more ^ (more >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self {
            law: codec.into(),
            payload_type,
            payload_bytes: ptime_ms as usize * 8,
            ssrc: (random >> 32) as u32,
            sequence: random as u16,
            timestamp: (more >> 32) as u32,
            marker: true,
            pending: [0; PENDING],
            pending_bytes: 0,
            cut: None,
            stats: SenderStats::default(),
        }
    }

    /// Encodes one frame. Then call [`Self::poll_packet`] until it returns `None`: a frame completes none, one or
    /// two packets.
    ///
    /// Per frame: no allocation, no lock, no log. Should nobody poll, frames that no longer fit are dropped as if
    /// skipped.
    pub fn push_frame(&mut self, frame: &[i16; FRAME_8K]) {
        match self.pending.get_mut(self.pending_bytes..self.pending_bytes + FRAME_8K) {
            Some(place) => self.pending_bytes += self.law.encode_into(frame, place),
            None => self.skip(1),
        }
    }

    /// Writes the next complete packet into `out` ([`MAX_PACKET_BYTES`] always suffice) and returns its length.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn poll_packet(&mut self, out: &mut [u8]) -> Option<usize> {
        let (bytes, gap) = match self.cut {
            // A cut longer than a packet leaves whole packets first.
            Some(cut) if cut.bytes <= self.payload_bytes => (cut.bytes, cut.gap),
            _ if self.pending_bytes >= self.payload_bytes => (self.payload_bytes, 0),
            _ => return None,
        };
        let packet = Packet {
            marker: self.marker,
            payload_type: self.payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            payload: &self.pending[..bytes],
        };
        let length = packet.write(out)?;
        match &mut self.cut {
            Some(cut) if cut.bytes > self.payload_bytes => cut.bytes -= bytes,
            cut => *cut = None,
        }
        // What comes after skipped time is a new talk-spurt: its playout may be placed anew (RFC 3551 §4.1).
        self.marker = gap > 0;
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(bytes as u32).wrapping_add(gap);
        self.pending.copy_within(bytes..self.pending_bytes, 0);
        self.pending_bytes -= bytes;
        self.stats.packets += 1;
        self.stats.octets += bytes as u64;
        Some(length)
    }

    /// Lets `frames` of time pass without sound: a late tick, or a pause. Nothing is made up for them later, the
    /// far end conceals or hears silence. What was waiting for a full packet leaves as a shorter one.
    pub fn skip(&mut self, frames: u32) {
        let ticks = frames.wrapping_mul(FRAME_8K as u32);
        if frames == 0 {
        } else if self.pending_bytes == 0 {
            self.timestamp = self.timestamp.wrapping_add(ticks);
            self.marker = true;
        } else {
            // Skipping twice before a poll: the earlier bytes keep their place, the later ones move with the cut.
            let gap = self.cut.map_or(0, |cut| cut.gap);
            self.cut = Some(Cut { bytes: self.pending_bytes, gap: gap.wrapping_add(ticks) });
        }
    }

    /// Our synchronisation source.
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// RTP timestamp of the next sample pushed.
    pub const fn timestamp(&self) -> u32 {
        self.timestamp.wrapping_add(self.pending_bytes as u32)
    }

    /// Counters.
    pub const fn stats(&self) -> SenderStats {
        self.stats
    }
}
