//! Noise: what stands for pulses that were lost (ITU-T G.729 §4.4.4), and for a silence that was only described (Annex
//! B, B.4).

use super::filter::Subframe;
use super::pulses::Pulses;

/// Loudness of the excitation of silence by its index: −12 dB to 66 dB, in steps of 4 dB and then 2 dB (table B.4).
const fn loudness_db(gain: u8) -> f32 {
    match gain {
        0 => -12.0,
        1..6 => 4.0 * gain as f32 - 8.0,
        _ => 2.0 * gain as f32 + 4.0,
    }
}

/// Share of the loudness before that stays for each frame, so that silences do not flicker.
const KEPT: f32 = 7.0 / 8.0;

/// A generator of random numbers, so that the same losses sound the same.
#[derive(Clone, Debug)]
pub struct Random(u16);

impl Default for Random {
    fn default() -> Self {
        // §4.4.4.
        Self(21_845)
    }
}

impl Random {
    fn next(&mut self) -> u16 {
        self.0 = self.0.wrapping_mul(31_821).wrapping_add(13_849);
        self.0
    }

    /// Four pulses anywhere.
    pub fn pulses(&mut self) -> Pulses {
        let positions = self.next() & 0x1FFF;
        Pulses::decode(positions, (self.next() & 0xF) as u8)
    }

    /// White noise of a loudness (root of the mean square).
    pub fn noise(&mut self, loudness: f32) -> Subframe {
        // Uniform noise of amplitude a has a power of a²/3.
        let scale = loudness * 3_f32.sqrt() / 32_768.0;
        std::array::from_fn(|_| f32::from(self.next().cast_signed()) * scale)
    }
}

/// The silence of the far end.
#[derive(Clone, Copy, Debug)]
pub struct Hush {
    wanted: f32,
    now: f32,
}

impl Hush {
    /// Silence described with this index of loudness, after another one or after sound.
    pub fn described(gain: u8, before: Option<Self>) -> Self {
        let wanted = 10_f32.powf(loudness_db(gain) / 20.0);
        Self { wanted, now: before.map_or(wanted, |before| before.now) }
    }

    /// The loudness of the next frame.
    pub fn step(&mut self) -> f32 {
        self.now = KEPT * self.now + (1.0 - KEPT) * self.wanted;
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loudness_is_that_of_the_table() {
        // Table B.4 as its figures have it: root mean squares in steps of an eighth.
        for (gain, eighths) in
            [(0, 2.0), (1, 5.0), (2, 8.0), (5, 32.0), (6, 50.0), (7, 64.0), (20, 1_268.0), (31, 15_962.0)]
        {
            let loudness = Hush::described(gain, None).wanted * 8.0;
            assert!((loudness - eighths).abs() <= 0.5 + eighths / 50.0, "{gain}: {loudness}, {eighths}");
        }
    }

    #[test]
    fn noise_has_the_loudness_asked_for() {
        let mut random = Random::default();
        let power: f32 =
            (0..200).map(|_| random.noise(100.0).iter().map(|s| s * s).sum::<f32>()).sum::<f32>() / 8_000.0;
        assert!((power.sqrt() - 100.0).abs() < 5.0, "{}", power.sqrt());
    }
}
