//! One RTP packet on the wire (RFC 3550 §5.1), read in place and written into a buffer.
//!
//! The `rtp` crate writes headers. Reading is ours for two reasons that the tests below keep: its parser panics on a
//! header extension whose element is longer than the packet (RFC 8285), so any stranger could stop the media thread,
//! and it allocates for every packet. What the crate writes we must read, and what we write it must read.

use rtp::header::Header;
use webrtc_util::marshal::Marshal as _;

/// Bytes of a header without CSRC list and extension; what we send.
pub const HEADER_BYTES: usize = 12;
/// Largest datagram taken for RTP: the Ethernet MTU and some. Longer ones are refused unread.
pub const MAX_DATAGRAM_BYTES: usize = 2_048;

/// What a receiver needs of a packet; the payload lies in the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Start of a talk-spurt (RFC 3551 §4.1), or first packet of an event (RFC 4733 §2.2).
    pub marker: bool,
    /// 0..=127.
    pub payload_type: u8,
    /// Sequence number, wrapping.
    pub sequence: u16,
    /// Sampling instant of the first byte, in clock ticks, wrapping.
    pub timestamp: u32,
    /// Which stream.
    pub ssrc: u32,
    /// Without padding. May be empty.
    pub payload: &'a [u8],
}

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Its version is not 2: STUN, DTLS, noise.
    #[error("not RTP version 2")]
    Version,
    /// It ends inside the header.
    #[error("an RTP header that ends early")]
    Short,
    /// The padding is longer than the payload, or zero.
    #[error("impossible RTP padding")]
    Padding,
}

impl<'a> Packet<'a> {
    /// Reads a datagram. Per packet: no allocation, and no bytes make it panic.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let (header, mut rest) = datagram.split_first_chunk::<HEADER_BYTES>().ok_or(PacketError::Short)?;
        let [flags, marker_and_type, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = *header;
        if flags >> 6 != 2 {
            return Err(PacketError::Version);
        }
        let csrc_bytes = usize::from(flags & 0x0F) * 4;
        rest = rest.get(csrc_bytes..).ok_or(PacketError::Short)?;
        if flags & 0x10 != 0 {
            let (&[_, _, w0, w1], body) = rest.split_first_chunk::<4>().ok_or(PacketError::Short)?;
            rest = body.get(usize::from(u16::from_be_bytes([w0, w1])) * 4..).ok_or(PacketError::Short)?;
        }
        if flags & 0x20 != 0 {
            // §5.1: the last byte counts the padding, itself included.
            let padding = usize::from(*rest.last().ok_or(PacketError::Padding)?);
            if padding == 0 || padding > rest.len() {
                return Err(PacketError::Padding);
            }
            rest = &rest[..rest.len() - padding];
        }
        Ok(Self {
            marker: marker_and_type & 0x80 != 0,
            payload_type: marker_and_type & 0x7F,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
            payload: rest,
        })
    }

    /// Writes the packet to the start of `out` and returns its length, or `None` when `out` is too short.
    /// Per packet: no allocation.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let length = HEADER_BYTES + self.payload.len();
        let out = out.get_mut(..length)?;
        let header = Header {
            version: 2,
            marker: self.marker,
            payload_type: self.payload_type & 0x7F,
            sequence_number: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            ..Header::default()
        };
        let (head, body) = out.split_at_mut(HEADER_BYTES);
        header.marshal_to(head).ok()?;
        body.copy_from_slice(self.payload);
        Some(length)
    }
}

/// Is this datagram RTCP sharing the RTP port (RFC 5761 §4)? Its packet types 192 to 223 look like RTP payload
/// types 64 to 95 with the marker set, which nobody may use beside it.
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [flags, 192..=223, ..] if flags >> 6 == 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use rand::{Rng, SeedableRng, rngs::StdRng};
    use webrtc_util::marshal::Unmarshal;

    #[test]
    fn what_we_write_the_rtp_crate_reads_and_what_it_writes_we_read() {
        let mut random = StdRng::seed_from_u64(3550);
        for _ in 0..500 {
            let payload: Vec<u8> = (0..random.random_range(0..480)).map(|_| random.random()).collect();
            let ours = Packet {
                marker: random.random(),
                payload_type: random.random_range(0..128),
                sequence: random.random(),
                timestamp: random.random(),
                ssrc: random.random(),
                payload: &payload,
            };
            let mut datagram = [0; MAX_DATAGRAM_BYTES];
            let length = ours.write(&mut datagram).unwrap();
            let mut theirs = rtp::packet::Packet::unmarshal(&mut Bytes::copy_from_slice(&datagram[..length])).unwrap();
            assert_eq!(
                (theirs.header.marker, theirs.header.payload_type, theirs.header.sequence_number),
                (ours.marker, ours.payload_type, ours.sequence)
            );
            assert_eq!((theirs.header.timestamp, theirs.header.ssrc), (ours.timestamp, ours.ssrc));
            assert_eq!(theirs.payload, payload);

            theirs.header.csrc = (0..random.random_range(0..16)).map(|_| random.random()).collect();
            if random.random() {
                let extension = Bytes::from_static(b"loud");
                theirs.header.set_extension(1, extension).unwrap();
            }
            // The crate pads to whole words when asked to; an empty payload stays as it is.
            theirs.header.padding = !payload.is_empty() && !payload.len().is_multiple_of(4);
            let datagram = theirs.marshal().unwrap();
            assert_eq!(Packet::parse(&datagram), Ok(ours));
        }
    }

    #[test]
    fn an_extension_element_longer_than_the_packet_is_skipped_here_and_a_panic_in_the_rtp_crate() {
        // V=2, X; profile 0xBEDE, one word: element 1 claims 16 bytes where 3 remain.
        let mut datagram = vec![0x90, 0x00, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xBE, 0xDE, 0, 1, 0x1F, 0, 0, 0];
        assert_eq!(Packet::parse(&datagram).unwrap().payload, b"");
        let crate_reads = std::panic::catch_unwind(|| {
            let _ = rtp::packet::Packet::unmarshal(&mut Bytes::from_static(&[
                0x90, 0x00, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xBE, 0xDE, 0, 1, 0x1F, 0, 0, 0,
            ]));
        });
        assert!(crate_reads.is_err(), "the crate no longer panics: reconsider using its parser");
        datagram.extend([7; 20]);
        assert_eq!(Packet::parse(&datagram).unwrap().payload, [7; 20]);
    }

    #[test]
    fn malformed_packets_are_refused_with_a_reason() {
        let header = |flags: u8| [flags, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        let with = |flags: u8, rest: &[u8]| [&header(flags)[..], rest].concat();
        let rows = [
            (vec![], Err(PacketError::Short)),
            (header(0x80)[..11].to_vec(), Err(PacketError::Short)),
            (with(0x80, &[]), Ok(0)),
            (with(0x00, &[1, 2]), Err(PacketError::Version)),
            (with(0xC0, &[1, 2]), Err(PacketError::Version)),
            (with(0x81, &[1, 2, 3]), Err(PacketError::Short)),
            (with(0x82, &[0; 9]), Ok(1)),
            (with(0x90, &[0, 0, 0]), Err(PacketError::Short)),
            (with(0x90, &[0, 0, 0, 1, 9, 9, 9]), Err(PacketError::Short)),
            (with(0x90, &[0, 0, 0, 0, 5]), Ok(1)),
            (with(0xA0, &[]), Err(PacketError::Padding)),
            (with(0xA0, &[0]), Err(PacketError::Padding)),
            (with(0xA0, &[1, 2, 4]), Err(PacketError::Padding)),
            (with(0xA0, &[1, 2, 3]), Ok(0)),
            (with(0xA0, &[1, 2, 1]), Ok(2)),
        ];
        for (datagram, expected) in rows {
            assert_eq!(Packet::parse(&datagram).map(|packet| packet.payload.len()), expected, "{datagram:02x?}");
        }
    }

    #[test]
    fn random_bytes_never_panic_and_rtcp_is_told_apart() {
        let mut random = StdRng::seed_from_u64(1);
        for _ in 0..200_000 {
            let mut datagram = [0u8; 64];
            random.fill(&mut datagram[..]);
            datagram[0] |= 0x80;
            let _ = Packet::parse(&datagram[..random.random_range(0..64)]);
        }
        assert!(is_rtcp(&[0x80, 200, 0, 0]));
        assert!(!is_rtcp(&[0x80, 0x80, 0, 0]) && !is_rtcp(&[0x80, 101, 0, 0]) && !is_rtcp(&[]));
    }

    #[test]
    fn a_buffer_too_short_is_left_alone() {
        let packet = Packet { marker: false, payload_type: 0, sequence: 1, timestamp: 2, ssrc: 3, payload: &[9; 8] };
        let mut out = [0xAA; 19];
        assert_eq!(packet.write(&mut out), None);
        assert_eq!(out, [0xAA; 19]);
    }
}
