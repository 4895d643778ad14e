//! Many deadlines, one clock: which of them comes next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// At most one deadline per key; ties go by key, so the order of events is the same in every run.
#[derive(Debug)]
pub struct Timers<K> {
    by_time: BTreeSet<(Instant, K)>,
    by_key: BTreeMap<K, Instant>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { by_time: BTreeSet::new(), by_key: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Timers<K> {
    /// Moves, arms or (with `None`) forgets the deadline of `key`.
    pub fn set(&mut self, key: K, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.by_key.insert(key.clone(), at),
            None => self.by_key.remove(&key),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, key.clone()));
        }
        if let Some(at) = at {
            self.by_time.insert((at, key));
        }
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes one key whose deadline is not after `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::time::{Clock, SystemClock};

    #[test]
    fn deadlines_come_in_order_move_and_go() {
        let start = SystemClock.now().mono;
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.set("b", Some(at(20)));
        timers.set("a", Some(at(30)));
        timers.set("c", Some(at(10)));
        timers.set("a", Some(at(5)));
        timers.set("c", None);
        assert_eq!(timers.next(), Some(at(5)));
        assert_eq!(timers.pop_due(at(4)), None);
        assert_eq!(timers.pop_due(at(20)), Some("a"));
        assert_eq!(timers.pop_due(at(20)), Some("b"));
        assert_eq!((timers.pop_due(at(99)), timers.next()), (None, None));
    }
}
