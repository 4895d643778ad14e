//! Trunks: found as the gateway finds them, and asked at every address whether somebody speaks SIP there.

use std::time::Duration;

use super::ask::{self, Answer, PATIENCE};
use super::finding::Finding;
use super::network;
use crate::config::{Config, TrunkConfig};
use crate::sip::uri::Uri;
use crate::sip::{Hop, Located, Target, Transport, locate};
use crate::time::{Clock as _, SystemClock};

/// Addresses tried for one trunk.
const TRIED: usize = 4;
/// A lookup may take this long.
const LOOKUP: Duration = Duration::from_secs(8);

/// What the clock of a trunk said, in seconds ahead of ours.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub trunk: String,
    pub ahead_s: f64,
}

/// Asks every trunk, one after the other; what is found, and what their clocks say.
pub(super) async fn trunks(config: &Config) -> (Vec<Finding>, Vec<Told>) {
    let (mut found, mut clocks) = (Vec::new(), Vec::new());
    for trunk in &config.trunks {
        let (finding, told) = ask(trunk, config).await;
        found.push(finding);
        clocks.extend(told.map(|ahead_s| Told { trunk: trunk.name.clone(), ahead_s }));
    }
    (found, clocks)
}

async fn ask(trunk: &TrunkConfig, config: &Config) -> (Finding, Option<f64>) {
    let check = format!("trunk {}", trunk.name);
    let target = Uri::parse(&trunk.uri).ok().and_then(|uri| Target::of(&uri));
    let Some(target) = target else {
        let remedy = "write its uri like sip:carrier.example or sip:192.0.2.1;transport=tcp";
        return (Finding::broken(&check, format!("{} is no address to call", trunk.uri), remedy), None);
    };
    let Located { hops, asked } = match find(&target, config).await {
        Ok(found) => found,
        Err(why) => {
            let remedy = "check the name in its uri, and the name server (sip.resolver)";
            return (Finding::broken(&check, why, remedy), None);
        }
    };
    // With a gateway that only this machine reaches, no answer would ever come: said before anybody is asked.
    if let Some(finding) = hops.first().and_then(|hop| network::trunk_finds_us(&check, *hop, config)) {
        return (finding.with_details(asked), None);
    }
    let (mut answers, mut ahead, mut heard) = (Vec::new(), None, Vec::new());
    for hop in hops.iter().take(TRIED) {
        let began = SystemClock.now();
        let answer = tokio::time::timeout(PATIENCE, ask::options(*hop, &target, config)).await;
        let now = SystemClock.now();
        let took = now.mono.saturating_duration_since(began.mono);
        heard.push(matches!(answer, Ok(Ok(_))));
        answers.push(match answer {
            Ok(Ok(Answer { status, server, date })) => {
                // Between asking and hearing the answer was written, nobody knows when.
                let ours = began.wall + took / 2;
                ahead = ahead.or(date.map(|date| date.duration_since(ours).as_secs_f64()));
                let server = server.map_or_else(String::new, |server| format!(" ({server})"));
                format!("{hop} answers {status} after {} ms{server}", took.as_millis())
            }
            Ok(Err(error)) => format!("{hop}: {error}"),
            Err(_) => format!("{hop} says nothing"),
        });
    }
    let untried = hops.len().saturating_sub(TRIED);
    if untried > 0 {
        answers.push(format!("{untried} more, not asked"));
    }
    let finding = verdict(&check, &answers, &heard);
    (finding.with_details(asked.into_iter().chain(answers).collect()), ahead)
}

/// Calls take the first way that works.
fn verdict(check: &str, answers: &[String], heard: &[bool]) -> Finding {
    match (heard.iter().position(|heard| *heard), heard.iter().filter(|heard| **heard).count()) {
        (None, _) => {
            let remedy = "check its uri, the transport and the firewall between you";
            Finding::broken(check, answers.join("; "), remedy)
        }
        (Some(0), count) if count == heard.len() => Finding::fine(check, answers[0].clone()),
        (Some(first), count) => {
            let result = format!("{}, but only {count} of {} addresses answer", answers[first], heard.len());
            let remedy = "calls get through, later than they could: tell the trunk which of its addresses is silent";
            Finding::look(check, result, remedy)
        }
    }
}

async fn find(target: &Target, config: &Config) -> Result<Located, String> {
    let mut speaks = vec![Transport::Udp];
    speaks.extend(config.sip.tcp.then_some(Transport::Tcp));
    speaks.push(Transport::Tls);
    if let Some(Hop { transport, .. }) = target.literal_hop()
        && !speaks.contains(&transport)
    {
        return Err(format!("it wants {transport}, which is switched off (sip.tcp)"));
    }
    let found = tokio::time::timeout(LOOKUP, locate(target, config.sip.resolver, &speaks)).await;
    found.unwrap_or_else(|_| Err("the name servers do not answer".to_owned()))
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use super::super::finding::Verdict;
    use super::*;

    async fn about(uri: &str) -> (Finding, Option<f64>) {
        let trunk = serde_json::from_value(serde_json::json!({ "name": "carrier", "uri": uri })).unwrap();
        ask(&trunk, &Config::default()).await
    }

    #[tokio::test]
    async fn a_uri_nobody_can_call_is_a_fault() {
        let (finding, _) = about("tel:+1555").await;
        assert_eq!(finding.verdict, Verdict::Broken);
        assert!(finding.result.starts_with("tel:+1555 is no address"), "{finding:?}");
    }

    #[tokio::test]
    async fn a_trunk_elsewhere_cannot_serve_a_gateway_that_only_this_machine_reaches() {
        let (finding, _) = about("sip:198.51.100.7").await;
        assert_eq!(finding.verdict, Verdict::Broken);
        assert!(finding.result.contains("198.51.100.7 cannot reach 127.0.0.1, where we listen"), "{finding:?}");
        assert!(finding.remedy.is_some_and(|told| told.contains("sip.listen and rtp.address")));
    }

    #[tokio::test]
    async fn an_answer_shows_who_is_there_and_what_time_it_is_for_them() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            let (_, from) = socket.recv_from(&mut buffer).await.unwrap();
            let answer = "SIP/2.0 404 Not Found\r\nServer: Box 7\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT\r\n\r\n";
            socket.send_to(answer.as_bytes(), from).await.unwrap();
        });
        let (finding, ahead) = about(&format!("sip:127.0.0.1:{port}")).await;
        assert_eq!(finding.verdict, Verdict::Fine, "any answer is a sign of life");
        assert!(
            finding.result.contains("answers 404 Not Found after") && finding.result.ends_with("(Box 7)"),
            "{finding:?}"
        );
        assert!(ahead.is_some_and(|ahead| ahead < -400_000_000.0), "years behind: {ahead:?}");
    }

    #[test]
    fn one_silent_address_of_two_is_worth_a_look() {
        let answers = ["a answers".to_owned(), "b says nothing".to_owned()];
        assert_eq!(verdict("trunk", &answers, &[true, false]).verdict, Verdict::Look);
        assert_eq!(verdict("trunk", &answers, &[true, true]).verdict, Verdict::Fine);
        assert_eq!(verdict("trunk", &answers, &[false, false]).verdict, Verdict::Broken);
    }
}
