//! Call lists: spreadsheets of people, as they come.
//!
//! ```text
//!  bytes ──text──▶ lines ──table─┐
//!  XLSX  ──────────sheet─────────┴▶ rows ──columns──▶ what each column holds ──row──▶ Entry │ Reject
//! ```
//!
//! One row at a time: memory holds a row, and some bytes a row to know numbers that came before. A bad row is put into
//! quarantine with a sentence that says what to mend, and the next one is read.

pub mod columns;
pub mod report;
pub mod row;
mod sheet;
pub mod table;
pub mod text;
pub mod written;

#[cfg(test)]
mod tests;
