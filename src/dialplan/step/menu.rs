//! `menu`: one choice among options, by key, by phrase or in free words.

use crate::dialplan::plan::Menu;
use crate::dialplan::step::question::{self, or_again};
use crate::dialplan::step::{Answer, Event, Excuse, Judged, Keyed, Next, answer_of};
use crate::language::Language;
use crate::understand::NBest;
use crate::understand::{Meaning, Universal};

/// Two candidates nearer to each other than this are a question, not an answer.
const AMBIGUITY_MARGIN: f32 = 0.05;

/// The option's target for an answer; the question's ways out for the rest.
pub fn next<'plan>(menu: &'plan Menu, event: &Event) -> Next<'plan> {
    match event {
        Event::Answered(Answer::Option(place)) => match menu.options.get(*place) {
            Some(option) => Next::Go(option.go),
            None => or_again(&menu.question, menu.question.no_match, Excuse::NoMatch),
        },
        Event::Answered(Answer::Universal(universal)) => question::wish(&menu.question, *universal),
        Event::NoMatch { rejected: true } => {
            let target = menu.reject_go.unwrap_or(menu.question.no_match);
            or_again(&menu.question, target, Excuse::NoMatch)
        }
        other => question::next(&menu.question, other),
    }
}

/// One key is an answer; `0` that no option uses means a person, where one may be asked for.
pub fn judge_keys(menu: &Menu, typed: &str) -> Keyed {
    let Some(key) = typed.chars().next() else { return Keyed::More(None) };
    if let Some(place) = menu.options.iter().position(|option| option.key.is_some_and(|digit| digit.face() == key)) {
        return Keyed::Complete(Answer::Option(place));
    }
    match (key, menu.question.universals.operator) {
        ('0', Some(_)) => Keyed::Complete(Answer::Universal(Universal::Operator)),
        _ => Keyed::Wrong,
    }
}

/// The best candidate, unless it is too weak or another is as good.
pub fn judge_speech(menu: &Menu, language: &Language, nbest: &NBest) -> Judged {
    let nothing = Judged::nothing(nbest);
    let Some(matcher) = menu.matchers.get(language) else { return nothing };
    let verdict = matcher.understand(nbest);
    let name = |meaning: &Meaning| match meaning {
        Meaning::Option(place) => option_name(menu, *place),
        Meaning::Universal(universal) => question::universal_name(*universal).to_owned(),
    };
    let Some((best, confidence)) = verdict.candidates.first() else { return nothing };
    let judged = Judged {
        confidence: *confidence,
        fit: verdict.fit,
        heard: nbest.hypotheses.get(verdict.hypothesis).map(|guess| guess.text.clone()).or(nothing.heard),
        ..nothing
    };
    match weigh(&verdict.candidates, menu.reject_below) {
        Weighed::Weak => Judged { rejected: true, ..judged },
        Weighed::Rivals(other) => Judged { meaning: Some(format!("{} or {}", name(best), name(other))), ..judged },
        Weighed::Sure => Judged { answer: Some(answer_of(best)), meaning: Some(name(best)), ..judged },
    }
}

#[derive(Debug, PartialEq)]
enum Weighed<'a> {
    /// The first candidate, beyond doubt.
    Sure,
    /// The first, but this one is as likely.
    Rivals(&'a Meaning),
    /// Not even the first is sure enough.
    Weak,
}

/// Weighs candidates, best first.
fn weigh(candidates: &[(Meaning, f32)], reject_below: f32) -> Weighed<'_> {
    let Some((best, confidence)) = candidates.first() else { return Weighed::Weak };
    if *confidence < reject_below {
        return Weighed::Weak;
    }
    match candidates.iter().find(|(meaning, _)| meaning != best) {
        Some((other, near)) if *near >= reject_below && confidence - near < AMBIGUITY_MARGIN => Weighed::Rivals(other),
        _ => Weighed::Sure,
    }
}

/// The option's key under `options:`.
pub fn option_name(menu: &Menu, place: usize) -> String {
    menu.options.get(place).map(|option| option.name.clone()).unwrap_or_default()
}

/// Is there any key that answers it?
pub fn takes_keys(menu: &Menu) -> bool {
    menu.question.universals.operator.is_some() || menu.options.iter().any(|option| option.key.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::{bank, heard, menu_of};
    use crate::dialplan::plan::{StepKind, Target};

    #[test]
    fn an_unused_zero_means_a_person_and_other_unused_keys_mean_nothing() {
        let plan = bank();
        let menu = menu_of(&plan, "main");
        assert_eq!(judge_keys(menu, "1"), Keyed::Complete(Answer::Option(0)));
        assert_eq!(judge_keys(menu, "0"), Keyed::Complete(Answer::Universal(Universal::Operator)));
        assert_eq!(judge_keys(menu, "9"), Keyed::Wrong);
        assert_eq!(judge_keys(menu, "*"), Keyed::Wrong);
    }

    #[test]
    fn an_option_may_take_zero_for_itself() {
        let mut plan = bank();
        let StepKind::Menu(menu) = &mut plan.steps[1].kind else { unreachable!("main is a menu") };
        menu.options[1].key = crate::rtp::Digit::new('0');
        assert_eq!(judge_keys(menu, "0"), Keyed::Complete(Answer::Option(1)));
    }

    #[test]
    fn sure_words_are_an_answer_and_unsure_words_are_rejected() {
        let plan = bank();
        let menu = menu_of(&plan, "main");
        let english = Language::english();
        let sure = judge_speech(menu, &english, &heard("balance", 0.9));
        assert_eq!((sure.answer, sure.meaning.as_deref()), (Some(Answer::Option(0)), Some("balance")));
        let unsure = judge_speech(menu, &english, &heard("balance", 0.1));
        assert_eq!((unsure.answer, unsure.rejected), (None, true));
        let other = judge_speech(menu, &english, &heard("xylophone quartz", 0.9));
        assert_eq!((other.answer, other.rejected), (None, false));
        assert!(judge_speech(menu, &Language::parse("zh-CN").unwrap(), &heard("balance", 0.9)).answer.is_none());
    }

    #[test]
    fn two_meanings_as_likely_as_each_other_are_not_guessed_between() {
        let option = Meaning::Option;
        assert_eq!(weigh(&[(option(0), 0.90), (option(1), 0.88)], 0.5), Weighed::Rivals(&option(1)));
        assert_eq!(weigh(&[(option(0), 0.90), (option(1), 0.80)], 0.5), Weighed::Sure);
        assert_eq!(weigh(&[(option(0), 0.52), (option(1), 0.49)], 0.5), Weighed::Sure);
        assert_eq!(weigh(&[(option(0), 0.49), (option(1), 0.48)], 0.5), Weighed::Weak);
        assert_eq!(weigh(&[], 0.5), Weighed::Weak);
    }

    #[test]
    fn rejected_words_go_where_the_author_said() {
        let mut plan = bank();
        let StepKind::Menu(menu) = &mut plan.steps[1].kind else { unreachable!("main is a menu") };
        let rejected = Event::NoMatch { rejected: true };
        assert!(matches!(next(menu, &rejected), Next::AskAgain(_, Excuse::NoMatch)));
        menu.reject_go = Some(Target::End);
        assert!(matches!(next(menu, &rejected), Next::Go(Target::End)));
        assert!(matches!(next(menu, &Event::NoMatch { rejected: false }), Next::AskAgain(..)));
    }
}
