use crate::dialplan::load::load_str;
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::rehearsal::Rehearsal;
use crate::value::Value;

const PLAN: &str = r#"
dialplan: 1
languages: [en-US, zh-CN]
zone: America/New_York
inputs: { born: date, zip: digits, name: text }
defaults: { question: { go: agent, tries: 2 }, universals: { operator: agent } }
start: who
steps:
  who:
    verify:
      factors:
        born: { prompt: { en-US: "When were you born?", zh-CN: "您的出生日期？" }, want: date?when=past, expect: "{{ born }}" }
        zip: { prompt: { en-US: "Your zip code?", zh-CN: "您的邮编？" }, digits: 5, expect: "{{ zip }}" }
        name: { prompt: { en-US: "Your name?", zh-CN: "您的姓名？" }, words: true, expect: "{{ name }}" }
      need: 2
      passed: in
      failed: out
      unknown: stranger
  in: { hangup: { text: { en-US: "Hello.", zh-CN: "您好。" }, result: in } }
  out: { hangup: { text: { en-US: "Sorry.", zh-CN: "抱歉。" }, result: out } }
  stranger: { hangup: { text: { en-US: "Who?", zh-CN: "您是？" }, result: stranger } }
  agent: { hangup: { text: { en-US: "A person.", zh-CN: "转人工。" }, result: agent } }
"#;
const ADA: &[(&str, &str)] = &[("born", "1985-03-04"), ("zip", "94110"), ("name", "Ada Lovelace")];

fn verdict(talk: &Rehearsal) -> (bool, Vec<&str>, u32) {
    let [OutcomeKind::Verified { passed, factors, tries }] = talk.outcomes()[..] else {
        panic!("{:?}", talk.outcomes())
    };
    (*passed, factors.iter().map(String::as_str).collect(), *tries)
}

#[test]
fn the_right_person_passes_by_voice_and_by_key() {
    let mut talk = Rehearsal::of(PLAN, "en-US", ADA);
    assert_eq!(talk.bot(), "When were you born?");
    assert_eq!(verdict(&talk), (false, vec![], 1), "until it is known: the caller may hang up here");
    assert_eq!(talk.say("March fourth nineteen eighty five").bot(), "Your zip code?");
    assert_eq!(talk.press("94110").bot(), "Your name?");
    assert_eq!(talk.say("it's Ada Lovelace").bot(), "Hello. [in]");
    assert_eq!(verdict(&talk), (true, vec!["born", "zip", "name"], 1));
    assert_eq!(talk.scope().fact("verified"), Some(&Value::Boolean(true)));
    assert_eq!(talk.scope().values().count(), 3, "nothing of what was said is kept: {:?}", talk.scope());
}

#[test]
fn enough_is_enough_and_nobody_learns_which_was_wrong() {
    let mut talk = Rehearsal::of(PLAN, "en-US", ADA);
    // Two of three fit.
    talk.say("March fourth nineteen eighty five").press("11111");
    assert_eq!(talk.say("Ada Lovelace").bot(), "Hello. [in]");
    assert_eq!(verdict(&talk), (true, vec!["born", "name"], 1));

    let mut talk = Rehearsal::of(PLAN, "en-US", ADA);
    talk.say("March fourth nineteen eighty five").press("11111");
    let again = "That does not match what we have. Let us try once more. When were you born?";
    assert_eq!(talk.say("Bob").bot(), again, "all is asked again, and nothing is told");
    talk.say("May fifth nineteen ninety").press("94110");
    assert_eq!(talk.say("Bob").bot(), "Sorry. [out]");
    assert_eq!(verdict(&talk), (false, vec!["zip"], 2));
    assert_eq!(talk.scope().fact("verified"), Some(&Value::Boolean(false)));
}

#[test]
fn tries_are_counted_for_the_whole_call_whoever_goes_back_has_no_new_ones() {
    let plan = r#"
dialplan: 1
inputs: { born: date, zip: digits }
defaults: { question: { go: bye } }
start: hello
steps:
  hello: { confirm: { prompt: "Are you Ada?", yes: who, no: bye } }
  who:
    verify:
      factors:
        born: { prompt: "Born?", want: date, expect: "{{ born }}" }
        zip: { prompt: "Zip?", digits: 5, expect: "{{ zip }}" }
      passed: in
      failed: hello
  in: { hangup: { result: in } }
  bye: { hangup: { result: bye } }
"#;
    let mut talk = Rehearsal::of(plan, "en-US", &ADA[..2]);
    talk.say("yes").say("March fourth nineteen eighty five");
    assert!(talk.press("11111").bot().ends_with("Born?"), "a second try: {}", talk.bot());
    assert_eq!(talk.say("go back").bot(), "Are you Ada?");
    assert_eq!(talk.say("yes").bot(), "Born?", "it is still the second");
    assert_eq!(talk.say("March fourth nineteen eighty five").press("22222").bot(), "Are you Ada?", "and the last");
    assert_eq!(talk.say("yes").bot(), "Are you Ada?", "nothing is asked any more");
    let OutcomeKind::Verified { passed: false, tries: 2, .. } = talk.outcomes()[2] else {
        panic!("{:?}", talk.outcomes())
    };
}

#[test]
fn who_does_not_answer_is_not_the_right_person_and_wishes_lead_on() {
    let mut talk = Rehearsal::of(PLAN, "en-US", ADA);
    assert_eq!(talk.wait().wait().bot(), "Sorry. [out]");
    assert!(!verdict(&talk).0);
    let mut talk = Rehearsal::of(PLAN, "en-US", ADA);
    assert_eq!(talk.say("operator").bot(), "A person. [agent]");
}

#[test]
fn of_whom_too_little_is_known_is_asked_nothing() {
    let mut talk = Rehearsal::of(PLAN, "en-US", &[("born", "1985-03-04"), ("name", "")]);
    assert_eq!(talk.bot(), "Who? [stranger]");
    assert!(talk.faults()[0].contains("1 of 3 factors"), "{:?}", talk.faults());
    // Two are known: the third is not asked for.
    let mut talk = Rehearsal::of(PLAN, "en-US", &ADA[..2]);
    assert_eq!(talk.say("March fourth nineteen eighty five").press("94110").bot(), "Hello. [in]");
}

#[test]
fn in_mandarin_too() {
    let known = [("born", "1985-03-04"), ("zip", "94110"), ("name", "李明")];
    let mut talk = Rehearsal::of(PLAN, "zh-CN", &known);
    assert_eq!(talk.say("一九八五年三月四日").bot(), "您的邮编？");
    assert_eq!(talk.say("九四一一零").bot(), "您的姓名？");
    assert_eq!(talk.say("我叫黎明").bot(), "您好。 [in]");
    let mut talk = Rehearsal::of(PLAN, "zh-CN", &known);
    let again = talk.say("一九八六年三月四日").say("一一一一一").say("王芳").bot();
    assert_eq!(again, "与我们的记录不符，我们再试一次。 您的出生日期？");
}

#[test]
fn what_proves_nothing_is_an_error() {
    let plan = |factors: &str| {
        format!(
            "dialplan: 1\nstart: who\ndefaults: {{ question: {{ go: bye }} }}\nsteps:\n  who:\n    verify: {{ factors: \
             {factors}, passed: bye, failed: bye }}\n  bye: {{ hangup: }}\n"
        )
    };
    let error = |factors: &str| match load_str("p.yaml", &plan(factors)) {
        Ok(_) => panic!("{factors}"),
        Err(found) => found.to_string(),
    };
    let one = error("{ a: { prompt: A?, digits: 4, expect: \"{{ call.caller }}\" } }");
    assert!(one.contains("verify `who` asks for one factor only"), "{one}");
    assert!(error("{ }").contains("asks for nothing"));
    let open = error("{ a: { prompt: A?, digits: 4 }, b: { prompt: B?, digits: 4, expect: \"{{ call.caller }}\" } }");
    assert!(open.contains("factor `a` does not say what it expects"), "{open}");
}

#[test]
fn a_choice_fits_by_the_name_of_its_option() {
    let plan = "dialplan: 1\ninputs: { card: text }\nstart: who\ndefaults: { question: { go: bye } }\nsteps:\n  who:\n    \
                verify:\n      factors:\n        kind: { prompt: Which card?, options: { gold: { key: 1, phrases: \
                [gold card] }, blue: { key: 2, phrases: [blue card] } }, expect: \"{{ card }}\" }\n        pin: { \
                prompt: Pin?, digits: 4, expect: \"{{ card }}\" }\n      need: 2\n      rounds: 1\n      passed: bye\n      failed: bye\n  \
                bye: { hangup: }\n";
    let mut talk = Rehearsal::of(plan, "en-US", &[("card", "gold")]);
    talk.say("my gold card").press("1234");
    assert_eq!(verdict(&talk), (false, vec!["kind"], 1));
    let mut talk = Rehearsal::of(plan, "en-US", &[("card", "gold")]);
    talk.press("2").press("1234");
    assert_eq!(verdict(&talk), (false, vec![], 1));
}
