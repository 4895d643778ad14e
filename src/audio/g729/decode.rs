//! From ten bytes to 10 ms (ITU-T G.729 §4, A.4), and from none (§4.4).

use super::filter::{HighPass, Memory, Subframe, synthesize};
use super::frame::{Frame, Silence, parity};
use super::gains::{Gains, Predictor};
use super::lpc::{Lpc, ORDER};
use super::lsp::{self, Lsp};
use super::noise::{Hush, Random};
use super::pitch::{Excitation, LONGEST, Lag, SHORTEST};
use super::postfilter::Postfilter;
use super::pulses::Pulses;
use super::{FRAME, FRAME_BYTES, SILENCE_BYTES, SUBFRAME, lsf, samples_of};

/// How strongly pulses are repeated at the lag, whatever the gain of pitch.
pub(super) const SHARPNESS: (f32, f32) = (0.2, 0.794_5);
/// What remains of the gains in each half that is lost.
const FADING: Gains = Gains { pitch: 0.9, pulses: 0.98 };
/// Louder than any sound: what excitation is kept within, when bytes nobody meant make it grow.
const LOUDEST: f32 = 32_767.0;

/// The decoding half. About 2.5 kB.
#[derive(Clone, Debug)]
pub struct G729Decoder {
    lsf: lsf::Memory,
    lsp: Lsp,
    excitation: Excitation,
    predictor: Predictor,
    gains: Gains,
    lag: usize,
    made: Memory,
    postfilter: Postfilter,
    high_pass: HighPass,
    random: Random,
    /// The silence we are in, if the far end described one and sent no sound since.
    hush: Option<Hush>,
}

impl Default for G729Decoder {
    fn default() -> Self {
        Self {
            lsf: lsf::Memory::default(),
            lsp: lsp::even(),
            excitation: Excitation::default(),
            predictor: Predictor::default(),
            gains: Gains::default(),
            lag: 60,
            made: [0.0; ORDER],
            postfilter: Postfilter::default(),
            high_pass: HighPass::after(),
            random: Random::default(),
            hush: None,
        }
    }
}

impl G729Decoder {
    /// Decodes a payload: frames of sound and perhaps one of silence. Returns the number of samples, `None` when it is no
    /// payload of G.729 or `out` is too short.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Option<usize> {
        let samples = samples_of(payload).filter(|&samples| samples <= out.len())?;
        let (frames, rest) = payload.as_chunks::<FRAME_BYTES>();
        let (out, _) = out.as_chunks_mut::<FRAME>();
        for (frame, out) in frames.iter().zip(&mut *out) {
            self.sound(&Frame::unpack(frame), out);
        }
        if let Some(&silence) = rest.first_chunk::<SILENCE_BYTES>() {
            self.silence(Silence::unpack(silence), &mut out[frames.len()]);
        }
        Some(samples)
    }

    /// Makes up sound that was lost, or the far end's silence while it sends nothing: whole frames, or `false`.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn conceal(&mut self, out: &mut [i16]) -> bool {
        let (frames, rest) = out.as_chunks_mut::<FRAME>();
        if frames.is_empty() || !rest.is_empty() {
            return false;
        }
        for out in frames {
            match self.hush {
                Some(_) => self.hushed(out),
                None => self.lost(out),
            }
        }
        true
    }

    /// Has the far end said that it will send nothing for a while, and did it describe what to hear then?
    pub const fn is_silent(&self) -> bool {
        self.hush.is_some()
    }

    fn sound(&mut self, frame: &Frame, out: &mut [i16; FRAME]) {
        self.hush = None;
        let now = lsf::to_lsp(&self.lsf.decode(frame.lsf));
        let filters = self.begin(now);
        let first = match frame.halves[0].lag {
            code if parity(code) == frame.parity => Lag::first(code),
            // §4.1.2: a wrong bit in it; the last one is nearer.
            _ => Lag::whole(self.lag),
        };
        let lags = [first, Lag::second(frame.halves[1].lag, first)];
        for (number, half) in frame.halves.iter().enumerate() {
            let lag = lags[number];
            let pulses = self.pulses(Pulses::decode(half.positions, half.signs), lag.whole);
            self.gains = self.predictor.decode(half.gains, &pulses);
            self.voice(number, lag, &pulses, &filters[number], out);
        }
        self.lag = lags[1].whole.clamp(SHORTEST, LONGEST);
    }

    /// Nothing came: the voice goes on, fading, with pulses anywhere. The prediction of gains stays as it is, other than
    /// in §4.4.3, after which a voice comes back too faint.
    fn lost(&mut self, out: &mut [i16; FRAME]) {
        let now = lsf::to_lsp(&self.lsf.repeat());
        let filters = self.begin(now);
        for (number, filter) in filters.iter().enumerate() {
            let (lag, pulses) = (Lag::whole(self.lag), self.random.pulses());
            let pulses = self.pulses(pulses, lag.whole);
            self.gains.pitch = (self.gains.pitch * FADING.pitch).min(FADING.pitch);
            self.gains.pulses *= FADING.pulses;
            self.voice(number, lag, &pulses, filter, out);
            self.lag = (self.lag + 1).min(LONGEST);
        }
    }

    /// Silence as it is described now.
    fn silence(&mut self, silence: Silence, out: &mut [i16; FRAME]) {
        self.hush = Some(Hush::described(silence.gain, self.hush));
        let now = lsf::to_lsp(&self.lsf.decode_silence(silence.lsf));
        self.quiet(now, out);
    }

    /// Silence as it was described.
    fn hushed(&mut self, out: &mut [i16; FRAME]) {
        self.quiet(self.lsp, out);
    }

    fn quiet(&mut self, now: Lsp, out: &mut [i16; FRAME]) {
        let filters = self.begin(now);
        let loudness = self.hush.as_mut().map_or(0.0, Hush::step);
        for (number, filter) in filters.iter().enumerate() {
            *self.excitation.half_mut(number) = self.random.noise(loudness);
            self.speak(number, filter, None, out);
        }
        self.gains = Gains::default();
    }

    fn begin(&mut self, now: Lsp) -> [Lpc; 2] {
        self.excitation.begin_frame();
        let before = std::mem::replace(&mut self.lsp, now);
        lsp::filters(&before, &now)
    }

    fn pulses(&self, pulses: Pulses, lag: usize) -> Subframe {
        pulses.vector(lag, self.gains.pitch.clamp(SHARPNESS.0, SHARPNESS.1))
    }

    /// Half a frame of a voice.
    fn voice(&mut self, half: usize, lag: Lag, pulses: &Subframe, filter: &Lpc, out: &mut [i16; FRAME]) {
        self.excitation.repeat(half, lag);
        for (sample, pulse) in self.excitation.half_mut(half).iter_mut().zip(pulses) {
            *sample = (self.gains.pitch * *sample + self.gains.pulses * pulse).clamp(-LOUDEST, LOUDEST);
        }
        self.speak(half, filter, Some(lag.whole), out);
    }

    /// The sound of half a frame's excitation.
    fn speak(&mut self, half: usize, filter: &Lpc, lag: Option<usize>, out: &mut [i16; FRAME]) {
        let mut sound = synthesize(filter, &mut self.made, self.excitation.half(half));
        // A filter that rings louder than sound can be would ring on.
        let kept = |sample: &mut f32| *sample = sample.clamp(-LOUDEST, LOUDEST);
        sound.iter_mut().for_each(kept);
        self.made.iter_mut().for_each(kept);
        let sound = self.postfilter.step(filter, lag, &sound);
        for (out, sample) in out[half * SUBFRAME..].iter_mut().zip(sound) {
            // Casting keeps it within what 16 bits hold.
            *out = self.high_pass.step(sample).round() as i16;
        }
    }
}

#[cfg(test)]
impl G729Decoder {
    /// The excitation of the last frame.
    pub(super) fn excited(&self) -> [Subframe; 2] {
        [*self.excitation.half(0), *self.excitation.half(1)]
    }

    /// Is everything that is remembered a number that sound can have?
    pub(super) fn is_sound(&self) -> bool {
        let excited = self.excited();
        let all = self.made.iter().chain(excited.as_flattened()).chain(&self.lsp);
        all.copied().all(|number| number.abs() <= LOUDEST) && self.gains.pulses.is_finite()
    }
}
