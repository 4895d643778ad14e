//! Sounds made of sines: test tones and telephone keys (DTMF, ITU-T Q.23).

use std::f32::consts::TAU;

use super::Pcm;
use super::level::sine_amplitude;

/// Level of each of the two tones of a key; together 3 dB more, as RFC 4733 gateways play them.
const DTMF_TONE_DBOV: f32 = -13.0;
/// Level of each of its tones.
const RINGING_TONE_DBOV: f32 = -25.0;
/// Rows of the keypad, low group in Hz.
const LOW_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// Columns of the keypad, high group in Hz.
const HIGH_HZ: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// The keypad, row by row.
const KEYPAD: &str = "123A456B789C*0#D";

/// A sine of `hz` whose RMS level is `dbov`.
pub fn sine(hz: f32, dbov: f32, duration_ms: u32, rate_hz: u32) -> Pcm {
    chord(&[hz], dbov, duration_ms, rate_hz)
}

/// Quiet.
pub fn silence(duration_ms: u32, rate_hz: u32) -> Pcm {
    Pcm { rate_hz, samples: vec![0; samples_in(duration_ms, rate_hz)] }
}

/// What callers hear in North America while it rings (ITU-T E.180): two seconds, and four of silence.
pub fn ringing(rate_hz: u32) -> Pcm {
    let mut sound = chord(&[440.0, 480.0], RINGING_TONE_DBOV, 2_000, rate_hz);
    sound.samples.extend(silence(4_000, rate_hz).samples);
    sound
}

/// The sound of a telephone key; `None` for what is not a key (see [`dtmf_hz`]).
pub fn dtmf(key: char, duration_ms: u32, rate_hz: u32) -> Option<Pcm> {
    let (low, high) = dtmf_hz(key)?;
    Some(chord(&[low, high], DTMF_TONE_DBOV, duration_ms, rate_hz))
}

/// The low and the high tone of a key: `0`–`9`, `*`, `#`, `A`–`D`, either case.
pub fn dtmf_hz(key: char) -> Option<(f32, f32)> {
    let place = KEYPAD.chars().position(|face| face == key.to_ascii_uppercase())?;
    Some((LOW_HZ[place / 4], HIGH_HZ[place % 4]))
}

/// Sines of equal level added up, each at `dbov`; clipped where 16 bits end.
fn chord(tones_hz: &[f32], dbov: f32, duration_ms: u32, rate_hz: u32) -> Pcm {
    let amplitude = sine_amplitude(dbov);
    let value = |index: usize| {
        // The phase is taken modulo one turn in f64, or long tones would lose their pitch to rounding.
        let seconds = index as f64 / f64::from(rate_hz.max(1));
        let sum: f32 = tones_hz.iter().map(|&hz| ((f64::from(hz) * seconds).fract() as f32 * TAU).sin()).sum();
        (amplitude * sum).round() as i16
    };
    Pcm { rate_hz, samples: (0..samples_in(duration_ms, rate_hz)).map(value).collect() }
}

fn samples_in(duration_ms: u32, rate_hz: u32) -> usize {
    usize::try_from(u64::from(duration_ms) * u64::from(rate_hz) / 1000).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Energy at `hz` by Goertzel's algorithm, per sample.
    fn energy_at(hz: f32, pcm: &Pcm) -> f32 {
        let step = 2.0 * (TAU * hz / pcm.rate_hz as f32).cos();
        let (mut before, mut last) = (0.0, 0.0);
        for &sample in &pcm.samples {
            (before, last) = (last, f32::from(sample) + step * last - before);
        }
        (before * before + last * last - step * before * last) / pcm.samples.len() as f32
    }

    #[test]
    fn a_key_sounds_at_its_two_frequencies_and_no_other() {
        for key in KEYPAD.chars() {
            let pcm = dtmf(key, 100, 8_000).unwrap();
            assert_eq!(pcm.duration_ms(), 100);
            let (low, high) = dtmf_hz(key).unwrap();
            for hz in LOW_HZ.into_iter().chain(HIGH_HZ) {
                let energy = energy_at(hz, &pcm);
                let ours = hz == low || hz == high;
                assert_eq!(ours, energy > energy_at(low, &pcm) / 4.0, "{key} at {hz} Hz");
            }
        }
    }

    #[test]
    fn what_is_no_key_has_no_sound() {
        assert!(dtmf('x', 100, 8_000).is_none());
        assert!(dtmf('d', 100, 8_000).is_some());
    }
}
