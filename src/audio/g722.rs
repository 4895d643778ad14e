//! G.722 at 64 kbit/s (ITU-T G.722, RFC 3551 §4.5.2), of which we use the lower band: 0 to 4 kHz, sampled at 8 kHz.
//!
//! The codec splits 16 kHz sound into two bands of 8 kHz each and codes them apart, six bits for the lower one and two
//! for the upper. Whoever wants telephone sound may leave the upper one alone, which is what `eight_k` of the crate
//! does: one byte is one sample and one tick of the RTP clock.

use std::fmt;

use audio_codec::g722::{self, Bitrate};
use audio_codec::{Decoder as _, Encoder as _};

/// The decoding half.
pub struct G722Decoder(g722::G722Decoder);

/// The encoding half.
pub struct G722Encoder(g722::G722Encoder);

impl Default for G722Decoder {
    fn default() -> Self {
        // The two constructors differ in the order of their flags.
        let (packed, eight_k) = (false, true);
        Self(g722::G722Decoder::with_options(Bitrate::Mode1_64000, packed, eight_k))
    }
}

impl G722Decoder {
    /// Decodes as many bytes as `samples` has room for and returns that number.
    pub fn decode(&mut self, codes: &[u8], samples: &mut [i16]) -> usize {
        let length = codes.len().min(samples.len());
        self.0.decode_into(&codes[..length], &mut samples[..length]).unwrap_or(0)
    }
}

impl Default for G722Encoder {
    fn default() -> Self {
        let (eight_k, packed) = (true, false);
        Self(g722::G722Encoder::with_options(Bitrate::Mode1_64000, eight_k, packed))
    }
}

impl G722Encoder {
    /// Encodes as many samples as `codes` has room for and returns that number.
    pub fn encode(&mut self, samples: &[i16], codes: &mut [u8]) -> usize {
        let length = codes.len().min(samples.len());
        self.0.encode_into(&samples[..length], &mut codes[..length]).unwrap_or(0)
    }
}

impl fmt::Debug for G722Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("G722Decoder")
    }
}

impl fmt::Debug for G722Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("G722Encoder")
    }
}
