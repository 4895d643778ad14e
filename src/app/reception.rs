//! The front desk: decides for each incoming leg whether it can be answered, and by which plan; then lets it run.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{Instrument, info, warn};

use super::LivePlan;
use super::house::{House, Leg, Place, Unspoken};
use crate::call::driver::{self, Agreement};
use crate::call::record::{CallEnd, CallRecord, Direction};
use crate::call::{Call, CallSetup, TimelineEvent};
use crate::dialplan::scope::Variables;
use crate::id::CallId;
use crate::language::Language;
use crate::rtp::StreamParams;
use crate::sdp::{Direction as SoundDirection, SdpError};
use crate::sip::{IncomingLeg, LegCommand, LegEnd, Rejection};
use crate::time::Now;

/// What we ask of callers we have no room for.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// A leg that will be answered.
struct Accepted {
    live: LivePlan,
    /// Does its route want a recording?
    recorded: bool,
    place: Place,
    /// Our session description.
    sdp: String,
    params: StreamParams,
    agreement: Agreement,
}

impl House {
    /// Takes one leg from INVITE to stored record.
    pub async fn receive(&self, leg: IncomingLeg) {
        let record = self.talk(leg, None).await;
        self.records.save(Box::new(record)).await;
    }

    /// Takes one leg from INVITE to its end, under the eyes of `watch`; what remains of it is the caller's to keep.
    pub(super) async fn talk(&self, leg: IncomingLeg, watch: Option<mpsc::Sender<TimelineEvent>>) -> CallRecord {
        let now = self.clock.now();
        let (id, span) = (leg.call.clone(), leg.span.clone());
        let record = async {
            info!("incoming call");
            match self.accept(&id, &leg, now) {
                Ok(accepted) => self.answer(id, leg, accepted, watch, now).await,
                Err(rejection) => self.refuse(id, leg, rejection, now).await,
            }
        };
        record.instrument(span).await
    }

    /// Takes one leg only to refuse it: we are shutting down.
    pub async fn turn_away(&self, leg: IncomingLeg) {
        let now = self.clock.now();
        let (id, span) = (leg.call.clone(), leg.span.clone());
        let record = self.refuse(id, leg, full_house(), now).instrument(span).await;
        self.records.save(Box::new(record)).await;
    }

    fn accept(&self, id: &CallId, leg: &IncomingLeg, now: Now) -> Result<Accepted, Rejection> {
        let route = self.config.route_for(leg.called.reveal(), &leg.peer).ok_or(Rejection::status(404))?;
        let live = self.plans.of_route(&route.plan);
        let place = self.place(id, &live, (Direction::Inbound, &leg.peer), now.wall).map_err(|error| {
            warn!(%error, "no room for a new call");
            full_house()
        })?;
        let peer = self.config.peers.iter().find(|peer| peer.name == leg.peer);
        let srtp = peer.and_then(|peer| peer.srtp);
        let mut negotiation = self.negotiation(self.address_for(leg), place.port.address().port(), srtp);
        let recorded = self.config.records(route);
        Ok(match &leg.offer {
            Some(offer) => {
                let (sdp, params) = negotiation.answer(offer).map_err(|error| refusal(&error))?;
                Accepted { live, recorded, place, sdp, params, agreement: Agreement::answered(negotiation) }
            }
            None => {
                let (sdp, params) = (negotiation.offer(SoundDirection::SendRecv), negotiation.unsettled());
                Accepted { live, recorded, place, sdp, params, agreement: Agreement::offered(negotiation) }
            }
        })
    }

    async fn answer(
        &self,
        id: CallId,
        leg: IncomingLeg,
        accepted: Accepted,
        watch: Option<mpsc::Sender<TimelineEvent>>,
        now: Now,
    ) -> CallRecord {
        let Accepted { live, recorded, place: Place { seat, port, orders }, sdp, params, agreement } = accepted;
        let peer = self.config.peers.iter().find(|peer| peer.name == leg.peer);
        let jitter = peer.and_then(|peer| peer.jitter);
        let media_events = match self.open((leg.leg, &id), params, port, (jitter, recorded), now) {
            Ok(media_events) => media_events,
            Err(error) => {
                warn!(%error, "media could not be opened");
                return self.refuse(id, leg, full_house(), now).await;
            }
        };
        let setup = CallSetup {
            id,
            direction: Direction::Inbound,
            plan: live.plan.clone(),
            language: live.plan.languages.first().cloned().unwrap_or_else(Language::english),
            peer: leg.peer,
            caller: leg.caller,
            called: leg.called,
            sip_call_id: leg.sip_call_id,
            arrived_at: now.wall,
            sdp,
            longest: self.config.max_call,
            zone: jiff::tz::TimeZone::system(),
            markers: self.markers.clone(),
            variables: Variables::new(),
            stands_by: None,
            made_for: None,
        };
        let leg = Leg { id: leg.leg, commands: leg.commands, events: leg.events };
        let consultant = self.on_behalf(&setup, self.trunk_named(&setup.peer));
        let mut ports = self.ports(leg, media_events, agreement, &live, (orders, watch), Box::new(consultant));
        ports.answered = Some(self.records.answering(setup.id.clone(), setup.direction));
        let record = driver::run(Call::inbound(setup, now), ports).await;
        drop(seat);
        record
    }

    /// Refuses a leg and waits until it is over; such a refusal leaves a record too, so that "why did my call fail" has
    /// an answer. (Calls over a limit never become legs: the signalling counts them by cause and names them in the log.)
    async fn refuse(&self, id: CallId, leg: IncomingLeg, rejection: Rejection, now: Now) -> CallRecord {
        let status = rejection.status;
        info!(status, "refused");
        let unspoken = Unspoken {
            id,
            direction: Direction::Inbound,
            peer: leg.peer,
            sip_call_id: leg.sip_call_id,
            caller: leg.caller,
            called: leg.called,
            arrived_at: now.wall,
        };
        let mut leg = Leg { id: leg.leg, commands: leg.commands, events: leg.events };
        let _ = leg.commands.send(LegCommand::Reject(rejection)).await;
        let (end, last_words) = leg.last_words().await;
        let end = if end == Some(LegEnd::Cancelled) { CallEnd::Cancelled } else { CallEnd::Rejected(status) };
        unspoken.record(end, last_words, self.clock.now())
    }

    /// The trunk of that name: then it is where this caller comes from.
    pub(super) fn trunk_named(&self, peer: &str) -> Option<Arc<str>> {
        self.config.trunks.iter().find(|trunk| trunk.name == peer).map(|trunk| trunk.name.as_str().into())
    }

    /// Where this caller is told to send media: as configured, else the address it reached us at; a trunk with a public
    /// address of its own (`trunk.public_address`) that one.
    fn address_for(&self, leg: &IncomingLeg) -> IpAddr {
        let (configured, sip) = (self.config.media_address(), &self.config.sip);
        let usual = sip.advertise.unwrap_or(sip.listen.ip());
        let of_its_own = !usual.is_unspecified() && leg.local.ip() != usual;
        if configured.is_unspecified() || of_its_own { leg.local.ip() } else { configured }
    }
}

/// No room: come back soon.
fn full_house() -> Rejection {
    Rejection { retry_after: Some(RETRY_AFTER), ..Rejection::status(503) }
}

/// What a caller is told whose session description we cannot use (RFC 3261 §21.4.26: 488 says why in a Warning).
fn refusal(error: &SdpError) -> Rejection {
    Rejection { warning: Some(error.to_string()), ..Rejection::status(error.sip_status()) }
}
