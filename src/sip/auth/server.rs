//! Digest authentication, asked of peers that have a password (RFC 8760, RFC 7616 §3, RFC 3261 §22).
//!
//! A nonce is `time ‖ number ‖ HMAC(secret, time ‖ number ‖ source address)`: nothing is kept for one that was only
//! handed out, so asking costs no memory. Of those that were used rightly the counters are kept, because each may be
//! used once: a copy of a request, sent by whoever saw it pass, opens nothing.
//!
//! ```text
//!   no answer of ours ─────────────▶ challenge
//!   wrong ─────────────────────────▶ challenge        unknown name: the same work, the same answer
//!   right, nonce old or foreign ───▶ challenge, stale=true: the same password will do
//!   right, counter seen before ────▶ challenge, stale=true
//!   right ─────────────────────────▶ pass
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{Algorithm, Credentials, Digested, Params, Protection, Secret};
use crate::sip::message::Headers;
use crate::sip::uri::Uri;
use crate::time::Now;

/// What we ask for unless told otherwise, the one we would rather have on top (RFC 8760 §2.1).
pub const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];
/// How long a nonce is good for: a redial within five minutes needs no second round trip.
const LIFE: Duration = Duration::from_secs(300);
/// Nonces whose counters are kept. Past it the oldest go stale early.
const MOST_USED: usize = 4096;
/// Counters may overtake each other by this much; a bit each.
const WINDOW: u32 = 64;
/// Bytes of a nonce's seal: nobody guesses 128 bits in five minutes.
const SEAL: usize = 16;

/// A challenge to be sent with 401.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// `WWW-Authenticate`, one per algorithm.
    pub headers: Vec<(&'static str, String)>,
    /// Name and password were right, only the nonce was not.
    pub stale: bool,
    /// They tried a password, and it was wrong (or the name was).
    pub failed: bool,
    /// The algorithm on top.
    pub first: Option<Algorithm>,
}

/// What is asked, and of whom the answer has to be.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Of the request.
    pub headers: &'a Headers,
    /// Its method.
    pub method: &'a str,
    /// Its Request-URI.
    pub uri: &'a Uri,
    /// Its body.
    pub body: &'a [u8],
    /// Where it came from.
    pub source: IpAddr,
}

/// When a nonce was made, and its number: older ones sort first.
type Stamp = (u64, u64);

/// Counters seen of one nonce.
#[derive(Clone, Copy, Debug)]
struct Used {
    highest: u32,
    /// Bit n: `highest - n` was seen.
    seen: u64,
}

/// How a nonce stands.
enum Standing {
    Fresh(Stamp),
    /// Ours once, or never: somebody else's, of another source, of before the restart.
    Stale,
}

/// Asks, checks, remembers.
pub struct Server {
    realm: String,
    secret: [u8; 32],
    algorithms: Vec<Algorithm>,
    made: u64,
    used: BTreeMap<Stamp, Used>,
    /// Nonces up to this one are stale: their counters are no longer known.
    forgotten: Option<Stamp>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("realm", &self.realm).field("used", &self.used.len()).finish_non_exhaustive()
    }
}

impl Server {
    /// `secret` comes from a good source and lives as long as the process.
    pub fn new(realm: &str, secret: [u8; 32]) -> Self {
        let realm = realm.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
        Self { realm, secret, algorithms: ALGORITHMS.to_vec(), made: 0, used: BTreeMap::new(), forgotten: None }
    }

    /// Asks for these only, best first: phones exist that stumble over a challenge they do not understand, instead of
    /// reading the next one.
    pub fn offering(self, algorithms: Vec<Algorithm>) -> Self {
        Self { algorithms, ..self }
    }

    /// The name under which a request answers a challenge of ours, unchecked.
    pub fn claimed(&self, headers: &Headers) -> Option<String> {
        self.answer_of(headers)?.get("username").map(str::to_owned)
    }

    /// Is this request from whoever knows `credentials`? Without any (a name nobody has), the work is the same and the
    /// answer is no. `algorithms` are those it may be proved by, the best first; none: as everybody may.
    pub fn check(
        &mut self,
        asked: Asked<'_>,
        credentials: Option<&Credentials>,
        algorithms: &[Algorithm],
        now: Now,
    ) -> Result<(), Challenge> {
        let algorithms = if algorithms.is_empty() { self.algorithms.clone() } else { algorithms.to_vec() };
        let Some(answer) = self.answer_of(asked.headers) else {
            return Err(self.challenge(asked.source, &algorithms, false, false, now));
        };
        let right = self.is_right(&answer, &asked, credentials, &algorithms);
        let standing = self.standing(answer.get("nonce").unwrap_or_default(), asked.source, now);
        match (right, standing) {
            (false, _) => Err(self.challenge(asked.source, &algorithms, false, true, now)),
            (true, Standing::Fresh(stamp)) if self.count(stamp, counter(&answer), now) => Ok(()),
            (true, _) => Err(self.challenge(asked.source, &algorithms, true, false, now)),
        }
    }

    /// Asks somebody we know nothing of.
    pub fn challenge_stranger(&mut self, source: IpAddr, now: Now) -> Challenge {
        let algorithms = self.algorithms.clone();
        self.challenge(source, &algorithms, false, false, now)
    }

    /// Forgets counters of nonces that have gone stale by themselves.
    fn sweep(&mut self, now: Now) {
        let oldest = seconds(now).saturating_sub(LIFE.as_secs());
        self.used = self.used.split_off(&(oldest, 0));
    }

    fn answer_of(&self, headers: &Headers) -> Option<Params> {
        let mut answers = headers.all("Authorization").flat_map(Params::read_all);
        answers.find(|answer| answer.get("realm") == Some(&self.realm))
    }

    /// Everything but the nonce's age and counter. Takes the same time for every name.
    fn is_right(
        &self,
        answer: &Params,
        asked: &Asked<'_>,
        credentials: Option<&Credentials>,
        algorithms: &[Algorithm],
    ) -> bool {
        let nobody = Credentials { username: "\0".to_owned(), password: Secret::new(self.realm.clone()) };
        let known = credentials.unwrap_or(&nobody);
        let named = known.username.as_bytes().ct_eq(answer.get("username").unwrap_or_default().as_bytes());
        let algorithm = answer.get("algorithm").map_or(Some((Algorithm::Md5, false)), Algorithm::parse);
        let (algorithm, offered) = match algorithm {
            Some((algorithm, false)) if algorithms.contains(&algorithm) => (algorithm, true),
            _ => (Algorithm::Md5, false),
        };
        let protection = protection(answer);
        let digested = Digested {
            nonce: answer.get("nonce").unwrap_or_default(),
            protection: protection.unwrap_or(Protection::Old),
            method: asked.method,
            uri: answer.get("uri").unwrap_or_default(),
            body: asked.body,
        };
        let ha1 = algorithm.ha1(&known.username, &self.realm, &known.password);
        let expected = algorithm.response(&ha1, &digested);
        let given = answer.get("response").unwrap_or_default().to_ascii_lowercase();
        let same = expected.as_bytes().ct_eq(given.as_bytes());
        let sound = offered && protection.is_some() && is_same_target(digested.uri, asked.uri);
        bool::from(named & same) && sound && credentials.is_some()
    }

    fn challenge(
        &mut self,
        source: IpAddr,
        algorithms: &[Algorithm],
        stale: bool,
        failed: bool,
        now: Now,
    ) -> Challenge {
        self.made += 1;
        let nonce = self.nonce((seconds(now), self.made), source);
        let stale_flag = if stale { ", stale=true" } else { "" };
        let line = |algorithm: Algorithm| {
            let (realm, name) = (&self.realm, algorithm.name());
            format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={name}, qop=\"auth\"{stale_flag}")
        };
        let headers = algorithms.iter().map(|algorithm| ("WWW-Authenticate", line(*algorithm))).collect();
        Challenge { headers, stale, failed, first: algorithms.first().copied() }
    }

    fn nonce(&self, (time, number): Stamp, source: IpAddr) -> String {
        let mut bytes = Vec::with_capacity(16 + SEAL);
        bytes.extend_from_slice(&time.to_be_bytes());
        bytes.extend_from_slice(&number.to_be_bytes());
        let seal = self.seal(&bytes, source);
        bytes.extend_from_slice(&seal);
        BASE64.encode(bytes)
    }

    fn seal(&self, stamp: &[u8], source: IpAddr) -> [u8; SEAL] {
        let source = match source.to_canonical() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6)),
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of every length");
        mac.update(stamp);
        mac.update(&source.octets());
        let full = mac.finalize().into_bytes();
        let mut seal = [0; SEAL];
        seal.copy_from_slice(&full[..SEAL]);
        seal
    }

    fn standing(&self, nonce: &str, source: IpAddr, now: Now) -> Standing {
        let Ok(bytes) = BASE64.decode(nonce) else { return Standing::Stale };
        let Some((stamp, seal)) = bytes.split_first_chunk::<16>() else { return Standing::Stale };
        if !bool::from(self.seal(stamp, source).as_slice().ct_eq(seal)) {
            return Standing::Stale;
        }
        let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let stamp = (number(&stamp[..8]), number(&stamp[8..]));
        let age = seconds(now).checked_sub(stamp.0);
        let known = self.forgotten.is_none_or(|forgotten| stamp > forgotten);
        match age {
            Some(age) if age <= LIFE.as_secs() && known => Standing::Fresh(stamp),
            // From the future: the clock was set back.
            _ => Standing::Stale,
        }
    }

    /// Uses up one counter of a nonce; `false` when it was used before, or is too far behind to tell.
    fn count(&mut self, stamp: Stamp, counter: u32, now: Now) -> bool {
        if let Some(used) = self.used.get_mut(&stamp) {
            return used.take(counter);
        }
        if self.used.len() >= MOST_USED {
            self.sweep(now);
        }
        if self.used.len() >= MOST_USED
            && let Some((oldest, _)) = self.used.pop_first()
        {
            self.forgotten = Some(oldest);
            if stamp < oldest {
                return false;
            }
        }
        self.used.insert(stamp, Used { highest: counter, seen: 1 });
        true
    }
}

impl Used {
    fn take(&mut self, counter: u32) -> bool {
        if counter > self.highest {
            let ahead = counter - self.highest;
            self.seen = if ahead < WINDOW { self.seen << ahead | 1 } else { 1 };
            self.highest = counter;
            return true;
        }
        let behind = self.highest - counter;
        if behind >= WINDOW || self.seen >> behind & 1 == 1 {
            return false;
        }
        self.seen |= 1 << behind;
        true
    }
}

/// `None` when the answer is made over something we did not ask for, or lacks its counter.
fn protection(answer: &Params) -> Option<Protection<'_>> {
    match answer.get("qop") {
        // RFC 3261 §22.4: phones of RFC 2069 know no qop. Such a nonce is good once.
        None => Some(Protection::Old),
        Some(qop) if qop.eq_ignore_ascii_case("auth") => {
            let nc = answer.get("nc").filter(|nc| nc.len() == 8).and_then(|nc| u32::from_str_radix(nc, 16).ok())?;
            let cnonce = answer.get("cnonce").filter(|cnonce| !cnonce.is_empty())?;
            Some(Protection::Auth { nc, cnonce })
        }
        Some(_) => None,
    }
}

/// What a use counts as: without a counter, always the first.
fn counter(answer: &Params) -> u32 {
    match protection(answer) {
        Some(Protection::Auth { nc, .. } | Protection::AuthInt { nc, .. }) => nc,
        _ => 1,
    }
}

/// RFC 7616 §3.4.6: `uri` names what is asked for. Proxies rewrite hosts and ports on the way (RFC 3261 §22.4), so
/// the user is what has to agree; some write the host alone.
fn is_same_target(written: &str, asked: &Uri) -> bool {
    Uri::parse(written).is_ok_and(|written| written.user.is_empty() || written.user == asked.user)
}

fn seconds(now: Now) -> u64 {
    u64::try_from(now.wall.as_second()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Raw;
    use crate::time::{Clock, SimulatedClock};

    const HERE: [u8; 4] = [192, 0, 2, 1];

    /// A peer that answers challenges, rightly or with one thing changed.
    struct Phone {
        server: Server,
        clock: SimulatedClock,
        credentials: Credentials,
        uri: Uri,
    }

    impl Phone {
        fn new() -> Self {
            Self {
                server: Server::new("house", [7; 32]),
                clock: SimulatedClock::starting_at("2026-01-01T00:00:00Z".parse().unwrap()),
                credentials: Credentials { username: "ann".to_owned(), password: Secret::new("pass") },
                uri: Uri::parse("sip:100@127.0.0.1").unwrap(),
            }
        }

        fn send_from(&mut self, authorization: &str, source: [u8; 4]) -> Result<(), Challenge> {
            let text = format!("X\n{authorization}\n\n");
            let raw = Raw::read(text.as_bytes());
            let asked =
                Asked { headers: &raw.headers, method: "INVITE", uri: &self.uri, body: b"v=0", source: source.into() };
            self.server.check(asked, Some(&self.credentials), &[], self.clock.now())
        }

        fn send(&mut self, authorization: &str) -> Result<(), Challenge> {
            self.send_from(authorization, HERE)
        }

        fn nonce(&mut self) -> String {
            nonce_of(&self.send("").unwrap_err())
        }
    }

    fn nonce_of(challenge: &Challenge) -> String {
        challenge.headers[0].1.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    /// A right answer of `ann` with the password `pass`.
    fn answer(nonce: &str, nc: u32) -> String {
        answer_of(Algorithm::Sha256, nonce, nc, "ann", "pass", "sip:100@127.0.0.1", "INVITE")
    }

    fn answer_of(
        algorithm: Algorithm,
        nonce: &str,
        nc: u32,
        user: &str,
        password: &str,
        uri: &str,
        method: &str,
    ) -> String {
        let ha1 = algorithm.ha1(user, "house", &Secret::new(password));
        let protection = Protection::Auth { nc, cnonce: "c" };
        let response = algorithm.response(&ha1, &Digested { nonce, protection, method, uri, body: b"" });
        format!(
            "Authorization: Digest username=\"{user}\", realm=\"house\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm={}, qop=auth, nc={nc:08x}, cnonce=\"c\"",
            algorithm.name()
        )
    }

    #[test]
    fn whoever_knows_the_password_passes_once_per_count() {
        let mut phone = Phone::new();
        let nonce = phone.nonce();
        assert_eq!(phone.send(&answer(&nonce, 1)), Ok(()));
        let replayed = phone.send(&answer(&nonce, 1)).unwrap_err();
        assert!(replayed.stale && !replayed.failed, "the password was right, the count was used");
        assert_ne!(nonce_of(&replayed), nonce);
        for (nc, passes) in
            [(2, true), (70, true), (69, true), (69, false), (7, true), (6, false), (70, false), (0, false)]
        {
            assert_eq!(phone.send(&answer(&nonce, nc)).is_ok(), passes, "count {nc}");
        }
        assert_eq!(phone.send(&answer(&nonce, u32::MAX)), Ok(()));
        assert!(phone.send(&answer(&nonce, u32::MAX)).is_err());
    }

    #[test]
    fn both_hashes_are_offered_and_taken_the_better_one_first() {
        let mut phone = Phone::new();
        let challenge = phone.send("").unwrap_err();
        let lines: Vec<_> = challenge.headers.iter().map(|(_, line)| line.as_str()).collect();
        assert!(lines[0].contains("algorithm=SHA-256") && lines[1].contains("algorithm=MD5"), "{lines:?}");
        assert!(lines.iter().all(|line| line.contains("realm=\"house\"") && line.contains("qop=\"auth\"")));
        assert!(!challenge.stale && !challenge.failed);
        let nonce = nonce_of(&challenge);
        let md5 = answer_of(Algorithm::Md5, &nonce, 1, "ann", "pass", "sip:100@127.0.0.1", "INVITE");
        assert_eq!(phone.send(&md5), Ok(()));
        assert_eq!(phone.send(&answer(&nonce, 2)), Ok(()));
        let unnamed = answer_of(Algorithm::Md5, &nonce, 3, "ann", "pass", "sip:100@127.0.0.1", "INVITE");
        assert_eq!(phone.send(&unnamed.replace("algorithm=MD5, ", "")), Ok(()), "MD5 unless said otherwise");
        let unasked = answer_of(Algorithm::Sha512_256, &nonce, 4, "ann", "pass", "sip:100@127.0.0.1", "INVITE");
        assert!(phone.send(&unasked).is_err(), "an algorithm nobody offered");
    }

    #[test]
    fn only_what_is_configured_is_offered_and_taken() {
        let mut phone = Phone::new();
        phone.server = Server::new("house", [7; 32]).offering(vec![Algorithm::Md5]);
        let challenge = phone.send("").unwrap_err();
        assert!(challenge.headers.len() == 1 && challenge.headers[0].1.contains("algorithm=MD5"), "{challenge:?}");
        let nonce = nonce_of(&challenge);
        assert!(phone.send(&answer(&nonce, 1)).unwrap_err().failed);
        let md5 = answer_of(Algorithm::Md5, &nonce, 1, "ann", "pass", "sip:100@127.0.0.1", "INVITE");
        assert_eq!(phone.send(&md5), Ok(()));
    }

    #[test]
    fn everything_the_answer_is_made_of_is_checked() {
        for (from, to) in [
            ("username=\"ann\"", "username=\"bob\""),
            ("response=\"", "response=\"0"),
            ("uri=\"sip:100@", "uri=\"sip:900@"),
            ("qop=auth,", "qop=auth-int,"),
            ("nc=00000001", "nc=00000002"),
            ("nc=00000001", "nc=1"),
            ("nc=00000001, ", ""),
            ("cnonce=\"c\"", "cnonce=\"\""),
            ("cnonce=\"c\"", "cnonce=\"d\""),
            ("algorithm=SHA-256", "algorithm=MD5"),
            ("algorithm=SHA-256", "algorithm=SHA-256-sess"),
            ("algorithm=SHA-256", "algorithm=ROT13"),
        ] {
            let mut phone = Phone::new();
            let good = answer(&phone.nonce(), 1);
            assert!(good.contains(from), "{from}");
            let refused = phone.send(&good.replace(from, to)).unwrap_err();
            assert!(refused.failed && !refused.stale, "{to}");
        }
        let mut phone = Phone::new();
        let nonce = phone.nonce();
        for wrong in [
            answer_of(Algorithm::Sha256, &nonce, 1, "ann", "wrong", "sip:100@127.0.0.1", "INVITE"),
            answer_of(Algorithm::Sha256, &nonce, 1, "ann", "pass", "sip:100@127.0.0.1", "REFER"),
            answer_of(Algorithm::Sha256, &nonce, 1, "ann", "pass", "sip:200@127.0.0.1", "INVITE"),
        ] {
            assert!(phone.send(&wrong).unwrap_err().failed);
        }
        let behind_a_proxy =
            answer_of(Algorithm::Sha256, &nonce, 1, "ann", "pass", "sip:100@example.com:5080", "INVITE");
        assert_eq!(phone.send(&behind_a_proxy), Ok(()), "the host may differ behind a proxy");
    }

    #[test]
    fn an_old_or_foreign_nonce_is_stale_and_not_a_wrong_password() {
        let mut phone = Phone::new();
        let nonce = phone.nonce();
        let foreign = phone.send_from(&answer(&nonce, 1), [192, 0, 2, 2]).unwrap_err();
        assert!(foreign.stale, "a nonce is good for the address it was given to");
        phone.clock.advance(LIFE);
        assert_eq!(phone.send(&answer(&nonce, 1)), Ok(()));
        phone.clock.advance(Duration::from_secs(1));
        assert!(phone.send(&answer(&nonce, 2)).unwrap_err().stale);
        for rubbish in ["", "AAAA", "not base64", &"A".repeat(44), &"A".repeat(1000)] {
            let refused = phone.send(&answer(rubbish, 1)).unwrap_err();
            assert!(refused.stale && !refused.failed, "{rubbish}");
        }
        let wrong = answer_of(Algorithm::Sha256, &nonce, 2, "ann", "wrong", "sip:100@127.0.0.1", "INVITE");
        assert!(!phone.send(&wrong).unwrap_err().stale, "stale only for those who know the password");
    }

    #[test]
    fn phones_that_know_no_qop_may_use_a_nonce_once() {
        let mut phone = Phone::new();
        let nonce = phone.nonce();
        let ha1 = Algorithm::Md5.ha1("ann", "house", &Secret::new("pass"));
        let digest =
            Digested { nonce: &nonce, protection: Protection::Old, method: "INVITE", uri: "sip:100@h", body: b"" };
        let response = Algorithm::Md5.response(&ha1, &digest);
        let old = format!(
            "Authorization: Digest username=\"ann\", realm=\"house\", nonce=\"{nonce}\", uri=\"sip:100@h\", \
             response=\"{response}\""
        );
        assert_eq!(phone.send(&old), Ok(()));
        assert!(phone.send(&old).unwrap_err().stale);
    }

    #[test]
    fn an_unknown_name_is_refused_like_a_wrong_password() {
        let mut phone = Phone::new();
        let nonce = phone.nonce();
        let text = format!("X\n{}\n\n", answer(&nonce, 1));
        let raw = Raw::read(text.as_bytes());
        let uri = phone.uri.clone();
        let asked = Asked { headers: &raw.headers, method: "INVITE", uri: &uri, body: b"", source: IpAddr::from(HERE) };
        assert_eq!(phone.server.claimed(&raw.headers).as_deref(), Some("ann"));
        let refused = phone.server.check(asked, None, &[], phone.clock.now()).unwrap_err();
        assert!(refused.failed && !refused.stale);
        assert_eq!(phone.send(&answer(&nonce, 1)), Ok(()), "nothing was used up");
    }

    #[test]
    fn an_answer_for_another_realm_is_no_answer() {
        let mut phone = Phone::new();
        let other = answer(&phone.nonce(), 1).replace("realm=\"house\"", "realm=\"elsewhere\"");
        assert!(!phone.send(&other).unwrap_err().failed);
        let nonce = phone.nonce();
        assert_eq!(phone.send(&format!("{other}\n{}", answer(&nonce, 1))), Ok(()), "both may stand there");
    }

    #[test]
    fn counters_are_bounded_and_what_is_forgotten_is_never_taken_twice() {
        let mut phone = Phone::new();
        let nonces: Vec<String> = (0..MOST_USED + 10).map(|_| phone.nonce()).collect();
        for nonce in &nonces {
            assert_eq!(phone.send(&answer(nonce, 1)), Ok(()));
        }
        assert_eq!(phone.server.used.len(), MOST_USED);
        for nonce in &nonces {
            assert!(phone.send(&answer(nonce, 1)).is_err(), "no count is taken twice");
        }
        phone.clock.advance(LIFE * 2);
        let nonce = phone.nonce();
        assert_eq!(phone.send(&answer(&nonce, 1)), Ok(()));
        assert_eq!(phone.server.used.len(), 1, "the old ones were swept");
    }
}
