//! Identifiers. Random bits and the wall clock come from outside, so that a failing test fails again.

use std::fmt;

use jiff::Timestamp;

/// Crockford base32: no I, L, O or U, so an id survives being read aloud or copied by hand.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// One call, for life: 26 characters, sorted by arrival (48 bits of milliseconds, 80 random bits; the ULID layout).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(String);

impl CallId {
    /// A new id for a call that arrives at `wall`; `random` must come from a good source.
    pub fn new(wall: Timestamp, random: u128) -> Self {
        let millis = u128::try_from(wall.as_millisecond()).unwrap_or(0);
        let bits = (millis << 80) | (random & ((1 << 80) - 1));
        let text = (0..26).rev().map(|place| ALPHABET[(bits >> (place * 5)) as usize & 31] as char);
        Self(text.collect())
    }

    /// Reads an id a person typed; case does not matter. `None` unless it is 26 characters of the alphabet.
    pub fn parse(text: &str) -> Option<Self> {
        let upper = text.trim().to_ascii_uppercase();
        (upper.len() == 26 && upper.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(Self(upper))
    }

    /// The 26 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! counted_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

counted_id!(
    /// One SIP branch of ours and its media; unique within a running process.
    LegId
);
counted_id!(
    /// One stretch of caller speech; unique within a leg.
    UtteranceId
);
counted_id!(
    /// One prompt handed to media; unique within a leg.
    PlayId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_arrival_and_survive_being_typed() {
        let early = CallId::new(Timestamp::from_millisecond(1_000).expect("in range"), u128::MAX);
        let late = CallId::new(Timestamp::from_millisecond(1_001).expect("in range"), 0);
        assert!(early < late);
        assert_eq!(CallId::parse(&late.as_str().to_lowercase()), Some(late));
        assert_eq!(CallId::parse("not an id"), None);
    }
}
