//! How loud: levels in dBov, decibels below the loudest square wave 16 bits can hold (RFC 6464 §3, RFC 6465 §3).
//!
//! A full-scale sine measures −3 dBov, speech on the telephone −20 to −30, a quiet line under −50.

/// What digital silence measures.
pub const SILENCE_DBOV: f32 = -127.0;

/// RMS and peak of a stretch of sound, in dBov.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Root mean square.
    pub rms_dbov: f32,
    /// Loudest single sample.
    pub peak_dbov: f32,
}

impl Level {
    /// Measures `samples`; an empty slice is silent.
    ///
    /// Per frame: one pass, no allocation, no lock, no log.
    pub fn of(samples: &[i16]) -> Self {
        let mut energy = 0u64;
        let mut peak = 0u16;
        for &sample in samples {
            let magnitude = sample.unsigned_abs();
            energy += u64::from(magnitude) * u64::from(magnitude);
            peak = peak.max(magnitude);
        }
        let mean = energy as f32 / samples.len().max(1) as f32;
        Self { rms_dbov: decibels(mean), peak_dbov: decibels(f32::from(peak) * f32::from(peak)) }
    }
}

/// RMS level of `samples` in dBov. Every frame of every call is measured, so sums run side by side.
pub fn rms_dbov(samples: &[i16]) -> f32 {
    let (eights, rest) = samples.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for eight in eights {
        for (sum, &sample) in sums.iter_mut().zip(eight) {
            let sample = f32::from(sample);
            *sum += sample * sample;
        }
    }
    let rest: f32 = rest.iter().map(|&sample| f32::from(sample) * f32::from(sample)).sum();
    decibels((sums.iter().sum::<f32>() + rest) / samples.len().max(1) as f32)
}

/// Amplitude of a sine whose RMS level is `dbov`, clipped to what 16 bits hold.
pub fn sine_amplitude(dbov: f32) -> f32 {
    (32_768.0 * std::f32::consts::SQRT_2 * 10f32.powf(dbov / 20.0)).min(32_767.0)
}

fn decibels(power: f32) -> f32 {
    (10.0 * (power / (32_768.0 * 32_768.0)).log10()).max(SILENCE_DBOV)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone;

    #[test]
    fn a_full_scale_square_wave_is_zero_dbov() {
        let level = Level::of(&[i16::MIN; 160]);
        assert_eq!((level.rms_dbov, level.peak_dbov), (0.0, 0.0));
    }

    #[test]
    fn a_sine_measures_what_it_was_made_with_and_peaks_three_decibels_above() {
        for asked in [-3.1, -20.0, -45.0] {
            let level = Level::of(&tone::sine(440.0, asked, 1_000, 8_000).samples);
            assert!((level.rms_dbov - asked).abs() < 0.1, "{asked}: {level:?}");
            assert!((rms_dbov(&tone::sine(440.0, asked, 1_000, 8_000).samples) - level.rms_dbov).abs() < 0.001);
            assert!((level.peak_dbov - asked - 3.01).abs() < 0.2, "{asked}: {level:?}");
        }
    }

    #[test]
    fn silence_and_nothing_have_a_floor_instead_of_minus_infinity() {
        assert_eq!(Level::of(&[0; 160]).rms_dbov, SILENCE_DBOV);
        assert_eq!((rms_dbov(&[0; 160]), rms_dbov(&[]), rms_dbov(&[i16::MIN; 163])), (SILENCE_DBOV, SILENCE_DBOV, 0.0));
        assert_eq!(Level::of(&[]).peak_dbov, SILENCE_DBOV);
    }
}
