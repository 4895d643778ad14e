//! Media, seen from the rest of the product: what a call asks of the 20 ms threads and what they report.
//!
//! Frames stay, events travel: a turn costs about five messages, a frame none. Everything per leg is a pure
//! `session` (receiver, playout, VAD, endpointer, capture); `driver` owns the threads, the sockets, the port pool
//! and the clock, `recorder` drains the rings into WAV files.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audio::Pcm;
use crate::id::{LegId, PlayId, UtteranceId};
use crate::rtp::jitter::JitterConfig;
use crate::rtp::{Codec, Digit, Quality, StreamParams};

pub mod barge_in;
pub mod bridge;
pub mod capture;
pub mod driver;
pub mod ear;
pub mod endpointer;
#[cfg(test)]
mod fixtures;
pub mod hold;
pub mod playout;
pub mod recorder;
pub mod rescue;
pub mod session;
pub mod vad;

/// May the caller stop a prompt?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BargeIn {
    /// No: it is heard to its end (`protected` prompts). Keys pressed meanwhile are kept.
    Off,
    /// By a key only.
    Keys,
    /// By a key or by speech.
    #[default]
    Speech,
}

/// How the endpointer listens. The call sets it per question; the default serves between questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Silence after which the utterance so far is offered for recognition.
    pub offer_after: Duration,
    /// Silence after which an utterance that nobody committed is closed anyway.
    pub close_after: Duration,
    /// Longest utterance; then it is cut and offered (hold music, a television).
    pub longest: Duration,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            offer_after: Duration::from_millis(260),
            close_after: Duration::from_millis(3_000),
            longest: Duration::from_secs(15),
        }
    }
}

/// What the call asks of its leg's media.
#[derive(Clone, Debug)]
pub enum MediaCommand {
    /// Queue a prompt behind those already playing.
    Play {
        /// Reported back in [`MediaEvent::PromptStarted`] and [`MediaEvent::PromptFinished`].
        play: PlayId,
        /// Any rate; resampled off the media thread before it is sent here.
        audio: Arc<Pcm>,
        /// Who may stop it.
        barge_in: BargeIn,
    },
    /// Stop and drop every prompt now; each is reported finished.
    Flush,
    /// Listen like this from now on.
    Listen(Listen),
    /// The call has taken the utterance: what comes after is a new one.
    Commit {
        /// The one offered.
        utterance: UtteranceId,
    },
    /// Another agreement holds from now on (the answer to a late offer).
    Renegotiate {
        /// What was settled.
        params: StreamParams,
    },
    /// Put the caller on hold: prompts wait where they are, nothing said is listened to (keys still are), and this is
    /// heard instead, over and over. Given again, another sound takes over.
    Hold {
        /// Any rate; resampled like a prompt. `None`: silence.
        sound: Option<Arc<Pcm>>,
    },
    /// Hold is over: prompts and listening go on.
    Resume,
    /// Let this be heard, over and over, wherever no prompt is: a caller who waits is still listened to. `None`: no
    /// more.
    Background {
        /// Any rate; resampled like a prompt.
        sound: Option<Arc<Pcm>>,
    },
    /// The bridge with another leg ([`driver::MediaHandle::bridge`]) is over.
    Unbridge,
    /// Press keys, one after the other, behind those still waiting (RFC 4733): prompts wait meanwhile. What the far end
    /// takes no keys for, or what exceeds a few dozen, is not pressed, and a warning in the log.
    SendKeys {
        /// Which.
        keys: Vec<Digit>,
        /// How long each sounds, milliseconds.
        tone_ms: u32,
        /// How long it is silent after each.
        gap_ms: u32,
    },
    /// Keep what comes out of the recording: neither side is written, silence stands in its place. What the caller has
    /// said or pressed since then is taken out as well, though it may be on the disk already.
    PauseRecording {
        /// From when on the caller is not to be heard in it.
        since: Instant,
    },
    /// Record again: us at once, the caller as soon as what was begun has ended.
    ResumeRecording,
    /// Keep what the far end says from now on in a file of its own; [`MediaEvent::Recorded`] tells what became of it.
    /// Given again, the file before is closed.
    Record {
        /// Final path.
        path: PathBuf,
    },
    /// Enough of that.
    EndRecord,
    /// Stop sending and receiving, finish the recording, report [`MediaEvent::Closed`].
    Close,
}

/// How a prompt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayEnd {
    /// To its last frame.
    Completed,
    /// The caller spoke.
    BargedIn,
    /// A key was pressed.
    Keyed,
    /// [`MediaCommand::Flush`] or [`MediaCommand::Close`].
    Flushed,
}

/// A stretch of speech, offered to be recognised while the caller may or may not go on.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Same for all offers of one utterance.
    pub utterance: UtteranceId,
    /// 0 for the first offer; one more each time the caller went on and paused again.
    pub revision: u32,
    /// From the pre-roll to the last voiced frame and a little after, at the leg's sample rate.
    pub audio: Arc<Pcm>,
    /// When the first voiced frame arrived.
    pub began_at: Instant,
    /// When the last voiced frame arrived: silence is counted from here.
    pub ended_at: Instant,
    /// The prompt that was playing when the utterance began, if any.
    pub during: Option<PlayId>,
    /// The utterance ran into [`Listen::longest`] and was cut.
    pub cut: bool,
}

/// What a leg's media reports to its call.
#[derive(Clone, Debug)]
pub enum MediaEvent {
    /// A key, once per press (RFC 4733 retransmissions folded).
    Digit {
        /// Which.
        digit: Digit,
        /// When its first packet arrived.
        at: Instant,
    },
    /// Confirmed speech began (not mere noise). An armed prompt has been stopped by now.
    SpeechStarted {
        /// New.
        utterance: UtteranceId,
        /// Arrival of the first voiced frame.
        at: Instant,
    },
    /// A pause: recognise this.
    Offered(Offer),
    /// The caller went on: the last offer of this utterance is stale.
    Resumed {
        /// The one offered.
        utterance: UtteranceId,
    },
    /// [`Listen::close_after`] passed since the last offer, which stands.
    SpeechEnded {
        /// The one offered.
        utterance: UtteranceId,
    },
    /// The first packet of a prompt has been handed to the socket.
    PromptStarted {
        /// Which.
        play: PlayId,
        /// Length of the whole prompt.
        total_ms: u64,
        /// When.
        at: Instant,
    },
    /// A prompt is over.
    PromptFinished {
        /// Which.
        play: PlayId,
        /// Milliseconds actually handed to the socket: the proof for protected prompts.
        played_ms: u64,
        /// Length of the whole prompt.
        total_ms: u64,
        /// Why it ended.
        end: PlayEnd,
        /// When.
        at: Instant,
    },
    /// What became of the file of [`MediaCommand::Record`].
    Recorded(Recording),
    /// Every key of [`MediaCommand::SendKeys`] has been pressed and let go, or refused.
    KeysSent,
    /// Neither RTP nor RTCP for the configured time; again each time it has passed once more.
    RtpTimeout {
        /// How long nothing has come.
        silent_for: Duration,
    },
    /// The last event: the leg's ports are back in the pool (resting), the recording is closed.
    Closed(MediaSummary),
}

/// What remains of a leg's media.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct MediaSummary {
    /// RTP packets accepted.
    pub packets_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// Expected but never arrived (RFC 3550 A.3).
    pub lost: u64,
    /// Arrived too late to be played.
    pub late: u64,
    /// Refused: wrong source, wrong SSRC, malformed.
    pub refused: u64,
    /// Interarrival jitter, RFC 3550 §6.4.1, milliseconds.
    pub jitter_ms: f64,
    /// Ticks that came more than half a frame late.
    pub late_ticks: u64,
    /// What became of the recording.
    pub recording: Recording,
    /// For how long the caller was kept out of it, milliseconds.
    #[serde(default)]
    pub recording_paused_ms: u64,
    /// What we sent last; `None` when no media was ever opened.
    #[serde(default)]
    pub codec: Option<Codec>,
    /// How the sound was secured (the SRTP suite's name); `None`: it was not.
    #[serde(default)]
    pub secured: Option<String>,
    /// How good the line was. In a box, because events of this size wait by the dozen.
    #[serde(default)]
    pub quality: Box<Quality>,
}

impl MediaSummary {
    /// Of media that did not say what became of it, which is all that is known then: `why`, in words.
    pub fn unreported(why: &str) -> Self {
        Self { recording: Recording::Failed { reason: why.to_owned() }, ..Self::default() }
    }
}

/// What became of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Recording {
    /// Not asked for.
    #[default]
    Off,
    /// Whole: caller left, bot right.
    Saved {
        /// Where.
        path: PathBuf,
    },
    /// Could not be kept; nothing that looks whole was left behind.
    Failed {
        /// In words.
        reason: String,
    },
}

/// What the recorder is asked to keep.
#[derive(Clone, Debug)]
pub struct RecordingRequest {
    /// Final path; written beside it under another name until it is whole.
    pub path: PathBuf,
}

/// A leg to be opened on a media thread.
#[derive(Debug)]
pub struct OpenLeg {
    /// Whose media.
    pub leg: LegId,
    /// What was negotiated.
    pub params: StreamParams,
    /// How long sound waits for packets that come late.
    pub jitter: JitterConfig,
    /// Keep a stereo recording.
    pub recording: Option<RecordingRequest>,
    /// SSRC, first sequence number and timestamp: random (RFC 3550 §5.1), from outside.
    pub random: u64,
    /// For spans; the id of the call.
    pub call: String,
}
