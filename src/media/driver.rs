//! The media threads: every 20 ms each reads, hears, speaks and sends for its legs.
//!
//! ```text
//! MediaHandle ──Order──▶ ┌─ beat ─────────────────────────────────────────────┐ ──MediaEvent──▶ one call each
//!  (bounded)             │ orders · for each leg: read · session.tick · events │ ──ring──▶ recorder
//!                        └───────────── sleep until the next deadline ─────────┘
//! ```
//!
//! There is a thread for each core, and a leg stays with one of them, so legs share nothing and nothing is locked. Deadlines
//! are absolute, so the beat does not drift. A tick that comes late skips ahead in RTP time and never bursts. Nothing
//! here waits for anybody: orders come through a bounded channel, events leave by `try_reserve`, and what finds no
//! room stays in the session's own short queue until the next tick.

use std::future::{self, Future};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

mod counters;
mod floor;
mod ports;
mod rota;
mod urgency;
mod wire;

pub use self::counters::Beat;
use self::counters::Counters;
use self::floor::{Floor, Opening, Order};
use self::ports::PortPool;
pub use self::ports::ReservedPort;
pub use self::urgency::{PRIORITY, realtime_is_allowed};
use super::bridge::bridge;
use super::recorder::{Recorder, ring};
use super::{MediaCommand, MediaEvent, OpenLeg};
use crate::audio::{Pcm, TELEPHONE_HZ, resample};
use crate::id::LegId;
use crate::rtp::Rtcp;
use crate::time::{Clock, SystemClock};

/// Orders that may wait for the next tick of one thread: four for each of a thousand legs, far more than calls give
/// within 20 ms.
const ORDERS: usize = 4_096;

/// How media is set up.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// Local address to bind.
    pub address: IpAddr,
    /// Local ports; the even ones are used.
    pub ports: RangeInclusive<u16>,
    /// How long a port rests after a call. At least five seconds in service.
    pub port_rest: Duration,
    /// Silence on the wire, from the opening or the last packet, after which [`MediaEvent::RtpTimeout`] is reported.
    pub rtp_timeout: Duration,
    /// Threads that share the legs.
    pub threads: NonZeroUsize,
    /// Before other threads of the machine, where the system allows it.
    pub realtime: bool,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            address: IpAddr::from([127, 0, 0, 1]),
            ports: 20_000..=29_999,
            port_rest: Duration::from_secs(5),
            rtp_timeout: Duration::from_secs(20),
            threads: NonZeroUsize::MIN,
            realtime: true,
        }
    }
}

/// Why media cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The configuration names no usable port.
    #[error("the RTP port range {first} to {last} holds no even port: give it at least two ports")]
    EmptyRange {
        /// First port configured.
        first: u16,
        /// Last port configured.
        last: u16,
    },
    /// All ports are in use or resting: answer 503.
    #[error("no RTP port is free: raise the port range, or wait until ports have rested{}", describe(.cause))]
    NoPort {
        /// Why the last port tried could not be bound, if one was tried.
        cause: Option<std::io::Error>,
    },
    /// A thread could not be started.
    #[error("a media thread cannot be started: {0}")]
    Thread(#[source] std::io::Error),
    /// Far too many orders wait: the machine is overloaded.
    #[error("the media thread is overloaded: {ORDERS} orders wait for it")]
    Busy,
    /// The media thread is gone.
    #[error("the media thread has stopped")]
    Stopped,
    /// The prompt is in a form we cannot play.
    #[error("the prompt cannot be resampled to 8 kHz: {0}")]
    Prompt(String),
}

fn describe(cause: &Option<std::io::Error>) -> String {
    cause.as_ref().map(|error| format!(" (the last one tried: {error})")).unwrap_or_default()
}

/// Starts media.
pub struct MediaServer;

impl MediaServer {
    /// Starts the media threads and the recorder thread. They end when the last handle is dropped; legs still open
    /// are then closed and their recordings finished.
    pub fn start(config: MediaConfig) -> Result<MediaHandle, MediaError> {
        let pool = PortPool::new(config.address, config.ports.clone(), config.port_rest)?;
        let recorder = Recorder::start().map_err(MediaError::Thread)?;
        // Threads take turns as shifts do: what keeps one busy is over, mostly, before the next wakes.
        let (now, apart) = (SystemClock.now().mono, rota::STEP / config.threads.get().try_into().unwrap_or(u32::MAX));
        let begins = |number: usize| now + apart * number.try_into().unwrap_or(0);
        let start = |number| Worker::start(number, &config, recorder.clone(), begins(number));
        let workers = (0..config.threads.get()).map(start).collect::<Result<_, _>>().map_err(MediaError::Thread)?;
        Ok(MediaHandle { pool, workers })
    }
}

/// One media thread, seen from outside.
#[derive(Debug)]
struct Worker {
    orders: mpsc::Sender<Order>,
    counters: Arc<Counters>,
}

impl Worker {
    fn start(number: usize, config: &MediaConfig, recorder: Recorder, begins: Instant) -> std::io::Result<Self> {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let counters = Arc::new(Counters::default());
        let (rtp_timeout, realtime, counts) = (config.rtp_timeout, config.realtime, Arc::clone(&counters));
        let run = move || {
            if realtime && !urgency::claim() {
                tracing::debug!(number, "the system lends this media thread no real-time priority");
            }
            Floor::new(rtp_timeout, recorder, counts, begins).run(inbox);
        };
        thread::Builder::new().name(format!("media-{number}")).spawn(run)?;
        Ok(Self { orders, counters })
    }
}

/// The way to the media threads. Cheap to clone; nothing here blocks or waits.
#[derive(Clone, Debug)]
pub struct MediaHandle {
    pool: Arc<PortPool>,
    workers: Arc<[Worker]>,
}

impl MediaHandle {
    /// Binds a local port, so that SDP can name it before the negotiation is over. Dropping it gives it back.
    pub fn reserve(&self) -> Result<ReservedPort, MediaError> {
        self.pool.reserve(SystemClock.now().mono)
    }

    /// Opens a leg on `port`. `events` should have room for a few dozen: what finds none waits a little, then the
    /// oldest is kept and the newest dropped and counted; room for [`MediaEvent::Closed`] is set aside now, so it is
    /// never lost. Dropping the receiver closes the leg.
    pub fn open(
        &self,
        leg: OpenLeg,
        mut port: ReservedPort,
        events: mpsc::Sender<MediaEvent>,
    ) -> Result<(), MediaError> {
        let closed = events.clone().try_reserve_owned().map_err(|error| match error {
            TrySendError::Full(_) => MediaError::Busy,
            TrySendError::Closed(_) => MediaError::Stopped,
        })?;
        let rings = leg.recording.is_some().then(ring);
        if leg.params.rtcp != Rtcp::Mux {
            port.open_reports();
        }
        self.order(leg.leg, Order::Open(Box::new(Opening { leg, port, events, closed, rings })))
    }

    /// Gives a leg an order. Prompts that are not at 8 kHz are resampled here, in the caller's thread. An order for
    /// a leg that is closed already is no error: the two may cross.
    pub fn command(&self, leg: LegId, command: MediaCommand) -> Result<(), MediaError> {
        let command = match command {
            MediaCommand::Play { play, audio, barge_in } => {
                MediaCommand::Play { play, audio: at_telephone_rate(audio)?, barge_in }
            }
            MediaCommand::Hold { sound } => MediaCommand::Hold { sound: sound.map(at_telephone_rate).transpose()? },
            MediaCommand::Background { sound } => {
                MediaCommand::Background { sound: sound.map(at_telephone_rate).transpose()? }
            }
            other => other,
        };
        self.order(leg, Order::Command(leg, command))
    }

    /// Joins two legs, wherever they live: each says what the other hears, until one of them is closed or told
    /// [`MediaCommand::Unbridge`]. Legs that are joined already leave their old bridge.
    pub fn bridge(&self, one: LegId, other: LegId) -> Result<(), MediaError> {
        let (end, far_end) = bridge();
        self.order(one, Order::Bridge(one, Box::new(end)))?;
        // Should this one not get through, the first finds its bridge over at the next beat.
        self.order(other, Order::Bridge(other, Box::new(far_end)))
    }

    /// Waits until a media thread is gone, which in service none ever is.
    pub async fn stopped(&self) {
        let mut ends: Vec<_> = self.workers.iter().map(|worker| Box::pin(worker.orders.closed())).collect();
        future::poll_fn(|context| match ends.iter_mut().any(|end| end.as_mut().poll(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// Is a media thread gone?
    pub fn is_stopped(&self) -> bool {
        self.workers.iter().any(|worker| worker.orders.is_closed())
    }

    /// How the beat has been kept since the start.
    pub fn beat(&self) -> Beat {
        self.workers.iter().fold(Beat::default(), |sum, worker| worker.counters.onto(sum))
    }

    fn order(&self, leg: LegId, order: Order) -> Result<(), MediaError> {
        // Legs are numbered one after the other, so this deals them out evenly, and whoever has a leg's number knows
        // its thread.
        let worker = &self.workers[(leg.0 % self.workers.len() as u64) as usize];
        worker.orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => MediaError::Busy,
            TrySendError::Closed(_) => MediaError::Stopped,
        })
    }
}

fn at_telephone_rate(audio: Arc<Pcm>) -> Result<Arc<Pcm>, MediaError> {
    match audio.rate_hz {
        TELEPHONE_HZ => Ok(audio),
        _ => resample(&audio, TELEPHONE_HZ).map(Arc::new).map_err(|error| MediaError::Prompt(error.to_string())),
    }
}
