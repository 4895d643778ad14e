//! Personal data that must not reach a log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number, digit, word or name of a person. Prints as `«pii»` wherever it is formatted; the value is
/// reached only by [`Pii::reveal`], which reviewers can search for. Serialises as the value itself, because
/// serialised records are private files and the database, never logs.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pii<T>(T);

impl<T> Pii<T> {
    /// Marks `value` as personal.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the record, the plan or the caller's own ear; never for a log above debug.
    pub const fn reveal(&self) -> &T {
        &self.0
    }

    /// The value, by move.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Pii<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("«pii»")
    }
}

impl<T> fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("«pii»")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_never_shows_the_value() {
        let number = Pii::new("+12025550123".to_owned());
        assert_eq!(format!("{number} {number:?}"), "«pii» «pii»");
        assert_eq!(number.reveal(), "+12025550123");
    }
}
