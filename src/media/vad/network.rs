//! The network that tells speech from noise: features of a 16 ms window in, how sure it is out.
//!
//! It is that of `earshot` 1.2 (© pyke.io, MIT or Apache-2.0), whose weights the build takes from the crate (`build.rs`).
//! It was taught at 16 kHz; telephones speak at 8. The original has to be fed with samples put between ours, and spends
//! half of its time on a spectrum that holds nothing new. Here the spectrum is taken at 8 kHz, and what the samples in
//! between would have made of it (their filter, its images above 4 kHz, their rounding, pre-emphasis) is one factor per
//! bin. The rest is the same network, computed for whatever processor runs it: a quarter of the time. Tests hold
//! the two together, and `examples/vad.rs` what comes of it.
//!
//! ```text
//!   128 samples ─▶ 384, Hann ─▶ FFT ─▶ 40 mel bands, log ─▶ 3 such frames
//!               ─▶ convolution ×3 ─▶ two minimal gated units of 64 ─▶ sigmoid
//! ```

mod units;

use std::f64::consts::{PI, TAU};
use std::sync::{Arc, LazyLock};

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use self::units::{Generation, Multiply, Task, UNITS, Units};

/// Samples it judges at once: 16 ms at 8 kHz.
pub const HOP: usize = 128;
/// Samples it looks at each time.
const WINDOW: usize = 384;
const FFT: usize = 512;
/// Bins of our spectrum, up to 4 kHz.
const BINS: usize = FFT / 2 + 1;
/// Bins of the spectrum it was taught with, as wide as ours, up to 8 kHz; as many whole blocks as hold them.
const WIDE_BINS: usize = (FFT + 1).next_multiple_of(BLOCK);
/// Bins that are weighed together.
const BLOCK: usize = 8;
const BANDS: usize = 40;
/// Frames of features it looks at each time.
const CONTEXT: usize = 3;
const PRE_EMPHASIS: f64 = 0.97;
const FULL_SCALE: f32 = 32_768.0;
/// Upper half of the symmetric half-band filter that would make the samples between ours. Windowed sinc; images of the
/// telephone band fall at least 35 dB below it.
const HALF_BAND: [f64; 4] = [0.616_9, -0.173_8, 0.072_1, -0.015_2];
/// Mean square of what a sample loses when its fraction is cut off.
const CUT_OFF: f64 = 1.0 / 3.0;
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
    units1: Units,
    units2: Units,
    output: [i16; 2 * UNITS],
}

/// What all detectors share.
struct Shared {
    weights: Weights,
    fft: Arc<dyn RealToComplex<f32>>,
    hann: Box<[f32; WINDOW]>,
    bands: Vec<Band>,
    generation: Generation,
}

/// A triangle over the wide spectrum.
struct Band {
    first_block: usize,
    /// From there on: power in the band for a power of one in the bin of ours that the wide one mirrors.
    weights: Vec<[f32; BLOCK]>,
    /// Power of the fractions that are cut off.
    noise: f32,
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
            units1: Units::new(&std::array::from_fn(|_| file.shorts::<{ THIRD * CHANNELS }>())),
            units2: Units::new(&std::array::from_fn(|_| file.shorts::<UNITS>())),
            output: file.shorts(),
        };
        assert!(file.0.is_empty(), "the file holds as many weights as the network has");
        read
    }
}

impl Shared {
    fn new() -> Self {
        let hann = |place| 0.5 - 0.5 * (TAU * place as f64 / WINDOW as f64).cos();
        let angle = |bin: usize| PI * bin as f64 / FFT as f64;
        let emphasis = |bin| 1.0 + PRE_EMPHASIS * PRE_EMPHASIS - 2.0 * PRE_EMPHASIS * angle(bin).cos();
        let gain = |bin| {
            let sides = HALF_BAND.iter().enumerate().map(|(k, h)| 2.0 * h * ((2 * k + 1) as f64 * angle(bin)).cos());
            1.0 + sides.sum::<f64>()
        };
        // Half of the samples in the wide window are made, and lose their fractions.
        let lost = CUT_OFF * (0..WINDOW).map(|place| hann(place).powi(2)).sum::<f64>();
        let band = |ends: &[usize]| {
            let (begin, peak, end) = (ends[0], ends[1], ends[2]);
            let share = |bin| match bin {
                _ if bin < begin || bin >= end => 0.0,
                _ if bin < peak => (bin - begin) as f64 / (peak - begin) as f64,
                _ => (end - bin) as f64 / (end - peak) as f64,
            };
            let weight = |bin| (share(bin) * emphasis(bin) * gain(bin).powi(2)) as f32;
            let blocks = begin / BLOCK..end.div_ceil(BLOCK);
            Band {
                first_block: blocks.start,
                weights: blocks.map(|block| std::array::from_fn(|place| weight(block * BLOCK + place))).collect(),
                noise: (begin..end).map(|bin| lost * share(bin) * emphasis(bin)).sum::<f64>() as f32,
            }
        };
        Self {
            weights: Weights::read(include_bytes!(concat!(env!("OUT_DIR"), "/earshot-weights.bin"))),
            fft: RealFftPlanner::new().plan_fft_forward(FFT),
            hann: Box::new(std::array::from_fn(|place| hann(place) as f32)),
            bands: CENTRES.windows(3).map(band).collect(),
            generation: Generation::of_this_machine(),
        }
    }
}

/// One stream's detector: 2.3 kB.
pub struct Network {
    /// The newest samples.
    samples: [f32; WINDOW],
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
        Self { samples: [0.0; WINDOW], features: [[0.0; BANDS]; CONTEXT], state1: [0; UNITS], state2: [0; UNITS] }
    }

    /// How sure it is that somebody speaks, 0..1, after the next 16 ms at 8 kHz. Per window: no allocation, no lock,
    /// no log.
    pub fn hear(&mut self, window: &[i16; HOP]) -> f32 {
        let shared = &*SHARED;
        self.samples.copy_within(HOP.., 0);
        for (slot, &sample) in self.samples[WINDOW - HOP..].iter_mut().zip(window) {
            *slot = f32::from(sample);
        }
        let spectrum = spectrum(&self.samples, shared);
        shared.generation.run(Judgement { network: self, spectrum: &spectrum, shared })
    }
}

/// What follows the spectrum.
struct Judgement<'a> {
    network: &'a mut Network,
    spectrum: &'a [Complex<f32>; BINS],
    shared: &'a Shared,
}

impl Task for Judgement<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<M: Multiply>(self, by: M) -> f32 {
        let Self { network, spectrum, shared } = self;
        let weights = &shared.weights;
        network.features.rotate_left(1);
        network.features[CONTEXT - 1] = features(spectrum, shared);
        let sound = convolve(&network.features, weights);
        weights.units1.step(by, &sound, &mut network.state1);
        weights.units2.step(by, &network.state1, &mut network.state2);
        let states = network.state1.iter().chain(&network.state2);
        let product = |(&state, &weight): (&i16, &i16)| i32::from(state) * i32::from(weight);
        let sum = states.zip(&weights.output).map(product).fold(0, i32::wrapping_add);
        1.0 / (1.0 + (-(sum as f32) / 16_777_216.0).exp())
    }
}

fn spectrum(samples: &[f32; WINDOW], shared: &Shared) -> [Complex<f32>; BINS] {
    let mut line = [0.0; FFT];
    for ((slot, sample), window) in line.iter_mut().zip(samples).zip(&*shared.hann) {
        *slot = sample * window;
    }
    let zero = Complex { re: 0.0, im: 0.0 };
    let (mut spectrum, mut scratch) = ([zero; BINS], [zero; FFT / 2 + 1]);
    let room = shared.fft.get_scratch_len().min(scratch.len());
    let done = shared.fft.process_with_scratch(&mut line, &mut spectrum, &mut scratch[..room]);
    debug_assert!(done.is_ok(), "the lengths are those of the plan");
    spectrum
}

/// Logarithm of the energy in each band, scaled to one over all of them.
#[inline(always)]
fn features(spectrum: &[Complex<f32>; BINS], shared: &Shared) -> [f32; BANDS] {
    let mut power = [0.0; WIDE_BINS];
    for (slot, bin) in power.iter_mut().zip(spectrum) {
        *slot = bin.norm_sqr();
    }
    let (below, above) = power.split_at_mut(BINS);
    above.iter_mut().zip(below.iter().rev().skip(1)).for_each(|(image, power)| *image = *power);
    let blocks = power.as_chunks().0;
    let mut features = [0.0; BANDS];
    for (slot, band) in features.iter_mut().zip(&shared.bands) {
        let mut sums = [0.0; BLOCK];
        for (power, weights) in blocks[band.first_block..].iter().zip(&band.weights) {
            let weighed: &[f32; BLOCK] = power;
            sums.iter_mut().zip(weighed).zip(weights).for_each(|((sum, power), weight)| *sum += power * weight);
        }
        let energy = sums.iter().sum::<f32>();
        // Nothing is lost of nothing.
        let noise = if energy > 0.0 { band.noise } else { 0.0 };
        *slot = ((energy + noise) * (1.0 / (FULL_SCALE * FULL_SCALE)) + 1e-20).ln();
    }
    let mean = features.iter().map(|feature| feature * feature).sum::<f32>() / BANDS as f32;
    let scale = mean.sqrt().recip();
    features.iter_mut().zip(&shared.weights.norm).for_each(|(feature, norm)| *feature *= norm * scale);
    features
}

/// Three convolutions over the bands, the first over time as well.
#[inline(always)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::fixtures::{noise, voice};

    /// Our sound at 16 kHz, as the original wants it.
    fn doubled(samples: &[i16]) -> Vec<i16> {
        let at =
            |place: usize| place.checked_sub(3).and_then(|place| samples.get(place)).map_or(0.0, |s| f64::from(*s));
        let between = |place: usize| {
            HALF_BAND.iter().enumerate().map(|(k, h)| h * (at(place + 3 - k) + at(place + 4 + k))).sum::<f64>()
        };
        (0..samples.len()).flat_map(|place| [at(place + 3) as i16, between(place) as i16]).collect()
    }

    /// Scores of the same sound, the original's first.
    fn both(samples: &[i16]) -> Vec<(f32, f32)> {
        let (mut ours, mut original) = (Network::new(), earshot::Detector::default());
        let wide = doubled(samples);
        let windows = wide.as_chunks::<{ 2 * HOP }>().0.iter().zip(samples.as_chunks::<HOP>().0);
        windows.map(|(wide, window)| (original.predict_i16(wide), ours.hear(window))).collect()
    }

    #[test]
    fn it_scores_as_the_original_does() {
        let sound = [noise(60, -55.0), voice(100, 16_000.0), noise(40, -25.0), vec![[0; 160]; 40], voice(50, 900.0)];
        let scores = both(&sound.concat().concat());
        let apart = scores.iter().map(|(theirs, ours)| (theirs - ours).abs()).sum::<f32>() / scores.len() as f32;
        assert!(apart < 0.02, "{apart}");
        let (most, least) = scores.iter().fold((0.0_f32, 1.0_f32), |(m, l), (_, s)| (m.max(*s), l.min(*s)));
        assert!(most > 0.8 && least < 0.2, "both sides are seen: {least} to {most}");
    }

    #[test]
    fn what_one_band_does_not_take_of_a_bin_its_neighbour_takes() {
        let taken = |bin: usize| {
            let of = |band: &Band| {
                let block = (bin / BLOCK).checked_sub(band.first_block).and_then(|block| band.weights.get(block));
                block.map_or(0.0, |weights| weights[bin % BLOCK])
            };
            SHARED.bands.iter().map(of).sum::<f32>()
        };
        // Between two peaks, the factors of the bins alone are left: smooth over a peak.
        for peak in &CENTRES[2..BANDS] {
            let around = (taken(peak - 1) + taken(peak + 1)) / 2.0;
            assert!((taken(*peak) - around).abs() < 0.02 * around.max(0.01), "{peak}: {} {around}", taken(*peak));
        }
        assert_eq!((taken(CENTRES[0] - 1), taken(CENTRES[BANDS + 1])), (0.0, 0.0));
    }
}
