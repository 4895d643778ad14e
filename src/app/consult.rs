//! Asking somebody before a caller is sent there or joined with them: the other call of a transfer or handover, and its
//! record.
//!
//! ```text
//!   live call ── Consult ────▶ originate: INVITE … answered, briefing said, stands by ── Ready ──▶ live call
//!             ── TakenOver ──▶ hung up by whoever takes over, else by us
//!             ── Bridged ────▶ goes on until either end hangs up; Over: hung up at once
//! ```

mod driver;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::warn;

use super::house::House;
use super::originate::{Originate, OriginateError};
use super::plans::Plans;
use super::{AppError, LivePlan};
use crate::agents::driver::Line;
use crate::agents::webhook::{About, Happening};
use crate::agents::{Agent, briefing};
use crate::call::driver::{Consultant, Consultation};
use crate::call::record::{CallEnd, CallRecord};
use crate::call::registry::Seat;
use crate::call::{Consult, Consulted, Introduction, TimelineEvent, Verdict, Wish};
use crate::dialplan::scope::Variables;
use crate::id::{CallId, LegId};
use crate::language::Language;
use crate::pii::Pii;
use crate::sip::{CallerId, DialError, refer};
use crate::time::sleep_until;

/// How long the one who was asked waits to be taken over: as long as a REFER may take, and a little.
pub(super) const STANDS_BY: Duration = Duration::from_secs(100);
/// Whoever takes over a leg hangs up the old one (RFC 3891 §3); who forgets it is hung up on after that.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(2);
/// The variable that holds what is to be said.
const BRIEFING: &str = "briefing";
/// A call gives two verdicts.
const VERDICTS: usize = 2;
/// News and timeline of one short call.
const WAITING: usize = 16;

/// Calls somebody on behalf of one live call.
#[derive(Clone)]
pub(super) struct OnBehalf {
    /// Who makes the call.
    pub house: Weak<House>,
    /// For whom.
    pub call: CallId,
    /// Who is to be sent on: whom they see calling, where no trunk says otherwise.
    pub far_end: Pii<String>,
    /// The trunk that the live call goes through: for numbers, which mean nothing elsewhere.
    pub trunk: Option<Arc<str>>,
    /// What is spoken when the call begins; what is told of a caller knows what is spoken by then.
    pub language: Language,
    /// The agent who is called, where one is.
    pub agent: Option<Arc<str>>,
    /// What those who are called are spoken to in, where it is theirs and not the caller's.
    pub theirs: Option<Language>,
}

impl Consultant for OnBehalf {
    fn consult(&self, consult: Consult) -> Consultation {
        let (report, news) = mpsc::channel(WAITING);
        let (verdict, verdicts) = mpsc::channel(VERDICTS);
        if let Some(house) = self.house.upgrade() {
            let trunk = way(consult.trunk.clone(), consult.to.reveal(), self.trunk.clone());
            let number = Some(self.far_end.clone()).filter(|number| trunk.is_none() && !number.reveal().is_empty());
            let caller = number.map(|number| CallerId { number, name: None, withheld: false });
            let consult = Consult { trunk, ..consult };
            let made_for = (self.call.clone(), caller, self.language_for(&consult));
            let line = consult.introduction.as_deref().and_then(|known| {
                let name = self.agent.as_deref().map_or_else(|| consult.to.clone(), |name| Pii::new(name.to_owned()));
                house.line(known, Some(name))
            });
            driver::start(async move { house.consult(consult, made_for, line, report, verdicts).await });
        }
        Consultation { news, verdict }
    }

    fn queue(&self, wish: Wish) -> Consultation {
        match self.house.upgrade() {
            Some(house) => house.desk.enter(wish, self.clone()),
            // Its news end at once, which the call takes for the end.
            None => Consultation { news: mpsc::channel(1).1, verdict: mpsc::channel(1).0 },
        }
    }
}

impl OnBehalf {
    /// The same, to somebody who is spoken to in a language of theirs.
    pub fn speaking_to(&self, agent: &Agent) -> Self {
        let (theirs, agent) = (agent.languages.first().cloned(), Some(agent.name.clone()));
        Self { theirs, agent, ..self.clone() }
    }

    fn language_for(&self, consult: &Consult) -> Language {
        let spoken = consult.introduction.as_ref().map(|known| &known.handoff.language);
        self.theirs.as_ref().or(spoken).unwrap_or(&self.language).clone()
    }

    /// The system of the house hears that nobody came for the caller.
    pub fn tell_left(&self, wish: &Wish, why: &'static str) {
        let line = self.house.upgrade().and_then(|house| house.line(&wish.introduction, None));
        if let Some(line) = line {
            line.tell(Happening::Left { why });
        }
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

    /// The way to the system of the house, where it wants to be told of agents and callers.
    fn line(&self, known: &Introduction, agent: Option<Pii<String>>) -> Option<Line> {
        let hooks = self.hooks.as_ref()?;
        Some(hooks.line(About { handoff: known.handoff.clone(), caller: known.number.clone(), agent }))
    }

    /// Makes the other call, from INVITE to stored record.
    async fn consult(
        &self,
        consult: Consult,
        (made_for, caller, language): (CallId, Option<CallerId>, Language),
        line: Option<Line>,
        report: mpsc::Sender<Consulted>,
        verdicts: mpsc::Receiver<Verdict>,
    ) {
        let headers = consult.introduction.as_ref().map(|known| known.handoff.headers()).unwrap_or_default();
        let stands_by = consult.introduction.as_ref().map_or(STANDS_BY, |_| self.config.max_call);
        let (live, known) = match self.plans.words_for(&consult, &language).await {
            Ok(ready) => ready,
            Err(error) => {
                warn!(%error, "whom the caller shall be sent to cannot be told why");
                let _ = report.send(Consulted::Untried { status: 500 }).await;
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
            stands_by: Some(stands_by),
            headers,
            even_if_closed: false,
        };
        let mut other = Other { begun: None, report, verdicts, verdict: None, line, bridged_at: None };
        other.tell(Happening::Ringing);
        match other.live(self, order, events).await {
            Ok((record, seat)) => {
                let _ = other.report.send(Consulted::Over { status: status_of(&record) }).await;
                other.tell_over(Some(status_of(&record)), self.clock.now().mono);
                let record = match other.settled().await {
                    Verdict::TakenOver => CallRecord { end: CallEnd::Transferred, ..record },
                    // Hung up on by us, when the caller was gone.
                    Verdict::Bridged if record.end == CallEnd::Interrupted => {
                        CallRecord { end: CallEnd::Completed, ..record }
                    }
                    Verdict::Bridged | Verdict::Over => record,
                };
                self.records.save(Box::new(record)).await;
                // Whoever waits for the house to be empty waits for the record too.
                drop(seat);
            }
            Err(error) => {
                warn!(%error, "whom the caller shall be sent to cannot be called");
                let told = untold(&error);
                if let Consulted::Over { status } | Consulted::Untried { status } = &told {
                    other.tell_over(Some(*status), self.clock.now().mono);
                }
                let _ = other.report.send(told).await;
            }
        }
    }
}

/// The other call, as long as it lives.
struct Other {
    begun: Option<(CallId, LegId)>,
    report: mpsc::Sender<Consulted>,
    verdicts: mpsc::Receiver<Verdict>,
    /// The last one.
    verdict: Option<Verdict>,
    /// To the system of the house.
    line: Option<Line>,
    bridged_at: Option<Instant>,
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
        let (mut hang_up_at, mut wanted) = (None, true);
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
                verdict = self.verdicts.recv(), if wanted => {
                    let now = house.clock.now().mono;
                    match verdict {
                        Some(Verdict::Bridged) => {
                            self.verdict = Some(Verdict::Bridged);
                            self.bridged_at = Some(now);
                            self.tell(Happening::Joined);
                        }
                        Some(Verdict::TakenOver) => {
                            self.verdict = Some(Verdict::TakenOver);
                            (wanted, hang_up_at) = (false, Some(now + TAKEN_OVER_WITHIN));
                        }
                        // Dropped: the caller is gone, or wants nobody any more.
                        Some(Verdict::Over) | None => {
                            self.verdict.get_or_insert(Verdict::Over);
                            (wanted, hang_up_at) = (false, Some(now));
                        }
                    }
                }
                () = sleep_until(hang_up_at), if self.begun.is_some() => {
                    hang_up_at = None;
                    if let Some((call, _)) = &self.begun {
                        house.registry.hang_up(call);
                    }
                }
            }
        }
    }

    fn tell(&self, happening: Happening) {
        if let Some(line) = &self.line {
            line.tell(happening);
        }
    }

    fn tell_over(&self, status: Option<u16>, now: Instant) {
        let talked = self.bridged_at.map(|at| now.saturating_duration_since(at));
        self.tell(match self.verdict {
            Some(Verdict::TakenOver) => Happening::TRANSFERRED,
            Some(Verdict::Over) if talked.is_none() => Happening::over(None, None),
            _ => Happening::over(status, talked),
        });
    }

    /// What became of it. Waits for the word of the call that it was made for.
    async fn settled(&mut self) -> Verdict {
        match self.verdict {
            Some(verdict) => verdict,
            None => self.verdicts.recv().await.unwrap_or(Verdict::Over),
        }
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
fn status_of(record: &CallRecord) -> u16 {
    match &record.end {
        CallEnd::Completed if record.result.as_deref() == Some(briefing::DECLINED) => 603,
        CallEnd::Completed if record.result.as_deref() == Some(briefing::UNHEARD) => 480,
        CallEnd::Refused(status) => *status,
        CallEnd::NoAnswer => 408,
        CallEnd::Unreachable(_) => 503,
        CallEnd::CallerHungUp | CallEnd::Interrupted => 487,
        _ => 500,
    }
}

/// The same of a call that was not even begun. What is wrong with whom we should call stays their affair; what we lack
/// is not.
const fn untold(error: &OriginateError) -> Consulted {
    match error {
        OriginateError::Dial(DialError::NotDialable | DialError::NoSuchTrunk(_) | DialError::NoAddress { .. }) => {
            Consulted::Over { status: 404 }
        }
        OriginateError::Draining
        | OriginateError::NoRoom(_)
        | OriginateError::Dial(DialError::Full(_) | DialError::Closed)
        // Nobody asks about whom a caller is sent to.
        | OriginateError::Closed { .. }
        | OriginateError::Unasked(_) => Consulted::Untried { status: 503 },
    }
}

impl Plans {
    /// What whoever is called is told, and the values in it. Words for one caller are not kept on disk: they are rendered
    /// when they are said.
    async fn words_for(&self, consult: &Consult, language: &Language) -> Result<(LivePlan, Variables), AppError> {
        let Some(known) = &consult.introduction else {
            // As a variable, so that braces in the words mean nothing.
            let known = consult.briefing.clone().map(|words| (BRIEFING.to_owned(), words)).into_iter().collect();
            return Ok((self.briefing(&known, language).await?, known));
        };
        let language = briefing::heard_in(language);
        let own = known.words.iter().find(|(tag, _)| tag.primary() == language.primary());
        let sentence = own.map(|(_, words)| words.reveal().clone()).filter(|words| !words.trim().is_empty());
        let sentence = sentence.unwrap_or_else(|| briefing::sentence(&known.handoff, &language));
        let live = self.spoken("briefing", &briefing::plan(&language), &Variables::new()).await?;
        Ok((live, [(briefing::SENTENCE.to_owned(), Pii::new(sentence))].into_iter().collect()))
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::handoff::Handoff;
    use crate::call::Introduction;

    fn language(tag: &str) -> Language {
        Language::parse(tag).unwrap()
    }

    #[test]
    fn an_agent_without_a_language_is_spoken_to_in_what_the_call_is_held_in_by_then() {
        let call = CallId::new(jiff::Timestamp::UNIX_EPOCH, 1);
        let behalf = OnBehalf {
            house: Weak::new(),
            call: call.clone(),
            far_end: Pii::default(),
            trunk: None,
            language: Language::english(),
            agent: None,
            theirs: None,
        };
        let handoff = Handoff::of(call, language("zh-CN"));
        let known = Introduction { handoff, words: Vec::new(), number: Pii::default() };
        let by_order = Consult {
            to: Pii::default(),
            trunk: None,
            briefing: None,
            ring: Duration::from_secs(20),
            introduction: None,
        };
        let by_plan = Consult { introduction: Some(Box::new(known)), ..by_order.clone() };
        assert_eq!(behalf.language_for(&by_order), Language::english());
        assert_eq!(behalf.language_for(&by_plan), language("zh-CN"));
        let of_their_own = OnBehalf { theirs: Some(language("en-GB")), ..behalf };
        assert_eq!(of_their_own.language_for(&by_plan), language("en-GB"));
    }

    #[test]
    fn what_we_lack_is_told_from_what_is_wrong_with_whom_we_call() {
        let ours = [
            OriginateError::Draining,
            OriginateError::NoRoom(crate::app::house::NoRoom::Seats(2)),
            OriginateError::Dial(DialError::Full("the trunk carries as many calls as its max_calls allows")),
            OriginateError::Dial(DialError::Closed),
        ];
        assert!(ours.iter().all(|error| untold(error) == Consulted::Untried { status: 503 }));
        let theirs = [DialError::NotDialable, DialError::NoSuchTrunk("carrier".into())];
        assert!(theirs.into_iter().all(|error| untold(&error.into()) == Consulted::Over { status: 404 }));
    }
}
