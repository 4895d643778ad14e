//! Where an address leads: out into the world, back to this machine, or to what no plan should ever ask.
//!
//! A name on the allow list may be made to point anywhere by whoever runs its name server ("DNS rebinding"), so what a
//! name resolved to is judged again. The special ranges are those of the IANA registries of special-purpose addresses
//! (RFC 6890), and the addresses at which cloud machines give out their own credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A host of the internet or of the house's own network.
    Host,
    /// This machine itself.
    Loopback,
    /// The link, or a service that the cloud runs for this machine: only for who names the address.
    Link,
    /// No host: unspecified, multicast, broadcast, reserved, or a tunnel that hides where it leads.
    Nowhere,
}

/// Addresses that look like any other and belong to the machine's cloud: wire server of Azure, metadata of Alibaba
/// Cloud. The usual 169.254.169.254 is link-local.
const CLOUD_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200)];
/// Metadata of AWS and of Google.
const CLOUD_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

/// What kind of place is it? An IPv4 address inside an IPv6 one is judged as itself.
pub fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(v4) => place_v4(v4),
        IpAddr::V6(v6) => embedded(v6).map_or_else(|| place_v6(v6), place_v4),
    }
}

fn place_v4(address: Ipv4Addr) -> Place {
    let first = address.octets()[0];
    if address.is_loopback() {
        Place::Loopback
    } else if address.is_link_local() || CLOUD_V4.contains(&address) {
        Place::Link
    } else if first == 0 || first >= 224 {
        Place::Nowhere
    } else {
        Place::Host
    }
}

fn place_v6(address: Ipv6Addr) -> Place {
    /// Teredo (RFC 4380) wraps an address that nobody sees.
    const TEREDO: [u16; 2] = [0x2001, 0];
    /// Translation inside a network (RFC 8215): which of its bits are the other address, only that network knows.
    const LOCAL_NAT64: [u16; 3] = [0x64, 0xff9b, 1];
    if address.is_loopback() {
        Place::Loopback
    } else if address.is_unicast_link_local()
        || CLOUD_V6.contains(&address)
        || address.segments().starts_with(&LOCAL_NAT64)
    {
        Place::Link
    } else if address.is_unspecified() || address.is_multicast() || address.segments().starts_with(&TEREDO) {
        Place::Nowhere
    } else {
        Place::Host
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped and compatible (RFC 4291 §2.5.5), translated (RFC 6052), 6to4
/// (RFC 3056).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let pair = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(pair(high, low)),
        [0x2002, high, low, ..] => Some(pair(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_and_its_cloud_are_told_from_hosts() {
        let rows = [
            ("203.0.113.7", Place::Host),
            ("10.1.2.3", Place::Host),
            ("192.168.1.1", Place::Host),
            ("2001:db8::1", Place::Host),
            ("fd12:3456::1", Place::Host),
            ("127.0.0.1", Place::Loopback),
            ("127.9.9.9", Place::Loopback),
            ("::1", Place::Loopback),
            ("169.254.169.254", Place::Link),
            ("168.63.129.16", Place::Link),
            ("100.100.100.200", Place::Link),
            ("fe80::1", Place::Link),
            ("fd00:ec2::254", Place::Link),
            ("fd20:ce::254", Place::Link),
            ("0.0.0.0", Place::Nowhere),
            ("::", Place::Nowhere),
            ("224.0.0.1", Place::Nowhere),
            ("255.255.255.255", Place::Nowhere),
            ("ff02::1", Place::Nowhere),
            ("2001::1", Place::Nowhere),
            ("64:ff9b:1::a9fe:a9fe", Place::Link),
            ("64:ff9b:1:a9fe:a9:fe00::", Place::Link),
        ];
        for (address, expect) in rows {
            assert_eq!(place(address.parse().unwrap()), expect, "{address}");
        }
    }

    #[test]
    fn an_address_does_not_change_its_nature_by_its_clothes() {
        for dressed in ["::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"] {
            assert_eq!(place(dressed.parse().unwrap()), Place::Link, "{dressed}");
        }
        assert_eq!(place("::ffff:127.0.0.1".parse().unwrap()), Place::Loopback);
        assert_eq!(place("64:ff9b::c000:207".parse().unwrap()), Place::Host);
    }
}
