//! One look-up from its first request to its end: when it is sent, when it is repeated, when that is no use.
//!
//! ```text
//!            ┌──────────── 429 502 503 504, no connection ────────────┐
//!            ▼                                                        │
//!   Send ─▶ Ready ──Event──▶ 2xx ─▶ Done(Ok)          Wait ◀──────────┘ backoff, or Retry-After
//!            ▲                3xx, same host ─▶ Ready    │
//!            └───────────────────────────────────────────┘            the deadline ends all of it
//! ```
//!
//! Repeats wait longer each time (Exponential backoff with jitter, so that a far end that comes back is not met by
//! everybody at once); `Retry-After` (RFC 9110 §10.2.3) wins over that, and when it lies beyond the deadline the
//! look-up fails at once instead of letting the caller wait for nothing.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::Url;

use super::answer::{Answer, Head};
use super::failure::{Failure, Trouble};
use super::prepare::{Prepared, host_of};
use super::{LookupSettings, Method};
use crate::time::Now;

/// Wait before the first repeat; each further one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// No wait of our own is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// What is to be done now.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Send the request, here and as this, and give up at the deadline.
    Send {
        /// Where, after redirects.
        url: Url,
        /// As a redirect may have changed it.
        method: Method,
        /// Of the whole look-up.
        deadline: Instant,
    },
    /// Wait until then.
    Wait(Instant),
    /// It is over.
    Done(Result<Answer, Failure>),
}

/// What came of it.
#[derive(Debug)]
pub enum Event {
    /// An answer that says no, or elsewhere; its body was not read.
    Refused(Head),
    /// An answer that says yes, and what was made of its body.
    Answered(Head, Result<serde_json::Value, Failure>),
    /// The host could not be reached.
    Trouble(Trouble),
    /// The driver found that it must not be asked.
    Forbidden(Failure),
    /// The deadline came.
    TimedOut,
    /// The wait is over.
    Waited,
}

/// One look-up.
pub struct Run {
    url: Url,
    method: Method,
    prepared: Prepared,
    deadline: Instant,
    redirects_left: u32,
    attempts: u32,
    state: State,
}

enum State {
    Ready,
    Waiting(Instant),
    Done(Result<Answer, Failure>),
}

impl Run {
    /// Begins now; `prepared` was permitted.
    pub fn new(prepared: Prepared, settings: &LookupSettings, now: Now) -> Self {
        Self {
            url: prepared.url.clone(),
            method: prepared.method,
            deadline: now.mono + prepared.timeout,
            redirects_left: settings.redirects.min(LookupSettings::MOST_REDIRECTS),
            attempts: 0,
            state: State::Ready,
            prepared,
        }
    }

    /// When all of it is over.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What is to be done now.
    pub fn next(&self) -> Next {
        match &self.state {
            State::Ready => Next::Send { url: self.url.clone(), method: self.method, deadline: self.deadline },
            State::Waiting(until) => Next::Wait(*until),
            State::Done(result) => Next::Done(result.clone()),
        }
    }

    /// Something came of what was to be done. `jitter` is a random number, 0 to 1.
    pub fn handle(&mut self, event: Event, now: Now, jitter: f64) {
        self.state = match (&self.state, event) {
            (State::Done(_), _) => return,
            (State::Waiting(_), Event::Waited) => State::Ready,
            (State::Ready, Event::Waited) => return,
            (_, Event::TimedOut) => State::Done(Err(Failure::Timeout { after: self.prepared.timeout })),
            (_, Event::Forbidden(failure)) => State::Done(Err(failure)),
            (_, Event::Answered(head, json)) => {
                self.attempts += 1;
                let attempts = self.attempts;
                State::Done(json.map(|json| Answer { status: head.status, json, attempts }))
            }
            (_, Event::Refused(head)) => {
                self.attempts += 1;
                self.refused(&head, now, jitter)
            }
            (_, Event::Trouble(trouble)) => {
                self.attempts += 1;
                self.troubled(trouble, now, jitter)
            }
        };
    }

    fn refused(&mut self, head: &Head, now: Now, jitter: f64) -> State {
        let failure = Failure::Status(head.status);
        match head.status {
            301 | 302 | 303 | 307 | 308 => self.redirected(head),
            429 | 502 | 503 | 504 if self.prepared.repeatable => {
                let asked = head.retry_after.as_deref().and_then(|text| retry_after(text, now.wall));
                self.again(failure, asked, now, jitter)
            }
            _ => State::Done(Err(failure)),
        }
    }

    fn troubled(&mut self, trouble: Trouble, now: Now, jitter: f64) -> State {
        let failure = Failure::Unreachable { host: host_of(&self.url), why: trouble };
        match trouble {
            // Nothing was sent, so nothing can be done twice.
            Trouble::Name | Trouble::Connect => self.again(failure, None, now, jitter),
            Trouble::Broken if self.prepared.repeatable => self.again(failure, None, now, jitter),
            Trouble::Broken | Trouble::Tls => State::Done(Err(failure)),
        }
    }

    /// Once more, if that was not the last time, and there is time for it.
    fn again(&self, failure: Failure, asked: Option<Duration>, now: Now, jitter: f64) -> State {
        if self.attempts > self.prepared.retries {
            return State::Done(Err(failure));
        }
        let wait = asked.unwrap_or_else(|| backoff(self.attempts, jitter));
        match now.mono.checked_add(wait).filter(|until| *until < self.deadline) {
            Some(until) => State::Waiting(until),
            None => State::Done(Err(failure)),
        }
    }

    /// Only the same host over the same scheme: it alone was permitted, and the secrets are for it alone.
    fn redirected(&mut self, head: &Head) -> State {
        let failure = State::Done(Err(Failure::Redirected(head.status)));
        let keeps_method = matches!(head.status, 307 | 308) || self.method == Method::Get;
        let target = head.location.as_deref().and_then(|location| self.url.join(location).ok());
        let Some(target) = target.filter(|target| target.origin() == self.url.origin()) else { return failure };
        if self.redirects_left == 0 || !keeps_method || !target.username().is_empty() || target.password().is_some() {
            return failure;
        }
        self.redirects_left -= 1;
        self.url = target;
        State::Ready
    }
}

/// Between half of the wait and all of it.
fn backoff(attempts: u32, jitter: f64) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1))).min(LONGEST_WAIT);
    doubled.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

/// Seconds, or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<u64>().ok().map(Duration::from_secs);
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    // A date that is past means now.
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::{AllowList, HostPattern, Request};
    use crate::time::{Clock as _, SimulatedClock};

    struct Bench {
        run: Run,
        clock: SimulatedClock,
    }

    impl Bench {
        fn new(request: &Request, redirects: u32) -> Self {
            let clock = SimulatedClock::starting_at("2026-03-02T10:00:00Z".parse().unwrap());
            let allow = AllowList::new([HostPattern::parse("crm.example").unwrap()]);
            let settings = LookupSettings { allow, redirects, ..LookupSettings::default() };
            let prepared = request.prepare(&settings).ok().unwrap();
            Self { run: Run::new(prepared, &settings, clock.now()), clock }
        }

        fn handle(&mut self, event: Event) -> Next {
            self.run.handle(event, self.clock.now(), 1.0);
            self.run.next()
        }

        fn status(&mut self, status: u16) -> Next {
            self.handle(Event::Refused(Head { status, ..Head::default() }))
        }

        /// Milliseconds from now.
        fn wait_ms(&self, next: &Next) -> u128 {
            let Next::Wait(until) = next else { panic!("{next:?}") };
            (*until - self.clock.now().mono).as_millis()
        }

        fn wait_over(&mut self) -> Next {
            self.handle(Event::Waited)
        }
    }

    fn get() -> Request {
        Request::get("https://crm.example/orders/1")
    }

    fn post(key: Option<&str>) -> Request {
        let idempotency_key = key.map(str::to_owned);
        Request { idempotency_key, ..Request::post("https://crm.example/orders", serde_json::json!({})) }
    }

    fn failed(next: &Next) -> Option<&Failure> {
        match next {
            Next::Done(Err(failure)) => Some(failure),
            _ => None,
        }
    }

    #[test]
    fn a_far_end_that_is_overloaded_is_asked_again_later_each_time() {
        let mut bench = Bench::new(&get(), 0);
        let first = bench.status(503);
        assert_eq!(bench.wait_ms(&first), 200);
        assert!(matches!(bench.wait_over(), Next::Send { .. }));
        let second = bench.status(429);
        assert_eq!(bench.wait_ms(&second), 400);
        bench.wait_over();
        let head = Head { status: 200, ..Head::default() };
        let Next::Done(Ok(answer)) = bench.handle(Event::Answered(head, Ok(serde_json::json!(1)))) else { panic!() };
        assert_eq!((answer.status, answer.attempts), (200, 3));
    }

    #[test]
    fn it_is_not_asked_more_often_than_the_plan_says() {
        let mut bench = Bench::new(&Request { retries: 1, ..get() }, 0);
        bench.status(502);
        bench.wait_over();
        assert_eq!(failed(&bench.status(504)), Some(&Failure::Status(504)));
    }

    #[test]
    fn an_answer_that_says_no_is_not_asked_again() {
        for status in [400, 401, 404, 409, 500, 501] {
            assert_eq!(failed(&Bench::new(&get(), 0).status(status)), Some(&Failure::Status(status)));
        }
    }

    #[test]
    fn what_might_be_done_twice_is_only_repeated_under_a_key() {
        assert_eq!(failed(&Bench::new(&post(None), 0).status(503)), Some(&Failure::Status(503)));
        let broken = Bench::new(&post(None), 0).handle(Event::Trouble(Trouble::Broken));
        assert_eq!(failed(&broken).map(Failure::name), Some("unreachable"));
        assert!(matches!(Bench::new(&post(Some("call-7-pay")), 0).status(503), Next::Wait(_)));
        // Without a connection nothing was sent.
        assert!(matches!(Bench::new(&post(None), 0).handle(Event::Trouble(Trouble::Connect)), Next::Wait(_)));
    }

    #[test]
    fn a_certificate_that_is_wrong_stays_wrong() {
        let next = Bench::new(&get(), 0).handle(Event::Trouble(Trouble::Tls));
        assert_eq!(failed(&next).map(Failure::name), Some("unreachable"));
    }

    #[test]
    fn retry_after_is_kept_while_there_is_time_and_is_the_end_when_there_is_not() {
        let after = |text: &str| Head { status: 503, retry_after: Some(text.to_owned()), ..Head::default() };
        for (text, wait) in [
            ("1", Some(1_000)),
            ("4", Some(4_000)),
            ("Mon, 02 Mar 2026 10:00:02 GMT", Some(2_000)),
            ("Sun, 01 Mar 2026 10:00:00 GMT", Some(0)),
            ("5", None),
            ("3600", None),
            ("99999999999999999999", Some(200)),
            ("soon", Some(200)),
        ] {
            let mut bench = Bench::new(&get(), 0);
            let next = bench.handle(Event::Refused(after(text)));
            match wait {
                Some(wait) => assert_eq!(bench.wait_ms(&next), wait, "{text}"),
                None => assert_eq!(failed(&next), Some(&Failure::Status(503)), "{text}"),
            }
        }
    }

    #[test]
    fn no_repeat_begins_that_the_deadline_would_end() {
        let mut bench = Bench::new(&get(), 0);
        bench.clock.advance(Duration::from_millis(4_900));
        assert_eq!(failed(&bench.status(503)), Some(&Failure::Status(503)));
        let mut bench = Bench::new(&get(), 0);
        let after = Duration::from_secs(5);
        assert_eq!(failed(&bench.handle(Event::TimedOut)), Some(&Failure::Timeout { after }));
        assert_eq!(failed(&bench.status(503)), Some(&Failure::Timeout { after }), "over is over");
    }

    #[test]
    fn a_redirect_is_followed_to_the_same_host_only_and_not_for_ever() {
        let to = |status: u16, location: &str| {
            Event::Refused(Head { status, location: Some(location.to_owned()), ..Head::default() })
        };
        let follows = |request: &Request, allowed: u32, status: u16, location: &str| match Bench::new(request, allowed)
            .handle(to(status, location))
        {
            Next::Send { url, .. } => Some(url.to_string()),
            other => {
                assert_eq!(failed(&other), Some(&Failure::Redirected(status)));
                None
            }
        };
        let there = Some("https://crm.example/there".to_owned());
        assert_eq!(follows(&get(), 1, 302, "/there"), there);
        assert_eq!(follows(&get(), 1, 308, "https://crm.example:443/there"), there);
        assert_eq!(follows(&post(None), 1, 307, "/there"), there);
        assert_eq!(follows(&get(), 0, 302, "/there"), None);
        assert_eq!(follows(&post(None), 1, 302, "/there"), None);
        for elsewhere in
            ["https://evil.example/", "http://crm.example/there", "//evil.example/", "https://crm.example:1/"]
        {
            assert_eq!(follows(&get(), 1, 302, elsewhere), None, "{elsewhere}");
        }
        assert_eq!(follows(&get(), 1, 302, "https://u:p@crm.example/"), None);
        let mut bench = Bench::new(&get(), 2);
        bench.handle(to(302, "/a"));
        bench.handle(to(302, "/b"));
        assert_eq!(failed(&bench.handle(to(302, "/c"))), Some(&Failure::Redirected(302)));
        let lost = Bench::new(&get(), 1).status(302);
        assert_eq!(failed(&lost), Some(&Failure::Redirected(302)), "it did not say where to");
    }
}
