//! What a call does, whatever happens to it, in whatever order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::call::record::{CallEnd, CallRecord, Direction, TurnOutcome};
use crate::dialplan::fixture::{bank, heard, say, step};
use crate::dialplan::plan::{StepIx, Target};
use crate::media::{MediaSummary, Offer, PlayEnd, Recording};
use crate::rtp::Digit;
use crate::sip::LegEnd;
use crate::time::{Clock, Now, SimulatedClock};
use jiff::Timestamp;

mod far_end;
mod handing;
mod life;
mod outcomes;
mod random;
mod secrets;
mod transfer;
mod turns;

/// A call, its clock, and everything it has asked for.
struct Rig {
    call: Call,
    clock: SimulatedClock,
    outputs: Vec<Output>,
    /// Prompts asked for whose end has not been reported.
    playing: Vec<PlayId>,
}

impl Rig {
    fn new(plan: Plan) -> Self {
        Self::lasting(plan, Duration::from_secs(3_600))
    }

    fn lasting(plan: Plan, longest: Duration) -> Self {
        Self::of(plan, Direction::Inbound, longest, Call::inbound)
    }

    /// A call that we make.
    fn dialling(plan: Plan, ring: Duration) -> Self {
        let hour = Duration::from_secs(3_600);
        Self::of(plan, Direction::Outbound, hour, |setup, now| Call::outbound(setup, ring, now))
    }

    /// A call of which this is known beforehand.
    fn knowing(plan: Plan, known: &[(&str, &str)]) -> Self {
        let known = known.iter().map(|(name, value)| ((*name).to_owned(), Pii::new((*value).to_owned()))).collect();
        let hour = Duration::from_secs(3_600);
        Self::of(plan, Direction::Inbound, hour, |setup, now| {
            Call::inbound(CallSetup { variables: known, ..setup }, now)
        })
    }

    fn of(plan: Plan, direction: Direction, longest: Duration, call: impl FnOnce(CallSetup, Now) -> Call) -> Self {
        let clock = SimulatedClock::starting_at(Timestamp::from_second(1_767_625_200).unwrap());
        let setup = CallSetup {
            id: CallId::new(clock.now().wall, 7),
            direction,
            plan: Arc::new(plan),
            language: Language::english(),
            peer: "loopback".into(),
            caller: Pii::new("+12025550123".into()),
            called: Pii::new("100".into()),
            sip_call_id: "abc@host".into(),
            arrived_at: clock.now().wall,
            sdp: "v=0".into(),
            longest,
            zone: jiff::tz::TimeZone::UTC,
            markers: Arc::default(),
            variables: Variables::new(),
            stands_by: None,
            made_for: None,
        };
        let call = call(setup, clock.now());
        let mut rig = Self { call, clock, outputs: Vec::new(), playing: Vec::new() };
        rig.collect();
        rig
    }

    /// Answered, welcome said, and the first question asked and heard.
    fn listening(plan: Plan) -> Self {
        let mut rig = Self::new(plan);
        rig.established();
        rig.prompts_end();
        rig.prompts_end();
        assert!(rig.call.listening());
        rig.outputs.clear();
        rig
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn collect(&mut self) {
        while let Some(output) = self.call.poll_output() {
            match &output {
                Output::Play { play, .. } => self.playing.push(*play),
                Output::Media(MediaCommand::Flush) => {
                    let at = self.now().mono;
                    for play in std::mem::take(&mut self.playing) {
                        let end = PlayEnd::Flushed;
                        let event = MediaEvent::PromptFinished { play, played_ms: 500, total_ms: 2_000, end, at };
                        self.call.handle(Input::Media(event), self.now());
                    }
                }
                _ => {}
            }
            self.outputs.push(output);
        }
    }

    fn input(&mut self, input: Input) {
        self.call.handle(input, self.now());
        self.collect();
    }

    fn media(&mut self, event: MediaEvent) {
        self.input(Input::Media(event));
    }

    fn established(&mut self) {
        self.input(Input::Leg(LegEvent::Established { sdp: None }));
    }

    fn leg_ends(&mut self, why: LegEnd) {
        self.input(Input::Leg(LegEvent::Ended(why)));
    }

    fn media_closes(&mut self) {
        self.media(MediaEvent::Closed(MediaSummary { packets_in: 9, ..MediaSummary::default() }));
    }

    /// Starts and finishes every prompt asked for so far; those asked for meanwhile wait.
    fn prompts_end(&mut self) {
        for play in std::mem::take(&mut self.playing) {
            self.media(MediaEvent::PromptStarted { play, total_ms: 2_000, at: self.now().mono });
            self.clock.advance(Duration::from_secs(2));
            let at = self.now().mono;
            let end = PlayEnd::Completed;
            self.media(MediaEvent::PromptFinished { play, played_ms: 2_000, total_ms: 2_000, end, at });
        }
    }

    fn prompts_start(&mut self) {
        for play in self.playing.clone() {
            self.media(MediaEvent::PromptStarted { play, total_ms: 2_000, at: self.now().mono });
        }
    }

    /// Time passes; whatever falls due happens when it is due.
    fn pass(&mut self, millis: u64) {
        let until = self.now().mono + Duration::from_millis(millis);
        while let Some((at, _)) = self.call.poll_timeout().filter(|(at, _)| *at <= until) {
            self.clock.advance(at.saturating_duration_since(self.now().mono));
            self.call.handle_timeout(self.now());
            self.collect();
        }
        self.clock.advance(until.saturating_duration_since(self.now().mono));
    }

    fn keys(&mut self, keys: &str) {
        for digit in keys.chars().filter_map(Digit::new) {
            self.media(MediaEvent::Digit { digit, at: self.now().mono });
        }
    }

    fn speech_starts(&mut self, utterance: u64) -> Instant {
        let at = self.now().mono;
        self.clock.advance(Duration::from_millis(100));
        self.media(MediaEvent::SpeechStarted { utterance: UtteranceId(utterance), at });
        at
    }

    /// The caller speaks for 600 ms and pauses; the pause is offered after 260 ms.
    fn offer(&mut self, utterance: u64, revision: u32, during: Option<u64>) {
        let began_at = if revision == 0 { self.speech_starts(utterance) } else { self.now().mono };
        self.pass(500);
        let ended_at = self.now().mono;
        self.pass(260);
        self.media(MediaEvent::Offered(Offer {
            utterance: UtteranceId(utterance),
            revision,
            audio: Arc::new(Pcm::default()),
            began_at,
            ended_at,
            during: during.map(PlayId),
            cut: false,
        }));
    }

    fn result(&mut self, utterance: u64, revision: u32, result: Result<NBest, RecognizeError>) {
        self.input(Input::Heard { utterance: UtteranceId(utterance), revision, result });
    }

    /// The caller says `words`; the recogniser answers 30 ms after the offer.
    fn says(&mut self, utterance: u64, words: &str) {
        self.offer(utterance, 0, None);
        self.pass(30);
        self.result(utterance, 0, Ok(heard(words, 0.95)));
    }

    /// Everything ends as it should after we have hung up.
    fn goes_down(mut self) -> CallRecord {
        assert!(self.sent(&|output| matches!(output, Output::Leg(LegCommand::Hangup))), "{:?}", self.outputs);
        self.leg_ends(LegEnd::LocalHangup);
        self.media_closes();
        self.record()
    }

    fn record(self) -> CallRecord {
        assert!(self.call.is_over());
        let finished = |output: &Output| matches!(output, Output::Finished(_));
        assert_eq!(self.outputs.iter().filter(|output| finished(output)).count(), 1);
        match self.outputs.into_iter().last() {
            Some(Output::Finished(record)) => *record,
            other => panic!("the record must be the last output, not {other:?}"),
        }
    }

    fn sent(&self, what: &dyn Fn(&Output) -> bool) -> bool {
        self.outputs.iter().any(what)
    }

    fn count(&self, what: &dyn Fn(&Output) -> bool) -> usize {
        self.outputs.iter().filter(|output| what(output)).count()
    }

    /// What was asked to be said since the outputs were last cleared.
    fn said(&self) -> Vec<&str> {
        let mut said = Vec::new();
        for output in &self.outputs {
            if let Output::Play { utter, .. } = output {
                said.push(utter.text.as_str());
            }
        }
        said
    }

    fn due(&self) -> Option<Reason> {
        self.call.poll_timeout().map(|(_, reason)| reason)
    }
}

fn flush(output: &Output) -> bool {
    matches!(output, Output::Media(MediaCommand::Flush))
}

fn close(output: &Output) -> bool {
    matches!(output, Output::Media(MediaCommand::Close))
}

fn hangup(output: &Output) -> bool {
    matches!(output, Output::Leg(LegCommand::Hangup))
}

fn commit(output: &Output) -> bool {
    matches!(output, Output::Media(MediaCommand::Commit { .. }))
}

fn recognize(output: &Output) -> bool {
    matches!(output, Output::Recognize { .. })
}
