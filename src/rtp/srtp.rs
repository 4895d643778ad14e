//! SRTP and SRTCP (RFC 3711) with AES counter mode and HMAC-SHA1, the transforms of RFC 3711 §4 and RFC 6188.
//!
//! ```text
//!   RTP    │ header │ payload           │  ⇄  │ header │ encrypted payload │ tag │
//!   RTCP   │ header, SSRC │ the rest    │  ⇄  │ header, SSRC │ encrypted   │ E, index │ tag │
//! ```
//!
//! Packets are sealed and opened where they lie: nothing is allocated and nothing is copied. What an opener keeps of a
//! stream begins with a packet whose tag was right, so that forged ones cost a hash, or two, and leave nothing behind.

use std::fmt;

use aes::cipher::{Array, InnerIvInit as _, KeyInit as _, StreamCipher as _, StreamCipherCoreWrapper};
use aes::{Aes128, Aes256};
use ctr::{CtrCore, flavors};
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

/// Bytes of a master salt, and of a session salt (RFC 3711 §8.2).
const SALT_BYTES: usize = 14;
/// Most bytes of a master key and its salt together: AES-256.
pub const MOST_KEY_BYTES: usize = 32 + SALT_BYTES;
/// Bytes of an authentication key (RFC 3711 §5.2).
const AUTH_KEY_BYTES: usize = 20;
/// Bytes of an RTCP tag. RFC 4568 §6.2.2: also where RTP has a short one.
const RTCP_TAG_BYTES: usize = 10;
/// The word between an RTCP packet and its tag: is it encrypted, and its index (RFC 3711 §3.4).
const RTCP_INDEX_BYTES: usize = 4;
/// Room that sealing needs behind a packet.
pub const MOST_TRAILER_BYTES: usize = RTCP_INDEX_BYTES + RTCP_TAG_BYTES;
/// What stays readable of an RTCP packet: its first header and the SSRC of who sent it.
const RTCP_HEADER_BYTES: usize = 8;
/// Set in the index word of RTCP that is encrypted.
const ENCRYPTED: u32 = 1 << 31;
/// Streams of one far end that are told apart. A telephone uses one; some begin another with each hold.
const STREAMS: usize = 8;

/// How a stream is encrypted and signed. The names are those of `a=crypto` (RFC 4568 §6.2, RFC 6188 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// AES-128, tags of 80 bits: what everybody has.
    AesCm128Sha1_80,
    /// AES-128, tags of 32 bits.
    AesCm128Sha1_32,
    /// AES-256, tags of 80 bits.
    AesCm256Sha1_80,
    /// AES-256, tags of 32 bits.
    AesCm256Sha1_32,
}

impl Suite {
    /// Every suite, in the order in which we offer them.
    pub const ALL: [Self; 4] =
        [Self::AesCm256Sha1_80, Self::AesCm128Sha1_80, Self::AesCm256Sha1_32, Self::AesCm128Sha1_32];

    /// Its name in a session description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256Sha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256Sha1_32 => "AES_256_CM_HMAC_SHA1_32",
        }
    }

    /// The suite of this name. Upper and lower case do not matter; some write `AES_CM_256`.
    pub fn parse(name: &str) -> Option<Self> {
        let named = |suite: &Self| {
            suite.name().eq_ignore_ascii_case(name)
                || suite.name().replacen("AES_256_CM", "AES_CM_256", 1).eq_ignore_ascii_case(name)
        };
        Self::ALL.into_iter().find(named)
    }

    /// Bytes of a master key together with its salt.
    pub const fn key_bytes(self) -> usize {
        self.cipher_key_bytes() + SALT_BYTES
    }

    const fn cipher_key_bytes(self) -> usize {
        match self {
            Self::AesCm128Sha1_80 | Self::AesCm128Sha1_32 => 16,
            Self::AesCm256Sha1_80 | Self::AesCm256Sha1_32 => 32,
        }
    }

    const fn tag_bytes(self) -> usize {
        match self {
            Self::AesCm128Sha1_80 | Self::AesCm256Sha1_80 => 10,
            Self::AesCm128Sha1_32 | Self::AesCm256Sha1_32 => 4,
        }
    }
}

/// A master key and its salt, one after the other. Never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey([u8; MOST_KEY_BYTES]);

impl MasterKey {
    /// Exactly [`Suite::key_bytes`] of key and salt; `None` for any other number.
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<Self> {
        let mut bytes = [0; MOST_KEY_BYTES];
        (key_and_salt.len() == suite.key_bytes()).then(|| {
            bytes[..key_and_salt.len()].copy_from_slice(key_and_salt);
            Self(bytes)
        })
    }

    /// Key and salt, as they are written into a session description.
    pub fn bytes(&self, suite: Suite) -> &[u8] {
        &self.0[..suite.key_bytes()]
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("«secret»")
    }
}

/// What two ends agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The same both ways.
    pub suite: Suite,
    /// What we send is sealed with it.
    pub ours: MasterKey,
    /// What they send is sealed with it.
    pub theirs: MasterKey,
}

/// Why a packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// It ends before its header or its tag does.
    #[error("too short to be sealed")]
    Short,
    /// It was opened before, or is so old that nobody can tell.
    #[error("a packet that came before")]
    Replayed,
    /// Its tag is wrong: another key, or somebody changed it.
    #[error("a packet with a wrong tag")]
    Forged,
}

/// Both directions of one leg.
#[derive(Debug)]
pub struct Srtp {
    keys: Keys,
    /// What we send.
    pub sealer: Sealer,
    /// What they send.
    pub opener: Opener,
}

impl Srtp {
    /// Nothing sealed and nothing opened yet.
    pub fn new(keys: &Keys) -> Self {
        Self { keys: *keys, sealer: Sealer::new(keys), opener: Opener::new(keys) }
    }

    /// Another agreement. A key that stays keeps what it has counted: an index used twice under one key gives the sound
    /// away, and one that starts again is refused by the far end.
    pub fn renegotiate(&mut self, keys: &Keys) {
        let same_suite = keys.suite == self.keys.suite;
        if !same_suite || keys.ours != self.keys.ours {
            self.sealer = Sealer::new(keys);
        }
        if !same_suite || keys.theirs != self.keys.theirs {
            self.opener = Opener::after(&self.opener, keys);
        }
        self.keys = *keys;
    }
}

/// Seals what we send. Keep it for as long as the key holds, also over a re-INVITE: an index that is used twice under
/// one key gives the sound away.
pub struct Sealer {
    rtp: Session,
    rtcp: Session,
    tag_bytes: usize,
    /// Stream, and its packets so far: 32 bits of wraps before 16 of sequence number.
    stream: Option<(u32, u64)>,
    rtcp_index: u32,
}

impl Sealer {
    /// A sealer that has sealed nothing.
    pub fn new(keys: &Keys) -> Self {
        let (rtp, rtcp) = sessions(keys.suite, &keys.ours);
        Self { rtp, rtcp, tag_bytes: keys.suite.tag_bytes(), stream: None, rtcp_index: 0 }
    }

    /// Seals the RTP packet in the first `length` bytes and returns its new length; `None` when it is no packet or
    /// there is no room behind it for [`MOST_TRAILER_BYTES`].
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn rtp(&mut self, packet: &mut [u8], length: usize) -> Option<usize> {
        let sealed = length.checked_add(self.tag_bytes)?;
        let (clear, header) = (packet.get(..length)?, header_of(packet.get(..length)?)?);
        if packet.len() < sealed {
            return None;
        }
        let (sequence, ssrc) = sequence_and_ssrc(clear)?;
        let newest = self.stream.filter(|(stream, _)| *stream == ssrc).map(|(_, index)| index);
        let index = newest.map_or(u64::from(sequence), |newest| index_near(newest, sequence));
        self.stream = Some((ssrc, newest.map_or(index, |newest| newest.max(index))));
        self.rtp.apply(ssrc, index, &mut packet[header..length]);
        let tag = self.rtp.tag(&packet[..length], (index >> 16) as u32);
        packet[length..sealed].copy_from_slice(&tag[..self.tag_bytes]);
        Some(sealed)
    }

    /// The same for RTCP.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn rtcp(&mut self, packet: &mut [u8], length: usize) -> Option<usize> {
        let sealed = length.checked_add(MOST_TRAILER_BYTES)?;
        if packet.len() < sealed || length < RTCP_HEADER_BYTES {
            return None;
        }
        let ssrc = word(packet, 4)?;
        let index = self.rtcp_index;
        // §3.2.1: 31 bits; at one packet a second they last for 68 years.
        self.rtcp_index = index.wrapping_add(1) & !ENCRYPTED;
        self.rtcp.apply(ssrc, u64::from(index), &mut packet[RTCP_HEADER_BYTES..length]);
        let index_word = (ENCRYPTED | index).to_be_bytes();
        packet[length..length + RTCP_INDEX_BYTES].copy_from_slice(&index_word);
        let tag = self.rtcp.tag(&packet[..length], ENCRYPTED | index);
        packet[length + RTCP_INDEX_BYTES..sealed].copy_from_slice(&tag[..RTCP_TAG_BYTES]);
        Some(sealed)
    }
}

/// Opens what they send.
pub struct Opener {
    rtp: Session,
    rtcp: Session,
    tag_bytes: usize,
    /// The one heard last stands first.
    streams: [Option<Stream>; STREAMS],
    /// Streams, and the newest index of each, under the key before this one.
    before: [Option<(u32, u64)>; STREAMS],
}

/// What was opened of one stream.
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
}

impl Opener {
    /// An opener that has opened nothing.
    pub fn new(keys: &Keys) -> Self {
        let (rtp, rtcp) = sessions(keys.suite, &keys.theirs);
        Self { rtp, rtcp, tag_bytes: keys.suite.tag_bytes(), streams: [None; STREAMS], before: [None; STREAMS] }
    }

    /// An opener under another key of the same far end. RFC 3711 §3.3.1: a new key does not begin the count of wraps
    /// anew; some far ends do so all the same. The first packet of each stream will tell.
    pub fn after(former: &Self, keys: &Keys) -> Self {
        let mut before = [None; STREAMS];
        let heard = former.streams.iter().flatten().filter_map(|stream| Some((stream.ssrc, stream.rtp.newest?)));
        // A stream that did not come under the former key stands where it stood.
        let unheard =
            former.before.iter().flatten().copied().filter(|&(ssrc, _)| former.stream(ssrc).rtp.newest.is_none());
        before.iter_mut().zip(heard.chain(unheard)).for_each(|(place, stood)| *place = Some(stood));
        Self { before, ..Self::new(keys) }
    }

    /// Opens a whole RTP datagram where it lies and returns the length of the packet in it. One that is refused is left
    /// as it was.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn rtp(&mut self, datagram: &mut [u8]) -> Result<usize, SrtpError> {
        let length = datagram.len().checked_sub(self.tag_bytes).ok_or(SrtpError::Short)?;
        let (clear, tag) = datagram.split_at_mut(length);
        let header = header_of(clear).ok_or(SrtpError::Short)?;
        let (sequence, ssrc) = sequence_and_ssrc(clear).ok_or(SrtpError::Short)?;
        let mut stream = self.stream(ssrc);
        let indices = match stream.rtp.newest {
            Some(newest) => [Some(index_near(newest, sequence)), None],
            None => [self.before(ssrc).map(|newest| index_near(newest, sequence)), Some(u64::from(sequence))],
        };
        if indices.iter().flatten().any(|index| stream.rtp.has_seen(*index)) {
            return Err(SrtpError::Replayed);
        }
        let fits = |index: &u64| {
            let expected = self.rtp.tag(clear, (index >> 16) as u32);
            bool::from(expected[..self.tag_bytes].ct_eq(tag))
        };
        let index = indices.into_iter().flatten().find(fits).ok_or(SrtpError::Forged)?;
        stream.rtp.see(index);
        self.keep(stream);
        self.rtp.apply(ssrc, index, &mut clear[header..]);
        Ok(length)
    }

    /// The same for RTCP.
    ///
    /// Per packet: no allocation, no lock, no log.
    pub fn rtcp(&mut self, datagram: &mut [u8]) -> Result<usize, SrtpError> {
        let length = datagram.len().checked_sub(MOST_TRAILER_BYTES).ok_or(SrtpError::Short)?;
        let (clear, trailer) = datagram.split_at_mut(length);
        let (index_word, tag) = trailer.split_at(RTCP_INDEX_BYTES);
        let ssrc = word(clear, 4).ok_or(SrtpError::Short)?;
        let index_word = word(index_word, 0).ok_or(SrtpError::Short)?;
        let index = u64::from(index_word & !ENCRYPTED);
        let mut stream = self.stream(ssrc);
        if stream.rtcp.has_seen(index) {
            return Err(SrtpError::Replayed);
        }
        let expected = self.rtcp.tag(clear, index_word);
        if !bool::from(expected[..RTCP_TAG_BYTES].ct_eq(tag)) {
            return Err(SrtpError::Forged);
        }
        stream.rtcp.see(index);
        self.keep(stream);
        if index_word & ENCRYPTED != 0 {
            self.rtcp.apply(ssrc, index, &mut clear[RTCP_HEADER_BYTES..]);
        }
        Ok(length)
    }

    /// What is known of this stream; nothing of a new one.
    fn stream(&self, ssrc: u32) -> Stream {
        let known = self.streams.iter().flatten().find(|stream| stream.ssrc == ssrc);
        known.copied().unwrap_or(Stream { ssrc, ..Stream::default() })
    }

    /// How far it had come under the key before this one.
    fn before(&self, ssrc: u32) -> Option<u64> {
        self.before.iter().flatten().find(|(stream, _)| *stream == ssrc).map(|(_, newest)| *newest)
    }

    /// Writes it back, first; of too many the one not heard for longest goes.
    fn keep(&mut self, stream: Stream) {
        let same = |known: &Option<Stream>| known.is_none_or(|known| known.ssrc == stream.ssrc);
        let place = self.streams.iter().position(same).unwrap_or(STREAMS - 1);
        self.streams[..=place].rotate_right(1);
        self.streams[0] = Some(stream);
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("streams", &self.streams).finish_non_exhaustive()
    }
}

/// The 64 newest indices of a stream (RFC 3711 §3.3.2).
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    newest: Option<u64>,
    /// Bit n: the n-th before the newest came.
    seen: u64,
}

impl Window {
    /// Too old to know counts as seen.
    fn has_seen(&self, index: u64) -> bool {
        match self.newest {
            Some(newest) if index <= newest => newest - index >= 64 || (self.seen >> (newest - index)) & 1 == 1,
            _ => false,
        }
    }

    fn see(&mut self, index: u64) {
        let newest = self.newest.unwrap_or(index);
        if index <= newest {
            self.seen |= 1u64.checked_shl((newest - index) as u32).unwrap_or(0);
        } else {
            self.seen = self.seen.checked_shl((index - newest).min(64) as u32).unwrap_or(0) | 1;
        }
        self.newest = Some(newest.max(index));
    }
}

/// RFC 3711 §3.3.1: the index with this sequence number that lies nearest to the newest one.
const fn index_near(newest: u64, sequence: u16) -> u64 {
    // The distance, with its sign, of the two sequence numbers.
    let ahead = sequence.wrapping_sub(newest as u16) as i16;
    match newest.checked_add_signed(ahead as i64) {
        Some(index) => index & 0xFFFF_FFFF_FFFF,
        // Before the first wrap there is nothing to go back to.
        None => sequence as u64,
    }
}

/// RFC 3550 §5.1: where the payload begins, behind sources and extension, which stay readable (RFC 3711 §3.1).
fn header_of(packet: &[u8]) -> Option<usize> {
    let flags = *packet.first()?;
    let mut length = 12 + usize::from(flags & 0x0F) * 4;
    if flags & 0x10 != 0 {
        let words = packet.get(length + 2..length + 4)?;
        length += 4 + usize::from(u16::from_be_bytes([words[0], words[1]])) * 4;
    }
    (flags >> 6 == 2 && length <= packet.len()).then_some(length)
}

fn sequence_and_ssrc(packet: &[u8]) -> Option<(u16, u32)> {
    Some(((word(packet, 0)? & 0xFFFF) as u16, word(packet, 8)?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

type Counter<'a, C> = StreamCipherCoreWrapper<CtrCore<&'a C, flavors::Ctr128BE>>;

/// AES with its key expanded.
enum Cipher {
    Aes128(Box<Aes128>),
    Aes256(Box<Aes256>),
}

impl Cipher {
    /// `key` of 16 or 32 bytes.
    fn new(key: &[u8]) -> Self {
        match Aes256::new_from_slice(key) {
            Ok(cipher) => Self::Aes256(Box::new(cipher)),
            Err(_) => Self::Aes128(Box::new(Aes128::new_from_slice(key).expect("a key has 16 or 32 bytes"))),
        }
    }

    /// RFC 3711 §4.1.1: counter mode from `block` on.
    fn apply(&self, block: [u8; 16], bytes: &mut [u8]) {
        match self {
            Self::Aes128(cipher) => {
                Counter::from_core(CtrCore::inner_iv_init(&**cipher, &Array(block))).apply_keystream(bytes);
            }
            Self::Aes256(cipher) => {
                Counter::from_core(CtrCore::inner_iv_init(&**cipher, &Array(block))).apply_keystream(bytes);
            }
        }
    }
}

/// The keys of one direction of RTP, or of RTCP.
struct Session {
    cipher: Cipher,
    salt: [u8; SALT_BYTES],
    auth: Hmac<Sha1>,
}

/// RTP and RTCP.
fn sessions(suite: Suite, key: &MasterKey) -> (Session, Session) {
    (Session::derive(suite, key, 0), Session::derive(suite, key, 3))
}

impl Session {
    /// RFC 3711 §4.3.1: three keys from one, numbered from `label` on. The key derivation rate is 0, as RFC 4568
    /// has it unless a session parameter says otherwise.
    fn derive(suite: Suite, key: &MasterKey, label: u8) -> Self {
        let (master, master_salt) = key.bytes(suite).split_at(suite.cipher_key_bytes());
        let master = Cipher::new(master);
        let derive = |label: u8, out: &mut [u8]| {
            let mut block = [0; 16];
            block[..SALT_BYTES].copy_from_slice(master_salt);
            block[7] ^= label;
            master.apply(block, out);
        };
        let (mut cipher, mut auth, mut salt) = ([0; 32], [0; AUTH_KEY_BYTES], [0; SALT_BYTES]);
        let cipher = &mut cipher[..suite.cipher_key_bytes()];
        derive(label, cipher);
        derive(label + 1, &mut auth);
        derive(label + 2, &mut salt);
        let auth = Hmac::new_from_slice(&auth).expect("HMAC takes a key of any length");
        Self { cipher: Cipher::new(cipher), salt, auth }
    }

    /// RFC 3711 §4.1.1: encrypts, or decrypts, packet `index` of stream `ssrc`.
    fn apply(&self, ssrc: u32, index: u64, bytes: &mut [u8]) {
        let mut block = [0; 16];
        block[..SALT_BYTES].copy_from_slice(&self.salt);
        let position = (u128::from(ssrc) << 64) | (u128::from(index) << 16);
        block.iter_mut().zip(position.to_be_bytes()).for_each(|(byte, other)| *byte ^= other);
        self.cipher.apply(block, bytes);
    }

    /// RFC 3711 §4.2: of the packet as it goes out, and of what the far end has to know without being told.
    fn tag(&self, packet: &[u8], beside: u32) -> [u8; 20] {
        self.auth.clone().chain_update(packet).chain_update(beside.to_be_bytes()).finalize().into_bytes().into()
    }
}

#[cfg(test)]
#[path = "srtp_tests.rs"]
mod tests;
