//! What no single value can know: settings that do not go together, as sentences that name the keys, each with the
//! place where it is written.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Config, SipConfig, TrunkConfig};
use crate::agents::RosterError;
use crate::sip::PublicAddress;
use crate::sip::uri::Uri;

/// RFC 4028 §5: a shorter session interval loads both ends for nothing.
const SHORTEST_SESSION: Duration = Duration::from_secs(90);

/// Something that cannot be, and where it is written: `sip.listen`, `peer.0.max_calls`.
#[derive(Debug)]
pub(super) struct Fault {
    pub at: String,
    pub text: String,
}

/// Says that something cannot be.
pub(super) fn fault<T>(at: impl Into<String>, text: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { at: at.into(), text: text.into() })
}

impl Config {
    /// The first fault.
    pub(super) fn check(&self) -> Result<(), Fault> {
        self.check_addresses()?;
        self.check_numbers()?;
        self.sip.check()?;
        if self.rtp.codecs.is_empty() {
            return fault("rtp.codecs", "rtp.codecs is empty, so no call could be agreed on");
        }
        let mut codecs = BTreeSet::new();
        if let Some(twice) = self.rtp.codecs.iter().find(|codec| !codecs.insert(format!("{codec:?}"))) {
            return fault("rtp.codecs", format!("rtp.codecs names {} twice", format!("{twice:?}").to_lowercase()));
        }
        self.check_peers()?;
        self.check_trunks()?;
        self.lookups.check()?;
        self.roster().map_err(|RosterError { at, text }| Fault { at, text })?;
        self.check_webhook()?;
        self.check_routes()
    }

    fn check_peers(&self) -> Result<(), Fault> {
        let mut names = BTreeSet::new();
        for (place, peer) in self.peers.iter().enumerate() {
            let (at, name) = (|key: &str| format!("peer.{place}.{key}"), &peer.name);
            if name.trim().is_empty() {
                return fault(at("name"), "a [[peer]] has an empty name; records and logs call it by that");
            }
            if peer.addresses.is_empty() && peer.username.is_none() {
                let text = format!("[[peer]] {name:?} has neither addresses nor a username, so no call can be its");
                return fault(format!("peer.{place}"), text);
            }
            if !names.insert(name) {
                return fault(
                    at("name"),
                    format!("two [[peer]] are named {name:?}; records could not tell them apart"),
                );
            }
            let Some(digest) = &peer.digest else { continue };
            if digest.is_empty() {
                let text = format!("[[peer]] {name:?}: digest is empty, so it could not prove its password");
                return fault(at("digest"), text);
            }
            if peer.username.is_none() {
                let text = format!("[[peer]] {name:?} has digest, but no username and password to prove by it");
                return fault(at("digest"), text);
            }
            let unasked = digest.iter().find(|algorithm| !self.sip.digest.contains(algorithm));
            if let Some(unasked) = unasked.filter(|_| peer.addresses.is_empty()) {
                let text = format!(
                    "[[peer]] {name:?} has no addresses, so it is asked like any stranger, by sip.digest, which lacks \
                     \"{}\"; add it there",
                    unasked.name().to_lowercase()
                );
                return fault(at("digest"), text);
            }
        }
        for (place, peer) in self.peers.iter().enumerate() {
            limits("peer", place, &peer.name, peer.max_calls, peer.max_cps)?;
        }
        Ok(())
    }

    fn check_trunks(&self) -> Result<(), Fault> {
        let mut names = BTreeSet::new();
        for (place, trunk) in self.trunks.iter().enumerate() {
            let at = format!("trunk.{place}.name");
            if trunk.name.trim().is_empty() {
                return fault(at, "a [[trunk]] has an empty name; records and logs call it by that");
            }
            if !names.insert(&trunk.name) {
                let text = format!("two [[trunk]] are named {:?}; records could not tell them apart", trunk.name);
                return fault(at, text);
            }
            limits("trunk", place, &trunk.name, trunk.max_calls, trunk.max_cps)?;
            trunk.check(place)?;
        }
        Ok(())
    }

    fn check_routes(&self) -> Result<(), Fault> {
        let peers = self.peers.iter().map(|peer| peer.name.as_str());
        let known: Vec<&str> = peers.chain(self.trunks.iter().map(|trunk| trunk.name.as_str())).collect();
        let mut numbers = BTreeSet::new();
        for (place, route) in self.routes.iter().enumerate() {
            let number = route.number.to_string();
            if let Some(from) = route.from.as_deref().filter(|from| !known.contains(from)) {
                let meant = super::error::nearest(from, &known).map(|name| format!("; did you mean {name:?}?"));
                let text =
                    format!("[[route]] {number:?} is for calls from {from:?}, which is no [[peer]] or [[trunk]]");
                return fault(format!("route.{place}.from"), text + &meant.unwrap_or_default());
            }
            if !numbers.insert((&route.number, &route.from)) {
                let from = route.from.as_ref().map(|from| format!(" for calls from {from:?}")).unwrap_or_default();
                let text = format!("two [[route]] have the number {number:?}{from}; keep one");
                return fault(format!("route.{place}.number"), text);
            }
        }
        Ok(())
    }

    fn check_addresses(&self) -> Result<(), Fault> {
        let advertised = self.sip.advertise;
        if advertised.is_some_and(|address| address.is_unspecified()) {
            return fault("sip.advertise", "sip.advertise must be an address that peers can send to");
        }
        let tls = self.sip.tls_listen.map(|listen| ("sip.tls_listen", listen.ip()));
        let bound = [("sip.listen", self.sip.listen.ip()), ("rtp.address", self.rtp.address)];
        for (key, address) in bound.into_iter().chain(tls) {
            if advertised.is_none() && address.is_unspecified() {
                let text = format!(
                    "{key} is {address}, which peers cannot send to; set sip.advertise to the address they reach us at"
                );
                return fault(key, text);
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), Fault> {
        if self.sip.max_calls == 0 {
            return fault("sip.max_calls", "sip.max_calls is 0, so no call would ever be answered");
        }
        let pairs = self.rtp.ports.pairs();
        if pairs < self.sip.max_calls {
            let text = format!(
                "rtp.ports holds {pairs} pairs of ports, too few for sip.max_calls = {}; widen one or lower the other",
                self.sip.max_calls
            );
            return fault("rtp.ports", text);
        }
        if self.speech.workers == Some(0) {
            let text = "speech.workers is 0, so nothing would be heard; leave it out for one per core";
            return fault("speech.workers", text);
        }
        if self.rtp.threads == Some(0) {
            return fault(
                "rtp.threads",
                "rtp.threads is 0, so no call would have sound; leave it out for one per core",
            );
        }
        let durations = [("rtp.timeout", self.rtp.timeout), ("max_call", self.max_call)];
        match durations.iter().find(|(_, duration)| duration.is_zero()) {
            Some((key, _)) => fault(*key, format!("{key} is zero, so every call would end at once")),
            None => Ok(()),
        }
    }
}

impl SipConfig {
    fn check(&self) -> Result<(), Fault> {
        match (self.tls_listen, &self.certificate, &self.private_key) {
            (Some(_), Some(_), Some(_)) | (None, None, None) => {}
            (Some(_), _, _) => {
                return fault("sip.tls_listen", "sip.tls_listen needs sip.certificate and sip.private_key");
            }
            (None, certificate, _) => {
                let at = if certificate.is_some() { "sip.certificate" } else { "sip.private_key" };
                let text = "sip.certificate and sip.private_key are for sip.tls_listen, which is not set";
                return fault(at, text);
            }
        }
        if self.realm.is_empty() || self.realm.contains(|c: char| c.is_control() || matches!(c, '"' | '\\')) {
            let text = "sip.realm must be a plain name without quotes; peers hash their passwords with it";
            return fault("sip.realm", text);
        }
        if self.min_se < SHORTEST_SESSION {
            return fault("sip.min_se", "sip.min_se is shorter than 90s, the least that RFC 4028 allows");
        }
        if self.session_expires < self.min_se {
            return fault("sip.session_expires", "sip.session_expires is shorter than sip.min_se");
        }
        if self.digest.is_empty() {
            let text = "sip.digest is empty, so no peer could prove its password; keep \"sha-256\"";
            return fault("sip.digest", text);
        }
        Ok(())
    }
}

impl TrunkConfig {
    fn check(&self, place: usize) -> Result<(), Fault> {
        let (Self { name, uri, .. }, at) = (self, |key: &str| format!("trunk.{place}.{key}"));
        let wrong =
            || fault(at("uri"), format!("[[trunk]] {name:?} has the uri {uri:?}; write it like sip:carrier.example"));
        let Ok(parsed) = Uri::parse(uri) else { return wrong() };
        if !matches!(parsed.scheme.as_str(), "sip" | "sips") || parsed.host.is_empty() || parsed.has_headers {
            return wrong();
        }
        if self.register && self.username.is_none() {
            let text = format!("[[trunk]] {name:?} is to be registered with, which needs a username and a password");
            return fault(at("register"), text);
        }
        if self.expires < Duration::from_secs(60) {
            let text = format!("[[trunk]] {name:?}: expires is shorter than 60s, which carriers refuse");
            return fault(at("expires"), text);
        }
        if self.ping.is_some_and(|ping| ping < Duration::from_secs(5)) {
            return fault(at("ping"), format!("[[trunk]] {name:?}: ping is shorter than 5s, which is a flood"));
        }
        if self.public_address == PublicAddress::Learn && !self.register && self.ping.is_none() {
            let text = format!(
                "[[trunk]] {name:?}: public_address is learnt from answers of the trunk, so set register = true, or ping"
            );
            return fault(at("public_address"), text);
        }
        let unfit =
            |number: &String| number.is_empty() || number.contains(|c: char| c.is_whitespace() || c.is_control());
        if self.caller_id.as_ref().is_some_and(unfit) {
            let text = format!("[[trunk]] {name:?}: caller_id is no number; write it like +12025550100");
            return fault(at("caller_id"), text);
        }
        Ok(())
    }
}

fn limits(what: &str, place: usize, name: &str, max_calls: Option<usize>, max_cps: Option<u32>) -> Result<(), Fault> {
    let zero = match (max_calls, max_cps) {
        (Some(0), _) => "max_calls",
        (_, Some(0)) => "max_cps",
        _ => return Ok(()),
    };
    let text = format!("[[{what}]] {name:?}: {zero} is 0, so no call would ever be taken; leave it out for no bound");
    fault(format!("{what}.{place}.{zero}"), text)
}
