//! Calling somebody, being put on hold, being told what to do: all that is not speech and keys by sound.

use super::*;
use crate::call::disposition::Disposition;
use crate::sip::{Ladder, Rung};

const RING: Duration = Duration::from_secs(30);

fn progress(status: u16) -> Input {
    Input::Leg(LegEvent::Progress { status, sdp: None })
}

fn key(face: char) -> Input {
    Input::Leg(LegEvent::Key { digit: Digit::new(face).unwrap(), duration_ms: Some(160) })
}

fn timeline(event: &TimelineEvent) -> impl Fn(&Output) -> bool + '_ {
    move |output| matches!(output, Output::Timeline(shown) if shown == event)
}

#[test]
fn whom_we_call_is_greeted_when_they_answer_and_not_before() {
    let mut rig = Rig::dialling(bank(), RING);
    assert!(rig.outputs.is_empty(), "the leg dials by itself: {:?}", rig.outputs);
    rig.input(progress(180));
    rig.input(progress(183));
    rig.input(progress(180));
    assert_eq!(rig.count(&timeline(&TimelineEvent::Ringing)), 1);
    assert!(rig.said().is_empty());
    rig.pass(4_000);
    rig.established();
    assert_eq!(rig.said(), ["Welcome to the bank."]);
    rig.prompts_end();
    rig.prompts_end();
    rig.leg_ends(LegEnd::RemoteHangup);
    rig.media_closes();
    let record = rig.record();
    assert_eq!((record.direction, record.disposition), (Direction::Outbound, Some(Disposition::Answered)));
    assert_eq!(record.end, CallEnd::CallerHungUp);
    assert_eq!(record.answered_at.unwrap().duration_since(record.arrived_at).as_millis(), 4_000);
    assert_eq!(record.prompts[0].at_ms, Some(0), "times count from the answer");
}

#[test]
fn what_comes_of_a_call_that_nobody_took_stands_in_its_record() {
    let refused = |status, cause| LegEnd::Refused { status, cause };
    for (end, rings, record_end, disposition) in [
        (refused(486, None), true, CallEnd::Refused(486), Disposition::Busy),
        (refused(480, Some(1)), false, CallEnd::Refused(480), Disposition::Invalid),
        (refused(503, None), false, CallEnd::Refused(503), Disposition::Congestion),
        (LegEnd::NoAnswer, true, CallEnd::NoAnswer, Disposition::NoAnswer),
        (LegEnd::Unreachable, false, CallEnd::Unreachable(None), Disposition::Congestion),
    ] {
        let mut rig = Rig::dialling(bank(), RING);
        if rings {
            rig.input(progress(180));
        }
        rig.leg_ends(end);
        assert!(rig.sent(&close) && rig.said().is_empty());
        rig.media_closes();
        let record = rig.record();
        assert_eq!((record.end, record.disposition, record.answered_at), (record_end, Some(disposition), None));
    }
}

#[test]
fn a_leg_that_never_says_that_nobody_answers_is_given_up() {
    let mut rig = Rig::dialling(bank(), RING);
    rig.pass(29_000);
    assert_eq!(rig.due(), Some(Reason::Ring));
    rig.pass(60_000);
    assert!(rig.sent(&hangup));
    let record = rig.goes_down();
    assert_eq!((record.end, record.disposition), (CallEnd::NoAnswer, Some(Disposition::NoAnswer)));
}

#[test]
fn somebody_who_answers_after_all_other_words_were_said_is_not_spoken_to() {
    let mut rig = Rig::dialling(bank(), RING);
    rig.input(Input::Order(Order::Hangup));
    assert!(rig.sent(&hangup));
    rig.established();
    assert!(rig.said().is_empty());
    let record = rig.goes_down();
    assert_eq!((record.end, record.disposition), (CallEnd::Interrupted, Some(Disposition::Interrupted)));
}

#[test]
fn an_answer_without_sound_we_can_use_is_a_failure_and_no_conversation() {
    let mut rig = Rig::dialling(bank(), RING);
    rig.input(Input::Incompatible("no codec in common".into()));
    rig.established();
    assert!(rig.said().is_empty());
    let record = rig.goes_down();
    assert_eq!(
        (record.end, record.disposition),
        (CallEnd::Failed("no codec in common".into()), Some(Disposition::Failed))
    );
}

#[test]
fn early_media_is_neither_speech_nor_keys_nor_a_reason_to_hang_up() {
    let mut rig = Rig::dialling(bank(), RING);
    rig.input(Input::Leg(LegEvent::Progress { status: 183, sdp: Some("v=0".into()) }));
    rig.media(MediaEvent::RtpTimeout { silent_for: Duration::from_secs(20) });
    rig.offer(1, 0, None);
    rig.keys("1");
    assert!(!rig.sent(&hangup) && !rig.sent(&recognize));
    rig.established();
    rig.prompts_end();
    rig.prompts_end();
    assert!(rig.call.listening(), "no key of before the answer counts");
}

#[test]
fn a_shutdown_takes_back_a_call_that_rings() {
    let mut rig = Rig::dialling(bank(), RING);
    rig.input(Input::Drain);
    assert!(rig.sent(&hangup));
    assert_eq!(rig.goes_down().end, CallEnd::Drained);
}

#[test]
fn on_hold_no_time_passes_and_the_music_is_no_answer() {
    let mut rig = Rig::listening(bank());
    rig.pass(3_000);
    rig.input(Input::Held(true));
    assert!(rig.sent(&timeline(&TimelineEvent::Held)));
    assert_eq!(rig.due(), Some(Reason::Longest));
    rig.offer(1, 0, None);
    rig.pass(600_000);
    rig.media(MediaEvent::RtpTimeout { silent_for: Duration::from_secs(20) });
    assert!(!rig.sent(&recognize) && !rig.sent(&hangup) && rig.said().is_empty(), "{:?}", rig.outputs);
    assert!(rig.sent(&commit), "what was said into the music is given up");
    rig.input(Input::Held(false));
    assert!(rig.sent(&timeline(&TimelineEvent::Resumed)));
    assert_eq!(rig.due(), Some(Reason::NoInput));
    rig.pass(3_000);
    assert!(rig.said().is_empty(), "the wait begins anew");
    rig.says(2, "balance");
    rig.pass(2_000);
    assert_eq!(rig.count(&recognize), 1);
    assert_eq!(rig.said().len(), 1, "the answer counts: {:?}", rig.said());
}

#[test]
fn speech_that_was_understood_before_the_hold_counts_and_half_a_word_does_not() {
    let mut rig = Rig::listening(bank());
    rig.offer(1, 0, None);
    rig.input(Input::Held(true));
    rig.result(1, 0, Ok(heard("balance", 0.95)));
    assert_eq!(rig.said().len(), 1, "understood while on hold: the next question waits to be heard");
    let mut rig = Rig::listening(bank());
    rig.speech_starts(1);
    rig.input(Input::Held(true));
    rig.pass(120_000);
    assert!(rig.said().is_empty());
    rig.input(Input::Held(false));
    rig.keys("1");
    assert_eq!(rig.said().len(), 1);
}

#[test]
fn a_prompt_that_waits_on_hold_is_not_given_up() {
    let mut rig = Rig::new(bank());
    rig.established();
    rig.prompts_start();
    rig.input(Input::Held(true));
    rig.pass(900_000);
    assert!(!rig.sent(&flush));
    rig.input(Input::Held(false));
    rig.pass(20_000);
    assert!(!rig.sent(&flush), "its patience goes on where it was");
    rig.prompts_end();
    assert_eq!(rig.said().len(), 2);
}

#[test]
fn a_call_on_hold_ends_without_last_words() {
    let mut rig = Rig::listening(bank());
    rig.input(Input::Held(true));
    rig.input(Input::Drain);
    assert!(rig.sent(&hangup));
    assert_eq!(rig.goes_down().end, CallEnd::Drained);
    let mut parting = Rig::listening(bank());
    parting.input(Input::Drain);
    assert!(!parting.sent(&hangup));
    parting.input(Input::Held(true));
    assert_eq!(parting.goes_down().end, CallEnd::Drained);
}

#[test]
fn a_key_by_signalling_counts_like_one_by_sound_and_both_together_once() {
    let mut rig = Rig::listening(bank());
    rig.input(key('1'));
    rig.prompts_end();
    rig.outputs.clear();
    for face in "123456".chars() {
        rig.media(MediaEvent::Digit { digit: Digit::new(face).unwrap(), at: rig.now().mono });
        rig.pass(150);
        rig.input(key(face));
        rig.pass(200);
    }
    assert_eq!(rig.said().len(), 1, "six keys and no more: {:?}", rig.said());
    rig.prompts_end();
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.end, record.result.as_deref()), (CallEnd::Completed, Some("balance")));
}

#[test]
fn being_sent_on_ends_the_call_when_it_is_done_and_not_before() {
    let refer = |output: &Output| matches!(output, Output::Leg(LegCommand::Refer { to, .. }) if to == "sip:bob@host");
    let transfer = || Input::Order(Order::Transfer { to: "sip:bob@host".into() });
    let referred = |status, last| Input::Leg(LegEvent::Referred { status, last });
    let mut rig = Rig::listening(bank());
    rig.input(transfer());
    assert!(rig.sent(&refer));
    rig.input(referred(202, false));
    rig.input(referred(180, false));
    assert!(!rig.sent(&hangup));
    rig.input(referred(200, true));
    assert_eq!(rig.goes_down().end, CallEnd::Transferred);

    let mut rig = Rig::listening(bank());
    rig.input(transfer());
    rig.input(referred(603, true));
    assert!(rig.sent(&timeline(&TimelineEvent::TransferFailed { status: 603 })));
    rig.keys("1");
    assert_eq!(rig.said().len(), 1, "the call goes on here");

    let mut early = Rig::dialling(bank(), RING);
    early.input(transfer());
    assert!(!early.sent(&refer), "nobody is there to be sent on");
}

#[test]
fn the_ladder_of_the_leg_is_kept_with_the_record() {
    let rung = Rung {
        at_ms: 0,
        sent: true,
        transport: "udp".into(),
        peer: ([192, 0, 2, 7], 5060).into(),
        line: "INVITE sip:…@192.0.2.7 SIP/2.0".into(),
        cseq: "1 INVITE".into(),
        note: None,
        bytes: 700,
        again: 0,
    };
    let ladder = Ladder { rungs: vec![rung], left_out: 0 };
    let mut rig = Rig::dialling(bank(), RING);
    rig.input(Input::Leg(LegEvent::Ladder(Box::new(ladder.clone()))));
    rig.leg_ends(LegEnd::NoAnswer);
    rig.media_closes();
    assert_eq!(rig.record().ladder, ladder);
}
