//! A trunk: a carrier or PBX that we send calls to, and perhaps register with.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::auth::Credentials;
use super::transport::Hop;

/// A trunk as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkSpec {
    /// What records, logs and `--trunk` call it.
    pub name: Arc<str>,
    /// Where it is: `sip:carrier.example;transport=tls`.
    pub uri: String,
    /// User part of the address we register; the user name where absent.
    pub user: Option<String>,
    /// What we prove ourselves with, when asked.
    pub credentials: Option<Credentials>,
    /// All that it asks for passwords in the name of; empty: learnt from what it asks.
    pub realms: Vec<String>,
    /// Register with it from the first second.
    pub register: bool,
    /// How long a registration should last.
    pub expires: Duration,
    /// The number our calls through it come from.
    pub caller_id: Option<String>,
    /// OPTIONS this often, to know that it lives; `None` never.
    pub ping: Option<Duration>,
    /// Live calls through it.
    pub max_calls: Option<usize>,
    /// New calls a second through it.
    pub max_cps: Option<u32>,
    /// Where it reaches us.
    pub public: PublicAddress,
    /// Routes that calls through it begin with, first hop first: what its registrar said (Service-Route, RFC 3608).
    pub route: Vec<String>,
}

/// The address of ours that a trunk is told, in Contact and session description.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublicAddress {
    /// The one that everybody is told.
    #[default]
    Usual,
    /// The one it sees us come from, as its answers say (`received` and `rport`, RFC 3581).
    Learn,
    /// This one; without a port, the one we listen on.
    Fixed(IpAddr, Option<u16>),
}

/// How a trunk is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkStatus {
    /// Which.
    pub name: Arc<str>,
    /// Its state.
    pub state: TrunkState,
    /// Where the last answer came from.
    pub hop: Option<Hop>,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// Status of its last answer.
    pub last_status: Option<u16>,
}

/// What a trunk is to us at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrunkState {
    /// To be registered, not asked yet.
    Unregistered,
    /// Asked, not answered yet.
    Registering,
    /// It knows where we are.
    Registered {
        /// Unless refreshed.
        until: Timestamp,
    },
    /// It refused or did not answer; tried again then.
    Waiting {
        /// The next attempt.
        until: Timestamp,
    },
    /// No registration wanted; as far as we know it is there.
    Static,
    /// No registration wanted, and it does not answer.
    Unreachable,
}

impl TrunkSpec {
    /// A trunk that takes calls and wants no registration.
    pub fn at(name: &str, address: SocketAddr) -> Self {
        Self {
            name: name.into(),
            uri: format!("sip:{address}"),
            user: None,
            credentials: None,
            realms: Vec::new(),
            register: false,
            expires: Duration::from_secs(600),
            caller_id: None,
            ping: None,
            max_calls: None,
            max_cps: None,
            public: PublicAddress::Usual,
            route: Vec::new(),
        }
    }
}
