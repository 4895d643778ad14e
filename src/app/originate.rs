//! The other way round: we call somebody, and a plan talks to them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;
use tokio::sync::mpsc;
use tracing::{Instrument, info, info_span, warn};

use super::LivePlan;
use super::house::{House, Leg, NoRoom, Place, Unspoken};
use crate::call::disposition::Disposition;
use crate::call::driver::{self, Agreement};
use crate::call::record::{CallEnd, CallRecord, Direction};
use crate::call::registry::Seat;
use crate::call::{Call, CallSetup, TimelineEvent};
use crate::dialplan::scope::Variables;
use crate::id::{CallId, LegId};
use crate::language::Language;
use crate::media::driver::MediaError;
use crate::pii::Pii;
use crate::sdp::Direction as SoundDirection;
use crate::sip::uri::Uri;
use crate::sip::{CallerId, Dial, DialError, LegCommand, PublicAddress};
use crate::spoken::home_region;
use crate::store::asking::AskingError;
use crate::store::suppression::{EVERYWHERE, Suppression};

/// A call to be made.
#[derive(Debug)]
pub struct Originate {
    /// Whom: a SIP URI, or a number where a trunk is named.
    pub to: Pii<String>,
    /// Through which trunk; absent: straight to the URI.
    pub trunk: Option<Arc<str>>,
    /// Who talks to them.
    pub live: LivePlan,
    /// What is known of them, by name.
    pub variables: Variables,
    /// The number they see; absent: the trunk's.
    pub caller: Option<CallerId>,
    /// How long it may ring.
    pub ring: Duration,
    /// Somebody who watches it live.
    pub watch: Option<mpsc::Sender<TimelineEvent>>,
    /// The call it is made for.
    pub made_for: Option<CallId>,
    /// When its plan is through it stands by for that long, to be taken over or joined.
    pub stands_by: Option<Duration>,
    /// Further header fields of the INVITE.
    pub headers: Vec<(String, String)>,
    /// A person wants it although the number may be closed.
    pub even_if_closed: bool,
}

/// Why a call was not even begun: nothing was sent, and there is no record of it.
#[derive(Debug, thiserror::Error)]
pub enum OriginateError {
    /// Shutting down.
    #[error("the gateway is shutting down and makes no new calls")]
    Draining,
    /// No seat, or no port.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// Signalling cannot even try.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// They are not to be called.
    #[error(
        "not called: the number is closed {scope} since {since} ({reason}, says {source_of}), {until}; \
         `trunkline suppress check` tells more, --even-if-closed calls all the same"
    )]
    Closed {
        /// Where.
        scope: String,
        /// Since when.
        since: Timestamp,
        /// Why, in a word.
        reason: String,
        /// Who says so.
        source_of: String,
        /// How long.
        until: String,
    },
    /// Whether they may be called is not known, and so they are not.
    #[error("not called: whether the number is closed cannot be looked up ({0})")]
    Unasked(AskingError),
}

impl OriginateError {
    fn closed(entry: Suppression) -> Self {
        let scope = match entry.scope.as_str() {
            EVERYWHERE => "everywhere".to_owned(),
            scope => format!("for `{scope}`"),
        };
        let until = entry.expires_at.map_or_else(|| "for good".to_owned(), |end| format!("until {end}"));
        Self::Closed { scope, since: entry.created_at, reason: entry.reason, source_of: entry.source, until }
    }
}

impl House {
    /// Makes one call, from INVITE to stored record. `begun` is told its id as soon as there is one.
    pub async fn originate(
        &self,
        order: Originate,
        begun: impl FnOnce(&CallId, LegId) + Send,
    ) -> Result<CallRecord, OriginateError> {
        let (record, seat) = self.converse(order, begun).await?;
        self.records.save(Box::new(record.clone())).await;
        // Whoever waits for the house to be empty waits for the record too.
        drop(seat);
        Ok(record)
    }

    /// Makes one call, from INVITE to its record, which is the caller's to store; and its seat, to be kept until then.
    pub(super) async fn converse(
        &self,
        order: Originate,
        begun: impl FnOnce(&CallId, LegId) + Send,
    ) -> Result<(CallRecord, Seat), OriginateError> {
        // Whoever is on the line gets what they were promised, a person too, until the goodbye.
        if self.draining.is_cancelled() && order.made_for.is_none() {
            return Err(OriginateError::Draining);
        }
        let now = self.clock.now();
        let id = CallId::new(now.wall, rand::rng().random());
        let span = info_span!("call", call = %id, trunk = order.trunk.as_deref());
        self.talk_to(id, order, begun).instrument(span).await
    }

    async fn talk_to(
        &self,
        id: CallId,
        order: Originate,
        begun: impl FnOnce(&CallId, LegId) + Send,
    ) -> Result<(CallRecord, Seat), OriginateError> {
        let now = self.clock.now();
        let trunk = self.config.trunks.iter().find(|trunk| Some(trunk.name.as_str()) == order.trunk.as_deref());
        let through = (Direction::Outbound, order.trunk.as_deref().unwrap_or_default());
        let Place { seat, port, orders } = self.place(&id, &order.live, through, now.wall)?;
        let of_its_own = trunk.is_some_and(|trunk| trunk.public_address != PublicAddress::Usual);
        let address = match self.config.media_address() {
            any if any.is_unspecified() || of_its_own => {
                self.dialer.local_for(order.to.reveal(), order.trunk.as_deref()).await?
            }
            configured => configured,
        };
        let mut negotiation = self.negotiation(address, port.address().port(), trunk.and_then(|trunk| trunk.srtp));
        let sdp = negotiation.offer(SoundDirection::SendRecv);
        let unsettled = negotiation.unsettled();
        let caller = order.caller.as_ref().map(|caller| caller.number.clone());
        let dial = Dial {
            to: order.to.clone(),
            trunk: order.trunk.clone(),
            caller: order.caller,
            sdp: Some(sdp.clone()),
            ring_timeout: order.ring,
            headers: order.headers,
        };
        // The last moment: what was closed while the call was prepared counts. Whom a caller is sent to, or an agent, is
        // called for that caller.
        if order.made_for.is_none() && !order.even_if_closed {
            self.must_be_open(&order.to, &order.live).await?;
        }
        info!("calling");
        let leg = self.dialer.dial(dial).await?;
        begun(&id, leg.leg);
        let recorded = self.config.recording.enabled && order.made_for.is_none();
        let jitter = trunk.and_then(|trunk| trunk.jitter);
        let media_events = self.open((leg.leg, &id), unsettled, port, (jitter, recorded), now);
        let LivePlan { plan, .. } = &order.live;
        let own = || trunk.and_then(|trunk| trunk.caller_id.clone()).map(Pii::new);
        let setup = CallSetup {
            id,
            direction: Direction::Outbound,
            plan: plan.clone(),
            language: plan.languages.first().cloned().unwrap_or_else(Language::english),
            peer: order.trunk.as_deref().unwrap_or_default().to_owned(),
            caller: caller.or_else(own).unwrap_or_default(),
            called: number_of(order.to),
            sip_call_id: leg.sip_call_id,
            arrived_at: now.wall,
            sdp,
            longest: self.config.max_call,
            zone: jiff::tz::TimeZone::system(),
            markers: self.markers.clone(),
            variables: order.variables,
            stands_by: order.stands_by,
            made_for: order.made_for,
        };
        let leg = Leg { id: leg.leg, commands: leg.commands, events: leg.events };
        let media_events = match media_events {
            Ok(media_events) => media_events,
            Err(error) => {
                warn!(%error, "media could not be opened; taking the call back");
                return Ok((self.taken_back(setup, leg, &error).await, seat));
            }
        };
        let consultant = self.on_behalf(&setup, order.trunk.clone());
        let agreement = Agreement::offered(negotiation);
        let watched = (orders, order.watch);
        let mut ports = self.ports(leg, media_events, agreement, &order.live, watched, Box::new(consultant));
        ports.answered = Some(self.records.answering(setup.id.clone(), setup.direction));
        let record = driver::run(Call::outbound(setup, order.ring, now), ports).await;
        Ok((record, seat))
    }

    async fn must_be_open(&self, to: &Pii<String>, live: &LivePlan) -> Result<(), OriginateError> {
        let (number, plan) = (number_of(to.clone()), &live.plan);
        let region = plan.languages.first().and_then(home_region);
        let closing = self.records.writer().asking().closing(&number, region, &plan.name, self.clock.now().wall).await;
        match closing.map_err(OriginateError::Unasked)? {
            None => Ok(()),
            Some(entry) => {
                info!(reason = entry.reason, source = entry.source, scope = entry.scope, "not called: it is closed");
                Err(OriginateError::closed(entry))
            }
        }
    }

    /// A call that cannot be heard: taken back, or hung up on if they were quicker. It leaves a record like any other.
    async fn taken_back(&self, setup: CallSetup, mut leg: Leg, error: &MediaError) -> CallRecord {
        let _ = leg.commands.send(LegCommand::Hangup).await;
        let (_, ladder) = leg.last_words().await;
        let unspoken = Unspoken {
            id: setup.id,
            direction: setup.direction,
            peer: setup.peer,
            sip_call_id: setup.sip_call_id,
            caller: setup.caller,
            called: setup.called,
            arrived_at: setup.arrived_at,
        };
        let end = CallEnd::Failed(format!("media could not be opened: {error}"));
        let record = unspoken.record(end, ladder, self.clock.now());
        let (plan, plan_version) = (setup.plan.name.clone(), setup.plan.version.clone());
        let disposition = Some(Disposition::Failed);
        CallRecord { plan, plan_version, disposition, made_for: setup.made_for, ..record }
    }
}

/// The number in a URI, which is what records keep and the privacy setting cuts; without one the host tells more than
/// nothing.
fn number_of(to: Pii<String>) -> Pii<String> {
    match Uri::parse(to.reveal()) {
        Ok(uri) if !uri.user.is_empty() => Pii::new(uri.user),
        Ok(uri) if !uri.host.is_empty() => Pii::new(uri.host),
        _ => to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_keeps_the_number_and_not_the_address() {
        for (to, kept) in [
            ("sip:+12025550123@carrier.example;transport=tcp", "+12025550123"),
            ("sip:carrier.example", "carrier.example"),
            ("tel:+12025550123", "+12025550123"),
            ("+12025550123", "+12025550123"),
        ] {
            assert_eq!(number_of(Pii::new(to.to_owned())).reveal(), kept, "{to}");
        }
    }
}
