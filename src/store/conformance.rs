//! What every store does, whatever database is behind it. [`suite!`] makes the tests for one.

use jiff::Timestamp;

use super::numbers::NumberPolicy;
use super::suppression::{EVERYWHERE, Suppression};
use super::{CallFilter, Store, StoreError};
use crate::call::disposition::Disposition;
use crate::call::record::{CallEnd, CallRecord, Direction, Latency, PromptRecord, TurnOutcome, TurnRecord};
use crate::dialplan::outcome::{Outcome, OutcomeKind};
use crate::id::CallId;
use crate::language::Language;
use crate::media::{MediaSummary, Recording};
use crate::pii::Pii;
use crate::rtp::{Codec, Quality};
use crate::sip::ladder::{Ladder, Rung};
use crate::sip::{Protocol, Reason};
use crate::value::{Amount, Currency, Value};

mod closing;
pub(crate) use closing::*;

/// Tests of one store: `$fresh` makes an empty one, and whatever must live as long as it.
macro_rules! suite {
    ($fresh:path) => {
        crate::store::conformance::suite!(@each $fresh:
            a_record_comes_back_exactly
            a_call_that_nobody_answered_comes_back_exactly
            extreme_numbers_and_words_come_back_exactly
            every_end_comes_back_exactly
            every_kind_of_outcome_comes_back_exactly
            an_opt_out_closes_its_number_in_the_transaction_of_its_call
            a_call_that_is_not_stored_closes_nothing
            a_closed_number_stays_as_it_was_said_first
            a_number_is_closed_in_its_scope_and_until_its_end
            each_reason_closes_by_itself_and_decisions_see_them_all
            what_is_lifted_is_kept_and_what_a_person_asked_for_is_not_lifted_in_passing
            a_lifted_opt_out_stays_lifted_when_the_record_of_its_call_follows
            a_list_takes_the_place_of_its_last_version_and_of_nothing_else
            a_list_that_breaks_off_or_shrinks_leaves_the_last_one_whole
            a_list_that_is_read_again_changes_nothing_but_its_day
            entries_are_counted_by_kind_and_paged_through
            hashed_numbers_are_closed_and_opened_like_plain_ones
            saving_twice_is_saving_once
            all_of_a_batch_or_none
            many_calls_saved_together_come_back_exactly
            the_latest_come_first_and_no_more_than_asked_for
            only_calls_since_then_are_listed
            a_call_is_found_by_the_beginning_of_its_id
            a_beginning_that_fits_two_calls_is_ambiguous
            an_unknown_id_is_an_error_that_names_it
        );
    };
    (@each $fresh:path: $($name:ident)*) => {
        $(#[tokio::test]
        async fn $name() {
            let (store, _kept) = $fresh().await;
            crate::store::conformance::$name(&store).await;
        })*
    };
}
pub(crate) use suite;

/// A call at 2026-01-05 15:00 UTC and `number` minutes, in which everything happened.
pub(crate) fn full_record(number: u8) -> CallRecord {
    let said = |step: &str, text: &str, at_ms, played_ms, total_ms| PromptRecord {
        step: step.into(),
        text: text.into(),
        at_ms,
        played_ms,
        total_ms,
        protected: step == "welcome",
        interrupted: played_ms < total_ms,
    };
    let turn = |outcome, at_ms| TurnRecord {
        step: "main".into(),
        quest: 0,
        language: None,
        attempt: 1,
        at_ms,
        outcome,
        meaning: None,
        heard: None,
        keys: None,
        confidence: None,
        barge_in_ms: None,
        latency: None,
    };
    let latency = Latency {
        endpointing_ms: 262.25,
        queue_ms: 0.5,
        recognition_ms: 61.0,
        understanding_ms: 0.75,
        first_packet_ms: 11.5,
        total_ms: 336.0,
    };
    CallRecord {
        language: None,
        outcomes: Vec::new(),
        answered_at: Some(arrival(number) + jiff::SignedDuration::new(0, 212_345_678)),
        ended_at: arrival(number) + jiff::SignedDuration::new(31, 999_999_999),
        end: CallEnd::Completed,
        disposition: Some(Disposition::Answered),
        result: Some("balance".into()),
        path: vec!["welcome".into(), "main".into(), "balance".into()],
        turns: vec![
            TurnRecord { latency: None, ..turn(TurnOutcome::NoInput, 9_200) },
            TurnRecord {
                heard: Some(Pii::new("how much is in my account".into())),
                confidence: Some(0.83),
                meaning: Some("balance".into()),
                barge_in_ms: Some(1_200),
                latency: Some(latency),
                quest: 2,
                language: Language::parse("zh-CN").ok(),
                attempt: 2,
                ..turn(TurnOutcome::Speech, 11_400)
            },
            TurnRecord {
                keys: Some(Pii::new("1234#".into())),
                meaning: Some("pin".into()),
                latency: Some(Latency { first_packet_ms: 20.0, total_ms: 20.0, ..Latency::default() }),
                ..turn(TurnOutcome::Keys, 18_050)
            },
        ],
        prompts: vec![
            said("welcome", "Welcome to Example Bank. This call is recorded.", Some(0), 5_200, 5_200),
            said("main", "What can I do for you?", Some(5_200), 1_400, 1_400),
            said("main", "You can say, for example: my balance.", Some(10_200), 1_200, 3_400),
            said("balance", "Your balance is on its way — 您好.", None, 0, 2_000),
        ],
        media: MediaSummary {
            packets_in: 1_600,
            packets_out: 1_588,
            lost: 3,
            late: 1,
            refused: 2,
            jitter_ms: 1.625,
            late_ticks: 4,
            recording_paused_ms: 5_380,
            recording: Recording::Saved { path: "/var/lib/trunkline/recordings/call.wav".into() },
            codec: Some(Codec::Opus),
            secured: Some("AES_CM_128_HMAC_SHA1_80".into()),
            quality: Box::new(Quality {
                mos: Some(4.25),
                mos_there: Some(3.5),
                round_trip_ms: Some(80.5),
                loss_percent: 0.1875,
                late_percent: 0.0625,
                burst_ratio: 1.5,
                buffer_ms: 40,
                buffer_bounds_ms: Some([20, 120]),
                concealed: 5,
                duplicates: 1,
                reordered: 2,
                jumps: 3,
                ssrc_changes: 4,
                drift_ppm: Some(-12.5),
                loss_there_percent: Some(0.5),
                jitter_there_ms: Some(2.125),
                rtcp_in: 6,
                rtcp_out: 7,
            }),
        },
        ladder: Ladder {
            rungs: vec![rung(0, false, "INVITE sip:…@192.0.2.1 SIP/2.0"), rung(4, true, "SIP/2.0 100 Trying")],
            left_out: 2,
        },
        reason: Some(Reason { protocol: Protocol::Q850, cause: 16, text: Some("Normal call clearing".into()) }),
        made_for: Some(CallId::new(arrival(9), 9)),
        ..bare_record(number)
    }
}

fn rung(at_ms: u64, sent: bool, line: &str) -> Rung {
    Rung {
        at_ms,
        sent,
        transport: "udp".into(),
        peer: ([192, 0, 2, 7], 5060).into(),
        line: line.into(),
        cseq: "1 INVITE".into(),
        note: sent.then(|| "Warning: 399 – no room".into()),
        bytes: 812,
        again: u16::from(sent),
    }
}

/// A call that ended before it was answered.
pub(crate) fn bare_record(number: u8) -> CallRecord {
    CallRecord {
        language: None,
        outcomes: Vec::new(),
        id: CallId::new(arrival(number), u128::from(number)),
        direction: Direction::Inbound,
        peer: "local".into(),
        sip_call_id: format!("{number}@192.0.2.7"),
        caller: Pii::new("+12025550123".into()),
        called: Pii::new("1000".into()),
        plan: "bank-main".into(),
        plan_version: "0123456789abcdef".into(),
        arrived_at: arrival(number),
        answered_at: None,
        ended_at: arrival(number) + jiff::SignedDuration::from_secs(4),
        end: CallEnd::Cancelled,
        disposition: None,
        result: None,
        path: Vec::new(),
        turns: Vec::new(),
        prompts: Vec::new(),
        media: MediaSummary::default(),
        ladder: Ladder::default(),
        reason: None,
        made_for: None,
    }
}

pub(crate) fn arrival(number: u8) -> Timestamp {
    let base = Timestamp::from_second(1_767_625_200).expect("2026 is in range");
    base + jiff::SignedDuration::from_mins(number.into())
}

async fn comes_back(store: &impl Store, record: CallRecord) {
    store.save(std::slice::from_ref(&record)).await.unwrap();
    assert_eq!(store.get(record.id.as_str()).await.unwrap(), record);
}

pub(crate) async fn a_record_comes_back_exactly(store: &impl Store) {
    comes_back(store, full_record(1)).await;
}

pub(crate) async fn a_call_that_nobody_answered_comes_back_exactly(store: &impl Store) {
    comes_back(store, bare_record(1)).await;
}

pub(crate) async fn extreme_numbers_and_words_come_back_exactly(store: &impl Store) {
    let mut record = full_record(1);
    record.media.packets_in = u64::MAX;
    record.media.jitter_ms = f64::MIN_POSITIVE;
    record.media.recording = Recording::Failed { reason: "no room left'); drop table calls; --".into() };
    record.prompts[0].text = "\u{0}\n\"'%_😀\u{202e}".into();
    record.turns[1].confidence = Some(0.1 + 0.2);
    record.turns[1].attempt = u32::MAX;
    record.caller = Pii::new(String::new());
    record.path = vec!["a, \"b\"".into()];
    comes_back(store, record).await;
}

/// Every way in which a call may end, with and without what may be said of it.
pub(crate) fn every_end() -> Vec<CallEnd> {
    vec![
        CallEnd::Completed,
        CallEnd::CallerHungUp,
        CallEnd::Cancelled,
        CallEnd::Rejected(486),
        CallEnd::Refused(603),
        CallEnd::NoAnswer,
        CallEnd::Unreachable(None),
        CallEnd::Unreachable(Some("nothing came back from udp:192.0.2.1:5060".into())),
        CallEnd::Transferred,
        CallEnd::Expired,
        CallEnd::Interrupted,
        CallEnd::NoAck,
        CallEnd::NoMedia,
        CallEnd::Drained,
        CallEnd::Failed("the \"disk\" is full".into()),
    ]
}

pub(crate) async fn every_end_comes_back_exactly(store: &impl Store) {
    for (number, end) in (0..).zip(every_end()) {
        comes_back(store, CallRecord { end, ..bare_record(number) }).await;
    }
}

/// One fact of every kind.
pub(crate) fn every_outcome() -> Vec<Outcome> {
    let amount = Value::Amount(Amount { minor: 20_000, currency: Currency::USD });
    let day = Value::Date(jiff::civil::date(2026, 1, 9));
    let words = |text: &str| Pii::new(text.to_owned());
    let kinds = vec![
        OutcomeKind::Tag { name: "reason".into(), value: Pii::new(Value::text("'); drop table outcomes; --")) },
        OutcomeKind::Tag { name: "ratio".into(), value: Pii::new(Value::Number(0.1 + 0.2)) },
        OutcomeKind::Verified { passed: true, factors: vec!["born".into(), "postcode".into()], tries: 2 },
        OutcomeKind::Promise { parts: Pii::new(vec![(amount.clone(), day.clone()), (amount.clone(), Value::Nothing)]) },
        OutcomeKind::Rating { name: "nps".into(), score: 9, min: 0, max: 10 },
        OutcomeKind::Comment { name: "why".into(), text: words("太贵了 😀"), themes: vec!["price".into()] },
        OutcomeKind::OptOut { scope: EVERYWHERE.into(), number: words("+12025550123"), said: words("stop calling me") },
        OutcomeKind::Message { file: "messages/2026-01/05/01.wav".into(), ms: 12_345 },
        OutcomeKind::Voicemail { left: false, played_ms: 1_240 },
        OutcomeKind::CallBack {
            at: Pii::new(Value::Moment(jiff::civil::datetime(2026, 1, 6, 17, 0, 0, 0))),
            until: Some(Pii::new(Value::Moment(jiff::civil::datetime(2026, 1, 6, 18, 0, 0, 0)))),
            number: None,
        },
        OutcomeKind::CallBack { at: Pii::new(Value::Nothing), until: None, number: Some(words("+12025550124")) },
        OutcomeKind::Unanswered { question: words("do you deliver to the moon") },
        OutcomeKind::Errand { name: "http".into(), end: "timeout".into() },
        OutcomeKind::Form { values: Pii::new([("due".to_owned(), amount), ("on".to_owned(), day)].into()) },
    ];
    kinds.into_iter().map(|kind| Outcome { step: "ask".into(), kind }).collect()
}

/// A number that was closed in the call of that number, at its arrival.
pub(crate) fn closed(number: u8, scope: &str) -> Suppression {
    Suppression {
        number: Pii::new("+12025550123".into()),
        scope: scope.into(),
        reason: "opt_out".into(),
        source: "call".into(),
        list: None,
        call: Some(bare_record(number).id),
        said: Some(Pii::new("stop calling me".into())),
        note: None,
        by: None,
        created_at: arrival(number),
        expires_at: None,
        lifted: None,
    }
}

async fn is_closed(store: &impl Store, scope: Option<&str>, now: Timestamp) -> Option<Suppression> {
    let number = NumberPolicy::FULL.sought(&Pii::new("+12025550123".to_owned()), None);
    store.suppressed(&number, scope, now).await.unwrap()
}

fn opted_out(number: u8) -> CallRecord {
    CallRecord { outcomes: every_outcome(), language: Some(Language::english()), ..bare_record(number) }
}

pub(crate) async fn every_kind_of_outcome_comes_back_exactly(store: &impl Store) {
    comes_back(store, opted_out(1)).await;
    let many = (0..100).map(|_| every_outcome().remove(4)).collect();
    comes_back(store, CallRecord { outcomes: many, ..bare_record(2) }).await;
}

pub(crate) async fn an_opt_out_closes_its_number_in_the_transaction_of_its_call(store: &impl Store) {
    store.save(&[bare_record(0)]).await.unwrap();
    assert_eq!(is_closed(store, None, arrival(9)).await, None);
    store.save(&[opted_out(1)]).await.unwrap();
    let expect = Suppression { created_at: opted_out(1).ended_at, ..closed(1, EVERYWHERE) };
    assert_eq!(is_closed(store, None, arrival(9)).await, Some(expect));
}

pub(crate) async fn a_call_that_is_not_stored_closes_nothing(store: &impl Store) {
    let mut bad = bare_record(2);
    bad.arrived_at = Timestamp::MIN;
    assert!(store.save(&[opted_out(1), bad]).await.is_err());
    assert_eq!(is_closed(store, None, arrival(9)).await, None);
    assert!(store.get(opted_out(1).id.as_str()).await.is_err());
    // And the other way round: a number that cannot be closed keeps its call out.
    let mut bad = opted_out(3);
    bad.ended_at = Timestamp::MIN;
    assert!(store.save(&[bad.clone()]).await.is_err());
    assert!(store.get(bad.id.as_str()).await.is_err());
}

pub(crate) async fn a_closed_number_stays_as_it_was_said_first(store: &impl Store) {
    // At once, then again with the record of the call, then in another call.
    store.suppress(&[closed(1, EVERYWHERE)]).await.unwrap();
    store.save(&[opted_out(1)]).await.unwrap();
    store.suppress(&[closed(5, EVERYWHERE), closed(1, EVERYWHERE)]).await.unwrap();
    assert_eq!(is_closed(store, None, arrival(9)).await, Some(closed(1, EVERYWHERE)));
    assert_eq!(store.get(opted_out(1).id.as_str()).await.unwrap(), opted_out(1));
}

pub(crate) async fn a_number_is_closed_in_its_scope_and_until_its_end(store: &impl Store) {
    let passing = Suppression { expires_at: Some(arrival(5)), ..closed(1, "spring") };
    store.suppress(std::slice::from_ref(&passing)).await.unwrap();
    assert_eq!(is_closed(store, None, arrival(2)).await, None);
    assert_eq!(is_closed(store, Some("autumn"), arrival(2)).await, None);
    assert_eq!(is_closed(store, Some("spring"), arrival(2)).await, Some(passing.clone()));
    assert_eq!(is_closed(store, Some("spring"), arrival(5)).await, None, "it is open again");
    // For good from now on, and no end that is said later opens it.
    store.suppress(&[closed(6, "spring"), passing]).await.unwrap();
    assert_eq!(is_closed(store, Some("spring"), arrival(9)).await, Some(closed(6, "spring")));
    // Everywhere is told first.
    store.suppress(&[closed(7, EVERYWHERE)]).await.unwrap();
    assert_eq!(is_closed(store, Some("spring"), arrival(9)).await, Some(closed(7, EVERYWHERE)));
    let nobody = NumberPolicy::FULL.sought(&Pii::new(String::new()), None);
    assert_eq!(store.suppressed(&nobody, Some("spring"), arrival(9)).await.unwrap(), None);
}

pub(crate) async fn saving_twice_is_saving_once(store: &impl Store) {
    let record = full_record(1);
    store.save(&[record.clone(), record.clone()]).await.unwrap();
    // A second try after an unclear failure changes nothing, whatever it carries.
    store.save(&[CallRecord { turns: Vec::new(), ..record.clone() }]).await.unwrap();
    assert_eq!(store.get(record.id.as_str()).await.unwrap(), record);
    assert_eq!(store.list(&CallFilter::default()).await.unwrap().len(), 1);
}

pub(crate) async fn all_of_a_batch_or_none(store: &impl Store) {
    let mut bad = full_record(2);
    // Outside what a database's time can hold.
    bad.arrived_at = Timestamp::MIN;
    let refused = store.save(&[full_record(1), bad, full_record(3)]).await;
    assert!(matches!(&refused, Err(error) if error.is_of_a_record()), "{refused:?}");
    assert_eq!(store.list(&CallFilter::default()).await.unwrap(), []);
}

pub(crate) async fn many_calls_saved_together_come_back_exactly(store: &impl Store) {
    let record = |number: u8| if number.is_multiple_of(3) { bare_record(number) } else { full_record(number) };
    store.save(&[record(7), record(9)]).await.unwrap();
    // As many as need statements of every length, and two that are there already.
    let records: Vec<_> = (0..=100).map(record).collect();
    store.save(&records).await.unwrap();
    for record in &records {
        assert_eq!(&store.get(record.id.as_str()).await.unwrap(), record);
    }
    let all = store.list(&CallFilter { limit: 1_000, since: None }).await.unwrap();
    assert_eq!(all.len(), records.len());
}

pub(crate) async fn the_latest_come_first_and_no_more_than_asked_for(store: &impl Store) {
    store.save(&[full_record(2), bare_record(1), full_record(3)]).await.unwrap();
    let listed = store.list(&CallFilter { limit: 2, since: None }).await.unwrap();
    assert_eq!(listed.iter().map(|call| call.id.clone()).collect::<Vec<_>>(), [full_record(3).id, full_record(2).id]);
    assert_eq!((listed[0].turns, listed[0].result.as_deref()), (3, Some("balance")));
    assert_eq!(listed[0].caller, full_record(3).caller);
}

pub(crate) async fn only_calls_since_then_are_listed(store: &impl Store) {
    store.save(&[bare_record(1), bare_record(2), bare_record(3)]).await.unwrap();
    let listed = store.list(&CallFilter { limit: 9, since: Some(arrival(2)) }).await.unwrap();
    assert_eq!(listed.iter().map(|call| call.arrived_at).collect::<Vec<_>>(), [arrival(3), arrival(2)]);
}

pub(crate) async fn a_call_is_found_by_the_beginning_of_its_id(store: &impl Store) {
    store.save(&[bare_record(1), bare_record(200)]).await.unwrap();
    let id = bare_record(200).id;
    let beginning = format!(" {} ", &id.as_str()[..8].to_lowercase());
    assert_eq!(store.get(&beginning).await.unwrap().id, id);
}

pub(crate) async fn a_beginning_that_fits_two_calls_is_ambiguous(store: &impl Store) {
    store.save(&[bare_record(1), bare_record(2)]).await.unwrap();
    for typed in ["", "0", &bare_record(1).id.as_str()[..6]] {
        let error = store.get(typed).await.unwrap_err();
        let StoreError::Ambiguous { first, second, .. } = error else { panic!("{error}") };
        assert_eq!((first, second), (bare_record(1).id, bare_record(2).id));
    }
}

pub(crate) async fn an_unknown_id_is_an_error_that_names_it(store: &impl Store) {
    store.save(&[bare_record(1)]).await.unwrap();
    for typed in ["7ZZZ", "%", "0' or '1'='1", "🦀"] {
        let error = store.get(typed).await.unwrap_err();
        assert!(matches!(&error, StoreError::NoSuchCall(_)), "{error}");
        assert!(error.to_string().contains(&typed.to_ascii_uppercase()), "{error}");
    }
}
