//! The `trunkline` command line: one file per command.

pub mod rehearse;
pub mod test_plans;
