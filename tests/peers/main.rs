//! Signalling and media against software that is not ours. Each test is skipped, with a reason, where its peer is not
//! installed; where `CI=true`, nothing may be missing.

#![allow(clippy::disallowed_methods, reason = "a far end of somebody else's lives in real time")]

mod dialog;
mod digest;
mod outbound;
mod sipp;
mod softphone;
mod transport;
mod uas;
