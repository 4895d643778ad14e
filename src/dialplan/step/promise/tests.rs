use crate::dialplan::load::load_str;
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::rehearsal::Rehearsal;

fn plan(keys: &str) -> String {
    format!(
        r#"
dialplan: 1
languages: [en-US, zh-CN]
zone: America/New_York
inputs: {{ due: amount USD }}
defaults: {{ question: {{ go: agent, tries: 3 }}, universals: {{ operator: agent }} }}
start: promise
steps:
  promise:
    promise:
      prompt: {{ en-US: "How much can you pay, and when?", zh-CN: "您能还多少，什么时候还？" }}
      currency: USD
      {keys}
      go: done
  done: {{ hangup: {{ text: {{ en-US: "{{{{ promise_amount }}}}, {{{{ promise_date }}}}.", zh-CN: "{{{{ promise_amount }}}}。" }}, result: promised }} }}
  agent: {{ hangup: {{ text: {{ en-US: "A person.", zh-CN: "转人工。" }}, result: agent }} }}
"#
    )
}

fn parts(talk: &Rehearsal) -> Vec<(String, String)> {
    let promised: Vec<_> = talk
        .outcomes()
        .into_iter()
        .map(|kind| match kind {
            OutcomeKind::Promise { parts } => parts.reveal().clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(promised.len() <= 1, "one outcome, however many payments");
    let part = |(amount, date): &(crate::value::Value, crate::value::Value)| (amount.plain(), date.plain());
    promised.first().map(|parts| parts.iter().map(part).collect()).unwrap_or_default()
}

#[test]
fn both_at_once_are_read_back_corrected_and_promised() {
    let mut talk = Rehearsal::of(&plan(""), "en-US", &[]);
    let check = talk.say("two hundred dollars on Friday").bot();
    assert_eq!(check, "Two hundred dollars, Friday, March the sixth. Is that right?");
    assert_eq!(parts(&talk), [], "nothing is promised before it is confirmed");
    let check = talk.say("no, on the fifteenth").bot();
    assert_eq!(check, "Two hundred dollars, Sunday, March the fifteenth. Is that right?");
    let done = talk.say("yes").bot();
    assert!(done.ends_with("[promised]"), "{done}");
    assert_eq!(parts(&talk), [("200.00".to_owned(), "2026-03-15".to_owned())]);
}

#[test]
fn what_is_missing_is_asked_for() {
    let mut talk = Rehearsal::of(&plan(""), "en-US", &[]);
    let asked = talk.say("I can do fifty dollars").bot();
    assert!(asked.ends_with("On which day?"), "{asked}");
    assert!(talk.say("tomorrow").bot().contains("Tuesday, March the third") || talk.bot().contains("tomorrow"));
    talk.say("yes");
    assert_eq!(parts(&talk), [("50.00".to_owned(), "2026-03-03".to_owned())]);
}

#[test]
fn limits_are_told_and_what_breaks_them_is_asked_for_again() {
    let limits = "least: 25\n      most: \"= due\"\n      within: 30 days";
    let mut talk = Rehearsal::of(&plan(limits), "en-US", &[("due", "120")]);
    let few = talk.say("ten dollars on Friday").bot();
    assert_eq!(few, "It has to be at least twenty-five dollars. How much will you pay?");
    let much = talk.say("two hundred dollars").bot();
    assert_eq!(much, "It can be one hundred twenty dollars at most. How much will you pay?");
    assert!(talk.say("one hundred dollars").bot().contains("One hundred dollars, Friday"), "{}", talk.bot());
    talk.say("yes");
    assert_eq!(parts(&talk), [("100.00".to_owned(), "2026-03-06".to_owned())]);

    let mut talk = Rehearsal::of(&plan(limits), "en-US", &[("due", "120")]);
    let late = talk.say("fifty dollars on the first of July").bot();
    assert!(late.starts_with("It can be Wednesday, April the first at the latest."), "{late}");
    let past = talk.say("on the first of February").bot();
    assert!(past.contains("On which day?"), "a day that is gone is none: {past}");
    assert_eq!(parts(&talk), []);
}

#[test]
fn limits_are_calculated_from_money_and_whole_numbers_and_one_that_fails_lets_no_promise_be_made() {
    let limits = "least: \"= due / 10\"\n      most: \"= due * 2\"";
    let mut talk = Rehearsal::of(&plan(limits), "en-US", &[("due", "120")]);
    let few = talk.say("ten dollars on Friday").bot();
    assert_eq!(few, "It has to be at least twelve dollars. How much will you pay?");
    let much = talk.say("three hundred dollars").bot();
    assert_eq!(much, "It can be two hundred forty dollars at most. How much will you pay?");
    let other =
        Rehearsal::of(&plan("most: \"{{ due }}\""), "en-US", &[("due", "120")]).say("fifty pounds on Friday").bot();
    assert_eq!(other, "It can be one hundred twenty dollars at most. How much will you pay?", "in other money");
    for broken in ["least: \"= stranger * 2\"", "most: \"= 'a lot'\"", "total: \"= due / 0\""] {
        let mut talk = Rehearsal::of(&plan(broken), "en-US", &[("due", "120")]);
        assert_eq!(talk.bot(), "A person. [agent]", "{broken}");
        assert!(talk.faults()[0].contains("a limit of the promise cannot be told"), "{broken}: {:?}", talk.faults());
    }
    let mut talk = Rehearsal::of(&plan("most: \"= due\""), "en-US", &[]);
    assert!(talk.say("fifty dollars on Friday").bot().ends_with("Is that right?"), "nothing is known to be owed");
}

#[test]
fn instalments_are_asked_for_until_all_is_promised() {
    let mut talk = Rehearsal::of(&plan("total: \"{{ due }}\"\n      parts: 3"), "en-US", &[("due", "300")]);
    talk.say("one hundred dollars on Friday");
    let rest = talk.say("yes").bot();
    assert_eq!(rest, "That leaves two hundred dollars. How much can you pay, and when?");
    assert_eq!(parts(&talk).len(), 1, "kept, should the caller hang up now");
    let most = talk.say("five hundred dollars on the twentieth").bot();
    assert!(most.starts_with("It can be two hundred dollars at most."), "{most}");
    talk.say("two hundred dollars");
    let done = talk.say("yes").bot();
    assert!(done.starts_with("Three hundred dollars,") && done.ends_with("[promised]"), "{done}");
    let expect = [("100.00", "2026-03-06"), ("200.00", "2026-03-20")];
    assert_eq!(parts(&talk), expect.map(|(amount, date)| (amount.to_owned(), date.to_owned())));
}

#[test]
fn payments_follow_each_other_within_the_limits() {
    let keys = "total: \"{{ due }}\"\n      parts: 3\n      within: 30 days";
    let mut talk = Rehearsal::of(&plan(keys), "en-US", &[("due", "300")]);
    talk.say("one hundred dollars on Friday").say("yes");
    let same = talk.say("one hundred dollars on Friday").bot();
    assert_eq!(same, "It has to be after Friday, March the sixth. On which day?");
    let sooner = talk.say("tomorrow").bot();
    assert_eq!(sooner, "It has to be after Friday, March the sixth. On which day?");
    talk.say("on the thirteenth").say("yes");
    assert_eq!(parts(&talk).len(), 2, "{}", talk.bot());
    let late = talk.say("one hundred dollars on the first of June").bot();
    assert!(late.starts_with("It can be Wednesday, April the first at the latest."), "{late}");
    talk.say("on the first of April").say("yes");
    let days: Vec<String> = parts(&talk).into_iter().map(|(_, day)| day).collect();
    assert_eq!(days, ["2026-03-06", "2026-03-13", "2026-04-01"], "{}", talk.bot());

    let mut talk = Rehearsal::of(&plan(keys), "zh-CN", &[("due", "300")]);
    talk.say("周五还一百美元").say("对");
    let sooner = talk.say("明天还一百美元").bot();
    assert!(sooner.starts_with("要在") && sooner.contains("之后"), "{sooner}");
}

#[test]
fn who_corrects_only_the_amount_keeps_the_day() {
    let mut talk = Rehearsal::of(&plan(""), "en-US", &[]);
    talk.say("two hundred dollars on Friday");
    assert_eq!(talk.say("no, three hundred").bot(), "Three hundred dollars, Friday, March the sixth. Is that right?");
    let mut talk = Rehearsal::of(&plan(""), "zh-CN", &[]);
    talk.say("周五还两百美元");
    let check = talk.say("不，三百美元").bot();
    assert!(check.contains("三百美元") && check.contains("三月六号"), "{check}");
}

#[test]
fn in_mandarin_too() {
    let mut talk = Rehearsal::of(&plan("least: 25"), "zh-CN", &[]);
    let check = talk.say("周五还两百美元").bot();
    assert!(check.contains("两百美元") && check.ends_with("对吗？"), "{check}");
    talk.say("对");
    assert_eq!(parts(&talk), [("200.00".to_owned(), "2026-03-06".to_owned())]);
    let mut talk = Rehearsal::of(&plan("least: 25"), "zh-CN", &[]);
    let few = talk.say("周五还十美元").bot();
    assert!(few.starts_with("至少要二十五美元。"), "{few}");
}

#[test]
fn whoever_finds_no_answer_gets_to_a_person() {
    let mut talk = Rehearsal::of(&plan("least: 25"), "en-US", &[]);
    talk.say("ten dollars on Friday").say("eleven dollars");
    assert_eq!(talk.say("twelve dollars").bot(), "A person. [agent]");
    let mut talk = Rehearsal::of(&plan(""), "en-US", &[]);
    assert_eq!(talk.say("operator").bot(), "A person. [agent]");
    assert_eq!(parts(&talk), []);
}

#[test]
fn payments_without_an_end_are_an_error() {
    let Err(found) = load_str("p.yaml", &plan("parts: 3")) else { panic!("it loads") };
    assert!(found.to_string().contains("asks for 3 payments without an end"), "{found}");
    for (wrong, why) in [("within: soon", "no number of days"), ("within: 2 years", "no number of days")] {
        let Err(found) = load_str("p.yaml", &plan(wrong)) else { panic!("{wrong}") };
        assert!(found.to_string().contains(why), "{found}");
    }
}
