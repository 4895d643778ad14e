//! Challenges and credentials of digest authentication.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::sip::auth::{Algorithm, Params};

fuzz_target!(|text: &str| {
    for params in Params::read_all(text) {
        for name in ["realm", "nonce", "qop", "algorithm", "stale", "nc"] {
            params.get(name).and_then(Algorithm::parse);
        }
    }
});
