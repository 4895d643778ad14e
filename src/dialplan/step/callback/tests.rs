use crate::dialplan::load::load_str;
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::rehearsal::Rehearsal;

fn plan(keys: &str) -> String {
    format!(
        r#"
dialplan: 1
languages: [en-US, zh-CN]
zone: America/New_York
inputs: {{ mobile: phone }}
defaults: {{ question: {{ go: agent, tries: 3 }}, universals: {{ operator: agent }} }}
start: later
steps:
  later:
    callback:
      prompt: {{ en-US: "When shall we call?", zh-CN: "我们什么时候打给您？" }}
      {keys}
      go: done
  done: {{ hangup: {{ text: {{ en-US: "We will.", zh-CN: "好的。" }}, result: later }} }}
  agent: {{ hangup: {{ text: {{ en-US: "A person.", zh-CN: "转人工。" }}, result: agent }} }}
"#
    )
}

fn agreed(talk: &Rehearsal) -> Vec<(String, Option<String>)> {
    let agreed = talk.outcomes().into_iter().map(|kind| match kind {
        OutcomeKind::CallBack { at, until, number } => {
            let until = until.as_ref().map(|until| format!(" until {}", until.reveal().plain())).unwrap_or_default();
            (at.reveal().plain() + &until, number.as_ref().map(|number| number.reveal().clone()))
        }
        other => panic!("{other:?}"),
    });
    agreed.collect()
}

#[test]
fn a_moment_is_read_back_corrected_and_kept() {
    let mut talk = Rehearsal::of(&plan(""), "en-US", &[]);
    assert_eq!(talk.bot(), "When shall we call?");
    assert!(talk.say("tomorrow at five in the afternoon").bot().ends_with("Is that right?"), "{}", talk.bot());
    assert_eq!(agreed(&talk), []);
    talk.say("no, on Wednesday at six in the afternoon");
    assert_eq!(talk.say("yes").bot(), "We will. [later]");
    assert_eq!(agreed(&talk), [("2026-03-04T18:00".to_owned(), None)]);
}

#[test]
fn hours_last_day_and_past_are_told() {
    let keys = "hours: 09:00-18:00\n      within: 14 days\n      number: \"{{ mobile }}\"";
    let mut talk = Rehearsal::of(&plan(keys), "en-US", &[("mobile", "+1 (415) 555-0100")]);
    let out = talk.say("tomorrow at eight in the evening").bot();
    assert!(out.starts_with("We call between nine") && out.ends_with("When shall we call?"), "{out}");
    let late = talk.say("on the first of June at ten in the morning").bot();
    assert!(late.starts_with("It can be Monday, March the sixteenth at the latest."), "{late}");
    talk.say("tomorrow at ten in the morning");
    talk.say("yes");
    assert_eq!(agreed(&talk), [("2026-03-03T10:00".to_owned(), Some("+14155550100".to_owned()))]);
    let mut talk = Rehearsal::of(&plan(""), "en-US", &[]);
    let gone = talk.say("today at eight in the morning").bot();
    assert!(gone.contains("That moment has passed.") || gone.contains("did not get that"), "{gone}");
}

#[test]
fn in_mandarin_too() {
    let mut talk = Rehearsal::of(&plan("hours: 09:00-18:00"), "zh-CN", &[]);
    let check = talk.say("明天下午五点").bot();
    assert!(check.ends_with("对吗？"), "{check}");
    assert_eq!(talk.say("对").bot(), "好的。 [later]");
    assert_eq!(agreed(&talk), [("2026-03-03T17:00".to_owned(), None)]);
}

#[test]
fn hours_that_are_none_are_an_error() {
    for wrong in ["hours: 18:00-09:00", "hours: nine to five", "hours: 9"] {
        let Err(found) = load_str("p.yaml", &plan(wrong)) else { panic!("{wrong}") };
        assert!(found.to_string().contains("are no hours of a day"), "{found}");
    }
}

#[test]
fn who_corrects_only_the_time_keeps_the_day_and_who_corrects_only_the_day_keeps_the_time() {
    for (language, first, correction, yes, agreed_on) in [
        ("en-US", "tomorrow at three in the afternoon", "no, at five", "yes", "2026-03-03T17:00"),
        ("en-US", "tomorrow at three in the afternoon", "no, on Wednesday", "yes", "2026-03-04T15:00"),
        ("en-US", "tomorrow at ten in the morning", "make it half past eleven", "yes", "2026-03-03T11:30"),
        ("zh-CN", "明天下午三点", "不，五点", "对", "2026-03-03T17:00"),
        ("zh-CN", "明天下午三点", "不是，是后天", "对", "2026-03-04T15:00"),
    ] {
        let mut talk = Rehearsal::of(&plan(""), language, &[]);
        talk.say(first).say(correction);
        talk.say(yes);
        assert_eq!(agreed(&talk), [(agreed_on.to_owned(), None)], "{first}, {correction}: {}", talk.bot());
    }
}

#[test]
fn what_was_said_of_a_moment_that_cannot_be_taken_counts_with_what_is_said_then() {
    let mut talk = Rehearsal::of(&plan("hours: 09:00-18:00"), "en-US", &[]);
    talk.say("tomorrow at eight in the evening").say("at ten in the morning");
    talk.say("yes");
    assert_eq!(agreed(&talk), [("2026-03-03T10:00".to_owned(), None)], "{}", talk.bot());
    let mut talk = Rehearsal::of(&plan(""), "en-US", &[]);
    assert_eq!(talk.say("on Friday").bot(), "Friday, March the sixth. At what time?");
    talk.say("at ten in the morning");
    talk.say("yes");
    assert_eq!(agreed(&talk), [("2026-03-06T10:00".to_owned(), None)], "{}", talk.bot());
}

#[test]
fn a_day_without_a_time_is_asked_for_its_time_and_a_part_of_a_day_for_its_day() {
    for (language, first, asked, then, yes, agreed_on) in [
        (
            "en-US",
            "tomorrow",
            "Tuesday, March the third. At what time?",
            "at eleven in the morning",
            "yes",
            "2026-03-03T11:00",
        ),
        (
            "en-US",
            "tomorrow",
            "Tuesday, March the third. At what time?",
            "in the afternoon",
            "yes",
            "2026-03-03T12:00 until 2026-03-03T18:00",
        ),
        ("en-US", "in the morning", "On which day?", "on Thursday", "yes", "2026-03-05T09:00 until 2026-03-05T12:00"),
        ("zh-CN", "明天", "三月三号，星期二。 几点？", "下午三点", "对", "2026-03-03T15:00"),
        ("zh-CN", "上午", "哪一天？", "明天", "对", "2026-03-03T09:00 until 2026-03-03T12:00"),
    ] {
        let mut talk = Rehearsal::of(&plan("hours: 09:00-18:00"), language, &[]);
        assert_eq!(talk.say(first).bot(), asked, "{first}");
        let check = talk.say(then).bot();
        talk.say(yes);
        assert_eq!(agreed(&talk), [(agreed_on.to_owned(), None)], "{first}, {then}: {check}");
    }
    // By keys, too.
    let mut keys = Rehearsal::of(&plan(""), "en-US", &[]);
    keys.say("tomorrow").press("1530").press("1");
    assert_eq!(agreed(&keys), [("2026-03-03T15:30".to_owned(), None)], "{}", keys.bot());
}

#[test]
fn whoever_says_the_day_again_and_never_a_time_is_not_asked_for_ever() {
    let mut talk = Rehearsal::of(&plan(""), "en-US", &[]);
    talk.say("tomorrow");
    assert_eq!(talk.say("tomorrow").bot(), "Sorry, I did not get that. At what time?");
    talk.say("tomorrow");
    assert_eq!(talk.say("tomorrow").bot(), "A person. [agent]");
}

#[test]
fn a_part_of_a_day_is_a_span_that_is_read_back_corrected_and_kept() {
    let hours = "hours: 09:00-18:00";
    for (language, said, check, yes, agreed_on) in [
        (
            "en-US",
            vec!["tomorrow morning"],
            "Tuesday, March the third, between nine a m and noon. Is that right?",
            "yes",
            "2026-03-03T09:00 until 2026-03-03T12:00",
        ),
        (
            "en-US",
            vec!["tomorrow morning", "no, in the afternoon"],
            "Tuesday, March the third, between noon and six p m. Is that right?",
            "yes",
            "2026-03-03T12:00 until 2026-03-03T18:00",
        ),
        (
            "en-US",
            vec!["tomorrow morning", "no, on Thursday"],
            "Thursday, March the fifth, between nine a m and noon. Is that right?",
            "yes",
            "2026-03-05T09:00 until 2026-03-05T12:00",
        ),
        (
            "en-US",
            vec!["tomorrow morning", "no, at half past ten"],
            "Tuesday, March the third, at ten thirty a m. Is that right?",
            "yes",
            "2026-03-03T10:30",
        ),
        // It is ten already.
        (
            "en-US",
            vec!["this morning"],
            "Monday, March the second, between ten fifteen a m and noon. Is that right?",
            "yes",
            "2026-03-02T10:15 until 2026-03-02T12:00",
        ),
        (
            "zh-CN",
            vec!["明天上午"],
            "三月三号，星期二，上午九点到中午十二点之间，对吗？",
            "对",
            "2026-03-03T09:00 until 2026-03-03T12:00",
        ),
        (
            "zh-CN",
            vec!["周四下午"],
            "三月五号，星期四，中午十二点到晚上六点之间，对吗？",
            "对",
            "2026-03-05T12:00 until 2026-03-05T18:00",
        ),
    ] {
        let mut talk = Rehearsal::of(&plan(hours), language, &[]);
        for words in &said {
            talk.say(words);
        }
        assert_eq!(talk.bot(), check, "{said:?}");
        talk.say(yes);
        assert_eq!(agreed(&talk), [(agreed_on.to_owned(), None)], "{said:?}");
    }
    let mut late = Rehearsal::of(&plan(hours), "en-US", &[]);
    assert!(late.say("tomorrow evening").bot().starts_with("We call between nine a m and six p m."), "{}", late.bot());
}
