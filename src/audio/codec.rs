//! The codecs of a leg behind one face: payloads in, 8 kHz sound out, and the other way round.
//!
//! Everything we hear and say is 8 kHz mono, so G.722 is used with its lower band only and Opus resamples by itself.
//! G.711, G.722 and G.729 are ours, Opus is libopus.
//! Coders keep what they predict from, so every packet goes through the same one, in order; after `new`, nothing is
//! allocated on either side.

use super::g711::Law;
use super::g722::{G722Decoder, G722Encoder};
use super::g729::{self, G729Decoder, G729Encoder};
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
    /// G.729.
    G729(Box<G729Decoder>),
}

impl Decoder {
    /// A decoder that has heard nothing. Allocates, except for G.711.
    pub fn new(codec: Codec) -> Result<Self, Unavailable> {
        Ok(match codec {
            Codec::Pcmu => Self::Law(Law::Mu),
            Codec::Pcma => Self::Law(Law::A),
            Codec::G722 => Self::G722(Box::default()),
            Codec::Opus => Self::Opus(OpusDecoder::new()?),
            Codec::G729 => Self::G729(Box::default()),
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
            Self::G729(decoder) => match g729::samples_of(payload) {
                Some(samples) if samples > MOST_SAMPLES => Err(BadPayload::TooLong),
                _ => decoder.decode(payload, out).ok_or(BadPayload::Broken),
            },
        }
    }

    /// Makes up `samples` that were lost, from what was heard before and, where the codec sends a little of each packet
    /// again with the one after it (Opus FEC), from the `next` payload. `false` when this codec cannot, or not so many:
    /// then [`super::plc`] can.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn conceal(&mut self, samples: usize, next: Option<&[u8]>, out: &mut [i16]) -> bool {
        match self {
            Self::Opus(decoder) => decoder.conceal(samples, next, out),
            Self::G729(decoder) => out.get_mut(..samples).is_some_and(|out| decoder.conceal(out)),
            Self::Law(_) | Self::G722(_) => false,
        }
    }

    /// Has the far end said that nobody speaks there, and described what to hear until somebody does (G.729 Annex B)?
    /// Then [`Self::conceal`] makes that.
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::G729(decoder) if decoder.is_silent())
    }

    /// How many samples a payload stands for; 0 when it is none of this codec's.
    pub fn samples_of(codec: Codec, payload: &[u8]) -> usize {
        match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => payload.len(),
            Codec::Opus => samples_of_packet(payload),
            Codec::G729 => g729::samples_of(payload).unwrap_or(0),
        }
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
    /// G.729.
    G729(Box<G729Encoder>),
}

impl Encoder {
    /// An encoder that has said nothing; `opus` matters to Opus only. Allocates, except for G.711.
    pub fn new(codec: Codec, opus: &OpusParams) -> Result<Self, Unavailable> {
        Ok(match codec {
            Codec::Pcmu => Self::Law(Law::Mu),
            Codec::Pcma => Self::Law(Law::A),
            Codec::G722 => Self::G722(Box::default()),
            Codec::Opus => Self::Opus(OpusEncoder::new(opus)?),
            Codec::G729 => Self::G729(Box::default()),
        })
    }

    /// Encodes one packet of 10, 20, 40 or 60 ms (G.729: any number of 10 ms; G.711 and G.722: any length) into the beginning of `out`, and returns
    /// the length of the payload; 0 when there is nothing to send, because `out` is too short or because the encoder
    /// finds that this silence needs no packet (Opus DTX).
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        match self {
            Self::Opus(encoder) => encoder.encode(pcm, out),
            Self::G729(encoder) => encoder.encode(pcm, out),
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
