//! The dial plan language: files in, an immutable checked [`plan::Plan`] out, or diagnostics a person can act on.

pub mod plan;
