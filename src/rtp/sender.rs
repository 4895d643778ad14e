//! One outgoing RTP stream: frames and keys in, packets out, in the packet length that was negotiated.

use super::event_sender::{EventPacket, EventSender};
use super::packet::{HEADER_BYTES, Packet};
use super::srtp::MOST_TRAILER_BYTES;
use crate::audio::FRAME_8K;
use crate::audio::codec::Encoder;
use crate::rtp::{Codec, Digit, OpusParams, StreamParams};

/// Longest packet sent: 60 ms.
const MAX_SAMPLES: usize = 480;
/// Longest payload sent: G.711 and G.722 take a byte for each sample, Opus takes less.
const MAX_PAYLOAD: usize = MAX_SAMPLES;
/// Samples that may wait: a packet that is nearly full, and four frames pushed before they are polled.
const PENDING: usize = MAX_SAMPLES + 4 * FRAME_8K;
/// Buffer that holds any packet [`Sender::poll_packet`] writes, and what is needed to seal it (SRTP).
pub const MAX_PACKET_BYTES: usize = HEADER_BYTES + MAX_PAYLOAD + MOST_TRAILER_BYTES;

/// What has been sent, for RTCP and the call's record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// Packets.
    pub packets: u64,
    /// Payload bytes.
    pub octets: u64,
}

/// The stream.
#[derive(Debug)]
pub struct Sender {
    voice: Voice,
    keys: EventSender,
    ssrc: u32,
    sequence: u16,
    /// Of the first pending sample.
    timestamp: u32,
    /// The next packet begins a talk-spurt.
    marker: bool,
    pending: [i16; PENDING],
    pending_samples: usize,
    /// Set when time was skipped while a packet was filling: that many samples leave as a shorter packet.
    cut: Option<Cut>,
    /// Sound was taken and no packet made of it.
    unsent: bool,
    stats: SenderStats,
}

/// How sound is sent.
#[derive(Debug)]
struct Voice {
    /// `None` when its library failed: then nothing is sent, and the far end hears silence.
    encoder: Option<Encoder>,
    codec: Codec,
    opus: OpusParams,
    payload_type: u8,
    packet_samples: usize,
    /// Ticks of the RTP clock for each sample of 8 kHz.
    ticks: u32,
}

impl Voice {
    fn new(params: &StreamParams) -> Self {
        let encoder = Encoder::new(params.codec, &params.opus);
        if let Err(error) = &encoder {
            tracing::error!(%error, "this call stays silent");
        }
        Self {
            encoder: encoder.ok(),
            codec: params.codec,
            opus: params.opus,
            payload_type: params.payload_type,
            packet_samples: Self::packet_samples(params),
            ticks: params.codec.clock_rate_hz() / 8_000,
        }
    }

    fn packet_samples(params: &StreamParams) -> usize {
        let ptime_ms = Some(params.ptime_ms).filter(|&ms| params.codec.has_packets_of(ms)).unwrap_or(20);
        ptime_ms as usize * 8
    }

    /// Would one for these be the same, but for the payload type?
    fn suits(&self, params: &StreamParams) -> bool {
        (self.codec, self.opus, self.packet_samples) == (params.codec, params.opus, Self::packet_samples(params))
    }

    const fn ticks_of(&self, samples: usize) -> u32 {
        self.ticks.wrapping_mul(samples as u32)
    }
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    samples: usize,
    /// Clock ticks between the cut and what follows it.
    gap: u32,
}

impl Sender {
    /// A stream as it was agreed on; packets of 10, 20, 30 (not Opus), 40 or 60 ms, others are taken as 20.
    /// SSRC, first sequence number and first timestamp come from `random` (RFC 3550 §5.1).
    pub fn new(params: &StreamParams, random: u64) -> Self {
        // 64 bits make 80 by one step of SplitMix64.
        let more = (random ^ (random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let more = (more ^ (more >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let mut new = Self {
            voice: Voice::new(params),
            keys: EventSender::new(params.send_event, params.event_clock_hz),
            ssrc: (random >> 32) as u32,
            sequence: random as u16,
            timestamp: (more >> 32) as u32,
            marker: true,
            pending: [0; PENDING],
            pending_samples: 0,
            cut: None,
            unsent: false,
            stats: SenderStats::default(),
        };
        if params.security.is_some() {
            new.keep_from_wrap();
        }
        new
    }

    /// RFC 3711 §3.3.1: whoever hears a sealed stream only from after its first wrap never learns of it, so sealed
    /// streams begin far from one.
    const fn keep_from_wrap(&mut self) {
        self.sequence &= 0x7FFF;
    }

    /// Another agreement holds from now on. The stream goes on: same SSRC, next sequence number, next timestamp
    /// (RFC 3550 §5.1: a change of payload type needs no new SSRC). Where sound is coded as before, the encoder goes on
    /// too, as the far end's decoder does; else what did not fill a packet yet is dropped.
    pub fn renegotiate(&mut self, params: &StreamParams) {
        if self.voice.suits(params) {
            self.voice.payload_type = params.payload_type;
        } else {
            self.timestamp = self.timestamp();
            self.voice = Voice::new(params);
            (self.pending_samples, self.cut, self.marker) = (0, None, true);
        }
        self.keys.renegotiate(params.send_event, params.event_clock_hz);
        // A leg of ours opens before anybody has answered, and its keys come with the answer.
        if params.security.is_some() && self.stats.packets == 0 {
            self.keep_from_wrap();
        }
    }

    /// Goes on under another name (RFC 3550 §8.2): a new stream, whose packets are counted anew.
    pub fn change_ssrc(&mut self, ssrc: u32) {
        self.keep_from_wrap();
        (self.ssrc, self.marker, self.stats) = (ssrc, true, SenderStats::default());
    }

    /// Presses a key: its event takes the place of sound (RFC 4733 §2.5), for `tone_ms`, then silence for `gap_ms`. `false`
    /// when the far end takes no keys, or 32 wait already.
    pub fn press(&mut self, digit: Digit, tone_ms: u32, gap_ms: u32) -> bool {
        self.keys.press(digit, tone_ms, gap_ms)
    }

    /// Is a key down, or waiting to be? Frames pushed meanwhile are not sent.
    pub fn is_pressing(&self) -> bool {
        self.keys.is_pressing()
    }

    /// Takes one frame. Then call [`Self::poll_packet`] until it returns `None`: a frame completes none, one or
    /// two packets.
    ///
    /// Per frame: no allocation, no lock, no log. Should nobody poll, frames that no longer fit are dropped as if
    /// skipped.
    pub fn push_frame(&mut self, frame: &[i16; FRAME_8K]) {
        if self.keys.beat(self.timestamp()) {
            self.skip(1);
            return;
        }
        match self.pending.get_mut(self.pending_samples..self.pending_samples + FRAME_8K) {
            Some(place) => {
                place.copy_from_slice(frame);
                self.pending_samples += FRAME_8K;
            }
            None => self.skip(1),
        }
    }

    /// Encodes the next complete packet, writes it into `out`, which must hold [`MAX_PACKET_BYTES`], and returns its
    /// length.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn poll_packet(&mut self, out: &mut [u8]) -> Option<usize> {
        let (head, body) = out.get_mut(..HEADER_BYTES + MAX_PAYLOAD)?.split_at_mut(HEADER_BYTES);
        loop {
            let (samples, gap) = match self.cut {
                // A cut longer than a packet leaves whole packets first.
                Some(cut) if cut.samples <= self.voice.packet_samples => (cut.samples, cut.gap),
                _ if self.pending_samples >= self.voice.packet_samples => (self.voice.packet_samples, 0),
                // Sound from before a key leaves before it.
                _ => {
                    let event = self.keys.poll()?;
                    return self.send_event(&event, head, body);
                }
            };
            let payload = match &mut self.voice.encoder {
                Some(encoder) => encoder.encode(&self.pending[..samples], body),
                None => 0,
            };
            let header = Packet {
                marker: self.marker,
                payload_type: self.voice.payload_type,
                sequence: self.sequence,
                timestamp: self.timestamp,
                ssrc: self.ssrc,
                payload: &[],
            };
            header.write(head)?;
            match &mut self.cut {
                Some(cut) if cut.samples > self.voice.packet_samples => cut.samples -= samples,
                cut => *cut = None,
            }
            self.timestamp = self.timestamp.wrapping_add(self.voice.ticks_of(samples)).wrapping_add(gap);
            self.pending.copy_within(samples..self.pending_samples, 0);
            self.pending_samples -= samples;
            // What comes after skipped time, or after silence that needed no packet, is a new talk-spurt: its playout
            // may be placed anew (RFC 3551 §4.1).
            self.marker = gap > 0 || payload == 0;
            if payload > 0 {
                self.count(payload);
                return Some(HEADER_BYTES + payload);
            }
            self.unsent = true;
        }
    }

    /// Has [`Self::poll_packet`], since this was last asked, used up a packet's worth of sound for which nothing need be
    /// sent (`usedtx` of Opus), or can be?
    pub const fn take_unsent(&mut self) -> bool {
        std::mem::replace(&mut self.unsent, false)
    }

    fn send_event(&mut self, event: &EventPacket, head: &mut [u8], body: &mut [u8]) -> Option<usize> {
        let header = Packet {
            marker: event.marker,
            payload_type: event.payload_type,
            sequence: self.sequence,
            timestamp: event.timestamp,
            ssrc: self.ssrc,
            payload: &[],
        };
        header.write(head)?;
        body.get_mut(..event.payload.len())?.copy_from_slice(&event.payload);
        self.count(event.payload.len());
        Some(HEADER_BYTES + event.payload.len())
    }

    fn count(&mut self, payload: usize) {
        self.sequence = self.sequence.wrapping_add(1);
        self.stats.packets += 1;
        self.stats.octets += payload as u64;
    }

    /// Lets `frames` of time pass without sound: a late tick, or a pause. Nothing is made up for them later, the
    /// far end conceals or hears silence. What was waiting for a full packet leaves as a shorter one.
    pub fn skip(&mut self, frames: u32) {
        let ticks = frames.wrapping_mul(self.voice.ticks_of(FRAME_8K));
        if frames == 0 {
        } else if self.pending_samples == 0 {
            self.timestamp = self.timestamp.wrapping_add(ticks);
            self.marker = true;
        } else {
            // Skipping twice before a poll: the earlier samples keep their place, the later ones move with the cut.
            let gap = self.cut.map_or(0, |cut| cut.gap);
            self.cut = Some(Cut { samples: self.pending_samples, gap: gap.wrapping_add(ticks) });
        }
    }

    /// Our synchronisation source.
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// RTP timestamp of the next sample pushed.
    pub fn timestamp(&self) -> u32 {
        let gap = self.cut.map_or(0, |cut| cut.gap);
        self.timestamp.wrapping_add(self.voice.ticks_of(self.pending_samples)).wrapping_add(gap)
    }

    /// What the far end reports to lose (RTCP), in percent.
    pub fn loss_expected(&mut self, percent: u8) {
        if let Some(encoder) = &mut self.voice.encoder {
            encoder.loss_expected(percent);
        }
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
        let sender = Sender::new(&StreamParams { ptime_ms, ..StreamParams::default() }, 0x1234_5678_9ABC_FFFF);
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
        let other = Sender::new(&StreamParams::default(), 0x1234_5678_9ABC_FFFE);
        assert_ne!(other.timestamp(), first.1);
    }

    #[test]
    fn silence_is_the_silence_of_the_law() {
        for (codec, silence) in [(Codec::Pcmu, ULAW_SILENCE), (Codec::Pcma, ALAW_SILENCE)] {
            let mut sender = Sender::new(&StreamParams { codec, payload_type: 8, ..StreamParams::default() }, 1);
            let mut out = [0; MAX_PACKET_BYTES];
            sender.push_frame(&FRAME);
            let length = sender.poll_packet(&mut out).unwrap();
            assert_eq!(out[HEADER_BYTES..length], [silence; 160]);
        }
    }

    #[test]
    fn opus_counts_48_ticks_a_millisecond_and_never_sends_30() {
        for (ptime_ms, packets, step) in [(10, 6, 480), (20, 3, 960), (30, 3, 960), (40, 1, 1_920), (60, 1, 2_880)] {
            let params = StreamParams { codec: Codec::Opus, payload_type: 107, ptime_ms, ..StreamParams::default() };
            let mut sender = Sender::new(&params, 1);
            let first = (sender.sequence, sender.timestamp);
            let mut sent = Vec::new();
            for _ in 0..3 {
                sender.push_frame(&FRAME);
                sent.extend(poll_all(&mut sender, first));
            }
            assert_eq!(sent.len(), packets, "{ptime_ms} ms");
            for (n, (sequence, timestamp, ..)) in sent.into_iter().enumerate() {
                assert_eq!((usize::from(sequence), timestamp), (n, n as u32 * step), "{ptime_ms} ms");
            }
            assert_eq!(sender.timestamp().wrapping_sub(first.1), 3 * 960);
        }
    }

    #[test]
    fn silence_that_opus_does_not_send_moves_time_and_not_the_sequence() {
        let opus = OpusParams { dtx: true, ..OpusParams::default() };
        let params = StreamParams { codec: Codec::Opus, opus, ..StreamParams::default() };
        let mut sender = Sender::new(&params, 1);
        let first = (sender.sequence, sender.timestamp);
        let mut sent = Vec::new();
        for _ in 0..100 {
            sender.push_frame(&FRAME);
            let before = sent.len();
            sent.extend(poll_all(&mut sender, first));
            assert_eq!((sender.take_unsent(), sender.take_unsent()), (sent.len() == before, false));
        }
        assert!(sent.len() < 60, "{} packets", sent.len());
        assert!(sent.iter().enumerate().all(|(n, (sequence, ..))| usize::from(*sequence) == n));
        let jumps = sent.windows(2).filter(|pair| pair[1].1 - pair[0].1 > 960);
        assert!(jumps.clone().count() > 0 && jumps.clone().all(|pair| pair[1].2), "a talk-spurt begins after silence");
        assert_eq!(sender.timestamp().wrapping_sub(first.1), 100 * 960);
    }

    #[test]
    fn a_key_takes_the_place_of_sound_and_time_goes_on() {
        let params = StreamParams { send_event: Some(101), ptime_ms: 60, ..StreamParams::default() };
        let mut sender = Sender::new(&params, 1);
        let first = (sender.sequence, sender.timestamp);
        sender.push_frame(&FRAME);
        assert!(poll_all(&mut sender, first).is_empty());
        assert!(sender.press(Digit::new('7').unwrap(), 40, 60) && sender.is_pressing());
        let mut sent = Vec::new();
        for _ in 0..8 {
            sender.push_frame(&FRAME);
            sent.extend(poll_all(&mut sender, first));
        }
        assert!(!sender.is_pressing());
        // What waited, the key at its time: start, end, twice more; then sound where it belongs.
        let expected = [
            (0, 0, true, 160),
            (1, 160, true, 4),
            (2, 160, false, 4),
            (3, 160, false, 4),
            (4, 160, false, 4),
            (5, 160 * 6, true, 480),
        ];
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_change_of_codec_goes_on_with_the_stream() {
        let (mut sender, first) = sender(20);
        sender.push_frame(&FRAME);
        assert_eq!(poll_all(&mut sender, first).len(), 1);
        let opus = StreamParams { codec: Codec::Opus, payload_type: 107, ..StreamParams::default() };
        sender.renegotiate(&opus);
        sender.push_frame(&FRAME);
        let [(sequence, timestamp, marker, _)] = poll_all(&mut sender, first)[..] else { panic!("one packet") };
        assert_eq!((sequence, timestamp, marker), (1, 160, true));
        assert!(!sender.press(Digit::new('1').unwrap(), 100, 50), "they take no keys");
    }

    #[test]
    fn what_is_agreed_on_anew_in_the_same_words_is_not_heard() {
        let tone: [i16; FRAME_8K] = std::array::from_fn(|at| ((at as f32 * 0.7).sin() * 12_000.0) as i16);
        let packets = |codec: Codec, renegotiates: bool| {
            let params = StreamParams { codec, payload_type: 96, ptime_ms: 60, ..StreamParams::default() };
            let mut sender = Sender::new(&params, 1);
            let mut sent = Vec::new();
            for n in 0..30 {
                // In the middle of a packet.
                if renegotiates && n == 13 {
                    sender.renegotiate(&StreamParams { payload_type: 97, send: false, ..params.clone() });
                }
                sender.push_frame(&tone);
                let mut out = [0; MAX_PACKET_BYTES];
                sent.extend(sender.poll_packet(&mut out).map(|length| (out[1] & 0x7F, out[2..length].to_vec())));
            }
            sent
        };
        for codec in Codec::ALL {
            let (plain, renegotiated) = (packets(codec, false), packets(codec, true));
            let types: Vec<u8> = renegotiated.iter().map(|(payload_type, _)| *payload_type).collect();
            assert_eq!(types, [[96; 4].as_slice(), &[97; 6]].concat(), "{codec}");
            assert!(plain.iter().zip(&renegotiated).all(|(one, other)| one.1 == other.1), "{codec}");
        }
    }

    #[test]
    fn skipped_time_is_not_forgotten_when_the_codec_changes() {
        let (mut sender, first) = sender(60);
        sender.push_frame(&FRAME);
        sender.skip(2);
        sender.renegotiate(&StreamParams { codec: Codec::Pcma, payload_type: 8, ..StreamParams::default() });
        assert_eq!(sender.timestamp().wrapping_sub(first.1), 3 * 160);
    }

    #[test]
    fn a_sealed_stream_begins_far_from_its_first_wrap() {
        let suite = crate::rtp::srtp::Suite::AesCm128Sha1_80;
        let key = crate::rtp::srtp::MasterKey::new(suite, &[1; 30]).unwrap();
        let security = Some(Box::new(crate::rtp::srtp::Keys { suite, ours: key, theirs: key }));
        let (plain, sealed) = (StreamParams::default(), StreamParams { security, ..StreamParams::default() });
        let random = 0x1234_5678_9ABC_FFFF;
        assert_eq!(Sender::new(&sealed, random).sequence, 0x7FFF);
        // Also when the keys come with an answer, but a stream under way goes on.
        let mut sender = Sender::new(&plain, random);
        sender.renegotiate(&plain);
        assert_eq!(sender.sequence, 0xFFFF);
        sender.renegotiate(&sealed);
        assert_eq!(sender.sequence, 0x7FFF);
        let (mut sender, first) = self::sender(20);
        sender.push_frame(&FRAME);
        assert_eq!(poll_all(&mut sender, first).len(), 1);
        sender.sequence = 0xFFFF;
        sender.renegotiate(&sealed);
        assert_eq!(sender.sequence, 0xFFFF);
    }
}
