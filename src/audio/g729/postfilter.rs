//! What makes decoded sound pleasant: noise between the harmonics of pitch and between the peaks of the filter is made
//! fainter (ITU-T G.729 §4.2, in the form of A.4.2).
//!
//! ```text
//!   sound ─▶ A(z/0.55) ─▶ pitch ─▶ tilt ─▶ 1/A(z/0.7) ─▶ as loud as before
//! ```

use super::SUBFRAME;
use super::filter::{Memory, Subframe, blunted, dot, residual, synthesize};
use super::lpc::{Lpc, ORDER};
use super::pitch::LONGEST;

/// How blunt the filter is taken away, and how blunt it comes back.
const TAKEN: f32 = 0.55;
/// See above.
const GIVEN: f32 = 0.7;
/// Share of the sound one lag ago that is added, at most.
const PITCH: f32 = 0.5;
/// Least share of energy that the lag explains, or there is no pitch: 3 dB of prediction gain.
const VOICED: f32 = 0.5;
/// Lags around that of the excitation that are tried.
const AROUND: usize = 3;
/// How much of the tilt is taken back, and the samples of response it is measured over.
const TILT: f32 = 0.8;
/// See above.
const RESPONSE: usize = 22;
/// Share of the loudness factor that each sample keeps.
const KEPT: f32 = 0.9;

/// The filter and what it remembers.
#[derive(Clone, Debug)]
pub struct Postfilter {
    /// The last samples that came in, and their residual.
    heard: [f32; ORDER + SUBFRAME],
    residual: [f32; LONGEST + SUBFRAME],
    /// Of the tilt, the last filter, and the loudness.
    before_tilt: f32,
    made: Memory,
    factor: f32,
}

impl Default for Postfilter {
    fn default() -> Self {
        Self {
            heard: [0.0; ORDER + SUBFRAME],
            residual: [0.0; LONGEST + SUBFRAME],
            before_tilt: 0.0,
            made: [0.0; ORDER],
            factor: 1.0,
        }
    }
}

impl Postfilter {
    /// Half a frame, of which the filter and the lag are known; noise has no lag.
    pub fn step(&mut self, lpc: &Lpc, lag: Option<usize>, sound: &Subframe) -> Subframe {
        self.heard.copy_within(SUBFRAME.., 0);
        self.heard[ORDER..].copy_from_slice(sound);
        self.residual.copy_within(SUBFRAME.., 0);
        let (taken, given) = (blunted(lpc, TAKEN), blunted(lpc, GIVEN));
        self.residual[LONGEST..].copy_from_slice(&residual(&taken, &self.heard));
        let mut excitation = self.voiced(lag);
        self.untilt(&taken, &given, &mut excitation);
        let made = synthesize(&given, &mut self.made, &excitation);
        self.as_loud(sound, made)
    }

    /// The residual, together with what was a lag ago.
    fn voiced(&self, lag: Option<usize>) -> Subframe {
        let mut now: Subframe = *self.residual.last_chunk().expect("half a frame is the end of it");
        let Some(lag) = lag else { return now };
        let longest = (lag + AROUND).min(LONGEST);
        let then = |lag: usize| &self.residual[LONGEST - lag..][..SUBFRAME];
        let better = |best: (f32, usize), lag: usize| {
            let product = dot(&now, then(lag));
            if product > best.0 { (product, lag) } else { best }
        };
        let (product, lag) = (longest - 2 * AROUND..=longest).fold((0.0, longest), better);
        let (energy, energy_then) = (dot(&now, &now), dot(then(lag), then(lag)));
        if product <= 0.0 || product * product < VOICED * energy * energy_then {
            return now;
        }
        let share = PITCH * (product / energy_then).min(1.0);
        now.iter_mut().zip(then(lag)).for_each(|(now, then)| *now = (*now + share * then) / (1.0 + share));
        now
    }

    /// Takes back that the two filters let through more low than high.
    fn untilt(&mut self, taken: &Lpc, given: &Lpc, excitation: &mut Subframe) {
        let mut numerator = [0.0; SUBFRAME];
        numerator[..=ORDER].copy_from_slice(taken);
        let response = synthesize(given, &mut [0.0; ORDER], &numerator);
        let response = &response[..RESPONSE];
        let (energy, next) = (dot(response, response), dot(&response[1..], &response[..RESPONSE - 1]));
        let tilt = TILT * (next / energy).max(0.0);
        let mut before = self.before_tilt;
        for sample in excitation {
            let now = *sample;
            *sample -= tilt * before;
            before = now;
        }
        self.before_tilt = before;
    }

    /// Makes `made` as loud as `sound`, without steps.
    fn as_loud(&mut self, sound: &Subframe, mut made: Subframe) -> Subframe {
        let energy = dot(&made, &made);
        let wanted = if energy > 0.0 { (dot(sound, sound) / energy).sqrt() } else { 0.0 };
        for sample in &mut made {
            self.factor = KEPT * self.factor + (1.0 - KEPT) * wanted;
            *sample *= self.factor;
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::g729::lsp;

    #[test]
    fn sound_without_peaks_or_pitch_passes_as_it_is() {
        let flat = lsp::to_lpc(&lsp::even());
        let mut postfilter = Postfilter::default();
        let mut state = 3_u32;
        for _ in 0..20 {
            let sound: Subframe = std::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 17) as f32 - 16_384.0
            });
            let made = postfilter.step(&flat, None, &sound);
            assert!(sound.iter().zip(made).all(|(a, b)| (a - b).abs() < 50.0), "{sound:?} {made:?}");
        }
    }

    #[test]
    fn peaks_stand_out_more_and_loudness_stays() {
        let lpc = lsp::to_lpc(&[0.97, 0.93, 0.7, 0.62, 0.3, 0.05, -0.2, -0.52, -0.7, -0.9]);
        let (mut postfilter, mut memory) = (Postfilter::default(), [0.0; ORDER]);
        let mut state = 3_u32;
        let (mut before, mut after) = (0.0, 0.0);
        for _ in 0..400 {
            let noise: Subframe = std::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 17) as f32 - 16_384.0
            });
            let sound = synthesize(&lpc, &mut memory, &noise);
            let made = postfilter.step(&lpc, None, &sound);
            before += dot(&sound, &sound);
            after += dot(&made, &made);
        }
        assert!((after / before - 1.0_f32).abs() < 0.1, "{before} {after}");
    }
}
