//! RTCP, as much as a telephone call needs: SR or RR with CNAME, BYE, and what the far end says of us
//! (RFC 3550 §6).
//!
//! Ours are built with the `rtcp` crate, once in some seconds, off the per-frame path. Theirs are read here,
//! tolerantly: what is understood counts, the rest of a compound packet is skipped.

use ::rtcp::goodbye::Goodbye;
use ::rtcp::packet::Packet;
use ::rtcp::receiver_report::ReceiverReport;
use ::rtcp::reception_report::ReceptionReport;
use ::rtcp::sender_report::SenderReport;
use ::rtcp::source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem};
use bytes::Bytes;

/// Packet types (RFC 3550 §12.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const BYE: u8 = 203;
/// Bytes of a report block.
const BLOCK_BYTES: usize = 24;
/// Bytes of sender information in an SR.
const SENDER_BYTES: usize = 20;
/// Longest CNAME (§6.5).
const MAX_CNAME: usize = 255;

/// What we sent, for a sender report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Wall clock, NTP format: seconds since 1900 and their 2³²th parts.
    pub ntp: u64,
    /// RTP timestamp of the same instant.
    pub rtp_timestamp: u32,
    /// Packets and bytes so far, wrapping.
    pub packets: u32,
    /// Payload bytes so far, wrapping.
    pub octets: u32,
}

/// What one side received of the other (§6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reception {
    /// Of which stream.
    pub ssrc: u32,
    /// Lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Lost since the beginning, 24 bits; negative numbers (duplicates) are shown as 0.
    pub total_lost: u32,
    /// Newest sequence number with its wraps.
    pub extended_highest: u32,
    /// Interarrival jitter in clock ticks.
    pub jitter_ticks: u32,
    /// Middle 32 bits of the NTP time in the last SR, 0 when there was none.
    pub last_sender_report: u32,
    /// Time since it arrived, in 65,536ths of a second.
    pub delay_since: u32,
}

/// What a compound packet from the far end says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    /// Middle 32 bits of the NTP time of its SR: to be sent back in our next report.
    pub sender_report: Option<u32>,
    /// How it receives us.
    pub about_us: Option<Reception>,
    /// It left.
    pub bye: bool,
}

/// Prints a compound report: SR when something was `sent`, else RR, and the CNAME. `None` should the crate refuse.
pub fn print_report(ssrc: u32, cname: &str, sent: Option<Sent>, about: Option<Reception>) -> Option<Bytes> {
    ::rtcp::packet::marshal(&[report(ssrc, sent, about), description(ssrc, cname)]).ok()
}

/// Prints the farewell: an empty report, the CNAME and BYE (§6.6). `None` should the crate refuse.
pub fn print_bye(ssrc: u32, cname: &str) -> Option<Bytes> {
    let bye: Boxed = Box::new(Goodbye { sources: vec![ssrc], reason: Bytes::new() });
    ::rtcp::packet::marshal(&[report(ssrc, None, None), description(ssrc, cname), bye]).ok()
}

/// Reads what the far end says of the stream `ours`. Nothing in `datagram` is an error: what is not understood says
/// nothing. No allocation.
pub fn parse(datagram: &[u8], ours: u32) -> Incoming {
    let mut said = Incoming::default();
    let mut rest = datagram;
    while let Some((&[flags, kind, l0, l1], _)) = rest.split_first_chunk::<4>() {
        let length = (usize::from(u16::from_be_bytes([l0, l1])) + 1) * 4;
        let Some((packet, after)) = rest.split_at_checked(length).filter(|_| flags >> 6 == 2) else { break };
        let body = &packet[4..];
        match kind {
            SENDER_REPORT => {
                said.sender_report = be32(body, 6).or(said.sender_report);
                said.about_us = block_about(body.get(4 + SENDER_BYTES..), ours).or(said.about_us);
            }
            RECEIVER_REPORT => said.about_us = block_about(body.get(4..), ours).or(said.about_us),
            BYE => said.bye = true,
            _ => {}
        }
        rest = after;
    }
    said
}

type Boxed = Box<dyn Packet + Send + Sync>;

fn report(ssrc: u32, sent: Option<Sent>, about: Option<Reception>) -> Boxed {
    let block = |about: Reception| ReceptionReport {
        ssrc: about.ssrc,
        fraction_lost: about.fraction_lost,
        total_lost: about.total_lost.min(0x7F_FFFF),
        last_sequence_number: about.extended_highest,
        jitter: about.jitter_ticks,
        last_sender_report: about.last_sender_report,
        delay: about.delay_since,
    };
    let reports = about.map(block).into_iter().collect();
    match sent {
        Some(sent) => Box::new(SenderReport {
            ssrc,
            ntp_time: sent.ntp,
            rtp_time: sent.rtp_timestamp,
            packet_count: sent.packets,
            octet_count: sent.octets,
            reports,
            profile_extensions: Bytes::new(),
        }),
        None => Box::new(ReceiverReport { ssrc, reports, profile_extensions: Bytes::new() }),
    }
}

fn description(ssrc: u32, cname: &str) -> Boxed {
    let cname = &cname[..cname.floor_char_boundary(MAX_CNAME)];
    let text = Bytes::copy_from_slice(cname.as_bytes());
    let items = vec![SourceDescriptionItem { sdes_type: SdesType::SdesCname, text }];
    Box::new(SourceDescription { chunks: vec![SourceDescriptionChunk { source: ssrc, items }] })
}

fn block_about(blocks: Option<&[u8]>, ours: u32) -> Option<Reception> {
    let block = blocks?.chunks_exact(BLOCK_BYTES).find(|block| be32(block, 0) == Some(ours))?;
    let lost = be32(block, 4)?;
    // 24 bits, signed.
    let total_lost = if lost & 0x80_0000 == 0 { lost & 0x7F_FFFF } else { 0 };
    Some(Reception {
        ssrc: ours,
        fraction_lost: block[4],
        total_lost,
        extended_highest: be32(block, 8)?,
        jitter_ticks: be32(block, 12)?,
        last_sender_report: be32(block, 16)?,
        delay_since: be32(block, 20)?,
    })
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::packet::is_rtcp;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    const ABOUT: Reception = Reception {
        ssrc: 0xABCD,
        fraction_lost: 12,
        total_lost: 345,
        extended_highest: 0x0001_0203,
        jitter_ticks: 77,
        last_sender_report: 0x1234_5678,
        delay_since: 99,
    };
    const SENT: Sent = Sent { ntp: 0x1111_2222_3333_4444, rtp_timestamp: 5, packets: 6, octets: 960 };

    #[test]
    fn what_we_print_we_read() {
        let report = print_report(1, "trunkline@192.0.2.1", Some(SENT), Some(ABOUT)).unwrap();
        assert!(is_rtcp(&report) && report.len().is_multiple_of(4));
        let expected = Incoming { sender_report: Some(0x2222_3333), about_us: Some(ABOUT), bye: false };
        assert_eq!(parse(&report, 0xABCD), expected);
        assert_eq!(parse(&report, 0xDCBA), Incoming { about_us: None, ..expected });

        let report = print_report(1, "x", None, Some(ABOUT)).unwrap();
        assert_eq!(parse(&report, 0xABCD), Incoming { sender_report: None, ..expected });
        assert_eq!(parse(&print_bye(1, "x").unwrap(), 0xABCD), Incoming { bye: true, ..Incoming::default() });
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert!(print_report(1, &"é".repeat(300), None, None).is_some());
    }

    #[test]
    fn more_arrivals_than_packets_sent_are_no_loss() {
        let mut report = print_report(1, "x", None, Some(ABOUT)).unwrap().to_vec();
        report[13..16].copy_from_slice(&[0xFF, 0xFF, 0xFE]);
        assert_eq!(parse(&report, 0xABCD).about_us.unwrap().total_lost, 0);
    }

    #[test]
    fn damaged_and_random_packets_say_what_can_be_understood_and_never_panic() {
        let whole = print_report(1, "trunkline", Some(SENT), Some(ABOUT)).unwrap();
        for length in 0..whole.len() {
            let said = parse(&whole[..length], 0xABCD);
            assert_eq!(said.about_us.is_some(), length >= 52, "{length} bytes");
        }
        let mut random = StdRng::seed_from_u64(6);
        for _ in 0..100_000 {
            let mut bytes = whole.to_vec();
            for _ in 0..random.random_range(1..6) {
                let place = random.random_range(0..bytes.len());
                bytes[place] = random.random();
            }
            parse(&bytes[..random.random_range(0..=bytes.len())], 0xABCD);
        }
    }
}
