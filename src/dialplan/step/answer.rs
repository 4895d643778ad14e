//! `answer`: a question of the caller's own, answered from a file of questions and answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::confirm::YesNoEar;
use super::value_ear::wish;
use super::{Answer, Ear, Event, HandsOn, Hearing, Judged, Keyed, Next, Quest, Run, Visit, Word, Words, question};
use crate::dialplan::compile::{Compiler, INCOMPLETE};
use crate::dialplan::diagnostic::Span;
use crate::dialplan::interpreter::Line;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::{Prompt, Target};
use crate::dialplan::read;
use crate::dialplan::schema::QUESTION_KEYS;
use crate::dialplan::yaml::Node;
use crate::knowledge::{Knowledge, MAYBE, SURE};
use crate::language::Language;
use crate::pii::Pii;
use crate::understand::{Fit, Matcher, NBest, Universal};
use crate::value::Value;

/// Words less sure than this are noise. 0..1.
const BELOW: f32 = 0.2;
/// Places of the step's questions.
const WHAT: usize = 0;
const HELPED: usize = 1;
const MEANT: usize = 2;

const KEYS: &[Key] = &[
    key("prompt", Shape::Text, "What the caller is asked, such as “What would you like to know?”"),
    key("file", Shape::Line, "The file of questions and answers, relative to the plan's folder."),
    key("helped", Shape::Text, "Asked after the answer; “Did that help?” if left out."),
    key(
        "meant",
        Shape::Text,
        "Asked when it is not sure what was meant; `{{ it }}` is the question as the file has it.",
    ),
    key("go", Shape::Target, "Where to when the answer helped."),
    key("unknown", Shape::Target, "Where to when the file does not answer it, or the answer did not help."),
];

/// The word.
pub const WORD: Word = Word {
    name: "answer",
    about: "Answer a question of the caller's own from a file of questions and answers.",
    keys: &[KEYS, QUESTION_KEYS],
    short: false,
    compile,
};

/// Answer a question.
#[derive(Debug)]
pub struct AnswerStep {
    /// What would you like to know; did that help; did you mean.
    pub quests: [Quest; 3],
    /// What is known.
    pub knowledge: Arc<Knowledge>,
    /// Where to when the answer helped.
    pub go: Target,
    /// Where to when there is none.
    pub unknown: Target,
}

/// Takes a question in free words.
#[derive(Debug)]
pub(in crate::dialplan) struct QuestionEar {
    pub knowledge: Arc<Knowledge>,
    matchers: BTreeMap<Language, Matcher>,
    operator: bool,
}

/// What the step remembers between its questions.
#[derive(Debug, Default)]
struct Asked {
    /// In the caller's words.
    words: String,
    /// The answer that may be given.
    answer: String,
    /// Which question is open.
    at: usize,
}

impl Run for AnswerStep {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        match (event, visit.memory::<Asked>().at) {
            (Event::Entered, _) => Next::ask(WHAT),
            (Event::Answered(Answer::Universal(universal)), place) => {
                question::wish(place, &self.quests[place].question, *universal)
            }
            (Event::Answered(Answer::Value(value)), WHAT) => self.look_up(&value.reveal().plain(), visit),
            (Event::Answered(Answer::Value(value)), HELPED) => match value.reveal() {
                Value::Boolean(false) => self.unanswered(visit),
                _ => Next::Go(self.go),
            },
            (Event::Answered(Answer::Value(value)), _) => match value.reveal() {
                Value::Boolean(false) => self.unanswered(visit),
                _ => self.tell(visit),
            },
            // The answer has been given: who does not say whether it helped has hung on for long enough.
            (Event::NoInput, HELPED) => Next::Go(self.go),
            (Event::Said | Event::Done(_) | Event::Returned(_) | Event::Answered(_), place) => Next::ask(place),
            (other, place) => question::next(place, &self.quests[place].question, other),
        }
    }

    fn quests(&self) -> Vec<&Quest> {
        self.quests.iter().collect()
    }

    fn hands_on(&self) -> HandsOn {
        HandsOn::Values
    }

    fn exits(&self) -> Vec<(String, Target)> {
        vec![("go".to_owned(), self.go), ("unknown".to_owned(), self.unknown)]
    }
}

impl AnswerStep {
    fn look_up(&self, words: &str, visit: &mut Visit<'_>) -> Next<'_> {
        let hits = self.knowledge.find(words, visit.language);
        let best = hits.first();
        let asked = visit.memory::<Asked>();
        asked.words = words.to_owned();
        match best {
            Some(hit) if hit.score >= SURE => {
                hit.entry.answer.clone_into(&mut asked.answer);
                self.tell(visit)
            }
            Some(hit) if hit.score >= MAYBE => {
                hit.entry.answer.clone_into(&mut asked.answer);
                asked.at = MEANT;
                // For this question only: the next step speaks of something else.
                visit.scope.set_it(Some(Value::text(hit.entry.question().trim_end_matches(['?', '？']))));
                Next::ask(MEANT)
            }
            _ => self.unanswered(visit),
        }
    }

    fn tell(&self, visit: &mut Visit<'_>) -> Next<'_> {
        let asked = visit.memory::<Asked>();
        asked.at = HELPED;
        let text = asked.answer.clone();
        Next::Ask { quest: HELPED, before: vec![Words::Line(Line { text, file: None })] }
    }

    fn unanswered(&self, visit: &mut Visit<'_>) -> Next<'_> {
        let words = visit.memory::<Asked>().words.clone();
        visit.came_to(OutcomeKind::Unanswered { question: Pii::new(words) });
        Next::Go(self.unknown)
    }
}

impl Ear for QuestionEar {
    fn keys(&self, typed: &str, _: &Hearing) -> Keyed {
        match typed {
            "0" if self.operator => Keyed::Complete(Answer::Universal(Universal::Operator)),
            _ => Keyed::Wrong,
        }
    }

    fn speech(&self, nbest: &NBest, hearing: &Hearing) -> Judged {
        let nothing = Judged::nothing(nbest);
        let known = self.knowledge.find_heard(nbest, &hearing.language);
        let sure = known.first().map_or(0.0, |hit| hit.score);
        let wish = wish(&self.matchers, &hearing.language, nbest);
        if let Some(wish) = wish.filter(|wish| wish.answer.is_some() && (wish.fit == Fit::Full || sure < MAYBE)) {
            return wish;
        }
        // The guess that is answered best, not the one that sounds best: its words are looked up again.
        let guess = known.first().and_then(|hit| nbest.hypotheses.get(hit.guess)).map(|guess| guess.text.clone());
        let Some(heard) = guess.or(nothing.heard.clone()) else { return nothing };
        if nothing.confidence < BELOW {
            return Judged { rejected: true, ..nothing };
        }
        let answer = Some(Answer::Value(Pii::new(Value::text(heard.reveal().as_str()))));
        let meaning = Some("question".to_owned());
        Judged { answer, meaning, confidence: sure.max(nothing.confidence.min(SURE)), heard: Some(heard), ..nothing }
    }

    fn name(&self, _: &Answer) -> String {
        "question".to_owned()
    }

    fn takes_keys(&self) -> bool {
        false
    }
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS, QUESTION_KEYS])?;
    let start = fields.start();
    let mut written = cx.written_question(&mut fields);
    written.prompt = cx.required_prompt(&mut fields);
    let file = fields.read("file", cx.findings, read::line);
    if file.is_none() {
        let message = format!("{} has no answers", cx.owner());
        cx.findings.error(start, message).help("add `file: answers.md`, see docs/lookups.md for how it is written");
    }
    let knowledge = file.and_then(|file| {
        let place = cx.read_beside(&file)?;
        match Knowledge::parse(cx.text_of(place)) {
            Ok(knowledge) => {
                let missing: Vec<String> = cx
                    .languages()
                    .iter()
                    .filter(|language| knowledge.entries(language).is_empty())
                    .map(ToString::to_string)
                    .collect();
                if !missing.is_empty() {
                    let message = format!("`{}` answers nothing in {}", file.value, missing.join(", "));
                    cx.findings.error(file.at, message).help("add questions and answers in that language");
                }
                Some(Arc::new(knowledge))
            }
            Err(problems) => {
                for problem in problems {
                    let at = Span { file: place, line: problem.line, column: problem.column, ..Span::default() };
                    let finding = cx.findings.error(at, problem.message);
                    if let Some(help) = problem.help {
                        finding.help(help);
                    }
                }
                None
            }
        }
    });
    let helped = cx.prompt_of(&mut fields, "helped").unwrap_or_else(|| cx.house_prompt("helped"));
    let meant = cx.prompt_of(&mut fields, "meant").unwrap_or_else(|| cx.house_prompt("meant"));
    let go = cx.go(&mut fields);
    let unknown = cx.target_of(&mut fields, "unknown").unwrap_or_else(|| {
        let message = format!("{} does not say where to go when the file has no answer", cx.owner());
        cx.findings.error(start, message).help("add `unknown:` and the name of a step");
        Target::End
    });
    let what = cx.question(&written, INCOMPLETE);
    let operator = what.universals.operator.is_some();
    let mut yes_no = |prompt: Prompt| {
        let mut question = cx.question(&written, INCOMPLETE);
        question.prompt = prompt;
        question.reprompts = Vec::new();
        let matchers = cx.matchers(&[], &question.universals);
        Quest { question, ear: Box::new(YesNoEar { matchers, operator }) }
    };
    let (helped, meant) = (yes_no(helped), yes_no(meant));
    let matchers = cx.matchers(&[], &what.universals);
    let knowledge = knowledge?;
    let ear = QuestionEar { knowledge: knowledge.clone(), matchers, operator };
    Some(Box::new(AnswerStep {
        quests: [Quest { question: what, ear: Box::new(ear) }, helped, meant],
        knowledge,
        go,
        unknown,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::{heard, hearing};

    const FILE: &str = "# en-US\n\n## What are your opening hours?\n\n- when do you open\n\nNine to five.\n\n\
                        ## How do I close my account?\n\nWrite to us.\n";

    #[test]
    fn the_guess_that_is_answered_best_is_looked_up_not_the_one_that_sounds_best() {
        let knowledge = Arc::new(Knowledge::parse(FILE).unwrap());
        let ear = QuestionEar { knowledge: knowledge.clone(), matchers: BTreeMap::new(), operator: false };
        let mut nbest = heard("wet do ewe oh pen", 0.9);
        nbest.hypotheses.extend(heard("when do you open", 0.8).hypotheses);
        let judged = ear.speech(&nbest, &hearing());
        let Some(Answer::Value(words)) = judged.answer else { panic!("{judged:?}") };
        assert_eq!(words.reveal(), &Value::text("when do you open"));
        assert_eq!(judged.heard.map(Pii::into_inner).as_deref(), Some("when do you open"));
        let hits = knowledge.find(&words.reveal().plain(), &hearing().language);
        assert_eq!(hits[0].entry.answer, "Nine to five.");
    }

    #[test]
    fn a_question_that_no_guess_answers_is_kept_as_it_sounded_best() {
        let ear = QuestionEar {
            knowledge: Arc::new(Knowledge::parse(FILE).unwrap()),
            matchers: BTreeMap::new(),
            operator: false,
        };
        let mut nbest = heard("may i bring my elephant", 0.9);
        nbest.hypotheses.extend(heard("may i ring my element", 0.8).hypotheses);
        let judged = ear.speech(&nbest, &hearing());
        assert_eq!(judged.answer, Some(Answer::Value(Pii::new(Value::text("may i bring my elephant")))));
    }
}
