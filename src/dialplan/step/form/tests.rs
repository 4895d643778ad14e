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
    holds(
        PAYMENT,
        "en-US",
        &[("pay two hundred dollars on Friday", "Two hundred dollars on Friday, March the sixth.")],
    );
    holds(PAYMENT, "zh-CN", &[("星期五付两百块", "三月六号，星期五，两百元。")]);
}

#[test]
fn only_what_is_missing_is_asked_for_and_what_is_known_is_said_by_the_way() {
    holds(
        PAYMENT,
        "en-US",
        &[
            ("two hundred dollars", "Two hundred dollars. On which day?"),
            ("on Friday", "Two hundred dollars on Friday, March the sixth."),
        ],
    );
    holds(PAYMENT, "zh-CN", &[("付两百块钱", "两百元。 哪天付？"), ("这个星期五", "三月六号，星期五，两百元。")]);
}

#[test]
fn what_was_said_by_the_way_can_be_taken_back_with_the_next_answer() {
    holds(
        PAYMENT,
        "en-US",
        &[
            ("two hundred dollars", "Two hundred dollars. On which day?"),
            ("no, three hundred", "Three hundred dollars. On which day?"),
            ("no", "Sorry. Let us try again. How much?"),
            ("four hundred dollars", "Four hundred dollars. On which day?"),
            ("make it five hundred", "Five hundred dollars. On which day?"),
            ("on Friday", "Five hundred dollars on Friday, March the sixth."),
        ],
    );
    holds(
        PAYMENT,
        "zh-CN",
        &[
            ("付两百块钱", "两百元。 哪天付？"),
            ("不是，是三百", "三百元。 哪天付？"),
            ("不对", "抱歉，我们再来一次。 付多少钱？"),
            ("四百", "四百元。 哪天付？"),
            ("周五", "三月六号，星期五，四百元。"),
        ],
    );
}

#[test]
fn a_mere_no_to_everything_asks_which_part_is_wrong() {
    let plan = PAYMENT.replace("      go: done", "      confirm: always\n      go: done");
    holds(
        &plan,
        "en-US",
        &[
            ("two hundred dollars on Friday", "Two hundred dollars, Friday, March the sixth. Is that right?"),
            ("no", "Which part is wrong: the amount or the date?"),
            ("the date", "On which day?"),
            ("on Saturday", "Two hundred dollars, Saturday, March the seventh. Is that right?"),
            ("no, the fifteenth", "Two hundred dollars, Sunday, March the fifteenth. Is that right?"),
            ("change the amount", "How much?"),
            ("three hundred dollars", "Three hundred dollars, Sunday, March the fifteenth. Is that right?"),
            ("yes that's right", "Three hundred dollars on Sunday, March the fifteenth."),
        ],
    );
    holds(
        &plan,
        "zh-CN",
        &[
            ("周五付两百块", "两百元，三月六号，星期五，对吗？"),
            ("不对", "哪一项不对：金额还是日期？"),
            ("日期", "哪天付？"),
            ("星期六", "两百元，三月七号，星期六，对吗？"),
            ("不是，是三百", "三百元，三月七号，星期六，对吗？"),
            ("改成周日", "三百元，三月八号，星期日，对吗？"),
            ("对", "三月八号，星期日，三百元。"),
        ],
    );
}

#[test]
fn which_part_can_be_answered_with_its_new_value_by_key_or_with_nothing() {
    let plan = PAYMENT.replace("      go: done", "      confirm: always\n      go: done");
    let check = "Two hundred dollars, Friday, March the sixth. Is that right?";
    let which = "Which part is wrong: the amount or the date?";
    holds(
        &plan,
        "en-US",
        &[
            ("two hundred dollars on Friday", check),
            ("2", which),
            ("Saturday", "Two hundred dollars, Saturday, March the seventh. Is that right?"),
        ],
    );
    holds(&plan, "en-US", &[("two hundred dollars on Friday", check), ("2", which), ("2", "On which day?")]);
    holds(
        &plan,
        "en-US",
        &[("two hundred dollars on Friday", check), ("no", which), ("no", check), ("1", &check[..19])]
            .map(|(you, bot)| (you, if you == "1" { "Two hundred dollars on Friday, March the sixth." } else { bot })),
    );
}

#[test]
fn what_is_not_sure_enough_is_asked_about_at_the_end_and_what_is_sure_is_not() {
    let mut talk = Talk::about(PAYMENT, "en-US");
    let check = "Two hundred dollars, Friday, March the sixth. Is that right?";
    assert_eq!(talk.say_faintly("pay two hundred dollars on Friday", 0.6), check);
    assert_eq!(talk.say("yes"), "Two hundred dollars on Friday, March the sixth.");
    // Said by the way and not objected to: agreed upon.
    let mut talk = Talk::about(PAYMENT, "en-US");
    assert_eq!(talk.say_faintly("two hundred dollars", 0.6), "Two hundred dollars. On which day?");
    assert_eq!(talk.say("on Friday"), "Two hundred dollars on Friday, March the sixth.");
    // Hardly heard: asked for.
    let mut talk = Talk::about(PAYMENT, "en-US");
    assert_eq!(talk.say_faintly("two hundred dollars", 0.2), "Sorry, I did not get that. How much?");
}

#[test]
fn an_opening_that_fails_becomes_single_questions_and_each_has_its_own_tries() {
    holds(
        PAYMENT,
        "en-US",
        &[
            ("", "I did not hear you. How much?"),
            ("what is the weather", "Sorry, I did not get that. How much?"),
            ("200#", "Two hundred dollars. On which day?"),
            ("", "I did not hear you. On which day?"),
            ("blue", "Sorry, I did not get that. On which day?"),
            ("green", "A person will help you."),
        ],
    );
}

#[test]
fn going_back_leads_to_the_slot_before_and_a_person_is_a_word_away() {
    holds(
        PAYMENT,
        "en-US",
        &[
            ("two hundred dollars", "Two hundred dollars. On which day?"),
            ("go back", "How much?"),
            ("three hundred dollars", "Three hundred dollars. On which day?"),
            ("say that again", "On which day?"),
            ("I want to talk to a person", "A person will help you."),
        ],
    );
}

#[test]
fn a_value_that_was_denied_is_not_understood_again() {
    let mut talk = Talk::about(PAYMENT, "en-US");
    assert_eq!(talk.say("fifty dollars"), "Fifty dollars. On which day?");
    assert_eq!(talk.say("no"), "Sorry. Let us try again. How much?");
    let mut two = heard("fifty dollars", 0.9);
    two.hypotheses.extend(heard("fifteen dollars", 0.8).hypotheses);
    assert_eq!(talk.hear(&two), "Fifteen dollars. On which day?");
}

const DINNER: &str = r#"
dialplan: 1
zone: America/New_York
defaults: { question: { go: agent, tries: 3 } }
start: table
steps:
  table:
    form:
      slots:
        people: { want: "number?min=1;max=12", prompt: "For how many?", phrases: [people, party of, guests, for] }
        day: { want: "date?when=future", prompt: "Which day?" }
        hour: { want: time, prompt: "At what time?" }
        outside: { want: boolean, prompt: "Outside?", if: "people == null || people <= 4" }
        phone: { want: "phone?region=US", prompt: "Your number?", required: false }
        card: { digits: 4, prompt: "Your card's last four digits?", sensitive: true }
      confirm: always
      go: done
  done: { hangup: "{{ people }}." }
  agent: { hangup: "A person will help you." }
"#;

#[test]
fn slots_of_many_kinds_find_their_own_words_and_secrets_are_never_said() {
    holds(
        DINNER,
        "en-US",
        &[
            ("four people on Friday at seven thirty pm", "Four, Friday, March the sixth, seven thirty p m. Outside?"),
            ("yes", "Yes. Your card's last four digits?"),
            ("4711", "Four, Friday, March the sixth, seven thirty p m, yes. Is that right?"),
            ("yes", "Four."),
        ],
    );
}

#[test]
fn a_form_leaves_its_values_behind_without_secrets() {
    let mut talk = Talk::about(DINNER, "en-US");
    talk.say("six people on Friday at seven thirty pm");
    talk.keys("4711");
    talk.say("yes");
    let outcomes = serde_json::to_string(talk.interpreter.outcomes()).unwrap();
    assert!(outcomes.contains(r#""kind":"form""#) && outcomes.contains("2026-03-06"), "{outcomes}");
    assert!(!outcomes.contains("4711"), "{outcomes}");
    assert!(talk.interpreter.scope().is_secret("card"));
    assert!(!outcomes.contains("outside"), "not wanted for six: {outcomes}");
}

const ACCOUNT: &str = r#"
dialplan: 1
languages: [en-US, zh-CN]
zone: America/New_York
defaults: { question: { go: agent, tries: 3 } }
start: move
steps:
  move:
    form:
      slots:
        account:
          grammar: [grammars/account-type.grxml, grammars/account-type-zh.grxml]
          prompt: { en-US: "From which account?", zh-CN: "哪个账户？" }
          label: { en-US: the account, zh-CN: 账户 }
        amount: { want: amount, prompt: { en-US: "How much?", zh-CN: "多少钱？" } }
      go: done
  done:
    hangup:
      text:
        en-US: "{{ amount }} from {{ account.type }}{% if account.joint %}, jointly{% endif %}."
        zh-CN: "{{ amount }}，{{ account.type }}。"
  agent: { hangup: { text: { en-US: "A person will help you.", zh-CN: "为您转接人工。" } } }
"#;

#[test]
fn a_grammar_of_the_plan_fills_a_slot_beside_built_in_ones() {
    holds(
        ACCOUNT,
        "en-US",
        &[
            ("my joint savings account", "Savings. How much?"),
            ("no, the current account", "Current. How much?"),
            ("fifty dollars", "Fifty dollars from current."),
        ],
    );
    holds(
        ACCOUNT,
        "en-US",
        &[
            ("what is the weather", "Sorry, I did not get that. From which account?"),
            ("fifty dollars from our joint savings account", "Fifty dollars from savings, jointly."),
        ],
    );
    let mut talk = Talk::about(ACCOUNT, "zh-CN");
    assert!(talk.say("我的储蓄账户").ends_with("多少钱？"));
}

fn ask(how: &str) -> String {
    let plan = r#"
dialplan: 1
defaults: { question: { go: agent, tries: 3 } }
start: pay
steps:
  pay: { ask: { prompt: "How much?", want: "amount?currency=USD", confirm: HOW, go: done } }
  done: { hangup: "You pay {{ pay }}." }
  agent: { hangup: "A person will help you." }
"#;
    plan.replace("HOW", how)
}

#[test]
fn a_doubtful_value_is_asked_about_and_a_sure_one_is_taken() {
    let mut talk = Talk::about(&ask("auto"), "en-US");
    assert_eq!(talk.say("fifty dollars"), "You pay fifty dollars.");
    let mut talk = Talk::about(&ask("auto"), "en-US");
    assert_eq!(talk.say_faintly("fifty dollars", 0.6), "Fifty dollars. Is that right?");
    assert_eq!(talk.go(&Event::NoInput), "I did not hear you. Fifty dollars. Is that right?");
    assert_eq!(talk.say("no"), "Sorry. Let us try again. How much?");
    let mut two = heard("fifty dollars", 0.9);
    two.hypotheses.extend(heard("fifteen dollars", 0.8).hypotheses);
    assert_eq!(talk.hear(&two), "Fifteen dollars. Is that right?", "what was denied is not understood again");
    assert_eq!(talk.say("no, sixteen dollars"), "You pay sixteen dollars.");
}

#[test]
fn a_value_told_by_the_way_stands_unless_somebody_objects() {
    let mut talk = Talk::about(&ask("implicit"), "en-US");
    assert_eq!(talk.say("fifty dollars"), "Fifty dollars.");
    assert_eq!(talk.go(&Event::NoInput), "You pay fifty dollars.");
    let mut talk = Talk::about(&ask("implicit"), "en-US");
    talk.say("fifty dollars");
    assert_eq!(talk.say("no, fifteen"), "Fifteen dollars.");
    assert_eq!(talk.say("hmm"), "You pay fifteen dollars.");
}

#[test]
fn what_is_always_asked_about_is_so_by_key_too_and_denials_come_to_an_end() {
    let mut talk = Talk::about(&ask("explicit"), "en-US");
    assert_eq!(talk.keys("50#"), "Fifty dollars. Is that right?");
    assert_eq!(talk.keys("1"), "You pay fifty dollars.");
    let mut talk = Talk::about(&ask("{ how: explicit, prompt: \"{{ pay }}, correct?\" }"), "en-US");
    for amount in ["50#", "60#"] {
        assert!(talk.keys(amount).ends_with("dollars, correct?"));
        assert_eq!(talk.keys("2"), "Sorry. Let us try again. How much?");
    }
    talk.keys("70#");
    assert_eq!(talk.say("no"), "A person will help you.");
}

#[test]
fn whatever_is_said_in_whatever_order_a_form_comes_to_an_end() {
    const WORDS: &[&str] = &[
        "no",
        "yes",
        "not",
        "two hundred dollars",
        "on Friday",
        "at five",
        "the fifteenth",
        "change the day",
        "go back",
        "damn it",
        "four people",
        "make it",
        "instead",
        "and",
        "wrong",
        "card",
        "say that again",
        "7",
        "不是",
        "三百",
        "",
    ];
    for (plan, languages) in [(DINNER, &["en-US"][..]), (PAYMENT, &["en-US", "zh-CN"])] {
        for language in languages {
            for seed in 0..12_u64 {
                let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
                let mut draw = |most: usize| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 33) as usize % most
                };
                let mut talk = Talk::about(plan, language);
                let mut answers = 0;
                while matches!(talk.act, Act::Ask(_)) {
                    let words: Vec<&str> = (0..=draw(4)).map(|_| WORDS[draw(WORDS.len())]).collect();
                    match draw(6) {
                        0 => drop(talk.keys(["1", "2", "47", "4711", "#", "0*"][draw(6)])),
                        1 => drop(talk.go(&Event::NoInput)),
                        _ => drop(talk.say_faintly(&words.join(" "), draw(100) as f32 / 100.0)),
                    }
                    answers += 1;
                    assert!(answers < 300, "never ends: {language} {seed}");
                }
            }
        }
    }
}

/// Two slots of one kind.
fn two(names: [&str; 2], phrases: [&str; 2], want: &str) -> String {
    let slot = |name: &str, phrases: &str, ask: &str| {
        format!("        {name}: {{ want: \"{want}\", prompt: \"{ask}\", phrases: [{phrases}] }}\n")
    };
    let slots = slot(names[0], phrases[0], "The first?") + &slot(names[1], phrases[1], "The last?");
    format!(
        "dialplan: 1\nzone: America/New_York\ndefaults: {{ question: {{ go: agent, tries: 3 }} }}\nstart: ask\nsteps:\n  \
         ask:\n    form:\n      prompt: \"Tell me.\"\n      slots:\n{slots}      confirm: never\n      go: done\n  done: {{ hangup: {{ text: \
         \"{{{{ {} }}}} and {{{{ {} }}}}.\" }} }}\n  agent: {{ hangup: {{ text: \"A person.\" }} }}\n",
        names[0], names[1]
    )
}

#[test]
fn two_values_of_one_kind_go_where_the_words_before_them_say() {
    let named = two(["leaves", "returns"], ["leaving, from", "returning, back, until"], "date?when=future");
    for said in
        ["leaving on Friday and back on Sunday", "back on Sunday, leaving on Friday", "from Friday until Sunday"]
    {
        let mut talk = Talk::about(&named, "en-US");
        assert_eq!(talk.say(said), "Friday, March the sixth and Sunday, March the eighth.", "{said}");
    }
}

#[test]
fn a_range_fills_two_slots_in_order_and_a_value_that_may_be_either_is_asked_for() {
    let bare = two(["first_day", "last_day"], ["", ""], "date?when=future");
    let mut talk = Talk::about(&bare, "en-US");
    assert_eq!(talk.say("Friday to Sunday"), "Friday, March the sixth and Sunday, March the eighth.");
    let mut talk = Talk::about(&bare, "en-US");
    assert!(talk.say("on Friday").ends_with("The first?"), "{}", talk.bot());
    assert!(talk.say("on Friday").ends_with("The last?"), "{}", talk.bot());
    assert_eq!(talk.say("on Sunday"), "Friday, March the sixth and Sunday, March the eighth.");
    let mut talk = Talk::about(&bare, "en-US");
    assert!(talk.say("Friday or maybe Sunday").ends_with("The first?"), "{}", talk.bot());
}
