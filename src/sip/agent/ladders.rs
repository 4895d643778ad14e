//! What is said on each leg, kept until its call is told that it is over.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::id::LegId;
use crate::sip::ladder::Ladder;
use crate::sip::transport::Path;

/// The ladders of all live legs.
#[derive(Debug, Default)]
pub(super) struct Ladders {
    open: BTreeMap<LegId, (Instant, Ladder)>,
    /// The message at hand, until it is known whose it is.
    at_hand: Option<(Vec<u8>, Path)>,
}

impl Ladders {
    /// A leg has opened.
    pub(super) fn begin(&mut self, leg: LegId, now: Instant) {
        self.open.insert(leg, (now, Ladder::default()));
    }

    /// A message has come; nobody knows yet whose it is.
    pub(super) fn hear(&mut self, message: &[u8], path: &Path) {
        self.at_hand = (!self.open.is_empty() || message.starts_with(b"INVITE")).then(|| (message.to_vec(), *path));
    }

    /// It was nobody's.
    pub(super) fn forget_message(&mut self) {
        self.at_hand = None;
    }

    /// It was this leg's.
    pub(super) fn heard_by(&mut self, leg: LegId, now: Instant) {
        if let Some((message, path)) = self.at_hand.take() {
            self.note(leg, &message, false, &path, now);
        }
    }

    /// We say something.
    pub(super) fn said(&mut self, leg: LegId, message: &[u8], path: &Path, now: Instant) {
        self.note(leg, message, true, path, now);
    }

    /// The leg is over: all of it.
    pub(super) fn finish(&mut self, leg: LegId) -> Option<Box<Ladder>> {
        self.open.remove(&leg).map(|(_, ladder)| Box::new(ladder))
    }

    /// Nothing at all.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.at_hand.is_none()
    }

    fn note(&mut self, leg: LegId, message: &[u8], sent: bool, path: &Path, now: Instant) {
        if let Some((began, ladder)) = self.open.get_mut(&leg) {
            ladder.note(message, sent, path, now.saturating_duration_since(*began));
        }
    }
}
