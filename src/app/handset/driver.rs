//! The wire of a rehearsal by voice: 20 ms of sound each way, and what a leg would report.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::{Handset, PCMU, VoiceError, alone, media_of, offer};
use crate::app::plans::Plans;
use crate::app::{BYE_GRACE, Running, Signals, leave, open_house, prepare_data_folder};
use crate::audio::FRAME_8K;
use crate::audio::g711::Law;
use crate::call::TimelineEvent;
use crate::call::record::CallRecord;
use crate::config::Config;
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
/// Words to the leg that wait to be read; a call says a handful in its life.
const WORDS: usize = 16;
/// Events of the leg; likewise.
const EVENTS: usize = 16;
/// Whom the plan believes to talk to.
const NUMBER: &str = "+12025550123";

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
    prepare_data_folder(&config.data_dir)?;
    let plans = Plans::routed(&config, clock.clone()).await?;
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
