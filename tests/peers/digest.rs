//! Our digest server, and our door, against SIPp.

use trunkline::sip::{Credentials, LegEvent, Peer, PeerTable, Secret, SipConfig};

use super::dialog::House;
use super::sipp::{self, SDP, Scenario};

/// SIPp has to prove that it is `ann`.
fn guarded(config: &mut SipConfig) {
    let credentials = Credentials { username: "ann".to_owned(), password: Secret::new("correct horse") };
    config.peers = PeerTable::new(vec![Peer { credentials: Some(credentials), ..Peer::loopback() }]);
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
    let scenario = challenged("username=ann password=correct horse");
    let scenario = scenario.ringing().expect(200).ack(2, "").hang_up(3);
    let events = House::open(guarded).await.meet(scenario, |_| Vec::new()).await;
    assert!(matches!(events[0], LegEvent::Established { .. }), "{events:?}");
}
