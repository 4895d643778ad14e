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
use std::time::{Duration, Instant};

use rtrb::Producer;

use super::barge_in::{Act, EchoGuard, Reflex};
use super::ear::{Ear, Heard, Thresholds};
use super::endpointer::Signal;
use super::playout::Playout;
use super::recorder::Pair;
use super::{BargeIn, Listen, MediaCommand, MediaEvent, MediaSummary, Offer, OpenLeg, PlayEnd};
use crate::audio::level::{SILENCE_DBOV, rms_dbov};
use crate::audio::{FRAME_8K, FRAME_MS};
use crate::id::{PlayId, UtteranceId};
use crate::rtp::sender::MAX_PACKET_BYTES;
use crate::rtp::{Accepted, Pulled, Receiver, ReceiverConfig, Sender};
use crate::rtp::{Digit, StreamParams};

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
    sender: Sender,
    ear: Ear,
    reflex: Reflex,
    guard: EchoGuard,
    playout: Playout,
    tap: Option<Tap>,
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
    pub fn new(open: &OpenLeg, tap: Option<Producer<Pair>>, rtp_timeout: Duration, now: Instant) -> Self {
        Self {
            params: open.params.clone(),
            receiver: Receiver::new(&open.params, ReceiverConfig::default()),
            sender: Sender::new(&open.params, open.random),
            ear: Ear::new(Listen::default(), Thresholds::default()),
            reflex: Reflex::new(),
            guard: EchoGuard::new(),
            playout: Playout::new(),
            tap: tap.map(Tap::new),
            events: VecDeque::with_capacity(EVENTS),
            events_lost: 0,
            voice: None,
            rtp_timeout,
            heard_at: now,
            heard: false,
            missed_at: None,
            closed: false,
            packets_out: 0,
            refused: 0,
            late_ticks: 0,
        }
    }

    /// A datagram that came from `from` and reached the kernel at `at`. Strangers, garbage and what we did not ask
    /// for are counted and otherwise ignored.
    pub fn on_datagram(&mut self, datagram: &[u8], from: SocketAddr, at: Instant) {
        if !self.params.receive {
            self.refused += 1;
            return;
        }
        // RTCP too: a telephone that is muted, or has gone quiet, may send nothing else.
        if !matches!(self.receiver.accept(datagram, from, at), Accepted::Refused(_)) {
            self.heard_at = self.heard_at.max(at);
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
            MediaCommand::Renegotiate { params } => {
                self.receiver.renegotiate(&params);
                self.sender.renegotiate(&params);
                self.params = params;
            }
            MediaCommand::Close => self.close(now),
        }
    }

    /// One beat: hears a frame (and those of `missed` ticks), sends one through `send`.
    pub fn tick(&mut self, now: Instant, missed: u32, send: Send<'_>) {
        if self.closed {
            return;
        }
        let mut left = SILENCE;
        for behind in (0..=missed.min(MOST_FRAMES_AT_ONCE)).rev() {
            let at = now.checked_sub(FRAME * behind).unwrap_or(now);
            self.hear(&mut left, at);
            if behind > 0 {
                self.record(&left, &SILENCE);
            }
        }
        self.watch(now);
        let mut right = SILENCE;
        self.speak(&mut right, now, missed, send);
        self.record(&left, &right);
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
            recording: super::Recording::Off,
        }
    }

    fn hear(&mut self, frame: &mut [i16; FRAME_8K], at: Instant) {
        self.heard |= self.receiver.pull(at, frame) != Pulled::Silence;
        while let Some((digit, at)) = self.receiver.poll_digit() {
            self.on_digit(digit, at);
        }
        if !self.heard || !self.params.receive {
            return;
        }
        // A frame that leaves the jitter buffer now arrived earlier, and silence is counted from when it did.
        let arrived = at.checked_sub(Duration::from_millis(self.receiver.stats().delay_ms)).unwrap_or(at);
        let heard = self.ear.frame(frame, self.guard.threshold_dbov(), arrived);
        for signal in heard.signals.into_iter().flatten() {
            self.on_signal(signal);
        }
        let goes_on = heard.signals.iter().flatten().any(|signal| matches!(signal, Signal::Offer { cut: true, .. }));
        if let Some(voice) = self.voice.as_mut().filter(|_| goes_on) {
            // It was cut for its length, so what we are about to say is said to somebody who does not stop talking.
            voice.interrupts = false;
        }
        self.react(&heard);
    }

    /// The barge-in reflex, in the same tick as the frame that causes it.
    fn react(&mut self, heard: &Heard) {
        if self.playout.barge_in() != Some(BargeIn::Speech) {
            self.reflex.disarm();
            self.playout.unduck();
            return;
        }
        let interrupts = self.voice.is_some_and(|voice| voice.interrupts);
        let (speaking, began) = (self.ear.is_speaking() && interrupts, heard.speech_began() && interrupts);
        match self.reflex.frame(heard.loud, speaking, began) {
            Some(Act::Duck) => self.playout.duck(),
            Some(Act::Resume) => self.playout.unduck(),
            Some(Act::Stop) => {
                self.playout.stop(PlayEnd::BargedIn, |barge_in| barge_in == BargeIn::Speech);
            }
            None => {}
        }
    }

    fn on_digit(&mut self, digit: Digit, at: Instant) {
        self.playout.stop(PlayEnd::Keyed, |barge_in| barge_in != BargeIn::Off);
        self.report(MediaEvent::Digit { digit, at });
    }

    fn on_signal(&mut self, signal: Signal) {
        let sound = self.ear.sound(&signal);
        if let Signal::Started { utterance, .. } = signal {
            let interrupts = self.playout.barge_in().is_none_or(|barge_in| barge_in == BargeIn::Speech);
            self.voice = Some(Voice { utterance, during: self.playout.current(), interrupts });
        }
        self.report(match (signal, sound) {
            (Signal::Started { utterance, began, .. }, _) => MediaEvent::SpeechStarted { utterance, at: began.at },
            (Signal::Resumed { utterance }, _) => MediaEvent::Resumed { utterance },
            (Signal::Ended { utterance }, _) => MediaEvent::SpeechEnded { utterance },
            (Signal::Offer { utterance, revision, began, ended, cut, .. }, sound) => MediaEvent::Offered(Offer {
                utterance,
                revision,
                audio: sound.unwrap_or_default(),
                began_at: began.at,
                ended_at: ended.at,
                during: self.voice.and_then(|voice| voice.during),
                cut,
            }),
        });
    }

    /// Reports silence on the wire each time the timeout has passed: a call that may not act on it yet hears of it
    /// again.
    fn watch(&mut self, now: Instant) {
        let since = self.missed_at.map_or(self.heard_at, |missed_at| missed_at.max(self.heard_at));
        if self.params.receive && now.saturating_duration_since(since) >= self.rtp_timeout {
            self.missed_at = Some(now);
            self.report(MediaEvent::RtpTimeout { silent_for: now.saturating_duration_since(self.heard_at) });
        }
    }

    fn speak(&mut self, frame: &mut [i16; FRAME_8K], now: Instant, missed: u32, send: Send<'_>) {
        let destination = self.receiver.latched().or(self.params.remote).filter(|_| self.params.send);
        let Some(to) = destination else {
            // On hold, or nobody said yet where to: time passes, prompts wait, so that they are heard whole.
            self.sender.skip(missed + 1);
            self.guard.played(SILENCE_DBOV);
            let mut reports = Reports { events: &mut self.events, lost: &mut self.events_lost };
            self.playout.reap(now, |event| reports.push(event));
            return;
        };
        self.sender.skip(missed);
        let sounds = self.playout.frame(frame);
        self.guard.played(if sounds { rms_dbov(frame) } else { SILENCE_DBOV });
        self.sender.push_frame(frame);
        let mut packet = [0; MAX_PACKET_BYTES];
        let (mut complete, mut sent) = (false, true);
        while let Some(length) = self.sender.poll_packet(&mut packet) {
            let left = send(to, &packet[..length]);
            (complete, sent) = (true, sent && left);
            self.packets_out += u64::from(left);
        }
        if complete {
            let mut reports = Reports { events: &mut self.events, lost: &mut self.events_lost };
            self.playout.delivered(sent, now, |event| reports.push(event));
        }
    }

    fn close(&mut self, now: Instant) {
        if !self.closed {
            self.closed = true;
            self.playout.stop(PlayEnd::Flushed, |_| true);
            let mut reports = Reports { events: &mut self.events, lost: &mut self.events_lost };
            self.playout.delivered(false, now, |event| reports.push(event));
        }
    }

    fn record(&mut self, left: &[i16; FRAME_8K], right: &[i16; FRAME_8K]) {
        if let Some(tap) = &mut self.tap {
            tap.push(left, right);
        }
    }

    fn report(&mut self, event: MediaEvent) {
        Reports { events: &mut self.events, lost: &mut self.events_lost }.push(event);
    }
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
#[path = "session_tests.rs"]
mod tests;
