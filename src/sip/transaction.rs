//! Transactions over UDP: who repeats what, how often, for how long (RFC 3261 §17, RFC 6026).
//!
//! ```text
//!   server INVITE   Proceeding ──2xx──▶ Accepted  (the leg repeats the 2xx) ──L──▶ gone
//!                       └────3xx–6xx──▶ Completed (repeats it: G)  ──ACK──▶ Confirmed ──I──▶ gone
//!                                            └──────────H: nobody acknowledged──────────────▶ gone
//!   server BYE      Completed (repeats on request) ──J──▶ gone
//!   client BYE      Trying (repeats: E) ──response or F──▶ gone
//! ```
//!
//! All other requests we serve (OPTIONS, CANCEL, everything refused) are answered statelessly: their answers are pure
//! functions of the request and of the leg.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

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
    to: SocketAddr,
    interval: Duration,
    next: Instant,
    until: Instant,
}

/// What a timer brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tick {
    /// Not yet.
    Wait,
    /// Send this again.
    Again(Bytes, SocketAddr),
    /// Time is up.
    GiveUp,
}

impl Repeat {
    /// `bytes` have been sent for the first time at `now`.
    pub fn new(bytes: Bytes, to: SocketAddr, timing: &Timing, now: Instant) -> Self {
        Self { bytes, to, interval: timing.t1, next: now + timing.t1, until: now + timing.give_up() }
    }

    /// When [`Repeat::tick`] has something to do.
    pub fn deadline(&self) -> Instant {
        self.next.min(self.until)
    }

    /// Time has passed.
    pub fn tick(&mut self, timing: &Timing, now: Instant) -> Tick {
        if now >= self.until {
            return Tick::GiveUp;
        }
        if now < self.next {
            return Tick::Wait;
        }
        self.interval = (self.interval * 2).min(timing.t2);
        self.next = now + self.interval;
        Tick::Again(self.bytes.clone(), self.to)
    }

    /// A provisional response has come: repeat at T2 from now on (RFC 3261 §17.1.2.2).
    pub fn slow_down(&mut self, timing: &Timing, now: Instant) {
        self.interval = timing.t2;
        self.next = now + timing.t2;
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
    pub to: SocketAddr,
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
    pub fn new(trying: Bytes, to: SocketAddr, leg: LegId) -> Self {
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
                self.state = InviteState::Confirmed(now + timing.t4);
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
    pub fn tick(&mut self, timing: &Timing, now: Instant) -> Tick {
        match &mut self.state {
            InviteState::Proceeding(_) => Tick::Wait,
            InviteState::Completed(repeat) => repeat.tick(timing, now),
            InviteState::Confirmed(until) | InviteState::Accepted(until) if now >= *until => Tick::GiveUp,
            InviteState::Confirmed(_) | InviteState::Accepted(_) => Tick::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, SystemClock};

    fn refused(now: Instant, timing: &Timing) -> InviteTransaction {
        let to = ([127, 0, 0, 1], 5060).into();
        let mut transaction = InviteTransaction::new(Bytes::from_static(b"100"), to, LegId(1));
        transaction.respond(486, Bytes::from_static(b"486"), timing, now);
        transaction
    }

    /// Milliseconds at which something is sent again, and when it is given up.
    fn run(mut transaction: InviteTransaction, start: Instant, timing: &Timing) -> (Vec<u128>, u128) {
        let mut sent = Vec::new();
        loop {
            let now = transaction.deadline().expect("a refused INVITE has a timer");
            match transaction.tick(timing, now) {
                Tick::Again(..) => sent.push((now - start).as_millis()),
                Tick::GiveUp => return (sent, (now - start).as_millis()),
                Tick::Wait => panic!("a deadline that brings nothing"),
            }
        }
    }

    #[test]
    fn a_refusal_is_repeated_until_timer_h() {
        let (start, timing) = (SystemClock.now().mono, Timing::default());
        let (sent, gone) = run(refused(start, &timing), start, &timing);
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
        assert_eq!(run(transaction, start, &timing), (vec![], 5_000));
    }

    #[test]
    fn a_copy_of_the_invite_gets_the_last_provisional_response() {
        let (now, timing) = (SystemClock.now().mono, Timing::default());
        let mut transaction =
            InviteTransaction::new(Bytes::from_static(b"100"), ([127, 0, 0, 1], 5060).into(), LegId(1));
        assert_eq!(transaction.again().as_deref(), Some(b"100".as_slice()));
        transaction.respond(180, Bytes::from_static(b"180"), &timing, now);
        assert_eq!(transaction.again().as_deref(), Some(b"180".as_slice()));
        assert_eq!(transaction.deadline(), None);
        transaction.respond(200, Bytes::from_static(b"200"), &timing, now);
        assert!(!transaction.acknowledge(&timing, now), "the ACK of a 2xx belongs to the dialog");
        assert_eq!(run(transaction, now, &timing), (vec![], 32_000));
    }
}
