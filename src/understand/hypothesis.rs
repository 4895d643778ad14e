//! What a recogniser guessed, as understanding takes it.

use std::time::Duration;

use crate::id::UtteranceId;
use crate::pii::Pii;

/// One guess at what was said.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// As the engine wrote it.
    pub text: Pii<String>,
    /// 0..1, how sure the engine is.
    pub confidence: f32,
    /// Mean log-probability per token under open decoding.
    pub open_score: f32,
    /// The same under the active grammar, when one constrained the decoding.
    pub grammar_score: Option<f32>,
}

/// What recognition says of one offer: guesses, best first; empty when nothing was said.
#[derive(Clone, Debug, PartialEq)]
pub struct NBest {
    /// The utterance offered.
    pub utterance: UtteranceId,
    /// Which offer of it. A result for an older revision is stale and ignored: cancelling is an optimisation,
    /// this check is the correctness.
    pub revision: u32,
    /// Best first.
    pub hypotheses: Vec<Hypothesis>,
    /// Time spent waiting for a worker.
    pub queued: Duration,
    /// Time spent recognising.
    pub ran: Duration,
}
