//! A secret is asked for: what is recorded, what is kept, what runs on. The bank's PIN is one.

use super::*;

fn pauses(rig: &Rig) -> Vec<Instant> {
    let since = |output: &Output| match output {
        Output::Media(MediaCommand::PauseRecording { since }) => Some(*since),
        _ => None,
    };
    rig.outputs.iter().filter_map(since).collect()
}

fn place(rig: &Rig, what: &dyn Fn(&Output) -> bool) -> usize {
    rig.outputs.iter().position(what).expect("it was sent")
}

fn resume(output: &Output) -> bool {
    matches!(output, Output::Media(MediaCommand::ResumeRecording))
}

#[test]
fn the_recording_pauses_before_a_secret_question_until_what_comes_after_it() {
    let mut rig = Rig::listening(bank());
    rig.keys("1");
    let asked = rig.now().mono;
    assert_eq!(pauses(&rig), [asked - Duration::from_millis(500)]);
    let play = |output: &Output| matches!(output, Output::Play { .. });
    assert!(
        place(&rig, &|output| matches!(output, Output::Media(MediaCommand::PauseRecording { .. })))
            < place(&rig, &play)
    );
    rig.prompts_end();
    rig.pass(4_000);
    rig.prompts_end();
    assert_eq!((pauses(&rig).len(), rig.count(&resume)), (1, 0), "asked again, it stays paused");
    rig.outputs.clear();
    rig.keys("123456");
    assert_eq!(rig.said(), ["You have ten dollars."]);
    assert!(place(&rig, &resume) < place(&rig, &play));
}

#[test]
fn what_was_typed_or_said_ahead_of_a_secret_question_is_taken_out_as_well() {
    let mut rig = Rig::new(bank());
    rig.established();
    let typed = rig.now().mono;
    rig.keys("1123456");
    rig.pass(1_500);
    rig.prompts_end();
    assert_eq!(pauses(&rig), [typed - Duration::from_millis(500)]);
    assert_eq!(rig.said().last(), Some(&"You have ten dollars."));

    let mut plan = bank();
    plan.steps[0] = step("welcome", "say", say("Hello there.", Target::Step(StepIx(2))));
    let mut rig = Rig::new(plan);
    rig.established();
    rig.prompts_start();
    let said = rig.speech_starts(1);
    assert_eq!(pauses(&rig), [said - Duration::from_millis(500)]);
}

#[test]
fn keys_that_run_on_from_a_secret_are_no_answer_to_the_next_question() {
    let mut plan = bank();
    let verify: &mut dyn std::any::Any = plan.steps[2].kind.as_mut();
    verify.downcast_mut::<crate::dialplan::step::ask::Ask>().unwrap().go = Target::Step(StepIx(1));
    let mut rig = Rig::listening(plan);
    rig.keys("1");
    rig.prompts_end();
    rig.keys("1234562");
    rig.pass(900);
    rig.keys("2#");
    assert_eq!(rig.said().last(), Some(&"What can I do for you?"), "the longer number answers nothing");
    rig.pass(1_100);
    rig.keys("2");
    assert_eq!(rig.said().last(), Some(&"Connecting you."));
}

#[test]
fn no_digit_and_no_word_of_a_secret_is_in_the_record_the_timeline_or_anything_the_call_says() {
    for spoken in [false, true] {
        let mut rig = Rig::listening(bank());
        rig.keys("1");
        rig.prompts_end();
        rig.keys("77");
        rig.pass(4_000);
        rig.prompts_end();
        match spoken {
            true => {
                rig.says(1, "my pin is seven three five one nine eight");
                rig.pass(2_500);
            }
            false => rig.keys("735198"),
        }
        assert_eq!(rig.said().last(), Some(&"You have ten dollars."), "spoken: {spoken}");
        let seen = format!("{:?}", rig.outputs);
        let timeline: Vec<String> = rig
            .outputs
            .iter()
            .filter_map(|output| match output {
                Output::Timeline(event) => Some(serde_json::to_string(event).unwrap()),
                _ => None,
            })
            .collect();
        rig.prompts_end();
        rig.prompts_end();
        let record = serde_json::to_string(&rig.goes_down()).unwrap();
        for text in [&seen, &timeline.concat(), &record] {
            for secret in ["735198", "\"77\"", "seven three", "five one nine"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
        assert!(timeline.concat().contains(HIDDEN));
    }
}

#[test]
fn a_secret_volunteered_at_another_question_is_kept_nowhere_and_taken_out_of_the_recording() {
    let mut rig = Rig::listening(bank());
    let said = rig.now().mono;
    rig.says(1, "I lost my card four one one one 2222 3333 4444");
    rig.pass(2_500);
    let [since] = pauses(&rig)[..] else { panic!("{:?}", pauses(&rig)) };
    assert!(since <= said && rig.count(&resume) == 1, "the piece is taken out, and what follows is recorded");
    let seen = format!("{:?}", rig.outputs);
    rig.prompts_end();
    let record = serde_json::to_string(&rig.goes_down()).unwrap();
    for text in [&seen, &record] {
        for secret in ["four one", "2222", "3333"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    assert!(record.contains("I lost my card …"), "{record}");

    // Fewer digits than any secret of this plan are none.
    let mut rig = Rig::listening(bank());
    rig.says(1, "I lost my card 22");
    rig.pass(2_500);
    assert!(pauses(&rig).is_empty());
    rig.prompts_end();
    assert!(serde_json::to_string(&rig.goes_down()).unwrap().contains("I lost my card 22"));
}
