//! Where one message ends and the next begins on a stream (RFC 3261 §18.3, RFC 5626 §3.5.1).
//!
//! Content-Length decides, and it must be there: without it nobody knows where the next message begins. Blank lines
//! between messages are keep-alives: a double CRLF asks for a single one. Whatever cannot be a message ends the
//! connection, because after it nothing on the stream has a beginning.

use super::message::Raw;

/// Longest header section, in bytes: as long as the longest message we read at all.
const MAX_HEADERS: usize = 16 * 1024;
/// Longest body. Ours are read up to [`super::guard::MAX_MESSAGE`]; a longer one is still skipped in step.
const MAX_BODY: usize = 64 * 1024;
/// By here a line must have ended that looks like SIP.
const MAX_START_LINE: usize = 4 * 1024;

/// One thing that came whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message, start line to the end of its body.
    Message(Vec<u8>),
    /// A double CRLF: to be answered with one.
    Ping,
    /// The answer to ours.
    Pong,
}

/// The stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// No start line of SIP.
    #[error("this is not SIP")]
    NotSip,
    /// No Content-Length, two of them, or no number. The header section has been read: it may be answered with 400.
    #[error("no usable Content-Length")]
    NoLength,
    /// Header section or body are longer than anything we take.
    #[error("longer than any message we read")]
    TooLong,
}

/// Cuts a stream into frames.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Header bytes known to hold no empty line: they are not searched again.
    searched: usize,
}

impl Framer {
    /// Takes what has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Has a message begun that is not complete?
    pub fn is_inside(&self) -> bool {
        self.buffer.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// The next complete frame, `None` when more bytes are needed. After [`Broken`] the stream is to be closed.
    pub fn pop(&mut self) -> Result<Option<Frame>, Broken> {
        if let Some(frame) = self.pop_blank() {
            return Ok(Some(frame));
        }
        if self.buffer.first().is_none_or(|byte| matches!(byte, b'\r' | b'\n')) {
            return Ok(None);
        }
        self.check_start()?;
        let Some(head) = self.head_length() else {
            return if self.buffer.len() > MAX_HEADERS { Err(Broken::TooLong) } else { Ok(None) };
        };
        if head > MAX_HEADERS {
            return Err(Broken::TooLong);
        }
        let body = content_length(&self.buffer[..head])?;
        if body > MAX_BODY {
            return Err(Broken::TooLong);
        }
        if self.buffer.len() < head + body {
            return Ok(None);
        }
        let rest = self.buffer.split_off(head + body);
        self.searched = 0;
        Ok(Some(Frame::Message(std::mem::replace(&mut self.buffer, rest))))
    }

    /// After [`Broken::NoLength`]: the request as far as its empty line, with a Content-Length that is wrong to
    /// everybody, so that it is refused in the usual way (400) before the stream is closed.
    pub fn refusable(&mut self) -> Option<Vec<u8>> {
        self.searched = 0;
        let head = self.head_length()?;
        let lines = self.buffer[..head].trim_ascii_end();
        Some([lines, b"\r\nContent-Length: none\r\n\r\n".as_slice()].concat())
    }

    /// Line ends between messages: four bytes make a ping, two a pong; more of them may be on the way.
    fn pop_blank(&mut self) -> Option<Frame> {
        let blank = self.buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let (length, frame) = match blank {
            // A single one before a message means nothing.
            1 if self.buffer.len() > 1 && self.buffer[1] != b'\n' => {
                self.buffer.drain(..1);
                return None;
            }
            0 | 1 => return None,
            _ if self.buffer.starts_with(b"\r\n\r\n") => (4, Frame::Ping),
            // Half a ping, perhaps: only what follows can tell.
            3 if blank == self.buffer.len() => return None,
            _ => (2, Frame::Pong),
        };
        self.buffer.drain(..length);
        self.searched = 0;
        Some(frame)
    }

    /// Is this SIP at all? Strangers on the port (HTTP, TLS, noise) are told from a slow phone by their first line. What
    /// is decided must not depend on how much of it has come: segments are cut anywhere.
    fn check_start(&self) -> Result<(), Broken> {
        let begun = &self.buffer[..self.buffer.len().min(MAX_START_LINE)];
        let end = begun.iter().position(|byte| *byte == b'\n');
        let line = &begun[..end.unwrap_or(begun.len())];
        // A method or the protocol name is text from its first byte on.
        if line.iter().take(16).any(|byte| !(b' '..=b'~').contains(byte) && *byte != b'\r') {
            return Err(Broken::NotSip);
        }
        if end.is_none() {
            return if self.buffer.len() > MAX_START_LINE { Err(Broken::NotSip) } else { Ok(()) };
        }
        let text = line.to_ascii_uppercase();
        let is_sip = text.starts_with(b"SIP/") || text.windows(5).any(|window| window == b" SIP/");
        if is_sip { Ok(()) } else { Err(Broken::NotSip) }
    }

    /// Bytes up to and including the empty line.
    fn head_length(&mut self) -> Option<usize> {
        let from = self.searched;
        let found = (from..self.buffer.len()).find_map(|at| match &self.buffer[at..] {
            [b'\n', b'\n', ..] => Some(at + 2),
            [b'\n', b'\r', b'\n', ..] => Some(at + 3),
            _ => None,
        });
        // The last two bytes may be the beginning of an empty line.
        self.searched = self.buffer.len().saturating_sub(2);
        if found.is_some() {
            self.searched = from;
        }
        found
    }
}

/// RFC 3261 §20.14: one number, the same wherever it stands twice.
fn content_length(head: &[u8]) -> Result<usize, Broken> {
    let raw = Raw::read(head);
    let mut values = raw.headers.all("Content-Length");
    let value = values.next().ok_or(Broken::NoLength)?;
    if values.any(|other| other != value) || value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Broken::NoLength);
    }
    value.parse().map_err(|_| Broken::TooLong)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn message(body: &str) -> Vec<u8> {
        format!("OPTIONS sip:h SIP/2.0\r\nl: {}\r\nVia: x\r\n\r\n{body}", body.len()).into_bytes()
    }

    fn frames(framer: &mut Framer) -> Vec<Frame> {
        std::iter::from_fn(|| framer.pop().unwrap()).collect()
    }

    /// Found by fuzzing: such a start line was refused in pieces and taken in one.
    #[test]
    fn a_start_line_is_judged_alike_however_it_is_cut() {
        let long = format!("OPTIONS sip:{}@h SIP/2.0\r\nl: 0\r\n\r\n", "x".repeat(MAX_START_LINE));
        for stream in [b"SIP/2\xd80 200 OK\r\nl: 0\r\n\r\n".as_slice(), b"INV\tITE sip:h SIP/2.0\r\n", long.as_bytes()]
        {
            for step in [1, 3, stream.len()] {
                let mut framer = Framer::default();
                let refused = stream.chunks(step).any(|piece| {
                    framer.push(piece);
                    framer.pop() == Err(Broken::NotSip)
                });
                assert!(refused, "{:.20} in pieces of {step}", String::from_utf8_lossy(stream));
            }
        }
    }

    #[test]
    fn messages_come_out_whole_however_they_are_cut() {
        let (one, two) = (message("v=0\r\n\r\nx"), message(""));
        let stream = [b"\r\n\r\n".as_slice(), &one, &two, b"\r\n", &one].concat();
        let expected =
            [Frame::Ping, Frame::Message(one.clone()), Frame::Message(two), Frame::Pong, Frame::Message(one)];
        let mut rng = StdRng::seed_from_u64(1);
        for round in 0..300 {
            let (mut framer, mut out, mut rest) = (Framer::default(), Vec::new(), stream.as_slice());
            while !rest.is_empty() {
                let most = if round == 0 { 1 } else { rest.len().min(60) };
                let (now, later) = rest.split_at(rng.random_range(1..=most));
                framer.push(now);
                out.extend(frames(&mut framer));
                rest = later;
            }
            // A ping that comes in two halves is two pongs: harmless either way.
            let messages = |frames: &[Frame]| -> Vec<Frame> {
                frames.iter().filter(|frame| matches!(frame, Frame::Message(_))).cloned().collect()
            };
            assert_eq!(messages(&out), messages(&expected));
            assert!(!framer.is_inside());
        }
        let mut framer = Framer::default();
        framer.push(&stream);
        assert_eq!(frames(&mut framer), expected);
    }

    #[test]
    fn lines_may_end_in_lf_alone() {
        let mut framer = Framer::default();
        framer.push(b"\n");
        assert_eq!(framer.pop(), Ok(None));
        framer.push(b"SIP/2.0 200 OK\nContent-Length: 2\n\nabSIP/2.0");
        assert_eq!(frames(&mut framer).len(), 1);
        assert!(framer.is_inside());
    }

    #[test]
    fn what_cannot_be_followed_is_broken() {
        for (stream, why) in [
            (b"GET / HTTP/1.1\r\n".to_vec(), Broken::NotSip),
            (b"\x16\x03\x01\x02\x00".to_vec(), Broken::NotSip),
            (vec![b'x'; 5000], Broken::NotSip),
            (b"OPTIONS sip:h SIP/2.0\r\n\r\n".to_vec(), Broken::NoLength),
            (b"OPTIONS sip:h SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\n".to_vec(), Broken::NoLength),
            (b"OPTIONS sip:h SIP/2.0\r\nl: -1\r\n\r\n".to_vec(), Broken::NoLength),
            (b"OPTIONS sip:h SIP/2.0\r\nl: 99999999999999999999\r\n\r\n".to_vec(), Broken::TooLong),
            (b"OPTIONS sip:h SIP/2.0\r\nl: 70000\r\n\r\n".to_vec(), Broken::TooLong),
            ([b"OPTIONS sip:h SIP/2.0\r\nx: ".to_vec(), vec![b'x'; 17_000]].concat(), Broken::TooLong),
        ] {
            let mut framer = Framer::default();
            framer.push(&stream);
            assert_eq!(framer.pop(), Err(why), "{:?}", String::from_utf8_lossy(&stream[..stream.len().min(40)]));
        }
    }

    #[test]
    fn noise_never_panics_and_never_grows() {
        let mut rng = StdRng::seed_from_u64(2);
        for _ in 0..2_000 {
            let mut framer = Framer::default();
            let mut bytes = message("hello").repeat(3);
            for _ in 0..rng.random_range(0..5) {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = rng.random();
            }
            for piece in bytes.chunks(7) {
                framer.push(piece);
                while let Ok(Some(_)) = framer.pop() {}
            }
            assert!(framer.buffer.len() <= bytes.len());
        }
    }
}
