//! Whom a plan may ask: the hosts that the settings name, and nobody else.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use serde::Deserialize;

use super::address::{Place, place};

/// One line of the allow list: `crm.example`, `*.crm.example`, `crm.example:8443`, `http://10.1.2.3:8080`.
///
/// A star stands for every name below, not for the name itself. Without a port the usual one is meant. Plain HTTP must
/// be named, except on this machine: what is looked up is personal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct HostPattern {
    host: Named,
    port: Option<u16>,
    plain: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Name(String),
    Below(String),
    Address(IpAddr),
}

/// The hosts that may be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList(Vec<HostPattern>);

/// Why a host is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody named it.
    #[error("is not on the allow list; add it to `allow` in [lookups]")]
    NotListed,
    /// It is named, but not for plain HTTP.
    #[error("may only be asked by https; to allow plain HTTP, write `http://` before it in `allow`")]
    Plain,
    /// Its name leads back to this machine.
    #[error("leads to this machine, whose address is not on the allow list")]
    Loopback,
    /// Its name leads to the link, or to the cloud's own service.
    #[error("leads to an address of the machine's own network or cloud, which is not on the allow list")]
    Link,
    /// Its name leads to no host.
    #[error("leads to an address that is no host's")]
    Nowhere,
}

impl HostPattern {
    /// Reads one line.
    ///
    /// # Errors
    ///
    /// A sentence for whoever writes the settings.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no host; write it like crm.example, *.crm.example or 10.1.2.3:8080");
        let (plain, rest) = match text.split_once("://") {
            None => (false, text),
            Some(("https", rest)) => (false, rest),
            Some(("http", rest)) => (true, rest),
            Some(_) => return Err(format!("{text:?} is neither http nor https")),
        };
        let (below, rest) = rest.strip_prefix("*.").map_or((false, rest), |rest| (true, rest));
        if rest.is_empty() || rest.contains(['/', '@', '*', '?', '#', '\\']) || rest.contains(char::is_whitespace) {
            return Err(wrong());
        }
        // The same reader as for what plans ask, so that both mean the same host by the same letters.
        let url = Url::parse(&format!("https://{rest}/")).map_err(|_| wrong())?;
        let named_port = rest.rsplit_once(':').map(|(_, port)| port).filter(|_| !rest.ends_with(']'));
        let port = named_port.map(|port| port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong));
        let host = match (address_of(&url), below) {
            (Some(_), true) => return Err(wrong()),
            (Some(address), false) => Named::Address(address),
            (None, true) => Named::Below(url.host_str().ok_or_else(wrong)?.to_owned()),
            (None, false) => Named::Name(url.host_str().ok_or_else(wrong)?.to_owned()),
        };
        Ok(Self { host, port: port.transpose()?, plain })
    }

    fn names(&self, url: &Url) -> bool {
        let usual = if url.scheme() == "http" { 80 } else { 443 };
        if url.port_or_known_default() != Some(self.port.unwrap_or(usual)) {
            return false;
        }
        match &self.host {
            Named::Address(address) => address_of(url) == Some(*address),
            Named::Name(_) | Named::Below(_) => url.host_str().is_some_and(|host| self.names_host(host)),
        }
    }

    /// Is that the host it names, whatever the port?
    fn names_host(&self, host: &str) -> bool {
        match &self.host {
            Named::Address(_) => false,
            Named::Name(name) => host == name,
            Named::Below(suffix) => {
                host.strip_suffix(suffix.as_str()).is_some_and(|front| front.len() > 1 && front.ends_with('.'))
            }
        }
    }

    /// The ports on which it may be asked.
    fn ports(&self) -> impl Iterator<Item = u16> {
        let plain = (self.plain || self.is_here()).then_some(80);
        match self.port {
            Some(port) => [Some(port), None],
            None => [Some(443), plain],
        }
        .into_iter()
        .flatten()
    }

    fn is_here(&self) -> bool {
        match &self.host {
            Named::Address(address) => place(*address) == Place::Loopback,
            Named::Name(name) => name == "localhost",
            Named::Below(_) => false,
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.plain { "http://" } else { "" })?;
        match &self.host {
            Named::Name(name) => f.write_str(name)?,
            Named::Below(suffix) => write!(f, "*.{suffix}")?,
            Named::Address(IpAddr::V4(v4)) => write!(f, "{v4}")?,
            Named::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl AllowList {
    /// These hosts and no others.
    pub fn new(hosts: impl IntoIterator<Item = HostPattern>) -> Self {
        Self(hosts.into_iter().collect())
    }

    /// Nobody may be asked at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// May this be asked? `url` is http or https.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn permits(&self, url: &Url) -> Result<(), Refusal> {
        let naming: Vec<&HostPattern> = self.0.iter().filter(|pattern| pattern.names(url)).collect();
        if naming.is_empty() {
            return Err(Refusal::NotListed);
        }
        if url.scheme() == "http" && !naming.iter().any(|pattern| pattern.plain || pattern.is_here()) {
            return Err(Refusal::Plain);
        }
        match address_of(url) {
            // Address and port are named as they stand in the URL.
            Some(address) if place(address) == Place::Nowhere => Err(Refusal::Nowhere),
            Some(_) | None => Ok(()),
        }
    }

    /// `host` was permitted, and its name leads to `address`: may that be asked? This machine and its network only
    /// where the address is named too, with every port on which the host may be asked: a name resolves the same for
    /// all of them.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn permits_address(&self, host: &str, address: IpAddr) -> Result<(), Refusal> {
        let named = Named::Address(address.to_canonical());
        let opens =
            |port| self.0.iter().any(|pattern| pattern.host == named && pattern.ports().any(|open| open == port));
        let mut asked =
            self.0.iter().filter(|pattern| pattern.names_host(host)).flat_map(HostPattern::ports).peekable();
        let mut is_named = || asked.peek().is_some() && asked.all(opens);
        match place(address) {
            Place::Host => Ok(()),
            Place::Loopback if host == "localhost" || is_named() => Ok(()),
            Place::Loopback => Err(Refusal::Loopback),
            Place::Link if is_named() => Ok(()),
            Place::Link => Err(Refusal::Link),
            Place::Nowhere => Err(Refusal::Nowhere),
        }
    }
}

/// The address that a URL names instead of a host.
fn address_of(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lines: &[&str]) -> AllowList {
        AllowList::new(lines.iter().map(|line| HostPattern::parse(line).unwrap()))
    }

    fn ask(list: &AllowList, url: &str) -> Result<(), Refusal> {
        list.permits(&Url::parse(url).unwrap())
    }

    #[test]
    fn only_named_hosts_ports_and_schemes_are_asked() {
        let list = list(&["crm.example", "*.shop.example:8443", "http://10.1.2.3:8080", "127.0.0.1:9000", "[::1]"]);
        for url in [
            "https://crm.example/orders?id=1",
            "https://CRM.example:443/",
            "https://a.shop.example:8443/",
            "https://a.b.shop.example:8443/",
            "http://10.1.2.3:8080/",
            "http://127.0.0.1:9000/",
            "https://[::1]/",
        ] {
            assert_eq!(ask(&list, url), Ok(()), "{url}");
        }
        for (url, why) in [
            ("https://crm.example:444/", Refusal::NotListed),
            ("https://sub.crm.example/", Refusal::NotListed),
            ("https://evil-crm.example/", Refusal::NotListed),
            ("https://crm.example.evil.example/", Refusal::NotListed),
            ("https://crm.example@evil.example/", Refusal::NotListed),
            ("https://shop.example:8443/", Refusal::NotListed),
            ("https://xshop.example:8443/", Refusal::NotListed),
            ("https://.shop.example:8443/", Refusal::NotListed),
            ("http://127.0.0.1/", Refusal::NotListed),
            ("http://169.254.169.254/", Refusal::NotListed),
            ("http://0x7f.1:9001/", Refusal::NotListed),
        ] {
            assert_eq!(ask(&list, url), Err(why), "{url}");
        }
    }

    #[test]
    fn plain_http_must_be_named() {
        let list = list(&["crm.example:8080", "http://shop.example"]);
        assert_eq!(ask(&list, "http://crm.example:8080/"), Err(Refusal::Plain));
        assert_eq!(ask(&list, "https://crm.example:8080/"), Ok(()));
        assert_eq!(ask(&list, "http://shop.example/"), Ok(()));
    }

    #[test]
    fn a_name_that_leads_home_or_to_the_cloud_is_refused_unless_that_address_is_named() {
        let strict = list(&["crm.example", "localhost:80"]);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(strict.permits_address("crm.example", address("203.0.113.5")), Ok(()));
        assert_eq!(strict.permits_address("crm.example", address("10.0.0.5")), Ok(()));
        assert_eq!(strict.permits_address("crm.example", address("127.0.0.1")), Err(Refusal::Loopback));
        assert_eq!(strict.permits_address("localhost", address("127.0.0.1")), Ok(()));
        assert_eq!(strict.permits_address("localhost", address("169.254.169.254")), Err(Refusal::Link));
        assert_eq!(strict.permits_address("crm.example", address("::ffff:169.254.169.254")), Err(Refusal::Link));
        assert_eq!(strict.permits_address("crm.example", address("0.0.0.0")), Err(Refusal::Nowhere));
        let open = list(&["crm.example", "127.0.0.1", "169.254.169.254"]);
        assert_eq!(open.permits_address("crm.example", address("127.0.0.1")), Ok(()));
        assert_eq!(open.permits_address("crm.example", address("169.254.169.254")), Ok(()));
        assert_eq!(open.permits_address("crm.example", address("255.255.255.255")), Err(Refusal::Nowhere));
    }

    #[test]
    fn an_address_that_is_named_with_a_port_is_open_on_that_port_only() {
        let here = "127.0.0.1".parse().unwrap();
        let refused = Err(Refusal::Loopback);
        for (lines, answer) in [
            (["crm.example", "127.0.0.1:9000"], refused),
            (["crm.example:9000", "127.0.0.1:9000"], Ok(())),
            (["http://crm.example", "https://127.0.0.1:443"], refused),
            (["http://crm.example", "127.0.0.1"], Ok(())),
            (["*.example:8443", "127.0.0.1:9000"], refused),
            (["shop.example:9000", "127.0.0.1:9000"], refused),
        ] {
            assert_eq!(list(&lines).permits_address("crm.example", here), answer, "{lines:?}");
        }
        let both = list(&["crm.example", "crm.example:9000", "127.0.0.1:9000"]);
        assert_eq!(both.permits_address("crm.example", here), refused, "443 there is nobody's to ask");
    }

    #[test]
    fn what_is_no_host_says_how_to_write_one() {
        for text in ["", "*", "*.", "a b", "crm.example/orders", "u@crm.example", "*.1.2.3.4", "crm.example:0", "a:b:c"]
        {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
        assert!(HostPattern::parse("ftp://crm.example").unwrap_err().contains("neither http nor https"));
        for text in ["crm.example", "*.crm.example:8443", "http://10.1.2.3:8080", "[::1]:80", "[2001:db8::1]"] {
            assert_eq!(HostPattern::parse(text).unwrap().to_string(), text);
        }
    }
}
