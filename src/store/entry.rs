//! What the background writer is given to keep.

use super::suppression::Suppression;
use crate::call::record::CallRecord;
use crate::id::CallId;

/// One thing to keep.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A call that is over.
    Call(Box<CallRecord>),
    /// A number that is closed from now on.
    Closed(Box<Suppression>),
}

impl Entry {
    /// The call it belongs to.
    pub const fn call(&self) -> Option<&CallId> {
        match self {
            Self::Call(record) => Some(&record.id),
            Self::Closed(closed) => closed.call.as_ref(),
        }
    }
}

impl From<CallRecord> for Entry {
    fn from(record: CallRecord) -> Self {
        Self::Call(Box::new(record))
    }
}

impl From<Suppression> for Entry {
    fn from(closed: Suppression) -> Self {
        Self::Closed(Box::new(closed))
    }
}

/// Numbers to close and calls to store, apart: the numbers come first, since they must hold at once.
pub(super) fn apart(entries: Vec<Entry>) -> (Vec<Suppression>, Vec<CallRecord>) {
    let (mut closed, mut records) = (Vec::new(), Vec::with_capacity(entries.len()));
    for entry in entries {
        match entry {
            Entry::Closed(one) => closed.push(*one),
            Entry::Call(record) => records.push(*record),
        }
    }
    (closed, records)
}

/// The other way round, when they could not be kept.
pub(super) fn together(closed: Vec<Suppression>, records: Vec<CallRecord>) -> Vec<Entry> {
    closed.into_iter().map(Entry::from).chain(records.into_iter().map(Entry::from)).collect()
}
