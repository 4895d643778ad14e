//! G.711: µ-law and A-law (ITU-T G.711, arithmetic as in G.191's reference).
//!
//! Decoding is a table lookup. Encoding takes a handful of integer operations: a table would be 8 to 16 KiB that
//! a thousand legs would keep evicting from the first-level cache between frames.

/// µ-law byte for silence.
pub const ULAW_SILENCE: u8 = 0xFF;
/// A-law byte for silence.
pub const ALAW_SILENCE: u8 = 0xD5;

/// Every µ-law byte, decoded. 14-bit values scaled to 16 bits.
const ULAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = expand_ulaw(code as u8);
        code += 1;
    }
    table
};

/// Every A-law byte, decoded. 13-bit values scaled to 16 bits.
const ALAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = expand_alaw(code as u8);
        code += 1;
    }
    table
};

/// Which of the two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// North America, Japan; RTP payload type 0.
    Mu,
    /// The rest of the world; RTP payload type 8.
    A,
}

impl Law {
    /// The byte that means silence.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => ULAW_SILENCE,
            Self::A => ALAW_SILENCE,
        }
    }

    /// Decodes one byte.
    #[inline]
    pub const fn decode(self, code: u8) -> i16 {
        match self {
            Self::Mu => ULAW_TO_LINEAR[code as usize],
            Self::A => ALAW_TO_LINEAR[code as usize],
        }
    }

    /// Encodes one sample.
    #[inline]
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => compress_ulaw(sample),
            Self::A => compress_alaw(sample),
        }
    }

    /// Decodes as many bytes as both slices hold and returns that number.
    ///
    /// Per frame: no allocation, no lock, no log.
    pub fn decode_into(self, codes: &[u8], samples: &mut [i16]) -> usize {
        let table = match self {
            Self::Mu => &ULAW_TO_LINEAR,
            Self::A => &ALAW_TO_LINEAR,
        };
        for (sample, &code) in samples.iter_mut().zip(codes) {
            *sample = table[usize::from(code)];
        }
        samples.len().min(codes.len())
    }

    /// Encodes as many samples as both slices hold and returns that number.
    ///
    /// Per frame: no allocation, no lock, no log.
    pub fn encode_into(self, samples: &[i16], codes: &mut [u8]) -> usize {
        match self {
            Self::Mu => codes.iter_mut().zip(samples).for_each(|(code, &sample)| *code = compress_ulaw(sample)),
            Self::A => codes.iter_mut().zip(samples).for_each(|(code, &sample)| *code = compress_alaw(sample)),
        }
        samples.len().min(codes.len())
    }
}

const fn expand_ulaw(code: u8) -> i16 {
    let bits = !code;
    let magnitude = ((((bits & 0x0F) as i16) << 3) + 0x84) << ((bits & 0x70) >> 4);
    if bits & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}

const fn expand_alaw(code: u8) -> i16 {
    let bits = code ^ 0x55;
    let step = ((bits & 0x0F) as i16) << 4;
    let segment = (bits & 0x70) >> 4;
    let magnitude = match segment {
        0 => step + 8,
        _ => (step + 0x108) << (segment - 1),
    };
    if bits & 0x80 == 0 { -magnitude } else { magnitude }
}

const fn compress_ulaw(sample: i16) -> u8 {
    // G.191: one's complement, so that both signs have 32,768 values; 14-bit magnitude plus a bias of 33, which
    // makes the position of the leading one the segment number.
    let sign = if sample < 0 { 0x80 } else { 0x00 };
    let raw = if sample < 0 { !sample } else { sample } as u32;
    let biased = (raw >> 2) + 33;
    let magnitude = if biased > 0x1FFF { 0x1FFF } else { biased };
    let segment = 26 - magnitude.leading_zeros();
    let mantissa = (magnitude >> (segment + 1)) & 0x0F;
    !(sign | ((segment << 4) | mantissa) as u8)
}

const fn compress_alaw(sample: i16) -> u8 {
    // G.191: one's complement, 12-bit magnitude; segments 0 and 1 share one slope.
    let sign = if sample < 0 { 0x00 } else { 0x80 };
    let magnitude = (if sample < 0 { !sample } else { sample } >> 4) as u32;
    let bits = if magnitude < 16 {
        magnitude
    } else {
        let segment = 28 - magnitude.leading_zeros();
        (segment << 4) | ((magnitude >> (segment - 1)) & 0x0F)
    };
    (sign | bits as u8) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes_decode_to_the_values_of_the_recommendation() {
        let rows = [
            (Law::Mu, 0x80, 32_124),
            (Law::Mu, 0x00, -32_124),
            (Law::Mu, 0xFF, 0),
            (Law::Mu, 0x7F, 0),
            (Law::Mu, 0xFE, 8),
            (Law::Mu, 0x7E, -8),
            (Law::Mu, 0xCF, 924),
            (Law::A, 0xD5, 8),
            (Law::A, 0x55, -8),
            (Law::A, 0xAA, 32_256),
            (Law::A, 0x2A, -32_256),
            (Law::A, 0xD4, 24),
        ];
        for (law, code, sample) in rows {
            assert_eq!(law.decode(code), sample, "{law:?} {code:#04x}");
        }
    }

    #[test]
    fn known_samples_encode_to_the_codes_of_the_recommendation() {
        let rows = [
            (Law::Mu, 0, 0xFF),
            (Law::Mu, i16::MAX, 0x80),
            (Law::Mu, i16::MIN, 0x00),
            (Law::Mu, -1, 0x7F),
            (Law::Mu, 1000, 0xCE),
            (Law::Mu, -1000, 0x4E),
            (Law::A, 0, 0xD5),
            (Law::A, -1, 0x55),
            (Law::A, i16::MAX, 0xAA),
            (Law::A, i16::MIN, 0x2A),
            (Law::A, 1000, 0xFA),
            (Law::A, -1000, 0x7A),
        ];
        for (law, sample, code) in rows {
            assert_eq!(law.encode(sample), code, "{law:?} {sample}");
        }
    }

    #[test]
    fn every_code_survives_a_round_trip_except_the_negative_zero() {
        for law in [Law::Mu, Law::A] {
            for code in 0..=255u8 {
                let expected = if (law, code) == (Law::Mu, 0x7F) { ULAW_SILENCE } else { code };
                assert_eq!(law.encode(law.decode(code)), expected, "{law:?} {code:#04x}");
            }
        }
    }

    #[test]
    fn no_sample_moves_further_than_half_its_quantisation_step() {
        for law in [Law::Mu, Law::A] {
            for sample in i16::MIN..=i16::MAX {
                let heard = i32::from(law.decode(law.encode(sample)));
                let error = (heard - i32::from(sample)).abs();
                // Steps double with each segment: a 16th of the magnitude, and never under 16; clipping costs 644.
                let allowed =
                    (i32::from(sample).abs() / 32 + 12).max(error.min(644) * i32::from(sample.unsigned_abs() > 32_124));
                assert!(error <= allowed, "{law:?} {sample} → {heard}");
            }
        }
    }

    #[test]
    fn blocks_stop_at_the_shorter_slice() {
        let mut samples = [7; 4];
        assert_eq!(Law::Mu.decode_into(&[0x80, 0x00], &mut samples), 2);
        assert_eq!(samples, [32_124, -32_124, 7, 7]);
        let mut codes = [0; 2];
        assert_eq!(Law::A.encode_into(&[0, 0, 0], &mut codes), 2);
        assert_eq!(codes, [ALAW_SILENCE; 2]);
    }
}
