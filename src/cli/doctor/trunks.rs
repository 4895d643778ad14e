//! Trunks: is there somebody who speaks SIP?

use super::ask::{self, PATIENCE};
use super::finding::Finding;
use crate::config::{Config, TrunkConfig};
use crate::sip::uri::Uri;
use crate::sip::{Hop, Target, Transport};
use crate::time::{Clock as _, SystemClock};

/// Addresses tried for one trunk.
const TRIED: usize = 4;

/// Asks every trunk, one after the other.
pub(super) async fn trunks(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    for trunk in &config.trunks {
        found.push(ask(trunk, config).await);
    }
    found
}

async fn ask(trunk: &TrunkConfig, config: &Config) -> Finding {
    let check = format!("trunk {}", trunk.name);
    let target = Uri::parse(&trunk.uri).ok().and_then(|uri| Target::of(&uri));
    let Some(target) = target else {
        let remedy = "write its uri like sip:carrier.example or sip:192.0.2.1;transport=tcp";
        return Finding::broken(&check, format!("{} is no address to call", trunk.uri), remedy);
    };
    let hops = match hops(&target).await {
        Ok(hops) => hops,
        Err(why) => {
            let remedy = "check the name in its uri, and the name server";
            return Finding::broken(&check, format!("{} is not found: {why}", target.host), remedy);
        }
    };
    let mut troubles = Vec::new();
    for hop in hops.into_iter().take(TRIED) {
        let began = SystemClock.now().mono;
        match tokio::time::timeout(PATIENCE, ask::options(hop, &target, config)).await {
            Ok(Ok(answer)) => {
                let after = SystemClock.now().mono.saturating_duration_since(began).as_millis();
                return Finding::fine(&check, format!("{hop} answers {} after {after} ms", answer.status));
            }
            Ok(Err(error)) => troubles.push(format!("{hop}: {error}")),
            Err(_) => troubles.push(format!("{hop} says nothing")),
        }
    }
    let remedy = "check its uri, the transport and the firewall between you";
    Finding::broken(&check, troubles.join("; "), remedy)
}

/// Where it may be, best first. The gateway itself also follows NAPTR and SRV; here an address is enough to ask.
async fn hops(target: &Target) -> Result<Vec<Hop>, String> {
    if let Some(hop) = target.literal_hop() {
        return Ok(vec![hop]);
    }
    let usual = if target.secure { Transport::Tls } else { Transport::Udp };
    let transport = target.transport.unwrap_or(usual);
    let port = target.port.unwrap_or(transport.default_port());
    let found = tokio::net::lookup_host((target.host.as_str(), port)).await.map_err(|error| error.to_string())?;
    Ok(found.map(|address| Hop::new(transport, address)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[tokio::test]
    async fn a_uri_nobody_can_call_is_a_fault() {
        let trunk = serde_json::from_value(serde_json::json!({ "name": "carrier", "uri": "tel:+1555" })).unwrap();
        let finding = ask(&trunk, &Config::default()).await;
        assert_eq!(finding.verdict, Verdict::Broken);
        assert!(finding.result.starts_with("tel:+1555 is no address"), "{finding:?}");
    }
}
