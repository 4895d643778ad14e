//! Which of our addresses the far ends of trunks know: behind a router that rewrites addresses, the one we are bound to
//! means nothing to them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::Agent;
use super::client::Owner;
use crate::sip::message::Response;
use crate::sip::transport::{Hop, Path, Transport};
use crate::sip::trunk::PublicAddress;
use crate::time::Now;

/// Far ends remembered: every hop of every trunk, many times over.
const MOST: usize = 1024;

/// Our address by far end.
#[derive(Debug, Default)]
pub(super) struct Faces(BTreeMap<(Transport, IpAddr), SocketAddr>);

impl Faces {
    /// Our address as `hop` knows it, where that is not the usual one.
    fn shown_to(&self, hop: &Hop) -> Option<SocketAddr> {
        self.0.get(&(hop.transport, hop.address.ip().to_canonical())).copied()
    }

    /// `path` with the address that its far end knows.
    pub(super) fn along(&self, path: &Path) -> Path {
        Path { local: self.shown_to(&path.hop).unwrap_or(path.local), ..*path }
    }

    /// Is that news?
    fn remember(&mut self, hop: &Hop, here: SocketAddr) -> bool {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert((hop.transport, hop.address.ip().to_canonical()), here) != Some(here)
    }
}

impl Agent {
    /// Our IP address as `hop` is told it, where that is not the usual one.
    pub fn face_towards(&self, hop: &Hop) -> Option<IpAddr> {
        self.faces.shown_to(hop).map(|here| here.ip())
    }

    /// The way a request of `owner` takes, with the address that it shows.
    pub(super) fn faced(&mut self, owner: &Owner, path: &Path) -> Path {
        let trunk = match owner {
            Owner::Leg(leg) => self.trunks.of_leg(*leg),
            Owner::Trunk(name) => Some(name),
        };
        if let Some(PublicAddress::Fixed(ip, port)) = trunk.and_then(|name| self.trunks.public(name)) {
            self.faces.remember(&path.hop, SocketAddr::new(ip, port.unwrap_or(path.local.port())));
        }
        self.faces.along(path)
    }

    /// A trunk has answered, and says where it saw us.
    pub(super) fn learn_face(&mut self, name: &Arc<str>, response: &Response, path: &Path, now: Now) {
        if self.trunks.public(name) != Some(PublicAddress::Learn) {
            return;
        }
        let Some(here) = response.via.seen_from().filter(|here| here.is_ipv4() == path.hop.address.is_ipv4()) else {
            return;
        };
        if here == self.faces.along(path).local && here == path.local {
            return;
        }
        if self.faces.remember(&path.hop, here) {
            tracing::info!(trunk = %name, %here, "the trunk sees us there");
        }
        self.trunks.moved(name, here, now);
    }
}
