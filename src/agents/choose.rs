//! Which of the free agents a caller gets: compared point by point, the first difference decides.
//!
//! 1. who has talked to this caller before,
//! 2. the agent's own priority,
//! 3. whoever has not been asked for this caller yet,
//! 4. an agent for the caller's region,
//! 5. who speaks the caller's very language (`en-GB`), not a sister of it (`en-US`),
//! 6. whoever knows least besides what is needed, so that specialists stay free for those who need them,
//! 7. the group's strategy,
//! 8. the order in the settings.

use std::cmp::Reverse;
use std::time::Instant;

use crate::agents::Needs;
use crate::agents::roster::{Agent, AgentIx, Roster, Strategy};

/// What is known of a free agent besides the roster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub agent: AgentIx,
    /// Asked for this caller before.
    pub tried: bool,
    /// Free since.
    pub idle_since: Instant,
    /// Calls taken so far.
    pub taken: u64,
    /// When their telephone rang last, in rings of the whole house; 0: never.
    pub last_rung: u64,
}

/// The best of them, if there is one.
pub(super) fn best(
    roster: &Roster,
    needs: &Needs,
    strategy: Strategy,
    free: impl Iterator<Item = Candidate>,
) -> Option<AgentIx> {
    free.min_by_key(|candidate| {
        let agent = roster.agent(candidate.agent);
        let turn = match strategy {
            Strategy::LongestIdle | Strategy::RingAll => (Some(candidate.idle_since), 0),
            Strategy::FewestCalls => (None, candidate.taken),
            Strategy::RoundRobin => (None, candidate.last_rung),
        };
        (
            needs.last_agent.as_ref() != Some(&agent.name),
            Reverse(agent.priority),
            candidate.tried,
            !serves_region(agent, needs),
            !speaks_exactly(agent, needs),
            agent.skills.len(),
            turn,
            candidate.agent,
        )
    })
    .map(|candidate| candidate.agent)
}

fn serves_region(agent: &Agent, needs: &Needs) -> bool {
    needs.region.as_ref().is_some_and(|region| agent.regions.contains(region))
}

fn speaks_exactly(agent: &Agent, needs: &Needs) -> bool {
    needs.language.as_ref().is_none_or(|language| agent.languages.contains(language))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::agents::roster::Group;
    use crate::language::Language;
    use crate::pii::Pii;
    use crate::time::{Clock, SystemClock};

    fn agent(name: &str, change: impl FnOnce(&mut Agent)) -> Agent {
        let mut agent = Agent {
            name: name.into(),
            to: Pii::new(format!("sip:{name}@pbx.example")),
            trunk: None,
            groups: BTreeSet::from(["desk".into()]),
            skills: BTreeSet::new(),
            languages: Vec::new(),
            regions: BTreeSet::new(),
            priority: 0,
            lines: 1,
        };
        change(&mut agent);
        agent
    }

    fn language(tag: &str) -> Language {
        Language::parse(tag).unwrap()
    }

    /// Each row adds a point that outweighs all those before it.
    #[test]
    fn the_first_difference_decides() {
        let start = SystemClock.now().mono;
        let agents = vec![
            agent("first", |_| {}),
            agent("idle", |_| {}),
            agent("plain", |it| it.skills = BTreeSet::new()),
            agent("exact", |it| {
                it.languages = vec![language("en-GB")];
                it.skills = BTreeSet::from(["cards".to_owned()]);
            }),
            agent("near", |it| {
                it.regions = BTreeSet::from(["east".to_owned()]);
                it.skills = BTreeSet::from(["cards".to_owned()]);
            }),
            agent("fresh", |it| it.skills = BTreeSet::from(["cards".to_owned()])),
            agent("senior", |it| {
                it.priority = 1;
                it.skills = BTreeSet::from(["cards".to_owned()]);
            }),
            agent("known", |it| it.priority = -1),
        ];
        let groups = BTreeMap::from([(Arc::from("desk"), Group::default())]);
        let regions = BTreeMap::from([("east".to_owned(), vec!["+1212".to_owned()])]);
        let roster = Roster::new(agents, groups, &regions, &[]).unwrap();
        let needs = Needs {
            language: Some(language("en-GB")),
            region: Some("east".into()),
            last_agent: Some("known".into()),
            ..Needs::of("desk")
        };
        // Free since: the earlier, the further down the list of settings, but for `idle`.
        let candidate = |name: &str| {
            let agent = roster.find(name).unwrap();
            let idle = if name == "idle" { 0 } else { 10 };
            let tried = !matches!(name, "fresh" | "senior" | "known");
            Candidate { agent, tried, idle_since: start + Duration::from_secs(idle), taken: 0, last_rung: 0 }
        };
        let mut asked = Vec::new();
        for (name, expect) in [
            ("first", "first"),
            ("idle", "idle"),
            ("exact", "exact"),
            ("near", "near"),
            ("fresh", "fresh"),
            ("senior", "senior"),
            ("known", "known"),
        ] {
            asked.push(candidate(name));
            let chosen = best(&roster, &needs, Strategy::LongestIdle, asked.iter().copied());
            assert_eq!(chosen, roster.find(expect), "with {name} among them");
        }
        let nobody = best(&roster, &needs, Strategy::LongestIdle, std::iter::empty());
        assert_eq!(nobody, None);
    }

    #[test]
    fn specialists_stay_free_for_those_who_need_them() {
        let start = SystemClock.now().mono;
        let agents = vec![
            agent("expert", |it| it.skills = BTreeSet::from(["cards".to_owned(), "fraud".to_owned()])),
            agent("clerk", |it| it.skills = BTreeSet::from(["cards".to_owned()])),
        ];
        let groups = BTreeMap::from([(Arc::from("desk"), Group::default())]);
        let roster = Roster::new(agents, groups, &BTreeMap::new(), &[]).unwrap();
        let free = |place, taken, last_rung| Candidate {
            agent: AgentIx(place),
            tried: false,
            idle_since: start,
            taken,
            last_rung,
        };
        let needs = Needs { skills: BTreeSet::from(["cards".to_owned()]), ..Needs::of("desk") };
        let both = [free(0, 0, 0), free(1, 9, 9)];
        for strategy in [Strategy::LongestIdle, Strategy::FewestCalls, Strategy::RoundRobin, Strategy::RingAll] {
            assert_eq!(best(&roster, &needs, strategy, both.into_iter()), Some(AgentIx(1)), "{strategy:?}");
        }
    }

    #[test]
    fn each_strategy_has_its_own_order() {
        let start = SystemClock.now().mono;
        let agents = ["a", "b", "c"].map(|name| agent(name, |_| {})).to_vec();
        let groups = BTreeMap::from([(Arc::from("desk"), Group::default())]);
        let roster = Roster::new(agents, groups, &BTreeMap::new(), &[]).unwrap();
        let candidates = [(0, 5, 2, 1), (1, 1, 3, 2), (2, 9, 1, 3)].map(|(place, idle, taken, last_rung)| Candidate {
            agent: AgentIx(place),
            tried: false,
            idle_since: start + Duration::from_secs(idle),
            taken,
            last_rung,
        });
        for (strategy, place) in [(Strategy::LongestIdle, 1), (Strategy::FewestCalls, 2), (Strategy::RoundRobin, 0)] {
            let chosen = best(&roster, &Needs::of("desk"), strategy, candidates.into_iter());
            assert_eq!(chosen, Some(AgentIx(place)), "{strategy:?}");
        }
    }
}
