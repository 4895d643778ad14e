//! What comes of a call besides its end: kept at once where it cannot wait, and in the record whatever happens.

use super::*;
use crate::call::record::OptOut;
use crate::dialplan::load::load_str;
use crate::dialplan::outcome::{EVERYWHERE, OutcomeKind};

const STOP: &str = "dialplan: 1\nname: spring\ndefaults: { question: { go: bye }, universals: { stop: stop } }\nstart: \
                    ask\nsteps:\n  ask: { ask: { prompt: Your number?, digits: 4, go: bye } }\n  stop: { optout: { go: bye } \
                    }\n  bye: { hangup: }\n";
const MESSAGE: &str = "dialplan: 1\nstart: take\nsteps:\n  take: { record: { prompt: Speak after this., max: 30s, \
                       silence: 3s, nothing: none, go: done } }\n  done: { hangup: { text: Thanks., result: left } }\n  \
                       none: { hangup: { text: Nothing then., result: nothing } }\n";
const MACHINE: &str = "dialplan: 1\nstart: leave\nsteps:\n  leave: { voicemail: { text: Please call us., human: hello, go: \
                       bye } }\n  hello: { say: { text: Hello., go: bye } }\n  bye: { hangup: { result: bye } }\n";

fn plan(text: &str) -> Plan {
    let loaded = load_str("plan.yaml", text).unwrap_or_else(|found| panic!("{found}"));
    Arc::into_inner(loaded.plan).expect("nobody else has it yet")
}

fn opt_outs(rig: &Rig) -> Vec<OptOut> {
    let opt_out = |output: &Output| match output {
        Output::OptOut(opt_out) => Some(opt_out.clone()),
        _ => None,
    };
    rig.outputs.iter().filter_map(opt_out).collect()
}

fn orders(rig: &Rig) -> Vec<MessageOrder> {
    let order = |output: &Output| match output {
        Output::Message(order) => Some(order.clone()),
        _ => None,
    };
    rig.outputs.iter().filter_map(order).collect()
}

fn saved() -> MediaEvent {
    MediaEvent::Recorded(Recording::Saved { path: "m.wav".into() })
}

/// Where the message is being taken.
fn taking() -> Rig {
    let mut rig = Rig::new(plan(MESSAGE));
    rig.established();
    rig.prompts_end();
    assert_eq!(orders(&rig), [MessageOrder::Begin { number: 1 }]);
    rig.outputs.clear();
    rig
}

fn messages(record: &CallRecord) -> Vec<u64> {
    let message = |kind: &OutcomeKind| match kind {
        OutcomeKind::Message { file, ms } if file.ends_with("m.wav") => Some(*ms),
        _ => None,
    };
    record.outcomes.iter().filter_map(|outcome| message(&outcome.kind)).collect()
}

#[test]
fn a_number_is_closed_before_a_word_of_it_is_said_and_however_the_call_goes_on() {
    let mut rig = Rig::new(plan(STOP));
    rig.established();
    rig.prompts_end();
    rig.outputs.clear();
    rig.says(1, "stop calling me");
    rig.pass(1_500);
    let [opt_out] = &opt_outs(&rig)[..] else { panic!("{:?}", rig.outputs) };
    assert_eq!((opt_out.scope.as_str(), opt_out.number.reveal().as_str()), (EVERYWHERE, "+12025550123"));
    assert_eq!(opt_out.said.reveal(), "stop calling me");
    let place = |what: &dyn Fn(&Output) -> bool| rig.outputs.iter().position(what).unwrap();
    let closed = place(&|output| matches!(output, Output::OptOut(_)));
    assert!(closed < place(&|output| matches!(output, Output::Play { .. })));
    assert_eq!(rig.said(), ["You will not be called again."]);
    // They hang up into the sentence.
    rig.prompts_start();
    rig.leg_ends(LegEnd::RemoteHangup);
    rig.media_closes();
    assert_eq!(opt_outs(&rig).len(), 1, "told once");
    let record = rig.record();
    assert!(matches!(&record.outcomes[..], [one] if one.closes(EVERYWHERE)), "{:?}", record.outcomes);
    assert_eq!(record.language, Some(Language::english()));
}

#[test]
fn a_message_ends_with_a_key_which_answers_nothing_else() {
    let mut rig = taking();
    rig.pass(500);
    rig.offer(1, 0, None);
    assert!(rig.sent(&commit) && !rig.sent(&recognize), "nobody has to understand it: {:?}", rig.outputs);
    rig.pass(140);
    rig.keys("#");
    assert_eq!(orders(&rig), [MessageOrder::End]);
    rig.media(saved());
    assert_eq!(rig.said(), ["Thanks."]);
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((messages(&record), record.result.as_deref()), (vec![1_500], Some("left")));
}

#[test]
fn a_message_ends_with_silence_and_not_while_somebody_speaks() {
    let mut rig = taking();
    rig.speech_starts(1);
    rig.pass(20_000);
    assert_eq!(orders(&rig), [], "they are still speaking");
    rig.offer(2, 1, None);
    rig.pass(2_000);
    assert_eq!(orders(&rig), []);
    rig.pass(1_000);
    assert_eq!(orders(&rig), [MessageOrder::End]);
    // Nobody has said anything at all.
    let mut rig = taking();
    rig.pass(2_900);
    assert_eq!(orders(&rig), []);
    rig.pass(200);
    assert_eq!(orders(&rig), [MessageOrder::End]);
    rig.outputs.clear();
    rig.media(saved());
    assert_eq!(orders(&rig), [MessageOrder::Forget { path: "m.wav".into() }], "four seconds of silence are no message");
    assert_eq!(rig.said(), ["Nothing then."]);
    rig.prompts_end();
    assert!(messages(&rig.goes_down()).is_empty());
    // And one that never ends is over when its time is up.
    let mut rig = taking();
    rig.speech_starts(1);
    rig.pass(30_000);
    assert_eq!(orders(&rig), [MessageOrder::End]);
}

#[test]
fn whoever_hangs_up_has_left_the_message_all_the_same_and_a_breath_is_none() {
    let mut rig = taking();
    rig.pass(2_500);
    rig.leg_ends(LegEnd::RemoteHangup);
    rig.media(saved());
    rig.media_closes();
    assert_eq!(messages(&rig.record()), [2_500]);

    let mut rig = taking();
    rig.pass(400);
    rig.leg_ends(LegEnd::RemoteHangup);
    rig.media(saved());
    assert_eq!(orders(&rig), [MessageOrder::Forget { path: "m.wav".into() }]);
    rig.media_closes();
    assert!(messages(&rig.record()).is_empty());
}

#[test]
fn a_file_that_cannot_be_kept_or_is_never_heard_of_leads_on() {
    let failed = || MediaEvent::Recorded(Recording::Failed { reason: "no room left".into() });
    for event in [Some(failed()), None] {
        let mut rig = taking();
        rig.pass(1_500);
        rig.keys("1");
        match event {
            Some(event) => rig.media(event),
            None => rig.pass(60_000),
        }
        assert_eq!(rig.said(), ["Nothing then."]);
        rig.prompts_end();
        assert!(messages(&rig.goes_down()).is_empty());
    }
}

#[test]
fn a_message_for_a_machine_counts_what_was_played_even_when_somebody_picks_up() {
    let left = |record: &CallRecord| match record.outcomes[..] {
        [ref one] => match one.kind {
            OutcomeKind::Voicemail { left, played_ms } => (left, played_ms),
            ref other => panic!("{other:?}"),
        },
        ref other => panic!("{other:?}"),
    };
    let mut rig = Rig::new(plan(MACHINE));
    rig.established();
    rig.prompts_end();
    assert_eq!(left(&rig.goes_down()), (true, 2_000));

    let mut rig = Rig::new(plan(MACHINE));
    rig.established();
    rig.prompts_start();
    rig.clock.advance(Duration::from_millis(500));
    rig.speech_starts(1);
    assert_eq!(rig.said().last(), Some(&"Hello."), "somebody is there: {:?}", rig.said());
    rig.prompts_end();
    assert_eq!(left(&rig.goes_down()), (false, 500));

    // The machine hangs up in the middle of it.
    let mut rig = Rig::new(plan(MACHINE));
    rig.established();
    rig.prompts_start();
    rig.leg_ends(LegEnd::RemoteHangup);
    rig.media_closes();
    assert!(!left(&rig.record()).0);
}

const KEEP_IT: &str = "To keep it, press 1 or say keep. To record it again, press 2 or say redo. To delete it, press 3 or \
                       say delete.";

/// A message was left in two seconds, and the caller has heard it.
fn reviewing(keys: &str) -> Rig {
    let mut rig = Rig::new(plan(&MESSAGE.replace("max: 30s", &format!("review: true, {keys} max: 30s"))));
    rig.established();
    rig.prompts_end();
    rig.speech_starts(1);
    rig.pass(1_900);
    rig.keys("#");
    rig.outputs.clear();
    rig.media(saved());
    let played = rig.outputs.iter().find_map(|output| match output {
        Output::Play { utter, .. } => Some(utter.clone()),
        _ => None,
    });
    assert_eq!(played.and_then(|utter| utter.file), Some("m.wav".into()), "what they said is played to them");
    assert_eq!(rig.said(), ["This is your message.", KEEP_IT]);
    rig.prompts_end();
    rig.outputs.clear();
    rig
}

#[test]
fn a_message_that_was_heard_is_kept_by_key_by_word_and_by_silence() {
    let mut by_key = reviewing("");
    by_key.keys("1");
    assert_eq!((by_key.said(), orders(&by_key)), (vec!["Thanks."], vec![]));
    by_key.prompts_end();
    assert_eq!(messages(&by_key.goes_down()), [2_000]);

    let mut by_word = reviewing("");
    by_word.says(2, "keep it please");
    by_word.pass(1_500);
    assert_eq!((by_word.said(), orders(&by_word)), (vec!["Thanks."], vec![]));

    let mut silent = reviewing("");
    for _ in 0..3 {
        silent.pass(4_500);
        silent.prompts_end();
    }
    silent.prompts_end();
    let record = silent.goes_down();
    assert_eq!((messages(&record), record.result.as_deref()), (vec![2_000], Some("left")));

    let mut gone = reviewing("");
    gone.leg_ends(LegEnd::RemoteHangup);
    gone.media_closes();
    assert_eq!(messages(&gone.record()), [2_000], "whoever hangs up has left it");
}

#[test]
fn a_message_is_recorded_again_and_only_the_new_one_is_kept() {
    let mut rig = reviewing("");
    rig.keys("2");
    assert_eq!(orders(&rig), [MessageOrder::Forget { path: "m.wav".into() }]);
    assert_eq!(rig.said(), ["Speak after this."]);
    rig.prompts_end();
    assert_eq!(orders(&rig).last(), Some(&MessageOrder::Begin { number: 2 }));
    rig.speech_starts(2);
    rig.pass(2_900);
    rig.keys("#");
    rig.outputs.clear();
    rig.media(saved());
    assert_eq!(rig.said(), ["This is your message.", KEEP_IT]);
    rig.prompts_end();
    rig.keys("1");
    rig.prompts_end();
    assert_eq!(messages(&rig.goes_down()), [3_000]);
}

#[test]
fn a_message_that_nobody_wants_is_deleted_and_said_again_on_wish_before_that() {
    let mut rig = reviewing("");
    rig.says(2, "say that again");
    rig.pass(1_500);
    assert_eq!(rig.said(), ["This is your message.", KEEP_IT]);
    rig.prompts_end();
    rig.outputs.clear();
    rig.keys("3");
    assert_eq!(orders(&rig), [MessageOrder::Forget { path: "m.wav".into() }]);
    assert_eq!(rig.said(), ["Nothing then."]);
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((messages(&record), record.result.as_deref()), (vec![], Some("nothing")));
}

#[test]
fn nothing_of_a_sensitive_message_is_in_the_recording_of_the_call() {
    let pauses = |rig: &Rig| rig.count(&|output| matches!(output, Output::Media(MediaCommand::PauseRecording { .. })));
    let resumes = |rig: &Rig| rig.count(&|output| matches!(output, Output::Media(MediaCommand::ResumeRecording)));
    let mut rig = Rig::new(plan(&MESSAGE.replace("max: 30s", "sensitive: true, max: 30s")));
    rig.established();
    rig.prompts_end();
    assert_eq!((pauses(&rig), resumes(&rig), orders(&rig).len()), (1, 0, 1));
    rig.pass(2_000);
    rig.keys("#");
    assert_eq!(resumes(&rig), 0);
    rig.media(saved());
    assert_eq!((pauses(&rig), resumes(&rig)), (1, 1), "it goes on with what comes then");

    // Nor while it is played, and judged.
    let mut heard = reviewing("sensitive: true,");
    assert_eq!((pauses(&heard), resumes(&heard)), (0, 0));
    heard.keys("1");
    assert_eq!(resumes(&heard), 1);
}
