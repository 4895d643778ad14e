//! G.729 at 8 kbit/s (ITU-T G.729 with the search of Annex A, RFC 3551 §4.5.6): 10 ms of sound in ten bytes.
//!
//! The codec sends no waveform but what would make a voice: a filter (throat and mouth), a pitch and four pulses.
//!
//! ```text
//!   bits    18 filter     lag 8+1 · pulses 17 · gains 7      lag 5 · pulses 17 · gains 7
//!           ──────────    ──────────────────────────────    ──────────────────────────
//!             lsf.rs       pitch.rs  pulses.rs  gains.rs        the second 5 ms
//!
//!   excitation = pitch gain · excitation one lag ago + pulse gain · pulses        ─▶ 1/A(z) ─▶ postfilter ─▶ sound
//! ```
//!
//! The encoder tries what the decoder would make of its choices and takes those that sound nearest. Both ends predict
//! from what was sent before, hence every frame counts, and a lost one is guessed by the decoder.
//!
//! Ours, because the crates there are bind GPL code, and the patents have lapsed. It is written in floating point from
//! the text of the Recommendation, whose tables are its figures; streams are those of any G.729 (A), samples are not
//! the same to the last bit. We never stop sending in silence (Annex B), but understand those who do.

mod decode;
mod encode;
mod filter;
mod frame;
mod gains;
mod lpc;
mod lsf;
mod lsf_tables;
mod lsp;
mod noise;
mod pitch;
mod postfilter;
mod pulses;
#[cfg(test)]
mod tests;

pub use decode::G729Decoder;
pub use encode::G729Encoder;

/// Samples in a frame: 10 ms.
pub const FRAME: usize = 80;
/// Bytes of a frame of sound.
pub const FRAME_BYTES: usize = 10;
/// Bytes of a frame that describes silence (Annex B).
pub const SILENCE_BYTES: usize = 2;
/// Samples in half a frame, for which excitation is coded.
const SUBFRAME: usize = 40;

/// Samples that a payload stands for: frames of sound, and perhaps one of silence after them (RFC 3551 §4.5.6). `None`
/// when it is no payload of G.729.
pub const fn samples_of(payload: &[u8]) -> Option<usize> {
    let (frames, rest) = (payload.len() / FRAME_BYTES, payload.len() % FRAME_BYTES);
    match rest {
        0 if frames > 0 => Some(frames * FRAME),
        SILENCE_BYTES => Some((frames + 1) * FRAME),
        _ => None,
    }
}
