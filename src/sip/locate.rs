//! From a URI to addresses: which questions to ask a name server, and what to make of the answers (RFC 3263 §4.1,
//! §4.2, RFC 2782, RFC 3403).
//!
//! ```text
//!   address ───────────────────────────────────────────────▶ that one hop
//!   port written ──────────────────────────────▶ AAAA, A ──▶ hops with that port
//!   transport written ─────────▶ SRV of it ────▶ AAAA, A ──▶ hops in the order of the SRV records
//!   neither ─▶ NAPTR ─▶ SRV of its choice ─────▶ AAAA, A ──▶ likewise
//!                 └ none ─▶ _sips._tcp, _sip._tcp, _sip._udp …
//!                                 └ none ──────▶ AAAA, A ──▶ UDP 5060 (TLS 5061 for sips)
//! ```
//!
//! Pure: questions out, answers in. The driver asks them, and caches by TTL.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::transport::{Hop, Target, Transport};

/// Hops of one target: more names than any carrier lists.
const MAX_HOPS: usize = 32;
/// Questions of one search: NAPTR, three SRV, and the two families of sixteen names.
const MAX_QUESTIONS: usize = 36;

/// What to ask a name server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Which transports, and the name of their SRV records.
    Naptr(String),
    /// Which hosts and ports.
    Srv(String),
    /// IPv6 addresses.
    Aaaa(String),
    /// IPv4 addresses.
    A(String),
}

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// RFC 3403.
    Naptr {
        /// Lower first.
        order: u16,
        /// Lower first among equals.
        preference: u16,
        /// `s`: an SRV name follows.
        flags: String,
        /// `SIP+D2U`…
        service: String,
        /// The SRV name.
        replacement: String,
    },
    /// RFC 2782.
    Srv {
        /// Lower first.
        priority: u16,
        /// Share among equals.
        weight: u16,
        /// Port.
        port: u16,
        /// Host.
        target: String,
    },
    /// A or AAAA.
    Address(IpAddr),
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Naptr(name) => write!(f, "NAPTR {}", bare(name)),
            Self::Srv(name) => write!(f, "SRV {}", bare(name)),
            Self::Aaaa(name) => write!(f, "AAAA {}", bare(name)),
            Self::A(name) => write!(f, "A {}", bare(name)),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Naptr { service, replacement, .. } => write!(f, "{} ({service})", bare(replacement)),
            Self::Srv { port, target, .. } => write!(f, "{}:{port}", bare(target)),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

/// A name without the dot that makes it complete.
fn bare(name: &str) -> &str {
    name.trim_end_matches('.')
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask this, and give the answer to [`Search::handle`].
    Ask(Question),
    /// Done: hops in the order they are to be tried; none means the name leads nowhere.
    Done(Vec<Hop>),
}

/// A host still to be given addresses.
#[derive(Clone, Debug)]
struct Host {
    name: String,
    port: u16,
    transport: Transport,
}

/// One lookup under way.
#[derive(Debug)]
pub struct Search {
    target: Target,
    random: u64,
    questions: VecDeque<Question>,
    /// SRV names asked for, with the transport they are about, in the order they count.
    services: VecDeque<(String, Transport)>,
    hosts: VecDeque<Host>,
    hops: Vec<Hop>,
    seen: BTreeSet<Hop>,
    asked: usize,
    /// NAPTR and SRV have brought nothing: the name itself is the host.
    plain: bool,
}

impl Search {
    /// Begins; `random` decides among SRV records of equal priority. `speaks` are the transports we can use.
    pub fn new(target: Target, speaks: &[Transport], random: u64) -> Self {
        let mut search = Self {
            random,
            questions: VecDeque::new(),
            services: VecDeque::new(),
            hosts: VecDeque::new(),
            hops: Vec::new(),
            seen: BTreeSet::new(),
            asked: 0,
            plain: false,
            target,
        };
        search.begin(speaks);
        search
    }

    /// What to do next.
    pub fn poll(&mut self) -> Step {
        loop {
            if let Some(question) = self.questions.pop_front() {
                if self.asked < MAX_QUESTIONS {
                    self.asked += 1;
                    return Step::Ask(question);
                }
                // Enough is enough: what has been found must do.
                self.questions.clear();
                return Step::Done(std::mem::take(&mut self.hops));
            }
            if let Some((name, _)) = self.services.front() {
                self.questions.push_back(Question::Srv(name.clone()));
                continue;
            }
            if let Some(host) = self.hosts.front() {
                if self.hops.len() < MAX_HOPS {
                    self.questions.push_back(Question::Aaaa(host.name.clone()));
                    self.questions.push_back(Question::A(host.name.clone()));
                    continue;
                }
                self.hosts.clear();
            }
            if self.hops.is_empty() && !self.plain {
                self.look_at_the_name_itself();
                continue;
            }
            return Step::Done(std::mem::take(&mut self.hops));
        }
    }

    /// The answer to `question`; empty when there is none.
    pub fn handle(&mut self, question: &Question, answers: Vec<Answer>) {
        match question {
            Question::Naptr(_) => self.choose_services(answers),
            Question::Srv(_) => {
                let Some((_, transport)) = self.services.pop_front() else { return };
                self.order_hosts(answers, transport);
            }
            Question::Aaaa(_) => self.add_addresses(answers),
            Question::A(_) => {
                self.add_addresses(answers);
                self.hosts.pop_front();
            }
        }
    }

    fn begin(&mut self, speaks: &[Transport]) {
        let usual = if self.target.secure { Transport::Tls } else { Transport::Udp };
        let usable =
            |transport: &Transport| speaks.contains(transport) && (!self.target.secure || *transport == Transport::Tls);
        if let Some(hop) = self.target.literal_hop() {
            self.plain = true;
            self.hops.extend(usable(&hop.transport).then_some(hop));
            return;
        }
        if let Some(port) = self.target.port {
            // §4.2: a port that is written is the port; SRV has nothing to say.
            self.plain = true;
            let transport = self.target.transport.unwrap_or(usual);
            if usable(&transport) {
                self.hosts.push_back(Host { name: self.target.host.clone(), port, transport });
            }
            return;
        }
        let wanted: Vec<Transport> = match self.target.transport {
            Some(transport) => vec![transport],
            None => vec![Transport::Tls, Transport::Tcp, Transport::Udp],
        };
        let wanted: Vec<Transport> = wanted.into_iter().filter(usable).collect();
        if self.target.transport.is_none() {
            self.questions.push_back(Question::Naptr(self.target.host.clone()));
        }
        for transport in wanted {
            let name = format!("{}.{}", service(transport), self.target.host);
            self.services.push_back((name, transport));
        }
        if self.services.is_empty() {
            // Nothing we could use, whatever the name server says.
            (self.plain, self.questions) = (true, VecDeque::new());
        }
        if self.target.transport.is_none() && !self.target.secure {
            // Without NAPTR the plain transports come first: TLS to a host that never asked for it mostly fails.
            self.services.rotate_left(self.services.iter().filter(|(_, way)| *way == Transport::Tls).count());
        }
    }

    /// §4.1: the records we can use, best first, take the place of guessing.
    fn choose_services(&mut self, answers: Vec<Answer>) {
        let mut found: Vec<(u16, u16, Transport, String)> = answers
            .into_iter()
            .filter_map(|answer| match answer {
                Answer::Naptr { order, preference, flags, service, replacement } if flags.eq_ignore_ascii_case("s") => {
                    let transport = match service.to_ascii_uppercase().as_str() {
                        "SIPS+D2T" => Transport::Tls,
                        "SIP+D2T" => Transport::Tcp,
                        "SIP+D2U" => Transport::Udp,
                        _ => return None,
                    };
                    let usable = self.services.iter().any(|(_, known)| *known == transport);
                    usable.then_some((order, preference, transport, plain_name(&replacement)))
                }
                _ => None,
            })
            .collect();
        if found.is_empty() {
            return;
        }
        found.sort();
        self.services = found.into_iter().map(|(.., transport, name)| (name, transport)).collect();
    }

    /// RFC 2782: by priority; among equals, at random by weight.
    fn order_hosts(&mut self, answers: Vec<Answer>, transport: Transport) {
        let mut records: Vec<(u16, u16, u16, String)> = answers
            .into_iter()
            .filter_map(|answer| match answer {
                // A target of "." says that the service is not offered.
                Answer::Srv { priority, weight, port, target } if !plain_name(&target).is_empty() && port != 0 => {
                    Some((priority, weight, port, plain_name(&target)))
                }
                _ => None,
            })
            .collect();
        // Records of weight 0 come first among equals: they are chosen only when the draw is 0.
        records.sort();
        while let Some(priority) = records.first().map(|record| record.0) {
            let equal = records.iter().take_while(|record| record.0 == priority).count();
            let total: u64 = records[..equal].iter().map(|record| u64::from(record.1)).sum();
            let draw = self.draw() % (total + 1);
            let mut sum = 0;
            let at = records[..equal].iter().position(|record| {
                sum += u64::from(record.1);
                sum >= draw
            });
            let (.., port, name) = records.remove(at.unwrap_or(0));
            self.hosts.push_back(Host { name, port, transport });
        }
    }

    fn add_addresses(&mut self, answers: Vec<Answer>) {
        let Some(host) = self.hosts.front() else { return };
        for answer in answers {
            let Answer::Address(ip) = answer else { continue };
            let hop = Hop::new(host.transport, SocketAddr::new(ip, host.port));
            if self.hops.len() < MAX_HOPS && self.seen.insert(hop) {
                self.hops.push(hop);
            }
        }
    }

    fn look_at_the_name_itself(&mut self) {
        self.plain = true;
        let usual = if self.target.secure { Transport::Tls } else { Transport::Udp };
        let transport = self.target.transport.unwrap_or(usual);
        let port = transport.default_port();
        self.hosts.push_back(Host { name: self.target.host.clone(), port, transport });
    }

    /// SplitMix64: enough for sharing out load.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn service(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    }
}

fn plain_name(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
