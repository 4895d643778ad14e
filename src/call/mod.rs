//! One call: where leg, turn and plan meet. A pure core; `driver` gives it ports.
//!
//! ```text
//! Input ──▶ Call::handle(input, now) ──▶ poll_output() ──▶ leg, media, recogniser, record
//!                     ▲                                   poll_timeout() ──▶ handle_timeout(now)
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::agents::handoff::Handoff;
use crate::agents::{Needs, Overflow};
use crate::audio::Pcm;
use crate::dialplan::plan::Plan;
use crate::dialplan::scope::Variables;
use crate::dialplan::step::{Done, Errand};
use crate::id::{CallId, LegId, PlayId, UtteranceId};
use crate::language::Language;
use crate::media::{BargeIn, MediaCommand, MediaEvent};
use crate::pii::Pii;
use crate::rtp::Digit;
use crate::sip::{LegCommand, LegEvent};
use crate::speech::{RecognizeError, Utter};
use crate::understand::NBest;

mod discretion;
pub mod disposition;
pub mod driver;
mod errand;
mod floor;
mod handing;
mod leg;
mod machine;
mod message;
pub mod record;
pub mod registry;
mod scribe;
mod transfer;
pub mod turn;

pub use machine::Call;

/// What the caller's answers to sensitive questions look like in timelines.
pub const HIDDEN: &str = "(hidden)";

/// A call as it arrives: everything its core must know.
#[derive(Clone, Debug)]
pub struct CallSetup {
    /// Ours.
    pub id: CallId,
    /// Who calls whom.
    pub direction: record::Direction,
    /// The plan it will run, pinned for its whole life.
    pub plan: Arc<Plan>,
    /// What the caller is expected to speak; the plan's nearest is used.
    pub language: Language,
    /// Configured peer it came from.
    pub peer: String,
    /// Calling number, as the record may keep it.
    pub caller: Pii<String>,
    /// Called number, likewise.
    pub called: Pii<String>,
    /// SIP Call-ID.
    pub sip_call_id: String,
    /// INVITE seen, or sent.
    pub arrived_at: Timestamp,
    /// Our session description where they call: the answer to their offer, or our offer when they sent none.
    pub sdp: String,
    /// No call lasts longer than this; then it is ended politely.
    pub longest: Duration,
    /// Where it is what time it is, for plans that do not say.
    pub zone: TimeZone,
    /// What stands for the secrets of the house in the requests of plans.
    pub markers: Arc<BTreeMap<String, String>>,
    /// What is known of the person before the call, by name: may be personal.
    pub variables: Variables,
    /// A consultation: when its plan is through it stands by for that long, to be taken over, instead of hanging up.
    pub stands_by: Option<Duration>,
    /// The call it is made for, where it is a consultation.
    pub made_for: Option<CallId>,
}

impl CallSetup {
    /// The number at the other end of the line; empty where it was not told.
    pub const fn far_end(&self) -> &Pii<String> {
        match self.direction {
            record::Direction::Inbound => &self.caller,
            record::Direction::Outbound => &self.called,
        }
    }
}

/// What a deadline is for, for traces and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The caller has been silent for the question's `wait`.
    NoInput,
    /// No more keys came.
    InterDigit,
    /// The pause is long enough: what was understood counts.
    Commit,
    /// The recogniser owes an answer.
    Recogniser,
    /// Speech that media never ends.
    EndlessSpeech,
    /// A prompt that media never reports finished.
    Prompt,
    /// Our 200 is neither acknowledged nor given up by the leg.
    Acknowledge,
    /// An errand's filler, or its end.
    Errand,
    /// Nobody answers, and the leg does not say so.
    Ring,
    /// The leg owes its end.
    LegEnd,
    /// Media owes its summary.
    MediaEnd,
    /// The call has lasted as long as any may.
    Longest,
    /// An attended transfer that nobody reports on.
    Transfer,
    /// Nobody has taken over the call that stands by.
    StandBy,
}

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Input {
    /// Its leg reports.
    Leg(LegEvent),
    /// Its media reports.
    Media(MediaEvent),
    /// Recognition of an offer is done, or failed.
    Heard {
        /// The offer's utterance.
        utterance: UtteranceId,
        /// The offer's revision.
        revision: u32,
        /// What came of it.
        result: Result<NBest, RecognizeError>,
    },
    /// One end has put the other on hold (true), or takes it back.
    Held(bool),
    /// No media can be agreed on with the far end; why, in words.
    Incompatible(String),
    /// Somebody wants something of this call that it can do ([`Call::judge`]).
    Order(Order),
    /// News of the one that the far end shall be sent to.
    Consulted(Consulted),
    /// What came of [`Output::Errand`].
    ErrandDone {
        /// Which.
        id: u64,
        /// What.
        done: Box<Done>,
    },
    /// Shutting down: say goodbye and hang up.
    Drain,
}

/// What somebody outside may want of a live call.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// End it now.
    Hangup,
    /// Put the far end on hold; it hears the hold music.
    Hold,
    /// Take it back.
    Resume,
    /// Press keys towards the far end: as telephone-events where they were agreed on, else by INFO.
    Keys(Pii<Vec<Digit>>),
    /// Send the far end on to somebody else (REFER); heard once it has answered.
    Transfer {
        /// Whom: a URI.
        to: String,
    },
    /// The same, but call the other one first: only who has answered is sent somebody.
    Attend(Consult),
}

/// Why a call does not take an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// Nobody is there yet to do it to.
    #[error("the call has not been answered yet")]
    NotAnswered,
    /// It is as good as over.
    #[error("the call is ending")]
    Ending,
    /// One thing at a time.
    #[error("the far end is being sent on already")]
    Transferring,
    /// The same, of the plan's own.
    #[error("the plan waits for something that is done for the caller; try again in a moment")]
    Busy,
}

/// Somebody to be called before the far end is sent there, or joined with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Consult {
    /// Whom: a URI, or a number where there is a trunk.
    pub to: Pii<String>,
    /// Through which trunk; absent: for a number, the one that this call goes through.
    pub trunk: Option<Arc<str>>,
    /// What they are told when they answer; absent: nothing.
    pub briefing: Option<Pii<String>>,
    /// How long it may ring.
    pub ring: Duration,
    /// They are told this instead, and asked whether they want the call.
    pub introduction: Option<Box<Introduction>>,
}

/// What is known of a caller, for the person who is asked to take them.
#[derive(Clone, Debug, PartialEq)]
pub struct Introduction {
    /// For their screen, and for machines.
    pub handoff: Handoff,
    /// The plan's own words for their ear, by language; none: a sentence of the engine's.
    pub words: Vec<(Language, Pii<String>)>,
    /// Their number, whoever called.
    pub number: Pii<String>,
}

/// Somebody of a group to be found for the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// Whom.
    pub needs: Needs,
    /// What they are told.
    pub introduction: Introduction,
}

/// What becomes of the other call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The far end has taken over its leg.
    TakenOver,
    /// Its leg is joined with the far end's: it goes on.
    Bridged,
    /// It is wanted no more.
    Over,
}

/// What a consultation reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consulted {
    /// They have answered and know: their leg may be taken over.
    Ready {
        /// Which.
        leg: LegId,
    },
    /// The caller waits in this place, and may wait so long yet.
    Place {
        /// 1: next.
        position: usize,
        /// As far as can be told.
        wait: Duration,
    },
    /// An agent takes the caller; their leg follows.
    Taken {
        /// Who.
        agent: Arc<str>,
        /// How long that took.
        waited: Duration,
    },
    /// No agent comes.
    Left {
        /// Why.
        why: Overflow,
    },
    /// Nobody took it, or they are gone.
    Over {
        /// As a SIP status.
        status: u16,
    },
    /// They were not even called, for want of something of ours: a seat, a port, a line of the trunk, words to say.
    Untried {
        /// As a SIP status.
        status: u16,
    },
}

/// What a call wants with a message that the caller leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageOrder {
    /// Keep what they say from now on in a file of its own.
    Begin {
        /// 1 for the first of the call.
        number: u32,
    },
    /// Enough.
    End,
    /// Remove this file: nobody has said anything.
    Forget {
        /// Which.
        path: PathBuf,
    },
}

/// What a call wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Signalling.
    Leg(LegCommand),
    /// Speak. Reported back by [`MediaEvent::PromptStarted`] and [`MediaEvent::PromptFinished`]. Words that could
    /// not be made into sound are reported finished with nothing of nothing played (`played_ms: 0, total_ms: 0`).
    Play {
        /// Unique within the call.
        play: PlayId,
        /// What.
        utter: Utter,
        /// Who may stop it.
        barge_in: BargeIn,
    },
    /// Any other media command.
    Media(MediaCommand),
    /// Put the far end on hold, or take it back; [`Input::Held`] tells when that changes something.
    Hold(bool),
    /// Have somebody called whom the far end shall be sent to; answered by [`Input::Consulted`].
    Consult(Consult),
    /// Have an agent found for the caller; answered by [`Input::Consulted`].
    Queue(Box<Wish>),
    /// What becomes of that other call.
    Consulted(Verdict),
    /// Join the far end's sound with that of the other call.
    Join {
        /// Its leg.
        leg: LegId,
    },
    /// Let the far end hear music, or a ringing tone, between our words.
    Entertain {
        /// Whose music; `None`: the house's.
        group: Option<Arc<str>>,
    },
    /// A message of the caller's own: answered by [`MediaEvent::Recorded`].
    Message(MessageOrder),
    /// Have this done; answer with [`Input::ErrandDone`].
    Errand {
        /// Unique within the call.
        id: u64,
        /// What.
        errand: Errand,
    },
    /// Recognise an offer; answer with [`Input::Heard`].
    Recognize {
        /// The offer's utterance.
        utterance: UtteranceId,
        /// The offer's revision.
        revision: u32,
        /// What the caller speaks here.
        language: Language,
        /// The sound.
        audio: Arc<Pcm>,
    },
    /// The result is no longer wanted.
    CancelRecognize {
        /// The offer's utterance.
        utterance: UtteranceId,
        /// The offer's revision.
        revision: u32,
    },
    /// Somebody asks not to be called again: keep that now. The record says so once more.
    OptOut(record::OptOut),
    /// Something a person watching would want to see, as it happens.
    Timeline(TimelineEvent),
    /// The call is over and this remains. Always the last output.
    Finished(Box<record::CallRecord>),
}

/// One line of a live transcript.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum TimelineEvent {
    /// 180 sent, or come.
    Ringing,
    /// 200 acknowledged.
    Answered,
    /// One end has put the other on hold.
    Held,
    /// Hold is over.
    Resumed,
    /// The one it shall be sent to is being called.
    Consulting,
    /// Another telephone of the far end's side has taken the call over; it goes on there.
    TakenOver,
    /// The plan is through; the call waits to be taken over.
    StandsBy,
    /// The caller waits for an agent.
    Waiting {
        /// Of which group.
        group: String,
    },
    /// The caller talks to a person.
    Joined {
        /// Who, where it is an agent.
        agent: Option<String>,
    },
    /// The plan goes on with the caller.
    HandedBack {
        /// `served`, or why nobody took them.
        end: String,
    },
    /// It has been asked to go on to somebody else.
    Transferring,
    /// That came to nothing; the call goes on here.
    TransferFailed {
        /// What the far end, or the one it was sent to, said.
        status: u16,
    },
    /// A prompt began.
    BotSaid {
        /// The step.
        step: String,
        /// The words.
        text: String,
    },
    /// The caller's words were understood, or not.
    CallerSaid {
        /// What was recognised.
        heard: Pii<String>,
        /// 0..1.
        confidence: f32,
        /// Option, universal or slot; `None` when not understood.
        meaning: Option<String>,
        /// The caller interrupted the prompt.
        barge_in: bool,
    },
    /// The caller answered by key.
    Keys {
        /// Which.
        keys: Pii<String>,
        /// Option, universal or slot; `None` when they fit nothing.
        meaning: Option<String>,
    },
    /// The caller waits while something is done elsewhere.
    Waits {
        /// For which step.
        step: String,
    },
    /// The caller said nothing.
    NoInput,
    /// The reply to a turn has begun.
    Replied {
        /// Where the time went.
        latency: record::Latency,
    },
    /// Something of the plan did not work; the call goes on.
    PlanFault {
        /// The step in hand.
        step: String,
        /// Why, in a sentence without personal data.
        why: String,
    },
    /// Over.
    Ended {
        /// Why.
        end: record::CallEnd,
    },
}

#[cfg(test)]
mod tests;
