//! The telephones of callers and agents: one SIP endpoint with media of its own for all of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use super::super::settings::{media_config, sip_config};
use super::super::{AppError, BYE_GRACE};
use super::door::{Awaited, Door};
use crate::audio::Pcm;
use crate::config::Config;
use crate::id::{LegId, PlayId};
use crate::media::driver::{MediaError, MediaHandle, MediaServer, ReservedPort};
use crate::media::{BargeIn, MediaCommand, MediaEvent, OpenLeg, RecordingRequest};
use crate::pii::Pii;
use crate::rtp::jitter::JitterConfig;
use crate::rtp::{Codec, Digit, StreamParams};
use crate::sdp::{Direction, Local, Negotiation, SdpError};
use crate::sip::{Dial, DialError, IncomingLeg, LegCommand, LegCommands, LegEvent, SipServer};
use crate::time::Clock;

/// Media events of one call; what the gateway says makes about five a turn.
const MEDIA_EVENTS: usize = 256;
/// How long it may ring.
const RING: Duration = Duration::from_secs(20);
/// How long a key is held, and released, in milliseconds: what people do.
const TONE_MS: u32 = 100;
const GAP_MS: u32 = 150;

/// Makes calls, and takes those it expects.
pub(super) struct Phone {
    sip: SipServer,
    receiver: Receiver,
    doorman: JoinSet<()>,
}

/// What takes calls. Cheap to clone.
#[derive(Clone)]
pub(super) struct Receiver {
    address: SocketAddr,
    door: Door,
    media: MediaHandle,
    clock: Arc<dyn Clock>,
}

/// Why a call could not be made, or taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoCall {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Sdp(#[from] SdpError),
    #[error("it came without an offer")]
    NoOffer,
}

impl Phone {
    /// Opens it on any free port of loopback.
    pub async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, AppError> {
        let mut media = media_config(config);
        // Beside the gateway's own, which has the first half.
        media.ports = 28_000..=31_999;
        let (sip, incoming) = SipServer::bind(sip_config(config), clock.clone()).await?;
        let (door, mut doorman) = (Door::default(), JoinSet::new());
        doorman.spawn(door.clone().keep(incoming));
        let receiver = Receiver { address: sip.local_addr(), door, media: MediaServer::start(media)?, clock };
        Ok(Self { sip, receiver, doorman })
    }

    /// What takes calls.
    pub fn receiver(&self) -> Receiver {
        self.receiver.clone()
    }

    /// Calls `name` at the gateway. What is heard (left) and said (right) goes into `file`.
    pub async fn dial(&self, name: &str, gateway: SocketAddr, file: PathBuf) -> Result<Talk, NoCall> {
        let port = self.receiver.media.reserve()?;
        let mut negotiation = negotiation(port.address().port());
        let sdp = negotiation.offer(Direction::SendRecv);
        let dial = Dial {
            to: Pii::new(format!("sip:{name}@{gateway}")),
            trunk: None,
            caller: None,
            sdp: Some(sdp),
            ring_timeout: RING,
            headers: Vec::new(),
        };
        let leg = self.sip.dialer().dial(dial).await?;
        let unsettled = negotiation.unsettled();
        let leg = Leg { id: leg.leg, commands: leg.commands, events: leg.events };
        self.receiver.talk(leg, unsettled, (port, negotiation, false), Some(file))
    }

    pub async fn close(mut self) {
        self.doorman.shutdown().await;
        self.sip.shutdown(BYE_GRACE).await;
    }
}

impl Receiver {
    /// Somebody will dial `name`, by this URI.
    pub fn expect(&self, name: &str) -> (Awaited, String) {
        (self.door.expect(name), format!("sip:{name}@{}", self.address))
    }

    /// Takes a call.
    pub async fn pick_up(&self, leg: IncomingLeg) -> Result<Talk, NoCall> {
        let port = self.media.reserve()?;
        let mut negotiation = negotiation(port.address().port());
        let (sdp, params) = negotiation.answer(leg.offer.as_deref().ok_or(NoCall::NoOffer)?)?;
        let leg = Leg { id: leg.leg, commands: leg.commands, events: leg.events };
        let talk = self.talk(leg, params, (port, negotiation, true), None)?;
        let _ = talk.leg.commands.send(LegCommand::Answer { sdp }).await;
        Ok(talk)
    }

    fn talk(
        &self,
        leg: Leg,
        params: StreamParams,
        (port, negotiation, settled): (ReservedPort, Negotiation, bool),
        file: Option<PathBuf>,
    ) -> Result<Talk, NoCall> {
        let (events, media_events) = mpsc::channel(MEDIA_EVENTS);
        let open = OpenLeg {
            leg: leg.id,
            params,
            jitter: JitterConfig::default(),
            recording: file.map(|path| RecordingRequest { path }),
            random: rand::rng().random(),
            call: leg.id.to_string(),
        };
        self.media.open(open, port, events)?;
        Ok(Talk {
            media: self.media.clone(),
            opened: self.clock.now().mono,
            clock: self.clock.clone(),
            leg,
            media_events,
            negotiation,
            settled,
            answered: None,
            closed: None,
            plays: 0,
            leg_over: false,
            media_over: false,
        })
    }
}

/// What a telephone says of its sound.
fn negotiation(port: u16) -> Negotiation {
    Negotiation::new(Local {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port,
        // As in the telephone network.
        codecs: &[Codec::Pcmu],
        session_id: u64::from(rand::rng().random::<u32>()),
        ..Local::default()
    })
}

/// A leg's ends, whoever called.
struct Leg {
    id: LegId,
    commands: LegCommands,
    events: mpsc::Receiver<LegEvent>,
}

/// One call.
pub(super) struct Talk {
    media: MediaHandle,
    clock: Arc<dyn Clock>,
    leg: Leg,
    media_events: mpsc::Receiver<MediaEvent>,
    negotiation: Negotiation,
    /// Both have said what they can: we answered their offer.
    settled: bool,
    opened: Instant,
    answered: Option<Instant>,
    closed: Option<Instant>,
    plays: u64,
    leg_over: bool,
    media_over: bool,
}

impl Talk {
    /// Waits for something to happen at this end. Has the caller finished what they were doing?
    pub async fn next(&mut self) -> bool {
        tokio::select! {
            event = self.leg.events.recv(), if !self.leg_over => {
                match event {
                    Some(event) => self.leg(event).await,
                    None => self.leg_over = true,
                }
                false
            }
            event = self.media_events.recv(), if !self.media_over => match event {
                Some(MediaEvent::PromptFinished { .. } | MediaEvent::KeysSent) => true,
                Some(MediaEvent::Closed(_)) | None => {
                    self.media_over = true;
                    false
                }
                Some(_) => false,
            },
            else => std::future::pending().await,
        }
    }

    /// Says something.
    pub fn play(&mut self, sound: Pcm) {
        self.plays += 1;
        self.order(MediaCommand::Play { play: PlayId(self.plays), audio: Arc::new(sound), barge_in: BargeIn::Off });
    }

    /// Says no more.
    pub fn hush(&self) {
        self.order(MediaCommand::Flush);
    }

    /// Does the call stand?
    pub const fn stands(&self) -> bool {
        self.answered.is_some() && !self.leg_over
    }

    /// Is the call over at this end?
    pub const fn is_over(&self) -> bool {
        self.leg_over
    }

    /// Presses keys.
    pub fn press(&self, keys: Vec<Digit>) {
        self.order(MediaCommand::SendKeys { keys, tone_ms: TONE_MS, gap_ms: GAP_MS });
    }

    /// Where the caller is: heard between their words.
    pub fn surround(&self, noise: Pcm) {
        self.order(MediaCommand::Background { sound: Some(Arc::new(noise)) });
    }

    /// Hangs up.
    pub async fn hang_up(&self) {
        let _ = self.leg.commands.send(LegCommand::Hangup).await;
    }

    /// From the beginning of the recording to the answer.
    pub fn answered_after(&self) -> Duration {
        self.answered.map_or(Duration::ZERO, |at| at.saturating_duration_since(self.opened))
    }

    /// From the beginning of the recording to its end; so far, while it lasts.
    pub fn lasted(&self) -> Duration {
        self.closed.unwrap_or_else(|| self.clock.now().mono).saturating_duration_since(self.opened)
    }

    /// Waits for the leg's end, and for the recording.
    pub async fn close(&mut self) {
        if !self.leg_over {
            self.hang_up().await;
        }
        self.closed = Some(self.clock.now().mono);
        self.order(MediaCommand::Close);
        while !(self.leg_over && self.media_over) {
            self.next().await;
        }
    }

    async fn leg(&mut self, event: LegEvent) {
        match event {
            LegEvent::Established { sdp } => {
                self.answered = Some(self.clock.now().mono);
                let answer = sdp.as_deref().filter(|_| !self.settled);
                match answer.map(|answer| self.negotiation.accept(answer)) {
                    Some(Ok(params)) => self.order(MediaCommand::Renegotiate { params }),
                    Some(Err(error)) => warn!(%error, "the gateway's answer cannot be used"),
                    None if self.settled => {}
                    None => warn!("the gateway answered without a session description"),
                }
            }
            LegEvent::Offered { sdp: Some(offer) } => {
                let command = match self.negotiation.answer(&offer) {
                    Ok((sdp, params)) => {
                        self.order(MediaCommand::Renegotiate { params });
                        LegCommand::AnswerOffer { sdp }
                    }
                    Err(error) => {
                        LegCommand::RefuseOffer { status: error.sip_status(), warning: Some(error.to_string()) }
                    }
                };
                let _ = self.leg.commands.send(command).await;
            }
            LegEvent::Offered { sdp: None } => {
                let sdp = self.negotiation.again().to_owned();
                let _ = self.leg.commands.send(LegCommand::AnswerOffer { sdp }).await;
            }
            LegEvent::Ended(_) => self.leg_over = true,
            _ => {}
        }
    }

    fn order(&self, command: MediaCommand) {
        if let Err(error) = self.media.command(self.leg.id, command) {
            warn!(%error, "a telephone does not obey");
        }
    }
}
