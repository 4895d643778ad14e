//! Errands: something is done for the call elsewhere while the caller waits, and a filler bridges a wait that grows long.
//!
//! ```text
//!   plan    Errand ──────────────────────────────▶ Done
//!   caller         silence │ filler ▓▓▓▓▓▓▓▓▓▓▓▓▓▓ │ what comes next, behind the filler
//!                          after                   result, or patience
//! ```

use std::time::{Duration, Instant};

use crate::call::machine::{Call, State};
use crate::call::{Output, TimelineEvent};
use crate::dialplan::interpreter::Line;
use crate::dialplan::plan::StepIx;
use crate::dialplan::step::{Done, Errand, Event};
use crate::media::BargeIn;
use crate::time::Now;

/// An errand that a call waits for.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Which, within the call.
    id: u64,
    step: StepIx,
    until: Instant,
    filler: Option<(Instant, Vec<Line>)>,
}

impl Waiting {
    /// What is due first: the filler, or the end of the patience.
    pub(super) fn due(&self) -> Instant {
        self.filler.as_ref().map_or(self.until, |(at, _)| (*at).min(self.until))
    }
}

impl Call {
    /// Sends somebody, and waits.
    pub(super) fn errand(
        &mut self,
        step: StepIx,
        errand: Errand,
        (filler, after): (Vec<Line>, Duration),
        patience: Duration,
        now: Now,
    ) {
        self.forget_spoken_ahead();
        self.errands += 1;
        let id = self.errands;
        let filler = (!filler.is_empty()).then(|| (now.mono + after, filler));
        if let Errand::Message(taking) = errand {
            let until = self.take_message(id, taking, now);
            self.state = State::Waiting(Waiting { id, step, until, filler: None });
            return;
        }
        self.state = State::Waiting(Waiting { id, step, until: now.mono + patience, filler });
        if errand == Errand::Forget {
            self.forget_message();
            self.errand_done(id, Done::Nothing, now);
            return;
        }
        self.outputs.push_back(Output::Timeline(TimelineEvent::Waits { step: self.step_name().to_owned() }));
        self.outputs.push_back(Output::Errand { id, errand });
    }

    /// Somebody is back; news of an errand that nobody waits for any more is none.
    pub(super) fn errand_done(&mut self, id: u64, done: Done, now: Now) {
        if matches!(&self.state, State::Waiting(waiting) if waiting.id == id) {
            self.follow(&Event::Done(Box::new(done)), now);
        }
    }

    pub(super) fn errand_due(&mut self, now: Now) {
        if self.message_overdue(now) {
            return;
        }
        let State::Waiting(waiting) = &mut self.state else { return };
        if now.mono >= waiting.until {
            self.follow(&Event::Done(Box::new(Done::Nothing)), now);
            return;
        }
        let Some((_, lines)) = waiting.filler.take() else { return };
        let step = waiting.step;
        self.play(step, &lines, BargeIn::Off, false, now);
    }
}
