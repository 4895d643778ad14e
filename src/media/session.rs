//! One leg's media, pure: datagrams, ticks and commands in; packets, recorded sound and events out.
//!
//! ```text
//! datagram ─▶ Receiver ─▶ jitter ─▶ frame ─▶ Ear ─▶ Signal ─▶ MediaEvent
//!                                     │        └─▶ Reflex ─▶ duck · resume · stop
//!                                     ▼                           ▼
//!                                    Tap ◀────────── frame ◀─ Playout ─▶ Sender ─▶ packet
//! ```
//!
//! Per frame: no allocation, no lock, no message, no log above trace. What allocates comes a few times a turn: the
//! copy of an offered utterance.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use rtrb::Producer;

mod discretion;
mod hear;
mod report;
mod speak;

use self::discretion::Discretion;
pub use self::report::MAX_RTCP_BYTES;
use super::barge_in::{EchoGuard, Reflex};
use super::bridge::BridgeEnd;
use super::ear::{Ear, Thresholds};
use super::hold::{Background, Hold};
use super::playout::Playout;
use super::recorder::Pair;
use super::{Listen, MediaCommand, MediaEvent, MediaSummary, OpenLeg, PlayEnd, Recording};
use crate::audio::{FRAME_8K, FRAME_MS};
use crate::id::{PlayId, UtteranceId};
use crate::rtp::jitter::JitterConfig;
use crate::rtp::reporter::Reporter;
use crate::rtp::srtp::Srtp;
use crate::rtp::{Receiver, ReceiverConfig, Sender, StreamParams};
use crate::time::Now;

const FRAME: Duration = Duration::from_millis(FRAME_MS as u64);
const SILENCE: [i16; FRAME_8K] = [0; FRAME_8K];
/// Events that may wait for their call. A turn makes about five; a call that leaves this many unread is stuck, and
/// only the newest are lost.
const EVENTS: usize = 64;
/// Frames heard in one tick after ticks were missed. A longer gap (a suspended machine) is left to the jitter buffer.
const MOST_FRAMES_AT_ONCE: u32 = 25;

/// Sends one packet; `true` when the socket took it.
pub type Send<'a> = &'a mut dyn FnMut(SocketAddr, &[u8]) -> bool;

/// Receiver, ear, playout and sender of one leg. Belongs to the thread that made it (see [`super::vad::Gate`]).
pub struct Session {
    params: StreamParams,
    receiver: Receiver,
    /// Bounds of its delay.
    jitter: JitterConfig,
    sender: Sender,
    /// Seals and opens packets, where that was agreed on.
    srtp: Option<Box<Srtp>>,
    reporter: Reporter,
    /// Who sends under our SSRC although we have left it another one.
    echo: Option<SocketAddr>,
    /// Where RTCP came from, on a port of its own.
    reports_from: Option<SocketAddr>,
    /// Keys are being pressed and their end has to be reported.
    pressing: bool,
    ear: Ear,
    reflex: Reflex,
    guard: EchoGuard,
    playout: Playout,
    /// The caller is on hold.
    hold: Option<Hold>,
    /// Hold that is over and still has to fade out.
    fading: Option<Hold>,
    /// What is heard where no prompt is.
    background: Option<Background>,
    /// Joined with another leg.
    bridge: Option<Box<BridgeEnd>>,
    tap: Option<Tap>,
    /// Where a message is kept while the caller leaves one.
    message: Option<Tap>,
    /// What of it is recorded.
    discretion: Discretion,
    /// The frame heard in this beat.
    left: [i16; FRAME_8K],
    events: VecDeque<MediaEvent>,
    events_lost: u64,
    /// The utterance under way, or the last one.
    voice: Option<Voice>,
    rtp_timeout: Duration,
    /// When RTP or RTCP last came, or the leg was opened.
    heard_at: Instant,
    /// Sound has come at all: before that there is nothing to listen to, and silence of our own making would pass
    /// for a very quiet line.
    heard: bool,
    /// When silence on the wire was last reported.
    missed_at: Option<Instant>,
    closed: bool,
    packets_out: u64,
    refused: u64,
    late_ticks: u64,
}

impl Session {
    /// A leg that has heard and said nothing. `tap` is where its sound is recorded.
    pub fn new(open: &OpenLeg, tap: Option<Producer<Pair>>, rtp_timeout: Duration, now: Now) -> Self {
        let sender = Sender::new(&open.params, open.random);
        let reporter = Reporter::new(sender.ssrc(), open.random, now);
        Self {
            params: open.params.clone(),
            receiver: Receiver::new(&open.params, ReceiverConfig { jitter: open.jitter }),
            jitter: open.jitter,
            srtp: open.params.security.as_ref().map(|keys| Box::new(Srtp::new(keys))),
            sender,
            reporter,
            echo: None,
            reports_from: None,
            pressing: false,
            ear: Ear::new(Listen::default(), Thresholds::default()),
            reflex: Reflex::new(),
            guard: EchoGuard::new(),
            playout: Playout::new(),
            hold: None,
            fading: None,
            background: None,
            bridge: None,
            tap: tap.map(Tap::new),
            message: None,
            discretion: Discretion::default(),
            left: SILENCE,
            events: VecDeque::with_capacity(EVENTS),
            events_lost: 0,
            voice: None,
            rtp_timeout,
            heard_at: now.mono,
            heard: false,
            missed_at: None,
            closed: false,
            packets_out: 0,
            refused: 0,
            late_ticks: 0,
        }
    }

    /// A datagram too long to be read whole.
    pub fn on_oversized(&mut self) {
        self.refused += 1;
    }

    /// The tick came more than half a frame late.
    pub fn on_late_tick(&mut self) {
        self.late_ticks += 1;
    }

    /// What the call wants.
    pub fn command(&mut self, command: MediaCommand, now: Instant) {
        match command {
            MediaCommand::Play { play, audio, barge_in } => {
                if !self.playout.push(play, audio, barge_in) {
                    tracing::error!(play = play.0, "too many prompts are queued; this one is not played");
                }
            }
            MediaCommand::Flush => _ = self.playout.stop(PlayEnd::Flushed, |_| true),
            MediaCommand::Listen(listen) => self.ear.listen(listen),
            MediaCommand::Commit { utterance } => {
                if let Some(voice) = self.voice.as_mut().filter(|voice| voice.utterance == utterance) {
                    voice.interrupts = false;
                }
                if let Some(signal) = self.ear.commit(utterance) {
                    self.on_signal(signal);
                }
            }
            MediaCommand::Renegotiate { params } => self.renegotiate(params, now),
            MediaCommand::Hold { sound } => {
                self.reflex.disarm();
                self.playout.pause();
                (self.hold, self.fading) = (Some(Hold::new(sound)), None);
            }
            MediaCommand::Resume => self.fading = self.hold.take(),
            MediaCommand::Background { sound } => self.background = sound.and_then(Background::new),
            MediaCommand::Unbridge => self.bridge = None,
            MediaCommand::SendKeys { keys, tone_ms, gap_ms } => {
                self.pressing = true;
                let pressed = keys.iter().filter(|key| self.sender.press(**key, tone_ms, gap_ms)).count();
                if pressed < keys.len() {
                    tracing::warn!(pressed, wanted = keys.len(), "the far end takes no keys, or too many wait");
                }
            }
            MediaCommand::PauseRecording { since } => self.discretion.pause(since, now),
            MediaCommand::ResumeRecording => self.discretion.resume(self.ear.is_speaking(), now),
            MediaCommand::Close => self.close(now),
            // Rings and files are the floor's.
            MediaCommand::Record { .. } | MediaCommand::EndRecord => {}
        }
    }

    /// What the far end says from now on goes there too; into nothing, when that is let go.
    pub fn keep_message(&mut self, ring: Option<Producer<Pair>>) {
        self.message = ring.map(Tap::new);
    }

    /// Is what the far end says kept in a file of its own?
    pub const fn keeps_message(&self) -> bool {
        self.message.is_some()
    }

    /// Joins this leg with another: each says what the other hears, under what prompts there are, until one of them ends
    /// it. Meanwhile nothing said is listened to; keys are told, and cross.
    pub fn bridge(&mut self, end: Box<BridgeEnd>) {
        self.reflex.disarm();
        self.playout.unduck();
        (self.bridge, self.background) = (Some(end), None);
    }

    /// One beat: hears, then speaks.
    pub fn tick(&mut self, now: Instant, missed: u32, send: Send<'_>) {
        self.hear_beat(now, missed);
        self.speak_beat(now, missed, send);
    }

    /// The first half of a beat: hears a frame, and those of `missed` ticks.
    pub fn hear_beat(&mut self, now: Instant, missed: u32) {
        if self.closed {
            return;
        }
        let mut left = SILENCE;
        for behind in (0..=missed.min(MOST_FRAMES_AT_ONCE)).rev() {
            let at = now.checked_sub(FRAME * behind).unwrap_or(now);
            self.hear(&mut left, at);
            if behind > 0 {
                self.record(&left, &SILENCE, at);
            }
        }
        self.left = left;
        self.watch(now);
    }

    /// The second half: sends a frame through `send`, and records what was heard and said.
    pub fn speak_beat(&mut self, now: Instant, missed: u32, send: Send<'_>) {
        if self.closed {
            return;
        }
        let mut right = SILENCE;
        self.speak(&mut right, now, missed, send);
        let left = self.left;
        self.record(&left, &right, now);
    }

    /// What has to be taken out of the recording although it was recorded: the caller's side, pairs of samples counted
    /// from its beginning.
    pub fn take_out(&mut self) -> Option<Range<u64>> {
        self.discretion.take_out().filter(|_| self.tap.is_some())
    }

    /// Is there anything to report?
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// What there is to report, oldest first. [`MediaEvent::Closed`] is the driver's to say.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    /// Closed by its call, with everything reported.
    pub fn is_closed(&self) -> bool {
        self.closed && self.events.is_empty()
    }

    /// What has come and gone, for totals over all legs.
    pub fn traffic(&self) -> Traffic {
        let stats = self.receiver.stats();
        let (received, lost, concealed) = (stats.received, stats.lost, stats.concealed);
        Traffic { received, lost, concealed, refused: stats.refused + self.refused }
    }

    /// What remains. The recording ends with this: its ring is let go.
    pub fn into_summary(self) -> MediaSummary {
        let stats = self.receiver.stats();
        MediaSummary {
            packets_in: stats.received,
            packets_out: self.packets_out,
            lost: stats.lost,
            late: stats.late,
            refused: stats.refused + self.refused,
            jitter_ms: stats.jitter_ms,
            late_ticks: self.late_ticks,
            recording: Recording::Off,
            recording_paused_ms: if self.tap.is_some() { self.discretion.kept_out_ms() } else { 0 },
            codec: Some(self.params.codec),
            secured: self.params.security.as_ref().map(|keys| keys.suite.name().to_owned()),
            quality: Box::new(self.quality()),
        }
    }

    fn renegotiate(&mut self, params: StreamParams, now: Instant) {
        self.receiver.renegotiate(&params);
        self.sender.renegotiate(&params);
        match (&mut self.srtp, &params.security) {
            (Some(srtp), Some(keys)) => srtp.renegotiate(keys),
            (srtp, keys) => *srtp = keys.as_ref().map(|keys| Box::new(Srtp::new(keys))),
        }
        if params.rtcp != self.params.rtcp || params.remote != self.params.remote {
            self.reports_from = None;
        }
        // Whoever negotiates is there; after a hold, silence is counted from its end.
        (self.heard_at, self.missed_at) = (now, None);
        self.params = params;
    }

    fn record(&mut self, left: &[i16; FRAME_8K], right: &[i16; FRAME_8K], now: Instant) {
        if let Some(message) = &mut self.message {
            message.push(left, &SILENCE);
        }
        if let Some(tap) = &mut self.tap {
            let (caller, bot) = self.discretion.frame(self.ear.is_speaking(), now);
            tap.push(if caller { left } else { &SILENCE }, if bot { right } else { &SILENCE });
        }
    }

    fn tell(&mut self, event: MediaEvent) {
        Reports { events: &mut self.events, lost: &mut self.events_lost }.push(event);
    }
}

/// One leg's running counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// RTP packets taken.
    pub received: u64,
    /// Packets that never came; falls when one turns up late.
    pub lost: u64,
    /// Frames made up, at least in part.
    pub concealed: u64,
    /// Datagrams refused.
    pub refused: u64,
}

/// What an utterance was said to.
#[derive(Clone, Copy)]
struct Voice {
    utterance: UtteranceId,
    /// The prompt that was playing when it began.
    during: Option<PlayId>,
    /// It may stop a prompt. Not if it began over one that speech may not stop, nor once the call has taken it or
    /// given it up, offered or not, nor if it goes on after it was cut for its length: the call would not listen to
    /// it, and whoever talks all the time would never hear a prompt.
    interrupts: bool,
}

/// The session's short queue, borrowed apart from the rest of it.
struct Reports<'a> {
    events: &'a mut VecDeque<MediaEvent>,
    lost: &'a mut u64,
}

impl Reports<'_> {
    fn push(&mut self, event: MediaEvent) {
        if self.events.len() < EVENTS {
            self.events.push_back(event);
            return;
        }
        *self.lost += 1;
        if *self.lost == 1 {
            tracing::warn!("a call does not read its media events; the newest are lost");
        }
    }
}

/// The media thread's end of the recording.
struct Tap {
    ring: Producer<Pair>,
    /// Pairs that found no room: written as silence as soon as there is some, so that both sides stay in time.
    owed: usize,
}

impl Tap {
    const fn new(ring: Producer<Pair>) -> Self {
        Self { ring, owed: 0 }
    }

    fn push(&mut self, left: &[i16; FRAME_8K], right: &[i16; FRAME_8K]) {
        let late = self.owed.min(self.ring.slots());
        if let Ok(chunk) = self.ring.write_chunk_uninit(late) {
            self.owed -= chunk.fill_from_iter(std::iter::repeat([0, 0]));
        }
        match self.ring.write_chunk_uninit(FRAME_8K) {
            Ok(chunk) => _ = chunk.fill_from_iter(left.iter().zip(right).map(|(&left, &right)| [left, right])),
            Err(_) => self.owed += FRAME_8K,
        }
    }
}

#[cfg(test)]
mod tests;
