//! RTCP on the wire, as much as a telephone call needs: SR or RR with CNAME, VoIP metrics (RFC 3611 §4.7), BYE, and
//! what the far end says of us (RFC 3550 §6). When to say what is [`super::reporter`]'s to know.
//!
//! Ours are written by the `rtcp` crate, into buffers that are there already. Theirs are read here, tolerantly: what is
//! understood counts, the rest of a compound packet is skipped.

use super::bursts::GMIN;
use ::rtcp::extended_report::VoIPMetricsReportBlock;
use ::rtcp::receiver_report::ReceiverReport;
use ::rtcp::reception_report::ReceptionReport;
use ::rtcp::sender_report::SenderReport;
use ::rtcp::source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem};
use bytes::Bytes;
use webrtc_util::marshal::Marshal;

/// Packet types (RFC 3550 §12.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const BYE: u8 = 203;
const EXTENDED_REPORT: u8 = 207;
/// Block type of VoIP metrics and its words after the first (RFC 3611 §4.7).
const VOIP_METRICS: u8 = 7;
const VOIP_METRICS_WORDS: u16 = 8;
/// "Unavailable" in most fields of VoIP metrics (§4.7.5, §4.7.6).
const UNAVAILABLE: u8 = 127;
/// Standard concealment, adaptive jitter buffer, rate of adjustment not said (§4.7.7).
const RECEIVER: u8 = 0b1111_0000;
/// Bytes of a report block.
const BLOCK_BYTES: usize = 24;
/// Bytes of sender information in an SR.
const SENDER_BYTES: usize = 20;
/// Longest CNAME here; §6.5 allows 255.
const MAX_CNAME: usize = 64;
/// Buffer that holds whatever a [`Printer`] writes: SR with a block, CNAME, VoIP metrics, BYE.
pub const MAX_REPORT_BYTES: usize = 28 + 24 + (4 + 4 + 2 + MAX_CNAME + 2) + (8 + 36) + 8;

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

/// How a call sounds at one end (RFC 3611 §4.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VoipMetrics {
    /// Of which stream.
    pub ssrc: u32,
    /// Share of packets lost in the network, in 256ths.
    pub loss_rate: u8,
    /// Share of packets discarded because they came too late, in 256ths.
    pub discard_rate: u8,
    /// How dense losses are within bursts and between them, in 256ths.
    pub burst_density: u8,
    /// See above.
    pub gap_density: u8,
    /// Mean length of bursts and of the gaps between them, milliseconds.
    pub burst_duration_ms: u16,
    /// See above.
    pub gap_duration_ms: u16,
    /// Round trip, milliseconds; 0 when unknown.
    pub round_trip_ms: u16,
    /// Delay within this end, milliseconds.
    pub end_system_ms: u16,
    /// The E-model's rating, 0 to 100.
    pub r_factor: Option<u8>,
    /// Tenths of the mean opinion score without and with the delay, 10 to 50.
    pub mos_lq: Option<u8>,
    /// See above.
    pub mos_cq: Option<u8>,
    /// Delay of the jitter buffer now and at most, milliseconds.
    pub buffer_ms: u16,
    /// See above.
    pub buffer_most_ms: u16,
}

/// What a compound packet from the far end says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    /// Middle 32 bits of the NTP time of its SR: to be sent back in our next report.
    pub sender_report: Option<u32>,
    /// How it receives us.
    pub about_us: Option<Reception>,
    /// How we sound there.
    pub metrics: Option<VoipMetrics>,
    /// The stream that it says is over.
    pub bye: Option<u32>,
    /// Packets of a kind that RTCP has were found at all.
    pub understood: bool,
}

/// Writes our reports. Everything they need is allocated by `new`.
#[derive(Debug)]
pub struct Printer {
    sender: SenderReport,
    receiver: ReceiverReport,
    description: SourceDescription,
}

impl Printer {
    /// Of the stream `ssrc`, under the name `cname`, which is cut to 64 bytes.
    pub fn new(ssrc: u32, cname: &str) -> Self {
        let text = Bytes::copy_from_slice(&cname.as_bytes()[..cname.floor_char_boundary(MAX_CNAME)]);
        // The first copy of such bytes allocates what the others share.
        let _ = text.clone();
        let items = vec![SourceDescriptionItem { sdes_type: SdesType::SdesCname, text }];
        let reports = || Vec::with_capacity(1);
        Self {
            sender: SenderReport { ssrc, reports: reports(), ..SenderReport::default() },
            receiver: ReceiverReport { ssrc, reports: reports(), ..ReceiverReport::default() },
            description: SourceDescription { chunks: vec![SourceDescriptionChunk { source: ssrc, items }] },
        }
    }

    /// Of another stream from now on, under the same name.
    pub fn change_ssrc(&mut self, ssrc: u32) {
        (self.sender.ssrc, self.receiver.ssrc) = (ssrc, ssrc);
        self.description.chunks.iter_mut().for_each(|chunk| chunk.source = ssrc);
    }

    /// Writes a compound report: SR when something was `sent`, else RR; the CNAME; VoIP metrics; BYE when this is the
    /// last. [`MAX_REPORT_BYTES`] always suffice; returns its length. No allocation.
    pub fn print(
        &mut self,
        sent: Option<Sent>,
        about: Option<Reception>,
        metrics: Option<VoipMetrics>,
        last: bool,
        out: &mut [u8],
    ) -> Option<usize> {
        let reports = if sent.is_some() { &mut self.sender.reports } else { &mut self.receiver.reports };
        reports.clear();
        reports.extend(about.map(block));
        let mut length = match sent {
            Some(sent) => {
                (self.sender.ntp_time, self.sender.rtp_time) = (sent.ntp, sent.rtp_timestamp);
                (self.sender.packet_count, self.sender.octet_count) = (sent.packets, sent.octets);
                self.sender.marshal_to(out).ok()?
            }
            None => self.receiver.marshal_to(out).ok()?,
        };
        length += self.description.marshal_to(&mut out[length..]).ok()?;
        if let Some(metrics) = metrics {
            length += print_metrics(self.sender.ssrc, metrics, &mut out[length..])?;
        }
        if last {
            let [s0, s1, s2, s3] = self.sender.ssrc.to_be_bytes();
            *out[length..].first_chunk_mut()? = [0x81, BYE, 0, 1, s0, s1, s2, s3];
            length += 8;
        }
        Some(length)
    }
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
        said.understood |= matches!(kind, 192..=223);
        match kind {
            SENDER_REPORT => {
                said.sender_report = be32(body, 6).or(said.sender_report);
                said.about_us = block_about(body.get(4 + SENDER_BYTES..), ours).or(said.about_us);
            }
            RECEIVER_REPORT => said.about_us = block_about(body.get(4..), ours).or(said.about_us),
            BYE if flags & 0x1F > 0 => said.bye = be32(body, 0).or(said.bye),
            EXTENDED_REPORT => said.metrics = metrics_about(body.get(4..), ours).or(said.metrics),
            _ => {}
        }
        rest = after;
    }
    said
}

fn block(about: Reception) -> ReceptionReport {
    ReceptionReport {
        ssrc: about.ssrc,
        fraction_lost: about.fraction_lost,
        total_lost: about.total_lost.min(0x7F_FFFF),
        last_sequence_number: about.extended_highest,
        jitter: about.jitter_ticks,
        last_sender_report: about.last_sender_report,
        delay: about.delay_since,
    }
}

/// One XR packet with one block. The crate's own packet keeps its blocks in boxes, to be made anew for each.
fn print_metrics(ssrc: u32, metrics: VoipMetrics, out: &mut [u8]) -> Option<usize> {
    let (head, rest) = out.split_first_chunk_mut::<8>()?;
    let [s0, s1, s2, s3] = ssrc.to_be_bytes();
    let [l0, l1] = (VOIP_METRICS_WORDS + 2).to_be_bytes();
    *head = [0x80, EXTENDED_REPORT, l0, l1, s0, s1, s2, s3];
    let block = VoIPMetricsReportBlock {
        ssrc: metrics.ssrc,
        loss_rate: metrics.loss_rate,
        discard_rate: metrics.discard_rate,
        burst_density: metrics.burst_density,
        gap_density: metrics.gap_density,
        burst_duration: metrics.burst_duration_ms,
        gap_duration: metrics.gap_duration_ms,
        round_trip_delay: metrics.round_trip_ms,
        end_system_delay: metrics.end_system_ms,
        signal_level: UNAVAILABLE,
        noise_level: UNAVAILABLE,
        rerl: UNAVAILABLE,
        gmin: GMIN as u8,
        rfactor: metrics.r_factor.unwrap_or(UNAVAILABLE),
        ext_rfactor: UNAVAILABLE,
        mos_lq: metrics.mos_lq.unwrap_or(UNAVAILABLE),
        mos_cq: metrics.mos_cq.unwrap_or(UNAVAILABLE),
        rx_config: RECEIVER,
        reserved: 0,
        jb_nominal: metrics.buffer_ms,
        jb_maximum: metrics.buffer_ms,
        jb_abs_max: metrics.buffer_most_ms,
    };
    Some(8 + block.marshal_to(rest).ok()?)
}

/// The VoIP metrics among the blocks of an XR packet (RFC 3611 §3).
fn metrics_about(blocks: Option<&[u8]>, ours: u32) -> Option<VoipMetrics> {
    let mut rest = blocks?;
    while let Some((&[kind, _, l0, l1], _)) = rest.split_first_chunk::<4>() {
        let words = u16::from_be_bytes([l0, l1]);
        let (block, after) = rest.split_at_checked((usize::from(words) + 1) * 4)?;
        if kind == VOIP_METRICS && words == VOIP_METRICS_WORDS && be32(block, 4) == Some(ours) {
            let be16 = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
            let known =
                |at: usize, range: std::ops::RangeInclusive<u8>| Some(block[at]).filter(|it| range.contains(it));
            return Some(VoipMetrics {
                ssrc: ours,
                loss_rate: block[8],
                discard_rate: block[9],
                burst_density: block[10],
                gap_density: block[11],
                burst_duration_ms: be16(12),
                gap_duration_ms: be16(14),
                round_trip_ms: be16(16),
                end_system_ms: be16(18),
                r_factor: known(24, 0..=100),
                mos_lq: known(26, 10..=50),
                mos_cq: known(27, 10..=50),
                buffer_ms: be16(30),
                buffer_most_ms: be16(34),
            });
        }
        rest = after;
    }
    None
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
    const METRICS: VoipMetrics = VoipMetrics {
        ssrc: 0xABCD,
        loss_rate: 1,
        discard_rate: 2,
        burst_density: 3,
        gap_density: 4,
        burst_duration_ms: 500,
        gap_duration_ms: 600,
        round_trip_ms: 700,
        end_system_ms: 80,
        r_factor: Some(90),
        mos_lq: Some(44),
        mos_cq: None,
        buffer_ms: 40,
        buffer_most_ms: 120,
    };

    fn print(sent: Option<Sent>, about: Option<Reception>, metrics: Option<VoipMetrics>, last: bool) -> Vec<u8> {
        let mut out = [0xEE; MAX_REPORT_BYTES];
        let cname = "x".repeat(300);
        let length = Printer::new(1, &cname).print(sent, about, metrics, last, &mut out).expect("room");
        out[..length].to_vec()
    }

    #[test]
    fn what_we_print_we_read_and_so_does_the_crate() {
        let whole = print(Some(SENT), Some(ABOUT), Some(METRICS), true);
        assert!(is_rtcp(&whole) && whole.len().is_multiple_of(4) && whole.len() == MAX_REPORT_BYTES);
        let said = parse(&whole, 0xABCD);
        let expected = Incoming {
            sender_report: Some(0x2222_3333),
            about_us: Some(ABOUT),
            metrics: Some(METRICS),
            bye: Some(1),
            understood: true,
        };
        assert_eq!(said, expected);
        let nobody = Incoming { about_us: None, metrics: None, ..expected };
        assert_eq!(parse(&whole, 0xDCBA), nobody);
        let packets = ::rtcp::packet::unmarshal(&mut whole.as_slice()).expect("the crate reads it");
        let kinds: Vec<u8> = packets.iter().map(|packet| packet.header().packet_type as u8).collect();
        assert_eq!(kinds, [SENDER_REPORT, 202, EXTENDED_REPORT, BYE]);

        let short = print(None, Some(ABOUT), None, false);
        let expected = Incoming { about_us: Some(ABOUT), understood: true, ..Incoming::default() };
        assert_eq!(parse(&short, 0xABCD), expected);
        assert_eq!(parse(&print(None, None, None, false), 1), Incoming { understood: true, ..Incoming::default() });
    }

    #[test]
    fn a_printer_forgets_what_it_reported_before() {
        let mut printer = Printer::new(1, "x");
        let mut out = [0; MAX_REPORT_BYTES];
        printer.print(Some(SENT), Some(ABOUT), None, false, &mut out).expect("room");
        let length = printer.print(Some(SENT), None, None, false, &mut out).expect("room");
        assert_eq!(parse(&out[..length], 0xABCD).about_us, None);
    }

    #[test]
    fn a_name_is_cut_between_characters_and_a_buffer_too_short_is_no_report() {
        let mut out = [0; MAX_REPORT_BYTES];
        assert!(Printer::new(1, &"é".repeat(300)).print(None, None, None, false, &mut out).is_some());
        for length in 0..100 {
            let told = Printer::new(1, "trunkline").print(Some(SENT), Some(ABOUT), None, true, &mut out[..length]);
            assert_eq!(told.is_some(), length >= 28 + 24 + 20 + 8, "{length} bytes");
        }
    }

    #[test]
    fn more_arrivals_than_packets_sent_are_no_loss() {
        let mut report = print(None, Some(ABOUT), None, false);
        report[13..16].copy_from_slice(&[0xFF, 0xFF, 0xFE]);
        assert_eq!(parse(&report, 0xABCD).about_us.expect("a block").total_lost, 0);
    }

    #[test]
    fn damaged_and_random_packets_say_what_can_be_understood_and_never_panic() {
        let whole = print(Some(SENT), Some(ABOUT), Some(METRICS), true);
        for length in 0..whole.len() {
            let said = parse(&whole[..length], 0xABCD);
            assert_eq!(said.about_us.is_some(), length >= 52, "{length} bytes");
        }
        let mut random = StdRng::seed_from_u64(6);
        for _ in 0..100_000 {
            let mut bytes = whole.clone();
            for _ in 0..random.random_range(1..6) {
                let place = random.random_range(0..bytes.len());
                bytes[place] = random.random();
            }
            parse(&bytes[..random.random_range(0..=bytes.len())], 0xABCD);
        }
    }
}
