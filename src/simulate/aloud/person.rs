//! The caller of a conversation that is played by voice.
//!
//! ```text
//!              ┌──────────── does the next thing ◀── as written ──┐
//!   Listening ─┤ the bot waits: what has it said, and where are we?│──▶ Acting ──▶ Listening …
//!              ├──────────── says it again ◀───── the same question├
//!              ├──────────── "yes", "no" ◀───── it asks whether … ─┤
//!              └──────────── gives up ◀──────── somewhere else ────┘
//! ```
//!
//! A real recogniser mishears, and people then repeat themselves; so does this one, up to [`TRIES`] times a line, and says
//! so in its report. What counts is where the call goes: words of the bot that are not those written, a line that is never
//! understood, and another end are faults.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::mishearing::Words;
use super::part::{Act, Deed, Part};
use crate::call::Question;
use crate::rtp::Digit;
use crate::simulate::transcript::{AgentDoes, fits};
use crate::spoken::yes_no;

/// How often a line is said, at most; and how often the bot may ask back about it.
pub const TRIES: u32 = 3;
/// People take this long before they answer.
const REACTION: Duration = Duration::from_millis(400);
/// What the caller does reaches the gateway within this, jitter buffer and all.
const ARRIVES: Duration = Duration::from_millis(300);

/// What a person on the telephone notices.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// The bot is about to say this.
    Says(String),
    /// It has begun.
    Begins,
    /// It listens, or does not, to this question.
    Rests {
        /// All is said, and nothing is worked on.
        listening: bool,
        /// Which question is open.
        question: Option<Question>,
    },
    /// It has heard something.
    Hears {
        /// Words; `None`: they are secret.
        words: Option<String>,
        /// What they mean there.
        meaning: Option<String>,
    },
    /// What the person was doing is done, or what they waited for others to do.
    Done,
    /// The call is over.
    Over(Ending),
}

/// How a call was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ending {
    /// As an `end` line writes it.
    pub end: String,
    /// Prompts cut short by the caller.
    pub interrupted: usize,
    /// Everything that came of it, as `outcome` lines write it.
    pub came_to: Vec<String>,
}

/// What a person does on the telephone.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    /// Says something.
    Speak {
        /// Each piece after its pause.
        pieces: Vec<(Duration, String)>,
        /// 1 when it is said for the first time. Synthetic voices say a thing the same way for ever, and are misheard the
        /// same way: what is said again should be said otherwise.
        try_no: u32,
    },
    /// Presses these.
    Press(Vec<Digit>),
    /// Makes a sound without words.
    Rustle(Duration),
    /// Stops the sound.
    Hush,
    /// Nothing: whoever they are handed to does this.
    Agent(AgentDoes),
    /// Hangs up.
    HangUp,
}

/// A line that had to be said again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// In the file.
    pub line: usize,
    /// As written.
    pub said: String,
    /// As heard.
    pub heard: Recalled,
    /// It was doubted only, and affirmed or denied.
    pub doubted: bool,
}

/// What was heard of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recalled {
    /// Nothing.
    Nothing,
    /// Something that nobody may know: an answer to a question that is `sensitive`, or keys.
    Secret,
    /// These words.
    Words(String),
    /// It went well, or seemed to: a later question led back to it, as when who you are does not match.
    Before,
}

/// What came of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What went wrong: line and sentence.
    pub faults: Vec<(usize, String)>,
    /// What had to be said again.
    pub again: Vec<Again>,
    /// Spoken lines, every saying counted.
    pub spoken: usize,
    /// Words said, and errors in what was heard of them.
    pub words: Words,
}

/// Plays a part.
#[derive(Debug)]
pub struct Person {
    part: Arc<Part>,
    /// The next thing to do.
    next: usize,
    /// How often each thing was done, and which question was open then.
    tries: Vec<(u32, Option<Question>)>,
    last: Option<Last>,
    /// What the bot has said since.
    said: Vec<Said>,
    listening: Option<Instant>,
    /// Whether it listened when it was last seen.
    rests: bool,
    question: Option<Question>,
    state: State,
    does: VecDeque<Does>,
    interruptions: usize,
    report: Report,
}

/// A line of the bot.
#[derive(Debug)]
struct Said {
    text: String,
    began: Option<Instant>,
    /// The caller was still speaking: it thought they had finished.
    into_words: bool,
}

/// What was done last.
#[derive(Debug)]
struct Last {
    deed: usize,
    doubts: u32,
    /// The question that was answered with "yes" or "no" since, and that with "no".
    doubted: Option<Question>,
    denied: Option<Question>,
    heard: Vec<String>,
    secret: bool,
    meaning: Option<String>,
    counted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To the bot; nothing was done before this.
    Listening { since: Instant },
    /// Doing what was begun.
    Acting,
    /// Saying nothing, on purpose.
    Silent { until: Instant },
    /// All is done or lost; the call comes to its end.
    Leaving,
    /// It is over.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// All of it was said.
    Whole,
    /// The beginning of it.
    Begun,
    /// Something else.
    Off,
}

impl Person {
    /// Somebody who has just dialled.
    pub fn new(part: Arc<Part>, now: Instant) -> Self {
        Self {
            tries: vec![(0, None); part.deeds.len()],
            part,
            next: 0,
            last: None,
            said: Vec::new(),
            listening: None,
            rests: false,
            question: None,
            state: State::Listening { since: now },
            does: VecDeque::new(),
            interruptions: 0,
            report: Report::default(),
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, news: News, now: Instant) {
        match news {
            News::Says(text) => {
                self.said.push(Said { text, began: None, into_words: self.state == State::Acting });
                if matches!(self.state, State::Silent { .. }) {
                    self.state = State::Listening { since: now };
                }
                // A sound longer than the bot listens is over when it has heard enough, as in text.
                if self.state == State::Acting && matches!(self.doing(), Some(Act::Rustle(_))) {
                    self.does.push_back(Does::Hush);
                }
            }
            News::Begins => {
                if let Some(said) = self.said.iter_mut().find(|said| said.began.is_none()) {
                    said.began = Some(now);
                }
            }
            News::Rests { listening, question } => {
                self.question = question;
                self.rests = listening;
                self.listening = listening.then(|| self.listening.unwrap_or(now));
            }
            News::Hears { words, meaning } => {
                if let Some(last) = self.last.as_mut().filter(|last| !last.counted) {
                    last.secret |= words.is_none();
                    last.heard.extend(words);
                    last.meaning = meaning;
                }
            }
            News::Done if self.state == State::Acting => {
                self.state = State::Listening { since: now + ARRIVES };
                if self.goes_unanswered() {
                    self.listening = self.rests.then_some(now);
                }
            }
            News::Done => {}
            News::Over(ending) => self.over(&ending),
        }
    }

    /// When [`Person::handle_timeout`] is due.
    pub fn due(&self) -> Option<Instant> {
        match self.state {
            State::Listening { since } => {
                let moment = self.moment(since);
                let decide = self.listening.map(|listening| listening.max(since) + REACTION);
                // A line with a moment of its own waits for nothing else, once the bot has come to it.
                moment.or(decide)
            }
            State::Silent { until } => Some(until),
            State::Acting | State::Leaving | State::Over => None,
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.due().is_none_or(|due| due > now) {
            return;
        }
        match self.state {
            State::Silent { .. } => {
                self.state = State::Listening { since: now };
                // A bot that has waited all the time has nothing new to tell.
                self.listening = self.rests.then_some(now);
            }
            State::Listening { since } => {
                self.count();
                self.decide(self.moment(since).is_some(), now);
            }
            State::Acting | State::Leaving | State::Over => {}
        }
    }

    /// What the person does next.
    pub fn poll(&mut self) -> Option<Does> {
        self.does.pop_front()
    }

    /// Something outside the conversation went wrong.
    pub fn give_up(&mut self, why: String) {
        if !matches!(self.state, State::Leaving | State::Over) {
            self.fail(self.line(), why);
        }
    }

    /// What came of it.
    pub fn into_report(self) -> Report {
        self.report
    }

    /// When the next thing is to be done, where it is written into a line of the bot that has begun.
    fn moment(&self, since: Instant) -> Option<Instant> {
        let deed = self.part.deeds.get(self.next)?;
        let into = deed.when.into?;
        match deed.before.len().checked_sub(1) {
            None => Some(since + into),
            Some(place) => self.said.get(place).and_then(|said| said.began).map(|began| began + into),
        }
    }

    /// What was done last.
    fn doing(&self) -> Option<&Act> {
        self.last.as_ref().map(|last| &self.part.deeds[last.deed].act)
    }

    /// Does the bot have nothing to say to what was done last? To words it always has.
    fn goes_unanswered(&self) -> bool {
        let next = self.part.deeds.get(self.next);
        match self.doing() {
            Some(Act::Agent(_)) => true,
            Some(Act::Rustle(_)) => next.is_some_and(|next| next.before.is_empty()),
            _ => false,
        }
    }

    fn decide(&mut self, at_its_moment: bool, now: Instant) {
        let part = self.part.clone();
        let Some(deed) = part.deeds.get(self.next) else { return self.decide_at_the_end(&part, now) };
        match self.fit(&deed.before) {
            // Nobody is handed to anybody while a question is open: what was said before was not understood.
            Fit::Whole if matches!(deed.act, Act::Agent(_)) && self.question.is_some() => {
                self.mend(&deed.before, deed.question.as_ref(), now);
            }
            Fit::Whole if at_its_moment || deed.when.into.is_none() => self.perform(self.next, now),
            // A message is being taken, or the caller waits for somebody: more will be said.
            Fit::Begun if self.question.is_none() => self.listening = None,
            _ if self.fits_but_for_pauses(deed) => self.perform(self.next, now),
            _ => self.mend(&deed.before, deed.question.as_ref(), now),
        }
    }

    /// Where somebody pauses within a line, the bot may take that for its end or not, and asks again or does not: what
    /// counts is that both come to the same words and the same question.
    fn fits_but_for_pauses(&self, deed: &Deed) -> bool {
        let pauses = matches!(self.doing(), Some(Act::Speak(pieces)) if pieces.len() > 1);
        if !pauses || self.question.is_none() || !same(self.question.as_ref(), deed.question.as_ref()) {
            return false;
        }
        let early = self.said.iter().take_while(|said| said.into_words).count();
        let ends = |skipped: usize| {
            let said = joined(&self.said[skipped..]);
            (0..deed.before.len()).any(|from| fits(&deed.before[from..].join(" "), &said))
        };
        (0..=early).any(ends)
    }

    /// Nothing is left to do.
    fn decide_at_the_end(&mut self, part: &Part, now: Instant) {
        let unheard = self.said.is_empty() && !part.last_words.is_empty() && self.is_where_it_was();
        match (self.fit(&part.last_words), &part.end) {
            (Fit::Whole, None) => self.leave(),
            // It will come to it, or not: silence is what is written.
            (Fit::Whole | Fit::Begun, Some(_)) if !unheard => self.listening = None,
            (Fit::Begun, None) if self.question.is_none() => self.listening = None,
            _ => self.mend(&part.last_words, None, now),
        }
    }

    /// The bot has not said what is written: what can be done about that?
    fn mend(&mut self, expected: &[String], question: Option<&Question>, now: Instant) {
        let part = self.part.clone();
        let Some(last) = self.last.as_ref().filter(|last| part.deeds[last.deed].can_be_repeated()) else {
            return self.fail_here(expected);
        };
        let here = self.question.clone();
        // Asked again, or what was asked before that: who you are, say, when it did not match.
        let asked = |place: &usize| here.is_some() && same(self.tries[*place].1.as_ref(), here.as_ref());
        let back = (0..=last.deed).rev().find(|place| part.deeds[*place].can_be_repeated() && asked(place));
        // Or asked otherwise, once what was misunderstood has been denied.
        let otherwise = last.denied.is_some() && !same(last.denied.as_ref(), here.as_ref());
        // Or asked the same when that was affirmed: "yes" is no answer to it.
        let unmoved = here.is_some() && same(last.doubted.as_ref(), here.as_ref());
        if let Some(place) = back.or((otherwise || unmoved).then_some(last.deed)) {
            if self.tries[place].0 >= TRIES {
                return self.fail_here(expected);
            }
            self.remember(place, false);
            return self.perform(place, now);
        }
        if here.as_ref().is_none_or(|here| !here.takes_yes) || last.doubts >= TRIES {
            return self.fail_here(expected);
        }
        // It reads back something else than is written, or asks about something else than was meant.
        let misread = same(here.as_ref(), question);
        let meant = last.meaning.is_none() || last.meaning == part.deeds[last.deed].meaning;
        let affirmed = !misread && meant;
        let doubted = last.deed;
        self.remember(doubted, true);
        let Some(last) = &mut self.last else { return };
        last.doubts += 1;
        last.doubted.clone_from(&here);
        last.denied = here.filter(|_| !affirmed);
        let pieces = vec![(Duration::ZERO, yes_no(affirmed, &part.language))];
        self.does.push_back(Does::Speak { pieces, try_no: last.doubts });
        self.said.clear();
        self.listening = None;
        self.state = State::Acting;
    }

    fn perform(&mut self, place: usize, now: Instant) {
        let part = self.part.clone();
        let deed = &part.deeds[place];
        let doubts = self.last.as_ref().filter(|last| last.deed == place).map_or(0, |last| last.doubts);
        self.tries[place] = (self.tries[place].0 + 1, self.question.clone());
        let tries = self.tries[place].0;
        self.last = Some(Last {
            deed: place,
            doubts,
            doubted: None,
            denied: None,
            heard: Vec::new(),
            secret: false,
            meaning: None,
            counted: !matches!(deed.act, Act::Speak(_)),
        });
        self.next = place + 1;
        self.interruptions += usize::from(deed.when.interrupts && tries == 1);
        self.said.clear();
        self.listening = None;
        self.state = State::Acting;
        match &deed.act {
            Act::Speak(pieces) => {
                self.report.spoken += 1;
                self.does.push_back(Does::Speak { pieces: pieces.clone(), try_no: tries });
            }
            Act::Press(keys) => self.does.push_back(Does::Press(keys.clone())),
            Act::Rustle(lasting) => self.does.push_back(Does::Rustle(*lasting)),
            Act::Wait(time) => self.state = State::Silent { until: now + *time },
            Act::Agent(does) => self.does.push_back(Does::Agent(does.clone())),
            Act::HangUp => self.leave(),
        }
    }

    /// Counts the words of the last line, now that nothing more will be heard of it.
    fn count(&mut self) {
        let part = self.part.clone();
        let Some(last) = self.last.as_mut().filter(|last| !last.counted) else { return };
        last.counted = true;
        if let Act::Speak(pieces) = &part.deeds[last.deed].act
            && !last.secret
        {
            let heard = last.heard.join(" ");
            self.report.words = self.report.words.and(Words::compared(&spoken(pieces), &heard, &part.language));
        }
    }

    /// That thing is done again, or was doubted.
    fn remember(&mut self, place: usize, doubted: bool) {
        let Some(last) = &self.last else { return };
        let deed = &self.part.deeds[place];
        // Asked from an earlier question on: what was heard since belongs to other lines.
        let heard = match place == last.deed {
            true if last.secret => Recalled::Secret,
            true if last.heard.is_empty() => Recalled::Nothing,
            true => Recalled::Words(last.heard.join(" ")),
            false => Recalled::Before,
        };
        self.report.again.push(Again { line: deed.line, said: deed.words(), heard, doubted });
    }

    fn over(&mut self, ending: &Ending) {
        let finished = matches!(self.state, State::Leaving);
        self.count();
        let part = self.part.clone();
        if let Some(deed) = part.deeds.get(self.next).filter(|_| !finished) {
            self.fault(deed.line, format!("the call was over before that: {}{}", ending.end, self.misheard()));
        } else if self.report.faults.is_empty() {
            if self.fit(&part.last_words) != Fit::Whole {
                self.fault(self.line(), self.instead(&part.last_words));
            }
            if let Some((line, text)) = part.end.as_ref().filter(|(_, text)| !fits(text, &ending.end)) {
                let heard = self.misheard();
                self.fault(*line, format!("it should have ended `{text}`, and ended `{}`{heard}", ending.end));
            }
            let again = !self.report.again.is_empty();
            self.report.faults.extend(part.outcome_fault(&ending.came_to, again));
            if ending.interrupted < self.interruptions {
                let line = part.deeds.iter().find(|deed| deed.when.interrupts).map_or(part.line, |deed| deed.line);
                let (cut, wanted) = (ending.interrupted, self.interruptions);
                self.fault(line, format!("{cut} prompts were interrupted, where {wanted} should have been"));
            }
        }
        self.state = State::Over;
    }

    fn leave(&mut self) {
        self.does.push_back(Does::HangUp);
        self.state = State::Leaving;
    }

    fn fail_here(&mut self, expected: &[String]) {
        let tried = self.last.as_ref().filter(|last| self.tries[last.deed].0 >= TRIES);
        let tried = tried.map(|_| format!("; it was said {TRIES} times"));
        let why = format!("{}{}", self.instead(expected), tried.unwrap_or_default());
        self.fail(self.line(), why);
    }

    fn fail(&mut self, line: usize, why: String) {
        self.fault(line, why);
        self.leave();
    }

    fn fault(&mut self, line: usize, why: String) {
        self.report.faults.push((line, why));
    }

    /// What was said in the place of what is written.
    fn instead(&self, expected: &[String]) -> String {
        let said: Vec<&str> = self.said.iter().map(|said| said.text.as_str()).collect();
        let said = if said.is_empty() { "said nothing".to_owned() } else { format!("said \"{}\"", said.join(" ")) };
        let expected = if expected.is_empty() { "nothing".to_owned() } else { format!("\"{}\"", expected.join(" ")) };
        format!("the bot {said} where {expected} is written{}", self.misheard())
    }

    /// `; heard "full" for "refill"`, or nothing.
    fn misheard(&self) -> String {
        let Some(last) = self.last.as_ref().filter(|last| !last.heard.is_empty()) else { return String::new() };
        let said = self.part.deeds[last.deed].words();
        format!("; heard \"{}\" for \"{said}\"", last.heard.join(" "))
    }

    /// The line in hand.
    fn line(&self) -> usize {
        let last = self.last.as_ref().and_then(|last| self.part.deeds.get(last.deed));
        last.map_or(self.part.line, |deed| deed.line)
    }

    fn is_where_it_was(&self) -> bool {
        let there = self.last.as_ref().and_then(|last| self.tries[last.deed].1.as_ref());
        self.question.is_some() && same(self.question.as_ref(), there)
    }

    fn fit(&self, expected: &[String]) -> Fit {
        let said = joined(&self.said);
        let begins = |lines: usize| fits(&expected[..lines].join(" "), &said);
        match begins(expected.len()) {
            true => Fit::Whole,
            false if (0..expected.len()).any(begins) => Fit::Begun,
            false => Fit::Off,
        }
    }
}

impl Deed {
    /// May it be done once more?
    const fn can_be_repeated(&self) -> bool {
        matches!(self.act, Act::Speak(_) | Act::Press(_) | Act::Rustle(_))
    }

    fn words(&self) -> String {
        match &self.act {
            Act::Speak(pieces) => spoken(pieces),
            Act::Press(_) => "keys".to_owned(),
            Act::Rustle(_) => "noise".to_owned(),
            Act::Wait(_) | Act::Agent(_) | Act::HangUp => String::new(),
        }
    }
}

fn spoken(pieces: &[(Duration, String)]) -> String {
    pieces.iter().map(|(_, words)| words.as_str()).collect::<Vec<_>>().join(" ")
}

fn joined(said: &[Said]) -> String {
    said.iter().map(|said| said.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn same(one: Option<&Question>, other: Option<&Question>) -> bool {
    let place = |question: Option<&Question>| question.map(|question| (question.step.clone(), question.place));
    place(one) == place(other)
}

#[cfg(test)]
#[path = "person_tests.rs"]
mod tests;
