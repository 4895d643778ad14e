//! A recogniser that answers from a script, for tests of everything above it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::engines::Engine;
use super::{Cancel, RecognizeError, Recognizer};
use crate::audio::Pcm;
use crate::language::Language;
use crate::pii::Pii;
use crate::understand::Hypothesis;

/// What comes of one utterance.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Heard, with this confidence.
    Words(String, f32),
    /// There were no words.
    Silence,
    /// It fails.
    Error(RecognizeError),
    /// It panics, as an engine with a bug would.
    Panic,
    /// It works until it is cancelled or [`Script::release`] is called, then hears nothing.
    Hold,
}

impl Answer {
    /// Heard, surely.
    pub fn words(text: &str) -> Self {
        Self::Words(text.to_owned(), 0.95)
    }
}

/// Answers in order, shared by every worker. When they run out nothing is heard.
#[derive(Clone, Default)]
pub struct Script(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    /// Workers inside [`Answer::Hold`].
    held: usize,
    released: bool,
    opened: usize,
}

impl Script {
    /// A script of these answers.
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let script = Self::default();
        script.with(|state| state.answers.extend(answers));
        script
    }

    /// Adds an answer at the end.
    pub fn push(&self, answer: Answer) {
        self.with(|state| state.answers.push_back(answer));
    }

    /// Waits until `workers` of them are inside [`Answer::Hold`].
    pub fn wait_held(&self, workers: usize) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.held < workers {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets every held worker go on, now and later.
    pub fn release(&self) {
        self.with(|state| state.released = true);
    }

    /// How many recognisers were opened: one per worker, one more after each panic.
    pub fn opened(&self) -> usize {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).opened
    }

    fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.changed.notify_all();
    }

    /// Stays until released or cancelled. Cancelling sends no signal, so it looks every millisecond.
    fn hold(&self, cancel: &Cancel) -> Result<Vec<Hypothesis>, RecognizeError> {
        self.with(|state| state.held += 1);
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.released && !cancel.is_cancelled() {
            let wait = self.0.changed.wait_timeout(state, std::time::Duration::from_millis(1));
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.held -= 1;
        if cancel.is_cancelled() { Err(RecognizeError::Cancelled) } else { Ok(Vec::new()) }
    }
}

impl Engine for Script {
    fn name(&self) -> &str {
        "scripted"
    }

    fn hears(&self, _: &Language) -> bool {
        true
    }

    fn open(&self) -> Result<Box<dyn Recognizer>, RecognizeError> {
        self.with(|state| state.opened += 1);
        Ok(Box::new(self.clone()))
    }
}

impl Recognizer for Script {
    fn recognize(&mut self, _: &Pcm, cancel: &Cancel) -> Result<Vec<Hypothesis>, RecognizeError> {
        let mut next = None;
        self.with(|state| next = state.answers.pop_front());
        match next.unwrap_or(Answer::Silence) {
            Answer::Words(text, confidence) => {
                let open_score = confidence.max(1e-3).ln();
                Ok(vec![Hypothesis { text: Pii::new(text), confidence, open_score, grammar_score: None }])
            }
            Answer::Silence => Ok(Vec::new()),
            Answer::Error(error) => Err(error),
            Answer::Panic => panic!("the script says to panic"),
            Answer::Hold => self.hold(cancel),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_order_and_then_silence() {
        let mut script = Script::new([Answer::words("yes"), Answer::Error(RecognizeError::Busy)]);
        let (audio, cancel) = (Pcm::default(), Cancel::default());
        let heard = script.recognize(&audio, &cancel).unwrap();
        assert_eq!(heard[0].text.reveal(), "yes");
        assert_eq!(script.recognize(&audio, &cancel), Err(RecognizeError::Busy));
        assert_eq!(script.recognize(&audio, &cancel), Ok(Vec::new()));
    }
}
