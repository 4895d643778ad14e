//! The filters that everything runs through, 5 ms at a time.

use super::SUBFRAME;
use super::lpc::{Lpc, ORDER};

/// What is smaller is none: numbers that decay for ever get too small for the processor to be quick with them.
const NOTHING: f32 = 1e-15;

/// Samples of half a frame.
pub type Subframe = [f32; SUBFRAME];
/// The last outputs of a filter, newest last.
pub type Memory = [f32; ORDER];

/// `A(z)`: what linear prediction leaves of a signal. The first [`ORDER`] samples are those before it.
pub fn residual(lpc: &Lpc, signal: &[f32; ORDER + SUBFRAME]) -> Subframe {
    std::array::from_fn(|n| {
        let window = &signal[n..=n + ORDER];
        lpc.iter().zip(window.iter().rev()).map(|(a, s)| a * s).sum()
    })
}

/// `1/A(z)`: the signal of an excitation, remembering where it stopped.
pub fn synthesize(lpc: &Lpc, memory: &mut Memory, excitation: &Subframe) -> Subframe {
    let mut line = [0.0; ORDER + SUBFRAME];
    line[..ORDER].copy_from_slice(memory);
    // Oldest first, as the line is.
    let mut weights = [0.0; ORDER];
    weights.iter_mut().zip(lpc[1..].iter().rev()).for_each(|(weight, a)| *weight = *a);
    for (n, &sample) in excitation.iter().enumerate() {
        let predicted: f32 = weights.iter().zip(&line[n..n + ORDER]).map(|(a, s)| a * s).sum();
        line[n + ORDER] = sample - predicted;
    }
    for (kept, &last) in memory.iter_mut().zip(&line[SUBFRAME..]) {
        *kept = if last.abs() < NOTHING { 0.0 } else { last };
    }
    let mut signal = [0.0; SUBFRAME];
    signal.copy_from_slice(&line[ORDER..]);
    signal
}

/// `1/A(z)` of a single pulse.
pub fn impulse_response(lpc: &Lpc) -> Subframe {
    let mut pulse = [0.0; SUBFRAME];
    pulse[0] = 1.0;
    synthesize(lpc, &mut [0.0; ORDER], &pulse)
}

/// `A(z/γ)`: a blunter filter of the same kind.
pub fn blunted(lpc: &Lpc, gamma: f32) -> Lpc {
    let mut power = 1.0;
    lpc.map(|a| {
        let weighted = a * power;
        power *= gamma;
        weighted
    })
}

/// Convolution of half a frame with a response of the same length.
pub fn convolve(signal: &Subframe, response: &Subframe) -> Subframe {
    let mut out = [0.0; SUBFRAME];
    for (at, &sample) in signal.iter().enumerate() {
        if sample != 0.0 {
            out[at..].iter_mut().zip(response).for_each(|(out, h)| *out += sample * h);
        }
    }
    out
}

/// Sum of products.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight sums side by side, which a compiler may turn into one instruction.
    let mut sums = [0.0; 8];
    let (whole_a, rest_a) = a.as_chunks::<8>();
    let (whole_b, rest_b) = b.as_chunks::<8>();
    for (a, b) in whole_a.iter().zip(whole_b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum::<f32>()
}

/// Takes away what lies below the voice.
#[derive(Clone, Debug)]
pub struct HighPass {
    zeros: [f32; 3],
    /// Of `1 − a₁·z⁻¹ − a₂·z⁻²`.
    poles: [f32; 2],
    heard: [f32; 2],
    made: [f32; 2],
}

impl HighPass {
    /// 140 Hz, and half as loud: what the encoder hears (§3.1).
    pub const fn before() -> Self {
        Self::new([0.463_637_18, -0.927_247_05, 0.463_637_18], [1.905_946_5, -0.911_402_4])
    }

    /// 100 Hz, and twice as loud: what the decoder says (§4.2.5).
    pub const fn after() -> Self {
        Self::new([2.0 * 0.939_805_8, 2.0 * -1.879_583_4, 2.0 * 0.939_805_8], [1.933_073_5, -0.935_892])
    }

    const fn new(zeros: [f32; 3], poles: [f32; 2]) -> Self {
        Self { zeros, poles, heard: [0.0; 2], made: [0.0; 2] }
    }

    /// The next sample.
    pub fn step(&mut self, sample: f32) -> f32 {
        let [b0, b1, b2] = self.zeros;
        let [x1, x2] = self.heard;
        let [y1, y2] = self.made;
        let made = b0 * sample + b1 * x1 + b2 * x2 + self.poles[0] * y1 + self.poles[1] * y2;
        let made = if made.abs() < NOTHING { 0.0 } else { made };
        (self.heard, self.made) = ([sample, x1], [made, y1]);
        made
    }
}
