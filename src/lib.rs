//! Trunkline: an open-source voice IVR and outbound-call agent. The binary is thin; everything lives here.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod agents;
pub mod app;
pub mod audio;
pub mod call;
pub mod campaign;
pub mod cli;
pub mod config;
pub mod dialplan;
pub mod files;
pub mod grammar;
pub mod graph;
pub mod id;
pub mod import;
pub mod knowledge;
pub mod language;
pub mod law;
pub mod lookup;
pub mod media;
pub mod observe;
pub mod pii;
pub mod routing;
pub mod rtp;
pub mod sdp;
pub mod simulate;
pub mod sip;
pub mod speech;
pub mod spoken;
pub mod store;
pub mod time;
pub mod understand;
pub mod value;
