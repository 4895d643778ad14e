//! Keys in a session description (SDES, RFC 4568): `a=crypto` lines read and written, and keys made for them.
//!
//! A key in clear text protects the sound exactly as well as the signalling is protected: over TLS, hop by hop.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::rtp::srtp::{MOST_KEY_BYTES, MasterKey, Suite};

/// Writes `=` at the end, as RFC 4568 wants it; reads keys without, because some phones leave it away.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Most `a=crypto` lines of one media description looked at. Phones write up to eight.
pub const MOST_LINES: usize = 16;

/// One `a=crypto` line that we could use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// Names the line in the answer.
    pub tag: u32,
    /// How.
    pub suite: Suite,
    /// What its writer seals with.
    pub key: MasterKey,
}

impl Crypto {
    /// Reads what stands behind `a=crypto:`. `None` for a suite that we do not have, for several keys or one with an
    /// identifier in each packet (MKI), and for session parameters that change the packets: RFC 4568 §6.3.7 wants
    /// such a line passed over.
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        // RFC 4568 §9.1: a tag has up to nine digits.
        let tag = words.next().filter(|tag| tag.len() <= 9)?.parse().ok()?;
        let suite = Suite::parse(words.next()?)?;
        let inline = words.next()?.strip_prefix("inline:")?;
        if !words.all(is_harmless) {
            return None;
        }
        // `key|lifetime|MKI:length`, of which a lifetime is longer than any call.
        let (key, rest) = inline.split_once('|').unwrap_or((inline, ""));
        if rest.contains(':') || rest.contains(';') {
            return None;
        }
        let mut bytes = [0; MOST_KEY_BYTES + 2];
        let length = BASE64.decode_slice(key, &mut bytes).ok()?;
        Some(Self { tag, suite, key: MasterKey::new(suite, &bytes[..length])? })
    }

    /// The value of its line.
    pub fn print(&self) -> String {
        format!("{} {} inline:{}", self.tag, self.suite.name(), BASE64.encode(self.key.bytes(self.suite)))
    }
}

/// Session parameters that ask for nothing: a window size hint, and what is marked with `-` as optional.
fn is_harmless(parameter: &str) -> bool {
    parameter.starts_with('-') || parameter.starts_with("WSH=") || parameter == "KDR=0"
}

/// The key that we seal with under this suite: the same one for as long as the secret stays.
pub fn key_for(suite: Suite, secret: &[u8]) -> MasterKey {
    let mut bytes = [0; MOST_KEY_BYTES];
    for (half, place) in bytes.chunks_mut(32).enumerate() {
        let derived = hash(secret, &[suite.name().as_bytes(), &[half as u8]].concat());
        place.copy_from_slice(&derived[..place.len()]);
    }
    MasterKey::new(suite, &bytes[..suite.key_bytes()]).expect("the length is that of the suite")
}

/// Another secret, made of this one: for keys that must differ from those used before.
pub fn renew(secret: &mut [u8]) {
    for (part, place) in secret.to_vec().chunks(32).zip(secret.chunks_mut(32)) {
        place.copy_from_slice(&hash(part, b"another")[..place.len()]);
    }
}

/// Letters for a name or a password, as ICE wants them (RFC 8839 §5.4): four for each three bytes.
pub fn letters(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

fn hash(secret: &[u8], words: &[u8]) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.chain_update(words).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_read_and_written_again() {
        // RFC 4568 §5.
        let line = "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4";
        assert_eq!(Crypto::parse(line), None, "it has an MKI");
        let line = line.trim_end_matches("|1:4");
        let crypto = Crypto::parse(line).unwrap();
        assert_eq!((crypto.tag, crypto.suite), (1, Suite::AesCm128Sha1_80));
        assert_eq!(crypto.key.bytes(crypto.suite), b"YS___semctl () {\t220;}\n}\nunles");
        assert_eq!(crypto.print(), line.trim_end_matches("|2^20"));
    }

    #[test]
    fn lines_we_cannot_use_are_passed_over() {
        let key = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
        let rows = [
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{key}"), true),
            (format!("999999999 aes_cm_128_hmac_sha1_32 inline:{key}|1:4"), false),
            (format!("7 aes_cm_128_hmac_sha1_32   inline:{key}|2^31 WSH=128 -X=1 KDR=0"), true),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{key} UNENCRYPTED_SRTCP"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{key} KDR=1"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{key}|1:4;inline:{key}|2:4"), false),
            (format!("1 AES_256_CM_HMAC_SHA1_80 inline:{key}"), false),
            (format!("1 F8_128_HMAC_SHA1_80 inline:{key}"), false),
            (format!("0000000001 AES_CM_128_HMAC_SHA1_80 inline:{key}"), false),
            (format!("x AES_CM_128_HMAC_SHA1_80 inline:{key}"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 outline:{key}"), false),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:".to_owned(), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{}", key.repeat(300)), false),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:%%%".to_owned(), false),
            (String::new(), false),
            ("1".to_owned(), false),
            ("1 AES_CM_128_HMAC_SHA1_80".to_owned(), false),
        ];
        for (line, expected) in rows {
            assert_eq!(Crypto::parse(&line).is_some(), expected, "{line}");
        }
    }

    #[test]
    fn every_suite_gets_a_key_of_its_own_that_reads_back_with_padding_and_without() {
        let secret = [7; 46];
        let mut seen: Vec<Vec<u8>> = Vec::new();
        for suite in Suite::ALL {
            let crypto = Crypto { tag: 3, suite, key: key_for(suite, &secret) };
            assert_eq!(Crypto::parse(&crypto.print()), Some(crypto));
            assert_eq!(Crypto::parse(crypto.print().trim_end_matches('=')), Some(crypto));
            seen.push(crypto.key.bytes(suite)[..30].to_vec());
            assert_eq!(key_for(suite, &secret), crypto.key);
            assert_ne!(key_for(suite, &[8; 46]), crypto.key);
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 4);
        let mut renewed = secret;
        renew(&mut renewed);
        assert_ne!(renewed, secret);
        assert!(renewed.iter().any(|&byte| byte != renewed[0]));
    }
}
