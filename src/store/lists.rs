//! Do-not-call lists that somebody else keeps: read whole, or not at all.
//!
//! ```text
//!  file ──Batch::Numbers … Batch::Whole──▶ Store::import
//!                                            │ a table of this connection only, while the file is read
//!                                            └─▶ one transaction: lift what is gone, close what is new
//! ```
//!
//! Nothing is written before the last number was read, so that whoever waits for the database waits for the second part
//! only, and a reader that breaks off leaves the list as it was.

use jiff::Timestamp;
use serde::Serialize;

use crate::pii::Pii;

/// A list as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListVersion {
    /// What we call it.
    pub name: String,
    /// Who keeps it.
    pub source: String,
    /// Where its numbers are closed.
    pub scope: String,
    /// Why, in a word.
    pub reason: String,
    /// When we read it.
    pub read_at: Timestamp,
    /// Who had it read, as the machine knows them.
    pub read_by: String,
    /// Until when it may be relied on; absent: nobody has said.
    pub fresh_until: Option<Timestamp>,
    /// Until when its numbers are closed; absent: for as long as they stand on it.
    pub expires_at: Option<Timestamp>,
}

/// What is to become of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportOrder {
    /// The list, from now on.
    pub list: ListVersion,
    /// What it no longer holds is lifted. Else nothing is.
    pub replaces: bool,
    /// Only say what would be.
    pub tries: bool,
    /// Even when less than half of it is left, which is how a download looks that broke off.
    pub may_shrink: bool,
}

/// A part of a list, as its reader hands it over.
#[derive(Debug)]
pub enum Batch {
    /// Keys of numbers ([`NumberPolicy::key`](super::numbers::NumberPolicy::key)), in any order; some may come again.
    Numbers(Pii<Vec<String>>),
    /// That was all. A list that ends without it was not read to its end.
    Whole,
}

/// What an import did, or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Different numbers read.
    pub numbers: u64,
    /// That stood in it once more.
    pub repeated: u64,
    /// That stood on the list before.
    pub before: u64,
    /// New on it.
    pub added: u64,
    /// No longer on it.
    pub dropped: u64,
    /// That are closed until another time now.
    pub changed: u64,
    /// Was it done?
    pub end: ImportEnd,
}

/// Was it done?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportEnd {
    /// Yes.
    Done,
    /// Yes, and nobody was closed or opened by it: only the day of reading is another.
    Same,
    /// It was only to be tried.
    Tried,
    /// Less than half of the list would be left: nothing was done.
    Shrunk,
    /// It held no number at all: nothing was done.
    Empty,
    /// Its reader broke off: nothing was done.
    #[default]
    Broken,
}

/// A list, and how many numbers it closes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListState {
    /// As it was read last.
    #[serde(flatten)]
    pub list: ListVersion,
    /// Numbers on it, over or not.
    pub numbers: u64,
}
