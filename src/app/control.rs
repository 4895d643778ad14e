//! The control socket: what a person on this machine may ask of a running gateway.
//!
//! ```text
//!  trunkline call ──{"do":"call","to":"sip:…",…}──▶ control.sock ──▶ house
//!                 ◀──{"call":ID}  {"event":…} …  {"record":{…}}──
//! ```
//!
//! A Unix socket in the data folder, for its owner only. One JSON object a line, each way; one request a connection at
//! a time. A connection that closes in the middle of a call it has made hangs that call up: whoever ordered it is gone.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tracing::{info, warn};

use super::desk::Presence;
use super::house::House;
use super::originate::{Originate, OriginateError};
use super::plans::orders;
use crate::call::{Consult, Order, TimelineEvent};
use crate::dialplan::scope::Variables;
use crate::id::CallId;
use crate::pii::Pii;
use crate::rtp::Digit;
use crate::sip::CallerId;

/// Connections at once; more wait in the kernel.
const CONNECTIONS: usize = 256;
/// Longest request.
const LONGEST_LINE: u64 = 64 * 1024;
/// Keys pressed by one request: what media queues.
const MOST_KEYS: usize = 32;
/// Lines of a live transcript that may wait for their reader; a slow one misses some.
const WATCHED: usize = 256;
/// How long a call rings when nobody says.
pub const USUAL_RING: Duration = Duration::from_secs(60);

/// What may be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Version, live calls, draining or not.
    Status,
    /// Every live call.
    Calls,
    /// How the trunks are doing.
    Trunks,
    /// Make a call, and tell how it goes.
    Call(CallRequest),
    /// End a call.
    Hangup {
        /// Its id, or the beginning of it.
        call: String,
    },
    /// Press keys towards the far end of a call.
    Keys {
        /// Its id, or the beginning of it.
        call: String,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        keys: Pii<String>,
    },
    /// Put the far end of a call on hold.
    Hold {
        /// Its id, or the beginning of it.
        call: String,
    },
    /// Take it back.
    Resume {
        /// Its id, or the beginning of it.
        call: String,
    },
    /// Send the far end of a call on to somebody else.
    Transfer {
        /// Its id, or the beginning of it.
        call: String,
        /// Whom: a URI, or a number.
        to: String,
        /// Call them first, and send the far end only to who has answered. Absent: at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attended: Option<Attended>,
        /// Tell what comes of it, line by line, until that is known.
        #[serde(default)]
        follow: bool,
    },
    /// Every dial plan in service, its versions, and the calls on each.
    Plans,
    /// Read every dial plan again: what SIGHUP does, and what happens by itself when a file changes.
    ReloadPlans,
    /// Put an earlier version of a dial plan in force, until its file is edited.
    RollBackPlan {
        /// Its name, or its file.
        plan: String,
        /// The version, or the beginning of it; absent: the one before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// Every agent, what they are doing, and how many callers wait for each group.
    Agents,
    /// An agent takes no more callers, until they are back; whom they talk to, they keep.
    AgentAway {
        /// Their name in the settings.
        agent: String,
    },
    /// An agent takes callers again, at once.
    AgentBack {
        /// Their name in the settings.
        agent: String,
    },
    /// Take no new calls, let the live ones end, stop: what SIGTERM does.
    Drain,
}

/// How somebody is asked before a caller is sent there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attended {
    /// What they are told when they answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub say: Option<Pii<String>>,
    /// Through which trunk they are called; absent: the one that the call goes through, for a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
    /// How long it may ring, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring_s: Option<f64>,
}

impl Attended {
    fn order(self, to: String) -> Order {
        Order::Attend(Consult {
            to: Pii::new(to),
            trunk: self.trunk.as_deref().map(Arc::from),
            briefing: self.say.filter(|words| !words.reveal().trim().is_empty()),
            ring: ringing(self.ring_s),
            introduction: None,
        })
    }
}

/// As long as somebody wants, within reason.
fn ringing(asked_s: Option<f64>) -> Duration {
    let asked = asked_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    asked.unwrap_or(USUAL_RING).clamp(Duration::from_secs(1), Duration::from_secs(300))
}

/// A call somebody wants made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRequest {
    /// A SIP URI, or a number where a trunk is named.
    pub to: Pii<String>,
    /// The dial plan's file, absolute.
    pub plan: PathBuf,
    /// Through which trunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
    /// The number they see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Pii<String>>,
    /// How long it may ring, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring_s: Option<f64>,
    /// What is known of them, by name.
    #[serde(default)]
    pub variables: Variables,
    /// Also when the number is closed: a person has decided so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub even_if_closed: bool,
}

impl CallRequest {
    /// How long it may ring.
    pub fn ring(&self) -> Duration {
        ringing(self.ring_s)
    }

    /// As an order for the house, for a plan that is loaded.
    pub(super) fn order(&self, live: super::LivePlan) -> Originate {
        let caller = self.from.clone().map(|number| CallerId { number, name: None, withheld: false });
        Originate {
            to: self.to.clone(),
            trunk: self.trunk.as_deref().map(Arc::from),
            live,
            variables: self.variables.clone(),
            caller,
            ring: self.ring(),
            watch: None,
            made_for: None,
            stands_by: None,
            headers: Vec::new(),
            even_if_closed: self.even_if_closed,
        }
    }
}

/// An open control socket; its file goes with it.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    listener: UnixListener,
}

impl Control {
    /// Opens the socket. A file that a crashed gateway has left behind is replaced, one that somebody answers is not.
    pub async fn open(path: &Path) -> io::Result<Self> {
        let listener = match UnixListener::bind(path) {
            Ok(listener) => listener,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if UnixStream::connect(path).await.is_ok() {
                    return Err(io::Error::new(error.kind(), "another gateway answers there"));
                }
                std::fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            Err(error) => return Err(error),
        };
        // The folder is private already; this is for one that is not ours alone.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { path: path.to_owned(), listener })
    }

    /// Answers until it is dropped.
    pub async fn run(self, house: Arc<House>) {
        let seats = Arc::new(Semaphore::new(CONNECTIONS));
        let mut served = tokio::task::JoinSet::new();
        loop {
            let seat = seats.clone().acquire_owned().await.expect("nobody closes the seats");
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let house = house.clone();
                        served.spawn(async move {
                            serve(stream, &house).await;
                            drop(seat);
                        });
                    }
                    Err(error) => {
                        warn!(%error, "the control socket refuses a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = served.join_next(), if !served.is_empty() => {}
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // Another gateway may have taken the place; then the file is its, and it has found ours dead.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// One connection: lines until it closes.
async fn serve(stream: UnixStream, house: &House) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        if !one_line(&mut lines, &mut line).await.is_ok_and(|length| length > 0) {
            return;
        }
        let done = match serde_json::from_slice(&line) {
            Ok(Request::Call(call)) => make(call, house, &mut lines, &mut write).await,
            Ok(Request::Transfer { call, to, attended, follow }) => {
                transfer((&call, to, attended), follow, house, &mut write).await
            }
            Ok(request) => {
                let answer = answer(request, house).await;
                say(&mut write, &answer).await
            }
            Err(error) => say(&mut write, &json!({ "error": format!("that is no request: {error}") })).await,
        };
        if done.is_err() {
            return;
        }
    }
}

async fn answer(request: Request, house: &House) -> Value {
    let ordered = async |call: String, order: Order| match house.registry.order(&call, order, None).await {
        Ok(id) => json!({ "ok": id.to_string() }),
        Err(error) => json!({ "error": error.to_string() }),
    };
    match request {
        Request::Status => json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "calls": house.registry.len(),
            "draining": house.draining.is_cancelled(),
        }),
        Request::Calls => {
            let live = house.registry.snapshot();
            let calls = live.iter().map(|(id, live)| {
                json!({
                    "call": id.to_string(),
                    "since": live.since,
                    "direction": live.direction,
                    "peer": live.peer,
                    "plan": live.plan,
                    "version": live.version,
                })
            });
            json!({ "calls": calls.collect::<Vec<_>>() })
        }
        Request::Trunks => {
            let trunks = house.dialer.trunks().await;
            let told = trunks.iter().map(|trunk| {
                json!({
                    "trunk": &*trunk.name,
                    "state": format!("{:?}", trunk.state),
                    "hop": trunk.hop.map(|hop| hop.to_string()),
                    "since": trunk.since,
                    "last_status": trunk.last_status,
                })
            });
            json!({ "trunks": told.collect::<Vec<_>>() })
        }
        Request::Hangup { call } => ordered(call, Order::Hangup).await,
        Request::Keys { call, keys } => match keys.reveal().chars().map(Digit::new).collect::<Option<Vec<_>>>() {
            Some(keys) if !keys.is_empty() && keys.len() <= MOST_KEYS => {
                ordered(call, Order::Keys(Pii::new(keys))).await
            }
            _ => json!({ "error": format!("keys are up to {MOST_KEYS} of 0-9, *, #, A-D") }),
        },
        Request::Plans => orders::listed(&house.plans, &house.registry),
        Request::ReloadPlans => orders::reload(&house.plans, &house.registry).await,
        Request::RollBackPlan { plan, version } => orders::roll_back(&house.plans, &plan, version.as_deref()).await,
        Request::Agents => house.desk.look().await,
        Request::AgentAway { agent } => house.desk.presence(&agent, Presence::Away).await,
        Request::AgentBack { agent } => house.desk.presence(&agent, Presence::Back).await,
        Request::Hold { call } => ordered(call, Order::Hold).await,
        Request::Resume { call } => ordered(call, Order::Resume).await,
        Request::Drain => {
            info!("asked to drain through the control socket");
            house.draining.cancel();
            json!({ "ok": "draining" })
        }
        Request::Call(_) | Request::Transfer { .. } => unreachable!("what takes its time is not answered at once"),
    }
}

/// Sends the far end of a call on, and tells how that goes where somebody wants to know.
async fn transfer(
    (call, to, attended): (&str, String, Option<Attended>),
    follow: bool,
    house: &House,
    write: &mut OwnedWriteHalf,
) -> io::Result<()> {
    let named = attended.as_ref().map(|attended| attended.trunk.as_deref().map(Arc::from));
    if let Err(why) = house.judge_transfer(call, &to, named) {
        return say(write, &json!({ "error": why })).await;
    }
    let order = match attended {
        Some(attended) => attended.order(to),
        None => Order::Transfer { to },
    };
    let (watch, mut events) = mpsc::channel(WATCHED);
    match house.registry.order(call, order, follow.then_some(watch)).await {
        Ok(id) => say(write, &json!({ "ok": id.to_string() })).await?,
        Err(error) => return say(write, &json!({ "error": error.to_string() })).await,
    }
    while let Some(event) = events.recv().await {
        let known = matches!(event, TimelineEvent::TransferFailed { .. } | TimelineEvent::Ended { .. });
        say(write, &json!({ "event": event })).await?;
        if known {
            break;
        }
    }
    Ok(())
}

/// Makes a call and tells how it goes, to its record.
async fn make(
    request: CallRequest,
    house: &House,
    lines: &mut BufReader<OwnedReadHalf>,
    write: &mut OwnedWriteHalf,
) -> io::Result<()> {
    let live = match house.plans.fetch(&request.plan, &request.variables).await {
        Ok(live) => live,
        Err(error) => return say(write, &json!({ "error": error.to_string() })).await,
    };
    let (watch, mut events) = mpsc::channel(WATCHED);
    let (begun, mut begins) = mpsc::channel::<CallId>(1);
    let order = Originate { watch: Some(watch), ..request.order(live) };
    let call = house.originate(order, move |id, _| drop(begun.try_send(id.clone())));
    tokio::pin!(call);
    let mut id: Option<CallId> = None;
    let mut listens = true;
    let mut rest = Vec::new();
    loop {
        let told = tokio::select! {
            biased;
            Some(begun) = begins.recv() => {
                let line = json!({ "call": begun.to_string() });
                if !listens {
                    house.registry.hang_up(&begun);
                }
                id = Some(begun);
                say(write, &line).await
            }
            Some(event) = events.recv() => say(write, &json!({ "event": event })).await,
            ended = &mut call => {
                // What was said last is still on its way.
                while let Ok(event) = events.try_recv() {
                    say(write, &json!({ "event": event })).await?;
                }
                return match ended {
                    Ok(record) => say(write, &json!({ "record": record })).await,
                    Err(error @ OriginateError::Closed { .. }) => {
                        say(write, &json!({ "error": error.to_string(), "closed": true })).await
                    }
                    Err(error) => say(write, &json!({ "error": error.to_string() })).await,
                };
            }
            // Nothing may be said meanwhile but goodbye.
            read = one_line(lines, &mut rest), if listens => {
                match read {
                    Ok(length) if length > 0 => {
                        rest.clear();
                        say(write, &json!({ "error": "a call is under way; ask on another connection" })).await
                    }
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
        };
        if told.is_err() && listens {
            // Whoever ordered the call is gone, or wants it to end; it ends as calls do.
            listens = false;
            if let Some(id) = &id {
                house.registry.hang_up(id);
            }
        }
    }
}

async fn one_line(from: &mut BufReader<OwnedReadHalf>, line: &mut Vec<u8>) -> io::Result<usize> {
    from.take(LONGEST_LINE).read_until(b'\n', line).await
}

async fn say(write: &mut OwnedWriteHalf, line: &Value) -> io::Result<()> {
    let mut text = line.to_string();
    text.push('\n');
    write.write_all(text.as_bytes()).await
}
