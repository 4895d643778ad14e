//! Gains: how much of pitch and of pulses, in seven bits (ITU-T G.729 §3.9).
//!
//! The gain of pulses is predicted from those before; what is coded is how far that was off, together with the gain of
//! pitch, as the sum of two rows of two small tables.

use super::SUBFRAME;
use super::filter::{Subframe, dot};

/// Mean energy of what pulses say, in dB.
const MEAN: f32 = 30.0;
/// How the last four halves predict the next.
const PREDICTOR: [f32; 4] = [0.68, 0.58, 0.34, 0.19];
/// What they were off before anything was heard, in dB.
const FAINTEST: f32 = -14.0;

/// First table: gain of pitch, and correction of the gain of pulses (`GA`).
const FIRST: [[f32; 2]; 8] = [
    [0.000_010, 0.185_084],
    [0.094_719, 0.296_035],
    [0.111_779, 0.613_122],
    [0.003_516, 0.659_780],
    [0.117_258, 1.134_277],
    [0.197_901, 1.214_512],
    [0.021_772, 1.801_288],
    [0.163_457, 3.315_7],
];
/// Second table (`GB`).
const SECOND: [[f32; 2]; 16] = [
    [0.050_466, 0.244_769],
    [0.121_711, 0.000_010],
    [0.313_871, 0.072_357],
    [0.375_977, 0.292_399],
    [0.493_870, 0.593_410],
    [0.556_641, 0.064_087],
    [0.645_363, 0.362_118],
    [0.706_138, 0.146_110],
    [0.809_357, 0.397_579],
    [0.866_379, 0.199_087],
    [0.923_602, 0.599_938],
    [0.925_376, 1.742_757],
    [0.942_028, 0.029_027],
    [0.983_459, 0.414_166],
    [1.055_892, 0.227_186],
    [1.158_039, 0.724_592],
];
/// Which row an index on the wire means: neighbours on the wire sound alike, so that a wrong bit does less harm.
const FIRST_ROWS: [u8; 8] = [5, 1, 7, 4, 2, 0, 6, 3];
/// See above.
const SECOND_ROWS: [u8; 16] = [2, 14, 3, 13, 0, 15, 1, 12, 6, 10, 7, 9, 4, 11, 5, 8];

/// Gains of half a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gains {
    /// Of what was one lag ago.
    pub pitch: f32,
    /// Of the pulses.
    pub pulses: f32,
}

/// What both ends predict from: how far predictions were off, in dB, newest first.
#[derive(Clone, Debug)]
pub struct Predictor([f32; 4]);

impl Default for Predictor {
    fn default() -> Self {
        Self([FAINTEST; 4])
    }
}

impl Predictor {
    /// The gains that seven bits name, for these pulses.
    pub fn decode(&mut self, code: [u8; 2], pulses: &Subframe) -> Gains {
        let (pitch, correction) = rows(code);
        let gains = Gains { pitch, pulses: self.expected(pulses) * correction };
        self.remember(20.0 * correction.log10());
        gains
    }

    /// The code with which the two parts of the excitation, each through the filter, come nearest to `target`.
    ///
    /// `most_pitch` keeps the gain of pitch from letting errors grow.
    pub fn choose(&self, target: &Subframe, pitch: &Subframe, pulses: [&Subframe; 2], most_pitch: f32) -> [u8; 2] {
        let [pulses, filtered] = pulses;
        let expected = self.expected(pulses);
        let (yy, zz) = (dot(pitch, pitch), dot(filtered, filtered) * expected * expected);
        let (xy, xz) = (dot(target, pitch), dot(target, filtered) * expected);
        let yz = dot(pitch, filtered) * expected;
        let mut best = (f32::INFINITY, [0, 0]);
        for first in 0..8 {
            for second in 0..16 {
                let (p, c) = rows([first, second]);
                // The energy of the difference, without that of the target.
                let off = p * p * yy + c * c * zz - 2.0 * (p * xy + c * xz - p * c * yz);
                if off < best.0 && p < most_pitch {
                    best = (off, [first, second]);
                }
            }
        }
        best.1
    }

    /// The gain that these pulses are expected to have (§3.9.1).
    fn expected(&self, pulses: &Subframe) -> f32 {
        let energy = 10.0 * (dot(pulses, pulses) / SUBFRAME as f32).max(1e-6).log10();
        let off: f32 = PREDICTOR.iter().zip(&self.0).map(|(weight, off)| weight * off).sum();
        10_f32.powf((off + MEAN - energy) / 20.0)
    }

    fn remember(&mut self, off: f32) {
        self.0.rotate_right(1);
        self.0[0] = off;
    }
}

/// Gain of pitch and correction of that of pulses.
fn rows(code: [u8; 2]) -> (f32, f32) {
    let first = FIRST[usize::from(FIRST_ROWS[usize::from(code[0])])];
    let second = SECOND[usize::from(SECOND_ROWS[usize::from(code[1])])];
    (first[0] + second[0], first[1] + second[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gains_that_made_a_target_are_found() {
        let pitch: Subframe = std::array::from_fn(|n| 400.0 * (n as f32 * 0.3).sin());
        let mut pulses = [0.0; SUBFRAME];
        [3, 11, 22, 35].into_iter().for_each(|place| pulses[place] = 1.0);
        for first in 0..8 {
            for second in 0..16 {
                let mut predictor = Predictor::default();
                let expected = predictor.expected(&pulses);
                let gains = predictor.clone().decode([first, second], &pulses);
                let target = std::array::from_fn(|n| gains.pitch * pitch[n] + gains.pulses * pulses[n]);
                let code = predictor.choose(&target, &pitch, [&pulses, &pulses], 2.0);
                let found = predictor.decode(code, &pulses);
                assert!((found.pitch - gains.pitch).abs() < 0.02, "{gains:?} {found:?}");
                assert!((found.pulses - gains.pulses).abs() / expected < 0.1, "{gains:?} {found:?}");
            }
        }
    }

    #[test]
    fn each_row_has_one_index_and_pitch_keeps_below_its_limit() {
        let sorted = |rows: &[u8]| {
            let mut rows = rows.to_vec();
            rows.sort_unstable();
            rows
        };
        assert_eq!(sorted(&FIRST_ROWS), (0..8).collect::<Vec<u8>>());
        assert_eq!(sorted(&SECOND_ROWS), (0..16).collect::<Vec<u8>>());
        let loud = [1_000.0; SUBFRAME];
        let code = Predictor::default().choose(&loud, &[500.0; SUBFRAME], [&[0.1; SUBFRAME], &[0.1; SUBFRAME]], 0.95);
        assert!(rows(code).0 < 0.95);
    }
}
