//! Connectivity checks, answered: the lite side of ICE (RFC 8445 §7.3, RFC 8489).
//!
//! Whoever checks us proves with every request that it has read our session description, and the answer tells it under
//! which address we saw it. We never check anybody, and who proves nothing gets no answer.

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

use super::Ice;

/// Bytes of a STUN header.
const HEADER_BYTES: usize = 20;
/// Longest request looked at. Browsers write some 120 bytes.
const MOST_BYTES: usize = 548;
/// Longest answer.
pub const MOST_ANSWER_BYTES: usize = 128;
const MAGIC_COOKIE: u32 = 0x2112_A442;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
/// RFC 8489 §14.7.
const FINGERPRINT_XOR: u32 = 0x5354_554E;
/// Bytes of an HMAC-SHA1.
const TAG_BYTES: usize = 20;

/// An answer that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stun {
    /// Bytes of it.
    pub length: usize,
    /// Whoever asked will send from, and wants to be sent to, where the request came from.
    pub nominated: bool,
}

/// Is it STUN, on a port where RTP and RTCP come too (RFC 7983)?
pub fn is_stun(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(0..=3)) && word(datagram, 4) == Some(MAGIC_COOKIE)
}

/// Answers a check that came from `from` into `out`, which must hold [`MOST_ANSWER_BYTES`]. `None` for what is no check,
/// or is not signed with our password.
///
/// Per datagram: no allocation, no lock, no log.
pub fn answer(datagram: &[u8], from: SocketAddr, ice: &Ice, out: &mut [u8]) -> Option<Stun> {
    let request = Request::read(datagram, ice)?;
    let mut reply = Reply { out: out.get_mut(..MOST_ANSWER_BYTES)?, length: 0, transaction: request.transaction };
    if request.unknown_count > 0 {
        reply.begin(BINDING_ERROR);
        reply.error(420);
        let unknown = &request.unknown[..request.unknown_count];
        reply.attribute(UNKNOWN_ATTRIBUTES, unknown.as_flattened());
    } else if request.controlled {
        // RFC 8445 §7.3.1.1: a lite side never is the one in control, so neither side would be.
        reply.begin(BINDING_ERROR);
        reply.error(487);
    } else {
        reply.begin(BINDING_SUCCESS);
        reply.mapped_address(from);
    }
    let nominated = request.nominated && request.unknown_count == 0 && !request.controlled;
    Some(Stun { length: reply.sign(ice), nominated })
}

/// What matters of a binding request that is signed.
struct Request {
    transaction: [u8; 12],
    nominated: bool,
    controlled: bool,
    /// Attributes that have to be understood and are not.
    unknown: [[u8; 2]; 8],
    unknown_count: usize,
}

impl Request {
    fn read(datagram: &[u8], ice: &Ice) -> Option<Self> {
        let announced = usize::from(half(datagram, 2)?);
        let whole = datagram.len() <= MOST_BYTES && datagram.len() == HEADER_BYTES + announced && announced % 4 == 0;
        if !whole || !is_stun(datagram) || half(datagram, 0)? != BINDING_REQUEST {
            return None;
        }
        let transaction = *datagram.get(8..)?.first_chunk()?;
        let mut request =
            Self { transaction, nominated: false, controlled: false, unknown: [[0; 2]; 8], unknown_count: 0 };
        let (mut named, mut signed) = (false, false);
        let mut at = HEADER_BYTES;
        while at < datagram.len() {
            let (kind, length) = (half(datagram, at)?, usize::from(half(datagram, at + 2)?));
            let value = datagram.get(at + 4..at + 4 + length)?;
            match kind {
                FINGERPRINT => {
                    let last = at + 8 == datagram.len();
                    if !last || word(value, 0)? != crc32(&datagram[..at]) ^ FINGERPRINT_XOR {
                        return None;
                    }
                }
                // RFC 8489 §14.5: nothing behind the signature counts, but the fingerprint.
                _ if signed => {}
                USERNAME => named = names_us(value, ice),
                MESSAGE_INTEGRITY => signed = is_signed(datagram, at, value, ice),
                USE_CANDIDATE => request.nominated = true,
                ICE_CONTROLLED => request.controlled = true,
                PRIORITY => {}
                // RFC 8489 §14: the upper half may be ignored.
                0x8000.. => {}
                unknown => {
                    if let Some(place) = request.unknown.get_mut(request.unknown_count) {
                        *place = unknown.to_be_bytes();
                        request.unknown_count += 1;
                    }
                }
            }
            at += 4 + length.next_multiple_of(4);
        }
        (named && signed).then_some(request)
    }
}

/// RFC 8445 §7.2.2: our name first, then theirs, once we know it.
fn names_us(value: &[u8], ice: &Ice) -> bool {
    let Some((ours, theirs)) = str::from_utf8(value).ok().and_then(|name| name.split_once(':')) else { return false };
    ours == ice.ufrag && ice.their_ufrag.as_deref().is_none_or(|known| known == theirs)
}

/// RFC 8489 §14.5: signed is everything before the signature, with a length in the header that ends behind it.
fn is_signed(datagram: &[u8], at: usize, tag: &[u8], ice: &Ice) -> bool {
    let ends = at + 4 + TAG_BYTES - HEADER_BYTES;
    let [high, low] = (ends as u16).to_be_bytes();
    let expected = signer(ice)
        .chain_update(&datagram[..2])
        .chain_update([high, low])
        .chain_update(&datagram[4..at])
        .finalize()
        .into_bytes();
    bool::from(expected.as_slice().ct_eq(tag))
}

fn signer(ice: &Ice) -> Hmac<Sha1> {
    Hmac::new_from_slice(ice.password.as_bytes()).expect("HMAC takes a key of any length")
}

/// An answer being written. Its buffer holds the longest one, so nothing is ever left out.
struct Reply<'a> {
    out: &'a mut [u8],
    length: usize,
    transaction: [u8; 12],
}

impl Reply<'_> {
    fn begin(&mut self, kind: u16) {
        self.put(&kind.to_be_bytes());
        self.put(&[0, 0]);
        self.put(&MAGIC_COOKIE.to_be_bytes());
        self.put(&self.transaction.clone());
    }

    fn put(&mut self, bytes: &[u8]) {
        if let Some(place) = self.out.get_mut(self.length..self.length + bytes.len()) {
            place.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.put(&kind.to_be_bytes());
        self.put(&(value.len() as u16).to_be_bytes());
        self.put(value);
        self.put(&[0; 3][..value.len().next_multiple_of(4) - value.len()]);
    }

    /// RFC 8489 §14.8: hundreds apart.
    fn error(&mut self, status: u16) {
        self.attribute(ERROR_CODE, &[0, 0, (status / 100) as u8, (status % 100) as u8]);
    }

    /// RFC 8489 §14.2: hidden from routers that rewrite addresses wherever they see them.
    fn mapped_address(&mut self, from: SocketAddr) {
        let [c0, c1, c2, c3] = MAGIC_COOKIE.to_be_bytes();
        let [p0, p1] = from.port().to_be_bytes();
        let mut value = [0; 20];
        (value[2], value[3]) = (p0 ^ c0, p1 ^ c1);
        let mut mask = [0; 16];
        mask[..4].copy_from_slice(&[c0, c1, c2, c3]);
        mask[4..].copy_from_slice(&self.transaction);
        let length = match from.ip().to_canonical() {
            IpAddr::V4(address) => {
                value[1] = 1;
                value[4..8].copy_from_slice(&address.octets());
                8
            }
            IpAddr::V6(address) => {
                value[1] = 2;
                value[4..].copy_from_slice(&address.octets());
                20
            }
        };
        value[4..length].iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        self.attribute(XOR_MAPPED_ADDRESS, &value[..length]);
    }

    /// Signature and fingerprint; the length of it all.
    fn sign(mut self, ice: &Ice) -> usize {
        self.announce(4 + TAG_BYTES);
        let tag = signer(ice).chain_update(&self.out[..self.length]).finalize().into_bytes();
        self.attribute(MESSAGE_INTEGRITY, &tag);
        self.announce(8);
        let sum = crc32(&self.out[..self.length]) ^ FINGERPRINT_XOR;
        self.attribute(FINGERPRINT, &sum.to_be_bytes());
        self.length
    }

    /// Writes the length as it will be with `more` bytes.
    fn announce(&mut self, more: usize) {
        let length = (self.length - HEADER_BYTES + more) as u16;
        self.out[2..4].copy_from_slice(&length.to_be_bytes());
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

/// CRC-32 of ISO 3309, bit by bit: a check has a hundred bytes, and a call sees one in a second or fewer.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 })
    })
}

#[cfg(test)]
#[path = "stun_tests.rs"]
mod tests;
