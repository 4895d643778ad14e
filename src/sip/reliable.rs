//! Provisional responses that must arrive, seen from the one who sends them (RFC 3262 §3).
//!
//! ```text
//!   18x + RSeq ──▶ repeated from T1 on ──PRACK──▶ 200 to the PRACK; the next one may go
//!                                     └──64·T1──▶ 504: they are not there
//! ```
//!
//! One at a time; what comes meanwhile waits, and so does the final answer.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::message::{CSeq, Headers, Method};
use super::respond::Draft;
use super::transaction::{Repeat, Tick, Timing};
use super::transport::Path;

/// Provisional responses that may wait for the one under way: a leg rings and sends early media, no more.
const MOST_WAITING: usize = 4;

/// What they said about provisional responses in their INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    None,
    /// They could.
    Supported,
    /// They insist.
    Required,
}

impl Wish {
    /// As Supported and Require say it.
    pub fn of(headers: &Headers) -> Self {
        let named = |name| headers.list(name).any(|option| option.eq_ignore_ascii_case("100rel"));
        match (named("Require"), named("Supported")) {
            (true, _) => Self::Required,
            (false, true) => Self::Supported,
            (false, false) => Self::None,
        }
    }
}

/// A provisional response in the making.
#[derive(Clone, Debug)]
pub struct Provisional {
    /// Its status.
    pub status: u16,
    /// All but RSeq and body.
    pub draft: Draft,
    /// Early media.
    pub sdp: Option<String>,
}

/// The provisional responses of one INVITE.
#[derive(Debug)]
pub struct Reliable {
    last: u32,
    open: Option<Repeat>,
    /// The session description in the open one.
    described: Option<String>,
    waiting: VecDeque<Provisional>,
}

/// What time brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Nothing yet.
    Nothing,
    /// Send this once more.
    Again(Bytes, Path),
    /// Nobody acknowledges: the INVITE is refused with 504.
    GiveUp,
}

impl Reliable {
    /// The first number is drawn from `seed` (§3: uniformly from 1 to 2³¹ − 1; the upper half is left to count in).
    pub fn new(seed: u64) -> Self {
        let first = u32::try_from(seed & 0x3fff_ffff).unwrap_or(0);
        Self { last: first, open: None, described: None, waiting: VecDeque::new() }
    }

    /// Is one of ours not acknowledged?
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Sends a provisional response, or lets it wait: what to send now, with its status.
    pub fn send(
        &mut self,
        provisional: Provisional,
        path: Path,
        timing: &Timing,
        now: Instant,
    ) -> Option<(u16, Bytes)> {
        if self.is_open() {
            if self.waiting.len() < MOST_WAITING {
                self.waiting.push_back(provisional);
            }
            return None;
        }
        self.last += 1;
        let draft = provisional.draft.header("Require", "100rel").header("RSeq", &self.last.to_string());
        let bytes: Bytes = match &provisional.sdp {
            Some(sdp) => draft.finish_with_sdp(sdp).into(),
            None => draft.finish().into(),
        };
        self.open = Some(Repeat::stubborn(bytes.clone(), path, timing, now));
        self.described = provisional.sdp;
        Some((provisional.status, bytes))
    }

    /// What the response described that was acknowledged last.
    pub fn take_described(&mut self) -> Option<String> {
        if self.is_open() { None } else { self.described.take() }
    }

    /// A PRACK came, with this RAck, for the INVITE numbered `cseq`. `false`: it acknowledges nothing of ours (481).
    pub fn acknowledge(&mut self, rack: Option<&str>, cseq: u32) -> bool {
        let ours = rack.and_then(read_rack).is_some_and(|(rseq, invite)| {
            rseq == self.last && invite.number == cseq && invite.method == Method::Invite
        });
        ours && self.open.take().is_some()
    }

    /// The next one that waited.
    pub fn pop_waiting(&mut self) -> Option<Provisional> {
        if self.is_open() { None } else { self.waiting.pop_front() }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) -> Overdue {
        match self.open.as_mut().map(|open| open.tick(now)) {
            Some(Tick::Again(bytes, path)) => Overdue::Again(bytes, path),
            Some(Tick::GiveUp) => {
                self.open = None;
                self.waiting.clear();
                Overdue::GiveUp
            }
            Some(Tick::Wait) | None => Overdue::Nothing,
        }
    }

    /// When [`Reliable::tick`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.open.as_ref().map(Repeat::deadline)
    }
}

/// `RAck: 776656 1 INVITE`.
fn read_rack(value: &str) -> Option<(u32, CSeq)> {
    let (rseq, cseq) = value.trim().split_once(char::is_whitespace)?;
    let digits = !rseq.is_empty() && rseq.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Some((rseq.parse().ok()?, CSeq::parse(cseq)?))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Raw;
    use crate::time::{Clock, SystemClock};

    fn provisional(status: u16, sdp: Option<&str>) -> Provisional {
        Provisional { status, draft: Draft::request("X", "y"), sdp: sdp.map(str::to_owned) }
    }

    fn path() -> Path {
        Path::udp("127.0.0.1:5070".parse().unwrap(), "127.0.0.1:5060".parse().unwrap())
    }

    #[test]
    fn wishes_are_read_from_require_and_supported() {
        for (text, wish) in [
            ("", Wish::None),
            ("Supported: timer", Wish::None),
            ("k: timer, 100REL", Wish::Supported),
            ("Require: 100rel", Wish::Required),
            ("Require: timer\nSupported: 100rel", Wish::Supported),
        ] {
            let raw = Raw::read(format!("X\n{text}\n\n").as_bytes()).headers;
            assert_eq!(Wish::of(&raw), wish, "{text}");
        }
    }

    #[test]
    fn one_at_a_time_and_each_with_the_next_number() {
        let (now, timing) = (SystemClock.now().mono, Timing::default());
        let mut reliable = Reliable::new(u64::MAX);
        let (status, first) = reliable.send(provisional(180, None), path(), &timing, now).unwrap();
        let text = String::from_utf8(first.to_vec()).unwrap();
        assert_eq!(status, 180);
        assert!(text.contains("Require: 100rel\r\nRSeq: 1073741824\r\n"), "{text}");
        assert_eq!(reliable.send(provisional(183, Some("v=0\r\n")), path(), &timing, now), None);
        assert!(reliable.pop_waiting().is_none(), "not before the first is acknowledged");
        for wrong in
            [None, Some(""), Some("1073741823 1 INVITE"), Some("1073741824 2 INVITE"), Some("1073741824 1 BYE")]
        {
            assert!(!reliable.acknowledge(wrong, 1), "{wrong:?}");
        }
        assert!(reliable.acknowledge(Some(" 1073741824  1  INVITE"), 1));
        assert!(!reliable.acknowledge(Some("1073741824 1 INVITE"), 1), "once");
        let next = reliable.pop_waiting().unwrap();
        let (_, second) = reliable.send(next, path(), &timing, now).unwrap();
        let text = String::from_utf8(second.to_vec()).unwrap();
        assert!(text.contains("RSeq: 1073741825\r\n") && text.ends_with("\r\n\r\nv=0\r\n"), "{text}");
    }

    #[test]
    fn what_nobody_acknowledges_is_repeated_on_any_transport_and_given_up() {
        use crate::sip::transport::{Hop, Transport};
        let (start, timing) = (SystemClock.now().mono, Timing::default());
        let tcp = Path { hop: Hop::new(Transport::Tcp, path().hop.address), ..path() };
        for path in [path(), tcp] {
            let mut reliable = Reliable::new(0);
            let (_, bytes) = reliable.send(provisional(180, None), path, &timing, start).unwrap();
            let mut repeated = 0;
            loop {
                let now = reliable.deadline().unwrap();
                match reliable.tick(now) {
                    Overdue::Again(again, to) => {
                        assert_eq!((&again, to), (&bytes, path));
                        repeated += 1;
                    }
                    Overdue::GiveUp => {
                        assert_eq!(now - start, timing.give_up());
                        break;
                    }
                    Overdue::Nothing => panic!("a deadline that brings nothing"),
                }
            }
            assert!(repeated > 5);
            assert_eq!((reliable.is_open(), reliable.deadline()), (false, None));
        }
    }
}
