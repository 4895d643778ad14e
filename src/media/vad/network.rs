//! The network that tells speech from noise: features of a 16 ms window in, how sure it is out.
//!
//! It is that of `earshot` 1.2 (© pyke.io, MIT or Apache-2.0), whose weights the build takes from the crate (`build.rs`),
//! computed in about half the time: with a thousand callers who talk all at once the original would fill a third of a
//! core more. A test holds the two together.
//!
//! ```text
//!   256 samples ─▶ pre-emphasis ─▶ 768, Hann ─▶ FFT ─▶ 40 mel bands, log ─▶ 3 such frames
//!               ─▶ convolution ×3 ─▶ two minimal gated units of 64 ─▶ sigmoid
//! ```

use std::sync::{Arc, LazyLock};

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Samples it judges at once: 16 ms at 16 kHz.
pub const HOP: usize = 256;
/// Samples it looks at each time.
const WINDOW: usize = 768;
const FFT: usize = 1_024;
const BINS: usize = FFT / 2 + 1;
const BANDS: usize = 40;
/// Frames of features it looks at each time.
const CONTEXT: usize = 3;
const PRE_EMPHASIS: f32 = 0.97;
const FULL_SCALE: f32 = 32_768.0;
/// Where the mel bands begin, peak and end, in bins: each band's neighbours are its ends.
const CENTRES: [usize; BANDS + 2] = [
    4, 7, 10, 13, 17, 21, 25, 29, 33, 38, 43, 48, 54, 60, 66, 73, 80, 87, 95, 103, 112, 122, 132, 142, 153, 165, 178,
    191, 205, 220, 236, 253, 270, 289, 309, 330, 353, 376, 402, 428, 456, 486,
];
/// Columns after the first convolution, and after pooling them; after the second and the third.
const COLUMNS: usize = BANDS - 2;
const POOLED: usize = 18;
const SECOND: usize = 9;
const THIRD: usize = 5;
const CHANNELS: usize = 16;
/// Units of each recurrent layer.
const UNITS: usize = 64;
/// One, as the gates count: 24 binary places.
const ONE: i64 = 0xFF_FFFF;

/// What was learned, each array in the order in which it is used here.
struct Weights {
    norm: [f32; BANDS],
    depth1: [[f32; 3]; CONTEXT],
    point1: [f32; CHANNELS],
    bias1: [f32; CHANNELS],
    /// By place in the kernel, then channel.
    depth2: [[f32; CHANNELS]; 3],
    /// By input channel, then output channel.
    point2: [[f32; CHANNELS]; CHANNELS],
    bias2: [f32; CHANNELS],
    depth3: [[f32; CHANNELS]; 3],
    point3: [[f32; CHANNELS]; CHANNELS],
    unit1: Box<[[i16; THIRD * CHANNELS]; 2 * UNITS]>,
    unit2: Box<[[i16; UNITS]; 2 * UNITS]>,
    output: [i16; 2 * UNITS],
}

/// What all detectors share.
struct Shared {
    weights: Weights,
    fft: Arc<dyn RealToComplex<f32>>,
    hann: Box<[f32; WINDOW]>,
    /// For each bin, how much of it goes to the band it rises in; the rest goes to the band before.
    rising: Box<[f32; BINS]>,
}

static SHARED: LazyLock<Shared> = LazyLock::new(Shared::new);

/// Reads the file of weights from its beginning to its end.
struct Reader(&'static [u8]);

impl Reader {
    fn floats<const N: usize>(&mut self) -> [f32; N] {
        std::array::from_fn(|_| f32::from_le_bytes(self.take()))
    }

    fn shorts<const N: usize>(&mut self) -> [i16; N] {
        std::array::from_fn(|_| i16::from_le_bytes(self.take()))
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (bytes, rest) = self.0.split_first_chunk().expect("the file holds as many weights as the network has");
        self.0 = rest;
        *bytes
    }

    fn transposed<const ROWS: usize, const COLUMNS: usize>(&mut self) -> [[f32; ROWS]; COLUMNS] {
        let rows: [[f32; COLUMNS]; ROWS] = std::array::from_fn(|_| self.floats());
        std::array::from_fn(|column| std::array::from_fn(|row| rows[row][column]))
    }
}

impl Weights {
    fn read(bytes: &'static [u8]) -> Self {
        let mut file = Reader(bytes);
        let read = Self {
            norm: file.floats(),
            depth1: std::array::from_fn(|_| file.floats()),
            point1: file.floats(),
            bias1: file.floats(),
            depth2: file.transposed(),
            point2: file.transposed(),
            bias2: file.floats(),
            depth3: file.transposed(),
            point3: file.transposed(),
            unit1: Box::new(std::array::from_fn(|_| file.shorts())),
            unit2: Box::new(std::array::from_fn(|_| file.shorts())),
            output: file.shorts(),
        };
        assert!(file.0.is_empty(), "the file holds as many weights as the network has");
        read
    }
}

impl Shared {
    fn new() -> Self {
        let hann = |place| 0.5 - 0.5 * (std::f64::consts::TAU * place as f64 / WINDOW as f64).cos();
        let mut rising = Box::new([0.0; BINS]);
        for pair in CENTRES.windows(2) {
            for bin in pair[0]..pair[1] {
                rising[bin] = (bin - pair[0]) as f32 / (pair[1] - pair[0]) as f32;
            }
        }
        Self {
            weights: Weights::read(include_bytes!(concat!(env!("OUT_DIR"), "/earshot-weights.bin"))),
            fft: RealFftPlanner::new().plan_fft_forward(FFT),
            hann: Box::new(std::array::from_fn(|place| hann(place) as f32)),
            rising,
        }
    }
}

/// One stream's detector: 4 kB.
pub struct Network {
    /// The newest samples, pre-emphasised.
    samples: [f32; WINDOW],
    last: f32,
    /// The newest features, oldest first.
    features: [[f32; BANDS]; CONTEXT],
    state1: [i16; UNITS],
    state2: [i16; UNITS],
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Network {
    /// One that has heard nothing. The first of a process reads the weights.
    pub fn new() -> Self {
        LazyLock::force(&SHARED);
        Self {
            samples: [0.0; WINDOW],
            last: 0.0,
            features: [[0.0; BANDS]; CONTEXT],
            state1: [0; UNITS],
            state2: [0; UNITS],
        }
    }

    /// How sure it is that somebody speaks, 0..1, after the next 16 ms at 16 kHz. Per window: no allocation, no lock,
    /// no log.
    pub fn hear(&mut self, window: &[i16; HOP]) -> f32 {
        let shared = &*SHARED;
        self.samples.copy_within(HOP.., 0);
        for (slot, &sample) in self.samples[WINDOW - HOP..].iter_mut().zip(window) {
            let sample = f32::from(sample);
            *slot = sample - PRE_EMPHASIS * self.last;
            self.last = sample;
        }
        self.features.rotate_left(1);
        self.features[CONTEXT - 1] = features(&self.samples, shared);
        let weights = &shared.weights;
        let sound = convolve(&self.features, weights);
        minimal_gated_unit(&sound, &mut self.state1, &weights.unit1);
        minimal_gated_unit(&self.state1, &mut self.state2, &weights.unit2);
        let (one, other) = weights.output.split_at(UNITS);
        let sum = dot(&self.state1, one).wrapping_add(dot(&self.state2, other));
        1.0 / (1.0 + (-(sum as f32) / 16_777_216.0).exp())
    }
}

/// Logarithm of the energy in each band, scaled to one over all of them.
fn features(samples: &[f32; WINDOW], shared: &Shared) -> [f32; BANDS] {
    let mut line = [0.0; FFT];
    for ((slot, sample), window) in line.iter_mut().zip(samples).zip(&*shared.hann) {
        *slot = sample * window;
    }
    let zero = Complex { re: 0.0, im: 0.0 };
    let (mut spectrum, mut scratch) = ([zero; BINS], [zero; FFT / 2 + 1]);
    let room = shared.fft.get_scratch_len().min(scratch.len());
    let done = shared.fft.process_with_scratch(&mut line, &mut spectrum, &mut scratch[..room]);
    debug_assert!(done.is_ok(), "the lengths are those of the plan");
    // Each bin lies on the rising side of one band and the falling side of the one before.
    let mut bands = [0.0; BANDS + 1];
    for (band, pair) in CENTRES.windows(2).enumerate() {
        let (mut all, mut rising) = (0.0, 0.0);
        for (bin, share) in spectrum[pair[0]..pair[1]].iter().zip(&shared.rising[pair[0]..pair[1]]) {
            let power = bin.norm_sqr();
            all += power;
            rising += power * share;
        }
        bands[band] += rising;
        if band > 0 {
            bands[band - 1] += all - rising;
        }
    }
    let mut features: [f32; BANDS] =
        std::array::from_fn(|band| (bands[band] * (1.0 / (FULL_SCALE * FULL_SCALE)) + 1e-20).ln());
    let mean = features.iter().map(|feature| feature * feature).sum::<f32>() / BANDS as f32;
    let scale = mean.sqrt().recip();
    features.iter_mut().zip(&shared.weights.norm).for_each(|(feature, norm)| *feature *= norm * scale);
    features
}

/// Three convolutions over the bands, the first over time as well.
fn convolve(features: &[[f32; BANDS]; CONTEXT], weights: &Weights) -> [i16; THIRD * CHANNELS] {
    let mut row = [0.0; COLUMNS];
    for (frame, kernel) in features.iter().zip(&weights.depth1) {
        for (place, weight) in kernel.iter().enumerate() {
            row.iter_mut().zip(&frame[place..]).for_each(|(sum, feature)| *sum += feature * weight);
        }
    }
    // Every channel scales the row and takes the greatest of three: where it scales by less than nothing, the least.
    let most: [f32; POOLED] =
        std::array::from_fn(|column| row[2 * column].max(row[2 * column + 1]).max(row[2 * column + 2]));
    let least: [f32; POOLED] =
        std::array::from_fn(|column| row[2 * column].min(row[2 * column + 1]).min(row[2 * column + 2]));
    // A column of nothing on each side.
    let mut pooled = [[0.0; CHANNELS]; POOLED + 2];
    for ((cell, most), least) in pooled[1..=POOLED].iter_mut().zip(most).zip(least) {
        for ((slot, weight), bias) in cell.iter_mut().zip(&weights.point1).zip(&weights.bias1) {
            let value = if *weight < 0.0 { least } else { most };
            *slot = (value * weight + bias).max(0.0);
        }
    }
    let mut second = [[0.0; CHANNELS]; SECOND + 2];
    for (column, cell) in second[1..=SECOND].iter_mut().enumerate() {
        *cell = separable(&pooled, 2 * column, &weights.depth2, &weights.point2, weights.bias2);
        cell.iter_mut().for_each(|value| *value = value.max(0.0));
    }
    let mut third = [0; THIRD * CHANNELS];
    for (column, cell) in third.chunks_exact_mut(CHANNELS).enumerate() {
        let values = separable(&second, 2 * column, &weights.depth3, &weights.point3, [0.0; CHANNELS]);
        for (slot, value) in cell.iter_mut().zip(values) {
            // Rounded half away from zero; the cast saturates.
            *slot = (value * FULL_SCALE + 0.5f32.copysign(value)) as i16;
        }
    }
    third
}

/// Three columns from `first` on, each channel by itself, then all channels mixed.
#[inline(always)]
fn separable<const N: usize>(
    columns: &[[f32; CHANNELS]; N],
    first: usize,
    depth: &[[f32; CHANNELS]; 3],
    point: &[[f32; CHANNELS]; CHANNELS],
    mut sum: [f32; CHANNELS],
) -> [f32; CHANNELS] {
    let mut by_channel = [0.0; CHANNELS];
    for (column, weights) in columns[first..].iter().zip(depth) {
        for ((sum, value), weight) in by_channel.iter_mut().zip(column).zip(weights) {
            *sum += value * weight;
        }
    }
    for (value, weights) in by_channel.iter().zip(point) {
        sum.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += value * weight);
    }
    sum
}

/// A minimal gated unit (Heck and Salem, 2017) in fixed point: each state moves towards its candidate by its gate.
fn minimal_gated_unit<const N: usize>(input: &[i16; N], state: &mut [i16; UNITS], weights: &[[i16; N]; 2 * UNITS]) {
    let (candidates, gates) = weights.split_at(UNITS);
    for ((state, candidate), gate) in state.iter_mut().zip(candidates).zip(gates) {
        let candidate = i64::from(dot(input, candidate));
        let gate = i64::from(dot(input, gate).wrapping_shl(2)).clamp(0, ONE);
        let moved = (ONE - gate) * (i64::from(*state) << 9) + gate * candidate;
        *state = (moved >> 33).clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16;
    }
}

#[inline(always)]
fn dot(one: &[i16], other: &[i16]) -> i32 {
    let product = |(&one, &other): (&i16, &i16)| i32::from(one) * i32::from(other);
    one.iter().zip(other).map(product).fold(0, i32::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::fixtures::{noise, voice};

    #[test]
    fn it_scores_as_the_original_does() {
        let sound = [noise(60, -55.0), voice(100, 16_000.0), noise(40, -25.0), vec![[0; 160]; 40], voice(50, 900.0)];
        let samples: Vec<i16> = sound.concat().concat();
        let (mut ours, mut original) = (Network::new(), earshot::Detector::default());
        let (mut highest, mut lowest) = (0.0_f32, 1.0_f32);
        for window in samples.as_chunks::<HOP>().0 {
            let (score, expected) = (ours.hear(window), original.predict_i16(window));
            assert!((score - expected).abs() < 0.001, "{score}, the original {expected}");
            (highest, lowest) = (highest.max(score), lowest.min(score));
        }
        assert!(highest > 0.8 && lowest < 0.2, "both sides are seen: {lowest} to {highest}");
    }

    #[test]
    fn the_shares_of_a_bin_make_one() {
        let rising = &SHARED.rising;
        assert_eq!((rising[CENTRES[1]], rising[CENTRES[1] + 1]), (0.0, 1.0 / 3.0), "a peak begins the next band");
        assert!(rising.iter().all(|share| (0.0..1.0).contains(share)));
    }
}
