//! The task that owns everything SIP: what comes in goes to the agent with the time, what the agent wants goes out.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tracing::Span;

use super::commands::{LegCommands, Word};
use super::names::Names;
use super::routes::Routes;
use super::stream::{News, Streams};
use super::tls::Tls;
use crate::id::LegId;
use crate::sip::agent::{Agent, Incoming, Output, QueryId, RETRY_AFTER};
use crate::sip::stats::SipStats;
use crate::sip::transport::{Hop, Path, Target};
use crate::sip::trunk::{TrunkState, TrunkStatus};
use crate::sip::{Dial, DialError, IncomingLeg, LegCommand, LegEvent, OutgoingLeg, Rejection};
use crate::time::{Clock, sleep_until};

/// Events in flight per leg: a call never has more than a handful.
const LEG_CHANNEL: usize = 16;
/// Datagrams read before timers and commands get their turn.
const BURST: usize = 64;
/// Pause after a failed read, so that a socket gone bad does not eat a core.
const AFTER_ERROR: Duration = Duration::from_millis(10);

/// Orders of the owner and of those who place calls.
#[derive(Debug)]
pub(super) enum Control {
    Drain,
    Dial(Box<Dial>, Span, oneshot::Sender<Result<OutgoingLeg, DialError>>),
    LocalFor(Target, oneshot::Sender<Result<IpAddr, String>>),
    Shutdown { grace: Duration },
    Stats(oneshot::Sender<SipStats>),
    Trunks(oneshot::Sender<Vec<TrunkStatus>>),
    Renew(Box<Tls>),
}

/// Answers of the name servers.
#[derive(Debug)]
pub(super) enum Found {
    ForAgent(QueryId, Result<Vec<Hop>, String>),
    ForDialer(Result<Vec<Hop>, String>, oneshot::Sender<Result<IpAddr, String>>),
}

/// What the task listens to.
pub(super) struct Inlets {
    pub(super) commands: mpsc::Receiver<Word>,
    pub(super) controls: mpsc::Receiver<Control>,
    pub(super) news: mpsc::Receiver<News>,
    pub(super) found: mpsc::Receiver<Found>,
}

/// The task's own.
pub(super) struct Port {
    pub(super) agent: Agent,
    pub(super) socket: UdpSocket,
    pub(super) streams: Streams,
    pub(super) listeners: Vec<AbortHandle>,
    pub(super) routes: Routes,
    pub(super) names: Names,
    pub(super) found_in: mpsc::Sender<Found>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) incoming: mpsc::Sender<IncomingLeg>,
    pub(super) commands_in: mpsc::Sender<Word>,
    pub(super) legs: BTreeMap<LegId, LegPort>,
    pub(super) live: Arc<AtomicU64>,
    /// The last call found nobody.
    pub(super) turning_away: bool,
}

/// Our end of one leg's channels.
pub(super) struct LegPort {
    events: mpsc::Sender<LegEvent>,
    /// Kept for [`LegEvent::Ended`].
    last: Option<mpsc::OwnedPermit<LegEvent>>,
}

impl Drop for Port {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

impl Port {
    pub(super) async fn run(mut self, inlets: Inlets) {
        let Inlets { mut commands, mut controls, mut news, mut found } = inlets;
        let mut buffer = vec![0; usize::from(u16::MAX)];
        let mut stop_at: Option<Instant> = None;
        self.agent.handle_start(self.clock.now());
        loop {
            self.carry_out().await;
            if stop_at.is_some_and(|at| self.agent.is_idle() || self.clock.now().mono >= at) {
                return;
            }
            let deadline = [self.agent.poll_timeout(), stop_at].into_iter().flatten().min();
            tokio::select! {
                readable = self.socket.readable() => match readable {
                    Ok(()) => self.receive(&mut buffer).await,
                    Err(error) => pause_after(&error).await,
                },
                Some(news) = news.recv() => self.hear(news),
                Some(found) = found.recv() => self.take_found(found),
                Some(word) = commands.recv() => self.obey(word),
                control = controls.recv(), if stop_at.is_none() => match control {
                    Some(Control::Drain) => self.agent.handle_drain(self.clock.now()),
                    Some(Control::Dial(dial, span, reply)) => span.in_scope(|| self.dial(*dial, reply)),
                    Some(Control::LocalFor(target, reply)) => self.find_local(target, reply),
                    Some(Control::Stats(reply)) => drop(reply.send(self.agent.stats().clone())),
                    Some(Control::Trunks(reply)) => drop(reply.send(self.agent.trunks())),
                    Some(Control::Renew(tls)) => self.streams.renew(*tls),
                    Some(Control::Shutdown { grace }) => stop_at = Some(self.stop(grace)),
                    None => stop_at = Some(self.stop(Duration::ZERO)),
                },
                () = sleep_until(deadline) => self.agent.handle_timeout(self.clock.now()),
            }
        }
    }

    /// A call wants something of its leg, or is gone. What comes when the leg is over has crossed its last word.
    fn obey(&mut self, (leg, command): Word) {
        if !self.legs.contains_key(&leg) {
            return;
        }
        let now = self.clock.now();
        match command {
            Some(command) => self.agent.handle_command(leg, command, now),
            None => self.agent.handle_abandoned(leg, now),
        }
    }

    fn stop(&mut self, grace: Duration) -> Instant {
        let now = self.clock.now();
        self.agent.handle_shutdown(now);
        now.mono + grace
    }

    /// Reads what the kernel holds, a burst at most.
    async fn receive(&mut self, buffer: &mut [u8]) {
        for _ in 0..BURST {
            match self.socket.try_recv_from(buffer) {
                Ok((length, source)) => {
                    let source = SocketAddr::new(source.ip().to_canonical(), source.port());
                    let path = Path::udp(source, self.routes.local_for(&Path::udp(source, source).hop));
                    self.agent.handle_message(&buffer[..length], &path, self.clock.now());
                    self.carry_out().await;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => return pause_after(&error).await,
            }
        }
    }

    /// News of a connection.
    fn hear(&mut self, news: News) {
        match news {
            News::Accepted(transport, stream, from) => {
                let stranger = !self.agent.knows(from.ip(), self.clock.now());
                self.streams.admit(transport, stream, from, stranger);
            }
            News::Message((transport, address), bytes) => {
                let hop = Hop::new(transport, address);
                let path = Path { hop, local: self.routes.local_for(&hop) };
                let now = self.clock.now();
                self.agent.handle_message(&bytes, &path, now);
                let agent = &self.agent;
                self.streams.promote((transport, address), || agent.knows(address.ip(), now));
            }
            News::Closed { key: (transport, address), serial } => {
                // What was not answered on it will not be: the far end is gone, or never was there.
                if self.streams.forget((transport, address), serial) {
                    self.agent.handle_closed(&Hop::new(transport, address), self.clock.now());
                }
            }
        }
    }

    /// Does what the agent wants, until it wants nothing more.
    async fn carry_out(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Send { bytes, path, towards } if path.hop.transport.is_reliable() => {
                    self.send_stream(bytes, &path.hop, towards.as_deref());
                }
                Output::Send { bytes, path, .. } => self.send_datagram(&bytes, path.hop).await,
                Output::Resolve { query, target } => self.resolve(query, target),
                Output::Incoming(incoming) => self.offer(*incoming),
                Output::Event { leg, event } => self.tell(leg, event),
                Output::Trunk(status) => report(&status),
            }
        }
        self.live.store(self.agent.stats().live_legs, Ordering::Relaxed);
    }

    async fn send_datagram(&mut self, bytes: &[u8], hop: Hop) {
        let to = self.routes.fit(hop.address);
        let sent = match self.socket.try_send_to(bytes, to) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.socket.send_to(bytes, to).await,
            sent => sent,
        };
        if let Err(error) = sent {
            tracing::debug!(%error, %to, "a SIP message could not be sent");
            // A far end that has said "port unreachable" may be back with the next try; no route, and no room for so
            // long a datagram, will not go away by waiting.
            let hopeless = [ErrorKind::NetworkUnreachable, ErrorKind::HostUnreachable, ErrorKind::AddrNotAvailable];
            if hopeless.contains(&error.kind()) {
                self.agent.handle_unsent(&hop, self.clock.now());
            }
        }
    }

    fn send_stream(&mut self, bytes: Bytes, hop: &Hop, towards: Option<&str>) {
        if !self.streams.send(hop, bytes, towards) {
            tracing::debug!(%hop, "a SIP message found no connection");
            self.agent.handle_unsent(hop, self.clock.now());
        }
    }

    /// Addresses are known at once; names are asked for by a task of their own.
    fn resolve(&mut self, query: QueryId, target: Target) {
        if let Some(hop) = target.literal_hop() {
            let found = if self.names.speaks(hop.transport) { Ok(vec![hop]) } else { Err(unspoken(&hop)) };
            return self.take_found(Found::ForAgent(query, found));
        }
        let (names, random, answers) = (self.names.clone(), rand::random(), self.found_in.clone());
        tokio::spawn(async move {
            let found = names.find(target, random).await;
            // Only a server that is shut down does not listen.
            let _ = answers.send(Found::ForAgent(query, found)).await;
        });
    }

    fn find_local(&mut self, target: Target, reply: oneshot::Sender<Result<IpAddr, String>>) {
        if let Some(hop) = target.literal_hop() {
            return self.take_found(Found::ForDialer(Ok(vec![hop]), reply));
        }
        let (names, random, answers) = (self.names.clone(), rand::random(), self.found_in.clone());
        tokio::spawn(async move {
            let found = names.find(target, random).await;
            let _ = answers.send(Found::ForDialer(found, reply)).await;
        });
    }

    fn take_found(&mut self, found: Found) {
        match found {
            Found::ForAgent(query, hops) => {
                let paths = self
                    .reachable(hops)
                    .map(|hops| hops.into_iter().map(|hop| Path { hop, local: self.routes.local_for(&hop) }).collect());
                self.agent.handle_resolved(query, paths, self.clock.now());
            }
            Found::ForDialer(hops, reply) => {
                let first = self.reachable(hops).map(|hops| {
                    let shown = self.agent.face_towards(&hops[0]);
                    shown.unwrap_or_else(|| self.routes.local_for(&hops[0]).ip())
                });
                let _ = reply.send(first);
            }
        }
    }

    /// The hops that a socket of ours can reach; never none of them.
    fn reachable(&mut self, hops: Result<Vec<Hop>, String>) -> Result<Vec<Hop>, String> {
        let mut hops = hops?;
        hops.retain(|hop| self.routes.reach(hop.address.ip()));
        match hops.is_empty() {
            true => Err(format!("no address of it can be reached from {}", self.routes.listen.ip())),
            false => Ok(hops),
        }
    }

    /// Gives a new leg its channels and hands it out.
    fn offer(&mut self, incoming: Incoming) {
        let Incoming { leg, call, path, peer, caller, called, sip_call_id, offer } = incoming;
        let calls = self.incoming.clone();
        let refused = match calls.try_reserve() {
            Ok(place) => {
                let (commands, events) = self.connect(leg);
                self.turning_away = false;
                return place.send(IncomingLeg {
                    leg,
                    call,
                    span: self.agent.span_of(leg),
                    source: path.hop.address,
                    local: path.local,
                    transport: path.hop.transport,
                    peer: peer.to_string(),
                    caller,
                    called,
                    sip_call_id,
                    offer,
                    commands,
                    events,
                });
            }
            Err(refused) => refused,
        };
        // Once per rush: the counters say how many.
        if !self.turning_away {
            tracing::warn!(reason = %refused, "calls are turned away: nobody takes them fast enough");
            self.turning_away = true;
        }
        let unavailable = Rejection { retry_after: Some(RETRY_AFTER), ..Rejection::status(503) };
        self.agent.handle_command(leg, LegCommand::Reject(unavailable), self.clock.now());
    }

    fn dial(&mut self, dial: Dial, reply: oneshot::Sender<Result<OutgoingLeg, DialError>>) {
        let outgoing = self.agent.handle_dial(dial, self.clock.now()).map(|(leg, sip_call_id)| {
            let (commands, events) = self.connect(leg);
            OutgoingLeg { leg, sip_call_id, commands, events }
        });
        // Whoever asked may be gone; then the leg's channels are too, and it hangs up.
        let _ = reply.send(outgoing);
    }

    /// Gives a leg its channels.
    fn connect(&mut self, leg: LegId) -> (LegCommands, mpsc::Receiver<LegEvent>) {
        let (events, events_out) = mpsc::channel(LEG_CHANNEL);
        // The last word has a place kept for it, whatever else there is to tell.
        let last = events.clone().try_reserve_owned().ok();
        self.legs.insert(leg, LegPort { events, last });
        (LegCommands::new(leg, self.commands_in.clone()), events_out)
    }

    fn tell(&mut self, leg: LegId, event: LegEvent) {
        let Some(port) = self.legs.get_mut(&leg) else { return };
        if !matches!(event, LegEvent::Ended(_)) {
            // Sixteen places: only a call that is gone, or hangs, does not get its news.
            if port.events.try_send(event).is_err() {
                tracing::debug!(%leg, "nobody takes the news of a leg");
            }
            return;
        }
        if let Some(last) = port.last.take() {
            last.send(event);
        }
        self.legs.remove(&leg);
    }
}

fn report(status: &TrunkStatus) {
    let TrunkStatus { name, state, last_status, .. } = status;
    match state {
        TrunkState::Waiting { .. } | TrunkState::Unreachable => {
            tracing::warn!(trunk = %name, last_status, "the trunk cannot be used at the moment");
        }
        state => tracing::info!(trunk = %name, ?state, "trunk"),
    }
}

fn unspoken(hop: &Hop) -> String {
    format!("{hop} wants a transport that is switched off here")
}

async fn pause_after(error: &io::Error) {
    tracing::warn!(%error, "reading from the SIP socket failed");
    tokio::time::sleep(AFTER_ERROR).await;
}
