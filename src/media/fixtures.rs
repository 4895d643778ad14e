//! Sounds for tests, made here so that no test needs a file: a voice that detectors believe, and a noise they must not.

use std::f32::consts::TAU;

/// One frame of 8 kHz sound.
pub type Frame = [i16; 160];

/// A vowel that glides between "ah" and "ee", pulses through three resonances, `loud` at its loudest sample.
pub fn voice(frames: usize, loud: f32) -> Vec<Frame> {
    let mut phase = 0.0;
    let mut resonances = [[0.0_f32; 2]; 3];
    let sample = |n: usize| {
        let t = n as f32 / 8_000.0;
        phase += (120.0 + 30.0 * (TAU * 1.3 * t).sin()) / 8_000.0;
        let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
        phase -= pulse;
        let glide = 0.5 + 0.5 * (TAU * 2.1 * t).sin();
        let formants = [700.0 - 400.0 * glide, 1_200.0 + 900.0 * glide, 2_600.0];
        let radius = (-TAU * 40.0 / 8_000.0).exp();
        let resonate = |sound: f32, (state, hz): (&mut [f32; 2], f32)| {
            let turn = 2.0 * radius * (TAU * hz / 8_000.0).cos();
            let next = sound * (1.0 - radius) + turn * state[0] - radius * radius * state[1];
            *state = [next, state[0]];
            next
        };
        resonances.iter_mut().zip(formants).fold(pulse, resonate)
    };
    let samples: Vec<f32> = (0..frames * 160).map(sample).collect();
    let peak = samples.iter().fold(f32::MIN_POSITIVE, |peak, sample| peak.max(sample.abs()));
    let scaled: Vec<i16> = samples.iter().map(|sample| (sample / peak * loud) as i16).collect();
    scaled.as_chunks().0.to_vec()
}

/// White noise of about `level_dbov`, the same every time.
pub fn noise(frames: usize, level_dbov: f32) -> Vec<Frame> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    // A uniform distribution over ±a has the power a²/3.
    let amplitude = 32_768.0 * 10f32.powf(level_dbov / 20.0) * 3f32.sqrt();
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * amplitude) as i16
    };
    (0..frames).map(|_| std::array::from_fn(|_| next())).collect()
}
