//! Keys that we press: telephone-events on their way out (RFC 4733 §2.5).
//!
//! ```text
//!   frame     0        1        2        3        4        5        6        7
//!   sound  ▓▓▓▓▓▓▓▓│                  held back                          │▓▓▓▓▓▓▓▓
//!   event          │start    more     end     end, end once more          │
//!   ticks          │160      320      480     480      480                │
//! ```
//!
//! Every packet of an event carries the timestamp of its beginning and how long it has lasted; the last one comes three
//! times, so that a loss neither swallows a key nor makes it last.

use std::collections::VecDeque;

use super::Digit;
use crate::audio::FRAME_MS;

/// Keys that may wait. A card number and its date are twenty.
const QUEUE: usize = 32;
/// ITU-T Q.24: a receiver may overlook what is shorter.
const LEAST_TONE_MS: u32 = 40;
/// Frames between two keys: the repeats of the end need two, and ITU-T Q.24 asks for 40 ms of nothing.
const LEAST_GAP_FRAMES: u32 = 3;
/// How often the end is said again.
const REPEATS: u32 = 2;
/// RFC 4733 §2.3: dBm0 below zero; as loud as telephones press.
const VOLUME: u8 = 10;
/// The flag of the last packet.
const END: u8 = 0x80;

/// One packet of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// As it was agreed on.
    pub payload_type: u8,
    /// The first of its event.
    pub marker: bool,
    /// When the event began.
    pub timestamp: u32,
    /// Event, end and volume, duration.
    pub payload: [u8; 4],
}

/// The keys of one stream.
#[derive(Debug)]
pub struct EventSender {
    payload_type: Option<u8>,
    /// Ticks of the event's clock in a frame.
    frame_ticks: u32,
    waiting: VecDeque<Key>,
    state: State,
    due: Option<EventPacket>,
}

#[derive(Clone, Copy, Debug)]
struct Key {
    digit: Digit,
    tone_frames: u32,
    gap_frames: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    /// `sounded` frames of the tone have been sent.
    Tone {
        key: Key,
        since: u32,
        sounded: u32,
    },
    /// `passed` frames of the gap are over.
    Gap {
        key: Key,
        since: u32,
        passed: u32,
    },
}

impl EventSender {
    /// Nothing pressed. Without a payload type nothing can be.
    pub fn new(payload_type: Option<u8>, clock_hz: u32) -> Self {
        Self {
            payload_type,
            frame_ticks: clock_hz / 1_000 * FRAME_MS,
            waiting: VecDeque::with_capacity(QUEUE),
            state: State::Idle,
            due: None,
        }
    }

    /// Another agreement holds. Keys go on under its payload type; without one they are forgotten.
    pub fn renegotiate(&mut self, payload_type: Option<u8>, clock_hz: u32) {
        (self.payload_type, self.frame_ticks) = (payload_type, clock_hz / 1_000 * FRAME_MS);
        if payload_type.is_none() {
            self.waiting.clear();
            (self.state, self.due) = (State::Idle, None);
        }
    }

    /// Presses a key for `tone_ms` (at least 40 ms; as long as the duration field reaches, 1.3 s and more), and then none
    /// for `gap_ms` (at least 60). `false` when the far end takes no keys, or too many wait.
    pub fn press(&mut self, digit: Digit, tone_ms: u32, gap_ms: u32) -> bool {
        if self.payload_type.is_none() || self.waiting.len() == QUEUE {
            return false;
        }
        let longest = u32::from(u16::MAX) / self.frame_ticks.max(1);
        let tone_frames = tone_ms.max(LEAST_TONE_MS).div_ceil(FRAME_MS).min(longest);
        let gap_frames = gap_ms.div_ceil(FRAME_MS).max(LEAST_GAP_FRAMES);
        self.waiting.push_back(Key { digit, tone_frames, gap_frames });
        true
    }

    /// Is a key down, or waiting to be?
    pub fn is_pressing(&self) -> bool {
        !matches!(self.state, State::Idle) || !self.waiting.is_empty()
    }

    /// One frame of time that begins at `timestamp`. `true`: it belongs to a key, and no sound goes into it.
    ///
    /// Per frame: no allocation, no lock, no log.
    pub fn beat(&mut self, timestamp: u32) -> bool {
        if let State::Idle = self.state
            && let Some(key) = self.waiting.pop_front()
        {
            self.state = State::Tone { key, since: timestamp, sounded: 0 };
        }
        self.state = match self.state {
            State::Idle => return false,
            State::Tone { key, since, sounded } => {
                let sounded = sounded + 1;
                let ended = sounded >= key.tone_frames;
                self.due = self.packet(key, since, sounded, ended);
                if ended { State::Gap { key, since, passed: 0 } } else { State::Tone { key, since, sounded } }
            }
            State::Gap { key, since, passed } => {
                if passed < REPEATS {
                    self.due = self.packet(key, since, key.tone_frames, true);
                }
                let passed = passed + 1;
                if passed >= key.gap_frames { State::Idle } else { State::Gap { key, since, passed } }
            }
        };
        true
    }

    /// What [`Self::beat`] left to be sent.
    pub fn poll(&mut self) -> Option<EventPacket> {
        self.due.take()
    }

    fn packet(&self, key: Key, since: u32, sounded: u32, ended: bool) -> Option<EventPacket> {
        let [.., high, low] = (sounded * self.frame_ticks).to_be_bytes();
        Some(EventPacket {
            payload_type: self.payload_type?,
            marker: sounded == 1,
            timestamp: since,
            payload: [key.digit.event(), VOLUME | if ended { END } else { 0 }, high, low],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::packet::Packet;
    use crate::rtp::telephone_event::TelephoneEvents;
    use crate::time::{Clock, SystemClock};

    fn digit(face: char) -> Digit {
        Digit::new(face).unwrap()
    }

    /// Every packet of `frames` frames: at which frame, marker, timestamp, payload.
    fn sent(events: &mut EventSender, frames: u32) -> Vec<(u32, bool, u32, [u8; 4])> {
        let mut sent = Vec::new();
        for frame in 0..frames {
            events.beat(frame * 160);
            sent.extend(events.poll().map(|packet| (frame, packet.marker, packet.timestamp, packet.payload)));
        }
        sent
    }

    #[test]
    fn a_key_has_a_start_updates_and_three_ends() {
        let mut events = EventSender::new(Some(101), 8_000);
        assert!(!events.is_pressing() && !events.beat(0) && events.poll().is_none());
        assert!(events.press(digit('#'), 70, 0));
        let expected = [
            (0, true, 0, [11, 10, 0, 160]),
            (1, false, 0, [11, 10, 1, 64]),
            (2, false, 0, [11, 10, 1, 224]),
            (3, false, 0, [11, 138, 2, 128]),
            (4, false, 0, [11, 138, 2, 128]),
            (5, false, 0, [11, 138, 2, 128]),
        ];
        assert_eq!(sent(&mut events, 6), expected);
        assert!(events.is_pressing());
        assert!(events.beat(960) && !events.beat(1_120) && !events.is_pressing());
    }

    #[test]
    fn keys_follow_each_other_with_a_gap_and_are_heard_as_they_were_pressed() {
        let mut events = EventSender::new(Some(96), 8_000);
        let typed = "1159*0";
        assert!(typed.chars().all(|key| events.press(digit(key), 100, 50)));
        let mut heard = TelephoneEvents::default();
        let mut keys = String::new();
        let now = SystemClock.now().mono;
        for (sequence, (frame, marker, timestamp, payload)) in sent(&mut events, 60).into_iter().enumerate() {
            // One packet in three is lost.
            if sequence % 3 == 1 {
                continue;
            }
            let sequence = sequence as u16;
            let packet = Packet { marker, payload_type: 96, sequence, timestamp, ssrc: 1, payload: &payload };
            let press = heard.push(&packet, now + std::time::Duration::from_millis(u64::from(frame) * 20)).unwrap();
            keys.extend(press.map(|press| press.digit.face()));
        }
        assert_eq!(keys, typed);
        assert!(!events.is_pressing());
    }

    #[test]
    fn lengths_stay_within_what_the_duration_field_holds() {
        // Clock, asked, frames sounded.
        for (clock_hz, tone_ms, frames) in [(8_000, 0, 2), (8_000, 60_000, 409), (48_000, 60_000, 68), (48_000, 100, 5)]
        {
            let mut events = EventSender::new(Some(101), clock_hz);
            assert!(events.press(digit('5'), tone_ms, 0));
            let sent = sent(&mut events, 500);
            let duration = u32::from(sent[sent.len() - 1].3[2]) << 8 | u32::from(sent[sent.len() - 1].3[3]);
            assert_eq!(duration, frames * clock_hz / 50, "{clock_hz} Hz, {tone_ms} ms");
            assert_eq!(sent.len() as u32, frames + 2);
        }
    }

    #[test]
    fn nothing_is_pressed_for_whom_takes_no_keys_and_not_without_end() {
        let mut none = EventSender::new(None, 8_000);
        assert!(!none.press(digit('1'), 100, 50) && !none.beat(0));
        let mut events = EventSender::new(Some(101), 8_000);
        assert_eq!((0..40).filter(|_| events.press(digit('1'), 100, 50)).count(), 32);
        events.beat(0);
        events.renegotiate(None, 8_000);
        assert!(events.poll().is_none() && !events.is_pressing());
        events.renegotiate(Some(97), 8_000);
        assert!(events.press(digit('1'), 100, 50) && events.beat(0));
        assert_eq!(events.poll().map(|packet| packet.payload_type), Some(97));
    }
}
