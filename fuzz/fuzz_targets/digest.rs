//! Challenges of whoever we call, and credentials of whoever calls us.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::sip::auth::server::{Asked, Server};
use trunkline::sip::auth::{Algorithm, Params};
use trunkline::sip::message::Raw;
use trunkline::sip::uri::Uri;
use trunkline::sip::{Credentials, Secret};
use trunkline::time::{Clock as _, SystemClock};

fuzz_target!(|data: &[u8]| {
    for params in Params::read_all(&String::from_utf8_lossy(data)) {
        for name in ["realm", "nonce", "qop", "algorithm", "stale", "nc"] {
            params.get(name).and_then(Algorithm::parse);
        }
    }
    let request = [b"INVITE sip:1000@h SIP/2.0\r\nAuthorization: ", data, b"\r\n\r\n"].concat();
    let raw = Raw::read(&request);
    let uri = Uri::parse("sip:1000@h").expect("an address");
    let source = "192.0.2.7".parse().expect("an address");
    let asked = Asked { headers: &raw.headers, method: "INVITE", uri: &uri, body: raw.rest, source };
    let mut server = Server::new("trunkline", [7; 32]);
    server.claimed(&raw.headers);
    let ann = Credentials { username: "ann".to_owned(), password: Secret::new("stapler") };
    for credentials in [Some(&ann), None] {
        assert!(server.check(asked, credentials, SystemClock.now()).is_err(), "nobody guesses a nonce and its answer");
    }
});
