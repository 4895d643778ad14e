//! Campaigns: who is to be called, by which plan and which rules, and the lists that say whom.
//!
//! ```text
//!  collect-us.yaml ──file──▶ Campaign ─┐
//!  list.csv, list.xlsx ──list─▶ rows ──┴─▶ Entry: somebody who can be called │ Reject: a row, and why not
//! ```
//!
//! Reading only: nothing here knows a database or a clock.

pub mod file;
pub mod list;
