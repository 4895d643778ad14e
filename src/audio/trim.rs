//! Cutting silence off both ends of a prompt: what a synthesiser leaves there is latency the caller hears.

use std::time::Duration;

use super::Pcm;
use super::level::rms_dbov;

/// Length of the stretches whose level is compared: short enough to keep a plosive's onset, long enough to span
/// one period of a low voice.
const STEP: Duration = Duration::from_millis(10);

/// `pcm` without leading and trailing stretches quieter than `threshold_dbov` (−45 suits speech), except for `keep`
/// of them at each end, which protects soft onsets such as "f" or "h". Sound that is silent throughout becomes
/// empty.
pub fn trim_silence(pcm: &Pcm, threshold_dbov: f32, keep: Duration) -> Pcm {
    let step = samples_in(STEP, pcm.rate_hz).max(1);
    let loud = |chunk: &[i16]| rms_dbov(chunk) >= threshold_dbov;
    let Some(first) = pcm.samples.chunks(step).position(loud) else {
        return Pcm { rate_hz: pcm.rate_hz, samples: Vec::new() };
    };
    let last = pcm.samples.chunks(step).rposition(loud).unwrap_or(first);
    let keep = samples_in(keep, pcm.rate_hz);
    let from = (first * step).saturating_sub(keep);
    let to = ((last + 1) * step).saturating_add(keep).min(pcm.samples.len());
    Pcm { rate_hz: pcm.rate_hz, samples: pcm.samples[from..to].to_vec() }
}

fn samples_in(duration: Duration, rate_hz: u32) -> usize {
    usize::try_from(duration.as_micros().saturating_mul(u128::from(rate_hz)) / 1_000_000).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone;

    fn prompt(lead_ms: u32, tail_ms: u32, noise: i16) -> Pcm {
        let mut pcm = tone::sine(300.0, -20.0, 500, 8_000);
        let hiss = |ms: u32| (0..ms * 8).map(move |index| if index % 2 == 0 { noise } else { -noise });
        pcm.samples = hiss(lead_ms).chain(pcm.samples).chain(hiss(tail_ms)).collect();
        pcm
    }

    #[test]
    fn both_ends_are_cut_and_a_little_is_kept() {
        let rows = [(300, 700, 0, 0, 500), (300, 700, 20, 30, 560), (10, 0, 0, 30, 510), (0, 0, 0, 30, 500)];
        for (lead, tail, noise, keep, expected) in rows {
            let trimmed = trim_silence(&prompt(lead, tail, noise), -45.0, Duration::from_millis(keep));
            assert_eq!(trimmed.duration_ms(), expected, "{lead} ms, {tail} ms, noise {noise}, keep {keep}");
        }
    }

    #[test]
    fn a_pause_inside_stays() {
        let mut pcm = prompt(100, 0, 0);
        pcm.samples.extend(prompt(400, 100, 0).samples);
        assert_eq!(trim_silence(&pcm, -45.0, Duration::ZERO).duration_ms(), 1_400);
    }

    #[test]
    fn silence_and_nothing_become_empty() {
        assert!(trim_silence(&tone::silence(500, 8_000), -45.0, Duration::from_secs(1)).samples.is_empty());
        assert!(trim_silence(&Pcm::default(), -45.0, Duration::from_secs(1)).samples.is_empty());
        assert!(!trim_silence(&prompt(1, 1, 0), -45.0, Duration::MAX).samples.is_empty());
    }
}
