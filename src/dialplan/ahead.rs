//! What was said before it was asked for: "I can pay two hundred on Friday", at a menu, answers what the promise would ask.
//!
//! ```text
//!   menu     "I can pay two hundred on Friday"  ─▶ promise
//!   promise                                        amount ▸ USD 200, date ▸ Friday: nothing is left to ask for,
//!                                                  it is read back, as surely as it was understood
//! ```
//!
//! The words are those of the utterance that led to the step, through whatever asks nothing, asks who it is, or only
//! asks whether that is right; the next choice replaces them. A value that has been taken once is not taken again by
//! another question.

use super::step::{Answer, Ear, Filled, HandsOn, Hearing, Next};
use crate::pii::Pii;
use crate::understand::NBest;
use crate::value::Value;

/// Utterances kept: what was wanted, and what was said to the proposals in between.
const UTTERANCES: usize = 3;

/// Words that wait for the questions they lead to.
#[derive(Debug, Default)]
pub struct Ahead {
    /// The latest first.
    said: Vec<NBest>,
    /// The latest may hold a wish, besides values.
    wishes: bool,
    /// Taken already.
    taken: Vec<Value>,
    /// The question that is about to be asked has had them.
    heard: bool,
}

/// An answer in words that were said before its question.
#[derive(Clone, Debug, PartialEq)]
pub struct Foretold {
    /// What they mean to the question.
    pub answer: Answer,
    /// How sure the recogniser was of them. 0..1.
    pub confidence: f32,
}

impl Ahead {
    /// The caller has said this at a step that hands so much on; `None` for keys, silence, or words that are secret.
    pub fn hear(&mut self, words: Option<&NBest>, hands_on: HandsOn) {
        self.heard = false;
        match hands_on {
            HandsOn::Nothing => *self = Self::default(),
            HandsOn::Values => *self = Self { said: words.cloned().into_iter().collect(), ..Self::default() },
            HandsOn::Wishes => {
                self.wishes = words.is_some();
                self.said.splice(0..0, words.cloned());
                self.said.truncate(UTTERANCES);
            }
            HandsOn::Earlier => self.wishes = false,
        }
    }

    /// May the question that is about to be asked have been answered?
    pub const fn is_open(&self) -> bool {
        !self.said.is_empty() && !self.heard
    }

    /// The words have been offered to a question. They are offered again to the next one only where this one is not asked.
    pub const fn close(&mut self, next: &Next<'_>) {
        self.heard = matches!(next, Next::Ask { .. });
    }

    /// What they say of the question that `ear` listens for.
    pub fn answer(&mut self, ear: &dyn Ear, hearing: &Hearing) -> Option<Foretold> {
        let (answer, words) = self.said.iter().enumerate().find_map(|(place, words)| {
            let wish = || ear.overheard(words, hearing).filter(|_| self.wishes && place == 0);
            Some((self.fresh(ear.ahead(words, hearing).or_else(wish)?)?, words))
        })?;
        let confidence = words.hypotheses.first().map_or(0.0, |best| best.confidence);
        match &answer {
            Answer::Filled(filled) => {
                let taken = filled.values.iter().chain(&filled.parts);
                self.taken.extend(taken.map(|(_, value, _)| value.reveal().clone()));
            }
            Answer::Value(value) => self.taken.push(value.reveal().clone()),
            Answer::Option(_) | Answer::Universal(_) => self.wishes = false,
        }
        Some(Foretold { answer, confidence })
    }

    /// What of an answer has not been taken by another question; `None` where nothing is left.
    fn fresh(&self, answer: Answer) -> Option<Answer> {
        let fresh = |value: &Pii<Value>| !self.taken.contains(value.reveal());
        match answer {
            Answer::Filled(filled) => {
                let values: Vec<_> = filled.values.into_iter().filter(|(_, value, _)| fresh(value)).collect();
                let parts: Vec<_> = filled.parts.into_iter().filter(|(_, value, _)| fresh(value)).collect();
                let left = !(values.is_empty() && parts.is_empty() && filled.day_parts.is_empty());
                left.then_some(Answer::Filled(Filled { values, parts, ..filled }))
            }
            Answer::Value(value) => fresh(&value).then_some(Answer::Value(value)),
            other => Some(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dialplan::rehearsal::Rehearsal;

    const PLAN: &str = r#"
dialplan: 1
languages: [en-US, zh-CN]
zone: America/New_York
inputs: { due: amount USD }
defaults: { question: { go: agent, tries: 3 }, universals: { operator: agent } }
start: main
steps:
  main:
    menu:
      prompt: { en-US: "What can I do?", zh-CN: "您要办什么？" }
      options:
        pay:
          key: 1
          phrases: { en-US: [I want to pay, I can pay something, make a payment], zh-CN: [我要还款, 我可以还钱] }
          go: thanks
        card: { key: 2, phrases: { en-US: [my card is lost], zh-CN: [挂失] }, go: card }
        move: { key: 3, phrases: { en-US: [move my appointment, another day for my appointment], zh-CN: [改预约] }, go: day }
        sure: { key: 4, phrases: { en-US: [ask me something], zh-CN: [问我] }, go: sure }
  thanks: { say: { text: { en-US: "Good.", zh-CN: "好。" }, go: promise } }
  promise:
    promise:
      prompt: { en-US: "How much, and when?", zh-CN: "还多少，什么时候？" }
      currency: USD
      most: "= due"
      go: done
  card: { ask: { prompt: { en-US: "The digits?", zh-CN: "号码？" }, digits: 4, sensitive: true, go: done } }
  day: { ask: { prompt: { en-US: "Which day?", zh-CN: "哪天？" }, want: date?when=future, go: other } }
  other: { ask: { prompt: { en-US: "And the other day?", zh-CN: "另外哪天？" }, want: date?when=future, go: done } }
  sure: { confirm: { prompt: { en-US: "Pay today?", zh-CN: "付吗？" }, "yes": promise, "no": done } }
  done: { hangup: { result: done } }
  agent: { hangup: { result: agent } }
"#;

    fn talk(language: &str) -> Rehearsal {
        Rehearsal::of(PLAN, language, &[("due", "500")])
    }

    #[test]
    fn an_amount_and_a_day_said_at_a_menu_are_read_back_and_not_asked_for() {
        let mut english = talk("en-US");
        let check = english.say("I want to pay two hundred dollars on Friday").bot();
        assert_eq!(check, "Good. Two hundred dollars, Friday, March the sixth. Is that right?");
        assert_eq!(english.say("yes").bot(), "[done]");
        let mut mandarin = talk("zh-CN");
        let check = mandarin.say("我要还款，周五还两百美元").bot();
        assert!(check.contains("两百美元") && check.ends_with("对吗？"), "{check}");
    }

    #[test]
    fn only_what_was_not_said_is_asked_for() {
        let mut talk_of = talk("en-US");
        let asked = talk_of.say("I can pay something on Friday").bot();
        assert_eq!(asked, "Good. Friday, March the sixth. How much will you pay?");
        let mut nothing = talk("en-US");
        assert_eq!(nothing.say("I want to pay").bot(), "Good. How much, and when?");
        let mut key = talk("en-US");
        assert_eq!(key.press("1").bot(), "Good. How much, and when?");
    }

    #[test]
    fn what_the_step_cannot_take_is_told_as_if_it_had_been_asked_for() {
        let bot = talk("en-US").say("I want to pay nine hundred dollars on Friday").bot();
        assert_eq!(bot, "Good. It can be five hundred dollars at most. How much will you pay?");
    }

    #[test]
    fn a_yes_may_bring_the_rest_along() {
        let mut talk = talk("en-US");
        talk.say("ask me something");
        let check = talk.say("yes, fifty dollars tomorrow").bot();
        assert_eq!(check, "Fifty dollars, Tuesday, March the third. Is that right?");
    }

    #[test]
    fn what_is_wanted_instead_is_understood_at_the_menu_it_leads_to() {
        for (language, said, next) in [
            ("en-US", "no, I want to pay", "Good. How much, and when?"),
            (
                "en-US",
                "no I want to pay fifty dollars tomorrow",
                "Good. Fifty dollars, Tuesday, March the third. Is that right?",
            ),
            ("en-US", "I want to pay", "Good. How much, and when?"),
            ("en-US", "no", "What can I do?"),
            ("en-US", "what is the weather like on the moon", "What can I do?"),
            ("zh-CN", "不是，我要还款", "好。 还多少，什么时候？"),
            ("zh-CN", "不是", "您要办什么？"),
        ] {
            let plan = PLAN.replace("start: main", "start: proposal").replace(
                "steps:\n",
                "steps:\n  proposal: { confirm: { prompt: { en-US: \"About your card?\", zh-CN: \"卡的事？\" }, \"yes\": card, \"no\": \
                 main, else: main } }\n",
            );
            let mut talk = Rehearsal::of(&plan, language, &[("due", "500")]);
            assert_eq!(talk.say(said).bot(), next, "{said}");
        }
    }

    #[test]
    fn whoever_speaks_another_language_at_a_question_that_listens_in_any_goes_on_in_it() {
        let any = PLAN.replace("      options:\n        pay:", "      language: any\n      options:\n        pay:");
        for (language, said, next) in [
            ("en-US", "我要还款", "好。 还多少，什么时候？"),
            ("zh-CN", "I want to pay", "Good. How much, and when?"),
            ("en-US", "我要还款，周五还两百美元", "好。 两百美元，三月六号，星期五，对吗？"),
        ] {
            let mut talk = Rehearsal::of(&any, language, &[("due", "500")]);
            assert_eq!(talk.say(said).bot(), next, "{said}");
            let mut own = Rehearsal::of(PLAN, language, &[("due", "500")]);
            assert!(!own.say(said).bot().starts_with(next), "{said}");
        }
    }

    #[test]
    fn mandarin_is_not_something_else_in_english() {
        let plan = PLAN.replace("start: main", "start: proposal").replace(
            "steps:\n",
            "steps:\n  proposal: { confirm: { prompt: { en-US: \"About a payment?\", zh-CN: \"还款的事？\" }, \"yes\": thanks, \
             \"no\": main, else: main, language: any } }\n",
        );
        for (said, next) in
            [("是的", "好。 还多少，什么时候？"), ("不是", "您要办什么？"), ("我要还款", "好。 还多少，什么时候？")]
        {
            assert_eq!(Rehearsal::of(&plan, "en-US", &[("due", "500")]).say(said).bot(), next, "{said}");
        }
    }

    #[test]
    fn whoever_swears_is_not_asked_again_but_gets_to_a_person() {
        for (language, said) in [("en-US", "this is bullshit, fuck you"), ("zh-CN", "你他妈的听不懂人话吗")] {
            assert_eq!(talk(language).say(said).bot(), "[agent]", "{said}");
        }
        let mut polite = talk("en-US");
        assert_eq!(polite.say("I fucking want to pay").bot(), "Good. How much, and when?");
    }

    #[test]
    fn a_value_is_taken_once_and_by_nobody_who_asked_after_another_answer() {
        let mut talk_of = talk("en-US");
        assert_eq!(talk_of.say("move my appointment to Friday").bot(), "And the other day?");
        let mut talk_of = talk("en-US");
        assert_eq!(talk_of.say("another day for my appointment").bot(), "Which day?");
        // A question that takes a value hands nothing on.
        assert_eq!(talk_of.say("on Friday").bot(), "And the other day?");
    }

    #[test]
    fn a_value_that_nobody_would_confirm_is_taken_only_where_it_is_sure() {
        let mut talk_of = talk("en-US");
        assert_eq!(talk_of.say_at("move my appointment to Friday", 0.75).bot(), "Which day?");
    }

    /// The promise of [`PLAN`] behind other questions.
    fn behind(steps: &str, first: &str) -> String {
        let inputs = "inputs: { due: amount USD, born: date, zip: digits }";
        let plan =
            PLAN.replace("inputs: { due: amount USD }", inputs).replace("go: thanks }", &format!("go: {first} }}"));
        let plan = plan.replace("          go: thanks\n", &format!("          go: {first}\n"));
        plan.replace("  thanks:", &format!("{steps}  thanks:"))
    }

    #[test]
    fn what_was_wanted_is_still_wanted_behind_a_proof_of_who_it_is() {
        let who = "  who:\n    verify:\n      factors:\n        born: { prompt: { en-US: \"When were you born?\", zh-CN: \"生日？\" }, \
                   want: date?when=past, expect: \"{{ born }}\" }\n        zip: { prompt: { en-US: \"Your zip code?\", zh-CN: \
                   \"邮编？\" }, digits: 5, expect: \"{{ zip }}\" }\n      passed: thanks\n      failed: agent\n";
        let known = [("due", "500"), ("born", "1985-03-04"), ("zip", "94110")];
        let mut talk = Rehearsal::of(&behind(who, "who"), "en-US", &known);
        assert_eq!(talk.say("I want to pay two hundred dollars on Friday").bot(), "When were you born?");
        talk.say("March fourth nineteen eighty five");
        let check = talk.press("94110").bot();
        assert_eq!(check, "Good. Two hundred dollars, Friday, March the sixth. Is that right?");
        // Nor is it forgotten when the first try fails.
        let mut again = Rehearsal::of(&behind(who, "who"), "en-US", &known);
        again.say("I want to pay two hundred dollars on Friday").say("March fifth nineteen eighty five");
        assert!(again.press("94110").bot().ends_with("When were you born?"), "{}", again.bot());
        again.say("March fourth nineteen eighty five");
        assert!(again.press("94110").bot().contains("Two hundred dollars, Friday"), "{}", again.bot());
    }

    #[test]
    fn a_number_that_says_who_it_is_takes_nothing_back_and_neither_does_a_mere_yes() {
        let number =
            "  number: { ask: { prompt: { en-US: \"Your number?\", zh-CN: \"号码？\" }, digits: 4, go: thanks } }\n";
        let secret = number.replace("digits: 4", "digits: 4, sensitive: true");
        let sure = "  number: { confirm: { prompt: { en-US: \"From this phone?\", zh-CN: \"这个电话？\" }, \"yes\": thanks, \"no\": \
                    agent } }\n";
        for (steps, answer) in [(number, "four seven one one"), (&secret, "four seven one one"), (sure, "yes")] {
            let mut talk = Rehearsal::of(&behind(steps, "number"), "en-US", &[("due", "500")]);
            talk.say("I want to pay two hundred dollars on Friday");
            let check = talk.say(answer).bot();
            assert_eq!(check, "Good. Two hundred dollars, Friday, March the sixth. Is that right?", "{steps}");
        }
        // What is said to the proposal is the newer word.
        let mut newer = Rehearsal::of(&behind(sure, "number"), "en-US", &[("due", "500")]);
        newer.say("I want to pay two hundred dollars on Friday");
        let check = newer.say("yes, and make it fifty dollars tomorrow").bot();
        assert_eq!(check, "Good. Fifty dollars, Tuesday, March the third. Is that right?");
    }

    #[test]
    fn a_secret_is_never_taken_ahead_of_its_question() {
        assert_eq!(talk("en-US").say("my card is lost four seven one one").bot(), "The digits?");
    }
}
