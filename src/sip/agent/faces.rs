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

/// Our address by far end; without a port, the one we listen on.
#[derive(Debug, Default)]
pub(super) struct Faces(BTreeMap<(Transport, IpAddr), Face>);

type Face = (IpAddr, Option<u16>);

impl Faces {
    /// Our address as `hop` knows it, where that is not the usual one.
    fn shown_to(&self, hop: &Hop) -> Option<Face> {
        self.0.get(&(hop.transport, hop.address.ip().to_canonical())).copied()
    }

    /// `path` with the address that its far end knows.
    pub(super) fn along(&self, path: &Path) -> Path {
        let Some((ip, port)) = self.shown_to(&path.hop) else { return *path };
        Path { local: SocketAddr::new(ip, port.unwrap_or(path.local.port())), ..*path }
    }

    /// The connection to `hop` has ended, and with it the port that a router gave us for it. Was there one?
    fn cut(&mut self, hop: &Hop) -> bool {
        let face = self.0.get_mut(&(hop.transport, hop.address.ip().to_canonical()));
        face.and_then(|(_, port)| port.take()).is_some()
    }

    /// Is that news?
    fn remember(&mut self, hop: &Hop, here: Face) -> bool {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert((hop.transport, hop.address.ip().to_canonical()), here) != Some(here)
    }
}

impl Agent {
    /// Our IP address as `hop` is told it, where that is not the usual one.
    pub fn face_towards(&self, hop: &Hop) -> Option<IpAddr> {
        self.faces.shown_to(hop).map(|(ip, _)| ip)
    }

    /// Trunks that are named by their address know a given one of ours before we have asked them anything.
    pub(super) fn show_given_faces(&mut self) {
        for (host, ip, port) in self.trunks.given() {
            for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
                self.faces.remember(&Hop::new(transport, SocketAddr::new(host, 0)), (ip, port));
            }
        }
    }

    /// The way a request of `owner` takes, with the address that it shows.
    pub(super) fn faced(&mut self, owner: &Owner, path: &Path) -> Path {
        let trunk = match owner {
            Owner::Leg(leg) => self.trunks.of_leg(*leg),
            Owner::Trunk(name) => Some(name),
        };
        if let Some(PublicAddress::Fixed(ip, port)) = trunk.and_then(|name| self.trunks.public(name)) {
            self.faces.remember(&path.hop, (ip, port));
        }
        self.faces.along(path)
    }

    /// A connection has ended, or could not be opened: what was to be sent along it was not, and a registrar that reaches
    /// us along it only is to get another at once.
    pub fn handle_closed(&mut self, hop: &Hop, now: Now) {
        let names = self.trunks.along(hop);
        let learns = |name: &Arc<str>| self.trunks.public(name) == Some(PublicAddress::Learn);
        let (learning, others): (Vec<_>, Vec<_>) = names.into_iter().partition(learns);
        let gone = !learning.is_empty() && self.faces.cut(hop);
        for (names, gone) in [(learning, gone), (others, false)] {
            for name in names {
                self.with_trunk(&name, now, |trunk| trunk.handle_cut(gone, now));
            }
        }
        self.handle_unsent(hop, now);
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
        if self.faces.remember(&path.hop, (here.ip(), Some(here.port()))) {
            tracing::info!(trunk = %name, %here, "the trunk sees us there");
        }
        self.trunks.moved(name, here, now);
    }
}
