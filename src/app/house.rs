//! What all calls share, and what each of them is given: a seat, a port, a description of its sound, a thread of media.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use jiff::Timestamp;
use rand::{Rng, RngCore};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::LivePlan;
use super::consult::OnBehalf;
use super::desk::Desk;
use super::ledger::Ledger;
use super::plans::Plans;
use crate::agents::driver::Hooks;
use crate::call::driver::{Agreement, Asks, Consultant, Music, Ports, Voice};
use crate::call::record::{CallEnd, CallRecord, Direction};
use crate::call::registry::{LiveCall, Ordered, Registry, Seat};
use crate::call::{CallSetup, TimelineEvent};
use crate::config::{Config, JitterBounds};
use crate::id::{CallId, LegId};
use crate::lookup::driver::Lookups;
use crate::media::driver::{MediaError, MediaHandle, ReservedPort};
use crate::media::{MediaEvent, MediaSummary, OpenLeg, RecordingRequest};
use crate::pii::Pii;
use crate::rtp::StreamParams;
use crate::sdp::{Local, Negotiation, SrtpPolicy};
use crate::sip::{Dialer, Ladder, LegCommands, LegEnd, LegEvent, Reason};
use crate::speech::driver::RecognizerPool;
use crate::time::{Clock, Now};

/// Media events of one call. A turn makes about five; a caller drumming on the keys makes a dozen a second, and the
/// call task takes them at once.
const MEDIA_EVENTS: usize = 256;
/// Orders for one call that may wait: a person gives one at a time.
const ORDERS: usize = 8;

/// The gateway's rooms, as calls use them.
pub struct House {
    /// Settings.
    pub config: Config,
    /// Dial plans in service.
    pub plans: Arc<Plans>,
    /// The media threads.
    pub media: MediaHandle,
    /// Signalling, for calls we make.
    pub dialer: Dialer,
    /// Who recognises speech.
    pub recognizers: Arc<RecognizerPool>,
    /// Live calls.
    pub registry: Registry,
    /// What callers hear who wait.
    pub music: Music,
    /// Where agents are found.
    pub desk: Desk,
    /// Where records go.
    pub records: Ledger,
    /// Fires when live calls must say goodbye.
    pub goodbye: CancellationToken,
    /// Fires when no new ones are taken.
    pub draining: CancellationToken,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who asks other systems, where the settings name any.
    pub lookups: Option<Lookups>,
    /// Who tells a system of the house of agents and callers.
    pub hooks: Option<Hooks>,
    /// What stands for the secrets of the house in the requests of plans.
    pub markers: Arc<BTreeMap<String, String>>,
    /// Itself, for calls that make calls.
    pub me: Weak<House>,
}

/// Why there is no room for a call.
#[derive(Debug, thiserror::Error)]
pub enum NoRoom {
    /// Every seat is taken.
    #[error("{0} calls are live, which is all that sip.max_calls allows")]
    Seats(usize),
    /// No port is free.
    #[error(transparent)]
    Port(#[from] MediaError),
}

/// A place for one call: given back when it is dropped.
pub(super) struct Place {
    pub seat: Seat,
    pub port: ReservedPort,
    pub orders: mpsc::Receiver<Ordered>,
}

/// A leg's ends, whoever called.
pub(super) struct Leg {
    pub id: LegId,
    pub commands: LegCommands,
    pub events: mpsc::Receiver<LegEvent>,
}

/// What a leg says at its end.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    ladder: Ladder,
    reason: Option<Reason>,
}

impl Leg {
    /// Waits until it is over.
    pub async fn last_words(&mut self) -> (Option<LegEnd>, LastWords) {
        let mut said = LastWords::default();
        let end = loop {
            match self.events.recv().await {
                Some(LegEvent::Ladder(ladder)) => said.ladder = *ladder,
                Some(LegEvent::Reason(reason)) => said.reason = Some(reason),
                Some(LegEvent::Ended(end)) => break Some(end),
                Some(_) => {}
                None => break None,
            }
        };
        (end, said)
    }
}

/// A call in which nobody spoke to anybody.
pub(super) struct Unspoken {
    pub id: CallId,
    pub direction: Direction,
    pub peer: String,
    pub sip_call_id: String,
    pub caller: Pii<String>,
    pub called: Pii<String>,
    pub arrived_at: Timestamp,
}

impl Unspoken {
    /// Its record: "why did my call fail" has an answer.
    pub fn record(self, end: CallEnd, LastWords { ladder, reason }: LastWords, now: Now) -> CallRecord {
        let Self { id, direction, peer, sip_call_id, caller, called, arrived_at } = self;
        CallRecord {
            id,
            direction,
            language: None,
            outcomes: Vec::new(),
            peer,
            sip_call_id,
            caller,
            called,
            plan: String::new(),
            plan_version: String::new(),
            arrived_at,
            answered_at: None,
            ended_at: now.wall,
            end,
            disposition: None,
            result: None,
            path: Vec::new(),
            turns: Vec::new(),
            prompts: Vec::new(),
            media: MediaSummary::default(),
            ladder,
            reason,
            made_for: None,
        }
    }
}

impl House {
    /// Takes a seat and a port, and lists the call, which came from that peer or goes through that trunk, as live.
    pub(super) fn place(
        &self,
        call: &CallId,
        LivePlan { plan, .. }: &LivePlan,
        (direction, peer): (Direction, &str),
        since: Timestamp,
    ) -> Result<Place, NoRoom> {
        let (orders_in, orders) = mpsc::channel(ORDERS);
        let (plan, version, peer) = (plan.name.clone(), plan.version.clone(), peer.to_owned());
        let listed = LiveCall { since, plan, version, direction, peer };
        let seats = self.config.sip.max_calls;
        let seat = self.registry.take(call.clone(), listed, orders_in).ok_or(NoRoom::Seats(seats))?;
        Ok(Place { seat, port: self.media.reserve()?, orders })
    }

    /// Who calls others for this call; numbers through `trunk`, where it goes through one.
    pub(super) fn on_behalf(&self, setup: &CallSetup, trunk: Option<Arc<str>>) -> OnBehalf {
        OnBehalf {
            house: self.me.clone(),
            call: setup.id.clone(),
            far_end: setup.far_end().clone(),
            trunk,
            language: setup.language.clone(),
            agent: None,
            theirs: None,
        }
    }

    /// What we say about sound in a call of this peer or trunk, at `address` and `port`.
    pub(super) fn negotiation(&self, address: IpAddr, port: u16, srtp: Option<SrtpPolicy>) -> Negotiation {
        let rtp = &self.config.rtp;
        let mut keys = [0; 92];
        rand::rng().fill_bytes(&mut keys);
        Negotiation::new(Local {
            address,
            port,
            codecs: &rtp.codecs,
            preference: rtp.order,
            session_id: u64::from(rand::rng().random::<u32>()),
            session_version: 1,
            srtp: srtp.unwrap_or(rtp.srtp),
            rtcp_mux: true,
            ice: true,
            keys,
        })
    }

    /// Opens the leg's media on `port`, with the delay that its peer or trunk has of its own.
    pub(super) fn open(
        &self,
        (leg, call): (LegId, &CallId),
        params: StreamParams,
        port: ReservedPort,
        (jitter, recorded): (Option<JitterBounds>, bool),
        now: Now,
    ) -> Result<mpsc::Receiver<MediaEvent>, MediaError> {
        let (events, media_events) = mpsc::channel(MEDIA_EVENTS);
        let open = OpenLeg {
            leg,
            params,
            jitter: jitter.unwrap_or(self.config.rtp.jitter).into(),
            recording: recorded.then(|| self.recording(call, now)),
            random: rand::rng().random(),
            call: call.to_string(),
        };
        self.media.open(open, port, events)?;
        Ok(media_events)
    }

    /// Everything a call's driver needs.
    pub(super) fn ports(
        &self,
        leg: Leg,
        media_events: mpsc::Receiver<MediaEvent>,
        agreement: Agreement,
        live: &LivePlan,
        (orders, watch): (mpsc::Receiver<Ordered>, Option<mpsc::Sender<TimelineEvent>>),
        consultant: Box<dyn Consultant>,
    ) -> Ports {
        Ports {
            leg: leg.id,
            commands: leg.commands,
            leg_events: leg.events,
            media: self.media.clone(),
            media_events,
            agreement,
            recognizers: self.recognizers.clone(),
            voice: Voice::new(live.prompts.clone(), live.voices.clone()),
            lookups: self.lookups.clone().map(|lookups| Arc::new(lookups) as Arc<dyn Asks>),
            clock: self.clock.clone(),
            drain: self.goodbye.clone(),
            music: self.music.clone(),
            orders,
            watchers: watch.into_iter().collect(),
            consultant,
            do_not_call: Box::new(self.records.writer().clone()),
            recordings: self.config.recordings_dir(),
            answered: None,
            witness: None,
        }
    }

    /// `recordings/2026-11/21/ID.wav`: a folder never grows without bound, and days can be deleted.
    fn recording(&self, id: &CallId, now: Now) -> RecordingRequest {
        let day = now.wall.strftime("%Y-%m/%d").to_string();
        RecordingRequest { path: self.config.recordings_dir().join(day).join(format!("{id}.wav")) }
    }
}

impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("House").field("plans", &self.plans.len()).finish_non_exhaustive()
    }
}
