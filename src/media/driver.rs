//! The media thread: every 20 ms it reads, hears, speaks and sends for all its legs.
//!
//! ```text
//! MediaHandle ──Order──▶ ┌─ tick ─────────────────────────────────────────────┐ ──MediaEvent──▶ one call each
//!  (bounded)             │ orders · for each leg: read · session.tick · events │ ──ring──▶ recorder
//!                        └───────────── sleep until the next deadline ─────────┘
//! ```
//!
//! Deadlines are absolute, so the beat does not drift. A tick that comes late skips ahead in RTP time and never
//! bursts. Nothing here waits for anybody: orders come through a bounded channel, events leave by `try_reserve`, and
//! what finds no room stays in the session's own short queue until the next tick.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer};
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::mpsc::{self, OwnedPermit};

mod ports;
mod wire;

use self::ports::PortPool;
pub use self::ports::ReservedPort;
use self::wire::Reader;
use super::recorder::{Job, Pair, Recorder, ring};
use super::session::{MAX_RTCP_BYTES, Session, Traffic};
use super::{MediaCommand, MediaEvent, OpenLeg, Recording};
use crate::audio::{FRAME_MS, Pcm, TELEPHONE_HZ, resample};
use crate::id::LegId;
use crate::rtp::Rtcp;
use crate::time::{Clock, Now, SystemClock};

/// The beat.
const TICK: Duration = Duration::from_millis(FRAME_MS as u64);
/// A tick later than half a frame is counted: the far end's jitter buffer begins to feel it.
const LATE: Duration = Duration::from_millis(FRAME_MS as u64 / 2);
/// How often a leg's traffic goes into the counters, by turns.
const TICKS_A_SECOND: u64 = 1_000 / FRAME_MS as u64;
/// How often the RTCP port of a leg is read, by turns: reports come every few seconds.
const REPORT_TICKS: u64 = 10;
/// Orders that may wait for the next tick: four for each of a thousand legs, far more than calls give within 20 ms.
const ORDERS: usize = 4_096;

/// Jobs kept for a recorder that takes no more. Beyond them new legs go unrecorded: a disk that hangs must not fill
/// the memory with rings.
const BACKLOG: usize = 256;

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
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            address: IpAddr::from([127, 0, 0, 1]),
            ports: 20_000..=29_999,
            port_rest: Duration::from_secs(5),
            rtp_timeout: Duration::from_secs(20),
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
    #[error("the media thread cannot be started: {0}")]
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
    /// Starts the media thread and the recorder thread. They end when the last handle is dropped; legs still open
    /// are then closed and their recordings finished.
    pub fn start(config: MediaConfig) -> Result<MediaHandle, MediaError> {
        let pool = PortPool::new(config.address, config.ports.clone(), config.port_rest)?;
        let recorder = Recorder::start().map_err(MediaError::Thread)?;
        let (orders, inbox) = mpsc::channel(ORDERS);
        let beat = Arc::new(Counters::default());
        let counters = Arc::clone(&beat);
        let run = move || Floor::new(config.rtp_timeout, recorder, counters).run(inbox);
        thread::Builder::new().name("media".to_owned()).spawn(run).map_err(MediaError::Thread)?;
        Ok(MediaHandle { pool, orders, beat })
    }
}

/// The way to the media thread. Cheap to clone; nothing here blocks or waits.
#[derive(Clone, Debug)]
pub struct MediaHandle {
    pool: Arc<PortPool>,
    orders: mpsc::Sender<Order>,
    beat: Arc<Counters>,
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
        self.order(Order::Open(Box::new(Opening { leg, port, events, closed, rings })))
    }

    /// Gives a leg an order. Prompts that are not at 8 kHz are resampled here, in the caller's thread. An order for
    /// a leg that is closed already is no error: the two may cross.
    pub fn command(&self, leg: LegId, command: MediaCommand) -> Result<(), MediaError> {
        let command = match command {
            MediaCommand::Play { play, audio, barge_in } => {
                MediaCommand::Play { play, audio: at_telephone_rate(audio)?, barge_in }
            }
            MediaCommand::Hold { sound } => MediaCommand::Hold { sound: sound.map(at_telephone_rate).transpose()? },
            other => other,
        };
        self.order(Order::Command(leg, command))
    }

    /// Waits until the media thread is gone, which in service it never is.
    pub async fn stopped(&self) {
        self.orders.closed().await;
    }

    /// Is the media thread gone?
    pub fn is_stopped(&self) -> bool {
        self.orders.is_closed()
    }

    /// How the beat has been kept since the start.
    pub fn beat(&self) -> Beat {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Beat {
            ticks: read(&self.beat.ticks),
            late: read(&self.beat.late),
            worst: Duration::from_micros(read(&self.beat.worst_us)),
            busy: Duration::from_micros(read(&self.beat.busy_us)),
            legs: read(&self.beat.legs),
            received: read(&self.beat.received),
            lost: read(&self.beat.lost),
            concealed: read(&self.beat.concealed),
            refused: read(&self.beat.refused),
        }
    }

    fn order(&self, order: Order) -> Result<(), MediaError> {
        self.orders.try_send(order).map_err(|error| match error {
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

/// How the beat has been kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Ticks so far.
    pub ticks: u64,
    /// Of those, more than half a frame late.
    pub late: u64,
    /// The latest one.
    pub worst: Duration,
    /// Time spent working.
    pub busy: Duration,
    /// Legs open now.
    pub legs: u64,
    /// RTP packets taken by all legs since the start; like the next three brought up to date once a second.
    pub received: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Frames made up, at least in part.
    pub concealed: u64,
    /// Datagrams refused.
    pub refused: u64,
}

#[derive(Debug, Default)]
struct Counters {
    ticks: AtomicU64,
    late: AtomicU64,
    worst_us: AtomicU64,
    busy_us: AtomicU64,
    legs: AtomicU64,
    received: AtomicU64,
    lost: AtomicU64,
    concealed: AtomicU64,
    refused: AtomicU64,
}

impl Counters {
    /// Adds what a leg counted since it was last asked.
    fn add(&self, before: Traffic, after: Traffic) {
        // Loss is taken back when a packet turns up after all.
        let grown = |after: u64, before: u64| after.wrapping_sub(before);
        self.received.fetch_add(grown(after.received, before.received), Ordering::Relaxed);
        self.lost.fetch_add(grown(after.lost, before.lost), Ordering::Relaxed);
        self.concealed.fetch_add(grown(after.concealed, before.concealed), Ordering::Relaxed);
        self.refused.fetch_add(grown(after.refused, before.refused), Ordering::Relaxed);
    }
}

enum Order {
    Open(Box<Opening>),
    Command(LegId, MediaCommand),
}

struct Opening {
    leg: OpenLeg,
    port: ReservedPort,
    events: mpsc::Sender<MediaEvent>,
    closed: OwnedPermit<MediaEvent>,
    rings: Option<(Producer<Pair>, Consumer<Pair>)>,
}

/// One leg on the media thread.
struct Line {
    session: Session,
    port: ReservedPort,
    events: mpsc::Sender<MediaEvent>,
    closed: OwnedPermit<MediaEvent>,
    /// What became of the recording, where that is settled; `None` while the recorder has it.
    recording: Option<Recording>,
    call: String,
    /// What of its traffic is in the counters.
    counted: Traffic,
}

impl Line {
    fn command(&mut self, command: MediaCommand, now: Instant) {
        let renegotiated = matches!(command, MediaCommand::Renegotiate { .. });
        self.session.command(command, now);
        // Reports that went along with sound may get a port of their own in mid-call.
        if renegotiated && self.session.reports_apart() && self.port.reports.is_none() {
            self.port.open_reports();
        }
    }
}

/// Everything the media thread owns.
struct Floor {
    lines: BTreeMap<LegId, Box<Line>>,
    reader: Reader,
    recorder: Recorder,
    /// Jobs the recorder had no room for, oldest first: at most [`BACKLOG`], and a finish for each leg recorded.
    backlog: VecDeque<Job>,
    /// Lines that are over; emptied within the tick.
    over: Vec<LegId>,
    rtp_timeout: Duration,
    ticks: u64,
    counters: Arc<Counters>,
}

impl Floor {
    fn new(rtp_timeout: Duration, recorder: Recorder, counters: Arc<Counters>) -> Self {
        let (lines, backlog, over) = (BTreeMap::new(), VecDeque::new(), Vec::new());
        Self { lines, reader: Reader::new(), recorder, backlog, over, rtp_timeout, ticks: 0, counters }
    }

    fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        let mut deadline = SystemClock.now().mono + TICK;
        let mut open = true;
        while open || !self.lines.is_empty() || !self.backlog.is_empty() {
            thread::sleep(deadline.saturating_duration_since(SystemClock.now().mono));
            let now = SystemClock.now();
            let late = now.mono.saturating_duration_since(deadline);
            let missed = u32::try_from(late.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX);
            deadline += TICK * (missed + 1);
            open = open && self.take_orders(&mut inbox, now);
            if !open {
                self.lines.values_mut().for_each(|line| line.session.command(MediaCommand::Close, now.mono));
            }
            self.tick(now, missed, late > LATE);
            self.count(now.mono, late);
        }
    }

    /// `false` once nobody can give orders any more.
    fn take_orders(&mut self, inbox: &mut mpsc::Receiver<Order>, now: Now) -> bool {
        loop {
            match inbox.try_recv() {
                Ok(Order::Open(opening)) => self.open(*opening, now),
                Ok(Order::Command(leg, command)) => match self.lines.get_mut(&leg) {
                    Some(line) => line.command(command, now.mono),
                    None => tracing::debug!(leg = leg.0, "an order came after the leg was closed"),
                },
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn open(&mut self, opening: Opening, now: Now) {
        let Opening { leg, port, events, closed, rings } = opening;
        let (id, call) = (leg.leg, leg.call.clone());
        let path = leg.recording.as_ref().map(|request| request.path.clone());
        let (tap, recording) = match path.zip(rings) {
            None => (None, Some(Recording::Off)),
            Some((path, (tap, ring))) if self.backlog.len() < BACKLOG => {
                self.backlog.push_back(Job::Start { leg: id, path, ring });
                (Some(tap), None)
            }
            Some(_) => {
                tracing::warn!(call, leg = id.0, "the recorder is too far behind; this leg is not recorded");
                (None, Some(Recording::Failed { reason: "the recorder was too far behind to begin it".to_owned() }))
            }
        };
        tracing::debug!(call, leg = id.0, port = port.address().port(), "media opened");
        let session = Session::new(&leg, tap, self.rtp_timeout, now);
        let line = Line { session, port, events, closed, recording, call, counted: Traffic::default() };
        if let Some(replaced) = self.lines.insert(id, Box::new(line)) {
            tracing::error!(call = replaced.call, leg = id.0, "a leg was opened twice; the first one is closed");
            self.retire(id, *replaced, now.mono);
        }
    }

    /// Reads, hears, speaks and sends for every leg. Per tick: no allocation, no lock, no log above trace, except
    /// where a leg is over.
    fn tick(&mut self, now: Now, missed: u32, late: bool) {
        self.ticks = self.ticks.wrapping_add(1);
        let mut report = [0; MAX_RTCP_BYTES];
        for (&id, line) in &mut self.lines {
            let Line { session, port, events, counted, .. } = &mut **line;
            self.reader.drain(&port.socket, now, |datagram| match datagram.truncated {
                true => session.on_oversized(),
                false => {
                    let send = &mut |to, packet: &[u8]| port.send(to, packet);
                    session.on_datagram(datagram.bytes, datagram.from, datagram.at, send);
                }
            });
            if let Some(reports) = port.reports.as_ref().filter(|_| id.0 % REPORT_TICKS == self.ticks % REPORT_TICKS) {
                self.reader.drain(reports, now, |datagram| match datagram.truncated {
                    true => session.on_oversized(),
                    false => session.on_rtcp(datagram.bytes, datagram.from, datagram.at),
                });
            }
            if late {
                session.on_late_tick();
            }
            session.tick(now.mono, missed, &mut |to, packet| port.send(to, packet));
            if let Some((to, length)) = session.poll_report(now.mono, &mut report)
                && port.send_report(session.reports_apart(), to, &report[..length])
            {
                session.report_left();
            }
            if id.0 % TICKS_A_SECOND == self.ticks % TICKS_A_SECOND {
                let traffic = session.traffic();
                self.counters.add(std::mem::replace(counted, traffic), traffic);
            }
            let listened_to = deliver(session, events);
            if session.is_closed() || !listened_to {
                self.over.push(id);
            }
        }
        while let Some(id) = self.over.pop() {
            if let Some(line) = self.lines.remove(&id) {
                self.retire(id, *line, now.mono);
            }
        }
        while let Some(job) = self.backlog.pop_front() {
            if let Err(job) = self.recorder.submit(job) {
                self.backlog.push_front(job);
                break;
            }
        }
    }

    /// Says good-bye, gives the port back, finishes the recording, says [`MediaEvent::Closed`].
    fn retire(&mut self, leg: LegId, line: Line, now: Instant) {
        let Line { mut session, port, closed, recording, call, counted, .. } = line;
        self.counters.add(counted, session.traffic());
        let mut report = [0; MAX_RTCP_BYTES];
        if let Some((to, length)) = session.farewell(now, &mut report)
            && port.send_report(session.reports_apart(), to, &report[..length])
        {
            session.report_left();
        }
        let mut summary = session.into_summary();
        // The port first: whoever hears `Closed` may count on it resting already.
        drop(port);
        tracing::debug!(call, leg = leg.0, packets_in = summary.packets_in, lost = summary.lost, "media closed");
        if let Some(recording) = recording {
            summary.recording = recording;
            closed.send(MediaEvent::Closed(summary));
            return;
        }
        let tell = move |recording| {
            summary.recording = recording;
            closed.send(MediaEvent::Closed(summary));
        };
        self.backlog.push_back(Job::Finish { leg, closed: Box::new(tell) });
    }

    fn count(&self, began: Instant, late: Duration) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let busy = SystemClock.now().mono.saturating_duration_since(began);
        self.counters.ticks.fetch_add(1, Ordering::Relaxed);
        self.counters.late.fetch_add(u64::from(late > LATE), Ordering::Relaxed);
        self.counters.worst_us.fetch_max(micros(late), Ordering::Relaxed);
        self.counters.busy_us.fetch_add(micros(busy), Ordering::Relaxed);
        self.counters.legs.store(self.lines.len() as u64, Ordering::Relaxed);
    }
}

/// Sends what there is to report while there is room; `false` when nobody listens any more.
fn deliver(session: &mut Session, events: &mpsc::Sender<MediaEvent>) -> bool {
    while session.has_event() {
        match events.try_reserve() {
            Ok(room) => {
                if let Some(event) = session.poll_event() {
                    room.send(event);
                }
            }
            Err(TrySendError::Full(())) => return true,
            Err(TrySendError::Closed(())) => return false,
        }
    }
    !events.is_closed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::RecordingRequest;
    use crate::rtp::jitter::JitterConfig;
    use crate::rtp::{Codec, StreamParams};

    const REST: Duration = Duration::from_secs(5);

    fn opening(leg: u64, pool: &Arc<PortPool>) -> (Order, mpsc::Receiver<MediaEvent>) {
        let params = StreamParams {
            remote: None,
            codec: Codec::Pcmu,
            payload_type: 0,
            telephone_event: None,
            ptime_ms: 20,
            send: true,
            receive: true,
            ..StreamParams::default()
        };
        let recording = Some(RecordingRequest { path: format!("/nowhere/{leg}.wav").into() });
        let leg = OpenLeg {
            leg: LegId(leg),
            params,
            jitter: JitterConfig::default(),
            recording,
            random: 1,
            call: String::new(),
        };
        let (events, reports) = mpsc::channel(4);
        let closed = events.clone().try_reserve_owned().expect("it is empty");
        let port = pool.reserve(SystemClock.now().mono).expect("a port is free");
        (Order::Open(Box::new(Opening { leg, port, events, closed, rings: Some(ring()) })), reports)
    }

    #[test]
    fn behind_a_disk_that_hangs_new_legs_go_unrecorded_and_say_so() {
        let pool = PortPool::new(IpAddr::from([127, 0, 0, 1]), 33_000..=33_999, REST).expect("a range");
        let (recorder, _hung) = Recorder::that_hangs();
        let mut floor = Floor::new(REST, recorder, Arc::default());
        let (orders, mut inbox) = mpsc::channel(8);
        let filler = || Job::Finish { leg: LegId(9), closed: Box::new(|_| ()) };
        floor.backlog.extend(std::iter::repeat_with(filler).take(BACKLOG - 1));
        let (first, mut first_reports) = opening(1, &pool);
        let (second, mut second_reports) = opening(2, &pool);
        let close = |leg| Order::Command(LegId(leg), MediaCommand::Close);
        for order in [first, second, close(1), close(2)] {
            assert!(orders.try_send(order).is_ok());
        }
        let now = SystemClock.now();
        assert!(floor.take_orders(&mut inbox, now));
        floor.tick(now, 0, false);
        assert!(first_reports.try_recv().is_err(), "the recorder still owes an end to it");
        let Ok(MediaEvent::Closed(summary)) = second_reports.try_recv() else { panic!("it has no recording") };
        assert!(matches!(&summary.recording, Recording::Failed { reason } if reason.contains("behind")), "{summary:?}");
        assert_eq!(floor.backlog.len(), BACKLOG + 1, "the first leg's start and finish, nothing of the second");
    }
}
