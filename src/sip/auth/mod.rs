//! Digest authentication as SIP uses it (RFC 3261 §22, RFC 8760, RFC 7616): what client and server share.
//!
//! Both sides compute the same three hashes; nothing here keeps state. Values of quoted parameters are kept **raw**,
//! escapes included, because that is what the hash is made over (`unq(X)` in RFC 7616 §3.4.1) and what has to be sent
//! back.

pub mod client;
pub mod server;

use std::fmt;
use std::fmt::Write;

use md5::Md5;
use serde::Deserialize;
use sha2::digest::Digest;
use sha2::{Sha256, Sha512_256};

use super::uri::{is_token, split_unquoted};

pub use client::{Asker, Client, NoAnswer, Tries, asks_of};

/// Parameters read of one challenge or answer; the rest are ignored. The longest of RFC 7616 has eleven.
const MOST_PARAMS: usize = 32;
/// Longest parameter value that is read. Nonces of carriers reach 200 bytes.
const MOST_VALUE: usize = 1024;

/// Hash functions of RFC 8760, weakest first: the order is the preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Algorithm {
    /// RFC 1321. Broken as a hash, still what most carriers speak.
    #[serde(rename = "md5")]
    Md5,
    /// FIPS 180-4.
    #[serde(rename = "sha-256")]
    Sha256,
    /// FIPS 180-4 §6.7; not SHA-512 cut in half.
    #[serde(rename = "sha-512-256")]
    Sha512_256,
}

impl Algorithm {
    /// As `algorithm=` writes it, any case; `true` for the `-sess` variant (RFC 7616 §3.4.2).
    pub fn parse(text: &str) -> Option<(Self, bool)> {
        let lower = text.to_ascii_lowercase();
        let (name, session) = match lower.strip_suffix("-sess") {
            Some(name) => (name, true),
            None => (lower.as_str(), false),
        };
        let algorithm = match name {
            "md5" => Self::Md5,
            "sha-256" => Self::Sha256,
            "sha-512-256" => Self::Sha512_256,
            _ => return None,
        };
        Some((algorithm, session))
    }

    /// Registered name, without `-sess`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    /// The hash in lower-case hexadecimal, as the protocol writes it everywhere.
    pub fn hash(self, data: &[u8]) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(data)),
            Self::Sha256 => hex(&Sha256::digest(data)),
            Self::Sha512_256 => hex(&Sha512_256::digest(data)),
        }
    }

    /// `H(username:realm:password)` (RFC 7616 §3.4.2).
    pub fn ha1(self, username: &str, realm: &str, password: &Secret) -> String {
        self.hash(format!("{username}:{realm}:{}", password.reveal()).as_bytes())
    }

    /// `H(HA1:nonce:cnonce)`: HA1 of the `-sess` variants.
    pub fn session_ha1(self, ha1: &str, nonce: &str, cnonce: &str) -> String {
        self.hash(format!("{ha1}:{nonce}:{cnonce}").as_bytes())
    }

    /// The `response` value over everything `digest` names.
    pub fn response(self, ha1: &str, digest: &Digested<'_>) -> String {
        let Digested { nonce, protection, method, uri, body } = digest;
        let a2 = match protection {
            Protection::AuthInt { .. } => format!("{method}:{uri}:{}", self.hash(body)),
            Protection::Auth { .. } | Protection::Old => format!("{method}:{uri}"),
        };
        let ha2 = self.hash(a2.as_bytes());
        let text = match protection {
            Protection::Old => format!("{ha1}:{nonce}:{ha2}"),
            Protection::Auth { nc, cnonce } => format!("{ha1}:{nonce}:{nc:08x}:{cnonce}:auth:{ha2}"),
            Protection::AuthInt { nc, cnonce } => format!("{ha1}:{nonce}:{nc:08x}:{cnonce}:auth-int:{ha2}"),
        };
        self.hash(text.as_bytes())
    }
}

/// Quality of protection: what the response is made over besides the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection<'a> {
    /// No `qop` (RFC 2069).
    Old,
    /// `qop=auth`.
    Auth {
        /// How often this nonce has been used, from 1.
        nc: u32,
        /// The client's own nonce, raw.
        cnonce: &'a str,
    },
    /// `qop=auth-int`: the body too.
    AuthInt {
        /// As above.
        nc: u32,
        /// As above.
        cnonce: &'a str,
    },
}

/// What a response is made over, all of it raw.
#[derive(Clone, Copy, Debug)]
pub struct Digested<'a> {
    /// The server's nonce.
    pub nonce: &'a str,
    /// With or without counter and body.
    pub protection: Protection<'a>,
    /// Of the request.
    pub method: &'a str,
    /// `uri` as the answer writes it.
    pub uri: &'a str,
    /// Body of the request; matters to `auth-int` only.
    pub body: &'a [u8],
}

/// Who we are at a trunk, or who a peer has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Name, as the far end's admin gave it.
    pub username: String,
    /// Password.
    pub password: Secret,
}

/// A password. Prints as `«secret»` wherever it is formatted.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Marks `text` as secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password, for hashing and nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("«secret»")
    }
}

/// The parameters of one `Digest` challenge or answer: names lower case, values raw without their quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Every `Digest` of a header value. SIP puts one into a header (RFC 3261 §20.44); lists as HTTP writes them are
    /// taken too. Other schemes, over-long values and control characters are left out.
    pub fn read_all(value: &str) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let mut ours = false;
        for element in split_unquoted(value, ',').map(str::trim) {
            let rest = match scheme(element) {
                Some((name, rest)) => {
                    ours = name.eq_ignore_ascii_case("Digest");
                    if ours {
                        all.push(Self::default());
                    }
                    rest
                }
                None => element,
            };
            let Some(params) = all.last_mut().filter(|_| ours) else { continue };
            let Some((name, value)) = rest.split_once('=') else { continue };
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            let raw = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            let sound = is_token(&name) && raw.len() <= MOST_VALUE && !raw.chars().any(char::is_control);
            if sound && params.0.len() < MOST_PARAMS && params.get(&name).is_none() {
                params.0.push((name, raw.to_owned()));
            }
        }
        all
    }

    /// The value of `name` (lower case), raw.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// `Digest realm=…`: an authentication scheme stands before the first parameter.
fn scheme(element: &str) -> Option<(&str, &str)> {
    let (name, rest) = element.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    // `nc = 1` has a blank too, but then the equals sign follows.
    (is_token(name) && !rest.starts_with('=')).then_some((name, rest))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1 and §3.9.2 (with erratum 4897: the printed response is of a draft of SHA-512/256), RFC 2617 §3.5.
    #[test]
    fn the_vectors_of_the_standards_come_out() {
        struct Row(Algorithm, [&'static str; 3], [&'static str; 4], &'static str);
        let mufasa = ["Mufasa", "http-auth@example.org", "Circle of Life"];
        let asked = [
            "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "GET",
            "/dir/index.html",
        ];
        for Row(algorithm, [username, realm, password], [nonce, cnonce, method, uri], response) in [
            Row(Algorithm::Md5, mufasa, asked, "8ca523f5e9506fed4657c9700eebdbec"),
            Row(Algorithm::Sha256, mufasa, asked, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
            Row(
                Algorithm::Sha512_256,
                ["J\u{e4}s\u{f8}n Doe", "api@example.org", "Secret, or not?"],
                [
                    "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
                    "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
                    "GET",
                    "/doe.json",
                ],
                "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
            ),
            Row(
                Algorithm::Md5,
                ["Mufasa", "testrealm@host.com", "Circle Of Life"],
                ["dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b", "GET", "/dir/index.html"],
                "6629fae49393a05397450978507c4ef1",
            ),
        ] {
            let ha1 = algorithm.ha1(username, realm, &Secret::new(password));
            let protection = Protection::Auth { nc: 1, cnonce };
            let digest = Digested { nonce, protection, method, uri, body: b"" };
            assert_eq!(algorithm.response(&ha1, &digest), response, "{}", algorithm.name());
        }
    }

    #[test]
    fn the_forms_without_counter_and_with_body_differ() {
        let ha1 = Algorithm::Md5.ha1("Mufasa", "testrealm@host.com", &Secret::new("CircleOfLife"));
        let digest = |protection, body| Digested {
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            protection,
            method: "GET",
            uri: "/dir/index.html",
            body,
        };
        // RFC 2069 §2.4 as its erratum 749 corrects it.
        assert_eq!(Algorithm::Md5.response(&ha1, &digest(Protection::Old, b"")), "1949323746fe6a43ef61f9606e7febea");
        let with_body = |body| {
            let protection = Protection::AuthInt { nc: 1, cnonce: "0a4f113b" };
            Algorithm::Md5.response(&ha1, &digest(protection, body))
        };
        assert_ne!(with_body(b"v=0"), with_body(b"v=1"));
    }

    #[test]
    fn algorithms_are_read_in_any_case_and_ranked() {
        assert_eq!(Algorithm::parse("md5"), Some((Algorithm::Md5, false)));
        assert_eq!(Algorithm::parse("SHA-256-sess"), Some((Algorithm::Sha256, true)));
        assert_eq!(Algorithm::parse("sha-512-256"), Some((Algorithm::Sha512_256, false)));
        for unknown in ["", "SHA-1", "SHA-512", "-sess", "AKAv1-MD5"] {
            assert_eq!(Algorithm::parse(unknown), None, "{unknown}");
        }
        assert!(Algorithm::Md5 < Algorithm::Sha256 && Algorithm::Sha256 < Algorithm::Sha512_256);
    }

    #[test]
    fn parameters_are_read_raw_with_blanks_and_in_lists() {
        let read = Params::read_all(
            "Digest realm = \"a \\\"b\\\", c\",nonce=\"x,y==\" , qop=\"auth,auth-int\", stale=TRUE,, Nc = 1, NONCE=\"2nd\"",
        );
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].get("realm"), Some("a \\\"b\\\", c"));
        assert_eq!((read[0].get("nonce"), read[0].get("qop")), (Some("x,y=="), Some("auth,auth-int")));
        assert_eq!((read[0].get("stale"), read[0].get("nc")), (Some("TRUE"), Some("1")));

        let list = Params::read_all("Basic realm=\"b\", digest nonce=1, Digest nonce=\"2\"");
        assert_eq!(list.iter().map(|params| params.get("nonce")).collect::<Vec<_>>(), [Some("1"), Some("2")]);
        assert_eq!(list[0].get("realm"), None);
    }

    #[test]
    fn rubbish_is_no_challenge_and_never_a_panic() {
        for bad in
            ["", "Digest", "Basic YWxhZGRpbg==", "Digest \"", "=,=,=", "Digest =\"", "realm=\"a\"", "Digest \u{1f600}"]
        {
            assert!(Params::read_all(bad).iter().all(|params| params.get("nonce").is_none()), "{bad}");
        }
        let long = format!("Digest nonce=\"{}\", realm=\"a\rb\", opaque=\"o\"", "n".repeat(MOST_VALUE + 1));
        let read = Params::read_all(&long);
        assert_eq!((read[0].get("nonce"), read[0].get("realm"), read[0].get("opaque")), (None, None, Some("o")));
        let many: String = (0..100).fold("Digest a=1".to_owned(), |text, n| format!("{text},p{n}=1"));
        assert_eq!(Params::read_all(&many)[0].0.len(), MOST_PARAMS);
    }

    #[test]
    fn a_password_is_never_printed() {
        let credentials = Credentials { username: "u".into(), password: Secret::new("hunter2") };
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
