//! A question that listens in every language of its plan: what means nothing in the language of the call is recognised
//! once more, in the next one.
//!
//! ```text
//!   offer ─▶ recognise in English ─▶ nothing ─▶ recognise in Mandarin ─▶ an answer: the call goes on in Mandarin
//!                                                                     └▶ nothing: what English made of it counts
//! ```

use std::sync::Arc;
use std::time::Instant;

use super::{Turn, TurnOutput, Voice};
use crate::audio::Pcm;
use crate::dialplan::step::listen::Understood;
use crate::understand::NBest;

/// What is kept of an utterance for that.
#[derive(Clone, Debug, Default)]
pub(super) struct Tongues {
    /// Its sound, as long as there is another language to try.
    pub audio: Option<Arc<Pcm>>,
    /// What the first language made of it.
    pub first: Option<NBest>,
    /// Languages tried besides that.
    pub tried: usize,
}

impl Turn {
    /// What the words amount to.
    pub(super) fn understand(&self, nbest: &NBest) -> Understood {
        self.quest().understand(nbest, &self.setup.hearing, &self.setup.plan.languages)
    }

    /// Do the words mean something known, in whatever language?
    pub(super) fn settles(&self, nbest: &NBest) -> bool {
        self.understand(nbest).judged.answer.is_some_and(|answer| self.quest().ear.settles(&answer))
    }

    /// What the first language made of the utterance in hand, where others were tried.
    pub(super) fn first_words(&mut self) -> Option<NBest> {
        match &mut self.voice {
            Voice::Thinking { tongues, .. } => tongues.first.take(),
            _ => None,
        }
    }

    /// These words mean nothing here, or could not be had: has the next language been asked for?
    pub(super) fn try_next_language(&mut self, nbest: Option<&NBest>, now: Instant) -> bool {
        let languages = &self.setup.plan.languages;
        let others: Vec<_> = self.quest().others(&self.setup.hearing, languages).cloned().collect();
        if others.is_empty() || nbest.is_some_and(|nbest| self.settles(nbest)) {
            return false;
        }
        let Voice::Thinking { offered, asked_at, tongues } = &mut self.voice else { return false };
        if tongues.first.is_none() {
            tongues.first = nbest.cloned();
        }
        let (Some(language), Some(audio)) = (others.get(tongues.tried).cloned(), tongues.audio.clone()) else {
            return false;
        };
        tongues.tried += 1;
        *asked_at = now;
        let (utterance, revision) = (offered.utterance, offered.revision);
        self.outputs.push_back(TurnOutput::Recognize { utterance, revision, language: Some(language), audio });
        true
    }
}
