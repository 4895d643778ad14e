//! Secrets of plans: names of environment variables whose values only the wire ever sees.
//!
//! A plan writes `{{ env.CRM_TOKEN }}`. What its template is given is a *marker*, so that no value stands in a plan, a
//! trace, a transcript or a rehearsal; the marker is exchanged for the value in the very last moment, when the request
//! is made. Markers carry a random word of this process, so that nothing a caller says, or a list holds, can be one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;

use super::failure::Failure;
use crate::pii::Pii;

/// Begins a marker. Only characters that no escaping changes: it may stand in a URL.
const OPEN: &str = "~env~";
/// Parts and ends one.
const CLOSE: char = '~';

/// Values by the names of their variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    values: BTreeMap<String, Pii<String>>,
    word: String,
}

impl Secrets {
    /// `values` by name; `random` makes the markers of this process its own.
    pub fn new(values: BTreeMap<String, Pii<String>>, random: u128) -> Self {
        Self { values, word: format!("{random:032x}") }
    }

    /// Names that plans may use.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// What a template is given for each name: the value of `env` there.
    pub fn markers(&self) -> BTreeMap<String, String> {
        self.values.keys().map(|name| (name.clone(), self.marker(name))).collect()
    }

    /// What a template is given for `name`.
    pub fn marker(&self, name: &str) -> String {
        format!("{OPEN}{name}{CLOSE}{}{CLOSE}", self.word)
    }

    /// `text` with every marker exchanged, each value passed through `dress` on its way.
    ///
    /// # Errors
    ///
    /// [`Failure::NoSecret`] for a marker of ours whose name has no value.
    pub(super) fn fill(&self, text: &str, dress: impl Fn(&str) -> String) -> Result<String, Failure> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(OPEN) {
            let (before, from) = rest.split_at(at);
            filled.push_str(before);
            let inside = from[OPEN.len()..].split_once(CLOSE).and_then(|(name, after)| {
                let after = after.strip_prefix(self.word.as_str())?.strip_prefix(CLOSE)?;
                Some((name, after))
            });
            let Some((name, after)) = inside.filter(|_| !self.word.is_empty()) else {
                // Somebody's words, however much they look like one.
                filled.push_str(OPEN);
                rest = &from[OPEN.len()..];
                continue;
            };
            let value = self.values.get(name).ok_or_else(|| Failure::NoSecret(name.to_owned()))?;
            filled.push_str(&dress(value.reveal()));
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// `json` with every marker in its texts exchanged.
    pub(super) fn fill_json(&self, json: &Json) -> Result<Json, Failure> {
        Ok(match json {
            Json::String(text) => Json::String(self.fill(text, str::to_owned)?),
            Json::Array(items) => Json::Array(items.iter().map(|item| self.fill_json(item)).collect::<Result<_, _>>()?),
            Json::Object(entries) => {
                let filled = entries.iter().map(|(name, value)| Ok((name.clone(), self.fill_json(value)?)));
                Json::Object(filled.collect::<Result<_, Failure>>()?)
            }
            other => other.clone(),
        })
    }
}

/// `text` as one component of a URL: everything but letters, digits, `-`, `.`, `_` and `~` escaped (RFC 3986 §2.3), so
/// that no word of a caller can end a path or begin a query. For every value that a plan puts into a URL.
///
/// `.` and `..` become nothing: whoever reads a URL takes them for a way up, escaped or not.
pub fn component(text: &str) -> String {
    if matches!(text, "." | "..") {
        return String::new();
    }
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            other => write!(escaped, "%{other:02X}").expect("a string takes every write"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::new([("TOKEN".to_owned(), Pii::new("s3/cret".to_owned()))].into(), 42)
    }

    #[test]
    fn a_marker_becomes_its_value_only_when_the_request_is_made() {
        let secrets = secrets();
        let markers = secrets.markers();
        assert!(!format!("{secrets:?} {markers:?}").contains("s3/cret"));
        let text = format!("Bearer {}!", markers["TOKEN"]);
        assert_eq!(secrets.fill(&text, str::to_owned).unwrap(), "Bearer s3/cret!");
        assert_eq!(secrets.fill(&component(&markers["TOKEN"]), component).unwrap(), "s3%2Fcret");
        let json = serde_json::json!({ "key": [markers["TOKEN"], 1] });
        assert_eq!(secrets.fill_json(&json).unwrap(), serde_json::json!({ "key": ["s3/cret", 1] }));
    }

    #[test]
    fn words_that_look_like_a_marker_stay_words() {
        let secrets = secrets();
        for said in ["~env~TOKEN~", "~env~TOKEN~~", "~env~TOKEN~0~", "~env~", "~env~~env~TOKEN~43~", "~"] {
            assert_eq!(secrets.fill(said, str::to_owned).unwrap(), said);
        }
        let unset = Secrets::default();
        assert_eq!(unset.fill("~env~TOKEN~~", str::to_owned).unwrap(), "~env~TOKEN~~");
        let strange = secrets.marker("OTHER");
        assert_eq!(secrets.fill(&strange, str::to_owned), Err(Failure::NoSecret("OTHER".into())));
    }

    #[test]
    fn a_component_of_a_url_cannot_leave_its_place() {
        assert_eq!(component("../a?b=c&d#e/ 你"), "..%2Fa%3Fb%3Dc%26d%23e%2F%20%E4%BD%A0");
        assert_eq!([".", "..", "..."].map(component), ["", "", "..."]);
    }
}
