//! Who may be called, when, and why.
//!
//! ```text
//!  rule packs (YAML) ──read──▶ Packs ─┐
//!  lead, history, now ────────────────┴─▶ decide ──▶ Verdict: allow │ not before │ never, and by which rule
//! ```
//!
//! Pure: whoever asks brings the time and what happened before. The packs that ship cite what they are made of, and a
//! lawyer must have read them before anybody is called by them.

pub mod decide;
pub mod duty;
pub mod facts;
pub mod limit;
pub mod pack;
pub mod read;
pub mod rule;
pub mod sound;
pub mod window;
pub mod world;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
