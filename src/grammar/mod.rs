//! What may be said: text normalisation now, SRGS grammars later.

pub mod builtin;
pub mod normalize;
