//! What a leg reports: to the far end by RTCP, and of the line when the call is over.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Session;
use crate::rtp::quality::{burst_ratio, mos, r_factor};
use crate::rtp::reporter::Standing;
use crate::rtp::rtcp::VoipMetrics;
use crate::rtp::srtp::MOST_TRAILER_BYTES;
use crate::rtp::{Quality, Rtcp, rtcp};

/// Buffer that holds any report, and what is needed to seal it.
pub const MAX_RTCP_BYTES: usize = rtcp::MAX_REPORT_BYTES + MOST_TRAILER_BYTES;

/// How the line sounds to us.
struct Line {
    burst_ratio: f64,
    /// Mouth to ear without the network.
    local_ms: f64,
    /// Without and with what delay costs.
    listening: f64,
    conversation: f64,
}

impl Session {
    /// Writes the report that is due, if one is, into `out` ([`MAX_RTCP_BYTES`] suffice); where it goes and how long it
    /// is. Reports go on while the call is on hold. Per tick: no allocation, no lock, no log.
    pub fn poll_report(&mut self, now: Instant, out: &mut [u8]) -> Option<(SocketAddr, usize)> {
        self.reporter.is_due(now).then(|| self.write_report(false, now, out)).flatten()
    }

    /// The last report, with BYE, for a leg that is over; nothing where nothing was ever said or heard.
    pub fn farewell(&mut self, now: Instant, out: &mut [u8]) -> Option<(SocketAddr, usize)> {
        let strangers = self.packets_out == 0 && self.receiver.latched().is_none();
        if strangers {
            return None;
        }
        self.write_report(true, now, out)
    }

    /// A report was handed to the socket.
    pub fn report_left(&mut self) {
        self.reporter.left();
    }

    /// Do reports have a port of their own?
    pub fn reports_apart(&self) -> bool {
        self.params.rtcp != Rtcp::Mux
    }

    fn write_report(&mut self, last: bool, now: Instant, out: &mut [u8]) -> Option<(SocketAddr, usize)> {
        let to = self.report_destination();
        let standing = self.standing();
        let length = self.reporter.report(&standing, last, now, out)?;
        let length = match &mut self.srtp {
            Some(srtp) => srtp.sealer.rtcp(out, length)?,
            None => length,
        };
        Some((to?, length))
    }

    /// Where the far end reports from, where it said that it wants reports, or the port after the one it listens at
    /// (RFC 3550 §11).
    fn report_destination(&self) -> Option<SocketAddr> {
        let rtp = self.receiver.destination();
        let signalled = match self.params.rtcp {
            Rtcp::Mux => return rtp,
            Rtcp::Port(signalled) => signalled,
        };
        let next = || rtp.and_then(|rtp| Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?)));
        self.reports_from.or(signalled).or_else(next)
    }

    fn standing(&self) -> Standing {
        let (heard, sent) = (self.receiver.stats(), self.sender.stats());
        let line = self.line();
        let (runs, packet_ms) = self.receiver.runs();
        let packet_ms = f64::from(packet_ms);
        let in_256ths = |share: f64| (share * 256.0).min(255.0) as u8;
        let ms = |ms: f64| ms.clamp(0.0, f64::from(u16::MAX)) as u16;
        let share = |part: u64| if heard.expected == 0 { 0.0 } else { part as f64 / heard.expected as f64 };
        let tenths = |rating: f64| Some((mos(rating) * 10.0).round() as u8);
        let metrics = VoipMetrics {
            loss_rate: in_256ths(share(heard.lost)),
            discard_rate: in_256ths(share(heard.late)),
            burst_density: in_256ths(runs.burst_density()),
            gap_density: in_256ths(runs.gap_density()),
            burst_duration_ms: ms(runs.burst_packets_each() * packet_ms),
            gap_duration_ms: ms(runs.gap_packets_each() * packet_ms),
            end_system_ms: ms(line.local_ms),
            r_factor: Some(line.conversation.round() as u8),
            mos_lq: tenths(line.listening),
            mos_cq: tenths(line.conversation),
            buffer_ms: ms(heard.delay_ms as f64),
            buffer_most_ms: ms(milliseconds(self.jitter.most)),
            ..VoipMetrics::default()
        };
        Standing {
            packets_sent: sent.packets,
            octets_sent: sent.octets,
            rtp_timestamp: self.sender.timestamp(),
            hearing: self.receiver.ssrc(),
            expected: heard.expected,
            received: heard.expected - heard.lost,
            before: self.receiver.before(),
            extended_highest: self.receiver.extended_highest(),
            jitter_ticks: heard.jitter_ticks,
            metrics,
        }
    }

    /// Rates what we hear.
    fn line(&self) -> Line {
        let stats = self.receiver.stats();
        let loss = match stats.expected {
            0 => 0.0,
            expected => ((stats.lost + stats.late) as f64 / expected as f64).min(1.0),
        };
        let mean_run = stats.concealed as f64 / stats.concealed_runs.max(1) as f64;
        let burst_ratio = burst_ratio(loss, mean_run);
        // A packet's first sample has waited for its last one.
        let local_ms = stats.delay_ms as f64 + f64::from(self.params.ptime_ms);
        let network_ms = self.reporter.told().round_trip.map_or(0.0, |trip| milliseconds(trip) / 2.0);
        let rating = |delay_ms: f64| r_factor(self.receiver.codec(), loss, burst_ratio, delay_ms);
        Line { burst_ratio, local_ms, listening: rating(0.0), conversation: rating(local_ms + network_ms) }
    }

    /// How good the line has been until now.
    pub(super) fn quality(&self) -> Quality {
        let (stats, told, line) = (self.receiver.stats(), self.reporter.told(), self.line());
        let percent = |part: u64| if stats.expected == 0 { 0.0 } else { part as f64 * 100.0 / stats.expected as f64 };
        let sent = self.sender.stats().packets;
        let loss_there = told.about_us.filter(|_| sent > 0);
        let loss_there = loss_there.map(|about| (f64::from(about.total_lost) / sent as f64).min(1.0));
        let network_ms = told.round_trip.map_or(0.0, |trip| milliseconds(trip) / 2.0);
        let guess = |loss: f64| mos(r_factor(self.params.codec, loss, 1.0, line.local_ms + network_ms));
        let by_them = told.metrics.and_then(|metrics| metrics.mos_cq).map(|tenths| f64::from(tenths) / 10.0);
        Quality {
            mos: (stats.received > 0).then(|| mos(line.conversation)),
            // Their own word, else what their loss makes of it with a buffer like ours.
            mos_there: by_them.or(loss_there.map(guess)),
            round_trip_ms: told.round_trip.map(milliseconds),
            loss_percent: percent(stats.lost),
            late_percent: percent(stats.late),
            burst_ratio: line.burst_ratio,
            buffer_ms: stats.delay_ms,
            buffer_bounds_ms: Some([self.jitter.least, self.jitter.most].map(|bound| bound.as_millis() as u64)),
            concealed: stats.concealed,
            duplicates: stats.duplicates,
            reordered: stats.reordered,
            jumps: stats.jumps,
            ssrc_changes: stats.ssrc_changes,
            drift_ppm: stats.drift_ppm,
            loss_there_percent: loss_there.map(|loss| loss * 100.0),
            jitter_there_ms: told
                .about_us
                .map(|about| f64::from(about.jitter_ticks) * 1_000.0 / f64::from(self.params.codec.clock_rate_hz())),
            rtcp_in: told.datagrams_in,
            rtcp_out: told.datagrams_out,
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
