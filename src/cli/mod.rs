//! The `trunkline` command line: one file per command.

pub mod check;
