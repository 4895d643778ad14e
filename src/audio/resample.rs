//! Changing the sample rate of whole utterances and prompts, off the media thread.
//!
//! The FFT resampler of `rubato`: fixed ratio, linear phase, anti-aliased, its delay trimmed off (to within half a
//! sample where the ratio is not whole). It allocates; never call it per frame.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

use super::Pcm;

/// Slowest and fastest sample rates we convert between. Anything outside is a damaged file, and the resampler's
/// buffers grow with the rate.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=384_000;
/// Input samples handled at once: long enough for a sharp filter, short enough to stay in the cache.
const CHUNK: usize = 1_024;

/// Why sound could not be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResampleError {
    /// A rate no recording has.
    #[error("cannot convert from {from_hz} Hz to {to_hz} Hz: sample rates between 1,000 and 384,000 Hz are understood")]
    Rate {
        /// Rate of the input.
        from_hz: u32,
        /// Rate asked for.
        to_hz: u32,
    },
    /// The resampler refused.
    #[error("the sound could not be resampled: {0}")]
    Failed(String),
}

/// `pcm` at `to_hz`. The duration stays the same to within one sample; an equal rate costs one copy.
pub fn resample(pcm: &Pcm, to_hz: u32) -> Result<Pcm, ResampleError> {
    if pcm.rate_hz == to_hz {
        return Ok(pcm.clone());
    }
    if !RATES_HZ.contains(&pcm.rate_hz) || !RATES_HZ.contains(&to_hz) {
        return Err(ResampleError::Rate { from_hz: pcm.rate_hz, to_hz });
    }
    let length = pcm.samples.len();
    let failed = |cause: &dyn std::fmt::Display| ResampleError::Failed(cause.to_string());
    let input: Vec<f32> = pcm.samples.iter().map(|&sample| f32::from(sample)).collect();
    let input = InterleavedSlice::new(&input, 1, length).map_err(|cause| failed(&cause))?;
    let mut resampler = Fft::<f32>::new(pcm.rate_hz as usize, to_hz as usize, CHUNK, 1, FixedSync::Both)
        .map_err(|cause| failed(&cause))?;
    let output = resampler.process_all(&input, length, None).map_err(|cause| failed(&cause))?;
    Ok(Pcm { rate_hz: to_hz, samples: output.take_data().into_iter().map(rounded).collect() })
}

/// Nearest 16-bit sample; the filter may overshoot, which clips instead of wrapping around.
fn rounded(sample: f32) -> i16 {
    sample.round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::rms_dbov;
    use crate::audio::tone;

    #[test]
    fn a_tone_keeps_pitch_level_length_and_place() {
        for (from, to) in [(8_000, 16_000), (16_000, 8_000), (44_100, 8_000), (22_050, 16_000), (48_000, 8_000)] {
            let out = resample(&tone::sine(440.0, -20.0, 1_000, from), to).unwrap();
            assert!(out.duration_ms().abs_diff(1_000) <= 1, "{from}→{to}: {} ms", out.duration_ms());
            let ideal = tone::sine(440.0, -20.0, 1_000, to);
            // The edges ring: a tone that starts at full level has no past.
            let (margin, len) = (to as usize / 20, ideal.samples.len().min(out.samples.len()));
            let difference: Vec<i16> =
                (margin..len - margin).map(|at| out.samples[at].saturating_sub(ideal.samples[at])).collect();
            // Except for doubling and halving, the delay trimmed off is rounded to a sample, which shifts the phase a little.
            let allowed = if from.max(to) == 2 * from.min(to) { -60.0 } else { -34.0 };
            assert!(rms_dbov(&difference) < allowed, "{from}→{to}: error {} dBov", rms_dbov(&difference));
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_removed_not_folded_back() {
        let out = resample(&tone::sine(6_000.0, -10.0, 500, 16_000), 8_000).unwrap();
        assert!(rms_dbov(&out.samples[400..3_600]) < -70.0);
    }

    #[test]
    fn short_and_empty_sounds_keep_their_length() {
        for length in [0usize, 1, 2, 159, 160, 161, 1_023, 1_025] {
            let pcm = Pcm { rate_hz: 8_000, samples: vec![500; length] };
            assert_eq!(resample(&pcm, 16_000).unwrap().samples.len(), 2 * length, "{length} samples");
        }
    }

    #[test]
    fn loud_sound_clips_instead_of_wrapping() {
        let square = Pcm { rate_hz: 8_000, samples: [[i16::MAX; 8], [i16::MIN; 8]].concat().repeat(50) };
        let out = resample(&square, 16_000).unwrap();
        assert!(out.samples.iter().skip(300).take(6).any(|&sample| sample == i16::MAX || sample == i16::MIN));
    }

    #[test]
    fn impossible_rates_are_refused_in_words() {
        for (from, to) in [(0, 8_000), (8_000, 0), (u32::MAX, 8_000), (44_100, 4_000_000)] {
            let error = resample(&Pcm { rate_hz: from, samples: vec![0; 10] }, to).unwrap_err();
            assert!(error.to_string().contains("sample rates between"), "{error}");
        }
    }
}
