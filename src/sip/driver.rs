//! The socket, the clock and the channels around the [`Agent`].
//!
//! One task owns everything SIP: it reads datagrams in bursts, hands them to the agent with the time, and carries the
//! agent's outputs to the wire and to the calls. Each leg has one small task more, which forwards its commands and
//! notices when its call has dropped the channel: a leg never outlives its call.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::RngCore;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};

use super::agent::{Agent, Incoming, Output, RETRY_AFTER, Settings};
use super::peers::PeerTable;
use super::session_timer::SessionPolicy;
use super::stats::SipStats;
use super::transaction::Timing;
use super::transport::{Path, Target};
use super::trunk::TrunkSpec;
use super::uri::Uri;
use super::{Dial, DialError, IncomingLeg, LegCommand, LegEvent, OutgoingLeg, Rejection};
use crate::id::LegId;
use crate::time::Clock;

/// Calls that may wait to be picked up: a quarter second of 1,000 a second; more get 503.
const INCOMING_WAITING: usize = 256;
/// Commands and events in flight per leg: a call never has more than a handful.
const LEG_CHANNEL: usize = 16;
/// Commands of all legs on their way to the agent; full, the forwarders wait, not the calls.
const COMMANDS_WAITING: usize = 1024;
/// Orders of the owner: drain, shutdown, a look at the counters.
const CONTROLS_WAITING: usize = 16;
/// Datagrams read before timers and commands get their turn.
const BURST: usize = 64;
/// Kernel receive buffer asked for, in bytes: a second of 1,000 set-ups while we are busy. The kernel may give less.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// Sources whose way back is remembered, when we listen on every address.
const ROUTES_KEPT: usize = 1024;
/// Pause after a failed read, so that a socket gone bad does not eat a core.
const AFTER_ERROR: Duration = Duration::from_millis(10);

/// What `SipServer` is told.
#[derive(Clone, Debug)]
pub struct SipConfig {
    /// Where to listen, UDP. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// What to call ourselves in Contact and Via where that is not the address we listen on (behind NAT).
    pub advertise: Option<IpAddr>,
    /// Who may call.
    pub peers: PeerTable,
    /// Server and User-Agent header.
    pub user_agent: String,
    /// Live legs; one more INVITE gets 503 and a short Retry-After.
    pub max_calls: usize,
    /// RFC 3261 timers; the default is the standard's.
    pub timing: Timing,
    /// Session timers.
    pub session: SessionPolicy,
    /// Where calls go out.
    pub trunks: Vec<TrunkSpec>,
}

impl Default for SipConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 5060),
            advertise: None,
            peers: PeerTable::default(),
            user_agent: concat!("Trunkline/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_calls: 1000,
            timing: Timing::default(),
            session: SessionPolicy::default(),
            trunks: Vec::new(),
        }
    }
}

/// Why signalling could not start.
#[derive(Debug, thiserror::Error)]
pub enum SipError {
    /// The address is taken, foreign or forbidden.
    #[error("cannot listen for SIP on {listen}: {cause}; choose another address or port, or stop what holds it")]
    Bind {
        /// What was asked for.
        listen: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
}

/// A running SIP socket. Dropping it hangs up every call.
#[derive(Debug)]
pub struct SipServer {
    local: SocketAddr,
    control: mpsc::Sender<Control>,
    live: Arc<AtomicU64>,
    task: JoinHandle<()>,
    trunks: Arc<[TrunkSpec]>,
}

#[derive(Debug)]
enum Control {
    Drain,
    Dial(Box<Dial>, oneshot::Sender<Result<OutgoingLeg, DialError>>),
    LocalFor(Target, oneshot::Sender<Option<IpAddr>>),
    Shutdown { grace: Duration },
    Stats(oneshot::Sender<SipStats>),
}

impl SipServer {
    /// Listens, and starts answering. New calls come out of the receiver; when nobody takes them (256 wait) callers
    /// get 503.
    pub async fn bind(
        config: SipConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, mpsc::Receiver<IncomingLeg>), SipError> {
        let failed = |cause| SipError::Bind { listen: config.listen, cause };
        let socket = open(config.listen).map_err(failed)?;
        let local = socket.local_addr().map_err(failed)?;
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        let settings = Settings {
            server: config.user_agent,
            max_legs: config.max_calls,
            timing: config.timing,
            session: config.session,
            trunks: config.trunks.clone(),
            tcp: false,
        };
        let (control, controls) = mpsc::channel(CONTROLS_WAITING);
        let (incoming, calls) = mpsc::channel(INCOMING_WAITING);
        let (commands_in, commands) = mpsc::channel(COMMANDS_WAITING);
        let live = Arc::new(AtomicU64::new(0));
        let port = Port {
            agent: Agent::new(settings, config.peers, seed),
            routes: Routes { listen: local, advertise: config.advertise, known: BTreeMap::new() },
            socket,
            clock,
            incoming,
            commands_in,
            legs: BTreeMap::new(),
            live: live.clone(),
            turning_away: false,
        };
        let task = tokio::spawn(port.run(commands, controls));
        tracing::info!(%local, "listening for SIP");
        let trunks = config.trunks.into();
        Ok((Self { local, control, live, task, trunks }, calls))
    }

    /// Where we listen, with the port the system chose if it was asked to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Legs whose call has not been told that they are over.
    pub fn live_legs(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    /// Counters so far; all zero once the server is down.
    pub async fn stats(&self) -> SipStats {
        let (reply, stats) = oneshot::channel();
        let _ = self.control.send(Control::Stats(reply)).await;
        stats.await.unwrap_or_default()
    }

    /// Places calls; may be cloned and kept.
    pub fn dialer(&self) -> Dialer {
        Dialer { control: self.control.clone(), trunks: self.trunks.clone() }
    }

    /// No new calls from now on (503 with Retry-After, also to OPTIONS); those that are go on.
    pub async fn drain(&self) {
        let _ = self.control.send(Control::Drain).await;
    }

    /// Ends every call (BYE, or 503 where not yet answered) and waits for the far ends to agree, `grace` at most.
    pub async fn shutdown(self, grace: Duration) {
        let _ = self.control.send(Control::Shutdown { grace }).await;
        if self.task.await.is_err() {
            tracing::error!("the SIP task did not end by itself");
        }
    }
}

/// Places calls.
#[derive(Clone, Debug)]
pub struct Dialer {
    control: mpsc::Sender<Control>,
    trunks: Arc<[TrunkSpec]>,
}

impl Dialer {
    /// Which of our addresses faces the far end of a call to `to` (through `trunk`): what belongs into the session
    /// description, before there is a leg.
    pub async fn local_for(&self, to: &str, trunk: Option<&str>) -> Result<IpAddr, DialError> {
        let uri = match trunk {
            Some(name) => {
                let trunk = self.trunks.iter().find(|trunk| &*trunk.name == name);
                trunk.ok_or_else(|| DialError::NoSuchTrunk(name.into()))?.uri.as_str()
            }
            None => to,
        };
        let target = Uri::parse(uri).ok().and_then(|uri| Target::of(&uri)).ok_or(DialError::NotDialable)?;
        let no_address = |cause: &str| DialError::NoAddress { target: target.to_string(), cause: cause.to_owned() };
        let (reply, answer) = oneshot::channel();
        self.control.send(Control::LocalFor(target.clone(), reply)).await.map_err(|_| DialError::Closed)?;
        answer.await.map_err(|_| DialError::Closed)?.ok_or_else(|| no_address("the name was not found"))
    }

    /// Places a call.
    pub async fn dial(&self, dial: Dial) -> Result<OutgoingLeg, DialError> {
        let (reply, answer) = oneshot::channel();
        self.control.send(Control::Dial(Box::new(dial), reply)).await.map_err(|_| DialError::Closed)?;
        answer.await.map_err(|_| DialError::Closed)?
    }
}

/// The task's own.
struct Port {
    agent: Agent,
    socket: UdpSocket,
    routes: Routes,
    clock: Arc<dyn Clock>,
    incoming: mpsc::Sender<IncomingLeg>,
    commands_in: mpsc::Sender<(LegId, Option<LegCommand>)>,
    legs: BTreeMap<LegId, LegPort>,
    live: Arc<AtomicU64>,
    /// The last call found nobody.
    turning_away: bool,
}

/// Our end of one leg's channels.
struct LegPort {
    events: mpsc::Sender<LegEvent>,
    /// Kept for [`LegEvent::Ended`].
    last: Option<mpsc::OwnedPermit<LegEvent>>,
    forwarder: AbortHandle,
}

impl Drop for LegPort {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

impl Port {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<(LegId, Option<LegCommand>)>,
        mut controls: mpsc::Receiver<Control>,
    ) {
        let mut buffer = vec![0; usize::from(u16::MAX)];
        let mut stop_at: Option<Instant> = None;
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
                Some((leg, command)) = commands.recv() => {
                    let now = self.clock.now();
                    match command {
                        Some(command) => self.agent.handle_command(leg, command, now),
                        None => self.agent.handle_abandoned(leg, now),
                    }
                }
                control = controls.recv(), if stop_at.is_none() => match control {
                    Some(Control::Drain) => self.agent.handle_drain(),
                    Some(Control::Dial(dial, reply)) => self.dial(*dial, reply),
                    Some(Control::LocalFor(target, reply)) => {
                        let address = target.literal_hop().map(|hop| self.routes.local_for(hop.address).ip());
                        let _ = reply.send(address);
                    }
                    Some(Control::Stats(reply)) => drop(reply.send(self.agent.stats().clone())),
                    Some(Control::Shutdown { grace }) => stop_at = Some(self.stop(grace)),
                    None => stop_at = Some(self.stop(Duration::ZERO)),
                },
                () = sleep_until(deadline) => self.agent.handle_timeout(self.clock.now()),
            }
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
                    let path = Path::udp(source, self.routes.local_for(source));
                    self.agent.handle_message(&buffer[..length], &path, self.clock.now());
                    self.carry_out().await;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => return pause_after(&error).await,
            }
        }
    }

    /// Does what the agent wants, until it wants nothing more.
    async fn carry_out(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Send { bytes, path } => self.send(&bytes, path.hop.address).await,
                Output::Resolve { query, target } => {
                    let path =
                        target.literal_hop().map(|hop| Path::udp(hop.address, self.routes.local_for(hop.address)));
                    let paths = path.map(|path| vec![path]).ok_or_else(|| "names are not looked up".to_owned());
                    self.agent.handle_resolved(query, paths, self.clock.now());
                }
                Output::Incoming(incoming) => self.offer(*incoming),
                Output::Event { leg, event } => self.tell(leg, event),
            }
        }
        self.live.store(self.agent.stats().live_legs, Ordering::Relaxed);
    }

    async fn send(&mut self, bytes: &[u8], to: SocketAddr) {
        let to = self.routes.fit(to);
        let sent = match self.socket.try_send_to(bytes, to) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.socket.send_to(bytes, to).await,
            sent => sent,
        };
        // Nothing to do but wait: whatever matters is repeated until it is answered or given up.
        if let Err(error) = sent {
            tracing::debug!(%error, %to, "a SIP message could not be sent");
        }
    }

    /// Gives a new leg its channels and hands it out.
    fn offer(&mut self, incoming: Incoming) {
        let Incoming { leg, path, peer, caller, called, sip_call_id, offer } = incoming;
        let incoming = self.incoming.clone();
        let refused = match incoming.try_reserve() {
            Ok(place) => {
                let (commands, events) = self.connect(leg);
                self.turning_away = false;
                place.send(IncomingLeg {
                    leg,
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
                return;
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
    fn connect(&mut self, leg: LegId) -> (mpsc::Sender<LegCommand>, mpsc::Receiver<LegEvent>) {
        let (events, events_out) = mpsc::channel(LEG_CHANNEL);
        let (commands, commands_out) = mpsc::channel(LEG_CHANNEL);
        let forwarder = tokio::spawn(forward(leg, commands_out, self.commands_in.clone())).abort_handle();
        // The last word has a place kept for it, whatever else there is to tell.
        let last = events.clone().try_reserve_owned().ok();
        self.legs.insert(leg, LegPort { events, last, forwarder });
        (commands, events_out)
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

/// Carries one leg's commands to the agent, and the news that no more will come.
async fn forward(
    leg: LegId,
    mut commands: mpsc::Receiver<LegCommand>,
    agent: mpsc::Sender<(LegId, Option<LegCommand>)>,
) {
    while let Some(command) = commands.recv().await {
        if agent.send((leg, Some(command))).await.is_err() {
            return;
        }
    }
    let _ = agent.send((leg, None)).await;
}

/// Which of our addresses a far end reaches us by.
struct Routes {
    listen: SocketAddr,
    advertise: Option<IpAddr>,
    known: BTreeMap<IpAddr, IpAddr>,
}

impl Routes {
    fn local_for(&mut self, source: SocketAddr) -> SocketAddr {
        let port = self.listen.port();
        if let Some(advertise) = self.advertise {
            return SocketAddr::new(advertise, port);
        }
        if !self.listen.ip().is_unspecified() {
            return SocketAddr::new(self.listen.ip(), port);
        }
        let source = source.ip().to_canonical();
        if let Some(ip) = self.known.get(&source) {
            return SocketAddr::new(*ip, port);
        }
        let ip = route_to(source).unwrap_or(self.listen.ip());
        if self.known.len() >= ROUTES_KEPT {
            self.known.clear();
        }
        self.known.insert(source, ip);
        SocketAddr::new(ip, port)
    }

    /// An IPv6 socket that also serves IPv4 wants IPv4 addresses in IPv6 clothes.
    fn fit(&self, to: SocketAddr) -> SocketAddr {
        match (self.listen, to.ip().to_canonical()) {
            (SocketAddr::V6(_), IpAddr::V4(v4)) => SocketAddr::new(v4.to_ipv6_mapped().into(), to.port()),
            (SocketAddr::V4(_), ip @ IpAddr::V4(_)) => SocketAddr::new(ip, to.port()),
            _ => to,
        }
    }
}

/// Asks the routing table, by connecting a socket that never sends (the port is arbitrary).
fn route_to(source: IpAddr) -> Option<IpAddr> {
    let any: SocketAddr = if source.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().ok()?;
    let probe = std::net::UdpSocket::bind(any).ok()?;
    probe.connect((source, 5060)).ok()?;
    Some(probe.local_addr().ok()?.ip())
}

fn open(listen: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Best effort both: the kernel caps the one, and may lack the other.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    if listen.ip() == IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED) {
        let _ = socket.set_only_v6(false);
    }
    socket.bind(&listen.into())?;
    UdpSocket::from_std(socket.into())
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

async fn pause_after(error: &io::Error) {
    tracing::warn!(%error, "reading from the SIP socket failed");
    tokio::time::sleep(AFTER_ERROR).await;
}
