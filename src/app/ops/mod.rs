//! The operator's window: `/healthz` and `/metrics`, and a line in the log whenever health changes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::house::House;
use super::plans::Plans;
use crate::call::registry::Registry;
use crate::config::Config;
use crate::media::driver::{Beat, MediaHandle};
use crate::observe::exposition::CONTENT_TYPE;
use crate::observe::health::{Health, State, Watch};
use crate::observe::metrics::{PlansView, ProcessUse, Snapshot, TrunkView, render};
use crate::observe::tally::Tally;
use crate::sip::{Dialer, SipStats, TrunkState, TrunkStatus};
use crate::speech::driver::RecognizerPool;
use crate::store::driver::Writer;
use crate::time::Clock;

mod driver;
mod http;

pub use driver::{Ops, OpsError};

/// The signalling answers within this, or counts as gone.
const SIP_PATIENCE: Duration = Duration::from_secs(1);

/// What there is to look at.
pub struct Sources {
    /// The signalling.
    pub sip: Dialer,
    /// The media threads.
    pub media: MediaHandle,
    /// The recognisers.
    pub recognizers: Arc<RecognizerPool>,
    /// The store's writer.
    pub records: Writer,
    /// The dial plans.
    pub plans: Arc<Plans>,
    /// Live calls.
    pub registry: Registry,
    /// How many there may be.
    pub seats: usize,
    /// Names of the trunks we register with.
    pub registering: BTreeSet<String>,
    /// May somebody else call than those trunks?
    pub others_call: bool,
    /// Calls that are over.
    pub tally: Arc<Tally>,
    /// When we started.
    pub started_at: Timestamp,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
}

impl Sources {
    /// The rooms of a gateway.
    pub fn of(house: &House) -> Self {
        let registering = house.config.trunks.iter().filter(|trunk| trunk.register);
        Self {
            sip: house.dialer.clone(),
            media: house.media.clone(),
            recognizers: house.recognizers.clone(),
            records: house.records.writer().clone(),
            plans: house.plans.clone(),
            registry: house.registry.clone(),
            seats: house.config.sip.max_calls,
            others_call: others_call(&house.config),
            registering: registering.map(|trunk| trunk.name.clone()).collect(),
            tally: house.records.tally().clone(),
            started_at: house.clock.now().wall,
            clock: house.clock.clone(),
        }
    }
}

/// Is there a `[[peer]]` besides the trunks that we register with? The one of settings that name none, this machine
/// itself, is nobody's way to call.
fn others_call(config: &Config) -> bool {
    let registers = |name: &str| config.trunks.iter().any(|trunk| trunk.register && trunk.name == name);
    config.peers != Config::default().peers && config.peers.iter().any(|peer| !registers(&peer.name))
}

/// Looks, judges, and tells whoever asks.
pub(super) struct Window {
    sources: Sources,
    draining: AtomicBool,
    watch: Mutex<Watch>,
    last: Mutex<State>,
    /// A packet that turns up after all is taken back from those lost, and counters must never fall.
    most_lost: AtomicU64,
}

impl Window {
    fn new(sources: Sources) -> Self {
        let (watch, last) = (Mutex::default(), Mutex::default());
        Self { sources, draining: AtomicBool::new(false), watch, last, most_lost: AtomicU64::new(0) }
    }

    /// The answer to a GET of `path`.
    async fn page(&self, path: &str, head_only: bool) -> Vec<u8> {
        match path {
            "/metrics" => {
                let (snapshot, health) = self.look().await;
                http::answer(http::Status::Ok, CONTENT_TYPE, &render(&snapshot, &health), head_only)
            }
            "/healthz" => {
                let (snapshot, health) = self.look().await;
                let status = if health.state == State::Down { http::Status::Unavailable } else { http::Status::Ok };
                http::answer(status, "application/json", &told(&snapshot, &health), head_only)
            }
            _ => http::answer(http::Status::NotFound, "text/plain", "there are /healthz and /metrics\n", head_only),
        }
    }

    /// The gateway as it is now. A change of health is logged once.
    async fn look(&self) -> (Snapshot, Health) {
        let snapshot = self.snapshot().await;
        let now = self.sources.clock.now().mono;
        let health = self.watch.lock().unwrap_or_else(PoisonError::into_inner).judge(&snapshot, now);
        let before = std::mem::replace(&mut *self.last.lock().unwrap_or_else(PoisonError::into_inner), health.state);
        if before != health.state {
            let why = health.reasons.join("; ");
            match health.state {
                State::Ok => tracing::info!("well again"),
                // Being stopped is no trouble.
                State::Down if snapshot.draining => tracing::info!(why, "health is down"),
                state => tracing::warn!(why, "health is {}", state.name()),
            }
        }
        (snapshot, health)
    }

    async fn snapshot(&self) -> Snapshot {
        let Sources { sip, media, recognizers, records, registry, seats, registering, others_call, .. } = &self.sources;
        let Sources { tally, started_at, plans, .. } = &self.sources;
        let asked = async { (sip.stats().await, sip.trunks().await) };
        let (stats, trunks): (Option<SipStats>, Vec<TrunkStatus>) =
            tokio::time::timeout(SIP_PATIENCE, asked).await.unwrap_or_default();
        let beat = (!media.is_stopped()).then(|| {
            let beat = media.beat();
            Beat { lost: self.most_lost.fetch_max(beat.lost, Ordering::Relaxed).max(beat.lost), ..beat }
        });
        Snapshot {
            version: env!("CARGO_PKG_VERSION"),
            started_at_s: started_at.as_second(),
            live: registry.len(),
            seats: *seats,
            draining: self.draining.load(Ordering::Relaxed),
            sip: stats,
            trunks: trunks.iter().map(|trunk| view(trunk, registering)).collect(),
            media: beat,
            recognition: recognizers.metrics(),
            store: records.condition(),
            others_call: *others_call,
            plans: plans.view(),
            totals: tally.totals(),
            process: driver::process_files().and_then(|files| process_use(&files)),
        }
    }
}

fn view(trunk: &TrunkStatus, registering: &BTreeSet<String>) -> TrunkView {
    let (registered, state) = match trunk.state {
        TrunkState::Unregistered => (false, "unregistered"),
        TrunkState::Registering => (false, "registering"),
        TrunkState::Registered { .. } => (true, "registered"),
        TrunkState::Waiting { .. } => (false, "waiting"),
        TrunkState::Static => (false, "static"),
        TrunkState::Unreachable => (false, "unreachable"),
    };
    let name = trunk.name.to_string();
    TrunkView { registered: registering.contains(&name).then_some(registered), name, state }
}

/// `/healthz`, for people and machines.
fn told(snapshot: &Snapshot, health: &Health) -> String {
    let told = serde_json::json!({
        "state": health.state,
        "reasons": health.reasons,
        "notes": notes(&snapshot.plans),
        "calls": snapshot.live,
        "version": snapshot.version,
    });
    format!("{told}\n")
}

/// What is not as its files say, though every call is served.
fn notes(plans: &PlansView) -> Vec<String> {
    let broken = plans.broken.iter().map(|plan| {
        format!("the file of dial plan {plan} is broken: an earlier version is in force; `trunkline plans` says why")
    });
    let put_back = plans.put_back.iter().map(|plan| {
        format!("an earlier version of dial plan {plan} was put back by hand, and is in force until its file is edited")
    });
    broken.chain(put_back).collect()
}

/// `/proc/self/stat`, `/proc/self/status` and how many entries `/proc/self/fd` has.
pub(super) struct ProcessFiles {
    stat: String,
    status: String,
    open_files: u64,
}

/// proc(5). `None` where the files are not what they are on Linux.
fn process_use(files: &ProcessFiles) -> Option<ProcessUse> {
    /// Ticks of `/proc` a second, fixed by the kernel's interface on every architecture we build for.
    const TICKS: f64 = 100.0;
    // The name of the program stands in brackets and may hold anything, brackets too.
    let fields: Vec<&str> = files.stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
    let resident = files.status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes = resident.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?;
    Some(ProcessUse {
        cpu_s: (ticks(11)? + ticks(12)?) / TICKS,
        threads: fields.get(17)?.parse().ok()?,
        resident_bytes: kilobytes * 1_024,
        open_files: files.open_files,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_of_a_process_is_read() {
        let files = ProcessFiles {
            stat: "42 (trunk) line) S 1 42 42 0 -1 4194560 9 0 0 0 150 50 0 0 20 0 7 0 100 1 2 3".to_owned(),
            status: "Name:\ttrunk) line\nVmRSS:\t   2048 kB\nThreads:\t7\n".to_owned(),
            open_files: 12,
        };
        let expect = ProcessUse { cpu_s: 2.0, resident_bytes: 2_097_152, open_files: 12, threads: 7 };
        assert_eq!(process_use(&files), Some(expect));
        assert_eq!(process_use(&ProcessFiles { stat: "42 (trunkline) S 1".to_owned(), ..files }), None);
    }

    #[test]
    fn who_may_call_besides_registered_trunks_is_read_from_the_settings() {
        let trunk = serde_json::json!({ "name": "carrier", "uri": "sip:carrier.example", "register": true });
        let mut config = Config { trunks: vec![serde_json::from_value(trunk).unwrap()], ..Config::default() };
        assert!(!others_call(&config), "this machine alone is nobody");
        config.peers[0].name = "carrier".to_owned();
        assert!(!others_call(&config), "its calls come by the same trunk");
        config.peers[0].name = "pbx".to_owned();
        assert!(others_call(&config));
    }

    #[test]
    fn health_is_told_to_people_and_machines_at_once() {
        let health = Health { state: State::UnderLoad, reasons: vec!["nearly full".to_owned()] };
        let plans = PlansView { broken: vec!["bank".to_owned()], ..PlansView::default() };
        let told = told(&Snapshot { plans, ..crate::observe::metrics::fresh() }, &health);
        let read = serde_json::from_str::<serde_json::Value>(&told).unwrap();
        assert_eq!((&read["state"], &read["reasons"][0]), (&"under_load".into(), &"nearly full".into()));
        let note = read["notes"][0].as_str().unwrap();
        assert!(note.contains("dial plan bank is broken") && note.contains("trunkline plans"), "{note}");
    }
}
