//! What a recogniser may have heard: words in any language, numbers among them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::grammar::normalize;
use trunkline::language::Language;
use trunkline::spoken::digits;

fuzz_target!(|data: (u8, &str)| {
    let (which, text) = data;
    let names = ["en-US", "zh-CN", "de"];
    let language = Language::parse(names[usize::from(which) % names.len()]).expect("a language");
    let words = normalize::words(text, &language);
    normalize::unframed(&words, &language);
    let most = usize::from(which >> 4);
    let (digits, _) = digits::heard(text, &language, 1, most);
    if let Some(digits) = digits {
        assert!(digits.len() <= most && digits.bytes().all(|byte| byte.is_ascii_digit()), "{digits}");
    }
    digits::said(text, &language);
});
