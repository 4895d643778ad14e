//! Ports and addresses: can we listen where the settings say, and would those who call us find us there?

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixStream;

use super::ask;
use super::finding::{Finding, Verdict};
use crate::config::Config;
use crate::sip::{Hop, Target, Transport};

/// Is a gateway of ours running? It answers at its control socket, or where it listens and by its name.
pub(super) async fn is_running(config: &Config) -> bool {
    if UnixStream::connect(config.control_socket()).is_ok() {
        return true;
    }
    let listen = reachable(config.sip.listen);
    let target = Target { host: listen.ip().to_string(), port: Some(listen.port()), transport: None, secure: false };
    let hop = Hop::new(Transport::Udp, listen);
    let answer = tokio::time::timeout(ask::PATIENCE, ask::options(hop, &target, config)).await;
    let server = answer.ok().and_then(Result::ok).and_then(|answer| answer.server);
    server.is_some_and(|server| server.starts_with("Trunkline"))
}

/// An address that means every one of ours is reached on this machine by loopback.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Every port the settings name is free, or held by our own running gateway.
pub(super) fn ports(config: &Config, running: bool) -> Vec<Finding> {
    let sip = config.sip.listen;
    let mut found = vec![port("sip udp", "sip.listen", sip, UdpSocket::bind(sip).err(), running)];
    if config.sip.tcp {
        found.push(port("sip tcp", "sip.listen", sip, TcpListener::bind(sip).err(), running));
    }
    if let Some(tls) = config.sip.tls_listen {
        found.push(port("sip tls", "sip.tls_listen", tls, TcpListener::bind(tls).err(), running));
    }
    if let Some(ops) = config.ops.listen {
        found.push(port("ops", "ops.listen", ops, TcpListener::bind(ops).err(), running));
    }
    found.push(rtp_ports(config, running));
    found
}

fn port(check: &str, key: &str, address: SocketAddr, refused: Option<io::Error>, running: bool) -> Finding {
    let Some(error) = refused else {
        let note = if running { ", though a gateway of these settings runs" } else { "" };
        return Finding::fine(check, format!("{address} is free{note}"));
    };
    let number = address.port();
    match error.kind() {
        ErrorKind::AddrInUse if running => Finding::fine(check, format!("{address} is held by the gateway that runs")),
        ErrorKind::AddrInUse => Finding::broken(
            check,
            format!("{address} is held by another program"),
            format!("`ss -lpn 'sport = :{number}'` names it: stop it, or choose another {key}"),
        ),
        ErrorKind::AddrNotAvailable => Finding::broken(
            check,
            format!("{address} is no address of this machine"),
            format!("`ip address` lists them; set {key} to one, and sip.advertise where others see another"),
        ),
        ErrorKind::PermissionDenied => Finding::broken(
            check,
            format!("{address} is not for this user"),
            format!("choose a port above 1023 in {key}, or grant CAP_NET_BIND_SERVICE"),
        ),
        _ => Finding::broken(check, format!("{address}: {error}"), format!("choose another {key}")),
    }
}

fn rtp_ports(config: &Config, running: bool) -> Finding {
    let (check, range) = ("rtp ports", config.rtp.ports);
    let mut pairs = 0;
    let mut free = 0;
    let mut fault = None;
    for even in (range.first.next_multiple_of(2)..range.last).step_by(2) {
        pairs += 1;
        // The odd one is for reports (RTCP).
        let pair = [even, even + 1].map(|port| UdpSocket::bind((config.rtp.address, port)));
        match pair.into_iter().collect::<io::Result<Vec<_>>>() {
            Ok(_) => free += 1,
            Err(error) => fault = Some(error),
        }
    }
    let (first, last, seats) = (range.first, range.last, config.sip.max_calls);
    if let Some(error) = fault.filter(|error| error.kind() != ErrorKind::AddrInUse) {
        return port(check, "rtp.address", SocketAddr::new(config.rtp.address, first), Some(error), false);
    }
    let result = format!("{free} of {pairs} pairs in {first}-{last} are free");
    if free < seats && !running {
        let remedy = format!("sip.max_calls is {seats}: widen rtp.ports, or stop what holds them (`ss -lupn`)");
        return Finding::broken(check, result, remedy);
    }
    let lent = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    match overlap(&lent, first, last) {
        Some(lent) => Finding::look(
            check,
            format!("{result}; the system lends ports {lent} to any program that asks"),
            "keep rtp.ports outside that range, or calls may find their port taken",
        ),
        None => Finding::fine(check, result),
    }
}

/// The range the system lends from (`32768\t60999`), when it meets ours.
fn overlap(lent: &str, first: u16, last: u16) -> Option<String> {
    let mut bounds = lent.split_whitespace().map(str::parse::<u16>);
    let (Some(Ok(low)), Some(Ok(high))) = (bounds.next(), bounds.next()) else { return None };
    (first <= high && low <= last).then(|| format!("{low}-{high}"))
}

/// Would a trunk, found at `hop`, find us at the addresses we tell it? `None`: it is on this machine, or has an address
/// of its own for us (`public_address`) and everything else is well.
pub(super) fn trunk_finds_us(check: &str, hop: Hop, config: &Config) -> Option<Finding> {
    let towards = hop.address.ip().to_canonical();
    if towards.is_loopback() {
        return None;
    }
    Some(reach(check, towards, route_to(towards), config)).filter(|finding| finding.verdict == Verdict::Broken)
}

/// Would each peer find us at the addresses we tell it?
pub(super) fn addresses(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    for peer in &config.peers {
        let Some(network) = peer.addresses.iter().find(|network| !network.address.is_loopback()) else { continue };
        let towards = network.address.to_canonical();
        // A connected socket sends nothing; it asks the routing table.
        found.push(reach(&format!("peer {}", peer.name), towards, route_to(towards), config));
    }
    if found.is_empty() {
        found.push(Finding::fine("addresses", "every peer is on this machine"));
    }
    found
}

fn reach(check: &str, peer: IpAddr, route: io::Result<IpAddr>, config: &Config) -> Finding {
    let listen = config.sip.listen.ip();
    if listen.is_loopback() {
        let result = format!("{peer} cannot reach {listen}, where we listen: only this machine can");
        return Finding::broken(check, result, "set sip.listen and rtp.address to an address others reach");
    }
    if config.rtp.address.is_loopback() {
        let result = format!("{peer} would be asked to send its sound to {}", config.rtp.address);
        return Finding::broken(check, result, "set rtp.address to an address others reach");
    }
    let ours = match route {
        Ok(ours) => ours,
        Err(error) => {
            let remedy = "`ip route` shows where packets go; add a way there";
            return Finding::broken(check, format!("there is no way to {peer}: {error}"), remedy);
        }
    };
    let told = config.sip.advertise.unwrap_or(if listen.is_unspecified() { ours } else { listen });
    if is_private(told) && !is_private(peer) {
        let result = format!("{peer} is outside and would be told {told}, which only your network knows");
        return Finding::look(check, result, "set sip.advertise to the address it sees, if there is NAT between you");
    }
    Finding::fine(check, format!("{peer} is told {told}"))
}

fn route_to(towards: IpAddr) -> io::Result<IpAddr> {
    let any: SocketAddr = match towards {
        IpAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        IpAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let probe = UdpSocket::bind(any)?;
    probe.connect((towards, 5060))?;
    Ok(probe.local_addr()?.ip())
}

/// RFC 1918, RFC 6598 (carrier NAT), RFC 4193, link-local and loopback.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.segments()[0] & 0xfe00 == 0xfc00 || v6.segments()[0] & 0xffc0 == 0xfe80
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PortRange;

    fn listening_on(address: &str) -> Config {
        let mut config = Config::default();
        config.sip.listen = SocketAddr::new(address.parse().unwrap(), 5060);
        config.rtp.address = address.parse().unwrap();
        config
    }

    #[test]
    fn why_a_port_cannot_be_had_decides_what_to_do() {
        let address = "127.0.0.1:5060".parse().unwrap();
        let rows = [
            (ErrorKind::AddrInUse, "ss -lpn 'sport = :5060'"),
            (ErrorKind::AddrNotAvailable, "ip address"),
            (ErrorKind::PermissionDenied, "CAP_NET_BIND_SERVICE"),
            (ErrorKind::Other, "choose another sip.listen"),
        ];
        for (kind, remedy) in rows {
            let finding = port("sip udp", "sip.listen", address, Some(kind.into()), false);
            assert_eq!(finding.verdict, Verdict::Broken, "{finding:?}");
            assert!(finding.remedy.as_ref().is_some_and(|told| told.contains(remedy)), "{finding:?}");
        }
        let ours = port("sip udp", "sip.listen", address, Some(ErrorKind::AddrInUse.into()), true);
        assert_eq!(ours.verdict, Verdict::Fine, "{ours:?}");
    }

    #[test]
    fn ports_the_system_lends_are_worth_a_look() {
        let lent = "32768\t60999\n";
        let rows = [
            ((20_000, 20_999), None),
            ((32_000, 33_000), Some("32768-60999")),
            ((60_999, 61_999), Some("32768-60999")),
        ];
        for ((first, last), expect) in rows {
            assert_eq!(overlap(lent, first, last).as_deref(), expect, "{first}");
        }
        assert_eq!(overlap("", 1_024, 65_535), None);
    }

    #[test]
    fn too_few_pairs_are_a_fault_unless_our_own_calls_hold_them() {
        let mut config = Config::default();
        config.rtp.ports = PortRange { first: 20_000, last: 20_001 };
        config.sip.max_calls = 2;
        let finding = rtp_ports(&config, false);
        assert_eq!(finding.verdict, Verdict::Broken, "{finding:?}");
        assert_ne!(rtp_ports(&config, true).verdict, Verdict::Broken);
    }

    #[test]
    fn a_pair_whose_odd_port_is_held_is_not_free() {
        // Whatever pair this machine has to spare.
        let free = |even: &u16| UdpSocket::bind(("127.0.0.1", *even)).is_ok();
        let pair = (20_000..32_000)
            .step_by(2)
            .filter(free)
            .find_map(|even| UdpSocket::bind(("127.0.0.1", even + 1)).ok().map(|held| (even, held)));
        let (even, _held) = pair.expect("a pair is free");
        let mut config = Config::default();
        config.rtp.address = "127.0.0.1".parse().unwrap();
        config.rtp.ports = PortRange { first: even, last: even + 1 };
        config.sip.max_calls = 1;
        let finding = rtp_ports(&config, false);
        assert_eq!(finding.verdict, Verdict::Broken, "{finding:?}");
        assert!(finding.result.starts_with("0 of 1 pairs"), "{finding:?}");
    }

    #[test]
    fn who_calls_from_outside_must_be_able_to_find_us() {
        let outside: IpAddr = "198.51.100.7".parse().unwrap();
        let inside: IpAddr = "10.0.0.9".parse().unwrap();
        let ours = || Ok("10.0.0.5".parse().unwrap());
        let nowhere = || Err(io::Error::from(ErrorKind::NetworkUnreachable));
        let any = listening_on("0.0.0.0");
        let mut advertised = listening_on("0.0.0.0");
        advertised.sip.advertise = Some("203.0.113.1".parse().unwrap());
        let mut deaf = listening_on("0.0.0.0");
        deaf.rtp.address = "127.0.0.1".parse().unwrap();
        let rows = [
            (reach("peer", outside, ours(), &listening_on("127.0.0.1")), Verdict::Broken, "only this machine"),
            (reach("peer", outside, ours(), &deaf), Verdict::Broken, "its sound to 127.0.0.1"),
            (reach("peer", outside, nowhere(), &any), Verdict::Broken, "no way to 198.51.100.7"),
            (reach("peer", outside, ours(), &any), Verdict::Look, "would be told 10.0.0.5"),
            (reach("peer", inside, ours(), &any), Verdict::Fine, "told 10.0.0.5"),
            (reach("peer", outside, ours(), &advertised), Verdict::Fine, "told 203.0.113.1"),
        ];
        for (finding, verdict, says) in rows {
            assert!(finding.verdict == verdict && finding.result.contains(says), "{finding:?}");
        }
    }

    #[test]
    fn every_address_is_asked_by_loopback() {
        let rows =
            [("0.0.0.0:9060", "127.0.0.1:9060"), ("[::]:9060", "[::1]:9060"), ("192.0.2.1:9060", "192.0.2.1:9060")];
        for (listen, expect) in rows {
            assert_eq!(reachable(listen.parse().unwrap()), expect.parse().unwrap());
        }
    }

    #[test]
    fn private_addresses_are_known_in_both_families() {
        for address in ["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"]
        {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        for address in ["198.51.100.1", "172.32.0.1", "100.128.0.1", "2001:db8::1"] {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }
}
