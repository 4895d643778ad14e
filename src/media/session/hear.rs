//! What a leg hears: datagrams, frames, keys, speech, and the reflex that speech sets off.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Send, Session, Voice};
use crate::audio::FRAME_8K;
use crate::media::barge_in::Act;
use crate::media::ear::Heard;
use crate::media::endpointer::Signal;
use crate::media::{BargeIn, MediaEvent, Offer, PlayEnd};
use crate::rtp::packet::is_rtcp;
use crate::rtp::srtp::Srtp;
use crate::rtp::{Accepted, Digit, Pulled, stun};

impl Session {
    /// A datagram that came from `from` to the RTP port and reached the kernel at `at`; decrypted where it lies.
    /// Strangers, garbage and what we did not ask for are counted and otherwise ignored. A connectivity check is
    /// answered through `send`.
    pub fn on_datagram(&mut self, datagram: &mut [u8], from: SocketAddr, at: Instant, send: Send<'_>) {
        if stun::is_stun(datagram) {
            self.on_check(datagram, from, send);
            return;
        }
        let reports = is_rtcp(datagram);
        // Also what is not to be heard is opened: whoever does not count along cannot open what comes after it.
        let Some(clear) = open(&mut self.srtp, datagram, reports).filter(|_| reports || self.params.receive) else {
            self.refused += 1;
            return;
        };
        let ours = ssrc_of(clear) == Some(self.sender.ssrc());
        match self.receiver.accept(clear, from, at) {
            Accepted::Refused(_) => {}
            Accepted::Rtcp => self.on_report(clear, at),
            // A sign of life, as a report is: a telephone that is muted, or has gone quiet, may send nothing else.
            Accepted::Latched(_) | Accepted::Ok | Accepted::PassedOver => {
                self.heard_at = self.heard_at.max(at);
                if ours {
                    self.make_way(from);
                }
            }
        }
    }

    /// They have chosen the SSRC that we have: ours changes, once (RFC 3550 §8.2). Whoever takes the next one too sends
    /// us back our own packets; such an echo is somebody's test, and is heard like any other far end.
    fn make_way(&mut self, from: SocketAddr) {
        if self.echo != Some(from) {
            self.echo = Some(from);
            self.sender.change_ssrc(self.reporter.change_ssrc());
        }
    }

    /// A connectivity check (ICE): whoever signs with the password of our session description is the far end, and says
    /// where it wants to be sent to.
    fn on_check(&mut self, datagram: &[u8], from: SocketAddr, send: Send<'_>) {
        let mut answer = [0; stun::MOST_ANSWER_BYTES];
        let answered = self.params.ice.as_ref().and_then(|ice| stun::answer(datagram, from, ice, &mut answer));
        let Some(stun) = answered else {
            self.refused += 1;
            return;
        };
        if stun.nominated {
            self.receiver.expect(from);
        }
        send(from, &answer[..stun.length]);
    }

    /// A datagram that came to the RTCP port.
    pub fn on_rtcp(&mut self, datagram: &mut [u8], from: SocketAddr, at: Instant) {
        let expected = self.receiver.is_host(from) && is_rtcp(datagram);
        match open(&mut self.srtp, datagram, true).filter(|_| expected) {
            Some(clear) => {
                self.reports_from = Some(from);
                self.on_report(clear, at);
            }
            None => self.refused += 1,
        }
    }

    fn on_report(&mut self, datagram: &[u8], at: Instant) {
        self.heard_at = self.heard_at.max(at);
        let said = self.reporter.read(datagram, self.sender.ssrc(), at);
        if let Some(ssrc) = said.bye {
            self.receiver.on_bye(ssrc);
        }
        if let Some(about) = said.about_us {
            self.sender.loss_expected((u32::from(about.fraction_lost) * 100 / 256) as u8);
        }
    }

    pub(super) fn hear(&mut self, frame: &mut [i16; FRAME_8K], at: Instant) {
        self.heard |= self.receiver.pull(at, frame) != Pulled::Silence;
        while let Some((digit, at)) = self.receiver.poll_digit() {
            self.on_digit(digit, at);
        }
        if let Some(bridge) = &mut self.bridge {
            bridge.heard(frame);
            return;
        }
        // On hold nobody is asked anything; and what comes while they hold us is their music.
        let held = self.hold.is_some() || !self.params.send;
        if !self.heard || !self.params.receive || held {
            return;
        }
        // A frame that leaves the jitter buffer now arrived earlier, and silence is counted from when it did.
        let arrived = at.checked_sub(Duration::from_millis(self.receiver.delay_ms())).unwrap_or(at);
        let heard = self.ear.frame(frame, self.guard.threshold_dbov(), arrived);
        for signal in heard.signals.into_iter().flatten() {
            self.on_signal(signal);
        }
        let goes_on = heard.signals.iter().flatten().any(|signal| matches!(signal, Signal::Offer { cut: true, .. }));
        if let Some(voice) = self.voice.as_mut().filter(|_| goes_on) {
            // It was cut for its length, so what we are about to say is said to somebody who does not stop talking.
            voice.interrupts = false;
        }
        self.react(&heard);
    }

    /// The barge-in reflex, in the same tick as the frame that causes it.
    fn react(&mut self, heard: &Heard) {
        if self.playout.barge_in() != Some(BargeIn::Speech) {
            self.reflex.disarm();
            self.playout.unduck();
            return;
        }
        let interrupts = self.voice.is_some_and(|voice| voice.interrupts);
        let (speaking, began) = (self.ear.is_speaking() && interrupts, heard.speech_began() && interrupts);
        match self.reflex.frame(heard.loud, speaking, began) {
            Some(Act::Duck) => self.playout.duck(),
            Some(Act::Resume) => self.playout.unduck(),
            Some(Act::Stop) => {
                self.playout.stop(PlayEnd::BargedIn, |barge_in| barge_in == BargeIn::Speech);
            }
            None => {}
        }
    }

    fn on_digit(&mut self, digit: Digit, at: Instant) {
        if let Some(bridge) = &mut self.bridge {
            bridge.key(digit);
        }
        self.playout.stop(PlayEnd::Keyed, |barge_in| barge_in != BargeIn::Off);
        self.discretion.key(at);
        self.tell(MediaEvent::Digit { digit, at });
    }

    pub(super) fn on_signal(&mut self, signal: Signal) {
        let sound = self.ear.sound(&signal);
        if let Signal::Started { utterance, .. } = signal {
            let interrupts = self.playout.barge_in().is_none_or(|barge_in| barge_in == BargeIn::Speech);
            self.voice = Some(Voice { utterance, during: self.playout.current(), interrupts });
        }
        self.tell(match (signal, sound) {
            (Signal::Started { utterance, began, .. }, _) => MediaEvent::SpeechStarted { utterance, at: began.at },
            (Signal::Resumed { utterance }, _) => MediaEvent::Resumed { utterance },
            (Signal::Ended { utterance }, _) => MediaEvent::SpeechEnded { utterance },
            (Signal::Offer { utterance, revision, began, ended, cut, .. }, sound) => MediaEvent::Offered(Offer {
                utterance,
                revision,
                audio: sound.unwrap_or_default(),
                began_at: began.at,
                ended_at: ended.at,
                during: self.voice.and_then(|voice| voice.during),
                cut,
            }),
        });
    }

    /// Reports silence on the wire each time the timeout has passed: a call that may not act on it yet hears of it
    /// again.
    pub(super) fn watch(&mut self, now: Instant) {
        let since = self.missed_at.map_or(self.heard_at, |missed_at| missed_at.max(self.heard_at));
        if self.params.receive && now.saturating_duration_since(since) >= self.rtp_timeout {
            self.missed_at = Some(now);
            self.tell(MediaEvent::RtpTimeout { silent_for: now.saturating_duration_since(self.heard_at) });
        }
    }
}

/// The stream that an RTP packet belongs to.
fn ssrc_of(packet: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*packet.get(8..)?.first_chunk()?))
}

/// What a datagram says, decrypted where that was agreed on. `None`: not sealed by the far end.
fn open<'a>(srtp: &mut Option<Box<Srtp>>, datagram: &'a mut [u8], reports: bool) -> Option<&'a [u8]> {
    let Some(srtp) = srtp else { return Some(datagram) };
    let length = if reports { srtp.opener.rtcp(datagram) } else { srtp.opener.rtp(datagram) };
    length.ok().map(|length| &datagram[..length])
}
