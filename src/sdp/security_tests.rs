//! Offers and answers with keys and without, under each policy.

use super::*;
use crate::rtp::Codec;
use crate::sdp::session::parse;
use crate::sdp::{Local, Negotiation, accept_answer, answer, offer};

const HEAD: &str = "v=0\nc=IN IP4 192.0.2.7\n";
const KEY: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

/// All we can do.
fn able() -> Local<'static> {
    let address = [192, 0, 2, 1].into();
    let codecs = &[Codec::Pcmu, Codec::Pcma];
    Local { address, port: 20_000, codecs, srtp: SrtpPolicy::Optional, keys: [7; 92], ..Local::default() }
}

#[test]
fn encryption_is_taken_required_or_refused_as_we_are_told() {
    let plain = "m=audio 4000 RTP/AVP 0\n".to_owned();
    let hopeful = format!("{plain}a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}\n");
    let secure = format!(
        "m=audio 4002 RTP/SAVP 0\na=crypto:5 F8_128_HMAC_SHA1_80 {KEY}\na=crypto:7 AES_CM_128_HMAC_SHA1_32 {KEY}\n"
    );
    let useless = format!("m=audio 4002 RTP/SAVPF 0\na=crypto:5 F8_128_HMAC_SHA1_80 {KEY}\n");
    let dtls = "m=audio 4004 UDP/TLS/RTP/SAVPF 0\n".to_owned();
    let both = format!("{plain}{secure}");
    let carried = "the audio is offered only over";
    let must = "the audio must be encrypted (RTP/SAVP with a=crypto), and is offered plain";
    let no_way = "no way of encryption in common: they offer F8_128_HMAC_SHA1_80, we have AES_256_CM_HMAC_SHA1_80,";
    // Offer; off, optional, required: port and tag that are taken, or the refusal.
    type Taken = Result<(u16, Option<u32>), &'static str>;
    let rows: [(&str, &str, [Taken; 3]); 6] = [
        ("plain", &plain, [Ok((4000, None)), Ok((4000, None)), Err(must)]),
        ("hopeful", &hopeful, [Ok((4000, None)), Ok((4000, Some(1))), Ok((4000, Some(1)))]),
        ("secure", &secure, [Err(carried), Ok((4002, Some(7))), Ok((4002, Some(7)))]),
        ("useless", &useless, [Err(carried), Err(no_way), Err(no_way)]),
        ("dtls", &dtls, [Err(carried), Err(carried), Err(carried)]),
        ("both", &both, [Ok((4000, None)), Ok((4002, Some(7))), Ok((4002, Some(7)))]),
    ];
    for (name, lines, expected) in rows {
        for (srtp, expected) in [SrtpPolicy::Off, SrtpPolicy::Optional, SrtpPolicy::Required].into_iter().zip(expected)
        {
            match (answer(&format!("{HEAD}{lines}"), &Local { srtp, ..able() }), expected) {
                (Ok((text, params)), Ok((port, tag))) => {
                    assert_eq!(params.remote.map(|remote| remote.port()), Some(port), "{name}, {srtp:?}");
                    let line = text.lines().find_map(|line| line.strip_prefix("a=crypto:"));
                    let ours = line.and_then(Crypto::parse);
                    assert_eq!(ours.map(|crypto| crypto.tag), tag, "{name}, {srtp:?}: {text}");
                    let keys = params.security.as_ref().map(|keys| (keys.suite, keys.ours));
                    assert_eq!(ours.map(|crypto| (crypto.suite, crypto.key)), keys, "{name}, {srtp:?}");
                    if let Some(keys) = params.security {
                        assert_eq!(keys.theirs.bytes(keys.suite), b"YS___semctl () {\t220;}\n}\nunles");
                        assert_ne!(keys.ours, keys.theirs);
                    }
                }
                (Err(error), Err(words)) => {
                    assert!(error.to_string().starts_with(words), "{name}, {srtp:?}: {error}");
                    assert_eq!(error.sip_status(), 488);
                }
                (taken, _) => panic!("{name}, {srtp:?}: {taken:?}"),
            }
        }
    }
}

#[test]
#[should_panic(expected = "random bytes")]
fn no_key_is_made_of_nothing() {
    let _ = offer(&Local { srtp: SrtpPolicy::Required, keys: [0; 92], ..able() });
}

#[test]
fn an_encrypted_offer_is_answered_encrypted_or_not_accepted() {
    let required = Local { srtp: SrtpPolicy::Required, ..able() };
    let offered = offer(&required);
    assert_eq!(offered.matches("a=crypto:").count(), 3, "{offered}");
    assert!(offered.contains(" RTP/SAVP "));
    let them = Local { keys: [9; 92], port: 4_000, ..required };
    let (answered, theirs) = answer(&offered, &them).unwrap();
    let ours = accept_answer(&answered, &required).unwrap();
    let (ours, theirs) = (ours.security.unwrap(), theirs.security.unwrap());
    assert_eq!((ours.suite, ours.ours, ours.theirs), (theirs.suite, theirs.theirs, theirs.ours));
    assert_eq!(ours.suite, Suite::AesCm256Sha1_80);
    for (changed, expected) in [
        (answered.replace("RTP/SAVP", "RTP/AVP").replace("a=crypto", "a=other"), SdpError::Unencrypted),
        (answered.replace("a=crypto:1 ", "a=crypto:2 "), no_common_suite(&parse(&answered).unwrap()[0])),
    ] {
        assert_eq!(accept_answer(&changed, &required), Err(expected), "{changed}");
    }
    assert!(matches!(
        accept_answer(&answered.replace("a=crypto", "a=other"), &required),
        Err(SdpError::NoCommonSuite { .. })
    ));
}

/// A call between two that may encrypt: ours, theirs, and our last description.
fn encrypted(policy: SrtpPolicy) -> (Negotiation, Negotiation) {
    let local = Local { srtp: policy, ..able() };
    let (mut ours, mut theirs) =
        (Negotiation::new(local), Negotiation::new(Local { keys: [9; 92], port: 4_000, ..local }));
    let (answer, _) = theirs.answer(&ours.offer(crate::sdp::Direction::SendRecv)).unwrap();
    assert!(ours.accept(&answer).unwrap().security.is_some(), "{answer}");
    (ours, theirs)
}

/// The same description as who knows no keys writes it.
fn without_keys(sdp: &str) -> String {
    sdp.replace("RTP/SAVP", "RTP/AVP").replace("a=crypto", "a=x-unknown")
}

#[test]
fn what_may_be_encrypted_is_offered_so_that_who_cannot_takes_it_plain() {
    let optional = able();
    let offered = offer(&optional);
    assert!(offered.contains("m=audio 20000 RTP/AVP 0 8 101\r\n"), "{offered}");
    assert_eq!(offered.matches("a=crypto:").count(), 3, "{offered}");
    let (sealed, theirs) = answer(&offered, &Local { keys: [9; 92], ..optional }).unwrap();
    assert!(sealed.contains("RTP/AVP") && sealed.contains("a=crypto:1 AES_256_CM_HMAC_SHA1_80"), "{sealed}");
    let ours = accept_answer(&sealed, &optional).unwrap();
    assert_eq!(ours.security.map(|keys| keys.theirs), theirs.security.map(|keys| keys.ours));
    // Some answer with the profile that says what they do.
    assert!(accept_answer(&sealed.replace("RTP/AVP", "RTP/SAVP"), &optional).unwrap().security.is_some());
    let (plain, _) = answer(&offered, &Local { srtp: SrtpPolicy::Off, ..optional }).unwrap();
    assert!(!plain.contains("crypto"), "{plain}");
    assert_eq!(accept_answer(&plain, &optional).unwrap().security, None);
    // Keys that are none of ours are no reason to think it plain: they would seal with them.
    let other = sealed.replace("a=crypto:1 ", "a=crypto:9 ");
    assert!(matches!(accept_answer(&other, &optional), Err(SdpError::NoCommonSuite { .. })));
}

#[test]
fn before_the_answer_nothing_is_heard_of_a_call_that_may_be_encrypted() {
    for (srtp, heard) in [(SrtpPolicy::Off, true), (SrtpPolicy::Optional, false), (SrtpPolicy::Required, false)] {
        assert_eq!(Negotiation::new(Local { srtp, ..able() }).unsettled().receive, heard, "{srtp:?}");
    }
}

#[test]
fn an_encrypted_call_is_never_plain_again() {
    for policy in [SrtpPolicy::Optional, SrtpPolicy::Required] {
        let (mut ours, mut theirs) = encrypted(policy);
        let held = ours.agreed().unwrap().clone();
        let plain = without_keys(&theirs.offer(crate::sdp::Direction::SendRecv));
        assert_eq!(ours.answer(&plain), Err(SdpError::Downgrade), "{policy:?}");
        assert_eq!(SdpError::Downgrade.sip_status(), 488);
        theirs.refused();
        // Put away and brought back, it is still the same call.
        let away = plain.replace("m=audio 4000", "m=audio 0");
        assert!(ours.answer(&away).is_ok());
        assert_eq!(ours.answer(&plain), Err(SdpError::Downgrade), "{policy:?}");
        // Nor do we take a plain answer to an offer of ours in the call.
        let again = ours.offer(crate::sdp::Direction::SendOnly);
        assert!(again.contains("a=crypto:1 AES_256_CM_HMAC_SHA1_80"), "{again}");
        let (answer, _) = theirs.answer(&again).unwrap();
        assert_eq!(ours.accept(&without_keys(&answer)), Err(SdpError::Downgrade), "{policy:?}");
        assert_eq!(ours.accept(&answer).unwrap().security, held.security);
    }
}

#[test]
fn a_plain_call_may_become_encrypted_when_they_ask_and_is_not_asked_by_us() {
    let (mut ours, mut theirs) = (Negotiation::new(able()), Negotiation::new(Local { keys: [9; 92], ..able() }));
    let (answer, _) = theirs.answer(&without_keys(&ours.offer(crate::sdp::Direction::SendRecv))).unwrap();
    assert_eq!(ours.accept(&answer).unwrap().security, None);
    let again = ours.offer(crate::sdp::Direction::SendOnly);
    assert!(again.contains("RTP/AVP") && !again.contains("crypto"), "{again}");
    ours.refused();
    let (_, params) =
        ours.answer(&format!("{HEAD}m=audio 4002 RTP/SAVP 0\na=crypto:7 AES_CM_128_HMAC_SHA1_32 {KEY}\n")).unwrap();
    assert_eq!(params.security.map(|keys| keys.suite), Some(Suite::AesCm128Sha1_32));
}
