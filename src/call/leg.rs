//! The far end of the line: ringing, answering, holding, sending on, and how it all ended.
//!
//! The third part of [`Call`]; `machine` holds its life, `floor` who may speak.

use std::time::{Duration, Instant};

use crate::call::disposition::{Disposition, disposition};
use crate::call::machine::{Call, LEG_PATIENCE, MEDIA_PATIENCE, State};
use crate::call::record::{CallEnd, Direction};
use crate::call::{Order, Output, TimelineEvent};
use crate::media::MediaCommand;
use crate::rtp::Digit;
use crate::sip::{LegCommand, LegEnd, LegEvent};
use crate::time::Now;

/// A key that comes as telephone-event and as INFO is one press when both come within this: INFO is sent when the key
/// is let go, the events from when it goes down.
const SAME_PRESS: Duration = Duration::from_millis(800);
/// Keys whose twin may still come; a person presses fewer in that time.
const TWINS: usize = 16;

/// How a key has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// RFC 4733, with the sound.
    Media,
    /// INFO, with the signalling.
    Signalling,
}

/// Keys heard in one way that may yet be told in the other.
#[derive(Debug, Default)]
pub(super) struct Twins(Vec<(Digit, Way, Instant)>);

impl Twins {
    /// Is this press a new one?
    pub fn is_new(&mut self, digit: Digit, way: Way, at: Instant) -> bool {
        self.0.retain(|(_, _, then)| at.saturating_duration_since(*then) <= SAME_PRESS);
        let twin = self.0.iter().position(|(other, by, _)| *other == digit && *by != way);
        match twin {
            Some(place) => {
                self.0.remove(place);
            }
            None if self.0.len() < TWINS => self.0.push((digit, way, at)),
            None => {}
        }
        twin.is_none()
    }
}

impl Call {
    pub(super) fn leg(&mut self, event: LegEvent, now: Now) {
        match event {
            LegEvent::Progress { status, .. } => self.progress(status),
            LegEvent::Established { .. } => self.established(now),
            LegEvent::Replaced => self.outputs.push_back(Output::Timeline(TimelineEvent::TakenOver)),
            LegEvent::Reason(reason) => self.scribe.reason = Some(reason),
            LegEvent::Key { digit, .. } => self.key(digit, Way::Signalling, now.mono, now),
            LegEvent::Referred { status, last } => self.referred(status, last, now),
            LegEvent::Unreached(why) => self.unreached = Some(why),
            LegEvent::Ladder(ladder) => self.scribe.ladder = *ladder,
            LegEvent::Ended(why) => self.leg_ended(why, now),
            // What media is agreed on is settled between driver and far end; the call is told by `Input::Held`.
            LegEvent::TakingOver
            | LegEvent::Offered { .. }
            | LegEvent::OfferAnswered { .. }
            | LegEvent::OfferRefused { .. } => {}
        }
    }

    fn progress(&mut self, status: u16) {
        // 181 and 182 say that it does not ring here and now, 183 nothing of the kind.
        if matches!(self.state, State::Dialling { .. }) && status == 180 && !self.rang {
            self.rang = true;
            self.outputs.push_back(Output::Timeline(TimelineEvent::Ringing));
        }
    }

    fn established(&mut self, now: Now) {
        match self.state {
            State::Answering { .. } => {}
            State::Dialling { .. } => self.scribe.answered(now.mono, now.wall),
            _ => return,
        }
        self.outputs.push_back(Output::Timeline(TimelineEvent::Answered));
        let act = self.interpreter.start(now.wall);
        self.perform(act, now);
    }

    pub(super) fn leg_ended(&mut self, why: LegEnd, now: Now) {
        if self.leg_ended.is_none() {
            self.leg_ended = Some(why);
            let sent_on = self.drop_transfer(Some(why));
            self.end_handing(if sent_on.is_some() { "transferred" } else { "hung_up" }, now);
            if let Some(end) = sent_on {
                self.intended_end.get_or_insert(end);
            }
            self.close_turn(now);
            self.leave(MEDIA_PATIENCE, now);
        }
    }

    /// Says BYE, or CANCEL. What is said after that reaches nobody, so media closes with it.
    pub(super) fn hang_up(&mut self, end: CallEnd, now: Now) {
        self.intended_end.get_or_insert(end);
        self.drop_transfer(None);
        self.end_handing("ended", now);
        self.close_turn(now);
        if self.leg_ended.is_none() {
            self.outputs.push_back(Output::Leg(LegCommand::Hangup));
        }
        self.leave(LEG_PATIENCE, now);
    }

    fn leave(&mut self, patience: Duration, now: Now) {
        self.cut_message(now.mono);
        if !self.close_sent {
            self.close_sent = true;
            self.outputs.push_back(Output::Media(MediaCommand::Close));
        }
        self.state = State::Leaving { until: now.mono + patience };
    }

    /// A key, however it has come.
    pub(super) fn key(&mut self, digit: Digit, way: Way, at: Instant, now: Now) {
        if self.twins.is_new(digit, way, at) {
            self.digit(digit, at, now);
        }
    }

    // Hold

    /// One end does not want to hear the other, or wants to again. Meanwhile nothing is asked of the far end: prompts
    /// wait, what it sends (music, as a rule) is no answer, and no silence of it counts.
    pub(super) fn held(&mut self, held: bool, now: Now) {
        self.taking_back = false;
        match (self.held_since, held) {
            (None, true) => {
                self.held_since = Some(now.mono);
                if let State::Asking { turn, .. } = &mut self.state {
                    turn.hold(now.mono);
                }
                if matches!(self.state, State::Parting { .. }) {
                    // The last word would wait for ever.
                    self.prompts_over(now.mono, now);
                }
                self.outputs.push_back(Output::Timeline(TimelineEvent::Held));
            }
            (Some(since), false) => {
                self.held_since = None;
                let waited = now.mono.saturating_duration_since(since);
                if let State::Saying { until } | State::Asking { until, .. } = &mut self.state {
                    *until += waited;
                }
                if let State::Asking { turn, .. } = &mut self.state {
                    turn.resume(now.mono);
                }
                self.outputs.push_back(Output::Timeline(TimelineEvent::Resumed));
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    // Orders from outside

    pub(super) fn order(&mut self, order: Order, now: Now) {
        if self.judge(&order).is_err() {
            return;
        }
        match order {
            Order::Hangup => self.hang_up(CallEnd::Interrupted, now),
            Order::Transfer { to } => {
                self.outputs.push_back(Output::Timeline(TimelineEvent::Transferring));
                self.outputs.push_back(Output::Leg(LegCommand::Refer { to, replaces: None }));
            }
            Order::Attend(consult) => self.attend(consult, now),
            Order::Hold => self.outputs.push_back(Output::Hold(true)),
            Order::Resume => self.outputs.push_back(Output::Hold(false)),
            // Which way they go depends on what was agreed on, and that the driver knows.
            Order::Keys(_) => {}
        }
    }

    // The end

    pub(super) fn end_of(&mut self, leg_end: LegEnd) -> CallEnd {
        match (leg_end, self.intended_end.take()) {
            (LegEnd::Cancelled, _) => CallEnd::Cancelled,
            (LegEnd::Rejected(status), _) => CallEnd::Rejected(status),
            (LegEnd::NoAck, _) => CallEnd::NoAck,
            (_, Some(intended)) => intended,
            (LegEnd::Refused { status, .. }, None) => CallEnd::Refused(status),
            (LegEnd::NoAnswer, None) => CallEnd::NoAnswer,
            (LegEnd::Unreachable, None) => CallEnd::Unreachable(self.unreached.take()),
            (LegEnd::Expired, None) => CallEnd::Expired,
            (LegEnd::Moved, None) => CallEnd::Transferred,
            (LegEnd::RemoteHangup, None) => CallEnd::CallerHungUp,
            (LegEnd::LocalHangup, None) => CallEnd::Failed("the leg was ended on our side by another hand".into()),
            (LegEnd::Failed, None) => CallEnd::Failed("the SIP stack or the network failed".into()),
        }
    }

    /// In one word, where we called.
    pub(super) fn disposition_of(&self, leg_end: LegEnd, end: &CallEnd) -> Option<Disposition> {
        let answered = self.scribe.is_answered();
        match (self.scribe.setup().direction, end) {
            (Direction::Inbound, _) => None,
            // Our own fault, though it was we who hung up.
            (Direction::Outbound, CallEnd::Failed(_)) if !answered => Some(Disposition::Failed),
            (Direction::Outbound, CallEnd::NoAnswer) => Some(Disposition::NoAnswer),
            (Direction::Outbound, _) => Some(disposition(leg_end, answered, self.rang, self.scribe.reason.as_ref())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock as _, SystemClock};

    #[test]
    fn a_key_told_in_both_ways_is_one_press_and_two_presses_stay_two() {
        let start = SystemClock.now().mono;
        let at = |ms| start + Duration::from_millis(ms);
        let key = |face| Digit::new(face).unwrap();
        let mut twins = Twins::default();
        let rows = [
            (0, '1', Way::Media, true),
            (120, '1', Way::Signalling, false),
            (300, '1', Way::Media, true),
            (420, '1', Way::Media, true),
            (500, '1', Way::Signalling, false),
            (600, '1', Way::Signalling, false),
            (700, '1', Way::Signalling, true),
            (800, '2', Way::Signalling, true),
            (1_700, '2', Way::Media, true),
        ];
        for (ms, face, way, new) in rows {
            assert_eq!(twins.is_new(key(face), way, at(ms)), new, "{face} at {ms} by {way:?}");
        }
    }

    #[test]
    fn somebody_who_leans_on_the_keys_costs_no_memory() {
        let now = SystemClock.now().mono;
        let mut twins = Twins::default();
        for _ in 0..10_000 {
            assert!(twins.is_new(Digit::new('5').unwrap(), Way::Media, now));
        }
        assert_eq!(twins.0.len(), TWINS);
    }
}
