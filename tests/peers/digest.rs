//! Our digest server, and our door, against SIPp.

use trunkline::sip::{Algorithm, Credentials, LegEvent, Peer, PeerTable, Secret, SipConfig};

use super::dialog::House;
use super::sipp::{self, SDP, Scenario};

/// SIPp has to prove that it is `ann`. It knows MD5 alone, and gives up on a challenge with another hash on top.
fn guarded(config: &mut SipConfig) {
    let credentials = Credentials { username: "ann".to_owned(), password: Secret::new("stapler") };
    config.peers = PeerTable::new(vec![Peer { credentials: Some(credentials), ..Peer::loopback() }]);
    config.digest = vec![Algorithm::Md5];
}

fn challenged(authentication: &str) -> Scenario {
    Scenario::invite("", SDP)
        .trying()
        .expect_challenge()
        .ack_refusal(1)
        .invite_again(2, &format!("[authentication {authentication}]\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_proves_its_password_and_is_let_in() {
    if !sipp::is_here() {
        return;
    }
    let scenario = challenged("username=ann password=stapler");
    let scenario = scenario.ringing().expect(200).ack(2, "").hang_up(3);
    let events = House::open(guarded).await.meet(scenario, |_| Vec::new()).await;
    assert!(matches!(events[0], LegEvent::Established { .. }), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_of_sipp_is_asked_for_again_and_opens_nothing() {
    if !sipp::is_here() {
        return;
    }
    let scenario = challenged("username=ann password=wrong").expect(401).ack_refusal_at(2, 2);
    let events = House::open(guarded).await.meet(scenario, |_| Vec::new()).await;
    assert!(events.is_empty(), "{events:?}");
}
