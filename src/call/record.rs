//! What remains of a call: plain data, filled by the call core, kept by the store, shown by `trunkline calls`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::disposition::Disposition;
use crate::dialplan::outcome::Outcome;
use crate::id::CallId;
use crate::language::Language;
use crate::media::MediaSummary;
use crate::pii::Pii;
use crate::sip::Reason;
use crate::sip::ladder::Ladder;

/// One call, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Ours.
    #[serde(with = "call_id")]
    pub id: CallId,
    /// Who asked whom.
    pub direction: Direction,
    /// Configured peer it came from.
    pub peer: String,
    /// SIP Call-ID.
    pub sip_call_id: String,
    /// Calling number, as the privacy setting keeps it.
    pub caller: Pii<String>,
    /// Called number, likewise.
    pub called: Pii<String>,
    /// Name of the plan, once one was chosen.
    pub plan: String,
    /// Its content hash.
    pub plan_version: String,
    /// INVITE seen.
    pub arrived_at: Timestamp,
    /// 200 sent.
    pub answered_at: Option<Timestamp>,
    /// Over.
    pub ended_at: Timestamp,
    /// Why it ended.
    pub end: CallEnd,
    /// What came of it, in one word, where we called.
    #[serde(default)]
    pub disposition: Option<Disposition>,
    /// `result:` of the hangup step reached, if any.
    pub result: Option<String>,
    /// Step names in the order visited.
    pub path: Vec<String>,
    /// The language in which it was held, at the end.
    #[serde(default)]
    pub language: Option<Language>,
    /// What came of it besides its end.
    #[serde(default)]
    pub outcomes: Vec<Outcome>,
    /// Every question asked and what came of it.
    pub turns: Vec<TurnRecord>,
    /// Everything we said.
    pub prompts: Vec<PromptRecord>,
    /// RTP counters and what became of the recording.
    pub media: MediaSummary,
    /// Its signalling, message by message.
    #[serde(default)]
    pub ladder: Ladder,
    /// Why the far end hung up, gave up or refused, in its own words (RFC 3326).
    #[serde(default)]
    pub reason: Option<Reason>,
    /// The call it was made for, where it asked somebody before a transfer.
    #[serde(default, with = "call_id::optional")]
    pub made_for: Option<CallId>,
}

/// Somebody has just asked not to be called again: it holds at once, not only when the call is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOut {
    /// In this call.
    pub call: CallId,
    /// When.
    pub at: Timestamp,
    /// The number that is closed.
    pub number: Pii<String>,
    /// [`EVERYWHERE`](crate::dialplan::outcome::EVERYWHERE), or the name of one plan or campaign.
    pub scope: String,
    /// In their words, or the keys.
    pub said: Pii<String>,
}

/// Who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// They called us.
    Inbound,
    /// We called them.
    Outbound,
}

/// Why a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why", content = "detail")]
pub enum CallEnd {
    /// The plan reached its end.
    Completed,
    /// The far end hung up first: the caller, or whom we called.
    CallerHungUp,
    /// The caller gave up before we answered.
    Cancelled,
    /// We refused it with this status.
    Rejected(u16),
    /// They refused it with this status.
    Refused(u16),
    /// We called, and nobody answered in time.
    NoAnswer,
    /// We called, and no way there took the call: why, in a sentence, where it is known.
    Unreachable(Option<String>),
    /// We sent the caller on to somebody else.
    Transferred,
    /// The far end was gone without a word (RFC 4028).
    Expired,
    /// Somebody ended it from outside.
    Interrupted,
    /// Our answer was never acknowledged.
    NoAck,
    /// No RTP came for the configured time.
    NoMedia,
    /// We are shutting down.
    Drained,
    /// A fault of ours, in words.
    Failed(String),
}

/// One asking of one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnRecord {
    /// The step that asked.
    pub step: String,
    /// Which of its questions.
    #[serde(default)]
    pub quest: u32,
    /// The language in which it was asked; unknown of calls from before this was kept.
    #[serde(default)]
    pub language: Option<Language>,
    /// 1 for the first asking; 0 where it was not asked, because the caller had said it before.
    pub attempt: u32,
    /// Milliseconds from the answer to the caller's first voiced frame, first key, or the no-input.
    pub at_ms: u64,
    /// What came of it.
    pub outcome: TurnOutcome,
    /// Option, universal or slot understood, such as `balance`, `$operator`.
    pub meaning: Option<String>,
    /// Words recognised (absent for sensitive questions).
    pub heard: Option<Pii<String>>,
    /// Keys pressed (absent for sensitive questions).
    pub keys: Option<Pii<String>>,
    /// 0..1, for speech.
    pub confidence: Option<f32>,
    /// Milliseconds into the prompt at which the caller interrupted it.
    pub barge_in_ms: Option<u64>,
    /// Where the time went, once the reply has begun.
    pub latency: Option<Latency>,
}

/// What came of one asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnOutcome {
    /// Understood from speech.
    Speech,
    /// Answered by key.
    Keys,
    /// Words that fit nothing.
    NoMatch,
    /// Silence.
    NoInput,
    /// The recogniser failed or was busy.
    Error,
    /// The call ended while we waited.
    HungUp,
}

/// From the end of the caller's words to the first packet of our reply, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Last voiced frame to the commit, less the parts below: waiting to be sure the caller had finished.
    pub endpointing_ms: f64,
    /// Waiting for a recognition worker.
    pub queue_ms: f64,
    /// Recognising (runs inside the pause: it adds only what the pause does not cover).
    pub recognition_ms: f64,
    /// Matching words to meanings.
    pub understanding_ms: f64,
    /// Commit to first reply packet.
    pub first_packet_ms: f64,
    /// Last voiced frame to first reply packet: what the caller waits.
    pub total_ms: f64,
}

/// One prompt we played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptRecord {
    /// The step that said it.
    pub step: String,
    /// The words.
    pub text: String,
    /// Milliseconds from the answer to its first packet; `None` if it never began.
    pub at_ms: Option<u64>,
    /// Milliseconds handed to the socket.
    pub played_ms: u64,
    /// Length of the whole.
    pub total_ms: u64,
    /// Had to be heard whole.
    pub protected: bool,
    /// The caller cut it short.
    pub interrupted: bool,
}

pub(crate) mod call_id {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::id::CallId;

    pub fn serialize<S: Serializer>(id: &CallId, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(id.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<CallId, D::Error> {
        let text = String::deserialize(from)?;
        CallId::parse(&text).ok_or_else(|| D::Error::custom("not a call id"))
    }

    pub mod optional {
        use super::{CallId, Deserialize, Deserializer, Error, Serializer};

        pub fn serialize<S: Serializer>(id: &Option<CallId>, to: S) -> Result<S::Ok, S::Error> {
            match id {
                Some(id) => to.serialize_some(id.as_str()),
                None => to.serialize_none(),
            }
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<CallId>, D::Error> {
            let text = Option::<String>::deserialize(from)?;
            let read = |text: String| CallId::parse(&text).ok_or_else(|| D::Error::custom("not a call id"));
            text.map(read).transpose()
        }
    }
}
