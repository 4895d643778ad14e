//! Server transactions: who repeats what, how often, for how long (RFC 3261 §17, RFC 6026).
//!
//! ```text
//!   INVITE   Proceeding ──2xx──▶ Accepted  (the leg repeats the 2xx) ──L──▶ gone
//!                └────3xx–6xx──▶ Completed (repeats it: G)  ──ACK──▶ Confirmed ──I──▶ gone
//!                                     └──────────H: nobody acknowledged──────────────▶ gone
//!   others inside a dialog       Completed (repeats on request) ──J──▶ gone
//! ```
//!
//! What comes outside of dialogs (OPTIONS, CANCEL, everything refused) is answered statelessly: those answers are pure
//! functions of the request. Requests of our own are in `client`.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::transport::Path;
use crate::id::LegId;

/// The timers everything else is a multiple of. Shortened only in tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Round-trip estimate: first retransmission interval.
    pub t1: Duration,
    /// Longest retransmission interval.
    pub t2: Duration,
    /// How long a message can stay in the network.
    pub t4: Duration,
}

impl Default for Timing {
    /// RFC 3261 §17.1.1.1, table 4.
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timing {
    /// Timers B, F, H, J, L and the wait for an ACK.
    pub fn give_up(&self) -> Duration {
        self.t1 * 64
    }
}

/// Something sent again and again, at doubling intervals up to T2, until it is confirmed or given up.
#[derive(Clone, Debug)]
pub struct Repeat {
    bytes: Bytes,
    to: Path,
    interval: Duration,
    /// Intervals stop growing here.
    longest: Duration,
    next: Instant,
    until: Instant,
}

/// What a timer brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tick {
    /// Not yet.
    Wait,
    /// Send this again.
    Again(Bytes, Path),
    /// Time is up.
    GiveUp,
}

impl Repeat {
    /// `bytes` have been sent for the first time at `now`. Over a transport that repeats by itself, nothing is sent
    /// again: only the end is waited for.
    pub fn new(bytes: Bytes, to: Path, timing: &Timing, now: Instant) -> Self {
        let mut repeat = Self::stubborn(bytes, to, timing, now);
        if to.hop.transport.is_reliable() {
            repeat.next = repeat.until;
        }
        repeat
    }

    /// As [`Repeat::new`], but sent again on every transport: what a proxy further on may have lost (2xx to an
    /// INVITE, RFC 3261 §13.3.1.4; reliable provisional responses, RFC 3262 §3).
    pub fn stubborn(bytes: Bytes, to: Path, timing: &Timing, now: Instant) -> Self {
        let (next, until) = (now + timing.t1, now + timing.give_up());
        Self { bytes, to, interval: timing.t1, longest: timing.t2, next, until }
    }

    /// As [`Repeat::new`], with intervals that double to the end: an INVITE of ours (timer A, RFC 3261 §17.1.1.2).
    pub fn doubling(bytes: Bytes, to: Path, timing: &Timing, now: Instant) -> Self {
        Self { longest: timing.give_up(), ..Self::new(bytes, to, timing, now) }
    }

    /// Gives up at `at`, if that is sooner.
    pub fn end_by(&mut self, at: Instant) {
        self.until = self.until.min(at);
    }

    /// When [`Repeat::tick`] has something to do.
    pub fn deadline(&self) -> Instant {
        self.next.min(self.until)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) -> Tick {
        if now >= self.until {
            return Tick::GiveUp;
        }
        if now < self.next {
            return Tick::Wait;
        }
        self.interval = (self.interval * 2).min(self.longest);
        self.next = now + self.interval;
        Tick::Again(self.bytes.clone(), self.to)
    }

    /// A provisional response has come: repeat at T2 from now on (RFC 3261 §17.1.2.2).
    pub fn slow_down(&mut self, timing: &Timing, now: Instant) {
        if !self.to.hop.transport.is_reliable() {
            self.interval = timing.t2;
            self.next = now + timing.t2;
        }
    }

    /// What is being repeated.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// One INVITE of theirs.
#[derive(Debug)]
pub struct InviteTransaction {
    state: InviteState,
    /// Where responses go.
    pub to: Path,
    /// The leg it opened or belongs to.
    pub leg: LegId,
}

#[derive(Debug)]
enum InviteState {
    /// The last provisional response.
    Proceeding(Bytes),
    /// Refused; the refusal is repeated until acknowledged.
    Completed(Repeat),
    /// The refusal is acknowledged; late copies are swallowed until then.
    Confirmed(Instant),
    /// 2xx sent; copies of the INVITE are swallowed until then.
    Accepted(Instant),
}

impl InviteTransaction {
    /// `trying` (the 100) has just been sent.
    pub fn new(trying: Bytes, to: Path, leg: LegId) -> Self {
        Self { state: InviteState::Proceeding(trying), to, leg }
    }

    /// May it still be answered or cancelled?
    pub fn is_open(&self) -> bool {
        matches!(self.state, InviteState::Proceeding(_))
    }

    /// `response` is being sent.
    pub fn respond(&mut self, status: u16, response: Bytes, timing: &Timing, now: Instant) {
        self.state = match status {
            100..=199 => InviteState::Proceeding(response),
            200..=299 => InviteState::Accepted(now + timing.give_up()),
            _ => InviteState::Completed(Repeat::new(response, self.to, timing, now)),
        };
    }

    /// A copy of the INVITE came: what to send again.
    pub fn again(&self) -> Option<Bytes> {
        match &self.state {
            InviteState::Proceeding(last) => Some(last.clone()),
            InviteState::Completed(repeat) => Some(repeat.bytes().clone()),
            // RFC 6026 §7.1: the leg repeats a 2xx by its own clock.
            InviteState::Confirmed(_) | InviteState::Accepted(_) => None,
        }
    }

    /// An ACK with this transaction's branch came. `false` when it is none of its business (after a 2xx).
    pub fn acknowledge(&mut self, timing: &Timing, now: Instant) -> bool {
        match self.state {
            InviteState::Completed(_) => {
                // Timer I: nothing comes late over a stream.
                let linger = if self.to.hop.transport.is_reliable() { Duration::ZERO } else { timing.t4 };
                self.state = InviteState::Confirmed(now + linger);
                true
            }
            InviteState::Confirmed(_) => true,
            InviteState::Proceeding(_) | InviteState::Accepted(_) => false,
        }
    }

    /// When [`InviteTransaction::tick`] has something to do; nothing while the leg makes up its mind.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            InviteState::Proceeding(_) => None,
            InviteState::Completed(repeat) => Some(repeat.deadline()),
            InviteState::Confirmed(until) | InviteState::Accepted(until) => Some(*until),
        }
    }

    /// Time has passed; [`Tick::GiveUp`] means the transaction is over.
    pub fn tick(&mut self, now: Instant) -> Tick {
        match &mut self.state {
            InviteState::Proceeding(_) => Tick::Wait,
            InviteState::Completed(repeat) => repeat.tick(now),
            InviteState::Confirmed(until) | InviteState::Accepted(until) if now >= *until => Tick::GiveUp,
            InviteState::Confirmed(_) | InviteState::Accepted(_) => Tick::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, SystemClock};

    fn path() -> Path {
        Path::udp(([127, 0, 0, 1], 5060).into(), ([127, 0, 0, 1], 5061).into())
    }

    fn refused(now: Instant, timing: &Timing) -> InviteTransaction {
        let to = path();
        let mut transaction = InviteTransaction::new(Bytes::from_static(b"100"), to, LegId(1));
        transaction.respond(486, Bytes::from_static(b"486"), timing, now);
        transaction
    }

    /// Milliseconds at which something is sent again, and when it is given up.
    fn run(mut transaction: InviteTransaction, start: Instant) -> (Vec<u128>, u128) {
        let mut sent = Vec::new();
        loop {
            let now = transaction.deadline().expect("a refused INVITE has a timer");
            match transaction.tick(now) {
                Tick::Again(..) => sent.push((now - start).as_millis()),
                Tick::GiveUp => return (sent, (now - start).as_millis()),
                Tick::Wait => panic!("a deadline that brings nothing"),
            }
        }
    }

    #[test]
    fn a_refusal_is_repeated_until_timer_h() {
        let (start, timing) = (SystemClock.now().mono, Timing::default());
        let (sent, gone) = run(refused(start, &timing), start);
        assert_eq!(sent[..5], [500, 1500, 3500, 7500, 11500]);
        assert_eq!(gone, 32_000);
    }

    #[test]
    fn an_acknowledged_refusal_falls_silent_and_goes() {
        let (start, timing) = (SystemClock.now().mono, Timing::default());
        let mut transaction = refused(start, &timing);
        assert_eq!(transaction.again().as_deref(), Some(b"486".as_slice()));
        assert!(transaction.acknowledge(&timing, start));
        assert_eq!(transaction.again(), None);
        assert_eq!(run(transaction, start), (vec![], 5_000));
    }

    #[test]
    fn a_copy_of_the_invite_gets_the_last_provisional_response() {
        let (now, timing) = (SystemClock.now().mono, Timing::default());
        let mut transaction = InviteTransaction::new(Bytes::from_static(b"100"), path(), LegId(1));
        assert_eq!(transaction.again().as_deref(), Some(b"100".as_slice()));
        transaction.respond(180, Bytes::from_static(b"180"), &timing, now);
        assert_eq!(transaction.again().as_deref(), Some(b"180".as_slice()));
        assert_eq!(transaction.deadline(), None);
        transaction.respond(200, Bytes::from_static(b"200"), &timing, now);
        assert!(!transaction.acknowledge(&timing, now), "the ACK of a 2xx belongs to the dialog");
        assert_eq!(run(transaction, now), (vec![], 32_000));
    }
}
