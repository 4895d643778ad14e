//! Settings: defaults, then `trunkline.toml`, then `TRUNKLINE_…` variables, the later winning.
//!
//! Strict: a key nobody knows is an error that names the file and the nearest right key, because a misspelt setting
//! that is ignored is found out at night. `config.example.toml` explains every key; a test holds it to this file.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Format as _, Serialized, Toml};
use serde::Deserialize;

mod agents;
mod check;
mod error;
mod lookups;
mod place;
mod source;
mod trunks;
mod values;

pub use agents::{AgentConfig, AgentsConfig, GroupConfig, WebhookConfig};
use check::Fault;
pub use error::ConfigError;
pub use lookups::LookupsConfig;
use trunks::Proof;
pub use trunks::{PeerConfig, TrunkConfig};
pub use values::{JitterBounds, Network, NumberPattern, PortRange};

use crate::rtp::Codec;
use crate::sdp::{Preference, SrtpPolicy};
use crate::sip::Algorithm;
use crate::speech::models::ModelDirs;
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
    /// Through whom we call.
    #[serde(rename = "trunk")]
    pub trunks: Vec<TrunkConfig>,
    /// Which plan answers which number.
    #[serde(rename = "route")]
    pub routes: Vec<RouteConfig>,
    /// People who take calls over.
    pub agents: AgentsConfig,
    /// Hearing and speaking.
    pub speech: SpeechConfig,
    /// Whom plans may ask about a caller.
    pub lookups: LookupsConfig,
    /// Recordings.
    pub recording: RecordingConfig,
    /// What is kept of people.
    pub privacy: PrivacyConfig,
    /// The program's own log.
    pub log: LogConfig,
    /// What machines may ask of the program itself.
    pub ops: OpsConfig,
}

/// `[sip]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SipConfig {
    /// Address and port, for UDP and TCP.
    #[serde(deserialize_with = "values::socket")]
    pub listen: SocketAddr,
    /// Take connections there too, not only datagrams.
    pub tcp: bool,
    /// Address and port for TLS; absent: no TLS connections are taken.
    #[serde(deserialize_with = "values::optional_socket")]
    pub tls_listen: Option<SocketAddr>,
    /// PEM file with our certificate and those that vouch for it.
    #[serde(deserialize_with = "values::optional_path")]
    pub certificate: Option<PathBuf>,
    /// PEM file with its private key.
    #[serde(deserialize_with = "values::optional_path")]
    pub private_key: Option<PathBuf>,
    /// PEM file with authorities to trust besides the system's when we connect.
    #[serde(deserialize_with = "values::optional_path")]
    pub ca: Option<PathBuf>,
    /// Address the far end reaches us at, in Contact and SDP, where it differs from the one we bind (behind NAT).
    #[serde(deserialize_with = "values::optional_address")]
    pub advertise: Option<IpAddr>,
    /// More calls at once are answered 503.
    pub max_calls: usize,
    /// Realm of the passwords that peers prove.
    pub realm: String,
    /// How they may prove them, the best first (RFC 8760).
    pub digest: Vec<Algorithm>,
    /// Longest time between two signs of life in a dialog (RFC 4028 `Session-Expires`).
    #[serde(deserialize_with = "values::duration")]
    pub session_expires: Duration,
    /// The shortest such time we let anybody ask for (`Min-SE`).
    #[serde(deserialize_with = "values::duration")]
    pub min_se: Duration,
    /// Name server asked for trunks; absent: the system's.
    #[serde(deserialize_with = "values::optional_socket")]
    pub resolver: Option<SocketAddr>,
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
    /// What we speak, best first.
    pub codecs: Vec<Codec>,
    /// Whose order of codecs decides when we answer.
    pub order: Preference,
    /// Encrypted media (SRTP, keys by SDES).
    pub srtp: SrtpPolicy,
    /// How long sound waits for packets that come late.
    pub jitter: JitterBounds,
    /// Sound file for callers whom we put on hold; absent: silence.
    #[serde(deserialize_with = "values::optional_path")]
    pub hold_music: Option<PathBuf>,
    /// Threads that carry the sound; absent: one per core.
    pub threads: Option<usize>,
    /// Give them real-time priority, where the system allows it.
    pub realtime: bool,
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
    /// Record its calls or not, whatever `recording.enabled` says.
    pub recording: Option<bool>,
    /// Only for calls of this `[[peer]]` or `[[trunk]]`.
    pub from: Option<String>,
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

/// `[ops]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpsConfig {
    /// Where `/healthz` and `/metrics` are answered; absent: nowhere.
    #[serde(deserialize_with = "values::optional_socket")]
    pub listen: Option<SocketAddr>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: source::default_data_dir(&source::process_environment()),
            drain_timeout: Duration::from_secs(60),
            max_call: Duration::from_secs(3_600),
            sip: SipConfig::default(),
            rtp: RtpConfig::default(),
            peers: vec![PeerConfig {
                name: "local".to_owned(),
                addresses: Network::loopback().to_vec(),
                ..PeerConfig::default()
            }],
            trunks: Vec::new(),
            routes: vec![RouteConfig {
                number: NumberPattern::Any,
                plan: PathBuf::from("dialplans/bank-main.yaml"),
                recording: None,
                from: None,
            }],
            agents: AgentsConfig::default(),
            speech: SpeechConfig::default(),
            lookups: LookupsConfig::default(),
            recording: RecordingConfig::default(),
            privacy: PrivacyConfig::default(),
            log: LogConfig::default(),
            ops: OpsConfig::default(),
        }
    }
}

impl Default for SipConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)),
            tcp: true,
            tls_listen: None,
            certificate: None,
            private_key: None,
            ca: None,
            advertise: None,
            max_calls: 400,
            realm: "trunkline".to_owned(),
            digest: vec![Algorithm::Sha256, Algorithm::Md5],
            session_expires: Duration::from_secs(1_800),
            min_se: Duration::from_secs(90),
            resolver: None,
        }
    }
}

impl Default for RtpConfig {
    fn default() -> Self {
        let ports = PortRange { first: 20_000, last: 20_999 };
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            ports,
            timeout: Duration::from_secs(20),
            codecs: Codec::USUAL.to_vec(),
            order: Preference::default(),
            srtp: SrtpPolicy::default(),
            jitter: JitterBounds::default(),
            hold_music: None,
            threads: None,
            realtime: true,
        }
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
        let environment = source::process_environment();
        Self::read(in_use(file), &environment, Some(&environment))
    }

    /// Like [`Config::load`], for those who look on and prove nothing: passwords that stand in variables stay there. Those
    /// of a service are nobody else's to see.
    pub fn load_without_passwords(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::read(in_use(file), &source::process_environment(), None)
    }

    /// Like [`Config::load`], with the environment given.
    pub fn from_sources(file: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        Self::read(file, environment, Some(environment))
    }

    fn read(
        file: Option<&Path>,
        environment: &BTreeMap<String, String>,
        passwords: Option<&BTreeMap<String, String>>,
    ) -> Result<Self, ConfigError> {
        let data_dir = source::default_data_dir(environment);
        let mut text = String::new();
        let mut figment = Figment::from(Serialized::default("data_dir", data_dir));
        if let Some(file) = file {
            // Read once here for an error that says why; figment would say nothing about a missing file.
            text = std::fs::read_to_string(file)
                .map_err(|cause| ConfigError::Unreadable { file: file.to_owned(), cause })?;
            figment = figment.merge(Toml::file_exact(file));
        }
        figment = figment.merge(source::Variables::of(environment)?);
        let read = file.map(|file| (file, text.as_str()));
        let mut config = figment.extract::<Self>().map_err(|error| error::sentence(error, read))?;
        let checked = config.fetch_passwords(passwords).and_then(|()| config.check());
        checked.map_err(|Fault { at, text }| {
            let path: Vec<&str> = at.split('.').collect();
            ConfigError::Inconsistent { place: error::place(read, &path), fault: text }
        })?;
        Ok(config)
    }

    fn fetch_passwords(&mut self, environment: Option<&BTreeMap<String, String>>) -> Result<(), Fault> {
        for (place, peer) in self.peers.iter_mut().enumerate() {
            let name = peer.name.clone();
            let of = |Fault { at, text }| Fault {
                at: format!("peer.{place}.{at}"),
                text: format!("[[peer]] {name:?} {text}"),
            };
            Proof::of_peer(peer).complete(environment).map_err(of)?;
        }
        for (place, trunk) in self.trunks.iter_mut().enumerate() {
            let name = trunk.name.clone();
            let of = |Fault { at, text }| Fault {
                at: format!("trunk.{place}.{at}"),
                text: format!("[[trunk]] {name:?} {text}"),
            };
            Proof::of_trunk(trunk).complete(environment).map_err(of)?;
        }
        self.lookups.fetch_secrets(environment)
    }

    /// Where recordings go.
    pub fn recordings_dir(&self) -> PathBuf {
        self.recording.directory.clone().unwrap_or_else(|| self.data_dir.join("recordings"))
    }

    /// Where models are looked for: `speech.models`, TRUNKLINE_MODELS, models in `data_dir`, those of this user.
    pub fn model_dirs(&self) -> ModelDirs {
        let dirs = ModelDirs::from_env();
        match &self.speech.models {
            Some(models) => dirs.preferring(models),
            None => dirs.beside(&self.data_dir.join("models")),
        }
    }

    /// Threads that recognise: as configured, else one per core.
    pub fn recognition_workers(&self) -> usize {
        self.speech.workers.unwrap_or_else(|| cores().get())
    }

    /// Threads that carry the sound: as configured, else one per core.
    pub fn media_threads(&self) -> NonZeroUsize {
        self.rtp.threads.and_then(NonZeroUsize::new).unwrap_or_else(cores)
    }

    /// The address peers are told to send media to.
    pub fn media_address(&self) -> IpAddr {
        self.sip.advertise.unwrap_or(self.rtp.address)
    }

    /// Where a running gateway listens for `trunkline call` and its like.
    pub fn control_socket(&self) -> PathBuf {
        self.data_dir.join("control.sock")
    }

    /// Who answers `number` when `peer` calls it: an exact route before a prefix, a longer prefix before a shorter one,
    /// and of two for the same number the one that is only for this peer.
    pub fn route_for(&self, number: &str, peer: &str) -> Option<&RouteConfig> {
        let serves = |route: &&RouteConfig| route.from.as_deref().is_none_or(|from| from == peer);
        let fitting = self.routes.iter().filter(serves).filter(|route| route.number.matches(number));
        fitting.max_by_key(|route| (route.number.weight(), route.from.is_some()))
    }

    /// Is a call on this route recorded?
    pub fn records(&self, route: &RouteConfig) -> bool {
        route.recording.unwrap_or(self.recording.enabled)
    }
}

/// The file to read: the one that is asked for, else the usual one if it is here.
fn in_use(file: Option<&Path>) -> Option<&Path> {
    let usual = Path::new(DEFAULT_FILE);
    file.or_else(|| usual.exists().then_some(usual))
}

fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests;
