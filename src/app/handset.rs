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

pub use self::driver::rehearse;
#[cfg(feature = "mic")]
pub use self::driver::sound_card;
use super::AppError;
use crate::audio::FRAME_8K;
use crate::config::{Config, NumberPattern, RouteConfig};
use crate::sdp::SrtpPolicy;

mod driver;

/// Payload type of µ-law (RFC 3551 §6).
const PCMU: u8 = 0;

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

/// Settings of a house for one caller, who sits in it.
fn alone(config: &mut Config, plan: &Path) {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    config.routes =
        vec![RouteConfig { number: NumberPattern::Any, plan: plan.to_owned(), recording: Some(false), from: None }];
    (config.peers, config.trunks) = (Vec::new(), Vec::new());
    config.sip.listen = SocketAddr::new(here, 0);
    (config.sip.tls_listen, config.sip.advertise) = (None, None);
    (config.rtp.address, config.rtp.srtp) = (here, SrtpPolicy::default());
    // What a house writes by itself, this one writes here: a gateway's database and versions of plans are not its own.
    config.speech.models = config.speech.models.take().or_else(|| Some(config.data_dir.join("models")));
    config.data_dir = config.data_dir.join("rehearsal");
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
        assert!(config.data_dir.ends_with("rehearsal"), "what a gateway keeps is out of its reach");
        assert!(
            config
                .speech
                .models
                .is_some_and(|models| models.ends_with("models") && !models.ends_with("rehearsal/models"))
        );
    }
}
