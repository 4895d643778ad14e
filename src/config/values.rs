//! Values of settings that are more than a string or a number, each parsed once.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use figment::value::Value;
use figment::value::magic::RelativePathBuf;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::pii::Pii;
use crate::rtp::jitter::JitterConfig;
use crate::sip::PublicAddress;

/// A range of IP addresses, such as `10.1.0.0/16`; a single address is the range of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    /// Any address in it.
    pub address: IpAddr,
    /// Leading bits that all its addresses share.
    pub prefix: u8,
}

impl Network {
    /// This machine itself, in both families.
    pub const fn loopback() -> [Self; 2] {
        [
            Self { address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), prefix: 8 },
            Self { address: IpAddr::V6(Ipv6Addr::LOCALHOST), prefix: 128 },
        ]
    }

    /// Does it hold `address`? An IPv4 address that arrives on an IPv6 socket (`::ffff:a.b.c.d`) is the IPv4 one.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = |of: IpAddr| match of.to_canonical() {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, true),
            IpAddr::V6(v6) => (u128::from(v6), false),
        };
        let ((ours, ours_v4), (theirs, theirs_v4)) = (bits(self.address), bits(address));
        let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
        ours_v4 == theirs_v4 && (ours ^ theirs) & mask == 0
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a network; write it like 192.0.2.7 or 10.1.0.0/16");
        let (address, prefix) = text.split_once('/').map_or((text.as_str(), None), |(ip, bits)| (ip, Some(bits)));
        let address = address.trim().parse::<IpAddr>().map_err(|_| wrong())?.to_canonical();
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |bits| bits.trim().parse::<u8>()).map_err(|_| wrong())?;
        if prefix > longest {
            return Err(wrong());
        }
        Ok(Self { address, prefix })
    }
}

/// An inclusive range of UDP ports, such as `20000-20999`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PortRange {
    /// Lowest.
    pub first: u16,
    /// Highest.
    pub last: u16,
}

impl PortRange {
    /// Even ports whose odd neighbour is inside too: RTP and RTCP (RFC 3550 §11).
    pub fn pairs(&self) -> usize {
        let even = usize::from(self.first).next_multiple_of(2);
        (usize::from(self.last) + 1).saturating_sub(even) / 2
    }
}

impl TryFrom<String> for PortRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a range of ports; write it like 20000-20999");
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port >= 1_024).ok_or_else(wrong);
        let (first, last) = (port(first)?, port(last)?);
        if first > last {
            return Err(format!("{text:?} ends before it begins; write the lower port first"));
        }
        Ok(Self { first, last })
    }
}

/// Bounds of the jitter buffer's delay: `20ms-120ms`, or `60ms` for one that never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct JitterBounds {
    /// On a perfect network.
    pub least: Duration,
    /// Beyond it, late packets are lost packets.
    pub most: Duration,
}

impl JitterBounds {
    /// Below this, our own beat of 20 ms makes holes.
    const LEAST: Duration = Duration::from_millis(10);
}

impl Default for JitterBounds {
    fn default() -> Self {
        let JitterConfig { least, most, .. } = JitterConfig::default();
        Self { least, most }
    }
}

impl From<JitterBounds> for JitterConfig {
    fn from(bounds: JitterBounds) -> Self {
        Self::between(bounds.least, bounds.most)
    }
}

impl fmt::Display for JitterBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least.as_millis(), self.most.as_millis()) {
            (least, most) if least == most => write!(f, "{most} ms, fixed"),
            (least, most) => write!(f, "{least} to {most} ms"),
        }
    }
}

impl TryFrom<String> for JitterBounds {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (least, most) = text.split_once('-').unwrap_or((&text, &text));
        let bound = |text: &str| {
            let wrong = || format!("{text:?} is not a delay; write it like 20ms-120ms, or 60ms for a fixed one");
            parse_duration(text.trim()).ok_or_else(wrong)
        };
        let (least, most) = (bound(least)?, bound(most)?);
        if least < Self::LEAST || most > JitterConfig::MOST {
            let (least, most) = (Self::LEAST.as_millis(), JitterConfig::MOST.as_millis());
            return Err(format!("{text:?} is out of reach; sound can wait {least}ms to {most}ms"));
        }
        if least > most {
            return Err(format!("{text:?} ends before it begins; write the shorter delay first"));
        }
        Ok(Self { least, most })
    }
}

/// Which called numbers a route answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum NumberPattern {
    /// `*`
    Any,
    /// `+1202*`
    Prefix(String),
    /// `1000`
    Exact(String),
}

impl NumberPattern {
    /// Does it fit?
    pub fn matches(&self, number: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Prefix(beginning) => number.starts_with(beginning),
            Self::Exact(whole) => number == whole,
        }
    }

    /// The more it says, the more it weighs.
    pub(super) fn weight(&self) -> (bool, usize) {
        match self {
            Self::Any => (false, 0),
            Self::Prefix(beginning) => (false, beginning.len()),
            Self::Exact(whole) => (true, whole.len()),
        }
    }
}

impl fmt::Display for NumberPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Prefix(beginning) => write!(f, "{beginning}*"),
            Self::Exact(whole) => f.write_str(whole),
        }
    }
}

impl TryFrom<String> for NumberPattern {
    type Error = String;

    /// A star at the end stands for anything; elsewhere it is the key (`*98` is a number people dial).
    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.contains(char::is_whitespace) {
            return Err(format!("{text:?} is not a number to route; write it like 1000, +1202* or *"));
        }
        Ok(match text.strip_suffix('*') {
            Some("") => Self::Any,
            Some(beginning) => Self::Prefix(beginning.to_owned()),
            None => Self::Exact(text),
        })
    }
}

/// A password: never shown, not even where it is wrong.
pub(super) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Pii<String>>, D::Error> {
    let value = <Value as Deserialize>::deserialize(from)?;
    let text = value.into_string().ok_or_else(|| D::Error::custom("a password is text; put it between quotes"))?;
    Ok(Some(Pii::new(text)))
}

/// `300ms`, `20s`, `5m`, `1h`: as in dial plans.
pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    parse_duration(&text)
        .ok_or_else(|| D::Error::custom(format!("{text:?} is not a duration; write it like 300ms, 20s, 5m or 1h")))
}

/// The same, for a key that may be left out.
pub(super) fn optional_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    duration(from).map(Some)
}

/// The same, or `never`.
pub(super) fn duration_or_never<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    let wrong = || D::Error::custom(format!("{text:?} is not a duration; write it like 45s, or \"never\""));
    if text == "never" { Ok(None) } else { parse_duration(&text).map(Some).ok_or_else(wrong) }
}

/// Longer than any setting means, short enough to be added to any clock.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3_600);

fn parse_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (count, unit) = text.split_at(unit_at);
    let seconds = match unit.trim() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return None,
    };
    let count = count.parse::<f64>().ok()?;
    Duration::try_from_secs_f64(count * seconds).ok().filter(|duration| *duration <= LONGEST)
}

/// An address with its port.
pub(super) fn socket<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = written(from)?;
    let wrong = || D::Error::custom(format!("{text:?} is not an address with a port; write it like 127.0.0.1:5060"));
    text.trim().parse().map_err(|_| wrong())
}

/// The same, for a key that may be left out.
pub(super) fn optional_socket<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    socket(from).map(Some)
}

/// An address, never a name: names would have to be looked up, and may answer differently tomorrow.
pub(super) fn address<'de, D: Deserializer<'de>>(from: D) -> Result<IpAddr, D::Error> {
    let text = written(from)?;
    let wrong = || D::Error::custom(format!("{text:?} is not an IP address; write it like 127.0.0.1 or 2001:db8::1"));
    text.trim().parse().map_err(|_| wrong())
}

/// The same, for a key that may be left out.
pub(super) fn optional_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<IpAddr>, D::Error> {
    address(from).map(Some)
}

/// `"learn"`, an address, or an address with a port.
pub(super) fn public_address<'de, D: Deserializer<'de>>(from: D) -> Result<PublicAddress, D::Error> {
    let text = written(from)?;
    let fixed = |text: &str| match text.parse::<SocketAddr>() {
        Ok(address) => Some(PublicAddress::Fixed(address.ip(), Some(address.port()))),
        Err(_) => Some(PublicAddress::Fixed(text.parse().ok()?, None)),
    };
    let sendable = |known: &PublicAddress| !matches!(known, PublicAddress::Fixed(ip, port) if ip.is_unspecified() || ip.is_multicast() || *port == Some(0));
    match text.trim() {
        "learn" => Ok(PublicAddress::Learn),
        text => fixed(text).filter(sendable).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is no address that a trunk could send to; write \"learn\", 203.0.113.10 or 203.0.113.10:5060"
            ))
        }),
    }
}

/// A value as its writer wrote it: a bare `5060` is read as a number before we see it.
fn written<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let value = <Value as Deserialize>::deserialize(from)?;
    let number = value.to_i128().map(|number| number.to_string());
    Ok(number.or_else(|| value.into_string()).unwrap_or_default())
}

/// A path; relative ones in a file start from its folder.
pub(super) fn path<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    let path = RelativePathBuf::deserialize(from)?;
    if path.original().as_os_str().is_empty() {
        return Err(D::Error::custom("an empty path leads nowhere; leave the key out for its default"));
    }
    if path.original().starts_with("~") {
        return Err(D::Error::custom("`~` is the shell's, not ours; write the whole path"));
    }
    Ok(path.relative())
}

/// The same, for a key that may be left out.
pub(super) fn optional_path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    path(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Result<Network, String> {
        Network::try_from(text.to_owned())
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        let rows = [
            ("127.0.0.0/8", "127.9.9.9", true),
            ("127.0.0.0/8", "128.0.0.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("::1", "::1", true),
        ];
        for (text, address, expect) in rows {
            assert_eq!(network(text).unwrap().contains(address.parse().unwrap()), expect, "{address} in {text}");
        }
    }

    #[test]
    fn what_is_no_network_says_how_to_write_one() {
        for text in ["", "localhost", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/-1", "1.2.3", "::/129", "10.0.0.1/8/8"] {
            assert!(network(text).unwrap_err().contains("10.1.0.0/16"), "{text}");
        }
    }

    #[test]
    fn ports_come_in_pairs_that_begin_even() {
        let rows =
            [("20000-20999", 500), ("20001-20999", 499), ("20000-20000", 0), ("20001-20002", 0), ("2000-2001", 1)];
        for (text, pairs) in rows {
            assert_eq!(PortRange::try_from(text.to_owned()).unwrap().pairs(), pairs, "{text}");
        }
        assert_eq!(PortRange::try_from("1024-65535".to_owned()).unwrap().pairs(), 32_256);
        for text in ["20000", "80-90", "a-b", "20999-20000", "20000-99999", ""] {
            assert!(PortRange::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_delay_adapts_between_two_bounds_or_is_fixed() {
        let rows = [
            ("20ms-120ms", 20, 120, "20 to 120 ms"),
            (" 30ms - 0.2s", 30, 200, "30 to 200 ms"),
            ("60ms", 60, 60, "60 ms, fixed"),
        ];
        for (text, least, most, shown) in rows {
            let bounds = JitterBounds::try_from(text.to_owned()).unwrap();
            assert_eq!([bounds.least, bounds.most], [least, most].map(Duration::from_millis), "{text}");
            assert_eq!(bounds.to_string(), shown);
            let config = JitterConfig::from(bounds);
            assert!(config.least <= config.start && config.start <= config.most, "{config:?}");
        }
        for text in ["", "60", "20ms-", "-20ms", "120ms-20ms", "20ms-40ms-60ms", "5ms", "20ms-301ms", "1h"] {
            assert!(JitterBounds::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert_eq!(JitterConfig::from(JitterBounds::default()), JitterConfig::default());
    }

    #[test]
    fn durations_are_written_as_in_plans() {
        let rows = [("300ms", 300), ("20s", 20_000), ("1.5s", 1_500), ("5m", 300_000), ("1h", 3_600_000), ("0s", 0)];
        for (text, millis) in rows {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "20", "s", "-1s", "1e9h", "1..2s", "20 minutes", "99999999h", "١s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_star_is_anything_only_at_the_end() {
        let pattern = |text: &str| NumberPattern::try_from(text.to_owned()).unwrap();
        let rows = [
            ("*", "", true),
            ("+1202*", "+12025550123", true),
            ("+1202*", "+1303", false),
            ("1000", "1000", true),
            ("1000", "10001", false),
            ("*98", "*98", true),
            ("*98", "98", false),
        ];
        for (text, number, expect) in rows {
            assert_eq!(pattern(text).matches(number), expect, "{number} by {text}");
            assert_eq!(pattern(text).to_string(), text);
        }
        assert!(NumberPattern::try_from(String::new()).is_err());
        assert!(NumberPattern::try_from("10 00".to_owned()).is_err());
    }
}
