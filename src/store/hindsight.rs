//! What callers meant, known once a call is over: the words of its menus that nobody understood, or that somebody took
//! for something else, and the option they turned out to stand for.
//!
//! ```text
//!  bot  What can I do for you?
//!  you  I'm skint aren't I            not understood
//!  bot  Sorry, I did not get that. …
//!  keys 1                             … and meant option `balance`
//!
//!  you  the other card                understood as `pay`
//!  bot  You would like to pay. Is that right?
//!  you  no                            taken back
//!  bot  What can I do for you?
//!  you  lost card                     … and meant option `lost`
//! ```
//!
//! Only what the record holds can be judged: answers to sensitive questions are not in it.

use crate::call::record::{CallRecord, TurnOutcome, TurnRecord};
use crate::dialplan::plan::{Plan, StepIx, Target};
use crate::dialplan::step::menu::Menu;
use crate::language::Language;
use crate::pii::Pii;

/// Words a caller said at a menu.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// The menu.
    pub step: StepIx,
    /// In this language.
    pub language: Language,
    /// As they were heard.
    pub text: Pii<String>,
    /// What became of them.
    pub made: Made,
}

/// What became of a caller's words. Options by their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// Understood as this option, and the caller went along with it.
    Clear(usize),
    /// Not understood; the option reached by the next answer, if it was one.
    Unclear(Option<usize>),
    /// Understood as one option, taken back, and another one chosen instead.
    Wrong {
        /// What it was taken for.
        taken: usize,
        /// What was meant.
        meant: usize,
    },
}

/// Everything a caller said at the menus of `plan`, with what is known of it in hindsight. Steps and options that the
/// plan does not have (any more) are passed over.
pub fn heard(record: &CallRecord, plan: &Plan) -> Vec<Heard> {
    let spoken = |turn: &TurnRecord| {
        let first = plan.languages.first();
        let language = turn.language.as_ref().or(record.language.as_ref()).or(first)?;
        plan.languages.contains(language).then(|| language.clone())
    };
    let one = |(place, turn): (usize, &TurnRecord)| {
        let (step, menu) = menu_of(plan, &turn.step)?;
        let made = made(menu, plan, turn, &record.turns[place + 1..])?;
        Some(Heard { step, language: spoken(turn)?, text: turn.heard.clone()?, made })
    };
    record.turns.iter().enumerate().filter_map(one).collect()
}

/// The menu of that name.
pub fn menu_of<'plan>(plan: &'plan Plan, name: &str) -> Option<(StepIx, &'plan Menu)> {
    let place = plan.step_named(name)?;
    let kind: &dyn std::any::Any = plan.step(place).kind.as_ref();
    Some((place, kind.downcast_ref()?))
}

fn made(menu: &Menu, plan: &Plan, turn: &TurnRecord, later: &[TurnRecord]) -> Option<Made> {
    match turn.outcome {
        TurnOutcome::NoMatch => Some(Made::Unclear(reached(menu, plan, &turn.step, later))),
        TurnOutcome::Speech => {
            let taken = option_of(menu, turn)?;
            match taken_back(menu, &turn.step, later) {
                Correction::None => Some(Made::Clear(taken)),
                Correction::To(meant) if meant == taken => Some(Made::Clear(taken)),
                Correction::To(meant) => Some(Made::Wrong { taken, meant }),
                // It was wrong, but nobody knows what would have been right.
                Correction::Unknown => None,
            }
        }
        TurnOutcome::Keys | TurnOutcome::NoInput | TurnOutcome::Error | TurnOutcome::HungUp => None,
    }
}

/// The option that words which were not understood led to in the end.
fn reached(menu: &Menu, plan: &Plan, step: &str, later: &[TurnRecord]) -> Option<usize> {
    for turn in later {
        if turn.step != step {
            // The plan asks about doubtful words at a question of its own: where does the answer lead?
            let asks = matches!(menu.reject_go, Some(Target::Step(place)) if plan.step(place).name == turn.step);
            match asks.then(|| by_target(menu, plan, turn)).flatten() {
                Some(option) => return Some(option),
                // It was not that: perhaps the menu is asked once more.
                None if asks && turn.meaning.as_deref().is_none_or(|meaning| meaning == "no") => continue,
                None => return None,
            }
        }
        match (turn.outcome, turn.meaning.as_deref()) {
            (TurnOutcome::NoMatch | TurnOutcome::NoInput | TurnOutcome::Error, _) | (_, Some("$repeat")) => {}
            (TurnOutcome::Speech | TurnOutcome::Keys, _) => return option_of(menu, turn),
            (TurnOutcome::HungUp, _) => return None,
        }
    }
    None
}

/// The only option that leads where this answer to another question leads.
fn by_target(menu: &Menu, plan: &Plan, turn: &TurnRecord) -> Option<usize> {
    let answered = matches!(turn.outcome, TurnOutcome::Speech | TurnOutcome::Keys);
    let meaning = turn.meaning.as_ref().filter(|_| answered)?;
    let exits = plan.step(plan.step_named(&turn.step)?).kind.exits();
    let (_, target) = exits.into_iter().find(|(name, _)| name == meaning)?;
    let mut options = menu.goes.iter().enumerate().filter(|(_, go)| **go == target && target != Target::Back);
    let (place, _) = options.next()?;
    options.next().is_none().then_some(place)
}

enum Correction {
    /// The caller went along.
    None,
    /// The caller chose this instead.
    To(usize),
    /// The caller took it back and came to nothing.
    Unknown,
}

/// Did the caller take an answer of the menu back, by going back or by a no to the next question?
fn taken_back(menu: &Menu, step: &str, later: &[TurnRecord]) -> Correction {
    let mut denied = false;
    for turn in later {
        let answered = matches!(turn.outcome, TurnOutcome::Speech | TurnOutcome::Keys);
        match (turn.step == step, turn.meaning.as_deref().filter(|_| answered)) {
            (true, _) if !denied => return Correction::None,
            (_, None | Some("$repeat")) => {}
            (true, Some(_)) => return option_of(menu, turn).map_or(Correction::Unknown, Correction::To),
            (false, Some("$back" | "no")) => denied = true,
            (false, Some(_)) if !denied => return Correction::None,
            (false, Some(_)) => {}
        }
    }
    if denied { Correction::Unknown } else { Correction::None }
}

fn option_of(menu: &Menu, turn: &TurnRecord) -> Option<usize> {
    let meaning = turn.meaning.as_ref()?;
    menu.options().options.iter().position(|option| option.name == *meaning)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dialplan::load::load_str;
    use crate::rtp::Digit;
    use crate::simulate::conversation::{Caller, Conversation};

    const PLAN: &str = r#"
dialplan: 1
start: main
defaults: { question: { go: agent } }
steps:
  main:
    menu:
      prompt: "What can I do for you?"
      reprompt: ["Say balance or press 1, pay or press 2, lost card or press 3."]
      reject: { below: 0.5, go: was_that_lost }
      options:
        balance: { key: 1, phrases: [my balance, how much is in my account], go: told }
        repay:   { key: 2, phrases: [pay my card, make a payment], go: sure }
        lost:    { key: 3, phrases: [lost my card, my card was stolen], go: agent }
  was_that_lost: { confirm: { prompt: "Have you lost your card?", yes: agent, no: main } }
  sure: { confirm: { prompt: "You would like to pay. Is that right?", yes: told, no: main } }
  told:
    ask: { prompt: "Which account?", digits: 4, go: agent }
  agent: { hangup: "Goodbye." }
"#;

    /// What was heard in a call with these lines: words, or `#1` for keys, `-` for a sound of nothing.
    fn known(lines: &[&str]) -> Vec<(String, Made)> {
        let plan = load_str("bank.yaml", PLAN).unwrap().plan;
        let mut talk = Conversation::begin(plan.clone(), &Caller::default());
        for line in lines {
            talk.until_listening();
            let (words, sure) = line.strip_suffix(" ?").map_or((*line, 0.95), |words| (words, 0.05));
            match line.strip_prefix('#') {
                Some(keys) => talk.press(&keys.chars().filter_map(Digit::new).collect::<Vec<_>>()),
                None => talk.say(words, sure),
            }
        }
        talk.until_listening();
        if !talk.is_over() {
            talk.hang_up();
        }
        let told = |heard: Heard| {
            assert_eq!((plan.step(heard.step).name.as_str(), heard.language.as_str()), ("main", "en-US"));
            (heard.text.into_inner(), heard.made)
        };
        heard(talk.record().expect("over"), &Arc::clone(&plan)).into_iter().map(told).collect()
    }

    #[test]
    fn the_option_reached_by_the_next_try_or_key_is_what_was_meant() {
        let found = known(&["purple zebras", "green zebras", "#3"]);
        let meant = Made::Unclear(Some(2));
        assert_eq!(found, [("purple zebras".to_owned(), meant), ("green zebras".to_owned(), meant)]);
        assert_eq!(known(&["purple zebras", "my balance", "#1234"])[0].1, Made::Unclear(Some(0)));
    }

    #[test]
    fn nothing_is_known_of_who_hangs_up_or_asks_for_a_person() {
        assert_eq!(known(&["purple zebras"]), [("purple zebras".to_owned(), Made::Unclear(None))]);
    }

    #[test]
    fn an_answer_taken_back_was_wrong_and_the_next_choice_was_meant() {
        let wrong = Made::Wrong { taken: 1, meant: 2 };
        assert_eq!(known(&["pay my card", "no", "#3"])[0], ("pay my card".to_owned(), wrong));
        assert_eq!(known(&["my balance", "go back", "#3"])[0].1, Made::Wrong { taken: 0, meant: 2 });
        assert_eq!(known(&["pay my card", "no"]), [], "taken back, and nothing instead");
        assert_eq!(known(&["pay my card", "no", "#2", "yes", "#1234"])[0].1, Made::Clear(1), "the no was misheard");
        assert_eq!(known(&["pay my card", "yes", "#1234"]), [("pay my card".to_owned(), Made::Clear(1))]);
    }

    #[test]
    fn doubtful_words_are_what_the_caller_says_they_were() {
        assert_eq!(known(&["lost my card ?", "yes"]), [("lost my card".to_owned(), Made::Unclear(Some(2)))]);
        assert_eq!(known(&["lost my card ?", "no", "#1", "#1234"])[0].1, Made::Unclear(Some(0)));
        assert_eq!(known(&["lost my card ?", "operator"])[0].1, Made::Unclear(None));
    }

    #[test]
    fn answers_to_other_questions_and_sensitive_ones_are_not_looked_at() {
        assert_eq!(known(&["#1", "one two three four"]), []);
    }
}
