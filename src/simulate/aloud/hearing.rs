//! Was there sound where there were words? What the caller's telephone received, held against what the record says was
//! played.

use std::time::Duration;

use super::noise::loud_frames;
use crate::audio::Pcm;
use crate::call::record::PromptRecord;

/// Louder than this is somebody speaking; the gateway's prompts are at -20 dBov, a quiet line under -50.
const SPEECH_DBOV: f32 = -45.0;
/// Voices pause: of what was played, that much must have been loud …
const LEAST_SHARE: f64 = 0.3;
/// … or this much, since a prompt may begin with a long break.
const ENOUGH_MS: u64 = 300;
/// Shorter stretches prove nothing.
const SHORTEST_MS: u64 = 300;
/// Packets wait in the jitter buffer, and the answer is a message away: sound may come so much later than it left.
const LATE: Duration = Duration::from_millis(400);

/// What the caller heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Milliseconds played by the gateway.
    pub played_ms: u64,
    /// Of these, loud at the caller's ear.
    pub loud_ms: u64,
    /// Words of prompts that were played and not heard.
    pub missing: Vec<String>,
}

/// Looks for each prompt in `received`, which began `answered` before the call stood and took `lasted`.
///
/// A busy machine comes late to a frame now and then, and skips it: what was received is shorter than the call then, and
/// everything in it earlier, by that much at most.
pub fn heard(prompts: &[PromptRecord], received: &Pcm, answered: Duration, lasted: Duration) -> Heard {
    let skipped = lasted.saturating_sub(received.duration());
    let mut heard = Heard::default();
    for prompt in prompts.iter().filter(|prompt| prompt.played_ms >= SHORTEST_MS) {
        let Some(at_ms) = prompt.at_ms else { continue };
        let begin = answered + Duration::from_millis(at_ms);
        let end = begin + Duration::from_millis(prompt.played_ms) + LATE;
        let loud = loud_frames(stretch(received, begin.saturating_sub(skipped), end), received.rate_hz, SPEECH_DBOV)
            as u64
            * 20;
        heard.played_ms += prompt.played_ms;
        heard.loud_ms += loud.min(prompt.played_ms);
        if loud < ENOUGH_MS && (loud as f64) < LEAST_SHARE * prompt.played_ms as f64 {
            heard.missing.push(prompt.text.clone());
        }
    }
    heard
}

fn stretch(sound: &Pcm, begin: Duration, end: Duration) -> &[i16] {
    let place = |at: Duration| ((at.as_secs_f64() * f64::from(sound.rate_hz)) as usize).min(sound.samples.len());
    &sound.samples[place(begin)..place(end)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone;

    fn prompt(text: &str, at_ms: u64, played_ms: u64) -> PromptRecord {
        PromptRecord {
            step: "step".into(),
            text: text.into(),
            at_ms: Some(at_ms),
            played_ms,
            total_ms: played_ms,
            protected: false,
            interrupted: false,
        }
    }

    #[test]
    fn a_prompt_that_nobody_heard_is_named() {
        let mut received = tone::silence(1_000, 8_000);
        received.samples.extend(tone::sine(400.0, -20.0, 1_000, 8_000).samples);
        received.samples.extend(tone::silence(3_000, 8_000).samples);
        let prompts = [prompt("first", 500, 1_000), prompt("second", 3_000, 1_000), prompt("short", 9_000, 100)];
        let found = heard(&prompts, &received, Duration::from_millis(500), Duration::from_secs(5));
        assert_eq!(found.missing, ["second"]);
        assert_eq!((found.played_ms, found.loud_ms), (2_000, 1_000));
    }

    #[test]
    fn who_skipped_frames_heard_everything_earlier() {
        let mut received = tone::silence(2_000, 8_000);
        received.samples.extend(tone::sine(400.0, -20.0, 1_000, 8_000).samples);
        received.samples.extend(tone::silence(1_000, 8_000).samples);
        let prompts = [prompt("late", 4_000, 1_000)];
        let missing = |lasted| heard(&prompts, &received, Duration::ZERO, Duration::from_secs(lasted)).missing;
        assert_eq!(missing(6), Vec::<String>::new());
        assert_eq!(missing(4), ["late"]);
    }
}
