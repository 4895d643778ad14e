//! `ask`: a value, by key or by speech.

use std::collections::BTreeMap;

use super::{Answer, Ear, Event, Hearing, Judged, Keyed, Next, Quest, Run, Visit, Word, answer_of, question};
use crate::dialplan::compile::{Compiler, INCOMPLETE_DIGITS};
use crate::dialplan::diagnostic::Findings;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::lint;
use crate::dialplan::plan::Target;
use crate::dialplan::read::{self, Fields};
use crate::dialplan::schema::QUESTION_KEYS;
use crate::dialplan::yaml::{Node, Value as Yaml};
use crate::language::Language;
use crate::pii::Pii;
use crate::spoken::digits;
use crate::understand::{Fit, Matcher, Meaning, NBest};
use crate::value::Value;

/// A universal wish said instead of a value must be at least this sure. 0..1.
const WISH_BELOW: f32 = 0.6;
/// Values spoken less clearly than this are asked for again. 0..1.
const VALUE_BELOW: f32 = 0.3;
/// Longest string of digits. Card numbers have 19, IBANs 34.
const MAX_DIGITS: usize = 40;

const KEYS: &[Key] = &[
    key("prompt", Shape::Text, "What is asked."),
    key(
        "digits",
        Shape::Either(&[Shape::Count(1, MAX_DIGITS), Shape::Keys(DIGITS_KEYS)]),
        "A string of digits is wanted: how many.",
    ),
    key("slot", Shape::Line, "The name under which the value is kept; the step's own if left out."),
    key("sensitive", Shape::Flag, "Never in transcripts, records, recordings and logs."),
    key("go", Shape::Target, "Where to next, once there is a value."),
];
const DIGITS_KEYS: &[Key] = &[
    key("min", Shape::Count(1, MAX_DIGITS), "At least so many."),
    key("max", Shape::Count(1, MAX_DIGITS), "At most so many."),
];

/// The word.
pub const WORD: Word =
    Word { name: "ask", about: "Ask for a value.", keys: &[KEYS, QUESTION_KEYS], short: false, compile };

/// Ask for a value.
#[derive(Debug)]
pub struct Ask {
    /// How it is asked, and who understands: a [`ValueEar`].
    pub quest: Quest,
    /// Name the value is kept under.
    pub slot: String,
    /// Never logged, never in the transcript.
    pub sensitive: bool,
    /// Where to next, once there is a value.
    pub go: Target,
}

/// Kinds of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A string of digits, by key (`#` ends it early) or speech.
    Digits {
        /// At least.
        min: usize,
        /// At most.
        max: usize,
    },
}

/// Understands one value.
#[derive(Debug)]
pub struct ValueEar {
    /// Name the value is kept under.
    pub slot: String,
    /// What is wanted.
    pub want: Want,
    /// Understands universals while waiting for the value, per language of the plan.
    pub matchers: BTreeMap<Language, Matcher>,
    /// Keep it secret.
    pub sensitive: bool,
}

impl Run for Ask {
    /// Keeps a value and leads on; the question's ways out for the rest.
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        match event {
            Event::Answered(Answer::Value(value)) => {
                visit.keep(&self.slot, value.reveal().clone(), self.sensitive);
                Next::Go(self.go)
            }
            Event::Answered(Answer::Universal(universal)) => question::wish(0, &self.quest.question, *universal),
            other => question::next(0, &self.quest.question, other),
        }
    }

    fn quests(&self) -> Vec<&Quest> {
        vec![&self.quest]
    }

    fn exits(&self) -> Vec<(String, Target)> {
        vec![("go".to_owned(), self.go)]
    }

    fn keeps(&self) -> Vec<(&str, bool)> {
        vec![(&self.slot, self.sensitive)]
    }
}

impl Ear for ValueEar {
    /// Digits end at their longest, at `#`, or when nothing more comes and there are enough.
    fn keys(&self, typed: &str, _: &Hearing) -> Keyed {
        let Want::Digits { min, max } = self.want;
        let value = |digits: &str| Answer::Value(Pii::new(Value::Digits(digits.to_owned())));
        if let Some(digits) = typed.strip_suffix('#') {
            return if (min..=max).contains(&digits.len()) { Keyed::Complete(value(digits)) } else { Keyed::Wrong };
        }
        if !typed.chars().all(|key| key.is_ascii_digit()) {
            return Keyed::Ignored;
        }
        match typed.len() {
            length if length >= max => Keyed::Complete(value(typed)),
            length => Keyed::More((length >= min && length > 0).then(|| value(typed))),
        }
    }

    /// The first hypothesis that is a value of the right length; else a universal wish.
    fn speech(&self, nbest: &NBest, hearing: &Hearing) -> Judged {
        let Want::Digits { min, max } = self.want;
        let nothing = Judged::nothing(nbest);
        let mut growing = None;
        for guess in &nbest.hypotheses {
            let (found, fit) = digits::heard(guess.text.reveal(), &hearing.language, min, max);
            let judged =
                Judged { heard: Some(guess.text.clone()), confidence: guess.confidence, fit, ..nothing.clone() };
            match found {
                Some(value) if (min..=max).contains(&value.len()) && guess.confidence >= VALUE_BELOW => {
                    let answer = Some(Answer::Value(Pii::new(Value::Digits(value))));
                    return Judged { answer, meaning: Some(self.slot.clone()), ..judged };
                }
                Some(value) if (min..=max).contains(&value.len()) => {
                    growing.get_or_insert(Judged { rejected: true, ..judged });
                }
                Some(_) => {
                    growing.get_or_insert(judged);
                }
                // Too few yet, or only "my card ends in": the digits are still to come.
                None if fit == Fit::Prefix && !guess.text.reveal().trim().is_empty() => {
                    growing.get_or_insert(judged);
                }
                None => {}
            }
        }
        wish(&self.matchers, &hearing.language, nbest).or(growing).unwrap_or(nothing)
    }

    fn name(&self, _: &Answer) -> String {
        self.slot.clone()
    }

    fn sensitive(&self) -> bool {
        self.sensitive
    }
}

/// A universal wish, said instead of an answer.
pub fn wish(matchers: &BTreeMap<Language, Matcher>, language: &Language, nbest: &NBest) -> Option<Judged> {
    let verdict = matchers.get(language)?.understand(nbest);
    let (meaning, confidence) = verdict.candidates.first()?;
    let Meaning::Universal(universal) = meaning else { return None };
    let sure = *confidence >= WISH_BELOW;
    Some(Judged {
        answer: sure.then(|| answer_of(meaning)),
        meaning: sure.then(|| question::universal_name(*universal).to_owned()),
        heard: nbest.hypotheses.get(verdict.hypothesis).map(|guess| guess.text.clone()),
        confidence: *confidence,
        fit: if sure { verdict.fit } else { Fit::None },
        rejected: !sure,
    })
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS, QUESTION_KEYS])?;
    let mut written = cx.written_question(&mut fields);
    written.prompt = cx.required_prompt(&mut fields);
    let digits = match fields.take("digits") {
        Some(node) => self::digits(node, cx.findings),
        None => {
            let message = format!("{} does not say what it wants", cx.owner());
            let help = "add `digits: 4`, or `digits: { min: 8, max: 11 }`";
            cx.findings.error(fields.start(), message).help(help);
            None
        }
    };
    let slot = fields.read("slot", cx.findings, read::line).filter(|slot| read::name(slot, "a slot", cx.findings));
    let sensitive = fields.read("sensitive", cx.findings, read::flag).is_some_and(|flag| flag.value);
    let go = cx.go(&mut fields);
    let question = cx.question(&written, INCOMPLETE_DIGITS);
    let matchers = cx.matchers(&[], &question.universals);
    let (min, max) = digits.unwrap_or((1, 1));
    lint::digits(max, sensitive, cx);
    let slot = slot.map_or_else(|| cx.name().to_owned(), |slot| slot.value);
    let ear = ValueEar { slot: slot.clone(), want: Want::Digits { min, max }, matchers, sensitive };
    Some(Box::new(Ask { quest: Quest { question, ear: Box::new(ear) }, slot, sensitive, go }))
}

fn digits(node: Node, findings: &mut Findings) -> Option<(usize, usize)> {
    if let Yaml::Scalar { .. } = node.value {
        let exactly = read::count(&node, "the number of digits", 1..=MAX_DIGITS, findings)?.value;
        return Some((exactly, exactly));
    }
    let mut fields = Fields::open(node, "`digits`", &[DIGITS_KEYS], findings)?;
    let bound =
        |node: &Node, findings: &mut Findings| read::count(node, "the number of digits", 1..=MAX_DIGITS, findings);
    let min = fields.read("min", findings, bound).map_or(1, |min| min.value);
    let max = fields.read("max", findings, bound)?;
    if max.value < min {
        findings.error(max.at, format!("at most {} digits cannot hold at least {min}", max.value));
        return None;
    }
    Some((min, max.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::{bank, ear_of, heard, hearing};

    fn value(digits: &str) -> Answer {
        Answer::Value(Pii::new(Value::Digits(digits.to_owned())))
    }

    #[test]
    fn digits_end_at_their_longest_or_at_hash() {
        let plan = bank();
        let ear = ear_of(&plan, "verify");
        assert_eq!(ear.want, Want::Digits { min: 4, max: 6 });
        let keys = |typed: &str| ear.keys(typed, &hearing());
        assert_eq!(keys("123"), Keyed::More(None));
        assert_eq!(keys("1234"), Keyed::More(Some(value("1234"))));
        assert_eq!(keys("1234#"), Keyed::Complete(value("1234")));
        assert_eq!(keys("123456"), Keyed::Complete(value("123456")));
        assert_eq!(keys("12#"), Keyed::Wrong);
        assert_eq!(keys("#"), Keyed::Wrong);
    }

    #[test]
    fn star_and_letters_are_not_digits() {
        let plan = bank();
        let ear = ear_of(&plan, "verify");
        assert_eq!(ear.keys("12*", &hearing()), Keyed::Ignored);
        assert_eq!(ear.keys("A", &hearing()), Keyed::Ignored);
    }

    #[test]
    fn too_few_digits_are_the_beginning_of_the_value_and_other_words_are_not() {
        let ear = ValueEar {
            slot: "card".into(),
            want: Want::Digits { min: 11, max: 11 },
            matchers: BTreeMap::new(),
            sensitive: false,
        };
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
    fn a_value_never_shows_when_formatted() {
        assert!(!format!("{:?}", value("4711")).contains("4711"));
    }
}
