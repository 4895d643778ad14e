//! What must be so whatever is asked.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::decide::{Act, Ruling, decide};
use super::facts::{CallerId, CameTo, Contact, History, Lead, Purpose, Zone};
use super::limit::{Counts, Limit, Per, Period};
use super::pack::{Pack, Packs};
use super::rule::{Kind, Rule, Scope};
use super::window::{Hour, Window};
use crate::pii::Pii;
use crate::routing::day::{DayRule, Days, Hours};
use crate::routing::region::LineType;

const ZONES: [&str; 10] = [
    "America/New_York",
    "America/Los_Angeles",
    "America/Santiago",
    "Africa/Cairo",
    "Europe/London",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "UTC",
];

fn zones() -> impl Strategy<Value = Vec<Zone>> {
    let zone = (0..ZONES.len()).prop_map(|place| Zone::named(ZONES[place]).expect("a zone"));
    prop::collection::vec(zone, 1..4)
}

/// Any second of three years, two of them with a leap day between.
fn moment() -> impl Strategy<Value = Timestamp> {
    (1_767_225_600_i64..1_861_920_000).prop_map(|second| Timestamp::from_second(second).expect("in range"))
}

fn window() -> impl Strategy<Value = Window> {
    (0_u16..20, 1_u16..15, 0_i64..30, any::<bool>()).prop_map(|(from, hours, margin, sundays)| {
        let text = format!("{from:02}:00-{:02}:00", (from + hours).min(24));
        let days = Days::parse(if sundays { "daily" } else { "mon-sat" }).expect("days");
        Window {
            week: vec![(days, Hours::parse(&text).expect("hours"))],
            holidays: vec![("May Day".to_owned(), DayRule::parse("05-01").expect("a day"))],
            known_until: None,
            margin: SignedDuration::from_mins(margin),
        }
    })
}

fn limit() -> impl Strategy<Value = Limit> {
    let counts = prop::sample::select(vec![Counts::Placed, Counts::Answered, Counts::Conversations, Counts::Machines]);
    let within = prop_oneof![
        (1_u16..31).prop_map(Period::Days),
        (1_u32..200).prop_map(Period::Hours),
        Just(Period::CalendarDay)
    ];
    let per = prop::sample::select(vec![Per::Person, Per::Debt, Per::Number]);
    (counts, 1_u32..8, within, per).prop_map(|(counts, most, within, per)| Limit { counts, most, within, per })
}

fn kind() -> impl Strategy<Value = Kind> {
    let limited = |limit| Kind::Limit { limit, unless_reserved: false, unless_consent: Vec::new() };
    prop_oneof![window().prop_map(Kind::Window), limit().prop_map(limited), limit().prop_map(limited)]
}

fn pack(name: &'static str) -> impl Strategy<Value = Pack> {
    prop::collection::vec(kind(), 1..4).prop_map(move |kinds| {
        let rule = |(place, kind)| Rule {
            id: format!("r{place}"),
            source: "house".to_owned(),
            scope: Scope::default(),
            from: None,
            until: None,
            before: None,
            kind,
        };
        let rules = kinds.into_iter().enumerate().map(rule).collect();
        Pack { name: name.to_owned(), version: "1".to_owned(), title: name.to_owned(), rules, duties: Vec::new() }
    })
}

fn contacts(now: Timestamp) -> impl Strategy<Value = Vec<Contact>> {
    let came_to = prop::sample::select(vec![
        CameTo::Open,
        CameTo::Unreached,
        CameTo::Answered,
        CameTo::Conversation,
        CameTo::Machine,
        CameTo::Message,
        CameTo::Abandoned,
    ]);
    let contact = (1_i64..40 * 86_400, 0_i64..900, any::<bool>(), 0_u8..2, 0_u8..3, came_to);
    let contact = contact.prop_map(move |(ago, lasted, placed, number, debt, came_to)| Contact {
        at: now - SignedDuration::from_secs(ago),
        over: now - SignedDuration::from_secs((ago - lasted).max(0)),
        number: Pii::new(format!("+1212555012{number}")),
        placed,
        debts: if debt == 2 { Vec::new() } else { vec![format!("d{debt}")] },
        came_to,
    });
    prop::collection::vec(contact, 0..12)
}

fn lead(zones: Vec<Zone>, minutes: i64) -> Lead {
    Lead {
        number: Pii::new("+12125550120".to_owned()),
        country: "US".to_owned(),
        state: None,
        line: LineType::Mobile,
        zones,
        purpose: Purpose::Collection,
        debt: Some("d0".to_owned()),
        consent: None,
        caller_id: CallerId { number: "+12125550100".to_owned(), owned: true },
        longest: SignedDuration::from_mins(minutes),
        person_reserved: false,
    }
}

fn history(read_at: Timestamp, contacts: Vec<Contact>) -> History {
    History {
        read_at,
        complete_since: Timestamp::MIN,
        contacts,
        closed: Vec::new(),
        caller_id_shown: Vec::new(),
        abandoned: Vec::new(),
    }
}

/// The moment from which a ruling allows; `None` is never.
fn opens(ruling: Ruling, now: Timestamp) -> Option<Timestamp> {
    match ruling {
        Ruling::Allow => Some(now),
        Ruling::NotBefore(until) => Some(until),
        Ruling::Never => None,
    }
}

fn no_earlier(one: Option<Timestamp>, than: Option<Timestamp>) -> bool {
    match (one, than) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(one), Some(than)) => one >= than,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_window_opens_at_the_first_moment_at_which_every_zone_is_inside(
        window in window(), zones in zones(), at in moment(), minutes in 1_i64..30,
    ) {
        let takes = SignedDuration::from_mins(minutes);
        let everywhere = |at| zones.iter().all(|zone| window.hour(zone, takes, at) == Hour::Inside);
        let opens = window.earliest(&zones, takes, at);
        if let Some(opens) = opens {
            prop_assert!(opens >= at && everywhere(opens));
        }
        // Windows open at whole minutes: every one of them before it is tried, for two days.
        let first = Timestamp::from_second(at.as_second() / 60 * 60 + 60).expect("in range");
        let until = opens.unwrap_or(Timestamp::MAX).min(at + SignedDuration::from_hours(48));
        let mut minute = first;
        while minute < until {
            prop_assert!(!everywhere(minute), "{minute} was passed over");
            minute += SignedDuration::from_secs(60);
        }
    }

    #[test]
    fn one_contact_more_never_opens_a_limit_earlier(
        limit in limit(), zones in zones(), now in moment(), seed in any::<prop::sample::Index>(),
        contacts in moment().prop_flat_map(contacts),
    ) {
        let newest = contacts.iter().map(|contact| contact.over).max().unwrap_or(now);
        let lead = lead(zones, 5);
        let whole = limit.earliest(&lead, &history(newest, contacts.clone()), newest);
        prop_assert!(whole >= newest);
        if !contacts.is_empty() {
            let mut fewer = contacts;
            fewer.remove(seed.index(fewer.len()));
            prop_assert!(limit.earliest(&lead, &history(newest, fewer), newest) <= whole);
        }
    }

    #[test]
    fn together_packs_are_no_milder_than_each_and_the_same_in_any_order(
        (now, contacts) in moment().prop_flat_map(|now| (Just(now), contacts(now))),
        one in pack("one"), two in pack("two"), zones in zones(),
    ) {
        let (lead, history) = (lead(zones, 5), history(now, contacts));
        let ruled = |packs: &[&Pack]| {
            let packs = Packs::new(packs.iter().map(|pack| (*pack).clone()).collect());
            opens(decide(Act::Call, &lead, &history, &packs, now).ruling, now)
        };
        let both = ruled(&[&one, &two]);
        prop_assert!(no_earlier(both, ruled(&[&one])) && no_earlier(both, ruled(&[&two])));
        prop_assert_eq!(both, ruled(&[&two, &one]));
    }

    #[test]
    fn who_is_to_wait_may_be_called_when_the_wait_is_over_and_not_a_second_before(
        (now, contacts) in moment().prop_flat_map(|now| (Just(now), contacts(now))),
        pack in pack("one"), zones in zones(),
    ) {
        let lead = lead(zones, 5);
        let packs = Packs::new(vec![pack]);
        let ruled = |at| decide(Act::Call, &lead, &history(at, contacts.clone()), &packs, at).ruling;
        if let Ruling::NotBefore(until) = ruled(now) {
            prop_assert!(until > now);
            prop_assert_eq!(ruled(until), Ruling::Allow);
            prop_assert_ne!(ruled(until - SignedDuration::from_secs(1)), Ruling::Allow);
        }
    }
}
