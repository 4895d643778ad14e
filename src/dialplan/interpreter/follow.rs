//! From what a step wants to the next thing the call does: silent steps are walked through, questions asked and asked
//! again, parts run and left.

use jiff::Timestamp;

use super::{Act, Asking, Forestalled, Interpreter, Line, Waiting};
use crate::dialplan::ahead::Foretold;
use crate::dialplan::plan::{Plan, Prompt, Question, StepIx, Target};
use crate::dialplan::step::{Event, Excuse, Hearing, Next, Quest, Told, Words};

/// Steps entered or asked again since a caller was last understood; beyond it the plan is going round in circles.
const STEPS_WITHOUT_ANSWER: u32 = 50;
/// Questions `$back` remembers; older ones are forgotten.
const HISTORY: usize = 64;
/// Step names kept for the record; a call that wanders further keeps its beginning.
const PATH: usize = 1_000;
/// Plans that run within each other.
const DEPTH: usize = 16;

impl Interpreter {
    pub(super) fn follow<'plan>(&mut self, plan: &'plan Plan, mut next: Next<'plan>, now: Timestamp) -> Act {
        // A chain of silent steps resolves here; the step limit ends one that bites its tail.
        loop {
            if let Next::Go(target @ (Target::End | Target::Step(_))) = next
                && !self.path.is_empty()
            {
                self.taken.insert((self.at, if let Target::Step(place) = target { Some(place) } else { None }));
            }
            next = match next {
                Next::Say { words, protected, barge_in } => {
                    let lines = self.lines(&words, now);
                    return Act::Say { step: self.at, lines, protected, barge_in };
                }
                Next::Errand { errand, filler, after, patience } => {
                    let filler = self.lines(&filler, now);
                    return Act::Errand { step: self.at, errand, filler, after, patience };
                }
                Next::Ask { quest, before } if self.asking.is_none() && self.ahead.is_open() => {
                    next = self.answered_ahead(plan, quest, now).unwrap_or(Next::Ask { quest, before });
                    self.ahead.close(&next);
                    continue;
                }
                Next::Ask { quest, before } => {
                    self.asking = Some((quest, 1));
                    return self.ask(&self.quest(plan, quest).question, quest, None, &before, now);
                }
                Next::AskAgain { quest, excuse } => {
                    let question = &self.quest(plan, quest).question;
                    // Another question of the step instead is asked for the first time.
                    let attempt = self.asking.filter(|(place, _)| *place == quest).map_or(0, |(_, attempt)| attempt);
                    if attempt >= question.tries {
                        Next::Go(question.exhausted)
                    } else {
                        self.asking = Some((quest, attempt + 1));
                        let excuse = match excuse {
                            Excuse::NoInput => &plan.phrases_at(self.at).no_input,
                            Excuse::NoMatch => &plan.phrases_at(self.at).no_match,
                        };
                        return self.ask(question, quest, Some(excuse), &[], now);
                    }
                }
                Next::HandOver(handover) => return Act::HandOver { step: self.at, handover },
                Next::Meanwhile { words } => return Act::Meanwhile { step: self.at, lines: self.lines(&words, now) },
                Next::End { words, result } => {
                    let lines = self.lines(&words, now);
                    return self.end(lines, result.map(std::borrow::Cow::into_owned), None);
                }
                Next::Go(Target::End) => match self.waiting.pop() {
                    Some(waiting) => {
                        let theirs = std::mem::replace(&mut self.scope, waiting.scope);
                        (self.at, self.asked, self.memory, self.asking) = (waiting.at, waiting.asked, Vec::new(), None);
                        self.consult(plan, &Event::Returned(Box::new(theirs)), now)
                    }
                    None => {
                        let goodbye = self.line(&plan.phrases_at(self.at).goodbye, now);
                        return self.end(vec![goodbye], None, None);
                    }
                },
                Next::Run { start, given } => {
                    if self.waiting.len() >= DEPTH {
                        return self.going_round(now);
                    }
                    let scope = std::mem::replace(&mut self.scope, *given);
                    let asked = std::mem::take(&mut self.asked);
                    self.waiting.push(Waiting { at: self.at, part: start, scope, asked });
                    self.taken.insert((self.at, Some(start)));
                    Next::Go(Target::Step(start))
                }
                Next::Go(target) => {
                    self.steps_without_answer += 1;
                    if self.steps_without_answer > STEPS_WITHOUT_ANSWER {
                        return self.going_round(now);
                    }
                    match (target, self.asking) {
                        // The same asking once more: neither a new step nor a new try.
                        (Target::Repeat, Some((quest, _))) => {
                            return self.ask(&self.quest(plan, quest).question, quest, None, &[], now);
                        }
                        (target, _) => self.move_to(target),
                    }
                    self.consult(plan, &Event::Entered, now)
                }
            }
        }
    }

    /// What follows where the caller has answered this question before it was asked; `None` where they have not.
    fn answered_ahead<'plan>(&mut self, plan: &'plan Plan, quest: usize, now: Timestamp) -> Option<Next<'plan>> {
        let hearing = Hearing { language: self.language.clone(), now: self.civil(now) };
        let Foretold { answer, confidence } = self.ahead.answer(self.quest(plan, quest).ear.as_ref(), &hearing)?;
        let (step, meaning) = (self.at, self.quest(plan, quest).name(&answer));
        match self.consult(plan, &Event::Answered(answer), now) {
            // It is nothing that the step could take: as if it had not been said.
            Next::AskAgain { .. } => Some(self.consult(plan, &Event::Entered, now)),
            next => {
                self.forestalled.push(Forestalled { step, quest, meaning, confidence });
                Some(next)
            }
        }
    }

    fn quest<'plan>(&self, plan: &'plan Plan, place: usize) -> &'plan Quest {
        self.step(plan).quest(place).expect("a step asks questions that it has")
    }

    fn lines(&mut self, words: &[Words<'_>], now: Timestamp) -> Vec<Line> {
        let line = |words: &Words<'_>| match words {
            Words::Prompt(prompt) => self.line(prompt, now),
            Words::Line(line) => line.clone(),
        };
        words.iter().map(line).collect()
    }

    /// Takes the place a target names.
    fn move_to(&mut self, target: Target) {
        match target {
            Target::Repeat => {}
            Target::Step(place) => self.arrive(place),
            Target::Back => {
                if self.asked.last() == Some(&self.at) && self.asked.len() > 1 {
                    self.asked.pop();
                }
                // Where nothing was asked yet: the beginning of the plan that runs, which has values of its own.
                let start = self.waiting.last().map_or(self.start, |waiting| waiting.part);
                let before = self.asked.last().copied().unwrap_or(start);
                self.arrive(before);
            }
            Target::End => unreachable!("ends are followed before places are taken"),
        }
    }

    fn arrive(&mut self, place: StepIx) {
        (self.at, self.asking, self.memory) = (place, None, Vec::new());
        self.scope.set_it(None);
        if let Some(told) = &mut self.told {
            told.push(Told::Came(place));
        }
        if self.path.len() < PATH {
            let plan = self.plan.clone();
            self.path.push(self.step(&plan).name.clone());
        }
    }

    pub(super) fn ask(
        &mut self,
        question: &Question,
        quest: usize,
        excuse: Option<&Prompt>,
        before: &[Words<'_>],
        now: Timestamp,
    ) -> Act {
        if self.asked.last() != Some(&self.at) {
            if self.asked.len() == HISTORY {
                self.asked.remove(0);
            }
            self.asked.push(self.at);
        }
        let attempt = self.asking.map_or(1, |(_, attempt)| attempt);
        // Asked again after a failure: its own wording for that, the last one for all later askings.
        let again = (attempt as usize).checked_sub(2).filter(|_| excuse.is_some());
        let wording = again
            .and_then(|again| question.reprompts.get(again).or(question.reprompts.last()))
            .unwrap_or(&question.prompt);
        if excuse.is_some() {
            self.steps_without_answer += 1;
            if self.steps_without_answer > STEPS_WITHOUT_ANSWER {
                return self.going_round(now);
            }
        }
        let mut lines = self.lines(before, now);
        lines.extend(excuse.into_iter().chain([wording]).map(|prompt| self.line(prompt, now)));
        let hearing = Hearing { language: self.language.clone(), now: self.civil(now) };
        Act::Ask(Asking { step: self.at, quest, hearing, attempt, lines, barge_in: question.barge_in })
    }

    fn going_round(&mut self, now: Timestamp) -> Act {
        let plan = self.plan.clone();
        let fault = format!(
            "plan `{}` went {STEPS_WITHOUT_ANSWER} steps without an answer, last at step `{}`",
            plan.name,
            self.step(&plan).name
        );
        let failure = self.line(&plan.phrases_at(self.at).failure, now);
        self.end(vec![failure], None, Some(fault))
    }

    const fn end(&self, lines: Vec<Line>, result: Option<String>, fault: Option<String>) -> Act {
        Act::End { step: self.at, lines, result, fault }
    }
}
