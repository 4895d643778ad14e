//! A dialog that takes the place of another one (RFC 3891): the call goes on, its far end is somebody else's telephone.
//!
//! ```text
//!   INVITE + Replaces ─▶ no such dialog: 481 · early-only, answered: 486 · over: 603 · busy with an offer: 500
//!           │ else
//!           ▼
//!   the call is offered the new session, as by a re-INVITE ─ AnswerOffer ─▶ 200, and BYE (or CANCEL) to the old one
//!                                                          └ RefuseOffer ─▶ 4xx, and nothing has changed
//! ```
//!
//! A call knows its leg by one [`LegId`] for life. Behind it the branch changes: commands go to the one that speaks for
//! the leg now, its events come back under the old id, and what becomes of the one that gave way is nobody's news.

use std::collections::{BTreeMap, BTreeSet};

use super::{Agent, Output};
use crate::id::LegId;
use crate::sip::branch::Standing;
use crate::sip::message::{Headers, Request};
use crate::sip::uri::split_unquoted;
use crate::sip::{LegCommand, LegEvent, Rejection};
use crate::time::Now;

/// A Replaces header (RFC 3891 §6.1), as the far end writes it: *our* tag is its to-tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replaces {
    call_id: String,
    our_tag: String,
    their_tag: String,
    early_only: bool,
}

impl Replaces {
    /// What an INVITE says of another dialog. `Ok(None)`: nothing.
    ///
    /// # Errors
    ///
    /// 400 where it is no header, or there are two (§3).
    pub(super) fn of(headers: &Headers) -> Result<Option<Self>, u16> {
        let mut all = headers.all("Replaces");
        let Some(text) = all.next() else { return Ok(None) };
        match all.next() {
            None => Self::parse(text).map(Some).ok_or(400),
            Some(_) => Err(400),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = split_unquoted(text, ';').map(str::trim);
        let call_id = parts.next().filter(|id| !id.is_empty() && !id.contains(char::is_whitespace))?.to_owned();
        let (mut to, mut from, mut early_only) = (None, None, false);
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim().to_owned();
            match name.trim().to_ascii_lowercase().as_str() {
                "to-tag" if to.is_none() && !value.is_empty() => to = Some(value),
                "from-tag" if from.is_none() && !value.is_empty() => from = Some(value),
                "to-tag" | "from-tag" => return None,
                "early-only" => early_only = true,
                _ => {}
            }
        }
        Some(Self { call_id, our_tag: to?, their_tag: from?, early_only })
    }
}

/// Which branch speaks for which leg.
#[derive(Debug, Default)]
pub(super) struct Takeovers {
    /// Branches whose INVITE the call has not answered yet, by the one they want to replace.
    wanted: BTreeMap<LegId, LegId>,
    /// The leg, as its call knows it, that a branch speaks for, where that is not its own.
    leg_of: BTreeMap<LegId, LegId>,
    /// The other way round.
    voice_of: BTreeMap<LegId, LegId>,
    /// Gave way, or were never taken: their end is nobody's news.
    aside: BTreeSet<LegId>,
}

impl Takeovers {
    /// The leg that `branch` speaks for; `None` when nobody wants to hear of it.
    pub(super) fn leg_of(&self, branch: LegId) -> Option<LegId> {
        let silent = self.aside.contains(&branch);
        (!silent).then(|| self.leg_of.get(&branch).copied().unwrap_or(branch))
    }

    /// The branch that speaks for `leg` now.
    pub(super) fn voice_of(&self, leg: LegId) -> LegId {
        self.voice_of.get(&leg).copied().unwrap_or(leg)
    }

    /// A branch is gone.
    pub(super) fn forget(&mut self, branch: LegId) {
        self.aside.remove(&branch);
        self.wanted.retain(|_, new| *new != branch);
        if let Some(leg) = self.leg_of.remove(&branch)
            && self.voice_of.get(&leg) == Some(&branch)
        {
            self.voice_of.remove(&leg);
        }
    }

    /// Nothing is kept.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.leg_of.is_empty() && self.voice_of.is_empty() && self.aside.is_empty()
    }
}

impl Agent {
    /// May the dialog that `replaces` names be taken over? Its branch.
    ///
    /// # Errors
    ///
    /// The status that the INVITE is refused with (§3).
    pub(super) fn to_be_replaced(&self, replaces: &Replaces) -> Result<LegId, u16> {
        let Replaces { call_id, our_tag, their_tag, early_only } = replaces;
        let id = self.dialogs.get(our_tag.as_str()).ok_or(481_u16)?;
        let leg = self.legs.get(id).filter(|leg| leg.owns(call_id, their_tag)).ok_or(481_u16)?;
        match leg.standing() {
            _ if self.takeovers.wanted.contains_key(id) => Err(500),
            Standing::Over => Err(603),
            Standing::Stands if *early_only => Err(486),
            // Theirs still rings with us: that is answered where it is (§3).
            Standing::TheirEarly => Err(481),
            Standing::Busy => Err(500),
            Standing::Stands | Standing::OurEarly => Ok(*id),
        }
    }

    /// `new` is open and wants to take the place of `old`: the call decides, by answering the offer.
    pub(super) fn offer_takeover(&mut self, old: LegId, new: LegId, request: &Request) {
        let Some(leg) = self.takeovers.leg_of(old) else { return };
        self.takeovers.wanted.insert(old, new);
        // Until it speaks for the leg nothing of it is news, its end neither.
        self.takeovers.aside.insert(new);
        for event in [LegEvent::TakingOver, LegEvent::Offered { sdp: request.sdp() }] {
            self.outputs.push_back(Output::Event { leg, event });
        }
    }

    /// A command for a leg, to whichever branch speaks for it.
    pub(super) fn command_leg(&mut self, leg: LegId, command: LegCommand, now: Now) {
        let voice = self.takeovers.voice_of(leg);
        let wanted = self.takeovers.wanted.get(&voice).copied();
        match (wanted, command) {
            (Some(new), LegCommand::AnswerOffer { sdp }) => {
                self.with_leg(new, now, |leg| leg.handle_command(LegCommand::Answer { sdp }, now));
                self.take_over(voice, new, now);
            }
            (Some(new), LegCommand::RefuseOffer { status, warning }) => {
                let rejection = Rejection { warning, ..Rejection::status(status) };
                self.with_leg(new, now, |leg| leg.handle_command(LegCommand::Reject(rejection), now));
            }
            (_, command) => self.with_leg(voice, now, |leg| leg.handle_command(command, now)),
        }
    }

    fn take_over(&mut self, old: LegId, new: LegId, now: Now) {
        let Some(leg) = self.takeovers.leg_of(old) else { return };
        let takeovers = &mut self.takeovers;
        takeovers.wanted.remove(&old);
        takeovers.aside.remove(&new);
        takeovers.leg_of.remove(&old);
        takeovers.leg_of.insert(new, leg);
        takeovers.voice_of.insert(leg, new);
        takeovers.aside.insert(old);
        self.outputs.push_back(Output::Event { leg, event: LegEvent::Replaced });
        self.with_leg(old, now, |leg| leg.give_way(now));
    }

    /// The branch that somebody wanted to replace is over: there is nothing left to take over.
    pub(super) fn nothing_to_take_over(&mut self, old: LegId, now: Now) {
        if let Some(new) = self.takeovers.wanted.remove(&old) {
            self.with_leg(new, now, |leg| leg.handle_command(LegCommand::Reject(Rejection::status(603)), now));
        }
    }

    /// Opens the door for an INVITE that names another dialog, or says why not.
    pub(super) fn judge_takeover(&self, request: &Request) -> Result<Option<LegId>, u16> {
        let replaces = Replaces::of(&request.headers)?;
        replaces.map(|replaces| self.to_be_replaced(&replaces)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Raw;

    #[test]
    fn the_header_is_read_in_every_order_and_spelling() {
        let read = |lines: &str| Replaces::of(&Raw::read(format!("INVITE x\n{lines}\n\n").as_bytes()).headers);
        let expected = |early_only| {
            Ok(Some(Replaces { call_id: "c1@h".into(), our_tag: "a".into(), their_tag: "b".into(), early_only }))
        };
        for lines in [
            "Replaces: c1@h;to-tag=a;from-tag=b",
            "replaces : c1@h ; From-Tag = b ; x=y ; TO-TAG=a",
            "Replaces: c1@h;from-tag=b;to-tag=a;reason",
        ] {
            assert_eq!(read(lines), expected(false), "{lines}");
        }
        assert_eq!(read("Replaces: c1@h;to-tag=a;from-tag=b;early-only"), expected(true));
        assert_eq!(read("Supported: replaces"), Ok(None));
        for broken in [
            "Replaces: c1@h",
            "Replaces: ;to-tag=a;from-tag=b",
            "Replaces: c1@h;to-tag=;from-tag=b",
            "Replaces: c1@h;to-tag=a;from-tag=b;to-tag=c",
            "Replaces: c1 h;to-tag=a;from-tag=b",
            "Replaces: c1@h;to-tag=a;from-tag=b\nReplaces: c2@h;to-tag=a;from-tag=b",
        ] {
            assert_eq!(read(broken), Err(400), "{broken}");
        }
    }
}
