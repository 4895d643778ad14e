//! A trunk that answers nonsense, to calls and to registrations: what can be believed counts, the rest is passed over.

use trunkline::pii::Pii;
use trunkline::sip::{Credentials, Dial, OutgoingLeg, Secret, TrunkSpec, TrunkState};

use super::*;

/// A far end that hears one request at a time.
struct Trunk {
    socket: UdpSocket,
    us: SocketAddr,
}

impl Trunk {
    async fn open() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port on loopback");
        Self { socket, us: "127.0.0.1:9".parse().expect("an address") }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("bound")
    }

    /// The next request with this method; others and repetitions are passed over.
    async fn hears(&mut self, method: &str) -> String {
        let mut buffer = vec![0; 65_535];
        loop {
            let received = timeout(PATIENCE, self.socket.recv_from(&mut buffer)).await;
            let (length, from) = received.unwrap_or_else(|_| panic!("no {method} came")).expect("read");
            self.us = from;
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(&format!("{method} ")) {
                return text;
            }
        }
    }

    async fn says(&self, bytes: impl AsRef<[u8]>) {
        self.socket.send_to(bytes.as_ref(), self.us).await.expect("loopback takes it");
    }
}

/// A response to `request` by a telephone with the tag `tag`; `more` are header lines.
fn response(request: &str, status: &str, tag: &str, more: &str, body: &str) -> String {
    let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let mut text = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().filter(|line| copied.iter().any(|name| line.starts_with(name))) {
        let tag = if line.starts_with("To:") && !line.contains(";tag=") { tag } else { "" };
        text.push_str(&format!("{line}{tag}\r\n"));
    }
    format!("{text}{more}Content-Length: {}\r\n\r\n{body}", body.len())
}

async fn dial(server: &SipServer, trunk: &Trunk) -> OutgoingLeg {
    let dial = Dial {
        to: Pii::new(format!("sip:bob@{}", trunk.address())),
        trunk: None,
        caller: None,
        sdp: Some(SDP.to_owned()),
        ring_timeout: Duration::from_secs(3),
        headers: Vec::new(),
    };
    server.dialer().dial(dial).await.expect("the call is tried")
}

async fn news(leg: &mut OutgoingLeg) -> LegEvent {
    loop {
        match timeout(PATIENCE, leg.events.recv()).await.expect("in time").expect("the last word is Ended") {
            LegEvent::Ladder(_) | LegEvent::Progress { .. } => {}
            event => return event,
        }
    }
}

/// What is not answered is given up in less than a second.
const FAST: Timing =
    Timing { t1: Duration::from_millis(10), t2: Duration::from_millis(80), t4: Duration::from_millis(100) };
const CONTACT: &str = "Contact: <sip:bob@127.0.0.1:9>\r\n";

/// None of it ends the call, or makes one of it.
fn nonsense(invite: &str) -> Vec<Vec<u8>> {
    let answer = |status: &str, more: &str| response(invite, status, ";tag=x", more, "");
    let sound = answer("200 OK", CONTACT);
    let mut all: Vec<Vec<u8>> = [
        sound.replace("branch=z9hG4bK", "branch=z9hG4bKother"),
        sound.replace(" INVITE\r\n", " OPTIONS\r\n"),
        sound.replace("CSeq: ", "CSeq: 4294967296"),
        sound.replace("SIP/2.0 200", "SIP/2.0 2000"),
        sound.replace("SIP/2.0 200", "SIP/2.0 099"),
        sound.replace("SIP/2.0 200 OK", "SIP/3.0 200 OK"),
        sound.replace("Content-Length: 0", "Content-Length: 500"),
        sound.replace("\r\nVia:", "\r\nVia: SIP/2.0/UDP [::1]:1;branch=z9hG4bK1\r\nVia:"),
        sound.replace("Via:", "Vie:"),
        sound.replace("From:", "Fro:"),
        sound.replace("To:", "Two:"),
        sound.replace("CSeq:", "Sequence:"),
        sound[..sound.len() / 2].to_owned(),
        answer("183 Session Progress", "Require: 100rel\r\nContact: <sip:bob@127.0.0.1:9>\r\n"),
        answer("183 Session Progress", "Require: 100rel\r\nRSeq: 0\r\n"),
        answer("183 Session Progress", "Require: 100rel\r\nRSeq: 99999999999\r\n"),
        answer("180 Ringing", "Contact: nowhere\r\nRecord-Route: <>, \",\r\n"),
        answer("199 Early Dialog Terminated", ""),
        "NOTIFY sip:us SIP/2.0\r\n\r\n".to_owned(),
        "\r\n\r\n".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec();
    let mut rng = StdRng::seed_from_u64(5118);
    all.extend((0..200).map(|_| {
        let mut bytes = sound.clone().into_bytes();
        // The branch is left whole only by chance; what remains of the status may not become a final one.
        bytes[8..12].copy_from_slice(b" 1x0");
        for _ in 0..6 {
            let at = rng.random_range(12..bytes.len());
            bytes[at] = rng.random();
        }
        bytes
    }));
    all
}

#[tokio::test]
async fn nonsense_of_a_trunk_neither_answers_nor_ends_a_call() {
    let (server, _calls) = server(|_| {}).await;
    for (status, end) in [("486 Busy Here", 486), ("603 Decline", 603)] {
        let mut trunk = Trunk::open().await;
        let mut leg = dial(&server, &trunk).await;
        let invite = trunk.hears("INVITE").await;
        for bytes in nonsense(&invite) {
            trunk.says(&bytes).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
            while let Ok(event) = leg.events.try_recv() {
                let said = String::from_utf8_lossy(&bytes);
                assert!(matches!(event, LegEvent::Progress { .. } | LegEvent::Ladder(_)), "{event:?} of\n{said}");
            }
        }
        trunk.says(response(&invite, status, ";tag=y", "", "")).await;
        trunk.hears("ACK").await;
        assert_eq!(news(&mut leg).await, LegEvent::Ended(LegEnd::Refused { status: end, cause: None }));
    }
    assert_eq!(server.stats().await.live_legs, 0);
    server.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn a_final_answer_that_makes_no_sense_ends_the_call_with_its_status() {
    let (server, _calls) = server(|_| {}).await;
    let rows = [
        ("401 Unauthorized", "", 401),
        ("401 Unauthorized", "WWW-Authenticate: Digest realm=\r\n", 401),
        ("407 Proxy Authentication Required", "Proxy-Authenticate: Basic realm=\"x\"\r\n", 407),
        ("302 Moved Temporarily", "", 302),
        ("302 Moved Temporarily", "Contact: <mailto:bob@h>, nonsense, <sip:>\r\n", 302),
        ("422 Session Interval Too Small", "", 422),
        ("422 Session Interval Too Small", "Min-SE: many\r\n", 422),
        ("503 Service Unavailable", "Retry-After: yesterday\r\n", 503),
        ("488 ", "Warning: 999999 \"\r\n", 488),
        ("500 \u{1F4A5}", "Reason: Q.850;cause=4242\r\n", 500),
        ("699 What", "Reason: ;;;\r\n", 699),
    ];
    for (status, more, expected) in rows {
        let mut trunk = Trunk::open().await;
        let mut leg = dial(&server, &trunk).await;
        // An interval that is too small is raised once, to the least there is.
        for _ in 0..=u8::from(expected == 422) {
            let invite = trunk.hears("INVITE").await;
            trunk.says(response(&invite, status, ";tag=y", more, "")).await;
            trunk.hears("ACK").await;
        }
        let end = LegEvent::Ended(LegEnd::Refused { status: expected, cause: None });
        assert_eq!(news(&mut leg).await, end, "{status} {more}");
    }
    assert_eq!(server.stats().await.live_legs, 0);
    server.shutdown(PATIENCE).await;
}

/// It rings, says it again and again, and never comes to a decision; CANCEL gets no answer either.
#[tokio::test]
async fn a_trunk_that_never_decides_is_left() {
    let (server, _calls) = server(|config| config.timing = FAST).await;
    let mut trunk = Trunk::open().await;
    let mut leg = dial(&server, &trunk).await;
    let invite = trunk.hears("INVITE").await;
    for _ in 0..50 {
        trunk.says(response(&invite, "180 Ringing", ";tag=y", CONTACT, "")).await;
    }
    trunk.hears("CANCEL").await;
    assert_eq!(news(&mut leg).await, LegEvent::Ended(LegEnd::NoAnswer));
    server.shutdown(PATIENCE).await;
}

/// What is no consent is asked for again later; meanwhile calls are served.
#[tokio::test]
async fn a_registrar_that_answers_nonsense_is_tried_again_and_breaks_nothing() {
    let rows: [(&str, &str, bool); 9] = [
        // A 200 is a 200, whatever it says of contacts; what is no number of seconds is not there (§20.19).
        ("200 OK", "Contact: *\r\n", true),
        ("200 OK", "Contact: <sip:somebody@else>;expires=nonsense\r\nExpires: -1\r\n", true),
        ("200 OK", "Contact: <sip:somebody@else>;expires=0\r\n", false),
        ("423 Interval Too Brief", "", false),
        ("423 Interval Too Brief", "Min-Expires: 99999999999999999999\r\n", false),
        ("401 Unauthorized", "WWW-Authenticate: nonsense\r\n", false),
        ("305 Use Proxy", "Contact: <sip:>\r\n", false),
        ("799 \u{7}", "", false),
        ("200 OK", "Expires: 4294967295\r\n", true),
    ];
    for (status, more, registered) in rows {
        let mut trunk = Trunk::open().await;
        let credentials = Credentials { username: "acct".to_owned(), password: Secret::new("zanzibar") };
        let spec =
            TrunkSpec { register: true, credentials: Some(credentials), ..TrunkSpec::at("carrier", trunk.address()) };
        let (server, mut calls) = server(|config| {
            config.trunks.push(spec);
            config.timing = FAST;
        })
        .await;
        let register = trunk.hears("REGISTER").await;
        trunk.says(response(&register, status, ";tag=r", more, "")).await;
        let state = loop {
            let state = server.dialer().trunks().await.first().expect("one trunk").state;
            match state {
                TrunkState::Unregistered | TrunkState::Registering => {
                    tokio::time::sleep(Duration::from_millis(20)).await
                }
                state => break state,
            }
        };
        assert_eq!(matches!(state, TrunkState::Registered { .. }), registered, "{status} {more}: {state:?}");
        // Whatever it says of itself, calls from it are still served.
        let phone = Phone::facing(&server).await;
        phone.send(&phone.request("INVITE", 1, "a", "", SDP)).await;
        phone.expect("SIP/2.0 100 ").await;
        order(&next(&mut calls).await, LegCommand::Reject(Rejection::status(404))).await;
        phone.expect("SIP/2.0 404 ").await;
        server.shutdown(Duration::ZERO).await;
    }
}
