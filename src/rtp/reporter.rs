//! When to report by RTCP, what to say, and what to make of what the far end says (RFC 3550 §6, RFC 3611).
//!
//! The first report leaves after 2.5 s, further ones about every 5 s, each time a little sooner or later so that a
//! thousand legs do not report in step. On hold they go on: they say that we are still there (RFC 3264 §6.1).

use std::time::{Duration, Instant};

use super::rtcp::{self, Incoming, Printer, Reception, Sent, VoipMetrics};
use crate::time::Now;

/// Until the first report (RFC 3550 §6.2: half the least interval).
const FIRST: Duration = Duration::from_millis(2_500);
/// Least interval between two, before it is varied (§6.2).
const INTERVAL: Duration = Duration::from_secs(5);
/// Sender reports remembered, to tell which one an answer is about.
const REMEMBERED: usize = 4;
/// A round trip longer than this is a far end that cannot count.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(10);
/// Seconds between 1900, where NTP counts from, and 1970.
const NTP_EPOCH: i128 = 2_208_988_800;

/// What a report is made of, as the leg stands now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Standing {
    /// Packets and payload bytes sent since the beginning, and the RTP timestamp of this moment.
    pub packets_sent: u64,
    /// See above.
    pub octets_sent: u64,
    /// See above.
    pub rtp_timestamp: u32,
    /// The stream we hear.
    pub hearing: Option<u32>,
    /// Packets expected and received since the beginning, of whichever stream.
    pub expected: u64,
    /// See above.
    pub received: u64,
    /// How many of them, expected and received, belong to streams heard before this one.
    pub before: (u64, u64),
    /// Its newest sequence number, with wraps.
    pub extended_highest: u32,
    /// Its jitter in ticks of its clock.
    pub jitter_ticks: u32,
    /// How it sounds; `ssrc` and `round_trip_ms` are filled in.
    pub metrics: VoipMetrics,
}

/// What the far end has said of us, the newest of each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Told {
    /// Last round trip measured.
    pub round_trip: Option<Duration>,
    /// How it receives us.
    pub about_us: Option<Reception>,
    /// How we sound there.
    pub metrics: Option<VoipMetrics>,
    /// Datagrams understood.
    pub datagrams_in: u64,
    /// Datagrams of ours that left.
    pub datagrams_out: u64,
}

/// RTCP of one leg, without sockets.
#[derive(Debug)]
pub struct Reporter {
    printer: Printer,
    /// An instant and its NTP time: from then on the monotonic clock counts, so that a wall clock that is set does not
    /// bend a round trip.
    zero: (Instant, u64),
    next_at: Instant,
    /// State of a small generator.
    random: u64,
    told: Told,
    /// Middle of the NTP time in their last SR, and when it arrived.
    their_report: Option<(u32, Instant)>,
    /// The same of our last ones, newest last; 0: none.
    our_reports: [u32; REMEMBERED],
    packets_reported: u64,
    /// Our stream goes on under this name, once the old one has been taken leave of.
    renamed: Option<u32>,
    expected_before: u64,
    received_before: u64,
}

impl Reporter {
    /// Of the stream `ssrc`, opened at `now`. The name we go by and the beat of the reports come from `random`
    /// (RFC 7022: a name that lasts for a call and says nothing of anybody).
    pub fn new(ssrc: u32, random: u64, now: Now) -> Self {
        // Seventeen letters: the chunk then ends on a word, and needs none of the padding that stacks disagree on.
        let cname = format!("t{:016x}", step(random ^ 0x7022));
        Self {
            printer: Printer::new(ssrc, &cname),
            zero: (now.mono, ntp_of(now)),
            next_at: now.mono + FIRST,
            random,
            told: Told::default(),
            their_report: None,
            our_reports: [0; REMEMBERED],
            packets_reported: 0,
            renamed: None,
            expected_before: 0,
            received_before: 0,
        }
    }

    /// Is it time for a report? Per tick: one comparison.
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.next_at
    }

    /// What the far end has said.
    pub const fn told(&self) -> &Told {
        &self.told
    }

    /// Our stream needs another SSRC, because the far end has the same one (RFC 3550 §8.2): which is returned. A report
    /// with BYE for the old one is due at once.
    pub fn change_ssrc(&mut self) -> u32 {
        self.random = step(self.random);
        let ssrc = (self.random >> 32) as u32;
        self.renamed = Some(ssrc);
        self.next_at = self.zero.0;
        ssrc
    }

    /// Writes a report into `out` ([`rtcp::MAX_REPORT_BYTES`] suffice), with BYE when it is the last; the next is due
    /// some seconds from now. No allocation.
    pub fn report(&mut self, standing: &Standing, last: bool, now: Instant, out: &mut [u8]) -> Option<usize> {
        self.random = step(self.random);
        // §6.2: between half and one and a half times the interval.
        self.next_at = now + INTERVAL / 2 + INTERVAL.mul_f64((self.random >> 11) as f64 / (1_u64 << 53) as f64);
        let spoke = standing.packets_sent != self.packets_reported;
        self.packets_reported = standing.packets_sent;
        let ntp = self.ntp(now);
        let sent = spoke.then_some(Sent {
            ntp,
            rtp_timestamp: standing.rtp_timestamp,
            packets: standing.packets_sent as u32,
            octets: standing.octets_sent as u32,
        });
        let about = standing.hearing.map(|ssrc| self.reception(ssrc, standing, now));
        let round_trip_ms = self.told.round_trip.map_or(0, |time| u16::try_from(time.as_millis()).unwrap_or(u16::MAX));
        let metrics = standing.hearing.map(|ssrc| VoipMetrics { ssrc, round_trip_ms, ..standing.metrics });
        let renamed = self.renamed.take();
        let length = self.printer.print(sent, about, metrics, last || renamed.is_some(), out)?;
        if let Some(ssrc) = renamed {
            self.printer.change_ssrc(ssrc);
            // What was said of the old stream says nothing of the new one.
            (self.told.about_us, self.our_reports, self.packets_reported) = (None, [0; REMEMBERED], 0);
        } else if spoke {
            self.our_reports.rotate_left(1);
            self.our_reports[REMEMBERED - 1] = middle(ntp);
        }
        Some(length)
    }

    /// One of our reports was handed to the socket.
    pub fn left(&mut self) {
        self.told.datagrams_out += 1;
    }

    /// Reads what the far end says of our stream `ours`, received at `arrived`. No allocation.
    pub fn read(&mut self, datagram: &[u8], ours: u32, arrived: Instant) -> Incoming {
        let said = rtcp::parse(datagram, ours);
        self.told.datagrams_in += u64::from(said.understood);
        if let Some(report) = said.sender_report {
            self.their_report = Some((report, arrived));
        }
        if let Some(about) = said.about_us {
            self.told.about_us = Some(about);
            self.told.round_trip = self.round_trip(about, arrived).or(self.told.round_trip);
        }
        self.told.metrics = said.metrics.or(self.told.metrics);
        said
    }

    /// §6.4.1: from our report to theirs about it, less what it lay with them. Only of reports that we did send.
    fn round_trip(&self, about: Reception, arrived: Instant) -> Option<Duration> {
        let asked = Some(about.last_sender_report).filter(|&asked| asked != 0 && self.our_reports.contains(&asked))?;
        let trip = middle(self.ntp(arrived)).wrapping_sub(asked).wrapping_sub(about.delay_since);
        // A little below zero is rounding at both ends.
        let trip = if trip > u32::MAX - 0x1_0000 { 0 } else { trip };
        Some(Duration::from_secs_f64(f64::from(trip) / 65_536.0)).filter(|trip| *trip <= LONGEST_ROUND_TRIP)
    }

    /// What we received of this stream, since its beginning and since the last report (§6.4.1, §A.3).
    fn reception(&mut self, ssrc: u32, standing: &Standing, now: Instant) -> Reception {
        let Standing { expected, received, before, .. } = *standing;
        let expected_since = expected.saturating_sub(self.expected_before.max(before.0));
        let received_since = received.saturating_sub(self.received_before.max(before.1));
        (self.expected_before, self.received_before) = (expected, received);
        let lost_since = expected_since.saturating_sub(received_since);
        let total_lost = (expected.saturating_sub(before.0)).saturating_sub(received.saturating_sub(before.1));
        let delay_since = |at: Instant| (now.saturating_duration_since(at).as_secs_f64() * 65_536.0) as u32;
        Reception {
            ssrc,
            fraction_lost: (lost_since * 256).checked_div(expected_since).unwrap_or(0).min(255) as u8,
            total_lost: u32::try_from(total_lost).unwrap_or(u32::MAX),
            extended_highest: standing.extended_highest,
            jitter_ticks: standing.jitter_ticks,
            last_sender_report: self.their_report.map_or(0, |(report, _)| report),
            delay_since: self.their_report.map_or(0, |(_, at)| delay_since(at)),
        }
    }

    fn ntp(&self, at: Instant) -> u64 {
        let (zero, ntp) = self.zero;
        let parts = |time: Duration| (time.as_nanos() << 32).checked_div(1_000_000_000).unwrap_or(0) as u64;
        ntp.wrapping_add(parts(at.saturating_duration_since(zero)))
            .wrapping_sub(parts(zero.saturating_duration_since(at)))
    }
}

/// Seconds since 1900 and their 2³²th parts (§4).
fn ntp_of(now: Now) -> u64 {
    let nanos = now.wall.as_nanosecond() + NTP_EPOCH * 1_000_000_000;
    ((nanos << 32) / 1_000_000_000) as u64
}

/// The middle 32 bits, in which reports speak of each other.
const fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// SplitMix64.
const fn step(state: u64) -> u64 {
    let state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::rtcp::MAX_REPORT_BYTES;
    use crate::time::{Clock, SystemClock};

    const OURS: u32 = 7;
    const THEIRS: u32 = 9;

    fn now() -> Now {
        SystemClock.now()
    }

    fn standing(packets: u64, expected: u64, received: u64) -> Standing {
        Standing {
            packets_sent: packets,
            octets_sent: packets * 160,
            hearing: Some(THEIRS),
            expected,
            received,
            ..Standing::default()
        }
    }

    fn report(reporter: &mut Reporter, standing: &Standing, at: Instant) -> Vec<u8> {
        let mut out = [0; MAX_REPORT_BYTES];
        let length = reporter.report(standing, false, at, &mut out).expect("room");
        out[..length].to_vec()
    }

    #[test]
    fn the_first_report_is_due_after_two_and_a_half_seconds_and_the_next_about_five_later() {
        let now = now();
        let mut reporter = Reporter::new(OURS, 42, now);
        assert!(!reporter.is_due(now.mono + FIRST - Duration::from_millis(1)));
        let mut at = now.mono + FIRST;
        let mut waits = Vec::new();
        for _ in 0..100 {
            assert!(reporter.is_due(at));
            report(&mut reporter, &Standing::default(), at);
            let next = (0..=7_500).map(|ms| at + Duration::from_millis(ms)).find(|&at| reporter.is_due(at));
            let next = next.expect("within one and a half intervals");
            waits.push((next - at).as_millis());
            at = next;
        }
        assert!(waits.iter().all(|wait| (2_500..=7_500).contains(wait)), "{waits:?}");
        let mean = waits.iter().sum::<u128>() / 100;
        assert!((4_300..5_700).contains(&mean), "mean {mean}");
        assert!(waits.iter().max() > Some(&7_000) && waits.iter().min() < Some(&3_000), "{waits:?}");
    }

    #[test]
    fn two_ends_measure_the_round_trip_between_them_whatever_their_clocks_say() {
        let (here, zero) = (now(), now().mono);
        let there = Now { wall: here.wall + jiff::SignedDuration::from_hours(31), ..here };
        let (mut a, mut b) = (Reporter::new(OURS, 1, here), Reporter::new(THEIRS, 2, there));
        let ms = |ms: u64| zero + Duration::from_millis(ms);
        let from_a = report(&mut a, &standing(100, 0, 0), ms(2_500));
        b.read(&from_a, THEIRS, ms(2_540));
        let about_a = Standing { hearing: Some(OURS), ..standing(100, 100, 100) };
        let from_b = report(&mut b, &about_a, ms(5_000));
        a.read(&from_b, OURS, ms(5_060));
        let trip = a.told().round_trip.expect("both have reported");
        assert!(trip.abs_diff(Duration::from_millis(100)) < Duration::from_millis(1), "{trip:?}");
        assert_eq!(b.told().round_trip, None, "nobody has answered b's report yet");
        assert_eq!((a.told().datagrams_in, b.told().datagrams_in), (1, 1));
    }

    #[test]
    fn a_report_about_one_we_never_sent_measures_nothing() {
        let now = now();
        let (mut a, mut b) = (Reporter::new(OURS, 1, now), Reporter::new(THEIRS, 2, now));
        let mut other = Reporter::new(OURS, 3, now);
        let strange = report(&mut other, &standing(1, 0, 0), now.mono + FIRST);
        b.read(&strange, THEIRS, now.mono + FIRST);
        let about_a = Standing { hearing: Some(OURS), ..standing(100, 100, 100) };
        let answer = report(&mut b, &about_a, now.mono + FIRST * 2);
        a.read(&answer, OURS, now.mono + FIRST * 2);
        assert_eq!(a.told().round_trip, None);
        assert!(a.told().about_us.is_some());
    }

    #[test]
    fn loss_is_told_in_all_and_since_the_last_report() {
        let now = now();
        let mut reporter = Reporter::new(OURS, 1, now);
        let told = |bytes: Vec<u8>| rtcp::parse(&bytes, THEIRS).about_us.expect("a block");
        let first = told(report(&mut reporter, &standing(0, 200, 150), now.mono));
        assert_eq!((first.fraction_lost, first.total_lost), (64, 50));
        let second = told(report(&mut reporter, &standing(0, 300, 250), now.mono));
        assert_eq!((second.fraction_lost, second.total_lost), (0, 50));
        // Nothing came at all: no packets, no loss.
        assert_eq!(told(report(&mut reporter, &standing(0, 300, 250), now.mono)).fraction_lost, 0);
    }

    #[test]
    fn what_was_lost_of_one_stream_is_not_told_of_the_next() {
        let now = now();
        let mut reporter = Reporter::new(OURS, 1, now);
        let told = |bytes: Vec<u8>| rtcp::parse(&bytes, THEIRS).about_us.expect("a block");
        report(&mut reporter, &standing(0, 200, 150), now.mono);
        // Of the old one 50 more were expected and lost before the new one began, of which one in four is lost.
        let another = Standing { before: (250, 150), ..standing(0, 350, 225) };
        let first = told(report(&mut reporter, &another, now.mono));
        assert_eq!((first.fraction_lost, first.total_lost), (64, 25));
        let second = told(report(&mut reporter, &Standing { expected: 450, received: 325, ..another }, now.mono));
        assert_eq!((second.fraction_lost, second.total_lost), (0, 25));
    }

    #[test]
    fn who_sent_nothing_since_reports_as_a_receiver() {
        let now = now();
        let mut reporter = Reporter::new(OURS, 1, now);
        assert_eq!(report(&mut reporter, &standing(5, 0, 0), now.mono)[1], 200);
        assert_eq!(report(&mut reporter, &standing(5, 0, 0), now.mono)[1], 201);
        assert_eq!(report(&mut reporter, &standing(6, 0, 0), now.mono)[1], 200);
    }

    #[test]
    fn another_ssrc_is_taken_after_leave_of_the_old_one() {
        let now = now();
        let mut reporter = Reporter::new(OURS, 1, now);
        report(&mut reporter, &standing(5, 0, 0), now.mono);
        let new = reporter.change_ssrc();
        assert!(new != OURS && reporter.is_due(now.mono));
        let goodbye = rtcp::parse(&report(&mut reporter, &standing(6, 0, 0), now.mono), THEIRS);
        assert_eq!((goodbye.bye, goodbye.understood), (Some(OURS), true));
        assert!(!reporter.is_due(now.mono), "once");
        let next = report(&mut reporter, &standing(7, 0, 0), now.mono);
        assert_eq!((next[1], &next[4..8]), (200, &new.to_be_bytes()[..]));
        assert_eq!(rtcp::parse(&next, THEIRS).bye, None);
        assert_ne!(reporter.change_ssrc(), new);
    }

    #[test]
    fn the_name_says_nothing_and_lasts() {
        let now = now();
        let cname =
            |random| report(&mut Reporter::new(OURS, random, now), &Standing::default(), now.mono)[16..].to_vec();
        assert_eq!(cname(1), cname(1));
        assert_ne!(cname(1), cname(2));
    }

    #[test]
    fn ntp_counts_from_1900() {
        // RFC 5905 Figure 4: the Unix epoch is 2,208,988,800 s.
        let epoch = Now { wall: jiff::Timestamp::UNIX_EPOCH, ..now() };
        assert_eq!(ntp_of(epoch), 2_208_988_800 << 32);
    }
}
