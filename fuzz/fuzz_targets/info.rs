//! Bodies of INFO.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::sip::info;

fuzz_target!(|data: (u8, &[u8])| {
    let kinds = [None, Some("application/dtmf-relay"), Some("application/dtmf"), Some("text/plain")];
    info::read(kinds[usize::from(data.0) % kinds.len()], data.1);
});
