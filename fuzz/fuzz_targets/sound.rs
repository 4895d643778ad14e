//! Sound files of people: WAV, MP3, Ogg, FLAC, M4A. What is no sound is refused; nothing small grows without bound.
//!
//! The decoders may panic (we catch that, and refuse the file); they may not hang, nor eat the memory.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use trunkline::audio::{decode, wav};

fuzz_target!(
    // The fuzzer would stop at any panic, caught or not; ours still reach it, through the end of this function.
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| {
        let name = Path::new("a file");
        let _ = wav::parse(bytes, name);
        if let Ok(pcm) = decode::parse(bytes.to_vec(), name) {
            assert!(pcm.rate_hz > 0 && !pcm.samples.is_empty(), "what was read is sound");
        }
    }
);
