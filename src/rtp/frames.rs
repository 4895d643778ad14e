//! Jitter buffer for codecs whose packets cannot be cut anywhere: Opus and G.729.
//!
//! Packets wait in the order of their sequence numbers and are decoded in that order, each once, when its sound is
//! needed; what was decoded waits as samples, so that packets of any length become frames of 20 ms.
//!
//! ```text
//!            next        newest
//!   … decoded │ 7 │   │ 9 │10 │      packets, by sequence number; 8 is missing: its codec makes it up, from 9
//!        ▼
//!      ready ░░░░░│                  decoded samples ─▶ frame ─▶ frame
//! ```
//!
//! How long sound waits is decided by `steering`; what is skipped are decoded samples, so that no decoder ever
//! misses a packet that came.

use std::time::Instant;

use super::jitter::{JitterConfig, JitterStats, Pushed};
use super::lateness::micros_since;
use super::packet::Packet;
use super::sequence::Order;
use super::steering::{Anchor, DRY_FRAMES, QUIET_PEAK, Steering};
use crate::audio::FRAME_8K;
use crate::audio::codec::{Decoder, MOST_SAMPLES};
use crate::audio::g729;
use crate::audio::plc::Concealer;
use crate::rtp::Codec;

/// Packets kept: 640 ms of the usual 20.
const SLOTS: u64 = 32;
/// Longest payload taken of Opus: at 64 kbit/s it fills this in 160 ms.
const LONGEST_OPUS: usize = 1_280;
/// Longest payload of G.729: 110 ms of sound and a description of silence.
const LONGEST_G729: usize = MOST_SAMPLES / g729::FRAME * g729::FRAME_BYTES;
/// Samples that may wait: nearly two frames, and the longest packet.
const READY: usize = MOST_SAMPLES + 2 * FRAME_8K;
/// One sample in microseconds.
const SAMPLE_MICROS: i64 = 125;

/// The buffer. About 45 kB, for G.729 alone 7 kB, all of it allocated by `new` and [`FrameBuffer::make_room`].
#[derive(Debug)]
pub struct FrameBuffer {
    codec: Codec,
    slots: Box<[Slot; SLOTS as usize]>,
    bytes: Box<[u8]>,
    longest: usize,
    state: State,
    /// Sequence index of the next packet to decode; those before are late.
    next: u64,
    /// The newest packet here.
    newest: u64,
    /// Where the sound of `next` begins on the sender's timeline, if nothing is missing before it.
    play: i64,
    anchor: Option<Anchor>,
    new_beginning: bool,
    silence_announced: bool,
    steering: Steering,
    /// Samples made up since packets stopped coming.
    made_up: usize,
    ready: Ready,
    stats: JitterStats,
}

/// What came under one sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Slot {
    /// Nothing yet.
    #[default]
    Missing,
    /// A packet without sound of this codec: a key, comfort noise. Nothing to decode, and nothing lost either.
    Silent,
    /// Sound that begins at `place`.
    Sound { place: i64, length: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is being played; perhaps packets wait for their time.
    Waiting,
    Playing,
}

/// Decoded samples.
#[derive(Debug)]
struct Ready {
    samples: Box<[i16; READY]>,
    length: usize,
    /// Some of them were made up.
    concealed: bool,
}

/// What a frame consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// What the far end sent.
    Sound,
    /// At least in part made up.
    Concealed,
    /// What the far end described instead of sending it.
    Noise,
    /// Nothing to play.
    Nothing,
}

impl FrameBuffer {
    /// An empty buffer for packets of `codec`.
    pub fn new(codec: Codec, config: JitterConfig) -> Self {
        let longest = longest(codec);
        Self {
            codec,
            slots: Box::new([Slot::Missing; SLOTS as usize]),
            bytes: vec![0; SLOTS as usize * longest].into_boxed_slice(),
            longest,
            state: State::Waiting,
            next: 0,
            newest: 0,
            play: 0,
            anchor: None,
            new_beginning: true,
            silence_announced: false,
            steering: Steering::new(config),
            made_up: 0,
            ready: Ready { samples: Box::new([0; READY]), length: 0, concealed: false },
            stats: JitterStats::default(),
        }
    }

    /// Packets of `codec` may come, too. Allocates; what waits stays.
    pub fn make_room(&mut self, codec: Codec) {
        let longest = longest(codec);
        if longest > self.longest {
            let mut bytes = vec![0; SLOTS as usize * longest].into_boxed_slice();
            for (new, old) in bytes.chunks_exact_mut(longest).zip(self.bytes.chunks_exact(self.longest)) {
                new[..self.longest].copy_from_slice(old);
            }
            (self.bytes, self.longest) = (bytes, longest);
        }
    }

    /// Packets of `codec` come from now on: another stream.
    pub fn change_codec(&mut self, codec: Codec) {
        self.codec = codec;
        self.begin_another_stream();
    }

    /// Longest payload that is taken.
    pub const fn longest(&self) -> usize {
        self.longest
    }

    /// Takes a packet that is no longer than [`Self::longest`]; see [`super::jitter::JitterBuffer::push`].
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn push(&mut self, packet: &Packet<'_>, order: Order, arrived: Instant) -> Pushed {
        let (Some(index), newest) = (order.index(), order.is_newest()) else { return Pushed::Late };
        let first = Anchor { timestamp: packet.timestamp, place: 0, origin: arrived };
        let anchor = *self.anchor.get_or_insert(first);
        let at = micros_since(anchor.origin, arrived);
        let ticks = i64::from(packet.timestamp.wrapping_sub(anchor.timestamp) as i32);
        let mut place = anchor.place + ticks * 8_000 / i64::from(self.codec.clock_rate_hz());
        let anew = self.new_beginning
            || matches!(order, Order::Restarted { .. })
            || Steering::is_jump(self.steering.off(at, place * SAMPLE_MICROS))
            || index >= self.next + SLOTS;
        if anew && !newest || !anew && index < self.next {
            self.stats.late += 1;
            return Pushed::Late;
        }
        if anew {
            self.stats.jumps += u64::from(!self.new_beginning);
            place = self.begin_anew(index, place);
        }
        self.steering.lateness.push(at, at - place * SAMPLE_MICROS, 0);
        if newest {
            self.anchor = Some(Anchor { timestamp: packet.timestamp, place, ..anchor });
            self.silence_announced = false;
            self.newest = index;
        }
        self.slots[slot(index)] = Slot::Sound { place, length: packet.payload.len() };
        self.bytes[slot(index) * self.longest..][..packet.payload.len()].copy_from_slice(packet.payload);
        Pushed::Kept
    }

    /// See [`super::jitter::JitterBuffer::push_silence`].
    pub fn push_silence(&mut self, order: Order) {
        let (Some(index), newest) = (order.index(), order.is_newest()) else { return };
        self.silence_announced |= newest;
        if self.new_beginning || !(self.next..self.next + SLOTS).contains(&index) {
            return;
        }
        self.newest = self.newest.max(index);
        self.slots[slot(index)] = Slot::Silent;
        while self.next <= self.newest && self.slots[slot(self.next)] == Slot::Silent {
            self.slots[slot(self.next)] = Slot::Missing;
            self.next += 1;
        }
    }

    /// The next packet starts another stream.
    pub fn begin_another_stream(&mut self) {
        self.new_beginning = true;
        self.silence_announced = false;
    }

    /// Fills the next frame. Once per 20 ms tick. What the codec cannot make up itself, `concealer` does, which hears
    /// everything.
    ///
    /// Per frame: no allocation, no lock, no log.
    pub fn pull(
        &mut self,
        now: Instant,
        decoder: &mut Decoder,
        concealer: &mut Concealer,
        frame: &mut [i16; FRAME_8K],
    ) -> Frame {
        let at = self.anchor.map_or(0, |anchor| micros_since(anchor.origin, now));
        if self.state == State::Waiting && !self.begin_playing(at) {
            return nothing(decoder, concealer, frame);
        }
        self.decode_until(FRAME_8K, decoder, concealer);
        if self.ready.length < FRAME_8K {
            return self.run_dry(decoder, concealer, frame);
        }
        let correction = self.steer(at);
        if correction < 0 {
            concealer.conceal(frame);
            self.stats.inserted += 1;
            self.stats.concealed += 1;
            return Frame::Concealed;
        }
        let mut skipped = false;
        if correction > 0 {
            self.decode_until(2 * FRAME_8K, decoder, concealer);
            if self.ready.length >= 2 * FRAME_8K {
                self.ready.take(frame);
                self.stats.skipped += 1;
                skipped = true;
            } else {
                // Nothing to spare: the delay is what it was.
                self.steering.kept(correction);
            }
        }
        let concealed = self.ready.take(frame);
        if skipped {
            concealer.heard_after_skip(frame);
        } else {
            concealer.heard(frame);
        }
        self.stats.concealed += u64::from(concealed);
        if concealed { Frame::Concealed } else { Frame::Sound }
    }

    /// Counters.
    pub const fn stats(&self) -> JitterStats {
        self.stats
    }

    /// Delay aimed at, in milliseconds.
    pub fn aim_ms(&self) -> u64 {
        self.steering.aim_ms()
    }

    /// See [`super::jitter::JitterBuffer::drift_ppm`].
    pub fn drift_ppm(&self) -> Option<f64> {
        self.steering.lateness.drift_ppm()
    }

    /// Another timeline: what waits is given up. Returns where the packet `index`, which begins it, belongs.
    fn begin_anew(&mut self, index: u64, place: i64) -> i64 {
        let place = if self.new_beginning && self.play == 0 { place } else { self.play };
        self.slots.fill(Slot::Missing);
        self.steering.lateness.begin_anew();
        (self.next, self.newest, self.play) = (index, index, place);
        (self.new_beginning, self.state) = (false, State::Waiting);
        place
    }

    /// Has the time of the first packet that waits come?
    fn begin_playing(&mut self, at: i64) -> bool {
        let Some((index, place, _)) = self.sound_from(self.next) else { return false };
        if !self.steering.begin(at, place * SAMPLE_MICROS) {
            return false;
        }
        (self.next, self.play, self.state, self.made_up) = (index, place, State::Playing, 0);
        true
    }

    /// Decodes packets until `enough` samples are ready, or none is left.
    fn decode_until(&mut self, enough: usize, decoder: &mut Decoder, concealer: &mut Concealer) {
        let mut sound = [0; MOST_SAMPLES];
        while self.ready.length < enough && self.next <= self.newest {
            let here = self.slots[slot(self.next)];
            match here {
                Slot::Silent => {}
                Slot::Missing => self.make_up(decoder, concealer, &mut sound),
                Slot::Sound { place, .. } if self.was_silent_until(place) => continue,
                Slot::Sound { place, length } => {
                    let payload = &self.bytes[slot(self.next) * self.longest..][..length];
                    match decoder.decode(payload, &mut sound) {
                        Ok(samples) => {
                            self.ready.push(&sound[..samples], false);
                            self.play = place + samples as i64;
                        }
                        Err(_) => self.make_up(decoder, concealer, &mut sound),
                    }
                    self.made_up = 0;
                }
            }
            self.slots[slot(self.next)] = Slot::Missing;
            self.next += 1;
        }
    }

    /// No number is missing before the packet at `place`, yet time has passed: the sender was silent. Adds up to a frame
    /// of that silence; what we made up in the meantime stands for it.
    fn was_silent_until(&mut self, place: i64) -> bool {
        let gap = usize::try_from(place - self.play).unwrap_or(0);
        if gap < FRAME_8K / 2 || gap <= self.made_up {
            return false;
        }
        let silence = (gap - self.made_up).min(FRAME_8K);
        self.ready.push(&[0; FRAME_8K][..silence], false);
        self.play += (silence + std::mem::take(&mut self.made_up)) as i64;
        true
    }

    /// The first sound here from the number `from` on: its number, place and length.
    fn sound_from(&self, from: u64) -> Option<(u64, i64, usize)> {
        (from..=self.newest).find_map(|index| match self.slots[slot(index)] {
            Slot::Sound { place, length } => Some((index, place, length)),
            _ => None,
        })
    }

    /// Makes up what the packet `next` would have held.
    fn make_up(&mut self, decoder: &mut Decoder, concealer: &mut Concealer, sound: &mut [i16; MOST_SAMPLES]) {
        let Some((later, place, length)) = self.sound_from(self.next + 1) else { return };
        let missing = usize::try_from(place - self.play).unwrap_or(0) / (later - self.next) as usize;
        self.play += missing as i64;
        // In steps of 2.5 ms, the shortest there are of Opus.
        let samples = missing.saturating_sub(std::mem::take(&mut self.made_up)).min(MOST_SAMPLES) / 20 * 20;
        if samples == 0 {
            return;
        }
        let next = (later == self.next + 1).then(|| &self.bytes[slot(later) * self.longest..][..length]);
        if !decoder.conceal(samples, next, &mut sound[..samples]) {
            sound[..samples].chunks_mut(FRAME_8K).for_each(|part| concealer.conceal(part));
        }
        self.ready.push(&sound[..samples], true);
    }

    /// Packets have stopped coming.
    fn run_dry(&mut self, decoder: &mut Decoder, concealer: &mut Concealer, frame: &mut [i16; FRAME_8K]) -> Frame {
        let have = self.ready.length;
        self.ready.take(frame);
        let announced = self.silence_announced || decoder.is_silent();
        if have == 0 && (announced || self.made_up >= DRY_FRAMES as usize * FRAME_8K) {
            self.state = State::Waiting;
            return nothing(decoder, concealer, frame);
        }
        let missing = &mut frame[have..];
        if self.silence_announced {
            missing.fill(0);
        } else if !decoder.conceal(missing.len(), None, missing) {
            concealer.conceal(missing);
        }
        self.made_up += FRAME_8K - have;
        concealer.heard(frame);
        if announced {
            return Frame::Sound;
        }
        self.stats.concealed += 1;
        Frame::Concealed
    }

    /// 1: skip a frame; -1: insert one; 0: leave it as it is.
    fn steer(&mut self, at: i64) -> i64 {
        let head = self.play - self.ready.length as i64;
        let quiet = || self.ready.samples[..FRAME_8K].iter().all(|sample| sample.unsigned_abs() <= QUIET_PEAK);
        let quiet = self.steering.follow(at, head * SAMPLE_MICROS) && quiet();
        // Whether there is one to spare shows when it is decoded.
        self.steering.correct(at, quiet, 1)
    }
}

impl Ready {
    fn push(&mut self, sound: &[i16], concealed: bool) {
        let room = self.samples.len() - self.length;
        let sound = &sound[..sound.len().min(room)];
        self.samples[self.length..][..sound.len()].copy_from_slice(sound);
        self.length += sound.len();
        self.concealed |= concealed;
    }

    /// Moves what there is into `frame`, at most all of it; was some of it made up?
    fn take(&mut self, frame: &mut [i16; FRAME_8K]) -> bool {
        let count = self.length.min(FRAME_8K);
        frame[..count].copy_from_slice(&self.samples[..count]);
        self.samples.copy_within(count..self.length, 0);
        self.length -= count;
        let concealed = self.concealed;
        if self.length == 0 {
            self.concealed = false;
        }
        concealed
    }
}

/// A frame while nothing comes: silence, or what was described of it.
fn nothing(decoder: &mut Decoder, concealer: &mut Concealer, frame: &mut [i16; FRAME_8K]) -> Frame {
    let described = decoder.is_silent() && decoder.conceal(FRAME_8K, None, frame);
    if !described {
        frame.fill(0);
    }
    concealer.heard(frame);
    if described { Frame::Noise } else { Frame::Nothing }
}

const fn longest(codec: Codec) -> usize {
    match codec {
        Codec::G729 => LONGEST_G729,
        _ => LONGEST_OPUS,
    }
}

const fn slot(index: u64) -> usize {
    (index % SLOTS) as usize
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
