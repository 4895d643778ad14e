//! What SIPp may offer the whole gateway when it calls, and what must stand in our answer: every freedom of offer and
//! answer that telephones, PBXs and browsers take. What comes later in a call is in `sessions`.

use super::house::{Gateway, Settings};
use super::sipp::{self, SDP, Scenario};

/// Lines behind the head of the description, and a pattern of the answer.
const ROWS: &[(&str, &str)] = &[
    // Several streams: one is taken, the others are declined in their places (RFC 3264 §6).
    (
        "m=video 17004 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 17000 RTP/AVP 0\nm=audio 17008 RTP/AVP 8\n",
        "m=video 0 .*m=audio [1-9][0-9]* RTP/AVP 0.*m=audio 0 ",
    ),
    ("m=audio 0 RTP/AVP 0\nm=audio 17000 RTP/AVP 8\n", "m=audio 0 .*m=audio [1-9][0-9]* RTP/AVP 8"),
    (
        "m=audio 17000 RTP/AVP 0\nm=text 17020 RTP/AVP 98\na=rtpmap:98 t140/1000\n",
        "m=audio [1-9][0-9]* RTP/AVP 0.*m=text 0 ",
    ),
    ("m=image 17004 udptl t38\nm=audio 17000 RTP/AVP 0\n", "m=image 0 udptl t38.*m=audio [1-9]"),
    ("m=application 9 TCP/BFCP *\nm=audio 17000 RTP/AVP 8\n", "m=application 0 TCP/BFCP.*m=audio [1-9]"),
    // Feedback profiles are tolerated, without feedback.
    ("m=audio 17000 RTP/AVPF 0\na=rtcp-fb:* nack\n", "m=audio [1-9][0-9]* RTP/AVPF 0"),
    ("m=audio 17000 RTP/AVPF 0\na=rtcp-mux\na=rtcp-fb:* nack\na=maxptime:60\n", "RTP/AVPF.*a=rtcp-mux"),
    // RTCP on the same port, for those who ask.
    ("m=audio 17000 RTP/AVP 0\na=rtcp-mux\n", "a=rtcp-mux"),
    // Checks of connectivity are answered (ICE lite), for those who ask.
    (
        "a=ice-ufrag:them\na=ice-pwd:abcdefghijklmnopqrstuvwx\nm=audio 17000 RTP/AVP 0\na=rtcp-mux\n\
         a=candidate:1 1 UDP 2130706431 127.0.0.1 17000 typ host\n",
        "a=ice-lite.*a=ice-ufrag:.*a=ice-pwd:.*a=candidate:1 1 UDP",
    ),
    // Payload types are what their rtpmap says, and are used as they were offered.
    (
        "m=audio 17000 RTP/AVP 110\na=rtpmap:110 PCMA/8000/1\n",
        "m=audio [1-9][0-9]* RTP/AVP 110.*a=rtpmap:110 PCMA/8000",
    ),
    (
        "m=audio 17000 RTP/AVP 96 8 0 99\na=rtpmap:96 SPEEX/16000\na=rtpmap:99 telephone-event/8000\na=fmtp:99 0-16\n",
        "m=audio [1-9][0-9]* RTP/AVP 8 99.*a=rtpmap:99 telephone-event/8000.*a=fmtp:99 0-15",
    ),
    (
        "m=audio 17000 RTP/AVP 107 9 0\na=rtpmap:107 opus/48000/2\na=fmtp:107 useinbandfec=1; stereo=1\n",
        "m=audio [1-9][0-9]* RTP/AVP 107.*a=rtpmap:107 opus/48000/2.*a=fmtp:107 ",
    ),
    ("m=audio 17000 RTP/AVP 9 0\n", "m=audio [1-9][0-9]* RTP/AVP 9"),
    // The length of packets.
    ("m=audio 17000 RTP/AVP 0\na=ptime:40\n", "a=ptime:40"),
    ("m=audio 17000 RTP/AVP 0\na=ptime:60\na=maxptime:30\n", "a=ptime:30"),
    // Directions, of the stream and of the session.
    ("m=audio 17000 RTP/AVP 0\na=sendonly\n", "a=recvonly"),
    ("m=audio 17000 RTP/AVP 0\na=inactive\n", "a=inactive"),
    ("a=recvonly\nm=audio 17000 RTP/AVP 0\n", "a=sendonly"),
    // What nobody knows is passed over.
    ("b=TIAS:64000\na=x-unknown:1\nm=audio 17000 RTP/AVP 0\ni=our line\nb=AS:80\nk=prompt\na=\n", "m=audio [1-9]"),
];

#[test]
fn sipp_offers_in_every_way_there_is_and_gets_the_answer_that_is_due() {
    if !sipp::is_here() {
        return;
    }
    let head = SDP.split_once("m=audio").expect("a stream").0;
    // A gateway under test has ports for seventeen calls, and gives none twice in a row.
    for rows in ROWS.chunks(10) {
        let gateway = Gateway::start(Settings::default());
        for (offered, answered) in rows {
            let scenario = Scenario::invite("", &format!("{head}{offered}"));
            let went = scenario.ringing().expect_with(200, "body", answered).ack(1, "").hang_up(2).run(gateway.sip);
            assert!(went.success, "{offered} wants {answered}:\n{}", went.messages);
        }
        gateway.wait_for_records(rows.len());
    }
}

/// Nothing that we could take: 488, with a word for whoever runs the far end.
#[test]
fn what_sipp_offers_in_vain_is_refused_and_says_why() {
    if !sipp::is_here() {
        return;
    }
    let gateway = Gateway::start(Settings::default());
    let head = SDP.split_once("m=audio").expect("a stream").0;
    for offered in [
        "m=audio 0 RTP/AVP 0\n",
        "m=audio 17000 RTP/AVP 97\na=rtpmap:97 SPEEX/16000\n",
        "m=video 17000 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "m=audio 17000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n",
        "m=audio 17000 UDP/TLS/RTP/SAVPF 0\na=setup:actpass\n",
        "m=audio 17000 UDP/BFCP 0\n",
    ] {
        let scenario = Scenario::invite("", &format!("{head}{offered}"));
        let went = scenario.trying().expect_with(488, "Warning", "399 .*").ack_refusal(1).run(gateway.sip);
        assert!(went.success, "{offered}:\n{}", went.messages);
    }
}

/// An INVITE without a description: ours goes out with the 200, theirs comes with the ACK; and one that is no answer to
/// ours ends the call with BYE.
#[test]
fn sipp_answers_our_late_offer_in_its_ack_or_is_hung_up_on() {
    if !sipp::is_here() {
        return;
    }
    let gateway = Gateway::start(Settings::default());
    let asked =
        || Scenario::invite("", "").ringing().expect_with(200, "body", "m=audio [1-9].*PCMU/8000.*telephone-event");
    asked().ack(1, SDP).pause_ms(300).hang_up(2).run(gateway.sip).check();
    let useless = SDP.replace("0 101", "97").replace("0 PCMU/8000", "97 SPEEX/16000");
    asked().ack(1, &useless).expect_request("BYE").answer("200 OK", "", "").run(gateway.sip).check();
    asked().ack(1, "").expect_request("BYE").answer("200 OK", "", "").run(gateway.sip).check();
    gateway.wait_for_records(3);
}
