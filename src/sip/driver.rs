//! The sockets, the clock and the channels around the [`Agent`].
//!
//! ```text
//!   UDP socket ───────────────┐                    ┌─▶ UDP socket
//!   connections (`stream`) ───┤                    ├─▶ connections
//!   name servers (`names`) ───┼─▶ SIP task (`port`) ┤
//!   calls: commands, dials ───┘    owns the agent  └─▶ calls: legs, events
//! ```
//!
//! One task owns everything SIP. It waits for nobody but the UDP socket: connections and lookups have tasks of their
//! own. The commands of all legs come through one channel, and so does the news that a call has dropped its end: a leg
//! never outlives its call.

mod commands;
mod dialer;
mod names;
mod port;
mod routes;
mod stream;
mod tls;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::RngCore;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use self::names::Names;
use self::port::{Control, Inlets, Port};
use self::routes::{Routes, open_datagrams, open_streams};
use self::stream::{NEWS_WAITING, Streams};
use self::tls::Tls;
use super::IncomingLeg;
use super::agent::{Agent, Settings};
use super::auth::{self, Algorithm};
use super::peers::PeerTable;
use super::session_timer::SessionPolicy;
use super::stats::SipStats;
use super::transaction::Timing;
use super::transport::Transport;
use super::trunk::TrunkSpec;
use crate::time::Clock;

pub use self::commands::{LegCommands, SignallingGone};
pub use self::dialer::Dialer;
pub use self::names::{Located, locate};
pub use self::stream::Patience;
pub use self::tls::{TlsConfig, TlsFault, TlsKeeper};

/// Calls that may wait to be picked up: a quarter second of 1,000 a second; more get 503.
const INCOMING_WAITING: usize = 256;
/// Commands of all legs on their way to the agent; full, calls wait for the agent, which waits for none of them.
const COMMANDS_WAITING: usize = 1024;
/// Orders of the owner, and calls to be placed: a second of what we dial at most.
const CONTROLS_WAITING: usize = 128;
/// Answers of name servers; full, the lookups wait.
const FOUND_WAITING: usize = 256;
/// Ports tried when any will do, and the one given for datagrams is taken for connections.
const PORT_TRIES: usize = 16;

/// What `SipServer` is told.
#[derive(Clone, Debug)]
pub struct SipConfig {
    /// Where to listen, UDP and TCP. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// What to call ourselves in Contact and Via where that is not the address we listen on (behind NAT).
    pub advertise: Option<IpAddr>,
    /// Take and open TCP connections.
    pub tcp: bool,
    /// Take and open TLS connections.
    pub tls: Option<TlsConfig>,
    /// How long connections may be kept without use.
    pub patience: Patience,
    /// The name server to ask; `None`: whom the system asks.
    pub resolver: Option<SocketAddr>,
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
    /// What peers are asked for their password in the name of.
    pub realm: String,
    /// How, the best first (RFC 8760).
    pub digest: Vec<Algorithm>,
    /// Where calls go out.
    pub trunks: Vec<TrunkSpec>,
}

impl Default for SipConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 5060),
            advertise: None,
            tcp: true,
            tls: None,
            patience: Patience::default(),
            resolver: None,
            peers: PeerTable::default(),
            user_agent: concat!("Trunkline/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_calls: 1000,
            timing: Timing::default(),
            session: SessionPolicy::default(),
            realm: "trunkline".to_owned(),
            digest: auth::server::ALGORITHMS.to_vec(),
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
    /// TLS is wanted and cannot be had.
    #[error(transparent)]
    Tls(#[from] TlsFault),
}

/// Running signalling. Dropping it hangs up every call.
#[derive(Debug)]
pub struct SipServer {
    local: SocketAddr,
    local_tls: Option<SocketAddr>,
    control: mpsc::Sender<Control>,
    live: Arc<AtomicU64>,
    task: JoinHandle<()>,
    trunks: Arc<[TrunkSpec]>,
    tls: Option<TlsConfig>,
}

impl SipServer {
    /// Listens, and starts answering. New calls come out of the receiver; when nobody takes them (256 wait) callers
    /// get 503.
    pub async fn bind(
        config: SipConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, mpsc::Receiver<IncomingLeg>), SipError> {
        let tls = config.tls.as_ref().map(Tls::load).transpose()?;
        let failed = |listen| move |cause| SipError::Bind { listen, cause };
        let (socket, tcp) = open(config.listen, config.tcp).map_err(failed(config.listen))?;
        let local = socket.local_addr().map_err(failed(config.listen))?;
        let tls_listen = config.tls.as_ref().and_then(|tls| tls.listen);
        let tls_listener = tls_listen.map(|listen| open_streams(listen).map_err(failed(listen))).transpose()?;
        let local_tls = tls_listener.as_ref().and_then(|listener| listener.local_addr().ok());

        let mut speaks = vec![Transport::Udp];
        speaks.extend(config.tcp.then_some(Transport::Tcp));
        speaks.extend(tls.is_some().then_some(Transport::Tls));
        let (control, controls) = mpsc::channel(CONTROLS_WAITING);
        let (incoming, calls) = mpsc::channel(INCOMING_WAITING);
        let (commands_in, commands) = mpsc::channel(COMMANDS_WAITING);
        let (news_in, news) = mpsc::channel(NEWS_WAITING);
        let (found_in, found) = mpsc::channel(FOUND_WAITING);
        let listeners = [(Transport::Tcp, tcp), (Transport::Tls, tls_listener)]
            .into_iter()
            .filter_map(|(transport, listener)| Some((transport, listener?)))
            .map(|(transport, listener)| tokio::spawn(stream::listen(transport, listener, news_in.clone())))
            .map(|task| task.abort_handle())
            .collect();
        let live = Arc::new(AtomicU64::new(0));
        let trunks: Arc<[TrunkSpec]> = config.trunks.clone().into();
        let port = Port {
            agent: agent(&config),
            socket,
            streams: Streams::new(config.tcp, tls, config.patience, news_in),
            listeners,
            routes: Routes {
                listen: local,
                tls_port: local_tls.map(|address| address.port()),
                advertise: config.advertise,
                known: BTreeMap::new(),
            },
            names: Names::new(config.resolver, &speaks),
            found_in,
            clock,
            incoming,
            commands_in,
            legs: BTreeMap::new(),
            live: live.clone(),
            turning_away: false,
        };
        let task = tokio::spawn(port.run(Inlets { commands, controls, news, found }));
        tracing::info!(%local, tcp = config.tcp, tls = ?local_tls, "listening for SIP");
        Ok((Self { local, local_tls, control, live, task, trunks, tls: config.tls }, calls))
    }

    /// Where we listen, with the port the system chose if it was asked to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Where we listen for TLS.
    pub fn local_tls_addr(&self) -> Option<SocketAddr> {
        self.local_tls
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
        Dialer::new(self.control.clone(), self.trunks.clone())
    }

    /// Reads certificates again while calls go on; may be cloned and kept.
    pub fn tls_keeper(&self) -> TlsKeeper {
        TlsKeeper::new(self.control.clone(), self.tls.clone())
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

fn agent(config: &SipConfig) -> Agent {
    let mut seed = [0; 32];
    rand::rng().fill_bytes(&mut seed);
    let settings = Settings {
        server: config.user_agent.clone(),
        max_legs: config.max_calls,
        timing: config.timing,
        session: config.session,
        realm: config.realm.clone(),
        digest: config.digest.clone(),
        trunks: config.trunks.clone(),
        tcp: config.tcp,
    };
    Agent::new(settings, config.peers.clone(), seed)
}

/// Datagrams and connections on one port.
fn open(listen: SocketAddr, tcp: bool) -> io::Result<(UdpSocket, Option<TcpListener>)> {
    let mut last = None;
    for _ in 0..PORT_TRIES {
        let socket = open_datagrams(listen)?;
        if !tcp {
            return Ok((socket, None));
        }
        match open_streams(socket.local_addr()?) {
            Ok(listener) => return Ok((socket, Some(listener))),
            Err(error) if listen.port() == 0 => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}
