//! The early dialogs of one INVITE: a proxy may ring several telephones, and each answers for itself
//! (RFC 3261 §13.2.2.4, RFC 3262).
//!
//! ```text
//!   INVITE ─▶ proxy ─┬─ 180 tag=a ──────────▶ early dialog a
//!                    ├─ 183 tag=b RSeq 7 ───▶ early dialog b, PRACK 7 into b
//!                    └─ 200 tag=b ──────────▶ b stands; whoever else says 200 is thanked and hung up on
//! ```

use std::collections::BTreeMap;

use super::branch::OutRequest;
use super::dialog::Dialog;
use super::message::{Method, Response};
use super::transport::Path;
use super::uri::Uri;

/// Early dialogs remembered; further ones ring unheard (a 2xx of theirs counts all the same).
const MOST_FORKS: usize = 16;

/// One telephone that has been heard of.
#[derive(Clone, Debug)]
pub struct Fork {
    /// Its early dialog.
    pub dialog: Dialog,
    /// Its answer to our offer, as soon as there was one.
    pub sdp: Option<String>,
    /// Ours, where theirs was the offer.
    pub ours: Option<String>,
    /// The last reliable response taken.
    rseq: Option<u32>,
}

/// All of them, by their tag.
#[derive(Clone, Debug, Default)]
pub struct Forks(BTreeMap<String, Fork>);

/// What a provisional response amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A copy, or a reliable response out of turn: as if it had never come.
    Nothing,
    /// News for the call.
    Progress {
        /// Early media.
        sdp: Option<String>,
        /// The request that confirms it (RFC 3262 §4).
        prack: Option<Box<OutRequest>>,
    },
}

impl Forks {
    /// Takes a 101..=199 to `invite`.
    pub fn hear(&mut self, invite: &OutRequest, response: &Response, path: &Path) -> Heard {
        let sdp = response.sdp();
        // Without a tag there is no dialog (RFC 2543 phones): it rings, and that is all.
        let Some(tag) = response.to_tag() else { return Heard::Progress { sdp, prack: None } };
        if !self.0.contains_key(&tag) {
            if self.0.len() >= MOST_FORKS {
                return Heard::Nothing;
            }
            let Some(dialog) = dialog_of(invite, response, path) else { return Heard::Progress { sdp, prack: None } };
            self.0.insert(tag.clone(), Fork { dialog, sdp: None, ours: None, rseq: None });
        }
        let Some(fork) = self.0.get_mut(&tag) else { return Heard::Nothing };
        let prack = match reliable(response) {
            None => None,
            Some(rseq) => {
                // §4: only the next one in order is taken and confirmed.
                if fork.rseq.is_some_and(|last| last.checked_add(1) != Some(rseq)) {
                    return Heard::Nothing;
                }
                fork.rseq = Some(rseq);
                let mut prack = fork.dialog.request(Method::Prack);
                prack.headers.push(("RAck".into(), format!("{rseq} {} INVITE", response.cseq.number)));
                Some(Box::new(prack))
            }
        };
        if let Some(contact) = response.contact() {
            fork.dialog.remote_target = contact.uri.text;
        }
        if sdp.is_some() {
            fork.sdp.clone_from(&sdp);
        }
        Heard::Progress { sdp, prack }
    }

    /// The early dialog with this tag.
    pub fn get_mut(&mut self, tag: &str) -> Option<&mut Fork> {
        self.0.get_mut(tag)
    }

    /// The same, to look at.
    pub fn get(&self, tag: &str) -> Option<&Fork> {
        self.0.get(tag)
    }

    /// A redirected call begins anew.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// The dialog a response to our INVITE makes. Where it names neither itself nor a place to be reached at (RFC 2543
/// phones, and gateways that forget Contact), the Request-URI is the place: whoever answered can be acknowledged and
/// hung up on.
pub fn dialog_of(invite: &OutRequest, response: &Response, path: &Path) -> Option<Dialog> {
    Dialog::uac(invite, response, path).or_else(|| {
        let mut route_set: Vec<String> = response.headers.list("Record-Route").map(str::to_owned).collect();
        route_set.reverse();
        Some(Dialog {
            call_id: invite.header("Call-ID")?.to_owned(),
            local: invite.header("From")?.to_owned(),
            remote: response.headers.first("To").or_else(|| invite.header("To"))?.to_owned(),
            remote_tag: response.to_tag().unwrap_or_default(),
            remote_cseq: None,
            route_set,
            remote_target: response.contact().map_or_else(|| invite.uri.clone(), |contact| contact.uri.text),
            path: *path,
            secure: Uri::parse(&invite.uri).is_ok_and(|uri| uri.scheme == "sips"),
        })
    })
}

/// RSeq of a response that wants to be confirmed.
fn reliable(response: &Response) -> Option<u32> {
    let required = response.headers.list("Require").any(|option| option.eq_ignore_ascii_case("100rel"));
    let rseq = response.headers.first("RSeq")?.trim();
    let digits = rseq.bytes().all(|byte| byte.is_ascii_digit());
    // §7.1: 1 … 2³²−1.
    rseq.parse::<u32>().ok().filter(|rseq| required && digits && *rseq > 0)
}
