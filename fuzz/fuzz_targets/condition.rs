//! Conditions and calculations: compiled, or refused; what is compiled comes to something, or says why not, in time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::dialplan::condition::Condition;
use trunkline::dialplan::scope::{Scope, View};
use trunkline::language::Language;
use trunkline::value::{Amount, Currency, Value};

fuzz_target!(|text: &str| {
    let condition = match Condition::parse(text) {
        Ok(condition) => condition,
        Err(why) => return assert!(!why.is_empty(), "a refusal says why"),
    };
    let mut scope = Scope::default();
    let order = |place: i64| Value::Map([("id".to_owned(), Value::Integer(place))].into());
    scope.keep("name", Value::text("Ada"));
    scope.keep("due", Value::Amount(Amount { minor: i64::MAX, currency: Currency::USD }));
    scope.keep("since", Value::Date(jiff::civil::date(2026, 3, 6)));
    scope.keep("n", Value::Integer(i64::MIN));
    scope.keep("orders", Value::List((0..100).map(order).collect()));
    scope.keep_secret("pin", Value::Digits("918273".to_owned()));
    scope.set_fact("language", Value::text("en-US"));
    let now = jiff::civil::datetime(2026, 3, 1, 9, 0, 0, 0);
    let view = View { scope: &scope, language: &Language::english(), now };
    match (condition.value(view), condition.holds(view)) {
        (Err(why), _) | (_, Err(why)) => assert!(!why.is_empty() && !why.contains("918273"), "{why}"),
        (Ok(_), Ok(_)) => {}
    }
});
