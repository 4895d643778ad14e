//! Being sent on after somebody was asked: every way it may go well or wrong.

use super::*;
use crate::call::{Consult, Consulted, NotNow};
use crate::dialplan::step::hangup::Hangup;

fn consult() -> Consult {
    let briefing = Some(Pii::new("Ann is on the line.".to_owned()));
    let to = Pii::new("sip:bob@host".to_owned());
    Consult { to, trunk: None, briefing, ring: Duration::from_secs(20), introduction: None }
}

fn timeline(event: &TimelineEvent) -> impl Fn(&Output) -> bool + '_ {
    move |output| matches!(output, Output::Timeline(shown) if shown == event)
}

fn refer(output: &Output) -> bool {
    matches!(output, Output::Leg(LegCommand::Refer { replaces: Some(LegId(9)), .. }))
}

fn holds(wanted: bool) -> impl Fn(&Output) -> bool {
    move |output| matches!(output, Output::Hold(held) if *held == wanted)
}

fn lets_go(output: &Output) -> Option<bool> {
    match output {
        Output::Consulted(verdict) => Some(*verdict == Verdict::TakenOver),
        _ => None,
    }
}

/// A call whose far end waits on hold while somebody is called.
fn asking() -> Rig {
    let mut rig = Rig::listening(bank());
    rig.input(Input::Order(Order::Attend(consult())));
    assert!(rig.sent(&holds(true)) && rig.sent(&|output| matches!(output, Output::Consult(_))));
    rig.input(Input::Held(true));
    rig
}

/// … and has been asked to take over.
fn joining() -> Rig {
    let mut rig = asking();
    rig.input(Input::Consulted(Consulted::Ready { leg: LegId(9) }));
    assert!(rig.sent(&refer));
    rig
}

fn referred(status: u16, last: bool) -> Input {
    Input::Leg(LegEvent::Referred { status, last })
}

fn let_go(rig: &Rig) -> Vec<bool> {
    rig.outputs.iter().filter_map(lets_go).collect()
}

#[test]
fn who_answers_is_taken_over_and_both_calls_end_as_transferred() {
    let mut rig = joining();
    rig.input(referred(202, false));
    rig.input(referred(100, false));
    assert!(!rig.sent(&hangup), "nothing is known yet");
    // The one who was asked hangs up the leg that was taken over, before the caller says that it went well.
    rig.input(Input::Consulted(Consulted::Over { status: 487 }));
    rig.input(referred(200, true));
    assert_eq!(let_go(&rig), [true]);
    assert_eq!(rig.goes_down().end, CallEnd::Transferred);
}

#[test]
fn whatever_goes_wrong_the_caller_is_taken_back_and_the_plan_goes_on() {
    let over = |status| Input::Consulted(Consulted::Over { status });
    let rows: [(&str, Rig, Vec<Input>, u16); 6] = [
        ("busy", asking(), vec![over(486)], 486),
        ("no answer", asking(), vec![over(408)], 408),
        ("REFER refused", joining(), vec![referred(603, true)], 603),
        ("NOTIFY says no", joining(), vec![referred(202, false), referred(486, true)], 486),
        ("silence", joining(), vec![referred(202, false), referred(408, true)], 408),
        ("the other one leaves first", joining(), vec![over(487), referred(202, false), referred(481, true)], 481),
    ];
    for (what, mut rig, inputs, status) in rows {
        rig.outputs.clear();
        for input in inputs {
            rig.input(input);
        }
        assert!(rig.sent(&timeline(&TimelineEvent::TransferFailed { status })), "{what}: {:?}", rig.outputs);
        assert!(rig.sent(&holds(false)) && !rig.sent(&hangup), "{what}");
        assert_eq!(let_go(&rig), [false], "{what}");
        rig.input(Input::Held(false));
        rig.keys("1");
        assert_eq!(rig.said().len(), 1, "{what}: the plan goes on");
        rig.outputs.clear();
        rig.input(Input::Order(Order::Attend(consult())));
        assert!(rig.sent(&holds(true)), "{what}: and it may be tried again");
    }
}

#[test]
fn silence_behind_a_leg_that_was_taken_over_is_success() {
    let mut rig = joining();
    rig.input(Input::Consulted(Consulted::Over { status: 487 }));
    rig.input(referred(408, true));
    assert_eq!(let_go(&rig), [true]);
    assert_eq!(rig.goes_down().end, CallEnd::Transferred);
}

#[test]
fn a_caller_who_hangs_up_takes_the_other_call_along() {
    for mut rig in [asking(), joining()] {
        rig.leg_ends(LegEnd::RemoteHangup);
        assert_eq!(let_go(&rig), [false]);
        rig.media_closes();
        assert_eq!(rig.record().end, CallEnd::CallerHungUp);
    }
    // Behind a leg that was taken over, and where the leg itself has heard of success, that is how it ends.
    let mut taken_over = joining();
    taken_over.input(Input::Consulted(Consulted::Over { status: 487 }));
    taken_over.leg_ends(LegEnd::RemoteHangup);
    let mut moved = joining();
    moved.leg_ends(LegEnd::Moved);
    for mut rig in [taken_over, moved] {
        assert_eq!(let_go(&rig), [true]);
        rig.media_closes();
        assert_eq!(rig.record().end, CallEnd::Transferred);
    }
}

#[test]
fn an_order_to_hang_up_and_a_shutdown_let_the_other_one_go() {
    for (input, end) in [(Input::Order(Order::Hangup), CallEnd::Interrupted), (Input::Drain, CallEnd::Drained)] {
        for mut rig in [asking(), joining()] {
            rig.input(input.clone());
            assert_eq!(let_go(&rig), [false]);
            assert_eq!(rig.goes_down().end, end);
        }
    }
}

#[test]
fn a_transfer_that_nobody_reports_on_is_given_up() {
    for mut rig in [asking(), joining()] {
        assert_eq!(rig.due(), Some(Reason::Transfer));
        rig.pass(240_000);
        assert!(rig.sent(&timeline(&TimelineEvent::TransferFailed { status: 408 })));
        assert_eq!(let_go(&rig), [false]);
    }
}

#[test]
fn orders_are_taken_when_they_can_be_carried_out_and_refused_in_words_otherwise() {
    let transfer = Order::Transfer { to: "sip:bob@host".into() };
    let attend = Order::Attend(consult());
    let ringing = Rig::dialling(bank(), Duration::from_secs(20));
    for order in [&transfer, &attend, &Order::Hold, &Order::Keys(Pii::new(Vec::new()))] {
        assert_eq!(ringing.call.judge(order), Err(NotNow::NotAnswered), "{order:?}");
    }
    assert_eq!(ringing.call.judge(&Order::Hangup), Ok(()));
    let asked = asking();
    assert_eq!(asked.call.judge(&transfer), Err(NotNow::Transferring));
    assert_eq!(asked.call.judge(&attend), Err(NotNow::Transferring));
    assert_eq!(asked.call.judge(&Order::Hangup), Ok(()));
    let waits = "dialplan: 1\nstart: ask\nsteps:\n  \
                 ask: { http: { url: \"https://crm.example/a\", go: $end, failed: $end } }\n";
    let waits = crate::dialplan::load::load_str("waits.yaml", waits).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    let mut waiting = Rig::new(Arc::try_unwrap(waits).unwrap_or_else(|_| panic!("nobody else has it")));
    waiting.established();
    assert_eq!(waiting.call.judge(&attend), Err(NotNow::Busy), "the plan may want a person next");
    assert_eq!(waiting.call.judge(&Order::Hold), Ok(()));
    let mut leaving = Rig::listening(bank());
    leaving.input(Input::Order(Order::Hangup));
    assert_eq!(leaving.call.judge(&Order::Hold), Err(NotNow::Ending));
}

#[test]
fn a_consultation_says_its_piece_and_stands_by_until_it_is_let_go() {
    let stands_by = |setup: CallSetup, now| {
        let setup = CallSetup { stands_by: Some(Duration::from_secs(60)), ..setup };
        Call::outbound(setup, Duration::from_secs(20), now)
    };
    let begin = || {
        let mut plan = bank();
        let goodbye = Hangup { prompt: None, result: Some("briefed".into()) };
        plan.steps.push(step("through", "hangup", goodbye));
        plan.start = StepIx(plan.steps.len() - 1);
        let mut rig = Rig::of(plan, Direction::Outbound, Duration::from_secs(3_600), stands_by);
        rig.established();
        assert!(rig.sent(&timeline(&TimelineEvent::StandsBy)) && !rig.sent(&hangup), "{:?}", rig.outputs);
        assert_eq!(rig.due(), Some(Reason::StandBy));
        rig
    };
    let mut forgotten = begin();
    forgotten.pass(70_000);
    assert_eq!(forgotten.goes_down().end, CallEnd::Completed);
    let mut ordered = begin();
    ordered.input(Input::Order(Order::Hangup));
    assert_eq!(ordered.goes_down().end, CallEnd::Interrupted);
    let mut dead = begin();
    let silence = || MediaEvent::RtpTimeout { silent_for: Duration::from_secs(30) };
    dead.input(Input::Held(true));
    dead.media(silence());
    assert!(!dead.sent(&hangup), "who is on hold may be silent");
    dead.input(Input::Held(false));
    dead.media(silence());
    assert_eq!(dead.goes_down().end, CallEnd::NoMedia);
    let mut drained = begin();
    drained.input(Input::Drain);
    assert_eq!(drained.goes_down().end, CallEnd::Drained);
}
