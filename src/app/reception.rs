//! The front desk: decides for each incoming leg whether it can be answered, and by which plan; then lets it run.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info, info_span, warn};

use super::LivePlan;
use super::ledger::Ledger;
use crate::call::driver::{self, Ports};
use crate::call::record::{CallEnd, CallRecord, Direction};
use crate::call::registry::{LiveCall, Registry, Seat};
use crate::call::{Call, CallSetup};
use crate::config::Config;
use crate::id::CallId;
use crate::language::Language;
use crate::media::driver::{MediaHandle, ReservedPort};
use crate::media::{MediaSummary, OpenLeg, RecordingRequest};
use crate::rtp::{Codec, StreamParams};
use crate::sdp::{self, Local, Preference, SdpError};
use crate::sip::ladder::Ladder;
use crate::sip::{IncomingLeg, LegCommand, LegEvent, Rejection};
use crate::speech::driver::RecognizerPool;
use crate::time::{Clock, Now};

/// Media events of one call. A turn makes about five; a caller drumming on the keys makes a dozen a second, and the
/// call task takes them at once.
const MEDIA_EVENTS: usize = 256;
/// What we ask of callers we have no room for.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What we speak, best first.
const CODECS: &[Codec] = &[Codec::Pcmu, Codec::Pcma];
/// What holds between our late offer and its answer: our first choice, and nowhere to send yet.
fn unsettled() -> StreamParams {
    StreamParams { telephone_event: Some(sdp::TELEPHONE_EVENT), ..StreamParams::default() }
}

/// Everything an incoming leg needs.
pub struct Reception {
    pub media_address: IpAddr,
    pub config: Config,
    pub plans: BTreeMap<PathBuf, LivePlan>,
    pub media: MediaHandle,
    pub recognizers: Arc<RecognizerPool>,
    pub registry: Registry,
    pub records: Ledger,
    pub goodbye: CancellationToken,
    pub clock: Arc<dyn Clock>,
}

/// A leg that will be answered.
struct Accepted {
    live: LivePlan,
    /// Does its route want a recording?
    recorded: bool,
    seat: Seat,
    port: ReservedPort,
    /// Our session description.
    sdp: String,
    params: StreamParams,
    /// Our offer, when they made none: the answer comes with the ACK.
    late_offer: Option<Local<'static>>,
}

impl Reception {
    /// Takes one leg from INVITE to stored record.
    pub async fn receive(&self, leg: IncomingLeg) {
        let now = self.clock.now();
        let id = CallId::new(now.wall, rand::rng().random());
        let span = info_span!("call", %id, leg = leg.leg.0, peer = %leg.peer);
        let record = async {
            info!("incoming call");
            debug!(sip_call_id = leg.sip_call_id, "as the far end calls it");
            match self.accept(&id, &leg, now) {
                Ok(accepted) => self.run(id, leg, accepted, now).await,
                Err(rejection) => self.refuse(id, leg, rejection, now).await,
            }
        };
        let record = record.instrument(span).await;
        self.records.save(Box::new(record)).await;
    }

    /// Takes one leg only to refuse it: we are shutting down.
    pub async fn turn_away(&self, leg: IncomingLeg) {
        let now = self.clock.now();
        let id = CallId::new(now.wall, rand::rng().random());
        let record = self.refuse(id, leg, full_house(), now).await;
        self.records.save(Box::new(record)).await;
    }

    fn accept(&self, id: &CallId, leg: &IncomingLeg, now: Now) -> Result<Accepted, Rejection> {
        let route = self.config.route_for(leg.called.reveal()).ok_or(Rejection::status(404))?;
        let live = self.plans.get(&route.plan).expect("every routed plan was loaded at start").clone();
        let listed = LiveCall { since: now.wall, plan: live.plan.name.clone() };
        let seat = self.registry.take(id.clone(), listed).ok_or_else(full_house)?;
        let port = self.media.reserve().map_err(|error| {
            warn!(%error, "no RTP port for a new call");
            full_house()
        })?;
        let local = Local {
            address: self.address_for(leg),
            port: port.address().port(),
            codecs: CODECS,
            preference: Preference::Theirs,
            session_id: u64::from(rand::rng().random::<u32>()),
            session_version: 1,
            ..Local::default()
        };
        let (sdp, params, late_offer) = match &leg.offer {
            Some(offer) => {
                let (sdp, params) = sdp::answer(offer, &local).map_err(|error| refusal(&error))?;
                (sdp, params, None)
            }
            None => (sdp::offer(&local), unsettled(), Some(local)),
        };
        Ok(Accepted { live, recorded: self.config.records(route), seat, port, sdp, params, late_offer })
    }

    async fn run(&self, id: CallId, leg: IncomingLeg, accepted: Accepted, now: Now) -> CallRecord {
        let Accepted { live, recorded, seat, port, sdp, params, late_offer } = accepted;
        let (events, media_events) = mpsc::channel(MEDIA_EVENTS);
        let open = OpenLeg {
            leg: leg.leg,
            params,
            recording: recorded.then(|| self.recording(&id, now)),
            random: rand::rng().random(),
            call: id.to_string(),
        };
        if let Err(error) = self.media.open(open, port, events) {
            warn!(%error, "media could not be opened");
            return self.refuse(id, leg, full_house(), now).await;
        }
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
            variables: BTreeMap::new(),
        };
        let ports = Ports {
            leg: leg.leg,
            commands: leg.commands,
            leg_events: leg.events,
            media: self.media.clone(),
            media_events,
            late_offer,
            recognizers: self.recognizers.clone(),
            prompts: live.prompts,
            clock: self.clock.clone(),
            drain: self.goodbye.clone(),
        };
        let record = driver::run(Call::inbound(setup, now), ports).await;
        drop(seat);
        record
    }

    /// Refuses a leg and waits until it is over; the refusal leaves a record too, so that "why did my call fail" has
    /// an answer.
    async fn refuse(&self, id: CallId, mut leg: IncomingLeg, rejection: Rejection, now: Now) -> CallRecord {
        let status = rejection.status;
        info!(status, "refused");
        let _ = leg.commands.send(LegCommand::Reject(rejection)).await;
        let end = loop {
            match leg.events.recv().await {
                Some(LegEvent::Ended(crate::sip::LegEnd::Cancelled)) => break CallEnd::Cancelled,
                Some(LegEvent::Ended(_)) | None => break CallEnd::Rejected(status),
                Some(_) => {}
            }
        };
        CallRecord {
            id,
            direction: Direction::Inbound,
            peer: leg.peer,
            sip_call_id: leg.sip_call_id,
            caller: leg.caller,
            called: leg.called,
            plan: String::new(),
            plan_version: String::new(),
            arrived_at: now.wall,
            answered_at: None,
            ended_at: self.clock.now().wall,
            end,
            disposition: None,
            result: None,
            path: Vec::new(),
            turns: Vec::new(),
            prompts: Vec::new(),
            media: MediaSummary::default(),
            ladder: Ladder::default(),
        }
    }

    /// Where this caller is told to send media: as configured, else the address it reached us at.
    fn address_for(&self, leg: &IncomingLeg) -> IpAddr {
        if self.media_address.is_unspecified() { leg.local.ip() } else { self.media_address }
    }

    /// `recordings/2026-11/21/ID.wav`: a folder never grows without bound, and days can be deleted.
    fn recording(&self, id: &CallId, now: Now) -> RecordingRequest {
        let day = now.wall.strftime("%Y-%m/%d").to_string();
        RecordingRequest { path: self.config.recordings_dir().join(day).join(format!("{id}.wav")) }
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

impl std::fmt::Debug for Reception {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reception").field("plans", &self.plans.len()).finish_non_exhaustive()
    }
}
