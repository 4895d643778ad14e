//! `ask`: a value, by key or by speech.

use crate::dialplan::plan::{Ask, Want};
use crate::dialplan::step::{Answer, Event, Judged, Keyed, Next, answer_of, question};
use crate::language::Language;
use crate::pii::Pii;
use crate::spoken::digits;
use crate::understand::NBest;
use crate::understand::{Fit, Meaning};

/// A universal wish said instead of a value must be at least this sure. 0..1.
const WISH_BELOW: f32 = 0.6;
/// Values spoken less clearly than this are asked for again. 0..1.
const VALUE_BELOW: f32 = 0.3;

/// Keeps a value and leads on; the question's ways out for the rest.
pub fn next<'plan>(ask: &'plan Ask, event: &Event) -> Next<'plan> {
    match event {
        Event::Answered(Answer::Value(_)) => Next::Keep { slot: &ask.slot, go: ask.go },
        Event::Answered(Answer::Universal(universal)) => question::wish(&ask.question, *universal),
        other => question::next(&ask.question, other),
    }
}

/// Digits end at their longest, at `#`, or when nothing more comes and there are enough.
pub fn judge_keys(ask: &Ask, typed: &str) -> Keyed {
    let Want::Digits { min, max } = ask.want;
    let value = |digits: &str| Answer::Value(Pii::new(digits.to_owned()));
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
pub fn judge_speech(ask: &Ask, language: &Language, nbest: &NBest) -> Judged {
    let Want::Digits { min, max } = ask.want;
    let nothing = Judged::nothing(nbest);
    let mut growing = None;
    for guess in &nbest.hypotheses {
        let (found, fit) = digits::heard(guess.text.reveal(), language, min, max);
        let judged = Judged { heard: Some(guess.text.clone()), confidence: guess.confidence, fit, ..nothing.clone() };
        match found {
            Some(value) if (min..=max).contains(&value.len()) && guess.confidence >= VALUE_BELOW => {
                let answer = Some(Answer::Value(Pii::new(value)));
                return Judged { answer, meaning: Some(ask.slot.clone()), ..judged };
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
    wish(ask, language, nbest).or(growing).unwrap_or(nothing)
}

fn wish(ask: &Ask, language: &Language, nbest: &NBest) -> Option<Judged> {
    let verdict = ask.matchers.get(language)?.understand(nbest);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::{ask_of, bank, heard};
    use crate::dialplan::plan::StepKind;

    fn value(digits: &str) -> Answer {
        Answer::Value(Pii::new(digits.to_owned()))
    }

    #[test]
    fn digits_end_at_their_longest_or_at_hash() {
        let plan = bank();
        let ask = ask_of(&plan, "verify");
        assert_eq!(ask.want, Want::Digits { min: 4, max: 6 });
        assert_eq!(judge_keys(ask, "123"), Keyed::More(None));
        assert_eq!(judge_keys(ask, "1234"), Keyed::More(Some(value("1234"))));
        assert_eq!(judge_keys(ask, "1234#"), Keyed::Complete(value("1234")));
        assert_eq!(judge_keys(ask, "123456"), Keyed::Complete(value("123456")));
        assert_eq!(judge_keys(ask, "12#"), Keyed::Wrong);
        assert_eq!(judge_keys(ask, "#"), Keyed::Wrong);
    }

    #[test]
    fn star_and_letters_are_not_digits() {
        let plan = bank();
        let ask = ask_of(&plan, "verify");
        assert_eq!(judge_keys(ask, "12*"), Keyed::Ignored);
        assert_eq!(judge_keys(ask, "A"), Keyed::Ignored);
    }

    #[test]
    fn too_few_digits_are_the_beginning_of_the_value_and_other_words_are_not() {
        let mut plan = bank();
        let StepKind::Ask(ask) = &mut plan.steps[2].kind else { unreachable!("verify is an ask") };
        ask.want = Want::Digits { min: 11, max: 11 };
        let judged = |text: &str, sure: f32| judge_speech(ask, &Language::english(), &heard(text, sure));
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
