//! The language as a JSON Schema (draft 2020-12), for editors: completion, a line about every key, red under what is
//! wrong. Made from the same tables that reading rests on; `dialplans/schema.json` is its copy in the repository.
//!
//! A schema cannot know which steps exist, so `trunkline check` remains the judge.

use serde_json::{Map, Value, json};

use super::key::{Key, Shape};
use super::schema::PLAN_KEYS;
use super::step::{WORDS, Word};

/// Where a language tag stands as a key.
const TAG: &str = "^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$";

/// The whole schema.
pub fn schema() -> Value {
    let mut plan = keys(&[PLAN_KEYS], "A dial plan of Trunkline.");
    plan["properties"]["steps"] = json!({
        "type": "object",
        "description": "What the plan does, each step under a name.",
        "additionalProperties": { "$ref": "#/$defs/step" },
    });
    plan["required"] = json!(["dialplan", "start"]);
    plan["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    plan["title"] = "Trunkline dial plan".into();
    plan["$defs"] = json!({
        "step": step(),
        "words": words(),
        "text": text(),
        "phrases": either(vec![lines(), by_language(lines())]),
        "value": { "type": ["string", "number", "boolean", "null"] },
        "time": { "type": "string", "pattern": "^[0-9]+([.][0-9]+)?\\s*(ms|s|min)$" },
    });
    plan
}

fn step() -> Value {
    let properties: Map<String, Value> = WORDS.iter().map(|word| (word.name.to_owned(), self::word(word))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1, "maxProperties": 1 })
}

fn word(word: &Word) -> Value {
    // Short: words for the caller, or nothing at all.
    let short = word.short.then(|| either(vec![json!({ "type": "null" }), words()]));
    match (word.keys.is_empty(), short) {
        (true, _) => json!({ "type": ["string", "integer"], "description": word.about }),
        (false, None) => keys(word.keys, word.about),
        (false, Some(short)) => json!({ "description": word.about, "anyOf": [keys(word.keys, word.about), short] }),
    }
}

fn keys(tables: &[&[Key]], about: &str) -> Value {
    let properties: Map<String, Value> = tables
        .iter()
        .flat_map(|table| table.iter())
        .map(|key| {
            let mut shape = shape(&key.shape);
            shape["description"] = key.about.into();
            (key.name.to_owned(), shape)
        })
        .collect();
    json!({ "type": "object", "description": about, "properties": properties, "additionalProperties": false })
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text => reference("text"),
        Shape::Words => reference("words"),
        Shape::Texts => either(vec![reference("text"), json!({ "type": "array", "items": reference("text") })]),
        Shape::Phrases => reference("phrases"),
        Shape::Line => json!({ "type": ["string", "number"] }),
        Shape::Lines => lines(),
        Shape::Word(words) => json!({ "enum": words }),
        // A step may be called `1`.
        Shape::Target | Shape::Wish => json!({ "type": ["string", "integer"] }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Time => reference("time"),
        Shape::Count(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Fraction => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Shape::Digit => either(vec![
            json!({ "type": "integer", "minimum": 0, "maximum": 9 }),
            json!({ "type": "string", "pattern": "^[0-9*#A-D]$" }),
        ]),
        Shape::Condition => json!({ "type": ["string", "boolean"] }),
        Shape::Value => reference("value"),
        Shape::Keys(table) => keys(&[table], ""),
        Shape::OneOf(table, names) => {
            let mut shape = keys(&[table], "");
            shape["oneOf"] = names.iter().map(|name| json!({ "required": [name] })).collect();
            shape
        }
        Shape::Tables(tables) => keys(tables, ""),
        Shape::Named(inside) => json!({ "type": "object", "additionalProperties": self::shape(inside) }),
        Shape::List(inside) => json!({ "type": "array", "items": self::shape(inside) }),
        Shape::Either(shapes) => either(shapes.iter().map(self::shape).collect()),
        Shape::Nothing => json!({ "type": "null" }),
        Shape::Any => json!({}),
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn either(shapes: Vec<Value>) -> Value {
    json!({ "anyOf": shapes })
}

fn lines() -> Value {
    either(vec![
        json!({ "type": ["string", "number"] }),
        json!({ "type": "array", "items": { "type": ["string", "number"] } }),
    ])
}

fn by_language(inside: Value) -> Value {
    json!({ "type": "object", "patternProperties": { TAG: inside }, "additionalProperties": false })
}

fn words() -> Value {
    either(vec![json!({ "type": ["string", "number"] }), by_language(json!({ "type": ["string", "number"] }))])
}

fn text() -> Value {
    let recorded = json!({
        "type": "object",
        "properties": { "text": reference("words"), "file": reference("words") },
        "required": ["text"],
        "additionalProperties": false,
    });
    either(vec![words(), recorded])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::diagnostic::Findings;
    use super::super::yaml::{self, Node, Value as Yaml};
    use super::*;

    fn json_of(node: &Node) -> Value {
        match &node.value {
            Yaml::Map(entries) => {
                entries.iter().map(|(key, value)| (key.value.clone(), json_of(value))).collect::<Map<_, _>>().into()
            }
            Yaml::List(items) => items.iter().map(json_of).collect(),
            Yaml::Scalar { .. } if node.is_nothing() => Value::Null,
            Yaml::Scalar { text, plain: true } => match (text.as_str(), text.parse::<i64>(), text.parse::<f64>()) {
                ("true", ..) => true.into(),
                ("false", ..) => false.into(),
                (_, Ok(whole), _) => whole.into(),
                (_, _, Ok(number)) => number.into(),
                _ => text.clone().into(),
            },
            Yaml::Scalar { text, .. } => text.clone().into(),
        }
    }

    fn faults(text: &str) -> Vec<String> {
        let tree = yaml::parse(text, &mut Findings::default()).unwrap();
        let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
        validator.iter_errors(&json_of(&tree)).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    #[test]
    fn the_copy_in_the_repository_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/schema.json");
        let current = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &current).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == current, "dialplans/schema.json is not current: run this test with UPDATE=1");
    }

    #[test]
    fn every_plan_that_loads_fits_the_schema() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut seen = 0;
        for folder in ["dialplans", "tests/language"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "yaml")
                    && super::super::load::load(&path).is_ok()
                {
                    seen += 1;
                    let found = faults(&std::fs::read_to_string(&path).unwrap());
                    assert!(found.is_empty(), "{}: {found:#?}", path.display());
                }
            }
        }
        assert!(seen >= 4, "only {seen} plans were looked at");
    }

    #[test]
    fn an_editor_sees_a_wrong_key_a_missing_start_and_a_word_that_does_not_exist() {
        for (wrong, where_) in [
            ("dialplan: 1\nstart: a\nsteps: { a: { say: { txt: Hi, go: $end } } }\n", "/steps/a/say"),
            ("dialplan: 1\nsteps: { a: { hangup: } }\n", "start"),
            ("dialplan: 1\nstart: a\nsteps: { a: { shout: { text: Hi } } }\n", "/steps/a"),
            ("dialplan: 1\nstart: a\nsteps: { a: { menu: { prompt: Hi, options: {}, wait: 4 } } }\n", "wait"),
        ] {
            let found = faults(wrong);
            assert!(found.iter().any(|fault| fault.contains(where_)), "{wrong}: {found:?}");
        }
    }
}
