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
