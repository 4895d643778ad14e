//! How long a session may stand without a sign of life (RFC 4028).

use std::time::Duration;

/// What we ask for and insist on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Session-Expires we ask for.
    pub expires: Duration,
    /// Shortest interval we agree to; never below 90 s (RFC 4028 §5).
    pub min_se: Duration,
}

impl Default for SessionPolicy {
    /// RFC 4028 §4: 1,800 s is recommended, 90 s the floor.
    fn default() -> Self {
        Self { expires: Duration::from_secs(1800), min_se: Duration::from_secs(90) }
    }
}
