//! Variables in prompts: `Hello {{ name }}` with what is known of the person.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::pii::Pii;

/// Values by name, known before the call.
pub type Variables = BTreeMap<String, Pii<String>>;

/// `text` with every `{{ name }}` replaced by its value; by nothing where there is none, because a caller must never
/// hear the braces. What is no name in double braces stays as it is.
pub fn fill<'text>(text: &'text str, variables: &Variables) -> Cow<'text, str> {
    if !text.contains("{{") {
        return Cow::Borrowed(text);
    }
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        filled.push_str(before);
        match behind.split_once("}}").map(|(name, rest)| (name.trim(), rest)) {
            Some((name, after)) if is_name(name) => {
                filled.push_str(variables.get(name).map_or("", |value| value.reveal()));
                rest = after;
            }
            _ => {
                filled.push_str("{{");
                rest = behind;
            }
        }
    }
    filled.push_str(rest);
    Cow::Owned(filled)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_their_values_and_unknown_ones_nothing() {
        let variables: Variables = [("name", "Ada"), ("due", "10 dollars"), ("evil", "{{name}}")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Pii::new(value.to_owned())))
            .collect();
        for (text, filled) in [
            ("Hello.", "Hello."),
            ("Hello {{name}}.", "Hello Ada."),
            ("{{ name }} owes {{due}}", "Ada owes 10 dollars"),
            ("Hello {{stranger}}.", "Hello ."),
            ("{{evil}}", "{{name}}"),
            ("a {{ b", "a {{ b"),
            ("{{}} {{a b}} {{name}}", "{{}} {{a b}} Ada"),
            ("您好 {{name}}", "您好 Ada"),
            ("{{{name}}}", "{{{name}}}"),
        ] {
            assert_eq!(fill(text, &variables), filled, "{text}");
        }
    }
}
