//! Challenges as servers write them, and what must come back.

use super::*;
use crate::sip::auth::Secret;
use crate::sip::message::{CSeq, Raw, Via};

fn response(headers: &str) -> Response {
    let text = format!("SIP/2.0 401 Unauthorized\r\n{headers}\r\n\r\n");
    let raw = Raw::read(text.as_bytes());
    Response {
        status: 401,
        reason: "Unauthorized".to_owned(),
        via: Via::parse("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx").unwrap(),
        cseq: CSeq::parse("1 REGISTER").unwrap(),
        headers: raw.headers,
        body: Vec::new(),
    }
}

fn client() -> Asking {
    Asking(
        Client::new(Some(Credentials { username: "bob".into(), password: Secret::new("zanzibar") }), 7),
        Tries::default(),
    )
}

/// A client with one request under way.
struct Asking(Client, Tries);

impl Asking {
    fn answer(&mut self, headers: &str, method: &str, uri: &str, body: &[u8]) -> Result<Headers, NoAnswer> {
        self.0.answer(&mut self.1, &response(headers), |_, _| true, method, uri, body)
    }

    /// The next request begins.
    fn preempt(&mut self, method: &str, uri: &str, body: &[u8]) -> Headers {
        self.1 = Tries::default();
        self.0.preempt(&mut self.1, method, uri, body)
    }
}

type Headers = Vec<(&'static str, String)>;

fn answer(client: &mut Asking, headers: &str) -> Result<Headers, NoAnswer> {
    client.answer(headers, "REGISTER", "sip:example.com", b"")
}

/// Checks an answer the way a server does.
fn is_right(header: &str, method: &str, body: &[u8]) -> bool {
    let params = Params::read_all(header).remove(0);
    let get = |name| params.get(name).unwrap_or_default();
    let (algorithm, session) = Algorithm::parse(params.get("algorithm").unwrap_or("MD5")).unwrap();
    let mut ha1 = algorithm.ha1(get("username"), get("realm"), &Secret::new("zanzibar"));
    if session {
        ha1 = algorithm.session_ha1(&ha1, get("nonce"), get("cnonce"));
    }
    let nc = u32::from_str_radix(get("nc"), 16).unwrap_or_default();
    let protection = match params.get("qop") {
        None => Protection::Old,
        Some("auth") => Protection::Auth { nc, cnonce: get("cnonce") },
        Some(_) => Protection::AuthInt { nc, cnonce: get("cnonce") },
    };
    let digest = Digested { nonce: get("nonce"), protection, method, uri: get("uri"), body };
    get("response") == algorithm.response(&ha1, &digest)
}

#[test]
fn a_challenge_is_answered_with_its_own_words() {
    let mut client = client();
    let headers = answer(
        &mut client,
        "WWW-Authenticate: Digest realm=\"a \\\"b\\\"\", nonce=\"x,y==\", opaque=\"\", algorithm=sha-256, qop=\"auth,auth-int\"",
    )
    .unwrap();
    let [(name, value)] = headers.as_slice() else { panic!("one realm, one answer: {headers:?}") };
    assert_eq!(*name, "Authorization");
    let start = "Digest username=\"bob\", realm=\"a \\\"b\\\"\", nonce=\"x,y==\", uri=\"sip:example.com\", response=\"";
    assert!(value.starts_with(start), "{value}");
    assert!(value.contains(", algorithm=sha-256, ") && value.contains(", opaque=\"\", "), "{value}");
    assert!(value.ends_with(", qop=auth, nc=00000001"), "{value}");
    assert!(is_right(value, "REGISTER", b""), "{value}");
}

#[test]
fn an_old_server_gets_neither_counter_nor_algorithm() {
    let headers = answer(&mut client(), "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"").unwrap();
    let value = &headers[0].1;
    assert!(is_right(value, "REGISTER", b""));
    for absent in ["nc=", "qop", "cnonce", "algorithm", "opaque"] {
        assert!(!value.contains(absent), "{absent} in {value}");
    }
}

#[test]
fn session_variants_and_integrity_are_right_and_stay_right() {
    for algorithm in ["MD5-sess", "SHA-256-sess", "SHA-512-256-sess", "SHA-512-256"] {
        for qop in ["auth", "auth-int"] {
            let mut client = client();
            let ask =
                format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm={algorithm}, qop=\"{qop}\"");
            let first = client.answer(&ask, "INVITE", "sip:a@h", b"v=0").unwrap();
            assert!(is_right(&first[0].1, "INVITE", b"v=0"), "{algorithm} {qop}");
            let second = client.preempt("BYE", "sip:a@h", b"");
            assert!(is_right(&second[0].1, "BYE", b""), "{algorithm} {qop}");
            assert!(second[0].1.ends_with("nc=00000002"), "{second:?}");
        }
    }
}

#[test]
fn the_strongest_known_algorithm_wins_in_any_order() {
    let md5 = "WWW-Authenticate: Digest realm=\"r\", nonce=\"m\", algorithm=MD5, qop=\"auth\"";
    let sha = "WWW-Authenticate: Digest realm=\"r\", nonce=\"s\", algorithm=SHA-256, qop=\"auth\"";
    let unknown = "WWW-Authenticate: Digest realm=\"r\", nonce=\"u\", algorithm=SHA3-512, qop=\"auth\"";
    let odd = "WWW-Authenticate: Digest realm=\"r\", nonce=\"o\", algorithm=SHA-512-256, qop=\"auth-conf\"";
    let basic = "WWW-Authenticate: Basic realm=\"r\"";
    for order in [[md5, sha, unknown, odd, basic], [odd, basic, unknown, sha, md5]] {
        let headers = answer(&mut client(), &order.join("\r\n")).unwrap();
        assert_eq!(headers.len(), 1);
        assert!(headers[0].1.contains("nonce=\"s\""), "{headers:?}");
    }
    assert_eq!(answer(&mut client(), &[unknown, odd, basic].join("\r\n")), Err(NoAnswer::NotUnderstood));
    assert_eq!(answer(&mut client(), "Subject: none"), Err(NoAnswer::NotUnderstood));
}

#[test]
fn proxy_and_far_end_are_answered_together() {
    let proxy = "Proxy-Authenticate: Digest realm=\"p\", nonce=\"1\", qop=\"auth\"";
    let far = "WWW-Authenticate: Digest realm=\"f\", nonce=\"2\", qop=\"auth\"";
    // One after the other: the second answer still carries the first.
    let mut one_by_one = client();
    assert_eq!(answer(&mut one_by_one, proxy).unwrap().len(), 1);
    let both = answer(&mut one_by_one, far).unwrap();
    assert_eq!(both.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["Proxy-Authorization", "Authorization"]);
    assert!(both[0].1.ends_with("nc=00000002") && both[1].1.ends_with("nc=00000001"), "{both:?}");
    // In one response, and with the same realm at both.
    let headers = answer(&mut client(), &format!("{far}\r\n{}", proxy.replace("\"p\"", "\"f\""))).unwrap();
    assert_eq!(headers.len(), 2);
    assert!(headers.iter().all(|(_, value)| is_right(value, "REGISTER", b"")));
}

#[test]
fn a_wrong_password_is_tried_once() {
    let ask = |nonce: &str| format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"");
    for second in ["1", "2"] {
        let mut client = client();
        assert!(answer(&mut client, &ask("1")).is_ok());
        assert_eq!(answer(&mut client, &ask(second)), Err(NoAnswer::Refused), "nonce {second}");
        assert_eq!(client.preempt("REGISTER", "sip:example.com", b""), [], "what was refused is not sent unasked");
    }
}

#[test]
fn a_stale_nonce_is_renewed_without_asking_anybody() {
    let ask = |nonce: u8, stale| format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\", qop=auth{stale}");
    let mut client = client();
    assert!(answer(&mut client, &ask(1, "")).is_ok());
    // An hour later, with or without the word.
    for (nonce, stale) in [(2, ", stale=true"), (3, ""), (4, ", stale=\"TRUE\"")] {
        assert!(client.preempt("REGISTER", "sip:example.com", b"")[0].1.contains("nc=0000000"));
        let headers = answer(&mut client, &ask(nonce, stale)).unwrap();
        assert!(headers[0].1.contains(&format!("nonce=\"{nonce}\"")) && headers[0].1.ends_with("nc=00000001"));
    }
    // But not for ever within one request.
    client.preempt("REGISTER", "sip:example.com", b"");
    assert!(answer(&mut client, &ask(5, ", stale=true")).is_ok());
    assert!(answer(&mut client, &ask(6, ", stale=true")).is_ok());
    assert_eq!(answer(&mut client, &ask(7, ", stale=true")), Err(NoAnswer::Refused));
}

#[test]
fn without_credentials_nothing_is_answered() {
    let mut client = Asking(Client::new(None, 1), Tries::default());
    assert_eq!(answer(&mut client, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\""), Err(NoAnswer::NoCredentials));
    assert_eq!(client.preempt("INVITE", "sip:a@h", b""), []);
}

#[test]
fn no_more_than_four_realms_are_remembered() {
    let mut client = client();
    for realm in 0..20 {
        client.1 = Tries::default();
        answer(&mut client, &format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"n\"")).unwrap();
    }
    assert_eq!(client.0.spaces.len(), MOST_SPACES);
    client.1 = Tries::default();
    let all: Vec<String> =
        (0..20).map(|realm| format!("WWW-Authenticate: Digest realm=\"x{realm}\", nonce=\"n\"")).collect();
    assert_eq!(answer(&mut client, &all.join("\r\n")).unwrap().len(), MOST_SPACES);
}

#[test]
fn nonces_of_ours_differ_between_clients_and_challenges() {
    let ask = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
    let cnonce = |client: &mut Asking| {
        let headers = answer(client, ask).unwrap();
        Params::read_all(&headers[0].1)[0].get("cnonce").unwrap().to_owned()
    };
    let (mut one, mut two) = (client(), client());
    two.0.seed = 8;
    assert_ne!(cnonce(&mut one), cnonce(&mut two));
}

#[test]
fn whoever_asks_in_a_new_realm_each_time_is_left_after_six_rounds() {
    let mut client = client();
    let asks = |round: u8| format!("WWW-Authenticate: Digest realm=\"{round}\", nonce=\"n\"");
    for round in 0..MOST_ROUNDS {
        assert!(answer(&mut client, &asks(round)).is_ok(), "round {round}");
    }
    assert_eq!(answer(&mut client, &asks(MOST_ROUNDS)), Err(NoAnswer::Endless));
    client.1 = Tries::default();
    assert!(answer(&mut client, &asks(0)).is_ok(), "another request begins anew");
}

/// REGISTER and OPTIONS leave together, and both are asked before either is answered for.
#[test]
fn two_requests_under_way_are_both_asked_and_neither_is_refused() {
    for nonces in [["1", "2"], ["1", "1"]] {
        let Asking(mut client, mut register) = client();
        let mut options = Tries::default();
        let mut ask = |tries: &mut Tries, nonce: &str| {
            let challenge = response(&format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\""));
            client.answer(tries, &challenge, |_, _| true, "OPTIONS", "sip:h", b"")
        };
        let first = ask(&mut options, nonces[0]).unwrap();
        let second = ask(&mut register, nonces[1]).unwrap();
        let count = if nonces[0] == nonces[1] { "nc=00000002" } else { "nc=00000001" };
        assert!(first[0].1.ends_with("nc=00000001") && second[0].1.ends_with(count), "{second:?}");
        assert_eq!(ask(&mut register, "3"), Err(NoAnswer::Refused), "this one has had its answer");
    }
}
