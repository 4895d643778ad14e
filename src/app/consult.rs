//! Asking somebody before a caller is sent there: the other call of an attended transfer, and its record.
//!
//! ```text
//!   live call ── Consult ──▶ originate: INVITE … answered, briefing said, stands by ── Ready ──▶ live call
//!             ── joined ───▶ hung up by whoever takes over, else by us; not joined: hung up at once
//! ```

mod driver;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::house::House;
use super::originate::{Originate, OriginateError};
use super::plans::Plans;
use super::{AppError, LivePlan};
use crate::call::driver::{Consultant, Consultation};
use crate::call::record::{CallEnd, CallRecord};
use crate::call::registry::Seat;
use crate::call::{Consult, Consulted, TimelineEvent};
use crate::dialplan::scope::Variables;
use crate::id::{CallId, LegId};
use crate::language::Language;
use crate::pii::Pii;
use crate::sip::{CallerId, DialError, refer};

/// How long the one who was asked waits to be taken over: as long as a REFER may take, and a little.
pub(super) const STANDS_BY: Duration = Duration::from_secs(100);
/// Whoever takes over a leg hangs up the old one (RFC 3891 §3); who forgets it is hung up on after that.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(2);
/// The variable that holds what is to be said.
const BRIEFING: &str = "briefing";
/// News and timeline of one short call.
const WAITING: usize = 16;

/// Calls somebody on behalf of one live call.
pub(super) struct OnBehalf {
    /// Who makes the call.
    pub house: Weak<House>,
    /// For whom.
    pub call: CallId,
    /// Who is to be sent on: whom they see calling, where no trunk says otherwise.
    pub far_end: Pii<String>,
    /// The trunk that the live call goes through: for numbers, which mean nothing elsewhere.
    pub trunk: Option<Arc<str>>,
    /// What is spoken.
    pub language: Language,
}

impl Consultant for OnBehalf {
    fn consult(&self, consult: Consult) -> Consultation {
        let (report, news) = mpsc::channel(WAITING);
        let (joined, verdict) = oneshot::channel();
        if let Some(house) = self.house.upgrade() {
            let trunk = way(consult.trunk.clone(), consult.to.reveal(), self.trunk.clone());
            let number = Some(self.far_end.clone()).filter(|number| trunk.is_none() && !number.reveal().is_empty());
            let caller = number.map(|number| CallerId { number, name: None, withheld: false });
            let consult = Consult { trunk, ..consult };
            let (call, language) = (self.call.clone(), self.language.clone());
            driver::start(async move { house.consult(consult, (call, caller, language), report, verdict).await });
        }
        Consultation { news, joined }
    }
}

/// Through which trunk somebody is asked: the one that is named, else for a number that of the live call.
fn way(named: Option<Arc<str>>, to: &str, of_call: Option<Arc<str>>) -> Option<Arc<str>> {
    let is_uri = to.contains('@') || to.to_ascii_lowercase().starts_with("sip");
    named.or(of_call.filter(|_| !is_uri))
}

impl House {
    /// Why a transfer of the call `typed` to `to` could only fail: told to whoever orders it, before the caller is
    /// disturbed. `attended` holds the trunk that was named, where somebody is to be asked first.
    pub(super) fn judge_transfer(
        &self,
        typed: &str,
        to: &str,
        attended: Option<Option<Arc<str>>>,
    ) -> Result<(), String> {
        let Some(named) = attended else { return blind(to) };
        let typed = typed.trim().to_ascii_uppercase();
        let live = self.registry.snapshot();
        let of_call = live.iter().find(|(call, _)| call.as_str().starts_with(&typed)).map(|(_, live)| &live.peer);
        let trunk = way(named, to, of_call.and_then(|peer| self.trunk_named(peer)));
        self.dialer.judge(to, trunk.as_deref()).map_err(|error| error.to_string())
    }

    /// Makes the other call, from INVITE to stored record.
    async fn consult(
        &self,
        consult: Consult,
        (made_for, caller, language): (CallId, Option<CallerId>, Language),
        report: mpsc::Sender<Consulted>,
        verdict: oneshot::Receiver<bool>,
    ) {
        // As a variable, so that braces in the words mean nothing.
        let known: Variables = consult.briefing.map(|words| (BRIEFING.to_owned(), words)).into_iter().collect();
        let live = match self.plans.briefing(&known, &language).await {
            Ok(live) => live,
            Err(error) => {
                warn!(%error, "whom the caller shall be sent to cannot be told why");
                let _ = report.send(Consulted::Over { status: 500 }).await;
                return;
            }
        };
        let (watch, events) = mpsc::channel(WAITING);
        let order = Originate {
            to: consult.to,
            trunk: consult.trunk,
            live,
            variables: known,
            caller,
            ring: consult.ring,
            watch: Some(watch),
            made_for: Some(made_for),
        };
        let mut other = Other { begun: None, report, verdict, joined: None };
        match other.live(self, order, events).await {
            Ok((record, seat)) => {
                let _ = other.report.send(Consulted::Over { status: status_of(&record.end) }).await;
                let record = match other.joins().await {
                    true => CallRecord { end: CallEnd::Transferred, ..record },
                    false => record,
                };
                self.records.save(Box::new(record)).await;
                // Whoever waits for the house to be empty waits for the record too.
                drop(seat);
            }
            Err(error) => {
                warn!(%error, "whom the caller shall be sent to cannot be called");
                let _ = other.report.send(Consulted::Over { status: status_of_error(&error) }).await;
            }
        }
    }
}

/// The other call, as long as it lives.
struct Other {
    begun: Option<(CallId, LegId)>,
    report: mpsc::Sender<Consulted>,
    verdict: oneshot::Receiver<bool>,
    joined: Option<bool>,
}

impl Other {
    async fn live(
        &mut self,
        house: &House,
        order: Originate,
        mut events: mpsc::Receiver<TimelineEvent>,
    ) -> Result<(CallRecord, Seat), OriginateError> {
        let (begin, mut begins) = mpsc::channel(1);
        let call = house.converse(order, move |id, leg| drop(begin.try_send((id.clone(), leg))));
        tokio::pin!(call);
        let mut hang_up_at = None;
        loop {
            tokio::select! {
                biased;
                Some(begun) = begins.recv() => self.begun = Some(begun),
                ended = &mut call => return ended,
                Some(event) = events.recv() => {
                    if let (TimelineEvent::StandsBy, Some((_, leg))) = (event, &self.begun) {
                        let _ = self.report.send(Consulted::Ready { leg: *leg }).await;
                    }
                }
                joined = &mut self.verdict, if self.joined.is_none() => {
                    // Dropped: the other one is over without having been joined.
                    let joined = *self.joined.insert(joined.unwrap_or(false));
                    let wait = if joined { TAKEN_OVER_WITHIN } else { Duration::ZERO };
                    hang_up_at = Some(house.clock.now().mono + wait);
                }
                () = until(hang_up_at), if self.begun.is_some() => {
                    hang_up_at = None;
                    if let Some((call, _)) = &self.begun {
                        house.registry.hang_up(call);
                    }
                }
            }
        }
    }

    /// Was it taken over? Waits for the word of the call that it was made for.
    async fn joins(&mut self) -> bool {
        match self.joined {
            Some(joined) => joined,
            None => (&mut self.verdict).await.unwrap_or(false),
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// A REFER goes to a URI, or to a number at the far end's own host.
fn blind(to: &str) -> Result<(), String> {
    match refer::target(to, "sip:far-end.invalid") {
        Some(_) => Ok(()),
        None => {
            Err("that is neither a SIP URI nor a number; a transfer goes to one like sip:desk@pbx.example".to_owned())
        }
    }
}

/// What whoever ordered the transfer is told of a call that came to this end.
fn status_of(end: &CallEnd) -> u16 {
    match end {
        CallEnd::Refused(status) => *status,
        CallEnd::NoAnswer => 408,
        CallEnd::Unreachable(_) => 503,
        CallEnd::CallerHungUp | CallEnd::Interrupted => 487,
        _ => 500,
    }
}

fn status_of_error(error: &OriginateError) -> u16 {
    match error {
        OriginateError::Dial(DialError::NotDialable | DialError::NoSuchTrunk(_) | DialError::NoAddress { .. }) => 404,
        OriginateError::Draining | OriginateError::NoRoom(_) | OriginateError::Dial(_) => 503,
    }
}

impl Plans {
    /// A plan that says the briefing, if there is one, and is through.
    async fn briefing(&self, known: &Variables, language: &Language) -> Result<LivePlan, AppError> {
        let said = if known.is_empty() { String::new() } else { format!("text: \"{{{{{BRIEFING}}}}}\", ") };
        let text = format!(
            "dialplan: 1\nname: consultation\nlanguages: [{language}]\nstart: brief\n\
             steps:\n  brief: {{ hangup: {{ {said}result: briefed }} }}\n"
        );
        self.spoken("consultation", &text, known).await
    }
}
