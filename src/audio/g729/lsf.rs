//! Line spectral frequencies in 18 bits: predicted from those of four frames before, the rest looked up in two stages
//! (ITU-T G.729, §3.2.4; for silence B.4.2).
//!
//! Each end remembers what was sent, and so predicts the same.

use std::f32::consts::PI;

use super::frame::LsfCode;
use super::lpc::ORDER;
use super::lsf_tables::{FIRST, PAST, PREDICTOR_STEP, PREDICTORS, SECOND, SILENT_FIRST, SILENT_SECOND, STEP};
use super::lsp::Lsp;

/// Line spectral frequencies, in radians, rising.
pub type Lsf = [f32; ORDER];

/// Half of them, which share an index of the second stage.
const HALF: usize = ORDER / 2;
/// Least distances between what the two stages add up to, enforced in turn.
const APART: [f32; 2] = [0.001_2, 0.000_6];
/// Where frequencies may lie, and how near to each other.
const LEAST: f32 = 0.005;
const MOST: f32 = 3.135;
const GAP: f32 = 0.039_2;
/// How much of the second predictor of silence is the first of speech; the rest is the second of speech.
const SILENT_MIX: f32 = 0.6;

/// What both ends remember.
#[derive(Clone, Debug)]
pub struct Memory {
    /// What the codebooks added up to, newest frame first.
    past: [Lsf; PAST],
    /// The frequencies of the last frame, and the predictor it named.
    last: Lsf,
    mode: u8,
}

impl Default for Memory {
    fn default() -> Self {
        let even = std::array::from_fn(|i| (i + 1) as f32 * PI / 11.0);
        Self { past: [even; PAST], last: even, mode: 0 }
    }
}

impl Memory {
    /// The frequencies that a frame of sound names.
    pub fn decode(&mut self, code: LsfCode) -> Lsf {
        let mut sum = stages(&FIRST[usize::from(code.first)], code.second.map(usize::from));
        APART.into_iter().for_each(|distance| part(&mut sum, distance));
        self.mode = code.mode;
        self.compose(sum, &predictor(code.mode))
    }

    /// The frequencies of a silence.
    pub fn decode_silence(&mut self, code: LsfCode) -> Lsf {
        let rows = [0, 1].map(|half| usize::from(SILENT_SECOND[half][usize::from(code.second[half])]));
        let mut sum = stages(&FIRST[usize::from(SILENT_FIRST[usize::from(code.first)])], rows);
        part(&mut sum, APART[0]);
        self.compose(sum, &silent_predictor(code.mode))
    }

    /// The frequencies of a frame that was lost: those of the last.
    pub fn repeat(&mut self) -> Lsf {
        let predictor = predictor(self.mode);
        let expected = self.expected(&predictor);
        let sum = std::array::from_fn(|i| (self.last[i] - expected[i]) / predictor.rest[i]);
        self.remember(sum);
        self.last
    }

    /// The code whose frequencies are most like `lsf`. Remembers nothing: decode it for that.
    pub fn choose(&self, lsf: &Lsf) -> LsfCode {
        let weights = weights(lsf);
        let [one, two] = [0, 1].map(|mode| self.choose_with(mode, lsf, &weights));
        if two.1 < one.1 { two.0 } else { one.0 }
    }

    /// The best code with one predictor, and how far it is off.
    fn choose_with(&self, mode: u8, lsf: &Lsf, weights: &Lsf) -> (LsfCode, f32) {
        let predictor = predictor(mode);
        let expected = self.expected(&predictor);
        // In the steps of the codebooks.
        let target: Lsf = std::array::from_fn(|i| (lsf[i] - expected[i]) / predictor.rest[i] / STEP);
        let weights: Lsf = std::array::from_fn(|i| weights[i] * predictor.rest[i] * predictor.rest[i]);
        let first = nearest(FIRST.iter().map(|row| distance(&target, row, &[1.0; ORDER])));
        let left: Lsf = std::array::from_fn(|i| target[i] - f32::from(FIRST[first][i]));
        let second = [0, HALF].map(|from| {
            let range = from..from + HALF;
            let off = |row: &[i16; ORDER]| distance(&left[range.clone()], &row[range.clone()], &weights[range.clone()]);
            nearest(SECOND.iter().map(off))
        });
        let mut sum = stages(&FIRST[first], second);
        APART.into_iter().for_each(|distance| part(&mut sum, distance));
        let off = (0..ORDER).map(|i| weights[i] * (target[i] - sum[i] / STEP).powi(2)).sum();
        (LsfCode { mode, first: first as u8, second: second.map(|row| row as u8) }, off)
    }

    fn compose(&mut self, sum: Lsf, predictor: &Predictor) -> Lsf {
        let expected = self.expected(predictor);
        self.last = std::array::from_fn(|i| expected[i] + predictor.rest[i] * sum[i]);
        self.remember(sum);
        settle(&mut self.last);
        self.last
    }

    fn expected(&self, predictor: &Predictor) -> Lsf {
        std::array::from_fn(|i| (0..PAST).map(|k| predictor.past[k][i] * self.past[k][i]).sum())
    }

    fn remember(&mut self, sum: Lsf) {
        self.past.rotate_right(1);
        self.past[0] = sum;
    }
}

/// Shares of the past in what is expected, and of the codebooks in the rest.
struct Predictor {
    past: [Lsf; PAST],
    rest: Lsf,
}

fn predictor(mode: u8) -> Predictor {
    Predictor::new(PREDICTORS[usize::from(mode)].map(|row| row.map(|share| f32::from(share) * PREDICTOR_STEP)))
}

fn silent_predictor(mode: u8) -> Predictor {
    let [first, second] = [0, 1].map(|mode| predictor(mode).past);
    match mode {
        0 => Predictor::new(first),
        _ => Predictor::new(std::array::from_fn(|k| {
            std::array::from_fn(|i| SILENT_MIX * first[k][i] + (1.0 - SILENT_MIX) * second[k][i])
        })),
    }
}

impl Predictor {
    fn new(past: [Lsf; PAST]) -> Self {
        Self { past, rest: std::array::from_fn(|i| 1.0 - past.iter().map(|row| row[i]).sum::<f32>()) }
    }
}

/// A row of the first stage and two half rows of the second.
fn stages(first: &[i16; ORDER], second: [usize; 2]) -> Lsf {
    std::array::from_fn(|i| (f32::from(first[i]) + f32::from(SECOND[second[i / HALF]][i])) * STEP)
}

/// Moves neighbours apart that are nearer than `distance`.
fn part(sum: &mut Lsf, distance: f32) {
    for i in 1..ORDER {
        let near = (sum[i - 1] - sum[i] + distance) / 2.0;
        if near > 0.0 {
            sum[i - 1] -= near;
            sum[i] += near;
        }
    }
}

/// Makes frequencies those of a filter that does not ring for ever.
fn settle(lsf: &mut Lsf) {
    for i in 1..ORDER {
        if lsf[i] < lsf[i - 1] {
            lsf.swap(i, i - 1);
        }
    }
    lsf[0] = lsf[0].max(LEAST);
    for i in 1..ORDER {
        lsf[i] = lsf[i].max(lsf[i - 1] + GAP);
    }
    lsf[ORDER - 1] = lsf[ORDER - 1].min(MOST);
}

/// How much each frequency is heard: more where two are close, at a peak of the spectrum.
fn weights(lsf: &Lsf) -> Lsf {
    let mut weights = std::array::from_fn(|i| {
        let below = if i == 0 { 0.04 * PI } else { lsf[i - 1] };
        let above = if i == ORDER - 1 { 0.92 * PI } else { lsf[i + 1] };
        let room = above - below - 1.0;
        if room > 0.0 { 1.0 } else { 10.0 * room * room + 1.0 }
    });
    weights[4] *= 1.2;
    weights[5] *= 1.2;
    weights
}

fn distance(target: &[f32], row: &[i16], weights: &[f32]) -> f32 {
    target.iter().zip(row).zip(weights).map(|((t, &r), w)| w * (t - f32::from(r)) * (t - f32::from(r))).sum()
}

fn nearest(distances: impl Iterator<Item = f32>) -> usize {
    distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(row, _)| row)
}

/// Frequencies of pairs.
pub fn of_lsp(lsp: &Lsp) -> Lsf {
    lsp.map(f32::acos)
}

/// Pairs of frequencies.
pub fn to_lsp(lsf: &Lsf) -> Lsp {
    lsf.map(f32::cos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_is_near_and_both_ends_agree() {
        let mut memory = Memory::default();
        let mut far_end = memory.clone();
        for step in 0..50 {
            let sway = (step as f32 * 0.3).sin() * 0.08;
            let lsf: Lsf = [0.25, 0.42, 0.7, 1.05, 1.3, 1.55, 1.9, 2.2, 2.5, 2.8].map(|w| w + sway);
            let code = memory.choose(&lsf);
            let (ours, theirs) = (memory.decode(code), far_end.decode(code));
            assert_eq!(ours, theirs);
            let off = lsf.iter().zip(ours).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 0.15, "frame {step}: {off}");
        }
    }

    #[test]
    fn every_code_names_frequencies_of_a_steady_filter() {
        let mut memory = Memory::default();
        let mut state = 5_u32;
        for frame in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [mode, first, second, third] = state.to_be_bytes();
            let code = LsfCode { mode: mode & 1, first: first & 0x7F, second: [second & 0x1F, third & 0x1F] };
            let lsf = match frame % 7 {
                0 => memory.repeat(),
                1 => memory.decode_silence(LsfCode {
                    mode: code.mode,
                    first: code.first & 0x1F,
                    second: code.second.map(|row| row & 0xF),
                }),
                _ => memory.decode(code),
            };
            assert!(lsf[0] >= LEAST && lsf[9] <= MOST, "{lsf:?}");
            assert!(lsf.windows(2).all(|pair| pair[1] - pair[0] > 0.0), "{lsf:?}");
        }
    }

    #[test]
    fn a_lost_frame_keeps_the_filter() {
        let mut memory = Memory::default();
        let code = LsfCode { mode: 1, first: 17, second: [3, 21] };
        let lsf = memory.decode(code);
        assert_eq!(memory.repeat(), lsf);
        assert_eq!(memory.repeat(), lsf);
    }
}
