//! `[lookups]`: whom plans may ask about a caller, and what they may prove themselves by.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::check::{Fault, fault};
use super::values;
use crate::lookup::{AllowList, HostPattern, LookupSettings, Secrets};
use crate::pii::Pii;

/// Least memory an answer needs to say anything.
const SMALLEST: usize = 1_024;
/// More than this is no answer about one caller.
const LARGEST: usize = 16 * 1024 * 1024;

/// `[lookups]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LookupsConfig {
    /// Hosts that plans may ask; none: no plan may ask anybody.
    pub allow: Vec<HostPattern>,
    /// Names of variables that plans may use as `{{ env.NAME }}`.
    pub secrets: Vec<String>,
    /// What they hold, once the settings are read.
    #[serde(skip)]
    pub values: BTreeMap<String, Pii<String>>,
    /// Time for one look-up of a step that does not say, repeats included.
    #[serde(deserialize_with = "values::duration")]
    pub timeout: Duration,
    /// Longest answer.
    pub max_bytes: usize,
    /// How often a redirect is followed, to the same host only.
    pub redirects: u32,
    /// Look-ups at once; one more waits its turn.
    pub at_once: usize,
    /// PEM file with authorities to trust besides the system's.
    #[serde(deserialize_with = "values::optional_path")]
    pub ca: Option<PathBuf>,
}

impl Default for LookupsConfig {
    fn default() -> Self {
        let LookupSettings { max_bytes, timeout, redirects, at_once, .. } = LookupSettings::default();
        Self {
            allow: Vec::new(),
            secrets: Vec::new(),
            values: BTreeMap::new(),
            timeout,
            max_bytes,
            redirects,
            at_once,
            ca: None,
        }
    }
}

impl LookupsConfig {
    /// As the look-ups take them; `random` is new for every process.
    pub fn settings(&self, random: u128) -> LookupSettings {
        LookupSettings {
            allow: AllowList::new(self.allow.clone()),
            secrets: Secrets::new(self.values.clone(), random),
            max_bytes: self.max_bytes,
            timeout: self.timeout,
            redirects: self.redirects,
            at_once: self.at_once,
            ca: self.ca.clone(),
        }
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        let Self { timeout, max_bytes, redirects, at_once, .. } = self;
        if *timeout < Duration::from_millis(100) || *timeout > LookupSettings::LONGEST {
            return fault("lookups.timeout", "lookups.timeout is out of reach; a caller can wait 100ms to 60s");
        }
        if !(SMALLEST..=LARGEST).contains(max_bytes) {
            let text = format!("lookups.max_bytes is {max_bytes}; it must be {SMALLEST} to {LARGEST}");
            return fault("lookups.max_bytes", text);
        }
        if *redirects > LookupSettings::MOST_REDIRECTS {
            let most = LookupSettings::MOST_REDIRECTS;
            return fault("lookups.redirects", format!("lookups.redirects is {redirects}; it must be 0 to {most}"));
        }
        if *at_once == 0 {
            return fault("lookups.at_once", "lookups.at_once is 0, so no plan could ever ask anybody");
        }
        Ok(())
    }

    /// Reads the variables; without an environment they stay where they are.
    pub(super) fn fetch_secrets(&mut self, environment: Option<&BTreeMap<String, String>>) -> Result<(), Fault> {
        for name in &self.secrets {
            let is_name = |text: &str| {
                text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            };
            if !is_name(name) {
                let text =
                    format!("lookups.secrets has {name:?}, which is no name of a variable; write it like CRM_TOKEN");
                return fault("lookups.secrets", text);
            }
            let Some(environment) = environment else { continue };
            let Some(value) = environment.get(name).filter(|value| !value.is_empty()) else {
                let text = format!("lookups.secrets names the variable {name}, which is not set, or is empty");
                return fault("lookups.secrets", text);
            };
            self.values.insert(name.clone(), Pii::new(value.clone()));
        }
        Ok(())
    }
}
