//! How much silence ends an utterance, now that its words are known.
//!
//! ```text
//!   ended_at                                                    with the defaults
//!     ├── complete     a whole phrase                                    300 ms
//!     ├─── …           understood in free words: the surer, the shorter
//!     ├────── middle   sounds finished, means nothing here               600 ms
//!     └───────────────────── incomplete   begins a phrase, or sounds unfinished: 1200 ms
//! ```

use std::time::Duration;

use crate::dialplan::plan::Question;
use crate::dialplan::step::Judged;
use crate::understand::Fit;
use crate::understand::ending::Ending;

/// The middle pause is longer than `complete` by this part of the way to `incomplete`: a third makes 600 ms with the
/// defaults. Dialogue systems commonly end a turn after 500 to 800 ms, and most pauses inside a turn are shorter than
/// that (ten Bosch et al. 2005; Heldner and Edlund 2010).
const MIDDLE_PART: u32 = 3;

/// Silence that ends an utterance with this meaning and this sound:
///
/// * a whole phrase of the plan: `complete`, however it sounds;
/// * the beginning of one, and words that call for more: `incomplete`, however sure we are of what they mean so far;
/// * an answer in the caller's own words: the surer we are of it, the less there is to wait for, and when it sounds
///   finished never more than the middle;
/// * words that mean nothing here: the middle when they sound finished, so that we ask again soon; else `incomplete`.
pub fn pause_for(judged: &Judged, ending: Ending, question: &Question) -> Duration {
    let between = question.incomplete.saturating_sub(question.complete);
    let middle = question.complete + between / MIDDLE_PART;
    let sure = if judged.confidence.is_finite() { judged.confidence.clamp(0.0, 1.0) } else { 0.0 };
    let by_doubt = question.complete + between.mul_f32(1.0 - sure);
    match (&judged.answer, judged.fit, ending) {
        (Some(_), Fit::Full, _) => question.complete,
        (_, Fit::Prefix, _) | (_, _, Ending::Unfinished) => question.incomplete,
        (Some(_), Fit::None, Ending::Finished) => by_doubt.min(middle),
        (Some(_), Fit::None, Ending::Unknown) => by_doubt,
        (None, Fit::Full | Fit::None, Ending::Finished) => middle,
        (None, Fit::Full | Fit::None, Ending::Unknown) => question.incomplete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::question;
    use crate::dialplan::step::Answer;

    /// Silence for words understood this surely, or (`None`) not at all.
    fn pause_in(question: &Question, sure: Option<f32>, fit: Fit, ending: Ending) -> Duration {
        let answer = sure.map(|_| Answer::Option(0));
        let confidence = sure.unwrap_or(0.9);
        let judged = Judged { answer, meaning: None, heard: None, confidence, fit, rejected: false };
        pause_for(&judged, ending, question)
    }

    /// The same in milliseconds, at a question that waits 300 and 1,200.
    fn pause(sure: Option<f32>, fit: Fit, ending: Ending) -> f32 {
        (pause_in(&question("What can I do for you?", &[]), sure, fit, ending).as_secs_f32() * 1_000.0).round()
    }

    const ENDINGS: [Ending; 3] = [Ending::Finished, Ending::Unfinished, Ending::Unknown];

    #[test]
    fn a_whole_phrase_waits_for_complete_however_it_sounds() {
        for ending in ENDINGS {
            assert_eq!(pause(Some(0.95), Fit::Full, ending), 300.0);
        }
    }

    #[test]
    fn the_beginning_of_a_phrase_waits_for_incomplete_however_it_sounds() {
        for ending in ENDINGS {
            assert_eq!(pause(Some(0.95), Fit::Prefix, ending), 1_200.0);
            assert_eq!(pause(None, Fit::Prefix, ending), 1_200.0);
        }
    }

    #[test]
    fn free_words_that_sound_finished_wait_by_doubt_and_never_beyond_the_middle() {
        assert_eq!(pause(Some(1.0), Fit::None, Ending::Finished), 300.0);
        assert_eq!(pause(Some(0.75), Fit::None, Ending::Finished), 525.0);
        assert_eq!(pause(Some(0.5), Fit::None, Ending::Finished), 600.0);
        assert_eq!(pause(Some(0.5), Fit::None, Ending::Unknown), 750.0);
    }

    #[test]
    fn free_words_that_call_for_more_get_the_time_for_it_however_sure_we_are() {
        assert_eq!(pause(Some(1.0), Fit::None, Ending::Unfinished), 1_200.0);
    }

    #[test]
    fn words_that_mean_nothing_wait_for_the_middle_only_when_they_sound_finished() {
        assert_eq!(pause(None, Fit::None, Ending::Finished), 600.0);
        assert_eq!(pause(None, Fit::Full, Ending::Finished), 600.0, "a phrase too faint to act on");
        assert_eq!(pause(None, Fit::None, Ending::Unfinished), 1_200.0);
        assert_eq!(pause(None, Fit::None, Ending::Unknown), 1_200.0);
    }

    #[test]
    fn a_question_with_one_pause_for_everything_keeps_it() {
        let mut question = question("What can I do for you?", &[]);
        question.incomplete = question.complete;
        for fit in [Fit::Full, Fit::Prefix, Fit::None] {
            for ending in ENDINGS {
                for sure in [None, Some(0.9), Some(f32::NAN)] {
                    assert_eq!(pause_in(&question, sure, fit, ending), question.complete);
                }
            }
        }
    }
}
