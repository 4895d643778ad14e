//! The codecs of a leg behind one face: payloads in, 8 kHz sound out, and the other way round.
//!
//! Everything we hear and say is 8 kHz mono, so G.722 is used with its lower band only and Opus resamples by itself.
//! Coders keep what they predict from, so every packet goes through the same one, in order; after `new`, nothing is
//! allocated on either side.

use super::g711::Law;
use super::g722::{G722Decoder, G722Encoder};
use super::opus::{OpusDecoder, OpusEncoder, samples_of_packet};
use crate::rtp::{Codec, OpusParams};

/// Most samples in one payload: 120 ms, the longest packet of Opus (RFC 6716 §3.2.5).
pub const MOST_SAMPLES: usize = 960;

/// Why a codec cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{codec} cannot be used: {why}")]
pub struct Unavailable {
    /// Which.
    pub codec: Codec,
    /// In the words of its library.
    pub why: String,
}

/// Why a payload cannot be decoded. The next one may well be: treat it as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPayload {
    /// Nothing in it.
    #[error("an empty payload")]
    Empty,
    /// More than 120 ms.
    #[error("a payload of more than 120 ms")]
    TooLong,
    /// Not what this codec writes.
    #[error("a payload that its codec did not write")]
    Broken,
}

/// Turns payloads of one stream into sound.
#[derive(Debug)]
pub enum Decoder {
    /// G.711.
    Law(Law),
    /// G.722.
    G722(Box<G722Decoder>),
    /// Opus.
    Opus(OpusDecoder),
}

impl Decoder {
    /// A decoder that has heard nothing. Allocates, except for G.711.
    pub fn new(codec: Codec) -> Result<Self, Unavailable> {
        Ok(match codec {
            Codec::Pcmu => Self::Law(Law::Mu),
            Codec::Pcma => Self::Law(Law::A),
            Codec::G722 => Self::G722(Box::default()),
            Codec::Opus => Self::Opus(OpusDecoder::new()?),
        })
    }

    /// Decodes one payload into the beginning of `out` and returns the number of samples.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16; MOST_SAMPLES]) -> Result<usize, BadPayload> {
        if payload.is_empty() {
            return Err(BadPayload::Empty);
        }
        match self {
            Self::Opus(decoder) => decoder.decode(payload, out),
            _ if payload.len() > MOST_SAMPLES => Err(BadPayload::TooLong),
            Self::Law(law) => Ok(law.decode_into(payload, out)),
            Self::G722(decoder) => Ok(decoder.decode(payload, out)),
        }
    }

    /// Makes up `samples` that were lost, from what was heard before and, where the codec sends a little of each packet
    /// again with the one after it (Opus FEC), from the `next` payload. `false` when this codec cannot: then
    /// [`super::plc`] can.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn conceal(&mut self, samples: usize, next: Option<&[u8]>, out: &mut [i16]) -> bool {
        match self {
            Self::Opus(decoder) => decoder.conceal(samples, next, out),
            Self::Law(_) | Self::G722(_) => false,
        }
    }

    /// How many samples a payload stands for; 0 when it is none of this codec's.
    pub fn samples_of(codec: Codec, payload: &[u8]) -> usize {
        if codec.is_bytewise() { payload.len() } else { samples_of_packet(payload) }
    }
}

/// Turns sound into the payloads of one stream.
#[derive(Debug)]
pub enum Encoder {
    /// G.711.
    Law(Law),
    /// G.722.
    G722(Box<G722Encoder>),
    /// Opus.
    Opus(OpusEncoder),
}

impl Encoder {
    /// An encoder that has said nothing; `opus` matters to Opus only. Allocates, except for G.711.
    pub fn new(codec: Codec, opus: &OpusParams) -> Result<Self, Unavailable> {
        Ok(match codec {
            Codec::Pcmu => Self::Law(Law::Mu),
            Codec::Pcma => Self::Law(Law::A),
            Codec::G722 => Self::G722(Box::default()),
            Codec::Opus => Self::Opus(OpusEncoder::new(opus)?),
        })
    }

    /// Encodes one packet of 10, 20, 40 or 60 ms (G.711 and G.722: any length) into the beginning of `out`, and returns
    /// the length of the payload; 0 when there is nothing to send, because `out` is too short or because the encoder
    /// finds that this silence needs no packet (Opus DTX).
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        match self {
            Self::Opus(encoder) => encoder.encode(pcm, out),
            _ if out.len() < pcm.len() => 0,
            Self::Law(law) => law.encode_into(pcm, out),
            Self::G722(encoder) => encoder.encode(pcm, out),
        }
    }

    /// What the far end reports to lose (RTCP), in percent: Opus spends on protection accordingly.
    pub fn loss_expected(&mut self, percent: u8) {
        if let Self::Opus(encoder) = self {
            encoder.loss_expected(percent);
        }
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
