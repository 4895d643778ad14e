//! What may be said: text normalisation now, SRGS grammars later.

pub mod normalize;
