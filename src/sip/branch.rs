//! How the agent and its legs talk: a [`Branch`] decides, the agent sends.
//!
//! ```text
//!   request in ─▶ agent ─ handle_request ─▶ Branch ─ Act::Respond ─▶ agent ─▶ the wire, repeated as long as due
//!   wire ◀─ agent ◀─ Act::Request { tx } ─ Branch ◀─ handle_news(tx, Provisional | Final | …) ─ agent
//! ```
//!
//! A branch writes neither Via nor CSeq nor Contact's address: the agent knows which way a request takes, and it may
//! take several (failover, digest rounds). No branch ever sees a 401 or 407 unless there are no credentials or they
//! were refused.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::message::{Method, Request, Response};
use super::respond::Origin;
use super::session_timer::SessionPolicy;
use super::transaction::Timing;
use super::transport::{Hop, Path, Target};
use super::{LegCommand, LegEvent, Reason};
use crate::time::Now;

/// A request of ours, named by the branch that wants it; unique within that branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tx(pub u32);

/// A request to be sent. The agent adds Via, Max-Forwards, CSeq, Contact, User-Agent, credentials and Content-*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutRequest {
    /// What we ask.
    pub method: Method,
    /// Request-URI.
    pub uri: String,
    /// The first hop: the first route, else the Request-URI.
    pub towards: Target,
    /// Where to go when that cannot be looked up or has no address: back where they sent from. It also says which of
    /// our addresses they know.
    pub fallback: Option<Path>,
    /// From, To, Call-ID, Route and whatever else the branch wants said, in this order.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// User part of our Contact (may be empty); `None`: no Contact.
    pub contact: Option<String>,
    /// Content-Type and body.
    pub body: Option<(&'static str, String)>,
}

impl OutRequest {
    /// The first value of header `name`, spelled as the branch spelled it.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// From now on it is for `uri`. Its first hop is `towards`, unless it has a route to keep to.
    pub fn go_to(&mut self, uri: String, towards: Target) {
        self.uri = uri;
        if self.header("Route").is_none() {
            self.towards = towards;
        }
    }
}

/// What became of a request of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientNews {
    /// 101..=199 (a 100 is nobody's news).
    Provisional(Response),
    /// 200..=699; the transaction is over. A refused INVITE is acknowledged by the agent.
    Final(Response),
    /// INVITE: a 2xx behind the first final response, from another fork (a copy of an acknowledged one is
    /// acknowledged again by the agent).
    Again(Response),
    /// No final response will come.
    Failed(ClientFailure),
}

/// Why a request of ours has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFailure {
    /// Nobody answered in time (timers B and F), on any hop.
    Timeout,
    /// No hop took it.
    Unreachable,
    /// The name leads nowhere; the text says why.
    NoAddress(String),
}

impl ClientFailure {
    /// The longest sentence, in characters: it is kept with the call, and what a resolver says has no bound.
    const LONGEST: usize = 200;

    /// For whoever wants to know why nobody was reached; `hop` is where the request went last.
    pub fn sentence(&self, hop: Option<&Hop>) -> String {
        match (self, hop) {
            (Self::Timeout, Some(hop)) => format!("nothing came back from {hop}"),
            (Self::Timeout, None) => "nothing came back".to_owned(),
            (Self::Unreachable, Some(hop)) => format!("{hop} cannot be reached: nothing can be sent there"),
            (Self::Unreachable, None) => "there is no way there".to_owned(),
            (Self::NoAddress(why), _) => why.chars().take(Self::LONGEST).collect(),
        }
    }
}

/// What a branch wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Answer the request of this server transaction.
    Respond {
        /// Which transaction.
        key: Arc<str>,
        /// Status of `bytes`.
        status: u16,
        /// The response.
        bytes: Bytes,
    },
    /// Send this once more.
    Resend(Bytes, Path),
    /// Send a request in a transaction of our own.
    Request {
        /// Its name.
        tx: Tx,
        /// What.
        request: OutRequest,
    },
    /// Cancel an INVITE of ours: sent as soon as a provisional response has come (RFC 3261 §9.1), never if a final
    /// one came first.
    Cancel {
        /// Which.
        tx: Tx,
        /// Value of its Reason header (RFC 3326).
        reason: &'static str,
    },
    /// Acknowledge a 2xx to the INVITE `tx`; sent again for every copy of that 2xx (same To tag).
    Ack {
        /// The INVITE.
        tx: Tx,
        /// The ACK.
        request: OutRequest,
    },
    /// Tell the call.
    Event(LegEvent),
    /// Forget the branch. Requests still under way are finished without it.
    Gone,
}

/// What every branch is told at birth.
#[derive(Clone, Debug)]
pub struct Context {
    /// RFC 3261 timers.
    pub timing: Timing,
    /// Value of our Server and User-Agent headers.
    pub server: Arc<str>,
    /// Session timers.
    pub session: SessionPolicy,
    /// For tags, Call-IDs and waits; different for each branch.
    pub seed: u64,
}

/// How far a branch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They called, and are not answered.
    TheirEarly,
    /// We called, and are not answered.
    OurEarly,
    /// Answered, and nothing about the session is open.
    Stands,
    /// Answered, and an offer or an ACK is awaited.
    Busy,
    /// Over, or ending.
    Over,
}

/// A dialog for somebody else to take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The far end's own address: there the new call goes (RFC 5589 §7.1).
    pub target: String,
    /// The dialog as a Replaces header names it to that far end (RFC 3891 §3): `callid;to-tag=…;from-tag=…`.
    pub dialog: String,
}

/// One leg, whichever side opened it. Exactly one [`LegEvent::Ended`] comes out of it, as its last event; [`Act::Gone`]
/// is its last act.
pub trait Branch: Send + std::fmt::Debug {
    /// The call has decided something. What comes too late is dropped.
    fn handle_command(&mut self, command: LegCommand, now: Now);
    /// A request inside the dialog (our tag led here, [`Branch::owns`] agreed): all but ACK and CANCEL. It is answered
    /// by [`Act::Respond`] with `key`, now or later; copies are the agent's business.
    fn handle_request(&mut self, request: &Request, origin: &Origin, key: &Arc<str>, now: Now);
    /// An ACK inside the dialog.
    fn handle_ack(&mut self, request: &Request, now: Now);
    /// They gave up on the INVITE of transaction `key`, which is still open, and may have said why.
    fn handle_cancel(&mut self, key: &Arc<str>, reason: Option<Reason>, now: Now);
    /// News of a request of ours. `path` is the way it came.
    fn handle_news(&mut self, tx: Tx, news: ClientNews, path: Option<&Path>, now: Now);
    /// Time has passed.
    fn handle_timeout(&mut self, now: Now);
    /// When [`Branch::handle_timeout`] has something to do.
    fn deadline(&self) -> Option<Instant>;
    /// What is to be done next.
    fn poll_act(&mut self) -> Option<Act>;
    /// Our tag: how in-dialog requests find us.
    fn local_tag(&self) -> &Arc<str>;
    /// Does a request with this Call-ID and From tag belong here?
    fn owns(&self, call_id: &str, remote_tag: &str) -> bool;
    /// How far it has come, to whoever wants to take its place.
    fn standing(&self) -> Standing;
    /// Another dialog has taken its place: it ends, and its call, which goes on there, hears nothing more of it.
    fn give_way(&mut self, now: Now) {
        self.handle_command(LegCommand::Hangup, now);
    }
    /// This dialog as somebody else takes it over; `None` until there is one.
    fn replaces(&self) -> Option<Replaced>;
}
