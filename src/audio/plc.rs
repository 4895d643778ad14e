//! Packet loss concealment for G.711-like frames, after the idea of ITU-T G.711 Appendix I.
//!
//! What is lost is replaced by the last pitch periods heard, repeated and faded; what comes after is faded in.
//!
//! ```text
//!   heard     ~~~~~~~~~~~~|            |╱~~~~~~~   crossfade out of the repetition
//!   lost                  |▁pitch▁pitch|
//!   gain      1 ──────────|──╲___      |           full for 10 ms, gone after 60 ms
//! ```
//!
//! Unlike the appendix we add no delay: the seam at the beginning is closed by letting the step between the last
//! sample heard and the first one made up decay, instead of going back to smooth samples already played.

use super::FRAME_8K;

/// Shortest pitch period looked for, in samples at 8 kHz: 200 Hz. Higher voices match at a multiple.
const MIN_PITCH: usize = 40;
/// Longest pitch period: 66 Hz.
const MAX_PITCH: usize = 120;
/// Stretch compared when looking for the pitch: 20 ms.
const MATCH: usize = 160;
/// Most periods repeated in turn; a single one soon sounds like a buzzer.
const MAX_PERIODS: usize = 3;
/// Sound remembered: enough for the longest repetition plus its crossfade, and for the pitch search.
const HISTORY: usize = MAX_PERIODS * MAX_PITCH + MAX_PITCH / 4 + 1;
/// Samples over which the step at a seam decays: 2.5 ms.
const SEAM: usize = 20;
/// Samples at full level before the fade begins: 10 ms.
const FULL_LEVEL: usize = 80;
/// Samples from the start of a loss until silence: 60 ms, a phoneme's length.
const SILENT_AFTER: usize = 480;
/// Crossfade from concealment into sound, after a loss of one frame: 5 ms, and as much again per further frame.
const RECOVERY: usize = 40;

/// Conceals losses in one stream of 20 ms frames at 8 kHz. About 1.6 kB; nothing is allocated after `new`.
#[derive(Clone, Debug)]
pub struct Concealer {
    /// The last sound played, real or made up; the newest sample last.
    history: [i16; HISTORY],
    /// `history` as it was when the loss began: what is repeated.
    source: [i16; HISTORY],
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The last frame was real.
    Hearing,
    /// The last frame was made up.
    Concealing(Repetition),
}

/// A walk round and round the last periods of `source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Repetition {
    /// Samples of one period, found when the loss began.
    pitch: usize,
    /// Periods repeated in turn: more of them the longer it lasts, or it would sound like a buzzer.
    periods: usize,
    /// Place in the walk to go on from, below `pitch · periods`.
    next: usize,
    /// Samples made up so far.
    made_up: usize,
}

impl Default for Concealer {
    fn default() -> Self {
        Self::new()
    }
}

impl Concealer {
    /// A concealer that has heard nothing: it conceals with silence.
    pub const fn new() -> Self {
        Self { history: [0; HISTORY], source: [0; HISTORY], state: State::Hearing }
    }

    /// Takes sound that arrived: a frame, or what there is of one (at most 20 ms). After a loss its beginning is
    /// crossfaded with what was made up.
    ///
    /// Per frame: no allocation, no lock, no log.
    pub fn heard(&mut self, sound: &mut [i16]) {
        if let State::Concealing(walk) = self.state {
            self.fade_in(sound, walk);
            self.state = State::Hearing;
        }
        self.remember(sound);
    }

    /// Takes sound that arrived but does not follow what was played last, because a stretch was skipped to shorten
    /// the delay: the seam is crossfaded as after a loss.
    ///
    /// Per frame: no allocation, no lock, no log. Searches the pitch, as [`Self::conceal`] does.
    pub fn heard_after_skip(&mut self, sound: &mut [i16]) {
        if self.state == State::Hearing {
            self.state = State::Concealing(self.begin_repetition());
        }
        self.heard(sound);
    }

    /// Fills a stretch that was lost: a frame, or the part of one that is missing (at most 20 ms).
    ///
    /// Per frame: no allocation, no lock, no log. The first call of a loss searches the pitch, about 26,000
    /// multiply-adds.
    pub fn conceal(&mut self, frame: &mut [i16]) {
        let mut walk = match self.state {
            State::Hearing => self.begin_repetition(),
            // One more period in front: the same phase now lies one period later.
            State::Concealing(walk) if walk.periods < MAX_PERIODS && walk.made_up >= FRAME_8K * walk.periods => {
                Repetition { periods: walk.periods + 1, next: walk.next + walk.pitch, ..walk }
            }
            State::Concealing(walk) => walk,
        };
        let step = match walk.made_up {
            0 => f32::from(self.source[HISTORY - 1]) - f32::from(self.source[HISTORY - 1 - walk.pitch]),
            _ => 0.0,
        };
        for (at, sample) in frame.iter_mut().enumerate() {
            let decay = 1.0 - (at + 1).min(SEAM) as f32 / SEAM as f32;
            *sample = (walk.step(&self.source) + step * decay).round() as i16;
        }
        self.state = State::Concealing(walk);
        self.remember(frame);
    }

    /// Forgets everything: another stream begins.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    fn begin_repetition(&mut self) -> Repetition {
        self.source = self.history;
        Repetition { pitch: find_pitch(&self.source), periods: 1, next: 0, made_up: 0 }
    }

    fn fade_in(&self, sound: &mut [i16], mut walk: Repetition) {
        let overlap = (RECOVERY * walk.made_up.div_ceil(FRAME_8K).max(1)).min(sound.len());
        for (at, sample) in sound.iter_mut().take(overlap).enumerate() {
            let share = (at + 1) as f32 / (overlap + 1) as f32;
            *sample = (f32::from(*sample) * share + walk.step(&self.source) * (1.0 - share)).round() as i16;
        }
    }

    fn remember(&mut self, sound: &[i16]) {
        let newest = &sound[sound.len().saturating_sub(HISTORY)..];
        self.history.copy_within(newest.len().., 0);
        self.history[HISTORY - newest.len()..].copy_from_slice(newest);
    }
}

impl Repetition {
    /// The next made-up sample, faded by how long the loss has lasted.
    fn step(&mut self, source: &[i16; HISTORY]) -> f32 {
        let length = self.pitch * self.periods;
        let here = f32::from(source[HISTORY - length + self.next]);
        // The last quarter period turns into what came before the first sample of the walk, so that going round
        // makes no step.
        let overlap = self.pitch / 4;
        let left = length - self.next;
        let sound = if left <= overlap {
            let before = f32::from(source[HISTORY - length - left]);
            let share = left as f32 / (overlap + 1) as f32;
            here * share + before * (1.0 - share)
        } else {
            here
        };
        let faded = self.made_up.saturating_sub(FULL_LEVEL) as f32 / (SILENT_AFTER - FULL_LEVEL) as f32;
        self.next = (self.next + 1) % length;
        self.made_up += 1;
        sound * (1.0 - faded).max(0.0)
    }
}

/// The lag at which the newest 20 ms resemble what came before most, by normalised cross-correlation.
fn find_pitch(source: &[i16; HISTORY]) -> usize {
    let newest = &source[HISTORY - MATCH..];
    let mut best = (0.0, MAX_PITCH);
    for lag in MIN_PITCH..=MAX_PITCH {
        let before = &source[HISTORY - MATCH - lag..HISTORY - lag];
        let (mut product, mut energy) = (0i64, 1i64);
        for (&now, &then) in newest.iter().zip(before) {
            product += i64::from(now) * i64::from(then);
            energy += i64::from(then) * i64::from(then);
        }
        let likeness = product as f64 / (energy as f64).sqrt();
        if likeness > best.0 {
            best = (likeness, lag);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::rms_dbov;
    use crate::audio::tone;

    fn frames(hz: f32, count: usize) -> Vec<[i16; FRAME_8K]> {
        let pcm = tone::sine(hz, -20.0, 20 * count as u32, 8_000);
        pcm.samples.chunks_exact(FRAME_8K).map(|frame| frame.try_into().unwrap()).collect()
    }

    /// Plays `frames`, losing those whose number is in `lost`.
    fn play(frames: &[[i16; FRAME_8K]], lost: &[usize]) -> Vec<[i16; FRAME_8K]> {
        let mut concealer = Concealer::new();
        let play = |(number, frame): (usize, &[i16; FRAME_8K])| {
            let mut out = *frame;
            if lost.contains(&number) {
                concealer.conceal(&mut out)
            } else {
                concealer.heard(&mut out)
            }
            out
        };
        frames.iter().enumerate().map(play).collect()
    }

    fn difference_dbov(a: &[i16], b: &[i16]) -> f32 {
        rms_dbov(&a.iter().zip(b).map(|(&a, &b)| a.saturating_sub(b)).collect::<Vec<_>>())
    }

    #[test]
    fn sound_without_loss_passes_untouched() {
        let sent = frames(150.0, 10);
        assert_eq!(play(&sent, &[]), sent);
    }

    #[test]
    fn a_steady_voice_is_continued_as_if_nothing_had_been_lost() {
        for hz in [80.0, 100.0, 160.0, 200.0, 400.0] {
            let sent = frames(hz, 10);
            let heard = play(&sent, &[5]);
            // Full level for the first 10 ms, hence nearly equal there.
            let error = difference_dbov(&heard[5][..FULL_LEVEL], &sent[5][..FULL_LEVEL]);
            assert!(error < -45.0, "{hz} Hz: the made-up part differs by {error} dBov");
            assert_eq!(heard[7..], sent[7..], "{hz} Hz: a frame after recovery is untouched");
        }
    }

    #[test]
    fn there_is_no_click_at_the_seams() {
        for lost in [&[5][..], &[5, 6], &[5, 6, 7, 8], &[5, 7, 9]] {
            let flat = play(&frames(130.0, 14), lost).concat();
            // Steepest slope of a 130 Hz sine at −20 dBov is 473 per sample.
            let steepest = flat.windows(2).map(|pair| pair[1].abs_diff(pair[0])).max().unwrap();
            assert!(steepest < 800, "lost {lost:?}: a step of {steepest}");
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence_in_sixty_milliseconds() {
        let heard = play(&frames(120.0, 12), &[5, 6, 7, 8, 9, 10, 11]);
        let levels: Vec<f32> = heard[5..9].iter().map(|frame| rms_dbov(frame)).collect();
        assert!(levels[0] > -22.0 && levels[1] < levels[0] && levels[2] < levels[1] - 3.0, "{levels:?}");
        assert_eq!(heard[8], [0; FRAME_8K]);
        assert_eq!(heard[11], [0; FRAME_8K]);
    }

    #[test]
    fn half_a_frame_is_concealed_as_well_as_a_whole_one() {
        let sent = frames(160.0, 6).concat();
        let mut concealer = Concealer::new();
        let mut heard = sent.clone();
        for (number, half) in heard.chunks_exact_mut(FRAME_8K / 2).enumerate() {
            if number == 7 { concealer.conceal(half) } else { concealer.heard(half) }
        }
        assert!(difference_dbov(&heard[560..640], &sent[560..640]) < -45.0);
        assert_eq!(heard[800..], sent[800..]);
    }

    #[test]
    fn skipped_sound_leaves_no_click() {
        let sent = frames(130.0, 8);
        let mut concealer = Concealer::new();
        let mut heard = Vec::new();
        for number in [0, 1, 2, 4, 5, 7] {
            let mut frame = sent[number];
            if matches!(number, 4 | 7) {
                concealer.heard_after_skip(&mut frame)
            } else {
                concealer.heard(&mut frame)
            }
            heard.extend(frame);
        }
        let steepest = heard.windows(2).map(|pair| pair[1].abs_diff(pair[0])).max().unwrap();
        assert!(steepest < 800, "a step of {steepest}");
    }

    #[test]
    fn a_loss_before_any_sound_is_silent() {
        assert_eq!(play(&frames(120.0, 1), &[0]), [[0; FRAME_8K]]);
    }

    #[test]
    fn full_scale_noise_and_direct_current_never_overflow() {
        use rand::{Rng, SeedableRng, rngs::StdRng};
        let mut random = StdRng::seed_from_u64(7);
        let noise: Vec<[i16; FRAME_8K]> = (0..50)
            .map(|_| std::array::from_fn(|_| if random.random_bool(0.5) { i16::MIN } else { i16::MAX }))
            .collect();
        for lost in [&[1, 3, 4, 9, 10, 11, 12, 40][..], &(20..50).collect::<Vec<_>>()] {
            play(&noise, lost);
            play(&[[i16::MIN; FRAME_8K]; 50], lost);
        }
    }
}
