//! Local RTP ports: even ones from a range, each bound before it is named in SDP, each resting after use.
//!
//! A port rests because the last peer may go on sending for a while: a caller must never hear the tail of somebody
//! else's call.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt::Ipv6TClass, sockopt::ReceiveTimestampns};
use rand::seq::SliceRandom;

use super::MediaError;
use crate::time::{Clock, SystemClock};

/// Differentiated Services: Expedited Forwarding for voice (RFC 4594 §4.1), in the upper six bits of the TOS byte.
const TOS_EXPEDITED: u32 = 46 << 2;

/// The pool. Its lock is held for a few operations on a queue or one `bind`, never by the media thread per frame.
#[derive(Debug)]
pub(super) struct PortPool {
    address: IpAddr,
    rest: Duration,
    ports: Mutex<Ports>,
}

#[derive(Debug)]
struct Ports {
    /// Used longest ago first.
    free: VecDeque<u16>,
    /// Soonest rested first.
    resting: VecDeque<(Instant, u16)>,
}

/// A bound local port, the caller's until dropped; then it rests before anybody else gets it.
#[derive(Debug)]
pub struct ReservedPort {
    pub(super) socket: UdpSocket,
    /// For RTCP, on the odd port above, where it does not share this one.
    pub(super) reports: Option<UdpSocket>,
    address: SocketAddr,
    pool: Arc<PortPool>,
}

impl ReservedPort {
    /// Where we receive: the configured address (perhaps 0.0.0.0: SDP then names the advertised one) and the port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Binds the odd port above for RTCP (RFC 3550 §11). If somebody else has it, there is none on this call.
    pub(super) fn open_reports(&mut self) {
        let Some(port) = self.address.port().checked_add(1) else { return };
        match bind(SocketAddr::new(self.address.ip(), port)) {
            Ok(socket) => self.reports = Some(socket),
            Err(error) => tracing::warn!(port, %error, "no RTCP on this call: its port cannot be bound"),
        }
    }

    /// Sends one RTP packet; `true` when the socket took it. A full socket buffer or a peer that refuses is a packet
    /// that was not handed over.
    pub(super) fn send(&self, to: SocketAddr, packet: &[u8]) -> bool {
        self.socket.send_to(packet, fit(to, self.address)).is_ok()
    }

    /// Sends one RTCP packet, from the port above when they go `apart`.
    pub(super) fn send_report(&self, apart: bool, to: SocketAddr, packet: &[u8]) -> bool {
        let socket = if apart { self.reports.as_ref() } else { Some(&self.socket) };
        socket.is_some_and(|socket| socket.send_to(packet, fit(to, self.address)).is_ok())
    }
}

impl Drop for ReservedPort {
    fn drop(&mut self) {
        let rested_at = SystemClock.now().mono + self.pool.rest;
        self.pool.lock().resting.push_back((rested_at, self.address.port()));
    }
}

impl PortPool {
    /// The even ports of `range` at `address`, in random order so that the next one cannot be guessed.
    pub(super) fn new(address: IpAddr, range: RangeInclusive<u16>, rest: Duration) -> Result<Arc<Self>, MediaError> {
        let mut free: Vec<u16> = range.clone().filter(|port| port % 2 == 0 && *port != 0).collect();
        if free.is_empty() {
            return Err(MediaError::EmptyRange { first: *range.start(), last: *range.end() });
        }
        free.shuffle(&mut rand::rng());
        let ports = Ports { free: free.into(), resting: VecDeque::new() };
        Ok(Arc::new(Self { address, rest, ports: Mutex::new(ports) }))
    }

    /// Binds the port that has been free for longest. Ports that somebody else occupies are passed over and rest.
    pub(super) fn reserve(self: &Arc<Self>, now: Instant) -> Result<ReservedPort, MediaError> {
        let mut last_error = None;
        loop {
            let Some(port) = self.lock().take(now) else {
                return Err(MediaError::NoPort { cause: last_error });
            };
            let address = SocketAddr::new(self.address, port);
            match bind(address) {
                Ok(socket) => return Ok(ReservedPort { socket, reports: None, address, pool: Arc::clone(self) }),
                Err(error) => {
                    self.lock().resting.push_back((now + self.rest, port));
                    last_error = Some(error);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ports> {
        self.ports.lock().expect("nobody panics while holding the port pool")
    }
}

impl Ports {
    fn take(&mut self, now: Instant) -> Option<u16> {
        while let Some(&(rested_at, port)) = self.resting.front() {
            if rested_at > now {
                break;
            }
            self.resting.pop_front();
            self.free.push_back(port);
        }
        self.free.pop_front()
    }
}

fn bind(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    // A network that ignores the mark is no reason to refuse a call. A dual-stack socket marks each family by its own.
    let marked = socket2::SockRef::from(&socket);
    let _ = marked.set_tos_v4(TOS_EXPEDITED);
    if address.is_ipv6() {
        let _ = setsockopt(&socket, Ipv6TClass, &(TOS_EXPEDITED as i32));
    }
    Ok(socket)
}

/// `to` as a socket bound to `local` must be told of it: a dual-stack socket knows IPv4 only as a part of IPv6.
fn fit(to: SocketAddr, local: SocketAddr) -> SocketAddr {
    match to {
        SocketAddr::V4(v4) if local.is_ipv6() => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
        to => SocketAddr::new(if local.is_ipv4() { to.ip().to_canonical() } else { to.ip() }, to.port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(5);

    fn ports(free: &[u16]) -> Ports {
        Ports { free: free.iter().copied().collect(), resting: VecDeque::new() }
    }

    #[test]
    fn a_port_rests_before_it_is_used_again_and_the_longest_rested_comes_first() {
        let now = SystemClock.now().mono;
        let mut pool = ports(&[10, 12]);
        assert_eq!((pool.take(now), pool.take(now), pool.take(now)), (Some(10), Some(12), None));
        pool.resting.push_back((now + REST, 12));
        pool.resting.push_back((now + 2 * REST, 10));
        assert_eq!(pool.take(now + REST - Duration::from_millis(1)), None);
        assert_eq!(pool.take(now + REST), Some(12));
        assert_eq!(pool.take(now + REST), None);
        assert_eq!(pool.take(now + 2 * REST), Some(10));
    }

    #[test]
    fn an_ipv4_peer_is_reached_from_a_socket_of_either_family() {
        let peer = UdpSocket::bind("127.0.0.1:0").expect("a port");
        peer.set_read_timeout(Some(REST)).expect("a socket");
        let to = peer.local_addr().expect("bound");
        for local in ["127.0.0.1", "::"] {
            let pool = PortPool::new(local.parse().expect("an address"), 34_000..=34_999, REST).expect("a range");
            let mut port = pool.reserve(SystemClock.now().mono).expect("a port is free");
            assert!(port.send(to, b"sound"), "from {local}");
            assert_eq!(peer.recv(&mut [0; 9]).expect("it arrives"), 5, "from {local}");
            port.open_reports();
            assert!(port.send_report(true, to, b"report"));
            let (length, from) = peer.recv_from(&mut [0; 9]).expect("it arrives");
            assert_eq!((length, from.port()), (6, port.address().port() + 1));
        }
    }

    #[test]
    fn only_even_ports_are_handed_out() {
        let pool = PortPool::new(IpAddr::from([127, 0, 0, 1]), 7..=13, REST).expect("a range with even ports");
        let mut all: Vec<u16> = pool.lock().free.iter().copied().collect();
        all.sort_unstable();
        assert_eq!(all, [8, 10, 12]);
    }

    #[test]
    fn a_range_without_an_even_port_is_a_sentence() {
        let error = PortPool::new(IpAddr::from([127, 0, 0, 1]), 7..=7, REST).expect_err("no even port");
        assert_eq!(error.to_string(), "the RTP port range 7 to 7 holds no even port: give it at least two ports");
    }
}
