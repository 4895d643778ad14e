//! Texts with values and markup in them: whatever happens, the caller hears words, and not too many.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::dialplan::scope::{Scope, View};
use trunkline::dialplan::template;
use trunkline::language::Language;
use trunkline::spoken::markup;
use trunkline::value::{Amount, Currency, Value};

fuzz_target!(|text: &str| {
    let mut scope = Scope::default();
    let texts = [("name", "Ada <b> & {{ due }}"), ("evil", "</speak>]]>"), ("empty", "")];
    texts.iter().for_each(|(name, text)| scope.keep(name, Value::text(*text)));
    scope.keep("due", Value::Amount(Amount { minor: -20_005, currency: Currency::USD }));
    scope.keep("since", Value::Date(jiff::civil::date(2026, 3, 6)));
    scope.keep("items", Value::List(vec![Value::Integer(i64::MIN), Value::Number(0.1), Value::text("三")]));
    scope.keep_secret("pin", Value::Digits("918273".to_owned()));
    scope.set_fact("caller", Value::Phone("+14155550100".to_owned()));
    let tells = |said: &str| said.contains("918273") && !text.contains("918273");
    let now = jiff::civil::datetime(2026, 3, 1, 9, 0, 0, 0);
    let good = template::check(text).is_ok();
    template::names(text);
    for language in ["en-US", "zh-CN", "de-DE"] {
        let language = Language::parse(language).expect("a language");
        let view = View { scope: &scope, language: &language, now };
        let filled = template::fill(text, view);
        let said = match &filled {
            Ok(said) => said.as_ref(),
            Err((said, why)) => {
                assert!(!said.contains("{{") && !why.is_empty() && !tells(why), "{why}");
                said
            }
        };
        assert!(!tells(said), "a secret is never said");
        markup::pieces(said);
        markup::plain(said);
        markup::in_words(said, &language, now.date());
        if good {
            drop(template::fill_data(text, view));
            if let Ok(url) = template::fill_url(&format!("https://a.example/{{{{ evil }}}}?{text}"), view) {
                assert!(url.starts_with("https://a.example/%3C%2Fspeak%3E"), "{url}");
            }
        }
    }
    let marked = markup::check(text);
    assert!(marked.is_ok() || markup::is_marked(text), "only markup can be wrong markup");
    markup::recordings(text);
});
