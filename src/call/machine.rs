//! The life of one call, as a pure core: leg, turn and plan meet here and nowhere else.
//!
//! ```text
//!   Answering ─ACK─▶ Saying ⇄ Asking ─▶ Parting ─last word said─▶ Leaving ─leg ended, media closed─▶ Over
//!        └───────────────┴───────┴─── the caller hangs up, media dies, drain ──▲
//! ```
//!
//! Whatever happens, in whatever order, the record leaves exactly once and last: after the leg has ended *and* media
//! has closed, or after their patience ran out. There is no state without a deadline.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::call::record::{CallEnd, TurnOutcome};
use crate::call::scribe::{Scribe, without_ears};
use crate::call::turn::{Turn, TurnEnd, TurnOutput, TurnSetup};
use crate::call::{CallSetup, Input, Output, Reason, TimelineEvent};
use crate::dialplan::interpreter::{Act, Asking, Interpreter, Line};
use crate::dialplan::plan::{Plan, Step, StepIx};
use crate::dialplan::step::{self, Event};
use crate::id::{PlayId, UtteranceId};
use crate::media::{BargeIn, Digit, Listen, MediaCommand, MediaEvent, MediaSummary, Offer, PlayEnd};
use crate::pii::Pii;
use crate::sip::{LegCommand, LegEnd, LegEvent};
use crate::speech::RecognizeError;
use crate::speech::Utter;
use crate::time::Now;

/// A leg reports its end within this: 64·T1 for a lost ACK or BYE (RFC 3261 §17) and a little.
const LEG_PATIENCE: Duration = Duration::from_secs(40);
/// Media closes within this: the recording's last block, and a slow disk.
const MEDIA_PATIENCE: Duration = Duration::from_secs(5);
/// A prompt is over within this and [`PROMPT_PER_BYTE`]; only a lost report makes it last longer.
const PROMPT_PATIENCE: Duration = Duration::from_secs(30);
/// Slower than any voice reads, so that the watchdog never cuts a prompt that plays.
const PROMPT_PER_BYTE: Duration = Duration::from_millis(300);
/// Keys kept that were typed before their question; more are dropped.
const TYPED_AHEAD: usize = 32;

/// One call. See the module's drawing; every input and every timeout is followed by [`Call::poll_output`] until
/// it is empty.
#[derive(Debug)]
pub struct Call {
    plan: Arc<Plan>,
    interpreter: Interpreter,
    scribe: Scribe,
    state: State,
    outputs: VecDeque<Output>,
    /// Who may stop each prompt, by its [`PlayId`].
    plays: Vec<BargeIn>,
    /// Prompts asked for and not finished, of the act in hand.
    playing: VecDeque<PlayId>,
    typed_ahead: Pii<Vec<Digit>>,
    /// Speech that has just interrupted a prompt without a question; a question that follows at once may be
    /// answered by it. Never outlives the input that brought it.
    spoken_ahead: Option<(UtteranceId, Instant)>,
    /// Taken or given up: whatever media still reports of it is late.
    committed: Option<UtteranceId>,
    hears: bool,
    listen: Option<Listen>,
    ends_at: Instant,
    intended_end: Option<CallEnd>,
    leg_ended: Option<LegEnd>,
    media_closed: Option<MediaSummary>,
    close_sent: bool,
}

#[derive(Debug)]
enum State {
    /// 200 sent, no ACK yet.
    Answering { until: Instant },
    /// A `say` plays.
    Saying { until: Instant },
    /// A question is open.
    Asking { turn: Box<Turn>, asking: Asking, until: Instant },
    /// The last prompt plays; then we hang up.
    Parting { until: Instant },
    /// Leg and media are coming to their ends.
    Leaving { until: Instant },
    /// The record has left.
    Over,
}

impl Call {
    /// A call that has come in and is answered at once.
    pub fn inbound(setup: CallSetup, now: Now) -> Self {
        let mut call = Self {
            plan: setup.plan.clone(),
            interpreter: Interpreter::new(setup.plan.clone(), &setup.language),
            state: State::Answering { until: now.mono + LEG_PATIENCE },
            outputs: VecDeque::new(),
            plays: Vec::new(),
            playing: VecDeque::new(),
            typed_ahead: Pii::new(Vec::new()),
            spoken_ahead: None,
            committed: None,
            hears: true,
            listen: None,
            ends_at: now.mono + setup.longest,
            intended_end: None,
            leg_ended: None,
            media_closed: None,
            close_sent: false,
            scribe: Scribe::new(setup),
        };
        call.outputs.push_back(Output::Leg(LegCommand::Ring));
        call.outputs.push_back(Output::Timeline(TimelineEvent::Ringing));
        let sdp = call.scribe.setup().sdp.clone();
        call.outputs.push_back(Output::Leg(LegCommand::Answer { sdp }));
        call.scribe.answered(now.mono, now.wall);
        call
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Now) {
        if matches!(self.state, State::Over) {
            return;
        }
        match input {
            Input::Leg(LegEvent::Established { .. }) => self.established(now),
            Input::Leg(LegEvent::Ended(why)) => self.leg_ended(why, now),
            Input::Media(event) => self.media(event, now),
            Input::Heard { utterance, revision, result } => {
                if let State::Asking { turn, .. } = &mut self.state {
                    turn.heard(utterance, revision, result, now.mono);
                }
            }
            Input::Drain => self.drain(now),
        }
        self.pump_turn(now);
        self.finish_when_all_is_over(now);
    }

    /// What the call wants done, in order; `None` until something happens.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Call::handle_timeout`] is due, and what for. `None` once the call is over.
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let longest = Some((self.ends_at, Reason::Longest));
        let due = match &self.state {
            State::Answering { until } => [Some((*until, Reason::Acknowledge)), None, longest],
            State::Saying { until } => [Some((*until, Reason::Prompt)), None, longest],
            State::Asking { turn, until, .. } => {
                let prompt = (!self.playing.is_empty()).then_some((*until, Reason::Prompt));
                [prompt, turn.poll_timeout(), longest]
            }
            State::Parting { until } => [Some((*until, Reason::Prompt)), None, None],
            State::Leaving { until } if self.leg_ended.is_none() => [Some((*until, Reason::LegEnd)), None, None],
            State::Leaving { until } => [Some((*until, Reason::MediaEnd)), None, None],
            State::Over => [None, None, None],
        };
        due.into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Does what is due at `now`; nothing when it is early.
    pub fn handle_timeout(&mut self, now: Now) {
        let Some((_, reason)) = self.poll_timeout().filter(|(at, _)| *at <= now.mono) else { return };
        match (reason, &mut self.state) {
            (Reason::Longest, _) => {
                let longest = self.scribe.setup().longest.as_secs();
                self.say_goodbye(CallEnd::Failed(format!("the call lasted longer than {longest} s")), now);
            }
            // The report was lost: as if it had come.
            (Reason::Prompt, _) => {
                self.playing.clear();
                self.prompts_over(now.mono, now);
            }
            (Reason::Acknowledge, _) => self.hang_up(CallEnd::NoAck, now),
            (Reason::LegEnd, _) => self.leg_ended(LegEnd::Failed, now),
            (Reason::MediaEnd, _) => self.media_closed = Some(self.media_closed.take().unwrap_or_default()),
            (_, State::Asking { turn, .. }) => turn.handle_timeout(now.mono),
            _ => {}
        }
        self.pump_turn(now);
        self.finish_when_all_is_over(now);
    }

    /// Tells how long handling the last [`Input::Heard`] took: the core has no clock, the latency wants to know.
    pub const fn understood_in(&mut self, took: Duration) {
        self.scribe.understood_in(took);
    }

    /// Has the bot finished talking, and nothing the caller did is still being worked on?
    pub fn listening(&self) -> bool {
        matches!(&self.state, State::Asking { turn, .. } if self.playing.is_empty() && turn.idle())
    }

    /// Has the record left?
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The name of the step in hand.
    pub fn step_name(&self) -> &str {
        &self.step(self.interpreter.place()).name
    }

    // The leg

    fn established(&mut self, now: Now) {
        if matches!(self.state, State::Answering { .. }) {
            self.outputs.push_back(Output::Timeline(TimelineEvent::Answered));
            let act = self.interpreter.start();
            self.perform(act, now);
        }
    }

    fn leg_ended(&mut self, why: LegEnd, now: Now) {
        if self.leg_ended.is_none() {
            self.leg_ended = Some(why);
            self.close_turn(now);
            self.leave(MEDIA_PATIENCE, now);
        }
    }

    /// Says BYE. What is said after that reaches nobody, so media closes with it.
    fn hang_up(&mut self, end: CallEnd, now: Now) {
        self.intended_end.get_or_insert(end);
        self.close_turn(now);
        if self.leg_ended.is_none() {
            self.outputs.push_back(Output::Leg(LegCommand::Hangup));
        }
        self.leave(LEG_PATIENCE, now);
    }

    fn leave(&mut self, patience: Duration, now: Now) {
        if !self.close_sent {
            self.close_sent = true;
            self.outputs.push_back(Output::Media(MediaCommand::Close));
        }
        self.state = State::Leaving { until: now.mono + patience };
    }

    fn drain(&mut self, now: Now) {
        match self.state {
            State::Answering { .. } => self.hang_up(CallEnd::Drained, now),
            State::Saying { .. } | State::Asking { .. } => self.say_goodbye(CallEnd::Drained, now),
            State::Parting { .. } | State::Leaving { .. } | State::Over => {}
        }
    }

    /// Ends a call that the plan has not ended: the house's goodbye, then BYE.
    fn say_goodbye(&mut self, end: CallEnd, now: Now) {
        self.close_turn(now);
        if matches!(self.state, State::Answering { .. }) {
            self.hang_up(end, now);
            return;
        }
        self.intended_end.get_or_insert(end);
        self.outputs.push_back(Output::Media(MediaCommand::Flush));
        let goodbye = self.interpreter.line(&self.plan.clone().phrases.goodbye);
        self.part(self.interpreter.place(), &[goodbye], now);
    }

    fn finish_when_all_is_over(&mut self, now: Now) {
        if matches!(self.state, State::Over) {
            return;
        }
        let Some(leg_end) = self.leg_ended else { return };
        let Some(media) = self.media_closed.take() else { return };
        let end = match (leg_end, self.intended_end.take()) {
            (LegEnd::Cancelled, _) => CallEnd::Cancelled,
            (LegEnd::Rejected(status), _) => CallEnd::Rejected(status),
            (LegEnd::NoAck, _) => CallEnd::NoAck,
            (_, Some(intended)) => intended,
            (LegEnd::RemoteHangup, None) => CallEnd::CallerHungUp,
            (LegEnd::LocalHangup, None) => CallEnd::Failed("the leg was ended on our side by another hand".into()),
            (LegEnd::Failed, None) => CallEnd::Failed("the SIP stack or the network failed".into()),
        };
        let plan = (self.plan.name.as_str(), self.plan.version.as_str());
        let record = self.scribe.finish(plan, self.interpreter.path(), end.clone(), media, now.wall);
        self.outputs.push_back(Output::Timeline(TimelineEvent::Ended { end }));
        self.outputs.push_back(Output::Finished(Box::new(record)));
        self.state = State::Over;
    }

    // The plan

    fn perform(&mut self, act: Act, now: Now) {
        match act {
            Act::Say { step, lines, protected, barge_in } => {
                self.forget_spoken_ahead();
                let until = self.play(step, &lines, barge_in, protected, now);
                self.state = State::Saying { until };
            }
            Act::Ask(asking) => self.ask(asking, now),
            Act::End { step, lines, result, fault } => {
                self.scribe.result = result;
                let end = fault.map_or(CallEnd::Completed, CallEnd::Failed);
                self.intended_end.get_or_insert(end);
                self.part(step, &lines, now);
            }
        }
    }

    fn follow(&mut self, event: &Event, now: Now) {
        let act = self.interpreter.next(event);
        self.perform(act, now);
    }

    fn part(&mut self, step: StepIx, lines: &[Line], now: Now) {
        self.forget_spoken_ahead();
        self.playing.clear();
        let until = self.play(step, lines, BargeIn::Off, false, now);
        self.state = State::Parting { until };
        if self.playing.is_empty() {
            self.prompts_over(now.mono, now);
        }
    }

    /// Asks, unless the caller has answered ahead: then the prompt is spared.
    fn ask(&mut self, asking: Asking, now: Now) {
        if !self.hears && !step::takes_keys(self.step(asking.step)) {
            // Neither heard nor keyed: waiting would be a dead end.
            self.follow(&Event::Error, now);
            return;
        }
        let ahead = !self.typed_ahead.reveal().is_empty() || self.spoken_ahead.is_some();
        self.open_turn(asking, !ahead, now);
    }

    fn open_turn(&mut self, asking: Asking, aloud: bool, now: Now) {
        let barge_in = without_ears(asking.barge_in, self.hears);
        // A question that must be heard whole is, whatever was typed: the keys wait for its end.
        let aloud = aloud || barge_in == BargeIn::Off;
        let setup = TurnSetup {
            plan: self.plan.clone(),
            step: asking.step,
            language: self.interpreter.language().clone(),
            hears: self.hears,
            barge_in,
            aloud,
        };
        let mut turn = Box::new(Turn::new(setup, now.mono));
        let listen = turn.listen();
        if self.listen != Some(listen) {
            self.listen = Some(listen);
            self.outputs.push_back(Output::Media(MediaCommand::Listen(listen)));
        }
        let mut until = now.mono;
        if aloud {
            self.forget_spoken_ahead();
            until = self.play(asking.step, &asking.lines, barge_in, false, now);
            if self.playing.is_empty() {
                turn.prompts_over(now.mono);
            }
        } else if let Some((utterance, at)) = self.spoken_ahead.take() {
            turn.speech_started(utterance, at, now.mono);
        }
        self.state = State::Asking { turn, asking, until };
        if !aloud {
            self.feed_typed_ahead(now);
        }
    }

    fn turn_over(&mut self, end: &TurnEnd, now: Now) {
        let State::Asking { asking, .. } = std::mem::replace(&mut self.state, State::Saying { until: now.mono }) else {
            unreachable!("only an open question has a turn to end");
        };
        self.keep_turn(&asking, end, now);
        let answered_ahead_in_vain = !end.asked_aloud && end.outcome != TurnOutcome::Error && end.answer.is_none();
        if end.answer.is_none() {
            // What was typed for a question that went differently is not an answer to the next one.
            self.typed_ahead = Pii::new(Vec::new());
        }
        if answered_ahead_in_vain {
            self.open_turn(asking, true, now);
            return;
        }
        if matches!(end.error, Some(RecognizeError::Unavailable(_))) {
            self.hears = false;
        }
        let event = match (end.outcome, &end.answer) {
            (_, Some(answer)) => Event::Answered(answer.clone()),
            (TurnOutcome::NoInput, None) => Event::NoInput,
            (TurnOutcome::Error, None) => Event::Error,
            (_, None) => Event::NoMatch { rejected: end.rejected },
        };
        self.follow(&event, now);
    }

    fn keep_turn(&mut self, asking: &Asking, end: &TurnEnd, now: Now) {
        let plan = self.plan.clone();
        let step = plan.steps.get(asking.step.0).expect("a turn is asked by a step of its plan");
        let next_play = PlayId(self.plays.len() as u64);
        let shown = self.scribe.turn(step, asking.attempt, end, next_play, now.mono);
        self.outputs.extend(shown.map(Output::Timeline));
    }

    /// The call ends while a question is open: the record says so.
    fn close_turn(&mut self, now: Now) {
        let state = std::mem::replace(&mut self.state, State::Leaving { until: now.mono });
        let State::Asking { mut turn, asking, .. } = state else {
            self.state = state;
            return;
        };
        let end = turn.abandon(now.mono);
        self.keep_turn(&asking, &end, now);
        self.run_turn_outputs(&mut turn);
        self.state = State::Saying { until: now.mono };
    }

    // Prompts

    /// Asks media to play `lines`. Returns when they are over even if nobody says so.
    fn play(&mut self, step: StepIx, lines: &[Line], barge_in: BargeIn, protected: bool, now: Now) -> Instant {
        let barge_in = without_ears(barge_in, self.hears);
        let plan = self.plan.clone();
        let name = &plan.steps.get(step.0).expect("prompts belong to a step of the plan").name;
        let mut until = now.mono;
        for line in lines.iter().filter(|line| !line.text.trim().is_empty() || line.file.is_some()) {
            let play = PlayId(self.plays.len() as u64);
            self.plays.push(barge_in);
            self.playing.push_back(play);
            self.scribe.prompt_asked(name, &line.text, protected);
            let language = self.interpreter.language().clone();
            let utter = Utter { text: line.text.clone(), language, file: line.file.clone() };
            self.outputs.push_back(Output::Play { play, utter, barge_in });
            let bytes = u32::try_from(line.text.len()).unwrap_or(u32::MAX);
            until += PROMPT_PATIENCE + PROMPT_PER_BYTE.saturating_mul(bytes);
        }
        until
    }

    fn prompt_finished(&mut self, play: PlayId, end: PlayEnd, at: Instant, now: Now) {
        let Some(place) = self.playing.iter().position(|waiting| *waiting == play) else { return };
        self.playing.remove(place);
        let cut = matches!(end, PlayEnd::BargedIn | PlayEnd::Keyed);
        if cut && !self.playing.is_empty() {
            self.playing.clear();
            self.outputs.push_back(Output::Media(MediaCommand::Flush));
        }
        if let State::Asking { turn, .. } = &mut self.state
            && cut
        {
            turn.prompt_cut(at);
        }
        if self.playing.is_empty() {
            self.prompts_over(at, now);
        }
    }

    fn prompts_over(&mut self, at: Instant, now: Now) {
        match &mut self.state {
            State::Saying { .. } => self.follow(&Event::Said, now),
            State::Asking { turn, .. } => {
                turn.prompts_over(at);
                self.feed_typed_ahead(now);
            }
            State::Parting { .. } => self.hang_up(CallEnd::Completed, now),
            State::Answering { .. } | State::Leaving { .. } | State::Over => {}
        }
    }

    /// Who may stop what is playing now; `None` when nothing is.
    fn armed(&self) -> Option<BargeIn> {
        self.playing.front().map(|play| self.barge_in_of(*play))
    }

    fn barge_in_of(&self, play: PlayId) -> BargeIn {
        let place = usize::try_from(play.0).unwrap_or(usize::MAX);
        self.plays.get(place).copied().unwrap_or_default()
    }

    /// The caller stops the prompt. Media does so by itself; this also drops those queued behind it. Their reports
    /// still come and are written down, but nothing waits for them any more.
    fn flush(&mut self) {
        if let Some(play) = self.playing.front() {
            self.scribe.prompt_interrupted(*play);
            self.playing.clear();
            self.outputs.push_back(Output::Media(MediaCommand::Flush));
        }
    }

    // Media

    fn media(&mut self, event: MediaEvent, now: Now) {
        match event {
            MediaEvent::Digit { digit, at } => self.digit(digit, at, now),
            MediaEvent::SpeechStarted { utterance, at } => self.speech_started(utterance, at, now),
            MediaEvent::Offered(offer) => self.offered(&offer, now),
            MediaEvent::Resumed { utterance } => {
                if let State::Asking { turn, .. } = &mut self.state {
                    turn.resumed(utterance, now.mono);
                }
            }
            MediaEvent::SpeechEnded { utterance } => {
                if let State::Asking { turn, .. } = &mut self.state {
                    turn.speech_ended(utterance, now.mono);
                }
            }
            MediaEvent::PromptStarted { play, at } => {
                let shown = self.scribe.prompt_started(play, at);
                self.outputs.extend(shown.into_iter().map(Output::Timeline));
                if let State::Asking { turn, .. } = &mut self.state
                    && self.playing.contains(&play)
                {
                    turn.prompt_started(at);
                }
            }
            MediaEvent::PromptFinished { play, played_ms, total_ms, end, at } => {
                self.scribe.prompt_finished(play, played_ms, total_ms, end);
                self.prompt_finished(play, end, at, now);
            }
            MediaEvent::RtpTimeout { .. } => {
                // Before the ACK a far end may rightly be silent; the leg's own timer ends that.
                if matches!(self.state, State::Saying { .. } | State::Asking { .. } | State::Parting { .. }) {
                    self.intended_end = Some(CallEnd::NoMedia);
                    self.hang_up(CallEnd::NoMedia, now);
                }
            }
            MediaEvent::Closed(summary) => {
                self.media_closed.get_or_insert(summary);
                if !self.close_sent {
                    self.close_sent = true;
                    self.hang_up(CallEnd::Failed("media closed in the middle of the call".into()), now);
                }
            }
        }
    }

    fn digit(&mut self, digit: Digit, at: Instant, now: Now) {
        let armed = self.armed();
        match &mut self.state {
            State::Asking { turn, .. } if armed != Some(BargeIn::Off) && self.typed_ahead.reveal().is_empty() => {
                turn.key(digit, at);
            }
            State::Answering { .. } | State::Saying { .. } | State::Asking { .. } => {
                self.type_ahead(digit);
                if matches!(armed, Some(BargeIn::Keys | BargeIn::Speech)) {
                    self.flush();
                    self.prompts_over(at, now);
                }
            }
            State::Parting { .. } | State::Leaving { .. } | State::Over => {}
        }
    }

    fn type_ahead(&mut self, digit: Digit) {
        let mut keys = std::mem::take(&mut self.typed_ahead).into_inner();
        if keys.len() < TYPED_AHEAD {
            keys.push(digit);
        }
        self.typed_ahead = Pii::new(keys);
    }

    /// Gives the open question the keys typed before it, until it is answered; the rest stays for the next one.
    fn feed_typed_ahead(&mut self, now: Now) {
        let State::Asking { turn, .. } = &mut self.state else { return };
        let keys = std::mem::take(&mut self.typed_ahead).into_inner();
        let mut left = keys.into_iter();
        while !turn.is_done() {
            let Some(digit) = left.next() else { break };
            turn.key(digit, now.mono);
        }
        self.typed_ahead = Pii::new(left.collect());
    }

    fn speech_started(&mut self, utterance: UtteranceId, at: Instant, now: Now) {
        if self.committed == Some(utterance) {
            return;
        }
        let armed = self.armed();
        match &mut self.state {
            State::Asking { turn, .. } if matches!(armed, None | Some(BargeIn::Speech)) => {
                turn.speech_started(utterance, at, now.mono);
            }
            State::Asking { turn, .. } => turn.sound(at),
            State::Saying { .. } if armed == Some(BargeIn::Speech) => {
                self.spoken_ahead = Some((utterance, at));
                self.flush();
                self.prompts_over(at, now);
            }
            _ => {}
        }
    }

    fn offered(&mut self, offer: &Offer, now: Now) {
        if self.committed == Some(offer.utterance) {
            return;
        }
        let began_under = offer.during.map(|play| self.barge_in_of(play));
        let unarmed = |barge_in| matches!(barge_in, Some(BargeIn::Off | BargeIn::Keys));
        let counts = !unarmed(began_under) && !unarmed(self.armed());
        match &mut self.state {
            State::Asking { turn, .. } if counts => turn.offered(offer, now.mono),
            State::Asking { turn, .. } => {
                turn.sound(offer.ended_at);
                self.commit(offer.utterance);
            }
            _ => self.commit(offer.utterance),
        }
    }

    fn commit(&mut self, utterance: UtteranceId) {
        self.committed = Some(utterance);
        self.outputs.push_back(Output::Media(MediaCommand::Commit { utterance }));
    }

    fn forget_spoken_ahead(&mut self) {
        if let Some((utterance, _)) = self.spoken_ahead.take() {
            self.commit(utterance);
        }
    }

    // The turn

    fn pump_turn(&mut self, now: Now) {
        while let State::Asking { turn, .. } = &mut self.state {
            let Some(output) = turn.poll_output() else { return };
            if let Some(end) = self.turn_output(output) {
                self.turn_over(&end, now);
            }
        }
    }

    fn run_turn_outputs(&mut self, turn: &mut Turn) {
        while let Some(output) = turn.poll_output() {
            self.turn_output(output);
        }
    }

    fn turn_output(&mut self, output: TurnOutput) -> Option<Box<TurnEnd>> {
        match output {
            TurnOutput::Flush => self.flush(),
            TurnOutput::Recognize { utterance, revision, audio } => {
                let language = self.interpreter.language().clone();
                self.outputs.push_back(Output::Recognize { utterance, revision, language, audio });
            }
            TurnOutput::Cancel { utterance, revision } => {
                self.outputs.push_back(Output::CancelRecognize { utterance, revision });
            }
            TurnOutput::Commit { utterance } => self.commit(utterance),
            TurnOutput::Done(end) => return Some(end),
        }
        None
    }

    fn step(&self, place: StepIx) -> &Step {
        self.plan.steps.get(place.0).expect("a compiled plan's targets are steps of it")
    }
}
