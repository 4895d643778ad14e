//! A far end that writes its messages with two abbreviations, so that nonsense may still belong to the dialog:
//!
//! * `~` copies what a response must copy of the last request we sent: Via, From, Call-ID, CSeq, To (which a tag may
//!   follow);
//! * `^` is what a request inside the dialog must have: Via, Call-ID, To (ours, with its tag), From (theirs, which a tag
//!   may follow).
//!
//! A message ends at a byte 0. Its first byte decides how much time passes before, and what the call does after.

use std::time::Duration;

use trunkline::id::LegId;
use trunkline::sip::agent::{Agent, Output};
use trunkline::sip::{LegCommand, LegEvent, Path, Rejection};
use trunkline::time::Now;

/// What the agent may still wait for, in the end: session timers, transactions, registrations.
const EVERYTHING_IS_OVER: u32 = 10_000;
/// Of one run.
const MOST_MESSAGES: usize = 32;
/// What our side says of media.
pub const SDP: &str =
    "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 18000 RTP/AVP 0\r\n";

/// The far end of one agent.
#[derive(Default)]
pub struct FarEnd {
    /// Head of the last request of ours.
    asked: String,
    /// Lines that name the dialog as the far end sees it.
    dialog: String,
    branch: u32,
    legs: Vec<LegId>,
}

impl FarEnd {
    /// Plays all of `data` along `path`, then waits until the agent has forgotten everything.
    pub fn play(mut self, data: &[u8], agent: &mut Agent, path: &Path, mut now: Now) {
        self.listen(agent, path, now);
        for message in data.split(|byte| *byte == 0).take(MOST_MESSAGES) {
            let Some((&first, message)) = message.split_first() else { continue };
            advance(&mut now, Duration::from_millis(u64::from(first >> 3) * 200));
            agent.handle_timeout(now);
            self.listen(agent, path, now);
            let message = self.expand(message);
            agent.handle_message(&message, path, now);
            self.listen(agent, path, now);
            if let (Some(command), Some(leg)) = (command(first & 7), self.legs.last()) {
                agent.handle_command(*leg, command, now);
                self.listen(agent, path, now);
            }
        }
        for leg in std::mem::take(&mut self.legs) {
            agent.handle_abandoned(leg, now);
        }
        agent.handle_shutdown(now);
        let mut rounds = 0;
        while !agent.is_idle() {
            self.listen(agent, path, now);
            let Some(due) = agent.poll_timeout() else {
                assert!(agent.is_idle(), "what is not over waits for something");
                break;
            };
            let wait = due.saturating_duration_since(now.mono).max(Duration::from_millis(1));
            advance(&mut now, wait);
            agent.handle_timeout(now);
            rounds += 1;
            assert!(rounds < EVERYTHING_IS_OVER, "something never ends");
        }
        assert_eq!(agent.live_legs(), 0, "no leg is left over");
    }

    /// A leg of ours, whose calls are ended in the end.
    pub fn adopt(&mut self, leg: LegId) {
        self.legs.push(leg);
    }

    fn expand(&mut self, message: &[u8]) -> Vec<u8> {
        let mut whole = Vec::with_capacity(message.len() + 512);
        for byte in message {
            match byte {
                b'~' => whole.extend_from_slice(self.asked.as_bytes()),
                b'^' => {
                    self.branch += 1;
                    let via = format!("Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKf{}\r\n", self.branch);
                    whole.extend_from_slice(via.as_bytes());
                    whole.extend_from_slice(self.dialog.as_bytes());
                }
                byte => whole.push(*byte),
            }
        }
        whole
    }

    fn listen(&mut self, agent: &mut Agent, path: &Path, now: Now) {
        while let Some(output) = agent.poll_output() {
            match output {
                Output::Send { bytes, .. } => self.remember(&bytes),
                Output::Incoming(incoming) => {
                    self.legs.push(incoming.leg);
                    agent.handle_command(incoming.leg, LegCommand::Ring, now);
                    agent.handle_command(incoming.leg, LegCommand::Answer { sdp: SDP.to_owned() }, now);
                }
                Output::Resolve { query, .. } => agent.handle_resolved(query, Ok(vec![*path]), now),
                Output::Event { leg, event: LegEvent::Offered { sdp } } => {
                    // Whoever offers without a description is refused: both answers of a call are tried.
                    let answer = match sdp {
                        Some(_) => LegCommand::AnswerOffer { sdp: SDP.replace("2 2", "2 3") },
                        None => LegCommand::RefuseOffer { status: 488, warning: None },
                    };
                    agent.handle_command(leg, answer, now);
                }
                Output::Event { .. } | Output::Trunk(_) => {}
            }
        }
    }

    /// Keeps of a message of ours what the far end needs to go on.
    fn remember(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let line = |name: &str| {
            let found =
                text.lines().find(|line| line.starts_with(name) && line.as_bytes().get(name.len()) == Some(&b':'));
            found.map_or_else(String::new, |line| line[name.len() + 1..].trim().to_owned())
        };
        let (via, from, to) = (line("Via"), line("From"), line("To"));
        let (call_id, cseq) = (line("Call-ID"), line("CSeq"));
        // Only the head of a dialog ends with To or From: a tag may follow.
        if text.starts_with("SIP/2.0 ") {
            let theirs = from.split(";tag=").next().unwrap_or_default();
            self.dialog = format!("Call-ID: {call_id}\r\nTo: {to}\r\nFrom: {theirs}");
        } else {
            self.asked = format!("Via: {via}\r\nFrom: {from}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\nTo: {to}");
            let theirs = to.split(";tag=").next().unwrap_or_default();
            self.dialog = format!("Call-ID: {call_id}\r\nTo: {from}\r\nFrom: {theirs}");
        }
    }
}

fn command(which: u8) -> Option<LegCommand> {
    Some(match which {
        1 => LegCommand::Offer { sdp: SDP.replace("2 2", "2 4") },
        2 => LegCommand::Refer { to: "sip:bob@127.0.0.1:5999".to_owned(), replaces: None },
        3 => LegCommand::Reject(Rejection::status(486)),
        4 => LegCommand::Hangup,
        _ => return None,
    })
}

fn advance(now: &mut Now, by: Duration) {
    now.mono += by;
    now.wall += by;
}
