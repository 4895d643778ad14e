//! `[agents]`: people who take calls over, in groups.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::check::{Fault, fault};
use super::{Config, values};
use crate::agents::webhook::Webhook;
use crate::agents::{Agent, Group, Roster, RosterError, Strategy};
use crate::language::Language;
use crate::lookup::{AllowList, LookupSettings, Secrets, origin};
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
    /// What a house's own system is told of callers and agents.
    pub webhook: Option<WebhookConfig>,
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

/// `[agents.webhook]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where; its host must stand in `lookups.allow`.
    pub url: Pii<String>,
    /// Header fields, `{{ env.NAME }}` in them taken from `lookups.secrets`.
    #[serde(default)]
    pub headers: BTreeMap<String, Pii<String>>,
    /// All the time there is for one event, repeats included.
    #[serde(default = "ten_seconds", deserialize_with = "values::duration")]
    pub timeout: Duration,
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
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
        let AgentsConfig { agent, group, regions, .. } = &self.agents;
        let groups = group.iter().map(|(name, group)| (Arc::from(name.as_str()), group.group()));
        let trunks: Vec<_> = self.trunks.iter().map(|trunk| trunk.name.as_str()).collect();
        Roster::new(agent.iter().map(AgentConfig::agent).collect(), groups.collect(), regions, &trunks)
    }

    /// Whom to tell of agents and callers. `secrets` knows what stands for the values in the requests.
    pub fn webhook(&self, secrets: &Secrets) -> Option<Webhook> {
        let WebhookConfig { url, headers, timeout } = self.agents.webhook.as_ref()?;
        let dressed = |text: &Pii<String>| {
            let dressed = env_names(text.reveal())
                .fold(text.reveal().clone(), |text, (written, name)| text.replace(&written, &secrets.marker(&name)));
            Pii::new(dressed)
        };
        let headers = headers.iter().map(|(name, value)| (name.clone(), dressed(value))).collect();
        Some(Webhook { url: dressed(url), headers, timeout: *timeout })
    }

    pub(super) fn check_webhook(&self) -> Result<(), Fault> {
        let Some(WebhookConfig { url, headers, timeout }) = &self.agents.webhook else { return Ok(()) };
        let url = url.reveal();
        let at = |key: &str| format!("agents.webhook.{key}");
        match origin(url) {
            Err(why) => return fault(at("url"), format!("agents.webhook.url cannot be used: {why}")),
            Ok(host) => {
                if let Err(why) = AllowList::new(self.lookups.allow.clone()).permits(&host) {
                    let name = host.host_str().unwrap_or_default();
                    return fault(at("url"), format!("agents.webhook.url: `{name}` {why}"));
                }
            }
        }
        for (key, text) in headers.iter().map(|(_, value)| ("headers", value.reveal())).chain([("url", url)]) {
            if let Some((_, name)) = env_names(text).find(|(_, name)| !self.lookups.secrets.contains(name)) {
                let text = format!("agents.webhook.{key} uses `{name}`, which is not in `secrets` of [lookups]");
                return fault(at(key), text);
            }
        }
        if *timeout < Duration::from_millis(100) || *timeout > LookupSettings::LONGEST {
            return fault(at("timeout"), "agents.webhook.timeout is out of reach; an event has 100ms to 60s");
        }
        Ok(())
    }
}

/// Every `{{ env.NAME }}` of a text: as it is written, and the name.
fn env_names(text: &str) -> impl Iterator<Item = (String, String)> {
    let placeholders = text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}").map(|(inside, _)| inside));
    placeholders.filter_map(|inside| {
        let name = inside.trim().strip_prefix("env.")?;
        Some((format!("{{{{{inside}}}}}"), name.trim().to_owned()))
    })
}
