//! Walks a plan for one call: something happened → what to say or ask next.
//!
//! Pure and without time. It owns what a plan run remembers: where the call is, which questions were asked (for
//! `$back`), how often this one has been, and the values kept. What each step does lives in [`super::step`].
//!
//! ```text
//! start() ─▶ Act::Say ─next(Said)─▶ Act::Ask ─next(Answered | NoInput | NoMatch | Error)─▶ … ─▶ Act::End
//! ```

mod act;
mod follow;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub use self::act::{Act, Asking, Forestalled, Line, Way, line_of};
use crate::dialplan::ahead::Ahead;
use crate::dialplan::handover::HandedEnd;
use crate::dialplan::outcome::{Outcome, OutcomeKind};
use crate::dialplan::plan::{Calendars, Plan, Prompt, Step, StepIx, Target};
use crate::dialplan::scope::{CALENDAR_FACTS, Scope, Variables, View};
use crate::dialplan::step::{Event, Next, OUTCOMES, Told, Visit};
use crate::language::Language;
use crate::pii::Pii;
use crate::routing::Opening;
use crate::understand::NBest;
use crate::value::Value;

/// Faults told of one call.
const FAULTS: usize = 50;

/// A plan being run by one call.
#[derive(Debug)]
pub struct Interpreter {
    plan: Arc<Plan>,
    language: Language,
    zone: TimeZone,
    at: StepIx,
    /// The question being asked, of the step in hand, and how often it has been.
    asking: Option<(usize, u32)>,
    /// Questions in the order asked; the one being asked is last.
    asked: Vec<StepIx>,
    scope: Scope,
    /// What the step in hand remembers.
    memory: Vec<Box<dyn Any + Send>>,
    /// Tries of each step that are used up for the whole call.
    spent: BTreeMap<StepIx, u32>,
    /// What the caller said or typed last.
    said: Option<Pii<String>>,
    /// What was said at the question that led here, for the questions it leads to.
    ahead: Ahead,
    /// Questions that were not asked because they had been answered; taken by the call.
    forestalled: Vec<Forestalled>,
    /// What we said last was heard whole.
    said_whole: bool,
    /// Plans that wait for the one that runs: their step, their values, their questions.
    waiting: Vec<Waiting>,
    outcomes: Vec<Outcome>,
    faults: Vec<String>,
    path: Vec<String>,
    taken: BTreeSet<Way>,
    steps_without_answer: u32,
    keys_only_said: bool,
    /// Where the call begins.
    start: StepIx,
    /// What happens on the way; `None` where nobody asks.
    told: Option<Vec<Told>>,
}

/// A plan that runs another one.
#[derive(Debug)]
struct Waiting {
    at: StepIx,
    /// Where the other one begins.
    part: StepIx,
    scope: Scope,
    asked: Vec<StepIx>,
}

impl Interpreter {
    /// At the plan's beginning. A language the plan does not speak becomes its nearest, else its first. Dates and times
    /// are those of the plan's own zone, else of `zone`.
    pub fn new(plan: Arc<Plan>, language: &Language, zone: TimeZone) -> Self {
        let language = plan
            .languages
            .iter()
            .find(|spoken| *spoken == language)
            .or_else(|| plan.languages.iter().find(|spoken| spoken.primary() == language.primary()))
            .or_else(|| plan.languages.first())
            .unwrap_or(language)
            .clone();
        Self {
            at: plan.start,
            start: plan.start,
            told: None,
            zone: plan.zone.clone().unwrap_or(zone),
            plan,
            language,
            asking: None,
            asked: Vec::new(),
            scope: Scope::default(),
            memory: Vec::new(),
            spent: BTreeMap::new(),
            said: None,
            ahead: Ahead::default(),
            forestalled: Vec::new(),
            said_whole: false,
            waiting: Vec::new(),
            outcomes: Vec::new(),
            faults: Vec::new(),
            path: Vec::new(),
            taken: BTreeSet::new(),
            steps_without_answer: 0,
            keys_only_said: false,
        }
    }

    /// What is known before the call: facts of it, and values of the person, which become what the plan's inputs say
    /// they are.
    #[must_use]
    pub fn knowing(mut self, facts: Scope, variables: &Variables) -> Self {
        self.scope = facts;
        for (name, text) in variables {
            let sort = self.plan.inputs.iter().find(|input| input.name == crate::dialplan::scope::readable(name));
            let value = match sort.map(|input| input.sort.take(text.reveal())) {
                Some(Ok(value)) => value,
                Some(Err(why)) => {
                    self.faults.push(format!("input `{name}` {why}"));
                    Value::text(text.reveal().as_str())
                }
                None => Value::text(text.reveal().as_str()),
            };
            self.scope.keep(name, value);
        }
        self
    }

    /// In the middle of the plan instead, knowing this; for rehearsals, before the call has begun.
    pub fn begin_at(&mut self, place: StepIx, scope: Scope) {
        (self.at, self.start, self.scope) = (place, place, scope);
    }

    /// From now on it tells what happens on the way.
    pub fn tell_all(&mut self) {
        self.told.get_or_insert_default();
    }

    /// What has happened since this was last asked; nothing where nobody wanted to be told.
    pub fn take_told(&mut self) -> Vec<Told> {
        self.told.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The first act of the call.
    pub fn start(&mut self, now: Timestamp) -> Act {
        let plan = self.plan.clone();
        let start = Next::Go(Target::Step(self.start));
        self.follow(&plan, start, now)
    }

    /// What follows what happened to the step in hand.
    pub fn next(&mut self, event: &Event, now: Timestamp) -> Act {
        let served = |event: &Event| matches!(event, Event::Handed(handed) if handed.end == HandedEnd::Served);
        if matches!(event, Event::Answered(_)) || served(event) {
            self.steps_without_answer = 0;
        }
        let plan = self.plan.clone();
        if *event == Event::Error
            && !self.keys_only_said
            && let Some((place, _)) = self.asking
            && let Some(quest) = self.step(&plan).quest(place).filter(|quest| quest.ear.takes_keys())
        {
            self.keys_only_said = true;
            return self.ask(&quest.question, place, Some(&plan.phrases_at(self.at).keys_only), &[], now);
        }
        let next = self.consult(&plan, event, now);
        self.follow(&plan, next, now)
    }

    /// The caller has said or typed this; `None` for what must stay secret.
    pub fn note_said(&mut self, said: Option<Pii<String>>) {
        self.said = said.or(self.said.take());
    }

    /// The caller speaks this language of the plan, and the call goes on in it.
    pub fn go_on_in(&mut self, language: Language) {
        self.language = language;
    }

    /// In these words the caller has just answered; `None` for anything but words, or words that must stay secret. What
    /// else they say is for the step that the answer leads to.
    pub fn note_words(&mut self, nbest: Option<&NBest>) {
        let plan = self.plan.clone();
        self.ahead.hear(nbest, self.step(&plan).kind.hands_on());
    }

    /// Questions that were answered before they were asked, since this was last asked.
    pub fn take_forestalled(&mut self) -> Vec<Forestalled> {
        std::mem::take(&mut self.forestalled)
    }

    /// What we said last is over; was it heard whole?
    pub const fn note_whole(&mut self, whole: bool) {
        self.said_whole = whole;
    }

    /// The language in which this call is held.
    pub const fn language(&self) -> &Language {
        &self.language
    }

    /// Step names in the order visited.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// Every way taken so far.
    pub const fn taken(&self) -> &BTreeSet<Way> {
        &self.taken
    }

    /// What the call knows.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What came of the call so far.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// What went wrong since this was last asked, in sentences for the plan's author: a condition that could not be
    /// told, a text that could not be filled in.
    pub fn take_faults(&mut self) -> Vec<String> {
        std::mem::take(&mut self.faults)
    }

    /// A prompt in the call's language.
    pub fn line(&mut self, prompt: &Prompt, now: Timestamp) -> Line {
        let (line, fault) =
            line_of(prompt, View { scope: &self.scope, language: &self.language, now: self.civil(now) });
        self.blame(fault);
        line
    }

    /// Something came of the step in hand that it does not see itself.
    pub fn came_to(&mut self, kind: OutcomeKind) {
        if self.outcomes.len() < OUTCOMES {
            let plan = self.plan.clone();
            self.outcomes.push(Outcome { step: self.step(&plan).name.clone(), kind });
        }
    }

    /// The place of the step in hand.
    pub const fn place(&self) -> StepIx {
        self.at
    }

    fn civil(&self, now: Timestamp) -> DateTime {
        self.zone.to_datetime(now)
    }

    /// What calendars say of this moment, by name; moments by the plan's clock.
    fn told_by(&self, calendars: &Calendars, now: Timestamp) -> Value {
        let moment = |at: Option<Timestamp>| at.map_or(Value::Nothing, |at| Value::Moment(self.civil(at)));
        let told = calendars.iter().map(|(name, calendar)| {
            let (open, holiday, opens, closes) = match calendar.at(now) {
                Opening::Open { until } => (true, None, None, until),
                Opening::Closed { special, next } => (false, special, next, None),
            };
            let holiday = holiday.map_or(Value::Nothing, |day| Value::text(calendar.called(&day, &self.language)));
            let facts = [Value::Boolean(open), holiday, moment(opens), moment(closes)];
            let facts = CALENDAR_FACTS.into_iter().map(str::to_owned).zip(facts);
            (name.clone(), Value::Map(facts.collect()))
        });
        Value::Map(told.collect())
    }

    fn blame(&mut self, fault: Option<String>) {
        if self.faults.len() < FAULTS {
            self.faults.extend(fault);
        }
    }

    fn step<'plan>(&self, plan: &'plan Plan) -> &'plan Step {
        plan.steps.get(self.at.0).expect("a compiled plan's targets are steps of it")
    }

    /// Asks the step in hand what follows.
    fn consult<'plan>(&mut self, plan: &'plan Plan, event: &Event, now: Timestamp) -> Next<'plan> {
        let (wall, now) = (now, self.civil(now));
        // A step, or the caller, may have changed it.
        self.scope.set_fact("language", Value::text(self.language.as_str()));
        let calendars = plan.calendars_at(self.at).map(|calendars| self.told_by(calendars, wall));
        self.scope.set_calendars(calendars.unwrap_or_default());
        let step = self.step(plan);
        let mut visit = Visit {
            scope: &mut self.scope,
            language: &mut self.language,
            now,
            wall,
            zone: &self.zone,
            step: &step.name,
            outcomes: &mut self.outcomes,
            faults: &mut self.faults,
            said: self.said.as_ref(),
            said_whole: self.said_whole,
            spent: self.spent.entry(self.at).or_default(),
            memory: &mut self.memory,
            told: self.told.as_mut(),
        };
        let next = step.kind.next(event, &mut visit);
        self.faults.truncate(FAULTS);
        next
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::dialplan::fixture::{bank, question_mut, say, step};
    use crate::dialplan::step::Answer;
    use crate::dialplan::step::goto::Goto;
    use crate::media::BargeIn;
    use crate::pii::Pii;
    use crate::spoken::markup;
    use crate::understand::Universal;

    /// Always the same moment.
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    struct Run(Interpreter);

    impl Run {
        fn next(&mut self, event: &Event) -> Act {
            self.0.next(event, NOW)
        }

        fn path(&self) -> &[String] {
            self.0.path()
        }
    }

    fn run(plan: Plan) -> (Run, Act) {
        let mut interpreter = Interpreter::new(Arc::new(plan), &Language::english(), TimeZone::UTC);
        let first = interpreter.start(NOW);
        (Run(interpreter), first)
    }

    fn texts(act: &Act) -> Vec<&str> {
        match act {
            Act::Say { lines, .. } | Act::Meanwhile { lines, .. } | Act::End { lines, .. } => {
                lines.iter().map(|line| line.text.as_str()).collect()
            }
            Act::HandOver { .. } => Vec::new(),
            Act::Errand { filler, .. } => filler.iter().map(|line| line.text.as_str()).collect(),
            Act::Ask(asking) => asking.lines.iter().map(|line| line.text.as_str()).collect(),
        }
    }

    #[test]
    fn a_call_walks_from_welcome_to_its_result() {
        let (mut run, first) = run(bank());
        assert!(matches!(first, Act::Say { protected: true, barge_in: BargeIn::Off, .. }));
        assert_eq!(texts(&run.next(&Event::Said)), ["What can I do for you?"]);
        assert_eq!(texts(&run.next(&Event::Answered(Answer::Option(0)))), ["Please key in your PIN."]);
        let pin = Answer::Value(Pii::new(Value::Digits("1234".to_owned())));
        assert_eq!(texts(&run.next(&Event::Answered(pin))), ["You have ten dollars."]);
        let Act::End { result, fault, .. } = run.next(&Event::Said) else { panic!("the call ends here") };
        assert_eq!((result.as_deref(), fault), (Some("balance"), None));
        assert_eq!(run.path(), ["welcome", "main", "verify", "balance", "done"]);
        assert_eq!(run.0.scope().value("pin"), Some(&Value::Digits("1234".into())));
        assert!(run.0.scope().values().next().is_none(), "a secret is not for prompts");
    }

    #[test]
    fn every_failure_uses_up_a_try_and_the_last_leads_to_exhausted() {
        let (mut run, _) = run(bank());
        run.next(&Event::Said);
        let second = run.next(&Event::NoInput);
        assert_eq!(texts(&second), ["I did not hear you.", "Say balance, or lost card."]);
        assert!(matches!(second, Act::Ask(Asking { attempt: 2, .. })));
        let third = run.next(&Event::NoMatch { rejected: false });
        assert_eq!(texts(&third), ["Sorry, I did not get that.", "Say balance, or lost card."]);
        assert_eq!(texts(&run.next(&Event::NoInput)), ["Connecting you."]);
    }

    #[test]
    fn repeat_asks_the_same_again_without_using_up_a_try() {
        let (mut run, _) = run(bank());
        run.next(&Event::Said);
        run.next(&Event::NoInput);
        let again = run.next(&Event::Answered(Answer::Universal(Universal::Repeat)));
        assert_eq!(texts(&again), ["What can I do for you?"]);
        assert!(matches!(again, Act::Ask(Asking { attempt: 2, .. })));
        assert_eq!(run.path(), ["welcome", "main"]);
    }

    #[test]
    fn back_leads_to_the_question_before_and_at_the_first_asks_it_again() {
        let (mut run, _) = run(bank());
        run.next(&Event::Said);
        run.next(&Event::Answered(Answer::Option(0)));
        let back = Event::Answered(Answer::Universal(Universal::Back));
        assert_eq!(texts(&run.next(&back)), ["What can I do for you?"]);
        assert_eq!(texts(&run.next(&back)), ["What can I do for you?"]);
        assert_eq!(run.path(), ["welcome", "main", "verify", "main", "main"]);
    }

    #[test]
    fn a_wish_that_is_not_in_force_counts_as_not_understood() {
        let mut plan = bank();
        question_mut(&mut plan, "main").universals.back = None;
        let (mut run, _) = run(plan);
        run.next(&Event::Said);
        let act = run.next(&Event::Answered(Answer::Universal(Universal::Back)));
        assert!(matches!(act, Act::Ask(Asking { attempt: 2, .. })), "{act:?}");
    }

    #[test]
    fn a_plan_that_bites_its_tail_ends_the_call() {
        let mut plan = bank();
        plan.steps =
            vec![step("a", "goto", Goto(Target::Step(StepIx(1)))), step("b", "goto", Goto(Target::Step(StepIx(0))))];
        let (_, first) = run(plan);
        let Act::End { fault: Some(fault), .. } = first else { panic!("must end: {first:?}") };
        assert!(fault.contains("50 steps without an answer"), "{fault}");

        let mut plan = bank();
        plan.steps = vec![step("a", "say", say("On and on.", Target::Repeat))];
        let (mut walk, mut act) = run(plan);
        let mut said = 0;
        while !matches!(act, Act::End { .. }) {
            act = walk.next(&Event::Said);
            said += 1;
            assert!(said < 100, "never ends");
        }
    }

    #[test]
    fn silence_for_ever_ends_even_when_exhausted_leads_round() {
        let mut plan = bank();
        question_mut(&mut plan, "main").exhausted = Target::Step(StepIx(1));
        let (mut run, _) = run(plan);
        let mut act = run.next(&Event::Said);
        let mut askings = 0;
        while !matches!(act, Act::End { .. }) {
            act = run.next(&Event::NoInput);
            askings += 1;
            assert!(askings < 200, "never ends");
        }
        assert_eq!(texts(&act), ["Something went wrong."]);
    }

    #[test]
    fn a_deaf_engine_offers_the_keys_once_and_then_takes_the_way_out() {
        let (mut run, _) = run(bank());
        run.next(&Event::Said);
        let first = run.next(&Event::Error);
        assert_eq!(texts(&first), ["Please use the keys.", "What can I do for you?"]);
        assert!(matches!(first, Act::Ask(Asking { attempt: 1, .. })));
        assert_eq!(texts(&run.next(&Event::Error)), ["Connecting you."]);
    }

    #[test]
    fn a_value_brings_no_markup_into_any_text() {
        let plan = "dialplan: 1\ninputs: { name: text }\nstart: a\nsteps:\n  a: { say: { text: \"Hello {{ name }}.\", go: b \
                    } }\n  b: { say: { text: \"<s>Hello {{ name }}.</s>\", go: $end } }\n";
        let plan = crate::dialplan::load::load_str("p.yaml", plan).unwrap().plan;
        let name = "<sub alias=\"PWNED\">x</sub><audio src=\"/etc/passwd\"/>";
        let known = [("name".to_owned(), Pii::new(name.to_owned()))].into();
        let mut call = Interpreter::new(plan, &Language::english(), TimeZone::UTC).knowing(Scope::default(), &known);
        for act in [call.start(NOW), call.next(&Event::Said, NOW)] {
            let Act::Say { lines, .. } = act else { panic!("{act:?}") };
            assert_eq!(markup::recordings(&lines[0].text), Vec::<PathBuf>::new(), "{}", lines[0].text);
            assert_eq!(markup::plain(&lines[0].text), format!("Hello {name}."));
        }
    }

    #[test]
    fn an_unknown_language_becomes_the_nearest_the_plan_speaks() {
        let plan = Arc::new(bank());
        let british = Interpreter::new(plan.clone(), &Language::parse("en-GB").unwrap(), TimeZone::UTC);
        assert_eq!(british.language(), &Language::english());
        let chinese = Interpreter::new(plan, &Language::parse("zh-CN").unwrap(), TimeZone::UTC);
        assert_eq!(chinese.language(), &Language::english());
    }
}
