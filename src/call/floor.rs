//! Who has the floor: prompts and who may stop them, keys and speech as they come, the turn they belong to.
//!
//! The other half of [`Call`]; `machine` holds its life from ring to record.

use std::time::{Duration, Instant};

use crate::call::Output;
use crate::call::leg::Way;
use crate::call::machine::{Call, State};
use crate::call::record::{CallEnd, TurnOutcome};
use crate::call::turn::{Turn, TurnEnd, TurnOutput, TurnSetup};
use crate::dialplan::interpreter::{Asking, Line};
use crate::dialplan::plan::StepIx;
use crate::dialplan::step::Event;
use crate::id::{PlayId, UtteranceId};
use crate::media::{BargeIn, MediaCommand, MediaEvent, Offer, PlayEnd};
use crate::pii::Pii;
use crate::rtp::Digit;
use crate::speech::{RecognizeError, Utter};
use crate::spoken::markup;
use crate::time::Now;

/// A prompt begins within this after it was asked for or the one before it is over, and its end is reported within
/// this after it is due; only a lost report takes longer.
const PROMPT_PATIENCE: Duration = Duration::from_secs(30);
/// Keys kept that were typed before their question; more are dropped.
const TYPED_AHEAD: usize = 32;

impl Call {
    // Turns

    pub(super) fn open_turn(&mut self, asking: Asking, aloud: bool, now: Now) {
        let barge_in = without_ears(asking.barge_in, self.hears);
        // A question that must be heard whole is, whatever was typed: the keys wait for its end.
        let aloud = aloud || barge_in == BargeIn::Off;
        let setup = TurnSetup {
            plan: self.plan.clone(),
            step: asking.step,
            quest: asking.quest,
            hearing: asking.hearing.clone(),
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
        if let Some(at) = end.ended_at.filter(|_| end.keys.is_some() && self.is_secret(&asking)) {
            self.secret_typed(at);
        }
        if end.answer.is_none() {
            // What was typed for a question that went differently is not an answer to the next one.
            self.typed_ahead = Pii::new(Vec::new());
        }
        if answered_ahead_in_vain {
            self.open_turn(asking, true, now);
            return;
        }
        let plan = self.plan.clone();
        let quest = plan.step(asking.step).quest(asking.quest);
        let open = quest.is_none_or(|quest| !quest.ear.sensitive());
        self.interpreter.note_said(end.keys.clone().or_else(|| end.heard.clone()).filter(|_| open));
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
        let asked = (asking.quest, asking.attempt, &asking.hearing.language);
        let shown = self.scribe.turn(step, asked, end, next_play, now.mono);
        self.outputs.extend(shown.map(Output::Timeline));
    }

    /// The call ends while a question is open: the record says so.
    pub(super) fn close_turn(&mut self, now: Now) {
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

    /// Asks media to play `lines`. Returns when they are over even if nobody says so; that moves on with every prompt
    /// that begins.
    pub(super) fn play(
        &mut self,
        step: StepIx,
        lines: &[Line],
        barge_in: BargeIn,
        protected: bool,
        now: Now,
    ) -> Instant {
        let barge_in = without_ears(barge_in, self.hears);
        let plan = self.plan.clone();
        let name = &plan.steps.get(step.0).expect("prompts belong to a step of the plan").name;
        let asked = self.playing.len();
        for line in lines.iter().filter(|line| !line.text.trim().is_empty() || line.file.is_some()) {
            let play = PlayId(self.plays.len() as u64);
            self.plays.push(barge_in);
            self.playing.push_back(play);
            self.scribe.prompt_asked(name, &markup::plain(&line.text), protected);
            let language = self.interpreter.language().clone();
            let utter = Utter { text: line.text.clone(), language, file: line.file.clone() };
            self.outputs.push_back(Output::Play { play, utter, barge_in });
        }
        if self.playing.len() > asked { now.mono + PROMPT_PATIENCE } else { now.mono }
    }

    /// A prompt has begun that lasts `total`: how long its text is says nothing about that.
    fn prompt_started(&mut self, play: PlayId, total: Duration, at: Instant) {
        if !self.playing.contains(&play) {
            return;
        }
        if let State::Asking { turn, .. } = &mut self.state {
            turn.prompt_started(at);
        }
        if let State::Saying { until } | State::Asking { until, .. } | State::Parting { until } = &mut self.state {
            *until = at + total + PROMPT_PATIENCE;
        }
    }

    /// No report came of a prompt within its patience: as if it had, and in case it still plays, it is stopped.
    pub(super) fn prompt_overdue(&mut self, now: Now) {
        if !self.playing.is_empty() {
            self.playing.clear();
            self.outputs.push_back(Output::Media(MediaCommand::Flush));
        }
        self.prompts_over(now.mono, now);
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

    pub(super) fn prompts_over(&mut self, at: Instant, now: Now) {
        match &mut self.state {
            State::Saying { .. } => {
                self.interpreter.note_whole(self.scribe.said_whole(self.saying_from));
                self.follow(&Event::Said, now);
            }
            State::Asking { turn, .. } => {
                turn.prompts_over(at);
                self.feed_typed_ahead(now);
            }
            State::Parting { .. } => self.parted(now),
            // A filler: what is waited for is still to come.
            State::Waiting(_)
            | State::Answering { .. }
            | State::Dialling { .. }
            | State::Handing(_)
            | State::Standing { .. }
            | State::Leaving { .. }
            | State::Over => {}
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

    pub(super) fn media(&mut self, event: MediaEvent, now: Now) {
        match event {
            MediaEvent::Digit { digit, at } => self.key(digit, Way::Media, at, now),
            // On hold it is music, as a rule, and never an answer.
            MediaEvent::SpeechStarted { .. } if self.held_since.is_some() => {}
            MediaEvent::Offered(offer) if self.held_since.is_some() => self.commit(offer.utterance),
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
            MediaEvent::PromptStarted { play, total_ms, at } => {
                let shown = self.scribe.prompt_started(play, at);
                self.outputs.extend(shown.into_iter().map(Output::Timeline));
                self.prompt_started(play, Duration::from_millis(total_ms), at);
            }
            MediaEvent::PromptFinished { play, played_ms, total_ms, end, at } => {
                self.scribe.prompt_finished(play, played_ms, total_ms, end);
                self.prompt_finished(play, end, at, now);
            }
            // Nothing in a plan waits for keys that we press.
            MediaEvent::KeysSent => {}
            MediaEvent::Recorded(recording) => self.message_taken(recording, now),
            MediaEvent::RtpTimeout { .. } => {
                // Before the ACK and on hold a far end may rightly be silent; the leg's own timer ends that. After it, media
                // says so again.
                let talking = matches!(
                    self.state,
                    State::Saying { .. }
                        | State::Waiting(_)
                        | State::Asking { .. }
                        | State::Handing(_)
                        | State::Parting { .. }
                        | State::Standing { .. }
                );
                if talking && self.held_since.is_none() {
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

    pub(super) fn digit(&mut self, digit: Digit, at: Instant, now: Now) {
        if !matches!(&self.state, State::Asking { asking, .. } if self.is_secret(asking)) && self.runs_on(at) {
            return;
        }
        if self.message_keyed(at) {
            return;
        }
        let armed = self.armed();
        match &mut self.state {
            State::Asking { turn, .. } if armed != Some(BargeIn::Off) && self.typed_ahead.reveal().is_empty() => {
                turn.key(digit, at);
            }
            State::Answering { .. } | State::Saying { .. } | State::Waiting(_) | State::Asking { .. } => {
                self.type_ahead(digit, at);
                if matches!(armed, Some(BargeIn::Keys | BargeIn::Speech)) {
                    self.flush();
                    self.prompts_over(at, now);
                }
            }
            // Keys of who waits mean nothing; those of who talks to a person are theirs.
            State::Dialling { .. }
            | State::Handing(_)
            | State::Parting { .. }
            | State::Standing { .. }
            | State::Leaving { .. }
            | State::Over => {}
        }
    }

    fn type_ahead(&mut self, digit: Digit, at: Instant) {
        if self.typed_ahead.reveal().is_empty() {
            self.discretion.typed_since = Some(at);
        }
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
        if self.message_heard(None) {
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
        if self.message_heard(Some(offer.ended_at)) {
            self.commit(offer.utterance);
            return;
        }
        let began_under = offer.during.map(|play| self.barge_in_of(play));
        let unarmed = |barge_in| matches!(barge_in, Some(BargeIn::Off | BargeIn::Keys));
        // What was given up before it was offered, when media could not yet take our word for it, stays given up.
        let given_up = self.committed == Some(offer.utterance);
        let counts = !given_up && !unarmed(began_under) && !unarmed(self.armed());
        match &mut self.state {
            State::Asking { turn, .. } if counts => turn.offered(offer, now.mono),
            State::Asking { turn, .. } => {
                turn.disregarded(offer, now.mono);
                self.commit(offer.utterance);
            }
            _ => self.commit(offer.utterance),
        }
    }

    fn commit(&mut self, utterance: UtteranceId) {
        self.committed = Some(utterance);
        self.outputs.push_back(Output::Media(MediaCommand::Commit { utterance }));
    }

    pub(super) fn forget_spoken_ahead(&mut self) {
        if let Some((utterance, _)) = self.spoken_ahead.take() {
            self.commit(utterance);
        }
    }

    // The turn

    pub(super) fn pump_turn(&mut self, now: Now) {
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
}

/// Barge-in that a caller who is not heard can still use.
const fn without_ears(barge_in: BargeIn, hears: bool) -> BargeIn {
    match (barge_in, hears) {
        (BargeIn::Speech, false) => BargeIn::Keys,
        (barge_in, _) => barge_in,
    }
}
