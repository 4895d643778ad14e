//! What we ask of others: whose request it is, which way it goes, what becomes of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::RngCore;

use super::proof::{Errand, Home, Proof};
use super::{Agent, Output, QueryId, TimerOf};
use crate::id::LegId;
use crate::sip::auth::{Tries, asks_of};
use crate::sip::branch::{ClientFailure, ClientNews, OutRequest, Tx};
use crate::sip::client::{ClientDo, ClientTransaction, Outgoing, base_of};
use crate::sip::fork::dialog_of;
use crate::sip::guard::DropReason;
use crate::sip::message::{Method, Response};
use crate::sip::reason;
use crate::sip::transport::{Hop, Path, Transport, is_inside};
use crate::sip::trunk::TrunkSpec;
use crate::time::Now;

/// Names being looked up at once: far more than trunks and live legs with names in them; one more request fails.
const MAX_QUERIES: usize = 4096;
/// How long a lookup may take: two tries of a resolver that waits two seconds each.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(5);
/// How long a far end that took no TCP connection is not asked for one again.
const WITHOUT_TCP: Duration = Duration::from_secs(600);

/// The BYE that no leg has asked for.
const LAST_WORD: Tx = Tx(u32::MAX);

/// Who wants a request sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// One of the legs.
    Leg(LegId),
    /// One of the trunks: REGISTER and OPTIONS.
    Trunk(Arc<str>),
}

/// All requests of ours.
#[derive(Debug, Default)]
pub(super) struct Clients {
    running: BTreeMap<Arc<str>, Client>,
    by_tx: BTreeMap<(Owner, Tx), Arc<str>>,
    looking_up: BTreeMap<QueryId, Lookup>,
    /// Last sequence number per owner.
    cseqs: BTreeMap<Owner, u32>,
    /// Digest answers, for owners that have credentials.
    digests: BTreeMap<Owner, Proof>,
    /// The trunks those are meant for, by name.
    homes: BTreeMap<Arc<str>, Home>,
    next_query: u64,
    /// Far ends that took no TCP connection, and until when we believe that: long requests go there by datagram.
    no_tcp: BTreeMap<SocketAddr, Instant>,
}

#[derive(Debug)]
struct Client {
    owner: Owner,
    tx: Tx,
    transaction: ClientTransaction,
    /// ACKs of 2xx by To tag, for copies of those.
    acks: Vec<(String, Bytes, Path, Option<Arc<str>>)>,
}

/// A request that waits for an address.
#[derive(Debug)]
struct Lookup {
    owner: Owner,
    tx: Tx,
    outgoing: Outgoing,
    /// An ACK is sent once and forgotten here.
    ack: bool,
    cancelled: bool,
}

impl Clients {
    /// Is anything unanswered?
    pub(super) fn are_waiting(&self) -> bool {
        !self.looking_up.is_empty() || self.running.values().any(|client| client.transaction.is_waiting())
    }

    /// No request of ours is remembered.
    pub(super) fn are_none(&self) -> bool {
        self.running.is_empty()
    }

    /// Nothing at all.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.by_tx.is_empty() && self.looking_up.is_empty() && self.cseqs.is_empty()
    }

    /// Is that a branch of ours?
    pub(super) fn knows(&self, branch: &str) -> bool {
        base_of(branch).is_some_and(|base| self.running.contains_key(base))
    }

    /// The owner is gone; what it asked for goes on without it.
    pub(super) fn forget_owner(&mut self, owner: &Owner) {
        self.cseqs.remove(owner);
        self.digests.remove(owner);
    }

    /// Where a name of a trunk leads, there the trunk is.
    fn learn_home(&mut self, lookup: &Lookup, paths: &[Path]) {
        let Some(proof) = self.digests.get(&lookup.owner) else { return };
        if proof.names(&lookup.outgoing.request.towards)
            && let Some(home) = self.homes.get_mut(&proof.trunk)
        {
            home.is_reached_at(paths);
        }
    }

    /// What `owner` proves itself with at the end of each of `paths`, and the trunk that is there; nothing where one of
    /// them leads elsewhere.
    fn proof_at(&mut self, owner: &Owner, paths: &[Path]) -> Option<(&mut Proof, &mut Home)> {
        let proof = self.digests.get_mut(owner)?;
        let home = self.homes.get_mut(&proof.trunk)?;
        paths.iter().all(|path| proof.is_at(home, path)).then_some((proof, home))
    }

    fn next_cseq(&mut self, owner: &Owner) -> u32 {
        let cseq = self.cseqs.entry(owner.clone()).or_insert(0);
        *cseq += 1;
        *cseq
    }
}

impl Agent {
    /// Sends a request in a transaction of its own.
    pub(super) fn send_request(&mut self, owner: Owner, tx: Tx, request: OutRequest, now: Now) {
        let cseq = self.clients.next_cseq(&owner);
        let outgoing =
            Outgoing { request, cseq, server: self.server.clone(), credentials: Vec::new(), tries: Tries::default() };
        self.find_way(Lookup { owner, tx, outgoing, ack: false, cancelled: false }, now);
    }

    /// What `owner` may prove itself with to a trunk, when that asks; `source` is where the trunk called us from.
    pub(super) fn trust_with(&mut self, owner: Owner, spec: &TrunkSpec, source: Option<IpAddr>) {
        let Some(credentials) = spec.credentials.clone() else { return };
        let proof = Proof::new(spec, credentials, source, self.rng.next_u64());
        self.clients.homes.entry(spec.name.clone()).or_insert_with(|| Home::of(spec));
        self.clients.digests.insert(owner, proof);
    }

    /// Asks for an INVITE to be cancelled.
    pub(super) fn cancel_request(&mut self, owner: &Owner, tx: Tx, reason: &'static str, now: Now) {
        let waiting = self.clients.looking_up.values_mut();
        for lookup in waiting.filter(|lookup| !lookup.ack && lookup.owner == *owner && lookup.tx == tx) {
            lookup.cancelled = true;
        }
        if let Some(base) = self.clients.by_tx.get(&(owner.clone(), tx)).cloned() {
            self.with_client(&base, now, |transaction| transaction.cancel(reason, now.mono));
        }
    }

    /// Acknowledges a 2xx.
    pub(super) fn send_ack(&mut self, owner: &Owner, tx: Tx, request: OutRequest, now: Now) {
        let base = self.clients.by_tx.get(&(owner.clone(), tx));
        let Some(client) = base.and_then(|base| self.clients.running.get(base)) else { return };
        let invite = client.transaction.outgoing();
        let (cseq, credentials) = (invite.cseq, invite.credentials.clone());
        let outgoing = Outgoing { request, cseq, server: self.server.clone(), credentials, tries: Tries::default() };
        self.find_way(Lookup { owner: owner.clone(), tx, outgoing, ack: true, cancelled: false }, now);
    }

    /// The addresses of a name have been found, or not.
    pub fn handle_resolved(&mut self, query: QueryId, paths: Result<Vec<Path>, String>, now: Now) {
        self.timers.set(TimerOf::Query(query), None);
        let Some(lookup) = self.clients.looking_up.remove(&query) else { return };
        let fallback = lookup.outgoing.request.fallback;
        match (paths, fallback) {
            (Ok(mut paths), known) if !paths.is_empty() => {
                self.clients.learn_home(&lookup, &paths);
                // The hop that took the INVITE knows the dialog; an ACK is sent once, and must not try a dead one first.
                let same = |path: &Path, known: &Hop| {
                    (path.hop.transport, path.hop.address) == (known.transport, known.address)
                };
                if let Some(at) = known.and_then(|known| paths.iter().position(|path| same(path, &known.hop))) {
                    paths[..=at].rotate_right(1);
                }
                self.set_out(lookup, paths, now);
            }
            (_, Some(fallback)) => self.set_out(lookup, vec![fallback], now),
            (Ok(_), None) => self.give_up_lookup(&lookup, "the name has no address".to_owned(), now),
            (Err(cause), None) => self.give_up_lookup(&lookup, cause, now),
        }
    }

    /// What was sent along `hop` did not get there (no connection).
    pub fn handle_unsent(&mut self, hop: &Hop, now: Now) {
        let there = self.clients.running.iter().filter(|(_, client)| client.transaction.calls(hop));
        let bases: Vec<Arc<str>> = there.map(|(base, _)| base.clone()).collect();
        if hop.transport == Transport::Tcp && !bases.is_empty() {
            self.clients.no_tcp.retain(|_, until| now.mono < *until);
            if self.clients.no_tcp.len() < MAX_QUERIES {
                self.clients.no_tcp.insert(hop.address, now.mono + WITHOUT_TCP);
            }
        }
        for base in bases {
            self.with_client(&base, now, |transaction| transaction.handle_unsent(hop, now.mono));
        }
    }

    pub(super) fn handle_response(&mut self, response: Response, now: Now) {
        let base = response.via.branch().and_then(base_of);
        let Some((base, client)) = base.and_then(|base| self.clients.running.get_key_value(base)) else {
            return self.stats.count_dropped(DropReason::StrayResponse);
        };
        let base = base.clone();
        if let Owner::Leg(leg) = client.owner {
            self.ladders.hear(leg, now);
        }
        self.with_client(&base, now, |transaction| transaction.handle_response(response, now.mono));
    }

    pub(super) fn handle_client_timeout(&mut self, base: &Arc<str>, now: Now) {
        self.with_client(base, now, |transaction| transaction.handle_timeout(now.mono));
    }

    /// An address needs no lookup when we know which of ours faces it; all else is asked of the driver.
    fn find_way(&mut self, lookup: Lookup, now: Now) {
        let request = &lookup.outgoing.request;
        if let (Some(hop), Some(known)) = (request.towards.literal_hop(), request.fallback)
            && hop.address.is_ipv4() == known.hop.address.is_ipv4()
        {
            let same = hop.transport == known.hop.transport;
            let direct = Path { hop, local: known.local };
            // Their address may be one of a network behind a router; a connection that stands is one we can use.
            if known.hop.transport.is_reliable() && (same || request.towards.transport.is_none()) {
                let other = (same && hop.address != known.hop.address).then_some(direct);
                return self.set_out(lookup, [Some(known), other].into_iter().flatten().collect(), now);
            }
            if same {
                // A telephone behind a router that writes its address at home into Contact is only where we see it.
                let behind = is_inside(hop.address.ip()) && !is_inside(known.hop.address.ip());
                let routed = request.header("Route").is_some();
                return self.set_out(lookup, vec![if behind && !routed { known } else { direct }], now);
            }
        }
        if self.clients.looking_up.len() >= MAX_QUERIES {
            return self.give_up_lookup(&lookup, "too many names are being looked up".to_owned(), now);
        }
        let query = QueryId(self.clients.next_query);
        self.clients.next_query += 1;
        self.outputs.push_back(Output::Resolve { query, target: request.towards.clone() });
        self.timers.set(TimerOf::Query(query), Some(now.mono + LOOKUP_PATIENCE));
        self.clients.looking_up.insert(query, lookup);
    }

    fn set_out(&mut self, lookup: Lookup, mut paths: Vec<Path>, now: Now) {
        let Lookup { owner, tx, mut outgoing, ack, cancelled } = lookup;
        if ack {
            paths.truncate(1);
            if self.clients.proof_at(&owner, &paths).is_none() {
                outgoing.credentials.clear();
            }
        } else if !outgoing.credentials.is_empty() {
            // The trunk was answered: that goes nowhere else.
            paths.retain(|path| self.clients.proof_at(&owner, &[*path]).is_some());
        } else if let Some((proof, _)) = self.clients.proof_at(&owner, &paths) {
            let OutRequest { method, uri, body, .. } = &outgoing.request;
            let body = body.as_ref().map_or("", |(_, text)| text);
            outgoing.credentials = proof.digest.preempt(&mut outgoing.tries, method.as_str(), uri, body.as_bytes());
        }
        let paths: Vec<Path> = paths.iter().map(|path| self.faced(&owner, path)).collect();
        let base: Arc<str> = format!("z9hG4bK{:016x}{:08x}", self.rng.next_u64(), self.rng.next_u32()).into();
        if ack {
            let Some(path) = paths.first().copied() else { return };
            let bytes = outgoing.write(&path, &base);
            let invite = self.clients.by_tx.get(&(owner.clone(), tx));
            if let Some(client) = invite.and_then(|base| self.clients.running.get_mut(base)) {
                let tag = outgoing.request.header("To").map(tag_of).unwrap_or_default();
                client.acks.push((tag, bytes.clone(), path, whom(&outgoing.request, &path)));
            }
            let towards = whom(&outgoing.request, &path);
            return self.send_for(&owner, bytes, path, towards, now);
        }
        if cancelled {
            // Nothing has been sent, so nobody needs to know.
            return self.tell(&owner, tx, ClientNews::Failed(ClientFailure::Unreachable), None, now);
        }
        let refused = |path: &Path| self.clients.no_tcp.get(&path.hop.address).is_some_and(|until| now.mono < *until);
        let (tcp, timing) = (self.settings.tcp && !paths.iter().any(refused), self.settings.timing);
        let transaction = ClientTransaction::start(outgoing, paths, base.clone(), tcp, timing, now.mono);
        self.clients.by_tx.insert((owner.clone(), tx), base.clone());
        self.clients.running.insert(base.clone(), Client { owner, tx, transaction, acks: Vec::new() });
        self.with_client(&base, now, |_| {});
    }

    fn give_up_lookup(&mut self, lookup: &Lookup, cause: String, now: Now) {
        if !lookup.ack {
            let news = ClientNews::Failed(ClientFailure::NoAddress(cause));
            self.tell(&lookup.owner, lookup.tx, news, None, now);
        }
    }

    /// Lets a transaction do something, then does what it wants and sets its timer.
    fn with_client(&mut self, base: &Arc<str>, now: Now, work: impl FnOnce(&mut ClientTransaction)) {
        let Some(client) = self.clients.running.get_mut(base) else { return };
        work(&mut client.transaction);
        while let Some(client) = self.clients.running.get_mut(base) {
            let Some(todo) = client.transaction.poll() else { break };
            if let (Owner::Trunk(name), ClientDo::News(ClientNews::Final(response), Some(path))) =
                (client.owner.clone(), &todo)
            {
                self.learn_face(&name, response, path, now);
            }
            let Some(client) = self.clients.running.get(base) else { break };
            match todo {
                ClientDo::Send(bytes, path) => {
                    let towards = whom(&client.transaction.outgoing().request, &path);
                    let owner = client.owner.clone();
                    self.send_for(&owner, bytes, path, towards, now);
                }
                ClientDo::News(ClientNews::Again(response), path) => {
                    let tag = response.to_tag().unwrap_or_default();
                    let (owner, tx) = (client.owner.clone(), client.tx);
                    match client.acks.iter().find(|(acked, ..)| *acked == tag) {
                        Some((_, bytes, path, towards)) => {
                            let (bytes, path, towards) = (bytes.clone(), *path, towards.clone());
                            self.send_for(&owner, bytes, path, towards, now);
                        }
                        None if self.is_orphan(base) => self.hang_up_orphan(base, &response, path, now),
                        None => self.tell(&owner, tx, ClientNews::Again(response), path, now),
                    }
                }
                ClientDo::News(ClientNews::Final(response), Some(path)) if matches!(response.status, 401 | 407) => {
                    self.answer_challenge(base, response, path, now);
                }
                ClientDo::News(ClientNews::Final(response), path) if response.status < 300 && self.is_orphan(base) => {
                    self.hang_up_orphan(base, &response, path, now);
                }
                ClientDo::News(news, path) => {
                    let (owner, tx) = (client.owner.clone(), client.tx);
                    self.tell(&owner, tx, news, path, now);
                }
                ClientDo::Over => self.forget_client(base),
            }
        }
        let deadline: Option<Instant> = self.clients.running.get(base).and_then(|client| client.transaction.deadline());
        self.timers.set(TimerOf::Client(base.clone()), deadline);
    }

    /// Is that an INVITE outside of any dialog whose leg is gone?
    fn is_orphan(&self, base: &Arc<str>) -> bool {
        let Some(Client { owner: Owner::Leg(leg), transaction, .. }) = self.clients.running.get(base) else {
            return false;
        };
        let request = &transaction.outgoing().request;
        request.method == Method::Invite && request.fallback.is_none() && !self.legs.contains_key(leg)
    }

    /// Somebody has taken a call that nobody wants any more: ACK and BYE (RFC 3261 §13.2.2.4).
    fn hang_up_orphan(&mut self, base: &Arc<str>, response: &Response, path: Option<Path>, now: Now) {
        let Some((client, path)) = self.clients.running.get(base).zip(path) else { return };
        let (owner, tx, invite) = (client.owner.clone(), client.tx, client.transaction.outgoing());
        let Some(dialog) = dialog_of(&invite.request, response, &path) else { return };
        let mut bye = dialog.request(Method::Bye);
        bye.headers.push(("Reason".into(), reason::GIVEN_UP.to_owned()));
        let cseq = invite.cseq + 1;
        self.send_ack(&owner, tx, dialog.request(Method::Ack), now);
        let server = self.server.clone();
        let outgoing = Outgoing { request: bye, cseq, server, credentials: Vec::new(), tries: Tries::default() };
        self.find_way(Lookup { owner, tx: LAST_WORD, outgoing, ack: false, cancelled: false }, now);
    }

    /// They want to know who we are: the same request again, with a new number and the answer, the way it came; or
    /// the refusal is the branch's news (RFC 3261 §22.2).
    fn answer_challenge(&mut self, base: &Arc<str>, challenge: Response, path: Path, now: Now) {
        let Some(client) = self.clients.running.get(base) else { return };
        let (owner, tx) = (client.owner.clone(), client.tx);
        let mut outgoing = client.transaction.outgoing().clone();
        // Whoever asks may be as dead as another hop by the next request.
        let paths: Vec<Path> = std::iter::once(&path).chain(client.transaction.untried()).copied().collect();
        let wanted = !client.transaction.is_cancelled();
        let request = &outgoing.request;
        let body = request.body.as_ref().map_or("", |(_, text)| text);
        let errand = match (&owner, request.header("To").is_some_and(|to| !tag_of(to).is_empty())) {
            (Owner::Trunk(_), _) => Errand::Own,
            (Owner::Leg(_), false) => Errand::Call,
            (Owner::Leg(_), true) => Errand::Inside,
        };
        let (at, asks) = (path.hop.address.ip(), asks_of(&challenge));
        let answer = self.clients.proof_at(&owner, &[path]).filter(|_| wanted).map(|(proof, home)| {
            let asked: Vec<_> =
                asks.into_iter().filter(|(asker, realm)| home.trusts(errand, at, *asker, realm)).collect();
            home.learn(errand, at, &asked);
            let theirs = |asker, realm: &str| asked.iter().any(|(one, other)| (*one, other.as_str()) == (asker, realm));
            proof.digest.answer(
                &mut outgoing.tries,
                &challenge,
                theirs,
                request.method.as_str(),
                &request.uri,
                body.as_bytes(),
            )
        });
        match answer {
            Some(Ok(credentials)) => {
                outgoing.credentials = credentials;
                outgoing.cseq = self.clients.next_cseq(&owner);
                self.set_out(Lookup { owner, tx, outgoing, ack: false, cancelled: false }, paths, now);
            }
            refused => {
                let span = if let Owner::Leg(leg) = owner { self.span_of(leg) } else { tracing::Span::none() };
                let _of_its_call = span.enter();
                if let Some(Err(reason)) = refused {
                    tracing::warn!(%reason, "a request of ours is not let in");
                } else if wanted && self.clients.digests.contains_key(&owner) {
                    let asks = &path.hop;
                    tracing::warn!(%asks, "somebody we were sent to asks for a password that is not meant for them");
                }
                self.tell(&owner, tx, ClientNews::Final(challenge), Some(path), now);
            }
        }
    }

    fn forget_client(&mut self, base: &Arc<str>) {
        let Some(client) = self.clients.running.remove(base) else { return };
        let name = (client.owner, client.tx);
        if self.clients.by_tx.get(&name) == Some(base) {
            self.clients.by_tx.remove(&name);
        }
    }

    fn send_for(&mut self, owner: &Owner, bytes: Bytes, path: Path, towards: Option<Arc<str>>, now: Now) {
        match owner {
            Owner::Leg(leg) => self.say_to(*leg, bytes, path, towards, now),
            Owner::Trunk(_) => self.send(bytes, path, towards),
        }
    }

    fn tell(&mut self, owner: &Owner, tx: Tx, news: ClientNews, path: Option<Path>, now: Now) {
        match owner {
            Owner::Leg(leg) => self.with_leg(*leg, now, |leg| leg.handle_news(tx, news, path.as_ref(), now)),
            Owner::Trunk(name) => self.handle_trunk_news(name, tx, news, path, now),
        }
    }
}

/// Whose certificate `request` wants to see at the end of `path`: the way of its dialog has shown one already.
fn whom(request: &OutRequest, path: &Path) -> Option<Arc<str>> {
    let known = request.fallback.is_some_and(|known| known.hop.address == path.hop.address);
    (path.hop.transport == Transport::Tls && !known).then(|| request.towards.host.as_str().into())
}

/// The tag of a party as we wrote it.
fn tag_of(party: &str) -> String {
    use crate::sip::uri::NameAddr;
    NameAddr::parse(party).ok().and_then(|party| party.tag().map(str::to_owned)).unwrap_or_default()
}
