//! G.722 at 64 kbit/s (ITU-T G.722, RFC 3551 §4.5.2), of which we use the lower band: 0 to 4 kHz, sampled at 8 kHz.
//!
//! ```text
//!            ┌─ upper band, 2 bits ─┐
//!   16 kHz ─▶┤                      ├─▶ one byte for two samples: one tick of the RTP clock
//!            └─ lower band, 6 bits ─┘
//! ```
//!
//! The codec splits its sound into two bands of 8 kHz each and codes them apart. Telephone sound lies in the lower one
//! alone, so we code that, say "nothing" for the upper, and need no filters: one byte is one sample. Of its six bits the
//! upper four steer the prediction on both sides, so that the others may be lost on the way (modes 2 and 3).
//!
//! Block names are those of the Recommendation, §6.2. The crate `audio-codec` would do the decoding half; its encoder
//! for the lower band alone writes the same byte for every sample, so the tests hold ours against its full one.

/// QUANTL, the decision levels of table 14.
const LEVELS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023, 1_121, 1_219, 1_339,
    1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];
/// QUANTL, the codes of the 30 intervals between them for differences below zero, and above (table 15).
const CODES_BELOW: [u8; 30] =
    [63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4];
const CODES_ABOVE: [u8; 30] = [
    61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33,
    32,
];
/// INVQAL, what the upper four bits of a code stand for (table 17).
const STEPS_4: [i32; 16] =
    [0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584, 1_200, 0];
/// INVQBL, what all six stand for (table 18).
const STEPS_6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232, -9_360,
    -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008, -3_576, -3_168, -2_776, -2_400, -2_032,
    -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9_360, 8_576,
    7_856, 7_192, 6_576, 6_000, 5_456, 4_944, 4_464, 4_008, 3_576, 3_168, 2_776, 2_400, 2_032, 1_688, 1_360, 1_040,
    728, 432, 136, -432, -136,
];
/// LOGSCL, how each of the sixteen moves the scale (tables 19 and 20).
const SCALE_MOVES: [i32; 16] = [-60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60];
/// SCALEL, 32 steps of an octave (table 21).
const OCTAVE: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714, 2_774, 2_834,
    2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676, 3_756, 3_838, 3_922, 4_008,
];
/// The upper band saying nothing: its smallest step, as quiet as it gets.
const UPPER_QUIET: u8 = 0xC0;

/// The decoding half.
#[derive(Clone, Debug, Default)]
pub struct G722Decoder(LowerBand);

/// The encoding half.
#[derive(Clone, Debug, Default)]
pub struct G722Encoder(LowerBand);

impl G722Decoder {
    /// Decodes as many bytes as `samples` has room for and returns that number.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn decode(&mut self, codes: &[u8], samples: &mut [i16]) -> usize {
        for (sample, &code) in samples.iter_mut().zip(codes) {
            *sample = self.0.decode(code & 0x3F);
        }
        samples.len().min(codes.len())
    }
}

impl G722Encoder {
    /// Encodes as many samples as `codes` has room for and returns that number.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn encode(&mut self, samples: &[i16], codes: &mut [u8]) -> usize {
        for (code, &sample) in codes.iter_mut().zip(samples) {
            *code = UPPER_QUIET | self.0.encode(sample);
        }
        samples.len().min(codes.len())
    }
}

/// The predictor and the quantiser of one direction, which both ends keep alike.
#[derive(Clone, Debug)]
struct LowerBand {
    /// SL: what the next sample is expected to be, and SZL: the part of it that comes from the zeros.
    predicted: i32,
    from_zeros: i32,
    /// NBL and DETL: the scale, as a logarithm and as a number.
    log_scale: i32,
    scale: i32,
    /// AL1, AL2: the poles; RLT, PLT: the last two samples, rebuilt whole and without the poles, newest first.
    poles: [i32; 2],
    rebuilt: [i32; 2],
    partial: [i32; 2],
    /// BL1 to BL6: the zeros; DLT: the last six differences, newest first.
    zeros: [i32; 6],
    differences: [i32; 6],
}

impl Default for LowerBand {
    fn default() -> Self {
        Self {
            predicted: 0,
            from_zeros: 0,
            log_scale: 0,
            // §6.2: the only register that does not begin with zero.
            scale: 32,
            poles: [0; 2],
            rebuilt: [0; 2],
            partial: [0; 2],
            zeros: [0; 6],
            differences: [0; 6],
        }
    }
}

impl LowerBand {
    /// SUBTRA, QUANTL: the code of one sample.
    fn encode(&mut self, sample: i16) -> u8 {
        // The filters that are left out would halve it.
        let difference = saturated((i32::from(sample) >> 1) - self.predicted);
        let magnitude = if difference < 0 { -(difference + 1) } else { difference };
        let interval = LEVELS.iter().take_while(|&&level| magnitude >= (level * self.scale) >> 12).count();
        let code = if difference < 0 { CODES_BELOW[interval] } else { CODES_ABOVE[interval] };
        self.follow(code);
        code
    }

    /// INVQBL, RECONS, LIMIT: the sample of one code.
    fn decode(&mut self, code: u8) -> i16 {
        let difference = (self.scale * STEPS_6[usize::from(code)]) >> 15;
        let sample = (self.predicted + difference).clamp(-16_384, 16_383);
        self.follow(code);
        (sample << 1) as i16
    }

    /// What both ends do with a code: adapt the scale, then the prediction.
    fn follow(&mut self, code: u8) {
        let steering = usize::from(code >> 2);
        let difference = (self.scale * STEPS_4[steering]) >> 15;
        // LOGSCL, SCALEL.
        self.log_scale = (((self.log_scale * 127) >> 7) + SCALE_MOVES[steering]).clamp(0, 18_432);
        let (step, octaves) = (OCTAVE[((self.log_scale >> 6) & 31) as usize], 8 - (self.log_scale >> 11));
        self.scale = (if octaves < 0 { step << -octaves } else { step >> octaves }) << 2;
        self.predict(difference);
    }

    /// Block 4: the poles and zeros move a little towards what would have predicted this sample, and predict the next.
    fn predict(&mut self, difference: i32) {
        // RECONS, PARREC.
        let rebuilt = saturated(self.predicted + difference);
        let partial = saturated(self.from_zeros + difference);
        // UPPOL2, UPPOL1: by the signs of the last three.
        let [before, earlier] = self.partial.map(|value| (value < 0) == (partial < 0));
        let turned = saturated(self.poles[0] << 2);
        let turned = (if before { -turned } else { turned }).min(32_767);
        let second = (turned >> 7) + if earlier { 128 } else { -128 } + ((self.poles[1] * 32_512) >> 15);
        let second = second.clamp(-12_288, 12_288);
        let limit = saturated(15_360 - second);
        let first = saturated(((self.poles[0] * 32_640) >> 15) + if before { 192 } else { -192 });
        self.poles = [first.clamp(-limit, limit), second];
        // UPZERO.
        let push = if difference == 0 { 0 } else { 128 };
        for (zero, &past) in self.zeros.iter_mut().zip(&self.differences) {
            let push = if (past < 0) == (difference < 0) { push } else { -push };
            *zero = saturated(((*zero * 32_640) >> 15) + push);
        }
        // DELAYA.
        self.differences.rotate_right(1);
        self.differences[0] = difference;
        self.rebuilt = [rebuilt, self.rebuilt[0]];
        self.partial = [partial, self.partial[0]];
        // FILTEP, FILTEZ, PREDIC.
        let through = |weights: &[i32], values: &[i32]| -> i32 {
            weights.iter().zip(values).map(|(weight, value)| (weight * saturated(value * 2)) >> 15).sum()
        };
        let from_poles = saturated(through(&self.poles, &self.rebuilt));
        self.from_zeros = saturated(through(&self.zeros, &self.differences));
        self.predicted = saturated(from_poles + self.from_zeros);
    }
}

/// To 16 bits.
fn saturated(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone;
    use audio_codec::g722::{self, Bitrate};
    use audio_codec::{Decoder as _, Encoder as _};

    /// Two tones at a rate, so low that the half samples by which the filters of the other hand delay do not matter.
    fn tones(rate_hz: u32) -> Vec<i16> {
        let (low, high) = (tone::sine(300.0, -18.0, 1_000, rate_hz), tone::sine(520.0, -20.0, 1_000, rate_hz));
        low.samples.iter().zip(&high.samples).map(|(low, high)| low + high).collect()
    }

    /// How alike two sounds are, 0 to 1, whatever the delay between them (up to 10 ms) and the loudness.
    fn likeness(a: &[i16], b: &[i16]) -> f64 {
        let at = |delay: usize| {
            let pairs = a.iter().zip(&b[delay..]).map(|(&a, &b)| (f64::from(a), f64::from(b)));
            let (ab, aa, bb) = pairs.fold((0.0, 0.0, 0.0), |(ab, aa, bb), (a, b)| (ab + a * b, aa + a * a, bb + b * b));
            ab / f64::sqrt(aa * bb)
        };
        (0..80).map(at).fold(0.0, f64::max)
    }

    fn loudness(samples: &[i16]) -> f64 {
        (samples.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
    }

    #[test]
    fn a_full_decoder_of_another_hand_hears_what_we_say() {
        let mut codes = vec![0; 8_000];
        G722Encoder::default().encode(&tones(8_000), &mut codes);
        let mut wide = vec![0; 16_000];
        let mut theirs = g722::G722Decoder::with_options(Bitrate::Mode1_64000, false, false);
        assert_eq!(theirs.decode_into(&codes, &mut wide), Ok(16_000));
        let said = tones(16_000);
        assert!(likeness(&said[1_000..15_000], &wide[1_000..]) > 0.97);
        assert!((loudness(&wide[1_000..]) / loudness(&said) - 1.0).abs() < 0.05);
    }

    #[test]
    fn we_hear_what_a_full_encoder_of_another_hand_says() {
        let mut codes = vec![0; 8_001];
        let mut theirs = g722::G722Encoder::with_options(Bitrate::Mode1_64000, false, false);
        assert_eq!(theirs.encode_into(&tones(16_000), &mut codes), Ok(8_000));
        let mut heard = vec![0; 8_000];
        G722Decoder::default().decode(&codes[..8_000], &mut heard);
        let said = tones(8_000);
        assert!(likeness(&said[500..7_500], &heard[500..]) > 0.97);
        assert!((loudness(&heard[500..]) / loudness(&said) - 1.0).abs() < 0.05);
        // Their upper band does not reach us.
        let hiss = tone::sine(6_000.0, -15.0, 1_000, 16_000).samples;
        assert_eq!(theirs.encode_into(&hiss, &mut codes), Ok(8_000));
        G722Decoder::default().decode(&codes[..8_000], &mut heard);
        assert!(loudness(&heard[500..]) < loudness(&hiss) / 100.0);
    }

    #[test]
    fn both_ends_stay_together_through_silence_noise_and_clipping() {
        let mut state = 1u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16
        };
        let sound: Vec<i16> = (0..40_000)
            .map(|n| match n / 4_000 % 4 {
                0 => 0,
                1 => noise(),
                2 => {
                    if n % 40 < 20 {
                        i16::MAX
                    } else {
                        i16::MIN
                    }
                }
                _ => noise() / 64,
            })
            .collect();
        let (mut encoder, mut decoder) = (G722Encoder::default(), G722Decoder::default());
        let (mut code, mut heard) = ([0], [0]);
        for &sample in &sound {
            encoder.encode(&[sample], &mut code);
            decoder.decode(&code, &mut heard);
        }
        let (ours, theirs) = (encoder.0, decoder.0);
        assert_eq!((ours.predicted, ours.scale, ours.poles), (theirs.predicted, theirs.scale, theirs.poles));
    }
}
