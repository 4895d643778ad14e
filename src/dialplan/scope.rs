//! What prompts and conditions can see: values by name, and the facts of the call.
//!
//! Names are letters, digits and `_`; a `-` in the name of a step or slot is written `_` where it is read. A sub-plan
//! sees its own values and the same facts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::DateTime;

use crate::language::Language;
use crate::pii::Pii;
use crate::value::Value;

/// Values by name as they come from outside: words.
pub type Variables = BTreeMap<String, Pii<String>>;

/// Names that the engine gives; no plan may use them for values of its own.
pub const RESERVED_NAMES: [&str; 7] = ["call", "now", "env", CALENDARS, "true", "false", IT];

/// What the calendars of the plan say of this moment.
pub const CALENDARS: &str = "calendars";
/// What each of them says: is somebody there; the special day it is, where that is why nobody is; when somebody comes
/// again; when they go.
pub const CALENDAR_FACTS: [&str; 4] = ["open", "holiday", "opens", "closes"];

/// What the step in hand speaks of: the values it wants confirmed, as they are read back.
pub const IT: &str = "it";

/// What a call knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    values: BTreeMap<String, Pii<Value>>,
    facts: BTreeMap<String, Pii<Value>>,
    secret: BTreeSet<String>,
    it: Option<Pii<Value>>,
    calendars: Value,
    markers: Arc<BTreeMap<String, String>>,
}

impl Scope {
    /// Nothing but the facts of the call: `caller`, `called`, `direction`…
    pub fn of(facts: BTreeMap<String, Pii<Value>>) -> Self {
        Self { facts, ..Self::default() }
    }

    /// The same facts, no values.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self { facts: self.facts.clone(), markers: self.markers.clone(), ..Self::default() }
    }

    /// Keeps a value under a name; nothing forgets it.
    pub fn keep(&mut self, name: &str, value: Value) {
        let name = readable(name);
        if value.is_nothing() {
            self.values.remove(&name);
        } else {
            self.values.insert(name, Pii::new(value));
        }
    }

    /// The same for a value that prompts, records and agents never see.
    pub fn keep_secret(&mut self, name: &str, value: Value) {
        self.keep(name, value);
        self.secret.insert(readable(name));
    }

    /// Is the value of that name a secret?
    pub fn is_secret(&self, name: &str) -> bool {
        self.secret.contains(&readable(name))
    }

    /// What the step in hand speaks of, until the call leaves it.
    pub fn set_it(&mut self, value: Option<Value>) {
        self.it = value.map(Pii::new);
    }

    /// A value, by its name.
    pub fn value(&self, name: &str) -> Option<&Value> {
        match name {
            IT => self.it.as_ref().map(Pii::reveal),
            name => self.values.get(&readable(name)).map(Pii::reveal),
        }
    }

    /// What the calendars of the plan say of this moment, by name; nothing where it has none.
    pub fn set_calendars(&mut self, calendars: Value) {
        self.calendars = calendars;
    }

    /// What the calendars of the plan say of this moment, by name.
    pub const fn calendars(&self) -> &Value {
        &self.calendars
    }

    /// What stands for the secrets of the house in requests: `env` in texts.
    #[must_use]
    pub fn with_markers(mut self, markers: Arc<BTreeMap<String, String>>) -> Self {
        self.markers = markers;
        self
    }

    /// What stands for the secrets of the house, by name.
    pub fn markers(&self) -> &BTreeMap<String, String> {
        &self.markers
    }

    /// A fact of the call.
    pub fn fact(&self, name: &str) -> Option<&Value> {
        self.facts.get(name).map(Pii::reveal)
    }

    /// Another fact of the call.
    pub fn set_fact(&mut self, name: &str, value: Value) {
        self.facts.insert(name.to_owned(), Pii::new(value));
    }

    /// Every value with its name, but no secret.
    pub fn values(&self) -> impl Iterator<Item = (&str, &Value)> {
        let open = self.values.iter().filter(|(name, _)| !self.secret.contains(*name));
        let it = self.it.iter().map(|value| (IT, value.reveal()));
        open.map(|(name, value)| (name.as_str(), value.reveal())).chain(it)
    }

    /// Every secret with its name, for other systems only.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &Value)> {
        let secret = self.values.iter().filter(|(name, _)| self.secret.contains(*name));
        secret.map(|(name, value)| (name.as_str(), value.reveal()))
    }

    /// Every fact with its name.
    pub fn facts(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.facts.iter().map(|(name, value)| (name.as_str(), value.reveal()))
    }
}

/// A scope as one prompt or condition reads it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is known.
    pub scope: &'a Scope,
    /// In which language it is spoken of.
    pub language: &'a Language,
    /// Date and time where the plan lives.
    pub now: DateTime,
}

impl View<'_> {
    /// What `now.…` is, by name, in texts as in conditions.
    pub fn clock(&self) -> [(&'static str, Value); 4] {
        let now = self.now;
        [
            ("date", Value::Date(now.date())),
            ("time", Value::Time(now.time())),
            ("weekday", Value::Text(now.strftime("%a").to_string().to_lowercase())),
            ("hour", Value::Integer(now.hour().into())),
        ]
    }
}

/// The name by which prompts and conditions read a value.
pub fn readable(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hyphen_in_a_name_is_read_as_an_underscore_and_nothing_is_forgotten() {
        let mut scope = Scope::default();
        scope.keep("card-number", Value::Digits("42".into()));
        assert_eq!(scope.value("card_number"), Some(&Value::Digits("42".into())));
        scope.keep("card-number", Value::Nothing);
        assert_eq!(scope.value("card-number"), None);
    }
}
