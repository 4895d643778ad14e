//! Addresses of every header: read or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::sip::Target;
use trunkline::sip::uri::{NameAddr, Uri, percent_decode};

fuzz_target!(|text: &str| {
    if let Ok(uri) = Uri::parse(text) {
        percent_decode(&uri.user);
        if let Some(target) = Target::of(&uri) {
            let again = Uri::parse(&target.to_string()).ok().and_then(|uri| Target::of(&uri));
            assert_eq!(again.as_ref(), Some(&target), "what we print is what we read");
        }
    }
    if let Ok(address) = NameAddr::parse(text) {
        address.tag();
    }
});
