//! A far end made of text: takes what a call wants done, and reports what signalling, media and the recogniser
//! would, at the times they would. Pure; words take the time it takes to say them.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agents::Overflow;
use crate::audio::{Pcm, TELEPHONE_HZ};
use crate::call::{Consulted, Input, MessageOrder, Output, Verdict};
use crate::id::{LegId, PlayId, UtteranceId};
use crate::media::{BargeIn, Listen, MediaCommand, MediaEvent, MediaSummary, Offer, PlayEnd, Recording};
use crate::pii::Pii;
use crate::rtp::Digit;
use crate::simulate::transcript::AgentDoes;
use crate::sip::{LegCommand, LegEnd, LegEvent};
use crate::speech::RecognizeError;
use crate::spoken::markup;
use crate::understand::{Hypothesis, NBest};

/// A message to signalling or media and its report: one tick.
const TICK: Duration = Duration::from_millis(20);
/// From our 200 to the ACK, and from a BYE to its 200.
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// Speech is confirmed this long after its first voiced frame.
const CONFIRM: Duration = Duration::from_millis(100);
/// Recognising takes this long.
const RECOGNISE: Duration = Duration::from_millis(30);
/// How fast the bot and the caller talk, a brisk reading pace.
const CHARS_PER_SECOND: f64 = 14.0;
/// The shortest word takes this long.
const SHORTEST: Duration = Duration::from_millis(300);
/// Between two keys of one entry.
const BETWEEN_KEYS: Duration = Duration::from_millis(250);

/// A handover that a conversation says nothing of comes to nothing after this.
pub const NOBODY_COMES: Duration = Duration::from_secs(300);
/// Renewed speech is believed after this.
const RENEW: Duration = Duration::from_millis(60);

/// What the recogniser will make of an utterance.
#[derive(Clone, Debug, PartialEq)]
pub enum Hears {
    /// These words, this sure; no words at all when empty.
    Words(Pii<String>, f32),
    /// Several guesses, each this sure, in this order.
    Guesses(Vec<(Pii<String>, f32)>),
    /// It fails.
    Fails(RecognizeError),
}

/// A stretch of speech without a pause.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// What the recogniser will make of it.
    pub hears: Hears,
    /// How long it takes.
    pub lasting: Duration,
    /// Silence before it; counts from the second piece on.
    pub after: Duration,
}

impl Piece {
    /// Words as they are said, without a pause before them. `pay my bill (0.6) | play my bill (0.3)` are two guesses of
    /// the recogniser; one that does not say how sure it is is `confidence` sure.
    pub fn words(words: &str, confidence: f32) -> Self {
        let guess = |guess: &str| {
            let (words, sure) = said_surely(guess).unwrap_or((guess, confidence));
            (Pii::new(words.trim().to_owned()), sure)
        };
        let mut guesses: Vec<_> = words.split('|').map(guess).filter(|(words, _)| !words.reveal().is_empty()).collect();
        let lasting = time_to_say(guesses.first().map_or("", |(words, _)| words.reveal()));
        let hears = match guesses.len() {
            0 => Hears::Words(Pii::default(), 0.0),
            1 => {
                let (words, sure) = guesses.remove(0);
                Hears::Words(words, sure)
            }
            _ => Hears::Guesses(guesses),
        };
        Self { hears, lasting, after: Duration::ZERO }
    }

    /// A sound without words.
    pub const fn noise(lasting: Duration) -> Self {
        Self { hears: Hears::Words(Pii::new(String::new()), 0.0), lasting, after: Duration::ZERO }
    }
}

impl Hears {
    /// This, and then `other`, in one breath.
    fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Words(first, sure), Self::Words(then, as_sure)) => {
                let words = format!("{} {}", first.reveal(), then.reveal());
                Self::Words(Pii::new(words.trim().to_owned()), sure.min(*as_sure))
            }
            (Self::Fails(error), _) | (_, Self::Fails(error)) => Self::Fails(error.clone()),
            // Each guess at the one with the guess of the same place at the other, or its last.
            (first, then) => {
                let (first, then) = (first.guesses(), then.guesses());
                let both = |place: usize| {
                    let (one, sure) = first.get(place).or(first.last())?;
                    let (two, as_sure) = then.get(place).or(then.last())?;
                    let words = format!("{} {}", one.reveal(), two.reveal());
                    Some((Pii::new(words.trim().to_owned()), sure.min(*as_sure)))
                };
                Self::Guesses((0..first.len().max(then.len())).filter_map(both).collect())
            }
        }
    }

    /// The words it may be taken for, likeliest first.
    fn guesses(&self) -> Vec<(Pii<String>, f32)> {
        match self {
            Self::Words(words, _) if words.reveal().is_empty() => Vec::new(),
            Self::Words(words, sure) => vec![(words.clone(), *sure)],
            Self::Guesses(guesses) => guesses.clone(),
            Self::Fails(_) => Vec::new(),
        }
    }
}

/// `words (0.41)`: the words, and how sure the recogniser is of them.
pub fn said_surely(text: &str) -> Option<(&str, f32)> {
    let (words, number) = text.trim_end().strip_suffix(')')?.rsplit_once('(')?;
    let sure = number.trim().parse::<f32>().ok()?;
    (0.0..=1.0).contains(&sure).then_some((words.trim_end(), sure))
}

/// The far end of one call.
#[derive(Debug, Default)]
pub struct TextLeg {
    queue: BTreeMap<(Instant, u64), Happens>,
    entries: u64,
    waiting: VecDeque<Prompt>,
    playing: Option<Playing>,
    listen: Listen,
    utterances: u64,
    spoken: Option<Spoken>,
    keys_left: usize,
    interruptions: u32,
    packets: u64,
    takes_message: bool,
    /// Somebody is being asked to take the caller, or has.
    person: Option<Person>,
    sought_at: Option<Instant>,
    sends_on: bool,
    closed: bool,
    ended: bool,
}

/// The other side of a handover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Person {
    /// An agent of a group is looked for.
    Sought,
    /// One person is called.
    Called,
    /// The far end was asked to call them itself.
    Referred,
    /// They talk.
    Joined,
}

#[derive(Debug)]
enum Happens {
    /// Nobody has said what becomes of a handover.
    NobodyComes(Person),
    Report(Box<Input>),
    PromptEnds(PlayId),
    SpeechConfirmed(UtteranceId),
    SpeechPauses(UtteranceId, u32),
    SpeechCloses(UtteranceId, u32),
    SpeechGoesOn(UtteranceId),
    SpeechRenewed(UtteranceId),
    SpeechAnew(VecDeque<Piece>),
    Key(Digit),
}

#[derive(Debug)]
struct Prompt {
    play: PlayId,
    length: Duration,
    barge_in: BargeIn,
}

#[derive(Debug)]
struct Playing {
    prompt: Prompt,
    started_at: Instant,
}

/// An utterance, as far as it has been said.
#[derive(Debug)]
struct Spoken {
    utterance: UtteranceId,
    /// Of the next offer.
    revision: u32,
    /// All of it so far.
    hears: Hears,
    /// The piece being said, from 0, and which that is.
    place: u32,
    piece: Piece,
    /// The pause after that piece has been offered.
    offered: bool,
    /// Pieces still to come.
    rest: VecDeque<Piece>,
    began_at: Instant,
    ended_at: Instant,
    during: Option<PlayId>,
    cut: bool,
}

impl TextLeg {
    /// When something happens next.
    pub fn next_at(&self) -> Option<Instant> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// What happens next, by `now`: reports for the call, in order.
    pub fn happen(&mut self, now: Instant) -> Vec<Input> {
        let mut reports = Vec::new();
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), happens) = entry.remove_entry();
            self.happens(happens, at, &mut reports);
            if !reports.is_empty() {
                break;
            }
        }
        reports
    }

    /// Takes what the call wants done at `now`.
    pub fn take(&mut self, output: &Output, now: Instant) {
        match output {
            Output::Leg(LegCommand::Answer { .. }) => {
                self.report(now + ROUND_TRIP, Input::Leg(LegEvent::Established { sdp: None }));
            }
            Output::Leg(LegCommand::Hangup) => self.end(LegEnd::LocalHangup, now + ROUND_TRIP),
            Output::Leg(LegCommand::Reject(rejection)) => {
                self.end(LegEnd::Rejected(rejection.status), now + ROUND_TRIP);
            }
            Output::Play { play, utter, barge_in } => {
                self.waiting.push_back(Prompt {
                    play: *play,
                    length: time_to_say(&markup::plain(&utter.text)),
                    barge_in: *barge_in,
                });
                self.start_next(now + TICK);
            }
            Output::Media(command) => self.media(command, now),
            Output::Recognize { utterance, revision, .. } => self.recognize(*utterance, *revision, now),
            // Who has been asked already takes them at once.
            Output::Leg(LegCommand::Refer { replaces, .. }) => {
                self.sends_on = true;
                match replaces {
                    Some(_) => self.referred(200, now),
                    None => self.seek(Person::Referred, now),
                }
            }
            Output::Queue(_) => self.seek(Person::Sought, now),
            Output::Consult(_) => self.seek(Person::Called, now),
            Output::Join { .. } => self.person = Some(Person::Joined),
            Output::Consulted(Verdict::Over | Verdict::TakenOver) => self.person = None,
            Output::Hold(held) => self.report(now + ROUND_TRIP, Input::Held(*held)),
            Output::Leg(_) | Output::CancelRecognize { .. } | Output::Timeline(_) | Output::Finished(_) => {}
            Output::Errand { .. } | Output::OptOut(_) | Output::Message(MessageOrder::Forget { .. }) => {}
            Output::Message(MessageOrder::Begin { .. }) => self.takes_message = true,
            Output::Message(MessageOrder::End) => self.end_message(now),
            Output::Entertain { .. } | Output::Consulted(Verdict::Bridged) => {}
        }
    }

    /// The caller says something, with pauses between its pieces; one thing at a time. What is still to be said when
    /// the bot has taken the utterance becomes a new one, as it does on the telephone.
    pub fn speak(&mut self, pieces: impl IntoIterator<Item = Piece>, now: Instant) {
        let mut rest: VecDeque<Piece> = pieces.into_iter().collect();
        let Some(first) = rest.pop_front() else { return };
        self.utterances += 1;
        let utterance = UtteranceId(self.utterances);
        let heard_for = first.lasting.min(self.listen.longest);
        let cut = first.lasting > self.listen.longest;
        let during = self.playing.as_ref().map(|playing| playing.prompt.play);
        let ended_at = now + heard_for;
        self.enqueue(now + CONFIRM.min(heard_for), Happens::SpeechConfirmed(utterance));
        self.pause_after(utterance, 0, ended_at, if cut { Duration::ZERO } else { self.listen.offer_after });
        if let Some(next) = rest.front() {
            self.enqueue(ended_at + next.after, Happens::SpeechGoesOn(utterance));
        }
        self.spoken = Some(Spoken {
            utterance,
            revision: 0,
            hears: first.hears.clone(),
            place: 0,
            piece: first,
            offered: false,
            rest,
            began_at: now,
            ended_at,
            during,
            cut,
        });
    }

    /// The caller presses keys, one after another.
    pub fn press(&mut self, keys: &[Digit], now: Instant) {
        let mut at = now;
        for key in keys {
            self.enqueue(at, Happens::Key(*key));
            self.keys_left += 1;
            at += BETWEEN_KEYS;
        }
    }

    /// Whoever the caller is handed to does something. Returns whether anybody is.
    pub fn agent(&mut self, does: &AgentDoes, now: Instant) -> bool {
        let Some(person) = self.person else { return false };
        let news = match (does, person) {
            (AgentDoes::Accepts(_), Person::Referred) => return self.send_on(200, now),
            (AgentDoes::Declines, Person::Referred) => return self.send_on(603, now),
            (AgentDoes::Busy, Person::Referred) => return self.send_on(486, now),
            (AgentDoes::NoAnswer, Person::Referred) => return self.send_on(480, now),
            (AgentDoes::Accepts(name), Person::Sought) => {
                let taken = Consulted::Taken {
                    agent: name.as_str().into(),
                    waited: now.saturating_duration_since(self.sought_at.unwrap_or(now)),
                };
                self.report(now, Input::Consulted(taken));
                Consulted::Ready { leg: LegId(0) }
            }
            (AgentDoes::Accepts(_), Person::Called) => Consulted::Ready { leg: LegId(0) },
            // The next one is asked.
            (AgentDoes::Declines | AgentDoes::Busy | AgentDoes::NoAnswer, Person::Sought) => return true,
            (AgentDoes::Declines, Person::Called) => Consulted::Over { status: 603 },
            (AgentDoes::Busy, Person::Called) => Consulted::Over { status: 486 },
            (AgentDoes::NoAnswer, Person::Called) => Consulted::Over { status: 408 },
            (AgentDoes::HangsUp, Person::Joined) => Consulted::Over { status: 487 },
            (AgentDoes::Nobody(why), Person::Sought) => Consulted::Left { why: *why },
            (AgentDoes::Place(position, wait), Person::Sought) => Consulted::Place { position: *position, wait: *wait },
            _ => return false,
        };
        self.report(now + TICK, Input::Consulted(news));
        true
    }

    /// The caller hangs up.
    pub fn hang_up(&mut self, now: Instant) {
        self.end(LegEnd::RemoteHangup, now);
    }

    /// Is the caller still speaking or typing, or the bot still making up its mind about it?
    pub fn busy(&self) -> bool {
        let anew = |happens: &Happens| matches!(happens, Happens::SpeechAnew(_));
        self.spoken.is_some() || self.keys_left > 0 || self.queue.values().any(anew)
    }

    /// Has the far end been asked to call somebody itself?
    pub const fn sends_on(&self) -> bool {
        self.sends_on
    }

    /// How many prompts the caller has interrupted.
    pub const fn interruptions(&self) -> u32 {
        self.interruptions
    }

    fn happens(&mut self, happens: Happens, at: Instant, reports: &mut Vec<Input>) {
        let mut media = |event| reports.push(Input::Media(event));
        match happens {
            Happens::Report(input) => reports.push(*input),
            Happens::PromptEnds(play) => {
                if self.playing.as_ref().is_some_and(|playing| playing.prompt.play == play) {
                    media(self.stop(PlayEnd::Completed, at).expect("it is playing"));
                    self.start_next(at);
                }
            }
            Happens::SpeechConfirmed(utterance) => {
                if let Some(spoken) = self.spoken.as_ref().filter(|spoken| spoken.utterance == utterance) {
                    media(MediaEvent::SpeechStarted { utterance, at: spoken.began_at });
                    self.interrupt(&[BargeIn::Speech], PlayEnd::BargedIn, at).into_iter().for_each(media);
                }
            }
            Happens::SpeechPauses(utterance, place) => {
                let current = |spoken: &&mut Spoken| (spoken.utterance, spoken.place) == (utterance, place);
                let Some(spoken) = self.spoken.as_mut().filter(current) else { return };
                spoken.offered = true;
                media(MediaEvent::Offered(Offer {
                    utterance,
                    revision: spoken.revision,
                    audio: Arc::new(Pcm { rate_hz: TELEPHONE_HZ, samples: Vec::new() }),
                    began_at: spoken.began_at,
                    ended_at: spoken.ended_at,
                    during: spoken.during,
                    cut: spoken.cut,
                }));
                let closes_at = spoken.ended_at + self.listen.close_after;
                self.enqueue(closes_at, Happens::SpeechCloses(utterance, place));
            }
            Happens::SpeechCloses(utterance, place) => {
                let current = |spoken: &mut Spoken| (spoken.utterance, spoken.place) == (utterance, place);
                if self.spoken.take_if(current).is_some() {
                    media(MediaEvent::SpeechEnded { utterance });
                }
            }
            Happens::SpeechGoesOn(utterance) => self.go_on(utterance, at),
            Happens::SpeechRenewed(utterance) => {
                if self.spoken.as_ref().is_some_and(|spoken| spoken.utterance == utterance) {
                    media(MediaEvent::Resumed { utterance });
                }
            }
            Happens::SpeechAnew(pieces) => self.speak(pieces, at),
            Happens::NobodyComes(person) => {
                if self.person == Some(person) && self.sought_at.is_some_and(|since| since + NOBODY_COMES <= at) {
                    match person {
                        Person::Sought => reports.push(Input::Consulted(Consulted::Left { why: Overflow::TooLong })),
                        Person::Called => reports.push(Input::Consulted(Consulted::Over { status: 408 })),
                        Person::Referred => self.referred(408, at),
                        Person::Joined => {}
                    }
                }
            }
            Happens::Key(digit) => {
                self.keys_left = self.keys_left.saturating_sub(1);
                media(MediaEvent::Digit { digit, at });
                self.interrupt(&[BargeIn::Speech, BargeIn::Keys], PlayEnd::Keyed, at).into_iter().for_each(media);
            }
        }
    }

    fn media(&mut self, command: &MediaCommand, now: Instant) {
        match command {
            MediaCommand::Listen(listen) => self.listen = *listen,
            MediaCommand::Commit { utterance } => self.commit(*utterance, now),
            MediaCommand::Flush => self.flush(now),
            MediaCommand::Close if !self.closed => {
                self.closed = true;
                self.flush(now);
                self.spoken = None;
                self.end_message(now);
                let summary = MediaSummary { packets_out: self.packets, ..MediaSummary::default() };
                self.report(now + TICK, Input::Media(MediaEvent::Closed(summary)));
            }
            // What is about sound and addresses has nothing to say here.
            _ => {}
        }
    }

    /// A message that is being taken is in its file.
    fn end_message(&mut self, now: Instant) {
        if std::mem::take(&mut self.takes_message) {
            let path = PathBuf::from("message.wav");
            self.report(now + TICK, Input::Media(MediaEvent::Recorded(Recording::Saved { path })));
        }
    }

    /// The next piece of an utterance that nobody has taken yet.
    fn go_on(&mut self, utterance: UtteranceId, at: Instant) {
        let Some(spoken) = self.spoken.as_mut().filter(|spoken| spoken.utterance == utterance) else { return };
        let Some(piece) = spoken.rest.pop_front() else { return };
        spoken.hears = spoken.hears.and(&piece.hears);
        spoken.place += 1;
        spoken.ended_at = at + piece.lasting;
        spoken.piece = piece;
        let (place, ended_at) = (spoken.place, spoken.ended_at);
        let next = spoken.rest.front().map(|next| ended_at + next.after);
        if std::mem::take(&mut spoken.offered) {
            spoken.revision += 1;
            self.enqueue(at + RENEW, Happens::SpeechRenewed(utterance));
        }
        self.pause_after(utterance, place, ended_at, self.listen.offer_after);
        if let Some(next) = next {
            self.enqueue(next, Happens::SpeechGoesOn(utterance));
        }
    }

    fn pause_after(&mut self, utterance: UtteranceId, place: u32, ended_at: Instant, pause: Duration) {
        self.enqueue(ended_at + pause, Happens::SpeechPauses(utterance, place));
    }

    /// The bot has taken an utterance; one that was never offered it cannot take. What is still to be said, and what
    /// has just been begun, is a new one.
    fn commit(&mut self, utterance: UtteranceId, now: Instant) {
        let offered = |spoken: &mut Spoken| spoken.utterance == utterance && (spoken.offered || spoken.place > 0);
        let Some(mut spoken) = self.spoken.take_if(offered) else { return };
        let mut at = spoken.rest.front().map_or(now, |next| (spoken.ended_at + next.after).max(now));
        if !spoken.offered {
            let lasting = spoken.ended_at.saturating_duration_since(now);
            spoken.rest.push_front(Piece { lasting, ..spoken.piece });
            at = now;
        }
        if !spoken.rest.is_empty() {
            self.enqueue(at, Happens::SpeechAnew(spoken.rest));
        }
    }

    fn recognize(&mut self, utterance: UtteranceId, revision: u32, now: Instant) {
        let Some(spoken) = self.spoken.as_ref().filter(|spoken| spoken.utterance == utterance) else { return };
        let result = match &spoken.hears {
            Hears::Fails(error) => Err(error.clone()),
            hears => {
                let hypothesis = |(text, confidence): (Pii<String>, f32)| Hypothesis {
                    text,
                    confidence,
                    open_score: confidence.max(f32::MIN_POSITIVE).ln(),
                    grammar_score: None,
                };
                let hypotheses = hears.guesses().into_iter().map(hypothesis).collect();
                Ok(NBest { utterance, revision, hypotheses, queued: Duration::ZERO, ran: RECOGNISE })
            }
        };
        self.report(now + RECOGNISE, Input::Heard { utterance, revision, result });
    }

    fn seek(&mut self, person: Person, now: Instant) {
        (self.person, self.sought_at) = (Some(person), Some(now));
        self.enqueue(now + NOBODY_COMES, Happens::NobodyComes(person));
    }

    fn referred(&mut self, status: u16, now: Instant) {
        self.person = None;
        self.report(now + ROUND_TRIP, Input::Leg(LegEvent::Referred { status, last: true }));
    }

    fn send_on(&mut self, status: u16, now: Instant) -> bool {
        self.referred(status, now);
        true
    }

    fn end(&mut self, why: LegEnd, at: Instant) {
        if !self.ended {
            self.ended = true;
            self.report(at, Input::Leg(LegEvent::Ended(why)));
        }
    }

    fn start_next(&mut self, at: Instant) {
        if self.playing.is_some() {
            return;
        }
        let Some(prompt) = self.waiting.pop_front() else { return };
        let play = prompt.play;
        let total_ms = millis(prompt.length);
        self.report(at, Input::Media(MediaEvent::PromptStarted { play, total_ms, at }));
        self.enqueue(at + prompt.length, Happens::PromptEnds(play));
        self.playing = Some(Playing { prompt, started_at: at });
    }

    /// The caller stops what may be stopped so: the prompt playing and those behind it.
    fn interrupt(&mut self, armed: &[BargeIn], end: PlayEnd, at: Instant) -> Vec<MediaEvent> {
        if !self.playing.as_ref().is_some_and(|playing| armed.contains(&playing.prompt.barge_in)) {
            return Vec::new();
        }
        self.interruptions += 1;
        self.stop(end, at).into_iter().collect()
    }

    fn flush(&mut self, now: Instant) {
        if let Some(event) = self.stop(PlayEnd::Flushed, now) {
            self.report(now, Input::Media(event));
        }
        while let Some(prompt) = self.waiting.pop_front() {
            let (play, total_ms) = (prompt.play, millis(prompt.length));
            let event = MediaEvent::PromptFinished { play, played_ms: 0, total_ms, end: PlayEnd::Flushed, at: now };
            self.report(now, Input::Media(event));
        }
    }

    fn stop(&mut self, end: PlayEnd, at: Instant) -> Option<MediaEvent> {
        let Playing { prompt: Prompt { play, length, .. }, started_at } = self.playing.take()?;
        let played_ms = millis(at.saturating_duration_since(started_at).min(length));
        self.packets += played_ms / 20;
        Some(MediaEvent::PromptFinished { play, played_ms, total_ms: millis(length), end, at })
    }

    /// Something else reports at `at`.
    pub fn report_at(&mut self, at: Instant, input: Input) {
        self.report(at, input);
    }

    fn report(&mut self, at: Instant, input: Input) {
        self.enqueue(at, Happens::Report(Box::new(input)));
    }

    fn enqueue(&mut self, at: Instant, happens: Happens) {
        self.entries += 1;
        self.queue.insert((at, self.entries), happens);
    }
}

/// How long it takes to say `text`.
pub fn time_to_say(text: &str) -> Duration {
    Duration::from_secs_f64(text.chars().count() as f64 / CHARS_PER_SECOND).max(SHORTEST)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
