//! Watches the files of the plans in service, and SIGHUP; has them read again when they have changed.
//!
//! Folders are watched rather than files, because editors put a new file in the place of the old one. Where the system
//! tells nothing (a share on another machine), looking now and then does.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::settle::{Settle, Touch};
use super::{Depth, Plans};
use crate::time::Clock;

/// How often files are looked at that nobody tells of: a stat each.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Touches that may wait. One that finds no room is not missed: those before it lead to the same look.
const TOUCHES: usize = 256;

type Paths = Arc<Mutex<BTreeSet<PathBuf>>>;

/// Keeps the plans as their files are.
pub(in crate::app) struct Watcher {
    plans: Arc<Plans>,
    clock: Arc<dyn Clock>,
    hangup: Signal,
    /// `None` where the system cannot tell of files.
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    files: Paths,
    touches: mpsc::Receiver<Touch>,
}

impl Watcher {
    /// Watches from now on.
    pub fn of(plans: Arc<Plans>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let (tell, touches) = mpsc::channel(TOUCHES);
        let files = Paths::default();
        let ours = files.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            let found = {
                let ours = ours.lock().unwrap_or_else(PoisonError::into_inner);
                Touch::of(&event, |path| ours.contains(path))
            };
            for touch in found {
                let _ = tell.try_send(touch);
            }
        });
        let watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                warn!(%error, "this system tells nothing of changed files; dial plans are looked at every two seconds");
                None
            }
        };
        let hangup = signal(SignalKind::hangup())?;
        let mut watching = Self { plans, clock, hangup, watcher, folders: BTreeSet::new(), files, touches };
        watching.watch();
        Ok(watching)
    }

    /// Until it is dropped.
    pub async fn run(mut self) {
        let mut settle = Settle::default();
        let mut now_and_then = interval(LOOK_EVERY);
        now_and_then.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = settle.due();
            let rest = due.map(|due| due.saturating_duration_since(self.clock.now().mono)).unwrap_or_default();
            tokio::select! {
                Some(touch) = self.touches.recv() => settle.touched(touch, self.clock.now().mono),
                () = tokio::time::sleep(rest), if due.is_some() => {
                    settle.looked();
                    self.plans.look(Depth::Changed).await;
                    self.watch();
                }
                _ = now_and_then.tick(), if due.is_none() => {
                    if self.plans.look(Depth::Settled).await {
                        debug!("a dial plan had changed and nobody told");
                        // As when a folder was replaced by another of its name.
                        self.folders.clear();
                    }
                    self.watch();
                }
                _ = self.hangup.recv() => {
                    info!("told to read dial plans again");
                    self.plans.look(Depth::Whole).await;
                    self.watch();
                }
            }
        }
    }

    /// Watches the folders of everything that plans are made of now.
    fn watch(&mut self) {
        let files = self.plans.files();
        let files: BTreeSet<PathBuf> = files.iter().flat_map(|file| places(file)).collect();
        let folders: BTreeSet<PathBuf> = files.iter().filter_map(|file| Some(file.parent()?.to_owned())).collect();
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
        let Some(watcher) = &mut self.watcher else { return };
        for old in self.folders.difference(&folders) {
            // It may be gone already.
            let _ = watcher.unwatch(old);
        }
        self.folders.retain(|old| folders.contains(old));
        for new in folders {
            // What cannot be watched (it is gone, or there are too many) is tried again, and looked at meanwhile.
            if !self.folders.contains(&new) && watcher.watch(&new, RecursiveMode::NonRecursive).is_ok() {
                self.folders.insert(new);
            }
        }
    }
}

/// Where a file is, and where it really is if a link leads there.
fn places(file: &Path) -> Vec<PathBuf> {
    let named = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let real = std::fs::canonicalize(file).ok().filter(|real| *real != named);
    [Some(named), real].into_iter().flatten().collect()
}
