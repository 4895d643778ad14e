//! Who may talk to us, and what becomes of those who may not.
//!
//! A peer is known by its addresses and never banned, however fast it sends. A stranger gets the same 403 whatever
//! it asks; one that keeps asking is ignored for a while. The table of strangers is bounded, because the source
//! address of a datagram costs its sender nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::auth::{Algorithm, Credentials};

/// Requests a stranger may have answered in one [`WINDOW`].
const ANSWERED_PER_WINDOW: u32 = 20;
/// How long its requests are counted together.
const WINDOW: Duration = Duration::from_secs(10);
/// How long a stranger that went past is ignored.
const IGNORED_FOR: Duration = Duration::from_secs(60);
/// Strangers remembered one by one (about 60 bytes each); past that they share one count.
const MAX_STRANGERS: usize = 4096;
/// How often a full table is swept for entries that have run out: a sweep reads it all.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// A block of addresses, such as `192.0.2.0/24`, `2001:db8::/32` or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    base: u128,
    mask: u128,
    v4: bool,
}

/// Not an address or a block of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address range; write it like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")]
pub struct NotARange(pub String);

impl AddressRange {
    /// `prefix` bits of `address` count; `None` when the family has fewer bits.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let address = address.to_canonical();
        let (bits, v4) = match address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, true),
            IpAddr::V6(v6) => (u128::from(v6), false),
        };
        let widest = if v4 { 32 } else { 128 };
        let mask = (prefix <= widest).then(|| u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0))?;
        Some(Self { base: bits & mask, mask, v4 })
    }

    /// Is `address` inside? IPv4 written as IPv6 (`::ffff:192.0.2.7`) is IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(v4) => self.v4 && (u128::from(u32::from(v4)) << 96) & self.mask == self.base,
            IpAddr::V6(v6) => !self.v4 && u128::from(v6) & self.mask == self.base,
        }
    }
}

impl FromStr for AddressRange {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        let wrong = || NotARange(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| wrong())?.to_canonical();
        Self::new(address, prefix.unwrap_or(if address.is_ipv4() { 32 } else { 128 })).ok_or_else(wrong)
    }
}

/// What of a peer's word about its callers is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallerIdPolicy {
    /// From: what the caller says of itself.
    #[default]
    From,
    /// `P-Asserted-Identity` before From (RFC 3325: only of a carrier that checks it).
    Asserted,
    /// Nothing: its callers are anonymous.
    None,
}

/// A far end we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What records and logs call it.
    pub name: Arc<str>,
    /// Where its datagrams come from.
    pub addresses: Vec<AddressRange>,
    /// What of its word about its callers is believed.
    pub caller_id: CallerIdPolicy,
    /// What it must prove to know before it may call; `None`: its address is proof enough.
    pub credentials: Option<Credentials>,
    /// How it may prove it, the best first; empty: as everybody may.
    pub digest: Vec<Algorithm>,
    /// Live calls it may have; one more gets 503.
    pub max_calls: Option<usize>,
    /// New calls it may place in a second; one more gets 503.
    pub max_cps: Option<u32>,
}

impl Peer {
    /// This machine: `127.0.0.0/8` and `::1`, the only peer until others are configured.
    pub fn loopback() -> Self {
        let range = |address: IpAddr, prefix| AddressRange::new(address, prefix).expect("loopback prefixes fit");
        Self {
            name: "loopback".into(),
            addresses: vec![range([127, 0, 0, 1].into(), 8), range(Ipv6Addr::LOCALHOST.into(), 128)],
            caller_id: CallerIdPolicy::From,
            credentials: None,
            digest: Vec::new(),
            max_calls: None,
            max_cps: None,
        }
    }

    /// Known by its password alone, wherever it is (a phone on the road).
    pub fn is_roaming(&self) -> bool {
        self.addresses.is_empty() && self.credentials.is_some()
    }
}

/// Every peer, first match wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerTable(Vec<Arc<Peer>>);

impl PeerTable {
    /// In the order of the configuration.
    pub fn new(peers: Vec<Peer>) -> Self {
        Self(peers.into_iter().map(Arc::new).collect())
    }

    /// Who sends from `address`.
    pub fn find(&self, address: IpAddr) -> Option<&Arc<Peer>> {
        self.0.iter().find(|peer| peer.addresses.iter().any(|range| range.contains(address)))
    }

    /// Is anybody let in by password from anywhere?
    pub fn has_roaming(&self) -> bool {
        self.0.iter().any(|peer| peer.is_roaming())
    }

    /// The peer without addresses that calls itself `username`.
    pub fn find_roaming(&self, username: &str) -> Option<&Arc<Peer>> {
        let named = |peer: &&Arc<Peer>| peer.credentials.as_ref().is_some_and(|known| known.username == username);
        self.0.iter().filter(|peer| peer.is_roaming()).find(named)
    }
}

impl Default for PeerTable {
    fn default() -> Self {
        Self::new(vec![Peer::loopback()])
    }
}

/// How a stranger's request is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// Answer it, with the usual 403.
    Refuse,
    /// Say nothing.
    Ignore,
}

/// Counts strangers and forgets them again.
#[derive(Debug, Default)]
pub struct Strangers {
    known: BTreeMap<IpAddr, Stranger>,
    /// Everybody who did not fit.
    others: Option<Stranger>,
    swept_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Stranger {
    window_began: Instant,
    asked: u32,
    ignored_until: Option<Instant>,
}

impl Strangers {
    /// One more request from `source`.
    pub fn receive(&mut self, source: IpAddr, now: Instant) -> Reception {
        let source = household(source);
        if self.known.len() >= MAX_STRANGERS && !self.known.contains_key(&source) {
            self.sweep(now);
        }
        let fresh = Stranger { window_began: now, asked: 0, ignored_until: None };
        let stranger = match self.known.len() >= MAX_STRANGERS && !self.known.contains_key(&source) {
            true => self.others.get_or_insert(fresh),
            false => self.known.entry(source).or_insert(fresh),
        };
        stranger.receive(now)
    }

    fn sweep(&mut self, now: Instant) {
        if self.swept_at.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_EVERY) {
            self.swept_at = Some(now);
            self.known.retain(|_, stranger| !stranger.is_over(now));
        }
    }
}

impl Stranger {
    fn receive(&mut self, now: Instant) -> Reception {
        if self.ignored_until.is_some_and(|until| now < until) {
            return Reception::Ignore;
        }
        if self.is_over(now) {
            *self = Self { window_began: now, asked: 0, ignored_until: None };
        }
        self.asked += 1;
        if self.asked > ANSWERED_PER_WINDOW {
            self.ignored_until = Some(now + IGNORED_FOR);
            return Reception::Ignore;
        }
        Reception::Refuse
    }

    fn is_over(&self, now: Instant) -> bool {
        match self.ignored_until {
            Some(until) => now >= until,
            None => now.saturating_duration_since(self.window_began) >= WINDOW,
        }
    }
}

/// One IPv6 household has 2⁶⁴ addresses: strangers are counted per /64.
pub(in crate::sip) fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, SystemClock};

    #[test]
    fn ranges_hold_what_their_prefix_says() {
        for (range, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.7", "::ffff:192.0.2.7", "::7"),
            ("0.0.0.0/0", "8.8.8.8", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "0.0.0.1"),
        ] {
            let parsed: AddressRange = range.parse().unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{range} holds {inside}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{range} does not hold {outside}");
        }
        for wrong in ["", "x", "1.2.3.4/33", "::/129", "1.2.3.4/-1", "1.2.3.0/"] {
            assert!(wrong.parse::<AddressRange>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_this_machine_is_a_peer_by_default() {
        let peers = PeerTable::default();
        assert_eq!(peers.find([127, 0, 0, 9].into()).map(|peer| &*peer.name), Some("loopback"));
        assert!(peers.find("::1".parse().unwrap()).is_some());
        assert!(peers.find([10, 0, 0, 1].into()).is_none());
    }

    #[test]
    fn a_stranger_past_the_limit_is_ignored_and_later_forgiven() {
        let start = SystemClock.now().mono;
        let mut strangers = Strangers::default();
        let source: IpAddr = [203, 0, 113, 5].into();
        for _ in 0..ANSWERED_PER_WINDOW {
            assert_eq!(strangers.receive(source, start), Reception::Refuse);
        }
        assert_eq!(strangers.receive(source, start), Reception::Ignore);
        assert_eq!(strangers.receive(source, start + IGNORED_FOR - Duration::from_secs(1)), Reception::Ignore);
        assert_eq!(strangers.receive([203, 0, 113, 6].into(), start), Reception::Refuse, "others are not punished");
        assert_eq!(strangers.receive(source, start + IGNORED_FOR), Reception::Refuse);
    }

    #[test]
    fn a_patient_stranger_is_always_answered() {
        let start = SystemClock.now().mono;
        let mut strangers = Strangers::default();
        for second in 0..600 {
            let now = start + Duration::from_secs(second);
            assert_eq!(strangers.receive([203, 0, 113, 5].into(), now), Reception::Refuse, "second {second}");
        }
    }

    #[test]
    fn many_forged_sources_stay_within_the_table() {
        let start = SystemClock.now().mono;
        let mut strangers = Strangers::default();
        let mut ignored = 0;
        for forged in 0..50_000_u32 {
            let reception = strangers.receive(IpAddr::V4(forged.into()), start);
            ignored += u32::from(reception == Reception::Ignore);
        }
        assert_eq!(strangers.known.len(), MAX_STRANGERS);
        assert!(ignored > 45_000, "those who do not fit share one limit: {ignored}");
        let later = start + IGNORED_FOR + WINDOW;
        assert_eq!(strangers.receive([8, 8, 8, 8].into(), later), Reception::Refuse);
        assert_eq!(strangers.known.len(), 1, "the table was swept");
    }
}
