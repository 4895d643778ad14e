//! Whom the password of a trunk is proved to.
//!
//! A proof is a hash of the password over words that whoever asks has chosen: enough to guess the password from, at
//! leisure. So it goes to the addresses of the trunk alone, never where a redirection or the Contact of whoever answered
//! leads to; and because the trunk passes on what the far end of a call says, there only for realms that are its own:
//!
//! ```text
//!   REGISTER, OPTIONS   it answers those itself: any realm, which is remembered
//!   the first INVITE    a trunk that asks does so before anybody hears of the call: what it asks for is remembered,
//!                       with the header it asked in, for each of its addresses
//!   all else            only what is remembered, asked for in the same way
//! ```
//!
//! `realms` of a `[[trunk]]` takes the place of remembering.

use std::net::IpAddr;
use std::sync::Arc;

use crate::sip::auth::{Asker, Client as Digest, Credentials};
use crate::sip::transport::{Path, Target};
use crate::sip::trunk::TrunkSpec;
use crate::sip::uri::{NameAddr, Uri};

/// Addresses of one trunk: more than any name has had at once.
const MOST_ADDRESSES: usize = 64;
/// Realms of one trunk.
const MOST_REALMS: usize = 16;

/// What an owner of requests proves itself with.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) digest: Digest,
    pub(super) trunk: Arc<str>,
    /// The trunk's own host, and where its registrar wants calls to go first.
    hosts: Vec<String>,
    /// Where the trunk called us from.
    source: Option<IpAddr>,
}

/// What a request is to the trunk it is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// REGISTER, OPTIONS: meant for the trunk itself.
    Own,
    /// An INVITE that is to become a call.
    Call,
    /// Anything inside a dialog.
    Inside,
}

/// What is known of a trunk, for all its calls.
#[derive(Debug, Default)]
pub(super) struct Home {
    /// Where its names have led.
    addresses: Vec<IpAddr>,
    /// All that it may ask in the name of, when somebody has said so.
    pinned: Vec<String>,
    /// What it asked for itself.
    own: Vec<String>,
    /// What it asked of calls.
    of_calls: Vec<(Asker, String)>,
    /// Its addresses that have asked something of a call.
    asked_at: Vec<IpAddr>,
}

impl Proof {
    pub(super) fn new(spec: &TrunkSpec, credentials: Credentials, source: Option<IpAddr>, seed: u64) -> Self {
        let first = spec.route.first().and_then(|route| Some(NameAddr::parse(route).ok()?.uri));
        let hosts = [Uri::parse(&spec.uri).ok(), first].into_iter().flatten().map(|uri| uri.host);
        Self {
            digest: Digest::new(Some(credentials), seed),
            trunk: spec.name.clone(),
            hosts: hosts.collect(),
            source: source.map(|source| source.to_canonical()),
        }
    }

    /// Is that a name of the trunk, or one below?
    pub(super) fn names(&self, target: &Target) -> bool {
        let below = |host: &String| target.host.strip_suffix(host.as_str()).is_some_and(|rest| rest.ends_with('.'));
        self.hosts.iter().any(|host| *host == target.host || below(host))
    }

    /// Does that lead to the trunk?
    pub(super) fn is_at(&self, home: &Home, path: &Path) -> bool {
        let there = path.hop.address.ip().to_canonical();
        let literal = |host: &String| host.parse::<IpAddr>().is_ok_and(|host| host.to_canonical() == there);
        self.source == Some(there) || home.addresses.contains(&there) || self.hosts.iter().any(literal)
    }
}

impl Home {
    pub(super) fn of(spec: &TrunkSpec) -> Self {
        Self { pinned: spec.realms.clone(), ..Self::default() }
    }

    /// A name of the trunk leads there.
    pub(super) fn is_reached_at(&mut self, paths: &[Path]) {
        for path in paths {
            keep(&mut self.addresses, path.hop.address.ip().to_canonical(), MOST_ADDRESSES);
        }
    }

    /// May `realm` be asked for at the trunk's address `at`?
    pub(super) fn trusts(&self, errand: Errand, at: IpAddr, asker: Asker, realm: &str) -> bool {
        if !self.pinned.is_empty() && !self.pinned.iter().any(|known| known == realm) {
            return false;
        }
        let vouched = self.pinned.iter().chain(&self.own).any(|known| known == realm);
        let mut askers = self.of_calls.iter().filter(|(_, known)| known == realm).map(|(asker, _)| *asker).peekable();
        match errand {
            Errand::Own => true,
            _ if vouched && askers.peek().is_none() => true,
            _ if askers.any(|known| known == asker) => true,
            Errand::Call => self.pinned.is_empty() && !self.asked_at.contains(&at.to_canonical()),
            Errand::Inside => self.pinned.is_empty() && self.own.is_empty() && self.of_calls.is_empty(),
        }
    }

    /// `asked` was let pass. A dialog teaches nothing: its far end may not be the trunk.
    pub(super) fn learn(&mut self, errand: Errand, at: IpAddr, asked: &[(Asker, String)]) {
        for (asker, realm) in asked {
            match errand {
                Errand::Own => keep(&mut self.own, realm.clone(), MOST_REALMS),
                Errand::Call => keep(&mut self.of_calls, (*asker, realm.clone()), MOST_REALMS),
                Errand::Inside => {}
            }
        }
        if errand == Errand::Call && !asked.is_empty() {
            keep(&mut self.asked_at, at.to_canonical(), MOST_ADDRESSES);
        }
    }
}

/// Adds what is new; the oldest makes room.
fn keep<T: PartialEq>(known: &mut Vec<T>, new: T, most: usize) {
    if !known.contains(&new) {
        if known.len() == most {
            known.remove(0);
        }
        known.push(new);
    }
}
