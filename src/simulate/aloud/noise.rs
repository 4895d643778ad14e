//! A line that is not quiet: noise beneath a voice, and noise alone. The same seed makes the same noise.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::audio::level::rms_dbov;
use crate::audio::{Pcm, TELEPHONE_HZ};

/// How much of each sample stays in the next: rooms and streets rumble more than they hiss.
const RUMBLE: f32 = 0.85;

/// Noise of that level, in dBov, `samples` long at 8 kHz.
pub fn noise(samples: usize, dbov: f32, seed: u64) -> Pcm {
    let mut random = StdRng::seed_from_u64(seed);
    let mut low = 0.0_f32;
    let raw: Vec<f32> = std::iter::repeat_with(|| {
        low = RUMBLE * low + (1.0 - RUMBLE) * random.random_range(-1.0..1.0);
        low
    })
    .take(samples)
    .collect();
    let power = raw.iter().map(|sample| sample * sample).sum::<f32>() / samples.max(1) as f32;
    let gain = 32_768.0 * 10_f32.powf(dbov / 20.0) / power.sqrt().max(f32::MIN_POSITIVE);
    // A float turned into an integer saturates: nothing wraps around.
    let samples = raw.iter().map(|sample| (sample * gain).round() as i16).collect();
    Pcm { rate_hz: TELEPHONE_HZ, samples }
}

/// `voice` with noise beneath it, at that level.
pub fn over(voice: &Pcm, dbov: f32, seed: u64) -> Pcm {
    let noise = noise(voice.samples.len(), dbov, seed);
    let both = voice.samples.iter().zip(&noise.samples).map(|(voice, noise)| voice.saturating_add(*noise));
    Pcm { rate_hz: voice.rate_hz, samples: both.collect() }
}

/// Frames of 20 ms that are louder than `dbov`.
pub fn loud_frames(samples: &[i16], rate_hz: u32, dbov: f32) -> usize {
    samples.chunks((rate_hz as usize / 50).max(1)).filter(|frame| rms_dbov(frame) > dbov).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_level_asked_for_and_is_the_same_for_the_same_seed() {
        let quiet = noise(8_000, -40.0, 7);
        assert!((rms_dbov(&quiet.samples) + 40.0).abs() < 0.5, "{}", rms_dbov(&quiet.samples));
        assert_eq!(quiet, noise(8_000, -40.0, 7));
        assert_ne!(quiet, noise(8_000, -40.0, 8));
        assert!(noise(0, -40.0, 7).samples.is_empty());
    }

    #[test]
    fn a_voice_stays_as_long_as_it_was() {
        let voice = Pcm { rate_hz: 8_000, samples: vec![30_000; 1_000] };
        let mixed = over(&voice, -30.0, 1);
        assert_eq!(mixed.samples.len(), 1_000);
        assert_ne!(mixed, voice);
        assert_eq!(loud_frames(&mixed.samples, 8_000, -20.0), 7);
    }
}
