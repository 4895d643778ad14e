//! Conversations beside a dial plan: read, or refused line by line; and what was said against what was expected.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::simulate::transcript;

fuzz_target!(|text: &str| {
    if let Err(faults) = transcript::parse(text) {
        assert!(!faults.is_empty(), "a refusal says why");
    }
    let (expected, said) = text.split_once('\n').unwrap_or((text, text));
    transcript::fits(expected, said);
    assert!(transcript::fits("…", said), "dots fit anything");
});
