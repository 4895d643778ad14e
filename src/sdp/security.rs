//! Encrypted or plain: what we offer, and what we take of an offer and of an answer (keys by SDES, RFC 4568).
//!
//! | policy | our first offer | plain is taken |
//! | --- | --- | --- |
//! | off | `RTP/AVP` | always; nothing else is |
//! | optional | `RTP/AVP` with keys, as RFC 8643 has it | until the call is encrypted |
//! | required | `RTP/SAVP` with keys | never |
//!
//! Keys on a plain line are the way that fails nobody. Who knows them takes them (Asterisk's "optimistic", FreeSWITCH's
//! "optional", rtpengine, baresip, Linphone, most desk phones); who does not passes over the attribute and answers
//! plain, in the same round trip. `RTP/SAVP` first would be refused by such carriers, with 488 by some, with 415, 500
//! or silence by others, and each refusal costs the caller a second attempt; both lines in one offer are rung twice or
//! answered with the wrong one by old phones.
//!
//! **A call that is encrypted stays so**, whatever the policy: a later offer or answer that is plain is refused, so
//! that nobody on the way can talk the two ends out of their keys in mid-call.

use super::crypto::{self, Crypto};
use super::session::{Listed, Media, Profile, SdpError};
use crate::rtp::StreamParams;
use crate::rtp::srtp::{Keys, Suite};

/// How we offer to encrypt, best first. Every line makes an INVITE longer, and the fourth suite helps nobody.
const SUITES: [Suite; 3] = [Suite::AesCm256Sha1_80, Suite::AesCm128Sha1_80, Suite::AesCm128Sha1_32];

/// Whether sound is encrypted (SRTP, with keys in the session description: RFC 4568).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SrtpPolicy {
    /// Never.
    #[default]
    Off,
    /// Where the far end can: offered on a line that who cannot takes for plain (RFC 8643). Once a call is encrypted it
    /// stays so.
    Optional,
    /// Always: what is offered or answered plain is refused.
    Required,
}

/// What one exchange of descriptions must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// Plain.
    Plain,
    /// Encrypted if they can.
    Welcome,
    /// Encrypted: we are told so.
    Required,
    /// Encrypted: the call is already.
    Kept,
}

/// What a description within a call on which `agreed` holds, or in a new one, must come to.
pub(super) fn demand(policy: SrtpPolicy, agreed: Option<&StreamParams>) -> Demand {
    match policy {
        _ if agreed.is_some_and(|agreed| agreed.security.is_some()) => Demand::Kept,
        SrtpPolicy::Off => Demand::Plain,
        SrtpPolicy::Optional => Demand::Welcome,
        SrtpPolicy::Required => Demand::Required,
    }
}

impl Demand {
    /// Do we write keys into an offer of ours? A call that was agreed on plain is not asked again with every hold.
    pub(super) const fn offers(self, agreed: Option<&StreamParams>) -> bool {
        match self {
            Self::Plain => false,
            Self::Welcome => agreed.is_none(),
            Self::Required | Self::Kept => true,
        }
    }

    /// The `proto` of a first offer.
    pub(super) const fn usual_transport(self) -> &'static str {
        match self {
            Self::Plain | Self::Welcome => "RTP/AVP",
            Self::Required | Self::Kept => "RTP/SAVP",
        }
    }

    /// May what is plain be taken?
    const fn plain(self) -> Result<(), SdpError> {
        match self {
            Self::Plain | Self::Welcome => Ok(()),
            Self::Required => Err(SdpError::Unencrypted),
            Self::Kept => Err(SdpError::Downgrade),
        }
    }

    const fn transports(self) -> &'static str {
        match self {
            Self::Plain => "RTP/AVP",
            Self::Welcome => "RTP/AVP and RTP/SAVP",
            Self::Required | Self::Kept => "RTP/SAVP",
        }
    }
}

/// Our keys, the suite in use first and so that its key stays.
pub(super) fn offered(agreed: Option<&StreamParams>, secret: &[u8]) -> Vec<Crypto> {
    let current = agreed.and_then(|agreed| agreed.security.as_ref()).map(|keys| keys.suite);
    let suites = current.into_iter().chain(SUITES.into_iter().filter(|&suite| current != Some(suite)));
    (1..).zip(suites).map(|(tag, suite)| Crypto { tag, suite, key: crypto::key_for(suite, secret) }).collect()
}

/// May this line of an offer be taken, and with which key of theirs?
pub(super) fn of_offer(media: &Media, demand: Demand) -> Result<Option<Crypto>, SdpError> {
    let crypto = media.cryptos.first().copied();
    match (media.profile(), demand) {
        (Profile::Plain, Demand::Plain) => Ok(None),
        // Of keys that we cannot use on a plain line, nothing is left but the plain line (RFC 8643).
        (Profile::Plain, demand) if crypto.is_none() => demand.plain().map(|()| None),
        (Profile::Plain, _) => Ok(crypto),
        (Profile::Secure, Demand::Plain) | (Profile::Foreign, _) => Err(foreign(media, demand)),
        (Profile::Secure, _) => crypto.map(Some).ok_or_else(|| no_common_suite(media)),
    }
}

/// What their line answers to the keys we offered, if any.
pub(super) fn of_answer(media: &Media, offered: &[Crypto], demand: Demand) -> Result<Option<Keys>, SdpError> {
    match (offered.is_empty(), media.profile()) {
        (true, Profile::Plain) => Ok(None),
        (true, _) | (_, Profile::Foreign) => Err(foreign(media, demand)),
        (false, Profile::Plain) if media.suites.is_empty() => demand.plain().map(|()| None),
        // RFC 4568 §5.1.3: the tag says which of our lines they took.
        (false, _) => {
            let same = |theirs: &Crypto, ours: &Crypto| (theirs.tag, theirs.suite) == (ours.tag, ours.suite);
            let keys = media.cryptos.iter().find_map(|theirs| {
                let ours = offered.iter().find(|ours| same(theirs, ours))?;
                Some(Keys { suite: ours.suite, ours: ours.key, theirs: theirs.key })
            });
            keys.map(Some).ok_or_else(|| no_common_suite(media))
        }
    }
}

fn no_common_suite(media: &Media) -> SdpError {
    SdpError::NoCommonSuite {
        theirs: Listed::new(&media.suites),
        ours: Listed::new(Suite::ALL.into_iter().map(Suite::name)),
    }
}

fn foreign(media: &Media, demand: Demand) -> SdpError {
    SdpError::Transport { transport: Listed::new([&media.transport]), ours: demand.transports() }
}

#[cfg(test)]
#[path = "security_tests.rs"]
mod tests;
