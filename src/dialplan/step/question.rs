//! What every question does, whatever it asks for: silence, misunderstanding, faults and the universal wishes.

use crate::dialplan::plan::{Question, Target};
use crate::dialplan::step::{Event, Excuse, Next};
use crate::understand::Universal;

/// What follows when `event` happens to a question; answers of its own kind are the step's affair.
pub const fn next<'plan>(question: &'plan Question, event: &Event) -> Next<'plan> {
    match event {
        Event::Entered | Event::Said | Event::Answered(_) => Next::Ask(question),
        Event::NoInput => or_again(question, question.no_input, Excuse::NoInput),
        Event::NoMatch { .. } => or_again(question, question.no_match, Excuse::NoMatch),
        Event::Error => or_again(question, question.error, Excuse::NoMatch),
    }
}

/// `$repeat` after a failure asks again and uses up a try; anything else leads away.
pub const fn or_again(question: &Question, target: Target, excuse: Excuse) -> Next<'_> {
    match target {
        Target::Repeat => Next::AskAgain(question, excuse),
        Target::Step(_) | Target::Back | Target::End => Next::Go(target),
    }
}

/// Where a universal wish leads; one that is not in force counts as not understood.
pub const fn wish(question: &Question, universal: Universal) -> Next<'_> {
    match universal_target(question, universal) {
        Some(target) => Next::Go(target),
        None => or_again(question, question.no_match, Excuse::NoMatch),
    }
}

/// The target of a universal wish, when it is in force here.
pub const fn universal_target(question: &Question, universal: Universal) -> Option<Target> {
    match universal {
        Universal::Operator => question.universals.operator,
        Universal::Repeat => question.universals.repeat,
        Universal::Back => question.universals.back,
        Universal::StopCalling => None,
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
