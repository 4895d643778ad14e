//! Who gets whom, by example and by chance.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::agents::{Agent, Group};
use crate::language::Language;
use crate::pii::Pii;
use crate::time::{Clock, SystemClock};

fn agent(name: &str, groups: &[&str]) -> Agent {
    Agent {
        name: name.into(),
        to: Pii::new(format!("sip:{name}@pbx.example")),
        trunk: None,
        groups: groups.iter().map(|group| Arc::from(*group)).collect(),
        skills: BTreeSet::new(),
        languages: Vec::new(),
        regions: BTreeSet::new(),
        priority: 0,
        lines: 1,
    }
}

fn speaking(tags: &[&str], agent: Agent) -> Agent {
    Agent { languages: tags.iter().map(|tag| Language::parse(tag).unwrap()).collect(), ..agent }
}

fn roster(agents: Vec<Agent>, groups: &[(&str, Group)]) -> Arc<Roster> {
    let groups = groups.iter().map(|(name, group)| (Arc::from(*name), group.clone())).collect();
    Arc::new(Roster::new(agents, groups, &BTreeMap::new(), &[]).unwrap())
}

/// A queue, a clock, and what it wants, as lines.
struct Desk {
    queue: Queue,
    start: Instant,
    now: Instant,
    lines: Vec<String>,
}

impl Desk {
    fn new(agents: Vec<Agent>, groups: &[(&str, Group)]) -> Self {
        let now = SystemClock.now().mono;
        Self { queue: Queue::new(roster(agents, groups), now), start: now, now, lines: Vec::new() }
    }

    /// Two agents of one group with its defaults.
    fn pair(change: impl FnOnce(&mut Group)) -> Self {
        let mut group = Group { announce: None, ..Group::default() };
        change(&mut group);
        Self::new(vec![agent("ada", &["desk"]), agent("bob", &["desk"])], &[("desk", group)])
    }

    fn note(&mut self) {
        while let Some(output) = self.queue.poll_output() {
            let name = |agent: AgentIx| self.queue.roster().agent(agent).name.clone();
            self.lines.push(match output {
                Output::Ring { ring, ticket, agent, .. } => format!("ring {} {} for {}", ring.0, name(agent), ticket.0),
                Output::Cancel { ring } => format!("cancel {}", ring.0),
                Output::Joined { ticket, agent, waited, .. } => {
                    format!("join {} {} after {}", ticket.0, name(agent), waited.as_secs())
                }
                Output::Announce { ticket, position, wait } => {
                    format!("tell {} place {position} {} s", ticket.0, wait.as_secs())
                }
                Output::Overflow { ticket, why } => format!("back {} {}", ticket.0, why.name()),
            });
        }
    }

    fn input(&mut self, input: Input) -> Vec<String> {
        self.queue.handle(input, self.now);
        self.note();
        std::mem::take(&mut self.lines)
    }

    fn enter(&mut self, ticket: u64) -> Vec<String> {
        self.input(Input::Enter { ticket: Ticket(ticket), needs: Needs::of("desk") })
    }

    fn rung(&mut self, ring: u64, end: RingEnd) -> Vec<String> {
        self.input(Input::Rung { ring: RingId(ring), end })
    }

    fn done(&mut self, ticket: u64) -> Vec<String> {
        self.input(Input::Done { ticket: Ticket(ticket) })
    }

    /// Lets time pass, waking the queue whenever it wants to be; lines carry the second they came at.
    fn pass(&mut self, seconds: u64) -> Vec<String> {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(at) = self.queue.poll_timeout().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.queue.handle_timeout(self.now);
            self.note();
            assert!(self.queue.poll_timeout().is_none_or(|next| next > self.now), "a deadline stays in the past");
            let second = self.now.duration_since(self.start).as_secs();
            let from = self.lines.iter().position(|line| !line.starts_with('@')).unwrap_or(self.lines.len());
            self.lines[from..].iter_mut().for_each(|line| *line = format!("@{second} {line}"));
        }
        self.now = until;
        std::mem::take(&mut self.lines)
    }
}

#[test]
fn a_caller_who_comes_while_somebody_is_free_is_offered_at_once() {
    let mut desk = Desk::pair(|_| {});
    assert_eq!(desk.enter(1), ["ring 1 ada for 1"]);
    assert_eq!(desk.queue.state_of(AgentIx(0)), AgentState::Ringing);
    desk.pass(7);
    assert_eq!(desk.rung(1, RingEnd::Accepted), ["join 1 ada after 7"]);
    assert_eq!(desk.queue.state_of(AgentIx(0)), AgentState::Talking);
    assert_eq!(desk.enter(2), ["ring 2 bob for 2"]);
    assert_eq!(desk.rung(2, RingEnd::Accepted), ["join 2 bob after 0"]);
    assert!(desk.enter(3).is_empty(), "nobody is free");
    desk.pass(60);
    assert!(desk.done(1).is_empty());
    assert_eq!(desk.queue.state_of(AgentIx(0)), AgentState::WrapUp);
    assert_eq!(desk.pass(14), Vec::<String>::new());
    assert_eq!(desk.pass(1), ["@82 ring 3 ada for 3"], "after fifteen seconds of wrap-up");
}

#[test]
fn whoever_does_not_take_a_caller_passes_them_on_and_is_asked_again_later() {
    let mut desk = Desk::pair(|group| group.retry = Duration::from_secs(30));
    desk.enter(1);
    assert_eq!(desk.rung(1, RingEnd::Declined), ["ring 2 bob for 1"]);
    assert_eq!(desk.queue.state_of(AgentIx(0)), AgentState::Free, "others may still be offered");
    assert_eq!(desk.rung(2, RingEnd::NoAnswer), Vec::<String>::new());
    assert_eq!(desk.queue.state_of(AgentIx(1)), AgentState::Resting);
    assert_eq!(desk.pass(29), Vec::<String>::new());
    assert_eq!(desk.pass(1), ["@30 ring 3 ada for 1"]);
    assert_eq!(desk.rung(3, RingEnd::Busy), ["ring 4 bob for 1"]);
    assert_eq!(desk.rung(4, RingEnd::Accepted), ["join 1 bob after 30"]);
}

#[test]
fn a_ring_that_nobody_reports_on_is_given_up() {
    let mut desk = Desk::pair(|group| group.ring = Duration::from_secs(10));
    desk.enter(1);
    assert_eq!(desk.pass(131), ["@130 cancel 1", "@130 ring 2 bob for 1"]);
    assert_eq!(desk.rung(1, RingEnd::Accepted), Vec::<String>::new(), "too late");
    assert_eq!(desk.rung(2, RingEnd::Accepted), ["join 1 bob after 131"]);
}

#[test]
fn who_misses_too_often_counts_as_away_and_comes_back_by_itself() {
    let mut desk = Desk::new(
        vec![agent("ada", &["desk"])],
        &[(
            "desk",
            Group {
                announce: None,
                away_after: 2,
                away_for: Duration::from_secs(100),
                retry: Duration::from_secs(20),
                ..Group::default()
            },
        )],
    );
    desk.enter(1);
    assert_eq!(desk.rung(1, RingEnd::NoAnswer), Vec::<String>::new());
    assert_eq!(desk.pass(20), ["@20 ring 2 ada for 1"]);
    assert_eq!(desk.rung(2, RingEnd::Failed), ["back 1 nobody_there"]);
    assert_eq!(desk.queue.state_of(AgentIx(0)), AgentState::Away);
    assert_eq!(desk.enter(2), ["back 2 nobody_there"]);
    desk.pass(100);
    assert_eq!(desk.enter(3), ["ring 3 ada for 3"]);
    // Saying no is being there.
    desk.rung(3, RingEnd::Declined);
    assert_eq!(desk.pass(20), ["@140 ring 4 ada for 3"]);
    assert_eq!(desk.rung(4, RingEnd::NoAnswer), Vec::<String>::new());
    assert_eq!(desk.pass(30), ["@160 ring 5 ada for 3"]);
}

#[test]
fn whom_we_could_not_even_call_has_missed_nothing_and_is_asked_again_soon() {
    let group = Group { announce: None, away_after: 2, retry: Duration::from_secs(60), ..Group::default() };
    let mut desk = Desk::new(vec![agent("ada", &["desk"])], &[("desk", group)]);
    assert_eq!(desk.enter(1), ["ring 1 ada for 1"]);
    for ring in 1..=5 {
        assert_eq!(desk.rung(ring, RingEnd::Untried), Vec::<String>::new(), "nobody is sent back");
        assert_eq!(desk.pass(2), [format!("@{} ring {} ada for 1", 2 * ring, ring + 1)]);
    }
    assert_eq!(desk.rung(6, RingEnd::Accepted), ["join 1 ada after 10"]);
}

#[test]
fn who_says_so_is_away_until_told_otherwise() {
    let mut desk = Desk::pair(|_| {});
    assert!(desk.input(Input::Away(AgentIx(0))).is_empty());
    assert_eq!(desk.enter(1), ["ring 1 bob for 1"]);
    // Whoever decides right now may still take the caller.
    assert!(desk.input(Input::Away(AgentIx(1))).is_empty());
    assert_eq!(desk.rung(1, RingEnd::Declined), ["back 1 nobody_there"]);
    desk.pass(3_600);
    assert_eq!(desk.input(Input::Back(AgentIx(0))), Vec::<String>::new());
    assert_eq!(desk.enter(2), ["ring 2 ada for 2"]);
}

#[test]
fn nobody_waits_longer_than_the_group_lets_them_but_whoever_decides_is_waited_for() {
    let mut desk = Desk::pair(|group| {
        group.max_wait = Duration::from_secs(60);
        group.retry = Duration::from_secs(300);
    });
    desk.enter(1);
    desk.pass(50);
    assert_eq!(desk.rung(1, RingEnd::Declined), ["ring 2 bob for 1"]);
    assert_eq!(desk.pass(20), Vec::<String>::new(), "bob hears the briefing");
    assert_eq!(desk.rung(2, RingEnd::Declined), ["back 1 too_long"]);
    assert_eq!(desk.enter(2), ["ring 3 ada for 2"]);
    assert_eq!(desk.rung(3, RingEnd::Declined), ["ring 4 bob for 2"]);
    assert_eq!(desk.rung(4, RingEnd::Declined), Vec::<String>::new());
    assert_eq!(desk.pass(60), ["@130 back 2 too_long"]);
}

#[test]
fn a_full_queue_and_a_wish_nobody_can_fulfil_go_back_at_once() {
    let mut desk = Desk::pair(|group| group.max_length = 1);
    for ticket in [1, 2] {
        desk.enter(ticket);
        desk.rung(ticket, RingEnd::Accepted);
    }
    assert!(desk.enter(3).is_empty());
    assert_eq!(desk.enter(4), ["back 4 full"]);
    let needs = Needs { skills: BTreeSet::from(["pets".to_owned()]), ..Needs::of("desk") };
    assert_eq!(desk.input(Input::Enter { ticket: Ticket(5), needs }), ["back 5 nobody_fits"]);
    let needs = Needs::of("elsewhere");
    assert_eq!(desk.input(Input::Enter { ticket: Ticket(6), needs }), ["back 6 nobody_fits"]);
}

#[test]
fn a_caller_who_hangs_up_takes_the_ringing_with_them() {
    let mut desk = Desk::pair(|_| {});
    desk.enter(1);
    assert_eq!(desk.input(Input::Leave { ticket: Ticket(1) }), ["cancel 1"]);
    assert_eq!(desk.rung(1, RingEnd::Accepted), Vec::<String>::new());
    assert_eq!(desk.queue.state_of(AgentIx(0)), AgentState::Free);
    assert_eq!(desk.enter(2), ["ring 2 ada for 2"]);
    desk.rung(2, RingEnd::Accepted);
    // Gone in mid-talk: the agent writes that down.
    assert!(desk.input(Input::Leave { ticket: Ticket(2) }).is_empty());
    assert_eq!(desk.queue.state_of(AgentIx(0)), AgentState::WrapUp);
}

#[test]
fn where_all_are_rung_the_first_yes_has_the_caller() {
    let mut desk = Desk::pair(|group| group.strategy = Strategy::RingAll);
    assert_eq!(desk.enter(1), ["ring 1 ada for 1", "ring 2 bob for 1"]);
    assert!(desk.enter(2).is_empty());
    assert_eq!(desk.rung(2, RingEnd::Accepted), ["join 1 bob after 0", "cancel 1", "ring 3 ada for 2"]);
    // Ada said yes before she heard of it: the caller has somebody.
    assert!(desk.rung(1, RingEnd::Accepted).is_empty());
    assert_eq!(desk.rung(3, RingEnd::Accepted), ["join 2 ada after 0"]);
    desk.enter(3);
    desk.done(1);
    assert_eq!(desk.pass(20), ["@15 ring 4 bob for 3"]);
    desk.done(2);
    assert_eq!(desk.pass(20), ["@35 ring 5 ada for 3"], "who gets free while others ring is rung too");
}

#[test]
fn priority_is_worth_a_minute_of_waiting_each_and_nobody_is_passed_by_for_ever() {
    let mut desk = Desk::new(vec![agent("ada", &["desk"])], &[("desk", Group { announce: None, ..Group::default() })]);
    desk.enter(1);
    desk.rung(1, RingEnd::Accepted);
    let worth =
        |ticket, priority| Input::Enter { ticket: Ticket(ticket), needs: Needs { priority, ..Needs::of("desk") } };
    desk.input(worth(2, 0));
    desk.pass(90);
    desk.input(worth(3, 1));
    desk.input(worth(4, 2));
    desk.done(1);
    // Two points are 120 s, more than the 90 s of the first; one point is less.
    assert_eq!(desk.pass(15), ["@105 ring 2 ada for 4"]);
    desk.rung(2, RingEnd::Accepted);
    desk.done(4);
    assert_eq!(desk.pass(15), ["@120 ring 3 ada for 2"]);
    desk.rung(3, RingEnd::Accepted);
    desk.done(2);
    assert_eq!(desk.pass(15), ["@135 ring 4 ada for 3"]);
}

#[test]
fn who_can_be_helped_now_is_not_held_up_by_who_cannot() {
    let agents = vec![speaking(&["en-US"], agent("ada", &["desk"])), speaking(&["zh-CN"], agent("lin", &["desk"]))];
    let mut desk = Desk::new(agents, &[("desk", Group { announce: None, ..Group::default() })]);
    let speaks = |ticket, tag: &str| Input::Enter {
        ticket: Ticket(ticket),
        needs: Needs { language: Some(Language::parse(tag).unwrap()), ..Needs::of("desk") },
    };
    assert_eq!(desk.input(speaks(1, "zh-CN")), ["ring 1 lin for 1"]);
    desk.rung(1, RingEnd::Accepted);
    assert!(desk.input(speaks(2, "zh-TW")).is_empty());
    assert_eq!(desk.input(speaks(3, "en-GB")), ["ring 2 ada for 3"]);
    assert_eq!(desk.input(speaks(4, "es-MX")), ["back 4 nobody_fits"]);
}

#[test]
fn callers_are_told_where_they_stand_and_how_long_it_may_take() {
    let mut desk = Desk::pair(|group| group.announce = Some(Duration::from_secs(40)));
    for ticket in [1, 2] {
        desk.enter(ticket);
        desk.rung(ticket, RingEnd::Accepted);
    }
    desk.enter(3);
    desk.pass(10);
    desk.enter(4);
    // Three minutes a talk while none was timed, two agents.
    assert_eq!(desk.pass(45), ["@40 tell 3 place 1 90 s", "@50 tell 4 place 2 180 s"]);
    desk.done(1);
    // (7 × 180 + 55 + 15) / 8 = 166 s a talk by now.
    assert_eq!(desk.pass(15), ["@70 ring 3 ada for 3"]);
    desk.rung(3, RingEnd::Accepted);
    assert_eq!(desk.pass(20), ["@90 tell 4 place 1 83 s"]);
}

#[test]
fn an_agent_with_lines_takes_so_many_at_once_and_no_more() {
    let mut pbx = agent("pbx", &["desk"]);
    pbx.lines = 3;
    let mut desk = Desk::new(vec![pbx], &[("desk", Group { announce: None, ..Group::default() })]);
    assert_eq!(desk.enter(1), ["ring 1 pbx for 1"]);
    assert_eq!(desk.enter(2), ["ring 2 pbx for 2"]);
    desk.rung(1, RingEnd::Accepted);
    assert_eq!(desk.enter(3), ["ring 3 pbx for 3"]);
    assert!(desk.enter(4).is_empty());
    assert_eq!(desk.done(1), ["ring 4 pbx for 4"], "a switchboard writes nothing down");
}

/// What must hold whatever happens: kept beside the queue, from its outputs alone.
#[derive(Default)]
struct Ledger {
    ringing: BTreeMap<RingId, (Ticket, AgentIx)>,
    talking: BTreeMap<Ticket, AgentIx>,
    waiting: BTreeMap<Ticket, Needs>,
    joined: BTreeSet<Ticket>,
}

impl Ledger {
    fn take(&mut self, output: Output, roster: &Roster) {
        match output {
            Output::Ring { ring, ticket, agent, .. } => {
                let needs = self.waiting.get(&ticket).expect("only those who wait are offered");
                assert!(roster.fits(agent, needs), "{agent:?} cannot help {needs:?}");
                assert!(self.ringing.insert(ring, (ticket, agent)).is_none());
                let has = self.ringing.values().filter(|(_, other)| *other == agent).count()
                    + self.talking.values().filter(|other| **other == agent).count();
                assert!(has <= roster.agent(agent).lines, "{agent:?} has {has} callers");
            }
            Output::Cancel { ring } => {
                self.ringing.remove(&ring).expect("what is cancelled was rung, once");
            }
            Output::Joined { ticket, ring, agent, .. } => {
                assert_eq!(self.ringing.remove(&ring), Some((ticket, agent)));
                assert!(self.waiting.remove(&ticket).is_some() && self.joined.insert(ticket));
                self.talking.insert(ticket, agent);
            }
            Output::Announce { ticket, position, .. } => {
                assert!(self.waiting.contains_key(&ticket) && position >= 1 && position <= self.waiting.len());
            }
            Output::Overflow { ticket, .. } => {
                self.waiting.remove(&ticket).expect("nobody overflows twice, or after a talk");
                assert!(self.ringing.values().all(|(other, _)| *other != ticket), "somebody still rings for them");
            }
        }
    }
}

/// Two callers never have the same agent, nobody is lost, nobody is asked who cannot help, no deadline stays in the past.
#[test]
fn whatever_happens_in_whatever_order_everybody_has_at_most_one_of_the_other() {
    for seed in 0..300 {
        let mut random = StdRng::seed_from_u64(seed);
        let strategies = [Strategy::LongestIdle, Strategy::FewestCalls, Strategy::RoundRobin, Strategy::RingAll];
        let group = |random: &mut StdRng| Group {
            strategy: strategies[random.random_range(0..4)],
            max_length: random.random_range(1..8),
            max_wait: Duration::from_secs(random.random_range(30..400)),
            away_after: random.random_range(0..4),
            retry: Duration::from_secs(random.random_range(1..60)),
            wrap_up: Duration::from_secs(random.random_range(0..20)),
            ..Group::default()
        };
        let mut agents = vec![agent("anna", &["a"]), agent("both", &["a", "b"]), agent("bill", &["b"])];
        agents[1].lines = random.random_range(1..4);
        agents[2] = speaking(&["zh-CN"], agents[2].clone());
        let groups = [("a", group(&mut random)), ("b", group(&mut random))];
        let roster = roster(agents, &groups);
        let mut now = SystemClock.now().mono;
        let mut queue = Queue::new(roster.clone(), now);
        let mut ledger = Ledger::default();
        let mut tickets = 0;
        for _ in 0..400 {
            let input = match random.random_range(0..10) {
                0..=2 => {
                    tickets += 1;
                    let mut needs = Needs::of(["a", "b", "b", "c"][random.random_range(0..4)]);
                    needs.priority = random.random_range(-1..3);
                    needs.language = random.random_bool(0.3).then(|| Language::parse("zh-TW").unwrap());
                    ledger.waiting.insert(Ticket(tickets), needs.clone());
                    Input::Enter { ticket: Ticket(tickets), needs }
                }
                3 => {
                    let ticket = Ticket(random.random_range(0..=tickets));
                    ledger.waiting.remove(&ticket);
                    ledger.talking.remove(&ticket);
                    Input::Leave { ticket }
                }
                4..=6 => {
                    let live: Vec<_> = ledger.ringing.keys().copied().collect();
                    let ring = match live.len() {
                        0 => RingId(random.random_range(0..50)),
                        count => live[random.random_range(0..count)],
                    };
                    let end =
                        [RingEnd::Accepted, RingEnd::Accepted, RingEnd::Declined, RingEnd::Busy, RingEnd::NoAnswer]
                            [random.random_range(0..5)];
                    if end != RingEnd::Accepted {
                        ledger.ringing.remove(&ring);
                    }
                    Input::Rung { ring, end }
                }
                7 => {
                    let ticket = Ticket(random.random_range(0..=tickets));
                    ledger.talking.remove(&ticket);
                    Input::Done { ticket }
                }
                8 => Input::Away(AgentIx(random.random_range(0..3))),
                _ => Input::Back(AgentIx(random.random_range(0..3))),
            };
            queue.handle(input, now);
            // Rings of callers who left are cancelled first, so the ledger has to hear of them in order.
            while let Some(output) = queue.poll_output() {
                ledger.take(output, &roster);
            }
            now += Duration::from_millis([0, 100, 3_000, 20_000][random.random_range(0..4)]);
            if queue.poll_timeout().is_some_and(|at| at <= now) {
                queue.handle_timeout(now);
                while let Some(output) = queue.poll_output() {
                    ledger.take(output, &roster);
                }
                assert!(queue.poll_timeout().is_none_or(|at| at > now), "seed {seed}: a deadline stays in the past");
            }
            let waiting = ["a", "b"].iter().map(|group| queue.waiting(group)).sum::<usize>();
            assert_eq!(waiting, ledger.waiting.len(), "seed {seed}: somebody is lost");
        }
        // In the end everybody goes somewhere.
        for _ in 0..10_000 {
            let Some(at) = queue.poll_timeout() else { break };
            now = now.max(at);
            queue.handle_timeout(now);
            while let Some(output) = queue.poll_output() {
                ledger.take(output, &roster);
            }
        }
        assert!(ledger.waiting.is_empty(), "seed {seed}: {:?} wait for ever", ledger.waiting);
    }
}

/// Of those alike in needs and worth, nobody is offered before who came earlier.
#[test]
fn who_came_first_is_offered_first() {
    for seed in 0..50 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut desk = Desk::pair(|group| group.max_wait = Duration::from_secs(100_000));
        let (mut came, mut offered, mut rings) = (0, Vec::new(), 0);
        for _ in 0..200 {
            let lines = match random.random_range(0..3) {
                0 => {
                    came += 1;
                    desk.enter(came)
                }
                1 => {
                    let lines = desk.rung(rings, RingEnd::Accepted);
                    match offered.last() {
                        Some(ticket) => [lines, desk.done(*ticket)].concat(),
                        None => lines,
                    }
                }
                _ => desk.pass(random.random_range(0..30)),
            };
            for line in lines.iter().filter(|line| line.contains("ring ")) {
                let mut words = line.rsplit(' ');
                offered.push(words.next().unwrap().parse::<u64>().unwrap());
                rings += 1;
            }
        }
        let first: Vec<_> = offered
            .iter()
            .scan(0, |most, ticket| {
                Some(std::mem::replace(most, (*most).max(*ticket)) < *ticket).map(|new| new.then_some(*ticket))
            })
            .flatten()
            .collect();
        assert!(first.is_sorted(), "seed {seed}: {offered:?}");
        assert!(first.len() > 10, "seed {seed}: too little has happened");
    }
}
