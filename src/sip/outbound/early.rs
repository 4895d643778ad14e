//! What comes before the answer: requests inside early dialogs (RFC 3261 §12.1, RFC 3311 §5.2, RFC 3262 §5).

use super::*;
use crate::sip::info::{self, Key};
use crate::sip::respond::Draft;
use crate::sip::talk::capabilities;

#[derive(Clone, Debug)]
pub(super) struct Update {
    pub key: Arc<str>,
    pub origin: Origin,
    pub tag: String,
    pub until: Instant,
}

impl OutLeg {
    /// A request of theirs before the answer.
    pub(super) fn early(&mut self, request: &Request, origin: &Origin, key: &Arc<str>, now: Now) {
        let tag = request.from.tag().unwrap_or_default().to_owned();
        let Some(fork) = self.forks.get_mut(&tag) else { return self.respond(key, origin, 481, None) };
        if !fork.dialog.accept_cseq(request.cseq.number) {
            return self.respond(key, origin, 500, None);
        }
        match request.method {
            Method::Update => self.handle_update(request, tag, origin, key, now),
            Method::Info => {
                let (status, header, pressed) = info::answer(&request.headers, &request.body);
                self.reply(key, origin, status, |draft| match header {
                    Some((name, value)) => draft.header(name, value),
                    None => draft,
                });
                if let Some(Key { digit, duration_ms }) = pressed {
                    self.tell(LegEvent::Key { digit, duration_ms });
                }
            }
            Method::Options => self.reply(key, origin, 200, capabilities),
            // We transfer calls, nobody transfers us.
            Method::Refer => self.reply(key, origin, 603, |draft| draft),
            // §15: whoever has not answered has nothing to hang up. Nothing of ours waits for a PRACK or a NOTIFY.
            Method::Bye | Method::Prack | Method::Notify => self.reply(key, origin, 481, |draft| draft),
            // §14.2: our own INVITE is still open.
            Method::Invite => self.reply(key, origin, 491, |draft| draft),
            Method::Unknown(_) => self.reply(key, origin, 501, |draft| draft.header("Allow", ALLOW)),
            _ => self.reply(key, origin, 405, |draft| draft.header("Allow", ALLOW)),
        }
    }

    fn reply(&mut self, key: &Arc<str>, origin: &Origin, status: u16, dress: impl FnOnce(Draft) -> Draft) {
        let draft = dress(origin.respond(status, reason_phrase(status), &self.tag));
        let bytes = draft.header("Server", &self.context.server).finish().into();
        self.acts.push_back(Act::Respond { key: key.clone(), status, bytes });
    }

    /// UPDATE (RFC 3311 §5.2): an offer is the call's to answer, all else is confirmed.
    fn handle_update(&mut self, request: &Request, tag: String, origin: &Origin, key: &Arc<str>, now: Now) {
        let busy = self.update.is_some();
        let Some(fork) = self.forks.get_mut(&tag) else { return };
        if let Some(contact) = &request.contact {
            fork.dialog.remote_target.clone_from(&contact.uri.text);
        }
        match request.sdp() {
            None => {
                let dialog = fork.dialog.clone();
                self.respond(key, origin, 200, Some((&dialog, "")));
            }
            // §5.2: our own offer still waits for its answer.
            Some(_) if fork.sdp.is_none() => self.respond(key, origin, 491, None),
            Some(_) if busy => self.respond(key, origin, 500, None),
            Some(sdp) => {
                let (key, origin) = (key.clone(), origin.clone());
                self.update = Some(Update { key, origin, tag, until: now.mono + PATIENCE });
                self.tell(LegEvent::Offered { sdp: Some(sdp) });
            }
        }
    }

    pub(super) fn answer_update(&mut self, answer: Result<String, u16>) {
        let Some(update) = self.update.take() else { return };
        let dialog = self.forks.get(&update.tag).map(|fork| fork.dialog.clone());
        match (answer, &dialog) {
            (Ok(sdp), Some(dialog)) => self.respond(&update.key, &update.origin, 200, Some((dialog, &sdp))),
            (Ok(_), None) => self.respond(&update.key, &update.origin, 481, None),
            (Err(status), _) => self.respond(&update.key, &update.origin, status, None),
        }
    }
}
