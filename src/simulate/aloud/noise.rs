//! A line that is not quiet: noise beneath a voice, noise alone, and somebody who sings without words. The same seed makes
//! the same sound.

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
    at_level(&raw, dbov)
}

fn at_level(raw: &[f32], dbov: f32) -> Pcm {
    let power = raw.iter().map(|sample| sample * sample).sum::<f32>() / raw.len().max(1) as f32;
    let gain = 32_768.0 * 10_f32.powf(dbov / 20.0) / power.sqrt().max(f32::MIN_POSITIVE);
    // A float turned into an integer saturates: nothing wraps around.
    let samples = raw.iter().map(|sample| (sample * gain).round() as i16).collect();
    Pcm { rate_hz: TELEPHONE_HZ, samples }
}

/// Resonances of the vowels that are sung, in Hz (Peterson and Barney 1952, men): a, i, u, o.
const VOWELS: [[f32; 3]; 4] =
    [[730.0, 1_090.0, 2_440.0], [270.0, 2_290.0, 3_010.0], [300.0, 870.0, 2_240.0], [570.0, 840.0, 2_410.0]];
/// How wide they are, in Hz, and how loud beside each other.
const WIDTHS: [(f32, f32); 3] = [(80.0, 1.0), (100.0, 0.7), (140.0, 0.4)];
/// The notes sung, in Hz: a man's voice.
const NOTES: [f32; 5] = [110.0, 123.5, 138.6, 146.8, 164.8];
/// How long each is, in seconds.
const NOTE_S: f32 = 0.35;

/// Somebody sings, hums, coughs: a voice at that level, in dBov, that says no words. Pulses of the vocal cords through
/// the resonances of vowels, one note after another. Mere noise would not do: a good ear stops believing it.
pub fn wordless(samples: usize, dbov: f32, seed: u64) -> Pcm {
    let mut random = StdRng::seed_from_u64(seed);
    let rate = TELEPHONE_HZ as f32;
    let note_samples = (NOTE_S * rate) as usize;
    let mut resonances = [[0.0_f32; 2]; 3];
    let (mut phase, mut pitch, mut vowel) = (0.0_f32, NOTES[0], VOWELS[0]);
    let mut raw = Vec::with_capacity(samples);
    for place in 0..samples {
        let into = place % note_samples;
        if into == 0 {
            pitch = NOTES[random.random_range(0..NOTES.len())];
            vowel = VOWELS[random.random_range(0..VOWELS.len())];
        }
        // Nobody holds a note quite still: 5.5 times a second it sways by a hundredth.
        let sway = 1.0 + 0.01 * (std::f32::consts::TAU * 5.5 * (place as f32 / rate)).sin();
        phase += pitch * sway / rate;
        let breath = 0.01 * random.random_range(-1.0..1.0_f32);
        let source = breath + if phase >= 1.0 { 1.0 } else { 0.0 };
        phase = phase.fract();
        let mut sound = 0.0;
        for ((memory, hz), (width, loud)) in resonances.iter_mut().zip(vowel).zip(WIDTHS) {
            let radius = (-std::f32::consts::PI * width / rate).exp();
            let turn = 2.0 * radius * (std::f32::consts::TAU * hz / rate).cos();
            let out = source + turn * memory[0] - radius * radius * memory[1];
            *memory = [out, memory[0]];
            sound += loud * out;
        }
        // Each note swells and fades, as if it were a syllable.
        let edge = (into.min(note_samples - into) as f32 / (0.05 * rate)).min(1.0);
        raw.push(sound * (0.15 + 0.85 * edge));
    }
    at_level(&raw, dbov)
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
    use std::time::Duration;

    use super::*;
    use crate::audio::FRAME_8K;
    use crate::media::Listen;
    use crate::media::ear::{Ear, Thresholds};
    use crate::time::{Clock as _, SystemClock};

    #[test]
    fn noise_has_the_level_asked_for_and_is_the_same_for_the_same_seed() {
        let quiet = noise(8_000, -40.0, 7);
        assert!((rms_dbov(&quiet.samples) + 40.0).abs() < 0.5, "{}", rms_dbov(&quiet.samples));
        assert_eq!(quiet, noise(8_000, -40.0, 7));
        assert_ne!(quiet, noise(8_000, -40.0, 8));
        assert!(noise(0, -40.0, 7).samples.is_empty());
    }

    #[test]
    fn who_sings_hums_or_coughs_is_taken_for_a_voice() {
        let believed = |sound: &Pcm| {
            let mut ear = Ear::new(Listen::default(), Thresholds::default());
            let start = SystemClock.now().mono;
            let mut line = noise(8_000, -70.0, 1).samples;
            line.extend(&sound.samples);
            let heard = |(place, frame): (usize, &[i16; FRAME_8K])| {
                ear.frame(frame, f32::NEG_INFINITY, start + Duration::from_millis(20 * place as u64)).speech_began()
            };
            line.as_chunks().0.iter().enumerate().any(heard)
        };
        for seed in 0..8 {
            // A cough, a hum, a song.
            for samples in [3_200, 8_000, 40_000] {
                assert!(believed(&wordless(samples, -24.0, seed)), "{samples} samples, seed {seed}");
            }
        }
        assert_eq!(wordless(800, -24.0, 3), wordless(800, -24.0, 3));
        assert!((rms_dbov(&wordless(40_000, -24.0, 3).samples) + 24.0).abs() < 0.5);
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
