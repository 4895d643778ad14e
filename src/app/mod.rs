//! The gateway as a whole: starts every room in order, takes incoming legs, drains and ends.
//!
//! ```text
//! settings → data folder → plans → prompts → recognisers → media threads → SIP socket → calls … drain
//! ```
//!
//! [`serve`] is the gateway, [`call_once`] one that lives as long as the single call it makes.

mod aloud;
mod certificates;
mod consult;
pub mod control;
mod desk;
pub mod handset;
mod house;
mod ledger;
mod ops;
mod originate;
mod plans;
mod reception;
mod settings;

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::aloud::{Manner, Theatre};
use self::certificates::Certificates;
use self::control::{CallRequest, Control};
use self::desk::Desk;
use self::house::House;
use self::ledger::Ledger;
use self::ops::{Ops, OpsError};
use self::originate::{Originate, OriginateError};
pub use self::plans::{LivePlan, prompts};
use self::plans::{Plans, Watcher};
use self::settings::{media_config, music, sip_config, start_recognizers};
use crate::agents::RosterError;
use crate::agents::driver::Hooks;
use crate::agents::untold::Untolds;
use crate::call::TimelineEvent;
use crate::call::record::CallRecord;
use crate::call::registry::Registry;
use crate::config::Config;
use crate::dialplan::diagnostic::Diagnostics;
use crate::files::{create_private_folder, narrow_folder};
use crate::lookup::driver::{LookupFault, Lookups};
use crate::media::driver::{MediaError, MediaServer};
use crate::media::rescue::{Rescued, rescue};
use crate::observe::tally::Tally;
use crate::sip::{IncomingLeg, SipError, SipServer};
use crate::store::driver::{self as writer, WriterSetup, WriterTask};
use crate::store::numbers::{NumberPolicy, SaltError};
use crate::time::Clock;

/// How long calls may take to say goodbye once the drain is over.
const GOODBYE: Duration = Duration::from_secs(8);
/// How long calls that have been hung up may take to close their recordings and write their records: what a call waits
/// for a slow disk, and a little.
const LAST_WORDS: Duration = Duration::from_secs(35);
/// How long our BYEs may wait for their answers after that.
const BYE_GRACE: Duration = Duration::from_secs(2);

/// How long the last events may take to reach the webhook of agents.
const HOOKS_GRACE: Duration = Duration::from_secs(3);

/// Why the gateway cannot start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Other systems cannot be asked, though the settings want it.
    #[error(transparent)]
    Lookups(LookupFault),
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
    /// Music cannot be played: key and reason.
    #[error("{0}")]
    Music(String),
    /// The agents do not fit together.
    #[error(transparent)]
    Agents(#[from] RosterError),
    /// Reading a plan hit a bug of ours.
    #[error("reading {file} failed by a bug of ours; the log says where")]
    Unread {
        /// Which file.
        file: PathBuf,
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
    /// The media threads or their ports.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The SIP socket.
    #[error(transparent)]
    Sip(#[from] SipError),
    /// `/healthz` and `/metrics` cannot be served.
    #[error(transparent)]
    Ops(#[from] OpsError),
    /// The SIP task is gone while we were in service.
    #[error("signalling stopped by a bug of ours; the log says where. Start the gateway again")]
    SipStopped,
    /// A media thread is gone while we were in service.
    #[error("a media thread stopped by a bug of ours; the log says where. Start the gateway again")]
    MediaStopped,
    /// The one call could not be begun.
    #[error(transparent)]
    Originate(OriginateError),
    /// The one call was not begun, because its number is closed.
    #[error("{0}")]
    Closed(OriginateError),
    /// Signals cannot be listened to.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
}

/// The house, and what runs beside it.
struct Running {
    house: Arc<House>,
    sip: SipServer,
    incoming: mpsc::Receiver<IncomingLeg>,
    writer: WriterTask,
}

/// Starts every room in its order.
async fn open_house(config: Config, plans: Plans, clock: Arc<dyn Clock>) -> Result<Running, AppError> {
    let music = music(&config).map_err(AppError::Music)?;
    let desk = Desk::open(Arc::new(config.roster()?), &config.data_dir, clock.clone());
    let recognizers = start_recognizers(&config, clock.clone());
    let media = MediaServer::start(media_config(&config))?;
    let numbers = NumberPolicy::open(config.privacy.numbers, &config.data_dir, rand::rng().random())?;
    let (records, writer) = writer::start(WriterSetup { data_dir: config.data_dir.clone(), numbers }, clock.clone());
    let (sip, incoming) = SipServer::bind(sip_config(&config), clock.clone()).await?;
    let settings = config.lookups.settings(rand::rng().random());
    let markers = Arc::new(settings.secrets.markers());
    let asks = !config.lookups.allow.is_empty();
    let hooks = match config.webhook(&settings.secrets) {
        // A client of its own, so that a webhook that hangs takes no look-up's place.
        Some(webhook) => {
            let lookups = Lookups::new(settings.clone(), clock.clone()).map_err(AppError::Lookups)?;
            Some(Hooks::new(webhook, lookups, Untolds::of(&config.data_dir), clock.clone()))
        }
        None => None,
    };
    let lookups = asks.then(|| Lookups::new(settings, clock.clone())).transpose().map_err(AppError::Lookups)?;
    let house = Arc::new_cyclic(|me| House {
        me: me.clone(),
        lookups,
        hooks,
        markers,
        plans: Arc::new(plans),
        media,
        dialer: sip.dialer(),
        recognizers,
        registry: Registry::with_seats(config.sip.max_calls),
        music,
        desk,
        records: Ledger::new(records, Arc::new(Tally::default())),
        goodbye: CancellationToken::new(),
        draining: CancellationToken::new(),
        clock,
        config,
    });
    Ok(Running { house, sip, incoming, writer })
}

/// Runs the gateway until it is told to stop (SIGTERM, SIGINT, `drain`) and the last call is over.
pub async fn serve(config: Config, clock: Arc<dyn Clock>) -> Result<(), AppError> {
    let mut signals = Signals::listen()?;
    let certificates = Certificates::of(&config).map_err(AppError::Signals)?;
    prepare_data_folder(&config.data_dir)?;
    let plans = Plans::routed(&config, clock.clone()).await?;
    let Running { house, sip, mut incoming, writer } = open_house(config, plans, clock).await?;
    let ops = Ops::start(house.config.ops.listen, ops::Sources::of(&house)).await?;
    let control = open_control(&house).await;
    if control.is_some() {
        mend_recordings(&house);
        house.hooks.iter().for_each(Hooks::catch_up);
    }
    let mut beside = JoinSet::new();
    beside.spawn(certificates.run(sip.tls_keeper()));
    let edits = Watcher::of(house.plans.clone(), house.clock.clone()).map_err(AppError::Signals)?;
    beside.spawn(edits.run());
    info!(sip = %sip.local_addr(), plans = house.plans.len(), "ready for calls");

    let mut calls = JoinSet::new();
    let reason = {
        // Made once: the loop turns twice for every call.
        let mut stopped = pin!(house.media.stopped());
        let mut drained = pin!(house.draining.cancelled());
        loop {
            tokio::select! {
                leg = incoming.recv() => match leg {
                    Some(leg) => take(&mut calls, &house, leg),
                    None => break Err(AppError::SipStopped),
                },
                Some(ended) = calls.join_next(), if !calls.is_empty() => report_panic(ended),
                () = &mut stopped => break Err(AppError::MediaStopped),
                () = &mut drained => break Ok(()),
                () = signals.next() => break Ok(()),
            }
        }
    };

    info!(live = house.registry.len(), "draining: no new calls, the live ones may finish");
    house.draining.cancel();
    ops.drain();
    sip.drain().await;
    // INVITEs that have had their 100 and still wait for us must hear a final answer.
    incoming.close();
    while let Some(leg) = incoming.recv().await {
        let house = house.clone();
        calls.spawn(async move { house.turn_away(leg).await });
    }
    let live = || house.registry.len();
    tokio::select! {
        () = nobody_left(&mut calls, &house) => {}
        () = tokio::time::sleep(house.config.drain_timeout) => warn!(live = live(), "drain time is over; saying goodbye"),
        () = house.media.stopped() => warn!(live = live(), "calls cannot go on without media"),
        () = signals.next() => warn!(live = live(), "told twice to stop; saying goodbye"),
    }
    house.goodbye.cancel();
    if tokio::time::timeout(GOODBYE, nobody_left(&mut calls, &house)).await.is_err() {
        warn!(live = live(), "calls did not end in time; hanging up");
    }
    sip.shutdown(BYE_GRACE).await;
    // Hung up is not yet remembered: recordings are being closed and records written.
    if tokio::time::timeout(LAST_WORDS, nobody_left(&mut calls, &house)).await.is_err() {
        warn!(live = live(), "calls did not close in time; what they left behind is incomplete");
    }
    if let Some(mut control) = control {
        control.shutdown().await;
    }
    writer.close().await;
    calls.shutdown().await;
    if let Some(hooks) = &house.hooks {
        hooks.close(HOOKS_GRACE).await;
    }
    ops.close().await;
    leave(house).await;
    info!("stopped");
    reason
}

/// Makes one call with a house of its own, on any free port, and closes it again. SIGINT and SIGTERM hang up.
pub async fn call_once(
    mut config: Config,
    request: CallRequest,
    watch: mpsc::Sender<TimelineEvent>,
    clock: Arc<dyn Clock>,
) -> Result<CallRecord, AppError> {
    let mut signals = Signals::listen()?;
    prepare_data_folder(&config.data_dir)?;
    let plans = Plans::none(&config, clock.clone());
    let live = plans.fetch(&request.plan, &request.variables).await?;
    // Registrations are a gateway's, and so is the port that carriers know.
    config.sip.listen.set_port(0);
    config.sip.tls_listen.iter_mut().for_each(|listen| listen.set_port(0));
    config.trunks.iter_mut().for_each(|trunk| trunk.register = false);
    let Running { house, sip, mut incoming, writer } = open_house(config, plans, clock).await?;
    let order = Originate { watch: Some(watch), ..request.order(live) };
    let mut call = Box::pin(house.originate(order, |_, _| {}));
    let made = loop {
        tokio::select! {
            made = &mut call => break made,
            // Nobody is served here.
            Some(leg) = incoming.recv() => house.turn_away(leg).await,
            () = signals.next() => {
                for (call, _) in house.registry.snapshot() {
                    house.registry.hang_up(&call);
                }
            }
        }
    };
    drop(call);
    sip.shutdown(BYE_GRACE).await;
    writer.close().await;
    if let Some(hooks) = &house.hooks {
        hooks.close(HOOKS_GRACE).await;
    }
    leave(house).await;
    made.map_err(|error| match error {
        error @ OriginateError::Closed { .. } => AppError::Closed(error),
        error => AppError::Originate(error),
    })
}

/// What tells us to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, AppError> {
        let of = |kind| signal(kind).map_err(AppError::Signals);
        Ok(Self { terminate: of(SignalKind::terminate())?, interrupt: of(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Opens the control socket; without one the gateway serves all the same. Dropping what comes back closes it.
async fn open_control(house: &Arc<House>) -> Option<JoinSet<()>> {
    let path = house.config.control_socket();
    match Control::open(&path).await {
        Ok(control) => {
            let mut task = JoinSet::new();
            task.spawn(control.run(house.clone()));
            Some(task)
        }
        Err(error) => {
            warn!(path = %path.display(), %error, "no control socket; `trunkline call` cannot reach this gateway");
            None
        }
    }
}

/// Makes whole what a crash has left unfinished, beside everything else. Only whoever holds the control socket may: else
/// another gateway could be writing there.
fn mend_recordings(house: &House) {
    let (recordings, began) = (house.config.recordings_dir(), house.clock.now().wall);
    tokio::task::spawn_blocking(move || {
        let Rescued { whole, empty, broken } = rescue(&recordings, began.into());
        if whole + empty + broken > 0 {
            let folder = recordings.display();
            warn!(whole, empty, broken, %folder, "recordings were left unfinished, as after a crash; no record names them");
        }
    });
}

/// Dropping the pool waits for its workers, and a hung engine must not keep us.
async fn leave(house: Arc<House>) {
    let dropped = tokio::task::spawn_blocking(move || drop(house));
    if tokio::time::timeout(LAST_WORDS, dropped).await.is_err() {
        warn!("a recognition worker did not stop; leaving it behind");
    }
}

fn take(calls: &mut JoinSet<()>, house: &Arc<House>, leg: IncomingLeg) {
    let house = house.clone();
    calls.spawn(async move { house.receive(leg).await });
}

/// Waits for the calls that came in, and for those that were ordered.
async fn nobody_left(calls: &mut JoinSet<()>, house: &House) {
    all_done(calls).await;
    house.registry.emptied().await;
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

#[cfg(test)]
mod tests;
