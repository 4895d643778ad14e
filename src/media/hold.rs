//! What a caller hears who waits: one sound, over and over. On hold it takes the place of everything; as a background it
//! fills what prompts leave.

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

/// A sound that makes way for prompts and comes back after them.
#[derive(Debug)]
pub struct Background {
    sound: Arc<Pcm>,
    /// Next sample.
    at: usize,
    /// It is being heard.
    sounds: bool,
}

impl Background {
    /// From the first sample of `sound`; `None` where that is silence.
    pub fn new(sound: Arc<Pcm>) -> Option<Self> {
        (!sound.samples.is_empty()).then_some(Self { sound, at: 0, sounds: false })
    }

    /// Fills `frame`, which holds a prompt if `taken`. Per frame: no allocation, no lock, no log.
    pub fn frame(&mut self, frame: &mut [i16; FRAME_8K], taken: bool) {
        let was_heard = std::mem::replace(&mut self.sounds, !taken);
        if taken && !was_heard {
            return;
        }
        let mut own = [0; FRAME_8K];
        for sample in &mut own {
            *sample = self.sound.samples[self.at];
            self.at = (self.at + 1) % self.sound.samples.len();
        }
        match (was_heard, taken) {
            (false, _) => fade(&mut own, |place| place + 1),
            (true, true) => fade(&mut own, |place| FADE - 1 - place),
            (true, false) => {}
        }
        frame.iter_mut().zip(own).for_each(|(sample, own)| *sample = sample.saturating_add(own));
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
    fn a_background_makes_way_for_a_prompt_and_comes_back_where_it_was() {
        let music = Arc::new(Pcm { rate_hz: 8_000, samples: vec![8_000; 250] });
        let mut background = Background::new(music).unwrap();
        let mut next = |said: Option<i16>| {
            let mut frame = [said.unwrap_or(0); FRAME_8K];
            background.frame(&mut frame, said.is_some());
            (frame[0], frame[FRAME_8K - 1])
        };
        assert_eq!(next(None), (50, 8_000), "it fades in");
        assert_eq!(next(None), (8_000, 8_000));
        assert_eq!(next(Some(100)), (100 + 7_950, 100), "it fades out under the first words");
        assert_eq!(next(Some(100)), (100, 100));
        assert_eq!(next(None), (50, 8_000));
        assert!(Background::new(Arc::default()).is_none());
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
