//! What sound the two ends have agreed on, as the call goes on: either may offer anew at any time (RFC 3264 §8).
//!
//! Pure. Every event of the leg passes here before the call sees it; what concerns media is settled between far end,
//! leg and media thread, and the call is told only what it must know: on hold or not, or that nothing can be agreed on.

use tracing::warn;

use crate::call::Input;
use crate::rtp::StreamParams;
use crate::sdp::{Direction, Negotiation};
use crate::sip::{LegCommand, LegEvent};

/// Offers and answers of one call.
#[derive(Debug)]
pub struct Agreement {
    negotiation: Negotiation,
    /// The INVITE, or our 200 to one without an offer, carried our offer, and no answer has come.
    awaits_answer: bool,
    /// An offer of ours within the call has no answer yet.
    asks: bool,
    /// The dialog stands: offers may be made.
    stands: bool,
    held: HeldBy,
    /// What the call was told last.
    told: bool,
}

/// Who does not want to hear the other.
#[derive(Clone, Copy, Debug, Default)]
struct HeldBy {
    them: bool,
    us: bool,
}

/// What an event of the leg leads to.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// For the leg.
    pub reply: Option<LegCommand>,
    /// For the leg too, before the reply: what it offers next.
    pub next: Option<LegCommand>,
    /// For media.
    pub params: Option<StreamParams>,
    /// For the call.
    pub input: Option<Input>,
}

impl Agreement {
    /// They offered in their INVITE, and `negotiation` has answered.
    pub const fn answered(negotiation: Negotiation) -> Self {
        Self::new(negotiation, false)
    }

    /// `negotiation` has offered, and nobody has answered yet.
    pub const fn offered(negotiation: Negotiation) -> Self {
        Self::new(negotiation, true)
    }

    const fn new(negotiation: Negotiation, awaits_answer: bool) -> Self {
        let held = HeldBy { them: false, us: false };
        Self { negotiation, awaits_answer, asks: false, stands: false, held, told: false }
    }

    /// The call begins. `Some` when it begins on hold.
    pub(super) fn begin(&mut self) -> Option<Input> {
        let sends = self.negotiation.agreed().is_none_or(|params| params.send);
        self.held.them = !sends;
        self.tell()
    }

    /// We put them on hold, or take them back. Nothing changes before the call stands, or where it is so already.
    pub(super) fn hold(&mut self, hold: bool) -> Settled {
        if !self.stands || self.held.us == hold {
            return Settled::default();
        }
        self.held.us = hold;
        let reply = Some(self.ask());
        Settled { reply, input: self.tell(), ..Settled::default() }
    }

    fn ask(&mut self) -> LegCommand {
        self.asks = true;
        LegCommand::Offer { sdp: self.negotiation.offer(self.direction()) }
    }

    /// Does the far end take telephone-events? `None` while there is nobody to press keys for.
    pub(super) fn takes_events(&self) -> Option<bool> {
        let agreed = self.negotiation.agreed().filter(|_| self.stands)?;
        Some(agreed.send_event.is_some())
    }

    /// Something happened on the leg.
    pub(super) fn handle(&mut self, event: &LegEvent) -> Settled {
        self.stands |= matches!(event, LegEvent::Established { .. });
        match event {
            LegEvent::Progress { sdp: Some(answer), .. } => self.early(answer),
            LegEvent::Established { sdp } if self.awaits_answer => self.first_answer(sdp.as_deref()),
            // After an early answer the final one may say something else: another telephone took the call.
            LegEvent::Established { sdp: Some(answer) } => self.early(answer),
            LegEvent::TakingOver => {
                // Our own offer may still ring unanswered (RFC 3891 §3): then theirs counts.
                (self.awaits_answer, self.asks) = (false, false);
                self.negotiation.another_far_end();
                Settled::default()
            }
            LegEvent::Offered { sdp: Some(offer) } => match self.negotiation.answer_within(offer, self.direction()) {
                Ok((sdp, params)) => {
                    // Both have offered at once, and theirs came first: ours, which still waits, is to fit what holds now.
                    let next = self.asks.then(|| self.ask());
                    Settled { reply: Some(LegCommand::AnswerOffer { sdp }), next, ..self.agreed_on(params) }
                }
                Err(error) => {
                    warn!(%error, "a new offer of the far end cannot be taken; what was agreed on stays");
                    let (status, warning) = (error.sip_status(), Some(error.to_string()));
                    Settled { reply: Some(LegCommand::RefuseOffer { status, warning }), ..Settled::default() }
                }
            },
            LegEvent::Offered { sdp: None } => {
                let sdp = self.negotiation.offer(self.direction());
                Settled { reply: Some(LegCommand::AnswerOffer { sdp }), ..Settled::default() }
            }
            LegEvent::OfferAnswered { sdp } => {
                self.asks = false;
                match self.negotiation.accept(sdp) {
                    Ok(params) => self.agreed_on(params),
                    Err(error) => {
                        warn!(%error, "the answer to our offer cannot be used; what was agreed on stays");
                        self.negotiation.refused();
                        Settled::default()
                    }
                }
            }
            LegEvent::OfferRefused { status } => {
                self.asks = false;
                warn!(status, "the far end refused our offer; what was agreed on stays");
                self.negotiation.refused();
                Settled::default()
            }
            _ => Settled::default(),
        }
    }

    /// An answer that another may follow.
    fn early(&mut self, answer: &str) -> Settled {
        match self.negotiation.accept(answer) {
            Ok(params) => {
                self.awaits_answer = false;
                self.agreed_on(params)
            }
            Err(error) => {
                warn!(%error, "an answer before the last one cannot be used");
                Settled::default()
            }
        }
    }

    fn first_answer(&mut self, answer: Option<&str>) -> Settled {
        self.awaits_answer = false;
        let Some(answer) = answer else {
            warn!("our offer was taken without an answer; waiting for the far end's media");
            return Settled::default();
        };
        match self.negotiation.accept(answer) {
            Ok(params) => self.agreed_on(params),
            Err(error) => {
                let why = format!("the far end's answer to our offer cannot be used: {error}");
                Settled { input: Some(Input::Incompatible(why)), ..Settled::default() }
            }
        }
    }

    fn agreed_on(&mut self, params: StreamParams) -> Settled {
        self.held.them = !params.send;
        Settled { params: Some(params), input: self.tell(), ..Settled::default() }
    }

    /// Who may send, as we want it.
    const fn direction(&self) -> Direction {
        if self.held.us { Direction::SendOnly } else { Direction::SendRecv }
    }

    fn tell(&mut self) -> Option<Input> {
        let held = self.held.them || self.held.us;
        let changed = std::mem::replace(&mut self.told, held) != held;
        changed.then_some(Input::Held(held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Codec;
    use crate::sdp::Local;

    fn description(port: u16, formats: &str, direction: &str) -> String {
        format!(
            "v=0\r\no=- 7 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio {port} RTP/AVP {formats}\r\na={direction}\r\n"
        )
    }

    fn local() -> Local<'static> {
        Local { address: [192, 0, 2, 1].into(), port: 4_000, codecs: &[Codec::Pcmu, Codec::Pcma], ..Local::default() }
    }

    fn answered() -> Agreement {
        let mut negotiation = Negotiation::new(local());
        negotiation.answer(&description(5_000, "0", "sendrecv")).unwrap();
        Agreement::answered(negotiation)
    }

    fn offers(agreement: &mut Agreement, formats: &str, direction: &str) -> Settled {
        agreement.handle(&LegEvent::Offered { sdp: Some(description(5_000, formats, direction)) })
    }

    #[test]
    fn hold_and_resume_are_answered_and_told_once_each() {
        let mut agreement = answered();
        assert!(agreement.begin().is_none());
        assert_eq!(agreement.takes_events(), None, "nobody is there yet");
        agreement.handle(&LegEvent::Established { sdp: None });
        assert_eq!(agreement.takes_events(), Some(false), "their offer has none");
        for (direction, answer, held, told) in [
            ("sendonly", "a=recvonly", true, true),
            ("inactive", "a=inactive", true, false),
            ("sendrecv", "a=sendrecv", false, true),
            ("sendrecv", "a=sendrecv", false, false),
        ] {
            let settled = offers(&mut agreement, "0", direction);
            let Some(LegCommand::AnswerOffer { sdp }) = &settled.reply else { panic!("{settled:?}") };
            assert!(sdp.contains(answer), "{direction}: {sdp}");
            assert_eq!(settled.params.as_ref().map(|params| params.send), Some(!held), "{direction}");
            assert_eq!(matches!(settled.input, Some(Input::Held(now)) if now == held), told, "{direction}");
        }
    }

    #[test]
    fn a_codec_may_change_and_one_we_lack_changes_nothing() {
        let mut agreement = answered();
        let changed = offers(&mut agreement, "8", "sendrecv");
        assert_eq!(changed.params.map(|params| params.codec), Some(Codec::Pcma));
        let refused = offers(&mut agreement, "3", "sendrecv");
        assert!(
            matches!(refused.reply, Some(LegCommand::RefuseOffer { status: 488, warning: Some(_) })),
            "{refused:?}"
        );
        assert!(refused.params.is_none() && refused.input.is_none());
        assert_eq!(agreement.negotiation.agreed().map(|params| params.codec), Some(Codec::Pcma));
    }

    #[test]
    fn who_asks_for_our_offer_gets_it_and_its_answer_counts() {
        let mut agreement = answered();
        offers(&mut agreement, "0", "sendonly");
        let asked = agreement.handle(&LegEvent::Offered { sdp: None });
        let Some(LegCommand::AnswerOffer { sdp }) = asked.reply else { panic!("no offer") };
        assert!(sdp.contains("a=sendrecv") && sdp.contains("RTP/AVP 0 8"), "{sdp}");
        let answer = description(6_000, "8", "sendrecv");
        let settled = agreement.handle(&LegEvent::OfferAnswered { sdp: answer });
        assert_eq!(settled.params.and_then(|params| params.remote), "192.0.2.9:6000".parse().ok());
        assert!(matches!(settled.input, Some(Input::Held(false))));
    }

    #[test]
    fn an_answer_that_cannot_be_used_ends_a_call_that_has_no_other() {
        let mut negotiation = Negotiation::new(local());
        negotiation.offer(Direction::SendRecv);
        let mut agreement = Agreement::offered(negotiation);
        let settled = agreement.handle(&LegEvent::Established { sdp: Some("nonsense".into()) });
        assert!(matches!(settled.input, Some(Input::Incompatible(_))), "{settled:?}");
    }

    #[test]
    fn early_media_is_heard_and_the_last_answer_wins() {
        let mut negotiation = Negotiation::new(local());
        negotiation.offer(Direction::SendRecv);
        let mut agreement = Agreement::offered(negotiation);
        let progress = |sdp| LegEvent::Progress { status: 183, sdp };
        assert!(agreement.handle(&progress(None)).params.is_none());
        assert!(agreement.handle(&progress(Some("nonsense".into()))).input.is_none());
        let early = agreement.handle(&progress(Some(description(5_000, "0", "sendrecv"))));
        assert_eq!(early.params.map(|params| params.codec), Some(Codec::Pcmu));
        let last = agreement.handle(&LegEvent::Established { sdp: Some(description(7_000, "8", "sendrecv")) });
        assert_eq!(last.params.map(|params| params.codec), Some(Codec::Pcma));
        let bare = agreement.handle(&LegEvent::Established { sdp: None });
        assert!(bare.params.is_none() && bare.input.is_none());
    }

    #[test]
    fn we_put_them_on_hold_and_take_them_back() {
        let mut agreement = answered();
        assert!(agreement.hold(true).reply.is_none(), "nothing stands yet");
        agreement.handle(&LegEvent::Established { sdp: None });
        let held = agreement.hold(true);
        let Some(LegCommand::Offer { sdp }) = held.reply else { panic!("no offer") };
        assert!(sdp.contains("a=sendonly"), "{sdp}");
        assert!(matches!(held.input, Some(Input::Held(true))));
        assert!(agreement.hold(true).reply.is_none(), "once is enough");
        let agreed = agreement.handle(&LegEvent::OfferAnswered { sdp: description(5_000, "0", "recvonly") });
        assert_eq!(agreed.params.map(|params| (params.send, params.receive)), Some((true, false)));
        assert!(agreed.input.is_none(), "still on hold");
        let back = agreement.hold(false);
        assert!(matches!((back.reply, back.input), (Some(LegCommand::Offer { .. }), Some(Input::Held(false)))));
        agreement.handle(&LegEvent::OfferRefused { status: 491 });
        assert!(agreement.hold(true).reply.is_some());
    }

    #[test]
    fn an_offer_of_theirs_does_not_end_our_hold() {
        let mut agreement = answered();
        agreement.handle(&LegEvent::Established { sdp: None });
        agreement.hold(true);
        agreement.handle(&LegEvent::OfferAnswered { sdp: description(5_000, "0", "recvonly") });
        for (direction, answer, send) in [("sendrecv", "a=sendonly", true), ("sendonly", "a=inactive", false)] {
            let settled = offers(&mut agreement, "0", direction);
            let Some(LegCommand::AnswerOffer { sdp }) = &settled.reply else { panic!("{settled:?}") };
            assert!(sdp.contains(answer), "{direction}: {sdp}");
            assert_eq!(settled.params.map(|params| (params.send, params.receive)), Some((send, false)), "{direction}");
            assert!(settled.input.is_none(), "still on hold");
        }
    }

    #[test]
    fn a_hold_that_crosses_an_offer_of_theirs_is_offered_anew_after_it() {
        let mut agreement = answered();
        agreement.handle(&LegEvent::Established { sdp: None });
        agreement.hold(true);
        let crossing = offers(&mut agreement, "8", "sendrecv");
        assert!(matches!(crossing.reply, Some(LegCommand::AnswerOffer { .. })), "{crossing:?}");
        let Some(LegCommand::Offer { sdp }) = crossing.next else { panic!("our hold is forgotten") };
        assert!(sdp.contains("a=sendonly") && sdp.contains(" 8"), "{sdp}");
        let agreed = agreement.handle(&LegEvent::OfferAnswered { sdp: description(5_000, "8", "recvonly") });
        assert_eq!(agreed.params.map(|params| (params.send, params.receive)), Some((true, false)));
        assert!(offers(&mut agreement, "0", "sendrecv").next.is_none(), "nothing of ours is open any more");
    }

    #[test]
    fn a_call_may_begin_on_hold() {
        let mut negotiation = Negotiation::new(local());
        negotiation.answer(&description(5_000, "0", "sendonly")).unwrap();
        assert!(matches!(Agreement::answered(negotiation).begin(), Some(Input::Held(true))));
    }
}
