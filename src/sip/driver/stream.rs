//! Connections: one task each, which reads messages, writes what it is given, and knows when to hang up.
//!
//! ```text
//!   listener ─Accepted─▶ SIP task ─ admits, spawns ─▶ connection task ─Message─▶ SIP task
//!                            └────────── queue of 64 messages ──▶┘        └─Closed─▶
//! ```
//!
//! The SIP task never waits for a far end: a queue that is full means a far end that does not read, and its connection
//! is closed. A far end that opens and says nothing, or says it byte by byte, is hung up on: see the constants.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use nix::sys::socket::{setsockopt, sockopt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::tls::{Tls, server_name};
use crate::sip::framer::{Broken, Frame, Framer};
use crate::sip::peers::household;
use crate::sip::transport::{Hop, Transport};
use crate::time::{Clock, SystemClock};

/// Messages waiting for one far end to read them.
const QUEUE: usize = 64;
/// News of all connections on their way to the SIP task; full, the readers wait, and with them the far ends.
pub(super) const NEWS_WAITING: usize = 1024;
/// Connections at once, ours and theirs.
const MAX_CONNECTIONS: usize = 1024;
/// Of them, those of strangers: they never keep a peer out.
const MAX_OF_STRANGERS: usize = 256;
/// Connections of one stranger: of an address, or of a household of IPv6.
const MAX_OF_ONE_STRANGER: usize = 32;
/// Connecting, TLS included.
const CONNECT: Duration = Duration::from_secs(4);
/// How long a far end may take to read one message of ours.
const WRITE: Duration = Duration::from_secs(10);
/// CRLF keep-alive on connections we opened (RFC 5626 §4.4.1 allows 95 to 120 s over TCP; routers forget sooner).
const PING_EVERY: Duration = Duration::from_secs(25);
/// How long a far end we have opened a connection to may leave bytes of ours unconfirmed, pings too: a router that has
/// forgotten the connection says nothing at all, and the kernel would wait for a quarter of an hour.
const UNCONFIRMED: Duration = Duration::from_secs(20);
/// Names of far ends remembered, for the certificates there.
const NAMES_KEPT: usize = 1024;
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// How long a far end may keep a connection without making use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From their connection to their first whole message (TLS: to the handshake, then once more to the message).
    pub first_message: Duration,
    /// From the first byte of a message to its last: slower is an attack, or a line no call would survive.
    pub one_message: Duration,
    /// Silence between messages, of a stranger.
    pub stranger_idle: Duration,
    /// Silence between messages, of a peer or on a connection of ours.
    pub peer_idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_message: Duration::from_secs(10),
            one_message: Duration::from_secs(30),
            stranger_idle: Duration::from_secs(180),
            peer_idle: Duration::from_secs(30 * 60),
        }
    }
}

/// A connection's far end.
pub(super) type Key = (Transport, SocketAddr);

/// News for the SIP task.
#[derive(Debug)]
pub(super) enum News {
    /// Somebody wants to talk.
    Accepted(Transport, TcpStream, SocketAddr),
    /// A message, whole.
    Message(Key, Vec<u8>),
    /// A connection is over, or could not be opened.
    Closed { key: Key, serial: u64 },
}

/// A connection's place: its far end, and for TLS that we opened the name it proves, as a request asked for it. What
/// they opened proves none.
type Slot = (Transport, SocketAddr, Option<String>);

/// The connections that stand, or are being opened.
pub(super) struct Streams {
    open: BTreeMap<Slot, Connection>,
    /// Names that connections were opened for: a dialog whose connection is gone asks for the same.
    names: BTreeMap<SocketAddr, String>,
    tcp: bool,
    news: mpsc::Sender<News>,
    tls: Option<Tls>,
    patience: Patience,
    next_serial: u64,
}

struct Connection {
    queue: mpsc::Sender<Bytes>,
    task: AbortHandle,
    serial: u64,
    /// Shared with its reader: whoever is known by and by need not talk all the time any more.
    stranger: Arc<AtomicBool>,
}

impl Connection {
    fn is_strangers(&self) -> bool {
        self.stranger.load(Ordering::Relaxed)
    }
}

/// How a connection came to be, and how patient to be with it.
#[derive(Clone, Copy)]
struct Manner {
    ours: bool,
    /// Until the first message of theirs.
    first: Duration,
    /// Between messages, of a stranger and of others.
    idle: [Duration; 2],
    /// Within one.
    inside: Duration,
}

/// What became of a message.
enum Queued {
    Yes,
    NoConnection,
    /// The far end has not read what it got before; its connection is gone.
    NeverRead,
}

impl Streams {
    pub(super) fn new(tcp: bool, tls: Option<Tls>, patience: Patience, news: mpsc::Sender<News>) -> Self {
        Self { open: BTreeMap::new(), names: BTreeMap::new(), tcp, news, tls, patience, next_serial: 0 }
    }

    /// Sends along a connection that stands, or one that is opened for it. `false` when that is out of the question;
    /// a connection that fails later reports itself as closed and unsent. `towards` is whom a TLS certificate must name;
    /// `None`: whatever connection stands there will do.
    pub(super) fn send(&mut self, hop: &Hop, bytes: Bytes, towards: Option<&str>) -> bool {
        let other = (hop.transport, hop.reopen.unwrap_or(hop.address));
        for key in [(hop.transport, hop.address), other] {
            let Some(slot) = self.usable(key, towards) else { continue };
            match self.queue(&slot, &bytes) {
                Queued::Yes => return true,
                Queued::NeverRead => return false,
                Queued::NoConnection => {}
            }
        }
        if self.open.len() >= MAX_CONNECTIONS {
            return false;
        }
        let opened = self.connect(other, towards);
        opened.is_some_and(|slot| matches!(self.queue(&slot, &bytes), Queued::Yes))
    }

    /// The connection to `key` that may carry something for `towards`: over TLS one that proves that very name. An address
    /// names nobody: there one that we opened to it will do, whoever it proves.
    fn usable(&self, key: Key, towards: Option<&str>) -> Option<Slot> {
        let (transport, address) = key;
        let here = self.open.range((transport, address, None)..).map(|(slot, _)| slot);
        let mut here = here.take_while(|slot| (slot.0, slot.1) == key);
        let fits = |slot: &&Slot| match (transport, towards) {
            (Transport::Tls, Some(name)) if name.parse::<IpAddr>().is_ok() => slot.2.is_some(),
            (Transport::Tls, Some(name)) => slot.2.as_deref() == Some(name),
            _ => true,
        };
        here.find(fits).cloned()
    }

    /// Takes in a connection of theirs, if there is room.
    pub(super) fn admit(&mut self, transport: Transport, stream: TcpStream, from: SocketAddr, stranger: bool) {
        if stranger && self.is_crowded(from.ip()) || self.open.len() >= MAX_CONNECTIONS {
            tracing::debug!(%transport, "a connection is refused: too many of them");
            return;
        }
        let Patience { first_message: first, one_message: inside, stranger_idle, peer_idle } = self.patience;
        let manner = Manner { ours: false, first, idle: [stranger_idle, peer_idle], inside };
        let acceptor = self.tls.as_ref().and_then(|tls| tls.acceptor.clone());
        self.spawn((transport, from, None), stranger, move |task| async move {
            match (transport, acceptor) {
                (Transport::Tls, Some(acceptor)) => match timeout(first, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => task.serve(stream, manner).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => {}
                },
                (Transport::Tls, None) => {}
                (Transport::Tcp | Transport::Udp, _) => task.serve(stream, manner).await,
            }
        });
    }

    /// Have strangers, or those of that household, as many connections as they may?
    fn is_crowded(&self, from: IpAddr) -> bool {
        let strangers = || self.open.iter().filter(|(_, connection)| connection.is_strangers());
        let of_this = strangers().filter(|((_, address, _), _)| household(address.ip()) == household(from)).count();
        strangers().count() >= MAX_OF_STRANGERS || of_this >= MAX_OF_ONE_STRANGER
    }

    /// Something came along `key`: if that is a stranger's connection, and whoever is there is known by now, it is one no
    /// longer.
    pub(super) fn promote(&mut self, key: Key, is_known: impl FnOnce() -> bool) {
        let (transport, address) = key;
        let Some(connection) = self.open.get(&(transport, address, None)) else { return };
        if connection.is_strangers() && is_known() {
            connection.stranger.store(false, Ordering::Relaxed);
        }
    }

    /// From now on connections are opened and taken with these certificates; those that stand keep theirs.
    pub(super) fn renew(&mut self, tls: Tls) {
        self.tls = Some(tls);
    }

    /// A connection has reported its end; `false` when another one has its place already.
    pub(super) fn forget(&mut self, key: Key, serial: u64) -> bool {
        let before = self.open.len();
        self.open.retain(|(transport, address, _), open| (*transport, *address) != key || open.serial != serial);
        self.open.len() < before
    }

    fn queue(&mut self, slot: &Slot, bytes: &Bytes) -> Queued {
        let Some(connection) = self.open.get(slot) else { return Queued::NoConnection };
        match connection.queue.try_send(bytes.clone()) {
            Ok(()) => Queued::Yes,
            Err(mpsc::error::TrySendError::Closed(_)) => {
                self.open.remove(slot);
                Queued::NoConnection
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                // It does not read: whatever is in there is lost with it.
                if let Some(connection) = self.open.remove(slot) {
                    connection.task.abort();
                }
                Queued::NeverRead
            }
        }
    }

    fn connect(&mut self, key: Key, towards: Option<&str>) -> Option<Slot> {
        let (transport, address) = key;
        let (connector, name) = match (transport, &self.tls) {
            (Transport::Udp, _) | (Transport::Tls, None) => return None,
            (Transport::Tcp, _) if !self.tcp => return None,
            (Transport::Tcp, _) => (None, None),
            (Transport::Tls, Some(tls)) => {
                let name = towards.map(str::to_owned).or_else(|| self.names.get(&address).cloned());
                let name = name.unwrap_or_else(|| address.ip().to_string());
                (Some((tls.connector.clone(), server_name(Some(&name), address.ip()))), Some(name))
            }
        };
        if let Some(name) = &name {
            if self.names.len() >= NAMES_KEPT {
                self.names.clear();
            }
            self.names.insert(address, name.clone());
        }
        let slot = (transport, address, name);
        let Patience { one_message: inside, peer_idle: idle, .. } = self.patience;
        let manner = Manner { ours: true, first: idle, idle: [idle; 2], inside };
        self.spawn(slot.clone(), false, move |task| async move {
            match timeout(CONNECT, open(address, connector)).await {
                Ok(Ok(Opened::Plain(stream))) => task.serve(stream, manner).await,
                Ok(Ok(Opened::Secure(stream))) => task.serve(*stream, manner).await,
                Ok(Err(error)) if transport == Transport::Tls => {
                    // Most likely a certificate, which only a person can set right.
                    tracing::warn!(%error, %address, "a TLS connection could not be opened");
                }
                Ok(Err(error)) => tracing::debug!(%error, %address, "a TCP connection could not be opened"),
                Err(_) => tracing::debug!(%transport, %address, "a connection was not answered in time"),
            }
        });
        Some(slot)
    }

    fn spawn<F, Run>(&mut self, slot: Slot, stranger: bool, run: F)
    where
        F: FnOnce(Task) -> Run + Send + 'static,
        Run: Future<Output = ()> + Send,
    {
        let key = (slot.0, slot.1);
        let (queue, queued) = mpsc::channel(QUEUE);
        let serial = self.next_serial;
        self.next_serial += 1;
        let stranger = Arc::new(AtomicBool::new(stranger));
        let task = Task { key, news: self.news.clone(), queue: queue.downgrade(), queued, stranger: stranger.clone() };
        let news = self.news.clone();
        let task = tokio::spawn(async move {
            run(task).await;
            // Nobody listens any more only while we shut down.
            let _ = news.send(News::Closed { key, serial }).await;
        });
        self.open.insert(slot, Connection { queue, task: task.abort_handle(), serial, stranger });
    }
}

enum Opened {
    Plain(TcpStream),
    Secure(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

type Connector = (tokio_rustls::TlsConnector, ServerName<'static>);

async fn open(address: SocketAddr, connector: Option<Connector>) -> io::Result<Opened> {
    let stream = TcpStream::connect(address).await?;
    let _ = stream.set_nodelay(true);
    // Best effort: without it a dead connection is noticed late.
    let _ = setsockopt(&stream, sockopt::TcpUserTimeout, &(UNCONFIRMED.as_millis() as u32));
    match connector {
        None => Ok(Opened::Plain(stream)),
        Some((connector, name)) => Ok(Opened::Secure(Box::new(connector.connect(name, stream).await?))),
    }
}

/// What a connection's task holds besides the connection.
struct Task {
    key: Key,
    news: mpsc::Sender<News>,
    /// For pongs; weak, so that the connection ends when the SIP task lets go of it.
    queue: mpsc::WeakSender<Bytes>,
    queued: mpsc::Receiver<Bytes>,
    stranger: Arc<AtomicBool>,
}

impl Task {
    /// Reads and writes until either side has had enough.
    async fn serve<S: AsyncRead + AsyncWrite + Send>(self, stream: S, manner: Manner) {
        let Self { key, news, queue, mut queued, stranger } = self;
        let (reader, mut writer) = tokio::io::split(stream);
        let refused = {
            let read = read(reader, key, &news, (&queue, &stranger), manner);
            let write = write(&mut writer, &mut queued, manner);
            tokio::select! {
                refused = read => refused,
                () = write => false,
            }
        };
        if refused {
            // Our 400 is still to be written; then there is nothing more to say.
            drop(queue);
            let _ = timeout(WRITE, async {
                while let Ok(Some(bytes)) = timeout(Duration::from_millis(500), queued.recv()).await {
                    if writer.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            })
            .await;
        }
        let _ = timeout(Duration::from_secs(1), writer.shutdown()).await;
    }
}

/// Reads until the far end stops making sense; `true` when it is owed a 400.
async fn read<S: AsyncRead>(
    mut reader: ReadHalf<S>,
    key: Key,
    news: &mpsc::Sender<News>,
    (queue, stranger): (&mpsc::WeakSender<Bytes>, &AtomicBool),
    manner: Manner,
) -> bool {
    let mut framer = Framer::default();
    let mut buffer = vec![0; 4096];
    let mut until = now() + manner.first;
    let mut inside = false;
    // The last sign of life behind a whole message.
    let mut heard: Option<Instant> = None;
    let idle = || manner.idle[usize::from(!stranger.load(Ordering::Relaxed))];
    loop {
        let length = match timeout_at(until, reader.read(&mut buffer)).await {
            Ok(Ok(length @ 1..)) => length,
            Ok(Ok(0) | Err(_)) => return false,
            Err(_) => match heard.map(|heard| heard + idle()).filter(|longer| !inside && *longer > now()) {
                // It has become known meanwhile.
                Some(longer) => {
                    until = longer;
                    continue;
                }
                None => return false,
            },
        };
        framer.push(&buffer[..length]);
        loop {
            match framer.pop() {
                Ok(Some(Frame::Message(bytes))) => {
                    if news.send(News::Message(key, bytes)).await.is_err() {
                        return false;
                    }
                    (heard, until, inside) = (Some(now()), now() + idle(), false);
                }
                Ok(Some(Frame::Ping)) => {
                    if let Some(queue) = queue.upgrade() {
                        let _ = queue.try_send(Bytes::from_static(PONG));
                    }
                    if heard.is_some() && !stranger.load(Ordering::Relaxed) {
                        (heard, until, inside) = (Some(now()), now() + idle(), false);
                    }
                }
                Ok(Some(Frame::Pong)) => {}
                Ok(None) => break,
                Err(broken) => {
                    tracing::debug!(%broken, transport = %key.0, "a SIP connection is given up");
                    let Some(refusable) = (broken == Broken::NoLength).then(|| framer.refusable()).flatten() else {
                        return false;
                    };
                    return news.send(News::Message(key, refusable)).await.is_ok();
                }
            }
        }
        // Blank lines of a stranger keep its connection open no longer than its silence may last.
        if framer.is_inside() && !inside {
            until = until.min(now() + manner.inside);
        }
        inside = framer.is_inside();
    }
}

/// Writes what is queued; ends when the SIP task lets go, or the far end does not take it.
async fn write<S: AsyncWrite>(writer: &mut WriteHalf<S>, queued: &mut mpsc::Receiver<Bytes>, manner: Manner) {
    loop {
        let next = match manner.ours {
            true => timeout(PING_EVERY, queued.recv()).await.unwrap_or(Some(Bytes::from_static(PING))),
            false => queued.recv().await,
        };
        let Some(bytes) = next else { return };
        let written = timeout(WRITE, async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        });
        if !matches!(written.await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Takes connections and hands them to the SIP task; it waits when that has more than it can do.
pub(super) async fn listen(transport: Transport, listener: TcpListener, news: mpsc::Sender<News>) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let _ = stream.set_nodelay(true);
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                if news.send(News::Accepted(transport, stream, from)).await.is_err() {
                    return;
                }
            }
            // Out of descriptors, mostly: give the others time to close some.
            Err(error) => {
                tracing::warn!(%error, %transport, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn now() -> Instant {
    SystemClock.now().mono.into()
}

#[cfg(test)]
mod tests;
