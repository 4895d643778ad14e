//! Hearing and speaking, seen from the rest of the product.
//!
//! Engines sit behind [`Recognizer`] and [`Synthesizer`]; [`driver`] owns the bounded pool of recognition workers
//! (one thread per job, one worker per core) and [`prompts`] keeps what was synthesised, by content.
//!
//! ```text
//! RecognizeJob ─▶ driver: queue ─▶ worker ─▶ engines: by language ─▶ moonshine ─▶ NBest
//! Utter ─▶ prompts: memory? disk? ─▶ recorded file, or voices: flite, espeak-ng ─▶ level ─▶ Arc<Pcm>
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::audio::Pcm;
use crate::id::UtteranceId;
use crate::language::Language;
use crate::understand::Hypothesis;

mod compose;
pub mod driver;
pub mod engines;
pub mod level;
pub mod models;
pub mod moonshine;
pub mod prompts;
mod runtime;
pub mod score;
pub mod scripted;
mod tokens;
pub mod voices;

/// Why nothing could be recognised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecognizeError {
    /// The pool is full: answer at once, so that the call can offer keys instead of waiting.
    #[error("every recognition worker is busy and the queue is full")]
    Busy,
    /// The call went on without it.
    #[error("recognition was cancelled")]
    Cancelled,
    /// No engine for this language is installed; the text says what to copy where.
    #[error("{0}")]
    Unavailable(String),
    /// The engine failed.
    #[error("the recogniser failed: {0}")]
    Failed(String),
}

/// Set by the call, polled by the engine between decoder steps.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ask the job to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Has it been asked to?
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// One offer to recognise.
#[derive(Clone, Debug)]
pub struct RecognizeJob {
    /// The utterance offered.
    pub utterance: UtteranceId,
    /// Which offer of it.
    pub revision: u32,
    /// What language the caller speaks here.
    pub language: Language,
    /// The sound, any rate.
    pub audio: Arc<Pcm>,
    /// To stop it.
    pub cancel: Cancel,
}

/// A speech recogniser; one instance per worker, used by one thread at a time.
pub trait Recognizer: Send {
    /// Guesses, best first; empty when the sound holds no words. Polls `cancel` at least every 20 ms of work.
    fn recognize(&mut self, audio: &Pcm, cancel: &Cancel) -> Result<Vec<Hypothesis>, RecognizeError>;

    /// Does whatever makes the first real utterance as fast as the rest. Nothing by default.
    fn warm_up(&mut self) {}
}

/// Words to be spoken.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Utter {
    /// The words.
    pub text: String,
    /// In which language.
    pub language: Language,
    /// A recorded file that wins over synthesis.
    pub file: Option<PathBuf>,
}

/// Why a text could not be spoken.
#[derive(Debug, thiserror::Error)]
pub enum SynthesizeError {
    /// The program or voice is not installed; the text says what to do.
    #[error("{0}")]
    Unavailable(String),
    /// It ran and failed.
    #[error("synthesis failed: {0}")]
    Failed(String),
}

/// A speech synthesiser.
pub trait Synthesizer: Send + Sync {
    /// Speaks `text`; leading and trailing silence trimmed. Blocking.
    fn synthesize(&self, text: &str, language: &Language) -> Result<Pcm, SynthesizeError>;

    /// The same at another pace: 2 is twice as fast as the voice's own. A voice that knows no pace keeps its own.
    fn synthesize_at(&self, text: &str, language: &Language, rate: f32) -> Result<Pcm, SynthesizeError> {
        let _ = rate;
        self.synthesize(text, language)
    }

    /// Names engine and voice: part of the key prompts are cached under.
    fn voice(&self, language: &Language) -> String;
}
