//! Digest authentication (RFC 7616, RFC 8760): what both sides share.

use std::fmt;

/// A password. Prints as `«secret»`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Marks `value` as secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for hashing and nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("«secret»")
    }
}

/// Who we say we are, and the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// As the realm knows us.
    pub username: String,
    /// Ours.
    pub password: Secret,
}
