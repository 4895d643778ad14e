//! What one media thread owns, and its beat.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer};
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::mpsc::{self, OwnedPermit};

use super::counters::Counters;
use super::ports::ReservedPort;
use super::rota::{Rota, SHIFTS};
use super::wire::Reader;
use crate::audio::FRAME_MS;
use crate::id::LegId;
use crate::media::bridge::BridgeEnd;
use crate::media::recorder::{Job, Pair, Recorder, ring};
use crate::media::session::{MAX_RTCP_BYTES, Session, Traffic};
use crate::media::{MediaCommand, MediaEvent, OpenLeg, Recording};
use crate::time::{Clock, Now, SystemClock};

/// A beat later than half a frame is counted: the far end's jitter buffer begins to feel it.
const LATE: Duration = Duration::from_millis(FRAME_MS as u64 / 2);
/// How often a leg's traffic goes into the counters, by turns.
const TICKS_A_SECOND: u64 = 1_000 / FRAME_MS as u64;
/// How often the RTCP port of a leg is read, by turns: reports come every few seconds.
const REPORT_TICKS: u64 = 10;
/// Jobs kept for a recorder that takes no more. Beyond them new legs go unrecorded: a disk that hangs must not fill
/// the memory with rings.
const BACKLOG: usize = 256;

/// What a media thread is told.
pub(super) enum Order {
    Open(Box<Opening>),
    Command(LegId, MediaCommand),
    Bridge(LegId, Box<BridgeEnd>),
}

/// A leg to be opened, with everything it needs.
pub(super) struct Opening {
    pub(super) leg: OpenLeg,
    pub(super) port: ReservedPort,
    pub(super) events: mpsc::Sender<MediaEvent>,
    /// Room for the last event.
    pub(super) closed: OwnedPermit<MediaEvent>,
    pub(super) rings: Option<(Producer<Pair>, Consumer<Pair>)>,
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
    /// Beats of its own, from where its turn among its neighbours puts it.
    beats: u64,
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

/// Legs that are served together.
type Shift = BTreeMap<LegId, Box<Line>>;

/// Everything one media thread owns.
pub(super) struct Floor {
    shifts: [Shift; SHIFTS],
    rota: Rota,
    /// In which shift each leg is.
    place: BTreeMap<LegId, usize>,
    reader: Reader,
    recorder: Recorder,
    /// Jobs the recorder had no room for, oldest first: at most [`BACKLOG`], and a finish for each leg recorded.
    backlog: VecDeque<Job>,
    /// Lines that are over; emptied within the beat.
    over: Vec<LegId>,
    rtp_timeout: Duration,
    /// Legs opened so far.
    opened: u64,
    counters: Arc<Counters>,
}

impl Floor {
    /// The first beat is one frame after `start`.
    pub(super) fn new(rtp_timeout: Duration, recorder: Recorder, counters: Arc<Counters>, start: Instant) -> Self {
        Self {
            shifts: std::array::from_fn(|_| Shift::new()),
            rota: Rota::new(start),
            place: BTreeMap::new(),
            reader: Reader::new(),
            recorder,
            backlog: VecDeque::new(),
            over: Vec::new(),
            rtp_timeout,
            opened: 0,
            counters,
        }
    }

    /// Keeps the beat until nobody can give orders any more and every leg is closed.
    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        let mut open = true;
        while open || !self.place.is_empty() || !self.backlog.is_empty() {
            let (shift, due) = self.rota.next();
            thread::sleep(due.saturating_duration_since(SystemClock.now().mono));
            let now = SystemClock.now();
            let lateness = self.rota.begin(shift, now.mono);
            open = open && self.take_orders(&mut inbox, now);
            if !open {
                let lines = self.shifts.iter_mut().flat_map(Shift::values_mut);
                lines.for_each(|line| line.session.command(MediaCommand::Close, now.mono));
            }
            let is_late = lateness.by > LATE;
            self.tick(shift, now, lateness.missed, is_late);
            if self.place.is_empty() {
                self.rota.rest();
            }
            let busy = SystemClock.now().mono.saturating_duration_since(now.mono);
            self.counters.beat(lateness.by, is_late, busy, self.place.len());
        }
    }

    /// `false` once nobody can give orders any more.
    fn take_orders(&mut self, inbox: &mut mpsc::Receiver<Order>, now: Now) -> bool {
        loop {
            match inbox.try_recv() {
                Ok(Order::Open(opening)) => self.open(*opening, now),
                Ok(Order::Command(leg, MediaCommand::Record { path })) => self.begin_message(leg, path),
                Ok(Order::Command(leg, MediaCommand::EndRecord)) => self.end_message(leg),
                Ok(Order::Command(leg, command)) => match self.line(leg) {
                    Some(line) => {
                        line.command(command, now.mono);
                        if let Some(pairs) = line.session.take_out() {
                            self.backlog.push_back(Job::TakeOut { leg, pairs });
                        }
                    }
                    None => tracing::debug!(leg = leg.0, "an order came after the leg was closed"),
                },
                Ok(Order::Bridge(leg, end)) => match self.line(leg) {
                    Some(line) => line.session.bridge(end),
                    // Dropped: the other leg finds the bridge over.
                    None => tracing::debug!(leg = leg.0, "a leg was to be bridged that is closed"),
                },
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// A message of its own from here on. Makes its ring, once a message, not once a frame.
    fn begin_message(&mut self, leg: LegId, path: PathBuf) {
        self.end_message(leg);
        let has_room = self.backlog.len() < BACKLOG;
        let Some(line) = self.line(leg) else { return };
        if !has_room {
            let reason = "the recorder was too far behind to begin it".to_owned();
            let _ = line.events.try_send(MediaEvent::Recorded(Recording::Failed { reason }));
            return;
        }
        let (tap, ring) = ring();
        line.session.keep_message(Some(tap));
        self.backlog.push_back(Job::Start { leg: message_of(leg), path, ring });
    }

    fn end_message(&mut self, leg: LegId) {
        let Some(line) = self.line(leg).filter(|line| line.session.keeps_message()) else { return };
        line.session.keep_message(None);
        let finish = finish_message(leg, &line.events);
        self.backlog.push_back(finish);
    }

    fn line(&mut self, leg: LegId) -> Option<&mut Line> {
        let shift = *self.place.get(&leg)?;
        self.shifts[shift].get_mut(&leg).map(|line| &mut **line)
    }

    fn remove(&mut self, leg: LegId) -> Option<Box<Line>> {
        let shift = self.place.remove(&leg)?;
        self.shifts[shift].remove(&leg)
    }

    /// The shift for one more leg: the smallest, of those alike the one that comes first, so that it is soon heard.
    fn shift_for_one_more(&self) -> usize {
        (0..SHIFTS).min_by_key(|&shift| (self.shifts[shift].len(), self.rota.due(shift))).unwrap_or(0)
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
        let beats = self.opened;
        self.opened = self.opened.wrapping_add(1);
        let line = Line { session, port, events, closed, recording, call, counted: Traffic::default(), beats };
        if let Some(replaced) = self.remove(id) {
            tracing::error!(call = replaced.call, leg = id.0, "a leg was opened twice; the first one is closed");
            self.retire(id, *replaced, now.mono);
        }
        let shift = self.shift_for_one_more();
        self.place.insert(id, shift);
        self.shifts[shift].insert(id, Box::new(line));
    }

    /// Serves every leg of a shift: reads for all, hears for all, then speaks for all, so that what a leg hears does not
    /// keep the packets of the next one waiting, and each part finds its code in the cache. Per tick: no allocation,
    /// no lock, no log above trace, except where a leg is over.
    fn tick(&mut self, shift: usize, now: Now, missed: u32, late: bool) {
        self.read(shift, now);
        for line in self.shifts[shift].values_mut() {
            if late {
                line.session.on_late_tick();
            }
            line.session.hear_beat(now.mono, missed);
        }
        for line in self.shifts[shift].values_mut() {
            let Line { session, port, .. } = &mut **line;
            session.speak_beat(now.mono, missed, &mut |to, packet| port.send(to, packet));
        }
        self.report(shift, now);
        while let Some(id) = self.over.pop() {
            if let Some(line) = self.remove(id) {
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

    /// Takes what has come for the legs of a shift.
    fn read(&mut self, shift: usize, now: Now) {
        for line in self.shifts[shift].values_mut() {
            let Line { session, port, beats, .. } = &mut **line;
            *beats = beats.wrapping_add(1);
            self.reader.drain(&port.socket, now, |datagram| match datagram.truncated {
                true => session.on_oversized(),
                false => {
                    let send = &mut |to, packet: &[u8]| port.send(to, packet);
                    session.on_datagram(datagram.bytes, datagram.from, datagram.at, send);
                }
            });
            if let Some(reports) = port.reports.as_ref().filter(|_| beats.is_multiple_of(REPORT_TICKS)) {
                self.reader.drain(reports, now, |datagram| match datagram.truncated {
                    true => session.on_oversized(),
                    false => session.on_rtcp(datagram.bytes, datagram.from, datagram.at),
                });
            }
        }
    }

    /// Tells far ends, counters and calls what there is to tell.
    fn report(&mut self, shift: usize, now: Now) {
        let mut report = [0; MAX_RTCP_BYTES];
        for (&id, line) in &mut self.shifts[shift] {
            let Line { session, port, events, counted, beats, .. } = &mut **line;
            if let Some((to, length)) = session.poll_report(now.mono, &mut report)
                && port.send_report(session.reports_apart(), to, &report[..length])
            {
                session.report_left();
            }
            if beats.is_multiple_of(TICKS_A_SECOND) {
                let traffic = session.traffic();
                self.counters.add(std::mem::replace(counted, traffic), traffic);
            }
            let listened_to = deliver(session, events);
            if session.is_closed() || !listened_to {
                self.over.push(id);
            }
        }
    }

    /// Says good-bye, gives the port back, finishes the recording, says [`MediaEvent::Closed`].
    fn retire(&mut self, leg: LegId, line: Line, now: Instant) {
        let Line { mut session, port, events, closed, recording, call, counted, .. } = line;
        if session.keeps_message() {
            // Whoever hangs up in the middle of a message has left it.
            session.keep_message(None);
            self.backlog.push_back(finish_message(leg, &events));
        }
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
}

/// The recorder tells files apart by legs; that of a message has the number of its leg, far from all others.
const fn message_of(leg: LegId) -> LegId {
    LegId(leg.0 | 1 << 63)
}

fn finish_message(leg: LegId, events: &mpsc::Sender<MediaEvent>) -> Job {
    let events = events.clone();
    // A call that takes no events any more waits for none.
    let tell = move |recording| _ = events.try_send(MediaEvent::Recorded(recording));
    Job::Finish { leg: message_of(leg), closed: Box::new(tell) }
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
    use std::net::IpAddr;

    use super::super::ports::PortPool;
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
    fn a_message_is_a_file_of_its_own_that_is_finished_before_the_recording_of_its_leg() {
        let pool = PortPool::new(IpAddr::from([127, 0, 0, 1]), 33_000..=33_999, REST).expect("a range");
        let (recorder, _hung) = Recorder::that_hangs();
        let mut floor = Floor::new(REST, recorder, Arc::default(), SystemClock.now().mono);
        let (orders, mut inbox) = mpsc::channel(8);
        let (open, mut reports) = opening(1, &pool);
        let record = |name: &str| Order::Command(LegId(1), MediaCommand::Record { path: name.into() });
        let end = || Order::Command(LegId(1), MediaCommand::EndRecord);
        let close = Order::Command(LegId(1), MediaCommand::Close);
        for order in [open, record("a.wav"), end(), end(), record("b.wav"), close] {
            assert!(orders.try_send(order).is_ok());
        }
        let now = SystemClock.now();
        assert!(floor.take_orders(&mut inbox, now));
        (0..SHIFTS).for_each(|shift| floor.tick(shift, now, 0, false));
        let mut told = Vec::new();
        for job in std::mem::take(&mut floor.backlog) {
            match job {
                Job::Start { leg, path, .. } => told.push(format!("start {} {}", leg.0 & 0xff, path.display())),
                Job::Finish { leg, closed } => {
                    told.push(format!("finish {} {}", leg.0 & 0xff, if leg.0 > 1 { "message" } else { "leg" }));
                    closed(Recording::Off);
                }
                Job::TakeOut { .. } => told.push("take out".to_owned()),
            }
        }
        let expect = [
            "start 1 /nowhere/1.wav",
            "start 1 a.wav",
            "finish 1 message",
            "start 1 b.wav",
            "finish 1 message",
            "finish 1 leg",
        ];
        assert_eq!(told, expect);
        let events: Vec<MediaEvent> = std::iter::from_fn(|| reports.try_recv().ok()).collect();
        let recorded = MediaEvent::Recorded(Recording::Off);
        assert_eq!(format!("{:?}", &events[..2]), format!("{:?}", [recorded.clone(), recorded]));
        assert!(matches!(events[2..], [MediaEvent::Closed(_)]), "{events:?}");
    }

    #[test]
    fn behind_a_disk_that_hangs_new_legs_go_unrecorded_and_say_so() {
        let pool = PortPool::new(IpAddr::from([127, 0, 0, 1]), 33_000..=33_999, REST).expect("a range");
        let (recorder, _hung) = Recorder::that_hangs();
        let mut floor = Floor::new(REST, recorder, Arc::default(), SystemClock.now().mono);
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
        (0..SHIFTS).for_each(|shift| floor.tick(shift, now, 0, false));
        assert!(first_reports.try_recv().is_err(), "the recorder still owes an end to it");
        let Ok(MediaEvent::Closed(summary)) = second_reports.try_recv() else { panic!("it has no recording") };
        assert!(matches!(&summary.recording, Recording::Failed { reason } if reason.contains("behind")), "{summary:?}");
        assert_eq!(floor.backlog.len(), BACKLOG + 1, "the first leg's start and finish, nothing of the second");
    }
}
