//! The dial plan language: files in, an immutable checked [`plan::Plan`] out, or diagnostics a person can act on.

#[cfg(test)]
pub(crate) mod fixture;
pub mod interpreter;
pub mod plan;
pub mod step;
