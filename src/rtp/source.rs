//! Whom a receiver listens to, and where we send.
//!
//! Symmetric RTP (RFC 4961): the address in the SDP is often not where packets come from (NAT), so the first valid
//! packets decide, and afterwards nobody else is heard. The signalled address and port have precedence: they latch with
//! their first packet and take the latch back from a stranger; a stranger, and so another port of the same host, which
//! may carry somebody else's call, must send three packets in a row before we believe that the far end sits behind a
//! NAT.
//!
//! When the far end signals another address, the old one is still heard, for its last packets are on their way, but we
//! send to the new one at once: two ends that wait to hear each other first would stay deaf.
//!
//! A NAT may give a telephone another port when nothing was sent for a while, and nothing signals that. So whoever we
//! listen to keeps others out only while it speaks: once it has been silent for two seconds, ten packets in a row from
//! elsewhere are believed, or the first one where the far end's key has opened it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::packet::Packet;

/// Packets in a row that make a stranger, or another SSRC, believable.
pub(super) const BELIEVED_AFTER: u32 = 3;
/// Packets after which we send to an address again that is not the one signalled meanwhile: 1 s of them. It is behind
/// a NAT, and nothing really moved.
const STILL_THERE_AFTER: u32 = 50;
/// The same for one that was heard before anything was signalled, so that a single packet made us believe it: 200 ms. A
/// far end that only spoke sooner than its answer came has proved itself before its prompt is under way.
const PROVED_AFTER: u32 = 10;
/// Silence after which whoever we listen to may have moved to where nobody signalled.
const SILENT: Duration = Duration::from_secs(2);
/// Packets in a row from elsewhere that make that believable: more than of a stranger before anybody was heard, for a
/// telephone that sends nothing while its user says nothing is silent for as long.
const MOVED_AFTER: u32 = 10;

/// Packets of one stream following each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) ssrc: u32,
    sequence: u16,
    pub(super) length: u32,
}

impl Run {
    /// The run with one more packet, or a new one when the packet does not follow. One that came twice is one.
    pub(super) fn extended(run: Option<Self>, packet: &Packet<'_>) -> Self {
        let length = match run {
            Some(run) if run.ssrc == packet.ssrc && packet.sequence == run.sequence => run.length,
            Some(run) if run.ssrc == packet.ssrc && packet.sequence == run.sequence.wrapping_add(1) => run.length + 1,
            _ => 1,
        };
        Self { ssrc: packet.ssrc, sequence: packet.sequence, length }
    }
}

/// What became of a packet's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// The one we listen to.
    Known,
    /// From now on the one we listen to; `instead` of another one.
    Latched { instead: bool },
    /// Somebody else.
    Stranger,
}

/// Whom we listen to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Source {
    /// Address the far end signalled.
    signalled: Option<SocketAddr>,
    /// Packets come to us only when the far end's key has opened them (SRTP).
    sealed: bool,
    latch: Option<Latch>,
    stranger: Option<(SocketAddr, Run)>,
}

#[derive(Clone, Copy, Debug)]
struct Latch {
    address: SocketAddr,
    /// It is the address that was signalled.
    signalled: bool,
    /// Packets still to come from it before we send there: another one has been signalled since.
    doubt: u32,
    /// When its last packet arrived.
    heard_at: Instant,
}

impl Source {
    /// Nobody has been heard; `remote` is where the far end said it is.
    pub(super) fn new(remote: Option<SocketAddr>) -> Self {
        Self { signalled: remote.and_then(real), ..Self::default() }
    }

    /// The far end signals `remote` (an answer to a late offer, a re-INVITE): whoever sends from there is believed at
    /// once.
    pub(super) fn expect(&mut self, remote: SocketAddr) {
        let Some(signalled) = real(remote) else { return };
        let before = self.signalled.replace(signalled);
        if let Some(latch) = &mut self.latch {
            latch.signalled = canonical(latch.address) == signalled;
            if before != Some(signalled) {
                // The first word on it (the answer to our offer) comes after a latch that took no more than one packet,
                // which anybody can send.
                let unproved = if before.is_none() { PROVED_AFTER } else { STILL_THERE_AFTER };
                latch.doubt = if latch.signalled { 0 } else { unproved };
            }
        }
    }

    /// From now on every packet that is judged has been opened with the far end's key, or none has.
    pub(super) fn seal(&mut self, sealed: bool) {
        self.sealed = sealed;
    }

    /// Judges where a valid packet came from.
    pub(super) fn judge(&mut self, packet: &Packet<'_>, from: SocketAddr, arrived: Instant) -> Judged {
        let signalled = self.signalled == Some(canonical(from));
        // Without a signalled address (a late offer not answered yet) nobody is a stranger.
        let mut believed_after = if signalled || self.signalled.is_none() { 1 } else { BELIEVED_AFTER };
        if let Some(latch) = &mut self.latch {
            if latch.address == from {
                latch.doubt = latch.doubt.saturating_sub(1);
                latch.heard_at = latch.heard_at.max(arrived);
                return Judged::Known;
            }
            // The signalled address takes precedence over a stranger, and over nobody else. One that is in doubt may
            // have moved to where we do not expect it: then it is like before anybody was heard.
            if latch.signalled || (!signalled && latch.doubt == 0) {
                if arrived.saturating_duration_since(latch.heard_at) < SILENT {
                    return Judged::Stranger;
                }
                believed_after = if self.sealed { 1 } else { MOVED_AFTER };
            }
        }
        if believed_after > 1 {
            let run = self.stranger.filter(|(who, _)| *who == from).map(|(_, run)| run);
            let run = Run::extended(run, packet);
            self.stranger = Some((from, run));
            if run.length < believed_after {
                return Judged::Stranger;
            }
        }
        self.stranger = None;
        let latch = Latch { address: from, signalled, doubt: 0, heard_at: arrived };
        Judged::Latched { instead: self.latch.replace(latch).is_some() }
    }

    /// Where packets come from, once known.
    pub(super) fn latched(&self) -> Option<SocketAddr> {
        self.latch.map(|latch| latch.address)
    }

    /// Where to send: to whom we hear, before that to where the far end said it is.
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        self.latch.filter(|latch| latch.doubt == 0).map(|latch| latch.address).or(self.signalled)
    }

    /// May this be the far end reporting on the RTP port (RFC 5761)? Before anybody is heard, from where it said it is:
    /// a telephone that is muted from the start sends nothing else.
    pub(super) fn may_report(&self, from: SocketAddr) -> bool {
        match self.latch {
            Some(latch) => latch.address == from || self.signalled == Some(canonical(from)),
            None => self.signalled == Some(canonical(from)),
        }
    }

    /// May this host be the far end reporting from a port of its own?
    pub(super) fn is_host(&self, from: SocketAddr) -> bool {
        let host = canonical(from).ip();
        self.latched().into_iter().chain(self.signalled).any(|known| canonical(known).ip() == host)
    }
}

/// IPv4 is IPv4, also when a dual-stack socket shows it as IPv6.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// 0.0.0.0 is how old telephones say "hold" (RFC 3264 §8.4), and port 0 is no port: neither is a place.
fn real(address: SocketAddr) -> Option<SocketAddr> {
    let address = canonical(address);
    (!address.ip().is_unspecified() && address.port() != 0).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, SystemClock};

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], port))
    }

    fn packet(sequence: u16) -> Packet<'static> {
        Packet { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 1, payload: &[] }
    }

    /// A source, and the time.
    struct Heard {
        source: Source,
        now: Instant,
    }

    impl Heard {
        fn new(remote: Option<SocketAddr>) -> Self {
            Self { source: Source::new(remote), now: SystemClock.now().mono }
        }

        fn judge(&mut self, sequence: u16, from: SocketAddr) -> Judged {
            self.source.judge(&packet(sequence), from, self.now)
        }

        /// Of `count` packets in a row the number after which `from` was believed.
        fn believed_after(&mut self, count: u16, from: SocketAddr) -> Option<u16> {
            (1..=count).find(|n| matches!(self.judge(*n, from), Judged::Latched { .. }))
        }
    }

    #[test]
    fn another_address_signalled_is_where_we_send_at_once_and_the_old_one_is_still_heard() {
        let mut heard = Heard::new(Some(at(1)));
        assert_eq!(heard.source.destination(), Some(at(1)));
        assert_eq!(heard.judge(0, at(1)), Judged::Latched { instead: false });
        heard.source.expect(at(2));
        assert_eq!(heard.source.destination(), Some(at(2)));
        assert_eq!(heard.judge(1, at(1)), Judged::Known, "its last packets");
        assert_eq!(heard.source.destination(), Some(at(2)));
        assert_eq!(heard.judge(9, at(2)), Judged::Latched { instead: true });
        assert_eq!(heard.judge(2, at(1)), Judged::Stranger);
    }

    #[test]
    fn behind_a_nat_the_new_place_is_found_and_an_old_one_that_never_moved_is_sent_to_again() {
        let mut heard = Heard::new(Some(at(1)));
        // Heard from elsewhere: a NAT.
        (0..3).for_each(|n| _ = heard.judge(n, at(50)));
        assert_eq!(heard.source.destination(), Some(at(50)));
        heard.source.expect(at(2));
        (0..2).for_each(|n| assert_eq!(heard.judge(n, at(60)), Judged::Stranger));
        assert_eq!(heard.judge(2, at(60)), Judged::Latched { instead: true });
        assert_eq!(heard.source.destination(), Some(at(60)));
        heard.source.expect(at(3));
        (0..STILL_THERE_AFTER as u16).for_each(|n| assert_eq!(heard.judge(n, at(60)), Judged::Known));
        assert_eq!(heard.source.destination(), Some(at(60)));
        (0..9).for_each(|n| assert_eq!(heard.judge(n, at(70)), Judged::Stranger));
    }

    #[test]
    fn signalling_the_same_address_again_changes_nothing() {
        let mut heard = Heard::new(Some(at(1)));
        (0..3).for_each(|n| _ = heard.judge(n, at(50)));
        heard.source.expect(at(1));
        assert_eq!(heard.source.destination(), Some(at(50)));
    }

    #[test]
    fn the_address_of_an_old_telephone_on_hold_is_no_place() {
        let mut source = Source::new(Some(at(1)));
        source.expect(SocketAddr::from(([0, 0, 0, 0], 4_000)));
        assert_eq!(source.destination(), Some(at(1)));
        assert_eq!(Source::new(Some(SocketAddr::from(([0, 0, 0, 0], 4_000)))).destination(), None);
    }

    #[test]
    fn a_muted_telephone_may_report_before_it_is_heard_and_a_stranger_may_not() {
        let mut heard = Heard::new(Some(at(1)));
        assert!(heard.source.may_report(at(1)) && !heard.source.may_report(at(2)));
        assert!(heard.source.is_host(at(2)) && !heard.source.is_host(SocketAddr::from(([192, 0, 2, 8], 1))));
        (0..3).for_each(|n| _ = heard.judge(n, at(50)));
        assert!(heard.source.may_report(at(50)) && !heard.source.may_report(at(51)));
    }

    #[test]
    fn whoever_has_gone_silent_may_have_moved_and_is_believed_after_ten_packets_in_a_row() {
        for behind_nat in [false, true] {
            let mut heard = Heard::new(Some(at(1)));
            let old = if behind_nat { at(50) } else { at(1) };
            assert!(heard.believed_after(3, old).is_some());
            heard.now += SILENT - Duration::from_millis(1);
            assert_eq!(heard.believed_after(50, at(60)), None, "a pause");
            heard.now += Duration::from_millis(1);
            assert_eq!(heard.believed_after(50, at(60)), Some(10), "behind a NAT: {behind_nat}");
            assert_eq!(heard.source.destination(), Some(at(60)));
            assert_eq!(heard.judge(100, at(50)), Judged::Stranger);
            // The signalled address needs no proof, as before.
            assert_eq!(heard.judge(200, at(1)), Judged::Latched { instead: true });
        }
    }

    #[test]
    fn while_the_far_end_speaks_nobody_takes_its_place_however_much_he_sends() {
        for sealed in [false, true] {
            let mut heard = Heard::new(Some(at(1)));
            heard.source.seal(sealed);
            heard.judge(0, at(1));
            for n in 0..500 {
                heard.now += Duration::from_millis(1_900);
                assert_eq!(heard.believed_after(50, at(60)), None);
                assert_eq!(heard.judge(n, at(1)), Judged::Known);
            }
            // Nine in a row, and the far end speaks again.
            heard.now += SILENT;
            if !sealed {
                assert_eq!(heard.believed_after(9, at(60)), None);
                assert_eq!(heard.judge(600, at(1)), Judged::Known);
                assert_eq!(heard.judge(10, at(60)), Judged::Stranger);
            }
        }
    }

    #[test]
    fn a_packet_that_the_far_ends_key_has_opened_shows_at_once_where_it_has_moved() {
        let mut heard = Heard::new(Some(at(1)));
        heard.source.seal(true);
        heard.judge(0, at(1));
        assert_eq!(heard.believed_after(9, at(60)), None);
        heard.now += SILENT;
        assert_eq!(heard.believed_after(9, at(60)), Some(1));
        assert_eq!(heard.source.destination(), Some(at(60)));
    }
}
