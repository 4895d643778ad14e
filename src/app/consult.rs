//! Asking somebody before a caller is sent there: the other call of an attended transfer, and its record.
//!
//! ```text
//!   live call ── Consult ──▶ originate: INVITE … answered, briefing said, stands by ── Ready ──▶ live call
//!             ── joined ───▶ hung up by whoever takes over, else by us; not joined: hung up at once
//! ```

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, Span, warn};

use super::AppError;
use super::house::House;
use super::originate::{Originate, OriginateError};
use crate::call::driver::{Consultant, Consultation};
use crate::call::record::{CallEnd, CallRecord};
use crate::call::{Consult, Consulted, TimelineEvent};
use crate::dialplan::fill::Variables;
use crate::id::{CallId, LegId};
use crate::language::Language;
use crate::pii::Pii;
use crate::sip::{CallerId, DialError};

/// How long the one who was asked waits to be taken over: as long as a REFER may take, and a little.
pub(super) const STANDS_BY: Duration = Duration::from_secs(100);
/// Whoever takes over a leg hangs up the old one (RFC 3891 §3); who forgets it is hung up on after that.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(2);
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
    /// The trunk that the live call goes through.
    pub trunk: Option<Arc<str>>,
    /// What is spoken.
    pub language: Language,
}

impl Consultant for OnBehalf {
    fn consult(&self, consult: Consult) -> Consultation {
        let (report, news) = mpsc::channel(WAITING);
        let (joined, verdict) = oneshot::channel();
        if let Some(house) = self.house.upgrade() {
            let trunk = consult.trunk.clone().or_else(|| self.trunk.clone());
            let number = Some(self.far_end.clone()).filter(|number| trunk.is_none() && !number.reveal().is_empty());
            let caller = number.map(|number| CallerId { number, name: None, withheld: false });
            let consult = Consult { trunk, ..consult };
            let (call, language) = (self.call.clone(), self.language.clone());
            let made = async move { house.consult(consult, (call, caller, language), report, verdict).await };
            tokio::spawn(made.instrument(Span::current()));
        }
        Consultation { news, joined }
    }
}

impl House {
    /// Makes the other call, from INVITE to stored record.
    async fn consult(
        &self,
        consult: Consult,
        (made_for, caller, language): (CallId, Option<CallerId>, Language),
        report: mpsc::Sender<Consulted>,
        verdict: oneshot::Receiver<bool>,
    ) {
        let live = match self.plans.briefing(consult.briefing.as_ref(), &language).await {
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
            variables: Variables::new(),
            caller,
            ring: consult.ring,
            watch: Some(watch),
            made_for: Some(made_for),
        };
        let mut other = Other { begun: None, report, verdict, joined: None };
        match other.live(self, order, events).await {
            Ok(record) => {
                let _ = other.report.send(Consulted::Over { status: status_of(&record.end) }).await;
                let record = match other.joins().await {
                    true => CallRecord { end: CallEnd::Transferred, ..record },
                    false => record,
                };
                self.records.save(Box::new(record)).await;
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
    ) -> Result<CallRecord, OriginateError> {
        let (begin, mut begins) = mpsc::channel(1);
        let call = house.converse(order, move |id, leg| drop(begin.try_send((id.clone(), leg))));
        tokio::pin!(call);
        let mut hang_up_at = None;
        loop {
            tokio::select! {
                biased;
                Some(begun) = begins.recv() => self.begun = Some(begun),
                ended = &mut call => return ended.map(|(record, _seat)| record),
                Some(event) = events.recv() => {
                    if let (TimelineEvent::StandsBy, Some((_, leg))) = (event, &self.begun) {
                        let _ = self.report.send(Consulted::Ready { leg: *leg }).await;
                    }
                }
                joined = &mut self.verdict, if self.joined.is_none() => {
                    // Dropped: the other one is over without having been joined.
                    let joined = *self.joined.insert(joined.unwrap_or(false));
                    let wait = if joined { TAKEN_OVER_WITHIN } else { Duration::ZERO };
                    hang_up_at = Some(tokio::time::Instant::now() + wait);
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

async fn until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What whoever ordered the transfer is told of a call that came to this end.
fn status_of(end: &CallEnd) -> u16 {
    match end {
        CallEnd::Refused(status) => *status,
        CallEnd::NoAnswer => 408,
        CallEnd::Unreachable => 503,
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

impl super::plans::Plans {
    /// A plan that says `words` (or nothing) and is through.
    async fn briefing(&self, words: Option<&Pii<String>>, language: &Language) -> Result<super::LivePlan, AppError> {
        // JSON strings are YAML strings. The words come in as a variable, so that braces in them mean nothing.
        let said = if words.is_some() { "text: \"{{briefing}}\", " } else { "" };
        let text = format!(
            "dialplan: 1\nname: consultation\nlanguages: [{language}]\nstart: brief\n\
             steps:\n  brief: {{ hangup: {{ {said}result: briefed }} }}\n"
        );
        let known = words.map(|words| ("briefing".to_owned(), words.clone())).into_iter().collect();
        self.spoken("consultation", &text, &known).await
    }
}
