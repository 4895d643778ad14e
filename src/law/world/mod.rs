//! A world to try the law in: people with numbers, debts and time zones of all sorts, campaigns that want to call them
//! all the time, calls that end in every way, people who call by themselves and who want to be left alone, nodes that
//! crash and clocks that are wrong.
//!
//! Everything follows from the seed. Whom the real [`decide`] lets be called is called; what happened is told line by
//! line ([`export`]), for somebody else to judge: `scripts/oracle` knows nothing of this code.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use self::cast::{Campaign, Habit, Person};
use self::export::Line;
use super::decide::{Act, Cause, Ruling, Verdict, decide};
use super::facts::{CallerId, CameTo, Closed, Contact, History, Lead, Share};
use crate::pii::Pii;

pub mod cast;
pub mod export;

/// People live so long; leap day, and the clocks of every zone, are in it.
const YEARS: (&str, &str) = ("2026-01-15T00:00:00Z", "2028-06-15T00:00:00Z");
/// Decisions about one person, about.
const EACH: u64 = 250;
/// Farther back than any rule looks.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 45);
/// How long a share of calls that met nobody is looked at.
const SHARES: [u16; 2] = [1, 30];

/// How the world went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Decisions.
    pub decisions: u64,
    /// Of which allowed.
    pub allowed: u64,
    /// Of which to wait.
    pub not_before: u64,
    /// Of which never.
    pub never: u64,
    /// Calls placed.
    pub placed: u64,
}

/// What happens next, to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// A campaign wants to call one of a person's numbers.
    Wish { person: usize, number: usize },
    /// A call is over.
    Over { person: usize, contact: u64 },
    /// A person calls us.
    CallsUs { person: usize },
    /// A person, or somebody for them, changes what is known.
    Changes { person: usize },
    /// A node's clock is set wrong, or right.
    Clock { node: usize },
}

/// One campaign that wants to call one number now.
#[derive(Clone, Copy, Debug)]
struct Wish {
    person: usize,
    number: usize,
    campaign: usize,
    /// Which of the campaign's caller ids.
    shown: usize,
    /// The true time.
    at: Timestamp,
    /// The time on the node's clock.
    now: Timestamp,
}

/// A call that is going on or over.
#[derive(Clone, Debug)]
struct Call {
    id: u64,
    number: usize,
    campaign: Option<usize>,
    contact: Contact,
    /// The truth, once it is over; the contact has what the product knows.
    came_to: CameTo,
    known: bool,
}

/// The world.
pub struct World {
    chance: StdRng,
    people: Vec<Person>,
    calls: Vec<VecDeque<Call>>,
    campaigns: Vec<Campaign>,
    /// When each caller id was shown, by campaign and place in its list.
    shown: Vec<Vec<VecDeque<Timestamp>>>,
    /// Calls of each campaign that a person answered, and whether they met nobody.
    answered: Vec<VecDeque<(Timestamp, bool)>>,
    /// How wrong the clock of each node is.
    nodes: Vec<SignedDuration>,
    agenda: BinaryHeap<Reverse<(Timestamp, u64, Next)>>,
    ids: u64,
    end: Timestamp,
}

impl World {
    /// The world of this seed, with enough people for so many decisions.
    pub fn new(seed: u64, decisions: u64, campaigns: Vec<Campaign>) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let instant = |text: &str| text.parse::<Timestamp>().expect("a moment written above");
        let (start, end) = (instant(YEARS.0), instant(YEARS.1));
        let count = (decisions / EACH).clamp(40, 50_000) as usize;
        let people: Vec<Person> =
            (0..count).map(|place| Person::invent(place, &campaigns, start, &mut chance)).collect();
        let mut world = Self {
            calls: vec![VecDeque::new(); people.len()],
            shown: campaigns.iter().map(|campaign| vec![VecDeque::new(); campaign.caller_ids.len()]).collect(),
            answered: vec![VecDeque::new(); campaigns.len()],
            nodes: vec![SignedDuration::ZERO; 4],
            agenda: BinaryHeap::new(),
            ids: 0,
            chance,
            people,
            campaigns,
            end,
        };
        for person in 0..world.people.len() {
            for number in 0..world.people[person].numbers.len() {
                let first = world.some_time_within(start, SignedDuration::from_hours(24 * 300));
                world.plan(first, Next::Wish { person, number });
            }
            let (calls, changes) = (SignedDuration::from_hours(24 * 40), SignedDuration::from_hours(24 * 120));
            let at = world.some_time_within(start, calls);
            world.plan(at, Next::CallsUs { person });
            let at = world.some_time_within(start, changes);
            world.plan(at, Next::Changes { person });
        }
        for node in 0..world.nodes.len() {
            let at = world.some_time_within(start, SignedDuration::from_hours(24 * 10));
            world.plan(at, Next::Clock { node });
        }
        world
    }

    /// Lets time pass until so many decisions were made, or the years are over. Each line is told as it happens.
    ///
    /// # Errors
    ///
    /// What `tell` returned.
    pub fn run<E>(&mut self, decisions: u64, tell: &mut impl FnMut(Line<'_>) -> Result<(), E>) -> Result<Tally, E> {
        for campaign in &self.campaigns {
            tell(Line::Campaign(campaign))?;
            campaign.caller_ids.iter().try_for_each(|caller_id| tell(Line::CallerId(caller_id)))?;
        }
        for person in &self.people {
            tell(Line::Person(person))?;
            for number in &person.numbers {
                tell(Line::Number(person, number))?;
                if let Some(consent) = &number.lead.consent {
                    tell(Line::Consent(consent.given_at, number, consent))?;
                }
            }
        }
        let mut tally = Tally::default();
        while let Some(Reverse((at, _, next))) = self.agenda.pop().filter(|_| tally.decisions < decisions) {
            if at > self.end {
                break;
            }
            match next {
                Next::Wish { person, number } => self.wish(at, person, number, &mut tally, tell)?,
                Next::Over { person, contact } => self.over(at, person, contact, tell)?,
                Next::CallsUs { person } => self.calls_us(at, person, tell)?,
                Next::Changes { person } => self.changes(at, person, tell)?,
                Next::Clock { node } => self.clock(at, node),
            }
        }
        Ok(tally)
    }

    fn plan(&mut self, at: Timestamp, next: Next) {
        self.ids += 1;
        self.agenda.push(Reverse((at, self.ids, next)));
    }

    fn some_time_within(&mut self, from: Timestamp, within: SignedDuration) -> Timestamp {
        later(from, SignedDuration::from_secs(self.chance.random_range(1..=within.as_secs().max(1))))
    }

    /// A campaign asks whether it may call, and does.
    fn wish<E>(
        &mut self,
        at: Timestamp,
        person: usize,
        number: usize,
        tally: &mut Tally,
        tell: &mut impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let node = self.chance.random_range(0..self.nodes.len());
        let now = later(at, self.nodes[node]);
        let campaign = self.campaign_for(person, number);
        let shown = self.chance.random_range(0..self.campaigns[campaign].caller_ids.len());
        let wish = Wish { person, number, campaign, shown, at, now };
        let lead = self.lead(wish);
        let ruling = self.asked(Act::Call, wish, &lead, tell)?;
        tally.decisions += 1;
        match ruling {
            Ruling::Allow => tally.allowed += 1,
            Ruling::NotBefore(_) => tally.not_before += 1,
            Ruling::Never => tally.never += 1,
        }
        // The edges of the law are where it is broken: most come back just then, some a second early.
        let again = match ruling {
            Ruling::NotBefore(until) if self.chance.random_bool(0.8) => {
                let early = [-3_600, -5, -1, 0, 0, 0, 0, 1, 4][self.chance.random_range(0..9)];
                later(until, SignedDuration::from_secs(early) - self.nodes[node]).max(later(at, SECOND))
            }
            Ruling::Never => self.some_time_within(at, SignedDuration::from_hours(24 * 20)),
            // Eager: the caps are reached.
            _ if self.chance.random_bool(0.7) => self.some_time_within(at, SignedDuration::from_hours(3)),
            _ => self.some_time_within(at, SignedDuration::from_hours(30)),
        };
        self.plan(again, Next::Wish { person, number });
        let crashed_before = self.chance.random_bool(0.002);
        if ruling == Ruling::Allow && !crashed_before {
            tally.placed += 1;
            self.place(wish, &lead, tell)?;
        }
        Ok(())
    }

    /// Asks the real function, and tells what it said.
    fn asked<E>(
        &mut self,
        act: Act,
        wish: Wish,
        lead: &Lead,
        tell: &mut impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<Ruling, E> {
        let history = self.history(wish);
        let campaign = &self.campaigns[wish.campaign];
        let Verdict { ruling, by } = decide(act, lead, &history, &campaign.packs, wish.now);
        let by = by.map(|cause| match cause {
            Cause::Rule(pack, rule) => (pack.name.clone(), rule.id.clone()),
            Cause::Unsound(fault) => (String::new(), fault.name().to_owned()),
        });
        let number = &self.people[wish.person].numbers[wish.number];
        let Wish { at, now, .. } = wish;
        tell(Line::Decision { at, act, number, campaign, lead, history: &history, now, ruling, by: by.as_ref() })?;
        Ok(ruling)
    }

    fn place<E>(&mut self, wish: Wish, lead: &Lead, tell: &mut impl FnMut(Line<'_>) -> Result<(), E>) -> Result<(), E> {
        let Wish { person, number, campaign, shown, at, now } = wish;
        self.ids += 1;
        let id = self.ids;
        let most_often = self.chance.random_bool(0.95);
        let came_to = match self.chance.random_range(0..100) {
            _ if most_often && self.people[person].habit == Habit::Away => CameTo::Unreached,
            _ if most_often && self.people[person].habit == Habit::Curt => CameTo::Answered,
            0..45 => CameTo::Unreached,
            45..58 => CameTo::Conversation,
            58..66 => CameTo::Answered,
            66..82 => CameTo::Machine,
            82..97 if self.asked(Act::Message, wish, lead, tell)? == Ruling::Allow => CameTo::Message,
            82..97 => CameTo::Machine,
            _ => CameTo::Abandoned,
        };
        let debts: Vec<String> = lead.debt.iter().cloned().collect();
        // What is written down has the time of the node's clock, which is right or the call was not allowed.
        let contact = Contact {
            at: now,
            over: now,
            number: lead.number.clone(),
            placed: true,
            debts: debts.clone(),
            came_to: CameTo::Open,
        };
        tell(Line::Placed {
            at,
            id,
            number: &self.people[person].numbers[number],
            campaign: &self.campaigns[campaign],
            caller_id: &lead.caller_id,
            debts: &debts,
        })?;
        self.shown[campaign][shown].push_back(now);
        let known = !self.chance.random_bool(0.01);
        let call = Call { id, number, campaign: Some(campaign), contact, came_to, known };
        self.calls[person].push_back(call);
        let takes = match came_to {
            CameTo::Unreached => 25,
            CameTo::Conversation => self.chance.random_range(40..600),
            _ => self.chance.random_range(5..60),
        };
        self.plan(later(at, SignedDuration::from_secs(takes)), Next::Over { person, contact: id });
        Ok(())
    }

    fn over<E>(
        &mut self,
        at: Timestamp,
        person: usize,
        id: u64,
        tell: &mut impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(call) = self.calls[person].iter_mut().find(|call| call.id == id) else { return Ok(()) };
        tell(Line::Over { at, id, came_to: call.came_to, known: call.known })?;
        if call.known {
            (call.contact.over, call.contact.came_to) = (at, call.came_to);
        }
        if let Some(campaign) = call.campaign
            && matches!(call.came_to, CameTo::Answered | CameTo::Conversation | CameTo::Abandoned)
        {
            self.answered[campaign].push_back((at, call.came_to == CameTo::Abandoned));
        }
        let (was, number) = (call.came_to, call.number);
        if was == CameTo::Conversation && self.chance.random_bool(0.05) {
            let whole = self.chance.random_bool(0.7);
            self.close(at, person, (!whole).then_some(number), tell)?;
        }
        Ok(())
    }

    fn calls_us<E>(
        &mut self,
        at: Timestamp,
        person: usize,
        tell: &mut impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.ids += 1;
        let id = self.ids;
        let number = self.chance.random_range(0..self.people[person].numbers.len());
        let known_debt = self.chance.random_bool(0.7);
        let debts: Vec<String> = if known_debt { self.people[person].debts.clone() } else { Vec::new() };
        let whose = &self.people[person].numbers[number];
        let contact = Contact {
            at,
            over: at,
            number: whose.lead.number.clone(),
            placed: false,
            debts: debts.clone(),
            came_to: CameTo::Open,
        };
        tell(Line::CameIn { at, id, number: whose, debts: &debts })?;
        let came_to = if self.chance.random_bool(0.8) { CameTo::Conversation } else { CameTo::Answered };
        let call = Call { id, number, campaign: None, contact, came_to, known: true };
        self.calls[person].push_back(call);
        let takes = SignedDuration::from_secs(self.chance.random_range(20..900));
        self.plan(later(at, takes), Next::Over { person, contact: id });
        let again = self.some_time_within(at, SignedDuration::from_hours(24 * 80));
        self.plan(again, Next::CallsUs { person });
        Ok(())
    }

    /// Consent is given, taken back or runs out; somebody is put on a list.
    fn changes<E>(
        &mut self,
        at: Timestamp,
        person: usize,
        tell: &mut impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let number = self.chance.random_range(0..self.people[person].numbers.len());
        if self.chance.random_bool(0.4) {
            let whole = self.chance.random_bool(0.2);
            self.close(at, person, (!whole).then_some(number), tell)?;
        } else {
            let consent = cast::consent(at, &mut self.chance);
            let whose = &mut self.people[person].numbers[number];
            whose.lead.consent = Some(consent.clone());
            tell(Line::Consent(at, whose, &consent))?;
        }
        let again = self.some_time_within(at, SignedDuration::from_hours(24 * 240));
        self.plan(again, Next::Changes { person });
        Ok(())
    }

    fn close<E>(
        &mut self,
        at: Timestamp,
        person: usize,
        number: Option<usize>,
        tell: &mut impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        const FOR_GOOD: [&str; 13] = [
            "opt_out",
            "do_not_call",
            "attorney",
            "cease",
            "wrong_number",
            "deceased",
            "workplace_forbidden",
            "emergency_line",
            "patient_room",
            "care_home",
            "contact_refused",
            "objected",
            "erased",
        ];
        const FOR_A_WHILE: [&str; 4] = ["dispute", "breathing_space", "debt_adviser", "vulnerable_hold"];
        // Too many that are closed for good would leave nobody to call.
        let (reason, until) = if self.chance.random_bool(0.3) {
            (FOR_GOOD[self.chance.random_range(0..FOR_GOOD.len())], None)
        } else {
            let until = self.some_time_within(at, SignedDuration::from_hours(24 * 30));
            (FOR_A_WHILE[self.chance.random_range(0..FOR_A_WHILE.len())], Some(until))
        };
        let closed = Closed { reason: reason.to_owned(), source: "world".to_owned(), since: at, until };
        tell(Line::Closed { at, person: &self.people[person], number, closed: &closed })?;
        match number {
            Some(number) => self.people[person].numbers[number].closed.push(closed),
            None => self.people[person].closed.push(closed),
        }
        Ok(())
    }

    /// Most clocks are right, some by a second or two, a few by a day.
    fn clock(&mut self, at: Timestamp, node: usize) {
        let wrong = match self.chance.random_range(0..10) {
            0..6 => 0,
            6..8 => self.chance.random_range(-2..=2),
            8 => self.chance.random_range(-60..=60),
            _ => self.chance.random_range(-90_000..=90_000),
        };
        self.nodes[node] = SignedDuration::from_secs(wrong);
        let again = self.some_time_within(at, SignedDuration::from_hours(24));
        self.plan(again, Next::Clock { node });
    }

    /// The campaign that asks for a person: one of those whose list they are on.
    fn campaign_for(&mut self, person: usize, number: usize) -> usize {
        let lists = &self.people[person].numbers[number].campaigns;
        lists[self.chance.random_range(0..lists.len())]
    }

    fn lead(&mut self, wish: Wish) -> Lead {
        let (who, campaign) = (&self.people[wish.person], &self.campaigns[wish.campaign]);
        let debt = who.debts.get(self.chance.random_range(0..who.debts.len().max(1))).cloned();
        Lead {
            purpose: campaign.purpose,
            debt: debt.filter(|_| campaign.purpose == super::facts::Purpose::Collection),
            caller_id: campaign.caller_ids[wish.shown].clone(),
            longest: campaign.longest,
            person_reserved: self.chance.random_bool(0.8),
            ..who.numbers[wish.number].lead.clone()
        }
    }

    /// What the database would tell a node that asks now.
    fn history(&mut self, wish: Wish) -> History {
        let Wish { person, number, campaign, shown, at, now } = wish;
        let long_ago = earlier(at, REMEMBERED);
        let calls = &mut self.calls[person];
        while calls.front().is_some_and(|call| call.contact.at < long_ago) {
            calls.pop_front();
        }
        let yesterday = earlier(now.min(at), SignedDuration::from_hours(25));
        let showed = &mut self.shown[campaign][shown];
        while showed.front().is_some_and(|at| *at < yesterday) {
            showed.pop_front();
        }
        let answered = &mut self.answered[campaign];
        while answered.front().is_some_and(|(at, _)| *at < long_ago) {
            answered.pop_front();
        }
        let share = |days: u16| {
            let since = earlier(at, SignedDuration::from_hours(24 * i64::from(days)));
            let recent = answered.iter().rev().take_while(|(at, _)| *at > since);
            recent.fold(Share { days, answered: 0, abandoned: 0 }, |share, (_, met_nobody)| Share {
                answered: share.answered + 1,
                abandoned: share.abandoned + u32::from(*met_nobody),
                ..share
            })
        };
        let who = &mut self.people[person];
        let ended = |closed: &Closed| closed.until.is_some_and(|until| until < long_ago);
        who.closed.retain(|closed| !ended(closed));
        who.numbers[number].closed.retain(|closed| !ended(closed));
        History {
            // The database has a clock of its own, which is right.
            read_at: at,
            complete_since: Timestamp::MIN,
            contacts: calls.iter().map(|call| call.contact.clone()).collect(),
            closed: who.closed.iter().chain(&who.numbers[number].closed).cloned().collect(),
            caller_id_shown: showed.iter().copied().collect(),
            abandoned: SHARES.map(share).to_vec(),
        }
    }
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// A caller id of ours.
pub(crate) fn ours(number: &str) -> CallerId {
    CallerId { number: number.to_owned(), owned: true }
}

/// A telephone number, marked as what it is.
pub(crate) const fn personal(number: String) -> Pii<String> {
    Pii::new(number)
}
