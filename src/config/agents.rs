//! `[agents]`: people who take calls over, in groups.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{Config, values};
use crate::agents::{Agent, Group, Roster, RosterError, Strategy};
use crate::language::Language;
use crate::pii::Pii;

/// `[agents]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentsConfig {
    /// Who there is.
    pub agent: Vec<AgentConfig>,
    /// How they are asked.
    pub group: BTreeMap<String, GroupConfig>,
    /// How the telephone numbers of a region begin.
    pub regions: BTreeMap<String, Vec<String>>,
}

/// `[[agents.agent]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// What plans and records call them.
    pub name: String,
    /// A SIP URI, or a number where there is a trunk.
    pub to: Pii<String>,
    /// Through which trunk they are called.
    pub trunk: Option<String>,
    /// Whose callers they take.
    pub groups: Vec<String>,
    /// What they know.
    #[serde(default)]
    pub skills: Vec<String>,
    /// What they speak; none: whatever the caller does.
    #[serde(default)]
    pub languages: Vec<Language>,
    /// Where their callers are.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Higher ones are asked before lower ones.
    #[serde(default)]
    pub priority: i32,
    /// Callers they take at once.
    #[serde(default = "one")]
    pub lines: usize,
}

const fn one() -> usize {
    1
}

/// `[agents.group.NAME]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupConfig {
    /// In which order agents are asked who are alike otherwise.
    pub strategy: Strategy,
    /// How long a telephone rings before the next one does.
    #[serde(deserialize_with = "values::duration")]
    pub ring: Duration,
    /// Rest after a call.
    #[serde(deserialize_with = "values::duration")]
    pub wrap_up: Duration,
    /// How long an agent who did not take a caller is not offered that caller again.
    #[serde(deserialize_with = "values::duration")]
    pub retry: Duration,
    /// Rings in a row that nobody answers, after which the agent counts as away.
    pub away_after: u32,
    /// How long that lasts.
    #[serde(deserialize_with = "values::duration")]
    pub away_for: Duration,
    /// Nobody waits longer.
    #[serde(deserialize_with = "values::duration")]
    pub max_wait: Duration,
    /// No more wait at once.
    pub max_length: usize,
    /// From one announcement of the position to the next.
    #[serde(deserialize_with = "values::duration_or_never")]
    pub announce: Option<Duration>,
    /// What callers hear meanwhile, instead of `rtp.hold_music`.
    #[serde(deserialize_with = "values::optional_path")]
    pub music: Option<PathBuf>,
}

impl Default for GroupConfig {
    fn default() -> Self {
        let Group { strategy, ring, wrap_up, retry, away_after, away_for, max_wait, max_length, announce, music } =
            Group::default();
        Self { strategy, ring, wrap_up, retry, away_after, away_for, max_wait, max_length, announce, music }
    }
}

impl GroupConfig {
    fn group(&self) -> Group {
        let Self { strategy, ring, wrap_up, retry, away_after, away_for, max_wait, max_length, announce, music } =
            self.clone();
        Group { strategy, ring, wrap_up, retry, away_after, away_for, max_wait, max_length, announce, music }
    }
}

impl AgentConfig {
    fn agent(&self) -> Agent {
        Agent {
            name: self.name.as_str().into(),
            to: self.to.clone(),
            trunk: self.trunk.as_deref().map(Arc::from),
            groups: self.groups.iter().map(|group| Arc::from(group.as_str())).collect(),
            skills: self.skills.iter().cloned().collect(),
            languages: self.languages.clone(),
            regions: self.regions.iter().cloned().collect(),
            priority: self.priority,
            lines: self.lines,
        }
    }
}

impl Config {
    /// Who takes calls over. No error once the settings are checked.
    pub fn roster(&self) -> Result<Roster, RosterError> {
        let AgentsConfig { agent, group, regions } = &self.agents;
        let groups = group.iter().map(|(name, group)| (Arc::from(name.as_str()), group.group()));
        let trunks: Vec<_> = self.trunks.iter().map(|trunk| trunk.name.as_str()).collect();
        Roster::new(agent.iter().map(AgentConfig::agent).collect(), groups.collect(), regions, &trunks)
    }
}
