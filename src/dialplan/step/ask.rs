//! `ask`: a value, by key or by speech, confirmed where it is not sure enough.
//!
//! ```text
//!   Ask ─value─┬─ sure ──────────────────────────▶ go
//!    ▲         └─ in doubt ─▶ Check ─ yes ───────▶ go
//!    └──────── again ◀────────┘ no     another value: that one
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::band::{self, Band, How};
use super::form::ear::{About, FormEar, Wanted};
use super::value_ear::{ValueEar, WANT_KEYS, Want, judge};
use super::{Answer, Event, Excuse, Filled, HandsOn, Hearing, Next, Quest, Run, Visit, Word, Words, question};
use crate::dialplan::compile::Compiler;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::{Prompt, Target};
use crate::dialplan::read;
use crate::dialplan::schema::{self, QUESTION_KEYS};
use crate::dialplan::yaml::Node;
use crate::understand::Universal;
use crate::value::Value;

/// The moment in which something told by the way can be objected to.
const OBJECTION: Duration = Duration::from_secs(1);

const KEYS: &[Key] = &[
    key("prompt", Shape::Text, "What is asked."),
    key("slot", Shape::Line, "The name under which the value is kept; the step's own if left out."),
    key("sensitive", Shape::Flag, "Never in transcripts, records, recordings and logs."),
    key(
        "confirm",
        Shape::Either(&[Shape::Word(band::ASK_WORDS), Shape::Keys(BAND_KEYS)]),
        "When what was understood is confirmed.",
    ),
    key("go", Shape::Target, "Where to next, once there is a value."),
];
const BAND_KEYS: &[Key] = &band::keys(band::ASK_WORDS);

/// The word.
pub const WORD: Word =
    Word { name: "ask", about: "Ask for a value.", keys: &[KEYS, WANT_KEYS, QUESTION_KEYS], short: false, compile };

/// Places of its questions.
const ASK: usize = 0;
const CHECK: usize = 1;

/// Ask for a value.
#[derive(Debug)]
pub struct Ask {
    /// How it is asked, and who understands: a [`ValueEar`]; then how it is confirmed, where it is.
    pub quests: Vec<Quest>,
    /// Name the value is kept under.
    pub slot: String,
    /// What is wanted.
    pub want: Want,
    /// Never logged, never in the transcript.
    pub sensitive: bool,
    /// How sure is sure enough.
    pub band: Band,
    /// Said before it is asked again because it was wrong.
    pub again: Prompt,
    /// Where to next, once there is a value.
    pub go: Target,
}

/// What an asking remembers.
#[derive(Debug, Default)]
struct Progress {
    /// What waits for confirmation.
    doubted: Option<Value>,
    /// What the caller has said it is not.
    denied: Vec<Value>,
}

impl Ask {
    /// How it is asked.
    pub fn quest(&self) -> &Quest {
        &self.quests[ASK]
    }

    fn taken<'plan>(&self, value: Value, visit: &mut Visit<'_>) -> Next<'plan> {
        visit.keep(&self.slot, value, self.sensitive);
        Next::Go(self.go)
    }

    fn read_back<'plan>(&self, value: Value, visit: &mut Visit<'_>) -> Next<'plan> {
        let hearing = Hearing { language: visit.language.clone(), now: visit.now };
        let said = self.want.say_back(&value, &hearing);
        visit.scope.set_it(Some(Value::text(said)));
        visit.keep(&self.slot, value.clone(), false);
        visit.memory::<Progress>().doubted = Some(value);
        Next::ask(CHECK)
    }

    /// Something was understood: is it sure enough?
    fn heard<'plan>(&self, filled: &Filled, visit: &mut Visit<'_>) -> Next<'plan> {
        let Some((value, sure)) = likeliest(filled, &visit.memory::<Progress>().denied) else {
            return Next::AskAgain { quest: ASK, excuse: Excuse::NoMatch };
        };
        match self.band.takes(sure) {
            true => self.taken(value, visit),
            false => self.read_back(value, visit),
        }
    }

    /// What the caller says of `doubted`, which was read back.
    fn checked<'plan>(&'plan self, doubted: Value, filled: &Filled, visit: &mut Visit<'_>) -> Next<'plan> {
        let other = likeliest(filled, &visit.memory::<Progress>().denied).filter(|(value, _)| *value != doubted);
        match (other, filled.consent) {
            (Some((value, sure)), _) => {
                visit.memory::<Progress>().denied.push(doubted);
                match self.band.how == How::Auto && self.band.takes(sure) {
                    true => self.taken(value, visit),
                    false => self.read_back(value, visit),
                }
            }
            (None, Some(false)) => {
                let progress = visit.memory::<Progress>();
                progress.denied.push(doubted);
                progress.doubted = None;
                let tried = progress.denied.len();
                visit.keep(&self.slot, Value::Nothing, false);
                let question = &self.quests[ASK].question;
                if tried >= question.tries as usize {
                    return Next::Go(question.exhausted);
                }
                Next::Ask { quest: ASK, before: vec![Words::Prompt(&self.again)] }
            }
            (None, Some(true)) => self.taken(doubted, visit),
            // The same value once more.
            (None, None) if !filled.values.is_empty() => self.taken(doubted, visit),
            (None, None) => Next::AskAgain { quest: CHECK, excuse: Excuse::NoMatch },
        }
    }
}

impl Run for Ask {
    /// Keeps a value and leads on; the question's ways out for the rest.
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        let doubted = visit.memory::<Progress>().doubted.clone();
        let quest = if doubted.is_some() { CHECK } else { ASK };
        match (event, doubted) {
            (Event::Answered(Answer::Value(value)), _) => self.taken(value.reveal().clone(), visit),
            (Event::Answered(Answer::Filled(filled)), None) => self.heard(filled, visit),
            (Event::Answered(Answer::Filled(filled)), Some(doubted)) => self.checked(doubted, filled, visit),
            (Event::Answered(Answer::Universal(Universal::Back)), Some(_)) => {
                visit.memory::<Progress>().doubted = None;
                Next::ask(ASK)
            }
            (Event::Answered(Answer::Universal(universal)), _) => {
                question::wish(quest, &self.quests[quest].question, *universal)
            }
            // Nobody objects.
            (Event::NoInput | Event::NoMatch { .. } | Event::Error, Some(doubted))
                if self.band.how == How::Implicit =>
            {
                self.taken(doubted, visit)
            }
            (other, _) => question::next(quest, &self.quests[quest].question, other),
        }
    }

    fn quests(&self) -> Vec<&Quest> {
        self.quests.iter().collect()
    }

    fn prompts(&self) -> Vec<&Prompt> {
        if self.quests.len() > CHECK { vec![&self.again] } else { Vec::new() }
    }

    fn exits(&self) -> Vec<(String, Target)> {
        vec![("go".to_owned(), self.go)]
    }

    fn keeps(&self) -> Vec<(&str, bool)> {
        vec![(&self.slot, self.sensitive)]
    }

    /// A card number says who it is; what was wanted before is still wanted. Another value, such as a day, is the newer
    /// word on such things.
    fn hands_on(&self) -> HandsOn {
        if self.sensitive || !self.want.speaks_for_itself() { HandsOn::Earlier } else { HandsOn::Nothing }
    }
}

/// The likeliest value that was not denied before.
fn likeliest(filled: &Filled, denied: &[Value]) -> Option<(Value, f32)> {
    let (_, value, sure) = filled.values.iter().find(|(_, value, _)| !denied.contains(value.reveal()))?;
    Some((value.reveal().clone(), *sure))
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS, WANT_KEYS, QUESTION_KEYS])?;
    let mut written = cx.written_question(&mut fields);
    written.prompt = cx.required_prompt(&mut fields);
    let owner = cx.owner();
    let want = Want::read(&mut fields, &owner, cx);
    let slot = fields.read("slot", cx.findings, read::line).filter(|slot| cx.value_name(slot));
    let sensitive = fields.read("sensitive", cx.findings, read::flag).is_some_and(|flag| flag.value);
    let at = fields.start();
    let (band, prompt) = Band::read(&mut fields, (band::ASK_WORDS, BAND_KEYS), How::Never, cx);
    if sensitive && band.how != How::Never {
        let help = "a sensitive value is never read back: leave `confirm` out";
        cx.findings.error(at, format!("{owner} would read a sensitive value back")).help(help);
    }
    let go = cx.go(&mut fields);
    let question = cx.question(&written, want.incomplete());
    let matchers = cx.matchers(&[], &question.universals);
    judge(&want, sensitive, cx);
    let slot = slot.map_or_else(|| cx.name().to_owned(), |slot| slot.value);
    let (tries, operator) = (question.tries, question.universals.operator.is_some());
    let ear = ValueEar {
        slot: slot.clone(),
        want: want.clone(),
        matchers: matchers.clone(),
        sensitive,
        below: band.below,
        weighs: band.how != How::Never,
    };
    let mut quests = vec![Quest { question, ear: Box::new(ear) }];
    let mut again = Prompt::none();
    if band.how != How::Never {
        let own = schema::Question { prompt: None, reprompt: Some(Vec::new()), ..written };
        let mut question = cx.question(&own, want.incomplete());
        let house = if band.how == How::Implicit { "noted" } else { "check" };
        question.prompt = prompt.unwrap_or_else(|| cx.house_prompt(house));
        question.tries = tries;
        if band.how == How::Implicit {
            question.wait = OBJECTION;
        }
        again = cx.house_prompt("again");
        let wanted = Wanted { name: slot.clone(), want: want.clone(), phrases: BTreeMap::new(), sensitive, span: None };
        let ear = FormEar { slots: Arc::new(vec![wanted]), about: About::Check, matchers, below: band.below, operator };
        quests.push(Quest { question, ear: Box::new(ear) });
    }
    Some(Box::new(Ask { quests, slot, want, sensitive, band, again, go }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::{bank, ear_of, heard, hearing};
    use crate::dialplan::step::{Ear, Keyed};
    use crate::grammar::builtin::Kind;
    use crate::pii::Pii;
    use crate::understand::Fit;

    fn value(digits: &str) -> Answer {
        Answer::Value(Pii::new(Value::Digits(digits.to_owned())))
    }

    #[test]
    fn digits_end_at_their_longest_or_at_hash() {
        let plan = bank();
        let ear = ear_of(&plan, "verify");
        assert!(matches!(ear.want, Want::Kind(Kind::Digits { min: 4, max: 6 })));
        let keys = |typed: &str| ear.keys(typed, &hearing());
        assert_eq!(keys("123"), Keyed::More(None));
        assert_eq!(keys("1234"), Keyed::More(Some(value("1234"))));
        assert_eq!(keys("1234#"), Keyed::Complete(value("1234")));
        assert_eq!(keys("123456"), Keyed::Complete(value("123456")));
        assert_eq!(keys("12#"), Keyed::Wrong);
        assert_eq!(keys("#"), Keyed::Wrong);
    }

    #[test]
    fn letters_are_not_digits_and_a_star_is_none_either() {
        let plan = bank();
        let ear = ear_of(&plan, "verify");
        assert!(matches!(ear.keys("12*", &hearing()), Keyed::Ignored | Keyed::Wrong));
        assert_eq!(ear.keys("A", &hearing()), Keyed::Ignored);
    }

    fn ear(want: &str, weighs: bool) -> ValueEar {
        let want = Want::Kind(Kind::parse(want).unwrap());
        ValueEar { slot: "it".into(), want, matchers: BTreeMap::new(), sensitive: false, below: 0.3, weighs }
    }

    #[test]
    fn too_few_digits_are_the_beginning_of_the_value_and_other_words_are_not() {
        let ear = ear("digits?length=11", false);
        let judged = |text: &str, sure: f32| ear.speech(&heard(text, sure), &hearing());
        for begun in ["one three eight zero zero one three", "it's one three eight", "my card number is"] {
            let judged = judged(begun, 0.9);
            assert_eq!((judged.answer, judged.fit, judged.rejected), (None, Fit::Prefix, false), "{begun}");
            assert_eq!(judged.heard.as_ref().map(|text| text.reveal().as_str()), Some(begun));
        }
        assert_eq!(judged("what is the weather on the moon", 0.9).fit, Fit::None);
        assert_eq!((judged("", 0.0).heard, judged("", 0.0).fit), (None, Fit::None));
    }

    #[test]
    fn a_value_is_as_sure_as_its_words_and_two_guesses_as_likely_make_both_doubtful() {
        let ear = ear("amount?currency=USD", true);
        let sure = |nbest: &crate::understand::NBest| match ear.speech(nbest, &hearing()).answer {
            Some(Answer::Filled(filled)) => {
                filled.values.iter().map(|(_, value, sure)| (value.reveal().plain(), *sure)).collect()
            }
            _ => Vec::new(),
        };
        let alone = heard("fifty dollars", 0.95);
        let [(amount, certain)] = &sure(&alone)[..] else { panic!("one value") };
        assert_eq!(amount, "50.00");
        assert!(*certain >= 0.85, "{certain}");
        let mut two = heard("fifteen dollars", 0.94);
        two.hypotheses.insert(0, alone.hypotheses[0].clone());
        let [(first, doubtful), (second, _)] = &sure(&two)[..] else { panic!("two values") };
        assert_eq!((first.as_str(), second.as_str()), ("50.00", "15.00"));
        assert!(*doubtful < 0.85, "{doubtful}");
        let faint = ear.speech(&heard("fifty dollars", 0.2), &hearing());
        assert_eq!((faint.answer, faint.rejected), (None, true));
    }

    #[test]
    fn a_value_never_shows_when_formatted() {
        assert!(!format!("{:?}", value("4711")).contains("4711"));
    }
}
