//! One call: where leg, turn and plan meet. A pure core; `driver` gives it ports.
//!
//! ```text
//! Input ──▶ Call::handle(input, now) ──▶ poll_output() ──▶ leg, media, recogniser, record
//!                     ▲                                   poll_timeout() ──▶ handle_timeout(now)
//! ```

use std::sync::Arc;

use crate::audio::Pcm;
use crate::id::{PlayId, UtteranceId};
use crate::language::Language;
use crate::media::{BargeIn, MediaCommand, MediaEvent};
use crate::pii::Pii;
use crate::sip::{LegCommand, LegEvent};
use crate::speech::{NBest, RecognizeError};

pub mod record;

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Input {
    /// Its leg reports.
    Leg(LegEvent),
    /// Its media reports.
    Media(MediaEvent),
    /// Recognition of an offer is done, or failed.
    Heard {
        /// The offer's utterance.
        utterance: UtteranceId,
        /// The offer's revision.
        revision: u32,
        /// What came of it.
        result: Result<NBest, RecognizeError>,
    },
    /// Shutting down: say goodbye and hang up.
    Drain,
}

/// Words to be spoken; the driver turns them into sound.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Utter {
    /// The words.
    pub text: String,
    /// In which language.
    pub language: Language,
    /// A recorded file that wins over synthesis.
    pub file: Option<std::path::PathBuf>,
}

/// What a call wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Signalling.
    Leg(LegCommand),
    /// Speak. Reported back by [`MediaEvent::PromptStarted`] and [`MediaEvent::PromptFinished`].
    Play {
        /// Unique within the call.
        play: PlayId,
        /// What.
        utter: Utter,
        /// Who may stop it.
        barge_in: BargeIn,
    },
    /// Any other media command.
    Media(MediaCommand),
    /// Recognise an offer; answer with [`Input::Heard`].
    Recognize {
        /// The offer's utterance.
        utterance: UtteranceId,
        /// The offer's revision.
        revision: u32,
        /// What the caller speaks here.
        language: Language,
        /// The sound.
        audio: Arc<Pcm>,
    },
    /// The result is no longer wanted.
    CancelRecognize {
        /// The offer's utterance.
        utterance: UtteranceId,
        /// The offer's revision.
        revision: u32,
    },
    /// Something a person watching would want to see, as it happens.
    Timeline(TimelineEvent),
    /// The call is over and this remains. Always the last output.
    Finished(Box<record::CallRecord>),
}

/// One line of a live transcript.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum TimelineEvent {
    /// 180 sent.
    Ringing,
    /// 200 acknowledged.
    Answered,
    /// A prompt began.
    BotSaid {
        /// The step.
        step: String,
        /// The words.
        text: String,
    },
    /// The caller's words were understood, or not.
    CallerSaid {
        /// What was recognised.
        heard: Pii<String>,
        /// 0..1.
        confidence: f32,
        /// Option, universal or slot; `None` when not understood.
        meaning: Option<String>,
        /// The caller interrupted the prompt.
        barge_in: bool,
    },
    /// The caller answered by key.
    Keys {
        /// Which.
        keys: Pii<String>,
        /// Option, universal or slot; `None` when they fit nothing.
        meaning: Option<String>,
    },
    /// The caller said nothing.
    NoInput,
    /// The reply to a turn has begun.
    Replied {
        /// Where the time went.
        latency: record::Latency,
    },
    /// Over.
    Ended {
        /// Why.
        end: record::CallEnd,
    },
}
