//! Which of our addresses a far end reaches us by, and the sockets we listen on.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

use crate::sip::transport::{Hop, Transport};

/// Kernel receive buffer asked for, in bytes: a second of 1,000 set-ups while we are busy. The kernel may give less.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// Sources whose way back is remembered, when we listen on every address.
const ROUTES_KEPT: usize = 1024;
/// Connections the kernel completes before we take them.
const BACKLOG: i32 = 1024;

/// Our addresses, as others see them.
pub(super) struct Routes {
    /// UDP and TCP.
    pub(super) listen: SocketAddr,
    /// TLS.
    pub(super) tls_port: Option<u16>,
    pub(super) advertise: Option<IpAddr>,
    pub(super) known: BTreeMap<IpAddr, IpAddr>,
}

impl Routes {
    /// Our address for `hop`: what goes into Via and Contact.
    pub(super) fn local_for(&mut self, hop: &Hop) -> SocketAddr {
        let port = match hop.transport {
            Transport::Udp | Transport::Tcp => self.listen.port(),
            Transport::Tls => self.tls_port.unwrap_or(Transport::Tls.default_port()),
        };
        SocketAddr::new(self.ip_for(hop.address.ip().to_canonical()), port)
    }

    fn ip_for(&mut self, far: IpAddr) -> IpAddr {
        if let Some(advertise) = self.advertise {
            return advertise;
        }
        if !self.listen.ip().is_unspecified() {
            return self.listen.ip();
        }
        if let Some(ip) = self.known.get(&far) {
            return *ip;
        }
        let ip = route_to(far).unwrap_or(self.listen.ip());
        if self.known.len() >= ROUTES_KEPT {
            self.known.clear();
        }
        self.known.insert(far, ip);
        ip
    }

    /// Can our sockets send to `far` at all? An IPv4 socket never reaches IPv6; a host without IPv6 has no route.
    pub(super) fn reach(&mut self, far: IpAddr) -> bool {
        let far = far.to_canonical();
        match (self.listen.ip(), far) {
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
            (IpAddr::V6(ours), IpAddr::V4(_)) => ours.is_unspecified(),
            (ours, _) => !ours.is_unspecified() || self.known.contains_key(&far) || route_to(far).is_some(),
        }
    }

    /// An IPv6 socket that also serves IPv4 wants IPv4 addresses in IPv6 clothes.
    pub(super) fn fit(&self, to: SocketAddr) -> SocketAddr {
        match (self.listen, to.ip().to_canonical()) {
            (SocketAddr::V6(_), IpAddr::V4(v4)) => SocketAddr::new(v4.to_ipv6_mapped().into(), to.port()),
            (SocketAddr::V4(_), ip @ IpAddr::V4(_)) => SocketAddr::new(ip, to.port()),
            _ => to,
        }
    }
}

/// Asks the routing table, by connecting a socket that never sends (the port is arbitrary).
fn route_to(far: IpAddr) -> Option<IpAddr> {
    let any: SocketAddr = if far.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().ok()?;
    let probe = std::net::UdpSocket::bind(any).ok()?;
    probe.connect((far, 5060)).ok()?;
    Some(probe.local_addr().ok()?.ip())
}

/// A datagram socket.
pub(super) fn open_datagrams(listen: SocketAddr) -> io::Result<UdpSocket> {
    let socket = open(listen, Type::DGRAM, Protocol::UDP)?;
    // Best effort: the kernel caps it.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&listen.into())?;
    UdpSocket::from_std(socket.into())
}

/// A socket that takes connections.
pub(super) fn open_streams(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(listen, Type::STREAM, Protocol::TCP)?;
    // Connections of the gateway that was here before must not keep this one from starting.
    socket.set_reuse_address(true)?;
    socket.bind(&listen.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn open(listen: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(listen), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    if listen.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        let _ = socket.set_only_v6(false);
    }
    Ok(socket)
}
