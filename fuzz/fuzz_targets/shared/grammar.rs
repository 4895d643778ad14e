//! Judges a grammar: it is refused with a reason, or it hears things; and what is written in ABNF is the same in XML.

use jiff::civil::DateTime;
use trunkline::grammar::diagnostic::Problems;
use trunkline::grammar::{Grammar, Severity, abnf, print};
use trunkline::language::Language;

pub fn judge(text: &str) {
    let now: DateTime = "2026-03-04T10:00".parse().expect("a day");
    let grammar = match Grammar::parse("fuzz", text) {
        Ok(grammar) => grammar,
        Err(problems) => {
            assert!(problems.iter().any(|problem| problem.severity == Severity::Error), "a refusal says why");
            return problems.iter().for_each(|problem| drop(problem.to_string()));
        }
    };
    for language in ["en-US", "zh-CN"] {
        let language = Language::parse(language).expect("a language");
        for said in ["a b a b a", "pay 20 dollars on friday", "查余额 3"] {
            let whole = grammar.matches(said, &language, now);
            assert_eq!(grammar.fit(said, &language, now).full, !whole.is_empty(), "{said}");
            grammar.spot(said, &language, now);
        }
    }
    grammar.match_keys("12#", now);
    assert!(grammar.expansions(3, now).len() <= 3);
    if text.trim_start().starts_with('<') {
        return; // Not every name of an XML file can be written in ABNF.
    }
    let document = abnf::parse(text.trim_start_matches('\u{feff}'), 0, &mut Problems::default());
    let other = Grammar::parse("other", &print::xml(&document)).expect("what is written in XML is read");
    assert_eq!(grammar.automaton().size(), other.automaton().size(), "both forms say the same");
}
