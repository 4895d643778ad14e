//! Somebody who is called: a SIP socket that answers as it is told, and an RTP socket beside it.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::LONG_ENOUGH;
use super::caller::header;

pub struct Callee {
    pub sip: UdpSocket,
    pub rtp: UdpSocket,
    /// Where the last request came from.
    from: Option<SocketAddr>,
    /// The INVITE, once it has come.
    pub invite: String,
    cseq: u32,
}

impl Callee {
    pub fn new() -> Self {
        let socket = || UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let (sip, rtp) = (socket(), socket());
        sip.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        rtp.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        Self { sip, rtp, from: None, invite: String::new(), cseq: 0 }
    }

    /// The URI to be called at.
    pub fn uri(&self) -> String {
        format!("sip:ada@{}", self.sip.local_addr().expect("bound"))
    }

    /// Waits for a request of this method; others that come before it are answered as politeness wants.
    pub fn wait_for(&mut self, method: &str) -> String {
        let give_up = Instant::now() + LONG_ENOUGH;
        let mut buffer = [0; 8192];
        while Instant::now() < give_up {
            let Ok((size, from)) = self.sip.recv_from(&mut buffer) else { continue };
            self.from = Some(from);
            let message = String::from_utf8_lossy(&buffer[..size]).into_owned();
            if !message.starts_with(&format!("{method} ")) {
                continue;
            }
            if method == "INVITE" {
                self.invite.clone_from(&message);
            }
            return message;
        }
        panic!("no {method} came");
    }

    /// Answers `request`.
    pub fn reply(&self, request: &str, status: &str, body: &str) {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for line in request.lines() {
            let mirrored = ["Via:", "From:", "Call-ID:", "CSeq:", "Record-Route:"];
            if mirrored.iter().any(|name| line.starts_with(name)) {
                text.push_str(line);
                text.push_str("\r\n");
            }
        }
        let to = header(request, "To").expect("a request has a To");
        let tag = if to.contains("tag=") { "" } else { ";tag=callee" };
        text.push_str(&format!("To: {to}{tag}\r\nContact: <{}>\r\n", self.uri()));
        if !body.is_empty() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let to = self.from.expect("a request has come");
        self.sip.send_to(text.as_bytes(), to).expect("loopback accepts datagrams");
    }

    /// What we describe of our sound.
    pub fn sdp(&self, direction: &str) -> String {
        let port = self.rtp.local_addr().expect("bound").port();
        format!(
            "v=0\r\no=callee 1 {} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n",
            self.cseq + 1,
        )
    }

    /// A new description of ours inside the dialog; gives its final answer.
    pub fn offer(&mut self, method: &str, direction: &str) -> String {
        let sdp = self.sdp(direction);
        self.tell(method, &[], ("application/sdp", &sdp))
    }

    /// A request of ours inside the dialog, with these headers and this body; gives its final answer.
    pub fn tell(&mut self, method: &str, headers: &[(&str, &str)], (kind, body): (&str, &str)) -> String {
        self.cseq += 1;
        let of = |name| header(&self.invite, name).expect("the INVITE has it");
        let target = of("Contact").trim_matches(['<', '>']).to_owned();
        let local = self.sip.local_addr().expect("bound");
        let mut text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKcallee{}{method};rport\r\n\
             Max-Forwards: 70\r\nFrom: {};tag=callee\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\nContact: <{}>\r\n",
            self.cseq,
            of("To"),
            of("From"),
            of("Call-ID"),
            self.cseq,
            self.uri(),
        );
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Type: {kind}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let to = self.from.expect("a request has come");
        let mut buffer = [0; 8192];
        for _ in 0..40 {
            self.sip.send_to(text.as_bytes(), to).expect("loopback accepts datagrams");
            let give_up = Instant::now() + Duration::from_millis(500);
            while Instant::now() < give_up {
                let Ok(size) = self.sip.recv(&mut buffer) else { continue };
                let answer = String::from_utf8_lossy(&buffer[..size]).into_owned();
                let ours = header(&answer, "CSeq") == Some(&format!("{} {method}", self.cseq));
                if answer.starts_with("SIP/2.0 ") && !answer.starts_with("SIP/2.0 1") && ours {
                    if method == "INVITE" {
                        self.acknowledge(&text, &answer, to);
                    }
                    return answer;
                }
            }
        }
        panic!("{method} is not answered");
    }

    fn acknowledge(&self, invite: &str, answer: &str, to: SocketAddr) {
        let head = invite.split("Content-Type").next().unwrap_or(invite);
        let head = head.split("Content-Length").next().unwrap_or(head);
        let ack = head.replacen("INVITE ", "ACK ", 1).replace(" INVITE\r\n", " ACK\r\n");
        // To a 2xx the ACK is a transaction of its own (RFC 3261 §17).
        let success = answer.starts_with("SIP/2.0 2");
        let ack = if success { ack.replace("INVITE;rport", "ACK;rport") } else { ack };
        let text = format!("{ack}Content-Length: 0\r\n\r\n");
        self.sip.send_to(text.as_bytes(), to).expect("loopback accepts datagrams");
    }

    /// Rings, answers, and waits for the ACK and the first sound: from then on the call surely stands.
    pub fn pick_up(&mut self) {
        let invite = self.wait_for("INVITE");
        self.reply(&invite, "180 Ringing", "");
        let sdp = self.sdp("sendrecv");
        self.reply(&invite, "200 OK", &sdp);
        self.wait_for("ACK");
        let give_up = Instant::now() + LONG_ENOUGH;
        while self.packets_in(Duration::from_millis(20)) == 0 {
            assert!(Instant::now() < give_up, "no sound came");
        }
    }

    /// Waits for BYE and confirms it.
    pub fn be_hung_up_on(&mut self) {
        let bye = self.wait_for("BYE");
        self.reply(&bye, "200 OK", "");
    }

    /// Waits for so many keys, as telephone-events.
    pub fn wait_for_keys(&self, count: usize) -> String {
        let give_up = Instant::now() + LONG_ENOUGH;
        let mut buffer = [0; 2048];
        let (mut keys, mut last) = (String::new(), None);
        while Instant::now() < give_up && keys.len() < count {
            let Ok(size) = self.rtp.recv(&mut buffer) else { continue };
            if size == 16 && buffer[1] & 0x7F == 101 {
                let stamp = [buffer[4], buffer[5], buffer[6], buffer[7]];
                if last.replace(stamp) != Some(stamp) {
                    keys.extend("0123456789*#ABCD".chars().nth(usize::from(buffer[12])));
                }
            }
        }
        keys
    }

    /// How many RTP packets come in that time; they are taken away.
    pub fn packets_in(&self, time: Duration) -> usize {
        let give_up = Instant::now() + time;
        let mut buffer = [0; 2048];
        let mut count = 0;
        while Instant::now() < give_up {
            // RTCP on the same port is none (RFC 5761 §4).
            let heard = self.rtp.recv(&mut buffer);
            count += usize::from(heard.is_ok_and(|size| size > 12 && !(192..=223).contains(&buffer[1])));
        }
        count
    }
}
