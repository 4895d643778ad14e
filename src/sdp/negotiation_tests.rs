//! Whole conversations of offers and answers.

use super::*;
use crate::rtp::srtp::Suite;
use crate::sdp::SrtpPolicy;

fn local(port: u16) -> Local<'static> {
    Local { address: [192, 0, 2, 1].into(), port, ..Local::default() }
}

fn version_of(text: &str) -> &str {
    let origin = text.lines().find(|line| line.starts_with("o=")).unwrap();
    origin.split(' ').nth(2).unwrap()
}

#[test]
fn the_version_rises_only_when_what_we_say_differs() {
    let mut negotiation = Negotiation::new(local(4_000));
    let offer = "v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\n";
    let (first, _) = negotiation.answer(offer).unwrap();
    let (second, _) = negotiation.answer(offer).unwrap();
    assert_eq!(first, second);
    assert_eq!(version_of(&first), "1");
    let (held, params) = negotiation.answer(&format!("{offer}a=sendonly\n")).unwrap();
    assert_eq!((version_of(&held), params.send), ("2", false));
    let (resumed, params) = negotiation.answer(offer).unwrap();
    assert_eq!((version_of(&resumed), params.send), ("3", true));
    assert_eq!(negotiation.again(), resumed);
}

#[test]
fn a_refused_offer_leaves_what_held_before() {
    let mut negotiation = Negotiation::new(local(4_000));
    let (answer, params) = negotiation.answer("v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\n").unwrap();
    let offer = negotiation.offer(Direction::SendOnly);
    assert!(offer.contains("a=sendonly\r\n") && negotiation.again() == offer);
    negotiation.refused();
    assert_eq!((negotiation.again(), negotiation.agreed()), (answer.as_str(), Some(&params)));
    // A refusal of nothing changes nothing.
    negotiation.refused();
    assert_eq!(negotiation.again(), answer);
}

#[test]
fn an_offer_or_answer_that_cannot_be_used_changes_nothing() {
    let mut negotiation = Negotiation::new(local(4_000));
    let (said, params) = negotiation.answer("v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\n").unwrap();
    assert!(negotiation.answer("v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 18\n").is_err());
    assert!(negotiation.accept("nonsense").is_err());
    assert_eq!((negotiation.again(), negotiation.agreed()), (said.as_str(), Some(&params)));
}

const OFFER: &str = "v=0\nc=IN IP4 192.0.2.7\n";

#[test]
fn lines_stay_in_their_places_when_we_offer_after_them() {
    let mut negotiation = Negotiation::new(Local { codecs: &Codec::ALL, ..local(4_000) });
    let lines = "m=video 5000 RTP/AVP 96\nm=audio 4000 RTP/AVPF 96 101\na=rtpmap:96 opus/48000/2\n\
                 a=rtpmap:101 telephone-event/8000\nm=image 6000 udptl t38\n";
    negotiation.answer(&format!("{OFFER}{lines}")).unwrap();
    let offer = negotiation.offer(Direction::SendRecv);
    let written: Vec<&str> = offer.lines().filter(|line| line.starts_with("m=")).collect();
    // Opus keeps its number and stands first, being in use; 101 is theirs for keys and so it is ours.
    let expected = ["m=video 0 RTP/AVP 96", "m=audio 4000 RTP/AVPF 96 0 8 9 18 101 110", "m=image 0 udptl t38"];
    assert_eq!(written, expected);
    let answer = format!("{OFFER}m=video 0 RTP/AVP 96\nm=audio 4002 RTP/AVPF 9\nm=image 0 udptl t38\n");
    let params = negotiation.accept(&answer).unwrap();
    assert_eq!((params.codec, params.remote.unwrap().port()), (Codec::G722, 4_002));
    assert_eq!(negotiation.accept("v=0\nm=video 0 RTP/AVP 96\n"), Err(SdpError::NoAudio));
}

/// As linphone offers: three clocks of keys, of which the codec chosen takes one.
#[test]
fn hold_changes_neither_the_codec_in_use_nor_the_keys_that_others_would_need() {
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::Opus];
    let mut negotiation = Negotiation::new(Local { codecs: &codecs, ..local(4_000) });
    let keys =
        "a=rtpmap:99 telephone-event/48000\na=rtpmap:100 telephone-event/16000\na=rtpmap:101 telephone-event/8000\n";
    let lines = format!("m=audio 4000 RTP/AVP 96 0 8 99 100 101\na=rtpmap:96 opus/48000/2\n{keys}");
    let (_, params) = negotiation.answer(&format!("{OFFER}{lines}")).unwrap();
    assert_eq!((params.codec, params.telephone_event), (Codec::Opus, Some(99)));
    for (direction, answer) in [(Direction::SendOnly, "96 0 8 99"), (Direction::SendRecv, "96 0 8 99")] {
        let offer = negotiation.offer(direction);
        assert!(offer.contains("m=audio 4000 RTP/AVP 96 0 8 99 101\r\n"), "{offer}");
        assert!(offer.contains("a=rtpmap:99 telephone-event/48000\r\n"), "{offer}");
        assert!(offer.contains("a=rtpmap:101 telephone-event/8000\r\n"), "{offer}");
        let opus = "a=rtpmap:96 opus/48000/2\na=rtpmap:99 telephone-event/48000\n";
        let params = negotiation.accept(&format!("{OFFER}m=audio 4000 RTP/AVP {answer}\n{opus}")).unwrap();
        assert_eq!((params.codec, params.telephone_event), (Codec::Opus, Some(99)));
    }
    // They may leave it for another all the same, and the keys go with it.
    negotiation.offer(Direction::SendRecv);
    let answer = format!("{OFFER}m=audio 4000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n");
    let params = negotiation.accept(&answer).unwrap();
    assert_eq!((params.codec, params.telephone_event, params.event_clock_hz), (Codec::Pcmu, Some(101), 8_000));
    let offer = negotiation.offer(Direction::SendOnly);
    assert!(offer.contains("m=audio 4000 RTP/AVP 0 8 96 101 99\r\n"), "{offer}");
}

#[test]
fn numbers_that_are_theirs_for_something_else_are_not_given_again() {
    let mut negotiation = Negotiation::new(Local { codecs: &[Codec::Pcmu, Codec::Opus], ..local(4_000) });
    let lines = "m=audio 4000 RTP/AVP 0 107 101\na=rtpmap:107 speex/8000\na=rtpmap:101 iLBC/8000\n";
    negotiation.answer(&format!("{OFFER}{lines}")).unwrap();
    assert!(negotiation.offer(Direction::SendRecv).contains("m=audio 4000 RTP/AVP 0\r\n"));
}

#[test]
fn a_stream_put_away_with_port_0_comes_back() {
    let mut negotiation = Negotiation::new(local(4_000));
    let away = format!("{OFFER}m=audio 0 RTP/AVP 0\n");
    assert_eq!(negotiation.answer(&away), Err(SdpError::NoAudio), "nothing was there to put away");
    negotiation.answer(&format!("{OFFER}m=audio 4000 RTP/AVP 0\n")).unwrap();
    let (answer, params) = negotiation.answer(&away).unwrap();
    assert!(answer.ends_with("m=audio 0 RTP/AVP 0\r\n"), "{answer}");
    assert_eq!((params.send, params.receive), (false, false));
    let (answer, params) = negotiation.answer(&format!("{OFFER}m=audio 4002 RTP/AVP 0\n")).unwrap();
    assert!(answer.contains("m=audio 4000 RTP/AVP 0\r\n"));
    assert_eq!((params.send, params.receive, params.remote.unwrap().port()), (true, true, 4_002));
}

#[test]
fn sound_that_would_give_way_to_a_fax_is_kept() {
    let mut negotiation = Negotiation::new(local(4_000));
    let (said, params) = negotiation.answer(&format!("{OFFER}m=audio 4000 RTP/AVP 0\n")).unwrap();
    let fax = format!("{OFFER}m=audio 0 RTP/AVP 0\nm=image 5000 udptl t38\n");
    let refused = negotiation.answer(&fax).unwrap_err();
    assert_eq!((refused.sip_status(), refused), (488, SdpError::NoAudio));
    assert_eq!((negotiation.again(), negotiation.agreed()), (said.as_str(), Some(&params)));
    // Where the fax has been given up too, nothing is left to refuse.
    assert!(negotiation.answer(&fax.replace("5000", "0")).is_ok());
}

#[test]
fn connectivity_checks_go_on_over_an_offer_of_ours() {
    let asks = |ufrag: &str, direction: &str| {
        format!(
            "{OFFER}m=audio 4000 RTP/AVP 0\na=rtcp-mux\na=ice-ufrag:{ufrag}\na=ice-pwd:abcdefghijklmnopqrstuvwx\n\
             a=candidate:1 1 UDP 2130706431 192.0.2.7 4000 typ host\na={direction}\n"
        )
    };
    let mut negotiation = Negotiation::new(Local { rtcp_mux: true, ice: true, keys: [7; 92], ..local(4_000) });
    assert!(!negotiation.offer(Direction::SendRecv).contains("ice"), "nobody has asked");
    let (answer, params) = negotiation.answer(&asks("them", "sendrecv")).unwrap();
    let ice = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains("ice-") || line.contains("candidate"));
        lines.map(str::to_owned).collect()
    };
    let hold = negotiation.offer(Direction::SendOnly);
    assert_eq!((ice(&hold).len(), ice(&hold)), (5, ice(&answer)));
    let held = negotiation.accept(&asks("they", "recvonly")).unwrap();
    let (before, now) = (params.ice.unwrap(), held.ice.unwrap());
    assert_eq!((&now.ufrag, &now.password), (&before.ufrag, &before.password));
    assert_eq!(now.their_ufrag.as_deref(), Some("they"));
    // An answer without is the end of it.
    negotiation.offer(Direction::SendRecv);
    let ended = negotiation.accept(&format!("{OFFER}m=audio 4000 RTP/AVP 0\na=rtcp-mux\n")).unwrap();
    assert!(ended.ice.is_none() && !negotiation.offer(Direction::SendRecv).contains("ice"));
}

#[test]
fn an_answer_cannot_give_what_we_did_not_offer() {
    let mut negotiation = Negotiation::new(local(4_000));
    for (ours, answered, send, receive) in [
        (Direction::SendRecv, "sendrecv", true, true),
        (Direction::SendOnly, "sendrecv", true, false),
        (Direction::SendOnly, "recvonly", true, false),
        (Direction::Inactive, "sendrecv", false, false),
        (Direction::RecvOnly, "sendonly", false, true),
    ] {
        negotiation.offer(ours);
        let params = negotiation.accept(&format!("{OFFER}m=audio 4000 RTP/AVP 0\na={answered}\n")).unwrap();
        assert_eq!((params.send, params.receive), (send, receive), "{ours:?}, {answered}");
    }
}

#[test]
fn an_offer_may_be_answered_twice_and_nothing_not_at_all() {
    let mut negotiation = Negotiation::new(local(4_000));
    let answer = |port: u16| format!("{OFFER}m=audio {port} RTP/AVP 8\n");
    assert_eq!(negotiation.accept(&answer(4_000)), Err(SdpError::Unasked));
    negotiation.offer(Direction::SendRecv);
    assert!(negotiation.agreed().is_none());
    let early = negotiation.accept(&answer(4_000)).unwrap();
    let params = negotiation.accept(&answer(5_000)).unwrap();
    assert_eq!((early.remote.unwrap().port(), params.remote.unwrap().port()), (4_000, 5_000));
    // Answered, so there is nothing to refuse.
    let said = negotiation.again().to_owned();
    negotiation.refused();
    assert_eq!(negotiation.again(), said);
}

fn secure(port: u16, random: u8) -> Local<'static> {
    Local { srtp: SrtpPolicy::Required, keys: [random; 92], ..local(port) }
}

#[test]
fn our_key_stays_while_the_call_does_and_a_suite_that_was_left_never_comes_back_with_it() {
    let offer = |suite: &str, key: char| {
        let key = key.to_string().repeat(40);
        format!("{OFFER}m=audio 4000 RTP/SAVP 0\na=crypto:1 {suite} inline:{key}\n")
    };
    let (long, short) = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32");
    let mut negotiation = Negotiation::new(secure(4_000, 7));
    let mut keys = |offer: &str| negotiation.answer(offer).unwrap().1.security.unwrap();
    let first = keys(&offer(long, 'a'));
    let again = keys(&offer(long, 'a'));
    assert_eq!(first, again);
    let theirs_changed = keys(&offer(long, 'b'));
    assert!(first.ours == theirs_changed.ours && first.theirs != theirs_changed.theirs);
    let other = keys(&offer(short, 'b'));
    assert_eq!(other.suite, Suite::AesCm128Sha1_32);
    let back = keys(&offer(long, 'a'));
    assert_eq!(back.suite, Suite::AesCm128Sha1_80);
    assert_ne!(back.ours, first.ours);
    assert_eq!(keys(&offer(long, 'a')), keys(&offer(long, 'a')));
}

#[test]
fn another_telephone_behind_the_same_far_end_gets_another_key_of_ours() {
    let line = |port: u16, key: char| {
        let key = key.to_string().repeat(40);
        format!("{OFFER}m=audio {port} RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\n")
    };
    let mut negotiation = Negotiation::new(secure(4_000, 7));
    let mut ours = |offer: &str| negotiation.answer(offer).unwrap().1.security.unwrap().ours;
    let first = ours(&line(4_000, 'a'));
    assert_eq!(ours(&line(4_000, 'b')), first, "another key alone");
    assert_eq!(ours(&line(4_002, 'b')), first, "another address alone");
    let second = ours(&line(4_004, 'c'));
    assert_ne!(second, first);
    assert_eq!(ours(&line(4_004, 'c')), second);

    // In an answer it is too late for the key we offered with; the next description has another.
    let inline = |text: &str| text.split("AES_CM_128_HMAC_SHA1_80 inline:").nth(1).unwrap()[..40].to_owned();
    let offered = inline(&negotiation.offer(Direction::SendOnly));
    negotiation.accept(&line(4_006, 'd')).unwrap();
    let next = inline(&negotiation.offer(Direction::SendRecv));
    assert_ne!(next, offered);
    negotiation.accept(&line(4_006, 'd')).unwrap();
    assert_eq!(inline(&negotiation.offer(Direction::SendRecv)), next);
}

#[test]
fn telephones_that_answer_one_offer_do_not_make_a_key_old() {
    let mut negotiation = Negotiation::new(secure(4_000, 7));
    let offered = negotiation.offer(Direction::SendRecv);
    for (port, key) in [(4_000, "a"), (4_002, "b")] {
        let suite = "a=crypto:1 AES_256_CM_HMAC_SHA1_80";
        let key = format!("{}A==", key.repeat(61));
        negotiation.accept(&format!("{OFFER}m=audio {port} RTP/SAVP 0\n{suite} inline:{key}\n")).unwrap();
    }
    let inline = |text: &str| text.split("inline:").nth(1).unwrap()[..62].to_owned();
    assert_eq!(inline(&negotiation.offer(Direction::SendOnly)), inline(&offered));
}

#[test]
fn a_required_key_is_never_given_up_later() {
    let mut negotiation = Negotiation::new(secure(4_000, 7));
    let mut caller = Negotiation::new(Local { address: [192, 0, 2, 7].into(), ..secure(5_000, 9) });
    let (answer, params) = negotiation.answer(&caller.offer(Direction::SendRecv)).unwrap();
    let theirs = caller.accept(&answer).unwrap().security.unwrap();
    let ours = params.security.clone().unwrap();
    assert_eq!((ours.ours, ours.theirs), (theirs.theirs, theirs.ours));
    let plain = format!("{OFFER}m=audio 4000 RTP/AVP 0\n");
    assert_eq!(negotiation.answer(&plain), Err(SdpError::Downgrade));
    assert_eq!(negotiation.agreed(), Some(&params));
    // A hold offered by the other side keeps suite and keys.
    let (answer, _) = caller.answer(&negotiation.offer(Direction::SendOnly)).unwrap();
    let held = negotiation.accept(&answer).unwrap();
    assert_eq!((held.security, held.receive), (Some(ours), false));
}

#[test]
fn secrets_are_in_no_debug_output() {
    let mut negotiation = Negotiation::new(secure(4_000, 7));
    let offer = negotiation.offer(Direction::SendRecv);
    let inline = offer.split("inline:").nth(1).unwrap().split("\r\n").next().unwrap();
    assert!(inline.len() >= 40 && !format!("{negotiation:?}").contains(inline));
    assert!(!format!("{:?}", secure(4_000, 7)).contains("7, 7"));
}

#[test]
fn our_answer_said_again_as_an_offer_may_be_answered() {
    let mut negotiation = Negotiation::new(Local { codecs: &[Codec::Pcmu, Codec::Pcma], ..local(4_000) });
    let lines = |port: u16| format!("{OFFER}m=audio {port} RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n");
    let (answer, before) = negotiation.answer(&lines(5_000)).unwrap();
    let after = negotiation.accept(&lines(6_000)).unwrap();
    assert_eq!((after.codec, after.telephone_event), (before.codec, before.telephone_event));
    assert_eq!(after.remote, "192.0.2.7:6000".parse().ok(), "they have moved");
    assert_eq!((negotiation.again(), negotiation.agreed()), (answer.as_str(), Some(&after)));
    assert!(negotiation.accept(&format!("{OFFER}m=audio 6000 RTP/AVP 0\n")).is_err(), "that was not in it");
}
