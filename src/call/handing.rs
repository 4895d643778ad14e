//! Handing the caller to a person, as the plan wants it: waiting for an agent, calling somebody, the talk, and back.
//!
//! ```text
//!   HandOver ─┬ queue, bridge ─▶ music ─ Place ─▶ "you are next" ─ Ready ─▶ bridged ─ the person hangs up ─▶ plan
//!             │                    └ nobody comes ───────────────────────────────────────────────────────▶ plan
//!             ├ attended ─▶ on hold ─▶ [`transfer`](super::transfer) ─▶ sent on ┐ or taken back ──────────▶ plan
//!             └ refer ────▶ REFER ─────────────────────────────────────────────┴ or refused ────────────▶ plan
//! ```
//!
//! The other call is somebody else's to make, as in a transfer by order: it is wanted by [`Output::Queue`] or
//! [`Output::Consult`], reported by [`Input::Consulted`](super::Input) and let go of by [`Output::Consulted`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agents::handoff::Handoff;
use crate::agents::{Needs, Overflow};
use crate::call::machine::{Call, State};
use crate::call::transfer::{CONSULT_PATIENCE, REFER_PATIENCE};
use crate::call::{Consult, Consulted, Introduction, Output, TimelineEvent, Verdict, Wish};
use crate::dialplan::handover::{Brief, Handed, HandedEnd, Handover, How, Wanted, Whom};
use crate::dialplan::interpreter::Line;
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::StepIx;
use crate::dialplan::step::Event;
use crate::id::LegId;
use crate::media::{BargeIn, MediaCommand};
use crate::sip::LegCommand;
use crate::time::Now;

/// What a transfer by order is told to have come to when the plan hands over: a request withdrawn (RFC 3261 §21.4.25).
const GIVEN_UP: u16 = 487;

/// A caller who is being handed over.
#[derive(Debug)]
pub(super) struct Handing {
    how: How,
    /// Who waits for an agent of a group; `None`: one person is called.
    group: Option<Arc<str>>,
    since: Instant,
    /// When nobody reports any more; a queue lasts as long as it lets callers wait, and a talk as long as the call may.
    until: Option<Instant>,
    agent: Option<Arc<str>>,
    waited: Duration,
    /// Joined with this leg, since then.
    talk: Option<(LegId, Instant)>,
}

impl Handing {
    pub const fn due(&self) -> Option<Instant> {
        self.until
    }
}

impl Call {
    /// Begins what the plan wants.
    pub(super) fn hand_over(&mut self, handover: Handover, now: Now) {
        let Handover { to, brief } = handover;
        self.forget_spoken_ahead();
        if self.playing.is_empty() {
            self.scribe.no_reply();
        }
        // What the caller has answered leads to a person of the plan's, whoever else was being asked by order.
        if self.transfer.is_some() {
            self.take_back(GIVEN_UP);
        }
        let introduction = self.introduce(brief);
        let (how, group, until) = match &to {
            Whom::Group(wanted) => (How::Bridge, Some(Arc::from(wanted.group.as_str())), None),
            Whom::Person { how: How::Refer, .. } => (How::Refer, None, Some(now.mono + REFER_PATIENCE)),
            // An attended transfer keeps its own time.
            Whom::Person { how: How::Attended, .. } => (How::Attended, None, None),
            Whom::Person { ring, .. } => (How::Bridge, None, Some(now.mono + *ring + CONSULT_PATIENCE)),
        };
        let (since, waited) = (now.mono, Duration::ZERO);
        let handing = Handing { how, group: group.clone(), since, until, agent: None, waited, talk: None };
        self.state = State::Handing(Box::new(handing));
        match to {
            Whom::Group(wanted) => {
                self.outputs.push_back(Output::Timeline(TimelineEvent::Waiting { group: wanted.group.clone() }));
                self.outputs.push_back(Output::Entertain { group });
                let needs = self.needs(wanted);
                self.outputs.push_back(Output::Queue(Box::new(Wish { needs, introduction })));
            }
            Whom::Person { to, how: How::Refer, .. } => {
                self.outputs.push_back(Output::Timeline(TimelineEvent::Transferring));
                let to = to.into_inner();
                self.outputs.push_back(Output::Leg(LegCommand::Refer { to, replaces: None }));
            }
            Whom::Person { to, trunk, how, ring } => {
                let (trunk, introduction) = (trunk.map(Arc::from), Some(Box::new(introduction)));
                let consult = Consult { to, trunk, briefing: None, ring, introduction };
                if how == How::Attended {
                    self.attend(consult, now);
                } else {
                    self.outputs.push_back(Output::Timeline(TimelineEvent::Consulting));
                    self.outputs.push_back(Output::Entertain { group: None });
                    self.outputs.push_back(Output::Consult(consult));
                }
            }
        }
    }

    /// Words for who waits.
    pub(super) fn mention(&mut self, step: StepIx, lines: &[Line], now: Now) {
        self.play(step, lines, BargeIn::Off, false, now);
    }

    /// News of a handover that is no attended transfer.
    pub(super) fn handing_news(&mut self, news: Consulted, now: Now) {
        let State::Handing(handing) = &mut self.state else { return };
        match (news, handing.talk) {
            (Consulted::Untried { status }, None) => self.handed_back(HandedEnd::of_status(status), now),
            (Consulted::Place { position, wait }, None) => self.follow(&Event::Waiting { position, wait }, now),
            (Consulted::Taken { agent, waited }, None) => (handing.agent, handing.waited) = (Some(agent), waited),
            (Consulted::Ready { leg }, None) => {
                handing.until = None;
                handing.talk = Some((leg, now.mono));
                if handing.group.is_none() {
                    handing.waited = now.mono.saturating_duration_since(handing.since);
                }
                let agent = handing.agent.as_deref().map(str::to_owned);
                self.silence();
                self.outputs.push_back(Output::Join { leg });
                self.outputs.push_back(Output::Consulted(Verdict::Bridged));
                self.outputs.push_back(Output::Timeline(TimelineEvent::Joined { agent }));
            }
            (Consulted::Over { .. }, Some(_)) => self.handed_back(HandedEnd::Served, now),
            (Consulted::Over { status }, None) => self.handed_back(HandedEnd::of_status(status), now),
            (Consulted::Left { why }, None) => {
                if why == Overflow::NobodyFits {
                    let step = self.step_name().to_owned();
                    let why = "the settings know no agent who could ever take such a caller".to_owned();
                    self.outputs.push_back(Output::Timeline(TimelineEvent::PlanFault { step, why }));
                }
                self.handed_back(end_of(why), now);
            }
            _ => {}
        }
    }

    /// Nobody reports on it any more.
    pub(super) fn handing_overdue(&mut self, now: Now) {
        self.handed_back(HandedEnd::Failed, now);
    }

    /// Is the plan waiting for a handover of that kind?
    pub(super) fn hands_over(&self, how: How) -> bool {
        matches!(&self.state, State::Handing(handing) if handing.how == how)
    }

    /// The caller is back with the plan.
    pub(super) fn handed_back(&mut self, end: HandedEnd, now: Now) {
        let Some(handed) = self.end_handing(end.name(), now) else { return };
        self.outputs.push_back(Output::Timeline(TimelineEvent::HandedBack { end: end.name().to_owned() }));
        self.follow(&Event::Handed(Box::new(Handed { end, ..handed })), now);
    }

    /// The call ends, or the caller was sent on, in the middle of a handover: whoever was called must not be left behind.
    pub(super) fn end_handing(&mut self, end: &str, now: Now) -> Option<Handed> {
        let State::Handing(handing) = &self.state else { return None };
        let bridges = handing.how == How::Bridge;
        let talked = handing.talk.map_or(Duration::ZERO, |(_, since)| now.mono.saturating_duration_since(since));
        let waited = match handing.talk {
            Some(_) => handing.waited,
            None => now.mono.saturating_duration_since(handing.since),
        };
        let (agent, group) = (handing.agent.as_deref().map(str::to_owned), handing.group.as_deref().map(str::to_owned));
        let talk = handing.talk.is_some();
        self.interpreter.came_to(OutcomeKind::Handed {
            group,
            agent: agent.clone(),
            end: end.to_owned(),
            waited_s: waited.as_secs(),
            talked_s: talked.as_secs(),
        });
        if bridges {
            self.silence();
            self.outputs.push_back(Output::Consulted(Verdict::Over));
        }
        if talk {
            self.outputs.push_back(Output::Media(MediaCommand::Unbridge));
        }
        self.state = State::Saying { until: now.mono };
        Some(Handed { end: HandedEnd::Failed, agent, waited, talked })
    }

    /// No more music, and no more words for who waits.
    fn silence(&mut self) {
        if !self.playing.is_empty() {
            self.playing.clear();
            self.outputs.push_back(Output::Media(MediaCommand::Flush));
        }
        self.outputs.push_back(Output::Media(MediaCommand::Background { sound: None }));
    }

    fn needs(&self, wanted: Wanted) -> Needs {
        Needs {
            group: wanted.group.into(),
            skills: wanted.skills,
            language: wanted.language,
            region: wanted.region,
            priority: wanted.priority,
            last_agent: wanted.last_agent.map(Arc::from),
        }
    }

    /// What the person is told: what the plan says, and what the call knows where it does not.
    fn introduce(&self, brief: Brief) -> Introduction {
        let found = || {
            let verified = self.interpreter.outcomes().iter().rev().find_map(|outcome| match outcome.kind {
                OutcomeKind::Verified { passed, .. } => Some(passed),
                _ => None,
            });
            verified.unwrap_or(false)
        };
        let setup = self.scribe.setup();
        let handoff = Handoff {
            intent: brief.intent.or_else(|| self.scribe.last_choice(&self.plan)),
            slots: brief.slots,
            verified: brief.verified.unwrap_or_else(found),
            transcript: self.scribe.transcript(),
            ..Handoff::of(setup.id.clone(), self.interpreter.language().clone())
        };
        Introduction { handoff, words: brief.words, number: setup.far_end().clone() }
    }
}

const fn end_of(why: Overflow) -> HandedEnd {
    match why {
        Overflow::TooLong => HandedEnd::TooLong,
        Overflow::Full => HandedEnd::Full,
        Overflow::NobodyThere | Overflow::NobodyFits => HandedEnd::Nobody,
    }
}
