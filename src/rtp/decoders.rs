//! The decoders of one stream: one for each codec that may come, made once; G.711 needs none.

use crate::audio::codec::{Decoder, MOST_SAMPLES};
use crate::rtp::Codec;

/// What can be decoded.
#[derive(Debug, Default)]
pub(super) struct Decoders {
    made: Vec<(Codec, Decoder)>,
}

/// Whether a codec can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// It could be before.
    Already,
    /// From now on.
    Now,
    /// Its library fails.
    Not,
}

impl Decoders {
    /// Makes what is needed to decode `codec`, once.
    pub fn make(&mut self, codec: Codec) -> Made {
        if codec.law().is_some() || self.made.iter().any(|(known, _)| *known == codec) {
            return Made::Already;
        }
        match Decoder::new(codec) {
            Ok(decoder) => {
                self.made.push((codec, decoder));
                Made::Now
            }
            Err(error) => {
                tracing::error!(%error, "what comes in this codec is not heard");
                Made::Not
            }
        }
    }

    /// That of `codec`.
    pub fn of(&mut self, codec: Codec) -> Option<&mut Decoder> {
        self.made.iter_mut().find(|(known, _)| *known == codec).map(|(_, decoder)| decoder)
    }

    /// Another encoder begins, which knows nothing of what the decoder predicts from: sound would begin with a bang.
    pub fn restart(&mut self, codec: Codec) {
        match self.of(codec) {
            Some(Decoder::G722(decoder)) => **decoder = Default::default(),
            Some(Decoder::G729(decoder)) => **decoder = Default::default(),
            _ => {}
        }
    }

    /// Decodes bytes of a codec that takes one for each sample.
    pub fn decode(&mut self, codec: Codec, bytes: &[u8], sound: &mut [i16]) {
        if let Some(law) = codec.law() {
            law.decode_into(bytes, sound);
            return;
        }
        let mut decoded = [0; MOST_SAMPLES];
        let count = self.of(codec).and_then(|decoder| decoder.decode(bytes, &mut decoded).ok()).unwrap_or(0);
        // A decoder that fails, which these cannot, leaves silence.
        sound.copy_from_slice(&decoded[..sound.len()]);
        sound[count.min(bytes.len())..].fill(0);
    }
}
