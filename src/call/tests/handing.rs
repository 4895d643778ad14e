//! A caller handed to a person: the wait, the talk, and the way back, however it goes.

use super::*;
use crate::agents::{Overflow, briefing};
use crate::call::{Consult, Consulted};
use crate::dialplan::load::load_str;
use crate::dialplan::outcome::OutcomeKind;

const PLAN: &str = r#"
dialplan: 1
name: desk
start: main
inputs: { due: amount USD }
defaults: { question: { go: bye } }
steps:
  main:
    menu:
      prompt: "Bill or card?"
      options:
        bill: { key: 1, phrases: [bill], go: desk }
        card: { key: 2, phrases: [card], go: bob }
        loan: { key: 3, phrases: [loan], go: ann }
        else: { key: 4, phrases: [something else], go: away }
  desk:
    queue:
      group: desk
      skills: [bills]
      priority: "= 2"
      place: "Place {{ position }}, {{ minutes }} minutes."
      briefing: "{{ due }} are due."
      go: after
      overflow: nobody
      full: crowded
  bob: { transfer: { to: "sip:bob@host", tell: [due], verified: "due > 5", go: after, failed: nobody, busy: crowded } }
  ann: { transfer: { to: "sip:ann@host", how: attended, failed: nobody } }
  away: { transfer: { to: "sip:far@host", how: refer, failed: nobody } }
  after: { hangup: { text: "Was that all?", result: served } }
  nobody: { hangup: { text: "Nobody can come. {{ desk }}", result: nobody } }
  crowded: { hangup: { result: crowded } }
  bye: { hangup: }
"#;

/// Hands callers to persons in every way.
pub(super) fn desk() -> Plan {
    let plan = load_str("desk", PLAN).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    Arc::try_unwrap(plan).unwrap_or_else(|_| panic!("nobody else has it"))
}

/// The first question is open, and `due` is known.
fn rig() -> Rig {
    let mut rig = Rig::knowing(desk(), &[("due", "12.50")]);
    rig.established();
    rig.prompts_end();
    rig.outputs.clear();
    rig
}

/// … and this key was pressed.
fn pressed(key: &str) -> Rig {
    let mut rig = rig();
    rig.keys(key);
    rig
}

fn news(rig: &mut Rig, news: Consulted) {
    rig.input(Input::Consulted(news));
}

fn taken(rig: &mut Rig) {
    news(rig, Consulted::Taken { agent: "alice".into(), waited: Duration::from_secs(9) });
    news(rig, Consulted::Ready { leg: LegId(7) });
}

fn verdicts(rig: &Rig) -> Vec<Verdict> {
    let verdict = |output: &Output| if let Output::Consulted(verdict) = output { Some(*verdict) } else { None };
    rig.outputs.iter().filter_map(verdict).collect()
}

fn joins(output: &Output) -> bool {
    matches!(output, Output::Join { leg: LegId(7) })
}

fn unbridges(output: &Output) -> bool {
    matches!(output, Output::Media(MediaCommand::Unbridge))
}

fn said(rig: &Rig) -> Vec<String> {
    let words = |output: &Output| if let Output::Play { utter, .. } = output { Some(utter.text.clone()) } else { None };
    rig.outputs.iter().filter_map(words).collect()
}

fn handed(record: &CallRecord) -> (String, Option<String>, u64, u64) {
    let kind = record.outcomes.iter().find_map(|outcome| match &outcome.kind {
        OutcomeKind::Handed { end, agent, waited_s, talked_s, .. } => {
            Some((end.clone(), agent.clone(), *waited_s, *talked_s))
        }
        _ => None,
    });
    kind.expect("a handover leaves a fact")
}

#[test]
fn an_agent_gets_what_the_plan_asks_for_and_hears_what_is_known() {
    let rig = pressed("1");
    let wish = rig.outputs.iter().find_map(|output| if let Output::Queue(wish) = output { Some(wish) } else { None });
    let wish = wish.expect("an agent is looked for");
    assert_eq!((&*wish.needs.group, wish.needs.priority), ("desk", 2));
    assert!(wish.needs.skills.contains("bills"));
    assert_eq!(wish.needs.language, Some(Language::english()));
    let known = &wish.introduction;
    assert_eq!(known.handoff.intent.as_deref(), Some("bill"), "the caller's last choice");
    assert!(!known.handoff.verified);
    assert_eq!(known.words[0].1.reveal(), "Twelve dollars and fifty cents are due.");
    let slots: Vec<_> =
        known.handoff.slots.iter().map(|(name, value)| (name.as_str(), value.reveal().plain())).collect();
    assert_eq!(slots, [("due", "12.50".to_owned())]);
    let lines: Vec<_> =
        known.handoff.transcript.iter().map(|said| (said.by_caller, said.text.reveal().as_str())).collect();
    assert_eq!(lines, [(false, "Bill or card?"), (true, "1")]);
    assert!(rig.sent(&|output| matches!(output, Output::Entertain { group: Some(group) } if &**group == "desk")));
}

#[test]
fn who_waits_hears_their_place_and_is_joined_and_comes_back_to_the_plan() {
    let mut rig = pressed("1");
    rig.pass(5_000);
    news(&mut rig, Consulted::Place { position: 2, wait: Duration::from_secs(100) });
    assert_eq!(said(&rig), ["Place two, two minutes."]);
    rig.pass(4_000);
    taken(&mut rig);
    assert!(rig.sent(&joins));
    assert_eq!(verdicts(&rig), [Verdict::Bridged]);
    rig.pass(40_000);
    assert!(!rig.sent(&hangup), "a talk lasts as long as it lasts");
    news(&mut rig, Consulted::Place { position: 1, wait: Duration::ZERO });
    assert_eq!(said(&rig).len(), 1, "late news is nobody's");
    news(&mut rig, Consulted::Over { status: 487 });
    assert!(rig.sent(&unbridges));
    assert_eq!(verdicts(&rig), [Verdict::Bridged, Verdict::Over]);
    assert_eq!(said(&rig).last().map(String::as_str), Some("Was that all?"));
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!(record.result.as_deref(), Some("served"));
    assert_eq!(handed(&record), ("served".into(), Some("alice".into()), 9, 40));
}

#[test]
fn when_nobody_comes_the_plan_knows_why() {
    for (why, result, end) in [
        (Overflow::TooLong, "nobody", "too_long"),
        (Overflow::Full, "crowded", "full"),
        (Overflow::NobodyFits, "nobody", "nobody"),
    ] {
        let mut rig = pressed("1");
        news(&mut rig, Consulted::Left { why });
        assert_eq!(verdicts(&rig), [Verdict::Over]);
        if result == "nobody" {
            assert_eq!(said(&rig), [format!("Nobody can come. {end}")]);
        }
        let faults =
            rig.outputs.iter().any(|output| matches!(output, Output::Timeline(TimelineEvent::PlanFault { .. })));
        assert_eq!(faults, why == Overflow::NobodyFits, "a settings fault is told");
        rig.prompts_end();
        let record = rig.goes_down();
        assert_eq!((record.result.as_deref(), handed(&record).0.as_str()), (Some(result), end));
    }
}

#[test]
fn a_caller_who_hangs_up_lets_go_of_whoever_was_called() {
    for talking in [false, true] {
        let mut rig = pressed("1");
        rig.pass(3_000);
        if talking {
            taken(&mut rig);
            rig.pass(5_000);
        }
        rig.leg_ends(LegEnd::RemoteHangup);
        assert_eq!(verdicts(&rig).last(), Some(&Verdict::Over));
        assert_eq!(rig.sent(&unbridges), talking);
        rig.media_closes();
        let record = rig.record();
        assert_eq!(record.end, CallEnd::CallerHungUp);
        let expect = if talking { (Some("alice".to_owned()), 9, 5) } else { (None, 3, 0) };
        let (end, agent, waited, talked) = handed(&record);
        assert_eq!((end.as_str(), (agent, waited, talked)), ("hung_up", expect));
    }
}

#[test]
fn a_transfer_tells_only_what_it_may_and_goes_on_as_it_went() {
    let consult = |rig: &Rig| {
        let consult = rig
            .outputs
            .iter()
            .find_map(|output| if let Output::Consult(it) = output { Some(it.clone()) } else { None });
        consult.expect("somebody is called")
    };
    let rows = [
        (486, "crowded", "busy"),
        (408, "nobody", "no_answer"),
        (603, "nobody", "declined"),
        (500, "nobody", "failed"),
    ];
    for (status, result, end) in rows {
        let mut rig = pressed("2");
        let known = consult(&rig).introduction.expect("they are told");
        assert!(known.handoff.verified, "the plan's own condition");
        assert_eq!(known.handoff.slots.len(), 1);
        news(&mut rig, Consulted::Over { status });
        rig.prompts_end();
        let record = rig.goes_down();
        assert_eq!((record.result.as_deref(), handed(&record).0.as_str()), (Some(result), end), "{status}");
    }
    let mut rig = pressed("2");
    rig.pass(6_000);
    news(&mut rig, Consulted::Ready { leg: LegId(7) });
    assert!(rig.sent(&joins));
    rig.pass(30_000);
    news(&mut rig, Consulted::Over { status: 487 });
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.result.as_deref(), handed(&record)), (Some("served"), ("served".into(), None, 6, 30)));
}

#[test]
fn who_is_called_and_never_heard_of_again_is_given_up() {
    let mut rig = pressed("2");
    rig.pass(144_000);
    assert!(said(&rig).is_empty());
    rig.pass(2_000);
    assert_eq!(said(&rig).len(), 1);
    rig.prompts_end();
    assert_eq!(handed(&rig.goes_down()).0, "failed");
}

#[test]
fn an_attended_transfer_of_the_plan_sends_the_caller_on_or_takes_them_back() {
    let referred = |status| Input::Leg(LegEvent::Referred { status, last: true });
    let mut rig = pressed("3");
    assert!(rig.sent(&|output| matches!(output, Output::Hold(true))));
    rig.input(Input::Held(true));
    news(&mut rig, Consulted::Ready { leg: LegId(7) });
    rig.input(referred(200));
    assert_eq!(verdicts(&rig), [Verdict::TakenOver]);
    let record = rig.goes_down();
    assert_eq!((record.end.clone(), handed(&record).0.as_str()), (CallEnd::Transferred, "transferred"));

    let mut rig = pressed("3");
    rig.input(Input::Held(true));
    news(&mut rig, Consulted::Over { status: 603 });
    assert!(rig.sent(&|output| matches!(output, Output::Hold(false))));
    assert!(!rig.sent(&hangup), "the last words wait until they can be heard");
    rig.input(Input::Held(false));
    assert_eq!(said(&rig), ["Nobody can come. "]);
    assert!(!rig.sent(&hangup), "… and are said whole");
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.result.as_deref(), handed(&record).0.as_str()), (Some("nobody"), "declined"));

    // Where the caller's own side holds too, nobody can say when that ends.
    let mut rig = pressed("3");
    rig.input(Input::Held(true));
    news(&mut rig, Consulted::Over { status: 603 });
    rig.pass(31_000);
    assert_eq!(rig.goes_down().result.as_deref(), Some("nobody"));
}

#[test]
fn a_caller_whose_new_telephone_has_taken_over_was_transferred_whoever_says_goodbye_first() {
    for end in [LegEnd::RemoteHangup, LegEnd::Moved] {
        let mut rig = pressed("3");
        rig.input(Input::Held(true));
        news(&mut rig, Consulted::Ready { leg: LegId(7) });
        news(&mut rig, Consulted::Over { status: 487 });
        rig.leg_ends(end);
        rig.media_closes();
        let record = rig.record();
        assert_eq!((record.end.clone(), handed(&record).0.as_str()), (CallEnd::Transferred, "transferred"), "{end:?}");
    }
}

#[test]
fn a_plan_that_hands_over_lets_go_of_whoever_was_asked_by_order() {
    let mut rig = rig();
    let to = Pii::new("sip:ann@host".to_owned());
    let order = Consult { to, trunk: None, briefing: None, ring: Duration::from_secs(20), introduction: None };
    rig.input(Input::Order(Order::Attend(order)));
    rig.input(Input::Held(true));
    // A key on the way when the hold began.
    rig.keys("1");
    assert!(rig.sent(&|output| matches!(output, Output::Timeline(TimelineEvent::TransferFailed { status: 487 }))));
    assert!(rig.sent(&|output| matches!(output, Output::Hold(false))));
    assert_eq!(verdicts(&rig), [Verdict::Over], "who was asked is let go before the agent is looked for");
    let places: Vec<bool> = rig
        .outputs
        .iter()
        .filter_map(|output| match output {
            Output::Consulted(_) => Some(false),
            Output::Queue(_) => Some(true),
            _ => None,
        })
        .collect();
    assert_eq!(places, [false, true]);
    rig.input(Input::Held(false));
    taken(&mut rig);
    assert!(rig.sent(&joins), "the agent's news are the plan's");
}

#[test]
fn a_person_knows_the_number_at_the_other_end_whoever_called() {
    let number = |direction| {
        let known = [("due".to_owned(), Pii::new("12.50".to_owned()))].into();
        let begin = |setup: CallSetup, now| {
            let setup = CallSetup { called: Pii::new("+442079460123".into()), variables: known, ..setup };
            match direction {
                Direction::Inbound => Call::inbound(setup, now),
                Direction::Outbound => Call::outbound(setup, Duration::from_secs(20), now),
            }
        };
        let mut rig = Rig::of(desk(), direction, Duration::from_secs(3_600), begin);
        rig.established();
        rig.prompts_end();
        rig.keys("1");
        let country = rig.call.interpreter.scope().fact("country").map(crate::value::Value::plain);
        let number = rig.outputs.iter().find_map(|output| match output {
            Output::Queue(wish) => Some(wish.introduction.number.reveal().clone()),
            _ => None,
        });
        (number.unwrap(), country.unwrap())
    };
    assert_eq!(number(Direction::Inbound), ("+12025550123".to_owned(), "US".to_owned()));
    assert_eq!(number(Direction::Outbound), ("+442079460123".to_owned(), "GB".to_owned()));
}

#[test]
fn who_picks_up_with_a_hello_hears_the_briefing_and_hears_it_again() {
    let offer = "A caller: verified. Press 1 to take the call, or 2 to decline.";
    let loaded = load_str("briefing", &briefing::plan(&Language::english())).unwrap_or_else(|wrong| panic!("{wrong}"));
    let plan = Arc::try_unwrap(loaded.plan).unwrap_or_else(|_| panic!("nobody else has it"));
    let mut rig = Rig::knowing(plan, &[(briefing::SENTENCE, "A caller: verified.")]);
    rig.established();
    rig.prompts_start();
    assert_eq!(said(&rig), [offer]);
    // "Hello?", under the first word of ours.
    rig.offer(1, 0, Some(0));
    assert!(!rig.sent(&flush) && !rig.sent(&recognize), "{:?}", rig.outputs);
    rig.prompts_end();
    rig.outputs.clear();
    // "Hello?", into the silence behind it.
    rig.says(2, "hello");
    rig.pass(3_000);
    assert_eq!(said(&rig).last().map(String::as_str), Some(offer));
    assert!(!rig.sent(&hangup));
    rig.keys("1");
    rig.prompts_end();
    assert_eq!(rig.goes_down().result.as_deref(), Some(briefing::ACCEPTED));
}

#[test]
fn what_we_lack_ourselves_is_a_failure_for_the_plan_and_the_watcher() {
    for (key, held) in [("2", false), ("3", true)] {
        let mut rig = pressed(key);
        if held {
            rig.input(Input::Held(true));
        }
        news(&mut rig, Consulted::Untried { status: 503 });
        rig.input(Input::Held(false));
        rig.prompts_end();
        assert_eq!(handed(&rig.goes_down()).0, "failed");
    }
}

#[test]
fn a_far_end_that_is_sent_on_at_once_goes_or_the_plan_goes_on() {
    let mut rig = pressed("4");
    assert!(rig.sent(&|output| matches!(output, Output::Leg(LegCommand::Refer { replaces: None, .. }))));
    rig.input(Input::Leg(LegEvent::Referred { status: 202, last: false }));
    assert!(!rig.sent(&hangup));
    rig.input(Input::Leg(LegEvent::Referred { status: 200, last: true }));
    assert_eq!(rig.goes_down().end, CallEnd::Transferred);

    let mut rig = pressed("4");
    rig.input(Input::Leg(LegEvent::Referred { status: 486, last: true }));
    rig.prompts_end();
    assert_eq!(rig.goes_down().result.as_deref(), Some("nobody"));

    let mut rig = pressed("4");
    rig.pass(211_000);
    rig.prompts_end();
    assert_eq!(rig.goes_down().result.as_deref(), Some("nobody"), "nothing is ever heard of it");
}

#[test]
fn orders_from_outside_wait_while_the_plan_hands_over_and_a_drain_says_goodbye() {
    let mut rig = pressed("1");
    for order in [Order::Hold, Order::Resume, Order::Transfer { to: "sip:x@y".into() }] {
        assert_eq!(rig.call.judge(&order), Err(NotNow::Transferring), "{order:?}");
    }
    assert_eq!(rig.call.judge(&Order::Hangup), Ok(()));
    taken(&mut rig);
    rig.input(Input::Drain);
    assert_eq!(verdicts(&rig), [Verdict::Bridged, Verdict::Over]);
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!((record.end.clone(), handed(&record).0.as_str()), (CallEnd::Drained, "ended"));
}

#[test]
fn keys_of_who_waits_or_talks_answer_no_later_question() {
    let mut rig = pressed("1");
    rig.keys("22");
    taken(&mut rig);
    rig.keys("33");
    news(&mut rig, Consulted::Over { status: 487 });
    assert_eq!(said(&rig), ["Was that all?"]);
    assert!(rig.call.step_name() == "after");
}

#[test]
fn a_choice_said_before_its_menu_is_in_the_record_and_on_the_screen_of_who_takes_the_call() {
    let text = PLAN
        .replace("start: main", "start: offer")
        .replace("steps:\n", "steps:\n  offer: { confirm: { prompt: \"About your order?\", yes: after, no: main } }\n");
    let plan = load_str("desk", &text).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    let mut rig = Rig::new(Arc::try_unwrap(plan).unwrap_or_else(|_| panic!("nobody else has it")));
    rig.established();
    rig.prompts_end();
    rig.outputs.clear();
    rig.says(1, "no, my bill");
    rig.pass(2_000);
    assert_eq!(said(&rig), Vec::<String>::new(), "the menu is not asked");
    let wish = rig.outputs.iter().find_map(|output| if let Output::Queue(wish) = output { Some(wish) } else { None });
    let known = &wish.expect("an agent is looked for").introduction.handoff;
    assert_eq!(known.intent.as_deref(), Some("bill"));
    let lines: Vec<_> = known.transcript.iter().map(|said| said.text.reveal().as_str()).collect();
    assert_eq!(lines, ["About your order?", "no, my bill"], "said once, told once");
    rig.leg_ends(LegEnd::RemoteHangup);
    rig.media_closes();
    let turns = rig.record().turns;
    let kept: Vec<_> = turns.iter().map(|turn| (turn.step.as_str(), turn.attempt, turn.meaning.as_deref())).collect();
    assert_eq!(kept, [("offer", 1, Some("no")), ("main", 0, Some("bill"))]);
    assert!(turns[1].heard.is_none() && turns[1].outcome == TurnOutcome::Speech, "{:?}", turns[1]);
}

#[test]
fn waiting_for_a_person_is_no_slow_reply() {
    let mut rig = rig();
    rig.says(1, "bill");
    rig.pass(1_000);
    assert!(rig.sent(&|output| matches!(output, Output::Queue(_))), "{:?}", rig.outputs);
    rig.pass(60_000);
    news(&mut rig, Consulted::Left { why: Overflow::TooLong });
    rig.prompts_end();
    let record = rig.goes_down();
    assert_eq!(record.turns.len(), 1);
    assert_eq!(record.turns[0].latency, None, "what is said after a minute's music answers nobody");
}
