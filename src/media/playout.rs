//! What the caller hears: a queue of prompts, a gain, and the proof of what was handed to the socket.
//!
//! Frames are taken once per tick and count as played only when [`Playout::delivered`] says that their packet left.
//! A prompt is never cut with a click: it fades within the frame that stops it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::{BargeIn, MediaEvent, PlayEnd};
use crate::audio::{FRAME_8K, Pcm};
use crate::id::PlayId;

/// Prompts that may wait: a step queues a handful; more is a fault of ours and is refused aloud in the log.
const MOST_PROMPTS: usize = 32;
/// A ducked prompt: −15 dB, low enough to speak over, loud enough to go on listening when it was nothing.
const DUCKED_GAIN: f32 = 0.178;
/// Samples over which the gain moves: 5 ms, too slow to click and quick enough to be over within the frame.
const RAMP: usize = 40;
/// Samples a telephone plays in a millisecond.
const PER_MS: u64 = 8;

/// One prompt in the queue.
#[derive(Debug)]
struct Prompt {
    play: PlayId,
    audio: Arc<Pcm>,
    barge_in: BargeIn,
    /// Samples taken so far.
    taken: usize,
    /// Of those, samples in frames whose packet has not left yet.
    in_flight: usize,
    /// Of those, samples whose packet has left.
    played: usize,
    started: bool,
    end: Option<PlayEnd>,
}

impl Prompt {
    fn is_live(&self) -> bool {
        self.end.is_none()
    }

    fn total_ms(&self) -> u64 {
        self.audio.samples.len() as u64 / PER_MS
    }
}

/// The prompts of one leg.
#[derive(Debug)]
pub struct Playout {
    prompts: VecDeque<Prompt>,
    gain: f32,
    target: f32,
}

impl Default for Playout {
    fn default() -> Self {
        Self::new()
    }
}

impl Playout {
    /// Nothing to say.
    pub fn new() -> Self {
        Self { prompts: VecDeque::with_capacity(MOST_PROMPTS), gain: 1.0, target: 1.0 }
    }

    /// Queues a prompt of 8 kHz sound. `false` when far too many wait already; then nothing will be reported of it.
    #[must_use]
    pub fn push(&mut self, play: PlayId, audio: Arc<Pcm>, barge_in: BargeIn) -> bool {
        if self.prompts.len() >= MOST_PROMPTS {
            return false;
        }
        let prompt = Prompt { play, audio, barge_in, taken: 0, in_flight: 0, played: 0, started: false, end: None };
        self.prompts.push_back(prompt);
        true
    }

    /// The prompt being heard.
    pub fn current(&self) -> Option<PlayId> {
        self.live().map(|prompt| prompt.play)
    }

    /// Who may stop the prompt being heard.
    pub fn barge_in(&self) -> Option<BargeIn> {
        self.live().map(|prompt| prompt.barge_in)
    }

    /// Lowers the prompt, starting with the next frame.
    pub fn duck(&mut self) {
        self.target = DUCKED_GAIN;
    }

    /// Brings it back.
    pub fn unduck(&mut self) {
        self.target = 1.0;
    }

    /// Something else will be heard instead for a while; what plays comes back without a step.
    pub fn pause(&mut self) {
        (self.gain, self.target) = (0.0, 1.0);
    }

    /// Stops the prompt being heard, and those queued behind it, up to the first that `may_stop` refuses; returns
    /// whether any was stopped. What plays fades out with the next frame.
    pub fn stop(&mut self, end: PlayEnd, may_stop: impl Fn(BargeIn) -> bool) -> bool {
        let mut stopped = false;
        for prompt in self.prompts.iter_mut().filter(|prompt| prompt.is_live()) {
            if !may_stop(prompt.barge_in) {
                break;
            }
            prompt.end = Some(end);
            stopped = true;
        }
        stopped
    }

    /// Fills `frame` with what the caller hears next; `false` when that is silence. Per frame: no allocation, no
    /// lock, no log.
    pub fn frame(&mut self, frame: &mut [i16; FRAME_8K]) -> bool {
        frame.fill(0);
        let fading = self.fade(frame);
        let mut filled = 0;
        if !fading {
            for prompt in self.prompts.iter_mut().filter(|prompt| prompt.is_live()) {
                let rest = &prompt.audio.samples[prompt.taken..];
                let count = rest.len().min(FRAME_8K - filled);
                frame[filled..filled + count].copy_from_slice(&rest[..count]);
                filled += count;
                prompt.taken += count;
                prompt.in_flight += count;
                if prompt.taken == prompt.audio.samples.len() {
                    prompt.end = Some(PlayEnd::Completed);
                }
                if filled == FRAME_8K {
                    break;
                }
            }
            self.amplify(frame);
        }
        fading || filled > 0
    }

    /// The packet that carried the frames taken since the last call left at `now`, or did not. Hands what there is to
    /// report to `report`.
    pub fn delivered(&mut self, sent: bool, now: Instant, mut report: impl FnMut(MediaEvent)) {
        for prompt in &mut self.prompts {
            let in_flight = std::mem::take(&mut prompt.in_flight);
            prompt.played += if sent { in_flight } else { 0 };
            if prompt.played > 0 && !prompt.started {
                prompt.started = true;
                report(MediaEvent::PromptStarted { play: prompt.play, total_ms: prompt.total_ms(), at: now });
            }
        }
        self.reap(now, report);
    }

    /// Reports prompts that are over and have nothing under way.
    pub fn reap(&mut self, now: Instant, mut report: impl FnMut(MediaEvent)) {
        while let Some(prompt) = self.prompts.front() {
            let Some(end) = prompt.end.filter(|_| prompt.in_flight == 0) else { return };
            report(MediaEvent::PromptFinished {
                play: prompt.play,
                played_ms: prompt.played as u64 / PER_MS,
                total_ms: prompt.total_ms(),
                end,
                at: now,
            });
            self.prompts.pop_front();
        }
    }

    fn live(&self) -> Option<&Prompt> {
        self.prompts.iter().find(|prompt| prompt.is_live())
    }

    /// A prompt stopped in mid-sound gets one more frame, falling to nothing. It is part of what was played.
    fn fade(&mut self, frame: &mut [i16; FRAME_8K]) -> bool {
        let stopped = |prompt: &&mut Prompt| {
            let cut = prompt.end.is_some_and(|end| end != PlayEnd::Completed);
            cut && (1..prompt.audio.samples.len()).contains(&prompt.taken)
        };
        let Some(prompt) = self.prompts.iter_mut().find(stopped) else { return false };
        let rest = &prompt.audio.samples[prompt.taken..];
        let count = rest.len().min(FRAME_8K);
        for (place, (out, &sample)) in frame.iter_mut().zip(rest).enumerate() {
            let falling = 1.0 - (place + 1) as f32 / FRAME_8K as f32;
            *out = (f32::from(sample) * self.gain * falling) as i16;
        }
        prompt.in_flight += count;
        // Taken to the end, so that it fades once.
        prompt.taken = prompt.audio.samples.len();
        (self.gain, self.target) = (1.0, 1.0);
        true
    }

    fn amplify(&mut self, frame: &mut [i16; FRAME_8K]) {
        if self.gain == self.target {
            if self.gain != 1.0 {
                frame.iter_mut().for_each(|sample| *sample = (f32::from(*sample) * self.gain) as i16);
            }
            return;
        }
        let step = (self.target - self.gain) / RAMP as f32;
        for (place, sample) in frame.iter_mut().enumerate() {
            let gain = if place < RAMP { self.gain + step * (place + 1) as f32 } else { self.target };
            *sample = (f32::from(*sample) * gain) as i16;
        }
        self.gain = self.target;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, SystemClock};

    struct Ear {
        playout: Playout,
        now: Instant,
        reports: Vec<String>,
    }

    impl Ear {
        fn new() -> Self {
            Self { playout: Playout::new(), now: SystemClock.now().mono, reports: Vec::new() }
        }

        fn play(&mut self, play: u64, samples: usize, barge_in: BargeIn) {
            let audio = Arc::new(Pcm { rate_hz: 8_000, samples: vec![10_000; samples] });
            assert!(self.playout.push(PlayId(play), audio, barge_in));
        }

        fn tick(&mut self, sent: bool) -> [i16; FRAME_8K] {
            let mut frame = [7; FRAME_8K];
            self.playout.frame(&mut frame);
            let reports = &mut self.reports;
            self.playout.delivered(sent, self.now, |event| reports.push(name(&event)));
            frame
        }
    }

    fn name(event: &MediaEvent) -> String {
        match event {
            MediaEvent::PromptStarted { play, .. } => format!("start {play}"),
            MediaEvent::PromptFinished { play, played_ms, total_ms, end, .. } => {
                format!("{end:?} {play} {played_ms}/{total_ms}")
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn prompts_follow_each_other_without_a_gap_and_each_is_accounted_for() {
        let mut ear = Ear::new();
        ear.play(1, 200, BargeIn::Off);
        ear.play(2, 280, BargeIn::Speech);
        assert_eq!(ear.tick(true), [10_000; FRAME_8K]);
        assert_eq!(ear.tick(true), [10_000; FRAME_8K]);
        assert_eq!(ear.reports, ["start 1", "start 2", "Completed 1 25/25"]);
        assert_eq!(ear.tick(true), [10_000; FRAME_8K]);
        assert_eq!(ear.reports[3..], ["Completed 2 35/35"]);
        assert_eq!(ear.tick(true), [0; FRAME_8K]);
        assert_eq!(ear.reports.len(), 4);
    }

    #[test]
    fn only_what_left_counts_as_played() {
        let mut ear = Ear::new();
        ear.play(1, 480, BargeIn::Off);
        ear.tick(false);
        assert!(ear.reports.is_empty());
        ear.tick(true);
        ear.tick(false);
        assert_eq!(ear.reports, ["start 1", "Completed 1 20/60"]);
    }

    #[test]
    fn a_stopped_prompt_fades_within_one_frame_and_the_next_begins_after_it() {
        let mut ear = Ear::new();
        ear.play(1, 8_000, BargeIn::Speech);
        ear.tick(true);
        assert!(ear.playout.stop(PlayEnd::BargedIn, |_| true));
        ear.play(2, 160, BargeIn::Off);
        let faded = ear.tick(true);
        assert!(faded.is_sorted_by(|earlier, later| earlier >= later));
        assert!(faded[0] > 9_900 && faded[FRAME_8K - 1] == 0, "{faded:?}");
        assert_eq!(ear.reports, ["start 1", "BargedIn 1 40/1000"]);
        assert_eq!(ear.tick(true), [10_000; FRAME_8K]);
        assert_eq!(ear.reports[2..], ["start 2", "Completed 2 20/20"]);
    }

    #[test]
    fn a_protected_prompt_shields_itself_and_what_is_queued_behind_it() {
        let mut ear = Ear::new();
        ear.play(1, 320, BargeIn::Speech);
        ear.play(2, 320, BargeIn::Off);
        ear.play(3, 320, BargeIn::Speech);
        ear.tick(true);
        assert!(ear.playout.stop(PlayEnd::Keyed, |barge_in| barge_in != BargeIn::Off));
        assert_eq!(ear.playout.current(), Some(PlayId(2)));
        assert!(!ear.playout.stop(PlayEnd::Keyed, |barge_in| barge_in != BargeIn::Off));
        for _ in 0..5 {
            ear.tick(true);
        }
        let ends = ["start 1", "Keyed 1 40/40", "start 2", "Completed 2 40/40", "start 3", "Completed 3 40/40"];
        assert_eq!(ear.reports, ends);
    }

    #[test]
    fn a_prompt_that_never_began_is_finished_with_nothing_played() {
        let mut ear = Ear::new();
        ear.play(1, 800, BargeIn::Speech);
        ear.play(2, 800, BargeIn::Speech);
        assert!(ear.playout.stop(PlayEnd::Flushed, |_| true));
        assert_eq!(ear.tick(true), [0; FRAME_8K]);
        assert_eq!(ear.reports, ["Flushed 1 0/100", "Flushed 2 0/100"]);
    }

    #[test]
    fn ducking_is_heard_within_the_same_frame_and_undone_without_a_step() {
        let mut ear = Ear::new();
        ear.play(1, 8_000, BargeIn::Speech);
        ear.tick(true);
        ear.playout.duck();
        let ducking = ear.tick(true);
        assert!(ducking.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 300), "{ducking:?}");
        assert_eq!(ducking[RAMP..], [1_780; FRAME_8K - RAMP]);
        assert_eq!(ear.tick(true), [1_780; FRAME_8K]);
        ear.playout.unduck();
        let back = ear.tick(true);
        assert!(back.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 300));
        assert_eq!(ear.tick(true), [10_000; FRAME_8K]);
    }

    #[test]
    fn an_empty_prompt_is_finished_at_once_and_a_flood_of_prompts_is_refused() {
        let mut ear = Ear::new();
        ear.play(1, 0, BargeIn::Off);
        ear.tick(true);
        assert_eq!(ear.reports, ["Completed 1 0/0"]);
        for play in 0..MOST_PROMPTS as u64 {
            ear.play(play, 80, BargeIn::Off);
        }
        assert!(!ear.playout.push(PlayId(99), Arc::default(), BargeIn::Off));
    }
}
