//! One asking of one question: from its first prompt packet to an answer, or to the reason why there is none.
//!
//! ```text
//!   prompt   ▓▓▓▓▓▓▓▓▓│        stopped when an armed prompt hears speech or a key
//!   caller          ░▒▒▒▒▒▒▒│░░░░░░░░░░░░│
//!   events      started ▲   │  ▲ offered │
//!   recogniser              │  ▒▒▒       │        runs inside the pause
//!   state     Prompting · Speaking · Thinking · Knowing ─▶ commit at ended_at + pause
//! ```
//!
//! Keys and speech are heard at once; the first complete answer wins. A result counts only for the revision it was
//! asked for: cancelling a recognition is an optimisation, that check is the correctness.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::call::Reason;
use crate::call::record::TurnOutcome;
use crate::dialplan::plan::{Plan, Question, StepIx};
use crate::dialplan::step::listen::Understood;
use crate::dialplan::step::{Answer, Hearing, Judged, Keyed, Quest};
use crate::id::UtteranceId;
use crate::language::Language;
use crate::media::{BargeIn, Listen, Offer};
use crate::pii::Pii;
use crate::rtp::Digit;
use crate::speech::RecognizeError;
use crate::understand::NBest;
use crate::understand::ending::Ending;

mod outcome;
mod pause;
mod tongues;

pub use self::outcome::{TurnEnd, TurnOutput};
use self::tongues::Tongues;

/// Silence after a key that ends an entry which could still grow.
const INTER_DIGIT: Duration = Duration::from_secs(3);
/// The recogniser owes an answer within this; then the turn goes on as if it had failed.
const RECOGNISER_PATIENCE: Duration = Duration::from_secs(8);
/// Speech that media neither offers nor ends within its longest utterance and this counts as noise.
const SPEECH_PATIENCE: Duration = Duration::from_secs(5);
/// Sounds without words may hold a question open for this long after its prompt; then they count as no match.
const NOISE_PATIENCE: Duration = Duration::from_secs(30);

/// How a turn is set up.
#[derive(Clone, Debug)]
pub struct TurnSetup {
    /// The plan in force.
    pub plan: Arc<Plan>,
    /// The step that asks.
    pub step: StepIx,
    /// Which of its questions.
    pub quest: usize,
    /// In which language and at which moment the answer is heard.
    pub hearing: Hearing,
    /// Is there a recogniser to ask?
    pub hears: bool,
    /// Who may stop the prompt.
    pub barge_in: BargeIn,
    /// A prompt is about to play; otherwise the caller has already begun to answer.
    pub aloud: bool,
}

/// One asking, as it goes on.
#[derive(Debug)]
pub struct Turn {
    setup: TurnSetup,
    prompt: PromptPhase,
    voice: Voice,
    typed: Pii<String>,
    first_key_at: Option<Instant>,
    last_key_at: Option<Instant>,
    /// The caller's last sound, word or not: silence is counted from here or from the prompt's end.
    last_sound: Option<Instant>,
    barge_in: Option<Duration>,
    outputs: VecDeque<TurnOutput>,
    done: bool,
}

#[derive(Clone, Copy, Debug)]
enum PromptPhase {
    /// Queued or playing.
    Playing { started_at: Option<Instant> },
    /// Over, or never played.
    Over { at: Instant },
}

#[derive(Debug)]
enum Voice {
    Quiet,
    /// The caller is speaking.
    Speaking {
        utterance: UtteranceId,
        since: Instant,
    },
    /// The caller has paused; the recogniser is at it.
    Thinking {
        offered: Offered,
        asked_at: Instant,
        tongues: Tongues,
    },
    /// The words are known; waiting to be sure that the caller has finished.
    Knowing {
        offered: Offered,
        known: Known,
        commit_at: Instant,
    },
}

#[derive(Clone, Copy, Debug)]
struct Offered {
    utterance: UtteranceId,
    revision: u32,
    began_at: Instant,
    ended_at: Instant,
    /// No more of it will come: it was cut, or media has closed it.
    closed: bool,
    cut: bool,
}

#[derive(Debug)]
struct Known {
    judged: Judged,
    /// Understood in this language instead of the call's.
    language: Option<Language>,
    /// What was recognised, where it is no secret.
    nbest: Option<NBest>,
    queued: Duration,
    ran: Duration,
}

impl Turn {
    /// Begins an asking at `now`.
    pub const fn new(setup: TurnSetup, now: Instant) -> Self {
        let prompt =
            if setup.aloud { PromptPhase::Playing { started_at: None } } else { PromptPhase::Over { at: now } };
        Self {
            setup,
            prompt,
            voice: Voice::Quiet,
            typed: Pii::new(String::new()),
            first_key_at: None,
            last_key_at: None,
            last_sound: None,
            barge_in: None,
            outputs: VecDeque::new(),
            done: false,
        }
    }

    /// How media should listen while this question is open.
    pub fn listen(&self) -> Listen {
        let question = self.question();
        let usual = Listen::default();
        Listen {
            // Recognition must be able to finish inside the pause, so never offer later than we may commit.
            offer_after: usual.offer_after.min(question.complete),
            close_after: usual.close_after.max(question.incomplete * 2),
            longest: usual.longest,
        }
    }

    /// A prompt of this asking has begun.
    pub const fn prompt_started(&mut self, at: Instant) {
        if let PromptPhase::Playing { started_at: started @ None } = &mut self.prompt {
            *started = Some(at);
        }
    }

    /// All prompts of this asking are over; listening begins if it has not.
    pub const fn prompts_over(&mut self, at: Instant) {
        if self.prompting() {
            self.prompt = PromptPhase::Over { at };
        }
    }

    /// Media has stopped a prompt of this asking because the caller spoke or pressed a key; which, is yet to come.
    pub fn prompt_cut(&mut self, at: Instant) {
        self.interrupt(at);
    }

    /// A key. The caller of this keeps keys back while a prompt that nobody may stop is playing.
    pub fn key(&mut self, digit: Digit, at: Instant) {
        if self.done {
            return;
        }
        self.interrupt(at);
        self.first_key_at.get_or_insert(at);
        self.last_key_at = Some(at);
        self.last_sound = Some(at);
        let mut typed = self.typed.reveal().clone();
        typed.push(digit.face());
        let verdict = self.quest().ear.keys(&typed, &self.setup.hearing);
        if verdict != Keyed::Ignored {
            self.typed = Pii::new(typed);
        }
        match verdict {
            Keyed::Complete(answer) => self.answered_by_key(answer),
            Keyed::Wrong => self.wrong_keys(at),
            Keyed::More(_) | Keyed::Ignored => {}
        }
    }

    /// Confirmed speech began, and may answer this question.
    pub fn speech_started(&mut self, utterance: UtteranceId, at: Instant, now: Instant) {
        if self.done {
            return;
        }
        self.interrupt(at);
        self.last_sound = Some(now);
        if self.settle_before(utterance, now) {
            self.voice = Voice::Speaking { utterance, since: now };
        }
    }

    /// The caller made a sound that is no answer (it began while nobody may interrupt).
    pub fn sound(&mut self, at: Instant) {
        self.last_sound = self.last_sound.max(Some(at));
    }

    /// A pause in speech that is no answer. If the prompt was cut and nothing else is being said or typed, this is
    /// all there is to wait for, so the question is asked again.
    pub fn disregarded(&mut self, offer: &Offer, now: Instant) {
        if self.done {
            return;
        }
        self.sound(offer.ended_at);
        let waiting = matches!(self.voice, Voice::Quiet) && self.typed.reveal().is_empty();
        if waiting && self.barge_in.is_some() {
            self.wordless(offer.began_at, now);
        }
    }

    /// A pause in speech that may answer this question.
    pub fn offered(&mut self, offer: &Offer, now: Instant) {
        if self.done {
            return;
        }
        self.interrupt(offer.began_at);
        self.last_sound = self.last_sound.max(Some(offer.ended_at));
        if !self.settle_before(offer.utterance, now) {
            return;
        }
        if !self.setup.hears {
            // Nobody here could understand it; the keys still work, and silence leads on.
            self.outputs.push_back(TurnOutput::Commit { utterance: offer.utterance });
            self.wordless(offer.began_at, now);
            return;
        }
        let (utterance, revision) = (offer.utterance, offer.revision);
        let audio = offer.audio.clone();
        self.outputs.push_back(TurnOutput::Recognize { utterance, revision, language: None, audio });
        let offered = Offered {
            utterance,
            revision,
            began_at: offer.began_at,
            ended_at: offer.ended_at,
            closed: offer.cut,
            cut: offer.cut,
        };
        let audio = self.question().any_language.then(|| offer.audio.clone());
        let tongues = Tongues { audio, ..Tongues::default() };
        self.voice = Voice::Thinking { offered, asked_at: now, tongues };
    }

    /// The caller went on: the last offer is stale.
    pub fn resumed(&mut self, utterance: UtteranceId, now: Instant) {
        if self.live_utterance() == Some(utterance) {
            self.drop_recognition();
            self.last_sound = Some(now);
            self.voice = Voice::Speaking { utterance, since: now };
        }
    }

    /// Media closed the utterance: the last offer stands.
    pub fn speech_ended(&mut self, utterance: UtteranceId, now: Instant) {
        match &mut self.voice {
            Voice::Speaking { utterance: live, .. } if *live == utterance => {
                self.voice = Voice::Quiet;
                self.last_sound = Some(now);
            }
            Voice::Thinking { offered, .. } if offered.utterance == utterance => offered.closed = true,
            Voice::Knowing { offered, .. } if offered.utterance == utterance => self.commit(now),
            Voice::Quiet | Voice::Speaking { .. } | Voice::Thinking { .. } | Voice::Knowing { .. } => {}
        }
    }

    /// What recognition says of an offer. Results for anything but the offer in hand are stale and ignored.
    pub fn heard(
        &mut self,
        utterance: UtteranceId,
        revision: u32,
        result: Result<NBest, RecognizeError>,
        now: Instant,
    ) {
        let Voice::Thinking { offered, .. } = self.voice else { return };
        if self.done || (offered.utterance, offered.revision) != (utterance, revision) {
            return;
        }
        if self.try_next_language(result.as_ref().ok(), now) {
            return;
        }
        let first = self.first_words();
        match (result, first) {
            (Ok(nbest), Some(first)) if !self.settles(&nbest) => self.judge(offered, &first, now),
            (Ok(nbest), _) => self.judge(offered, &nbest, now),
            (Err(_), Some(first)) => self.judge(offered, &first, now),
            (Err(error), None) => self.failed_to_hear(offered, error, now),
        }
    }

    /// The far end has put us on hold. What it has finished saying counts; what it was saying is given up.
    pub fn hold(&mut self, now: Instant) {
        match &mut self.voice {
            Voice::Quiet => {}
            Voice::Speaking { utterance, .. } => {
                self.outputs.push_back(TurnOutput::Commit { utterance: *utterance });
                self.voice = Voice::Quiet;
            }
            Voice::Thinking { offered, .. } => offered.closed = true,
            Voice::Knowing { .. } => self.commit(now),
        }
    }

    /// It has taken us back: every wait begins anew.
    pub fn resume(&mut self, now: Instant) {
        self.last_sound = Some(now);
        if let PromptPhase::Over { at } = &mut self.prompt {
            *at = now;
        }
        if let Some(at) = &mut self.last_key_at {
            *at = now;
        }
        if let Voice::Thinking { asked_at, .. } = &mut self.voice {
            *asked_at = now;
        }
    }

    /// What this turn wants done.
    pub fn poll_output(&mut self) -> Option<TurnOutput> {
        self.outputs.pop_front()
    }

    /// When [`Turn::handle_timeout`] is due, and what for.
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        if self.done {
            return None;
        }
        let keys = self.last_key_at.filter(|_| !self.typed.reveal().is_empty());
        let keys = keys.map(|at| (at + INTER_DIGIT, Reason::InterDigit));
        let voice = match &self.voice {
            Voice::Speaking { since, .. } => {
                Some((*since + self.listen().longest + SPEECH_PATIENCE, Reason::EndlessSpeech))
            }
            Voice::Thinking { asked_at, .. } => Some((*asked_at + RECOGNISER_PATIENCE, Reason::Recogniser)),
            Voice::Knowing { commit_at, .. } => Some((*commit_at, Reason::Commit)),
            Voice::Quiet if keys.is_none() => self.no_input_at().map(|at| (at, Reason::NoInput)),
            Voice::Quiet => None,
        };
        [keys, voice].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Does what is due at `now`; nothing when it is early.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some((_, reason)) = self.poll_timeout().filter(|(at, _)| *at <= now) else { return };
        match (reason, &self.voice) {
            (Reason::InterDigit, _) => match self.quest().ear.keys(self.typed.reveal(), &self.setup.hearing) {
                Keyed::Complete(answer) | Keyed::More(Some(answer)) => self.answered_by_key(answer),
                Keyed::More(None) | Keyed::Wrong | Keyed::Ignored => self.wrong_keys(now),
            },
            (Reason::Commit, _) => self.commit(now),
            (Reason::Recogniser, Voice::Thinking { offered, .. }) => {
                let (offered, waited) = (*offered, RECOGNISER_PATIENCE.as_secs());
                self.drop_recognition();
                let error = RecognizeError::Failed(format!("no answer within {waited} s"));
                self.failed_to_hear(offered, error, now);
            }
            (Reason::EndlessSpeech, Voice::Speaking { utterance, since }) => {
                let (utterance, since) = (*utterance, *since);
                self.outputs.push_back(TurnOutput::Commit { utterance });
                self.wordless(since, now);
            }
            _ => self.silent(now),
        }
    }

    /// Is the caller being listened to in silence: prompts over, nothing said or typed that is not settled?
    pub fn idle(&self) -> bool {
        !self.done && !self.prompting() && matches!(self.voice, Voice::Quiet) && self.typed.reveal().is_empty()
    }

    /// Has something come of it?
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// Ends the turn from outside: the call is over. The utterance in hand, if any, is given up.
    pub fn abandon(&mut self, now: Instant) -> TurnEnd {
        self.done = true;
        self.drop_recognition();
        self.blank(TurnOutcome::HungUp, now)
    }

    /// A new utterance means that the one before it has ended: what is known of that counts first. Returns whether
    /// the new one may be listened to.
    fn settle_before(&mut self, utterance: UtteranceId, now: Instant) -> bool {
        match &mut self.voice {
            Voice::Thinking { offered, .. } if offered.utterance != utterance => {
                offered.closed = true;
                return false;
            }
            Voice::Knowing { offered, .. } if offered.utterance != utterance => self.commit(now),
            Voice::Quiet | Voice::Speaking { .. } | Voice::Thinking { .. } | Voice::Knowing { .. } => {}
        }
        self.drop_recognition();
        !self.done
    }

    fn judge(&mut self, offered: Offered, nbest: &NBest, now: Instant) {
        let Understood { judged, language } = self.understand(nbest);
        let question = self.question();
        let heard = judged.heard.as_ref();
        let ending = heard.map_or(Ending::Unknown, |words| Ending::of(words.reveal(), &self.setup.hearing.language));
        let pause = pause::pause_for(&judged, ending, question);
        let commit_at = if offered.closed { now } else { offered.ended_at + pause };
        let open = (!self.quest().ear.sensitive()).then(|| nbest.clone());
        let known = Known { judged, language, nbest: open, queued: nbest.queued, ran: nbest.ran };
        self.voice = Voice::Knowing { offered, known, commit_at };
        if commit_at <= now {
            self.commit(now);
        }
    }

    /// The caller has finished: what was known counts.
    fn commit(&mut self, now: Instant) {
        let voice = std::mem::replace(&mut self.voice, Voice::Quiet);
        let Voice::Knowing { offered, known, .. } = voice else {
            self.voice = voice;
            return;
        };
        self.outputs.push_back(TurnOutput::Commit { utterance: offered.utterance });
        let Known { judged, language, nbest, queued, ran } = known;
        if judged.answer.is_none() && !self.typed.reveal().is_empty() {
            // Muttering while typing: the keys will tell.
            return;
        }
        if judged.heard.is_none() && !offered.cut {
            self.wordless(offered.began_at, now);
            return;
        }
        let outcome = if judged.answer.is_some() { TurnOutcome::Speech } else { TurnOutcome::NoMatch };
        let end = TurnEnd {
            answer: judged.answer,
            meaning: judged.meaning,
            rejected: judged.rejected,
            heard: judged.heard,
            language,
            nbest,
            confidence: Some(judged.confidence),
            ended_at: Some(offered.ended_at),
            queued,
            ran,
            ..self.blank(outcome, offered.began_at)
        };
        self.finish(end);
    }

    /// A cough or a passing car. One that stopped our prompt must be answered, or the caller waits in silence.
    fn wordless(&mut self, began_at: Instant, now: Instant) {
        self.voice = Voice::Quiet;
        let PromptPhase::Over { at: listening_since } = self.prompt else { return };
        let owes_a_word = self.barge_in.is_some() || !self.setup.aloud;
        if owes_a_word || now >= listening_since + NOISE_PATIENCE {
            let end = self.blank(TurnOutcome::NoMatch, began_at);
            self.finish(end);
        }
    }

    fn failed_to_hear(&mut self, offered: Offered, error: RecognizeError, now: Instant) {
        self.voice = Voice::Quiet;
        self.outputs.push_back(TurnOutput::Commit { utterance: offered.utterance });
        if !self.typed.reveal().is_empty() {
            self.last_sound = Some(now);
            return;
        }
        let end = TurnEnd {
            error: Some(error),
            ended_at: Some(offered.ended_at),
            ..self.blank(TurnOutcome::Error, offered.began_at)
        };
        self.finish(end);
    }

    fn answered_by_key(&mut self, answer: Answer) {
        let meaning = Some(self.quest().name(&answer));
        let at = self.first_key_at.or(self.last_key_at).expect("an answer by key has a first key");
        let end = TurnEnd { answer: Some(answer), meaning, ..self.by_key(TurnOutcome::Keys, at) };
        self.finish(end);
    }

    fn wrong_keys(&mut self, now: Instant) {
        let at = self.first_key_at.unwrap_or(now);
        let end = self.by_key(TurnOutcome::NoMatch, at);
        self.finish(end);
    }

    fn silent(&mut self, now: Instant) {
        let end = self.blank(TurnOutcome::NoInput, now);
        self.finish(end);
    }

    fn by_key(&self, outcome: TurnOutcome, at: Instant) -> TurnEnd {
        TurnEnd { keys: Some(self.typed.clone()), ended_at: self.last_key_at, ..self.blank(outcome, at) }
    }

    const fn blank(&self, outcome: TurnOutcome, at: Instant) -> TurnEnd {
        TurnEnd {
            outcome,
            answer: None,
            meaning: None,
            rejected: false,
            heard: None,
            language: None,
            nbest: None,
            keys: None,
            confidence: None,
            at,
            ended_at: None,
            queued: Duration::ZERO,
            ran: Duration::ZERO,
            barge_in: self.barge_in,
            asked_aloud: self.setup.aloud,
            error: None,
        }
    }

    fn finish(&mut self, end: TurnEnd) {
        // Whatever is still being said belongs to the question that is now answered.
        if let Some(utterance) = self.live_utterance() {
            self.drop_recognition();
            self.outputs.push_back(TurnOutput::Commit { utterance });
        }
        self.voice = Voice::Quiet;
        self.done = true;
        self.outputs.push_back(TurnOutput::Done(Box::new(end)));
    }

    fn drop_recognition(&mut self) {
        if let Voice::Thinking { offered: Offered { utterance, revision, .. }, .. } = self.voice {
            self.outputs.push_back(TurnOutput::Cancel { utterance, revision });
        }
    }

    /// The caller has begun to answer at `at`: an armed prompt stops.
    fn interrupt(&mut self, at: Instant) {
        if let PromptPhase::Playing { started_at } = self.prompt {
            self.barge_in = Some(started_at.map_or(Duration::ZERO, |started| at.saturating_duration_since(started)));
            self.prompt = PromptPhase::Over { at };
            self.outputs.push_back(TurnOutput::Flush);
        }
    }

    fn no_input_at(&self) -> Option<Instant> {
        let PromptPhase::Over { at } = self.prompt else { return None };
        let wait = self.question().wait;
        Some((self.last_sound.map_or(at, |sound| sound.max(at)) + wait).min(at + wait + NOISE_PATIENCE))
    }

    const fn live_utterance(&self) -> Option<UtteranceId> {
        match &self.voice {
            Voice::Quiet => None,
            Voice::Speaking { utterance, .. } => Some(*utterance),
            Voice::Thinking { offered, .. } | Voice::Knowing { offered, .. } => Some(offered.utterance),
        }
    }

    const fn prompting(&self) -> bool {
        matches!(self.prompt, PromptPhase::Playing { .. })
    }

    fn quest(&self) -> &Quest {
        let step = self.setup.plan.steps.get(self.setup.step.0).expect("a turn is asked by a step of its plan");
        step.quest(self.setup.quest).expect("a turn asks a question of its step")
    }

    fn question(&self) -> &Question {
        &self.quest().question
    }
}
