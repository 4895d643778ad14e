//! What another system answers: JSON or not, read as every sort of value along any path.

#![no_main]

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use trunkline::lookup::Mapping;
use trunkline::lookup::mapping::{Path, Sort, Wanted};
use trunkline::value::Value;

const SORTS: [&str; 12] = [
    "any", "text", "digits", "number", "boolean", "date", "time", "moment", "phone", "amount USD", "amount JPY",
    "amount KWD in cents",
];

// The first line is a path and perhaps a sort, `orders[0].due amount USD`; the rest is the answer.
fuzz_target!(|text: &str| {
    let (head, body) = text.split_once('\n').unwrap_or((".", text));
    let (path, sort) = head.split_once(' ').unwrap_or((head, "any"));
    let own = Sort::parse(sort);
    assert!(!matches!(&own, Err(why) if why.is_empty()), "a refusal says why");
    let Ok(json) = serde_json::from_str::<serde_json::Value>(body) else { return };
    for path in [path, ".", "a.b[0]", "/a/0"] {
        let path = match Path::parse(path) {
            Ok(path) => path,
            Err(why) => {
                assert!(!why.is_empty(), "a refusal says why");
                continue;
            }
        };
        for sort in SORTS.iter().flat_map(|sort| Sort::parse(sort)).chain(own.clone()) {
            for missing in [None, Some(Value::Nothing)] {
                let wanted = Wanted { name: "value".to_owned(), path: path.clone(), sort, missing };
                match Mapping::new([wanted]).read(&json, &TimeZone::UTC) {
                    Ok(values) => values.values().for_each(|value| {
                        let _ = (value.plain(), value.to_json());
                    }),
                    Err(failure) => assert!(!failure.to_string().is_empty(), "a failure says why"),
                }
            }
        }
    }
});
