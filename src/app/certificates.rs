//! Certificates that are renewed while calls go on: read again when their files change, and on SIGHUP.
//!
//! ```text
//!   files   old ─ certificate written ─ key written ─────────────────────▶
//!   looked  ·old        ·other            ·other      ·same as before ─▶ read again
//! ```
//!
//! Two files are never written in one moment, so a change is taken once it has stood for a whole interval. Links are
//! followed (certbot swaps them). What cannot be used leaves everything as it was.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::{error, info};

use crate::config::Config;
use crate::sip::TlsKeeper;

/// How often the files are looked at: a stat of three files costs nothing.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// When a file was written and how long it is; `None` when it is not there.
type Stamp = Option<(SystemTime, u64)>;

/// Knows when certificates are to be read again.
pub(super) struct Certificates {
    files: Vec<PathBuf>,
    watch: Watch,
    hangup: Signal,
    clock: Interval,
}

/// What has been seen of the files.
#[derive(Debug)]
struct Watch {
    taken: Vec<Stamp>,
    last: Vec<Stamp>,
}

impl Certificates {
    /// Listens to SIGHUP from now on, which would else end the process.
    pub(super) fn of(config: &Config) -> io::Result<Self> {
        let sip = &config.sip;
        let files: Vec<PathBuf> =
            [&sip.certificate, &sip.private_key, &sip.ca].into_iter().flatten().cloned().collect();
        let mut clock = interval(LOOK_EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let now = stamps(&files);
        Ok(Self { files, watch: Watch { taken: now.clone(), last: now }, hangup: signal(SignalKind::hangup())?, clock })
    }

    /// Has them read whenever that is called for, for ever.
    pub(super) async fn run(mut self, keeper: TlsKeeper) {
        loop {
            self.changed().await;
            if self.files.is_empty() {
                info!("told to read certificates again; the settings name none");
                continue;
            }
            match keeper.renew().await {
                Ok(()) => info!("certificates read again; new connections use them"),
                Err(fault) => error!("{fault}; the certificates read before stay in use"),
            }
        }
    }

    /// Waits until there is something to read.
    async fn changed(&mut self) {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => return self.watch.force(stamps(&self.files)),
                _ = self.clock.tick(), if !self.files.is_empty() => {
                    if self.watch.look(stamps(&self.files)) {
                        return;
                    }
                }
            }
        }
    }
}

impl Watch {
    /// Is there a change that has stood since the last look?
    fn look(&mut self, now: Vec<Stamp>) -> bool {
        let settled = now == self.last && now != self.taken;
        if settled {
            self.taken.clone_from(&now);
        }
        self.last = now;
        settled
    }

    fn force(&mut self, now: Vec<Stamp>) {
        self.taken.clone_from(&now);
        self.last = now;
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |file: &PathBuf| {
        let found = std::fs::metadata(file).ok()?;
        Some((found.modified().ok()?, found.len()))
    };
    files.iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_taken_once_when_it_has_stood_for_a_while() {
        let at = |second, length| Some((SystemTime::UNIX_EPOCH + Duration::from_secs(second), length));
        let old = vec![at(1, 100), at(1, 50)];
        let mut watch = Watch { taken: old.clone(), last: old.clone() };
        assert!(!watch.look(old.clone()));
        // The certificate is new, then the key too.
        assert!(!watch.look(vec![at(9, 100), at(1, 50)]));
        let new = vec![at(9, 100), at(10, 51)];
        assert!(!watch.look(new.clone()));
        assert!(watch.look(new.clone()), "it stands");
        assert!(!watch.look(new.clone()), "and is read once");
        // A file that is away for a moment, while it is replaced, is no change.
        assert!(!watch.look(vec![at(9, 100), None]));
        assert!(!watch.look(new.clone()) && !watch.look(new));
        watch.force(old.clone());
        assert!(!watch.look(old));
    }
}
