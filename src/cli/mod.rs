//! The `trunkline` command line: one file per command.

pub mod check;
pub mod hear;
pub mod models;
pub mod say;
