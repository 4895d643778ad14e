//! Calls without a phone: the real call core on a simulated clock, with text where sound would be.
//!
//! [`text_leg`] stands in for SIP, media and the recogniser, [`conversation`] drives a call through it,
//! [`transcript`] reads and prints calls written as text, [`runner`] compares the two.
//! [`advice`] learns from calls that were real.

pub mod advice;
pub mod came_to;
pub mod conversation;
pub mod coverage;
pub mod runner;
pub mod text_leg;
pub mod transcript;
