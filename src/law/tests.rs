//! What the law says, at its edges.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::decide::{Act, CLOCKS, Cause, Ruling, Verdict, decide};
use super::facts::{Basis, CallerId, CameTo, Closed, Consent, Contact, History, Lead, Purpose, Share, Zone};
use super::pack::Packs;
use super::read::load_str;
use crate::pii::Pii;
use crate::routing::region::LineType;

const NEW_YORK: &str = "America/New_York";
const LOS_ANGELES: &str = "America/Los_Angeles";

fn packs(texts: &[&str]) -> Packs {
    let each = texts.iter().map(|text| match load_str("test.yaml", text) {
        Ok(pack) => pack,
        Err(faults) => panic!("{faults}"),
    });
    Packs::new(each.collect())
}

/// A pack of one rule.
fn only(rule: &str) -> Packs {
    packs(&[&format!("pack: test\nversion: \"1\"\ntitle: a test\nrules:\n  it: {{ {rule}, source: house }}\n")])
}

/// The same beside a rule about every call, which allows it: where no rule speaks of a call, nobody is called.
fn beside(packs: &Packs) -> Packs {
    Packs::new([packs.each(), only("never_lines: [premium]").each()].concat())
}

fn at(zone: &str, text: &str) -> Timestamp {
    let wall: jiff::civil::DateTime = text.parse().expect("a date and a time");
    TimeZone::get(zone).expect("a zone").to_timestamp(wall).expect("in range")
}

fn lead(zones: &[&str]) -> Lead {
    Lead {
        number: Pii::new("+12125550123".to_owned()),
        country: "US".to_owned(),
        state: Some("US-NY".to_owned()),
        line: LineType::Mobile,
        zones: zones.iter().map(|name| Zone::named(name).expect("a zone")).collect(),
        purpose: Purpose::Collection,
        debt: Some("d1".to_owned()),
        consent: None,
        caller_id: CallerId { number: "+12125550100".to_owned(), owned: true },
        longest: SignedDuration::from_mins(10),
        person_reserved: false,
    }
}

fn nothing_yet(now: Timestamp) -> History {
    History {
        read_at: now,
        complete_since: Timestamp::MIN,
        contacts: Vec::new(),
        closed: Vec::new(),
        caller_id_shown: Vec::new(),
        abandoned: vec![Share { days: 30, answered: 0, abandoned: 0 }],
    }
}

fn contact(at: Timestamp, placed: bool, came_to: CameTo) -> Contact {
    let number = Pii::new("+12125550123".to_owned());
    Contact { at, over: at, number, placed, debts: vec!["d1".to_owned()], came_to }
}

fn with(now: Timestamp, contacts: Vec<Contact>) -> History {
    History { contacts, ..nothing_yet(now) }
}

/// What is decided about a call, told without the seconds that clocks may be wrong by.
fn ruling(lead: &Lead, history: &History, packs: &Packs, now: Timestamp) -> Ruling {
    about(Act::Call, lead, history, packs, now)
}

fn about(act: Act, lead: &Lead, history: &History, packs: &Packs, now: Timestamp) -> Ruling {
    let history = History { read_at: history.read_at + CLOCKS, ..history.clone() };
    match decide(act, lead, &history, packs, now + CLOCKS).ruling {
        Ruling::NotBefore(until) => Ruling::NotBefore(until - CLOCKS),
        ruling => ruling,
    }
}

const DAYTIME: &str = "window: { hours: { daily: \"08:00-21:00\" }, before_end: 5min }";

#[test]
fn a_call_begins_and_ends_inside_the_hours() {
    let (packs, lead) = (only(DAYTIME), lead(&[NEW_YORK]));
    let ruled = |text| {
        let now = at(NEW_YORK, text);
        ruling(&lead, &nothing_yet(now), &packs, now)
    };
    let morning = |text| Ruling::NotBefore(at(NEW_YORK, text));
    assert_eq!(ruled("2026-03-04T07:59:59"), morning("2026-03-04T08:00"));
    assert_eq!(ruled("2026-03-04T08:00"), Ruling::Allow);
    assert_eq!(ruled("2026-03-04T20:44:52"), Ruling::Allow, "ten minutes, five before nine, and the clocks");
    assert_eq!(ruled("2026-03-04T20:44:53"), morning("2026-03-05T08:00"));
}

#[test]
fn a_clock_that_is_a_second_fast_calls_nobody_a_second_early() {
    let (packs, lead) = (only(DAYTIME), lead(&[NEW_YORK]));
    let eight = at(NEW_YORK, "2026-03-04T08:00");
    let asked = |now| decide(Act::Call, &lead, &nothing_yet(now), &packs, now).ruling;
    assert_eq!(asked(eight), Ruling::NotBefore(eight + CLOCKS));
    assert_eq!(asked(eight + CLOCKS), Ruling::Allow);
}

#[test]
fn who_may_be_in_either_of_two_zones_is_called_when_both_are_awake() {
    let (packs, lead) = (only(DAYTIME), lead(&[NEW_YORK, LOS_ANGELES]));
    let ruled = |text| {
        let now = at(NEW_YORK, text);
        ruling(&lead, &nothing_yet(now), &packs, now)
    };
    assert_eq!(ruled("2026-03-04T10:59"), Ruling::NotBefore(at(LOS_ANGELES, "2026-03-04T08:00")));
    assert_eq!(ruled("2026-03-04T11:00"), Ruling::Allow);
    assert_eq!(ruled("2026-03-04T20:46"), Ruling::NotBefore(at(LOS_ANGELES, "2026-03-05T08:00")));
}

#[test]
fn zones_that_never_share_an_hour_are_never_called() {
    let (packs, lead) = (only(DAYTIME), lead(&["Asia/Shanghai", "Europe/London", NEW_YORK]));
    let now = at(NEW_YORK, "2026-11-20T12:00");
    assert_eq!(ruling(&lead, &nothing_yet(now), &packs, now), Ruling::Never);
}

#[test]
fn clocks_that_go_forward_open_the_hours_by_the_clock() {
    // 8 March 2026: New York goes from 02:00 to 03:00.
    let (packs, lead) = (only(DAYTIME), lead(&[NEW_YORK]));
    let night = at(NEW_YORK, "2026-03-07T23:00");
    let morning: Timestamp = "2026-03-08T12:00:00Z".parse().expect("a moment");
    assert_eq!(ruling(&lead, &nothing_yet(night), &packs, night), Ruling::NotBefore(morning));
}

#[test]
fn holidays_are_skipped_where_the_person_is() {
    let window = "window: { hours: { mon-fri: \"09:00-20:00\" }, holidays: { Christmas: 12-25 } }";
    let (packs, lead) = (only(window), lead(&[NEW_YORK]));
    let evening = at(NEW_YORK, "2026-12-24T21:00");
    let monday = at(NEW_YORK, "2026-12-28T09:00");
    assert_eq!(ruling(&lead, &nothing_yet(evening), &packs, evening), Ruling::NotBefore(monday));
}

const SEVEN: &str = "limit: { calls: 7, within: 7 days, per: debt }";

#[test]
fn seven_calls_in_seven_days_and_the_eighth_waits_for_the_first_to_be_a_week_ago() {
    let (packs, lead) = (only(SEVEN), lead(&[NEW_YORK]));
    let now = at(NEW_YORK, "2026-03-04T15:00");
    let hours = |ago: i64| now - SignedDuration::from_hours(ago);
    let calls = |count: i64| (1..=count).map(|ago| contact(hours(ago), true, CameTo::Unreached)).collect();
    assert_eq!(ruling(&lead, &with(now, calls(6)), &packs, now), Ruling::Allow);
    let wait = hours(7) + SignedDuration::from_hours(7 * 24);
    assert_eq!(ruling(&lead, &with(now, calls(7)), &packs, now), Ruling::NotBefore(wait));
    // The week that ends with the hour that is put back is an hour longer than seven times 24.
    let first = at(NEW_YORK, "2026-10-26T00:30");
    let week: Vec<Contact> = (0..7).map(|_| contact(first, true, CameTo::Unreached)).collect();
    let later = first + SignedDuration::from_hours(7 * 24);
    assert_eq!(ruling(&lead, &with(later, week), &packs, later), Ruling::NotBefore(at(NEW_YORK, "2026-11-02T00:00")));
}

#[test]
fn a_conversation_closes_the_week_whoever_called() {
    let (packs, lead) = (only("gap: { after: conversation, for: 7 days, per: debt }"), lead(&[NEW_YORK]));
    let talk = at(NEW_YORK, "2026-04-06T16:00");
    let now = at(NEW_YORK, "2026-04-12T18:00");
    let week = talk + SignedDuration::from_hours(7 * 24);
    for placed in [true, false] {
        let history = with(now, vec![contact(talk, placed, CameTo::Conversation)]);
        assert_eq!(ruling(&lead, &history, &packs, now), Ruling::NotBefore(week));
        assert_eq!(ruling(&lead, &History { read_at: week, ..history }, &packs, week), Ruling::Allow);
    }
    let rang_out = with(now, vec![contact(talk, true, CameTo::Unreached)]);
    assert_eq!(ruling(&lead, &rang_out, &packs, now), Ruling::Allow);
    let unknown = with(now, vec![contact(talk, false, CameTo::Open)]);
    assert_eq!(ruling(&lead, &unknown, &packs, now), Ruling::NotBefore(week), "it may have been a conversation");
}

#[test]
fn another_debt_has_a_count_of_its_own_and_an_unknown_one_counts_for_all() {
    let (packs, lead) = (only("limit: { calls: 1, within: 7 days, per: debt }"), lead(&[NEW_YORK]));
    let now = at(NEW_YORK, "2026-04-12T18:00");
    let yesterday = now - SignedDuration::from_hours(24);
    let about = |debts: &[&str]| {
        let debts = debts.iter().map(|debt| (*debt).to_owned()).collect();
        let history = with(now, vec![Contact { debts, ..contact(yesterday, true, CameTo::Unreached) }]);
        ruling(&lead, &history, &packs, now)
    };
    assert_eq!(about(&["d2"]), Ruling::Allow);
    assert_ne!(about(&["d1", "d2"]), Ruling::Allow);
    assert_ne!(about(&[]), Ruling::Allow);
}

#[test]
fn what_happened_before_the_history_begins_is_taken_for_the_worst() {
    let (packs, lead) = (only("limit: { calls: 4, within: 7 days }"), lead(&[NEW_YORK]));
    let now = at(NEW_YORK, "2026-04-12T18:00");
    let moved = now - SignedDuration::from_hours(24);
    let history = History { complete_since: moved, ..nothing_yet(now) };
    let week = moved + SignedDuration::from_hours(7 * 24);
    assert_eq!(ruling(&lead, &history, &packs, now), Ruling::NotBefore(week));
}

#[test]
fn consent_is_asked_of_mobile_lines_and_of_those_that_may_be() {
    let rule = "consent: [express, written], about: { lines: [mobile] }";
    let now = at(NEW_YORK, "2026-04-12T18:00");
    let given = |given_at, evidence: &str| Consent {
        basis: Basis::Express,
        evidence: Pii::new(evidence.to_owned()),
        given_at,
        revoked_at: None,
        expires_at: None,
    };
    let asked = |line, consent| {
        let lead = Lead { line, consent, ..lead(&[NEW_YORK]) };
        ruling(&lead, &nothing_yet(now), &beside(&only(rule)), now)
    };
    for line in [LineType::Mobile, LineType::FixedOrMobile, LineType::Unknown] {
        assert_eq!(asked(line, None), Ruling::Never, "{line:?}");
    }
    assert_eq!(asked(LineType::Fixed, None), Ruling::Allow);
    let before = now - SignedDuration::from_hours(1);
    assert_eq!(asked(LineType::Mobile, Some(given(before, "form 12"))), Ruling::Allow);
    assert_eq!(asked(LineType::Mobile, Some(given(before, " "))), Ruling::Never, "without evidence it is none");
    let tomorrow = now + SignedDuration::from_hours(24);
    assert_eq!(asked(LineType::Mobile, Some(given(tomorrow, "form 12"))), Ruling::Never, "from tomorrow");
    let revoked = Consent { revoked_at: Some(before), ..given(before, "form 12") };
    assert_eq!(asked(LineType::Mobile, Some(revoked)), Ruling::Never);
    let over = Consent { expires_at: Some(now), ..given(before, "form 12") };
    assert_eq!(asked(LineType::Mobile, Some(over)), Ruling::Never);
}

#[test]
fn a_suppression_holds_until_it_is_over() {
    let (packs, lead) = (only("suppression: any"), lead(&[NEW_YORK]));
    let now = at(NEW_YORK, "2026-04-12T18:00");
    let closed = |until| Closed { reason: "opt_out".to_owned(), source: "call".to_owned(), since: now, until };
    let ruled = |closed| ruling(&lead, &History { closed: vec![closed], ..nothing_yet(now) }, &packs, now);
    assert_eq!(ruled(closed(None)), Ruling::Never);
    let later = now + SignedDuration::from_hours(48);
    assert_eq!(ruled(closed(Some(later))), Ruling::NotBefore(later));
    assert_eq!(ruled(closed(Some(now))), Ruling::Allow);
    let before = now - SignedDuration::from_hours(1);
    assert_eq!(ruled(closed(Some(before))), Ruling::Never, "it ends before it begins");
}

#[test]
fn only_a_number_of_ours_that_is_shown_and_not_too_often() {
    let packs = only("caller_id: { a_day: 2 }");
    let now = at(NEW_YORK, "2026-04-12T18:00");
    let asked = |number: &str, owned, shown: &[i64]| {
        let caller_id = CallerId { number: number.to_owned(), owned };
        let caller_id_shown = shown.iter().map(|ago| now - SignedDuration::from_hours(*ago)).collect();
        let history = History { caller_id_shown, ..nothing_yet(now) };
        ruling(&Lead { caller_id, ..lead(&[NEW_YORK]) }, &history, &packs, now)
    };
    assert_eq!(asked("+12125550100", true, &[1]), Ruling::Allow);
    assert_eq!(asked("+12125550100", false, &[]), Ruling::Never);
    assert_eq!(asked("", true, &[]), Ruling::Never);
    assert_eq!(asked("+12125550100", true, &[5, 1]), Ruling::NotBefore(now + SignedDuration::from_hours(19)));
}

#[test]
fn who_heard_nobody_is_left_alone_unless_a_person_stands_by() {
    let packs = only("gap: { after: abandoned, for: 72 hours, per: number, unless_reserved: true }");
    let now = at("Europe/London", "2026-04-12T18:00");
    let yesterday = now - SignedDuration::from_hours(24);
    let history = with(now, vec![contact(yesterday, true, CameTo::Abandoned)]);
    let waits = Ruling::NotBefore(yesterday + SignedDuration::from_hours(72));
    assert_eq!(ruling(&lead(&["Europe/London"]), &history, &packs, now), waits);
    let reserved = Lead { person_reserved: true, ..lead(&["Europe/London"]) };
    assert_eq!(ruling(&reserved, &history, &packs, now), Ruling::Allow);
}

#[test]
fn beyond_those_who_stand_by_nobody_is_called_near_the_limit() {
    let packs = only("abandoned: { most: 0.03, days: 30 }");
    let now = at(NEW_YORK, "2026-04-12T18:00");
    let asked = |abandoned: Vec<Share>, person_reserved| {
        let lead = Lead { person_reserved, ..lead(&[NEW_YORK]) };
        ruling(&lead, &History { abandoned, ..nothing_yet(now) }, &packs, now)
    };
    let share = |abandoned| vec![Share { days: 30, answered: 1_000, abandoned }];
    assert_eq!(asked(share(24), false), Ruling::Allow, "80 % of 3 %");
    assert_eq!(asked(share(25), false), Ruling::Never);
    assert_eq!(asked(share(25), true), Ruling::Allow);
    assert_eq!(asked(Vec::new(), false), Ruling::Never, "nobody counted");
}

#[test]
fn together_packs_are_as_strict_as_the_strictest_and_find_the_same_hour_in_any_order() {
    let narrow = "pack: a\nversion: \"1\"\ntitle: narrow\nrules:\n  hours: { window: { hours: { daily: \"09:00-12:00\" } }, source: house }\n";
    let wide = "pack: b\nversion: \"1\"\ntitle: wide\nrules:\n  hours: { window: { hours: { daily: \"08:00-21:00\" } }, source: house }\n  rare: { gap: { after: call, for: 20 hours }, source: house }\n";
    let lead = Lead { longest: SignedDuration::from_mins(1), ..lead(&[NEW_YORK]) };
    let called = at(NEW_YORK, "2026-04-12T18:00");
    let history = with(called, vec![contact(called, true, CameTo::Unreached)]);
    let next = Ruling::NotBefore(at(NEW_YORK, "2026-04-14T09:00"));
    for texts in [[narrow, wide], [wide, narrow]] {
        assert_eq!(ruling(&lead, &history, &packs(&texts), called), next, "20 hours later it is two in the afternoon");
    }
}

#[test]
fn a_rule_holds_in_its_time() {
    let packs = beside(&only("suppression: any, from: 2026-08-02, until: 2026-12-31"));
    let ruled = |text| {
        let now = at(NEW_YORK, text);
        let closed = Closed { reason: "opt_out".to_owned(), source: "list".to_owned(), since: now, until: None };
        ruling(&lead(&[NEW_YORK]), &History { closed: vec![closed], ..nothing_yet(now) }, &packs, now)
    };
    assert_eq!(ruled("2026-08-01T23:59:59"), Ruling::Allow);
    assert_eq!(ruled("2026-08-02T00:00"), Ruling::Never);
    assert_eq!(ruled("2026-12-31T23:59:59"), Ruling::Never);
    assert_eq!(ruled("2027-01-01T00:00"), Ruling::Allow);
}

#[test]
fn whatever_is_missing_or_contradicts_itself_is_a_no() {
    let packs = only(DAYTIME);
    let now = at(NEW_YORK, "2026-04-12T18:00");
    let fault = |lead: &Lead, history: &History, packs: &Packs| {
        let Verdict { ruling, by } = decide(Act::Call, lead, history, packs, now);
        assert_ne!(ruling, Ruling::Allow);
        match by {
            Some(Cause::Unsound(fault)) => fault.name(),
            _ => panic!("no fault was found"),
        }
    };
    let (good, known) = (lead(&[NEW_YORK]), nothing_yet(now));
    assert_eq!(ruling(&good, &known, &packs, now), Ruling::Allow);
    assert_eq!(fault(&good, &known, &Packs::default()), "no-pack");
    let elsewhere = only(&format!("{DAYTIME}, about: {{ countries: [GB] }}"));
    assert_eq!(fault(&good, &known, &elsewhere), "no-pack", "no rule speaks of such a call");
    assert_eq!(fault(&lead(&[]), &known, &packs), "no-zone");
    for number in ["", "12125550123", "+1212555012x", "+1", "+1234567890123456"] {
        let number = Pii::new(number.to_owned());
        assert_eq!(fault(&Lead { number, ..good.clone() }, &known, &packs), "no-number");
    }
    assert_eq!(fault(&Lead { longest: SignedDuration::ZERO, ..good.clone() }, &known, &packs), "no-length");
    let seconds = SignedDuration::from_secs;
    assert_eq!(fault(&good, &History { read_at: now - seconds(3), ..known.clone() }, &packs), "stale");
    assert_eq!(fault(&good, &History { read_at: now + seconds(3), ..known.clone() }, &packs), "skewed");
    let tomorrow = contact(now + seconds(3), true, CameTo::Unreached);
    assert_eq!(fault(&good, &with(now, vec![tomorrow]), &packs), "skewed");
    let share = vec![Share { days: 30, answered: 1, abandoned: 2 }];
    assert_eq!(fault(&good, &History { abandoned: share, ..known }, &packs), "share-contradicts-itself");
}

#[test]
fn a_message_is_asked_for_by_itself() {
    let packs = beside(&only("limit: { messages: 1, within: 3 days }"));
    let now = at(NEW_YORK, "2026-04-12T18:00");
    let yesterday = now - SignedDuration::from_hours(24);
    let history = with(now, vec![contact(yesterday, true, CameTo::Message)]);
    assert_eq!(ruling(&lead(&[NEW_YORK]), &history, &packs, now), Ruling::Allow);
    let asked = about(Act::Message, &lead(&[NEW_YORK]), &history, &packs, now);
    assert_eq!(asked, Ruling::NotBefore(yesterday + SignedDuration::from_hours(72)));
}

#[test]
fn a_pack_with_a_typo_is_no_pack_and_says_where() {
    let told = |text: &str| match load_str("house.yaml", text) {
        Ok(_) => panic!("it was taken: {text}"),
        Err(faults) => faults.to_string(),
    };
    let with = |rule: &str| {
        told(&format!("pack: house\nversion: \"1\"\ntitle: ours\nrules:\n  hours: {{ {rule}, source: house }}\n"))
    };
    assert!(with("windw: { hours: { daily: 9-20 } }").contains("did you mean `window`?"));
    assert!(with("window: { hours: { daily: 9-20 }, befor_end: 5min }").contains("did you mean `before_end`?"));
    assert!(with("window: { hours: { daily: 22:00-06:00 } }").contains("reach into the next day"));
    assert!(with("limit: { calls: 7, within: 7 dayz }").contains("`7 dayz` is no period"));
    assert!(with("limit: { within: 7 days }").contains("must count one thing"));
    assert!(with("gap: { for: 7 days }").contains("does not say after what"));
    assert!(with("consent: [expres]").contains("did you mean `express`?"));
    assert!(with("ring: 15s, caller_id: { a_day: 3 }").contains("asks several things at once"));
    assert!(with("from: 2026-08-02").contains("asks nothing"));
    assert!(with("ring: 15s, from: 2026-13-02").contains("is no date"));
    assert!(with("ring: 15s, about: { purposes: [colection] }").contains("did you mean `collection`?"));
    assert!(with("ring: 15s, about: { countries: [usa] }").contains("write it like `US`"));
    assert!(told("pack: house\nversion: \"1\"\ntitle: ours\n").contains("without a rule"));
    assert!(told("pack: house\nrules: { a: { ring: 15s, source: x } }\n").contains("the pack has no version"));
    assert!(told("pack: x\nversion: \"1\"\ntitle: t\nrules: { a: { ring: 15s } }\n").contains("cites nothing"));
}
