//! Who has the floor, and what is made of it.

use super::*;

use crate::dialplan::step::menu::{Menu, Options};
#[test]
fn words_that_fit_whole_commit_at_the_complete_timeout() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    assert!(rig.sent(&recognize));
    rig.pass(30);
    rig.result(1, 0, Ok(heard("my balance", 0.95)));
    assert_eq!(rig.due(), Some(Reason::Commit));
    assert!(rig.said().is_empty(), "290 ms of silence are not yet 300");
    rig.pass(10);
    assert_eq!(rig.said(), ["Please key in your PIN."]);
    assert!(rig.sent(&commit));
}

#[test]
fn a_late_result_commits_at_once() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    rig.pass(400);
    rig.result(1, 0, Ok(heard("balance", 0.95)));
    assert_eq!(rig.said(), ["Please key in your PIN."]);
}

#[test]
fn a_finished_sentence_that_fits_nothing_is_asked_about_after_the_middle_pause() {
    let mut rig = Rig::listening(bank());
    rig.says(1, "what is the weather on the moon");
    rig.pass(300);
    assert!(rig.said().is_empty(), "590 ms of silence are not yet 600");
    rig.pass(10);
    assert_eq!(rig.said(), ["Sorry, I did not get that.", "Say balance, or lost card."]);
}

#[test]
fn words_that_sound_unfinished_wait_for_the_incomplete_timeout_or_for_media_to_close() {
    // The last of them is understood as it is; that it is understood does not mean that it is all.
    for words in ["what is the", "xylophone quartz and", "vortex um", "could you block my lost card because"] {
        let mut rig = Rig::listening(bank());
        rig.says(1, words);
        rig.pass(900);
        assert!(rig.said().is_empty(), "`{words}` was cut off");
        rig.pass(10);
        assert!(!rig.said().is_empty(), "`{words}` was not answered");
    }

    let mut rig = Rig::listening(bank());
    rig.says(1, "xylophone quartz and");
    rig.media(MediaEvent::SpeechEnded { utterance: UtteranceId(1) });
    assert_eq!(rig.said().len(), 2);
}

#[test]
fn too_few_digits_wait_for_the_incomplete_timeout_and_other_words_for_the_middle_pause() {
    for (words, millis) in [("four two one", 1_200), ("what is the weather on the moon", 600)] {
        let mut rig = Rig::listening(bank());
        rig.keys("1");
        rig.prompts_end();
        rig.outputs.clear();
        rig.says(1, words);
        rig.pass(millis - 300);
        assert!(rig.said().is_empty(), "`{words}` was cut off");
        rig.pass(10);
        assert!(!rig.said().is_empty(), "`{words}` was not answered");
    }
}

#[test]
fn renewed_speech_cancels_and_only_the_newest_revision_counts() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    rig.media(MediaEvent::Resumed { utterance: UtteranceId(1) });
    assert!(rig.sent(&|output| matches!(output, Output::CancelRecognize { revision: 0, .. })));
    rig.result(1, 0, Ok(heard("balance", 0.95)));
    rig.pass(2_000);
    assert!(rig.said().is_empty(), "a stale result is ignored");
    rig.offer(1, 1, None);
    rig.result(1, 0, Ok(heard("balance", 0.95)));
    rig.result(2, 1, Ok(heard("balance", 0.95)));
    rig.result(1, 1, Ok(heard("lost card", 0.95)));
    rig.pass(40);
    assert_eq!(rig.said(), ["Connecting you."]);
}

#[test]
fn speech_stops_an_armed_prompt_and_the_record_says_how_far_it_got() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.prompts_end();
    rig.prompts_start();
    rig.clock.advance(Duration::from_millis(700));
    rig.outputs.clear();
    rig.says(1, "lost card");
    assert_eq!(rig.count(&flush), 1);
    rig.pass(300);
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.turns[0].outcome, record.turns[0].barge_in_ms), (TurnOutcome::Speech, Some(700)));
    assert!(record.prompts[1].interrupted && !record.prompts[2].interrupted);
}

#[test]
fn a_prompt_that_media_reports_cut_before_the_speech_counts_as_interrupted_too() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.prompts_end();
    rig.prompts_start();
    rig.clock.advance(Duration::from_millis(700));
    let (at, play) = (rig.now().mono, rig.playing.remove(0));
    let end = PlayEnd::BargedIn;
    rig.media(MediaEvent::PromptFinished { play, played_ms: 700, total_ms: 2_000, end, at });
    rig.says(1, "lost card");
    rig.pass(300);
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!(record.turns[0].barge_in_ms, Some(700));
    assert!(record.prompts[1].interrupted);
}

#[test]
fn nothing_said_over_a_protected_prompt_is_an_answer() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.prompts_start();
    rig.outputs.clear();
    rig.speech_starts(1);
    assert!(!rig.sent(&flush), "a protected prompt plays on");
    rig.prompts_end();
    rig.offer(1, 1, Some(0));
    assert!(!rig.sent(&recognize));
    assert!(rig.sent(&commit), "what comes after is a new utterance");
}

#[test]
fn a_prompt_cut_by_words_that_do_not_count_is_said_again_at_their_end() {
    // Words that began under the protected welcome, and words given up for a key.
    for given_up in [false, true] {
        let mut rig = Rig::new(bank());
        rig.established();
        rig.prompts_start();
        rig.speech_starts(1);
        rig.prompts_end();
        if given_up {
            rig.prompts_end();
            rig.speech_starts(2);
            rig.keys("1");
        }
        rig.prompts_start();
        let (at, play) = (rig.now().mono, rig.playing.remove(0));
        let event = MediaEvent::PromptFinished { play, played_ms: 60, total_ms: 2_000, end: PlayEnd::BargedIn, at };
        rig.media(event);
        rig.outputs.clear();
        rig.offer(if given_up { 2 } else { 1 }, 1, (!given_up).then_some(0));
        assert_eq!(rig.count(&commit), 1);
        assert!(!rig.sent(&recognize));
        assert!(!rig.said().is_empty(), "the caller waits in silence");
    }
}

#[test]
fn keys_typed_over_a_protected_prompt_answer_the_next_question_unasked() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.keys("1");
    assert!(!rig.sent(&flush));
    rig.prompts_end();
    assert_eq!(rig.said(), ["Welcome to the bank.", "Please key in your PIN."]);
}

#[test]
fn keys_typed_before_the_ack_are_kept() {
    let mut rig = Rig::new(bank());
    rig.keys("1123456");
    rig.established();
    rig.prompts_end();
    assert_eq!(rig.said().last(), Some(&"You have ten dollars."));
}

#[test]
fn a_wrong_key_typed_ahead_is_forgotten_and_the_question_asked() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.keys("91");
    rig.prompts_end();
    assert_eq!(rig.said().last(), Some(&"What can I do for you?"));
    rig.prompts_end();
    assert!(rig.call.listening(), "the rest was forgotten with it");
}

#[test]
fn speech_over_an_answer_is_taken_by_the_question_that_follows() {
    let mut plan = bank();
    plan.steps[0] = step("welcome", "say", say("Hello there.", Target::Step(StepIx(1))));
    let mut rig = Rig::new(plan);
    rig.established();
    rig.prompts_start();
    rig.speech_starts(1);
    assert_eq!(rig.said(), ["Hello there."], "the question is spared");
    rig.offer(1, 1, Some(0));
    rig.result(1, 1, Ok(heard("balance", 0.95)));
    rig.pass(100);
    assert_eq!(rig.said(), ["Hello there.", "Please key in your PIN."]);
}

#[test]
fn speech_over_an_answer_that_fits_nothing_lets_the_question_be_asked_first() {
    let mut plan = bank();
    plan.steps[0] = step("welcome", "say", say("Hello there.", Target::Step(StepIx(1))));
    let mut rig = Rig::new(plan);
    rig.established();
    rig.prompts_start();
    rig.speech_starts(1);
    rig.offer(1, 1, Some(0));
    rig.result(1, 1, Ok(heard("", 0.0)));
    rig.pass(1_300);
    assert_eq!(rig.said(), ["Hello there.", "What can I do for you?"]);
}

#[test]
fn keys_win_over_speech_that_is_still_being_recognised() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    rig.keys("2");
    assert_eq!(rig.said(), ["Connecting you."]);
    assert!(rig.sent(&|output| matches!(output, Output::CancelRecognize { .. })));
    rig.result(1, 0, Ok(heard("balance", 0.95)));
    assert_eq!(rig.said(), ["Connecting you."]);
}

#[test]
fn speech_given_up_before_its_offer_is_given_up_again_so_that_the_next_words_are_new() {
    let mut rig = Rig::listening(bank());
    rig.speech_starts(1);
    rig.keys("1");
    rig.prompts_end();
    rig.outputs.clear();
    rig.offer(1, 1, None);
    assert!(!rig.sent(&recognize));
    assert_eq!(rig.count(&commit), 1);
}

#[test]
fn digits_end_three_seconds_after_the_last_key_when_there_are_enough() {
    let mut rig = Rig::listening(bank());
    rig.keys("1");
    rig.prompts_end();
    rig.keys("12");
    rig.pass(2_900);
    rig.keys("34");
    rig.pass(2_900);
    assert_eq!(rig.due(), Some(Reason::InterDigit));
    assert_eq!(rig.said().last(), Some(&"Please key in your PIN."));
    rig.pass(100);
    assert_eq!(rig.said().last(), Some(&"You have ten dollars."));
}

#[test]
fn muttering_while_typing_does_not_end_the_typing() {
    let mut rig = Rig::listening(bank());
    rig.keys("1");
    rig.prompts_end();
    rig.keys("12");
    rig.says(1, "where is it now");
    rig.pass(1_300);
    rig.keys("34#");
    assert_eq!(rig.said().last(), Some(&"You have ten dollars."));
}

#[test]
fn silence_is_counted_from_the_end_of_the_prompt_and_leads_to_the_end() {
    let mut rig = Rig::listening(bank());
    rig.pass(3_999);
    assert!(rig.said().is_empty());
    rig.pass(1);
    assert_eq!(rig.said(), ["I did not hear you.", "Say balance, or lost card."]);
    rig.pass(20_000);
    assert_eq!(rig.said().len(), 2, "no silence is counted while the prompt plays");
    rig.prompts_end();
    rig.pass(4_000);
    rig.prompts_end();
    rig.pass(4_000);
    assert_eq!(rig.said().last(), Some(&"Connecting you."));
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.end, record.result.as_deref()), (CallEnd::Completed, Some("agent")));
    let attempts: Vec<u32> = record.turns.iter().map(|turn| turn.attempt).collect();
    assert_eq!((attempts, record.turns[2].outcome), (vec![1, 2, 3], TurnOutcome::NoInput));
}

#[test]
fn a_passing_noise_restarts_the_silence_but_not_for_ever() {
    let mut rig = Rig::listening(bank());
    rig.says(1, "");
    rig.pass(1_200);
    rig.pass(2_000);
    assert!(rig.said().is_empty());
    rig.pass(2_000);
    assert_eq!(rig.said().first(), Some(&"I did not hear you."));

    let mut rig = Rig::listening(bank());
    let mut utterance = 0;
    while rig.said().is_empty() {
        utterance += 1;
        assert!(utterance < 60, "noise holds the question open for ever");
        rig.says(utterance, "");
        rig.pass(1_000);
    }
}

#[test]
fn endless_sound_is_cut_again_and_again_and_ends_the_call_politely() {
    let mut rig = Rig::listening(bank());
    let mut utterance = 0;
    while !rig.sent(&hangup) {
        utterance += 1;
        assert!(utterance < 10, "music for ever");
        let began_at = rig.speech_starts(utterance);
        rig.pass(15_000);
        let (audio, ended_at) = (Arc::new(Pcm::default()), rig.now().mono);
        let utterance_id = UtteranceId(utterance);
        let offer = Offer { utterance: utterance_id, revision: 0, audio, began_at, ended_at, during: None, cut: true };
        rig.media(MediaEvent::Offered(offer));
        // The music goes on at once as a new utterance, before the recogniser has answered.
        rig.speech_starts(utterance + 100);
        rig.result(utterance, 0, Ok(heard("", 0.0)));
        rig.prompts_end();
    }
    let record = rig.goes_down();
    assert_eq!((record.end, record.result.as_deref()), (CallEnd::Completed, Some("agent")));
    assert!(record.turns.iter().all(|turn| turn.outcome == TurnOutcome::NoMatch));
}

#[test]
fn speech_that_media_never_ends_is_given_up() {
    let mut rig = Rig::listening(bank());
    rig.speech_starts(1);
    assert_eq!(rig.due(), Some(Reason::EndlessSpeech));
    rig.pass(25_000);
    assert!(!rig.said().is_empty());
}

#[test]
fn without_a_recogniser_the_keys_are_offered_once_and_go_on_working() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    rig.result(1, 0, Err(RecognizeError::Unavailable("no model".into())));
    assert_eq!(rig.said(), ["Please use the keys.", "What can I do for you?"]);
    assert!(rig.sent(&|output| matches!(output, Output::Play { barge_in: BargeIn::Keys, .. })));
    rig.prompts_end();
    rig.outputs.clear();
    rig.offer(2, 0, None);
    assert!(!rig.sent(&recognize), "nobody is asked who cannot hear");
    assert!(rig.sent(&commit));
    rig.keys("2");
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.turns[0].outcome, record.turns[1].outcome), (TurnOutcome::Error, TurnOutcome::Keys));
}

#[test]
fn a_question_that_only_speech_could_answer_is_left_when_nobody_hears() {
    let mut plan = bank();
    let menu: &mut dyn std::any::Any = plan.steps[1].kind.as_mut();
    let quest = &mut menu.downcast_mut::<Menu>().unwrap().quest;
    quest.question.universals.operator = None;
    let ear: &mut dyn std::any::Any = quest.ear.as_mut();
    let options = ear.downcast_mut::<Options>().unwrap();
    options.options.iter_mut().for_each(|option| option.key = None);
    options.operator = false;
    let mut rig = Rig::listening(plan);
    rig.offer(1, 0, None);
    rig.result(1, 0, Err(RecognizeError::Unavailable("no model".into())));
    assert_eq!(rig.said(), ["Connecting you."]);
}

#[test]
fn a_busy_recogniser_is_asked_again_next_time() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    rig.result(1, 0, Err(RecognizeError::Busy));
    assert_eq!(rig.said().first(), Some(&"Please use the keys."));
    rig.prompts_end();
    rig.outputs.clear();
    rig.says(2, "balance");
    rig.pass(100);
    assert_eq!(rig.said(), ["Please key in your PIN."]);
}

#[test]
fn a_recogniser_that_never_answers_is_no_dead_end() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    assert_eq!(rig.due(), Some(Reason::Recogniser));
    rig.pass(8_000);
    assert_eq!(rig.said().first(), Some(&"Please use the keys."));
}

#[test]
fn the_latency_of_a_turn_has_its_parts_and_they_add_up() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    rig.pass(35);
    let nbest = NBest { queued: Duration::from_millis(5), ..heard("balance", 0.95) };
    rig.result(1, 0, Ok(nbest));
    rig.call.understood_in(Duration::from_millis(2));
    rig.pass(5);
    rig.clock.advance(Duration::from_millis(24));
    rig.prompts_start();
    let latency = rig.outputs.iter().find_map(|output| match output {
        Output::Timeline(TimelineEvent::Replied { latency }) => Some(*latency),
        _ => None,
    });
    let latency = latency.expect("the reply has begun");
    let near = |a: f64, b: f64| (a - b).abs() < 0.001;
    assert!(near(latency.total_ms, 324.0), "{latency:?}");
    assert!(near(latency.first_packet_ms, 24.0) && near(latency.queue_ms, 5.0), "{latency:?}");
    assert!(near(latency.recognition_ms, 30.0) && near(latency.understanding_ms, 2.0), "{latency:?}");
    assert!(near(latency.endpointing_ms, 263.0), "{latency:?}");
    rig.leg_ends(LegEnd::RemoteHangup);
    rig.media_closes();
    assert_eq!(rig.record().turns[0].latency, Some(latency));
}

#[test]
fn what_means_nothing_is_recognised_once_more_in_the_other_language_of_the_plan() {
    let mut plan = bank();
    plan.languages.push(crate::language::Language::parse("zh-CN").unwrap());
    crate::dialplan::fixture::question_mut(&mut plan, "main").any_language = true;
    let mut rig = Rig::listening(plan);
    rig.offer(1, 0, None);
    rig.pass(30);
    rig.result(1, 0, Ok(heard("woe yow hwan chen", 0.4)));
    let asked = |rig: &Rig| -> Vec<String> {
        let language = |output: &Output| match output {
            Output::Recognize { language, .. } => Some(language.as_str().to_owned()),
            _ => None,
        };
        rig.outputs.iter().filter_map(language).collect()
    };
    assert_eq!(asked(&rig), ["en-US", "zh-CN"]);
    rig.pass(30);
    rig.result(1, 0, Ok(heard("我要还钱", 0.9)));
    rig.pass(2_000);
    assert_eq!(asked(&rig).len(), 2, "each language once");
    assert_eq!(rig.said().last(), Some(&"Say balance, or lost card."), "nobody understood it, so it is asked again");
}
