//! What words amount to at one question: as its own ear understands them; else in another language of the plan, where the
//! question listens in any; else as a wish for a person, where somebody swears.

use super::{Answer, Hearing, Judged, Quest, question};
use crate::grammar::normalize::is_mandarin;
use crate::language::Language;
use crate::pii::Pii;
use crate::understand::upset::without_swearing;
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
        // Mandarin is no English, whatever an English question makes of it.
        let own = nbest.hypotheses.first().is_none_or(|guess| may_be(guess.text.reveal(), &hearing.language));
        if !own && let Some(understood) = self.in_another_language(nbest, hearing, languages) {
            return understood;
        }
        let judged = self.ear.speech(nbest, hearing);
        if judged.answer.is_some() {
            return Understood { judged, language: None };
        }
        if own && let Some(understood) = self.in_another_language(nbest, hearing, languages) {
            return understood;
        }
        let judged = self.calmly(nbest, hearing).unwrap_or(judged);
        Understood { judged, language: None }
    }

    fn in_another_language(&self, nbest: &NBest, hearing: &Hearing, languages: &[Language]) -> Option<Understood> {
        let text = nbest.hypotheses.first()?.text.reveal();
        self.others(hearing, languages).filter(|language| may_be(text, language)).find_map(|language| {
            let judged = self.ear.speech(nbest, &Hearing { language: language.clone(), ..hearing.clone() });
            judged.answer.is_some().then(|| Understood { judged, language: Some(language.clone()) })
        })
    }

    /// Somebody swears: what they say besides counts, else they want a person.
    fn calmly(&self, nbest: &NBest, hearing: &Hearing) -> Option<Judged> {
        let mut calm = nbest.clone();
        let mut upset = false;
        for guess in &mut calm.hypotheses {
            let rest = without_swearing(guess.text.reveal(), &hearing.language);
            upset |= rest.is_some();
            guess.text = rest.map_or_else(|| guess.text.clone(), Pii::new);
        }
        if !upset {
            return None;
        }
        calm.hypotheses.retain(|guess| !guess.text.reveal().is_empty());
        let heard = nbest.hypotheses.first().map(|guess| guess.text.clone());
        let judged = self.ear.speech(&calm, hearing);
        if judged.answer.as_ref().is_some_and(|answer| self.ear.settles(answer)) {
            return Some(Judged { heard, ..judged });
        }
        self.question.universals.operator?;
        let meaning = Some(question::universal_name(Universal::Operator).to_owned());
        let answer = Some(Answer::Universal(Universal::Operator));
        let confidence = nbest.hypotheses.first().map_or(0.0, |guess| guess.confidence);
        Some(Judged { answer, meaning, heard, confidence, fit: Fit::Full, rejected: false })
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
