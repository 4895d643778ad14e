//! What each room is told, out of the settings.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tracing::warn;

use crate::audio::resample::resample;
use crate::audio::{Pcm, TELEPHONE_HZ, decode, tone};
use crate::call::driver::Music;
use crate::config::{Config, PeerConfig, TrunkConfig};
use crate::media::driver::MediaConfig;
use crate::pii::Pii;
use crate::sip::{AddressRange, Credentials, Peer, PeerTable, Secret, SessionPolicy, SipConfig, TlsConfig, TrunkSpec};
use crate::speech::driver::{PoolSettings, RecognizerPool};
use crate::speech::engines::Engines;
use crate::time::Clock;

pub(super) fn start_recognizers(config: &Config, clock: Arc<dyn Clock>) -> Arc<RecognizerPool> {
    let engines = Engines::auto(&config.model_dirs());
    for missing in engines.missing() {
        warn!("{missing}");
    }
    Arc::new(RecognizerPool::start(engines, PoolSettings::workers(config.recognition_workers()), clock))
}

/// Read once for all calls, at the rate they have.
pub(super) fn music(config: &Config) -> Result<Music, String> {
    let named = |key: &str| {
        let key = key.to_owned();
        move |why| format!("{key}: {why}")
    };
    let hold = config.rtp.hold_music.as_deref().map(sound).transpose().map_err(named("rtp.hold_music"))?;
    let mut groups = BTreeMap::new();
    for (name, group) in &config.agents.group {
        let own = group.music.as_deref().map(sound).transpose();
        let own = own.map_err(named(&format!("agents.group.{name}.music")))?;
        groups.extend(own.map(|own| (Arc::from(name.as_str()), own)));
    }
    Ok(Music { hold, groups: Arc::new(groups), ringing: Some(Arc::new(tone::ringing(TELEPHONE_HZ))) })
}

fn sound(file: &Path) -> Result<Arc<Pcm>, String> {
    let sound = decode::read(file).map_err(|error| error.to_string())?;
    let sound = resample(&sound, TELEPHONE_HZ).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Arc::new(sound))
}

pub(super) fn media_config(config: &Config) -> MediaConfig {
    MediaConfig {
        address: config.rtp.address,
        ports: config.rtp.ports.first..=config.rtp.ports.last,
        rtp_timeout: config.rtp.timeout,
        threads: config.media_threads(),
        realtime: config.rtp.realtime,
        ..MediaConfig::default()
    }
}

pub(super) fn sip_config(config: &Config) -> SipConfig {
    SipConfig {
        listen: config.sip.listen,
        advertise: config.sip.advertise,
        tcp: config.sip.tcp,
        tls: Some(TlsConfig {
            listen: config.sip.tls_listen,
            certificate: config.sip.certificate.clone(),
            private_key: config.sip.private_key.clone(),
            ca: config.sip.ca.clone(),
        }),
        resolver: config.sip.resolver,
        peers: PeerTable::new(config.peers.iter().map(peer).collect()),
        max_calls: config.sip.max_calls,
        realm: config.sip.realm.clone(),
        trunks: config.trunks.iter().map(trunk).collect(),
        digest: config.sip.digest.clone(),
        session: SessionPolicy { expires: config.sip.session_expires, min_se: config.sip.min_se },
        ..SipConfig::default()
    }
}

fn peer(peer: &PeerConfig) -> Peer {
    let ranges = peer.addresses.iter();
    Peer {
        name: peer.name.as_str().into(),
        addresses: ranges.filter_map(|network| AddressRange::new(network.address, network.prefix)).collect(),
        caller_id: peer.caller_id,
        digest: peer.digest.clone().unwrap_or_default(),
        credentials: credentials(peer.username.as_deref(), peer.password.as_ref()),
        max_calls: peer.max_calls,
        max_cps: peer.max_cps,
    }
}

fn trunk(trunk: &TrunkConfig) -> TrunkSpec {
    let TrunkConfig { name, uri, username, password, .. } = trunk;
    TrunkSpec {
        name: name.as_str().into(),
        uri: uri.clone(),
        user: None,
        credentials: credentials(username.as_deref(), password.as_ref()),
        realms: trunk.realms.clone(),
        register: trunk.register,
        expires: trunk.expires,
        caller_id: trunk.caller_id.clone(),
        ping: trunk.ping,
        max_calls: trunk.max_calls,
        max_cps: trunk.max_cps,
        public: trunk.public_address,
        route: Vec::new(),
    }
}

/// The settings are refused unless there are both or neither.
fn credentials(username: Option<&str>, password: Option<&Pii<String>>) -> Option<Credentials> {
    let (username, password) = username.zip(password)?;
    Some(Credentials { username: username.to_owned(), password: Secret::new(password.reveal().as_str()) })
}
