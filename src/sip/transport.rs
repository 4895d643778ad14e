//! Ways a message can travel, and the addresses at both ends of one hop (RFC 3261 §18, RFC 3263).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::uri::Uri;

/// What carries SIP between two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams: one message each, lost ones are sent again.
    Udp,
    /// A stream; Content-Length says where a message ends.
    Tcp,
    /// A stream inside TLS.
    Tls,
}

impl Transport {
    /// Does the transport repeat what is lost, so that we must not?
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// As Via spells it.
    pub const fn via(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// As `;transport=` spells it.
    pub const fn param(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// The port where none is written (RFC 3261 §19.1.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }

    /// `udp`, `TCP`, `Tls`…; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls].into_iter().find(|known| known.via().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.param())
    }
}

/// One hop away from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hop {
    /// How.
    pub transport: Transport,
    /// The far end: where a datagram goes, or the far end of a connection.
    pub address: SocketAddr,
    /// Where to open a connection anew when the one to `address` is gone (RFC 3261 §18.2.2: the port of sent-by).
    pub reopen: Option<SocketAddr>,
}

impl Hop {
    /// A hop without a second way.
    pub const fn new(transport: Transport, address: SocketAddr) -> Self {
        Self { transport, address, reopen: None }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.address)
    }
}

/// A hop and our own address as it sees us, which goes into Via, Contact and session descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// The far end.
    pub hop: Hop,
    /// Our listening address for that transport, as the far end reaches it.
    pub local: SocketAddr,
}

impl Path {
    /// A path over datagrams.
    pub const fn udp(remote: SocketAddr, local: SocketAddr) -> Self {
        Self { hop: Hop::new(Transport::Udp, remote), local }
    }

    /// The URI at which this far end reaches us, without brackets: what goes into Contact. `secure` makes it a
    /// `sips` URI, as RFC 5630 §5.1 asks when the request we answer or send is for one.
    pub fn contact(&self, user: &str, secure: bool) -> String {
        let at = if user.is_empty() { "" } else { "@" };
        let (scheme, transport) = match (secure, self.hop.transport) {
            (true, _) => ("sips", ""),
            (false, Transport::Udp) => ("sip", ""),
            (false, Transport::Tcp) => ("sip", ";transport=tcp"),
            (false, Transport::Tls) => ("sip", ";transport=tls"),
        };
        format!("{scheme}:{user}{at}{}{transport}", self.local)
    }

    /// The beginning of our Via: protocol, transport, sent-by.
    pub fn via(&self) -> String {
        format!("SIP/2.0/{} {}", self.hop.transport.via(), self.local)
    }
}

/// Is this an address inside somebody's network, which means nothing outside of it: of RFC 1918, RFC 6598 (behind a
/// carrier's router) and RFC 4193, of one link, or of one host?
pub fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || shared
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback() || ip.is_unspecified(),
    }
}

/// What must be looked up before a request can be sent (RFC 3263 §4). A literal address is a target too: only the
/// driver knows which of our own addresses faces it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// A name, or an address without brackets; lower case.
    pub host: String,
    /// Port, when written.
    pub port: Option<u16>,
    /// `;transport=`, when written.
    pub transport: Option<Transport>,
    /// `sips`: TLS on every hop, and nothing else will do.
    pub secure: bool,
}

impl Target {
    /// Where a request for `uri` goes first. `None` for schemes that name no host (`tel`), and for transports we
    /// do not speak. `maddr` is not followed: it would let a request choose a third party to be sent to.
    pub fn of(uri: &Uri) -> Option<Self> {
        let secure = match uri.scheme.as_str() {
            "sip" => false,
            "sips" => true,
            _ => return None,
        };
        let transport = match uri.param("transport") {
            Some(text) => Some(Transport::parse(text)?),
            None => None,
        };
        // RFC 5630 §3.1.3: `sips` with `transport=tcp` means TLS over TCP.
        let transport = transport.map(|transport| if secure { Transport::Tls } else { transport });
        Some(Self { host: uri.host.clone(), port: uri.port, transport, secure })
    }

    /// The host as an address, when it is written as one.
    pub fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The only hop there is when the host is an address: RFC 3263 §4.1 wants UDP unless told otherwise.
    pub fn literal_hop(&self) -> Option<Hop> {
        let ip = self.literal()?;
        let usual = if self.secure { Transport::Tls } else { Transport::Udp };
        let transport = self.transport.unwrap_or(usual);
        Some(Hop::new(transport, SocketAddr::new(ip, self.port.unwrap_or(transport.default_port()))))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brackets = self.host.contains(':');
        let (open, close) = if brackets { ("[", "]") } else { ("", "") };
        write!(f, "{}:{open}{}{close}", if self.secure { "sips" } else { "sip" }, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.transport {
            Some(transport) => write!(f, ";transport={transport}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Option<Target> {
        Target::of(&Uri::parse(text).unwrap())
    }

    #[test]
    fn targets_say_what_a_uri_asks_for() {
        for (text, shown) in [
            ("sip:a@Example.COM", "sip:example.com"),
            ("sip:a@h:5070;transport=TCP", "sip:h:5070;transport=tcp"),
            ("sips:h", "sips:h"),
            ("sips:h;transport=tcp", "sips:h;transport=tls"),
            ("sip:[2001:db8::1]:5062", "sip:[2001:db8::1]:5062"),
        ] {
            assert_eq!(target(text).unwrap().to_string(), shown, "{text}");
        }
        assert_eq!(target("tel:+1555"), None);
        assert_eq!(target("sip:h;transport=sctp"), None);
    }

    #[test]
    fn an_address_needs_no_lookup() {
        for (text, hop) in [
            ("sip:192.0.2.1", "udp:192.0.2.1:5060"),
            ("sip:192.0.2.1:5070;transport=tcp", "tcp:192.0.2.1:5070"),
            ("sips:[::1]", "tls:[::1]:5061"),
        ] {
            assert_eq!(target(text).unwrap().literal_hop().unwrap().to_string(), hop, "{text}");
        }
        assert_eq!(target("sip:h").unwrap().literal_hop(), None);
    }

    #[test]
    fn addresses_inside_a_network_are_known_as_such() {
        for inside in
            "10.0.0.9 172.31.0.1 192.168.1.5 100.64.0.1 100.127.9.9 169.254.1.1 127.0.0.1 0.0.0.0 ::1 fd00::1 \
                       fe80::1 ::ffff:10.0.0.9"
                .split_whitespace()
        {
            assert!(is_inside(inside.parse().unwrap()), "{inside}");
        }
        for public in "9.9.9.9 172.32.0.1 192.169.0.1 100.63.0.1 100.128.0.1 203.0.113.9 2001:db8::1".split_whitespace()
        {
            assert!(!is_inside(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn contacts_say_how_we_are_reached() {
        let local: SocketAddr = "192.0.2.7:5060".parse().unwrap();
        let path = |transport| Path { hop: Hop::new(transport, "192.0.2.1:9".parse().unwrap()), local };
        assert_eq!(path(Transport::Udp).contact("", false), "sip:192.0.2.7:5060");
        assert_eq!(path(Transport::Tcp).contact("ann", false), "sip:ann@192.0.2.7:5060;transport=tcp");
        assert_eq!(path(Transport::Tls).contact("ann", true), "sips:ann@192.0.2.7:5060");
        assert_eq!(path(Transport::Tls).via(), "SIP/2.0/TLS 192.0.2.7:5060");
    }
}
