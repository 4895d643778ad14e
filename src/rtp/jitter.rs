//! Jitter buffer for one incoming RTP stream of G.711 or G.722, where one byte is one clock tick.
//!
//! Packets of any length go in as they arrive; every 20 ms one frame comes out. Both meet on a timeline of bytes:
//! a packet's **place** is its timestamp without the wraps, `play` is the place of the next byte to hand out.
//!
//! ```text
//!            play                          end
//!   played …  │███████│███ ███│░░░░░░░│███████│        █ sound   ░ the sender was silent   (blank) missing
//!              └ next frame     by sequence numbers:
//!                               none missing, so silence     a number missing, so loss
//! ```
//!
//! Sequence numbers tell silence from loss, timestamps say where sound belongs (RFC 3550 §5.1). How long it waits here,
//! and what is skipped or inserted to change that, is decided by `steering`.
//!
//! `now` comes with every call. Nothing is allocated after `new`; memory is 8 kB, whatever arrives.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::lateness::micros_since;
use super::packet::Packet;
use super::sequence::Order;
use super::steering::{Anchor, DRY_FRAMES, QUIET_PEAK, Steering};
use crate::audio::FRAME_8K;
use crate::rtp::Codec;

/// Bytes of timeline kept, a power of two: 512 ms.
const CAPACITY: usize = 4_096;
/// One byte of timeline in microseconds: 8,000 a second.
const BYTE_MICROS: i64 = 125;
/// One frame in bytes.
const FRAME: i64 = FRAME_8K as i64;
/// How far off the first packet after we ran dry may be when none is missing: some gateways stop their timestamps while
/// they are silent. (After a network freeze the burst that follows corrects the view.)
const STALLED_JUMP_MICROS: i64 = 60_000;
/// Bytes before the first packet of a talk-spurt that are kept free for packets it has overtaken: 60 ms.
const OVERTAKEN: i64 = 480;
/// Bounds of the delay. Where all three are the same, the delay is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JitterConfig {
    /// Aim before anything is known of the network.
    pub start: Duration,
    /// Aim on a perfect network.
    pub least: Duration,
    /// Longest aim: beyond it, late packets are lost packets.
    pub most: Duration,
}

impl JitterConfig {
    /// Most that a delay may be: a buffer holds half a second, and the longest packets and freezes need the rest.
    pub const MOST: Duration = Duration::from_millis(300);

    /// A delay that adapts to the network between `least` and `most`, in order and at most [`Self::MOST`]; it begins
    /// with 40 ms, if it may.
    pub fn between(least: Duration, most: Duration) -> Self {
        let most = most.min(Self::MOST);
        let least = least.min(most);
        Self { start: Duration::from_millis(40).clamp(least, most), least, most }
    }
}

impl Default for JitterConfig {
    fn default() -> Self {
        Self::between(Duration::from_millis(20), Duration::from_millis(120))
    }
}

/// What is known of one byte of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// Lost, or not here yet: conceal it.
    #[default]
    Missing,
    /// The sender was silent then.
    Silent,
    /// The byte is there, coded like this.
    Sound(Codec),
}

/// One frame as it leaves the buffer, still encoded.
#[derive(Clone, Debug)]
pub struct EncodedFrame {
    /// Codec bytes; meaningful where `presence` is [`Presence::Sound`].
    pub bytes: [u8; FRAME_8K],
    /// What each byte is.
    pub presence: [Presence; FRAME_8K],
    /// Sound before this frame was skipped to shorten the delay: smooth the seam.
    pub after_skip: bool,
}

impl Default for EncodedFrame {
    fn default() -> Self {
        Self { bytes: [0; FRAME_8K], presence: [Presence::Missing; FRAME_8K], after_skip: false }
    }
}

/// What a frame is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Popped {
    /// Sound, and perhaps silence, nothing missing.
    Sound,
    /// Something is missing and must be made up.
    Lost,
    /// Nothing to play: not started, the sender is silent, or the stream has dried up.
    Nothing,
}

/// Where a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Into the buffer, at least in part.
    Kept,
    /// Nowhere: its time has passed.
    Late,
}

/// Counters of one buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Packets whose time had passed.
    pub late: u64,
    /// Frames handed out with something missing, inserted ones included.
    pub concealed: u64,
    /// Frames inserted to lengthen the delay.
    pub inserted: u64,
    /// Frames skipped to shorten the delay.
    pub skipped: u64,
    /// Times the sender began anew, in its sequence numbers or its timestamps.
    pub jumps: u64,
}

/// The buffer.
#[derive(Clone, Debug)]
pub struct JitterBuffer {
    /// Ring of codec bytes, by place.
    bytes: Box<[u8]>,
    /// Ring beside it: what is in each place. Everything outside `play..end` is missing.
    presence: Box<[Presence]>,
    state: State,
    /// Place of the next byte to hand out; what lies before is late.
    play: i64,
    /// Place after the newest byte.
    end: i64,
    /// Where the newest packet's timestamp lies.
    anchor: Option<Anchor>,
    /// The next packet belongs to another numbering: append it, whatever its timestamp.
    new_beginning: bool,
    /// The newest packet said that there is no sound now (a key being pressed, comfort noise).
    silence_announced: bool,
    steering: Steering,
    /// The last frame, decoded, had no sound; see [`JitterBuffer::heard_quiet`].
    heard_quiet: bool,
    stats: JitterStats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is being played. `first` is the place of the earliest sound waiting for its time.
    Waiting { first: Option<i64> },
    /// Frames go out. `made_up` of them, since packets stopped coming, were not on the timeline.
    Playing { made_up: i64 },
}

impl JitterBuffer {
    /// An empty buffer.
    pub fn new(config: JitterConfig) -> Self {
        Self {
            bytes: vec![0; CAPACITY].into_boxed_slice(),
            presence: vec![Presence::Missing; CAPACITY].into_boxed_slice(),
            state: State::Waiting { first: None },
            play: 0,
            end: 0,
            anchor: None,
            new_beginning: false,
            silence_announced: false,
            steering: Steering::new(config),
            heard_quiet: false,
            stats: JitterStats::default(),
        }
    }

    /// Takes a packet of `codec`, which may differ from one packet to the next. `order` is what
    /// [`super::sequence::Sequence`] said of it; duplicates and suspects do not come here.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn push(&mut self, packet: &Packet<'_>, codec: Codec, order: Order, arrived: Instant) -> Pushed {
        let newest = order.is_newest();
        let first = Anchor { timestamp: packet.timestamp, place: OVERTAKEN, origin: arrived };
        let anchor = *self.anchor.get_or_insert(first);
        let at = micros_since(anchor.origin, arrived);
        let length = packet.payload.len() as i64;
        let mut place = anchor.place + i64::from(packet.timestamp.wrapping_sub(anchor.timestamp) as i32);
        let anew = self.begins_anew(order, place, at);
        if newest && !anew && self.state == (State::Waiting { first: None }) {
            // A pause may have been longer than the ring; leave room for what was overtaken by this packet.
            self.skip_to(place - OVERTAKEN);
        }
        let begins = anew || place + length > self.play + CAPACITY as i64;
        if begins && !newest {
            return self.late();
        }
        if begins {
            self.stats.jumps += u64::from(!self.new_beginning);
            place = self.end.max(self.play);
            self.steering.lateness.begin_anew();
            self.new_beginning = false;
            if place + length > self.play + CAPACITY as i64 {
                self.skip_to(place + length - CAPACITY as i64);
            }
        }
        self.learn(at, place);
        if newest {
            self.anchor = Some(Anchor { timestamp: packet.timestamp, place, ..anchor });
            self.silence_announced = false;
        }
        if place + length <= self.play {
            return self.late();
        }
        if matches!(order, Order::Next { missing: 0, .. }) && self.state != (State::Waiting { first: None }) {
            // No packet is missing between the last sound and this one: the sender was silent.
            self.fill(self.end, place, Presence::Silent);
        }
        self.write(place, packet.payload, codec);
        self.state = match self.state {
            State::Waiting { first } => {
                State::Waiting { first: Some(first.unwrap_or(place).min(place).max(self.play)) }
            }
            State::Playing { made_up } => {
                // What was made up while nothing came stands for what never came, if there is such a gap; else it
                // has made the delay longer.
                self.skip_to(place.min(self.play + made_up * FRAME).max(self.play));
                State::Playing { made_up: 0 }
            }
        };
        Pushed::Kept
    }

    /// The newest packet carries no sound but says so: a telephone-event, comfort noise, an empty packet. Running
    /// dry after it is silence, not loss.
    pub fn push_silence(&mut self, order: Order) {
        self.silence_announced |= order.is_newest();
    }

    /// The next packet starts another stream (a new SSRC): its timestamps have nothing to do with ours. What is
    /// buffered is still played.
    pub fn begin_another_stream(&mut self) {
        self.new_beginning = true;
        self.silence_announced = false;
    }

    /// Had the last frame, decoded, no sound that would be missed? Needed of codecs whose bytes mean nothing by
    /// themselves (G.722).
    pub fn heard_quiet(&mut self, quiet: bool) {
        self.heard_quiet = quiet;
    }

    /// Hands out the next frame. Call once per 20 ms tick, also while nothing has been received.
    ///
    /// Per frame: no allocation, no lock, no log.
    pub fn pop(&mut self, now: Instant, frame: &mut EncodedFrame) -> Popped {
        frame.presence.fill(Presence::Missing);
        frame.after_skip = false;
        let Some(Anchor { origin, .. }) = self.anchor else { return Popped::Nothing };
        let at = micros_since(origin, now);
        match self.state {
            State::Waiting { first: Some(first) } if self.steering.begin(at, first * BYTE_MICROS) => {
                self.skip_to(first);
                self.state = State::Playing { made_up: 0 };
            }
            State::Waiting { .. } => return Popped::Nothing,
            State::Playing { made_up } if self.end <= self.play => return self.run_dry(made_up),
            State::Playing { .. } => {}
        }
        if self.steer(at, frame) {
            self.stats.concealed += 1;
            return Popped::Lost;
        }
        self.read(frame);
        self.end = self.end.max(self.play);
        let (missing, silent) = frame.presence.iter().fold((0_u8, 0_u8), |(missing, silent), presence| {
            let (is_missing, is_silent) = (*presence == Presence::Missing, *presence == Presence::Silent);
            (missing + u8::from(is_missing), silent + u8::from(is_silent))
        });
        if missing > 0 {
            self.stats.concealed += 1;
            Popped::Lost
        } else if usize::from(silent) < FRAME_8K {
            Popped::Sound
        } else {
            Popped::Nothing
        }
    }

    /// Counters.
    pub const fn stats(&self) -> JitterStats {
        self.stats
    }

    /// Delay aimed at, in milliseconds.
    pub fn aim_ms(&self) -> u64 {
        self.steering.aim_ms()
    }

    /// How much faster the sender's clock runs than ours, parts per million; `None` before that can be told.
    pub fn drift_ppm(&self) -> Option<f64> {
        self.steering.lateness.drift_ppm()
    }

    /// Sound waiting in the buffer, in milliseconds. Never more than 512.
    pub fn buffered_ms(&self) -> u64 {
        (self.end - self.play).max(0).unsigned_abs() / 8
    }

    /// Does this packet open a new timeline instead of continuing the present one?
    fn begins_anew(&self, order: Order, place: i64, at: i64) -> bool {
        let off = self.steering.off(at, place * BYTE_MICROS);
        let dry = self.state == State::Waiting { first: None };
        let follows = matches!(order, Order::Next { missing: 0, .. });
        self.new_beginning
            || matches!(order, Order::Restarted { .. })
            || Steering::is_jump(off)
            || (dry && follows && off > STALLED_JUMP_MICROS)
    }

    /// Updates what is known of the network with one arrival.
    fn learn(&mut self, at: i64, place: i64) {
        // A packet that begins inside a frame is needed when the frame begins.
        let inside = match self.state {
            State::Waiting { first: None } => 0,
            State::Waiting { first: Some(first) } => (place - first).rem_euclid(FRAME),
            State::Playing { .. } => (place - self.play).rem_euclid(FRAME),
        };
        self.steering.lateness.push(at, at - place * BYTE_MICROS, inside * BYTE_MICROS);
    }

    /// Brings the delay nearer to the aim by skipping ahead, or by asking for a made-up frame (`true`).
    fn steer(&mut self, at: i64, frame: &mut EncodedFrame) -> bool {
        let quiet = self.steering.follow(at, self.play * BYTE_MICROS) && self.is_quiet_ahead();
        // One frame must remain to be played.
        let spare = (self.end - self.play) / FRAME - 1;
        match self.steering.correct(at, quiet, spare) {
            0 => {}
            ..0 => {
                self.stats.inserted += 1;
                return true;
            }
            frames => {
                self.stats.skipped += frames.unsigned_abs();
                self.skip_to(self.play + frames * FRAME);
                frame.after_skip = true;
            }
        }
        false
    }

    /// Holds the next frame no sound that would be missed?
    fn is_quiet_ahead(&self) -> bool {
        (self.play..self.play + FRAME).map(slot).all(|slot| match self.presence[slot] {
            Presence::Sound(codec) => match codec.law() {
                Some(law) => law.decode(self.bytes[slot]).unsigned_abs() <= QUIET_PEAK,
                None => self.heard_quiet,
            },
            Presence::Silent | Presence::Missing => true,
        })
    }

    /// Packets have stopped coming.
    fn run_dry(&mut self, made_up: i64) -> Popped {
        if self.silence_announced || made_up >= DRY_FRAMES {
            self.state = State::Waiting { first: None };
            return Popped::Nothing;
        }
        self.state = State::Playing { made_up: made_up + 1 };
        self.stats.concealed += 1;
        Popped::Lost
    }

    fn late(&mut self) -> Pushed {
        self.stats.late += 1;
        Pushed::Late
    }

    /// Moves `play` forward, forgetting what lies before.
    fn skip_to(&mut self, place: i64) {
        let until = place.min(self.play + CAPACITY as i64);
        self.fill(self.play, until, Presence::Missing);
        self.play = self.play.max(place);
        self.end = self.end.max(self.play);
    }

    fn fill(&mut self, from: i64, to: i64, presence: Presence) {
        for part in slots(from, to) {
            self.presence[part].fill(presence);
        }
    }

    /// Stores sound from `place` on, except what should have been played before.
    fn write(&mut self, place: i64, payload: &[u8], codec: Codec) {
        let end = place + payload.len() as i64;
        let from = place.max(self.play);
        let mut rest = payload.get((from - place) as usize..).unwrap_or_default();
        for part in slots(from, end) {
            let (now, later) = rest.split_at(part.len());
            self.bytes[part.clone()].copy_from_slice(now);
            self.presence[part].fill(Presence::Sound(codec));
            rest = later;
        }
        self.end = self.end.max(end);
    }

    /// Takes one frame off the timeline.
    fn read(&mut self, frame: &mut EncodedFrame) {
        let mut read = 0;
        for part in slots(self.play, self.play + FRAME) {
            let now = read..read + part.len();
            frame.bytes[now.clone()].copy_from_slice(&self.bytes[part.clone()]);
            frame.presence[now].copy_from_slice(&self.presence[part.clone()]);
            read += part.len();
            self.presence[part].fill(Presence::Missing);
        }
        self.play += FRAME;
    }
}

fn slot(place: i64) -> usize {
    place as usize & (CAPACITY - 1)
}

/// The ring from one place to another, which lies in two parts where it goes round its end. Never more than all of it.
fn slots(from: i64, to: i64) -> [Range<usize>; 2] {
    let count = (to - from).clamp(0, CAPACITY as i64) as usize;
    let begin = slot(from);
    let first = count.min(CAPACITY - begin);
    [begin..begin + first, 0..count - first]
}

#[cfg(test)]
#[path = "jitter_tests.rs"]
mod tests;
