//! Grammars in the ABNF form: read, or refused; what is read hears and says.

#![no_main]

#[path = "shared/grammar.rs"]
mod grammar;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    grammar::judge(text);
    grammar::judge(&format!("#ABNF 1.0;root $r;{text}"));
});
