//! Comfort noise, as the far end describes it while nobody speaks there (RFC 3389).
//!
//! Only the level is followed; the spectrum, which may come after it, is ignored, and all noise is white. A caller's
//! silence so sounds to our ears the way it did before the far end stopped sending it, and not like a dead line.

use crate::audio::FRAME_8K;

/// Loudest and faintest noise made, in dB below overload. Louder is no silence that anybody would leave out.
const LOUDEST: u8 = 40;
/// See above.
const FAINTEST: u8 = 90;

/// Noise at the level that the far end names.
#[derive(Clone, Copy, Debug, Default)]
pub struct ComfortNoise {
    /// Amplitude the far end named last; 0: none.
    wanted: f32,
    /// Amplitude of the last sample made: it comes and goes over a frame.
    heard: f32,
    random: u32,
}

impl ComfortNoise {
    /// The payload of a packet that came: its first byte is the level in dB below overload (§3.1). An empty one is
    /// silence.
    pub fn describe(&mut self, payload: &[u8]) {
        // Uniform noise of amplitude a has a power of a²/3.
        let amplitude = |level: u8| 32_768.0 * 10_f32.powf(-f32::from(level) / 20.0) * 3_f32.sqrt();
        self.wanted = match payload.first().map(|level| level & 0x7F) {
            Some(level) if level <= FAINTEST => amplitude(level.max(LOUDEST)),
            _ => 0.0,
        };
    }

    /// Sound comes again.
    pub fn stop(&mut self) {
        (self.wanted, self.heard) = (0.0, 0.0);
    }

    /// Fills a frame of the far end's silence; `false` when it is nothing but zeros. Per frame: no allocation, no lock,
    /// no log.
    pub fn frame(&mut self, frame: &mut [i16; FRAME_8K]) -> bool {
        if self.wanted == 0.0 && self.heard == 0.0 {
            frame.fill(0);
            return false;
        }
        let step = (self.wanted - self.heard) / FRAME_8K as f32;
        for sample in frame {
            self.heard += step;
            // Numerical Recipes' generator: its upper bits are as random as noise needs to be.
            self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let white = (self.random >> 8) as f32 / (1 << 23) as f32 - 1.0;
            *sample = (white * self.heard) as i16;
        }
        self.heard = self.wanted;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::rms_dbov;

    #[test]
    fn noise_is_as_loud_as_was_said_within_what_a_silence_can_be() {
        for (level, expected) in [(50, -50.0), (60, -60.0), (70, -70.0), (10, -40.0), (0x80 | 45, -45.0)] {
            let mut noise = ComfortNoise::default();
            noise.describe(&[level, 1, 2, 3]);
            let mut frame = [0; FRAME_8K];
            assert!(noise.frame(&mut frame));
            noise.frame(&mut frame);
            let heard = rms_dbov(&frame);
            assert!((heard - expected).abs() < 1.0, "level {level}: {heard} dBov");
        }
    }

    #[test]
    fn it_comes_and_goes_softly_and_nothing_said_is_silence() {
        let mut noise = ComfortNoise::default();
        let mut frame = [9; FRAME_8K];
        for nothing in [&[][..], &[127], &[91]] {
            noise.describe(nothing);
            assert!(!noise.frame(&mut frame));
            assert_eq!(frame, [0; FRAME_8K]);
        }
        noise.describe(&[40]);
        noise.frame(&mut frame);
        let peak = |part: &[i16]| part.iter().map(|sample| sample.unsigned_abs()).max();
        assert!(peak(&frame[..20]) < peak(&frame[140..]));
        noise.describe(&[]);
        noise.frame(&mut frame);
        assert!(peak(&frame[..20]) > peak(&frame[140..]));
        assert!(!noise.frame(&mut frame));
    }
}
