//! Walks a plan for one call: something happened → what to say or ask next.
//!
//! Pure and without time. It owns what a plan run remembers: where the call is, which questions were asked (for
//! `$back`), how often this one has been, and the values kept. What each step does lives in [`super::step`].
//!
//! ```text
//! start() ─▶ Act::Say ─next(Said)─▶ Act::Ask ─next(Answered | NoInput | NoMatch | Error)─▶ … ─▶ Act::End
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::dialplan::fill::{Variables, fill};
use crate::dialplan::plan::{Plan, Prompt, Question, Step, StepIx, Target};
use crate::dialplan::step::{self, Answer, Event, Excuse, Next};
use crate::language::Language;
use crate::media::BargeIn;
use crate::pii::Pii;

/// Steps entered or asked again since a caller was last understood; beyond it the plan is going round in circles.
const STEPS_WITHOUT_ANSWER: u32 = 50;
/// Questions `$back` remembers; older ones are forgotten.
const HISTORY: usize = 64;
/// Step names kept for the record; a call that wanders further keeps its beginning.
const PATH: usize = 1_000;

/// One thing to say, in the call's language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The words.
    pub text: String,
    /// A recorded file that wins over synthesis.
    pub file: Option<PathBuf>,
}

/// What the call should do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Speak, then report [`Event::Said`].
    Say {
        /// Who says it.
        step: StepIx,
        /// In this order.
        lines: Vec<Line>,
        /// Must be heard whole.
        protected: bool,
        /// Who may stop it.
        barge_in: BargeIn,
    },
    /// Ask, then report what came of it.
    Ask(Asking),
    /// Say these whole, then hang up.
    End {
        /// Who ends it.
        step: StepIx,
        /// Last words; may be none.
        lines: Vec<Line>,
        /// `result:` of the hangup step.
        result: Option<String>,
        /// The plan ran in circles; in words for its author.
        fault: Option<String>,
    },
}

/// One asking of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The step that asks.
    pub step: StepIx,
    /// 1 for the first.
    pub attempt: u32,
    /// Said first, in this order.
    pub lines: Vec<Line>,
    /// Who may stop them.
    pub barge_in: BargeIn,
}

/// A plan being run by one call.
#[derive(Debug)]
pub struct Interpreter {
    plan: Arc<Plan>,
    language: Language,
    at: StepIx,
    attempt: u32,
    /// Questions in the order asked; the one being asked is last.
    asked: Vec<StepIx>,
    slots: BTreeMap<String, Pii<String>>,
    variables: Variables,
    path: Vec<String>,
    steps_without_answer: u32,
    keys_only_said: bool,
}

impl Interpreter {
    /// At the plan's beginning. A language the plan does not speak becomes its nearest, else its first.
    pub fn new(plan: Arc<Plan>, language: &Language) -> Self {
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
            plan,
            language,
            attempt: 1,
            asked: Vec::new(),
            slots: BTreeMap::new(),
            variables: Variables::new(),
            path: Vec::new(),
            steps_without_answer: 0,
            keys_only_said: false,
        }
    }

    /// What is known of the caller before the call, for prompts.
    #[must_use]
    pub fn knowing(mut self, variables: Variables) -> Self {
        self.variables = variables;
        self
    }

    /// The first act of the call.
    pub fn start(&mut self) -> Act {
        self.enter(self.plan.start)
    }

    /// What follows what happened to the step in hand.
    pub fn next(&mut self, event: &Event) -> Act {
        if matches!(event, Event::Answered(_)) {
            self.steps_without_answer = 0;
        }
        let plan = self.plan.clone();
        let here = self.step(&plan);
        if *event == Event::Error && !self.keys_only_said && step::takes_keys(here) {
            self.keys_only_said = true;
            if let Some(question) = step::question(here) {
                return self.ask(question, Some(&plan.phrases.keys_only));
            }
        }
        let next = step::next(here, event);
        if let (Next::Keep { slot, .. }, Event::Answered(Answer::Value(value))) = (next, event) {
            self.slots.insert(slot.to_owned(), value.clone());
        }
        self.follow(&plan, next)
    }

    /// The language in which this call is held.
    pub const fn language(&self) -> &Language {
        &self.language
    }

    /// Step names in the order visited.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// A value the caller gave.
    pub fn slot(&self, name: &str) -> Option<&Pii<String>> {
        self.slots.get(name)
    }

    /// A prompt in the call's language.
    pub fn line(&self, prompt: &Prompt) -> Line {
        let text = prompt.texts.get(&self.language).or_else(|| prompt.texts.values().next());
        let text = text.map(|text| fill(text, &self.variables).into_owned());
        Line { text: text.unwrap_or_default(), file: prompt.files.get(&self.language).cloned() }
    }

    /// The place of the step in hand.
    pub const fn place(&self) -> StepIx {
        self.at
    }

    fn step<'plan>(&self, plan: &'plan Plan) -> &'plan Step {
        plan.steps.get(self.at.0).expect("a compiled plan's targets are steps of it")
    }

    fn follow<'plan>(&mut self, plan: &'plan Plan, mut next: Next<'plan>) -> Act {
        // A chain of `goto` and silent steps resolves here; the step limit ends one that bites its tail.
        loop {
            next = match next {
                Next::Say { prompt, protected, barge_in } => {
                    return Act::Say { step: self.at, lines: vec![self.line(prompt)], protected, barge_in };
                }
                Next::Ask(question) => return self.ask(question, None),
                Next::End { prompt, result } => {
                    let lines = prompt.map(|prompt| self.line(prompt)).into_iter().collect();
                    return self.end(lines, result.map(str::to_owned), None);
                }
                Next::AskAgain(question, _) if self.attempt >= question.tries => Next::Go(question.exhausted),
                Next::AskAgain(question, excuse) => {
                    self.attempt += 1;
                    let excuse = match excuse {
                        Excuse::NoInput => &plan.phrases.no_input,
                        Excuse::NoMatch => &plan.phrases.no_match,
                    };
                    return self.ask(question, Some(excuse));
                }
                Next::Go(Target::End) => {
                    let lines = vec![self.line(&plan.phrases.goodbye)];
                    return self.end(lines, None, None);
                }
                Next::Go(target) | Next::Keep { go: target, .. } => {
                    if let Some(going_round) = self.move_to(target) {
                        return going_round;
                    }
                    step::next(self.step(plan), &Event::Entered)
                }
            }
        }
    }

    fn enter(&mut self, start: StepIx) -> Act {
        let plan = self.plan.clone();
        self.follow(&plan, Next::Go(Target::Step(start)))
    }

    /// Takes the place a target names. Returns how the call ends when that happened too often.
    fn move_to(&mut self, target: Target) -> Option<Act> {
        self.steps_without_answer += 1;
        if self.steps_without_answer > STEPS_WITHOUT_ANSWER {
            return Some(self.going_round());
        }
        match target {
            // The same asking once more: neither a new step nor a new try.
            Target::Repeat => {}
            Target::Step(place) => self.arrive(place),
            Target::Back => {
                if self.asked.last() == Some(&self.at) && self.asked.len() > 1 {
                    self.asked.pop();
                }
                let before = self.asked.last().copied().unwrap_or(self.plan.start);
                self.arrive(before);
            }
            Target::End => unreachable!("ends are followed before places are taken"),
        }
        None
    }

    fn arrive(&mut self, place: StepIx) {
        self.at = place;
        self.attempt = 1;
        if self.path.len() < PATH {
            let plan = self.plan.clone();
            self.path.push(self.step(&plan).name.clone());
        }
    }

    fn ask(&mut self, question: &Question, excuse: Option<&Prompt>) -> Act {
        if self.asked.last() != Some(&self.at) {
            if self.asked.len() == HISTORY {
                self.asked.remove(0);
            }
            self.asked.push(self.at);
        }
        // Asked again after a failure: its own wording for that, the last one for all later askings.
        let again = (self.attempt as usize).checked_sub(2).filter(|_| excuse.is_some());
        let wording = again
            .and_then(|again| question.reprompts.get(again).or(question.reprompts.last()))
            .unwrap_or(&question.prompt);
        if excuse.is_some() {
            self.steps_without_answer += 1;
            if self.steps_without_answer > STEPS_WITHOUT_ANSWER {
                return self.going_round();
            }
        }
        let lines = excuse.into_iter().chain([wording]).map(|prompt| self.line(prompt)).collect();
        Act::Ask(Asking { step: self.at, attempt: self.attempt, lines, barge_in: question.barge_in })
    }

    fn going_round(&self) -> Act {
        let plan = self.plan.clone();
        let fault = format!(
            "plan `{}` went {STEPS_WITHOUT_ANSWER} steps without an answer, last at step `{}`",
            plan.name,
            self.step(&plan).name
        );
        self.end(vec![self.line(&plan.phrases.failure)], None, Some(fault))
    }

    const fn end(&self, lines: Vec<Line>, result: Option<String>, fault: Option<String>) -> Act {
        Act::End { step: self.at, lines, result, fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::{bank, say, step};
    use crate::dialplan::plan::StepKind;
    use crate::understand::Universal;

    fn run(plan: Plan) -> (Interpreter, Act) {
        let mut interpreter = Interpreter::new(Arc::new(plan), &Language::english());
        let first = interpreter.start();
        (interpreter, first)
    }

    fn texts(act: &Act) -> Vec<&str> {
        match act {
            Act::Say { lines, .. } | Act::End { lines, .. } => lines.iter().map(|line| line.text.as_str()).collect(),
            Act::Ask(asking) => asking.lines.iter().map(|line| line.text.as_str()).collect(),
        }
    }

    #[test]
    fn a_call_walks_from_welcome_to_its_result() {
        let (mut run, first) = run(bank());
        assert!(matches!(first, Act::Say { protected: true, barge_in: BargeIn::Off, .. }));
        assert_eq!(texts(&run.next(&Event::Said)), ["What can I do for you?"]);
        assert_eq!(texts(&run.next(&Event::Answered(Answer::Option(0)))), ["Please key in your PIN."]);
        let pin = Answer::Value(Pii::new("1234".to_owned()));
        assert_eq!(texts(&run.next(&Event::Answered(pin))), ["You have ten dollars."]);
        let Act::End { result, fault, .. } = run.next(&Event::Said) else { panic!("the call ends here") };
        assert_eq!((result.as_deref(), fault), (Some("balance"), None));
        assert_eq!(run.path(), ["welcome", "main", "verify", "balance", "done"]);
        assert_eq!(run.slot("pin").map(|pin| pin.reveal().as_str()), Some("1234"));
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
        let StepKind::Menu(menu) = &mut plan.steps[1].kind else { unreachable!("main is a menu") };
        menu.question.universals.back = None;
        let (mut run, _) = run(plan);
        run.next(&Event::Said);
        let act = run.next(&Event::Answered(Answer::Universal(Universal::Back)));
        assert!(matches!(act, Act::Ask(Asking { attempt: 2, .. })), "{act:?}");
    }

    #[test]
    fn a_plan_that_bites_its_tail_ends_the_call() {
        let mut plan = bank();
        plan.steps = vec![
            step("a", StepKind::Goto(Target::Step(StepIx(1)))),
            step("b", StepKind::Goto(Target::Step(StepIx(0)))),
        ];
        let (_, first) = run(plan);
        let Act::End { fault: Some(fault), .. } = first else { panic!("must end: {first:?}") };
        assert!(fault.contains("50 steps without an answer"), "{fault}");

        let mut plan = bank();
        plan.steps = vec![step("a", say("On and on.", Target::Repeat))];
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
        let StepKind::Menu(menu) = &mut plan.steps[1].kind else { unreachable!("main is a menu") };
        menu.question.exhausted = Target::Step(StepIx(1));
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
    fn an_unknown_language_becomes_the_nearest_the_plan_speaks() {
        let plan = Arc::new(bank());
        let british = Interpreter::new(plan.clone(), &Language::parse("en-GB").unwrap());
        assert_eq!(british.language(), &Language::english());
        let chinese = Interpreter::new(plan, &Language::parse("zh-CN").unwrap());
        assert_eq!(chinese.language(), &Language::english());
    }
}
