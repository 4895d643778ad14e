//! Dial plans: compiled, or refused with findings that can be shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::dialplan::load::load_str;

fuzz_target!(|text: &str| {
    match load_str("fuzz.yaml", text) {
        Ok(loaded) => drop(loaded.warnings.to_string()),
        Err(findings) => assert!(!findings.to_string().is_empty(), "a refusal says why"),
    }
});
