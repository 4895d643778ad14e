//! Trunks: registered from the first second, asked for signs of life, and kept within their limits.
//!
//! ```text
//!   start ─▶ REGISTER (where wanted) ─▶ refreshed, tried again, de-registered at the end   (`registration`)
//!         └▶ OPTIONS every `ping` ─ any answer ─▶ reachable
//!                                 └ none ───────▶ unreachable
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rand::RngCore;

use super::client::Owner;
use super::{Agent, Output, TimerOf};
use crate::id::LegId;
use crate::sip::DialError;
use crate::sip::branch::{Act, ClientNews, OutRequest, Tx};
use crate::sip::message::Method;
use crate::sip::peers::Peer;
use crate::sip::registration::Registration;
use crate::sip::transport::{Hop, Path, Target};
use crate::sip::trunk::{PublicAddress, TrunkSpec, TrunkState, TrunkStatus};
use crate::sip::uri::Uri;
use crate::time::Now;

/// Names of our OPTIONS begin here; those of a registration's REGISTER at 0.
const FIRST_PING: u32 = 1 << 31;
/// What `max_cps` counts within.
const SECOND: Duration = Duration::from_secs(1);

/// Every trunk by its name.
#[derive(Debug, Default)]
pub(super) struct Trunks {
    by_name: BTreeMap<Arc<str>, Trunk>,
    /// Which trunk a leg goes through.
    legs: BTreeMap<LegId, Arc<str>>,
    /// Those of them whose call is over: they stay a while, for whoever answers too late.
    over: BTreeSet<LegId>,
}

#[derive(Debug)]
pub(super) struct Trunk {
    spec: TrunkSpec,
    registration: Option<Registration>,
    ping: Ping,
    /// What it is to the guard when it calls us.
    peer: Arc<Peer>,
    /// Calls of the last second.
    placed: VecDeque<Instant>,
    told: Option<TrunkState>,
    /// Where it sees us, once we have learnt that.
    here: Option<SocketAddr>,
}

/// Signs of life of a trunk.
#[derive(Debug)]
struct Ping {
    next_at: Option<Instant>,
    asking: Option<Tx>,
    next_tx: u32,
    alive: bool,
    since: Timestamp,
    hop: Option<Hop>,
    last_status: Option<u16>,
}

impl Trunks {
    pub(super) fn new(specs: &[TrunkSpec]) -> Self {
        let trunk = |spec: &TrunkSpec| {
            let ping = Ping {
                next_at: None,
                asking: None,
                next_tx: FIRST_PING,
                alive: true,
                since: Timestamp::UNIX_EPOCH,
                hop: None,
                last_status: None,
            };
            let (registration, placed, told, here) = Default::default();
            let peer = Peer { name: spec.name.clone(), addresses: Vec::new(), ..Peer::loopback() };
            let peer = Arc::new(Peer { max_calls: spec.max_calls, max_cps: spec.max_cps, ..peer });
            (spec.name.clone(), Trunk { spec: spec.clone(), registration, ping, peer, placed, told, here })
        };
        Self { by_name: specs.iter().map(trunk).collect(), legs: BTreeMap::new(), over: BTreeSet::new() }
    }

    /// Is nothing of ours known to any registrar any more?
    pub(super) fn are_done(&self) -> bool {
        self.by_name.values().all(|trunk| trunk.registration.as_ref().is_none_or(Registration::is_done))
    }

    /// The trunk that we are registered with at `address`: its calls come from there.
    pub(super) fn at(&self, address: IpAddr, now: Now) -> Option<Arc<Peer>> {
        let registered = self.by_name.values().filter_map(|trunk| Some((trunk, trunk.registration.as_ref()?)));
        let mut here = registered.filter(|(_, registration)| registration.is_known_at(address, now.mono));
        here.next().map(|(trunk, _)| trunk.peer.clone())
    }

    /// The trunk that a leg goes through.
    pub(super) fn of_leg(&self, leg: LegId) -> Option<&Arc<str>> {
        self.legs.get(&leg)
    }

    /// Trunks with an address in their URI and a given one of ours.
    pub(super) fn given(&self) -> Vec<(IpAddr, IpAddr, Option<u16>)> {
        let given = |trunk: &Trunk| {
            let PublicAddress::Fixed(ip, port) = trunk.spec.public else { return None };
            let host = Target::of(&Uri::parse(&trunk.spec.uri).ok()?)?.literal()?;
            Some((host, ip, port))
        };
        self.by_name.values().filter_map(given).collect()
    }

    /// Where `name` reaches us.
    pub(super) fn public(&self, name: &str) -> Option<PublicAddress> {
        self.by_name.get(name).map(|trunk| trunk.spec.public)
    }

    /// Trunks that have last answered along that connection.
    pub(super) fn along(&self, hop: &Hop) -> Vec<Arc<str>> {
        let here = |trunk: &&Trunk| {
            let last = [trunk.registration.as_ref().and_then(|it| it.status().hop), trunk.ping.hop];
            last.iter().flatten().any(|last| (last.transport, last.address) == (hop.transport, hop.address))
        };
        self.by_name.values().filter(here).map(|trunk| trunk.spec.name.clone()).collect()
    }

    /// `name` reaches us at `here` now.
    pub(super) fn moved(&mut self, name: &str, here: SocketAddr, now: Now) {
        if let Some(trunk) = self.by_name.get_mut(name) {
            trunk.here = Some(here);
            trunk.see_to_it_that_they_know(now);
        }
    }

    /// The call is over, and makes room for the next one.
    pub(super) fn leave(&mut self, leg: LegId) {
        if self.legs.contains_key(&leg) {
            self.over.insert(leg);
        }
    }

    /// The leg is gone.
    pub(super) fn forget_leg(&mut self, leg: LegId) {
        self.legs.remove(&leg);
        self.over.remove(&leg);
    }

    /// The trunk of this name, if it knows us by a password: for whoever calls us from there and then asks who we are.
    pub(super) fn spec(&self, name: &str) -> Option<TrunkSpec> {
        Some(&self.by_name.get(name)?.spec).filter(|spec| spec.credentials.is_some()).cloned()
    }

    /// A call through `name` begins, if there is such a trunk and it may carry one more.
    pub(super) fn enter(&mut self, name: &Arc<str>, leg: LegId, now: Now) -> Result<TrunkSpec, DialError> {
        let live = self.legs.iter().filter(|(leg, trunk)| *trunk == name && !self.over.contains(leg)).count();
        let trunk = self.by_name.get_mut(name).ok_or_else(|| DialError::NoSuchTrunk(name.clone()))?;
        if trunk.spec.max_calls.is_some_and(|most| live >= most) {
            return Err(DialError::Full("the trunk carries as many calls as its max_calls allows"));
        }
        while trunk.placed.front().is_some_and(|at| now.mono.saturating_duration_since(*at) >= SECOND) {
            trunk.placed.pop_front();
        }
        if trunk.spec.max_cps.is_some_and(|most| trunk.placed.len() >= most as usize) {
            return Err(DialError::Full("the trunk was given as many calls this second as its max_cps allows"));
        }
        if trunk.spec.max_cps.is_some() {
            trunk.placed.push_back(now.mono);
        }
        self.legs.insert(leg, name.clone());
        let route = trunk.registration.as_ref().map(|registration| registration.route().to_vec());
        Ok(TrunkSpec { route: route.unwrap_or_default(), ..trunk.spec.clone() })
    }
}

impl Trunk {
    fn status(&self) -> TrunkStatus {
        if let Some(registration) = &self.registration {
            return registration.status();
        }
        let state = if self.ping.alive { TrunkState::Static } else { TrunkState::Unreachable };
        let Ping { since, hop, last_status, .. } = self.ping;
        TrunkStatus { name: self.spec.name.clone(), state, hop, since, last_status }
    }

    /// Registers anew when the registrar knows another address of ours.
    fn see_to_it_that_they_know(&mut self, now: Now) {
        if let (Some(registration), Some(here)) = (&mut self.registration, self.here) {
            registration.handle_moved(here, now);
        }
    }

    /// The connection to it has ended; where it reaches us is to be learnt again.
    pub(super) fn handle_cut(&mut self, gone: bool, now: Now) {
        if let Some(registration) = &mut self.registration {
            registration.handle_cut(gone, now);
        } else if gone && self.ping.asking.is_none() && self.ping.next_at.is_some() {
            self.ping.next_at = Some(now.mono);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        [self.registration.as_ref().and_then(Registration::deadline), self.ping.next_at].into_iter().flatten().min()
    }

    /// An OPTIONS outside of any dialog (RFC 3261 §11).
    fn ping(&mut self, random: u64, now: Now) -> Option<(Tx, OutRequest)> {
        self.ping.next_at = Some(now.mono + self.spec.ping?);
        if self.ping.asking.is_some() {
            return None;
        }
        let uri = Uri::parse(&self.spec.uri).ok()?;
        let towards = Target::of(&uri)?;
        let user = self.spec.user.clone().unwrap_or_default();
        let at = if user.is_empty() { "" } else { "@" };
        let host = if uri.host.contains(':') { format!("[{}]", uri.host) } else { uri.host.clone() };
        let request = OutRequest {
            method: Method::Options,
            uri: uri.text.clone(),
            towards,
            fallback: None,
            headers: vec![
                ("From".into(), format!("<{}:{user}{at}{host}>;tag={random:016x}", uri.scheme)),
                ("To".into(), format!("<{}>", uri.text)),
                ("Call-ID".into(), format!("{:016x}{:08x}", random.rotate_left(17), self.ping.next_tx)),
                ("Accept".into(), "application/sdp".to_owned()),
            ],
            contact: Some(user),
            body: None,
        };
        let tx = Tx(self.ping.next_tx);
        self.ping.next_tx = self.ping.next_tx.wrapping_add(1).max(FIRST_PING);
        self.ping.asking = Some(tx);
        Some((tx, request))
    }

    /// Any final answer is a sign of life, a refusal too.
    fn pong(&mut self, news: &ClientNews, path: Option<&Path>, now: Now) {
        let alive = match news {
            ClientNews::Final(response) => {
                (self.ping.hop, self.ping.last_status) = (path.map(|path| path.hop), Some(response.status));
                // A proxy that has nobody behind it says so with 408, 502, 503 or 504.
                !matches!(response.status, 408 | 502..=504)
            }
            ClientNews::Failed(_) => {
                self.ping.last_status = None;
                false
            }
            ClientNews::Provisional(_) | ClientNews::Again(_) => return,
        };
        self.ping.asking = None;
        if alive != self.ping.alive {
            (self.ping.alive, self.ping.since) = (alive, now.wall);
        }
        if let Some(registration) = self.registration.as_mut().filter(|_| alive) {
            registration.handle_reachable(now);
        }
    }
}

impl Agent {
    /// Begins to register, and to ask trunks for signs of life. Once, before anything else.
    pub fn handle_start(&mut self, now: Now) {
        self.show_given_faces();
        let names: Vec<Arc<str>> = self.trunks.by_name.keys().cloned().collect();
        for name in names {
            let context = self.context();
            let Some(trunk) = self.trunks.by_name.get_mut(&name) else { continue };
            trunk.ping.since = now.wall;
            trunk.ping.next_at = trunk.spec.ping.map(|_| now.mono);
            if trunk.spec.register {
                trunk.registration = Registration::new(trunk.spec.clone(), context, now);
            }
            let spec = trunk.spec.clone();
            self.trust_with(Owner::Trunk(name.clone()), &spec, None);
            self.with_trunk(&name, now, |_| {});
        }
    }

    /// How the trunks are doing, by name.
    pub fn trunks(&self) -> Vec<TrunkStatus> {
        self.trunks.by_name.values().map(Trunk::status).collect()
    }

    /// Takes our address back from every registrar.
    pub(super) fn stop_trunks(&mut self, now: Now) {
        let names: Vec<Arc<str>> = self.trunks.by_name.keys().cloned().collect();
        for name in names {
            self.with_trunk(&name, now, |trunk| {
                trunk.ping.next_at = None;
                if let Some(registration) = &mut trunk.registration {
                    registration.handle_stop(now);
                }
            });
        }
    }

    pub(super) fn handle_trunk_timeout(&mut self, name: &Arc<str>, now: Now) {
        let random = self.rng.next_u64();
        let mut ping = None;
        self.with_trunk(name, now, |trunk| {
            if let Some(registration) = &mut trunk.registration {
                registration.handle_timeout(now);
            }
            if trunk.ping.next_at.is_some_and(|at| now.mono >= at) {
                ping = trunk.ping(random, now);
            }
        });
        if let Some((tx, request)) = ping {
            self.send_request(Owner::Trunk(name.clone()), tx, request, now);
        }
    }

    pub(super) fn handle_trunk_news(
        &mut self,
        name: &Arc<str>,
        tx: Tx,
        news: ClientNews,
        path: Option<Path>,
        now: Now,
    ) {
        self.with_trunk(name, now, |trunk| {
            if tx.0 >= FIRST_PING {
                trunk.pong(&news, path.as_ref(), now);
            } else if let Some(registration) = &mut trunk.registration {
                registration.handle_news(tx, news, path.as_ref(), now);
                trunk.see_to_it_that_they_know(now);
            }
        });
    }

    /// Lets a trunk do something, then does what it wants, tells what has changed and sets its timer.
    pub(super) fn with_trunk(&mut self, name: &Arc<str>, now: Now, work: impl FnOnce(&mut Trunk)) {
        let Some(trunk) = self.trunks.by_name.get_mut(name) else { return };
        work(trunk);
        loop {
            let trunk = self.trunks.by_name.get_mut(name);
            let Some(act) = trunk.and_then(|trunk| trunk.registration.as_mut()?.poll_act()) else { break };
            if let Act::Request { tx, request } = act {
                self.send_request(Owner::Trunk(name.clone()), tx, request, now);
            }
        }
        let Some(trunk) = self.trunks.by_name.get_mut(name) else { return };
        let status = trunk.status();
        let same = |told: TrunkState| std::mem::discriminant(&told) == std::mem::discriminant(&status.state);
        if !trunk.told.is_some_and(same) {
            trunk.told = Some(status.state);
            self.outputs.push_back(Output::Trunk(status));
        }
        let deadline = self.trunks.by_name.get(name).and_then(Trunk::deadline);
        self.timers.set(TimerOf::Trunk(name.clone()), deadline);
    }
}
