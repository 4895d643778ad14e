//! What every question does, whatever it asks for: silence, misunderstanding, faults and the universal wishes.

use crate::dialplan::plan::{Question, Target};
use crate::dialplan::step::{Event, Excuse, Next};
use crate::understand::Universal;

/// What follows when `event` happens to the question at place `quest`; answers of its own kind are the step's affair.
pub const fn next<'plan>(quest: usize, question: &Question, event: &Event) -> Next<'plan> {
    match event {
        Event::Entered
        | Event::Said
        | Event::Answered(_)
        | Event::Waiting { .. }
        | Event::Handed(_)
        | Event::Done(_)
        | Event::Returned(_) => Next::ask(quest),
        Event::NoInput => or_again(quest, question.no_input, Excuse::NoInput),
        Event::NoMatch { .. } => or_again(quest, question.no_match, Excuse::NoMatch),
        Event::Error => or_again(quest, question.error, Excuse::NoMatch),
    }
}

/// `$repeat` after a failure asks again and uses up a try; anything else leads away.
pub const fn or_again<'plan>(quest: usize, target: Target, excuse: Excuse) -> Next<'plan> {
    match target {
        Target::Repeat => Next::AskAgain { quest, excuse },
        Target::Step(_) | Target::Back | Target::End => Next::Go(target),
    }
}

/// Where a universal wish leads; one that is not in force counts as not understood.
pub const fn wish<'plan>(quest: usize, question: &Question, universal: Universal) -> Next<'plan> {
    match question.universals.target(universal) {
        Some(target) => Next::Go(target),
        None => or_again(quest, question.no_match, Excuse::NoMatch),
    }
}

/// What records call a universal wish.
pub const fn universal_name(universal: Universal) -> &'static str {
    match universal {
        Universal::Operator => "$operator",
        Universal::Repeat => "$repeat",
        Universal::Back => "$back",
        Universal::StopCalling => "$stop",
    }
}
