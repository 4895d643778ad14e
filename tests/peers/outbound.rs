//! Calls of ours, answered by SIPp: every way a far end may take, refuse, redirect, challenge or miss one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use trunkline::pii::Pii;
use trunkline::sip::{
    Credentials, Dial, IncomingLeg, LegCommand, LegEnd, LegEvent, OutgoingLeg, Secret, SipConfig, SipServer, TrunkSpec,
    TrunkState,
};
use trunkline::time::SystemClock;

use super::uas::{Scenario, Uas};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const PATIENCE: Duration = Duration::from_secs(20);

/// Us, and one call on its way to a SIPp.
struct Caller {
    server: SipServer,
    _calls: mpsc::Receiver<IncomingLeg>,
    leg: OutgoingLeg,
}

impl Caller {
    async fn calling(port: u16, ring: Duration) -> Self {
        Self::with(port, ring, |_| {}).await
    }

    async fn with(port: u16, ring: Duration, edit: impl FnOnce(&mut SipConfig)) -> Self {
        let mut config = SipConfig { listen: "127.0.0.1:0".parse().expect("an address"), ..SipConfig::default() };
        edit(&mut config);
        let trunk = config.trunks.first().map(|trunk| trunk.name.clone());
        let (server, calls) = SipServer::bind(config, Arc::new(SystemClock)).await.expect("a free port on loopback");
        let dial = Dial {
            to: Pii::new(format!("sip:ann@127.0.0.1:{port}")),
            trunk,
            caller: None,
            sdp: Some(SDP.to_owned()),
            ring_timeout: ring,
            headers: Vec::new(),
        };
        let leg = server.dialer().dial(dial).await.expect("dialable");
        Self { server, _calls: calls, leg }
    }

    async fn next(&mut self) -> LegEvent {
        loop {
            let event = timeout(PATIENCE, self.leg.events.recv()).await.expect("in time").expect("the leg lives");
            if !matches!(event, LegEvent::Ladder(_)) {
                return event;
            }
        }
    }

    async fn rings(&mut self, status: u16) -> Option<String> {
        match self.next().await {
            LegEvent::Progress { status: heard, sdp } if heard == status => sdp,
            other => panic!("wanted {status}, heard {other:?}"),
        }
    }

    async fn is_answered(&mut self) {
        loop {
            match self.next().await {
                LegEvent::Progress { .. } => {}
                LegEvent::Established { sdp } => {
                    assert!(sdp.is_some_and(|sdp| sdp.contains("m=audio 6000 ")));
                    return;
                }
                other => panic!("wanted an answer, heard {other:?}"),
            }
        }
    }

    async fn ends(&mut self) -> LegEnd {
        loop {
            match self.next().await {
                LegEvent::Ended(end) => return end,
                LegEvent::Progress { .. } | LegEvent::Reason(_) | LegEvent::Unreached(_) => {}
                other => panic!("wanted the end, heard {other:?}"),
            }
        }
    }

    async fn hang_up(&self) {
        self.leg.commands.send(LegCommand::Hangup).await.expect("the leg lives");
    }

    /// Theirs to answer, ours to end.
    async fn is_answered_and_hangs_up(&mut self) {
        self.is_answered().await;
        self.hang_up().await;
        assert_eq!(self.ends().await, LegEnd::LocalHangup);
    }
}

/// The scenario went as written.
async fn finish(uas: Uas) {
    tokio::task::spawn_blocking(move || uas.finish()).await.expect("the scenario went well");
}

const RING: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_call_rings_is_answered_and_hung_up_by_us() {
    let scenario = Scenario::invited()
        .says("100 Trying", "", "")
        .says("180 Ringing", "a", "")
        .waits(100)
        .says("200 OK", "a", "SDP")
        .talks_until_bye();
    let Some(uas) = Uas::start(&scenario) else { return };
    let mut caller = Caller::calling(uas.port, RING).await;
    assert_eq!(caller.rings(180).await, None);
    caller.is_answered_and_hangs_up().await;
    finish(uas).await;
    let stats = caller.server.stats().await;
    assert_eq!(stats.live_legs, 0);
}

#[tokio::test]
async fn early_media_comes_before_the_answer_and_they_hang_up() {
    let scenario = Scenario::invited()
        .says("183 Session Progress", "a", "SDP")
        .waits(100)
        .says("200 OK", "a", "SDP")
        .receives("ACK")
        .asks("BYE", "a");
    let Some(uas) = Uas::start(&scenario) else { return };
    let mut caller = Caller::calling(uas.port, RING).await;
    assert!(caller.rings(183).await.is_some_and(|sdp| sdp.contains("m=audio 6000 ")));
    caller.is_answered().await;
    assert_eq!(caller.ends().await, LegEnd::RemoteHangup);
    finish(uas).await;
}

#[tokio::test]
async fn reliable_responses_are_confirmed_one_by_one() {
    let scenario = Scenario::default()
        .invited_again(&[("Supported:", "100rel")])
        .says("183 Session Progress", "a", "Require: 100rel\nRSeq: 17\nSDP")
        .receives_saying("PRACK", "RAck:", "17 [0-9]+ INVITE")
        .confirms()
        .says("180 Ringing", "a", "Require: 100rel\nRSeq: 18\n")
        .receives_saying("PRACK", "RAck:", "18 [0-9]+ INVITE")
        .confirms()
        .says("200 OK", "a", "SDP")
        .talks_until_bye();
    let Some(uas) = Uas::start(&scenario) else { return };
    let mut caller = Caller::calling(uas.port, RING).await;
    caller.is_answered_and_hangs_up().await;
    finish(uas).await;
}

#[tokio::test]
async fn a_refusal_tells_its_cause() {
    let busy = "Reason: Q.850;cause=17;text=\"User busy\"\n";
    let scenario = Scenario::invited().says("480 Temporarily Unavailable", "a", busy).receives("ACK");
    let Some(uas) = Uas::start(&scenario) else { return };
    let mut caller = Caller::calling(uas.port, RING).await;
    let told = caller.next().await;
    assert!(matches!(&told, LegEvent::Reason(reason) if reason.to_string() == "Q.850 17, User busy"), "{told:?}");
    assert_eq!(caller.ends().await, LegEnd::Refused { status: 480, cause: Some(17) });
    finish(uas).await;
}

#[tokio::test]
async fn a_redirected_call_reaches_the_next_and_the_one_after() {
    let last = Scenario::invited().says("200 OK", "c", "SDP").talks_until_bye();
    let Some(last) = Uas::start(&last) else { return };
    let moved = |port: u16| {
        let contact = format!("Contact: <sip:never@127.0.0.1:9>;q=0.1, <sip:next@127.0.0.1:{port}>;q=0.9\n");
        Scenario::invited().redirects(&contact).receives("ACK")
    };
    let Some(second) = Uas::start(&moved(last.port)) else { return };
    let Some(first) = Uas::start(&moved(second.port)) else { return };
    let mut caller = Caller::calling(first.port, RING).await;
    caller.is_answered_and_hangs_up().await;
    for uas in [first, second, last] {
        finish(uas).await;
    }
}

#[tokio::test]
async fn two_that_redirect_to_each_other_are_left() {
    let (one, two) = (super::uas::free_port(), super::uas::free_port());
    let moved =
        |port: u16| Scenario::invited().redirects(&format!("Contact: <sip:ann@127.0.0.1:{port}>\n")).receives("ACK");
    let Some(first) = Uas::start_at(&moved(two), one, &[]) else { return };
    let Some(second) = Uas::start_at(&moved(one), two, &[]) else { return };
    let mut caller = Caller::calling(one, RING).await;
    assert_eq!(caller.ends().await, LegEnd::Refused { status: 302, cause: None });
    finish(first).await;
    finish(second).await;
}

#[tokio::test]
async fn a_telephone_that_rings_too_long_is_cancelled() {
    let scenario = Scenario::invited().says("180 Ringing", "a", "").cancelled();
    let Some(uas) = Uas::start(&scenario) else { return };
    let mut caller = Caller::calling(uas.port, Duration::from_secs(2)).await;
    caller.rings(180).await;
    assert_eq!(caller.ends().await, LegEnd::NoAnswer);
    finish(uas).await;
}

/// Their answer crosses our CANCEL.
#[tokio::test]
async fn an_answer_that_crosses_our_cancel_is_acknowledged_and_hung_up_on() {
    let scenario = Scenario::invited()
        .says("180 Ringing", "a", "")
        .receives("CANCEL")
        .confirms()
        .says("200 OK", "a", "SDP")
        .talks_until_bye();
    let Some(uas) = Uas::start(&scenario) else { return };
    let mut caller = Caller::calling(uas.port, RING).await;
    caller.rings(180).await;
    caller.hang_up().await;
    assert_eq!(caller.ends().await, LegEnd::LocalHangup);
    finish(uas).await;
}

/// RFC 3261 §9.1: no CANCEL before a provisional response.
#[tokio::test]
async fn a_call_given_up_at_once_is_cancelled_when_it_rings() {
    let scenario = Scenario::invited().waits(300).says("180 Ringing", "a", "").cancelled();
    let Some(uas) = Uas::start(&scenario) else { return };
    let mut caller = Caller::calling(uas.port, RING).await;
    caller.hang_up().await;
    assert_eq!(caller.ends().await, LegEnd::LocalHangup);
    finish(uas).await;
}

#[tokio::test]
async fn the_second_telephone_that_answers_is_hung_up_on() {
    let scenario = Scenario::invited()
        .says("180 Ringing", "a", "")
        .says("180 Ringing", "b", "")
        .says("200 OK", "a", "SDP")
        .receives("ACK")
        .says("200 OK", "b", "SDP")
        .receives("ACK")
        .receives_saying("BYE", "To:", "tag=b")
        .confirms()
        .receives_saying("BYE", "To:", "tag=a")
        .confirms();
    let Some(uas) = Uas::start(&scenario) else { return };
    let mut caller = Caller::calling(uas.port, RING).await;
    caller.is_answered().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    caller.hang_up().await;
    assert_eq!(caller.ends().await, LegEnd::LocalHangup);
    finish(uas).await;
}

#[tokio::test]
async fn a_longer_session_interval_is_agreed_to() {
    let scenario = Scenario::invited()
        .says("422 Session Interval Too Small", "a", "Min-SE: 3600\n")
        .receives("ACK")
        .invited_again(&[("Session-Expires:", "3600"), ("Min-SE:", "3600")])
        .says("200 OK", "a", "SDP")
        .talks_until_bye();
    let Some(uas) = Uas::start(&scenario) else { return };
    let mut caller = Caller::calling(uas.port, RING).await;
    caller.is_answered_and_hangs_up().await;
    finish(uas).await;
}

/// RFC 4028 §10 in real time: they leave the refreshes of a call of ours to us. Only in the long run.
#[tokio::test]
async fn a_session_of_ours_is_refreshed_by_us_where_that_was_agreed() {
    if std::env::var("TRUNKLINE_LONG").as_deref() != Ok("1") {
        return println!("left out: a minute of waiting is for TRUNKLINE_LONG=1");
    }
    let timer = "Session-Expires: 90;refresher=uac\nRequire: timer\nAllow: INVITE, ACK, BYE, UPDATE\n";
    let scenario = Scenario::invited()
        .says("200 OK", "a", &format!("{timer}SDP"))
        .receives("ACK")
        .receives_saying("UPDATE", "Session-Expires:", "90;refresher=uac")
        .replies("200 OK", timer)
        .receives("BYE")
        .confirms();
    let Some(uas) = Uas::start_at(&scenario, super::uas::free_port(), &["-timeout", "100"]) else { return };
    let mut caller = Caller::calling(uas.port, RING).await;
    caller.is_answered().await;
    tokio::time::sleep(Duration::from_secs(50)).await;
    caller.hang_up().await;
    assert_eq!(caller.ends().await, LegEnd::LocalHangup);
    finish(uas).await;
}

/// RFC 3261 §12.2.1.1: through a proxy that knows no loose routing, our requests are addressed to it, and whom they are
/// for stands last among the routes.
#[tokio::test]
async fn a_proxy_that_routes_strictly_is_asked_in_its_own_way() {
    let rows = [
        ("Record-Route: <sip:127.0.0.1:[local_port]>", "&lt;sip:uas@127.0.0.1:[0-9]+>"),
        ("Record-Route: <sip:127.0.0.1:[local_port];lr>", "&lt;sip:127.0.0.1:[0-9]+;lr>"),
    ];
    for (route, pattern) in rows {
        let scenario = Scenario::invited()
            .says("200 OK", "a", &format!("{route}\nSDP"))
            .receives_saying("ACK", "Route:", pattern)
            .receives_saying("BYE", "Route:", pattern)
            .confirms();
        let Some(uas) = Uas::start(&scenario) else { return };
        let mut caller = Caller::calling(uas.port, RING).await;
        caller.is_answered_and_hangs_up().await;
        finish(uas).await;
    }
}

/// A trunk that is asked for signs of life, and gives them, and stops.
#[tokio::test]
async fn a_trunk_is_asked_for_signs_of_life() {
    let scenario = Scenario::default().receives("OPTIONS").replies("404 Not Found", "");
    let Some(uas) = Uas::start(&scenario) else { return };
    let mut config = SipConfig { listen: "127.0.0.1:0".parse().expect("an address"), ..SipConfig::default() };
    let spec = TrunkSpec::at("carrier", ([127, 0, 0, 1], uas.port).into());
    config.trunks.push(TrunkSpec { ping: Some(Duration::from_secs(1)), ..spec });
    config.timing.t1 = Duration::from_millis(20);
    let (server, _calls) = SipServer::bind(config, Arc::new(SystemClock)).await.expect("a free port on loopback");
    finish(uas).await;
    let gone = timeout(PATIENCE, async {
        while server.dialer().trunks().await.first().is_none_or(|trunk| trunk.state != TrunkState::Unreachable) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(gone.await.is_ok(), "nobody noticed that it stopped: {:?}", server.dialer().trunks().await);
    server.shutdown(Duration::ZERO).await;
}

fn trunk(config: &mut SipConfig, port: u16, password: &str) {
    let credentials = Credentials { username: "acct7".to_owned(), password: Secret::new(password) };
    let at = ([127, 0, 0, 1], port).into();
    config.trunks.push(TrunkSpec { credentials: Some(credentials), ..TrunkSpec::at("carrier", at) });
}

const PROXY: &str = "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n,1\", qop=\"auth\", algorithm=MD5\n";
const FAR_END: &str = "WWW-Authenticate: Digest realm=\"f\", nonce=\"m==\", qop=\"auth\", algorithm=MD5\n";
#[tokio::test]
async fn a_proxy_and_the_far_end_both_want_the_password() {
    let scenario = Scenario::invited()
        .says("407 Proxy Authentication Required", "a", PROXY)
        .receives("ACK")
        .invited_again(&[("Proxy-Authorization:", "nonce=.n,1.")])
        .says("401 Unauthorized", "b", FAR_END)
        .receives("ACK")
        .invited_by("acct7", "zanzibar", &[("Proxy-Authorization:", "nc=00000002"), ("", "realm=.f., nonce=.m==.")])
        .says("200 OK", "c", "SDP")
        .talks_until_bye();
    let Some(uas) = Uas::start(&scenario) else { return };
    let port = uas.port;
    let both = |config: &mut SipConfig| {
        trunk(config, port, "zanzibar");
        config.trunks[0].realms = vec!["p".to_owned(), "f".to_owned()];
    };
    let mut caller = Caller::with(port, RING, both).await;
    caller.is_answered_and_hangs_up().await;
    finish(uas).await;
}

#[tokio::test]
async fn a_stale_nonce_is_renewed_and_a_wrong_password_is_tried_once() {
    let stale = FAR_END.replace("m==", "m2").replace("qop", "stale=true, qop");
    let refused =
        |scenario: Scenario| scenario.says("401 Unauthorized", "c", &FAR_END.replace("m==", "m3")).receives("ACK");
    let scenario = Scenario::invited()
        .says("401 Unauthorized", "a", FAR_END)
        .receives("ACK")
        .invited_again(&[("", "realm=.f., nonce=.m==.")])
        .says("401 Unauthorized", "b", &stale)
        .receives("ACK")
        .invited_again(&[("Authorization:", "nonce=.m2.")]);
    let Some(uas) = Uas::start(&refused(scenario)) else { return };
    let port = uas.port;
    let mut caller = Caller::with(port, RING, |config| trunk(config, port, "zanzibar")).await;
    assert_eq!(caller.ends().await, LegEnd::Refused { status: 401, cause: None });
    finish(uas).await;
}

/// A far end that is not there is told from one that does not answer.
#[tokio::test]
async fn nobody_at_that_port_is_unreachable() {
    let port = super::uas::free_port();
    let mut caller = Caller::with(port, RING, |config| config.timing.t1 = Duration::from_millis(20)).await;
    assert_eq!(caller.ends().await, LegEnd::Unreachable);
}
