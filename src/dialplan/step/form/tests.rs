//! Forms in conversation: words in, lines out, without a call around them.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::dialplan::fixture::heard;
use crate::dialplan::interpreter::{Act, Asking, Interpreter};
use crate::dialplan::load::load_str;
use crate::dialplan::plan::Plan;
use crate::dialplan::step::{Event, Keyed};
use crate::language::Language;
use crate::understand::NBest;

const PAYMENT: &str = r#"
dialplan: 1
languages: [en-US, zh-CN]
zone: America/New_York
defaults: { question: { go: agent, tries: 3 }, universals: { operator: agent } }
start: pay
steps:
  pay:
    form:
      prompt: { en-US: "How much would you like to pay, and when?", zh-CN: "您想付多少钱，哪天付？" }
      slots:
        amount: { want: "amount?max=5000", prompt: { en-US: "How much?", zh-CN: "付多少钱？" } }
        date: { want: "date?when=future", prompt: { en-US: "On which day?", zh-CN: "哪天付？" } }
      go: done
  done: { hangup: { text: { en-US: "{{ amount }} on {{ date }}.", zh-CN: "{{ date }}，{{ amount }}。" }, result: paid } }
  agent: { hangup: { text: { en-US: "A person will help you.", zh-CN: "为您转接人工。" }, result: agent } }
"#;

/// Monday, 2 March 2026, ten in the morning in New York.
const MONDAY: &str = "2026-03-02T15:00:00Z";

struct Talk {
    plan: Arc<Plan>,
    interpreter: Interpreter,
    act: Act,
}

impl Talk {
    fn about(plan: &str, language: &str) -> Self {
        let plan = load_str("form.yaml", plan).unwrap_or_else(|found| panic!("{found}")).plan;

        let mut interpreter = Interpreter::new(plan.clone(), &Language::parse(language).unwrap(), TimeZone::UTC);
        let act = interpreter.start(now());
        Self { plan, interpreter, act }
    }

    fn asking(&self) -> &Asking {
        match &self.act {
            Act::Ask(asking) => asking,
            other => panic!("nothing is asked: {other:?}"),
        }
    }

    /// What was said last.
    fn bot(&self) -> String {
        let lines = match &self.act {
            Act::Say { lines, .. } | Act::End { lines, .. } => lines,
            Act::Ask(asking) => &asking.lines,
            other => panic!("nothing is said: {other:?}"),
        };
        lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn go(&mut self, event: &Event) -> String {
        self.act = self.interpreter.next(event, now());
        assert_eq!(self.interpreter.take_faults(), Vec::<String>::new());
        self.bot()
    }

    fn hear(&mut self, nbest: &NBest) -> String {
        let asking = self.asking();
        let quest = self.plan.step(asking.step).quest(asking.quest).unwrap();
        let judged = quest.ear.speech(nbest, &asking.hearing);
        let event = match judged.answer {
            Some(answer) => Event::Answered(answer),
            None => Event::NoMatch { rejected: judged.rejected },
        };
        self.go(&event)
    }

    fn say(&mut self, words: &str) -> String {
        self.hear(&heard(words, 0.95))
    }

    fn say_faintly(&mut self, words: &str, confidence: f32) -> String {
        self.hear(&heard(words, confidence))
    }

    fn keys(&mut self, typed: &str) -> String {
        let asking = self.asking();
        let quest = self.plan.step(asking.step).quest(asking.quest).unwrap();
        let event = match quest.ear.keys(typed, &asking.hearing) {
            Keyed::Complete(answer) | Keyed::More(Some(answer)) => Event::Answered(answer),
            _ => Event::NoMatch { rejected: false },
        };
        self.go(&event)
    }
}

fn now() -> Timestamp {
    MONDAY.parse().unwrap()
}

/// `words > what is said next`, line by line.
fn holds(plan: &str, language: &str, talk: &[(&str, &str)]) {
    let mut it = Talk::about(plan, language);
    for (place, (you, bot)) in talk.iter().enumerate() {
        let said = match you {
            &"" => it.go(&Event::NoInput),
            words if words.chars().all(|key| key.is_ascii_digit() || "*#".contains(key)) => it.keys(words),
            words => it.say(words),
        };
        assert_eq!(said, *bot, "line {place}: {you}");
    }
}

#[test]
fn several_values_come_from_one_utterance() {
    holds(PAYMENT, "en-US", &[("pay two hundred dollars on Friday", "Two hundred dollars on Friday, March sixth.")]);
    holds(PAYMENT, "zh-CN", &[("星期五付两百块", "三月六号星期五，两百元。")]);
}

#[test]
fn only_what_is_missing_is_asked_for_and_what_is_known_is_said_by_the_way() {
    holds(PAYMENT, "en-US", &[
        ("two hundred dollars", "Two hundred dollars. On which day?"),
        ("on Friday", "Two hundred dollars on Friday, March sixth."),
    ]);
    holds(PAYMENT, "zh-CN", &[("付两百块钱", "两百元。 哪天付？"), ("这个星期五", "三月六号星期五，两百元。")]);
}

#[test]
fn what_was_said_by_the_way_can_be_taken_back_with_the_next_answer() {
    holds(PAYMENT, "en-US", &[
        ("two hundred dollars", "Two hundred dollars. On which day?"),
        ("no, three hundred", "Three hundred dollars. On which day?"),
        ("no", "Sorry. Let us try again. How much?"),
        ("four hundred dollars", "Four hundred dollars. On which day?"),
        ("make it five hundred", "Five hundred dollars. On which day?"),
        ("on Friday", "Five hundred dollars on Friday, March sixth."),
    ]);
    holds(PAYMENT, "zh-CN", &[
        ("付两百块钱", "两百元。 哪天付？"),
        ("不是，是三百", "三百元。 哪天付？"),
        ("不对", "抱歉，我们再来一次。 付多少钱？"),
        ("四百", "四百元。 哪天付？"),
        ("周五", "三月六号星期五，四百元。"),
    ]);
}
