//! Sealed packets: nothing that was not sealed with the key is opened, and what was sealed comes back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::rtp::srtp::{Keys, MasterKey, Opener, Sealer, Suite};

const SUITES: [Suite; 4] =
    [Suite::AesCm128Sha1_80, Suite::AesCm128Sha1_32, Suite::AesCm256Sha1_80, Suite::AesCm256Sha1_32];

fuzz_target!(|data: &[u8]| {
    let Some((&which, packet)) = data.split_first() else { return };
    let suite = SUITES[usize::from(which) % SUITES.len()];
    let key = || MasterKey::new(suite, &[5; 46][..key_bytes(suite)]).expect("as long as the suite wants");
    let keys = Keys { suite, ours: key(), theirs: key() };
    let mut strange = packet.to_vec();
    assert!(Opener::new(&keys).rtp(&mut strange).is_err(), "nobody forges a tag by chance");
    let mut strange = packet.to_vec();
    assert!(Opener::new(&keys).rtcp(&mut strange).is_err(), "nobody forges a tag by chance");
    let mut sealed = packet.to_vec();
    sealed.resize(packet.len() + 64, 0);
    if let Some(length) = Sealer::new(&keys).rtp(&mut sealed, packet.len()) {
        // What has no whole header is sealed by nobody else and need not open.
        if let Ok(opened) = Opener::new(&keys).rtp(&mut sealed[..length]) {
            assert_eq!(&sealed[..opened], packet, "sealed and opened is what it was");
        }
    }
});

/// Key and salt (RFC 4568 §6.2, RFC 6188 §4).
const fn key_bytes(suite: Suite) -> usize {
    match suite {
        Suite::AesCm128Sha1_80 | Suite::AesCm128Sha1_32 => 30,
        Suite::AesCm256Sha1_80 | Suite::AesCm256Sha1_32 => 46,
    }
}
