//! `confirm`: yes or no, about something said.

use std::collections::BTreeMap;

use super::value_ear::{Want, guesses, wish};
use super::{Answer, Ear, Event, HandsOn, Hearing, Judged, Keyed, Next, Quest, Run, Visit, Word, question};
use crate::dialplan::compile::{Compiler, INCOMPLETE};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::Target;
use crate::dialplan::schema::QUESTION_KEYS;
use crate::dialplan::yaml::Node;
use crate::grammar::builtin::Kind;
use crate::language::Language;
use crate::pii::Pii;
use crate::understand::upset::is_upset;
use crate::understand::{Matcher, NBest, Universal};
use crate::value::Value;

/// A yes or no less sure than this is asked for again. 0..1.
const BELOW: f32 = 0.4;

/// What records call words that are neither yes nor no.
const ELSE: &str = "else";

const KEYS: &[Key] = &[
    key("prompt", Shape::Text, "What is to be confirmed, as a question."),
    key("yes", Shape::Target, "Where a yes leads: also key 1."),
    key("no", Shape::Target, "Where a no leads: also key 2."),
    key("else", Shape::Target, "Where anything else leads, instead of being asked again; what was said counts there."),
];

/// The word.
pub const WORD: Word = Word {
    name: "confirm",
    about: "Ask whether something is right: yes or no, by speech or by key.",
    keys: &[KEYS, QUESTION_KEYS],
    short: false,
    compile,
};

/// Ask whether something is right.
#[derive(Debug)]
pub struct Confirm {
    /// How it is asked, and who understands: a [`YesNoEar`].
    pub quest: Quest,
    /// Where a yes leads.
    pub yes: Target,
    /// Where a no leads.
    pub no: Target,
    /// Where anything else leads.
    pub otherwise: Option<Target>,
}

/// Understands yes and no.
#[derive(Debug)]
pub struct YesNoEar {
    /// Understands universals, per language of the plan.
    pub matchers: BTreeMap<Language, Matcher>,
    /// Does key 0 mean a person?
    pub operator: bool,
}

impl Run for Confirm {
    fn next<'plan>(&'plan self, event: &Event, _: &mut Visit<'_>) -> Next<'plan> {
        match event {
            Event::Answered(Answer::Value(value)) => match value.reveal() {
                Value::Boolean(false) => Next::Go(self.no),
                Value::Text(_) => Next::Go(self.otherwise.unwrap_or(self.no)),
                _ => Next::Go(self.yes),
            },
            Event::Answered(Answer::Universal(universal)) => question::wish(0, &self.quest.question, *universal),
            other => question::next(0, &self.quest.question, other),
        }
    }

    fn quests(&self) -> Vec<&Quest> {
        vec![&self.quest]
    }

    fn hands_on(&self) -> HandsOn {
        HandsOn::Wishes
    }

    fn exits(&self) -> Vec<(String, Target)> {
        let otherwise = self.otherwise.map(|target| ("else".to_owned(), target));
        [("yes".to_owned(), self.yes), ("no".to_owned(), self.no)].into_iter().chain(otherwise).collect()
    }
}

impl Ear for YesNoEar {
    fn keys(&self, typed: &str, _: &Hearing) -> Keyed {
        match typed {
            "1" => Keyed::Complete(truth(true)),
            "2" => Keyed::Complete(truth(false)),
            "0" if self.operator => Keyed::Complete(Answer::Universal(Universal::Operator)),
            _ => Keyed::Wrong,
        }
    }

    fn speech(&self, nbest: &NBest, hearing: &Hearing) -> Judged {
        let (guesses, _) = guesses(&Want::Kind(Kind::Boolean), nbest, hearing);
        let wish = wish(&self.matchers, &hearing.language, nbest);
        let wished = wish.as_ref().filter(|wish| wish.answer.is_some()).map_or(0.0, |wish| wish.confidence);
        let nothing = Judged::nothing(nbest);
        let best = guesses.into_iter().next().filter(|guess| matches!(guess.value, Value::Boolean(_)));
        let judged = best.map(|best| {
            let sure = best.sure >= BELOW;
            let answer = sure.then(|| Answer::Value(Pii::new(best.value)));
            Judged {
                meaning: answer.as_ref().map(|answer| self.name(answer)),
                answer,
                heard: nbest.hypotheses.get(best.rank).map(|guess| guess.text.clone()),
                confidence: best.sure,
                fit: best.fit,
                rejected: !sure,
            }
        });
        match judged {
            Some(judged) if judged.answer.is_some() && judged.confidence >= wished => judged,
            judged => wish.or(judged).unwrap_or(nothing),
        }
    }

    fn name(&self, answer: &Answer) -> String {
        let yes = matches!(answer, Answer::Value(value) if *value.reveal() == Value::Boolean(true));
        if yes { "yes" } else { "no" }.to_owned()
    }
}

/// Understands yes and no, and takes anything else for something else.
#[derive(Debug)]
struct OpenEar(YesNoEar);

impl Ear for OpenEar {
    fn keys(&self, typed: &str, hearing: &Hearing) -> Keyed {
        self.0.keys(typed, hearing)
    }

    fn speech(&self, nbest: &NBest, hearing: &Hearing) -> Judged {
        let judged = self.0.speech(nbest, hearing);
        let words = judged.heard.clone().filter(|heard| !is_upset(heard.reveal(), &hearing.language));
        match words {
            Some(words) if judged.answer.is_none() && judged.confidence >= BELOW => {
                let answer = Some(Answer::Value(Pii::new(Value::text(words.reveal().as_str()))));
                Judged { answer, meaning: Some(ELSE.to_owned()), rejected: false, ..judged }
            }
            _ => judged,
        }
    }

    fn settles(&self, answer: &Answer) -> bool {
        !matches!(answer, Answer::Value(value) if matches!(value.reveal(), Value::Text(_)))
    }

    fn name(&self, answer: &Answer) -> String {
        match answer {
            Answer::Value(value) if matches!(value.reveal(), Value::Text(_)) => ELSE.to_owned(),
            answer => self.0.name(answer),
        }
    }
}

fn truth(truth: bool) -> Answer {
    Answer::Value(Pii::new(Value::Boolean(truth)))
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS, QUESTION_KEYS])?;
    let mut written = cx.written_question(&mut fields);
    written.prompt = cx.required_prompt(&mut fields);
    let start = fields.start();
    let [yes, no] = ["yes", "no"].map(|key| match fields.take(key) {
        Some(node) => cx.target(&node).unwrap_or(Target::End),
        None => {
            let message = format!("{} does not say where a {key} leads", cx.owner());
            cx.findings.error(start, message).help(format!("add `{key}:` and the name of a step, or `{key}: $end`"));
            Target::End
        }
    });
    let otherwise = cx.target_of(&mut fields, "else");
    let question = cx.question(&written, INCOMPLETE);
    let matchers = cx.matchers(&[], &question.universals);
    let ear = YesNoEar { matchers, operator: question.universals.operator.is_some() };
    let ear: Box<dyn Ear> = if otherwise.is_some() { Box::new(OpenEar(ear)) } else { Box::new(ear) };
    Some(Box::new(Confirm { quest: Quest { question, ear }, yes, no, otherwise }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::{heard, hearing};

    fn judged(text: &str, language: &str) -> Judged {
        let ear = YesNoEar { matchers: BTreeMap::new(), operator: true };
        let hearing = Hearing { language: Language::parse(language).unwrap(), ..hearing() };
        ear.speech(&heard(text, 0.9), &hearing)
    }

    #[test]
    fn consent_and_refusal_are_understood_in_both_languages_and_neither_is_asked_again() {
        for (language, text, meaning) in [
            ("en-US", "yes", Some("yes")),
            ("en-US", "yeah that's right", Some("yes")),
            ("en-US", "no that's wrong", Some("no")),
            ("en-US", "not really", Some("no")),
            ("en-US", "I am not sure", None),
            ("en-US", "what is the weather", None),
            ("zh-CN", "对", Some("yes")),
            ("zh-CN", "是的，没错", Some("yes")),
            ("zh-CN", "不对", Some("no")),
            ("zh-CN", "不用了", Some("no")),
            ("zh-CN", "不知道", None),
        ] {
            assert_eq!(judged(text, language).meaning.as_deref(), meaning, "{text}");
        }
    }

    #[test]
    fn keys_one_and_two_answer_and_zero_reaches_a_person_where_there_is_one() {
        let ear = |operator| YesNoEar { matchers: BTreeMap::new(), operator };
        assert_eq!(ear(true).keys("1", &hearing()), Keyed::Complete(truth(true)));
        assert_eq!(ear(true).keys("2", &hearing()), Keyed::Complete(truth(false)));
        assert_eq!(ear(true).keys("0", &hearing()), Keyed::Complete(Answer::Universal(Universal::Operator)));
        assert_eq!(ear(false).keys("0", &hearing()), Keyed::Wrong);
        assert_eq!(ear(true).keys("7", &hearing()), Keyed::Wrong);
    }
}
