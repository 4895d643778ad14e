//! Secrets: while a sensitive question is open nothing of it is recorded, and what runs on from its answer goes nowhere.
//!
//! ```text
//!   caller   ▒▒ typed ahead │ 4 7 1 1 │ #        a key that follows at once belongs to the answer
//!   question      ────────  │ sensitive │ next
//!   recording ▓▓▓░░░░░░░░░░░│░░░░░░░░░░░│▓▓▓▓▓▓
//! ```
//!
//! Transcripts are the scribe's affair, recordings the media's; here is when.

use std::time::{Duration, Instant};

use crate::call::Output;
use crate::call::machine::Call;
use crate::dialplan::interpreter::{Act, Asking};
use crate::media::MediaCommand;
use crate::pii::Pii;
use crate::time::Now;

/// The caller is kept out of the recording from this long before the question, or before the first key or word that came
/// ahead of it.
const PRE_ROLL: Duration = Duration::from_millis(500);
/// Keys that follow a secret one this closely belong to it.
const RUN_ON: Duration = Duration::from_secs(1);

/// What has to be kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Discretion {
    /// The recording pauses.
    paused: bool,
    /// The first key that was typed ahead and waits for its question.
    pub typed_since: Option<Instant>,
    /// Keys until then run on from a secret.
    runs_on_until: Option<Instant>,
}

impl Call {
    /// Pauses the recording before a sensitive question, and goes on with it before whatever comes then.
    pub(super) fn be_discreet(&mut self, act: &Act, now: Now) {
        let secret = matches!(act, Act::Ask(asking) if self.is_secret(asking));
        match (secret, self.discretion.paused) {
            (true, false) => {
                let typed = self.discretion.typed_since.filter(|_| !self.typed_ahead.reveal().is_empty());
                let spoken = self.spoken_ahead.map(|(_, at)| at);
                let first = [typed, spoken].into_iter().flatten().fold(now.mono, Instant::min);
                let since = first.checked_sub(PRE_ROLL).unwrap_or(first);
                self.outputs.push_back(Output::Media(MediaCommand::PauseRecording { since }));
            }
            (false, true) => self.outputs.push_back(Output::Media(MediaCommand::ResumeRecording)),
            (true, true) | (false, false) => {}
        }
        self.discretion.paused = secret;
    }

    /// Is the answer to this question a secret?
    pub(super) fn is_secret(&self, asking: &Asking) -> bool {
        let step = self.plan.steps.get(asking.step.0);
        step.and_then(|step| step.quest(asking.quest)).is_some_and(|quest| quest.ear.sensitive())
    }

    /// A secret was typed, its last key at that time: what follows at once is no answer to the next question.
    pub(super) fn secret_typed(&mut self, at: Instant) {
        self.discretion.runs_on_until = Some(at + RUN_ON);
        self.typed_ahead = Pii::new(Vec::new());
    }

    /// Does this key run on from a secret that was typed?
    pub(super) fn runs_on(&mut self, at: Instant) -> bool {
        let runs_on = self.discretion.runs_on_until.is_some_and(|until| at <= until);
        if runs_on {
            self.discretion.runs_on_until = Some(at + RUN_ON);
        }
        runs_on
    }
}
