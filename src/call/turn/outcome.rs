//! What a turn asks for while it lasts, and what has come of it when it is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audio::Pcm;
use crate::call::record::TurnOutcome;
use crate::dialplan::step::Answer;
use crate::id::UtteranceId;
use crate::language::Language;
use crate::pii::Pii;
use crate::speech::RecognizeError;
use crate::understand::NBest;

/// What a turn asks for while it lasts.
#[derive(Clone, Debug)]
pub enum TurnOutput {
    /// Stop the prompt: the caller has interrupted it.
    Flush,
    /// Recognise this; answer with [`Turn::heard`](super::Turn::heard).
    Recognize {
        /// The offer's utterance.
        utterance: UtteranceId,
        /// The offer's revision.
        revision: u32,
        /// In which language; that of the call if `None`.
        language: Option<Language>,
        /// The sound.
        audio: Arc<Pcm>,
    },
    /// That result is no longer wanted.
    Cancel {
        /// The offer's utterance.
        utterance: UtteranceId,
        /// The offer's revision.
        revision: u32,
    },
    /// The utterance is taken: what comes after is a new one.
    Commit {
        /// Which.
        utterance: UtteranceId,
    },
    /// The turn is over. Always its last output.
    Done(Box<TurnEnd>),
}

/// What came of one asking.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnEnd {
    /// In a word.
    pub outcome: TurnOutcome,
    /// The answer, for `Speech` and `Keys`.
    pub answer: Option<Answer>,
    /// Its name; for doubtful words the options they might mean.
    pub meaning: Option<String>,
    /// Words near something, but below the step's confidence.
    pub rejected: bool,
    /// Words recognised.
    pub heard: Option<Pii<String>>,
    /// Everything that was recognised; `None` where nothing was, or it must stay secret.
    pub nbest: Option<NBest>,
    /// The language in which they were understood, where the call is held in another.
    pub language: Option<Language>,
    /// Keys typed.
    pub keys: Option<Pii<String>>,
    /// 0..1, for speech.
    pub confidence: Option<f32>,
    /// First voiced frame, first key, or the end of waiting.
    pub at: Instant,
    /// Last voiced frame or last key; `None` after silence.
    pub ended_at: Option<Instant>,
    /// Time the recognition waited for a worker.
    pub queued: Duration,
    /// Time it ran.
    pub ran: Duration,
    /// How far into the prompt the caller interrupted it.
    pub barge_in: Option<Duration>,
    /// The prompt was played at all (it is not when the caller answered ahead).
    pub asked_aloud: bool,
    /// What failed, for `Error`.
    pub error: Option<RecognizeError>,
}
