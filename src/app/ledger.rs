//! Where a call goes when it is over: counted for the metrics, then stored.

use std::sync::Arc;

use crate::call::record::{CallRecord, Direction};
use crate::id::CallId;
use crate::observe::tally::Tally;
use crate::store::driver::Writer;

/// Takes every record exactly once. Clones feed the same store and the same sums.
#[derive(Clone)]
pub struct Ledger {
    records: Writer,
    tally: Arc<Tally>,
}

impl Ledger {
    /// Counts into `tally` what it hands to `records`.
    pub fn new(records: Writer, tally: Arc<Tally>) -> Self {
        Self { records, tally }
    }

    /// Whom the records are handed to.
    pub const fn writer(&self) -> &Writer {
        &self.records
    }

    /// What has been counted.
    pub const fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Counts a call as set up, once it stands; its record follows when it is over.
    pub fn answering(&self, call: CallId, direction: Direction) -> Box<dyn FnOnce() + Send + Sync> {
        let tally = self.tally.clone();
        Box::new(move || tally.answered(call, direction))
    }

    /// Counts and hands over; waits as [`Writer::save`] does.
    pub async fn save(&self, record: Box<CallRecord>) {
        self.tally.count(&record);
        self.records.save(record).await;
    }
}
