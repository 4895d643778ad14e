//! A message that the caller leaves: into a file of its own, until they press a key, fall silent, or time is up.
//!
//! ```text
//!   plan    Errand::Message ────────────────────────────────────────▶ Done::Message
//!   caller           ▒▒▒▒▒▒▒▒▒░░▒▒▒▒▒▒▒░░░░░░░░░│ silence, or a key
//!   media            Record ────────────────────│ EndRecord ──▶ Recorded
//! ```
//!
//! Whoever hangs up instead has left it all the same: media reports what it has before it closes.

use std::time::{Duration, Instant};

use crate::call::machine::{Call, State};
use crate::call::{MessageOrder, Output};
use crate::dialplan::outcome::{Outcome, OutcomeKind};
use crate::dialplan::step::{Done, Message, Taking};
use crate::media::Recording;
use crate::pii::Pii;
use crate::time::Now;

/// Media says within this what became of the file.
const FILE_PATIENCE: Duration = Duration::from_secs(10);

/// A message under way.
#[derive(Debug)]
pub(super) struct Take {
    /// The step that takes it.
    step: String,
    /// The errand it is.
    errand: u64,
    taking: Taking,
    began: Instant,
    /// The caller is speaking; else silent since then.
    silent_since: Option<Instant>,
    /// They have been heard at all.
    spoke: bool,
    /// It ended because nobody said anything.
    empty: bool,
    /// Taken until then.
    ended: Option<Instant>,
}

impl Take {
    /// When it is to end, if nothing happens before.
    fn due(&self) -> Option<Instant> {
        let longest = self.began + self.taking.longest;
        let silent = self.silent_since.map(|since| since + self.taking.silence);
        self.ended.is_none().then(|| silent.map_or(longest, |silent| silent.min(longest)))
    }
}

impl Call {
    /// Is the caller's message being taken?
    pub fn takes_message(&self) -> bool {
        self.message_due().is_some()
    }

    /// Begins to take a message; the errand's own patience ends it if media never says a word.
    pub(super) fn take_message(&mut self, errand: u64, taking: Taking, now: Now) -> Instant {
        let until = now.mono + taking.longest + FILE_PATIENCE;
        self.messages += 1;
        // The key that cut the prompt short is no answer to anything.
        self.typed_ahead = Pii::new(Vec::new());
        let step = self.step_name().to_owned();
        let (began, silent_since) = (now.mono, Some(now.mono));
        self.take = Some(Take { step, errand, taking, began, silent_since, spoke: false, empty: false, ended: None });
        self.outputs.push_back(Output::Message(MessageOrder::Begin { number: self.messages }));
        until
    }

    /// When the message under way is to end.
    pub(super) fn message_due(&self) -> Option<Instant> {
        self.take.as_ref().and_then(Take::due)
    }

    /// The caller has fallen silent, or time is up. Was that so?
    pub(super) fn message_overdue(&mut self, now: Now) -> bool {
        let due = self.message_due().is_some_and(|due| due <= now.mono);
        if due {
            if let Some(take) = &mut self.take {
                take.empty = !take.spoke;
            }
            self.end_message(now.mono);
        }
        due
    }

    /// A key ends it. Is one being taken?
    pub(super) fn message_keyed(&mut self, at: Instant) -> bool {
        let taking = self.message_due().is_some();
        if taking {
            self.end_message(at);
        }
        taking
    }

    /// The caller speaks (`None`), or has paused then. Is a message being taken?
    pub(super) fn message_heard(&mut self, paused: Option<Instant>) -> bool {
        match &mut self.take {
            Some(take) if take.ended.is_none() => {
                take.silent_since = paused;
                take.spoke = true;
                true
            }
            _ => false,
        }
    }

    /// The caller wants the message gone that they have just left.
    pub(super) fn forget_message(&mut self) {
        let step = self.step_name().to_owned();
        if let Some(path) = self.scribe.forget_message(&step) {
            self.outputs.push_back(Output::Message(MessageOrder::Forget { path }));
        }
    }

    /// The call ends: what has been said until now is the message.
    pub(super) fn cut_message(&mut self, now: Instant) {
        if let Some(take) = self.take.as_mut().filter(|take| take.ended.is_none()) {
            take.ended = Some(now);
        }
    }

    fn end_message(&mut self, at: Instant) {
        self.cut_message(at);
        self.outputs.push_back(Output::Message(MessageOrder::End));
    }

    /// Media has closed the file.
    pub(super) fn message_taken(&mut self, recording: Recording, now: Now) {
        let Some(take) = self.take.take() else { return };
        let lasted = take.ended.unwrap_or(now.mono).saturating_duration_since(take.began);
        let ms = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
        let mut left = None;
        match recording {
            Recording::Saved { path } if lasted >= take.taking.least && !take.empty => {
                left = Some(Message { file: path.clone(), ms });
                self.scribe.message(Outcome { step: take.step, kind: OutcomeKind::Message { file: path, ms } });
            }
            // Silence only, or somebody breathed in and hung up.
            Recording::Saved { path } => self.outputs.push_back(Output::Message(MessageOrder::Forget { path })),
            Recording::Off | Recording::Failed { .. } => {}
        }
        if !matches!(self.state, State::Leaving { .. } | State::Over) {
            self.errand_done(take.errand, Done::Message(left), now);
        }
    }
}
