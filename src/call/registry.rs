//! Which calls are live: a seat per call, taken before it is answered and given back when it is over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;

use crate::id::CallId;

/// What can be said of a live call without asking its task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveCall {
    /// When its INVITE came.
    pub since: Timestamp,
    /// Name of the plan it runs.
    pub plan: String,
}

/// Every live call of this process. Clones share the seats.
#[derive(Clone, Debug)]
pub struct Registry {
    live: Arc<Mutex<BTreeMap<CallId, LiveCall>>>,
    seats: usize,
}

impl Registry {
    /// Room for `seats` calls at once.
    pub fn with_seats(seats: usize) -> Self {
        Self { live: Arc::default(), seats }
    }

    /// Takes a seat, or `None` when every one is taken: the caller hears 503 rather than bad sound.
    pub fn take(&self, call: CallId, live: LiveCall) -> Option<Seat> {
        let mut seats = self.locked();
        if seats.len() >= self.seats {
            return None;
        }
        seats.insert(call.clone(), live);
        Some(Seat { registry: self.clone(), call })
    }

    /// How many calls are live.
    pub fn len(&self) -> usize {
        self.locked().len()
    }

    /// Is nobody on the line?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of what is live now, by arrival.
    pub fn snapshot(&self) -> Vec<(CallId, LiveCall)> {
        self.locked().iter().map(|(call, live)| (call.clone(), live.clone())).collect()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<CallId, LiveCall>> {
        self.live.lock().expect("nobody panics while holding the register of calls")
    }
}

/// A live call's place in the [`Registry`]; dropping it gives the place back, however the call ended.
#[derive(Debug)]
pub struct Seat {
    registry: Registry,
    call: CallId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.registry.locked().remove(&self.call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_house_turns_callers_away_until_one_leaves() {
        let registry = Registry::with_seats(1);
        let live = LiveCall { since: Timestamp::UNIX_EPOCH, plan: "bank".into() };
        let id = |random| CallId::new(Timestamp::UNIX_EPOCH, random);
        let first = registry.take(id(1), live.clone());
        assert!(first.is_some());
        assert!(registry.take(id(2), live.clone()).is_none());
        drop(first);
        assert!(registry.is_empty());
        assert!(registry.take(id(3), live).is_some());
    }
}
