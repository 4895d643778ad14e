//! Settings from the environment: `TRUNKLINE_SIP__LISTEN` is `sip.listen`, two underscores where the file has a dot.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::util::nest;
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::ConfigError;
use super::error::nearest;

/// Begins every variable of ours.
const PREFIX: &str = "TRUNKLINE_";
/// Settings outside any section; other variables without `__` are not settings.
const TOP_LEVEL: [&str; 3] = ["data_dir", "drain_timeout", "max_call"];
/// Older and shorter than its systematic name, and what scripts set.
const MODELS: (&str, &str) = ("TRUNKLINE_MODELS", "speech.models");

/// The variables of this process that are text.
pub(super) fn process_environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// XDG Base Directory Specification: `$XDG_DATA_HOME`, else `~/.local/share`; a folder here for who has no home.
pub(super) fn default_data_dir(environment: &BTreeMap<String, String>) -> PathBuf {
    let absolute = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let of_home = || absolute("HOME").map(|home| home.join(".local/share"));
    absolute("XDG_DATA_HOME")
        .or_else(of_home)
        .map_or_else(|| PathBuf::from("trunkline-data"), |base| base.join("trunkline"))
}

/// Our variables, each still with its name for errors.
pub(super) struct Variables {
    values: Vec<(String, Value)>,
}

impl Variables {
    /// Picks ours out. One that almost is a setting is an error; others that merely begin like ours are let be.
    pub fn of(environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut values = Vec::new();
        for (name, text) in environment {
            let Some(key) = key(name)? else { continue };
            values.push((key, text.parse::<Value>().unwrap_or_else(|never| match never {})));
        }
        Ok(Self { values })
    }
}

fn key(name: &str) -> Result<Option<String>, ConfigError> {
    if name == MODELS.0 {
        return Ok(Some(MODELS.1.to_owned()));
    }
    let Some(rest) = name.strip_prefix(PREFIX) else { return Ok(None) };
    let rest = rest.to_ascii_lowercase();
    if rest.contains("__") {
        return Ok(Some(rest.replace("__", ".")));
    }
    if TOP_LEVEL.contains(&rest.as_str()) {
        return Ok(Some(rest));
    }
    match nearest(&rest, &TOP_LEVEL) {
        Some(right) => {
            Err(ConfigError::UnknownVariable { name: name.to_owned(), right: variable(&[right.to_owned()]) })
        }
        None => Ok(None),
    }
}

/// The variable that sets the key of this path.
pub(super) fn variable(path: &[impl AsRef<str>]) -> String {
    let parts = path.iter().map(|part| part.as_ref().to_ascii_uppercase()).collect::<Vec<_>>();
    format!("{PREFIX}{}", parts.join("__"))
}

impl Provider for Variables {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut all = Dict::new();
        for (key, value) in &self.values {
            let nested = nest(key, value.clone()).into_dict().unwrap_or_default();
            merge(&mut all, nested);
        }
        Ok(Profile::Default.collect(all))
    }
}

fn merge(into: &mut Dict, from: Dict) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Dict(_, inner)), Value::Dict(_, more)) => merge(inner, more),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// For errors: the file, or nothing for the environment.
pub(super) fn file_of(metadata: Option<&Metadata>) -> Option<&Path> {
    metadata?.source.as_ref()?.file_path()
}
