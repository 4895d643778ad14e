//! Being found: one address of ours kept known at one registrar (RFC 3261 §10.2).
//!
//! ```text
//!   Unregistered ─REGISTER─▶ Registering ─200─▶ Registered ─85 % of the time─▶ REGISTER again (still Registered)
//!        423: once more with their Min-Expires      │ it lapses meanwhile
//!        3xx: where they say, a few times           │
//!        else ▼                                     ▼
//!       Waiting (30 s, doubling while refused; Retry-After) ─▶ Registering
//!   stop ─▶ REGISTER, Expires: 0, one second of patience ─▶ done
//! ```
//!
//! A registrar that does not answer, or answers 5xx, comes back some time, and then callers must find us at once: it
//! is asked every half minute. One that refuses us (4xx, 6xx) needs a person to change something: it is asked less and
//! less often, up to every half hour, so that nobody takes us for an attack.
//!
//! What a registrar grants comes with more: `Service-Route` is the way calls through it are to take (RFC 3608). `Path`
//! (RFC 3327), which proxies between us add, and GRUUs (RFC 5627) are the registrar's affair: we say that we understand
//! the first, never ask for the second, and are found by our own Contact.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::auth::Algorithm;
use super::branch::{Act, ClientNews, Context, OutRequest, Tx};
use super::callee::{account, escape_user, host_port};
use super::message::{Method, Response};
use super::redirect::Redirects;
use super::respond::ALLOW;
use super::transport::{Path, Target};
use super::trunk::{TrunkSpec, TrunkState, TrunkStatus};
use super::uri::{NameAddr, Uri, find_param};
use crate::time::Now;

/// First wait after a failure (RFC 5626 §4.5 "base-time").
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// Longest wait, of a registrar that keeps refusing us (RFC 5626 §4.5 "max-time").
const LONGEST_WAIT: Duration = Duration::from_secs(1800);
/// A registration is refreshed that long before it lapses, if it lasts long enough.
const MARGIN: Duration = Duration::from_secs(30);
/// Never refreshed more often, whatever they grant.
const SHORTEST_REFRESH: Duration = Duration::from_secs(5);
/// So often it is told anew at once: that a connection has ended, and then where it sees us on the next.
const AT_ONCE: u32 = 2;
/// A day: no registrar grants more, and sums with any clock stay in range.
const LONGEST_EXPIRES: Duration = Duration::from_secs(86_400);
/// How long the last word may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// Routes taken of one Service-Route: two or three proxies are usual.
const MOST_ROUTES: usize = 8;
/// Addresses it has registered us at: its calls may come from each of them.
const MOST_ADDRESSES: usize = 16;

/// One registration of ours.
#[derive(Debug)]
pub struct Registration {
    spec: TrunkSpec,
    context: Context,
    registrar: Uri,
    towards: Target,
    /// Where it has sent us instead, and may still send us.
    moved_to: Option<(String, Target)>,
    redirects: Redirects,
    user: String,
    tag: String,
    call_id: String,
    /// What we ask for; raised by 423.
    expires: Duration,
    state: TrunkState,
    since: Timestamp,
    last_status: Option<u16>,
    last_path: Option<Path>,
    /// Where it has granted us a registration, each until that lapses.
    addresses: Vec<(IpAddr, Instant)>,
    /// The way calls are to take.
    route: Vec<String>,
    /// A Contact that is ours no longer, to be taken back with the next REGISTER.
    left: Option<String>,
    /// The REGISTER under way.
    asking: Option<Tx>,
    next_tx: u32,
    next_at: Option<Instant>,
    /// When a registration that is being refreshed lapses.
    lapses_at: Option<Instant>,
    failures: u32,
    /// Times it had to be told anew since the registration last stood until its refresh.
    moves: u32,
    /// The next REGISTER is such a time.
    hurried: bool,
    stopping: Stopping,
    acts: VecDeque<Act>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    No,
    Until(Instant),
    Done,
}

impl Registration {
    /// Registers at the first [`Registration::handle_timeout`]. `None` when the trunk's URI names no registrar.
    pub fn new(spec: TrunkSpec, context: Context, now: Now) -> Option<Self> {
        let registrar = Uri::parse(&spec.uri).ok()?;
        let towards = Target::of(&registrar)?;
        let draw = |what: &str| {
            let text = format!("{:016x} {} {what}", context.seed, spec.name);
            Algorithm::Sha256.hash(text.as_bytes())
        };
        let (tag, call_id) = (draw("tag")[..16].to_owned(), draw("call")[..32].to_owned());
        Some(Self {
            user: escape_user(account(&spec).unwrap_or("trunkline")),
            expires: spec.expires.clamp(Duration::from_secs(1), LONGEST_EXPIRES),
            redirects: Redirects::starting_at(&registrar.text),
            moved_to: None,
            registrar,
            towards,
            tag,
            call_id,
            state: TrunkState::Unregistered,
            since: now.wall,
            last_status: None,
            last_path: None,
            addresses: Vec::new(),
            route: Vec::new(),
            left: None,
            asking: None,
            next_tx: 0,
            next_at: Some(now.mono),
            lapses_at: None,
            failures: 0,
            moves: 0,
            hurried: false,
            stopping: Stopping::No,
            acts: VecDeque::new(),
            spec,
            context,
        })
    }

    /// What became of a REGISTER.
    pub fn handle_news(&mut self, tx: Tx, news: ClientNews, path: Option<&Path>, now: Now) {
        if let Some(path) = path {
            self.last_path = Some(*path);
        }
        if self.asking != Some(tx) || matches!(news, ClientNews::Provisional(_) | ClientNews::Again(_)) {
            return;
        }
        self.asking = None;
        if self.stopping != Stopping::No {
            return self.done(now);
        }
        match news {
            ClientNews::Final(response) => {
                self.last_status = Some(response.status);
                match response.status {
                    200..=299 => self.registered(&response, now),
                    423 if self.raise(&response) => self.register(self.expires, now),
                    300..=399 if self.redirect(&response) => self.register(self.expires, now),
                    _ if self.moved_to.is_some() && self.next_target() => self.register(self.expires, now),
                    status => self.failed(retry_after(&response), (400..500).contains(&status) || status >= 600, now),
                }
            }
            ClientNews::Failed(_) => {
                self.last_status = None;
                match self.moved_to.is_some() && self.next_target() {
                    true => self.register(self.expires, now),
                    false => self.failed(None, false, now),
                }
            }
            ClientNews::Provisional(_) | ClientNews::Again(_) => {}
        }
    }

    /// The trunk answers again (OPTIONS, or a call of theirs): no reason to wait any longer.
    pub fn handle_reachable(&mut self, now: Now) {
        let unanswered = self.last_status.is_none_or(|status| (500..600).contains(&status));
        if matches!(self.state, TrunkState::Waiting { .. }) && unanswered && self.asking.is_none() {
            self.next_at = Some(now.mono);
        }
    }

    /// It reaches us at `here` now; what it knows as our Contact leads nowhere any more.
    pub fn handle_moved(&mut self, here: SocketAddr, now: Now) {
        let Some(known) = self.last_path.filter(|path| path.local != here) else { return };
        self.hurry(Some(known), now);
    }

    /// The connection to it has ended, and where it reaches us along that only (`gone`: what it knows as our Contact
    /// leads nowhere any more), nobody does until it has another (RFC 5626 §4.5).
    pub fn handle_cut(&mut self, gone: bool, now: Now) {
        self.hurry(self.last_path.filter(|_| gone), now);
    }

    /// Tells it anew, twice at once: an address that changes with every answer, or a registrar that hangs up after each,
    /// must not make us ask without end.
    fn hurry(&mut self, left: Option<Path>, now: Now) {
        if self.asking.is_some() || !matches!(self.state, TrunkState::Registered { .. }) {
            return;
        }
        if let Some(known) = left {
            self.left = Some(known.contact(&self.user, self.registrar.scheme == "sips"));
        }
        let wait = match self.moves.checked_sub(AT_ONCE) {
            None => Duration::ZERO,
            Some(more) => SHORTEST_REFRESH.saturating_mul(1 << more.min(10)).min(LONGEST_WAIT),
        };
        let at = now.mono + wait;
        if self.next_at.is_none_or(|usual| at < usual) {
            self.next_at = Some(at);
            self.hurried = true;
            self.moves = self.moves.saturating_add(1);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        match self.stopping {
            Stopping::No => {}
            Stopping::Until(until) if now.mono >= until => return self.done(now),
            Stopping::Until(_) | Stopping::Done => return,
        }
        if self.lapses_at.is_some_and(|at| now.mono >= at) {
            self.lapses_at = None;
            let waits = self.next_at.map(|at| now.wall + at.saturating_duration_since(now.mono));
            let state = waits.map_or(TrunkState::Registering, |until| TrunkState::Waiting { until });
            self.enter(state, now);
        }
        if self.next_at.is_some_and(|at| now.mono >= at) {
            if !std::mem::take(&mut self.hurried) {
                self.moves = 0;
            }
            self.register(self.expires, now);
        }
    }

    /// We are shutting down: callers shall not be sent here any more.
    pub fn handle_stop(&mut self, now: Now) {
        if self.stopping != Stopping::No {
            return;
        }
        let known = self.lapses_at.is_some() || self.asking.is_some();
        (self.next_at, self.lapses_at) = (None, None);
        if !known {
            return self.done(now);
        }
        self.stopping = Stopping::Until(now.mono + FAREWELL);
        self.register(Duration::ZERO, now);
    }

    /// Nothing left to wait for, once it was stopped.
    pub fn is_done(&self) -> bool {
        self.stopping == Stopping::Done
    }

    /// When [`Registration::handle_timeout`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        match self.stopping {
            Stopping::No => [self.next_at, self.lapses_at].into_iter().flatten().min(),
            Stopping::Until(until) => Some(until),
            Stopping::Done => None,
        }
    }

    /// What is to be done next.
    pub fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// How it stands.
    pub fn status(&self) -> TrunkStatus {
        TrunkStatus {
            name: self.spec.name.clone(),
            state: self.state,
            hop: self.last_path.map(|path| path.hop),
            since: self.since,
            last_status: self.last_status,
        }
    }

    /// Routes that calls through it begin with.
    pub fn route(&self) -> &[String] {
        &self.route
    }

    /// Are we registered at `address`? Then its calls come from there. One that has only asked, refused or sent us on is
    /// nobody yet, and nobody again when the registration lapses.
    pub fn is_known_at(&self, address: IpAddr, now: Instant) -> bool {
        self.addresses.iter().any(|(known, until)| *known == address && now < *until)
    }

    /// It was granted there, and stands until then.
    fn know(&mut self, address: IpAddr, until: Instant, now: Instant) {
        self.addresses.retain(|(known, until)| *known != address && now < *until);
        if self.addresses.len() == MOST_ADDRESSES {
            self.addresses.remove(0);
        }
        self.addresses.push((address, until));
    }

    fn register(&mut self, expires: Duration, now: Now) {
        let secure = self.registrar.scheme == "sips";
        let host = host_port(&Uri { port: None, ..self.registrar.clone() });
        let scheme = &self.registrar.scheme;
        let address = format!("<{scheme}:{}@{host}>", self.user);
        let mut headers: Vec<(Cow<'static, str>, String)> = vec![
            ("From".into(), format!("{address};tag={}", self.tag)),
            ("To".into(), address),
            ("Call-ID".into(), self.call_id.clone()),
            ("Expires".into(), expires.as_secs().to_string()),
            ("Supported".into(), "path".to_owned()),
            ("Allow".into(), ALLOW.to_owned()),
        ];
        if let Some(left) = self.left.take() {
            headers.push(("Contact".into(), format!("<{left}>;expires=0")));
        }
        let home = || (format!("{scheme}:{}", host_port(&self.registrar)), self.towards.clone());
        let (uri, towards) = self.moved_to.clone().unwrap_or_else(home);
        let request = OutRequest {
            method: Method::Register,
            uri,
            towards: Target { secure, ..towards },
            fallback: None,
            headers,
            contact: Some(self.user.clone()),
            body: None,
        };
        let tx = Tx(self.next_tx);
        self.next_tx += 1;
        self.asking = Some(tx);
        self.next_at = None;
        if !matches!(self.state, TrunkState::Registered { .. }) {
            self.enter(TrunkState::Registering, now);
        }
        self.acts.push_back(Act::Request { tx, request });
    }

    fn registered(&mut self, response: &Response, now: Now) {
        let granted = self.granted(response);
        if granted.is_zero() {
            return self.failed(None, true, now);
        }
        self.failures = 0;
        self.redirects = Redirects::starting_at(&self.registrar.text);
        self.route = service_route(response, self.registrar.scheme == "sips");
        self.lapses_at = Some(now.mono + granted);
        if let Some(path) = self.last_path {
            self.know(path.hop.address.ip().to_canonical(), now.mono + granted, now.mono);
        }
        // Up to 5 % earlier, so that many gateways started together do not refresh together.
        let refresh = granted.mul_f64(0.85).min(granted.saturating_sub(MARGIN)).max(granted / 2);
        let refresh = refresh.mul_f64(1.0 - 0.05 * self.fraction());
        self.next_at = Some(now.mono + refresh.max(SHORTEST_REFRESH));
        self.enter(TrunkState::Registered { until: now.wall + granted }, now);
    }

    /// What they granted our own Contact (§10.2.4); a registrar that rewrites contacts tells by the only one.
    fn granted(&self, response: &Response) -> Duration {
        let contacts: Vec<NameAddr> =
            response.headers.list("Contact").filter_map(|value| NameAddr::parse(value).ok()).collect();
        let ours = self.last_path.and_then(|path| {
            let ours = Uri::parse(&path.contact(&self.user, self.registrar.scheme == "sips")).ok()?;
            contacts.iter().find(|contact| {
                let theirs = &contact.uri;
                (&theirs.user, &theirs.host, theirs.port) == (&ours.user, &ours.host, ours.port)
            })
        });
        let only = || contacts.first().filter(|_| contacts.len() == 1);
        let param = ours.or_else(only).and_then(|contact| find_param(&contact.params, "expires"));
        let seconds = param.or_else(|| response.headers.first("Expires")).and_then(seconds);
        seconds.unwrap_or(self.expires).min(LONGEST_EXPIRES)
    }

    /// 3xx: is there somebody else to ask (RFC 3261 §10.2.7, §8.1.3.4)?
    fn redirect(&mut self, response: &Response) -> bool {
        self.redirects.take(response, self.registrar.scheme == "sips");
        self.next_target()
    }

    fn next_target(&mut self) -> bool {
        let next = self.redirects.pop().and_then(|next| {
            let uri = Uri::parse(&next.uri).ok()?;
            // §10.2: a registrar is a domain, its URI names no user.
            Some((format!("{}:{}", uri.scheme, host_port(&uri)), next.towards))
        });
        self.moved_to = next;
        self.moved_to.is_some()
    }

    /// 423: asks for what they insist on, unless we do already.
    fn raise(&mut self, response: &Response) -> bool {
        let least = response.headers.first("Min-Expires").and_then(seconds);
        match least.filter(|least| *least > self.expires && *least <= LONGEST_EXPIRES) {
            Some(least) => {
                self.expires = least;
                true
            }
            None => false,
        }
    }

    /// `refused`: they know us and do not want us.
    fn failed(&mut self, retry_after: Option<Duration>, refused: bool, now: Now) {
        self.failures = self.failures.saturating_add(1);
        // Whoever has sent us away may know better by then.
        self.moved_to = None;
        self.redirects = Redirects::starting_at(&self.registrar.text);
        let doubled = FIRST_WAIT.saturating_mul(1 << (self.failures - 1).min(10)).min(LONGEST_WAIT);
        let wait = if refused { doubled } else { FIRST_WAIT };
        // RFC 5626 §4.5: anywhere in the upper half, so that a thousand clients do not come back at once.
        let wait = wait.mul_f64(0.5 + 0.5 * self.fraction());
        let wait = retry_after.map_or(wait, |least| least.clamp(Duration::from_secs(1), LONGEST_WAIT));
        self.next_at = Some(now.mono + wait);
        // An older registration may still stand: then they still find us.
        if self.lapses_at.is_none_or(|at| now.mono >= at) || refused {
            self.lapses_at = None;
            self.route.clear();
            if refused {
                self.addresses.clear();
            }
            self.enter(TrunkState::Waiting { until: now.wall + wait }, now);
        }
    }

    fn done(&mut self, now: Now) {
        self.stopping = Stopping::Done;
        (self.next_at, self.lapses_at, self.asking) = (None, None, None);
        self.enter(TrunkState::Unregistered, now);
    }

    fn enter(&mut self, state: TrunkState, now: Now) {
        if std::mem::discriminant(&state) != std::mem::discriminant(&self.state) {
            self.since = now.wall;
        }
        self.state = state;
    }

    /// 0..1, another one for each request.
    fn fraction(&self) -> f64 {
        let text = format!("{:016x} {} wait {}", self.context.seed, self.spec.name, self.next_tx);
        let hash = Algorithm::Sha256.hash(text.as_bytes());
        let drawn = u16::from_str_radix(&hash[..4], 16).unwrap_or_default();
        f64::from(drawn) / f64::from(u16::MAX)
    }
}

fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)).min(LONGEST_EXPIRES))
}

/// The way of RFC 3608 §5: kept in order, used as a whole or not at all. Only loose routes make one.
fn service_route(response: &Response, secure: bool) -> Vec<String> {
    let values = || response.headers.list("Service-Route");
    let sound = |value: &str| {
        let scheme_is_right = |uri: &Uri| uri.scheme == "sips" || (uri.scheme == "sip" && !secure);
        NameAddr::parse(value).is_ok_and(|route| {
            route.uri.param("lr").is_some() && scheme_is_right(&route.uri) && Target::of(&route.uri).is_some()
        })
    };
    if values().count() > MOST_ROUTES || !values().all(sound) {
        return Vec::new();
    }
    values().map(str::to_owned).collect()
}

/// `Retry-After: 120 (maintenance);duration=3600` (§20.33).
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers.first("Retry-After")?;
    seconds(value.split(['(', ';']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests;
