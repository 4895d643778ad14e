//! From 10 ms to ten bytes (ITU-T G.729 §3, A.3): analysis by synthesis.
//!
//! ```text
//!                      ┌──── 15 ms ────┬─ frame ─┬ 5 ms ┐
//!   sound ─▶ high pass ─▶ filter ─▶ its residual, weighted: what is to be reached ◀─── difference as heard
//!                                                                                          │
//!                      pitch ─▶ pulses ─▶ gains: those that leave the least of it ─────────┘
//! ```

use super::decode::SHARPNESS;
use super::filter::{HighPass, Memory, Subframe, blunted, convolve, dot, impulse_response, residual, synthesize};
use super::frame::{Frame, Half, parity};
use super::gains::Predictor;
use super::lpc::{self, Lpc, ORDER, WINDOW};
use super::lsf::{self, Lsf};
use super::lsp::{self, Lsp};
use super::pitch::{Excitation, Lag, OpenLoop};
use super::pulses::{Pulses, correlate, sharpen};
use super::{FRAME, FRAME_BYTES, SUBFRAME};

/// Where the frame begins in what is looked at.
const PRESENT: usize = WINDOW - FRAME - SUBFRAME;
/// How much noise may hide under the peaks of the filter.
const WEIGHT: f32 = 0.75;
/// Pitch is looked for from afar in sound of which this much of the highs is taken.
const LOWERED: f32 = 0.7;
/// Most gain of pitch that a target may ask for.
const MOST_PITCH: f32 = 1.2;

/// The encoding half. About 4 kB.
#[derive(Clone, Debug)]
pub struct G729Encoder {
    high_pass: HighPass,
    /// 15 ms before the frame, the frame, 5 ms after it.
    speech: [f32; WINDOW],
    lpc: Lpc,
    wanted: Lsf,
    lsf: lsf::Memory,
    lsp: Lsp,
    open_loop: OpenLoop,
    lowered: Memory,
    excitation: Excitation,
    /// What the last samples were off, as heard.
    off: Memory,
    predictor: Predictor,
    sharpness: f32,
    errors: Errors,
}

impl Default for G729Encoder {
    fn default() -> Self {
        let lsp = lsp::even();
        Self {
            high_pass: HighPass::before(),
            speech: [0.0; WINDOW],
            lpc: lsp::to_lpc(&lsp),
            wanted: lsf::of_lsp(&lsp),
            lsf: lsf::Memory::default(),
            lsp,
            open_loop: OpenLoop::default(),
            lowered: [0.0; ORDER],
            excitation: Excitation::default(),
            off: [0.0; ORDER],
            predictor: Predictor::default(),
            sharpness: SHARPNESS.0,
            errors: Errors::default(),
        }
    }
}

/// What half a frame is to come near to, and through which filter.
struct Target {
    sound: Subframe,
    response: Subframe,
}

impl G729Encoder {
    /// Encodes whole frames into the beginning of `out` and returns the number of bytes; 0 when there is part of a frame,
    /// or `out` is too short.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        let (frames, rest) = pcm.as_chunks::<FRAME>();
        let bytes = frames.len() * FRAME_BYTES;
        if !rest.is_empty() || out.len() < bytes {
            return 0;
        }
        for (frame, out) in frames.iter().zip(out.chunks_exact_mut(FRAME_BYTES)) {
            out.copy_from_slice(&self.frame(frame).pack());
        }
        bytes
    }

    /// Codes the 10 ms of which the newest half is heard only now.
    fn frame(&mut self, pcm: &[i16; FRAME]) -> Frame {
        self.hear(pcm);
        let lsf_code = self.lsf.choose(&self.wanted);
        let now = lsf::to_lsp(&self.lsf.decode(lsf_code));
        let filters = lsp::filters(&std::mem::replace(&mut self.lsp, now), &now);
        self.excitation.begin_frame();
        for (half, filter) in filters.iter().enumerate() {
            self.weigh(half, filter);
        }
        let around = self.open_loop.lag();
        let mut frame = Frame { lsf: lsf_code, ..Frame::default() };
        let mut first = Lag::whole(around);
        for (half, filter) in filters.iter().enumerate() {
            let target = self.target(half, filter);
            let correlated = correlate(&target.sound, &target.response);
            let (lag, code) = match half {
                0 => {
                    first = self.excitation.search_first(around, &correlated);
                    (first, first.code_first())
                }
                _ => {
                    let lag = self.excitation.search_second(first, &correlated);
                    (lag, lag.code_second(first))
                }
            };
            frame.halves[half] = Half { lag: code, ..self.excite(half, lag, target) };
        }
        frame.parity = parity(frame.halves[0].lag);
        frame
    }

    /// Takes in sound and finds its filter.
    fn hear(&mut self, pcm: &[i16; FRAME]) {
        self.speech.copy_within(FRAME.., 0);
        for (sample, &heard) in self.speech[WINDOW - FRAME..].iter_mut().zip(pcm) {
            *sample = self.high_pass.step(f32::from(heard));
        }
        // A filter that cannot be told, or not in pairs, is taken for the last one.
        self.lpc = lpc::analyse(&self.speech).unwrap_or(self.lpc);
        self.wanted = lsp::of_lpc(&self.lpc).map_or(self.wanted, |lsp| lsf::of_lsp(&lsp));
    }

    /// Puts the residual of a half where its excitation will be, and its weighted sound where pitch is looked for.
    fn weigh(&mut self, half: usize, filter: &Lpc) {
        let from = PRESENT + half * SUBFRAME - ORDER;
        let speech = self.speech[from..].first_chunk().expect("the frame lies within what is looked at");
        let residual = residual(filter, speech);
        *self.excitation.half_mut(half) = residual;
        let weighting = blunted(filter, WEIGHT);
        let mut lowering = weighting;
        for i in 1..=ORDER {
            lowering[i] -= LOWERED * weighting[i - 1];
        }
        self.open_loop.push(half, &synthesize(&lowering, &mut self.lowered, &residual));
    }

    /// The weighted sound of a half, less what still rings of the one before.
    fn target(&self, half: usize, filter: &Lpc) -> Target {
        let weighting = blunted(filter, WEIGHT);
        let sound = synthesize(&weighting, &mut self.off.clone(), self.excitation.half(half));
        Target { sound, response: impulse_response(&weighting) }
    }

    /// Chooses pulses and gains of a half that already repeats what was a lag ago, and completes its excitation as the
    /// decoder will.
    fn excite(&mut self, half: usize, lag: Lag, target: Target) -> Half {
        let Target { sound, mut response } = target;
        let repeated = *self.excitation.half(half);
        let pitch = convolve(&repeated, &response);
        let most_pitch = self.errors.most_pitch(lag.whole);
        let gain = dot(&sound, &pitch) / dot(&pitch, &pitch).max(0.01);
        let gain = gain.clamp(0.0, MOST_PITCH.min(most_pitch));
        let left = std::array::from_fn(|n| sound[n] - gain * pitch[n]);

        sharpen(&mut response, lag.whole, self.sharpness);
        let pulses = Pulses::search(&left, &response);
        let filtered = convolve(&pulses.vector(SUBFRAME, 0.0), &response);
        let vector = pulses.vector(lag.whole, self.sharpness);
        let code = self.predictor.choose(&sound, &pitch, [&vector, &filtered], most_pitch);
        let gains = self.predictor.decode(code, &vector);

        for (n, sample) in self.excitation.half_mut(half).iter_mut().enumerate() {
            *sample = gains.pitch * repeated[n] + gains.pulses * vector[n];
        }
        let off = |n: usize| sound[n] - gains.pitch * pitch[n] - gains.pulses * filtered[n];
        self.off = std::array::from_fn(|n| off(SUBFRAME - ORDER + n));
        self.sharpness = gains.pitch.clamp(SHARPNESS.0, SHARPNESS.1);
        self.errors.follow(lag.whole, gains.pitch);
        let (positions, signs) = pulses.code();
        Half { lag: 0, positions, signs, gains: code }
    }
}

#[cfg(test)]
impl G729Encoder {
    /// The excitation of the last frame.
    pub(super) fn excited(&self) -> [Subframe; 2] {
        [*self.excitation.half(0), *self.excitation.half(1)]
    }
}

/// How much a lost packet could be heard of for ever: a gain of pitch above 1, kept up, makes any difference between the
/// ends grow (the "taming" of the reference). Bounds for the last four halves, newest first.
#[derive(Clone, Debug)]
struct Errors([f32; 4]);

impl Default for Errors {
    fn default() -> Self {
        Self([1.0; 4])
    }
}

impl Errors {
    /// Growth from which the gain is held below 1.
    const LIMIT: f32 = 60_000.0;
    /// What interpolation reaches on either side of a lag.
    const REACH: usize = 10;

    fn most_pitch(&self, lag: usize) -> f32 {
        if self.worst(lag) > Self::LIMIT { 0.95 } else { f32::INFINITY }
    }

    fn worst(&self, lag: usize) -> f32 {
        let newest = lag.saturating_sub(SUBFRAME + Self::REACH) / SUBFRAME;
        let oldest = ((lag + Self::REACH) / SUBFRAME).min(3);
        self.0[newest..=oldest].iter().copied().fold(0.0, f32::max)
    }

    fn follow(&mut self, lag: usize, gain: f32) {
        let once = 1.0 + gain * self.worst(lag);
        // A lag shorter than the half repeats within it.
        let bound = if lag < SUBFRAME { once.max(1.0 + gain * once) } else { once };
        self.0.rotate_right(1);
        self.0[0] = bound;
    }
}
