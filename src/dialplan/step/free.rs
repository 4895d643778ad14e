//! Understands whatever is said, as words: for comments, messages and names that are compared.

use std::collections::BTreeMap;

use super::value_ear::{trust, wish};
use super::{Answer, Ear, Filled, Hearing, Judged, Keyed};
use crate::language::Language;
use crate::pii::Pii;
use crate::understand::{Fit, Matcher, NBest};
use crate::value::Value;

/// Free words may hold those of a universal wish; only a caller who says nothing else, this clearly, wishes it. 0..1.
const WISH: f32 = 0.8;
/// Words less sure than this are noise. 0..1.
const BELOW: f32 = 0.2;
/// Guesses kept of one answer, where they are compared with something.
const ALTERNATIVES: usize = 3;

/// Takes whatever is said.
#[derive(Debug)]
pub struct FreeEar {
    /// What records call an answer.
    pub name: String,
    /// Understands universals, per language of the plan.
    pub matchers: BTreeMap<Language, Matcher>,
    /// Keep it secret.
    pub sensitive: bool,
    /// Does `#` mean that nothing is to be said?
    pub skips: bool,
    /// Wanted is every guess ([`Answer::Filled`]), not only the best.
    pub guesses: bool,
    /// People pause in the middle of it.
    pub rambles: bool,
}

impl Ear for FreeEar {
    fn keys(&self, typed: &str, _: &Hearing) -> Keyed {
        match typed {
            "#" if self.skips => Keyed::Complete(Answer::Value(Pii::new(Value::Nothing))),
            _ if self.skips => Keyed::Ignored,
            _ => Keyed::Wrong,
        }
    }

    fn speech(&self, nbest: &NBest, hearing: &Hearing) -> Judged {
        let nothing = Judged::nothing(nbest);
        let wish = wish(&self.matchers, &hearing.language, nbest);
        let wish = wish.filter(|wish| wish.answer.is_some() && wish.fit == Fit::Full && wish.confidence >= WISH);
        if let Some(wish) = wish {
            return wish;
        }
        let said = nbest.hypotheses.iter().enumerate().filter(|(_, guess)| !guess.text.reveal().trim().is_empty());
        let said = said.map(|(rank, guess)| (guess.text.reveal().trim().to_owned(), trust(guess, rank)));
        let said: Vec<(String, f32)> = said.take(ALTERNATIVES).collect();
        let Some((best, sure)) = said.first() else { return nothing };
        // Whoever is asked for a word says it and is done; whoever is asked for an opinion thinks in the middle of it.
        let fit = if self.rambles { Fit::Prefix } else { Fit::None };
        if *sure < BELOW {
            return Judged { rejected: true, confidence: *sure, fit, ..nothing };
        }
        let answer = match self.guesses {
            false => Answer::Value(Pii::new(Value::text(best.as_str()))),
            true => Answer::Filled(Filled {
                values: said.iter().map(|(text, sure)| (0, Pii::new(Value::text(text.as_str())), *sure)).collect(),
                ..Filled::default()
            }),
        };
        Judged { answer: Some(answer), meaning: Some(self.name.clone()), confidence: *sure, fit, ..nothing }
    }

    fn name(&self, answer: &Answer) -> String {
        match answer {
            Answer::Value(value) if value.reveal().is_nothing() => "skip".to_owned(),
            _ => self.name.clone(),
        }
    }

    fn takes_keys(&self) -> bool {
        false
    }

    fn sensitive(&self) -> bool {
        self.sensitive
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::{heard, hearing};
    use crate::understand::Universal;

    fn ear(rambles: bool) -> FreeEar {
        let english = Language::english();
        let matcher = Matcher::compile(&[], &[Universal::Operator, Universal::StopCalling], &english);
        FreeEar {
            name: "why".into(),
            matchers: [(english, matcher)].into(),
            sensitive: false,
            skips: true,
            guesses: false,
            rambles,
        }
    }

    #[test]
    fn whatever_is_said_is_the_answer_and_a_wish_only_when_nothing_else_is_said() {
        let answer = |text: &str| ear(true).speech(&heard(text, 0.9), &hearing()).answer;
        let words = |text: &str| Some(Answer::Value(Pii::new(Value::text(text))));
        let long = "the operator was rude and I had to repeat everything twice";
        assert_eq!(answer(long), words(long));
        assert_eq!(answer("too expensive"), words("too expensive"));
        assert_eq!(answer("stop calling me"), Some(Answer::Universal(Universal::StopCalling)));
        assert_eq!(answer(""), None);
        assert_eq!(ear(true).speech(&heard("hm", 0.1), &hearing()).answer, None, "noise");
    }

    #[test]
    fn an_opinion_is_given_time_and_the_hash_key_gives_none() {
        assert_eq!(ear(true).speech(&heard("too expensive", 0.9), &hearing()).fit, Fit::Prefix);
        assert_eq!(ear(false).speech(&heard("Ada Lovelace", 0.9), &hearing()).fit, Fit::None);
        assert_eq!(ear(true).keys("#", &hearing()), Keyed::Complete(Answer::Value(Pii::new(Value::Nothing))));
        assert_eq!(ear(true).keys("1", &hearing()), Keyed::Ignored);
    }
}
