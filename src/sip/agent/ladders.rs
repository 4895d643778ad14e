//! What was said on each leg, kept while it lives.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;

use super::{Agent, Output};
use crate::id::LegId;
use crate::sip::ladder::Ladder;
use crate::sip::transport::Path;
use crate::time::Now;

/// The ladders of live legs.
#[derive(Debug, Default)]
pub(super) struct Ladders {
    open: BTreeMap<LegId, (Ladder, Instant)>,
    /// Branches that speak for a leg opened by another one.
    joined: BTreeMap<LegId, LegId>,
    /// The message being handled, until it is known whose it is.
    arriving: Option<(Vec<u8>, Path)>,
}

impl Ladders {
    /// A message is being handled.
    pub(super) fn arrives(&mut self, message: &[u8], path: &Path) {
        self.arriving = Some((message.to_vec(), *path));
    }

    /// It was nobody's.
    pub(super) fn forget_arriving(&mut self) {
        self.arriving = None;
    }

    /// A leg begins.
    pub(super) fn open(&mut self, leg: LegId, now: Now) {
        self.open.insert(leg, (Ladder::default(), now.mono));
    }

    /// What `branch` says belongs to `leg`.
    pub(super) fn join(&mut self, branch: LegId, leg: LegId) {
        self.joined.insert(branch, leg);
    }

    /// A leg is over: all that was said on it.
    pub(super) fn close(&mut self, leg: LegId) -> Option<Ladder> {
        self.joined.retain(|_, known| *known != leg);
        self.open.remove(&leg).map(|(ladder, _)| ladder)
    }

    /// The message being handled is this leg's.
    pub(super) fn hear(&mut self, leg: LegId, now: Now) {
        let leg = self.joined.get(&leg).copied().unwrap_or(leg);
        if let (Some((message, path)), Some((ladder, since))) = (self.arriving.take(), self.open.get_mut(&leg)) {
            ladder.note(&message, false, &path, now.mono.saturating_duration_since(*since));
        }
    }

    /// Nothing is kept.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.joined.is_empty() && self.arriving.is_none()
    }

    fn say(&mut self, leg: LegId, message: &[u8], path: &Path, now: Now) {
        let leg = self.joined.get(&leg).copied().unwrap_or(leg);
        if let Some((ladder, since)) = self.open.get_mut(&leg) {
            ladder.note(message, true, path, now.mono.saturating_duration_since(*since));
        }
    }
}

impl Agent {
    /// Sends something that belongs to a leg.
    pub(super) fn say(&mut self, leg: LegId, bytes: Bytes, path: Path, now: Now) {
        self.ladders.say(leg, &bytes, &path, now);
        self.outputs.push_back(Output::Send { bytes, path });
    }
}
