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
        OutcomeKind::CallBack { at, number } => {
            (at.reveal().plain(), number.as_ref().map(|number| number.reveal().clone()))
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
    assert!(talk.say("on Friday").bot().ends_with("When shall we call?"), "{}", talk.bot());
    talk.say("at ten in the morning");
    talk.say("yes");
    assert_eq!(agreed(&talk), [("2026-03-06T10:00".to_owned(), None)], "{}", talk.bot());
}
