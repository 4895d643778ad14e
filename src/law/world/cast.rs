//! Who lives in the world.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use rand::rngs::StdRng;

use super::{later, ours, personal};
use crate::law::facts::{Basis, CallerId, Closed, Consent, Lead, Purpose, Zone};
use crate::law::pack::{Pack, Packs};
use crate::routing::region::LineType;

/// A campaign and the packs it runs under.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: Purpose,
    /// What it asks first.
    pub packs: Packs,
    /// Numbers it shows: ours, one that is not, and none.
    pub caller_ids: Vec<CallerId>,
    /// The longest call.
    pub longest: SignedDuration,
    /// Since when it runs.
    pub first_day: Date,
}

/// What somebody does when it rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Now this, now that.
    None,
    /// Lets it ring: the caps on calls are reached.
    Away,
    /// Answers and hangs up: the caps on answered calls are reached.
    Curt,
}

/// A person.
#[derive(Clone, Debug)]
pub struct Person {
    /// Theirs.
    pub id: String,
    /// What they owe.
    pub debts: Vec<String>,
    /// What they do when it rings.
    pub habit: Habit,
    /// Where they are called.
    pub numbers: Vec<Number>,
    /// What closes all of them.
    pub closed: Vec<Closed>,
}

/// A number of a person.
#[derive(Clone, Debug)]
pub struct Number {
    /// Its own.
    pub id: String,
    /// What is known of it, as every campaign begins with.
    pub lead: Lead,
    /// What closes it alone.
    pub closed: Vec<Closed>,
    /// Campaigns that have it on their list, by place.
    pub campaigns: Vec<usize>,
}

/// Campaigns that together use every pack there is, alone and with others.
pub fn campaigns(packs: &[Pack]) -> Vec<Campaign> {
    const PLANS: [(&str, Purpose, &[&str]); 12] = [
        ("us-debts", Purpose::Collection, &["us-tcpa", "us-regf"]),
        ("us-debts-house", Purpose::Collection, &["house", "us-tcpa", "us-regf"]),
        ("us-survey", Purpose::Survey, &["us-tcpa"]),
        ("us-sale", Purpose::Marketing, &["us-tcpa"]),
        ("uk-debts", Purpose::Collection, &["uk-ofcom"]),
        ("cn-debts", Purpose::Collection, &["cn-gbt45251"]),
        ("eu-service", Purpose::Service, &["eu-ai-act", "house"]),
        ("anywhere", Purpose::Survey, &["house"]),
        ("uk-sale", Purpose::Marketing, &["uk-ofcom"]),
        ("cn-sale", Purpose::Marketing, &["cn-gbt45251"]),
        ("eu-sale", Purpose::Marketing, &["eu-ai-act"]),
        ("eu-survey", Purpose::Survey, &["eu-ai-act"]),
    ];
    let named = |names: &[&str]| packs.iter().filter(|pack| names.contains(&pack.name.as_str())).cloned().collect();
    let campaign = |(place, (name, purpose, packs)): (usize, (&str, Purpose, &[&str]))| Campaign {
        name: name.to_owned(),
        purpose,
        packs: Packs::new(named(packs)),
        caller_ids: (0..40)
            .map(|line| ours(&format!("+1212555{place:02}{line:02}")))
            .chain([CallerId { owned: false, ..ours(&format!("+121255599{place:02}")) }, ours("")])
            .collect(),
        longest: SignedDuration::from_secs(60 * (2 + place as i64)),
        first_day: jiff::civil::date(2026, 1, 15),
    };
    PLANS.into_iter().enumerate().map(campaign).collect()
}

/// Zones of a country, where its numbers may be.
const HOMES: [(&str, &str, &[&str], &[&str]); 6] = [
    (
        "US",
        "+1",
        &[
            "America/New_York",
            "America/Chicago",
            "America/Denver",
            "America/Phoenix",
            "America/Los_Angeles",
            "America/Anchorage",
            "America/Adak",
            "Pacific/Honolulu",
            "America/Puerto_Rico",
            "Pacific/Guam",
        ],
        &["us-debts", "us-debts-house", "us-survey", "us-sale", "anywhere"],
    ),
    ("GB", "+44", &["Europe/London"], &["uk-debts", "uk-sale", "anywhere"]),
    ("CN", "+86", &["Asia/Shanghai", "Asia/Urumqi"], &["cn-debts", "cn-sale", "anywhere"]),
    ("DE", "+49", &["Europe/Berlin", "Europe/Busingen"], &["eu-service", "eu-sale", "eu-survey", "anywhere"]),
    ("PT", "+351", &["Europe/Lisbon", "Atlantic/Azores", "Atlantic/Madeira"], &["eu-service", "anywhere"]),
    // Everywhere else: any zone there is.
    ("", "+999", &[], &["anywhere", "us-debts", "cn-debts"]),
];

impl Person {
    /// Somebody new.
    pub(super) fn invent(place: usize, campaigns: &[Campaign], start: Timestamp, chance: &mut StdRng) -> Self {
        let debts = (0..chance.random_range(0..4)).map(|debt| format!("d{place}-{debt}")).collect();
        let home = HOMES[[0, 0, 0, 1, 2, 3, 4, 5][chance.random_range(0..8)]];
        let numbers = (0..chance.random_range(1..4)).map(|line| number(place, line, home, campaigns, start, chance));
        let numbers = numbers.collect();
        let habit = [Habit::None, Habit::None, Habit::Away, Habit::Curt][chance.random_range(0..4)];
        Self { id: format!("p{place}"), debts, habit, numbers, closed: Vec::new() }
    }
}

fn number(
    person: usize,
    place: usize,
    (country, prefix, zones, lists): (&str, &str, &[&str], &[&str]),
    campaigns: &[Campaign],
    start: Timestamp,
    chance: &mut StdRng,
) -> Number {
    const LINES: [LineType; 8] = [
        LineType::Mobile,
        LineType::Mobile,
        LineType::Fixed,
        LineType::Fixed,
        LineType::FixedOrMobile,
        LineType::Voip,
        LineType::Premium,
        LineType::Unknown,
    ];
    const STATES: [&str; 4] = ["US-NY", "US-FL", "US-MA", "US-CA"];
    let known: Vec<String> = match zones.is_empty() {
        false => zones.iter().map(|zone| (*zone).to_owned()).collect(),
        true => jiff::tz::db().available().map(|zone| zone.to_string()).filter(|zone| zone.contains('/')).collect(),
    };
    let count = [1, 1, 1, 2, 2, 3, 0][chance.random_range(0..7)];
    let mut zones: Vec<Zone> = Vec::new();
    for _ in 0..count {
        let zone = TimeZone::get(&known[chance.random_range(0..known.len())]).ok().map(Zone::of);
        zones.extend(zone.filter(|zone| !zones.contains(zone)));
    }
    let evidently = chance.random_bool(0.85);
    let lead = Lead {
        number: personal(format!("{prefix}{:09}", 200_000_000 + person * 4 + place)),
        country: if chance.random_bool(0.95) { country.to_owned() } else { String::new() },
        state: (country == "US" && chance.random_bool(0.8)).then(|| STATES[chance.random_range(0..4)].to_owned()),
        line: LINES[chance.random_range(0..LINES.len())],
        zones,
        purpose: Purpose::Survey,
        debt: None,
        consent: evidently.then(|| consent(start, chance)),
        caller_id: ours(""),
        longest: SignedDuration::from_mins(1),
        person_reserved: false,
    };
    let on: Vec<usize> =
        (0..campaigns.len()).filter(|place| lists.contains(&campaigns[*place].name.as_str())).collect();
    Number { id: format!("n{person}-{place}"), lead, closed: Vec::new(), campaigns: on }
}

/// What somebody agrees to, or takes back.
pub(super) fn consent(now: Timestamp, chance: &mut StdRng) -> Consent {
    let basis = Basis::ALL[[0, 0, 0, 1, 1, 1, 2, 3, 4][chance.random_range(0..9)]];
    let evidence = if chance.random_bool(0.95) { "form 7".to_owned() } else { String::new() };
    let given_at = super::earlier(now, SignedDuration::from_hours(chance.random_range(0..5_000)));
    Consent {
        basis,
        evidence: personal(evidence),
        given_at,
        revoked_at: chance.random_bool(0.1).then_some(now),
        expires_at: chance
            .random_bool(0.1)
            .then(|| later(now, SignedDuration::from_hours(chance.random_range(1..9_000)))),
    }
}
