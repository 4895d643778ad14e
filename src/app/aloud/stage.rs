//! The gateway's side of a conversation: as in [`reception`](super::super::reception), but at the time, with the caller
//! and with the answers of other systems that the conversation names.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::super::house::{House, Leg, Place};
use super::{Awaited, LivePlan};
use crate::call::driver::{self, Agreement, Asks, Consultant, Consultation, DoNotCall, Witness};
use crate::call::record::{CallRecord, Direction, OptOut};
use crate::call::registry::LiveCall;
use crate::call::{Call, CallSetup, Consult, HIDDEN, Output, Question, TimelineEvent, Wish};
use crate::id::CallId;
use crate::lookup::{Answer, Failure, Request};
use crate::simulate::aloud::part::Part;
use crate::simulate::aloud::person::News;
use crate::simulate::conversation::Expected;
use crate::sip::IncomingLeg;
use crate::spoken::markup;
use crate::time::ShiftedClock;

/// A call rings here within this, or not at all.
const ARRIVES: Duration = Duration::from_secs(20);
/// No call lasts longer than this, whatever its plan says.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Who is expected, by the number they dial.
#[derive(Clone, Default)]
pub(super) struct Door(Arc<Mutex<BTreeMap<String, oneshot::Sender<IncomingLeg>>>>);

impl Door {
    /// Somebody will dial this.
    pub fn expect(&self, name: &str) -> Awaited {
        let (arrived, leg) = oneshot::channel();
        self.expected().insert(name.to_owned(), arrived);
        leg
    }

    /// Lets in who is expected, and turns everybody else away.
    pub async fn keep(self, house: Arc<House>, mut incoming: mpsc::Receiver<IncomingLeg>) {
        while let Some(leg) = incoming.recv().await {
            let awaited = self.expected().remove(leg.called.reveal());
            match awaited {
                // Whoever waited may have given up: then the leg ends with its commands.
                Some(awaited) => drop(awaited.send(leg)),
                None => house.turn_away(leg).await,
            }
        }
    }

    fn expected(&self) -> MutexGuard<'_, BTreeMap<String, oneshot::Sender<IncomingLeg>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call, as the gateway has it.
#[derive(Clone)]
pub(super) struct Stage {
    house: Arc<House>,
    part: Arc<Part>,
    folder: PathBuf,
    news: mpsc::Sender<News>,
    others: Others,
}

impl Stage {
    pub fn new(house: &Arc<House>, part: Arc<Part>, folder: PathBuf, news: mpsc::Sender<News>) -> Self {
        let others = Others(Arc::new(Mutex::new((part.lookups.iter().cloned().collect(), Vec::new()))));
        Self { house: house.clone(), part, folder, news, others }
    }

    /// Answers the call and lets the plan talk. `None`: it never came, or could not be answered.
    pub async fn answer(self, leg: Awaited, live: LivePlan) -> Option<CallRecord> {
        let leg = tokio::time::timeout(ARRIVES, leg).await.ok()?.ok()?;
        // A leg that nobody talks to any more ends by itself.
        self.talk(leg, live).await.inspect_err(|why| warn!(why, "a conversation cannot be played")).ok()
    }

    async fn talk(self, leg: IncomingLeg, live: LivePlan) -> Result<CallRecord, String> {
        let Self { house, part, folder, news, others } = self;
        let now = house.clock.now();
        let listed = LiveCall {
            since: now.wall,
            plan: live.plan.name.clone(),
            version: live.plan.version.clone(),
            direction: Direction::Inbound,
            peer: leg.peer.clone(),
        };
        let Place { seat, port, orders } = house.place(&leg.call, listed).map_err(|error| error.to_string())?;
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
        let mut ports = house.ports(leg, media_events, agreement, &live, (orders, None), Box::new(Nobody));
        ports.lookups = Some(Arc::new(others));
        ports.do_not_call = Box::new(Nobody);
        ports.recordings = folder;
        ports.witness = Some(Box::new(Onlooker { news, said: Vec::new(), rested: None }));
        ports.clock = clock.clone();
        let record = driver::run(Call::inbound(setup, crate::time::Clock::now(&*clock)), ports).await;
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

/// Nobody is called, and nothing is kept.
struct Nobody;

impl Consultant for Nobody {
    fn consult(&self, _: Consult) -> Consultation {
        // Its news end at once, which the call takes for the end.
        Consultation { news: mpsc::channel(1).1, verdict: mpsc::channel(1).0 }
    }

    fn queue(&self, _: Wish) -> Consultation {
        Consultation { news: mpsc::channel(1).1, verdict: mpsc::channel(1).0 }
    }
}

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
