//! Runs one call: gives the pure core its leg, its media, its recogniser and its clock.
//!
//! ```text
//!   leg events ──┐                       ┌──▶ leg commands
//! media events ──┼──▶ Call (pure core) ──┼──▶ media commands, prompts
//!  recognition ──┤                       └──▶ recognition jobs ─┐
//!     deadline ──┘◀──────────────────────────────────────────────┘
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::record::{CallRecord, OptOut};
use super::registry::Ordered;
use super::{Call, Consult, Consulted, Input, MessageOrder, Order, Output, TimelineEvent, Verdict, Wish};
use crate::audio::Pcm;
use crate::dialplan::step::{Done, Errand};
use crate::id::{LegId, PlayId, UtteranceId};
use crate::lookup::driver::Lookups;
use crate::lookup::{Answer, Failure, Request};
use crate::media::driver::MediaHandle;
use crate::media::{MediaCommand, MediaEvent, MediaSummary, PlayEnd};
use crate::rtp::Digit;
use crate::sip::{LegCommand, LegCommands, LegEnd, LegEvent};
use crate::speech::driver::RecognizerPool;
use crate::speech::{Cancel, RecognizeJob};
use crate::time::{Clock, sleep_until};

mod agreement;
mod voice;

pub use agreement::Agreement;
use agreement::Settled;
use voice::Said;
pub use voice::Voice;

/// Recognition results on their way back. A call has one utterance under recognition and at most one cancelled one
/// still running behind it; eight leaves room for bursts of short revisions.
const HEARD_BOUND: usize = 8;

/// People who watch one call live; one more sees nothing.
const WATCHERS: usize = 8;

/// How long a key we press is held, in milliseconds: what people do. Q.24 asks receivers for 40.
const TONE_MS: u32 = 100;
/// Silence between two of them.
const GAP_MS: u32 = 80;

/// Everything outside that a call talks to.
pub struct Ports {
    /// Which leg.
    pub leg: LegId,
    /// To the leg.
    pub commands: LegCommands,
    /// From the leg.
    pub leg_events: mpsc::Receiver<LegEvent>,
    /// The media threads.
    pub media: MediaHandle,
    /// From this leg's media.
    pub media_events: mpsc::Receiver<MediaEvent>,
    /// What the two ends have said about sound so far.
    pub agreement: Agreement,
    /// The recognition pool.
    pub recognizers: Arc<RecognizerPool>,
    /// Everything the plan can say, as sound, and what makes the rest.
    pub voice: Voice,
    /// Who asks other systems, where plans may.
    pub lookups: Option<Arc<dyn Asks>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fires when the gateway shuts down.
    pub drain: CancellationToken,
    /// What the far end hears when it waits.
    pub music: Music,
    /// What others want of this call.
    pub orders: mpsc::Receiver<Ordered>,
    /// Who watches it live; slow watchers miss lines.
    pub watchers: Vec<mpsc::Sender<TimelineEvent>>,
    /// Who calls somebody else on behalf of this call.
    pub consultant: Box<dyn Consultant>,
    /// Who keeps that somebody is not to be called again.
    pub do_not_call: Box<dyn DoNotCall>,
    /// The folder of messages and recordings.
    pub recordings: PathBuf,
    /// Called once, when the call stands.
    pub answered: Option<Box<dyn FnOnce() + Send + Sync>>,
    /// Who looks on from inside: rehearsals.
    pub witness: Option<Box<dyn Witness>>,
}

/// Looks on as a call goes. It is called between two steps of the call and must not keep it waiting.
pub trait Witness: Send + Sync {
    /// The call wants this done.
    fn sees(&mut self, output: &Output);

    /// Nothing more happens for now.
    fn rests(&mut self, call: &Call);
}

/// Asks other systems for plans.
#[async_trait]
pub trait Asks: Send + Sync {
    /// Asks, and waits for what comes of it.
    ///
    /// # Errors
    ///
    /// [`Failure`], never later than the request's timeout.
    async fn ask(&self, request: &Request) -> Result<Answer, Failure>;
}

#[async_trait]
impl Asks for Lookups {
    async fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        Self::ask(self, request).await
    }
}

/// Keeps whom not to call again.
#[async_trait]
pub trait DoNotCall: Send + Sync {
    /// Has it kept, for good and soon; waits only where thousands of calls wait for the same.
    async fn close(&self, opt_out: OptOut);
}

/// What far ends hear while they wait.
#[derive(Clone, Debug, Default)]
pub struct Music {
    /// On hold; silence without.
    pub hold: Option<Arc<Pcm>>,
    /// Waiting for an agent of this group.
    pub groups: Arc<BTreeMap<Arc<str>, Arc<Pcm>>>,
    /// Waiting where there is no music.
    pub ringing: Option<Arc<Pcm>>,
}

impl Music {
    /// For who waits for somebody of that group, or for one person.
    pub fn for_group(&self, group: Option<&str>) -> Option<Arc<Pcm>> {
        let of_group = group.and_then(|group| self.groups.get(group));
        of_group.or(self.hold.as_ref()).or(self.ringing.as_ref()).cloned()
    }
}

/// Calls those that a far end shall be sent to, or joined with.
pub trait Consultant: Send + Sync {
    /// Begins the other call; all else comes as news.
    fn consult(&self, consult: Consult) -> Consultation;

    /// Has an agent found and called; all else comes as news.
    fn queue(&self, wish: Wish) -> Consultation;
}

/// The other call of a transfer or handover.
#[derive(Debug)]
pub struct Consultation {
    /// How it goes; closed when it is over.
    pub news: mpsc::Receiver<Consulted>,
    /// What becomes of it; room for two. Dropped, it is wanted no more.
    pub verdict: mpsc::Sender<Verdict>,
}

/// Drives `call` to its end and returns what remains of it.
pub async fn run(mut call: Call, mut ports: Ports) -> CallRecord {
    let (heard_in, mut heard) = mpsc::channel(HEARD_BOUND);
    let mut jobs = Jobs { running: BTreeMap::new(), errands: JoinSet::new(), heard: heard_in };
    let mut leg_reports = true;
    let mut media_reports = true;
    let mut takes_orders = true;
    let mut draining = false;
    let mut consultation: Option<Consultation> = None;
    if let Some(input) = ports.agreement.begin() {
        call.handle(input, ports.clock.now());
    }
    loop {
        while let Some(output) = call.poll_output() {
            if let Some(witness) = &mut ports.witness {
                witness.sees(&output);
            }
            let inputs = match output {
                Output::Finished(record) => {
                    jobs.cancel_all();
                    return *record;
                }
                Output::Hold(wanted) => hold(&mut ports, wanted).await.into_iter().collect(),
                Output::Consult(consult) => {
                    consultation = Some(ports.consultant.consult(consult));
                    Vec::new()
                }
                Output::Queue(wish) => {
                    consultation = Some(ports.consultant.queue(*wish));
                    Vec::new()
                }
                Output::Consulted(verdict) => {
                    // Whoever made that call may have given it up already.
                    let _ = consultation.as_ref().map(|other| other.verdict.try_send(verdict));
                    if verdict != Verdict::Bridged {
                        consultation = None;
                    }
                    Vec::new()
                }
                Output::Message(wanted) => {
                    let file = match wanted {
                        MessageOrder::Begin { number } => ports.recordings.join(call.message_file(number)),
                        MessageOrder::End | MessageOrder::Forget { .. } => PathBuf::new(),
                    };
                    message(&ports, wanted, file).await;
                    Vec::new()
                }
                output => carry_out(output, &mut ports, &mut jobs).await,
            };
            for input in inputs {
                call.handle(input, ports.clock.now());
            }
        }
        if let Some(witness) = &mut ports.witness {
            witness.rests(&call);
        }
        let deadline = call.poll_timeout().map(|(at, _)| at);
        let input = tokio::select! {
            event = ports.leg_events.recv(), if leg_reports => match event {
                Some(event) => {
                    leg_reports = !matches!(event, LegEvent::Ended(_));
                    if let Some(input) = settle(&mut ports, &event).await {
                        call.handle(input, ports.clock.now());
                    }
                    Input::Leg(event)
                }
                None => {
                    // A leg says its last word exactly once; a bug below us must not leave a call hanging.
                    error!("the leg is gone without a last word");
                    leg_reports = false;
                    Input::Leg(LegEvent::Ended(LegEnd::Failed))
                }
            },
            event = ports.media_events.recv(), if media_reports => match event {
                Some(event) => {
                    media_reports = !matches!(event, MediaEvent::Closed(_));
                    Input::Media(event)
                }
                None => {
                    error!("media is gone without a summary");
                    media_reports = false;
                    let summary = MediaSummary::unreported("media ended before it could tell what became of it");
                    Input::Media(MediaEvent::Closed(summary))
                }
            },
            Some(input) = heard.recv() => {
                if let Input::Heard { utterance, revision, .. } = &input {
                    jobs.running.remove(&(*utterance, *revision));
                }
                input
            }
            Some(done) = ports.voice.next() => {
                let ready = ports.voice.rendered(done);
                for input in speak(&ports, ready) {
                    call.handle(input, ports.clock.now());
                }
                continue;
            }
            Some(news) = news_of(&mut consultation) => Input::Consulted(news),
            // What the far end has done by now counts first: an order that comes with its answer is heard after it.
            ordered = ports.orders.recv(), if takes_orders && ports.leg_events.is_empty() => match ordered {
                Some(ordered) => match take_order(&call, &mut ports, ordered) {
                    Some(Order::Keys(keys)) => {
                        press(&ports, keys.into_inner()).await;
                        continue;
                    }
                    Some(order) => Input::Order(order),
                    None => continue,
                },
                None => {
                    takes_orders = false;
                    continue;
                }
            },
            () = ports.drain.cancelled(), if !draining => {
                draining = true;
                Input::Drain
            }
            () = sleep_until(deadline) => {
                call.handle_timeout(ports.clock.now());
                continue;
            }
        };
        let began = ports.clock.now();
        let heard_words = matches!(input, Input::Heard { .. });
        call.handle(input, began);
        if heard_words {
            // The core reads no clock: what its understanding cost is told to it.
            call.understood_in(ports.clock.now().mono.saturating_duration_since(began.mono));
        }
    }
}

/// Does what the call wants. Gives back what the call must be told at once, where nobody else will report it.
async fn carry_out(output: Output, ports: &mut Ports, jobs: &mut Jobs) -> Vec<Input> {
    match output {
        Output::Leg(command) => {
            if ports.commands.send(command).await.is_err() {
                debug!("signalling is gone; a command is moot");
            }
        }
        Output::Play { play, utter, barge_in } => {
            let ready = ports.voice.say(play, utter, barge_in);
            return speak(ports, ready);
        }
        Output::Media(command) => {
            let flushed = if matches!(command, MediaCommand::Flush) { ports.voice.flush() } else { Vec::new() };
            order(ports, command);
            return flushed.into_iter().map(|play| unsaid(ports, play, PlayEnd::Flushed)).collect();
        }
        Output::Recognize { utterance, revision, language, audio } => {
            let cancel = Cancel::default();
            jobs.running.insert((utterance, revision), cancel.clone());
            let job = RecognizeJob { utterance, revision, language, audio, cancel };
            let back = jobs.heard.clone();
            let reply = move |result| {
                // Full or closed: the call is over or swamped by revisions, and a stale result is worth nothing.
                let _ = back.try_send(Input::Heard { utterance, revision, result });
            };
            if let Err(error) = ports.recognizers.submit(job, reply) {
                return vec![Input::Heard { utterance, revision, result: Err(error) }];
            }
        }
        Output::Errand { id, errand } => {
            let Errand::Lookup(request) = errand else {
                unreachable!("a message is taken, and thrown away, by the call itself");
            };
            let (lookups, done) = (ports.lookups.clone(), jobs.heard.clone());
            jobs.errands.spawn(async move {
                let answer = match lookups {
                    Some(lookups) => Done::Lookup(lookups.ask(&request).await),
                    None => Done::Lookup(Err(Failure::Invalid("the settings name nobody who may be asked"))),
                };
                // Closed: the call is over.
                let _ = done.send(Input::ErrandDone { id, done: Box::new(answer) }).await;
            });
        }
        Output::CancelRecognize { utterance, revision } => {
            if let Some(cancel) = jobs.running.remove(&(utterance, revision)) {
                cancel.cancel();
            }
        }
        Output::Timeline(event) => {
            log(&event);
            if let Some(answered) = ports.answered.take_if(|_| matches!(event, TimelineEvent::Answered)) {
                answered();
            }
            ports.watchers.retain(|watch| !watch.is_closed());
            for watch in &ports.watchers {
                let _ = watch.try_send(event.clone());
            }
        }
        Output::OptOut(opt_out) => ports.do_not_call.close(opt_out).await,
        Output::Join { leg } => {
            if let Err(error) = ports.media.bridge(ports.leg, leg) {
                error!(%error, "the caller could not be joined with who takes them");
            }
        }
        Output::Entertain { group } => {
            let sound = ports.music.for_group(group.as_deref());
            order(ports, MediaCommand::Background { sound });
        }
        Output::Hold(_)
        | Output::Consult(_)
        | Output::Queue(_)
        | Output::Consulted(_)
        | Output::Message(_)
        | Output::Finished(_) => {
            unreachable!("the loop has done it")
        }
    }
    Vec::new()
}

/// Keeps what the caller says in this file, or no longer, or removes that file.
async fn message(ports: &Ports, wanted: MessageOrder, file: PathBuf) {
    match wanted {
        MessageOrder::Begin { .. } => order(ports, MediaCommand::Record { path: file }),
        MessageOrder::End => order(ports, MediaCommand::EndRecord),
        MessageOrder::Forget { path } => {
            let removed = tokio::task::spawn_blocking(move || std::fs::remove_file(path)).await;
            if let Ok(Err(error)) = removed {
                warn!(%error, "a message that nobody wants could not be removed");
            }
        }
    }
}

/// Plays what is ready. Gives back what will never be heard.
fn speak(ports: &Ports, ready: Vec<Said>) -> Vec<Input> {
    let mut silent = Vec::new();
    for said in ready {
        match said {
            Said::Play(command) => order(ports, command),
            Said::Silent(play) => silent.push(unsaid(ports, play, PlayEnd::Completed)),
        }
    }
    silent
}

/// A prompt that media never got.
fn unsaid(ports: &Ports, play: PlayId, end: PlayEnd) -> Input {
    let at = ports.clock.now().mono;
    Input::Media(MediaEvent::PromptFinished { play, played_ms: 0, total_ms: 0, end, at })
}

/// Tells whoever gave an order whether it is taken. `Some` when it is.
fn take_order(call: &Call, ports: &mut Ports, ordered: Ordered) -> Option<Order> {
    let Ordered { order, reply, watch } = ordered;
    let judged = call.judge(&order);
    if judged.is_ok() && ports.watchers.len() < WATCHERS {
        ports.watchers.extend(watch);
    }
    let taken = judged.is_ok().then_some(order);
    // Whoever asked may be gone; what was ordered is done all the same.
    let _ = reply.send(judged);
    taken
}

/// What the other call reports; its silence is its end.
async fn news_of(consultation: &mut Option<Consultation>) -> Option<Consulted> {
    let other = consultation.as_mut()?;
    match other.news.recv().await {
        Some(news) => Some(news),
        None => {
            // A bug of ours has taken that call down; this one must not wait for it.
            *consultation = None;
            Some(Consulted::Over { status: 500 })
        }
    }
}

/// Tells the media thread. An order that does not get through is not retried: every wait of the core has a deadline.
fn order(ports: &Ports, command: MediaCommand) {
    if let Err(error) = ports.media.command(ports.leg, command) {
        error!(%error, "an order to the media thread was lost");
    }
}

/// Recognitions this call has asked for.
struct Jobs {
    /// Ended with the call.
    errands: JoinSet<()>,
    running: BTreeMap<(UtteranceId, u32), Cancel>,
    heard: mpsc::Sender<Input>,
}

impl Jobs {
    fn cancel_all(&self) {
        self.running.values().for_each(Cancel::cancel);
    }
}

/// Settles what an event says about media. Gives back what the call must know of it, before the event itself.
async fn settle(ports: &mut Ports, event: &LegEvent) -> Option<Input> {
    let settled = ports.agreement.handle(event);
    carry(ports, settled).await
}

/// Puts the far end on hold, or takes it back.
async fn hold(ports: &mut Ports, hold: bool) -> Option<Input> {
    let settled = ports.agreement.hold(hold);
    if settled.reply.is_some() {
        let sound = ports.music.hold.clone();
        order(ports, if hold { MediaCommand::Hold { sound } } else { MediaCommand::Resume });
    }
    carry(ports, settled).await
}

/// Presses keys towards the far end, in the way it takes them.
async fn press(ports: &Ports, keys: Vec<Digit>) {
    match ports.agreement.takes_events() {
        Some(true) => order(ports, MediaCommand::SendKeys { keys, tone_ms: TONE_MS, gap_ms: GAP_MS }),
        Some(false) => {
            for digit in keys {
                let command = LegCommand::SendKey { digit, duration_ms: TONE_MS };
                if ports.commands.send(command).await.is_err() {
                    debug!("signalling is gone; keys are moot");
                }
            }
        }
        None => debug!("nobody is there to press keys for"),
    }
}

async fn carry(ports: &Ports, settled: Settled) -> Option<Input> {
    let Settled { reply, next, params, input } = settled;
    if let Some(params) = params {
        order(ports, MediaCommand::Renegotiate { params });
    }
    for command in [next, reply].into_iter().flatten() {
        if ports.commands.send(command).await.is_err() {
            debug!("signalling is gone; an answer is moot");
        }
    }
    input
}

/// Milestones for a reader holding a call id; the words stay in the record.
fn log(event: &TimelineEvent) {
    match event {
        TimelineEvent::Ringing => debug!("ringing"),
        TimelineEvent::Answered => info!("answered"),
        TimelineEvent::Held => info!("on hold"),
        TimelineEvent::Resumed => info!("hold is over"),
        TimelineEvent::Consulting => info!("calling whom the far end shall be sent to"),
        TimelineEvent::TakenOver => info!("another telephone goes on with the call"),
        TimelineEvent::StandsBy => debug!("standing by"),
        TimelineEvent::Waiting { group } => info!(group, "waiting for an agent"),
        TimelineEvent::Joined { agent } => info!(agent, "joined with a person"),
        TimelineEvent::HandedBack { end } => info!(end, "back with the plan"),
        TimelineEvent::Transferring => info!("sending the far end on"),
        TimelineEvent::TransferFailed { status } => info!(status, "the far end could not be sent on"),
        TimelineEvent::BotSaid { step, .. } => debug!(step, "prompt began"),
        TimelineEvent::CallerSaid { confidence, meaning, barge_in, .. } => {
            debug!(confidence, meaning, barge_in, "caller spoke");
        }
        TimelineEvent::Keys { meaning, .. } => debug!(meaning, "caller pressed keys"),
        TimelineEvent::NoInput => debug!("caller said nothing"),
        TimelineEvent::Waits { step } => debug!(step, "the caller waits"),
        TimelineEvent::Replied { latency } => debug!(total_ms = latency.total_ms, "reply began"),
        TimelineEvent::PlanFault { step, why } => warn!(step, why, "the plan does not work as written"),
        TimelineEvent::Ended { end } => info!(?end, "ended"),
    }
}
