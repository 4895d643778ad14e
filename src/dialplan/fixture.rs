//! A small bank, built by hand, for unit tests of what runs plans.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::dialplan::plan::{
    Ask, Hangup, HousePhrases, Menu, MenuOption, Plan, Prompt, Question, Say, Step, StepIx, StepKind, Target,
    Universals, Want,
};
use crate::id::UtteranceId;
use crate::language::Language;
use crate::media::BargeIn;
use crate::pii::Pii;
use crate::rtp::Digit;
use crate::understand::{Hypothesis, NBest};
use crate::understand::{Matcher, Universal};

/// `welcome` (protected) → `main` (menu: balance 1, lost 2) → `verify` (PIN of 4 to 6, sensitive) → `balance` →
/// `done`; `agent` ends too and is where every question gives up.
pub fn bank() -> Plan {
    let english = Language::english();
    let all = [Universal::Operator, Universal::Repeat, Universal::Back];
    let matcher =
        |options: &[Vec<String>]| BTreeMap::from([(english.clone(), Matcher::compile(options, &all, &english))]);
    let phrases = |list: &[&str]| list.iter().map(|phrase| (*phrase).to_owned()).collect::<Vec<_>>();
    let welcome = Say {
        prompt: prompt("Welcome to the bank."),
        protected: true,
        barge_in: BargeIn::Off,
        go: Target::Step(StepIx(1)),
    };
    let main = Menu {
        question: question("What can I do for you?", &["Say balance, or lost card."]),
        options: vec![
            MenuOption { name: "balance".into(), key: Digit::new('1'), go: Target::Step(StepIx(2)) },
            MenuOption { name: "lost".into(), key: Digit::new('2'), go: Target::Step(StepIx(5)) },
        ],
        matchers: matcher(&[phrases(&["balance", "my balance"]), phrases(&["lost card"])]),
        reject_below: 0.5,
        reject_go: None,
    };
    let verify = Ask {
        question: question("Please key in your PIN.", &[]),
        slot: "pin".into(),
        want: Want::Digits { min: 4, max: 6 },
        matchers: matcher(&[]),
        sensitive: true,
        go: Target::Step(StepIx(3)),
    };
    let hangup = |text: &str, result: &str| {
        StepKind::Hangup(Hangup { prompt: Some(prompt(text)), result: Some(result.to_owned()) })
    };
    Plan {
        name: "bank".into(),
        version: "0123456789abcdef".into(),
        file: PathBuf::from("bank.yaml"),
        languages: vec![english],
        start: StepIx(0),
        steps: vec![
            step("welcome", StepKind::Say(welcome)),
            step("main", StepKind::Menu(main)),
            step("verify", StepKind::Ask(verify)),
            step("balance", say("You have ten dollars.", Target::Step(StepIx(4)))),
            step("done", hangup("Goodbye then.", "balance")),
            step("agent", hangup("Connecting you.", "agent")),
        ],
        phrases: HousePhrases {
            no_input: prompt("I did not hear you."),
            no_match: prompt("Sorry, I did not get that."),
            goodbye: prompt("Goodbye."),
            failure: prompt("Something went wrong."),
            keys_only: prompt("Please use the keys."),
        },
    }
}

/// A text in English.
pub fn prompt(text: &str) -> Prompt {
    Prompt { texts: BTreeMap::from([(Language::english(), text.to_owned())]), files: BTreeMap::new() }
}

/// A step of that name.
pub fn step(name: &str, kind: StepKind) -> Step {
    Step { name: name.to_owned(), at: (1, 1), kind, hangup: Target::End }
}

/// Says `text`, may be interrupted.
pub fn say(text: &str, go: Target) -> StepKind {
    StepKind::Say(Say { prompt: prompt(text), protected: false, barge_in: BargeIn::Speech, go })
}

/// Three tries of four seconds, 300 ms and 1,200 ms; gives up to `agent`.
pub fn question(text: &str, reprompts: &[&str]) -> Question {
    Question {
        prompt: prompt(text),
        reprompts: reprompts.iter().map(|text| prompt(text)).collect(),
        barge_in: BargeIn::Speech,
        wait: Duration::from_secs(4),
        tries: 3,
        complete: Duration::from_millis(300),
        incomplete: Duration::from_millis(1200),
        no_input: Target::Repeat,
        no_match: Target::Repeat,
        exhausted: Target::Step(StepIx(5)),
        error: Target::Step(StepIx(5)),
        universals: Universals {
            operator: Some(Target::Step(StepIx(5))),
            repeat: Some(Target::Repeat),
            back: Some(Target::Back),
        },
    }
}

/// An n-best list of one; empty when `text` is.
pub fn heard(text: &str, confidence: f32) -> NBest {
    let guess = Hypothesis {
        text: Pii::new(text.to_owned()),
        confidence,
        open_score: confidence.max(0.01).ln(),
        grammar_score: None,
    };
    NBest {
        utterance: UtteranceId(0),
        revision: 0,
        hypotheses: if text.is_empty() { Vec::new() } else { vec![guess] },
        queued: Duration::ZERO,
        ran: Duration::from_millis(30),
    }
}

/// The menu of that name.
pub fn menu_of<'plan>(plan: &'plan Plan, name: &str) -> &'plan Menu {
    match plan.steps.iter().find(|step| step.name == name).map(|step| &step.kind) {
        Some(StepKind::Menu(menu)) => menu,
        other => panic!("`{name}` is not a menu: {other:?}"),
    }
}

/// The ask of that name.
pub fn ask_of<'plan>(plan: &'plan Plan, name: &str) -> &'plan Ask {
    match plan.steps.iter().find(|step| step.name == name).map(|step| &step.kind) {
        Some(StepKind::Ask(ask)) => ask,
        other => panic!("`{name}` is not an ask: {other:?}"),
    }
}
