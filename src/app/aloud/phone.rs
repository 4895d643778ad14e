//! The callers' telephone: one SIP endpoint with media of its own for all of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;
use tokio::sync::mpsc;
use tracing::warn;

use super::super::settings::{media_config, sip_config};
use super::super::{AppError, BYE_GRACE};
use crate::audio::Pcm;
use crate::config::Config;
use crate::id::PlayId;
use crate::media::driver::{MediaError, MediaHandle, MediaServer};
use crate::media::{BargeIn, MediaCommand, MediaEvent, OpenLeg, RecordingRequest};
use crate::pii::Pii;
use crate::rtp::jitter::JitterConfig;
use crate::rtp::{Codec, Digit};
use crate::sdp::{Direction, Local, Negotiation};
use crate::sip::{Dial, DialError, LegCommand, LegEvent, OutgoingLeg, SipServer};
use crate::time::Clock;

/// Media events of one call; what the gateway says makes about five a turn.
const MEDIA_EVENTS: usize = 256;
/// How long it may ring.
const RING: Duration = Duration::from_secs(20);
/// How long a key is held, and released, in milliseconds: what people do.
const TONE_MS: u32 = 100;
const GAP_MS: u32 = 150;

/// Makes calls.
pub(super) struct Phone {
    sip: SipServer,
    media: MediaHandle,
    clock: Arc<dyn Clock>,
}

/// Why a call could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoCall {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Media(#[from] MediaError),
}

impl Phone {
    /// Opens it on any free port of loopback.
    pub async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, AppError> {
        let mut media = media_config(config);
        // Beside the gateway's own, which has the first half.
        media.ports = 28_000..=31_999;
        let (sip, _) = SipServer::bind(sip_config(config), clock.clone()).await?;
        Ok(Self { sip, media: MediaServer::start(media)?, clock })
    }

    /// Calls `name` at the gateway. What is heard (left) and said (right) goes into `file`.
    pub async fn dial(&self, name: &str, gateway: SocketAddr, file: PathBuf) -> Result<Talk, NoCall> {
        let port = self.media.reserve()?;
        let mut negotiation = Negotiation::new(Local {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: port.address().port(),
            // As in the telephone network.
            codecs: &[Codec::Pcmu],
            session_id: u64::from(rand::rng().random::<u32>()),
            ..Local::default()
        });
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
        let (events, media_events) = mpsc::channel(MEDIA_EVENTS);
        let open = OpenLeg {
            leg: leg.leg,
            params: negotiation.unsettled(),
            jitter: JitterConfig::default(),
            recording: Some(RecordingRequest { path: file }),
            random: rand::rng().random(),
            call: name.to_owned(),
        };
        self.media.open(open, port, events)?;
        Ok(Talk {
            media: self.media.clone(),
            opened: self.clock.now().mono,
            clock: self.clock.clone(),
            leg,
            media_events,
            negotiation,
            answered: None,
            plays: 0,
            leg_over: false,
            media_over: false,
        })
    }

    pub async fn close(self) {
        self.sip.shutdown(BYE_GRACE).await;
    }
}

/// One call.
pub(super) struct Talk {
    media: MediaHandle,
    clock: Arc<dyn Clock>,
    leg: OutgoingLeg,
    media_events: mpsc::Receiver<MediaEvent>,
    negotiation: Negotiation,
    opened: Instant,
    answered: Option<Instant>,
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

    /// Waits for the leg's end, and for the recording.
    pub async fn close(&mut self) {
        if !self.leg_over {
            self.hang_up().await;
        }
        self.order(MediaCommand::Close);
        while !(self.leg_over && self.media_over) {
            self.next().await;
        }
    }

    async fn leg(&mut self, event: LegEvent) {
        match event {
            LegEvent::Established { sdp } => {
                self.answered = Some(self.clock.now().mono);
                match sdp.as_deref().map(|answer| self.negotiation.accept(answer)) {
                    Some(Ok(params)) => self.order(MediaCommand::Renegotiate { params }),
                    Some(Err(error)) => warn!(%error, "the gateway's answer cannot be used"),
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
        if let Err(error) = self.media.command(self.leg.leg, command) {
            warn!(%error, "the caller's telephone does not obey");
        }
    }
}
