//! The gateway as a whole: starts every room in order, takes incoming legs, drains and ends.
//!
//! ```text
//! settings → data folder → plans → prompts → recognisers → media thread → SIP socket → calls … drain
//! ```

mod reception;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::audio::TELEPHONE_HZ;
use crate::call::registry::Registry;
use crate::call::utter;
use crate::config::Config;
use crate::dialplan::diagnostic::{Diagnostics, Severity};
use crate::dialplan::load::load;
use crate::dialplan::plan::Plan;
use crate::files::{create_private_folder, narrow_folder};
use crate::media::driver::{MediaConfig, MediaError, MediaServer};
use crate::pii::Pii;
use crate::sip::{
    AddressRange, Credentials, IncomingLeg, Peer, PeerTable, Secret, SessionPolicy, SipConfig, SipError, SipServer,
};
use crate::speech::driver::{PoolSettings, RecognizerPool};
use crate::speech::engines::Engines;
use crate::speech::models::ModelDirs;
use crate::speech::prompts::{PromptBook, Prompts};
use crate::speech::voices::SystemVoices;
use crate::store::driver::{self as writer, WriterSetup};
use crate::store::numbers::{NumberPolicy, SaltError};
use crate::time::Clock;
use reception::Reception;

/// How long calls may take to say goodbye once the drain is over.
const GOODBYE: Duration = Duration::from_secs(8);
/// How long calls that have been hung up may take to close their recordings and write their records: what a call waits
/// for a slow disk, and a little.
const LAST_WORDS: Duration = Duration::from_secs(35);
/// How long our BYEs may wait for their answers after that.
const BYE_GRACE: Duration = Duration::from_secs(2);

/// Why the gateway cannot start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The data folder cannot be used.
    #[error("cannot use the data folder {path}: {cause}; set `data_dir` to a folder this user may write")]
    DataFolder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// No route: nobody could be answered.
    #[error(
        "no [[route]] leads to a dial plan; add one to the settings, such as: number = \"*\", plan = \"dialplans/bank-main.yaml\""
    )]
    NoRoute,
    /// A dial plan is broken.
    #[error("{0}")]
    Plan(Diagnostics),
    /// A route leads to a file that is not there: on a first start, that of the default route.
    #[error(
        "the dial plan {0} does not exist; set `plan` of a [[route]] in trunkline.toml to one that does, or name other settings with `-c FILE`"
    )]
    NoPlan(PathBuf),
    /// Callers would hear nothing at all.
    #[error("{silence}; its callers would hear nothing, so the gateway does not start")]
    Silent {
        /// How many prompts of which plan, why, and what to do.
        silence: String,
    },
    /// Rendering prompts hit a bug of ours.
    #[error("rendering the prompts of plan `{plan}` failed; the log says where")]
    Prompts {
        /// Which plan.
        plan: String,
    },
    /// The salt of hashed numbers.
    #[error(transparent)]
    Salt(#[from] SaltError),
    /// The media thread or its ports.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The SIP socket.
    #[error(transparent)]
    Sip(#[from] SipError),
    /// The SIP task is gone while we were in service.
    #[error("signalling stopped by a bug of ours; the log says where. Start the gateway again")]
    SipStopped,
    /// The media thread is gone while we were in service.
    #[error("the media thread stopped by a bug of ours; the log says where. Start the gateway again")]
    MediaStopped,
    /// Signals cannot be listened to.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
}

/// A dial plan and everything it can say, ready for calls.
#[derive(Clone, Debug)]
pub struct LivePlan {
    /// Compiled.
    pub plan: Arc<Plan>,
    /// Rendered.
    pub prompts: Arc<PromptBook>,
}

/// Runs the gateway until it is told to stop (SIGTERM, SIGINT) and the last call is over.
pub async fn serve(config: Config, clock: Arc<dyn Clock>) -> Result<(), AppError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(AppError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(AppError::Signals)?;
    prepare_data_folder(&config.data_dir)?;
    let plans = live_plans(&config).await?;
    let recognizers = start_recognizers(&config, clock.clone());
    let media = MediaServer::start(media_config(&config))?;
    let numbers = NumberPolicy::open(config.privacy.numbers, &config.data_dir, rand::rng().random())?;
    let (records, writer) = writer::start(WriterSetup { data_dir: config.data_dir.clone(), numbers }, clock.clone());
    let (sip, mut incoming) = SipServer::bind(sip_config(&config), clock.clone()).await?;

    let registry = Registry::with_seats(config.sip.max_calls);
    let goodbye = CancellationToken::new();
    let drain_timeout = config.drain_timeout;
    let reception = Arc::new(Reception {
        media_address: config.media_address(),
        config,
        plans,
        media,
        recognizers,
        registry: registry.clone(),
        records,
        goodbye: goodbye.clone(),
        clock,
    });
    info!(sip = %sip.local_addr(), plans = reception.plans.len(), "ready for calls");

    let mut calls = JoinSet::new();
    let reason = loop {
        tokio::select! {
            leg = incoming.recv() => match leg {
                Some(leg) => take(&mut calls, &reception, leg),
                None => break Err(AppError::SipStopped),
            },
            Some(ended) = calls.join_next(), if !calls.is_empty() => report_panic(ended),
            () = reception.media.stopped() => break Err(AppError::MediaStopped),
            _ = terminate.recv() => break Ok(()),
            _ = interrupt.recv() => break Ok(()),
        }
    };

    info!(live = registry.len(), "draining: no new calls, the live ones may finish");
    sip.drain().await;
    // INVITEs that have had their 100 and still wait for us must hear a final answer.
    incoming.close();
    while let Some(leg) = incoming.recv().await {
        let reception = reception.clone();
        calls.spawn(async move { reception.turn_away(leg).await });
    }
    tokio::select! {
        () = all_done(&mut calls) => {}
        () = tokio::time::sleep(drain_timeout) => warn!(live = registry.len(), "drain time is over; saying goodbye"),
        () = reception.media.stopped() => warn!(live = registry.len(), "calls cannot go on without media"),
        _ = terminate.recv() => warn!(live = registry.len(), "told twice to stop; saying goodbye"),
        _ = interrupt.recv() => warn!(live = registry.len(), "told twice to stop; saying goodbye"),
    }
    goodbye.cancel();
    if tokio::time::timeout(GOODBYE, all_done(&mut calls)).await.is_err() {
        warn!(live = registry.len(), "calls did not end in time; hanging up");
    }
    sip.shutdown(BYE_GRACE).await;
    // Hung up is not yet remembered: recordings are being closed and records written.
    if tokio::time::timeout(LAST_WORDS, all_done(&mut calls)).await.is_err() {
        warn!(live = registry.len(), "calls did not close in time; what they left behind is incomplete");
    }
    writer.close().await;
    calls.shutdown().await;
    // Dropping the pool waits for its workers, and a hung engine must not keep us.
    let dropped = tokio::task::spawn_blocking(move || drop(reception));
    if tokio::time::timeout(LAST_WORDS, dropped).await.is_err() {
        warn!("a recognition worker did not stop; leaving it behind");
    }
    info!("stopped");
    reason
}

fn take(calls: &mut JoinSet<()>, reception: &Arc<Reception>, leg: IncomingLeg) {
    let reception = reception.clone();
    calls.spawn(async move { reception.receive(leg).await });
}

async fn all_done(calls: &mut JoinSet<()>) {
    while let Some(ended) = calls.join_next().await {
        report_panic(ended);
    }
}

/// A call that panicked is a bug; its neighbours go on, and the panic hook has logged it.
fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a call ended by a bug of ours; the others go on");
    }
}

/// Makes the folder, or takes it away from other users where an earlier version or a person made it too wide.
fn prepare_data_folder(folder: &Path) -> Result<(), AppError> {
    create_private_folder(folder).map_err(|cause| AppError::DataFolder { path: folder.to_owned(), cause })?;
    if let Err(cause) = narrow_folder(folder) {
        // Another user's folder may still be one we can write; what we put there is private by itself.
        warn!(folder = %folder.display(), %cause, "other users may look into the data folder; make it this user's");
    }
    Ok(())
}

/// Loads every routed plan once and renders what it can say.
async fn live_plans(config: &Config) -> Result<BTreeMap<PathBuf, LivePlan>, AppError> {
    if config.routes.is_empty() {
        return Err(AppError::NoRoute);
    }
    let prompts = Arc::new(prompts(config));
    let mut plans = BTreeMap::new();
    for route in &config.routes {
        if !plans.contains_key(&route.plan) {
            plans.insert(route.plan.clone(), live_plan(&route.plan, prompts.clone()).await?);
        }
    }
    Ok(plans)
}

/// The prompt cache of this configuration.
pub fn prompts(config: &Config) -> Prompts {
    Prompts::new(config.data_dir.join("prompts"), TELEPHONE_HZ, Arc::new(SystemVoices::speaking(&config.speech.voice)))
}

async fn live_plan(path: &Path, prompts: Arc<Prompts>) -> Result<LivePlan, AppError> {
    if !path.exists() {
        return Err(AppError::NoPlan(path.to_owned()));
    }
    let loaded = load(path).map_err(AppError::Plan)?;
    if loaded.warnings.count(Severity::Warning) > 0 {
        warn!(plan = loaded.plan.name, "the plan has warnings; `trunkline check` shows them");
    }
    let plan = loaded.plan;
    let wanted: Vec<_> = plan.utterances().map(|(prompt, language)| utter(prompt, language)).collect();
    let prepare = tokio::task::spawn_blocking(move || prompts.prepare(wanted, |_| {}));
    let prepared = prepare.await.map_err(|_| AppError::Prompts { plan: plan.name.clone() })?;
    for problem in prepared.problems.iter().filter(|problem| !problem.silent) {
        warn!(plan = plan.name, "{}", problem.sentence);
    }
    if let Some(silence) = prepared.silence() {
        let sentence = silence.sentence(&plan.name);
        if silence.is_total() {
            return Err(AppError::Silent { silence: sentence });
        }
        error!("{sentence}");
    }
    info!(
        plan = plan.name,
        version = plan.version,
        recorded = prepared.recorded,
        cached = prepared.cached,
        synthesized = prepared.synthesized,
        "dial plan loaded"
    );
    Ok(LivePlan { plan, prompts: Arc::new(prepared.book) })
}

fn start_recognizers(config: &Config, clock: Arc<dyn Clock>) -> Arc<RecognizerPool> {
    let dirs = ModelDirs::from_env();
    let dirs = match &config.speech.models {
        Some(models) => dirs.preferring(models),
        None => dirs,
    };
    let engines = Engines::auto(&dirs);
    for missing in engines.missing() {
        warn!("{missing}");
    }
    Arc::new(RecognizerPool::start(engines, PoolSettings::workers(config.recognition_workers()), clock))
}

fn media_config(config: &Config) -> MediaConfig {
    MediaConfig {
        address: config.rtp.address,
        ports: config.rtp.ports.first..=config.rtp.ports.last,
        rtp_timeout: config.rtp.timeout,
        ..MediaConfig::default()
    }
}

fn sip_config(config: &Config) -> SipConfig {
    let peer = |peer: &crate::config::PeerConfig| Peer {
        name: peer.name.as_str().into(),
        addresses: peer
            .addresses
            .iter()
            .filter_map(|network| AddressRange::new(network.address, network.prefix))
            .collect(),
        trust_identity: peer.trust_identity,
        credentials: credentials(peer.username.as_deref(), peer.password.as_ref()),
        max_calls: peer.max_calls,
        max_cps: peer.max_cps,
    };
    SipConfig {
        listen: config.sip.listen,
        advertise: config.sip.advertise,
        peers: PeerTable::new(config.peers.iter().map(peer).collect()),
        max_calls: config.sip.max_calls,
        realm: config.sip.realm.clone(),
        session: SessionPolicy { expires: config.sip.session_expires, min_se: config.sip.min_se },
        ..SipConfig::default()
    }
}

/// The settings are refused unless there are both or neither.
fn credentials(username: Option<&str>, password: Option<&Pii<String>>) -> Option<Credentials> {
    let (username, password) = username.zip(password)?;
    Some(Credentials { username: username.to_owned(), password: Secret::new(password.reveal().as_str()) })
}

#[cfg(test)]
mod tests;
