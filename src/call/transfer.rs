//! Sending the far end on: at once (RFC 3515), or after asking the one it is sent to (RFC 3891, RFC 5589 §7).
//!
//! ```text
//!   Attend ─▶ on hold, and somebody is called ─ Ready ─▶ REFER with Replaces ─ NOTIFY 200 ─▶ joined, BYE
//!                      │                                        │ └ BYE of theirs, the other one taken over ─▶ joined
//!                      └ busy, no answer, gone ─▶ taken back ◀──┴ refused, NOTIFY 4xx–6xx, silence
//! ```
//!
//! A plan may want the same ([`handing`](super::handing)); then it goes on by itself when it came to nothing.
//!
//! The other call is somebody else's to make: it is wanted by [`Output::Consult`], reported by [`Input::Consulted`] and
//! let go of by [`Output::Consulted`], exactly once whatever happens here.

use std::time::{Duration, Instant};

use crate::call::machine::{Call, State};
use crate::call::record::CallEnd;
use crate::call::{Consult, Consulted, NotNow, Order, Output, TimelineEvent, Verdict};
use crate::dialplan::handover::{HandedEnd, How};
use crate::sip::{LegCommand, LegEnd};
use crate::time::Now;

/// What asking may take beyond ringing: the briefing, and a leg that says its last word late.
pub(super) const CONSULT_PATIENCE: Duration = Duration::from_secs(120);
/// A REFER says how it ended within its own three minutes (`sip::refer`); this is only in case it never does.
pub(super) const REFER_PATIENCE: Duration = Duration::from_secs(210);

/// An attended transfer under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    /// The one they shall be sent to is being called.
    Asking { until: Instant },
    /// They have been asked to take over the other leg.
    Joining { until: Instant, other_gone: bool },
}

impl Transfer {
    const fn until(self) -> Instant {
        match self {
            Self::Asking { until } | Self::Joining { until, .. } => until,
        }
    }
}

impl Call {
    /// Can the call do what somebody wants of it, as it stands?
    pub fn judge(&self, order: &Order) -> Result<(), NotNow> {
        match (&self.state, order) {
            (State::Leaving { .. } | State::Over, _) => Err(NotNow::Ending),
            (_, Order::Hangup) => Ok(()),
            (State::Dialling { .. } | State::Answering { .. }, _) => Err(NotNow::NotAnswered),
            (_, Order::Transfer { .. } | Order::Attend(_) | Order::Resume) if self.transfer.is_some() => {
                Err(NotNow::Transferring)
            }
            (State::Handing(_), Order::Transfer { .. } | Order::Attend(_) | Order::Hold | Order::Resume) => {
                Err(NotNow::Transferring)
            }
            // What is waited for may be the plan's own wish for a person.
            (State::Waiting(_), Order::Attend(_)) => Err(NotNow::Busy),
            (State::Parting { .. } | State::Standing { .. }, Order::Attend(_)) => Err(NotNow::Ending),
            _ => Ok(()),
        }
    }

    /// Puts them on hold, and has the one called whom they shall be sent to.
    pub(super) fn attend(&mut self, consult: Consult, now: Now) {
        self.transfer = Some(Transfer::Asking { until: now.mono + consult.ring + CONSULT_PATIENCE });
        self.outputs.push_back(Output::Timeline(TimelineEvent::Consulting));
        self.outputs.push_back(Output::Hold(true));
        self.outputs.push_back(Output::Consult(consult));
    }

    pub(super) fn consulted(&mut self, news: Consulted, now: Now) {
        if self.transfer.is_none() {
            return self.handing_news(news, now);
        }
        let news = match news {
            Consulted::Untried { status } => Consulted::Over { status },
            news => news,
        };
        match (&mut self.transfer, news) {
            (Some(Transfer::Asking { .. }), Consulted::Ready { leg }) => {
                let until = now.mono + REFER_PATIENCE;
                self.transfer = Some(Transfer::Joining { until, other_gone: false });
                self.outputs.push_back(Output::Timeline(TimelineEvent::Transferring));
                // Whom they shall call is what that leg knows as its far end.
                self.outputs.push_back(Output::Leg(LegCommand::Refer { to: String::new(), replaces: Some(leg) }));
            }
            (Some(Transfer::Asking { .. }), Consulted::Over { status }) => self.transfer_failed(status, now),
            // Taken over as wanted, or hung up: what they say of their REFER tells which.
            (Some(Transfer::Joining { other_gone, .. }), Consulted::Over { .. }) => *other_gone = true,
            _ => {}
        }
    }

    /// What the far end says of being sent on. Asked for without a word to anybody before, it goes on talking to the
    /// plan until it is done: most telephones put us on hold meanwhile.
    pub(super) fn referred(&mut self, status: u16, last: bool, now: Now) {
        match (status, self.transfer) {
            (200..=299, Some(_)) if last => self.joined(now),
            (200..=299, None) if last => self.joined(now),
            // Nothing more is heard of it, but the other one is not ours any more: it was taken over.
            (408, Some(Transfer::Joining { other_gone: true, .. })) if last => self.joined(now),
            (300..=699, Some(_)) if last => self.transfer_failed(status, now),
            (300..=699, None) if last => {
                self.outputs.push_back(Output::Timeline(TimelineEvent::TransferFailed { status }));
                if self.hands_over(How::Refer) {
                    self.handed_back(HandedEnd::of_status(status), now);
                }
            }
            _ => {}
        }
    }

    /// When an attended transfer is given up that nobody reports on any more.
    pub(super) fn transfer_due(&self) -> Option<Instant> {
        self.transfer.map(Transfer::until)
    }

    pub(super) fn transfer_overdue(&mut self, now: Now) {
        match self.transfer {
            Some(_) => self.transfer_failed(408, now),
            None => self.handing_overdue(now),
        }
    }

    /// The call ends: whoever was asked must not be left waiting. `Some` when they had been taken over by then.
    pub(super) fn drop_transfer(&mut self, why: Option<LegEnd>) -> Option<CallEnd> {
        let transfer = self.transfer.take()?;
        let taken_over = matches!(transfer, Transfer::Joining { other_gone: true, .. });
        let joined = why == Some(LegEnd::Moved) || taken_over && why == Some(LegEnd::RemoteHangup);
        self.outputs.push_back(Output::Consulted(if joined { Verdict::TakenOver } else { Verdict::Over }));
        joined.then_some(CallEnd::Transferred)
    }

    fn joined(&mut self, now: Now) {
        if self.transfer.take().is_some() {
            self.outputs.push_back(Output::Consulted(Verdict::TakenOver));
        }
        self.end_handing("transferred", now);
        self.hang_up(CallEnd::Transferred, now);
    }

    /// It came to nothing: the other one is let go, they are taken back, and the plan goes on.
    fn transfer_failed(&mut self, status: u16, now: Now) {
        self.take_back(status);
        if self.hands_over(How::Attended) {
            self.handed_back(HandedEnd::of_status(status), now);
        }
    }

    /// The other one is let go, and they are taken back: the hold is not over before [`Input::Held`](crate::call::Input)
    /// says so.
    pub(super) fn take_back(&mut self, status: u16) {
        self.drop_transfer(None);
        self.taking_back = self.held_since.is_some();
        self.outputs.push_back(Output::Timeline(TimelineEvent::TransferFailed { status }));
        self.outputs.push_back(Output::Hold(false));
    }
}
