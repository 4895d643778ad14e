//! Files of questions and answers: read, or refused line by line; what is read answers, or does not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::knowledge::Knowledge;
use trunkline::language::Language;

fuzz_target!(|bytes: &[u8]| {
    let knowledge = match Knowledge::read(bytes) {
        Ok(knowledge) => knowledge,
        Err(problems) => {
            assert!(!problems.is_empty(), "a refusal says why");
            return problems.iter().for_each(|problem| drop(problem.to_string()));
        }
    };
    for language in ["en-GB", "zh-CN"] {
        let language = Language::parse(language).expect("a language");
        for asked in ["when do you open on sunday", "你们几点开门", "", "a a a a"] {
            let hits = knowledge.find(asked, &language);
            assert!(hits.iter().all(|hit| hit.score.is_finite()), "{hits:?}");
        }
        for entry in knowledge.entries(&language).iter().take(20) {
            knowledge.find(entry.question(), &language);
        }
    }
});
