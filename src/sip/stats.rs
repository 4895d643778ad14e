//! What the signalling has seen, in numbers.

use std::collections::BTreeMap;

use super::LegEnd;
use super::guard::DropReason;
use super::refusals::Cause;

/// Counters since start. Nothing in here is about a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SipStats {
    /// INVITEs that became legs.
    pub accepted: u64,
    /// 2xx sent to INVITEs, re-INVITEs included.
    pub answered: u64,
    /// Final refusals sent, by status (at most 400 keys), retransmissions not counted.
    pub refused: BTreeMap<u16, u64>,
    /// New calls among them that were turned away before anything of them existed, by cause.
    pub turned_away: BTreeMap<Cause, u64>,
    /// Datagrams met with silence, by reason.
    pub dropped: BTreeMap<DropReason, u64>,
    /// How legs ended.
    pub ended: Ended,
    /// Legs whose call has not been told that they are over.
    pub live_legs: u64,
}

/// How legs ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// They sent BYE.
    pub remote_hangup: u64,
    /// We sent BYE.
    pub local_hangup: u64,
    /// They gave up before we answered.
    pub cancelled: u64,
    /// We refused.
    pub rejected: u64,
    /// Our answer was never acknowledged.
    pub no_ack: u64,
    /// The network failed under us, or nobody took our call.
    pub failed: u64,
    /// They refused our call.
    pub refused: u64,
    /// Our call rang and nobody answered.
    pub no_answer: u64,
    /// No sign of life within the session timer.
    pub expired: u64,
    /// Transferred.
    pub moved: u64,
}

impl SipStats {
    /// One refusal with `status`; keep-alives (0) are no refusals.
    pub fn count_refused(&mut self, status: u16) {
        if status >= 300 {
            *self.refused.entry(status).or_default() += 1;
        }
    }

    /// One datagram nobody will hear about.
    pub fn count_dropped(&mut self, reason: DropReason) {
        *self.dropped.entry(reason).or_default() += 1;
    }

    /// One leg over.
    pub fn count_ended(&mut self, end: LegEnd) {
        let ended = &mut self.ended;
        let counter = match end {
            LegEnd::RemoteHangup => &mut ended.remote_hangup,
            LegEnd::LocalHangup => &mut ended.local_hangup,
            LegEnd::Cancelled => &mut ended.cancelled,
            LegEnd::Rejected(_) => &mut ended.rejected,
            LegEnd::NoAck => &mut ended.no_ack,
            LegEnd::Failed | LegEnd::Unreachable => &mut ended.failed,
            LegEnd::Refused { .. } => &mut ended.refused,
            LegEnd::NoAnswer => &mut ended.no_answer,
            LegEnd::Expired => &mut ended.expired,
            LegEnd::Moved => &mut ended.moved,
        };
        *counter += 1;
    }
}
