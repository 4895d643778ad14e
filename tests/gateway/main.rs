//! The whole gateway as a process of its own, over real sockets: polite callers, and all the others.
//!
//! These tests live in real time because a telephone call does; they wait for what must happen and never assert on
//! how long it took.

#![allow(clippy::disallowed_methods, reason = "a test of a live gateway has to live in its time")]

mod agents;
mod audio;
mod callee;
#[allow(dead_code, reason = "the callers of other tests can do more than these need")]
mod caller;
mod callers;
mod calls;
mod edits;
mod hold;
mod house;
mod line;
mod messages;
mod ops;
mod outbound;
mod secrets;
mod sound;
mod stream;
mod suppression;
mod trouble;

use std::time::Duration;

/// Who calls; must never stand in a log.
const NUMBER: &str = "+12025550143";
/// How long anything may take before a test gives up. The longest wait there is, 64·T1 = 32 s, fits in twice.
const LONG_ENOUGH: Duration = Duration::from_secs(90);
