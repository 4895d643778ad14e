//! Requests in the spirit of RFC 4475 and RFC 5118, on real sockets: what is valid is answered however strangely it is
//! written, what is not gets the status the standards name, and nobody gets in with a copy of somebody else's proof.

use trunkline::sip::{Credentials, Secret, auth};

use super::*;

/// A sound OPTIONS of `phone`, with `edit` applied before line ends become CRLF.
fn options(phone: &Phone, count: usize, from: &str, to: &str) -> String {
    let (at, us) = (phone.socket.local_addr().expect("bound"), phone.us);
    let text = format!(
        "OPTIONS sip:{us} SIP/2.0\nVia: SIP/2.0/UDP {at};branch=z9hG4bKt{count};rport\nMax-Forwards: 70\n\
         From: \"Ann\" <sip:ann@{at}>;tag=f{count}\nTo: <sip:{us}>\nCall-ID: t{count}\nCSeq: 1 OPTIONS\n\
         Content-Length: 0\n\n"
    );
    assert!(text.contains(from), "{from:?} is not there to be changed");
    text.replacen(from, to, 1).replace('\n', "\r\n")
}

/// What to change in a sound request, into what, and the status that is due.
type Row = (&'static str, &'static str, u16);

/// RFC 4475 §3.1.1: valid, though hardly recognisable. §3.1.2 and §3.3: not valid, and the answer says why.
const ROWS: &[Row] = &[
    ("Via: ", "v :\n ", 200),
    ("From: \"Ann\" <", "f   :\n   \"A \\\\\\\"nn\"\n\t<", 200),
    ("CSeq: 1 OPTIONS", "cseq: 0001\n  OPTIONS", 200),
    ("Max-Forwards: 70", "MaX-fOrWaRdS: 0000068", 200),
    ("Max-Forwards: 70", "Max-Forwards: 70\nX-~!%: \u{1F4DE} nonsense, \"of, all\" kinds;=\n ;and folded", 200),
    ("branch=z9hG4bK", "branch = z9hG4bK", 200),
    ("OPTIONS sip:", "\n\n\nOPTIONS sip:", 200),
    ("OPTIONS sip:", "OPTIONS sip:sip%3Auser%40example.com@", 200),
    // What §3.1.2.15 calls invalid, telephones send; nothing is lost by reading it.
    ("\"Ann\" <", "Bell, Alexander <", 200),
    ("\"Ann\" <", "\"Ann <", 400),
    (" SIP/2.0\nVia", " SIP/7.0\nVia", 505),
    (" SIP/2.0\nVia", "\nVia", 400),
    ("OPTIONS sip:", "OPTIONS  lmno:", 416),
    ("OPTIONS sip:", "OPTIONS <sip:", 400),
    ("CSeq: 1 OPTIONS", "CSeq: 36893488147419103232 OPTIONS", 400),
    ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE", 400),
    ("CSeq: 1 OPTIONS\n", "", 400),
    ("Content-Length: 0", "Content-Length: -999", 400),
    ("Content-Length: 0", "Content-Length: 9999", 400),
    ("Content-Length: 0", "Content-Length: 0\nContent-Length: 1", 400),
    ("Max-Forwards: 70", "Max-Forwards: 300", 400),
    ("Max-Forwards: 70", "Max-Forwards: 70\nRequire: nothingSupportsThis, nothingEither", 420),
    ("Call-ID: t", "Call-ID: a b t", 400),
    ("To: <", "To: \"unterminated <", 400),
];

/// RFC 5118: addresses of version 6 wherever one may stand. `REF` is ours, in brackets.
const IPV6_ROWS: &[Row] = &[
    ("Max-Forwards: 70", "Max-Forwards: 70", 200),
    ("From: \"Ann\" <sip:ann@", "From: \"Ann\" <sip:ann@[2001:db8::9:1]>;x=<", 200),
    ("\nTo: <sip:", "\nContact: <sip:ann@[2001:db8::9:1]:5060>\nTo: <sip:", 200),
    ("\nTo: <sip:", "\nContact: <sip:ann@[::ffff:192.0.2.10]:19823>\nTo: <sip:", 200),
    (";rport", ";received=[2001:db8::9:255]", 200),
    (";rport", ";received=2001:db8::9:255;rport", 200),
    ("\nMax-Forwards", "\nVia: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKx\nMax-Forwards", 200),
    ("\nMax-Forwards", "\nVia: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKx;received=2001:db8::9\nMax-Forwards", 200),
    ("OPTIONS sip:[", "OPTIONS sip:2001:db8::10 [", 400),
    ("OPTIONS sip:[", "OPTIONS sip:[2001:db8::10:5070", 400),
    ("OPTIONS sip:[", "OPTIONS sip:[[", 400),
    ("OPTIONS sip:[", "OPTIONS sip:[zone%25eth0", 400),
    ("From: \"Ann\" <sip:ann@[", "From: \"Ann\" <sip:ann@[:::", 400),
];

async fn each_gets_its_status(server: &SipServer, phone: &Phone, rows: &[Row]) {
    for (count, (from, to, expected)) in rows.iter().enumerate() {
        phone.send(&options(phone, count, from, to)).await;
        let answer = phone.receive().await;
        assert!(answer.starts_with(&format!("SIP/2.0 {expected} ")), "{to:?} wants {expected}:\n{answer}");
        assert!(answer.to_lowercase().contains("\r\nto:") && answer.contains(";tag="), "{to:?}:\n{answer}");
        if *expected == 420 {
            assert!(answer.contains("\r\nUnsupported: nothingSupportsThis, nothingEither\r\n"), "{answer}");
        }
    }
    assert_eq!(server.stats().await.live_legs, 0);
}

#[tokio::test]
async fn requests_written_strangely_are_answered_and_broken_ones_with_the_status_that_is_due() {
    let (server, mut calls) = server(|_| {}).await;
    let phone = Phone::facing(&server).await;
    each_gets_its_status(&server, &phone, ROWS).await;
    assert!(calls.try_recv().is_err(), "none of it was a call");
    server.shutdown(PATIENCE).await;
}

/// §3.1.2.1 and what has no way back, or asks for none: silence, which the sound request behind it ends.
#[tokio::test]
async fn what_cannot_be_answered_is_not_and_the_next_request_is() {
    let (server, _calls) = server(|_| {}).await;
    let phone = Phone::facing(&server).await;
    let rows = [
        ("Via: SIP/2.0/UDP ", "Via: SIP/2.0/UDP"),
        ("Via: ", "Vie: "),
        ("CSeq: 1 OPTIONS", "CSeq: 1 ACK"),
        ("OPTIONS sip:", "SIP/2.0 200 OK\nX: "),
    ];
    for (count, (from, to)) in rows.into_iter().enumerate() {
        let text = options(&phone, count, from, to);
        // An ACK is one from the first line on; it is never answered.
        phone.send(&if to.ends_with("ACK") { text.replacen("OPTIONS ", "ACK ", 1) } else { text }).await;
        phone.send(&options(&phone, 1000 + count, "Max-Forwards", "Max-Forwards")).await;
        let answer = phone.expect("SIP/2.0 200 ").await;
        assert!(answer.contains(&format!("\r\nCall-ID: t{}\r\n", 1000 + count)), "{to:?} was answered:\n{answer}");
    }
    server.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn addresses_of_version_six_are_read_wherever_they_stand() {
    let config = SipConfig { listen: "[::1]:0".parse().expect("an address"), ..SipConfig::default() };
    let Ok((server, mut calls)) = SipServer::bind(config, Arc::new(SystemClock)).await else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "this machine has no IPv6");
        println!("skipped: this machine has no IPv6");
        return;
    };
    let socket = UdpSocket::bind("[::1]:0").await.expect("what we listen on, they can send from");
    let phone = Phone { socket, us: server.local_addr() };
    each_gets_its_status(&server, &phone, IPV6_ROWS).await;
    // §4.6, §4.8, §4.9: descriptions with such addresses reach the call as they were written.
    let mapped = SDP.replace("IP4 127.0.0.1", "IP6 ::ffff:192.0.2.10");
    let both =
        format!("{}c=IN IP6 2001:db8::9:1\r\n", SDP.replace("IN IP4 127.0.0.1\r\nt", "IN IP6 2001:db8::10\r\nt"));
    for (count, sdp) in [mapped, both].iter().enumerate() {
        phone.send(&phone.request("INVITE", 1, &format!("s{count}"), "", sdp)).await;
        phone.expect("SIP/2.0 100 ").await;
        let call = next(&mut calls).await;
        assert_eq!(call.offer.as_ref(), Some(sdp));
        order(&call, LegCommand::Reject(Rejection::status(404))).await;
        let refusal = phone.expect("SIP/2.0 404 ").await;
        phone.send(&phone.request("ACK", 1, &format!("s{count}"), &to_tag(&refusal), "")).await;
    }
    server.shutdown(PATIENCE).await;
}

/// Ann's proof, overheard: sent again by her, for another number, by somebody else. Only her own
/// retransmission, to the byte, gets what the first got.
#[tokio::test]
async fn a_proof_that_was_overheard_opens_nothing() {
    let password = Secret::new("stapler");
    let ann = Credentials { username: "ann".to_owned(), password: password.clone() };
    let peers = PeerTable::new(vec![Peer { credentials: Some(ann), ..Peer::loopback() }]);
    let (server, mut calls) = server(|config| config.peers = peers).await;
    let (phone, thief) = (Phone::facing(&server).await, Phone::facing(&server).await);
    phone.send(&phone.request("INVITE", 1, "a", "", SDP)).await;
    let challenge = phone.expect("SIP/2.0 401 ").await;
    phone.send(&phone.request("ACK", 1, "a", &to_tag(&challenge), "")).await;
    let nonce = challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a nonce");
    let uri = format!("sip:100@{}", server.local_addr());
    let digested = auth::Digested {
        method: "INVITE",
        uri: &uri,
        nonce,
        protection: auth::Protection::Auth { nc: 1, cnonce: "c" },
        body: SDP.as_bytes(),
    };
    let algorithm = auth::Algorithm::Sha256;
    let response = algorithm.response(&algorithm.ha1("ann", "trunkline", &password), &digested);
    let proof = format!(
        "Authorization: Digest username=\"ann\", realm=\"trunkline\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{response}\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\"\r\n"
    );
    let with_proof = |text: String| text.replacen("Max-Forwards", &format!("{proof}Max-Forwards"), 1);
    let good = with_proof(phone.request("INVITE", 2, "a", "", SDP));
    phone.send(&good).await;
    phone.expect("SIP/2.0 100 ").await;
    let call = next(&mut calls).await;
    phone.send(&good).await;
    phone.expect("SIP/2.0 100 ").await;
    let copies = [
        (&phone, phone.request("INVITE", 3, "a2", "", SDP)),
        (&phone, phone.request("INVITE", 3, "a3", "", SDP).replace("sip:100@", "sip:200@")),
        (&thief, thief.request("INVITE", 2, "a5", "", SDP)),
    ];
    for (who, copy) in copies {
        who.send(&with_proof(copy)).await;
        let answer = who.expect("SIP/2.0 401 ").await;
        assert!(!answer.contains(nonce), "a used nonce is not offered again:\n{answer}");
    }
    assert!(calls.try_recv().is_err(), "nobody else got in");
    order(&call, LegCommand::Reject(Rejection::status(404))).await;
    phone.expect("SIP/2.0 404 ").await;
    server.shutdown(Duration::ZERO).await;
}
