//! Session timers (RFC 4028): who asks for a refresh, how often, and when a session that nobody refreshed is over.
//!
//! ```text
//!   offer of an interval ──too small──▶ 422 with Min-SE (only to those who know timers)
//!            │
//!          Agreed ──half──▶ refresh, when it is ours to send
//!             └──interval − min(32 s, interval/3)──▶ BYE: nobody is there any more
//! ```
//!
//! Every refresh, whoever sends it, negotiates anew. `refresher=uac` always means the sender of the request at hand.

use std::time::{Duration, Instant};

use super::message::Headers;
use super::uri::parse_params;

/// RFC 4028 §5: no interval is shorter than this.
const SHORTEST: Duration = Duration::from_secs(90);
/// §10: how much before the end the BYE leaves, at most.
const FAREWELL: Duration = Duration::from_secs(32);
/// A day: nobody's session timer needs more, and sums of it with any clock stay in range.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What we want of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// The interval we ask for.
    pub expires: Duration,
    /// The shortest one we accept.
    pub min_se: Duration,
}

impl Default for SessionPolicy {
    /// What RFC 4028 §4 and §5 recommend.
    fn default() -> Self {
        Self { expires: Duration::from_secs(1800), min_se: SHORTEST }
    }
}

impl SessionPolicy {
    /// Our smallest interval, never below the standard's.
    pub fn floor(&self) -> Duration {
        self.min_se.clamp(SHORTEST, LONGEST)
    }

    /// What we ask for where nobody else has a say.
    pub fn wish(&self) -> Duration {
        self.expires.clamp(self.floor(), LONGEST)
    }
}

/// Who sends the refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// We do.
    Us,
    /// They do.
    Them,
}

/// A timer both ends keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Without a refresh the session lasts this long.
    pub interval: Duration,
    /// Who refreshes.
    pub refresher: Refresher,
    /// They know RFC 4028: our response may `Require: timer`.
    pub known_to_them: bool,
}

/// Their interval is below ours: answered with 422 and `Min-SE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall {
    /// What goes into `Min-SE`.
    pub min_se: Duration,
}

/// `Session-Expires: 1800;refresher=uac`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SessionExpires {
    interval: Duration,
    /// Whether the sender of the request refreshes, when it says so.
    uac: Option<bool>,
}

impl SessionExpires {
    /// The first one; anything unreadable is as good as none (RFC 3261 §8.2.2).
    fn of(headers: &Headers) -> Option<Self> {
        let value = headers.first("Session-Expires")?;
        let (seconds, params) = value.split_once(';').unwrap_or((value, ""));
        let params = parse_params(params).unwrap_or_default();
        let refresher = params.iter().find(|param| param.name == "refresher").and_then(|param| param.value.as_deref());
        let uac = refresher.and_then(|who| match who.to_ascii_lowercase().as_str() {
            "uac" => Some(true),
            "uas" => Some(false),
            _ => None,
        });
        Some(Self { interval: seconds_of(seconds)?, uac })
    }
}

/// Takes part in the timer of a request of theirs: an INVITE, a re-INVITE or an UPDATE (§9). `None`: they neither
/// ask for a timer nor know what one is.
pub fn accept(headers: &Headers, policy: &SessionPolicy) -> Result<Option<Agreed>, TooSmall> {
    let known = knows_timers(headers);
    let theirs = SessionExpires::of(headers);
    let least = min_se(headers);
    let Some(theirs) = theirs else {
        // Our wish, so our work; `Require: timer` is not needed for that.
        let interval = policy.wish().max(least);
        return Ok(known.then_some(Agreed { interval, refresher: Refresher::Us, known_to_them: true }));
    };
    if known && theirs.interval < policy.floor() {
        return Err(TooSmall { min_se: policy.floor() });
    }
    // §9: we may shorten an interval down to their Min-SE, never lengthen it.
    let interval = theirs.interval.min(policy.wish().max(least)).max(SHORTEST);
    // §9, table 2. Who did not say is asked to refresh: it sits behind its NAT and knows best how long that lasts.
    let refresher = if known && theirs.uac != Some(false) { Refresher::Them } else { Refresher::Us };
    Ok(Some(Agreed { interval, refresher, known_to_them: known }))
}

/// The header fields of a 2xx to a request of theirs (§9).
pub fn answer_headers(agreed: &Agreed) -> Vec<(&'static str, String)> {
    let who = match agreed.refresher {
        Refresher::Them => "uac",
        Refresher::Us => "uas",
    };
    let mut headers = vec![("Session-Expires", format!("{};refresher={who}", agreed.interval.as_secs()))];
    // §9: required whenever they refresh, or we would wait for something that never comes.
    if agreed.refresher == Refresher::Them {
        headers.push(("Require", "timer".to_owned()));
    }
    headers
}

/// The header fields of a request of ours (§7.1, §7.4): `current` is what holds so far, `raised` the Min-SE of a 422.
pub fn request_headers(
    policy: &SessionPolicy,
    current: Option<&Agreed>,
    raised: Option<Duration>,
) -> Vec<(&'static str, String)> {
    let least = raised.unwrap_or_default().clamp(policy.floor(), LONGEST);
    let interval = current.map_or(policy.wish(), |agreed| agreed.interval).max(least);
    let who = match current.map(|agreed| agreed.refresher) {
        Some(Refresher::Us) => ";refresher=uac",
        Some(Refresher::Them) => ";refresher=uas",
        None => "",
    };
    vec![("Session-Expires", format!("{}{who}", interval.as_secs())), ("Min-SE", least.as_secs().to_string())]
}

/// What the 2xx to a request of ours agreed on (§7.2). `None`: the session does not expire.
pub fn agreed_by(headers: &Headers) -> Option<Agreed> {
    let theirs = SessionExpires::of(headers)?;
    let refresher = if theirs.uac == Some(false) { Refresher::Them } else { Refresher::Us };
    Some(Agreed { interval: theirs.interval.max(SHORTEST), refresher, known_to_them: knows_timers(headers) })
}

/// `Min-SE` of a 422, or of any request; zero without one.
pub fn min_se(headers: &Headers) -> Duration {
    let value = headers.first("Min-SE").unwrap_or_default();
    seconds_of(value.split(';').next().unwrap_or_default()).unwrap_or_default()
}

fn knows_timers(headers: &Headers) -> bool {
    let named = |name| headers.list(name).any(|option| option.eq_ignore_ascii_case("timer"));
    named("Supported") || named("Require")
}

fn seconds_of(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than a number holds means "very long".
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)).min(LONGEST))
}

/// What a running timer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// Send a refresh.
    Refresh,
    /// The session is over: BYE.
    Expired,
}

/// One agreed timer, running since the last refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimer {
    /// What was agreed.
    pub agreed: Agreed,
    refresh_at: Option<Instant>,
    over_at: Instant,
}

impl SessionTimer {
    /// The 2xx was sent or received at `now`.
    pub fn start(agreed: Agreed, now: Instant) -> Self {
        let interval = agreed.interval;
        Self {
            agreed,
            refresh_at: (agreed.refresher == Refresher::Us).then(|| now + interval / 2),
            over_at: now + interval - FAREWELL.min(interval / 3),
        }
    }

    /// When [`SessionTimer::poll`] has something to say.
    pub fn deadline(&self) -> Instant {
        self.refresh_at.map_or(self.over_at, |at| at.min(self.over_at))
    }

    /// Time has passed. A refresh is asked for once; whoever could not send it asks again with [`SessionTimer::retry`].
    pub fn poll(&mut self, now: Instant) -> Due {
        if now >= self.over_at {
            return Due::Expired;
        }
        match self.refresh_at {
            Some(at) if now >= at => {
                self.refresh_at = None;
                Due::Refresh
            }
            _ => Due::Nothing,
        }
    }

    /// The refresh could not be sent, or was refused: once more at `at`, if there is time.
    pub fn retry(&mut self, at: Instant) {
        if self.agreed.refresher == Refresher::Us {
            self.refresh_at = Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Raw;
    use crate::time::{Clock, SystemClock};

    fn headers(lines: &str) -> Headers {
        Raw::read(format!("X\n{lines}\n\n").as_bytes()).headers
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn their_timer_is_taken_as_table_two_says() {
        let policy = SessionPolicy::default();
        for (lines, expected) in [
            ("", None),
            ("Supported: 100rel", None),
            ("Supported: timer", Some((1800, Refresher::Us))),
            ("Session-Expires: 600", Some((600, Refresher::Us))),
            ("x: 600\nk: replaces, TIMER", Some((600, Refresher::Them))),
            ("Session-Expires: 600;refresher=uac\nSupported: timer", Some((600, Refresher::Them))),
            ("Session-Expires: 600 ; refresher = UAS\nSupported: timer", Some((600, Refresher::Us))),
            ("Session-Expires: 600;refresher=uas", Some((600, Refresher::Us))),
            ("Session-Expires: 600\nRequire: timer", Some((600, Refresher::Them))),
            ("Session-Expires: 7200\nSupported: timer", Some((1800, Refresher::Them))),
            ("Session-Expires: 7200\nMin-SE: 3600\nSupported: timer", Some((3600, Refresher::Them))),
            ("Session-Expires: 60", Some((90, Refresher::Us))),
            ("Session-Expires: many\nSupported: timer", Some((1800, Refresher::Us))),
            ("Session-Expires: 99999999999999999999999\nSupported: timer", Some((1800, Refresher::Them))),
        ] {
            let agreed = accept(&headers(lines), &policy).unwrap();
            let found = agreed.map(|agreed| (agreed.interval.as_secs(), agreed.refresher));
            assert_eq!(found, expected, "{lines}");
        }
    }

    #[test]
    fn too_small_an_interval_is_refused_to_those_who_know_timers() {
        let policy = SessionPolicy { min_se: seconds(120), ..SessionPolicy::default() };
        let refused = accept(&headers("Session-Expires: 100\nSupported: timer"), &policy);
        assert_eq!(refused, Err(TooSmall { min_se: seconds(120) }));
        assert!(accept(&headers("Session-Expires: 100"), &policy).is_ok(), "a proxy's wish cannot be refused");
        assert!(accept(&headers("Session-Expires: 120\nSupported: timer"), &policy).is_ok());
        let low = SessionPolicy { min_se: seconds(1), ..policy };
        assert_eq!(
            accept(&headers("Session-Expires: 89\nSupported: timer"), &low),
            Err(TooSmall { min_se: seconds(90) })
        );
    }

    #[test]
    fn an_answer_names_the_refresher_and_asks_for_timers_only_where_they_refresh() {
        let agreed = |refresher| Agreed { interval: seconds(600), refresher, known_to_them: true };
        assert_eq!(
            answer_headers(&agreed(Refresher::Them)),
            [("Session-Expires", "600;refresher=uac".to_owned()), ("Require", "timer".to_owned())]
        );
        assert_eq!(answer_headers(&agreed(Refresher::Us)), [("Session-Expires", "600;refresher=uas".to_owned())]);
    }

    #[test]
    fn our_requests_keep_the_roles_and_obey_a_422() {
        let policy = SessionPolicy::default();
        let first = |headers: Vec<(&str, String)>| headers[0].1.clone();
        assert_eq!(first(request_headers(&policy, None, None)), "1800");
        let agreed = Agreed { interval: seconds(600), refresher: Refresher::Us, known_to_them: true };
        assert_eq!(first(request_headers(&policy, Some(&agreed), None)), "600;refresher=uac");
        let raised = request_headers(&policy, Some(&agreed), Some(seconds(900)));
        assert_eq!(raised[0].1, "900;refresher=uac");
        assert_eq!(raised[1], ("Min-SE", "900".to_owned()));
        let theirs = Agreed { refresher: Refresher::Them, ..agreed };
        assert_eq!(first(request_headers(&policy, Some(&theirs), None)), "600;refresher=uas");
    }

    #[test]
    fn a_response_says_whether_the_session_expires() {
        assert_eq!(agreed_by(&headers("Supported: timer")), None);
        for (lines, refresher) in [
            ("Session-Expires: 600;refresher=uac\nRequire: timer", Refresher::Us),
            ("Session-Expires: 600;refresher=uas\nRequire: timer", Refresher::Them),
            ("Session-Expires: 600", Refresher::Us),
        ] {
            let agreed = agreed_by(&headers(lines)).unwrap();
            assert_eq!((agreed.interval.as_secs(), agreed.refresher), (600, refresher), "{lines}");
        }
    }

    #[test]
    fn we_refresh_at_half_and_hang_up_before_the_end() {
        let start = SystemClock.now().mono;
        let mut timer =
            SessionTimer::start(Agreed { interval: seconds(90), refresher: Refresher::Us, known_to_them: true }, start);
        assert_eq!(timer.deadline(), start + seconds(45));
        assert_eq!(timer.poll(start + seconds(44)), Due::Nothing);
        assert_eq!(timer.poll(start + seconds(45)), Due::Refresh);
        assert_eq!(timer.poll(start + seconds(46)), Due::Nothing, "once");
        timer.retry(start + seconds(50));
        assert_eq!(timer.poll(start + seconds(50)), Due::Refresh);
        assert_eq!(timer.deadline(), start + seconds(60));
        assert_eq!(timer.poll(start + seconds(60)), Due::Expired);
    }

    #[test]
    fn a_session_they_do_not_refresh_ends_half_a_minute_early() {
        let start = SystemClock.now().mono;
        let mut timer = SessionTimer::start(
            Agreed { interval: seconds(1800), refresher: Refresher::Them, known_to_them: true },
            start,
        );
        timer.retry(start);
        assert_eq!(timer.deadline(), start + seconds(1768));
        assert_eq!(timer.poll(start + seconds(1767)), Due::Nothing);
        assert_eq!(timer.poll(start + seconds(1768)), Due::Expired);
    }
}
