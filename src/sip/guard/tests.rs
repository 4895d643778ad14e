//! Messages after the list of RFC 4475, written by us: the valid ones pass, the others get their answer; and noise.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use super::*;
use crate::sip::transport::Hop;
use crate::time::{Clock, SystemClock};

const PEER: &str = "127.0.0.1:5070";
const STRANGER: &str = "203.0.113.9:5070";

fn path(source: &str) -> Path {
    Path::udp(source.parse().unwrap(), "127.0.0.1:5060".parse().unwrap())
}

fn guard() -> Guard {
    Guard::new(PeerTable::default(), "Test/1".to_owned(), 7)
}

fn inspect(guard: &mut Guard, bytes: &[u8], source: &str) -> Verdict {
    guard.inspect(bytes, &path(source), SystemClock.now())
}

/// A sound INVITE, with `edit` applied to its text before line ends become CRLF.
fn invite(edit: impl Fn(String) -> String) -> Vec<u8> {
    let text = "INVITE sip:100@127.0.0.1 SIP/2.0\n\
                Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKabc;rport\n\
                Max-Forwards: 70\n\
                From: \"Ann\" <sip:+12025550123@example.com>;tag=f1\n\
                To: <sip:100@127.0.0.1>\n\
                Call-ID: c1@example.com\n\
                CSeq: 1 INVITE\n\
                Contact: <sip:ann@127.0.0.1:5070>\n\
                Content-Type: application/sdp\n\
                Content-Length: 5\n\
                \n\
                v=0\n\n";
    edit(text.to_owned()).replace('\n', "\r\n").into_bytes()
}

fn admitted(bytes: &[u8]) -> Admitted {
    match inspect(&mut guard(), bytes, PEER) {
        Verdict::Request(admitted) => *admitted,
        other => panic!("{}\n{other:?}", String::from_utf8_lossy(bytes)),
    }
}

fn answer(bytes: &[u8], source: &str) -> String {
    match inspect(&mut guard(), bytes, source) {
        Verdict::Answer { bytes, .. } => String::from_utf8(bytes).unwrap(),
        other => panic!("{}\n{other:?}", String::from_utf8_lossy(bytes)),
    }
}

fn dropped(bytes: &[u8], source: &str) -> DropReason {
    match inspect(&mut guard(), bytes, source) {
        Verdict::Drop(reason) => reason,
        other => panic!("{}\n{other:?}", String::from_utf8_lossy(bytes)),
    }
}

#[test]
fn a_plain_invite_passes_with_all_its_parts() {
    let admitted = admitted(&invite(|text| text));
    let request = admitted.request;
    assert_eq!((request.uri.user.as_str(), admitted.caller.reveal().as_str()), ("100", "+12025550123"));
    assert_eq!((request.from.tag(), request.to.tag(), request.cseq.number), (Some("f1"), None, 1));
    assert_eq!(request.sdp().as_deref(), Some("v=0\r\n"));
    assert_eq!(
        (&*admitted.peer.name, admitted.origin.destination.hop.address.to_string().as_str()),
        ("loopback", PEER)
    );
}

/// RFC 4475 §3.1.1.1 in our words: every freedom of the grammar at once.
#[test]
fn a_short_tortuous_invite_passes() {
    let text = "INVITE sip:100@127.0.0.1;unknownparam SIP/2.0\nTO :\n sip:100@example.com ;   tag    = 1918181833n\n\
                from   : \"A Person \\\\\\\"\"       <sip:ann@example.com>\n  ;\n  tag = 98asjd8\nMaX-fOrWaRdS: 0068\n\
                Call-ID: wsinv.ndaksdj@192.0.2.1\nContent-Length   : 4\ncseq: 0009\n  INVITE\n\
                Via  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=z9hG4bK390skdjuw\ns :\n\
                NewFangledHeader:   newfangled value\n continued newfangled value\n\
                UnknownHeaderWithUnusualValue: ;;,,;;,;\nContent-Type: application/sdp\n\
                Route:\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\n\
                v:  SIP  / 2.0  / TCP     spindle.example.com   ;\n  branch  =   z9hG4bK9ikj8  ,\n\
                \x20SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\n\
                m:\"Quoted string \\\"\\\"\" <sip:ann@example.com> ; newparam =\n      newvalue ;\n  secondparam ; q = 0.33\
                \n\nv=0\n";
    for ends in ["\r\n", "\n"] {
        let admitted = admitted(text.replace('\n', ends).as_bytes());
        let request = admitted.request;
        assert_eq!((request.from.tag(), request.to.tag()), (Some("98asjd8"), Some("1918181833n")));
        assert_eq!((request.cseq.number, request.via.branch()), (9, Some("z9hG4bK390skdjuw")));
        assert_eq!(request.contact.map(|contact| contact.uri.text).as_deref(), Some("sip:ann@example.com"));
        assert_eq!(request.headers.list("Via").count(), 3);
    }
}

#[test]
fn what_real_phones_send_passes() {
    for (from, to) in [
        ("Via: ", "v:"),
        ("From: ", "f:"),
        ("To: ", "t:"),
        ("Call-ID: ", "i : "),
        ("CSeq: ", "cSEQ:"),
        ("Contact: ", "m:"),
        ("Content-Type: ", "c:"),
        ("Content-Length: 5", "l: 5"),
        ("Content-Length: 5\n", ""),
        ("Content-Length: 5", "Content-Length: 3"),
        ("Content-Type: application/sdp", "Content-Type: Application/SDP; charset=utf-8"),
        ("Content-Type: application/sdp\n", ""),
        ("Max-Forwards: 70\n", ""),
        ("Max-Forwards: 70", "Max-Forwards: 0"),
        ("INVITE sip:", "\n\nINVITE sip:"),
        ("SIP/2.0\nVia", "sip/2.0  \nVia"),
        ("INVITE sip:100@127.0.0.1", "INVITE  tel:+12025550123;phone-context=+1 "),
        ("sip:100@127.0.0.1 ", "sip:*98#@127.0.0.1;user=phone "),
        ("sip:100@127.0.0.1 ", "sip:user;par=u%40example.net@[::1]:5060 "),
        ("sip:100@127.0.0.1 ", "sip:127.0.0.1 "),
        ("Via: SIP/2.0/UDP", "Via: SIP/2.0/udp"),
        ("Via: SIP/2.0/UDP", "Via: SIP/2.0/UNKNOWN"),
        (";branch=z9hG4bKabc;rport", ""),
        (";branch=z9hG4bKabc", ";branch=old"),
        (";tag=f1", ""),
        ("\"Ann\" <", "Ann B. Cook <"),
        ("\"Ann\" <", "\"J\u{fc}rgen, 李; <x>\"<"),
        ("\"Ann\" <sip:+12025550123@example.com>", "sip:+12025550123@example.com"),
        ("\"Ann\" <sip:+12025550123@example.com>", "<tel:+12025550123>"),
        ("To: <sip:100@127.0.0.1>", "To: <isbn:2983792873>"),
        ("Contact: ", "Supported: 100rel, timer, replaces\nRequire: \nContact: "),
        ("Contact: ", "Proxy-Require: nothing-we-know\nContact: "),
        ("Contact: ", "Accept: application/dtmf-relay, APPLICATION/SDP;q=0.5\nContact: "),
        ("Contact: ", "X~!@#$%: 1\nno colon\nDate: never\nContact: "),
        ("Content-Length: 5", "Content-Encoding: identity\nContent-Length: 5"),
    ] {
        let bytes = invite(|text| {
            assert!(text.contains(from), "{from:?}");
            text.replace(from, to)
        });
        assert!(admitted(&bytes).request.sdp().is_some(), "{to}");
    }
    let latin1: Vec<u8> = invite(|text| text).iter().map(|byte| if *byte == b'A' { 0xfc } else { *byte }).collect();
    assert!(matches!(inspect(&mut guard(), &latin1, PEER), Verdict::Answer { .. } | Verdict::Request(_)));
    let name = String::from_utf8(invite(|text| text)).unwrap().replace("Ann", "J?rgen").into_bytes();
    let name: Vec<u8> = name.iter().map(|byte| if *byte == b'?' { 0xfc } else { *byte }).collect();
    assert_eq!(admitted(&name).request.headers.first("Contact"), Some("<sip:ann@127.0.0.1:5070>"));
}

#[test]
fn broken_requests_get_the_answer_the_standard_names() {
    for (from, to, expected) in [
        ("INVITE sip:100@127.0.0.1 SIP/2.0", "INVITE sip:100@127.0.0.1", "400 Bad request line"),
        ("INVITE sip:100@127.0.0.1 SIP/2.0", "INVITE sip:100@127.0.0.1 ; x SIP/2.0", "400 Bad request line"),
        ("INVITE sip:100@127.0.0.1 SIP/2.0", "GET / HTTP/1.1", "400 Bad request line"),
        ("INVITE sip:100@127.0.0.1", "IN\u{7f}VITE sip:100@127.0.0.1", "400 Bad request line"),
        ("sip:100@127.0.0.1 ", "<sip:100@127.0.0.1> ", "400 Bad Request-URI"),
        ("sip:100@127.0.0.1 ", "100 ", "400 Bad Request-URI"),
        ("sip:100@127.0.0.1 ", "sip:100@127.0.0.1?Route=%3Csip:x%3E ", "400 Headers in the Request-URI"),
        ("sip:100@127.0.0.1 ", "sip:100@127.0.0.1:70000 ", "400 Bad Request-URI"),
        ("sip:100@127.0.0.1 ", "nobodyKnowsThisScheme:totallyopaquecontent ", "416 Unsupported URI Scheme"),
        ("sip:100@127.0.0.1 ", "sips:100@127.0.0.1 ", "416 Unsupported URI Scheme"),
        ("100@127.0.0.1 SIP/2.0\nVia", "100@127.0.0.1 SIP/7.0\nVia", "505 Version Not Supported"),
        ("From: \"Ann\" <sip:+12025550123@example.com>;tag=f1\n", "", "400 Missing From header"),
        ("\"Ann\" <", "\"Ann <", "400 Bad From header"),
        ("To: <sip:100@127.0.0.1>\n", "", "400 Missing To header"),
        ("To: <sip:100@127.0.0.1>", "To: <sip:100@127.0.0.1", "400 Bad To header"),
        ("Call-ID: c1@example.com\n", "", "400 Missing Call-ID header"),
        ("Call-ID: c1@example.com", "Call-ID: c1 c2", "400 Bad Call-ID header"),
        ("Call-ID: c1@example.com", "Call-ID: c1\nCall-ID: c2", "400 More than one Call-ID header"),
        ("CSeq: 1 INVITE\n", "", "400 Missing CSeq header"),
        ("CSeq: 1 INVITE", "CSeq: INVITE", "400 Bad CSeq header"),
        ("CSeq: 1 INVITE", "CSeq: 36893488147419103232 INVITE", "400 Bad CSeq header"),
        ("CSeq: 1 INVITE", "CSeq: 1 INVITE\nCSeq: 2 INVITE", "400 More than one CSeq header"),
        ("CSeq: 1 INVITE", "CSeq: 1 OPTIONS", "400 CSeq does not match the method"),
        ("Max-Forwards: 70", "Max-Forwards: 300", "400 Bad Max-Forwards header"),
        ("Max-Forwards: 70", "Max-Forwards: many", "400 Bad Max-Forwards header"),
        ("Content-Length: 5", "Content-Length: 9999", "400 Content-Length is longer than the body"),
        ("Content-Length: 5", "Content-Length: -999", "400 Bad Content-Length header"),
        ("Content-Length: 5", "Content-Length: 5\nl: 5", "400 Bad Content-Length header"),
        ("Content-Length: 5\n\nv=0\n\n", "Content-Length: 0\n", "400 No empty line behind the headers"),
        ("Contact: <sip:ann@127.0.0.1:5070>\n", "", "400 INVITE needs exactly one Contact header"),
        ("Contact: ", "Contact: <sip:b@h>, ", "400 INVITE needs exactly one Contact header"),
        ("Contact: <sip:ann@127.0.0.1:5070>", "Contact: *", "400 Bad Contact header"),
        ("Contact: ", "Require: 100rel, nothingSupportsThis\nContact: ", "420 Bad Extension"),
        ("application/sdp", "application/unknownformat", "415 Unsupported Media Type"),
        ("Content-Type", "Content-Encoding: gzip\nContent-Type", "415 Unsupported Media Type"),
        ("Contact: ", "Accept: text/nobodyKnowsThis\nContact: ", "406 Not Acceptable"),
        ("INVITE", "REGISTER", "405 Method Not Allowed"),
        ("INVITE", "MESSAGE", "405 Method Not Allowed"),
        ("INVITE", "NEWMETHOD", "501 Not Implemented"),
        ("INVITE", "invite", "501 Not Implemented"),
    ] {
        let bytes = invite(|text| {
            assert!(text.contains(from), "{from:?}");
            text.replace(from, to)
        });
        let answer = answer(&bytes, PEER);
        assert!(answer.starts_with(&format!("SIP/2.0 {expected}\r\n")), "{to}\n{answer}");
        assert!(answer.contains("Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKabc;received=127.0.0.1;rport=5070\r\n"));
        assert_eq!(answer, self::answer(&bytes, PEER), "a copy gets the same bytes, tag and all");
    }
}

#[test]
fn refusals_say_what_would_be_understood() {
    for (from, to, header) in [
        ("INVITE", "PUBLISH", "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, NOTIFY"),
        ("INVITE", "NEWMETHOD", "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, NOTIFY"),
        ("Contact: ", "Require: a, 100rel\nRequire: TIMER, b\nContact: ", "Unsupported: a, b"),
        ("application/sdp", "text/plain", "Accept: application/sdp"),
        ("Content-Type", "Content-Encoding: gzip\nContent-Type", "Accept-Encoding: identity"),
    ] {
        let answer = answer(&invite(|text| text.replace(from, to)), PEER);
        assert!(answer.contains(&format!("\r\n{header}\r\n")), "{answer}");
        assert!(answer.contains("\r\nServer: Test/1\r\n"), "{answer}");
    }
}

#[test]
fn a_body_we_may_ignore_is_ignored() {
    let optional = "Content-Disposition: signal;handling=optional\nContent-Type: application/isup";
    let admitted = admitted(&invite(|text| text.replace("Content-Type: application/sdp", optional)));
    assert_eq!(admitted.request.sdp(), None);
}

#[test]
fn oversized_messages_get_513() {
    let long = "x".repeat(MAX_MESSAGE);
    let bytes = invite(|text| text.replace("Max-Forwards", &format!("X-Long: {long}\nMax-Forwards")));
    assert!(answer(&bytes, PEER).starts_with("SIP/2.0 513 "));
}

#[test]
fn require_does_not_stop_ack_and_cancel() {
    for method in ["ACK", "CANCEL"] {
        let bytes = invite(|text| text.replace("INVITE", method).replace("Contact: ", "Require: x\nContact: "));
        assert_eq!(admitted(&bytes).request.method.as_str(), method);
    }
}

#[test]
fn some_datagrams_are_never_answered() {
    let response = |start: &str| {
        invite(|text| text.replace("INVITE sip:100@127.0.0.1 SIP/2.0", start).replace("1 INVITE", "1 BYE"))
    };
    for (bytes, reason) in [
        (invite(|text| text.replace("INVITE", "ACK").replace("Call-ID", "X")), DropReason::StrayAck),
        (invite(|text| text.replace("Via: ", "X: ")), DropReason::NoReturnPath),
        (invite(|text| text.replace("SIP/2.0/UDP", "SIP/3.0/UDP")), DropReason::NoReturnPath),
        (response("SIP/2.0 4294967301 better not break the receiver"), DropReason::StrayResponse),
        (response("SIP/2.0 099 low"), DropReason::StrayResponse),
        (b"\r\n".to_vec(), DropReason::NotSip),
        (b"".to_vec(), DropReason::NotSip),
        (vec![0; 4], DropReason::NotSip),
        (b"jaK".to_vec(), DropReason::NotSip),
        (vec![0xff; 500], DropReason::NotSip),
    ] {
        assert_eq!(dropped(&bytes, PEER), reason, "{}", String::from_utf8_lossy(&bytes));
    }
    assert!(
        matches!(inspect(&mut guard(), &response("SIP/2.0 200"), PEER), Verdict::Response(_)),
        "no phrase, no harm"
    );
    let two_vias = invite(|text| {
        text.replace("INVITE sip:100@127.0.0.1 SIP/2.0", "SIP/2.0 200 OK").replace("Max-", "Via: SIP/2.0/UDP h\nMax-")
    });
    assert_eq!(dropped(&two_vias, PEER), DropReason::StrayResponse);
    // A 2xx that names nobody once ended a call of ours.
    for (name, other) in [("From: ", "Fro: "), ("To: ", "Two: "), ("Call-ID: ", "Call: "), ("To: <", "To: \"<")] {
        let nameless = String::from_utf8(response("SIP/2.0 200 OK")).unwrap().replace(name, other);
        assert_eq!(dropped(nameless.as_bytes(), PEER), DropReason::StrayResponse, "{other}");
    }
}

#[test]
fn a_ping_gets_its_pong() {
    match inspect(&mut guard(), b"\r\n\r\n", PEER) {
        Verdict::Answer { bytes, to, .. } => {
            assert_eq!((bytes.as_slice(), to.hop.address.to_string().as_str()), (PONG, PEER))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(dropped(b"\r\n\r\n", STRANGER), DropReason::NotSip);
}

#[test]
fn strangers_get_one_answer_whatever_they_ask() {
    let strip = |answer: String| {
        let keep = |line: &&str| line.starts_with("SIP/2.0") || line.starts_with("Server") || line.starts_with("Cont");
        answer.lines().filter(keep).map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = ["SIP/2.0 403 Forbidden", "Server: Test/1", "Content-Length: 0"];
    for (from, to) in [
        ("100@", "100@"),
        ("100@", "900@"),
        ("INVITE", "OPTIONS"),
        ("INVITE", "REGISTER"),
        ("INVITE", "NEWMETHOD"),
        ("SIP/2.0\n", "SIP/7.0\n"),
        ("Contact: ", "Require: x\nContact: "),
        ("CSeq: 1", "CSeq: x"),
    ] {
        assert_eq!(strip(answer(&invite(|text| text.replace(from, to)), STRANGER)), expected, "{to}");
    }
    assert_eq!(dropped(&invite(|text| text.replace("INVITE", "ACK")), STRANGER), DropReason::Stranger);
    let response = invite(|text| text.replace("INVITE sip:100@127.0.0.1 SIP/2.0", "SIP/2.0 200 OK"));
    assert_eq!(dropped(&response, STRANGER), DropReason::Stranger);
}

#[test]
fn a_flood_of_a_stranger_is_ignored_and_one_of_a_peer_never() {
    let (mut guard, start) = (guard(), SystemClock.now());
    let bytes = invite(|text| text);
    let mut answered = 0;
    for count in 0..1000_u32 {
        let now = Now { mono: start.mono + Duration::from_millis(u64::from(count)), ..start };
        let verdict = guard.inspect(&bytes, &path(STRANGER), now);
        answered += u32::from(matches!(verdict, Verdict::Answer { .. }));
        let peer = guard.inspect(&bytes, &path(PEER), now);
        assert!(matches!(peer, Verdict::Request(_)));
    }
    assert_eq!(answered, 20);
}

#[test]
fn an_asserted_identity_counts_only_where_it_is_trusted() {
    let asserted = "P-Asserted-Identity: \"x\" <sip:h>, <tel:+1555>\nContact: ";
    let bytes = invite(|text| text.replace("Contact: ", asserted));
    assert_eq!(admitted(&bytes).caller.reveal(), "+12025550123");
    let trusting = Peer { caller_id: CallerIdPolicy::Asserted, ..Peer::loopback() };
    let mut guard = Guard::new(PeerTable::new(vec![trusting]), String::new(), 0);
    match inspect(&mut guard, &bytes, PEER) {
        Verdict::Request(admitted) => assert_eq!(admitted.caller.reveal(), "+1555"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_number_is_shown_as_far_as_its_owner_and_the_peer_are_believed() {
    use CallerIdPolicy::{Asserted, From, None};
    let asserted = "P-Asserted-Identity: <tel:+1555>\n";
    for (policy, headers, caller) in [
        (From, asserted.to_owned(), "+12025550123"),
        (Asserted, asserted.to_owned(), "+1555"),
        (Asserted, String::new(), "+12025550123"),
        (None, asserted.to_owned(), "anonymous"),
        (From, "Privacy: id\n".to_owned(), "anonymous"),
        (From, "privacy: id\n".to_owned(), "anonymous"),
        (Asserted, format!("{asserted}PRIVACY: ID\n"), "anonymous"),
        (Asserted, format!("{asserted}Privacy: header; id;critical\n"), "anonymous"),
        (Asserted, format!("{asserted}Privacy: none\n"), "+1555"),
        (Asserted, format!("{asserted}Privacy: session\n"), "+1555"),
    ] {
        let bytes = invite(|text| text.replace("Contact: ", &format!("{headers}Contact: ")));
        let peer = Peer { caller_id: policy, ..Peer::loopback() };
        let mut guard = Guard::new(PeerTable::new(vec![peer]), String::new(), 0);
        match inspect(&mut guard, &bytes, PEER) {
            Verdict::Request(admitted) => assert_eq!(admitted.caller.reveal(), caller, "{policy:?} {headers}"),
            other => panic!("{other:?}"),
        }
    }
}

/// RFC 5118 in our words: addresses of the sixth version, written well and badly.
#[test]
fn ipv6_is_read_as_far_as_it_has_one_meaning() {
    for (from, to, passes) in [
        ("sip:100@127.0.0.1 ", "sip:100@[2001:db8::10] ", true),
        ("sip:100@127.0.0.1 ", "sip:100@[2001:db8::10]:5070 ", true),
        ("sip:100@127.0.0.1 ", "sip:100@[::ffff:192.0.2.10] ", true),
        // Port or group? The brackets say: group.
        ("sip:100@127.0.0.1 ", "sip:100@[2001:db8::10:5070] ", true),
        ("sip:100@127.0.0.1 ", "sip:100@2001:db8::10 ", false),
        ("sip:100@127.0.0.1 ", "sip:100@[fe80::1%25eth0] ", false),
        ("sip:100@127.0.0.1 ", "sip:100@[2001:db8:::10] ", false),
        ("127.0.0.1:5070;branch", "[2001:db8::9:1];received=[2001:db8::9:255];branch", true),
        ("127.0.0.1:5070;branch", "[2001:db8::9:1]:5070;received=2001:db8::9:255;branch", true),
        ("Contact: <sip:ann@127.0.0.1:5070>", "Contact: <sip:ann@[2001:db8::9]:5070>", true),
        ("Contact: <sip:ann@127.0.0.1:5070>", "Contact: <sip:ann@2001:db8::9>", false),
    ] {
        let bytes = invite(|text| {
            assert!(text.contains(from), "{from:?}");
            text.replace(from, to)
        });
        match inspect(&mut guard(), &bytes, PEER) {
            Verdict::Request(_) => assert!(passes, "{to} has two meanings"),
            Verdict::Answer { status, .. } => assert!(!passes && status == 400, "{to}: {status}"),
            other => panic!("{to}: {other:?}"),
        }
    }
    let scoped = invite(|text| text.replace("127.0.0.1:5070;branch", "[fe80::1%eth0];branch"));
    assert_eq!(dropped(&scoped, PEER), DropReason::NoReturnPath);
}

#[test]
fn secure_uris_want_a_secure_way() {
    let bytes = invite(|text| text.replace("sip:100@127.0.0.1 ", "sips:100@127.0.0.1 "));
    let path = Path { hop: Hop::new(Transport::Tls, PEER.parse().unwrap()), ..path(PEER) };
    assert!(matches!(guard().inspect(&bytes, &path, SystemClock.now()), Verdict::Request(_)));
    let tcp = Path { hop: Hop::new(Transport::Tcp, PEER.parse().unwrap()), ..path };
    assert!(matches!(guard().inspect(&bytes, &tcp, SystemClock.now()), Verdict::Answer { status: 416, .. }));
}

#[test]
fn extensions_we_know_may_be_required() {
    let bytes = invite(|text| text.replace("Contact: ", "Require: 100rel, Timer\nContact: "));
    assert_eq!(admitted(&bytes).request.method, Method::Invite);
    let short = invite(|text| text.replace("Contact: ", "x: 60\nSupported: timer\nContact: "));
    let answer = answer(&short, PEER);
    assert!(answer.starts_with("SIP/2.0 422 ") && answer.contains("\r\nMin-SE: 90\r\n"), "{answer}");
}

/// What `user` with `password` answers to the challenge in `text`, with this count.
fn proof(text: &str, user: &str, password: &str, nc: u32) -> String {
    use crate::sip::auth::{Algorithm, Digested, Protection};
    let nonce = text.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
    let algorithm = Algorithm::Sha256;
    let ha1 = algorithm.ha1(user, "house", &Secret::new(password));
    let (protection, method, uri) = (Protection::Auth { nc, cnonce: "c" }, "INVITE", "sip:100@127.0.0.1");
    let response = algorithm.response(&ha1, &Digested { nonce, protection, method, uri, body: b"" });
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"house\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{response}\", algorithm=SHA-256, qop=auth, nc={nc:08x}, cnonce=\"c\"\nContact: "
    )
}

fn with_password(addresses: bool) -> Guard {
    let credentials = Some(Credentials { username: "ann".to_owned(), password: Secret::new("pass") });
    let mut peer = Peer { name: "phone".into(), credentials, ..Peer::loopback() };
    if !addresses {
        peer.addresses.clear();
    }
    let guard = Guard::new(PeerTable::new(vec![peer]), "Test/1".to_owned(), 7);
    guard.keeping(Server::new("house", [9; 32]), SessionPolicy::default())
}

/// How an INVITE with `proof` fares, gate and door together: its status, 0 when it is let in; `None` for silence.
fn knock(guard: &mut Guard, proof: &str, source: &str, now: Now) -> (Option<u16>, String) {
    let bytes = invite(|text| if proof.is_empty() { text } else { text.replace("Contact: ", proof) });
    let verdict = match guard.inspect(&bytes, &path(source), now) {
        Verdict::Request(admitted) => guard.admit(&admitted, now).err().map(|refusal| refusal.instead),
        other => Some(other),
    };
    match verdict {
        None => (Some(0), String::new()),
        Some(Verdict::Answer { bytes, status, .. }) => (Some(status), String::from_utf8(bytes).unwrap()),
        Some(Verdict::Drop(_)) => (None, String::new()),
        Some(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_peer_with_a_password_is_asked_for_it_and_never_locked_out() {
    let (mut guard, now) = (with_password(true), SystemClock.now());
    let (status, challenge) = knock(&mut guard, "", PEER, now);
    assert_eq!(status, Some(401));
    assert_eq!(challenge.matches("WWW-Authenticate: Digest realm=\"house\"").count(), 2, "{challenge}");
    assert_eq!(knock(&mut guard, &proof(&challenge, "ann", "pass", 1), PEER, now).0, Some(0));
    assert_eq!(knock(&mut guard, &proof(&challenge, "ann", "pass", 1), PEER, now).0, Some(401), "a replay");
    for guess in 0..30 {
        let (status, _) = knock(&mut guard, &proof(&challenge, "ann", "wrong", 2), PEER, now);
        assert_eq!(status, Some(if guess < 10 { 401 } else { 403 }), "guess {guess}");
    }
    assert_eq!(knock(&mut guard, &proof(&challenge, "ann", "pass", 3), PEER, now).0, Some(0), "whoever knows it");
    assert_eq!(knock(&mut guard, "", PEER, now).0, Some(401), "and whoever has not tried is asked");
}

#[test]
fn a_peer_on_the_road_is_let_in_from_anywhere_and_strangers_learn_nothing() {
    let (mut guard, now) = (with_password(false), SystemClock.now());
    let (status, challenge) = knock(&mut guard, "", STRANGER, now);
    assert_eq!(status, Some(401), "it may be she");
    for name in ["ann", "bob"] {
        let (status, answer) = knock(&mut guard, &proof(&challenge, name, "wrong", 1), STRANGER, now);
        assert_eq!((status, answer.contains("stale")), (Some(401), false), "{name}");
    }
    for _ in 0..30 {
        knock(&mut guard, &proof(&challenge, "ann", "wrong", 1), STRANGER, now);
    }
    assert_eq!(knock(&mut guard, "", STRANGER, now).0, None, "ignored for a while");
    assert_eq!(knock(&mut guard, &proof(&challenge, "ann", "wrong", 1), STRANGER, now).0, None);
    assert_eq!(knock(&mut guard, &proof(&challenge, "ann", "pass", 1), STRANGER, now).0, Some(0), "but not she");
    // Inside her call everything of hers passes, and for a while behind it.
    let bye = invite(|text| text.replace("INVITE", "BYE"));
    let path = path(STRANGER);
    assert!(matches!(guard.inspect(&bye, &path, now), Verdict::Drop(DropReason::Stranger)));
    let peer = guard.peers.find_roaming("ann").unwrap().clone();
    guard.entered(LegId(1), &peer, path.hop.address.ip(), now);
    assert!(matches!(guard.inspect(&bye, &path, now), Verdict::Request(_)));
    assert_eq!(knock(&mut guard, "", STRANGER, now).0, Some(401), "a second call needs the password again");
    guard.left(LegId(1), now);
    assert!(matches!(guard.inspect(&bye, &path, now), Verdict::Request(_)), "her BYE may come again");
    let later = Now { mono: now.mono + VISITOR_LINGERS, ..now };
    assert!(!matches!(guard.inspect(&bye, &path, later), Verdict::Request(_)));
}

/// An INVITE that pretends to belong to a dialog is nobody's fresh call: it is counted like any other stranger's.
#[test]
fn a_made_up_proof_inside_a_dialog_does_not_pass_for_a_call() {
    let (mut guard, now) = (with_password(false), SystemClock.now());
    let challenge = knock(&mut guard, "", STRANGER, now).1;
    let proof = proof(&challenge, "ann", "made up", 1);
    let bytes = invite(|text| {
        text.replace("Contact: ", &proof).replace("To: <sip:100@127.0.0.1>", "To: <sip:100@127.0.0.1>;tag=x")
    });
    assert!(String::from_utf8_lossy(&bytes).contains(";tag=x"));
    let verdicts: Vec<Verdict> = (0..40).map(|_| guard.inspect(&bytes, &path(STRANGER), now)).collect();
    assert!(verdicts.iter().all(|verdict| !matches!(verdict, Verdict::Request(_))), "{verdicts:?}");
    assert!(matches!(verdicts[39], Verdict::Drop(DropReason::Stranger)), "{:?}", verdicts[39]);
}

#[test]
fn a_peer_over_its_limits_is_told_to_wait() {
    let peer = Peer { max_calls: Some(1), max_cps: Some(2), ..Peer::loopback() };
    let mut guard = Guard::new(PeerTable::new(vec![peer.clone()]), "Test/1".to_owned(), 7);
    let now = SystemClock.now();
    let peer = Arc::new(peer);
    assert_eq!(knock(&mut guard, "", PEER, now).0, Some(0));
    guard.entered(LegId(1), &peer, [127, 0, 0, 1].into(), now);
    let (status, answer) = knock(&mut guard, "", PEER, now);
    assert!(status == Some(503) && answer.contains("\r\nRetry-After: 5\r\n"), "{answer}");
    guard.left(LegId(1), now);
    assert_eq!(knock(&mut guard, "", PEER, now).0, Some(0));
    let (status, answer) = knock(&mut guard, "", PEER, now);
    assert!(status == Some(503) && answer.contains("\r\nRetry-After: 1\r\n"), "too fast: {answer}");
}

/// Reading stops at sixteen kilobytes, whoever sends; a stranger that is ignored costs not even that.
#[test]
fn a_datagram_of_sixty_kilobytes_costs_no_more_than_one_of_sixteen() {
    let lines = "a:b\n".repeat(15_000);
    let bytes = invite(|text| text.replace("Max-Forwards: 70\n", &format!("Max-Forwards: 70\n{lines}")));
    assert!(bytes.len() > 60_000);
    assert!(answer(&bytes, PEER).starts_with("SIP/2.0 513 "));
    assert!(answer(&bytes, STRANGER).starts_with("SIP/2.0 403 "));
}

#[test]
fn noise_never_panics_and_never_blocks_a_valid_call() {
    let mut rng = StdRng::seed_from_u64(0x5eed);
    let mut guard = guard();
    let valid = invite(|text| text);
    for round in 0..40_000_u32 {
        let mut bytes = if round % 4 == 0 {
            let mut noise = vec![0; rng.random_range(0..600)];
            rng.fill_bytes(&mut noise);
            noise
        } else {
            valid.clone()
        };
        for _ in 0..rng.random_range(0..6) {
            if bytes.is_empty() {
                break;
            }
            let at = rng.random_range(0..bytes.len());
            match rng.random_range(0..5) {
                0 => bytes[at] = rng.random(),
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, *b"\r\n <>\";,:=@%/\0\xff".get(rng.random_range(0..15)).unwrap()),
                3 => bytes.truncate(at),
                _ => {
                    let piece = bytes[at..bytes.len().min(at + 40)].to_vec();
                    let to = rng.random_range(0..bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
        }
        if let Verdict::Answer { bytes, .. } = inspect(&mut guard, &bytes, PEER) {
            assert!(bytes.starts_with(b"SIP/2.0 ") || bytes == PONG);
        }
        if round % 100 == 0 {
            assert!(matches!(inspect(&mut guard, &valid, PEER), Verdict::Request(_)));
        }
    }
}

#[test]
fn our_answers_are_read_back_by_our_own_reader() {
    let answer = answer(&invite(|text| text.replace("INVITE", "REFER")), PEER);
    match inspect(&mut guard(), answer.as_bytes(), PEER) {
        Verdict::Response(response) => assert_eq!((response.status, response.cseq.number), (405, 1)),
        other => panic!("{other:?}"),
    }
}
