//! `[[peer]]` and `[[trunk]]`: who may call us, and through whom we call.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::values::{self, JitterBounds, Network};
use crate::pii::Pii;
use crate::sdp::SrtpPolicy;

/// `[[peer]]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    /// What records and logs call it.
    pub name: String,
    /// Where it sends from; with a username, none means anywhere.
    #[serde(default)]
    pub addresses: Vec<Network>,
    /// It must prove by a password that it is this user; absent: its address is proof enough.
    pub username: Option<String>,
    /// That password. Also holds what `password_env` named, once the settings are read.
    #[serde(default, deserialize_with = "values::secret")]
    pub password: Option<Pii<String>>,
    /// Name of the variable that holds the password, so that this file need not.
    pub password_env: Option<String>,
    /// More of its calls at once are answered 503; absent: only `sip.max_calls` bounds them.
    pub max_calls: Option<usize>,
    /// More of its calls in one second are answered 503; absent: no bound.
    pub max_cps: Option<u32>,
    /// Believe its `P-Asserted-Identity` before From (RFC 3325: only inside a trust domain).
    #[serde(default)]
    pub trust_identity: bool,
    /// Its own rule for encrypted media instead of `rtp.srtp`.
    pub srtp: Option<SrtpPolicy>,
    /// Its own bounds instead of `rtp.jitter`.
    pub jitter: Option<JitterBounds>,
}

/// `[[trunk]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkConfig {
    /// What `trunkline call --trunk`, records and logs call it.
    pub name: String,
    /// Where its calls go: `sip:carrier.example;transport=tls`. Names are looked up (RFC 3263).
    pub uri: String,
    /// Who we are there.
    pub username: Option<String>,
    /// That user's password. Also holds what `password_env` named, once the settings are read.
    #[serde(default, deserialize_with = "values::secret")]
    pub password: Option<Pii<String>>,
    /// Name of the variable that holds the password, so that this file need not.
    pub password_env: Option<String>,
    /// Register there, so that its calls find us.
    #[serde(default)]
    pub register: bool,
    /// How long a registration is asked to hold.
    #[serde(default = "registration", deserialize_with = "values::duration")]
    pub expires: Duration,
    /// The number that people called through it see, unless a call names another.
    pub caller_id: Option<String>,
    /// No more calls at once through it.
    pub max_calls: Option<usize>,
    /// No more calls in one second through it.
    pub max_cps: Option<u32>,
    /// Its own rule for encrypted media instead of `rtp.srtp`.
    pub srtp: Option<SrtpPolicy>,
    /// Its own bounds instead of `rtp.jitter`.
    pub jitter: Option<JitterBounds>,
    /// Ask it so often whether it is there (OPTIONS); absent: only its registration shows.
    #[serde(default, deserialize_with = "values::optional_duration")]
    pub ping: Option<Duration>,
}

const fn registration() -> Duration {
    Duration::from_secs(600)
}

/// Who somebody is and how it is proved, as a `[[peer]]` or `[[trunk]]` writes it.
pub(super) struct Proof<'a> {
    pub username: Option<&'a str>,
    pub password: &'a mut Option<Pii<String>>,
    pub password_env: Option<&'a str>,
}

impl PeerConfig {
    pub(super) fn proof(&mut self) -> Proof<'_> {
        let Self { username, password, password_env, .. } = self;
        Proof { username: username.as_deref(), password, password_env: password_env.as_deref() }
    }
}

impl TrunkConfig {
    pub(super) fn proof(&mut self) -> Proof<'_> {
        let Self { username, password, password_env, .. } = self;
        Proof { username: username.as_deref(), password, password_env: password_env.as_deref() }
    }
}

impl Proof<'_> {
    /// Fetches the password from the environment where it is kept there. The fault ends a sentence that names whose
    /// it is.
    pub fn complete(self, environment: &BTreeMap<String, String>) -> Result<(), String> {
        match (self.password_env, &self.password) {
            (Some(_), Some(_)) => return Err("has both password and password_env; keep one".to_owned()),
            (Some(name), None) => match environment.get(name).filter(|value| !value.is_empty()) {
                Some(value) => *self.password = Some(Pii::new(value.clone())),
                None => return Err(format!("takes its password from the variable {name}, which is not set")),
            },
            (None, _) => {}
        }
        match (self.username, &self.password) {
            (None, None) => Ok(()),
            (Some(""), _) => Err("has an empty username".to_owned()),
            (Some(_), Some(password)) if password.reveal().is_empty() => Err("has an empty password".to_owned()),
            (Some(_), Some(_)) => Ok(()),
            (Some(_), None) => Err("has a username but no password; add password or password_env".to_owned()),
            (None, Some(_)) => Err("has a password but no username; add username".to_owned()),
        }
    }
}
