//! Conversations by telephone: the same files as [`runner`](super::runner), with a voice and an ear.
//!
//! ```text
//!   script ─ held in text first ─▶ Part ──▶ Person ──Deed──▶ a telephone, RTP ──▶ the gateway
//!                                            ▲                                        │
//!                                            └── News: what it says, that it waits ◀──┘
//! ```
//!
//! [`part`] is what the caller has to do and where the call should stand each time, learnt by holding the conversation in
//! text; [`person`] plays it, says a line again when it was not understood, and judges; [`mishearing`] counts words,
//! [`hearing`] looks whether there was sound where there were words, [`noise`] makes the line a bad one, [`tally`] sums
//! up. All pure: `app` has the telephones.

pub mod hearing;
pub mod mishearing;
pub mod noise;
pub mod part;
pub mod person;
pub mod tally;
