//! Telephone keys received as RTP events (RFC 4733): one report per press, whatever the network did to its packets.
//!
//! A press is a run of packets with one RTP timestamp, that of its beginning; the duration grows, the last packet
//! is sent three times. So a press is recognised by its timestamp and reported by the first packet that arrives,
//! be it the start, an update, or one of the ends. Senders that advance the timestamp within a press exist, and
//! are recognised by what else they do: same key, no marker, no pause, a duration that does not fall back.

use std::time::{Duration, Instant};

use super::packet::Packet;
use crate::rtp::Digit;

/// Bytes of an event report (§2.3).
const REPORT_BYTES: usize = 4;
/// Longer silence ends a press whose end was lost: updates come every 50 ms (§2.5.1.1), so two of them are lost.
const LOST_END: Duration = Duration::from_millis(150);
/// Duration at which a sender must begin another segment of the same press (§2.5.1.3), with a new timestamp …
const SEGMENT: u16 = 0xFFFF;
/// … and from which it may: some do so when the next update would not fit any more, and the last one may be lost.
const NEAR_SEGMENT: u16 = 0xF000;
/// Timestamps older than the newest by up to this belong to earlier presses: 10 s at 8 kHz …
const STRAGGLER_TICKS: u32 = 80_000;
/// … unless nothing came for so long that the network cannot still be holding them.
const STRAGGLER_TIME: Duration = Duration::from_secs(1);

/// A key press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Press {
    /// Which key.
    pub digit: Digit,
    /// When its first packet arrived.
    pub at: Instant,
}

/// The payload is too short for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a telephone-event payload of less than four bytes")]
pub struct ShortEvent;

/// Turns event packets into presses.
#[derive(Clone, Copy, Debug, Default)]
pub struct TelephoneEvents {
    last: Option<Event>,
}

/// The newest packet of the newest press.
#[derive(Clone, Copy, Debug)]
struct Event {
    code: u8,
    ssrc: u32,
    timestamp: u32,
    duration: u16,
    ended: bool,
    heard_at: Instant,
}

impl TelephoneEvents {
    /// Takes one packet; a press comes out of its first. Events that are no keys (flash, tones) are passed over.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn push(&mut self, packet: &Packet<'_>, arrived: Instant) -> Result<Option<Press>, ShortEvent> {
        let &[code, flags, d0, d1] = packet.payload.first_chunk::<REPORT_BYTES>().ok_or(ShortEvent)?;
        let event = Event {
            code,
            ssrc: packet.ssrc,
            timestamp: packet.timestamp,
            duration: u16::from_be_bytes([d0, d1]),
            ended: flags & 0x80 != 0,
            heard_at: arrived,
        };
        let Some(last) = &mut self.last else {
            self.last = Some(event);
            return Ok(press(event));
        };
        if event.timestamp == last.timestamp && event.code == last.code {
            // An update, the end, or one of its repetitions; they may overtake each other.
            last.duration = last.duration.max(event.duration);
            last.ended |= event.ended;
            last.heard_at = arrived;
            return Ok(None);
        }
        if last.is_after(event) {
            return Ok(None);
        }
        let same_press = last.goes_on_in(event, packet.marker);
        *last = event;
        Ok(if same_press { None } else { press(event) })
    }
}

impl Event {
    /// Is `other`, arriving now, what remains of an earlier press?
    fn is_after(&self, other: Self) -> bool {
        let age = self.timestamp.wrapping_sub(other.timestamp);
        self.ssrc == other.ssrc
            && (1..STRAGGLER_TICKS).contains(&age)
            && other.heard_at.saturating_duration_since(self.heard_at) < STRAGGLER_TIME
    }

    /// Is `next`, under another timestamp, still this press?
    fn goes_on_in(&self, next: Self, marker: bool) -> bool {
        if next.code != self.code || marker || next.heard_at.saturating_duration_since(self.heard_at) > LOST_END {
            return false;
        }
        let later = next.timestamp.wrapping_sub(self.timestamp);
        let segment = !self.ended
            && self.duration > NEAR_SEGMENT
            && (u32::from(self.duration)..=u32::from(SEGMENT)).contains(&later);
        // A sender that moves the timestamp from packet to packet: the duration goes on. After an end only the
        // repetitions of that end may follow.
        let moving = next.duration >= self.duration && (!self.ended || next.ended);
        segment || moving
    }
}

fn press(event: Event) -> Option<Press> {
    Digit::from_event(event.code).map(|digit| Press { digit, at: event.heard_at })
}

#[cfg(test)]
#[path = "telephone_event_tests.rs"]
mod tests;
