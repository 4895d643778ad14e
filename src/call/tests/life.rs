//! From ring to record.

use super::*;

#[test]
fn a_call_is_rung_and_answered_and_the_plan_waits_for_the_ack() {
    let mut rig = Rig::new(bank());
    assert!(matches!(rig.outputs[0], Output::Leg(LegCommand::Ring)));
    assert!(rig.sent(&|output| matches!(output, Output::Leg(LegCommand::Answer { sdp }) if sdp == "v=0")));
    assert!(rig.said().is_empty());
    rig.established();
    assert_eq!(rig.said(), ["Welcome to the bank."]);
    rig.established();
    assert_eq!(rig.said().len(), 1, "a second ACK changes nothing");
}

#[test]
fn keys_lead_to_a_result_and_the_record_tells_the_whole_story() {
    let mut rig = Rig::listening(bank());
    rig.keys("1");
    rig.prompts_end();
    rig.keys("123456");
    rig.prompts_end();
    assert_eq!(rig.said().last(), Some(&"Goodbye then."));
    assert!(!rig.sent(&hangup), "the last word is said whole before we hang up");
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.end, record.result.as_deref()), (CallEnd::Completed, Some("balance")));
    assert_eq!(record.path, ["welcome", "main", "verify", "balance", "done"]);
    assert_eq!(record.turns.iter().map(|turn| turn.outcome).collect::<Vec<_>>(), [TurnOutcome::Keys; 2]);
    assert_eq!(record.turns[0].meaning.as_deref(), Some("balance"));
    assert_eq!(record.turns[0].keys.as_ref().map(|keys| keys.reveal().as_str()), Some("1"));
    assert_eq!((record.prompts.len(), record.prompts[0].protected), (5, true));
    assert_eq!((record.prompts[0].played_ms, record.prompts[0].total_ms), (2_000, 2_000));
    assert_eq!((record.media.packets_in, record.plan.as_str()), (9, "bank"));
    assert!(record.answered_at.is_some() && record.ended_at > record.arrived_at);
}

/// Drops the machine's clock readings, whose nanoseconds hold any digits at all now and then.
fn without_clocks(text: &str) -> String {
    let clock = |word: &&str| word.starts_with("tv_sec:") || word.starts_with("tv_nsec:");
    let pieces = text.split_inclusive([',', '{', '}']);
    pieces.filter(|piece| !clock(&piece.trim_start())).collect()
}

#[test]
fn sensitive_answers_stay_out_of_record_timeline_and_debug() {
    let mut rig = Rig::listening(bank());
    rig.keys("1");
    rig.prompts_end();
    rig.keys("4711");
    // The plan's own numbers (a classifier's weights) are nobody's digits.
    let call = format!("{:?}", rig.call).replace(&format!("{:?}", bank()), "");
    assert!(!without_clocks(&call).contains("4711"));
    assert!(call.len() < 20_000, "the plan was not taken out: {} characters", call.len());
    rig.pass(3_000);
    rig.prompts_end();
    rig.prompts_end();
    let told = without_clocks(&format!("{:?}", rig.outputs));
    let shown: Vec<String> = rig
        .outputs
        .iter()
        .filter_map(|output| match output {
            Output::Timeline(event) => Some(serde_json::to_string(event).unwrap()),
            _ => None,
        })
        .collect();
    let record = rig.goes_down();
    assert_eq!((record.turns[1].keys.as_ref(), record.turns[1].heard.as_ref()), (None, None));
    assert_eq!(record.turns[1].meaning.as_deref(), Some("pin"));
    let kept = serde_json::to_string(&record).unwrap() + &shown.join("") + &told;
    assert!(!kept.contains("4711"), "{kept}");
    assert!(without_clocks("at: Instant { tv_sec: 4711, tv_nsec: 4711 }, keys: 4711").ends_with("keys: 4711"));
    assert!(!without_clocks("at: Instant { tv_sec: 4711, tv_nsec: 4711 }").contains("4711"));
    assert!(shown.join("").contains(HIDDEN));
}

#[test]
fn a_caller_who_hangs_up_leaves_a_record_after_media_has_closed() {
    let mut rig = Rig::listening(bank());
    rig.leg_ends(LegEnd::RemoteHangup);
    assert_eq!(rig.count(&close), 1);
    assert!(!rig.sent(&hangup), "there is no leg left to hang up");
    assert!(!rig.call.is_over());
    rig.media_closes();
    let record = rig.record();
    assert_eq!((record.end, record.turns[0].outcome), (CallEnd::CallerHungUp, TurnOutcome::HungUp));
}

#[test]
fn a_caller_who_hangs_up_in_a_prompt_leaves_what_was_played_of_it() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.prompts_start();
    rig.leg_ends(LegEnd::RemoteHangup);
    let (at, end) = (rig.now().mono, PlayEnd::Flushed);
    rig.media(MediaEvent::PromptFinished { play: PlayId(0), played_ms: 640, total_ms: 2_000, end, at });
    rig.media_closes();
    assert_eq!(rig.record().prompts[0].played_ms, 640);
}

#[test]
fn media_that_closes_by_itself_ends_the_call_as_a_fault() {
    let mut rig = Rig::listening(bank());
    rig.media_closes();
    assert!(rig.sent(&hangup) && !rig.sent(&close));
    rig.leg_ends(LegEnd::LocalHangup);
    assert!(matches!(rig.record().end, CallEnd::Failed(_)));
}

#[test]
fn a_record_leaves_even_when_neither_leg_nor_media_report() {
    let mut rig = Rig::listening(bank());
    rig.leg_ends(LegEnd::RemoteHangup);
    assert_eq!(rig.due(), Some(Reason::MediaEnd));
    rig.pass(29_999);
    assert!(!rig.call.is_over(), "a disk may be slow");
    rig.pass(1);
    let record = rig.record();
    assert_eq!(record.end, CallEnd::CallerHungUp);
    let Recording::Failed { reason } = record.media.recording else { panic!("{:?}", record.media) };
    assert_eq!(reason, "the recorder did not finish in time");

    let mut rig = Rig::listening(bank());
    rig.media_closes();
    assert_eq!(rig.due(), Some(Reason::LegEnd));
    rig.pass(40_000);
    assert!(matches!(rig.record().end, CallEnd::Failed(_)));
}

#[test]
fn every_way_a_leg_ends_has_its_own_record() {
    let ends = [
        (LegEnd::Cancelled, CallEnd::Cancelled),
        (LegEnd::NoAck, CallEnd::NoAck),
        (LegEnd::Rejected(503), CallEnd::Rejected(503)),
        (LegEnd::RemoteHangup, CallEnd::CallerHungUp),
    ];
    for (why, end) in ends {
        let mut rig = Rig::new(bank());
        rig.leg_ends(why);
        rig.leg_ends(LegEnd::Failed);
        rig.media_closes();
        assert_eq!(rig.record().end, end);
    }
}

#[test]
fn an_ack_that_never_comes_ends_the_call_even_if_the_leg_forgets() {
    let mut rig = Rig::new(bank());
    assert_eq!(rig.due(), Some(Reason::Acknowledge));
    rig.pass(40_000);
    assert_eq!(rig.goes_down().end, CallEnd::NoAck);
}

#[test]
fn no_rtp_ends_the_call_at_once_but_not_before_the_ack() {
    let silent_for = Duration::from_secs(20);
    let mut rig = Rig::new(bank());
    rig.media(MediaEvent::RtpTimeout { silent_for });
    assert!(!rig.sent(&hangup));
    rig.established();
    assert!(!rig.sent(&hangup), "who waited for the ACK may begin now");
    rig.media(MediaEvent::RtpTimeout { silent_for: silent_for * 2 });
    assert_eq!(rig.goes_down().end, CallEnd::NoMedia);
}

#[test]
fn draining_says_goodbye_before_it_hangs_up() {
    let mut rig = Rig::listening(bank());
    rig.input(Input::Drain);
    rig.input(Input::Drain);
    assert_eq!(rig.said(), ["Goodbye."]);
    assert!(!rig.sent(&hangup));
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.end, record.turns[0].outcome), (CallEnd::Drained, TurnOutcome::HungUp));

    let mut rig = Rig::new(bank());
    rig.input(Input::Drain);
    assert!(rig.said().is_empty());
    assert_eq!(rig.goes_down().end, CallEnd::Drained);
}

#[test]
fn a_prompt_that_is_never_reported_finished_holds_the_call_up_only_so_long() {
    let mut rig = Rig::new(bank());
    rig.established();
    assert_eq!(rig.due(), Some(Reason::Prompt));
    rig.pass(60_000);
    assert!(rig.said().len() > 1);
}

#[test]
fn a_recording_of_any_length_is_heard_whole_however_short_its_text() {
    let mut rig = Rig::new(bank());
    rig.established();
    let (play, at) = (rig.playing[0], rig.now().mono);
    rig.media(MediaEvent::PromptStarted { play, total_ms: 600_000, at });
    rig.pass(600_000);
    assert_eq!((rig.said().len(), rig.count(&flush)), (1, 0));
    rig.prompts_end();
    assert_eq!(rig.said().len(), 2);
}

#[test]
fn a_prompt_that_outlasts_its_length_and_all_patience_is_stopped() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.prompts_start();
    rig.pass(31_999);
    assert_eq!((rig.said().len(), rig.count(&flush)), (1, 0));
    rig.pass(1);
    let next = |output: &Output| flush(output) || matches!(output, Output::Play { .. });
    let order: Vec<bool> = rig.outputs.iter().filter(|output| next(output)).map(flush).collect();
    assert_eq!(order, [false, true, false], "stopped before the next one is queued behind it");
}

#[test]
fn a_prompt_without_sound_does_not_stop_the_call() {
    let mut rig = Rig::new(bank());
    rig.established();
    let (at, end) = (rig.now().mono, PlayEnd::Completed);
    rig.media(MediaEvent::PromptFinished { play: PlayId(0), played_ms: 0, total_ms: 0, end, at });
    assert_eq!(rig.said().last(), Some(&"What can I do for you?"));
}

#[test]
fn no_call_lasts_for_ever() {
    let mut plan = bank();
    plan.steps = vec![step("chatter", "say", say("And so on.", Target::Repeat))];
    let mut rig = Rig::new(plan);
    rig.established();
    for _ in 0..100 {
        rig.prompts_end();
    }
    assert!(matches!(rig.goes_down().end, CallEnd::Failed(why) if why.contains("steps without an answer")));

    let mut rig = Rig::listening(bank());
    for _ in 0..2_000 {
        rig.keys("*");
        rig.says(1, "say that again");
        rig.pass(1_300);
        rig.prompts_end();
        if rig.sent(&hangup) {
            return;
        }
    }
    panic!("a caller can hold a line for ever");
}

#[test]
fn the_longest_duration_ends_politely_whatever_is_going_on() {
    let mut rig = Rig::lasting(bank(), Duration::from_secs(10));
    rig.established();
    rig.prompts_end();
    rig.prompts_end();
    rig.outputs.clear();
    rig.pass(3_000);
    rig.keys("1");
    rig.pass(2_999);
    assert_eq!(rig.due(), Some(Reason::Longest));
    assert_eq!(rig.said(), ["Please key in your PIN."]);
    rig.pass(1);
    assert_eq!(rig.said().last(), Some(&"Goodbye."));
    rig.prompts_end();
    assert!(matches!(rig.goes_down().end, CallEnd::Failed(why) if why.contains("10 s")));
}

#[test]
fn a_timeout_handled_early_does_nothing() {
    let mut rig = Rig::listening(bank());
    let before = rig.call.poll_timeout();
    rig.call.handle_timeout(rig.now());
    rig.collect();
    assert_eq!(rig.call.poll_timeout(), before);
    assert!(rig.outputs.is_empty());
}
