//! Heads of requests for `/healthz` and `/metrics`, arriving in pieces: what is decided stays decided.

#![no_main]

#[path = "../../src/app/ops/http.rs"]
#[allow(dead_code, reason = "the answers are not fuzzed")]
mod http;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|head: &[u8]| {
    let head = &head[..head.len().min(http::LONGEST_HEAD)];
    let decided = (0..=head.len()).map(|cut| http::read(&head[..cut])).find(|asked| *asked != http::Asked::More);
    let Some(decided) = decided else { return };
    assert_eq!(decided, http::read(head), "what comes later changes nothing");
    if let http::Asked::Get { path, .. } = decided {
        assert!(path.starts_with('/') && !path.contains(['?', ' ', '\r', '\n']), "{path:?}");
    }
});
