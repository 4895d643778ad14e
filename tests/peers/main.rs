//! Signalling and media against software that is not ours. Each test is skipped, with a reason, where its peer is not
//! installed; where `CI=true`, nothing may be missing.

#![allow(clippy::disallowed_methods, reason = "a far end of somebody else's lives in real time")]

mod acquaintance;
mod agents;
#[path = "../gateway/caller.rs"]
#[allow(dead_code, reason = "the caller of the other tests can do more than these need")]
mod caller;
mod calling;
mod codecs;
mod dialog;
mod digest;
mod g729;
#[path = "../gateway/house.rs"]
#[allow(dead_code, reason = "the gateway of the other tests can do more than these need")]
mod house;
mod linphone;
mod media;
mod offers;
mod operations;
mod outbound;
mod played;
mod registrar;
mod relayed;
mod router;
mod rtpengine;
mod sessions;
mod sipp;
mod softphone;
#[path = "../gateway/sound.rs"]
#[allow(dead_code, reason = "the sounds of the other tests are more than these need")]
mod sound;
mod strangers;
mod streams;
mod takeover;
mod transfer;
mod transport;
mod trunks;
mod uas;

use std::time::Duration;

/// Who calls; must never stand in a log.
const NUMBER: &str = "+12025550143";
/// How long anything may take before a test gives up.
const LONG_ENOUGH: Duration = Duration::from_secs(90);
