//! The dial plan language: files in, an immutable checked [`plan::Plan`] out, or diagnostics a person can act on.
//!
//! ```text
//! bytes ──load──▶ text ──yaml──▶ tree ──schema──▶ what was written ──compile──▶ Plan ──lint──▶ warnings
//!                         (read: single values)            (house: the engine's own words)
//! ```
//!
//! Every arrow may add findings, each with its line, its column and what to do about it, and goes on.

mod compile;
pub mod diagnostic;
#[cfg(test)]
pub(crate) mod fixture;
pub mod house;
pub mod interpreter;
mod lint;
pub mod load;
pub mod plan;
mod read;
mod schema;
pub mod step;
mod yaml;
