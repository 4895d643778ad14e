//! A small bank, built by hand, for unit tests of what runs plans.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::dialplan::plan::{HousePhrases, Plan, Prompt, Question, Step, StepIx, Target, Universals};
use crate::dialplan::scope::Scope;
use crate::dialplan::step::ask::Ask;
use crate::dialplan::step::band::{Band, How};
use crate::dialplan::step::hangup::Hangup;
use crate::dialplan::step::menu::{Menu, MenuOption, Options};
use crate::dialplan::step::say::Say;
use crate::dialplan::step::value_ear::{ValueEar, Want};
use crate::dialplan::step::{Event, Hearing, Quest, Run, Visit};
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
    let options = Options {
        options: vec![
            MenuOption { name: "balance".into(), key: Digit::new('1') },
            MenuOption { name: "lost".into(), key: Digit::new('2') },
        ],
        matchers: matcher(&[phrases(&["balance", "my balance"]), phrases(&["lost card"])]),
        reject_below: 0.5,
        operator: true,
    };
    let main = Menu {
        quest: Quest {
            question: question("What can I do for you?", &["Say balance, or lost card."]),
            ear: Box::new(options),
        },
        goes: vec![Target::Step(StepIx(2)), Target::Step(StepIx(5))],
        reject_go: None,
    };
    let want = Want::digits(4, 6);
    let pin = ValueEar {
        slot: "pin".into(),
        want: want.clone(),
        matchers: matcher(&[]),
        sensitive: true,
        below: 0.3,
        weighs: false,
    };
    let verify = Ask {
        quests: vec![Quest { question: question("Please key in your PIN.", &[]), ear: Box::new(pin) }],
        slot: "pin".into(),
        want,
        band: Band { how: How::Never, above: 0.85, below: 0.3 },
        again: Prompt::none(),
        sensitive: true,
        go: Target::Step(StepIx(3)),
    };
    let hangup = |text: &str, result: &str| Hangup { prompt: Some(prompt(text)), result: Some(result.to_owned()) };
    Plan {
        name: "bank".into(),
        version: "0123456789abcdef".into(),
        file: PathBuf::from("bank.yaml"),
        sources: vec![PathBuf::from("bank.yaml")],
        zone: None,
        inputs: Vec::new(),
        matchers: Vec::new(),
        languages: vec![english],
        start: StepIx(0),
        steps: vec![
            step("welcome", "say", welcome),
            step("main", "menu", main),
            step("verify", "ask", verify),
            step("balance", "say", say("You have ten dollars.", Target::Step(StepIx(4)))),
            step("done", "hangup", hangup("Goodbye then.", "balance")),
            step("agent", "hangup", hangup("Connecting you.", "agent")),
        ],
        phrases: HousePhrases {
            no_input: prompt("I did not hear you."),
            no_match: prompt("Sorry, I did not get that."),
            goodbye: prompt("Goodbye."),
            failure: prompt("Something went wrong."),
            keys_only: prompt("Please use the keys."),
        },
        parts: Vec::new(),
        calendars: Vec::new(),
    }
}

/// A text in English.
pub fn prompt(text: &str) -> Prompt {
    Prompt { texts: BTreeMap::from([(Language::english(), text.to_owned())]), files: BTreeMap::new() }
}

/// A step of that name.
pub fn step(name: &str, word: &'static str, kind: impl Run) -> Step {
    Step { name: name.to_owned(), at: (1, 1), file: 0, word, kind: Box::new(kind), hangup: Target::End }
}

/// Says `text`, may be interrupted.
pub fn say(text: &str, go: Target) -> Say {
    Say { prompt: prompt(text), protected: false, barge_in: BargeIn::Speech, go }
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
        any_language: false,
        universals: Universals {
            operator: Some(Target::Step(StepIx(5))),
            repeat: Some(Target::Repeat),
            back: Some(Target::Back),
            stop: None,
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

/// English, on a Monday morning.
pub fn hearing() -> Hearing {
    Hearing { language: Language::english(), now: jiff::civil::datetime(2026, 3, 2, 10, 0, 0, 0) }
}

/// The step of that name, as one of its kind.
pub fn step_of<'plan, T: Run>(plan: &'plan Plan, name: &str) -> &'plan T {
    let step = plan.steps.iter().find(|step| step.name == name).unwrap_or_else(|| panic!("there is no `{name}`"));
    step.is().unwrap_or_else(|| panic!("`{name}` is something else: {step:?}"))
}

/// The menu of that name.
pub fn menu_of<'plan>(plan: &'plan Plan, name: &str) -> &'plan Menu {
    step_of(plan, name)
}

/// The say of that name.
pub fn say_of<'plan>(plan: &'plan Plan, name: &str) -> &'plan Say {
    step_of(plan, name)
}

/// Who understands the value that the ask of that name wants.
pub fn ear_of<'plan>(plan: &'plan Plan, name: &str) -> &'plan ValueEar {
    let ear: &dyn std::any::Any = step_of::<Ask>(plan, name).quest().ear.as_ref();
    ear.downcast_ref().expect("an ask wants a value")
}

/// The first question of the step of that name.
pub fn question_of<'plan>(plan: &'plan Plan, name: &str) -> &'plan Question {
    &plan.step(plan.step_named(name).expect("there is such a step")).quest(0).expect("it asks").question
}

/// The question of that menu or ask, to be changed.
pub fn question_mut<'plan>(plan: &'plan mut Plan, name: &str) -> &'plan mut Question {
    let step = plan.steps.iter_mut().find(|step| step.name == name).unwrap_or_else(|| panic!("there is no `{name}`"));
    let kind: &mut dyn std::any::Any = step.kind.as_mut();
    if kind.is::<Menu>() {
        return &mut kind.downcast_mut::<Menu>().expect("it was looked at just now").quest.question;
    }
    &mut kind.downcast_mut::<Ask>().expect("a menu or an ask").quests[0].question
}

/// What follows, formatted, when `event` happens to a step of which nothing is known.
pub fn next_of(step: &dyn Run, event: &Event) -> String {
    let (mut scope, mut language, mut memory) = (Scope::default(), Language::english(), Vec::new());
    let (mut outcomes, mut faults, mut spent) = (Vec::new(), Vec::new(), 0);
    let mut visit = Visit {
        scope: &mut scope,
        language: &mut language,
        now: hearing().now,
        wall: jiff::Timestamp::UNIX_EPOCH,
        zone: &jiff::tz::TimeZone::UTC,
        step: "step",
        outcomes: &mut outcomes,
        faults: &mut faults,
        said: None,
        said_whole: true,
        spent: &mut spent,
        memory: &mut memory,
        told: None,
    };
    format!("{:?}", step.next(event, &mut visit))
}
