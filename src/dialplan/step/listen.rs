//! What words amount to at one question: as its own ear understands them; else in another language of the plan, where the
//! question listens in any; else as a wish for a person, where somebody swears.

use super::{Answer, Hearing, Judged, Quest, question};
use crate::grammar::normalize::is_mandarin;
use crate::language::Language;
use crate::understand::upset::is_upset;
use crate::understand::{Fit, NBest, Universal};

/// Words, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Understood {
    /// What they amount to.
    pub judged: Judged,
    /// In which language, where it is not that of the call: it goes on in that one.
    pub language: Option<Language>,
}

impl Quest {
    /// What the words of an n-best list amount to; `languages` are those of the plan.
    pub fn understand(&self, nbest: &NBest, hearing: &Hearing, languages: &[Language]) -> Understood {
        let judged = self.ear.speech(nbest, hearing);
        if judged.answer.is_some() {
            return Understood { judged, language: None };
        }
        for language in self.others(hearing, languages) {
            let theirs = Hearing { language: language.clone(), ..hearing.clone() };
            let heard = nbest.hypotheses.first().is_some_and(|guess| may_be(guess.text.reveal(), language));
            let judged = heard.then(|| self.ear.speech(nbest, &theirs)).filter(|judged| judged.answer.is_some());
            if let Some(judged) = judged {
                return Understood { judged, language: Some(language.clone()) };
            }
        }
        let swears = |text: &str| {
            is_upset(text, &hearing.language)
                || self.others(hearing, languages).any(|language| is_upset(text, language))
        };
        let offered = self.question.universals.operator.is_some();
        if offered && judged.heard.as_ref().is_some_and(|heard| swears(heard.reveal())) {
            let meaning = Some(question::universal_name(Universal::Operator).to_owned());
            let answer = Some(Answer::Universal(Universal::Operator));
            return Understood { judged: Judged { answer, meaning, fit: Fit::Full, ..judged }, language: None };
        }
        Understood { judged, language: None }
    }

    /// The languages besides that of the call in which answers are understood here.
    pub fn others<'a>(
        &self,
        hearing: &Hearing,
        languages: &'a [Language],
    ) -> impl Iterator<Item = &'a Language> + use<'a> {
        let own = hearing.language.clone();
        let any = self.question.any_language;
        languages.iter().filter(move |language| any && language.primary() != own.primary())
    }
}

/// Could these words be of that language? Those of Mandarin have characters, and others have none.
fn may_be(text: &str, language: &Language) -> bool {
    let has_characters = text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
    has_characters == is_mandarin(language)
}
