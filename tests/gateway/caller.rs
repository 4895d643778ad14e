//! A caller with a SIP socket and an RTP socket, polite unless told otherwise.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use trunkline::audio::g711::Law;

use super::LONG_ENOUGH;
use super::house::Gateway;
use super::sound::{Frame, SILENCE};

const FRAME: Duration = Duration::from_millis(20);

/// What a caller offers to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// PCMU and nothing else.
    Mu,
    /// PCMA and nothing else.
    A,
}

impl Speaks {
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Mu => 0,
            Self::A => 8,
        }
    }

    pub const fn law(self) -> Law {
        match self {
            Self::Mu => Law::Mu,
            Self::A => Law::A,
        }
    }
}

pub struct Caller {
    pub sip: UdpSocket,
    pub rtp: UdpSocket,
    /// Where the gateway takes our RTP, once it has said so.
    pub media: Option<SocketAddr>,
    gateway: SocketAddr,
    call: String,
    number: String,
    to_tag: String,
    cseq: u32,
    speaks: Speaks,
    /// What its next packet says of itself.
    pub sequence: u16,
    pub stamp: u32,
    pub ssrc: u32,
    next_frame: Option<Instant>,
    heard: Vec<Vec<u8>>,
}

impl Caller {
    pub fn new(gateway: &Gateway, number: &str) -> Self {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let socket = || UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let (sip, rtp) = (socket(), socket());
        sip.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        rtp.set_nonblocking(true).expect("a socket can be switched");
        Self {
            sip,
            rtp,
            media: None,
            gateway: gateway.sip,
            call: format!("test-{}-{}", std::process::id(), CALLS.fetch_add(1, Ordering::Relaxed)),
            number: number.to_owned(),
            to_tag: String::new(),
            cseq: 1,
            speaks: Speaks::Mu,
            sequence: 7,
            stamp: 1234,
            ssrc: 0xCA11,
            next_frame: None,
            heard: Vec::new(),
        }
    }

    pub fn speaking(mut self, speaks: Speaks) -> Self {
        self.speaks = speaks;
        self
    }

    /// Calls 1000 and stays on the line.
    pub fn dial(gateway: &Gateway, number: &str) -> Self {
        Self::new(gateway, number).connect(gateway)
    }

    pub fn connect(mut self, gateway: &Gateway) -> Self {
        assert_eq!(self.invite("1000").0, 200, "log:\n{}", gateway.log());
        self.ack("1000", "");
        self
    }

    // Signalling

    pub fn sdp(&self) -> String {
        let port = self.rtp.local_addr().expect("bound").port();
        let (payload_type, name) = match self.speaks {
            Speaks::Mu => (0, "PCMU"),
            Speaks::A => (8, "PCMA"),
        };
        format!(
            "v=0\r\no=test 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {payload_type} 101\r\na=rtpmap:{payload_type} {name}/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"
        )
    }

    pub fn request(&self, method: &str, called: &str, body: &str) -> String {
        let local = self.sip.local_addr().expect("bound");
        let mut text = format!(
            "{method} sip:{called}@{gateway} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{call}{cseq}{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{number}@{local}>;tag=f{call}\r\nTo: <sip:{called}@{gateway}>{tag}\r\n\
             Call-ID: {call}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{number}@{local}>\r\n",
            gateway = self.gateway,
            call = self.call,
            cseq = self.cseq,
            branch = if method == "ACK" { "a" } else { "" },
            number = self.number,
            tag = if self.to_tag.is_empty() { String::new() } else { format!(";tag={}", self.to_tag) },
        );
        if !body.is_empty() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        text
    }

    pub fn send(&self, text: &str) {
        self.send_bytes(text.as_bytes());
    }

    pub fn send_bytes(&self, bytes: &[u8]) {
        self.sip.send_to(bytes, self.gateway).expect("loopback accepts datagrams");
    }

    /// The next SIP message, if one comes in time; RTP keeps arriving meanwhile and waits in its socket.
    pub fn receive(&self, within: Duration) -> Option<String> {
        let give_up = Instant::now() + within;
        let mut buffer = [0; 8192];
        while Instant::now() < give_up {
            if let Ok(size) = self.sip.recv(&mut buffer) {
                return Some(String::from_utf8_lossy(&buffer[..size]).into_owned());
            }
        }
        None
    }

    /// Whatever else arrives is no answer that ends in a call.
    pub fn hears_nothing_more(&self) {
        while let Some(message) = self.receive(Duration::from_millis(60)) {
            assert_ne!(status_of(&message), Some(200), "{message}");
        }
    }

    /// INVITE, and what finally came of it: its status and the whole answer, not acknowledged.
    pub fn invite(&mut self, called: &str) -> (u16, String) {
        let body = self.sdp();
        self.invite_with(called, &body)
    }

    pub fn invite_with(&mut self, called: &str, body: &str) -> (u16, String) {
        let invite = self.request("INVITE", called, body);
        self.send(&invite);
        for _ in 0..20 {
            let Some(answer) = self.receive(Duration::from_millis(500)) else {
                self.send(&invite);
                continue;
            };
            let Some(status) = status_of(&answer).filter(|status| *status >= 200) else { continue };
            let tag = header(&answer, "To").and_then(|to| to.split("tag=").nth(1));
            self.to_tag = tag.unwrap_or_default().to_owned();
            self.media = media_of(&answer);
            return (status, answer);
        }
        panic!("no final answer to INVITE");
    }

    /// A re-INVITE with this direction; its answer, acknowledged.
    pub fn offer_again(&mut self, direction: &str) -> String {
        let body = self.sdp() + &format!("a={direction}\r\n");
        let (status, answer) = self.invite_again(&body);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// A re-INVITE with this description; what came of it, acknowledged.
    pub fn invite_again(&mut self, sdp: &str) -> (u16, String) {
        self.cseq += 1;
        let media = self.media;
        let (status, answer) =
            self.invite_with("1000", &sdp.replace("o=test 1 1 ", &format!("o=test 1 {} ", self.cseq)));
        if status != 200 {
            self.media = media;
        }
        self.ack("1000", "");
        (status, answer)
    }

    /// Sends its sound to where this description says.
    pub fn reaches(&mut self, sdp: &str) {
        self.media = media_of(sdp);
    }

    /// Its call as another telephone names it that wants to take it over (RFC 3891), seen from the gateway.
    pub fn dialog(&self) -> String {
        format!("{};to-tag={};from-tag=f{}", self.call, self.to_tag, self.call)
    }

    pub fn ack(&self, called: &str, body: &str) {
        self.send(&self.request("ACK", called, body));
    }

    /// Agrees to an offer of the gateway's.
    pub fn agree(&self, offer: &str) {
        let sdp = self.sdp().replace("o=test 1 1 ", "o=test 1 9 ");
        let direction = if offer.contains("a=sendonly") { "recvonly" } else { "sendrecv" };
        let body = format!("{sdp}a={direction}\r\n");
        let head = answer_to(offer).replace("Content-Length: 0\r\n\r\n", "");
        let local = self.sip.local_addr().expect("bound");
        self.send(&format!(
            "{head}Contact: <sip:{}@{local}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            self.number,
            body.len()
        ));
    }

    pub fn hang_up(&mut self) {
        self.cseq += 1;
        let bye = self.request("BYE", "1000", "");
        for _ in 0..20 {
            self.send(&bye);
            if let Some(answer) = self.receive(Duration::from_millis(500)) {
                assert_eq!(status_of(&answer), Some(200), "{answer}");
                return;
            }
        }
        panic!("BYE is not answered");
    }

    /// Waits for the gateway's BYE and answers it.
    pub fn wait_for_bye(&self) {
        let give_up = Instant::now() + LONG_ENOUGH;
        while Instant::now() < give_up {
            if let Some(bye) = self.receive(Duration::from_secs(1)).filter(|message| message.starts_with("BYE ")) {
                self.send(&answer_to(&bye));
                return;
            }
        }
        panic!("the gateway never hung up");
    }

    // Sound

    /// The beat of a real telephone, without drift.
    pub fn pace(&mut self) {
        let at = self.next_frame.unwrap_or_else(Instant::now);
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        self.next_frame = Some(at + FRAME);
    }

    /// One frame of sound, when its time has come.
    pub fn speak(&mut self, frame: &Frame) {
        let payload = frame.map(|sample| self.speaks.law().encode(sample));
        self.pace();
        self.send_rtp(self.speaks.payload_type(), false, self.stamp, &payload);
        self.stamp = self.stamp.wrapping_add(160);
        self.listen();
    }

    pub fn say(&mut self, frames: &[Frame]) {
        frames.iter().for_each(|frame| self.speak(frame));
    }

    pub fn keep_silent(&mut self, frames: usize) {
        (0..frames).for_each(|_| self.speak(&SILENCE));
    }

    pub fn send_rtp(&mut self, payload_type: u8, marker: bool, stamp: u32, payload: &[u8]) {
        let mut packet = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(stamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        let _ = self.rtp.send_to(&packet, self.media.expect("the answer named the gateway's RTP port"));
    }

    /// A key as RFC 4733 sends it: four updates, then the end three times.
    pub fn press(&mut self, key: char) {
        let event = "0123456789*#ABCD".find(key).expect("a telephone key") as u8;
        let begin = self.stamp;
        for step in 0..7_u16 {
            let ended = step >= 4;
            let duration = (step.min(4) + 1) * 160;
            let [high, low] = duration.to_be_bytes();
            self.pace();
            self.send_rtp(101, step == 0, begin, &[event, if ended { 0x8A } else { 0x0A }, high, low]);
            self.listen();
        }
        self.stamp = begin.wrapping_add(7 * 160);
    }

    /// Presses one key after the other, a fifth of a second between them.
    pub fn press_all(&mut self, keys: &str) {
        for key in keys.chars() {
            self.press(key);
            self.keep_silent(10);
        }
    }

    pub fn listen(&mut self) {
        let mut buffer = [0; 2048];
        while let Ok(size) = self.rtp.recv(&mut buffer) {
            self.heard.push(buffer[..size].to_vec());
        }
    }

    /// Stays on the line, sending what `sound` gives per frame, until the gateway hangs up; answers its BYE.
    pub fn stay(&mut self, sound: impl FnMut(usize) -> Frame) {
        self.stay_for(LONG_ENOUGH, sound);
    }

    pub fn stay_for(&mut self, within: Duration, mut sound: impl FnMut(usize) -> Frame) {
        let give_up = Instant::now() + within;
        let mut buffer = [0; 8192];
        self.sip.set_nonblocking(true).expect("a socket can be switched");
        for frame in 0.. {
            assert!(Instant::now() < give_up, "the gateway did not hang up within {within:?}");
            self.speak(&sound(frame));
            let Ok(size) = self.sip.recv(&mut buffer) else { continue };
            let message = String::from_utf8_lossy(&buffer[..size]).into_owned();
            if message.starts_with("BYE ") {
                self.send(&answer_to(&message));
                break;
            }
        }
        self.sip.set_nonblocking(false).expect("a socket can be switched");
        self.sip.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    }

    /// Says nothing until the gateway hangs up.
    pub fn stay_silent(&mut self) {
        self.stay(|_| SILENCE);
    }

    /// The packets heard so far, in the order they were sent.
    pub fn packets(&mut self) -> Vec<Vec<u8>> {
        self.listen();
        let first = self.heard.first().map_or(0, |packet| sequence(packet));
        self.heard.sort_by_key(|packet| sequence(packet).wrapping_sub(first) as i16);
        self.heard.clone()
    }

    /// Everything heard so far, as samples, without a gap: panics when the gateway left a packet out.
    pub fn heard(&mut self) -> Vec<i16> {
        let packets = self.packets();
        for pair in packets.windows(2) {
            assert_eq!(sequence(&pair[1]), sequence(&pair[0]).wrapping_add(1), "a packet is missing");
        }
        let payload_type = self.speaks.payload_type();
        let types: BTreeSet<u8> = packets.iter().map(|packet| packet[1] & 0x7F).collect();
        assert_eq!(types, BTreeSet::from([payload_type]), "only what was agreed on is sent");
        let payloads = packets.iter().flat_map(|packet| packet[12..].to_vec());
        payloads.map(|byte| self.speaks.law().decode(byte)).collect()
    }
}

fn sequence(packet: &[u8]) -> u16 {
    assert!(packet.len() > 12 && packet[0] == 0x80, "the gateway sends plain RTP: {packet:02x?}");
    u16::from_be_bytes([packet[2], packet[3]])
}

/// 200 to a request, its headers mirrored.
pub fn answer_to(request: &str) -> String {
    let mut text = "SIP/2.0 200 OK\r\n".to_owned();
    for line in request.lines() {
        if ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name)) {
            let _ = write!(text, "{line}\r\n");
        }
    }
    text + "Content-Length: 0\r\n\r\n"
}

pub fn status_of(message: &str) -> Option<u16> {
    message.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn media_of(answer: &str) -> Option<SocketAddr> {
    let address = answer.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?.trim();
    let port = answer.lines().find_map(|line| line.strip_prefix("m=audio "))?.split(' ').next()?;
    format!("{address}:{port}").parse().ok()
}
