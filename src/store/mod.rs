//! What outlives a call: the database.
//!
//! ```text
//!  call ends ──CallRecord──▶ driver (queue) ──▶ backlog decides ──▶ Store::save   one transaction a batch
//!                                                    │ database away
//!                                                    └──▶ spool: <data>/unsaved/ID.json, loaded back later
//! ```
//!
//! [`Store`] is what every database does alike (`conformance` holds them to it), [`sqlite`] the one that needs no
//! server. [`backlog`] is the pure part of saving in the background, [`driver`] its task, [`spool`] its files.

use std::path::PathBuf;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::mpsc;

use self::lists::{Batch, ImportOrder, Imported, ListState};
use self::suppression::{Lifted, Lifting, Sought, Suppression, Tally, Which};
use crate::call::record::{CallEnd, CallRecord};
use crate::id::CallId;
use crate::law::facts::Closed;
use crate::pii::Pii;

pub mod asking;
pub mod backlog;
#[cfg(test)]
pub(crate) mod conformance;
pub mod driver;
mod entry;
pub mod hindsight;
pub mod lists;
pub mod numbers;
pub mod spool;
pub mod sqlite;
pub mod suppression;

/// Name of the database in the data directory.
pub const DATABASE_FILE: &str = "trunkline.db";

/// A database of calls.
#[async_trait]
pub trait Store: Send + Sync {
    /// Keeps these calls with what came of them, all or none, in one durable transaction; opt-outs among it close their
    /// numbers ([`Store::suppress`]) in the same one. A call that is already there stays as it is, so
    /// that saving again after an unclear failure is safe.
    async fn save(&self, records: &[CallRecord]) -> Result<(), StoreError>;

    /// Closes these numbers, all or none, in one durable transaction. One that is closed already, for this reason and by
    /// whoever says so, stays as it is, unless it would have been open again some day and now is not. What was lifted
    /// stays lifted: a call that closed it once does not do so again when its record follows.
    async fn suppress(&self, closed: &[Suppression]) -> Result<(), StoreError>;

    /// Is this number closed at `now`, for every plan and campaign or for the one called `scope`? What holds everywhere
    /// is told first.
    async fn suppressed(
        &self,
        number: &Sought,
        scope: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Suppression>, StoreError>;

    /// Every entry of a number, in every scope: those that hold, those that are over, those that were lifted. The oldest
    /// first.
    async fn entries(&self, number: &Sought) -> Result<Vec<Suppression>, StoreError>;

    /// All that closes a number at `now`, everywhere or in one of these plans and campaigns, as decisions see it. The
    /// oldest first.
    async fn closed(&self, number: &Sought, scopes: &[&str], now: Timestamp) -> Result<Vec<Closed>, StoreError> {
        let entries = self.entries(number).await?;
        Ok(entries.iter().filter(|entry| entry.holds(now) && entry.concerns(scopes)).map(Closed::from).collect())
    }

    /// Lifts entries of a number, all or none, and keeps them as proof. Which they were, as they were before.
    async fn lift(&self, number: &Sought, which: &Lifting, lifted: &Lifted) -> Result<Vec<Suppression>, StoreError>;

    /// Makes a list what these batches hold, in one durable transaction after the last of them. Entries of other lists,
    /// and those that people asked for, stay as they are.
    async fn import(&self, order: &ImportOrder, batches: mpsc::Receiver<Batch>) -> Result<Imported, StoreError>;

    /// Every list, by name.
    async fn lists(&self) -> Result<Vec<ListState>, StoreError>;

    /// How many entries there are of each kind, at `now`.
    async fn tally(&self, which: &Which, now: Timestamp) -> Result<Vec<Tally>, StoreError>;

    /// The next `limit` entries after `place`, which begins with 0, and the place to go on from; the same place: there
    /// are no more.
    async fn page(&self, which: &Which, place: i64, limit: u32) -> Result<(Vec<Suppression>, i64), StoreError>;

    /// The latest calls first.
    async fn list(&self, filter: &CallFilter) -> Result<Vec<CallSummary>, StoreError>;

    /// One call whole, by its id or by the beginning of it, in either case.
    async fn get(&self, id: &str) -> Result<CallRecord, StoreError>;
}

/// Which calls to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFilter {
    /// At most so many.
    pub limit: u32,
    /// That arrived then or later.
    pub since: Option<Timestamp>,
}

impl Default for CallFilter {
    fn default() -> Self {
        Self { limit: 20, since: None }
    }
}

/// A call in one line.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct CallSummary {
    /// Ours.
    #[serde(serialize_with = "id_as_text")]
    pub id: CallId,
    /// INVITE seen.
    pub arrived_at: Timestamp,
    /// 200 sent.
    pub answered_at: Option<Timestamp>,
    /// Over.
    pub ended_at: Timestamp,
    /// Calling number, as the privacy setting kept it.
    pub caller: Pii<String>,
    /// Called number, likewise.
    pub called: Pii<String>,
    /// Name of the plan.
    pub plan: String,
    /// Why it ended.
    pub end: CallEnd,
    /// `result:` of the hangup step reached.
    pub result: Option<String>,
    /// Questions asked.
    pub turns: u64,
}

fn id_as_text<S: serde::Serializer>(id: &CallId, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(id.as_str())
}

/// Why the database did not do it. Never holds a person's number or words, so it may be logged.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing has been stored yet.
    #[error("there is no database at {file} yet; `trunkline serve` makes it when it starts")]
    Missing {
        /// Where it would be.
        file: PathBuf,
    },
    /// Somebody else holds the lock: worth trying again.
    #[error("the database {file} is locked by another program; close whatever has it open")]
    Locked {
        /// Which.
        file: PathBuf,
    },
    /// Not ours to open or write.
    #[error("the database {file} cannot be opened or written ({fault}); check who owns it and its folder")]
    Forbidden {
        /// Which.
        file: PathBuf,
        /// What the database or system said.
        fault: String,
    },
    /// No room.
    #[error("no room is left on the disk of {file}; free some, the calls waiting are then stored by themselves")]
    Full {
        /// Which.
        file: PathBuf,
    },
    /// Not a database, or a torn one.
    #[error(
        "the database {file} is damaged ({fault}); move it and its -wal file away (keep them, `sqlite3 FILE .recover` \
         may still read them): a new one is made by itself and the calls waiting are stored in it"
    )]
    Damaged {
        /// Which.
        file: PathBuf,
        /// What the database said.
        fault: String,
    },
    /// Written by a version of the program with other tables.
    #[error("the database {file} does not fit this version of trunkline ({fault}); {advice}")]
    OtherVersion {
        /// Which.
        file: PathBuf,
        /// What differs.
        fault: String,
        /// What to do.
        advice: &'static str,
    },
    /// No call of that id.
    #[error("there is no call {0}; `trunkline calls` lists the latest")]
    NoSuchCall(String),
    /// More than one call begins so.
    #[error("more than one call begins with {typed}, such as {first} and {second}; type more of the id")]
    Ambiguous {
        /// What was asked for.
        typed: String,
        /// The first that fits.
        first: CallId,
        /// The second.
        second: CallId,
    },
    /// One of the records breaks a rule of the tables: a bug of ours, not a state of the database.
    #[error("the database {file} refuses a call ({fault}); this is a bug of trunkline, please report it")]
    Refused {
        /// Which.
        file: PathBuf,
        /// Which rule.
        fault: String,
    },
    /// Anything else.
    #[error("the database {file} failed: {fault}")]
    Failed {
        /// Which.
        file: PathBuf,
        /// What it said.
        fault: String,
    },
}

impl StoreError {
    /// May it be over in a second, with nobody doing anything?
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Failed { .. })
    }

    /// Is a record at fault, so that the others would have been welcome?
    pub const fn is_of_a_record(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}
