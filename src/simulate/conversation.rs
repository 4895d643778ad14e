//! One call in text: the real call core, a [`TextLeg`] for its far end, a clock that jumps to whatever is next.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::call::record::{CallRecord, Direction};
use crate::call::{Call, CallSetup, Input, Output, Question, Reason, TimelineEvent};
use crate::dialplan::explain;
use crate::dialplan::interpreter::{Asking, Way};
use crate::dialplan::plan::{Plan, StepIx};
use crate::dialplan::scope::{Scope, Variables};
use crate::dialplan::step::{Done, Errand, Told};
use crate::id::CallId;
use crate::language::Language;
use crate::lookup::{Answer, Failure};
use crate::pii::Pii;
use crate::rtp::Digit;
use crate::simulate::text_leg::{Piece, TextLeg};
use crate::simulate::transcript::AgentDoes;
use crate::spoken::markup;
use crate::time::{Clock, SimulatedClock};

/// Another system answers within this.
const LOOKUP: Duration = Duration::from_millis(120);
/// People take this long before they answer.
const REACTION: Duration = Duration::from_millis(400);
/// Nothing in a conversation takes longer than this to come about.
const PATIENCE: Duration = Duration::from_secs(600);
/// No call in text lasts longer than this.
const LONGEST: Duration = Duration::from_secs(3_600);
/// More happenings at one instant mean that the core asks to be woken for ever.
const SPINNING: u32 = 10_000;

/// Who calls, when, in what language.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// What they speak; the plan's first language when `None`.
    pub language: Option<Language>,
    /// Their number.
    pub number: Pii<String>,
    /// The number they dial.
    pub dialled: Pii<String>,
    /// When the call arrives.
    pub at: Timestamp,
    /// Where.
    pub zone: TimeZone,
    /// What is known of the caller beforehand.
    pub variables: Variables,
}

impl Default for Caller {
    fn default() -> Self {
        Self {
            language: None,
            number: Pii::new("+12025550123".to_owned()),
            dialled: Pii::new("+12025550100".to_owned()),
            // A Monday morning, ten o'clock in New York.
            at: Timestamp::from_second(1_767_625_200).unwrap_or(Timestamp::UNIX_EPOCH),
            zone: TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC),
            variables: Variables::new(),
        }
    }
}

/// How another system answers a look-up.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// The line it is written in.
    pub line: usize,
    /// `GET https://…`, if that matters.
    pub asked: Option<String>,
    /// What it says.
    pub answer: Result<Answer, Failure>,
}

/// Something worth showing.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// The bot says this (all that belongs to one saying or asking).
    Bot {
        /// The words.
        text: String,
        /// When.
        at: Instant,
    },
    /// Anything else on the call's own timeline.
    Timeline(TimelineEvent),
    /// On the way through the plan; only after [`Conversation::tell_all`].
    Told(Told),
    /// Why the caller's words or keys were taken for what they were; likewise.
    Reasons(Vec<String>),
    /// Another system was asked.
    Asked {
        /// `GET https://…`
        asked: String,
        /// What it said; `None` where nobody had said what it would.
        answer: Option<Result<Answer, Failure>>,
    },
}

/// A call in text, under way.
#[derive(Debug)]
pub struct Conversation {
    clock: SimulatedClock,
    plan: Arc<Plan>,
    call: Call,
    leg: TextLeg,
    happenings: Vec<Happening>,
    lookups: VecDeque<Expected>,
    /// Whether reasons are wanted, and the question that was open last.
    tells: bool,
    asked: Option<Asking>,
    lookup_faults: Vec<(usize, String)>,
    record: Option<Box<CallRecord>>,
}

impl Conversation {
    /// A call arrives and is answered.
    pub fn begin(plan: Arc<Plan>, caller: &Caller) -> Self {
        Self::begin_at(plan, caller, None)
    }

    /// The same, in the middle of the plan and knowing something already.
    pub fn begin_at(plan: Arc<Plan>, caller: &Caller, there: Option<(StepIx, Scope)>) -> Self {
        let clock = SimulatedClock::starting_at(caller.at);
        let language = caller.language.clone().or_else(|| plan.languages.first().cloned());
        let setup = CallSetup {
            id: CallId::new(caller.at, 0),
            direction: Direction::Inbound,
            plan: plan.clone(),
            language: language.unwrap_or_else(Language::english),
            peer: "text".to_owned(),
            caller: caller.number.clone(),
            called: caller.dialled.clone(),
            sip_call_id: "text".to_owned(),
            arrived_at: caller.at,
            sdp: String::new(),
            longest: LONGEST,
            zone: caller.zone.clone(),
            markers: Arc::default(),
            variables: caller.variables.clone(),
            stands_by: None,
            made_for: None,
        };
        let mut call = Call::inbound(setup, clock.now());
        if let Some((place, scope)) = there {
            call.begin_at(place, scope);
        }
        let mut conversation = Self {
            clock,
            plan,
            call,
            leg: TextLeg::default(),
            happenings: Vec::new(),
            record: None,
            lookups: VecDeque::new(),
            tells: false,
            asked: None,
            lookup_faults: Vec::new(),
        };
        conversation.drain_outputs();
        conversation
    }

    /// From now on it tells what happens on the way, and why words were taken for what they were.
    pub fn tell_all(&mut self) {
        self.tells = true;
        self.call.tell_all();
    }

    /// The question that is open.
    pub const fn asking(&self) -> Option<&Asking> {
        self.call.asking()
    }

    /// What the call knows.
    pub const fn scope(&self) -> &Scope {
        self.call.scope()
    }

    /// What the call waits for now, and for how long yet.
    pub fn deadline(&self) -> Option<(Duration, Reason)> {
        let (at, reason) = self.call.poll_timeout()?;
        Some((at.saturating_duration_since(self.now()), reason))
    }

    /// The caller says `words`, of which the recogniser is `confidence` (0..1) sure. Goes on until the bot has taken
    /// them.
    pub fn say(&mut self, words: &str, confidence: f32) {
        self.speak([Piece::words(words, confidence)]);
    }

    /// The caller says something with pauses in it, or makes a sound. Goes on until the bot has taken it.
    pub fn speak(&mut self, pieces: impl IntoIterator<Item = Piece>) {
        self.leg.speak(pieces, self.now());
        self.until_taken();
    }

    /// The caller presses keys. Goes on until the last is down.
    pub fn press(&mut self, keys: &[Digit]) {
        self.leg.press(keys, self.now());
        self.until_taken();
    }

    /// The caller hangs up. Goes on until the record is written.
    pub fn hang_up(&mut self) {
        self.leg.hang_up(self.now());
        self.to_the_end();
    }

    /// Whoever the caller is handed to does something. Returns whether anybody is.
    pub fn agent(&mut self, does: &AgentDoes) -> bool {
        let now = self.now();
        let somebody = self.leg.agent(does, now);
        // What comes of it at once.
        self.go_on(REACTION, |_| false);
        somebody
    }

    /// The gateway shuts down.
    pub fn drain(&mut self) {
        let now = self.clock.now();
        self.call.handle(Input::Drain, now);
        self.drain_outputs();
    }

    /// Goes on until the bot has finished and listens, and the caller has drawn breath; or the call is over. It listens,
    /// too, while it takes a message.
    pub fn until_listening(&mut self) {
        self.go_on(PATIENCE, |this| this.call.listening() || this.call.takes_message());
        if !self.is_over() {
            self.go_on(REACTION, |_| false);
        }
    }

    /// Goes on for `time`, or until the bot speaks. Returns whether it did.
    pub fn wait_for_bot(&mut self, time: Duration) -> bool {
        let before = self.bot_lines();
        self.go_on(time, |this| this.bot_lines() > before);
        self.bot_lines() > before
    }

    /// Goes on until the bot has begun to say its `lines`th thing since [`Conversation::take_happenings`], and `into`
    /// it. Returns whether it came to that.
    pub fn into_bot_line(&mut self, lines: usize, into: Duration) -> bool {
        self.go_on(PATIENCE, |this| this.bot_lines() >= lines);
        let since = self.happenings.iter().filter_map(bot_line_at).nth(lines.saturating_sub(1));
        let target = if lines == 0 { Some(self.now()) } else { since };
        let Some(target) = target.map(|at| at + into) else { return false };
        self.go_on(target.saturating_duration_since(self.now()), |_| false);
        !self.is_over()
    }

    /// Goes on, the caller silent, until the call is over. Returns whether it came to that.
    pub fn to_the_end(&mut self) -> bool {
        self.go_on(LONGEST + PATIENCE, |_| false);
        self.is_over()
    }

    /// What has happened since last asked.
    pub fn take_happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happenings)
    }

    /// What has happened and was not taken yet.
    pub fn happenings(&self) -> &[Happening] {
        &self.happenings
    }

    /// What remains, once the call is over.
    pub fn record(&self) -> Option<&CallRecord> {
        self.record.as_deref()
    }

    /// Every way through the plan that the call has taken.
    pub const fn taken(&self) -> &BTreeSet<Way> {
        self.call.taken()
    }

    /// The question that is open.
    pub fn question(&self) -> Option<Question> {
        self.call.question()
    }

    /// Is the call over?
    pub const fn is_over(&self) -> bool {
        self.record.is_some()
    }

    /// Prompts the caller has interrupted so far.
    pub const fn interruptions(&self) -> u32 {
        self.leg.interruptions()
    }

    /// Has the caller's own telephone been asked to call somebody?
    pub const fn sends_on(&self) -> bool {
        self.leg.sends_on()
    }

    /// The simulated time.
    pub fn now(&self) -> Instant {
        self.clock.now().mono
    }

    fn until_taken(&mut self) {
        self.go_on(PATIENCE, |this| !this.leg.busy());
    }

    fn bot_lines(&self) -> usize {
        self.happenings.iter().filter_map(bot_line_at).count()
    }

    /// Lets things happen until `enough`, the call is over, or `time` has passed.
    fn go_on(&mut self, time: Duration, enough: impl Fn(&Self) -> bool) {
        let limit = self.now() + time;
        let mut at_this_instant = 0;
        while !self.is_over() && !enough(self) {
            let timer = self.call.poll_timeout().map(|(at, _)| at);
            let next = [self.leg.next_at(), timer].into_iter().flatten().min().filter(|next| *next <= limit);
            let Some(next) = next else {
                self.clock.advance(limit.saturating_duration_since(self.now()));
                return;
            };
            let step = next.saturating_duration_since(self.now());
            at_this_instant = if step.is_zero() { at_this_instant + 1 } else { 0 };
            assert!(at_this_instant < SPINNING, "the call core asks to be woken in the past for ever");
            self.clock.advance(step);
            self.happen();
        }
    }

    fn happen(&mut self) {
        let now = self.clock.now();
        let reports = self.leg.happen(now.mono);
        if reports.is_empty() {
            self.call.handle_timeout(now);
            self.drain_outputs();
        }
        for report in reports {
            self.explain(&report);
            self.call.handle(report, now);
            self.drain_outputs();
        }
    }

    /// Why words are about to be taken for what they will be.
    fn explain(&mut self, report: &Input) {
        if !self.tells {
            return;
        }
        self.asked = self.call.asking().cloned().or(self.asked.take());
        if let (Input::Heard { result: Ok(nbest), .. }, Some(asking)) = (report, self.call.asking()) {
            let step = self.plan.step(asking.step);
            let reasons = explain::speech(step, asking.quest, nbest, &asking.hearing);
            self.happenings.push(Happening::Reasons(reasons));
        }
    }

    /// Why keys were taken for what they were.
    fn explain_keys(&self, keys: &str) -> Option<Happening> {
        let asking = self.asked.as_ref().filter(|_| self.tells)?;
        let reasons = explain::keys(self.plan.step(asking.step), asking.quest, keys, &asking.hearing);
        (!reasons.is_empty()).then_some(Happening::Reasons(reasons))
    }

    fn told(&mut self) {
        self.happenings.extend(self.call.take_told().into_iter().map(Happening::Told));
    }

    fn drain_outputs(&mut self) {
        let at = self.now();
        let mut said = Vec::new();
        while let Some(output) = self.call.poll_output() {
            self.leg.take(&output, at);
            match output {
                Output::Play { utter, .. } => said.push(markup::plain(&utter.text).into_owned()),
                // Shown already, when it was asked for: the whole of it, whatever the caller lets through.
                Output::Timeline(TimelineEvent::BotSaid { .. }) => {}
                Output::Timeline(event) => {
                    if let TimelineEvent::Keys { keys, .. } = &event {
                        self.happenings.extend(self.explain_keys(keys.reveal()));
                    }
                    self.happenings.push(Happening::Timeline(event));
                }
                Output::Errand { id, errand } => {
                    self.told();
                    self.errand(id, &errand);
                }
                Output::Finished(record) => self.record = Some(record),
                Output::Leg(_) | Output::Media(_) | Output::Recognize { .. } | Output::CancelRecognize { .. } => {}
                Output::Hold(_) | Output::Consult(_) | Output::Queue(_) | Output::Consulted(_) => {}
                Output::Join { .. } | Output::Entertain { .. } | Output::OptOut(_) | Output::Message(_) => {}
            }
        }
        self.told();
        if !said.is_empty() {
            self.happenings.push(Happening::Bot { text: said.join(" "), at });
        }
    }
}

impl Conversation {
    /// Other systems will answer look-ups like this, one after another.
    pub fn expect_lookups(&mut self, answers: impl IntoIterator<Item = Expected>) {
        self.lookups.extend(answers);
    }

    /// Look-ups that did not go as expected: the line they were written in, and what is wrong.
    pub fn lookup_faults(&mut self) -> Vec<(usize, String)> {
        let unasked = self.lookups.drain(..).map(|left| (left.line, "nobody asked for this".to_owned()));
        let faults: Vec<_> = unasked.collect();
        self.lookup_faults.extend(faults);
        std::mem::take(&mut self.lookup_faults)
    }

    fn errand(&mut self, id: u64, errand: &Errand) {
        let Errand::Lookup(request) = errand else {
            unreachable!("a message is taken by the call itself");
        };
        let asked = format!("{} {}", request.method.as_str(), request.url.reveal());
        let answer = self.lookups.front().map(|expected| expected.answer.clone());
        self.happenings.push(Happening::Asked { asked: asked.clone(), answer });
        let done = match self.lookups.pop_front() {
            Some(expected) => {
                if expected.asked.as_ref().is_some_and(|wanted| *wanted != asked) {
                    self.lookup_faults.push((expected.line, format!("the plan asked for `{asked}`")));
                }
                Done::Lookup(expected.answer)
            }
            None => {
                self.lookup_faults
                    .push((0, format!("the plan asked for `{asked}`; add a line `http {asked} 200 {{…}}`")));
                Done::Nothing
            }
        };
        self.leg.report_at(self.clock.now().mono + LOOKUP, Input::ErrandDone { id, done: Box::new(done) });
    }
}

fn bot_line_at(happening: &Happening) -> Option<Instant> {
    match happening {
        Happening::Bot { at, .. } => Some(*at),
        _ => None,
    }
}
