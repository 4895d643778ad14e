//! Answering challenges: one [`Client`] per trunk or leg remembers what it was asked; what one request has gone through
//! travels with it, as [`Tries`], because several may be under way.
//!
//! ```text
//!   request ──preempt──▶ with what is known, or bare
//!   401, 407 ──answer──▶ the same request again, credentials for every realm that asked
//!        │ stale=true, or another nonce after an old one was tried: once more
//!        └ the same nonce again, or a new one after a fresh answer: the password is wrong
//! ```
//!
//! A proxy and the far end may each ask: 407 first and 401 on the second try, or both in one response of a forking
//! proxy (RFC 3261 §16.7 step 7). Answers accumulate, so the third request carries both.

use super::{Algorithm, Credentials, Digested, Params, Protection};
use crate::sip::message::Response;

/// Realms remembered at once: the far end, its proxy, and room for two more on the way.
const MOST_SPACES: usize = 4;
/// How often `stale=true` is believed within one request. A server that calls every nonce stale would go on for ever.
const MOST_STALE: u8 = 2;
/// How often one request is answered for at all: a proxy or two and the far end, each with a stale nonce. Somebody who
/// asks in a new realm each time would go on for ever.
const MOST_ROUNDS: u8 = 6;

/// Why a challenge stays unanswered; the request then ends with the response that carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Nothing to answer with.
    #[error("the far end asks for a username and a password: set them for this trunk")]
    NoCredentials,
    /// No `Digest` in it, or only algorithms and protections we do not know.
    #[error("the far end asks for an authentication we do not know: it needs to offer Digest with MD5 or SHA-256")]
    NotUnderstood,
    /// What we answered was not accepted.
    #[error("the far end refuses this username and password: correct them for this trunk")]
    Refused,
    /// One question after the other.
    #[error("the far end asks for a password again and again, and never says whether it is right")]
    Endless,
    /// Somebody else than the trunk asks.
    #[error(
        "a password is asked for in a realm that is not known as this trunk's: if it is one, add it to `realms` of the \
         [[trunk]]"
    )]
    NotTheirs,
}

/// Digest credentials in use.
#[derive(Clone, Debug)]
pub struct Client {
    credentials: Option<Credentials>,
    seed: u64,
    drawn: u64,
    spaces: Vec<Space>,
}

/// Who asks: decides which header answers (RFC 3261 §22.2, §22.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Whoever the request is for: 401, `WWW-Authenticate`.
    FarEnd,
    /// Somebody on the way there: 407, `Proxy-Authenticate`.
    Proxy,
}

impl Asker {
    const fn question(self) -> &'static str {
        match self {
            Self::FarEnd => "WWW-Authenticate",
            Self::Proxy => "Proxy-Authenticate",
        }
    }

    const fn answer(self) -> &'static str {
        match self {
            Self::FarEnd => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quality {
    Old,
    Auth,
    AuthInt,
}

/// A challenge we understand. Strings are raw.
#[derive(Clone, Debug)]
struct Challenge {
    asker: Asker,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    session: bool,
    /// As they wrote it; `None` when they wrote none, and then we write none (RFC 2069 servers).
    algorithm_text: Option<String>,
    quality: Quality,
    stale: bool,
}

/// One protection space: a challenge and what came of it.
#[derive(Clone, Debug)]
struct Space {
    challenge: Challenge,
    /// Kept for the life of a nonce: then the two readings of `-sess` (RFC 2617, RFC 7616) agree.
    cnonce: String,
    ha1: String,
    nc: u32,
}

/// What one request of ours has been asked so far, and what it carried.
#[derive(Clone, Debug, Default)]
pub struct Tries {
    rounds: u8,
    carried: Vec<Carried>,
}

/// What a request said to one realm.
#[derive(Clone, Debug)]
struct Carried {
    asker: Asker,
    realm: String,
    nonce: String,
    /// A challenge to this very request was answered, not one to an earlier.
    answered: bool,
    stale: u8,
}

impl Tries {
    fn of(&self, asker: Asker, realm: &str) -> Option<&Carried> {
        self.carried.iter().find(|carried| carried.asker == asker && carried.realm == realm)
    }

    /// The request goes out with the proof for `challenge`.
    fn carry(&mut self, challenge: &Challenge, answered: bool, stale: u8) {
        let Challenge { asker, realm, nonce, .. } = challenge;
        self.carried.retain(|carried| carried.asker != *asker || carried.realm != *realm);
        self.carried.push(Carried { asker: *asker, realm: realm.clone(), nonce: nonce.clone(), answered, stale });
    }
}

impl Client {
    /// `seed` must come from a good source: the client's nonces are drawn from it.
    pub fn new(credentials: Option<Credentials>, seed: u64) -> Self {
        Self { credentials, seed, drawn: 0, spaces: Vec::new() }
    }

    /// A 401 or 407 came for a request: the headers that its next try carries, for those realms that are `theirs`.
    /// `uri` is its Request-URI, `body` its body.
    ///
    /// # Errors
    ///
    /// When trying again would bring the same response.
    pub fn answer(
        &mut self,
        tries: &mut Tries,
        challenge: &Response,
        theirs: impl Fn(Asker, &str) -> bool,
        method: &str,
        uri: &str,
        body: &[u8],
    ) -> Result<Vec<(&'static str, String)>, NoAnswer> {
        let mut asked = strongest_of_each_realm(challenge);
        if self.credentials.is_none() {
            return Err(NoAnswer::NoCredentials);
        }
        if asked.is_empty() {
            return Err(NoAnswer::NotUnderstood);
        }
        asked.retain(|challenge| theirs(challenge.asker, &challenge.realm));
        if asked.is_empty() {
            return Err(NoAnswer::NotTheirs);
        }
        tries.rounds += 1;
        if tries.rounds > MOST_ROUNDS {
            return Err(NoAnswer::Endless);
        }
        for challenge in asked {
            if let Err(why) = self.take(challenge, tries) {
                // Nothing of this may be tried by itself on the next request.
                self.spaces.clear();
                return Err(why);
            }
        }
        Ok(self.headers(method, uri, body))
    }

    /// A new request begins: the headers it may carry at once, from challenges answered before (RFC 3261 §22.2).
    /// Empty until there was one.
    pub fn preempt(&mut self, tries: &mut Tries, method: &str, uri: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        for space in &self.spaces {
            tries.carry(&space.challenge, false, 0);
        }
        self.headers(method, uri, body)
    }

    /// Puts a challenge into its space.
    fn take(&mut self, challenge: Challenge, tries: &mut Tries) -> Result<(), NoAnswer> {
        let Some(credentials) = &self.credentials else { return Err(NoAnswer::NoCredentials) };
        let same = |space: &Space| {
            (space.challenge.asker, space.challenge.realm.as_str()) == (challenge.asker, challenge.realm.as_str())
        };
        let at = self.spaces.iter().position(same);
        let before = tries.of(challenge.asker, &challenge.realm);
        let stale = before.map_or(0, |space| space.stale) + u8::from(challenge.stale);
        if let Some(before) = before {
            // RFC 7616 §3.3: without `stale` the same nonce, or a fresh one for an answer just given, means that the
            // name or the password is wrong. A new nonce for an old one is only a server that forgets to say stale.
            let again = before.nonce == challenge.nonce;
            if (again || before.answered) && !challenge.stale || stale > MOST_STALE {
                return Err(NoAnswer::Refused);
            }
        }
        tries.carry(&challenge, true, stale);
        // Another request under way has been asked the same: its count goes on.
        let same_words = |space: &Space| {
            let known = &space.challenge;
            (&known.nonce, known.algorithm, known.session) == (&challenge.nonce, challenge.algorithm, challenge.session)
        };
        if let Some(space) = at.map(|at| &mut self.spaces[at]).filter(|space| same_words(space)) {
            space.challenge = challenge;
            return Ok(());
        }
        self.drawn += 1;
        let mix = format!("{:016x}{:016x}{}", self.seed, self.drawn, challenge.nonce);
        let cnonce = Algorithm::Sha256.hash(mix.as_bytes())[..32].to_owned();
        let Challenge { algorithm, session, .. } = challenge;
        let mut ha1 = algorithm.ha1(&credentials.username, &challenge.realm, &credentials.password);
        if session {
            ha1 = algorithm.session_ha1(&ha1, &challenge.nonce, &cnonce);
        }
        let space = Space { challenge, cnonce, ha1, nc: 0 };
        match at {
            Some(at) => self.spaces[at] = space,
            None => {
                if self.spaces.len() == MOST_SPACES {
                    self.spaces.remove(0);
                }
                self.spaces.push(space);
            }
        }
        Ok(())
    }

    fn headers(&mut self, method: &str, uri: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        let Some(credentials) = &self.credentials else { return Vec::new() };
        let username = &credentials.username;
        self.spaces
            .iter_mut()
            .map(|space| (space.challenge.asker.answer(), space.header(username, method, uri, body)))
            .collect()
    }
}

impl Space {
    /// The next use of this space's nonce. Quotes stand exactly where RFC 7616 §3.4 and RFC 3261 §25.1 want them.
    fn header(&mut self, username: &str, method: &str, uri: &str, body: &[u8]) -> String {
        self.nc += 1;
        let Self { challenge, cnonce, ha1, nc, .. } = &*self;
        let (nc, cnonce) = (*nc, cnonce.as_str());
        let (protection, name) = match challenge.quality {
            Quality::Old => (Protection::Old, None),
            Quality::Auth => (Protection::Auth { nc, cnonce }, Some("auth")),
            Quality::AuthInt => (Protection::AuthInt { nc, cnonce }, Some("auth-int")),
        };
        let response =
            challenge.algorithm.response(ha1, &Digested { nonce: &challenge.nonce, protection, method, uri, body });
        let username = username.replace('\\', "\\\\").replace('"', "\\\"");
        let mut text = format!(
            "Digest username=\"{username}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{response}\"",
            challenge.realm, challenge.nonce
        );
        if let Some(algorithm) = &challenge.algorithm_text {
            text += &format!(", algorithm={algorithm}");
        }
        if name.is_some() || challenge.session {
            text += &format!(", cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = &challenge.opaque {
            text += &format!(", opaque=\"{opaque}\"");
        }
        if let Some(name) = name {
            text += &format!(", qop={name}, nc={nc:08x}");
        }
        text
    }
}

/// Who asks in a response, and in the name of what: as far as we could answer.
pub fn asks_of(challenge: &Response) -> Vec<(Asker, String)> {
    strongest_of_each_realm(challenge).into_iter().map(|challenge| (challenge.asker, challenge.realm)).collect()
}

/// What a response asks for, one challenge per asker and realm: the strongest we know (RFC 8760 §2.3 lets us choose
/// the topmost; an order can be turned round on the way, a weak hash cannot be strengthened).
fn strongest_of_each_realm(response: &Response) -> Vec<Challenge> {
    let mut chosen: Vec<Challenge> = Vec::new();
    for asker in [Asker::FarEnd, Asker::Proxy] {
        for params in response.headers.all(asker.question()).flat_map(Params::read_all) {
            let Some(challenge) = Challenge::of(asker, &params) else { continue };
            let same = |known: &Challenge| known.asker == asker && known.realm == challenge.realm;
            match chosen.iter().position(same) {
                Some(at) if chosen[at].algorithm < challenge.algorithm => chosen[at] = challenge,
                None if chosen.len() < MOST_SPACES => chosen.push(challenge),
                Some(_) | None => {}
            }
        }
    }
    chosen
}

impl Challenge {
    /// `None` when we cannot answer it.
    fn of(asker: Asker, params: &Params) -> Option<Self> {
        let algorithm_text = params.get("algorithm").map(str::to_owned);
        let (algorithm, session) = Algorithm::parse(algorithm_text.as_deref().unwrap_or("MD5"))?;
        let quality = match params.get("qop") {
            None => Quality::Old,
            Some(offered) => {
                let offers = |name: &str| offered.split(',').any(|one| one.trim().eq_ignore_ascii_case(name));
                match (offers("auth"), offers("auth-int")) {
                    (true, _) => Quality::Auth,
                    (false, true) => Quality::AuthInt,
                    (false, false) if offered.trim().is_empty() => Quality::Old,
                    (false, false) => return None,
                }
            }
        };
        Some(Self {
            asker,
            realm: params.get("realm")?.to_owned(),
            nonce: params.get("nonce").filter(|nonce| !nonce.is_empty())?.to_owned(),
            opaque: params.get("opaque").map(str::to_owned),
            algorithm,
            session,
            algorithm_text,
            quality,
            stale: params.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}

#[cfg(test)]
mod tests;
