//! Who takes a caller over in a conversation: agents with telephones, who do what is written.
//!
//! ```text
//!   call ── Consult, Wish ──▶ Agents ── INVITE, briefing ──▶ telephone: 1, 2, 486, 480 ◀── `agent …` lines
//!        ◀── Ready, Over ────    └ Place, Left: said by the line itself
//! ```
//!
//! One person is called as [`OnBehalf`] calls them, at once, and their telephone rings until the conversation says what
//! they do. In a group nobody is called before: who is free, who comes next and who waits where is the conversation's
//! to say, as in text.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use super::super::consult::OnBehalf;
use super::phone::{Receiver, Talk};
use super::stage::ARRIVES;
use crate::agents::Overflow;
use crate::call::driver::{Consultant, Consultation};
use crate::call::{Consult, Consulted, Verdict, Wish};
use crate::pii::Pii;
use crate::rtp::Digit;
use crate::simulate::aloud::person::News;
use crate::simulate::text_leg::NOBODY_COMES;
use crate::simulate::transcript::AgentDoes;
use crate::sip::{LegCommand, Rejection};
use crate::time::{Clock, sleep_until};

/// News of one handover: it rings, is joined, is over, and some places in line.
const NEWS: usize = 16;
/// A call gives two verdicts.
const VERDICTS: usize = 2;
/// An agent's telephone rings so long, in a group, before it does what is written.
const RING: Duration = Duration::from_secs(30);
/// An agent presses a key this long after the answer: people put the receiver to the ear first.
const TO_THE_EAR: Duration = Duration::from_millis(500);

/// What the conversation has agents do, one thing after another; whoever is being handed over listens.
pub(super) type Cues = Arc<tokio::sync::Mutex<mpsc::Receiver<AgentDoes>>>;

/// The agents of one call. Clones are the same.
#[derive(Clone)]
pub(super) struct Agents {
    pub behalf: OnBehalf,
    pub receiver: Receiver,
    /// What their telephones are called, and how many were.
    pub name: String,
    pub cues: Cues,
    pub news: mpsc::Sender<News>,
    pub clock: Arc<dyn Clock>,
    pub at_work: Arc<Mutex<JoinSet<()>>>,
}

impl Consultant for Agents {
    fn consult(&self, consult: Consult) -> Consultation {
        self.attend(|agents, report, verdicts| agents.one(consult, report, verdicts))
    }

    fn queue(&self, wish: Wish) -> Consultation {
        self.attend(|agents, report, verdicts| agents.group(wish, report, verdicts))
    }
}

impl Agents {
    /// Waits until every telephone is back on its hook.
    pub async fn done(&self) {
        let mut at_work = std::mem::take(&mut *self.at_work.lock().unwrap_or_else(PoisonError::into_inner));
        while at_work.join_next().await.is_some() {}
    }

    fn attend<F>(
        &self,
        attend: impl FnOnce(Self, mpsc::Sender<Consulted>, mpsc::Receiver<Verdict>) -> F,
    ) -> Consultation
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (report, news) = mpsc::channel(NEWS);
        let (verdict, verdicts) = mpsc::channel(VERDICTS);
        let attending = attend(self.clone(), report, verdicts);
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner).spawn(attending);
        Consultation { news, verdict }
    }

    /// One person, who is called at once.
    async fn one(self, consult: Consult, report: mpsc::Sender<Consulted>, mut verdicts: mpsc::Receiver<Verdict>) {
        let mut ringing = self.ring(consult);
        let cues = self.cues.clone();
        let mut cues = cues.lock().await;
        loop {
            tokio::select! {
                Some(does) = cues.recv() => ringing.does(&does, &self.receiver).await,
                news = ringing.next() => match news {
                    Some(news) => _ = report.send(news).await,
                    None => break,
                },
                verdict = verdicts.recv() => match verdict {
                    Some(verdict) => _ = ringing.other.verdict.try_send(verdict),
                    None => break,
                },
            }
        }
        drop(cues);
        ringing.hang_up().await;
    }

    /// Somebody of a group; who, and whether anybody, the conversation says.
    async fn group(self, wish: Wish, report: mpsc::Sender<Consulted>, mut verdicts: mpsc::Receiver<Verdict>) {
        let began = self.clock.now().mono;
        let (mut ringing, mut who, mut waits): (Option<Ringing>, Arc<str>, _) = (None, "".into(), true);
        let cues = self.cues.clone();
        let mut cues = cues.lock().await;
        loop {
            let nobody_comes = waits.then_some(began + NOBODY_COMES);
            tokio::select! {
                Some(does) = cues.recv() => match (&does, &mut ringing) {
                    (AgentDoes::HangsUp, Some(ringing)) => ringing.does(&does, &self.receiver).await,
                    (AgentDoes::HangsUp, None) => {}
                    (AgentDoes::Place(position, wait), _) => {
                        let _ = report.send(Consulted::Place { position: *position, wait: *wait }).await;
                        self.tell_done();
                    }
                    (AgentDoes::Nobody(why), _) => {
                        let _ = report.send(Consulted::Left { why: *why }).await;
                        break;
                    }
                    _ => {
                        who = if let AgentDoes::Accepts(name) = &does { name.as_str().into() } else { "somebody".into() };
                        let mut rings = self.ring(Consult {
                            to: Pii::default(),
                            trunk: None,
                            briefing: None,
                            ring: RING,
                            introduction: Some(Box::new(wish.introduction.clone())),
                        });
                        rings.does(&does, &self.receiver).await;
                        ringing = Some(rings);
                    }
                },
                news = next_of(&mut ringing) => match news {
                    Some(ready @ Consulted::Ready { .. }) => {
                        waits = false;
                        let waited = self.clock.now().mono.saturating_duration_since(began);
                        let _ = report.send(Consulted::Taken { agent: who.clone(), waited }).await;
                        let _ = report.send(ready).await;
                    }
                    Some(_) | None if waits => {
                        // The next one is asked.
                        hang_up(&mut ringing).await;
                        self.tell_done();
                    }
                    Some(over) => {
                        let _ = report.send(over).await;
                        break;
                    }
                    None => break,
                },
                verdict = verdicts.recv() => match verdict {
                    Some(Verdict::Bridged) => {
                        let ringing = ringing.as_ref();
                        let _ = ringing.map(|ringing| ringing.other.verdict.try_send(Verdict::Bridged));
                    }
                    _ => break,
                },
                () = sleep_until(nobody_comes) => {
                    let _ = report.send(Consulted::Left { why: Overflow::TooLong }).await;
                    break;
                }
            }
        }
        drop(cues);
        hang_up(&mut ringing).await;
    }

    /// Calls a telephone of ours in the place of whom the plan names.
    fn ring(&self, consult: Consult) -> Ringing {
        let name = format!("{}-{:08x}", self.name, rand::random::<u32>());
        let (leg, to) = self.receiver.expect(&name);
        let other = self.behalf.consult(Consult { to: Pii::new(to), trunk: None, ..consult });
        Ringing { other, leg: Some(leg), talk: None }
    }

    /// What the conversation wanted of an agent is done.
    fn tell_done(&self) {
        // Full or closed: the caller is gone.
        let _ = self.news.try_send(News::Done);
    }
}

/// An agent's telephone, and the call to it.
struct Ringing {
    /// As the gateway sees it.
    other: Consultation,
    /// As the telephone sees it, before it is answered, and after.
    leg: Option<super::door::Awaited>,
    talk: Option<Talk>,
}

impl Ringing {
    /// The agent does this.
    async fn does(&mut self, does: &AgentDoes, receiver: &Receiver) {
        if let (AgentDoes::HangsUp, Some(talk)) = (does, &self.talk) {
            return talk.hang_up().await;
        }
        let Some(leg) = self.leg.take() else { return };
        let Ok(Ok(leg)) = tokio::time::timeout(ARRIVES, leg).await else {
            return warn!("an agent's telephone never rang");
        };
        let (status, key) = match does {
            AgentDoes::Accepts(_) => (None, '1'),
            AgentDoes::Declines => (None, '2'),
            AgentDoes::Busy => (Some(486), '2'),
            _ => (Some(480), '2'),
        };
        if let Some(status) = status {
            let _ = leg.commands.send(LegCommand::Reject(Rejection::status(status))).await;
            return;
        }
        let mut talk = match receiver.pick_up(leg).await {
            Ok(talk) => talk,
            Err(error) => return warn!(%error, "an agent's telephone cannot be picked up"),
        };
        while !talk.stands() && !talk.is_over() {
            talk.next().await;
        }
        tokio::time::sleep(TO_THE_EAR).await;
        talk.press(Digit::new(key).into_iter().collect());
        self.talk = Some(talk);
    }

    /// What the gateway hears of it next; `None`: it is over, and everything told.
    async fn next(&mut self) -> Option<Consulted> {
        loop {
            tokio::select! {
                news = self.other.news.recv() => return news,
                () = next_at(&mut self.talk) => {}
            }
        }
    }

    async fn hang_up(self) {
        drop(self.other);
        if let Some(mut talk) = self.talk {
            talk.close().await;
        }
    }
}

async fn next_at(talk: &mut Option<Talk>) {
    match talk {
        Some(talk) => _ = talk.next().await,
        None => pending().await,
    }
}

async fn next_of(ringing: &mut Option<Ringing>) -> Option<Consulted> {
    match ringing {
        Some(ringing) => ringing.next().await,
        None => pending().await,
    }
}

async fn hang_up(ringing: &mut Option<Ringing>) {
    if let Some(ringing) = ringing.take() {
        ringing.hang_up().await;
    }
}
