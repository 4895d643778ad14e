//! What was said on each leg, kept while it lives.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tracing::Span;

use super::{Agent, Output};
use crate::id::LegId;
use crate::sip::guard::MAX_MESSAGE;
use crate::sip::ladder::Ladder;
use crate::sip::message::Raw;
use crate::sip::transport::Path;
use crate::sip::uri::NameAddr;
use crate::sip::wire_log;
use crate::time::Now;

/// Spans of legs that are gone, kept for copies of their last messages.
const MOST_GONE: usize = 512;

/// The ladders of live legs.
#[derive(Debug, Default)]
pub(super) struct Ladders {
    open: BTreeMap<LegId, (Ladder, Instant)>,
    /// Branches that speak for a leg opened by another one.
    joined: BTreeMap<LegId, LegId>,
    /// The message being handled, until it is known whose it is.
    arriving: Option<(Vec<u8>, Path)>,
    /// What the log says of a leg is said inside its span, as long as there is anything to say.
    spans: BTreeMap<LegId, Span>,
    /// Legs that are gone: a copy of their last message may still come.
    gone: VecDeque<LegId>,
    /// Legs whose own branch is gone while another one speaks for them.
    silenced: BTreeSet<LegId>,
}

impl Ladders {
    /// A message is being handled.
    pub(super) fn arrives(&mut self, message: &[u8], path: &Path) {
        self.arriving = Some((message.to_vec(), *path));
    }

    /// Was it nobody's?
    pub(super) fn forget_arriving(&mut self) {
        if let Some((message, path)) = self.arriving.take() {
            wire_log::received(&message, &path);
        }
    }

    /// A leg begins.
    pub(super) fn open(&mut self, leg: LegId, span: Span, now: Now) {
        self.open.insert(leg, (Ladder::default(), now.mono));
        self.spans.insert(leg, span);
    }

    /// The span of a leg; the empty one of a leg that is long gone.
    pub(super) fn span(&self, leg: LegId) -> Span {
        self.spans.get(&leg).cloned().unwrap_or_else(Span::none)
    }

    /// A branch is gone, with all that was still to be done.
    pub(super) fn forget(&mut self, leg: LegId) {
        if self.open.contains_key(&leg) {
            self.silenced.insert(leg);
        } else if self.spans.contains_key(&leg) {
            self.retire(leg);
        }
    }

    fn retire(&mut self, leg: LegId) {
        self.gone.push_back(leg);
        if self.gone.len() > MOST_GONE
            && let Some(oldest) = self.gone.pop_front()
        {
            self.spans.remove(&oldest);
        }
    }

    /// What `branch` says belongs to `leg`.
    pub(super) fn join(&mut self, branch: LegId, leg: LegId) {
        self.joined.insert(branch, leg);
        // For its last messages, when the leg is closed.
        self.spans.insert(branch, self.span(leg));
    }

    /// A leg is over: all that was said on it.
    pub(super) fn close(&mut self, leg: LegId) -> Option<Ladder> {
        self.joined.retain(|_, known| *known != leg);
        let closed = self.open.remove(&leg).map(|(ladder, _)| ladder);
        if self.silenced.remove(&leg) {
            self.retire(leg);
        }
        closed
    }

    /// The message being handled is this leg's.
    pub(super) fn hear(&mut self, leg: LegId, now: Now) {
        let leg = self.joined.get(&leg).copied().unwrap_or(leg);
        let Some((message, path)) = self.arriving.take() else { return };
        self.span(leg).in_scope(|| wire_log::received(&message, &path));
        if let Some((ladder, since)) = self.open.get_mut(&leg) {
            ladder.note(&message, false, &path, now.mono.saturating_duration_since(*since));
        }
    }

    /// Nothing is kept.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let nothing_open = self.open.is_empty() && self.joined.is_empty() && self.arriving.is_none();
        nothing_open && self.silenced.is_empty() && self.spans.keys().all(|leg| self.gone.contains(leg))
    }

    fn say(&mut self, leg: LegId, message: &[u8], path: &Path, now: Now) {
        let leg = self.joined.get(&leg).copied().unwrap_or(leg);
        self.span(leg).in_scope(|| wire_log::sent(message, path));
        if let Some((ladder, since)) = self.open.get_mut(&leg) {
            ladder.note(message, true, path, now.mono.saturating_duration_since(*since));
        }
    }
}

impl Agent {
    /// Sends something that belongs to a leg, the way it came.
    pub(super) fn say(&mut self, leg: LegId, bytes: Bytes, path: Path, now: Now) {
        self.say_to(leg, bytes, path, None, now);
    }

    /// Sends something that belongs to a leg, to whom it names (see [`Output::Send`]).
    pub(super) fn say_to(&mut self, leg: LegId, bytes: Bytes, path: Path, towards: Option<Arc<str>>, now: Now) {
        self.ladders.say(leg, &bytes, &path, now);
        self.outputs.push_back(Output::Send { bytes, path, towards });
    }

    /// Sends something that is no leg's.
    pub(super) fn send(&mut self, bytes: Bytes, path: Path, towards: Option<Arc<str>>) {
        wire_log::sent(&bytes, &path);
        self.outputs.push_back(Output::Send { bytes, path, towards });
    }

    /// The span of the call that a message says it belongs to, for one that got no further than the guard. Nothing is
    /// looked for unless somebody reads it.
    pub(super) fn span_of_message(&self, message: &[u8]) -> Span {
        if !tracing::enabled!(tracing::Level::DEBUG) || self.dialogs.is_empty() {
            return Span::none();
        }
        let raw = Raw::read(&message[..message.len().min(MAX_MESSAGE)]);
        let party = |name| raw.headers.first(name).and_then(|value| NameAddr::parse(value).ok());
        let leg = party("To").and_then(|to| self.dialogs.get(to.tag()?));
        let leg = leg.filter(|leg| {
            let tag = party("From").and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
            let call_id = raw.headers.first("Call-ID").unwrap_or_default();
            self.legs.get(leg).is_some_and(|branch| branch.owns(call_id, &tag))
        });
        leg.map_or_else(Span::none, |leg| self.span_of(*leg))
    }

    /// The span in which the log speaks of a leg.
    pub fn span_of(&self, leg: LegId) -> Span {
        self.ladders.span(leg)
    }
}
