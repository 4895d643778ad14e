//! Settings: defaults, then `trunkline.toml`, then `TRUNKLINE_…` variables, the later winning.
//!
//! Strict: a key nobody knows is an error that names the file and the nearest right key, because a misspelt setting
//! that is ignored is found out at night. `config.example.toml` explains every key; a test holds it to this file.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Format as _, Serialized, Toml};
use serde::Deserialize;

mod error;
mod source;
mod values;

pub use error::ConfigError;
pub use values::{Network, NumberPattern, PortRange};

use crate::store::numbers::KeepNumbers;

/// Read when no file is named, if it is there.
pub const DEFAULT_FILE: &str = "trunkline.toml";

/// All settings, checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Database, recordings, models and prompt cache live under it.
    #[serde(deserialize_with = "values::path")]
    pub data_dir: PathBuf,
    /// Time calls are given to end by themselves when the program is asked to stop.
    #[serde(deserialize_with = "values::duration")]
    pub drain_timeout: Duration,
    /// Longest call; then it is ended politely.
    #[serde(deserialize_with = "values::duration")]
    pub max_call: Duration,
    /// Signalling.
    pub sip: SipConfig,
    /// Media.
    pub rtp: RtpConfig,
    /// Who may send us calls.
    #[serde(rename = "peer")]
    pub peers: Vec<PeerConfig>,
    /// Which plan answers which number.
    #[serde(rename = "route")]
    pub routes: Vec<RouteConfig>,
    /// Hearing and speaking.
    pub speech: SpeechConfig,
    /// Recordings.
    pub recording: RecordingConfig,
    /// What is kept of people.
    pub privacy: PrivacyConfig,
    /// The program's own log.
    pub log: LogConfig,
}

/// `[sip]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SipConfig {
    /// Address and UDP port.
    #[serde(deserialize_with = "values::socket")]
    pub listen: SocketAddr,
    /// Address the far end reaches us at, in Contact and SDP, where it differs from the one we bind (behind NAT).
    #[serde(deserialize_with = "values::optional_address")]
    pub advertise: Option<IpAddr>,
    /// More calls at once are answered 503.
    pub max_calls: usize,
}

/// `[rtp]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RtpConfig {
    /// Address we send from and receive at.
    #[serde(deserialize_with = "values::address")]
    pub address: IpAddr,
    /// UDP ports, two a call.
    pub ports: PortRange,
    /// A call from which no packet comes for so long is ended.
    #[serde(deserialize_with = "values::duration")]
    pub timeout: Duration,
}

/// `[[peer]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    /// What records and logs call it.
    pub name: String,
    /// Where it sends from.
    pub addresses: Vec<Network>,
}

/// `[[route]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// The called number, its beginning, or any.
    pub number: NumberPattern,
    /// The plan's file.
    #[serde(deserialize_with = "values::path")]
    pub plan: PathBuf,
}

/// `[speech]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpeechConfig {
    /// Threads that recognise; absent: one per core.
    pub workers: Option<usize>,
    /// Folder of model weights and libraries; absent: `models` in the data directory.
    #[serde(deserialize_with = "values::optional_path")]
    pub models: Option<PathBuf>,
    /// Voice of the synthesiser.
    pub voice: String,
}

/// `[recording]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordingConfig {
    /// Keep a stereo WAV of every call.
    pub enabled: bool,
    /// Where; absent: `recordings` in the data directory.
    #[serde(deserialize_with = "values::optional_path")]
    pub directory: Option<PathBuf>,
}

/// `[privacy]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacyConfig {
    /// What the record keeps of telephone numbers.
    pub numbers: KeepNumbers,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// A level (`info`) for trunkline itself, or directives of tracing (`trunkline=debug,sqlx=info`).
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

/// `log.format`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: source::default_data_dir(&source::process_environment()),
            drain_timeout: Duration::from_secs(60),
            max_call: Duration::from_secs(3_600),
            sip: SipConfig::default(),
            rtp: RtpConfig::default(),
            peers: vec![PeerConfig { name: "local".to_owned(), addresses: Network::loopback().to_vec() }],
            routes: vec![RouteConfig { number: NumberPattern::Any, plan: PathBuf::from("dialplans/bank-main.yaml") }],
            speech: SpeechConfig::default(),
            recording: RecordingConfig::default(),
            privacy: PrivacyConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for SipConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)), advertise: None, max_calls: 400 }
    }
}

impl Default for RtpConfig {
    fn default() -> Self {
        let ports = PortRange { first: 20_000, last: 20_999 };
        Self { address: Ipv4Addr::LOCALHOST.into(), ports, timeout: Duration::from_secs(20) }
    }
}

impl Default for SpeechConfig {
    fn default() -> Self {
        Self { workers: None, models: None, voice: "slt".to_owned() }
    }
}

impl Default for RecordingConfig {
    fn default() -> Self {
        Self { enabled: true, directory: None }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::default() }
    }
}

impl Config {
    /// Reads the settings: of `file`, else of `trunkline.toml` here if there is one, and of the environment.
    /// Relative paths in a file start from its folder, those in the environment from the current one.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let default_file = Path::new(DEFAULT_FILE);
        let file = file.or_else(|| default_file.exists().then_some(default_file));
        Self::from_sources(file, &source::process_environment())
    }

    /// Like [`Config::load`], with the environment given.
    pub fn from_sources(file: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let data_dir = source::default_data_dir(environment);
        let mut figment = Figment::from(Serialized::default("data_dir", data_dir));
        if let Some(file) = file {
            // Read once here for an error that says why; figment would say nothing about a missing file.
            std::fs::read_to_string(file).map_err(|cause| ConfigError::Unreadable { file: file.to_owned(), cause })?;
            figment = figment.merge(Toml::file_exact(file));
        }
        figment = figment.merge(source::Variables::of(environment)?);
        let config = figment.extract::<Self>().map_err(|error| error::sentence(error, file))?;
        config.check().map_err(|fault| ConfigError::Inconsistent { file: file.map(Path::to_owned), fault })?;
        Ok(config)
    }

    /// Where recordings go.
    pub fn recordings_dir(&self) -> PathBuf {
        self.recording.directory.clone().unwrap_or_else(|| self.data_dir.join("recordings"))
    }

    /// Where models are looked for.
    pub fn models_dir(&self) -> PathBuf {
        self.speech.models.clone().unwrap_or_else(|| self.data_dir.join("models"))
    }

    /// Threads that recognise: as configured, else one per core.
    pub fn recognition_workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.speech.workers.unwrap_or_else(cores)
    }

    /// The address peers are told to send media to.
    pub fn media_address(&self) -> IpAddr {
        self.sip.advertise.unwrap_or(self.rtp.address)
    }

    /// The plan that answers `number`: an exact route before a prefix, a longer prefix before a shorter one.
    pub fn plan_for(&self, number: &str) -> Option<&Path> {
        let fitting = self.routes.iter().filter(|route| route.number.matches(number));
        fitting.max_by_key(|route| route.number.weight()).map(|route| route.plan.as_path())
    }

    /// What no single value can know. The first fault, as a sentence that names the keys.
    fn check(&self) -> Result<(), String> {
        self.check_addresses()?;
        self.check_numbers()?;
        let mut names = BTreeSet::new();
        for peer in &self.peers {
            if peer.name.trim().is_empty() {
                return Err("a [[peer]] has an empty name; records and logs call it by that".to_owned());
            }
            if peer.addresses.is_empty() {
                return Err(format!("[[peer]] {:?} has no addresses, so no call can come from it", peer.name));
            }
            if !names.insert(&peer.name) {
                return Err(format!("two [[peer]] are named {:?}; records could not tell them apart", peer.name));
            }
        }
        let mut numbers = BTreeSet::new();
        match self.routes.iter().find(|route| !numbers.insert(&route.number)) {
            Some(twice) => Err(format!("two [[route]] have the number {:?}; keep one", twice.number.to_string())),
            None => Ok(()),
        }
    }

    fn check_addresses(&self) -> Result<(), String> {
        let advertised = self.sip.advertise;
        if advertised.is_some_and(|address| address.is_unspecified()) {
            return Err("sip.advertise must be an address that peers can send to".to_owned());
        }
        let bound = [("sip.listen", self.sip.listen.ip()), ("rtp.address", self.rtp.address)];
        for (key, address) in bound {
            if advertised.is_none() && address.is_unspecified() {
                return Err(format!(
                    "{key} is {address}, which peers cannot send to; set sip.advertise to the address they reach us at"
                ));
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), String> {
        if self.sip.max_calls == 0 {
            return Err("sip.max_calls is 0, so no call would ever be answered".to_owned());
        }
        let pairs = self.rtp.ports.pairs();
        if pairs < self.sip.max_calls {
            return Err(format!(
                "rtp.ports holds {pairs} pairs of ports, too few for sip.max_calls = {}; widen one or lower the other",
                self.sip.max_calls
            ));
        }
        if self.speech.workers == Some(0) {
            return Err("speech.workers is 0, so nothing would be heard; leave it out for one per core".to_owned());
        }
        let durations = [("rtp.timeout", self.rtp.timeout), ("max_call", self.max_call)];
        match durations.iter().find(|(_, duration)| duration.is_zero()) {
            Some((key, _)) => Err(format!("{key} is zero, so every call would end at once")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
