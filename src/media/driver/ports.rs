//! Local RTP ports: even ones from a range, each bound before it is named in SDP, each resting after use.
//!
//! A port rests because the last peer may go on sending for a while: a caller must never hear the tail of somebody
//! else's call.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt::ReceiveTimestampns};
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
    address: SocketAddr,
    pool: Arc<PortPool>,
}

impl ReservedPort {
    /// Where we receive: the configured address (perhaps 0.0.0.0: SDP then names the advertised one) and the port.
    pub fn address(&self) -> SocketAddr {
        self.address
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
                Ok(socket) => return Ok(ReservedPort { socket, address, pool: Arc::clone(self) }),
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
    if address.is_ipv4() {
        // A network that ignores the mark is no reason to refuse a call.
        let _ = socket2::SockRef::from(&socket).set_tos_v4(TOS_EXPEDITED);
    }
    Ok(socket)
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
