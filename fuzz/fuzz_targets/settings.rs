//! `trunkline.toml`: read, or refused with a sentence.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use trunkline::config::Config;

fuzz_target!(|text: &str| {
    let file = std::env::temp_dir().join(format!("trunkline-fuzz-{}.toml", std::process::id()));
    std::fs::write(&file, text).expect("a temporary file");
    let environment = BTreeMap::from([("HOME".to_owned(), "/home/ann".to_owned())]);
    if let Err(error) = Config::from_sources(Some(&file), &environment) {
        assert!(!error.to_string().is_empty(), "a refusal says why");
    }
});
