//! One outgoing RTP stream: frames in, packets out, in the packet length that was negotiated.

use super::packet::{HEADER_BYTES, Packet};
use crate::audio::FRAME_8K;
use crate::audio::g711::Law;
use crate::rtp::Codec;

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

    /// Another agreement holds from now on. The stream goes on: same SSRC, next sequence number, next timestamp
    /// (RFC 3550 §5.1: a change of payload type needs no new SSRC); what did not fill a packet yet is dropped.
    pub fn renegotiate(&mut self, codec: Codec, payload_type: u8, ptime_ms: u32) {
        let fresh = Self::new(codec, payload_type, ptime_ms, 0);
        self.timestamp = self.timestamp.wrapping_add(self.pending_bytes as u32);
        (self.law, self.payload_type, self.payload_bytes) = (fresh.law, fresh.payload_type, fresh.payload_bytes);
        (self.pending_bytes, self.cut, self.marker) = (0, None, true);
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
    pub fn timestamp(&self) -> u32 {
        let gap = self.cut.map_or(0, |cut| cut.gap);
        self.timestamp.wrapping_add(self.pending_bytes as u32).wrapping_add(gap)
    }

    /// Counters.
    pub const fn stats(&self) -> SenderStats {
        self.stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::g711::{ALAW_SILENCE, ULAW_SILENCE};

    const FRAME: [i16; FRAME_8K] = [0; FRAME_8K];

    /// Sequence number and timestamp (both from zero), marker, length.
    type Sent = (u16, u32, bool, usize);

    /// Every packet that is ready.
    fn poll_all(sender: &mut Sender, first: (u16, u32)) -> Vec<Sent> {
        let mut out = [0; MAX_PACKET_BYTES];
        std::iter::from_fn(|| sender.poll_packet(&mut out).map(|length| out[..length].to_vec()))
            .map(|datagram| {
                let packet = Packet::parse(&datagram).unwrap();
                let (sequence, timestamp) =
                    (packet.sequence.wrapping_sub(first.0), packet.timestamp.wrapping_sub(first.1));
                (sequence, timestamp, packet.marker, packet.payload.len())
            })
            .collect()
    }

    fn sender(ptime_ms: u32) -> (Sender, (u16, u32)) {
        let sender = Sender::new(Codec::Pcmu, 0, ptime_ms, 0x1234_5678_9ABC_FFFF);
        let first = (sender.sequence, sender.timestamp);
        (sender, first)
    }

    #[test]
    fn frames_leave_in_packets_of_the_negotiated_length() {
        let rows: [(u32, &[Sent]); 5] = [
            (
                10,
                &[
                    (0, 0, true, 80),
                    (1, 80, false, 80),
                    (2, 160, false, 80),
                    (3, 240, false, 80),
                    (4, 320, false, 80),
                    (5, 400, false, 80),
                ],
            ),
            (20, &[(0, 0, true, 160), (1, 160, false, 160), (2, 320, false, 160)]),
            (30, &[(0, 0, true, 240), (1, 240, false, 240)]),
            (40, &[(0, 0, true, 320)]),
            (60, &[(0, 0, true, 480)]),
        ];
        for (ptime_ms, expected) in rows {
            let (mut sender, first) = sender(ptime_ms);
            let mut sent = Vec::new();
            for _ in 0..3 {
                sender.push_frame(&FRAME);
                sent.extend(poll_all(&mut sender, first));
            }
            assert_eq!(sent, expected, "{ptime_ms} ms");
        }
    }

    #[test]
    fn skipped_time_moves_the_timestamp_and_marks_what_follows_and_nothing_bursts() {
        let (mut sender, first) = sender(20);
        sender.push_frame(&FRAME);
        assert_eq!(poll_all(&mut sender, first), [(0, 0, true, 160)]);
        sender.skip(3);
        sender.push_frame(&FRAME);
        sender.push_frame(&FRAME);
        assert_eq!(poll_all(&mut sender, first), [(1, 640, true, 160), (2, 800, false, 160)]);
        sender.skip(0);
        sender.push_frame(&FRAME);
        assert_eq!(poll_all(&mut sender, first), [(3, 960, false, 160)]);
    }

    #[test]
    fn what_waited_for_a_longer_packet_leaves_shorter_before_skipped_time() {
        let (mut sender, first) = sender(60);
        sender.push_frame(&FRAME);
        sender.skip(2);
        // Whether or not it is polled in between.
        for _ in 0..3 {
            sender.push_frame(&FRAME);
        }
        assert_eq!(poll_all(&mut sender, first), [(0, 0, true, 160), (1, 480, true, 480)]);
        assert_eq!(sender.stats(), SenderStats { packets: 2, octets: 640 });
    }

    #[test]
    fn a_sender_nobody_polls_drops_instead_of_growing() {
        let (mut sender, first) = sender(20);
        for _ in 0..50 {
            sender.push_frame(&FRAME);
        }
        let sent = poll_all(&mut sender, first);
        assert!((5..8).contains(&sent.len()), "{} packets", sent.len());
        assert_eq!(sender.timestamp().wrapping_sub(first.1), 50 * 160);
    }

    #[test]
    fn numbers_wrap_and_random_bits_decide_where_they_begin() {
        let (mut sender, first) = sender(20);
        assert_eq!(first.0, 0xFFFF);
        sender.push_frame(&FRAME);
        sender.push_frame(&FRAME);
        assert_eq!(poll_all(&mut sender, first).last(), Some(&(1, 160, false, 160)));
        assert_eq!(sender.ssrc(), 0x1234_5678);
        let other = Sender::new(Codec::Pcmu, 0, 20, 0x1234_5678_9ABC_FFFE);
        assert_ne!(other.timestamp(), first.1);
    }

    #[test]
    fn silence_is_the_silence_of_the_law() {
        for (codec, silence) in [(Codec::Pcmu, ULAW_SILENCE), (Codec::Pcma, ALAW_SILENCE)] {
            let mut sender = Sender::new(codec, 8, 20, 1);
            let mut out = [0; MAX_PACKET_BYTES];
            sender.push_frame(&FRAME);
            let length = sender.poll_packet(&mut out).unwrap();
            assert_eq!(out[HEADER_BYTES..length], [silence; 160]);
        }
    }
}
