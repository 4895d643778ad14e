//! A prompt with markup as sound: its words synthesised piece by piece, its pauses and recordings put between them.

use std::path::Path;
use std::time::Duration;

use super::{SynthesizeError, Synthesizer};
use crate::audio::{Pcm, resample};
use crate::language::Language;
use crate::spoken::markup::{self, Piece};

/// Speaks `text`, markup and all. `recorded` gives the sound of a file, or a sentence why there is none; then its words
/// are spoken instead.
pub(super) fn speak(
    text: &str,
    language: &Language,
    voices: &dyn Synthesizer,
    recorded: impl Fn(&Path) -> Result<Pcm, String>,
) -> Result<Pcm, SynthesizeError> {
    if !markup::is_marked(text) {
        return voices.synthesize(text, language);
    }
    let mut parts = Vec::new();
    let mut pauses: Vec<(usize, Duration)> = Vec::new();
    for piece in markup::pieces(text) {
        match piece {
            Piece::Words { text, .. } if !text.chars().any(char::is_alphanumeric) => {}
            Piece::Words { text, rate } => parts.push(voices.synthesize_at(&text, language, rate)?),
            Piece::Break(time) => pauses.push((parts.len(), time)),
            Piece::Audio { file, text } => match recorded(&file) {
                Ok(sound) => parts.push(sound),
                Err(why) if text.is_empty() => return Err(SynthesizeError::Failed(why)),
                Err(why) => {
                    tracing::warn!(why, "recording within a prompt replaced by synthesis");
                    parts.push(voices.synthesize(&text, language)?);
                }
            },
        }
    }
    join(&parts, &pauses)
}

/// All parts at the highest of their rates, each pause before the part at its place.
fn join(parts: &[Pcm], pauses: &[(usize, Duration)]) -> Result<Pcm, SynthesizeError> {
    let rate_hz = parts.iter().map(|part| part.rate_hz).max().unwrap_or(8_000);
    let silence = |time: Duration| (time.as_millis() as usize * rate_hz as usize) / 1_000;
    let mut samples = Vec::new();
    for place in 0..=parts.len() {
        let pause: usize = pauses.iter().filter(|(at, _)| *at == place).map(|(_, time)| silence(*time)).sum();
        samples.resize(samples.len() + pause, 0);
        if let Some(part) = parts.get(place) {
            let part = resample(part, rate_hz).map_err(|error| SynthesizeError::Failed(error.to_string()))?;
            samples.extend_from_slice(&part.samples);
        }
    }
    if samples.is_empty() {
        return Err(SynthesizeError::Failed("there is nothing to say in the text".to_owned()));
    }
    Ok(Pcm { rate_hz, samples })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sample for each letter, at its pace.
    struct Letters;

    impl Synthesizer for Letters {
        fn synthesize(&self, text: &str, _: &Language) -> Result<Pcm, SynthesizeError> {
            Ok(Pcm { rate_hz: 8_000, samples: vec![7; text.trim().len()] })
        }

        fn synthesize_at(&self, text: &str, language: &Language, rate: f32) -> Result<Pcm, SynthesizeError> {
            let mut sound = self.synthesize(text, language)?;
            sound.samples.iter_mut().for_each(|sample| *sample = (rate * 10.0) as i16);
            Ok(sound)
        }

        fn voice(&self, _: &Language) -> String {
            "letters".into()
        }
    }

    #[test]
    fn pauses_pace_and_recordings_stand_where_they_are_written() {
        let text =
            "ab<break time=\"1ms\"/><prosody rate=\"200%\">cd</prosody><audio src=\"ding.wav\"/><break time=\"2ms\"/>";
        let ding = |file: &Path| {
            assert_eq!(file, Path::new("ding.wav"));
            Ok(Pcm { rate_hz: 8_000, samples: vec![99] })
        };
        let sound = speak(text, &Language::english(), &Letters, ding).unwrap();
        let expected = [vec![10, 10], vec![0; 8], vec![20, 20], vec![99], vec![0; 16]].concat();
        assert_eq!(sound.samples, expected);
    }

    #[test]
    fn a_lost_recording_is_spoken_and_without_words_it_is_a_fault() {
        let lost = |_: &Path| Err("ding.wav does not exist".to_owned());
        let spoken = speak("<audio src=\"ding.wav\">ding</audio>", &Language::english(), &Letters, lost).unwrap();
        assert_eq!(spoken.samples.len(), 4);
        assert!(speak("a <audio src=\"ding.wav\"/>", &Language::english(), &Letters, lost).is_err());
    }
}
