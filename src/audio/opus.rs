//! Opus (RFC 6716) as telephones use it over RTP (RFC 7587): mono, voice, with forward error correction.
//!
//! libopus does the work. It takes 8 kHz in and gives 8 kHz out, whatever the bandwidth and the channels of a packet.

use opus::packet::get_nb_samples;
use opus::{Application, Bitrate, Channels, Signal};

use super::TELEPHONE_HZ;
use super::codec::{BadPayload, MOST_SAMPLES, Unavailable};
use crate::rtp::{Codec, OpusParams};

/// RFC 7587 §3.1.1: 8 to 12 kbit/s is enough for telephone bandwidth; twice that leaves room for error correction.
const BITRATE: u32 = 24_000;
/// The least libopus takes; whoever asks for less gets this.
const LEAST_BITRATE: u32 = 6_000;
/// Of 0 to 10. Above this nothing is gained for telephone bandwidth, and one encoder would cost twice as much.
const COMPLEXITY: i32 = 5;
/// Loss assumed until RTCP reports one: without any, libopus sends no error correction at all.
const LOSS_AT_FIRST: i32 = 5;
/// More than this a codec cannot repair, and spending bits on it makes what does arrive worse.
const MOST_LOSS: u8 = 30;
/// libopus makes up sound in steps of 2.5 ms.
const CONCEALED_STEP: usize = 20;
/// A payload this short says "nothing new" (DTX); it need not be sent (RFC 7587 §3.1.3).
const NOTHING_TO_SEND: usize = 2;

fn unavailable(cause: opus::Error) -> Unavailable {
    Unavailable { codec: Codec::Opus, why: cause.description().to_owned() }
}

/// The decoding half.
#[derive(Debug)]
pub struct OpusDecoder(opus::Decoder);

impl OpusDecoder {
    /// Fails only without memory.
    pub fn new() -> Result<Self, Unavailable> {
        opus::Decoder::new(TELEPHONE_HZ, Channels::Mono).map(Self).map_err(unavailable)
    }

    /// Decodes one packet and returns the number of samples.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16; MOST_SAMPLES]) -> Result<usize, BadPayload> {
        if payload.is_empty() {
            // To libopus this would mean a loss.
            return Err(BadPayload::Empty);
        }
        self.0.decode(payload, out, false).map_err(|_| BadPayload::Broken)
    }

    /// Makes up `samples`; with the packet `next` after them, as far as it holds them once more.
    pub fn conceal(&mut self, samples: usize, next: Option<&[u8]>, out: &mut [i16]) -> bool {
        let Some(out) = out.get_mut(..samples) else { return false };
        if samples == 0 || !samples.is_multiple_of(CONCEALED_STEP) || samples > MOST_SAMPLES {
            return false;
        }
        // A packet without error correction makes libopus do what it does without a packet.
        let from_next = next.filter(|next| !next.is_empty()).is_some_and(|next| {
            let repaired = self.0.decode(next, out, true);
            repaired.is_ok_and(|length| length == samples)
        });
        from_next || self.0.decode(&[], out, false).is_ok_and(|length| length == samples)
    }
}

/// The encoding half.
#[derive(Debug)]
pub struct OpusEncoder(opus::Encoder);

impl OpusEncoder {
    /// An encoder as the far end wants it. Fails only without memory.
    pub fn new(params: &OpusParams) -> Result<Self, Unavailable> {
        let ready = || {
            let mut encoder = opus::Encoder::new(TELEPHONE_HZ, Channels::Mono, Application::Voip)?;
            let bitrate = params.max_bitrate.map_or(BITRATE, |most| most.clamp(LEAST_BITRATE, BITRATE));
            encoder.set_bitrate(Bitrate::Bits(bitrate as i32))?;
            encoder.set_signal(Signal::Voice)?;
            encoder.set_complexity(COMPLEXITY)?;
            encoder.set_vbr(!params.cbr)?;
            encoder.set_dtx(params.dtx)?;
            encoder.set_inband_fec(params.fec)?;
            encoder.set_packet_loss_perc(if params.fec { LOSS_AT_FIRST } else { 0 })?;
            Ok(encoder)
        };
        ready().map(Self).map_err(unavailable)
    }

    /// Encodes one packet of 10, 20, 40 or 60 ms. 0 when nothing is to be sent.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        if out.is_empty() || !matches!(pcm.len(), 80 | 160 | 320 | 480) {
            return 0;
        }
        self.0.encode(pcm, out).ok().filter(|&length| length > NOTHING_TO_SEND).unwrap_or(0)
    }

    /// What gets lost, in percent.
    pub fn loss_expected(&mut self, percent: u8) {
        let refused = self.0.set_packet_loss_perc(i32::from(percent.min(MOST_LOSS)));
        debug_assert!(refused.is_ok(), "0 to 100 percent are allowed");
    }
}

/// Samples at 8 kHz in one packet; 0 when it is none.
pub fn samples_of_packet(payload: &[u8]) -> usize {
    if payload.is_empty() {
        return 0;
    }
    get_nb_samples(payload, TELEPHONE_HZ).unwrap_or(0)
}
