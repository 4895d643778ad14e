//! What a caller on hold hears: one sound, over and over, or silence.

use std::sync::Arc;

use crate::audio::{FRAME_8K, Pcm};

/// Samples over which it comes and goes: one frame, so that it never begins or ends with a click.
const FADE: usize = FRAME_8K;

/// One stretch of hold.
#[derive(Debug)]
pub struct Hold {
    /// 8 kHz; `None`: silence.
    sound: Option<Arc<Pcm>>,
    /// Next sample.
    at: usize,
    /// Frames heard.
    frames: u64,
}

impl Hold {
    /// Begins with the first sample of `sound`; an empty one is silence.
    pub fn new(sound: Option<Arc<Pcm>>) -> Self {
        Self { sound: sound.filter(|sound| !sound.samples.is_empty()), at: 0, frames: 0 }
    }

    /// Fills `frame` with what is heard next; `false` when that is silence. Per frame: no allocation, no lock, no log.
    pub fn frame(&mut self, frame: &mut [i16; FRAME_8K]) -> bool {
        let Some(sound) = &self.sound else {
            frame.fill(0);
            return false;
        };
        for sample in frame.iter_mut() {
            *sample = sound.samples[self.at];
            self.at = (self.at + 1) % sound.samples.len();
        }
        if self.frames == 0 {
            fade(frame, |place| place + 1);
        }
        self.frames += 1;
        true
    }

    /// The last frame: fades out what was heard; `false` when nothing was.
    pub fn last_frame(mut self, frame: &mut [i16; FRAME_8K]) -> bool {
        let sounds = self.frames > 0 && self.frame(frame);
        if sounds {
            fade(frame, |place| FADE - 1 - place);
        }
        sounds
    }
}

fn fade(frame: &mut [i16; FRAME_8K], share: impl Fn(usize) -> usize) {
    for (place, sample) in frame.iter_mut().enumerate() {
        *sample = (i32::from(*sample) * share(place) as i32 / FADE as i32) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_that_does_not_fill_frames_goes_round_without_a_gap() {
        let samples: Vec<i16> = (0..250).collect();
        let mut hold = Hold::new(Some(Arc::new(Pcm { rate_hz: 8_000, samples })));
        let mut frame = [9; FRAME_8K];
        assert!(hold.frame(&mut frame));
        assert_eq!((frame[0], frame[159]), (0, 159), "it fades in");
        assert!(hold.frame(&mut frame));
        assert_eq!(frame, std::array::from_fn(|place| ((160 + place) % 250) as i16));
        assert!(hold.last_frame(&mut frame));
        assert_eq!((frame[0], frame[159]), ((320_i32 % 250 * 159 / 160) as i16, 0));
    }

    #[test]
    fn no_sound_and_an_empty_sound_are_silence() {
        for sound in [None, Some(Arc::default())] {
            let mut frame = [9; FRAME_8K];
            let mut hold = Hold::new(sound);
            assert!(!hold.frame(&mut frame));
            assert_eq!(frame, [0; FRAME_8K]);
            assert!(!hold.last_frame(&mut frame));
        }
    }
}
