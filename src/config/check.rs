//! What no single value can know: settings that do not go together, as sentences that name the keys.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Config, SipConfig, TrunkConfig};
use crate::sip::uri::Uri;

/// RFC 4028 §5: a shorter session interval loads both ends for nothing.
const SHORTEST_SESSION: Duration = Duration::from_secs(90);

impl Config {
    /// The first fault.
    pub(super) fn check(&self) -> Result<(), String> {
        self.check_addresses()?;
        self.check_numbers()?;
        self.sip.check()?;
        if self.sip.digest.is_empty() {
            return Err("sip.digest is empty, so no peer could prove its password; keep \"sha-256\"".to_owned());
        }
        if self.rtp.codecs.is_empty() {
            return Err("rtp.codecs is empty, so no call could be agreed on".to_owned());
        }
        let mut codecs = BTreeSet::new();
        if let Some(twice) = self.rtp.codecs.iter().find(|codec| !codecs.insert(format!("{codec:?}"))) {
            return Err(format!("rtp.codecs names {} twice", format!("{twice:?}").to_lowercase()));
        }
        self.check_peers()?;
        self.check_trunks()?;
        let mut numbers = BTreeSet::new();
        match self.routes.iter().find(|route| !numbers.insert(&route.number)) {
            Some(twice) => Err(format!("two [[route]] have the number {:?}; keep one", twice.number.to_string())),
            None => Ok(()),
        }
    }

    fn check_peers(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for peer in &self.peers {
            if peer.name.trim().is_empty() {
                return Err("a [[peer]] has an empty name; records and logs call it by that".to_owned());
            }
            if peer.addresses.is_empty() && peer.username.is_none() {
                let name = &peer.name;
                return Err(format!("[[peer]] {name:?} has neither addresses nor a username, so no call can be its"));
            }
            if !names.insert(&peer.name) {
                return Err(format!("two [[peer]] are named {:?}; records could not tell them apart", peer.name));
            }
            limits("[[peer]]", &peer.name, peer.max_calls, peer.max_cps)?;
        }
        Ok(())
    }

    fn check_trunks(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for trunk in &self.trunks {
            if trunk.name.trim().is_empty() {
                return Err("a [[trunk]] has an empty name; records and logs call it by that".to_owned());
            }
            if !names.insert(&trunk.name) {
                return Err(format!("two [[trunk]] are named {:?}; records could not tell them apart", trunk.name));
            }
            limits("[[trunk]]", &trunk.name, trunk.max_calls, trunk.max_cps)?;
            trunk.check()?;
        }
        Ok(())
    }

    fn check_addresses(&self) -> Result<(), String> {
        let advertised = self.sip.advertise;
        if advertised.is_some_and(|address| address.is_unspecified()) {
            return Err("sip.advertise must be an address that peers can send to".to_owned());
        }
        let tls = self.sip.tls_listen.map(|listen| ("sip.tls_listen", listen.ip()));
        let bound = [("sip.listen", self.sip.listen.ip()), ("rtp.address", self.rtp.address)];
        for (key, address) in bound.into_iter().chain(tls) {
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
        if self.rtp.threads == Some(0) {
            return Err("rtp.threads is 0, so no call would have sound; leave it out for one per core".to_owned());
        }
        let durations = [("rtp.timeout", self.rtp.timeout), ("max_call", self.max_call)];
        match durations.iter().find(|(_, duration)| duration.is_zero()) {
            Some((key, _)) => Err(format!("{key} is zero, so every call would end at once")),
            None => Ok(()),
        }
    }
}

impl SipConfig {
    fn check(&self) -> Result<(), String> {
        match (self.tls_listen, &self.certificate, &self.private_key) {
            (Some(_), Some(_), Some(_)) | (None, None, None) => {}
            (Some(_), _, _) => return Err("sip.tls_listen needs sip.certificate and sip.private_key".to_owned()),
            (None, _, _) => {
                return Err("sip.certificate and sip.private_key are for sip.tls_listen, which is not set".to_owned());
            }
        }
        if self.realm.is_empty() || self.realm.contains(|c: char| c.is_control() || matches!(c, '"' | '\\')) {
            return Err("sip.realm must be a plain name without quotes; peers hash their passwords with it".to_owned());
        }
        if self.min_se < SHORTEST_SESSION {
            return Err("sip.min_se is shorter than 90s, the least that RFC 4028 allows".to_owned());
        }
        if self.session_expires < self.min_se {
            return Err("sip.session_expires is shorter than sip.min_se".to_owned());
        }
        Ok(())
    }
}

impl TrunkConfig {
    fn check(&self) -> Result<(), String> {
        let Self { name, uri, .. } = self;
        let wrong = || format!("[[trunk]] {name:?} has the uri {uri:?}; write it like sip:carrier.example");
        let parsed = Uri::parse(uri).map_err(|_| wrong())?;
        if !matches!(parsed.scheme.as_str(), "sip" | "sips") || parsed.host.is_empty() || parsed.has_headers {
            return Err(wrong());
        }
        if self.register && self.username.is_none() {
            return Err(format!("[[trunk]] {name:?} is to be registered with, which needs a username and a password"));
        }
        if self.expires < Duration::from_secs(60) {
            return Err(format!("[[trunk]] {name:?}: expires is shorter than 60s, which carriers refuse"));
        }
        if self.ping.is_some_and(|ping| ping < Duration::from_secs(5)) {
            return Err(format!("[[trunk]] {name:?}: ping is shorter than 5s, which is a flood"));
        }
        let unfit =
            |number: &String| number.is_empty() || number.contains(|c: char| c.is_whitespace() || c.is_control());
        if self.caller_id.as_ref().is_some_and(unfit) {
            return Err(format!("[[trunk]] {name:?}: caller_id is no number; write it like +12025550100"));
        }
        Ok(())
    }
}

fn limits(what: &str, name: &str, max_calls: Option<usize>, max_cps: Option<u32>) -> Result<(), String> {
    let zero = match (max_calls, max_cps) {
        (Some(0), _) => "max_calls",
        (_, Some(0)) => "max_cps",
        _ => return Ok(()),
    };
    Err(format!("{what} {name:?}: {zero} is 0, so no call would ever be taken; leave it out for no bound"))
}
