//! Offers as phones write them, offers nobody should write, and what becomes of them.

use super::*;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng, rngs::StdRng};

const CODECS: &[Codec] = &[Codec::Pcmu, Codec::Pcma];

fn local() -> Local<'static> {
    Local {
        address: IpAddr::from([192, 0, 2, 1]),
        port: 20_000,
        codecs: CODECS,
        preference: Preference::Theirs,
        session_id: 77,
        session_version: 1,
        ..Local::default()
    }
}

/// An offer with the given media lines.
fn offer_of(lines: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n{}", lines.replace('\n', "\r\n"))
}

fn params_of(lines: &str) -> StreamParams {
    answer(&offer_of(lines), &local()).unwrap_or_else(|error| panic!("{lines}: {error}")).1
}

fn error_of(offer: &str) -> String {
    answer(offer, &local()).unwrap_err().to_string()
}

#[test]
fn a_usual_offer_gets_this_answer() {
    let lines = "m=audio 4000 RTP/AVP 96 8 0 18 97\na=rtpmap:96 opus/48000/2\na=rtpmap:8 PCMA/8000\na=rtpmap:0 PCMU/8000\n\
                 a=rtpmap:97 telephone-event/8000\na=fmtp:97 0-16\na=ptime:20\na=sendrecv\n";
    let (text, params) = answer(&offer_of(lines), &local()).unwrap();
    let expected = "v=0\no=- 77 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 20000 RTP/AVP 8 97\n\
                    a=rtpmap:8 PCMA/8000\na=rtpmap:97 telephone-event/8000\na=fmtp:97 0-15\na=ptime:20\na=sendrecv\n";
    assert_eq!(text, expected.replace('\n', "\r\n"));
    assert_eq!(
        params,
        StreamParams {
            remote: Some("192.0.2.7:4000".parse().unwrap()),
            codec: Codec::Pcma,
            payload_type: 8,
            receive_types: vec![(8, Codec::Pcma), (0, Codec::Pcmu)],
            telephone_event: Some(97),
            send_event: Some(97),
            ptime_ms: 20,
            rtcp: Rtcp::Port(Some("192.0.2.7:4001".parse().unwrap())),
            ..StreamParams::default()
        }
    );
}

#[test]
fn the_codec_is_theirs_first_or_ours_first() {
    let offer = offer_of("m=audio 4000 RTP/AVP 8 0\n");
    assert_eq!(answer(&offer, &local()).unwrap().1.codec, Codec::Pcma);
    let ours = Local { preference: Preference::Ours, ..local() };
    assert_eq!(answer(&offer, &ours).unwrap().1.codec, Codec::Pcmu);
    let only = Local { codecs: &[Codec::Pcmu], ..local() };
    assert_eq!(answer(&offer, &only).unwrap().1.payload_type, 0);
}

#[test]
fn payload_types_mean_what_rtpmap_says() {
    // Lines, codec, payload type, telephone-event.
    let rows = [
        ("m=audio 4000 RTP/AVP 0\n", Codec::Pcmu, 0, None),
        ("m=audio 4000 RTP/AVP 110\na=rtpmap:110 PCMU/8000\n", Codec::Pcmu, 110, None),
        ("m=audio 4000 RTP/AVP 110\na=rtpmap:110 pcma/8000/1\n", Codec::Pcma, 110, None),
        ("m=audio 4000 RTP/AVP 0 111\na=rtpmap:0 L16/8000\na=rtpmap:111 PCMA/8000\n", Codec::Pcma, 111, None),
        ("m=audio 4000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/48000\n", Codec::Pcma, 8, None),
        ("m=audio 4000 RTP/AVP 8 126\na=rtpmap:126 TELEPHONE-EVENT/8000\n", Codec::Pcma, 8, Some(126)),
        // One number, two events: the first at our clock rate counts.
        (
            "m=audio 4000 RTP/AVP 8 100 101\na=rtpmap:100 telephone-event/16000\na=rtpmap:101 telephone-event/8000\n",
            Codec::Pcma,
            8,
            Some(101),
        ),
        ("m=audio 4000 RTP/AVP 110 8\na=rtpmap:110 PCMU/16000\n", Codec::Pcma, 8, None),
        ("m=audio 4000 RTP/AVP 999 -1 x 300 0\n", Codec::Pcmu, 0, None),
        ("m=audio 4000 RTP/AVPF 0\n", Codec::Pcmu, 0, None),
    ];
    for (lines, codec, payload_type, telephone_event) in rows {
        let params = params_of(lines);
        assert_eq!(
            (params.codec, params.payload_type, params.telephone_event),
            (codec, payload_type, telephone_event),
            "{lines}"
        );
    }
}

#[test]
fn packet_lengths_are_honoured_where_we_can() {
    let rows = [
        ("", 20),
        ("a=ptime:10\n", 10),
        ("a=ptime:20\n", 20),
        ("a=ptime:30\n", 30),
        ("a=ptime:40\n", 40),
        ("a=ptime:60\n", 60),
        ("a=ptime: 30 \n", 30),
        ("a=ptime:20.0\n", 20),
        ("a=ptime:50\n", 20),
        ("a=ptime:0\n", 20),
        ("a=ptime:-20\n", 20),
        ("a=ptime:NaN\n", 20),
        ("a=ptime:99999999999999999999\n", 20),
        ("a=ptime\n", 20),
        ("a=maxptime:10\n", 10),
        ("a=maxptime:5\n", 10),
        ("a=ptime:60\na=maxptime:50\n", 40),
        ("a=ptime:60\na=maxptime:240\n", 60),
    ];
    for (lines, expected) in rows {
        assert_eq!(params_of(&format!("m=audio 4000 RTP/AVP 0\n{lines}")).ptime_ms, expected, "{lines}");
    }
}

#[test]
fn directions_are_mirrored_and_hold_is_understood_in_both_ways() {
    // Session attribute, connection, media attribute; we send, we receive, what we answer.
    let rows = [
        ("", "192.0.2.7", "", true, true, "sendrecv"),
        ("", "192.0.2.7", "a=sendrecv\n", true, true, "sendrecv"),
        ("", "192.0.2.7", "a=sendonly\n", false, true, "recvonly"),
        ("", "192.0.2.7", "a=recvonly\n", true, false, "sendonly"),
        ("", "192.0.2.7", "a=inactive\n", false, false, "inactive"),
        ("a=sendonly\n", "192.0.2.7", "", false, true, "recvonly"),
        ("a=inactive\n", "192.0.2.7", "a=sendrecv\n", true, true, "sendrecv"),
        ("", "0.0.0.0", "a=sendrecv\n", false, true, "recvonly"),
        ("", "0.0.0.0", "a=recvonly\n", false, false, "inactive"),
    ];
    for (session, address, media, send, receive, answered) in rows {
        let offer = format!("v=0\nc=IN IP4 {address}\n{session}m=audio 4000 RTP/AVP 0\n{media}");
        let (text, params) = answer(&offer, &local()).unwrap();
        assert_eq!((params.send, params.receive), (send, receive), "{offer}");
        assert!(text.ends_with(&format!("a={answered}\r\n")), "{offer} → {text}");
        assert_eq!(params.remote.is_some(), address != "0.0.0.0");
    }
}

#[test]
fn every_line_is_answered_in_its_place_and_one_audio_is_taken() {
    let lines = "m=video 5000 RTP/AVP 96 97\na=rtpmap:96 H264/90000\nm=audio 4000 RTP/SAVP 0\nm=audio 0 RTP/AVP 0\n\
                 m=audio 4002 RTP/AVP 18\nm=audio 4004 RTP/AVP 8\nc=IN IP4 192.0.2.9\nm=audio 4006 RTP/AVP 0\n\
                 m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n";
    let (text, params) = answer(&offer_of(lines), &local()).unwrap();
    let answered: Vec<&str> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        answered,
        [
            "m=video 0 RTP/AVP 96 97",
            "m=audio 0 RTP/SAVP 0",
            "m=audio 0 RTP/AVP 0",
            "m=audio 0 RTP/AVP 18",
            "m=audio 20000 RTP/AVP 8",
            "m=audio 0 RTP/AVP 0",
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        ]
    );
    assert_eq!(params.remote, Some("192.0.2.9:4004".parse().unwrap()));
}

/// Found by fuzzing: a line without formats was echoed without formats, which nobody can read.
#[test]
fn a_line_with_an_empty_field_is_declined_with_a_whole_one() {
    let lines = "m=audio 4000 RTP/AVP 0\nm=audio 4000 RTP/SAVP \0\nm=video 9  96\n";
    let (text, _) = answer(&offer_of(lines), &local()).unwrap();
    assert!(text.contains("m=audio 0 RTP/SAVP 0\r\n") && text.contains("m=video 0 RTP/AVP 96\r\n"), "{text}");
    assert_eq!(parse(&text).map(|media| media.len()), Ok(3), "{text}");
}

/// Found by fuzzing: a tab was taken for the end of a word here, and for a part of it there.
#[test]
fn a_line_with_tabs_in_its_fields_is_declined_with_one_word_for_each() {
    let lines = "m=audio 4000 RTP/AVP 0\nm=audio\tx 4000 RTP/AVP 0\nm=video 9 RTP/AVPF\ty 96 97\n";
    let (text, _) = answer(&offer_of(lines), &local()).unwrap();
    assert!(text.contains("m=audio 0 RTP/AVP 0\r\n") && text.contains("m=video 0 RTP/AVPF 96 97\r\n"), "{text}");
    assert_eq!(parse(&text).map(|media| media.len()), Ok(3), "{text}");
}

#[test]
fn what_real_phones_get_wrong_does_not_cost_the_call() {
    let rows = [
        ("line feeds only", "v=0\no=- 1 1 IN IP4 192.0.2.7\ns=-\nc=IN IP4 192.0.2.7\nt=0 0\nm=audio 4000 RTP/AVP 0\n"),
        ("carriage returns only", "v=0\rc=IN IP4 192.0.2.7\rm=audio 4000 RTP/AVP 0\r"),
        ("doubled carriage returns", "v=0\r\r\nc=IN IP4 192.0.2.7\r\r\nm=audio 4000 RTP/AVP 0\r\r\n"),
        ("no end of line at the end", "v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0"),
        ("blank lines and blanks", "\n v=0 \n\nc=IN IP4 192.0.2.7 \n m=audio 4000 RTP/AVP 0 \n\n"),
        ("no origin, name or time", "v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\n"),
        ("an origin of nonsense", "v=0\no=phone\ns=\nt=\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\n"),
        ("two origins", "v=0\no=- 1 1 IN IP4 1.2.3.4\no=- x y\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\n"),
        ("unknown lines", "v=0\ny=?\nX-Phone: yes\n=\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\nb=AS\nq=1\n"),
        (
            "attributes of nonsense",
            "v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\na=rtpmap\na=rtpmap:\na=rtpmap:0\na=:\na=\n",
        ),
        ("a time to live", "v=0\nc=IN IP4 192.0.2.7/127\nm=audio 4000 RTP/AVP 0\n"),
        ("two ports", "v=0\nc=IN IP4 192.0.2.7\nm=audio 4000/2 RTP/AVP 0\n"),
        ("an address of its own", "v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.7\n"),
        ("an address only there", "v=0\nm=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.7\n"),
        ("lower and upper case", "v=0\nc=in ip4 192.0.2.7\nm=AUDIO 4000 rtp/avp 0\n"),
    ];
    for (name, offer) in rows {
        let (_, params) = answer(offer, &local()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(params.remote, Some("192.0.2.7:4000".parse().unwrap()), "{name}");
        assert_eq!(params.codec, Codec::Pcmu, "{name}");
    }
}

#[test]
fn what_cannot_be_agreed_on_is_refused_in_words() {
    let rows = [
        ("", "the session description cannot be read"),
        ("hello", "the session description cannot be read"),
        ("v=1\nm=audio 4000 RTP/AVP 0\n", "the session description cannot be read"),
        ("v=0\nc=IN\nm=audio 4000 RTP/AVP 0\n", "the session description cannot be read"),
        ("v=0\nc=IN IP4 192.0.2.7\nm=audio 70000 RTP/AVP 0\n", "the session description cannot be read"),
        ("v=0\nc=IN IP4 192.0.2.7\nm=audio\n", "the session description cannot be read"),
        (
            "v=0\nc=IN IP4 1.2.3.4\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\n",
            "the session description cannot be read",
        ),
        ("v=0\nc=IN IP4 192.0.2.7\n", "the session description offers no audio"),
        ("v=0\nc=IN IP4 192.0.2.7\nm=video 4000 RTP/AVP 96\n", "the session description offers no audio"),
        ("v=0\nc=IN IP4 192.0.2.7\nm=audio 0 RTP/AVP 0\n", "the session description offers no audio"),
        (
            "v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 UDP/TLS/RTP/SAVPF 0\n",
            "the audio is offered only over UDP/TLS/RTP/SAVPF, we speak RTP/AVP",
        ),
        (
            "v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 96 18 9 77 101\na=rtpmap:96 opus/48000/2\na=rtpmap:101 telephone-event/8000\n",
            "no codec in common: they offer opus/48000/2, G729/8000, G722/8000, payload type 77, we have PCMU/8000, PCMA/8000",
        ),
        (
            "v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n",
            "no codec in common: they offer nothing, we have PCMU/8000, PCMA/8000",
        ),
        ("v=0\nm=audio 4000 RTP/AVP 0\n", "the audio cannot be sent to them: there is no c= line"),
        (
            "v=0\nc=IN IP4 phone.example.com\nm=audio 4000 RTP/AVP 0\n",
            "the audio cannot be sent to them: phone.example.com is not an IP address",
        ),
        (
            "v=0\nc=IN IP4 224.2.1.1/127\nm=audio 4000 RTP/AVP 0\n",
            "the audio cannot be sent to them: 224.2.1.1 is a multicast group",
        ),
        (
            "v=0\nc=IN IP6 2001:db8::7\nm=audio 4000 RTP/AVP 0\n",
            "the audio cannot be sent to them: their address is IPv6, ours IPv4",
        ),
    ];
    for (offer, expected) in rows {
        let error = error_of(offer);
        assert!(error.starts_with(expected), "{offer:?}: {error}");
    }
    assert_eq!(answer("", &local()).unwrap_err().sip_status(), 400);
    assert_eq!(answer("v=0\nm=audio 4000 RTP/AVP 18\n", &local()).unwrap_err().sip_status(), 488);
}

#[test]
fn names_from_strangers_are_short_and_plain_in_errors() {
    let hostile = format!(
        "v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 96\na=rtpmap:96 \"<evil>\u{1b}[31m{}\n",
        "A".repeat(5_000)
    );
    assert_eq!(
        error_of(&hostile),
        "no codec in common: they offer evil31mAAAAAAAAAAAAAAAAA, we have PCMU/8000, PCMA/8000"
    );
    let many: String = (0..128).map(|number| format!(" {number}")).collect();
    let only = Local { codecs: &[], ..local() };
    let error = answer(&offer_of(&format!("m=audio 4000 RTP/AVP{many}\n")), &only).unwrap_err().to_string();
    assert!(error.len() < 300 && error.contains('…') && error.ends_with("we have nothing"), "{error}");
}

#[test]
fn our_offer_is_answered_by_ourselves_and_the_answer_is_accepted() {
    let (us, them) = (local(), Local { address: IpAddr::from([192, 0, 2, 7]), port: 4_000, ..local() });
    for preference in [Preference::Theirs, Preference::Ours] {
        let offered = offer(&us);
        let (answered, theirs) =
            answer(&offered, &Local { preference, codecs: &[Codec::Pcma, Codec::Pcmu], ..them }).unwrap();
        let ours = accept_answer(&answered, &us).unwrap();
        assert_eq!(ours.remote, Some("192.0.2.7:4000".parse().unwrap()));
        assert_eq!(theirs.remote, Some("192.0.2.1:20000".parse().unwrap()));
        assert_eq!((ours.codec, ours.payload_type), (theirs.codec, theirs.payload_type));
        assert_eq!((ours.telephone_event, theirs.telephone_event), (Some(101), Some(101)));
        assert_eq!(ours.codec, if preference == Preference::Ours { Codec::Pcma } else { Codec::Pcmu });
    }
    let v6 = Local { address: "2001:db8::1".parse().unwrap(), ..us };
    assert!(offer(&v6).contains("c=IN IP6 2001:db8::1\r\n"));
    assert!(answer(&offer(&v6), &v6).is_ok());
}

#[test]
fn an_answer_that_renumbers_changes_what_we_send_and_not_what_we_are_sent() {
    let lines = "m=audio 4000 RTP/AVP 110 96\na=rtpmap:110 PCMA/8000\na=rtpmap:96 telephone-event/8000\n";
    let ours = accept_answer(&offer_of(lines), &local()).unwrap();
    assert_eq!((ours.codec, ours.payload_type, ours.telephone_event), (Codec::Pcma, 110, Some(TELEPHONE_EVENT)));
}

#[test]
fn an_answer_that_declines_or_leaves_our_offer_is_refused() {
    let rows = [
        ("m=audio 0 RTP/AVP 0\n", SdpError::Declined),
        ("", SdpError::NoAudio),
        ("m=audio 4000 RTP/SAVP 0\n", SdpError::Transport { transport: Listed::new(["RTP/SAVP"]), ours: "RTP/AVP" }),
    ];
    for (lines, expected) in rows {
        assert_eq!(accept_answer(&offer_of(lines), &local()), Err(expected));
    }
    let other = accept_answer(&offer_of("m=audio 4000 RTP/AVP 18\n"), &local());
    assert!(matches!(other, Err(SdpError::NoCommonCodec { .. })));
    let held = accept_answer(&offer_of("m=audio 4000 RTP/AVP 0\na=inactive\n"), &local()).unwrap();
    assert_eq!((held.send, held.receive, held.telephone_event), (false, false, None));
}

#[test]
fn huge_descriptions_are_refused_unread() {
    let long = offer_of(&"a=x\n".repeat(20_000));
    assert_eq!(answer(&long, &local()), Err(SdpError::TooLong));
    let many = offer_of(&"m=audio 4000 RTP/AVP 0\n".repeat(65));
    assert_eq!(answer(&many, &local()), Err(SdpError::TooLong));
    assert!(answer(&offer_of(&"m=audio 4000 RTP/AVP 0\n".repeat(64)), &local()).is_ok());
}

#[test]
fn random_and_mangled_text_never_panics_and_answers_stay_well_formed() {
    let mut random = StdRng::seed_from_u64(8866);
    let words = [
        "v=0",
        "c=IN IP4 192.0.2.7",
        "c=",
        "m=audio 4000 RTP/AVP 0 8 101",
        "m=audio",
        "m=video 1 RTP/AVP 96",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=ptime:",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
        "m=audio 4002 RTP/SAVP 107 9",
        "a=rtpmap:107 opus/48000/2",
        "a=fmtp:107 useinbandfec=1;=;x;usedtx=1",
        "a=rtcp:4003 IN IP4",
        "a=rtcp-mux",
        "a=ice-ufrag:x",
        "a=ice-pwd:y",
        "a=candidate:1 1 udp 1 192.0.2.7 4000 typ host",
        "a=sendonly",
        "\r",
        "\0",
        "é",
        "=",
        " ",
        "/",
        "65536",
        "-1",
        "c=IN IP6 ::",
        "a=",
    ];
    for _ in 0..20_000 {
        let text: String = if random.random() {
            (0..random.random_range(0..200)).map(|_| char::from(random.random_range(0..=127u8))).collect()
        } else {
            let lines =
                (0..random.random_range(0..12)).map(|_| *words.choose(&mut random).unwrap()).collect::<Vec<_>>();
            lines.join(if random.random() { "\n" } else { "" })
        };
        let text =
            if random.random() { format!("v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\n{text}") } else { text };
        let local = Local {
            codecs: &Codec::ALL,
            srtp: SrtpPolicy::Optional,
            rtcp_mux: true,
            ice: true,
            keys: [7; 92],
            ..local()
        };
        let _ = accept_answer(&text, &local);
        if let Ok((answered, params)) = answer(&text, &local) {
            let lines: Vec<&str> = answered.split_terminator("\r\n").collect();
            assert!(
                lines.iter().all(|line| line.as_bytes().get(1) == Some(&b'=') && !line.contains(['\r', '\n', '\0'])),
                "{answered:?}"
            );
            assert_eq!(answered.matches("m=audio 20000 ").count(), 1, "{answered:?}");
            assert!(PTIMES_MS.contains(&params.ptime_ms));
        }
    }
}

/// All we can do.
fn able() -> Local<'static> {
    Local { codecs: &Codec::ALL, srtp: SrtpPolicy::Optional, rtcp_mux: true, ice: true, keys: [7; 92], ..local() }
}

#[test]
fn wideband_codecs_are_taken_in_the_order_that_counts() {
    let lines = "m=audio 4000 RTP/AVP 96 9 0 8\na=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1; maxaveragebitrate=16000;usedtx=0\n";
    let (text, params) = answer(&offer_of(lines), &able()).unwrap();
    assert_eq!((params.codec, params.payload_type), (Codec::Opus, 96));
    assert_eq!(params.opus, OpusParams { fec: true, max_bitrate: Some(16_000), ..OpusParams::default() });
    assert_eq!(params.receive_types, [(96, Codec::Opus), (0, Codec::Pcmu), (8, Codec::Pcma)]);
    assert!(text.contains("a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1;stereo=0"), "{text}");
    let ours = Local { codecs: &[Codec::G722, Codec::Opus], preference: Preference::Ours, ..able() };
    let (text, params) = answer(&offer_of(lines), &ours).unwrap();
    assert_eq!((params.codec, params.payload_type), (Codec::G722, 9));
    assert!(text.contains("m=audio 20000 RTP/AVP 9\r\na=rtpmap:9 G722/8000\r\n"), "{text}");
    // Names that are nearly right are not.
    for name in ["opus/48000", "opus/8000/2", "G722/16000"] {
        let lines = format!("m=audio 4000 RTP/AVP 96 8\na=rtpmap:96 {name}\n");
        assert_eq!(answer(&offer_of(&lines), &able()).unwrap().1.codec, Codec::Pcma, "{name}");
    }
}

#[test]
fn g_729_is_taken_under_all_its_names_where_it_is_named_and_never_with_silence_left_out() {
    for (lines, number) in [
        ("m=audio 4000 RTP/AVP 18 0\n", 18),
        ("m=audio 4000 RTP/AVP 18 0\na=rtpmap:18 G729/8000\na=fmtp:18 annexb=no\n", 18),
        ("m=audio 4000 RTP/AVP 18 0\na=rtpmap:18 g729/8000/1\na=fmtp:18 annexb=yes\n", 18),
        ("m=audio 4000 RTP/AVP 97 0\na=rtpmap:97 G729A/8000\na=ptime:30\n", 97),
    ] {
        let (text, params) = answer(&offer_of(lines), &able()).unwrap();
        assert_eq!((params.codec, params.payload_type), (Codec::G729, number), "{lines}");
        assert_eq!(params.ptime_ms, if lines.contains("ptime") { 30 } else { 20 });
        let expected = format!("a=rtpmap:{number} G729/8000\r\na=fmtp:{number} annexb=no\r\n");
        assert!(text.contains(&expected), "{text}");
    }
    // Who did not name it does not get it, and hears why.
    let usual = Local { codecs: &Codec::USUAL, ..able() };
    assert_eq!(answer(&offer_of("m=audio 4000 RTP/AVP 18 8\n"), &usual).unwrap().1.codec, Codec::Pcma);
    assert_eq!(answer(&offer_of("m=audio 4000 RTP/AVP 18\n"), &usual).unwrap_err().sip_status(), 488);
    let local = Local { srtp: SrtpPolicy::Off, ..able() };
    assert!(offer(&local).contains("a=fmtp:18 annexb=no\r\n"), "{}", offer(&local));
    assert_eq!(accept_answer(&offer_of("m=audio 4000 RTP/AVP 18\n"), &local).unwrap().codec, Codec::G729);
}

#[test]
fn keys_count_in_the_clock_of_the_codec_where_both_can() {
    let events = "a=rtpmap:96 opus/48000/2\na=rtpmap:100 telephone-event/48000\na=rtpmap:101 telephone-event/8000\n";
    // Formats; codec, payload type of keys, their clock.
    let rows = [
        ("96 100 101", Codec::Opus, Some(100), 48_000),
        ("96 101", Codec::Opus, Some(101), 8_000),
        ("0 100 101", Codec::Pcmu, Some(101), 8_000),
        ("0 100", Codec::Pcmu, None, 8_000),
        ("9 101", Codec::G722, Some(101), 8_000),
    ];
    for (formats, codec, number, clock_hz) in rows {
        let lines = format!("m=audio 4000 RTP/AVP {formats}\n{events}");
        let (text, params) = answer(&offer_of(&lines), &able()).unwrap();
        assert_eq!((params.codec, params.telephone_event, params.send_event), (codec, number, number), "{formats}");
        assert_eq!(params.event_clock_hz, clock_hz, "{formats}");
        assert_eq!(text.matches("telephone-event").count(), usize::from(number.is_some()));
    }
}

#[test]
fn packets_of_30_ms_are_not_for_opus() {
    let lines = |more: &str| offer_of(&format!("m=audio 4000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\n{more}"));
    for (more, expected) in
        [("a=ptime:30\n", 20), ("a=ptime:60\na=maxptime:30\n", 20), ("a=maxptime:15\n", 10), ("a=ptime:40\n", 40)]
    {
        assert_eq!(answer(&lines(more), &able()).unwrap().1.ptime_ms, expected, "{more}");
    }
}

#[test]
fn rtcp_goes_where_they_say() {
    let port = |port: &str| Rtcp::Port(Some(port.parse().unwrap()));
    let rows = [
        ("m=audio 4000 RTP/AVP 0\n", port("192.0.2.7:4001")),
        ("m=audio 4000 RTP/AVP 0\na=rtcp:5000\n", port("192.0.2.7:5000")),
        ("m=audio 4000 RTP/AVP 0\na=rtcp:5000 IN IP4 192.0.2.8\n", port("192.0.2.8:5000")),
        ("m=audio 4000 RTP/AVP 0\na=rtcp:5000 IN IP6 2001:db8::1\n", port("192.0.2.7:5000")),
        ("m=audio 4000 RTP/AVP 0\na=rtcp:0\n", port("192.0.2.7:4001")),
        ("m=audio 4000 RTP/AVP 0\na=rtcp-mux\na=rtcp:5000\n", Rtcp::Mux),
        ("m=audio 65535 RTP/AVP 0\n", Rtcp::Port(None)),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\n", Rtcp::Port(None)),
    ];
    for (lines, expected) in rows {
        let (text, params) = answer(&offer_of(lines), &able()).unwrap();
        assert_eq!(params.rtcp, expected, "{lines}");
        assert_eq!(text.contains("a=rtcp-mux\r\n"), expected == Rtcp::Mux, "{lines}");
    }
    let separate = Local { rtcp_mux: false, ..able() };
    let (text, params) = answer(&offer_of("m=audio 4000 RTP/AVP 0\na=rtcp-mux\n"), &separate).unwrap();
    assert!(params.rtcp == port("192.0.2.7:4001") && !text.contains("rtcp-mux"));
}

#[test]
fn checks_of_connectivity_are_answered_for_who_asks_and_whose_addresses_agree() {
    let asks = "m=audio 4000 RTP/AVP 0\na=rtcp-mux\na=ice-ufrag:them\na=ice-pwd:abcdefghijklmnopqrstuvwx\n\
                a=candidate:1 1 UDP 2130706431 192.0.2.7 4000 typ host\na=candidate:2 1 TCP 1 192.0.2.7 9 typ host\n";
    let (text, params) = answer(&offer_of(asks), &able()).unwrap();
    let ice = params.ice.unwrap();
    assert_eq!((ice.ufrag.len(), ice.password.len(), ice.their_ufrag.as_deref()), (8, 24, Some("them")));
    let (session, media) = text.split_once("m=audio").unwrap();
    assert!(session.contains("a=ice-lite\r\n"), "{text}");
    assert!(media.contains(&format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ice.ufrag, ice.password)), "{text}");
    assert!(media.contains("a=candidate:1 1 UDP 2130706431 192.0.2.1 20000 typ host\r\na=end-of-candidates\r\n"));
    for (name, lines) in [
        ("no candidate is the address of the line", asks.replace("192.0.2.7 4000", "192.0.2.7 4002")),
        ("two ports", asks.replace("a=rtcp-mux\n", "")),
        ("no password", asks.replace("ice-pwd", "ice-pw")),
        ("only TCP", asks.replace("UDP", "TCP")),
    ] {
        let (text, params) = answer(&offer_of(&lines), &able()).unwrap();
        assert!(params.ice.is_none() && !text.contains("ice"), "{name}: {text}");
    }
    assert!(answer(&offer_of(asks), &Local { ice: false, ..able() }).unwrap().1.ice.is_none());
}

#[test]
fn numbers_that_mean_something_else_are_not_taken_for_g_711() {
    let lines = "m=audio 4000 RTP/AVP 9 0\na=rtpmap:0 L16/8000\n";
    let (_, params) = answer(&offer_of(lines), &able()).unwrap();
    assert_eq!(params.receive_types, [(9, Codec::G722), (8, Codec::Pcma)]);
}

#[test]
fn our_offer_says_all_we_can_and_whatever_of_it_comes_is_taken() {
    let local = Local { srtp: SrtpPolicy::Off, ..able() };
    let text = offer(&local);
    assert!(text.contains("m=audio 20000 RTP/AVP 0 8 9 107 18 101 110\r\n"), "{text}");
    let params = accept_answer(
        &offer_of("m=audio 4000 RTP/AVP 96 97\na=rtpmap:96 opus/48000/2\na=rtpmap:97 telephone-event/48000\n"),
        &local,
    )
    .unwrap();
    assert_eq!((params.codec, params.payload_type), (Codec::Opus, 96));
    // What we send has their numbers, what they send ours.
    assert_eq!((params.send_event, params.telephone_event, params.event_clock_hz), (Some(97), Some(110), 48_000));
    let ours = [(0, Codec::Pcmu), (8, Codec::Pcma), (9, Codec::G722), (107, Codec::Opus), (18, Codec::G729)];
    assert_eq!(params.receive_types, ours);
    let before = unsettled(&local);
    assert_eq!((before.remote, before.receive_types), (None, params.receive_types));
    assert_eq!((before.telephone_event, before.more_events), (Some(101), vec![(110, 48_000)]));
}

#[test]
fn keys_are_taken_in_every_clock_that_an_answer_repeats() {
    let local = Local { srtp: SrtpPolicy::Off, ..able() };
    let events = "a=rtpmap:107 opus/48000/2\na=rtpmap:96 telephone-event/8000\na=rtpmap:110 telephone-event/48000\n";
    // Formats of the answer; the event we send, those we take.
    let rows: [(&str, Option<u8>, &[u8]); 5] = [
        ("107 0 96 110", Some(110), &[110, 101]),
        ("0 107 96 110", Some(96), &[101, 110]),
        ("0 96", Some(96), &[101]),
        ("0 110", None, &[110]),
        ("0", None, &[]),
    ];
    for (formats, sent, taken) in rows {
        let ours = Layout::default();
        let offered = offer_with(&local, Direction::SendRecv, &ours, None);
        let lines = format!("m=audio 4000 RTP/AVP {formats}\n{events}");
        let params = accept_with(&offer_of(&lines), &local, &offered).unwrap();
        let more = params.more_events.iter().map(|(number, _)| *number);
        let heard: Vec<u8> = params.telephone_event.into_iter().chain(more).collect();
        assert_eq!((params.send_event, &heard[..]), (sent, taken), "{formats}");
        // They stay when we offer anew.
        let again = offer_with(&local, Direction::SendOnly, &ours, Some(&params));
        assert!(taken.iter().all(|number| again.events.iter().any(|(offered, _)| offered == number)), "{formats}");
        assert_eq!(again.events.len(), 2, "{formats}");
    }
}

#[test]
fn bombs_of_lines_are_read_in_time() {
    let lines = |line: &str| line.repeat(60_000 / (line.len() + 1));
    for line in [
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\n",
        "a=crypto\n",
        "a=candidate:1 1 udp 1 192.0.2.7 4000 typ host\n",
        "a=fmtp:0 x=1;\n",
        "a=rtpmap:1 x/1\n",
        "a=group:BUNDLE 0 0 0 0\n",
    ] {
        let numbers: String = (0..128).map(|number| format!(" {number}")).collect();
        let offer = offer_of(&format!("m=audio 4000 RTP/AVP{numbers}\n{}", lines(line)));
        assert!(answer(&offer, &able()).is_ok(), "{line}");
    }
}
