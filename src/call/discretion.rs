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
use crate::call::turn::TurnEnd;
use crate::dialplan::interpreter::{Act, Asking};
use crate::dialplan::step::{Answer, Errand};
use crate::media::MediaCommand;
use crate::pii::Pii;
use crate::spoken::redact;
use crate::time::Now;
use crate::value::Value;

/// The caller is kept out of the recording from this long before the question, or before the first key or word that came
/// ahead of it.
const PRE_ROLL: Duration = Duration::from_millis(500);
/// Fewer digits than these are no secret by themselves.
const SHORTEST_SECRET: usize = 3;
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
    /// Pauses the recording before a sensitive question or message, and goes on with it before whatever comes then.
    pub(super) fn be_discreet(&mut self, act: &Act, now: Now) {
        let secret = match act {
            Act::Ask(asking) => self.is_secret(asking),
            Act::Errand { errand: Errand::Message(taking), .. } => taking.sensitive,
            _ => false,
        };
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

    /// An answer that holds what this plan asks for as a secret elsewhere: the same without it, and the recording without
    /// the piece. `None` where there is nothing to hide.
    pub(super) fn without_secrets(&mut self, asking: &Asking, end: &TurnEnd) -> Option<Box<TurnEnd>> {
        let heard = end.heard.as_ref().or(end.keys.as_ref())?.reveal();
        if self.is_secret(asking) {
            return None;
        }
        // Nearly every answer ends here.
        redact::without_digits(heard, self.interpreter.language(), SHORTEST_SECRET, |_| false)?;
        let least = self.shortest_secret()?;
        let known: Vec<String> = end.answer.as_ref().map(values_of).unwrap_or_default();
        let keep = |digits: &str| known.iter().any(|value| value.contains(digits));
        let language = self.interpreter.language();
        let open = |text: &Pii<String>| redact::without_digits(text.reveal(), language, least, keep).map(Pii::new);
        let (heard, keys) = (end.heard.as_ref().and_then(open), end.keys.as_ref().and_then(open));
        let answer = match &end.answer {
            Some(Answer::Value(value)) => match value.reveal() {
                Value::Text(text) => open(&Pii::new(text.clone())),
                _ => None,
            },
            _ => None,
        };
        if heard.is_none() && keys.is_none() && answer.is_none() {
            return None;
        }
        if !self.discretion.paused {
            let since = end.at.checked_sub(PRE_ROLL).unwrap_or(end.at);
            self.outputs.push_back(Output::Media(MediaCommand::PauseRecording { since }));
            self.outputs.push_back(Output::Media(MediaCommand::ResumeRecording));
        }
        let mut open = Box::new(end.clone());
        open.heard = heard.or(open.heard);
        open.keys = keys.or(open.keys);
        if let Some(text) = answer {
            open.answer = Some(Answer::Value(Pii::new(Value::Text(text.into_inner()))));
        }
        Some(open)
    }

    /// Digits of the shortest secret that this plan asks for.
    fn shortest_secret(&self) -> Option<usize> {
        let quests = self.plan.steps.iter().flat_map(|step| step.kind.quests());
        quests.filter_map(|quest| quest.ear.secret_digits()).min().map(|least| least.max(SHORTEST_SECRET))
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

/// What was understood, as digits; words are none.
fn values_of(answer: &Answer) -> Vec<String> {
    let digits = |value: &Value| -> String {
        match value {
            Value::Text(_) => String::new(),
            value => value.plain().chars().filter(char::is_ascii_digit).collect(),
        }
    };
    match answer {
        Answer::Value(value) => vec![digits(value.reveal())],
        Answer::Filled(filled) => filled.values.iter().map(|(_, value, _)| digits(value.reveal())).collect(),
        Answer::Option(_) | Answer::Universal(_) => Vec::new(),
    }
}
