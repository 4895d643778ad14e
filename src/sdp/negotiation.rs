//! The descriptions of one call in their order: who offered last, what holds now, and what we said.

use std::fmt;

use super::negotiate::{self, Layout, Local, Offered};
use super::session::{Direction, SdpError};
use crate::rtp::{Codec, StreamParams};

/// Offers and answers of one call (RFC 3264 §8), from either side.
///
/// ```
/// use trunkline::sdp::{Direction, Local, Negotiation};
///
/// let of = |address: [u8; 4], port| Local { address: address.into(), port, ..Local::default() };
/// let (mut caller, mut called) = (Negotiation::new(of([192, 0, 2, 1], 4000)), Negotiation::new(of([192, 0, 2, 2], 5000)));
/// let offer = caller.offer(Direction::SendRecv);
/// let (answer, theirs) = called.answer(&offer).unwrap();
/// let ours = caller.accept(&answer).unwrap();
/// assert_eq!((ours.codec, ours.remote), (theirs.codec, "192.0.2.2:5000".parse().ok()));
/// ```
pub struct Negotiation {
    /// Without its codecs, which are ours.
    local: Local<'static>,
    codecs: Vec<Codec>,
    /// What we said last.
    said: String,
    /// Our last offer; later answers to it may come: with the 200 after a 183, or from another branch of a fork. Or our
    /// last answer, which is an offer when a session is refreshed by it.
    offered: Option<Offered>,
    /// What we said before an offer that nobody has answered yet.
    before: Option<String>,
    layout: Layout,
    agreed: Option<StreamParams>,
    /// A suite was left for another, or somebody else is there: keys used until then must not come again.
    stale_keys: bool,
}

impl Negotiation {
    /// Nothing said yet.
    pub fn new(local: Local<'_>) -> Self {
        let codecs = local.codecs.to_vec();
        let local = Local { codecs: &[], ..local };
        Self {
            local,
            codecs,
            said: String::new(),
            offered: None,
            before: None,
            layout: Layout::default(),
            agreed: None,
            stale_keys: false,
        }
    }

    /// Our offer, with who may send seen from us; the answer goes to [`Self::accept`], a refusal to [`Self::refused`].
    pub fn offer(&mut self, direction: Direction) -> String {
        self.renew_stale_keys();
        let write = |local: &Local<'_>| negotiate::offer_with(local, direction, &self.layout, self.agreed.as_ref());
        let mut offered = write(&self.local());
        if self.differs(&offered.text) {
            let next = self.local.session_version.wrapping_add(1);
            offered = write(&Local { session_version: next, ..self.local() });
            self.local.session_version = next;
        }
        let before = std::mem::replace(&mut self.said, offered.text.clone());
        // Of two offers in a row the second replaces the first, which may be refused still.
        self.before.get_or_insert(before);
        self.offered = Some(offered);
        self.said.clone()
    }

    /// Answers theirs. An error leaves everything as it was.
    pub fn answer(&mut self, offer: &str) -> Result<(String, StreamParams), SdpError> {
        self.answer_within(offer, Direction::SendRecv)
    }

    /// The same where no more than `wanted`, seen from us, may come of it: an offer of theirs does not end a hold of ours.
    pub fn answer_within(&mut self, offer: &str, wanted: Direction) -> Result<(String, StreamParams), SdpError> {
        self.renew_stale_keys();
        let write = |local: &Local<'_>| negotiate::answer_with(offer, local, wanted, self.agreed.as_ref());
        let mut answered = write(&self.local())?;
        if self.has_moved(&answered.params) {
            self.local.renew_keys();
            answered = write(&self.local())?;
        }
        if self.differs(&answered.text) {
            let next = self.local.session_version.wrapping_add(1);
            answered = write(&Local { session_version: next, ..self.local() })?;
            self.local.session_version = next;
        }
        self.said.clone_from(&answered.text);
        self.layout = answered.layout;
        (self.offered, self.before) = (answered.offered, None);
        self.settle(answered.params.clone());
        Ok((answered.text, answered.params))
    }

    /// Takes the answer to our offer. An error leaves what was agreed on before.
    pub fn accept(&mut self, answer: &str) -> Result<StreamParams, SdpError> {
        let offered = self.offered.as_ref().ok_or(SdpError::Unasked)?;
        let params = negotiate::accept_with(answer, &self.local(), offered)?;
        self.layout.clone_from(&offered.layout);
        // Of several answers to one offer none takes the place of another telephone that we had long spoken with.
        let was_open = self.before.take().is_some();
        self.stale_keys |= was_open && self.has_moved(&params);
        self.settle(params.clone());
        Ok(params)
    }

    /// They refused our offer: what held before it holds still (RFC 3261 §14.1).
    pub fn refused(&mut self) {
        if let Some(before) = self.before.take() {
            (self.said, self.offered) = (before, None);
        }
    }

    /// Somebody else takes the place of the far end: an offer of ours is void, and keys that were used towards the one
    /// are not used towards the other.
    pub fn another_far_end(&mut self) {
        self.refused();
        self.stale_keys |= self.agreed.as_ref().is_some_and(|params| params.security.is_some());
    }

    /// What holds now.
    pub const fn agreed(&self) -> Option<&StreamParams> {
        self.agreed.as_ref()
    }

    /// What can be expected between our first offer and its answer: anything we offered, from anywhere.
    pub fn unsettled(&self) -> StreamParams {
        negotiate::unsettled(&self.local())
    }

    /// Our description once more, word for word: for whoever asks without anything having changed.
    pub fn again(&self) -> &str {
        &self.said
    }

    fn local(&self) -> Local<'_> {
        Local { codecs: &self.codecs, ..self.local }
    }

    /// RFC 3264 §8: the version of a description is one more than that of the last one, unless they are the same.
    fn differs(&self, text: &str) -> bool {
        !self.said.is_empty() && text != self.said
    }

    /// RFC 4568 §7.1.4: is somebody else there, with whom nothing was counted? Whoever sits between us and a telephone may
    /// bring in another one, with an address and a key of its own, which assumes that our packets begin to be counted
    /// with those that it hears. Under a key used before they do not.
    fn has_moved(&self, params: &StreamParams) -> bool {
        let before = self.agreed.as_ref().and_then(|agreed| Some((agreed.remote?, agreed.security.as_ref()?.theirs)));
        let now = params.remote.zip(params.security.as_ref().map(|keys| keys.theirs));
        before.zip(now).is_some_and(|(before, now)| before.0 != now.0 && before.1 != now.1)
    }

    fn settle(&mut self, params: StreamParams) {
        let suite = |params: &StreamParams| params.security.as_ref().map(|keys| keys.suite);
        let before = self.agreed.as_ref().and_then(suite);
        self.stale_keys |= before.is_some() && before != suite(&params);
        self.agreed = Some(params);
    }

    /// The packets of a key are numbered from the beginning when it comes a second time, which gives the sound away.
    fn renew_stale_keys(&mut self) {
        if std::mem::take(&mut self.stale_keys) {
            self.local.renew_keys();
        }
    }
}

impl fmt::Debug for Negotiation {
    /// Without our descriptions: keys stand in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Negotiation").field("local", &self.local).field("agreed", &self.agreed).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "negotiation_tests.rs"]
mod tests;
