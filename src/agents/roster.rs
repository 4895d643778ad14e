//! Who takes calls, and how groups of them are asked: the settings' `[agents]`, checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::agents::Needs;
use crate::language::Language;
use crate::pii::Pii;
use crate::sip::uri::Uri;

/// A telephone that rings shorter than this is picked up by nobody.
const SHORTEST_RING: Duration = Duration::from_secs(5);
/// Announced more often than this, a position drives people away.
const SHORTEST_ANNOUNCE: Duration = Duration::from_secs(10);

/// Somebody who takes calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// What settings, plans and records call them.
    pub name: Arc<str>,
    /// A SIP URI, or a number where there is a trunk.
    pub to: Pii<String>,
    /// Through which trunk they are called.
    pub trunk: Option<Arc<str>>,
    /// Whose callers they take.
    pub groups: BTreeSet<Arc<str>>,
    /// What they know.
    pub skills: BTreeSet<String>,
    /// What they speak; none: whatever the caller does.
    pub languages: Vec<Language>,
    /// Where their callers are; none: anywhere.
    pub regions: BTreeSet<String>,
    /// Higher ones are asked before lower ones.
    pub priority: i32,
    /// Callers they take at once: one, unless this is a telephone system of its own.
    pub lines: usize,
}

/// In which order agents of a group who are alike otherwise are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Whoever has been free longest.
    #[default]
    LongestIdle,
    /// Whoever has taken the fewest calls.
    FewestCalls,
    /// One after the other.
    RoundRobin,
    /// All at once: the first who says yes has the call.
    RingAll,
}

/// How one group is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// In which order.
    pub strategy: Strategy,
    /// How long a telephone rings before the next one does.
    pub ring: Duration,
    /// Rest after a call, to write down what was said.
    pub wrap_up: Duration,
    /// How long an agent who did not take a caller is not offered that caller again.
    pub retry: Duration,
    /// Rings in a row that nobody answers, after which the agent counts as away; 0: never.
    pub away_after: u32,
    /// How long that lasts.
    pub away_for: Duration,
    /// Nobody waits longer.
    pub max_wait: Duration,
    /// No more wait at once.
    pub max_length: usize,
    /// First announcement of the position, and from one to the next; `None`: none.
    pub announce: Option<Duration>,
    /// What callers hear meanwhile; absent: the house's hold music.
    pub music: Option<PathBuf>,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            ring: Duration::from_secs(20),
            wrap_up: Duration::from_secs(15),
            retry: Duration::from_secs(30),
            away_after: 3,
            away_for: Duration::from_secs(300),
            max_wait: Duration::from_secs(600),
            max_length: 50,
            announce: Some(Duration::from_secs(45)),
            music: None,
        }
    }
}

/// An agent, by place in the roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentIx(pub usize);

/// Everybody, and every group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    agents: Vec<Agent>,
    groups: BTreeMap<Arc<str>, Group>,
    /// Region by the beginning of a telephone number.
    prefixes: BTreeMap<String, Arc<str>>,
}

/// What cannot be in a roster, and where it is written: `agents.agent.0.to`.
#[derive(Debug, PartialEq, Eq)]
pub struct RosterError {
    /// Keys, with dots between them.
    pub at: String,
    /// A sentence.
    pub text: String,
}

impl fmt::Display for RosterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for RosterError {}

fn wrong<T>(at: String, text: String) -> Result<T, RosterError> {
    Err(RosterError { at, text })
}

impl Roster {
    /// Checks it all. `regions` are beginnings of telephone numbers by region; `trunks` the names there are.
    pub fn new(
        agents: Vec<Agent>,
        groups: BTreeMap<Arc<str>, Group>,
        regions: &BTreeMap<String, Vec<String>>,
        trunks: &[&str],
    ) -> Result<Self, RosterError> {
        let prefixes = prefixes(regions)?;
        groups.iter().try_for_each(|(name, group)| check_group(name, group))?;
        let mut names = BTreeSet::new();
        for (place, agent) in agents.iter().enumerate() {
            let at = |key: &str| format!("agents.agent.{place}.{key}");
            check_agent(agent, &at, trunks)?;
            if !names.insert(&agent.name) {
                let text =
                    format!("two [[agents.agent]] are named {:?}; records could not tell them apart", agent.name);
                return wrong(at("name"), text);
            }
            if let Some(unknown) = agent.groups.iter().find(|group| !groups.contains_key(*group)) {
                let known: Vec<_> = groups.keys().map(|name| format!("[agents.group.{name}]")).collect();
                let text = format!(
                    "[[agents.agent]] {:?} is in the group {unknown:?}, which is not there; {}",
                    agent.name,
                    match known.as_slice() {
                        [] => format!("add [agents.group.{unknown}]"),
                        known => format!("there is {}", known.join(", ")),
                    }
                );
                return wrong(at("groups"), text);
            }
            if let Some(unknown) = agent.regions.iter().find(|region| !regions.contains_key(*region)) {
                let text = format!(
                    "[[agents.agent]] {:?} is for the region {unknown:?}, which [agents.regions] does not know; name \
                     there how its numbers begin",
                    agent.name
                );
                return wrong(at("regions"), text);
            }
        }
        if let Some(empty) = groups.keys().find(|name| !agents.iter().any(|agent| agent.groups.contains(*name))) {
            let text = format!(
                "[agents.group.{empty}] has no agent, so nobody would ever take its callers; put {empty:?} into \
                 `groups` of an [[agents.agent]]"
            );
            return wrong(format!("agents.group.{empty}"), text);
        }
        Ok(Self { agents, groups, prefixes })
    }

    /// Everybody, in the order of the settings.
    pub fn agents(&self) -> impl Iterator<Item = (AgentIx, &Agent)> {
        self.agents.iter().enumerate().map(|(place, agent)| (AgentIx(place), agent))
    }

    /// One of them.
    pub fn agent(&self, ix: AgentIx) -> &Agent {
        self.agents.get(ix.0).expect("an AgentIx comes from this roster")
    }

    /// By name.
    pub fn find(&self, name: &str) -> Option<AgentIx> {
        self.agents.iter().position(|agent| &*agent.name == name).map(AgentIx)
    }

    /// A group by name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    /// All groups.
    pub fn groups(&self) -> impl Iterator<Item = (&Arc<str>, &Group)> {
        self.groups.iter()
    }

    /// Where a telephone number is: the region whose beginning fits longest.
    pub fn region_of(&self, number: &str) -> Option<&str> {
        let digits: String = number.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
        // Longest first: of all beginnings of the number, the first that is known.
        (1..=digits.len()).rev().find_map(|length| self.prefixes.get(&digits[..length])).map(|region| &**region)
    }

    /// Could this agent ever take a caller with these needs?
    pub fn fits(&self, ix: AgentIx, needs: &Needs) -> bool {
        let agent = self.agent(ix);
        let speaks = |language: &Language| {
            agent.languages.is_empty() || agent.languages.iter().any(|known| known.primary() == language.primary())
        };
        agent.groups.contains(&needs.group)
            && needs.skills.is_subset(&agent.skills)
            && needs.language.as_ref().is_none_or(speaks)
    }
}

fn prefixes(regions: &BTreeMap<String, Vec<String>>) -> Result<BTreeMap<String, Arc<str>>, RosterError> {
    let mut prefixes: BTreeMap<String, Arc<str>> = BTreeMap::new();
    for (region, beginnings) in regions {
        let at = format!("agents.regions.{region}");
        for beginning in beginnings {
            let digits = beginning.strip_prefix('+').unwrap_or(beginning);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                let text = format!(
                    "agents.regions.{region} has {beginning:?}, which no telephone number begins with; write it like +1212"
                );
                return wrong(at, text);
            }
            if let Some(other) = prefixes.insert(beginning.clone(), region.as_str().into()) {
                let text = match *other == **region {
                    true => format!("agents.regions.{region} has {beginning:?} twice; keep one"),
                    false => format!("{beginning:?} is in two regions, {other} and {region}; keep one"),
                };
                return wrong(at, text);
            }
        }
    }
    Ok(prefixes)
}

fn check_agent(agent: &Agent, at: &dyn Fn(&str) -> String, trunks: &[&str]) -> Result<(), RosterError> {
    let Agent { name, to, trunk, groups, lines, .. } = agent;
    if name.trim().is_empty() {
        return wrong(at("name"), "an [[agents.agent]] has an empty name; plans and records call them by that".into());
    }
    if let Some(unknown) = trunk.as_deref().filter(|trunk| !trunks.contains(trunk)) {
        let text = format!(
            "[[agents.agent]] {name:?} is called through {unknown:?}, which is no [[trunk]]; add one, or mend it"
        );
        return wrong(at("trunk"), text);
    }
    let to = to.reveal();
    let is_uri = Uri::parse(to).is_ok_and(|uri| matches!(uri.scheme.as_str(), "sip" | "sips") && !uri.host.is_empty());
    let digits = to.strip_prefix('+').unwrap_or(to);
    let is_number =
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'#'));
    // Neither text shows the value: it may be somebody's own telephone.
    match (is_uri, is_number, trunk) {
        (true, _, _) | (false, true, Some(_)) => {}
        (false, true, None) => {
            let text = format!(
                "[[agents.agent]] {name:?} has a number in `to`, which needs a `trunk`; name one, or write a URI like \
                 sip:desk@pbx.example"
            );
            return wrong(at("to"), text);
        }
        (false, false, _) => {
            let text = format!(
                "[[agents.agent]] {name:?}: `to` is neither a SIP URI nor a number; write it like sip:desk@pbx.example"
            );
            return wrong(at("to"), text);
        }
    }
    if groups.is_empty() {
        let text =
            format!("[[agents.agent]] {name:?} is in no group, so no caller would ever reach them; add `groups`");
        return wrong(at("groups"), text);
    }
    if *lines == 0 {
        let text = format!("[[agents.agent]] {name:?}: lines is 0, so they would never be asked; leave it out for 1");
        return wrong(at("lines"), text);
    }
    Ok(())
}

fn check_group(name: &str, group: &Group) -> Result<(), RosterError> {
    let at = |key: &str| format!("agents.group.{name}.{key}");
    let section = format!("[agents.group.{name}]");
    if group.ring < SHORTEST_RING {
        return wrong(at("ring"), format!("{section}: ring is shorter than 5s, too short for anybody to pick up"));
    }
    if group.max_wait.is_zero() {
        return wrong(at("max_wait"), format!("{section}: max_wait is zero, so no caller would ever wait"));
    }
    if group.max_length == 0 {
        return wrong(at("max_length"), format!("{section}: max_length is 0, so no caller would ever be taken"));
    }
    if group.retry.is_zero() {
        let text = format!("{section}: retry is zero, so whoever declines a caller would be rung again at once");
        return wrong(at("retry"), text);
    }
    if group.announce.is_some_and(|every| every < SHORTEST_ANNOUNCE) {
        let text = format!("{section}: announce is shorter than 10s; callers would hear little else");
        return wrong(at("announce"), text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str) -> Agent {
        Agent {
            name: name.into(),
            to: Pii::new(format!("sip:{name}@pbx.example")),
            trunk: None,
            groups: BTreeSet::from(["desk".into()]),
            skills: BTreeSet::new(),
            languages: Vec::new(),
            regions: BTreeSet::new(),
            priority: 0,
            lines: 1,
        }
    }

    fn desk() -> BTreeMap<Arc<str>, Group> {
        BTreeMap::from([("desk".into(), Group::default())])
    }

    fn regions() -> BTreeMap<String, Vec<String>> {
        let east = ["+1212", "+1617"].map(str::to_owned).to_vec();
        BTreeMap::from([("america".to_owned(), vec!["+1".to_owned()]), ("east".to_owned(), east)])
    }

    #[test]
    fn what_cannot_be_is_said_with_its_place() {
        let number = |to: &str, trunk: Option<&str>| Agent {
            to: Pii::new(to.to_owned()),
            trunk: trunk.map(Arc::from),
            ..agent("ada")
        };
        let group = |change: fn(&mut Group)| {
            let mut group = Group::default();
            change(&mut group);
            BTreeMap::from([("desk".into(), group)])
        };
        type Row = (Vec<Agent>, BTreeMap<Arc<str>, Group>, &'static str, &'static str);
        let rows: Vec<Row> = vec![
            (vec![agent("ada"), agent("ada")], desk(), "agents.agent.1.name", "two [[agents.agent]] are named \"ada\""),
            (vec![agent(" ")], desk(), "agents.agent.0.name", "empty name"),
            (vec![number("+12025550100", None)], desk(), "agents.agent.0.to", "needs a `trunk`"),
            (
                vec![number("+12025550100", Some("line"))],
                desk(),
                "agents.agent.0.trunk",
                "\"line\", which is no [[trunk]]",
            ),
            (vec![number("ada's desk", None)], desk(), "agents.agent.0.to", "neither a SIP URI nor a number"),
            (vec![number("http://x.example", None)], desk(), "agents.agent.0.to", "neither a SIP URI nor a number"),
            (vec![Agent { groups: BTreeSet::new(), ..agent("ada") }], desk(), "agents.agent.0.groups", "in no group"),
            (
                vec![Agent { groups: BTreeSet::from(["dusk".into()]), ..agent("ada") }],
                desk(),
                "agents.agent.0.groups",
                "there is [agents.group.desk]",
            ),
            (
                vec![Agent { regions: BTreeSet::from(["mars".into()]), ..agent("ada") }],
                desk(),
                "agents.agent.0.regions",
                "[agents.regions] does not know",
            ),
            (vec![Agent { lines: 0, ..agent("ada") }], desk(), "agents.agent.0.lines", "lines is 0"),
            (Vec::new(), desk(), "agents.group.desk", "has no agent"),
            (vec![agent("ada")], group(|it| it.ring = Duration::from_secs(1)), "agents.group.desk.ring", "shorter"),
            (vec![agent("ada")], group(|it| it.max_wait = Duration::ZERO), "agents.group.desk.max_wait", "zero"),
            (vec![agent("ada")], group(|it| it.max_length = 0), "agents.group.desk.max_length", "is 0"),
            (vec![agent("ada")], group(|it| it.retry = Duration::ZERO), "agents.group.desk.retry", "zero"),
            (
                vec![agent("ada")],
                group(|it| it.announce = Some(Duration::from_secs(1))),
                "agents.group.desk.announce",
                "shorter than 10s",
            ),
        ];
        for (agents, groups, at, text) in rows {
            let error = Roster::new(agents, groups, &regions(), &["carrier"]).unwrap_err();
            assert_eq!(error.at, at, "{error}");
            assert!(error.text.contains(text), "{error}");
            assert!(!error.text.contains("+12025550100"), "a person's number is shown: {error}");
        }
        let good = vec![agent("ada"), Agent { name: "bob".into(), ..number("+12025550100", Some("carrier")) }];
        let roster = Roster::new(good, desk(), &regions(), &["carrier"]).unwrap();
        assert_eq!(roster.find("bob"), Some(AgentIx(1)));
    }

    #[test]
    fn the_longest_beginning_says_where_a_number_is() {
        let roster = Roster::new(vec![agent("ada")], desk(), &regions(), &[]).unwrap();
        for (number, region) in [
            ("+12125550100", Some("east")),
            ("+1 (617) 555-0100", Some("east")),
            ("+13035550100", Some("america")),
            ("+862155550100", None),
            ("anonymous", None),
            ("", None),
        ] {
            assert_eq!(roster.region_of(number), region, "{number}");
        }
        let twice = BTreeMap::from([("a".to_owned(), vec!["+1".to_owned()]), ("b".to_owned(), vec!["+1".to_owned()])]);
        let error = Roster::new(vec![agent("ada")], desk(), &twice, &[]).unwrap_err();
        assert_eq!(error.text, "\"+1\" is in two regions, a and b; keep one");
        let words = BTreeMap::from([("a".to_owned(), vec!["east".to_owned()])]);
        let error = Roster::new(vec![agent("ada")], desk(), &words, &[]).unwrap_err();
        assert!(error.text.contains("write it like +1212"), "{error}");
    }

    #[test]
    fn an_agent_fits_who_has_every_skill_and_speaks_the_language_of_whatever_country() {
        let english = |tag: &str| Language::parse(tag).unwrap();
        let ada = Agent {
            skills: BTreeSet::from(["cards".to_owned(), "loans".to_owned()]),
            languages: vec![english("en-GB"), english("zh-CN")],
            ..agent("ada")
        };
        let roster = Roster::new(vec![ada, agent("bob")], desk(), &BTreeMap::new(), &[]).unwrap();
        let needs = |skill: Option<&str>, language: Option<&str>| Needs {
            skills: skill.map(str::to_owned).into_iter().collect(),
            language: language.map(english),
            ..Needs::of("desk")
        };
        let rows = [
            (needs(None, None), [true, true]),
            (needs(Some("cards"), Some("en-US")), [true, false]),
            (needs(None, Some("zh")), [true, true]),
            (needs(None, Some("es-MX")), [false, true]),
            (needs(Some("pets"), None), [false, false]),
            (Needs::of("elsewhere"), [false, false]),
        ];
        for (needs, expect) in rows {
            let fits = [0, 1].map(|place| roster.fits(AgentIx(place), &needs));
            assert_eq!(fits, expect, "{needs:?}");
        }
    }
}
