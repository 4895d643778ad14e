//! What a leg says: prompts, keys, hold music, silence.

use std::time::Instant;

use super::{Reports, Send, Session};
use crate::audio::FRAME_8K;
use crate::audio::level::{SILENCE_DBOV, rms_dbov};
use crate::media::{MediaEvent, PlayEnd};
use crate::rtp::sender::MAX_PACKET_BYTES;

/// How long a key that crosses a bridge is held, milliseconds, and the silence after it.
const TONE_MS: u32 = 100;
/// What Q.24 asks for between two keys, and a little.
const GAP_MS: u32 = 60;

impl Session {
    pub(super) fn speak(&mut self, frame: &mut [i16; FRAME_8K], now: Instant, missed: u32, send: Send<'_>) {
        let destination = self.receiver.destination().filter(|_| self.params.send);
        let Some(to) = destination else {
            // On hold, or nobody said yet where to: time passes, prompts wait, so that they are heard whole.
            self.sender.skip(missed + 1);
            self.guard.played(SILENCE_DBOV);
            let mut reports = Reports { events: &mut self.events, lost: &mut self.events_lost };
            self.playout.reap(now, |event| reports.push(event));
            return;
        };
        self.sender.skip(missed);
        let sounds = match self.sender.is_pressing() {
            true => self.pass_over(),
            false => self.sound(frame),
        };
        self.guard.played(if sounds { rms_dbov(frame) } else { SILENCE_DBOV });
        self.sender.push_frame(frame);
        let mut packet = [0; MAX_PACKET_BYTES];
        let (mut complete, mut sent) = (false, true);
        while let Some(length) = self.sender.poll_packet(&mut packet) {
            let sealed = match &mut self.srtp {
                Some(srtp) => srtp.sealer.rtp(&mut packet, length),
                None => Some(length),
            };
            let left = sealed.is_some_and(|length| send(to, &packet[..length]));
            (complete, sent) = (true, sent && left);
            self.packets_out += u64::from(left);
        }
        // Silence for which no packet is needed is heard as well.
        complete |= self.sender.take_unsent();
        if std::mem::replace(&mut self.pressing, self.sender.is_pressing()) && !self.pressing {
            self.tell(MediaEvent::KeysSent);
        }
        if complete {
            let mut reports = Reports { events: &mut self.events, lost: &mut self.events_lost };
            self.playout.delivered(sent, now, |event| reports.push(event));
        }
    }

    /// Fills `frame` with what the caller hears next; `false` when that is silence.
    fn sound(&mut self, frame: &mut [i16; FRAME_8K]) -> bool {
        let fades = self.fading.take().is_some_and(|over| over.last_frame(frame));
        if let Some(hold) = &mut self.hold {
            return hold.frame(frame);
        }
        let said = fades || self.playout.frame(frame);
        match (&mut self.bridge, &mut self.background) {
            (Some(_), _) => self.bridged(frame, said),
            (None, Some(background)) => {
                background.frame(frame, said);
                true
            }
            (None, None) => said,
        }
    }

    /// A key is down: prompts wait, but the far end of a bridge talks on.
    fn pass_over(&mut self) -> bool {
        self.bridged(&mut [0; FRAME_8K], false);
        false
    }

    /// Adds what the other leg hears to what is `said` here, and presses the keys that were pressed there.
    fn bridged(&mut self, frame: &mut [i16; FRAME_8K], said: bool) -> bool {
        let Self { bridge, sender, .. } = self;
        let Some(bridge) = bridge else { return said };
        let mut theirs = [0; FRAME_8K];
        let sounds = bridge.frame(&mut theirs, |key| _ = sender.press(key, TONE_MS, GAP_MS));
        if said {
            frame.iter_mut().zip(theirs).for_each(|(ours, theirs)| *ours = ours.saturating_add(theirs));
        } else {
            *frame = theirs;
        }
        if bridge.is_over() {
            self.bridge = None;
        }
        said || sounds
    }

    pub(super) fn close(&mut self, now: Instant) {
        if !self.closed {
            self.closed = true;
            self.playout.stop(PlayEnd::Flushed, |_| true);
            let mut reports = Reports { events: &mut self.events, lost: &mut self.events_lost };
            self.playout.delivered(false, now, |event| reports.push(event));
        }
    }
}
