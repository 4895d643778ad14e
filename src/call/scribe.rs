//! Writes the record while the call goes on: prompts, turns, latencies. Keeps secrets out of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::agents::handoff::Said;
use crate::call::disposition::Disposition;
use crate::call::record::{CallEnd, CallRecord, Latency, PromptRecord, TurnOutcome, TurnRecord};
use crate::call::turn::TurnEnd;
use crate::call::{CallSetup, HIDDEN, TimelineEvent};
use crate::dialplan::interpreter::{Forestalled, Interpreter};
use crate::dialplan::outcome::{Outcome, OutcomeKind};
use crate::dialplan::plan::{Plan, Step};
use crate::id::PlayId;
use crate::language::Language;
use crate::media::{MediaSummary, PlayEnd};
use crate::pii::Pii;
use crate::sip::Reason;
use crate::sip::ladder::Ladder;

/// Turns and prompts kept each; a call that goes on longer keeps its beginning, so memory has a bound.
const KEPT: usize = 2_000;

/// Lines of a transcript that is handed on; nobody reads more.
const TOLD: usize = 100;

/// The record in the making.
#[derive(Debug)]
pub(super) struct Scribe {
    setup: CallSetup,
    answered: Option<(Instant, Timestamp)>,
    prompts: Vec<PromptRecord>,
    turns: Vec<TurnRecord>,
    reply: Option<Reply>,
    /// Of the recognition whose turn has not been committed yet.
    understanding: Duration,
    pub(super) result: Option<String>,
    pub(super) ladder: Ladder,
    pub(super) reason: Option<Reason>,
    /// Messages that the caller has left.
    messages: Vec<Outcome>,
}

/// A turn whose reply has not begun.
#[derive(Debug)]
struct Reply {
    turn: Option<usize>,
    /// The first prompt that belongs to it.
    first: PlayId,
    ended_at: Instant,
    committed_at: Instant,
    queued: Duration,
    ran: Duration,
    understanding: Duration,
}

impl Scribe {
    pub(super) const fn new(setup: CallSetup) -> Self {
        Self {
            setup,
            answered: None,
            prompts: Vec::new(),
            turns: Vec::new(),
            reply: None,
            understanding: Duration::ZERO,
            result: None,
            ladder: Ladder { rungs: Vec::new(), left_out: 0 },
            reason: None,
            messages: Vec::new(),
        }
    }

    /// The caller has left a message.
    pub(super) fn message(&mut self, message: Outcome) {
        self.messages.push(message);
    }

    /// They want it gone: the latest that this step took. Where its sound is.
    pub(super) fn forget_message(&mut self, step: &str) -> Option<PathBuf> {
        let place = self.messages.iter().rposition(|message| message.step == step)?;
        match self.messages.remove(place).kind {
            OutcomeKind::Message { file, .. } => Some(file),
            _ => None,
        }
    }

    pub(super) const fn setup(&self) -> &CallSetup {
        &self.setup
    }

    pub(super) const fn answered(&mut self, mono: Instant, wall: Timestamp) {
        self.answered = Some((mono, wall));
    }

    pub(super) const fn is_answered(&self) -> bool {
        self.answered.is_some()
    }

    /// A prompt has been asked for. Prompts are numbered from 0 by their [`PlayId`].
    pub(super) fn prompt_asked(&mut self, step: &str, text: &str, protected: bool) {
        if self.prompts.len() < KEPT {
            self.prompts.push(PromptRecord {
                step: step.to_owned(),
                text: text.to_owned(),
                at_ms: None,
                played_ms: 0,
                total_ms: 0,
                protected,
                interrupted: false,
            });
        }
    }

    /// Its first packet has left. Says what to show, and the latency when it begins a reply.
    pub(super) fn prompt_started(&mut self, play: PlayId, at: Instant) -> Vec<TimelineEvent> {
        let mut shown = Vec::new();
        let at_ms = self.since_answer_ms(at);
        if let Some(prompt) = self.prompts.get_mut(place_of(play)) {
            prompt.at_ms = Some(at_ms);
            shown.push(TimelineEvent::BotSaid { step: prompt.step.clone(), text: prompt.text.clone() });
        }
        if let Some(reply) = self.reply.take_if(|reply| play >= reply.first) {
            let latency = reply.latency(at);
            if let Some(turn) = reply.turn.and_then(|place| self.turns.get_mut(place)) {
                turn.latency = Some(latency);
            }
            shown.push(TimelineEvent::Replied { latency });
        }
        shown
    }

    /// The caller's last turn is answered by people, or by waiting for them: what is said later is no reply to it.
    pub(super) fn no_reply(&mut self) {
        self.reply = None;
    }

    pub(super) fn prompt_finished(&mut self, play: PlayId, played_ms: u64, total_ms: u64, end: PlayEnd) {
        if let Some(prompt) = self.prompts.get_mut(place_of(play)) {
            prompt.played_ms = played_ms;
            prompt.total_ms = total_ms;
            prompt.interrupted = match end {
                PlayEnd::BargedIn | PlayEnd::Keyed => true,
                // Stopped by our own word: the caller cut it short only if it had begun and was not done.
                PlayEnd::Flushed | PlayEnd::Completed => prompt.interrupted,
            };
        }
    }

    /// The caller, not we, is why this prompt will be stopped.
    pub(super) fn prompt_interrupted(&mut self, play: PlayId) {
        if let Some(prompt) = self.prompts.get_mut(place_of(play)).filter(|prompt| prompt.at_ms.is_some()) {
            prompt.interrupted = true;
        }
    }

    /// Has every prompt from this one on been heard whole?
    pub(super) fn said_whole(&self, from: usize) -> bool {
        let whole = |prompt: &PromptRecord| {
            prompt.at_ms.is_some() && !prompt.interrupted && prompt.total_ms > 0 && prompt.played_ms >= prompt.total_ms
        };
        self.prompts.get(from..).is_some_and(|said| !said.is_empty() && said.iter().all(whole))
    }

    /// How much of each message for a machine has left us: what a prompt cut short has played is told after the plan
    /// has gone on.
    fn count_voicemail(&self, outcomes: &mut [Outcome]) {
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        for Outcome { step, kind } in outcomes {
            let OutcomeKind::Voicemail { left, played_ms } = kind else { continue };
            let nth = counted.entry(step.clone()).or_default();
            let mut prompts = self.prompts.iter().filter(|prompt| prompt.step == *step);
            if let Some(prompt) = prompts.nth(*nth) {
                *played_ms = prompt.played_ms;
                *left &= prompt.played_ms >= prompt.total_ms;
            }
            *nth += 1;
        }
    }

    /// A turn is over at `now`; its reply will be `next_play` or later. Says what to show.
    pub(super) fn turn(
        &mut self,
        step: &Step,
        (quest, attempt, language): (usize, u32, &Language),
        end: &TurnEnd,
        next_play: PlayId,
        now: Instant,
    ) -> Option<TimelineEvent> {
        let sensitive = step.quest(quest).is_some_and(|quest| quest.ear.sensitive());
        let kept = |words: &Option<Pii<String>>| words.clone().filter(|_| !sensitive);
        let shown = |words: &Pii<String>| if sensitive { Pii::new(HIDDEN.to_owned()) } else { words.clone() };
        let record = TurnRecord {
            step: step.name.clone(),
            quest: u32::try_from(quest).unwrap_or(u32::MAX),
            language: Some(language.clone()),
            attempt,
            at_ms: self.since_answer_ms(end.at),
            outcome: end.outcome,
            meaning: end.meaning.clone(),
            heard: kept(&end.heard),
            keys: kept(&end.keys),
            confidence: end.confidence,
            barge_in_ms: end.barge_in.map(|into| u64::try_from(into.as_millis()).unwrap_or(u64::MAX)),
            latency: None,
        };
        let turn = (self.turns.len() < KEPT).then_some(self.turns.len());
        if turn.is_some() {
            self.turns.push(record);
        }
        let understanding = std::mem::take(&mut self.understanding);
        self.reply = end.ended_at.filter(|_| end.outcome != TurnOutcome::HungUp).map(|ended_at| Reply {
            turn,
            first: next_play,
            ended_at,
            committed_at: now,
            queued: end.queued,
            ran: end.ran,
            understanding,
        });
        let understood = end.meaning.clone().filter(|_| end.answer.is_some());
        match (&end.heard, &end.keys, end.outcome) {
            (_, Some(keys), _) => Some(TimelineEvent::Keys { keys: shown(keys), meaning: understood }),
            (Some(heard), None, _) => Some(TimelineEvent::CallerSaid {
                heard: shown(heard),
                confidence: end.confidence.unwrap_or_default(),
                meaning: understood,
                barge_in: end.barge_in.is_some(),
            }),
            (None, None, TurnOutcome::NoInput) => Some(TimelineEvent::NoInput),
            (None, None, _) => None,
        }
    }

    /// A question was not asked, because the caller had answered it before: the words stand where they were said.
    pub(super) fn forestalled(&mut self, step: &Step, forestalled: &Forestalled, language: Language, now: Instant) {
        let Forestalled { quest, meaning, confidence, .. } = forestalled;
        if self.turns.len() < KEPT {
            self.turns.push(TurnRecord {
                step: step.name.clone(),
                quest: u32::try_from(*quest).unwrap_or(u32::MAX),
                language: Some(language),
                attempt: 0,
                at_ms: self.since_answer_ms(now),
                outcome: TurnOutcome::Speech,
                meaning: Some(meaning.clone()),
                heard: None,
                keys: None,
                confidence: Some(*confidence),
                barge_in_ms: None,
                latency: None,
            });
        }
    }

    /// The last menu option that was chosen.
    pub(super) fn last_choice(&self, plan: &Plan) -> Option<String> {
        let of_menu = |turn: &&TurnRecord| plan.steps.iter().any(|step| step.name == turn.step && step.word == "menu");
        let understood = |turn: &&TurnRecord| matches!(turn.outcome, TurnOutcome::Speech | TurnOutcome::Keys);
        let meaning =
            self.turns.iter().rev().filter(understood).filter(of_menu).filter_map(|turn| turn.meaning.clone());
        meaning.into_iter().find(|meaning| !meaning.starts_with('$'))
    }

    /// What was said so far, the latest of it: for who takes the caller over.
    pub(super) fn transcript(&self) -> Vec<Said> {
        let said = |at_ms: u64, by_caller, text: Pii<String>| (at_ms, Said { by_caller, text });
        let ours = self.prompts.iter().filter_map(|prompt| {
            let text = Pii::new(prompt.text.clone());
            Some(said(prompt.at_ms?, false, text))
        });
        let theirs = self.turns.iter().filter_map(|turn| {
            let text = turn.heard.clone().or_else(|| turn.keys.clone())?;
            Some(said(turn.at_ms, true, text))
        });
        let mut all: Vec<_> = ours.chain(theirs).collect();
        all.sort_by_key(|(at_ms, _)| *at_ms);
        let told = all.len().saturating_sub(TOLD);
        all.into_iter().skip(told).map(|(_, said)| said).collect()
    }

    /// Matching the words just recognised took this long.
    pub(super) const fn understood_in(&mut self, took: Duration) {
        match &mut self.reply {
            Some(reply) => reply.understanding = took,
            None => self.understanding = took,
        }
    }

    /// The whole record; the scribe is done.
    pub(super) fn finish(
        &mut self,
        plan: (&str, &str),
        interpreter: &Interpreter,
        (end, disposition): (CallEnd, Option<Disposition>),
        media: MediaSummary,
        now: Timestamp,
    ) -> CallRecord {
        let mut outcomes = interpreter.outcomes().to_vec();
        self.count_voicemail(&mut outcomes);
        outcomes.append(&mut self.messages);
        CallRecord {
            id: self.setup.id.clone(),
            direction: self.setup.direction,
            peer: self.setup.peer.clone(),
            sip_call_id: self.setup.sip_call_id.clone(),
            caller: self.setup.caller.clone(),
            called: self.setup.called.clone(),
            plan: plan.0.to_owned(),
            plan_version: plan.1.to_owned(),
            arrived_at: self.setup.arrived_at,
            // A CANCEL may overtake our answer: then nobody was answered.
            answered_at: self.answered.filter(|_| end != CallEnd::Cancelled).map(|(_, wall)| wall),
            ended_at: now,
            end,
            disposition,
            result: self.result.take(),
            path: interpreter.path().to_vec(),
            language: Some(interpreter.language().clone()),
            outcomes,
            turns: std::mem::take(&mut self.turns),
            prompts: std::mem::take(&mut self.prompts),
            media,
            ladder: std::mem::take(&mut self.ladder),
            reason: self.reason.take(),
            made_for: self.setup.made_for.clone(),
        }
    }

    fn since_answer_ms(&self, at: Instant) -> u64 {
        let answered = self.answered.map_or(at, |(mono, _)| mono);
        u64::try_from(at.saturating_duration_since(answered).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Reply {
    fn latency(&self, first_packet: Instant) -> Latency {
        let pause = self.committed_at.saturating_duration_since(self.ended_at);
        let work = self.queued + self.ran + self.understanding;
        Latency {
            endpointing_ms: ms(pause.saturating_sub(work)),
            queue_ms: ms(self.queued),
            recognition_ms: ms(self.ran),
            understanding_ms: ms(self.understanding),
            first_packet_ms: ms(first_packet.saturating_duration_since(self.committed_at)),
            total_ms: ms(first_packet.saturating_duration_since(self.ended_at)),
        }
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn place_of(play: PlayId) -> usize {
    usize::try_from(play.0).unwrap_or(usize::MAX)
}
