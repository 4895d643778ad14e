//! `[[peer]]` and `[[trunk]]`: who may call us, and through whom we call.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::check::{Fault, fault};
use super::values::{self, JitterBounds, Network};
use crate::pii::Pii;
use crate::sdp::SrtpPolicy;
use crate::sip::{Algorithm, CallerIdPolicy, PublicAddress};

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
    /// How it may prove its password, the best first, instead of `sip.digest`.
    pub digest: Option<Vec<Algorithm>>,
    /// What of its word about its callers is believed.
    #[serde(default)]
    pub caller_id: CallerIdPolicy,
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
    /// The only realms in which it gets that password proved; none: those that it asks in itself.
    #[serde(default)]
    pub realms: Vec<String>,
    /// Register there, so that its calls find us.
    #[serde(default)]
    pub register: bool,
    /// How long a registration is asked to hold.
    #[serde(default = "registration", deserialize_with = "values::duration")]
    pub expires: Duration,
    /// The number that people called through it see, unless a call names another.
    pub caller_id: Option<String>,
    /// The address of ours that it is told, where that is not the usual one.
    #[serde(default, deserialize_with = "values::public_address")]
    pub public_address: PublicAddress,
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

impl<'a> Proof<'a> {
    pub fn of_peer(peer: &'a mut PeerConfig) -> Self {
        let PeerConfig { username, password, password_env, .. } = peer;
        Self { username: username.as_deref(), password, password_env: password_env.as_deref() }
    }

    pub fn of_trunk(trunk: &'a mut TrunkConfig) -> Self {
        let TrunkConfig { username, password, password_env, .. } = trunk;
        Self { username: username.as_deref(), password, password_env: password_env.as_deref() }
    }

    /// Fetches the password from the environment where it is kept there; without an environment it stays there. The
    /// fault ends a sentence that names whose it is, and stands at a key of that section.
    pub fn complete(self, environment: Option<&BTreeMap<String, String>>) -> Result<(), Fault> {
        match (self.password_env, &self.password) {
            (Some(_), Some(_)) => return fault("password_env", "has both password and password_env; keep one"),
            (Some(name), None) => match environment.map(|all| all.get(name).filter(|value| !value.is_empty())) {
                Some(Some(value)) => *self.password = Some(Pii::new(value.clone())),
                Some(None) => {
                    let text = format!("takes its password from the variable {name}, which is not set");
                    return fault("password_env", text);
                }
                None => {}
            },
            (None, _) => {}
        }
        let is_kept_elsewhere = environment.is_none() && self.password_env.is_some();
        match (self.username, &self.password) {
            (Some(name), None) if is_kept_elsewhere && !name.is_empty() => Ok(()),
            (None, None) => Ok(()),
            (Some(""), _) => fault("username", "has an empty username"),
            (Some(_), Some(password)) if password.reveal().is_empty() => fault("password", "has an empty password"),
            (Some(_), Some(_)) => Ok(()),
            (Some(_), None) => fault("username", "has a username but no password; add password or password_env"),
            (None, Some(_)) => fault("password", "has a password but no username; add username"),
        }
    }
}
