//! Linear prediction: the filter that a stretch of sound seems to have passed through (ITU-T G.729, §3.2.1 and §3.2.2).

use std::f32::consts::PI;
use std::sync::LazyLock;

use super::filter::dot;

/// Coefficients of the filter.
pub const ORDER: usize = 10;
/// `A(z)`, of which the first is 1.
pub type Lpc = [f32; ORDER + 1];
/// Samples looked at: 15 ms before the frame, the frame, and 5 ms after it.
pub const WINDOW: usize = 240;

/// Half a Hamming window, then a quarter of a cosine.
static SHAPE: LazyLock<[f32; WINDOW]> = LazyLock::new(|| {
    std::array::from_fn(|n| match n as f32 {
        n if n < 200.0 => 0.54 - 0.46 * (2.0 * PI * n / 399.0).cos(),
        n => (2.0 * PI * (n - 200.0) / 159.0).cos(),
    })
});
/// A spread of 60 Hz, so that pitch is not taken for the filter, and a little white noise below all of it.
static SPREAD: LazyLock<Lpc> = LazyLock::new(|| {
    std::array::from_fn(|lag| match lag {
        0 => 1.000_1,
        lag => (-0.5 * (2.0 * PI * 60.0 * lag as f32 / 8_000.0).powi(2)).exp(),
    })
});

/// The filter of what is in the window; `None` when numbers end before it is found.
pub fn analyse(speech: &[f32; WINDOW]) -> Option<Lpc> {
    let mut shaped = [0.0; WINDOW];
    for ((shaped, sample), weight) in shaped.iter_mut().zip(speech).zip(SHAPE.iter()) {
        *shaped = sample * weight;
    }
    let mut correlation: Lpc = std::array::from_fn(|lag| dot(&shaped[lag..], &shaped[..WINDOW - lag]));
    // Silence has a filter, too.
    correlation[0] = correlation[0].max(1.0);
    correlation.iter_mut().zip(SPREAD.iter()).for_each(|(r, weight)| *r *= weight);
    predictor(&correlation)
}

/// Levinson's and Durbin's recursion.
fn predictor(correlation: &Lpc) -> Option<Lpc> {
    let mut lpc = [0.0; ORDER + 1];
    lpc[0] = 1.0;
    let mut error = correlation[0];
    for order in 1..=ORDER {
        let unexplained: f32 = (0..order).map(|i| lpc[i] * correlation[order - i]).sum();
        let reflection = -unexplained / error;
        if reflection.is_nan() || reflection.abs() >= 1.0 {
            return None;
        }
        let before = lpc;
        for i in 1..=order {
            lpc[i] = before[i] + reflection * before[order - i];
        }
        error *= 1.0 - reflection * reflection;
    }
    Some(lpc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_of_a_resonance_is_found() {
        // Two poles at 1 kHz, excited by noise.
        let (radius, angle) = (0.95_f32, 2.0 * PI * 1_000.0 / 8_000.0);
        let mut state = 1_u32;
        let mut last = [0.0_f32; 2];
        let signal: Vec<f32> = (0..4_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 16) as f32 - 32_768.0;
                let sample = noise + 2.0 * radius * angle.cos() * last[0] - radius * radius * last[1];
                last = [sample, last[0]];
                sample
            })
            .collect();
        let mut mean = [0.0; 2];
        for window in signal.as_chunks::<WINDOW>().0 {
            let lpc = analyse(window).unwrap();
            mean = [mean[0] + lpc[1] / 16.0, mean[1] + lpc[2] / 16.0];
        }
        let expected = [-2.0 * radius * angle.cos(), radius * radius];
        assert!((mean[0] - expected[0]).abs() < 0.15 && (mean[1] - expected[1]).abs() < 0.15, "{mean:?} {expected:?}");
        assert_eq!(analyse(&[0.0; WINDOW]).unwrap()[1..], [0.0; ORDER]);
    }
}
