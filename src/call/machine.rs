//! The life of one call, as a pure core: leg, turn and plan meet here and nowhere else.
//!
//! ```text
//!   Answering ─ACK─┬▶ Saying ⇄ Asking ⇄ Handing ─▶ Parting ─last word said─▶ Leaving ─leg ended, media closed─▶ Over
//!   Dialling ──200─┘      │       │                                   ▲
//!        └────────────────┴───────┴─── a hang-up, a refusal, media dies, drain
//! ```
//!
//! Whatever happens, in whatever order, the record leaves exactly once and last: after the leg has ended *and* media
//! has closed, or after their patience ran out. There is no state without a deadline.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agents::briefing;
use crate::call::discretion::Discretion;
use crate::call::errand::Waiting;
use crate::call::handing::Handing;
use crate::call::leg::Twins;
use crate::call::message::Take;
use crate::call::record::{CallEnd, Direction, OptOut};
use crate::call::scribe::Scribe;
use crate::call::transfer::Transfer;
use crate::call::turn::Turn;
use crate::call::{CallSetup, Input, Output, Question, Reason, TimelineEvent};
use crate::dialplan::interpreter::{Act, Asking, Interpreter, Line, Way};
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::{Plan, Step, StepIx};
use crate::dialplan::scope::Scope;
use crate::dialplan::step::{Event, REGION, Told, verify};
use crate::id::{PlayId, UtteranceId};
use crate::media::{BargeIn, Listen, MediaCommand, MediaSummary};
use crate::pii::Pii;
use crate::routing::region_of;
use crate::rtp::Digit;
use crate::sip::{LegCommand, LegEnd};
use crate::spoken::{home_region, yes_no};
use crate::time::Now;
use crate::understand::{Hypothesis, NBest};
use crate::value::Value;

/// A leg reports its end within this: 64·T1 for a lost ACK or BYE (RFC 3261 §17) and a little.
pub(super) const LEG_PATIENCE: Duration = Duration::from_secs(40);
/// Media closes within this: the recording's last block, on a disk that is slow or busy with everybody else's.
pub(super) const MEDIA_PATIENCE: Duration = Duration::from_secs(30);

/// One call. See the module's drawing; every input and every timeout is followed by [`Call::poll_output`] until
/// it is empty.
#[derive(Debug)]
pub struct Call {
    pub(super) plan: Arc<Plan>,
    pub(super) interpreter: Interpreter,
    pub(super) scribe: Scribe,
    pub(super) state: State,
    pub(super) outputs: VecDeque<Output>,
    /// Who may stop each prompt, by its [`PlayId`].
    pub(super) plays: Vec<BargeIn>,
    /// Prompts asked for and not finished, of the act in hand.
    pub(super) playing: VecDeque<PlayId>,
    pub(super) typed_ahead: Pii<Vec<Digit>>,
    pub(super) discretion: Discretion,
    pub(super) twins: Twins,
    /// Speech that has just interrupted a prompt without a question; a question that follows at once may be
    /// answered by it. Never outlives the input that brought it.
    pub(super) spoken_ahead: Option<(UtteranceId, Instant)>,
    /// Taken or given up: whatever media still reports of it is late.
    pub(super) committed: Option<UtteranceId>,
    pub(super) hears: bool,
    pub(super) listen: Option<Listen>,
    /// The far end has told us that it rings.
    pub(super) rang: bool,
    /// The far end does not hear us since then.
    pub(super) held_since: Option<Instant>,
    /// We take them back from a hold of ours: last words wait for that.
    pub(super) taking_back: bool,
    /// Errands begun.
    pub(super) errands: u64,
    /// They are being sent on, and somebody else is asked first.
    pub(super) transfer: Option<Transfer>,
    pub(super) ends_at: Instant,
    pub(super) intended_end: Option<CallEnd>,
    pub(super) leg_ended: Option<LegEnd>,
    /// Why nobody was reached.
    pub(super) unreached: Option<String>,
    pub(super) media_closed: Option<MediaSummary>,
    pub(super) close_sent: bool,
    /// Outcomes of the plan that have been looked at for what cannot wait.
    outcomes_seen: usize,
    /// A message that the caller leaves, or has left and media still writes.
    pub(super) take: Option<Take>,
    /// Messages begun.
    pub(super) messages: u32,
    /// The first prompt of what is being said, or was last.
    pub(super) saying_from: usize,
}

#[derive(Debug)]
pub(super) enum State {
    /// 200 sent, no ACK yet.
    Answering { until: Instant },
    /// INVITE sent, no final answer yet.
    Dialling { until: Instant },
    /// A `say` plays.
    Saying { until: Instant },
    /// Something is done elsewhere, and the caller waits.
    Waiting(Waiting),
    /// A question is open.
    Asking { turn: Box<Turn>, asking: Asking, until: Instant },
    /// The caller is handed to a person: waits for one, or talks to one.
    Handing(Box<Handing>),
    /// The last prompt plays; then we hang up.
    Parting { until: Instant },
    /// All is said; the call waits to be taken over.
    Standing { until: Instant },
    /// Leg and media are coming to their ends.
    Leaving { until: Instant },
    /// The record has left.
    Over,
}

impl Call {
    /// A call that has come in and is answered at once.
    pub fn inbound(setup: CallSetup, now: Now) -> Self {
        let mut call = Self::new(setup, State::Answering { until: now.mono + LEG_PATIENCE }, now);
        call.outputs.push_back(Output::Leg(LegCommand::Ring));
        call.outputs.push_back(Output::Timeline(TimelineEvent::Ringing));
        let sdp = call.scribe.setup().sdp.clone();
        call.outputs.push_back(Output::Leg(LegCommand::Answer { sdp }));
        call.scribe.answered(now.mono, now.wall);
        call
    }

    /// A call that we make: its leg is dialling, and gives up by itself after `ring`.
    pub fn outbound(setup: CallSetup, ring: Duration, now: Now) -> Self {
        Self::new(setup, State::Dialling { until: now.mono + ring + LEG_PATIENCE }, now)
    }

    fn new(setup: CallSetup, state: State, now: Now) -> Self {
        Self {
            plan: setup.plan.clone(),
            interpreter: interpreter_of(&setup),
            state,
            outputs: VecDeque::new(),
            plays: Vec::new(),
            playing: VecDeque::new(),
            typed_ahead: Pii::new(Vec::new()),
            discretion: Discretion::default(),
            twins: Twins::default(),
            spoken_ahead: None,
            committed: None,
            hears: true,
            listen: None,
            rang: false,
            held_since: None,
            taking_back: false,
            errands: 0,
            transfer: None,
            ends_at: now.mono + setup.longest,
            intended_end: None,
            leg_ended: None,
            unreached: None,
            media_closed: None,
            close_sent: false,
            outcomes_seen: 0,
            take: None,
            messages: 0,
            saying_from: 0,
            scribe: Scribe::new(setup),
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Now) {
        if matches!(self.state, State::Over) {
            return;
        }
        match input {
            Input::Leg(event) => self.leg(event, now),
            Input::Held(held) => self.held(held, now),
            Input::Incompatible(why) => self.hang_up(CallEnd::Failed(why), now),
            Input::Order(order) => self.order(order, now),
            Input::Consulted(news) => self.consulted(news, now),
            Input::Media(event) => self.media(event, now),
            Input::Heard { utterance, revision, result } => {
                if let State::Asking { turn, .. } = &mut self.state {
                    turn.heard(utterance, revision, result, now.mono);
                }
            }
            Input::ErrandDone { id, done } => self.errand_done(id, *done, now),
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
            // On hold nothing is waited for but the end.
            State::Saying { .. } | State::Asking { .. } if self.held_since.is_some() => {
                [longest, self.transfer_due().map(|at| (at, Reason::Transfer)), None]
            }
            State::Dialling { until } => [Some((*until, Reason::Ring)), None, longest],
            State::Answering { until } => [Some((*until, Reason::Acknowledge)), None, longest],
            State::Saying { until } => [Some((*until, Reason::Prompt)), None, longest],
            State::Waiting(waiting) => {
                let due = self.message_due().map_or(waiting.due(), |message| message.min(waiting.due()));
                [Some((due, Reason::Errand)), None, longest]
            }
            State::Standing { until } => [Some((*until, Reason::StandBy)), None, longest],
            State::Handing(handing) => {
                let due = |at: Option<Instant>| at.map(|at| (at, Reason::Transfer));
                [longest, due(handing.due()), due(self.transfer_due())]
            }
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
            (Reason::Prompt, _) => self.prompt_overdue(now),
            (Reason::Errand, _) => self.errand_due(now),
            (Reason::Acknowledge, _) => self.hang_up(CallEnd::NoAck, now),
            (Reason::Ring, _) => self.hang_up(CallEnd::NoAnswer, now),
            (Reason::Transfer, _) => self.transfer_overdue(now),
            (Reason::StandBy, _) => self.hang_up(CallEnd::Completed, now),
            (Reason::LegEnd, _) => self.leg_ended(LegEnd::Failed, now),
            (Reason::MediaEnd, _) => {
                let unreported = || MediaSummary::unreported("the recorder did not finish in time");
                self.media_closed.get_or_insert_with(unreported);
            }
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

    /// Has the bot finished talking, and nothing the caller did is still being worked on? So it is, too, while the
    /// caller waits for a person or talks to one.
    pub fn listening(&self) -> bool {
        let idle = match &self.state {
            State::Asking { turn, .. } => turn.idle(),
            State::Handing(_) => true,
            _ => false,
        };
        idle && self.playing.is_empty()
    }

    /// The question that is open: its step, which of that step's, and whether "yes" would answer it.
    pub fn question(&self) -> Option<Question> {
        let State::Asking { asking, .. } = &self.state else { return None };
        let quest = self.step(asking.step).quest(asking.quest)?;
        let text = yes_no(true, &asking.hearing.language);
        let guess = Hypothesis { text: Pii::new(text), confidence: 1.0, open_score: 0.0, grammar_score: None };
        let (utterance, hypotheses) = (UtteranceId(0), vec![guess]);
        let nbest = NBest { utterance, revision: 0, hypotheses, queued: Duration::ZERO, ran: Duration::ZERO };
        let takes_yes = quest.ear.speech(&nbest, &asking.hearing).answer.is_some();
        Some(Question { step: self.step(asking.step).name.clone(), place: asking.quest, takes_yes })
    }

    /// Has the record left?
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Every way through the plan that the call has taken.
    pub const fn taken(&self) -> &BTreeSet<Way> {
        self.interpreter.taken()
    }

    /// The question that is open.
    pub const fn asking(&self) -> Option<&Asking> {
        match &self.state {
            State::Asking { asking, .. } => Some(asking),
            _ => None,
        }
    }

    /// What the call knows.
    pub const fn scope(&self) -> &Scope {
        self.interpreter.scope()
    }

    /// It begins in the middle of its plan, knowing this: for rehearsals, before the far end is there.
    pub fn begin_at(&mut self, place: StepIx, scope: Scope) {
        self.interpreter.begin_at(place, scope);
    }

    /// From now on it tells what happens in its plan ([`Call::take_told`]).
    pub fn tell_all(&mut self) {
        self.interpreter.tell_all();
    }

    /// What has happened in its plan since this was last asked.
    pub fn take_told(&mut self) -> Vec<Told> {
        self.interpreter.take_told()
    }

    /// Where a message of its caller is kept, below the folder of recordings.
    pub fn message_file(&self, number: u32) -> PathBuf {
        let CallSetup { id, arrived_at, .. } = self.scribe.setup();
        PathBuf::from(arrived_at.strftime("%Y-%m/%d").to_string()).join(format!("{id}-message-{number}.wav"))
    }

    /// The name of the step in hand.
    pub fn step_name(&self) -> &str {
        &self.step(self.interpreter.place()).name
    }

    // The end

    fn drain(&mut self, now: Now) {
        match self.state {
            State::Answering { .. } | State::Dialling { .. } => self.hang_up(CallEnd::Drained, now),
            State::Saying { .. } | State::Waiting(_) | State::Asking { .. } | State::Handing(_) => {
                self.say_goodbye(CallEnd::Drained, now);
            }
            State::Standing { .. } => self.hang_up(CallEnd::Drained, now),
            State::Parting { .. } | State::Leaving { .. } | State::Over => {}
        }
    }

    /// Ends a call that the plan has not ended: the house's goodbye, then BYE.
    fn say_goodbye(&mut self, end: CallEnd, now: Now) {
        self.drop_transfer(None);
        self.message_keyed(now.mono);
        self.end_handing("ended", now);
        self.close_turn(now);
        if matches!(self.state, State::Answering { .. } | State::Dialling { .. }) {
            self.hang_up(end, now);
            return;
        }
        self.intended_end.get_or_insert(end);
        self.outputs.push_back(Output::Media(MediaCommand::Flush));
        let goodbye = self.interpreter.line(&self.plan.clone().phrases.goodbye, now.wall);
        self.part(self.interpreter.place(), &[goodbye], now);
    }

    fn finish_when_all_is_over(&mut self, now: Now) {
        if matches!(self.state, State::Over) {
            return;
        }
        let Some(leg_end) = self.leg_ended else { return };
        let Some(media) = self.media_closed.take() else { return };
        let end = self.end_of(leg_end);
        let disposition = self.disposition_of(leg_end, &end);
        let plan = (self.plan.name.as_str(), self.plan.version.as_str());
        let interpreter = &self.interpreter;
        let record = self.scribe.finish(plan, interpreter, (end.clone(), disposition), media, now.wall);
        self.outputs.push_back(Output::Timeline(TimelineEvent::Ended { end }));
        self.outputs.push_back(Output::Finished(Box::new(record)));
        self.state = State::Over;
    }

    // The plan

    pub(super) fn perform(&mut self, act: Act, now: Now) {
        let faults = self.interpreter.take_faults();
        let step = self.interpreter.place();
        for why in faults {
            let step = self.step(step).name.clone();
            self.outputs.push_back(Output::Timeline(TimelineEvent::PlanFault { step, why }));
        }
        for forestalled in self.interpreter.take_forestalled() {
            let language = self.interpreter.language().clone();
            self.scribe.forestalled(self.plan.step(forestalled.step), &forestalled, language, now.mono);
        }
        self.tell_opt_outs(now);
        self.be_discreet(&act, now);
        match act {
            Act::Say { step, lines, protected, barge_in } => {
                self.forget_spoken_ahead();
                self.saying_from = self.plays.len();
                let until = self.play(step, &lines, barge_in, protected, now);
                self.state = State::Saying { until };
            }
            Act::Ask(asking) => self.ask(asking, now),
            Act::HandOver { handover, .. } => self.hand_over(*handover, now),
            Act::Meanwhile { step, lines } => self.mention(step, &lines, now),
            Act::Errand { step, errand, filler, after, patience } => {
                self.errand(step, errand, (filler, after), patience, now);
            }
            Act::End { step, lines, result, fault } => {
                self.scribe.result = result;
                let end = fault.map_or(CallEnd::Completed, CallEnd::Failed);
                self.intended_end.get_or_insert(end);
                self.part(step, &lines, now);
            }
        }
    }

    /// An opt-out holds from now on, whatever becomes of this call.
    fn tell_opt_outs(&mut self, now: Now) {
        let outcomes = self.interpreter.outcomes();
        for outcome in outcomes.get(self.outcomes_seen..).unwrap_or_default() {
            if let OutcomeKind::OptOut { scope, number, said } = &outcome.kind {
                let (scope, number, said) = (scope.clone(), number.clone(), said.clone());
                let call = self.scribe.setup().id.clone();
                self.outputs.push_back(Output::OptOut(OptOut { call, at: now.wall, number, scope, said }));
            }
        }
        self.outcomes_seen = outcomes.len();
    }

    pub(super) fn follow(&mut self, event: &Event, now: Now) {
        let act = self.interpreter.next(event, now.wall);
        self.perform(act, now);
    }

    fn part(&mut self, step: StepIx, lines: &[Line], now: Now) {
        self.forget_spoken_ahead();
        self.playing.clear();
        let until = self.play(step, lines, BargeIn::Off, false, now);
        self.state = State::Parting { until };
        // On hold nobody would hear it, and it would wait for ever, unless the hold is over in a moment.
        if self.playing.is_empty() || self.held_since.is_some() && !self.taking_back {
            self.prompts_over(now.mono, now);
        }
    }

    /// The last word is said.
    pub(super) fn parted(&mut self, now: Now) {
        match self.scribe.setup().stands_by {
            Some(patience)
                if self.intended_end == Some(CallEnd::Completed) && briefing::stays(self.scribe.result.as_deref()) =>
            {
                self.intended_end = None;
                self.state = State::Standing { until: now.mono + patience };
                self.outputs.push_back(Output::Timeline(TimelineEvent::StandsBy));
            }
            _ => self.hang_up(CallEnd::Completed, now),
        }
    }

    /// Asks, unless the caller has answered ahead: then the prompt is spared.
    fn ask(&mut self, asking: Asking, now: Now) {
        let quest = self.step(asking.step).quest(asking.quest);
        if !self.hears && !quest.is_some_and(|quest| quest.ear.takes_keys()) {
            // Neither heard nor keyed: waiting would be a dead end.
            self.follow(&Event::Error, now);
            return;
        }
        let ahead = !self.typed_ahead.reveal().is_empty() || self.spoken_ahead.is_some();
        self.open_turn(asking, !ahead, now);
    }

    fn step(&self, place: StepIx) -> &Step {
        self.plan.steps.get(place.0).expect("a compiled plan's targets are steps of it")
    }
}

/// The plan, and what is known of the call before it begins.
fn interpreter_of(setup: &CallSetup) -> Interpreter {
    let text = |text: &str| Pii::new(Value::text(text));
    let direction = match setup.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    };
    let phone = |number: &Pii<String>| Pii::new(Value::Phone(number.reveal().clone()));
    let region = region_of(setup.far_end().reveal());
    let of = |value: Option<&str>| text(value.unwrap_or_default());
    let area = region.as_ref().and_then(|region| region.area);
    let line = region.as_ref().map(|region| region.line.name());
    let facts = [
        ("country", of(region.as_ref().map(|region| region.country))),
        ("area", of(area.map(|area| area.english))),
        ("line", of(line)),
        (REGION, of(setup.plan.languages.first().and_then(home_region))),
        (verify::VERIFIED, Pii::new(Value::Boolean(false))),
        ("id", text(&setup.id.to_string())),
        ("direction", text(direction)),
        ("caller", phone(&setup.caller)),
        ("called", phone(&setup.called)),
        ("peer", text(&setup.peer)),
        ("plan", text(&setup.plan.name)),
        ("language", text(setup.language.as_str())),
    ];
    let facts = Scope::of(facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        .with_markers(setup.markers.clone());
    Interpreter::new(setup.plan.clone(), &setup.language, setup.zone.clone()).knowing(facts, &setup.variables)
}
