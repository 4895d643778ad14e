//! A call without a telephone: somebody sits at this very machine, with a microphone and a loudspeaker, and rehearses a
//! plan by voice.
//!
//! ```text
//!   microphone ──▶ µ-law, RTP ──▶ ┌──────────────────────────────┐
//!                   (loopback)    │ the house, as it serves calls │
//!  loudspeaker ◀── µ-law, RTP ◀── └──────────────────────────────┘
//!         keys ──▶ leg events ──▶        no SIP between them
//! ```
//!
//! Everything behind the wire is what callers get: the same media thread, detectors, recogniser, call core and voice, at
//! the 8 kHz of a telephone. The call leaves nothing behind: no record, no recording, nobody is closed to calls.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::plans::Plans;
use super::{AppError, BYE_GRACE, Running, Signals, leave, open_house, prepare_data_folder};
use crate::audio::FRAME_8K;
use crate::audio::g711::Law;
use crate::call::TimelineEvent;
use crate::call::record::CallRecord;
use crate::config::{Config, NumberPattern, RouteConfig};
use crate::id::{CallId, LegId};
use crate::pii::Pii;
use crate::rtp::Digit;
use crate::rtp::packet::{HEADER_BYTES, MAX_DATAGRAM_BYTES, Packet, is_rtcp};
use crate::sip::{IncomingLeg, LegCommand, LegCommands, LegEnd, LegEvent, Transport};
use crate::time::Clock;

#[cfg(feature = "mic")]
pub mod sound_card;

/// A frame of sound.
const FRAME: Duration = Duration::from_millis(20);
/// Payload type of µ-law (RFC 3551 §6).
const PCMU: u8 = 0;
/// Words to the leg that wait to be read; a call says a handful in its life.
const WORDS: usize = 16;
/// Events of the leg; likewise.
const EVENTS: usize = 16;
/// Whom the plan believes to talk to.
const NUMBER: &str = "+12025550123";

/// A microphone and a loudspeaker, both at 8 kHz, one channel. Neither may wait.
pub trait Handset: Send {
    /// The next 20 ms out of the microphone; silence where it has none yet.
    fn listen(&mut self, frame: &mut [i16; FRAME_8K]);

    /// The next sound for the loudspeaker.
    fn play(&mut self, samples: &[i16]);

    /// Why it cannot go on, once that is so.
    fn fault(&mut self) -> Option<String> {
        None
    }
}

/// Why there is no rehearsal by voice, or why it broke off.
#[derive(Debug, thiserror::Error)]
pub enum VoiceError {
    /// The house could not be opened.
    #[error(transparent)]
    House(#[from] AppError),
    /// There is no socket to be had.
    #[error("no socket on the loopback interface: {0}")]
    Socket(std::io::Error),
    /// The microphone or the loudspeaker.
    #[error("{0}")]
    Sound(String),
}

/// Rehearses the plan in `plan`: its caller speaks into `handset` and presses `keys`, and what happens is told to `watch`.
/// SIGINT and SIGTERM hang up. Gives back the record, which is kept nowhere else.
pub async fn rehearse(
    mut config: Config,
    plan: &Path,
    handset: Box<dyn Handset>,
    keys: mpsc::Receiver<Digit>,
    watch: mpsc::Sender<TimelineEvent>,
    clock: Arc<dyn Clock>,
) -> Result<CallRecord, VoiceError> {
    let mut signals = Signals::listen()?;
    prepare_data_folder(&config.data_dir)?;
    alone(&mut config, plan);
    let plans = Plans::routed(&config, clock.clone()).await?;
    // What the house writes by itself, it writes here: its database is not the gateway's.
    config.speech.models = config.speech.models.take().or_else(|| Some(config.data_dir.join("models")));
    config.data_dir = config.data_dir.join("rehearsal");
    prepare_data_folder(&config.data_dir)?;
    let Running { house, sip, incoming, writer } = open_house(config, plans, clock.clone()).await?;
    let pool = house.recognizers.clone();
    // A caller finds the gateway awake.
    let _ = tokio::task::spawn_blocking(move || pool.wait_ready()).await;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(VoiceError::Socket)?;
    let ours = socket.local_addr().map_err(VoiceError::Socket)?;
    let (commands, words) = LegCommands::apart(LegId(0), WORDS);
    let (reports, events) = mpsc::channel(EVENTS);
    let now = clock.now();
    let call = CallId::new(now.wall, rand::rng().random());
    let leg = IncomingLeg {
        leg: LegId(0),
        span: tracing::info_span!("rehearsal", %call),
        call,
        source: ours,
        local: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
        transport: Transport::Udp,
        peer: "voice".to_owned(),
        caller: Pii::new(NUMBER.to_owned()),
        called: Pii::new(NUMBER.to_owned()),
        sip_call_id: "rehearsal".to_owned(),
        offer: Some(offer(ours)),
        commands,
        events,
    };
    let line = Line {
        handset,
        socket,
        media: None,
        words,
        reports: reports.clone(),
        keys: Some(keys),
        sequence: rand::rng().random(),
        timestamp: rand::rng().random(),
        ssrc: rand::rng().random(),
    };
    let line = tokio::spawn(line.run());
    let record = {
        let mut talk = Box::pin(house.talk(leg, Some(watch)));
        loop {
            tokio::select! {
                record = &mut talk => break record,
                () = signals.next() => drop(reports.try_send(LegEvent::Ended(LegEnd::RemoteHangup))),
            }
        }
    };
    let fault = line.await.ok().flatten();
    drop(incoming);
    sip.shutdown(BYE_GRACE).await;
    writer.close().await;
    leave(house).await;
    fault.map_or(Ok(record), |fault| Err(VoiceError::Sound(fault)))
}

/// Settings of a house for one caller, who sits in it.
fn alone(config: &mut Config, plan: &Path) {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    config.routes =
        vec![RouteConfig { number: NumberPattern::Any, plan: plan.to_owned(), recording: Some(false), from: None }];
    (config.peers, config.trunks) = (Vec::new(), Vec::new());
    config.sip.listen = SocketAddr::new(here, 0);
    (config.sip.tls_listen, config.sip.advertise) = (None, None);
    (config.rtp.address, config.rtp.srtp) = (here, crate::sdp::SrtpPolicy::default());
}

/// What a telephone that knows µ-law and nothing else says of itself.
fn offer(at: SocketAddr) -> String {
    let (address, port) = (at.ip(), at.port());
    format!(
        "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP {PCMU}\r\n\
         a=rtpmap:{PCMU} PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

/// Where an answer wants the sound.
fn media_of(answer: &str) -> Option<SocketAddr> {
    let rest = answer.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    let port = rest.split_whitespace().next()?.parse().ok()?;
    Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
}

/// What a wire and a telephone would be.
struct Line {
    handset: Box<dyn Handset>,
    socket: UdpSocket,
    /// Where the house listens, once it has answered.
    media: Option<SocketAddr>,
    words: mpsc::Receiver<(LegId, Option<LegCommand>)>,
    reports: mpsc::Sender<LegEvent>,
    keys: Option<mpsc::Receiver<Digit>>,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
}

impl Line {
    /// Until the house is done with it. Gives back what went wrong with the sound.
    async fn run(mut self) -> Option<String> {
        let mut beat = interval(FRAME);
        // A late frame is made up for: the microphone has not stopped meanwhile.
        beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut fault = None;
        loop {
            tokio::select! {
                _ = beat.tick() => {
                    self.frame();
                    if fault.is_none() && let Some(why) = self.handset.fault() {
                        fault = Some(why);
                        self.report(LegEvent::Ended(LegEnd::RemoteHangup));
                    }
                }
                word = self.words.recv() => match word {
                    Some((_, Some(command))) => self.do_what_is_asked(command),
                    Some((_, None)) | None => return fault,
                },
                key = next_key(&mut self.keys) => match key {
                    Some(digit) => self.report(LegEvent::Key { digit, duration_ms: None }),
                    None => self.keys = None,
                },
            }
        }
    }

    fn do_what_is_asked(&mut self, command: LegCommand) {
        match command {
            LegCommand::Answer { sdp } => {
                self.media = media_of(&sdp);
                self.report(LegEvent::Established { sdp: None });
            }
            LegCommand::Offer { .. } => self.report(LegEvent::OfferRefused { status: 488 }),
            // Nobody can be sent anywhere from here.
            LegCommand::Refer { .. } => self.report(LegEvent::Referred { status: 603, last: true }),
            LegCommand::Hangup => self.report(LegEvent::Ended(LegEnd::LocalHangup)),
            LegCommand::Reject(rejection) => self.report(LegEvent::Ended(LegEnd::Rejected(rejection.status))),
            LegCommand::Ring
            | LegCommand::Progress { .. }
            | LegCommand::AnswerOffer { .. }
            | LegCommand::RefuseOffer { .. }
            | LegCommand::SendKey { .. } => {}
        }
    }

    fn report(&self, event: LegEvent) {
        // A call that has stopped reading is over.
        let _ = self.reports.try_send(event);
    }

    /// 20 ms each way.
    fn frame(&mut self) {
        let mut samples = [0; FRAME_8K];
        self.handset.listen(&mut samples);
        if let Some(media) = self.media {
            let mut codes = [0; FRAME_8K];
            Law::Mu.encode_into(&samples, &mut codes);
            let packet = Packet {
                marker: false,
                payload_type: PCMU,
                sequence: self.sequence,
                timestamp: self.timestamp,
                ssrc: self.ssrc,
                payload: &codes,
            };
            let mut datagram = [0; HEADER_BYTES + FRAME_8K];
            if packet.write(&mut datagram).is_some() {
                // Lost like any datagram.
                let _ = self.socket.try_send_to(&datagram, media);
            }
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME_8K as u32);
        let mut datagram = [0; MAX_DATAGRAM_BYTES];
        while let Ok((length, _)) = self.socket.try_recv_from(&mut datagram) {
            let datagram = &datagram[..length];
            let Some(packet) = Packet::parse(datagram).ok().filter(|packet| packet.payload_type == PCMU) else {
                continue;
            };
            if is_rtcp(datagram) {
                continue;
            }
            let mut samples = vec![0; packet.payload.len()];
            Law::Mu.decode_into(packet.payload, &mut samples);
            self.handset.play(&samples);
        }
    }
}

/// The next key; never, where there will be none.
async fn next_key(keys: &mut Option<mpsc::Receiver<Digit>>) -> Option<Digit> {
    match keys {
        Some(keys) => keys.recv().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_where_the_sound_goes() {
        let answer = "v=0\r\nm=audio 20002 RTP/AVP 0\r\na=sendrecv\r\n";
        assert_eq!(media_of(answer), Some("127.0.0.1:20002".parse().unwrap()));
        assert_eq!(media_of("v=0\r\nm=audio none RTP/AVP 0\r\n"), None);
        assert_eq!(media_of(""), None);
    }

    #[test]
    fn a_house_for_one_listens_to_nobody_else() {
        let mut config = Config::default();
        config.sip.listen = "0.0.0.0:5060".parse().unwrap();
        alone(&mut config, Path::new("bank.yaml"));
        assert!(config.sip.listen.ip().is_loopback() && config.sip.listen.port() == 0);
        assert!(config.rtp.address.is_loopback() && config.trunks.is_empty() && config.peers.is_empty());
        assert_eq!(config.routes.len(), 1);
        assert_eq!(config.routes[0].recording, Some(false));
    }
}
