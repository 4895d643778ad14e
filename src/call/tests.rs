//! What a call does, whatever happens to it, in whatever order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::call::record::{CallEnd, CallRecord, TurnOutcome};
use crate::dialplan::fixture::{bank, heard, say, step};
use crate::dialplan::plan::{StepIx, StepKind, Target};
use crate::media::{Digit, MediaSummary, Offer, PlayEnd};
use crate::sip::LegEnd;
use crate::time::{Clock, Now, SimulatedClock};

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
        let clock = SimulatedClock::starting_at(Timestamp::from_second(1_767_625_200).unwrap());
        let setup = CallSetup {
            id: CallId::new(clock.now().wall, 7),
            plan: Arc::new(plan),
            language: Language::english(),
            peer: "loopback".into(),
            caller: Pii::new("+12025550123".into()),
            called: Pii::new("100".into()),
            sip_call_id: "abc@host".into(),
            arrived_at: clock.now().wall,
            sdp: "v=0".into(),
            longest,
        };
        let call = Call::inbound(setup, clock.now());
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
            self.media(MediaEvent::PromptStarted { play, at: self.now().mono });
            self.clock.advance(Duration::from_secs(2));
            let at = self.now().mono;
            let end = PlayEnd::Completed;
            self.media(MediaEvent::PromptFinished { play, played_ms: 2_000, total_ms: 2_000, end, at });
        }
    }

    fn prompts_start(&mut self) {
        for play in self.playing.clone() {
            self.media(MediaEvent::PromptStarted { play, at: self.now().mono });
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

#[test]
fn a_call_is_rung_and_answered_and_the_plan_waits_for_the_ack() {
    let mut rig = Rig::new(bank());
    assert!(matches!(rig.outputs[0], Output::Leg(LegCommand::Ring)));
    assert!(rig.sent(&|output| matches!(output, Output::Leg(LegCommand::Answer { sdp }) if sdp == "v=0")));
    assert!(rig.said().is_empty());
    rig.established();
    assert_eq!(rig.said(), ["Welcome to the bank."]);
    rig.established();
    assert_eq!(rig.said().len(), 1, "a second ACK changes nothing");
}

#[test]
fn keys_lead_to_a_result_and_the_record_tells_the_whole_story() {
    let mut rig = Rig::listening(bank());
    rig.keys("1");
    rig.prompts_end();
    rig.keys("123456");
    rig.prompts_end();
    assert_eq!(rig.said().last(), Some(&"Goodbye then."));
    assert!(!rig.sent(&hangup), "the last word is said whole before we hang up");
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.end, record.result.as_deref()), (CallEnd::Completed, Some("balance")));
    assert_eq!(record.path, ["welcome", "main", "verify", "balance", "done"]);
    assert_eq!(record.turns.iter().map(|turn| turn.outcome).collect::<Vec<_>>(), [TurnOutcome::Keys; 2]);
    assert_eq!(record.turns[0].meaning.as_deref(), Some("balance"));
    assert_eq!(record.turns[0].keys.as_ref().map(|keys| keys.reveal().as_str()), Some("1"));
    assert_eq!((record.prompts.len(), record.prompts[0].protected), (5, true));
    assert_eq!((record.prompts[0].played_ms, record.prompts[0].total_ms), (2_000, 2_000));
    assert_eq!((record.media.packets_in, record.plan.as_str()), (9, "bank"));
    assert!(record.answered_at.is_some() && record.ended_at > record.arrived_at);
}

#[test]
fn sensitive_answers_stay_out_of_record_timeline_and_debug() {
    let mut rig = Rig::listening(bank());
    rig.keys("1");
    rig.prompts_end();
    rig.keys("4711");
    assert!(!format!("{:?}", rig.call).contains("4711"));
    rig.pass(3_000);
    rig.prompts_end();
    rig.prompts_end();
    let told = format!("{:?}", rig.outputs);
    let shown: Vec<String> = rig
        .outputs
        .iter()
        .filter_map(|output| match output {
            Output::Timeline(event) => Some(serde_json::to_string(event).unwrap()),
            _ => None,
        })
        .collect();
    let record = rig.goes_down();
    assert_eq!((record.turns[1].keys.as_ref(), record.turns[1].heard.as_ref()), (None, None));
    assert_eq!(record.turns[1].meaning.as_deref(), Some("pin"));
    let kept = serde_json::to_string(&record).unwrap() + &shown.join("") + &told;
    assert!(!kept.contains("4711"), "{kept}");
    assert!(shown.join("").contains(HIDDEN));
}

#[test]
fn words_that_fit_whole_commit_at_the_complete_timeout() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    assert!(rig.sent(&recognize));
    rig.pass(30);
    rig.result(1, 0, Ok(heard("my balance", 0.95)));
    assert_eq!(rig.due(), Some(Reason::Commit));
    assert!(rig.said().is_empty(), "290 ms of silence are not yet 300");
    rig.pass(10);
    assert_eq!(rig.said(), ["Please key in your PIN."]);
    assert!(rig.sent(&commit));
}

#[test]
fn a_late_result_commits_at_once() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    rig.pass(400);
    rig.result(1, 0, Ok(heard("balance", 0.95)));
    assert_eq!(rig.said(), ["Please key in your PIN."]);
}

#[test]
fn words_that_fit_nothing_wait_for_the_incomplete_timeout_or_for_media_to_close() {
    let mut rig = Rig::listening(bank());
    rig.says(1, "xylophone quartz vortex");
    rig.pass(800);
    assert!(rig.said().is_empty());
    rig.pass(200);
    assert_eq!(rig.said(), ["Sorry, I did not get that.", "Say balance, or lost card."]);

    let mut rig = Rig::listening(bank());
    rig.says(1, "xylophone quartz vortex");
    rig.media(MediaEvent::SpeechEnded { utterance: UtteranceId(1) });
    assert_eq!(rig.said().len(), 2);
}

#[test]
fn renewed_speech_cancels_and_only_the_newest_revision_counts() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    rig.media(MediaEvent::Resumed { utterance: UtteranceId(1) });
    assert!(rig.sent(&|output| matches!(output, Output::CancelRecognize { revision: 0, .. })));
    rig.result(1, 0, Ok(heard("balance", 0.95)));
    rig.pass(2_000);
    assert!(rig.said().is_empty(), "a stale result is ignored");
    rig.offer(1, 1, None);
    rig.result(1, 0, Ok(heard("balance", 0.95)));
    rig.result(2, 1, Ok(heard("balance", 0.95)));
    rig.result(1, 1, Ok(heard("lost card", 0.95)));
    rig.pass(40);
    assert_eq!(rig.said(), ["Connecting you."]);
}

#[test]
fn speech_stops_an_armed_prompt_and_the_record_says_how_far_it_got() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.prompts_end();
    rig.prompts_start();
    rig.clock.advance(Duration::from_millis(700));
    rig.outputs.clear();
    rig.says(1, "lost card");
    assert_eq!(rig.count(&flush), 1);
    rig.pass(300);
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.turns[0].outcome, record.turns[0].barge_in_ms), (TurnOutcome::Speech, Some(700)));
    assert!(record.prompts[1].interrupted && !record.prompts[2].interrupted);
}

#[test]
fn a_prompt_that_media_reports_cut_before_the_speech_counts_as_interrupted_too() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.prompts_end();
    rig.prompts_start();
    rig.clock.advance(Duration::from_millis(700));
    let (at, play) = (rig.now().mono, rig.playing.remove(0));
    let end = PlayEnd::BargedIn;
    rig.media(MediaEvent::PromptFinished { play, played_ms: 700, total_ms: 2_000, end, at });
    rig.says(1, "lost card");
    rig.pass(300);
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!(record.turns[0].barge_in_ms, Some(700));
    assert!(record.prompts[1].interrupted);
}

#[test]
fn nothing_said_over_a_protected_prompt_is_an_answer() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.prompts_start();
    rig.outputs.clear();
    rig.speech_starts(1);
    assert!(!rig.sent(&flush), "a protected prompt plays on");
    rig.prompts_end();
    rig.offer(1, 1, Some(0));
    assert!(!rig.sent(&recognize));
    assert!(rig.sent(&commit), "what comes after is a new utterance");
}

#[test]
fn keys_typed_over_a_protected_prompt_answer_the_next_question_unasked() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.keys("1");
    assert!(!rig.sent(&flush));
    rig.prompts_end();
    assert_eq!(rig.said(), ["Welcome to the bank.", "Please key in your PIN."]);
}

#[test]
fn keys_typed_before_the_ack_are_kept() {
    let mut rig = Rig::new(bank());
    rig.keys("1123456");
    rig.established();
    rig.prompts_end();
    assert_eq!(rig.said().last(), Some(&"You have ten dollars."));
}

#[test]
fn a_wrong_key_typed_ahead_is_forgotten_and_the_question_asked() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.keys("91");
    rig.prompts_end();
    assert_eq!(rig.said().last(), Some(&"What can I do for you?"));
    rig.prompts_end();
    assert!(rig.call.listening(), "the rest was forgotten with it");
}

#[test]
fn speech_over_an_answer_is_taken_by_the_question_that_follows() {
    let mut plan = bank();
    plan.steps[0] = step("welcome", say("Hello there.", Target::Step(StepIx(1))));
    let mut rig = Rig::new(plan);
    rig.established();
    rig.prompts_start();
    rig.speech_starts(1);
    assert_eq!(rig.said(), ["Hello there."], "the question is spared");
    rig.offer(1, 1, Some(0));
    rig.result(1, 1, Ok(heard("balance", 0.95)));
    rig.pass(100);
    assert_eq!(rig.said(), ["Hello there.", "Please key in your PIN."]);
}

#[test]
fn speech_over_an_answer_that_fits_nothing_lets_the_question_be_asked_first() {
    let mut plan = bank();
    plan.steps[0] = step("welcome", say("Hello there.", Target::Step(StepIx(1))));
    let mut rig = Rig::new(plan);
    rig.established();
    rig.prompts_start();
    rig.speech_starts(1);
    rig.offer(1, 1, Some(0));
    rig.result(1, 1, Ok(heard("", 0.0)));
    rig.pass(1_300);
    assert_eq!(rig.said(), ["Hello there.", "What can I do for you?"]);
}

#[test]
fn keys_win_over_speech_that_is_still_being_recognised() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    rig.keys("2");
    assert_eq!(rig.said(), ["Connecting you."]);
    assert!(rig.sent(&|output| matches!(output, Output::CancelRecognize { .. })));
    rig.result(1, 0, Ok(heard("balance", 0.95)));
    assert_eq!(rig.said(), ["Connecting you."]);
}

#[test]
fn digits_end_three_seconds_after_the_last_key_when_there_are_enough() {
    let mut rig = Rig::listening(bank());
    rig.keys("1");
    rig.prompts_end();
    rig.keys("12");
    rig.pass(2_900);
    rig.keys("34");
    rig.pass(2_900);
    assert_eq!(rig.due(), Some(Reason::InterDigit));
    assert_eq!(rig.said().last(), Some(&"Please key in your PIN."));
    rig.pass(100);
    assert_eq!(rig.said().last(), Some(&"You have ten dollars."));
}

#[test]
fn muttering_while_typing_does_not_end_the_typing() {
    let mut rig = Rig::listening(bank());
    rig.keys("1");
    rig.prompts_end();
    rig.keys("12");
    rig.says(1, "where is it now");
    rig.pass(1_300);
    rig.keys("34#");
    assert_eq!(rig.said().last(), Some(&"You have ten dollars."));
}

#[test]
fn silence_is_counted_from_the_end_of_the_prompt_and_leads_to_the_end() {
    let mut rig = Rig::listening(bank());
    rig.pass(3_999);
    assert!(rig.said().is_empty());
    rig.pass(1);
    assert_eq!(rig.said(), ["I did not hear you.", "Say balance, or lost card."]);
    rig.pass(20_000);
    assert_eq!(rig.said().len(), 2, "no silence is counted while the prompt plays");
    rig.prompts_end();
    rig.pass(4_000);
    rig.prompts_end();
    rig.pass(4_000);
    assert_eq!(rig.said().last(), Some(&"Connecting you."));
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.end, record.result.as_deref()), (CallEnd::Completed, Some("agent")));
    let attempts: Vec<u32> = record.turns.iter().map(|turn| turn.attempt).collect();
    assert_eq!((attempts, record.turns[2].outcome), (vec![1, 2, 3], TurnOutcome::NoInput));
}

#[test]
fn a_passing_noise_restarts_the_silence_but_not_for_ever() {
    let mut rig = Rig::listening(bank());
    rig.says(1, "");
    rig.pass(1_200);
    rig.pass(2_000);
    assert!(rig.said().is_empty());
    rig.pass(2_000);
    assert_eq!(rig.said().first(), Some(&"I did not hear you."));

    let mut rig = Rig::listening(bank());
    let mut utterance = 0;
    while rig.said().is_empty() {
        utterance += 1;
        assert!(utterance < 60, "noise holds the question open for ever");
        rig.says(utterance, "");
        rig.pass(1_000);
    }
}

#[test]
fn endless_sound_is_cut_again_and_again_and_ends_the_call_politely() {
    let mut rig = Rig::listening(bank());
    let mut utterance = 0;
    while !rig.sent(&hangup) {
        utterance += 1;
        assert!(utterance < 10, "music for ever");
        let began_at = rig.speech_starts(utterance);
        rig.pass(15_000);
        let (audio, ended_at) = (Arc::new(Pcm::default()), rig.now().mono);
        let utterance_id = UtteranceId(utterance);
        let offer = Offer { utterance: utterance_id, revision: 0, audio, began_at, ended_at, during: None, cut: true };
        rig.media(MediaEvent::Offered(offer));
        // The music goes on at once as a new utterance, before the recogniser has answered.
        rig.speech_starts(utterance + 100);
        rig.result(utterance, 0, Ok(heard("", 0.0)));
        rig.prompts_end();
    }
    let record = rig.goes_down();
    assert_eq!((record.end, record.result.as_deref()), (CallEnd::Completed, Some("agent")));
    assert!(record.turns.iter().all(|turn| turn.outcome == TurnOutcome::NoMatch));
}

#[test]
fn speech_that_media_never_ends_is_given_up() {
    let mut rig = Rig::listening(bank());
    rig.speech_starts(1);
    assert_eq!(rig.due(), Some(Reason::EndlessSpeech));
    rig.pass(25_000);
    assert!(!rig.said().is_empty());
}

#[test]
fn without_a_recogniser_the_keys_are_offered_once_and_go_on_working() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    rig.result(1, 0, Err(RecognizeError::Unavailable("no model".into())));
    assert_eq!(rig.said(), ["Please use the keys.", "What can I do for you?"]);
    assert!(rig.sent(&|output| matches!(output, Output::Play { barge_in: BargeIn::Keys, .. })));
    rig.prompts_end();
    rig.outputs.clear();
    rig.offer(2, 0, None);
    assert!(!rig.sent(&recognize), "nobody is asked who cannot hear");
    assert!(rig.sent(&commit));
    rig.keys("2");
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.turns[0].outcome, record.turns[1].outcome), (TurnOutcome::Error, TurnOutcome::Keys));
}

#[test]
fn a_question_that_only_speech_could_answer_is_left_when_nobody_hears() {
    let mut plan = bank();
    let StepKind::Menu(menu) = &mut plan.steps[1].kind else { unreachable!("main is a menu") };
    menu.options.iter_mut().for_each(|option| option.key = None);
    menu.question.universals.operator = None;
    let mut rig = Rig::listening(plan);
    rig.offer(1, 0, None);
    rig.result(1, 0, Err(RecognizeError::Unavailable("no model".into())));
    assert_eq!(rig.said(), ["Connecting you."]);
}

#[test]
fn a_busy_recogniser_is_asked_again_next_time() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    rig.result(1, 0, Err(RecognizeError::Busy));
    assert_eq!(rig.said().first(), Some(&"Please use the keys."));
    rig.prompts_end();
    rig.outputs.clear();
    rig.says(2, "balance");
    rig.pass(100);
    assert_eq!(rig.said(), ["Please key in your PIN."]);
}

#[test]
fn a_recogniser_that_never_answers_is_no_dead_end() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    assert_eq!(rig.due(), Some(Reason::Recogniser));
    rig.pass(8_000);
    assert_eq!(rig.said().first(), Some(&"Please use the keys."));
}

#[test]
fn the_latency_of_a_turn_has_its_parts_and_they_add_up() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    rig.pass(35);
    let nbest = NBest { queued: Duration::from_millis(5), ..heard("balance", 0.95) };
    rig.result(1, 0, Ok(nbest));
    rig.call.understood_in(Duration::from_millis(2));
    rig.pass(5);
    rig.clock.advance(Duration::from_millis(24));
    rig.prompts_start();
    let latency = rig.outputs.iter().find_map(|output| match output {
        Output::Timeline(TimelineEvent::Replied { latency }) => Some(*latency),
        _ => None,
    });
    let latency = latency.expect("the reply has begun");
    let near = |a: f64, b: f64| (a - b).abs() < 0.001;
    assert!(near(latency.total_ms, 324.0), "{latency:?}");
    assert!(near(latency.first_packet_ms, 24.0) && near(latency.queue_ms, 5.0), "{latency:?}");
    assert!(near(latency.recognition_ms, 30.0) && near(latency.understanding_ms, 2.0), "{latency:?}");
    assert!(near(latency.endpointing_ms, 263.0), "{latency:?}");
    rig.leg_ends(LegEnd::RemoteHangup);
    rig.media_closes();
    assert_eq!(rig.record().turns[0].latency, Some(latency));
}

#[test]
fn a_caller_who_hangs_up_leaves_a_record_after_media_has_closed() {
    let mut rig = Rig::listening(bank());
    rig.leg_ends(LegEnd::RemoteHangup);
    assert_eq!(rig.count(&close), 1);
    assert!(!rig.sent(&hangup), "there is no leg left to hang up");
    assert!(!rig.call.is_over());
    rig.media_closes();
    let record = rig.record();
    assert_eq!((record.end, record.turns[0].outcome), (CallEnd::CallerHungUp, TurnOutcome::HungUp));
}

#[test]
fn a_caller_who_hangs_up_in_a_prompt_leaves_what_was_played_of_it() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.prompts_start();
    rig.leg_ends(LegEnd::RemoteHangup);
    let (at, end) = (rig.now().mono, PlayEnd::Flushed);
    rig.media(MediaEvent::PromptFinished { play: PlayId(0), played_ms: 640, total_ms: 2_000, end, at });
    rig.media_closes();
    assert_eq!(rig.record().prompts[0].played_ms, 640);
}

#[test]
fn media_that_closes_by_itself_ends_the_call_as_a_fault() {
    let mut rig = Rig::listening(bank());
    rig.media_closes();
    assert!(rig.sent(&hangup) && !rig.sent(&close));
    rig.leg_ends(LegEnd::LocalHangup);
    assert!(matches!(rig.record().end, CallEnd::Failed(_)));
}

#[test]
fn a_record_leaves_even_when_neither_leg_nor_media_report() {
    let mut rig = Rig::listening(bank());
    rig.leg_ends(LegEnd::RemoteHangup);
    assert_eq!(rig.due(), Some(Reason::MediaEnd));
    rig.pass(5_000);
    assert_eq!(rig.record().end, CallEnd::CallerHungUp);

    let mut rig = Rig::listening(bank());
    rig.media_closes();
    assert_eq!(rig.due(), Some(Reason::LegEnd));
    rig.pass(40_000);
    assert!(matches!(rig.record().end, CallEnd::Failed(_)));
}

#[test]
fn every_way_a_leg_ends_has_its_own_record() {
    let ends = [
        (LegEnd::Cancelled, CallEnd::Cancelled),
        (LegEnd::NoAck, CallEnd::NoAck),
        (LegEnd::Rejected(503), CallEnd::Rejected(503)),
        (LegEnd::RemoteHangup, CallEnd::CallerHungUp),
    ];
    for (why, end) in ends {
        let mut rig = Rig::new(bank());
        rig.leg_ends(why);
        rig.leg_ends(LegEnd::Failed);
        rig.media_closes();
        assert_eq!(rig.record().end, end);
    }
}

#[test]
fn an_ack_that_never_comes_ends_the_call_even_if_the_leg_forgets() {
    let mut rig = Rig::new(bank());
    assert_eq!(rig.due(), Some(Reason::Acknowledge));
    rig.pass(40_000);
    assert_eq!(rig.goes_down().end, CallEnd::NoAck);
}

#[test]
fn no_rtp_ends_the_call_at_once_but_not_before_the_ack() {
    let silent_for = Duration::from_secs(20);
    let mut rig = Rig::new(bank());
    rig.media(MediaEvent::RtpTimeout { silent_for });
    assert!(!rig.sent(&hangup));
    rig.established();
    rig.media(MediaEvent::RtpTimeout { silent_for });
    assert_eq!(rig.goes_down().end, CallEnd::NoMedia);
}

#[test]
fn draining_says_goodbye_before_it_hangs_up() {
    let mut rig = Rig::listening(bank());
    rig.input(Input::Drain);
    rig.input(Input::Drain);
    assert_eq!(rig.said(), ["Goodbye."]);
    assert!(!rig.sent(&hangup));
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.end, record.turns[0].outcome), (CallEnd::Drained, TurnOutcome::HungUp));

    let mut rig = Rig::new(bank());
    rig.input(Input::Drain);
    assert!(rig.said().is_empty());
    assert_eq!(rig.goes_down().end, CallEnd::Drained);
}

#[test]
fn a_prompt_that_is_never_reported_finished_holds_the_call_up_only_so_long() {
    let mut rig = Rig::new(bank());
    rig.established();
    assert_eq!(rig.due(), Some(Reason::Prompt));
    rig.pass(60_000);
    assert!(rig.said().len() > 1);
}

#[test]
fn a_prompt_without_sound_does_not_stop_the_call() {
    let mut rig = Rig::new(bank());
    rig.established();
    let (at, end) = (rig.now().mono, PlayEnd::Completed);
    rig.media(MediaEvent::PromptFinished { play: PlayId(0), played_ms: 0, total_ms: 0, end, at });
    assert_eq!(rig.said().last(), Some(&"What can I do for you?"));
}

#[test]
fn no_call_lasts_for_ever() {
    let mut plan = bank();
    plan.steps = vec![step("chatter", say("And so on.", Target::Repeat))];
    let mut rig = Rig::new(plan);
    rig.established();
    for _ in 0..100 {
        rig.prompts_end();
    }
    assert!(matches!(rig.goes_down().end, CallEnd::Failed(why) if why.contains("steps without an answer")));

    let mut rig = Rig::listening(bank());
    for _ in 0..2_000 {
        rig.keys("*");
        rig.says(1, "say that again");
        rig.pass(1_300);
        rig.prompts_end();
        if rig.sent(&hangup) {
            return;
        }
    }
    panic!("a caller can hold a line for ever");
}

#[test]
fn the_longest_duration_ends_politely_whatever_is_going_on() {
    let mut rig = Rig::lasting(bank(), Duration::from_secs(10));
    rig.established();
    rig.prompts_end();
    rig.prompts_end();
    rig.outputs.clear();
    rig.pass(3_000);
    rig.keys("1");
    rig.pass(2_999);
    assert_eq!(rig.due(), Some(Reason::Longest));
    assert_eq!(rig.said(), ["Please key in your PIN."]);
    rig.pass(1);
    assert_eq!(rig.said().last(), Some(&"Goodbye."));
    rig.prompts_end();
    assert!(matches!(rig.goes_down().end, CallEnd::Failed(why) if why.contains("10 s")));
}

#[test]
fn a_timeout_handled_early_does_nothing() {
    let mut rig = Rig::listening(bank());
    let before = rig.call.poll_timeout();
    rig.call.handle_timeout(rig.now());
    rig.collect();
    assert_eq!(rig.call.poll_timeout(), before);
    assert!(rig.outputs.is_empty());
}

/// Whatever comes, in whatever order: no panic, no spinning, and after the leg has ended exactly one record, last.
#[test]
fn random_happenings_always_end_in_exactly_one_record() {
    for seed in 0..150 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut rig = Rig::new(bank());
        for _ in 0..random.random_range(0..250) {
            let input = any_input(&mut random, &rig);
            rig.input(input);
            let time = [0, 1, 40, 300, 1_500, 5_000][random.random_range(0..6)];
            let woken = rig.now().mono;
            rig.pass(time);
            assert!(
                rig.call.poll_timeout().is_none_or(|(at, _)| at > woken),
                "seed {seed}: a deadline stays in the past"
            );
            assert!(rig.call.is_over() || rig.call.poll_timeout().is_some(), "seed {seed}: no deadline");
        }
        rig.leg_ends(LegEnd::RemoteHangup);
        rig.pass(6_000);
        rig.media_closes();
        rig.established();
        rig.record();
    }
}

fn any_input(random: &mut StdRng, rig: &Rig) -> Input {
    let at = rig.now().mono;
    let utterance = UtteranceId(random.random_range(0..6));
    let revision = random.random_range(0..3);
    let play = PlayId(random.random_range(0..=rig.playing.last().map_or(0, |play| play.0)));
    let end = [PlayEnd::Completed, PlayEnd::BargedIn, PlayEnd::Keyed, PlayEnd::Flushed][random.random_range(0..4)];
    let event = match random.random_range(0..40) {
        0 => return Input::Leg(LegEvent::Established { sdp: None }),
        1..=6 => return Input::Leg(LegEvent::Established { sdp: Some("v=0".into()) }),
        7..=13 => {
            let words = ["balance", "lost card", "", "one two three four", "go back", "operator", "mumble"];
            let words = words[random.random_range(0..words.len())];
            let result = match random.random_range(0..8) {
                0 => Err(RecognizeError::Busy),
                1 => Err(RecognizeError::Cancelled),
                2 => Err(RecognizeError::Failed("broken".into())),
                3 if random.random_bool(0.3) => Err(RecognizeError::Unavailable("none".into())),
                _ => Ok(heard(words, random.random())),
            };
            return Input::Heard { utterance, revision, result };
        }
        14 if random.random_bool(0.05) => return Input::Drain,
        15 if random.random_bool(0.05) => MediaEvent::Closed(MediaSummary::default()),
        16 if random.random_bool(0.05) => MediaEvent::RtpTimeout { silent_for: Duration::from_secs(20) },
        17..=21 => MediaEvent::SpeechStarted { utterance, at },
        22..=26 => MediaEvent::Offered(Offer {
            utterance,
            revision,
            audio: Arc::new(Pcm::default()),
            began_at: at,
            ended_at: at,
            during: random.random_bool(0.3).then_some(play),
            cut: random.random_bool(0.1),
        }),
        27..=28 => MediaEvent::Resumed { utterance },
        29 => MediaEvent::SpeechEnded { utterance },
        30..=31 => MediaEvent::PromptStarted { play, at },
        32..=37 => MediaEvent::PromptFinished { play, played_ms: 100, total_ms: 2_000, end, at },
        _ => {
            let face = "0123456789*#A".chars().nth(random.random_range(0..13)).unwrap();
            MediaEvent::Digit { digit: Digit::new(face).unwrap(), at }
        }
    };
    Input::Media(event)
}
