//! The gateway's side of a conversation: as in [`reception`](super::super::reception), but at the time, with the caller
//! and with the answers of other systems that the conversation names.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use super::super::LivePlan;
use super::super::house::{House, Leg, Place};
use super::agents::{Agents, Cues};
use super::door::Awaited;
use super::phone::Receiver;
use crate::call::driver::{self, Agreement, Asks, DoNotCall, Witness};
use crate::call::record::{CallRecord, Direction, OptOut};
use crate::call::{Call, CallSetup, HIDDEN, Output, Question, TimelineEvent};
use crate::id::CallId;
use crate::lookup::{Answer, Failure, Request};
use crate::simulate::aloud::part::Part;
use crate::simulate::aloud::person::News;
use crate::simulate::conversation::Expected;
use crate::simulate::transcript::AgentDoes;
use crate::sip::IncomingLeg;
use crate::spoken::markup;
use crate::time::ShiftedClock;

/// A call rings here within this, or not at all.
pub(super) const ARRIVES: Duration = Duration::from_secs(20);
/// No call lasts longer than this, whatever its plan says.
const LONGEST: Duration = Duration::from_secs(3_600);

/// One call, as the gateway has it.
#[derive(Clone)]
pub(super) struct Stage {
    house: Arc<House>,
    part: Arc<Part>,
    folder: PathBuf,
    news: mpsc::Sender<News>,
    others: Others,
    /// Where agents take calls, and what they do.
    agents: (Receiver, Cues),
}

impl Stage {
    pub fn new(
        house: &Arc<House>,
        part: Arc<Part>,
        folder: PathBuf,
        news: mpsc::Sender<News>,
        agents: (Receiver, mpsc::Receiver<AgentDoes>),
    ) -> Self {
        let others = Others(Arc::new(Mutex::new((part.lookups.iter().cloned().collect(), Vec::new()))));
        let agents = (agents.0, Cues::new(agents.1.into()));
        Self { house: house.clone(), part, folder, news, others, agents }
    }

    /// Answers the call and lets the plan talk. `None`: it never came, or could not be answered.
    pub async fn answer(self, leg: Awaited, live: LivePlan) -> Option<CallRecord> {
        let leg = tokio::time::timeout(ARRIVES, leg).await.ok()?.ok()?;
        // A leg that nobody talks to any more ends by itself.
        self.talk(leg, live).await.inspect_err(|why| warn!(why, "a conversation cannot be played")).ok()
    }

    async fn talk(self, leg: IncomingLeg, live: LivePlan) -> Result<CallRecord, String> {
        let Self { house, part, folder, news, others, agents: (receiver, cues) } = self;
        let now = house.clock.now();
        let place = house.place(&leg.call, &live, (Direction::Inbound, &leg.peer), now.wall);
        let Place { seat, port, orders } = place.map_err(|error| error.to_string())?;
        let mut negotiation = house.negotiation(leg.local.ip(), port.address().port(), None);
        let offer = leg.offer.as_deref().ok_or("it came without an offer")?;
        let (sdp, params) = negotiation.answer(offer).map_err(|error| error.to_string())?;
        let media_events =
            house.open((leg.leg, &leg.call), params, port, (None, false), now).map_err(|error| error.to_string())?;
        let clock = Arc::new(ShiftedClock::set_to(part.caller.at));
        let setup = CallSetup {
            // The same as in text: what is decided by lot is decided the same way.
            id: CallId::new(part.caller.at, 0),
            direction: Direction::Inbound,
            plan: live.plan.clone(),
            language: part.language.clone(),
            peer: "text".to_owned(),
            caller: part.caller.number.clone(),
            called: part.caller.dialled.clone(),
            sip_call_id: leg.sip_call_id,
            arrived_at: part.caller.at,
            sdp,
            longest: LONGEST,
            zone: part.caller.zone.clone(),
            markers: Arc::default(),
            variables: part.caller.variables.clone(),
            stands_by: None,
            made_for: None,
        };
        let leg = Leg { id: leg.leg, commands: leg.commands, events: leg.events };
        let agreement = Agreement::answered(negotiation);
        let agents = Agents {
            behalf: house.on_behalf(&setup, None),
            receiver,
            name: format!("agent-{:08x}", rand::random::<u32>()),
            cues,
            news: news.clone(),
            clock: house.clock.clone(),
            at_work: Arc::new(Mutex::new(JoinSet::new())),
        };
        let mut ports = house.ports(leg, media_events, agreement, &live, (orders, None), Box::new(agents.clone()));
        ports.lookups = Some(Arc::new(others));
        ports.do_not_call = Box::new(Nobody);
        ports.recordings = folder;
        ports.witness = Some(Box::new(Onlooker { news, said: Vec::new(), rested: None }));
        ports.clock = clock.clone();
        let record = driver::run(Call::inbound(setup, crate::time::Clock::now(&*clock)), ports).await;
        agents.done().await;
        drop(seat);
        Ok(record)
    }

    /// Look-ups that did not go as written: line and sentence. `line` stands for the whole conversation.
    pub fn lookup_faults(&self, line: usize) -> Vec<(usize, String)> {
        let mut both = self.others.both();
        let unasked = both.0.drain(..).map(|left| (left.line, "nobody asked for this".to_owned()));
        let unasked: Vec<_> = unasked.collect();
        let wrong = std::mem::take(&mut both.1).into_iter();
        wrong.map(|(at, why)| (if at == 0 { line } else { at }, why)).chain(unasked).collect()
    }
}

/// Answers that are written, and what was asked instead: line and sentence.
type Errands = (VecDeque<Expected>, Vec<(usize, String)>);

/// Other systems, as the conversation has them answer, one after another; and what they were asked instead.
#[derive(Clone)]
struct Others(Arc<Mutex<Errands>>);

impl Others {
    fn both(&self) -> MutexGuard<'_, Errands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Asks for Others {
    async fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        let asked = format!("{} {}", request.method.as_str(), request.url.reveal());
        let mut both = self.both();
        let Some(expected) = both.0.pop_front() else {
            both.1.push((0, format!("the plan asked for `{asked}`, which is not written")));
            return Err(Failure::Invalid("the conversation names no answer"));
        };
        if expected.asked.as_ref().is_some_and(|wanted| *wanted != asked) {
            both.1.push((expected.line, format!("the plan asked for `{asked}`")));
        }
        expected.answer
    }
}

/// Nothing is kept.
struct Nobody;

#[async_trait]
impl DoNotCall for Nobody {
    async fn close(&self, _: OptOut) {}
}

/// Tells the caller what a person at the telephone would notice.
struct Onlooker {
    news: mpsc::Sender<News>,
    /// What the act in hand says.
    said: Vec<String>,
    rested: Option<(bool, Option<Question>)>,
}

impl Onlooker {
    fn tell(&self, news: News) {
        // Full or closed: the caller is gone.
        let _ = self.news.try_send(news);
    }
}

impl Witness for Onlooker {
    fn sees(&mut self, output: &Output) {
        match output {
            Output::Play { utter, .. } => self.said.push(markup::plain(&utter.text).into_owned()),
            Output::Timeline(TimelineEvent::BotSaid { .. }) => self.tell(News::Begins),
            Output::Timeline(TimelineEvent::CallerSaid { heard, meaning, .. }) => {
                let words = Some(heard.reveal().clone()).filter(|words| words != HIDDEN);
                self.tell(News::Hears { words, meaning: meaning.clone() });
            }
            Output::Timeline(TimelineEvent::Keys { meaning, .. }) => {
                self.tell(News::Hears { words: None, meaning: meaning.clone() });
            }
            // What an agent was to do has come to something.
            Output::Timeline(TimelineEvent::Joined { .. } | TimelineEvent::HandedBack { .. }) => self.tell(News::Done),
            _ => {}
        }
    }

    fn rests(&mut self, call: &Call) {
        if !self.said.is_empty() {
            let said = std::mem::take(&mut self.said).join(" ");
            self.tell(News::Says(said));
        }
        let rests = (call.listening() || call.takes_message(), call.question());
        if self.rested.as_ref() != Some(&rests) {
            let (listening, question) = rests.clone();
            self.rested = Some(rests);
            self.tell(News::Rests { listening, question });
        }
    }
}
